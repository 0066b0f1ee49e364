//! Dense numbers for keys of a few words.
//!
//! Open addressing over numbers and tags, beside the keys in the order of their numbers. A lookup touches one
//! slot of eight bytes and one key. Groups of one time come one after the other, so their keys, and their
//! states in the accumulators, lie close together whatever the hash does. Slots do not: in a large table most
//! lookups wait for memory. So the first slots of many keys are read before any of them is looked at, and
//! the processor waits for several at a time.

use std::hash::{BuildHasher, RandomState};

/// More keys than a table can number.
#[derive(Debug, thiserror::Error)]
#[error("more than 2^32 groups at once")]
pub(crate) struct TooManyKeys;

/// Keys of `N` words, each once, numbered from 0 in the order in which they came.
#[derive(Debug)]
pub(crate) struct WordTable<const N: usize> {
    /// A tag of the hash above a key's number plus one; zero is free. Their number is a power of two.
    slots: Vec<u64>,
    keys: Vec<[u64; N]>,
    /// Differs from process to process, so that nobody can choose keys that collide.
    seed: u64,
    /// Of the keys that are looked up together: the hash, and what is in its slot.
    first_slots: Vec<(u64, u64)>,
}

const MIN_SLOTS: usize = 1 << 10;

/// Slots for each key that an emptied table keeps at most.
const SLOTS_PER_KEY: usize = 16;

impl<const N: usize> Default for WordTable<N> {
    fn default() -> Self {
        WordTable {
            slots: vec![0; MIN_SLOTS],
            keys: Vec::new(),
            seed: RandomState::new().hash_one(N),
            first_slots: Vec::new(),
        }
    }
}

impl<const N: usize> WordTable<N> {
    pub(crate) fn len(&self) -> usize {
        self.keys.len()
    }

    pub(crate) fn n_bytes(&self) -> usize {
        let first_slots = self.first_slots.capacity() * size_of::<(u64, u64)>();
        self.slots.capacity() * size_of::<u64>() + self.keys.capacity() * size_of::<[u64; N]>() + first_slots
    }

    /// Takes all keys out, by their numbers. The table is empty then, and keeps its slots unless they were
    /// far too many.
    pub(crate) fn take(&mut self) -> Vec<[u64; N]> {
        let keys = std::mem::take(&mut self.keys);
        if self.slots.len() > MIN_SLOTS.max(SLOTS_PER_KEY * keys.len()) {
            self.slots = vec![0; MIN_SLOTS];
        } else {
            self.slots.fill(0);
        }
        keys
    }

    /// Appends the number of each key; new keys get the next ones.
    pub(crate) fn intern(&mut self, keys: &[[u64; N]], numbers: &mut Vec<usize>) -> Result<(), TooManyKeys> {
        let mut first_slots = std::mem::take(&mut self.first_slots);
        first_slots.clear();
        let mask = self.slots.len() - 1;
        first_slots.extend(keys.iter().map(|key| {
            let hash = self.hash(key);
            (hash, self.slots[hash as usize & mask])
        }));
        numbers.reserve(keys.len());
        for (key, (hash, slot)) in keys.iter().zip(&first_slots) {
            // A slot never changes once it is taken, so what was read of it is true.
            let number = match self.number_in(*slot, *hash, key) {
                Some(number) => number,
                None => self.number(key)?,
            };
            numbers.push(number as usize);
        }
        self.first_slots = first_slots;
        Ok(())
    }

    /// The number in a slot, if it is that of a key.
    #[inline]
    fn number_in(&self, slot: u64, hash: u64, key: &[u64; N]) -> Option<u32> {
        // A free slot has the number before zero, which is no key's.
        let number = (slot as u32).wrapping_sub(1);
        let is_same = (slot ^ hash) >> 32 == 0 && self.keys.get(number as usize) == Some(key);
        is_same.then_some(number)
    }

    /// The number of a key.
    #[inline]
    pub(crate) fn number(&mut self, key: &[u64; N]) -> Result<u32, TooManyKeys> {
        let hash = self.hash(key);
        let mask = self.slots.len() - 1;
        let mut at = hash as usize & mask;
        loop {
            let slot = self.slots[at & mask];
            if slot == 0 {
                return self.insert(key, hash, at);
            }
            if let Some(number) = self.number_in(slot, hash, key) {
                return Ok(number);
            }
            at = (at + 1) & mask;
        }
    }

    #[inline(never)]
    fn insert(&mut self, key: &[u64; N], hash: u64, at: usize) -> Result<u32, TooManyKeys> {
        let number =
            u32::try_from(self.keys.len()).ok().filter(|number| *number < u32::MAX).ok_or(TooManyKeys)?;
        self.slots[at] = slot(hash, number);
        self.keys.push(*key);
        if 2 * self.keys.len() > self.slots.len() {
            self.grow();
        }
        Ok(number)
    }

    fn grow(&mut self) {
        let mut slots = vec![0; 2 * self.slots.len()];
        let mask = slots.len() - 1;
        for (number, key) in (0..).zip(&self.keys) {
            let hash = self.hash(key);
            let mut at = hash as usize & mask;
            while slots[at & mask] != 0 {
                at = (at + 1) & mask;
            }
            slots[at & mask] = slot(hash, number);
        }
        self.slots = slots;
    }

    /// Folds 128-bit products: good bits above and below at the price of a multiplication a word.
    #[inline]
    fn hash(&self, key: &[u64; N]) -> u64 {
        let mut hash = self.seed;
        for word in key {
            let product = u128::from(hash ^ word) * 0x9e37_79b9_7f4a_7c15;
            hash = product as u64 ^ (product >> 64) as u64;
        }
        hash
    }
}

#[inline]
fn slot(hash: u64, number: u32) -> u64 {
    hash >> 32 << 32 | u64::from(number + 1)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn keys_are_numbered_in_the_order_of_their_first_occurrence(
            keys in proptest::collection::vec((0..40_u64, 0..60_u64), 0..4_000),
        ) {
            let keys: Vec<[u64; 2]> = keys.into_iter().map(|(high, low)| [high << 32, low]).collect();
            let mut table = WordTable::default();
            let mut numbers = Vec::new();
            table.intern(&keys, &mut numbers).unwrap();
            let mut expected: HashMap<[u64; 2], usize> = HashMap::new();
            for (key, number) in keys.iter().zip(&numbers) {
                let n_known = expected.len();
                prop_assert_eq!(*expected.entry(*key).or_insert(n_known), *number);
            }
            let taken = table.take();
            prop_assert_eq!(taken.len(), expected.len());
            prop_assert!(taken.iter().enumerate().all(|(number, key)| expected[key] == number));
            prop_assert_eq!(table.len(), 0);
        }
    }
}
