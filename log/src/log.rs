//! Opening a log, and reading slices of it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;

use arrow::datatypes::SchemaRef;
use metricc_ir::Source;

use crate::duplicates::find;
use crate::event_buffer::EventBuffer;
use crate::file_of_partition::TextPlaces;
use crate::file_store::FileStore;
use crate::files::LogFile;
use crate::folders::resolve;
use crate::format_parquet::ParquetPartition;
use crate::partition::{Duplicates, OffsetRange, Partition, SliceRequest};
use crate::reader::Reader;
use crate::record_decoder::{RecordDecoder, SharedDecoder};
use crate::seen_names::Names;
use crate::text_reader::TextPartition;
use crate::{
    Binding, FileOptions, Format, Frontier, Interval, LogError, Slice, WantedRows, folder_keys,
    interval_splits, node_folder, schema, stored_folders,
};

/// How far opening a log has come. Every file is read once, and once more where the source has an identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Bytes read so far.
    pub bytes_done: u64,
    /// Bytes to be read in all.
    pub bytes_total: u64,
}

/// An immutable log of typed events. Clones share its index; files are opened by each reader.
#[derive(Debug, Clone)]
pub struct Log {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    decoder: SharedDecoder,
    partitions: Vec<Arc<dyn Partition>>,
    duplicates: Vec<Arc<Duplicates>>,
}

impl Log {
    /// Opens the files of a source: counts their records, and finds the duplicates among them if the
    /// source has an identity.
    ///
    /// # Errors
    /// [`LogError`] if there are no files, one is not readable or valid, or does not have the columns
    /// that the source declares. Records that do not decode are no error.
    pub fn open(source: &Arc<Source>, binding: &Binding) -> Result<Log, LogError> {
        Self::open_with_progress(source, binding, &|_| {})
    }

    /// As [`Log::open`]; calls `progress` from time to time.
    ///
    /// # Errors
    /// As [`Log::open`].
    pub fn open_with_progress(
        source: &Arc<Source>,
        binding: &Binding,
        progress: &dyn Fn(Progress),
    ) -> Result<Log, LogError> {
        let decoder = RecordDecoder::new(source)?;
        let files = resolve(binding).map_err(|error| node_folder::explained(error, &binding.path, source))?;
        open_all(decoder, &files, progress, &|files, decoder, advance| {
            files.iter().map(|file| open_file(file.clone(), decoder, None, advance)).collect()
        })
    }

    /// Opens the files of a path in a store, which may be a glob: as [`Log::open_with_progress`] does with files
    /// of this machine. Many are opened at a time, since each waits for its store.
    ///
    /// # Errors
    /// As [`Log::open`].
    pub fn open_stored(
        source: &Arc<Source>,
        store: &Arc<dyn FileStore>,
        path: &str,
        options: &FileOptions,
        progress: &dyn Fn(Progress),
    ) -> Result<Log, LogError> {
        let decoder = RecordDecoder::new(source)?;
        let files = stored_folders::resolve(store, path, options)?;
        open_all(decoder, &files, progress, &open_side_by_side)
    }

    /// The log of partitions that other crates read, such as those of a topic. Finds the duplicates among their
    /// records if the source has an identity.
    ///
    /// # Errors
    /// [`LogError`] if they are not readable.
    pub fn open_partitions(
        decoder: &Arc<RecordDecoder>,
        partitions: Vec<Arc<dyn Partition>>,
        progress: &dyn Fn(Progress),
    ) -> Result<Log, LogError> {
        let n_bytes =
            partitions.iter().fold(0u64, |total, partition| total.saturating_add(partition.n_bytes()));
        let mut done = 0u64;
        let duplicates = find(&partitions, decoder, &mut |n_more| {
            done = done.saturating_add(n_more);
            progress(Progress { bytes_done: done, bytes_total: n_bytes });
        })?;
        Ok(Log::new(decoder.clone(), partitions, duplicates))
    }

    pub(crate) fn new(
        decoder: SharedDecoder,
        partitions: Vec<Arc<dyn Partition>>,
        duplicates: Vec<Arc<Duplicates>>,
    ) -> Log {
        Log { inner: Arc::new(Inner { decoder, partitions, duplicates }) }
    }

    /// The log of events of this process, in the order in which they came, as one partition.
    ///
    /// # Errors
    /// [`LogError::Request`] if there are too many identities.
    pub fn of_events(events: EventBuffer) -> Result<Log, LogError> {
        let (decoder, events) = events.into_parts();
        let partitions: Vec<Arc<dyn Partition>> = vec![Arc::new(events)];
        let duplicates = find(&partitions, &decoder, &mut |_| {})?;
        Ok(Log::new(decoder, partitions, duplicates))
    }

