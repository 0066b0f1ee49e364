//! Rebuilding the dedup index from the log when it is opened, or its source is declared otherwise.
//!
//! Only flushed files whose latest event is within the window are read back, and the journal.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray};
use arrow::datatypes::{Decimal128Type, TimestampMicrosecondType};
use metricc_log::duplicates::{RowKeys, too_many};
use metricc_log::partition::OffsetRange;
use metricc_log::{Frontier, Log, Position, RecordDecoder, Slice};

use crate::dedup_index::{DedupIndex, DedupWindow};
use crate::error::DurableError;
use crate::flush::last_time;
use crate::log::DurableLog;
use crate::staging::not_rows;

/// Rows that are read at once.
const BATCH_ROWS: usize = 65_536;

impl DurableLog {
    /// The identities of a source that are within the window, for each partition: none if it has no identity.
    pub(crate) fn dedup_indices(
        &self,
        decoder: &Arc<RecordDecoder>,
        n_partitions: u32,
        window: DedupWindow,
    ) -> Result<Vec<DedupIndex>, DurableError> {
        let (source, name) = (decoder.source(), decoder.source().name.as_str());
        if source.identity.is_empty() {
            return Ok((0..n_partitions).map(|_| DedupIndex::new(window)).collect());
        }
        let ends = self.end(name);
        let log = self.snapshot().log_as(decoder, &Frontier(vec![0; ends.0.len()]))?;
        let mut indices = Vec::with_capacity(ends.0.len());
        for (partition, end) in (0u32..).zip(ends.0) {
            let mut index = DedupIndex::new(window);
            let ranges = match window {
                DedupWindow::Positions(length) => {
                    index.advance(i64::try_from(end).unwrap_or(i64::MAX));
                    vec![OffsetRange { from: end.saturating_sub(length), to: end }]
                }
                DedupWindow::EventTime { .. } => {
                    self.ranges_by_time(name, partition, end, &log, &mut index)?
                }
            };
            let n_fields = source.fields.len();
            let columns: Vec<usize> = (0..=n_fields).collect();
            let n_events = ranges.iter().map(|range| range.to - range.from).sum();
            self.options.opening.begin_keys(name, n_events);
            for OffsetRange { from, to } in ranges {
                for batch in log.read(&Slice { partition, from, to }, &columns, BATCH_ROWS)? {
                    let rows = batch?.rows;
                    self.options.opening.add(rows.num_rows());
                    let (arrays, positions) = rows.columns().split_at(n_fields);
                    put(&mut index, decoder, arrays, positions)?;
                }
            }
            index.evict();
            indices.push(index);
        }
        Ok(indices)
    }

    /// The positions that may hold events within a window of event time; advances the index to the watermark.
    fn ranges_by_time(
        &self,
        name: &str,
        partition: u32,
        end: u64,
        log: &Log,
        index: &mut DedupIndex,
    ) -> Result<Vec<OffsetRange>, DurableError> {
        let state = self.replay.state.sources.get(name);
        let state = state.and_then(|state| state.partitions.get(partition as usize));
        let time = log.source().time;
        // The latest event time of each flushed file, and of the journal that follows them.
        let flushed = state.map_or(&[][..], |state| &state.flushed);
        let mut known: Vec<(OffsetRange, Option<i64>)> = flushed
            .iter()
            .map(|flushed| (OffsetRange { from: flushed.from, to: flushed.to }, flushed.last_time))
            .collect();
        let flushed_to = flushed.last().map_or(0, |flushed| flushed.to);
        known.push((OffsetRange { from: flushed_to, to: end }, None));
        for (OffsetRange { from, to }, last) in &mut known {
            if last.is_none() {
                for batch in log.read(&Slice { partition, from: *from, to: *to }, &[time], BATCH_ROWS)? {
                    *last = (*last).max(last_time(batch?.rows.column(0)));
                }
            }
            if let Some(last) = last {
                index.advance(*last);
            }
        }
        let first_counted = index.first_counted();
        let counts = |(_, last): &(OffsetRange, Option<i64>)| last.is_some_and(|last| last >= first_counted);
        Ok(known.into_iter().filter(counts).map(|(range, _)| range).collect())
    }
}

/// Adds accepted rows: columns of all fields, and their positions.
fn put(
    index: &mut DedupIndex,
    decoder: &RecordDecoder,
    arrays: &[ArrayRef],
    positions: &[ArrayRef],
) -> Result<(), DurableError> {
    let mut keys = RowKeys::new(arrays, decoder).ok_or_else(not_rows)?;
    let times = arrays.get(decoder.source().time);
    let times = times.and_then(|times| times.as_primitive_opt::<TimestampMicrosecondType>());
    let positions = positions.first().and_then(|column| column.as_primitive_opt::<Decimal128Type>());
    let (Some(times), Some(positions)) = (times, positions) else { return Err(not_rows()) };
    for row in 0..times.len() {
        let offset = Position::from_order(positions.value(row)).offset;
        let position = index.window().position(offset, times.value(row));
        index.put(position, keys.at(row)).ok_or_else(|| too_many(decoder))?;
    }
    Ok(())
}
