//! What the checks of a column find.

use crate::NoneReason;
use crate::decode_value::{NOT_FINITE, Problem};
use crate::read_stats::FieldStats;

/// What was found in a column.
#[derive(Default)]
pub(crate) struct Findings {
    /// By row, each row at most once.
    pub(crate) rejects: Vec<(usize, Problem)>,
    /// Rows whose value is none although something is there; those of lists as often as they have such
    /// elements.
    pub(crate) none_values: Vec<(usize, NoneReason)>,
    /// Whether the rows have the field, and the parts of its records.
    pub(crate) seen: FieldStats,
}

impl Findings {
    /// A float that is not finite: none where that may be, otherwise the row is rejected.
    pub(super) fn not_finite(&mut self, row: usize, nullable: bool) {
        match nullable {
            true => self.none_values.push((row, NoneReason::NotFinite)),
            false => self.rejects.push((row, Problem::new(NOT_FINITE, ""))),
        }
    }
}
