//! Every phase with everything that can happen in it, towards a v2 peer.

use alloc::format;
use alloc::string::String;

use super::*;
use crate::Violation;

/// In the order of the columns below.
const PHASES: [&str; 9] =
    ["awaiting", "idle", "draining", "claimed", "announced", "taken", "shared", "fin sent", "fin received"];

fn in_phase(phase: &str) -> Link<Vec<u8>> {
    if phase == "awaiting" {
        return client(PeerGeneration::V2);
    }
    let config = LinkConfig { max_idle_age: Some(Duration::from_secs(100)), ..LinkConfig::default() };
    let mut link = server_with(config, PeerGeneration::V2);
    match phase {
        "idle" => {}
        "draining" => link.drain(at(1)),
        "claimed" => link.handle_text(at(1), "claim"),
        "announced" => link.announce(at(1)),
        "taken" => link.take(at(1)),
        "shared" => {
            link.handle_text(at(1), "claim");
            link.take(at(1));
        }
        "fin sent" => {
            link.announce(at(1));
            assert!(link.finish(at(1)));
        }
        "fin received" => {
            link.handle_text(at(1), "fin");
            link.take(at(1));
        }
        other => panic!("{other} is no phase"),
    }
    let _ = outputs(&mut link);
    link
}

fn happen(link: &mut Link<Vec<u8>>, what: &str) {
    let now = at(2);
    match what {
        "data" => link.handle_binary(now, vec![7]),
        "no data" => link.handle_binary(now, Vec::new()),
        "close" => link.handle_close(now, Some(1000)),
        "error" => link.handle_close(now, Some(1011)),
        "end" => link.handle_end(now),
        "failure" => link.handle_failure(now),
        "violation" => link.handle_violation(now, Violation::Frame),
        "timer" => link.handle_timeout(link.poll_timeout().unwrap_or(now)),
        "do take" => link.take(now),
        "do announce" => link.announce(now),
        "do finish" => {
            let _ = link.finish(now);
        }
        "do drain" => link.drain(now),
        "do probe" => {
            let _ = link.probe(now);
        }
        "backpressure" => link.handle_backpressure(now),
        "do close" => link.close(now, CloseReason::Surplus),
        text => link.handle_text(now, text),
    }
}

/// What the link says, and the phase that it is in then.
fn told(link: &mut Link<Vec<u8>>) -> String {
    let mut told = String::new();
    for output in outputs(link) {
        told += &match output {
            LinkOutput::Send(LinkMessage::Word(word)) => format!("{word} "),
            LinkOutput::Send(LinkMessage::Close { code }) => format!("{code} "),
            LinkOutput::Send(message) => format!("{message:?} "),
            LinkOutput::Claimed => String::new(),
            LinkOutput::Retained(_) => String::from("retained"),
            LinkOutput::Closed(CloseReason::Violation(violation)) => format!("{violation:?}"),
            LinkOutput::Closed(CloseReason::PeerClosed(Some(code))) => format!("got {code}"),
            LinkOutput::Closed(reason) => format!("{reason:?}"),
            other => panic!("{other:?} is not expected here"),
        };
    }
    match link.state.phase {
        super::super::table::Phase::Over => told,
        phase => format!("{told}{phase:?}"),
    }
}

/// `=` is the phase as it was, without a word.
#[rustfmt::skip]
const CELLS: &[(&str, [&str; 9])] = &[
    //               awaiting                idle                   draining        claimed                  announced             taken              shared             fin sent              fin received
    ("data",        ["=",                   "Claimed",             "1000 Drained", "=",                     "Shared",             "Shared",          "=",               "Shared",             "1002 DataAfterFin"]),
    ("no data",     ["=",                   "=",                   "=",            "=",                     "=",                  "=",               "=",               "=",                  "="]),
    ("backpressure", ["=",                 "Claimed",             "1000 Drained", "=",                     "=",                  "=",               "=",               "=",                  "="]),
    ("claim",       ["=",                   "Claimed",             "1000 Drained", "=",                     "1013 ClaimsCrossed", "Shared",          "=",               "1013 ClaimsCrossed", "="]),
    ("fin",         ["=",                   "Claimed",             "1000 Drained", "=",                     "Shared",             "Shared",          "=",               "1000 Finished",      "="]),
    ("drain",       ["=",                   "1000 PeerDrained",    "1000 Drained", "=",                     "1000 PeerDrained",   "1000 PeerDrained", "=",              "1000 PeerDrained",   "="]),
    ("other text",  ["=",                   "=",                   "=",            "=",                     "=",                  "=",               "=",               "=",                  "="]),
    ("close",       ["got 1000",            "got 1000",            "Drained",      "retained",              "got 1000",           "got 1000",        "got 1000",        "got 1000",           "got 1000"]),
    ("error",       ["got 1011",            "got 1011",            "got 1011",     "got 1011",              "got 1011",           "got 1011",        "got 1011",        "got 1011",           "got 1011"]),
    ("end",         ["TransportEnded",      "TransportEnded",      "TransportEnded", "TransportEnded",      "TransportEnded",     "TransportEnded",  "TransportEnded",  "TransportEnded",     "TransportEnded"]),
    ("failure",     ["TransportFailed",     "TransportFailed",     "TransportFailed", "TransportFailed",    "TransportFailed",    "TransportFailed", "TransportFailed", "TransportFailed",    "TransportFailed"]),
    ("violation",   ["1002 Frame",          "1002 Frame",          "1002 Frame",   "1002 Frame",            "1002 Frame",         "1002 Frame",      "1002 Frame",      "1002 Frame",         "1002 Frame"]),
    ("timer",       ["HandshakeFailed",     "Ping Idle",           "1000 Drained", "Ping Claimed",          "=",                  "=",               "=",               "=",                  "="]),
    ("do take",     ["=",                   "Taken",               "1000 Drained", "Shared",                "=",                  "=",               "=",               "=",                  "="]),
    ("do announce", ["=",                   "claim Announced",     "1000 Drained", "claim 1013 ClaimsCrossed", "=",               "=",               "=",               "=",                  "="]),
    ("do finish",   ["=",                   "=",                   "=",            "=",                     "fin Announced",      "fin Taken",       "fin Shared",      "=",                  "fin 1000 Finished"]),
    ("do drain",    ["=",                   "drain Draining",      "=",            "=",                     "=",                  "=",               "=",               "=",                  "="]),
    ("do probe",    ["=",                   "Ping Idle",           "=",            "=",                     "=",                  "=",               "=",               "=",                  "="]),
    ("do close",    ["1000 Surplus",        "drain 1000 Surplus",  "1000 Surplus", "drain 1000 Surplus",    "1000 Surplus",       "1000 Surplus",    "1000 Surplus",    "1000 Surplus",       "1000 Surplus"]),
];

#[test]
fn every_phase_answers_everything_as_it_should() {
    for (what, row) in CELLS {
        for (phase, expected) in PHASES.into_iter().zip(row) {
            let mut link = in_phase(phase);
            let before = told(&mut link);
            happen(&mut link, what);
            let after = told(&mut link);
            let expected = if *expected == "=" { &before } else { *expected };
            assert_eq!(after, *expected, "{what} when {phase}");
        }
    }
}

#[test]
fn every_end_is_an_end_in_every_phase() {
    for (what, _) in CELLS {
        for phase in PHASES {
            let mut link = in_phase(phase);
            happen(&mut link, what);
            let _ = outputs(&mut link);
            if let Some(reason) = link.end() {
                assert_over(&mut link, reason);
            }
        }
    }
}
