//! The rows of a read: from presented rows by some keys to those that the request asks for.
//!
//! A metric is presented once for its rows, once for each sort of totals, and once for each set of keys
//! within which there are shares. All of them have one frontier, one range and the same selected groups.

use std::collections::{BTreeMap, HashMap};

use arrow::array::{ArrayRef, TimestampMicrosecondArray};
use arrow::row::{RowConverter, SortField};
use metricc_compiler::CompileError;
use metricc_compiler::scalar::WindowRule;
use metricc_ir::Window;
use metricc_ir::calendar::WindowCut;

use crate::derived_metrics::{Join, Shift};
use crate::total_rows::{self, TotalRows, as_totals};
use crate::values_beside::{Earlier, Share, Values};
use crate::{Presented, ReadOptions, Reading, ServeError};

/// A metric whose rows are read.
pub(crate) struct Asked<'a> {
    /// Its windows.
    pub(crate) window: &'a Window,
    /// The start of the last window (of those of the rows) that any of its rows may have.
    pub(crate) last: Option<i64>,
    /// Its outputs of no events.
    pub(crate) identity: &'a dyn Fn() -> Result<Vec<ArrayRef>, ServeError>,
    /// Its rows by some keys, given by their indices in the metric.
    pub(crate) read: &'a dyn Fn(Option<Vec<usize>>) -> Result<Presented, ServeError>,
}

impl Reading {
    /// The rows that are asked for.
    pub(crate) fn rows_of(&self, asked: &Asked<'_>) -> Result<Presented, ServeError> {
        if self.beside().is_none() {
            let rows = self.selection().latest_of((asked.read)(self.options().keys.clone())?)?;
            return self.order().of(self.filled(rows, asked.window, asked.identity)?);
        }
        let identity = (asked.identity)()?;
        let mut totals: BTreeMap<Vec<usize>, Presented> = BTreeMap::new();
        let mut levels: Vec<Presented> = Vec::with_capacity(self.beside().n_levels());
        for n_rolled_up in 0..self.beside().n_levels() {
            let keys = self.beside().keys_of_level(n_rolled_up);
            let rows = self.rows_by(asked, &keys, &identity)?;
            let mut rows = self.with_shares(asked, rows, &keys, &identity, &mut totals)?;
            if let (Some(first), true) = (levels.first(), n_rolled_up > 0) {
                rows = as_totals(rows, &first.row_type, &keys, (&self.beside().total_names, n_rolled_up));
            } else if self.beside().n_levels() > 1 {
                rows.totals = Some(TotalRows::none(&self.beside().total_names, rows.n_rows));
            }
            levels.push(rows);
        }
        let rows = if levels.len() == 1 { levels.remove(0) } else { total_rows::in_order(&levels)? };
        self.order().of(rows)
    }

    /// The rows by some of their keys, with values of earlier windows.
    fn rows_by(
        &self,
        asked: &Asked<'_>,
        keys: &[usize],
        identity: &[ArrayRef],
    ) -> Result<Presented, ServeError> {
        let rows = (asked.read)(self.keys_of_metric(keys))?;
        let Some(earlier) = &self.beside().earlier else {
            let rows = self.selection().latest_of(rows)?;
            return self.filled(rows, asked.window, &|| Ok(identity.to_vec()));
        };
        let rows = self.with_earlier(asked, earlier, &rows, identity)?;
        let values = || identity.iter().map(|column| Values { column: column.clone(), lost: None }).collect();
        let identity = earlier.of(values(), values())?.0;
        self.filled(self.selection().latest_of(rows)?, asked.window, &|| Ok(identity.clone()))
    }

    /// The rows of the range, each with the values of an earlier window. As in a derived metric with an
    /// offset, there is a row wherever either window has one, up to the last one.
    fn with_earlier(
        &self,
        asked: &Asked<'_>,
        earlier: &Earlier,
        rows: &Presented,
        identity: &[ArrayRef],
    ) -> Result<Presented, ServeError> {
        let own: Vec<(i64, i64)> = rows.windows.clone().unwrap_or_default();
        let mut join = Join::new(&rows.row_type, 2)?;
        join.add(0, rows, Some(&own.iter().copied().map(Some).collect::<Vec<_>>()))?;
        join.add(1, rows, Some(&join.later(&own, earlier.n_windows)))?;
        let ReadOptions { from, to, .. } = self.options();
        let is_wanted = |start: i64| {
            asked.last.is_some_and(|last| start <= last)
                && from.is_none_or(|from| from <= start)
                && to.is_none_or(|to| start < to)
        };
        let (keys, windows, places) = join.rows(|start| start.is_some_and(is_wanted))?;
        let of_side = |side: usize| -> Result<Vec<Values>, CompileError> {
            let columns = rows.outputs.iter().zip(&rows.overflow).zip(identity);
            let taken = columns.map(|((column, lost), identity)| {
                Values::taken(column, lost, identity, places.iter().map(|rows| rows[side]))
            });
            taken.collect()
        };
        let (outputs, overflow) = earlier.of(of_side(0)?, of_side(1)?)?;
        let partial = self.options().partial(asked.window, windows.as_deref());
        let (n_rows, row_type, totals) = (places.len(), rows.row_type.clone(), None);
        let n_beside = outputs.len() - rows.outputs.len();
        Ok(Presented { row_type, n_rows, windows, partial, keys, outputs, n_beside, totals, overflow })
    }

