//! Rows as JSON, a contract with readers: an object per row.
//!
//! `{"metric":"revenue","key":{"country":"IN"},"window":{"start":"…","end":"…"},"value":"10.00"}`: ints are
//! numbers up to ±(2⁵³ − 1), beyond which readers that have only floats would round them, and strings from
//! there on; decimals are strings with their scale, floats are the shortest that reads back, timestamps are
//! RFC 3339 (windows in the calendar's zone, all else in UTC), dates `YYYY-MM-DD`, durations µs, a value that
//! is none is null, a list is an array, a record an object, no window is null. A window of which the range of
//! the request leaves out a part has `"partial":true`. `"overflow":{"s":2}` follows where `s` depends on an
//! aggregate that could not be computed: expressions over 2 events left their types; 0 where the result does.
//!
//! `"rolled_up":["city"]` follows the keys where those are rolled up, which are null there, and
//! `"beside":{…}` the value, with the shares and values of earlier windows that a request asks for.
//!
//! Rows are written from their columns into the bytes of the answer. What is the same in all of them is made
//! once, and so is the text of a window whose rows follow one another.

use std::io::Write;

use arrow::array::{Array, ArrayRef, StructArray};
use metricc_ir::calendar::{ZoneRules, date_text, instant_text};
use metricc_ir::text::number::DecimalText;
use metricc_ir::{Kind, OutputType, RecordField};
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use crate::Presented;
use crate::presented_cell::Cell;

/// An answer as JSON: anything with [`Presented`] rows in it.
///
/// # Errors
/// If a value cannot be serialized.
pub fn to_json(value: &impl Serialize) -> serde_json::Result<String> {
    serde_json::to_string(value)
}

/// One JSON object per row, without line ends, in row order.
pub fn json_lines(presented: &Presented) -> impl Iterator<Item = String> + '_ {
    let mut writer = RowWriter::new(presented);
    (0..presented.n_rows).map(move |row| {
        let mut out = Vec::with_capacity(128);
        writer.write(row, &mut out);
        text(out)
    })
}

/// The same with line ends, for a reader of bytes.
///
/// # Errors
/// That of the writer.
pub(crate) fn write_json_lines(presented: &Presented, to: &mut dyn Write) -> std::io::Result<()> {
    const BYTES: usize = 64 << 10;
    let mut writer = RowWriter::new(presented);
    let mut out = Vec::with_capacity(BYTES + 1024);
    for row in 0..presented.n_rows {
        writer.write(row, &mut out);
        out.push(b'\n');
        if out.len() >= BYTES || row + 1 == presented.n_rows {
            to.write_all(&out)?;
            out.clear();
        }
    }
    Ok(())
}

/// Rows of an array, after those that were written before. `is_first`: whether there were none.
pub(crate) fn json_rows(presented: &Presented, is_first: &mut bool, out: &mut Vec<u8>) {
    let mut writer = RowWriter::new(presented);
    for row in 0..presented.n_rows {
        if !std::mem::replace(is_first, false) {
            out.push(b',');
        }
        writer.write(row, out);
    }
}

/// The JSON of a value.
pub(crate) fn cell_json(cell: &Cell<'_>) -> String {
    let mut out = Vec::new();
    write_cell(cell, &mut out);
    text(out)
}

/// Everything that is written here is text.
fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_default()
}

impl Serialize for Presented {
    /// An array of rows.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut out = vec![b'['];
        json_rows(self, &mut true, &mut out);
        out.push(b']');
        let raw = RawValue::from_string(text(out)).map_err(serde::ser::Error::custom)?;
        raw.serialize(serializer)
    }
}

/// A column, and the text before each of its values.
struct Member<'a> {
    before: Vec<u8>,
    kind: &'a Kind,
    column: &'a ArrayRef,
}

impl<'a> Member<'a> {
    /// A member of an object that has others before it, or none.
    fn new(index: usize, name: &str, kind: &'a Kind, column: &'a ArrayRef) -> Self {
        let mut before = if index == 0 { Vec::new() } else { vec![b','] };
        write_text(name, &mut before);
        before.push(b':');
        Member { before, kind, column }
    }

    fn write(&self, row: usize, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.before);
        write_cell(&Cell::of(self.kind, self.column, row), out);
    }
}

