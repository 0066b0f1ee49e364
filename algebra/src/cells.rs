//! Values of columns as cells, and cells as columns: how user-defined code reads rows and gives results.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, BooleanBuilder, Date32Builder, DurationMicrosecondBuilder, Float64Builder, Int64Builder,
    StringViewBuilder, TimestampMicrosecondBuilder,
};
use arrow::datatypes::{DataType, TimeUnit};
use metricc_ir::user_defined::Cell;

use crate::argument_column::Column as _;
use crate::values::Values;

/// Columns of plain types, side by side, read row by row.
#[derive(Debug)]
pub struct Cells(Vec<Values>);

impl Cells {
    /// None where a column is of a type that user-defined code cannot take.
    pub fn new(columns: &[ArrayRef]) -> Option<Self> {
        columns.iter().map(Values::of).collect::<Option<_>>().map(Cells)
    }

    /// Reads a row into `cells`.
    pub fn read<'a>(&'a self, row: usize, cells: &mut Vec<Cell<'a>>) {
        cells.clear();
        cells.extend(self.0.iter().map(|column| cell(column, row)));
    }

    /// One value.
    pub fn cell(&self, column: usize, row: usize) -> Cell<'_> {
        self.0.get(column).map_or(Cell::None, |column| cell(column, row))
    }

    pub(crate) fn columns(&self) -> &[Values] {
        &self.0
    }
}

fn cell(column: &Values, row: usize) -> Cell<'_> {
    if column.nulls().is_some_and(|nulls| nulls.is_null(row)) {
        return Cell::None;
    }
    match column {
        Values::Bool(column) => Cell::Bool(column.value(row)),
        Values::Enum(column) => Cell::Enum(column.value(row)),
        Values::Date(column) => Cell::Date(column.value(row)),
        Values::Int(column) => Cell::Int(column.value(row)),
        Values::Timestamp(column) => Cell::Timestamp(column.value(row)),
        Values::Duration(column) => Cell::Duration(column.value(row)),
        Values::Float(column) => Cell::Float(column.value(row)),
        Values::Decimal(column) => Cell::Decimal(column.value(row), column.scale().unsigned_abs()),
        Values::Text(column) => Cell::Text(column.value(row)),
    }
}

/// The days, and the instants, of the years 1 to 9999: those of the language.
const DAYS: std::ops::RangeInclusive<i32> = -719_162..=2_932_896;
const MICROS: std::ops::RangeInclusive<i64> = -62_135_596_800_000_000..=253_402_300_799_999_999;

/// A column under construction from cells of one type.
#[derive(Debug)]
pub enum CellBuilder {
    /// Boolean.
    Bool(BooleanBuilder),
    /// Int64.
    Int(Int64Builder),
    /// Float64; one that is not finite is null.
    Float(Float64Builder),
    /// Utf8View.
    Text(StringViewBuilder),
    /// Date32.
    Date(Date32Builder),
    /// Timestamp(µs).
    Timestamp(TimestampMicrosecondBuilder),
    /// Duration(µs).
    Duration(DurationMicrosecondBuilder),
}

impl CellBuilder {
    /// None for a type that user-defined code cannot return.
    pub fn new(data_type: &DataType) -> Option<Self> {
        Some(match data_type {
            DataType::Boolean => CellBuilder::Bool(BooleanBuilder::new()),
            DataType::Int64 => CellBuilder::Int(Int64Builder::new()),
            DataType::Float64 => CellBuilder::Float(Float64Builder::new()),
            DataType::Utf8View => CellBuilder::Text(StringViewBuilder::new()),
            DataType::Date32 => CellBuilder::Date(Date32Builder::new()),
            DataType::Timestamp(TimeUnit::Microsecond, None) => {
                CellBuilder::Timestamp(TimestampMicrosecondBuilder::new())
            }
            DataType::Duration(TimeUnit::Microsecond) => {
                CellBuilder::Duration(DurationMicrosecondBuilder::new())
            }
            _ => return None,
        })
    }

    /// Appends a cell; an error for one of another type.
    ///
    /// # Errors
    /// What does not fit.
    pub fn append(&mut self, cell: &Cell<'_>) -> Result<(), &'static str> {
        match (self, cell) {
            (CellBuilder::Bool(column), Cell::Bool(value)) => column.append_value(*value),
            (CellBuilder::Int(column), Cell::Int(value)) => column.append_value(*value),
            (CellBuilder::Float(column), Cell::Float(value)) => {
                // There is one zero, and nothing that is not finite.
                column.append_option(value.is_finite().then_some(*value + 0.0));
            }
            (CellBuilder::Text(column), Cell::Text(value)) => column.append_value(value),
            (CellBuilder::Date(column), Cell::Date(value)) => {
                column.append_option(DAYS.contains(value).then_some(*value));
            }
            (CellBuilder::Timestamp(column), Cell::Timestamp(value)) => {
                column.append_option(MICROS.contains(value).then_some(*value));
            }
            (CellBuilder::Duration(column), Cell::Duration(value)) => column.append_value(*value),
            (column, Cell::None | Cell::Improper(_)) => column.append_none(),
            _ => return Err("a result is of another type than declared"),
        }
        Ok(())
    }

    /// Appends none.
    pub fn append_none(&mut self) {
        match self {
            CellBuilder::Bool(column) => column.append_null(),
            CellBuilder::Int(column) => column.append_null(),
            CellBuilder::Float(column) => column.append_null(),
            CellBuilder::Text(column) => column.append_null(),
            CellBuilder::Date(column) => column.append_null(),
            CellBuilder::Timestamp(column) => column.append_null(),
            CellBuilder::Duration(column) => column.append_null(),
        }
    }

    /// The column.
    pub fn finish(mut self) -> ArrayRef {
        fn boxed(array: impl Array + 'static) -> ArrayRef {
            Arc::new(array)
        }
        match &mut self {
            CellBuilder::Bool(column) => boxed(column.finish()),
            CellBuilder::Int(column) => boxed(column.finish()),
            CellBuilder::Float(column) => boxed(column.finish()),
            CellBuilder::Text(column) => boxed(column.finish()),
            CellBuilder::Date(column) => boxed(column.finish()),
            CellBuilder::Timestamp(column) => boxed(column.finish()),
            CellBuilder::Duration(column) => boxed(column.finish()),
        }
    }
}
