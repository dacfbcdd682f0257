//! Two links with a network between them, through every order in which their users and the network can act.

use alloc::collections::{BTreeSet, VecDeque};
use alloc::format;
use alloc::string::String;

use super::*;
use crate::link::table::Phase;

/// How many things each user does at most.
const DEEDS: usize = 4;

#[derive(Debug, Clone, Copy, PartialEq)]
enum Deed {
    Announce,
    Take,
    Write,
    Finish,
    Drain,
    Close,
    /// Time runs out for the answer to `drain`.
    Expire,
}

const ALL: [Deed; 7] = [Deed::Announce, Deed::Take, Deed::Write, Deed::Finish, Deed::Drain, Deed::Close, Deed::Expire];

#[derive(Debug, Clone)]
enum Message {
    Data(u8),
    Word(ControlWord),
    Close(u16),
}

/// One link and its user, who reads whatever there is as soon as the connection is theirs.
#[derive(Clone)]
struct End {
    link: Link<Vec<u8>>,
    deeds: usize,
    /// Whether a user has got the connection.
    has: bool,
    has_announced: bool,
    finished: bool,
    written: Vec<u8>,
    read: Vec<u8>,
    claims: usize,
    verdict: Option<LinkOutput>,
    /// How many bytes had come when the end of the stream did.
    eof: Option<usize>,
    incoming: VecDeque<Message>,
}

impl End {
    fn new() -> Self {
        let config = LinkConfig { keepalive: None, ..LinkConfig::default() };
        Self {
            link: server_with(config, PeerGeneration::V2),
            deeds: 0,
            has: false,
            has_announced: false,
            finished: false,
            written: Vec::new(),
            read: Vec::new(),
            claims: 0,
            verdict: None,
            eof: None,
            incoming: VecDeque::new(),
        }
    }

    fn phase(&self) -> Phase {
        self.link.state.phase
    }

    fn is_alive(&self) -> bool {
        self.link.end().is_none()
    }

    fn is_retained(&self) -> bool {
        matches!(self.verdict, Some(LinkOutput::Retained(_)))
    }

    fn can(&self, deed: Deed) -> bool {
        match deed {
            Deed::Announce => !self.has && self.is_alive(),
            Deed::Take => !self.has && (self.is_alive() || self.is_retained()),
            Deed::Write | Deed::Finish => self.has && !self.finished && self.is_alive(),
            Deed::Drain | Deed::Close => self.is_alive(),
            Deed::Expire => self.phase() == Phase::Draining,
        }
    }

    /// Gives what goes to the other end.
    fn act(&mut self, deed: Deed) -> Vec<Message> {
        let mut sent = Vec::new();
        match deed {
            Deed::Announce => {
                self.link.announce(at(1));
                self.has = self.is_alive();
                self.has_announced = true;
            }
            Deed::Take => {
                self.link.take(at(1));
                self.has = self.is_alive() || self.is_retained();
            }
            Deed::Write => {
                let byte = u8::try_from(self.written.len()).unwrap();
                self.written.push(byte);
                sent.push(Message::Data(byte));
            }
            Deed::Finish => {
                assert!(self.link.finish(at(1)));
                self.finished = true;
            }
            Deed::Drain => self.link.drain(at(1)),
            Deed::Close => {
                let reason = if self.has { CloseReason::ClosedLocally } else { CloseReason::Flushed };
                self.link.close(at(1), reason);
            }
            Deed::Expire => self.link.handle_timeout(at(100)),
        }
        sent.extend(self.settle());
        sent
    }

    fn receive(&mut self, message: Message) -> Vec<Message> {
        match message {
            Message::Data(byte) => self.link.handle_binary(at(1), vec![byte]),
            Message::Word(word) => self.link.handle_text(at(1), word.as_str()),
            Message::Close(code) => self.link.handle_close(at(1), Some(code)),
        }
        self.settle()
    }

    /// Carries out what the link says, lets the user read, and checks what must hold of one end alone.
    fn settle(&mut self) -> Vec<Message> {
        let mut sent = Vec::new();
        for output in outputs(&mut self.link) {
            match output {
                LinkOutput::Send(LinkMessage::Word(word)) => sent.push(Message::Word(word)),
                LinkOutput::Send(LinkMessage::Close { code }) => sent.push(Message::Close(code)),
                LinkOutput::Claimed => self.claims += 1,
                LinkOutput::Retained(_) | LinkOutput::Closed(_) => {
                    assert_eq!(self.verdict.replace(output), None, "a second verdict");
                }
                other => panic!("{other:?} is not expected here"),
            }
        }
        assert_eq!(self.verdict.is_some(), !self.is_alive());
        assert!(self.claims <= 1);
        if self.has {
            self.read.extend(read_all(&mut self.link));
        }
        let end = self.link.end();
        assert!(!matches!(end, Some(CloseReason::Violation(_) | CloseReason::KeepaliveTimeout)), "{end:?}");
        let is_eof = self.link.is_finished_by_peer() || end.is_some_and(CloseReason::is_end_of_stream);
        let come = self.read.len() + self.link.buffered();
        match self.eof {
            None => self.eof = is_eof.then_some(come),
            Some(at_eof) => {
                assert!(is_eof, "the end of the stream was taken back");
                assert!(come <= at_eof, "data after the end of the stream");
            }
        }
        sent
    }