/// Writes the rows of an answer.
struct RowWriter<'a> {
    presented: &'a Presented,
    /// The zone of the windows' instants.
    zone: Option<ZoneRules>,
    /// The name of the metric, up to the keys.
    head: Vec<u8>,
    keys: Vec<Member<'a>>,
    /// The window of the last row that was written, and its text.
    window: Option<((i64, i64), bool)>,
    window_text: Vec<u8>,
    outputs: Vec<Member<'a>>,
    /// The values that the request asks for beside those of the metric.
    beside: Vec<Member<'a>>,
    /// Whether the metric has one output, without a name.
    is_bare: bool,
}

impl<'a> RowWriter<'a> {
    fn new(presented: &'a Presented) -> Self {
        let metric = &presented.row_type;
        let mut head = b"{\"metric\":".to_vec();
        write_text(&metric.name, &mut head);
        head.extend_from_slice(b",\"key\":{");
        let keys = metric.keys.iter().zip(&presented.keys).enumerate();
        let keys = keys.map(|(index, (key, column))| Member::new(index, &key.name, &key.ty.kind, column));
        let (own, beside) = metric.outputs.split_at(metric.outputs.len() - presented.n_beside);
        let (own_columns, columns_beside) = presented.outputs.split_at(own.len());
        let members = |outputs: &'a [OutputType], columns: &'a [ArrayRef]| -> Vec<Member<'a>> {
            let outputs = outputs.iter().zip(columns).enumerate();
            let member = outputs.map(|(index, (output, column))| {
                let name = output.name.as_deref().unwrap_or("value");
                Member::new(index, name, &output.ty.kind, column)
            });
            member.collect()
        };
        RowWriter {
            presented,
            zone: presented.window_zone(),
            head,
            keys: keys.collect(),
            window: None,
            window_text: Vec::new(),
            outputs: members(own, own_columns),
            beside: members(beside, columns_beside),
            is_bare: matches!(own, [output] if output.name.is_none()),
        }
    }

    fn write(&mut self, row: usize, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.head);
        self.keys.iter().for_each(|key| key.write(row, out));
        out.push(b'}');
        self.write_total(row, out);
        out.extend_from_slice(b",\"window\":");
        self.write_window(row, out);
        out.extend_from_slice(b",\"value\":");
        match &self.outputs[..] {
            [value] if self.is_bare => write_cell(&Cell::of(value.kind, value.column, row), out),
            outputs => {
                out.push(b'{');
                outputs.iter().for_each(|output| output.write(row, out));
                out.push(b'}');
            }
        }
        if !self.beside.is_empty() {
            out.extend_from_slice(b",\"beside\":{");
            self.beside.iter().for_each(|output| output.write(row, out));
            out.push(b'}');
        }
        self.write_overflow(row, out);
        out.push(b'}');
    }

    /// The keys that are rolled up, if the row is a total.
    fn write_total(&self, row: usize, out: &mut Vec<u8>) {
        let keys = self.presented.totals.as_ref().map(|totals| totals.of_row(row)).unwrap_or_default();
        for (index, key) in keys.iter().enumerate() {
            out.extend_from_slice(if index == 0 { b",\"rolled_up\":[" } else { b"," });
            write_text(key, out);
        }
        if !keys.is_empty() {
            out.push(b']');
        }
    }

    fn write_window(&mut self, row: usize, out: &mut Vec<u8>) {
        let Some(windows) = &self.presented.windows else {
            out.extend_from_slice(b"null");
            return;
        };
        let is_partial = self.presented.partial.as_ref().is_some_and(|partial| partial[row]);
        let window = Some((windows[row], is_partial));
        if self.window != window {
            self.window = window;
            let (start, end) = windows[row];
            let [start, end] = [start, end].map(|instant| instant_text(instant, self.zone.as_ref()));
            let partial = if is_partial { ",\"partial\":true" } else { "" };
            self.window_text.clear();
            put(&mut self.window_text, format_args!("{{\"start\":\"{start}\",\"end\":\"{end}\"{partial}}}"));
        }
        out.extend_from_slice(&self.window_text);
    }

    /// The outputs that depend on what could not be computed, if there are any.
    fn write_overflow(&self, row: usize, out: &mut Vec<u8>) {
        if self.presented.overflow.iter().all(Option::is_none) {
            return;
        }
        let names = self.presented.row_type.output_names().enumerate();
        let lost = names.filter_map(|(output, name)| Some((name, self.presented.overflow_at(output, row)?)));
        let mut is_first = true;
        for (name, n_rows) in lost {
            let before: &[u8] =
                if std::mem::replace(&mut is_first, false) { b",\"overflow\":{" } else { b"," };
            out.extend_from_slice(before);
            write_text(name, out);
            put(out, format_args!(":{n_rows}"));
        }
        if !is_first {
            out.push(b'}');
        }
    }
}

