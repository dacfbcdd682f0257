//! A world for pools: client and server pools of npws-core with a network between them, under one seed and in virtual
//! time. Use it to try your own program's logic on top of the pools, faults and all, thousands of times a minute.
//!
//! A program calls [`World::next`] for what happens next and answers with [`take_next`](World::take_next),
//! [`write`](World::write) and so on. Nothing waits for real: a minute passes as fast as the events in it can be
//! computed. The same seed and the same calls give the same events, to the last byte of the [trace](World::trace).
//!
//! After every event the world checks what the pools promise, and panics where a promise is broken: no connection is
//! lost or doubled, IDs are unique, every take, dial and handshake has one outcome, waiters are served in order and
//! none waits for what is there, what one user reads is what the other wrote.
//!
//! ```
//! use std::time::Duration;
//!
//! use npws_core::{ClientConfig, PeerGeneration, ServerConfig};
//! use npws_sim::world::{Happening, Read, World};
//!
//! let mut world = World::new(42);
//! let server = world.add_server(ServerConfig { capacity: 4, ..ServerConfig::default() }, PeerGeneration::V2)?;
//! let client = world.add_client(ClientConfig::default(), PeerGeneration::V2, server)?;
//!
//! let far = world.take_next(server, Duration::from_secs(5));
//! let near = world.accept(client, Duration::from_secs(5));
//! let (mut one, mut other) = (None, None);
//! while let Some(happening) = world.next(Duration::from_secs(10)) {
//!     match happening {
//!         Happening::Taken { take, stream, .. } if take == far => one = Some(stream),
//!         Happening::Taken { take, stream, .. } if take == near => other = Some(stream),
//!         _ => {}
//!     }
//! }
//! let (one, other) = (one.expect("taken"), other.expect("accepted"));
//! assert_eq!(world.write(one, b"hello"), Ok(()));
//! while world.next(Duration::from_secs(20)).is_some() {}
//! assert_eq!(world.read(other, 100), Read::Data(b"hello".to_vec()));
//! # Ok::<(), npws_core::ConfigError>(())
//! ```

mod carry_out;
mod checks;
mod faults;
mod group;
mod group_checks;
mod group_takes;
mod handshake;
mod happening;
mod network;
mod outcome;
mod path;
mod pools;
mod process;
mod queue;
mod rng;
mod streams;
mod takes;
#[cfg(test)]
mod tests;
mod transport;
mod watch;
mod wire;

use core::fmt::Write as _;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use npws_core::{CloseReason, Instant};

use self::group::Groups;
pub(crate) use self::group::{GroupId, GroupPlan};
pub use self::happening::{Happening, PoolId, StreamId, TakeId};
pub use self::network::{Fault, Network};
use self::path::{EndId, Path};
pub(crate) use self::process::Plan;
use self::process::Process;
pub(crate) use self::process::Want;
use self::queue::{Event, Queue};
pub use self::rng::Rng;
pub use self::streams::Read;

/// Pools, and the network between them. See the [module](self).
///
/// ```
/// use npws_core::Instant;
/// use npws_sim::world::World;
///
/// assert_eq!(World::new(7).now(), Instant::ZERO);
/// ```
#[derive(Debug)]
pub struct World {
    now: Instant,
    rng: Rng,
    /// What the network does. It can be changed at any time, and counts for what is sent from then on.
    pub network: Network,
    queue: Queue,
    processes: Vec<Process>,
    paths: Vec<Path>,
    groups: Groups,
    takes: BTreeMap<TakeId, PoolId>,
    issued: u64,
    happenings: VecDeque<Happening>,
    trace: Option<String>,
    steps: u64,
    /// The processes that something happened to in this step.
    touched: Vec<PoolId>,
    /// Timers of the machines that fired without time passing.
    spins: u32,
    /// Whether it is a timer that makes a pool act.
    is_timed: bool,
    /// Everything that connections were closed for.
    reasons: BTreeSet<CloseReason>,
    retries: Vec<(PoolId, Instant, Instant)>,
}

/// Writes a line of the trace, if there is one.
macro_rules! note {
    ($world:expr, $($text:tt)*) => {
        if $world.trace.is_some() {
            $world.note(format_args!($($text)*));
        }
    };
}
use note;

