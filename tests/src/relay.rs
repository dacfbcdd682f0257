//! A TCP relay that breaks what it carries.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::future::{AbortHandle, Abortable};
use futures::{AsyncReadExt, AsyncWriteExt};

use crate::testbed::{Testbed, current};

/// Carries connections from its own address to another one.
#[derive(Debug)]
pub struct Relay {
    address: SocketAddr,
    faults: Arc<Faults>,
}

#[derive(Debug)]
struct Faults {
    links: Mutex<Vec<AbortHandle>>,
    swallows: AtomicBool,
    resets: AtomicBool,
    /// How many more bytes go from the server to the client before the link is cut.
    allowance: AtomicUsize,
}

impl Relay {
    /// Starts a relay to `target`.
    pub fn start<R: Testbed>(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
        let address = listener.local_addr().expect("it is bound");
        let faults = Arc::new(Faults {
            links: Mutex::default(),
            swallows: AtomicBool::new(false),
            resets: AtomicBool::new(false),
            allowance: AtomicUsize::new(usize::MAX),
        });
        let runtime = current::<R>();
        let listener = runtime.listen(listener).expect("the runtime takes it");
        runtime.clone().spawn(serve(runtime, listener, target, faults.clone()));
        Self { address, faults }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Cuts every connection that it carries now, at both ends; with `reset` not in TCP's good order either.
    pub fn cut(&self, reset: bool) {
        self.faults.resets.store(reset, Ordering::SeqCst);
        for link in self.faults.links.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            link.abort();
        }
    }

    /// Takes everything in and gives nothing out, and closes nothing: a peer that hangs.
    pub fn swallow(&self) {
        self.faults.swallows.store(true, Ordering::SeqCst);
    }

    /// Cuts a link after `bytes` more bytes from the server to the client.
    pub fn allow_to_client(&self, bytes: usize) {
        self.faults.allowance.store(bytes, Ordering::SeqCst);
    }
}

async fn serve<R: Testbed>(runtime: R, listener: R::Listener, target: SocketAddr, faults: Arc<Faults>) {
    while let Ok((client, _)) = runtime.accept(&listener).await {
        let (handle, registration) = AbortHandle::new_pair();
        faults.links.lock().unwrap_or_else(PoisonError::into_inner).push(handle);
        let link = carry(runtime.clone(), client, target, faults.clone(), registration);
        runtime.spawn(async move {
            let _ = link.await;
        });
    }
}

async fn carry<R: Testbed>(
    runtime: R,
    mut client: R::Stream,
    target: SocketAddr,
    faults: Arc<Faults>,
    registration: futures::future::AbortRegistration,
) -> io::Result<()> {
    let mut server = runtime.connect(target).await?;
    for stream in [&client, &server] {
        R::socket(stream).set_tcp_nodelay(true)?;
    }
    {
        let (from_client, to_client) = (&mut client).split();
        let (from_server, to_server) = (&mut server).split();
        let up = copy(from_client, to_server, |_| usize::MAX, &faults.swallows);
        let down = copy(from_server, to_client, |n| spend(&faults.allowance, n), &faults.swallows);
        // One direction's end is not the other's: a half-closed connection goes on.
        let _ = Abortable::new(futures::future::try_join(up, down), registration).await;
    }
    if faults.resets.load(Ordering::SeqCst) {
        for stream in [&client, &server] {
            R::socket(stream).set_linger(Some(Duration::ZERO))?;
        }
    }
    Ok(())
}

/// Takes up to `n` from the allowance and gives how much it got.
fn spend(allowance: &AtomicUsize, n: usize) -> usize {
    if allowance.load(Ordering::SeqCst) == usize::MAX {
        return n;
    }
    let before = allowance
        .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| Some(left.saturating_sub(n)))
        .unwrap_or_default();
    before.min(n)
}

async fn copy(
    mut from: impl futures::AsyncRead + Unpin,
    mut to: impl futures::AsyncWrite + Unpin,
    mut allowed: impl FnMut(usize) -> usize,
    swallows: &AtomicBool,
) -> io::Result<()> {
    let mut buf = vec![0; 16 * 1024];
    loop {
        let n = from.read(&mut buf).await?;
        if swallows.load(Ordering::SeqCst) {
            if n == 0 {
                return futures::future::pending().await;
            }
            continue;
        }
        if n == 0 {
            return to.close().await;
        }
        let allowed = allowed(n).min(n);
        to.write_all(&buf[..allowed]).await?;
        if allowed < n {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
    }
}
