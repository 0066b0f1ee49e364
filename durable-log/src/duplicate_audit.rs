//! Verdicts derived again: which records are duplicates, from the identities in the log alone.
//!
//! The log decides about a record once, when it comes in, and everybody trusts that. An audit does not: it
//! derives each verdict from the records before, by the declaration and the windows of the log, and by
//! nothing that the writer keeps in memory. For that, the log has the hash of the identity and the time of
//! each duplicate, whose other fields it does not keep.

use std::collections::HashMap;
use std::hash::Hasher;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{Decimal128Type, TimestampMicrosecondType};
use metricc_log::duplicates::RowKeys;
use metricc_log::{Frontier, Log, Position, RecordDecoder, Slice};
use twox_hash::XxHash3_64;

use crate::chunk::Chunk;
use crate::dedup_index::DedupWindow;
use crate::duplicate_key::{DuplicateKey, WindowSince};
use crate::error::DurableError;
use crate::snapshot::{LogSnapshot, PartitionSnapshot, no_source};
use crate::staging::not_rows;

/// Rows that are read at once, and about the number of positions whose duplicates are held at once.
const BATCH_ROWS: usize = 65_536;

/// Verdicts about duplicates, as they stand in the log and as they are derived again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DerivedVerdicts {
    /// Records whose verdicts were derived.
    pub n_records: u64,
    /// Records that an older version has decided about without noting by what; they are not derived.
    pub n_unknown: u64,
    /// Records about which the log says otherwise.
    pub n_differences: u64,
    /// The first of them.
    pub first_difference: Option<Position>,
    /// XXH3-64 of the positions of the duplicates in the log.
    pub stated: u64,
    /// XXH3-64 of the positions of the derived duplicates.
    pub derived: u64,
}

impl LogSnapshot {
    /// Derives the verdicts about duplicates of a source again, from the start of the log to a frontier.
    /// `None` if its records have no identity, and there are no duplicates.
    ///
    /// # Errors
    /// [`DurableError`] if the log could not be read.
    pub fn derive_verdicts(
        &self,
        source: &str,
        to: &Frontier,
    ) -> Result<Option<DerivedVerdicts>, DurableError> {
        let known = self.sources.get(source).ok_or_else(|| no_source(source))?;
        let decoder = self.decoder(source).ok_or_else(|| no_source(source))?;
        let has_identity = !decoder.source().identity.is_empty();
        let has_duplicates = |known: &PartitionSnapshot| {
            known.chunks.iter().any(|chunk| !chunk.excluded.duplicates.is_empty())
        };
        if !has_identity && !known.partitions.iter().any(has_duplicates) {
            return Ok(None);
        }
        let log = self.log(source, &Frontier(vec![0; known.partitions.len()]))?;
        let mut comparison = Comparison::default();
        for ((partition, PartitionSnapshot { chunks, .. }), &to) in (0u32..).zip(&known.partitions).zip(&to.0)
        {
            let mut derivation = Derivation::new(decoder, partition, &known.windows);
            let mut chunks = chunks.iter().take_while(|chunk| chunk.range.from < to).peekable();
            while let Some(first) = chunks.next() {
                let (mut duplicates, mut end) = (duplicates_of(first)?, first.range.to);
                let from = first.range.from;
                // Many small chunks are read together.
                while let Some(next) = chunks.next_if(|_| end - from < BATCH_ROWS as u64) {
                    duplicates.extend(duplicates_of(next)?);
                    end = next.range.to;
                }
                let slice = Slice { partition, from, to: end.min(to) };
                duplicates.retain(|(offset, _)| *offset < to);
                derivation.derive(&log, &slice, &duplicates, &mut comparison)?;
            }
        }
        Ok(Some(comparison.finish()))
    }
}

/// The stated and the derived verdicts that were compared so far.
#[derive(Default)]
struct Comparison {
    verdicts: DerivedVerdicts,
    stated: XxHash3_64,
    derived: XxHash3_64,
}

impl Comparison {
    fn add(&mut self, position: Position, is_stated: bool, is_derived: Option<bool>) {
        let Some(is_derived) = is_derived else {
            self.verdicts.n_unknown += 1;
            return;
        };
        self.verdicts.n_records += 1;
        for (hasher, is_duplicate) in [(&mut self.stated, is_stated), (&mut self.derived, is_derived)] {
            if is_duplicate {
                hasher.write_u32(position.partition);
                hasher.write_u64(position.offset);
            }
        }
        if is_stated != is_derived {
            self.verdicts.n_differences += 1;
            self.verdicts.first_difference.get_or_insert(position);
        }
    }

