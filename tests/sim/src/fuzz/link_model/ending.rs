//! How the peer ends it.

use npws_core::{CloseReason, Instant, LinkOutput};

use super::Model;

impl Model {
    pub(super) fn peer_close(&mut self, now: Instant, code: Option<u16>) {
        self.alive(now);
        let reason = CloseReason::PeerClosed(code);
        let clean = matches!(code, None | Some(1000 | 1001 | 1005));
        if clean && self.claimed && !self.taken {
            self.retain(reason);
        } else if clean && self.drain_due.is_some() {
            self.close(None, CloseReason::Drained);
        } else {
            self.close(None, reason);
        }
    }

    /// Who said `fin` and went has sent all of it.
    pub(super) fn lose(&mut self, reason: CloseReason) {
        if self.fin_heard && self.claimed && !self.taken {
            self.retain(reason);
        } else {
            self.close(None, reason);
        }
    }

    fn retain(&mut self, reason: CloseReason) {
        self.end = Some(reason);
        self.outputs.push(LinkOutput::Retained(reason));
    }
}
