//! What has to hold of a registry at any time.

use super::{ConnectionKey, Registry, Standing};
use crate::PeerGeneration;
use crate::pool::idle::Sizes;

impl<C> Registry<C> {
    /// Panics unless every index agrees with the map and no connection was lost or doubled.
    pub(in crate::pool) fn assert_consistent(&self) {
        let counts = self.counts();
        let present = counts.idle + counts.offered + counts.claimed + counts.retained;
        assert_eq!(self.by_id.len(), present, "an index disagrees with the map");
        assert_eq!(
            counts.registered_total,
            present as u64 + counts.taken_total + counts.closed_total,
            "a connection was lost or doubled"
        );
        let mut held = Sizes::default();
        let mut idle = Sizes::default();
        for (&id, entry) in &self.by_id {
            let key = ConnectionKey { age: entry.age, id };
            let is_free = entry.offered_to.is_none();
            let is_idle = is_free && entry.standing == Standing::Idle;
            assert_eq!(self.idle.contains(entry.lane, key), is_idle, "{key:?} in the idle index");
            match entry.standing {
                Standing::Idle if is_free => idle.add(entry.lane),
                Standing::Held => {
                    assert!(is_free, "{key:?} is offered although it is held back");
                    assert_eq!(entry.peer, PeerGeneration::V2, "{key:?} is held back although it cannot answer");
                    held.add(entry.lane);
                }
                _ => {}
            }
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
        assert_eq!(self.idle.held(), held, "what is held back");
        assert_eq!(self.idle.sizes(), idle + held, "what is idle");
    }
}
