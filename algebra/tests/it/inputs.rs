//! Columns, groups and filters to try, with the values that break naive arithmetic.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Date32Array, Decimal128Array, DurationMicrosecondArray, Float64Array, Int32Array,
    Int64Array, StringViewArray, TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, TimeUnit};
use metricc_algebra::law_kit::Sample;
use metricc_algebra::{Monoid, Op, monoid};
use proptest::prelude::*;

const LARGEST_DECIMAL: i128 = 10_i128.pow(38) - 1;

/// Every type an argument may have.
pub(crate) fn input_types() -> Vec<DataType> {
    vec![
        DataType::Boolean,
        DataType::Int64,
        DataType::Decimal128(12, 2),
        DataType::Decimal128(38, 0),
        DataType::Decimal128(38, 38),
        DataType::Float64,
        DataType::Utf8View,
        DataType::Int32,
        DataType::Date32,
        DataType::Timestamp(TimeUnit::Microsecond, None),
        DataType::Duration(TimeUnit::Microsecond),
    ]
}

/// Every aggregate, the sketches coarse so that small data reaches both of their forms.
pub(crate) fn ops() -> Vec<Op> {
    vec![
        Op::Count,
        Op::Sum,
        Op::Mean,
        Op::Min,
        Op::Max,
        Op::Variance,
        Op::Stddev,
        Op::Any,
        Op::All,
        Op::Distinct,
        Op::DistinctWithin { error_ppm: 10_000 },
        Op::DistinctWithin { error_ppm: 300_000 },
        Op::Quantile { q_ppb: 990_000_000, error_ppm: 10_000 },
        Op::Quantile { q_ppb: 500_000_000, error_ppm: 1 },
    ]
}

/// Every monoid there is.
pub(crate) fn monoids() -> Vec<Arc<dyn Monoid>> {
    let inputs: Vec<Option<DataType>> = input_types().into_iter().map(Some).chain([None]).collect();
    ops().iter().flat_map(|op| inputs.iter().filter_map(|input| monoid(op, input.as_ref()).ok())).collect()
}

pub(crate) fn ints() -> impl Strategy<Value = i64> {
    prop_oneof![
        4 => -3..4_i64,
        2 => any::<i64>(),
        1 => Just(i64::MIN),
        1 => Just(i64::MAX),
    ]
}

pub(crate) fn floats() -> impl Strategy<Value = f64> {
    let plain = prop_oneof![
        3 => (-300..300_i32).prop_map(|cents| f64::from(cents) / 100.0),
        2 => proptest::num::f64::NORMAL | proptest::num::f64::POSITIVE | proptest::num::f64::NEGATIVE,
        1 => proptest::num::f64::SUBNORMAL | proptest::num::f64::POSITIVE | proptest::num::f64::NEGATIVE,
        1 => (any::<i32>(), -110..110_i32).prop_map(|(m, e)| f64::from(m) * 2_f64.powi(e)),
        2 => proptest::sample::select(vec![
            0.0, 1e308, -1e308, f64::MAX, f64::MIN, f64::MIN_POSITIVE, 5e-324, -5e-324, 1e16, -1e16, 1.0,
            0.1, 0.5_f64.powi(96), 0.5_f64.powi(97), 2_f64.powi(94), -2_f64.powi(95),
        ]),
    ];
    plain.prop_map(|value| value + 0.0)
}

pub(crate) fn decimals(precision: u8) -> impl Strategy<Value = i128> {
    let limit = 10_i128.pow(u32::from(precision)) - 1;
    let limit = limit.min(LARGEST_DECIMAL);
    prop_oneof![
        4 => -3..4_i128,
        2 => -limit..=limit,
        1 => Just(limit),
        1 => Just(-limit),
    ]
}

pub(crate) fn texts() -> impl Strategy<Value = String> {
    prop_oneof![3 => "[ab]{0,3}", 1 => "\\PC{0,8}", 1 => Just("ß\u{0}İ".to_owned()), 1 => "x{120,140}"]
}

/// A column of a type with this many rows, some null.
pub(crate) fn column(data_type: &DataType, n_rows: usize) -> BoxedStrategy<ArrayRef> {
    fn rows<T: std::fmt::Debug + 'static>(
        value: impl Strategy<Value = T> + 'static,
        n_rows: usize,
    ) -> BoxedStrategy<Vec<Option<T>>> {
        let nullable = proptest::collection::vec(proptest::option::weighted(0.8, value), n_rows);
        nullable.boxed()
    }
    fn array<A: arrow::array::Array + 'static>(array: A) -> ArrayRef {
        Arc::new(array)
    }
    match data_type.clone() {
        DataType::Boolean => {
            rows(any::<bool>(), n_rows).prop_map(|rows| array(BooleanArray::from(rows))).boxed()
        }
        DataType::Int64 => rows(ints(), n_rows).prop_map(|rows| array(Int64Array::from(rows))).boxed(),
        DataType::Decimal128(precision, scale) => rows(decimals(precision), n_rows)
            .prop_map(move |rows| {
                array(Decimal128Array::from(rows).with_precision_and_scale(precision, scale).unwrap())
            })
            .boxed(),
        DataType::Float64 => rows(floats(), n_rows).prop_map(|rows| array(Float64Array::from(rows))).boxed(),
        DataType::Utf8View => {
            rows(texts(), n_rows).prop_map(|rows| array(StringViewArray::from(rows))).boxed()
        }
        DataType::Int32 => rows(any::<i32>(), n_rows).prop_map(|rows| array(Int32Array::from(rows))).boxed(),
        DataType::Date32 => {
            rows(any::<i32>(), n_rows).prop_map(|rows| array(Date32Array::from(rows))).boxed()
        }
        DataType::Timestamp(..) => {
            rows(ints(), n_rows).prop_map(|rows| array(TimestampMicrosecondArray::from(rows))).boxed()
        }
        _ => rows(ints(), n_rows).prop_map(|rows| array(DurationMicrosecondArray::from(rows))).boxed(),
    }
}

/// Rows for a monoid: few or many, in one group or several, with or without nulls and filter.
pub(crate) fn samples(input: Option<DataType>) -> impl Strategy<Value = Sample> {
    let n_rows = prop_oneof![1 => 0..3_usize, 4 => 3..60_usize, 1 => 150..200_usize];
    (n_rows, 1..5_usize).prop_flat_map(move |(n_rows, n_groups)| {
        let args = match &input {
            None => Just(Vec::new()).boxed(),
            Some(input) => column(input, n_rows).prop_map(|column| vec![column]).boxed(),
        };
        let groups = proptest::collection::vec(0..n_groups, n_rows);
        let passes = proptest::collection::vec(proptest::option::weighted(0.9, any::<bool>()), n_rows);
        let filter = proptest::option::of(passes.prop_map(BooleanArray::from));
        (args, groups, filter).prop_map(move |(args, groups, filter)| Sample {
            args,
            groups,
            filter,
            n_groups,
        })
    })
}

/// All rows in one group.
pub(crate) fn one_group(column: ArrayRef) -> Sample {
    Sample { groups: vec![0; column.len()], args: vec![column], filter: None, n_groups: 1 }
}

/// The presented value of one column as one group.
pub(crate) fn aggregate(op: &Op, column: ArrayRef) -> ArrayRef {
    let monoid = monoid(op, Some(column.data_type())).unwrap();
    let sample = one_group(column);
    let mut groups = monoid.groups();
    groups.lift(&sample.args, &sample.groups, None, 1).unwrap();
    monoid.present(&groups.emit(1).unwrap()).unwrap()
}
