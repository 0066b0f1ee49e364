//! Exact quantiles: a count by value; the quantile is looked up when it is presented.

use arrow::array::ArrayRef;
use arrow::datatypes::DataType;

use super::keyed_kernels::{keyed_kernel, word_value_counts_kernel};
use crate::argument_column::Column;
use crate::heap_groups::HeapKernel;
use crate::ordered_words::{Ordered, column_of_order};
use crate::states::{Keyed, KeyedBuilder, ValueCount, WordValueCounts, WordValueCountsBuilder};
use crate::values::{Shape, Values, column_of};
use crate::{Checked, HeapState};

/// The value of rank ⌊q·(n − 1)⌋ among all values.
#[derive(Debug, Clone)]
pub(crate) struct ExactQuantile {
    pub(crate) shape: Shape,
    pub(crate) presented: DataType,
    /// Billionths, at most 10⁹.
    pub(crate) q_ppb: u32,
}

/// The value of rank ⌊q·(n − 1)⌋ among values in order, each with its number of rows.
fn at_quantile<V, I: Iterator<Item = (V, u64)>>(q_ppb: u32, counts: impl Fn() -> I) -> Option<V> {
    let n_rows: u128 = counts().map(|(_, n_rows)| u128::from(n_rows)).sum();
    let rank = n_rows.checked_sub(1)? * u128::from(q_ppb) / 1_000_000_000;
    let mut n_below = 0;
    counts().find_map(|(value, n_rows)| {
        n_below += u128::from(n_rows);
        (n_below > rank).then_some(value)
    })
}

impl HeapKernel for ExactQuantile {
    type Column = Values;

    keyed_kernel!(ValueCount, ValueCounts, kernel => kernel.shape);

    #[inline]
    fn add(&self, group: &mut Self::Group, value: <Values as Column>::Item<'_>) {
        value.with_bytes(|bytes| group.change(bytes, ValueCount::add_row));
    }
    fn present(&self, states: impl Iterator<Item = Checked<Self::State>>) -> Checked<ArrayRef> {
        let states = states.collect::<Checked<Vec<_>>>()?;
        let values = states.iter().map(|state| {
            at_quantile(self.q_ppb, || state.entries().map(|(value, tally)| (value, tally.n_rows())))
        });
        column_of(&self.presented, values)
    }
}

/// The same, over values of one word.
#[derive(Debug, Clone)]
pub(crate) struct WordQuantile(pub(crate) ExactQuantile);

impl HeapKernel for WordQuantile {
    type Column = Ordered<1>;

    word_value_counts_kernel!(kernel => kernel.0.shape);

    fn present(&self, states: impl Iterator<Item = Checked<WordValueCounts>>) -> Checked<ArrayRef> {
        let quantile = |state: Checked<WordValueCounts>| {
            let state = state?;
            Ok(at_quantile(self.0.q_ppb, || state.counts().iter().copied()))
        };
        let words = states.map(quantile).collect::<Checked<Vec<_>>>()?;
        column_of_order(&self.0.presented, words.into_iter().map(|word| word.map(|word| [word, word])))
    }
}
