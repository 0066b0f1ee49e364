//! Which Parquet columns are read as which type, and which of them can reject no record.
//!
//! A column is accepted where its type is the declared one, a narrower one of the same kind, or one whose
//! values may be exactly those of the declared one, which is then looked at one by one; texts where other
//! formats have texts. Never where a guess about meaning would be needed.

use arrow::datatypes::{DataType, TimeUnit};
use metricc_ir as ir;
use parquet::file::metadata::ColumnChunkMetaData;
use parquet::file::statistics::Statistics;

use super::column_path::{self, Nowhere};
use crate::field_decoder::{FieldDecoder, ValueDecoder, ValueFormat};
use metricc_ir::suggest;
use metricc_ir::text::timestamp;

/// Whether a column of this type can be decoded; otherwise what to change.
pub(crate) fn check(found: &DataType, decoder: &ValueDecoder, name: &str) -> Result<(), String> {
    let rules = &decoder.rules;
    let accepted = match (&decoder.format, found) {
        (
            ValueFormat::List(element),
            DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _),
        ) => {
            return check(item.data_type(), element, name);
        }
        (ValueFormat::Record(parts), DataType::Struct(_) | DataType::Map(..)) => {
            return parts.iter().try_for_each(|part| check_part(found, part));
        }
        (ValueFormat::Timestamp, DataType::Timestamp(_, None)) if rules.zone().is_none() => {
            return Err(format!(
                "its timestamps are local times: say whose, as in `{name}: timestamp zone \"UTC\"`"
            ));
        }
        (ValueFormat::Timestamp, DataType::Date32 | DataType::Date64) if rules.zone().is_none() => {
            return Err(format!(
                "its values are dates: say whose midnights they are, as in `{name}: timestamp zone \"UTC\"`, or \
                 declare `{name}: date`"
            ));
        }
        (ValueFormat::Timestamp, found) if (is_int(found) || is_float(found)) && rules.unit().is_none() => {
            return Err(format!("say what its numbers count, as in `{name}: timestamp unit ms`"));
        }
        (ValueFormat::Decimal { .. }, found) if is_float(found) => {
            return Err(format!(
                "a float is not an exact number: declare `{name}: float`, or write the column as a decimal"
            ));
        }
        (ValueFormat::Bool, found) if (is_int(found) || is_declared_text(found)) && !rules.has_bools() => {
            return Err(format!("say which are which, as in `{name}: bool true \"1\" false \"0\"`"));
        }
        (ValueFormat::Text | ValueFormat::Enum(_), found) => is_text(found),
        (ValueFormat::List(_) | ValueFormat::Record(_), _) => false,
        // The same texts as in other formats.
        (_, found) if is_declared_text(found) => true,
        (ValueFormat::Bool, found) => *found == DataType::Boolean || is_int(found),
        (ValueFormat::Int, found) => is_int(found) || is_float(found) || is_decimal(found),
        (ValueFormat::Decimal { .. }, found) => is_int(found) || is_decimal(found),
        (ValueFormat::Float, found) => is_float(found) || (is_int(found) && !is_long(found)),
        (ValueFormat::Date, found) => matches!(found, DataType::Date32 | DataType::Date64),
        (ValueFormat::Timestamp, DataType::Timestamp(..) | DataType::Date32 | DataType::Date64) => true,
        (ValueFormat::Timestamp, found) => is_int(found) || is_float(found),
        (ValueFormat::Duration, found) => matches!(found, DataType::Duration(_)) || is_int(found),
    };
    if accepted { Ok(()) } else { Err(help(found, decoder, name)) }
}

/// Whether a part of a record can be decoded from records of this type.
fn check_part(record: &DataType, part: &FieldDecoder) -> Result<(), String> {
    match column_path::type_below(record, part.path.steps()) {
        Ok(DataType::Null) if part.may_be_absent() => Ok(()),
        Ok(found) => check(found, &part.value, &part.name),
        Err(Nowhere::Missing(..)) if part.may_be_absent() => Ok(()),
        Err(nowhere) => Err(no_way(&nowhere, part)),
    }
}

