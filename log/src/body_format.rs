//! The formats of bodies, and the media types that name them.

use crate::Format;
use crate::file_format::{Shape, delimiter};

/// The format of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyFormat {
    /// One JSON object a line.
    Ndjson,
    /// A JSON array of objects, or objects one after the other.
    Json,
    /// RFC 4180, with a header row.
    Csv {
        /// The byte between cells.
        delimiter: u8,
    },
    /// An Arrow IPC stream.
    Arrow,
}

const CSV: BodyFormat = BodyFormat::Csv { delimiter: b',' };
const TSV: BodyFormat = BodyFormat::Csv { delimiter: b'\t' };

/// The media types of the formats, the usual one of each first.
const TYPES: [(&str, BodyFormat); 8] = [
    ("application/x-ndjson", BodyFormat::Ndjson),
    ("application/json", BodyFormat::Json),
    ("text/csv", CSV),
    ("text/tab-separated-values", TSV),
    ("application/vnd.apache.arrow.stream", BodyFormat::Arrow),
    ("application/ndjson", BodyFormat::Ndjson),
    ("application/jsonl", BodyFormat::Ndjson),
    ("application/csv", CSV),
];

/// Names of encodings of which every text is UTF-8 as well.
const UTF_8: [&str; 3] = ["utf-8", "utf8", "us-ascii"];

/// Why a media type is none of a body.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MediaTypeError {
    /// There is no format of this name.
    #[error("content type `{0}` is not supported: send {list}", list = usual().join(", "))]
    Unknown(String),
    /// A text in another encoding.
    #[error("charset `{0}` is not supported: send UTF-8")]
    Charset(String),
    /// The parameter `delimiter`.
    #[error("{0}")]
    Delimiter(String),
}

/// The usual media type of each format.
fn usual() -> Vec<&'static str> {
    TYPES[..5].iter().map(|(name, _)| *name).collect()
}

impl BodyFormat {
    /// The format of a media type with its parameters: `charset`, and for CSV `delimiter`.
    ///
    /// # Errors
    /// [`MediaTypeError`] with what is supported.
    pub fn from_media_type(named: &str) -> Result<Self, MediaTypeError> {
        let mut parts = parts(named).into_iter();
        let name = parts.next().unwrap_or_default();
        let found = TYPES.iter().find(|(known, _)| known.eq_ignore_ascii_case(&name));
        let (_, mut format) = *found.ok_or(MediaTypeError::Unknown(name))?;
        for parameter in parts {
            let Some((key, value)) = parameter.split_once('=') else { continue };
            let (key, value) = (key.trim(), unquoted(value.trim()));
            if key.eq_ignore_ascii_case("charset")
                && !UTF_8.iter().any(|utf| utf.eq_ignore_ascii_case(&value))
            {
                return Err(MediaTypeError::Charset(value));
            }
            if let BodyFormat::Csv { .. } = format
                && key.eq_ignore_ascii_case("delimiter")
            {
                let delimiter = delimiter(&value).map_err(MediaTypeError::Delimiter)?;
                format = BodyFormat::Csv { delimiter };
            }
        }
        Ok(format)
    }

    /// Its usual media type.
    pub fn media_type(self) -> String {
        match (TYPES.iter().find(|(_, format)| *format == self), self) {
            (Some((name, _)), _) => (*name).to_owned(),
            (None, BodyFormat::Csv { delimiter }) => {
                let delimiter = char::from(delimiter);
                let escape = if delimiter == '\\' { "\\" } else { "" };
                format!("text/csv; delimiter=\"{escape}{delimiter}\"")
            }
            (None, _) => "application/octet-stream".to_owned(),
        }
    }

    /// The format of a file with the same contents.
    pub(crate) fn of_file(self) -> Option<Format> {
        match self {
            BodyFormat::Ndjson => Some(Format::Ndjson),
            BodyFormat::Json => Some(Format::Json),
            BodyFormat::Csv { .. } => Some(Format::Csv),
            BodyFormat::Arrow => None,
        }
    }

    /// The format of a request with records of a text file.
    pub(crate) fn of_text(shape: Shape) -> Self {
        match shape.format {
            Format::Csv => BodyFormat::Csv { delimiter: shape.delimiter },
            Format::Json => BodyFormat::Json,
            Format::Ndjson | Format::Parquet => BodyFormat::Ndjson,
        }
    }

    /// Its name in messages.
    pub(crate) fn name(self) -> &'static str {
        self.of_file().map_or("Arrow", Format::name)
    }
}

/// The parts of a media type between semicolons; one inside of quotes belongs to a part.
fn parts(named: &str) -> Vec<String> {
    let (mut parts, mut is_quoted, mut is_escaped) = (vec![String::new()], false, false);
    for character in named.chars() {
        if character == ';' && !is_quoted {
            parts.push(String::new());
            continue;
        }
        is_quoted ^= character == '"' && !is_escaped;
        is_escaped = character == '\\' && !is_escaped;
        parts.last_mut().expect("there is a first part").push(character);
    }
    parts.iter().map(|part| part.trim().to_owned()).collect()
}

/// A value without the quotes around it.
fn unquoted(value: &str) -> String {
    match value.strip_prefix('"').and_then(|value| value.strip_suffix('"')) {
        Some("\\\\") => "\\".to_owned(),
        Some("\t") => "tab".to_owned(),
        Some(inner) => inner.to_owned(),
        None => value.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn media_types_name_formats_with_their_parameters() {
        for (named, format) in [
            ("application/json; charset=UTF-8", BodyFormat::Json),
            ("Text/CSV", CSV),
            ("text/csv; header=present; delimiter=\";\"", BodyFormat::Csv { delimiter: b';' }),
            ("text/csv;delimiter=|", BodyFormat::Csv { delimiter: b'|' }),
            ("text/tab-separated-values; charset=us-ascii", TSV),
            ("application/x-ndjson;charset=\"utf-8\"", BodyFormat::Ndjson),
        ] {
            assert_eq!(BodyFormat::from_media_type(named), Ok(format), "{named}");
            assert_eq!(BodyFormat::from_media_type(&format.media_type()), Ok(format), "{named}");
        }
        for delimiter in [b';', b'|', b'\\', b'\t', b' ', b'\x01'] {
            let format = BodyFormat::Csv { delimiter };
            assert_eq!(BodyFormat::from_media_type(&format.media_type()), Ok(format));
        }
    }

    #[test]
    fn what_is_not_supported_is_named() {
        for (named, problem) in [
            ("text/csv; charset=latin1", "charset `latin1` is not supported: send UTF-8"),
            (
                "text/csv; delimiter=ab",
                "`ab` is not a delimiter: it is one character such as `;` or `|`, or `tab`",
            ),
        ] {
            assert_eq!(BodyFormat::from_media_type(named).unwrap_err().to_string(), problem);
        }
        let unknown = BodyFormat::from_media_type("text/html").unwrap_err().to_string();
        assert!(
            unknown.contains("`text/html`") && unknown.ends_with(", application/vnd.apache.arrow.stream")
        );
    }
}
