//! Replay: from the frames of a journal to the state of the log, and to the chunks that are not flushed.
//!
//! Opening a log replays all frames; writing applies each new frame by the same code. So the state in memory
//! is what the next opening will find.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::io::ErrorKind;
use std::sync::{Arc, Weak};

use arrow::array::RecordBatch;
use metricc_log::partition::OffsetRange;

use crate::checked_file::CheckedFile;
use crate::chunk::{Chunk, Written};
use crate::chunk_list::Chunks;
use crate::disk::Disk;
use crate::duplicate_key::WindowSince;
use crate::error::DurableError;
use crate::flushed_inputs::FlushedInputs;
use crate::frame_payload::{
    self, Entry, FlushedEntry, FlushedFile, InputEntry, KeptRequests, LogState, PartitionState, RequestEntry,
    RowsEntry, SourceEntry, SourceState,
};
use crate::journal::Location;
use crate::kept_requests::{self, Group};
use crate::open_files::{LogFile, OpenFiles};
use crate::options::DurableOptions;
use crate::orphans;
use crate::recent_rows::FrameRows;
use crate::rejected;
use crate::request_ends::RequestEnds;

/// The state after the frames seen so far.
#[derive(Debug)]
pub(crate) struct Replay {
    pub(crate) state: LogState,
    /// The chunks of each partition of each source.
    pub(crate) chunks: BTreeMap<String, Vec<Chunks>>,
    /// Groups of the requests that are in no file, the oldest first.
    pub(crate) ready: VecDeque<Group>,
    /// Requests in files, and in these groups.
    n_kept: usize,
    n_ready: usize,
    /// Requests of the first group that are not remembered any more.
    pub(crate) n_ready_forgotten: usize,
    /// Files of requests that were read when the log was opened.
    read: HashSet<String>,
    /// Files with requests that the log has forgotten.
    pub(crate) obsolete: Vec<String>,
    disk: Arc<dyn Disk>,
    is_begun: bool,
    max_requests: usize,
    /// Requests of a group.
    group: usize,
    /// For each source and key, the number of its request, counted from the first one that was replayed.
    numbers: HashMap<(String, String), u64>,
    /// The number of the first request in the state.
    first_number: u64,
    /// Slices of positions in all of them. A request that went to many partitions takes the memory of many.
    n_slices: usize,
    flushed_inputs: FlushedInputs,
}

impl Replay {
    pub(crate) fn new(disk: &Arc<dyn Disk>, options: &DurableOptions) -> Self {
        Replay {
            state: LogState::default(),
            chunks: BTreeMap::new(),
            ready: VecDeque::new(),
            n_kept: 0,
            n_ready: 0,
            n_ready_forgotten: 0,
            read: HashSet::new(),
            obsolete: Vec::new(),
            disk: disk.clone(),
            is_begun: false,
            max_requests: options.max_requests,
            group: options.request_group.max(1),
            numbers: HashMap::new(),
            first_number: 0,
            n_slices: 0,
            flushed_inputs: FlushedInputs::default(),
        }
    }

    /// Applies the next frame. `in_memory` holds those of its rows that still are.
    pub(crate) fn frame(
        &mut self,
        is_first: bool,
        location: &Location,
        payload: &[u8],
        in_memory: &FrameRows<Weak<RecordBatch>>,
    ) -> Result<(), DurableError> {
        let (entries, blobs) = frame_payload::parse(location, payload)?;
        let totals = self.totals_after(&entries);
        let mut inputs = Vec::new();
        for entry in entries {
            match entry {
                Entry::Checkpoint(state) if is_first => self.checkpoint(location, state)?,
                Entry::Rows(rows) => {
                    let kept = in_memory.get(&(rows.source.clone(), rows.partition)).cloned();
                    let total = totals.get(&rows.source).copied().unwrap_or(0);
                    let written = Written { location, payload, blobs };
                    let chunk = Chunk::of_journal(written, &rows, total, kept.unwrap_or_default());
                    self.rows(location, &rows, chunk)?;
                }
                entry => {
                    if let Entry::Input(input) = &entry {
                        inputs.push(input.clone());
                    }
                    self.apply(location, entry)?;
                }
            }
        }
        // The rows of a frame may come after what it says of inputs.
        for InputEntry { source, input, to } in inputs {
            let known = self.state.sources.get(&source).map_or(&[][..], |known| &known.partitions);
            let ends = known.iter().map(|partition| partition.end).collect();
            self.flushed_inputs.read(&source, &input, to, ends);
        }
        Ok(())
    }

