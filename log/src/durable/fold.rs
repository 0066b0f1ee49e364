//! From the frames of a journal to what the log is: its state, and the parts that are not sealed.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::disk::Disk;
use super::entry::{
    self, Entry, LogState, PartitionState, RequestEntry, RowsEntry, SealedEntry, SealedFile, SourceEntry,
    SourceState,
};
use super::error::DurableError;
use super::exceptions;
use super::journal::Place;
use super::part::{Excluded, Part};
use crate::files::LogFile;
use crate::partition::Range;

/// The parts of each partition of each source, in order.
pub(crate) type Parts = BTreeMap<String, Vec<Vec<Arc<Part>>>>;

/// What the frames seen so far say.
#[derive(Debug, Default)]
pub(crate) struct Fold {
    pub(crate) state: LogState,
    pub(crate) parts: Parts,
    is_begun: bool,
    max_requests: usize,
    /// For each source and key, the number of its request, counted from the first that was ever taken here.
    numbers: HashMap<(String, String), u64>,
    /// The number of the first request in the state.
    first_number: u64,
    /// Slices of positions in all of them. A request that went to many partitions takes the room of many.
    n_slices: usize,
}

impl Fold {
    pub(crate) fn new(max_requests: usize) -> Self {
        Fold { max_requests, ..Fold::default() }
    }

    /// Takes the next frame.
    pub(crate) fn frame(
        &mut self,
        is_first: bool,
        place: &Place,
        payload: &[u8],
    ) -> Result<(), DurableError> {
        let (entries, blobs) = entry::parse(place, payload)?;
        for entry in entries {
            match entry {
                Entry::Checkpoint(state) if is_first => self.checkpoint(place, state)?,
                Entry::Rows(rows) => {
                    let part = Part::of_journal(place, blobs, &rows);
                    self.rows(place, &rows, part)?;
                }
                entry => self.take(place, entry)?,
            }
        }
        Ok(())
    }

    /// The first checkpoint is where it starts; later ones have to say what was said.
    fn checkpoint(&mut self, place: &Place, state: LogState) -> Result<(), DurableError> {
        if !self.is_begun {
            self.is_begun = true;
            for (name, source) in &state.sources {
                self.parts.insert(name.clone(), source.partitions.iter().map(|_| Vec::new()).collect());
            }
            let requests = (0u64..).zip(&state.requests);
            let key = |request: &RequestEntry| (request.source.clone(), request.key.clone());
            self.numbers = requests.map(|(number, request)| (key(request), number)).collect();
            self.n_slices =
                state.requests.iter().map(|request| request.accepted.positions.len().max(1)).sum();
            self.state = state;
            return Ok(());
        }
        for (origin, source) in &state.sources {
            let known = self.state.sources.get(origin).map_or(&[][..], |known| &known.partitions);
            for (partition, later) in (0u32..).zip(&source.partitions) {
                let end = known.get(partition as usize).map_or(0, |known| known.end);
                if end < later.end {
                    let problem = format!("a file of the journal before `{}` is gone", place.path);
                    let (origin, from, to) = (origin.clone(), end, later.end);
                    return Err(DurableError::Hole { origin, partition, from, to, problem });
                }
            }
        }
        if state == self.state { Ok(()) } else { Err(contradiction(place, "its checkpoint")) }
    }

    /// Takes what is no rows.
    pub(crate) fn take(&mut self, place: &Place, entry: Entry) -> Result<(), DurableError> {
        match entry {
            Entry::Checkpoint(_) | Entry::Rows(_) => {
                return Err(contradiction(place, "a checkpoint or rows"));
            }
            Entry::Epoch(epoch) => self.state.epochs.push(epoch),
            Entry::Source(source) => self.source(source),
            Entry::Request(request) => {
                let n_slices = request.accepted.positions.len().max(1);
                let number = self.first_number + self.state.requests.len() as u64;
                self.numbers.insert((request.source.clone(), request.key.clone()), number);
                self.state.requests.push_back(request);
                self.n_slices += n_slices;
                while (self.state.requests.len() > self.max_requests || self.n_slices > 2 * self.max_requests)
                    && let Some(oldest) = self.state.requests.pop_front()
                {
                    self.n_slices -= oldest.accepted.positions.len().max(1);
                    self.numbers.remove(&(oldest.source, oldest.key));
                    self.first_number += 1;
                }
            }
            Entry::Sealed(sealed) => {
                let known = self.state.sources.get_mut(&sealed.source);
                let known = known.and_then(|source| source.partitions.get_mut(sealed.partition as usize));
                let known = known.filter(|known| known.sealed_to() == sealed.from && sealed.to <= known.end);
                let known = known.ok_or_else(|| contradiction(place, "a sealed file"))?;
                known.sealed.push(sealed);
            }
        }
        Ok(())
    }

