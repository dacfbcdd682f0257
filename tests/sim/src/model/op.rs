//! What can happen to a pool, and how to read it from bytes.

use core::time::Duration;

use npws_core::{CloseReason, PeerHeader};

use super::ms;

/// One thing that happens to a pool.
///
/// Numbers that name a connection, a waiter or a handshake count, up to 199, those that are there, and from 200 on all
/// that ever were: so most reports are of something that exists, and some are late or repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Op {
    /// `take` by one of few IDs.
    Take {
        /// The ID's last byte.
        id: u8,
        /// How long to wait.
        timeout: Duration,
    },
    /// `take_next`.
    TakeNext {
        /// How long to wait.
        timeout: Duration,
    },
    /// `accept`.
    Accept {
        /// How long to wait.
        timeout: Duration,
    },
    /// `handle_stale`.
    Stale(u8),
    /// `handle_proved`.
    Proved(u8),
    /// `handle_dead_on_take`.
    DeadOnTake(u8, CloseReason),
    /// `handle_round_trip`.
    RoundTrip(Duration),
    /// `complete`.
    Complete(u8),
    /// `cancel`.
    Cancel(u8),
    /// `handle_closed`.
    Closed(u8, CloseReason),
    /// `handle_claimed`.
    Claimed(u8),
    /// `handle_retained`.
    Retained(u8),
    /// `handle_released`.
    Released(u8),
    /// `flush`.
    Flush,
    /// `drain`.
    Drain(Duration),
    /// `close`.
    Close,
    /// Time passes and `handle_timeout` is called.
    Wait(Duration),
    /// Time passes and the driver is late with `handle_timeout`.
    Late(Duration),
    /// A handshake ends with a connection.
    Arrive {
        /// Which handshake.
        handshake: u8,
        /// The last byte of the ID that a client is told.
        id: u8,
        /// What the peer says of itself.
        peer: PeerHeader,
    },
    /// A handshake fails.
    Fail(u8),
    /// `hold_dials` of a client.
    Hold,
    /// `resume_dials` of a client.
    Resume,
    /// `probe` of a client.
    Probe,
    /// `resize` of a client to so many.
    Resize(u8),
    /// A server is asked for a connection; on a client time passes.
    Incoming {
        /// Whether it comes from an address that is allowed.
        allowed: bool,
    },
    /// A server's handshake got through TLS; on a client time passes.
    Secured(u8),
    /// A server's handshake brought its request; on a client time passes.
    Request {
        /// Which handshake.
        handshake: u8,
        /// Whether it names the right path.
        path: bool,
        /// Whether it asks for an upgrade.
        upgrade: Upgrade,
        /// What the peer says of itself.
        peer: PeerHeader,
    },
}

/// What the head of a request says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Upgrade {
    /// It asks for an upgrade in good form.
    Asked,
    /// It asks for none.
    Missing,
    /// Not even HTTP.
    Malformed,
}

impl Op {
    /// What these four bytes stand for. Every four bytes are something.
    ///
    /// ```
    /// use npws_sim::model::Op;
    /// assert_eq!(Op::from_bytes([0, 3, 0, 0]), Op::Take { id: 3, timeout: std::time::Duration::ZERO });
    /// ```
    #[must_use]
    pub fn from_bytes([kind, a, b, c]: [u8; 4]) -> Self {
        match kind % 80 {
            0..=7 => Self::Take { id: a % 16, timeout: timeout(b) },
            8..=15 => Self::TakeNext { timeout: timeout(b) },
            16..=20 => Self::Complete(a),
            21..=22 => Self::Cancel(a),
            23..=25 => Self::Closed(a, reason(b)),
            26..=27 => Self::Claimed(a),
            28..=29 => Self::Retained(a),
            30..=31 => Self::Released(a),
            32 if a < 128 => Self::Flush,
            33 if a < 32 => Self::Drain(timeout(b)),
            34 if a < 8 => Self::Close,
            35 if a >= 192 => Self::Hold,
            36 if a >= 192 => Self::Resume,
            37 if a >= 192 => Self::Probe,
            38 if a >= 192 => Self::Resize(1 + b % 8),
            32..=38 => Self::Wait(ms(u64::from(b) * 2)),
            39 => Self::Late(ms(u64::from(b))),
            40..=50 => Self::Arrive { handshake: a, id: b % 16, peer: peer(c) },
            51..=53 => Self::Fail(a),
            54..=57 => Self::Incoming { allowed: a < 230 },
            58 => Self::Secured(a),
            59..=63 => Self::Request { handshake: a, path: b < 230, upgrade: upgrade(c), peer: peer(b) },
            64..=67 => Self::Accept { timeout: timeout(b) },
            68..=72 => Self::Stale(a),
            73..=76 => Self::Proved(a),
            77..=78 => Self::DeadOnTake(a, reason(b)),
            _ => Self::RoundTrip(ms(u64::from(a) * u64::from(b))),
        }
    }

    /// What these bytes stand for, four at a time.
    ///
    /// ```
    /// assert_eq!(npws_sim::model::Op::read(&[0; 9]).count(), 2);
    /// ```
    pub fn read(data: &[u8]) -> impl Iterator<Item = Self> + '_ {
        data.as_chunks().0.iter().map(|bytes| Self::from_bytes(*bytes))
    }
}

fn peer(byte: u8) -> PeerHeader {
    PeerHeader::from_header([None, Some("2"), Some("2; open"), Some("2; open")][usize::from(byte % 4)])
}

fn timeout(byte: u8) -> Duration {
    match byte {
        0..=63 => Duration::ZERO,
        255 => Duration::MAX,
        _ => ms(u64::from(byte) * 2),
    }
}

fn reason(byte: u8) -> CloseReason {
    match byte % 8 {
        0 => CloseReason::TransportFailed,
        1 => CloseReason::KeepaliveTimeout,
        2 => CloseReason::IdleAge,
        3 => CloseReason::PeerDrained,
        _ => CloseReason::PeerClosed(Some(1000 + u16::from(byte % 2))),
    }
}

fn upgrade(byte: u8) -> Upgrade {
    match byte {
        0..=229 => Upgrade::Asked,
        230..=242 => Upgrade::Missing,
        _ => Upgrade::Malformed,
    }
}
