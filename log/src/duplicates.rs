//! Which records are duplicates: found once when a log is opened, over the whole log, so that every
//! interval of it agrees (C77).
//!
//! Identities are compared byte by byte. Whether a duplicate differs from the record that won (C78) is
//! decided by a 64-bit hash (XXH3) of all its fields. An identity is hashed once per record, by [`RowKeys`]:
//! every table and the choice of a partition use that hash.

use std::num::NonZero;
use std::sync::Arc;

use arrow::array::ArrayRef;
use hashbrown::HashTable;
use twox_hash::XxHash3_64;

use crate::LogError;
use crate::canonical_row::CanonicalCells;
use crate::ordered_read::read_in_order;
use crate::partition::{DecodedBatch, Duplicates, OffsetRange, Partition, SliceRequest};
use crate::record_decoder::RecordDecoder;

/// How many records are decoded at once while duplicates are looked for.
const BATCH_ROWS: u64 = 8192;

/// The key of a record with an identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RowKey<'a> {
    /// The canonical bytes of the identity.
    pub identity: &'a [u8],
    /// XXH3-64 of the identity.
    pub hash: u64,
    /// XXH3-64 of the canonical bytes of all fields.
    pub payload: u64,
}

impl<'a> RowKey<'a> {
    /// The key of an identity; hashes it.
    pub fn new(identity: &'a [u8], payload: u64) -> Self {
        RowKey { identity, hash: XxHash3_64::oneshot(identity), payload }
    }
}

/// A set of identities, each with the payload hash of the record that had it first.
///
/// The table holds indices into an arena: 24 bytes an identity besides its own bytes and 5 to 10 bytes in the
/// table, which is what allows logs of many million keyed events.
#[derive(Debug, Default)]
pub struct Identities {
    /// The bytes of all identities.
    arena: Vec<u8>,
    entries: Vec<Entry>,
    /// Indices into `entries`.
    table: HashTable<u32>,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    /// Where its bytes end in the arena; they start where those of the entry before end.
    end: usize,
    hash: u64,
    payload: u64,
}

/// The hash by which the table is ordered. All identities of one partition agree in the low bits of theirs
/// (they chose the partition), and those are the bits that a table looks at first.
fn table_hash(hash: u64) -> u64 {
    hash.rotate_left(20)
}

impl Identities {
    /// Adds an identity if it is new; otherwise, whether the record that had it first had the same payload.
    /// `None` if there are too many identities.
    pub fn insert(&mut self, key: RowKey<'_>) -> Option<Seen> {
        if let Some((_, payload)) = self.find(key) {
            return Some(if payload == key.payload { Seen::Same } else { Seen::Conflict });
        }
        let index = u32::try_from(self.entries.len()).ok()?;
        self.arena.extend_from_slice(key.identity);
        self.entries.push(Entry { end: self.arena.len(), hash: key.hash, payload: key.payload });
        let entries = &self.entries;
        self.table
            .insert_unique(table_hash(key.hash), index, |&index| table_hash(entries[index as usize].hash));
        Some(Seen::First)
    }

    /// The index of an identity, in the order in which they were added, and the payload that it came with.
    pub fn find(&self, key: RowKey<'_>) -> Option<(usize, u64)> {
        let is_it = |&index: &u32| {
            self.entries[index as usize].hash == key.hash && self.bytes(index as usize) == key.identity
        };
        let index = *self.table.find(table_hash(key.hash), is_it)? as usize;
        Some((index, self.entries[index].payload))
    }

    /// Removes the identity that was added last.
    pub fn pop(&mut self) {
        let Some(entry) = self.entries.pop() else { return };
        let last = self.entries.len() as u32;
        if let Ok(found) = self.table.find_entry(table_hash(entry.hash), |&index| index == last) {
            found.remove();
        }
        self.arena.truncate(self.entries.last().map_or(0, |entry| entry.end));
    }

    fn bytes(&self, index: usize) -> &[u8] {
        let start = index.checked_sub(1).map_or(0, |before| self.entries[before].end);
        &self.arena[start..self.entries[index].end]
    }
}

/// Reads the keys of typed rows that have all fields of their source.
pub struct RowKeys<'a> {
    cells: Vec<CanonicalCells<'a>>,
    /// The fields of the identity.
    fields: &'a [usize],
    identity: Vec<u8>,
    payload: Vec<u8>,
}

impl<'a> RowKeys<'a> {
    /// `None` if a column is not of a type that typed rows have.
    pub fn new(arrays: &'a [ArrayRef], decoder: &'a RecordDecoder) -> Option<Self> {
        let cells = arrays.iter().map(CanonicalCells::new).collect::<Option<_>>()?;
        Some(RowKeys { cells, fields: &decoder.source.identity, identity: Vec::new(), payload: Vec::new() })
    }

    /// The key of a row.
    pub fn at(&mut self, row: usize) -> RowKey<'_> {
        self.identity.clear();
        self.payload.clear();
        self.fields.iter().for_each(|&field| self.cells[field].append(row, &mut self.identity));
        self.cells.iter().for_each(|cells| cells.append(row, &mut self.payload));
        RowKey::new(&self.identity, XxHash3_64::oneshot(&self.payload))
    }
}

