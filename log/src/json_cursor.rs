//! A cursor over one JSON text: strict RFC 8259, and stricter where that leaves a choice; but for `NaN` and
//! `Infinity` as values.
//!
//! It is written by hand since a decoder needs what general parsers do not give together: numbers by
//! their digits, keys that occur twice rejected at every depth (fields that are ignored included),
//! surrogates checked in what is skipped, a limit on depth, and to know that the text ended too
//! early. A property test compares it with `serde_json`.

use std::borrow::Cow;
use std::collections::HashSet;

use metricc_ir::text::{leading, number};

use crate::json_escapes::unescape;
use crate::scan::skip_ordinary;

/// How deep arrays and objects may be nested, the record itself included.
pub(crate) const MAX_DEPTH: usize = 64;

/// Why a text is not JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Syntax {
    pub(crate) problem: &'static str,
    /// Byte of the text where it shows.
    pub(crate) at: usize,
    /// Whether it shows at the end: more text might have made it right.
    pub(crate) ended: bool,
}

/// A string as it is written between its quotes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Quoted<'a> {
    pub(crate) inner: &'a str,
    pub(crate) escaped: bool,
}

/// A position in a JSON text.
#[derive(Debug, Clone)]
pub(crate) struct Cursor<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Cursor { text, at: 0 }
    }

    pub(crate) fn at(&self) -> usize {
        self.at
    }

    /// All of the text.
    #[inline]
    pub(crate) fn all(&self) -> &'a str {
        self.text
    }

    /// Steps to the end of what was looked at.
    #[inline]
    pub(crate) fn step_to(&mut self, at: usize) {
        self.at = at;
    }

    /// The text from a byte where the cursor was to where it is.
    pub(crate) fn since(&self, start: usize) -> &'a str {
        self.text.get(start..self.at).unwrap_or("")
    }

    pub(crate) fn syntax(&self, problem: &'static str) -> Syntax {
        Syntax { problem, at: self.at, ended: self.at >= self.text.len() }
    }

    /// The next byte that is no white space.
    #[inline]
    pub(crate) fn peek(&mut self) -> Option<u8> {
        let bytes = self.text.as_bytes();
        while let Some(b' ' | b'\t' | b'\r' | b'\n') = bytes.get(self.at) {
            self.at += 1;
        }
        bytes.get(self.at).copied()
    }

    /// Steps over the byte if it comes next after white space.
    #[inline]
    pub(crate) fn eat(&mut self, byte: u8) -> bool {
        let found = self.is_next(byte);
        self.at += usize::from(found);
        found
    }

    /// Whether the byte comes next after white space.
    #[inline]
    pub(crate) fn is_next(&mut self, byte: u8) -> bool {
        matches!(self.peek(), Some(next) if next == byte)
    }

    #[inline]
    pub(crate) fn expect(&mut self, byte: u8, problem: &'static str) -> Result<(), Syntax> {
        if self.text.as_bytes().get(self.at) == Some(&byte) {
            self.at += 1;
            return Ok(());
        }
        if self.eat(byte) { Ok(()) } else { Err(self.syntax(problem)) }
    }

    /// Nothing but white space may follow.
    pub(crate) fn end(&mut self) -> Result<(), Syntax> {
        match self.peek() {
            None => Ok(()),
            Some(_) => Err(self.syntax("more after the end of the object: one object a line")),
        }
    }

    pub(crate) fn literal(&mut self, word: &str) -> Result<(), Syntax> {
        let rest = &self.text.as_bytes()[self.at..];
        if rest.starts_with(word.as_bytes()) {
            self.at += word.len();
            return Ok(());
        }
        let cut_off = word.as_bytes().starts_with(rest);
        self.at += if cut_off { rest.len() } else { 0 };
        Err(self.syntax("no JSON value"))
    }

    /// Steps over `NaN`, `Infinity` or `-Infinity`, which is what some writers make of floats that JSON has
    /// no spelling for.
    pub(crate) fn not_finite(&mut self) -> Option<&'static str> {
        let rest = &self.text.as_bytes()[self.at..];
        let found =
            ["NaN", "Infinity", "-Infinity"].into_iter().find(|name| rest.starts_with(name.as_bytes()));
        self.at += found.map_or(0, str::len);
        found
    }

    /// Steps over a number of digits alone, if it is one.
    #[inline]
    fn eat_digits(&mut self) -> bool {
        let bytes = self.text.as_bytes();
        let end = leading::skip_digits(bytes, self.at);
        let is_padded = bytes.get(self.at) == Some(&b'0') && end - self.at > 1;
        let is_it = !is_padded && matches!(bytes.get(end), Some(b',' | b'}' | b']'));
        self.at = if is_it { end } else { self.at };
        is_it
    }

    pub(crate) fn number(&mut self) -> Result<&'a str, Syntax> {
        let rest = &self.text[self.at..];
        match number::scan(rest.as_bytes()) {
            Some(length) => {
                self.at += length;
                Ok(&rest[..length])
            }
            None => {
                // `-`, `1.` and `1e` at the end are cut off; anywhere else they are wrong.
                let is_part = |byte: u8| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E');
                let length = rest.bytes().take_while(|&byte| is_part(byte)).count();
                self.at += if length == rest.len() { length } else { 0 };
                Err(self.syntax("no JSON number"))
            }
        }
    }

    /// A string; the cursor stands on its first quote.
    pub(crate) fn string(&mut self) -> Result<Quoted<'a>, Syntax> {
        self.expect(b'"', "a string in double quotes is expected")?;
        let bytes = self.text.as_bytes();
        let start = self.at;
        let mut escaped = false;
        loop {
            self.at = skip_ordinary(bytes, self.at);
            match bytes.get(self.at) {
                Some(b'"') => break,
                Some(b'\\') => {
                    escaped = true;
                    self.at = (self.at + 2).min(bytes.len());
                }
                Some(_) => {
                    return Err(self.syntax("a control character in a string that is not escaped"));
                }
                None => return Err(self.syntax("a string is not closed")),
            }
        }
        let inner =
            self.text.get(start..self.at).ok_or_else(|| self.syntax("an escape that JSON does not have"))?;
        self.at += 1;
        Ok(Quoted { inner, escaped })
    }

    /// Steps over a key and its colon if they are written so: `"name":`.
    #[inline]
    pub(crate) fn eat_key(&mut self, member: &str) -> bool {
        let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        let is_it = rest.starts_with(member.as_bytes());
        self.at += if is_it { member.len() } else { 0 };
        is_it
    }

    /// A string without its escapes; `scratch` holds it if it has some.
    pub(crate) fn text<'s>(&mut self, scratch: &'s mut String) -> Result<&'s str, Syntax>
    where
        'a: 's,
    {
        let start = self.at;
        let quoted = self.string()?;
        if !quoted.escaped {
            return Ok(quoted.inner);
        }
        scratch.clear();
        unescape(quoted.inner, scratch).map_err(|problem| Syntax { problem, at: start, ended: false })?;
        Ok(scratch)
    }

    /// A key, without its escapes.
    pub(crate) fn key(&mut self) -> Result<Cow<'a, str>, Syntax> {
        let start = self.at;
        let quoted = self.string()?;
        if !quoted.escaped {
            return Ok(Cow::Borrowed(quoted.inner));
        }
        let mut key = String::new();
        unescape(quoted.inner, &mut key).map_err(|problem| Syntax { problem, at: start, ended: false })?;
        Ok(Cow::Owned(key))
    }

    /// Steps over a value, checking all of it. `depth` is the number of arrays and objects around it.
    pub(crate) fn skip(&mut self, depth: usize) -> Result<(), Syntax> {
        match self.peek() {
            Some(b'"') => self.skip_string(),
            Some(b'{') => self.skip_object(depth + 1),
            Some(b'[') => self.skip_array(depth + 1),
            Some(b't') => self.literal("true"),
            Some(b'f') => self.literal("false"),
            Some(b'n') => self.literal("null"),
            Some(b'0'..=b'9') if self.eat_digits() => Ok(()),
            Some(b'-' | b'0'..=b'9' | b'N' | b'I') => match self.not_finite() {
                Some(_) => Ok(()),
                None => self.number().map(drop),
            },
            _ => Err(self.syntax("a JSON value is expected")),
        }
    }

    fn skip_string(&mut self) -> Result<(), Syntax> {
        let start = self.at;
        let quoted = self.string()?;
        if quoted.escaped {
            unescape(quoted.inner, &mut String::new()).map_err(|problem| Syntax {
                problem,
                at: start,
                ended: false,
            })?;
        }
        Ok(())
    }

    fn skip_array(&mut self, depth: usize) -> Result<(), Syntax> {
        self.begin_array(depth)?;
        let mut first = true;
        while self.next_element(&mut first)? {
            self.skip(depth)?;
        }
        Ok(())
    }

    fn skip_object(&mut self, depth: usize) -> Result<(), Syntax> {
        self.begin_object(depth)?;
        let (mut first, mut keys) = (true, KeySet::default());
        while self.next_member(&mut first)? {
            let key = self.key()?;
            if !keys.insert(key) {
                return Err(self.repeated_key_before(0));
            }
            self.expect(b':', "a `:` is expected after a key")?;
            self.skip(depth)?;
        }
        Ok(())
    }

    pub(crate) fn begin_object(&mut self, depth: usize) -> Result<(), Syntax> {
        self.expect(b'{', "a JSON object is expected")?;
        self.check_depth(depth)
    }

    pub(crate) fn begin_array(&mut self, depth: usize) -> Result<(), Syntax> {
        self.expect(b'[', "a JSON array is expected")?;
        self.check_depth(depth)
    }

    /// Whether another element follows in an array; steps over the comma or the end.
    pub(crate) fn next_element(&mut self, first: &mut bool) -> Result<bool, Syntax> {
        self.next(first, b']', "a `,` or `]` is expected in an array").map(|next| !matches!(next, Next::End))
    }

    /// Whether another member follows in an object; steps over the comma or the end.
    #[inline]
    pub(crate) fn next_member(&mut self, first: &mut bool) -> Result<bool, Syntax> {
        if !*first && self.text.as_bytes().get(self.at..self.at + 2) == Some(b",\"") {
            self.at += 1;
            return Ok(true);
        }
        match self.next(first, b'}', "a `,` or `}` is expected in an object")? {
            Next::End => Ok(false),
            Next::Value(Some(b'"')) => Ok(true),
            Next::Value(_) => Err(self.syntax("a key in double quotes is expected")),
        }
    }

    /// What comes next in an object or array. The white space around a comma is passed once.
    #[inline]
    fn next(&mut self, first: &mut bool, close: u8, problem: &'static str) -> Result<Next, Syntax> {
        let is_first = std::mem::take(first);
        match self.peek() {
            Some(next) if next == close => {
                self.at += 1;
                return Ok(Next::End);
            }
            next if is_first => return Ok(Next::Value(next)),
            Some(b',') => self.at += 1,
            _ => return Err(self.syntax(problem)),
        }
        match self.peek() {
            Some(next) if next == close => Err(self.syntax("a comma with nothing after it")),
            next => Ok(Next::Value(next)),
        }
    }

    /// What is wrong with a key that ends some bytes before the cursor.
    pub(crate) fn repeated_key_before(&self, n_bytes: usize) -> Syntax {
        Syntax { problem: "a key occurs twice", at: self.at - n_bytes, ended: false }
    }

    fn check_depth(&self, depth: usize) -> Result<(), Syntax> {
        let problem = "arrays and objects are nested more than 64 deep";
        if depth > MAX_DEPTH { Err(Syntax { problem, at: self.at, ended: false }) } else { Ok(()) }
    }
}

/// What comes after a separator.
enum Next {
    /// The end of the object or array, which was stepped over.
    End,
    /// A value or key that begins with this byte, if there is more.
    Value(Option<u8>),
}

/// The keys of an object so far.
#[derive(Debug, Default)]
pub(crate) struct KeySet<'a> {
    few: Vec<Cow<'a, str>>,
    many: HashSet<Cow<'a, str>>,
}

impl<'a> KeySet<'a> {
    /// Adds a key; false if it was there.
    pub(crate) fn insert(&mut self, key: Cow<'a, str>) -> bool {
        if self.few.contains(&key) {
            return false;
        }
        if self.few.len() < 16 {
            self.few.push(key);
            return true;
        }
        self.many.insert(key)
    }
}

#[cfg(test)]
#[path = "json_cursor_tests.rs"]
mod tests;
