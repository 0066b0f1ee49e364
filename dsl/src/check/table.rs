//! `table NAME { … }` and the file `NAME.csv` beside it → [`Table`].
//!
//! The rows are read when the package is checked, so that what a metric means is known from its files alone:
//! the same files are the same metric, and whatever is wrong with a row is found here and not while events
//! are read.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::sync::Arc;

use super::{MOST_PARTS, Places, Uses, field, too_many, types, value_spelling};
use crate::ast::{FieldItem, MarkerKind, TableItem};
use crate::code::{Code, Severity};
use crate::diagnostic::{Diagnostic, Span};
use metricc_ir::text::{self, TextRules, csv_cells};
use metricc_ir::{Held, Kind, Lookup, Path, RecordField, Table, Value};
use metricc_ir::{expression_text, suggest};

/// Most rows of a table.
const MOST_ROWS: usize = 1_000_000;
/// Most findings that are reported of one file.
const MOST_FINDINGS: usize = 5;

/// What a name stands for.
pub(super) struct TableEntry {
    /// `None`: the table has errors.
    table: Option<Arc<Table>>,
    pub(super) span: Span,
    pub(super) used: Cell<bool>,
    /// The columns that are looked up, by index: their content is hashed once.
    lookups: RefCell<BTreeMap<usize, Arc<Lookup>>>,
}

impl TableEntry {
    pub(super) fn new(table: Option<Arc<Table>>, span: Span) -> Self {
        let used = Cell::new(table.is_none());
        TableEntry { table, span, used, lookups: RefCell::default() }
    }

    /// The table; `None` if it has errors, which are reported.
    pub(super) fn table(&self) -> Option<&Arc<Table>> {
        self.used.set(true);
        self.table.as_ref()
    }

    /// A column of the table.
    pub(super) fn lookup(&self, table: &Arc<Table>, column: usize) -> Arc<Lookup> {
        let mut lookups = self.lookups.borrow_mut();
        lookups.entry(column).or_insert_with(|| Arc::new(Lookup::new(table.clone(), column))).clone()
    }
}

/// The table; `None` if it or its file has errors, which are reported.
pub(super) fn check(
    item: &TableItem,
    uses: &mut Uses<'_>,
    found: &mut Vec<Diagnostic>,
) -> Option<Arc<Table>> {
    let n_before = found.len();
    let (columns, rules, keys) = columns(item, found)?;
    let is_sound = found[n_before..].iter().all(|diagnostic| diagnostic.severity != Severity::Error);
    if !is_sound || item.damaged {
        return None;
    }
    let file = format!("{}.csv", item.name.text);
    let mut reader = Reader { item, file: &file, columns: &columns, rules: &rules, n_findings: 0, found };
    let content = uses.data(&file);
    let rows = reader.rows(content)?;
    let rows = reader.by_key(rows, &keys)?;
    let (name, doc) = (item.name.text.clone(), item.doc.clone());
    Some(Arc::new(Table { name, doc, columns, keys, rows, index: Held::default() }))
}

/// The declared columns, how their cells are read, and which of them are keys.
type Columns = (Vec<RecordField>, Vec<TextRules>, Vec<usize>);

