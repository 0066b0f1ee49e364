//! `use FILE.{…}`: items of the files beside.
//!
//! A used file is checked by itself, once, whoever uses it; what it defines has the names that it gives them
//! there. Its errors are its own: here stands only that it has some.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::import::ImportEntry;
use super::table::TableEntry;
use super::{CalendarEntry, Names, Places};
use crate::ast::{Item, Name, UseItem};
use crate::code::{Code, Severity};
use crate::diagnostic::Diagnostic;
use crate::{Checked, SourceText, check_file, render};
use metricc_ir as ir;
use metricc_ir::suggest;

/// Most files of which each uses the next.
const MOST_FILES: usize = 64;

/// The files that were read for one that is checked.
pub(crate) struct Uses<'a> {
    read: &'a dyn Fn(&str) -> Result<Vec<u8>, String>,
    /// Names of the files that are being checked, each used by the one before.
    stack: Vec<String>,
    known: BTreeMap<String, Arc<UsedFile>>,
    /// Files of tables, by name.
    data: BTreeMap<String, SourceText>,
    /// A circle that was found and is reported by each of its files, the one that was checked first at its
    /// start.
    circle: Option<Vec<String>>,
}

/// A file that is used.
struct UsedFile {
    text: SourceText,
    package: ir::Package,
    /// Names of all its items, sound or not.
    defined: BTreeSet<String>,
    /// Its first error, with its place.
    error: Option<String>,
}

/// Why a file gives nothing.
enum Unusable {
    Circle(Vec<String>),
    Other { problem: String, help: String },
}

impl<'a> Uses<'a> {
    pub(crate) fn new(read: &'a dyn Fn(&str) -> Result<Vec<u8>, String>) -> Self {
        Uses { read, stack: Vec::new(), known: BTreeMap::new(), data: BTreeMap::new(), circle: None }
    }

    /// All files that were read, by name: packages, then tables.
    pub(crate) fn into_texts(self) -> Vec<SourceText> {
        let packages = self.known.into_values().map(|file| file.text.clone());
        packages.chain(self.data.into_values()).collect()
    }

    /// The content of a file with the rows of a table.
    pub(super) fn data(&mut self, name: &str) -> Result<Vec<u8>, String> {
        let content = (self.read)(name);
        // One that cannot be read is one that was looked for.
        let bytes = content.clone().unwrap_or_default();
        self.data.insert(name.to_owned(), SourceText { name: name.to_owned(), bytes });
        content
    }

    /// Begins a file; it is known by its name without folder and suffix.
    pub(crate) fn enter(&mut self, name: &str) {
        let file = name.rsplit(['/', '\\']).next().unwrap_or(name);
        self.stack.push(file.strip_suffix(".metric").unwrap_or(file).to_owned());
    }

    pub(crate) fn leave(&mut self) {
        self.stack.pop();
    }

    fn load(&mut self, name: &str) -> Result<Arc<UsedFile>, Unusable> {
        if let Some(at) = self.stack.iter().position(|file| file == name) {
            let circle = self.stack[at..].to_vec();
            self.circle = Some(circle.clone());
            return Err(Unusable::Circle(circle));
        }
        if let Some(known) = self.known.get(name) {
            return Ok(known.clone());
        }
        let other = |problem: String, help: &str| Err(Unusable::Other { problem, help: help.to_owned() });
        if self.stack.len() >= MOST_FILES {
            return other(format!("it is the {}th file of a chain", MOST_FILES + 1), "use fewer files");
        }
        let file = format!("{name}.metric");
        let bytes = match (self.read)(&file) {
            Ok(bytes) => bytes,
            Err(problem) => return other(problem, "`use` takes items from a file beside this one"),
        };
        let text = SourceText { name: file, bytes };
        let checked = check_file(&text, self);
        let used = Arc::new(UsedFile::new(text, checked));
        self.known.insert(name.to_owned(), used.clone());
        match (&self.circle, self.stack.last()) {
            (Some(circle), Some(this)) if circle.contains(this) => {
                let circle = circle.clone();
                if circle.first() == Some(this) {
                    self.circle = None;
                }
                Err(Unusable::Circle(circle))
            }
            _ => Ok(used),
        }
    }
}

