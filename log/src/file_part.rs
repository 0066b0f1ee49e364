//! Parts of a log's files, as another process opens them.
//!
//! A worker on another machine evaluates an interval of a log without the rest of it. It is told which files
//! the interval lies in, where in them to begin, and which of their records are duplicates of records that it
//! does not see. It believes a file only after its checksum.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use metricc_ir::{Slice, Source};
use serde::{Deserialize, Serialize};
use twox_hash::XxHash3_64;

use crate::file_format::Shape;
use crate::file_of_partition::{FileOfPartition, TextPlaces};
use crate::files::LogFile;
use crate::folder_keys::FolderKey;
use crate::log::open_file;
use crate::partition::{Duplicates, OffsetRange, Partition, PartitionReader, SliceRequest};
use crate::record_decoder::RecordDecoder;
use crate::{Format, Interval, Log, LogError};

/// Bytes that are read at once while a checksum is computed.
const READ_BYTES: usize = 1 << 20;

/// A slice of a log that lies in one file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FilePart {
    /// The positions.
    pub slice: Slice,
    /// The file.
    pub file: FileStamp,
    /// Its path below the root that the binding names.
    pub name: String,
    /// Its path in messages, as whoever named the log has written it.
    pub shown: String,
    /// Its format.
    pub format: Format,
    /// The byte between the cells of CSV.
    pub delimiter: u8,
    /// The values that its folders say, by key.
    pub folder_keys: Vec<(String, Option<String>)>,
    /// Where the records of the slice stand, if it is a file of texts.
    pub places: Option<TextPlaces>,
    /// The duplicates among the records of the slice, ascending.
    pub duplicates: Vec<u64>,
    /// Those of them that are conflicts, ascending.
    pub conflicts: Vec<u64>,
}

/// A file, and what tells whether its bytes are the ones that are meant.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileStamp {
    /// The absolute path.
    pub path: PathBuf,
    /// Its length.
    pub n_bytes: u64,
    /// XXH3-64 of its bytes.
    pub checksum: u64,
}

/// Checksums of the files of this process: each is computed once for as long as a file stays as it is.
#[derive(Debug, Default)]
pub struct Checksums {
    known: Mutex<HashMap<PathBuf, (FileState, u64)>>,
}

/// What changes when a file is written or replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
struct FileState {
    device: u64,
    inode: u64,
    n_bytes: u64,
    modified: (i64, i64),
}

impl FileState {
    fn of(metadata: &fs::Metadata) -> Self {
        FileState {
            device: metadata.dev(),
            inode: metadata.ino(),
            n_bytes: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
        }
    }
}

impl Checksums {
    /// The length and the checksum of a file.
    ///
    /// # Errors
    /// If it is not readable.
    pub fn stamp(&self, path: &Path) -> io::Result<FileStamp> {
        let mut file = File::open(path)?;
        let state = FileState::of(&file.metadata()?);
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner).get(path).cloned();
        let checksum = match known {
            Some((known, checksum)) if known == state => checksum,
            _ => {
                let checksum = checksum(&mut file)?;
                let mut all = self.known.lock().unwrap_or_else(PoisonError::into_inner);
                all.insert(path.to_owned(), (state.clone(), checksum));
                checksum
            }
        };
        Ok(FileStamp { path: path.to_owned(), n_bytes: state.n_bytes, checksum })
    }

    fn check(&self, stamp: &FileStamp) -> Result<(), LogError> {
        let shown = stamp.path.to_string_lossy();
        let found = self.stamp(&stamp.path).map_err(|cause| LogError::unreadable(&shown, cause))?;
        if found == *stamp {
            return Ok(());
        }
        Err(LogError::OtherBytes { path: shown.into_owned() })
    }
}

