//! The states on the heap: what they hold, how they merge, their canonical bytes.
//!
//! Each is canonical by its type's invariants: equal states are equal values with equal bytes. Merging
//! keeps the invariants, decoding checks them.

mod arg_extreme;
mod bucket_counts;
mod bytes;
mod exact_sum;
mod float_moments;
mod float_powers;
mod hyperloglog;
mod keyed;
mod keyed_entries;
mod log_buckets;
mod set_builders;
mod sets;
mod text_extreme;
mod text_set;
mod word_value_counts;

pub use arg_extreme::ArgExtreme;
pub use bucket_counts::{CountMin, Histogram};
pub use exact_sum::{Exact, ExactSum, ExactSumOfSquares};
pub use float_moments::{FloatMean, FloatMoments};
pub use float_powers::{ExactSumOfCubes, ExactSumOfFourths, FloatPairs, FloatPowers};
pub use hyperloglog::HyperLogLog;
pub use keyed::Keyed;
pub use keyed_entries::{ItemSum, Periods, Steps, ValueCount, WideSum};
pub use log_buckets::LogBuckets;
pub use sets::{DecimalSet, SortedSet, WordSet};
pub use text_extreme::TextExtreme;
pub use text_set::TextSet;
pub use word_value_counts::WordValueCounts;

pub(crate) use bucket_counts::{DEPTH, width_for};
pub(crate) use bytes::{Reader, put_varint};
pub(crate) use hyperloglog::{HyperLogLogBuilder, MAX_PRECISION, MIN_PRECISION};
pub(crate) use keyed::{Entry, KeyedBuilder};
pub(crate) use log_buckets::{LogBucketsBuilder, max_buckets, resolution_for};
pub(crate) use set_builders::{TextSetBuilder, WordSetBuilder};
pub(crate) use word_value_counts::WordValueCountsBuilder;

use crate::Checked;

/// What every heap state can do.
pub(crate) trait HeapValue: Sized {
    /// `self ⊕= other`.
    fn merge(&mut self, other: &Self) -> Checked<()>;
    /// Appends the canonical bytes.
    fn encode(&self, out: &mut Vec<u8>);
    /// Bytes on the heap.
    fn heap_size(&self) -> usize;
}

const TOO_MANY_ROWS: &str = "the states together count more than 2^63 rows";
pub(crate) const NOT_CANONICAL: &str = "the bytes of the state are not canonical";
