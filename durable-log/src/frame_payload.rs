//! The payload of a frame: a head in JSON, and the bytes that the head points to.
//!
//! `n (u32, little-endian) · head (n bytes of JSON) · blobs`. Blobs are rows as Arrow IPC streams and records
//! as they came; their positions are counted from the end of the head.

use std::collections::{BTreeMap, VecDeque};
use std::io::Cursor;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::StreamWriter;
use serde::{Deserialize, Serialize};
use twox_hash::XxHash3_64;

use crate::dedup_index::DedupWindow;
use crate::duplicate_key::{DuplicateKey, WindowSince};
use crate::error::DurableError;
use crate::journal::Location;
use crate::recent_rows::FrameRows;
use crate::request::Accepted;
use crate::request_end::RequestEnd;

/// A statement of a frame.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Entry {
    /// The state after all frames before it, without rows that are not flushed.
    Checkpoint(LogState),
    /// The log was opened again.
    Epoch(Epoch),
    /// A source, as it is from now on.
    Source(SourceEntry),
    /// Records of one partition, contiguous.
    Rows(RowsEntry),
    /// A request that was taken.
    Request(RequestEntry),
    /// How far an input has been read.
    Input(InputEntry),
    /// A file holds the oldest requests that no file holds yet.
    Kept(KeptRequests),
    /// A file holds the rows of some positions from now on.
    #[serde(rename = "sealed")]
    Flushed(FlushedEntry),
}

/// A source whose events come from now on.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SourceEntry {
    pub(crate) name: String,
    pub(crate) n_partitions: u32,
    #[serde(rename = "horizon")]
    pub(crate) window: DedupWindow,
    pub(crate) fields: BTreeMap<String, FieldState>,
    /// The fields by which its events are told apart; `None` if this was written before they were noted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) identity: Option<Vec<String>>,
}

/// Bytes after the head.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Blob {
    pub(crate) at: u64,
    pub(crate) n_bytes: u64,
}

/// Positions of one partition and what became of the records there.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RowsEntry {
    pub(crate) source: String,
    pub(crate) partition: u32,
    pub(crate) from: u64,
    pub(crate) to: u64,
    /// Offsets of the duplicates.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) duplicates: Vec<u64>,
    /// Offsets of those whose payload differs from that of the first event.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) conflicts: Vec<u64>,
    /// What is kept of each of the duplicates, in their order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) duplicate_keys: Vec<DuplicateKey>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) quarantined: Vec<QuarantinedEntry>,
    /// The accepted rows, if there are any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) rows: Option<Blob>,
    /// XXH3-64 of the accepted rows' bytes.
    pub(crate) checksum: u64,
    /// The ends of the requests that it holds records of. Without them, it is of one request, which is all
    /// that the frame has of the source.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) requests: Vec<RequestEnd>,
}

/// A record that did not decode.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct QuarantinedEntry {
    pub(crate) offset: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) field: Option<String>,
    pub(crate) problem: String,
    pub(crate) excerpt: String,
    pub(crate) raw: Blob,
}

/// A request, so that it is known when it comes again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RequestEntry {
    pub(crate) source: String,
    pub(crate) key: String,
    /// A digest of its content.
    pub(crate) digest: u64,
    pub(crate) accepted: Accepted,
}

/// How far an input of a source has been read: its events up to there are in this frame and those before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct InputEntry {
    pub(crate) source: String,
    pub(crate) input: String,
    pub(crate) to: u64,
}

/// A file with the rows of some positions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FlushedEntry {
    pub(crate) source: String,
    pub(crate) partition: u32,
    pub(crate) from: u64,
    pub(crate) to: u64,
    pub(crate) n_rows: u64,
    /// The latest event time of its rows, in µs; `None` if it has no rows, or was written before this was
    /// noted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) last_time: Option<i64>,
    pub(crate) file: FlushedFile,
    /// The records that are not rows, if there are any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) exceptions: Option<FlushedFile>,
    /// The ends of its requests; `None` if it was written before these were noted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) requests: Option<FlushedFile>,
}

