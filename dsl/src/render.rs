//! Diagnostics as text, as one line each for editors, and as data for tools.

use annotate_snippets::renderer::DEFAULT_TERM_WIDTH;
use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use metricc_ir::text::{visible, visible_lines};
use serde::Serialize;

use crate::SourceText;
use crate::code::Severity;
use crate::diagnostic::{Diagnostic, Label, Span};

/// One diagnostic with lines and columns: a line of `--message-format json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Record {
    /// Name of the file.
    pub file: String,
    /// Line of the primary label, from 1.
    pub line: usize,
    /// Column of the primary label in characters, from 1.
    pub column: usize,
    /// Such as `M0012`.
    pub code: &'static str,
    /// Error or warning.
    pub severity: Severity,
    /// One phrase.
    pub message: String,
    /// Labels, the primary one first; spans are in bytes.
    pub labels: Vec<Label>,
    /// What to change.
    pub help: Vec<String>,
    /// Anything else worth knowing.
    pub notes: Vec<String>,
}

/// Any bytes as displayable text.
struct Shown<'a> {
    name: &'a str,
    text: std::borrow::Cow<'a, str>,
    /// Byte offsets of the starts of all lines.
    lines: Vec<usize>,
}

impl<'a> Shown<'a> {
    fn of(source: &'a SourceText) -> Shown<'a> {
        let text = String::from_utf8_lossy(&source.bytes);
        let starts = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(place, _)| place + 1);
        let lines = std::iter::once(0).chain(starts).collect();
        Shown { name: &source.name, text, lines }
    }

    /// The nearest character boundary at or before `at`.
    fn boundary(&self, at: usize) -> usize {
        let mut at = at.min(self.text.len());
        while !self.text.is_char_boundary(at) {
            at -= 1;
        }
        at
    }

    /// Index of the line that holds an offset.
    fn line_of(&self, at: usize) -> usize {
        self.lines.partition_point(|start| *start <= at).saturating_sub(1)
    }

    /// Line and column, both from 1.
    fn position(&self, at: usize) -> (usize, usize) {
        let at = self.boundary(at);
        let line = self.line_of(at);
        (line + 1, self.text[self.lines[line]..at].chars().count() + 1)
    }

    fn end_of_line(&self, line: usize) -> usize {
        self.lines.get(line + 1).copied().unwrap_or(self.text.len())
    }
}

/// In the style of rustc, with the lines of the source. `width` is the width of the terminal in columns; 0
/// means the default.
pub fn full(diagnostics: &[Diagnostic], source: &SourceText, color: bool, width: usize) -> String {
    let shown = Shown::of(source);
    let width = if width == 0 { DEFAULT_TERM_WIDTH } else { width };
    let renderer = if color { Renderer::styled() } else { Renderer::plain() }.term_width(width);
    let mut out = String::new();
    for diagnostic in diagnostics {
        out.push_str(&one(diagnostic, &shown, &renderer));
        out.push_str("\n\n");
    }
    out
}

fn one(diagnostic: &Diagnostic, shown: &Shown<'_>, renderer: &Renderer) -> String {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let span = |label: &Label| Span {
        start: shown.boundary(label.span.start),
        end: shown.boundary(label.span.end.max(label.span.start)),
    };
    // Only the lines in question: a long file costs no more than a short one.
    let spans: Vec<Span> = diagnostic.labels.iter().map(span).collect();
    let whole = spans.iter().copied().reduce(Span::to).unwrap_or(Span { start: 0, end: 0 });
    let first_line = shown.line_of(whole.start);
    let start = shown.lines[first_line];
    let end = shown.end_of_line(shown.line_of(whole.end));
    let annotations = diagnostic.labels.iter().zip(&spans).map(|(label, span)| {
        let kind = if label.primary { AnnotationKind::Primary } else { AnnotationKind::Context };
        let annotation = kind.span(span.start - start..span.end - start);
        if label.text.is_empty() { annotation } else { annotation.label(visible(&label.text)) }
    });
    let snippet = Snippet::source(&shown.text[start..end])
        .line_start(first_line + 1)
        .path(visible(shown.name))
        .annotations(annotations);
    let title = level.primary_title(visible(&diagnostic.message)).id(diagnostic.code.id());
    let mut group = Group::with_title(title).element(snippet);
    for help in &diagnostic.help {
        group = group.element(Level::HELP.message(visible_lines(help)));
    }
    for note in &diagnostic.notes {
        group = group.element(Level::NOTE.message(visible_lines(note)));
    }
    renderer.render(&[group])
}

/// One line each: `file:line:column: error[M0012]: message (help)`.
pub fn short(diagnostics: &[Diagnostic], source: &SourceText) -> String {
    let shown = Shown::of(source);
    let mut out = String::new();
    for diagnostic in diagnostics {
        let (line, column) = shown.position(diagnostic.span().start);
        let help = match diagnostic.help.first() {
            Some(help) => format!(" ({})", visible(help)),
            None => String::new(),
        };
        let (severity, code) = (diagnostic.severity.as_str(), diagnostic.code.id());
        out.push_str(&format!(
            "{}:{line}:{column}: {severity}[{code}]: {}{help}\n",
            visible(shown.name),
            visible(&diagnostic.message)
        ));
    }
    out
}

/// Data for tools, in the same order.
pub fn to_json(diagnostics: &[Diagnostic], source: &SourceText) -> Vec<Record> {
    let shown = Shown::of(source);
    let record = |diagnostic: &Diagnostic| {
        let (line, column) = shown.position(diagnostic.span().start);
        Record {
            file: shown.name.to_owned(),
            line,
            column,
            code: diagnostic.code.id(),
            severity: diagnostic.severity,
            message: diagnostic.message.clone(),
            labels: diagnostic.labels.clone(),
            help: diagnostic.help.clone(),
            notes: diagnostic.notes.clone(),
        }
    };
    diagnostics.iter().map(record).collect()
}
