//! What could not be computed, beside the rows of an answer.
//!
//! An aggregate is none for a group if a row of it left its type, or if the result itself does. That is not
//! the none of a group without values, so an answer says which outputs depend on such an aggregate, and how
//! many events it lost.

use std::fmt;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Int64Array, UInt32Array};
use arrow::compute::{concat, filter, nullif, take};
use arrow::datatypes::Int64Type;
use arrow::error::ArrowError;
use metricc_algebra::{beyond_type, may_be_beyond};
use metricc_compiler::{CompileError, DerivedPlan, MetricPlan, PlannedAggregate};
use metricc_ir::{AggregateOp, Expr, RowType};

use crate::{Presented, ServeError};

/// For each row the number of events that could not be computed; 0 where all could, and the result has no
/// place in its type; null where nothing is amiss.
pub type Overflow = Int64Array;

/// An output of which some rows depend on what could not be computed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OverflowSummary {
    /// The metric.
    pub metric: String,
    /// The output; `value` is a plain one.
    pub output: String,
    /// Rows of the answer.
    pub n_rows: usize,
    /// Events that left their types, of all these rows.
    pub n_events: i64,
}

impl fmt::Display for OverflowSummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let OverflowSummary { metric, output, n_rows, n_events } = self;
        let output = if output == "value" { String::new() } else { format!(".{output}") };
        let rows = if *n_rows == 1 { "row" } else { "rows" };
        write!(f, "`{metric}{output}`: {n_rows} {rows} could not be computed: ")?;
        match n_events {
            0 => f.write_str("the result has no place in its type"),
            1 => f.write_str("an expression over 1 event has no place in its type"),
            n => write!(f, "expressions over {n} events have no place in their types"),
        }
    }
}

impl Presented {
    /// The outputs that depend on what could not be computed.
    pub fn overflows(&self) -> Vec<OverflowSummary> {
        let mut sum = OverflowSum::default();
        sum.add(self);
        sum.summaries(&self.row_type)
    }

    /// The same as a JSON object,
    /// `{"s":{"rows":1,"events":2}}`, for forms that have rows alone; `None`: nothing is amiss.
    pub fn overflow_json(&self) -> Option<String> {
        let mut sum = OverflowSum::default();
        sum.add(self);
        sum.json(&self.row_type)
    }

    /// What is amiss with an output in a row.
    pub(crate) fn overflow_at(&self, output: usize, row: usize) -> Option<i64> {
        let overflow = self.overflow.get(output)?.as_ref()?;
        overflow.is_valid(row).then(|| overflow.value(row))
    }
}

/// For each output of a metric, whether some of its rows may depend on what could not be computed.
pub(crate) fn may_overflow(plan: &MetricPlan) -> Vec<bool> {
    let may_be = |aggregate: usize| {
        let lost = plan.aggregates.get(aggregate).is_some_and(|aggregate| aggregate.lost.is_some());
        lost || plan.metric.aggregates.get(aggregate).is_some_and(|aggregate| may_be_beyond(&aggregate.op))
    };
    plan.metric.outputs.iter().map(|output| output.expr.columns().into_iter().any(may_be)).collect()
}

/// The same of a derived metric.
pub(crate) fn derived_may_overflow(plan: &DerivedPlan) -> Vec<bool> {
    let operands: Vec<Vec<bool>> = plan.operands.iter().map(|operand| may_overflow(operand)).collect();
    let may_be = |column: usize| {
        let column = plan.derived.columns.get(column);
        column.is_some_and(|column| operands[column.operand][column.output])
    };
    plan.derived.outputs.iter().map(|output| output.expr.columns().into_iter().any(may_be)).collect()
}

/// What could not be computed of an answer, summed over its pieces: for each output rows and events.
#[derive(Debug, Default, Clone)]
pub struct OverflowSum(Vec<(usize, i64)>);

impl OverflowSum {
    /// Adds what could not be computed of a piece.
    pub fn add(&mut self, piece: &Presented) {
        self.0.resize(self.0.len().max(piece.overflow.len()), (0, 0));
        for (sum, overflow) in self.0.iter_mut().zip(&piece.overflow) {
            let Some(overflow) = overflow else { continue };
            sum.0 += overflow.len() - overflow.null_count();
            sum.1 = overflow.iter().flatten().fold(sum.1, i64::saturating_add);
        }
    }

