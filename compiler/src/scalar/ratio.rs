//! The exact quotient of two numbers, rounded once.

use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, Decimal128Type, Float64Type, Int64Type};
use metricc_algebra::{ratio_i128_to_f64, ratio_to_f64};
use metricc_ir::Kind;
use num_bigint::BigInt;

use super::decimal::{Digits, power_of_ten};
use super::float;
use super::operand::{Body, Operand, Result, binary_total, two, unary_total};

/// The kernel for a quotient of two exact numbers, in any mix, or of two floats.
pub(super) fn ratio(left: &Kind, right: &Kind) -> Option<Body> {
    if let (Kind::Float, Kind::Float) = (left, right) {
        return Some(float::quotient());
    }
    let (left_scale, right_scale) = (scale_of(left)?, scale_of(right)?);
    Some(Arc::new(move |args, n_rows| {
        let (left, right) = two(args)?;
        let args = [widened(left)?, widened(right)?];
        binary_total::<Decimal128Type, Decimal128Type, Float64Type>(
            &args,
            n_rows,
            &DataType::Float64,
            |left, right| match quotient(left, left_scale, right, right_scale) {
                Some(value) => float::canonical(value),
                None => (0.0, true),
            },
        )
    }))
}

fn scale_of(kind: &Kind) -> Option<u32> {
    if let Kind::Int = kind { Some(0) } else { Digits::of(kind).map(|digits| digits.scale) }
}

/// The digits of an exact number as 128-bit integers.
fn widened(operand: &Operand) -> Result<Operand> {
    if operand.array().data_type() != &DataType::Int64 {
        let wanted = operand.array().data_type().clone();
        return operand.conformed(&wanted);
    }
    let column = Operand::column(operand.array().clone());
    let n_values = column.array().len();
    let wide: ArrayRef =
        unary_total::<Int64Type, Decimal128Type>(&column, n_values, &DataType::Decimal128(38, 0), |value| {
            (value.into(), false)
        })?;
    Ok(if operand.is_scalar() { Operand::scalar(wide) } else { Operand::column(wide) })
}

/// (left / 10^`left_scale`) / (right / 10^`right_scale`), correctly rounded; `None` for division by zero.
pub(super) fn quotient(left: i128, left_scale: u32, right: i128, right_scale: u32) -> Option<f64> {
    if right == 0 {
        return None;
    }
    let raise_left = power_of_ten(right_scale.saturating_sub(left_scale));
    let raise_right = power_of_ten(left_scale.saturating_sub(right_scale));
    match (left.checked_mul(raise_left), right.checked_mul(raise_right)) {
        (Some(left), Some(right)) => ratio_i128_to_f64(left, right),
        _ => ratio_to_f64(
            &(BigInt::from(left) * BigInt::from(raise_left)),
            &(BigInt::from(right) * BigInt::from(raise_right)),
        ),
    }
}
