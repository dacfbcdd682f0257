//! Dialing a name that has several addresses.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::AsyncReadExt;
use npws::{ClientPool, DialError, DialFailure};
use socket2::{Domain, Socket, Type};

use crate::pools::{NEVER, bind, client, filled, server, take_pair, talk};
use crate::spy::Spy;
use crate::testbed::{SOON, Testbed, current, ms, until};

/// An address of loopback where nobody listens.
fn refusing(ip: &str) -> SocketAddr {
    TcpListener::bind((ip, 0)).unwrap().local_addr().unwrap()
}

/// An address whose kernel answers nobody any more, because the one place in its queue is taken.
fn silent() -> (SocketAddr, Vec<Socket>) {
    let listener = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    listener.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    listener.listen(0).unwrap();
    let address = listener.local_addr().unwrap();
    let mut sockets = vec![listener];
    for _ in 0..8 {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        let connected = socket.connect_timeout(&address, ms(50));
        sockets.push(socket);
        if connected.is_err() {
            return (address.as_socket().unwrap(), sockets);
        }
    }
    panic!("the queue is never full");
}

pub async fn a_failed_address_is_followed_at_once_by_the_next<R: Testbed>() {
    let (server, address) = bind(server::<R>()).await;
    // Time stands still: nothing but the failure can begin the next attempt.
    let client = ClientPool::<Spy<R>>::builder("tunnel.example:80")
        .capacity(3..=3)
        .runtime(Spy::without_time())
        .resolver(move |target| async move {
            assert_eq!((&*target.host, target.port), ("tunnel.example", 80));
            Ok(vec![refusing("127.0.0.1"), address])
        })
        .connect()
        .unwrap();
    until::<R>("both pools are full", || server.active() == 3 && client.active() == 3).await;
    assert_eq!(client.stats().dial_failures.total(), 0, "a dial is not an attempt");
    let (id, mut dialed) = client.take_next(SOON).await.unwrap();
    let mut accepted = server.take(id, SOON).await.unwrap();
    assert_eq!(dialed.peer_addr(), Some(address));
    talk(&mut accepted, &mut dialed).await;
}

pub async fn an_address_that_does_not_answer_costs_the_delay_only<R: Testbed>() {
    let (silent, _sockets) = silent();
    let (server, address) = bind(server::<R>()).await;
    let begin = current::<R>().now();
    let client = client::<R>("tunnel.example:80", 1)
        .attempt_delay(ms(100))
        .dial_timeout(Duration::from_secs(30))
        .resolver(move |_| async move { Ok(vec![silent, address]) })
        .connect()
        .unwrap();
    filled(&server, &client, 1).await;
    assert!(current::<R>().now() - begin >= ms(100), "the first address had its time");
    let stats = client.stats();
    assert_eq!((stats.dials_total, stats.dial_failures.total()), (1, 0));
}

pub async fn the_first_address_to_answer_wins_and_the_others_are_dropped<R: Testbed>() {
    // The first takes the connection and says nothing, which is no failure of its address: the second is never asked.
    let first = TcpListener::bind("[::1]:0").unwrap();
    let second = TcpListener::bind("127.0.0.1:0").unwrap();
    let (v6, v4) = (first.local_addr().unwrap(), second.local_addr().unwrap());
    let client = client::<R>("tunnel.example:80", 1)
        .attempt_delay(ms(2000))
        .dial_timeout(ms(300))
        .backoff(NEVER..=NEVER)
        .resolver(move |_| async move { Ok(vec![v4, v6]) })
        .connect()
        .unwrap();
    until::<R>("the dial has failed", || client.stats().dial_failures.timeout == 1).await;
    let runtime = current::<R>();
    let listener = runtime.listen(first).unwrap();
    let (mut accepted, _) = runtime.accept(&listener).await.unwrap();
    let mut request = Vec::new();
    accepted.read_to_end(&mut request).await.unwrap();
    assert!(request.starts_with(b"GET / "), "{}", String::from_utf8_lossy(&request));
    second.set_nonblocking(true).unwrap();
    assert_eq!(second.accept().unwrap_err().kind(), io::ErrorKind::WouldBlock);
}

pub async fn a_dial_that_every_address_refuses_tells_each_cause<R: Testbed>() {
    let addresses = [refusing("127.0.0.1"), refusing("::1"), refusing("127.0.0.1")];
    let client = client::<R>("tunnel.example:80", 1)
        .backoff(NEVER..=NEVER)
        .resolver(move |_| async move { Ok(addresses.to_vec()) })
        .connect()
        .unwrap();
    until::<R>("the dial has failed", || client.stats().dial_failures.total() == 1).await;
    let error = client.last_dial_error().unwrap();
    assert_eq!(error.failure(), DialFailure::Connect);
    let DialError::Connect(causes) = &*error else { panic!("{error}") };
    let told: Vec<_> = causes.causes().map(|(address, cause)| (address.unwrap(), cause.kind())).collect();
    let order = [addresses[1], addresses[0], addresses[2]];
    assert_eq!(told, order.map(|address| (address, io::ErrorKind::ConnectionRefused)), "IPv6 first");
    assert!(addresses.iter().all(|address| error.to_string().contains(&address.to_string())), "{error}");
}

pub async fn every_dial_asks_for_the_addresses_anew<R: Testbed>() {
    let (old, old_address) = bind(server::<R>()).await;
    let (new, new_address) = bind(server::<R>()).await;
    let answer = Arc::new(Mutex::new(Ok(vec![old_address])));
    let asked = answer.clone();
    let client = client::<R>("tunnel.example:80", 2)
        .resolver(move |_| {
            let answer = asked.lock().unwrap().clone();
            async move { answer.map_err(|kind: io::ErrorKind| kind.into()) }
        })
        .connect()
        .unwrap();
    filled(&old, &client, 2).await;
    // No answer at all, then one without an address, then another one.
    for nothing in [Err(io::ErrorKind::Other), Ok(vec![])] {
        let before = client.stats().dial_failures.resolve;
        *answer.lock().unwrap() = nothing;
        client.flush();
        until::<R>("a dial has failed", || client.stats().dial_failures.resolve > before).await;
        assert!(matches!(&*client.last_dial_error().unwrap(), DialError::Resolve(_)));
    }
    *answer.lock().unwrap() = Ok(vec![new_address]);
    filled(&new, &client, 2).await;
    let (mut accepted, mut dialed) = take_pair(&new, &client).await;
    talk(&mut accepted, &mut dialed).await;
}
