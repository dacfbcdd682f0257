//! The connections of a pool: one map by ID, one index by age.

mod consistency;
mod taken;

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use core::net::IpAddr;
use core::num::NonZeroU64;

use hashbrown::hash_map::Entry as Slot;

use self::taken::InUse;
use super::idle::{Idle, Lane};
use super::waiters::WaiterId;
use crate::keyed::{Key, KeyedMap};
use crate::{CloseReason, ConnectionId, Instant, PeerGeneration};

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
    pub(super) age: u64,
    pub(super) id: ConnectionId,
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
    lane: Lane,
    /// Whose limits it counts towards.
    address: Option<IpAddr>,
    standing: Standing,
    /// When its peer took it, counted in claims.
    turn: Option<NonZeroU64>,
    offered_to: Option<WaiterId>,
    connection: C,
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
    by_id: KeyedMap<ConnectionId, Entry<C>>,
    pub(super) idle: Idle,
    /// What the peer took and nobody is offered, in the order in which it did.
    acceptable: BTreeMap<NonZeroU64, ConnectionKey>,
    retained: BTreeSet<(Instant, ConnectionKey)>,
    taken: InUse,
    /// The addresses of connections that left, taken or not, until somebody asks.
    departed: Vec<IpAddr>,
    closed_by: BTreeMap<CloseReason, u64>,
    offered: usize,
    claimed: usize,
    next_age: u64,
    next_turn: NonZeroU64,
    /// How many connections had come when the youngest that died idle did.
    youngest_death: u64,
    taken_total: u64,
    closed_total: u64,
}

impl<C> Registry<C> {
    pub(super) fn new(key: &Key) -> Self {
        Self {
            by_id: KeyedMap::with_hasher(key.clone()),
            idle: Idle::default(),
            acceptable: BTreeMap::new(),
            retained: BTreeSet::new(),
            taken: InUse::new(key.clone()),
            departed: Vec::new(),
            closed_by: BTreeMap::new(),
            offered: 0,
            claimed: 0,
            next_age: 0,
            next_turn: NonZeroU64::MIN,
            youngest_death: 0,
            taken_total: 0,
            closed_total: 0,
        }
    }

    /// How many connections the peer took and this side has not.
    pub(super) fn waiting_here(&self) -> usize {
        self.claimed + self.retained.len()
    }

    pub(super) fn counts(&self) -> Counts {
        Counts {
            idle: self.idle.sizes().total(),
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
    pub(super) fn register(
        &mut self,
        id: ConnectionId,
        peer: PeerGeneration,
        lane: Lane,
        address: Option<IpAddr>,
        connection: C,
    ) -> ConnectionKey {
        let key = ConnectionKey { age: self.next_age, id };
        self.next_age += 1;
        let entry = Entry {
            age: key.age,
            peer,
            lane,
            address,
            standing: Standing::Idle,
            turn: None,
            offered_to: None,
            connection,
        };
        let former = self.by_id.insert(id, entry);
        debug_assert!(former.is_none(), "{id} is registered twice");
        self.idle.insert(lane, key);
        key
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
        self.taken.contains_id(id)
    }

    /// What the peer has taken and nobody here is offered, first taken first.
    pub(super) fn acceptable(&self) -> impl Iterator<Item = ConnectionKey> + '_ {
        self.acceptable.values().copied()
    }

    /// Everything not yet taken, oldest first.
    pub(super) fn keys(&self) -> Vec<ConnectionKey> {
        self.keys_where(|_| true)
    }

    /// What a v2 peer could give back: everything that is idle, held back or not.
    pub(super) fn returnable(&self) -> Vec<ConnectionKey> {
        self.keys_where(|entry| {
            let is_idle = matches!(entry.standing, Standing::Idle | Standing::Held) && entry.offered_to.is_none();
            is_idle && entry.peer == PeerGeneration::V2
        })
    }

    /// Where the connections come from that count towards the limits of an address.
    pub(super) fn addresses(&self) -> impl Iterator<Item = IpAddr> + '_ {
        self.by_id.values().filter_map(|entry| entry.address)
    }

    fn keys_where(&self, is_wanted: impl Fn(&Entry<C>) -> bool) -> Vec<ConnectionKey> {
        let wanted = self.by_id.iter().filter(|(_, entry)| is_wanted(entry));
        let mut keys: Vec<_> = wanted.map(|(&id, entry)| ConnectionKey { age: entry.age, id }).collect();
        keys.sort_unstable();
        keys
    }

    fn entry(&mut self, key: ConnectionKey) -> Option<&mut Entry<C>> {
        self.by_id.get_mut(&key.id).filter(|entry| entry.age == key.age)
    }

    fn look(&self, key: ConnectionKey) -> Option<&Entry<C>> {
        self.by_id.get(&key.id).filter(|entry| entry.age == key.age)
    }

    pub(super) fn connection(&self, key: ConnectionKey) -> Option<&C> {
        self.look(key).map(|entry| &entry.connection)
    }

    pub(super) fn peer(&self, key: ConnectionKey) -> Option<PeerGeneration> {
        self.look(key).map(|entry| entry.peer)
    }

    pub(super) fn offered_to(&self, key: ConnectionKey) -> Option<WaiterId> {
        self.look(key).and_then(|entry| entry.offered_to)
    }

