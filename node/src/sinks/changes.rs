//! The rows that differ between two answers of one metric.
//!
//! Rows of an answer are sorted by window, then keys, so both are read once, side by side, a piece at a time.
//! Keys and values are compared as bytes of Arrow's row format.

use std::cmp::Ordering;
use std::collections::VecDeque;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array};
use arrow::row::{RowConverter, Rows as RowBytes, SortField};
use metricc_runtime_serve::{AnswerRows, OpenAnswer, Presented, json_lines, record_batch};
use metricc_sinks::{Change, Changes, Rows, SinkError};

/// Groups of a piece.
const PIECE: usize = 4096;

fn refused(error: impl std::fmt::Display) -> SinkError {
    SinkError::Refused(format!("rows cannot be computed: {error}"))
}

/// The rows of an answer that differ from those of an earlier one; all of them without one.
pub(super) struct TableChanges {
    new: Side,
    old: Option<Side>,
    ready: VecDeque<Change>,
    is_bare: bool,
}

impl TableChanges {
    pub(super) fn new(new: OpenAnswer, old: Option<OpenAnswer>) -> Result<Self, SinkError> {
        let outputs = &new.rows.none().row_type.outputs;
        let is_bare = matches!(&outputs[..], [output] if output.name.is_none());
        let old = old.map(|old| Side::new(old.rows)).transpose()?;
        Ok(TableChanges { new: Side::new(new.rows)?, old, ready: VecDeque::new(), is_bare })
    }

    /// Compares what both sides have at hand, up to the end of one of them.
    fn compare(&mut self) -> Result<bool, SinkError> {
        let Some(old) = &mut self.old else { return Ok(false) };
        let (has_new, has_old) = (self.new.fill()?, old.fill()?);
        if !has_new && !has_old {
            return Ok(false);
        }
        let (mut written, mut removed) = (Selected::new(&self.new), Selected::new(old));
        loop {
            match (self.new.key(), old.key()) {
                (Some(new_key), Some(old_key)) => match new_key.cmp(old_key) {
                    Ordering::Less => written.take(&mut self.new),
                    Ordering::Greater => removed.take(old),
                    Ordering::Equal => {
                        if self.new.values() != old.values() {
                            written.select(&self.new);
                        }
                        self.new.at += 1;
                        old.at += 1;
                    }
                },
                (Some(_), None) if !has_old => written.take(&mut self.new),
                (None, Some(_)) if !has_new => removed.take(old),
                _ => break,
            }
        }
        let is_bare = self.is_bare;
        self.ready.extend(written.rows(&self.new, is_bare)?.map(Change::Written));
        self.ready.extend(removed.rows(old, is_bare)?.map(Change::Removed));
        Ok(true)
    }
}

impl Changes for TableChanges {
    fn next(&mut self) -> Result<Option<Change>, SinkError> {
        if self.old.is_none() {
            let piece = loop {
                match self.new.answer.next(PIECE).map_err(refused)? {
                    Some(piece) if piece.n_rows == 0 => {}
                    piece => break piece,
                }
            };
            return piece.map(|piece| Ok(Change::Written(rows(&piece, self.is_bare)?))).transpose();
        }
        while self.ready.is_empty() && self.compare()? {}
        Ok(self.ready.pop_front())
    }
}

fn rows(piece: &Presented, is_bare: bool) -> Result<Rows, SinkError> {
    let columns = record_batch(piece).map_err(refused)?;
    Ok(Rows { columns, json: json_lines(piece).collect(), is_bare })
}

/// One of the two answers.
struct Side {
    answer: AnswerRows,
    piece: Presented,
    encoder: Encoder,
    keys: RowBytes,
    values: RowBytes,
    /// The first row of the piece that was not compared.
    at: usize,
    /// The last key of the piece before.
    last: Vec<u8>,
}

impl Side {
    fn new(answer: AnswerRows) -> Result<Self, SinkError> {
        let piece = answer.none();
        let encoder = Encoder::new(&piece)?;
        let (keys, values) = (encoder.keys(&piece)?, encoder.values(&piece)?);
        Ok(Side { answer, piece, encoder, keys, values, at: 0, last: Vec::new() })
    }

