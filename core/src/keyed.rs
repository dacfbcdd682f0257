//! Hash tables whose order a peer cannot foresee, although it may choose the keys.

use core::hash::{BuildHasher, Hasher};

use crate::random::Jitter;

/// A hash table. What is decided must not depend on the order in which it is walked.
pub(crate) type KeyedMap<K, V> = hashbrown::HashMap<K, V, Key>;

/// What a table hashes with: the machine's seed, which no peer knows.
#[derive(Clone)]
pub(crate) struct Key {
    start: u64,
    factor: u64,
}

impl Key {
    pub(crate) fn new(seed: u64) -> Self {
        let mut numbers = Jitter::new(seed);
        Self { start: numbers.next_u64(), factor: numbers.next_u64() | 1 }
    }
}

impl BuildHasher for Key {
    type Hasher = KeyedHasher;

    fn build_hasher(&self) -> KeyedHasher {
        KeyedHasher { state: self.start, factor: self.factor }
    }
}

/// Each word is mixed in by a wide multiplication by a secret number, whose halves are added without carry, and so is
/// the end. That is enough against who never sees a hash, nor anything that is ordered by one.
pub(crate) struct KeyedHasher {
    state: u64,
    factor: u64,
}

impl KeyedHasher {
    fn mix(&self, word: u64) -> u64 {
        let product = u128::from(word) * u128::from(self.factor);
        (product >> 64) as u64 ^ product as u64
    }
}

impl Hasher for KeyedHasher {
    fn write_u64(&mut self, word: u64) {
        self.state = self.mix(self.state ^ word);
    }

    fn write_u32(&mut self, word: u32) {
        self.write_u64(u64::from(word));
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    fn finish(&self) -> u64 {
        self.mix(self.state)
    }
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeSet;

    use super::*;
    use crate::ConnectionId;

    fn hash(seed: u64, id: u32) -> u64 {
        Key::new(seed).hash_one(ConnectionId::from_bytes(id.to_be_bytes()))
    }

    #[test]
    fn similar_ids_spread_over_both_ends_of_the_hash() {
        // A table finds its place by the low bits and tells neighbours apart by the high ones.
        for step in [1, 2, 1 << 8, 1 << 16, 1 << 20] {
            let hashes = (0..4096_u32).map(|n| hash(7, n.wrapping_mul(step)));
            let low: BTreeSet<u64> = hashes.clone().map(|hash| hash & 0xfff).collect();
            let high: BTreeSet<u64> = hashes.map(|hash| hash >> 52).collect();
            // Drawn at random it would be 63 % of the places.
            assert!(low.len() > 2200 && high.len() > 2200, "{step}: {} and {}", low.len(), high.len());
        }
    }

    #[test]
    fn another_seed_collides_elsewhere() {
        let collides = |seed: u64, id: &u32| hash(seed, *id) & 0xfff == hash(seed, 0) & 0xfff;
        let chosen: BTreeSet<u32> = (1..1 << 16).filter(|id| collides(7, id)).collect();
        let still = chosen.iter().filter(|id| collides(8, id)).count();
        assert!(chosen.len() > 4 && still <= chosen.len() / 2, "{still} of {}", chosen.len());
    }
}
