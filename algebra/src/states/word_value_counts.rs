//! Counts by value, for values of one word: the same bytes as [`Keyed`](super::Keyed) counts have, but sorted
//! instead of hashed, which costs a fraction.

use super::{HeapValue, NOT_CANONICAL, Reader, TOO_MANY_ROWS, put_varint};
use crate::Checked;
use crate::values::Shape;

/// Words in ascending order, each with its number of rows: at least one, at most 2⁶³ − 1.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WordValueCounts {
    shape: Shape,
    counts: Vec<(u64, u64)>,
}

impl WordValueCounts {
    pub(crate) fn new(shape: Shape) -> Self {
        WordValueCounts { shape, counts: Vec::new() }
    }

    pub(crate) fn shape(&self) -> Shape {
        self.shape
    }

    /// Words and their numbers of rows, in the order of the words.
    pub(crate) fn counts(&self) -> &[(u64, u64)] {
        &self.counts
    }

    /// Reads canonical bytes: each value after its length (LEB128), then its number of rows (LEB128), in
    /// order.
    pub(crate) fn decode(shape: Shape, bytes: &[u8]) -> Checked<Self> {
        let mut reader = Reader::new(bytes);
        let mut counts = Vec::with_capacity(bytes.len() / (shape.n_bytes() + 2));
        let mut last = None;
        while !reader.is_empty() {
            if usize::from(reader.byte()?) != shape.n_bytes() {
                return Err(NOT_CANONICAL);
            }
            let word = shape.word(reader.slice(shape.n_bytes())?)?;
            let n_rows = reader.varint()?;
            if last >= Some(word) || n_rows == 0 {
                return Err(NOT_CANONICAL);
            }
            counts.push((word, n_rows));
            last = Some(word);
        }
        let state = WordValueCounts { shape, counts };
        state.check().map(|()| state)
    }

    /// Adds others, in the order of their words. What is too large for a number of rows stays too large.
    fn add(&mut self, others: &[(u64, u64)]) {
        let mut merged = Vec::with_capacity(self.counts.len() + others.len());
        let mut others = others.iter().copied().peekable();
        for (word, n_rows) in &self.counts {
            while let Some(before) = others.next_if(|(other, _)| other < word) {
                merged.push(before);
            }
            let same = others.next_if(|(other, _)| other == word).map_or(0, |(_, n_rows)| n_rows);
            merged.push((*word, n_rows.saturating_add(same)));
        }
        merged.extend(others);
        self.counts = merged;
    }

    fn check(&self) -> Checked<()> {
        let are_counts = self.counts.iter().fold(true, |all, (_, n_rows)| all & (*n_rows >> 63 == 0));
        if are_counts { Ok(()) } else { Err(TOO_MANY_ROWS) }
    }
}

impl HeapValue for WordValueCounts {
    fn merge(&mut self, other: &Self) -> Checked<()> {
        if self.shape != other.shape {
            return Err("states over values of different types do not merge");
        }
        self.add(&other.counts);
        self.check()
    }

    fn encode(&self, out: &mut Vec<u8>) {
        out.reserve(self.counts.len() * (self.shape.n_bytes() + 2));
        for (word, n_rows) in &self.counts {
            self.shape.with_word_bytes(*word, |bytes| {
                out.push(bytes.len() as u8);
                out.extend(bytes);
            });
            put_varint(*n_rows, out);
        }
    }

    #[inline]
    fn heap_size(&self) -> usize {
        self.counts.capacity() * size_of::<(u64, u64)>()
    }
}

/// Counts while values are added: words wait until there are twice as many of them as counts, and are
/// then sorted in.
#[derive(Debug)]
pub(crate) struct WordValueCountsBuilder {
    state: WordValueCounts,
    waiting: Vec<u64>,
}

impl WordValueCountsBuilder {
    /// Words that wait at least; enough that sorting is cheap for each, few enough for many groups.
    const MIN_WAITING: usize = 256;

    pub(crate) fn new(shape: Shape) -> Self {
        WordValueCountsBuilder { state: WordValueCounts::new(shape), waiting: Vec::new() }
    }

    /// Adds a row.
    #[inline]
    pub(crate) fn add(&mut self, word: u64) {
        if self.waiting.len() >= (2 * self.state.counts.len()).max(Self::MIN_WAITING) {
            self.sort_in();
        }
        self.waiting.push(word);
    }

    fn sort_in(&mut self) {
        self.waiting.sort_unstable();
        let same_words = self.waiting.chunk_by(|left, right| left == right);
        let counts: Vec<(u64, u64)> = same_words.map(|words| (words[0], words.len() as u64)).collect();
        self.waiting.clear();
        self.state.add(&counts);
    }

    pub(crate) fn merge(&mut self, other: &WordValueCounts) -> Checked<()> {
        self.state.merge(other)
    }

    pub(crate) fn finish(mut self) -> Checked<WordValueCounts> {
        self.sort_in();
        self.state.check().map(|()| self.state)
    }

    #[inline]
    pub(crate) fn heap_size(&self) -> usize {
        self.state.heap_size() + self.waiting.capacity() * size_of::<u64>()
    }
}
