//! Derived metrics: the presented rows of their operands, joined by window and keys.
//!
//! Every operand is presented from its segment by the windows and keys of the derived metric, so merging
//! happens on states. There is a row wherever any operand has one; an operand without a row there has the
//! outputs of no events.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BooleanArray, TimestampMicrosecondArray, UInt32Array, new_null_array};
use arrow::compute::{concat, take};
use arrow::datatypes::{DataType, TimestampMicrosecondType};
use arrow::row::{RowConverter, SortField};
use metricc_compiler::scalar::{WindowRule, data_type};
use metricc_compiler::{CompileError, DerivedPlan, Segment};
use metricc_ir::calendar::BucketRule;
use metricc_ir::{Kind, Operand, RowType, Window};

use crate::overflow;
use crate::present::{Outputs, columns_of, identity_outputs, scope};
use crate::roll_up::starts;
use crate::{Presented, ReadOptions, ServeError, read};

/// Presents a derived metric. `segments` has one for each operand of the plan, in their order, all of them up
/// to one frontier of each source.
///
/// # Errors
/// As [`read`].
pub fn derive(
    plan: &DerivedPlan,
    segments: &[&Segment],
    options: &ReadOptions,
) -> Result<Presented, ServeError> {
    derive_until(plan, segments, options, None)
}

/// As [`derive`], where the last window that operands have reached is known: `segments` are some of the
/// groups that decide it.
pub(crate) fn derive_until(
    plan: &DerivedPlan,
    segments: &[&Segment],
    options: &ReadOptions,
    known_last: Option<i64>,
) -> Result<Presented, ServeError> {
    let of_operand =
        |index: usize, options: &ReadOptions| read(&plan.operands[index], segments[index], options);
    let Joined { row_type, operands, keys, windows, rows } = joined(plan, options, known_last, of_operand)?;
    let all: Vec<usize> = (0..plan.outputs.len()).collect();
    let (outputs, overflow) = outputs(plan, &all, &operands, &rows)?;
    let n_rows = rows.len();
    let partial = options.partial(&plan.derived.window, windows.as_deref());
    let (row_type, n_beside, totals) = (Arc::new(row_type), 0, None);
    Ok(Presented { row_type, n_rows, windows, partial, keys, outputs, n_beside, totals, overflow })
}

/// The rows of the operands of a derived metric, joined.
pub(crate) struct Joined {
    /// The derived metric, with the windows and keys of these rows.
    pub(crate) row_type: RowType,
    /// The rows of each operand.
    pub(crate) operands: Vec<Presented>,
    pub(crate) keys: Vec<ArrayRef>,
    pub(crate) windows: Option<Vec<(i64, i64)>>,
    /// For each row that of each operand.
    pub(crate) rows: Vec<OperandRows>,
}

