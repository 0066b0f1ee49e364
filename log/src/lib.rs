//! The log: a file, a folder or a glob of Parquet, NDJSON or CSV read as an immutable log of typed events.
//!
//! A raw record becomes a typed row here, once, by one strict decoder; both engines read only the
//! typed rows, so no rule about numbers, times or text can differ between them.
//!
//! - A **partition** is a file, or whatever else implements [`Partition`](partition::Partition); files are
//!   numbered in the byte order of their paths.
//! - An **offset** is the number of a record in its file, counted over all records, so that a position
//!   names one record for ever. A [`Frontier`] is one offset per partition, an [`Interval`] lies between two.
//! - A record that does not decode is **quarantined**: counted, reported with its position and its reason,
//!   and never part of any answer.
//! - Where the source has an identity, the first position with it wins; later ones are **duplicates**
//!   and are not yielded, whatever interval is read.
//!
//! Invariants:
//! - What is quarantined and what is a duplicate depends on the files and the source alone: not on the
//!   columns that are read, nor on batches, slices or cuts.
//! - No input makes this crate panic; a panic inside the Parquet library is caught and reported.
//! - The memory of a reader is bounded by its batch.
//!
//! ```
//! use std::sync::Arc;
//! use metricc_ir::{Field, Kind, Source, Type};
//! use metricc_log::{Binding, Interval, Log};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let folder = tempfile::tempdir()?;
//! let path = folder.path().join("clicks.ndjson");
//! std::fs::write(&path, "{\"at\":\"2026-04-25T10:00:00Z\"}\n{\"at\":\"yesterday\"}\n")?;
//! let at = Field::new("at", Type::of(Kind::Timestamp));
//! let source = Arc::new(Source {
//!     name: "clicks".into(), doc: String::new(), fields: vec![at], time: 0, identity: vec![],
//! });
//!
//! let log = Log::open(&source, &Binding::new(path.to_string_lossy()))?;
//! let all = Interval::new(log.start(), log.end())?;
//! for slice in log.slices(&all, 4).into_iter().flatten() {
//!     for batch in log.read(&slice, &[0], 8192)? {
//!         let batch = batch?;
//!         println!("{} rows, {} quarantined", batch.rows.num_rows(), batch.read_stats.n_quarantined);
//!     }
//! }
//! # Ok(())
//! # }
//! ```

mod absent_fields;
mod body;
mod body_columns;
mod body_format;
mod canonical_row;
mod column_builder;
mod content_kind;
mod csv_header;
mod csv_splitter;
mod decode_value;
mod decompress;
pub mod duplicates;
mod error;
mod event_buffer;
mod events;
mod field_decoder;
mod file_format;
mod file_of_partition;
mod file_part;
mod file_requests;
mod file_store;
mod files;
mod folder_keys;
mod folders;
mod format_csv;
mod format_ndjson;
mod format_parquet;
mod interval_splits;
mod json_cursor;
mod json_escapes;
mod json_keys;
mod json_object;
mod json_splitter;
mod known_requests;
mod lake_table;
mod log;
mod node_folder;
mod none_values;
mod older_rows;
mod open_file;
mod ordered_read;
mod page_buffers;
pub mod partition;
mod plain_value;
mod raw_records;
mod read_stats;
mod reader;
mod record_decoder;
mod record_splitter;
mod rejections;
mod row_builder;
mod scan;
mod schema;
mod seen_names;
mod stored_folders;
mod text_batch;
mod text_reader;
mod time_slice;
mod wanted_rows;
mod wrapped_arrays;

pub use absent_fields::{AbsentField, AbsentValue, absent_fields, undeclared_names};
pub use body::EventDecoder;
pub use body_format::{BodyFormat, MediaTypeError};
pub use error::LogError;
pub use event_buffer::EventBuffer;
pub use events::{BodyError, BodyLimits, Events, Rejected};
pub use file_format::{Binding, FileOptions, Format};
pub use file_of_partition::{FileOfPartition, TextPlaces};
pub use file_part::{Checksums, FilePart, FileStamp};
pub use file_requests::{FILE_RECORDS, FileRequest, FileRequests};
pub use file_store::{FileStore, StoredFile};
pub use format_parquet::ParquetPartition;
pub use log::{Log, Progress};
pub use metricc_ir::{Frontier, Interval, Position, Slice};
pub use none_values::{NoneReason, NoneValues};
pub use open_file::{OpenFile, ReadAt, SequentialReader};
pub use raw_records::{RawRecord, RawRecords, RecordForm, RecordKind};
pub use read_stats::{FieldStats, MAX_QUARANTINED_KEPT, ReadStats};
pub use reader::{Batch, Reader};
pub use record_decoder::{RecordDecoder, parse_value};
pub use record_splitter::MAX_RECORD_BYTES;
pub use rejections::{MAX_GROUPS, Quarantined, RejectionGroup, Rejections};
pub use schema::{POSITION_TYPE, arrow_type, position_column, row_schema};
pub use seen_names::Names;
pub use time_slice::{enable_time_slices, thread_time, yield_if_due};
pub use wanted_rows::{Bound, FieldCondition, ValueRange, WantedRows};
