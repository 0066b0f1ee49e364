//! Bytes → tokens, and the limits. Every later stage may recurse over its input, because nothing deep, long
//! or unreadable gets past this module.
//!
//! The scan also finds what is wrong with single characters (control characters, names in other
//! scripts, operators of other languages), where a parser could only say that it expected something else.

use crate::code::Code;
use crate::diagnostic::{Diagnostic, Span};
use crate::foreign_words::OPERATORS;
use metricc_ir::quoted;

mod characters;
mod limits;

pub(crate) use limits::check as check_limits;

/// Largest file, in bytes.
const LARGEST_FILE: usize = 256 * 1024;
/// Most tokens in a file.
const MOST_TOKENS: usize = 50_000;
/// Largest literal, in bytes.
const LARGEST_LITERAL: usize = 64 * 1024;

/// The kinds of token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TokenKind {
    /// A name or a word of the language.
    Word,
    /// A number with its suffix, if it has one.
    Number,
    /// A string with its quotes.
    String,
    /// `///` to the end of the line.
    Doc,
    /// Anything else; compound operators are one token.
    Punctuation,
}

/// A token with its place.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Token {
    pub(crate) kind: TokenKind,
    pub(crate) span: Span,
}

/// The tokens of a file.
#[derive(Debug)]
pub(crate) struct Scanned<'a> {
    pub(crate) text: &'a str,
    pub(crate) tokens: Vec<Token>,
    /// Positions of unreadable characters, ascending; they are reported already.
    pub(crate) unreadable: Vec<usize>,
}

impl Scanned<'_> {
    pub(crate) fn token_text(&self, token: Token) -> &str {
        &self.text[token.span.start..token.span.end]
    }
}

/// Reads a file. `None` if it cannot be read at all; the reason is then reported.
pub(crate) fn scan<'a>(bytes: &'a [u8], found: &mut Vec<Diagnostic>) -> Option<Scanned<'a>> {
    if bytes.len() > LARGEST_FILE {
        let span = Span { start: LARGEST_FILE, end: LARGEST_FILE };
        found.push(
            Diagnostic::new(
                Code::LimitExceeded,
                format!("the file has {} bytes", bytes.len()),
                span,
                "the limit is here",
            )
            .help(format!("split the file: the limit is {LARGEST_FILE} bytes")),
        );
        return None;
    }
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let start = error.valid_up_to();
            let end = start + error.error_len().unwrap_or(bytes.len() - start);
            found.push(
                Diagnostic::new(
                    Code::UnreadableText,
                    "the file is not UTF-8",
                    Span { start, end },
                    "no character starts with these bytes",
                )
                .help("save the file as UTF-8"),
            );
            return None;
        }
    };
    let mut scanner = Scanner { text, at: 0, tokens: Vec::new(), unreadable: Vec::new(), found };
    scanner.forbidden_characters();
    scanner.run()?;
    let Scanner { tokens, mut unreadable, .. } = scanner;
    unreadable.sort_unstable();
    Some(Scanned { text, tokens, unreadable })
}

struct Scanner<'a, 'f> {
    text: &'a str,
    at: usize,
    tokens: Vec<Token>,
    unreadable: Vec<usize>,
    found: &'f mut Vec<Diagnostic>,
}

fn is_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

