//! Quantiles with a guaranteed relative error over ints, decimals and floats.

use arrow::array::{ArrayRef, Decimal128Array, Float64Array, Int64Array};

use super::float_moments::floats;
use crate::heap_groups::HeapKernel;
use crate::rounding::decimal_to_f64;
use crate::states::{LogBuckets, LogBucketsBuilder};
use crate::{Checked, HeapState};

/// Which quantile, how exactly.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Quantile {
    /// Billionths, at most 10⁹.
    pub(crate) q_ppb: u32,
    /// Sub-buckets of an octave.
    pub(crate) resolution: u32,
}

/// Over ints.
#[derive(Debug, Clone)]
pub(crate) struct IntQuantile(pub(crate) Quantile);

/// Over decimals.
#[derive(Debug, Clone)]
pub(crate) struct DecimalQuantile {
    /// Digits after the decimal point.
    pub(crate) scale: u8,
    /// Which quantile.
    pub(crate) quantile: Quantile,
}

/// Over floats.
#[derive(Debug, Clone)]
pub(crate) struct FloatQuantile(pub(crate) Quantile);

/// What the kernels have in common: all but the column and how a value becomes a float.
macro_rules! quantile_kernel {
    ($field:tt) => {
        type State = LogBuckets;
        type Group = LogBucketsBuilder;

        fn group(&self) -> LogBucketsBuilder {
            LogBucketsBuilder::new(self.$field.resolution)
        }
        fn merge(group: &mut LogBucketsBuilder, state: &LogBuckets) -> Checked<()> {
            group.merge(state)
        }
        fn finish(group: LogBucketsBuilder) -> Checked<LogBuckets> {
            group.finish()
        }
        #[inline]
        fn heap_size(group: &LogBucketsBuilder) -> usize {
            group.heap_size()
        }
        fn decode(&self, bytes: &[u8]) -> Checked<LogBuckets> {
            LogBuckets::decode(self.$field.resolution, bytes)
        }
        fn heap_state(state: LogBuckets) -> HeapState {
            HeapState::LogBuckets(state)
        }
        fn present(&self, states: impl Iterator<Item = Checked<LogBuckets>>) -> Checked<ArrayRef> {
            floats(states.map(|state| state.map(|sketch| sketch.quantile(self.$field.q_ppb))))
        }
    };
}

impl HeapKernel for IntQuantile {
    type Column = Int64Array;

    quantile_kernel!(0);

    #[inline]
    fn add(&self, group: &mut LogBucketsBuilder, value: i64) {
        group.add(value as f64);
    }
}

impl HeapKernel for DecimalQuantile {
    type Column = Decimal128Array;

    quantile_kernel!(quantile);

    #[inline]
    fn add(&self, group: &mut LogBucketsBuilder, value: i128) {
        // Every decimal is within the range of floats.
        if let Some(value) = decimal_to_f64(value, self.scale) {
            group.add(value);
        }
    }
}

impl HeapKernel for FloatQuantile {
    type Column = Float64Array;

    quantile_kernel!(0);

    #[inline]
    fn add(&self, group: &mut LogBucketsBuilder, value: f64) {
        group.add(value);
    }
}
