//! Sketches against the errors they promise.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Decimal128Array, Float64Array, Int64Array, StringViewArray};
use arrow::datatypes::{Float64Type, Int64Type};
use metricc_algebra::{Exactness, monoid};
use metricc_ir::{AggregateOp as Op, Value};
use num_bigint::BigInt;
use num_rational::Ratio;
use num_traits::Signed;
use proptest::prelude::*;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::exact::{Exact, decimal, exact};
use crate::inputs::{aggregate, decimals, ints};

fn estimate(values: impl Iterator<Item = i64>, error_ppm: u32) -> i64 {
    let column: ArrayRef = Arc::new(Int64Array::from_iter_values(values));
    aggregate(&Op::DistinctWithin { error_ppm }, column).as_primitive::<Int64Type>().value(0)
}

#[test]
fn c72_estimates_stay_within_four_standard_errors() {
    for (n_values, error_ppm) in [
        (10, 10_000),
        (100, 10_000),
        (1_000, 10_000),
        (10_000, 10_000),
        (100_000, 10_000),
        (1_000_000, 10_000),
        (300_000, 3_000),
        (5_000, 260_000),
        (40_000, 50_000),
    ] {
        for offset in [0_i64, 1 << 40] {
            let estimated = estimate((0..n_values).map(|value| value * 7 + offset), error_ppm);
            let error = (estimated - n_values).abs() as f64 / n_values as f64;
            assert!(error <= 4.0 * f64::from(error_ppm) / 1e6, "{n_values} values, estimated {estimated}");
        }
    }
}

#[test]
fn the_mean_error_of_many_estimates_is_the_declared_one() {
    let declared =
        match monoid(&Op::DistinctWithin { error_ppm: 40_000 }, &[arrow::datatypes::DataType::Int64])
            .unwrap()
            .laws()
            .exactness
        {
            Exactness::StandardError(ppm) => f64::from(ppm) / 1e6,
            other => panic!("{other:?}"),
        };
    assert!(declared <= 0.04);
    for n_values in [300_i64, 3_000, 30_000] {
        let n_trials = 60;
        let errors: Vec<f64> = (0..n_trials)
            .map(|trial| {
                let estimated = estimate((0..n_values).map(|value| value + (trial << 32)), 40_000);
                estimated as f64 / n_values as f64 - 1.0
            })
            .collect();
        let mean_square = errors.iter().map(|error| error * error).sum::<f64>() / n_trials as f64;
        let bias = errors.iter().sum::<f64>() / n_trials as f64;
        assert!(mean_square.sqrt() < 1.4 * declared, "{n_values}: {}", mean_square.sqrt());
        assert!(bias.abs() < 0.5 * declared, "{n_values}: biased by {bias}");
    }
}

#[test]
fn few_distinct_values_among_many_rows_are_counted_nearly_exactly() {
    assert_eq!(estimate((0..200_000).map(|value| value % 7), 10_000), 7);
    let column: ArrayRef =
        Arc::new(StringViewArray::from_iter_values((0..5_000).map(|row| format!("m{}", row % 13))));
    let estimated = aggregate(&Op::DistinctWithin { error_ppm: 20_000 }, column);
    // Two of the thirteen share a register.
    assert_eq!(estimated.as_primitive::<Int64Type>().value(0), 12);
}

#[test]
fn c71_sketches_of_known_values_never_change() {
    let monoid =
        monoid(&Op::DistinctWithin { error_ppm: 260_000 }, &[arrow::datatypes::DataType::Int64]).unwrap();
    let mut groups = monoid.groups();
    groups.lift(&[Arc::new(Int64Array::from(vec![1, 2, 3, 5]))], &[0; 4], None, 1).unwrap();
    let states = groups.emit(1).unwrap();
    assert_eq!(states.as_binary::<i32>().value(0), SKETCH_OF_1_2_3_5);
}

/// Three bytes for each register that is set, of 16: index · 64 + rank. The values' XXH3 begin with 0x2f…,
/// 0x208…, 0x4d…, 0x8e…: registers 2 (rank 5), 4 (rank 1) and 8 (rank 1).
const SKETCH_OF_1_2_3_5: &[u8] = &[0x85, 0, 0, 0x01, 1, 0, 0x01, 2, 0];

/// Checks a quantile against the value of its rank.
fn check_quantile(column: &ArrayRef, mut values: Vec<Exact>, q_ppb: u32, error_ppm: u32) {
    let presented = aggregate(&Op::Quantile { q_ppb, error_ppm }, Arc::clone(column));
    let presented = presented.as_primitive::<Float64Type>().value(0);
    values.sort();
    let rank = q_ppb as usize * (values.len() - 1) / 1_000_000_000;
    let error = (exact(presented) - &values[rank]).abs();
    let allowed = values[rank].abs() * Ratio::new(BigInt::from(error_ppm), BigInt::from(1_000_000));
    // Near the least floats the grid itself is coarser than the error.
    assert!(error <= allowed + exact(5e-324), "{presented:e} for {}", values[rank]);
}

