//! What a durable log is at one moment, for everybody who reads it.
//!
//! The writer publishes a snapshot after each write. The lock around it is held for as long as it takes to
//! copy or replace a pointer, so readers, also those on an async runtime, never wait for input or output.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use metricc_ir::Source;
use metricc_log::partition::Partition;
use metricc_log::{Frontier, Log, RecordDecoder, Slice, WantedRows};

use crate::chunk_list::Chunks;
use crate::disk::Disk;
use crate::duplicate_key::WindowSince;
use crate::ends_around;
use crate::error::DurableError;
use crate::flush::{self, Flush};
use crate::kept_requests::Group;
use crate::partition::DurablePartition;
use crate::quarantine::Quarantine;
use crate::schema_check::RowFields;

/// The log as of some write. It does not change, and can be read whatever the log removes later.
#[derive(Debug, Clone, Default)]
pub struct LogSnapshot {
    pub(crate) id: u128,
    pub(crate) epochs: Arc<[LogEpoch]>,
    pub(crate) sources: BTreeMap<String, SourceSnapshot>,
    pub(crate) stopped: Option<Arc<str>>,
    /// Requests that can be written to files next, in order.
    pub(crate) ready: Vec<Group>,
}

/// A time between two openings of a log in which something was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogEpoch {
    /// Random, so that the writes of two logs with one past can be distinguished.
    pub id: String,
    /// The end of each source when it began.
    pub(crate) from: BTreeMap<String, Vec<u64>>,
    pub(crate) is_after_loss: bool,
}

#[derive(Debug, Clone)]
pub(crate) struct SourceSnapshot {
    /// How its events are decoded, and what its rows have; `None` for a source that the log has and was not
    /// opened with.
    pub(crate) taken: Option<(Arc<RecordDecoder>, Arc<RowFields>)>,
    pub(crate) windows: Vec<WindowSince>,
    pub(crate) inputs: BTreeMap<String, u64>,
    pub(crate) partitions: Vec<PartitionSnapshot>,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct PartitionSnapshot {
    pub(crate) end: u64,
    pub(crate) flushed_to: u64,
    pub(crate) chunks: Chunks,
}

impl LogSnapshot {
    /// The identity of the log.
    pub fn id(&self) -> u128 {
        self.id
    }

    /// The epoch that positions are of: the same over all openings, until the loss of events is accepted.
    pub fn epoch_of_positions(&self) -> String {
        let after_loss = self.epochs.iter().rev().find(|epoch| epoch.is_after_loss);
        after_loss.map_or_else(|| format!("{:032x}", self.id), |epoch| epoch.id.clone())
    }

    /// The names of the sources that the log takes events of, in order.
    pub fn sources(&self) -> impl Iterator<Item = &str> {
        let taken = self.sources.iter().filter(|(_, source)| source.taken.is_some());
        taken.map(|(name, _)| name.as_str())
    }

    /// How far each input of a source has been read, by its name: see [`InputRead`](crate::InputRead).
    pub fn inputs(&self, source: &str) -> BTreeMap<String, u64> {
        self.sources.get(source).map_or_else(BTreeMap::new, |source| source.inputs.clone())
    }

    /// The epochs of the log, in order, and where a source ended when each began.
    pub fn epochs(&self, source: &str) -> Vec<(String, Frontier)> {
        let n_partitions = self.partitions(source).len();
        let from = |epoch: &LogEpoch| {
            Frontier(epoch.from.get(source).cloned().unwrap_or_else(|| vec![0; n_partitions]))
        };
        self.epochs.iter().map(|epoch| (epoch.id.clone(), from(epoch))).collect()
    }

    /// The frontier after the last position of a source; without partitions if the log does not have it.
    pub fn end(&self, source: &str) -> Frontier {
        Frontier(self.partitions(source).iter().map(|partition| partition.end).collect())
    }

    /// The frontier after the last position of a source that is flushed to Parquet.
    pub fn flushed_to(&self, source: &str) -> Frontier {
        Frontier(self.partitions(source).iter().map(|partition| partition.flushed_to).collect())
    }

    /// Bytes of the files and of the journal that have the rows between two frontiers: whole files where one
    /// is read in part.
    pub fn n_bytes(&self, source: &str, from: &Frontier, to: &Frontier) -> u64 {
        let ranges = from.0.iter().zip(&to.0);
        let of_partition = |(partition, (&from, &to)): (&PartitionSnapshot, (&u64, &u64))| -> u64 {
            let chunks = partition.chunks.from(from).take_while(|chunk| chunk.range.from < to);
            if from < to { chunks.map(|chunk| chunk.n_bytes()).sum() } else { 0 }
        };
        self.partitions(source).iter().zip(ranges).map(of_partition).sum()
    }

    /// The frontier before which no flushed row is wanted, as the statistics of the files tell: at most
    /// another frontier. Opens the files up to there, and the first one that has rows that are wanted.
    ///
    /// # Errors
    /// [`DurableError`] if a file could not be read.
    pub fn first_wanted(
        &self,
        decoder: &Arc<RecordDecoder>,
        wanted: &WantedRows,
        to: &Frontier,
    ) -> Result<Frontier, DurableError> {
        let first = |(partition, to): (&PartitionSnapshot, &u64)| {
            let mut first = 0;
            for chunk in partition.chunks.iter().take_while(|chunk| chunk.range.to <= *to) {
                if !chunk.has_none_of(decoder, wanted)? {
                    break;
                }
                first = chunk.range.to;
            }
            Ok(first)
        };
        let partitions = self.partitions(&decoder.source().name).iter().zip(&to.0);
        partitions.map(first).collect::<Result<_, _>>().map(Frontier)
    }

