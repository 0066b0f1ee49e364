//! Records that must be quarantined, each for one reason.
//!
//! They have the identity of a valid event that follows: a decoder that stores the identity of a record
//! before it rejects the record would lose that event.

use metricc_ir::{Kind, Source, Value};

use super::json_tree::{Tree, quoted};
use super::random;
use super::value_texts::{json_value, value_of};
use crate::oracle::Event;

/// A line of NDJSON that is not an event of the source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostileRecord {
    /// The line, without line feed. Not always UTF-8.
    pub bytes: Vec<u8>,
    /// The defect, after the id of the conformance case if there is one.
    pub reason: &'static str,
}

/// The fields to change, the JSON text of the value, and the reason why it is invalid.
type WrongValue = (fn(&Kind) -> bool, &'static str, &'static str);

/// Invalid values for the fields of each kind.
const WRONG_VALUES: [WrongValue; 48] = [
    (is_int, "1.7", "C1: an int with a fraction"),
    (is_int, "\"1,0\"", "C2: a string of no number for an int"),
    (is_int, "true", "a bool for an int"),
    (is_int, "01", "C7: a leading zero"),
    (is_int, "+1", "a plus sign"),
    (is_int, "9223372036854775808", "beyond 64 bits"),
    (is_int, "-9223372036854775809", "beyond 64 bits"),
    (is_int, "[1]", "a list for an int"),
    (is_int, "0x10", "a hexadecimal number"),
    (is_money, "0.135", "C3: a decimal with more digits than its scale"),
    (is_money, "10000000000.00", "C4: a decimal with more digits than its precision"),
    (is_money, "1e400", "C4: a decimal beyond its precision"),
    (is_money, "\"\"", "an empty string for a decimal"),
    (is_money, ".5", "no digit before the point"),
    (is_money, "5.", "no digit after the point"),
    (is_float, "1e400", "C8: beyond the largest float"),
    (is_float, "-1e400", "C8: beyond the largest float"),
    (is_int, "NaN", "C8: not a number, for an int"),
    (is_float, "\"NA\"", "a spelling of none that is not declared"),
    (is_money, "Infinity", "C8: infinite, for a decimal"),
    (is_float, "1_000.0", "an underscore in a number"),
    (is_timestamp, "1704067200", "C10: a number for a timestamp without unit"),
    (is_timestamp, "\"2024-01-01T00:00:00\"", "C16: no offset and no zone"),
    (is_timestamp, "\"2024-01-01 00:00:00\"", "C16: no offset and no zone"),
    (is_timestamp, "\"2024-06-30T23:59:60Z\"", "C17: a leap second"),
    (is_timestamp, "\"2024-01-01T24:00:01Z\"", "C18: a time after the end of the day"),
    (is_timestamp, "\"2024-01-01T00:00:00.Z\"", "C20: a point without digits"),
    (is_timestamp, "\"2023-02-29T00:00:00Z\"", "a day that does not exist"),
    (is_timestamp, "\"2023-13-01T00:00:00Z\"", "a month that does not exist"),
    (is_timestamp, "\"10000-01-01T00:00:00Z\"", "C19: the year 10000"),
    (is_timestamp, "\"yesterday\"", "no timestamp"),
    (is_timestamp, "\"\"", "an empty string for a timestamp"),
    (is_date, "\"2024-01-01T00:00:00Z\"", "a timestamp for a date"),
    (is_date, "\"2023-02-29\"", "a day that does not exist"),
    (is_date, "19000", "a number for a date"),
    (is_bool, "1", "a number for a bool"),
    (is_bool, "\"true\"", "a string for a bool"),
    (is_enum, "\"capturd\"", "a name that the enum does not have"),
    (is_enum, "0", "an index instead of a name of the enum"),
    (is_string, "7", "a number for a string"),
    (is_list, "\"a\"", "a string for a list"),
    (is_records, "[{\"SKU\":\"a\"}]", "a record in a list without a field that it needs"),
    (is_records, "[{\"SKU\":1,\"detail\":{\"unit price\":1.00}}]", "a number for a string in a record"),
    (is_records, "[{\"SKU\":\"a\",\"detail\":[1.00]}]", "an array on the way to a field"),
    (
        is_records,
        "[{\"SKU\":\"a\",\"SKU\":\"b\",\"detail\":{\"unit price\":1.00}}]",
        "C5: a key of a record twice",
    ),
    (is_record, "{\"town\":\"a\"}", "a record without a field that it needs"),
    (is_record, "[]", "a list for a record"),
    (is_list, "[null]", "none in a list of values that are never none"),
];

