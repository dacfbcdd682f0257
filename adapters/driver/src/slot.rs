//! A pooled connection, shared by who watches it and who takes it.

use std::future::poll_fn;
use std::sync::{Arc, PoisonError, Weak};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use futures::task::AtomicWaker;
use npws_core::{CloseReason, ConnectionId, ConnectionKey, Instant, Pool as Machine, Side};

use crate::clock::Clock;
use crate::early_data::Share;
use crate::link_timers::Alarm;
use crate::runtime::Background;
use crate::sentinel::Sentinel;
use crate::shared::{Driven, Shared};
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::{Mutex, MutexGuard};
use crate::wire::{WatchEvent, Wire};

/// What the machine holds for a connection. Taking moves the connection out; its watcher then ends by itself.
///
/// All that is looked at to find that nothing has happened lies in one place: most connections have not been touched for
/// long, and each place is a wait for memory.
#[derive(Debug)]
pub(crate) struct Slot {
    id: ConnectionId,
    /// Whether the socket or somebody else rang since somebody looked.
    has_rung: AtomicBool,
    /// Whether the pool's sentinel will tell of the next that comes to the socket.
    is_posted: AtomicBool,
    /// Whether the sentinel has heard of the socket.
    is_known: AtomicBool,
    state: Mutex<State>,
    watcher: AtomicWaker,
    /// Rings. It is what the socket wakes, whoever asked it last.
    bell: Waker,
}

/// The socket belongs to the slot, and must not keep it.
struct Bell(Weak<Slot>);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if let Some(slot) = self.0.upgrade() {
            slot.ring();
        }
    }
}

#[derive(Debug)]
struct State {
    wire: Option<Box<Wire>>,
    /// The deadline for which the pool's timer will wake the watcher, and its alarm.
    armed: Option<(Instant, Alarm)>,
    /// Whether it holds a share of the pool's early data.
    has_share: bool,
}

/// What is found of a connection at the moment when it is to be handed out.
#[derive(Debug)]
pub(crate) enum Handover {
    /// With what it held of the pool's early data, which is the others' once that is dropped.
    Alive(Box<Wire>, Option<Share>),
    /// Its peer has not been heard of for longer than wanted.
    Stale,
    /// Something happened to it that the machine does not know yet.
    Event(WatchEvent),
}

impl Slot {
    /// A connection whose ID step is done.
    pub(crate) fn new(id: ConnectionId, wire: Box<Wire>) -> Arc<Self> {
        Arc::new_cyclic(|slot| Self {
            id,
            // Nobody has looked yet.
            has_rung: AtomicBool::new(true),
            is_posted: AtomicBool::new(false),
            is_known: AtomicBool::new(false),
            state: Mutex::new(State { wire: Some(wire), armed: None, has_share: false }),
            watcher: AtomicWaker::new(),
            bell: Waker::from(Arc::new(Bell(slot.clone()))),
        })
    }

    pub(crate) fn id(&self) -> ConnectionId {
        self.id
    }

    fn ring(&self) {
        self.has_rung.store(true, Ordering::Release);
        self.watcher.wake();
    }

    /// The pool's sentinel told of it. Its watcher will hear of that from the runtime.
    pub(crate) fn tell(&self) {
        self.is_posted.store(false, Ordering::Release);
        self.has_rung.store(true, Ordering::Release);
    }

    /// Whether neither the runtime nor the sentinel had anything to tell since somebody looked.
    fn is_quiet(&self) -> bool {
        self.is_posted.load(Ordering::Acquire) && !self.has_rung.load(Ordering::Acquire)
    }

    /// Has `sentinel` tell of what comes to the socket, if it does not already. The next look is at what has come.
    fn post(&self, wire: &mut Wire, sentinel: &Sentinel) {
        // Said before it is so: what the sentinel tells meanwhile takes it back.
        if self.is_posted.swap(true, Ordering::AcqRel) {
            return;
        }
        let is_known = self.is_known.load(Ordering::Relaxed);
        if wire.post(sentinel, self.id, is_known) {
            self.is_known.store(true, Ordering::Relaxed);
            wire.ask_kernel();
        } else {
            self.is_posted.store(false, Ordering::Release);
        }
    }

