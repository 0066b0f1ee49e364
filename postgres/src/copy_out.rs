//! `COPY … TO STDOUT`: the rows of a query as a stream of text, CSV or PostgreSQL's binary form.
//!
//! `psql` writes files with it (`\copy`), and drivers of ADBC read columns by it. The messages are written here and
//! not by the library, which ends a stream that fails with a message that only clients may send.

use std::fmt::Debug;
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::DataType;
use arrow_pg::datatypes::arrow_schema_to_pg_fields;
use arrow_pg::encoder::encode_value;
use datafusion::sql::sqlparser::ast::{
    CopyLegacyCsvOption, CopyLegacyOption, CopyOption, CopySource, CopyTarget, Query, Statement,
};
use futures::{Sink, SinkExt};
use pgwire::api::Type;
use pgwire::api::portal::Format;
use pgwire::api::results::{CopyCsvOptions, CopyEncoder, CopyTextOptions, FieldFormat, FieldInfo, Tag};
use pgwire::error::{PgWireError, PgWireResult};
use pgwire::messages::PgWireBackendMessage;
use pgwire::messages::copy::{CopyData, CopyDone, CopyOutResponse};
use pgwire::types::format::FormatOptions;

use crate::errors::{code, error};
use crate::rows::Rows;

/// A statement that copies rows out.
pub(crate) struct CopyOut {
    /// What gives the rows: a query, or all rows of a table.
    pub(crate) query: String,
    form: Form,
    header: bool,
}

/// How rows are written.
#[derive(Debug)]
enum Form {
    Text(CopyTextOptions),
    Csv(CopyCsvOptions),
    Binary,
}

impl CopyOut {
    /// What a statement copies; `None` if it is another statement.
    ///
    /// # Errors
    /// With code 25006 if it would write, and with 0A000 if it has an option that there is not.
    pub(crate) fn of(statement: &Statement) -> PgWireResult<Option<Self>> {
        let Statement::Copy { source, to, target, options, legacy_options, .. } = statement else {
            return Ok(None);
        };
        if !to {
            return Err(error(code::READ_ONLY, "cannot execute COPY FROM: statements here only read"));
        }
        if *target != CopyTarget::Stdout {
            let problem = format!("cannot copy to {target}: write TO STDOUT, or \\copy in psql");
            return Err(error(code::READ_ONLY, problem));
        }
        let query = query_of(source);
        let mut given = Given::default();
        options.iter().try_for_each(|option| given.take(option))?;
        legacy_options.iter().try_for_each(|option| given.take_legacy(option))?;
        let header = given.header;
        Ok(Some(CopyOut { query, form: given.form()?, header }))
    }

