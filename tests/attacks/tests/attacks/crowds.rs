//! Too many from one address, and too many guesses.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Instant;

use npws::Socket;
use npws::tokio::Tokio;
use npws_attacks::attackers::{ask, connect_from, crowd, frame, read_head};
use npws_attacks::victim::{CONNECTION, FLOOR, HANDSHAKE, Victim};
use npws_tests::raw::request;
use npws_tests::testbed::until;
use tokio::io::AsyncWriteExt;
use tokio_util::compat::TokioAsyncReadCompatExt;

const ATTACKER: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 1));
const NEIGHBOUR: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
const GOOD: usize = 20;

/// Good peers from an address of their own.
async fn neighbours(victim: &Victim, token: Option<&str>) -> npws::tokio::ClientPool {
    let address = victim.address;
    let mut builder = victim.client(GOOD).dialer(move |_| async move {
        let stream = connect_from(NEIGHBOUR, address).await?;
        Ok(Socket::new(stream.compat()))
    });
    if let Some(token) = token {
        builder = builder.bearer_token(token);
    }
    let client = builder.connect().expect("the settings are valid");
    until::<Tokio>("the good ones are all in", || client.active() == GOOD).await;
    assert_eq!(client.stats().dial_failures.total(), 0, "{:?}", client.last_dial_error());
    client
}

/// What came of an attacker: its socket, for as long as it holds on to it, and the status that it got.
async fn status(source: IpAddr, address: SocketAddr, fields: String) -> (Option<tokio::net::TcpStream>, u16) {
    let Ok(mut stream) = connect_from(source, address).await else { return (None, 0) };
    match ask(&mut stream, &fields).await {
        Ok(head) => (Some(stream), head.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or_default()),
        Err(_) => (None, 0),
    }
}

#[test]
fn thousands_from_one_address_keep_no_other_out() {
    const CROWD: usize = 3000;
    const ALLOWED: usize = 100;
    crate::attack(&format!("--max-connections-per-address {ALLOWED}"), |victim| async move {
        let address = victim.address;
        let outcomes = crowd(CROWD, move |_| status(ATTACKER, address, String::new())).await;
        let got = |code| outcomes.iter().filter(|(_, status)| *status == code).count();
        assert_eq!((got(101), got(429)), (ALLOWED, CROWD - ALLOWED));
        let client = neighbours(&victim, None).await;
        victim.pairs(&client).await;
        let sent = format!("{CROWD} connections, of which {ALLOWED} are allowed");
        let bound = FLOOR + (ALLOWED + GOOD) as u64 * CONNECTION + CROWD as u64 * HANDSHAKE;
        victim.report("thousands from one address", &sent, &format!("{GOOD} of {GOOD} handshakes"), bound);
        drop(outcomes);
        victim.recovers(client).await;
    });
}

#[test]
fn tokens_are_guessed_no_faster_than_the_rate_of_an_address() {
    const GUESSES: usize = 3000;
    const RATE: usize = 50;
    let arguments = format!("--token correct-horse-battery-staple --handshake-rate {RATE}");
    crate::attack(&arguments, |victim| async move {
        let begin = Instant::now();
        let address = victim.address;
        let outcomes = crowd(GUESSES, move |guess| {
            status(ATTACKER, address, format!("Authorization: Bearer correct-horse-{guess}\r\n"))
        })
        .await;
        let tried = RATE as f64 * (1.0 + begin.elapsed().as_secs_f64());
        let got = |code| outcomes.iter().filter(|(_, status)| *status == code).count();
        assert_eq!(got(401) + got(429), GUESSES, "nobody got in, and everybody got an answer");
        assert!((1.0..=tried + 1.0).contains(&(got(401) as f64)), "{} were compared with the token", got(401));
        let client = neighbours(&victim, Some("correct-horse-battery-staple")).await;
        victim.pairs(&client).await;
        let sent = format!("{GUESSES} guesses, of which {} were looked at", got(401));
        let bound = FLOOR + GOOD as u64 * CONNECTION + GUESSES as u64 * HANDSHAKE;
        victim.report("token guessing", &sent, &format!("{GOOD} of {GOOD} handshakes"), bound);
        drop(outcomes);
        victim.recovers(client).await;
    });
}

#[test]
fn peers_that_take_whatever_they_get_hold_no_more_than_they_may() {
    const CROWD: usize = 2000;
    const CAPACITY: usize = 50;
    const CLAIMED: usize = 100;
    let arguments = format!("--capacity {CAPACITY} --max-claimed {CLAIMED} --keepalive 1s --retention 1s");
    crate::attack(&arguments, |victim| async move {
        let client = victim.welcomes(GOOD).await;
        let address = victim.address;
        let outcomes = crowd(CROWD, move |_| async move {
            let (mut stream, status) = status(ATTACKER, address, String::new()).await;
            if let Some(stream) = &mut stream {
                // To a server, data from a peer that knows no better is a claim. It may have hung up.
                let _ = stream.write_all(&frame(0x82, b"mine")).await;
            }
            (stream, status)
        })
        .await;
        let held = outcomes.iter().filter(|(_, status)| *status == 101).count();
        // Who was let in before the limit was reached becomes a claim too.
        assert!((CAPACITY..=CLAIMED + CAPACITY).contains(&held), "{held} are held");
        assert_eq!((client.active(), client.stats().closed_total), (GOOD, 0));
        let sent = format!("{CROWD} peers, of which {held} got a connection");
        let bound = FLOOR + (CLAIMED + CAPACITY) as u64 * CONNECTION + CROWD as u64 * HANDSHAKE;
        victim.report("taking whatever there is", &sent, &format!("{GOOD} of {GOOD} stayed"), bound);
        drop(outcomes);
        victim.pairs(&client).await;
        victim.recovers(client).await;
    });
}

#[test]
fn requests_for_paths_that_nobody_has_keep_no_pool_from_its_own() {
    const CROWD: usize = 2000;
    crate::attack("--path /pool", |victim| async move {
        let client = victim.welcomes(GOOD).await;
        let address = victim.address;
        let answers = crowd(CROWD, move |index| async move {
            let mut stream = connect_from(ATTACKER, address).await.expect("it listens");
            let path = ["/", "/pool/", "/POOL", "/admin", "/pool%2f", "//pool", "/../pool"][index % 7];
            stream.write_all(request(path, "").as_bytes()).await.expect("it listens");
            // It holds on to its socket for as long as it can.
            let head = read_head(&mut stream).await;
            (stream, head.unwrap_or_default())
        })
        .await;
        for (_, head) in &answers {
            assert!(head.starts_with("HTTP/1.1 404 "), "{head}");
        }
        assert_eq!((client.active(), client.stats().closed_total), (GOOD, 0));
        let more = victim.welcomes(GOOD).await;
        more.close();
        victim.pairs(&client).await;
        let sent = format!("{CROWD} requests for 7 other paths, sockets kept open");
        let seen = format!("{GOOD} of {GOOD} stayed, {GOOD} more came");
        let bound = FLOOR + 2 * GOOD as u64 * CONNECTION + CROWD as u64 * HANDSHAKE;
        victim.report("unknown paths on a shared listener", &sent, &seen, bound);
        drop(answers);
        victim.recovers(client).await;
    });
}