impl<'a> Scanner<'a, '_> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    /// Length in bytes of the characters from here on that satisfy `belongs`.
    fn run_length(&self, belongs: impl Fn(char) -> bool) -> usize {
        let rest = self.rest();
        rest.find(|character| !belongs(character)).unwrap_or(rest.len())
    }

    fn reject(&mut self, diagnostic: Diagnostic) {
        self.unreadable.push(diagnostic.span().start);
        self.found.push(diagnostic);
    }

    fn forbidden_characters(&mut self) {
        for (start, character) in self.text.char_indices() {
            if characters::is_forbidden(character) {
                let span = Span { start, end: start + character.len_utf8() };
                self.reject(
                    Diagnostic::new(
                        Code::UnreadableText,
                        format!("control character {}", characters::named(character)),
                        span,
                        "it is invisible",
                    )
                    .help("remove it, or write it as an escape in a string, such as `\\u{1F}`"),
                );
            }
        }
    }

    fn run(&mut self) -> Option<()> {
        if self.text.starts_with('\u{FEFF}') {
            self.at = '\u{FEFF}'.len_utf8();
        }
        while let Some(first) = self.rest().chars().next() {
            if matches!(first, ' ' | '\t' | '\r' | '\n') || characters::is_forbidden(first) {
                self.at += first.len_utf8();
            } else if self.rest().starts_with("//") {
                self.comment();
            } else if let Some(length) = self.foreign_comment() {
                self.at += length;
            } else if first.is_ascii_digit() {
                self.number();
            } else if is_word(first) {
                self.word();
            } else if first == '"' {
                self.string();
            } else {
                self.punctuation(first);
            }
            if self.tokens.len() > MOST_TOKENS {
                let span = self.tokens[MOST_TOKENS].span;
                self.found.push(
                    Diagnostic::new(
                        Code::LimitExceeded,
                        format!("the file has more than {MOST_TOKENS} tokens"),
                        span,
                        "the limit is here",
                    )
                    .help("split the file"),
                );
                return None;
            }
        }
        Some(())
    }

    fn push(&mut self, kind: TokenKind, length: usize) {
        let span = Span { start: self.at, end: self.at + length };
        self.tokens.push(Token { kind, span });
        self.at = span.end;
        if length > LARGEST_LITERAL {
            self.reject(
                Diagnostic::new(
                    Code::LimitExceeded,
                    format!("a literal of {length} bytes"),
                    Span { start: span.start, end: span.start + 1 },
                    "it begins here",
                )
                .help(format!("the limit is {LARGEST_LITERAL} bytes")),
            );
        }
    }

    fn comment(&mut self) {
        let length = self.run_length(|character| character != '\n');
        let text = &self.rest()[..length];
        let span = Span { start: self.at, end: self.at + length };
        if text.starts_with("///") && !text.starts_with("////") {
            return self.push(TokenKind::Doc, length);
        }
        if text.starts_with("//!") && !self.tokens.is_empty() {
            self.reject(
                Diagnostic::new(
                    Code::DocComment,
                    "`//!` describes the file and must come first",
                    span,
                    "items come before it",
                )
                .help("use `///` for the item below, or `//`"),
            );
        }
        self.at = span.end;
    }

    /// Reports a comment of another language, and returns its length: nothing in it is read.
    fn foreign_comment(&mut self) -> Option<usize> {
        let rest = self.rest();
        let line = rest.find('\n').unwrap_or(rest.len());
        let (sign, length) = if rest.starts_with('#') {
            ("#", line)
        } else if self.is_dashes() {
            ("--", line)
        } else if rest.starts_with("/*") {
            ("/*", rest.find("*/").map_or(line, |end| end + 2))
        } else {
            return None;
        };
        let span = Span { start: self.at, end: self.at + sign.len() };
        let message = format!("a comment that begins with `{sign}`");
        let help = match sign {
            "/*" => "begin each line of it with `//`, and end none with `*/`",
            _ => "begin it with `//`",
        };
        self.reject(Diagnostic::new(Code::ForeignSpelling, message, span, "").help(help));
        Some(length)
    }

    /// Whether a comment of SQL begins here. Two minus signs before an operand are two minus signs.
    fn is_dashes(&self) -> bool {
        let Some(behind) = self.rest().strip_prefix("--") else { return false };
        let before = &self.text[..self.at];
        let is_first = before.trim_end_matches([' ', '\t']).ends_with('\n') || before.trim().is_empty();
        is_first || behind.starts_with([' ', '\t', '\r', '\n', '-']) || behind.is_empty()
    }

    fn number(&mut self) {
        let mut length = self.run_length(|character| character.is_ascii_digit() || character == '_');
        let behind = &self.rest()[length..];
        if behind.starts_with('.') && behind[1..].starts_with(|digit: char| digit.is_ascii_digit()) {
            let from = length + 1;
            let digits = &self.rest()[from..];
            length = from
                + digits
                    .find(|digit: char| !(digit.is_ascii_digit() || digit == '_'))
                    .unwrap_or(digits.len());
        }
        let suffix = &self.rest()[length..];
        length += suffix.find(|character| !is_word(character)).unwrap_or(suffix.len());
        self.non_ascii(length);
        self.push(TokenKind::Number, length);
    }

    fn word(&mut self) {
        let length = self.run_length(is_word);
        self.non_ascii(length);
        self.push(TokenKind::Word, length);
    }

    fn non_ascii(&mut self, length: usize) {
        let word = &self.rest()[..length];
        if word.is_ascii() {
            return;
        }
        let span = Span { start: self.at, end: self.at + length };
        self.reject(
            Diagnostic::new(
                Code::UnreadableText,
                format!("`{word}` has letters other than `a` to `z`"),
                span,
                "such letters may look like others",
            )
            .help("names are `[a-z_][a-z0-9_]*`; put other text in quotes")
            .help(format!("a field says where it stands in the data: `name: type from {}`", quoted(word))),
        );
    }

    fn string(&mut self) {
        let mut escaped = false;
        for (place, character) in self.rest().char_indices().skip(1) {
            match character {
                '\n' => break,
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                '"' => return self.push(TokenKind::String, place + 1),
                _ => {}
            }
        }
        let length = self.run_length(|character| character != '\n');
        let span = Span { start: self.at, end: self.at + self.rest()[..length].trim_end().len() };
        self.reject(
            Diagnostic::new(
                Code::StringLiteral,
                "the string is not closed on its line",
                span,
                "it begins here",
            )
            .help("close it with `\"`; write a line break as `\\n`"),
        );
        self.push(TokenKind::String, length);
    }

    fn punctuation(&mut self, first: char) {
        let rest = self.rest();
        let mut words = OPERATORS.iter().flat_map(|row| row.words.iter().map(move |word| (row, *word)));
        if let Some((row, word)) = words.find(|(_, word)| rest.starts_with(word)) {
            let span = Span { start: self.at, end: self.at + word.len() };
            let message = format!("`{word}` {}", row.problem);
            self.reject(Diagnostic::new(Code::ForeignSpelling, message, span, "").help(row.help));
            return self.push(TokenKind::Punctuation, word.len());
        }
        for operator in ["==", "!=", "<=", ">=", "??"] {
            if rest.starts_with(operator) {
                return self.push(TokenKind::Punctuation, operator.len());
            }
        }
        match first {
            '{' | '}' | '(' | ')' | '[' | ']' | '<' | '>' | ',' | ':' | '=' | '+' | '-' | '*' | '/' | '%'
            | '?' | '.' => self.push(TokenKind::Punctuation, 1),
            '\'' => self.single_quotes(),
            _ => self.stray(first),
        }
    }

    fn single_quotes(&mut self) {
        let rest = self.rest();
        let line = &rest[..rest.find('\n').unwrap_or(rest.len())];
        let length = line[1..].find('\'').map_or(1, |place| place + 2);
        let span = Span { start: self.at, end: self.at + length };
        let mut diagnostic = Diagnostic::new(Code::ForeignSpelling, "text in single quotes", span, "");
        diagnostic = match length {
            3..=80 => diagnostic.help(format!("write `\"{}\"`", &line[1..length - 1])),
            _ => diagnostic.help("put text in double quotes"),
        };
        self.reject(diagnostic);
        self.push(TokenKind::String, length);
    }

    fn stray(&mut self, first: char) {
        let span = Span { start: self.at, end: self.at + first.len_utf8() };
        let named = characters::named(first);
        let (message, label, help) = match () {
            () if first.is_ascii() => {
                (format!("`{first}` has no meaning here"), String::new(), "remove it, or put it in quotes")
            }
            () if characters::is_space(first) => {
                (format!("{named} between words"), "it looks like a space".to_owned(), "write a plain space")
            }
            () if characters::is_invisible(first) => {
                (format!("{named} has no meaning here"), "it is invisible".to_owned(), "remove it")
            }
            () => (format!("`{first}` has no meaning here"), named, "remove it, or put it in quotes"),
        };
        self.reject(Diagnostic::new(Code::UnreadableText, message, span, label).help(help));
        self.push(TokenKind::Punctuation, first.len_utf8());
    }
}
