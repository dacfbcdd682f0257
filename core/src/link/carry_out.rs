//! The table's decisions, carried out.

use super::table::{Action, Input, Phase, decide};
use super::{ControlWord, Link, LinkMessage, LinkOutput};
use crate::{CloseReason, ConnectionId, Instant};

impl<B: AsRef<[u8]>> Link<B> {
    pub(super) fn apply(&mut self, now: Instant, input: Input) {
        self.carry_out(now, decide(self.state, input));
    }

    pub(super) fn carry_out(&mut self, now: Instant, action: Action) {
        match action {
            Action::Ignore | Action::CollectId => {}
            Action::Enter(phase) => self.enter(now, phase),
            Action::Say(word, phase) => {
                self.send(LinkMessage::Word(word));
                self.state.fin_sent |= word == ControlWord::Fin;
                self.enter(now, phase);
            }
            Action::Probe => {
                if self.keepalive.probe(now) {
                    self.send(LinkMessage::Ping);
                }
            }
            Action::Retain(reason) => self.end_with(now, reason, LinkOutput::Retained(reason)),
            Action::End(messages, reason) => self.say_and_end(now, messages, reason),
            Action::Refuse(messages, reason) => {
                self.stream.clear();
                self.say_and_end(now, messages, reason);
            }
        }
    }

    pub(super) fn establish(&mut self, now: Instant, id: ConnectionId) {
        self.id = Some(id);
        self.enter(now, Phase::Idle);
        self.outputs.push_back(LinkOutput::Established(id));
    }

    /// What a phase begins with.
    pub(super) fn enter(&mut self, now: Instant, phase: Phase) {
        if phase == self.state.phase {
            return;
        }
        self.state.phase = phase;
        self.deadline = None;
        match phase {
            Phase::AwaitingId => {}
            Phase::Idle => {
                self.deadline = self.max_idle_age.map(|age| now + self.keepalive.jittered(age));
                self.keepalive.start(now);
            }
            Phase::Draining => {
                self.deadline = Some(self.keepalive.answer_deadline(now));
                self.keepalive.stop();
            }
            Phase::Claimed => {
                self.keepalive.suspend_deadline(now);
                self.outputs.push_back(LinkOutput::Claimed);
            }
            Phase::Announced | Phase::Taken | Phase::Shared | Phase::Over => self.keepalive.stop(),
        }
    }

    fn say_and_end(&mut self, now: Instant, messages: &[LinkMessage], reason: CloseReason) {
        for message in messages {
            self.send(*message);
        }
        if reason == CloseReason::Finished {
            (self.state.fin_sent, self.state.fin_received) = (true, true);
        }
        self.end_with(now, reason, LinkOutput::Closed(reason));
    }

    fn end_with(&mut self, now: Instant, reason: CloseReason, news: LinkOutput) {
        mutation!(RetainedDataDropped => if news == LinkOutput::Retained(reason) { self.stream.clear() });
        self.enter(now, Phase::Over);
        self.end = Some(reason);
        self.outputs.push_back(news);
    }

    pub(super) fn send(&mut self, message: LinkMessage) {
        self.outputs.push_back(LinkOutput::Send(message));
    }
}