    /// How far the inputs of a source have been read with all of their events flushed.
    pub(crate) fn flushed_inputs(&self, source: &str) -> BTreeMap<String, u64> {
        self.flushed_inputs.of(source)
    }

    /// The positions of each source that a frame adds to, after it.
    fn totals_after(&self, entries: &[Entry]) -> BTreeMap<String, u64> {
        let mut totals: BTreeMap<String, u64> = BTreeMap::new();
        for entry in entries {
            let Entry::Rows(rows) = entry else { continue };
            let known = self.state.sources.get(&rows.source).map_or(&[][..], |known| &known.partitions);
            let before = || known.iter().map(|partition| partition.end).sum();
            let total = totals.entry(rows.source.clone()).or_insert_with(before);
            *total = total.saturating_add(rows.to.saturating_sub(rows.from));
        }
        totals
    }

    /// Replay starts with the first checkpoint; later ones have to agree with the state.
    fn checkpoint(&mut self, location: &Location, mut state: LogState) -> Result<(), DurableError> {
        if !self.is_begun {
            self.is_begun = true;
            let mut requests = VecDeque::new();
            for kept in &state.kept {
                let of_file = kept_requests::read(&self.disk, kept)?.into_iter();
                requests.extend(of_file.skip(usize::try_from(kept.n_forgotten).unwrap_or(usize::MAX)));
                self.read.insert(kept.file.path.clone());
            }
            self.n_kept = requests.len();
            requests.append(&mut state.requests);
            state.requests = requests;
            for (name, source) in &state.sources {
                for (input, to) in &source.inputs {
                    self.flushed_inputs.begin(name, input, *to);
                }
                self.chunks.insert(name.clone(), vec![Chunks::default(); source.partitions.len()]);
            }
            let requests = (0u64..).zip(&state.requests);
            let key = |request: &RequestEntry| (request.source.clone(), request.key.clone());
            self.numbers = requests.map(|(number, request)| (key(request), number)).collect();
            self.n_slices =
                state.requests.iter().map(|request| request.accepted.positions.len().max(1)).sum();
            self.state = state;
            self.make_groups();
            return Ok(());
        }
        for (origin, source) in &state.sources {
            let known = self.state.sources.get(origin).map_or(&[][..], |known| &known.partitions);
            for (partition, later) in (0u32..).zip(&source.partitions) {
                let end = known.get(partition as usize).map_or(0, |known| known.end);
                if end < later.end {
                    let problem = format!("a file of the journal before `{}` is missing", location.path);
                    let (origin, from, to) = (origin.clone(), end, later.end);
                    return Err(DurableError::Hole { origin, partition, from, to, problem });
                }
            }
        }
        if self.state.is_stated_by(&state) { Ok(()) } else { Err(contradiction(location, "its checkpoint")) }
    }

