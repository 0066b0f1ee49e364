//! Requests on their way into the log: which position each record gets, and which events came before.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, RecordBatch, RecordBatchOptions, UInt64Array};
use arrow::compute::{concat_batches, take_record_batch};
use arrow::datatypes::TimestampMicrosecondType;
use twox_hash::XxHash3_64;

use super::entry::{Entry, Payload, QuarantinedEntry, RowsEntry};
use super::error::DurableError;
use super::events::{Events, Rejected};
use super::recent::RecentIdentities;
use super::request::{Accepted, Exception, Verdict};
use crate::decode::SharedRules;
use crate::identity::{RowKeys, Seen, too_many};
use crate::{LogError, Position, Slice, schema};

/// What a group of requests adds to one partition.
#[derive(Debug, Default)]
struct StagedPartition {
    from: u64,
    to: u64,
    batches: Vec<RecordBatch>,
    duplicates: Vec<u64>,
    conflicts: Vec<u64>,
    quarantined: Vec<(u64, Rejected)>,
}

/// The identity of each row, and a hash of all that it says; none where the source has no identity.
type Keys = Option<Vec<(Vec<u8>, u64)>>;

/// What a group of requests adds to one source.
pub(crate) struct StagedSource<'a> {
    rules: &'a SharedRules,
    /// One for each partition; none remembers where the source has no identity.
    recent: &'a mut [RecentIdentities],
    partitions: BTreeMap<u32, StagedPartition>,
    ends: Vec<u64>,
}

impl<'a> StagedSource<'a> {
    pub(crate) fn new(rules: &'a SharedRules, recent: &'a mut [RecentIdentities], ends: Vec<u64>) -> Self {
        StagedSource { rules, recent, partitions: BTreeMap::new(), ends }
    }

    /// Gives positions to the records of a request.
    pub(crate) fn add(
        &mut self,
        events: &Events,
        turn: u64,
    ) -> Result<(Accepted, Vec<Exception>), DurableError> {
        let n_fields = self.rules.fields.len();
        let all: Vec<usize> = (0..n_fields).collect();
        let n_rows = (events.n_records as usize).saturating_sub(events.rejected.len());
        let options = RecordBatchOptions::new().with_row_count(Some(n_rows));
        let rows = RecordBatch::try_new_with_options(
            schema::schema(&self.rules.source, &all),
            events.rows.clone(),
            &options,
        )
        .map_err(|error| request(&error))?;
        let keys = self.keys(&rows)?;
        let mut accepted = Accepted::default();
        let mut exceptions = Vec::new();
        for (partition, records) in self.divide(events, &keys, turn) {
            let (slice, found) = self.add_to(partition, &records, events, &rows, &keys)?;
            accepted.positions.push(slice);
            exceptions.extend(found);
        }
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
        accepted.n_accepted = events.n_records - accepted.n_duplicates - accepted.n_quarantined;
        Ok((accepted, exceptions))
    }

    /// The identity of each row, and a hash of all that it says; none where the source has no identity.
    fn keys(&self, rows: &RecordBatch) -> Result<Keys, DurableError> {
        let source = &self.rules.source;
        if source.identity.is_empty() {
            return Ok(None);
        }
        let mut keys = RowKeys::new(rows.columns(), self.rules).ok_or_else(no_rows)?;
        let key = |row: usize| {
            let (identity, payload) = keys.at(row);
            (identity.to_vec(), payload)
        };
        Ok(Some((0..rows.num_rows()).map(key).collect()))
    }

    /// Which records go to which partition: those of one identity always to the same, a request without identities as a whole.
    fn divide(&self, events: &Events, keys: &Keys, turn: u64) -> BTreeMap<u32, Vec<Record>> {
        let n_partitions = self.ends.len().max(1) as u64;
        let mut rejected = (0usize..).zip(&events.rejected).peekable();
        let mut row = 0;
        let mut divided: BTreeMap<u32, Vec<Record>> = BTreeMap::new();
        for number in 0..events.n_records {
            let (content, partition) = match rejected.next_if(|(_, rejected)| rejected.record == number) {
                Some((place, _)) => (Content::Rejected(place), turn % n_partitions),
                None => {
                    row += 1;
                    let identity = keys.as_ref().map(|keys| XxHash3_64::oneshot(&keys[row - 1].0));
                    (Content::Row(row - 1), identity.unwrap_or(turn) % n_partitions)
                }
            };
            divided.entry(partition as u32).or_default().push(Record { number, content });
        }
        divided
    }

