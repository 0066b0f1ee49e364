//! Names and types: syntax trees → [`ir::Package`]. All errors of all items are found in one go; what
//! depends on something that failed is silent, because the cause has been reported.
//!
//! **None.** An expression may be none for two reasons, and the checker keeps them apart:
//! - *declared*: a `T?` field or element, `none`, an `if` with `none` in it, a division by something
//!   other than a non-zero literal. The author has to say what is meant: ordering, arithmetic and
//!   functions on it ask for `??` or a test (`x != none and x > 3`).
//! - *silent*: overflow of an operator or a cast, a `float` of a record that is NaN or infinite, and whatever
//!   is known to be tested. It flows on by itself: none in, none out, and a `bool` made from it is false.
//!
//! In the IR both are `T?`, which is the truth. Conditions are plain `bool` always: where a `bool`
//! function meets a silent none, the checker writes `?? false` into the IR. Over aggregates (in what a
//! metric presents) every none is silent: the mean of nothing divided by two is none.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::ast::{FieldItem, Item, MetricItem, Name};
use crate::code::{Code, Severity};
use crate::diagnostic::{Diagnostic, Span};
use crate::items::{ItemKind, RawItem};
use derived::Derivations;
use metricc_ir as ir;
use metricc_ir::AnyMetric;

mod aggregate;
mod arguments;
mod calendar;
mod checker;
mod clauses;
mod condition;
mod derived;
mod derived_operands;
mod exact;
mod expression;
mod field;
mod function;
mod import;
mod literal;
mod lookup;
mod member_access;
mod metric;
mod metric_operand;
mod name;
mod number;
mod offset;
mod operator;
mod parameters;
mod period;
mod record;
mod scalar;
mod source;
mod table;
mod test;
mod types;
mod unify;
mod units;
mod uses;
mod value_spelling;
mod window;

pub(crate) use condition::condition;
pub(crate) use uses::Uses;

/// Most metrics in a file, fields in a source or record, keys in a metric.
const MOST_PARTS: usize = 256;

/// The names that items define.
#[derive(Default)]
struct Names {
    /// `None`: the source has errors.
    sources: BTreeMap<String, Option<Arc<ir::Source>>>,
    calendars: BTreeMap<String, CalendarEntry>,
    imports: BTreeMap<String, import::ImportEntry>,
    tables: BTreeMap<String, table::TableEntry>,
    metrics: BTreeSet<String>,
    /// Metrics of other files: what a taken one is made of, and by which name it is taken.
    taken: Vec<(Arc<ir::Metric>, Name)>,
}

struct CalendarEntry {
    /// `None`: the calendar has errors.
    calendar: Option<ir::Calendar>,
    span: Span,
    used: Cell<bool>,
}

/// Checks all items of a file. `unread` are those that could not be parsed: their names are known.
pub(crate) fn package(
    text: &str,
    syntax: &[Item],
    unread: &[RawItem],
    uses: &mut Uses<'_>,
    found: &mut Vec<Diagnostic>,
) -> ir::Package {
    let mut names = Names::default();
    let mut package = ir::Package::default();
    let mut places = Places::default();
    for item in syntax {
        match item {
            Item::Use(item) => uses::take(item, uses, &mut names, &mut places, &mut package, found),
            Item::Source(source) => {
                let checked = source::check(source, found);
                if places.define("source", &source.name, found) {
                    package.sources.extend(checked.clone());
                    names.sources.insert(source.name.text.clone(), checked);
                }
            }
            Item::Calendar(item) => {
                let calendar = calendar::check(item, found);
                if places.define("calendar", &item.name, found) {
                    let named = calendar.clone().map(|calendar| (item.name.text.clone(), calendar));
                    package.calendars.extend(named);
                    let entry = CalendarEntry { calendar, span: item.name.span, used: Cell::new(false) };
                    names.calendars.insert(item.name.text.clone(), entry);
                }
            }
            Item::Import(item) => {
                let checked = import::check(item, found);
                if places.define("import", &item.name, found) {
                    package.imports.extend(checked.clone());
                    let entry =
                        import::ImportEntry { import: checked, span: item.name.span, used: Cell::new(false) };
                    names.imports.insert(item.name.text.clone(), entry);
                }
            }
            Item::Table(item) => {
                let checked = table::check(item, uses, found);
                if places.define("table", &item.name, found) {
                    package.tables.extend(checked.clone());
                    let entry = table::TableEntry::new(checked, item.name.span);
                    names.tables.insert(item.name.text.clone(), entry);
                }
            }
            Item::Metric(metric) => {
                names.metrics.insert(metric.name.text.clone());
            }
            Item::Test(_) => {}
        }
    }
    poison(text, unread, &mut names);
    uses::sources_of_metrics(&mut names, &mut package, found);
    metrics(text, syntax, &names, &mut places, &mut package, found);
    tests(text, syntax, &names, &mut package, found);
    unused(&names, found);
    package
}

