//! Servers that go: the wave of clients that come back, and a drain with another server to go to.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "all of this is tests")]

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures::{AsyncReadExt, AsyncWriteExt};
use npws::tokio::{ClientPool, ServerPool, Tokio};
use npws::{CloseReason, Connection, Runtime, Socket, StreamError, TakeError};
use npws_faults::process::{Peer, with_files};
use npws_faults::row::{Row, SLACK};
use npws_tests::pools::{bind, client, closed_by, filled, server, take_pair, talk};
use npws_tests::testbed::{SOON, current, ms, run, spawn, thread, until};
use npws_tests::v1_peer::V1Client;

const PEER: &str = env!("CARGO_BIN_EXE_npws-fault-peer");

/// A server that writes down when it accepts.
fn counting(listener: TcpListener, accepted: Arc<Mutex<Vec<Instant>>>) -> ServerPool {
    let runtime: Tokio = current();
    let listener = runtime.listen(listener).unwrap();
    let incoming = futures::stream::unfold((runtime, listener), move |(runtime, listener)| {
        let accepted = accepted.clone();
        async move {
            let (stream, _) = runtime.accept(&listener).await.expect("there are files enough");
            accepted.lock().unwrap().push(Instant::now());
            Some((Ok::<_, io::Error>(Socket::new(stream)), (runtime, listener)))
        }
    });
    server().capacity(2000).serve(incoming).unwrap()
}

/// The most of these within one second.
fn peak(times: &[Instant]) -> usize {
    let from = |first: usize| times[first..].partition_point(|time| *time < times[first] + Duration::from_secs(1));
    (0..times.len()).map(from).max().unwrap_or_default()
}

#[test]
fn fifty_client_pools_come_back_after_a_restart_without_a_wave() {
    const POOLS: usize = 50;
    const CAPACITY: usize = 12;
    const RATE: usize = 3;
    const BURST: usize = 2;
    run::<Tokio, _>(|| async {
        let accepted = Arc::new(Mutex::new(Vec::new()));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let first = counting(listener, accepted.clone());
        let clients = thread(move || {
            let options = format!("--count {POOLS} --capacity {CAPACITY} --dial-rate {RATE} {BURST} --keepalive 60s");
            Peer::start(with_files(&Command::new(PEER), 4000), &format!("client {address} {options}"))
        });
        let clients = clients.join().await;
        until::<Tokio>("all are there", || first.active() == POOLS * CAPACITY).await;
        first.close();
        drop(first);
        let clients = thread(move || {
            npws_faults::row::until("all know", SLACK, || clients.stats().get("refused") >= POOLS as u64);
            clients
        });
        let clients = clients.join().await;
        accepted.lock().unwrap().clear();
        let mut listener = None;
        until::<Tokio>("the port is free", || {
            listener = TcpListener::bind(address).ok();
            listener.is_some()
        })
        .await;
        let begin = Instant::now();
        let second = counting(listener.unwrap(), accepted.clone());
        until::<Tokio>("all are back", || second.active() == POOLS * CAPACITY).await;
        let mut row = Row::new(
            "fifty_client_pools_come_back_after_a_restart_without_a_wave",
            format!("server restarted, {POOLS} client pools of {CAPACITY}"),
        );
        // The probes before have emptied the bucket; the last pause may be the longest.
        row.refilled(Duration::from_secs_f64(CAPACITY as f64 / RATE as f64) + ms(500), begin.elapsed());
        let (peak, limit) = (peak(&accepted.lock().unwrap()), POOLS * (RATE + BURST));
        // A server that is kept from accepting for a second sees two seconds' dials in the next.
        assert!(peak <= limit + POOLS * RATE, "{peak} dials in a second, the limit is {limit}");
        assert!(second.stats().accepted_total >= (POOLS * CAPACITY) as u64);
        drop(clients);
        row.print(0, &format!("{peak} dials in the busiest second, the limit is {limit}"));
    });
}

/// A client of all these addresses, which it tries in their order.
fn client_of(addresses: &[SocketAddr], count: usize) -> ClientPool {
    let addresses = addresses.to_vec();
    let builder = client::<Tokio>("pool.example:80", count).resolver(move |_| {
        let addresses = addresses.clone();
        async move { Ok(addresses) }
    });
    builder.connect().unwrap()
}

