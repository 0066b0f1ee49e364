//! Presented values against references that share no code with the states.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Decimal128Array, Float64Array, Int64Array, StringViewArray,
};
use arrow::datatypes::{Decimal128Type, Float64Type, Int64Type};
use metricc_algebra::monoid;
use metricc_ir::AggregateOp as Op;
use num_bigint::BigInt;
use num_rational::Ratio;
use num_traits::{Signed, ToPrimitive, Zero};
use proptest::prelude::*;

use crate::exact::{Exact, assert_nearest, assert_nearest_root, decimal, exact, variance};
use crate::inputs::{aggregate, decimals, floats, ints, texts};

fn float_of(array: &ArrayRef) -> Option<f64> {
    array.is_valid(0).then(|| array.as_primitive::<Float64Type>().value(0))
}

fn decimal_of(array: &ArrayRef) -> Option<i128> {
    array.is_valid(0).then(|| array.as_primitive::<Decimal128Type>().value(0))
}

fn int_of(array: &ArrayRef) -> Option<i64> {
    array.is_valid(0).then(|| array.as_primitive::<Int64Type>().value(0))
}

fn float_column(values: &[f64]) -> ArrayRef {
    Arc::new(Float64Array::from(values.to_vec()))
}

fn int_column(values: &[i64]) -> ArrayRef {
    Arc::new(Int64Array::from(values.to_vec()))
}

fn decimal_column(values: &[i128], precision: u8, scale: i8) -> ArrayRef {
    Arc::new(Decimal128Array::from(values.to_vec()).with_precision_and_scale(precision, scale).unwrap())
}

fn sum_of(values: &[f64]) -> Option<f64> {
    float_of(&aggregate(&Op::Sum, float_column(values)))
}

#[test]
fn c22_nothing_sums_to_zero_and_has_no_mean() {
    assert_eq!(sum_of(&[]).map(f64::to_bits), Some(0));
    assert_eq!(decimal_of(&aggregate(&Op::Sum, int_column(&[]))), Some(0));
    assert_eq!(decimal_of(&aggregate(&Op::Sum, decimal_column(&[], 9, 2))), Some(0));
    assert_eq!(int_of(&aggregate(&Op::Distinct, int_column(&[]))), Some(0));
    assert_eq!(int_of(&aggregate(&Op::DistinctWithin { error_ppm: 10_000 }, int_column(&[]))), Some(0));
    for op in [Op::Mean, Op::Min, Op::Max, Op::Variance, Op::Quantile { q_ppb: 0, error_ppm: 10_000 }] {
        for column in [int_column(&[]), float_column(&[]), decimal_column(&[], 9, 2)] {
            assert!(aggregate(&op, column).is_null(0), "{op:?}");
        }
    }
    let booleans: ArrayRef = Arc::new(BooleanArray::from(vec![None, None]));
    assert!(!aggregate(&Op::Any, Arc::clone(&booleans)).as_boolean().value(0));
    assert!(aggregate(&Op::All, booleans).as_boolean().value(0));
    let texts: ArrayRef = Arc::new(StringViewArray::from(vec![None::<&str>]));
    assert!(aggregate(&Op::Min, texts).is_null(0));
}

#[test]
fn c30_all_skips_none() {
    let column: ArrayRef = Arc::new(BooleanArray::from(vec![Some(true), None]));
    assert!(aggregate(&Op::All, Arc::clone(&column)).as_boolean().value(0));
    let column: ArrayRef = Arc::new(BooleanArray::from(vec![Some(false), None, Some(true)]));
    assert!(!aggregate(&Op::All, Arc::clone(&column)).as_boolean().value(0));
    assert!(aggregate(&Op::Any, column).as_boolean().value(0));
}

#[test]
fn c31_c33_sums_of_ints_do_not_wrap() {
    let sum = decimal_of(&aggregate(&Op::Sum, int_column(&[i64::MAX, 1])));
    assert_eq!(sum, Some(i128::from(i64::MAX) + 1));
    let sum = decimal_of(&aggregate(&Op::Sum, int_column(&[i64::MIN; 3])));
    assert_eq!(sum, Some(3 * i128::from(i64::MIN)));
}

