//! The rows of statements as text.

use arrow::array::RecordBatch;
use arrow::csv::writer::WriterBuilder as CsvBuilder;
use arrow::json::writer::{LineDelimited, WriterBuilder as JsonBuilder};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::common::Result;

/// The cells of each row as text; `None` where there is no value. Instants are in UTC.
///
/// # Errors
/// If a column has no text.
pub fn row_texts(batch: &RecordBatch) -> Result<Vec<Vec<Option<String>>>> {
    let options = FormatOptions::default().with_display_error(false);
    let columns = batch.columns().iter().map(|column| ArrayFormatter::try_new(column.as_ref(), &options));
    let columns = columns.collect::<std::result::Result<Vec<_>, _>>()?;
    let cell = |row: usize| {
        let cells =
            columns.iter().zip(batch.columns()).map(move |(texts, column)| match column.is_null(row) {
                true => Ok(None),
                false => Ok(Some(texts.value(row).try_to_string()?)),
            });
        cells.collect::<Result<Vec<_>>>()
    };
    (0..batch.num_rows()).map(cell).collect()
}

/// The rows as CSV (RFC 4180), with a header if these are the first ones. Null and an empty text are empty cells.
///
/// # Errors
/// If a column has no form in CSV, such as a list.
pub fn csv(batch: &RecordBatch, is_first: bool) -> Result<Vec<u8>> {
    let mut text = Vec::new();
    CsvBuilder::new().with_header(is_first).build(&mut text).write(batch)?;
    Ok(text)
}

/// One JSON object per row and line. Null is said.
///
/// # Errors
/// If a column has no form in JSON.
pub fn json_lines(batch: &RecordBatch) -> Result<Vec<u8>> {
    let mut text = Vec::new();
    let mut writer = JsonBuilder::new().with_explicit_nulls(true).build::<_, LineDelimited>(&mut text);
    writer.write(batch)?;
    writer.finish()?;
    Ok(text)
}
