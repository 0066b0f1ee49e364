//! Exact number of distinct values: the state is the set of values.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, ArrowPrimitiveType, BooleanArray, Decimal128Array, Int64Array, PrimitiveArray, StringViewArray,
};

use crate::heap_groups::HeapKernel;
use crate::scalar::{OneWord, wide_word};
use crate::states::{DecimalSet, TextSet, TextSetBuilder, WordSet, WordSetBuilder};
use crate::{Checked, HeapState};

/// Distinct values of a primitive type of one word.
pub(crate) struct DistinctWords<T>(PhantomData<fn() -> T>);

impl<T> DistinctWords<T> {
    pub(crate) fn new() -> Self {
        DistinctWords(PhantomData)
    }
}

impl<T> Clone for DistinctWords<T> {
    fn clone(&self) -> Self {
        Self::new()
    }
}

impl<T> fmt::Debug for DistinctWords<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DistinctWords")
    }
}

/// Distinct booleans.
#[derive(Debug, Clone)]
pub(crate) struct DistinctBooleans;

/// Distinct decimals.
#[derive(Debug, Clone)]
pub(crate) struct DistinctDecimals;

/// Distinct strings.
#[derive(Debug, Clone)]
pub(crate) struct DistinctTexts;

/// What the kernels over sets have in common: all but the column and how a value becomes a word.
macro_rules! set_kernel {
    ($set:ident, $builder:ty) => {
        type State = $set;
        type Group = $builder;

        fn group(&self) -> $builder {
            <$builder>::default()
        }
        fn merge(group: &mut $builder, state: &$set) -> Checked<()> {
            group.merge(state)
        }
        fn finish(group: $builder) -> Checked<$set> {
            Ok(group.finish())
        }
        #[inline]
        fn heap_size(group: &$builder) -> usize {
            group.heap_size()
        }
        fn decode(&self, bytes: &[u8]) -> Checked<$set> {
            $set::decode(bytes)
        }
        fn heap_state(state: $set) -> HeapState {
            HeapState::$set(state)
        }
        fn present(&self, states: impl Iterator<Item = Checked<$set>>) -> Checked<ArrayRef> {
            ints(states.map(|state| state.map(|set| set.len() as i64)))
        }
    };
}

impl<T: ArrowPrimitiveType> HeapKernel for DistinctWords<T>
where
    T::Native: OneWord,
{
    type Column = PrimitiveArray<T>;

    set_kernel!(WordSet, WordSetBuilder<u64>);

    #[inline]
    fn add(&self, group: &mut WordSetBuilder<u64>, value: T::Native) {
        group.add(value.to_word());
    }
}

impl HeapKernel for DistinctBooleans {
    type Column = BooleanArray;

    set_kernel!(WordSet, WordSetBuilder<u64>);

    #[inline]
    fn add(&self, group: &mut WordSetBuilder<u64>, value: bool) {
        group.add(value.to_word());
    }
}

impl HeapKernel for DistinctDecimals {
    type Column = Decimal128Array;

    set_kernel!(DecimalSet, WordSetBuilder<u128>);

    #[inline]
    fn add(&self, group: &mut WordSetBuilder<u128>, value: i128) {
        group.add(wide_word(value));
    }
}

impl HeapKernel for DistinctTexts {
    type Column = StringViewArray;

    set_kernel!(TextSet, TextSetBuilder);

    #[inline]
    fn add(&self, group: &mut TextSetBuilder, value: &str) {
        group.add(value);
    }
}

/// A column of ints without nulls.
pub(super) fn ints(values: impl Iterator<Item = Checked<i64>>) -> Checked<ArrayRef> {
    let values = values.collect::<Checked<Vec<i64>>>()?;
    Ok(Arc::new(Int64Array::from(values)))
}