#[test]
fn c34_a_sum_past_38_digits_is_null_only_when_presented() {
    let largest = 10_i128.pow(38) - 1;
    let sum = |values: &[i128]| decimal_of(&aggregate(&Op::Sum, decimal_column(values, 38, 2)));
    assert_eq!(sum(&[largest]), Some(largest));
    assert_eq!(sum(&[largest, 1]), None);
    assert_eq!(sum(&[largest, largest, largest]), None);
    assert_eq!(sum(&[largest, largest, -largest]), Some(largest));
    assert_eq!(sum(&[-largest, -1]), None);
}

#[test]
fn c35_means_of_decimals_are_rounded_half_even() {
    let mean = |values: &[i128]| decimal_of(&aggregate(&Op::Mean, decimal_column(values, 12, 2)));
    assert_eq!(mean(&[1, 2, 2]), Some(1_666_667));
    assert_eq!(mean(&[-1, -2, -2]), Some(-1_666_667));
    let mut halves = vec![0; 2_000_000];
    halves[0] = 1;
    assert_eq!(mean(&halves), Some(0), "a half goes to even");
    halves[1] = 2;
    assert_eq!(mean(&halves), Some(2), "one and a half goes to even");
    let full = decimal_of(&aggregate(&Op::Mean, decimal_column(&[1, 2], 38, 38)));
    assert_eq!(full, Some(2), "no room for more digits");
    let large = 10_i128.pow(33);
    assert_eq!(
        decimal_of(&aggregate(&Op::Mean, decimal_column(&[large; 3], 38, 0))),
        None,
        "39 digits and more"
    );
}

#[test]
fn c38_c39_large_floats_that_cancel_leave_the_small_one() {
    for order in [[1e16, 1.0, -1e16], [1.0, 1e16, -1e16], [1e16, -1e16, 1.0]] {
        assert_eq!(sum_of(&order), Some(1.0));
    }
    assert_eq!(sum_of(&[1e308, 5e-324, -1e308]), Some(5e-324));
    assert_eq!(sum_of(&[0.1; 10]), Some(1.0));
    assert_eq!(sum_of(&[f64::MAX, f64::MAX, -f64::MAX, 1.0]), Some(f64::MAX));
    assert_eq!(sum_of(&[5e-324; 3]), Some(1.5e-323));
}

#[test]
fn a_sum_beyond_the_largest_float_is_null_and_comes_back() {
    assert_eq!(sum_of(&[1e308, 1e308]), None);
    assert_eq!(sum_of(&[-1e308, -1e308]), None);
    assert_eq!(sum_of(&[1e308, 1e308, -1e308]), Some(1e308));
    let half_beyond = 2_f64.powi(970);
    assert_eq!(sum_of(&[f64::MAX, half_beyond]), None);
    assert_eq!(sum_of(&[f64::MAX, half_beyond.next_down()]), Some(f64::MAX));
    assert_eq!(float_of(&aggregate(&Op::Mean, float_column(&[1e308, 1.5e308]))), Some(1.25e308));
    assert_eq!(float_of(&aggregate(&Op::Variance, float_column(&[1e308, -1e308]))), None);
    let deviation = float_of(&aggregate(&Op::Stddev, float_column(&[1e308, -1e308])));
    assert_nearest_root(deviation, &variance(&[exact(1e308), exact(-1e308)]).unwrap());
}

#[test]
fn c41_a_sum_of_nothing_but_zeros_is_positive_zero() {
    assert_eq!(sum_of(&[-0.0, -0.0]).map(f64::to_bits), Some(0));
    assert_eq!(sum_of(&[1.5, -1.5]).map(f64::to_bits), Some(0));
    assert_eq!(float_of(&aggregate(&Op::Min, float_column(&[-0.0]))).map(f64::to_bits), Some(0));
    assert_eq!(int_of(&aggregate(&Op::Distinct, float_column(&[-0.0, 0.0]))), Some(1));
    let minute = float_of(&aggregate(&Op::Mean, float_column(&[-5e-324, 0.0, 0.0])));
    assert_eq!(minute.map(f64::to_bits), Some(0));
}

#[test]
fn c74_the_deviation_of_one_row_is_null() {
    for column in [int_column(&[3]), float_column(&[3.0]), decimal_column(&[3], 5, 1)] {
        assert!(aggregate(&Op::Variance, Arc::clone(&column)).is_null(0));
        assert!(aggregate(&Op::Stddev, column).is_null(0));
    }
    assert_eq!(float_of(&aggregate(&Op::Stddev, float_column(&[0.1; 7]))), Some(0.0));
}

