//! The durable log as a value: open, append, read, seal.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use metricc_ir::Source;

use super::declared;
use super::disk::Disk;
use super::entry::{Entry, Epoch, LogState, Payload, SourceEntry};
use super::error::DurableError;
use super::fold::{Fold, sealed_part};
use super::journal::{Cut, Journal, LogId};
use super::partition::DurablePartition;
use super::quarantine::{Quarantine, QuarantinedRecord};
use super::recent::{Horizon, RecentIdentities};
use super::seal::{self, Seal};
use super::{JOURNAL_FOLDER, SEALED_FOLDER};
use crate::decode::SharedRules;
use crate::rule::Rules;
use crate::{Frontier, Log, Slice};

/// How a log is kept.
#[derive(Debug, Clone)]
pub struct DurableOptions {
    /// Requests with a key that are remembered, of all sources together.
    pub max_requests: usize,
    /// Length, in bytes, after which a file of the journal is followed by the next.
    pub file_bytes: u64,
}

impl Default for DurableOptions {
    fn default() -> Self {
        DurableOptions { max_requests: 100_000, file_bytes: 64 << 20 }
    }
}

/// A source whose events a log takes.
#[derive(Debug, Clone)]
pub struct SourceOptions {
    /// The source.
    pub source: Arc<Source>,
    /// Its partitions, fixed when it is first opened; at least 1.
    pub n_partitions: u32,
    /// For a source with an identity: for how long an event is remembered.
    pub horizon: Horizon,
}

/// An open durable log. Only one may be open for a folder at a time: the caller sees to that.
#[derive(Debug)]
pub struct DurableLog {
    pub(super) disk: Arc<dyn Disk>,
    options: DurableOptions,
    pub(super) journal: Journal,
    /// What the frames of the journal say.
    pub(super) fold: Fold,
    pub(super) sources: BTreeMap<String, OpenSource>,
    /// What the next frame says before all else.
    pub(super) pending: Vec<Entry>,
}

#[derive(Debug)]
pub(super) struct OpenSource {
    pub(super) rules: SharedRules,
    /// One for each partition; they stay empty where the source has no identity.
    pub(super) recent: Vec<RecentIdentities>,
    /// Requests taken, for turning from partition to partition.
    pub(super) n_requests: u64,
}

impl DurableLog {
    /// Opens the log of a disk, or starts one. `fresh` is the identity of a new log, `epoch` that of the time that begins;
    /// both have to be random. Says what was cut off: a write that was not acknowledged.
    ///
    /// # Errors
    /// [`DurableError`] if something that was durable is damaged or gone, is of another version, or was of another
    /// declaration of its source.
    pub fn open(
        disk: Arc<dyn Disk>,
        options: DurableOptions,
        sources: &[SourceOptions],
        fresh: LogId,
        epoch: u128,
    ) -> Result<(Self, Option<Cut>), DurableError> {
        let mut fold = Fold::new(options.max_requests);
        let visit = &mut |first, place: &_, payload: &[u8]| fold.frame(first, place, payload);
        let (journal, cut) = match Journal::open(&disk, JOURNAL_FOLDER, visit)? {
            Some(found) => found,
            None => {
                no_events_without_journal(&disk, sources)?;
                (Journal::create(&disk, JOURNAL_FOLDER, fresh, &checkpoint(&LogState::default())?)?, None)
            }
        };
        let fold = fold.finish(&disk)?;
        let (sources_open, pending) = (BTreeMap::new(), Vec::new());
        let mut log = DurableLog { disk, options, journal, fold, sources: sources_open, pending };
        sources.iter().try_for_each(|source| log.open_source(source))?;
        let from = log.fold.parts.keys().map(|name| (name.clone(), log.end(name).0)).collect();
        log.pending.push(Entry::Epoch(Epoch { id: format!("{epoch:032x}"), from }));
        log.remove_orphans()?;
        Ok((log, cut))
    }

    fn open_source(&mut self, options: &SourceOptions) -> Result<(), DurableError> {
        let (source, horizon) = (&options.source, options.horizon);
        let (name, n_partitions) = (source.name.clone(), options.n_partitions.max(1));
        let rules = Rules::new(source)?;
        let fields = declared::fields(source);
        let known = self.fold.state.sources.get(&name);
        if let Some(known) = known {
            let n_known = known.partitions.len();
            let problem = if n_known == n_partitions as usize {
                declared::check(known, source).err()
            } else {
                Some(format!("it has {n_known} partitions, and {n_partitions} are asked for"))
            };
            if let Some(problem) = problem {
                return Err(DurableError::Declaration { origin: name, problem });
            }
        }
        let is_known = |known: &super::entry::SourceState| {
            known.horizon == horizon
                && fields.iter().all(|(name, field)| known.fields.get(name) == Some(field))
        };
        if !known.is_some_and(is_known) {
            self.pending.push(Entry::Source(SourceEntry {
                name: name.clone(),
                n_partitions,
                horizon,
                fields,
            }));
        }
        let recent = (0..n_partitions).map(|_| RecentIdentities::new(horizon)).collect();
        let empty = || (0..n_partitions).map(|_| Vec::new()).collect();
        self.fold.parts.entry(name.clone()).or_insert_with(empty);
        let has_identity = !source.identity.is_empty();
        self.sources.insert(name.clone(), OpenSource { rules, recent, n_requests: 0 });
        if has_identity { self.remember(&name, horizon) } else { Ok(()) }
    }

