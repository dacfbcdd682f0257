//! Throughput of one connection.

use std::time::Instant;

use futures::{AsyncReadExt, AsyncWriteExt};
use npws_tests::testbed::{Testbed, spawn};

use super::link::{Io, open};
use crate::figures::report;
use crate::usage;

const MIB: usize = 1 << 20;
/// The name of a write's size, the size, and how much is sent in all.
const SIZES: [(&str, usize, usize); 3] =
    [("1KiB", 1 << 10, 32 * MIB), ("32KiB", 32 << 10, 128 * MIB), ("1MiB", MIB, 128 * MIB)];
const READ: usize = 64 << 10;

pub(super) async fn run<R: Testbed>(is_raw: bool, is_tls: bool) {
    for direction in ["up", "down"] {
        let (accepted, dialed) = open::<R>(is_raw, is_tls).await;
        let (mut from, mut to) = if direction == "up" { (dialed, accepted) } else { (accepted, dialed) };
        for (name, size, total) in SIZES {
            (from, to) = send::<R>(from, to, size, total / 8).await;
            let (begin, cpu) = (Instant::now(), usage::cpu());
            (from, to) = send::<R>(from, to, size, total).await;
            let rate = total as f64 / MIB as f64 / begin.elapsed().as_secs_f64();
            report(format_args!("{direction}/{name}"), rate, (usage::cpu() - cpu).as_secs_f64());
        }
    }
}

async fn send<R: Testbed>(
    mut from: Box<dyn Io>,
    mut to: Box<dyn Io>,
    size: usize,
    total: usize,
) -> (Box<dyn Io>, Box<dyn Io>) {
    let sender = spawn::<R, _>(async move {
        let data = vec![0x5a; size];
        for _ in 0..total / size {
            from.write_all(&data).await.expect("the peer reads");
        }
        from.flush().await.expect("the peer reads");
        from
    });
    let receiver = spawn::<R, _>(async move {
        let mut buffer = vec![0; READ];
        let mut left = total;
        while left > 0 {
            let n = to.read(&mut buffer).await.expect("the peer sends");
            assert!(n > 0, "{left} bytes are missing");
            left -= n;
        }
        to
    });
    (sender.join().await, receiver.join().await)
}