    fn add_to(
        &mut self,
        partition: u32,
        records: &[Record],
        events: &Events,
        rows: &RecordBatch,
        keys: &Keys,
    ) -> Result<(Slice, Vec<Exception>), DurableError> {
        let end = &mut self.ends[partition as usize];
        let from = *end;
        let staged = self.partitions.entry(partition).or_insert_with(|| StagedPartition {
            from,
            to: from,
            ..StagedPartition::default()
        });
        let times = rows.column(self.rules.source.time).as_primitive_opt::<TimestampMicrosecondType>();
        let (mut kept, mut exceptions) = (Vec::with_capacity(records.len()), Vec::new());
        for (offset, record) in (from..).zip(records) {
            let verdict = match record.content {
                Content::Rejected(place) => {
                    let rejected = events.rejected[place].clone();
                    let (field, problem) = (rejected.field.clone(), rejected.problem.clone());
                    staged.quarantined.push((offset, rejected));
                    Some(Verdict::Quarantined { field, problem })
                }
                Content::Row(row) => {
                    let seen = match keys {
                        None => Seen::First,
                        Some(keys) => {
                            let (identity, payload) = &keys[row];
                            let recent = &mut self.recent[partition as usize];
                            let mark =
                                recent.horizon().mark(offset, times.map_or(0, |times| times.value(row)));
                            let seen = recent.add(mark, identity, *payload);
                            seen.ok_or_else(|| too_many(self.rules))?
                        }
                    };
                    match seen {
                        Seen::First => {
                            kept.push(row as u64);
                            None
                        }
                        Seen::Same => Some(Verdict::Duplicate),
                        Seen::Conflict => Some(Verdict::Conflict),
                    }
                }
            };
            if let Some(verdict) = verdict {
                match verdict {
                    Verdict::Duplicate => staged.duplicates.push(offset),
                    Verdict::Conflict => {
                        staged.duplicates.push(offset);
                        staged.conflicts.push(offset);
                    }
                    Verdict::Quarantined { .. } => {}
                }
                let position = Position { partition, offset };
                exceptions.push(Exception { record: record.number, position, verdict });
            }
        }
        if kept.len() == rows.num_rows() {
            staged.batches.push(rows.clone());
        } else if !kept.is_empty() {
            staged.batches.push(chosen(rows, &kept)?);
        }
        let to = from + records.len() as u64;
        staged.to = to;
        *end = to;
        Ok((Slice { partition, from, to }, exceptions))
    }

    /// Writes what was added to a payload.
    pub(crate) fn write(self, payload: &mut Payload) -> Result<(), DurableError> {
        let all: Vec<usize> = (0..self.rules.fields.len()).collect();
        let schema = schema::schema(&self.rules.source, &all);
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
                    batches => concat_batches(&schema, batches).map_err(|error| request(&error))?,
                };
                let (blob, sum) = payload.rows(&batch).map_err(|error| request(&error))?;
                (rows, checksum) = (Some(blob), sum);
            }
            payload.push(Entry::Rows(RowsEntry {
                source: self.rules.source.name.clone(),
                partition,
                from: staged.from,
                to: staged.to,
                duplicates: staged.duplicates,
                conflicts: staged.conflicts,
                quarantined,
                rows,
                checksum,
            }));
        }
        Ok(())
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
    /// Its place among the rows.
    Row(usize),
    /// Its place among those that did not decode.
    Rejected(usize),
}

/// Some rows, by their places in ascending order.
fn chosen(rows: &RecordBatch, places: &[u64]) -> Result<RecordBatch, DurableError> {
    let chosen =
        take_record_batch(rows, &UInt64Array::from(places.to_vec())).map_err(|error| request(&error))?;
    // Views still hold the texts of all rows.
    let compact = |array: &ArrayRef| match array.as_string_view_opt() {
        Some(views) => Arc::new(views.gc()) as ArrayRef,
        None => array.clone(),
    };
    let columns = chosen.columns().iter().map(compact).collect();
    let options = RecordBatchOptions::new().with_row_count(Some(places.len()));
    RecordBatch::try_new_with_options(chosen.schema(), columns, &options).map_err(|error| request(&error))
}

fn request(error: &arrow::error::ArrowError) -> DurableError {
    LogError::Request { problem: error.to_string() }.into()
}

pub(crate) fn no_rows() -> DurableError {
    DurableError::Request("a column is of no type of rows".to_owned())
}
