//! The monoids: the state of every aggregate, and the only place where its arithmetic is written.
//!
//! A [`Monoid`] is associative and commutative **to the bit**: any bracketing, any order, any
//! grouping into batches gives the same bytes. The batch engine wraps [`Groups`] as its accumulator,
//! the stream engine uses it to pre-combine a micro-batch and merges the same states as the
//! difference of a collection, serving uses `merge` and `present`. This crate knows Arrow arrays; it
//! knows no engine.
//!
//! States come in two layouts, [`Layout`]:
//! - **words**: a fixed number of 64-bit words merged by a short program of [`WordOp`]s
//!   ([`merge_words`]); heap-free, so millions of keys stay cheap;
//! - **heap**: a [`HeapState`] of varying size (sets, sketches, exact float sums).
//!
//! Invariants:
//! - The canonical form of a state is one value of one Arrow column (`FixedSizeBinary(8·words)` or
//!   `Binary`): equal states have equal bytes, however they were computed.
//! - Merging words never overflows: the widths leave room for 2⁶³ rows of the largest input.
//! - Argument floats are finite and never -0.0 (the decoder ensures it).

use std::fmt;

use arrow::array::{ArrayRef, BooleanArray};
use arrow::datatypes::DataType;
use serde::{Deserialize, Serialize};

mod aggregates;
mod argument_column;
mod cells;
mod heap;
mod heap_groups;
mod heap_monoids;
pub mod law_kit;
mod list_values;
mod moments;
mod ordered_words;
mod overflow;
mod rounding;
mod scalar;
mod sessions;
mod states;
mod user_defined;
mod values;
mod word_groups;
mod word_monoids;
mod word_program;

pub(crate) use aggregates::MAX_WIDTH;
pub use aggregates::{MAX_BUCKETS, MAX_STEPS, monoid};
pub use cells::{CellBuilder, Cells};
pub use heap::HeapState;
pub use overflow::{beyond_type, may_be_beyond};
pub use rounding::{ratio_i128_to_f64, ratio_to_f64};
pub use scalar::hash64;
pub use sessions::{Exploded, SessionPart, SessionState, Sessions};
pub use states::{
    ArgExtreme, CountMin, DecimalSet, Exact, ExactSum, ExactSumOfCubes, ExactSumOfFourths, ExactSumOfSquares,
    FloatMean, FloatMoments, FloatPairs, FloatPowers, Histogram, HyperLogLog, ItemSum, Keyed, LogBuckets,
    Periods, SortedSet, Steps, TextExtreme, TextSet, ValueCount, WideSum, WordSet, WordValueCounts,
};
pub use user_defined::{FloatSum, UserState, user_defined_monoid};
pub use values::{ValueBytes, value_bytes};
pub use word_program::{merge_words, n_words};

/// Properties of a monoid, beyond being associative and commutative.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Laws {
    /// `a ⊕ a = a`: duplicates change nothing.
    pub idempotent: bool,
    /// There is an inverse: a deletion can be expressed.
    pub invertible: bool,
    /// How exact the presented value is.
    pub exactness: Exactness,
    /// How large a state becomes.
    pub size: Size,
}

/// What a presented value is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exactness {
    /// Exact, or correctly rounded from an exact state.
    Exact,
    /// Relative standard error, in millionths.
    StandardError(u32),
    /// Guaranteed relative error, in millionths.
    RelativeError(u32),
    /// Never too low, and too high by at most this share of all rows, in millionths, but for a chance of 1 %.
    ShareOfRows(u32),
}

/// How large a state becomes, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Size {
    /// Always this many.
    Fixed(usize),
    /// Never more than this.
    Bounded(usize),
    /// Unbounded: what it grows with, and by about how much.
    Growing(Growth),
}

/// What a variable-size state grows with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Growth {
    /// Canonical bytes for each of them. None where it is unknown.
    pub bytes: Option<usize>,
    /// Whether a text, of any length, is added to these.
    pub texts: bool,
    /// Of what, such as `distinct value`.
    pub per: &'static str,
}

