//! The rows of a file, as rows of a metric.
//!
//! A file of rows is read as a log: the decoder knows all formats and says where a value does not decode.
//! Each column is read on its own, as the type of the metric, or else as the nearest other type that reads
//! all of its values.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, new_empty_array};
use arrow::compute::concat;
use arrow::datatypes::TimestampMicrosecondType;
use metricc_ir::{Field, Kind, Path, RowType, Source, Type, Value, Window};
use metricc_log::{Binding, Interval, Log, LogError, ReadStats, arrow_type};

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

/// Which columns have what.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Columns<'a> {
    /// The start of each window.
    pub(crate) window: &'a str,
    /// The only value, if it is not called as in the metric.
    pub(crate) value: Option<&'a str>,
}

/// Opens the file as a log of a source.
pub(crate) type Open<'a> = dyn Fn(&Arc<Source>, &Binding) -> Result<Log, LogError> + 'a;

/// Reads the rows of a metric from a file.
///
/// # Errors
/// A message: a column is missing or does not decode, or two rows have the same window and keys.
pub(crate) fn read(
    binding: &Binding,
    metric: &RowType,
    columns: Columns<'_>,
    open: &Open<'_>,
) -> Result<TheirRows, String> {
    let table = Table { binding, open };
    let windows = match metric.window {
        Window::AllTime => None,
        _ => Some(table.windows(columns.window)?),
    };
    let key = |key: &metricc_ir::RecordField| table.column(&key.name, &key.name, &[plain(&key.ty.kind)]);
    let keys = metric.keys.iter().map(key).collect::<Result<Vec<_>, String>>()?;
    if columns.value.is_some() && metric.outputs.len() != 1 {
        let names: Vec<&str> = metric.output_names().collect();
        return Err(format!(
            "`--value` names the column of a metric with one value, and `{}` has {}\n  help: name the columns as the \
             values: `{}`",
            metric.name,
            names.len(),
            names.join("`, `")
        ));
    }
    let (mut outputs, mut left_out, mut missing) = (Vec::new(), Vec::new(), None);
    for (output, name) in metric.outputs.iter().zip(metric.output_names()) {
        if matches!(output.ty.kind, Kind::List(_) | Kind::Record(_)) {
            left_out.push(format!("`{name}` is a {}, which no column has", output.ty.kind));
            continue;
        }
        let column = columns.value.unwrap_or(name);
        match table.column(name, column, &candidates(&output.ty.kind)) {
            Ok(column) => outputs.push(column),
            Err(problem) if metric.outputs.len() > 1 && problem.contains(NO_COLUMN) => {
                left_out.push(format!("`{name}`: the file has no such column"));
                missing = missing.or(Some(problem));
            }
            Err(problem) => return Err(problem),
        }
    }
    if outputs.is_empty() {
        return Err(missing.unwrap_or_else(|| {
            format!("no value of `{}` can be compared: {}", metric.name, left_out.join("; "))
        }));
    }
    let n_rows = outputs.first().map_or(0, |output| output.values.len());
    if n_rows == 0 {
        return Err(format!(
            "{} has no rows\n  help: export the rows again, and look at its query",
            binding.path
        ));
    }
    let rows = RowSet { n_rows, windows, keys, outputs };
    if let Some((row, other)) = rows.repeated().map_err(|error| error.to_string())? {
        let group = rows.group_text(row);
        let group =
            if group.is_empty() { "has no keys, and there are several rows".to_owned() } else { group };
        return Err(format!(
            "{}: rows {} and {} are of one group: {group}",
            binding.path,
            row + 1,
            other + 1
        ));
    }
    let span = Span::of(&rows);
    Ok(TheirRows { rows, left_out, span })
}

/// What a message says if there is no such column.
const NO_COLUMN: &str = "has no column";

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
        Err(problem.unwrap_or_default())
    }

    /// The starts of windows: instants, or what a clock shows if no row has an offset.
    fn windows(&self, column: &str) -> Result<Windows, String> {
        let read = |zone: &str| self.values(column, &Kind::Timestamp, Some(zone));
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
    fn values(&self, column: &str, kind: &Kind, zone: Option<&str>) -> Result<ArrayRef, String> {
        let time =
            Field { default: Some(Value::Timestamp(0)), ..Field::new(NO_TIME, Type::of(Kind::Timestamp)) };
        let field = Field {
            zone: zone.or((*kind == Kind::Timestamp).then_some(ZONE)).map(str::to_owned),
            path: Path::of_name(column),
            ..Field::new("column", Type::optional(kind.clone()))
        };
        let source = Arc::new(Source {
            name: "rows".to_owned(),
            doc: String::new(),
            fields: vec![time, field],
            time: 0,
            identity: Vec::new(),
        });
        let path = &self.binding.path;
        let named = |error: LogError| {
            let help = error.help().map(|help| format!("\n  help: {help}")).unwrap_or_default();
            format!("column `{column}` of {path}: {error}{help}")
        };
        let log = (self.open)(&source, self.binding).map_err(named)?;
        let (mut stats, mut parts) = (ReadStats::default(), vec![new_empty_array(&arrow_type(kind))]);
        let all = Interval::new(log.start(), log.end()).map_err(|error| error.to_string())?;
        for slice in all.slices() {
            for batch in log.read(&slice, &[1], BATCH_ROWS).map_err(named)? {
                let batch = batch.map_err(named)?;
                stats.merge(batch.read_stats);
                parts.push(batch.rows.column(0).clone());
            }
        }
        if let Some(record) = stats.quarantined.first() {
            let line = record.line.map(|line| format!(":{line}")).unwrap_or_default();
            let (place, problem, value) = (&record.path, &record.problem, &record.excerpt);
            return Err(format!("{place}{line}: column `{column}`: {problem}: {value}"));
        }
        let is_seen = stats.fields.get(1).is_some_and(|seen| seen.seen);
        if stats.n_records > 0 && !is_seen {
            let names: Vec<String> = log.names().paths().map(|name| format!("`{}`", name.header())).collect();
            return Err(format!(
                "{path} {NO_COLUMN} `{column}`\n  help: its columns are {}",
                names.join(", ")
            ));
        }
        let parts: Vec<&dyn Array> = parts.iter().map(|part| &**part).collect();
        concat(&parts).map_err(|error| error.to_string())
    }
}
