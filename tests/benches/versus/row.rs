//! The rows of the table: who is measured, by what, and what it has to reach.

/// The original's behaviour, in Go.
pub(crate) const GO: &str = "go";
/// `npws-tunnel`, over wss.
pub(crate) const TUNNEL: &str = "npws/tunnel";
/// Another reverse tunnel, in the clear.
pub(crate) const RATHOLE: &str = "rathole";
/// No tunnel at all.
pub(crate) const DIRECT: &str = "direct";

/// What a figure of ours is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Against {
    /// The original's behaviour.
    Go,
    /// The same runtime's TCP or rustls stream, without a pool or a WebSocket.
    Raw,
    Player(&'static str),
    /// Nothing: the value itself is judged.
    Itself,
}

/// How many times better it has to be, or the value that it may not pass.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bound {
    pub(crate) against: Against,
    pub(crate) limit: f64,
}

const fn go(limit: f64) -> Option<Bound> {
    Some(Bound { against: Against::Go, limit })
}

const fn raw(limit: f64) -> Option<Bound> {
    Some(Bound { against: Against::Raw, limit })
}

const fn itself(limit: f64) -> Option<Bound> {
    Some(Bound { against: Against::Itself, limit })
}

/// One figure of a row.
#[derive(Debug)]
pub(crate) struct Figure {
    pub(crate) name: &'static str,
    pub(crate) unit: &'static str,
    pub(crate) more_is_better: bool,
    pub(crate) must: Option<Bound>,
    pub(crate) goal: Option<Bound>,
}

/// Who measures a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Players {
    /// Ours on each runtime, and the original.
    Pools,
    /// And the runtimes' own streams.
    Streams,
    Named(&'static [&'static str]),
}

/// One run of a child measures all figures of a row.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) what: &'static str,
    pub(crate) figures: Vec<Figure>,
    /// Most of a run is waiting: the players run at the same time, and a repetition costs no more than one.
    pub(crate) is_idle: bool,
    players: Players,
}

impl Row {
    /// In the order in which they take turns. Ours are called `npws/…`.
    pub(crate) fn players(&self) -> Vec<&'static str> {
        match self.players {
            Players::Pools => vec!["npws/tokio", "npws/smol", "npws/async-std", GO],
            Players::Streams => {
                vec!["npws/tokio", "raw/tokio", "npws/smol", "raw/smol", "npws/async-std", "raw/async-std", GO]
            }
            Players::Named(names) => names.to_vec(),
        }
    }

    /// All that `ours` is compared with.
    pub(crate) fn peers(&self, ours: &str) -> Vec<&'static str> {
        let runtime = ours.strip_prefix("npws/");
        let is_peer = |name: &str| match name.strip_prefix("raw/") {
            Some(other) => runtime == Some(other),
            None => !name.starts_with("npws/"),
        };
        self.players().into_iter().filter(|name| is_peer(name)).collect()
    }
}

/// The peer that a bound of `ours` means.
pub(crate) fn peer_of(against: Against, ours: &str) -> Option<String> {
    match against {
        Against::Go => Some(GO.to_owned()),
        Against::Raw => Some(ours.replacen("npws/", "raw/", 1)),
        Against::Player(name) => Some(name.to_owned()),
        Against::Itself => None,
    }
}

fn more(name: &'static str, unit: &'static str, must: Option<Bound>, goal: Option<Bound>) -> Figure {
    Figure { name, unit, more_is_better: true, must, goal }
}

fn less(name: &'static str, unit: &'static str, must: Option<Bound>, goal: Option<Bound>) -> Figure {
    Figure { name, unit, more_is_better: false, must, goal }
}

fn row(name: &'static str, what: &'static str, players: Players, figures: Vec<Figure>) -> Row {
    Row { name, what, figures, is_idle: name.starts_with("idle"), players }
}

fn setup(must: f64, goal: f64) -> Vec<Figure> {
    vec![more("rate", "1/s", go(must), go(goal)), less("cpu", "us", go(1.0), go(goal))]
}

