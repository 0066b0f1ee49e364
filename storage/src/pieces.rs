//! Pieces of an object: what of it is here, on its way, or wanted next.
//!
//! The arithmetic of reading ahead, without any input or output. Invariant: pieces do not overlap.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;

use bytes::Bytes;

/// The most bytes of a piece that is read ahead.
pub(crate) const PIECE: u64 = 2 << 20;
/// The least bytes that are requested at once: a request costs more than they do.
const LEAST: u64 = 64 << 10;
/// The most bytes of an object that is read as a whole.
pub(crate) const SMALL: u64 = 256 << 10;
/// Requests of one object that are on their way at a time.
const MOST_REQUESTS: usize = 8;
/// Bytes that are on their way, or here and not read yet.
const AHEAD: u64 = 32 << 20;
/// Bytes that stay here after they were read: columns of a file are read side by side.
const KEPT: u64 = 32 << 20;

/// What is known of a piece.
#[derive(Debug)]
pub(crate) enum Piece {
    /// It is read ahead when its turn comes.
    Wanted,
    /// It is on its way.
    Requested,
    /// It is here; when it was last read, in turns, 0 if never.
    Here(Bytes, u64),
    /// It could not be read; what was wrong.
    Failed(String),
}

/// The pieces of an object.
#[derive(Debug, Default)]
pub(crate) struct Pieces {
    n_bytes: u64,
    /// By their first byte: the byte after their last one, and what is known of them.
    pieces: BTreeMap<u64, (u64, Piece)>,
    /// The first bytes of wanted pieces, in their turn.
    queue: VecDeque<u64>,
    n_requested: usize,
    bytes_requested: u64,
    bytes_unread: u64,
    bytes_read: u64,
    turn: u64,
    /// The byte after the last one that was read.
    last_end: Option<u64>,
}

/// What a read finds.
#[derive(Debug)]
pub(crate) enum Found {
    /// The bytes from the position on, up to the end of their piece.
    Bytes(Bytes),
    /// They are on their way.
    Wait,
    /// What was wrong.
    Failed(String),
}

impl Pieces {
    pub(crate) fn new(n_bytes: u64) -> Self {
        Pieces { n_bytes, ..Pieces::default() }
    }

    /// Of an object that is here.
    pub(crate) fn of_whole(bytes: Bytes) -> Self {
        let n_bytes = bytes.len() as u64;
        let pieces = BTreeMap::from([(0, (n_bytes, Piece::Here(bytes, 0)))]);
        Pieces { n_bytes, bytes_unread: n_bytes, pieces, ..Pieces::default() }
    }

    /// Ranges that are read next, in this order.
    pub(crate) fn want(&mut self, ranges: &[Range<u64>]) {
        let whole = 0..self.n_bytes;
        let ranges = if self.n_bytes <= SMALL { std::slice::from_ref(&whole) } else { ranges };
        for range in ranges {
            let mut from = range.start;
            while from < range.end.min(self.n_bytes) {
                from = match self.at(from) {
                    Some((_, end)) => end,
                    None => self.add(from, (range.end - from).min(PIECE)),
                };
            }
        }
    }

    /// The piece that a byte lies in.
    fn at(&self, byte: u64) -> Option<(u64, u64)> {
        let (start, (end, _)) = self.pieces.range(..=byte).next_back()?;
        (byte < *end).then_some((*start, *end))
    }

    /// Adds a wanted piece from a byte on that lies in none. Returns the byte after it.
    fn add(&mut self, from: u64, n_bytes: u64) -> u64 {
        let next = self.pieces.range(from..).next().map_or(self.n_bytes, |(next, _)| *next);
        let end = (from + n_bytes).min(next).min(self.n_bytes);
        self.pieces.insert(from, (end, Piece::Wanted));
        self.queue.push_back(from);
        end
    }

