//! First, last, and the row with the least or greatest of another value, of fixed width: the words of the
//! deciding value, event time, position in the log and carried value, each in the order of its values, most
//! significant first.
//!
//! The greatest state wins; for the first and the least all words are complemented. A place has at most 38
//! digits, so neither its words nor their complements are all zero, and no row looks like none.

use arrow::array::{ArrayRef, Decimal128Array, TimestampMicrosecondArray};
use arrow::datatypes::DataType;

use crate::argument_column::Column;
use crate::ordered_words::{Ordered, column_of_order, decimal_of, decimal_words, is_value};
use crate::scalar::OneWord;
use crate::word_groups::WordKernel;
use crate::{Checked, WordOp};

/// Event time and position in the log.
type TimeAndPosition = (TimestampMicrosecondArray, Decimal128Array);

/// Words of event time and position.
const N_MOMENT: usize = 3;

/// The row that comes first, or last: by a value of `BY` words, if that is not zero, then by event time and
/// position. It carries a value of `VALUE` words.
#[derive(Debug, Clone)]
pub(crate) struct ChosenWords<const BY: usize, const VALUE: usize, const LEAST: bool> {
    /// Type of the value that decides; of no words where there is none.
    pub(crate) by: DataType,
    /// Type of the value that is carried.
    pub(crate) value: DataType,
}

/// The state of a row.
#[inline(always)]
fn row<const N: usize, const LEAST: bool>(by: &[u64], (time, place): (i64, i128), value: &[u64]) -> [u64; N] {
    let mut words = [0; N];
    let (decides, rest) = words.split_at_mut(by.len());
    let (moment, carried) = rest.split_at_mut(N_MOMENT);
    decides.copy_from_slice(by);
    let [high, low] = decimal_words(place);
    moment.copy_from_slice(&[time.to_word(), high, low]);
    carried.copy_from_slice(value);
    if LEAST { words.map(|word| !word) } else { words }
}

impl<const BY: usize, const VALUE: usize, const LEAST: bool> ChosenWords<BY, VALUE, LEAST> {
    fn check_words<const N: usize>(&self, state: &[u64; N]) -> Checked<()> {
        if state.iter().all(|word| *word == 0) {
            return Ok(());
        }
        let words = state.map(|word| if LEAST { !word } else { word });
        let (by, rest) = words.split_at(BY);
        let ([_time, high, low], value) =
            rest.split_first_chunk::<N_MOMENT>().ok_or("the state is too short")?;
        let is_row = (BY == 0 || is_value(&self.by, by))
            && decimal_of([*high, *low], 38).is_some()
            && is_value(&self.value, value);
        if is_row { Ok(()) } else { Err("the state holds words that no row has") }
    }

    fn present_words<const N: usize>(&self, states: &[[u64; N]]) -> Checked<ArrayRef> {
        let carried = |state: &[u64; N]| {
            let is_row = state.iter().any(|word| *word != 0);
            let word = |at: usize| if LEAST { !state[at] } else { state[at] };
            is_row.then(|| [word(N - VALUE), word(N - 1)])
        };
        column_of_order(&self.value, states.iter().map(carried))
    }
}

macro_rules! arg_extreme_words {
    ($by:literal, $value:literal => $n_words:literal, $column:ty, $item:pat => $row:expr) => {
        impl<const LEAST: bool> WordKernel<$n_words> for ChosenWords<$by, $value, LEAST> {
            const PROGRAM: &'static [WordOp] = &[WordOp::Max($n_words)];
            type Column = $column;

            #[inline]
            fn state($item: <Self::Column as Column>::Item<'_>) -> [u64; $n_words] {
                let (by, moment, value): (&[u64], _, _) = $row;
                row::<$n_words, LEAST>(by, moment, value)
            }
            fn check(&self, state: &[u64; $n_words]) -> Checked<()> {
                self.check_words(state)
            }
            fn present(&self, states: &[[u64; $n_words]]) -> Checked<ArrayRef> {
                self.present_words(states)
            }
        }
    };
}

arg_extreme_words!(0, 1 => 4, (Ordered<1>, TimeAndPosition), (value, moment) => (&[], moment, &value));
arg_extreme_words!(0, 2 => 5, (Ordered<2>, TimeAndPosition), (value, moment) => (&[], moment, &value));
arg_extreme_words!(1, 1 => 5, (Ordered<1>, (Ordered<1>, TimeAndPosition)), (value, (by, moment)) => (&by, moment, &value));
arg_extreme_words!(1, 2 => 6, (Ordered<2>, (Ordered<1>, TimeAndPosition)), (value, (by, moment)) => (&by, moment, &value));
arg_extreme_words!(2, 1 => 6, (Ordered<1>, (Ordered<2>, TimeAndPosition)), (value, (by, moment)) => (&by, moment, &value));
arg_extreme_words!(2, 2 => 7, (Ordered<2>, (Ordered<2>, TimeAndPosition)), (value, (by, moment)) => (&by, moment, &value));
