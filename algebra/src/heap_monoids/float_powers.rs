//! Skewness, kurtosis and figures of two floats.

use arrow::array::{ArrayRef, Float64Array};

use super::float_moments::floats;
use crate::heap_groups::HeapKernel;
use crate::moments::{Figure, Relation};
use crate::states::{FloatPairs, FloatPowers, HeapValue};
use crate::{Checked, HeapState};

/// Of one float.
#[derive(Debug, Clone)]
pub(crate) struct FloatPowersKernel(pub(crate) Figure);

/// Of two floats.
#[derive(Debug, Clone)]
pub(crate) struct FloatPairsKernel(pub(crate) Relation);

/// What both have in common: all but what is added and presented.
macro_rules! sums_kernel {
    ($state:ident) => {
        type State = $state;
        type Group = $state;

        fn group(&self) -> $state {
            $state::default()
        }
        fn merge(group: &mut $state, state: &$state) -> Checked<()> {
            group.merge(state)
        }
        fn finish(mut group: $state) -> Checked<$state> {
            group.normalize()?;
            Ok(group)
        }
        #[inline]
        fn heap_size(group: &$state) -> usize {
            group.heap_size()
        }
        fn decode(&self, bytes: &[u8]) -> Checked<$state> {
            $state::decode(bytes)
        }
        fn heap_state(state: $state) -> HeapState {
            HeapState::$state(Box::new(state))
        }
    };
}

impl HeapKernel for FloatPowersKernel {
    type Column = Float64Array;

    sums_kernel!(FloatPowers);

    #[inline]
    fn add(&self, group: &mut FloatPowers, value: f64) {
        group.add(value);
    }
    fn present(&self, states: impl Iterator<Item = Checked<FloatPowers>>) -> Checked<ArrayRef> {
        floats(states.map(|state| state.and_then(|state| state.sums().present(self.0))))
    }
}

impl HeapKernel for FloatPairsKernel {
    type Column = (Float64Array, Float64Array);

    sums_kernel!(FloatPairs);

    #[inline]
    fn add(&self, group: &mut FloatPairs, (first, second): (f64, f64)) {
        group.add(first, second);
    }
    fn present(&self, states: impl Iterator<Item = Checked<FloatPairs>>) -> Checked<ArrayRef> {
        let present = |state: FloatPairs| {
            let (sums, units) = state.sums();
            sums.present(self.0, units)
        };
        floats(states.map(|state| state.and_then(present)))
    }
}
