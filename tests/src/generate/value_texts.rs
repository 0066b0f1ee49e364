//! Events and their values as texts of JSON and CSV, spelled at random.

use metricc_ir::{Field, Kind, Source, Step, Value};
use rand::Rng;

use super::Random;
use super::json_tree::{Tree, quoted};
use crate::oracle::{Event, date_text, utc_text};

/// The value of a field before defaults are applied.
pub(super) fn value_of<'a>(event: &'a Event, field: &Field) -> &'a Value {
    event.get(&field.name).unwrap_or(&Value::None)
}

/// An event as a JSON object with one column that no source declares.
pub(super) fn json_record(random: &mut Random, source: &Source, event: &Event) -> String {
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

pub(super) fn csv_cell(random: &mut Random, value: &Value, field: &Field) -> String {
    match value {
        Value::None => String::new(),
        Value::String(text) => csv_quoted(text),
        value => plain_text(random, value, &field.ty.kind),
    }
}

pub(super) fn csv_quoted(text: &str) -> String {
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

pub(super) fn decimal_text(unscaled: i128, scale: usize) -> String {
    let sign = if unscaled < 0 { "-" } else { "" };
    let digits = format!("{:0>width$}", unscaled.unsigned_abs(), width = scale + 1);
    let (whole, fraction) = digits.split_at(digits.len() - scale);
    if scale == 0 { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
}
