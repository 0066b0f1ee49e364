//! Top k: a count or a sum by item; the items are ranked when they are presented.

use std::cmp::Ordering;
use std::fmt::Debug;
use std::marker::PhantomData;
use std::sync::Arc;

use arrow::array::{ArrayRef, Decimal128Array, Float64Array, Int64Array, StructArray};
use arrow::datatypes::{DataType, Field, Fields};

use super::keyed_kernels::{keyed_kernel, word_value_counts_kernel};
use crate::argument_column::Column;
use crate::heap_groups::HeapKernel;
use crate::list_values::lists_of;
use crate::ordered_words::{Ordered, column_of_order};
use crate::states::{
    Entry, ItemSum, Keyed, KeyedBuilder, ValueCount, WideSum, WordValueCounts, WordValueCountsBuilder,
};
use crate::values::{Shape, Values, column_of};
use crate::{Checked, HeapState};

/// The k items that weigh most, in the order of weight, then item.
#[derive(Debug, Clone)]
pub(crate) struct Top<W> {
    pub(crate) k: usize,
    pub(crate) shape: Shape,
    pub(crate) item: DataType,
    /// Type of the presented weight.
    pub(crate) weight: DataType,
    pub(crate) by: PhantomData<fn() -> W>,
}

/// What an item is weighed by.
pub(crate) trait Weight: Entry {
    /// What is compared.
    type Key: Clone;

    fn key(&self) -> Self::Key;
    fn order(left: &Self::Key, right: &Self::Key) -> Ordering;
    /// A column of the declared type; null where a sum does not fit it.
    fn column(keys: Vec<Self::Key>, data_type: &DataType) -> ArrayRef;
}

impl Weight for ValueCount {
    type Key = u64;

    fn key(&self) -> u64 {
        self.n_rows()
    }
    fn order(left: &u64, right: &u64) -> Ordering {
        left.cmp(right)
    }
    fn column(keys: Vec<u64>, _data_type: &DataType) -> ArrayRef {
        Arc::new(Int64Array::from_iter_values(keys.into_iter().map(|n_rows| n_rows as i64)))
    }
}

impl Weight for WideSum {
    type Key = WideSum;

    fn key(&self) -> WideSum {
        *self
    }
    fn order(left: &WideSum, right: &WideSum) -> Ordering {
        left.high_and_low().cmp(&right.high_and_low())
    }
    fn column(keys: Vec<WideSum>, data_type: &DataType) -> ArrayRef {
        let fits = |sum: i128| sum.unsigned_abs() < 10_u128.pow(38);
        let sums = keys.iter().map(|sum| sum.narrow().filter(|sum| fits(*sum)));
        Arc::new(sums.collect::<Decimal128Array>().with_data_type(data_type.clone()))
    }
}

impl Weight for ItemSum {
    /// Infinite beyond the largest float.
    type Key = f64;

    fn key(&self) -> f64 {
        self.sum().value().unwrap_or(if self.sum().is_negative() { f64::NEG_INFINITY } else { f64::INFINITY })
    }
    fn order(left: &f64, right: &f64) -> Ordering {
        left.total_cmp(right)
    }
    fn column(keys: Vec<f64>, _data_type: &DataType) -> ArrayRef {
        Arc::new(keys.into_iter().map(|sum| sum.is_finite().then_some(sum)).collect::<Float64Array>())
    }
}

/// The fields of the records that [`Top`] presents.
pub(crate) fn ranked_fields(item: &DataType, weight: &DataType, may_be_none: bool) -> Fields {
    Fields::from(vec![
        Field::new("item", item.clone(), false),
        Field::new("value", weight.clone(), may_be_none),
    ])
}

/// The items of one state with their weights, in the order of the items.
type Weighed<K, W> = Vec<(K, <W as Weight>::Key)>;

impl<W: Weight> Top<W> {
    /// `items` makes the items' column.
    fn present_ranked<K>(
        &self,
        states: impl Iterator<Item = Checked<Weighed<K, W>>>,
        column: impl FnOnce(Vec<K>) -> Checked<ArrayRef>,
    ) -> Checked<ArrayRef> {
        let (mut lengths, mut items, mut weights) = (Vec::new(), Vec::new(), Vec::new());
        for ranked in states {
            let ranked = self.first_ranked(ranked?);
            lengths.push(ranked.len());
            for (_, item, weight) in ranked {
                items.push(item);
                weights.push(weight);
            }
        }
        let items = column(items)?;
        let weights = W::column(weights, &self.weight);
        let fields = ranked_fields(&self.item, &self.weight, self.weight != DataType::Int64);
        let records = StructArray::try_new(fields, vec![items, weights], None)
            .map_err(|_| "the weights do not fit their type")?;
        lists_of(&lengths, Arc::new(records))
    }

    /// The items that weigh most, in the order of weight, then item, each with its place among all items.
    /// Only these are sorted.
    fn first_ranked<K>(&self, weighed: Weighed<K, W>) -> Vec<(usize, K, W::Key)> {
        let mut ranked: Vec<(usize, K, W::Key)> =
            weighed.into_iter().enumerate().map(|(place, (item, weight))| (place, item, weight)).collect();
        let order = |left: &(usize, K, W::Key), right: &(usize, K, W::Key)| {
            W::order(&right.2, &left.2).then(left.0.cmp(&right.0))
        };
        if ranked.len() > self.k {
            ranked.select_nth_unstable_by(self.k, order);
            ranked.truncate(self.k);
        }
        ranked.sort_unstable_by(order);
        ranked
    }