    /// The outputs of a metric that depend on what could not be computed.
    pub fn summaries(&self, row_type: &RowType) -> Vec<OverflowSummary> {
        let outputs = row_type.output_names().zip(&self.0).filter(|(_, (n_rows, _))| *n_rows > 0);
        let summary = |(output, &(n_rows, n_events)): (&str, &(usize, i64))| {
            let (metric, output) = (row_type.name.clone(), output.to_owned());
            OverflowSummary { metric, output, n_rows, n_events }
        };
        outputs.map(summary).collect()
    }

    /// As [`Presented::overflow_json`].
    pub(crate) fn json(&self, row_type: &RowType) -> Option<String> {
        let summaries = self.summaries(row_type).into_iter();
        let members = summaries.map(|OverflowSummary { output, n_rows, n_events, .. }| {
            format!("\"{output}\":{{\"rows\":{n_rows},\"events\":{n_events}}}")
        });
        let members: Vec<String> = members.collect();
        (!members.is_empty()).then(|| format!("{{{}}}", members.join(",")))
    }
}

/// A presented aggregate, none where it could not be computed, and where that is.
pub(crate) fn presented<'a>(
    plan: &MetricPlan,
    index: usize,
    state_at: impl Fn(usize) -> &'a ArrayRef,
) -> Result<(ArrayRef, Option<Overflow>), ServeError> {
    let PlannedAggregate { monoid, state, lost } = &plan.aggregates[index];
    let op: &AggregateOp = &plan.metric.aggregates[index].op;
    let states_of = state_at(*state);
    let values = monoid.present(states_of)?;
    let beyond = beyond_type(op, states_of, &values);
    let n_lost = match lost {
        Some(lost) => Some(plan.form.monoids[metricc_compiler::ROW_COUNT].present(state_at(*lost))?),
        None => None,
    };
    let lost = |row: usize| n_lost.as_ref().map_or(0, |counts| counts.as_primitive::<Int64Type>().value(row));
    let overflow: Overflow = (0..values.len())
        .map(|row| match lost(row) {
            0 => beyond.as_ref().filter(|beyond| beyond.value(row)).map(|_| 0),
            n => Some(n),
        })
        .collect();
    if overflow.null_count() == overflow.len() {
        return Ok((values, None));
    }
    let is_lost = BooleanArray::from_iter((0..overflow.len()).map(|row| Some(overflow.is_valid(row))));
    let values = nullif(&values, &is_lost).map_err(|error| CompileError::engine(&plan.metric.name, error))?;
    Ok((values, Some(overflow)))
}

/// Of an output, from those of the columns that it reads: most events of one of them, which may be the same
/// ones.
pub(crate) fn of_output(expr: &Expr, columns: &[Option<Overflow>]) -> Option<Overflow> {
    let read: Vec<&Overflow> =
        expr.columns().into_iter().filter_map(|column| columns.get(column)?.as_ref()).collect();
    let n_rows = read.first()?.len();
    let most =
        |row: usize| read.iter().filter(|column| column.is_valid(row)).map(|column| column.value(row)).max();
    Some((0..n_rows).map(most).collect())
}

/// Some of the rows.
pub(crate) fn filtered(
    overflow: &[Option<Overflow>],
    flags: &BooleanArray,
) -> Result<Vec<Option<Overflow>>, ArrowError> {
    let filtered = |column: &Option<Overflow>| match column {
        Some(column) => Ok(Some(filter(column, flags)?.as_primitive::<Int64Type>().clone())),
        None => Ok(None),
    };
    overflow.iter().map(filtered).collect()
}

/// The rows of pieces, one after the other: for each the number of its rows, and what is amiss there.
pub(crate) fn joined(pieces: &[(usize, Option<&Overflow>)]) -> Result<Option<Overflow>, ArrowError> {
    if pieces.iter().all(|(_, piece)| piece.is_none()) {
        return Ok(None);
    }
    let filled: Vec<Overflow> = pieces
        .iter()
        .map(|(n_rows, piece)| piece.cloned().unwrap_or_else(|| Overflow::new_null(*n_rows)))
        .collect();
    let columns: Vec<&dyn Array> = filled.iter().map(|column| column as &dyn Array).collect();
    Ok(Some(concat(&columns)?.as_primitive::<Int64Type>().clone()))
}

/// The rows of these indices; the index after the last row is one in which nothing is amiss.
pub(crate) fn taken(overflow: &Option<Overflow>, rows: &UInt32Array) -> Result<Option<Overflow>, ArrowError> {
    let Some(column) = overflow else { return Ok(None) };
    let extended = concat(&[column, &Overflow::new_null(1)])?;
    Ok(Some(take(&extended, rows, None)?.as_primitive::<Int64Type>().clone()))
}
