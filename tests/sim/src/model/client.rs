//! A client pool in lockstep. When it dials depends on its jitter, so of that the promises are checked, not the moments.

use npws_core::{ClientConfig, ClientPool, CloseReason, DialFailure, DialId, Dialing, Instant, Policy, Role};

use super::lockstep::{Asked, Lockstep, choose};
use super::op::Op;
use super::pool::Want;
use super::{id, ms, short_lived};

const CAPACITY: usize = 4;
const INTERVAL: u64 = 100;
const DIAL_TIMEOUT: u64 = 200;
const MAX_DIALS: usize = 3;
/// The shortest pause after a failure, before jitter halves it.
const PAUSE: u64 = 20;

#[derive(Debug, Clone, Copy)]
struct Dial {
    id: DialId,
    began: Instant,
    is_over: bool,
}

struct Run {
    lockstep: Lockstep<Dialing>,
    dials: Vec<Dial>,
    next_round: Instant,
    /// Since when every dial failed, or when the last dial began after that.
    failing_since: Option<Instant>,
    failures: u64,
    capacity: usize,
    is_held: bool,
    /// Whether it has just been asked to probe, with no dial under way.
    is_probing: bool,
}

/// Does `ops` to a client pool and to its model: to one that opens connections, and to one that does not.
///
/// # Panics
/// When the pool does something else than the model, or breaks a promise about dials.
///
/// ```
/// use npws_sim::model::{Op, check_client};
/// check_client(Op::read(b"any bytes at all"));
/// ```
pub fn check_client(ops: impl IntoIterator<Item = Op>) {
    let ops: Vec<_> = ops.into_iter().collect();
    for opens in [false, true] {
        check(&ops, opens);
    }
}

fn check(ops: &[Op], opens: bool) {
    let config = ClientConfig {
        capacity: CAPACITY..=CAPACITY,
        interval: ms(INTERVAL)..=ms(INTERVAL),
        dial_timeout: ms(DIAL_TIMEOUT),
        max_concurrent_dials: MAX_DIALS,
        backoff: ms(PAUSE)..=ms(500),
        policy: Policy::Fixed,
        pool: short_lived(opens),
        ..ClientConfig::default()
    };
    let common = config.pool.clone();
    let pool = ClientPool::new(config, 1, Instant::ZERO);
    assert!(pool.is_ok(), "the configuration is good");
    let Ok(pool) = pool else { return };
    let mut run = Run {
        lockstep: Lockstep::new(pool, Role::Client, common),
        dials: Vec::new(),
        next_round: Instant::ZERO,
        failing_since: None,
        failures: 0,
        capacity: CAPACITY,
        is_held: false,
        is_probing: false,
    };
    for &op in ops {
        run.apply(op);
        let asked = run.lockstep.compare();
        run.check_dials(&asked);
    }
    run.lockstep.finish();
}

impl Run {
    fn apply(&mut self, op: Op) {
        let now = self.lockstep.now();
        match op {
            Op::Wait(time) => self.wait(now + time),
            Op::Incoming { .. } | Op::Secured(_) | Op::Request { .. } => self.wait(now + ms(10)),
            Op::Late(time) => self.lockstep.model.now = now + time,
            Op::Arrive { handshake, id: number, peer } => {
                if let Some((index, dial)) = self.dial(handshake) {
                    let is_expected = !core::mem::replace(&mut self.dials[index].is_over, true);
                    if is_expected {
                        self.failing_since = None;
                    }
                    let payload = self.lockstep.next_payload(is_expected);
                    let key = self.lockstep.pool.handle_dialed(now, dial.id, id(number), peer, payload);
                    self.lockstep.registered(key, id(number), peer, is_expected);
                }
            }
            Op::Fail(number) => {
                if let Some((index, dial)) = self.dial(number) {
                    self.lockstep.pool.handle_dial_failed(now, dial.id, DialFailure::Connect);
                    self.fail(index);
                    self.lockstep.model.settle();
                }
            }
            Op::Hold | Op::Resume | Op::Probe | Op::Resize(_) => self.steer(op),
            other => self.lockstep.apply(other),
        }
    }

    /// What a group does to its pools.
    fn steer(&mut self, op: Op) {
        let (now, pool) = (self.lockstep.now(), &mut self.lockstep.pool);
        match op {
            Op::Hold => {
                pool.hold_dials(now);
                self.is_held = true;
            }
            Op::Resume => {
                pool.resume_dials(now);
                self.is_held = false;
            }
            Op::Resize(capacity) => {
                self.capacity = capacity.into();
                assert_eq!(pool.resize(now, self.capacity..=self.capacity), Ok(()), "within the range");
            }
            _ => {
                pool.probe(now);
                self.is_probing = self.lockstep.model.is_open() && self.in_flight() == 0;
            }
        }
        self.lockstep.model.settle();
    }

    fn dial(&self, number: u8) -> Option<(usize, Dial)> {
        choose(&self.dials, number, |index| !self.dials[index].is_over)
    }

