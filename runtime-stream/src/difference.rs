//! The product of a grouping's states as the difference of a differential collection.
//!
//! Merging two differences is merging two states, by the same functions that both engines use. A difference
//! is zero only if its row count is ([`ROW_COUNT`]): where values cancel, the group stays (C69).
//!
//! Within one process differences move between workers as values. Serialisation is for streams that span
//! several processes, where timely exchanges bytes; no test or command runs such a stream yet.

use std::cmp::Ordering;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{Array, ArrayRef, AsArray, BinaryBuilder, FixedSizeBinaryBuilder};
use differential_dataflow::ExchangeData;
use differential_dataflow::difference::{IsZero, Semigroup};
use metricc_algebra::{HeapState, Layout, StateError, WordOp, merge_words, n_words};
use metricc_compiler::{Grouping, ROW_COUNT};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A difference that holds the product of a grouping's states.
pub(crate) trait Difference: ExchangeData + Semigroup {
    /// One difference per row of the canonical state columns.
    fn from_columns(plan: &Grouping, columns: &[ArrayRef]) -> Result<Vec<Self>, StateError>;
    /// The canonical state columns of these differences.
    fn to_columns(plan: &Grouping, differences: &[Self]) -> Result<Vec<ArrayRef>, StateError>;
    /// Where the states are, for `explain`.
    fn held() -> String;
}

/// A word program that lives as long as the process, as a thin pointer: every difference holds one.
/// Programs are few: one per shape of product.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Program(&'static Steps);

#[derive(Debug, PartialEq, Eq)]
struct Steps(Vec<WordOp>);

impl Program {
    fn intern(program: &[WordOp]) -> Self {
        static PROGRAMS: Mutex<Vec<&'static Steps>> = Mutex::new(Vec::new());
        let mut programs = PROGRAMS.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = programs.iter().find(|known| known.0 == program) {
            return Program(known);
        }
        let steps: &'static Steps = Box::leak(Box::new(Steps(program.to_vec())));
        programs.push(steps);
        Program(steps)
    }

    #[inline]
    fn steps(self) -> &'static [WordOp] {
        &self.0.0
    }

    fn of(plan: &Grouping) -> Self {
        let mut words = Vec::new();
        for state in &plan.states {
            if let Layout::Words(program) = state.monoid.layout() {
                words.extend(program);
            }
        }
        Program::intern(&words)
    }
}

impl Serialize for Program {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.steps())
    }
}

impl<'de> Deserialize<'de> for Program {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Program::intern(&Vec::<WordOp>::deserialize(deserializer)?))
    }
}

/// Up to N words of state, in place; the words after the program's are zero.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Words<const N: usize> {
    program: Program,
    words: [u64; N],
}

// Differences of one collection share their program.
impl<const N: usize> PartialOrd for Words<N> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<const N: usize> Ord for Words<N> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.words.cmp(&other.words)
    }
}

impl<const N: usize> IsZero for Words<N> {
    #[inline]
    fn is_zero(&self) -> bool {
        self.words[ROW_COUNT] == 0
    }
}

impl<const N: usize> Semigroup for Words<N> {
    #[inline]
    fn plus_equals(&mut self, other: &Self) {
        merge_words(self.program.steps(), &mut self.words, &other.words);
    }
}

impl<const N: usize> Serialize for Words<N> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (self.program, &self.words[..]).serialize(serializer)
    }
}

impl<'de, const N: usize> Deserialize<'de> for Words<N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (program, words) = <(Program, Vec<u64>)>::deserialize(deserializer)?;
        let words = words.try_into().map_err(|words: Vec<u64>| {
            serde::de::Error::invalid_length(words.len(), &"the words of one state")
        })?;
        Ok(Words { program, words })
    }
}

impl<const N: usize> Difference for Words<N> {
    fn from_columns(plan: &Grouping, columns: &[ArrayRef]) -> Result<Vec<Self>, StateError> {
        let n_rows = columns.first().map_or(0, |column| column.len());
        let mut differences = vec![Words { program: Program::of(plan), words: [0; N] }; n_rows];
        let mut at = 0;
        for (state, column) in plan.states.iter().zip(columns) {
            let Layout::Words(program) = state.monoid.layout() else {
                return Err(unexpected(&state.monoid.name(), "a heap state in a product of words"));
            };
            let n = n_words(&program);
            let bytes = word_bytes(&state.monoid.name(), column, n)?;
            for (difference, state) in differences.iter_mut().zip(bytes.chunks_exact(8 * n)) {
                for (word, bytes) in difference.words[at..at + n].iter_mut().zip(state.as_chunks().0) {
                    *word = u64::from_le_bytes(*bytes);
                }
            }
            at += n;
        }
        Ok(differences)
    }

    fn to_columns(plan: &Grouping, differences: &[Self]) -> Result<Vec<ArrayRef>, StateError> {
        let mut columns = Vec::with_capacity(plan.states.len());
        let mut at = 0;
        for state in &plan.states {
            let n = words_of(&state.monoid.layout());
            let states = differences.iter().map(|difference| &difference.words[at..at + n]);
            columns.push(word_column(&state.monoid.name(), states, n)?);
            at += n;
        }
        Ok(columns)
    }