impl FlushedEntry {
    /// All of its files.
    pub(crate) fn files(&self) -> impl Iterator<Item = &FlushedFile> {
        std::iter::once(&self.file).chain(&self.exceptions).chain(&self.requests)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FlushedFile {
    pub(crate) path: String,
    pub(crate) n_bytes: u64,
    /// XXH3-64 of its bytes.
    pub(crate) checksum: u64,
}

/// A file with requests that the log remembers, one after the other: see
/// [`kept_requests`](crate::kept_requests).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct KeptRequests {
    pub(crate) n_requests: u64,
    /// The first ones, which are not remembered any more; of the first file alone.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) n_forgotten: u64,
    pub(crate) file: FlushedFile,
}

impl KeptRequests {
    /// How many of its requests are remembered.
    pub(crate) fn n_remembered(&self) -> usize {
        usize::try_from(self.n_requests.saturating_sub(self.n_forgotten)).unwrap_or(usize::MAX)
    }
}

/// The time between two openings of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Epoch {
    /// Random, so that the writes of two logs with one past can be distinguished.
    pub(crate) id: String,
    /// The end of each source when it began.
    pub(crate) from: BTreeMap<String, Vec<u64>>,
    /// Whether it began without events that the log had lost: their offsets are given out again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) is_after_loss: bool,
}

/// The state of a log, without rows that are not flushed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LogState {
    pub(crate) epochs: Vec<Epoch>,
    pub(crate) sources: BTreeMap<String, SourceState>,
    /// The last requests with a key, oldest first. In a checkpoint, those that are in no file.
    pub(crate) requests: VecDeque<RequestEntry>,
    /// The files with the oldest of them.
    #[serde(default, skip_serializing_if = "VecDeque::is_empty")]
    pub(crate) kept: VecDeque<KeptRequests>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl LogState {
    /// How many of the requests are in files.
    pub(crate) fn n_kept(&self) -> usize {
        self.kept.iter().map(KeptRequests::n_remembered).sum()
    }

    /// Whether a checkpoint states this state.
    pub(crate) fn is_stated_by(&self, checkpoint: &LogState) -> bool {
        let LogState { epochs, sources, requests, kept } = checkpoint;
        (epochs, sources, kept) == (&self.epochs, &self.sources, &self.kept)
            && requests.iter().eq(self.requests.iter().skip(self.n_kept()))
    }
}

/// The payload of a checkpoint: the state, with the requests that no file has.
pub(crate) fn checkpoint(state: &LogState) -> Result<Vec<u8>, DurableError> {
    #[derive(Serialize)]
    struct Stated<'a> {
        epochs: &'a [Epoch],
        sources: &'a BTreeMap<String, SourceState>,
        requests: Rest<'a>,
        #[serde(skip_serializing_if = "VecDeque::is_empty")]
        kept: &'a VecDeque<KeptRequests>,
    }
    struct Rest<'a>(&'a LogState);
    impl Serialize for Rest<'_> {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.collect_seq(self.0.requests.iter().skip(self.0.n_kept()))
        }
    }
    #[derive(Serialize)]
    #[serde(rename_all = "snake_case")]
    enum Stating<'a> {
        Checkpoint(Stated<'a>),
    }
    let LogState { epochs, sources, kept, .. } = state;
    let requests = Rest(state);
    head(&[Stating::Checkpoint(Stated { epochs, sources, requests, kept })])
}

/// The head of a payload with its length.
fn head(entries: &impl Serialize) -> Result<Vec<u8>, DurableError> {
    let mut bytes = vec![0; 4];
    serde_json::to_writer(&mut bytes, entries)?;
    let n_head = (bytes.len() - 4) as u32;
    bytes[..4].copy_from_slice(&n_head.to_le_bytes());
    Ok(bytes)
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SourceState {
    /// For how long identities are remembered.
    #[serde(rename = "horizon")]
    pub(crate) window: DedupWindow,
    /// All fields that it has had.
    pub(crate) fields: BTreeMap<String, FieldState>,
    /// The fields by which its events are told apart, once they are known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) identity: Option<Vec<String>>,
    /// All windows that it has had since this is noted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) windows: Vec<WindowSince>,
    /// How far each of its inputs has been read.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) inputs: BTreeMap<String, u64>,
    pub(crate) partitions: Vec<PartitionState>,
}

/// A field, as rows have it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FieldState {
    /// Its type, as the language writes it; of an enum, only that it is one.
    #[serde(rename = "type")]
    pub(crate) ty: String,
    /// The names of an enum, in their order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) names: Vec<String>,
    pub(crate) optional: bool,
    /// Whether rows came in while the source did not declare it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) was_gone: bool,
    /// Whether the source does not declare it now.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) is_gone: bool,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PartitionState {
    /// The offset after the last record.
    pub(crate) end: u64,
    /// In order, from the first record on without a gap.
    #[serde(rename = "sealed")]
    pub(crate) flushed: Vec<FlushedEntry>,
}

