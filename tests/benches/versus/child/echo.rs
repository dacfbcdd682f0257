//! Round trips of small messages.

use std::time::{Duration, Instant};

use futures::{AsyncReadExt, AsyncWriteExt};
use npws_tests::testbed::{Testbed, spawn};

use super::link::open;
use crate::figures::{percentile, report};
use crate::usage;

const WARM_UP: usize = 500;
const TRIPS: usize = 5000;

pub(super) async fn run<R: Testbed>(is_raw: bool, is_tls: bool) {
    for (name, size) in [("1B/", 1), ("1KiB/", 1024)] {
        let (mut accepted, mut dialed) = open::<R>(is_raw, is_tls).await;
        let echo = spawn::<R, _>(async move {
            let mut message = vec![0; size];
            for _ in 0..WARM_UP + TRIPS {
                accepted.read_exact(&mut message).await.expect("the peer sends");
                accepted.write_all(&message).await.expect("the peer reads");
                accepted.flush().await.expect("the peer reads");
            }
            accepted
        });
        let cpu = usage::cpu();
        let trips = spawn::<R, _>(async move {
            let mut message = vec![7; size];
            let mut micros = Vec::with_capacity(WARM_UP + TRIPS);
            for _ in 0..WARM_UP + TRIPS {
                let begin = Instant::now();
                dialed.write_all(&message).await.expect("the peer reads");
                dialed.flush().await.expect("the peer reads");
                dialed.read_exact(&mut message).await.expect("the peer answers");
                micros.push(begin.elapsed().as_secs_f64() * 1e6);
            }
            (dialed, micros)
        });
        let (_dialed, mut micros) = trips.join().await;
        report_percentiles(name, &mut micros.split_off(WARM_UP), usage::cpu() - cpu);
        drop(echo.join().await);
    }
}

/// Reports the median and the 99th percentile.
pub(super) fn report_percentiles(prefix: &str, values: &mut [f64], cpu: Duration) {
    for (name, percent) in [("p50", 50.0), ("p99", 99.0)] {
        report(format_args!("{prefix}{name}"), percentile_of(values, percent), cpu.as_secs_f64());
    }
}

/// Of values in any order.
pub(super) fn percentile_of(values: &mut [f64], percent: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    percentile(values, percent)
}