fn columns(item: &TableItem, found: &mut Vec<Diagnostic>) -> Option<Columns> {
    if let Some(column) = item.columns.get(MOST_PARTS) {
        let diagnostic = too_many("columns in a table", column.name.span);
        found.push(diagnostic.help("columns that are not named are ignored"));
        return None;
    }
    let mut places = Places::default();
    let (mut columns, mut rules, mut keys) = (Vec::new(), Vec::new(), Vec::new());
    let nulls = value_spelling::texts(&item.nulls);
    for (index, column) in item.columns.iter().enumerate() {
        let ty = types::resolve(&column.ty, found);
        places.define_field("column", column, ty.as_ref(), found);
        let Some(ty) = ty else { continue };
        if matches!(ty.kind, Kind::List(_)) {
            let message = format!("a column of type `{ty}`");
            let diagnostic = Diagnostic::new(Code::TableFile, message, column.ty.span, "");
            found.push(diagnostic.help("a cell of a table is one value"));
        }
        if is_key(column, found) {
            if ty.optional || matches!(ty.kind, Kind::Float) {
                let message = format!("a key of type `{ty}`");
                let help = if ty.optional {
                    "what a row is looked up by is always there: remove the `?`"
                } else {
                    "floats that look equal may differ: use an `int`, a `decimal` or a `string`"
                };
                found.push(Diagnostic::new(Code::KeyField, message, column.ty.span, "").help(help));
            }
            keys.push(index);
        }
        let field = field::column(column, &ty, &nulls, found);
        rules.extend(field.and_then(|field| {
            TextRules::new(&field.ty.kind, &field.spelling, field.zone.as_deref(), field.unit).ok()
        }));
        columns.push(RecordField { name: column.name.text.clone(), ty });
    }
    if keys.is_empty() {
        let message = format!("table `{}` has no key", item.name.text);
        found.push(
            Diagnostic::new(Code::TableKey, message, item.name.span, "")
                .help("mark the columns that rows are looked up by: `id: int key`"),
        );
        return None;
    }
    let n_sound = columns.len().min(rules.len());
    (n_sound == item.columns.len()).then_some((columns, rules, keys))
}

/// Whether the column is marked `key`; what events alone have is reported.
fn is_key(column: &FieldItem, found: &mut Vec<Diagnostic>) -> bool {
    let mut is_key = false;
    for marker in &column.markers {
        match marker.kind {
            MarkerKind::Key => is_key = true,
            MarkerKind::Time | MarkerKind::Default(_) => found.push(
                Diagnostic::new(
                    Code::FieldMarker,
                    "a marker that only fields of sources have",
                    marker.span,
                    "",
                )
                .help("a column of a table has no `time` and no default: remove it"),
            ),
            _ => {}
        }
    }
    is_key
}

/// A row with the line on which it starts.
type NumberedRow = (usize, Vec<Value>);

/// Reads the file of a table.
struct Reader<'a> {
    item: &'a TableItem,
    file: &'a str,
    columns: &'a [RecordField],
    rules: &'a [TextRules],
    n_findings: usize,
    found: &'a mut Vec<Diagnostic>,
}

