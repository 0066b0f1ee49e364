//! The ends of requests around a frontier, found chunk by chunk.

use metricc_log::{Frontier, LogError};

use crate::chunk::Chunk;
use crate::chunk_list::Chunks;
use crate::error::DurableError;
use crate::request_end::RequestEnd;

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