    /// Why the log takes no events any more, if so.
    pub fn stopped(&self) -> Option<&str> {
        self.stopped.as_deref()
    }

    /// A source as a log whose positions can be read from a frontier on.
    ///
    /// # Errors
    /// [`DurableError::Request`] if the log does not take the source, or the frontier is not one of it.
    pub fn log(&self, source: &str, from: &Frontier) -> Result<Log, DurableError> {
        self.log_as(self.decoder(source).ok_or_else(|| no_source(source))?, from)
    }

    /// How the events of a source are decoded; `None` if the log does not take it.
    pub fn decoder(&self, source: &str) -> Option<&Arc<RecordDecoder>> {
        self.sources.get(source)?.taken.as_ref().map(|(decoder, _)| decoder)
    }

    /// Checks that rows of the log, and those that come in while its source is declared as `declared`, can be
    /// read as `reader` declares it.
    ///
    /// # Errors
    /// What speaks against it.
    pub fn check_declared(&self, declared: &Source, reader: &Source) -> Result<(), String> {
        let known = self.sources.get(&reader.name).and_then(|source| source.taken.as_ref());
        let (_, rows) = known.ok_or_else(|| no_source(&reader.name).to_string())?;
        match self.end(&reader.name).n_positions() {
            0 => RowFields::default().declared(declared).check(reader),
            _ => rows.check(reader).and_then(|()| rows.declared(declared).check(reader)),
        }
    }

    /// As [`LogSnapshot::log`], read as another declaration of its source says.
    ///
    /// # Errors
    /// As [`LogSnapshot::log`].
    pub fn log_as(&self, decoder: &Arc<RecordDecoder>, from: &Frontier) -> Result<Log, DurableError> {
        let source = decoder.source().name.as_str();
        let end = self.end(source);
        if from.0.len() != end.0.len() || from.0.iter().zip(&end.0).any(|(from, end)| from > end) {
            let problem = format!("frontier {from} is not one of source `{source}`, which ends at {end}");
            return Err(DurableError::Request(problem));
        }
        let name: Arc<str> = source.into();
        let partition = |(known, &start): (&PartitionSnapshot, &u64)| {
            let PartitionSnapshot { end, chunks, .. } = known.clone();
            let (name, decoder) = (name.clone(), decoder.clone());
            Arc::new(DurablePartition { name, decoder, start, end, chunks }) as Arc<dyn Partition>
        };
        let partitions = self.partitions(source).iter().zip(&from.0).map(partition).collect();
        Ok(Log::of_partitions(decoder, partitions))
    }

    /// The frontiers between two requests that are next to a frontier: the last one not after it, and the
    /// first one not before it. Both are the frontier itself if it is one, and also where it is in files that
    /// were written before the ends of requests were noted.
    ///
    /// # Errors
    /// [`DurableError`] if the ends of requests could not be read.
    pub fn ends_around(&self, source: &str, at: &Frontier) -> Result<(Frontier, Frontier), DurableError> {
        let chunks: Vec<&Chunks> =
            self.partitions(source).iter().map(|partition| &partition.chunks).collect();
        let found = ends_around::around(&chunks, at)?;
        Ok(found.unwrap_or_else(|| (at.clone(), at.clone())))
    }

    /// The quarantined records of a slice, to be read later.
    pub fn quarantine(&self, source: &str, slice: &Slice) -> Quarantine {
        let partition = self.partitions(source).get(slice.partition as usize);
        let chunks = partition.map(|partition| partition.chunks.from(slice.from));
        let chunks = chunks.into_iter().flatten().take_while(|chunk| chunk.range.from < slice.to);
        Quarantine { chunks: chunks.cloned().collect(), slice: *slice }
    }

    /// Writes the rows of a slice that is not flushed yet to Parquet, and makes the file durable. The log
    /// does not use it before [`DurableLog::commit_flush`](crate::DurableLog::commit_flush).
    ///
    /// # Errors
    /// [`DurableError`] if the file could not be written.
    pub fn write_flush(
        &self,
        disk: &Arc<dyn Disk>,
        source: &str,
        slice: &Slice,
    ) -> Result<Flush, DurableError> {
        let log = self.log(source, &self.flushed_to(source))?;
        let partition = self.partitions(source).get(slice.partition as usize);
        let partition = partition.ok_or_else(|| {
            DurableError::Request(format!("source `{source}` has no partition {}", slice.partition))
        })?;
        flush::write(disk, &log, &partition.chunks, slice)
    }

    pub(crate) fn partitions(&self, source: &str) -> &[PartitionSnapshot] {
        self.sources.get(source).map_or(&[], |source| &source.partitions)
    }
}

pub(crate) fn no_source(source: &str) -> DurableError {
    DurableError::Request(format!("the log has no source `{source}`"))
}

/// Where readers of a log find its latest snapshot. Clones are the same.
#[derive(Debug, Clone, Default)]
pub struct LogReader {
    latest: Arc<RwLock<Arc<LogSnapshot>>>,
}

impl LogReader {
    /// The log as of its last write.
    pub fn snapshot(&self) -> Arc<LogSnapshot> {
        self.latest.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn publish(&self, snapshot: LogSnapshot) {
        let snapshot = Arc::new(snapshot);
        let old =
            std::mem::replace(&mut *self.latest.write().unwrap_or_else(PoisonError::into_inner), snapshot);
        // Outside of the lock: it may be the last owner of many chunks.
        drop(old);
    }

    /// Publishes the latest snapshot once more, as that of a log that takes no events: for when the state of
    /// the writer is not to be shown. A reason that was given before stays.
    pub fn stop(&self, problem: &str) {
        let mut last = LogSnapshot::clone(&self.snapshot());
        if last.stopped.is_none() {
            last.stopped = Some(problem.into());
            self.publish(last);
        }
    }
}