/// Joins the rows of the operands, which `read` gives for the index of one and the windows and keys that are
/// read of it. Where it is known which window is the last one that operands have reached, it is given.
pub(crate) fn joined(
    plan: &DerivedPlan,
    options: &ReadOptions,
    known_last: Option<i64>,
    mut read: impl FnMut(usize, &ReadOptions) -> Result<Presented, ServeError>,
) -> Result<Joined, ServeError> {
    let derived = &plan.derived;
    options.check(&derived.name, &derived.window)?;
    let grain = options.grain.clone().filter(|grain| !grain.is_cut_as(&derived.window));
    let is_plain =
        |operand: &Operand| operand.offset == 0 && operand.metric.window.is_cut_as(&derived.window);
    if grain.is_some() && !derived.operands.iter().all(is_plain) {
        let problem = "looks back, or is rolled up already: read it by its own windows";
        return Err(ServeError::options(&derived.name, problem));
    }
    let window = grain.clone().unwrap_or_else(|| derived.window.clone());
    let mut row_type = RowType { window: window.clone(), ..derived.row_type() };
    if let Some(kept) = &options.keys {
        row_type.keys = kept.iter().map(|key| derived.keys[*key].clone()).collect();
    }
    let mut join = Join::new(&row_type, derived.operands.len())?;
    let mut operands = Vec::with_capacity(derived.operands.len());
    let reached = derived.operands.iter().map(|operand| operand.offset).min().unwrap_or(0);
    let mut last = known_last;
    for (index, operand) in derived.operands.iter().enumerate() {
        // A range is one of the metric's own windows, which a roll-up leaves no trace of.
        let has_grain = grain.is_some();
        let of_operand = ReadOptions {
            from: options.from.filter(|_| has_grain),
            to: options.to.filter(|_| has_grain),
            grain: (!window.is_cut_as(&operand.metric.window)).then(|| window.clone()),
            keys: kept_of_operand(operand, options),
        };
        let mut rows = read(index, &of_operand)?;
        if of_operand.keys.is_none() {
            let kept = keys_of_operand(operand, options);
            rows.keys = kept.iter().map(|key| rows.keys[*key].clone()).collect();
        }
        let windows = rows.windows.as_ref().map(|windows| join.later(windows, operand.offset));
        if known_last.is_none() && operand.offset == reached {
            let starts = windows.iter().flatten().flatten().map(|(start, _)| *start);
            last = last.max(starts.max());
        }
        join.add(index, &rows, windows.as_deref())?;
        operands.push(rows);
    }
    let in_range = |start: i64| {
        let is_in_range = grain.is_some()
            || (options.from.is_none_or(|from| from <= start) && options.to.is_none_or(|to| start < to));
        is_in_range && last.is_none_or(|last| start <= last)
    };
    // Without an operand that has reached a window, there is no window: one that looks back does not begin
    // any.
    let is_empty = window != Window::AllTime && last.is_none();
    let (keys, windows, rows) = join.rows(|start| !is_empty && start.is_none_or(in_range))?;
    Ok(Joined { row_type, operands, keys, windows, rows })
}

/// The start of the last window that operands with the least offset have reached, in windows of the rows;
/// `None` if there is none.
pub(crate) fn last_reached(
    plan: &DerivedPlan,
    segments: &[&Segment],
    window: &Window,
) -> Result<Option<i64>, ServeError> {
    let (shift, rule) = (Shift::new(window)?, WindowRule::new(window)?);
    let least = plan.derived.operands.iter().map(|operand| operand.offset).min().unwrap_or(0);
    let mut last = None;
    for (operand, segment) in plan.derived.operands.iter().zip(segments) {
        if operand.offset == least && operand.metric.window.has_start() {
            let start = starts(&operand.metric.name, segment.states.column(0))?.last().copied();
            let start = start.map(|start| coarse_start(&rule, &operand.metric.window, window, start));
            let later = start.and_then(|start| shift.later((start, rule.end_of(start)), operand.offset));
            last = last.max(later.map(|(start, _)| start));
        }
    }
    Ok(last)
}

/// The start of the window of rows in which a window of a metric lies.
pub(crate) fn coarse_start(rule: &WindowRule, of_metric: &Window, of_rows: &Window, start: i64) -> i64 {
    if of_rows.is_cut_as(of_metric) { start } else { rule.start_of(start) }
}

/// For each key that rows keep, its index in an operand.
pub(crate) fn keys_of_operand(operand: &Operand, options: &ReadOptions) -> Vec<usize> {
    match &options.keys {
        Some(kept) => kept.iter().map(|key| operand.keys[*key]).collect(),
        None => operand.keys.clone(),
    }
}

/// The keys by which an operand is merged; `None` if rows keep all of its keys.
pub(crate) fn kept_of_operand(operand: &Operand, options: &ReadOptions) -> Option<Vec<usize>> {
    let keys = keys_of_operand(operand, options);
    (keys.len() < operand.metric.keys.len()).then_some(keys)
}

/// For each operand the index of its row, if it has one.
pub(crate) type OperandRows = Vec<Option<u32>>;

/// Rows by window and keys, in the order of their bytes.
pub(crate) struct Join<'a> {
    row_type: &'a RowType,
    shift: Shift,
    converter: RowConverter,
    rows: BTreeMap<Box<[u8]>, OperandRows>,
    n_operands: usize,
}

