//! Rows for windows without events: what a metric presents of no events, for each of the keys that an answer
//! has and each window of its range.

use std::collections::{BTreeMap, HashMap};

use arrow::array::{Array, ArrayRef, RecordBatch, UInt32Array};
use arrow::compute::{concat, take};
use arrow::row::{OwnedRow, RowConverter, SortField};
use metricc_compiler::{CompileError, MetricPlan};
use metricc_ir::Window;
use metricc_ir::calendar::WindowCut;

use crate::roll_up::starts;
use crate::{Presented, ReadOptions, ServeError, overflow};

/// Most rows of an answer that gaps are filled in.
const MOST_ROWS: u64 = 20_000_000;

/// The windows of a range, in which each key has a row.
pub(crate) struct FilledWindows<'a> {
    metric: &'a str,
    cut: WindowCut,
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
        Ok(FilledWindows { metric, cut, first, last })
    }

    /// All windows from the first to the last one; those of these starts, where the range has no bound.
    fn between(&self, starts: impl Iterator<Item = i64> + Clone) -> Result<Vec<(i64, i64)>, ServeError> {
        let (Some(first), Some(last)) =
            (self.first.or_else(|| starts.clone().min()), self.last.or_else(|| starts.max()))
        else {
            return Ok(Vec::new());
        };
        let mut windows = Vec::new();
        let mut start = first;
        while start <= last {
            if windows.len() as u64 == MOST_ROWS {
                return Err(self.too_many());
            }
            windows.push((start, self.cut.end_of(start)));
            let next = self.cut.next_start(start.saturating_add(1));
            if next <= start {
                break;
            }
            start = next;
        }
        Ok(windows)
    }

    fn too_many(&self) -> ServeError {
        let problem = format!(
            "would have more than {} rows with `fill`: choose a shorter range, or fewer keys",
            metricc_client::grouped(MOST_ROWS)
        );
        ServeError::options(self.metric, problem)
    }

    /// About how many rows there are, from states that are merged to them.
    pub(crate) fn n_rows(
        &self,
        plan: &MetricPlan,
        states: &RecordBatch,
        kept: Option<&[usize]>,
    ) -> Result<u64, ServeError> {
        let own = starts(self.metric, states.column(0))?;
        let n_windows = self.between(own.iter().map(|start| self.cut.start_of(*start)))?.len() as u64;
        let first = plan.form.n_group_columns - plan.metric.keys.len();
        let all = &states.columns()[first..plan.form.n_group_columns];
        let keys: Vec<ArrayRef> = match kept {
            Some(kept) => kept.iter().map(|key| all[*key].clone()).collect(),
            None => all.to_vec(),
        };
        Ok(n_windows
            .saturating_mul(Keys::new(self.metric, &keys, states.num_rows())?.first_rows.len() as u64))
    }

    /// The rows, and those of the windows without events, by window, then keys. `identity` has one row: the
    /// outputs of no events.
    pub(crate) fn fill(&self, rows: Presented, identity: &[ArrayRef]) -> Result<Presented, ServeError> {
        let own = rows.windows.as_deref().unwrap_or_default();
        let windows = self.between(own.iter().map(|(start, _)| *start))?;
        let keys = Keys::new(self.metric, &rows.keys, rows.n_rows)?;
        let n_rows = (windows.len() as u64).saturating_mul(keys.first_rows.len() as u64);
        if n_rows > MOST_ROWS {
            return Err(self.too_many());
        }
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
            row_type: rows.row_type,
        })
    }
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
