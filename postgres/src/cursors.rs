//! Cursors: the rows of a statement that a client fetches some at a time.
//!
//! They read forwards, and end with their transaction, as PostgreSQL's do without `WITH HOLD`.

use std::collections::HashMap;

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use arrow::datatypes::SchemaRef;
use datafusion::sql::sqlparser::ast::{CloseCursor, FetchDirection, Ident, Statement, ValueWithSpan};
use pgwire::error::PgWireResult;
use tokio::sync::Mutex;

use crate::errors::{code, error};
use crate::rows::Rows;

/// Most cursors of a connection.
const MOST: usize = 16;

/// The open cursors of a connection, by name.
#[derive(Default)]
pub(crate) struct Cursors(Mutex<HashMap<String, Cursor>>);

struct Cursor {
    rows: Rows,
    /// Rows that were computed and not fetched.
    left: Option<RecordBatch>,
}

impl Cursors {
    pub(crate) async fn open(&self, name: &Ident, rows: Rows) -> PgWireResult<()> {
        let mut open = self.0.lock().await;
        if open.contains_key(&name.value) {
            return Err(error(code::DUPLICATE_CURSOR, format!("cursor \"{}\" already exists", name.value)));
        }
        if open.len() == MOST {
            return Err(error(code::TOO_MANY, format!("a connection has at most {MOST} cursors: close one")));
        }
        open.insert(name.value.clone(), Cursor { rows, left: None });
        Ok(())
    }

    /// The columns of a cursor.
    pub(crate) async fn schema(&self, name: &Ident) -> PgWireResult<SchemaRef> {
        let open = self.0.lock().await;
        let cursor = open.get(&name.value).ok_or_else(|| unknown(name))?;
        Ok(cursor.rows.schema())
    }

    /// The next rows of a cursor.
    pub(crate) async fn fetch(&self, name: &Ident, direction: &FetchDirection) -> PgWireResult<RecordBatch> {
        let most = most(direction)?;
        let mut open = self.0.lock().await;
        let cursor = open.get_mut(&name.value).ok_or_else(|| unknown(name))?;
        let (mut parts, mut n_rows) = (Vec::new(), 0);
        while n_rows < most {
            let batch = match cursor.left.take() {
                Some(batch) => batch,
                None => match cursor.rows.next().await {
                    Some(batch) => batch?,
                    None => break,
                },
            };
            let n_taken = batch.num_rows().min(most - n_rows);
            if n_taken < batch.num_rows() {
                cursor.left = Some(batch.slice(n_taken, batch.num_rows() - n_taken));
            }
            n_rows += n_taken;
            parts.push(batch.slice(0, n_taken));
        }
        concat_batches(&cursor.rows.schema(), &parts)
            .map_err(|failed| error(code::INTERNAL, failed.to_string()))
    }

    pub(crate) async fn close(&self, cursor: &CloseCursor) -> PgWireResult<()> {
        let mut open = self.0.lock().await;
        match cursor {
            CloseCursor::All => open.clear(),
            CloseCursor::Specific { name } => {
                open.remove(&name.value).ok_or_else(|| unknown(name))?;
            }
        }
        Ok(())
    }

    /// Closes all: their transaction has ended.
    pub(crate) async fn end(&self) {
        self.0.lock().await.clear();
    }
}

/// How many rows are fetched.
fn most(direction: &FetchDirection) -> PgWireResult<usize> {
    let number = |value: &ValueWithSpan| value.to_string().parse::<usize>();
    let count = match direction {
        FetchDirection::Next | FetchDirection::Forward { limit: None } => Ok(1),
        FetchDirection::All | FetchDirection::ForwardAll => Ok(usize::MAX),
        FetchDirection::Count { limit } | FetchDirection::Forward { limit: Some(limit) } => number(limit),
        _ => return Err(error(code::CURSOR, "cursor can only scan forward")),
    };
    count.map_err(|_| error(code::CURSOR, "a count of rows is a number from 0 on"))
}

fn unknown(name: &Ident) -> pgwire::error::PgWireError {
    error(code::UNKNOWN_CURSOR, format!("cursor \"{}\" does not exist", name.value))
}

/// Whether a statement is about cursors.
pub(crate) fn is_of_cursors(statement: &Statement) -> bool {
    matches!(statement, Statement::Declare { .. } | Statement::Fetch { .. } | Statement::Close { .. })
}
