//! The language from outside: text in, diagnostics and typed metrics out.

#![allow(clippy::too_many_lines, reason = "a test is one story, told in order")]

mod aggregates;
mod codes;
mod derived;
mod format;
mod language;
mod limits;
mod names;
mod phrases;
mod properties;
mod questions;
mod recovery;
mod rules;
mod spelled;
mod tables;
mod test_blocks;
mod uses;

use metricc_dsl::{Checked, Code, SourceText, check, render};
use metricc_ir::Metric;

/// A file of this text.
fn file(text: impl Into<Vec<u8>>) -> SourceText {
    SourceText { name: "example.metric".into(), bytes: text.into() }
}

/// Checks a text.
fn checked(text: &str) -> Checked {
    check(&file(text))
}

/// The diagnostics of a text as a person sees them.
fn rendered(text: &str) -> String {
    let file = file(text);
    render::full(&check(&file).diagnostics, &file, false, 110)
}

/// The codes found in a text, in its order.
fn codes(text: &str) -> Vec<Code> {
    checked(text).diagnostics.iter().map(|diagnostic| diagnostic.code).collect()
}

/// A source with one field of every kind.
const EVENTS: &str = r#"
calendar india { zone "Asia/Kolkata", week sunday }
source events {
  id:       string key
  at:       timestamp time
  n:        int
  m:        int
  maybe:    int?
  price:    decimal(12, 2)
  fee:      decimal(10, 4)
  ratio:    float
  name:     string
  nick:     string?
  status:   enum("captured", "failed", "refunded")
  day_of:   date
  took:     duration
  flag:     bool
  unsure:   bool?
  tags:     list<string>
  hints:    list<string?>?
}
"#;

/// A metric over [`EVENTS`] with this value and these clauses.
fn over_events(value: &str, clauses: &str) -> String {
    format!("{EVENTS}\nmetric m = {value} {{ from events {clauses} }}\n")
}

/// The metric of [`over_events`], which has to be sound.
fn metric(value: &str, clauses: &str) -> std::sync::Arc<Metric> {
    let text = over_events(value, clauses);
    let checked = checked(&text);
    let errors: Vec<_> = checked.diagnostics.iter().filter(|found| found.code != Code::Unused).collect();
    assert!(errors.is_empty(), "{}", rendered(&text));
    checked.package.metrics.first().expect("the metric").clone()
}

/// The codes of [`over_events`], without those about names that the example does not use.
fn event_codes(value: &str, clauses: &str) -> Vec<Code> {
    let mut codes = codes(&over_events(value, clauses));
    codes.retain(|code| *code != Code::Unused);
    codes
}
