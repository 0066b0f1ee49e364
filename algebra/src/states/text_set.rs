//! Exact sets of texts: sorted by bytes, held end to end, so that a set is two allocations whatever its size.

use super::bytes::put_varint;
use super::{HeapValue, NOT_CANONICAL, Reader};
use crate::Checked;

/// Texts in ascending order of their bytes, each once.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TextSet {
    /// The texts, end to end.
    bytes: Vec<u8>,
    /// Where each text ends.
    ends: Vec<usize>,
}

impl TextSet {
    /// The set of these texts, in any order, each as often as it likes.
    pub(crate) fn from_texts(mut texts: Vec<Box<str>>) -> Self {
        texts.sort_unstable();
        texts.dedup();
        let mut set = TextSet::default();
        set.bytes.reserve(texts.iter().map(|text| text.len()).sum());
        set.ends.reserve(texts.len());
        for text in texts {
            set.push(text.as_bytes());
        }
        set
    }

    fn push(&mut self, text: &[u8]) {
        self.bytes.extend(text);
        self.ends.push(self.bytes.len());
    }

    /// The texts from this one on.
    fn push_rest(&mut self, other: &TextSet, first: usize) {
        for index in first..other.len() {
            self.push(other.text(index));
        }
    }

    fn text(&self, index: usize) -> &[u8] {
        let start = if index == 0 { 0 } else { self.ends[index - 1] };
        &self.bytes[start..self.ends[index]]
    }

    /// The bytes of the texts, in order.
    pub(crate) fn texts(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.len()).map(|index| self.text(index))
    }

    /// Number of texts.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is no text.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    fn contains(&self, text: &[u8]) -> bool {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = low + (high - low) / 2;
            match self.text(middle).cmp(text) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Equal => return true,
                std::cmp::Ordering::Greater => high = middle,
            }
        }
        false
    }

    /// `self ∪= other`, in one pass; cheaper where the other is small and well known.
    pub(crate) fn union(&mut self, other: &TextSet) {
        let is_much_smaller = other.len() < self.len() / 16;
        if is_much_smaller && (0..other.len()).all(|index| self.contains(other.text(index))) {
            return;
        }
        let mut merged = TextSet {
            bytes: Vec::with_capacity(self.bytes.len() + other.bytes.len()),
            ends: Vec::with_capacity(self.len() + other.len()),
        };
        let (mut own, mut others) = (0, 0);
        while own < self.len() && others < other.len() {
            let (left, right) = (self.text(own), other.text(others));
            own += usize::from(left <= right);
            others += usize::from(right <= left);
            merged.push(left.min(right));
        }
        merged.push_rest(self, own);
        merged.push_rest(other, others);
        *self = merged;
    }

    /// Reads canonical bytes: each text after its length (LEB128), in order.
    pub(crate) fn decode(bytes: &[u8]) -> Checked<Self> {
        let mut reader = Reader::new(bytes);
        let mut set = TextSet::default();
        while !reader.is_empty() {
            let n_bytes = usize::try_from(reader.varint()?).map_err(|_| NOT_CANONICAL)?;
            let text = reader.slice(n_bytes)?;
            let is_next = set.is_empty() || set.text(set.len() - 1) < text;
            if !is_next || std::str::from_utf8(text).is_err() {
                return Err(NOT_CANONICAL);
            }
            set.push(text);
        }
        Ok(set)
    }
}

impl HeapValue for TextSet {
    fn merge(&mut self, other: &Self) -> Checked<()> {
        self.union(other);
        Ok(())
    }

    fn encode(&self, out: &mut Vec<u8>) {
        out.reserve(self.bytes.len() + self.len());
        for index in 0..self.len() {
            let text = self.text(index);
            put_varint(text.len() as u64, out);
            out.extend(text);
        }
    }

    fn heap_size(&self) -> usize {
        self.bytes.capacity() + self.ends.capacity() * size_of::<usize>()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn set(texts: &BTreeSet<String>) -> TextSet {
        TextSet::from_texts(texts.iter().rev().map(|text| text.as_str().into()).collect())
    }

    proptest! {
        #[test]
        fn merging_is_union(
            left in proptest::collection::btree_set("[ab]{0,6}", 0..60),
            right in proptest::collection::btree_set("[ab]{0,6}", 0..60),
        ) {
            let mut merged = set(&left);
            merged.merge(&set(&right)).unwrap();
            prop_assert_eq!(merged, set(&left.union(&right).cloned().collect()));
        }
    }

    #[test]
    fn c92_unsorted_or_repeated_texts_are_not_canonical() {
        assert!(TextSet::decode(&[1, b'a', 1, b'b']).is_ok());
        assert!(TextSet::decode(&[1, b'b', 1, b'a']).is_err());
        assert!(TextSet::decode(&[1, b'a', 1, b'a']).is_err());
        assert!(TextSet::decode(&[2, b'a']).is_err());
        assert!(TextSet::decode(&[1, 0xff]).is_err());
    }
}