/// How a state is laid out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Layout {
    /// Words, merged by this program.
    Words(Vec<WordOp>),
    /// One heap value.
    Heap,
}

/// One step of a word program: how the next few words of two states become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum WordOp {
    /// Two's complement addition over this many words (1 to 5), least significant first.
    Add(u8),
    /// The greater of two unsigned integers of this many words (1 to 4), most significant first.
    /// Minima are held complemented, absence as all zero, so this one step serves all of them.
    Max(u8),
    /// The bits that either has, of this many words.
    Or(u8),
    /// The bits that one of them has and the other has not, of this many words.
    Xor(u8),
}

/// A malformed state, or an input of another type than declared.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{monoid}: {problem}")]
pub struct StateError {
    /// [`Monoid::name`].
    pub monoid: String,
    /// What does not fit.
    pub problem: String,
}

impl StateError {
    fn new(monoid: &str, problem: impl Into<String>) -> Self {
        StateError { monoid: monoid.to_owned(), problem: problem.into() }
    }
}

/// The result of this crate.
pub type Result<T> = std::result::Result<T, StateError>;

/// A result inside one monoid; the caller adds the monoid's name to the error.
type Checked<T> = std::result::Result<T, &'static str>;

/// The description of a monoid.
#[derive(Debug, Clone)]
struct Description {
    name: String,
    version: u32,
    laws: Laws,
    inputs: Vec<DataType>,
    presented: DataType,
}

/// One aggregate's monoid: lift, merge, canonical state, present.
pub trait Monoid: fmt::Debug + Send + Sync {
    /// Name with the parameters that decide the state, such as `sum(decimal(12, 2))` or `hll(p=14)`.
    fn name(&self) -> String;
    /// Version of the state's format; part of the metric hash.
    fn version(&self) -> u32;
    /// Laws beyond the common ones.
    fn laws(&self) -> Laws;
    /// Words or heap.
    fn layout(&self) -> Layout;
    /// Types of the argument columns; `count` has no argument.
    fn inputs(&self) -> &[DataType];
    /// Type of the presented column.
    fn presented(&self) -> DataType;
    /// The identity's canonical bytes.
    fn identity(&self) -> Vec<u8>;
    /// A fresh set of groups.
    fn groups(&self) -> Box<dyn Groups>;
    /// Canonical states (a column of [`Monoid::state_type`]) → presented values, row by row.
    fn present(&self, states: &ArrayRef) -> Result<ArrayRef>;
    /// One heap state from its canonical bytes. Errors for word layouts, and for bytes that are not
    /// canonical.
    fn heap_state(&self, bytes: &[u8]) -> Result<HeapState>;

    /// How many of the arguments, the first ones, have to be there for a row to count: all, but of sessions.
    fn n_required(&self) -> usize {
        self.inputs().len()
    }
    /// Type of the canonical state column.
    fn state_type(&self) -> DataType {
        match self.layout() {
            Layout::Words(program) => DataType::FixedSizeBinary(8 * n_words(&program) as i32),
            Layout::Heap => DataType::Binary,
        }
    }
}

/// Vectorised states of many groups. Groups are dense numbers from 0; groups that were never lifted
/// into hold the identity. After an error their states are not to be used.
pub trait Groups: Send {
    /// Adds rows: row `i` of `args` (empty for `count`) goes to group `groups[i]`. Rows where a
    /// [required](Monoid::n_required) argument is null, or `filter` is not true, are skipped. Every group
    /// number is `< n_groups`.
    fn lift(
        &mut self,
        args: &[ArrayRef],
        groups: &[usize],
        filter: Option<&BooleanArray>,
        n_groups: usize,
    ) -> Result<()>;
    /// Merges canonical states: row `i` of `states` into group `groups[i]`.
    fn merge(&mut self, states: &ArrayRef, groups: &[usize], n_groups: usize) -> Result<()>;
    /// Takes the canonical states of the first `n` groups out; the others move to the front.
    fn emit(&mut self, n: usize) -> Result<ArrayRef>;
    /// Heap and inline bytes in use.
    fn size(&self) -> usize;
}