/// Items that could not be read still define their names, so that uses of them are no errors.
fn poison(text: &str, unread: &[RawItem], names: &mut Names) {
    for item in unread {
        if item.kind == ItemKind::Use {
            uses::poison_all(text, item.span, names);
        }
        let Some(name) = &item.name else { continue };
        match item.kind {
            ItemKind::Source => {
                names.sources.entry(name.text.clone()).or_insert(None);
            }
            ItemKind::Calendar => {
                let entry = CalendarEntry { calendar: None, span: name.span, used: Cell::new(true) };
                names.calendars.entry(name.text.clone()).or_insert(entry);
            }
            ItemKind::Import => {
                let entry = import::ImportEntry { import: None, span: name.span, used: Cell::new(true) };
                names.imports.entry(name.text.clone()).or_insert(entry);
            }
            ItemKind::Table => {
                let entry = table::TableEntry::new(None, name.span);
                names.tables.entry(name.text.clone()).or_insert(entry);
            }
            ItemKind::Metric => {
                names.metrics.insert(name.text.clone());
            }
            ItemKind::Use | ItemKind::Test | ItemKind::Condition | ItemKind::Other => {}
        }
    }
}

fn metrics(
    text: &str,
    syntax: &[Item],
    names: &Names,
    places: &mut Places,
    package: &mut ir::Package,
    found: &mut Vec<Diagnostic>,
) {
    let items: Vec<&MetricItem> = syntax
        .iter()
        .filter_map(|item| match item {
            Item::Metric(metric) => Some(metric),
            _ => None,
        })
        .collect();
    if let Some(metric) = items.get(MOST_PARTS) {
        found.push(too_many("metrics in a file", metric.name.span).help("split the file"));
        return;
    }
    let (over_metrics, over_events): (Vec<&MetricItem>, Vec<&MetricItem>) =
        items.iter().partition(|item| derived::is_derived(item, names));
    for item in over_events {
        let n_before = found.len();
        let metric = metric::check(text, names, item, found);
        let is_new = places.define("metric", &item.name, found);
        let is_sound = found[n_before..].iter().all(|diagnostic| diagnostic.severity != Severity::Error);
        if is_new && is_sound && !item.damaged {
            package.metrics.extend(metric.map(Arc::new));
        }
    }
    let made = package.all_metrics().map(|metric| (metric.name().to_owned(), metric)).collect();
    let new: Vec<&MetricItem> =
        over_metrics.into_iter().filter(|item| places.define("metric", &item.name, found)).collect();
    let mut derivations = Derivations::new(text, names, made, new.iter().copied());
    for item in new {
        package.derived.extend(derivations.derived(&item.name.text, found));
    }
}

fn tests(text: &str, syntax: &[Item], names: &Names, package: &mut ir::Package, found: &mut Vec<Diagnostic>) {
    let all: Vec<AnyMetric> = package.all_metrics().collect();
    let mut places: BTreeMap<&str, Span> = BTreeMap::new();
    for item in syntax {
        let Item::Test(item) = item else { continue };
        let checked = test::check(text, names, &all, item, found);
        match places.insert(&item.name.text, item.name.span) {
            Some(first) => found.push(duplicate("test", &item.name, first)),
            None => package.tests.extend(checked),
        }
    }
}

fn unused(names: &Names, found: &mut Vec<Diagnostic>) {
    // Beside errors it would be a guess: what failed may use them.
    if found.iter().any(|diagnostic| diagnostic.severity == Severity::Error) {
        return;
    }
    // A file without metrics is there for others to use.
    if names.metrics.is_empty() {
        return;
    }
    for (name, entry) in &names.calendars {
        if !entry.used.get() {
            found.push(
                Diagnostic::new(Code::Unused, format!("calendar `{name}` is never used"), entry.span, "")
                    .help("use it with `in`, or remove it"),
            );
        }
    }
    import::unused(names, found);
    table::unused(&names.tables, found);
}

fn too_many(what: &str, span: Span) -> Diagnostic {
    Diagnostic::new(Code::LimitExceeded, format!("more than {MOST_PARTS} {what}"), span, "the limit is here")
}

/// Where names of one scope were defined.
#[derive(Default)]
struct Places {
    places: BTreeMap<(&'static str, String), Span>,
}

impl Places {
    /// Notes a definition and checks its spelling; false if the name is taken, which is reported.
    fn define(&mut self, what: &'static str, name: &Name, found: &mut Vec<Diagnostic>) -> bool {
        name::check_spelling(name, found);
        self.note(what, name, found)
    }

    /// As [`Places::define`], of something in the data, which may be called otherwise there.
    fn define_field(
        &mut self,
        what: &'static str,
        field: &FieldItem,
        ty: Option<&ir::Type>,
        found: &mut Vec<Diagnostic>,
    ) -> bool {
        name::check_field(field, ty, found);
        self.note(what, &field.name, found)
    }

    fn note(&mut self, what: &'static str, name: &Name, found: &mut Vec<Diagnostic>) -> bool {
        let key = (what, name.text.clone());
        if let Some(first) = self.places.get(&key) {
            found.push(duplicate(what, name, *first));
            return false;
        }
        self.places.insert(key, name.span);
        true
    }
}

fn duplicate(what: &str, name: &Name, first: Span) -> Diagnostic {
    Diagnostic::new(
        Code::DuplicateName,
        format!("{what} `{}` is defined twice", name.text),
        name.span,
        "again here",
    )
    .also(first, "first here")
    .help("choose another name for one of them")
}
