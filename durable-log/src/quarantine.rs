//! Records that did not decode, as they are listed for people.

use std::cell::Cell;
use std::sync::Arc;

use metricc_log::partition::OffsetRange;
use metricc_log::{Position, Slice};

use crate::chunk::Chunk;
use crate::error::DurableError;

/// A record that did not decode.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuarantinedRecord {
    /// Its position in the log.
    pub position: Position,
    /// The field that did not decode; `None` if it is the record as a whole.
    pub field: Option<String>,
    /// What is wrong.
    pub problem: String,
    /// The record as it came.
    pub raw: Vec<u8>,
}

/// The quarantined records of a slice, before they are read.
#[derive(Debug)]
pub struct Quarantine {
    pub(crate) chunks: Vec<Arc<Chunk>>,
    pub(crate) slice: Slice,
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
        for chunk in &self.chunks {
            if left.get() == 0 {
                break;
            }
            for (record, raw) in chunk.quarantined(OffsetRange { from, to }, true, &left)? {
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