/// Appends what is formatted; that cannot fail.
fn put(out: &mut Vec<u8>, arguments: std::fmt::Arguments<'_>) {
    let _ = out.write_fmt(arguments);
}

/// A string, quoted and escaped.
fn write_text(text: &str, out: &mut Vec<u8>) {
    // Writing a string to bytes cannot fail.
    let _ = serde_json::to_writer(out, text);
}

/// The greatest int that every reader of JSON has exactly: browsers read numbers as floats.
const MOST_EXACT: i128 = (1 << 53) - 1;

/// A number, or beyond ±(2⁵³ − 1) a string.
fn write_int(value: i128, out: &mut Vec<u8>) {
    match i64::try_from(value) {
        Ok(number) if value.abs() <= MOST_EXACT => put(out, format_args!("{number}")),
        _ => put(out, format_args!("\"{value}\"")),
    }
}

fn write_cell(cell: &Cell<'_>, out: &mut Vec<u8>) {
    match *cell {
        Cell::Null => out.extend_from_slice(b"null"),
        Cell::Bool(value) => put(out, format_args!("{value}")),
        Cell::Int(value) | Cell::Duration(value) => write_int(value.into(), out),
        Cell::Int128(value) => write_int(value, out),
        Cell::Decimal(value, scale) => put(out, format_args!("\"{}\"", DecimalText(value, scale))),
        Cell::Float(value) if !value.is_finite() => out.extend_from_slice(b"null"),
        // The shortest that reads back, with a point or an exponent.
        Cell::Float(value) => put(out, format_args!("{value:?}")),
        Cell::String(value) => write_text(value, out),
        Cell::Enum(index, names) => match names.get(index as usize) {
            Some(name) => write_text(name, out),
            None => put(out, format_args!("\"{index}\"")),
        },
        Cell::Date(value) => put(out, format_args!("\"{}\"", date_text(i64::from(value)))),
        Cell::Timestamp(value) => put(out, format_args!("\"{}\"", instant_text(value, None))),
        Cell::List(kind, ref elements) => {
            out.push(b'[');
            for row in 0..elements.len() {
                if row > 0 {
                    out.push(b',');
                }
                write_cell(&Cell::of(kind, elements, row), out);
            }
            out.push(b']');
        }
        Cell::Record(fields, record, row) => write_record(fields, record, row, out),
    }
}

fn write_record(fields: &[RecordField], record: &StructArray, row: usize, out: &mut Vec<u8>) {
    out.push(b'{');
    for (index, (field, column)) in fields.iter().zip(record.columns()).enumerate() {
        if index > 0 {
            out.push(b',');
        }
        write_text(&field.name, out);
        out.push(b':');
        write_cell(&Cell::of(&field.ty.kind, column, row), out);
    }
    out.push(b'}');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_are_the_shortest_that_read_back_and_have_a_point_or_an_exponent() {
        for (value, text) in [(3.0, "3.0"), (1e-5, "1e-5"), (1e16, "1e16"), (0.1, "0.1"), (5e-324, "5e-324")]
        {
            assert_eq!(cell_json(&Cell::Float(value)), text);
        }
    }

    #[test]
    fn ints_that_a_browser_would_round_are_strings() {
        for (value, text) in [
            (0, "0".to_owned()),
            (MOST_EXACT, MOST_EXACT.to_string()),
            (-MOST_EXACT, (-MOST_EXACT).to_string()),
            (MOST_EXACT + 1, format!("\"{}\"", MOST_EXACT + 1)),
            (-MOST_EXACT - 1, format!("\"{}\"", -MOST_EXACT - 1)),
            (i128::MIN, format!("\"{}\"", i128::MIN)),
        ] {
            assert_eq!(cell_json(&Cell::Int128(value)), text);
        }
        assert_eq!(cell_json(&Cell::Int(i64::MAX)), format!("\"{}\"", i64::MAX));
        assert_eq!(cell_json(&Cell::Duration(-7)), "-7");
    }
}