    fn finish(self) -> DerivedVerdicts {
        DerivedVerdicts { stated: self.stated.finish(), derived: self.derived.finish(), ..self.verdicts }
    }
}

/// The duplicates of a chunk; those that an older version has written have no key.
fn duplicates_of(chunk: &Chunk) -> Result<Vec<(u64, Option<DuplicateKey>)>, DurableError> {
    let mut keys = chunk.duplicate_keys()?.into_iter().peekable();
    let key = |&offset: &u64| {
        let key = keys.next_if(|(at, _)| *at == offset);
        (offset, key.map(|(_, key)| key))
    };
    Ok(chunk.excluded.duplicates.iter().map(key).collect())
}

/// An accepted event.
#[derive(Debug, Clone, Copy)]
struct Accepted {
    offset: u64,
    time: i64,
}

/// What is known of a partition up to some offset.
struct Derivation<'a> {
    decoder: &'a RecordDecoder,
    partition: u32,
    /// From which offset on each window holds, ascending.
    windows: Vec<(u64, DedupWindow)>,
    /// The newest event time so far.
    newest: i64,
    /// The accepted events by the hashes of their identities.
    identities: HashMap<u64, Vec<Accepted>>,
}

impl<'a> Derivation<'a> {
    fn new(decoder: &'a RecordDecoder, partition: u32, windows: &[WindowSince]) -> Self {
        let since =
            |since: &WindowSince| (since.from.get(partition as usize).copied().unwrap_or(0), since.window);
        let windows = windows.iter().map(since).collect();
        Derivation { decoder, partition, windows, newest: i64::MIN, identities: HashMap::new() }
    }

    /// Goes on over the records of a slice that are rows or duplicates, in order.
    fn derive(
        &mut self,
        log: &Log,
        slice: &Slice,
        duplicates: &[(u64, Option<DuplicateKey>)],
        comparison: &mut Comparison,
    ) -> Result<(), DurableError> {
        let n_fields = log.source().fields.len();
        let columns: Vec<usize> = (0..=n_fields).collect();
        let mut rest = duplicates.iter().peekable();
        for batch in log.read(slice, &columns, BATCH_ROWS)? {
            for (offset, key) in keys_of(self.decoder, &batch?.rows)? {
                while let Some((duplicate, key)) = rest.next_if(|(duplicate, _)| *duplicate < offset) {
                    self.compare_duplicate(*duplicate, *key, comparison);
                }
                comparison.add(self.position(offset), false, self.is_duplicate(offset, key));
                self.newest = self.newest.max(key.time);
                let accepted = Accepted { offset, time: key.time };
                self.identities.entry(key.hash).or_default().push(accepted);
            }
        }
        rest.for_each(|(offset, key)| self.compare_duplicate(*offset, *key, comparison));
        self.forget(slice.to);
        Ok(())
    }

    fn compare_duplicate(&self, offset: u64, key: Option<DuplicateKey>, comparison: &mut Comparison) {
        let is_derived = key.and_then(|key| self.is_duplicate(offset, key));
        comparison.add(self.position(offset), true, is_derived);
    }

    fn position(&self, offset: u64) -> Position {
        Position { partition: self.partition, offset }
    }

    fn window_at(&self, offset: u64) -> Option<DedupWindow> {
        self.windows.iter().rev().find(|(from, _)| *from <= offset).map(|(_, window)| *window)
    }

    /// Whether an accepted event before has the identity and is within the window. `None` where the window is
    /// not known.
    fn is_duplicate(&self, offset: u64, key: DuplicateKey) -> Option<bool> {
        let window = self.window_at(offset)?;
        if self.decoder.source().identity.is_empty() {
            return Some(false);
        }
        let first_counted = match window {
            DedupWindow::Positions(_) => window.first_counted(window.position(offset, key.time)),
            DedupWindow::EventTime { .. } => window.first_counted(self.newest.max(key.time)),
        };
        let counts = |known: &Accepted| window.position(known.offset, known.time) >= first_counted;
        Some(self.identities.get(&key.hash).is_some_and(|known| known.iter().any(counts)))
    }

    /// Forgets what no window from an offset on reaches.
    fn forget(&mut self, next: u64) {
        let later = self.windows.iter().enumerate().filter(|(index, _)| {
            self.windows.get(index + 1).is_none_or(|(end_of_this, _)| *end_of_this > next)
        });
        let later: Vec<DedupWindow> = later.map(|(_, (_, window))| *window).collect();
        let newest = self.newest;
        let counts = |known: &Accepted| {
            later.iter().any(|window| {
                let watermark = window.position(next, newest);
                window.position(known.offset, known.time) >= window.first_counted(watermark)
            })
        };
        self.identities.retain(|_, known| {
            known.retain(counts);
            !known.is_empty()
        });
    }
}

