//! States to presented rows.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, BinaryArray, BooleanArray, FixedSizeBinaryArray, RecordBatch, RecordBatchOptions,
    UInt32Array, new_null_array,
};
use arrow::compute::{concat, filter, take};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use metricc_algebra::Monoid;
use metricc_compiler::scalar::{WindowRule, data_type};
use metricc_compiler::{CompileError, MetricPlan, Segment, SegmentError, Spread, StateForm};
use metricc_ir as ir;
use metricc_ir::calendar::ZoneRules;

use crate::overflow::{self, Overflow};
use crate::range::zone_of;
use crate::roll_up::{Grouped, starts};
use crate::total_rows::TotalRows;
use crate::window_assembly::assemble;
use crate::{ReadOptions, ServeError};

/// The presented rows of one metric, sorted by window, then keys. All columns have one length.
#[derive(Debug, Clone)]
pub struct Presented {
    /// The metric, with the windows of these rows.
    pub row_type: Arc<ir::RowType>,
    /// Number of rows.
    pub n_rows: usize,
    /// Start and end of each row's window, µs; `None` for a metric of all time.
    pub windows: Option<Vec<(i64, i64)>>,
    /// Whether each window lacks some of the metric's windows, since the range of the request leaves them
    /// out; `None` if no range can cut a window.
    pub partial: Option<Vec<bool>>,
    /// One column per key of the metric.
    pub keys: Vec<ArrayRef>,
    /// One column per output: those of the metric, then those beside them that the request asks for.
    pub outputs: Vec<ArrayRef>,
    /// How many of the outputs the request asks for.
    pub n_beside: usize,
    /// Which rows are totals, if the request asks for them.
    pub totals: Option<TotalRows>,
    /// For each output, the rows that depend on what could not be computed; `None`: no row does.
    pub overflow: Vec<Option<Overflow>>,
}

impl Presented {
    /// No rows of these types.
    pub(crate) fn empty(row_type: ir::RowType) -> Self {
        let column = |ty: &ir::Type| arrow::array::new_empty_array(&data_type(&ty.kind));
        Presented {
            n_rows: 0,
            windows: (row_type.window != ir::Window::AllTime).then(Vec::new),
            partial: None,
            keys: row_type.keys.iter().map(|key| column(&key.ty)).collect(),
            outputs: row_type.outputs.iter().map(|output| column(&output.ty)).collect(),
            n_beside: 0,
            totals: None,
            overflow: vec![None; row_type.outputs.len()],
            row_type: Arc::new(row_type),
        }
    }

    /// The time zone of the windows' instants: that of the metric's calendar; `None` is UTC.
    pub(crate) fn window_zone(&self) -> Option<ZoneRules> {
        zone_of(&self.row_type.window)
    }

    /// `n` rows from a row on.
    pub(crate) fn slice(&self, from: usize, n: usize) -> Self {
        let columns = |columns: &[ArrayRef]| columns.iter().map(|column| column.slice(from, n)).collect();
        Presented {
            row_type: self.row_type.clone(),
            n_rows: n,
            windows: self.windows.as_ref().map(|windows| windows[from..from + n].to_vec()),
            partial: self.partial.as_ref().map(|partial| partial[from..from + n].to_vec()),
            keys: columns(&self.keys),
            outputs: columns(&self.outputs),
            n_beside: self.n_beside,
            totals: self.totals.as_ref().map(|totals| totals.of_rows(from..from + n)),
            overflow: self
                .overflow
                .iter()
                .map(|column| column.as_ref().map(|column| column.slice(from, n)))
                .collect(),
        }
    }