    /// Sees what happens on `wire`, and has it ring for what happens from now on.
    fn look(&self, wire: &mut Wire, now: Instant) -> Poll<WatchEvent> {
        // Acquires what was done before the last ring, which is looked at now and does not ring again.
        self.has_rung.swap(false, Ordering::AcqRel);
        let polled = wire.poll_watch(&mut Context::from_waker(&self.bell), now);
        if polled.is_ready() {
            self.has_rung.store(true, Ordering::Release);
        }
        polled
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at the connection one last time, since its watcher may not have run yet, and moves it out if it lives.
    ///
    /// It need not be touched if the sentinel has `told_all` and nothing of it. With `max_staleness`, not one of a v2
    /// peer that has not been heard of for longer, or for too long anyway.
    pub(crate) fn hand_over(&self, now: Instant, told_all: bool, max_staleness: Option<Duration>) -> Handover {
        let handover = self.look_again(&mut self.lock(), now, told_all, max_staleness);
        // Its watcher has more to do, unless it is over: then whoever takes need not wait for it to be woken.
        if !matches!(handover, Handover::Alive(..)) {
            self.ring();
        }
        handover
    }

    fn look_again(&self, state: &mut State, now: Instant, told_all: bool, max_staleness: Option<Duration>) -> Handover {
        let closed = |reason| Handover::Event(WatchEvent::Closed(reason));
        let Some(mut wire) = state.wire.take() else { return closed(CloseReason::Taken) };
        // No deadline of its own comes before the one that is armed, if one is.
        let due = state.armed.map_or_else(|| wire.poll_timeout(), |(armed, _)| Some(armed));
        let is_due = due.is_some_and(|due| due <= now);
        let handover = if told_all && self.is_quiet() && !is_due {
            debug_assert!(wire.death().is_none(), "the machine knows of it");
            None
        } else {
            // Although nothing may have rung: the socket can know of an end that the runtime has not come to yet.
            wire.ask_kernel();
            let found = self.look(&mut wire, now);
            state.has_share = wire.has_share();
            match (found, wire.death()) {
                (Poll::Ready(event), _) => Some(Handover::Event(event)),
                (Poll::Pending, death) => death.map(closed),
            }
        };
        let is_stale = || max_staleness.is_some_and(|max| wire.is_stale(now, max));
        match handover.or_else(|| is_stale().then_some(Handover::Stale)) {
            Some(handover) => {
                state.wire = Some(wire);
                handover
            }
            None => {
                let share = if state.has_share { wire.release_share() } else { None };
                Handover::Alive(wire, share)
            }
        }
    }

    /// Ends the watcher of a connection that was taken, if nothing has ended it before.
    pub(crate) fn end_watch(&self) {
        self.ring();
    }

    /// Asks the peer for a sign of life. Says whether one can be counted on.
    pub(crate) fn probe(&self, now: Instant) -> bool {
        let will_tell = self.lock().wire.as_mut().is_some_and(|wire| wire.probe(now));
        self.ring();
        will_tell
    }

    /// The pool is being drained: asks the peer to give the connection up.
    pub(crate) fn ask_back(&self, now: Instant) {
        if let Some(wire) = &mut self.lock().wire {
            wire.drain(now);
        }
        self.ring();
    }

    /// The pool's timer says that a deadline of this connection has come.
    pub(crate) fn wake_for_deadline(&self, alarm: Alarm) {
        // An earlier one may have been armed meanwhile.
        self.lock().armed.take_if(|(_, armed)| *armed == alarm);
        self.ring();
    }

    /// Ends a connection that left the pool: a live one with a close frame, within `timeout` and in the background.
    pub(crate) fn dispose(&self, background: &dyn Background, clock: &Clock, timeout: Duration) {
        let wire = self.lock().wire.take();
        self.ring();
        if let Some(wire) = wire.filter(|wire| wire.end().is_none()) {
            let clock = clock.clone();
            background.spawn(Box::pin(async move { wire.close(&clock, timeout).await }));
        }
    }
}

/// Reads an idle connection for as long as it is in the pool, and tells the machine what happens to it.
pub(crate) async fn watch<D: Driven>(shared: Arc<Shared<D>>, slot: Arc<Slot>, key: ConnectionKey) {
    while let Some(event) = poll_fn(|cx| poll_watch(&shared, &slot, cx)).await {
        shared.with(|state, now| report(&mut state.machine, now, key, event));
    }
}

/// Tells the machine what happened to a connection.
pub(crate) fn report<S: Side<Arc<Slot>>>(
    machine: &mut Machine<Arc<Slot>, S>,
    now: Instant,
    key: ConnectionKey,
    event: WatchEvent,
) {
    match event {
        WatchEvent::Claimed => machine.handle_claimed(now, key),
        WatchEvent::Retained(_) => machine.handle_retained(now, key),
        WatchEvent::Proved => machine.handle_proved(now, key),
        WatchEvent::RoundTrip(time) => machine.handle_round_trip(time),
        WatchEvent::Closed(reason) => machine.handle_closed(now, key, reason),
    }
}

fn poll_watch<D: Driven>(shared: &Shared<D>, slot: &Arc<Slot>, cx: &mut Context<'_>) -> Poll<Option<WatchEvent>> {
    slot.watcher.register(cx.waker());
    let mut guard = slot.lock();
    let now = shared.clock.now();
    let state = &mut *guard;
    let Some(wire) = &mut state.wire else {
        if let Some((_, alarm)) = state.armed.take() {
            shared.link_timers.remove(alarm);
        }
        return Poll::Ready(None);
    };
    slot.post(wire, &shared.sentinel);
    if wire.poll_timeout().is_some_and(|due| due <= now) {
        // A program that was stopped may come to its timers before it hears of its sockets.
        wire.ask_kernel();
    }
    let polled = slot.look(wire, now);
    state.has_share = wire.has_share();
    if polled.is_ready() {
        return polled.map(Some);
    }
    let due = wire.poll_timeout();
    // A deadline that moved back needs nothing: the timer wakes the watcher early, and it arms the later one then.
    let Some(due) = due.filter(|due| state.armed.is_none_or(|(armed, _)| *due < armed)) else { return Poll::Pending };
    let (alarm, is_first) = shared.link_timers.insert(now, due, slot);
    if let Some((_, later)) = state.armed.replace((due, alarm)) {
        shared.link_timers.remove(later);
    }
    drop(guard);
    if is_first {
        shared.timer.wake();
    }
    Poll::Pending
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use npws_core::{Accepting, EarlyDataBudget, LinkConfig, Output, PeerGeneration, ServerConfig};

    use super::*;
    use crate::early_data::EarlyData;
    use crate::testing::{End, ID, TestTime, established_client, frame};

    struct Bare;

    impl Driven for Bare {
        type Side = Accepting<fn() -> [u8; 4]>;

        fn local_addr(&self) -> Option<SocketAddr> {
            None
        }

        fn perform(_: &Arc<Shared<Self>>, _: Output<Arc<Slot>>) {}
    }

    fn shared() -> Arc<Shared<Bare>> {
        let ids: fn() -> [u8; 4] = || [0, 0, 0, 1];
        let machine = Machine::<_, Accepting<_>>::new(ServerConfig::default(), ids, 7).unwrap();
        let time = TestTime::new();
        Shared::new(machine, time.clock(), Arc::new(time), Duration::from_secs(1), None, Bare)
    }

    /// A connection with a deadline. Its peer stays as long as the end.
    fn watched(shared: &Shared<Bare>) -> (Arc<Slot>, End) {
        let (wire, far) = established_client(PeerGeneration::V2, LinkConfig::default());
        let slot = Slot::new(ID, Box::new(wire));
        assert!(poll(shared, &slot).is_pending());
        (slot, far)
    }

    fn poll(shared: &Shared<Bare>, slot: &Arc<Slot>) -> Poll<Option<WatchEvent>> {
        poll_watch(shared, slot, &mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn the_timers_forget_a_connection_that_was_taken_or_closed() {
        let shared = shared();
        let (taken, _far) = watched(&shared);
        let (closed, _far) = watched(&shared);
        assert!(shared.link_timers.first().is_some());
        assert!(matches!(taken.hand_over(shared.clock.now(), false, None), Handover::Alive(..)));
        closed.dispose(&*shared.background, &shared.clock, shared.close_timeout);
        for slot in [taken, closed] {
            assert_eq!(poll(&shared, &slot), Poll::Ready(None));
            assert_eq!(Arc::weak_count(&slot), 1, "only its own bell knows it");
        }
        assert_eq!(shared.link_timers.first(), None);
    }

    #[test]
    fn a_connection_has_one_deadline_at_a_time() {
        let shared = shared();
        let (slot, _far) = watched(&shared);
        let first = shared.link_timers.first().unwrap();
        assert!(slot.probe(shared.clock.now()));
        assert!(poll(&shared, &slot).is_pending());
        let sooner = shared.link_timers.first().unwrap();
        assert!(sooner < first, "the answer is due before the next look");
        assert_eq!(Arc::weak_count(&slot), 2);
        shared.link_timers.fire(sooner);
        assert_eq!(shared.link_timers.first(), None);
        assert!(poll(&shared, &slot).is_pending());
        assert!(shared.link_timers.first().is_some(), "it is armed again");
    }
    #[test]
    fn a_connection_to_which_nothing_has_come_is_not_asked_again() {
        for keepalive in [None, Some(Duration::from_secs(30))] {
            for told_all in [false, true] {
                let shared = shared();
                let config = LinkConfig { keepalive, max_idle_age: None, ..LinkConfig::default() };
                let (wire, far) = established_client(PeerGeneration::V2, config);
                let slot = Slot::new(ID, Box::new(wire));
                assert!(poll(&shared, &slot).is_pending());
                // As if a sentinel would have told.
                slot.is_posted.store(true, Ordering::Relaxed);
                let before = far.reads();
                assert!(matches!(slot.hand_over(shared.clock.now(), told_all, None), Handover::Alive(..)));
                assert_eq!(far.reads() > before, !told_all, "{keepalive:?}");
            }
        }
    }

    #[test]
    fn what_a_taken_connection_holds_of_the_early_data_is_the_others_before_it_is_used() {
        for told_all in [false, true] {
            let (shared, pool) = (shared(), EarlyData::new(2 * EarlyDataBudget::<u64>::STEP));
            let waiting = [(); 2].map(|()| {
                let (wire, mut far) = established_client(PeerGeneration::V2, LinkConfig::default());
                far.send(&frame(0x82, &[7; 1000]).repeat(20));
                (Slot::new(ID, Box::new(wire.sharing(pool.share()))), far)
            });
            let [(first, _far), (second, far)] = waiting;
            while poll(&shared, &first).is_ready() {}
            while poll(&shared, &second).is_ready() {}
            let unread = far.unread();
            assert!(unread > 0, "it waits at the peer");
            // As if a sentinel would have told.
            first.is_posted.store(told_all, Ordering::Relaxed);
            let handover = first.hand_over(shared.clock.now(), told_all, None);
            assert!(matches!(handover, Handover::Alive(..)));
            drop(handover);
            while poll(&shared, &second).is_ready() {}
            assert!(far.unread() < unread, "{told_all}");
        }
    }
}
