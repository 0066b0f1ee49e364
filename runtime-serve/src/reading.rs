//! A read of a metric, resolved against the type of its rows: which windows, keys and rows there are, and
//! what is made of them. Nodes, `metricc run` and generated stubs read through it.

use std::collections::BTreeMap;

use arrow::array::{ArrayRef, RecordBatch};
use metricc_client::{ReadRequest, ServingError};
use metricc_compiler::{CompileError, DerivedPlan, MetricPlan, Segment};
use metricc_ir::{RecordField, RowType, Window};

use crate::asked_rows::Asked;
use crate::condition::KeyBytes;
use crate::derived_metrics::{derive_until, derived_identity, keys_of_operand, last_reached};
use crate::gap_filling::FilledWindows;
use crate::present::identity_outputs;
use crate::roll_up::starts;
use crate::row_estimate::{counted_rows, estimated_rows, most_of_operands};
use crate::row_order::RowOrder;
use crate::row_selection::{RowSelection, kept_keys};
use crate::total_rows::TotalRows;
use crate::values_beside::Beside;
use crate::{Presented, ReadOptions, ServeError, derive, read};

/// A read that makes sense for a metric.
///
/// Its parts apply in this order: keys are selected, states are merged by windows and kept keys, rows are
/// presented, values of earlier windows are put beside them, the latest window is chosen, windows without
/// events are filled, shares are computed, totals are added, then values are selected, and rows are ordered
/// and limited.
#[derive(Debug, Default)]
pub struct Reading {
    options: ReadOptions,
    selection: RowSelection,
    /// Whether windows without events have rows.
    fills: bool,
    beside: Beside,
    order: RowOrder,
    /// The keys of the rows, if they are not those of the metric.
    keys: Option<Vec<RecordField>>,
}

impl Reading {
    /// # Errors
    /// [`ServingError::Request`] for what the rows of the metric do not have.
    pub fn new(
        row_type: &RowType,
        request: &ReadRequest,
        grain: Option<Window>,
    ) -> Result<Self, ServingError> {
        let (name, keys) = (&row_type.name, &row_type.keys);
        let selection = RowSelection::new(name, keys, &request.keys, request.latest)?;
        let kept = kept_keys(name, keys, request.by.as_deref())?;
        let kept_fields = kept.as_ref().map(|kept| kept.iter().map(|key| keys[*key].clone()).collect());
        let mut reading = Reading { selection, keys: kept_fields, ..Reading::default() };
        reading.options = ReadOptions::of_range(&row_type.window, request.from, request.to, grain);
        reading.options.keys = kept;
        let window = reading.options.grain.clone().unwrap_or_else(|| row_type.window.clone());
        reading.beside = Beside::new(&RowType { window, ..reading.row_type(row_type) }, request)?;
        if reading.beside.earlier.is_some() {
            reading.options.check_whole(name, &row_type.window)?;
        }
        let of_rows = reading.row_type(row_type);
        reading.order = RowOrder::new(&of_rows, &request.having, &request.order, request.per_window)?;
        reading.fills = request.fill;
        if request.fill && request.latest {
            let problem = "`fill` is of all windows, and `latest` of one: leave out one of them";
            return Err(ServingError::Request(problem.to_owned()));
        }
        Ok(reading)
    }

    /// The same read of a base metric that a derived one is computed from, of the keys that it has. Its
    /// values are others, so no condition on values and no order applies.
    ///
    /// # Errors
    /// As [`Reading::new`].
    pub(crate) fn of_operand(&self, request: &ReadRequest, row_type: &RowType) -> Result<Self, ServingError> {
        let has = |name: &str| row_type.keys.iter().any(|key| key.name == name);
        let mut request = ReadRequest { having: BTreeMap::new(), order: Vec::new(), ..request.clone() };
        (request.per_window, request.fill, request.compare) = (None, false, None);
        (request.totals, request.share) = (Vec::new(), Vec::new());
        request.keys.retain(|name, _| has(name));
        if let Some(by) = &mut request.by {
            by.retain(|name| has(name));
        }
        let mut reading = Reading::new(row_type, &request, None)?;
        let ReadOptions { from, to, grain, .. } = &self.options;
        reading.options = ReadOptions { from: *from, to: *to, grain: grain.clone(), ..reading.options };
        Ok(reading)
    }

    /// The windows and keys that are read.
    pub fn options(&self) -> &ReadOptions {
        &self.options
    }

    /// Whether windows without events have rows.
    pub(crate) fn fills(&self) -> bool {
        self.fills
    }