fn stream() -> Vec<Figure> {
    let up = |name| more(name, "MiB/s", go(1.2), raw(0.95));
    let down = |name| more(name, "MiB/s", go(1.0), raw(0.95));
    vec![up("up/1KiB"), up("up/32KiB"), up("up/1MiB"), down("down/1KiB"), down("down/32KiB"), down("down/1MiB")]
}

fn echo() -> Vec<Figure> {
    let figure = |name| less(name, "us", go(1.0), raw(1.0 / 1.1));
    vec![figure("1B/p50"), figure("1B/p99"), figure("1KiB/p50"), figure("1KiB/p99")]
}

fn idle(must: f64, goal: f64) -> Vec<Figure> {
    vec![less("memory", "KiB", itself(must), itself(goal))]
}

fn machine() -> Vec<Figure> {
    let small = Some(Bound { against: Against::Player("core@1,000"), limit: 1.0 / 3.0 });
    vec![less("take", "ns", small, itself(300.0)), less("arrive", "ns", small, itself(300.0))]
}

fn tunnel() -> Vec<Figure> {
    let above = Some(Bound { against: Against::Player(RATHOLE), limit: 1.0 });
    vec![
        more("connects", "1/s", None, above),
        less("connects/p99", "us", None, None),
        more("requests", "1/s", None, above),
        less("requests/p99", "us", None, None),
        more("bulk/down", "MiB/s", None, above),
        more("bulk/up", "MiB/s", None, above),
    ]
}

/// All rows, in the order of the table.
pub(crate) fn all() -> Vec<Row> {
    use Players::{Named, Pools, Streams};
    let take = vec![less("p50", "us", go(1.0), itself(1.0)), less("p99", "us", None, itself(10.0))];
    let fresh = vec![less("p50", "us", go(1.0), None), less("p99", "us", go(100.0), None)];
    let wake = vec![less("p50", "us", go(1.0), itself(100.0)), less("p99", "us", go(100.0), itself(100.0))];
    let share = vec![less("share", "%", itself(2.0), itself(0.5))];
    vec![
        row("setup-tls", "2,000 connections at once, full TLS handshakes", Pools, setup(1.5, 2.5)),
        row(
            "setup-resume",
            "2,000 connections at once, TLS as users get it: resumed, where that is had",
            Pools,
            setup(2.0, 4.0),
        ),
        row("setup-plain", "2,000 connections at once, without TLS", Pools, setup(1.0, 2.0)),
        row("take", "take by ID of an idle connection", Pools, take),
        row("take-fresh", "take by ID right after the other end took it, as pools of 64 refill", Pools, fresh),
        row("wake", "a waiting take, from the ID on the wire", Pools, wake),
        row("stream-plain", "throughput of one connection, by size of the writes", Streams, stream()),
        row("stream-tls", "throughput of one connection over TLS, by size of the writes", Streams, stream()),
        row("echo-plain", "round trip of a message", Streams, echo()),
        row("echo-tls", "round trip of a message over TLS", Streams, echo()),
        row("idle-plain", "growth of memory for each of 5,000 idle pairs, after 10 s", Pools, idle(20.0, 8.0)),
        row("idle-tls", "growth of memory for each of 5,000 idle pairs over TLS, after 10 s", Pools, idle(40.0, 24.0)),
        row("idle-cpu", "CPU of 5,000 idle pairs over TLS with a keepalive of 30 s", Pools, share),
        row(
            "machine",
            "a step of core's machine, and of two hash tables alone",
            Named(&["npws/core@100,000", "core@1,000", "HashMap@100,000", "HashMap@1,000"]),
            machine(),
        ),
        row(
            "registry",
            "taking one of 1,000 and putting one in, with the lock",
            Named(&["npws/core", "bb8", "deadpool", "dashmap", "crossbeam"]),
            vec![less("pair", "ns", None, None)],
        ),
        row(
            "tunnel",
            "HTTP through a reverse tunnel: 16 users who come and go, 8 who stay, one transfer",
            Named(&[TUNNEL, RATHOLE, DIRECT]),
            tunnel(),
        ),
    ]
}