/// The offsets and keys of rows that have all fields, and their positions.
fn keys_of(decoder: &RecordDecoder, rows: &RecordBatch) -> Result<Vec<(u64, DuplicateKey)>, DurableError> {
    let source = decoder.source();
    let (arrays, positions) = rows.columns().split_at(source.fields.len());
    let mut keys = RowKeys::new(arrays, decoder).ok_or_else(not_rows)?;
    let times = arrays[source.time].as_primitive_opt::<TimestampMicrosecondType>();
    let positions = positions.first().and_then(|column| column.as_primitive_opt::<Decimal128Type>());
    let (Some(times), Some(positions)) = (times, positions) else { return Err(not_rows()) };
    let key = |row: usize| {
        let offset = Position::from_order(positions.value(row)).offset;
        (offset, DuplicateKey { hash: keys.at(row).hash, time: times.value(row) })
    };
    Ok((0..rows.num_rows()).map(key).collect())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use metricc_ir::{Field, Kind, Source, Type};
    use metricc_log::{EventDecoder, RecordDecoder};

    use crate::disk::Disk;
    use crate::faulty_disk::SimDisk;
    use crate::{DedupWindow, DurableLog, DurableOptions, LogId, Request, SourceOptions};

    fn source(identity: &[usize]) -> Arc<Source> {
        let field = |name: &str, kind| Field::new(name, Type::of(kind));
        let fields = vec![field("at", Kind::Timestamp), field("id", Kind::Int), field("k", Kind::Int)];
        Arc::new(Source {
            name: "s".into(),
            doc: String::new(),
            fields,
            time: 0,
            identity: identity.to_vec(),
        })
    }

    fn open(disk: &SimDisk, positions: u64) -> DurableLog {
        let disk: Arc<dyn Disk> = Arc::new(disk.clone());
        let window = DedupWindow::Positions(positions);
        let sources = [SourceOptions { source: source(&[1]), others: Vec::new(), n_partitions: 1, window }];
        let fresh = LogId { id: 1, seed: 2 };
        DurableLog::open(disk, DurableOptions::default(), &sources, fresh, 3).unwrap().0
    }

    fn send(log: &mut DurableLog, ids: &[i64]) {
        let line = |id: &i64| format!("{{\"at\":\"2026-04-25T00:00:00Z\",\"id\":{id},\"k\":{}}}\n", id % 2);
        let body: String = ids.iter().map(line).collect();
        let events = EventDecoder::new(&source(&[1])).unwrap().ndjson(body.as_bytes());
        log.append(&[Request { events, key: None, digest: 0, read: None }]).remove(0).unwrap();
    }

    #[test]
    fn f35_verdicts_of_another_identity_are_found() {
        let disk = SimDisk::default();
        let mut log = open(&disk, 3);
        send(&mut log, &[1, 2, 1, 3, 4, 5, 1, 1]);
        drop(log);
        // Another window, of which there is a verdict that the first one would not have given.
        let mut log = open(&disk, 100);
        send(&mut log, &[2, 9]);
        let end = log.snapshot().end("s");
        for is_flushed in [false, true] {
            if is_flushed {
                let slice = metricc_log::Slice { partition: 0, from: 0, to: end.0[0] };
                let disk: Arc<dyn Disk> = Arc::new(disk.clone());
                let flush = log.snapshot().write_flush(&disk, "s", &slice).unwrap();
                log.commit_flush(&flush).unwrap();
            }
            let verdicts = log.snapshot().derive_verdicts("s", &end).unwrap().unwrap();
            assert_eq!((verdicts.n_records, verdicts.n_unknown, verdicts.n_differences), (10, 0, 0));
            assert_eq!(verdicts.stated, verdicts.derived);
            // By `k`, all from offset 3 on but one are not what they were; without an identity, no duplicate
            // is.
            for (identity, n_differences, first) in [(&[2][..], 6, 3), (&[], 3, 2)] {
                let mut other = log.snapshot();
                let known = other.sources.get_mut("s").unwrap();
                let (decoder, _) = known.taken.as_mut().unwrap();
                *decoder = RecordDecoder::new(&source(identity)).unwrap();
                let verdicts = other.derive_verdicts("s", &end).unwrap().unwrap();
                let found = verdicts.first_difference.map(|position| position.offset);
                assert_eq!((verdicts.n_differences, found), (n_differences, Some(first)), "{identity:?}");
                assert_ne!(verdicts.stated, verdicts.derived);
            }
        }
    }
}
