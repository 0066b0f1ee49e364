//! `hash64`: XXH3 with 64 bits and seed 0 over canonical bytes.
//!
//! The bytes are those of the arguments in their order, each as a tag byte, the length of its payload (`u32`,
//! little endian), and the payload, so that neither types nor adjacent arguments can be confused:
//!
//! | argument | tag | payload |
//! |---|---|---|
//! | null, of any type | 0 | empty |
//! | `bool` | 1 | one byte, 0 or 1 |
//! | `int` | 2 | 8 bytes, two's complement, little endian |
//! | `int128` | 3 | 16 bytes, two's complement, little endian |
//! | `decimal` | 4 | the scale, one byte; the digits, 16 bytes, two's complement, little endian |
//! | `float` | 5 | 8 bytes, IEEE 754, little endian |
//! | `string` | 6 | UTF-8 |
//! | `enum` | 7 | UTF-8 of the name |
//! | `date` | 8 | days since 1970-01-01, 4 bytes, two's complement, little endian |
//! | `timestamp` | 9 | µs since the epoch, 8 bytes, two's complement, little endian |
//! | `duration` | 10 | µs, 8 bytes, two's complement, little endian |
//!
//! The layout is a contract: hashes are stored in states. The precision of a decimal is not part of it.

use std::sync::Arc;

use arrow::array::{Array, AsArray, Int64Array};
use arrow::datatypes::{
    ArrowPrimitiveType, Date32Type, Decimal128Type, DurationMicrosecondType, Float64Type, Int32Type,
    Int64Type, TimestampMicrosecondType,
};
use metricc_algebra::hash64 as hash64_of;
use metricc_ir::Kind;

use super::operand::{Body, Operand, Result, unexpected};

/// Appends the canonical bytes of a row's argument.
pub(super) type Writer<'a> = Box<dyn Fn(usize, &mut Vec<u8>) + 'a>;

/// The kernel. Lists have no hash.
pub(super) fn hash64(kinds: &[Kind]) -> Option<Body> {
    if kinds.iter().any(|kind| matches!(kind, Kind::List(_) | Kind::Record(_))) {
        return None;
    }
    let kinds = kinds.to_vec();
    Some(Arc::new(move |args, n_rows| {
        let writers =
            args.iter().zip(&kinds).map(|(arg, kind)| writer(arg, kind)).collect::<Result<Vec<_>>>()?;
        let mut bytes = Vec::new();
        let hashes = (0..n_rows).map(|row| {
            bytes.clear();
            writers.iter().for_each(|write| write(row, &mut bytes));
            hash64_of(&bytes).cast_signed()
        });
        Ok(Arc::new(hashes.collect::<Int64Array>()))
    }))
}

/// Writes the canonical bytes of an argument. Lists have no such bytes.
pub(super) fn writer<'a>(operand: &'a Operand, kind: &'a Kind) -> Result<Writer<'a>> {
    match kind {
        Kind::Bool => {
            let bools =
                operand.array().as_boolean_opt().ok_or_else(|| unexpected(operand.array(), "Boolean"))?;
            Ok(present(operand, move |index, bytes| append(bytes, 1, &[bools.value(index).into()])))
        }
        Kind::Int => primitive::<Int64Type>(operand, |value, bytes| append(bytes, 2, &value.to_le_bytes())),
        Kind::Int128 => {
            primitive::<Decimal128Type>(operand, |value, bytes| append(bytes, 3, &value.to_le_bytes()))
        }
        Kind::Decimal { scale, .. } => primitive::<Decimal128Type>(operand, move |value, bytes| {
            let mut payload = [*scale; 17];
            payload[1..].copy_from_slice(&value.to_le_bytes());
            append(bytes, 4, &payload);
        }),
        Kind::Float => {
            primitive::<Float64Type>(operand, |value, bytes| append(bytes, 5, &value.to_le_bytes()))
        }
        Kind::String => {
            let texts = operand
                .array()
                .as_string_view_opt()
                .ok_or_else(|| unexpected(operand.array(), "Utf8View"))?;
            Ok(present(operand, move |index, bytes| append(bytes, 6, texts.value(index).as_bytes())))
        }
        Kind::Enum(names) => primitive::<Int32Type>(operand, move |value, bytes| {
            match usize::try_from(value).ok().and_then(|index| names.get(index)) {
                Some(name) => append(bytes, 7, name.as_bytes()),
                None => append(bytes, 0, &[]),
            }
        }),
        Kind::Date => primitive::<Date32Type>(operand, |value, bytes| append(bytes, 8, &value.to_le_bytes())),
        Kind::Timestamp => primitive::<TimestampMicrosecondType>(operand, |value, bytes| {
            append(bytes, 9, &value.to_le_bytes());
        }),
        Kind::Duration => primitive::<DurationMicrosecondType>(operand, |value, bytes| {
            append(bytes, 10, &value.to_le_bytes());
        }),
        Kind::List(_) | Kind::Record(_) => Err(unexpected(operand.array(), "a scalar")),
    }
}

fn primitive<'a, T: ArrowPrimitiveType>(
    operand: &'a Operand,
    write: impl Fn(T::Native, &mut Vec<u8>) + 'a,
) -> Result<Writer<'a>> {
    let values = operand.primitive::<T>()?;
    Ok(present(operand, move |index, bytes| write(values.values()[index], bytes)))
}

/// Writes the value of a row, or null.
fn present<'a>(operand: &'a Operand, write: impl Fn(usize, &mut Vec<u8>) + 'a) -> Writer<'a> {
    Box::new(move |row, bytes| {
        let index = operand.index(row);
        if operand.array().is_null(index) { append(bytes, 0, &[]) } else { write(index, bytes) }
    })
}

fn append(bytes: &mut Vec<u8>, tag: u8, payload: &[u8]) {
    bytes.push(tag);
    // A text of an Arrow array has less than 2^31 bytes.
    bytes.extend_from_slice(&(payload.len() as u32).to_le_bytes());
    bytes.extend_from_slice(payload);
}
