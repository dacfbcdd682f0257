//! The one place that decides what an input means in a phase.

use super::message::close_code;
use super::{ControlWord, LinkMessage};
use crate::{CloseReason, PeerGeneration, Violation};

/// How far the connection has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Phase {
    /// A client that has not got all of the ID.
    AwaitingId,
    /// Both ends know the ID and neither is known to have taken the connection.
    Idle,
    /// Nobody has it, and this side has asked the peer to close it.
    Draining,
    /// The peer has taken the connection; this side has not.
    Claimed,
    /// This side has taken it and said `claim`, and nothing of its user's came from the peer since.
    Announced,
    /// This side has taken it without a word, and nothing says that the peer has it as well.
    Taken,
    /// Both ends have taken it.
    Shared,
    /// Closed or retained: only what was buffered can still be read.
    Over,
}

/// All that a decision depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct State {
    pub(super) peer: PeerGeneration,
    pub(super) phase: Phase,
    /// Whether the peer said `claim` when it took the connection. Else its user took it by its ID.
    pub(super) claim_received: bool,
    /// Whether this side has said `fin`.
    pub(super) fin_sent: bool,
    /// Whether the peer has.
    pub(super) fin_received: bool,
}

/// What happens to a link, without its payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Input {
    Data,
    EmptyData,
    /// A message has begun that is larger than what may be held, so reading has stopped within it.
    Backpressure,
    Word(ControlWord),
    /// Any other text.
    Text,
    Close(Option<u16>),
    End,
    Failure,
    Violation(Violation),
    /// The phase has lasted as long as it may.
    Deadline,
    /// The ping was not answered in time.
    Silence,
    Take,
    Announce,
    Finish,
    Drain,
    Probe,
    CloseHere(CloseReason),
}

