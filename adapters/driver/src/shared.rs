//! A machine behind its lock: mutate, drain, unlock, then act.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, PoisonError};
use std::task::Waker;
use std::time::Duration;

use futures::task::AtomicWaker;
use npws_core::{CloseReason, Instant, Output, Pool as Machine, Side, WaiterId};

use crate::clock::Clock;
use crate::link_timers::LinkTimers;
use crate::runtime::Background;
use crate::sentinel::Sentinel;
use crate::slot::Slot;
use crate::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use crate::sync::{Mutex, MutexGuard};

/// What differs between the drivers of a client and a server pool.
pub(crate) trait Driven: Send + Sync + Sized + 'static {
    type Side: Side<Arc<Slot>> + fmt::Debug + Send;

    /// Where the pool listens, if it does.
    fn local_addr(&self) -> Option<SocketAddr>;

    /// A connection that nobody has taken is closed for `reason`.
    fn observe_close(&self, _reason: CloseReason) {}

    /// Carries out an output that only one kind of pool has.
    fn perform(shared: &Arc<Shared<Self>>, output: Output<Arc<Slot>>);
}

/// One pool: its machine, and what carries out the machine's outputs.
pub(crate) struct Shared<D: Driven> {
    state: Mutex<State<D::Side>>,
    pub(crate) clock: Clock,
    pub(crate) background: Arc<dyn Background>,
    pub(crate) gauges: Gauges,
    pub(crate) timer: AtomicWaker,
    pub(crate) link_timers: LinkTimers,
    pub(crate) sentinel: Sentinel,
    pub(crate) close_timeout: Duration,
    pub(crate) max_staleness: Option<Duration>,
    pub(crate) driven: D,
}

pub(crate) struct State<S> {
    pub(crate) machine: Machine<Arc<Slot>, S>,
    pub(crate) wakers: HashMap<WaiterId, Waker>,
    /// Who waits for the pool to have an idle connection or to be closed.
    pub(crate) observers: BTreeMap<u64, Waker>,
    /// Keys of observers.
    pub(crate) issued: u64,
    /// When the timer will look at the machine by itself.
    pub(crate) armed: Option<Instant>,
    /// When the sentinel last told all.
    pub(crate) heard: Option<Instant>,
}

/// What can be read without the lock, as the last mutation left it.
#[derive(Debug, Default)]
pub(crate) struct Gauges {
    pub(crate) active: AtomicUsize,
    pub(crate) capacity: AtomicUsize,
    pub(crate) interval_ns: AtomicU64,
    pub(crate) errors: AtomicU64,
    pub(crate) taken: AtomicUsize,
    /// `u64::MAX` while it is not known.
    pub(crate) round_trip_ns: AtomicU64,
    pub(crate) is_closed: AtomicBool,
}

impl Gauges {
    fn store<S: Side<Arc<Slot>>>(&self, machine: &Machine<Arc<Slot>, S>) {
        let interval_ns = u64::try_from(machine.interval().as_nanos()).unwrap_or(u64::MAX);
        self.active.store(machine.active(), Ordering::Release);
        self.capacity.store(machine.capacity(), Ordering::Release);
        self.interval_ns.store(interval_ns, Ordering::Release);
        self.errors.store(machine.error_count(), Ordering::Release);
        self.taken.store(machine.taken(), Ordering::Release);
        let round_trip_ns = machine.round_trip().and_then(|time| u64::try_from(time.as_nanos()).ok());
        self.round_trip_ns.store(round_trip_ns.unwrap_or(u64::MAX), Ordering::Release);
        self.is_closed.store(machine.is_closed(), Ordering::Release);
    }
}

impl<D: Driven> Shared<D> {
    pub(crate) fn new(
        machine: Machine<Arc<Slot>, D::Side>,
        clock: Clock,
        background: Arc<dyn Background>,
        close_timeout: Duration,
        max_staleness: Option<Duration>,
        driven: D,
    ) -> Arc<Self> {
        let gauges = Gauges::default();
        gauges.store(&machine);
        let state =
            State { machine, wakers: HashMap::new(), observers: BTreeMap::new(), issued: 0, armed: None, heard: None };
        Arc::new(Self {
            state: Mutex::new(state),
            clock,
            background,
            gauges,
            timer: AtomicWaker::new(),
            link_timers: LinkTimers::default(),
            sentinel: Sentinel::new(),
            close_timeout,
            max_staleness,
            driven,
        })
    }

    /// A panic elsewhere leaves the machine whole: each of its steps is complete or was not begun.
    pub(crate) fn lock(&self) -> MutexGuard<'_, State<D::Side>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The one way to change the machine: the lock is held for the mutation and the draining of its outputs, which are
    /// carried out after it is released.
    pub(crate) fn with<T>(self: &Arc<Self>, mutate: impl FnOnce(&mut State<D::Side>, Instant) -> T) -> T {
        let mut wakers = Vec::new();
        let mut asked_back = Vec::new();
        let mut outputs = Vec::new();
        let mut state = self.lock();
        let now = self.clock.now();
        let result = mutate(&mut state, now);
        while let Some(output) = state.machine.poll_output() {
            match output {
                Output::Wake(waiter) => wakers.extend(state.wakers.remove(&waiter)),
                Output::AskBack(key) => asked_back.extend(state.machine.connection(key).cloned()),
                other => outputs.push(other),
            }
        }
        let is_closed = state.machine.is_closed();
        let active = state.machine.active();
        if active > 0 || is_closed {
            wakers.extend(std::mem::take(&mut state.observers).into_values());
        }
        self.gauges.store(&state.machine);
        let due = state.machine.poll_timeout();
        let rearm = is_closed || due.is_some_and(|due| state.armed.is_none_or(|armed| due < armed));
        drop(state);

        if rearm {
            self.timer.wake();
        }
        for waker in wakers {
            waker.wake();
        }
        for slot in asked_back {
            slot.ask_back(now);
        }
        for output in outputs {
            self.perform(output);
        }
        result
    }

    fn perform(self: &Arc<Self>, output: Output<Arc<Slot>>) {
        match output {
            Output::Close { connection, reason } => {
                tracing::debug!(id = %connection.id(), %reason, "connection evicted");
                self.driven.observe_close(reason);
                connection.dispose(&*self.background, &self.clock, self.close_timeout);
            }
            Output::Round { idle, dialing, capacity, interval } => {
                tracing::trace!(idle, dialing, capacity, ?interval, "round");
            }
            other => D::perform(self, other),
        }
    }
}

impl<D: Driven> fmt::Debug for Shared<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("gauges", &self.gauges).finish_non_exhaustive()
    }
}
