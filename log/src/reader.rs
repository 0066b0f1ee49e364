//! Reading a slice of a log as batches of typed rows.

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::SchemaRef;

use crate::partition::{Decoded, PartitionReader};
use crate::{Findings, LogError, Slice};

/// Some contiguous positions of a log, decoded.
#[derive(Debug, Clone)]
pub struct Batch {
    /// The positions it covers.
    pub slice: Slice,
    /// The wanted fields of its accepted records, in the order of offsets. Without fields it still has
    /// its number of rows.
    pub rows: RecordBatch,
    /// What was found besides.
    pub findings: Findings,
}

/// The batches of a slice, in order: together they cover all of its positions, each once. After an
/// error there are no more.
#[derive(Debug)]
pub struct Reader {
    partition: u32,
    schema: SchemaRef,
    reader: Option<PartitionReader>,
}

impl Reader {
    pub(crate) fn new(partition: u32, schema: SchemaRef, reader: Option<PartitionReader>) -> Self {
        Reader { partition, schema, reader }
    }

    /// The schema of all its batches.
    pub fn schema(&self) -> SchemaRef {
        SchemaRef::clone(&self.schema)
    }

    fn batch(&self, decoded: Decoded) -> Result<Batch, LogError> {
        let options = RecordBatchOptions::new().with_row_count(Some(decoded.n_rows));
        let rows = RecordBatch::try_new_with_options(self.schema(), decoded.arrays, &options)
            .map_err(|error| LogError::Request { problem: error.to_string() })?;
        let slice = Slice { partition: self.partition, from: decoded.range.from, to: decoded.range.to };
        Ok(Batch { slice, rows, findings: decoded.findings })
    }
}

impl Iterator for Reader {
    type Item = Result<Batch, LogError>;

    fn next(&mut self) -> Option<Self::Item> {
        let result = match self.reader.as_mut()?.next_batch() {
            Ok(Some(decoded)) => Some(self.batch(decoded)),
            Ok(None) => None,
            Err(error) => Some(Err(error)),
        };
        if !matches!(result, Some(Ok(_))) {
            self.reader = None;
        }
        result
    }
}

impl std::iter::FusedIterator for Reader {}
