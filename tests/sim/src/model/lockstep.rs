//! Machine and model side by side: the same is done to both, and what comes of it is compared.

use npws_core::{
    AcceptId, CloseReason, ConnectionId, ConnectionKey, DialId, Instant, Output, PeerHeader, Pool, PoolConfig, Role,
    Side, TakeError, WaiterId,
};

use super::id;
use super::op::Op;
use super::pool::{Life, Model, Outcome, Standing, Want};

/// What is registered for a handshake that had been given up before.
const STALE: u32 = u32::MAX;

/// A pool and its model. The payload of a connection is its index in the model.
pub(super) struct Lockstep<S> {
    pub(super) pool: Pool<u32, S>,
    pub(super) model: Model,
    keys: Vec<ConnectionKey>,
    waiters: Vec<WaiterId>,
    former: Vec<Outcome>,
    stale: usize,
    was_closed: bool,
}

/// What a pool asked of its driver that is not the same for both kinds.
#[derive(Debug, Default)]
pub(super) struct Asked {
    pub(super) dials: Vec<DialId>,
    pub(super) aborted_dials: Vec<DialId>,
    pub(super) aborted_accepts: Vec<AcceptId>,
    pub(super) stopped_listening: bool,
}

/// Chooses one of `all`: of those that `is_there`, or of any.
pub(super) fn choose<T: Copy>(all: &[T], number: u8, is_there: impl Fn(usize) -> bool) -> Option<(usize, T)> {
    let any: Vec<_> = all.iter().copied().enumerate().collect();
    let there: Vec<_> = any.iter().copied().filter(|(index, _)| is_there(*index)).collect();
    let from = if number < 200 { there } else { any };
    from.get(usize::from(number).checked_rem(from.len())?).copied()
}

impl<S: Side<u32>> Lockstep<S> {
    pub(super) fn new(pool: Pool<u32, S>, role: Role, config: PoolConfig) -> Self {
        Self {
            pool,
            model: Model::new(role, config),
            keys: Vec::new(),
            waiters: Vec::new(),
            former: Vec::new(),
            stale: 0,
            was_closed: false,
        }
    }

    pub(super) fn now(&self) -> Instant {
        self.model.now
    }

    /// The payload for the next connection to register.
    pub(super) fn next_payload(&self, is_expected: bool) -> u32 {
        if is_expected { u32::try_from(self.keys.len()).unwrap_or(STALE) } else { STALE }
    }

    /// A handshake brought a connection; `is_expected` when the handshake had not been given up.
    pub(super) fn registered(
        &mut self,
        key: Option<ConnectionKey>,
        id: ConnectionId,
        peer: PeerHeader,
        is_expected: bool,
    ) {
        assert_eq!(key.map(ConnectionKey::id), is_expected.then_some(id), "what was registered");
        if is_expected {
            self.model.register(id, peer);
        } else {
            self.stale += 1;
            self.model.settle();
        }
        self.keys.extend(key);
    }