    /// The log of partitions that leave out their duplicates themselves; they are numbered in this order.
    pub fn of_partitions(decoder: &Arc<RecordDecoder>, partitions: Vec<Arc<dyn Partition>>) -> Log {
        let duplicates = partitions.iter().map(|_| Arc::default()).collect();
        Log::new(decoder.clone(), partitions, duplicates)
    }

    /// The source that its events are of.
    pub fn source(&self) -> &Arc<Source> {
        &self.inner.decoder.source
    }

    /// The frontier before the first position of each partition.
    pub fn start(&self) -> Frontier {
        Frontier(self.inner.partitions.iter().map(|partition| partition.start()).collect())
    }

    /// The frontier after the last position of each partition.
    pub fn end(&self) -> Frontier {
        Frontier(self.inner.partitions.iter().map(|partition| partition.end()).collect())
    }

    /// The number of its positions from start to end, those of quarantined and duplicate records counted.
    pub fn n_positions(&self) -> u64 {
        self.end().n_positions().saturating_sub(self.start().n_positions())
    }

    /// The frontier after the first positions in the total order; the end, if there are not so many.
    pub fn frontier_at(&self, n_positions: u64) -> Frontier {
        let mut left = n_positions;
        let offsets = self.start().0.into_iter().zip(self.end().0).map(|(start, end)| {
            let taken = end.saturating_sub(start).min(left);
            left -= taken;
            start + taken
        });
        Frontier(offsets.collect())
    }

    /// The path of each partition, below the root that the binding names.
    pub fn partition_names(&self) -> Vec<String> {
        self.inner.partitions.iter().map(|partition| partition.name().to_owned()).collect()
    }

    /// Whether its partitions are files.
    pub fn is_of_files(&self) -> bool {
        let nothing = OffsetRange { from: 0, to: 0 };
        self.inner.partitions.iter().all(|partition| partition.file(nothing).is_some())
    }

    /// The names of columns and keys that its files have beside declared ones, as far as opening the log has
    /// shown them.
    pub fn names(&self) -> Names {
        let mut all = Names::default();
        for names in self.inner.partitions.iter().filter_map(|partition| partition.column_names()) {
            all.merge(names, usize::MAX);
        }
        all
    }

    /// A partition by its number, and its duplicates.
    pub(crate) fn partition(&self, index: usize) -> Option<(&dyn Partition, &Arc<Duplicates>)> {
        Some((self.inner.partitions.get(index)?.as_ref(), self.inner.duplicates.get(index)?))
    }

    /// The schema of some fields of the source, by ascending indices.
    pub fn schema(&self, columns: &[usize]) -> SchemaRef {
        schema::row_schema(self.source(), columns)
    }

    /// Divides an interval into at most `n` splits of about equal size for parallel reading. Together they
    /// cover it, each position once; none is empty.
    pub fn slices(&self, interval: &Interval, n: usize) -> Vec<Vec<Slice>> {
        interval_splits::divide(&self.inner.partitions, interval, n)
    }

    /// Reads the wanted fields (ascending indices, perhaps none, perhaps the
    /// [position column](crate::position_column) after them) of the accepted records of a slice. A
    /// batch covers at most `batch_rows` positions, and fewer where records are large.
    ///
    /// # Errors
    /// [`LogError`] if the slice or a field is not in the log, or the file was changed or is not readable.
    pub fn read(&self, slice: &Slice, columns: &[usize], batch_rows: usize) -> Result<Reader, LogError> {
        self.read_wanted(slice, columns, &Arc::default(), batch_rows)
    }

