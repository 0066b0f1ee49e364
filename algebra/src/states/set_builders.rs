//! Sets that take in values one by one: values wait until a sort of many is worth it.
//!
//! A hash table for each group would take more time and memory: the state is sorted anyway, and
//! repetitions mostly go by [`Recent`].

use std::collections::HashSet;
use std::hash::{BuildHasherDefault, Hasher};

use super::recent::Recent;
use super::sets::{SetWord, SortedSet};
use super::{HeapValue, TextSet};
use crate::Checked;
use crate::scalar::hash64;

/// A set of words that takes in values and states.
#[derive(Debug)]
pub(crate) struct WordSetBuilder<W> {
    set: SortedSet<W>,
    waiting: Vec<W>,
    recent: Recent<W>,
}

impl<W> Default for WordSetBuilder<W> {
    fn default() -> Self {
        WordSetBuilder { set: SortedSet::default(), waiting: Vec::new(), recent: Recent::default() }
    }
}

impl<W: SetWord> WordSetBuilder<W> {
    /// Values that wait at least; enough that sorting is cheap for each, few enough for many groups.
    const MIN_WAITING: usize = 32;

    #[inline]
    pub(crate) fn add(&mut self, word: W) {
        if self.recent.is_repeated(word, word.spread()) {
            return;
        }
        self.waiting.push(word);
        if self.waiting.len() >= self.set.len().max(Self::MIN_WAITING) {
            self.settle();
        }
    }

    fn settle(&mut self) {
        if let Some(known) = self.waiting.first().copied() {
            self.set.insert_all(&mut self.waiting);
            self.recent.make_room(self.set.len(), known);
        }
    }

    pub(crate) fn merge(&mut self, set: &SortedSet<W>) -> Checked<()> {
        self.set.merge(set)
    }

    pub(crate) fn finish(mut self) -> SortedSet<W> {
        self.settle();
        self.set
    }

    #[inline]
    pub(crate) fn heap_size(&self) -> usize {
        self.set.heap_size() + self.waiting.capacity() * W::N_BYTES + self.recent.heap_size()
    }
}

/// A set of texts that takes in values and states.
#[derive(Debug, Default)]
pub(crate) struct TextSetBuilder {
    set: TextSet,
    lifted: HashSet<Box<str>, BuildHasherDefault<TextHasher>>,
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
        self.set.merge(set)
    }

    pub(crate) fn finish(self) -> Checked<TextSet> {
        let mut set = TextSet::from_texts(self.lifted.into_iter().collect());
        set.merge(&self.set)?;
        Ok(set)
    }

    #[inline]
    pub(crate) fn heap_size(&self) -> usize {
        // A table keeps an eighth of its places free, and a tag for each.
        let n_places = self.lifted.capacity() + self.lifted.capacity() / 7;
        self.set.heap_size() + self.n_lifted_bytes + n_places * (size_of::<Box<str>>() + 1)
    }
}

/// Hashes texts for a table in memory; nothing of it is stored or shows in an order.
#[derive(Debug, Default)]
pub(crate) struct TextHasher(u64);

impl Hasher for TextHasher {
    fn finish(&self) -> u64 {
        self.0
    }
    #[inline]
    fn write(&mut self, bytes: &[u8]) {
        self.0 ^= hash64(bytes);
    }
    /// The end of a text: there is one text only.
    #[inline]
    fn write_u8(&mut self, _end: u8) {}
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn repetitions_and_collisions_change_no_set(
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
