//! The rows of an answer, piece by piece, in their order.
//!
//! Where rows are states of segments one to one, a piece of each part is merged and presented at a time, so
//! that memory does not depend on the number of rows; windows that overlap are assembled some at a time. All
//! other rows (sessions, coarser windows, derived metrics), which are no more than there are states, are
//! there as a whole, and are handed out in pieces.
//!
//! Invariant: the pieces, one after the other, are the rows of the whole answer, whatever their sizes.

use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow::array::{ArrayRef, RecordBatch, TimestampMicrosecondArray};
use metricc_client::{Served, ServingError};
use metricc_compiler::{CompileError, MetricPlan, StateForm};
use metricc_ir::RowType;

use crate::cursor::{Cursor, RowPosition};
use crate::overlapping_rows::OverlappingRows;
use crate::present::presented;
use crate::query::failed;
use crate::roll_up::{Form, Grouped};
use crate::{Presented, Query, ServeError};

/// An answer whose rows are still to be computed.
pub type OpenAnswer = Served<AnswerRows>;

/// The rows of an answer that are still to be computed, or handed out.
#[derive(Debug)]
pub struct AnswerRows {
    query: Arc<Query>,
    row_type: Arc<RowType>,
    frontier: Vec<u64>,
    source: Source,
    /// Rows that the request leaves; a page has a limit.
    left: usize,
    /// The position of the last row that was handed out.
    last: Option<RowPosition>,
    /// Whether the limit has cut rows off the last piece.
    is_cut: bool,
    /// Whether no row was handed out.
    is_empty: bool,
    /// Rows that were handed out since the start.
    n_given: Arc<AtomicU64>,
    /// What the answer holds until it is dropped.
    guards: Vec<Box<dyn Any + Send + Sync>>,
}

#[derive(Debug)]
enum Source {
    /// The states of each part.
    Merged(Arc<MetricPlan>, MergedStates),
    /// Windows that overlap, and the rows of earlier pages.
    Overlapping(Box<OverlappingRows>, u64),
    /// The rows, and how many of them have been handed out at the start and by now.
    Ready { rows: Arc<Presented>, start: usize, at: usize },
}

impl AnswerRows {
    /// Rows that are merged from the states of several parts, in order.
    pub(crate) fn merged(
        query: &Arc<Query>,
        plan: &Arc<MetricPlan>,
        parts: Vec<RecordBatch>,
        frontier: Vec<u64>,
    ) -> Result<Self, ServingError> {
        let mut states = MergedStates::new(parts);
        if let Some(cursor) = query.cursor() {
            let RowPosition::Group(group) = &cursor.position else {
                return Err(Cursor::of_another_request());
            };
            states.skip_to(&plan.form, group).map_err(|error| failed(error.into()))?;
        }
        let row_type = Arc::new(plan.metric.row_type());
        Ok(AnswerRows::new(query, row_type, frontier, Source::Merged(plan.clone(), states)))
    }

    /// Rows of windows that overlap.
    pub(crate) fn overlapping(
        query: &Arc<Query>,
        plan: &MetricPlan,
        mut rows: OverlappingRows,
        frontier: Vec<u64>,
    ) -> Result<Self, ServingError> {
        let mut n_before = 0;
        match query.cursor().map(|cursor| &cursor.position) {
            None => {}
            Some(RowPosition::Window { start, n_rows, n_before: before }) => {
                n_before = *before;
                rows.skip_to(*start, *n_rows, n_before);
            }
            Some(_) => return Err(Cursor::of_another_request()),
        }
        let row_type = Arc::new(plan.metric.row_type());
        Ok(AnswerRows::new(query, row_type, frontier, Source::Overlapping(Box::new(rows), n_before)))
    }

    /// Rows that are there already.
    pub(crate) fn ready(
        query: &Arc<Query>,
        rows: Presented,
        frontier: Vec<u64>,
    ) -> Result<Self, ServingError> {
        let start = match query.cursor().map(|cursor| &cursor.position) {
            None => 0,
            Some(RowPosition::Row(row)) => usize::try_from(*row).unwrap_or(usize::MAX).min(rows.n_rows),
            Some(_) => return Err(Cursor::of_another_request()),
        };
        let row_type = rows.row_type.clone();
        let source = Source::Ready { rows: Arc::new(rows), start, at: start };
        Ok(AnswerRows::new(query, row_type, frontier, source))
    }

