//! A metric as a table.

use std::any::Any;
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions, UInt32Array};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{DataFusionError, Result, plan_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};
use metricc_client::{ReadRequest, ServingError};
use metricc_ir::RowType;
use metricc_runtime_serve::{
    DeclaredAggregate, MeasuredRows, Mergeable, RowColumn, ServedSnapshot, row_schema,
};

use crate::pushed_filters::{can_be_pushed, request_of};

/// Rows of a batch.
const BATCH_ROWS: usize = 8192;

/// The rows of a metric at one frontier.
#[derive(Debug, Clone)]
pub struct MetricTable {
    served: ServedSnapshot,
    row_type: Arc<RowType>,
    columns: Arc<[RowColumn]>,
    schema: SchemaRef,
    /// Which rows may be merged, and for each output the aggregate of SQL that means it.
    measures: Arc<(Mergeable, Vec<Option<DeclaredAggregate>>)>,
    /// The rows that a plan reads, if it asks for their numbers.
    numbered: Option<Arc<NumberedRows>>,
}

impl MetricTable {
    /// # Errors
    /// [`ServingError`] if the metric is not served, or columns of its rows have equal names.
    pub fn new(served: &ServedSnapshot, metric: &str) -> std::result::Result<Self, ServingError> {
        let query = served.query(ReadRequest { metric: metric.to_owned(), ..ReadRequest::default() })?;
        query.check_columns()?;
        let row_type = Arc::new(query.defined_rows().clone());
        let schema = row_schema(&row_type).map_err(|error| ServingError::Failed(error.into()))?;
        let columns = RowColumn::all(&row_type).into();
        let measures = Arc::new(query.measures());
        Ok(MetricTable { served: served.clone(), row_type, columns, schema, measures, numbered: None })
    }

    /// The type of its rows.
    pub fn row_type(&self) -> &RowType {
        &self.row_type
    }

    /// What it is read from.
    pub(crate) fn served(&self) -> &ServedSnapshot {
        &self.served
    }

    /// The Arrow type of a column.
    pub(crate) fn type_of(&self, column: RowColumn) -> &DataType {
        let index = self.columns.iter().position(|known| *known == column).unwrap_or_default();
        self.schema.field(index).data_type()
    }

    pub(crate) fn mergeable(&self) -> Mergeable {
        self.measures.0
    }

    /// What a column of its schema is; `None` for the numbers of rows.
    pub(crate) fn column(&self, index: usize) -> Option<RowColumn> {
        self.columns.get(index).copied()
    }

    /// The aggregate of SQL that means an output.
    pub(crate) fn declared(&self, output: usize) -> Option<DeclaredAggregate> {
        self.measures.1.get(output).copied().flatten()
    }

    /// The name of an output.
    pub(crate) fn output_name(&self, output: usize) -> &str {
        self.row_type.outputs.get(output).and_then(|output| output.name.as_deref()).unwrap_or("value")
    }

    /// The Arrow type of an output.
    pub(crate) fn output_type(&self, output: usize) -> DataType {
        let first = self.columns.len() - self.row_type.outputs.len();
        self.schema.field(first + output).data_type().clone()
    }

    /// The same rows, with a column of their numbers at the end; and those rows.
    pub(crate) fn numbered(&self, column: &str) -> (Self, Arc<NumberedRows>) {
        let mut fields = self.schema.fields().to_vec();
        fields.push(Arc::new(Field::new(column, DataType::UInt32, false)));
        let rows = Arc::new(NumberedRows { served: self.served.clone(), read: OnceLock::new() });
        let schema = Arc::new(Schema::new(fields));
        (MetricTable { schema, numbered: Some(rows.clone()), ..self.clone() }, rows)
    }
}

/// The rows that a plan reads of a metric. They are computed when the first of them is read, once.
#[derive(Debug)]
pub(crate) struct NumberedRows {
    served: ServedSnapshot,
    read: OnceLock<Read>,
}

/// What is read, and its rows.
#[derive(Debug)]
struct Read {
    request: ReadRequest,
    rows: OnceLock<Result<Arc<MeasuredRows>, Arc<DataFusionError>>>,
}

impl NumberedRows {
    fn choose(&self, request: &ReadRequest) -> Result<()> {
        let read = self.read.get_or_init(|| Read { request: request.clone(), rows: OnceLock::new() });
        match read.request == *request {
            true => Ok(()),
            // Numbers are those of one read.
            false => Err(DataFusionError::Internal("two scans number the rows of one".to_owned())),
        }
    }