impl World {
    /// An empty world.
    ///
    /// ```
    /// # use npws_sim::world::World;
    /// let mut world = World::new(42);
    /// assert!(world.next(std::time::Duration::MAX).is_none(), "nothing ever happens");
    /// ```
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            now: Instant::ZERO,
            rng: Rng::new(seed),
            network: Network::default(),
            queue: Queue::default(),
            processes: Vec::new(),
            paths: Vec::new(),
            groups: Groups::default(),
            takes: BTreeMap::new(),
            issued: 0,
            happenings: VecDeque::new(),
            trace: None,
            steps: 0,
            touched: Vec::new(),
            spins: 0,
            is_timed: false,
            reasons: BTreeSet::new(),
            retries: Vec::new(),
        }
    }

    /// Writes down what happens from now on.
    ///
    /// ```
    /// # use npws_sim::world::World;
    /// let mut world = World::new(42);
    /// world.record();
    /// world.remind(std::time::Duration::ZERO, 7);
    /// let _ = world.next(std::time::Duration::MAX);
    /// assert!(world.trace().contains("reminder 7"));
    /// ```
    pub fn record(&mut self) {
        self.trace = Some(String::new());
    }

    /// All that was written down: a line for each event, with its time.
    ///
    /// ```
    /// # use npws_sim::world::World;
    /// assert_eq!(World::new(42).trace(), "", "nothing, unless it is told to");
    /// ```
    #[must_use]
    pub fn trace(&self) -> &str {
        self.trace.as_deref().unwrap_or_default()
    }

    /// What time it is.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use npws_sim::world::World;
    /// let mut world = World::new(42);
    /// world.remind(Duration::from_secs(60), 7);
    /// let _ = world.next(Duration::MAX);
    /// assert_eq!(world.now().since_epoch(), Duration::from_secs(60));
    /// ```
    #[must_use]
    pub fn now(&self) -> Instant {
        self.now
    }

    /// Lets time pass until there is something to tell, or until so long after the world's beginning.
    ///
    /// # Panics
    /// When a pool breaks a promise.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use npws_sim::world::{Happening, World};
    /// let mut world = World::new(42);
    /// world.remind(Duration::from_secs(60), 7);
    /// assert_eq!(world.next(Duration::from_secs(59)), None);
    /// assert_eq!(world.next(Duration::from_secs(61)), Some(Happening::Reminder(7)));
    /// ```
    pub fn next(&mut self, until: Duration) -> Option<Happening> {
        let until = Instant::from_epoch(until);
        self.settle();
        while self.happenings.is_empty() && self.queue.next_at().is_some_and(|at| at <= until) {
            self.step();
        }
        if self.happenings.is_empty() && until.since_epoch() < Duration::MAX {
            self.now = self.now.max(until);
        }
        self.happenings.pop_front()
    }

    /// Gives [`Happening::Reminder`] with this number after this time.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use npws_sim::world::{Happening, World};
    /// let mut world = World::new(42);
    /// world.remind(Duration::from_secs(1), 7);
    /// assert_eq!(world.next(Duration::MAX), Some(Happening::Reminder(7)));
    /// ```
    pub fn remind(&mut self, after: Duration, number: u64) {
        self.queue.push(self.now + after, Event::Reminder(number));
    }

    /// The next event, if there is one.
    pub(crate) fn step(&mut self) {
        let Some((at, event)) = self.queue.pop() else { return };
        if at > self.now {
            self.spins = 0;
        }
        self.now = self.now.max(at);
        let stalled = self.whose(event).map(|pool| self.processes[pool.0].stalled);
        let stalled = stalled.or_else(|| self.groups.stalled(event));
        if let Some(until) = stalled.filter(|until| *until > self.now) {
            return self.queue.push(until, event);
        }
        self.steps += 1;
        match event {
            Event::Arrive(end) => self.arrive(end),
            Event::Look(end) => self.look_at(end),
            Event::LinkTimer(end) => self.fire_link(end),
            Event::PoolTimer(pool) => self.fire_pool(pool),
            Event::Poll(take) => self.poll_take(take),
            Event::Ask(path) => self.ask(path),
            Event::Refused(path) => self.refused(path),
            Event::Answered(path) => self.answered(path),
            Event::Rejected(path) => self.rejected(path),
            Event::GiveUp(end) => self.leave(end),
            Event::TransportDead(end) => self.transport_dead(end),
            Event::Again(pool, life, key, found) => {
                if self.process(pool).life == life {
                    note!(self, "pool {} hears again that {key:?} is {found:?}", pool.0);
                    self.tell(pool, key, found);
                }
            }
            Event::GroupTimer(group) => self.fire_group(group),
            Event::LookedUp(group, number) => self.looked_up(group, number),
            Event::GroupLook(take) => self.look_around(take),
            Event::GroupLate(take) => self.too_late(take),
            Event::Reminder(number) => {
                note!(self, "reminder {number}");
                self.happenings.push_back(Happening::Reminder(number));
            }
        }
        self.settle();
    }

    /// Whose time an event takes.
    fn whose(&self, event: Event) -> Option<PoolId> {
        match event {
            Event::Look(end) | Event::LinkTimer(end) | Event::GiveUp(end) => Some(self.end(end).pool),
            Event::PoolTimer(pool) | Event::Again(pool, ..) => Some(pool),
            Event::Poll(take) => self.takes.get(&take).copied(),
            Event::Answered(path) | Event::Rejected(path) => Some(self.end(EndId { path, is_server: true }).pool),
            Event::Ask(path) | Event::Refused(path) => Some(self.end(EndId { path, is_server: false }).pool),
            Event::GroupTimer(_) | Event::LookedUp(..) | Event::GroupLook(_) | Event::GroupLate(_) => None,
            Event::Arrive(_) | Event::TransportDead(_) | Event::Reminder(_) => None,
        }
    }

    /// Checks whatever something happened to.
    fn settle(&mut self) {
        self.settle_groups();
        let mut touched = core::mem::take(&mut self.touched);
        touched.sort_unstable();
        touched.dedup();
        for pool in touched.drain(..) {
            self.check(pool);
        }
        self.touched = touched;
    }

    fn note(&mut self, text: core::fmt::Arguments<'_>) {
        if let Some(trace) = &mut self.trace {
            let _ = writeln!(trace, "{} {text}", self.now);
        }
    }

    fn process(&mut self, pool: PoolId) -> &mut Process {
        &mut self.processes[pool.0]
    }

    fn end(&self, end: EndId) -> &path::End {
        self.paths[end.path].look(end)
    }

    fn end_mut(&mut self, end: EndId) -> &mut path::End {
        self.paths[end.path].end(end)
    }

    /// What the clock of this pool's program says.
    fn clock(&self, pool: PoolId) -> Instant {
        self.now + self.processes[pool.0].ahead
    }

    /// When the clock of this pool's program says `at`.
    fn on_world_clock(&self, pool: PoolId, at: Instant) -> Instant {
        let at = Instant::ZERO + (at - (Instant::ZERO + self.processes[pool.0].ahead));
        at.max(self.now)
    }
}