    fn new(query: &Arc<Query>, row_type: Arc<RowType>, frontier: Vec<u64>, source: Source) -> Self {
        let left = query.limit().unwrap_or(usize::MAX);
        let (query, guards) = (query.clone(), Vec::new());
        AnswerRows {
            query,
            row_type,
            frontier,
            source,
            left,
            last: None,
            is_cut: false,
            is_empty: true,
            n_given: Arc::default(),
            guards,
        }
    }

    /// Something that is released when the answer is complete, or nobody wants it any more.
    pub fn hold(&mut self, guard: impl Any + Send + Sync) {
        self.guards.push(Box::new(guard));
    }

    /// The rows that are left, at most.
    pub fn n_left(&self) -> usize {
        let in_source = match &self.source {
            Source::Merged(_, states) => states.n_left(),
            Source::Overlapping(rows, _) => rows.n_left(),
            Source::Ready { rows, at, .. } => rows.n_rows - at,
        };
        in_source.min(self.left)
    }

    /// The next rows: of some `n` groups, and none at all where the request selects others. `None` after the
    /// last ones.
    ///
    /// # Errors
    /// If states are malformed, or an output cannot be evaluated.
    pub fn next(&mut self, n: usize) -> Result<Option<Presented>, ServeError> {
        if self.left == 0 {
            return Ok(None);
        }
        let mut piece = match &mut self.source {
            Source::Merged(plan, states) => {
                let n = if self.query.selects_rows() { n } else { n.min(self.left) };
                let Some(states) = states.next(&plan.form, n)? else { return Ok(None) };
                let states = self.query.selected(plan, states)?;
                let form = Form::Planned(&plan.form);
                let grouped = Grouped { metric: plan.metric.clone(), form, states };
                presented(plan, grouped, self.query.options())?
            }
            Source::Overlapping(rows, _) => match rows.next(n.min(self.left))? {
                Some(piece) => piece,
                None => return Ok(None),
            },
            Source::Ready { rows, at, .. } => {
                let n = n.min(self.left).min(rows.n_rows - *at);
                if n == 0 {
                    return Ok(None);
                }
                *at += n;
                rows.slice(*at - n, n)
            }
        };
        self.is_cut = piece.n_rows > self.left;
        if self.is_cut {
            piece = piece.slice(0, self.left);
        }
        self.left -= piece.n_rows;
        self.is_empty &= piece.n_rows == 0;
        self.n_given.fetch_add(piece.n_rows as u64, Ordering::Relaxed);
        if piece.n_rows > 0 && self.query.limit().is_some() {
            self.last = Some(self.position_of_last(&piece)?);
        }
        Ok(Some(piece))
    }

    fn position_of_last(&self, piece: &Presented) -> Result<RowPosition, ServeError> {
        let plan = match &self.source {
            Source::Ready { at, .. } => return Ok(RowPosition::Row(*at as u64)),
            Source::Overlapping(rows, n_before) => return Ok(rows.position(*n_before)),
            Source::Merged(plan, _) => plan,
        };
        let last = piece.n_rows - 1;
        let mut columns: Vec<ArrayRef> = Vec::new();
        if let Some(windows) = &piece.windows {
            columns.push(Arc::new(TimestampMicrosecondArray::from(vec![windows[last].0])));
        }
        columns.extend(piece.keys.iter().map(|key| key.slice(last, 1)));
        Ok(RowPosition::Group(group_of(&plan.form, &columns)?))
    }

    /// Where the next page begins; `None` if there is none. To be asked for after the last row.
    pub fn next_page(&self) -> Option<String> {
        let is_exhausted = match &self.source {
            Source::Merged(_, states) => states.n_left() == 0,
            Source::Overlapping(rows, _) => rows.n_left() == 0,
            Source::Ready { rows, at, .. } => *at == rows.n_rows,
        };
        let has_more = self.left == 0 && (self.is_cut || !is_exhausted);
        let position = self.last.clone().filter(|_| has_more)?;
        Some(Cursor { frontier: self.frontier.clone(), position }.text(self.query.fingerprint()))
    }

    /// Begins again with the first row.
    pub fn rewind(&mut self) {
        self.left = self.query.limit().unwrap_or(usize::MAX);
        (self.last, self.is_cut, self.is_empty) = (None, false, true);
        self.n_given.store(0, Ordering::Relaxed);
        match &mut self.source {
            Source::Merged(_, states) => states.at.clone_from(&states.start),
            Source::Overlapping(rows, _) => rows.rewind(),
            Source::Ready { start, at, .. } => *at = *start,
        }
    }

    /// The count of rows that were handed out, for whoever watches.
    pub fn n_given(&self) -> Arc<AtomicU64> {
        self.n_given.clone()
    }

