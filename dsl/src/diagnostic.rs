//! A diagnostic about a text: what is wrong, where, and how to mend it. Messages follow rustc: lower case, no
//! full stop, code in backticks; the message never has the fix, `help` does.

use serde::Serialize;

use crate::code::Code;
pub(crate) use crate::code::Severity;

/// A range of bytes in the text, `start ≤ end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Span {
    /// First byte.
    pub start: usize,
    /// The byte after the last one.
    pub end: usize,
}

impl Span {
    /// The smallest span that holds both.
    pub(crate) fn to(self, other: Span) -> Span {
        Span { start: self.start.min(other.start), end: self.end.max(other.end) }
    }
}

/// A range of the text, and a remark on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Label {
    /// Where.
    pub span: Span,
    /// What; may be empty.
    pub text: String,
    /// Whether this is the range of the diagnostic itself; exactly one label is.
    pub primary: bool,
}

/// An error or a warning.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// Its kind.
    pub code: Code,
    /// Error or warning.
    pub severity: Severity,
    /// One phrase.
    pub message: String,
    /// Ranges of the text, the primary one first.
    pub labels: Vec<Label>,
    /// What to change.
    pub help: Vec<String>,
    /// Anything else worth knowing.
    pub notes: Vec<String>,
}

impl Diagnostic {
    /// A diagnostic for a range; `label` is a short remark on it.
    pub(crate) fn new(
        code: Code,
        message: impl Into<String>,
        span: Span,
        label: impl Into<String>,
    ) -> Diagnostic {
        Diagnostic {
            code,
            severity: code.severity(),
            message: message.into(),
            labels: vec![Label { span, text: label.into(), primary: true }],
            help: Vec::new(),
            notes: Vec::new(),
        }
    }

    pub(crate) fn also(mut self, span: Span, label: impl Into<String>) -> Diagnostic {
        self.labels.push(Label { span, text: label.into(), primary: false });
        self
    }

    pub(crate) fn help(mut self, text: impl Into<String>) -> Diagnostic {
        self.help.push(text.into());
        self
    }

    pub(crate) fn note(mut self, text: impl Into<String>) -> Diagnostic {
        self.notes.push(text.into());
        self
    }

    /// The range of the diagnostic itself.
    pub fn span(&self) -> Span {
        self.labels.iter().find(|label| label.primary).map_or(Span { start: 0, end: 0 }, |label| label.span)
    }
}

/// Maximum number of diagnostics shown: a file with more has one cause, and a report must stay readable.
pub(crate) const MOST_SHOWN: usize = 200;

/// Sorts by position, removes repetitions, and cuts the list at the maximum.
pub(crate) fn arrange(found: &mut Vec<Diagnostic>) {
    found.sort_by(|left, right| {
        let key = |diagnostic: &Diagnostic| (diagnostic.span(), diagnostic.code);
        key(left).cmp(&key(right)).then_with(|| left.message.cmp(&right.message))
    });
    found.dedup();
    let n_found = found.len();
    if n_found > MOST_SHOWN {
        let n_errors = found.iter().filter(|diagnostic| diagnostic.severity == Severity::Error).count();
        // Errors are kept before warnings, so that a cut list never makes the file look usable.
        let mut n_warnings = MOST_SHOWN.saturating_sub(n_errors);
        found.retain(|diagnostic| {
            let kept = diagnostic.severity == Severity::Error || n_warnings > 0;
            if kept && diagnostic.severity == Severity::Warning {
                n_warnings -= 1;
            }
            kept
        });
        found.truncate(MOST_SHOWN);
        if let Some(last) = found.last_mut() {
            last.notes.push(format!("{} more diagnostics are not shown", n_found - MOST_SHOWN));
        }
    }
}
