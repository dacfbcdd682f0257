//! The connections of a pool: one map by ID, one index by age.

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::vec::Vec;

use super::waiters::WaiterId;
use crate::{CloseReason, ConnectionId, Instant, PeerGeneration};

/// Older tombstones are dropped early rather than let a churning peer grow the pool's memory.
const MAX_TOMBSTONES: usize = 65_536;

/// One registered connection, told apart from an earlier or later one with the same ID.
///
/// ```
/// # use npws_core::{ClientConfig, ClientPool, ConnectionId, Instant, Output, PeerGeneration};
/// # let mut pool = ClientPool::<()>::new(ClientConfig::default(), 1, Instant::ZERO)?;
/// # pool.handle_timeout(Instant::ZERO);
/// # let Some(Output::Dial(dial)) = pool.poll_output() else { panic!() };
/// let id = ConnectionId::from_bytes([0, 0, 0, 7]);
/// let key = pool.handle_dialed(Instant::ZERO, dial, id, PeerGeneration::V1, ()).unwrap();
/// assert_eq!(key.id(), id);
/// # Ok::<(), npws_core::ConfigError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionKey {
    age: u64,
    id: ConnectionId,
}

impl ConnectionKey {
    /// The connection's ID.
    ///
    /// ```
    /// # use npws_core::{ConnectionId, ConnectionKey};
    /// fn is_control(key: ConnectionKey) -> bool {
    ///     key.id() == ConnectionId::CONTROL
    /// }
    /// ```
    #[must_use]
    pub fn id(self) -> ConnectionId {
        self.id
    }
}

/// What a registered connection is to the pool while nobody is offered it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    Idle,
    /// Idle, but not to be handed out: it is being proved alive, or asked back.
    Held,
    Claimed,
    Retained {
        until: Instant,
    },
}

#[derive(Debug)]
struct Entry<C> {
    age: u64,
    peer: PeerGeneration,
    standing: Standing,
    /// When its peer took it, counted in claims.
    turn: Option<u64>,
    offered_to: Option<WaiterId>,
    connection: C,
}

impl<C> Entry<C> {
    fn is_idle(&self) -> bool {
        self.standing == Standing::Idle && self.offered_to.is_none()
    }
}

/// How many connections stand where, and how many ever came and went.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) idle: usize,
    pub(super) offered: usize,
    pub(super) claimed: usize,
    pub(super) retained: usize,
    pub(super) taken: usize,
    pub(super) registered_total: u64,
    pub(super) taken_total: u64,
    pub(super) closed_total: u64,
}

/// A connection that left the registry without being taken.
#[derive(Debug)]
pub(super) struct Evicted<C> {
    pub(super) connection: C,
    pub(super) offered_to: Option<WaiterId>,
}

#[derive(Debug)]
pub(super) struct Registry<C> {
    by_id: BTreeMap<ConnectionId, Entry<C>>,
    idle: BTreeMap<u64, ConnectionId>,
    /// What the peer took and nobody is offered, in the order in which it did.
    acceptable: BTreeMap<u64, ConnectionKey>,
    retained: BTreeSet<(Instant, ConnectionKey)>,
    taken: BTreeSet<(ConnectionId, u64)>,
    tombstones: BTreeMap<ConnectionId, (Instant, CloseReason)>,
    burials: VecDeque<(Instant, ConnectionId)>,
    closed_by: BTreeMap<CloseReason, u64>,
    offered: usize,
    held: usize,
    claimed: usize,
    next_age: u64,
    next_turn: u64,
    /// How many connections had come when the youngest that died idle did.
    youngest_death: u64,
    taken_total: u64,
    closed_total: u64,
}

impl<C> Registry<C> {
    pub(super) fn new() -> Self {
        Self {
            by_id: BTreeMap::new(),
            idle: BTreeMap::new(),
            acceptable: BTreeMap::new(),
            retained: BTreeSet::new(),
            taken: BTreeSet::new(),
            tombstones: BTreeMap::new(),
            burials: VecDeque::new(),
            closed_by: BTreeMap::new(),
            offered: 0,
            held: 0,
            claimed: 0,
            next_age: 0,
            next_turn: 0,
            youngest_death: 0,
            taken_total: 0,
            closed_total: 0,
        }
    }

    pub(super) fn counts(&self) -> Counts {
        Counts {
            idle: self.idle.len() + self.held,
            offered: self.offered,
            claimed: self.claimed,
            retained: self.retained.len(),
            taken: self.taken.len(),
            registered_total: self.next_age,
            taken_total: self.taken_total,
            closed_total: self.closed_total,
        }
    }

    pub(super) fn closed_by(&self) -> &BTreeMap<CloseReason, u64> {
        &self.closed_by
    }

