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

use metricc_log::{Frontier, LogError};
use serde::{Deserialize, Serialize};

use crate::checked_file::CheckedFile;
use crate::chunk::Chunk;
use crate::chunk_list::Chunks;
use crate::error::DurableError;

/// The end of a request in a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "(u64, u64)", into = "(u64, u64)")]
pub(crate) struct RequestEnd {
    pub(crate) offset: u64,
    /// The positions of all partitions after the request.
    pub(crate) total: u64,
}

impl From<(u64, u64)> for RequestEnd {
    fn from((offset, total): (u64, u64)) -> Self {
        RequestEnd { offset, total }
    }
}

impl From<RequestEnd> for (u64, u64) {
    fn from(end: RequestEnd) -> Self {
        (end.offset, end.total)
    }
}

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

/// The ends of a partition, chunk by chunk. `None` where they are not known.
struct Ends<'a>(&'a Chunks);

type Found = Result<Option<RequestEnd>, Missing>;

enum Missing {
    NotKnown,
    Failed(LogError),
}

impl From<LogError> for Missing {
    fn from(error: LogError) -> Self {
        Missing::Failed(error)
    }
}

impl Ends<'_> {
    fn of(chunk: &Chunk) -> Result<Box<[RequestEnd]>, Missing> {
        chunk.ends.read()?.ok_or(Missing::NotKnown)
    }

    /// The first end from an offset on.
    fn first_from(&self, offset: u64) -> Found {
        if offset == 0 {
            return Ok(Some(RequestEnd { offset: 0, total: 0 }));
        }
        for chunk in self.0.from(offset - 1) {
            let ends = Self::of(chunk)?;
            if let Some(end) = ends.get(ends.partition_point(|end| end.offset < offset)) {
                return Ok(Some(*end));
            }
        }
        Ok(None)
    }

    /// The last offset, from that of an end on, whose end has at most a total.
    fn last_up_to(&self, from: u64, total: u64) -> Result<u64, Missing> {
        let mut last = from;
        for chunk in self.0.from(from) {
            let ends = Self::of(chunk)?;
            let within = &ends[..ends.partition_point(|end| end.total <= total)];
            last = within.last().map_or(last, |end| end.offset.max(last));
            if within.len() < ends.len() {
                break;
            }
        }
        Ok(last)
    }

    /// The last offset, up to one, whose end has a smaller total than this.
    fn last_before(&self, offset: u64, total: u64) -> Result<u64, Missing> {
        let mut to = offset;
        while to > 0
            && let Some(chunk) = self.0.from(to - 1).next()
        {
            let ends = Self::of(chunk)?;
            let is_wanted = |end: &&RequestEnd| end.offset <= offset && end.total < total;
            if let Some(end) = ends.iter().rev().find(is_wanted) {
                return Ok(end.offset);
            }
            to = chunk.range.from;
        }
        Ok(0)
    }
}

/// The frontiers between two requests that are next to one: the last not after it, and the first not before
/// it; both are the frontier itself if it is one. `None` where ends are not known.
pub(crate) fn around(
    partitions: &[&Chunks],
    at: &Frontier,
) -> Result<Option<(Frontier, Frontier)>, DurableError> {
    match around_known(partitions, at) {
        Ok(found) => Ok(found),
        Err(Missing::NotKnown) => Ok(None),
        Err(Missing::Failed(error)) => Err(error.into()),
    }
}

fn around_known(partitions: &[&Chunks], at: &Frontier) -> Result<Option<(Frontier, Frontier)>, Missing> {
    let known = || partitions.iter().map(|chunks| Ends(chunks)).zip(at.0.iter().copied());
    let mut above = Vec::with_capacity(at.0.len());
    for (ends, offset) in known() {
        let Some(end) = ends.first_from(offset)? else { return Ok(None) };
        above.push(end);
    }
    let total = above.iter().map(|end| end.total).max().unwrap_or(0);
    let above = partitions.iter().zip(above).map(|(chunks, end)| Ends(chunks).last_up_to(end.offset, total));
    let above = Frontier(above.collect::<Result<_, _>>()?);
    if above == *at {
        return Ok(Some((above.clone(), above)));
    }
    let mut next = u64::MAX;
    for (ends, offset) in known() {
        next = ends.first_from(offset.saturating_add(1))?.map_or(next, |end| end.total.min(next));
    }
    let below = known().map(|(ends, offset)| ends.last_before(offset, next));
    Ok(Some((Frontier(below.collect::<Result<_, _>>()?), above)))
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
