//! A source as a table: its accepted events up to a frontier, as metrics see them.

use std::fmt;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int32Array, Int64Array, RecordBatch, RecordBatchOptions};
use arrow::datatypes::{DataType, Decimal128Type, Field, Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::Result;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{Expr, TableType};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};
use metricc_client::ServingError;
use metricc_ir::{Position, Source};
use metricc_log::{Batch, Interval, Log, Reader, Slice, position_column, row_schema};
use metricc_runtime_serve::typed_column;

use crate::metric_table::failed;

/// Records of a batch.
const BATCH_RECORDS: usize = 8192;
/// The partition of an event, from 0.
const PARTITION: &str = "_partition";
/// Its offset in the partition.
const OFFSET: &str = "_offset";

/// Opens the log of a source when a statement reads it.
pub trait SourceLog: fmt::Debug + Send + Sync {
    /// The log, and the interval of it that statements see.
    ///
    /// # Errors
    /// If it cannot be opened.
    fn open(&self) -> std::result::Result<(Log, Interval), ServingError>;
}

/// The events of a source at one frontier.
#[derive(Debug, Clone)]
pub struct SourceTable {
    source: Arc<Source>,
    log: Arc<dyn SourceLog>,
    schema: SchemaRef,
}

impl SourceTable {
    /// The table of a source; fields of the names of its own columns stand in their place.
    ///
    /// # Errors
    /// If a field has no column.
    pub fn new(source: &Arc<Source>, log: Arc<dyn SourceLog>) -> Result<Self> {
        let all: Vec<usize> = (0..source.fields.len()).collect();
        let empty = RecordBatch::new_empty(row_schema(source, &all));
        let mut fields = Vec::with_capacity(all.len() + 2);
        for (field, column) in source.fields.iter().zip(empty.columns()) {
            let column = typed_column(&field.ty.kind, column)?;
            fields.push(Field::new(&field.name, column.data_type().clone(), true));
        }
        for (name, ty) in [(PARTITION, DataType::Int32), (OFFSET, DataType::Int64)] {
            if source.fields.iter().all(|field| field.name != name) {
                fields.push(Field::new(name, ty, false));
            }
        }
        Ok(SourceTable { source: source.clone(), log, schema: Arc::new(Schema::new(fields)) })
    }

    /// The name of the source.
    pub fn name(&self) -> &str {
        &self.source.name
    }

    /// Its `///` text.
    pub fn doc(&self) -> &str {
        &self.source.doc
    }
}

#[async_trait]
impl TableProvider for SourceTable {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        _: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let all: Vec<usize> = (0..self.schema.fields().len()).collect();
        let wanted = projection.unwrap_or(&all).clone();
        let schema = Arc::new(self.schema.project(&wanted)?);
        let (log, interval) = self.log.open().map_err(failed)?;
        let parts = log.slices(&interval, state.config().target_partitions().max(1));
        let scan = |slices: Vec<Slice>| -> Arc<dyn PartitionStream> {
            let (wanted, schema) = (wanted.clone(), schema.clone());
            Arc::new(SourceScan { log: log.clone(), slices, wanted, table: self.schema.clone(), schema })
        };
        let mut parts: Vec<_> = parts.into_iter().map(scan).collect();
        if parts.is_empty() {
            parts.push(scan(Vec::new()));
        }
        Ok(Arc::new(StreamingTableExec::try_new(schema, parts, None, None, false, limit)?))
    }
}

/// Reads slices of a log.
struct SourceScan {
    log: Log,
    slices: Vec<Slice>,
    /// Columns of the table.
    wanted: Vec<usize>,
    table: SchemaRef,
    schema: SchemaRef,
}

impl fmt::Debug for SourceScan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SourceScan({})", self.log.source().name)
    }
}

impl PartitionStream for SourceScan {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        let columns = Columns::new(&self.log, &self.wanted, &self.table, self.schema.clone());
        let (log, mut slices) = (self.log.clone(), self.slices.clone().into_iter());
        let mut reader: Option<Reader> = None;
        let mut next = move || -> Result<Option<RecordBatch>> {
            loop {
                match reader.as_mut().and_then(Iterator::next) {
                    Some(batch) => return columns.of(&batch.map_err(failed)?).map(Some),
                    None => match slices.next() {
                        Some(slice) => {
                            reader = Some(log.read(&slice, &columns.read, BATCH_RECORDS).map_err(failed)?);
                        }
                        None => return Ok(None),
                    },
                }
            }
        };
        let batches = futures::stream::iter(std::iter::from_fn(move || next().transpose()));
        Box::pin(RecordBatchStreamAdapter::new(self.schema.clone(), batches))
    }
}

/// The columns of a scan, and what is read of the log for them.
struct Columns {
    source: Arc<Source>,
    schema: SchemaRef,
    /// What is read, in ascending order.
    read: Vec<usize>,
    /// For each column where it comes from.
    of: Vec<ColumnOf>,
}

#[derive(Clone, Copy)]
enum ColumnOf {
    /// A field of the source, and which of the columns that are read.
    Field(usize, usize),
    Partition,
    Offset,
}

impl Columns {
    fn new(log: &Log, wanted: &[usize], table: &SchemaRef, schema: SchemaRef) -> Self {
        let source = log.source().clone();
        let n_fields = source.fields.len();
        let mut read: Vec<usize> = wanted.iter().copied().filter(|column| *column < n_fields).collect();
        read.sort_unstable();
        let of = wanted.iter().map(|column| match read.binary_search(column) {
            Ok(index) => ColumnOf::Field(*column, index),
            Err(_) if table.field(*column).name() == PARTITION => ColumnOf::Partition,
            Err(_) => ColumnOf::Offset,
        });
        let of: Vec<ColumnOf> = of.collect();
        if of.iter().any(|of| matches!(of, ColumnOf::Offset)) {
            read.push(position_column(&source));
        }
        Columns { source, schema, read, of }
    }

    fn of(&self, batch: &Batch) -> Result<RecordBatch> {
        let n_rows = batch.rows.num_rows();
        let column = |of: &ColumnOf| -> Result<ArrayRef> {
            match *of {
                ColumnOf::Field(field, index) => {
                    Ok(typed_column(&self.source.fields[field].ty.kind, batch.rows.column(index))?)
                }
                ColumnOf::Partition => {
                    let partition = i32::try_from(batch.slice.partition).map_err(failed)?;
                    Ok(Arc::new(Int32Array::from(vec![partition; n_rows])))
                }
                ColumnOf::Offset => {
                    let last = batch.rows.num_columns() - 1;
                    let positions = batch.rows.column(last).as_primitive::<Decimal128Type>().values();
                    let offset = |position: &i128| Position::from_order(*position).offset.cast_signed();
                    Ok(Arc::new(Int64Array::from_iter_values(positions.iter().map(offset))))
                }
            }
        };
        let columns = self.of.iter().map(column).collect::<Result<Vec<_>>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(n_rows));
        Ok(RecordBatch::try_new_with_options(self.schema.clone(), columns, &options)?)
    }
}
