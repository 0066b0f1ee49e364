//! A partition of a topic as a partition of a log, between two offsets.

use std::sync::Arc;

use metricc_log::partition::{DecodedBatch, Partition, PartitionReader, SliceRequest};
use metricc_log::{LogError, Names, RawRecords, RecordDecoder};

use crate::{Record, RecordTexts, Records, TextReader, Topic};

/// Readers of a partition start at multiples of this many offsets, or of a larger number: each of them opens
/// a connection, and the offsets of a compacted topic may be far apart.
const MIN_STRIDE: u64 = 64 << 10;
/// The most places where readers start.
const MAX_STARTS: u64 = 64;

/// Some offsets of a partition.
#[derive(Debug)]
pub(crate) struct TopicPartition {
    pub(crate) topic: Topic,
    pub(crate) number: u32,
    /// Its name in messages.
    pub(crate) shown: Arc<str>,
    pub(crate) decoder: Arc<RecordDecoder>,
    pub(crate) texts: RecordTexts,
    pub(crate) start: u64,
    pub(crate) end: u64,
    /// Names in its first records.
    pub(crate) names: Names,
}

impl Partition for TopicPartition {
    fn name(&self) -> &str {
        &self.shown
    }

    fn start(&self) -> u64 {
        self.start
    }

    fn end(&self) -> u64 {
        self.end
    }

    fn nearest_start(&self, offset: u64) -> u64 {
        let stride = ((self.end - self.start) / MAX_STARTS).max(MIN_STRIDE);
        let n_strides = (offset.saturating_sub(self.start) + stride / 2) / stride;
        self.start.saturating_add(n_strides * stride).min(self.end)
    }

    fn column_names(&self) -> Option<&Names> {
        Some(&self.names)
    }

    fn read(&self, request: SliceRequest) -> Result<Box<dyn PartitionReader>, LogError> {
        let (from, to) = (request.range.from, request.range.to);
        Ok(Box::new(TopicReader {
            shown: self.shown.clone(),
            number: self.number,
            texts: self.texts.clone(),
            reader: TextReader::default(),
            records: self.topic.records(self.number, from, to),
            fetched: Vec::new().into_iter(),
            fetched_to: from,
            raw: RawRecords::new(&self.decoder, self.texts.form(), &self.shown, request),
            to,
        }))
    }
}

/// Decodes what is fetched of a partition.
#[derive(Debug)]
struct TopicReader {
    shown: Arc<str>,
    number: u32,
    texts: RecordTexts,
    reader: TextReader,
    records: Records,
    fetched: std::vec::IntoIter<Record>,
    /// Where what was fetched ends.
    fetched_to: u64,
    raw: RawRecords,
    to: u64,
}

impl PartitionReader for TopicReader {
    fn next_batch(&mut self) -> Result<Option<DecodedBatch>, LogError> {
        if self.raw.next() >= self.to {
            return Ok(None);
        }
        while self.raw.next() < self.to && !self.raw.is_full() {
            if let Some(record) = self.fetched.next() {
                let text = self.texts.text(self.number, &record, &mut self.reader);
                self.raw.push(record.offset, &text.map_err(|error| error.in_log(&self.shown))?);
                continue;
            }
            self.raw.step_over(self.fetched_to);
            if self.fetched_to < self.to {
                let fetched = self.records.next_fetched().map_err(|error| error.in_log(&self.shown))?;
                let Some(fetched) = fetched else { break };
                (self.fetched, self.fetched_to) = (fetched.records.into_iter(), fetched.next);
            }
        }
        Ok(Some(self.raw.take()))
    }
}
