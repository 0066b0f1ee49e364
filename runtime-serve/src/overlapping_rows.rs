//! Rows of windows that overlap, some windows at a time.
//!
//! A pane is in many windows, so few states may have very many rows. They are never there as a whole: windows
//! are assembled in the order of their starts, as many as give some thousand rows.
//!
//! Invariant: rows come in the order of the whole answer, whatever is assembled at a time.

use std::sync::Arc;

use arrow::array::RecordBatch;
use metricc_compiler::MetricPlan;

use crate::cursor::RowPosition;
use crate::present::presented;
use crate::roll_up::starts;
use crate::window_assembly::assemble;
use crate::{Presented, ReadOptions, ServeError};

/// Rows that are assembled at a time, about.
const ROWS_AT_A_TIME: usize = 16_384;

/// Panes that an answer may read again for each row that it assembles.
const PANES_OF_ROW: usize = 8;

/// The rows of a metric's sliding windows that are still to be assembled or handed out.
#[derive(Debug)]
pub(crate) struct OverlappingRows {
    plan: Arc<MetricPlan>,
    /// All panes of the answer, in the order of their starts.
    panes: RecordBatch,
    step: i64,
    n_panes: i64,
    /// The windows of the answer.
    options: ReadOptions,
    /// Rows of the whole answer, counted from its panes.
    n_rows: u64,
    /// Where the answer begins: a window's start, and rows of it that were handed out before.
    first: (i64, usize),
    /// Rows of that window that are assembled once more, and not handed out.
    n_skipped: usize,
    /// The first window that is not assembled yet; `None` after the last one.
    next: Option<i64>,
    /// What is assembled, and how much of it is handed out.
    assembled: Option<(Presented, usize)>,
    /// How many windows are assembled next.
    n_windows: i64,
    /// The window of the last row that was handed out, and how many of its rows were.
    last: (i64, usize),
    n_given: u64,
}

impl OverlappingRows {
    pub(crate) fn new(
        plan: &Arc<MetricPlan>,
        panes: RecordBatch,
        (step, n_panes): (i64, i64),
        options: ReadOptions,
        n_rows: u64,
    ) -> Self {
        let first = (options.from.unwrap_or(i64::MIN), 0);
        let mut rows = OverlappingRows {
            plan: plan.clone(),
            panes,
            step: step.max(1),
            n_panes: n_panes.max(1),
            options,
            n_rows,
            first,
            n_skipped: 0,
            next: None,
            assembled: None,
            n_windows: 1,
            last: first,
            n_given: 0,
        };
        rows.rewind();
        rows
    }

    /// Begins after a row of an earlier page.
    pub(crate) fn skip_to(&mut self, start: i64, n_rows: u64, n_before: u64) {
        self.first = (start, usize::try_from(n_rows).unwrap_or(usize::MAX));
        self.n_rows = self.n_rows.saturating_sub(n_before);
        self.rewind();
    }

    pub(crate) fn rewind(&mut self) {
        (self.next, self.last, self.n_skipped) = (Some(self.first.0), self.first, self.first.1);
        (self.assembled, self.n_given, self.n_windows) = (None, 0, 1);
    }

    /// Rows that are left, at most.
    pub(crate) fn n_left(&self) -> usize {
        usize::try_from(self.n_rows.saturating_sub(self.n_given)).unwrap_or(usize::MAX)
    }

    /// The position of the last row that was handed out.
    pub(crate) fn position(&self, n_before: u64) -> RowPosition {
        let (start, n_rows) = self.last;
        RowPosition::Window { start, n_rows: n_rows as u64, n_before: n_before + self.n_given }
    }

    /// The next rows, at most `n`; `None` after the last ones.
    pub(crate) fn next(&mut self, n: usize) -> Result<Option<Presented>, ServeError> {
        let (rows, at) = loop {
            match self.assembled.take() {
                Some((rows, at)) if at < rows.n_rows => break (rows, at),
                _ => {
                    let Some(rows) = self.assemble_next(n)? else { return Ok(None) };
                    // Rows of the first window that an earlier page had.
                    let n_skipped = std::mem::take(&mut self.n_skipped).min(rows.n_rows);
                    self.assembled = Some((rows, n_skipped));
                }
            }
        };
        let piece = rows.slice(at, n.min(rows.n_rows - at));
        self.note_last(&piece);
        self.n_given += piece.n_rows as u64;
        self.assembled = Some((rows, at + piece.n_rows));
        Ok(Some(piece))
    }

    fn note_last(&mut self, piece: &Presented) {
        let Some((start, _)) = piece.windows.as_ref().and_then(|windows| windows.last().copied()) else {
            return;
        };
        let windows = piece.windows.iter().flatten().rev();
        let of_window = windows.take_while(|(of_row, _)| *of_row == start).count();
        let is_same = of_window == piece.n_rows && self.last.0 == start;
        self.last = (start, of_window + if is_same { self.last.1 } else { 0 });
    }

    /// Rows of the windows that are next: about [`ROWS_AT_A_TIME`], and `n` at least.
    fn assemble_next(&mut self, n: usize) -> Result<Option<Presented>, ServeError> {
        while let Some(next) = self.next {
            let starts = starts(&self.plan.metric.name, self.panes.column(0))?;
            // A window has panes of its start and later.
            let first_pane = starts.partition_point(|start| *start < next);
            let Some(pane) = starts.get(first_pane).copied() else { break };
            let before = |pane: i64| pane.saturating_sub(self.step.saturating_mul(self.n_panes - 1));
            let from = next.max(before(pane));
            let wanted = n.max(ROWS_AT_A_TIME).max(self.panes.num_rows() / PANES_OF_ROW);
            let to = match n {
                usize::MAX => i64::MAX,
                _ => from.saturating_add(self.step.saturating_mul(self.n_windows)),
            };
            let to = self.options.to.map_or(to, |end| to.min(end));
            if to <= from {
                break;
            }
            let range = ReadOptions { from: Some(from), to: Some(to), ..self.options.clone() };
            let panes = self.panes.slice(first_pane, self.panes.num_rows() - first_pane);
            let rows = presented(&self.plan, assemble(&self.plan, &panes, &range)?, &self.options)?;
            self.next = Some(to).filter(|to| *to < i64::MAX && self.options.to != Some(*to));
            self.n_windows = n_windows_for(wanted, rows.n_rows, self.n_windows);
            if rows.n_rows > 0 {
                return Ok(Some(rows));
            }
        }
        self.next = None;
        Ok(None)
    }
}

/// How many windows give about so many rows, if others gave some: at most four times as many windows.
fn n_windows_for(wanted: usize, n_rows: usize, n_windows: i64) -> i64 {
    let most = n_windows.saturating_mul(4);
    let fitting = (wanted as u128 * n_windows.unsigned_abs() as u128) / (n_rows.max(1) as u128);
    i64::try_from(fitting).unwrap_or(i64::MAX).clamp(1, most.max(1))
}
