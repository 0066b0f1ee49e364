//! The rows of a statement on the wire, within its limits.

use std::sync::Arc;
use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow_pg::datatypes::{arrow_schema_to_pg_fields, encode_recordbatch};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::logical_expr::LogicalPlan;
use datafusion::prelude::{DataFrame, SessionContext};
use futures::{StreamExt, stream};
use pgwire::api::portal::Format;
use pgwire::api::results::QueryResponse;
use pgwire::error::{PgWireError, PgWireResult};
use pgwire::messages::data::DataRow;
use pgwire::types::format::FormatOptions;
use tokio::time::{Instant, timeout_at};

use crate::cancel::{Cancel, cancelled};
use crate::errors::{code, error, of_statement};
use crate::reading::Reading;

/// What a statement may take, and holds until its last row.
pub(crate) struct Allowance {
    pub(crate) timeout: Duration,
    pub(crate) max_rows: u64,
    /// The place of the statement.
    pub(crate) _place: Box<dyn Send + Sync>,
    pub(crate) reading: Reading,
    pub(crate) cancel: Cancel,
}

/// The rows of a statement, as they are computed.
pub(crate) struct Rows {
    batches: SendableRecordBatchStream,
    until: Instant,
    allowance: Allowance,
    n_rows: u64,
    is_done: bool,
}

impl Rows {
    /// Begins to compute them.
    pub(crate) async fn open(
        context: &SessionContext,
        plan: LogicalPlan,
        mut allowance: Allowance,
    ) -> PgWireResult<Self> {
        allowance.reading.planned(&plan);
        let until = Instant::now() + allowance.timeout;
        let frame = DataFrame::new(context.state(), plan);
        let opened = timeout_at(until, frame.execute_stream()).await;
        let opened = match opened {
            Ok(opened) => opened.map_err(|failed| of_statement(&failed)),
            Err(_) => Err(timed_out(&allowance)),
        };
        let batches = allowance.reading.noted(opened)?;
        Ok(Rows { batches, until, allowance, n_rows: 0, is_done: false })
    }

    pub(crate) fn schema(&self) -> SchemaRef {
        self.batches.schema()
    }

    /// The next rows; `None` after the last ones, and after an error.
    pub(crate) async fn next(&mut self) -> Option<PgWireResult<RecordBatch>> {
        if self.is_done {
            return None;
        }
        let next = timeout_at(self.until, self.batches.next());
        let next = tokio::select! {
            biased;
            () = self.allowance.cancel.requested() => Err(cancelled()),
            next = next => next.map_err(|_| timed_out(&self.allowance)),
        };
        let batch = match next {
            Err(failed) => Err(failed),
            Ok(None) => {
                self.is_done = true;
                self.allowance.reading.complete();
                return None;
            }
            Ok(Some(Err(failed))) => Err(of_statement(&failed)),
            Ok(Some(Ok(batch))) => Ok(batch),
        };
        let batch = batch.and_then(|batch| {
            self.n_rows += batch.num_rows() as u64;
            match self.n_rows > self.allowance.max_rows {
                true => Err(too_many(self.allowance.max_rows)),
                false => Ok(batch),
            }
        });
        self.is_done = batch.is_err();
        Some(self.allowance.reading.noted(batch))
    }

    /// Notes rows that are sent.
    fn sent(&mut self, rows: &[PgWireResult<DataRow>]) {
        let n_bytes = rows.iter().flatten().map(|row| row.data.len() as u64).sum();
        self.allowance.reading.sent(rows.len() as u64, n_bytes);
    }

    /// Notes rows that are sent in another form.
    pub(crate) fn copied(&mut self, n_rows: u64, n_bytes: u64) {
        self.allowance.reading.sent(n_rows, n_bytes);
    }

    /// All rows, in a format.
    pub(crate) fn answer(self, format: &Format, options: FormatOptions) -> PgWireResult<QueryResponse> {
        let fields = arrow_schema_to_pg_fields(&self.schema(), format, Some(Arc::new(options)))?;
        let fields = Arc::new(fields);
        let encoded_fields = fields.clone();
        let batches = stream::unfold(self, move |mut rows| {
            let fields = encoded_fields.clone();
            async move {
                let encoded = rows.next().await?.map(|batch| {
                    let encoded: Vec<PgWireResult<DataRow>> = encode_recordbatch(fields, batch).collect();
                    rows.sent(&encoded);
                    encoded
                });
                Some((encoded, rows))
            }
        });
        let rows = batches.flat_map(|batch| stream::iter(batch.unwrap_or_else(|failed| vec![Err(failed)])));
        Ok(QueryResponse::new(fields, rows))
    }
}

/// Rows that are there, in a format.
pub(crate) fn answer_of(
    rows: RecordBatch,
    format: &Format,
    options: FormatOptions,
    reading: Option<&mut Reading>,
) -> PgWireResult<QueryResponse> {
    let fields = Arc::new(arrow_schema_to_pg_fields(&rows.schema(), format, Some(Arc::new(options)))?);
    let encoded: Vec<_> = encode_recordbatch(fields.clone(), rows).collect();
    if let Some(reading) = reading {
        let n_bytes = encoded.iter().flatten().map(|row| row.data.len() as u64).sum();
        reading.sent(encoded.len() as u64, n_bytes);
        reading.complete();
    }
    Ok(QueryResponse::new(fields, stream::iter(encoded)))
}

fn timed_out(allowance: &Allowance) -> PgWireError {
    let seconds = allowance.timeout.as_secs_f64();
    error(code::CANCELED, format!("canceling statement due to statement timeout, which is {seconds} s"))
}

fn too_many(most: u64) -> PgWireError {
    let problem = format!(
        "the answer has more than {most} rows: ask for fewer with WHERE, GROUP BY or LIMIT; `max_rows` under \
         `[postgres]` in the configuration of the node allows more"
    );
    error(code::LIMIT, problem)
}
