//! Bytes that are not canonical states are errors, never panics and never other values.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BinaryArray, FixedSizeBinaryArray};
use arrow::datatypes::DataType;
use metricc_algebra::law_kit::{Sample, state_bytes};
use metricc_algebra::{HeapState, Layout, Monoid, monoid};
use metricc_ir::AggregateOp as Op;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::inputs::{monoids, samples};

fn states_of(monoid: &dyn Monoid, sample: &Sample) -> ArrayRef {
    let mut groups = monoid.groups();
    groups.lift(&sample.args, &sample.groups, sample.filter.as_ref(), sample.n_groups).unwrap();
    groups.emit(sample.n_groups).unwrap()
}

fn column_of(monoid: &dyn Monoid, bytes: &[u8]) -> Option<ArrayRef> {
    match monoid.layout() {
        Layout::Words(_) if bytes.len() != monoid.identity().len() => None,
        Layout::Words(_) => Some(Arc::new(FixedSizeBinaryArray::try_from_iter([bytes].into_iter()).unwrap())),
        Layout::Heap => Some(Arc::new(BinaryArray::from_vec(vec![bytes]))),
    }
}

/// Bytes either are refused everywhere, or are canonical: read and written again they are the same.
fn check_bytes(monoid: &dyn Monoid, bytes: &[u8]) -> Result<(), TestCaseError> {
    let Some(column) = column_of(monoid, bytes) else { return Ok(()) };
    let mut groups = monoid.groups();
    let merged = groups.merge(&column, &[0], 1);
    if merged.is_ok() {
        let emitted = groups.emit(1).map_err(|error| TestCaseError::fail(error.to_string()))?;
        prop_assert_eq!(&state_bytes(&emitted, 0).unwrap(), bytes);
        // Twice an accepted state may be more rows than there can be, which is an error; nothing may panic.
        let mut twice = monoid.groups();
        twice.merge(&column, &[0], 1).unwrap();
        if twice.merge(&column, &[0], 1).is_ok()
            && let Ok(emitted) = twice.emit(1)
        {
            let _ = monoid.present(&emitted);
        }
    }
    // What is canonical but no rows have (a variance below zero) is refused when presented.
    prop_assert!(merged.is_ok() || monoid.present(&column).is_err());
    if monoid.layout() == Layout::Heap {
        match monoid.heap_state(bytes) {
            Ok(state) => {
                let mut again = Vec::new();
                state.to_bytes(&mut again);
                prop_assert_eq!(&again, bytes);
                let json = serde_json::to_vec(&state).unwrap();
                prop_assert_eq!(serde_json::from_slice::<HeapState>(&json).unwrap(), state);
            }
            Err(_) => prop_assert!(merged.is_err()),
        }
    } else {
        prop_assert!(monoid.heap_state(bytes).is_err());
    }
    Ok(())
}

fn run<S: Strategy>(n_cases: u32, strategy: &S, check: impl Fn(S::Value) -> Result<(), TestCaseError>) {
    let mut runner =
        TestRunner::new(Config { cases: n_cases, failure_persistence: None, ..Config::default() });
    runner.run(strategy, check).unwrap();
}

#[test]
fn random_bytes_are_refused_or_canonical() {
    let small = prop_oneof![3 => 0..4_u8, 1 => any::<u8>(), 1 => Just(0xff)];
    for monoid in monoids() {
        let n_bytes = match monoid.layout() {
            Layout::Words(_) => monoid.identity().len()..monoid.identity().len() + 1,
            Layout::Heap => 0..90,
        };
        run(150, &proptest::collection::vec(small.clone(), n_bytes), |bytes| {
            check_bytes(monoid.as_ref(), &bytes)
        });
    }
}

#[test]
fn c92_damaged_states_are_refused_or_canonical() {
    for monoid in monoids() {
        let damage = (any::<prop::sample::Index>(), any::<u8>(), 0..4_u8);
        run(60, &(samples(monoid.inputs()), damage), |(sample, (place, byte, how))| {
            let states = states_of(monoid.as_ref(), &sample);
            let mut bytes = state_bytes(&states, 0).unwrap();
            check_bytes(monoid.as_ref(), &bytes)?;
            if !bytes.is_empty() {
                let place = place.index(bytes.len());
                match how {
                    0 => bytes[place] = byte,
                    1 => bytes.truncate(place),
                    2 => bytes.insert(place, byte),
                    _ => bytes[place] = bytes[place].wrapping_add(1),
                }
            }
            check_bytes(monoid.as_ref(), &bytes)
        });
    }
}

