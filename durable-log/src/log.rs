//! The durable log as the one that writes it: open it, append, commit flushes.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::sync::Arc;

use metricc_ir::Source;
use metricc_log::{Frontier, RecordDecoder};

use crate::JOURNAL_FOLDER;
use crate::dedup_index::{DedupIndex, DedupWindow};
use crate::disk::Disk;
use crate::error::DurableError;
use crate::flush::Flush;
use crate::frame_payload::{self, Entry, Epoch, LogState, Payload, RequestEntry};
use crate::journal::{Journal, TruncatedTail};
use crate::journal_preamble::LogId;
use crate::kept_requests;
use crate::log_mark::KeptMark;
use crate::open_files::OpenFiles;
use crate::options::{DurableOptions, SourceOptions};
use crate::orphans::{self, LaterFile, lost_offsets};
use crate::recent_rows::{FrameRows, RecentRows};
use crate::replay::{Replay, flushed_chunk};
use crate::request::KnownRequest;
use crate::schema_check::{self, RowFields};
use crate::snapshot::{LogEpoch, LogReader, LogSnapshot, PartitionSnapshot, SourceSnapshot};

/// An open durable log, owned by its one writer. Only one may be open for a folder at a time: the caller sees
/// to that.
#[derive(Debug)]
pub struct DurableLog {
    pub(crate) disk: Arc<dyn Disk>,
    open_files: Arc<OpenFiles>,
    pub(crate) options: DurableOptions,
    pub(crate) journal: Journal,
    /// What the frames of the journal say.
    pub(crate) replay: Replay,
    pub(crate) sources: BTreeMap<String, OpenSource>,
    /// Entries that come first in the next frame.
    pub(crate) pending: Vec<Entry>,
    recent_rows: RecentRows,
    /// Files of requests that were forgotten, and the number of the first checkpoint that does not name each.
    pub(crate) obsolete: VecDeque<(u64, String)>,
    reader: LogReader,
    /// Whether something was written since it was opened.
    has_written: bool,
    /// Where the log is marked; not every log is.
    pub(crate) mark: Option<KeptMark>,
    /// Flushed files with positions after the end of the log, whose loss is accepted.
    pub(crate) lost_files: Vec<LaterFile>,
    /// Why a durable frame was not applied whole. Readers then keep the snapshot before it.
    half_applied: Option<String>,
}

#[derive(Debug)]
pub(crate) struct OpenSource {
    pub(crate) decoder: Arc<RecordDecoder>,
    /// What the rows have that are in the log, and those that it decodes.
    pub(crate) rows: Arc<RowFields>,
    pub(crate) window: DedupWindow,
    /// One for each partition; they stay empty where the source has no identity.
    pub(crate) dedup: Vec<DedupIndex>,
    /// Requests taken, which go to the partitions in turn.
    pub(crate) n_requests: u64,
}

impl DurableLog {
    /// Whether a disk has a log.
    ///
    /// # Errors
    /// [`DurableError::Io`] if the disk fails.
    pub fn is_there(disk: &Arc<dyn Disk>) -> Result<bool, DurableError> {
        let names = disk.names(JOURNAL_FOLDER);
        let failed = DurableError::io("reading the folder", disk.shown(JOURNAL_FOLDER));
        names.map(|names| !names.is_empty()).map_err(failed)
    }

    /// Opens the log of a disk, or starts one. `fresh` is the identity of a new log, `epoch` that of the
    /// epoch that begins; both have to be random. Returns what was truncated: a write that was not
    /// acknowledged.
    ///
    /// # Errors
    /// [`DurableError`] if something that was durable is corrupt or missing, is of another version, or if a
    /// source was declared otherwise when its events came in.
    pub fn open(
        disk: Arc<dyn Disk>,
        options: DurableOptions,
        sources: &[SourceOptions],
        fresh: LogId,
        epoch: u128,
    ) -> Result<(Self, Option<TruncatedTail>), DurableError> {
        let mut replay = Replay::new(&disk, &options);
        let open_files: Arc<OpenFiles> = Arc::default();
        let visit = &mut |first, location: &_, payload: &[u8]| {
            replay.frame(first, location, payload, &FrameRows::new())
        };
        let opened = Journal::open(&disk, &open_files, JOURNAL_FOLDER, &options.opening, visit)?;
        let (journal, truncated) = match opened {
            Some(found) => found,
            None => {
                if !options.accept_loss {
                    orphans::none_without_journal(&disk, sources)?;
                }
                (
                    Journal::create(
                        &disk,
                        &open_files,
                        JOURNAL_FOLDER,
                        fresh,
                        &frame_payload::checkpoint(&LogState::default())?,
                    )?,
                    None,
                )
            }
        };
        let replay = replay.finish(&disk, &open_files)?;
        let recent_rows = RecentRows::new(options.recent_bytes);
        let mut log = DurableLog {
            disk,
            open_files,
            options,
            journal,
            replay,
            sources: BTreeMap::new(),
            pending: Vec::new(),
            recent_rows,
            obsolete: VecDeque::new(),
            reader: LogReader::default(),
            has_written: false,
            mark: None,
            lost_files: Vec::new(),
            half_applied: None,
        };
        sources.iter().try_for_each(|source| log.open_source(source))?;
        let snapshot = log.snapshot();
        let from = log.replay.chunks.keys().map(|name| (name.clone(), snapshot.end(name).0)).collect();
        let is_after_loss = false;
        log.pending.push(Entry::Epoch(Epoch { id: format!("{epoch:032x}"), from, is_after_loss }));
        log.lost_files = orphans::set_aside(&log.disk, &log.replay.state, sources)?;
        if let Some(LaterFile { shown, .. }) = log.lost_files.first().filter(|_| !log.options.accept_loss) {
            let (path, lost) = (shown.clone(), lost_offsets(&log.lost_files).join(", "));
            return Err(DurableError::OlderJournal { path, lost });
        }
        let named = log.replay.state.kept.iter().map(|kept| &kept.file.path).chain(&log.replay.obsolete);
        kept_requests::set_aside(&log.disk, &named.map(String::as_str).collect())?;
        log.publish();
        Ok((log, truncated))
    }