/// All hostile records of a source, made from one of its events.
pub fn hostile_records(source: &Source, event: &Event) -> Vec<HostileRecord> {
    let plain = record(source, event, None, "");
    let mut records = broken_lines(&plain);
    for (is_meant, value, reason) in WRONG_VALUES {
        if let Some(field) = source.fields.iter().find(|field| is_meant(&field.ty.kind)) {
            let line = record(source, event, Some(&field.name), value);
            records.push(HostileRecord { bytes: line.into_bytes(), reason });
        }
    }
    records.extend(broken_fields(source, event, &plain));
    records
}

/// Lines that are not exactly one JSON object.
fn broken_lines(plain: &str) -> Vec<HostileRecord> {
    let inner = &plain[1..plain.len() - 1];
    let lines = [
        ("{".to_owned(), "an object that does not end"),
        (plain[..plain.len() / 2].trim_end_matches('}').to_owned(), "half of a line"),
        ("garbage".to_owned(), "no JSON"),
        ("[]".to_owned(), "an array"),
        ("42".to_owned(), "a number"),
        ("null".to_owned(), "null"),
        ("{}".to_owned(), "C9: no field at all"),
        (format!("{plain}{plain}"), "C6: two objects on one line"),
        (format!("{plain} {plain}"), "C6: two objects on one line"),
        (format!("{plain},"), "C7: a comma after the object"),
        (format!("{{{inner},}}"), "C7: a comma after the last field"),
        (format!("[{plain}]"), "an object in an array"),
        (format!("{plain}x"), "text after the object"),
        (format!("{plain} // comment"), "a comment"),
        (plain.replace('"', "'"), "single quotes"),
        (format!("{{{inner},\"undeclared\":\"a\u{1}b\"}}"), "a control character in a string"),
        (format!("{{{inner},\"undeclared\":\"\\x\"}}"), "an escape that JSON does not have"),
        (format!("{{{inner},\"undeclared\":nul}}"), "a word that JSON does not have"),
        (format!("\u{feff}{plain}"), "C12: a byte order mark inside a file"),
    ];
    lines.into_iter().map(|(line, reason)| HostileRecord { bytes: line.into_bytes(), reason }).collect()
}

/// Objects with missing or repeated fields, or with invalid text.
fn broken_fields(source: &Source, event: &Event, plain: &str) -> Vec<HostileRecord> {
    let inner = &plain[1..plain.len() - 1];
    let time = &source.fields[source.time].name;
    let mut records = vec![
        (record(source, event, Some(time), "null"), "null for a field that is never none"),
        (plain.replace(&quoted(time), &quoted(&time.to_uppercase())), "C9: a field in another case"),
        (plain.replace(&quoted(time), "\"other\""), "C9: a required field is missing"),
        (format!("{{{inner},{}:null}}", quoted(time)), "C5: a field twice"),
        (format!("{{{inner},{inner}}}"), "C5: all fields twice"),
    ];
    let text = source.fields.iter().find(|field| is_string(&field.ty.kind));
    if let Some(field) = text {
        records.push((record(source, event, Some(&field.name), "\"\\ud800\""), "C13: half a surrogate pair"));
    }
    let mut records: Vec<HostileRecord> = records
        .into_iter()
        .map(|(line, reason)| HostileRecord { bytes: line.into_bytes(), reason })
        .collect();
    if let Some(field) = text {
        let line = record(source, event, Some(&field.name), "\"@\"").into_bytes();
        let bytes = line.into_iter().map(|byte| if byte == b'@' { 0xff } else { byte }).collect();
        records.push(HostileRecord { bytes, reason: "C13: not UTF-8" });
    }
    records
}

