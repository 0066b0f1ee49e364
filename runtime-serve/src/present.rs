//! States to presented rows.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BinaryArray, FixedSizeBinaryArray, RecordBatch, RecordBatchOptions};
use arrow::array::{BooleanArray, TimestampMicrosecondArray};
use arrow::datatypes::{DataType, TimestampMicrosecondType};
use metricc_algebra::{Monoid, StateError};
use metricc_compiler::scalar::WindowRule;
use metricc_compiler::{CompileError, MetricPlan, Segment, SegmentError, Spread, StateForm};
use metricc_ir as ir;

use crate::reading::Reading;
use crate::spread::{Windowed, windowed};

/// The presented rows of one metric, sorted by window, then keys. All columns have one length.
#[derive(Debug, Clone)]
pub struct Presented {
    /// The metric, with the windows of these rows.
    pub row_type: Arc<ir::RowType>,
    /// Number of rows.
    pub n_rows: usize,
    /// Start and end of each row's window, µs; none for a metric of all time.
    pub windows: Option<Vec<(i64, i64)>>,
    /// One column per key of the metric.
    pub keys: Vec<ArrayRef>,
    /// One column per output of the metric.
    pub outputs: Vec<ArrayRef>,
}

/// Why segments could not be merged or presented.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Nothing to merge.
    #[error("there is no segment of `{metric}` to read from")]
    NoSegment {
        /// The metric.
        metric: String,
    },
    /// Metrics that are published together reach different frontiers.
    #[error(
        "the segments of `{metric}` end at {end}, those of another metric at {other}: one answer has one frontier"
    )]
    Frontiers {
        /// The metric.
        metric: String,
        /// Where its segments end.
        end: metricc_log::Frontier,
        /// Where the others end.
        other: metricc_log::Frontier,
    },
    /// A metric cannot be read at these windows.
    #[error("metric `{metric}` {problem}")]
    Reading {
        /// The metric.
        metric: String,
        /// Why not.
        problem: String,
    },
    /// Segments that do not follow one another, or are of different metrics.
    #[error(transparent)]
    Segment(#[from] SegmentError),
    /// A state that its monoid does not accept.
    #[error(transparent)]
    State(#[from] StateError),
    /// An output that could not be evaluated.
    #[error(transparent)]
    Compile(#[from] CompileError),
}

/// Presents a segment. An ungrouped metric of all time has one row, also over no events; all others
/// have a row per group that events were seen of.
pub fn present(plan: &MetricPlan, segment: &Segment) -> Result<Presented, ServeError> {
    read(plan, segment, &Reading::default())
}

/// Presents some windows of a segment, or coarser ones.
///
/// # Errors
/// As [`present`], and where the metric cannot be read so.
pub fn read(plan: &MetricPlan, segment: &Segment, reading: &Reading) -> Result<Presented, ServeError> {
    if segment.hash != plan.state_hash {
        return Err(SegmentError::Hash { left: plan.state_hash, right: segment.hash }.into());
    }
    let Windowed { metric, form, states } = windowed(plan, &segment.states, reading)?;
    let form = form.as_ref();
    let is_windowed = metric.window != ir::Window::AllTime;
    let is_ungrouped = metric.keys.is_empty() && !is_windowed;
    let states = if is_ungrouped && states.num_rows() == 0 { identity_row(form)? } else { states };
    let n_rows = states.num_rows();
    let (groups, states) = states.columns().split_at(form.n_group_columns);
    let outputs = outputs(plan, states, n_rows)?;
    let (window, keys) = groups.split_at(groups.len() - metric.keys.len());
    let windows = if is_windowed { Some(windows(&metric, window)?) } else { None };
    let keys = keys.to_vec();
    Ok(Presented { row_type: Arc::new(metric.row_type()), n_rows, windows, keys, outputs })
}

/// What a metric presents of states, one column for each of the presented form.
fn outputs(plan: &MetricPlan, states: &[ArrayRef], n_rows: usize) -> Result<Vec<ArrayRef>, ServeError> {
    let aggregates = plan
        .aggregates
        .iter()
        .map(|aggregate| aggregate.monoid.present(&states[aggregate.state]))
        .collect::<Result<Vec<_>, _>>()?;
    let name = &plan.metric.name;
    let options = RecordBatchOptions::new().with_row_count(Some(n_rows));
    let scope = RecordBatch::try_new_with_options(plan.presented_schema.clone(), aggregates, &options)
        .map_err(|error| CompileError::engine(name, error))?;
    let failed = |error| CompileError::engine(name, error);
    let outputs = plan
        .outputs
        .iter()
        .map(|output| output.evaluate(&scope).and_then(|value| value.into_array(n_rows)).map_err(failed));
    Ok(outputs.collect::<Result<_, CompileError>>()?)
}

/// What a metric presents of no events; columns of one row.
pub(crate) fn identity_outputs(plan: &MetricPlan) -> Result<Vec<ArrayRef>, ServeError> {
    let form = match &plan.spread {
        Some(Spread::Sessions { form, .. }) => form,
        _ => &plan.form,
    };
    let identities = form.monoids.iter().map(|monoid| identity_column(monoid.as_ref()));
    outputs(plan, &identities.collect::<Result<Vec<_>, _>>()?, 1)
}

/// Start and end of each window: from the column of starts, and that of ends where they do not follow.
fn windows(metric: &ir::Metric, columns: &[ArrayRef]) -> Result<Vec<(i64, i64)>, CompileError> {
    let times = |column: &ArrayRef| -> Result<TimestampMicrosecondArray, CompileError> {
        let times = column.as_primitive_opt::<TimestampMicrosecondType>().cloned();
        times.ok_or_else(|| CompileError::form(&metric.name, "the window column holds no timestamps"))
    };
    match columns {
        [starts, ends] => {
            let (starts, ends) = (times(starts)?, times(ends)?);
            Ok(starts.values().iter().copied().zip(ends.values().iter().copied()).collect())
        }
        columns => {
            let rule = WindowRule::new(&metric.window)?;
            let starts = columns.first().map(times).transpose()?;
            let starts = starts.iter().flat_map(|starts| starts.values());
            Ok(starts.map(|&start| (start, rule.end_of(start))).collect())
        }
    }
}

/// The states of an ungrouped metric that has seen nothing: the identity of each.
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
