//! Ranges of the groups of a segment's states.
//!
//! A segment is sorted by its groups, so it divides into ranges of them that one process each can hold. A
//! range of merged segments is the merge of their ranges, since states meet only in their group: whoever
//! merges ranges needs to know nothing of the rest.

use std::ops::Range;

use arrow::array::{ArrayRef, RecordBatch};
use serde::{Deserialize, Serialize};

use crate::{CompileError, StateForm};

/// Bytes of a bound at most. A bound need not be a group, so the first bytes of one will do.
const BOUND_BYTES: usize = 64;

/// A place between groups: bytes, in hexadecimal digits, that compare with those of groups.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct GroupBound(String);

impl GroupBound {
    fn of_row(row: &[u8]) -> Self {
        GroupBound(row.iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// The least bound that is above this one.
    pub(super) fn next(&self) -> Self {
        GroupBound(format!("{}00", self.0))
    }
}

/// The groups from a bound on and before another one. Without bounds: all of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GroupRange {
    /// The first groups that are in it.
    pub from: Option<GroupBound>,
    /// The first groups that are not.
    pub to: Option<GroupBound>,
}

impl GroupRange {
    /// Whether it has all groups of any segment.
    pub fn is_all(&self) -> bool {
        self.from.is_none() && self.to.is_none()
    }

    /// Whether a group can be in both ranges.
    pub fn overlaps(&self, other: &GroupRange) -> bool {
        let ends_before = |left: &GroupRange, right: &GroupRange| match (&left.to, &right.from) {
            (Some(to), Some(from)) => to <= from,
            _ => false,
        };
        !ends_before(self, other) && !ends_before(other, self)
    }

    /// The ranges between bounds, which ascend, one after the other: all groups are in one of them.
    pub fn between(bounds: &[GroupBound]) -> Vec<GroupRange> {
        let froms = std::iter::once(None).chain(bounds.iter().cloned().map(Some));
        let tos = bounds.iter().cloned().map(Some).chain(std::iter::once(None));
        froms.zip(tos).map(|(from, to)| GroupRange { from, to }).collect()
    }
}

impl StateForm {
    /// The rows of a range, given the group columns of rows that are sorted by them.
    pub(super) fn rows_within(
        &self,
        groups: &[ArrayRef],
        range: &GroupRange,
    ) -> Result<Range<usize>, CompileError> {
        let n_rows = groups.first().map_or(0, |column| column.len());
        let first_from = |bound: &GroupBound| {
            let mut rows = 0..n_rows;
            while !rows.is_empty() {
                let middle = rows.start + rows.len() / 2;
                match self.group_at(groups, middle, usize::MAX)? < *bound {
                    true => rows.start = middle + 1,
                    false => rows.end = middle,
                }
            }
            Ok::<_, CompileError>(rows.start)
        };
        let start = range.from.as_ref().map_or(Ok(0), first_from)?;
        let end = range.to.as_ref().map_or(Ok(n_rows), first_from)?;
        Ok(start..end.max(start))
    }

    /// The group of a row, or its first bytes.
    pub(super) fn group_at(
        &self,
        groups: &[ArrayRef],
        row: usize,
        most: usize,
    ) -> Result<GroupBound, CompileError> {
        let one: Vec<ArrayRef> = groups.iter().map(|column| column.slice(row, 1)).collect();
        let rows = self.groups.rows(&one).map_err(|error| CompileError::engine(&self.place, error))?;
        let bytes = rows.row(0).data();
        Ok(GroupBound::of_row(&bytes[..bytes.len().min(most)]))
    }

    /// The rows of a range, of a canonical table.
    ///
    /// # Errors
    /// If it is not of this form.
    pub fn within(&self, states: &RecordBatch, range: &GroupRange) -> Result<RecordBatch, CompileError> {
        let rows = self.rows_within(&states.columns()[..self.n_group_columns], range)?;
        Ok(states.slice(rows.start, rows.len()))
    }

    /// At most `n` bounds at equal distances among the rows of a canonical table, the first one before all of
    /// them. Of these, bounds can be chosen that divide several tables into ranges of about equal size.
    ///
    /// # Errors
    /// If it is not of this form.
    pub fn samples(&self, states: &RecordBatch, n: usize) -> Result<Vec<GroupBound>, CompileError> {
        let (groups, n_rows) = (&states.columns()[..self.n_group_columns], states.num_rows());
        let n = n.min(n_rows);
        (0..n).map(|index| self.group_at(groups, index * n_rows / n, BOUND_BYTES)).collect()
    }
}