impl UsedFile {
    fn new(text: SourceText, checked: Checked) -> Self {
        let errors = checked.diagnostics.iter().filter(|found| found.severity == Severity::Error);
        let errors: Vec<Diagnostic> = errors.take(1).cloned().collect();
        let error = (!errors.is_empty()).then(|| render::short(&errors, &text).trim_end().to_owned());
        let defined = checked.syntax.iter().filter_map(defined_name).chain(checked.unread).collect();
        UsedFile { text, package: checked.package, defined, error }
    }
}

fn defined_name(item: &Item) -> Option<String> {
    match item {
        Item::Source(item) => Some(item.name.text.clone()),
        Item::Calendar(item) => Some(item.name.text.clone()),
        Item::Import(item) => Some(item.name.text.clone()),
        Item::Table(item) => Some(item.name.text.clone()),
        Item::Metric(item) => Some(item.name.text.clone()),
        Item::Use(_) | Item::Test(_) => None,
    }
}

/// Takes the items that a `use` names.
pub(super) fn take(
    item: &UseItem,
    uses: &mut Uses<'_>,
    names: &mut Names,
    places: &mut Places,
    package: &mut ir::Package,
    found: &mut Vec<Diagnostic>,
) {
    let file = match uses.load(&item.file.text) {
        Ok(file) => file,
        Err(reason) => {
            found.push(unusable(&item.file, reason));
            item.names.iter().for_each(|name| poison(&name.text, name, names));
            return;
        }
    };
    if let Some(error) = &file.error {
        let message = format!("`{}` has errors", file.text.name);
        let diagnostic = Diagnostic::new(Code::UsedFile, message, item.file.span, "");
        found.push(
            diagnostic
                .help(format!("`metricc check {}` shows all of them", file.text.name))
                .note(format!("the first is {error}")),
        );
    }
    for name in &item.names {
        if !file.defined.contains(&name.text) {
            found.push(unknown(name, &file));
            poison(&name.text, name, names);
            continue;
        }
        take_one(name, &file.package, names, places, package, found);
        if file.error.is_some() {
            poison(&name.text, name, names);
        }
    }
}

/// A name may stand for a source, a calendar, an import, a table and a metric at once.
fn take_one(
    name: &Name,
    used: &ir::Package,
    names: &mut Names,
    places: &mut Places,
    package: &mut ir::Package,
    found: &mut Vec<Diagnostic>,
) {
    let text = &name.text;
    if let Some(source) = used.sources.iter().find(|source| source.name == *text)
        && places.define("source", name, found)
    {
        package.sources.push(source.clone());
        names.sources.insert(text.clone(), Some(source.clone()));
    }
    if let Some((_, calendar)) = used.calendars.iter().find(|(known, _)| known == text)
        && places.define("calendar", name, found)
    {
        package.calendars.push((text.clone(), calendar.clone()));
        let entry =
            CalendarEntry { calendar: Some(calendar.clone()), span: name.span, used: Cell::new(false) };
        names.calendars.insert(text.clone(), entry);
    }
    if let Some(import) = used.imports.iter().find(|import| import.name == *text)
        && places.define("import", name, found)
    {
        package.imports.push(import.clone());
        let entry = ImportEntry { import: Some(import.clone()), span: name.span, used: Cell::new(false) };
        names.imports.insert(text.clone(), entry);
    }
    if let Some(table) = used.tables.iter().find(|table| table.name == *text)
        && places.define("table", name, found)
    {
        package.tables.push(table.clone());
        let entry = TableEntry::new(Some(table.clone()), name.span);
        // It may have been taken for something else of this name.
        let is_more = used.all_metrics().any(|metric| metric.name() == text)
            || used.sources.iter().any(|source| source.name == *text);
        entry.used.set(is_more);
        names.tables.insert(text.clone(), entry);
    }
    if let Some(metric) = used.metrics.iter().find(|metric| metric.name == *text)
        && places.define("metric", name, found)
    {
        package.metrics.push(metric.clone());
        names.metrics.insert(text.clone());
        names.taken.push((metric.clone(), name.clone()));
    }
    if let Some(derived) = used.derived.iter().find(|derived| derived.name == *text)
        && places.define("metric", name, found)
    {
        package.derived.push(derived.clone());
        names.metrics.insert(text.clone());
        names.taken.extend(derived.operands.iter().map(|operand| (operand.metric.clone(), name.clone())));
    }
}

