//! What this crate's tests share: a pipe instead of a network, a clock that stands still, and raw frames.

mod pipe;
mod still;

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use async_tungstenite::WebSocketStream;
use futures::future::BoxFuture;
use npws_core::{ConnectionId, Link, LinkConfig, PeerGeneration, Role};

pub(crate) use self::pipe::{End, pipe};
pub(crate) use self::still::Still;
use crate::clock::Clock;
use crate::gate::Gate;
use crate::runtime::Background;
use crate::socket::Socket;
use crate::transport::Transport;
use crate::upgrade::websocket_config;
use crate::wire::Wire;

pub(crate) const ID: ConnectionId = ConnectionId::from_bytes([0xa1, 0xb2, 0xc3, 0xd4]);
pub(crate) const MAX_MESSAGE: usize = 1024 * 1024;

/// A clock that moves only when a test says so, unless it is one that passes.
#[derive(Debug, Clone)]
pub(crate) struct TestTime {
    state: Arc<Mutex<(Instant, Vec<Waker>)>>,
    step: Duration,
}

impl TestTime {
    pub(crate) fn new() -> Self {
        Self { state: Arc::new(Mutex::new((Instant::now(), Vec::new()))), step: Duration::ZERO }
    }

    /// By which a millisecond passes between two looks at it.
    pub(crate) fn passing() -> Self {
        Self { step: Duration::from_millis(1), ..Self::new() }
    }

    pub(crate) fn clock(&self) -> Clock {
        Clock::new(Arc::new(self.clone()))
    }

    pub(crate) fn advance(&self, by: Duration) {
        let mut state = self.state.lock().unwrap();
        state.0 += by;
        state.1.drain(..).for_each(Waker::wake);
    }
}

impl Background for TestTime {
    fn now(&self) -> Instant {
        let mut state = self.state.lock().unwrap();
        state.0 += self.step;
        state.0
    }

    fn sleep_until(&self, deadline: Instant) -> BoxFuture<'static, ()> {
        let time = Arc::clone(&self.state);
        Box::pin(poll_fn(move |cx| {
            let mut state = time.lock().unwrap();
            if state.0 >= deadline {
                return Poll::Ready(());
            }
            state.1.push(cx.waker().clone());
            Poll::Pending
        }))
    }

    fn spawn(&self, future: BoxFuture<'static, ()>) {
        smol::spawn(future).detach();
    }
}

/// Polls once.
pub(crate) fn poll_once<F: Future>(future: F) -> Poll<F::Output> {
    pin!(future).poll(&mut Context::from_waker(Waker::noop()))
}

/// One end as a transport.
pub(crate) fn transport(end: End) -> Transport {
    Transport::plain(Socket::new(end))
}

/// An upgraded end, without the upgrade.
pub(crate) async fn websocket(transport: Transport, role: Role) -> WebSocketStream<Gate> {
    let role = match role {
        Role::Client => tungstenite::protocol::Role::Client,
        Role::Server => tungstenite::protocol::Role::Server,
    };
    let config = websocket_config(MAX_MESSAGE, None);
    WebSocketStream::from_partially_read(Gate::new(transport, &[]), Vec::new(), role, Some(config)).await
}

/// A wire in front of its ID step.
pub(crate) fn wire(transport: Transport, role: Role, peer: PeerGeneration, config: LinkConfig) -> Wire {
    let now = npws_core::Instant::ZERO;
    let limit = config.early_data_limit;
    let link = match role {
        Role::Client => Link::client(config, peer, 7, now, now + Duration::from_secs(10)),
        Role::Server => Link::server(config, peer, 7, now, ID),
    };
    Wire::new(smol::block_on(websocket(transport, role)), link, role, limit)
}

/// The ID step of one end, for which the other has done its part.
pub(crate) async fn establish(wire: &mut Wire) -> ConnectionId {
    poll_fn(|cx| wire.poll_establish(cx, npws_core::Instant::ZERO)).await.unwrap()
}

/// An established wire, and the raw end of its peer.
pub(crate) fn established(role: Role, peer: PeerGeneration, config: LinkConfig) -> (Wire, End) {
    let (near, mut far) = pipe(1 << 20);
    if role == Role::Client {
        far.send(&frame(0x82, &ID.to_bytes()));
    }
    let mut wire = wire(transport(near), role, peer, config);
    assert_eq!(smol::block_on(establish(&mut wire)), ID);
    far.receive();
    (wire, far)
}

pub(crate) fn established_client(peer: PeerGeneration, config: LinkConfig) -> (Wire, End) {
    established(Role::Client, peer, config)
}

/// Counts how often its waker is woken.
#[derive(Default)]
pub(crate) struct Count(AtomicUsize);

impl Count {
    pub(crate) fn new() -> (Arc<Self>, Waker) {
        let count = Arc::new(Self::default());
        (count.clone(), count.into())
    }

    pub(crate) fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// An unmasked frame, as servers send it.
pub(crate) fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    match payload.len() {
        n @ 0..126 => frame.push(n as u8),
        n @ 126..0x1_0000 => {
            frame.push(126);
            frame.extend_from_slice(&(n as u16).to_be_bytes());
        }
        n => {
            frame.push(127);
            frame.extend_from_slice(&(n as u64).to_be_bytes());
        }
    }
    frame.extend_from_slice(payload);
    frame
}

/// A masked frame, as clients send it.
pub(crate) fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    const MASK: [u8; 4] = [0x5a, 0x00, 0xff, 0x13];
    let mut frame = frame(first, payload);
    let header = frame.len() - payload.len();
    frame[1] |= 0x80;
    frame.iter_mut().skip(header).zip(MASK.iter().cycle()).for_each(|(byte, mask)| *byte ^= mask);
    frame.splice(header..header, MASK);
    frame
}

/// The next frame of what an end received: its first byte and its payload without mask.
pub(crate) fn next_frame(received: &mut Vec<u8>) -> Option<(u8, Vec<u8>)> {
    let is_masked = received.get(1)? & 0x80 != 0;
    let (mut at, length) = match received[1] & 0x7f {
        126 => (4, usize::from(u16::from_be_bytes([received[2], received[3]]))),
        127 => (10, usize::try_from(u64::from_be_bytes(received[2..10].try_into().unwrap())).unwrap()),
        n => (2, usize::from(n)),
    };
    let mut mask = [0; 4];
    if is_masked {
        mask.copy_from_slice(received.get(at..at + 4)?);
        at += 4;
    }
    let payload = received.get(at..at + length)?;
    let payload = payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask).collect();
    let first = received[0];
    received.drain(..at + length);
    Some((first, payload))
}