    fn fail(&mut self, index: usize) {
        if !core::mem::replace(&mut self.dials[index].is_over, true) {
            self.failures += 1;
            self.failing_since = self.failing_since.or(Some(self.lockstep.now()));
        }
    }

    fn wait(&mut self, now: Instant) {
        self.lockstep.model.now = now;
        self.lockstep.pool.handle_timeout(now);
        self.lockstep.model.handle_timeout();
        if self.lockstep.model.is_open() && self.next_round <= now {
            self.next_round = now + ms(INTERVAL);
            self.trim();
        }
    }

    /// Surplus is closed oldest first, one a round, and only where the peer notices.
    fn trim(&mut self) {
        let model = &mut self.lockstep.model;
        let closable = model.available().into_iter().find(|&index| model.can_spare(index));
        if let Some(oldest) = closable.filter(|_| model.idle().len() > self.capacity) {
            model.close_one(oldest, CloseReason::Surplus);
        }
    }

    fn in_flight(&self) -> usize {
        self.dials.iter().filter(|dial| !dial.is_over).count()
    }

    fn check_dials(&mut self, asked: &Asked) {
        let (now, is_open) = (self.lockstep.now(), self.lockstep.model.is_open());
        assert!(asked.aborted_accepts.is_empty() && !asked.stopped_listening, "a client accepts nothing");
        for aborted in &asked.aborted_dials {
            let dial = self.dials.iter().position(|dial| dial.id == *aborted && !dial.is_over);
            assert!(dial.is_some(), "{aborted:?} is not under way");
            let Some(dial) = dial else { continue };
            if is_open {
                assert!(self.dials[dial].began + ms(DIAL_TIMEOUT) <= now, "{aborted:?} had time left");
                self.fail(dial);
            }
            self.dials[dial].is_over = true;
        }
        for &id in &asked.dials {
            assert!(self.dials.iter().all(|dial| dial.id != id), "{id:?} began before");
            self.dials.push(Dial { id, began: now, is_over: false });
        }
        assert!(self.in_flight() <= MAX_DIALS, "more dials than the limit");
        // The probe comes first, and at any time.
        let probes = usize::from(core::mem::take(&mut self.is_probing));
        assert!(asked.dials.len() >= probes, "nobody probes");
        let own = asked.dials.len() - probes;
        assert!(own == 0 || !self.is_held, "it dials although it is held");
        if let Some(since) = self.failing_since.filter(|_| own > 0) {
            assert_eq!(own, 1, "one dial at a time asks whether the server is back");
            assert!(since + ms(PAUSE / 2) <= now, "no pause after a failure at {since}, now {now}");
            self.failing_since = Some(now);
        }
        let stats = self.lockstep.pool.stats();
        assert_eq!((stats.handshakes, stats.dials_total), (self.in_flight(), self.dials.len() as u64), "dials");
        assert_eq!(stats.dial_failures.total(), self.failures, "failed dials");
        if is_open {
            self.check_timers();
            self.check_refill();
        } else {
            assert_eq!(self.in_flight(), 0, "a dial outlived the pool");
            assert_eq!(self.lockstep.pool.poll_timeout(), self.lockstep.model.next_timeout(), "the next timer");
        }
    }

    fn check_timers(&self) {
        let under_way = self.dials.iter().filter(|dial| !dial.is_over);
        let dials = under_way.map(|dial| dial.began + ms(DIAL_TIMEOUT));
        let latest = dials.chain(self.lockstep.model.next_timeout()).fold(self.next_round, Instant::min);
        let due = self.lockstep.pool.poll_timeout();
        assert!(due.is_some_and(|due| due <= latest), "the timer is set to {due:?}, not {latest}");
    }

    /// Who waits is dialed for, unless the server fails, or has just closed what it accepted, or dials are held.
    fn check_refill(&self) {
        let model = &self.lockstep.model;
        let (idle, waiting, (even, odd)) = (model.idle().len(), model.waiting_next(), model.halves());
        // Neither end is to be left without one, within twice the capacity.
        let lacks_a_half = (even == 0) != (odd == 0);
        let missing = if idle >= self.capacity && lacks_a_half { 1 } else { self.capacity.saturating_sub(idle) };
        let target = (idle + missing + waiting).min(2 * self.capacity + waiting);
        let is_complete = self.in_flight() == MAX_DIALS || idle + self.in_flight() >= target;
        let is_quiet = model.last_death.is_some_and(|death| model.now < death + ms(PAUSE));
        let wants_any = model.waiting().iter().any(|&waiter| model.waiters[waiter].want != Want::Claimed);
        if wants_any && self.failing_since.is_none() && !is_quiet && !self.is_held {
            assert!(is_complete || self.is_late(), "somebody waits, and nobody dials");
        }
    }

    /// Whether a timer is due that the driver has not looked at yet.
    fn is_late(&self) -> bool {
        self.lockstep.pool.poll_timeout().is_some_and(|due| due <= self.lockstep.now())
    }
}