    fn held() -> String {
        format!("up to {N} in place")
    }
}

/// A product with at least one state on the heap. Shared, so that the spine copies pointers.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct HeapProduct(Arc<Parts>);

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Parts {
    /// The word states of the product, in its order; the row count first.
    program: Program,
    words: Vec<u64>,
    /// The heap states of the product, in its order.
    heap: Vec<HeapState>,
}

impl PartialOrd for Parts {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Parts {
    fn cmp(&self, other: &Self) -> Ordering {
        (&self.words, &self.heap).cmp(&(&other.words, &other.heap))
    }
}

impl IsZero for HeapProduct {
    fn is_zero(&self) -> bool {
        self.0.words[ROW_COUNT] == 0
    }
}

impl Semigroup for HeapProduct {
    fn plus_equals(&mut self, other: &Self) {
        let parts = Arc::make_mut(&mut self.0);
        merge_words(parts.program.steps(), &mut parts.words, &other.0.words);
        for (state, other) in parts.heap.iter_mut().zip(&other.0.heap) {
            state.merge(other).expect("states of one collection are of one monoid");
        }
    }
}

impl Difference for HeapProduct {
    fn from_columns(plan: &Grouping, columns: &[ArrayRef]) -> Result<Vec<Self>, StateError> {
        let n_rows = columns.first().map_or(0, |column| column.len());
        let program = Program::of(plan);
        let mut products = vec![Parts { program, words: Vec::new(), heap: Vec::new() }; n_rows];
        for (state, column) in plan.states.iter().zip(columns) {
            let name = state.monoid.name();
            match state.monoid.layout() {
                Layout::Words(program) => {
                    let n = n_words(&program);
                    let bytes = word_bytes(&name, column, n)?;
                    for (product, state) in products.iter_mut().zip(bytes.chunks_exact(8 * n)) {
                        product
                            .words
                            .extend(state.as_chunks().0.iter().map(|word| u64::from_le_bytes(*word)));
                    }
                }
                Layout::Heap => {
                    let states = column
                        .as_binary_opt::<i32>()
                        .ok_or_else(|| unexpected(&name, "the state column is not binary"))?;
                    for (row, product) in products.iter_mut().enumerate() {
                        product.heap.push(state.monoid.heap_state(states.value(row))?);
                    }
                }
            }
        }
        Ok(products.into_iter().map(|parts| HeapProduct(Arc::new(parts))).collect())
    }

    fn to_columns(plan: &Grouping, differences: &[Self]) -> Result<Vec<ArrayRef>, StateError> {
        let mut columns: Vec<ArrayRef> = Vec::with_capacity(plan.states.len());
        let (mut at, mut n_heap) = (0, 0);
        for state in &plan.states {
            match state.monoid.layout() {
                Layout::Words(program) => {
                    let n = n_words(&program);
                    let states = differences.iter().map(|difference| &difference.0.words[at..at + n]);
                    columns.push(word_column(&state.monoid.name(), states, n)?);
                    at += n;
                }
                Layout::Heap => {
                    let mut column = BinaryBuilder::new();
                    let mut bytes = Vec::new();
                    for difference in differences {
                        bytes.clear();
                        difference.0.heap[n_heap].to_bytes(&mut bytes);
                        column.append_value(&bytes);
                    }
                    columns.push(Arc::new(column.finish()));
                    n_heap += 1;
                }
            }
        }
        Ok(columns)
    }

    fn held() -> String {
        "shared".to_owned()
    }
}

fn words_of(layout: &Layout) -> usize {
    match layout {
        Layout::Words(program) => n_words(program),
        Layout::Heap => 0,
    }
}

/// The bytes of a column of word states, without gaps.
fn word_bytes<'a>(name: &str, column: &'a ArrayRef, n: usize) -> Result<&'a [u8], StateError> {
    let states = column
        .as_fixed_size_binary_opt()
        .filter(|states| states.value_length() as usize == 8 * n && states.null_count() == 0)
        .ok_or_else(|| unexpected(name, "the state column is not of its words"))?;
    Ok(states.value_data())
}

fn word_column<'a>(
    name: &str,
    states: impl ExactSizeIterator<Item = &'a [u64]>,
    n: usize,
) -> Result<ArrayRef, StateError> {
    let mut column = FixedSizeBinaryBuilder::with_capacity(states.len(), 8 * n as i32);
    let mut bytes = Vec::with_capacity(8 * n);
    for state in states {
        bytes.clear();
        bytes.extend(state.iter().flat_map(|word| word.to_le_bytes()));
        column.append_value(&bytes).map_err(|error| unexpected(name, &error.to_string()))?;
    }
    Ok(Arc::new(column.finish()))
}

fn unexpected(monoid: &str, problem: &str) -> StateError {
    StateError { monoid: monoid.to_owned(), problem: problem.to_owned() }
}
