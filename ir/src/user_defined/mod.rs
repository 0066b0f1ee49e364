//! User-defined functions and aggregates, which metrics in Rust and in `.metric` files import.
//!
//! A function is total and depends on its arguments alone; `#[scalar]` makes one from a Rust function. An
//! aggregate is a [`Monoid`]: a [`State`] that merges associatively and commutatively to the byte, how a row
//! is added to it, and what is presented. The same code runs in batch, in the stream and where segments are
//! merged.
//!
//! The engines see both with their types erased ([`Function`], [`Aggregate`]); a program registers them in
//! [`Imports`].

use std::any::Any;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

mod blocks;
pub mod cell;
mod value;

pub use blocks::{Bits, Greatest, Least, Sum};
pub use cell::Cell;
pub use value::{Arguments, Value};

/// A scalar function, as the engines see it. `#[scalar]` writes the implementation.
pub trait Function: fmt::Debug + Send + Sync {
    /// Name in the language.
    fn name(&self) -> &'static str;
    /// Part of the metric's hash: change it when the function's meaning changes.
    fn version(&self) -> u32;
    /// Types of the arguments in the language.
    fn arguments(&self) -> &'static [&'static str];
    /// Type of the result in the language.
    fn result(&self) -> &'static str;
    /// The name of the Rust type, which distinguishes two of one name.
    fn type_name(&self) -> &'static str {
        std::any::type_name::<Self>()
    }
    /// Calls `result` with the result, which depends on the arguments alone.
    fn call(&self, arguments: &[Cell<'_>], result: &mut dyn FnMut(Cell<'_>));
}

/// The result of an imported function in the closure of a metric.
pub trait Typed {
    /// The type in a closure, with the language's functions as methods.
    type Row;
}

/// Declared properties of a state, beyond being associative and commutative. The law kit tests [`Monoid`]s
/// for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Laws {
    /// `a ⊕ a = a`: duplicates change nothing.
    pub idempotent: bool,
    /// There is an inverse: a deletion can be expressed.
    pub invertible: bool,
    /// Maximum bytes of an encoded state; `None` for a variable-size state.
    pub max_bytes: Option<usize>,
    /// The relative error of the presented value, in millionths; `None` if it is exact.
    pub error_ppm: Option<u32>,
}

impl Laws {
    /// The laws of a product: what holds for both.
    pub const fn and(self, other: Laws) -> Laws {
        let max_bytes = match (self.max_bytes, other.max_bytes) {
            (Some(own), Some(other)) => Some(own + other),
            _ => None,
        };
        let error_ppm = match (self.error_ppm, other.error_ppm) {
            (Some(own), Some(other)) => Some(if own > other { own } else { other }),
            (own, None) => own,
            (None, other) => other,
        };
        Laws {
            idempotent: self.idempotent && other.idempotent,
            invertible: self.invertible && other.invertible,
            max_bytes,
            error_ppm,
        }
    }

    /// The laws of a state without parts.
    pub const NONE: Laws = Laws { idempotent: true, invertible: true, max_bytes: Some(0), error_ppm: None };
}

/// A state that merges. `#[derive(State)]` implements it for a struct whose fields are states.
///
/// `combine` is associative and commutative to the byte, with `Default` as its identity; `encode` is
/// canonical: equal states have equal bytes, and `decode` accepts no other bytes. The law kit tests all of
/// it.
pub trait State: Default + Clone + fmt::Debug + Send + Sync + 'static {
    /// Its other properties.
    const LAWS: Laws;
    /// `self ⊕= other`.
    fn combine(&mut self, other: &Self);
    /// Appends the canonical bytes, which are self-delimiting.
    fn encode(&self, out: &mut Vec<u8>);
    /// Reads what [`State::encode`] wrote from the front of `bytes`, and advances it; `None` for other bytes.
    fn decode(bytes: &mut &[u8]) -> Option<Self>;
    /// Bytes in use, inline and on the heap.
    fn size(&self) -> usize {
        size_of::<Self>()
    }
}

