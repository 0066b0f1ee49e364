//! Rows for other programs: as CSV, and as a typed Arrow batch.

use std::io::Write;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::ipc::writer::StreamWriter;
use metricc_client::ServingError;
use metricc_ir::RowType;

use crate::column_names::{PARTIAL, ROLLED_UP, WINDOW, check_presented};
use crate::typed_column::typed_column;
use crate::{Presented, ServeError, text_table};

/// Key of the schema's metadata that says what could not be computed, as [`Presented::overflow_json`] has it.
pub const OVERFLOW_METADATA: &str = "metricc.overflow";

/// Rows of a batch of an Arrow IPC stream; the last one has fewer.
pub(crate) const ARROW_ROWS: usize = 65_536;

/// Rows as CSV with a header (RFC 4180, lines end with LF): `window_start`, `window_end`, `partial` if a
/// range may cut windows, keys, outputs. Null is an empty cell and an empty text is `""`, as in the CSV of
/// logs.
///
/// # Errors
/// [`ArrowError`] if two columns would have one name.
pub fn csv(presented: &Presented) -> Result<String, ArrowError> {
    let mut out = csv_header(presented)?.into_bytes();
    csv_rows(presented, &mut out);
    String::from_utf8(out).map_err(|error| ArrowError::CsvError(error.to_string()))
}

/// The line of the header.
pub(crate) fn csv_header(presented: &Presented) -> Result<String, ArrowError> {
    let header = text_table(&presented.slice(0, 0)).header;
    check_presented(presented).map_err(twice)?;
    Ok(header.iter().map(|name| csv_cell(name)).collect::<Vec<_>>().join(",") + "\n")
}

/// The lines of the rows.
pub(crate) fn csv_rows(presented: &Presented, out: &mut Vec<u8>) {
    for row in text_table(presented).rows {
        let cells = row.iter().map(|cell| cell.as_deref().map_or_else(String::new, csv_cell));
        out.extend(cells.collect::<Vec<_>>().join(",").as_bytes());
        out.push(b'\n');
    }
}

fn csv_cell(text: &str) -> String {
    if text.is_empty() || text.contains(['"', ',', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

#[expect(clippy::needless_pass_by_value, reason = "for `map_err`")]
pub(crate) fn twice(error: ServeError) -> ArrowError {
    ArrowError::InvalidArgumentError(error.to_string())
}

/// Rows as typed columns: `window_start`, `window_end`, `partial` if a range may cut windows, keys, outputs.
/// Instants are in UTC, enums are text.
///
/// # Errors
/// [`ArrowError`] if a column is not of its type, or two would have one name.
pub fn record_batch(presented: &Presented) -> Result<RecordBatch, ArrowError> {
    check_presented(presented).map_err(twice)?;
    columns(presented)
}

/// The schema of [`record_batch`] for all rows of a metric, without a range.
///
/// # Errors
/// As there.
pub fn row_schema(row_type: &RowType) -> Result<SchemaRef, ArrowError> {
    Ok(record_batch(&Presented::empty(row_type.clone()))?.schema())
}

/// Rows as typed columns, whatever their names.
pub(crate) fn columns(presented: &Presented) -> Result<RecordBatch, ArrowError> {
    let metric = &presented.row_type;
    let mut fields = Vec::new();
    let mut columns: Vec<ArrayRef> = Vec::new();
    if let Some(windows) = &presented.windows {
        let starts: Vec<i64> = windows.iter().map(|window| window.0).collect();
        let ends: Vec<i64> = windows.iter().map(|window| window.1).collect();
        for (name, instants) in WINDOW.into_iter().zip([starts, ends]) {
            let column: ArrayRef = Arc::new(TimestampMicrosecondArray::from(instants).with_timezone("UTC"));
            fields.push(Field::new(name, column.data_type().clone(), false));
            columns.push(column);
        }
    }
    if let Some(partial) = &presented.partial {
        fields.push(Field::new(PARTIAL, DataType::Boolean, false));
        columns.push(Arc::new(BooleanArray::from(partial.clone())));
    }
    if let Some(totals) = &presented.totals {
        let names: StringArray = (0..presented.n_rows).map(|row| totals.cell(row)).collect();
        fields.push(Field::new(ROLLED_UP, DataType::Utf8, true));
        columns.push(Arc::new(names));
    }
    let keys = metric.keys.iter().map(|key| (key.name.as_str(), &key.ty));
    let outputs = metric.outputs.iter().map(|output| (output.name.as_deref().unwrap_or("value"), &output.ty));
    for ((name, ty), column) in keys.chain(outputs).zip(presented.keys.iter().chain(&presented.outputs)) {
        let column = typed_column(&ty.kind, column)?;
        fields.push(Field::new(name, column.data_type().clone(), true));
        columns.push(column);
    }
    let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(presented.n_rows));
    let schema = with_overflow(&Schema::new(fields), presented.overflow_json());
    RecordBatch::try_new_with_options(schema, columns, &options)
}

/// The schema of an answer of which some rows could not be computed.
pub(crate) fn with_overflow(schema: &Schema, overflow: Option<String>) -> SchemaRef {
    let mut schema = schema.clone();
    schema.metadata.extend(overflow.map(|overflow| (OVERFLOW_METADATA.to_owned(), overflow)));
    Arc::new(schema)
}

/// Rows as an Arrow IPC stream, of batches of 65,536 rows.
///
/// # Errors
/// As [`record_batch`].
pub fn arrow_stream(presented: &Presented) -> Result<Vec<u8>, ArrowError> {
    check_presented(presented).map_err(twice)?;
    let mut bytes = Vec::new();
    write_arrow(presented, &mut bytes)?;
    Ok(bytes)
}

/// Writes the same, whatever the names of the columns.
///
/// # Errors
/// [`ArrowError`] if a column is not of its type, or what the writer gives.
pub fn write_arrow(presented: &Presented, out: &mut impl Write) -> Result<(), ArrowError> {
    let schema = columns(&presented.slice(0, 0))?.schema();
    let schema = with_overflow(&schema, presented.overflow_json());
    let mut writer = StreamWriter::try_new(out, &schema)?;
    // An answer without rows has a batch as well.
    for first in (0..presented.n_rows.max(1)).step_by(ARROW_ROWS) {
        let n_rows = ARROW_ROWS.min(presented.n_rows - first);
        writer.write(&columns(&presented.slice(first, n_rows))?)?;
    }
    writer.finish()
}

/// Why rows do not have a format. If it is for their names, the request can be mended.
pub(crate) fn not_in_format(error: ArrowError) -> ServingError {
    match error {
        ArrowError::InvalidArgumentError(problem) => {
            ServingError::Request(format!("{problem}, or use `format=json`"))
        }
        error => ServingError::Failed(error.into()),
    }
}
