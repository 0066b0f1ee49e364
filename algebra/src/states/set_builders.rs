//! Sets that take in values one by one: a few inline, for many small groups, then hashed, for few large ones.

use std::collections::HashSet;
use std::hash::{BuildHasherDefault, Hash, Hasher};

use super::sets::{SetWord, SortedSet};
use super::{HeapValue, TextSet};
use crate::Checked;
use crate::scalar::hash64;

/// Values held inline before a table is made.
const MAX_FEW: usize = 3;

/// A set of words that takes in values and states.
#[derive(Debug)]
pub(crate) struct WordSetBuilder<W> {
    merged: SortedSet<W>,
    lifted: Lifted<W>,
}

/// The values that came in one by one.
#[derive(Debug)]
enum Lifted<W> {
    /// The first `n_values` of the array.
    Few { n_values: u8, values: [W; MAX_FEW] },
    /// More than that, and the bytes of their table, which are asked for after every row.
    Many(HashSet<W, BuildHasherDefault<TableHasher>>, usize),
}

impl<W: SetWord + Default + Hash> Default for WordSetBuilder<W> {
    fn default() -> Self {
        let lifted = Lifted::Few { n_values: 0, values: [W::default(); MAX_FEW] };
        WordSetBuilder { merged: SortedSet::default(), lifted }
    }
}

impl<W: SetWord + Default + Hash> WordSetBuilder<W> {
    #[inline]
    pub(crate) fn add(&mut self, word: W) {
        match &mut self.lifted {
            Lifted::Many(values, n_bytes) => {
                if values.insert(word) {
                    *n_bytes = table_size(values.capacity(), W::N_BYTES);
                }
            }
            Lifted::Few { n_values, values } => {
                let n_used = usize::from(*n_values);
                if values[..n_used].contains(&word) {
                    return;
                }
                if let Some(place) = values.get_mut(n_used) {
                    *place = word;
                    *n_values += 1;
                } else {
                    let values: HashSet<W, _> = values.iter().copied().chain([word]).collect();
                    let n_bytes = table_size(values.capacity(), W::N_BYTES);
                    self.lifted = Lifted::Many(values, n_bytes);
                }
            }
        }
    }

    pub(crate) fn merge(&mut self, set: &SortedSet<W>) -> Checked<()> {
        self.merged.merge(set)
    }

    pub(crate) fn finish(mut self) -> SortedSet<W> {
        self.merged.insert_all(match self.lifted {
            Lifted::Few { n_values, values } => values[..usize::from(n_values)].to_vec(),
            Lifted::Many(values, _) => values.into_iter().collect(),
        });
        self.merged
    }

    #[inline]
    pub(crate) fn heap_size(&self) -> usize {
        let n_lifted_bytes = match &self.lifted {
            Lifted::Few { .. } => 0,
            Lifted::Many(_, n_bytes) => *n_bytes,
        };
        self.merged.heap_size() + n_lifted_bytes
    }
}

/// Bytes of a table with room for this many entries: an eighth stays free, and each place has a tag.
pub(crate) fn table_size(capacity: usize, entry_size: usize) -> usize {
    (capacity + capacity / 7) * (entry_size + 1)
}

/// A set of texts that takes in values and states.
#[derive(Debug, Default)]
pub(crate) struct TextSetBuilder {
    merged: TextSet,
    lifted: HashSet<Box<str>, BuildHasherDefault<TableHasher>>,
    /// Bytes of the lifted texts.
    n_lifted_bytes: usize,
}

impl TextSetBuilder {
    #[inline]
    pub(crate) fn add(&mut self, text: &str) {
        if !self.lifted.contains(text) {
            self.n_lifted_bytes += text.len();
            self.lifted.insert(text.into());
        }
    }

    pub(crate) fn merge(&mut self, set: &TextSet) -> Checked<()> {
        self.merged.merge(set)
    }

    pub(crate) fn finish(mut self) -> TextSet {
        self.merged.union(&TextSet::from_texts(self.lifted.into_iter().collect()));
        self.merged
    }

    #[inline]
    pub(crate) fn heap_size(&self) -> usize {
        let n_table_bytes = table_size(self.lifted.capacity(), size_of::<Box<str>>());
        self.merged.heap_size() + self.n_lifted_bytes + n_table_bytes
    }
}

/// Hashes values for a table in memory; nothing of it is stored or shows in an order.
#[derive(Debug, Default)]
pub(crate) struct TableHasher(u64);

impl Hasher for TableHasher {
    fn finish(&self) -> u64 {
        self.0
    }
    #[inline]
    fn write(&mut self, bytes: &[u8]) {
        self.write_u64(hash64(bytes));
    }
    /// The end of a text: each value is one text only.
    #[inline]
    fn write_u8(&mut self, _end: u8) {}
    /// The length of bytes, for the same reason.
    #[inline]
    fn write_usize(&mut self, _length: usize) {}
    /// Folds a 128-bit product: good bits above and below at the price of one multiplication.
    #[inline]
    fn write_u64(&mut self, word: u64) {
        let product = u128::from(self.0 ^ word ^ 0x243f_6a88_85a3_08d3) * 0x9e37_79b9_7f4a_7c15;
        self.0 = product as u64 ^ (product >> 64) as u64;
    }
    #[inline]
    fn write_u128(&mut self, word: u128) {
        self.write_u64(word as u64);
        self.write_u64((word >> 64) as u64);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn sets_are_the_same_lifted_and_merged(
            words in proptest::collection::vec(0..300_u64, 0..2_000), merged in proptest::collection::vec(0..400_u64, 0..50),
        ) {
            let mut builder = WordSetBuilder::default();
            let (first, rest) = words.split_at(words.len() / 2);
            first.iter().for_each(|word| builder.add(*word));
            builder.merge(&SortedSet::from_words(merged.clone())).unwrap();
            rest.iter().for_each(|word| builder.add(*word));
            let expected: BTreeSet<u64> = words.into_iter().chain(merged).collect();
            prop_assert_eq!(builder.finish(), SortedSet::from_words(expected.into_iter().collect()));
        }
    }
}
