//! The identities of what came last in a partition, so that an event that comes twice is recognised.
//!
//! An accepted event stands at a **mark**: its offset or its event time, as the horizon is measured. A record is a duplicate
//! where an accepted event with its identity stands at most the horizon before the **newest** mark, that of the record
//! included. That is a function of the log alone; what was decided is written into the log with the events.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::identity::{Identities, Seen};

/// Into how many steps the horizon is divided: identities are forgotten by whole steps.
const N_STEPS: i64 = 8;

/// For how long the identity of an event is remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Horizon {
    /// For so many positions of its partition.
    Positions(u64),
    /// Until an event is so much newer.
    EventTime {
        /// By event time, in µs.
        micros: u64,
    },
}

impl Horizon {
    fn length(self) -> i64 {
        let (Horizon::Positions(length) | Horizon::EventTime { micros: length }) = self;
        i64::try_from(length).unwrap_or(i64::MAX)
    }

    /// Where a record stands: its offset, or its event time in µs.
    pub(crate) fn mark(self, offset: u64, time: i64) -> i64 {
        match self {
            Horizon::Positions(_) => i64::try_from(offset).unwrap_or(i64::MAX),
            Horizon::EventTime { .. } => time,
        }
    }
}

/// The identities of the accepted events of the last positions or times.
#[derive(Debug)]
pub(crate) struct RecentIdentities {
    horizon: Horizon,
    /// The largest mark so far.
    newest: i64,
    /// In the order in which they were started.
    generations: VecDeque<Generation>,
}

/// Identities of one step of marks, each once.
#[derive(Debug)]
struct Generation {
    step: i64,
    identities: Identities,
    /// The mark of each of the identities, in the order in which they were added.
    marks: Vec<i64>,
}

/// A moment to which [`RecentIdentities::undo`] goes back.
#[derive(Debug, Clone)]
pub(crate) struct Mark {
    newest: i64,
    /// Identities of each generation.
    lengths: Vec<usize>,
}

impl RecentIdentities {
    pub(crate) fn new(horizon: Horizon) -> Self {
        RecentIdentities { horizon, newest: i64::MIN, generations: VecDeque::new() }
    }

    pub(crate) fn horizon(&self) -> Horizon {
        self.horizon
    }

    /// The first mark whose identity counts now.
    pub(crate) fn first_counted(&self) -> i64 {
        self.newest.saturating_sub(self.horizon.length())
    }

    /// Notes that there are marks up to this one.
    pub(crate) fn reach(&mut self, mark: i64) {
        self.newest = self.newest.max(mark);
    }

    /// Adds the identity of a record if it is new; otherwise, whether the event that had it says the same. None if there are
    /// too many identities.
    pub(crate) fn add(&mut self, mark: i64, identity: &[u8], payload: u64) -> Option<Seen> {
        let before = self.newest;
        self.reach(mark);
        let first_counted = self.first_counted();
        let known = self.generations.iter().filter_map(|generation| {
            let (place, known) = generation.identities.find(identity)?;
            Some((generation.marks[place], known))
        });
        if let Some((_, known)) = known.filter(|(at, _)| *at >= first_counted).max_by_key(|(at, _)| *at) {
            // A record that is none leaves no trace.
            self.newest = before;
            return Some(if known == payload { Seen::Same } else { Seen::Conflict });
        }
        self.put(mark, identity, payload)
    }

    /// Adds the identity of an event that was accepted before, when all marks are reached.
    pub(crate) fn put(&mut self, mark: i64, identity: &[u8], payload: u64) -> Option<Seen> {
        if mark < self.first_counted() {
            return Some(Seen::First);
        }
        let step = mark.div_euclid(self.horizon.length() / N_STEPS + 1);
        let has_room = |generation: &&mut Generation| {
            generation.step == step && generation.identities.find(identity).is_none()
        };
        let generation = match self.generations.iter_mut().rev().find(has_room) {
            Some(generation) => generation,
            None => {
                let (identities, marks) = (Identities::default(), Vec::new());
                self.generations.push_back(Generation { step, identities, marks });
                self.generations.back_mut()?
            }
        };
        generation.identities.insert(identity, payload)?;
        generation.marks.push(mark);
        Some(Seen::First)
    }

    pub(crate) fn mark(&self) -> Mark {
        let lengths = self.generations.iter().map(|generation| generation.marks.len());
        Mark { newest: self.newest, lengths: lengths.collect() }
    }

