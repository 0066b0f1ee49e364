//! Rows for windows without events: what a metric presents of no events, for each of the keys that an answer
//! has and each window of its range.

use std::collections::{BTreeMap, HashMap};

use arrow::array::{Array, ArrayRef, RecordBatch, UInt32Array};
use arrow::compute::{concat, take};
use arrow::row::{OwnedRow, RowConverter, SortField};
use metricc_compiler::{CompileError, MetricPlan};
use metricc_ir::calendar::{MICROS_PER_DAY, WindowCut};
use metricc_ir::{CalendarUnit, Window};

use crate::roll_up::starts;
use crate::{Presented, ReadOptions, ServeError, overflow};

/// The windows of a range, in which each key has a row.
pub(crate) struct FilledWindows<'a> {
    metric: &'a str,
    cut: WindowCut,
    /// Between the starts of two windows, µs: of a calendar's, at least.
    step: i64,
    /// The first instants (µs) of the first and the last window, where the range gives them.
    first: Option<i64>,
    last: Option<i64>,
}

impl<'a> FilledWindows<'a> {
    /// # Errors
    /// [`ServeError::Options`] for a metric whose windows are not cut from time.
    pub(crate) fn new(
        metric: &'a str,
        of_metric: &Window,
        options: &ReadOptions,
    ) -> Result<Self, ServeError> {
        let window = options.grain.as_ref().unwrap_or(of_metric);
        let (Some(own), Some(cut)) = (WindowCut::new(of_metric), WindowCut::new(window)) else {
            let problem = "has no windows between which others could lie: `fill` is of metrics with `every` or \
                           `over last`";
            return Err(ServeError::options(metric, problem));
        };
        let first = options.from.map(|from| cut.start_of(own.next_start(from)));
        let last = options.to.map(|to| cut.start_of(own.start_of(to.saturating_sub(1))));
        Ok(FilledWindows { metric, cut, step: least_step(window), first, last })
    }

    /// The starts of the first and of the last window: those of these windows, where the range has no bound.
    fn ends(&self, starts: impl Iterator<Item = i64> + Clone) -> Option<(i64, i64)> {
        let first = self.first.or_else(|| starts.clone().min())?;
        Some((first, self.last.or_else(|| starts.max())?))
    }

    /// About how many windows start from one instant to another: of a calendar's, not fewer than there are.
    fn n_between(&self, (first, last): (i64, i64)) -> u64 {
        let span = i128::from(last) - i128::from(first);
        if span < 0 {
            return 0;
        }
        u64::try_from(span / i128::from(self.step.max(1)) + 1).unwrap_or(u64::MAX)
    }

    /// All windows that start from one instant to another.
    fn between(&self, (first, last): (i64, i64)) -> Vec<(i64, i64)> {
        let next = |start: &i64| {
            let next = self.cut.next_start(start.saturating_add(1));
            (next > *start && next <= last).then_some(next)
        };
        let starts = std::iter::successors((first <= last).then_some(first), next);
        starts.map(|start| (start, self.cut.end_of(start))).collect()
    }

    /// About how many rows there are, from states that are merged to them.
    pub(crate) fn n_rows(
        &self,
        plan: &MetricPlan,
        states: &RecordBatch,
        kept: Option<&[usize]>,
    ) -> Result<u64, ServeError> {
        let own = starts(self.metric, states.column(0))?;
        let ends = self.ends(own.iter().map(|start| self.cut.start_of(*start)));
        let n_windows = ends.map_or(0, |ends| self.n_between(ends));
        let first = plan.form.n_group_columns - plan.metric.keys.len();
        let all = &states.columns()[first..plan.form.n_group_columns];
        let keys: Vec<ArrayRef> = match kept {
            Some(kept) => kept.iter().map(|key| all[*key].clone()).collect(),
            None => all.to_vec(),
        };
        let n_keys = Keys::new(self.metric, &keys, states.num_rows())?.first_rows.len() as u64;
        Ok(n_windows.saturating_mul(n_keys))
    }

