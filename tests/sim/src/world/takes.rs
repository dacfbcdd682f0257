//! Pending takes, as the driver's futures go about them.

use std::time::Duration;

use npws_core::{CloseReason, ConnectionId, ConnectionKey, PeerGeneration, TakeError, WaiterId};

use super::path::{EndId, Stage};
use super::process::{Progress, Waiter, Want, either};
use super::queue::Event;
use super::wire::Found;
use super::{Happening, PoolId, StreamId, TakeId, World, note};

/// What a last look at a connection before it is handed out finds.
enum Handover {
    Alive,
    Stale,
    Found(Found),
}

impl World {
    /// Asks a pool for the connection with this ID.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use npws_core::{ConnectionId, PeerGeneration, ServerConfig, TakeError};
    /// # use npws_sim::world::{Happening, World};
    /// # let mut world = World::new(1);
    /// # let server = world.add_server(ServerConfig::default(), PeerGeneration::V2)?;
    /// let take = world.take(server, ConnectionId::CONTROL, Duration::from_secs(1));
    /// let error = TakeError::Timeout;
    /// assert_eq!(world.next(Duration::from_secs(5)), Some(Happening::Failed { take, error }));
    /// # Ok::<(), npws_core::ConfigError>(())
    /// ```
    pub fn take(&mut self, pool: PoolId, id: ConnectionId, timeout: Duration) -> TakeId {
        self.begin_take(pool, Want::Id(id), timeout)
    }

    /// Asks a pool for the next connection. A v2 peer is told.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use npws_core::{PeerGeneration, ServerConfig};
    /// # use npws_sim::world::World;
    /// # let mut world = World::new(1);
    /// # let server = world.add_server(ServerConfig::default(), PeerGeneration::V2)?;
    /// let take = world.take_next(server, Duration::from_secs(1));
    /// # Ok::<(), npws_core::ConfigError>(())
    /// ```
    pub fn take_next(&mut self, pool: PoolId, timeout: Duration) -> TakeId {
        self.begin_take(pool, Want::Next, timeout)
    }

    /// Asks a pool for a connection that the peer took.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use npws_core::{PeerGeneration, ServerConfig};
    /// # use npws_sim::world::World;
    /// # let mut world = World::new(1);
    /// # let server = world.add_server(ServerConfig::default(), PeerGeneration::V2)?;
    /// let take = world.accept(server, Duration::from_secs(1));
    /// # Ok::<(), npws_core::ConfigError>(())
    /// ```
    pub fn accept(&mut self, pool: PoolId, timeout: Duration) -> TakeId {
        self.begin_take(pool, Want::Claimed, timeout)
    }

    pub(super) fn begin_take(&mut self, pool: PoolId, want: Want, timeout: Duration) -> TakeId {
        let take = TakeId(self.issued);
        self.issued += 1;
        note!(self, "pool {}: {take:?} for {want:?}, {timeout:?}", pool.0);
        let waiter = self.with(pool, |machine, now| {
            either!(machine, pool => match want {
                Want::Id(id) => pool.take(now, id, timeout),
                Want::Next => pool.take_next(now, timeout),
                Want::Claimed => pool.accept(now, timeout),
            })
        });
        let deadline = self.clock(pool) + timeout;
        // A future is polled as it begins.
        let entry = Waiter { take, want, deadline, progress: Progress::Waiting, is_woken: true };
        let former = self.process(pool).waiters.insert(waiter, entry);
        assert!(former.is_none(), "{waiter:?} is another take's already");
        self.takes.insert(take, pool);
        self.check_choice(pool, waiter);
        self.observe_waiters(pool);
        let at = self.turn();
        self.queue.push(at, Event::Poll(take));
        take
    }

    /// Gives a take up: nothing will be told of it, and nothing is lost by it.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use npws_core::{PeerGeneration, ServerConfig};
    /// # use npws_sim::world::World;
    /// # let mut world = World::new(1);
    /// # let server = world.add_server(ServerConfig::default(), PeerGeneration::V2)?;
    /// let take = world.take_next(server, Duration::MAX);
    /// world.cancel(take);
    /// assert_eq!(world.stats(server).waiters, 0);
    /// # Ok::<(), npws_core::ConfigError>(())
    /// ```
    pub fn cancel(&mut self, take: TakeId) {
        if self.end_group_take(take).is_some() {
            return note!(self, "{take:?} from a group is cancelled");
        }
        let Some(pool) = self.takes.remove(&take) else { return };
        note!(self, "pool {}: {take:?} is cancelled", pool.0);
        let Some(waiter) = self.process(pool).waiter(take) else { return };
        self.process(pool).waiters.remove(&waiter);
        self.with(pool, |machine, now| either!(machine, pool => pool.cancel(now, waiter)));
    }