#[test]
fn c73_quantiles_of_many_distributions_stay_within_the_error() {
    let mut random = ChaCha8Rng::seed_from_u64(7);
    let n_values = 5_000;
    let mut draw = |shape: &dyn Fn(f64) -> f64| -> Vec<f64> {
        (0..n_values).map(|_| shape(random.random::<f64>()) + 0.0).collect()
    };
    let distributions = [
        draw(&|u| u),
        draw(&|u| 1.0 / (1e-6 + u)),
        draw(&|u| (u - 0.5) * 1e6),
        draw(&|u| if u < 0.3 { 0.0 } else { -(u * 40.0).exp() }),
        draw(&|u| (u * 1400.0 - 700.0).exp()),
        draw(&|u| f64::MIN_POSITIVE * (0.001 + 3.0 * u)),
        draw(&|u| (u * 5.0).floor()),
    ];
    for values in distributions {
        let column: ArrayRef = Arc::new(Float64Array::from(values.clone()));
        let reference: Vec<Exact> = values.iter().map(|value| exact(*value)).collect();
        for q_ppb in [0, 10_000_000, 500_000_000, 999_000_000, 1_000_000_000] {
            for error_ppm in [1, 10_000, 500_000] {
                check_quantile(&column, reference.clone(), q_ppb, error_ppm);
            }
        }
    }
}

proptest! {
    #[test]
    fn every_single_value_comes_back_within_the_error(
        value in proptest::num::f64::NORMAL | proptest::num::f64::POSITIVE | proptest::num::f64::NEGATIVE,
        error_ppm in prop_oneof![1..1_000_000_u32, 1..30_u32],
    ) {
        let column: ArrayRef = Arc::new(Float64Array::from(vec![value]));
        let presented = aggregate(&Op::Quantile { q_ppb: 0, error_ppm }, column);
        let presented = exact(presented.as_primitive::<Float64Type>().value(0));
        let allowed = exact(value).abs() * Ratio::new(BigInt::from(error_ppm), BigInt::from(1_000_000));
        // Half a unit in the last place for the final rounding.
        let rounding = (exact(value.next_up()) - exact(value)).abs();
        prop_assert!((presented - exact(value)).abs() <= allowed + rounding);
    }

    #[test]
    fn quantiles_of_ints_and_decimals_stay_within_the_error(
        ints in proptest::collection::vec(ints(), 1..50),
        decimals in proptest::collection::vec(decimals(38), 1..50),
        q_ppb in 0..=1_000_000_000_u32,
    ) {
        let column: ArrayRef = Arc::new(Int64Array::from(ints.clone()));
        let reference = ints.iter().map(|value| Ratio::from_integer(BigInt::from(*value))).collect();
        check_quantile(&column, reference, q_ppb, 10_000);
        let column: ArrayRef =
            Arc::new(Decimal128Array::from(decimals.clone()).with_precision_and_scale(38, 7).unwrap());
        let reference = decimals.iter().map(|value| decimal(*value, 7)).collect();
        check_quantile(&column, reference, q_ppb, 2_000);
    }
}

/// How often each of some items came, by a draw that makes some far more frequent than others.
fn draws(n_rows: usize, n_items: u64, skew: u32, random: &mut ChaCha8Rng) -> Vec<i64> {
    let one = |random: &mut ChaCha8Rng| {
        (0..skew).fold(random.random_range(0..n_items), |item, _| random.random_range(0..=item))
    };
    (0..n_rows).map(|_| i64::try_from(one(random)).unwrap()).collect()
}

#[test]
fn frequencies_are_never_too_low_and_rarely_too_high() {
    let mut random = ChaCha8Rng::seed_from_u64(7);
    for (n_rows, n_items, skew) in
        [(1_000, 10, 0), (40_000, 5_000, 0), (40_000, 5_000, 1), (60_000, 30_000, 3)]
    {
        for error_ppm in [1_000, 10_000, 100_000] {
            let rows = draws(n_rows, n_items, skew, &mut random);
            let column: ArrayRef = Arc::new(Int64Array::from(rows.clone()));
            // The state of many merged parts, asked for many items.
            let of_item = |item: i64| {
                let op = Op::Frequency { error_ppm, item: Value::Int(item) };
                monoid(&op, &[arrow::datatypes::DataType::Int64]).unwrap()
            };
            let any = of_item(0);
            let mut groups = any.groups();
            for start in (0..n_rows).step_by(n_rows / 20) {
                let part = column.slice(start, (n_rows / 20).min(n_rows - start));
                let mut of_part = any.groups();
                of_part.lift(std::slice::from_ref(&part), &vec![0; part.len()], None, 1).unwrap();
                groups.merge(&of_part.emit(1).unwrap(), &[0], 1).unwrap();
            }
            let state = groups.emit(1).unwrap();
            let (mut n_asked, mut n_too_high) = (0, 0);
            for item in (0..i64::try_from(n_items).unwrap()).step_by((n_items as usize / 500).max(1)) {
                let exact = rows.iter().filter(|row| **row == item).count() as i64;
                let estimated = of_item(item).present(&state).unwrap().as_primitive::<Int64Type>().value(0);
                assert!(estimated >= exact, "{item}: {estimated} for {exact}");
                n_asked += 1;
                n_too_high +=
                    i64::from((estimated - exact) as f64 > f64::from(error_ppm) / 1e6 * n_rows as f64);
            }
            assert!(n_too_high * 100 <= n_asked.max(100), "{n_too_high} of {n_asked} are too high");
        }
    }
}
