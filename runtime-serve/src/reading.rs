//! A read of a metric, resolved against the type of its rows: which windows, keys and rows there are, and
//! what is made of them. Nodes, `metricc run` and generated stubs read through it.

use std::collections::BTreeMap;

use arrow::array::{ArrayRef, RecordBatch};
use metricc_client::{ReadRequest, ServingError};
use metricc_compiler::{DerivedPlan, MetricPlan, Segment};
use metricc_ir::{RecordField, RowType, Window};

use crate::condition::KeyBytes;
use crate::derived_metrics::{derived_identity, keys_of_operand};
use crate::gap_filling::FilledWindows;
use crate::present::identity_outputs;
use crate::row_order::RowOrder;
use crate::row_selection::{RowSelection, kept_keys};
use crate::{Presented, ReadOptions, ServeError, derive, read};

/// A read that makes sense for a metric.
///
/// Its parts apply in this order: keys are selected, states are merged by windows and kept keys, rows are
/// presented, the latest window is chosen, windows without events are filled, then values are selected, and
/// rows are ordered and limited.
#[derive(Debug, Default)]
pub struct Reading {
    options: ReadOptions,
    selection: RowSelection,
    /// Whether windows without events have rows.
    fills: bool,
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
        let of_rows = reading.row_type(row_type);
        reading.order = RowOrder::new(&of_rows, &request.having, &request.order, request.per_window)?;
        reading.options = ReadOptions::of_range(&row_type.window, request.from, request.to, grain);
        reading.options.keys = kept;
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
        (request.per_window, request.fill) = (None, false);
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

    pub(crate) fn selection(&self) -> &RowSelection {
        &self.selection
    }

    /// The type of a metric's rows, with the keys that they keep.
    pub fn row_type(&self, of_metric: &RowType) -> RowType {
        match &self.keys {
            Some(keys) => RowType { keys: keys.clone(), ..of_metric.clone() },
            None => of_metric.clone(),
        }
    }

    /// Whether rows are those of groups with all keys, in the order of groups, and none is left out for its
    /// values.
    pub(crate) fn keeps_groups(&self) -> bool {
        self.options.keys.is_none() && self.order.is_none() && !self.fills
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
        let selected = self.selection.states_of(plan, &segment.states)?;
        self.of_selected(plan, &with_states(segment, selected), &self.options)
    }

    /// The rows of a base metric whose states are those of the selected keys.
    pub(crate) fn of_selected(
        &self,
        plan: &MetricPlan,
        segment: &Segment,
        options: &ReadOptions,
    ) -> Result<Presented, ServeError> {
        let rows = self.selection.latest_of(read(plan, segment, options)?)?;
        let rows = self.filled(rows, &plan.metric.window, || identity_outputs(plan))?;
        self.order.of(rows)
    }

    /// About how many rows of a base metric there are with those of windows without events, from the states
    /// of the selected keys; `None` without `fill`.
    ///
    /// # Errors
    /// [`ServeError::Options`] for a metric without such windows.
    pub(crate) fn n_filled_of_base(
        &self,
        plan: &MetricPlan,
        states: &RecordBatch,
    ) -> Result<Option<u64>, ServeError> {
        let windows = self.filled_windows(&plan.metric.name, &plan.metric.window)?;
        windows.map(|windows| windows.n_rows(plan, states, self.options.keys.as_deref())).transpose()
    }

    /// As [`Reading::n_filled_of_base`], of a derived metric: at least those of an operand.
    pub(crate) fn n_filled_of_derived(
        &self,
        plan: &DerivedPlan,
        segments: &[&Segment],
    ) -> Result<Option<u64>, ServeError> {
        let derived = &plan.derived;
        let Some(windows) = self.filled_windows(&derived.name, &derived.window)? else { return Ok(None) };
        let operands = derived.operands.iter().zip(&plan.operands).zip(segments);
        let mut n_rows = operands.map(|((operand, plan), segment)| {
            let states = self.selection.states_by(plan, &segment.states, |key| operand.keys[key])?;
            let kept = keys_of_operand(operand, &self.options);
            windows.n_rows(plan, states.as_ref().unwrap_or(&segment.states), Some(&kept))
        });
        n_rows.try_fold(0, |most, n_rows| Ok(most.max(n_rows?))).map(Some)
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
    fn filled(
        &self,
        rows: Presented,
        window: &Window,
        identity: impl FnOnce() -> Result<Vec<ArrayRef>, ServeError>,
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
        if self.options.keys.is_none() {
            let rows = self.selection.of(derive(plan, segments, &self.options)?)?;
            return self.order.of(self.filled(rows, &plan.derived.window, || derived_identity(plan))?);
        }
        let operands = plan.derived.operands.iter().zip(&plan.operands).zip(segments);
        let selected = operands.map(|((operand, plan), segment)| -> Result<Segment, ServeError> {
            let states = self.selection.states_by(plan, &segment.states, |key| operand.keys[key])?;
            Ok(with_states(segment, states))
        });
        let selected = selected.collect::<Result<Vec<_>, _>>()?;
        let rows = derive(plan, &selected.iter().collect::<Vec<_>>(), &self.options)?;
        let rows = self.selection.latest_of(rows)?;
        self.order.of(self.filled(rows, &plan.derived.window, || derived_identity(plan))?)
    }
}

/// A segment with other states of the same kind; with its own if there are none.
pub(crate) fn with_states(segment: &Segment, states: Option<RecordBatch>) -> Segment {
    let Segment { hash, interval, states: own } = segment;
    Segment { hash: *hash, interval: interval.clone(), states: states.unwrap_or_else(|| own.clone()) }
}
