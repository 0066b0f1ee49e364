//! Rows of Parquet as the bodies of requests: Arrow IPC streams.

use std::collections::VecDeque;

use arrow::array::RecordBatch;
use arrow::ipc::writer::StreamWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReader;

use super::{Body, malformed};
use crate::LogError;
use crate::known_requests::KnownRequests;

/// The next rows as an Arrow IPC stream: those that the log knows, or else in halves until they are short
/// enough.
pub(super) fn next_batch(
    path: &str,
    (first, known): (u64, &KnownRequests),
    batches: &mut ParquetRecordBatchReader,
    cut: &mut VecDeque<RecordBatch>,
    max_bytes: usize,
) -> Result<Option<Body>, LogError> {
    let broken = |error: arrow::error::ArrowError| malformed(path, error.to_string());
    if cut.is_empty()
        && let Some(batch) = batches.next()
    {
        cut.push_back(batch.map_err(broken)?);
    }
    loop {
        let Some(batch) = cut.pop_front() else { return Ok(None) };
        let n_rows = batch.num_rows();
        let n_known = known.at(first, |n_records| {
            let n_known = usize::try_from(n_records).ok().filter(|n| (1..=n_rows).contains(n))?;
            ipc_stream(&batch.slice(0, n_known)).ok()
        });
        if let Some((n_records, body)) = n_known {
            let n_known = n_records as usize;
            if n_known < n_rows {
                cut.push_front(batch.slice(n_known, n_rows - n_known));
            }
            return Ok(Some(Body {
                body,
                lines: Vec::new(),
                n_records,
                is_known: true,
                is_unfinished: false,
            }));
        }
        let body = ipc_stream(&batch).map_err(broken)?;
        if body.len() <= max_bytes || n_rows <= 1 {
            return Ok(Some(Body {
                body,
                lines: Vec::new(),
                n_records: n_rows as u64,
                is_known: false,
                is_unfinished: false,
            }));
        }
        cut.push_front(batch.slice(n_rows / 2, n_rows - n_rows / 2));
        cut.push_front(batch.slice(0, n_rows / 2));
    }
}

fn ipc_stream(batch: &RecordBatch) -> Result<Vec<u8>, arrow::error::ArrowError> {
    let mut writer = StreamWriter::try_new(Vec::new(), &batch.schema())?;
    writer.write(batch)?;
    writer.finish()?;
    writer.into_inner()
}
