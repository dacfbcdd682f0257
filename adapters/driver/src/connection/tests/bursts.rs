//! Small writes one right after the other.

use super::*;
use crate::runtime::Background;
use crate::testing::Still;

/// A client's connection, whose clock stands still, and whose tasks have their turn when `still` advances.
fn client(still: &Still) -> (Connection, End) {
    let (wire, far) = established_client(PeerGeneration::V2, LinkConfig::default());
    let background: Arc<dyn Background> = Arc::new(still.clone());
    (connection_by(wire, Clock::new(background)), far)
}

fn words(far: &mut End) -> Vec<String> {
    frames(far).into_iter().map(|(_, payload)| String::from_utf8_lossy(&payload).into_owned()).collect()
}

/// Four writes, of which three are held back.
fn burst(connection: &mut Connection, far: &mut End) {
    for word in ["one", "two", "three", "four"] {
        assert!(matches!(write(connection, word.as_bytes()), Poll::Ready(Ok(n)) if n == word.len()));
    }
    assert_eq!(words(far), ["one"], "the first does not wait for any other");
}

#[test]
fn the_rest_of_a_burst_leaves_when_others_have_their_turn() {
    let still = Still::new();
    let (mut connection, mut far) = client(&still);
    burst(&mut connection, &mut far);
    still.advance(Duration::ZERO);
    assert_eq!(words(&mut far), ["two", "three", "four"]);
    assert!(write(&mut connection, b"five").is_ready());
    assert_eq!(words(&mut far), [""; 0], "it goes on");
    still.advance(Duration::ZERO);
    assert_eq!(words(&mut far), ["five"]);
    still.advance(Duration::from_millis(1));
    assert!(write(&mut connection, b"six").is_ready());
    assert_eq!(words(&mut far), ["six"], "it is over");
}

#[test]
fn a_burst_leaves_at_once_for_whoever_flushes_closes_or_waits_for_an_answer() {
    type Act = fn(&mut Connection) -> bool;
    let acts: [(Act, bool); 5] = [
        (|connection| poll_once(connection.flush()).is_ready(), true),
        (|connection| poll_once(connection.close()).is_ready(), true),
        (|connection| read(connection).is_ready(), false),
        (|connection| poll_once(connection.fill_buf()).is_ready(), false),
        (|connection| write(connection, &[b'x'; 10_000]).is_ready(), true),
    ];
    for (act, is_done) in acts {
        let still = Still::new();
        let (mut connection, mut far) = client(&still);
        burst(&mut connection, &mut far);
        assert_eq!(act(&mut connection), is_done);
        assert_eq!(words(&mut far)[..3], ["two", "three", "four"]);
    }
}

#[test]
fn a_burst_comes_before_the_end() {
    let ends: [fn(Connection); 3] = [
        drop,
        |connection| assert!(poll_once(Connection::close(connection)).is_pending()),
        |connection| assert!(poll_once(connection.into_websocket()).is_ready()),
    ];
    for end in ends {
        let still = Still::new();
        let (mut connection, mut far) = client(&still);
        burst(&mut connection, &mut far);
        end(connection);
        assert_eq!(words(&mut far)[..3], ["two", "three", "four"]);
    }
}