impl<'a> Join<'a> {
    pub(crate) fn new(row_type: &'a RowType, n_operands: usize) -> Result<Self, CompileError> {
        let mut fields = Vec::new();
        if row_type.window != Window::AllTime {
            fields.extend([data_type(&Kind::Timestamp), data_type(&Kind::Timestamp)]);
        }
        fields.extend(row_type.keys.iter().map(|key| data_type(&key.ty.kind)));
        if fields.is_empty() {
            fields.push(DataType::Boolean);
        }
        let converter = RowConverter::new(fields.into_iter().map(SortField::new).collect());
        let converter = converter.map_err(|error| CompileError::engine(&row_type.name, error))?;
        let shift = Shift::new(&row_type.window)?;
        Ok(Join { row_type, shift, converter, rows: BTreeMap::new(), n_operands })
    }

    pub(crate) fn later(&self, windows: &[(i64, i64)], n_windows: i64) -> Vec<Option<(i64, i64)>> {
        windows.iter().map(|window| self.shift.later(*window, n_windows)).collect()
    }

    /// Adds the rows of an operand, with the window of each in the derived metric; `None` if there is no such
    /// window.
    pub(crate) fn add(
        &mut self,
        operand: usize,
        rows: &Presented,
        windows: Option<&[Option<(i64, i64)>]>,
    ) -> Result<(), CompileError> {
        let mut columns: Vec<ArrayRef> = Vec::new();
        if let Some(windows) = windows {
            let of = |end: fn(&(i64, i64)) -> i64| -> ArrayRef {
                let instants = windows.iter().map(|window| window.as_ref().map_or(0, end));
                Arc::new(TimestampMicrosecondArray::from_iter_values(instants))
            };
            columns.extend([of(|window| window.0), of(|window| window.1)]);
        }
        columns.extend(rows.keys.iter().cloned());
        if columns.is_empty() {
            columns.push(Arc::new(BooleanArray::from(vec![false; rows.n_rows])));
        }
        let failed = |error| CompileError::engine(&self.row_type.name, error);
        let converted = self.converter.convert_columns(&columns).map_err(failed)?;
        for (index, row) in converted.iter().enumerate() {
            if windows.is_some_and(|windows| windows[index].is_none()) {
                continue;
            }
            let rows = self.rows.entry(row.as_ref().into()).or_insert_with(|| vec![None; self.n_operands]);
            if rows[operand].replace(index as u32).is_some() {
                return Err(CompileError::form(
                    &self.row_type.name,
                    "an operand has two rows of one window and key",
                ));
            }
        }
        Ok(())
    }

    /// Keys and windows of the rows whose windows are kept, and the row of each operand.
    #[allow(clippy::type_complexity)]
    pub(crate) fn rows(
        &self,
        is_kept: impl Fn(Option<i64>) -> bool,
    ) -> Result<(Vec<ArrayRef>, Option<Vec<(i64, i64)>>, Vec<OperandRows>), CompileError> {
        let failed = |error| CompileError::engine(&self.row_type.name, error);
        let parser = self.converter.parser();
        let all = self.rows.keys().map(|row| parser.parse(row));
        let mut columns = self.converter.convert_rows(all).map_err(failed)?;
        let mut windows = None;
        if self.row_type.window != Window::AllTime {
            let keys = columns.split_off(2);
            let instants =
                |column: &ArrayRef| column.as_primitive::<TimestampMicrosecondType>().values().to_vec();
            let (starts, ends) = (instants(&columns[0]), instants(&columns[1]));
            windows = Some(starts.into_iter().zip(ends).collect::<Vec<_>>());
            columns = keys;
        } else if self.row_type.keys.is_empty() {
            columns.clear();
        }
        let start = |row: usize| windows.as_ref().map(|windows| windows[row].0);
        let kept: Vec<usize> = (0..self.rows.len()).filter(|row| is_kept(start(*row))).collect();
        let indices = UInt32Array::from_iter_values(kept.iter().map(|row| *row as u32));
        let keys = columns.iter().map(|column| take(column, &indices, None)).collect::<Result<_, _>>();
        let places: Vec<&OperandRows> = self.rows.values().collect();
        let windows = windows.map(|windows| kept.iter().map(|row| windows[*row]).collect());
        Ok((keys.map_err(failed)?, windows, kept.iter().map(|row| places[*row].clone()).collect()))
    }
}

