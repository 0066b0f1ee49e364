//! First, last, and the row with the least or greatest of another value.

use std::fmt;

use arrow::array::{ArrayRef, Decimal128Array, TimestampMicrosecondArray};
use arrow::datatypes::DataType;

use crate::argument_column::Column;
use crate::heap_groups::HeapKernel;
use crate::states::{ArgExtreme, HeapValue};
use crate::values::{Shape, Value, Values, column_of};
use crate::{Checked, HeapState};

/// Event time and position in the log.
type TimeAndPosition = (TimestampMicrosecondArray, Decimal128Array);

/// By event time alone: the value, then event time and position.
#[derive(Debug, Clone)]
pub(crate) struct ByTime(pub(crate) Choice);

/// By another value: the value, the deciding one, then event time and position.
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
    fn present(&self, states: impl Iterator<Item = Checked<ArgExtreme>>) -> Checked<ArrayRef> {
        let states = states.collect::<Checked<Vec<_>>>()?;
        column_of(&self.presented, states.iter().map(ArgExtreme::value))
    }
}

macro_rules! arg_extreme_kernel {
    ($kernel:ident => $choice:expr, $by:expr) => {
        type State = ArgExtreme;
        type Group = ArgExtreme;

        fn group(&self) -> ArgExtreme {
            let $kernel = self;
            ArgExtreme::new($choice.least, $by, $choice.shape)
        }
        fn merge(group: &mut ArgExtreme, state: &ArgExtreme) -> Checked<()> {
            group.merge(state)
        }
        fn finish(group: ArgExtreme) -> Checked<ArgExtreme> {
            Ok(group)
        }
        #[inline]
        fn heap_size(group: &ArgExtreme) -> usize {
            group.heap_size()
        }
        fn decode(&self, bytes: &[u8]) -> Checked<ArgExtreme> {
            let $kernel = self;
            ArgExtreme::decode($choice.least, $by, $choice.shape, bytes)
        }
        fn heap_state(state: ArgExtreme) -> HeapState {
            HeapState::ArgExtreme(state)
        }
        fn present(&self, states: impl Iterator<Item = Checked<ArgExtreme>>) -> Checked<ArrayRef> {
            let $kernel = self;
            $choice.present(states)
        }
    };
}

impl HeapKernel for ByTime {
    type Column = (Values, TimeAndPosition);

    arg_extreme_kernel!(kernel => kernel.0, None);

    #[inline]
    fn add(&self, group: &mut ArgExtreme, (value, moment): <Self::Column as Column>::Item<'_>) {
        group.add(value, None, moment);
    }
}

impl HeapKernel for ByValue {
    type Column = (Values, (Values, TimeAndPosition));

    arg_extreme_kernel!(kernel => kernel.choice, Some(kernel.by));

    #[inline]
    fn add(&self, group: &mut ArgExtreme, (value, (by, moment)): <Self::Column as Column>::Item<'_>) {
        let by: Value<'_> = by;
        group.add(value, Some(by), moment);
    }
}
