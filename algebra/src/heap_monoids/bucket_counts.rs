//! Histograms over given edges, and the frequency of a value from a Count-Min sketch.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array};

use super::distinct::ints;
use crate::argument_column::Column;
use crate::heap_groups::HeapKernel;
use crate::list_values::lists_of;
use crate::scalar::hash64;
use crate::states::{CountMin, HeapValue, Histogram};
use crate::values::Values;
use crate::{Checked, HeapState};

/// Counts below the first edge, from each edge to the next, and from the last on.
#[derive(Debug, Clone)]
pub(crate) struct HistogramKernel {
    /// Bytes of the edges, ascending.
    pub(crate) edges: Arc<[Vec<u8>]>,
}

impl HistogramKernel {
    fn n_buckets(&self) -> u32 {
        self.edges.len() as u32 + 1
    }
}

impl HeapKernel for HistogramKernel {
    type Column = Values;
    type State = Histogram;
    type Group = Histogram;

    fn group(&self) -> Histogram {
        Histogram::new(self.n_buckets())
    }
    #[inline]
    fn add(&self, group: &mut Histogram, value: <Values as Column>::Item<'_>) {
        let below = |bytes: &[u8]| self.edges.partition_point(|edge| edge.as_slice() <= bytes);
        group.add(value.with_bytes(below));
    }
    fn merge(group: &mut Histogram, state: &Histogram) -> Checked<()> {
        group.merge(state)
    }
    fn finish(group: Histogram) -> Checked<Histogram> {
        group.check().map(|()| group)
    }
    #[inline]
    fn heap_size(group: &Histogram) -> usize {
        group.heap_size()
    }
    fn decode(&self, bytes: &[u8]) -> Checked<Histogram> {
        Histogram::decode(self.n_buckets(), bytes)
    }
    fn heap_state(state: Histogram) -> HeapState {
        HeapState::Histogram(state)
    }
    fn present(&self, states: impl Iterator<Item = Checked<Histogram>>) -> Checked<ArrayRef> {
        let (mut lengths, mut counts) = (Vec::new(), Vec::new());
        for state in states {
            counts.extend(state?.counts());
            lengths.push(self.n_buckets() as usize);
        }
        lists_of(&lengths, Arc::new(Int64Array::from(counts)))
    }
}

/// How often one value came, or a little more.
#[derive(Debug, Clone)]
pub(crate) struct Frequency {
    /// Counters of a row of the sketch.
    pub(crate) width: u32,
    /// Hash of the value that is requested.
    pub(crate) item: u64,
}

impl HeapKernel for Frequency {
    type Column = Values;
    type State = CountMin;
    type Group = CountMin;

    fn group(&self) -> CountMin {
        CountMin::new(self.width)
    }
    #[inline]
    fn add(&self, group: &mut CountMin, value: <Values as Column>::Item<'_>) {
        group.add(value.with_bytes(hash64));
    }
    fn merge(group: &mut CountMin, state: &CountMin) -> Checked<()> {
        group.merge(state)
    }
    fn finish(mut group: CountMin) -> Checked<CountMin> {
        group.finish().map(|()| group)
    }
    #[inline]
    fn heap_size(group: &CountMin) -> usize {
        group.heap_size()
    }
    fn decode(&self, bytes: &[u8]) -> Checked<CountMin> {
        CountMin::decode(self.width, bytes)
    }
    fn heap_state(state: CountMin) -> HeapState {
        HeapState::CountMin(state)
    }
    fn present(&self, states: impl Iterator<Item = Checked<CountMin>>) -> Checked<ArrayRef> {
        ints(states.map(|state| state.map(|sketch| sketch.estimate(self.item))))
    }
}