    /// Reads the next piece if the last one is used up. Whether there is a row.
    fn fill(&mut self) -> Result<bool, SinkError> {
        while self.at == self.piece.n_rows {
            let Some(piece) = self.answer.next(PIECE).map_err(refused)? else { return Ok(false) };
            if piece.n_rows == 0 {
                continue;
            }
            (self.keys, self.values) = (self.encoder.keys(&piece)?, self.encoder.values(&piece)?);
            (self.piece, self.at) = (piece, 0);
            self.check_order()?;
        }
        Ok(true)
    }

    /// Reading two answers side by side relies on their order.
    fn check_order(&mut self) -> Result<(), SinkError> {
        let mut last = std::mem::take(&mut self.last);
        for (index, key) in self.keys.iter().enumerate() {
            let key = key.as_ref();
            let is_first = index == 0 && last.is_empty();
            if !is_first && key <= &last[..] {
                let problem = "rows are not sorted by window and keys".to_owned();
                return Err(SinkError::NotComparable(problem));
            }
            last.clear();
            last.extend_from_slice(key);
        }
        self.last = last;
        Ok(())
    }

    fn key(&self) -> Option<&[u8]> {
        (self.at < self.piece.n_rows).then(|| self.keys.row(self.at).data())
    }

    fn values(&self) -> &[u8] {
        self.values.row(self.at).data()
    }
}

/// Rows of a piece that differ.
struct Selected {
    flags: Vec<bool>,
    any: bool,
}

impl Selected {
    fn new(side: &Side) -> Self {
        Selected { flags: vec![false; side.piece.n_rows], any: false }
    }

    fn select(&mut self, side: &Side) {
        self.flags[side.at] = true;
        self.any = true;
    }

    fn take(&mut self, side: &mut Side) {
        self.select(side);
        side.at += 1;
    }

    fn rows(self, side: &Side, is_bare: bool) -> Result<Option<Rows>, SinkError> {
        if !self.any {
            return Ok(None);
        }
        let piece = side.piece.clone().filtered(&self.flags).map_err(refused)?;
        rows(&piece, is_bare).map(Some)
    }
}

/// Rows as bytes that compare as the rows do.
struct Encoder {
    keys: RowConverter,
    values: RowConverter,
}

impl Encoder {
    fn new(piece: &Presented) -> Result<Self, SinkError> {
        let converter = |columns: &[ArrayRef]| {
            let fields = columns.iter().map(|column| SortField::new(column.data_type().clone()));
            RowConverter::new(fields.collect()).map_err(|error| SinkError::NotComparable(error.to_string()))
        };
        Ok(Encoder { keys: converter(&key_columns(piece))?, values: converter(&value_columns(piece))? })
    }

    fn keys(&self, piece: &Presented) -> Result<RowBytes, SinkError> {
        encoded(&self.keys, &key_columns(piece))
    }

    fn values(&self, piece: &Presented) -> Result<RowBytes, SinkError> {
        encoded(&self.values, &value_columns(piece))
    }
}

fn encoded(converter: &RowConverter, columns: &[ArrayRef]) -> Result<RowBytes, SinkError> {
    converter.convert_columns(columns).map_err(|error| SinkError::NotComparable(error.to_string()))
}

/// The constant first column gives a row without keys and window a key.
fn key_columns(piece: &Presented) -> Vec<ArrayRef> {
    let mut columns: Vec<ArrayRef> = vec![Arc::new(Int64Array::from(vec![0; piece.n_rows]))];
    if let Some(windows) = &piece.windows {
        columns.push(Arc::new(Int64Array::from_iter_values(windows.iter().map(|window| window.0))));
        columns.push(Arc::new(Int64Array::from_iter_values(windows.iter().map(|window| window.1))));
    }
    columns.extend(piece.keys.iter().cloned());
    columns
}

/// Outputs, and what could not be computed.
fn value_columns(piece: &Presented) -> Vec<ArrayRef> {
    let none = || Int64Array::new_null(piece.n_rows);
    let overflow =
        piece.overflow.iter().map(|counts| -> ArrayRef { Arc::new(counts.clone().unwrap_or_else(none)) });
    piece.outputs.iter().cloned().chain(overflow).collect()
}
