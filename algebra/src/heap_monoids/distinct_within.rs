//! Estimated number of distinct values: HyperLogLog over the fixed hash of each value.

use std::fmt;
use std::marker::PhantomData;

use arrow::array::ArrayRef;
use arrow::buffer::{BooleanBuffer, NullBuffer};

use super::distinct::ints;
use crate::argument_column::Column;
use crate::heap_groups::HeapKernel;
use crate::scalar::{Scalar, hash64};
use crate::states::{HyperLogLog, HyperLogLogBuilder};
use crate::{Checked, HeapState};

/// Sketch over a column of any hashable kind.
pub(crate) struct Sketch<C> {
    precision: u8,
    column: PhantomData<fn() -> C>,
}

impl<C> Sketch<C> {
    /// With so many index bits.
    pub(crate) fn new(precision: u8) -> Self {
        Sketch { precision, column: PhantomData }
    }
}

impl<C> Clone for Sketch<C> {
    fn clone(&self) -> Self {
        Self::new(self.precision)
    }
}

impl<C> fmt::Debug for Sketch<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sketch({})", self.precision)
    }
}

/// A value with a fixed hash.
pub(crate) trait Hashed {
    /// See [`hash64`].
    fn hashed(self) -> u64;
}

impl<T: Scalar> Hashed for T {
    #[inline]
    fn hashed(self) -> u64 {
        self.hash()
    }
}

impl Hashed for &str {
    #[inline]
    fn hashed(self) -> u64 {
        hash64(self.as_bytes())
    }
}

/// The hashes of a column, all of them made before the first is looked at: the loop over sketches is then
/// nothing but memory accesses, which the processor overlaps.
#[derive(Debug)]
pub(crate) struct Hashes<C> {
    hashes: Vec<u64>,
    column: C,
}

impl<C: Column> Column for Hashes<C>
where
    for<'a> C::Item<'a>: Hashed,
{
    type Item<'a> = u64;

    fn open(args: &[ArrayRef]) -> Option<Self> {
        let column = C::open(args)?;
        let hashes = column.items().map(Hashed::hashed).collect();
        Some(Hashes { hashes, column })
    }
    #[inline]
    fn items(&self) -> impl Iterator<Item = u64> {
        self.hashes.iter().copied()
    }
    #[inline]
    fn item(&self, row: usize) -> u64 {
        self.hashes[row]
    }
    fn nulls(&self) -> Option<NullBuffer> {
        self.column.nulls()
    }
    fn is_proper(&self, selected: Option<&BooleanBuffer>) -> bool {
        self.column.is_proper(selected)
    }
}

impl<C: Column> HeapKernel for Sketch<C>
where
    for<'a> C::Item<'a>: Hashed,
{
    type Column = Hashes<C>;
    type State = HyperLogLog;
    type Group = HyperLogLogBuilder;

    fn group(&self) -> HyperLogLogBuilder {
        HyperLogLogBuilder::new(self.precision)
    }
    #[inline(always)]
    fn add(&self, group: &mut HyperLogLogBuilder, hash: u64) {
        group.add(hash);
    }
    #[inline(always)]
    fn add_measured(&self, group: &mut HyperLogLogBuilder, hash: u64) -> usize {
        group.add(hash)
    }
    fn merge(group: &mut HyperLogLogBuilder, state: &HyperLogLog) -> Checked<()> {
        group.merge(state)
    }
    fn finish(group: HyperLogLogBuilder) -> Checked<HyperLogLog> {
        Ok(group.finish())
    }
    #[inline(always)]
    fn heap_size(group: &HyperLogLogBuilder) -> usize {
        group.heap_size()
    }
    fn decode(&self, bytes: &[u8]) -> Checked<HyperLogLog> {
        HyperLogLog::decode(self.precision, bytes)
    }
    fn heap_state(state: HyperLogLog) -> HeapState {
        HeapState::HyperLogLog(state)
    }
    fn present(&self, states: impl Iterator<Item = Checked<HyperLogLog>>) -> Checked<ArrayRef> {
        ints(states.map(|state| state.map(|sketch| sketch.estimate())))
    }
}
