//! What a file holds, by its first bytes. A file that is of another kind than it is read as would come to
//! nothing but rejected records; it is refused before that, with what it is and the way out.

use memchr::{memchr, memmem};

use crate::Format;
use crate::record_splitter::Separation;

/// Contents of another kind than a file or a request should have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OtherKind {
    /// What they are, with an article.
    pub(crate) found: String,
    /// The way out.
    pub(crate) help: String,
}

fn other(found: impl Into<String>, help: impl Into<String>) -> Option<OtherKind> {
    Some(OtherKind { found: found.into(), help: help.into() })
}

const EXPORT: &str = "export its rows as Parquet, CSV or NDJSON";
const UNPACK: &str = "unpack it first";

/// Kinds of files by their first bytes.
const KINDS: [(&[u8], &str, &str); 12] = [
    (b"ARROW1", "an Arrow (Feather) file", EXPORT),
    (b"ORC", "an ORC file", EXPORT),
    (b"Obj\x01", "an Avro file", EXPORT),
    (b"SQLite format 3\0", "an SQLite database", EXPORT),
    (b"\xd0\xcf\x11\xe0", "an Excel workbook", EXPORT),
    (b"PK\x03\x04", "a ZIP archive (or an Excel workbook)", "unpack it first, or export it as CSV"),
    (b"\xfd7zXZ\0", "compressed by xz", UNPACK),
    (b"\x04\x22\x4d\x18", "compressed by LZ4", UNPACK),
    (b"\xff\x06\0\0sNaPpY", "compressed by Snappy", UNPACK),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", UNPACK),
    (b"\x1f\x8b", "compressed by gzip", "send it with `Content-Encoding: gzip`"),
    (b"\x28\xb5\x2f\xfd", "compressed by zstd", "send it with `Content-Encoding: zstd`"),
];

/// Kinds of texts by their first letters.
const TEXTS: [(&[u8], &str, &str); 3] = [
    (b"%PDF", "a PDF document", EXPORT),
    (b"<!DOCTYPE", "an HTML page", "look at it: it may be an error page of what it was downloaded from"),
    (b"<?xml", "an XML document", EXPORT),
];

/// What text is that is said to be of a format and is not; `None` if nothing speaks against it. The head is
/// all of it, or at least [`HEAD_BYTES`](crate::open_file::HEAD_BYTES).
pub(crate) fn diagnose(head: &[u8], format: Format) -> Option<OtherKind> {
    if format == Format::Parquet {
        return None;
    }
    if head.starts_with(b"PAR1") {
        return other("a Parquet file", "name it `.parquet`, or say `format=parquet`");
    }
    // A header may begin with the letters of a kind, such as `ORCID`, but has no control characters.
    let is_binary = head.iter().take(512).any(|byte| *byte < 9);
    let binary = KINDS.iter().filter(|_| is_binary);
    let known = binary.chain(&TEXTS).find(|(magic, ..)| head.starts_with(magic));
    if let Some((_, found, help)) = known {
        return other(*found, *help);
    }
    if let Some(encoding) = utf_16_or_32(head) {
        return other(
            format!("{encoding} text"),
            format!("convert it: `iconv -f {encoding} -t UTF-8 OLD > NEW`"),
        );
    }
    let text = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head).trim_ascii_start();
    if format != Format::Json && has_cr_lines(text, format) {
        return other("text whose lines end with CR alone", r"convert it: `tr '\r' '\n' < OLD > NEW`");
    }
    let is_json = "name it `.json`, or say `format=json`";
    match format {
        Format::Ndjson if starts_array(text) => other("a JSON array", is_json),
        Format::Ndjson if starts_pretty(text) => other("JSON objects that go over several lines", is_json),
        Format::Csv if starts_array(text) => other("a JSON array", is_json),
        Format::Csv if text.starts_with(b"{\"") => other("JSON", "name it `.ndjson`, or say `format=ndjson`"),
        _ => None,
    }
}

/// The encoding of text in units of two or four bytes: by its byte order mark, or by the zero bytes that
/// every letter of such a text has.
fn utf_16_or_32(head: &[u8]) -> Option<&'static str> {
    match head {
        [0xff, 0xfe, 0, 0, ..] => return Some("UTF-32LE"),
        [0, 0, 0xfe, 0xff, ..] => return Some("UTF-32BE"),
        [0xff, 0xfe, ..] => return Some("UTF-16LE"),
        [0xfe, 0xff, ..] => return Some("UTF-16BE"),
        _ => {}
    }
    let sample = &head[..head.len().min(512) / 4 * 4];
    let zeros = |place: usize| sample.iter().skip(place).step_by(2).filter(|byte| **byte == 0).count();
    let (even, odd) = (zeros(0), zeros(1));
    let many = sample.len() / 4;
    match (even >= many, odd >= many) {
        _ if sample.len() < 8 => None,
        (true, false) => Some("UTF-16BE"),
        (false, true) => Some("UTF-16LE"),
        _ => None,
    }
}

/// Whether CR ends the lines of a text, of which no line is ended by LF.
fn has_cr_lines(text: &[u8], format: Format) -> bool {
    // Nearly every text has an LF soon, and then no more of it is looked at.
    if memchr(b'\n', text).is_some() {
        return false;
    }
    let inner = text.trim_ascii_end();
    match format {
        Format::Csv => memchr(b'\r', inner).is_some(),
        _ => memmem::find(inner, b"}\r{").is_some(),
    }
}

