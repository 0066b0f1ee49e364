//! `test "…" { given … expect … }` → [`Test`]: names and types of what is written out.
//!
//! Records of `given` stay text: only the decoder of the log says what they are worth, so that a test sees
//! what users see. What is plainly no value of its field is found here already.

use std::collections::BTreeMap;

use super::{MOST_PARTS, Names, clauses, name, too_many};
use crate::ast::{Name, RowItem, TestClause, TestItem};
use crate::code::Code;
use crate::diagnostic::{Diagnostic, Span};
use metricc_ir::suggest;
use metricc_ir::{AnyMetric, Expected, ExpectedRow, Given, RowType, Test, Window};

mod datum;
mod expected;
mod given;

/// The test; `None` if it has errors, or looks at something that has.
pub(super) fn check(
    text: &str,
    names: &Names,
    metrics: &[AnyMetric],
    item: &TestItem,
    found: &mut Vec<Diagnostic>,
) -> Option<Test> {
    let mut checker = TestChecker { text, names, metrics, found, is_sound: !item.damaged };
    name::check_label("the name of a test", &item.name.text, item.name.span, checker.found);
    checker.once(item);
    let of_kind = |is_expected| item.clauses.iter().filter(move |clause| clause.is_expected == is_expected);
    let given: Vec<Given> = of_kind(false).filter_map(|clause| checker.given(clause)).collect();
    let expected: Vec<Expected> = of_kind(true).filter_map(|clause| checker.expected(clause)).collect();
    if of_kind(true).next().is_none() {
        checker.report(
            Diagnostic::new(Code::TestClause, "a test that expects nothing", item.name.span, "")
                .help("say what comes out: `expect METRIC [ … ]`"),
        );
    }
    // A source of another name was meant, perhaps.
    let is_known = given.len() == of_kind(false).count();
    for (clause, expected) in of_kind(true).zip(&expected).filter(|_| is_known) {
        let sources = expected.metric.base().into_iter().map(|metric| &metric.source.name);
        let is_missing = |source: &&String| !of_kind(false).any(|clause| clause.name.text == **source);
        if let Some(source) = sources.into_iter().find(is_missing) {
            let message = format!("the test gives no `{source}`, which `{}` reads", clause.name.text);
            checker.report(
                Diagnostic::new(Code::TestClause, message, clause.name.span, "").help(format!(
                    "give its events: `given {source} [ … ]`, or `given {source} []` for none"
                )),
            );
        }
    }
    let is_whole = given.len() + expected.len() == item.clauses.len();
    (checker.is_sound && is_whole).then(|| Test {
        name: item.name.text.clone(),
        line: line_of(text, item.name.span),
        given,
        expected,
    })
}

/// The line on which a span begins, from 1.
fn line_of(text: &str, span: Span) -> usize {
    text.as_bytes()[..span.start].iter().filter(|byte| **byte == b'\n').count() + 1
}

struct TestChecker<'a> {
    text: &'a str,
    names: &'a Names,
    metrics: &'a [AnyMetric],
    found: &'a mut Vec<Diagnostic>,
    is_sound: bool,
}

