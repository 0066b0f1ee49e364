//! Helpers: the rows of statements.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use arrow::row::{RowConverter, SortField};
use datafusion::error::DataFusionError;
use metricc_sql::{Tables, session};

/// The rows of a statement.
pub(crate) fn query(tables: &Tables, statement: &str) -> Result<RecordBatch, DataFusionError> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let context = session(tables)?;
        let rows = context.sql(statement).await?;
        let schema = Arc::new(rows.schema().as_arrow().clone());
        let batches = rows.collect().await?;
        let schema = batches.first().map_or(schema, |batch| batch.schema());
        Ok(concat_batches(&schema, &batches)?)
    })
}

/// Rows as bytes, in the order of those: equal if the rows are, whatever their order was.
pub(crate) fn sorted_rows(rows: &RecordBatch) -> Vec<Vec<u8>> {
    if rows.num_columns() == 0 {
        return vec![Vec::new(); rows.num_rows()];
    }
    let fields = rows.columns().iter().map(|column| SortField::new(column.data_type().clone()));
    let converter = RowConverter::new(fields.collect()).expect("a converter");
    let converted = converter.convert_columns(rows.columns()).expect("rows");
    let mut converted: Vec<Vec<u8>> = converted.iter().map(|row| row.as_ref().to_vec()).collect();
    converted.sort();
    converted
}
