//! Columns, groups and filters to try, with the values that break naive arithmetic.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, BooleanArray, Date32Array, Decimal128Array, DurationMicrosecondArray, Float64Array,
    Int32Array, Int64Array, ListArray, StringViewArray, TimestampMicrosecondArray,
};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field, TimeUnit};
use metricc_algebra::law_kit::Sample;
use metricc_algebra::{Monoid, SessionPart, Sessions, monoid};
use metricc_ir::{AggregateOp as Op, Value};
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
        Op::WideMean,
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
        Op::ExactQuantile { q_ppb: 500_000_000 },
        Op::Top { k: 3 },
        Op::Set,
        Op::Skewness,
        Op::Kurtosis,
        Op::BitsOr,
        Op::BitsAnd,
        Op::BitsXor,
    ]
}

/// Event time and place in the log.
fn moment() -> [DataType; 2] {
    [DataType::Timestamp(TimeUnit::Microsecond, None), DataType::Decimal128(38, 0)]
}

/// A few values of a type, ascending, as the parameters of aggregates hold them.
pub(crate) fn parameters(data_type: &DataType) -> Vec<Value> {
    let all = |longs: [i64; 2], make: fn(i64) -> Value| longs.map(make).to_vec();
    match data_type {
        DataType::Boolean => vec![Value::Bool(false), Value::Bool(true)],
        DataType::Int64 => [-2, 0, 3].map(Value::Int).to_vec(),
        DataType::Float64 => [-1.5, 0.0, 1e16].map(Value::Float).to_vec(),
        DataType::Utf8View => ["", "a", "ab"].map(|text| Value::String(text.to_owned())).to_vec(),
        DataType::Int32 => [-1_i32, 5].map(|place| Value::Enum(place.cast_unsigned())).to_vec(),
        DataType::Date32 => [-1, 5].map(Value::Date).to_vec(),
        DataType::Timestamp(..) => all([-1, 2], Value::Timestamp),
        DataType::Duration(_) => all([-1, 2], Value::Duration),
        _ => [-2, 0, 3].map(Value::Decimal).to_vec(),
    }
}

/// Every aggregate of several arguments, or with parameters of its type, over one type.
fn monoids_over(input: &DataType) -> Vec<Arc<dyn Monoid>> {
    let values = parameters(input);
    let [time, position] = moment();
    let one = |op: Op| (op, vec![input.clone()]);
    let list = DataType::List(Arc::new(Field::new("item", input.clone(), true)));
    let mut all = vec![
        one(Op::Histogram { edges: values.clone() }),
        one(Op::Frequency { error_ppm: 500_000, item: values[0].clone() }),
        one(Op::Frequency { error_ppm: 1_000, item: values[1].clone() }),
        (Op::Union, vec![list]),
        (Op::First, vec![input.clone(), time.clone(), position.clone()]),
        (Op::Last, vec![input.clone(), time.clone(), position.clone()]),
        (Op::Funnel { within: 3 }, vec![input.clone(), time.clone(), DataType::Boolean, DataType::Boolean]),
        (Op::Retention { n_periods: 3 }, vec![input.clone(), DataType::Int64]),
        (Op::Retention { n_periods: 1 }, vec![input.clone(), DataType::Date32]),
    ];
    for by in [DataType::Int64, DataType::Decimal128(12, 2), DataType::Float64] {
        all.push((Op::Top { k: 2 }, vec![input.clone(), by]));
    }
    for by in [DataType::Int64, DataType::Float64, DataType::Utf8View] {
        all.push((Op::ArgMin, vec![input.clone(), by.clone(), time.clone(), position.clone()]));
        all.push((Op::ArgMax, vec![input.clone(), by, time.clone(), position.clone()]));
    }
    for op in [Op::Covariance, Op::Correlation, Op::Slope, Op::Intercept] {
        all.push((op, vec![input.clone(), input.clone()]));
    }
    all.iter().filter_map(|(op, inputs)| monoid(op, inputs).ok()).collect()
}

/// Every monoid there is.
pub(crate) fn monoids() -> Vec<Arc<dyn Monoid>> {
    let inputs: Vec<Vec<DataType>> =
        input_types().into_iter().map(|input| vec![input]).chain([vec![]]).collect();
    let plain =
        ops().into_iter().flat_map(|op| inputs.iter().filter_map(move |inputs| monoid(&op, inputs).ok()));
    plain.chain(input_types().iter().flat_map(monoids_over)).chain(sessions()).collect()
}

/// Sessions of words, of heap states, with and without filters; and of nothing but their ends.
fn sessions() -> Vec<Arc<dyn Monoid>> {
    let [time, position] = moment();
    let part = |op: Op, inputs: &[DataType], has_filter| SessionPart {
        monoid: monoid(&op, inputs).expect("it is defined"),
        has_filter,
    };
    let words = vec![
        part(Op::Count, &[], false),
        part(Op::Sum, &[DataType::Int64], true),
        part(Op::Last, &[DataType::Boolean, time, position], false),
    ];
    let mixed = vec![
        part(Op::Count, &[], true),
        part(Op::Set, &[DataType::Utf8View], false),
        part(Op::Sum, &[DataType::Float64], true),
        part(Op::Min, &[DataType::Int64], false),
    ];
    let kinds =
        [(1, words), (2, mixed), (i64::MAX, vec![part(Op::Max, &[DataType::Date32], false)]), (7, vec![])];
    let sessions = kinds.map(|(gap, parts)| Sessions::new(gap, parts).expect("a gap above zero"));
    sessions.into_iter().map(|sessions| Arc::new(sessions) as Arc<dyn Monoid>).collect()
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
    fn array<A: Array + 'static>(array: A) -> ArrayRef {
        Arc::new(array)
    }
    match data_type.clone() {
        DataType::List(element) => proptest::collection::vec(0..4_usize, n_rows)
            .prop_flat_map(move |lengths| {
                let element = element.clone();
                let n_elements = lengths.iter().sum();
                column(element.data_type(), n_elements).prop_map(move |elements| {
                    let offsets = OffsetBuffer::<i32>::from_lengths(lengths.iter().copied());
                    array(ListArray::new(element.clone(), offsets, elements, None))
                })
            })
            .boxed(),
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

/// Columns of several types with this many rows.
pub(crate) fn columns(inputs: &[DataType], n_rows: usize) -> BoxedStrategy<Vec<ArrayRef>> {
    inputs.iter().map(|input| column(input, n_rows)).collect::<Vec<_>>().boxed()
}

/// Rows for a monoid: few or many, in one group or several, with or without nulls and filter.
pub(crate) fn samples(inputs: &[DataType]) -> impl Strategy<Value = Sample> {
    let inputs = inputs.to_vec();
    let n_rows = prop_oneof![1 => 0..3_usize, 4 => 3..60_usize, 1 => 150..200_usize];
    (n_rows, 1..5_usize).prop_flat_map(move |(n_rows, n_groups)| {
        let args = columns(&inputs, n_rows);
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
    let monoid = monoid(op, std::slice::from_ref(column.data_type())).unwrap();
    let sample = one_group(column);
    let mut groups = monoid.groups();
    groups.lift(&sample.args, &sample.groups, None, 1).unwrap();
    monoid.present(&groups.emit(1).unwrap()).unwrap()
}
