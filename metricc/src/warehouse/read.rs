//! The rows of a file, as rows of a metric.
//!
//! A file of rows is read as a log: the decoder knows all formats and says where a value does not decode.
//! Each column is read on its own, as the type of the metric, or else as the nearest other type that reads
//! all of its values.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, new_empty_array};
use arrow::compute::concat;
use arrow::datatypes::TimestampMicrosecondType;
use metricc_ir::{Field, Kind, Path, RowType, Source, Type, Value, Window};
use metricc_log::{Binding, Interval, Log, LogError, ReadStats, arrow_type};

use super::columns::{Columns, WINDOW, Wanted, lack_text};
use super::span::Span;
use metricc_comparison::compare::{Clock, Column, RowSet, Windows};

/// Rows that are read at once.
const BATCH_ROWS: usize = 8192;

/// The name of the time that a source must have; no column is called so.
const NO_TIME: &str = "\u{0}time";

/// Two zones whose clocks never show the same: a time that both read as one instant says its offset.
const ZONE: &str = "UTC";
const OTHER_ZONE: &str = "Etc/GMT+11";

/// Digits after the point of decimals that are read where floats are expected.
const SCALE: u8 = 18;

/// The rows of a file.
#[derive(Debug)]
pub(crate) struct TheirRows {
    /// The rows, with the names of the metric.
    pub(crate) rows: RowSet,
    /// Values of the metric that are not compared, and why.
    pub(crate) left_out: Vec<String>,
    /// The windows that are compared; `None` if all are.
    pub(crate) span: Option<Span>,
}

/// Opens the file as a log of a source.
pub(crate) type Open<'a> = dyn Fn(&Arc<Source>, &Binding) -> Result<Log, LogError> + 'a;

/// Reads the rows of a metric from a file.
///
/// # Errors
/// A message: columns are missing or one does not decode, or two rows have the same window and keys.
pub(crate) fn read(
    binding: &Binding,
    metric: &RowType,
    columns: &Columns,
    open: &Open<'_>,
) -> Result<TheirRows, String> {
    let table = Table { binding, open };
    let lacking = lacking(&table, metric, columns)?;
    let windows = match metric.window {
        Window::AllTime => None,
        _ => Some(table.windows(columns.of(WINDOW))?),
    };
    let key = |key: &metricc_ir::RecordField| {
        table.column(&key.name, columns.of(&key.name), &[plain(&key.ty.kind)])
    };
    let keys = metric.keys.iter().map(key).collect::<Result<Vec<_>, String>>()?;
    let (mut outputs, mut left_out) = (Vec::new(), Vec::new());
    for (output, name) in metric.outputs.iter().zip(metric.output_names()) {
        if !is_of_column(&output.ty.kind) {
            left_out.push(format!("`{name}` is a {}, which no column has", output.ty.kind));
        } else if lacking.contains(name) {
            left_out.push(format!("`{name}`: the file has no such column"));
        } else {
            outputs.push(table.column(name, columns.of(name), &candidates(&output.ty.kind))?);
        }
    }
    if outputs.is_empty() {
        return Err(format!("no value of `{}` can be compared: {}", metric.name, left_out.join("; ")));
    }
    let n_rows = outputs.first().map_or(0, |output| output.values.len());
    if n_rows == 0 {
        return Err(format!(
            "{} has no rows\n  help: export the rows again, and look at its query",
            binding.path
        ));
    }
    let rows = RowSet { n_rows, windows, keys, outputs };
    check_groups(&rows, &binding.path)?;
    let span = Span::of(&rows);
    Ok(TheirRows { rows, left_out, span })
}

/// Each group has one row.
fn check_groups(rows: &RowSet, path: &str) -> Result<(), String> {
    let Some((row, other)) = rows.repeated().map_err(|error| error.to_string())? else { return Ok(()) };
    let group = match rows.group_text(row) {
        group if group.is_empty() => "has no keys, and there are several rows".to_owned(),
        group => group,
    };
    Err(format!("{path}: rows {} and {} are of one group: {group}", row + 1, other + 1))
}

