//! Exact quantiles: a count for every value, looked at when presented.

use arrow::array::ArrayRef;
use arrow::datatypes::DataType;

use super::ranked::keyed_kernel;
use crate::column::Column;
use crate::heap_groups::HeapKernel;
use crate::ordered::{Ordered, column_of_order};
use crate::states::{Keyed, KeyedBuilder, Tally, WordTallies, WordTalliesBuilder};
use crate::values::{Shape, Values, column_of};
use crate::{Checked, HeapState};

/// What kernels over [`WordTallies`] have in common: all but what is presented.
macro_rules! word_tallies_kernel {
    ($kernel:ident => $shape:expr) => {
        type State = WordTallies;
        type Group = WordTalliesBuilder;

        fn group(&self) -> WordTalliesBuilder {
            let $kernel = self;
            WordTalliesBuilder::new($shape)
        }
        #[inline]
        fn add(&self, group: &mut WordTalliesBuilder, [word]: [u64; 1]) {
            group.add(word);
        }
        fn merge(group: &mut WordTalliesBuilder, state: &WordTallies) -> Checked<()> {
            group.merge(state)
        }
        fn finish(group: WordTalliesBuilder) -> Checked<WordTallies> {
            group.finish()
        }
        #[inline]
        fn heap_size(group: &WordTalliesBuilder) -> usize {
            group.heap_size()
        }
        fn decode(&self, bytes: &[u8]) -> Checked<WordTallies> {
            let $kernel = self;
            WordTallies::decode($shape, bytes)
        }
        fn heap_state(state: WordTallies) -> HeapState {
            HeapState::WordTallies(state)
        }
    };
}
pub(super) use word_tallies_kernel;

/// The value of rank ⌊q·(n − 1)⌋ among all values.
#[derive(Debug, Clone)]
pub(crate) struct ExactQuantile {
    pub(crate) shape: Shape,
    pub(crate) presented: DataType,
    /// Billionths, at most 10⁹.
    pub(crate) q_ppb: u32,
}

/// The value of rank ⌊q·(n − 1)⌋ among values in order, each with its number of rows.
fn at_quantile<V, I: Iterator<Item = (V, u64)>>(q_ppb: u32, tallies: impl Fn() -> I) -> Option<V> {
    let n_rows: u128 = tallies().map(|(_, n_rows)| u128::from(n_rows)).sum();
    let rank = n_rows.checked_sub(1)? * u128::from(q_ppb) / 1_000_000_000;
    let mut n_below = 0;
    tallies().find_map(|(value, n_rows)| {
        n_below += u128::from(n_rows);
        (n_below > rank).then_some(value)
    })
}

impl HeapKernel for ExactQuantile {
    type Column = Values;

    keyed_kernel!(Tally, Tallies, kernel => kernel.shape);

    #[inline]
    fn add(&self, group: &mut Self::Group, value: <Values as Column>::Item<'_>) {
        value.with_bytes(|bytes| group.change(bytes, Tally::add_row));
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

    word_tallies_kernel!(kernel => kernel.0.shape);

    fn present(&self, states: impl Iterator<Item = Checked<WordTallies>>) -> Checked<ArrayRef> {
        let quantile = |state: Checked<WordTallies>| {
            let state = state?;
            Ok(at_quantile(self.0.q_ppb, || state.tallies().iter().copied()))
        };
        let words = states.map(quantile).collect::<Checked<Vec<_>>>()?;
        column_of_order(&self.0.presented, words.into_iter().map(|word| word.map(|word| [word, word])))
    }
}
