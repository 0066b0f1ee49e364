//! `??`, `if … then … else`, `min` and `max` of values: each takes a row's value from one of its arguments.
//!
//! All arguments are evaluated: expressions have neither effects nor errors, and a selection on whole
//! columns is faster than evaluating parts of a batch.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, BooleanArray};
use arrow::buffer::{BooleanBuffer, NullBuffer};
use arrow::compute::kernels::{cmp, zip::zip};
use arrow::compute::nullif;
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, DurationMicrosecondType, Float64Type, Int32Type, Int64Type,
    TimeUnit, TimestampMicrosecondType,
};
use arrow::error::ArrowError;
use metricc_ir::Kind;

use super::data_type;
use super::operand::{Body, Operand, Result, finish, plain, two};

/// The first argument that is not null.
pub(super) fn coalesce(result: &Kind) -> Body {
    let wanted = data_type(result);
    Arc::new(move |operands, n_rows| {
        let (left, right) = two(operands)?;
        let (left, right) = (left.conformed(&wanted)?, right.conformed(&wanted)?);
        match left.nulls(n_rows) {
            None if !left.is_scalar() => Ok(left.array().clone()),
            None => select(&BooleanBuffer::new_set(n_rows), &left, &right, n_rows),
            Some(nulls) => select(nulls.inner(), &left, &right, n_rows),
        }
    })
}

/// The second argument where the first is true, else the third.
pub(super) fn if_else(result: &Kind) -> Body {
    let wanted = data_type(result);
    Arc::new(move |operands, n_rows| {
        let [condition, yes, no] = operands else {
            return Err(ArrowError::InvalidArgumentError("`if` takes three arguments".into()));
        };
        let condition = condition.plain_bools(n_rows)?;
        select(&condition, &yes.conformed(&wanted)?, &no.conformed(&wanted)?, n_rows)
    })
}

/// The least or the greatest of the arguments; null if one of them is null. Lists have no order.
pub(super) fn extreme(result: &Kind, greatest: bool) -> Option<Body> {
    if let Kind::List(_) | Kind::Record(_) = result {
        return None;
    }
    let wanted = data_type(result);
    Some(Arc::new(move |operands, n_rows| {
        let mut operands = operands.iter();
        let first = operands.next().ok_or_else(|| ArrowError::InvalidArgumentError("no argument".into()))?;
        let mut best = first.conformed(&wanted)?;
        for other in operands {
            best = better(&best, &other.conformed(&wanted)?, greatest, n_rows)?;
        }
        if best.is_scalar() {
            return select(&BooleanBuffer::new_set(n_rows), &best, &best, n_rows);
        }
        Ok(best.array().clone())
    }))
}

fn better(left: &Operand, right: &Operand, greatest: bool, n_rows: usize) -> Result<Operand> {
    if left.is_scalar() && right.is_scalar() {
        let (left, right) = (Operand::column(left.array().clone()), Operand::column(right.array().clone()));
        return better(&left, &right, greatest, 1).map(|best| Operand::scalar(best.array().clone()));
    }
    let keeps_left = if greatest { cmp::gt_eq(left, right)? } else { cmp::lt_eq(left, right)? };
    let chosen = select(&plain(&keeps_left), left, right, n_rows)?;
    let nulls = NullBuffer::union(left.nulls(n_rows).as_ref(), right.nulls(n_rows).as_ref());
    Ok(Operand::column(match nulls {
        None => chosen,
        Some(nulls) => nullif(&chosen, &BooleanArray::new(!nulls.inner(), None))?,
    }))
}

/// Row by row, `yes` where the mask is set, else `no`. Both have one type.
pub(super) fn select(mask: &BooleanBuffer, yes: &Operand, no: &Operand, n_rows: usize) -> Result<ArrayRef> {
    match yes.array().data_type() {
        DataType::Int64 => select_primitive::<Int64Type>(mask, yes, no, n_rows),
        DataType::Int32 => select_primitive::<Int32Type>(mask, yes, no, n_rows),
        DataType::Date32 => select_primitive::<Date32Type>(mask, yes, no, n_rows),
        DataType::Float64 => select_primitive::<Float64Type>(mask, yes, no, n_rows),
        DataType::Decimal128(..) => select_primitive::<Decimal128Type>(mask, yes, no, n_rows),
        DataType::Timestamp(TimeUnit::Microsecond, None) => {
            select_primitive::<TimestampMicrosecondType>(mask, yes, no, n_rows)
        }
        DataType::Duration(TimeUnit::Microsecond) => {
            select_primitive::<DurationMicrosecondType>(mask, yes, no, n_rows)
        }
        _ => zip(&BooleanArray::new(mask.clone(), None), yes, no),
    }
}

fn select_primitive<T: ArrowPrimitiveType>(
    mask: &BooleanBuffer,
    yes: &Operand,
    no: &Operand,
    n_rows: usize,
) -> Result<ArrayRef> {
    let (yes_values, no_values) = (yes.primitive::<T>()?, no.primitive::<T>()?);
    let values = mask
        .iter()
        .enumerate()
        .map(|(row, is_yes)| if is_yes { yes_values.value(row) } else { no_values.value(row) });
    let nulls = match (yes.nulls(n_rows), no.nulls(n_rows)) {
        (None, None) => None,
        (yes, no) => Some(NullBuffer::new(BooleanBuffer::collect_bool(n_rows, |row| {
            let side = if mask.value(row) { &yes } else { &no };
            side.as_ref().is_none_or(|nulls| nulls.is_valid(row))
        }))),
    };
    finish::<T>(values.collect(), nulls, yes.array().data_type())
}
