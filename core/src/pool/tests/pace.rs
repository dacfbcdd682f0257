//! A rate of dials: how fast they begin, whatever asks for them.

use super::*;
use crate::HandshakeRate;

/// Three at once, and then one every 50 ms.
fn paced(capacity: usize) -> ClientConfig {
    let dial_rate = Some(HandshakeRate { burst: 3, refill: ms(50) });
    ClientConfig { dial_rate, interval: ms(60_000)..=ms(60_000), ..client_config(capacity) }
}

/// Does what is due up to `until`, and `answer`s each dial at once; says when each began.
fn drive(pool: &mut Client, until: Instant, mut answer: impl FnMut(&mut Client, Instant, DialId)) -> Vec<Instant> {
    let mut begun = Vec::new();
    let mut steps = 0;
    while let Some(now) = pool.poll_timeout()
        && now <= until
    {
        steps += 1;
        assert!(steps < 1000, "it is due again and again at {now}");
        let mut dials = run(pool, now);
        while let Some(dial) = dials.pop() {
            begun.push(now);
            answer(pool, now, dial);
            dials.extend(look(pool).dials);
        }
    }
    begun
}

/// Counts up, so that no two connections have the same ID.
fn accepting() -> impl FnMut(&mut Client, Instant, DialId) {
    let mut number = 100;
    move |pool, now, dial| {
        number += 1;
        dialed(pool, now, dial, number, V1);
    }
}

#[test]
fn a_burst_begins_at_once_and_the_rest_at_the_rate() {
    let mut pool = client_with(paced(6));
    let begun = drive(&mut pool, at(1000), accepting());
    assert_eq!(begun, [0, 0, 0, 50, 100, 150].map(at));
    assert_eq!(pool.active(), 6);
}

#[test]
fn what_was_lost_at_once_comes_back_at_the_rate() {
    let mut pool = client_with(paced(4));
    drive(&mut pool, at(1000), accepting());
    pool.flush(at(2000));
    look(&mut pool);
    assert_eq!(pool.poll_timeout(), Some(at(60_000)), "nobody waits, so the round refills");
    let begun = drive(&mut pool, at(61_000), accepting());
    assert_eq!(begun, [60_000, 60_000, 60_000, 60_050].map(at));
}

#[test]
fn who_waits_waits_for_the_rate_too_and_is_served() {
    let mut pool = client_with(paced(1));
    drive(&mut pool, at(10), accepting());
    let waiters: Vec<_> = (0..4).map(|_| pool.take_next(at(20), FOREVER)).collect();
    let mut accept = accepting();
    let mut begun = 0;
    for dial in look(&mut pool).dials {
        begun += 1;
        accept(&mut pool, at(20), dial);
    }
    assert_eq!(begun, 2, "one of the burst is spent");
    look(&mut pool);
    drive(&mut pool, at(200), accept);
    for waiter in waiters {
        assert!(fetch(&mut pool, at(200), waiter).is_ok());
    }
    assert!(pool.stats().dials_total <= 3 + 200 / 50);
}

#[test]
fn a_server_that_fails_is_asked_no_faster_and_no_probe_is_lost() {
    let dial_rate = Some(HandshakeRate { burst: 1, refill: ms(700) });
    let mut pool = client_with(ClientConfig { dial_rate, ..paced(4) });
    pool.take(at(0), id(9), FOREVER);
    let begun = drive(&mut pool, at(20_000), refused);
    assert!(begun.windows(2).all(|pair| pair[1] - pair[0] >= ms(700)), "{begun:?}");
    assert!((5..=20).contains(&begun.len()), "{begun:?}");
}

#[test]
fn no_second_has_more_dials_than_the_rate_allows_whatever_happens() {
    let mut pool = client_with(paced(20));
    let mut all = drive(&mut pool, at(500), accepting());
    for step in 1..20 {
        let now = at(500 * step);
        match step % 4 {
            0 => pool.flush(now),
            1 => drop(pool.take_next(now, FOREVER)),
            2 => drop(pool.take(now, id(7), ms(100))),
            _ => {}
        }
        all.extend(look(&mut pool).dials.into_iter().map(|dial| {
            refused(&mut pool, now, dial);
            now
        }));
        all.extend(drive(&mut pool, now + ms(499), accepting()));
    }
    for (index, first) in all.iter().enumerate() {
        let within = all[index..].iter().take_while(|begun| **begun < *first + ms(1000)).count();
        assert!(within <= 3 + 20, "{within} dials in the second from {first}");
    }
    assert!(all.len() > 100, "{}", all.len());
}