#[test]
fn c76_a_small_variance_around_a_large_mean_is_not_lost() {
    let values = [1e15 + 1.0, 1e15 + 2.0, 1e15 + 3.0];
    assert_eq!(float_of(&aggregate(&Op::Variance, float_column(&values))), Some(1.0));
    let values = [i64::MAX, i64::MAX - 1, i64::MAX - 2];
    assert_eq!(float_of(&aggregate(&Op::Stddev, int_column(&values))), Some(1.0));
    assert_eq!(float_of(&aggregate(&Op::Variance, float_column(&[5e-324, 0.0]))), Some(0.0));
    assert_eq!(float_of(&aggregate(&Op::Stddev, float_column(&[5e-324, -5e-324]))), Some(5e-324));
}

#[test]
fn c39_a_deviation_beyond_all_floats_is_null() {
    let deviation = |values: &[f64]| float_of(&aggregate(&Op::Stddev, float_column(values)));
    assert_eq!(deviation(&[f64::MAX, -f64::MAX]), None);
    assert_eq!(deviation(&[f64::MAX, -f64::MAX, f64::MAX, -f64::MAX]), None);
    assert!(deviation(&[f64::MAX, 0.0]).is_some_and(f64::is_finite));
    check_moments(&float_column(&[f64::MAX, -f64::MAX]), &exact_floats(&[f64::MAX, -f64::MAX]));
}

#[test]
fn c86_the_mean_of_means_is_the_mean() {
    let mean = monoid(&Op::Mean, &[arrow::datatypes::DataType::Int64]).unwrap();
    let state = |values: &[i64]| {
        let mut groups = mean.groups();
        groups.lift(&[int_column(values)], &vec![0; values.len()], None, 1).unwrap();
        groups.emit(1).unwrap()
    };
    let mut merged = mean.groups();
    merged.merge(&state(&[0]), &[0], 1).unwrap();
    merged.merge(&state(&[10, 10, 10]), &[0], 1).unwrap();
    assert_eq!(float_of(&mean.present(&merged.emit(1).unwrap()).unwrap()), Some(7.5));
}

fn exact_floats(values: &[f64]) -> Vec<Exact> {
    values.iter().map(|value| exact(*value)).collect()
}

fn exact_ints(values: &[i64]) -> Vec<Exact> {
    values.iter().map(|value| Ratio::from_integer(BigInt::from(*value))).collect()
}

/// Mean, variance and deviation of a column against those of its exact values.
fn check_moments(column: &ArrayRef, values: &[Exact]) {
    let present = |op: Op| float_of(&aggregate(&op, Arc::clone(column)));
    match variance(values) {
        Some(variance) => {
            assert_nearest(present(Op::Variance), &variance);
            assert_nearest_root(present(Op::Stddev), &variance);
        }
        None => assert_eq!((present(Op::Variance), present(Op::Stddev)), (None, None)),
    }
}

