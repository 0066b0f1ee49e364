//! CSV after RFC 4180, with a header row. The cells are split here because libraries do not tell an
//! empty cell (none) from an empty quoted one (an empty text).

use std::borrow::Cow;

use memchr::{memchr, memchr_iter};

use crate::LogError;
use crate::decode::{Problem, Raw, Reject, Rows, SharedRules, scalar};
use crate::files::LogFile;
use crate::rule::{Reading, Rules};

/// A cell of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Cell<'a> {
    /// What it says, without the quotes around it.
    text: &'a str,
    quoted: bool,
    /// Whether there are doubled quotes in it.
    escaped: bool,
}

impl<'a> Cell<'a> {
    fn text(&self) -> Cow<'a, str> {
        if self.escaped { Cow::Owned(self.text.replace("\"\"", "\"")) } else { Cow::Borrowed(self.text) }
    }
}

/// Where the fields of a source stand in the records of a file.
#[derive(Debug, Clone)]
pub(crate) struct Header {
    /// The cell of each field; none for one that the file does not have and may be without.
    cells: Vec<Option<usize>>,
    n_cells: usize,
}

impl Header {
    pub(crate) fn read(file: &LogFile, rules: &Rules, record: &[u8]) -> Result<Self, LogError> {
        let malformed =
            |problem: String| LogError::Malformed { path: file.shown.to_string(), format: "CSV", problem };
        let text =
            std::str::from_utf8(record).map_err(|_| malformed("its header is no UTF-8 text".into()))?;
        let mut cells = Vec::new();
        split(text, &mut cells).map_err(|problem| malformed(format!("in its header: {problem}")))?;
        let names: Vec<_> = cells.iter().map(|cell| cell.text().into_owned()).collect();
        let places = rules.fields.iter().map(|field| {
            if let Reading::List(_) = field.rule.reading {
                return Err(LogError::ColumnType {
                    path: (*file.shown).into(),
                    column: field.name.as_str().into(),
                    origin: rules.source.name.as_str().into(),
                    found: "text".into(),
                    expected: field.rule.ty.to_string().into(),
                    help: "CSV has no lists: use NDJSON or Parquet".into(),
                });
            }
            let mut places =
                names.iter().enumerate().filter(|(_, name)| **name == field.name).map(|(place, _)| place);
            match (places.next(), places.next()) {
                (Some(_), Some(_)) => {
                    Err(LogError::RepeatedColumn { path: file.shown.to_string(), column: field.name.clone() })
                }
                (None, _) if !field.may_be_absent() => {
                    Err(LogError::missing_column(&file.shown, &rules.source.name, &field.name, names.clone()))
                }
                (place, _) => Ok(place),
            }
        });
        Ok(Header { cells: places.collect::<Result<_, _>>()?, n_cells: names.len() })
    }
}

/// Decodes records behind the header.
#[derive(Debug)]
pub(crate) struct CsvDecoder {
    rules: SharedRules,
    header: Header,
}

impl CsvDecoder {
    pub(crate) fn new(rules: &SharedRules, header: Header) -> Self {
        CsvDecoder { rules: SharedRules::clone(rules), header }
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
        for (index, (field, place)) in self.rules.fields.iter().zip(&self.header.cells).enumerate() {
            let cell = place.map(|place| cells[place]).filter(|cell| cell.quoted || !cell.text.is_empty());
            match cell {
                None => rows.push_absent(index, field)?,
                Some(cell) => {
                    let text = cell.text();
                    let scalar = scalar(Raw::Cell(&text), &field.rule.reading);
                    rows.columns[index].push(scalar.map_err(|problem| problem.in_field(index))?);
                }
            }
        }
        Ok(())
    }
}

const UNCLOSED: &str = "a quote is opened and not closed";

/// Splits a record into its cells.
fn split<'a>(record: &'a str, cells: &mut Vec<Cell<'a>>) -> Result<(), &'static str> {
    let plain = |text| Cell { text, quoted: false, escaped: false };
    if memchr(b'"', record.as_bytes()).is_none() {
        let mut start = 0;
        for end in memchr_iter(b',', record.as_bytes()) {
            cells.push(plain(&record[start..end]));
            start = end + 1;
        }
        cells.push(plain(&record[start..]));
        return Ok(());
    }
    let mut rest = record;
    loop {
        let (cell, behind) = match rest.strip_prefix('"') {
            Some(inner) => quoted_cell(inner)?,
            None => {
                let length = memchr(b',', rest.as_bytes()).unwrap_or(rest.len());
                let (text, behind) = rest.split_at(length);
                if text.contains('"') {
                    return Err("a quote inside of a cell that does not start with one");
                }
                (plain(text), behind)
            }
        };
        cells.push(cell);
        match behind.strip_prefix(',') {
            Some(behind) => rest = behind,
            None if behind.is_empty() => return Ok(()),
            None => return Err("text behind the closing quote of a cell"),
        }
    }
}

/// A cell behind its opening quote, and what stands behind its closing one.
fn quoted_cell(inner: &str) -> Result<(Cell<'_>, &str), &'static str> {
    let (mut at, mut escaped) = (0, false);
    loop {
        let end = at + memchr(b'"', &inner.as_bytes()[at..]).ok_or(UNCLOSED)?;
        let behind = &inner[end + 1..];
        if behind.starts_with('"') {
            escaped = true;
            at = end + 2;
        } else {
            return Ok((Cell { text: &inner[..end], quoted: true, escaped }, behind));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cells(record: &str) -> Result<Vec<(String, bool)>, &'static str> {
        let mut cells = Vec::new();
        split(record, &mut cells)?;
        Ok(cells.iter().map(|cell| (cell.text().into_owned(), cell.quoted)).collect())
    }

    #[test]
    fn c11_an_empty_cell_is_told_from_an_empty_text() {
        let wanted = [("", false), ("", true), ("a", false), ("", false)]
            .map(|(text, quoted)| (text.to_owned(), quoted));
        assert_eq!(cells(",\"\",a,"), Ok(wanted.to_vec()));
    }

    #[test]
    fn quoted_cells_hold_commas_line_breaks_and_doubled_quotes() {
        let wanted = [("a,\n\"b\"", true), ("é", true)].map(|(text, quoted)| (text.to_owned(), quoted));
        assert_eq!(cells("\"a,\n\"\"b\"\"\",\"é\""), Ok(wanted.to_vec()));
        assert_eq!(cells("\"\"\"\""), Ok(vec![("\"".to_owned(), true)]));
    }

    #[test]
    fn misplaced_quotes_are_refused() {
        assert_eq!(cells("a\"b\",c"), Err("a quote inside of a cell that does not start with one"));
        assert_eq!(cells("\"a\"b,c"), Err("text behind the closing quote of a cell"));
        assert_eq!(cells("\"a,\"\""), Err(UNCLOSED));
    }
}
