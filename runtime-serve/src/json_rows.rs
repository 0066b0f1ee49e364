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
//! Rows are written from their columns into the bytes of the answer, and are not parsed again.

use std::io::{self, Write};

use arrow::array::Array;
use metricc_ir::calendar::{ZoneRules, date_text, instant_text};
use metricc_ir::text::number::decimal_text;
use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Serialize, Serializer};
use serde_json::ser::{CompactFormatter, Formatter};

use crate::Presented;
use crate::presented_cell::{Cell, float_text};

/// An answer as JSON: anything with [`Presented`] rows in it.
///
/// # Errors
/// If a value cannot be serialized.
pub fn to_json(value: &impl Serialize) -> serde_json::Result<String> {
    let mut bytes = Vec::with_capacity(256);
    value.serialize(&mut serde_json::Serializer::with_formatter(&mut bytes, Json(CompactFormatter)))?;
    String::from_utf8(bytes).map_err(serde::ser::Error::custom)
}

/// One JSON object per row, without line ends, in row order.
pub fn json_lines(presented: &Presented) -> impl Iterator<Item = String> + '_ {
    let zone = presented.window_zone();
    (0..presented.n_rows).map(move |row| {
        to_json(&Row { presented, zone: zone.as_ref(), row }).expect("a row has nothing but names and values")
    })
}

/// Rows of an array, after those that were written before. `is_first`: whether there were none.
pub(crate) fn json_rows(
    presented: &Presented,
    is_first: &mut bool,
    out: &mut Vec<u8>,
) -> serde_json::Result<()> {
    let zone = presented.window_zone();
    for row in 0..presented.n_rows {
        if !std::mem::replace(is_first, false) {
            out.push(b',');
        }
        let row = Row { presented, zone: zone.as_ref(), row };
        row.serialize(&mut serde_json::Serializer::with_formatter(&mut *out, Json(CompactFormatter)))?;
    }
    Ok(())
}

/// JSON without spaces, with floats as the language spells them.
struct Json(CompactFormatter);

impl Formatter for Json {
    fn write_f64<W: Write + ?Sized>(&mut self, writer: &mut W, value: f64) -> io::Result<()> {
        writer.write_all(float_text(value).as_bytes())
    }
}

impl Serialize for Presented {
    /// An array of rows. Written by [`to_json`], since other serializers spell some floats differently.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let zone = self.window_zone();
        let mut rows = serializer.serialize_seq(Some(self.n_rows))?;
        for row in 0..self.n_rows {
            rows.serialize_element(&Row { presented: self, zone: zone.as_ref(), row })?;
        }
        rows.end()
    }
}

struct Row<'a> {
    presented: &'a Presented,
    /// The zone of its window's instants.
    zone: Option<&'a ZoneRules>,
    row: usize,
}

impl Serialize for Row<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Row { presented, zone, row } = *self;
        let metric = &presented.row_type;
        let keys = metric.keys.iter().map(|key| (key.name.as_str(), &key.ty.kind));
        let outputs = metric.outputs.iter().map(|output| (output.name.as_deref(), &output.ty.kind));
        let mut object = serializer.serialize_map(Some(4))?;
        object.serialize_entry("metric", &metric.name)?;
        let keys =
            keys.zip(&presented.keys).map(|((name, kind), column)| (name, Cell::of(kind, column, row)));
        object.serialize_entry("key", &Object(keys.collect()))?;
        let window = presented.windows.as_ref().map(|windows| {
            let is_partial = presented.partial.as_ref().is_some_and(|partial| partial[row]);
            Window { span: windows[row], zone, is_partial }
        });
        object.serialize_entry("window", &window)?;
        let outputs: Vec<_> = outputs
            .zip(&presented.outputs)
            .map(|((name, kind), column)| (name, Cell::of(kind, column, row)))
            .collect();
        match &outputs[..] {
            [(None, value)] => object.serialize_entry("value", value)?,
            _ => {
                let named = outputs.into_iter().map(|(name, value)| (name.unwrap_or("value"), value));
                object.serialize_entry("value", &Object(named.collect()))?;
            }
        }
        let names = metric.output_names().enumerate();
        let lost = names.filter_map(|(output, name)| Some((name, presented.overflow_at(output, row)?)));
        let lost: Vec<_> = lost.collect();
        if !lost.is_empty() {
            object.serialize_entry("overflow", &Object(lost))?;
        }
        object.end()
    }
}

/// The window of a row. It says that it is partial only if it is.
struct Window<'a> {
    span: (i64, i64),
    zone: Option<&'a ZoneRules>,
    is_partial: bool,
}

impl Serialize for Window<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut window = serializer.serialize_map(Some(2 + usize::from(self.is_partial)))?;
        window.serialize_entry("start", &instant_text(self.span.0, self.zone))?;
        window.serialize_entry("end", &instant_text(self.span.1, self.zone))?;
        if self.is_partial {
            window.serialize_entry("partial", &true)?;
        }
        window.end()
    }
}

/// Members by name, in this order.
struct Object<'a, T>(Vec<(&'a str, T)>);

impl<T: Serialize> Serialize for Object<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

/// The greatest int that every reader of JSON has exactly: browsers read numbers as floats.
const MOST_EXACT: i128 = (1 << 53) - 1;

/// A number, or beyond ±(2⁵³ − 1) a string.
fn exact_int<S: Serializer>(value: i128, serializer: S) -> Result<S::Ok, S::Error> {
    match i64::try_from(value) {
        Ok(number) if value.abs() <= MOST_EXACT => serializer.serialize_i64(number),
        _ => serializer.serialize_str(&value.to_string()),
    }
}

impl Serialize for Cell<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match *self {
            Cell::Null => serializer.serialize_unit(),
            Cell::Bool(value) => serializer.serialize_bool(value),
            Cell::Int(value) | Cell::Duration(value) => exact_int(value.into(), serializer),
            Cell::Int128(value) => exact_int(value, serializer),
            Cell::Decimal(value, scale) => serializer.serialize_str(&decimal_text(value, scale)),
            Cell::Float(value) => serializer.serialize_f64(value),
            Cell::String(value) => serializer.serialize_str(value),
            Cell::Enum(index, names) => match names.get(index as usize) {
                Some(name) => serializer.serialize_str(name),
                None => serializer.serialize_str(&index.to_string()),
            },
            Cell::Date(value) => serializer.serialize_str(&date_text(i64::from(value))),
            Cell::Timestamp(value) => serializer.serialize_str(&instant_text(value, None)),
            Cell::List(kind, ref elements) => {
                let cells = (0..elements.len()).map(|row| Cell::of(kind, elements, row));
                serializer.collect_seq(cells)
            }
            Cell::Record(fields, record, row) => {
                let columns = fields.iter().zip(record.columns());
                let member =
                    columns.map(|(field, column)| (&field.name, Cell::of(&field.ty.kind, column, row)));
                serializer.collect_map(member)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_are_the_shortest_that_read_back_and_have_a_point_or_an_exponent() {
        for (value, text) in [(3.0, "3.0"), (1e-5, "1e-5"), (1e16, "1e16"), (0.1, "0.1"), (5e-324, "5e-324")]
        {
            assert_eq!(to_json(&Cell::Float(value)).unwrap(), text);
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
            assert_eq!(to_json(&Cell::Int128(value)).unwrap(), text);
        }
        assert_eq!(to_json(&Cell::Int(i64::MAX)).unwrap(), format!("\"{}\"", i64::MAX));
        assert_eq!(to_json(&Cell::Duration(-7)).unwrap(), "-7");
    }
}