fn checksum(file: &mut File) -> io::Result<u64> {
    let mut hasher = XxHash3_64::new();
    let mut bytes = vec![0; READ_BYTES];
    loop {
        match file.read(&mut bytes) {
            Ok(0) => return Ok(std::hash::Hasher::finish(&hasher)),
            Ok(n_read) => std::hash::Hasher::write(&mut hasher, &bytes[..n_read]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

impl Log {
    /// The log of some parts of files, which [`Log::file_parts`] gave in this process or in another one. It
    /// has as many partitions as the log that they are of, and only the records of the parts are read.
    ///
    /// # Errors
    /// [`LogError`] as [`Log::open`]; [`LogError::OtherBytes`] if a file is not the one that is meant.
    pub fn open_parts(
        source: &Arc<Source>,
        n_partitions: usize,
        parts: &[FilePart],
        checksums: &Checksums,
    ) -> Result<Log, LogError> {
        open(source, n_partitions, parts, checksums)
    }

    /// Where another process finds the records of an interval: a part for each of its slices.
    ///
    /// # Errors
    /// [`LogError::NoFile`] if a part of it is not in a file; [`LogError`] if one is not readable.
    pub fn file_parts(&self, interval: &Interval, checksums: &Checksums) -> Result<Vec<FilePart>, LogError> {
        let part = |slice: Slice| {
            let index = slice.partition as usize;
            let Some((partition, duplicates)) = self.partition(index) else {
                return Err(LogError::Request { problem: format!("there is no partition {index}") });
            };
            let Some(file) = partition.file(OffsetRange { from: slice.from, to: slice.to }) else {
                return Err(LogError::NoFile { name: partition.name().to_owned() });
            };
            part(slice, file, duplicates, checksums)
        };
        interval.slices().map(part).collect()
    }
}

/// A slice that lies in one file: which file, and what is to be left out.
fn part(
    slice: Slice,
    found: FileOfPartition,
    duplicates: &Duplicates,
    checksums: &Checksums,
) -> Result<FilePart, LogError> {
    let FileOfPartition { file, places } = found;
    let Some(path) = file.origin.as_deref() else { return Err(LogError::NoFile { name: file.name }) };
    let unreadable = |cause| LogError::unreadable(&file.shown, cause);
    let path = fs::canonicalize(path).map_err(unreadable)?;
    let stamp = checksums.stamp(&path).map_err(unreadable)?;
    Ok(FilePart {
        slice,
        file: stamp,
        name: file.name.clone(),
        shown: file.shown.to_string(),
        format: file.shape.format,
        delimiter: file.shape.delimiter,
        folder_keys: file.keys.iter().map(|key| (key.name.clone(), key.value.clone())).collect(),
        places,
        duplicates: duplicates.within(slice.from, slice.to).to_vec(),
        conflicts: duplicates.conflicts_within(slice.from, slice.to).to_vec(),
    })
}

/// The log of some parts: it has the partitions of the whole log, and is read within the parts alone.
fn open(
    source: &Arc<Source>,
    n_partitions: usize,
    parts: &[FilePart],
    checksums: &Checksums,
) -> Result<Log, LogError> {
    let decoder = RecordDecoder::new(source)?;
    let mut partitions: Vec<Arc<dyn Partition>> = Vec::with_capacity(n_partitions);
    partitions.resize_with(n_partitions, || Arc::new(NotHere));
    let mut duplicates: Vec<Arc<Duplicates>> = vec![Arc::default(); n_partitions];
    for part in parts {
        let index = part.slice.partition as usize;
        let (Some(partition), Some(left_out)) = (partitions.get_mut(index), duplicates.get_mut(index)) else {
            let problem = format!("there is no partition {index} among {n_partitions}");
            return Err(LogError::Request { problem });
        };
        checksums.check(&part.file)?;
        let shape = Shape { format: part.format, delimiter: part.delimiter };
        let mut file = LogFile::of_path(part.file.path.clone(), part.name.clone(), shape)?;
        file.shown = part.shown.as_str().into();
        let keys = part.folder_keys.iter().cloned();
        file.keys = keys.map(|(name, value)| FolderKey { name, value }).collect();
        *partition = open_file(file, &decoder, part.places.as_ref(), &mut |_| {})?;
        *left_out =
            Arc::new(Duplicates { offsets: part.duplicates.clone(), conflicts: part.conflicts.clone() });
    }
    Ok(Log::new(decoder, partitions, duplicates))
}

/// A partition of which this process has no records.
#[derive(Debug)]
struct NotHere;

impl Partition for NotHere {
    fn name(&self) -> &'static str {
        "a partition that is not here"
    }

    fn end(&self) -> u64 {
        0
    }

    fn nearest_start(&self, offset: u64) -> u64 {
        offset
    }

    fn read(&self, request: SliceRequest) -> Result<Box<dyn PartitionReader>, LogError> {
        let OffsetRange { from, to } = request.range;
        let problem = format!("offsets {from} to {to} of partition {} are not here", request.partition);
        Err(LogError::Request { problem })
    }
}
