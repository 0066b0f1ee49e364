//! A state of a metric before its expressions are columns: a monoid, its arguments and its filter.

use std::sync::Arc;

use arrow::datatypes::DataType;
use metricc_algebra::Monoid;
use metricc_ir as ir;
use metricc_log::POSITION_TYPE;

use crate::scalar;

/// Index of the row count among the states of every product, and of its one word among the words of the
/// product.
///
/// A group exists while its row count is not zero, even if all its other states cancel: the stream drops a
/// group for this reason alone. [`Grouping`](crate::Grouping) checks that the row count is there, and the
/// stream's differences read it from there.
pub const ROW_COUNT: usize = 0;

/// The monoid over the rows that pass the filter.
#[derive(Debug, Clone)]
pub(crate) struct State<'a> {
    pub(crate) monoid: Arc<dyn Monoid>,
    pub(crate) args: Vec<Arg<'a>>,
    pub(crate) filter: Option<&'a ir::Expr>,
}

/// One column that a monoid takes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Arg<'a> {
    /// A value of the row.
    Value(&'a ir::Expr),
    /// Event time, as a timestamp; for a date, its midnight in UTC.
    Time,
    /// Position in the order of the log; each row that `each` makes of an event has its own.
    Position,
}

impl Arg<'_> {
    pub(crate) fn data_type(&self) -> DataType {
        match self {
            Arg::Value(expr) => scalar::data_type(&expr.ty.kind),
            Arg::Time => scalar::data_type(&ir::Kind::Timestamp),
            Arg::Position => POSITION_TYPE,
        }
    }
}

impl State<'_> {
    /// Whether both hold the same states over the same rows.
    fn is_same(&self, other: &State<'_>) -> bool {
        let identity = |state: &State<'_>| (state.monoid.name(), state.monoid.version());
        (&self.args, self.filter) == (&other.args, other.filter) && identity(self) == identity(other)
    }
}

/// Index of a state among the distinct ones, if it is one of them.
pub(crate) fn position_of(states: &[State<'_>], state: &State<'_>) -> Option<usize> {
    states.iter().position(|known| known.is_same(state))
}

/// Index of a state among the distinct ones; a new state is added.
pub(crate) fn index_of<'a>(states: &mut Vec<State<'a>>, state: State<'a>) -> usize {
    position_of(states, &state).unwrap_or_else(|| {
        states.push(state);
        states.len() - 1
    })
}
