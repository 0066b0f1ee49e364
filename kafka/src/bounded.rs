//! A bounded interval of a topic as a log.

use std::sync::Arc;

use metricc_ir::Source;
use metricc_log::partition::Partition;
use metricc_log::{Log, LogError, Names, Progress, RawRecord, RecordDecoder};

use crate::partition::TopicPartition;
use crate::{Ends, KafkaError, RecordOptions, RecordTexts, Security, TextReader, Topic, TopicAddress};

/// Records of a partition that are looked at for their names.
const SAMPLED: u64 = 64;
/// Partitions whose records are looked at.
const SAMPLED_PARTITIONS: u32 = 8;

/// Which offsets of a topic are read: the same bounds for each partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Bounds {
    /// Where to begin; where retention has left each partition without it.
    pub from: Option<From>,
    /// The offset to end before; the last stable offset without it, and where that is less.
    pub to: Option<u64>,
}

/// Where to begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum From {
    /// At an offset.
    Offset(u64),
    /// At the first record of this time or later, in milliseconds since 1970, by the clock of the topic.
    Time(i64),
}

/// Opens a topic as it is now as the log of a source.
///
/// # Errors
/// [`LogError`] if the topic cannot be read, or records of it cannot be of the source.
pub fn open(
    source: &Arc<Source>,
    address: TopicAddress,
    security: Security,
    options: &RecordOptions,
    bounds: Bounds,
    progress: &dyn Fn(Progress),
) -> Result<Log, LogError> {
    let decoder = RecordDecoder::new(source)?;
    let shown = address.to_string();
    let texts = RecordTexts::of_run(&decoder, options, &shown)?;
    let topic = Topic::open(address, security).map_err(|error| error.in_log(&shown))?;
    let ranges = ranges(&topic, bounds).map_err(|error| error.in_log(&shown))?;
    let mut partitions: Vec<Arc<dyn Partition>> = Vec::with_capacity(ranges.len());
    for (number, Ends { first, end }) in (0u32..).zip(ranges) {
        let name = format!("topic {}, partition {number}", topic.address().topic);
        let names = match number {
            0..SAMPLED_PARTITIONS => names(&topic, number, (first, end), &decoder, &texts),
            _ => Ok(Names::default()),
        };
        let names = names.map_err(|error| error.in_log(&name))?;
        partitions.push(Arc::new(TopicPartition {
            topic: topic.clone(),
            number,
            shown: name.into(),
            decoder: decoder.clone(),
            texts: texts.clone(),
            start: first,
            end,
            names,
        }));
    }
    Log::open_partitions(&decoder, partitions, progress)
}

/// The offsets of each partition that are within the bounds.
fn ranges(topic: &Topic, bounds: Bounds) -> Result<Vec<Ends>, KafkaError> {
    let ends = topic.ends()?;
    let since = match bounds.from {
        Some(From::Time(milliseconds)) => topic.offsets_since(milliseconds)?,
        _ => Vec::new(),
    };
    let range = |(number, ends): (u32, Ends)| {
        let end = bounds.to.map_or(ends.end, |to| to.min(ends.end));
        let first = match bounds.from {
            None => ends.first,
            Some(From::Time(_)) => since.get(number as usize).copied().flatten().unwrap_or(end),
            Some(From::Offset(offset)) if offset < ends.first => {
                let topic = topic.address().topic.clone();
                return Err(KafkaError::Passed { topic, partition: number, offset, first: ends.first });
            }
            Some(From::Offset(offset)) => offset,
        };
        Ok(Ends { first: first.min(end), end })
    };
    (0u32..).zip(ends).map(range).collect()
}

/// The names in the first records of a partition.
fn names(
    topic: &Topic,
    partition: u32,
    (from, end): (u64, u64),
    decoder: &RecordDecoder,
    texts: &RecordTexts,
) -> Result<Names, KafkaError> {
    let mut records = topic.records(partition, from, end.min(from.saturating_add(SAMPLED)));
    let (mut values, mut reader) = (Vec::new(), TextReader::default());
    while let Some(fetched) = records.next_fetched()? {
        for record in &fetched.records {
            if let RawRecord::Text(text) = texts.text(partition, record, &mut reader)? {
                values.push(text.into_owned());
            }
        }
    }
    Ok(texts.form().names(decoder, values.iter().map(AsRef::as_ref)))
}
