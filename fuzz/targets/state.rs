//! A state of any bytes, for each monoid: it is rejected, or it is canonical. A canonical state is written as
//! the same bytes, merges with the identity to itself, alone and in a group, and is presented, or refused,
//! without a panic.
//!
//! The first byte chooses the monoid.

#![no_main]

use std::sync::{Arc, LazyLock};

use arrow::array::{Array, ArrayRef, BinaryArray};
use arrow::datatypes::{DataType, Field, TimeUnit};
use libfuzzer_sys::fuzz_target;
use metricc_algebra::law_kit::state_bytes;
use metricc_algebra::{Layout, Monoid, SessionPart, Sessions, monoid};
use metricc_ir::{AggregateOp as Op, Value};

const TIME: DataType = DataType::Timestamp(TimeUnit::Microsecond, None);
const POSITION: DataType = DataType::Decimal128(38, 0);

/// The monoids whose states are of variable size, one for each form of state and type of input.
static MONOIDS: LazyLock<Vec<Arc<dyn Monoid>>> = LazyLock::new(|| {
    let types = [
        DataType::Boolean,
        DataType::Int64,
        DataType::Decimal128(12, 2),
        DataType::Decimal128(38, 38),
        DataType::Float64,
        DataType::Utf8View,
        DataType::Date32,
        TIME,
    ];
    let mut all: Vec<Arc<dyn Monoid>> = types.iter().flat_map(over).collect();
    let of_parameters = [
        Op::Histogram { edges: vec![Value::Int(3)] },
        Op::Frequency { error_ppm: 500_000, item: Value::Int(3) },
    ];
    all.extend(
        of_parameters.iter().map(|op| monoid(op, &[DataType::Int64]).expect("the aggregate takes ints")),
    );
    let part = |op: Op, input: DataType| SessionPart {
        monoid: monoid(&op, &[input]).expect("the aggregate takes the type"),
        has_filter: false,
    };
    let parts = vec![part(Op::Set, DataType::Utf8View), part(Op::Sum, DataType::Int64)];
    all.push(Arc::new(Sessions::new(2, parts).expect("the gap is above zero")));
    all.retain(|monoid| monoid.layout() == Layout::Heap);
    all
});

/// The monoids over one type of input.
fn over(input: &DataType) -> Vec<Arc<dyn Monoid>> {
    let one = |op: Op| (op, vec![input.clone()]);
    let list = DataType::List(Arc::new(Field::new("item", input.clone(), true)));
    let aggregates = [
        one(Op::Sum),
        one(Op::Mean),
        one(Op::Min),
        one(Op::Variance),
        one(Op::Skewness),
        one(Op::Distinct),
        one(Op::DistinctWithin { error_ppm: 10_000 }),
        one(Op::DistinctWithin { error_ppm: 300_000 }),
        one(Op::Quantile { q_ppb: 990_000_000, error_ppm: 10_000 }),
        one(Op::ExactQuantile { q_ppb: 500_000_000 }),
        one(Op::Top { k: 3 }),
        (Op::Top { k: 3 }, vec![input.clone(), DataType::Float64]),
        one(Op::Set),
        (Op::Union, vec![list]),
        (Op::First, vec![input.clone(), TIME, POSITION]),
        (Op::ArgMax, vec![input.clone(), DataType::Utf8View, TIME, POSITION]),
        (Op::Correlation, vec![input.clone(), input.clone()]),
        (Op::Funnel { within: 3 }, vec![input.clone(), TIME, DataType::Boolean, DataType::Boolean]),
        (Op::Retention { n_periods: 3 }, vec![input.clone(), DataType::Date32]),
    ];
    aggregates.iter().filter_map(|(op, inputs)| monoid(op, inputs).ok()).collect()
}

fuzz_target!(|bytes: &[u8]| {
    let Some((choice, bytes)) = bytes.split_first() else { return };
    let monoid = &MONOIDS[usize::from(*choice) % MONOIDS.len()];
    let Ok(mut state) = monoid.heap_state(bytes) else { return };
    let written = |state: &metricc_algebra::HeapState| {
        let mut written = Vec::new();
        state.to_bytes(&mut written);
        written
    };
    assert_eq!(written(&state), bytes, "{}: a state is not canonical", monoid.name());
    let identity = monoid.heap_state(&monoid.identity()).expect("the identity is a state");
    state.merge(&identity).expect("states of one monoid merge");
    assert_eq!(written(&state), bytes, "{}: the identity changes a state", monoid.name());

    let column: ArrayRef = Arc::new(BinaryArray::from_vec(vec![bytes]));
    let mut groups = monoid.groups();
    groups.merge(&column, &[0], 1).expect("a group takes a canonical state");
    let emitted = groups.emit(1).expect("a group has a state");
    let emitted = state_bytes(&emitted, 0).expect("one state");
    assert_eq!(emitted, bytes, "{}: a group changes a state", monoid.name());
    // Bytes that are no value of the type, such as a NaN, are an error when they are presented.
    if let Ok(presented) = monoid.present(&column) {
        assert_eq!(presented.len(), 1);
    }
});