    /// The fields of a source that its events have and that it does not declare any more. Events that are
    /// flushed from now on are without them.
    pub fn gone_fields(&self, source: &Source) -> Vec<String> {
        let known = self.replay.state.sources.get(&source.name);
        known.map_or_else(Vec::new, |known| schema_check::gone(source, known))
    }

    /// Where others read the log.
    pub fn reader(&self) -> &LogReader {
        &self.reader
    }

    /// The log as it stands.
    pub fn snapshot(&self) -> LogSnapshot {
        let state = &self.replay.state;
        let known = self.reader.snapshot();
        // An epoch is added once, and there may be many.
        let epochs = if known.epochs.len() == state.epochs.len() {
            known.epochs.clone()
        } else {
            let epoch = |Epoch { id, from, is_after_loss }: &Epoch| LogEpoch {
                id: id.clone(),
                from: from.clone(),
                is_after_loss: *is_after_loss,
            };
            state.epochs.iter().map(epoch).collect()
        };
        let source = |(name, chunks): (&String, &Vec<crate::chunk_list::Chunks>)| {
            let known = state.sources.get(name).map_or(&[][..], |source| &source.partitions);
            let partition = |(index, chunks): (usize, &crate::chunk_list::Chunks)| {
                let (end, flushed_to) =
                    known.get(index).map_or((0, 0), |known| (known.end, known.flushed_to()));
                PartitionSnapshot { end, flushed_to, chunks: chunks.clone() }
            };
            let partitions = chunks.iter().enumerate().map(partition).collect();
            let taken = self.sources.get(name);
            let taken = taken.map(|source| (source.decoder.clone(), source.rows.clone()));
            let known = state.sources.get(name);
            let windows = known.map_or_else(Vec::new, |known| known.windows.clone());
            let inputs = known.map_or_else(BTreeMap::new, |known| known.inputs.clone());
            (name.clone(), SourceSnapshot { taken, windows, inputs, partitions })
        };
        LogSnapshot {
            id: self.journal.id().id,
            epochs,
            sources: self.replay.chunks.iter().map(source).collect(),
            stopped: self.journal.stopped().map(Into::into),
            ready: self.replay.ready.iter().take(kept_requests::AT_ONCE).cloned().collect(),
        }
    }

    /// Shows readers what was written.
    pub(crate) fn publish(&self) {
        match &self.half_applied {
            Some(problem) => self.reader.stop(problem),
            None => self.reader.publish(self.snapshot()),
        }
    }

    pub(crate) fn end(&self, source: &str) -> Frontier {
        match self.replay.state.sources.get(source) {
            Some(known) => Frontier(known.partitions.iter().map(|partition| partition.end).collect()),
            None => Frontier(vec![0; self.replay.chunks.get(source).map_or(0, Vec::len)]),
        }
    }

    /// The requests of a source that are remembered and whose keys begin with a text, oldest first.
    pub fn known_requests(&self, source: &str, prefix: &str) -> Vec<KnownRequest> {
        let known = |request: &RequestEntry| KnownRequest {
            key: request.key.clone(),
            positions: request.accepted.positions.clone(),
        };
        self.replay.requests(source, prefix).map(known).collect()
    }

    /// Reads the rows of flushed positions from their file from now on, and removes the files of the journal
    /// that are not needed any more.
    ///
    /// # Errors
    /// [`DurableError`] if that, or the next file of the journal, could not be made durable. Nothing is lost
    /// then; [`LogSnapshot::flushed_to`] shows whether the rows are flushed.
    pub fn commit_flush(&mut self, flush: &Flush) -> Result<(), DurableError> {
        let committed = self.commit_flush_unpublished(flush);
        self.publish();
        committed
    }

