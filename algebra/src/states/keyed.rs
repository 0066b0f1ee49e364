//! States by key: counts by value, sums by item, steps and periods by actor. The keys are values of one type.

use std::collections::HashMap;
use std::fmt::Debug;
use std::hash::{BuildHasherDefault, Hash};

use super::set_builders::{TableHasher, table_size};
use super::{HeapValue, NOT_CANONICAL, Reader, put_varint};
use crate::Checked;
use crate::values::Shape;

/// What is held for a key.
pub trait Entry: Default + Clone + Debug + Eq + Ord + Hash + Send {
    /// `self ⊕= other`.
    fn merge(&mut self, other: &Self) -> Checked<()>;
    /// Appends bytes that say where they end.
    fn put(&self, out: &mut Vec<u8>);
    /// Reads what [`Entry::put`] wrote. An entry of no rows is not canonical.
    fn get(reader: &mut Reader<'_>) -> Checked<Self>;
    /// Brings it into its canonical form after values were added.
    fn finish(&mut self) -> Checked<()> {
        Ok(())
    }
    /// Bytes on the heap; takes constant time.
    fn heap_size(&self) -> usize {
        0
    }
}

/// An entry for every key, in the order of the keys.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Keyed<E> {
    shape: Shape,
    entries: Vec<(Box<[u8]>, E)>,
}

impl<E: Entry> Keyed<E> {
    pub(crate) fn new(shape: Shape) -> Self {
        Keyed { shape, entries: Vec::new() }
    }

    pub(crate) fn shape(&self) -> Shape {
        self.shape
    }

    /// Keys and entries, in the order of the keys.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (&[u8], &E)> {
        self.entries.iter().map(|(key, entry)| (key.as_ref(), entry))
    }

    /// Number of keys.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is no key.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Reads canonical bytes: each key after its length (LEB128), then its entry, in order of the keys.
    pub(crate) fn decode(shape: Shape, bytes: &[u8]) -> Checked<Self> {
        let mut reader = Reader::new(bytes);
        let mut keyed = Keyed::new(shape);
        while !reader.is_empty() {
            let n_bytes = usize::try_from(reader.varint()?).map_err(|_| NOT_CANONICAL)?;
            let key = reader.slice(n_bytes)?;
            shape.check(key)?;
            if keyed.entries.last().is_some_and(|(last, _): &(Box<[u8]>, E)| last.as_ref() >= key) {
                return Err(NOT_CANONICAL);
            }
            let entry = E::get(&mut reader)?;
            keyed.entries.push((key.into(), entry));
        }
        Ok(keyed)
    }
}

impl<E: Entry> HeapValue for Keyed<E> {
    fn merge(&mut self, other: &Self) -> Checked<()> {
        if self.shape != other.shape {
            return Err("states over values of different types do not merge");
        }
        let mut merged = Vec::with_capacity(self.entries.len().max(other.entries.len()));
        let mut others = other.entries.iter().peekable();
        for (key, mut entry) in std::mem::take(&mut self.entries) {
            while let Some(before) = others.next_if(|(other, _)| *other < key) {
                merged.push(before.clone());
            }
            if let Some((_, same)) = others.next_if(|(other, _)| *other == key) {
                entry.merge(same)?;
            }
            merged.push((key, entry));
        }
        merged.extend(others.cloned());
        self.entries = merged;
        Ok(())
    }

    fn encode(&self, out: &mut Vec<u8>) {
        for (key, entry) in &self.entries {
            put_varint(key.len() as u64, out);
            out.extend(key.iter());
            entry.put(out);
        }
    }

    fn heap_size(&self) -> usize {
        let of_entry = |(key, entry): &(Box<[u8]>, E)| key.len() + entry.heap_size();
        self.entries.capacity() * size_of::<(Box<[u8]>, E)>()
            + self.entries.iter().map(of_entry).sum::<usize>()
    }
}

/// Entries while values are added.
#[derive(Debug)]
pub(crate) struct KeyedBuilder<E> {
    shape: Shape,
    entries: HashMap<Box<[u8]>, E, BuildHasherDefault<TableHasher>>,
    /// Heap bytes of keys and entries.
    n_heap_bytes: usize,
}

impl<E: Entry> KeyedBuilder<E> {
    pub(crate) fn new(shape: Shape) -> Self {
        KeyedBuilder { shape, entries: HashMap::default(), n_heap_bytes: 0 }
    }

    /// Changes the entry of a key, which is there afterwards.
    #[inline]
    pub(crate) fn change<T>(&mut self, key: &[u8], change: impl FnOnce(&mut E) -> T) -> T {
        let entry = match self.entries.get_mut(key) {
            Some(entry) => entry,
            None => {
                self.n_heap_bytes += key.len();
                self.entries.entry(key.into()).or_default()
            }
        };
        let before = entry.heap_size();
        let changed = change(entry);
        self.n_heap_bytes = (self.n_heap_bytes + entry.heap_size()).saturating_sub(before);
        changed
    }

    pub(crate) fn merge(&mut self, state: &Keyed<E>) -> Checked<()> {
        if self.shape != state.shape {
            return Err("states over values of different types do not merge");
        }
        self.entries.reserve(state.entries.len().saturating_sub(self.entries.len()));
        state.entries.iter().try_for_each(|(key, other)| self.change(key, |entry| entry.merge(other)))
    }

    pub(crate) fn finish(self) -> Checked<Keyed<E>> {
        let mut entries: Vec<(Box<[u8]>, E)> = self.entries.into_iter().collect();
        entries.sort_unstable_by(|(left, _), (right, _)| left.cmp(right));
        entries.iter_mut().try_for_each(|(_, entry)| entry.finish())?;
        Ok(Keyed { shape: self.shape, entries })
    }

    #[inline]
    pub(crate) fn heap_size(&self) -> usize {
        self.n_heap_bytes + table_size(self.entries.capacity(), size_of::<(Box<[u8]>, E)>())
    }
}
