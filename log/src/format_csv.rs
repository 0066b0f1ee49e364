//! CSV with a header row: records as rows.
//!
//! A record is read cell by cell in one pass, and each value where it stands. Only where that finds something
//! wrong, or a doubled quote, the record is split into its cells first: a mistake in its form counts before
//! one in a value, and of values that do not decode the one of the first field counts.

use memchr::memchr;
use metricc_ir::text::csv_cells::{UNCLOSED, split_at};

use crate::csv_header::Header;
use crate::decode_value::{Problem, Raw, Reject, scalar};
use crate::read_stats::FieldStats;
use crate::record_decoder::SharedDecoder;
use crate::row_builder::RowBuilder;
use crate::scan::skip_unquoted;

/// Decodes records after the header.
#[derive(Debug)]
pub(crate) struct CsvParser {
    decoder: SharedDecoder,
    header: Header,
    order: Option<CellOrder>,
}

/// The fields in the order of the cells.
#[derive(Debug)]
struct CellOrder {
    /// The field that is read from each cell.
    fields: Vec<Option<usize>>,
    /// The fields that no cell has.
    absent: Vec<usize>,
}

impl CellOrder {
    /// None where several fields are read from one cell, or the delimiter is part of values.
    fn new(header: &Header) -> Option<Self> {
        let mut order = CellOrder { fields: vec![None; header.names.len()], absent: Vec::new() };
        for (field, cell) in header.cells.iter().enumerate() {
            match cell {
                None => order.absent.push(field),
                Some(cell) if order.fields[*cell].is_some() => return None,
                Some(cell) => order.fields[*cell] = Some(field),
            }
        }
        matches!(header.delimiter, b',' | b';' | b'\t' | b'|').then_some(order)
    }
}

impl CsvParser {
    pub(crate) fn new(decoder: &SharedDecoder, header: Header) -> Self {
        CsvParser { decoder: SharedDecoder::clone(decoder), order: CellOrder::new(&header), header }
    }

    /// The names in the header.
    pub(crate) fn names(&self) -> &[String] {
        &self.header.names
    }

    /// Whether the header has each field.
    pub(crate) fn fields_seen(&self) -> Vec<FieldStats> {
        let seen = self.header.cells.iter().zip(&self.decoder.fields);
        let seen = seen.map(|(cell, field)| cell.is_some() || field.is_in_folder);
        seen.map(|seen| FieldStats { seen, parts: Vec::new() }).collect()
    }

    /// Appends the record to the rows; the caller ends it there.
    pub(crate) fn decode(&self, text: &str, unfinished: bool, rows: &mut RowBuilder) -> Result<(), Reject> {
        match &self.order {
            Some(order) if self.in_one_pass(text, order, rows).is_some() => Ok(()),
            _ => {
                rows.undo_record();
                self.by_fields(text, unfinished, rows)
            }
        }
    }

    /// Appends the record cell by cell; none where something is wrong with it.
    fn in_one_pass(&self, text: &str, order: &CellOrder, rows: &mut RowBuilder) -> Option<()> {
        let (bytes, delimiter) = (text.as_bytes(), self.header.delimiter);
        let (mut at, mut is_first) = (0, true);
        for field in &order.fields {
            if !std::mem::take(&mut is_first) {
                if bytes.get(at) != Some(&delimiter) {
                    return None;
                }
                at = at.wrapping_add(1);
            }
            at = match *field {
                Some(field) => self.cell(text, at, field, rows)?,
                None => skip_cell(bytes, at, delimiter)?,
            };
        }
        for &index in &order.absent {
            rows.push_absent(index, &self.decoder.fields[index]).ok()?;
        }
        (at == bytes.len()).then_some(())
    }

    /// Appends the cell that stands at a place. Returns the place behind it.
    #[inline]
    fn cell(&self, text: &str, at: usize, index: usize, rows: &mut RowBuilder) -> Option<usize> {
        let (bytes, delimiter) = (text.as_bytes(), self.header.delimiter);
        let field = &self.decoder.fields[index];
        match bytes.get(at) {
            Some(first) if *first != b'"' && *first != delimiter => {
                let (format, column) = (&field.value.format, &mut rows.columns[index]);
                if let Some(end) = field.value.plain.cell(text, at, delimiter, format, column) {
                    return Some(end);
                }
                let end = skip_cell(bytes, at, delimiter)?;
                let cell = text.get(at..end)?;
                rows.put(index, field, scalar(Raw::Cell(cell), &field.value)).ok()?;
                Some(end)
            }
            Some(b'"') => {
                let end = skip_cell(bytes, at, delimiter)?;
                let cell = text.get(at + 1..end - 1)?;
                let column = &mut rows.columns[index];
                if !field.value.plain.quoted_cell(cell, &field.value.format, column) {
                    rows.put(index, field, scalar(Raw::Cell(cell), &field.value)).ok()?;
                }
                Some(end)
            }
            _ => {
                rows.push_absent(index, field).ok()?;
                Some(at)
            }
        }
    }

    /// Appends the record field by field, once it is known to have all cells.
    fn by_fields(&self, text: &str, unfinished: bool, rows: &mut RowBuilder) -> Result<(), Reject> {
        let in_the_middle = "the file ends in the middle of the record";
        let n_in_header = self.header.names.len();
        let mut cells = Vec::with_capacity(n_in_header);
        split_at(text, self.header.delimiter, &mut cells).map_err(|problem| {
            let ended = unfinished && problem == UNCLOSED;
            let problem = if ended { format!("{in_the_middle}: {problem}") } else { problem.into() };
            Problem::new(problem, text).in_record()
        })?;
        if cells.len() != n_in_header {
            let n_cells = |n: usize| if n == 1 { "1 cell".to_owned() } else { format!("{n} cells") };
            let problem = format!("{} where the header has {}", n_cells(cells.len()), n_in_header);
            let ended = unfinished && cells.len() < n_in_header;
            let problem = if ended { format!("{in_the_middle}: {problem}") } else { problem };
            return Err(Problem::new(problem, text).in_record());
        }
        for (index, (field, cell)) in self.decoder.fields.iter().zip(&self.header.cells).enumerate() {
            let cell = cell.map(|cell| cells[cell]).filter(|cell| !cell.is_none());
            match cell {
                None => rows.push_absent(index, field)?,
                Some(cell) => {
                    let text = cell.text();
                    rows.put(index, field, scalar(Raw::Cell(&text), &field.value))?;
                }
            }
        }
        Ok(())
    }
}

/// The place behind a cell, if it is well formed and has no doubled quote.
#[inline]
fn skip_cell(text: &[u8], at: usize, delimiter: u8) -> Option<usize> {
    let end = match text.get(at) {
        Some(b'"') => {
            let inner = at.wrapping_add(1);
            inner.wrapping_add(memchr(b'"', text.get(inner..)?)?).wrapping_add(1)
        }
        _ => skip_unquoted(text, at, delimiter),
    };
    text.get(end).is_none_or(|next| *next == delimiter).then_some(end)
}

#[cfg(test)]
#[path = "format_csv_tests.rs"]
mod tests;
