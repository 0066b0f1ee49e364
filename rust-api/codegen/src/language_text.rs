//! Text of the metric language written from Rust tokens, with the token that each part came from.
//!
//! The macros check nothing themselves: `metricc-dsl` checks the text, and its errors are mapped back to the
//! tokens.

use std::fmt::Write as _;

use metricc_dsl::{Diagnostic, Files, Severity, SourceText, check_with};
use metricc_ir as ir;
use proc_macro2::Span;

use crate::problem::Problems;

/// Text under construction.
#[derive(Debug, Default)]
pub(crate) struct LanguageText {
    text: String,
    /// Where a part of the text ends, and its token; ascending.
    pieces: Vec<(usize, Span)>,
}

impl LanguageText {
    /// Appends text that stands for one token.
    pub(crate) fn push(&mut self, text: &str, span: Span) {
        self.text.push_str(text);
        self.pieces.push((self.text.len(), span));
    }

    /// Appends a string literal.
    pub(crate) fn push_string(&mut self, value: &str, span: Span) {
        self.push(&string_literal(value), span);
    }

    /// Appends text that was written from other tokens.
    pub(crate) fn append(&mut self, other: &LanguageText) {
        let start = self.text.len();
        self.text.push_str(&other.text);
        self.pieces.extend(other.pieces.iter().map(|(end, span)| (start + end, *span)));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// Checks the text, with the files that it uses. Errors are mapped to their tokens; `None` if there are
    /// any.
    pub(crate) fn check(
        &self,
        name: &str,
        files: &dyn Files,
        problems: &mut Problems,
    ) -> Option<ir::Package> {
        let text = SourceText { name: name.to_owned(), bytes: self.text.clone().into_bytes() };
        let checked = check_with(&text, files);
        let errors = checked.diagnostics.iter().filter(|found| found.severity == Severity::Error);
        let n_before = problems.len();
        errors.for_each(|error| self.report(error, problems));
        (problems.len() == n_before).then_some(checked.package)
    }

    fn report(&self, error: &Diagnostic, problems: &mut Problems) {
        let span = error.span();
        let (start, end) = self.tokens_of(span.start, span.end);
        problems.push_between(start, end, &describe(error));
    }

    /// The first and the last token of a range of the text.
    fn tokens_of(&self, start: usize, end: usize) -> (Span, Span) {
        let first = self.pieces.partition_point(|(piece_end, _)| *piece_end <= start);
        let last = self.pieces.partition_point(|(piece_end, _)| *piece_end < end).max(first);
        let span = |place: usize| {
            let piece = self.pieces.get(place).or(self.pieces.last());
            piece.map_or_else(Span::call_site, |(_, span)| *span)
        };
        (span(first), span(last))
    }
}

/// An error in one string: message and label, then help and notes.
pub(crate) fn describe(error: &Diagnostic) -> String {
    let mut text = error.message.clone();
    if let Some(label) = error.labels.iter().find(|label| label.primary && !label.text.is_empty()) {
        let _ = write!(text, ": {}", label.text);
    }
    for help in &error.help {
        let _ = write!(text, "\n\nhelp: {}", in_rust(help));
    }
    for note in &error.notes {
        let _ = write!(text, "\n\nnote: {note}");
    }
    let _ = write!(text, "\n\n[{}]", error.code.id());
    text
}

/// A help, with the Rust spelling where it differs.
fn in_rust(help: &str) -> String {
    let spelling = match help {
        _ if help.contains("??") => ".unwrap_or(…)",
        _ if help.contains("{ every ") => ".every(…)",
        _ if help.contains("stands in the data") => "#[event(rename = \"…\", from = \"…\")]",
        _ => return help.to_owned(),
    };
    format!("{help} (in Rust: `{spelling}`)")
}

/// A value as a string literal of the language.
pub(crate) fn string_literal(value: &str) -> String {
    let mut text = String::from("\"");
    for character in value.chars() {
        match character {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\t' => text.push_str("\\t"),
            control if control.is_control() => {
                let _ = write!(text, "\\u{{{:X}}}", u32::from(control));
            }
            other => text.push(other),
        }
    }
    text.push('"');
    text
}
