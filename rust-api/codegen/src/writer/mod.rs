//! Rust expressions → text of the metric language: the body of a `#[metric]` function becomes a `metric`
//! item.
//!
//! Expressions nest in each other, so all of them are written by one [`Writer`]; each file adds the methods
//! for one kind: the steps of a chain (`chain`, `window`, `lookup`), closures and their `let`s (`closure`),
//! values over a row (`value`, `call`), aggregates over a group (`aggregate`), and what only derived metrics
//! have (`derived`).
//!
//! Invariant: the writer knows spellings only. Whether a name exists, and which types fit, is the checker's
//! to decide.

mod aggregate;
mod call;
mod chain;
mod closure;
mod derived;
mod lookup;
mod value;
mod window;

use proc_macro2::Span;
use syn::{Expr, ExprMethodCall, Path};

use crate::definition::{EventDefinition, ImportDefinition, TableDefinition};
use crate::language_text::LanguageText;
use crate::problem::Problems;
use crate::scope::Binding;

/// An import of a metric: what it is, and by which path.
pub(crate) struct Imported<'a> {
    pub(crate) definition: &'a ImportDefinition,
    pub(crate) path: &'a Path,
}

/// A table of a metric: what it is, and by which path.
pub(crate) struct LookedUpTable<'a> {
    pub(crate) definition: &'a TableDefinition,
    pub(crate) path: &'a Path,
}

/// Writes one metric.
pub(crate) struct Writer<'a> {
    pub(crate) definition: &'a EventDefinition,
    pub(crate) imports: &'a [Imported<'a>],
    pub(crate) tables: &'a [LookedUpTable<'a>],
    pub(crate) problems: &'a mut Problems,
    /// Calendars that are used: zone, and day on which weeks start.
    pub(crate) calendars: Vec<(String, String, Span)>,
    /// Clauses that have to keep their order: `each`, `let` and `lookup`.
    pub(crate) bindings: LanguageText,
    filters: Vec<LanguageText>,
    keys: Option<LanguageText>,
    pub(crate) window: Option<LanguageText>,
    pub(crate) unit: Option<LanguageText>,
    value: LanguageText,
    /// What a closure of the next step is given.
    pub(crate) row: Binding,
    /// Names that are taken in the scope of rows.
    taken: Vec<String>,
}

impl<'a> Writer<'a> {
    pub(crate) fn new(
        definition: &'a EventDefinition,
        imports: &'a [Imported<'a>],
        tables: &'a [LookedUpTable<'a>],
        problems: &'a mut Problems,
    ) -> Self {
        Writer {
            taken: definition.fields.iter().map(|field| field.name.clone()).collect(),
            definition,
            imports,
            tables,
            problems,
            calendars: Vec::new(),
            bindings: LanguageText::default(),
            filters: Vec::new(),
            keys: None,
            window: None,
            unit: None,
            value: LanguageText::default(),
            row: Binding::Row,
        }
    }

    /// The calendars that are used.
    pub(crate) fn push_calendars(&self, text: &mut LanguageText) {
        for (place, (zone, week, span)) in self.calendars.iter().enumerate() {
            text.push(&format!("calendar calendar_{} {{ zone ", place + 1), *span);
            text.push_string(zone, *span);
            text.push(&format!(", week {week} }}\n"), *span);
        }
    }

    /// The only argument of a step; an error if there is another number of them.
    pub(crate) fn only_argument<'b>(&mut self, call: &'b ExprMethodCall) -> Option<&'b Expr> {
        if call.args.len() != 1 {
            let help = format!("`{}` takes one argument", call.method);
            self.problems.push(call.method.span(), &help);
        }
        call.args.first().filter(|_| call.args.len() == 1)
    }

    pub(crate) fn unique(&mut self, name: &str) -> String {
        let mut unique = name.to_owned();
        let mut number = 2;
        while self.taken.contains(&unique) {
            unique = format!("{name}_{number}");
            number += 1;
        }
        self.taken.push(unique.clone());
        unique
    }
}
