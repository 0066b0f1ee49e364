//! The rows of a metric with the states behind them, so that any set of rows can be read as one row.
//!
//! What SQL groups, it groups by rows: each has a number, and an output over several of them is presented from
//! their merged states. So a mean of a group is the mean of its events, never one of means. A row that is named
//! twice in a group counts once: joins that repeat it change nothing.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, TimestampMicrosecondArray, UInt32Array};
use arrow::compute::take;
use metricc_compiler::{CompileError, DerivedPlan, MetricPlan, Segment, Spread, StateForm};
use metricc_ir::{Metric, RowType, Window};

use crate::derived_metrics::{Joined, OperandRows, joined, outputs as derived_outputs};
use crate::present::{
    Outputs, columns_of, groups, presented, some_outputs, states_of_outputs, with_identity,
};
use crate::roll_up::{Form, Grouped};
use crate::typed_column::typed_column;
use crate::window_assembly::assemble;
use crate::{Presented, ReadOptions, ServeError};

/// The rows of a metric that are read, and what they present.
#[derive(Debug)]
pub struct MeasuredRows {
    row_type: RowType,
    n_rows: usize,
    of: Of,
}

/// A column of rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowColumn {
    /// `window_start`.
    WindowStart,
    /// `window_end`.
    WindowEnd,
    /// A key, by its index.
    Key(usize),
    /// An output, by its index.
    Output(usize),
}

impl RowColumn {
    /// All columns of rows of a type, in their order.
    pub fn all(row_type: &RowType) -> Vec<RowColumn> {
        let windows = [RowColumn::WindowStart, RowColumn::WindowEnd];
        let windows = windows.into_iter().filter(|_| row_type.window != Window::AllTime);
        let keys = (0..row_type.keys.len()).map(RowColumn::Key);
        windows.chain(keys).chain((0..row_type.outputs.len()).map(RowColumn::Output)).collect()
    }
}

#[derive(Debug)]
enum Of {
    /// Each row is a group of states.
    Base(BaseRows),
    /// Each row has one of each operand, or none.
    Derived {
        plan: Arc<DerivedPlan>,
        operands: Vec<BaseRows>,
        rows: Vec<OperandRows>,
        presented: Box<Presented>,
    },
}

/// The states of a base metric, a row each.
#[derive(Debug)]
struct BaseRows {
    plan: Arc<MetricPlan>,
    metric: Arc<Metric>,
    /// The form of the states, if it is not that of the plan.
    form: Option<Box<StateForm>>,
    states: RecordBatch,
}

impl BaseRows {
    fn new(plan: &Arc<MetricPlan>, grouped: Grouped<'_>) -> Result<Self, ServeError> {
        let Grouped { metric, form, states } = with_identity(grouped)?;
        let form = match form {
            Form::Planned(_) => None,
            Form::Other(form) => Some(form),
        };
        Ok(BaseRows { plan: plan.clone(), metric, form, states })
    }

    fn form(&self) -> &StateForm {
        match (&self.form, &self.plan.spread) {
            (Some(form), _) => form,
            (None, Some(Spread::Sessions { form, .. })) => form,
            (None, _) => &self.plan.form,
        }
    }

    fn grouped(&self, rows: Range<usize>) -> Grouped<'_> {
        let states = self.states.slice(rows.start, rows.len());
        Grouped { metric: self.metric.clone(), form: Form::Planned(self.form()), states }
    }

    /// Some outputs of groups: row `rows[i]` is of group `groups[i]`. No row occurs twice in a group.
    fn outputs(
        &self,
        wanted: &[usize],
        rows: &UInt32Array,
        groups: &[usize],
        n_groups: usize,
    ) -> Result<Outputs, ServeError> {
        let form = self.form();
        let mut merged: Vec<Option<ArrayRef>> = vec![None; form.monoids.len()];
        for state in states_of_outputs(&self.plan, wanted) {
            let states = self.states.column(form.n_group_columns + state);
            let states =
                take(states, rows, None).map_err(|error| CompileError::engine(&form.place, error))?;
            let mut table = form.monoids[state].groups();
            table.merge(&states, groups, n_groups)?;
            merged[state] = Some(table.emit(n_groups)?);
        }
        let unread: ArrayRef = Arc::new(UInt32Array::new_null(0));
        some_outputs(&self.plan, wanted, |state| merged[state].as_ref().unwrap_or(&unread), n_groups)
    }
}

