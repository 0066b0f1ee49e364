//! Vectorised groups of heap states, compiled for each monoid.

use std::fmt;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BinaryArray, BooleanArray};
use arrow::buffer::{Buffer, OffsetBuffer, ScalarBuffer};
use arrow::datatypes::DataType;

use crate::argument_column::{AddValue, Column, Rows, not_below};
use crate::states::HeapValue;
use crate::{Checked, Description, Groups, HeapState, Laws, Layout, Monoid, Result, StateError};

/// What makes a heap monoid: a state, and a group that takes values and states in.
pub(crate) trait HeapKernel: Clone + fmt::Debug + Send + Sync + 'static {
    /// The argument.
    type Column: Column;
    /// The canonical state.
    type State: HeapValue;
    /// The state while values are added.
    type Group: Send;

    /// A group without values.
    fn group(&self) -> Self::Group;
    /// Adds a value.
    fn add(&self, group: &mut Self::Group, value: <Self::Column as Column>::Item<'_>);
    /// Adds a value, and returns by how many bytes the group grew on the heap, wrapping if it shrank.
    #[inline]
    fn add_measured(&self, group: &mut Self::Group, value: <Self::Column as Column>::Item<'_>) -> usize {
        let before = Self::heap_size(group);
        self.add(group, value);
        Self::heap_size(group).wrapping_sub(before)
    }
    /// Adds a state.
    fn merge(group: &mut Self::Group, state: &Self::State) -> Checked<()>;
    /// The group's state.
    fn finish(group: Self::Group) -> Checked<Self::State>;
    /// Bytes of the group on the heap; takes constant time.
    fn heap_size(group: &Self::Group) -> usize;
    /// Reads canonical bytes.
    fn decode(&self, bytes: &[u8]) -> Checked<Self::State>;
    /// The state as one of all heap states.
    fn heap_state(state: Self::State) -> HeapState;
    /// Presents states, one after the other.
    fn present(&self, states: impl Iterator<Item = Checked<Self::State>>) -> Checked<ArrayRef>;
}

/// A [`HeapKernel`] with its name and laws, as a [`Monoid`].
#[derive(Debug)]
pub(crate) struct HeapMonoid<K> {
    description: Arc<Description>,
    kernel: K,
}

impl<K: HeapKernel> HeapMonoid<K> {
    pub(crate) fn boxed(description: Description, kernel: K) -> Arc<dyn Monoid> {
        Arc::new(HeapMonoid { description: Arc::new(description), kernel })
    }
}

impl<K: HeapKernel> Monoid for HeapMonoid<K> {
    fn name(&self) -> String {
        self.description.name.clone()
    }
    fn version(&self) -> u32 {
        self.description.version
    }
    fn laws(&self) -> Laws {
        self.description.laws
    }
    fn layout(&self) -> Layout {
        Layout::Heap
    }
    fn inputs(&self) -> &[DataType] {
        &self.description.inputs
    }
    fn presented(&self) -> DataType {
        self.description.presented.clone()
    }
    fn identity(&self) -> Vec<u8> {
        // In every heap layout nothing is spelt as no bytes.
        Vec::new()
    }
    fn groups(&self) -> Box<dyn Groups> {
        Box::new(HeapGroups {
            description: Arc::clone(&self.description),
            kernel: self.kernel.clone(),
            groups: Vec::new(),
            heap_size: 0,
        })
    }
    fn present(&self, states: &ArrayRef) -> Result<ArrayRef> {
        let error = |problem| StateError::new(&self.description.name, problem);
        let states = binary(states).map_err(error)?;
        let decoded = (0..states.len()).map(|row| self.kernel.decode(states.value(row)));
        self.kernel.present(decoded).map_err(error)
    }
    fn heap_state(&self, bytes: &[u8]) -> Result<HeapState> {
        self.kernel
            .decode(bytes)
            .map(K::heap_state)
            .map_err(|problem| StateError::new(&self.description.name, problem))
    }
}