    /// The rows of pieces of one answer, one after the other; at least one piece.
    ///
    /// # Errors
    /// If the pieces are not of the same types.
    pub(crate) fn concat(pieces: &[Presented]) -> Result<Self, ServeError> {
        let Some(first) = pieces.first() else {
            return Err(CompileError::form("an answer", "has no pieces").into());
        };
        let failed = |error| CompileError::engine(&first.row_type.name, error);
        let joined = |of: fn(&Presented) -> &[ArrayRef]| -> Result<Vec<ArrayRef>, CompileError> {
            let column = |index: usize| {
                let parts: Vec<&dyn Array> = pieces.iter().map(|piece| &*of(piece)[index]).collect();
                concat(&parts).map_err(failed)
            };
            (0..of(first).len()).map(column).collect()
        };
        let windows = |piece: &Presented| piece.windows.clone().unwrap_or_default();
        let partial = |piece: &Presented| piece.partial.clone().unwrap_or_default();
        let overflow = (0..first.overflow.len()).map(|output| {
            let parts = pieces.iter().map(|piece| (piece.n_rows, piece.overflow[output].as_ref()));
            overflow::joined(&parts.collect::<Vec<_>>()).map_err(failed)
        });
        Ok(Presented {
            row_type: first.row_type.clone(),
            n_rows: pieces.iter().map(|piece| piece.n_rows).sum(),
            windows: first.windows.as_ref().map(|_| pieces.iter().flat_map(windows).collect()),
            partial: first.partial.as_ref().map(|_| pieces.iter().flat_map(partial).collect()),
            keys: joined(|piece| &piece.keys)?,
            outputs: joined(|piece| &piece.outputs)?,
            n_beside: first.n_beside,
            totals: TotalRows::joined(pieces.iter().map(|piece| piece.totals.as_ref())),
            overflow: overflow.collect::<Result<_, _>>()?,
        })
    }

    /// Some of the rows: one flag for each.
    ///
    /// # Errors
    /// If there are not as many flags as rows.
    pub fn filtered(self, selected: &[bool]) -> Result<Self, ServeError> {
        if selected.iter().all(|is_selected| *is_selected) {
            return Ok(self);
        }
        let flags = BooleanArray::from(selected.to_vec());
        let columns = |columns: &[ArrayRef]| -> Result<Vec<ArrayRef>, CompileError> {
            let filtered = columns.iter().map(|column| filter(column, &flags));
            filtered
                .collect::<Result<_, _>>()
                .map_err(|error| CompileError::engine(&self.row_type.name, error))
        };
        let (keys, outputs) = (columns(&self.keys)?, columns(&self.outputs)?);
        let windows = self.windows.as_ref().map(|windows| kept(windows, selected));
        let partial = self.partial.as_ref().map(|partial| kept(partial, selected));
        let overflow = overflow::filtered(&self.overflow, &flags)
            .map_err(|error| CompileError::engine(&self.row_type.name, error))?;
        let totals = self
            .totals
            .as_ref()
            .map(|totals| totals.of_rows((0..selected.len()).filter(|row| selected[*row])));
        let (n_rows, row_type, n_beside) = (flags.true_count(), self.row_type, self.n_beside);
        Ok(Presented { n_rows, row_type, windows, partial, keys, outputs, n_beside, totals, overflow })
    }

    /// The rows with these indices, in their order.
    ///
    /// # Errors
    /// If there is no such row.
    pub(crate) fn taken(&self, rows: &UInt32Array) -> Result<Self, CompileError> {
        let failed = |error| CompileError::engine(&self.row_type.name, error);
        let columns = |columns: &[ArrayRef]| -> Result<Vec<ArrayRef>, CompileError> {
            columns.iter().map(|column| take(column, rows, None).map_err(failed)).collect()
        };
        let overflow = self.overflow.iter().map(|overflow| overflow::taken(overflow, rows).map_err(failed));
        Ok(Presented {
            row_type: self.row_type.clone(),
            n_rows: rows.len(),
            windows: self.windows.as_ref().map(|windows| at(windows, rows)),
            partial: self.partial.as_ref().map(|partial| at(partial, rows)),
            keys: columns(&self.keys)?,
            outputs: columns(&self.outputs)?,
            n_beside: self.n_beside,
            totals: self
                .totals
                .as_ref()
                .map(|totals| totals.of_rows(rows.values().iter().map(|row| *row as usize))),
            overflow: overflow.collect::<Result<_, _>>()?,
        })
    }
}

fn at<T: Copy>(values: &[T], rows: &UInt32Array) -> Vec<T> {
    rows.values().iter().filter_map(|row| values.get(*row as usize).copied()).collect()
}

fn kept<T: Copy>(values: &[T], selected: &[bool]) -> Vec<T> {
    let kept = values.iter().zip(selected).filter(|(_, is_selected)| **is_selected);
    kept.map(|(value, _)| *value).collect()
}