    /// Writes all rows to a client; gives the tag of the statement.
    ///
    /// # Errors
    /// If rows cannot be computed, or the client is gone.
    pub(crate) async fn send<C>(&self, mut rows: Rows, client: &mut C) -> PgWireResult<Tag>
    where
        C: Sink<PgWireBackendMessage> + Unpin,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        let is_binary = matches!(self.form, Form::Binary);
        let format = if is_binary { Format::UnifiedBinary } else { Format::UnifiedText };
        let options = Arc::new(FormatOptions::default());
        let fields = Arc::new(arrow_schema_to_pg_fields(&rows.schema(), &format, Some(options))?);
        let (n_columns, code) = (i16::try_from(fields.len()).unwrap_or(i16::MAX), i16::from(is_binary));
        let begun = CopyOutResponse::new(i8::from(is_binary), n_columns, vec![code; fields.len()]);
        client.send(PgWireBackendMessage::CopyOutResponse(begun)).await?;
        if self.header {
            client.feed(PgWireBackendMessage::CopyData(self.header(&fields)?)).await?;
        }
        let (mut n_rows, mut binary) = (0, CopyEncoder::new_binary(fields.clone()));
        while let Some(batch) = rows.next().await {
            let batch = batch?;
            let mut of_batch = self.encoder(&fields, &batch);
            let encoder = of_batch.as_mut().unwrap_or(&mut binary);
            for row in 0..batch.num_rows() {
                let row = encoded(encoder, &batch, row, &fields)?;
                rows.copied(1, row.data.len() as u64);
                client.feed(PgWireBackendMessage::CopyData(row)).await?;
            }
            n_rows += batch.num_rows();
        }
        if is_binary {
            let end = match n_rows {
                0 => CopyData::new(EMPTY_BINARY.into()),
                _ => CopyEncoder::finish_copy_binary(),
            };
            client.feed(PgWireBackendMessage::CopyData(end)).await?;
        }
        client.send(PgWireBackendMessage::CopyDone(CopyDone::new())).await?;
        Ok(Tag::new("COPY").with_rows(n_rows))
    }

    /// What encodes a batch as text; `None` in binary form, whose one encoder remembers its header.
    fn encoder(&self, fields: &Arc<Vec<FieldInfo>>, batch: &RecordBatch) -> Option<CopyEncoder> {
        match &self.form {
            Form::Binary => None,
            Form::Text(options) => Some(CopyEncoder::new_text(fields.clone(), options.clone())),
            Form::Csv(options) => {
                // An empty text is quoted, since an empty cell is null.
                let force_quote = (0..fields.len()).filter(|column| has_empty_text(batch.column(*column)));
                let options = CopyCsvOptions { force_quote: force_quote.collect(), ..options.clone() };
                Some(CopyEncoder::new_csv(fields.clone(), options))
            }
        }
    }

    fn header(&self, fields: &[FieldInfo]) -> PgWireResult<CopyData> {
        let texts = fields
            .iter()
            .map(|field| FieldInfo::new(field.name().to_owned(), None, None, Type::TEXT, FieldFormat::Text));
        let texts = Arc::new(texts.collect::<Vec<_>>());
        let mut encoder = match &self.form {
            Form::Csv(options) => CopyEncoder::new_csv(texts, options.clone()),
            Form::Text(options) => CopyEncoder::new_text(texts, options.clone()),
            Form::Binary => return Err(unsupported("HEADER in binary form")),
        };
        fields.iter().try_for_each(|field| encoder.encode_field(&field.name()))?;
        Ok(encoder.take_copy())
    }
}

/// Header and end of the binary form in one message. The encoder writes the header with the first row, as PostgreSQL
/// does, and clients read it so.
const EMPTY_BINARY: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0\xff\xff";

fn encoded(
    encoder: &mut CopyEncoder,
    batch: &RecordBatch,
    row: usize,
    fields: &[FieldInfo],
) -> PgWireResult<CopyData> {
    let schema = batch.schema_ref();
    for ((column, field), wire) in batch.columns().iter().zip(schema.fields()).zip(fields) {
        encode_value(encoder, column, row, field, wire)?;
    }
    Ok(encoder.take_copy())
}

fn has_empty_text(column: &dyn Array) -> bool {
    match column.data_type() {
        DataType::Utf8 => column.as_string::<i32>().iter().any(|text| text == Some("")),
        DataType::LargeUtf8 => column.as_string::<i64>().iter().any(|text| text == Some("")),
        DataType::Utf8View => column.as_string_view().iter().any(|text| text == Some("")),
        // Other columns of text, such as dictionaries, are quoted whether they have one or not.
        other => matches!(other, DataType::Dictionary(..)),
    }
}

fn query_of(source: &CopySource) -> String {
    match source {
        CopySource::Query(query) => Query::to_string(query),
        CopySource::Table { table_name, columns } if columns.is_empty() => {
            format!("SELECT * FROM {table_name}")
        }
        CopySource::Table { table_name, columns } => {
            let columns: Vec<String> = columns.iter().map(ToString::to_string).collect();
            format!("SELECT {} FROM {table_name}", columns.join(", "))
        }
    }
}