    pub(crate) fn commit_flush_unpublished(&mut self, flush: &Flush) -> Result<(), DurableError> {
        let Flush { entry } = flush;
        let (name, partition) = (entry.source.clone(), entry.partition as usize);
        let chunk = Arc::new(flushed_chunk(&self.disk, &self.open_files, entry)?);
        let known = self.replay.state.sources.get(&name).and_then(|known| known.partitions.get(partition));
        let chunks = self.replay.chunks.get(&name).and_then(|chunks| chunks.get(partition));
        let fits = known.is_some_and(|known| known.flushed_to() == entry.from)
            && chunks.is_some_and(|chunks| chunks.iter().any(|chunk| chunk.range.to == entry.to));
        if !fits {
            let problem = format!("offsets {} to {} are not the next to be flushed", entry.from, entry.to);
            return Err(DurableError::Request(problem));
        }
        let mut payload = self.new_payload();
        payload.push(Entry::Flushed(entry.clone()));
        self.write(payload)?;
        if let Some(chunks) = self.replay.chunks.get_mut(&name).and_then(|chunks| chunks.get_mut(partition)) {
            chunks.replace(&chunk);
        }
        self.roll()
    }

    /// Starts the next file of the journal, and removes those that are not needed any more.
    fn roll(&mut self) -> Result<(), DurableError> {
        let (_, number) = self.journal.numbers();
        self.journal.roll(&frame_payload::checkpoint(&self.replay.state)?)?;
        self.obsolete.extend(self.replay.obsolete.drain(..).map(|path| (number, path)));
        let chunks = self.replay.chunks.values().flatten().flat_map(|chunks| chunks.iter());
        let needed: HashSet<&str> =
            chunks.filter_map(|chunk| chunk.journal_path().map(|path| &**path)).collect();
        self.journal.drop_files(|path| needed.contains(path))?;
        self.drop_requests(self.journal.numbers().0)
    }

    /// Starts the next file of the journal where the last one is long.
    pub(crate) fn roll_if_long(&mut self) -> Result<(), DurableError> {
        if self.journal.n_bytes_of_frames() < self.options.file_bytes { Ok(()) } else { self.roll() }
    }

    /// Ends the journal with a frame that says nothing, if something was written since the log was opened:
    /// what comes before a frame was durable, so damage to it is not taken for a torn write.
    ///
    /// # Errors
    /// [`DurableError`] if it could not be written. Nothing is lost then.
    pub fn close(&mut self) -> Result<(), DurableError> {
        if std::mem::take(&mut self.has_written) && self.journal.n_bytes_of_frames() > 0 {
            let (nothing, _) = Payload::default().to_bytes()?;
            self.journal.append(&nothing)?;
        }
        Ok(())
    }

    /// A payload with the entries that come first.
    pub(crate) fn new_payload(&self) -> Payload {
        let mut payload = Payload::default();
        self.pending.iter().for_each(|entry| payload.push(entry.clone()));
        payload
    }

    /// Writes a payload, waits until it is durable, and applies it as it is applied when the log is opened
    /// again.
    pub(crate) fn write(&mut self, payload: Payload) -> Result<(), DurableError> {
        let (bytes, _) = payload.to_bytes()?;
        if self.journal.is_older() {
            self.roll()?;
        }
        let location = self.journal.append(&bytes)?;
        self.pending.clear();
        self.has_written = true;
        let rows = self.recent_rows.keep(payload.into_rows());
        let applied = self.replay.frame(false, &location, &bytes, &rows);
        if let Err(error) = &applied {
            // It is durable: opening the log will apply it, or report why not. Nothing may follow it now.
            self.journal.stop(error.to_string());
            self.half_applied = Some(error.to_string());
        }
        applied
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::faulty_disk::SimDisk;

    #[test]
    fn readers_never_see_half_of_a_frame() {
        let disk: Arc<dyn Disk> = Arc::new(SimDisk::default());
        let (mut log, _) =
            DurableLog::open(disk, DurableOptions::default(), &[], LogId { id: 1, seed: 2 }, 3).unwrap();
        let before = log.reader().snapshot();
        let mut payload = Payload::default();
        let (from, is_after_loss) = (BTreeMap::new(), false);
        payload.push(Entry::Epoch(Epoch { id: "first half".to_owned(), from, is_after_loss }));
        // A checkpoint inside of a file contradicts the journal.
        payload.push(Entry::Checkpoint(LogState::default()));
        let error = log.write(payload).unwrap_err();
        log.publish();
        assert_eq!(log.replay.state.epochs.len(), 1, "the first half is applied");
        let shown = log.reader().snapshot();
        assert_eq!(shown.epochs.len(), before.epochs.len());
        assert_eq!(shown.stopped(), Some(error.to_string().as_str()));
    }
}