proptest! {
    #[test]
    fn c39_sums_and_moments_of_floats_are_correctly_rounded(values in proptest::collection::vec(floats(), 0..20)) {
        let column = float_column(&values);
        let reference = exact_floats(&values);
        let sum: Exact = reference.iter().sum();
        assert_nearest(sum_of(&values), &sum);
        let mean = float_of(&aggregate(&Op::Mean, Arc::clone(&column)));
        if values.is_empty() {
            prop_assert_eq!(mean, None);
        } else {
            assert_nearest(mean, &(sum / BigInt::from(values.len())));
        }
        check_moments(&column, &reference);
    }

    #[test]
    fn sums_and_moments_of_ints_are_exact(values in proptest::collection::vec(ints(), 1..20)) {
        let column = int_column(&values);
        let sum: i128 = values.iter().copied().map(i128::from).sum();
        prop_assert_eq!(decimal_of(&aggregate(&Op::Sum, Arc::clone(&column))), Some(sum));
        let mean = Ratio::new(BigInt::from(sum), BigInt::from(values.len()));
        assert_nearest(float_of(&aggregate(&Op::Mean, Arc::clone(&column))), &mean);
        check_moments(&column, &exact_ints(&values));
    }

    #[test]
    fn sums_and_moments_of_decimals_are_exact(
        values in proptest::collection::vec(decimals(38), 1..20), scale in 0_u8..=38,
    ) {
        let column = decimal_column(&values, 38, scale as i8);
        let sum: BigInt = values.iter().copied().map(BigInt::from).sum();
        let limit = BigInt::from(10).pow(38);
        let expected = if sum.abs() < limit { sum.to_i128() } else { None };
        prop_assert_eq!(decimal_of(&aggregate(&Op::Sum, Arc::clone(&column))), expected);

        let digits = u32::from((scale + 6).min(38) - scale);
        let numerator = sum * BigInt::from(10).pow(digits);
        let mean = Ratio::new(numerator, BigInt::from(values.len()));
        let half = Ratio::new(BigInt::from(1), BigInt::from(2));
        let floor = (mean.clone() - &half).ceil().to_integer();
        // In a tie two integers are half away: the lower is `floor`, the even one is right.
        let tie = mean.clone() - Ratio::from_integer(floor.clone()) == half;
        let rounded = if tie && !(&floor % BigInt::from(2)).is_zero() { floor + 1 } else { floor };
        let expected = if rounded.abs() < limit { rounded.to_i128() } else { None };
        prop_assert_eq!(decimal_of(&aggregate(&Op::Mean, Arc::clone(&column))), expected);

        let reference: Vec<Exact> = values.iter().map(|value| decimal(*value, u32::from(scale))).collect();
        check_moments(&column, &reference);
    }

    #[test]
    fn extremes_and_sets_agree_with_the_standard_library(
        ints in proptest::collection::vec(ints(), 1..30),
        floats in proptest::collection::vec(floats(), 1..30),
        decimals in proptest::collection::vec(decimals(12), 1..30),
        texts in proptest::collection::vec(texts(), 1..30),
    ) {
        let column = int_column(&ints);
        prop_assert_eq!(int_of(&aggregate(&Op::Min, Arc::clone(&column))), ints.iter().min().copied());
        prop_assert_eq!(int_of(&aggregate(&Op::Max, Arc::clone(&column))), ints.iter().max().copied());
        let n_ints = ints.iter().collect::<BTreeSet<_>>().len() as i64;
        prop_assert_eq!(int_of(&aggregate(&Op::Distinct, column)), Some(n_ints));

        let column = float_column(&floats);
        let least = floats.iter().copied().min_by(f64::total_cmp);
        let greatest = floats.iter().copied().max_by(f64::total_cmp);
        prop_assert_eq!(float_of(&aggregate(&Op::Min, Arc::clone(&column))), least);
        prop_assert_eq!(float_of(&aggregate(&Op::Max, Arc::clone(&column))), greatest);
        let n_floats = floats.iter().map(|value| value.to_bits()).collect::<BTreeSet<_>>().len() as i64;
        prop_assert_eq!(int_of(&aggregate(&Op::Distinct, column)), Some(n_floats));

        let column = decimal_column(&decimals, 12, 3);
        prop_assert_eq!(decimal_of(&aggregate(&Op::Min, Arc::clone(&column))), decimals.iter().min().copied());
        prop_assert_eq!(decimal_of(&aggregate(&Op::Max, Arc::clone(&column))), decimals.iter().max().copied());
        let n_decimals = decimals.iter().collect::<BTreeSet<_>>().len() as i64;
        prop_assert_eq!(int_of(&aggregate(&Op::Distinct, column)), Some(n_decimals));

        let column: ArrayRef = Arc::new(StringViewArray::from(texts.clone()));
        let text = |op: Op| aggregate(&op, Arc::clone(&column)).as_string_view().value(0).to_owned();
        prop_assert_eq!(Some(&text(Op::Min)), texts.iter().min());
        prop_assert_eq!(Some(&text(Op::Max)), texts.iter().max());
        let n_texts = texts.iter().collect::<BTreeSet<_>>().len() as i64;
        prop_assert_eq!(int_of(&aggregate(&Op::Distinct, column)), Some(n_texts));
    }
}

#[test]
fn c65_strings_and_numbers_have_their_own_order() {
    let column: ArrayRef = Arc::new(StringViewArray::from(vec!["10", "9"]));
    assert_eq!(aggregate(&Op::Max, column).as_string_view().value(0), "9");
    assert_eq!(int_of(&aggregate(&Op::Max, int_column(&[10, 9]))), Some(10));
}