    /// No rows, of the same types.
    pub fn none(&self) -> Presented {
        match &self.source {
            Source::Ready { rows, .. } => rows.slice(0, 0),
            Source::Merged(..) | Source::Overlapping(..) => Presented::empty((*self.row_type).clone()),
        }
    }

    /// Whether it has handed out no row.
    pub(crate) fn is_empty(&self) -> bool {
        self.is_empty
    }

    /// All rows that are left.
    ///
    /// # Errors
    /// As [`AnswerRows::next`].
    pub fn all(&mut self) -> Result<Presented, ServeError> {
        let mut pieces = Vec::new();
        while let Some(piece) = self.next(usize::MAX)? {
            pieces.push(piece);
        }
        match pieces.len() {
            0 => Ok(self.none()),
            1 => Ok(pieces.remove(0)),
            _ => Presented::concat(&pieces),
        }
    }
}

/// The bytes of a group, in the order of the canonical table.
fn group_of(form: &StateForm, columns: &[ArrayRef]) -> Result<Vec<u8>, CompileError> {
    let rows = form.groups.rows(columns).map_err(|error| CompileError::engine(&form.place, error))?;
    Ok(rows.row(0).as_ref().to_vec())
}

/// ⊕ of canonical tables of states, a piece at a time.
#[derive(Debug)]
struct MergedStates {
    parts: Vec<RecordBatch>,
    /// For each part the first row that is read, and the first one that is not read yet.
    start: Vec<usize>,
    at: Vec<usize>,
}

impl MergedStates {
    fn new(parts: Vec<RecordBatch>) -> Self {
        let start = vec![0; parts.len()];
        MergedStates { at: start.clone(), start, parts }
    }

    fn n_left(&self) -> usize {
        self.parts.iter().zip(&self.at).map(|(part, at)| part.num_rows() - at).sum()
    }

    fn group(&self, form: &StateForm, part: usize, row: usize) -> Result<Vec<u8>, CompileError> {
        let columns = self.parts[part].columns()[..form.n_group_columns].iter();
        group_of(form, &columns.map(|column| column.slice(row, 1)).collect::<Vec<_>>())
    }

    /// The first row of a part from `from` on, and before `to`, whose group is not before another one.
    fn first_not_before(
        &self,
        form: &StateForm,
        part: usize,
        (mut from, mut to): (usize, usize),
        is_before: impl Fn(&[u8]) -> bool,
    ) -> Result<usize, CompileError> {
        while from < to {
            let middle = from + (to - from) / 2;
            if is_before(&self.group(form, part, middle)?) {
                from = middle + 1;
            } else {
                to = middle;
            }
        }
        Ok(from)
    }

    /// Begins after a group.
    fn skip_to(&mut self, form: &StateForm, last: &[u8]) -> Result<(), CompileError> {
        for part in 0..self.parts.len() {
            let all = (0, self.parts[part].num_rows());
            self.start[part] = self.first_not_before(form, part, all, |group| group <= last)?;
        }
        self.at.clone_from(&self.start);
        Ok(())
    }

    /// The states of at most `n` groups of the parts together, and of at least one; `None` after the last
    /// ones.
    fn next(&mut self, form: &StateForm, n: usize) -> Result<Option<RecordBatch>, CompileError> {
        let n_left: Vec<usize> =
            self.parts.iter().zip(&self.at).map(|(part, at)| part.num_rows() - at).collect();
        let active: Vec<usize> = (0..self.parts.len()).filter(|part| n_left[*part] > 0).collect();
        if active.is_empty() {
            return Ok(None);
        }
        let share = n.div_ceil(active.len()).max(1);
        // All groups before the first one that a part leaves out.
        let mut until: Option<Vec<u8>> = None;
        for part in active.iter().copied().filter(|part| n_left[*part] > share) {
            let group = self.group(form, part, self.at[part] + share)?;
            until = Some(until.map_or_else(|| group.clone(), |until| until.min(group.clone())));
        }
        let mut slices = Vec::with_capacity(active.len());
        for part in active {
            let (from, most) = (self.at[part], self.at[part] + n_left[part].min(share));
            let to = match &until {
                None => most,
                Some(until) => self.first_not_before(form, part, (from, most), |group| group < &until[..])?,
            };
            if from < to {
                slices.push(self.parts[part].slice(from, to - from));
            }
            self.at[part] = to;
        }
        match &slices[..] {
            [only] => Ok(Some(only.clone())),
            slices => form.collect(slices).map(Some),
        }
    }
}