    /// Takes back what was added since the mark.
    pub(crate) fn undo(&mut self, mark: &Mark) {
        self.newest = mark.newest;
        self.generations.truncate(mark.lengths.len());
        for (generation, length) in self.generations.iter_mut().zip(&mark.lengths) {
            while generation.marks.len() > *length {
                generation.marks.pop();
                generation.identities.pop();
            }
        }
    }

    /// Forgets what no later record looks at. Marks from before do not hold any more.
    pub(crate) fn forget(&mut self) {
        let first_counted = self.first_counted();
        let width = self.horizon.length() / N_STEPS + 1;
        let ends_before = |generation: &Generation| {
            (generation.step + 1).checked_mul(width).is_some_and(|end| end <= first_counted)
        };
        self.generations.retain(|generation| !ends_before(generation));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What a horizon means, in the simplest words.
    fn oracle(length: i64, records: &[(u8, i64, u64)]) -> Vec<Seen> {
        let (mut accepted, mut newest): (Vec<(i64, u8, u64)>, i64) = (Vec::new(), i64::MIN);
        let mut all = Vec::new();
        for (identity, mark, payload) in records {
            let now = newest.max(*mark);
            let counted = accepted
                .iter()
                .filter(|(at, known, _)| known == identity && *at >= now.saturating_sub(length));
            all.push(match counted.max_by_key(|(at, _, _)| *at) {
                None => {
                    accepted.push((*mark, *identity, *payload));
                    newest = now;
                    Seen::First
                }
                Some((_, _, known)) if known == payload => Seen::Same,
                Some(_) => Seen::Conflict,
            });
        }
        all
    }

    fn run(recent: &mut RecentIdentities, records: &[(u8, i64, u64)]) -> Vec<Seen> {
        let add =
            |(identity, mark, payload): &(u8, i64, u64)| recent.add(*mark, &[*identity], *payload).unwrap();
        records.iter().map(add).collect()
    }

    /// The same records, and what is remembered of the accepted ones alone.
    fn rebuilt(horizon: Horizon, records: &[(u8, i64, u64)], seen: &[Seen]) -> RecentIdentities {
        let accepted = records.iter().zip(seen).filter(|(_, seen)| **seen == Seen::First);
        let accepted: Vec<_> = accepted.map(|(record, _)| record).collect();
        let mut recent = RecentIdentities::new(horizon);
        accepted.iter().for_each(|(_, mark, _)| recent.reach(*mark));
        for (identity, mark, payload) in accepted {
            recent.put(*mark, &[*identity], *payload).unwrap();
        }
        recent
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
            let horizon =
                if is_time { Horizon::EventTime { micros: length } } else { Horizon::Positions(length) };
            let mut recent = RecentIdentities::new(horizon);
            let (mut seen, mut at) = (Vec::new(), 0);
            for (n, is_undone, is_restarted) in groups {
                let group = &records[at.min(records.len())..(at + n).min(records.len())];
                if is_undone {
                    let mark = recent.mark();
                    run(&mut recent, group);
                    recent.undo(&mark);
                }
                if is_restarted {
                    recent = rebuilt(horizon, &records[..seen.len()], &seen);
                }
                seen.extend(run(&mut recent, group));
                at += n;
                recent.forget();
            }
            let n = seen.len();
            prop_assert_eq!(seen, oracle(length as i64, &records[..n]));
        }
    }

    #[test]
    fn memory_holds_little_more_than_the_horizon() {
        for horizon in [Horizon::Positions(800), Horizon::EventTime { micros: 800 }] {
            let mut recent = RecentIdentities::new(horizon);
            for mark in 0i64..100_000 {
                recent.add(mark, &mark.to_le_bytes(), 0).unwrap();
                recent.forget();
            }
            let kept: usize = recent.generations.iter().map(|generation| generation.marks.len()).sum();
            assert!((800..1000).contains(&kept), "{kept}");
        }
    }

    #[test]
    fn a_horizon_is_written_as_a_number_or_by_its_name() {
        for (horizon, text) in
            [(Horizon::Positions(1), "1"), (Horizon::EventTime { micros: 5 }, "{\"micros\":5}")]
        {
            assert_eq!(serde_json::to_string(&horizon).unwrap(), text);
            assert_eq!(serde_json::from_str::<Horizon>(text).unwrap(), horizon);
        }
    }
}
