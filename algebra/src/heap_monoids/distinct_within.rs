//! Estimated number of distinct values: HyperLogLog over the fixed hash of each value.

use std::fmt;
use std::marker::PhantomData;

use arrow::array::{ArrayRef, ArrowPrimitiveType, BooleanArray, PrimitiveArray, StringViewArray};

use super::distinct::ints;
use crate::heap_groups::HeapKernel;
use crate::scalar::{Scalar, hash64};
use crate::states::{HyperLogLog, HyperLogLogBuilder};
use crate::{Checked, HeapState};

/// Sketch over a primitive type.
pub(crate) struct PrimitiveSketch<T> {
    precision: u8,
    values: PhantomData<fn() -> T>,
}

impl<T> PrimitiveSketch<T> {
    pub(crate) fn new(precision: u8) -> Self {
        PrimitiveSketch { precision, values: PhantomData }
    }
}

impl<T> Clone for PrimitiveSketch<T> {
    fn clone(&self) -> Self {
        Self::new(self.precision)
    }
}

impl<T> fmt::Debug for PrimitiveSketch<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PrimitiveSketch({})", self.precision)
    }
}

/// Sketch over booleans.
#[derive(Debug, Clone)]
pub(crate) struct BooleanSketch {
    /// Number of index bits.
    pub(crate) precision: u8,
}

/// Sketch over strings.
#[derive(Debug, Clone)]
pub(crate) struct TextSketch {
    /// Number of index bits.
    pub(crate) precision: u8,
}

/// What the kernels have in common: all but the column and how a value is hashed.
macro_rules! sketch_kernel {
    () => {
        type State = HyperLogLog;
        type Group = HyperLogLogBuilder;

        fn group(&self) -> HyperLogLogBuilder {
            HyperLogLogBuilder::new(self.precision)
        }
        fn merge(group: &mut HyperLogLogBuilder, state: &HyperLogLog) -> Checked<()> {
            group.merge(state)
        }
        fn finish(group: HyperLogLogBuilder) -> Checked<HyperLogLog> {
            Ok(group.finish())
        }
        #[inline]
        fn heap_size(group: &HyperLogLogBuilder) -> usize {
            group.heap_size()
        }
        fn decode(&self, bytes: &[u8]) -> Checked<HyperLogLog> {
            HyperLogLog::decode(self.precision, bytes)
        }
        fn heap_state(state: HyperLogLog) -> HeapState {
            HeapState::HyperLogLog(state)
        }
        fn present(&self, states: impl Iterator<Item = Checked<HyperLogLog>>) -> Checked<ArrayRef> {
            ints(states.map(|state| state.map(|sketch| sketch.estimate())))
        }
    };
}

impl<T: ArrowPrimitiveType> HeapKernel for PrimitiveSketch<T>
where
    T::Native: Scalar,
{
    type Column = PrimitiveArray<T>;

    sketch_kernel!();

    #[inline]
    fn add(&self, group: &mut HyperLogLogBuilder, value: T::Native) {
        group.add(value.hash());
    }
}

impl HeapKernel for BooleanSketch {
    type Column = BooleanArray;

    sketch_kernel!();

    #[inline]
    fn add(&self, group: &mut HyperLogLogBuilder, value: bool) {
        group.add(value.hash());
    }
}

impl HeapKernel for TextSketch {
    type Column = StringViewArray;

    sketch_kernel!();

    #[inline]
    fn add(&self, group: &mut HyperLogLogBuilder, value: &str) {
        group.add(hash64(value.as_bytes()));
    }
}
