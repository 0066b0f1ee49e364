//! Where the records of a text begin and end. Opening a log, reading it, dividing a file into requests and
//! decoding the body of a request split with this one splitter, so an offset means the same record to all.

use std::io::{self, Read};
use std::ops::Range;

use memchr::{memchr, memchr_iter, memrchr};

use crate::csv_splitter::CsvSplitter;
use crate::json_splitter::{Between, JsonSplitter};
use crate::open_file::{OpenFile, SequentialReader};

/// The longest record, in bytes without its line end; a longer one is quarantined.
pub const MAX_RECORD_BYTES: usize = 1 << 20;
/// How much of a longer record is kept for the report.
pub(crate) const HEAD_BYTES: usize = 512;
/// How much is read at once.
const CHUNK_BYTES: usize = 256 << 10;
/// How much is counted at once.
const BLOCK_BYTES: usize = 4 << 10;
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// How the records of a text are separated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Separation {
    /// A record a line.
    Lines,
    /// A row a record, its cells separated by this byte.
    Csv(u8),
    /// The elements of one JSON array.
    JsonArray,
    /// JSON objects one after the other, over any number of lines.
    JsonObjects,
}

/// Finds where records begin and end.
#[derive(Debug)]
pub(crate) enum Splitter {
    Lines,
    Csv(CsvSplitter),
    Json(JsonSplitter),
}

impl Separation {
    /// Splits a text from its start on.
    pub(crate) fn splitter(self) -> Splitter {
        match self {
            Separation::Lines => Splitter::Lines,
            Separation::Csv(delimiter) => Splitter::Csv(CsvSplitter::new(delimiter)),
            Separation::JsonArray => Splitter::Json(JsonSplitter::new(true)),
            Separation::JsonObjects => Splitter::Json(JsonSplitter::new(false)),
        }
    }

    /// Splits a text from the start of one of its records on.
    fn splitter_at_record(self) -> Splitter {
        match self {
            Separation::JsonArray => Splitter::Json(JsonSplitter::at_record(true)),
            other => other.splitter(),
        }
    }

    /// Whether a record says nothing: such records at the very end of a text are none.
    pub(crate) fn is_blank(self, record: &[u8]) -> bool {
        record.is_empty() || (self == Separation::Lines && record.trim_ascii().is_empty())
    }
}

impl Splitter {
    /// What stands before the next record.
    fn between(&mut self, text: &[u8]) -> Result<Between, (u64, &'static str)> {
        match self {
            Splitter::Lines | Splitter::Csv(_) => {
                Ok(Between { n_bytes: 0, n_lines: 0, is_record: !text.is_empty() })
            }
            Splitter::Json(json) => json.between(text),
        }
    }

    /// The length of the present record with its line end, if the text goes so far. The text starts where the
    /// record does; its first `n_seen` bytes were there at the last call.
    fn find_end(&mut self, text: &[u8], n_seen: usize) -> Result<Option<usize>, &'static str> {
        match self {
            Splitter::Lines => Ok(memchr(b'\n', &text[n_seen..]).map(|at| n_seen + at + 1)),
            Splitter::Csv(csv) => Ok(csv.find_end(text, n_seen)),
            Splitter::Json(json) => json.find_end(text, n_seen),
        }
    }

    /// The length of the present record, where it cannot go on: see [`CsvSplitter::give_up`].
    fn give_up(&mut self) -> Option<usize> {
        match self {
            Splitter::Csv(csv) => csv.give_up(),
            Splitter::Lines | Splitter::Json(_) => None,
        }
    }

    /// The length up to the end of a record that is too long to be kept, from some place in it on.
    fn find_end_of_long(&mut self, text: &[u8]) -> Result<Option<usize>, &'static str> {
        match self {
            Splitter::Lines | Splitter::Csv(_) => Ok(memchr(b'\n', text).map(|at| at + 1)),
            Splitter::Json(json) => json.find_end(text, 0),
        }
    }

    /// Ends a record. Returns the number of lines that it took.
    fn take_n_lines(&mut self) -> u64 {
        match self {
            Splitter::Lines => 1,
            Splitter::Csv(csv) => csv.take_n_lines(),
            Splitter::Json(json) => json.take_n_lines(),
        }
    }

    /// Whether a text may end after the last record, or in it.
    fn check_end(&self, is_in_record: bool) -> Result<(), &'static str> {
        match self {
            Splitter::Lines | Splitter::Csv(_) => Ok(()),
            Splitter::Json(json) => json.check_end(is_in_record),
        }
    }
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

/// The records of a text, one after the other, in bounded memory.
#[derive(Debug)]
pub(crate) struct Records<R> {
    text: R,
    splitter: Splitter,
    buffer: Vec<u8>,
    /// The bytes of the buffer that are read and not yet handed out.
    ahead: Range<usize>,
    at_end: bool,
    /// Byte of the text where `ahead` starts.
    byte: u64,
    line: u64,
}

impl Records<SequentialReader> {
    /// The records of a file from a byte of it on, where a record starts.
    pub(crate) fn of_file(file: &OpenFile, separation: Separation, byte: u64, line: u64) -> io::Result<Self> {
        let splitter = if byte > 0 { separation.splitter_at_record() } else { separation.splitter() };
        Records::new(file.reader(byte), splitter, byte, line)
    }
}