    /// Does what either kind of pool can do.
    pub(super) fn apply(&mut self, op: Op) {
        let now = self.now();
        match op {
            Op::Take { id: number, timeout } => {
                self.waiters.push(self.pool.take(now, id(number), timeout));
                self.model.take(Want::Id(id(number)), timeout);
            }
            Op::TakeNext { timeout } => {
                self.waiters.push(self.pool.take_next(now, timeout));
                self.model.take(Want::Next, timeout);
            }
            Op::Accept { timeout } => {
                self.waiters.push(self.pool.accept(now, timeout));
                self.model.take(Want::Claimed, timeout);
            }
            Op::Stale(number) => {
                if let Some((index, key)) = self.looked_at(number) {
                    assert_eq!(self.pool.handle_stale(now, key), self.model.stale(index), "whether {key:?} is held");
                }
            }
            Op::Proved(number) => {
                let is_held = |index: usize| self.model.connections[index].standing == Standing::Held;
                if let Some((index, key)) = choose(&self.keys, number, is_held) {
                    self.pool.handle_proved(now, key);
                    self.model.proved(index);
                }
            }
            Op::DeadOnTake(number, reason) => {
                if let Some((index, key)) = self.looked_at(number) {
                    self.pool.handle_dead_on_take(now, key, reason);
                    self.model.dead_on_take(index, reason);
                }
            }
            Op::RoundTrip(rtt) => {
                self.pool.handle_round_trip(rtt);
                self.model.measure(rtt);
            }
            Op::Complete(number) => {
                if let Some((index, _)) = self.waiter(number) {
                    self.complete(index);
                }
            }
            Op::Cancel(number) => {
                if let Some((index, waiter)) = self.waiter(number) {
                    self.pool.cancel(now, waiter);
                    self.model.cancel(index);
                }
            }
            Op::Closed(number, reason) => {
                if let Some((index, key)) = self.connection(number) {
                    self.pool.handle_closed(now, key, reason);
                    self.model.close_one(index, reason);
                }
            }
            Op::Claimed(number) => {
                if let Some((index, key)) = self.connection(number) {
                    self.pool.handle_claimed(now, key);
                    self.model.claim(index);
                }
            }
            Op::Retained(number) => {
                if let Some((index, key)) = self.connection(number) {
                    self.pool.handle_retained(now, key);
                    self.model.retain(index);
                }
            }
            Op::Released(number) => {
                let is_taken = |index: usize| self.model.connections[index].standing == Standing::Taken;
                if let Some((index, key)) = choose(&self.keys, number, is_taken) {
                    self.pool.handle_released(now, key);
                    self.model.release(index);
                }
            }
            Op::Flush => {
                self.pool.flush(now);
                self.model.flush();
            }
            Op::Drain(timeout) => {
                self.pool.drain(now, timeout);
                self.model.drain(timeout);
            }
            Op::Close => {
                self.pool.close(now);
                self.model.close();
            }
            _ => {}
        }
    }

    fn connection(&self, number: u8) -> Option<(usize, ConnectionKey)> {
        choose(&self.keys, number, |index| self.model.is_present(index))
    }

    /// A connection that a driver has reason to look at: an offered one.
    fn looked_at(&self, number: u8) -> Option<(usize, ConnectionKey)> {
        choose(&self.keys, number, |index| self.model.connections[index].offered_to.is_some())
    }

    fn waiter(&self, number: u8) -> Option<(usize, WaiterId)> {
        choose(&self.waiters, number, |index| !matches!(self.model.waiters[index].outcome, Outcome::Over))
    }

    fn complete(&mut self, index: usize) {
        let waiter = self.waiters[index];
        let expected: Option<Result<u32, TakeError>> = match self.model.complete(index) {
            Outcome::Waiting | Outcome::Over => None,
            Outcome::Failed(error) => Some(Err(error)),
            Outcome::Offered(connection) => Some(Ok(u32::try_from(connection).unwrap_or(STALE))),
        };
        let outcome = self.pool.complete(self.model.now, waiter);
        if let Some(Ok(taken)) = &outcome {
            let connection = &self.model.connections[taken.connection as usize];
            assert_eq!((taken.key.id(), taken.peer), (connection.id, connection.peer.generation), "what was taken");
        }
        assert_eq!(outcome.map(|outcome| outcome.map(|taken| taken.connection)), expected, "outcome of {waiter:?}");
    }

    /// Compares everything that can be seen from outside.
    pub(super) fn compare(&mut self) -> Asked {
        let mut asked = Asked::default();
        let (mut woken, mut closed, mut unexpected, mut is_closed) = (Vec::new(), Vec::new(), Vec::new(), false);
        let mut asked_back = Vec::new();
        while let Some(output) = self.pool.poll_output() {
            assert!(!is_closed || self.was_closed, "the end is not the last to be named");
            match output {
                Output::Wake(waiter) => woken.push(waiter),
                Output::Close { connection, reason } => closed.push((connection, reason)),
                Output::AskBack(key) => asked_back.push(key),
                Output::Dial(dial) => asked.dials.push(dial),
                Output::AbortDial(dial) => asked.aborted_dials.push(dial),
                Output::AbortAccept(accept) => asked.aborted_accepts.push(accept),
                Output::StopListening => asked.stopped_listening = true,
                Output::Round { .. } => {}
                Output::Closed => is_closed = true,
                other => unexpected.push(other),
            }
        }
        assert!(unexpected.is_empty(), "the model does not know {unexpected:?}");
        self.pool.assert_consistent();
        let expected = core::mem::take(&mut self.model.asked_back).into_iter();
        assert_eq!(asked_back, expected.map(|index| self.keys[index]).collect::<Vec<_>>(), "what is asked back");
        self.compare_closed(closed);
        self.compare_waiters(&woken);
        self.compare_stats();
        let ends_now = self.model.life == Life::Closed && !self.was_closed;
        assert_eq!(is_closed, ends_now, "the end is told once");
        self.was_closed |= ends_now;
        assert_eq!(self.pool.is_closed(), self.was_closed);
        asked
    }