    /// The task of a take gets its turn.
    pub(super) fn poll_take(&mut self, take: TakeId) {
        let Some(&pool) = self.takes.get(&take) else { return };
        let Some(waiter) = self.process(pool).waiter(take) else { return };
        let Some(entry) = self.process(pool).waiters.get_mut(&waiter) else { return };
        entry.is_woken = false;
        let (want, deadline) = (entry.want, entry.deadline);
        let wanted = self.process(pool).plan.pool().max_staleness.unwrap_or(Duration::MAX);
        let max_staleness = (want == Want::Next).then_some(wanted);
        let mut staleness = max_staleness;
        while let Some((key, end)) = self.process(pool).machine.offered(waiter) {
            match self.hand_over(pool, end, staleness.take()) {
                Handover::Alive => return self.taken(pool, take, waiter, end),
                Handover::Stale => {
                    if self.hold(pool, end, key) {
                        staleness = max_staleness;
                    }
                }
                Handover::Found(found) => {
                    staleness = max_staleness;
                    self.report_look(pool, end, key, found);
                }
            }
        }
        match self.with(pool, |machine, now| machine.complete(now, waiter)) {
            None => {}
            Some(Err(error)) => {
                note!(self, "pool {}: {take:?} fails: {error}", pool.0);
                self.process(pool).waiters.remove(&waiter);
                self.takes.remove(&take);
                self.check_failure(pool, want, deadline, error);
                self.happen(Happening::Failed { take, error });
            }
            Some(Ok(taken)) => unreachable!("{:?} was not offered", taken.key),
        }
    }

    fn hand_over(&mut self, pool: PoolId, end: EndId, max_staleness: Option<Duration>) -> Handover {
        let now = self.clock(pool);
        let watches = self.process(pool).watches;
        let closed = |reason| Handover::Found(Found::Closed(reason));
        let Some(wire) = &mut self.end_mut(end).wire else { return closed(CloseReason::Taken) };
        // Who does not watch idle connections does not look at them either.
        let found = if watches { wire.watch(now) } else { None };
        let handover = match (found, wire.death()) {
            (Some(found), _) => Handover::Found(found),
            (None, Some(reason)) => closed(reason),
            (None, None) if max_staleness.is_some_and(|max| wire.link.is_stale(now, max)) => Handover::Stale,
            (None, None) => Handover::Alive,
        };
        self.flush_wire(end);
        self.wake(end);
        handover
    }

    /// A connection was silent for too long.
    fn hold(&mut self, pool: PoolId, end: EndId, key: ConnectionKey) -> bool {
        let is_held = self.with(pool, |machine, now| either!(machine, pool => pool.handle_stale(now, key)));
        if is_held {
            note!(self, "{end} is stale");
            self.end_mut(end).is_held = true;
            let now = self.clock(pool);
            let will_tell = self.end_mut(end).wire.as_mut().is_some_and(|wire| wire.link.probe(now));
            self.wake(end);
            if !will_tell {
                self.report(pool, end, key, Found::Proved);
            }
        }
        is_held
    }

    fn report_look(&mut self, pool: PoolId, end: EndId, key: ConnectionKey, found: Found) {
        if let Found::Closed(reason) = found {
            note!(self, "{end} is found dead: {reason}");
            self.with(pool, |machine, now| {
                either!(machine, pool => pool.handle_dead_on_take(now, key, reason));
            });
        } else {
            self.report(pool, end, key, found);
        }
    }

    fn taken(&mut self, pool: PoolId, take: TakeId, waiter: WaiterId, end: EndId) {
        let Some(entry) = self.process(pool).waiters.remove(&waiter) else { return };
        self.takes.remove(&take);
        assert!(!self.process(pool).is_closed, "{take:?} gets a connection from a closed pool");
        let (mut outcome, mut again) = (None, false);
        self.with(pool, |machine, now| {
            outcome = machine.complete(now, waiter);
            again = machine.complete(now, waiter).is_some();
        });
        assert!(!again, "{take:?} has two outcomes");
        let Some(Ok(taken)) = outcome else { panic_not_completed(take, outcome.map(|it| it.map(|taken| taken.key))) };
        assert_eq!(taken.connection, end, "another connection than the one that was offered");
        self.check_taken(pool, end, taken.key, entry.want);
        self.end_mut(end).stage = Stage::Taken(taken.key);
        self.mark_control(end);
        let (now, mut is_announced) = (self.clock(pool), false);
        if let Some(wire) = &mut self.end_mut(end).wire {
            if entry.want == Want::Next {
                wire.link.announce(now);
                wire.discard_news();
                is_announced = wire.link.peer() == PeerGeneration::V2;
            }
            wire.link.take(now);
            wire.taken = true;
            wire.discard_news();
        }
        self.end_mut(end).is_announced = is_announced;
        self.flush_wire(end);
        self.wake(end);
        let id = taken.key.id();
        note!(self, "pool {}: {take:?} gets {end}, {id}", pool.0);
        self.happen(Happening::Taken { take, stream: StreamId(end), id });
    }
}

fn panic_not_completed(take: TakeId, outcome: Option<Result<ConnectionKey, TakeError>>) -> ! {
    unreachable!("{take:?} was offered a connection and is told {outcome:?}")
}
