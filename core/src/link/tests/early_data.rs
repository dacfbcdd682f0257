//! What the peer sends before this side takes the connection, and after.

use super::*;

#[test]
fn the_first_data_and_only_that_says_claimed() {
    for peer in BOTH {
        let mut link = server(peer);
        link.handle_binary(at(1), Vec::new());
        assert_eq!(outputs(&mut link), []);
        link.handle_binary(at(1), vec![5]);
        link.handle_binary(at(1), vec![6]);
        assert_eq!(outputs(&mut link), [LinkOutput::Claimed]);
        assert_eq!(read_all(&mut link), [5, 6]);
        link.handle_binary(at(2), vec![7]);
        assert_eq!(outputs(&mut link), []);
    }
}

#[test]
fn data_after_take_says_nothing_and_keeps_its_order() {
    let mut link = server(PeerGeneration::V2);
    link.handle_binary(at(1), vec![1, 2, 3]);
    link.take(at(2));
    link.handle_binary(at(3), vec![4, 5]);
    link.handle_binary(at(3), Vec::new());
    link.handle_binary(at(3), vec![6]);
    assert_eq!(outputs(&mut link), [LinkOutput::Claimed]);
    assert_eq!(link.buffered(), 6);
    assert_eq!(read_all(&mut link), [1, 2, 3, 4, 5, 6]);
    assert_eq!(link.last_alive(), Some(at(3)));
}

#[test]
fn consume_spans_chunks_and_takes_no_more_than_there_is() {
    let mut link = server(PeerGeneration::V1);
    for message in [vec![1, 2], vec![3], vec![4, 5, 6]] {
        link.handle_binary(at(1), message);
    }
    link.consume(0);
    assert_eq!(link.chunk(), Some(&[1, 2][..]));
    link.consume(4);
    assert_eq!((link.chunk(), link.buffered()), (Some(&[5, 6][..]), 2));
    link.consume(usize::MAX);
    assert_eq!((link.chunk(), link.buffered()), (None, 0));
    link.handle_binary(at(1), vec![7]);
    assert_eq!(link.chunk(), Some(&[7][..]));
}

#[test]
fn the_limit_stops_reading_until_there_is_room_or_it_is_taken() {
    let mut link = server_with(LinkConfig { early_data_limit: 1000, ..LinkConfig::default() }, PeerGeneration::V1);
    link.handle_binary(at(1), vec![0; 600]);
    assert!(link.accepts_input());
    link.handle_binary(at(1), vec![0; 600]);
    assert!(!link.accepts_input(), "the message that crosses the limit is kept whole");
    link.handle_binary(at(1), vec![0; 5]);
    assert_eq!(link.buffered(), 1205, "what was read already is not lost");
    link.consume(700);
    assert!(link.accepts_input());
    link.handle_binary(at(1), vec![0; 600]);
    assert!(!link.accepts_input());
    link.take(at(2));
    assert!(link.accepts_input());
    link.handle_binary(at(2), vec![0; 1_000_000]);
    assert!(link.accepts_input());
}

#[test]
fn tiny_messages_count_with_what_it_costs_to_hold_them() {
    let mut link = server(PeerGeneration::V1);
    let mut messages = 0;
    while link.accepts_input() {
        link.handle_binary(at(1), vec![0]);
        messages += 1;
    }
    assert!(messages * size_of::<Vec<u8>>() < 64 * 1024);
}

#[test]
fn an_idle_link_is_read_even_without_any_room_for_early_data() {
    let mut link = server_with(LinkConfig { early_data_limit: 0, ..LinkConfig::default() }, PeerGeneration::V2);
    assert!(link.accepts_input());
    link.handle_binary(at(1), vec![1]);
    assert!(!link.accepts_input());
}

#[test]
fn the_state_prints_without_the_payload() {
    let mut link = server(PeerGeneration::V1);
    link.handle_binary(at(1), b"secret".to_vec());
    let printed = alloc::format!("{link:?}");
    assert!(printed.contains("Claimed") && printed.contains("buffered: 6"), "{printed}");
    assert!(!printed.contains("secret") && !printed.contains("115"), "{printed}");
}
