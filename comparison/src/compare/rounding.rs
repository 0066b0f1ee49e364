//! Rows with fewer digits after the point, as another system may have stored or shown them.
//!
//! Digits are decimal ones: those of a float are the digits of the shortest text that reads back as it.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray};
use arrow::datatypes::{Decimal128Type, Float64Type};
use metricc_ir::Kind;
use metricc_ir::text::number::decimal_text;

use super::cell::Number;
use super::row_set::{Column, RowSet};

/// What becomes of digits that are left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rounding {
    /// The nearest number; of two that are as near, the one farther from zero.
    HalfAway,
    /// The nearest number; of two that are as near, the one whose last digit is even.
    HalfEven,
    /// They are cut off.
    Cut,
}

impl Rounding {
    /// So many units without their last digits: in units that are larger by as many powers of ten.
    fn of(self, units: i128, n_dropped: u32) -> i128 {
        // Beyond that, what is left is zero.
        let Some(step) = 10i128.checked_pow(n_dropped) else { return 0 };
        let (whole, rest) = (units / step, units % step);
        let (twice, step) = (rest.unsigned_abs() * 2, step.unsigned_abs());
        let is_up = match self {
            Rounding::HalfAway => twice >= step,
            Rounding::HalfEven => twice > step || (twice == step && whole % 2 != 0),
            Rounding::Cut => false,
        };
        if is_up { whole + units.signum() } else { whole }
    }

    fn of_float(self, value: f64, n_digits: u32) -> f64 {
        let text = value.to_string();
        let Some((_, fraction)) = text.split_once('.') else { return value };
        let n_dropped = n_of(fraction).saturating_sub(n_digits);
        match text.replace('.', "").parse::<i128>() {
            Ok(units) if n_dropped > 0 => {
                let rounded = decimal_text(self.of(units, n_dropped), n_digits as usize);
                rounded.parse().unwrap_or(value)
            }
            _ => value,
        }
    }
}

fn n_of(digits: &str) -> u32 {
    u32::try_from(digits.len()).unwrap_or(u32::MAX)
}

/// The most digits after the point that a number of a column has; `None` if it has no numbers.
pub fn digits(column: &Column) -> Option<u32> {
    let numbers = (0..column.values.len()).filter_map(|row| Number::of(&column.value(row), &column.kind));
    let of_number = |number| {
        let text = match number {
            Number::Float(value) => value.to_string(),
            Number::Exact(units, scale) => decimal_text(units, usize::from(scale)),
        };
        text.split_once('.').map_or(0, |(_, fraction)| n_of(fraction.trim_end_matches('0')))
    };
    numbers.map(of_number).max()
}

impl RowSet {
    /// The rows with at most so many digits after the point of each value; `None` leaves it as it is.
    #[must_use]
    pub fn rounded(&self, digits: &[Option<u32>], rounding: Rounding) -> Self {
        let outputs = self.outputs.iter().enumerate().map(|(place, output)| {
            match digits.get(place).copied().flatten() {
                Some(n_digits) => Column { values: rounded(output, n_digits, rounding), ..output.clone() },
                None => output.clone(),
            }
        });
        RowSet { outputs: outputs.collect(), ..self.clone() }
    }
}

fn rounded(column: &Column, n_digits: u32, rounding: Rounding) -> ArrayRef {
    match column.kind {
        Kind::Float => {
            let floats = column.values.as_primitive::<Float64Type>();
            Arc::new(floats.unary::<_, Float64Type>(|value| rounding.of_float(value, n_digits)))
        }
        Kind::Decimal { scale, .. } if u32::from(scale) > n_digits => {
            let n_dropped = u32::from(scale) - n_digits;
            let step = 10i128.saturating_pow(n_dropped);
            let decimals = column.values.as_primitive::<Decimal128Type>();
            let round = |units| rounding.of(units, n_dropped).saturating_mul(step);
            let decimals = decimals.unary::<_, Decimal128Type>(round);
            Arc::new(decimals.with_data_type(column.values.data_type().clone()))
        }
        _ => column.values.clone(),
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{Decimal128Array, Float64Array};
    use metricc_ir::Value;

    use super::*;

    fn column(kind: Kind, values: ArrayRef) -> Column {
        Column { name: "value".to_owned(), kind, values, lost: None }
    }

    #[test]
    fn halves_go_where_the_rounding_says() {
        let each = |units| [Rounding::HalfAway, Rounding::HalfEven, Rounding::Cut].map(|r| r.of(units, 1));
        assert_eq!(each(25), [3, 2, 2]);
        assert_eq!(each(35), [4, 4, 3]);
        assert_eq!(each(-25), [-3, -2, -2]);
        assert_eq!(each(26), [3, 3, 2]);
        assert_eq!(Rounding::HalfAway.of(i128::MAX, 39), 0);
        assert_eq!(Rounding::HalfAway.of(i128::MAX, 38), 2);
    }

    #[test]
    fn floats_are_rounded_by_the_digits_that_they_show() {
        let round = |value, n| Rounding::HalfAway.of_float(value, n);
        // As a binary number, 1.005 is below the half.
        assert_eq!(round(1.005, 2), 1.01);
        assert_eq!(round(-2.5, 0), -3.0);
        assert_eq!((round(1e300, 2), round(1e-300, 2), round(0.25, 4)), (1e300, 0.0, 0.25));
        assert!(round(f64::NAN, 2).is_nan() && round(f64::INFINITY, 2).is_infinite());
    }

    #[test]
    fn columns_keep_their_type_and_what_is_none() {
        let kind = Kind::Decimal { precision: 12, scale: 3 };
        let units = Decimal128Array::from(vec![Some(1_234), None, Some(1_500)]);
        let units: ArrayRef = Arc::new(units.with_precision_and_scale(12, 3).unwrap());
        let decimals = column(kind.clone(), units);
        assert_eq!(digits(&decimals), Some(3));
        let values = rounded(&decimals, 1, Rounding::HalfAway);
        assert_eq!(values.data_type(), decimals.values.data_type());
        let rounded_column = column(kind, values);
        let values: Vec<Value> = (0..3).map(|row| rounded_column.value(row)).collect();
        assert_eq!(values, [Value::Decimal(1_200), Value::None, Value::Decimal(1_500)]);
        assert_eq!(digits(&rounded_column), Some(1));
        let floats: ArrayRef = Arc::new(Float64Array::from(vec![3.0, 0.25]));
        assert_eq!(digits(&column(Kind::Float, floats)), Some(2));
    }
}
