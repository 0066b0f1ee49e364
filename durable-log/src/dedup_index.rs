//! The dedup index: the identities of a partition's last events, so that a repeated event is recognised.
//!
//! An accepted event has a **dedup position**: its offset or its event time, as its window is measured. A
//! record is a duplicate if an accepted event has its identity and a position at most one window before the
//! **watermark**, the largest position so far, that of the record included. That is a function of the log
//! alone; the decision is written to the log with the events.

use std::collections::VecDeque;

use metricc_log::duplicates::{Identities, RowKey, Seen};
use serde::{Deserialize, Serialize};

/// Steps of a window: identities are evicted by whole steps.
const N_STEPS: i64 = 8;

/// For how long the identity of an event is remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum DedupWindow {
    /// For so many positions of its partition.
    Positions(u64),
    /// Until an event is so much newer.
    EventTime {
        /// By event time, in µs.
        micros: u64,
    },
}

impl DedupWindow {
    fn length(self) -> i64 {
        let (DedupWindow::Positions(length) | DedupWindow::EventTime { micros: length }) = self;
        i64::try_from(length).unwrap_or(i64::MAX)
    }

    /// The first dedup position within the window that ends at a watermark.
    pub(crate) fn first_counted(self, watermark: i64) -> i64 {
        watermark.saturating_sub(self.length())
    }

    /// The dedup position of a record: its offset, or its event time in µs.
    pub(crate) fn position(self, offset: u64, time: i64) -> i64 {
        match self {
            DedupWindow::Positions(_) => i64::try_from(offset).unwrap_or(i64::MAX),
            DedupWindow::EventTime { .. } => time,
        }
    }
}

/// The identities of the accepted events of the last positions or times.
#[derive(Debug)]
pub(crate) struct DedupIndex {
    window: DedupWindow,
    /// The largest position so far.
    watermark: i64,
    /// In the order in which they were started; there may be several of one number.
    steps: VecDeque<IndexStep>,
}

/// Identities of one step of the window, each once.
#[derive(Debug)]
struct IndexStep {
    number: i64,
    identities: Identities,
    /// The position of each of the identities, in the order in which they were added.
    positions: Vec<i64>,
}

/// A state to which [`DedupIndex::roll_back`] returns.
#[derive(Debug, Clone)]
pub(crate) struct Savepoint {
    watermark: i64,
    /// Identities of each step.
    lengths: Vec<usize>,
}

impl DedupIndex {
    pub(crate) fn new(window: DedupWindow) -> Self {
        DedupIndex { window, watermark: i64::MIN, steps: VecDeque::new() }
    }

    pub(crate) fn window(&self) -> DedupWindow {
        self.window
    }

    /// The first position within the window now.
    pub(crate) fn first_counted(&self) -> i64 {
        self.window.first_counted(self.watermark)
    }

    /// Raises the watermark to a position.
    pub(crate) fn advance(&mut self, position: i64) {
        self.watermark = self.watermark.max(position);
    }

    /// Adds the identity of a record if it is new; otherwise, whether the event that had it has the same
    /// payload. `None` if there are too many identities.
    pub(crate) fn add(&mut self, position: i64, key: RowKey<'_>) -> Option<Seen> {
        let before = self.watermark;
        self.advance(position);
        let first_counted = self.first_counted();
        let known = self.steps.iter().filter_map(|step| {
            let (index, payload) = step.identities.find(key)?;
            Some((step.positions[index], payload))
        });
        if let Some((_, payload)) = known.filter(|(at, _)| *at >= first_counted).max_by_key(|(at, _)| *at) {
            // A duplicate does not move the watermark.
            self.watermark = before;
            return Some(if payload == key.payload { Seen::Same } else { Seen::Conflict });
        }
        self.put(position, key)
    }

    /// Adds the identity of an event that was accepted before, when the watermark is known.
    pub(crate) fn put(&mut self, position: i64, key: RowKey<'_>) -> Option<Seen> {
        if position < self.first_counted() {
            return Some(Seen::First);
        }
        let number = position.div_euclid(self.window.length() / N_STEPS + 1);
        let takes = |step: &&mut IndexStep| step.number == number && step.identities.find(key).is_none();
        let step = match self.steps.iter_mut().rev().find(takes) {
            Some(step) => step,
            None => {
                let (identities, positions) = (Identities::default(), Vec::new());
                self.steps.push_back(IndexStep { number, identities, positions });
                self.steps.back_mut()?
            }
        };
        step.identities.insert(key)?;
        step.positions.push(position);
        Some(Seen::First)
    }

    pub(crate) fn savepoint(&self) -> Savepoint {
        let lengths = self.steps.iter().map(|step| step.positions.len());
        Savepoint { watermark: self.watermark, lengths: lengths.collect() }
    }

