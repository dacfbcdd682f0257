//! Idle connections in the order in which they came, kept apart by who may take them.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, btree_map};
use core::cmp::Ordering;

use super::registry::ConnectionKey;
use crate::{ConnectionId, PeerGeneration, PeerHeader, Role, may_take};

/// Who may take a connection by `take_next`, and who notices when it is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Lane {
    /// Nobody: it is reserved for takes by its ID.
    ById,
    /// Whoever takes next here; a v1 peer would not notice that it is closed.
    V1,
    /// Whoever takes next here.
    V2,
    /// Both ends take next, and this ID is ours.
    Ours,
    /// Both ends take next, and this ID is the peer's.
    Theirs,
}

const LANES: usize = 5;
/// Those that `take_next` looks at.
const NEXT: [Lane; 3] = [Lane::V1, Lane::V2, Lane::Ours];

impl Lane {
    pub(super) fn of(role: Role, opens: bool, peer: PeerHeader, id: ConnectionId) -> Self {
        match peer.generation {
            PeerGeneration::V1 => Self::V1,
            PeerGeneration::V2 if !(opens && peer.opens) => Self::V2,
            PeerGeneration::V2 if may_take(role, true, id) => Self::Ours,
            PeerGeneration::V2 => Self::Theirs,
        }
    }
}

/// How many connections there are in each lane.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Sizes([usize; LANES]);

impl Sizes {
    pub(super) fn add(&mut self, lane: Lane) {
        self.0[lane as usize] += 1;
    }

    pub(super) fn subtract(&mut self, lane: Lane) {
        self.0[lane as usize] -= 1;
    }

    pub(super) fn of(self, lane: Lane) -> usize {
        self.0[lane as usize]
    }

    pub(super) fn total(self) -> usize {
        self.0.iter().sum()
    }

    /// Whether one end has connections to take and the other has none.
    pub(super) fn lack_a_half(self) -> bool {
        (self.of(Lane::Ours) == 0) != (self.of(Lane::Theirs) == 0)
    }

    /// On a server, whose half of the IDs has fewer connections; `None` if neither has.
    pub(super) fn smaller_half(self) -> Option<Role> {
        match self.of(Lane::Ours).cmp(&self.of(Lane::Theirs)) {
            Ordering::Less => Some(Role::Server),
            Ordering::Equal => None,
            Ordering::Greater => Some(Role::Client),
        }
    }
}

impl core::ops::Add for Sizes {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(core::array::from_fn(|lane| self.0[lane] + other.0[lane]))
    }
}

/// Connections of one lane that came one after the other: their ages differ in the last bits only.
#[derive(Debug)]
struct Run {
    /// A bit for each age.
    present: u64,
    ids: [ConnectionId; Self::LENGTH],
}

impl Run {
    const LENGTH: usize = u64::BITS as usize;

    /// Which run of its lane a connection of this age belongs to, and where it stands in that.
    fn place(age: u64) -> (u64, usize) {
        (age / u64::from(u64::BITS), (age % u64::from(u64::BITS)) as usize)
    }

    fn empty() -> Box<Self> {
        Box::new(Self { present: 0, ids: [ConnectionId::CONTROL; Self::LENGTH] })
    }

    fn at(&self, run: u64, place: u32) -> Option<ConnectionKey> {
        let id = *self.ids.get(place as usize)?;
        Some(ConnectionKey { age: run * u64::from(u64::BITS) + u64::from(place), id })
    }
}

/// The idle connections that can be handed out, each lane in the order in which they came, and the number of those that
/// are held back.
#[derive(Debug, Default)]
pub(super) struct Idle {
    /// By lane and run. None is empty.
    order: BTreeMap<(Lane, u64), Box<Run>>,
    held: Sizes,
    sizes: Sizes,
}

impl Idle {
    pub(super) fn insert(&mut self, lane: Lane, key: ConnectionKey) {
        let (run, place) = Run::place(key.age);
        let run = self.order.entry((lane, run)).or_insert_with(Run::empty);
        run.present |= 1 << place;
        run.ids[place] = key.id;
        self.sizes.add(lane);
    }

    pub(super) fn remove(&mut self, lane: Lane, key: ConnectionKey) {
        mutation!(HeadPopOnTakeById => return self.unlink(lane, self.oldest(lane).unwrap_or(key)));
        self.unlink(lane, key);
    }

    fn unlink(&mut self, lane: Lane, key: ConnectionKey) {
        let (run, place) = Run::place(key.age);
        if let Some(found) = self.order.get_mut(&(lane, run)) {
            found.present &= !(1 << place);
            if found.present == 0 {
                self.order.remove(&(lane, run));
            }
        }
        self.sizes.subtract(lane);
    }

    pub(super) fn hold(&mut self, lane: Lane) {
        self.held.add(lane);
    }

    pub(super) fn let_go(&mut self, lane: Lane) {
        self.held.subtract(lane);
    }

    pub(super) fn contains(&self, lane: Lane, key: ConnectionKey) -> bool {
        let (run, place) = Run::place(key.age);
        let found = self.order.get(&(lane, run));
        found.is_some_and(|run| run.present & (1 << place) != 0 && run.ids[place] == key.id)
    }

    /// How many can be handed out.
    pub(super) fn available(&self) -> usize {
        self.sizes.total()
    }

    /// How many there are in each lane, those that are held back among them.
    pub(super) fn sizes(&self) -> Sizes {
        self.sizes + self.held
    }

    /// How many of each lane are held back.
    pub(super) fn held(&self) -> Sizes {
        self.held
    }

    fn oldest(&self, lane: Lane) -> Option<ConnectionKey> {
        let ((_, number), run) = self.runs(lane).next()?;
        run.at(*number, run.present.trailing_zeros())
    }

    fn newest(&self, lane: Lane) -> Option<ConnectionKey> {
        let ((_, number), run) = self.runs(lane).next_back()?;
        run.at(*number, u64::BITS - 1 - run.present.leading_zeros())
    }

    fn runs(&self, lane: Lane) -> btree_map::Range<'_, (Lane, u64), Box<Run>> {
        self.order.range((lane, 0)..=(lane, u64::MAX))
    }

    /// The newest on the client, the oldest on the server: two ends that both take next rarely meet.
    pub(super) fn next(&self, role: Role) -> Option<ConnectionKey> {
        mutation!(ClientTakesOldest => if role == Role::Client { return self.next(Role::Server) });
        match role {
            Role::Client => NEXT.into_iter().filter_map(|lane| self.newest(lane)).max(),
            Role::Server => NEXT.into_iter().filter_map(|lane| self.oldest(lane)).min(),
        }
    }

    /// The oldest whose peer would notice that we close it. Of two halves it is the larger that can spare one, and
    /// neither its last.
    pub(super) fn oldest_closable(&self) -> Option<ConnectionKey> {
        let sizes = self.sizes();
        let can_spare = |lane: Lane, other: Lane| sizes.of(lane) > 1 && sizes.of(lane) >= sizes.of(other);
        let ours = can_spare(Lane::Ours, Lane::Theirs).then_some(Lane::Ours);
        let theirs = can_spare(Lane::Theirs, Lane::Ours).then_some(Lane::Theirs);
        [Some(Lane::V2), ours, theirs].into_iter().flatten().filter_map(|lane| self.oldest(lane)).min()
    }
}

impl From<PeerGeneration> for PeerHeader {
    /// A peer that does not open connections, or does not say so.
    fn from(generation: PeerGeneration) -> Self {
        Self { generation, opens: false }
    }
}
