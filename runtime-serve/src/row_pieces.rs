//! The rows of a metric in pieces, so that one of them is in memory at a time.
//!
//! A writer takes them one after the other. What stands before all rows, and depends on them, is asked for
//! first: then they are made twice.

use std::borrow::Cow;
use std::fmt;

use metricc_compiler::{MetricPlan, SegmentRanges};
use metricc_ir::RowType;

use crate::overflow::{OverflowSum, may_overflow};
use crate::row_writer::Waiting;
use crate::segment_ranges::range;
use crate::{Presented, ReadOptions, ServeError, read};

/// The rows of a metric, sorted by window, then keys, in one or more pieces.
pub struct RowPieces<'a> {
    first: Presented,
    rest: Option<Rest<'a>>,
}

/// The ranges after the first.
struct Rest<'a> {
    plan: &'a MetricPlan,
    ranges: &'a dyn SegmentRanges,
    options: &'a ReadOptions,
}

impl fmt::Debug for RowPieces<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (metric, n_pieces) = (&self.row_type().name, self.n_pieces());
        f.debug_struct("RowPieces").field("metric", metric).field("n_pieces", &n_pieces).finish()
    }
}

/// All rows in one piece.
impl From<Presented> for RowPieces<'_> {
    fn from(rows: Presented) -> Self {
        RowPieces { first: rows, rest: None }
    }
}

impl<'a> RowPieces<'a> {
    /// A piece for each range of a segment, whose rows are those of its groups.
    pub(crate) fn of_ranges(
        plan: &'a MetricPlan,
        ranges: &'a dyn SegmentRanges,
        options: &'a ReadOptions,
    ) -> Result<Self, ServeError> {
        let rest = Rest { plan, ranges, options };
        Ok(RowPieces { first: rest.piece(0)?, rest: Some(rest) })
    }

    /// The metric, with the windows of the rows.
    pub fn row_type(&self) -> &RowType {
        &self.first.row_type
    }

    /// No rows, of the types of these.
    pub fn none(&self) -> Presented {
        self.first.slice(0, 0)
    }

    fn n_pieces(&self) -> usize {
        self.rest.as_ref().map_or(1, |rest| rest.ranges.n_ranges())
    }

    /// The pieces, in the order of their rows; each is made when it is asked for.
    pub fn pieces(&self) -> impl Iterator<Item = Result<Cow<'_, Presented>, ServeError>> {
        let rest = self
            .rest
            .iter()
            .flat_map(|rest| (1..rest.ranges.n_ranges()).map(|index| rest.piece(index).map(Cow::Owned)));
        std::iter::once(Ok(Cow::Borrowed(&self.first))).chain(rest)
    }

    /// The rows in batches of so many, and a last one of fewer.
    pub fn batches(&self, n_rows: usize) -> impl Iterator<Item = Result<Presented, ServeError>> {
        let (mut pieces, mut waiting) = (self.pieces(), Waiting::default());
        std::iter::from_fn(move || {
            while waiting.n_rows() < n_rows
                && let Some(piece) = pieces.next()
            {
                match piece {
                    Ok(piece) => waiting.push(piece.into_owned()),
                    Err(error) => return Some(Err(error)),
                }
            }
            let n_rows = waiting.n_rows().min(n_rows);
            (n_rows > 0).then(|| waiting.take(n_rows))
        })
    }

    /// All rows.
    ///
    /// # Errors
    /// [`ServeError`] of a piece.
    pub fn whole(self) -> Result<Presented, ServeError> {
        if self.n_pieces() == 1 {
            return Ok(self.first);
        }
        let pieces = self.pieces().map(|piece| piece.map(Cow::into_owned));
        Presented::concat(&pieces.collect::<Result<Vec<_>, _>>()?)
    }

    /// What could not be computed, of all pieces.
    ///
    /// # Errors
    /// [`ServeError`] of a piece.
    pub fn overflow(&self) -> Result<OverflowSum, ServeError> {
        let may_be = |rest: &Rest<'_>| may_overflow(rest.plan).contains(&true);
        let mut sum = OverflowSum::default();
        if self.rest.as_ref().is_none_or(may_be) {
            for piece in self.pieces() {
                sum.add(&*piece?);
            }
        }
        Ok(sum)
    }
}

impl Rest<'_> {
    fn piece(&self, index: usize) -> Result<Presented, ServeError> {
        read(self.plan, &range(self.plan, self.ranges, index)?, self.options)
    }
}