    /// The rows.
    ///
    /// # Errors
    /// If they cannot be computed.
    pub(crate) fn rows(&self) -> Result<Arc<MeasuredRows>> {
        let unread = || DataFusionError::Internal("rows are measured before they are read".to_owned());
        let Read { request, rows } = self.read.get().ok_or_else(unread)?;
        let rows = rows.get_or_init(|| measured(&self.served, request).map_err(Arc::new));
        rows.clone().map_err(DataFusionError::Shared)
    }
}

fn measured(served: &ServedSnapshot, request: &ReadRequest) -> Result<Arc<MeasuredRows>> {
    let query = served.query(request.clone()).map_err(failed)?;
    Ok(Arc::new(query.measured(served.published()).map_err(failed)?))
}

pub(crate) fn failed(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> DataFusionError {
    DataFusionError::External(error.into())
}

#[async_trait]
impl TableProvider for MetricTable {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn table_type(&self) -> TableType {
        TableType::View
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        // What is read may have more rows than the filter keeps, so it is applied again.
        let pushed = filters.iter().map(|filter| match can_be_pushed(&self.row_type, filter) {
            true => TableProviderFilterPushDown::Inexact,
            false => TableProviderFilterPushDown::Unsupported,
        });
        Ok(pushed.collect())
    }

    async fn scan(
        &self,
        _: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let request = request_of(&self.row_type, filters, &self.served);
        let all: Vec<usize> = (0..self.schema.fields().len()).collect();
        let wanted = projection.unwrap_or(&all);
        let rows = match &self.numbered {
            Some(rows) => rows.clone(),
            None => Arc::new(NumberedRows { served: self.served.clone(), read: OnceLock::new() }),
        };
        rows.choose(&request)?;
        let schema = Arc::new(self.schema.project(wanted)?);
        let columns = wanted.iter().map(|column| self.column(*column)).collect();
        let scan: Arc<dyn PartitionStream> = Arc::new(MetricScan {
            metric: self.row_type.name.clone(),
            rows,
            columns,
            schema: schema.clone(),
        });
        Ok(Arc::new(StreamingTableExec::try_new(schema, vec![scan], None, None, false, limit)?))
    }
}

/// Reads the rows of a metric, a batch at a time.
struct MetricScan {
    metric: String,
    rows: Arc<NumberedRows>,
    /// `None` is the number of the row.
    columns: Vec<Option<RowColumn>>,
    schema: SchemaRef,
}

impl fmt::Debug for MetricScan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MetricScan({})", self.metric)
    }
}

impl PartitionStream for MetricScan {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        let (rows, columns, schema) = (self.rows.clone(), self.columns.clone(), self.schema.clone());
        let (mut read, mut at) = (None, 0);
        let mut next = move || -> Result<Option<RecordBatch>> {
            let read = match &mut read {
                Some(read) => read,
                none => none.insert(rows.rows()?),
            };
            let range = at..read.n_rows().min(at + BATCH_ROWS);
            at = range.end;
            (!range.is_empty()).then(|| batch(read, range, &columns, &schema)).transpose()
        };
        let batches = futures::stream::iter(std::iter::from_fn(move || next().transpose()));
        Box::pin(RecordBatchStreamAdapter::new(self.schema.clone(), batches))
    }
}

fn batch(
    rows: &MeasuredRows,
    range: Range<usize>,
    columns: &[Option<RowColumn>],
    schema: &SchemaRef,
) -> Result<RecordBatch> {
    let wanted: Vec<RowColumn> = columns.iter().flatten().copied().collect();
    let mut read = rows.columns(range.clone(), &wanted).map_err(failed)?.into_iter();
    let number = |row: usize| u32::try_from(row).map_err(failed);
    let column = |column: &Option<RowColumn>| -> Result<ArrayRef> {
        match column {
            Some(_) => {
                Ok(read.next().ok_or_else(|| DataFusionError::Internal("a column is missing".into()))?)
            }
            None => Ok(Arc::new(UInt32Array::from_iter_values(number(range.start)?..number(range.end)?))),
        }
    };
    let columns = columns.iter().map(column).collect::<Result<Vec<_>>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(range.len()));
    Ok(RecordBatch::try_new_with_options(schema.clone(), columns, &options)?)
}

/// The table of a metric, if that is what a table is.
pub(crate) fn as_metric(table: &dyn TableProvider) -> Option<&MetricTable> {
    (table as &dyn Any).downcast_ref()
}

/// What a plan may not do with rows.
pub(crate) fn refused<T>(problem: impl fmt::Display) -> Result<T> {
    plan_err!("{problem}")
}
