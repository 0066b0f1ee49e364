//! The names of columns where rows have nothing else: CSV, Arrow, Parquet and tables. JSON keeps keys and
//! values apart, and needs none of this.
//!
//! They follow from the metric and the request, so a clash is found before anything is computed.

use std::collections::BTreeSet;

use metricc_ir::{RowType, Window};

use crate::{Presented, ReadOptions, ServeError};

/// The columns of a window.
pub(crate) const WINDOW: [&str; 2] = ["window_start", "window_end"];
/// Says of each window whether the range leaves out a part of it.
pub(crate) const PARTIAL: &str = "partial";
/// The keys that are rolled up in a row, if it is a total.
pub(crate) const ROLLED_UP: &str = "rolled_up";
/// What could not be computed, in tables.
pub(crate) const OVERFLOW: &str = "overflow";

/// The names of the columns of rows.
fn names(
    row_type: &RowType,
    has_windows: bool,
    has_partial: bool,
    has_totals: bool,
) -> impl Iterator<Item = &str> {
    let windows = WINDOW.into_iter().filter(move |_| has_windows);
    let partial = has_partial.then_some(PARTIAL).into_iter().chain(has_totals.then_some(ROLLED_UP));
    let keys = row_type.keys.iter().map(|key| key.name.as_str());
    windows.chain(partial).chain(keys).chain(row_type.output_names())
}

/// Checks that all columns have different names: readers of tables find a column by its name.
fn check<'a>(metric: &str, mut names: impl Iterator<Item = &'a str>) -> Result<(), ServeError> {
    let mut seen = BTreeSet::new();
    match names.find(|name| !seen.insert(*name)) {
        Some(twice) => Err(ServeError::Columns { metric: metric.to_owned(), column: twice.to_owned() }),
        None => Ok(()),
    }
}

impl ReadOptions {
    /// Checks that the rows of a metric that are read with these options have columns of different names,
    /// where they are written as columns alone.
    ///
    /// # Errors
    /// [`ServeError::Columns`].
    pub(crate) fn check_columns(&self, metric: &RowType, has_totals: bool) -> Result<(), ServeError> {
        let window = self.grain.as_ref().unwrap_or(&metric.window);
        let has_partial = self.partial(&metric.window, Some(&[])).is_some();
        check(&metric.name, names(metric, *window != Window::AllTime, has_partial, has_totals))
    }
}

/// The same of all rows of a metric in a table.
pub(crate) fn check_table(metric: &RowType, has_overflow: bool) -> Result<(), ServeError> {
    let own = names(metric, metric.window != Window::AllTime, false, false);
    check(&metric.name, own.chain(has_overflow.then_some(OVERFLOW)))
}

/// Checks the columns of rows.
pub(crate) fn check_presented(rows: &Presented) -> Result<(), ServeError> {
    let (windows, partial, totals) = (rows.windows.is_some(), rows.partial.is_some(), rows.totals.is_some());
    check(&rows.row_type.name, names(&rows.row_type, windows, partial, totals))
}