    /// As [`Log::read`], for a reader who drops all rows but wanted ones: a batch may be without rows where
    /// none of them is wanted.
    ///
    /// # Errors
    /// As [`Log::read`].
    pub fn read_wanted(
        &self,
        slice: &Slice,
        columns: &[usize],
        wanted: &Arc<WantedRows>,
        batch_rows: usize,
    ) -> Result<Reader, LogError> {
        let request = |problem: String| LogError::Request { problem };
        let index = slice.partition as usize;
        let Some((partition, duplicates)) = self.partition(index) else {
            return Err(request(format!("there is no partition {index}")));
        };
        let (start, end) = (partition.start(), partition.end());
        if slice.from > slice.to || slice.from < start || slice.to > end {
            let (from, to) = (slice.from, slice.to);
            return Err(request(format!(
                "offsets {from} to {to} are not among the {start} to {end} of partition {index}"
            )));
        }
        let n_fields = self.source().fields.len();
        let (fields, has_position) = schema::without_position(self.source(), columns);
        if fields.iter().any(|&column| column >= n_fields) || !columns.is_sorted_by(|a, b| a < b) {
            let problem =
                format!("{columns:?} are not ascending indices of fields of source `{}`", self.source().name);
            return Err(request(problem));
        }
        let read = SliceRequest {
            partition: slice.partition,
            range: OffsetRange { from: slice.from, to: slice.to },
            columns: fields.to_vec(),
            batch_rows: u64::try_from(batch_rows.max(1)).unwrap_or(u64::MAX),
            duplicates: Arc::clone(duplicates),
            wanted: Arc::clone(wanted),
        };
        let reader = (slice.from < slice.to).then(|| partition.read(read)).transpose()?;
        let duplicates = has_position.then(|| Arc::clone(duplicates));
        Ok(Reader::new(slice.partition, self.schema(columns), duplicates, reader))
    }
}

type Partitions = Result<Vec<Arc<dyn Partition>>, LogError>;

/// Opens files as partitions, and says how many bytes of them it has read.
type OpenFiles<'a> = dyn Fn(&[LogFile], &SharedDecoder, &mut dyn FnMut(u64)) -> Partitions + 'a;

/// The log of some files.
fn open_all(
    decoder: SharedDecoder,
    files: &[LogFile],
    progress: &dyn Fn(Progress),
    open: &OpenFiles<'_>,
) -> Result<Log, LogError> {
    let n_bytes = files.iter().fold(0u64, |total, file| total.saturating_add(file.stamp.n_bytes));
    let bytes_total = if decoder.source.identity.is_empty() { n_bytes } else { n_bytes.saturating_mul(2) };
    let mut done = 0u64;
    let mut advance = |n_bytes: u64| {
        done = done.saturating_add(n_bytes).min(bytes_total);
        progress(Progress { bytes_done: done, bytes_total });
    };
    let partitions = open(files, &decoder, &mut advance)?;
    let duplicates = find(&partitions, &decoder, &mut advance)?;
    Ok(Log::new(decoder, partitions, duplicates))
}

/// Files of a store that are opened at a time.
const OPENED_AT_ONCE: usize = 16;

/// Opens files on several threads. The error is that of the first file that has one.
fn open_side_by_side(files: &[LogFile], decoder: &SharedDecoder, advance: &mut dyn FnMut(u64)) -> Partitions {
    let (next, (sender, opened)) = (AtomicUsize::new(0), mpsc::channel());
    let mut partitions: Vec<Option<Arc<dyn Partition>>> = vec![None; files.len()];
    let mut failed: Option<(usize, LogError)> = None;
    thread::scope(|scope| {
        for _ in 0..OPENED_AT_ONCE.min(files.len()) {
            let (sender, next) = (sender.clone(), &next);
            scope.spawn(move || {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(file) = files.get(index) else { return };
                    let mut n_bytes = 0;
                    let partition = open_file(file.clone(), decoder, None, &mut |n_more| n_bytes += n_more);
                    if partition.is_err() {
                        next.store(files.len(), Ordering::Relaxed);
                    }
                    // The receiver lives as long as this scope.
                    let _ = sender.send((index, n_bytes, partition));
                }
            });
        }
        drop(sender);
        for (index, n_bytes, partition) in opened {
            match partition {
                Ok(partition) => partitions[index] = Some(partition),
                Err(error) if failed.as_ref().is_none_or(|(first, _)| index < *first) => {
                    failed = Some((index, error));
                }
                Err(_) => {}
            }
            advance(n_bytes);
        }
    });
    match failed {
        Some((_, error)) => Err(error),
        None => Ok(partitions.into_iter().flatten().collect()),
    }
}

/// Opens a file as a partition. `places` are what another process has noted of it, if it is one of texts.
pub(crate) fn open_file(
    file: LogFile,
    decoder: &SharedDecoder,
    places: Option<&TextPlaces>,
    progress: &mut dyn FnMut(u64),
) -> Result<Arc<dyn Partition>, LogError> {
    let file = file.unpacked(progress)?;
    let decoder = &folder_keys::decoder(decoder, &file.keys, &file.shown)?;
    match file.shape.format {
        Format::Parquet => {
            let partition = ParquetPartition::open(file, decoder)?;
            progress(partition.n_bytes());
            Ok(Arc::new(partition))
        }
        Format::Ndjson | Format::Json | Format::Csv => {
            Ok(Arc::new(TextPartition::open(file, decoder, places, progress)?))
        }
    }
}