/// The options of a statement.
#[derive(Debug, Default)]
struct Given {
    format: Option<String>,
    delimiter: Option<char>,
    null: Option<String>,
    quote: Option<char>,
    header: bool,
}

impl Given {
    fn take(&mut self, option: &CopyOption) -> PgWireResult<()> {
        match option {
            CopyOption::Format(name) => self.format = Some(name.value.to_lowercase()),
            CopyOption::Delimiter(delimiter) => self.delimiter = Some(*delimiter),
            CopyOption::Null(text) => self.null = Some(text.clone()),
            CopyOption::Header(header) => self.header = *header,
            CopyOption::Quote(quote) => self.quote = Some(*quote),
            // It is how quotes are written here.
            CopyOption::Escape('"') => {}
            CopyOption::Encoding(name) if is_utf8(name) => {}
            other => return Err(unsupported(&other.to_string())),
        }
        Ok(())
    }

    /// As the option was written before PostgreSQL 9.0, and often still is: `CSV HEADER`.
    fn take_legacy(&mut self, option: &CopyLegacyOption) -> PgWireResult<()> {
        match option {
            CopyLegacyOption::Binary => self.format = Some("binary".to_owned()),
            CopyLegacyOption::Delimiter(delimiter) => self.delimiter = Some(*delimiter),
            CopyLegacyOption::Null(text) => self.null = Some(text.clone()),
            CopyLegacyOption::Header => self.header = true,
            CopyLegacyOption::Csv(options) => {
                self.format = Some("csv".to_owned());
                for option in options {
                    match option {
                        CopyLegacyCsvOption::Header => self.header = true,
                        CopyLegacyCsvOption::Quote(quote) => self.quote = Some(*quote),
                        CopyLegacyCsvOption::Escape('"') => {}
                        other => return Err(unsupported(&other.to_string())),
                    }
                }
            }
            other => return Err(unsupported(&other.to_string())),
        }
        Ok(())
    }

    fn form(self) -> PgWireResult<Form> {
        if self
            .delimiter
            .into_iter()
            .chain(self.quote)
            .any(|one| !one.is_ascii() || one.is_ascii_control() && one != '\t')
        {
            return Err(unsupported("a delimiter or quote that is no printable ASCII character or tab"));
        }
        let is_binary = self.format.as_deref() == Some("binary");
        if is_binary
            && (self.header || self.delimiter.is_some() || self.null.is_some() || self.quote.is_some())
        {
            return Err(unsupported("HEADER, DELIMITER, NULL or QUOTE in binary form"));
        }
        let delimiter = self.delimiter.map(|delimiter| delimiter.to_string().into());
        match self.format.as_deref() {
            None | Some("text") => {
                let CopyTextOptions { delimiter: tab, null_string } = CopyTextOptions::default();
                Ok(Form::Text(CopyTextOptions {
                    delimiter: delimiter.unwrap_or(tab),
                    null_string: self.null.map_or(null_string, Into::into),
                }))
            }
            Some("csv") => {
                let usual = CopyCsvOptions::default();
                Ok(Form::Csv(CopyCsvOptions {
                    delimiter: delimiter.unwrap_or(usual.delimiter),
                    quote: self.quote.map_or(usual.quote, |quote| quote.to_string().into()),
                    null_string: self.null.map_or(usual.null_string, Into::into),
                    ..CopyCsvOptions::default()
                }))
            }
            Some("binary") => Ok(Form::Binary),
            Some(other) => Err(error(
                code::SYNTAX,
                format!("there is no format {other:?} of COPY: write text, csv or binary"),
            )),
        }
    }
}

fn is_utf8(name: &str) -> bool {
    ["utf8", "utf-8", "unicode"].contains(&name.to_lowercase().as_str())
}

fn unsupported(what: &str) -> PgWireError {
    error(code::UNSUPPORTED, format!("COPY does not know {what}"))
}
