//! The rows of a statement, in a format.

use std::io::{BufWriter, Write};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::ipc::writer::StreamWriter;
use futures::StreamExt;

use crate::cli::arguments::{QueryFormat, SqlArguments};
use crate::cli::table::{self, Rows};
use crate::cli::terminal::{self, Failure, Stdout, counted};
use crate::sql::{Tables, csv, json_lines, message, row_texts, rows, session};

/// Runs the statement, and writes its rows to stdout as they come.
pub(super) fn write(tables: &Tables, arguments: &SqlArguments) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(write_rows(tables, arguments))
}

async fn write_rows(tables: &Tables, arguments: &SqlArguments) -> Result<(), Failure> {
    let failed = |error| Failure::Message(message(&error));
    let context = session(tables).map_err(failed)?;
    let mut batches = rows(&context, &arguments.statement).await.map_err(failed)?;
    let mut writer = Writer::new(arguments, &batches.schema())?;
    while let Some(batch) = batches.next().await {
        writer.write(&batch.map_err(failed)?)?;
    }
    writer.finish()
}

/// Writes batches to stdout.
struct Writer {
    format: QueryFormat,
    schema: SchemaRef,
    out: BufWriter<Stdout>,
    is_first: bool,
    /// Rows of a table, which has widths of all of them: as many as are shown, and how many there are.
    shown: Vec<Vec<Option<String>>>,
    n_rows: usize,
    limit: usize,
    arrow: Option<StreamWriter<Vec<u8>>>,
}

impl Writer {
    fn new(arguments: &SqlArguments, schema: &SchemaRef) -> Result<Self, Failure> {
        let arrow = match arguments.output {
            QueryFormat::Arrow => Some(StreamWriter::try_new(Vec::new(), schema)?),
            _ => None,
        };
        Ok(Writer {
            format: arguments.output,
            schema: schema.clone(),
            out: BufWriter::new(Stdout),
            is_first: true,
            shown: Vec::new(),
            n_rows: 0,
            limit: if arguments.limit == 0 { usize::MAX } else { arguments.limit },
            arrow,
        })
    }

    fn write(&mut self, batch: &RecordBatch) -> Result<(), Failure> {
        let failed = |error| Failure::Message(message(&error));
        self.n_rows += batch.num_rows();
        let bytes = match self.format {
            QueryFormat::Table => {
                let n_shown = batch.num_rows().min(self.limit - self.shown.len());
                self.shown.extend(row_texts(&batch.slice(0, n_shown)).map_err(failed)?);
                return Ok(());
            }
            QueryFormat::Json => json_lines(batch).map_err(failed)?,
            QueryFormat::Csv => csv(batch, self.is_first).map_err(failed)?,
            QueryFormat::Arrow => self.arrow_bytes(Some(batch))?,
        };
        self.is_first = false;
        self.put(&bytes)
    }

    /// The bytes of a batch, or those after the last one.
    fn arrow_bytes(&mut self, batch: Option<&RecordBatch>) -> Result<Vec<u8>, Failure> {
        let Some(writer) = &mut self.arrow else { return Ok(Vec::new()) };
        match batch {
            Some(batch) => writer.write(batch)?,
            None => writer.finish()?,
        }
        Ok(std::mem::take(writer.get_mut()))
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.out.write_all(bytes).map_err(terminal::of_stdout)
    }

    fn finish(mut self) -> Result<(), Failure> {
        let bytes = match self.format {
            QueryFormat::Table => self.table().into_bytes(),
            QueryFormat::Csv if self.is_first => {
                let none = RecordBatch::new_empty(self.schema.clone());
                csv(&none, true).map_err(|error| Failure::Message(message(&error)))?
            }
            QueryFormat::Json | QueryFormat::Csv => Vec::new(),
            QueryFormat::Arrow => self.arrow_bytes(None)?,
        };
        self.put(&bytes)?;
        self.out.flush().map_err(terminal::of_stdout)
    }

    fn table(&self) -> String {
        let fields = self.schema.fields();
        let header: Vec<String> = fields.iter().map(|field| field.name().clone()).collect();
        let is_number: Vec<bool> = fields.iter().map(|field| field.data_type().is_numeric()).collect();
        let rows =
            Rows { name: "", unit: None, doc: "", header: &header, is_number: &is_number, rows: &self.shown };
        let more = match self.n_rows - self.shown.len() {
            0 => String::new(),
            n_hidden => format!("… {} more; --limit 0 shows all\n", counted(n_hidden, "row", "rows")),
        };
        // There is no title.
        format!("{}{more}", table::table(&rows, 0).trim_start())
    }
}