/// The event as one line, with another text for the value of one field. Its strings are simplified, so that
/// the line can be split.
fn record(source: &Source, event: &Event, changed: Option<&str>, text: &str) -> String {
    let mut random = random(0);
    let fields = source.fields.iter().enumerate().filter_map(|(index, field)| {
        let value = value_of(event, field);
        let text = match &field.ty.kind {
            _ if changed == Some(field.name.as_str()) => text.to_owned(),
            Kind::String if !source.identity.contains(&index) => "\"plain\"".to_owned(),
            Kind::List(_) => "[]".to_owned(),
            Kind::Float if matches!(value, Value::Float(value) if !value.is_finite()) => "1.5".to_owned(),
            Kind::Record(_) => "null".to_owned(),
            kind => json_value(&mut random, value, kind, &field.fields),
        };
        let is_absent = text == "null" && changed != Some(field.name.as_str());
        (!is_absent).then(|| (field.full_path(), text))
    });
    let mut tree = Tree::object();
    fields.for_each(|(path, text)| tree.put(&path, text));
    tree.text(&mut None)
}

fn is_int(kind: &Kind) -> bool {
    matches!(kind, Kind::Int)
}

fn is_money(kind: &Kind) -> bool {
    matches!(kind, Kind::Decimal { precision: 12, scale: 2 })
}

fn is_float(kind: &Kind) -> bool {
    matches!(kind, Kind::Float)
}

fn is_timestamp(kind: &Kind) -> bool {
    matches!(kind, Kind::Timestamp)
}

fn is_date(kind: &Kind) -> bool {
    matches!(kind, Kind::Date)
}

fn is_bool(kind: &Kind) -> bool {
    matches!(kind, Kind::Bool)
}

fn is_enum(kind: &Kind) -> bool {
    matches!(kind, Kind::Enum(_))
}

fn is_string(kind: &Kind) -> bool {
    matches!(kind, Kind::String)
}

fn is_list(kind: &Kind) -> bool {
    matches!(kind, Kind::List(_))
}

fn is_records(kind: &Kind) -> bool {
    matches!(kind, Kind::List(element) if is_record(&element.kind))
}

fn is_record(kind: &Kind) -> bool {
    matches!(kind, Kind::Record(_))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::generate::logs::{LogOptions, log};
    use crate::generate::sources::Shape;

    #[test]
    fn every_record_differs_from_a_true_one_and_fits_one_line() {
        let source = Shape { has_identity: true, time_is_date: false, has_lists: true }.source();
        let events = log(&source, &LogOptions::new(1, 20));
        for event in &events {
            let plain = record(&source, event, None, "").into_bytes();
            let records = hostile_records(&source, event);
            let lines: BTreeSet<&[u8]> = records.iter().map(|record| record.bytes.as_slice()).collect();
            assert!(lines.len() >= 60);
            assert!(!lines.contains(plain.as_slice()));
            assert!(lines.iter().all(|line| !line.contains(&b'\n')));
        }
    }

    #[test]
    fn the_record_that_the_hostile_ones_are_made_from_is_json() {
        let source = Shape { has_identity: true, time_is_date: true, has_lists: true }.source();
        for event in log(&source, &LogOptions::new(2, 50)) {
            let plain = record(&source, &event, None, "");
            let fields: serde_json::Value = serde_json::from_str(&plain).expect("an object");
            assert!(fields.get("on_day").is_some_and(serde_json::Value::is_string));
        }
    }
}
