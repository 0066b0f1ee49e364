//! Positions, frontiers and intervals of a log.
//!
//! The boundary between the layers is a frontier, never a time: everything that has been read is an interval
//! between two frontiers.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The position of one record. Ordered by partition, then offset: the total order of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Position {
    /// Which file, in the byte order of the paths.
    pub partition: u32,
    /// Index of the record in its file, quarantined and duplicate records counted.
    pub offset: u64,
}

impl Position {
    /// The position as one number, in the order of the log. The lowest 32 bits are zero: they number the rows
    /// that the list steps of a metric make of one event. Partitions fit into 31 bits, since each is a file
    /// or a queue's.
    pub fn to_order(self) -> i128 {
        i128::from(self.partition) << 96 | i128::from(self.offset) << 32
    }
}

impl Position {
    /// The position that [`Position::to_order`] gave this number.
    pub fn from_order(place: i128) -> Self {
        // Truncation takes each part from where it was put.
        Position { partition: (place >> 96) as u32, offset: (place >> 32) as u64 }
    }
}

/// One offset per partition: everything below it has been read.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Frontier(pub Vec<u64>);

impl Frontier {
    /// The number of positions below this frontier; saturates at the largest `u64`.
    pub fn n_positions(&self) -> u64 {
        self.0.iter().fold(0, |total, &offset| total.saturating_add(offset))
    }

    /// Whether the position lies below this frontier.
    pub fn covers(&self, position: Position) -> bool {
        self.0.get(position.partition as usize).is_some_and(|&offset| position.offset < offset)
    }
}

impl fmt::Display for Frontier {
    /// The offsets in brackets: `[120, 0]`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

/// Two frontiers that have no interval between them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("this is no interval of the log: {problem}")]
pub struct IntervalError {
    /// Why not.
    pub problem: String,
}

/// The positions between two frontiers: `from` is in, `to` is not.
///
/// Invariant: both have one offset per partition, and `from` is nowhere after `to`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Interval {
    from: Frontier,
    to: Frontier,
}

impl Interval {
    /// The interval from one frontier to another.
    ///
    /// # Errors
    /// [`IntervalError`] if they differ in their number of partitions, or `from` is after `to` in one.
    pub fn new(from: Frontier, to: Frontier) -> Result<Self, IntervalError> {
        if from.0.len() != to.0.len() {
            return Err(IntervalError {
                problem: format!("it is from {} to {} partitions", from.0.len(), to.0.len()),
            });
        }
        match from.0.iter().zip(&to.0).position(|(from, to)| from > to) {
            Some(partition) => Err(IntervalError {
                problem: format!(
                    "in partition {partition} it is from offset {} back to {}",
                    from.0[partition], to.0[partition]
                ),
            }),
            None => Ok(Interval { from, to }),
        }
    }

    /// The first frontier.
    pub fn from(&self) -> &Frontier {
        &self.from
    }

    /// The frontier after the last position.
    pub fn to(&self) -> &Frontier {
        &self.to
    }

    /// The number of positions in it; saturates at the largest `u64`.
    pub fn n_positions(&self) -> u64 {
        self.from.0.iter().zip(&self.to.0).fold(0, |total, (from, to)| total.saturating_add(to - from))
    }

    /// Its part in each partition, in order, without empty ones.
    pub fn slices(&self) -> impl Iterator<Item = Slice> + '_ {
        let bounds = self.from.0.iter().zip(&self.to.0);
        (0u32..).zip(bounds).filter(|(_, (from, to))| from < to).map(|(partition, (&from, &to))| Slice {
            partition,
            from,
            to,
        })
    }
}

/// Contiguous positions of one partition: `from` is in, `to` is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Slice {
    /// The partition.
    pub partition: u32,
    /// The first offset.
    pub from: u64,
    /// The offset after the last.
    pub to: u64,
}

impl Slice {
    /// The number of positions in it.
    pub fn n_positions(&self) -> u64 {
        self.to.saturating_sub(self.from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_that_goes_back_is_refused() {
        let error = Interval::new(Frontier(vec![1, 5]), Frontier(vec![2, 4])).unwrap_err();
        assert_eq!(
            error.to_string(),
            "this is no interval of the log: in partition 1 it is from offset 5 back to 4"
        );
        assert!(Interval::new(Frontier(vec![1]), Frontier(vec![2, 4])).is_err());
    }

    #[test]
    fn an_interval_knows_its_size_and_its_slices() {
        let interval = Interval::new(Frontier(vec![1, 4, 0]), Frontier(vec![2, 4, 7])).unwrap();
        assert_eq!(interval.n_positions(), 8);
        let slices: Vec<_> = interval.slices().map(|slice| (slice.partition, slice.from, slice.to)).collect();
        assert_eq!(slices, [(0, 1, 2), (2, 0, 7)]);
    }

    #[test]
    fn c82_a_frontier_is_one_offset_per_partition() {
        let frontier = Frontier(vec![2, 0]);
        assert!(frontier.covers(Position { partition: 0, offset: 1 }));
        assert!(!frontier.covers(Position { partition: 0, offset: 2 }));
        assert!(!frontier.covers(Position { partition: 1, offset: 0 }));
        assert!(!frontier.covers(Position { partition: 2, offset: 0 }));
        assert!(Position { partition: 0, offset: 9 } < Position { partition: 1, offset: 0 });
    }
}