impl MeasuredRows {
    /// The rows of a base metric over these states, by its own windows or coarser ones.
    pub(crate) fn of_base(
        plan: &Arc<MetricPlan>,
        segment: &Segment,
        options: &ReadOptions,
    ) -> Result<Self, ServeError> {
        let rows = BaseRows::new(plan, assemble(plan, &segment.states, options)?)?;
        let (row_type, n_rows) = (rows.metric.row_type(), rows.states.num_rows());
        Ok(MeasuredRows { row_type, n_rows, of: Of::Base(rows) })
    }

    /// The rows of a derived metric; `segments` has one for each operand.
    pub(crate) fn of_derived(
        plan: &Arc<DerivedPlan>,
        segments: &[&Segment],
        options: &ReadOptions,
    ) -> Result<Self, ServeError> {
        let mut kept = Vec::with_capacity(segments.len());
        let read = |index: usize, options: &ReadOptions| {
            let operand = &plan.operands[index];
            let rows = BaseRows::new(operand, assemble(operand, &segments[index].states, options)?)?;
            let presented = presented(operand, rows.grouped(0..rows.states.num_rows()), options)?;
            kept.push(rows);
            Ok(presented)
        };
        let Joined { row_type, operands, keys, windows, rows } = joined(plan, options, None, read)?;
        let all: Vec<usize> = (0..plan.outputs.len()).collect();
        let (outputs, overflow) = derived_outputs(plan, &all, &operands, &rows)?;
        let (n_rows, row_type) = (rows.len(), Arc::new(row_type));
        let presented = Presented {
            row_type: row_type.clone(),
            n_rows,
            windows,
            partial: None,
            keys,
            outputs,
            n_beside: 0,
            totals: None,
            overflow,
        };
        let of = Of::Derived { plan: plan.clone(), operands: kept, rows, presented: Box::new(presented) };
        Ok(MeasuredRows { row_type: (*row_type).clone(), n_rows, of })
    }

    /// The type of the rows.
    pub fn row_type(&self) -> &RowType {
        &self.row_type
    }

    /// Number of rows. They are numbered from 0, by window, then keys.
    pub fn n_rows(&self) -> usize {
        self.n_rows
    }

    /// Columns of some of the rows, as [`record_batch`](crate::record_batch) has them.
    ///
    /// # Errors
    /// [`ServeError`] if states are malformed.
    ///
    /// # Panics
    /// If there is no such row or column.
    pub fn columns(&self, rows: Range<usize>, wanted: &[RowColumn]) -> Result<Vec<ArrayRef>, ServeError> {
        let output =
            |column: &RowColumn| if let RowColumn::Output(output) = column { Some(*output) } else { None };
        let wanted_outputs: Vec<usize> = wanted.iter().filter_map(output).collect();
        let ((keys, windows), outputs) = match &self.of {
            Of::Base(base) => {
                let grouped = base.grouped(rows.clone());
                let states = &grouped.states.columns()[base.form().n_group_columns..];
                let n_rows = rows.len();
                (
                    groups(&grouped)?,
                    some_outputs(&base.plan, &wanted_outputs, |state| &states[state], n_rows)?.0,
                )
            }
            Of::Derived { presented, .. } => {
                let rows = presented.slice(rows.start, rows.len());
                let outputs = wanted_outputs.iter().map(|output| rows.outputs[*output].clone()).collect();
                ((rows.keys, rows.windows), outputs)
            }
        };
        let windows = windows.unwrap_or_default();
        let instants = |end: fn(&(i64, i64)) -> i64| -> ArrayRef {
            let instants = TimestampMicrosecondArray::from_iter_values(windows.iter().map(end));
            Arc::new(instants.with_timezone("UTC"))
        };
        let mut outputs = outputs.into_iter();
        let failed = |error| CompileError::engine(&self.row_type.name, error);
        let column = |column: &RowColumn| {
            let (kind, values) = match column {
                RowColumn::WindowStart => return Ok(instants(|window| window.0)),
                RowColumn::WindowEnd => return Ok(instants(|window| window.1)),
                RowColumn::Key(key) => (&self.row_type.keys[*key].ty.kind, keys[*key].clone()),
                RowColumn::Output(output) => {
                    let values =
                        outputs.next().ok_or_else(|| CompileError::form("an output", "is missing"))?;
                    (&self.row_type.outputs[*output].ty.kind, values)
                }
            };
            Ok(typed_column(kind, &values).map_err(failed)?)
        };
        wanted.iter().map(column).collect()
    }