impl TestChecker<'_> {
    fn report(&mut self, diagnostic: Diagnostic) {
        self.is_sound = false;
        self.found.push(diagnostic);
    }

    /// Each source is given once, and each metric expected once.
    fn once(&mut self, item: &TestItem) {
        let mut seen: BTreeMap<(bool, &str), Span> = BTreeMap::new();
        for clause in &item.clauses {
            if let Some(first) = seen.insert((clause.is_expected, &clause.name.text), clause.name.span) {
                let message = match clause.is_expected {
                    true => format!("`{}` is expected twice", clause.name.text),
                    false => format!("`{}` is given twice", clause.name.text),
                };
                self.report(
                    Diagnostic::new(Code::TestClause, message, clause.name.span, "again here")
                        .also(first, "first here")
                        .help("put all rows into one list"),
                );
            }
        }
    }

    fn given(&mut self, clause: &TestClause) -> Option<Given> {
        let source = clauses::source(&clause.name, self.names, self.found)?;
        self.few(clause)?;
        let rows = clause.rows.iter().map(|row| self.given_row(&source, row)).collect::<Option<_>>()?;
        Some(Given { source, rows })
    }

    fn expected(&mut self, clause: &TestClause) -> Option<Expected> {
        let metric = self.metric(&clause.name)?;
        let row_type = metric.row_type();
        self.few(clause)?;
        let rows: Vec<ExpectedRow> =
            clause.rows.iter().map(|row| self.expected_row(&row_type, row)).collect::<Option<_>>()?;
        self.groups_once(clause, &row_type, &rows)?;
        Some(Expected { metric, line: line_of(self.text, clause.span), rows })
    }

    /// A group has one row.
    fn groups_once(&mut self, clause: &TestClause, row_type: &RowType, rows: &[ExpectedRow]) -> Option<()> {
        let start = |row: &ExpectedRow| {
            row.start.or_else(|| row.end.and_then(|end| expected::start_of(&row_type.window, end)))
        };
        let is_session = matches!(row_type.window, Window::Session { .. });
        for (place, row) in rows.iter().enumerate() {
            let is_same = |other: &&ExpectedRow| {
                let same_end = !is_session || other.end == row.end;
                start(other) == start(row) && same_end && other.keys == row.keys
            };
            if let Some(first) = rows[..place].iter().position(|other| is_same(&other)) {
                let message = "two rows of one window and key";
                self.report(
                    Diagnostic::new(Code::TestRow, message, clause.rows[place].span, "again here")
                        .also(clause.rows[first].span, "first here")
                        .help("a group has one row: remove one of them"),
                );
                return None;
            }
        }
        Some(())
    }

    fn few(&mut self, clause: &TestClause) -> Option<()> {
        let Some(row) = clause.rows.get(MOST_PARTS) else { return Some(()) };
        self.report(too_many("rows in a list", row.span).help("a test shows one thing: use fewer rows"));
        None
    }

    fn metric(&mut self, name: &Name) -> Option<AnyMetric> {
        if self.names.metrics.contains(&name.text) {
            return self.metrics.iter().find(|metric| metric.name() == name.text).cloned();
        }
        let message = format!("there is no metric `{}`", name.text);
        let diagnostic = Diagnostic::new(Code::UnknownMetric, message, name.span, "");
        let help = match suggest::nearest(&name.text, self.names.metrics.iter().map(String::as_str)) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None if self.names.metrics.is_empty() => "the file defines none".to_owned(),
            None => {
                let known: Vec<&String> = self.names.metrics.iter().take(8).collect();
                format!("there is {}", suggest::all_of(&known))
            }
        };
        self.report(diagnostic.help(help));
        None
    }

    /// Whether every name of a row stands there once.
    fn names_once(&mut self, row: &RowItem) -> Option<()> {
        let mut seen: BTreeMap<&str, Span> = BTreeMap::new();
        let mut is_sound = true;
        for (name, _) in &row.cells {
            if let Some(first) = seen.insert(&name.text, name.span) {
                self.report(
                    Diagnostic::new(
                        Code::DuplicateName,
                        format!("`{}` stands twice in a row", name.text),
                        name.span,
                        "again here",
                    )
                    .also(first, "first here")
                    .help("remove one of them"),
                );
                is_sound = false;
            }
        }
        is_sound.then_some(())
    }

    fn unknown(&mut self, name: &Name, what: String, known: &[&str]) {
        let diagnostic = Diagnostic::new(Code::UnknownName, what, name.span, "");
        let help = match suggest::nearest(&name.text, known.iter().copied()) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => format!("it has {}", suggest::all_of(known)),
        };
        self.report(diagnostic.help(help));
    }
}