/// A user-defined aggregate. `#[monoid]` on the implementation lets metrics import it.
///
/// ```
/// use metricc_ir::user_defined::{Bits, Monoid, State};
///
/// /// Which weekdays somebody was seen on: one bit each.
/// #[derive(Debug)]
/// struct Weekdays;
///
/// impl Monoid for Weekdays {
///     type Input = i64;
///     type State = Bits<1>;
///     type Output = i64;
///     const NAME: &'static str = "weekdays";
///
///     fn lift(state: &mut Bits<1>, weekday: i64) {
///         state.set(usize::try_from(weekday).unwrap_or(0));
///     }
///     fn present(state: &Bits<1>) -> i64 {
///         i64::from(state.n_set())
///     }
/// }
///
/// let mut monday = Bits::default();
/// Weekdays::lift(&mut monday, 1);
/// let mut both = monday.clone();
/// Weekdays::lift(&mut both, 2);
/// monday.combine(&both);
/// assert_eq!(Weekdays::present(&monday), 2);
/// ```
pub trait Monoid: fmt::Debug + Send + Sync + 'static {
    /// The arguments: one [`Value`], or a tuple of them.
    type Input: Arguments;
    /// The state.
    type State: State;
    /// The type of the presented value.
    type Output: Value;
    /// Name in the language.
    const NAME: &'static str;
    /// Version of the state's bytes and their meaning. It is part of a metric's hash; states of different
    /// versions never merge.
    const VERSION: u32 = 1;
    /// Properties of the state; by default those of its parts.
    const LAWS: Laws = <Self::State as State>::LAWS;

    /// Adds a row to a state: `state ⊕= the state of this row`.
    fn lift(state: &mut Self::State, input: Self::Input);
    /// The value of a state.
    fn present(state: &Self::State) -> Self::Output;
}

/// A state of an [`Aggregate`] without its type.
pub trait AnyState: Any + fmt::Debug + Send {
    /// `self`, for downcasts.
    fn as_any(&self) -> &dyn Any;
    /// `self`, for downcasts.
    fn as_any_mut(&mut self) -> &mut dyn Any;
    /// `self ⊕= other`; false if `other` is a state of another aggregate.
    fn combine(&mut self, other: &dyn AnyState) -> bool;
    /// Appends the canonical bytes.
    fn encode(&self, out: &mut Vec<u8>);
    /// Bytes in use.
    fn size(&self) -> usize;
}

impl<S: State> AnyState for S {
    fn as_any(&self) -> &dyn Any {
        self
    }
    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }
    fn combine(&mut self, other: &dyn AnyState) -> bool {
        let other = other.as_any().downcast_ref::<S>();
        other.map(|other| State::combine(self, other)).is_some()
    }
    fn encode(&self, out: &mut Vec<u8>) {
        State::encode(self, out);
    }
    fn size(&self) -> usize {
        State::size(self)
    }
}