/// The sources of taken metrics are part of the package, and mean there what they mean where the metric was
/// defined.
pub(super) fn sources_of_metrics(names: &mut Names, package: &mut ir::Package, found: &mut Vec<Diagnostic>) {
    for (metric, name) in &names.taken {
        let source = &metric.source;
        match package.sources.iter().find(|known| known.name == source.name) {
            Some(known) if known == source => {}
            Some(_) => {
                let message = format!("`{}` reads another source `{}`", name.text, source.name);
                found.push(
                    Diagnostic::new(Code::DuplicateName, message, name.span, "")
                        .help("take the source from the same file, or give this one another name"),
                );
            }
            None => package.sources.push(source.clone()),
        }
        if !names.sources.contains_key(&source.name) {
            names.sources.insert(source.name.clone(), Some(source.clone()));
        }
        for import in metric.imports() {
            if !package.imports.iter().any(|known| known.name == import.name) {
                package.imports.push(Arc::new(import.clone()));
            }
        }
    }
}

/// Uses of a name that could not be taken are no errors.
fn poison(text: &str, name: &Name, names: &mut Names) {
    names.sources.entry(text.to_owned()).or_insert(None);
    let calendar = CalendarEntry { calendar: None, span: name.span, used: Cell::new(true) };
    names.calendars.entry(text.to_owned()).or_insert(calendar);
    let import = ImportEntry { import: None, span: name.span, used: Cell::new(true) };
    names.imports.entry(text.to_owned()).or_insert(import);
    names.tables.entry(text.to_owned()).or_insert(TableEntry::new(None, name.span));
    names.metrics.insert(text.to_owned());
}

/// What an item that could not be read names: all of its words.
pub(super) fn poison_all(text: &str, span: crate::Span, names: &mut Names) {
    let words = text[span.start..span.end].split(|letter: char| !(letter.is_alphanumeric() || letter == '_'));
    for word in words.filter(|word| !word.is_empty()) {
        poison(word, &Name { text: word.to_owned(), span }, names);
    }
}

fn unusable(file: &Name, reason: Unusable) -> Diagnostic {
    match reason {
        Unusable::Circle(mut files) => {
            files.extend(files.first().cloned());
            Diagnostic::new(Code::CircularUse, "files that use each other", file.span, files.join(" → "))
                .help("put what both need into a file of its own")
        }
        Unusable::Other { problem, help } => {
            let message = format!("`{}.metric` cannot be used: {problem}", file.text);
            Diagnostic::new(Code::UsedFile, message, file.span, "").help(help)
        }
    }
}

fn unknown(name: &Name, file: &UsedFile) -> Diagnostic {
    let message = format!("`{}` defines no `{}`", file.text.name, name.text);
    let diagnostic = Diagnostic::new(Code::UnknownName, message, name.span, "");
    let known: Vec<&str> = file.defined.iter().map(String::as_str).collect();
    match (suggest::nearest(&name.text, known.iter().copied()), known.len()) {
        (Some(meant), _) => diagnostic.help(format!("did you mean `{meant}`?")),
        (None, 0) => diagnostic.help("it defines nothing"),
        (None, 1..=12) => diagnostic.help(format!("it defines {}", suggest::all_of(&known))),
        (None, _) => diagnostic.help("`metricc check` on that file shows whether it is sound"),
    }
}
