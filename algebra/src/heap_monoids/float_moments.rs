//! Sum, mean, variance and standard deviation of floats.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array};

use crate::heap_groups::HeapKernel;
use crate::states::{ExactSum, FloatMean, FloatMoments, HeapValue};
use crate::{Checked, HeapState};

/// Sum.
#[derive(Debug, Clone)]
pub(crate) struct FloatSumKernel;

impl HeapKernel for FloatSumKernel {
    type Column = Float64Array;
    type State = ExactSum;
    type Group = ExactSum;

    fn group(&self) -> ExactSum {
        ExactSum::default()
    }
    #[inline]
    fn add(&self, group: &mut ExactSum, value: f64) {
        group.add(value);
    }
    fn merge(group: &mut ExactSum, state: &ExactSum) -> Checked<()> {
        group.merge(state)
    }
    fn finish(mut group: ExactSum) -> Checked<ExactSum> {
        group.normalize();
        Ok(group)
    }
    #[inline]
    fn heap_size(group: &ExactSum) -> usize {
        group.heap_size()
    }
    fn decode(&self, bytes: &[u8]) -> Checked<ExactSum> {
        ExactSum::decode(bytes)
    }
    fn heap_state(state: ExactSum) -> HeapState {
        HeapState::FloatSum(state)
    }
    fn present(&self, states: impl Iterator<Item = Checked<ExactSum>>) -> Checked<ArrayRef> {
        floats(states.map(|state| state.map(|sum| sum.value())))
    }
}

/// Mean.
#[derive(Debug, Clone)]
pub(crate) struct FloatMeanKernel;

impl HeapKernel for FloatMeanKernel {
    type Column = Float64Array;
    type State = FloatMean;
    type Group = FloatMean;

    fn group(&self) -> FloatMean {
        FloatMean::default()
    }
    #[inline]
    fn add(&self, group: &mut FloatMean, value: f64) {
        group.add(value);
    }
    fn merge(group: &mut FloatMean, state: &FloatMean) -> Checked<()> {
        group.merge(state)
    }
    fn finish(mut group: FloatMean) -> Checked<FloatMean> {
        group.normalize()?;
        Ok(group)
    }
    #[inline]
    fn heap_size(group: &FloatMean) -> usize {
        group.heap_size()
    }
    fn decode(&self, bytes: &[u8]) -> Checked<FloatMean> {
        FloatMean::decode(bytes)
    }
    fn heap_state(state: FloatMean) -> HeapState {
        HeapState::FloatMean(state)
    }
    fn present(&self, states: impl Iterator<Item = Checked<FloatMean>>) -> Checked<ArrayRef> {
        floats(states.map(|state| state.map(|mean| mean.value())))
    }
}

/// Variance, or its root.
#[derive(Debug, Clone)]
pub(crate) struct FloatMomentsKernel {
    /// Present the square root.
    pub(crate) root: bool,
}

impl HeapKernel for FloatMomentsKernel {
    type Column = Float64Array;
    type State = FloatMoments;
    type Group = FloatMoments;

    fn group(&self) -> FloatMoments {
        FloatMoments::default()
    }
    #[inline]
    fn add(&self, group: &mut FloatMoments, value: f64) {
        group.add(value);
    }
    fn merge(group: &mut FloatMoments, state: &FloatMoments) -> Checked<()> {
        group.merge(state)
    }
    fn finish(mut group: FloatMoments) -> Checked<FloatMoments> {
        group.normalize()?;
        Ok(group)
    }
    #[inline]
    fn heap_size(group: &FloatMoments) -> usize {
        group.heap_size()
    }
    fn decode(&self, bytes: &[u8]) -> Checked<FloatMoments> {
        FloatMoments::decode(bytes)
    }
    fn heap_state(state: FloatMoments) -> HeapState {
        HeapState::FloatMoments(Box::new(state))
    }
    fn present(&self, states: impl Iterator<Item = Checked<FloatMoments>>) -> Checked<ArrayRef> {
        let present =
            |moments: FloatMoments| if self.root { moments.deviation() } else { moments.variance() };
        floats(states.map(|state| state.and_then(present)))
    }
}

/// A column of floats.
pub(super) fn floats(values: impl Iterator<Item = Checked<Option<f64>>>) -> Checked<ArrayRef> {
    Ok(Arc::new(values.collect::<Checked<Float64Array>>()?))
}
