//! Bytes that mean nothing: before the upgrade, inside the head, behind it, and after the upgrade.

use npws::tokio::Tokio;
use npws_attacks::attackers::{ask, crowd, hung_up, name};
use npws_attacks::victim::{CONNECTION, FLOOR, Victim};
use npws_tests::raw::request;
use npws_tests::testbed::until;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

const PEERS: usize = 300;
const GOOD: usize = 20;
const BOUND: u64 = FLOOR + (PEERS + GOOD) as u64 * CONNECTION;

/// Up to 4 KiB of anything, the same for each index every time.
fn garbage(index: usize) -> Vec<u8> {
    let mut random = StdRng::seed_from_u64(index as u64);
    let length = random.random_range(1..4096);
    (0..length).map(|_| random.random()).collect()
}

#[test]
fn garbage_instead_of_tls() {
    crate::attack("--tls", |victim| before_the_upgrade(victim, "garbage before TLS"));
}

#[test]
fn garbage_before_the_upgrade() {
    crate::attack("", |victim| before_the_upgrade(victim, "garbage before the upgrade"));
}

async fn before_the_upgrade(victim: Victim, attack: &str) {
    let client = victim.welcomes(GOOD).await;
    let address = victim.address;
    let upgraded = crowd(PEERS, move |index| async move {
        let mut stream = TcpStream::connect(address).await.expect("it listens");
        // The server may have seen enough before the end.
        let _ = stream.write_all(&garbage(index)).await;
        let _ = stream.shutdown().await;
        hung_up(&mut stream).await.starts_with(b"HTTP/1.1 101 ")
    });
    assert!(!upgraded.await.contains(&true));
    stands(victim, client, attack, &format!("{PEERS} × up to 4 KiB at random")).await;
}

#[test]
fn garbage_inside_the_head() {
    crate::attack("", |victim| async move {
        let client = victim.welcomes(GOOD).await;
        let address = victim.address;
        let refused = crowd(PEERS, move |index| async move {
            let good = request("/", "");
            let line = ["\0", "no colon", "Space before : colon", "Name: \u{1}\u{7f}", "\u{ff}\u{fe}: x", ": no name"];
            let bad = match index % (line.len() + 3) {
                0 => good.replacen("HTTP/1.1", "HTTP/9.9", 1),
                1 => good.replacen("GET /", "G\u{0}T /", 1),
                2 => good.replacen(" / ", " /\u{1}\t ", 1),
                kind => request("/", &format!("{}\r\n", line[kind - 3])),
            };
            let mut stream = TcpStream::connect(address).await.expect("it listens");
            let _ = stream.write_all(bad.as_bytes()).await;
            let answer = String::from_utf8_lossy(&hung_up(&mut stream).await).into_owned();
            (bad, answer)
        });
        for (sent, answer) in refused.await {
            assert!(answer.starts_with("HTTP/1.1 400 "), "{sent:?} got {answer:?}");
        }
        let sent = format!("{PEERS} heads with control bytes, fields without names, colons or values");
        stands(victim, client, "garbage inside the head", &sent).await;
    });
}

#[test]
fn garbage_pipelined_behind_the_head() {
    crate::attack("", |victim| async move {
        let client = victim.welcomes(GOOD).await;
        let address = victim.address;
        crowd(PEERS, move |index| async move {
            let mut stream = TcpStream::connect(address).await.expect("it listens");
            let behind = if index % 2 == 0 { request("/", "").repeat(10).into_bytes() } else { garbage(index) };
            let _ = stream.write_all(&[request("/", "").as_bytes(), &behind].concat()).await;
            let _ = stream.shutdown().await;
            hung_up(&mut stream).await
        })
        .await;
        let sent = format!("{PEERS} upgrades with more requests or up to 4 KiB at random behind them");
        stands(victim, client, "garbage behind the head", &sent).await;
    });
}

#[test]
fn garbage_after_the_upgrade() {
    crate::attack("", |victim| async move {
        let client = victim.welcomes(GOOD).await;
        let address = victim.address;
        crowd(PEERS, move |index| async move {
            let mut stream = TcpStream::connect(address).await.expect("it listens");
            let id = name(&mut stream).await;
            let _ = stream.write_all(&garbage(index)).await;
            let _ = stream.shutdown().await;
            hung_up(&mut stream).await;
            id
        })
        .await;
        stands(victim, client, "garbage after the upgrade", &format!("{PEERS} × up to 4 KiB at random")).await;
    });
}

#[test]
fn more_fields_than_a_head_may_have() {
    crate::attack("", |victim| async move {
        let client = victim.welcomes(GOOD).await;
        let address = victim.address;
        let answers = crowd(PEERS, move |index| async move {
            let mut stream = TcpStream::connect(address).await.expect("it listens");
            // Few bytes and many fields, or many bytes in one.
            let fields = if index % 2 == 0 { "a:b\r\n".repeat(1000) } else { format!("a: {}\r\n", "b".repeat(60_000)) };
            ask(&mut stream, &fields).await
        });
        for answer in answers.await {
            // Where the rest of the request was still on its way, the answer may be lost.
            assert!(answer.as_ref().is_ok_and(|head| head.starts_with("HTTP/1.1 431 ")), "{answer:?}");
        }
        let sent = format!("{PEERS} heads of 1,000 fields or 60 KB");
        stands(victim, client, "huge heads", &sent).await;
    });
}

/// Nobody but the attackers noticed, and nothing is left of them.
async fn stands(victim: Victim, client: npws::tokio::ClientPool, attack: &str, sent: &str) {
    assert_eq!((client.active(), client.stats().closed_total), (GOOD, 0), "the idle ones of good peers are all there");
    until::<Tokio>("the attackers are gone", || victim.count("idle") + victim.count("claimed") == GOOD as u64).await;
    victim.pairs(&client).await;
    let more = victim.welcomes(GOOD).await;
    more.close();
    victim.report(attack, sent, &format!("{GOOD} of {GOOD} stayed, {GOOD} more came"), BOUND);
    victim.recovers(client).await;
}