    fn source(&mut self, entry: SourceEntry) {
        let partitions: Vec<_> = (0..entry.n_partitions).map(|_| PartitionState::default()).collect();
        self.parts
            .entry(entry.name.clone())
            .or_insert_with(|| partitions.iter().map(|_| Vec::new()).collect());
        let new = || SourceState { horizon: entry.horizon, fields: BTreeMap::new(), partitions };
        let source = self.state.sources.entry(entry.name).or_insert_with(new);
        source.horizon = entry.horizon;
        source.fields.extend(entry.fields);
    }

    /// The request of a source that had a key.
    pub(crate) fn request(&self, source: &str, key: &str) -> Option<&RequestEntry> {
        let number = self.numbers.get(&(source.to_owned(), key.to_owned()))?;
        self.state.requests.get(usize::try_from(number - self.first_number).ok()?)
    }

    /// Takes rows, which have to follow those before them.
    pub(crate) fn rows(&mut self, place: &Place, rows: &RowsEntry, part: Part) -> Result<(), DurableError> {
        let partition = rows.partition as usize;
        let known =
            self.state.sources.get_mut(&rows.source).and_then(|known| known.partitions.get_mut(partition));
        let parts = self.parts.get_mut(&rows.source).and_then(|parts| parts.get_mut(partition));
        let (Some(known), Some(parts)) = (known.filter(|known| known.end == rows.from), parts) else {
            return Err(contradiction(place, "rows"));
        };
        known.end = rows.to;
        parts.push(Arc::new(part));
        Ok(())
    }

    /// Puts the sealed files in front of what the journal has, when all frames are taken.
    pub(crate) fn finish(mut self, disk: &Arc<dyn Disk>) -> Result<Self, DurableError> {
        for (origin, source) in &self.state.sources {
            let Some(parts) = self.parts.get_mut(origin) else { continue };
            for ((partition, state), parts) in (0u32..).zip(&source.partitions).zip(parts) {
                let mut all = Vec::with_capacity(parts.len());
                for sealed in &state.sealed {
                    all.push(Arc::new(sealed_part(disk, sealed)?));
                }
                let sealed_to = state.sealed_to();
                all.extend(parts.drain(..).filter(|part| part.range.from >= sealed_to));
                let mut end = 0;
                for part in &all {
                    if part.range.from != end {
                        let problem = "no file of the journal holds them".to_owned();
                        let (origin, from, to) = (origin.clone(), end, part.range.from);
                        return Err(DurableError::Hole { origin, partition, from, to, problem });
                    }
                    end = part.range.to;
                }
                if end != state.end {
                    let problem = "no file of the journal holds them".to_owned();
                    let (origin, from, to) = (origin.clone(), end, state.end);
                    return Err(DurableError::Hole { origin, partition, from, to, problem });
                }
                *parts = all;
            }
        }
        Ok(self)
    }
}

fn contradiction(place: &Place, what: &str) -> DurableError {
    let problem = format!("contradicts the files before it: {what} at byte {} do not follow", place.at);
    DurableError::Foreign { path: place.path.to_string(), problem }
}

/// The part of a sealed file, which has to be there and as long as it was.
pub(crate) fn sealed_part(disk: &Arc<dyn Disk>, sealed: &SealedEntry) -> Result<Part, DurableError> {
    let open = |stated: &SealedFile| {
        let hole = |problem: String| DurableError::Hole {
            origin: sealed.source.clone(),
            partition: sealed.partition,
            from: sealed.from,
            to: sealed.to,
            problem,
        };
        let shown = disk.shown(&stated.path);
        let file = disk.open(&stated.path).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => hole(format!("`{shown}`: {error}")),
            _ => DurableError::io("opening", shown.clone())(error),
        })?;
        match file.n_bytes() {
            Ok(n_bytes) if n_bytes == stated.n_bytes => Ok((file, Arc::<str>::from(shown))),
            Ok(n_bytes) => {
                Err(hole(format!("`{shown}` has {n_bytes} bytes, where {} were written", stated.n_bytes)))
            }
            Err(error) => Err(DurableError::io("reading the length of", shown)(error)),
        }
    };
    let (file, shown) = open(&sealed.file)?;
    let file = LogFile::of_disk(file, &shown).map_err(DurableError::io("opening", shown.to_string()))?;
    let (exceptions, excluded) = match &sealed.exceptions {
        None => (None, Excluded::default()),
        Some(stated) => {
            let (file, shown) = open(stated)?;
            let excluded = exceptions::excluded(&file, &shown)?;
            (Some((file, shown)), excluded)
        }
    };
    let range = Range { from: sealed.from, to: sealed.to };
    Ok(Part::of_file(range, excluded, file, sealed.file.clone(), exceptions))
}
