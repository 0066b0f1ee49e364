//! CSV with a header row: records as rows.

use metricc_ir::text::csv::{UNCLOSED, split};

use crate::LogError;
use crate::decode::{Problem, Raw, Reject, Rows, SharedDecoder, scalar};
use crate::files::LogFile;
use crate::record_decoder::{RecordDecoder, ValueFormat};

/// Where the fields of a source stand in the records of a file.
#[derive(Debug, Clone)]
pub(crate) struct Header {
    /// The cell of each field; `None` for one that may be absent and is.
    cells: Vec<Option<usize>>,
    n_cells: usize,
}

impl Header {
    pub(crate) fn read(file: &LogFile, decoder: &RecordDecoder, record: &[u8]) -> Result<Self, LogError> {
        Header::parse(&file.shown, decoder, record)
    }

    /// Reads a header; `origin` names the file or request in messages.
    pub(crate) fn parse(origin: &str, decoder: &RecordDecoder, record: &[u8]) -> Result<Self, LogError> {
        let malformed =
            |problem: String| LogError::Malformed { path: origin.to_owned(), format: "CSV", problem };
        let text =
            std::str::from_utf8(record).map_err(|_| malformed("its header is no UTF-8 text".into()))?;
        let mut cells = Vec::new();
        split(text, &mut cells).map_err(|problem| malformed(format!("in its header: {problem}")))?;
        let names: Vec<_> = cells.iter().map(|cell| cell.text().into_owned()).collect();
        let cells = decoder.fields.iter().map(|field| {
            if let ValueFormat::List(_) = field.value.format {
                return Err(LogError::ColumnType {
                    path: origin.into(),
                    column: field.name.as_str().into(),
                    origin: decoder.source.name.as_str().into(),
                    found: "text".into(),
                    expected: field.value.ty.to_string().into(),
                    help: "CSV has no lists: use NDJSON or Parquet".into(),
                });
            }
            let mut found =
                names.iter().enumerate().filter(|(_, name)| **name == field.name).map(|(index, _)| index);
            match (found.next(), found.next()) {
                (Some(_), Some(_)) => {
                    Err(LogError::RepeatedColumn { path: origin.to_owned(), column: field.name.clone() })
                }
                (None, _) if !field.may_be_absent() => {
                    Err(LogError::missing_column(origin, &decoder.source.name, &field.name, names.clone()))
                }
                (index, _) => Ok(index),
            }
        });
        Ok(Header { cells: cells.collect::<Result<_, _>>()?, n_cells: names.len() })
    }
}

/// Decodes records after the header.
#[derive(Debug)]
pub(crate) struct CsvParser {
    decoder: SharedDecoder,
    header: Header,
}

impl CsvParser {
    pub(crate) fn new(decoder: &SharedDecoder, header: Header) -> Self {
        CsvParser { decoder: SharedDecoder::clone(decoder), header }
    }

    /// Appends the record to the rows; the caller ends it there.
    pub(crate) fn decode(&self, text: &str, unfinished: bool, rows: &mut Rows) -> Result<(), Reject> {
        let in_the_middle = "the file ends in the middle of the record";
        let mut cells = Vec::with_capacity(self.header.n_cells);
        split(text, &mut cells).map_err(|problem| {
            let ended = unfinished && problem == UNCLOSED;
            let problem = if ended { format!("{in_the_middle}: {problem}") } else { problem.into() };
            Problem::new(problem, text).in_record()
        })?;
        if cells.len() != self.header.n_cells {
            let n_cells = |n: usize| if n == 1 { "1 cell".to_owned() } else { format!("{n} cells") };
            let problem = format!("{} where the header has {}", n_cells(cells.len()), self.header.n_cells);
            let ended = unfinished && cells.len() < self.header.n_cells;
            let problem = if ended { format!("{in_the_middle}: {problem}") } else { problem };
            return Err(Problem::new(problem, text).in_record());
        }
        for (index, (field, cell)) in self.decoder.fields.iter().zip(&self.header.cells).enumerate() {
            let cell = cell.map(|cell| cells[cell]).filter(|cell| !cell.is_none());
            match cell {
                None => rows.push_absent(index, field)?,
                Some(cell) => {
                    let text = cell.text();
                    let scalar = scalar(Raw::Cell(&text), &field.value.format);
                    rows.columns[index].push(scalar.map_err(|problem| problem.in_field(index))?);
                }
            }
        }
        Ok(())
    }
}