    fn compare_closed(&mut self, mut closed: Vec<(u32, CloseReason)>) {
        closed.sort_unstable();
        let expected = core::mem::take(&mut self.model.closed).into_iter();
        let mut expected: Vec<_> =
            expected.map(|(index, reason)| (u32::try_from(index).unwrap_or(STALE), reason)).collect();
        expected.sort_unstable();
        expected.extend(core::iter::repeat_n((STALE, CloseReason::HandshakeFailed), core::mem::take(&mut self.stale)));
        assert_eq!(closed, expected, "what is closed, and why");
    }

    fn compare_waiters(&mut self, woken: &[WaiterId]) {
        self.former.resize(self.waiters.len(), Outcome::Waiting);
        for (index, &waiter) in self.waiters.iter().enumerate() {
            let outcome = self.model.waiters[index].outcome;
            let offered = self.pool.offered(waiter).map(|(key, payload)| (key, *payload as usize));
            let expected = match outcome {
                Outcome::Offered(connection) => Some((self.keys[connection], connection)),
                _ => None,
            };
            assert_eq!(offered, expected, "what {waiter:?} is offered");
            let has_news = outcome != self.former[index] && matches!(outcome, Outcome::Offered(_) | Outcome::Failed(_));
            assert!(!has_news || woken.contains(&waiter), "{waiter:?} sleeps through its outcome {outcome:?}");
            assert!(woken.iter().filter(|other| **other == waiter).count() <= 2, "{waiter:?} is woken for nothing");
            self.former[index] = outcome;
        }
    }

    fn compare_stats(&self) {
        let (model, stats) = (&self.model, self.pool.stats());
        let mut counts = [0; 5];
        for connection in &model.connections {
            let place = match connection.standing {
                _ if connection.offered_to.is_some() => 0,
                Standing::Idle | Standing::Held => 1,
                Standing::Claimed => 2,
                Standing::Retained(_) => 3,
                Standing::Taken => 4,
                Standing::Gone => continue,
            };
            counts[place] += 1;
        }
        assert_eq!(
            [stats.offered, stats.idle, stats.claimed, stats.retained, stats.taken],
            counts,
            "offered, idle, claimed, retained, taken"
        );
        assert_eq!(self.pool.active(), model.available().len(), "what can be handed out");
        assert_eq!((stats.dead_on_take, stats.round_trip), (model.dead_on_take, model.round_trip), "dead, round trip");
        for (index, &key) in self.keys.iter().enumerate() {
            let payload = self.pool.connection(key).map(|payload| *payload as usize);
            assert_eq!(payload, model.is_present(index).then_some(index), "what stands for {key:?}");
        }
        assert_eq!(stats.waiters, model.waiting().len(), "waiters");
        let totals = [model.connections.len(), model.taken_total, model.closed_total].map(|total| total as u64);
        assert_eq!([stats.registered_total, stats.taken_total, stats.closed_total], totals, "totals");
        assert_eq!(stats.closed_by.iter().map(|(_, count)| count).sum::<u64>(), stats.closed_total);
    }

    /// Fetches every outcome that is left.
    pub(super) fn finish(&mut self) {
        for index in 0..self.waiters.len() {
            self.complete(index);
        }
        let _ = self.compare();
    }
}