#[test]
fn a_drained_server_lets_clients_go_elsewhere_and_finishes_what_is_taken() {
    const COUNT: usize = 6;
    const DEADLINE: Duration = Duration::from_secs(3);
    run::<Tokio, _>(|| async {
        let (going, address) = bind(server::<Tokio>()).await;
        let (staying, elsewhere) = bind(server::<Tokio>()).await;
        let client = client_of(&[address, elsewhere], COUNT);
        filled(&going, &client, COUNT).await;
        let mut original = thread(move || V1Client::connect(address)).join().await;
        let (mut accepted, mut dialed) = take_pair(&going, &client).await;
        until::<Tokio>("both are full", || going.active() == COUNT + 1 && client.active() == COUNT).await;
        let begin = Instant::now();
        let drain = spawn::<Tokio, _>({
            let going = going.clone();
            async move { going.drain(DEADLINE).await }
        });
        until::<Tokio>("all have gone elsewhere", || staying.active() == COUNT && client.active() == COUNT).await;
        let mut row = Row::new(
            "a_drained_server_lets_clients_go_elsewhere_and_finishes_what_is_taken",
            "server drained, with another to go to",
        );
        // A round, and a dial.
        row.refilled(ms(500), begin.elapsed());
        assert_eq!(closed_by(&client.stats(), CloseReason::PeerDrained), COUNT as u64);
        assert_eq!(closed_by(&going.stats(), CloseReason::Drained), COUNT as u64);
        assert!(TcpStream::connect(address).is_err(), "it accepts no more");
        let error = going.take_next(SOON).await.map(drop).unwrap_err();
        assert!(error == TakeError::Draining && error.is_safe_to_retry(), "{error:?}");
        assert_eq!((going.stats().idle, going.is_closed()), (1, false), "the original's connection waits");
        talk(&mut accepted, &mut dialed).await;
        for _ in 0..2 * COUNT {
            let (mut accepted, mut dialed) = take_pair(&staying, &client).await;
            talk(&mut accepted, &mut dialed).await;
        }
        drain.join().await;
        let ended = begin.elapsed();
        assert!(ended >= DEADLINE, "before its deadline, with a connection that waits: {ended:?}");
        row.known(DEADLINE, ended);
        assert_eq!(thread(move || original.raw.read_close()).join().await, Some(1000));
        assert_eq!(closed_by(&going.stats(), CloseReason::Drained), COUNT as u64 + 1);
        talk(&mut accepted, &mut dialed).await;
        row.print(2 * COUNT, "TakeError::Draining at the server, nothing at the client");
    });
}

/// Asks for an answer on a connection that the client took.
async fn ask(connection: &mut Connection) -> io::Result<()> {
    connection.write_all(b"?").await?;
    connection.flush().await?;
    let mut answer = [0];
    connection.read_exact(&mut answer).await?;
    assert_eq!(answer, *b"!");
    Ok(())
}

fn is_safe_to_retry(error: &io::Error) -> bool {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<StreamError>());
    inner.is_some_and(StreamError::is_safe_to_retry)
}

/// Answers every connection that the peer takes, and counts them, until the pool is closed.
async fn serve(pool: ServerPool, asked: Arc<AtomicUsize>) {
    while let Ok((_, mut connection)) = pool.accept(Duration::MAX).await {
        let asked = asked.clone();
        current::<Tokio>().spawn(async move {
            let mut question = [0];
            if connection.read_exact(&mut question).await.is_ok() {
                asked.fetch_add(1, Ordering::SeqCst);
                // Whoever asked may be gone.
                let _ = connection.write_all(b"!").await;
                let _ = connection.flush().await;
                let _ = connection.read(&mut question).await;
            }
        });
    }
}

#[test]
fn a_take_that_crosses_a_drain_is_served_or_fails_safe_to_retry() {
    const ROUNDS: usize = 25;
    const TAKES: usize = 8;
    run::<Tokio, _>(|| async {
        let (staying, elsewhere) = bind(server::<Tokio>()).await;
        let at_staying = Arc::new(AtomicUsize::new(0));
        let _serving = spawn::<Tokio, _>(serve(staying.clone(), at_staying.clone()));
        let (mut retried, mut served) = (0, 0);
        let mut asked = 0;
        for round in 0..ROUNDS {
            let (going, address) = bind(server::<Tokio>()).await;
            let at_going = Arc::new(AtomicUsize::new(0));
            let serving = spawn::<Tokio, _>(serve(going.clone(), at_going.clone()));
            let client = client_of(&[address, elsewhere], TAKES);
            until::<Tokio>("both are full", || going.active() == TAKES && client.active() == TAKES).await;
            let takes: Vec<_> = (0..TAKES)
                .map(|take| {
                    let (client, going) = (client.clone(), going.clone());
                    spawn::<Tokio, _>(async move {
                        if take == round % TAKES {
                            current::<Tokio>().spawn(async move { going.drain(SOON).await });
                        }
                        let mut retried = 0;
                        loop {
                            let (_, mut connection) = client.take_next(SOON).await.expect("there is an elsewhere");
                            match ask(&mut connection).await {
                                Ok(()) => return retried,
                                Err(error) if is_safe_to_retry(&error) => retried += 1,
                                Err(error) => panic!("a request is lost: {error:?} {error}"),
                            }
                        }
                    })
                })
                .collect();
            for take in takes {
                retried += take.join().await;
            }
            // Each was asked once, in all: what was safe to retry had been seen by nobody.
            asked += TAKES;
            served += at_going.load(Ordering::SeqCst);
            assert_eq!(at_staying.load(Ordering::SeqCst) + served, asked);
            drop(client);
            serving.join().await;
            assert!(going.is_closed());
        }
        assert!(retried > 0, "no take has crossed a drain");
        println!("{asked} takes across {ROUNDS} drains: {served} served by who went, {retried} retried, none lost");
    });
}
