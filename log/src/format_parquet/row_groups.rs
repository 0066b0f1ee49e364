//! Which row groups have rows that are wanted, as their statistics tell.
//!
//! Least and greatest values of Parquet are bounds, not always values: a writer may shorten texts. Floats and
//! decimals are left alone, and so is every column that is not read as it stands.

use arrow::datatypes::{DataType, TimeUnit};
use metricc_ir as ir;
use metricc_ir::Value;
use metricc_ir::text::timestamp;
use parquet::basic::ColumnOrder;
use parquet::file::metadata::RowGroupMetaData;
use parquet::file::statistics::Statistics;

use super::{FileColumn, ParquetIndex, ParquetPartition};
use crate::field_decoder::{FieldDecoder, ValueFormat};
use crate::wanted_rows::{Bound, Known, ValueRange, WantedRows};

impl ParquetIndex {
    /// Whether a row group has no row that is wanted.
    pub(super) fn has_none(&self, group: usize, wanted: &WantedRows, fields: &[FieldDecoder]) -> bool {
        let metadata = self.metadata.metadata();
        let Some(row_group) = metadata.row_groups().get(group) else { return false };
        let order = |leaf: usize| metadata.file_metadata().column_order(leaf);
        wanted.excludes(|index| match (fields.get(index), self.columns.get(index)) {
            (Some(field), Some(None)) => of_constant(field),
            (Some(field), Some(Some(column))) => of_column(field, column, row_group, order),
            _ => Known::Nothing,
        })
    }
}

impl ParquetPartition {
    /// Whether the file has no row that is wanted, as its statistics tell.
    pub fn has_none_of(&self, wanted: &WantedRows) -> bool {
        let n_groups = self.index.metadata.metadata().num_row_groups();
        (0..n_groups).all(|group| self.index.has_none(group, wanted, &self.decoder.fields))
    }
}

/// What is known of a field that the file does not have.
fn of_constant(field: &FieldDecoder) -> Known {
    match (&field.default, &field.value.format) {
        (None | Some(Value::None), _) => Known::None,
        (Some(Value::Int(value) | Value::Timestamp(value)), _) => {
            Known::Within(ValueRange::of(Bound::Int(*value)))
        }
        (Some(Value::Date(day)), _) => Known::Within(ValueRange::of(Bound::Int(i64::from(*day)))),
        (Some(Value::String(text)), _) => Known::Within(ValueRange::of(Bound::Text(text.clone().into()))),
        (Some(Value::Enum(index)), ValueFormat::Enum(names)) => {
            let name = names.name(*index).map(|name| Bound::Text(name.into()));
            name.map_or(Known::Nothing, |name| Known::Within(ValueRange::of(name)))
        }
        _ => Known::Nothing,
    }
}

fn of_column(
    field: &FieldDecoder,
    column: &FileColumn,
    group: &RowGroupMetaData,
    order: impl Fn(usize) -> ColumnOrder,
) -> Known {
    let Some(leaf) = column.only_leaf else { return Known::Nothing };
    let Some(chunk) = group.columns().get(leaf) else { return Known::Nothing };
    let statistics = chunk.statistics();
    let n_nulls = statistics.and_then(Statistics::null_count_opt);
    let is_required = chunk.column_descr().max_def_level() == 0;
    // A default stands for null values, also for texts that are read as null, and may be wanted.
    let may_be_null = field.value.rules.has_nulls() || (!is_required && n_nulls != Some(0));
    if field.default.is_some() && may_be_null {
        return Known::Nothing;
    }
    if !is_required && n_nulls.is_some() && n_nulls == u64::try_from(chunk.num_values()).ok() {
        return Known::None;
    }
    let is_by_type = matches!(order(leaf), ColumnOrder::TYPE_DEFINED_ORDER(_));
    statistics
        .filter(|statistics| is_by_type && !statistics.is_min_max_deprecated())
        .and_then(|statistics| range(field, &column.found, statistics))
        .map_or(Known::Nothing, Known::Within)
}

/// The range of the values that are there, as the field has them.
fn range(field: &FieldDecoder, found: &DataType, statistics: &Statistics) -> Option<ValueRange> {
    let int = |value: fn(i64) -> Option<i64>| ints(statistics, value);
    match (&field.value.format, found) {
        (ValueFormat::Text | ValueFormat::Enum(_), found) if is_text(found) => match statistics {
            Statistics::ByteArray(values) => {
                let bound = |value: &parquet::data_type::ByteArray| Bound::Text(value.data().to_vec());
                Some(ValueRange {
                    least: Some(bound(values.min_opt()?)),
                    greatest: Some(bound(values.max_opt()?)),
                })
            }
            _ => None,
        },
        (ValueFormat::Int, found) if is_signed_int(found) => int(Some),
        (ValueFormat::Date, DataType::Date32) => int(Some),
        (ValueFormat::Timestamp, DataType::Timestamp(unit, Some(_))) => match unit {
            TimeUnit::Second => int(|value| timestamp::from_unit(value, ir::TimeUnit::Second).ok()),
            TimeUnit::Millisecond => int(|value| timestamp::from_unit(value, ir::TimeUnit::Millisecond).ok()),
            TimeUnit::Microsecond => int(Some),
            // As they are read: floored.
            TimeUnit::Nanosecond => int(|value| Some(value.div_euclid(1000))),
        },
        (ValueFormat::Timestamp, DataType::Timestamp(TimeUnit::Microsecond, None)) if field.is_typed => {
            int(Some)
        }
        _ => None,
    }
}

fn ints(statistics: &Statistics, value: impl Fn(i64) -> Option<i64>) -> Option<ValueRange> {
    let (least, greatest) = match statistics {
        Statistics::Int32(values) => (i64::from(*values.min_opt()?), i64::from(*values.max_opt()?)),
        Statistics::Int64(values) => (*values.min_opt()?, *values.max_opt()?),
        _ => return None,
    };
    let (least, greatest) = (value(least)?, value(greatest)?);
    (least <= greatest)
        .then_some(ValueRange { least: Some(Bound::Int(least)), greatest: Some(Bound::Int(greatest)) })
}

/// Whether its integers have a sign, and are in the order of their statistics.
fn is_signed_int(found: &DataType) -> bool {
    matches!(found, DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::Int64)
}

fn is_text(found: &DataType) -> bool {
    match found {
        DataType::Dictionary(_, values) => is_text(values),
        found => matches!(found, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View),
    }
}
