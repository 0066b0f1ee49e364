//! One finding about a text: what, where, and the way out. The words follow rustc: lower case, no
//! full stop, code in backticks; the message never holds the fix, `help` does.

use serde::Serialize;

use crate::code::Code;

/// A range of bytes in the text, `start ≤ end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Span {
    /// First byte.
    pub start: usize,
    /// First byte behind.
    pub end: usize,
}

impl Span {
    /// The smallest span that holds both.
    pub(crate) fn to(self, other: Span) -> Span {
        Span { start: self.start.min(other.start), end: self.end.max(other.end) }
    }
}

/// Whether a finding stops the file from being used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The item is not usable.
    Error,
    /// The item is usable, and probably not what was meant.
    Warning,
}

impl Severity {
    /// `error` or `warning`.
    pub fn as_str(self) -> &'static str {
        match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
        }
    }
}

/// A place in the text, and what is to be said of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Label {
    /// Where.
    pub span: Span,
    /// What; may be empty.
    pub text: String,
    /// Whether this is the place of the finding itself; exactly one label of a diagnostic is.
    pub primary: bool,
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// What kind of finding.
    pub code: Code,
    /// Error or warning.
    pub severity: Severity,
    /// One phrase.
    pub message: String,
    /// Places, the primary one first.
    pub labels: Vec<Label>,
    /// What to change.
    pub help: Vec<String>,
    /// Anything else worth knowing.
    pub notes: Vec<String>,
}

impl Diagnostic {
    /// A finding with its place; `label` says in a few words what is there.
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

    /// The place of the finding itself.
    pub fn span(&self) -> Span {
        self.labels.iter().find(|label| label.primary).map_or(Span { start: 0, end: 0 }, |label| label.span)
    }
}

/// More findings than this are not shown: a file with so many has one cause, and a report must stay readable.
pub(crate) const MOST_SHOWN: usize = 200;

/// Sorts by place, removes repetitions, and cuts what nobody would read.
pub(crate) fn arrange(found: &mut Vec<Diagnostic>) {
    found.sort_by(|left, right| {
        let key = |diagnostic: &Diagnostic| (diagnostic.span(), diagnostic.code);
        key(left).cmp(&key(right)).then_with(|| left.message.cmp(&right.message))
    });
    found.dedup();
    let n_found = found.len();
    if n_found > MOST_SHOWN {
        let n_errors = found.iter().filter(|diagnostic| diagnostic.severity == Severity::Error).count();
        // Errors go first, so that a cut never makes the file look usable.
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
            last.notes.push(format!("{} more findings are not shown", n_found - MOST_SHOWN));
        }
    }
}
