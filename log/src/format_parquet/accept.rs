//! Which Parquet columns are read as which type, and which of them can reject no record.
//!
//! A column is accepted where its type is the declared one, or a narrower one of the same kind; never
//! where a guess about meaning would be needed.

use arrow::datatypes::{DataType, TimeUnit};
use metricc_ir as ir;
use parquet::file::metadata::ColumnChunkMetaData;
use parquet::file::statistics::Statistics;

use crate::record_decoder::{FieldDecoder, ValueDecoder, ValueFormat};
use metricc_ir::text::timestamp;

/// Whether a column of this type can be decoded; otherwise what to change.
pub(crate) fn check(found: &DataType, decoder: &ValueDecoder, name: &str) -> Result<(), String> {
    let accepted = match (&decoder.format, found) {
        (
            ValueFormat::List(element),
            DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _),
        ) => {
            return check(item.data_type(), element, name);
        }
        (ValueFormat::Timestamp { zone, .. }, DataType::Timestamp(_, None)) if zone.is_none() => {
            return Err(format!(
                "its timestamps are local times: say whose, as in `{name}: timestamp zone \"UTC\"`"
            ));
        }
        (ValueFormat::Timestamp { unit: None, .. }, found) if is_int(found) => {
            return Err(format!("say what its integers count, as in `{name}: timestamp unit ms`"));
        }
        (ValueFormat::Decimal { .. }, DataType::Float16 | DataType::Float32 | DataType::Float64) => {
            return Err(format!(
                "a float is not an exact number: declare `{name}: float`, or write the column as a decimal"
            ));
        }
        (ValueFormat::Bool, DataType::Boolean) | (ValueFormat::Timestamp { .. }, DataType::Timestamp(..)) => {
            true
        }
        (ValueFormat::Float, DataType::Float16 | DataType::Float32 | DataType::Float64) => true,
        (ValueFormat::Float, found) => is_int(found) && *found != DataType::Int64,
        (ValueFormat::Decimal { .. }, found) => is_int(found) || is_decimal(found),
        (ValueFormat::Int | ValueFormat::Timestamp { .. }, found) => is_int(found),
        (ValueFormat::Text | ValueFormat::Enum(_), found) => is_text(found),
        (ValueFormat::Date, found) => matches!(found, DataType::Date32 | DataType::Date64),
        (ValueFormat::Duration, found) => matches!(found, DataType::Duration(_)) || is_int(found),
        _ => false,
    };
    if accepted { Ok(()) } else { Err(help(found, decoder, name)) }
}

fn help(found: &DataType, decoder: &ValueDecoder, name: &str) -> String {
    let kind = match found {
        DataType::Boolean => "bool".to_owned(),
        found if is_int(found) => "int".to_owned(),
        DataType::Decimal32(precision, scale)
        | DataType::Decimal64(precision, scale)
        | DataType::Decimal128(precision, scale) => {
            format!("decimal({precision}, {scale})")
        }
        DataType::Float16 | DataType::Float32 | DataType::Float64 => "float".to_owned(),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Dictionary(..) => {
            "string".to_owned()
        }
        DataType::Date32 | DataType::Date64 => "date".to_owned(),
        DataType::Timestamp(..) => "timestamp".to_owned(),
        DataType::Duration(_) => "duration".to_owned(),
        _ => return format!("write the column as `{}`", decoder.ty),
    };
    format!("declare `{name}: {kind}`, or write the column as `{}`", decoder.ty)
}

/// Whether every value of the type is an `int`; 64 bits without a sign are not.
fn is_int(found: &DataType) -> bool {
    use DataType::{Int8, Int16, Int32, Int64, UInt8, UInt16, UInt32};
    matches!(found, Int8 | Int16 | Int32 | Int64 | UInt8 | UInt16 | UInt32)
}

fn is_decimal(found: &DataType) -> bool {
    matches!(found, DataType::Decimal32(..) | DataType::Decimal64(..) | DataType::Decimal128(..))
}

fn is_text(found: &DataType) -> bool {
    match found {
        DataType::Dictionary(_, values) => is_text(values),
        found => is_declared_text(found) || is_bytes(found),
    }
}

/// Whether the file declares the column to be UTF-8.
fn is_declared_text(found: &DataType) -> bool {
    match found {
        DataType::Dictionary(_, values) => is_declared_text(values),
        found => matches!(found, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View),
    }
}

fn is_bytes(found: &DataType) -> bool {
    matches!(
        found,
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_)
    )
}

/// Whether a value of an accepted, flat column may not decode, as far as types and statistics tell.
pub(super) fn may_reject(found: &DataType, field: &FieldDecoder, chunk: &ColumnChunkMetaData) -> bool {
    let statistics = chunk.statistics();
    let n_nulls = statistics.and_then(Statistics::null_count_opt);
    let is_required = chunk.column_descr().max_def_level() == 0;
    if !field.may_be_absent() && !is_required && n_nulls != Some(0) {
        return true;
    }
    let all_in_range = |in_range: &dyn Fn(i64) -> bool| {
        bounds(statistics)
            .is_some_and(|(least, greatest)| least <= greatest && in_range(least) && in_range(greatest))
    };
    match (&field.value.format, found) {
        (ValueFormat::Bool | ValueFormat::Int, _)
        | (ValueFormat::Duration, DataType::Duration(TimeUnit::Microsecond)) => false,
        (ValueFormat::Duration, found) if is_int(found) => false,
        (ValueFormat::Text, found) => !is_declared_text(found),
        (ValueFormat::Date, DataType::Date32) => !all_in_range(&|day| {
            (i64::from(timestamp::MIN_DAY)..=i64::from(timestamp::MAX_DAY)).contains(&day)
        }),
        (ValueFormat::Timestamp { .. }, DataType::Timestamp(unit, zone)) => match unit {
            TimeUnit::Millisecond => {
                !all_in_range(&|value| is_instant(value, ir::TimeUnit::Millisecond, zone.is_none()))
            }
            TimeUnit::Microsecond => {
                !all_in_range(&|value| is_instant(value, ir::TimeUnit::Microsecond, zone.is_none()))
            }
            _ => true,
        },
        (ValueFormat::Timestamp { unit: Some(unit), .. }, found) if is_int(found) => {
            !all_in_range(&|value| is_instant(value, *unit, false))
        }
        _ => true,
    }
}

/// Whether a value is an instant in range; a local time, whatever its zone.
fn is_instant(value: i64, unit: ir::TimeUnit, local: bool) -> bool {
    let margin = if local { 2 * 86_400_000_000 } else { 0 };
    let instant = timestamp::from_unit(value, unit);
    instant.is_ok_and(|instant| (timestamp::MIN + margin..=timestamp::MAX - margin).contains(&instant))
}

fn bounds(statistics: Option<&Statistics>) -> Option<(i64, i64)> {
    match statistics? {
        Statistics::Int32(values) => Some((i64::from(*values.min_opt()?), i64::from(*values.max_opt()?))),
        Statistics::Int64(values) => Some((*values.min_opt()?, *values.max_opt()?)),
        _ => None,
    }
}