/// A [`Monoid`] with its types erased, as the engines see it.
pub trait Aggregate: fmt::Debug + Send + Sync {
    /// [`Monoid::NAME`].
    fn name(&self) -> &'static str;
    /// [`Monoid::VERSION`].
    fn version(&self) -> u32;
    /// [`Monoid::LAWS`].
    fn laws(&self) -> Laws;
    /// Types of the arguments in the language.
    fn arguments(&self) -> &'static [&'static str];
    /// Type of the result in the language.
    fn result(&self) -> &'static str;
    /// The name of the Rust type, which distinguishes two of one name.
    fn type_name(&self) -> &'static str {
        std::any::type_name::<Self>()
    }
    /// The state of no rows.
    fn identity(&self) -> Box<dyn AnyState>;
    /// Adds a row; false if the arguments are of other types.
    fn lift(&self, state: &mut dyn AnyState, arguments: &[Cell<'_>]) -> bool;
    /// Reads a state; `None` for bytes that are not canonical.
    fn decode(&self, bytes: &[u8]) -> Option<Box<dyn AnyState>>;
    /// Calls `result` with the value of a state; false for a state of another aggregate.
    fn present(&self, state: &dyn AnyState, result: &mut dyn FnMut(Cell<'_>)) -> bool;
}

/// A [`Monoid`] as an [`Aggregate`].
pub struct Erased<M>(PhantomData<fn() -> M>);

impl<M> Default for Erased<M> {
    fn default() -> Self {
        Erased(PhantomData)
    }
}

impl<M: Monoid> fmt::Debug for Erased<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(M::NAME)
    }
}

impl<M: Monoid> Aggregate for Erased<M> {
    fn name(&self) -> &'static str {
        M::NAME
    }
    fn version(&self) -> u32 {
        M::VERSION
    }
    fn laws(&self) -> Laws {
        M::LAWS
    }
    fn arguments(&self) -> &'static [&'static str] {
        M::Input::TYPES
    }
    fn result(&self) -> &'static str {
        M::Output::TYPE
    }
    fn identity(&self) -> Box<dyn AnyState> {
        Box::new(M::State::default())
    }
    fn lift(&self, state: &mut dyn AnyState, arguments: &[Cell<'_>]) -> bool {
        match (state.as_any_mut().downcast_mut::<M::State>(), M::Input::from_cells(arguments)) {
            (Some(state), Some(input)) => {
                M::lift(state, input);
                true
            }
            _ => false,
        }
    }
    fn decode(&self, mut bytes: &[u8]) -> Option<Box<dyn AnyState>> {
        let state = M::State::decode(&mut bytes)?;
        bytes.is_empty().then(|| Box::new(state) as Box<dyn AnyState>)
    }
    fn present(&self, state: &dyn AnyState, result: &mut dyn FnMut(Cell<'_>)) -> bool {
        let state = state.as_any().downcast_ref::<M::State>();
        state.map(|state| result(M::present(state).to_cell())).is_some()
    }
}

/// The functions and aggregates that a program provides for the imports of its metrics.
#[derive(Debug, Clone, Default)]
pub struct Imports {
    functions: Vec<Arc<dyn Function>>,
    aggregates: Vec<Arc<dyn Aggregate>>,
}

impl Imports {
    /// Without any.
    pub fn new() -> Self {
        Imports::default()
    }

    /// Adds a function; for `#[scalar] fn distance`, that is `distance::Import`.
    #[must_use]
    pub fn function(mut self, function: impl Function + 'static) -> Self {
        self.functions.push(Arc::new(function));
        self
    }

    /// Adds an aggregate.
    #[must_use]
    pub fn aggregate<M: Monoid>(mut self, _: M) -> Self {
        self.aggregates.push(Arc::new(Erased::<M>::default()));
        self
    }

    /// Adds all of `others`.
    ///
    /// # Panics
    /// If both have different functions or aggregates of one name.
    #[must_use]
    pub fn with(mut self, others: Imports) -> Self {
        let is_new = |name: &str, known: Option<&'static str>, other: &'static str| {
            assert!(
                known.is_none_or(|known| known == other),
                "`{name}` is brought as {known:?} and as {other:?}"
            );
            known.is_none()
        };
        for other in others.functions {
            let known = self.function_named(other.name()).map(|known| known.type_name());
            if is_new(other.name(), known, other.type_name()) {
                self.functions.push(other);
            }
        }
        for other in others.aggregates {
            let known = self.aggregate_named(other.name()).map(|known| known.type_name());
            if is_new(other.name(), known, other.type_name()) {
                self.aggregates.push(other);
            }
        }
        self
    }

    /// The function of this name, if there is one.
    pub fn function_named(&self, name: &str) -> Option<&Arc<dyn Function>> {
        self.functions.iter().find(|function| function.name() == name)
    }

    /// The aggregate of this name, if there is one.
    pub fn aggregate_named(&self, name: &str) -> Option<&Arc<dyn Aggregate>> {
        self.aggregates.iter().find(|aggregate| aggregate.name() == name)
    }
}