impl PartitionState {
    /// The offset after the last record that is flushed.
    pub(crate) fn flushed_to(&self) -> u64 {
        self.flushed.last().map_or(0, |flushed| flushed.to)
    }
}

/// A payload under construction.
#[derive(Debug, Default)]
pub(crate) struct Payload {
    entries: Vec<Entry>,
    blobs: Vec<u8>,
    rows: FrameRows<RecordBatch>,
}

impl Payload {
    pub(crate) fn push(&mut self, entry: Entry) {
        self.entries.push(entry);
    }

    pub(crate) fn blob(&mut self, bytes: &[u8]) -> Blob {
        let at = self.blobs.len() as u64;
        self.blobs.extend_from_slice(bytes);
        Blob { at, n_bytes: bytes.len() as u64 }
    }

    /// Adds rows of a partition as an Arrow IPC stream, and returns where it is and its checksum.
    pub(crate) fn rows(
        &mut self,
        source: &str,
        partition: u32,
        rows: RecordBatch,
    ) -> Result<(Blob, u64), ArrowError> {
        let at = self.blobs.len();
        let mut writer = StreamWriter::try_new(&mut self.blobs, &rows.schema())?;
        writer.write(&rows)?;
        writer.finish()?;
        drop(writer);
        let bytes = &self.blobs[at..];
        let blob = Blob { at: at as u64, n_bytes: bytes.len() as u64 };
        let checksum = XxHash3_64::oneshot(bytes);
        self.rows.insert((source.to_owned(), partition), rows);
        Ok((blob, checksum))
    }

    /// The rows that were added.
    pub(crate) fn into_rows(self) -> FrameRows<RecordBatch> {
        self.rows
    }

    /// The bytes, and where in them the blobs start.
    pub(crate) fn to_bytes(&self) -> Result<(Vec<u8>, u64), DurableError> {
        let mut bytes = head(&self.entries)?;
        let start = bytes.len() as u64;
        bytes.extend_from_slice(&self.blobs);
        Ok((bytes, start))
    }
}

/// The entries of a payload, and where its blobs start.
pub(crate) fn parse(location: &Location, payload: &[u8]) -> Result<(Vec<Entry>, u64), DurableError> {
    let foreign = |problem: String| DurableError::Foreign { path: location.path.to_string(), problem };
    let parsed = payload.split_first_chunk::<4>().and_then(|(n_head, rest)| {
        let n_head = u32::from_le_bytes(*n_head) as usize;
        Some((rest.get(..n_head)?, 4 + n_head as u64))
    });
    let (head, start) = parsed.ok_or_else(|| foreign("holds a frame without a head".to_owned()))?;
    let entries = serde_json::from_slice(head)
        .map_err(|error| foreign(format!("holds an entry that this version does not know: {error}")))?;
    Ok((entries, start))
}

/// The rows of an Arrow IPC stream; of the fields of `wanted` those that it has, by their names.
pub(crate) fn read_rows(bytes: Vec<u8>, wanted: &SchemaRef) -> Result<Option<RecordBatch>, ArrowError> {
    let schema = StreamReader::try_new(Cursor::new(&bytes), None)?.schema();
    let is_wanted =
        |(_, field): &(usize, &Arc<arrow::datatypes::Field>)| wanted.index_of(field.name()).is_ok();
    let projection = schema.fields().iter().enumerate().filter(is_wanted).map(|(index, _)| index).collect();
    let mut reader = StreamReader::try_new(Cursor::new(bytes), Some(projection))?;
    reader.next().transpose()
}
