//! The metric language: text → syntax tree → typed metric ([`metricc_ir`]), with all diagnostics at once.
//!
//! Pure: no files, no engine, no clock. The same bytes give the same result on every machine. The stages are
//!
//! | stage | module | what it ensures |
//! |---|---|---|
//! | bytes → tokens | `scan` | UTF-8, characters, the limits that keep every later recursion shallow |
//! | tokens → items | `items` | one broken item does not hide the errors of the next |
//! | item → tree | `parse` | the grammar (`grammar.pest`) |
//! | tree → [`metricc_ir::Metric`] | `check` | names and types |
//!
//! ```
//! use metricc_dsl::{SourceText, check};
//!
//! let text = "
//!     source payments { at: timestamp time  amount: decimal(12, 2) }
//!     metric revenue = sum(amount) { from payments  every 1h }
//! ";
//! let checked = check(&SourceText { name: "payments.metric".into(), bytes: text.into() });
//! assert!(!checked.has_errors());
//! assert_eq!(checked.package.metrics[0].name, "revenue");
//! ```

mod format;
pub mod render;

mod ast;
mod check;
mod code;
mod diagnostic;
mod explain_syntax;
mod files;
mod foreign_phrases;
mod foreign_words;
mod items;
mod parse;
mod question;
mod rust_spelling;
mod scan;

use metricc_ir as ir;
use metricc_ir::explain::Node;

pub use code::{Code, Severity};
pub use diagnostic::{Diagnostic, Label, Span};
pub use files::{Files, NoFiles};
#[doc(hidden)]
pub use foreign_phrases::{Phrase, phrases};
#[doc(hidden)]
pub use foreign_words::{Foreign, ITEMS, OPERATORS, VALUES};
pub use format::format;
pub use question::Question;

/// The text of one `.metric` file. The bytes may be anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceText {
    /// Name as diagnostics show it, such as a path.
    pub name: String,
    /// Content.
    pub bytes: Vec<u8>,
}

/// The result of [`check`].
#[derive(Debug)]
pub struct Checked {
    /// All items without errors. A metric is in it only if its source has no errors either.
    pub package: ir::Package,
    /// All diagnostics, in the order of the text.
    pub diagnostics: Vec<Diagnostic>,
    /// The files that it uses, directly or through others, each once, by name.
    pub used: Vec<SourceText>,
    syntax: Vec<ast::Item>,
    /// Names of the items that could not be read.
    unread: Vec<String>,
}

impl Checked {
    /// Whether one of the diagnostics is an error.
    pub fn has_errors(&self) -> bool {
        self.diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error)
    }

    /// The syntax tree of the metric with that name, if it could be parsed.
    pub fn explain_syntax(&self, metric: &str) -> Option<Node> {
        self.syntax.iter().find_map(|item| match item {
            ast::Item::Metric(item) if item.name.text == metric => Some(explain_syntax::metric(item)),
            _ => None,
        })
    }
}

impl Checked {
    /// The `#[metric]` function equal to the metric with that name, over events of the type `event`. Enums
    /// are compared with their names as strings.
    pub fn rust_spelling(&self, metric: &str, event: &str) -> Option<String> {
        self.syntax.iter().find_map(|item| match item {
            ast::Item::Metric(item) if item.name.text == metric => {
                Some(rust_spelling::metric(item, &self.package, event))
            }
            _ => None,
        })
    }
}

/// Reads, parses and checks a text that uses no files. Total: every input gives a result; most give
/// diagnostics.
pub fn check(text: &SourceText) -> Checked {
    check_with(text, &NoFiles)
}

/// As [`check`], with the files beside the text: those that it may `use`, and the rows of tables.
pub fn check_with(text: &SourceText, files: &(impl Files + ?Sized)) -> Checked {
    let read = |name: &str| files.read(name);
    let mut uses = check::Uses::new(&read);
    let mut checked = check_file(text, &mut uses);
    checked.used = uses.into_texts();
    checked
}

/// Checks a condition over the keys of a metric, as in `country == "IN"`. It stands for itself: it knows no
/// tables, imports or `let`s. The expression is a plain `bool` whose columns are the keys, and false where it
/// cannot be computed.
///
/// # Errors
/// The diagnostics.
pub fn check_condition(
    text: &SourceText,
    metric: &str,
    keys: &[ir::RecordField],
) -> Result<ir::Expr, Vec<Diagnostic>> {
    let mut found = Vec::new();
    let typed = scan::scan(&text.bytes, &mut found).and_then(|scanned| {
        let condition = parse::condition(&scanned, &mut found)?;
        check::condition(scanned.text, metric, keys, &condition, &mut found)
    });
    diagnostic::arrange(&mut found);
    let is_error = |diagnostic: &Diagnostic| diagnostic.severity == Severity::Error;
    match typed {
        Some(typed) if !found.iter().any(is_error) => Ok(typed),
        _ => Err(found),
    }
}

/// Checks one file: the given text, or one that it uses.
fn check_file(text: &SourceText, uses: &mut check::Uses<'_>) -> Checked {
    let mut found = Vec::new();
    uses.enter(&text.name);
    let (syntax, unread, package) = match scan::scan(&text.bytes, &mut found) {
        Some(scanned) => read(&scanned, uses, &mut found),
        None => Default::default(),
    };
    uses.leave();
    diagnostic::arrange(&mut found);
    Checked { package, diagnostics: found, used: Vec::new(), syntax, unread }
}

fn read(
    scanned: &scan::Scanned<'_>,
    uses: &mut check::Uses<'_>,
    found: &mut Vec<Diagnostic>,
) -> (Vec<ast::Item>, Vec<String>, ir::Package) {
    let split = items::split(scanned, found);
    let mut syntax = Vec::new();
    let mut unread = Vec::new();
    for item in split {
        match parse::item(scanned, &item, found) {
            Some(parsed) => syntax.push(parsed),
            None => unread.push(item),
        }
    }
    let package = check::package(scanned.text, &syntax, &unread, uses, found);
    let unread = unread.into_iter().filter_map(|item| Some(item.name?.text)).collect();
    (syntax, unread, package)
}
