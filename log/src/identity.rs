//! Which records are duplicates: found once when a log is opened, over the whole log, so that every
//! interval of it agrees (C77).
//!
//! Identities are compared byte by byte. Whether a duplicate says something else than the record that
//! won (C78) is decided by a 64-bit hash (XXH3) of all its fields.

use arrow::array::ArrayRef;
use twox_hash::XxHash3_64;

use crate::LogError;
use crate::canonical::Cells;
use crate::decode::SharedRules;
use crate::partition::{Decoded, Partition, Range, ReadRequest};
use crate::rule::Rules;
use std::sync::Arc;

/// How many records are decoded at once while duplicates are looked for.
const BATCH_ROWS: u64 = 8192;

/// The duplicates of a partition.
#[derive(Debug, Clone, Default)]
pub(crate) struct Duplicates {
    /// Their offsets, ascending.
    offsets: Vec<u64>,
    /// The offsets of those that are conflicts, ascending.
    conflicts: Vec<u64>,
}

impl Duplicates {
    /// The duplicates from one offset to another, `to` not included.
    pub(crate) fn within(&self, from: u64, to: u64) -> &[u64] {
        between(&self.offsets, from, to)
    }

    /// The number of duplicates, and of conflicts among them, from one offset to another.
    pub(crate) fn count(&self, from: u64, to: u64) -> (u64, u64) {
        (self.within(from, to).len() as u64, between(&self.conflicts, from, to).len() as u64)
    }

    /// Where a walk in the order of offsets starts, see [`Duplicates::contains`].
    pub(crate) fn first_from(&self, offset: u64) -> usize {
        self.offsets.partition_point(|&duplicate| duplicate < offset)
    }

    /// Whether an offset is a duplicate. `next` walks along: offsets are asked in ascending order.
    pub(crate) fn contains(&self, offset: u64, next: &mut usize) -> bool {
        let found = self.offsets.get(*next) == Some(&offset);
        *next += usize::from(found);
        found
    }
}

fn between(offsets: &[u64], from: u64, to: u64) -> &[u64] {
    let start = offsets.partition_point(|&offset| offset < from);
    let end = offsets.partition_point(|&offset| offset < to);
    &offsets[start..end.max(start)]
}

/// The identities seen so far, each with a hash of all that the first record with it says.
///
/// A hash table with open addressing over an arena: 24 bytes an identity besides its own bytes and
/// the table, which is what allows logs of many million keyed events.
#[derive(Debug, Default)]
pub(crate) struct Identities {
    /// The bytes of all identities.
    arena: Vec<u8>,
    entries: Vec<Entry>,
    /// Places in `entries`, plus 1; 0 is free. The length is a power of two, and at most half is taken.
    table: Vec<u32>,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    /// Where its bytes end in the arena; they start where those of the entry before end.
    end: usize,
    hash: u64,
    payload: u64,
}

impl Identities {
    /// Adds an identity if it is new; otherwise, whether the record that had it first says the same.
    /// None if there are too many identities.
    pub(crate) fn insert(&mut self, identity: &[u8], payload: u64) -> Option<Seen> {
        if self.entries.len() * 2 >= self.table.len() {
            self.grow();
        }
        let hash = XxHash3_64::oneshot(identity);
        let mut slot = self.slot_of(hash);
        while self.table[slot] != 0 {
            let place = self.table[slot] as usize - 1;
            let entry = self.entries[place];
            if entry.hash == hash && self.bytes(place) == identity {
                return Some(if entry.payload == payload { Seen::Same } else { Seen::Conflict });
            }
            slot = (slot + 1) & (self.table.len() - 1);
        }
        self.arena.extend_from_slice(identity);
        self.entries.push(Entry { end: self.arena.len(), hash, payload });
        self.table[slot] = u32::try_from(self.entries.len()).ok()?;
        Some(Seen::First)
    }

    /// Which one an identity is, in the order in which they were added, and the payload that it came with.
    pub(crate) fn find(&self, identity: &[u8]) -> Option<(usize, u64)> {
        let hash = XxHash3_64::oneshot(identity);
        let mut slot = self.slot_of(hash);
        loop {
            let place = (*self.table.get(slot)? as usize).checked_sub(1)?;
            let entry = self.entries[place];
            if entry.hash == hash && self.bytes(place) == identity {
                return Some((place, entry.payload));
            }
            slot = (slot + 1) & (self.table.len() - 1);
        }
    }

    /// Takes back the identity that was added last. Those before it stand where they stood without it, since a place in
    /// the table depends on earlier ones alone.
    pub(crate) fn pop(&mut self) {
        let Some(entry) = self.entries.last().copied() else { return };
        let number = self.entries.len() as u32;
        let mut slot = self.slot_of(entry.hash);
        while self.table[slot] != number {
            slot = (slot + 1) & (self.table.len() - 1);
        }
        self.table[slot] = 0;
        self.entries.pop();
        self.arena.truncate(self.entries.last().map_or(0, |entry| entry.end));
    }

    fn bytes(&self, place: usize) -> &[u8] {
        let start = place.checked_sub(1).map_or(0, |before| self.entries[before].end);
        &self.arena[start..self.entries[place].end]
    }