/// Some outputs over rows, which have for each operand the index of its row: each column has the outputs of
/// its operand there, or its outputs of no events.
pub(crate) fn outputs(
    plan: &DerivedPlan,
    wanted: &[usize],
    operands: &[Presented],
    rows: &[OperandRows],
) -> Result<Outputs, ServeError> {
    let arrow = |error| CompileError::engine(&plan.derived.name, error);
    let failed = |error| CompileError::engine(&plan.derived.name, error);
    let read = columns_of(wanted.iter().map(|output| &plan.derived.outputs[*output].expr));
    let mut columns = Vec::with_capacity(plan.derived.columns.len());
    let mut lost = Vec::with_capacity(plan.derived.columns.len());
    for (index, column) in plan.derived.columns.iter().enumerate() {
        if !read.contains(&index) {
            columns.push(new_null_array(plan.schema.field(index).data_type(), rows.len()));
            lost.push(None);
            continue;
        }
        let found = &operands[column.operand];
        let missing = &identity_outputs(&plan.operands[column.operand])?[column.output];
        let both = concat(&[found.outputs[column.output].as_ref(), missing.as_ref()]).map_err(arrow)?;
        let identity = u32::try_from(found.n_rows).unwrap_or(u32::MAX);
        let indices = rows.iter().map(|rows| rows[column.operand].unwrap_or(identity));
        let indices = UInt32Array::from_iter_values(indices);
        lost.push(overflow::taken(&found.overflow[column.output], &indices).map_err(arrow)?);
        columns.push(take(&both, &indices, None).map_err(arrow)?);
    }
    let scope = scope(&plan.derived.name, &plan.schema, columns, rows.len())?;
    let evaluated = wanted.iter().map(|output| {
        plan.outputs[*output].evaluate(&scope).and_then(|value| value.into_array(rows.len())).map_err(failed)
    });
    let overflow =
        wanted.iter().map(|output| overflow::of_output(&plan.derived.outputs[*output].expr, &lost));
    Ok((evaluated.collect::<Result<_, CompileError>>()?, overflow.collect()))
}

/// The outputs of a derived metric over no events, as columns of one row.
pub(crate) fn derived_identity(plan: &DerivedPlan) -> Result<Vec<ArrayRef>, ServeError> {
    let none = plan.operands.iter().map(|operand| Presented::empty(operand.metric.row_type()));
    let row: OperandRows = vec![None; plan.operands.len()];
    let all: Vec<usize> = (0..plan.outputs.len()).collect();
    Ok(outputs(plan, &all, &none.collect::<Vec<_>>(), &[row])?.0)
}

/// How windows follow one another.
pub(crate) enum Shift {
    Fixed { step: i64, rule: WindowRule },
    Calendar(BucketRule),
    None,
}

impl Shift {
    pub(crate) fn new(window: &Window) -> Result<Self, CompileError> {
        Ok(match window {
            Window::Tumbling(step) | Window::Sliding { step, .. } => {
                Shift::Fixed { step: *step, rule: WindowRule::new(window)? }
            }
            Window::Calendar(unit, calendar) => {
                BucketRule::new(*unit, calendar).map_or(Shift::None, Shift::Calendar)
            }
            Window::AllTime | Window::Session { .. } => Shift::None,
        })
    }

    /// The window that follows another one after so many; `None` if there is no such window.
    pub(crate) fn later(&self, window: (i64, i64), n_windows: i64) -> Option<(i64, i64)> {
        if n_windows == 0 {
            return Some(window);
        }
        match self {
            Shift::Fixed { step, rule } => {
                let start = window.0.checked_add(step.checked_mul(n_windows)?)?;
                Some((start, rule.end_of(start)))
            }
            Shift::Calendar(rule) => {
                rule.later(window.0, n_windows).map(|bucket| (bucket.start_us, bucket.end_us))
            }
            Shift::None => None,
        }
    }
}