    /// The options of a command by which there may be more rows than groups.
    pub fn why_more_rows(&self) -> &'static str {
        match (self.fills, self.beside.is_none()) {
            (true, true) => "`--fill`, one for each key in each window of the range",
            (true, false) => "`--fill`, each once more for totals, shares and values of earlier windows",
            (false, _) => "those of totals, shares and earlier windows",
        }
    }

    pub(crate) fn selection(&self) -> &RowSelection {
        &self.selection
    }

    pub(crate) fn beside(&self) -> &Beside {
        &self.beside
    }

    pub(crate) fn order(&self) -> &RowOrder {
        &self.order
    }

    /// The type of a metric's rows, with the keys that they keep, and the values that stand beside its own.
    pub fn row_type(&self, of_metric: &RowType) -> RowType {
        let mut row_type = of_metric.clone();
        if let Some(keys) = &self.keys {
            row_type.keys.clone_from(keys);
        }
        self.beside.row_type(&row_type)
    }

    /// Checks that the rows of a metric have columns of different names, where they are written as columns
    /// alone.
    ///
    /// # Errors
    /// [`ServeError::Columns`].
    pub fn check_columns(&self, of_metric: &RowType) -> Result<(), ServeError> {
        let has_totals = self.beside.n_levels() > 1;
        self.options.check_columns(&self.row_type(of_metric), has_totals)
    }

    /// No rows.
    pub(crate) fn no_rows(&self, of_metric: &RowType) -> Presented {
        let has_totals = self.beside.n_levels() > 1;
        let mut rows = Presented::empty(self.row_type(of_metric));
        rows.n_beside = rows.row_type.outputs.len() - of_metric.outputs.len();
        rows.totals = has_totals.then(|| TotalRows::none(&self.beside.total_names, 0));
        rows
    }

    /// Whether rows are those of groups with all keys, in the order of groups, and none is left out for its
    /// values.
    pub(crate) fn keeps_groups(&self) -> bool {
        self.options.keys.is_none() && self.order.is_none() && !self.fills && self.beside.is_none()
    }

    /// Whether each group that is read has its row, in the order of groups.
    pub(crate) fn keeps_all(&self) -> bool {
        self.keeps_groups() && !self.selection.selects() && !self.selection.is_latest_of_all()
    }

    /// The value of each key, if the request gives all of them.
    pub(crate) fn all_keys(&self) -> Option<&[KeyBytes]> {
        self.selection.all_keys()
    }

    /// The rows of a base metric.
    ///
    /// # Errors
    /// As [`read`].
    pub fn of_base(&self, plan: &MetricPlan, segment: &Segment) -> Result<Presented, ServeError> {
        let window = &plan.metric.window;
        let last = match window.has_start() {
            true => starts(&plan.metric.name, segment.states.column(0))?.last().copied(),
            false => None,
        };
        let selected = self.selection.states_of(plan, &segment.states)?;
        self.of_selected(plan, &with_states(segment, selected), &self.wide_options(window)?, last)
    }

    /// The rows of a base metric whose states are those of the selected keys; `last` is the last window of
    /// all of them.
    pub(crate) fn of_selected(
        &self,
        plan: &MetricPlan,
        segment: &Segment,
        options: &ReadOptions,
        last: Option<i64>,
    ) -> Result<Presented, ServeError> {
        let window = &plan.metric.window;
        // By fewer keys, rows are those of a metric that has the selected events alone.
        let last = match self.options.keys.is_some() && window.has_start() {
            true => starts(&plan.metric.name, segment.states.column(0))?.last().copied(),
            false => last,
        };
        self.rows_of(&Asked {
            window,
            last: last.map(|last| self.start_of_rows(window, last)).transpose()?,
            identity: &|| identity_outputs(plan),
            read: &|keys| read(plan, segment, &ReadOptions { keys, ..options.clone() }),
        })
    }

    /// About how many rows are made of a base metric, from the states of the selected keys.
    ///
    /// # Errors
    /// [`ServeError::Options`] if windows without events are asked for, and it has none.
    pub(crate) fn n_rows_of_base(
        &self,
        plan: &MetricPlan,
        states: &RecordBatch,
        options: &ReadOptions,
    ) -> Result<u64, ServeError> {
        let windows = self.filled_windows(&plan.metric.name, &plan.metric.window)?;
        self.sum_of_sets(|keys, rows_of, is_filled| {
            let of_keys = ReadOptions { keys: keys.clone(), ..options.clone() };
            let n_rows = rows_of(plan, states, &of_keys)?;
            let Some(windows) = windows.as_ref().filter(|_| is_filled) else { return Ok(n_rows) };
            Ok(n_rows.max(windows.n_rows(plan, states, keys.as_deref())?))
        })
    }

    /// As [`Reading::n_rows_of_base`], of a derived metric: at least those of an operand.
    pub(crate) fn n_rows_of_derived(
        &self,
        plan: &DerivedPlan,
        segments: &[&Segment],
    ) -> Result<u64, ServeError> {
        let derived = &plan.derived;
        let windows = self.filled_windows(&derived.name, &derived.window)?;
        let wide = self.wide_options(&derived.window)?;
        self.sum_of_sets(|keys, rows_of, is_filled| {
            let of_keys = ReadOptions { keys: keys.clone(), ..wide.clone() };
            let n_rows = most_of_operands(plan, segments, &of_keys, rows_of)?;
            let Some(windows) = windows.as_ref().filter(|_| is_filled) else { return Ok(n_rows) };
            let operands = derived.operands.iter().zip(&plan.operands).zip(segments);
            let mut n_filled = operands.map(|((operand, plan), segment)| {
                let states = self.selection.states_by(plan, &segment.states, |key| operand.keys[key])?;
                let kept = keys_of_operand(operand, &of_keys);
                windows.n_rows(plan, states.as_ref().unwrap_or(&segment.states), Some(&kept))
            });
            n_filled.try_fold(n_rows, |most, n_rows| Ok(most.max(n_rows?)))
        })
    }

    /// The rows of all sets of keys that are made: of the rows, of totals, and of totals for shares, which
    /// are not filled. Where values are compared, each row may give one more.
    fn sum_of_sets(
        &self,
        n_rows: impl Fn(&Option<Vec<usize>>, RowsOf, bool) -> Result<u64, ServeError>,
    ) -> Result<u64, ServeError> {
        let (sets, n_levels) = self.key_sets();
        let of_comparison = if self.beside.earlier.is_some() { 2 } else { 1 };
        sets.iter().enumerate().try_fold(0_u64, |sum, (index, keys)| {
            let rows_of = if index == 0 { estimated_rows } else { counted_rows };
            let n_rows = n_rows(keys, rows_of, index < n_levels)?;
            Ok(sum.saturating_add(n_rows.saturating_mul(if index < n_levels { of_comparison } else { 1 })))
        })
    }

    /// The windows that rows are filled to; `None` if they are not.
    fn filled_windows<'a>(
        &self,
        metric: &'a str,
        window: &Window,
    ) -> Result<Option<FilledWindows<'a>>, ServeError> {
        self.fills.then(|| FilledWindows::new(metric, window, &self.options)).transpose()
    }

    /// The rows, and those of windows without events if they are asked for.
    pub(crate) fn filled(
        &self,
        rows: Presented,
        window: &Window,
        identity: &dyn Fn() -> Result<Vec<ArrayRef>, ServeError>,
    ) -> Result<Presented, ServeError> {
        let row_type = rows.row_type.clone();
        let Some(windows) = self.filled_windows(&row_type.name, window)? else { return Ok(rows) };
        let mut filled = windows.fill(rows, &identity()?)?;
        filled.partial = self.options.partial(window, filled.windows.as_deref());
        Ok(filled)
    }

    /// The rows of a derived metric. `segments` has one for each operand of the plan, in their order.
    ///
    /// Where rows keep all keys, a window is there if any key has it. Rows that merge some keys are those
    /// that a metric without them would have over the selected ones.
    ///
    /// # Errors
    /// As [`derive`](crate::derive).
    pub fn of_derived(&self, plan: &DerivedPlan, segments: &[&Segment]) -> Result<Presented, ServeError> {
        let window = &plan.derived.window;
        let identity = || derived_identity(plan);
        if self.options.keys.is_none() && self.beside.is_none() {
            let rows = self.selection.of(derive(plan, segments, &self.options)?)?;
            return self.order.of(self.filled(rows, window, &identity)?);
        }
        let operands = plan.derived.operands.iter().zip(&plan.operands).zip(segments);
        let selected = operands.map(|((operand, plan), segment)| -> Result<Segment, ServeError> {
            let states = self.selection.states_by(plan, &segment.states, |key| operand.keys[key])?;
            Ok(with_states(segment, states))
        });
        let selected = selected.collect::<Result<Vec<_>, _>>()?;
        let selected: Vec<&Segment> = selected.iter().collect();
        let of_rows = self.options.grain.as_ref().unwrap_or(window);
        let deciding = if self.options.keys.is_none() { segments } else { &selected[..] };
        let last = match of_rows.has_start() {
            true => last_reached(plan, deciding, of_rows)?,
            false => None,
        };
        let options = self.wide_options(window)?;
        let read = |keys| derive_until(plan, &selected, &ReadOptions { keys, ..options.clone() }, last);
        self.rows_of(&Asked { window, last, identity: &identity, read: &read })
    }
}

/// Counts the rows of some states.
type RowsOf = fn(&MetricPlan, &RecordBatch, &ReadOptions) -> Result<u64, CompileError>;

/// A segment with other states of the same kind; with its own if there are none.
pub(crate) fn with_states(segment: &Segment, states: Option<RecordBatch>) -> Segment {
    let Segment { hash, interval, states: own } = segment;
    Segment { hash: *hash, interval: interval.clone(), states: states.unwrap_or_else(|| own.clone()) }
}
