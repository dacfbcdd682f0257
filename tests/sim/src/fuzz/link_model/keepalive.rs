//! Pings, what answers them, and what is too old to do so.

use npws_core::{Instant, LinkMessage, LinkOutput};

use super::Model;

impl Model {
    pub(super) fn alive(&mut self, now: Instant) {
        if self.late {
            if let Some(pinged) = self.pinged.take() {
                self.ping_due = Some(pinged + self.config.pong_timeout);
            }
            return;
        }
        self.last_alive = Some(now);
        self.quiet_since = now;
        self.ping_due = None;
        self.pinged = self.pinged.filter(|_| self.probed).map(|_| now);
    }

    pub(super) fn pong(&mut self, now: Instant) {
        self.alive(now);
        if self.late {
            return self.pings_under_way.clear();
        }
        self.pinged = None;
        if std::mem::take(&mut self.probed) {
            self.outputs.push(LinkOutput::Proved);
        }
        if let [sent] = self.pings_under_way[..] {
            self.round_trip = Some(now - sent);
            self.outputs.push(LinkOutput::RoundTrip(now - sent));
        }
        self.pings_under_way.clear();
    }

    pub(super) fn suspend(&mut self, now: Instant) {
        if self.expects_answers() {
            self.quiet_since = now;
        }
        self.suspended = true;
        self.stop();
    }

    /// No answer is waited for any more.
    pub(super) fn stop(&mut self) {
        self.ping_due = None;
        self.pinged = None;
        self.probed = false;
        self.pings_under_way.clear();
    }

    pub(super) fn ping(&mut self, now: Instant) {
        self.outputs.push(LinkOutput::Send(LinkMessage::Ping));
        self.quiet_since = now;
        self.ping_due = None;
        if self.expects_answers() {
            self.pinged = Some(now);
            self.pings_under_way.push(now);
        } else {
            self.unanswered_pings += 1;
        }
    }
}
