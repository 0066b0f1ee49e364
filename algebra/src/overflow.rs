//! Results that their type has no place for: a sum of more than 38 digits, a variance beyond the floats.
//!
//! They are presented as null, as a result is that no rows, or too few, have. The difference is in the
//! states: those of all statistics begin with the number of their values, in 8 bytes, little-endian, and are
//! empty or zero without any.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::buffer::BooleanBuffer;
use metricc_ir::AggregateOp;

/// The rows of presented states that are null although there are enough values; `None` if there is no such
/// row.
pub fn beyond_type(op: &AggregateOp, states: &ArrayRef, presented: &ArrayRef) -> Option<BooleanBuffer> {
    let least = least_values(op)?;
    let nulls = presented.nulls().filter(|nulls| nulls.null_count() > 0)?;
    let is_beyond = |row: usize| nulls.is_null(row) && (least == 0 || n_values(states, row) >= least);
    let beyond = BooleanBuffer::collect_bool(presented.len(), is_beyond);
    (beyond.count_set_bits() > 0).then_some(beyond)
}

/// Whether a result of this kind may have no place in its type.
pub fn may_be_beyond(op: &AggregateOp) -> bool {
    least_values(op).is_some()
}

/// From how many values on a result is only null for its size; `None` if it never is.
fn least_values(op: &AggregateOp) -> Option<u64> {
    match op {
        AggregateOp::Sum => Some(0),
        AggregateOp::Mean | AggregateOp::WideMean => Some(1),
        AggregateOp::Variance | AggregateOp::Stddev | AggregateOp::Covariance => Some(2),
        _ => None,
    }
}

/// The number of values in a statistic's state.
fn n_values(states: &ArrayRef, row: usize) -> u64 {
    let bytes = match states.as_fixed_size_binary_opt() {
        Some(states) => states.value(row),
        None => states.as_binary_opt::<i32>().map_or(&[][..], |states| states.value(row)),
    };
    bytes.first_chunk().map_or(0, |count| u64::from_le_bytes(*count))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Decimal128Array, Float64Array};
    use arrow::datatypes::DataType;

    use super::*;
    use crate::monoid;

    fn is_beyond(op: &AggregateOp, values: &ArrayRef) -> bool {
        let monoid = monoid(op, &[values.data_type().clone()]).unwrap();
        let mut groups = monoid.groups();
        groups.lift(std::slice::from_ref(values), &vec![0; values.len()], None, 1).unwrap();
        let states = groups.emit(1).unwrap();
        let presented = monoid.present(&states).unwrap();
        beyond_type(op, &states, &presented).is_some()
    }

    #[test]
    fn a_result_beyond_its_type_is_not_one_of_no_rows() {
        let decimals = |values: Vec<i128>, scale| -> ArrayRef {
            Arc::new(Decimal128Array::from(values).with_data_type(DataType::Decimal128(38, scale)))
        };
        let floats = |values: Vec<f64>| -> ArrayRef { Arc::new(Float64Array::from(values)) };
        let large = 10_i128.pow(38) - 1;
        assert!(is_beyond(&AggregateOp::Sum, &decimals(vec![large, 1], 38)));
        assert!(!is_beyond(&AggregateOp::Sum, &decimals(vec![large], 38)));
        assert!(is_beyond(&AggregateOp::Mean, &decimals(vec![large], 2)));
        assert!(!is_beyond(&AggregateOp::Mean, &decimals(vec![], 2)));
        assert!(!is_beyond(&AggregateOp::Mean, &decimals(vec![large], 38)));
        assert!(is_beyond(&AggregateOp::Sum, &floats(vec![f64::MAX, f64::MAX])));
        assert!(is_beyond(&AggregateOp::Variance, &floats(vec![f64::MAX, -f64::MAX])));
        assert!(!is_beyond(&AggregateOp::Variance, &floats(vec![f64::MAX])));
        assert!(!is_beyond(&AggregateOp::Max, &floats(vec![])));
    }
}