/// Presents a segment. An ungrouped metric of all time has one row, even over no events; all others have a
/// row for each group with events.
pub fn present(plan: &MetricPlan, segment: &Segment) -> Result<Presented, ServeError> {
    read(plan, segment, &ReadOptions::default())
}

/// Presents some windows of a segment, or coarser ones.
///
/// # Errors
/// As [`present`], and [`ServeError::Options`] where the metric does not have such rows.
pub fn read(plan: &MetricPlan, segment: &Segment, options: &ReadOptions) -> Result<Presented, ServeError> {
    if segment.hash != plan.state_hash {
        return Err(SegmentError::Hash { left: plan.state_hash, right: segment.hash }.into());
    }
    presented(plan, assemble(plan, &segment.states, options)?, options)
}

/// Presents the states of a plan by some windows and keys: all of them, or those of a piece of the groups.
pub(crate) fn presented(
    plan: &MetricPlan,
    grouped: Grouped<'_>,
    options: &ReadOptions,
) -> Result<Presented, ServeError> {
    let grouped = with_identity(grouped)?;
    let (keys, windows) = groups(&grouped)?;
    let Grouped { metric, form, states } = grouped;
    let n_rows = states.num_rows();
    let (outputs, overflow) = outputs(plan, &states.columns()[form.as_ref().n_group_columns..], n_rows)?;
    let partial = options.partial(&plan.metric.window, windows.as_deref());
    let (row_type, n_beside, totals) = (Arc::new(metric.row_type()), 0, None);
    Ok(Presented { row_type, n_rows, windows, partial, keys, outputs, n_beside, totals, overflow })
}

/// The same states; those of no events where an ungrouped metric of all time has none, since it has a row all
/// the same.
pub(crate) fn with_identity(grouped: Grouped<'_>) -> Result<Grouped<'_>, CompileError> {
    let Grouped { metric, form, states } = grouped;
    let is_ungrouped = metric.keys.is_empty() && metric.window == ir::Window::AllTime;
    let states = if is_ungrouped && states.num_rows() == 0 { identity_row(form.as_ref())? } else { states };
    Ok(Grouped { metric, form, states })
}

/// The keys of groups of states, and their windows.
pub(crate) fn groups(grouped: &Grouped<'_>) -> Result<Groups, ServeError> {
    let Grouped { metric, form, states } = grouped;
    let groups = &states.columns()[..form.as_ref().n_group_columns];
    let (window, keys) = groups.split_at(groups.len() - metric.keys.len());
    let is_windowed = metric.window != ir::Window::AllTime;
    let windows = if is_windowed { Some(windows(metric, window)?) } else { None };
    Ok((keys.to_vec(), windows))
}

/// Keys, and the start and end of each window, µs.
pub(crate) type Groups = (Vec<ArrayRef>, Option<Vec<(i64, i64)>>);

/// Outputs, and for each of them the rows that could not be computed.
pub(crate) type Outputs = (Vec<ArrayRef>, Vec<Option<Overflow>>);

/// The outputs of a metric over states, given as one column for each of the presented form.
fn outputs(plan: &MetricPlan, states: &[ArrayRef], n_rows: usize) -> Result<Outputs, ServeError> {
    let all: Vec<usize> = (0..plan.outputs.len()).collect();
    some_outputs(plan, &all, |state| &states[state], n_rows)
}

/// The states, by their indices, that some outputs of a metric present.
pub(crate) fn states_of_outputs(plan: &MetricPlan, wanted: &[usize]) -> BTreeSet<usize> {
    let read = columns_of(wanted.iter().map(|output| &plan.metric.outputs[*output].expr));
    let planned = read.iter().filter_map(|aggregate| plan.aggregates.get(*aggregate));
    planned.flat_map(|planned| std::iter::once(planned.state).chain(planned.lost)).collect()
}

/// Some outputs of a metric over the states that they present.
pub(crate) fn some_outputs<'a>(
    plan: &MetricPlan,
    wanted: &[usize],
    state: impl Fn(usize) -> &'a ArrayRef,
    n_rows: usize,
) -> Result<Outputs, ServeError> {
    let read = columns_of(wanted.iter().map(|output| &plan.metric.outputs[*output].expr));
    let (mut columns, mut lost) = (Vec::new(), Vec::new());
    for index in 0..plan.aggregates.len() {
        let (column, overflow) = match read.contains(&index) {
            true => overflow::presented(plan, index, &state)?,
            false => (new_null_array(plan.presented_schema.field(index).data_type(), n_rows), None),
        };
        columns.push(column);
        lost.push(overflow);
    }
    let scope = scope(&plan.metric.name, &plan.presented_schema, columns, n_rows)?;
    let failed = |error| CompileError::engine(&plan.metric.name, error);
    let evaluated = wanted.iter().map(|output| {
        plan.outputs[*output].evaluate(&scope).and_then(|value| value.into_array(n_rows)).map_err(failed)
    });
    let overflow = wanted.iter().map(|output| overflow::of_output(&plan.metric.outputs[*output].expr, &lost));
    Ok((evaluated.collect::<Result<_, CompileError>>()?, overflow.collect()))
}