/// Whether a JSON text is an array of objects: a line of NDJSON that is an array is just a bad line.
fn starts_array(text: &[u8]) -> bool {
    text.strip_prefix(b"[").is_some_and(|rest| matches!(rest.trim_ascii_start().first(), None | Some(b'{')))
}

/// Whether the first line opens an object and does not close it, and the next one goes on with it.
fn starts_pretty(text: &[u8]) -> bool {
    let Some(end) = memchr(b'\n', text) else { return false };
    let (first, rest) = (text[..end].trim_ascii(), text[end..].trim_ascii_start());
    first.starts_with(b"{") && !is_closed(first) && matches!(rest.first(), Some(b'"' | b'}'))
}

/// Whether the brackets of a line are all closed, and none is open before its end.
fn is_closed(line: &[u8]) -> bool {
    let (mut depth, mut in_string, mut is_escaped) = (0usize, false, false);
    for byte in line {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if in_string => is_escaped = true,
            b'"' => in_string = !in_string,
            b'{' | b'[' if !in_string => depth += 1,
            b'}' | b']' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    depth == 0 && !in_string
}

/// How the records of a JSON text are separated: the elements of an array, a line each, or objects one after
/// the other, where the first of them goes over lines.
pub(crate) fn json_separation(head: &[u8]) -> Separation {
    let text = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head).trim_ascii_start();
    let first_line = &text[..memchr(b'\n', text).unwrap_or(text.len())];
    match text.first() {
        Some(b'[') => Separation::JsonArray,
        Some(b'{') if first_line.len() < text.len() && !is_closed(first_line.trim_ascii()) => {
            Separation::JsonObjects
        }
        _ => Separation::Lines,
    }
}

/// The format of contents that have no name: of a pipe.
pub(crate) fn guess_format(head: &[u8]) -> Format {
    let text = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head).trim_ascii_start();
    match text.first() {
        _ if head.starts_with(b"PAR1") => Format::Parquet,
        Some(b'[' | b'{') => match json_separation(head) {
            Separation::Lines => Format::Ndjson,
            _ => Format::Json,
        },
        _ => Format::Csv,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(head: &[u8], format: Format) -> Option<String> {
        diagnose(head, format).map(|kind| kind.found)
    }

    #[test]
    fn contents_of_another_kind_are_told() {
        let utf_16: Vec<u8> = "{\"id\":1}\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
        for (head, format, kind) in [
            (&b"[\n{\"a\":1},\n"[..], Format::Ndjson, Some("a JSON array")),
            (b" [{\"a\":1}]", Format::Ndjson, Some("a JSON array")),
            (b"[1,2]\n{}\n", Format::Ndjson, None),
            (b"{\n  \"a\": 1\n}\n", Format::Ndjson, Some("JSON objects that go over several lines")),
            (b"{\"a\": {\n  \"b\": 1\n}}", Format::Ndjson, Some("JSON objects that go over several lines")),
            (b"{\"a\":\n{\"a\":1}\n", Format::Ndjson, None),
            (b"{\"a\":\"{\"}\n\"x\"\n", Format::Ndjson, None),
            (b"PAR1\x15\x04", Format::Csv, Some("a Parquet file")),
            (b"PAR1\x15\x04", Format::Parquet, None),
            (b"{\"a\":1}\n", Format::Csv, Some("JSON")),
            (b"\xff\xfei\0d\0", Format::Csv, Some("UTF-16LE text")),
            (b"\xfe\xff\0i\0d", Format::Csv, Some("UTF-16BE text")),
            (&utf_16, Format::Ndjson, Some("UTF-16LE text")),
            (b"PK\x03\x04", Format::Csv, Some("a ZIP archive (or an Excel workbook)")),
            (b"id,at\n1,2\n", Format::Csv, None),
            (b"ORCID,at\n1,2\n", Format::Csv, None),
            (b"ORC\x08\x03\x00", Format::Csv, Some("an ORC file")),
            (b"id,at\r1,2\r", Format::Csv, Some("text whose lines end with CR alone")),
            (b"id,at\r\n1,2\r\n", Format::Csv, None),
            (b"{\"id\":1}\r{\"id\":2}\r", Format::Ndjson, Some("text whose lines end with CR alone")),
            (b"", Format::Csv, None),
        ] {
            let shown = String::from_utf8_lossy(head);
            assert_eq!(found(head, format).as_deref(), kind, "{shown} as {format:?}");
        }
    }

    #[test]
    fn json_is_an_array_or_lines_or_objects() {
        for (head, separation) in [
            (&b"\xef\xbb\xbf [\n"[..], Separation::JsonArray),
            (b"{\"a\":1}\n{\"a\":2}\n", Separation::Lines),
            (b"{\"a\":1}", Separation::Lines),
            (b"{\n\"a\":1}\n", Separation::JsonObjects),
            (b"{\"a\":\"}\",\n\"b\":1}\n", Separation::JsonObjects),
            (b"hello\n", Separation::Lines),
            (b"", Separation::Lines),
        ] {
            assert_eq!(json_separation(head), separation, "{}", String::from_utf8_lossy(head));
        }
    }
}
