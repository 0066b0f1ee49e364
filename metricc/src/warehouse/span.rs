//! The windows that a file has: an export may be of a part of the time, and says nothing of windows before
//! and after it.

use arrow::array::BooleanArray;
use arrow::error::ArrowError;

use metricc_comparison::compare::RowSet;

/// From which window to which one a file has rows: their starts, µs on its clock.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Span {
    first: i64,
    last: i64,
}

/// How many rows are of windows before the first and after the last one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Outside {
    pub(crate) before: usize,
    pub(crate) after: usize,
}

impl Span {
    /// Of the rows of a file; `None` if they are of all time.
    pub(crate) fn of(rows: &RowSet) -> Option<Self> {
        let starts = &rows.windows.as_ref()?.starts;
        Some(Span { first: *starts.iter().min()?, last: *starts.iter().max()? })
    }

    /// The first and the last window, as rows of ours with windows as the file has them show theirs.
    pub(crate) fn texts(self, ours: &RowSet) -> Option<[String; 2]> {
        let clock = &ours.windows.as_ref()?.clock;
        Some([self.first, self.last].map(|start| clock.text(start)))
    }

    /// Rows with windows as the file has them, without those outside.
    ///
    /// # Errors
    /// If rows cannot be filtered.
    pub(super) fn cut(self, rows: RowSet) -> Result<(RowSet, Outside), ArrowError> {
        let Some(windows) = &rows.windows else { return Ok((rows, Outside::default())) };
        let n = |is_so: &dyn Fn(i64) -> bool| windows.starts.iter().filter(|start| is_so(**start)).count();
        let outside =
            Outside { before: n(&|start| start < self.first), after: n(&|start| start > self.last) };
        if outside == Outside::default() {
            return Ok((rows, outside));
        }
        let is_inside = |start: &i64| (self.first..=self.last).contains(start);
        let kept = BooleanArray::from_iter(windows.starts.iter().map(|start| Some(is_inside(start))));
        Ok((rows.filtered(&kept)?, outside))
    }
}
