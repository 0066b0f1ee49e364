//! Where the records of a text file begin and end. Opening a log and reading it split with this one
//! splitter, so an offset means the same record to both.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;

use memchr::{memchr, memchr_iter, memchr2};

/// The longest record, in bytes without its line end; a longer one is quarantined.
pub(crate) const MAX_RECORD_BYTES: usize = 1 << 20;
/// How much of a longer record is kept for the report.
const HEAD_BYTES: usize = 512;
/// How much is read at once.
const CHUNK_BYTES: usize = 256 << 10;
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// How records are separated.
#[derive(Debug)]
pub(crate) enum Splitter {
    /// A record a line.
    Lines,
    /// A line break inside of a quoted cell does not end a record. `n_inner` counts these in the present
    /// record.
    Csv { state: CsvState, n_inner: u64 },
}

/// Where in a CSV record a byte stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CsvState {
    RecordStart,
    CellStart,
    Unquoted,
    Quoted,
    /// After a quote inside of a quoted cell: its end, or the first half of an escaped quote.
    QuoteSeen,
}

impl Splitter {
    pub(crate) fn csv() -> Self {
        Splitter::Csv { state: CsvState::RecordStart, n_inner: 0 }
    }

    /// The byte after the line end of the present record, if the text goes so far. The text goes on
    /// where that of the last call ended, or after the end that it found.
    pub(crate) fn find_end(&mut self, text: &[u8]) -> Option<usize> {
        match self {
            Splitter::Lines => memchr(b'\n', text).map(|at| at + 1),
            Splitter::Csv { state, n_inner } => find_csv_end(text, state, n_inner),
        }
    }

    /// The number of lines of the record that has just ended.
    pub(crate) fn take_n_lines(&mut self) -> u64 {
        match self {
            Splitter::Lines => 1,
            Splitter::Csv { state, n_inner } => {
                *state = CsvState::RecordStart;
                1 + std::mem::take(n_inner)
            }
        }
    }
}

fn find_csv_end(text: &[u8], state: &mut CsvState, n_inner: &mut u64) -> Option<usize> {
    if *state == CsvState::RecordStart && !text.is_empty() {
        // Most records have no quotes, and then the first line end is theirs.
        match memchr(b'\n', text) {
            Some(end) if memchr(b'"', &text[..end]).is_none() => return Some(end + 1),
            _ => *state = CsvState::CellStart,
        }
    }
    let mut at = 0;
    while at < text.len() {
        let rest = &text[at..];
        match *state {
            CsvState::RecordStart | CsvState::CellStart if rest[0] == b'"' => {
                *state = CsvState::Quoted;
                at += 1;
            }
            CsvState::RecordStart | CsvState::CellStart => *state = CsvState::Unquoted,
            CsvState::Unquoted => match memchr2(b',', b'\n', rest) {
                None => return None,
                Some(length) if rest[length] == b'\n' => return Some(at + length + 1),
                Some(length) => {
                    *state = CsvState::CellStart;
                    at += length + 1;
                }
            },
            CsvState::Quoted => {
                let length = memchr(b'"', rest).unwrap_or(rest.len());
                *n_inner += memchr_iter(b'\n', &rest[..length]).count() as u64;
                at += length + 1;
                if length < rest.len() {
                    *state = CsvState::QuoteSeen;
                }
            }
            CsvState::QuoteSeen if rest[0] == b'"' => {
                *state = CsvState::Quoted;
                at += 1;
            }
            CsvState::QuoteSeen => *state = CsvState::Unquoted,
        }
    }
    None
}

/// One record of a text file.
#[derive(Debug, Clone)]
pub(crate) struct Record {
    /// Where it stands in [`Records::bytes`], without its line end; its head only, if it is too long.
    range: Range<usize>,
    /// Byte of the file where it starts.
    pub(crate) byte: u64,
    /// Line of the file where it starts, from 1.
    pub(crate) line: u64,
    /// Whether the file ends before its line does.
    pub(crate) unfinished: bool,
    /// Whether it has more than [`MAX_RECORD_BYTES`].
    pub(crate) too_long: bool,
}

