//! The bodies under a few thousand inputs, so that the fuzz targets are known to pass before anyone fuzzes.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;

use npws_core::LinkOutput;
use proptest::collection::vec;
use proptest::prelude::*;

use crate::model::{Op, check_client, check_server};

/// SplitMix64, so that a seed gives the same bytes for ever.
fn random_bytes(seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut next = || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    };
    let length = next() % 256;
    (0..length).map(|_| next().to_be_bytes()[0]).collect()
}

/// Runs `body` on every input and names the one that fails.
fn each<T>(inputs: impl IntoIterator<Item = (String, Vec<u8>)>, body: impl Fn(&[u8]) -> T) -> Vec<T> {
    inputs
        .into_iter()
        .map(|(name, input)| {
            catch_unwind(AssertUnwindSafe(|| body(&input))).unwrap_or_else(|panic| {
                eprintln!("{name}: {input:?}");
                resume_unwind(panic)
            })
        })
        .collect()
}

fn seeded() -> impl Iterator<Item = (String, Vec<u8>)> {
    (0..5_000).map(|seed| (format!("seed {seed}"), random_bytes(seed)))
}

/// The inputs that the fuzzer starts from.
fn corpus(target: &str) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(target);
    let inputs: Vec<_> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.display().to_string(), std::fs::read(&path).unwrap()))
        .collect();
    assert!(!inputs.is_empty());
    inputs
}

/// The name of an output without what differs from run to run.
fn kind(output: &LinkOutput) -> String {
    match output {
        LinkOutput::Established(_) => "Established".into(),
        LinkOutput::RoundTrip(_) => "RoundTrip".into(),
        other => format!("{other:?}"),
    }
}

fn assert_reached(outputs: &[Vec<LinkOutput>]) {
    let reached: BTreeSet<String> = outputs.iter().flatten().map(kind).collect();
    for wanted in [
        "Established",
        "Claimed",
        "Send(Ping)",
        "Send(Close { code: 1000 })",
        "Send(Close { code: 1002 })",
        "Send(Close { code: 1003 })",
        "Retained(PeerClosed(Some(1000)))",
        "Retained(PeerClosed(None))",
        "Closed(PeerClosed(Some(1000)))",
        "Closed(TransportEnded)",
        "Closed(TransportFailed)",
        "Closed(HandshakeFailed)",
        "Closed(KeepaliveTimeout)",
        "Closed(Violation(Text))",
        "Closed(Violation(DataAfterFin))",
        "Send(Word(Claim))",
        "Send(Word(Fin))",
        "Send(Word(Drain))",
        "Send(Close { code: 1013 })",
        "Proved",
        "RoundTrip",
        "Closed(ClaimsCrossed)",
        "Closed(Drained)",
        "Closed(PeerDrained)",
        "Closed(Finished)",
        "Closed(IdleAge)",
    ] {
        assert!(reached.contains(wanted), "{wanted} is not among {reached:?}");
    }
}

#[test]
fn admission_holds_for_seeded_inputs() {
    each(seeded(), super::admission);
}

#[test]
fn admission_holds_for_the_corpus() {
    each(corpus("admission"), super::admission);
}

/// Random bytes are hardly ever a field; with a piece of one put in, cut out or doubled they mostly still are.
#[test]
fn admission_holds_for_mutations_of_the_corpus() {
    let mutated = corpus("admission").into_iter().flat_map(|(name, input)| {
        (0..500).map(move |seed| {
            let mut random = random_bytes(seed).into_iter().map(usize::from).cycle();
            let mut next = |below: usize| random.next().unwrap_or_default() % below.max(1);
            let mut input = input.clone();
            for _ in 0..=next(4) {
                let (start, length) = (1 + next(input.len()), next(4));
                let start = start.min(input.len());
                let end = (start + length).min(input.len());
                let kind = next(3);
                let pieces: [&[u8]; 11] = [b"\"", b",", b";", b"\\", b"\n", b" ", b"=", b":", b"/", b"1", b"\xff"];
                let piece = if kind == 0 { input[start..end].to_vec() } else { pieces[next(11)].to_vec() };
                input.splice(if kind == 1 { start..end } else { start..start }, piece);
            }
            (format!("{name} with seed {seed}"), input)
        })
    });
    each(mutated, super::admission);
}

#[test]
fn proxy_header_holds_for_seeded_inputs() {
    each(seeded(), super::proxy_header);
}

#[test]
fn proxy_header_holds_for_the_corpus() {
    each(corpus("proxy_header"), super::proxy_header);
}

#[test]
fn proxy_header_holds_for_every_change_of_a_byte_of_the_corpus() {
    let changed = corpus("proxy_header").into_iter().flat_map(|(name, input)| {
        (0..input.len()).flat_map(move |index| {
            let (name, input) = (name.clone(), input.clone());
            (0..=u8::MAX).step_by(3).map(move |byte| {
                let mut input = input.clone();
                input[index] = byte;
                (format!("{name} with {byte} at {index}"), input)
            })
        })
    });
    each(changed, super::proxy_header);
}

#[test]
fn id_handshake_holds_for_seeded_inputs() {
    each(seeded(), super::id_handshake);
}

#[test]
fn id_handshake_holds_for_the_corpus() {
    each(corpus("id_handshake"), super::id_handshake);
}

#[test]
fn link_holds_for_seeded_inputs_and_they_reach_every_outcome() {
    assert_reached(&each(seeded(), super::link::run));
}

#[test]
fn pools_hold_for_the_corpora() {
    each(corpus("client_pool"), |data| check_client(Op::read(data)));
    each(corpus("server_pool"), |data| check_server(Op::read(data)));
}

#[test]
fn link_holds_for_the_corpus() {
    each(corpus("link"), super::link);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn admission_holds_for_any_input(data in vec(any::<u8>(), 0..300)) {
        super::admission(&data);
    }

    #[test]
    fn proxy_header_holds_for_any_input(data in vec(any::<u8>(), 0..300)) {
        super::proxy_header(&data);
    }

    #[test]
    fn id_handshake_holds_for_any_input(data in vec(any::<u8>(), 0..300)) {
        super::id_handshake(&data);
    }

    #[test]
    fn link_holds_for_any_input(data in vec(any::<u8>(), 0..300)) {
        super::link(&data);
    }
}
