//! Peers that come and go.

use std::net::SocketAddr;
use std::time::Duration;

use npws::ConnectionId;
use npws_attacks::attackers::{ask, crowd, idle, name};
use npws_attacks::victim::{CONNECTION, FLOOR};
use npws_tests::raw::request;
use socket2::SockRef;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

const GOOD: usize = 20;

#[test]
fn a_scanner_that_takes_the_control_id_and_leaves_burns_nothing() {
    const SCANS: usize = 50;
    crate::attack("--control-channel", |victim| async move {
        let mut given = 0;
        for scan in 0..SCANS {
            let (stream, id) = idle(victim.address).await;
            given += usize::from(ConnectionId::from_bytes(id).is_control());
            // In good order, or all at once.
            if scan.is_multiple_of(2) {
                drop(stream);
            } else {
                reset(stream);
            }
            let gone = || victim.count("closed_total") + victim.count("accept_failures") == scan as u64 + 1;
            npws_tests::testbed::until::<npws::tokio::Tokio>("it is gone", gone).await;
        }
        assert_eq!(given, SCANS, "it was given to each of them anew");
        let client = victim.client(GOOD).control_channel(true).connect().expect("the settings are valid");
        client.take(ConnectionId::CONTROL, Duration::from_secs(20)).await.expect("a good peer has it");
        victim.pairs(&client).await;
        let bound = FLOOR + (GOOD as u64 + 1) * CONNECTION;
        victim.report("scanner on the control ID", &format!("{SCANS} scans"), "the control ID", bound);
        victim.recovers(client).await;
    });
}

#[test]
fn peers_that_reset_right_after_the_upgrade_leave_nothing() {
    const RESETS: usize = 2000;
    crate::attack("", |victim| async move {
        let client = victim.welcomes(GOOD).await;
        let address = victim.address;
        crowd(RESETS, move |index| upgrade_and_reset(address, index)).await;
        assert_eq!((client.active(), client.stats().closed_total), (GOOD, 0));
        victim.pairs(&client).await;
        let bound = FLOOR + (200 + GOOD) as u64 * CONNECTION;
        let seen = format!("{GOOD} of {GOOD} stayed");
        victim.report("resets after the upgrade", &format!("{RESETS} upgrades and resets"), &seen, bound);
        victim.recovers(client).await;
    });
}

/// Resets before the answer has come, right behind it, or once it has the ID.
async fn upgrade_and_reset(address: SocketAddr, index: usize) {
    let mut stream = TcpStream::connect(address).await.expect("it listens");
    match index % 3 {
        0 => stream.write_all(request("/", "").as_bytes()).await.expect("it listens"),
        1 => drop(ask(&mut stream, "").await.expect("it answers")),
        _ => drop(name(&mut stream).await),
    }
    reset(stream);
}

fn reset(stream: TcpStream) {
    SockRef::from(&stream).set_linger(Some(Duration::ZERO)).expect("it is a TCP socket");
}
