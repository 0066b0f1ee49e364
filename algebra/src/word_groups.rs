//! Vectorised groups of word states, compiled for each monoid.
//!
//! A word monoid defines how one value becomes a state of `N` words; adding a row is merging that state.
//! Lifting therefore is a homomorphism by construction, and [`merge_words`] is the only arithmetic.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, FixedSizeBinaryArray};
use arrow::buffer::Buffer;
use arrow::datatypes::DataType;

use crate::argument_column::{AddValue, Column, Rows, not_below};
use crate::{
    Checked, Description, Groups, HeapState, Laws, Layout, Monoid, Result, StateError, WordOp, merge_words,
};

/// A word monoid: `N` words, their program, and how a value becomes words and words a value.
pub(crate) trait WordKernel<const N: usize>: Clone + fmt::Debug + Send + Sync + 'static {
    /// How two states merge; covers exactly `N` words.
    const PROGRAM: &'static [WordOp];
    /// The argument.
    type Column: Column;

    /// The state of one value.
    fn state(value: <Self::Column as Column>::Item<'_>) -> [u64; N];
    /// Whether some rows have this state.
    fn check(&self, state: &[u64; N]) -> Checked<()>;
    /// Presents checked states.
    fn present(&self, states: &[[u64; N]]) -> Checked<ArrayRef>;
}

/// A [`WordKernel`] with its name and laws, as a [`Monoid`].
#[derive(Debug)]
pub(crate) struct WordMonoid<K, const N: usize> {
    description: Arc<Description>,
    kernel: K,
}

impl<K: WordKernel<N>, const N: usize> WordMonoid<K, N> {
    pub(crate) fn boxed(description: Description, kernel: K) -> Arc<dyn Monoid> {
        Arc::new(WordMonoid::<K, N> { description: Arc::new(description), kernel })
    }
}

impl<K: WordKernel<N>, const N: usize> Monoid for WordMonoid<K, N> {
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
        Layout::Words(K::PROGRAM.to_vec())
    }
    fn inputs(&self) -> &[DataType] {
        &self.description.inputs
    }
    fn presented(&self) -> DataType {
        self.description.presented.clone()
    }
    fn identity(&self) -> Vec<u8> {
        vec![0; 8 * N]
    }
    fn groups(&self) -> Box<dyn Groups> {
        Box::new(WordGroups::<K, N> {
            description: Arc::clone(&self.description),
            kernel: self.kernel.clone(),
            states: Vec::new(),
        })
    }
    fn present(&self, states: &ArrayRef) -> Result<ArrayRef> {
        let error = |problem| StateError::new(&self.description.name, problem);
        let states: Vec<[u64; N]> = state_rows(states).map_err(error)?.collect();
        states.iter().try_for_each(|state| self.kernel.check(state)).map_err(error)?;
        self.kernel.present(&states).map_err(error)
    }
    fn heap_state(&self, _bytes: &[u8]) -> Result<HeapState> {
        Err(StateError::new(&self.description.name, "the state is made of words, not a heap value"))
    }
}

struct WordGroups<K, const N: usize> {
    description: Arc<Description>,
    kernel: K,
    states: Vec<[u64; N]>,
}

/// A value comes in as its state.
struct Lifting<K, const N: usize>(PhantomData<K>);

impl<K: WordKernel<N>, const N: usize> AddValue<K::Column> for Lifting<K, N> {
    type State = [u64; N];

    #[inline(always)]
    fn add(&mut self, state: &mut [u64; N], value: <K::Column as Column>::Item<'_>) {
        merge_words(K::PROGRAM, state, &K::state(value));
    }
}

impl<K, const N: usize> WordGroups<K, N> {
    fn grow(&mut self, n_groups: usize) {
        if n_groups > self.states.len() {
            self.states.resize(n_groups, [0; N]);
        }
    }
}

impl<K: WordKernel<N>, const N: usize> Groups for WordGroups<K, N> {
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
        rows.add_to(&mut self.states[..n_groups], &mut Lifting::<K, N>(PhantomData))
    }

    fn merge(&mut self, states: &ArrayRef, groups: &[usize], n_groups: usize) -> Result<()> {
        let description = Arc::clone(&self.description);
        let error = |problem| StateError::new(&description.name, problem);
        if states.len() != groups.len() {
            return Err(error("the states and the group numbers differ in length"));
        }
        self.grow(n_groups);
        let known = &mut self.states[..n_groups];
        for (group, state) in groups.iter().zip(state_rows::<N>(states).map_err(error)?) {
            self.kernel.check(&state).map_err(error)?;
            let known = known.get_mut(*group).ok_or_else(|| not_below(&description.name, n_groups))?;
            merge_words(K::PROGRAM, known, &state);
        }
        Ok(())
    }

    fn emit(&mut self, n: usize) -> Result<ArrayRef> {
        self.grow(n);
        let rest = self.states.split_off(n);
        let first = std::mem::replace(&mut self.states, rest);
        column_of_words(first).map_err(|problem| StateError::new(&self.description.name, problem))
    }

    fn size(&self) -> usize {
        size_of::<Self>() + self.states.capacity() * 8 * N
    }
}

/// The words of every row of a canonical state column.
fn state_rows<const N: usize>(states: &ArrayRef) -> Checked<impl Iterator<Item = [u64; N]>> {
    let column = states
        .as_fixed_size_binary_opt()
        .filter(|column| column.value_size() == 8 * N)
        .ok_or("the states are not a column of this monoid's state type")?;
    if column.null_count() > 0 {
        return Err("a state is null");
    }
    let (rows, _) = column.value_data().as_chunks::<8>().0.as_chunks::<N>();
    Ok(rows.iter().map(|row| row.map(u64::from_le_bytes)))
}

/// The canonical column: words in order, each little-endian. Copies nothing on little-endian machines.
fn column_of_words<const N: usize>(states: Vec<[u64; N]>) -> Checked<ArrayRef> {
    let n_states = states.len();
    let mut words = states.into_flattened();
    for word in &mut words {
        *word = word.to_le();
    }
    FixedSizeBinaryArray::try_new_with_len(8 * N as i32, Buffer::from_vec(words), None, n_states)
        .map(|column| Arc::new(column) as ArrayRef)
        .map_err(|_| "the states do not fit into one column")
}
