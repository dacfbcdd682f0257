//! What all connections of a pool may hold together of what their peers sent too early.

use alloc::collections::{BTreeMap, VecDeque};

/// Shares a number of bytes among holders `K`, in steps, first come, first served.
///
/// A connection that is to read more early data than it may hold [`request`](Self::request)s a step. Where none is left
/// it waits, reading stops, and what the peer sends stays in the kernel and at the peer: nothing is lost. Once a
/// connection is taken or gone it [`release`](Self::release)s what it had, and who waits longest is granted it.
///
/// ```
/// use npws_core::EarlyDataBudget;
///
/// let mut budget = EarlyDataBudget::new(2 * EarlyDataBudget::<&str>::STEP);
/// assert!(budget.request("a") && budget.request("b"));
/// assert!(!budget.request("a"), "there is no more");
/// budget.release("b");
/// assert_eq!(budget.poll_granted(), Some("a"));
/// assert_eq!((budget.granted("a"), budget.granted("b")), (8192, 0));
/// ```
#[derive(Debug, Clone)]
pub struct EarlyDataBudget<K> {
    left: usize,
    granted: BTreeMap<K, usize>,
    /// Who waits, by when it began to.
    waiting: BTreeMap<u64, K>,
    places: BTreeMap<K, u64>,
    next_place: u64,
    /// Whose wait is over, until somebody asks.
    news: VecDeque<K>,
}

impl<K: Ord + Copy> EarlyDataBudget<K> {
    /// How many bytes are granted at once.
    ///
    /// ```
    /// assert_eq!(npws_core::EarlyDataBudget::<u64>::STEP, 4096);
    /// ```
    pub const STEP: usize = 4096;

    /// Nothing is granted yet of `total` bytes. Less than a [`STEP`](Self::STEP) is nothing.
    ///
    /// ```
    /// # use npws_core::EarlyDataBudget;
    /// assert!(!EarlyDataBudget::new(100).request(1));
    /// ```
    #[must_use]
    pub fn new(total: usize) -> Self {
        Self {
            left: total,
            granted: BTreeMap::new(),
            waiting: BTreeMap::new(),
            places: BTreeMap::new(),
            next_place: 0,
            news: VecDeque::new(),
        }
    }

    /// How many bytes this holder has been granted in all.
    ///
    /// ```
    /// # use npws_core::EarlyDataBudget;
    /// assert_eq!(EarlyDataBudget::new(4096).granted("nobody"), 0);
    /// ```
    #[must_use]
    pub fn granted(&self, holder: K) -> usize {
        self.granted.get(&holder).copied().unwrap_or(0)
    }

    /// Grants one more step, or lets the holder wait for one. Asking again does not change its place.
    ///
    /// ```
    /// # use npws_core::EarlyDataBudget;
    /// let mut budget = EarlyDataBudget::new(4096);
    /// assert_eq!([budget.request(1), budget.request(2), budget.request(2)], [true, false, false]);
    /// ```
    pub fn request(&mut self, holder: K) -> bool {
        if self.places.contains_key(&holder) {
            return false;
        }
        // Who waits was granted what there was before anybody else could ask.
        let is_granted = self.grant(holder);
        if !is_granted {
            self.places.insert(holder, self.next_place);
            self.waiting.insert(self.next_place, holder);
            self.next_place += 1;
        }
        is_granted
    }

    /// The holder needs nothing any more, and waits for nothing.
    ///
    /// ```
    /// # use npws_core::EarlyDataBudget;
    /// let mut budget = EarlyDataBudget::new(4096);
    /// budget.request(1);
    /// budget.release(1);
    /// assert!(budget.request(2));
    /// ```
    pub fn release(&mut self, holder: K) {
        if let Some(place) = self.places.remove(&holder) {
            self.waiting.remove(&place);
        }
        self.left += self.granted.remove(&holder).unwrap_or(0);
        while let Some((&place, &first)) = self.waiting.first_key_value()
            && self.grant(first)
        {
            self.waiting.remove(&place);
            self.places.remove(&first);
            self.news.push_back(first);
        }
    }

    /// Who waited and has been granted a step, each time once. It may have released it since.
    ///
    /// ```
    /// # use npws_core::EarlyDataBudget;
    /// assert_eq!(EarlyDataBudget::<u64>::new(4096).poll_granted(), None);
    /// ```
    #[must_use]
    pub fn poll_granted(&mut self) -> Option<K> {
        self.news.pop_front()
    }

    fn grant(&mut self, holder: K) -> bool {
        let Some(left) = self.left.checked_sub(Self::STEP) else { return false };
        self.left = left;
        *self.granted.entry(holder).or_default() += Self::STEP;
        true
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    const STEP: usize = EarlyDataBudget::<u8>::STEP;

    #[test]
    fn who_waits_longest_is_served_first_and_nobody_gets_in_between() {
        let mut budget = EarlyDataBudget::new(2 * STEP + STEP / 2);
        assert_eq!([1, 1, 2, 3, 2].map(|holder| budget.request(holder)), [true, true, false, false, false]);
        budget.release(1);
        assert_eq!([budget.granted(1), budget.granted(2), budget.granted(3)], [0, STEP, STEP]);
        assert!(!budget.request(4));
        assert!(!budget.request(2));
        let news: Vec<_> = core::iter::from_fn(|| budget.poll_granted()).collect();
        assert_eq!(news, [2, 3]);
        budget.release(3);
        assert_eq!((budget.poll_granted(), budget.poll_granted()), (Some(4), None));
    }

    #[test]
    fn who_leaves_waits_no_more_and_what_it_had_is_whole_again() {
        let mut budget = EarlyDataBudget::new(3 * STEP);
        for holder in [1, 1, 1, 2, 3] {
            let _ = budget.request(holder);
        }
        budget.release(2);
        budget.release(2);
        assert_eq!(budget.poll_granted(), None);
        budget.release(1);
        assert_eq!((budget.poll_granted(), budget.poll_granted()), (Some(3), None), "2 is gone");
        budget.release(3);
        assert_eq!([4, 5, 6, 7].map(|holder| budget.request(holder)), [true, true, true, false]);
    }

    /// Whatever happens in whatever order, nothing is granted that is not there, and nobody waits while something is.
    #[test]
    fn no_more_is_granted_than_there_is_and_nothing_lies_idle() {
        for seed in 0..200_u64 {
            let steps = 1 + seed as usize % 7;
            let mut budget = EarlyDataBudget::new(steps * STEP);
            let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
            for _ in 0..200 {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let holder = (state >> 60) % 6;
                match (state >> 40) % 4 {
                    0 => budget.release(holder),
                    _ => {
                        budget.request(holder);
                    }
                }
                let granted: usize = (0..6).map(|holder| budget.granted(holder)).sum();
                assert_eq!(granted + budget.left, steps * STEP);
                assert!(budget.waiting.is_empty() || budget.left < STEP);
                assert_eq!(budget.waiting.len(), budget.places.len());
            }
        }
    }
}
