//! Records that did not decode, as they are listed for people.

use std::cell::Cell;
use std::sync::Arc;

use super::error::DurableError;
use super::part::Part;
use crate::partition::Range;
use crate::{Position, Slice};

/// A record that did not decode.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuarantinedRecord {
    /// Where it is.
    pub position: Position,
    /// The field that did not decode; none if the record as a whole does not.
    pub field: Option<String>,
    /// What is wrong.
    pub problem: String,
    /// The record as it came.
    pub raw: Vec<u8>,
}

/// The quarantined records of a slice, before they are read.
#[derive(Debug)]
pub struct Quarantine {
    pub(super) parts: Vec<Arc<Part>>,
    pub(super) slice: Slice,
}

impl Quarantine {
    /// Reads them in order, at most so many.
    ///
    /// # Errors
    /// [`DurableError`] if they could not be read.
    pub fn read(&self, most: usize) -> Result<Vec<QuarantinedRecord>, DurableError> {
        let Slice { partition, from, to } = self.slice;
        let left = Cell::new(most);
        let mut found = Vec::new();
        for part in &self.parts {
            if left.get() == 0 {
                break;
            }
            for (record, raw) in part.quarantined(Range { from, to }, true, &left)? {
                found.push(QuarantinedRecord {
                    position: Position { partition, offset: record.offset },
                    field: record.field,
                    problem: record.problem,
                    raw,
                });
            }
        }
        Ok(found)
    }
}