    fn slot_of(&self, hash: u64) -> usize {
        // Truncation is wanted: the low bits choose the slot.
        hash as usize & self.table.len().wrapping_sub(1)
    }

    fn grow(&mut self) {
        self.table = vec![0; (self.table.len() * 2).max(1024)];
        for (place, entry) in (1u32..).zip(&self.entries) {
            let mut slot = entry.hash as usize & (self.table.len() - 1);
            while self.table[slot] != 0 {
                slot = (slot + 1) & (self.table.len() - 1);
            }
            self.table[slot] = place;
        }
    }
}

/// Reads from typed rows, all fields of them, what tells events apart.
pub(crate) struct RowKeys<'a> {
    cells: Vec<Cells<'a>>,
    /// The fields of the identity.
    fields: &'a [usize],
    identity: Vec<u8>,
    payload: Vec<u8>,
}

impl<'a> RowKeys<'a> {
    /// None if a column is of a type that typed rows do not have.
    pub(crate) fn new(arrays: &'a [ArrayRef], rules: &'a Rules) -> Option<Self> {
        let cells = arrays.iter().map(Cells::new).collect::<Option<_>>()?;
        Some(RowKeys { cells, fields: &rules.source.identity, identity: Vec::new(), payload: Vec::new() })
    }

    /// The bytes of the identity of a row, and a hash of all that it says.
    pub(crate) fn at(&mut self, row: usize) -> (&[u8], u64) {
        self.identity.clear();
        self.payload.clear();
        self.fields.iter().for_each(|&field| self.cells[field].append(row, &mut self.identity));
        self.cells.iter().for_each(|cells| cells.append(row, &mut self.payload));
        (&self.identity, XxHash3_64::oneshot(&self.payload))
    }
}

/// What is known of an identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Seen {
    First,
    Same,
    Conflict,
}

/// Finds the duplicates of each partition, in the total order of positions. `progress` is told
/// about how many bytes were read of each file.
pub(crate) fn find(
    partitions: &[Partition],
    rules: &SharedRules,
    progress: &mut dyn FnMut(u64),
) -> Result<Vec<Arc<Duplicates>>, LogError> {
    if rules.source.identity.is_empty() {
        return Ok(partitions.iter().map(|_| Arc::default()).collect());
    }
    let mut identities = Identities::default();
    let mut all = Vec::with_capacity(partitions.len());
    for (number, partition) in (0u32..).zip(partitions) {
        let n_records = partition.n_records();
        let request = ReadRequest {
            partition: number,
            range: Range { from: 0, to: n_records },
            columns: (0..rules.fields.len()).collect(),
            batch_rows: BATCH_ROWS,
            duplicates: Arc::default(),
            next_duplicate: 0,
        };
        let (mut found, mut done) = (Duplicates::default(), 0);
        let mut reader = partition.read(rules, request)?;
        while let Some(decoded) = reader.next_batch()? {
            add(&mut identities, &decoded, rules, &mut found).ok_or_else(|| too_many(rules))?;
            let share = u128::from(partition.n_bytes) * u128::from(decoded.range.to);
            let now = u64::try_from(share / u128::from(n_records.max(1))).unwrap_or(done);
            progress(now - done);
            done = now;
        }
        all.push(Arc::new(found));
    }
    Ok(all)
}

pub(crate) fn too_many(rules: &SharedRules) -> LogError {
    let problem = format!("source `{}` has more than four thousand million identities", rules.source.name);
    LogError::Request { problem }
}

/// Adds the rows of a batch, and notes its duplicates. None if there are too many identities.
pub(crate) fn add(
    identities: &mut Identities,
    decoded: &Decoded,
    rules: &SharedRules,
    found: &mut Duplicates,
) -> Option<()> {
    let mut keys = RowKeys::new(&decoded.arrays, rules)?;
    let mut rejected = decoded.rejected.iter().copied().peekable();
    let accepted =
        (decoded.range.from..decoded.range.to).filter(|offset| rejected.next_if_eq(offset).is_none());
    for (row, offset) in accepted.enumerate().take(decoded.n_rows) {
        let (identity, payload) = keys.at(row);
        match identities.insert(identity, payload)? {
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
                prop_assert_eq!(identities.insert(&identity, payload), Some(seen));
            }
        }
    }

    #[test]
    fn many_identities_are_kept_apart() {
        let mut identities = Identities::default();
        for round in [Seen::First, Seen::Same] {
            for number in 0u32..5000 {
                assert_eq!(identities.insert(&number.to_le_bytes(), 7), Some(round));
            }
        }
        assert_eq!(identities.insert(&17u32.to_le_bytes(), 8), Some(Seen::Conflict));
    }

    #[test]
    fn a_walk_finds_the_duplicates_of_its_range() {
        let duplicates = Duplicates { offsets: vec![2, 5, 6, 9], conflicts: vec![5] };
        assert_eq!(duplicates.within(3, 9), [5, 6]);
        assert_eq!(duplicates.count(0, 10), (4, 1));
        assert_eq!(duplicates.count(6, 10), (2, 0));
        let mut next = duplicates.first_from(3);
        let found: Vec<u64> = (3..10).filter(|&offset| duplicates.contains(offset, &mut next)).collect();
        assert_eq!(found, [5, 6, 9]);
    }
}