impl<R: Read> Records<R> {
    /// The records of a text that starts at a byte of a file. A byte order mark at the start of the file is
    /// stepped over.
    pub(crate) fn new(text: R, splitter: Splitter, byte: u64, line: u64) -> io::Result<Self> {
        let buffer = vec![0; CHUNK_BYTES];
        let mut records = Records { text, splitter, buffer, ahead: 0..0, at_end: false, byte, line };
        while byte == 0 && !records.at_end && records.ahead.len() < BYTE_ORDER_MARK.len() {
            records.fill()?;
        }
        if byte == 0 && records.buffer[records.ahead.clone()].starts_with(BYTE_ORDER_MARK) {
            records.step(BYTE_ORDER_MARK.len());
        }
        Ok(records)
    }

    /// Byte of the text after what was handed out.
    pub(crate) fn n_bytes_done(&self) -> u64 {
        self.byte
    }

    /// The bytes of the record that [`Records::next`] gave last.
    pub(crate) fn bytes(&self, record: &Record) -> &[u8] {
        &self.buffer[record.range.clone()]
    }

    /// Steps over records that are lines and that the buffer has as a whole, at most so many: their number,
    /// and how many there are up to the last one that says something. There may be none.
    pub(crate) fn step_over_lines(&mut self, most: u64, separation: Separation) -> (u64, u64) {
        let text = &self.buffer[self.ahead.clone()];
        let text = match &self.splitter {
            Splitter::Lines => text,
            Splitter::Csv(csv) => &text[..csv.n_unquoted(text)],
            Splitter::Json(_) => return (0, 0),
        };
        let (n_lines, end) = first_lines(text, most);
        let (mut n_said, mut rest) = (n_lines, &text[..end]);
        while let Some(line) = rest.strip_suffix(b"\n") {
            let start = memrchr(b'\n', line).map_or(0, |at| at + 1);
            let record = line[start..].strip_suffix(b"\r").unwrap_or(&line[start..]);
            let n_kept = if record.len() > MAX_RECORD_BYTES { HEAD_BYTES } else { record.len() };
            if !separation.is_blank(&record[..n_kept]) {
                break;
            }
            (n_said, rest) = (n_said - 1, &rest[..start]);
        }
        self.step(end);
        self.line += n_lines;
        (n_lines, n_said)
    }

    /// The next record; none at the end of the text.
    ///
    /// # Errors
    /// That of the reader; [`io::ErrorKind::InvalidData`] where the text cannot be divided into records.
    pub(crate) fn next(&mut self) -> io::Result<Option<Record>> {
        if !self.skip_to_record()? {
            self.splitter.check_end(false).map_err(|problem| self.undivided(problem))?;
            return Ok(None);
        }
        let (byte, line) = (self.byte, self.line);
        let mut n_seen = 0;
        loop {
            let text = &self.buffer[self.ahead.clone()];
            let end = self.splitter.find_end(text, n_seen).map_err(|problem| undivided(line, problem))?;
            if let Some(length) = end {
                return Ok(Some(self.hand_out(length, byte, line, true)));
            }
            n_seen = self.ahead.len();
            let is_too_long = n_seen > MAX_RECORD_BYTES + 2;
            if (self.at_end || is_too_long)
                && let Some(length) = self.splitter.give_up()
            {
                return Ok(Some(self.hand_out(length, byte, line, true)));
            }
            if self.at_end {
                self.splitter.check_end(true).map_err(|problem| undivided(line, problem))?;
                return Ok(Some(self.hand_out(n_seen, byte, line, false)));
            }
            if is_too_long {
                return self.step_over(byte, line).map(Some);
            }
            self.fill()?;
        }
    }

    /// Steps over what stands before the next record. Whether there is one.
    fn skip_to_record(&mut self) -> io::Result<bool> {
        loop {
            let between = self.splitter.between(&self.buffer[self.ahead.clone()]);
            let between = between.map_err(|(n_lines, problem)| undivided(self.line + n_lines, problem))?;
            self.step(between.n_bytes);
            self.line += between.n_lines;
            if between.is_record || self.at_end {
                return Ok(between.is_record);
            }
            self.fill()?;
        }
    }

    fn undivided(&self, problem: &str) -> io::Error {
        undivided(self.line, problem)
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
            let end = self.splitter.find_end_of_long(&self.buffer[self.ahead.clone()]);
            if let Some(length) = end.map_err(|problem| undivided(line, problem))? {
                self.step(length);
                unfinished = false;
                break;
            }
            self.step(self.ahead.len());
        }
        if unfinished {
            self.splitter.check_end(true).map_err(|problem| undivided(line, problem))?;
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
            match self.text.read(&mut self.buffer[self.ahead.end..]) {
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

/// The number of the lines that a text has as a whole, at most so many, and where the last of them ends.
fn first_lines(text: &[u8], most: u64) -> (u64, usize) {
    let (mut n_lines, mut start) = (0, 0);
    // Counting them is much faster than finding each.
    for block in text.chunks(BLOCK_BYTES) {
        let n_of_block = memchr_iter(b'\n', block).count() as u64;
        if n_lines + n_of_block > most {
            let n_left = usize::try_from(most - n_lines).unwrap_or(usize::MAX);
            start += memchr_iter(b'\n', block).take(n_left).last().map_or(0, |at| at + 1);
            n_lines = most;
            break;
        }
        n_lines += n_of_block;
        start += block.len();
    }
    (n_lines, memrchr(b'\n', &text[..start]).map_or(0, |at| at + 1))
}

fn undivided(line: u64, problem: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("line {line}: {problem}"))
}

#[cfg(test)]
#[path = "record_splitter_tests.rs"]
mod tests;
