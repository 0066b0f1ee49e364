//! Events of this process: from the fields of a struct to typed rows, by the decoder of their source, without
//! a detour through text.
//!
//! An event has a position like any other record. One with a value that its type does not have is
//! quarantined, and one whose identity came before is a duplicate.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray};
use arrow::buffer::BooleanBuffer;
use arrow::compute::filter;
use metricc_ir::Source;
use metricc_ir::text::number::decimal_text;
use metricc_ir::user_defined::Cell;

use crate::column_builder::{Column, Scalar};
use crate::decode_value::{Decoded, Notes, Problem, Reject, Slot, expected};
use crate::duplicates::{self, Identities};
use crate::field_decoder::{ValueDecoder, ValueFormat};
use crate::partition::{DecodedBatch, Duplicates, OffsetRange, Partition, PartitionReader, SliceRequest};
use crate::read_stats::ReadStats;
use crate::record_decoder::{RecordDecoder, SharedDecoder};
use crate::row_builder::RowBuilder;
use crate::{Batch, LogError, NoneReason, NoneValues, Position, Quarantined, schema};
use metricc_ir::text::number::Rescale;
use metricc_ir::text::timestamp;

/// Rows after which a chunk of events is closed.
const CHUNK_ROWS: u64 = 65_536;

/// Events of one source on their way into a log or a stream.
#[derive(Debug)]
pub struct EventBuffer {
    decoder: SharedDecoder,
    closed: Vec<Chunk>,
    rows: RowBuilder,
    rejected: Vec<(u64, Reject)>,
    none_values: Vec<(u64, usize, NoneReason)>,
    /// Offset of the first event that is not in a closed chunk.
    from: u64,
    /// Offset of the next event.
    next: u64,
    /// Of the events that were taken.
    identities: Identities,
}

/// Some contiguous events, decoded: all fields of the accepted ones.
#[derive(Debug)]
struct Chunk {
    range: OffsetRange,
    arrays: Vec<ArrayRef>,
    n_rows: usize,
    rejected: Vec<u64>,
    quarantined: Vec<Quarantined>,
    /// Offsets and fields of values that are none although something is there.
    none_values: Vec<(u64, usize, NoneReason)>,
}

impl EventBuffer {
    /// An empty buffer; its first event has the offset 0.
    ///
    /// # Errors
    /// [`LogError::Declaration`] if the source cannot be read as it is declared.
    pub fn new(source: &Arc<Source>) -> Result<Self, LogError> {
        let decoder = RecordDecoder::new(source)?;
        Ok(EventBuffer {
            rows: RowBuilder::new(&decoder),
            decoder,
            closed: Vec::new(),
            rejected: Vec::new(),
            none_values: Vec::new(),
            from: 0,
            next: 0,
            identities: Identities::default(),
        })
    }

    /// The source that the events are of.
    pub fn source(&self) -> &Arc<Source> {
        &self.decoder.source
    }

    /// Number of events that were pushed.
    pub fn n_events(&self) -> u64 {
        self.next
    }