    /// The bytes from a position on. What is neither here nor wanted is wanted from now on, and goes first.
    pub(crate) fn find(&mut self, at: u64, n_bytes: u64) -> (Found, Option<Range<u64>>) {
        let start = self.at(at).map_or_else(|| self.miss(at, n_bytes), |(start, _)| start);
        self.turn += 1;
        let Some((end, piece)) = self.pieces.get_mut(&start) else {
            return (Found::Failed("the bytes are not in the object".to_owned()), None);
        };
        match piece {
            Piece::Here(bytes, last_read) => {
                if *last_read == 0 {
                    self.bytes_unread -= bytes.len() as u64;
                    self.bytes_read += bytes.len() as u64;
                }
                *last_read = self.turn;
                let found = bytes.slice(usize::try_from(at - start).unwrap_or(usize::MAX)..);
                self.last_end = Some((at + n_bytes).min(*end));
                self.forget_read(start);
                (Found::Bytes(found), None)
            }
            Piece::Requested => (Found::Wait, None),
            Piece::Wanted => {
                let end = *end;
                (Found::Wait, Some(self.request(start, end)))
            }
            Piece::Failed(problem) => {
                let problem = std::mem::take(problem);
                self.pieces.remove(&start);
                (Found::Failed(problem), None)
            }
        }
    }

    /// Wants what a read needs that nobody has announced. Returns where its piece starts.
    fn miss(&mut self, at: u64, n_bytes: u64) -> u64 {
        if self.n_bytes <= SMALL && self.pieces.is_empty() {
            self.add(0, self.n_bytes);
            return 0;
        }
        if self.last_end == Some(at) {
            // It is read from front to back.
            let mut from = self.add(at, PIECE);
            for _ in 0..3 {
                if from < self.n_bytes && self.at(from).is_none() {
                    from = self.add(from, PIECE);
                }
            }
            return at;
        }
        let n_bytes = n_bytes.max(LEAST);
        // What describes a file often stands at its end, and is read from there on backwards.
        let start =
            if at + n_bytes >= self.n_bytes { self.n_bytes.saturating_sub(n_bytes).min(at) } else { at };
        let start = self.pieces.range(..at).next_back().map_or(start, |(_, (end, _))| start.max(*end));
        self.add(start, (at + n_bytes).saturating_sub(start));
        start
    }

    fn request(&mut self, start: u64, end: u64) -> Range<u64> {
        self.queue.retain(|wanted| *wanted != start);
        if let Some((_, piece)) = self.pieces.get_mut(&start) {
            *piece = Piece::Requested;
        }
        self.n_requested += 1;
        self.bytes_requested += end - start;
        start..end
    }

    /// The next piece to request, if there is room for it.
    pub(crate) fn next(&mut self) -> Option<Range<u64>> {
        let has_room = self.n_requested < MOST_REQUESTS && self.bytes_requested + self.bytes_unread < AHEAD;
        let start = *self.queue.front().filter(|_| has_room)?;
        let end = self.pieces.get(&start)?.0;
        Some(self.request(start, end))
    }

    /// What came of a request.
    pub(crate) fn arrived(&mut self, range: &Range<u64>, outcome: Result<Bytes, String>) {
        self.n_requested -= 1;
        self.bytes_requested -= range.end - range.start;
        let Some((_, piece)) = self.pieces.get_mut(&range.start) else { return };
        *piece = match outcome {
            Ok(bytes) if bytes.len() as u64 == range.end - range.start => {
                self.bytes_unread += bytes.len() as u64;
                Piece::Here(bytes, 0)
            }
            Ok(bytes) => Piece::Failed(format!(
                "the store gave {} of the {} bytes from byte {} on",
                bytes.len(),
                range.end - range.start,
                range.start
            )),
            Err(problem) => Piece::Failed(problem),
        };
    }