    /// What tells this log from others.
    pub fn id(&self) -> u128 {
        self.journal.id().id
    }

    /// The times between two openings in which something was written, in order: the name of each, and where the source
    /// ended when it began.
    pub fn epochs(&self, source: &str) -> Vec<(String, Frontier)> {
        let n_partitions = self.fold.parts.get(source).map_or(0, Vec::len);
        let from = |epoch: &Epoch| {
            Frontier(epoch.from.get(source).cloned().unwrap_or_else(|| vec![0; n_partitions]))
        };
        self.fold.state.epochs.iter().map(|epoch| (epoch.id.clone(), from(epoch))).collect()
    }

    /// The frontier behind the last position of a source; without partitions if the log does not have it.
    pub fn end(&self, source: &str) -> Frontier {
        let n_partitions = self.fold.parts.get(source).map_or(0, Vec::len);
        match self.fold.state.sources.get(source) {
            Some(known) => Frontier(known.partitions.iter().map(|partition| partition.end).collect()),
            None => Frontier(vec![0; n_partitions]),
        }
    }

    /// The frontier behind the last position of a source that is sealed.
    pub fn sealed_to(&self, source: &str) -> Frontier {
        match self.fold.state.sources.get(source) {
            Some(known) => Frontier(known.partitions.iter().map(|partition| partition.sealed_to()).collect()),
            None => self.end(source),
        }
    }

    /// Writes nothing any more, whoever still holds it: another one may be opened for the folder.
    pub fn close(&mut self) {
        if self.journal.stopped().is_none() {
            self.journal.stop("the log was closed".to_owned());
        }
    }

    /// Why the log takes no events any more, if so.
    pub fn stopped(&self) -> Option<&str> {
        self.journal.stopped()
    }

    /// The log of a source as it stands now, from a frontier on: what is before it need not be kept at hand.
    ///
    /// # Errors
    /// [`DurableError::Request`] if the log does not take the source, or the frontier is not one of it.
    pub fn log(&self, source: &str, from: &Frontier) -> Result<Log, DurableError> {
        let (Some(open), Some(parts)) = (self.sources.get(source), self.fold.parts.get(source)) else {
            return Err(DurableError::Request(format!("the log has no source `{source}`")));
        };
        let end = self.end(source);
        if from.0.len() != end.0.len() || from.0.iter().zip(&end.0).any(|(from, end)| from > end) {
            let problem = format!("frontier {from} is not one of source `{source}`, which ends at {end}");
            return Err(DurableError::Request(problem));
        }
        let shown: Arc<str> = source.into();
        let partitions = parts.iter().zip(from.0.iter().zip(&end.0)).map(|(parts, (&start, &end))| {
            let first = parts.partition_point(|part| part.range.to <= start);
            DurablePartition { start, end, parts: parts[first..].to_vec(), shown: shown.clone() }
        });
        Ok(Log::of_partitions(&open.rules, partitions))
    }

    /// The quarantined records of a slice, which are read when they are asked for: that needs no access to this log.
    pub fn quarantine(&self, source: &str, slice: &Slice) -> Quarantine {
        let parts = self.fold.parts.get(source).and_then(|parts| parts.get(slice.partition as usize));
        let parts = parts.map_or(&[][..], Vec::as_slice);
        let first = parts.partition_point(|part| part.range.to <= slice.from);
        let end = parts.partition_point(|part| part.range.from < slice.to).max(first);
        Quarantine { parts: parts[first..end].to_vec(), slice: *slice }
    }

    /// The quarantined records of a slice, in order, at most so many.
    ///
    /// # Errors
    /// [`DurableError`] if they could not be read.
    pub fn quarantined(
        &self,
        source: &str,
        slice: &Slice,
        most: usize,
    ) -> Result<Vec<QuarantinedRecord>, DurableError> {
        self.quarantine(source, slice).read(most)
    }

    /// Writes the rows of a slice that is not sealed to a file, and makes it durable. The log goes on as it was until it
    /// adopts the seal. `log` is one that [`DurableLog::log`] gave; so this needs no access to this log and can be done
    /// beside appending.
    ///
    /// # Errors
    /// [`DurableError`] if the file could not be written.
    pub fn seal(disk: &Arc<dyn Disk>, log: &Log, slice: &Slice) -> Result<Seal, DurableError> {
        seal::seal(disk, log, slice)
    }

