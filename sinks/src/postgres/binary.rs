//! Rows in the binary format of `COPY`: exact, and without texts of numbers on either side.

use std::collections::BTreeMap;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, DurationMicrosecondType, Float64Type, Int64Type,
    TimestampMicrosecondType,
};
use bytes::{BufMut, BytesMut};
use serde_json::value::RawValue;

use crate::{Row, Rows, SinkError};

/// µs from 1970 to 2000, where PostgreSQL counts from.
const EPOCH_MICROS: i64 = 946_684_800_000_000;
/// Days from 1970 to 2000.
const EPOCH_DAYS: i32 = 10_957;

/// What a copy begins with.
pub(super) fn header(out: &mut BytesMut) {
    out.put_slice(b"PGCOPY\n\xff\r\n\0");
    out.put_i32(0);
    out.put_i32(0);
}

/// What a copy ends with.
pub(super) fn trailer(out: &mut BytesMut) {
    out.put_i16(-1);
}

/// Writes some rows.
pub(super) struct Encoder<'a> {
    rows: &'a Rows,
    is_removed: bool,
    /// Name and values of each column.
    columns: Vec<(String, &'a ArrayRef)>,
    /// Whether a column is JSON, which is taken from the JSON of the row.
    has_json: bool,
    n_fields: i16,
}

impl<'a> Encoder<'a> {
    pub(super) fn new(rows: &'a Rows, is_removed: bool) -> Result<Self, SinkError> {
        let schema = rows.columns.schema();
        let names = schema.fields().iter().map(|field| field.name().clone());
        let columns: Vec<_> = names.zip(rows.columns.columns()).collect();
        let has_json = columns.iter().any(|(_, column)| is_json(column));
        let n_fields = i16::try_from(columns.len() + 3)
            .map_err(|_| SinkError::Refused("a metric has too many columns for PostgreSQL".to_owned()))?;
        Ok(Encoder { rows, is_removed, columns, has_json, n_fields })
    }

    /// Writes a row.
    pub(super) fn write(&self, row: usize, out: &mut BytesMut) -> Result<(), SinkError> {
        let json = Row::parse(&self.rows.json[row])?;
        let nested = if self.has_json { members(&json, self.rows.is_bare) } else { BTreeMap::new() };
        out.put_i16(self.n_fields);
        out.put_i32(1);
        out.put_u8(u8::from(self.is_removed));
        put(json.key_text().as_bytes(), out)?;
        for (name, column) in &self.columns {
            if column.is_null(row) {
                out.put_i32(-1);
            } else if is_json(column) {
                put_json(nested.get(name.as_str()).copied().unwrap_or(json.value), out)?;
            } else {
                put_value(column, row, out)?;
            }
        }
        match json.overflow {
            Some(overflow) => put_json(overflow, out),
            None => {
                out.put_i32(-1);
                Ok(())
            }
        }
    }
}

/// Keys and values of a row by name; a value alone has none.
fn members<'a>(row: &Row<'a>, is_bare: bool) -> BTreeMap<String, &'a RawValue> {
    let object = |raw: &'a RawValue| serde_json::from_str::<BTreeMap<String, &'a RawValue>>(raw.get());
    let objects = if is_bare { vec![row.key] } else { vec![row.key, row.value] };
    objects.into_iter().filter_map(|raw| object(raw).ok()).flatten().collect()
}

fn is_json(column: &ArrayRef) -> bool {
    matches!(column.data_type(), DataType::List(_) | DataType::Struct(_))
}

/// A length, and so many bytes.
fn put(bytes: &[u8], out: &mut BytesMut) -> Result<(), SinkError> {
    let n_bytes = i32::try_from(bytes.len()).map_err(|_| {
        SinkError::Refused("a value has more than 2 GiB, which PostgreSQL does not take".to_owned())
    })?;
    out.put_i32(n_bytes);
    out.put_slice(bytes);
    Ok(())
}

/// No text of PostgreSQL has the character U+0000: U+FFFD stands in its place.
fn put_text(text: &str, out: &mut BytesMut) -> Result<(), SinkError> {
    match text.contains('\0') {
        true => put(text.replace('\0', "\u{fffd}").as_bytes(), out),
        false => put(text.as_bytes(), out),
    }
}

fn put_json(json: &RawValue, out: &mut BytesMut) -> Result<(), SinkError> {
    // Version 1, and the text. An escaped backslash before `u0000` would be no character U+0000.
    let mut bytes = vec![1];
    bytes.extend_from_slice(without_nul(json.get()).as_bytes());
    put(&bytes, out)
}

