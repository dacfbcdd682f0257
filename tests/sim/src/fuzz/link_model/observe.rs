//! What the model's facts let one see of the link.

use core::time::Duration;

use npws_core::{Instant, Link, PeerGeneration};

use super::Model;

impl Model {
    fn unread(&self) -> &[u8] {
        self.received.get(self.id_length().max(self.read)..).unwrap_or_default()
    }

    /// The times between which the link's timer may stand.
    fn timer(&self) -> Option<(Instant, Instant)> {
        let jittered = |since: Instant, most: Duration| (since + most * 9 / 10, since + most);
        if self.end.is_some() {
            return None;
        }
        if !self.established {
            return Some((self.id_deadline, self.id_deadline));
        }
        if let Some(due) = self.drain_due {
            return Some((due, due));
        }
        let ping = match (self.pinged, self.config.keepalive) {
            (Some(pinged), _) => Some((pinged + self.config.pong_timeout, pinged + self.config.pong_timeout)),
            (None, _) if self.ping_due.is_some() => self.ping_due.map(|due| (due, due)),
            (None, Some(keepalive)) if self.pings() => Some(jittered(self.quiet_since, keepalive)),
            _ => None,
        };
        let age = self.age_limit().filter(|_| self.is_idle()).map(|age| jittered(self.established_at, age));
        match (ping, age) {
            (Some(ping), Some(age)) => Some((ping.0.min(age.0), ping.1.min(age.1))),
            (one, other) => one.or(other),
        }
    }

    fn age_limit(&self) -> Option<Duration> {
        self.config.max_idle_age.filter(|_| self.peer == PeerGeneration::V2)
    }

    /// Its own age may end the link from 90 % of the limit on, and must at the limit.
    pub(super) fn check_age(&self, now: Instant, aged: bool) {
        let limit = self.age_limit().filter(|_| self.is_idle());
        assert!(!aged || limit.is_some_and(|limit| self.established_at + limit * 9 / 10 <= now));
        assert!(aged || limit.is_none_or(|limit| now < self.established_at + limit));
    }

    /// Compares all that a link shows.
    pub(in crate::fuzz) fn check(&self, now: Instant, link: &Link<Vec<u8>>) {
        assert_eq!(link.peer(), self.peer);
        assert_eq!(link.id(), self.established.then_some(self.id));
        assert_eq!(link.end(), self.end);
        assert_eq!(link.last_alive(), self.last_alive);
        assert_eq!(link.is_claimed(), self.claimed && self.end.is_none());
        assert_eq!(link.is_finished_by_peer(), self.fin_heard);
        assert_eq!(link.round_trip(), self.round_trip);
        let (v2, silent) = (self.peer == PeerGeneration::V2, now - self.last_alive.unwrap_or_default());
        let longest = self.config.keepalive.map(|keepalive| keepalive + self.config.pong_timeout);
        assert_eq!(link.is_stale(now, silent), v2 && longest.is_some_and(|longest| silent > longest));
        let moment = Duration::from_nanos(1);
        if silent >= moment {
            assert_eq!(link.is_stale(now, silent - moment), v2);
        }
        self.check_timer(link.poll_timeout());

        let unread = self.unread();
        assert_eq!(link.buffered(), unread.len());
        match link.chunk() {
            None => assert_eq!(unread, []),
            Some(chunk) => assert!(!chunk.is_empty() && unread.starts_with(chunk), "{chunk:?} of {unread:?}"),
        }
        assert_eq!(link.accepts_input(), self.accepts_input());
    }

    fn check_timer(&self, timer: Option<Instant>) {
        let window = self.timer();
        assert_eq!(timer.is_some(), window.is_some(), "{timer:?} against {window:?}");
        if let (Some(timer), Some((earliest, latest))) = (timer, window) {
            assert!(earliest <= timer && timer <= latest, "{timer} is not in {earliest}..={latest}");
        }
    }

    fn accepts_input(&self) -> bool {
        let unread = self.unread().len();
        // What it costs to hold a message counts too.
        let start = self.received.len() - unread;
        let messages = self.borders.iter().filter(|border| **border > start).count();
        let cost = unread + messages * size_of::<Vec<u8>>();
        self.end.is_none() && (!self.established || self.taken || unread == 0 || cost < self.config.early_data_limit)
    }

    /// How long a peer that says nothing more can still be thought to be there; `None` if for ever.
    pub(in crate::fuzz) fn patience(&self) -> Option<Duration> {
        let answers = self.is_idle() && self.expects_answers();
        self.config.keepalive.filter(|_| answers).map(|keepalive| keepalive + self.config.pong_timeout)
    }
}