    /// Applies an entry without rows.
    fn apply(&mut self, location: &Location, entry: Entry) -> Result<(), DurableError> {
        match entry {
            Entry::Checkpoint(_) | Entry::Rows(_) => {
                return Err(contradiction(location, "a checkpoint or rows"));
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
                    self.forget_one();
                }
                self.make_groups();
            }
            Entry::Kept(kept) => self.keep(location, kept)?,
            Entry::Input(InputEntry { source, input, to }) => {
                let known = self.state.sources.get_mut(&source);
                let known = known.filter(|known| known.inputs.get(&input).is_none_or(|read| *read <= to));
                let known = known.ok_or_else(|| contradiction(location, "what was read of an input"))?;
                known.inputs.insert(input, to);
            }
            Entry::Flushed(flushed) => {
                let known = self.state.sources.get_mut(&flushed.source);
                let known = known.and_then(|source| source.partitions.get_mut(flushed.partition as usize));
                let known =
                    known.filter(|known| known.flushed_to() == flushed.from && flushed.to <= known.end);
                let known = known.ok_or_else(|| contradiction(location, "a flushed file"))?;
                let name = flushed.source.clone();
                known.flushed.push(flushed);
                let known = self.state.sources.get(&name).map_or(&[][..], |known| &known.partitions);
                let flushed_to: Vec<u64> = known.iter().map(PartitionState::flushed_to).collect();
                self.flushed_inputs.flushed(&name, &flushed_to);
            }
        }
        Ok(())
    }

    /// The oldest request is not remembered any more.
    fn forget_one(&mut self) {
        if let Some(first) = self.state.kept.front_mut() {
            self.n_kept -= 1;
            first.n_forgotten += 1;
            if first.n_remembered() == 0 {
                self.obsolete.extend(self.state.kept.pop_front().map(|kept| kept.file.path));
            }
        } else if let Some(first) = self.ready.front() {
            self.n_ready -= 1;
            self.n_ready_forgotten += 1;
            if self.n_ready_forgotten == first.len() {
                self.ready.pop_front();
                self.n_ready_forgotten = 0;
            }
        }
    }

    /// A file holds the oldest requests that no file holds yet.
    fn keep(&mut self, location: &Location, kept: KeptRequests) -> Result<(), DurableError> {
        let n_requests = kept.n_remembered();
        let is_next = kept.n_forgotten == 0 || self.state.kept.is_empty();
        if n_requests == 0 || !is_next || self.n_kept.saturating_add(n_requests) > self.state.requests.len() {
            return Err(contradiction(location, "a file of requests"));
        }
        let is_group = |group: &Group| group.len() as u64 == kept.n_requests;
        if self.ready.front().is_some_and(is_group) && self.n_ready_forgotten as u64 == kept.n_forgotten {
            self.ready.pop_front();
            self.n_ready -= n_requests;
        } else {
            // Groups that were made when the log was opened need not be those that were made before.
            self.ready.clear();
            self.n_ready = 0;
        }
        self.n_ready_forgotten = 0;
        self.n_kept += n_requests;
        self.state.kept.push_back(kept);
        self.make_groups();
        Ok(())
    }

    /// Makes groups of the requests that are in no file and in no group.
    fn make_groups(&mut self) {
        loop {
            let from = self.n_kept + self.n_ready;
            if self.state.requests.len() < from + self.group {
                return;
            }
            self.ready.push_back(self.state.requests.range(from..from + self.group).cloned().collect());
            self.n_ready += self.group;
        }
    }

    fn source(&mut self, entry: SourceEntry) {
        let partitions: Vec<_> = (0..entry.n_partitions).map(|_| PartitionState::default()).collect();
        let empty = || vec![Chunks::default(); partitions.len()];
        self.chunks.entry(entry.name.clone()).or_insert_with(empty);
        let new = || SourceState {
            window: entry.window,
            fields: BTreeMap::new(),
            identity: None,
            windows: Vec::new(),
            inputs: BTreeMap::new(),
            partitions,
        };
        let source = self.state.sources.entry(entry.name).or_insert_with(new);
        source.window = entry.window;
        match source.partitions.iter().all(|partition| partition.end == 0) {
            // Without rows, what was declared before means nothing.
            true => source.fields = entry.fields,
            false => source.fields.extend(entry.fields),
        }
        // A version that does not note the one does not note the other.
        let Some(identity) = entry.identity else { return };
        source.identity = Some(identity);
        if source.windows.last().is_none_or(|last| last.window != entry.window) {
            let from = source.partitions.iter().map(|partition| partition.end).collect();
            source.windows.push(WindowSince { from, window: entry.window });
        }
    }

    /// The request of a source that had a key.
    pub(crate) fn request(&self, source: &str, key: &str) -> Option<&RequestEntry> {
        let number = self.numbers.get(&(source.to_owned(), key.to_owned()))?;
        self.state.requests.get(usize::try_from(number - self.first_number).ok()?)
    }

    /// The remembered requests of a source whose keys begin with a text, oldest first.
    pub(crate) fn requests<'a>(
        &'a self,
        source: &'a str,
        prefix: &'a str,
    ) -> impl Iterator<Item = &'a RequestEntry> {
        self.state
            .requests
            .iter()
            .filter(move |known| known.source == source && known.key.starts_with(prefix))
    }

    /// Adds rows, which have to follow those before them.
    fn rows(&mut self, location: &Location, rows: &RowsEntry, chunk: Chunk) -> Result<(), DurableError> {
        let partition = rows.partition as usize;
        let known =
            self.state.sources.get_mut(&rows.source).and_then(|known| known.partitions.get_mut(partition));
        let chunks = self.chunks.get_mut(&rows.source).and_then(|chunks| chunks.get_mut(partition));
        let (Some(known), Some(chunks)) = (known.filter(|known| known.end == rows.from), chunks) else {
            return Err(contradiction(location, "rows"));
        };
        known.end = rows.to;
        chunks.push(Arc::new(chunk));
        Ok(())
    }

    /// Adds the flushed files, whose positions come before those of the journal, when all frames are applied.
    pub(crate) fn finish(
        mut self,
        disk: &Arc<dyn Disk>,
        open_files: &Arc<OpenFiles>,
    ) -> Result<Self, DurableError> {
        // The journal still has the requests of these files. It will rely on them when it goes on.
        let read = std::mem::take(&mut self.read);
        for kept in self.state.kept.iter().filter(|kept| !read.contains(&kept.file.path)) {
            kept_requests::read(disk, kept)?;
        }
        for (origin, source) in &self.state.sources {
            let Some(chunks) = self.chunks.get_mut(origin) else { continue };
            for ((partition, state), chunks) in (0u32..).zip(&source.partitions).zip(chunks) {
                let chunk = |flushed| flushed_chunk(disk, open_files, flushed).map(Arc::new);
                let mut all: Vec<Arc<Chunk>> = state.flushed.iter().map(chunk).collect::<Result<_, _>>()?;
                all.extend(chunks.from(state.flushed_to()).cloned());
                let mut end = 0;
                let bounds = all.iter().map(|chunk| (chunk.range.from, chunk.range.to));
                for (from, to) in bounds.chain([(state.end, state.end)]) {
                    if from != end {
                        let problem = "no file of the journal holds them".to_owned();
                        let origin = origin.clone();
                        return Err(DurableError::Hole { origin, partition, from: end, to: from, problem });
                    }
                    end = to;
                }
                *chunks = all.into_iter().collect();
            }
        }
        Ok(self)
    }
}

