//! The events of a request, and why a request as a whole is rejected.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef};
use metricc_ir::Source;

use crate::read_stats::{FieldStats, ReadStats};
use crate::rejections::Quarantined;
use crate::seen_names::Names;
use crate::{NoneValues, Position};

/// The events of a request: typed rows of all fields, and the records that did not decode.
#[derive(Debug, Clone)]
pub struct Events {
    pub(crate) source: Arc<Source>,
    pub(crate) n_records: u64,
    /// All fields of the accepted records, in order.
    pub(crate) rows: Vec<ArrayRef>,
    pub(crate) rejected: Vec<Rejected>,
    pub(crate) none_values: NoneValues,
    /// What was seen of each field.
    pub(crate) fields: Vec<FieldStats>,
    /// Names of columns, or keys of the first records.
    pub(crate) names: Names,
}

/// Limits of one request.
#[derive(Debug, Clone, Copy)]
pub struct BodyLimits {
    /// The most records.
    pub records: u64,
    /// The most bytes of the values of columns, where some stand for many.
    pub bytes: usize,
}

/// Why a body as a whole was rejected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// It is not of the format that it declares.
    #[error("{0}")]
    Body(String),
    /// Its columns are not those of the source.
    #[error("{0}")]
    Columns(String),
    /// It exceeds a limit.
    #[error("{0}")]
    TooLarge(String),
}

impl BodyLimits {
    pub(crate) fn check_records(&self, n_records: u64) -> Result<(), BodyError> {
        if n_records <= self.records {
            return Ok(());
        }
        let most = self.records;
        let problem = format!("more than {most} events in one request: send several");
        Err(BodyError::TooLarge(problem))
    }

    pub(crate) fn check_bytes(&self, n_bytes: usize) -> Result<(), BodyError> {
        if n_bytes <= self.bytes {
            return Ok(());
        }
        let most = self.bytes;
        Err(BodyError::TooLarge(format!("its values are more than {most} bytes: send several requests")))
    }
}

/// A record that did not decode.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected {
    /// Its index in the request, from 0.
    pub record: u64,
    /// The field that did not decode; `None` if it is the record as a whole.
    pub field: Option<String>,
    /// What is wrong.
    pub problem: String,
    /// The value (or the record, without a field) as it was read, at most 80 characters.
    pub excerpt: String,
    /// The record as it came.
    pub raw: Vec<u8>,
}

impl Events {
    /// Their source.
    pub fn source(&self) -> &Arc<Source> {
        &self.source
    }

    /// The number of records, including those that did not decode.
    pub fn n_records(&self) -> u64 {
        self.n_records
    }

    /// About the bytes that they take in memory, and in the log.
    pub fn n_bytes(&self) -> usize {
        let rows = self.rows.iter().map(|column| column.get_array_memory_size());
        let rejected = self.rejected.iter().map(|record| record.raw.len() + record.problem.len() + 200);
        rows.sum::<usize>() + rejected.sum::<usize>()
    }

    /// The columns of all fields, of the records that decoded, in order.
    pub fn rows(&self) -> &[ArrayRef] {
        &self.rows
    }

    /// Values of the records that decoded that are none although something is there.
    pub fn none_values(&self) -> &NoneValues {
        &self.none_values
    }

    /// The records that did not decode, in order.
    pub fn rejected(&self) -> &[Rejected] {
        &self.rejected
    }

    /// The records that did not decode, as reports have them: their positions are their indices, and
    /// `line_of` tells where each stands in what is named `shown`, if it can.
    pub fn quarantined(&self, shown: &Arc<str>, line_of: impl Fn(u64) -> Option<u64>) -> Vec<Quarantined> {
        let quarantined = |rejected: &Rejected| Quarantined {
            position: Position { partition: 0, offset: rejected.record },
            path: Arc::clone(shown),
            line: line_of(rejected.record),
            has_known_offset: false,
            field: rejected.field.clone(),
            problem: rejected.problem.clone(),
            excerpt: rejected.excerpt.clone(),
        };
        self.rejected.iter().map(quarantined).collect()
    }

    /// Statistics of the records, with those that did not decode as they are to be reported.
    pub fn read_stats(&self, quarantined: &[Quarantined]) -> ReadStats {
        let (n_records, fields, none_values) =
            (self.n_records, self.fields.clone(), self.none_values.clone());
        let mut stats = ReadStats { n_records, fields, none_values, ..ReadStats::default() };
        quarantined.iter().for_each(|record| stats.quarantine(record.clone()));
        stats
    }

    /// The names of columns, or keys of the first records, that stand beside declared ones.
    pub fn names(&self) -> &Names {
        &self.names
    }
}