/// The values that the file lacks: of several, some may be missing that no option names. An error that names
/// all other columns that are missing.
fn lacking(table: &Table<'_>, metric: &RowType, columns: &Columns) -> Result<BTreeSet<String>, String> {
    let read = metric.outputs.iter().zip(metric.output_names());
    let read = read.filter(|(output, _)| is_of_column(&output.ty.kind)).map(|(_, name)| name);
    let outputs: BTreeSet<&str> = read.collect();
    let all: BTreeSet<&str> = metric.output_names().collect();
    let mut wanted = columns.wanted(metric);
    wanted.retain(|wanted| outputs.contains(&*wanted.name) || !all.contains(&*wanted.name));
    let has = table.names()?;
    let mut lacking = Vec::new();
    for one in &wanted {
        if !table.has(&one.column, &has) {
            lacking.push(one);
        }
    }
    let is_of_value = |one: &&Wanted| outputs.contains(&*one.name);
    let has_value = lacking.iter().filter(|one| is_of_value(one)).count() < outputs.len();
    let may_lack = |one: &&Wanted| has_value && is_of_value(one) && !columns.is_named(&one.name);
    let (left_out, missing): (Vec<&Wanted>, Vec<&Wanted>) = lacking.into_iter().partition(may_lack);
    if !missing.is_empty() {
        return Err(lack_text(&table.binding.path, &missing, &wanted, &texts(&has)));
    }
    Ok(left_out.into_iter().map(|one| one.name.clone()).collect())
}

fn texts(has: &[Path]) -> Vec<String> {
    has.iter().map(Path::header).collect()
}

/// Whether a column can have values of a type.
fn is_of_column(kind: &Kind) -> bool {
    !matches!(kind, Kind::List(_) | Kind::Record(_))
}

/// The type as which values of keys are read; names of enums as texts.
fn plain(kind: &Kind) -> Kind {
    if matches!(kind, Kind::Enum(_)) { Kind::String } else { kind.clone() }
}

/// The types as which a value is read, the best first.
fn candidates(kind: &Kind) -> Vec<Kind> {
    let decimal = |scale| Kind::Decimal { precision: 38, scale };
    match kind {
        Kind::Int => vec![Kind::Int, decimal(SCALE), Kind::Float],
        Kind::Int128 => vec![decimal(0), decimal(SCALE), Kind::Float],
        Kind::Decimal { scale, .. } => vec![decimal(*scale), decimal(SCALE.max(*scale)), Kind::Float],
        Kind::Float => vec![Kind::Float, Kind::Int, decimal(SCALE)],
        kind => vec![plain(kind)],
    }
}

/// A file of rows.
struct Table<'a> {
    binding: &'a Binding,
    open: &'a Open<'a>,
}