    /// Adds an idle connection. The caller has evicted what stood under the same ID.
    pub(super) fn register(&mut self, id: ConnectionId, peer: PeerGeneration, connection: C) -> ConnectionKey {
        let age = self.next_age;
        self.next_age += 1;
        let entry = Entry { age, peer, standing: Standing::Idle, turn: None, offered_to: None, connection };
        let former = self.by_id.insert(id, entry);
        debug_assert!(former.is_none(), "{id} is registered twice");
        self.idle.insert(age, id);
        self.tombstones.remove(&id);
        ConnectionKey { age, id }
    }

    /// The connection that stands under `id`, if it is to be had and offered to nobody.
    pub(super) fn available(&self, id: ConnectionId) -> Option<ConnectionKey> {
        let entry = self.by_id.get(&id)?;
        let is_free = entry.offered_to.is_none() && entry.standing != Standing::Held;
        is_free.then_some(ConnectionKey { age: entry.age, id })
    }

    pub(super) fn registered(&self, id: ConnectionId) -> Option<ConnectionKey> {
        self.by_id.get(&id).map(|entry| ConnectionKey { age: entry.age, id })
    }

    pub(super) fn is_taken(&self, id: ConnectionId) -> bool {
        self.taken.range((id, 0)..=(id, u64::MAX)).next().is_some()
    }