    /// The rows with their shares, and the type that they have then.
    fn with_shares(
        &self,
        asked: &Asked<'_>,
        mut rows: Presented,
        keys: &[usize],
        identity: &[ArrayRef],
        totals: &mut BTreeMap<Vec<usize>, Presented>,
    ) -> Result<Presented, ServeError> {
        let of_metric = (*rows.row_type).clone();
        for share in &self.beside().shares {
            let within = share.keys_of_total(keys);
            if !totals.contains_key(&within) {
                let total = (asked.read)(self.keys_of_metric(&within))?;
                totals.insert(within.clone(), total);
            }
            let of_total: Vec<usize> =
                within.iter().filter_map(|key| keys.iter().position(|known| known == key)).collect();
            let Some(total) = totals.get(&within) else { continue };
            let share = share_of(share, &rows, total, &of_total, identity)?;
            rows.outputs.push(share.column);
            rows.overflow.push(share.lost);
        }
        rows.n_beside = self.beside().n_outputs(&of_metric);
        rows.row_type = self.beside().row_type(&of_metric).into();
        Ok(rows)
    }

    /// The indices in the metric of some keys of the rows; `None` if rows keep all of the metric.
    fn keys_of_metric(&self, keys: &[usize]) -> Option<Vec<usize>> {
        match &self.options().keys {
            Some(kept) => Some(keys.iter().map(|key| kept[*key]).collect()),
            None => (keys.len() < self.beside().keys_of_level(0).len()).then(|| keys.to_vec()),
        }
    }

    /// The keys of each set of rows that is made: first those of the rows themselves and of totals, whose
    /// number is the second value.
    pub(crate) fn key_sets(&self) -> (Vec<Option<Vec<usize>>>, usize) {
        if self.beside().is_none() {
            return (vec![self.options().keys.clone()], 1);
        }
        let levels: Vec<Vec<usize>> = (0..self.beside().n_levels())
            .map(|n_rolled_up| self.beside().keys_of_level(n_rolled_up))
            .collect();
        let mut of_shares: Vec<Vec<usize>> = levels
            .iter()
            .flat_map(|keys| self.beside().shares.iter().map(|share| share.keys_of_total(keys)))
            .collect();
        of_shares.sort_unstable();
        of_shares.dedup();
        let n_levels = levels.len();
        (levels.iter().chain(&of_shares).map(|keys| self.keys_of_metric(keys)).collect(), n_levels)
    }

    /// The options by which states are read: those of the request, from the first earlier window on.
    pub(crate) fn wide_options(&self, of_metric: &Window) -> Result<ReadOptions, ServeError> {
        let mut options = self.options().clone();
        let Some(earlier) = &self.beside().earlier else { return Ok(options) };
        let window = options.grain.as_ref().unwrap_or(of_metric);
        let cuts = WindowCut::new(of_metric).zip(WindowCut::new(window));
        if let (Some(from), Some((own, cut))) = (options.from, cuts) {
            let first = cut.start_of(own.next_start(from));
            let n_earlier = earlier.n_windows.saturating_neg();
            let start = Shift::new(window)?.later((first, cut.end_of(first)), n_earlier);
            options.from = start.map(|(start, _)| start);
        }
        Ok(options)
    }

    /// The start of the window of rows that holds a window of the metric.
    pub(crate) fn start_of_rows(&self, of_metric: &Window, start: i64) -> Result<i64, ServeError> {
        match self.options().grain.as_ref().filter(|grain| !grain.is_cut_as(of_metric)) {
            Some(grain) if grain.has_start() => Ok(WindowRule::new(grain)?.start_of(start)),
            _ => Ok(start),
        }
    }
}

/// The share of each row in the total of its window; `of_total` are the keys of the total, as indices in the
/// rows.
fn share_of(
    share: &Share,
    rows: &Presented,
    total: &Presented,
    of_total: &[usize],
    identity: &[ArrayRef],
) -> Result<Values, ServeError> {
    let keys: Vec<ArrayRef> = of_total.iter().map(|key| rows.keys[*key].clone()).collect();
    let places = places_in(rows, &keys, total)?;
    let column = |rows: &Presented| (rows.outputs[share.output].clone(), rows.overflow[share.output].clone());
    let (column_of_rows, lost) = column(rows);
    let values = Values { column: column_of_rows, lost };
    let (of_totals, lost) = column(total);
    let of_totals = Values::taken(&of_totals, &lost, &identity[share.output], places.into_iter())?;
    Ok(share.of(&values, &of_totals)?)
}

/// For each row the index of the total with its window and keys.
fn places_in(
    rows: &Presented,
    keys: &[ArrayRef],
    total: &Presented,
) -> Result<Vec<Option<u32>>, CompileError> {
    let columns = |rows: &Presented, keys: &[ArrayRef]| -> Vec<ArrayRef> {
        let mut columns: Vec<ArrayRef> = keys.to_vec();
        columns.push(std::sync::Arc::new(match &rows.windows {
            Some(windows) => {
                TimestampMicrosecondArray::from_iter_values(windows.iter().map(|window| window.0))
            }
            None => TimestampMicrosecondArray::from_value(0, rows.n_rows),
        }));
        columns
    };
    let (of_rows, of_totals) = (columns(rows, keys), columns(total, &total.keys));
    let failed = |error| CompileError::engine(&rows.row_type.name, error);
    let fields = of_rows.iter().map(|column| SortField::new(column.data_type().clone())).collect();
    let converter = RowConverter::new(fields).map_err(failed)?;
    let of_totals = converter.convert_columns(&of_totals).map_err(failed)?;
    let places: HashMap<&[u8], u32> = of_totals.iter().map(|row| row.data()).zip(0..).collect();
    let of_rows = converter.convert_columns(&of_rows).map_err(failed)?;
    Ok(of_rows.iter().map(|row| places.get(row.data()).copied()).collect())
}