impl std::fmt::Debug for RowKeys<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RowKeys").field("fields", &self.fields).finish_non_exhaustive()
    }
}

/// What is known of an identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// No record has had it.
    First,
    /// A record has had it, with the same payload.
    Same,
    /// A record has had it, with another payload.
    Conflict,
}

/// Finds the duplicates of each partition, in the total order of positions. Calls `progress` with
/// about the number of bytes that were read of each file.
pub(crate) fn find(
    partitions: &[Arc<dyn Partition>],
    decoder: &RecordDecoder,
    progress: &mut dyn FnMut(u64),
) -> Result<Vec<Arc<Duplicates>>, LogError> {
    if decoder.source.identity.is_empty() {
        return Ok(partitions.iter().map(|_| Arc::default()).collect());
    }
    let n_threads = std::thread::available_parallelism().map_or(1, NonZero::get);
    let mut identities = Identities::default();
    let mut all = Vec::with_capacity(partitions.len());
    for (number, partition) in (0u32..).zip(partitions) {
        let range = OffsetRange { from: partition.start(), to: partition.end() };
        if range.from >= range.to {
            all.push(Arc::default());
            continue;
        }
        let request = SliceRequest {
            partition: number,
            range,
            columns: (0..decoder.fields.len()).collect(),
            batch_rows: BATCH_ROWS,
            duplicates: Arc::default(),
            wanted: Arc::default(),
        };
        let (mut found, mut done) = (Duplicates::default(), 0);
        let mut take = |decoded: DecodedBatch| {
            add(&mut identities, &decoded, decoder, &mut found).ok_or_else(|| too_many(decoder))?;
            let share = u128::from(partition.n_bytes()) * u128::from(decoded.range.to - range.from);
            let now = u64::try_from(share / u128::from(range.to - range.from)).unwrap_or(done);
            progress(now - done);
            done = now;
            Ok(())
        };
        read_in_order(partition.as_ref(), &request, n_threads, &mut take)?;
        all.push(Arc::new(found));
    }
    Ok(all)
}

/// The error of a source with too many identities.
pub fn too_many(decoder: &RecordDecoder) -> LogError {
    let problem = format!("source `{}` has more than four thousand million identities", decoder.source.name);
    LogError::Request { problem }
}

/// Adds the rows of a batch, and notes its duplicates. `None` if there are too many identities.
pub(crate) fn add(
    identities: &mut Identities,
    decoded: &DecodedBatch,
    decoder: &RecordDecoder,
    found: &mut Duplicates,
) -> Option<()> {
    let mut keys = RowKeys::new(&decoded.arrays, decoder)?;
    for (row, offset) in decoded.accepted().enumerate().take(decoded.n_rows) {
        match identities.insert(keys.at(row))? {
            Seen::First => {}
            Seen::Same => found.offsets.push(offset),
            Seen::Conflict => {
                found.offsets.push(offset);
                found.conflicts.push(offset);
            }
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn identities_are_a_map_from_bytes_to_what_was_said_first(
            records in prop::collection::vec((prop::collection::vec(0u8..3, 0..5), 0u64..2), 0..400)
        ) {
            let (mut identities, mut oracle) = (Identities::default(), HashMap::new());
            for (identity, payload) in records {
                let seen = match oracle.get(&identity) {
                    None => Seen::First,
                    Some(first) if *first == payload => Seen::Same,
                    Some(_) => Seen::Conflict,
                };
                oracle.entry(identity.clone()).or_insert(payload);
                prop_assert_eq!(identities.insert(RowKey::new(&identity, payload)), Some(seen));
            }
        }
    }

    #[test]
    fn many_identities_are_kept_apart() {
        let mut identities = Identities::default();
        for round in [Seen::First, Seen::Same] {
            for number in 0u32..5000 {
                assert_eq!(identities.insert(RowKey::new(&number.to_le_bytes(), 7)), Some(round));
            }
        }
        assert_eq!(identities.insert(RowKey::new(&17u32.to_le_bytes(), 8)), Some(Seen::Conflict));
    }

    #[test]
    fn identities_are_removed_from_the_last_on() {
        let mut identities = Identities::default();
        for number in 0u32..3000 {
            identities.insert(RowKey::new(&number.to_le_bytes(), 7));
        }
        for number in (1000u32..3000).rev() {
            assert_eq!(identities.find(RowKey::new(&number.to_le_bytes(), 0)), Some((number as usize, 7)));
            identities.pop();
            assert_eq!(identities.find(RowKey::new(&number.to_le_bytes(), 0)), None);
        }
        assert_eq!(identities.insert(RowKey::new(&2000u32.to_le_bytes(), 8)), Some(Seen::First));
        assert_eq!(identities.insert(RowKey::new(&999u32.to_le_bytes(), 7)), Some(Seen::Same));
    }
}
