//! What is flushed of a source, as another disk can go on from it.
//!
//! The journal stays on its disk. An archive is a copy of all files that the log has flushed, and a manifest:
//! what a journal would say if the log ended with these files. [`restore`] writes such a journal.
//!
//! Invariant: a manifest says nothing about positions that are not flushed. The requests that it remembers have
//! all of their events in it, and an input was read no further than its events are in it: so what comes after
//! is taken again, once.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use metricc_log::Frontier;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use twox_hash::XxHash3_64;

use crate::JOURNAL_FOLDER;
use crate::disk::Disk;
use crate::error::DurableError;
use crate::frame_payload::{
    self, Epoch, FlushedEntry, FlushedFile, KeptRequests, LogState, RequestEntry, SourceState,
};
use crate::journal::Journal;
use crate::journal_preamble::LogId;
use crate::log::DurableLog;

/// Version of manifests; no other is read.
const FORMAT: u32 = 1;

/// A file that an archive has.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ArchivedFile {
    /// Its path on the disk of the log.
    pub path: String,
    /// Its length.
    pub n_bytes: u64,
    /// XXH3-64 of its bytes.
    pub checksum: u64,
}

impl ArchivedFile {
    /// Whether these are its bytes.
    pub fn is(&self, bytes: &[u8]) -> bool {
        bytes.len() as u64 == self.n_bytes && XxHash3_64::oneshot(bytes) == self.checksum
    }

    fn of(FlushedFile { path, n_bytes, checksum }: &FlushedFile) -> Self {
        ArchivedFile { path: path.clone(), n_bytes: *n_bytes, checksum: *checksum }
    }
}

/// What is flushed of a source.
#[derive(Debug, Clone)]
pub struct Archive {
    manifest: Manifest,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Manifest {
    /// The identity of the log, in hexadecimal digits.
    log: String,
    epochs: Vec<Epoch>,
    name: String,
    source: SourceState,
    /// Where the source ended in the journal when this was written.
    journal_end: Vec<u64>,
    /// Requests in files, and those of the source in no file; of all sources.
    kept: VecDeque<KeptRequests>,
    requests: Vec<RequestEntry>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ManifestFile<'a> {
    format: u32,
    checksum: u64,
    #[serde(borrow)]
    manifest: &'a RawValue,
}

impl DurableLog {
    /// What is flushed of a source; `None` if nothing is.
    pub fn archive(&self, name: &str) -> Option<Archive> {
        let state = &self.replay.state;
        let mut source = state.sources.get(name)?.clone();
        let journal_end: Vec<u64> = source.partitions.iter().map(|partition| partition.end).collect();
        for partition in &mut source.partitions {
            partition.end = partition.flushed_to();
        }
        let ends: Vec<u64> = source.partitions.iter().map(|partition| partition.end).collect();
        if ends.iter().all(|end| *end == 0) {
            return None;
        }
        source.inputs = self.replay.flushed_inputs(name);
        let requests = state.requests.iter().skip(state.n_kept());
        let requests = requests.filter(|request| request.source == name && is_within(request, &ends));
        let manifest = Manifest {
            log: format!("{:032x}", self.journal.id().id),
            epochs: state.epochs.clone(),
            name: name.to_owned(),
            journal_end,
            kept: state.kept.clone(),
            requests: requests.cloned().collect(),
            source,
        };
        Some(Archive { manifest })
    }
}

/// Whether all positions of a request come before the ends of partitions.
fn is_within(request: &RequestEntry, ends: &[u64]) -> bool {
    let positions = &request.accepted.positions;
    positions.iter().all(|slice| ends.get(slice.partition as usize).is_some_and(|end| slice.to <= *end))
}

impl Archive {
    /// The name of the source.
    pub fn source(&self) -> &str {
        &self.manifest.name
    }

    /// The identity of the log.
    pub fn log(&self) -> &str {
        &self.manifest.log
    }

    /// The last epoch that the log had.
    pub fn epoch(&self) -> Option<&str> {
        self.manifest.epochs.last().map(|epoch| epoch.id.as_str())
    }

    /// The epochs that the log had, in order.
    pub fn epochs(&self) -> impl Iterator<Item = &str> {
        self.manifest.epochs.iter().map(|epoch| epoch.id.as_str())
    }

    /// How many these are.
    pub fn n_epochs(&self) -> usize {
        self.manifest.epochs.len()
    }

    /// The frontier after what is flushed.
    pub fn flushed_to(&self) -> Frontier {
        Frontier(self.manifest.source.partitions.iter().map(|partition| partition.end).collect())
    }

    /// Where the journal ended when this was written.
    pub fn journal_end(&self) -> Frontier {
        Frontier(self.manifest.journal_end.clone())
    }

    /// The files with its events.
    pub fn files(&self) -> Vec<ArchivedFile> {
        let flushed = self.manifest.source.partitions.iter().flat_map(|partition| &partition.flushed);
        flushed.flat_map(FlushedEntry::files).map(ArchivedFile::of).collect()
    }

    /// The files with requests that the log remembers, of all sources.
    pub fn request_files(&self) -> Vec<ArchivedFile> {
        self.manifest.kept.iter().map(|kept| ArchivedFile::of(&kept.file)).collect()
    }

