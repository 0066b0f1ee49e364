//! The identities of the last positions of a partition, so that an event that comes twice is recognised.
//!
//! The record at an offset is a duplicate where an accepted event with its identity stands at most the horizon before
//! it. That is a function of the log alone; what was decided is written into the log with the events.

use std::collections::VecDeque;

use crate::identity::{Identities, Seen};

/// Into how many generations the horizon is divided: forgetting is dropping the oldest one.
const N_GENERATIONS: u64 = 8;

/// The identities of the accepted events of the last positions.
#[derive(Debug)]
pub(crate) struct RecentIdentities {
    /// Positions after which an identity is forgotten.
    horizon: u64,
    /// Oldest first.
    generations: VecDeque<Generation>,
}

#[derive(Debug)]
struct Generation {
    /// Where it starts; it ends where the next one starts.
    from: u64,
    identities: Identities,
    /// The offset of each of the identities, in the order in which they were added.
    offsets: Vec<u64>,
}

/// A moment to which [`RecentIdentities::undo`] goes back.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mark {
    n_generations: usize,
    n_identities: usize,
}

impl RecentIdentities {
    pub(crate) fn new(horizon: u64) -> Self {
        RecentIdentities { horizon, generations: VecDeque::new() }
    }

    /// The first offset whose identity counts for a record at this one.
    pub(crate) fn first_counted(&self, offset: u64) -> u64 {
        offset.saturating_sub(self.horizon)
    }

    /// Adds the identity of the record at an offset, which is larger than all before, if it is new; otherwise, whether the
    /// event that had it says the same. None if there are too many identities.
    pub(crate) fn add(&mut self, offset: u64, identity: &[u8], payload: u64) -> Option<Seen> {
        let first_counted = self.first_counted(offset);
        let known = self.generations.iter().rev().find_map(|generation| {
            let (place, known) = generation.identities.find(identity)?;
            Some((generation.offsets[place], known))
        });
        if let Some((at, known)) = known
            && at >= first_counted
        {
            return Some(if known == payload { Seen::Same } else { Seen::Conflict });
        }
        let is_full = |generation: &Generation| offset - generation.from > self.horizon / N_GENERATIONS;
        if self.generations.back().is_none_or(is_full) {
            let (identities, offsets) = (Identities::default(), Vec::new());
            self.generations.push_back(Generation { from: offset, identities, offsets });
        }
        let newest = self.generations.back_mut()?;
        newest.identities.insert(identity, payload)?;
        newest.offsets.push(offset);
        Some(Seen::First)
    }

    pub(crate) fn mark(&self) -> Mark {
        let n_identities = self.generations.back().map_or(0, |newest| newest.offsets.len());
        Mark { n_generations: self.generations.len(), n_identities }
    }

    /// Takes back what was added since the mark.
    pub(crate) fn undo(&mut self, mark: Mark) {
        self.generations.truncate(mark.n_generations);
        if let Some(newest) = self.generations.back_mut() {
            while newest.offsets.len() > mark.n_identities {
                newest.offsets.pop();
                newest.identities.pop();
            }
        }
    }

    /// Forgets what no record from this offset on looks at. Marks from before do not hold any more.
    pub(crate) fn forget(&mut self, offset: u64) {
        let first_counted = self.first_counted(offset);
        while self.generations.get(1).is_some_and(|second| second.from <= first_counted) {
            self.generations.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What a horizon means, in the simplest words: the last accepted event with each identity.
    fn oracle(horizon: u64, records: &[(u8, u64)]) -> Vec<Seen> {
        let mut accepted: Vec<(u64, u8, u64)> = Vec::new();
        let mut all = Vec::new();
        for (offset, (identity, payload)) in (0u64..).zip(records) {
            let known =
                accepted.iter().rev().find(|(at, known, _)| known == identity && offset - at <= horizon);
            all.push(match known {
                None => {
                    accepted.push((offset, *identity, *payload));
                    Seen::First
                }
                Some((_, _, known)) if known == payload => Seen::Same,
                Some(_) => Seen::Conflict,
            });
        }
        all
    }

    proptest! {
        #[test]
        fn an_identity_counts_for_the_horizon_and_no_longer(
            horizon in 0u64..40,
            records in prop::collection::vec((0u8..12, 0u64..2), 0..300),
            groups in prop::collection::vec((1usize..20, any::<bool>()), 40),
        ) {
            let mut recent = RecentIdentities::new(horizon);
            let (mut seen, mut at) = (Vec::new(), 0);
            for (n, is_undone) in groups {
                let group = &records[at.min(records.len())..(at + n).min(records.len())];
                let run = |recent: &mut RecentIdentities| -> Vec<Seen> {
                    let add = |(offset, (identity, payload)): (u64, &(u8, u64))| {
                        recent.add(offset, &[*identity], *payload).unwrap()
                    };
                    (at as u64..).zip(group).map(add).collect()
                };
                if is_undone {
                    let mark = recent.mark();
                    run(&mut recent);
                    recent.undo(mark);
                }
                seen.extend(run(&mut recent));
                at += n;
                recent.forget(at as u64);
            }
            let n = seen.len();
            prop_assert_eq!(seen, oracle(horizon, &records[..n]));
        }
    }

    #[test]
    fn memory_holds_little_more_than_the_horizon() {
        let mut recent = RecentIdentities::new(800);
        for offset in 0u64..100_000 {
            recent.add(offset, &offset.to_le_bytes(), 0).unwrap();
            recent.forget(offset + 1);
        }
        let kept: usize = recent.generations.iter().map(|generation| generation.offsets.len()).sum();
        assert!((800..1000).contains(&kept), "{kept}");
    }
}
