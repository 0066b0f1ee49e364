//! Staging: which position each record of a group of requests gets, and which records are duplicates, before
//! the group is written.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, RecordBatch, RecordBatchOptions, UInt64Array};
use arrow::compute::{concat_batches, take_record_batch};
use arrow::datatypes::TimestampMicrosecondType;
use arrow::error::ArrowError;
use metricc_log::duplicates::{RowKey, RowKeys, Seen, too_many};
use metricc_log::{Events, Position, RecordDecoder, Rejected, Slice, row_schema};

use crate::dedup_index::DedupIndex;
use crate::duplicate_key::DuplicateKey;
use crate::error::DurableError;
use crate::frame_payload::{Entry, Payload, QuarantinedEntry, RowsEntry};
use crate::request::{Accepted, Exception, Verdict};
use crate::request_end::RequestEnd;

/// What a group of requests adds to one partition.
#[derive(Debug, Default)]
struct StagedPartition {
    from: u64,
    to: u64,
    batches: Vec<RecordBatch>,
    duplicates: Vec<u64>,
    conflicts: Vec<u64>,
    duplicate_keys: Vec<DuplicateKey>,
    quarantined: Vec<(u64, Rejected)>,
    /// The ends of the requests that have added to it.
    requests: Vec<RequestEnd>,
}

impl StagedPartition {
    /// Notes a record with an identity, if it is a duplicate.
    fn verdict(&mut self, offset: u64, seen: Seen, key: DuplicateKey) -> Option<Verdict> {
        if seen == Seen::First {
            return None;
        }
        self.duplicates.push(offset);
        self.duplicate_keys.push(key);
        if seen == Seen::Same {
            return Some(Verdict::Duplicate);
        }
        self.conflicts.push(offset);
        Some(Verdict::Conflict)
    }
}

/// What a group of requests adds to one source.
pub(crate) struct StagedSource<'a> {
    decoder: &'a Arc<RecordDecoder>,
    /// One for each partition; they stay empty where the source has no identity.
    dedup: &'a mut [DedupIndex],
    partitions: BTreeMap<u32, StagedPartition>,
    ends: Vec<u64>,
    /// Requests that have added something.
    n_requests: usize,
}

impl<'a> StagedSource<'a> {
    pub(crate) fn new(decoder: &'a Arc<RecordDecoder>, dedup: &'a mut [DedupIndex], ends: Vec<u64>) -> Self {
        StagedSource { decoder, dedup, partitions: BTreeMap::new(), ends, n_requests: 0 }
    }

    /// Gives positions to the records of a request. `number` is that of the request: requests take turns on
    /// the partitions.
    pub(crate) fn add(
        &mut self,
        events: &Events,
        number: u64,
    ) -> Result<(Accepted, Vec<Exception>), DurableError> {
        let n_rows = (events.n_records() as usize).saturating_sub(events.rejected().len());
        let options = RecordBatchOptions::new().with_row_count(Some(n_rows));
        let rows = RecordBatch::try_new_with_options(self.schema(), events.rows().to_vec(), &options)?;
        let keys = self.keys(&rows)?;
        let mut accepted = Accepted::default();
        let mut exceptions = Vec::new();
        for (partition, records) in self.assign(events, keys.as_ref(), number) {
            let (slice, found) = self.add_to(partition, &records, events, &rows, keys.as_ref())?;
            accepted.positions.push(slice);
            exceptions.extend(found);
        }
        self.note_end(&accepted.positions);
        exceptions.sort_by_key(|exception| exception.record);
        for exception in &exceptions {
            match exception.verdict {
                Verdict::Duplicate => accepted.n_duplicates += 1,
                Verdict::Conflict => {
                    accepted.n_duplicates += 1;
                    accepted.n_conflicts += 1;
                }
                Verdict::Quarantined { .. } => accepted.n_quarantined += 1,
            }
        }
        accepted.n_accepted = events.n_records() - accepted.n_duplicates - accepted.n_quarantined;
        Ok((accepted, exceptions))
    }

    /// Notes that a request ends after some positions.
    fn note_end(&mut self, positions: &[Slice]) {
        self.n_requests += usize::from(!positions.is_empty());
        let total = self.ends.iter().sum();
        for slice in positions {
            if let Some(staged) = self.partitions.get_mut(&slice.partition) {
                staged.requests.push(RequestEnd { offset: slice.to, total });
            }
        }
    }

    fn schema(&self) -> arrow::datatypes::SchemaRef {
        let source = self.decoder.source();
        row_schema(source, &(0..source.fields.len()).collect::<Vec<_>>())
    }

    /// The keys of all rows; `None` where the source has no identity.
    fn keys(&self, rows: &RecordBatch) -> Result<Option<Keys>, DurableError> {
        if self.decoder.source().identity.is_empty() {
            return Ok(None);
        }
        let mut row_keys = RowKeys::new(rows.columns(), self.decoder).ok_or_else(not_rows)?;
        let mut keys = Keys::default();
        (0..rows.num_rows()).for_each(|row| keys.push(row_keys.at(row)));
        Ok(Some(keys))
    }

    /// Assigns records to partitions: those of one identity always to the same one, a request without
    /// identities as a whole.
    fn assign(&self, events: &Events, keys: Option<&Keys>, number: u64) -> BTreeMap<u32, Vec<Record>> {
        let n_partitions = self.ends.len().max(1) as u64;
        let mut rejected = (0usize..).zip(events.rejected()).peekable();
        let mut row = 0;
        let mut assigned: BTreeMap<u32, Vec<Record>> = BTreeMap::new();
        for record in 0..events.n_records() {
            let (content, partition) = match rejected.next_if(|(_, rejected)| rejected.record == record) {
                Some((index, _)) => (Content::Rejected(index), number % n_partitions),
                None => {
                    row += 1;
                    let hash = keys.map_or(number, |keys| keys.get(row - 1).hash);
                    (Content::Row(row - 1), hash % n_partitions)
                }
            };
            assigned.entry(partition as u32).or_default().push(Record { number: record, content });
        }
        assigned
    }

