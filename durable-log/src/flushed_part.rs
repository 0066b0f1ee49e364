//! Flushed files of a log, as another process reads them.
//!
//! What is flushed never changes, and verdicts about records are in the files: so an interval of flushed
//! positions can be read by whoever sees the files. The journal stays with its log.

use std::ffi::OsStr;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

use metricc_ir::Source;
use metricc_log::partition::{OffsetRange, Partition};
use metricc_log::{FileStamp, Interval, Log, LogError, RecordDecoder, Slice};
use serde::{Deserialize, Serialize};

use crate::checked_file::CheckedFile;
use crate::chunk::{Body, Chunk};
use crate::disk::{Disk, LocalDisk};
use crate::error::DurableError;
use crate::frame_payload::FlushedFile;
use crate::open_files::{LogFile, OpenFiles};
use crate::partition::DurablePartition;
use crate::rejected;
use crate::request_ends::RequestEnds;
use crate::snapshot::LogSnapshot;

/// A slice of a durable log that lies in flushed files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FlushedPart {
    /// The positions.
    pub slice: Slice,
    /// The files that hold them, in order. The first and the last one may hold more.
    pub files: Vec<FlushedFiles>,
}

/// The flushed files of contiguous positions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FlushedFiles {
    /// The first offset.
    pub from: u64,
    /// The offset after the last one.
    pub to: u64,
    /// The file with the rows.
    pub rows: FileStamp,
    /// The file with the records that are not rows, if there are any.
    pub exceptions: Option<FileStamp>,
}

impl LogSnapshot {
    /// Where another process finds the records of an interval: a part for each of its slices. `disk` is the
    /// one that the log is on.
    ///
    /// # Errors
    /// [`DurableError::Request`] if some of it is not flushed, or the disk is none of this machine.
    pub fn flushed_parts(
        &self,
        disk: &Arc<dyn Disk>,
        source: &str,
        interval: &Interval,
    ) -> Result<Vec<FlushedPart>, DurableError> {
        let part = |slice: Slice| {
            let chunks = self.partitions(source).get(slice.partition as usize).map(|known| &known.chunks);
            let chunks = chunks.into_iter().flat_map(|chunks| chunks.from(slice.from));
            let chunks = chunks.take_while(|chunk| chunk.range.from < slice.to);
            let files = chunks.map(|chunk| flushed_files(disk, chunk)).collect::<Result<_, _>>()?;
            Ok(FlushedPart { slice, files })
        };
        interval.slices().map(part).collect()
    }
}

fn flushed_files(disk: &Arc<dyn Disk>, chunk: &Chunk) -> Result<FlushedFiles, DurableError> {
    let OffsetRange { from, to } = chunk.range;
    let Body::Flushed(flushed) = &chunk.body else {
        let problem = format!("offsets {from} to {to} are in the journal, which stays with its log");
        return Err(DurableError::Request(problem));
    };
    let stamp = |file: &CheckedFile| {
        let FlushedFile { path, n_bytes, checksum } = file.stated();
        let nowhere = || DurableError::Request(format!("`{}` is in no folder of this machine", file.shown));
        let path = disk.local_path(path).ok_or_else(nowhere)?;
        let path =
            std::path::absolute(&path).map_err(DurableError::io("finding", path.display().to_string()))?;
        Ok::<_, DurableError>(FileStamp { path, n_bytes: *n_bytes, checksum: *checksum })
    };
    let (rows, exceptions) = flushed.files();
    Ok(FlushedFiles { from, to, rows: stamp(rows)?, exceptions: exceptions.map(stamp).transpose()? })
}

/// The log of some parts that [`LogSnapshot::flushed_parts`] gave in another process. It has as many
/// partitions as the log that they are of, and only the records of the parts can be read.
///
/// # Errors
/// [`DurableError`] if a file is not readable, or is not the one that is meant.
pub fn open_flushed(
    source: &Arc<Source>,
    n_partitions: usize,
    parts: &[FlushedPart],
) -> Result<Log, DurableError> {
    let decoder = RecordDecoder::new(source)?;
    let name: Arc<str> = source.name.as_str().into();
    let nothing = DurablePartition {
        name,
        decoder: decoder.clone(),
        start: 0,
        end: 0,
        chunks: std::iter::empty().collect(),
    };
    let mut partitions = vec![nothing; n_partitions];
    let open_files = Arc::default();
    for FlushedPart { slice, files } in parts {
        let index = slice.partition as usize;
        let Some(partition) = partitions.get_mut(index) else {
            let problem = format!("there is no partition {index} among {n_partitions}");
            return Err(DurableError::Request(problem));
        };
        let chunks = files.iter().map(|rows| open(&open_files, rows).map(Arc::new));
        (partition.start, partition.end) = (slice.from, slice.to);
        partition.chunks = chunks.collect::<Result<Vec<_>, _>>()?.into_iter().collect();
    }
    let partitions = partitions.into_iter().map(|partition| Arc::new(partition) as Arc<dyn Partition>);
    Ok(Log::of_partitions(&decoder, partitions.collect()))
}

fn open(open_files: &Arc<OpenFiles>, flushed: &FlushedFiles) -> Result<Chunk, DurableError> {
    let open = |FileStamp { path, n_bytes, checksum }: &FileStamp| {
        let shown = path.to_string_lossy();
        let unreadable = |cause| LogError::Unreadable { path: shown.clone().into_owned(), cause };
        let name = path.file_name().and_then(OsStr::to_str);
        let name = name.ok_or_else(|| unreadable(ErrorKind::InvalidFilename.into()))?;
        let folder: Arc<dyn Disk> = Arc::new(LocalDisk::new(path.parent().unwrap_or(Path::new(""))));
        let file = LogFile::new(open_files, &folder, name);
        file.open().map_err(unreadable)?;
        let stated = FlushedFile { path: shown.clone().into_owned(), n_bytes: *n_bytes, checksum: *checksum };
        Ok::<_, DurableError>(Arc::new(CheckedFile::new(file, shown.into(), stated)))
    };
    let exceptions = flushed.exceptions.as_ref().map(open).transpose()?;
    let excluded = exceptions.as_ref().map(rejected::excluded).transpose()?.unwrap_or_default();
    let range = OffsetRange { from: flushed.from, to: flushed.to };
    Ok(Chunk::of_file(range, excluded, RequestEnds::Unknown, open(&flushed.rows)?, exceptions))
}