/// The columns of their scope that expressions read.
pub(crate) fn columns_of<'a>(expressions: impl Iterator<Item = &'a ir::Expr>) -> BTreeSet<usize> {
    expressions.flat_map(|expression| expression.columns()).collect()
}

/// The scope of outputs. Columns that no wanted output reads are null, whatever their fields say.
pub(crate) fn scope(
    metric: &str,
    schema: &SchemaRef,
    columns: Vec<ArrayRef>,
    n_rows: usize,
) -> Result<RecordBatch, CompileError> {
    let is_null = |(field, column): (&Arc<Field>, &ArrayRef)| !field.is_nullable() && column.null_count() > 0;
    let schema = match schema.fields().iter().zip(&columns).any(is_null) {
        true => {
            let fields = schema.fields().iter().map(|field| field.as_ref().clone().with_nullable(true));
            Arc::new(Schema::new(fields.collect::<Vec<_>>()))
        }
        false => schema.clone(),
    };
    let options = RecordBatchOptions::new().with_row_count(Some(n_rows));
    RecordBatch::try_new_with_options(schema, columns, &options)
        .map_err(|error| CompileError::engine(metric, error))
}

/// The outputs of a metric over no events, as columns of one row.
pub(crate) fn identity_outputs(plan: &MetricPlan) -> Result<Vec<ArrayRef>, ServeError> {
    let form = match &plan.spread {
        Some(Spread::Sessions { form, .. }) => form,
        _ => &plan.form,
    };
    let identities = form.monoids.iter().map(|monoid| identity_column(monoid.as_ref()));
    Ok(outputs(plan, &identities.collect::<Result<Vec<_>, _>>()?, 1)?.0)
}

/// Start and end of each window: from the column of starts, and that of ends where the starts do not give
/// them.
fn windows(metric: &ir::Metric, columns: &[ArrayRef]) -> Result<Vec<(i64, i64)>, CompileError> {
    let times = |column| starts(&metric.name, column);
    match columns {
        [starts, ends] => {
            let (starts, ends) = (times(starts)?, times(ends)?);
            Ok(starts.iter().copied().zip(ends.iter().copied()).collect())
        }
        columns => {
            let rule = WindowRule::new(&metric.window)?;
            let starts = columns.first().map(times).transpose()?.unwrap_or_default();
            Ok(starts.iter().map(|&start| (start, rule.end_of(start))).collect())
        }
    }
}

/// The states of an ungrouped metric over no events: the identity of each.
fn identity_row(form: &StateForm) -> Result<RecordBatch, CompileError> {
    let mut columns: Vec<ArrayRef> = vec![Arc::new(BooleanArray::from(vec![false]))];
    for monoid in &form.monoids {
        columns.push(identity_column(monoid.as_ref())?);
    }
    RecordBatch::try_new(form.schema.clone(), columns)
        .map_err(|error| CompileError::engine(&form.place, error))
}

fn identity_column(monoid: &dyn Monoid) -> Result<ArrayRef, CompileError> {
    let identity = monoid.identity();
    Ok(match monoid.state_type() {
        DataType::FixedSizeBinary(_) => Arc::new(
            FixedSizeBinaryArray::try_from_iter(std::iter::once(identity))
                .map_err(|error| CompileError::engine(monoid.name(), error))?,
        ),
        _ => Arc::new(BinaryArray::from_iter_values([identity])),
    })
}
