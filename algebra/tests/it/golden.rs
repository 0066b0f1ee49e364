//! The bytes of states are permanent: changed bytes need a new version.
//!
//! `tests/golden/states.txt` has a line per monoid: name, version, the bytes of one state, and what they
//! present. With `METRICC_GOLDEN=write` lines of new monoids and versions are added; those that are there are
//! never changed.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, DurationMicrosecondArray,
    FixedSizeBinaryArray, Float64Array, Int32Array, Int64Array, ListArray, StringViewArray,
    TimestampMicrosecondArray,
};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::DataType;
use metricc_algebra::law_kit::state_bytes;
use metricc_algebra::{Layout, Monoid};

use crate::inputs::monoids;

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/states.txt");
const N_ROWS: usize = 12;

/// The same values for ever. Rows of several arguments are not all alike.
fn column(data_type: &DataType, place: usize) -> ArrayRef {
    let cycle = |n: usize| (0..N_ROWS).map(move |row| (row * (place + 1) + place) % n);
    let long = |values: &[i64]| cycle(values.len()).map(|index| values[index]).collect::<Vec<_>>();
    let ints = [7, -3, 0, 1_000_000_007, i64::MIN, i64::MAX, 2];
    match data_type {
        DataType::Boolean => {
            Arc::new(BooleanArray::from(cycle(3).map(|index| index == 1).collect::<Vec<_>>()))
        }
        DataType::Int64 => Arc::new(Int64Array::from(long(&ints))),
        DataType::Int32 => Arc::new(Int32Array::from_iter_values(cycle(5).map(|index| index as i32 - 1))),
        DataType::Date32 => {
            Arc::new(Date32Array::from_iter_values(cycle(7).map(|index| index as i32 * 400 - 900)))
        }
        DataType::Timestamp(..) => Arc::new(TimestampMicrosecondArray::from(long(&[0, -1, 5, 1 << 50]))),
        DataType::Duration(_) => Arc::new(DurationMicrosecondArray::from(long(&ints))),
        DataType::Float64 => {
            let floats = [0.1, -2.5, 1e16, 1e-300, 3.0, 0.0, 1e300];
            Arc::new(Float64Array::from_iter_values(cycle(7).map(|index| floats[index])))
        }
        DataType::Utf8View => {
            let texts = ["", "a", "b", "ß", "ab", "a text that is longer than twelve bytes"];
            Arc::new(StringViewArray::from_iter_values(cycle(6).map(|index| texts[index])))
        }
        DataType::List(element) => {
            let lengths: Vec<usize> = cycle(3).collect();
            let n_elements: usize = lengths.iter().sum();
            let elements = (0..n_elements.div_ceil(N_ROWS)).map(|_| column(element.data_type(), place));
            let elements: Vec<ArrayRef> = elements.collect();
            let elements: Vec<&dyn Array> = elements.iter().map(|array| array.as_ref()).collect();
            let elements = arrow::compute::concat(&elements).unwrap().slice(0, n_elements);
            Arc::new(ListArray::new(element.clone(), OffsetBuffer::from_lengths(lengths), elements, None))
        }
        DataType::Decimal128(precision, _) => {
            let largest = 10_i128.pow(u32::from(*precision)) - 1;
            let digits = [12, -5, largest, 0, -largest];
            let values = Decimal128Array::from_iter_values(cycle(5).map(|index| digits[index]));
            Arc::new(values.with_data_type(data_type.clone()))
        }
        other => panic!("no values of {other}"),
    }
}

fn state(monoid: &dyn Monoid) -> Vec<u8> {
    let args: Vec<ArrayRef> =
        monoid.inputs().iter().enumerate().map(|(place, input)| column(input, place)).collect();
    let mut groups = monoid.groups();
    groups.lift(&args, &[0; N_ROWS], None, 1).unwrap();
    state_bytes(&groups.emit(1).unwrap(), 0).unwrap()
}

fn presented(monoid: &dyn Monoid, bytes: &[u8]) -> String {
    let column: ArrayRef = match monoid.layout() {
        Layout::Words(_) => Arc::new(FixedSizeBinaryArray::try_from_iter([bytes].into_iter()).unwrap()),
        Layout::Heap => Arc::new(BinaryArray::from_vec(vec![bytes])),
    };
    let value = monoid.present(&column).unwrap();
    arrow::util::display::array_value_to_string(&value, 0).unwrap()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len() / 2)
        .map(|place| u8::from_str_radix(&text[2 * place..2 * place + 2], 16).unwrap())
        .collect()
}

/// Monoids of one name share a state and differ in what they present: each has a line of its own.
fn key(monoid: &dyn Monoid) -> String {
    format!("{} v{} presents {}", monoid.name(), monoid.version(), monoid.presented())
}

#[test]
fn states_have_the_bytes_that_they_always_had() {
    let committed = std::fs::read_to_string(FILE).unwrap_or_default();
    let lines: Vec<&str> = committed.lines().filter(|line| !line.starts_with('#')).collect();
    let mut known: BTreeMap<&str, (&str, &str)> = BTreeMap::new();
    for line in &lines {
        let [key, bytes, value] = line.split(" | ").collect::<Vec<_>>()[..] else { panic!("{line}") };
        known.entry(key).or_insert((bytes, value));
    }
    let mut new = String::new();
    let mut seen = std::collections::BTreeSet::new();
    for monoid in monoids() {
        let key = key(monoid.as_ref());
        // A quantile's q and its like are in no name: the first of them stands for all.
        if !seen.insert(key.clone()) {
            continue;
        }
        let bytes = state(monoid.as_ref());
        match known.get(key.as_str()) {
            Some((expected, value)) => {
                assert_eq!(hex(&bytes), *expected, "{key}: other bytes want another version");
                assert_eq!(presented(monoid.as_ref(), &unhex(expected)), *value, "{key}");
            }
            None => {
                let _ = writeln!(new, "{key} | {} | {}", hex(&bytes), presented(monoid.as_ref(), &bytes));
            }
        }
    }
    if !new.is_empty() && std::env::var_os("METRICC_GOLDEN").is_some_and(|value| value == "write") {
        std::fs::write(FILE, format!("{committed}{new}")).unwrap();
        return;
    }
    assert!(new.is_empty(), "not in the golden file; `METRICC_GOLDEN=write` adds:\n{new}");
}

#[test]
fn golden_states_are_read_and_not_changed_bytes() {
    for monoid in monoids() {
        let bytes = state(monoid.as_ref());
        if let (Layout::Heap, false) = (monoid.layout(), bytes.is_empty()) {
            let mut again = Vec::new();
            monoid.heap_state(&bytes).unwrap().to_bytes(&mut again);
            assert_eq!(hex(&again), hex(&bytes), "{}", monoid.name());
        }
    }
}