    fn present_states(&self, states: &[Keyed<W>]) -> Checked<ArrayRef> {
        let weighed = states
            .iter()
            .map(|state| Ok(state.entries().map(|(item, weight)| (item, weight.key())).collect()));
        self.present_ranked(weighed, |items: Vec<&[u8]>| column_of(&self.item, items.into_iter().map(Some)))
    }

    /// The same for items of one word.
    fn present_words(&self, weighed: impl Iterator<Item = Checked<Weighed<u64, W>>>) -> Checked<ArrayRef> {
        let column =
            |items: Vec<u64>| column_of_order(&self.item, items.into_iter().map(|word| Some([word, word])));
        self.present_ranked(weighed, column)
    }
}

impl HeapKernel for Top<ValueCount> {
    type Column = Values;

    keyed_kernel!(ValueCount, ValueCounts, kernel => kernel.shape);

    #[inline]
    fn add(&self, group: &mut Self::Group, value: <Values as Column>::Item<'_>) {
        value.with_bytes(|bytes| group.change(bytes, ValueCount::add_row));
    }
    fn present(&self, states: impl Iterator<Item = Checked<Self::State>>) -> Checked<ArrayRef> {
        self.present_states(&states.collect::<Checked<Vec<_>>>()?)
    }
}

/// By the number of rows, for items of one word.
#[derive(Debug, Clone)]
pub(crate) struct TopWords(pub(crate) Top<ValueCount>);

impl HeapKernel for TopWords {
    type Column = Ordered<1>;

    word_value_counts_kernel!(kernel => kernel.0.shape);

    fn present(&self, states: impl Iterator<Item = Checked<WordValueCounts>>) -> Checked<ArrayRef> {
        self.0.present_words(states.map(|state| state.map(|state| state.counts().to_vec())))
    }
}

/// By the sum of ints.
#[derive(Debug, Clone)]
pub(crate) struct TopByInts(pub(crate) Top<WideSum>);

/// By the sum of decimals.
#[derive(Debug, Clone)]
pub(crate) struct TopByDecimals(pub(crate) Top<WideSum>);

impl HeapKernel for TopByInts {
    type Column = (Values, Int64Array);

    keyed_kernel!(WideSum, WideSums, kernel => kernel.0.shape);

    #[inline]
    fn add(&self, group: &mut Self::Group, (item, value): <Self::Column as Column>::Item<'_>) {
        item.with_bytes(|bytes| group.change(bytes, |sum| sum.add(i128::from(value))));
    }
    fn present(&self, states: impl Iterator<Item = Checked<Self::State>>) -> Checked<ArrayRef> {
        self.0.present_states(&states.collect::<Checked<Vec<_>>>()?)
    }
}

impl HeapKernel for TopByDecimals {
    type Column = (Values, Decimal128Array);

    keyed_kernel!(WideSum, WideSums, kernel => kernel.0.shape);

    #[inline]
    fn add(&self, group: &mut Self::Group, (item, value): <Self::Column as Column>::Item<'_>) {
        item.with_bytes(|bytes| group.change(bytes, |sum| sum.add(value)));
    }
    fn present(&self, states: impl Iterator<Item = Checked<Self::State>>) -> Checked<ArrayRef> {
        self.0.present_states(&states.collect::<Checked<Vec<_>>>()?)
    }
}

impl HeapKernel for Top<ItemSum> {
    type Column = (Values, Float64Array);

    keyed_kernel!(ItemSum, FloatSums, kernel => kernel.shape);

    #[inline]
    fn add(&self, group: &mut Self::Group, (item, value): <Self::Column as Column>::Item<'_>) {
        item.with_bytes(|bytes| group.change(bytes, |sum| sum.add(value)));
    }
    fn present(&self, states: impl Iterator<Item = Checked<Self::State>>) -> Checked<ArrayRef> {
        self.present_states(&states.collect::<Checked<Vec<_>>>()?)
    }
}

/// By a sum, for items of one word.
#[derive(Debug, Clone)]
pub(crate) struct TopWordsBy<T>(pub(crate) T);

/// A kernel over sums by items of one word: its column of values and its entries, and how a value is added.
macro_rules! top_words_by {
    ($kernel:ty, $values:ty, $entry:ty, $variant:ident, $top:ident => $path:expr, $wide:expr) => {
        impl HeapKernel for TopWordsBy<$kernel> {
            type Column = (Ordered<1>, $values);

            keyed_kernel!($entry, u64, $variant, kernel => {
                let $top = &kernel.0;
                $path.shape
            });

            #[inline]
            fn add(&self, group: &mut Self::Group, ([item], value): <Self::Column as Column>::Item<'_>) {
                group.change(&item, |sum| sum.add($wide(value)));
            }
            fn present(&self, states: impl Iterator<Item = Checked<Self::State>>) -> Checked<ArrayRef> {
                let $top = &self.0;
                let weighed = states.map(|state| {
                    state.map(|state| state.entries().map(|(item, weight)| (*item, weight.key())).collect())
                });
                $path.present_words(weighed)
            }
        }
    };
}

top_words_by!(TopByInts, Int64Array, WideSum, WordWideSums, top => top.0, i128::from);
top_words_by!(TopByDecimals, Decimal128Array, WideSum, WordWideSums, top => top.0, std::convert::identity);
top_words_by!(Top<ItemSum>, Float64Array, ItemSum, WordFloatSums, top => top, std::convert::identity);
