//! Where the records of a CSV text end.
//!
//! A line break inside of a quoted cell does not end a record. One bad quote takes no other record with it:
//! where the quote that closes a cell is missing, or text follows it, the record ends at the first line break
//! of that cell, and the next line starts a new record. So a cell that goes over lines is taken as one only
//! where its closing quote is there, within the longest record that there may be.

use memchr::{memchr, memchr_iter, memchr2};

/// Finds the ends of CSV records, one after the other.
#[derive(Debug)]
pub(crate) struct CsvSplitter {
    delimiter: u8,
    state: State,
    /// Line breaks inside of the present record, and those of them before its present quoted cell.
    n_inner: u64,
    n_inner_before: u64,
    /// Where the first line break of the present quoted cell stands in the record.
    first_break: Option<usize>,
}

/// Where in a record a byte stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    RecordStart,
    CellStart,
    Unquoted,
    Quoted,
    /// After a quote inside of a quoted cell: its end, or the first half of an escaped quote.
    QuoteSeen,
}

impl CsvSplitter {
    pub(crate) fn new(delimiter: u8) -> Self {
        let state = State::RecordStart;
        CsvSplitter { delimiter, state, n_inner: 0, n_inner_before: 0, first_break: None }
    }

    /// The length of the present record with its line end, if the text goes so far. The text starts where the
    /// record does; its first `n_seen` bytes were there at the last call.
    pub(crate) fn find_end(&mut self, text: &[u8], n_seen: usize) -> Option<usize> {
        if self.state == State::RecordStart && !text.is_empty() {
            // Most records have no quotes, and then the first line end is theirs.
            match memchr2(b'\n', b'"', text) {
                Some(end) if text[end] == b'\n' => return Some(end + 1),
                _ => self.state = State::CellStart,
            }
        }
        let mut at = n_seen;
        while at < text.len() {
            let rest = &text[at..];
            match self.state {
                State::RecordStart | State::CellStart if rest[0] == b'"' => {
                    self.state = State::Quoted;
                    (self.first_break, self.n_inner_before) = (None, self.n_inner);
                    at += 1;
                }
                State::RecordStart | State::CellStart => self.state = State::Unquoted,
                State::Unquoted => match memchr2(self.delimiter, b'\n', rest) {
                    None => return None,
                    Some(length) if rest[length] == b'\n' => return Some(at + length + 1),
                    Some(length) => {
                        self.state = State::CellStart;
                        at += length + 1;
                    }
                },
                State::Quoted => at += self.quoted(rest, at),
                State::QuoteSeen if rest[0] == b'"' => {
                    self.state = State::Quoted;
                    at += 1;
                }
                State::QuoteSeen => {
                    let is_closed = rest[0] == self.delimiter || matches!(rest[0], b'\r' | b'\n');
                    if !is_closed && let Some(length) = self.cut() {
                        return Some(length);
                    }
                    self.state = State::Unquoted;
                }
            }
        }
        None
    }

    /// How much of a text has no quote, if a record starts with it: there, each line is a record.
    pub(crate) fn n_unquoted(&self, text: &[u8]) -> usize {
        match self.state {
            State::RecordStart => memchr(b'"', text).unwrap_or(text.len()),
            _ => 0,
        }
    }

    /// Steps over text inside of quotes, and over the quote after it. Returns its length.
    fn quoted(&mut self, rest: &[u8], at: usize) -> usize {
        let length = memchr(b'"', rest).unwrap_or(rest.len());
        let mut breaks = memchr_iter(b'\n', &rest[..length]);
        if let Some(first) = breaks.next() {
            self.first_break.get_or_insert(at + first);
            self.n_inner += 1 + breaks.count() as u64;
        }
        if length == rest.len() {
            return length;
        }
        self.state = State::QuoteSeen;
        length + 1
    }

    /// Ends the record at the first line break of its present quoted cell, if there is one. Returns its
    /// length.
    fn cut(&mut self) -> Option<usize> {
        let end = self.first_break.take()?;
        self.n_inner = self.n_inner_before;
        Some(end + 1)
    }

    /// As [`CsvSplitter::find_end`], where no more text comes, or the record is too long: its length, if a
    /// quoted cell of it goes over lines and is not closed.
    pub(crate) fn give_up(&mut self) -> Option<usize> {
        if self.state == State::Quoted { self.cut() } else { None }
    }

    /// Starts a new record. Returns the number of lines of the one that has ended.
    pub(crate) fn take_n_lines(&mut self) -> u64 {
        self.state = State::RecordStart;
        self.first_break = None;
        1 + std::mem::take(&mut self.n_inner)
    }
}
