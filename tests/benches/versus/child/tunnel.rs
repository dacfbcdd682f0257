//! A reverse tunnel: both its ends as processes of their own, and here the users and the target.

mod ends;
mod http;

use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use self::ends::Ends;
use self::http::User;
use super::echo::percentile_of;
use crate::figures::report;

const WARM_UP: Duration = Duration::from_millis(300);
const WINDOW: Duration = Duration::from_millis(1500);
/// Users at a time who each make one request and go.
const COMERS: usize = 16;
/// Users who stay, and make one request after the other.
const STAYERS: usize = 8;
const MIB: usize = 1 << 20;
const BULK: usize = 256 * MIB;

pub(super) fn run(player: &str) {
    let target = http::serve();
    let ends = Ends::start(player, target);
    let address = ends.public();
    ready(address);
    measure("connects", &ends, COMERS, |until| {
        repeat(until, || User::connect(address).and_then(User::ask_once).expect("the target answers"))
    });
    measure("requests", &ends, STAYERS, |until| {
        let mut user = User::connect(address).expect("it is open");
        repeat(until, || user.ask().expect("the target answers"))
    });
    for (name, carry) in [("bulk/down", User::download as fn(&mut User, usize) -> _), ("bulk/up", User::upload)] {
        let mut user = User::connect(address).expect("it is open");
        carry(&mut user, BULK / 8).expect("the target answers");
        let (begin, cpu) = (Instant::now(), ends.cpu());
        carry(&mut user, BULK).expect("the target answers");
        let rate = (BULK / MIB) as f64 / begin.elapsed().as_secs_f64();
        report(name, rate, (ends.cpu() - cpu).as_secs_f64());
    }
    if let Some(peak) = ends.peak_kib() {
        report("peak", peak, 0.0);
    }
}

/// Waits until the tunnel carries something.
fn ready(address: SocketAddr) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while let Err(error) = User::connect(address).and_then(User::ask_once) {
        assert!(Instant::now() < deadline, "the tunnel does not work: {error}");
        thread::sleep(Duration::from_millis(10));
    }
}

/// When one request began and ended.
type Request = (Instant, Instant);

/// Reports how many requests `users` at a time make each second, and how long the slowest hundredth takes.
fn measure(name: &str, ends: &Ends, users: usize, user: impl Fn(Instant) -> Vec<Request> + Sync) {
    let begin = Instant::now() + WARM_UP;
    let end = begin + WINDOW;
    let (requests, cpu) = thread::scope(|scope| {
        let users: Vec<_> = (0..users).map(|_| scope.spawn(|| user(end))).collect();
        thread::sleep(WARM_UP);
        let cpu = ends.cpu();
        thread::sleep(end.saturating_duration_since(Instant::now()));
        let cpu = (ends.cpu() - cpu).as_secs_f64();
        let requests: Vec<Request> = users.into_iter().flat_map(|user| user.join().expect("it ends")).collect();
        (requests, cpu)
    });
    let measured = requests.iter().filter(|(_, ended)| (begin..end).contains(ended));
    let mut micros: Vec<f64> = measured.map(|(began, ended)| (*ended - *began).as_secs_f64() * 1e6).collect();
    report(name, micros.len() as f64 / WINDOW.as_secs_f64(), cpu);
    report(format_args!("{name}/p99"), percentile_of(&mut micros, 99.0), cpu);
}

fn repeat(until: Instant, mut request: impl FnMut()) -> Vec<Request> {
    let mut requests = Vec::new();
    loop {
        let began = Instant::now();
        if began >= until {
            return requests;
        }
        request();
        requests.push((began, Instant::now()));
    }
}
