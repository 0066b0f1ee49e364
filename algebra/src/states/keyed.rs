//! States by key: counts by value, sums by item, steps and periods by actor. The keys are values of one type.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::fmt::Debug;
use std::hash::{BuildHasherDefault, Hash};

use super::set_builders::{TableHasher, table_size};
use super::{HeapValue, NOT_CANONICAL, Reader, put_varint};
use crate::Checked;
use crate::values::Shape;

/// How a key is held: as the bytes of its value, or, for values of one word, as that. Both are in the order
/// of the values, and both give the same canonical bytes.
pub trait Key: Borrow<Self::Borrowed> + Clone + Debug + Eq + Ord + Hash + Send {
    /// What is looked up.
    type Borrowed: ?Sized + Eq + Hash;

    /// The key of a value with these bytes.
    fn of_bytes(shape: Shape, bytes: &[u8]) -> Checked<Self>;
    /// Hands the bytes of the value to `read`.
    fn with_bytes<T>(&self, shape: Shape, read: impl FnOnce(&[u8]) -> T) -> T;
    /// A key of its own.
    fn owned(borrowed: &Self::Borrowed) -> Self;
    /// Bytes on the heap.
    fn heap_size(&self) -> usize;
}

impl Key for Box<[u8]> {
    type Borrowed = [u8];

    fn of_bytes(shape: Shape, bytes: &[u8]) -> Checked<Self> {
        shape.check(bytes).map(|()| bytes.into())
    }
    fn with_bytes<T>(&self, _shape: Shape, read: impl FnOnce(&[u8]) -> T) -> T {
        read(self)
    }
    fn owned(borrowed: &[u8]) -> Self {
        borrowed.into()
    }
    fn heap_size(&self) -> usize {
        self.len()
    }
}

impl Key for u64 {
    type Borrowed = u64;

    #[inline]
    fn of_bytes(shape: Shape, bytes: &[u8]) -> Checked<Self> {
        if bytes.len() == shape.n_bytes() { shape.word(bytes) } else { Err(NOT_CANONICAL) }
    }
    #[inline]
    fn with_bytes<T>(&self, shape: Shape, read: impl FnOnce(&[u8]) -> T) -> T {
        shape.with_word_bytes(*self, read)
    }
    #[inline]
    fn owned(borrowed: &u64) -> Self {
        *borrowed
    }
    #[inline]
    fn heap_size(&self) -> usize {
        0
    }
}

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
pub struct Keyed<E, K = Box<[u8]>> {
    shape: Shape,
    entries: Vec<(K, E)>,
}

impl<E: Entry, K: Key> Keyed<E, K> {
    pub(crate) fn new(shape: Shape) -> Self {
        Keyed { shape, entries: Vec::new() }
    }

    pub(crate) fn shape(&self) -> Shape {
        self.shape
    }

    /// Keys and entries, in the order of the keys.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (&K::Borrowed, &E)> {
        self.entries.iter().map(|(key, entry)| (key.borrow(), entry))
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
            let key = K::of_bytes(shape, reader.slice(n_bytes)?)?;
            if keyed.entries.last().is_some_and(|(last, _): &(K, E)| *last >= key) {
                return Err(NOT_CANONICAL);
            }
            let entry = E::get(&mut reader)?;
            keyed.entries.push((key, entry));
        }
        Ok(keyed)
    }
}

impl<E: Entry, K: Key> HeapValue for Keyed<E, K> {
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
            key.with_bytes(self.shape, |bytes| {
                put_varint(bytes.len() as u64, out);
                out.extend_from_slice(bytes);
            });
            entry.put(out);
        }
    }

    fn heap_size(&self) -> usize {
        let of_entry = |(key, entry): &(K, E)| key.heap_size() + entry.heap_size();
        self.entries.capacity() * size_of::<(K, E)>() + self.entries.iter().map(of_entry).sum::<usize>()
    }
}

/// Entries while values are added.
#[derive(Debug)]
pub(crate) struct KeyedBuilder<E, K = Box<[u8]>> {
    shape: Shape,
    entries: HashMap<K, E, BuildHasherDefault<TableHasher>>,
    /// Heap bytes of keys and entries.
    n_heap_bytes: usize,
    /// Bytes of the table, which are asked for after every row and change with few of them.
    n_table_bytes: usize,
}

impl<E: Entry, K: Key> KeyedBuilder<E, K> {
    pub(crate) fn new(shape: Shape) -> Self {
        KeyedBuilder { shape, entries: HashMap::default(), n_heap_bytes: 0, n_table_bytes: 0 }
    }

    /// Changes the entry of a key, which is there afterwards.
    #[inline]
    pub(crate) fn change<T>(&mut self, key: &K::Borrowed, change: impl FnOnce(&mut E) -> T) -> T {
        let Some(entry) = self.entries.get_mut(key) else { return self.insert(K::owned(key), change) };
        let before = entry.heap_size();
        let changed = change(entry);
        self.n_heap_bytes = (self.n_heap_bytes + entry.heap_size()).saturating_sub(before);
        changed
    }

    /// Adds an entry for a key that there is none for, as it is after the change.
    #[inline(never)]
    fn insert<T>(&mut self, key: K, change: impl FnOnce(&mut E) -> T) -> T {
        let mut entry = E::default();
        let changed = change(&mut entry);
        self.n_heap_bytes += key.heap_size() + entry.heap_size();
        self.entries.insert(key, entry);
        self.n_table_bytes = table_size(self.entries.capacity(), size_of::<(K, E)>());
        changed
    }

    pub(crate) fn merge(&mut self, state: &Keyed<E, K>) -> Checked<()> {
        if self.shape != state.shape {
            return Err("states over values of different types do not merge");
        }
        self.entries.reserve(state.entries.len().saturating_sub(self.entries.len()));
        let mut entries = state.entries.iter();
        entries.try_for_each(|(key, other)| self.change(key.borrow(), |entry| entry.merge(other)))
    }

    pub(crate) fn finish(self) -> Checked<Keyed<E, K>> {
        let mut entries: Vec<(K, E)> = self.entries.into_iter().collect();
        entries.sort_unstable_by(|(left, _), (right, _)| left.cmp(right));
        entries.iter_mut().try_for_each(|(_, entry)| entry.finish())?;
        Ok(Keyed { shape: self.shape, entries })
    }

    #[inline]
    pub(crate) fn heap_size(&self) -> usize {
        self.n_heap_bytes + self.n_table_bytes
    }
}
