//! Logs as NDJSON or CSV, in one or several files, with hostile records between the events.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use metricc_ir::{Field, Kind, Source, Value};
use rand::Rng;

use super::hostile::hostile_records;
use super::{Random, random};
use crate::oracle::{Event, date_text, utc_text};

/// How a log is written to files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    /// Seed of the spelling of values and the positions of hostile records.
    pub seed: u64,
    /// Number of files, of about equal length; the last ones may be empty.
    pub n_files: usize,
    /// Whether to write a hostile record before about every fifth event (NDJSON only).
    pub is_hostile: bool,
}

/// The written files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The files. The byte order of their names is log order.
    pub paths: Vec<PathBuf>,
    /// Records that must be quarantined.
    pub n_hostile: usize,
}

/// Writes one JSON object per line into `folder`.
///
/// At random, a field that is none is absent or null, an instant is in UTC or has an offset, and there are columns that no
/// source declares. This must not change any result.
pub fn write_ndjson(
    folder: &Path,
    source: &Source,
    events: &[Event],
    layout: &Layout,
) -> io::Result<Written> {
    let mut random = random(layout.seed);
    let mut written = Written { paths: Vec::new(), n_hostile: 0 };
    for (number, run) in runs(events, layout.n_files).enumerate() {
        let path = folder.join(format!("part-{number:03}.ndjson"));
        let mut file = BufWriter::new(File::create(&path)?);
        for (index, event) in run.iter().enumerate() {
            // A file may begin with a byte order mark, which one of the hostile records does too.
            if layout.is_hostile && index > 0 && random.random_bool(0.2) {
                let records = hostile_records(source, event);
                file.write_all(&records[random.random_range(0..records.len())].bytes)?;
                file.write_all(b"\n")?;
                written.n_hostile += 1;
            }
            writeln!(file, "{}", json_record(&mut random, source, event))?;
        }
        file.flush()?;
        written.paths.push(path);
    }
    Ok(written)
}

/// Writes RFC 4180 with a header row into `folder`. Strings are always quoted; an empty cell without quotes is none.
///
/// # Errors
/// If a file cannot be written, or the source has lists.
pub fn write_csv(folder: &Path, source: &Source, events: &[Event], layout: &Layout) -> io::Result<Written> {
    let mut random = random(layout.seed);
    if let Some(list) = source.fields.iter().find(|field| matches!(field.ty.kind, Kind::List(_))) {
        return Err(io::Error::other(format!("`{}` is a list, which CSV cannot hold", list.name)));
    }
    let header: Vec<&str> = source.fields.iter().map(|field| field.name.as_str()).collect();
    let mut written = Written { paths: Vec::new(), n_hostile: 0 };
    for (number, run) in runs(events, layout.n_files).enumerate() {
        let path = folder.join(format!("part-{number:03}.csv"));
        let mut file = BufWriter::new(File::create(&path)?);
        writeln!(file, "{}", header.join(","))?;
        for event in run {
            let cells: Vec<String> = source
                .fields
                .iter()
                .map(|field| csv_cell(&mut random, value_of(event, field), field))
                .collect();
            writeln!(file, "{}", cells.join(","))?;
        }
        file.flush()?;
        written.paths.push(path);
    }
    Ok(written)
}

/// Divides the log into `n` runs.
pub(super) fn runs(events: &[Event], n_files: usize) -> impl Iterator<Item = &[Event]> {
    let n_files = n_files.max(1);
    let length = events.len().div_ceil(n_files);
    (0..n_files).map(move |number| {
        let from = (number * length).min(events.len());
        &events[from..(from + length).min(events.len())]
    })
}

/// The value of a field before defaults are applied.
pub(super) fn value_of<'a>(event: &'a Event, field: &Field) -> &'a Value {
    event.get(&field.name).unwrap_or(&Value::None)
}

/// An event as a JSON object with one column that no source declares.
fn json_record(random: &mut Random, source: &Source, event: &Event) -> String {
    let mut parts = vec![r#""undeclared":{"id":[1,{"n":null}]}"#.to_owned()];
    for field in &source.fields {
        match value_of(event, field) {
            Value::None if random.random_bool(0.5) => {}
            value => {
                let text = json_value(random, value, &field.ty.kind);
                parts.push(format!("{}:{text}", quoted(&field.name)));
            }
        }
    }
    let n_parts = parts.len();
    parts.rotate_left(random.random_range(0..n_parts));
    format!("{{{}}}", parts.join(","))
}

/// A value as JSON.
pub(super) fn json_value(random: &mut Random, value: &Value, kind: &Kind) -> String {
    match (value, kind) {
        (Value::None, _) => "null".to_owned(),
        (Value::List(values), Kind::List(element)) => {
            let elements: Vec<String> =
                values.iter().map(|value| json_value(random, value, &element.kind)).collect();
            format!("[{}]", elements.join(", "))
        }
        (Value::String(_) | Value::Enum(_) | Value::Date(_) | Value::Timestamp(_), _) => {
            quoted(&plain_text(random, value, kind))
        }
        _ => plain_text(random, value, kind),
    }
}

fn csv_cell(random: &mut Random, value: &Value, field: &Field) -> String {
    match value {
        Value::None => String::new(),
        Value::String(text) => format!("\"{}\"", text.replace('"', "\"\"")),
        value => plain_text(random, value, &field.ty.kind),
    }
}

/// A scalar without quotes.
fn plain_text(random: &mut Random, value: &Value, kind: &Kind) -> String {
    match (value, kind) {
        (Value::Bool(value), _) => value.to_string(),
        (Value::Int(value), _) => value.to_string(),
        (Value::Decimal(digits), Kind::Decimal { scale, .. }) => decimal_text(*digits, usize::from(*scale)),
        (Value::Decimal(digits), _) => digits.to_string(),
        (Value::Float(value), _) => format!("{value:?}"),
        (Value::String(text), _) => text.clone(),
        (Value::Enum(index), Kind::Enum(names)) => names[*index as usize].clone(),
        (Value::Date(days), _) => date_text(i64::from(*days)),
        (Value::Timestamp(micros), _) => timestamp_text(random, *micros),
        (Value::Duration(micros), _) => micros.to_string(),
        (value, kind) => panic!("{value:?} is no `{kind}`"),
    }
}

/// An instant in one of the spellings of RFC 3339.
fn timestamp_text(random: &mut Random, micros: i64) -> String {
    // Years 1800 to 2400, so that the local date lies in the years 0001 to 9999 too.
    let is_inner = (-5_364_662_400_000_000..13_569_465_600_000_000).contains(&micros);
    let in_utc = utc_text(micros);
    match random.random_range(0..4) {
        0 if is_inner => utc_text(micros + 19_800_000_000).replace('Z', "+05:30"),
        1 if is_inner => utc_text(micros - 12_600_000_000).replace('Z', "-03:30"),
        2 => in_utc.replace('T', " ").replace('Z', "+00:00"),
        _ => in_utc,
    }
}

fn decimal_text(unscaled: i128, scale: usize) -> String {
    let sign = if unscaled < 0 { "-" } else { "" };
    let digits = format!("{:0>width$}", unscaled.unsigned_abs(), width = scale + 1);
    let (whole, fraction) = digits.split_at(digits.len() - scale);
    if scale == 0 { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
}

/// A JSON string.
pub(super) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
#[path = "files_tests.rs"]
mod tests;