#[test]
fn states_of_different_monoids_do_not_merge() {
    let empty = |op: Op, input: DataType| monoid(&op, &[input]).unwrap().heap_state(&[]).unwrap();
    let states = [
        empty(Op::Sum, DataType::Float64),
        empty(Op::Mean, DataType::Float64),
        empty(Op::Variance, DataType::Float64),
        empty(Op::Min, DataType::Utf8View),
        empty(Op::Max, DataType::Utf8View),
        empty(Op::Distinct, DataType::Int64),
        empty(Op::Distinct, DataType::Decimal128(9, 2)),
        empty(Op::Distinct, DataType::Utf8View),
        empty(Op::DistinctWithin { error_ppm: 10_000 }, DataType::Int64),
        empty(Op::DistinctWithin { error_ppm: 20_000 }, DataType::Int64),
        empty(Op::Quantile { q_ppb: 0, error_ppm: 10_000 }, DataType::Int64),
        empty(Op::Quantile { q_ppb: 0, error_ppm: 20_000 }, DataType::Int64),
    ];
    for (place, left) in states.iter().enumerate() {
        for (other, right) in states.iter().enumerate() {
            assert_eq!(left.clone().merge(right).is_ok(), place == other, "{left:?} and {right:?}");
        }
    }
}

#[test]
fn random_tagged_bytes_are_refused_or_come_back() {
    let bytes = proptest::collection::vec(prop_oneof![3 => 0..12_u8, 1 => any::<u8>()], 0..40);
    run(3_000, &bytes, |bytes| {
        let json = serde_json::to_vec(&bytes).unwrap();
        if let Ok(state) = serde_json::from_slice::<HeapState>(&json) {
            prop_assert_eq!(serde_json::to_vec(&state).unwrap(), json);
        }
        Ok(())
    });
}

#[test]
fn null_states_are_refused() {
    for monoid in monoids() {
        let column: ArrayRef = match monoid.layout() {
            Layout::Words(_) => Arc::new(FixedSizeBinaryArray::new_null(monoid.identity().len() as i32, 1)),
            Layout::Heap => Arc::new(BinaryArray::new_null(1)),
        };
        assert_eq!(column.len(), 1);
        assert!(monoid.present(&column).is_err());
        assert!(monoid.groups().merge(&column, &[0], 1).is_err());
    }
}

#[test]
fn c33_counts_past_the_largest_are_errors_and_do_not_wrap() {
    let most = i64::MAX.to_le_bytes();
    let cases: [(Op, Option<DataType>, Vec<u8>); 4] = [
        (Op::Count, None, most.to_vec()),
        (Op::Mean, Some(DataType::Int64), [most, [0; 8], [0; 8]].concat()),
        (Op::Mean, Some(DataType::Float64), most.to_vec()),
        // Bucket zero, and as many values as there can be.
        (
            Op::Quantile { q_ppb: 0, error_ppm: 10_000 },
            Some(DataType::Float64),
            [0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f].to_vec(),
        ),
    ];
    for (op, input, bytes) in cases {
        let monoid = monoid(&op, input.as_slice()).unwrap();
        let state = column_of(monoid.as_ref(), &bytes).unwrap();
        monoid.present(&state).unwrap();
        let args: Vec<ArrayRef> = input.iter().map(|input| arrow::array::new_null_array(input, 0)).collect();
        let one: Vec<ArrayRef> = match input {
            None => Vec::new(),
            Some(DataType::Int64) => vec![Arc::new(arrow::array::Int64Array::from(vec![0]))],
            Some(_) => vec![Arc::new(arrow::array::Float64Array::from(vec![0.0]))],
        };
        let outcome = |rows: &[ArrayRef], row_groups: &[usize], n_merged: usize| {
            let mut groups = monoid.groups();
            for _ in 0..n_merged {
                groups.merge(&state, &[0], 1)?;
            }
            groups.lift(rows, row_groups, None, 1)?;
            let emitted = groups.emit(1)?;
            monoid.present(&emitted)
        };
        assert!(outcome(&args, &[], 1).is_ok(), "{op:?}");
        assert!(outcome(&one, &[0], 1).is_err(), "{op:?}");
        assert!(outcome(&args, &[], 2).is_err(), "{op:?}");
    }
}
