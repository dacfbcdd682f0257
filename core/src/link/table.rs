//! The one place that decides what an input means in a phase.

use super::message::close_code;
use crate::{CloseReason, PeerGeneration, Violation};

/// How far the connection has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// A client that has not got all of the ID.
    AwaitingId,
    /// Both ends know the ID and neither has taken the connection.
    Idle,
    /// The peer has sent data, so it has taken the connection; this side has not.
    Claimed,
    /// This side has taken it.
    Taken,
    /// Closed or retained: only what was buffered can still be read.
    Over,
}

/// What happens to a link, without its payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Input {
    Data,
    EmptyData,
    Text,
    Close(Option<u16>),
    End,
    Failure,
    Violation(Violation),
    Deadline,
    Take,
    CloseHere(CloseReason),
}

/// What the link does about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    Ignore,
    CollectId,
    Claim,
    Store,
    Take,
    Retain(CloseReason),
    /// The end, after a close frame with this code if there is one.
    Finish(Option<u16>, CloseReason),
}

pub(super) fn decide(phase: Phase, peer: PeerGeneration, input: Input) -> Action {
    match (phase, input) {
        (Phase::Over, _) => Action::Ignore,

        (Phase::AwaitingId, Input::Data | Input::EmptyData) => Action::CollectId,
        (Phase::Idle, Input::Data) => Action::Claim,
        (Phase::Claimed | Phase::Taken, Input::Data) => Action::Store,
        (Phase::Idle | Phase::Claimed | Phase::Taken, Input::EmptyData) => Action::Ignore,

        (_, Input::Text) => match peer {
            PeerGeneration::V1 => violation(Violation::Text),
            // Text carries control words, and one that is not understood is from a later version.
            PeerGeneration::V2 => Action::Ignore,
        },

        (Phase::Claimed, Input::Close(code)) if is_end_of_stream(code) => Action::Retain(CloseReason::PeerClosed(code)),
        (_, Input::Close(code)) => Action::Finish(None, CloseReason::PeerClosed(code)),
        (_, Input::End) => Action::Finish(None, CloseReason::TransportEnded),
        (_, Input::Failure) => Action::Finish(None, CloseReason::TransportFailed),
        (_, Input::Violation(what)) => violation(what),

        // Who does not answer gets no close frame either.
        (Phase::AwaitingId, Input::Deadline) => Action::Finish(None, CloseReason::HandshakeFailed),
        (Phase::Idle, Input::Deadline) => Action::Finish(None, CloseReason::KeepaliveTimeout),
        (Phase::Claimed | Phase::Taken, Input::Deadline) => Action::Ignore,

        (Phase::Idle | Phase::Claimed, Input::Take) => Action::Take,
        (Phase::AwaitingId | Phase::Taken, Input::Take) => Action::Ignore,
        (_, Input::CloseHere(reason)) => Action::Finish(Some(close_code::NORMAL), reason),
    }
}

fn violation(what: Violation) -> Action {
    let code = match what {
        Violation::Text => close_code::UNSUPPORTED_DATA,
        Violation::Frame => close_code::PROTOCOL_ERROR,
    };
    Action::Finish(Some(code), CloseReason::Violation(what))
}

/// Whether a close frame with this code says that the peer sent all it wanted to.
fn is_end_of_stream(code: Option<u16>) -> bool {
    matches!(code, None | Some(close_code::NORMAL | close_code::GOING_AWAY | close_code::NO_STATUS))
}