/// The records of a text file, one after the other, in bounded memory.
#[derive(Debug)]
pub(crate) struct Records {
    file: File,
    splitter: Splitter,
    buffer: Vec<u8>,
    /// The bytes of the buffer that are read and not yet handed out.
    ahead: Range<usize>,
    at_end: bool,
    /// Byte of the file where `ahead` starts.
    byte: u64,
    line: u64,
}

impl Records {
    /// The records from a byte of the file on, where a record starts. A byte order mark at the start
    /// of the file is stepped over.
    pub(crate) fn new(mut file: File, splitter: Splitter, byte: u64, line: u64) -> io::Result<Self> {
        if byte > 0 {
            file.seek(SeekFrom::Start(byte))?;
        }
        let buffer = vec![0; CHUNK_BYTES];
        let mut records = Records { file, splitter, buffer, ahead: 0..0, at_end: false, byte, line };
        while byte == 0 && !records.at_end && records.ahead.len() < BYTE_ORDER_MARK.len() {
            records.fill()?;
        }
        if byte == 0 && records.buffer[records.ahead.clone()].starts_with(BYTE_ORDER_MARK) {
            records.step(BYTE_ORDER_MARK.len());
        }
        Ok(records)
    }

    /// Byte of the file after what was handed out.
    pub(crate) fn n_bytes_done(&self) -> u64 {
        self.byte
    }

    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    /// The bytes of the record that [`Records::next`] gave last.
    pub(crate) fn bytes(&self, record: &Record) -> &[u8] {
        &self.buffer[record.range.clone()]
    }

    /// The next record; none at the end of the file.
    pub(crate) fn next(&mut self) -> io::Result<Option<Record>> {
        let (byte, line) = (self.byte, self.line);
        let mut n_scanned = 0;
        loop {
            let unseen = &self.buffer[self.ahead.start + n_scanned..self.ahead.end];
            if let Some(length) = self.splitter.find_end(unseen) {
                return Ok(Some(self.hand_out(n_scanned + length, byte, line, true)));
            }
            n_scanned = self.ahead.len();
            if self.at_end {
                let rest = (n_scanned > 0).then(|| self.hand_out(n_scanned, byte, line, false));
                return Ok(rest);
            }
            if n_scanned > MAX_RECORD_BYTES + 2 {
                return self.step_over(byte, line).map(Some);
            }
            self.fill()?;
        }
    }

    fn hand_out(&mut self, length: usize, byte: u64, line: u64, finished: bool) -> Record {
        let start = self.ahead.start;
        let mut text = &self.buffer[start..start + length];
        text = text.strip_suffix(b"\n").unwrap_or(text);
        text = text.strip_suffix(b"\r").unwrap_or(text);
        let too_long = text.len() > MAX_RECORD_BYTES;
        let range = start..start + if too_long { HEAD_BYTES } else { text.len() };
        self.step(length);
        self.line += self.splitter.take_n_lines();
        Record { range, byte, line, unfinished: !finished, too_long }
    }

    /// Steps over a record that is too long to be held. Its head stays at the start of the buffer.
    fn step_over(&mut self, byte: u64, line: u64) -> io::Result<Record> {
        self.buffer.copy_within(self.ahead.start..self.ahead.start + HEAD_BYTES, 0);
        self.step(self.ahead.len());
        let mut unfinished = true;
        while !self.at_end {
            self.ahead = HEAD_BYTES..HEAD_BYTES;
            self.read_on()?;
            if let Some(length) = self.splitter.find_end(&self.buffer[self.ahead.clone()]) {
                self.step(length);
                unfinished = false;
                break;
            }
            self.step(self.ahead.len());
        }
        self.line += self.splitter.take_n_lines();
        Ok(Record { range: 0..HEAD_BYTES, byte, line, unfinished, too_long: true })
    }

    fn step(&mut self, n_bytes: usize) {
        self.ahead.start += n_bytes;
        self.byte += n_bytes as u64;
    }