/// What the link does about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    Ignore,
    CollectId,
    /// Accept what came, and be in this phase from now on.
    Enter(Phase),
    /// The same after saying this word.
    Say(ControlWord, Phase),
    Probe,
    Retain(CloseReason),
    /// The end, after these messages.
    End(&'static [LinkMessage], CloseReason),
    /// The end of a connection that the local user never had: what the peer sent is dropped, so that the peer can be
    /// sure that nobody has seen it.
    Refuse(&'static [LinkMessage], CloseReason),
}

const fn close(code: u16) -> LinkMessage {
    LinkMessage::Close { code }
}

const SILENTLY: &[LinkMessage] = &[];
const GOODBYE: &[LinkMessage] = &[close(close_code::NORMAL)];
/// Says `fin` first: the peer, which said it before, then knows that nothing was cut off.
const FIN_AND_GOODBYE: &[LinkMessage] = &[LinkMessage::Word(ControlWord::Fin), close(close_code::NORMAL)];
/// Says `drain` first: a peer whose user takes the connection at this moment then knows that nobody here had it. With
/// the close alone its user would see a stream that ended in good order.
const NOT_HERE: &[LinkMessage] = &[LinkMessage::Word(ControlWord::Drain), close(close_code::NORMAL)];
/// "Try again later": nobody can take this close for the end of a stream, and the advice is right.
const CROSSED: &[LinkMessage] = &[close(close_code::TRY_AGAIN_LATER)];
/// Says `claim` first: the peer then sees the crossing itself.
const CLAIM_AND_CROSSED: &[LinkMessage] = &[LinkMessage::Word(ControlWord::Claim), close(close_code::TRY_AGAIN_LATER)];
const MALFORMED: &[LinkMessage] = &[close(close_code::PROTOCOL_ERROR)];
const NO_TEXT: &[LinkMessage] = &[close(close_code::UNSUPPORTED_DATA)];

pub(super) fn decide(state: State, input: Input) -> Action {
    use Phase::{Announced, AwaitingId, Claimed, Draining, Idle, Over, Shared, Taken};

    let input = match state.peer {
        PeerGeneration::V1 => match towards_v1(input) {
            Some(input) => input,
            None => return Action::Ignore,
        },
        PeerGeneration::V2 => input,
    };
    mutation!(ClaimsMayCross => if (state.phase, input) == (Announced, Input::Word(ControlWord::Claim)) { return Action::Enter(Shared) });
    match (state.phase, input) {
        (Over, _) => Action::Ignore,

        // What the peer sends as data.
        (AwaitingId, Input::Data | Input::EmptyData) => Action::CollectId,
        (_, Input::EmptyData) => Action::Ignore,
        (_, Input::Data) if state.fin_received => violation(Violation::DataAfterFin),
        (Idle | Claimed, Input::Data) => Action::Enter(Claimed),
        (Draining, Input::Data) => Action::Refuse(GOODBYE, CloseReason::Drained),
        (Announced | Taken | Shared, Input::Data) => Action::Enter(Shared),
        // The beginning of a message is data already.
        (Idle, Input::Backpressure) => Action::Enter(Claimed),
        (Draining, Input::Backpressure) => Action::Refuse(GOODBYE, CloseReason::Drained),
        (_, Input::Backpressure) => Action::Ignore,

        // What it says. A server says its ID before any word.
        (AwaitingId, Input::Word(_)) => Action::Ignore,
        (Idle, Input::Word(ControlWord::Claim | ControlWord::Fin)) => Action::Enter(Claimed),
        (Idle, Input::Word(ControlWord::Drain)) => Action::Refuse(GOODBYE, CloseReason::PeerDrained),
        (Draining, Input::Word(_)) => Action::Refuse(GOODBYE, CloseReason::Drained),
        (Claimed, Input::Word(ControlWord::Fin)) => Action::Enter(Claimed),
        (Announced, Input::Word(ControlWord::Claim)) => Action::Refuse(CROSSED, CloseReason::ClaimsCrossed),
        (Taken, Input::Word(ControlWord::Claim)) => Action::Enter(Shared),
        (Announced | Taken | Shared, Input::Word(ControlWord::Fin)) if state.fin_sent => {
            Action::End(GOODBYE, CloseReason::Finished)
        }
        (Announced | Taken | Shared, Input::Word(ControlWord::Fin)) => Action::Enter(Shared),
        (Announced | Taken, Input::Word(ControlWord::Drain)) => Action::Refuse(GOODBYE, CloseReason::PeerDrained),
        // It has the connection already, and cannot give up for both what its user has.
        (Claimed | Shared, Input::Word(_)) => Action::Ignore,
        (_, Input::Text) => match state.peer {
            PeerGeneration::V1 => violation(Violation::Text),
            // Text carries control words, and one that is not understood is from a later version.
            PeerGeneration::V2 => Action::Ignore,
        },

        // How it ends. Who has claimed and then closes in good order has a stream to hand over, even if it is empty.
        (Claimed, Input::Close(code)) if is_end_of_stream(code) => Action::Retain(CloseReason::PeerClosed(code)),
        // So has who said `fin` and went: all of it is here.
        (Claimed, Input::End) if state.fin_received => Action::Retain(CloseReason::TransportEnded),
        (Claimed, Input::Failure) if state.fin_received => Action::Retain(CloseReason::TransportFailed),
        (Draining, Input::Close(code)) if is_end_of_stream(code) => Action::End(SILENTLY, CloseReason::Drained),
        (_, Input::Close(code)) => Action::End(SILENTLY, CloseReason::PeerClosed(code)),
        (_, Input::End) => Action::End(SILENTLY, CloseReason::TransportEnded),
        (_, Input::Failure) => Action::End(SILENTLY, CloseReason::TransportFailed),
        (_, Input::Violation(what)) => violation(what),

        // What time brings. Who does not answer gets no close frame either; who ignores `drain` does.
        (AwaitingId, Input::Deadline) => Action::End(SILENTLY, CloseReason::HandshakeFailed),
        (Idle, Input::Deadline) => Action::Refuse(NOT_HERE, CloseReason::IdleAge),
        (Draining, Input::Deadline) => Action::Refuse(GOODBYE, CloseReason::Drained),
        (Idle, Input::Silence) => Action::End(SILENTLY, CloseReason::KeepaliveTimeout),
        (Claimed | Announced | Taken | Shared, Input::Deadline) => Action::Ignore,
        (_, Input::Silence) => Action::Ignore,

        // What is wanted here.
        (Idle, Input::Take) => Action::Enter(Taken),
        (Claimed, Input::Take) => Action::Enter(Shared),
        (Idle, Input::Announce) => Action::Say(ControlWord::Claim, Announced),
        (Claimed, Input::Announce) if state.claim_received => {
            Action::Refuse(CLAIM_AND_CROSSED, CloseReason::ClaimsCrossed)
        }
        (Claimed, Input::Announce) => Action::Say(ControlWord::Claim, Shared),
        (Draining, Input::Take | Input::Announce) => Action::Refuse(GOODBYE, CloseReason::Drained),
        (AwaitingId | Announced | Taken | Shared, Input::Take | Input::Announce) => Action::Ignore,
        (Announced | Taken | Shared, Input::Finish) if state.fin_sent => Action::Ignore,
        (Announced | Taken | Shared, Input::Finish) if state.fin_received => {
            Action::End(FIN_AND_GOODBYE, CloseReason::Finished)
        }
        (phase @ (Announced | Taken | Shared), Input::Finish) => Action::Say(ControlWord::Fin, phase),
        (AwaitingId | Idle | Draining | Claimed, Input::Finish) => Action::Ignore,
        (Idle, Input::Drain) => Action::Say(ControlWord::Drain, Draining),
        (Idle, Input::Probe) => Action::Probe,
        (_, Input::Drain | Input::Probe) => Action::Ignore,
        (Idle | Claimed, Input::CloseHere(reason)) if state.peer == PeerGeneration::V2 => {
            Action::Refuse(NOT_HERE, reason)
        }
        (_, Input::CloseHere(reason)) => Action::End(GOODBYE, reason),
    }
}

/// Words are v2's. From v1 they are text like any other, and what would be said in words is done without or not at all.
fn towards_v1(input: Input) -> Option<Input> {
    match input {
        Input::Word(_) => Some(Input::Text),
        Input::Announce => Some(Input::Take),
        Input::Finish | Input::Drain | Input::Probe => None,
        other => Some(other),
    }
}

fn violation(what: Violation) -> Action {
    let said = match what {
        Violation::Text => NO_TEXT,
        Violation::Frame | Violation::DataAfterFin => MALFORMED,
    };
    Action::End(said, CloseReason::Violation(what))
}

/// Whether a close frame with this code says that the peer sent all it wanted to.
fn is_end_of_stream(code: Option<u16>) -> bool {
    matches!(code, None | Some(close_code::NORMAL | close_code::GOING_AWAY | close_code::NO_STATUS))
}
