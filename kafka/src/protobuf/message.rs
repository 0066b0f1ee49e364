//! A message as JSON. Fields have the names of the `.proto` file, so a source names them as the file does.
//! A field with presence that is not set is not there; one without presence has its default.

use std::borrow::Cow;

use prost_reflect::{DynamicMessage, EnumDescriptor, FieldDescriptor, Kind, MapKey, ReflectMessage, Value};

use crate::json_text;
use crate::payload::{LONGEST, TOO_LONG};

type Written = Result<(), &'static str>;

/// Writes a message.
pub(super) fn write(message: &DynamicMessage, out: &mut Vec<u8>) -> Written {
    if out.len() > LONGEST {
        return Err(TOO_LONG);
    }
    match message.descriptor().full_name() {
        "google.protobuf.Timestamp" => timestamp(message, out),
        "google.protobuf.Duration" => duration(message, out),
        "google.protobuf.Struct" | "google.protobuf.ListValue" => of_field(message, out),
        "google.protobuf.Value" => match message.fields().next() {
            Some((field, value)) => self::value(value, &field.kind(), out),
            None => null(out),
        },
        "google.protobuf.BoolValue"
        | "google.protobuf.BytesValue"
        | "google.protobuf.DoubleValue"
        | "google.protobuf.FloatValue"
        | "google.protobuf.Int32Value"
        | "google.protobuf.Int64Value"
        | "google.protobuf.StringValue"
        | "google.protobuf.UInt32Value"
        | "google.protobuf.UInt64Value" => of_field(message, out),
        "confluent.type.Decimal" => decimal(message, out),
        _ => object(message, out),
    }
}

fn object(message: &DynamicMessage, out: &mut Vec<u8>) -> Written {
    out.push(b'{');
    let mut is_first = true;
    for field in message.descriptor().fields() {
        if field.supports_presence() && !message.has_field(&field) {
            continue;
        }
        if !std::mem::take(&mut is_first) {
            out.push(b',');
        }
        json_text::string(out, field.name());
        out.push(b':');
        self::field(&message.get_field(&field), &field, out)?;
    }
    out.push(b'}');
    Ok(())
}

/// The value of a field, which may be repeated.
fn field(value: &Value, field: &FieldDescriptor, out: &mut Vec<u8>) -> Written {
    let kind = field.kind();
    match value {
        Value::List(values) => {
            out.push(b'[');
            for (n, value) in values.iter().enumerate() {
                if n > 0 {
                    out.push(b',');
                }
                self::value(value, &kind, out)?;
            }
            out.push(b']');
            Ok(())
        }
        Value::Map(entries) => {
            let Kind::Message(entry) = &kind else { return Err("a map without entries") };
            let kind = entry.map_entry_value_field().kind();
            let mut entries: Vec<_> = entries.iter().collect();
            // The order of a hash map is another one in each run.
            entries.sort_unstable_by_key(|(key, _)| *key);
            out.push(b'{');
            for (n, (key, value)) in entries.into_iter().enumerate() {
                if n > 0 {
                    out.push(b',');
                }
                json_text::string(out, &key_text(key));
                out.push(b':');
                self::value(value, &kind, out)?;
            }
            out.push(b'}');
            Ok(())
        }
        value => self::value(value, &kind, out),
    }
}

fn key_text(key: &MapKey) -> Cow<'_, str> {
    match key {
        MapKey::String(key) => key.into(),
        MapKey::Bool(key) => key.to_string().into(),
        MapKey::I32(key) => key.to_string().into(),
        MapKey::I64(key) => key.to_string().into(),
        MapKey::U32(key) => key.to_string().into(),
        MapKey::U64(key) => key.to_string().into(),
    }
}

/// A single value.
fn value(value: &Value, kind: &Kind, out: &mut Vec<u8>) -> Written {
    if out.len() > LONGEST {
        return Err(TOO_LONG);
    }
    match value {
        Value::Bool(value) => json_text::plain(out, value),
        Value::I32(value) => json_text::plain(out, value),
        Value::I64(value) => json_text::plain(out, value),
        Value::U32(value) => json_text::plain(out, value),
        Value::U64(value) => json_text::plain(out, value),
        Value::F32(value) => json_text::float(out, (*value).into()),
        Value::F64(value) => json_text::float(out, *value),
        Value::String(value) => json_text::string(out, value),
        Value::Bytes(value) => json_text::base64(out, value),
        Value::EnumNumber(number) => enumerated(*number, kind.as_enum(), out),
        Value::Message(message) => return write(message, out),
        Value::List(_) | Value::Map(_) => return Err("a list or a map within another"),
    }
    Ok(())
}

/// The name of an enum's value; its number, if the schema has no name for it.
fn enumerated(number: i32, of: Option<&EnumDescriptor>, out: &mut Vec<u8>) {
    match of.and_then(|of| Some((of.full_name(), of.get_value(number)?))) {
        Some(("google.protobuf.NullValue", _)) => out.extend_from_slice(b"null"),
        Some((_, named)) => json_text::string(out, named.name()),
        None => json_text::plain(out, number),
    }
}

fn null(out: &mut Vec<u8>) -> Written {
    out.extend_from_slice(b"null");
    Ok(())
}

/// A message that stands for the value of its only field.
fn of_field(message: &DynamicMessage, out: &mut Vec<u8>) -> Written {
    match message.descriptor().get_field(1) {
        Some(field) => self::field(&message.get_field(&field), &field, out),
        None => object(message, out),
    }
}

fn number(message: &DynamicMessage, field: u32) -> Option<i64> {
    match *message.get_field_by_number(field)? {
        Value::I64(value) => Some(value),
        Value::I32(value) => Some(value.into()),
        _ => None,
    }
}

/// Seconds since 1970 and nanoseconds after them. A value that is not a time is left as it is, so that a
/// field that is read from it is rejected.
fn timestamp(message: &DynamicMessage, out: &mut Vec<u8>) -> Written {
    let parts = number(message, 1).zip(number(message, 2));
    let parts = parts.filter(|(_, nanos)| (0..1_000_000_000).contains(nanos));
    match parts.and_then(|(seconds, nanos)| json_text::instant_of_parts(seconds, nanos)) {
        Some(text) => json_text::string(out, &text),
        None => return object(message, out),
    }
    Ok(())
}

/// Microseconds, which is what a `duration` reads; what is finer is floored, as it is of timestamps.
fn duration(message: &DynamicMessage, out: &mut Vec<u8>) -> Written {
    let micros = number(message, 1)
        .zip(number(message, 2))
        .map(|(seconds, nanos)| (i128::from(seconds) * 1_000_000_000 + i128::from(nanos)).div_euclid(1_000));
    match micros {
        Some(micros) => json_text::plain(out, micros),
        None => return object(message, out),
    }
    Ok(())
}

fn decimal(message: &DynamicMessage, out: &mut Vec<u8>) -> Written {
    match (message.get_field_by_number(1).as_deref(), number(message, 3)) {
        (Some(Value::Bytes(unscaled)), Some(scale)) => json_text::decimal(out, unscaled, scale),
        _ => object(message, out),
    }
}