/// JSON with U+FFFD in the place of U+0000.
fn without_nul(json: &str) -> String {
    let mut parts = json.split("\\u0000");
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let n_backslashes = text.len() - text.trim_end_matches('\\').len();
        text.push_str(if n_backslashes.is_multiple_of(2) { "\\ufffd" } else { "\\u0000" });
        text.push_str(part);
    }
    text
}

fn put_value(column: &ArrayRef, row: usize, out: &mut BytesMut) -> Result<(), SinkError> {
    match column.data_type() {
        DataType::Boolean => put(&[u8::from(column.as_boolean().value(row))], out),
        DataType::Int64 => put(&column.as_primitive::<Int64Type>().value(row).to_be_bytes(), out),
        DataType::Duration(_) => {
            put(&column.as_primitive::<DurationMicrosecondType>().value(row).to_be_bytes(), out)
        }
        DataType::Float64 => put(&column.as_primitive::<Float64Type>().value(row).to_be_bytes(), out),
        DataType::Decimal128(_, scale) => {
            let value = column.as_primitive::<Decimal128Type>().value(row);
            put(&numeric(value, scale.unsigned_abs()), out)
        }
        DataType::Utf8 => put_text(column.as_string::<i32>().value(row), out),
        DataType::Utf8View => put_text(column.as_string_view().value(row), out),
        DataType::Date32 => {
            let days = column.as_primitive::<Date32Type>().value(row).checked_sub(EPOCH_DAYS);
            put(&days.ok_or_else(out_of_range)?.to_be_bytes(), out)
        }
        DataType::Timestamp(..) => {
            let micros =
                column.as_primitive::<TimestampMicrosecondType>().value(row).checked_sub(EPOCH_MICROS);
            put(&micros.ok_or_else(out_of_range)?.to_be_bytes(), out)
        }
        other => Err(SinkError::Refused(format!("values of type `{other}` have no type in PostgreSQL"))),
    }
}

fn out_of_range() -> SinkError {
    SinkError::Refused("a time is before those that PostgreSQL has".to_owned())
}

/// A decimal in groups of four digits.
fn numeric(value: i128, scale: u8) -> Vec<u8> {
    let scale = usize::from(scale);
    let digits = value.unsigned_abs().to_string();
    let digits = format!("{digits:0>width$}", width = scale + 1);
    let (whole, fraction) = digits.split_at(digits.len() - scale);
    let whole = format!("{whole:0>width$}", width = whole.len().next_multiple_of(4));
    let fraction = format!("{fraction:0<width$}", width = fraction.len().next_multiple_of(4));
    let groups = whole.as_bytes().chunks(4).chain(fraction.as_bytes().chunks(4));
    let group = |digits: &[u8]| digits.iter().fold(0i16, |group, digit| group * 10 + i16::from(digit - b'0'));
    let mut groups: Vec<i16> = groups.map(group).collect();
    // Numbers of digits of an i128 and its scale fit into all of these.
    let mut weight = (whole.len() / 4) as i16 - 1;
    let n_leading = groups.iter().take_while(|group| **group == 0).count();
    groups.drain(..n_leading);
    weight -= n_leading as i16;
    groups.truncate(groups.len() - groups.iter().rev().take_while(|group| **group == 0).count());
    if groups.is_empty() {
        weight = 0;
    }
    let sign: u16 = if value < 0 { 0x4000 } else { 0 };
    let mut bytes = Vec::with_capacity(8 + 2 * groups.len());
    bytes.extend((groups.len() as i16).to_be_bytes());
    bytes.extend(weight.to_be_bytes());
    bytes.extend(sign.to_be_bytes());
    bytes.extend((scale as i16).to_be_bytes());
    groups.iter().for_each(|group| bytes.extend(group.to_be_bytes()));
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_groups_of_four_digits() {
        let words = |bytes: Vec<u8>| -> Vec<i16> {
            bytes.chunks(2).map(|pair| i16::from_be_bytes([pair[0], pair[1]])).collect()
        };
        for (value, scale, wanted) in [
            (0, 2, vec![0, 0, 0, 2]),
            (1, 0, vec![1, 0, 0, 0, 1]),
            (123_456_789, 4, vec![3, 1, 0, 4, 1, 2345, 6789]),
            (-50, 2, vec![1, -1, 0x4000, 2, 5000]),
            (5, 6, vec![1, -2, 0, 6, 500]),
            (100_000_000, 0, vec![1, 2, 0, 0, 1]),
        ] {
            assert_eq!(words(numeric(value, scale)), wanted, "{value} {scale}");
        }
    }

    #[test]
    fn json_has_no_character_that_postgres_refuses() {
        assert_eq!(without_nul(r#"{"a":"\u0000b\\u0000\\\u0000"}"#), r#"{"a":"\ufffdb\\u0000\\\ufffd"}"#);
    }
}
