use futures::future::FutureExt;

use super::*;
use crate::testing::{End, TestTime, pipe, poll_once};

fn front(tls: &ServerTls) -> Arc<Front> {
    Arc::new(Front::new(TcpOptions::default(), tls, HeadLimits::default()).unwrap())
}

fn socket() -> (Socket, End) {
    let (near, far) = pipe(1 << 16);
    (Socket::new(near), far)
}

#[test]
fn no_more_than_so_many_are_told_at_once_that_there_are_too_many() {
    let (front, time) = (front(&ServerTls::plain()), TestTime::new());
    let turn_away = || {
        let (near, far) = socket();
        front.farewell(&time.clock(), near, Rejection::Full).map(|farewell| (farewell.boxed(), far))
    };
    let mut told: Vec<_> = std::iter::from_fn(turn_away).collect();
    assert_eq!(told.len(), FAREWELLS);
    let (farewell, far) = &mut told[0];
    assert!(poll_once(&mut *farewell).is_pending(), "it waits for the peer to be done");
    assert!(far.receive().starts_with(b"HTTP/1.1 503 "));
    time.advance(FAREWELL);
    assert!(poll_once(farewell).is_ready(), "but not for ever");
    drop(told.remove(0));
    assert!(turn_away().is_some(), "there is room for the next");
}

#[cfg(any(feature = "ring", feature = "aws-lc-rs"))]
#[test]
fn who_would_have_to_come_through_tls_is_told_nothing() {
    let front = front(&ServerTls::self_signed(["localhost"]).unwrap());
    let (near, mut far) = socket();
    assert!(front.farewell(&TestTime::new().clock(), near, Rejection::Full).is_none());
    let (near, mut refused) = socket();
    assert!(matches!(poll_once(Box::pin(front.refuse(near, Rejection::TooMany))), std::task::Poll::Ready(Ok(()))));
    assert!(far.receive().is_empty() && refused.receive().is_empty());
}

#[test]
fn what_comes_behind_a_proxy_header_is_read_as_it_came() {
    for cut in [1, 7, 41, 42, 100] {
        let said = [&b"PROXY TCP4 192.0.2.7 10.0.0.1 40000 443\r\n"[..], &[b'x'; 600]].concat();
        let (near, mut far) = socket();
        let (mut near, address) = (near, ([192, 0, 2, 7], 40_000).into());
        let (first, rest) = said.split_at(cut);
        far.send(first);
        let mut reading = Box::pin(async move {
            assert!(read_proxy_header(&mut near, ProxyRule::Required).await.unwrap());
            assert_eq!(near.peer_addr(), Some(address));
            let mut behind = Vec::new();
            near.read_to_end(&mut behind).await.unwrap();
            assert_eq!(behind, [b'x'; 600], "cut at {cut}");
        });
        assert!(poll_once(&mut reading).is_pending());
        far.send(rest);
        drop(far);
        assert!(poll_once(&mut reading).is_ready());
    }
}
