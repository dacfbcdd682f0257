//! Frames that no peer may send, on connections that are idle and on those that are taken.

use std::time::Duration;

use npws::ConnectionId;
use npws_attacks::attackers::{crowd, frame, hung_up, idle, pour};
use npws_attacks::victim::{CONNECTION, FLOOR, Victim};
use npws_tests::testbed::ms;
use tokio::io::AsyncWriteExt;

/// Of each kind.
const PEERS: usize = 10;
const GOOD: usize = 20;
const LIMIT: usize = 1 << 20;

/// A head of a frame, masked, which announces this many bytes.
fn announce(first: u8, length: u64) -> Vec<u8> {
    [&[first, 0xff][..], &length.to_be_bytes(), &[0; 4]].concat()
}

fn kinds() -> Vec<(&'static str, Vec<u8>)> {
    let unmasked = vec![0x82, 5, b'h', b'e', b'l', b'l', b'o'];
    let mut kinds = vec![
        ("larger than a message may be", announce(0x82, LIMIT as u64 + 1)),
        ("of 4 EiB", announce(0x82, 1 << 62)),
        ("of a length with its highest bit set", announce(0x82, 1 << 63)),
        ("unmasked", unmasked),
        ("compressed, RSV1", frame(0xc2, b"hello")),
        ("RSV2", frame(0xa2, b"hello")),
        ("RSV3", frame(0x92, b"hello")),
        ("a ping of 126 bytes", frame(0x89, &[0; 126])),
        ("a close of 126 bytes", frame(0x88, &[0; 126])),
        ("a ping in fragments", frame(0x09, b"hello")),
        ("a close of 1 byte", frame(0x88, &[3])),
        ("a close with a code that nobody may send", frame(0x88, &1005_u16.to_be_bytes())),
        ("a close with a reason that is no UTF-8", frame(0x88, &[3, 232, 0xff])),
        ("a continuation of nothing", frame(0x80, b"hello")),
        ("a message inside another", [frame(0x02, b"hel"), frame(0x82, b"lo")].concat()),
        ("text that is no UTF-8", frame(0x81, &[0xc3, 0x28])),
        ("text that ends inside a character", frame(0x81, &[0xe2, 0x82])),
    ];
    for opcode in [3, 4, 5, 6, 7, 0xb, 0xc, 0xd, 0xe, 0xf] {
        kinds.push(("of a reserved opcode", frame(0x80 | opcode, b"hello")));
    }
    kinds
}

#[test]
fn forbidden_frames_end_their_connection_and_no_other() {
    crate::attack(&format!("--max-message-size {LIMIT}"), |victim| async move {
        let client = victim.welcomes(GOOD).await;
        for (name, bytes) in kinds() {
            send(&victim, name, &bytes, false).await;
            send(&victim, name, &bytes, true).await;
        }
        assert_eq!((client.active(), client.stats().closed_total), (GOOD, 0));
        victim.pairs(&client).await;
        let sent = format!("{} kinds × {PEERS} × idle and taken", kinds().len());
        let seen = format!("{GOOD} of {GOOD} stayed");
        victim.report("forbidden frames", &sent, &seen, FLOOR + (2 * PEERS + GOOD) as u64 * CONNECTION);
        victim.recovers(client).await;
    });
}

async fn send(victim: &Victim, name: &str, bytes: &[u8], is_taken: bool) {
    let address = victim.address;
    let mut peers = crowd(PEERS, move |_| idle(address)).await;
    for (stream, id) in &mut peers {
        if is_taken {
            victim.echo(ConnectionId::from_bytes(*id));
        }
        // It may hang up while this is under way.
        let _ = stream.write_all(bytes).await;
    }
    for (stream, _) in &mut peers {
        let end = tokio::time::timeout(Duration::from_secs(20), hung_up(stream)).await;
        assert!(end.is_ok(), "{name}, taken: {is_taken}: the server goes on");
    }
}

#[test]
fn fragments_without_end_on_idle_connections_cost_no_more_than_early_data() {
    const HELD: usize = 16 << 10;
    const POURED: usize = 1 << 20;
    const MANY: usize = 100;
    crate::attack(&format!("--early-data-limit {HELD} --retention 1s --keepalive 1s"), |victim| async move {
        let client = victim.welcomes(GOOD).await;
        let address = victim.address;
        let peers = crowd(MANY, move |index| async move {
            let (mut stream, _) = idle(address).await;
            // Of one byte, of many, and of none.
            let payload = vec![7; [1, 1000, 0][index % 3]];
            stream.write_all(&frame(0x02, &payload)).await.expect("it is no error yet");
            let sent = pour(&mut stream, &frame(0x00, &payload).repeat(100), POURED, ms(300)).await;
            (stream, sent)
        })
        .await;
        assert_eq!((client.active(), client.stats().closed_total), (GOOD, 0));
        victim.pairs(&client).await;
        let poured: usize = peers.iter().map(|(_, sent)| sent).sum();
        let bound = FLOOR + MANY as u64 * (CONNECTION + HELD as u64 / 1024) + GOOD as u64 * CONNECTION;
        let sent = format!("{MANY} peers, {} MiB of fragments of 0, 1 and 1,000 bytes", poured >> 20);
        victim.report("fragments without end, idle", &sent, &format!("{GOOD} of {GOOD} stayed"), bound);
        drop(peers);
        victim.recovers(client).await;
    });
}

#[test]
fn fragments_without_end_on_taken_connections_end_at_the_message_limit() {
    const MANY: usize = 20;
    crate::attack(&format!("--max-message-size {LIMIT}"), |victim| async move {
        let client = victim.welcomes(GOOD).await;
        let address = victim.address;
        let peers = crowd(MANY, move |_| idle(address)).await;
        for (_, id) in &peers {
            victim.echo(ConnectionId::from_bytes(*id));
        }
        let mut poured = 0;
        for (mut stream, _) in peers {
            stream.write_all(&frame(0x02, &[7; 1000])).await.expect("it is no error yet");
            poured += pour(&mut stream, &frame(0x00, &[7; 1000]).repeat(100), 4 * LIMIT, ms(3000)).await;
            hung_up(&mut stream).await;
        }
        victim.pairs(&client).await;
        let bound = FLOOR + (MANY * 2 * LIMIT) as u64 / 1024 + GOOD as u64 * CONNECTION;
        let sent = format!("{MANY} peers, {} MiB in fragments of 1,000 bytes", poured >> 20);
        victim.report("fragments without end, taken", &sent, &format!("{GOOD} of {GOOD} stayed"), bound);
        victim.recovers(client).await;
    });
}