    /// Reads more after what is ahead. The buffer grows no further than one record needs, since
    /// [`Records::next`] gives up on longer ones.
    fn fill(&mut self) -> io::Result<()> {
        self.buffer.copy_within(self.ahead.clone(), 0);
        self.ahead = 0..self.ahead.len();
        if self.ahead.end == self.buffer.len() {
            self.buffer.resize(self.buffer.len() * 2, 0);
        }
        self.read_on()
    }

    fn read_on(&mut self) -> io::Result<()> {
        loop {
            match self.file.read(&mut self.buffer[self.ahead.end..]) {
                Ok(n_read) => {
                    self.ahead.end += n_read;
                    self.at_end = n_read == 0;
                    return Ok(());
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use proptest::prelude::*;

    use super::*;

    fn split(text: &[u8], splitter: Splitter) -> Vec<(String, u64, u64, bool, bool)> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(text).unwrap();
        file.rewind().unwrap();
        let mut records = Records::new(file, splitter, 0, 1).unwrap();
        let mut all = Vec::new();
        while let Some(record) = records.next().unwrap() {
            let text = String::from_utf8_lossy(records.bytes(&record)).into_owned();
            all.push((text, record.byte, record.line, record.unfinished, record.too_long));
        }
        all
    }

    fn row(text: &str, byte: u64, line: u64, unfinished: bool) -> (String, u64, u64, bool, bool) {
        (text.into(), byte, line, unfinished, false)
    }

    #[test]
    fn c12_a_byte_order_mark_is_stripped_at_the_start_of_the_file_only() {
        let rows = split(b"\xef\xbb\xbfa\r\n\xef\xbb\xbfb", Splitter::Lines);
        assert_eq!(rows, [row("a", 3, 1, false), row("\u{feff}b", 6, 2, true)]);
        assert_eq!(split(b"\xef\xbb\xbf", Splitter::Lines), []);
        assert_eq!(split(b"", Splitter::csv()), []);
    }

    #[test]
    fn a_line_break_in_a_quoted_cell_is_part_of_the_record() {
        let rows = split(b"a,\"b\nc\"\"\n,\"\r\nd\"e,f\n\"open\n", Splitter::csv());
        let wanted =
            [row("a,\"b\nc\"\"\n,\"", 0, 1, false), row("d\"e,f", 13, 4, false), row("\"open", 19, 5, true)];
        assert_eq!(rows, wanted);
    }

    #[test]
    fn a_record_that_is_too_long_is_stepped_over() {
        for (length, too_long) in
            [(MAX_RECORD_BYTES, false), (MAX_RECORD_BYTES + 1, true), (5 * MAX_RECORD_BYTES, true)]
        {
            for (splitter, quote) in [(Splitter::Lines, ""), (Splitter::csv(), "\"")] {
                let long = format!("{quote}{}{quote}", "x".repeat(length - 2 * quote.len()));
                let rows = split(format!("a\n{long}\nb\n").as_bytes(), splitter);
                assert_eq!((rows.len(), rows[1].4), (3, too_long), "{length}");
                assert_eq!(rows[2], row("b", length as u64 + 3, 3, false));
                assert!(long.starts_with(&rows[1].0) && !rows[1].0.is_empty());
            }
        }
    }

    proptest! {
        #[test]
        fn splitting_does_not_depend_on_where_reads_end(text in "[ab,\"\r\n]{0,60}", cuts in prop::collection::vec(1usize..9, 60)) {
            let whole = |text: &[u8]| {
                let (mut splitter, mut ends, mut at) = (Splitter::csv(), Vec::new(), 0);
                while let Some(length) = splitter.find_end(&text[at..]) {
                    splitter.take_n_lines();
                    at += length;
                    ends.push(at);
                }
                ends
            };
            let (mut splitter, mut ends, mut at) = (Splitter::csv(), Vec::new(), 0);
            for cut in cuts {
                let to = (at + cut).min(text.len());
                while let Some(length) = splitter.find_end(&text.as_bytes()[at..to]) {
                    splitter.take_n_lines();
                    at += length;
                    ends.push(at);
                }
                at = to;
            }
            let reachable = whole(text.as_bytes()).into_iter().filter(|&end| end <= at);
            prop_assert!(ends.iter().copied().eq(reachable));
        }
    }
}