    /// An output of groups of rows, as a column of [`record_batch`](crate::record_batch): row `rows[i]` is of
    /// group `groups[i]`, and the output of a group is that of the merged states of its rows. Groups without
    /// rows have the output of no events.
    ///
    /// # Errors
    /// [`ServeError`] if states are malformed.
    ///
    /// # Panics
    /// If there is no such row, output or group.
    pub fn measure(
        &self,
        output: usize,
        rows: &[u32],
        groups: &[usize],
        n_groups: usize,
    ) -> Result<ArrayRef, ServeError> {
        let once = once_a_group(rows, groups);
        let column = match &self.of {
            Of::Base(base) => {
                let (rows, groups) = match &once {
                    Some((rows, groups)) => (Cow::Borrowed(&rows[..]), &groups[..]),
                    None => (Cow::Borrowed(rows), groups),
                };
                let rows = UInt32Array::from(rows.into_owned());
                base.outputs(&[output], &rows, groups, n_groups)?.0.remove(0)
            }
            Of::Derived { plan, operands, rows: of_operands, .. } => {
                let named = (rows, groups, n_groups);
                derived_measure(plan, operands, of_operands, output, named)?
            }
        };
        let kind = &self.row_type.outputs[output].ty.kind;
        typed_column(kind, &column).map_err(|error| CompileError::engine(&self.row_type.name, error).into())
    }
}

/// An output of a derived metric over groups of its rows: each operand is merged over its rows, each once.
fn derived_measure(
    plan: &DerivedPlan,
    operands: &[BaseRows],
    of_operands: &[OperandRows],
    output: usize,
    (rows, groups, n_groups): (&[u32], &[usize], usize),
) -> Result<ArrayRef, ServeError> {
    let read = columns_of(std::iter::once(&plan.derived.outputs[output].expr));
    let mut presented = Vec::with_capacity(operands.len());
    for (operand, base) in operands.iter().enumerate() {
        let columns = read.iter().map(|column| &plan.derived.columns[*column]);
        let mut wanted: Vec<usize> =
            columns.filter(|column| column.operand == operand).map(|column| column.output).collect();
        wanted.sort_unstable();
        wanted.dedup();
        let mut found = Presented::empty(base.metric.row_type());
        if !wanted.is_empty() {
            let pairs = rows.iter().zip(groups);
            let pairs = pairs.filter_map(|(row, group)| Some((*group, of_operands[*row as usize][operand]?)));
            let mut pairs: Vec<(usize, u32)> = pairs.collect();
            pairs.sort_unstable();
            pairs.dedup();
            let (groups, rows): (Vec<usize>, Vec<u32>) = pairs.into_iter().unzip();
            let (outputs, overflow) = base.outputs(&wanted, &rows.into(), &groups, n_groups)?;
            found.n_rows = n_groups;
            for ((output, column), overflow) in wanted.into_iter().zip(outputs).zip(overflow) {
                (found.outputs[output], found.overflow[output]) = (column, overflow);
            }
        }
        presented.push(found);
    }
    let all = |group: usize| vec![u32::try_from(group).ok(); operands.len()];
    let rows: Vec<OperandRows> = (0..n_groups).map(all).collect();
    Ok(derived_outputs(plan, &[output], &presented, &rows)?.0.remove(0))
}

/// The same rows, each once a group; `None` if they are so already. Rows of a group that ascend are.
fn once_a_group(rows: &[u32], groups: &[usize]) -> Option<(Vec<u32>, Vec<usize>)> {
    let n_groups = groups.iter().max().map_or(0, |last| last + 1);
    let mut next = vec![0_u32; n_groups];
    let ascend = rows.iter().zip(groups).all(|(row, group)| {
        let is_next = *row >= next[*group];
        next[*group] = row.saturating_add(1);
        is_next
    });
    if ascend {
        return None;
    }
    let mut pairs: Vec<(usize, u32)> = groups.iter().copied().zip(rows.iter().copied()).collect();
    pairs.sort_unstable();
    pairs.dedup();
    let (groups, rows) = pairs.into_iter().unzip();
    Some((rows, groups))
}