/// Why the path of a field leads to no value, and what to change.
pub(crate) fn no_way(nowhere: &Nowhere, field: &FieldDecoder) -> String {
    let declared = field.declared();
    match nowhere {
        Nowhere::Missing(name, others) => match suggest::lookalike(name, others.iter().map(String::as_str)) {
            Some(meant) => {
                let path = field.path_by(name, meant);
                format!("there is no `{name}`; did you mean `{meant}`? write `{declared} from {path}`")
            }
            None => format!("there is no `{name}`; there are {}", suggest::all_of(others)),
        },
        Nowhere::Repeated(name) => format!("there is more than one `{name}`: rename all but one"),
        Nowhere::Barred(n_steps, found) => format!(
            "`{}` is `{found}`, and has nothing inside that `{declared}` could be read from",
            column_path::start_of(&field.path, *n_steps)
        ),
    }
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
        found if is_float(found) => "float".to_owned(),
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

/// Whether its values are integers; those of 64 bits without a sign may be beyond an `int`.
fn is_int(found: &DataType) -> bool {
    use DataType::{Int8, Int16, Int32, UInt8, UInt16, UInt32};
    matches!(found, Int8 | Int16 | Int32 | UInt8 | UInt16 | UInt32) || is_long(found)
}

/// Whether its values are integers that a float may not hold.
fn is_long(found: &DataType) -> bool {
    matches!(found, DataType::Int64 | DataType::UInt64)
}

pub(super) fn is_float(found: &DataType) -> bool {
    matches!(found, DataType::Float16 | DataType::Float32 | DataType::Float64)
}

pub(super) fn is_decimal(found: &DataType) -> bool {
    use DataType::{Decimal32, Decimal64, Decimal128, Decimal256};
    matches!(found, Decimal32(..) | Decimal64(..) | Decimal128(..) | Decimal256(..))
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

/// Whether a value of an accepted leaf column may not decode, as far as types and statistics tell.
pub(super) fn may_reject(found: &DataType, field: &FieldDecoder, chunk: &ColumnChunkMetaData) -> bool {
    if field.is_typed || field.value.rules.invalid_is_none() {
        return false;
    }
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
    let is_instant = |unit: ir::TimeUnit, local: bool| all_in_range(&|value| is_instant(value, unit, local));
    match (&field.value.format, found) {
        (ValueFormat::Bool, found) => *found != DataType::Boolean,
        (ValueFormat::Duration, DataType::Duration(TimeUnit::Microsecond)) => false,
        (ValueFormat::Int | ValueFormat::Duration, found) => !is_int(found) || *found == DataType::UInt64,
        // A float that is not finite is none.
        (ValueFormat::Float, found) => !is_float(found) && !is_int(found),
        (ValueFormat::Text, found) => {
            !is_declared_text(found) || (field.value.rules.has_nulls() && !field.may_be_absent())
        }
        (ValueFormat::Date, DataType::Date32) => !all_in_range(&|day| {
            (i64::from(timestamp::MIN_DAY)..=i64::from(timestamp::MAX_DAY)).contains(&day)
        }),
        (ValueFormat::Timestamp, DataType::Timestamp(unit, zone)) => match unit {
            // 64 bits of them are the years 1677 to 2262.
            TimeUnit::Nanosecond => false,
            TimeUnit::Millisecond => !is_instant(ir::TimeUnit::Millisecond, zone.is_none()),
            TimeUnit::Microsecond => !is_instant(ir::TimeUnit::Microsecond, zone.is_none()),
            TimeUnit::Second => true,
        },
        (ValueFormat::Timestamp, found) if is_int(found) && *found != DataType::UInt64 => {
            field.value.rules.unit().is_none_or(|unit| !is_instant(unit, false))
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