    /// Forgets what was read longest ago, but not the piece that is read now.
    fn forget_read(&mut self, now: u64) {
        while self.bytes_read > KEPT {
            let read = self.pieces.iter().filter_map(|(start, (_, piece))| match piece {
                Piece::Here(bytes, turn) if *turn > 0 && *start != now => Some((*turn, *start, bytes.len())),
                _ => None,
            });
            let Some((_, start, n_bytes)) = read.min() else { return };
            self.pieces.remove(&start);
            self.bytes_read -= n_bytes as u64;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads from an object whose bytes are the low bytes of their positions; counts requests.
    struct Reader {
        pieces: Pieces,
        n_requests: usize,
        bytes: u64,
    }

    impl Reader {
        fn new(n_bytes: u64) -> Self {
            Reader { pieces: Pieces::new(n_bytes), n_requests: 0, bytes: 0 }
        }

        fn serve(&mut self, range: Range<u64>) {
            self.n_requests += 1;
            self.bytes += range.end - range.start;
            let bytes: Vec<u8> = range.clone().map(|byte| byte as u8).collect();
            self.pieces.arrived(&range, Ok(bytes.into()));
        }

        fn read(&mut self, at: u64, n_bytes: u64) {
            let (mut at, end) = (at, at + n_bytes);
            while at < end {
                let (found, now) = self.pieces.find(at, end - at);
                now.into_iter().for_each(|range| self.serve(range));
                if let Found::Bytes(bytes) = found {
                    let n = (bytes.len() as u64).min(end - at);
                    assert!(n > 0);
                    assert!(bytes.iter().take(n as usize).zip(at..).all(|(byte, at)| *byte == at as u8));
                    at += n;
                }
                while let Some(range) = self.pieces.next() {
                    self.serve(range);
                }
            }
        }
    }

    #[test]
    fn an_object_that_is_read_from_front_to_back_is_read_ahead_once() {
        let n_bytes = 100 << 20;
        let mut reader = Reader::new(n_bytes);
        for at in (0..n_bytes).step_by(10_000) {
            reader.read(at, 10_000.min(n_bytes - at));
        }
        assert_eq!(reader.bytes, n_bytes);
        assert!(reader.n_requests < 60, "{}", reader.n_requests);
        assert!(reader.pieces.bytes_read <= KEPT + PIECE);
    }

    #[test]
    fn announced_ranges_are_requested_and_nothing_else() {
        let mut reader = Reader::new(1 << 30);
        let columns: Vec<Range<u64>> =
            (0..7).map(|column| column * (50 << 20)..column * (50 << 20) + (5 << 20)).collect();
        reader.pieces.want(&columns);
        // Pages of the columns in turn.
        for page in 0..50 {
            for column in &columns {
                reader.read(column.start + page * (100 << 10), 100 << 10);
            }
        }
        assert_eq!(reader.bytes, 7 * (5 << 20));
    }

    #[test]
    fn a_small_object_is_read_as_a_whole() {
        let mut reader = Reader::new(200_000);
        for at in [199_992, 4, 100_000, 0] {
            reader.read(at, 8);
        }
        assert_eq!((reader.n_requests, reader.bytes), (1, 200_000));
        let bytes: Vec<u8> = (0..100).collect();
        let mut reader = Reader { pieces: Pieces::of_whole(bytes.into()), n_requests: 0, bytes: 0 };
        reader.read(0, 100);
        assert_eq!(reader.n_requests, 0);
    }

    #[test]
    fn an_end_is_read_with_one_request() {
        let mut reader = Reader::new(10 << 20);
        reader.read((10 << 20) - 8, 8);
        reader.read((10 << 20) - 20_000, 19_992);
        assert_eq!((reader.n_requests, reader.bytes), (1, LEAST));
    }

    #[test]
    fn reads_anywhere_give_the_bytes_that_are_there() {
        let n_bytes = 5 << 20;
        let mut reader = Reader::new(n_bytes);
        let mut at = 7u64;
        for round in 0..400 {
            at = at.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let from = (at >> 20) % n_bytes;
            let n = ((at >> 3) % 300_000).min(n_bytes - from);
            if round % 7 == 0 {
                reader.pieces.want(std::slice::from_ref(&(from / 2..from)));
            }
            reader.read(from, n);
        }
    }

    #[test]
    fn a_failure_is_said_once_and_tried_again() {
        let mut pieces = Pieces::new(100);
        let (_, range) = pieces.find(0, 10);
        let range = range.unwrap();
        pieces.arrived(&range, Err("no".to_owned()));
        assert!(matches!(pieces.find(0, 10), (Found::Failed(problem), None) if problem == "no"));
        let (found, range) = pieces.find(0, 10);
        assert!(matches!(found, Found::Wait) && range.is_some());
        pieces.arrived(&range.unwrap(), Ok(Bytes::from_static(b"short")));
        assert!(
            matches!(pieces.find(0, 10), (Found::Failed(problem), None) if problem.contains("5 of the 100"))
        );
    }
}