struct HeapGroups<K: HeapKernel> {
    description: Arc<Description>,
    kernel: K,
    groups: Vec<K::Group>,
    /// Bytes of all groups on the heap, kept up to date so that asking is cheap.
    heap_size: usize,
}

/// Adds values, and keeps count of the bytes on the heap.
struct Measured<'a, K> {
    kernel: &'a K,
    heap_size: usize,
}

impl<K: HeapKernel> AddValue<K::Column> for Measured<'_, K> {
    type State = K::Group;

    #[inline(always)]
    fn add(&mut self, group: &mut K::Group, value: <K::Column as Column>::Item<'_>) {
        self.heap_size = self.heap_size.wrapping_add(self.kernel.add_measured(group, value));
    }
}

impl<K: HeapKernel> HeapGroups<K> {
    fn grow(&mut self, n_groups: usize) {
        if n_groups > self.groups.len() {
            self.groups.resize_with(n_groups, || self.kernel.group());
        }
    }

    fn error(&self, problem: &str) -> StateError {
        StateError::new(&self.description.name, problem)
    }
}

impl<K: HeapKernel> Groups for HeapGroups<K> {
    fn lift(
        &mut self,
        args: &[ArrayRef],
        groups: &[usize],
        filter: Option<&BooleanArray>,
        n_groups: usize,
    ) -> Result<()> {
        let description = Arc::clone(&self.description);
        let rows = Rows::<K::Column>::open(&description.name, &description.inputs, args, groups, filter)?;
        self.grow(n_groups);
        let mut measured = Measured { kernel: &self.kernel, heap_size: self.heap_size };
        let added = rows.add_to(&mut self.groups[..n_groups], &mut measured);
        self.heap_size = measured.heap_size;
        added
    }

    fn merge(&mut self, states: &ArrayRef, groups: &[usize], n_groups: usize) -> Result<()> {
        if states.len() != groups.len() {
            return Err(self.error("the states and the group numbers differ in length"));
        }
        let states = binary(states).map_err(|problem| self.error(problem))?;
        self.grow(n_groups);
        for (row, group) in groups.iter().enumerate() {
            let state = self.kernel.decode(states.value(row)).map_err(|problem| self.error(problem))?;
            let group = self.groups[..n_groups].get_mut(*group);
            let group = group.ok_or_else(|| not_below(&self.description.name, n_groups))?;
            let before = K::heap_size(group);
            let merged = K::merge(group, &state);
            self.heap_size = (self.heap_size + K::heap_size(group)).saturating_sub(before);
            merged.map_err(|problem| self.error(problem))?;
        }
        Ok(())
    }

    fn emit(&mut self, n: usize) -> Result<ArrayRef> {
        self.grow(n);
        let rest = self.groups.split_off(n);
        let first = std::mem::replace(&mut self.groups, rest);
        self.heap_size = self.groups.iter().map(K::heap_size).sum();
        let mut bytes = Vec::new();
        let mut offsets = Vec::with_capacity(n + 1);
        offsets.push(0_i32);
        for group in first {
            K::finish(group).map_err(|problem| self.error(problem))?.encode(&mut bytes);
            let end = i32::try_from(bytes.len());
            offsets.push(end.map_err(|_| self.error("the states to emit at once exceed 2 GiB"))?);
        }
        let offsets = OffsetBuffer::new(ScalarBuffer::from(offsets));
        BinaryArray::try_new(offsets, Buffer::from_vec(bytes), None)
            .map(|column| Arc::new(column) as ArrayRef)
            .map_err(|_| self.error("the states do not fit into one column"))
    }

    fn size(&self) -> usize {
        size_of::<Self>() + self.groups.capacity() * size_of::<K::Group>() + self.heap_size
    }
}

/// A canonical state column.
pub(crate) fn binary(states: &ArrayRef) -> Checked<&BinaryArray> {
    let column =
        states.as_binary_opt::<i32>().ok_or("the states are not a column of this monoid's state type")?;
    if column.null_count() > 0 { Err("a state is null") } else { Ok(column) }
}