fn contradiction(location: &Location, what: &str) -> DurableError {
    let problem = format!("contradicts the files before it: {what} at byte {} do not follow", location.at);
    DurableError::Foreign { path: location.path.to_string(), problem }
}

/// The chunk of a flushed file, which has to be there and as long as it was.
pub(crate) fn flushed_chunk(
    disk: &Arc<dyn Disk>,
    open_files: &Arc<OpenFiles>,
    flushed: &FlushedEntry,
) -> Result<Chunk, DurableError> {
    let open = |stated: &FlushedFile| {
        let hole = |problem: String| DurableError::Hole {
            origin: flushed.source.clone(),
            partition: flushed.partition,
            from: flushed.from,
            to: flushed.to,
            problem,
        };
        let shown = disk.shown(&stated.path);
        let file = LogFile::new(open_files, disk, &stated.path);
        let opened = file.open().or_else(|error| match error.kind() {
            ErrorKind::NotFound => {
                orphans::put_back(disk, &flushed.source, &stated.path)?;
                file.open()
            }
            _ => Err(error),
        });
        let opened = opened.map_err(|error| match error.kind() {
            ErrorKind::NotFound => hole(format!("`{shown}`: {error}")),
            _ => DurableError::io("opening", shown.clone())(error),
        })?;
        match opened.n_bytes() {
            Ok(n_bytes) if n_bytes == stated.n_bytes => {
                Ok(Arc::new(CheckedFile::new(file, shown.into(), stated.clone())))
            }
            Ok(n_bytes) => {
                Err(hole(format!("`{shown}` has {n_bytes} bytes, where {} were written", stated.n_bytes)))
            }
            Err(error) => Err(DurableError::io("reading the length of", shown)(error)),
        }
    };
    let file = open(&flushed.file)?;
    let exceptions = flushed.exceptions.as_ref().map(open).transpose()?;
    let excluded = exceptions.as_ref().map(rejected::excluded).transpose()?;
    let requests = flushed.requests.as_ref().map(open).transpose()?;
    // Nobody would read it before somebody asks for a frontier.
    requests.as_ref().map(|requests| requests.check()).transpose()?;
    let ends = requests.map_or(RequestEnds::Unknown, RequestEnds::File);
    let range = OffsetRange { from: flushed.from, to: flushed.to };
    Ok(Chunk::of_file(range, excluded.unwrap_or_default(), ends, file, exceptions))
}