    /// Adds an event: the values of all fields of the source, in their order. One that does not decode is
    /// quarantined; taking or reading the events says which and why.
    pub fn push(&mut self, cells: &[Cell<'_>]) {
        let outcome = self.decode(cells);
        self.rows.end_record(outcome.is_ok());
        let of_event = self.rows.take_none_values().into_iter();
        self.none_values.extend(of_event.map(|(field, reason)| (self.next, field, reason)));
        if let Err(reject) = outcome {
            self.rejected.push((self.next, reject));
        }
        self.next += 1;
        if self.next - self.from >= CHUNK_ROWS {
            self.close();
        }
    }

    fn decode(&mut self, cells: &[Cell<'_>]) -> Result<(), Reject> {
        let decoder = SharedDecoder::clone(&self.decoder);
        if cells.len() != decoder.fields.len() {
            let text = format!("{} values where the source has {} fields", cells.len(), decoder.fields.len());
            return Err(Problem::new(text, "").in_record());
        }
        for (index, (field, cell)) in decoder.fields.iter().zip(cells).enumerate() {
            let slot = Slot::Field(field);
            self.rows.put_by((index, field), |column, notes| put(column, slot, cell, notes))?;
        }
        Ok(())
    }

    /// Closes the chunk of the events since the last one.
    fn close(&mut self) {
        if self.next == self.from {
            return;
        }
        let all: Vec<usize> = (0..self.decoder.fields.len()).collect();
        let (arrays, n_rows) = self.rows.take(&all);
        let rejected = std::mem::take(&mut self.rejected);
        let range = OffsetRange { from: self.from, to: self.next };
        let none_values = std::mem::take(&mut self.none_values);
        self.closed.push(Chunk {
            range,
            none_values,
            arrays,
            n_rows,
            rejected: rejected.iter().map(|(offset, _)| *offset).collect(),
            quarantined: rejected
                .into_iter()
                .map(|(offset, reject)| self.quarantined(offset, reject))
                .collect(),
        });
        self.from = self.next;
    }

    fn quarantined(&self, offset: u64, reject: Reject) -> Quarantined {
        Quarantined {
            position: Position { partition: 0, offset },
            path: "memory".into(),
            line: None,
            has_known_offset: false,
            field: self.decoder.field_name(&reject),
            problem: reject.problem.text.into_owned(),
            excerpt: reject.problem.excerpt,
        }
    }

    /// Takes the events since the last call, as batches of some fields (ascending indices). Events whose
    /// identity was taken before are left out and counted.
    ///
    /// # Errors
    /// [`LogError::Request`] if there are too many identities or no such fields.
    pub fn take(&mut self, columns: &[usize]) -> Result<Vec<Batch>, LogError> {
        self.close();
        let chunks = std::mem::take(&mut self.closed);
        chunks.iter().map(|chunk| self.batch(chunk, columns)).collect()
    }

    fn batch(&mut self, chunk: &Chunk, columns: &[usize]) -> Result<Batch, LogError> {
        let mut duplicates = Duplicates::default();
        if !self.decoder.source.identity.is_empty() {
            let decoded =
                chunk.part(chunk.range, &(0..chunk.arrays.len()).collect::<Vec<_>>(), &duplicates, 0)?;
            duplicates::add(&mut self.identities, &decoded, &self.decoder, &mut duplicates)
                .ok_or_else(|| duplicates::too_many(&self.decoder))?;
        }
        let (fields, has_position) = schema::without_position(&self.decoder.source, columns);
        let mut decoded = chunk.part(chunk.range, fields, &duplicates, 0)?;
        decoded.stats.none_values = chunk.none_values(&self.decoder, chunk.range, fields, &duplicates);
        let schema = schema::row_schema(&self.decoder.source, columns);
        Batch::new(decoded, 0, schema, has_position.then_some(&duplicates))
    }

    pub(crate) fn into_parts(mut self) -> (SharedDecoder, MemoryPartition) {
        self.close();
        let partition = MemoryPartition { decoder: self.decoder.clone(), chunks: self.closed.into() };
        (self.decoder, partition)
    }
}

/// A log of events of this process.
#[derive(Debug)]
pub(crate) struct MemoryPartition {
    decoder: SharedDecoder,
    chunks: Arc<[Chunk]>,
}

impl Partition for MemoryPartition {
    fn name(&self) -> &str {
        "memory"
    }

    fn end(&self) -> u64 {
        self.chunks.last().map_or(0, |chunk| chunk.range.to)
    }

    fn nearest_start(&self, offset: u64) -> u64 {
        offset
    }

    fn read(&self, request: SliceRequest) -> Result<Box<dyn PartitionReader>, LogError> {
        let (decoder, chunks) = (self.decoder.clone(), self.chunks.clone());
        Ok(Box::new(MemoryReader { decoder, chunks, next: request.range.from, request }))
    }
}

impl Chunk {
    /// The values of some fields of the events of a range that are none although something is there.
    fn none_values(
        &self,
        decoder: &RecordDecoder,
        range: OffsetRange,
        columns: &[usize],
        duplicates: &Duplicates,
    ) -> NoneValues {
        let duplicates = duplicates.within(range.from, range.to);
        let mut counts = NoneValues::default();
        for (offset, field, reason) in &self.none_values {
            let is_row = (range.from..range.to).contains(offset) && duplicates.binary_search(offset).is_err();
            if is_row && columns.contains(field) {
                counts.add_n(&decoder.fields[*field].name, *reason, 1);
            }
        }
        counts
    }

    /// The accepted events of a part of the chunk without its duplicates.
    fn part(
        &self,
        range: OffsetRange,
        columns: &[usize],
        duplicates: &Duplicates,
        partition: u32,
    ) -> Result<DecodedBatch, LogError> {
        let in_range = |offset: &&u64| (range.from..range.to).contains(*offset);
        let rejected: Vec<u64> = self.rejected.iter().filter(in_range).copied().collect();
        let mut kept = Vec::with_capacity(self.n_rows);
        let (mut is_rejected, mut is_duplicate) = (
            self.rejected.iter().peekable(),
            duplicates.within(self.range.from, self.range.to).iter().peekable(),
        );
        for offset in self.range.from..self.range.to {
            let duplicate = is_duplicate.next_if_eq(&&offset).is_some();
            if is_rejected.next_if_eq(&&offset).is_none() {
                kept.push(!duplicate && (range.from..range.to).contains(&offset));
            }
        }
        let kept = BooleanArray::new(BooleanBuffer::from(kept), None);
        let request = |problem: String| LogError::Request { problem };
        let part = |column: &usize| {
            let array =
                self.arrays.get(*column).ok_or_else(|| request(format!("there is no field {column}")))?;
            if kept.true_count() == kept.len() {
                return Ok(Arc::clone(array));
            }
            filter(array, &kept).map_err(|error| request(error.to_string()))
        };
        let arrays = columns.iter().map(part).collect::<Result<Vec<_>, _>>()?;
        let mut stats = ReadStats { n_records: range.to - range.from, ..ReadStats::default() };
        (stats.n_duplicates, stats.n_conflicts) = duplicates.count(range.from, range.to);
        for record in self.quarantined.iter().filter(|record| in_range(&&record.position.offset)) {
            let position = Position { partition, ..record.position };
            stats.quarantine(Quarantined { position, ..record.clone() });
        }
        Ok(DecodedBatch { range, n_rows: kept.true_count(), arrays, stats, rejected, gaps: Vec::new() })
    }
}

/// Reads events of this process.
#[derive(Debug)]
struct MemoryReader {
    decoder: SharedDecoder,
    chunks: Arc<[Chunk]>,
    request: SliceRequest,
    next: u64,
}

impl PartitionReader for MemoryReader {
    fn next_batch(&mut self) -> Result<Option<DecodedBatch>, LogError> {
        let (from, end) = (self.next, self.request.range.to);
        let index = self.chunks.partition_point(|chunk| chunk.range.to <= from);
        let Some(chunk) = self.chunks.get(index).filter(|_| from < end) else {
            return Ok(None);
        };
        let to = chunk.range.to.min(end).min(from.saturating_add(self.request.batch_rows));
        self.next = to;
        let SliceRequest { partition, columns, duplicates, .. } = &self.request;
        let mut decoded = chunk.part(OffsetRange { from, to }, columns, duplicates, *partition)?;
        decoded.stats.none_values =
            chunk.none_values(&self.decoder, OffsetRange { from, to }, columns, duplicates);
        Ok(Some(decoded))
    }
}

/// Appends a value of an event, if it is of the column's type.
fn put(column: &mut Column, slot: Slot<'_>, cell: &Cell<'_>, notes: &mut Notes) -> Result<(), Problem> {
    match (&slot.decoder().format, cell) {
        (_, Cell::None) => return slot.absent(column),
        (ValueFormat::List(element), Cell::List(cells)) => {
            for cell in cells {
                let Some(elements) = column.elements() else { break };
                put(elements, Slot::Element(element), cell, notes)?;
            }
            column.end_list();
        }
        (ValueFormat::Record(fields), Cell::Record(cells)) if cells.len() == fields.len() => {
            let parts = column.parts().into_iter().flatten();
            for (index, ((part, field), cell)) in parts.zip(fields).zip(cells).enumerate() {
                put(part, Slot::Field(field), cell, notes)
                    .map_err(|problem| problem.in_field(index).within())?;
            }
            column.end_record();
        }
        (_, cell) => return slot.put(column, scalar(slot.decoder(), cell)?, notes),
    }
    Ok(())
}

/// A value that is present.
fn scalar<'a>(decoder: &ValueDecoder, cell: &'a Cell<'a>) -> Result<Decoded<'a>, Problem> {
    if let (ValueFormat::Float, Cell::Float(value)) = (&decoder.format, cell)
        && !value.is_finite()
    {
        return Ok(Decoded::NotFinite);
    }
    finite(decoder, cell).map(Decoded::Value)
}

fn finite<'a>(decoder: &ValueDecoder, cell: &'a Cell<'a>) -> Result<Scalar<'a>, Problem> {
    let problem = |error: timestamp::TimeProblem, value: &dyn std::fmt::Display| {
        Problem::new(error.to_string(), &value.to_string())
    };
    Ok(match (&decoder.format, cell) {
        (ValueFormat::Bool, Cell::Bool(value)) => Scalar::Bool(*value),
        (ValueFormat::Int, Cell::Int(value)) => Scalar::Long(*value),
        (ValueFormat::Decimal { precision, scale }, Cell::Int(value)) => {
            Scalar::Wide(rescaled(i128::from(*value), 0, *precision, *scale)?)
        }
        (ValueFormat::Decimal { precision, scale }, Cell::Decimal(units, found)) => {
            Scalar::Wide(rescaled(*units, *found, *precision, *scale)?)
        }
        (ValueFormat::Float, Cell::Float(value)) => Scalar::Float(*value + 0.0),
        (ValueFormat::Text, Cell::Text(text)) => Scalar::Text(text),
        (ValueFormat::Enum(names), Cell::Enum(index)) if names.holds(*index) => Scalar::Short(*index),
        (ValueFormat::Enum(names), Cell::Text(text)) => Scalar::Short(
            names.get(text).ok_or_else(|| Problem::new("not one of the names of the enum", text))?,
        ),
        (ValueFormat::Date, Cell::Date(day)) => {
            if !(timestamp::MIN_DAY..=timestamp::MAX_DAY).contains(day) {
                return Err(problem(timestamp::TimeProblem::OutOfRange, day));
            }
            Scalar::Short(*day)
        }
        (ValueFormat::Timestamp, Cell::Timestamp(instant)) => {
            Scalar::Long(timestamp::in_range(*instant).map_err(|error| problem(error, instant))?)
        }
        (ValueFormat::Timestamp, Cell::LocalTime(local)) => match decoder.rules.zone() {
            Some(zone) => {
                Scalar::Long(timestamp::from_local(*local, zone).map_err(|error| problem(error, local))?)
            }
            None => {
                let text = "a time without an offset, and the field has no `zone`";
                return Err(Problem::new(text, &local.to_string()));
            }
        },
        (ValueFormat::Duration, Cell::Duration(micros)) => Scalar::Long(*micros),
        (_, Cell::Improper(text)) => return Err(Problem::new(*text, "")),
        (format, cell) => {
            let text = format!("another type where {} is expected", expected(format));
            return Err(Problem::new(text, &format!("{cell:?}")));
        }
    })
}

/// The same decimal in units of 10⁻ˢᶜᵃˡᵉ, by the same rule as in files.
fn rescaled(units: i128, found: u8, precision: u8, scale: u8) -> Result<i128, Problem> {
    let rescale = Rescale::new(i8::try_from(found).unwrap_or(i8::MAX), precision, scale);
    rescale
        .apply(units)
        .map_err(|problem| Problem::new(problem.to_string(), &decimal_text(units, usize::from(found))))
}