    pub(super) fn offer(&mut self, key: ConnectionKey, waiter: WaiterId) {
        let Some(entry) = self.entry(key) else { return };
        debug_assert!(entry.offered_to.is_none(), "{key:?} is offered twice");
        entry.offered_to = Some(waiter);
        mutation!(DoubleDelivery => return entry.offered_to = None);
        let (lane, standing, turn) = (entry.lane, entry.standing, entry.turn);
        self.count_out(key, lane, standing, turn);
        self.offered += 1;
    }

    /// Takes an offer back: the connection returns to its old place in the order.
    pub(super) fn withdraw(&mut self, key: ConnectionKey) {
        let Some(entry) = self.entry(key) else { return };
        if entry.offered_to.take().is_none() {
            return;
        }
        let (lane, standing, turn) = (entry.lane, entry.standing, entry.turn);
        self.offered -= 1;
        self.count_in(key, lane, standing, turn);
    }

    /// Changes what the connection is to the pool; says to whom it is offered.
    pub(super) fn set_standing(&mut self, key: ConnectionKey, standing: Standing) -> Option<WaiterId> {
        let next_turn = self.next_turn;
        let entry = self.entry(key)?;
        let former = core::mem::replace(&mut entry.standing, standing);
        let offered_to = entry.offered_to;
        let (lane, former_turn) = (entry.lane, entry.turn);
        let is_claim = former_turn.is_none() && !matches!(standing, Standing::Idle | Standing::Held);
        if is_claim {
            entry.turn = Some(next_turn);
        }
        let turn = entry.turn;
        self.next_turn = next_turn.saturating_add(u64::from(is_claim));
        if offered_to.is_none() {
            self.count_out(key, lane, former, former_turn);
            self.count_in(key, lane, standing, turn);
        }
        offered_to
    }

    pub(super) fn standing(&self, key: ConnectionKey) -> Option<Standing> {
        self.look(key).map(|entry| entry.standing)
    }

    pub(super) fn take(&mut self, key: ConnectionKey) -> Option<(C, PeerGeneration)> {
        let entry = self.remove(key)?;
        self.taken.insert(key);
        self.taken_total += 1;
        Some((entry.connection, entry.peer))
    }

    /// A taken connection is no more; says whether it was known as taken.
    pub(super) fn release(&mut self, key: ConnectionKey) -> bool {
        self.taken.remove(key)
    }

    /// Whether a connection that came after the first `seasoned` ended idle, and not by our own will.
    pub(super) fn died_since(&self, seasoned: u64) -> bool {
        self.youngest_death > seasoned
    }

    pub(super) fn evict(&mut self, key: ConnectionKey, reason: CloseReason) -> Option<Evicted<C>> {
        let entry = self.remove(key)?;
        self.closed_total += 1;
        mutation!(ConservationSlip => self.closed_total -= 1);
        let is_ours = matches!(reason, CloseReason::Flushed | CloseReason::Surplus | CloseReason::IdleAge);
        if matches!(entry.standing, Standing::Idle | Standing::Held) && !is_ours {
            self.youngest_death = self.youngest_death.max(key.age + 1);
        }
        // The peer chooses the code: counted apart, 65,536 of them could fill the map.
        let counted = if let CloseReason::PeerClosed(_) = reason { CloseReason::PeerClosed(None) } else { reason };
        *self.closed_by.entry(counted).or_default() += 1;
        Some(Evicted { connection: entry.connection, offered_to: entry.offered_to })
    }

    /// The addresses of those that left since the last time, each as often as it did.
    pub(super) fn departed(&mut self) -> Vec<IpAddr> {
        core::mem::take(&mut self.departed)
    }

    fn remove(&mut self, key: ConnectionKey) -> Option<Entry<C>> {
        let Slot::Occupied(found) = self.by_id.entry(key.id) else { return None };
        if found.get().age != key.age {
            mutation!(AgeIgnored => return Some(found.remove()));
            return None;
        }
        let entry = found.remove();
        self.departed.extend(entry.address);
        if entry.offered_to.is_some() {
            self.offered -= 1;
        } else {
            self.count_out(key, entry.lane, entry.standing, entry.turn);
        }
        Some(entry)
    }

    fn count_in(&mut self, key: ConnectionKey, lane: Lane, standing: Standing, turn: Option<NonZeroU64>) {
        match standing {
            Standing::Idle => self.idle.insert(lane, key),
            Standing::Held => self.idle.hold(lane),
            Standing::Claimed => self.claimed += 1,
            Standing::Retained { until } => drop(self.retained.insert((until, key))),
        }
        if let Some(turn) = turn {
            self.acceptable.insert(turn, key);
        }
    }

    fn count_out(&mut self, key: ConnectionKey, lane: Lane, standing: Standing, turn: Option<NonZeroU64>) {
        match standing {
            Standing::Idle => self.idle.remove(lane, key),
            Standing::Held => self.idle.let_go(lane),
            Standing::Claimed => self.claimed -= 1,
            Standing::Retained { until } => drop(self.retained.remove(&(until, key))),
        }
        if let Some(turn) = turn {
            self.acceptable.remove(&turn);
        }
    }

    /// The retained connection whose limit ends first.
    pub(super) fn next_retained(&self) -> Option<(Instant, ConnectionKey)> {
        mutation!(RetentionForgotten => return None);
        self.retained.first().copied()
    }
}
