//! First, last, and the row with the least or greatest of another value.

use std::fmt;

use arrow::array::{ArrayRef, Decimal128Array, TimestampMicrosecondArray};
use arrow::datatypes::DataType;

use crate::column::Column;
use crate::heap_groups::HeapKernel;
use crate::states::{Chosen, HeapValue};
use crate::values::{Shape, Value, Values, column_of};
use crate::{Checked, HeapState};

/// Event time and place in the log.
type Moments = (TimestampMicrosecondArray, Decimal128Array);

/// By event time alone: the value, then event time and place.
#[derive(Debug, Clone)]
pub(crate) struct ByTime(pub(crate) Choice);

/// By another value: the value, the deciding one, then event time and place.
#[derive(Debug, Clone)]
pub(crate) struct ByValue {
    pub(crate) choice: Choice,
    /// Of the deciding value.
    pub(crate) by: Shape,
}

/// What both have in common.
#[derive(Clone)]
pub(crate) struct Choice {
    /// The first, not the last.
    pub(crate) least: bool,
    /// Of the carried value.
    pub(crate) shape: Shape,
    pub(crate) presented: DataType,
}

impl fmt::Debug for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", if self.least { "first" } else { "last" }, self.presented)
    }
}

impl Choice {
    fn present(&self, states: impl Iterator<Item = Checked<Chosen>>) -> Checked<ArrayRef> {
        let states = states.collect::<Checked<Vec<_>>>()?;
        column_of(&self.presented, states.iter().map(Chosen::value))
    }
}

macro_rules! chosen_kernel {
    ($kernel:ident => $choice:expr, $by:expr) => {
        type State = Chosen;
        type Group = Chosen;

        fn group(&self) -> Chosen {
            let $kernel = self;
            Chosen::new($choice.least, $by, $choice.shape)
        }
        fn merge(group: &mut Chosen, state: &Chosen) -> Checked<()> {
            group.merge(state)
        }
        fn finish(group: Chosen) -> Checked<Chosen> {
            Ok(group)
        }
        #[inline]
        fn heap_size(group: &Chosen) -> usize {
            group.heap_size()
        }
        fn decode(&self, bytes: &[u8]) -> Checked<Chosen> {
            let $kernel = self;
            Chosen::decode($choice.least, $by, $choice.shape, bytes)
        }
        fn heap_state(state: Chosen) -> HeapState {
            HeapState::Chosen(state)
        }
        fn present(&self, states: impl Iterator<Item = Checked<Chosen>>) -> Checked<ArrayRef> {
            let $kernel = self;
            $choice.present(states)
        }
    };
}

impl HeapKernel for ByTime {
    type Column = (Values, Moments);

    chosen_kernel!(kernel => kernel.0, None);

    #[inline]
    fn add(&self, group: &mut Chosen, (value, moment): <Self::Column as Column>::Item<'_>) {
        group.add(value, None, moment);
    }
}

impl HeapKernel for ByValue {
    type Column = (Values, (Values, Moments));

    chosen_kernel!(kernel => kernel.choice, Some(kernel.by));

    #[inline]
    fn add(&self, group: &mut Chosen, (value, (by, moment)): <Self::Column as Column>::Item<'_>) {
        let by: Value<'_> = by;
        group.add(value, Some(by), moment);
    }
}
