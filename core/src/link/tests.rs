//! The link, input by input.

mod cells;
mod early_data;
mod ending;
mod freshness;
mod id_step;
mod keepalive;
mod pair;
mod words;

use alloc::vec;
use alloc::vec::Vec;
use core::time::Duration;

use super::{ControlWord, Link, LinkConfig, LinkMessage, LinkOutput};
use crate::{CloseReason, ConnectionId, Instant, PeerGeneration};

const ID: ConnectionId = ConnectionId::from_bytes([1, 2, 3, 4]);
const BOTH: [PeerGeneration; 2] = [PeerGeneration::V1, PeerGeneration::V2];

/// Something done to a link, and the same at a given time.
type Step = fn(&mut Link<Vec<u8>>);
type StepAt = fn(&mut Link<Vec<u8>>, Instant);

fn at(seconds: u64) -> Instant {
    Instant::from_epoch(Duration::from_secs(seconds))
}

const fn word(word: ControlWord) -> LinkOutput {
    LinkOutput::Send(LinkMessage::Word(word))
}

fn client(peer: PeerGeneration) -> Link<Vec<u8>> {
    Link::client(LinkConfig::default(), peer, 1, at(0), at(10))
}

/// A server's link whose first outputs are drained.
fn server_with(config: LinkConfig, peer: PeerGeneration) -> Link<Vec<u8>> {
    let mut link = Link::server(config, peer, 1, at(0), ID);
    assert_eq!(outputs(&mut link), [LinkOutput::Send(LinkMessage::Id(ID)), LinkOutput::Established(ID)]);
    link
}

fn server(peer: PeerGeneration) -> Link<Vec<u8>> {
    server_with(LinkConfig::default(), peer)
}

fn outputs(link: &mut Link<Vec<u8>>) -> Vec<LinkOutput> {
    core::iter::from_fn(|| link.poll_output()).collect()
}

fn read_all(link: &mut Link<Vec<u8>>) -> Vec<u8> {
    let mut read = Vec::new();
    while let Some(chunk) = link.chunk() {
        assert!(!chunk.is_empty());
        let length = chunk.len();
        read.extend_from_slice(chunk);
        link.consume(length);
    }
    assert_eq!(link.buffered(), 0);
    read
}

/// The link is over for `reason`, and no input has an effect but to read what came before.
fn assert_over(link: &mut Link<Vec<u8>>, reason: CloseReason) {
    let (buffered, last_alive, finished) = (link.buffered(), link.last_alive(), link.is_finished_by_peer());
    let later = at(1_000_000);
    for _ in 0..2 {
        link.handle_binary(later, vec![9]);
        link.handle_text(later, "late");
        link.handle_text(later, "claim");
        link.handle_text(later, "fin");
        link.handle_text(later, "drain");
        link.handle_ping(later);
        link.handle_pong(later);
        link.handle_arrival(later);
        link.handle_backpressure(later);
        link.handle_close(later, Some(1001));
        link.handle_end(later);
        link.handle_failure(later);
        link.handle_violation(later, crate::Violation::Frame);
        link.handle_timeout(later);
        link.take(later);
        link.announce(later);
        let _ = link.finish(later);
        link.drain(later);
        assert!(!link.probe(later));
        link.close(later, CloseReason::Flushed);
    }
    assert_eq!(outputs(link), []);
    assert_eq!(link.poll_timeout(), None);
    assert_eq!(link.end(), Some(reason));
    assert!(!link.accepts_input());
    assert_eq!((link.buffered(), link.last_alive(), link.is_finished_by_peer()), (buffered, last_alive, finished));
    assert!(!link.is_claimed());
}
