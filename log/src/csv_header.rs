//! The header of CSV: where the fields of a source stand.

use metricc_ir::text::csv_cells::split_at;

use crate::content_kind::OtherKind;
use crate::field_decoder::{FieldDecoder, ValueFormat};
use crate::record_decoder::RecordDecoder;
use crate::{BodyError, Format, LogError};

/// Where the fields of a source stand in the records of a text.
#[derive(Debug, Clone)]
pub(crate) struct Header {
    /// The cell of each field; `None` for one that may be absent and is.
    pub(crate) cells: Vec<Option<usize>>,
    /// The names of all cells.
    pub(crate) names: Vec<String>,
    pub(crate) delimiter: u8,
}

/// Why a header is not one of the source.
#[derive(Debug)]
pub(crate) enum HeaderError {
    /// It is no row of CSV.
    Malformed(String),
    /// The text is of another kind.
    OtherKind(OtherKind),
    /// A field is of this type, which is lists or records.
    Several { column: String, ty: String, several: &'static str },
    /// The path of a field, as declared, goes on where a cell has one value.
    NoObjects { column: String, field: String, names: Vec<String> },
    /// There is more than one column for a field.
    Repeated(String),
    /// There is no column for a field.
    Missing { field: Box<FieldDecoder>, names: Vec<String> },
}

impl HeaderError {
    /// The error of a file of the source `origin`.
    pub(crate) fn in_file(self, path: &str, origin: &str) -> LogError {
        let format = Format::Csv.name();
        match self {
            HeaderError::Malformed(problem) => LogError::Malformed { path: path.to_owned(), format, problem },
            HeaderError::OtherKind(OtherKind { found, help }) => {
                LogError::OtherKind { path: path.to_owned(), format, found, help }
            }
            HeaderError::Several { column, ty, several } => LogError::ColumnType {
                path: path.into(),
                column: column.into(),
                origin: origin.into(),
                found: "text".into(),
                expected: ty.into(),
                help: format!("CSV has no {several}: use NDJSON or Parquet").into(),
            },
            HeaderError::NoObjects { column, field, names } => LogError::NoObjects {
                path: path.into(),
                column: column.into(),
                field: field.into(),
                columns: names,
            },
            HeaderError::Repeated(column) => LogError::RepeatedColumn { path: path.to_owned(), column },
            HeaderError::Missing { field, names } => {
                field.missing_column(path, origin, &field.path.header(), names)
            }
        }
    }

    /// The error of a request.
    pub(crate) fn in_request(self) -> BodyError {
        match self {
            HeaderError::Malformed(problem) => {
                BodyError::Columns(format!("the body is not valid CSV: {problem}"))
            }
            HeaderError::OtherKind(OtherKind { found, help }) => {
                BodyError::Columns(format!("the body is {found}: {help}"))
            }
            HeaderError::Several { column, ty, several } => BodyError::Columns(format!(
                "`{column}` is a `{ty}`, and CSV has no {several}: send JSON or Arrow"
            )),
            error @ HeaderError::NoObjects { .. } => {
                let error = error.in_file("the body", "");
                BodyError::Columns(
                    error.help().map_or_else(|| error.to_string(), |help| format!("{error}; {help}")),
                )
            }
            HeaderError::Repeated(column) => {
                BodyError::Columns(format!("there is more than one column `{column}`"))
            }
            HeaderError::Missing { field, names } => {
                let column = field.path.header();
                let error = field.missing_column("the body", "", &column, names);
                let help = error.help().unwrap_or_default();
                BodyError::Columns(format!("there is no column `{column}`; {help}"))
            }
        }
    }
}

/// Bytes that stand between cells in files that are called CSV, with what `delimiter=` says for them.
const DELIMITERS: [(u8, &str); 4] = [(b',', ","), (b';', ";"), (b'\t', "tab"), (b'|', "|")];

impl Header {
    /// Reads a header.
    ///
    /// # Errors
    /// [`HeaderError`] if the source cannot be read from records under it.
    pub(crate) fn parse(decoder: &RecordDecoder, record: &[u8], delimiter: u8) -> Result<Self, HeaderError> {
        let text = std::str::from_utf8(record);
        let text = text.map_err(|_| HeaderError::Malformed("its header is no UTF-8 text".to_owned()))?;
        if let Some(kind) = other_kind(decoder, text, delimiter) {
            return Err(HeaderError::OtherKind(kind));
        }
        let names = names(text, delimiter);
        let names = names.map_err(|problem| HeaderError::Malformed(format!("in its header: {problem}")))?;
        let cells = decoder.fields.iter().map(|field| {
            let header = field.path.header();
            let several = match field.value.format {
                ValueFormat::List(_) => Some("lists"),
                ValueFormat::Record(_) => Some("records"),
                _ => None,
            };
            if let Some(several) = several {
                let (column, ty) = (header, field.value.ty.to_string());
                return Err(HeaderError::Several { column, ty, several });
            }
            let mut found =
                names.iter().enumerate().filter(|(_, name)| **name == header).map(|(index, _)| index);
            match (found.next(), found.next()) {
                (Some(_), Some(_)) => Err(HeaderError::Repeated(header)),
                // It would be absent from every record, and nobody would know why.
                (None, _) if field.path.steps().len() > 1 => {
                    let field = field.declared();
                    Err(HeaderError::NoObjects { column: header, field, names: names.clone() })
                }
                (None, _) if !field.may_be_absent() => {
                    Err(HeaderError::Missing { field: Box::new(field.clone()), names: names.clone() })
                }
                (index, _) => Ok(index),
            }
        });
        let cells = cells.collect::<Result<_, _>>()?;
        Ok(Header { cells, names, delimiter })
    }
}

fn names(header: &str, delimiter: u8) -> Result<Vec<String>, &'static str> {
    let mut cells = Vec::new();
    split_at(header, delimiter, &mut cells)?;
    Ok(cells.iter().map(|cell| cell.text().into_owned()).collect())
}

/// What a text is whose header has none of the fields because something else separates its cells.
fn other_kind(decoder: &RecordDecoder, header: &str, delimiter: u8) -> Option<OtherKind> {
    let n_fields =
        |names: &[String]| decoder.fields.iter().filter(|field| names.contains(&field.path.header())).count();
    let own = names(header, delimiter).unwrap_or_default();
    if n_fields(&own) > 0 {
        return None;
    }
    let others = DELIMITERS.into_iter().filter(|(other, _)| *other != delimiter);
    let mut splits = others.filter_map(|(other, name)| Some((name, names(header, other).ok()?)));
    let is_it = |split: &Vec<String>| split.len() > 1 && (n_fields(split) > 0 || own.len() <= 1);
    splits.find(|(_, split)| is_it(split)).map(|(name, _)| OtherKind {
        found: format!("text with `{name}` between its cells"),
        help: format!(
            "say `delimiter={name}`: after the path of a source, in quotes (`--source 'NAME=PATH,delimiter={name}'`), \
             as `--delimiter '{name}'` of `ingest`, or in the content type (`text/csv; delimiter=…`)"
        ),
    })
}
