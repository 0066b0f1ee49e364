//! A log that is computed when it is read, so that its length costs neither disk nor memory.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, TimestampMicrosecondArray};
use metricc_log::partition::{DecodedBatch, OffsetRange, Partition, PartitionReader, SliceRequest};
use metricc_log::{LogError, ReadStats};

/// The source of the generated events.
pub(crate) const SOURCE: &str = "source events { at: timestamp time key: int amount: int }\n";

const START_US: i64 = 1_774_569_600_000_000;
const DAYS_US: i64 = 30 * 86_400_000_000;

/// So many events of thirty days, in the order of their time, with keys that are drawn from so many.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Generated {
    pub(crate) n_events: u64,
    pub(crate) n_keys: u64,
}

impl Partition for Generated {
    fn name(&self) -> &str {
        "generated"
    }

    fn end(&self) -> u64 {
        self.n_events
    }

    fn nearest_start(&self, offset: u64) -> u64 {
        offset
    }

    fn read(&self, request: SliceRequest) -> Result<Box<dyn PartitionReader>, LogError> {
        Ok(Box::new(Reader { events: *self, next: request.range.from, request }))
    }
}

#[derive(Debug)]
struct Reader {
    events: Generated,
    next: u64,
    request: SliceRequest,
}

impl PartitionReader for Reader {
    fn next_batch(&mut self) -> Result<Option<DecodedBatch>, LogError> {
        let (from, end) = (self.next, self.request.range.to);
        if from >= end {
            return Ok(None);
        }
        let to = end.min(from + self.request.batch_rows);
        self.next = to;
        let arrays = self.request.columns.iter().map(|&column| self.events.column(column, from..to));
        Ok(Some(DecodedBatch {
            range: OffsetRange { from, to },
            arrays: arrays.collect(),
            n_rows: (to - from) as usize,
            stats: ReadStats { n_records: to - from, ..ReadStats::default() },
            rejected: Vec::new(),
            gaps: Vec::new(),
        }))
    }
}

impl Generated {
    /// A field of the source, by its index.
    fn column(&self, index: usize, offsets: std::ops::Range<u64>) -> ArrayRef {
        let step_us = DAYS_US as f64 / self.n_events as f64;
        let below = |salt: u64, most: u64| {
            let draw = move |offset| i64::try_from(mixed(offset ^ salt) % most).unwrap_or_default();
            Arc::new(Int64Array::from_iter_values(offsets.clone().map(draw)))
        };
        match index {
            0 => {
                let at = offsets.clone().map(|offset| START_US + (offset as f64 * step_us) as i64);
                Arc::new(TimestampMicrosecondArray::from_iter_values(at))
            }
            1 => below(1 << 62, self.n_keys),
            _ => below(1 << 61, 100_000),
        }
    }
}

/// SplitMix64: <https://doi.org/10.1145/2660193.2660195>.
fn mixed(offset: u64) -> u64 {
    let x = offset.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}
