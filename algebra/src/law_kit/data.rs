//! Rows to try laws on: few and many, in one group and in several, with the values that break naive
//! arithmetic.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Date32Array, DurationMicrosecondArray, Float64Array, Int64Array, StringViewArray,
    TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, TimeUnit};

use super::{Random, Sample};

const INTS: [i64; 10] = [0, 1, -1, 2, 3, 7, -3, 1 << 40, i64::MAX, i64::MIN];
const FLOATS: [f64; 14] =
    [0.0, 1.0, -1.0, 0.1, 0.2, 0.3, 1e16, -1e16, 1e308, -1e308, 5e-324, 1e-9, 123.456, 2.5];
const TEXTS: [&str; 8] =
    ["", "a", "b", "ab", "ß", "e\u{301}", "a\u{0}b", "a rather long text that is no key"];

/// Samples for arguments of these types, the same for the same seed; none for a type that user-defined code
/// cannot take.
pub fn samples(inputs: &[DataType], n_samples: usize, seed: u64) -> Option<Vec<Sample>> {
    let mut random = Random(seed);
    (0..n_samples).map(|place| sample(inputs, place, &mut random)).collect()
}

fn sample(inputs: &[DataType], place: usize, random: &mut Random) -> Option<Sample> {
    let n_rows = [0, 1, 2, 9, 40, 200][place % 6];
    let n_groups = 1 + random.below(4);
    let args = inputs.iter().map(|input| column(input, n_rows, random)).collect::<Option<_>>()?;
    let groups = (0..n_rows).map(|_| random.below(n_groups)).collect();
    let passes = |random: &mut Random| (random.below(10) > 0).then(|| random.below(4) > 0);
    let filter =
        (place % 2 == 1).then(|| BooleanArray::from((0..n_rows).map(|_| passes(random)).collect::<Vec<_>>()));
    Some(Sample { args, groups, filter, n_groups })
}

/// A column with one null in eight.
fn column(data_type: &DataType, n_rows: usize, random: &mut Random) -> Option<ArrayRef> {
    fn rows<T>(
        n_rows: usize,
        random: &mut Random,
        mut value: impl FnMut(&mut Random) -> T,
    ) -> Vec<Option<T>> {
        (0..n_rows).map(|_| (random.below(8) > 0).then(|| value(random))).collect()
    }
    let int = |random: &mut Random| match random.below(3) {
        0 => random.next() as i64,
        _ => INTS[random.below(INTS.len())],
    };
    let within = |limit: i64| move |random: &mut Random| (random.next() as i64).rem_euclid(2 * limit) - limit;
    Some(match data_type {
        DataType::Boolean => {
            Arc::new(BooleanArray::from(rows(n_rows, random, |random| random.below(2) == 0)))
        }
        DataType::Int64 => Arc::new(Int64Array::from(rows(n_rows, random, int))),
        DataType::Float64 => {
            Arc::new(Float64Array::from(rows(n_rows, random, |random| match random.below(3) {
                0 => (random.next() as i64) as f64 / 1024.0,
                _ => FLOATS[random.below(FLOATS.len())],
            })))
        }
        DataType::Utf8View => {
            Arc::new(StringViewArray::from(rows(n_rows, random, |random| TEXTS[random.below(TEXTS.len())])))
        }
        DataType::Date32 => {
            Arc::new(Date32Array::from(rows(n_rows, random, |random| within(30_000)(random) as i32)))
        }
        DataType::Timestamp(TimeUnit::Microsecond, None) => {
            Arc::new(TimestampMicrosecondArray::from(rows(n_rows, random, within(1 << 51))))
        }
        DataType::Duration(TimeUnit::Microsecond) => {
            Arc::new(DurationMicrosecondArray::from(rows(n_rows, random, int)))
        }
        _ => return None,
    })
}
