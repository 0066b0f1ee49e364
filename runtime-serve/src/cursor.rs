//! Cursors: where the next page of an answer begins.
//!
//! A cursor names its frontier, its request and the last row of the page before, so that the pages of one
//! answer have each of its rows once. It is text that readers pass on: `FRONTIER.REQUEST.POSITION`, of
//! characters that need no quoting in a URL. Nothing in it is trusted: a position is compared with rows, and
//! never read as one.

use std::fmt::Write;
use std::hash::{DefaultHasher, Hash, Hasher};

use metricc_client::{ReadRequest, ServingError};
use metricc_ir::Window;

/// Where a page begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cursor {
    pub(crate) frontier: Vec<u64>,
    pub(crate) position: RowPosition,
}

/// The last row of the page before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RowPosition {
    /// The bytes of its group, in the order of groups.
    Group(Vec<u8>),
    /// The number of rows up to it.
    Row(u64),
    /// The start of its window (µs), the number of rows of that window up to it, and of all rows up to it.
    Window { start: i64, n_rows: u64, n_before: u64 },
}

/// What a cursor of a request belongs to: its metric, and all that chooses rows, be it the reader's choice or
/// what the reader may read.
pub(crate) fn fingerprint(
    hash: &str,
    request: &ReadRequest,
    grain: Option<&Window>,
    filter: Option<&str>,
) -> u64 {
    let mut hasher = DefaultHasher::new();
    (hash, filter).hash(&mut hasher);
    for conditions in [&request.keys, &request.having] {
        conditions.len().hash(&mut hasher);
        conditions.iter().for_each(|(name, value)| (name, value.to_string()).hash(&mut hasher));
    }
    (&request.by, &request.order, request.per_window, request.fill).hash(&mut hasher);
    (&request.totals, &request.share, request.compare).hash(&mut hasher);
    (request.from, request.to, &request.grain, request.latest).hash(&mut hasher);
    // A calendar may become another one under its name.
    format!("{grain:?}").hash(&mut hasher);
    hasher.finish()
}

impl Cursor {
    pub(crate) fn text(&self, fingerprint: u64) -> String {
        let offsets: Vec<String> = self.frontier.iter().map(u64::to_string).collect();
        let mut text = format!("{}.{fingerprint:016x}.", offsets.join("-"));
        // Writing to a text cannot fail.
        let _ = match &self.position {
            RowPosition::Row(row) => write!(text, "r{row}"),
            RowPosition::Window { start, n_rows, n_before } => write!(text, "w{start}_{n_rows}_{n_before}"),
            RowPosition::Group(bytes) => {
                text.push('g');
                bytes.iter().try_for_each(|byte| write!(text, "{byte:02x}"))
            }
        };
        text
    }

    /// # Errors
    /// [`ServingError::Request`] if it is no cursor, or one of another request.
    pub(crate) fn parse(text: &str, fingerprint: u64) -> Result<Self, ServingError> {
        let (frontier, rest) = text.split_once('.').ok_or_else(no_cursor)?;
        let (request, position) = rest.split_once('.').ok_or_else(no_cursor)?;
        let frontier = frontier.split('-').map(|offset| offset.parse().map_err(|_| no_cursor()));
        let frontier = frontier.collect::<Result<_, _>>()?;
        if u64::from_str_radix(request, 16).map_err(|_| no_cursor())? != fingerprint {
            return Err(Cursor::of_another_request());
        }
        let position = match position.split_at_checked(1) {
            Some(("r", row)) => RowPosition::Row(row.parse().map_err(|_| no_cursor())?),
            Some(("w", numbers)) => of_window(numbers).ok_or_else(no_cursor)?,
            Some(("g", bytes)) => RowPosition::Group(of_hex(bytes).ok_or_else(no_cursor)?),
            _ => return Err(no_cursor()),
        };
        Ok(Cursor { frontier, position })
    }

    pub(crate) fn of_another_request() -> ServingError {
        let problem = "`cursor` is of another request, or of another definition of the metric: send it with all \
                       other parameters of the answer that had it as `next`";
        ServingError::Request(problem.to_owned())
    }
}

fn no_cursor() -> ServingError {
    ServingError::Request("`cursor` is not a cursor: send the text that an answer has as `next`".to_owned())
}

fn of_window(text: &str) -> Option<RowPosition> {
    let (start, rest) = text.split_once('_')?;
    let (n_rows, n_before) = rest.split_once('_')?;
    let [n_rows, n_before] = [n_rows, n_before].map(str::parse);
    Some(RowPosition::Window { start: start.parse().ok()?, n_rows: n_rows.ok()?, n_before: n_before.ok()? })
}

fn of_hex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let byte = |pair: &[u8; 2]| Some((digit(pair[0])? * 16 + digit(pair[1])?) as u8);
    if rest.is_empty() { pairs.iter().map(byte).collect() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_back_for_its_request_alone() {
        for position in [
            RowPosition::Row(7),
            RowPosition::Group(vec![0, 255, 46]),
            RowPosition::Group(Vec::new()),
            RowPosition::Window { start: -5, n_rows: 3, n_before: 70 },
        ] {
            let cursor = Cursor { frontier: vec![3, 120], position };
            let text = cursor.text(0x1f);
            assert!(
                text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte)),
                "{text}"
            );
            assert_eq!(Cursor::parse(&text, 0x1f).unwrap(), cursor);
            let problem = Cursor::parse(&text, 0x2f).unwrap_err().to_string();
            assert!(problem.starts_with("`cursor` is of another request"), "{problem}");
        }
    }

    #[test]
    fn other_texts_are_no_cursors() {
        for text in [
            "",
            "1",
            "1.1f",
            "x.1f.r1",
            "1.x.r1",
            "1.1f.",
            "1.1f.r",
            "1.1f.gf",
            "1.1f.gxx",
            "1.1f.w1_2",
            "1.1f.w1_2_x",
            "1.1f.ä1",
        ] {
            let problem = Cursor::parse(text, 0x1f).unwrap_err().to_string();
            assert!(problem.starts_with("`cursor` is not a cursor"), "{text}: {problem}");
        }
    }

    #[test]
    fn what_chooses_rows_is_part_of_a_fingerprint() {
        let all = ReadRequest::default();
        let of = |request: &ReadRequest| fingerprint("1f", request, None, None);
        assert_eq!(of(&ReadRequest { limit: Some(3), receipt: true, ..all.clone() }), of(&all));
        for other in [
            ReadRequest { latest: true, ..all.clone() },
            ReadRequest { grain: Some("day".to_owned()), ..all.clone() },
            ReadRequest { from: Some("2026-04-25".parse().unwrap()), ..all.clone() },
            ReadRequest { keys: [("k".to_owned(), "v".into())].into(), ..all.clone() },
        ] {
            assert_ne!(of(&other), of(&all), "{other:?}");
        }
        assert_ne!(fingerprint("2e", &all, None, None), of(&all));
        assert_ne!(fingerprint("1f", &all, None, Some("country == \"IN\"")), of(&all));
    }
}