    /// The manifest as a file.
    ///
    /// # Errors
    /// [`DurableError`] if it cannot be written as JSON.
    pub fn to_bytes(&self) -> Result<Vec<u8>, DurableError> {
        let manifest = RawValue::from_string(serde_json::to_string(&self.manifest)?)?;
        let checksum = XxHash3_64::oneshot(manifest.get().as_bytes());
        Ok(serde_json::to_vec(&ManifestFile { format: FORMAT, checksum, manifest: &manifest })?)
    }

    /// Reads a manifest. `shown` is its path in messages.
    ///
    /// # Errors
    /// [`DurableError::Corrupt`] if it is damaged, [`DurableError::Foreign`] if it is of another version.
    pub fn parse(bytes: &[u8], shown: &str) -> Result<Self, DurableError> {
        let to = bytes.len() as u64;
        let corrupt =
            |problem: String| DurableError::Corrupt { path: shown.to_owned(), from: 0, to, problem };
        let file: ManifestFile<'_> =
            serde_json::from_slice(bytes).map_err(|error| corrupt(error.to_string()))?;
        if file.format != FORMAT {
            let problem = format!("is a manifest of format {}; this version reads {FORMAT}", file.format);
            return Err(DurableError::Foreign { path: shown.to_owned(), problem });
        }
        if XxHash3_64::oneshot(file.manifest.get().as_bytes()) != file.checksum {
            return Err(corrupt("checksum mismatch".to_owned()));
        }
        let manifest =
            serde_json::from_str(file.manifest.get()).map_err(|error| corrupt(error.to_string()))?;
        Ok(Archive { manifest })
    }
}

/// Writes the journal of a log that ends with what is flushed, to a disk that has the files of
/// [`Archive::files`] and no log. `request_file` gives the bytes of a file of requests. `seed` and `epoch` have to
/// be random; the epoch begins after the events that are not there.
///
/// # Errors
/// [`DurableError`] if there is a log, the archives are of several logs, or something cannot be read or written.
pub fn restore(
    disk: &Arc<dyn Disk>,
    archives: &[Archive],
    request_file: &mut dyn FnMut(&ArchivedFile) -> Result<Vec<u8>, DurableError>,
    (seed, epoch): (u64, u128),
) -> Result<(), DurableError> {
    let refuse = |problem: String| Err(DurableError::Request(problem));
    let Some(Archive { manifest: first }) = archives.first() else {
        return refuse("there is no archive to restore a log from".to_owned());
    };
    if let Some(Archive { manifest: other }) = archives.iter().find(|other| other.log() != first.log) {
        return refuse(format!(
            "source `{}` is of log {}, and source `{}` of log {}",
            first.name, first.log, other.name, other.log
        ));
    }
    if DurableLog::is_there(disk)? {
        return refuse(format!("`{}` has a journal, and is not replaced", disk.shown(JOURNAL_FOLDER)));
    }
    let mut state = LogState::default();
    for Archive { manifest } in archives {
        if manifest.epochs.len() > state.epochs.len() {
            state.epochs.clone_from(&manifest.epochs);
        }
        state.sources.insert(manifest.name.clone(), manifest.source.clone());
        state.requests.extend(requests(manifest, request_file)?);
    }
    let ends: BTreeMap<String, Vec<u64>> = state
        .sources
        .iter()
        .map(|(name, source)| {
            (name.clone(), source.partitions.iter().map(|partition| partition.end).collect())
        })
        .collect();
    state.epochs.iter_mut().for_each(|epoch| end_at(epoch, &ends));
    for (name, source) in &mut state.sources {
        for window in &mut source.windows {
            least(&mut window.from, &ends[name]);
        }
    }
    state.epochs.push(Epoch { id: format!("{epoch:032x}"), from: ends, is_after_loss: true });
    let Ok(id) = u128::from_str_radix(&first.log, 16) else {
        return refuse(format!("`{}` is not the identity of a log", first.log));
    };
    let id = LogId { id, seed };
    Journal::create(disk, &Arc::default(), JOURNAL_FOLDER, id, &frame_payload::checkpoint(&state)?)?;
    Ok(())
}

/// An epoch began no later than the log ends. Sources that are not there had nothing.
fn end_at(epoch: &mut Epoch, ends: &BTreeMap<String, Vec<u64>>) {
    epoch.from.retain(|name, _| ends.contains_key(name));
    for (name, from) in &mut epoch.from {
        least(from, &ends[name]);
    }
}

fn least(offsets: &mut [u64], ends: &[u64]) {
    offsets.iter_mut().zip(ends).for_each(|(offset, end)| *offset = (*offset).min(*end));
}

/// The remembered requests of a source that are wholly flushed, oldest first.
fn requests(
    manifest: &Manifest,
    request_file: &mut dyn FnMut(&ArchivedFile) -> Result<Vec<u8>, DurableError>,
) -> Result<Vec<RequestEntry>, DurableError> {
    let ends: Vec<u64> = manifest.source.partitions.iter().map(|partition| partition.end).collect();
    let mut found = Vec::new();
    for kept in &manifest.kept {
        let bytes = request_file(&ArchivedFile::of(&kept.file))?;
        let of_file: Vec<RequestEntry> = serde_json::from_slice(&bytes)?;
        let remembered = of_file.into_iter().skip(usize::try_from(kept.n_forgotten).unwrap_or(usize::MAX));
        found.extend(
            remembered.filter(|request| request.source == manifest.name && is_within(request, &ends)),
        );
    }
    found.extend(manifest.requests.iter().cloned());
    Ok(found)
}