    fn received(&self) -> Vec<u8> {
        let mut all = self.read.clone();
        all.extend(read_all(&mut self.link.clone()));
        all
    }

    fn fingerprint(&self) -> String {
        format!(
            "{:?} {} {} {} {} {:?} {:?} {:?} {:?} {:?}",
            self.link.state,
            self.deeds,
            self.has,
            self.has_announced,
            self.finished,
            self.written,
            self.received(),
            self.verdict,
            self.eof,
            self.incoming,
        )
    }
}

/// What must hold of two ends at every moment.
fn check(ends: &[End; 2]) {
    for (one, other) in [(&ends[0], &ends[1]), (&ends[1], &ends[0])] {
        assert!(other.written.starts_with(&one.received()), "bytes from nowhere or out of order");
        if one.link.end().is_some_and(CloseReason::is_safe_to_retry) {
            assert!(other.read.is_empty() && one.read.is_empty(), "safe to retry, but somebody has seen it");
        }
    }
}

/// What must hold when all that was sent has arrived.
fn check_quiet(ends: &[End; 2]) {
    assert_eq!(ends[0].is_alive(), ends[1].is_alive(), "one end goes on without the other");
    let is_over_for = |reason| ends.iter().any(|end| end.link.end() == Some(reason));
    assert!(ends.iter().all(End::is_alive) || !ends.iter().any(|end| end.phase() == Phase::Draining));
    if ends.iter().all(|end| end.has_announced) {
        assert!(!ends[0].is_alive(), "both users keep it");
    }
    for (one, other) in [(&ends[0], &ends[1]), (&ends[1], &ends[0])] {
        match one.link.end() {
            None => {
                assert_eq!(one.received(), other.written);
                assert_eq!(one.link.is_finished_by_peer(), other.finished);
                assert!(!(one.finished && other.finished), "nobody closed");
                if one.has_announced {
                    assert!(other.link.is_claimed(), "nobody can accept it");
                }
            }
            Some(CloseReason::PeerClosed(code)) => {
                assert_eq!(code, Some(1000));
                assert_eq!(other.link.end(), Some(CloseReason::ClosedLocally));
                assert!(other.has, "a user reads the end of a stream that nobody served");
                assert_eq!(one.received(), other.written);
            }
            Some(CloseReason::Finished) => {
                assert!(matches!(other.link.end(), Some(CloseReason::Finished | CloseReason::ClosedLocally)));
                assert!(other.finished && one.finished && one.link.is_finished_by_peer());
                assert_eq!(one.received(), other.written);
            }
            Some(CloseReason::ClaimsCrossed) => assert!(one.has_announced && other.has_announced),
            Some(CloseReason::PeerDrained) => {
                assert!(is_over_for(CloseReason::Drained) || is_over_for(CloseReason::Flushed));
                assert!(!other.has, "drained under the hands of a user");
            }
            Some(CloseReason::Drained | CloseReason::Flushed) => assert!(!one.has && one.received().is_empty()),
            Some(CloseReason::ClosedLocally) => assert!(one.has),
            Some(other) => panic!("{other:?}"),
        }
    }
}

/// Tries everything that can happen next, and everything after it.
fn explore(ends: [End; 2], seen: &mut BTreeSet<String>, verdicts: &mut BTreeSet<String>) {
    check(&ends);
    if ends.iter().all(|end| end.incoming.is_empty()) {
        check_quiet(&ends);
        let verdict = |end: &End| end.link.end().map_or(String::from("alive"), |reason| format!("{reason:?}"));
        verdicts.insert(format!("{} / {}", verdict(&ends[0]), verdict(&ends[1])));
    }
    if !seen.insert(ends[0].fingerprint() + &ends[1].fingerprint()) {
        return;
    }
    for near in 0..2 {
        let far = 1 - near;
        let mut next = ends.clone();
        if let Some(message) = next[near].incoming.pop_front() {
            let sent = next[near].receive(message);
            next[far].incoming.extend(sent);
            explore(next, seen, verdicts);
        }
        for deed in ALL {
            if ends[near].can(deed) && (ends[near].deeds < DEEDS || deed == Deed::Expire) {
                let mut next = ends.clone();
                next[near].deeds += usize::from(deed != Deed::Expire);
                let sent = next[near].act(deed);
                next[far].incoming.extend(sent);
                explore(next, seen, verdicts);
            }
        }
    }
}

#[test]
fn two_links_agree_whatever_their_users_do_in_whatever_order() {
    let (mut seen, mut verdicts) = (BTreeSet::new(), BTreeSet::new());
    explore([End::new(), End::new()], &mut seen, &mut verdicts);

    let expected = [
        "alive / alive",
        "Finished / Finished",
        "ClaimsCrossed / ClaimsCrossed",
        "ClaimsCrossed / ClosedLocally",
        "Drained / PeerDrained",
        "Drained / Drained",
        "Flushed / PeerDrained",
        "PeerClosed(Some(1000)) / ClosedLocally",
        "ClosedLocally / ClosedLocally",
    ];
    for verdict in expected {
        assert!(verdicts.contains(verdict), "{verdict} is not among {verdicts:#?}");
    }
}