    /// The rows, and those of the windows without events, by window, then keys. `identity` has one row: the
    /// outputs of no events.
    pub(crate) fn fill(&self, rows: Presented, identity: &[ArrayRef]) -> Result<Presented, ServeError> {
        let own = rows.windows.as_deref().unwrap_or_default();
        let keys = Keys::new(self.metric, &rows.keys, rows.n_rows)?;
        let ends = self.ends(own.iter().map(|(start, _)| *start));
        let n_windows = ends.map_or(0, |ends| self.n_between(ends));
        if n_windows.saturating_mul(keys.first_rows.len() as u64) > u64::from(u32::MAX) {
            let problem = "would have more than 2^32 rows with `fill`: choose a shorter range, or fewer keys";
            return Err(ServeError::options(self.metric, problem));
        }
        let windows = ends.map_or_else(Vec::new, |ends| self.between(ends));
        let places = own.iter().zip(&keys.of_row).map(|((start, _), key)| (*start, *key));
        let rows_of: HashMap<(i64, u32), u32> = places.zip(0..).collect();
        let missing = u32::try_from(rows.n_rows).unwrap_or(u32::MAX);
        let all =
            windows.iter().flat_map(|window| (0..).zip(&keys.first_rows).map(move |key| (*window, key)));
        let mut filled = (Vec::new(), Vec::new(), Vec::new());
        for (window, (key, first_row)) in all {
            filled.0.push(window);
            filled.1.push(*first_row);
            filled.2.push(rows_of.get(&(window.0, key)).copied().unwrap_or(missing));
        }
        let (windows, first_rows, of_row) =
            (filled.0, UInt32Array::from(filled.1), UInt32Array::from(filled.2));
        let failed = |error| CompileError::engine(self.metric, error);
        let keys = rows.keys.iter().map(|key| take(key, &first_rows, None).map_err(failed));
        let outputs = rows.outputs.iter().zip(identity).map(|(column, identity)| {
            let both = concat(&[column as &dyn Array, identity]).map_err(failed)?;
            take(&both, &of_row, None).map_err(failed)
        });
        let overflow = rows.overflow.iter().map(|lost| overflow::taken(lost, &of_row).map_err(failed));
        Ok(Presented {
            n_rows: windows.len(),
            partial: None,
            keys: keys.collect::<Result<_, _>>()?,
            outputs: outputs.collect::<Result<_, _>>()?,
            overflow: overflow.collect::<Result<_, _>>()?,
            windows: Some(windows),
            n_beside: rows.n_beside,
            totals: None,
            row_type: rows.row_type,
        })
    }
}

/// The least time between the starts of two windows, µs.
fn least_step(window: &Window) -> i64 {
    let n_days = match window {
        Window::Tumbling(step) | Window::Sliding { step, .. } => return *step,
        Window::Calendar(CalendarUnit::Week, _) => 7,
        Window::Calendar(CalendarUnit::Month, _) => 28,
        Window::Calendar(CalendarUnit::Quarter, _) => 90,
        Window::Calendar(CalendarUnit::Year, _) => 365,
        Window::Calendar(CalendarUnit::Day, _) | Window::AllTime | Window::Session { .. } => 1,
    };
    // Days with a change of clocks have fewer hours.
    n_days * MICROS_PER_DAY - MICROS_PER_DAY / 8
}

/// The values of the keys, each once, in their order. Rows without keys have one.
struct Keys {
    /// For each, the first row that has it.
    first_rows: Vec<u32>,
    /// For each row, the index of its keys.
    of_row: Vec<u32>,
}

impl Keys {
    fn new(metric: &str, keys: &[ArrayRef], n_rows: usize) -> Result<Self, CompileError> {
        if keys.is_empty() {
            return Ok(Keys { first_rows: vec![0], of_row: vec![0; n_rows] });
        }
        let failed = |error| CompileError::engine(metric, error);
        let fields = keys.iter().map(|key| SortField::new(key.data_type().clone())).collect();
        let converter = RowConverter::new(fields).map_err(failed)?;
        let rows = converter.convert_columns(keys).map_err(failed)?;
        let mut firsts: BTreeMap<OwnedRow, u32> = BTreeMap::new();
        for (row, index) in rows.iter().zip(0..) {
            firsts.entry(row.owned()).or_insert(index);
        }
        let numbers: HashMap<&OwnedRow, u32> = firsts.keys().zip(0..).collect();
        let of_row = rows.iter().filter_map(|row| numbers.get(&row.owned()).copied()).collect();
        Ok(Keys { of_row, first_rows: firsts.values().copied().collect() })
    }
}
