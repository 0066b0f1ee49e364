//! Exact sets of fixed-width values: sorted words without repetition.

use super::{HeapValue, NOT_CANONICAL};
use crate::Checked;

/// A set of values of one word each.
pub type WordSet = SortedSet<u64>;

/// A set of decimals.
pub type DecimalSet = SortedSet<u128>;

/// Words in ascending order, each once.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SortedSet<W>(Vec<W>);

impl<W> Default for SortedSet<W> {
    fn default() -> Self {
        SortedSet(Vec::new())
    }
}

/// A word of a set, with its canonical bytes.
pub trait SetWord: Copy + Ord {
    /// Number of bytes.
    const N_BYTES: usize;

    /// Appends the bytes, little-endian.
    fn put(self, out: &mut Vec<u8>);
    /// Reads [`Self::N_BYTES`] bytes; none if there are more or fewer.
    fn get(bytes: &[u8]) -> Option<Self>;
}

impl SetWord for u64 {
    const N_BYTES: usize = 8;

    fn put(self, out: &mut Vec<u8>) {
        out.extend(self.to_le_bytes());
    }
    fn get(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(u64::from_le_bytes)
    }
}

impl SetWord for u128 {
    const N_BYTES: usize = 16;

    fn put(self, out: &mut Vec<u8>) {
        out.extend(self.to_le_bytes());
    }
    fn get(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(u128::from_le_bytes)
    }
}

impl<W: SetWord> SortedSet<W> {
    /// The set of these words, in any order, each as often as it likes.
    #[cfg(test)]
    pub(crate) fn from_words(words: Vec<W>) -> Self {
        let mut set = SortedSet::default();
        set.insert_all(words);
        set
    }

    /// Adds words, in any order, each as often as it likes.
    pub(crate) fn insert_all(&mut self, mut words: Vec<W>) {
        words.sort_unstable();
        words.dedup();
        if self.0.is_empty() {
            self.0 = words;
        } else {
            self.insert_new(&words);
        }
    }

    /// The words, ascending.
    pub(crate) fn words(&self) -> &[W] {
        &self.0
    }

    /// Number of values.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no value.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Reads canonical bytes: the words in order, little-endian.
    pub(crate) fn decode(bytes: &[u8]) -> Checked<Self> {
        if !bytes.len().is_multiple_of(W::N_BYTES) {
            return Err(NOT_CANONICAL);
        }
        let words: Vec<W> = bytes.chunks_exact(W::N_BYTES).filter_map(W::get).collect();
        if words.is_sorted_by(|left, right| left < right) { Ok(SortedSet(words)) } else { Err(NOT_CANONICAL) }
    }

    /// Adds those of some sorted words that are not in the set: cheap when they are few or well known.
    fn insert_new(&mut self, words: &[W]) {
        let is_much_smaller = words.len() < self.0.len() / 16;
        let new: Vec<W> = if is_much_smaller {
            words.iter().copied().filter(|word| self.0.binary_search(word).is_err()).collect()
        } else {
            difference(words, &self.0)
        };
        self.insert_sorted(&new);
    }

    /// Adds new words, sorted, none of which is in the set: one pass from the end, in place.
    fn insert_sorted(&mut self, new: &[W]) {
        let (Some(filler), mut n_old) = (new.first(), self.0.len()) else { return };
        self.0.resize(n_old + new.len(), *filler);
        let mut n_new = new.len();
        for place in (0..self.0.len()).rev() {
            if n_new == 0 {
                return;
            }
            if n_old > 0 && self.0[n_old - 1] > new[n_new - 1] {
                n_old -= 1;
                self.0[place] = self.0[n_old];
            } else {
                n_new -= 1;
                self.0[place] = new[n_new];
            }
        }
    }
}

impl<W: SetWord> HeapValue for SortedSet<W> {
    fn merge(&mut self, other: &Self) -> Checked<()> {
        if self.0.is_empty() {
            self.0.clone_from(&other.0);
        } else {
            self.insert_new(&other.0);
        }
        Ok(())
    }

    fn encode(&self, out: &mut Vec<u8>) {
        out.reserve(self.0.len() * W::N_BYTES);
        for word in &self.0 {
            word.put(out);
        }
    }

    fn heap_size(&self) -> usize {
        self.0.capacity() * W::N_BYTES
    }
}

/// The words of one sorted slice that are not in the other.
fn difference<W: Copy + Ord>(words: &[W], without: &[W]) -> Vec<W> {
    let mut others = without.iter().peekable();
    let mut rest = Vec::new();
    for word in words {
        while others.next_if(|other| *other < word).is_some() {}
        if others.peek() != Some(&word) {
            rest.push(*word);
        }
    }
    rest
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn merging_is_union(
            left in proptest::collection::btree_set(0..500_u64, 0..200),
            right in proptest::collection::btree_set(0..500_u64, 0..200),
        ) {
            let mut merged = WordSet::from_words(left.iter().copied().collect());
            merged.merge(&WordSet::from_words(right.iter().rev().copied().collect())).unwrap();
            let union: BTreeSet<u64> = left.union(&right).copied().collect();
            prop_assert_eq!(merged.0, union.into_iter().collect::<Vec<_>>());
        }
    }
}
