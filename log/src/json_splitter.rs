//! Where the records of a JSON text begin and end: the elements of one array, or objects one after the other,
//! over however many lines.
//!
//! Only brackets and quotes are looked at; whether a record is JSON is the decoder's to say. Where brackets
//! do not match, no record after that place could be told, so the text as a whole is refused.

use memchr::memchr2;

/// Finds JSON records, one after the other.
#[derive(Debug)]
pub(crate) struct JsonSplitter {
    is_array: bool,
    place: Place,
    /// Arrays and objects around the present byte, within the record.
    depth: usize,
    in_string: bool,
    /// Whether the byte before is a backslash that escapes the next.
    is_escaped: bool,
    /// Line breaks in the present record.
    n_inner: u64,
}

/// Where between the records of a text a byte stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Before the bracket of the array.
    Start,
    /// Before the first element, or the first object.
    First,
    /// After a record.
    After,
    /// After a comma.
    Next,
    /// After the array.
    End,
}

/// What stands between two records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Between {
    /// Its length in bytes.
    pub(crate) n_bytes: usize,
    /// Line breaks in it.
    pub(crate) n_lines: u64,
    /// Whether a record starts after it; otherwise the text ends there.
    pub(crate) is_record: bool,
}

impl JsonSplitter {
    pub(crate) fn new(is_array: bool) -> Self {
        let place = if is_array { Place::Start } else { Place::First };
        JsonSplitter { is_array, place, depth: 0, in_string: false, is_escaped: false, n_inner: 0 }
    }

    /// The same text, from the start of a record on.
    pub(crate) fn at_record(is_array: bool) -> Self {
        JsonSplitter { place: Place::First, ..JsonSplitter::new(is_array) }
    }

    /// Steps over what stands before the next record.
    ///
    /// # Errors
    /// Why there can be no record, and the number of line breaks before that place.
    pub(crate) fn between(&mut self, text: &[u8]) -> Result<Between, (u64, &'static str)> {
        let mut n_lines = 0;
        for (n_bytes, byte) in text.iter().enumerate() {
            match byte {
                b'\n' => n_lines += 1,
                b' ' | b'\t' | b'\r' => {}
                byte => {
                    if self.step(*byte).map_err(|problem| (n_lines, problem))? {
                        return Ok(Between { n_bytes, n_lines, is_record: true });
                    }
                }
            }
        }
        Ok(Between { n_bytes: text.len(), n_lines, is_record: false })
    }

    /// Takes a byte between two records. Whether a record starts there.
    fn step(&mut self, byte: u8) -> Result<bool, &'static str> {
        self.place = match (self.place, byte) {
            (Place::Start, b'[') => Place::First,
            (Place::Start, _) => return Err("an array is expected"),
            (Place::First | Place::After, b']') if self.is_array => Place::End,
            (Place::After, b',') if self.is_array => Place::Next,
            (Place::Next, b']') => return Err("a comma has nothing after it"),
            (Place::First | Place::Next, b',') if self.is_array => {
                return Err("a comma has nothing before it");
            }
            (Place::End, _) => return Err("there is more after the end of the array"),
            (_, b'}' | b']') => return Err("a bracket closes nothing"),
            _ => return Ok(true),
        };
        Ok(false)
    }

    /// The length of the present record, if the text goes so far. The text starts where the record does; its
    /// first `n_seen` bytes were there at the last call.
    ///
    /// # Errors
    /// What is wrong with its brackets.
    pub(crate) fn find_end(&mut self, text: &[u8], n_seen: usize) -> Result<Option<usize>, &'static str> {
        let mut at = n_seen;
        while at < text.len() {
            if self.in_string && !self.is_escaped {
                let Some(length) = memchr2(b'"', b'\\', &text[at..]) else {
                    self.n_inner += memchr::memchr_iter(b'\n', &text[at..]).count() as u64;
                    return Ok(None);
                };
                self.n_inner += memchr::memchr_iter(b'\n', &text[at..at + length]).count() as u64;
                (self.is_escaped, self.in_string) = (text[at + length] == b'\\', text[at + length] == b'\\');
                at += length + 1;
                continue;
            }
            let byte = text[at];
            if std::mem::take(&mut self.is_escaped) {
                self.n_inner += u64::from(byte == b'\n');
            } else if self.ends_at(byte)? {
                return Ok(Some(at));
            } else if self.depth == 0 && !self.is_array && matches!(byte, b'}' | b']') {
                return Ok(Some(at + 1));
            }
            at += 1;
        }
        Ok(None)
    }

    /// Takes a byte outside of strings. Whether the record ends before it.
    fn ends_at(&mut self, byte: u8) -> Result<bool, &'static str> {
        match byte {
            b'"' => self.in_string = true,
            b'{' | b'[' => self.depth += 1,
            b',' | b']' if self.depth == 0 && self.is_array => return Ok(true),
            b'}' | b']' => self.depth = self.depth.checked_sub(1).ok_or("a bracket closes nothing")?,
            // Something that is neither an object nor an array ends where its line does.
            b'\n' if self.depth == 0 && !self.is_array => return Ok(true),
            b'\n' => self.n_inner += 1,
            _ => {}
        }
        Ok(false)
    }

    /// Whether the text may end where the last record did.
    ///
    /// # Errors
    /// What is missing.
    pub(crate) fn check_end(&self, is_in_record: bool) -> Result<(), &'static str> {
        match self.place {
            _ if self.is_array && is_in_record => Err("it ends in the middle of an element of the array"),
            _ if is_in_record && (self.depth > 0 || self.in_string) => {
                Err("it ends in the middle of a record")
            }
            Place::First | Place::After | Place::Next if self.is_array => Err("the array is not closed"),
            _ => Ok(()),
        }
    }

    /// Ends a record. Returns the number of line breaks in it.
    pub(crate) fn take_n_lines(&mut self) -> u64 {
        (self.place, self.depth) = (Place::After, 0);
        (self.in_string, self.is_escaped) = (false, false);
        std::mem::take(&mut self.n_inner)
    }
}