    /// Idle connections, oldest first.
    pub(super) fn idle(&self) -> impl DoubleEndedIterator<Item = ConnectionKey> + '_ {
        self.idle.iter().map(|(&age, &id)| ConnectionKey { age, id })
    }

    /// How many connections can be handed out as next.
    pub(super) fn available_count(&self) -> usize {
        self.idle.len()
    }

    /// What the peer has taken and nobody here is offered, first taken first.
    pub(super) fn acceptable(&self) -> impl Iterator<Item = ConnectionKey> + '_ {
        self.acceptable.values().copied()
    }

    /// The oldest idle connection whose peer would notice that we close it.
    pub(super) fn oldest_closable(&self, spare: Option<ConnectionId>) -> Option<ConnectionKey> {
        self.idle().find(|key| {
            Some(key.id) != spare && self.by_id.get(&key.id).is_some_and(|entry| entry.peer == PeerGeneration::V2)
        })
    }

    /// Everything not yet taken, oldest first; only idle connections of `peer`'s generation if one is named.
    pub(super) fn keys(&self, idle_of: Option<PeerGeneration>) -> Vec<ConnectionKey> {
        let mut keys: Vec<_> = self
            .by_id
            .iter()
            .filter(|(_, entry)| idle_of.is_none_or(|peer| entry.is_idle() && entry.peer == peer))
            .map(|(&id, entry)| ConnectionKey { age: entry.age, id })
            .collect();
        keys.sort_unstable();
        keys
    }

    fn entry(&mut self, key: ConnectionKey) -> Option<&mut Entry<C>> {
        self.by_id.get_mut(&key.id).filter(|entry| entry.age == key.age)
    }

    pub(super) fn connection(&self, key: ConnectionKey) -> Option<&C> {
        self.by_id.get(&key.id).filter(|entry| entry.age == key.age).map(|entry| &entry.connection)
    }

    pub(super) fn offer(&mut self, key: ConnectionKey, waiter: WaiterId) {
        let Some(entry) = self.entry(key) else { return };
        debug_assert!(entry.offered_to.is_none(), "{key:?} is offered twice");
        entry.offered_to = Some(waiter);
        let (standing, turn) = (entry.standing, entry.turn);
        self.count_out(key, standing, turn);
        self.offered += 1;
    }

    /// Takes an offer back: the connection returns to its old place in the order.
    pub(super) fn withdraw(&mut self, key: ConnectionKey) {
        let Some(entry) = self.entry(key) else { return };
        if entry.offered_to.take().is_none() {
            return;
        }
        let (standing, turn) = (entry.standing, entry.turn);
        self.offered -= 1;
        self.count_in(key, standing, turn);
    }

    /// Changes what the connection is to the pool; says to whom it is offered.
    pub(super) fn set_standing(&mut self, key: ConnectionKey, standing: Standing) -> Option<WaiterId> {
        let next_turn = self.next_turn;
        let entry = self.entry(key)?;
        let former = core::mem::replace(&mut entry.standing, standing);
        let offered_to = entry.offered_to;
        let former_turn = entry.turn;
        let is_claim = former_turn.is_none() && !matches!(standing, Standing::Idle | Standing::Held);
        if is_claim {
            entry.turn = Some(next_turn);
        }
        let turn = entry.turn;
        self.next_turn += u64::from(is_claim);
        if offered_to.is_none() {
            self.count_out(key, former, former_turn);
            self.count_in(key, standing, turn);
        }
        offered_to
    }

    pub(super) fn standing(&self, key: ConnectionKey) -> Option<Standing> {
        self.by_id.get(&key.id).filter(|entry| entry.age == key.age).map(|entry| entry.standing)
    }

    pub(super) fn take(&mut self, key: ConnectionKey) -> Option<(C, PeerGeneration)> {
        let entry = self.remove(key)?;
        self.taken.insert((key.id, key.age));
        self.taken_total += 1;
        Some((entry.connection, entry.peer))
    }

    /// A taken connection is no more; says whether it was known as taken.
    pub(super) fn release(&mut self, key: ConnectionKey) -> bool {
        self.taken.remove(&(key.id, key.age))
    }

    /// Whether a connection that came after the first `seasoned` ended idle, and not by our own will.
    pub(super) fn died_since(&self, seasoned: u64) -> bool {
        self.youngest_death > seasoned
    }

    pub(super) fn evict(&mut self, key: ConnectionKey, reason: CloseReason) -> Option<Evicted<C>> {
        let entry = self.remove(key)?;
        self.closed_total += 1;
        let is_ours = matches!(reason, CloseReason::Flushed | CloseReason::Surplus);
        if entry.standing == Standing::Idle && !is_ours {
            self.youngest_death = self.youngest_death.max(key.age + 1);
        }
        // The peer chooses the code: counted apart, 65,536 of them could fill the map.
        let counted = if let CloseReason::PeerClosed(_) = reason { CloseReason::PeerClosed(None) } else { reason };
        *self.closed_by.entry(counted).or_default() += 1;
        Some(Evicted { connection: entry.connection, offered_to: entry.offered_to })
    }

    fn remove(&mut self, key: ConnectionKey) -> Option<Entry<C>> {
        self.entry(key)?;
        let entry = self.by_id.remove(&key.id)?;
        if entry.offered_to.is_some() {
            self.offered -= 1;
        } else {
            self.count_out(key, entry.standing, entry.turn);
        }
        Some(entry)
    }

    fn count_in(&mut self, key: ConnectionKey, standing: Standing, turn: Option<u64>) {
        match standing {
            Standing::Idle => drop(self.idle.insert(key.age, key.id)),
            Standing::Held => self.held += 1,
            Standing::Claimed => self.claimed += 1,
            Standing::Retained { until } => drop(self.retained.insert((until, key))),
        }
        if let Some(turn) = turn {
            self.acceptable.insert(turn, key);
        }
    }

    fn count_out(&mut self, key: ConnectionKey, standing: Standing, turn: Option<u64>) {
        match standing {
            Standing::Idle => drop(self.idle.remove(&key.age)),
            Standing::Held => self.held -= 1,
            Standing::Claimed => self.claimed -= 1,
            Standing::Retained { until } => drop(self.retained.remove(&(until, key))),
        }
        if let Some(turn) = turn {
            self.acceptable.remove(&turn);
        }
    }

    /// The retained connection whose limit ends first.
    pub(super) fn next_retained(&self) -> Option<(Instant, ConnectionKey)> {
        self.retained.first().copied()
    }

    /// Remembers until `until` why `id` cannot be taken any more.
    pub(super) fn bury(&mut self, now: Instant, id: ConnectionId, reason: CloseReason, until: Instant) {
        self.tombstones.insert(id, (until, reason));
        self.burials.push_back((until, id));
        while self.burials.len() > MAX_TOMBSTONES || self.burials.front().is_some_and(|(until, _)| *until <= now) {
            let Some((expired, id)) = self.burials.pop_front() else { break };
            if self.tombstones.get(&id).is_some_and(|(until, _)| *until == expired) {
                self.tombstones.remove(&id);
            }
        }
    }

    pub(super) fn tombstone(&self, now: Instant, id: ConnectionId) -> Option<CloseReason> {
        self.tombstones.get(&id).filter(|(until, _)| *until > now).map(|(_, reason)| *reason)
    }

    pub(super) fn unbury(&mut self, id: ConnectionId) {
        self.tombstones.remove(&id);
    }

    /// Panics unless every index agrees with the map and no connection was lost or doubled.
    pub(super) fn assert_consistent(&self) {
        let counts = self.counts();
        let present = counts.idle + counts.offered + counts.claimed + counts.retained;
        assert_eq!(self.by_id.len(), present, "an index disagrees with the map");
        assert_eq!(
            counts.registered_total,
            present as u64 + counts.taken_total + counts.closed_total,
            "a connection was lost or doubled"
        );
        for (&id, entry) in &self.by_id {
            let key = ConnectionKey { age: entry.age, id };
            assert_eq!(self.idle.get(&entry.age) == Some(&id), entry.is_idle(), "{key:?} in the idle index");
            let retained = match entry.standing {
                Standing::Retained { until } => entry.offered_to.is_none() && self.retained.contains(&(until, key)),
                _ => false,
            };
            let expected = entry.offered_to.is_none() && matches!(entry.standing, Standing::Retained { .. });
            assert_eq!(retained, expected, "{key:?} in the retained index");
            let turn = entry.turn.filter(|_| entry.offered_to.is_none());
            let acceptable = entry.turn.is_some_and(|turn| self.acceptable.get(&turn) == Some(&key));
            assert_eq!(acceptable, turn.is_some(), "{key:?} in the index of what can be accepted");
        }
    }
}
