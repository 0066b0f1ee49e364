//! Logs as NDJSON or CSV, in one or several files, with hostile records between the events.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use metricc_ir::{Field, Kind, Source, Step, Value};
use rand::Rng;

use super::hostile::hostile_records;
use super::json_tree::Tree;
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
/// At random, a field that is none is absent or null, an instant is in UTC or has an offset, and there are
/// columns that no source declares. This must not change any result.
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

/// Writes JSON arrays into `folder`, their elements over any number of lines; spelled as [`write_ndjson`]
/// does.
pub fn write_json(folder: &Path, source: &Source, events: &[Event], layout: &Layout) -> io::Result<Written> {
    let mut random = random(layout.seed);
    let mut written = Written { paths: Vec::new(), n_hostile: 0 };
    for (number, run) in runs(events, layout.n_files).enumerate() {
        let path = folder.join(format!("part-{number:03}.json"));
        let mut text = String::from("[");
        for (index, event) in run.iter().enumerate() {
            text.push_str(if index > 0 { "," } else { "" });
            text.push_str(if random.random_bool(0.7) { "\n  " } else { " " });
            let record = json_record(&mut random, source, event);
            let is_pretty = random.random_bool(0.3);
            text.push_str(&if is_pretty { record.replacen('{', "{\n\t", 1) } else { record });
        }
        text.push_str("\n]\n");
        std::fs::write(&path, text)?;
        written.paths.push(path);
    }
    Ok(written)
}

/// Writes RFC 4180 with a header row into `folder`. Names and strings are always quoted; an empty cell
/// without quotes is none.
///
/// # Errors
/// If a file cannot be written, or the source has lists.
pub fn write_csv(folder: &Path, source: &Source, events: &[Event], layout: &Layout) -> io::Result<Written> {
    let mut random = random(layout.seed);
    let is_several = |field: &&Field| matches!(field.ty.kind, Kind::List(_) | Kind::Record(_));
    if let Some(field) = source.fields.iter().find(is_several) {
        return Err(io::Error::other(format!("`{}` is a `{}`, which CSV cannot hold", field.name, field.ty)));
    }
    let header: Vec<String> =
        source.fields.iter().map(|field| csv_quoted(&field.full_path().header())).collect();
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
    let values = source.fields.iter().map(|field| (field, value_of(event, field)));
    json_object(random, values.collect())
}

/// A record by the paths of its fields. At random, a field that is none is absent or null, or what is around
/// it is.
fn json_object(random: &mut Random, values: Vec<(&Field, &Value)>) -> String {
    let mut tree = Tree::object();
    let mut absent = Vec::new();
    for (field, value) in values {
        match value {
            Value::None if random.random_bool(0.5) => absent.push(field.full_path()),
            value => {
                let text = json_value(random, value, &field.ty.kind, &field.fields);
                tree.put(&field.full_path(), text);
            }
        }
    }
    let Tree::Object(members) = &mut tree else { panic!("it is an object") };
    for path in absent.iter().filter(|path| path.steps().len() > 1) {
        let Some(Step::Name(root)) = path.steps().first() else { continue };
        if members.iter().all(|(known, _)| known != root) && random.random_bool(0.5) {
            members.push((root.clone(), Tree::Text("null".to_owned())));
        }
    }
    tree.text(&mut Some(random))
}

/// A value as JSON; `fields` is how the records in it are read.
pub(super) fn json_value(random: &mut Random, value: &Value, kind: &Kind, fields: &[Field]) -> String {
    match (value, kind) {
        (Value::None, _) => "null".to_owned(),
        (Value::List(values), Kind::List(element)) => {
            let elements: Vec<String> =
                values.iter().map(|value| json_value(random, value, &element.kind, fields)).collect();
            format!("[{}]", elements.join(", "))
        }
        (Value::Record(values), Kind::Record(_)) => json_object(random, fields.iter().zip(values).collect()),
        (Value::String(_) | Value::Enum(_) | Value::Date(_) | Value::Timestamp(_), _) => {
            quoted(&plain_text(random, value, kind))
        }
        (Value::Float(value), _) if !value.is_finite() => json_not_finite(random, *value),
        _ => plain_text(random, value, kind),
    }
}

/// As writers of JSON write it that have floats: a word, or a string of it.
fn json_not_finite(random: &mut Random, value: f64) -> String {
    let sign = if value < 0.0 { "-" } else { "" };
    let word = if value.is_nan() { "NaN".to_owned() } else { format!("{sign}Infinity") };
    if random.random_bool(0.5) { word } else { quoted(&word) }
}

fn csv_cell(random: &mut Random, value: &Value, field: &Field) -> String {
    match value {
        Value::None => String::new(),
        Value::String(text) => csv_quoted(text),
        value => plain_text(random, value, &field.ty.kind),
    }
}

fn csv_quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\"\""))
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
