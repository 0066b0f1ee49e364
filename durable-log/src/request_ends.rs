//! Where requests end: the frontiers between two requests, of which alone there are answers.
//!
//! The log is cut into frames and flushed files by other rules, so each chunk of a partition notes the ends
//! of the requests in it, and with each the **total**: the positions that all partitions of the source have
//! then. Totals are in the order of the requests. A frontier is one between two requests if and only if each
//! of its offsets is an end, none of them with a total beyond the number of its positions, and one with that
//! total.
//!
//! Ends of flushed chunks are in a file of their own beside that of the rows: two variable-length numbers for
//! each end, offset and total, as differences from those of the end before.

use std::sync::Arc;

use metricc_log::LogError;

use crate::checked_file::CheckedFile;
use crate::request_end::RequestEnd;

/// The ends of the requests in a chunk, ascending.
#[derive(Debug)]
pub(crate) enum RequestEnds {
    Known(Box<[RequestEnd]>),
    /// They are read each time they are asked for, which is rare.
    File(Arc<CheckedFile>),
    /// The chunk was flushed by a version that did not note them.
    Unknown,
}

impl RequestEnds {
    /// `None` if they are not known.
    pub(crate) fn read(&self) -> Result<Option<Box<[RequestEnd]>>, LogError> {
        match self {
            RequestEnds::Known(ends) => Ok(Some(ends.clone())),
            RequestEnds::File(file) => {
                let malformed = || LogError::Malformed {
                    path: file.shown.to_string(),
                    format: "log",
                    problem: "it does not hold ends of requests".to_owned(),
                };
                from_bytes(&file.bytes()?).map(Some).ok_or_else(malformed)
            }
            RequestEnds::Unknown => Ok(None),
        }
    }
}

/// The ends as they are stored.
pub(crate) fn to_bytes(ends: &[RequestEnd]) -> Vec<u8> {
    let (mut bytes, mut before) = (Vec::new(), RequestEnd { offset: 0, total: 0 });
    for end in ends {
        for mut number in [end.offset - before.offset, end.total - before.total] {
            while number >= 0x80 {
                bytes.push(number as u8 | 0x80);
                number >>= 7;
            }
            bytes.push(number as u8);
        }
        before = *end;
    }
    bytes
}

fn from_bytes(bytes: &[u8]) -> Option<Box<[RequestEnd]>> {
    let (mut ends, mut before) = (Vec::new(), RequestEnd { offset: 0, total: 0 });
    let mut rest = bytes;
    while !rest.is_empty() {
        let offset = before.offset.checked_add(number(&mut rest)?)?;
        before = RequestEnd { offset, total: before.total.checked_add(number(&mut rest)?)? };
        ends.push(before);
    }
    Some(ends.into())
}

/// Takes a number from the front of some bytes.
fn number(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0u64;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_are_read_as_they_were_written() {
        let end = |offset, total| RequestEnd { offset, total };
        for ends in [vec![], vec![end(1, 1)], vec![end(127, 128), end(300, 70_000), end(1 << 40, u64::MAX)]] {
            let bytes = to_bytes(&ends);
            assert_eq!(from_bytes(&bytes).as_deref(), Some(&ends[..]));
            assert!(
                (1..bytes.len())
                    .all(|cut| from_bytes(&bytes[..cut]).is_none_or(|cut| cut.len() < ends.len()))
            );
        }
        assert!(from_bytes(&[0xff; 11]).is_none());
    }
}
