//! Reading a slice of a log as batches of typed rows.

use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::SchemaRef;

use crate::partition::{DecodedBatch, Duplicates, PartitionReader};
use crate::{LogError, ReadStats, Slice};

/// Some contiguous positions of a log, decoded.
#[derive(Debug, Clone)]
pub struct Batch {
    /// The positions it covers.
    pub slice: Slice,
    /// The wanted fields of its accepted records, in the order of offsets. Without fields it still has
    /// its number of rows.
    pub rows: RecordBatch,
    /// Counts of its records, and those that did not decode.
    pub read_stats: ReadStats,
}

impl Batch {
    /// With the duplicates of the partition, the rows get their positions as a last column.
    pub(crate) fn new(
        mut decoded: DecodedBatch,
        partition: u32,
        schema: SchemaRef,
        duplicates: Option<&Duplicates>,
    ) -> Result<Self, LogError> {
        if let Some(duplicates) = duplicates {
            let positions = decoded.positions(partition, duplicates);
            decoded.arrays.push(positions);
        }
        let options = RecordBatchOptions::new().with_row_count(Some(decoded.n_rows));
        let rows = RecordBatch::try_new_with_options(schema, decoded.arrays, &options)
            .map_err(|error| LogError::Request { problem: error.to_string() })?;
        let slice = Slice { partition, from: decoded.range.from, to: decoded.range.to };
        Ok(Batch { slice, rows, read_stats: decoded.stats })
    }
}

/// The batches of a slice, in order: together they cover all of its positions, each once. After an
/// error there are no more.
#[derive(Debug)]
pub struct Reader {
    partition: u32,
    schema: SchemaRef,
    /// Known where the rows carry their positions.
    duplicates: Option<Arc<Duplicates>>,
    reader: Option<Box<dyn PartitionReader>>,
}

impl Reader {
    /// With the duplicates of the partition, its rows carry their positions in a last column.
    pub(crate) fn new(
        partition: u32,
        schema: SchemaRef,
        duplicates: Option<Arc<Duplicates>>,
        reader: Option<Box<dyn PartitionReader>>,
    ) -> Self {
        Reader { partition, schema, duplicates, reader }
    }

    /// The schema of all its batches.
    pub fn schema(&self) -> SchemaRef {
        SchemaRef::clone(&self.schema)
    }

    fn batch(&self, decoded: DecodedBatch) -> Result<Batch, LogError> {
        Batch::new(decoded, self.partition, self.schema(), self.duplicates.as_deref())
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