impl Table<'_> {
    /// The columns of the file, as far as opening it shows them.
    fn names(&self) -> Result<Vec<Path>, String> {
        let log = self.opened(vec![time_field()]).map_err(|error| with_help(&error))?;
        Ok(log.names().paths().cloned().collect())
    }

    /// Whether the file has a column, also one that opening it does not show.
    fn has(&self, column: &str, names: &[Path]) -> bool {
        let path = Path::of_name(column);
        let is_absent = || matches!(self.values(column, &Kind::String, None), Err(Problem::Absent));
        names.contains(&path) || !is_absent()
    }

    /// A column as the first type that reads all of its values.
    fn column(&self, name: &str, column: &str, kinds: &[Kind]) -> Result<Column, String> {
        let mut problem = None;
        for kind in kinds {
            match self.values(column, kind, None) {
                Ok(values) => {
                    return Ok(Column { name: name.to_owned(), kind: kind.clone(), values, lost: None });
                }
                Err(error) => problem = problem.or(Some(error)),
            }
        }
        Err(problem.map(|problem| self.text(column, problem)).unwrap_or_default())
    }

    /// The starts of windows: instants, or what a clock shows if no row has an offset.
    fn windows(&self, column: &str) -> Result<Windows, String> {
        let read = |zone: &str| {
            let values = self.values(column, &Kind::Timestamp, Some(zone));
            values.map_err(|problem| self.text(column, problem))
        };
        let (times, others) = (read(ZONE)?, read(OTHER_ZONE)?);
        let (times, others) = (
            times.as_primitive::<TimestampMicrosecondType>(),
            others.as_primitive::<TimestampMicrosecondType>(),
        );
        let path = &self.binding.path;
        if let Some(row) = (0..times.len()).find(|row| times.is_null(*row)) {
            return Err(format!("{path}: row {} has no `{column}`", row + 1));
        }
        let starts: Vec<i64> = times.values().to_vec();
        let n_local = starts.iter().zip(others.values()).filter(|(time, other)| time != other).count();
        let clock = match n_local {
            0 => Clock::Instants(None),
            n if n == starts.len() => Clock::Local,
            n => {
                return Err(format!(
                    "{path}: column `{column}` has an offset in {} of {} rows\n  help: write all times with an offset, \
                     or none",
                    starts.len() - n,
                    starts.len()
                ));
            }
        };
        Ok(Windows { starts, ends: None, clock })
    }

    /// The values of a column, one for each row.
    fn values(&self, column: &str, kind: &Kind, zone: Option<&str>) -> Result<ArrayRef, Problem> {
        let field = Field {
            zone: zone.or((*kind == Kind::Timestamp).then_some(ZONE)).map(str::to_owned),
            path: Path::of_name(column),
            ..Field::new("column", Type::optional(kind.clone()))
        };
        let log = self.opened(vec![time_field(), field])?;
        let (mut stats, mut parts) = (ReadStats::default(), vec![new_empty_array(&arrow_type(kind))]);
        let all = Interval::new(log.start(), log.end()).map_err(|error| Problem::Other(error.to_string()))?;
        for slice in all.slices() {
            for batch in log.read(&slice, &[1], BATCH_ROWS)? {
                let batch = batch?;
                stats.merge(batch.read_stats);
                parts.push(batch.rows.column(0).clone());
            }
        }
        if let Some(record) = stats.quarantined.first() {
            let line = record.line.map(|line| format!(":{line}")).unwrap_or_default();
            let (place, problem, value) = (&record.path, &record.problem, &record.excerpt);
            return Err(Problem::Value(format!("{place}{line}: column `{column}`: {problem}: {value}")));
        }
        let is_seen = stats.fields.get(1).is_some_and(|seen| seen.seen);
        if stats.n_records > 0 && !is_seen {
            return Err(Problem::Absent);
        }
        let parts: Vec<&dyn Array> = parts.iter().map(|part| &**part).collect();
        concat(&parts).map_err(|error| Problem::Other(error.to_string()))
    }

    fn opened(&self, fields: Vec<Field>) -> Result<Log, LogError> {
        let (name, doc) = ("rows".to_owned(), String::new());
        let source = Source { name, doc, fields, time: 0, identity: Vec::new() };
        (self.open)(&Arc::new(source), self.binding)
    }

    /// What is said of a column that is not read.
    fn text(&self, column: &str, problem: Problem) -> String {
        let path = &self.binding.path;
        match problem {
            Problem::Absent => format!("{path} has no column `{column}`"),
            Problem::Value(text) => text,
            Problem::Other(text) => format!("column `{column}` of {path}: {text}"),
        }
    }
}

/// Why a column is not read.
enum Problem {
    /// No record has it.
    Absent,
    /// A value does not decode: where, and what is wrong.
    Value(String),
    /// The file is not read.
    Other(String),
}

impl From<LogError> for Problem {
    fn from(error: LogError) -> Self {
        Problem::Other(with_help(&error))
    }
}

fn with_help(error: &LogError) -> String {
    let help = error.help().map(|help| format!("\n  help: {help}")).unwrap_or_default();
    format!("{error}{help}")
}

/// The time that a source must have, which no record has.
fn time_field() -> Field {
    Field { default: Some(Value::Timestamp(0)), ..Field::new(NO_TIME, Type::of(Kind::Timestamp)) }
}