    /// Removes what was added since the savepoint.
    pub(crate) fn roll_back(&mut self, savepoint: &Savepoint) {
        self.watermark = savepoint.watermark;
        self.steps.truncate(savepoint.lengths.len());
        for (step, length) in self.steps.iter_mut().zip(&savepoint.lengths) {
            while step.positions.len() > *length {
                step.positions.pop();
                step.identities.pop();
            }
        }
    }

    /// Drops the steps that are before the window as a whole. Earlier savepoints are not valid any more.
    pub(crate) fn evict(&mut self) {
        let first_counted = self.first_counted();
        let width = self.window.length() / N_STEPS + 1;
        let is_before =
            |step: &IndexStep| (step.number + 1).checked_mul(width).is_some_and(|end| end <= first_counted);
        self.steps.retain(|step| !is_before(step));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What a window means, in the simplest words.
    fn oracle(length: i64, records: &[(u8, i64, u64)]) -> Vec<Seen> {
        let (mut accepted, mut watermark): (Vec<(i64, u8, u64)>, i64) = (Vec::new(), i64::MIN);
        let mut all = Vec::new();
        for (identity, position, payload) in records {
            let now = watermark.max(*position);
            let counted = accepted
                .iter()
                .filter(|(at, known, _)| known == identity && *at >= now.saturating_sub(length));
            all.push(match counted.max_by_key(|(at, _, _)| *at) {
                None => {
                    accepted.push((*position, *identity, *payload));
                    watermark = now;
                    Seen::First
                }
                Some((_, _, known)) if known == payload => Seen::Same,
                Some(_) => Seen::Conflict,
            });
        }
        all
    }

    fn run(index: &mut DedupIndex, records: &[(u8, i64, u64)]) -> Vec<Seen> {
        let add = |(identity, position, payload): &(u8, i64, u64)| {
            index.add(*position, RowKey::new(&[*identity], *payload)).unwrap()
        };
        records.iter().map(add).collect()
    }

    /// The same records, and what is remembered of the accepted ones alone.
    fn rebuilt(window: DedupWindow, records: &[(u8, i64, u64)], seen: &[Seen]) -> DedupIndex {
        let accepted = records.iter().zip(seen).filter(|(_, seen)| **seen == Seen::First);
        let accepted: Vec<_> = accepted.map(|(record, _)| record).collect();
        let mut index = DedupIndex::new(window);
        accepted.iter().for_each(|(_, position, _)| index.advance(*position));
        for (identity, position, payload) in accepted {
            index.put(*position, RowKey::new(&[*identity], *payload)).unwrap();
        }
        index
    }

    proptest! {
        #[test]
        fn an_identity_counts_for_the_horizon_and_no_longer(
            length in 0u64..40,
            is_time in any::<bool>(),
            records in prop::collection::vec((0u8..12, -60i64..200, 0u64..2), 0..300),
            groups in prop::collection::vec((1usize..20, any::<bool>(), any::<bool>()), 40),
        ) {
            // Offsets ascend; times come as they like.
            let records: Vec<(u8, i64, u64)> = (0i64..)
                .zip(records)
                .map(|(offset, (id, time, payload))| (id, if is_time { time + offset / 4 } else { offset }, payload))
                .collect();
            let window =
                if is_time { DedupWindow::EventTime { micros: length } } else { DedupWindow::Positions(length) };
            let mut index = DedupIndex::new(window);
            let (mut seen, mut at) = (Vec::new(), 0);
            for (n, is_undone, is_restarted) in groups {
                let group = &records[at.min(records.len())..(at + n).min(records.len())];
                if is_undone {
                    let savepoint = index.savepoint();
                    run(&mut index, group);
                    index.roll_back(&savepoint);
                }
                if is_restarted {
                    index = rebuilt(window, &records[..seen.len()], &seen);
                }
                seen.extend(run(&mut index, group));
                at += n;
                index.evict();
            }
            let n = seen.len();
            prop_assert_eq!(seen, oracle(length as i64, &records[..n]));
        }
    }

    #[test]
    fn memory_holds_little_more_than_the_horizon() {
        for window in [DedupWindow::Positions(800), DedupWindow::EventTime { micros: 800 }] {
            let mut index = DedupIndex::new(window);
            for position in 0i64..100_000 {
                index.add(position, RowKey::new(&position.to_le_bytes(), 0)).unwrap();
                index.evict();
            }
            let kept: usize = index.steps.iter().map(|step| step.positions.len()).sum();
            assert!((800..1000).contains(&kept), "{kept}");
        }
    }

    #[test]
    fn a_horizon_is_written_as_a_number_or_by_its_name() {
        for (window, text) in
            [(DedupWindow::Positions(1), "1"), (DedupWindow::EventTime { micros: 5 }, "{\"micros\":5}")]
        {
            assert_eq!(serde_json::to_string(&window).unwrap(), text);
            assert_eq!(serde_json::from_str::<DedupWindow>(text).unwrap(), window);
        }
    }
}