    /// Reads the rows of sealed positions from their file from now on, and drops the files of the journal that nothing
    /// needs any more.
    ///
    /// # Errors
    /// [`DurableError`] if that, or the next file of the journal, could not be made durable. Nothing is lost then;
    /// [`DurableLog::sealed_to`] says whether the rows are sealed.
    pub fn adopt(&mut self, seal: &Seal) -> Result<(), DurableError> {
        let Seal { entry } = seal;
        let (name, partition) = (entry.source.clone(), entry.partition as usize);
        let part = Arc::new(sealed_part(&self.disk, entry)?);
        let known = self.fold.state.sources.get(&name).and_then(|known| known.partitions.get(partition));
        let parts = self.fold.parts.get(&name).and_then(|parts| parts.get(partition));
        let fits = known.is_some_and(|known| known.sealed_to() == entry.from)
            && parts.is_some_and(|parts| parts.iter().any(|part| part.range.to == entry.to));
        if !fits {
            let problem = format!("offsets {} to {} are not next to be sealed", entry.from, entry.to);
            return Err(DurableError::Request(problem));
        }
        let mut payload = self.new_payload();
        payload.push(Entry::Sealed(entry.clone()));
        self.write(&payload)?;
        if let Some(parts) = self.fold.parts.get_mut(&name).and_then(|parts| parts.get_mut(partition)) {
            let first = parts.partition_point(|known| known.range.to <= part.range.from);
            let end = parts.partition_point(|known| known.range.to <= part.range.to);
            parts.splice(first..end, [part]);
        }
        self.roll()
    }

    /// Starts the next file of the journal, and drops those that nothing needs any more.
    fn roll(&mut self) -> Result<(), DurableError> {
        self.journal.roll(&checkpoint(&self.fold.state)?)?;
        let parts = self.fold.parts.values().flatten().flatten();
        let needed: HashSet<&str> =
            parts.filter_map(|part| part.journal_path().map(|path| &**path)).collect();
        self.journal.drop_files(|path| needed.contains(path))
    }

    /// Starts the next file of the journal where the last one is long.
    pub(super) fn roll_if_long(&mut self) -> Result<(), DurableError> {
        if self.journal.n_bytes_of_frames() < self.options.file_bytes { Ok(()) } else { self.roll() }
    }

    /// A payload that says what is to be said first.
    pub(super) fn new_payload(&self) -> Payload {
        let mut payload = Payload::default();
        self.pending.iter().for_each(|entry| payload.push(entry.clone()));
        payload
    }

    /// Writes a payload, waits until it is durable, and does what it says: as it is done when the log is opened again.
    pub(super) fn write(&mut self, payload: &Payload) -> Result<(), DurableError> {
        let (bytes, _) = payload.to_bytes()?;
        let place = self.journal.append(&bytes)?;
        self.pending.clear();
        let taken = self.fold.frame(false, &place, &bytes);
        if let Err(error) = &taken {
            // It is durable, and will be taken when the log is opened, or be named then; nothing may follow it now.
            self.journal.stop(error.to_string());
        }
        taken
    }

    /// Removes sealed files that are not part of the log: a crash came between writing and adopting them.
    fn remove_orphans(&self) -> Result<(), DurableError> {
        for (name, source) in &self.fold.state.sources {
            let folder = format!("{SEALED_FOLDER}/{name}");
            let sealed = source.partitions.iter().flat_map(|partition| &partition.sealed);
            let known: HashSet<&str> = sealed
                .flat_map(|sealed| std::iter::once(&sealed.file).chain(&sealed.exceptions))
                .map(|file| file.path.as_str())
                .collect();
            let names = self.disk.names(&folder);
            for file in names.map_err(DurableError::io("reading the folder", self.disk.shown(&folder)))? {
                let path = format!("{folder}/{file}");
                if !known.contains(path.as_str()) {
                    self.disk.remove(&path).map_err(DurableError::io("removing", self.disk.shown(&path)))?;
                }
            }
        }
        Ok(())
    }
}

/// Whether sealed events are there without a journal that knows them: then it was lost, and a new one would disown them.
fn no_events_without_journal(disk: &Arc<dyn Disk>, sources: &[SourceOptions]) -> Result<(), DurableError> {
    for source in sources {
        let folder = format!("{SEALED_FOLDER}/{}", source.source.name);
        let shown = disk.shown(&folder);
        if !disk.names(&folder).map_err(DurableError::io("reading the folder", shown.clone()))?.is_empty() {
            let journal = disk.shown(JOURNAL_FOLDER);
            let problem =
                format!("holds sealed events, and their journal is gone: there is nothing in `{journal}`");
            return Err(DurableError::Foreign { path: shown, problem });
        }
    }
    Ok(())
}

fn checkpoint(state: &LogState) -> Result<Vec<u8>, DurableError> {
    let mut payload = Payload::default();
    payload.push(Entry::Checkpoint(state.clone()));
    Ok(payload.to_bytes()?.0)
}
