//! A question: a metric without a name, checked as if it stood at the end of a package. So it may use all
//! that the package has: sources, tables, functions, calendars and metrics.
//!
//! Diagnostics are about the text of the question alone, whatever stands before it.

use metricc_ir as ir;
use metricc_ir::AnyMetric;

use crate::ast::Item;
use crate::diagnostic::arrange;
use crate::scan;
use crate::{
    Code, Diagnostic, Files, Label, Severity, SourceText, Span, check_with, format, items, parse, render,
};

/// The name of the text in diagnostics.
const NAME: &str = "question";

/// A question that was checked with a package.
#[derive(Debug)]
pub struct Question {
    /// The text of the question.
    pub text: SourceText,
    /// What is wrong with it; spans are of its text.
    pub diagnostics: Vec<Diagnostic>,
    /// Its metric, unless it has errors.
    pub metric: Option<AnyMetric>,
    /// The package with the metric at its end.
    pub package: ir::Package,
    /// The text of the metric, formatted.
    pub metric_text: String,
}

impl Question {
    /// Checks a question with a package that has no errors, as a metric of this name.
    pub fn check(
        package: &SourceText,
        files: &(impl Files + ?Sized),
        name: &str,
        question: &str,
    ) -> Question {
        let text = SourceText { name: NAME.to_owned(), bytes: question.as_bytes().to_vec() };
        let before = String::from_utf8_lossy(&package.bytes);
        let before = before.trim_end();
        let found = form_of(question).or_else(|| form_of_name(name));
        if let Some(diagnostic) = found {
            let (diagnostics, package) = (vec![diagnostic], ir::Package::default());
            return Question { text, diagnostics, metric: None, package, metric_text: String::new() };
        }
        let head = format!("{before}\n\nmetric {name} = ");
        let (start, end) = (head.len(), head.len() + question.len());
        let whole = SourceText { name: package.name.clone(), bytes: format!("{head}{question}\n").into() };
        let checked = check_with(&whole, files);
        let own = |diagnostic: Diagnostic| of_question(diagnostic, before.len(), start, end);
        let mut diagnostics: Vec<Diagnostic> = checked.diagnostics.into_iter().filter_map(own).collect();
        arrange(&mut diagnostics);
        let has_errors = diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error);
        let named = |metric: &AnyMetric| metric.name() == name;
        let metric = checked.package.all_metrics().find(named).filter(|_| !has_errors);
        let item =
            SourceText { name: NAME.to_owned(), bytes: format!("metric {name} = {question}\n").into() };
        let as_it_is = || format!("metric {name} = {}\n", question.trim());
        let metric_text = format(&item).unwrap_or_else(|_| as_it_is());
        Question { text, diagnostics, metric, package: checked.package, metric_text }
    }

    /// A name for a question that nothing in a package has.
    pub fn free_name(package: &SourceText) -> String {
        let text = String::from_utf8_lossy(&package.bytes);
        let is_word = |character: char| character.is_ascii_alphanumeric() || character == '_';
        let is_free = |name: &String| text.split(|character| !is_word(character)).all(|word| word != name);
        let names = std::iter::once(NAME.to_owned()).chain((2..).map(|n: u64| format!("{NAME}_{n}")));
        let mut free = names.filter(is_free);
        free.next().unwrap_or_default()
    }

    /// The errors, as `metricc check` shows them; none if there are none.
    pub fn errors(&self, color: bool, width: usize) -> Option<String> {
        let errors = self.diagnostics.iter().filter(|diagnostic| diagnostic.severity == Severity::Error);
        let errors: Vec<Diagnostic> = errors.cloned().collect();
        let text = render::full(&errors, &self.text, color, width);
        (!errors.is_empty()).then(|| text.trim_end().to_owned())
    }
}

/// What is wrong with the form of a question: it is the value and the body of one metric, and nothing else.
fn form_of(question: &str) -> Option<Diagnostic> {
    let whole = Span { start: 0, end: question.len() };
    let probe = format!("metric q = {question}\n");
    let shift = probe.len() - question.len() - 1;
    let scanned = scan::scan(probe.as_bytes(), &mut Vec::new())?;
    let mut words = scanned.tokens.iter().map(|token| scanned.token_text(*token)).skip(3);
    let first = words.next();
    let help = "write the value and the body alone, as in `count() { from events  by country }`";
    let Some(first) = first else {
        return Some(Diagnostic::new(Code::NothingDefined, "the question is empty", whole, "").help(help));
    };
    let split = items::split(&scanned, &mut Vec::new());
    let [_, other, ..] = &split[..] else { return None };
    let span =
        Span { start: other.span.start.saturating_sub(shift), end: other.span.end.saturating_sub(shift) };
    let span = Span { start: span.start.min(whole.end), end: span.end.min(whole.end) };
    let is_named = first == "metric" && words.next().is_some() && words.next() == Some("=");
    let help = if is_named { "leave out `metric NAME =`: a question has no name" } else { help };
    let message = "a question is one metric, and this is more";
    Some(Diagnostic::new(Code::Syntax, message, span, "another item begins here").help(help))
}

/// What is wrong with the name that a question is to have.
fn form_of_name(name: &str) -> Option<Diagnostic> {
    let probe = format!("metric {name} = count()\n");
    let mut found = Vec::new();
    let is_metric = scan::scan(probe.as_bytes(), &mut found).is_some_and(|scanned| {
        let split = items::split(&scanned, &mut found);
        let [raw] = &split[..] else { return false };
        matches!(parse::item(&scanned, raw, &mut found), Some(Item::Metric(item)) if item.name.text == name)
    });
    if is_metric {
        return None;
    }
    let message = format!("`{name}` is not a name for a metric");
    let help = "a name has letters, digits and `_`, begins with a letter, and is no word of the language";
    Some(Diagnostic::new(Code::NameSpelling, message, Span { start: 0, end: 0 }, "").help(help))
}

/// A diagnostic as one of the question; `None` if it is about the package before it. One about the name of
/// the question stands at its start.
fn of_question(diagnostic: Diagnostic, before: usize, start: usize, end: usize) -> Option<Diagnostic> {
    if diagnostic.span().start < before {
        return None;
    }
    let moved = |at: usize| at.clamp(start, end) - start;
    let mut labels = Vec::with_capacity(diagnostic.labels.len());
    let mut notes = diagnostic.notes.clone();
    for label in &diagnostic.labels {
        if label.span.start >= before {
            let span = Span { start: moved(label.span.start), end: moved(label.span.end) };
            labels.push(Label { span, ..label.clone() });
        } else if !label.text.is_empty() {
            notes.push(format!("in the package: {}", label.text));
        }
    }
    Some(Diagnostic { labels, notes, ..diagnostic })
}
