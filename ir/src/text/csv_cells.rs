//! CSV as in RFC 4180. The cells are split here because libraries do not distinguish an empty cell (none)
//! from an empty quoted one (an empty string).

use std::borrow::Cow;

use memchr::{memchr, memchr_iter};

/// A cell of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cell<'a> {
    /// What it says, without the quotes around it.
    text: &'a str,
    quoted: bool,
    /// Whether there are doubled quotes in it.
    escaped: bool,
}

impl<'a> Cell<'a> {
    /// Whether there is nothing in it, not even quotes.
    pub fn is_none(&self) -> bool {
        !self.quoted && self.text.is_empty()
    }

    /// What it says.
    pub fn text(&self) -> Cow<'a, str> {
        if self.escaped { Cow::Owned(self.text.replace("\"\"", "\"")) } else { Cow::Borrowed(self.text) }
    }
}

/// The records of a text, each with the number of its first line, from 1 on. Line breaks end them, except
/// inside quotes; empty lines are skipped.
pub fn records(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let (mut start, mut line) = (0, 1);
    std::iter::from_fn(move || {
        while start < text.len() {
            let mut is_quoted = false;
            let rest = &text[start..];
            let end = rest.bytes().position(|byte| {
                is_quoted ^= byte == b'"';
                byte == b'\n' && !is_quoted
            });
            let record = &rest[..end.unwrap_or(rest.len())];
            let of_record = (line, record.strip_suffix('\r').unwrap_or(record));
            start += record.len() + 1;
            line += 1 + record.bytes().filter(|byte| *byte == b'\n').count();
            if !of_record.1.is_empty() {
                return Some(of_record);
            }
        }
        None
    })
}

/// Why a record ends too early.
pub const UNCLOSED: &str = "a quote is opened and not closed";

/// Splits a record, without its line break, into its cells at commas.
///
/// # Errors
/// A phrase, where a quote is misplaced.
pub fn split<'a>(record: &'a str, cells: &mut Vec<Cell<'a>>) -> Result<(), &'static str> {
    split_at(record, b',', cells)
}

/// As [`split`], at another ASCII character.
///
/// # Errors
/// As [`split`].
pub fn split_at<'a>(record: &'a str, delimiter: u8, cells: &mut Vec<Cell<'a>>) -> Result<(), &'static str> {
    let plain = |text| Cell { text, quoted: false, escaped: false };
    if memchr(b'"', record.as_bytes()).is_none() {
        let mut start = 0;
        for end in memchr_iter(delimiter, record.as_bytes()) {
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
                let length = memchr(delimiter, rest.as_bytes()).unwrap_or(rest.len());
                let (text, behind) = rest.split_at(length);
                if text.contains('"') {
                    return Err("a quote inside of a cell that does not start with one");
                }
                (plain(text), behind)
            }
        };
        cells.push(cell);
        match behind.strip_prefix(char::from(delimiter)) {
            Some(behind) => rest = behind,
            None if behind.is_empty() => return Ok(()),
            None => return Err("text after the closing quote of a cell"),
        }
    }
}

/// A cell after its opening quote, and the rest after its closing one.
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
        assert_eq!(cells("\"a\"b,c"), Err("text after the closing quote of a cell"));
        assert_eq!(cells("\"a,\"\""), Err(UNCLOSED));
    }

    #[test]
    fn cells_are_split_at_the_delimiter_alone() {
        for record in ["a;b,c;;\"d;e\"", "a;b,c;;d"] {
            let mut cells = Vec::new();
            split_at(record, b';', &mut cells).unwrap();
            let texts: Vec<_> = cells.iter().map(Cell::text).collect();
            assert_eq!(texts[..3], ["a", "b,c", ""]);
            assert_eq!((texts.len(), cells[2].is_none()), (4, true));
        }
    }

    #[test]
    fn records_end_where_lines_do_outside_of_quotes() {
        let text = "\u{feff}a,b\r\n1,\"x\ny\"\n\n2,z";
        assert_eq!(records(text).collect::<Vec<_>>(), [(1, "a,b"), (2, "1,\"x\ny\""), (5, "2,z")]);
        assert_eq!(records("").count(), 0);
    }
}