    fn add_to(
        &mut self,
        partition: u32,
        records: &[Record],
        events: &Events,
        rows: &RecordBatch,
        keys: Option<&Keys>,
    ) -> Result<(Slice, Vec<Exception>), DurableError> {
        let end = &mut self.ends[partition as usize];
        let from = *end;
        let new = || StagedPartition { from, to: from, ..StagedPartition::default() };
        let staged = self.partitions.entry(partition).or_insert_with(new);
        let times = rows.column(self.decoder.source().time).as_primitive_opt::<TimestampMicrosecondType>();
        let (mut kept, mut exceptions) = (Vec::with_capacity(records.len()), Vec::new());
        for (offset, record) in (from..).zip(records) {
            let verdict = match (record.content, keys) {
                (Content::Rejected(index), _) => {
                    let rejected = events.rejected()[index].clone();
                    let (field, problem) = (rejected.field.clone(), rejected.problem.clone());
                    staged.quarantined.push((offset, rejected));
                    Some(Verdict::Quarantined { field, problem })
                }
                (Content::Row(row), None) => {
                    kept.push(row as u64);
                    None
                }
                (Content::Row(row), Some(keys)) => {
                    let index = &mut self.dedup[partition as usize];
                    let time = times.map_or(0, |times| times.value(row));
                    let position = index.window().position(offset, time);
                    let key = keys.get(row);
                    let seen = index.add(position, key).ok_or_else(|| too_many(self.decoder))?;
                    let verdict = staged.verdict(offset, seen, DuplicateKey { hash: key.hash, time });
                    if verdict.is_none() {
                        kept.push(row as u64);
                    }
                    verdict
                }
            };
            if let Some(verdict) = verdict {
                let position = Position { partition, offset };
                exceptions.push(Exception { record: record.number, position, verdict });
            }
        }
        if kept.len() == rows.num_rows() {
            staged.batches.push(rows.clone());
        } else if !kept.is_empty() {
            staged.batches.push(selected(rows, kept)?);
        }
        let to = from + records.len() as u64;
        staged.to = to;
        *end = to;
        Ok((Slice { partition, from, to }, exceptions))
    }

    /// Adds what is staged to a payload.
    pub(crate) fn write(self, payload: &mut Payload) -> Result<(), DurableError> {
        let (schema, name) = (self.schema(), &self.decoder.source().name);
        for (partition, staged) in self.partitions {
            let quarantined = staged.quarantined.into_iter().map(|(offset, rejected)| QuarantinedEntry {
                offset,
                field: rejected.field,
                problem: rejected.problem,
                excerpt: rejected.excerpt,
                raw: payload.blob(&rejected.raw),
            });
            let quarantined = quarantined.collect();
            let (mut rows, mut checksum) = (None, 0);
            if !staged.batches.is_empty() {
                let batch = match &staged.batches[..] {
                    [only] => only.clone(),
                    batches => concat_batches(&schema, batches)?,
                };
                let (blob, sum) = payload.rows(name, partition, batch)?;
                (rows, checksum) = (Some(blob), sum);
            }
            payload.push(Entry::Rows(RowsEntry {
                source: name.clone(),
                partition,
                from: staged.from,
                to: staged.to,
                duplicates: staged.duplicates,
                conflicts: staged.conflicts,
                duplicate_keys: staged.duplicate_keys,
                quarantined,
                rows,
                checksum,
                requests: if self.n_requests > 1 { staged.requests } else { Vec::new() },
            }));
        }
        Ok(())
    }
}

/// The keys of the rows of a request.
#[derive(Debug, Default)]
struct Keys {
    /// The bytes of all identities.
    identities: Vec<u8>,
    /// For each row the end of its identity, the hash of it, and that of the payload.
    rows: Vec<(usize, u64, u64)>,
}

impl Keys {
    fn push(&mut self, key: RowKey<'_>) {
        self.identities.extend_from_slice(key.identity);
        self.rows.push((self.identities.len(), key.hash, key.payload));
    }

    fn get(&self, row: usize) -> RowKey<'_> {
        let start = row.checked_sub(1).map_or(0, |before| self.rows[before].0);
        let (end, hash, payload) = self.rows[row];
        RowKey { identity: &self.identities[start..end], hash, payload }
    }
}

/// A record of a request.
#[derive(Debug, Clone, Copy)]
struct Record {
    number: u64,
    content: Content,
}

#[derive(Debug, Clone, Copy)]
enum Content {
    /// Its index among the rows.
    Row(usize),
    /// Its index among the records that did not decode.
    Rejected(usize),
}

/// Some rows, by their indices in ascending order.
fn selected(rows: &RecordBatch, indices: Vec<u64>) -> Result<RecordBatch, ArrowError> {
    let selected = take_record_batch(rows, &UInt64Array::from(indices))?;
    // Views still hold the texts of all rows.
    let compact = |array: &ArrayRef| match array.as_string_view_opt() {
        Some(views) => Arc::new(views.gc()) as ArrayRef,
        None => array.clone(),
    };
    let columns = selected.columns().iter().map(compact).collect();
    let options = RecordBatchOptions::new().with_row_count(Some(selected.num_rows()));
    RecordBatch::try_new_with_options(selected.schema(), columns, &options)
}

pub(crate) fn not_rows() -> DurableError {
    DurableError::Request("a column is not of a type that rows have".to_owned())
}