impl Reader<'_> {
    /// Reports something about the file; none comes of it.
    fn problem<T>(&mut self, code: Code, message: String, span: Span, help: impl Into<String>) -> Option<T> {
        self.n_findings += 1;
        if self.n_findings <= MOST_FINDINGS {
            self.found.push(Diagnostic::new(code, message, span, "").help(help));
        }
        None
    }

    /// The rows of the file, in its order.
    fn rows(&mut self, content: Result<Vec<u8>, String>) -> Option<Vec<NumberedRow>> {
        let (file, name) = (self.file, self.item.name.span);
        let bytes = match content {
            Ok(bytes) => bytes,
            Err(problem) => {
                let message = format!("`{file}` cannot be read: {problem}");
                let header = self.headers()?;
                let help =
                    format!("the rows of a table are a CSV file, with the header `{}`", header.join(","));
                return self.problem(Code::TableFile, message, name, help);
            }
        };
        let Ok(text) = String::from_utf8(bytes) else {
            return self.problem(
                Code::TableFile,
                format!("`{file}` is no UTF-8 text"),
                name,
                "save it as UTF-8",
            );
        };
        let mut records = csv_cells::records(&text);
        let (places, n_cells) = self.header(records.next())?;
        let mut rows = Some(Vec::new());
        for (line, record) in records {
            let row = self.row(line, record, &places, n_cells);
            match (row, &mut rows) {
                (Some(row), Some(rows)) if rows.len() < MOST_ROWS => rows.push((line, row)),
                (Some(_), Some(_)) => {
                    let message = format!("`{file}` has more than {MOST_ROWS} rows");
                    return self.problem(
                        Code::LimitExceeded,
                        message,
                        name,
                        "put what it says into the events",
                    );
                }
                (None, _) => rows = None,
                _ => {}
            }
            if self.n_findings > MOST_FINDINGS {
                break;
            }
        }
        rows
    }

    /// Where the columns stand in the records of the file, and of how many cells these are.
    fn header(&mut self, record: Option<(usize, &str)>) -> Option<(Vec<usize>, usize)> {
        let (file, name) = (self.file, self.item.name.span);
        let Some((line, record)) = record else {
            let help = "its first line names the columns";
            return self.problem(Code::TableFile, format!("`{file}` is empty"), name, help);
        };
        let mut cells = Vec::new();
        if let Err(problem) = csv_cells::split(record, &mut cells) {
            let message = format!("`{file}`, line {line}: {problem}");
            return self.problem(Code::TableFile, message, name, "cells are quoted as in RFC 4180");
        }
        let names: Vec<_> = cells.iter().map(csv_cells::Cell::text).collect();
        if names.iter().any(|name| name.contains('\r')) {
            let message = format!("the lines of `{file}` end with carriage returns alone");
            let help = "save it with the line breaks of Unix or of Windows";
            return self.problem(Code::TableFile, message, name, help);
        }
        let headers = self.headers()?;
        if let ([only], Some(mark)) =
            (names.as_slice(), record.chars().find(|mark| matches!(mark, ';' | '\t')))
            && headers.iter().all(|header| **header != **only)
        {
            let message = format!("the cells of `{file}` are separated by {mark:?}");
            return self.problem(Code::TableFile, message, name, "save it with commas between them");
        }
        let mut places = Some(Vec::new());
        for ((column, declared), header) in self.columns.iter().zip(&self.item.columns).zip(&headers) {
            let mut with_name = names.iter().enumerate().filter(|(_, name)| **name == *header);
            let place = match (with_name.next(), with_name.next()) {
                (Some((place, _)), None) => Some(place),
                (Some(_), Some(_)) => {
                    let message = format!("`{file}` has two columns `{header}`");
                    self.problem(Code::TableFile, message, declared.name.span, "rename one of them")
                }
                (None, _) => {
                    let message = format!("`{file}` has no column `{header}`");
                    let known: Vec<&str> = names.iter().map(AsRef::as_ref).collect();
                    let RecordField { name, ty } = column;
                    let help = match suggest::lookalike(header, known.iter().copied()) {
                        Some(meant) => format!(
                            "did you mean `{meant}`? write `{name}: {ty} from {}`",
                            Path::of_name(meant)
                        ),
                        None => format!(
                            "its columns are {}; say which is meant, such as `{name}: {ty} from \"…\"`",
                            columns_text(&known)
                        ),
                    };
                    self.problem(Code::TableFile, message, declared.name.span, help)
                }
            };
            match (place, &mut places) {
                (Some(place), Some(places)) => places.push(place),
                _ => places = None,
            }
        }
        Some((places?, names.len()))
    }

    /// The header of each declared column.
    fn headers(&mut self) -> Option<Vec<String>> {
        let header = |column: &FieldItem| match column.path() {
            Some(path) => field::path_of(path, &column.name.text, self.found)
                .map(|path| if path.is_own() { column.name.text.clone() } else { path.header() }),
            None => Some(column.name.text.clone()),
        };
        self.item.columns.iter().map(header).collect()
    }

    fn row(&mut self, line: usize, record: &str, places: &[usize], n_cells: usize) -> Option<Vec<Value>> {
        let (file, name) = (self.file, self.item.name.span);
        let mut cells = Vec::with_capacity(n_cells);
        if let Err(problem) = csv_cells::split(record, &mut cells) {
            let message = format!("`{file}`, line {line}: {problem}");
            return self.problem(Code::TableFile, message, name, "cells are quoted as in RFC 4180");
        }
        if cells.len() != n_cells {
            let message =
                format!("`{file}`, line {line}: {} cells, and {n_cells} in the header", cells.len());
            return self.problem(
                Code::TableFile,
                message,
                name,
                "a cell with a comma in it stands in quotes",
            );
        }
        let columns = self.columns.iter().zip(self.rules).zip(&self.item.columns).zip(places);
        let values: Vec<Option<Value>> = columns
            .map(|((column, declared), place)| self.value(line, &cells[*place], column, declared))
            .collect();
        values.into_iter().collect()
    }

    fn value(
        &mut self,
        line: usize,
        cell: &csv_cells::Cell<'_>,
        (RecordField { name, ty }, rules): (&RecordField, &TextRules),
        declared: &FieldItem,
    ) -> Option<Value> {
        let place = format!("`{}`, line {line}", self.file);
        let text = cell.text();
        if cell.is_none() || rules.is_null(&text) {
            if ty.optional {
                return Some(Value::None);
            }
            let is_key = declared.markers.iter().any(|marker| matches!(marker.kind, MarkerKind::Key));
            let help = match ty.kind {
                _ if is_key => "a row has all of its keys: give it one, or remove it".to_owned(),
                Kind::String => {
                    format!("write `{name}: string?` if it may be none, or `\"\"` for an empty text")
                }
                _ => format!("write `{name}: {}?` if it may be none", ty.kind),
            };
            return self.problem(Code::TableFile, format!("{place}: no `{name}`"), declared.name.span, help);
        }
        match text::cell(&text, &ty.kind, rules) {
            Ok(value) => Some(value),
            Err(_) if rules.invalid_is_none() => Some(Value::None),
            Err(problem) => {
                let message = format!("{place}: `{name}` is `{}`, {problem}", shown(&text));
                let help = match ty.kind {
                    Kind::Timestamp if !rules.has_formats() => {
                        "write a value such as `2026-04-25T10:00:00Z`, with an offset".to_owned()
                    }
                    _ => format!("write a value of type `{}`", ty.kind),
                };
                self.problem(Code::TableFile, message, declared.name.span, help)
            }
        }
    }

    /// The rows in an order of their keys; no two have the same.
    fn by_key(&mut self, rows: Vec<NumberedRow>, keys: &[usize]) -> Option<Vec<Vec<Value>>> {
        let text = |row: &NumberedRow| {
            let values: Vec<&Value> = keys.iter().map(|key| &row.1[*key]).collect();
            serde_json::to_string(&values).unwrap_or_default()
        };
        let mut rows: Vec<(String, NumberedRow)> = rows.into_iter().map(|row| (text(&row), row)).collect();
        rows.sort_by(|left, right| (&left.0, left.1.0).cmp(&(&right.0, right.1.0)));
        let mut is_sound = true;
        for pair in rows.windows(2) {
            let [(first, (first_line, _)), (second, (line, row))] = pair else { continue };
            if first == second {
                let values =
                    keys.iter().map(|key| expression_text::value(&row[*key], &self.columns[*key].ty.kind));
                let values = values.map(|value| shown(&value)).collect::<Vec<_>>().join(", ");
                let message = format!("`{}` has two rows of the key {values}", self.file);
                let help = format!(
                    "they are in lines {first_line} and {line}: keep one, or mark what tells them apart `key`"
                );
                let span = self.item.columns[keys[0]].name.span;
                is_sound = self.problem::<()>(Code::TableKey, message, span, help).is_some();
            }
        }
        is_sound.then(|| rows.into_iter().map(|(_, (_, row))| row).collect())
    }
}

/// A cell or a name for a message: short, and on one line.
fn shown(text: &str) -> String {
    let mut shown: String = text.chars().take(40).flat_map(char::escape_debug).collect();
    if text.chars().nth(40).is_some() {
        shown.push('…');
    }
    shown.replace("\\\"", "\"").replace("\\'", "'")
}

/// Names of columns, the first of them if there are many.
fn columns_text(names: &[&str]) -> String {
    let shown: Vec<String> = names.iter().take(10).map(|name| shown(name)).collect();
    match names.len().checked_sub(10) {
        None | Some(0) => suggest::all_of(&shown),
        Some(more) => format!("`{}` and {more} more", shown.join("`, `")),
    }
}

/// Warns of tables that nothing looks up.
pub(super) fn unused(tables: &BTreeMap<String, TableEntry>, found: &mut Vec<Diagnostic>) {
    for (name, entry) in tables.iter().filter(|(_, entry)| !entry.used.get()) {
        let message = format!("table `{name}` is never looked up");
        let help = format!("look it up with `lookup row = {name}[…]`, or remove it");
        found.push(Diagnostic::new(Code::Unused, message, entry.span, "").help(help));
    }
}
