//! Writes the rows of a metric in a format, piece by piece: the bytes are those of all rows in one piece.

use std::collections::VecDeque;
use std::io::{self, Write};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::ipc::writer::StreamWriter;

use crate::export::{ARROW_ROWS, csv_header, csv_rows, record_batch, with_overflow};
use crate::json_rows::write_json_lines;
use crate::overflow::OverflowSum;
use crate::{Presented, RowPieces, ServeError};

/// Rows whose text is made at a time.
const TEXT_ROWS: usize = 4096;

/// Why rows could not be written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// A piece of them could not be read.
    #[error(transparent)]
    Rows(#[from] ServeError),
    /// They do not have the format.
    #[error(transparent)]
    Format(#[from] ArrowError),
    /// What they are written to does not take them.
    #[error(transparent)]
    Output(#[from] io::Error),
}

/// One JSON object per row and line.
///
/// # Errors
/// [`WriteError`]; what was written before is incomplete.
pub fn write_json(rows: &RowPieces<'_>, out: &mut dyn Write) -> Result<OverflowSum, WriteError> {
    let mut overflow = OverflowSum::default();
    for piece in rows.pieces() {
        let piece = piece?;
        overflow.add(&piece);
        write_json_lines(&piece, out)?;
    }
    Ok(overflow)
}

/// As [`csv`](crate::csv).
///
/// # Errors
/// [`WriteError`]; what was written before is incomplete.
pub fn write_csv(rows: &RowPieces<'_>, out: &mut dyn Write) -> Result<OverflowSum, WriteError> {
    let mut overflow = OverflowSum::default();
    out.write_all(csv_header(&rows.none())?.as_bytes())?;
    let mut text = Vec::new();
    for piece in rows.pieces() {
        let piece = piece?;
        overflow.add(&piece);
        for first in (0..piece.n_rows).step_by(TEXT_ROWS) {
            text.clear();
            csv_rows(&piece.slice(first, TEXT_ROWS.min(piece.n_rows - first)), &mut text);
            out.write_all(&text)?;
        }
    }
    Ok(overflow)
}

/// As [`arrow_stream`](crate::arrow_stream).
///
/// # Errors
/// [`WriteError`]; what was written before is incomplete.
pub fn write_arrow_stream(rows: &RowPieces<'_>, out: &mut dyn Write) -> Result<OverflowSum, WriteError> {
    let (schema, overflow) = typed_schema(rows)?;
    let mut writer = StreamWriter::try_new(Vec::new(), &schema)?;
    for batch in typed_batches(rows, schema) {
        writer.write(&batch?)?;
        out.write_all(writer.get_ref())?;
        writer.get_mut().clear();
    }
    writer.finish()?;
    out.write_all(writer.get_ref())?;
    Ok(overflow)
}

/// The schema of [`record_batch`] for all rows, and what could not be computed, which it says.
///
/// # Errors
/// [`WriteError`] of a piece, or if two columns would have one name.
pub fn typed_schema(rows: &RowPieces<'_>) -> Result<(SchemaRef, OverflowSum), WriteError> {
    let overflow = rows.overflow()?;
    let schema = record_batch(&rows.none())?.schema();
    Ok((with_overflow(&schema, overflow.json(rows.row_type())), overflow))
}

/// The rows as batches of this schema, of 65,536 rows; one of none if there are no rows.
pub fn typed_batches(
    rows: &RowPieces<'_>,
    schema: SchemaRef,
) -> impl Iterator<Item = Result<RecordBatch, WriteError>> {
    let mut batches = rows.batches(ARROW_ROWS).peekable();
    let none = batches.peek().is_none().then(|| Ok(rows.none()));
    none.into_iter().chain(batches).map(move |batch| {
        let batch = record_batch(&batch?)?;
        Ok(RecordBatch::try_new(schema.clone(), batch.columns().to_vec())?)
    })
}

/// Pieces that wait to be given out in batches of another number of rows.
#[derive(Debug, Default)]
pub(crate) struct Waiting {
    pieces: VecDeque<Presented>,
    /// Rows of the first piece that were given out.
    n_given: usize,
    n_rows: usize,
}

impl Waiting {
    pub(crate) fn push(&mut self, piece: Presented) {
        if piece.n_rows > 0 {
            self.n_rows += piece.n_rows;
            self.pieces.push_back(piece);
        }
    }

    /// The rows that wait.
    pub(crate) fn n_rows(&self) -> usize {
        self.n_rows
    }

    /// The first rows: so many, of those that wait.
    ///
    /// # Errors
    /// If the pieces are not of the same types, or there are no such rows.
    pub(crate) fn take(&mut self, n_rows: usize) -> Result<Presented, ServeError> {
        let (mut parts, mut n_left) = (Vec::new(), n_rows);
        while n_left > 0
            && let Some(first) = self.pieces.front()
        {
            let n_taken = n_left.min(first.n_rows - self.n_given);
            parts.push(first.slice(self.n_given, n_taken));
            (n_left, self.n_given, self.n_rows) =
                (n_left - n_taken, self.n_given + n_taken, self.n_rows - n_taken);
            if self.n_given == first.n_rows {
                self.pieces.pop_front();
                self.n_given = 0;
            }
        }
        match <[Presented; 1]>::try_from(parts) {
            Ok([only]) => Ok(only),
            Err(parts) => Presented::concat(&parts),
        }
    }
}
