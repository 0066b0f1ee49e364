//! Descending into halves of an interval until single events are left.
//!
//! Each descent follows the half with the larger difference; the other half waits. The next descent starts at
//! what waits with the largest difference, so events from different parts of the log are found early.

use std::time::Instant;

use metricc_log::{Frontier, Interval, Position, Slice};

use crate::compare::Size;

/// Where a search stops although more is left.
#[derive(Debug, Clone, Copy)]
pub struct Budget {
    /// After so many events.
    pub events: usize,
    /// At this moment.
    pub until: Instant,
}

/// Why a search ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// There is nothing more.
    Complete,
    /// The number of events is reached, and so many intervals that differ are left.
    Events(usize),
    /// The time is over, and so many intervals that differ are left.
    Time(usize),
}

/// What a search has found.
#[derive(Debug, Clone)]
pub struct Found {
    /// Events that alone give other rows, in the order in which they were found.
    pub events: Vec<Position>,
    /// Intervals over which rows differ, although they do over neither of their halves.
    pub together: Vec<Interval>,
    /// Why it ended.
    pub stop: Stop,
    /// Intervals that were evaluated.
    pub n_evaluated: usize,
}

/// Searches an interval over which rows differ by `size`. `measure` says by how much they do over an
/// interval; `None` if they do not.
///
/// # Errors
/// That of `measure`.
pub fn search<E>(
    whole: &Interval,
    size: Size,
    budget: Budget,
    measure: &mut dyn FnMut(&Interval) -> Result<Option<Size>, E>,
) -> Result<Found, E> {
    let mut waiting = vec![(size, whole.clone())];
    let mut found = Found { events: Vec::new(), together: Vec::new(), stop: Stop::Complete, n_evaluated: 0 };
    while let Some(next) = largest(&waiting) {
        if found.events.len() + found.together.len() >= budget.events {
            found.stop = Stop::Events(waiting.len());
            return Ok(found);
        }
        let (_, mut interval) = waiting.swap_remove(next);
        loop {
            if interval.n_positions() <= 1 {
                found.events.extend(first_position(&interval));
                break;
            }
            if Instant::now() >= budget.until {
                found.stop = Stop::Time(waiting.len() + 1);
                return Ok(found);
            }
            let halves = halves(&interval);
            found.n_evaluated += halves.len();
            let mut different = Vec::with_capacity(2);
            for half in halves {
                different.extend(measure(&half)?.map(|size| (size, half)));
            }
            let Some(next) = largest(&different) else {
                found.together.push(interval);
                break;
            };
            (_, interval) = different.swap_remove(next);
            waiting.append(&mut different);
        }
    }
    Ok(found)
}

/// The first of those with the largest difference.
fn largest(intervals: &[(Size, Interval)]) -> Option<usize> {
    let mut best: Option<usize> = None;
    for (index, (size, _)) in intervals.iter().enumerate() {
        if best.is_none_or(|best| intervals[best].0.order(*size).is_lt()) {
            best = Some(index);
        }
    }
    best
}

/// The first position of an interval that is not empty.
fn first_position(interval: &Interval) -> Option<Position> {
    let Slice { partition, from, .. } = interval.slices().next()?;
    Some(Position { partition, offset: from })
}

/// An interval of at least two positions as two that are not empty, cut in the order of the log.
fn halves(interval: &Interval) -> Vec<Interval> {
    let mut left = interval.n_positions() / 2;
    let bounds = interval.from().0.iter().zip(&interval.to().0);
    let middle = bounds.map(|(&from, &to)| {
        let taken = (to - from).min(left);
        left -= taken;
        from + taken
    });
    let middle = Frontier(middle.collect());
    let below = Interval::new(interval.from().clone(), middle.clone());
    let above = Interval::new(middle, interval.to().clone());
    // Both are within the interval, so neither goes back.
    below.into_iter().chain(above).collect()
}

/// The interval of one position in a log that begins at a frontier.
pub fn interval_of(position: Position, start: &Frontier) -> Option<Interval> {
    let frontier = |offset: u64| {
        let mut offsets = start.0.clone();
        *offsets.get_mut(position.partition as usize)? = offset;
        Some(Frontier(offsets))
    };
    Interval::new(frontier(position.offset)?, frontier(position.offset.checked_add(1)?)?).ok()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    fn interval(from: &[u64], to: &[u64]) -> Interval {
        Interval::new(Frontier(from.to_vec()), Frontier(to.to_vec())).unwrap()
    }

    fn positions(interval: &Interval) -> impl Iterator<Item = (u32, u64)> {
        interval
            .slices()
            .flat_map(|slice| (slice.from..slice.to).map(move |offset| (slice.partition, offset)))
    }

    fn run(bad: &[((u32, u64), f64)], events: usize, until: Instant) -> Found {
        let mut measure = |interval: &Interval| -> Result<Option<Size>, ()> {
            let sum: f64 = positions(interval)
                .filter_map(|at| bad.iter().find(|(place, _)| *place == at).map(|(_, size)| size))
                .sum();
            Ok((sum != 0.0).then_some(Size::Number(sum.abs())))
        };
        let whole = interval(&[3, 0, 10], &[3 + 40, 0, 10 + 61]);
        search(&whole, Size::Number(1.0), Budget { events, until }, &mut measure).unwrap()
    }

    #[test]
    fn all_events_that_differ_are_found_and_the_largest_first() {
        let bad = [((0, 3), 1.0), ((0, 42), 5.0), ((2, 10), 2.0), ((2, 70), 3.0)];
        let found = run(&bad, 100, Instant::now() + HOUR);
        let places: Vec<_> = found.events.iter().map(|at| (at.partition, at.offset)).collect();
        assert_eq!(places[0], (0, 42));
        let mut sorted = places.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, [(0, 3), (0, 42), (2, 10), (2, 70)]);
        assert_eq!((found.stop, found.together.len()), (Stop::Complete, 0));
    }

    #[test]
    fn a_search_says_what_it_left() {
        let bad: Vec<_> = (10..71).map(|offset| ((2, offset), 1.0)).collect();
        let found = run(&bad, 3, Instant::now() + HOUR);
        assert_eq!(found.events.len(), 3);
        assert!(matches!(found.stop, Stop::Events(left) if left > 0), "{found:?}");
        let found = run(&bad, 3, Instant::now());
        assert_eq!((found.events.len(), found.stop), (0, Stop::Time(1)));
    }

    #[test]
    fn what_differs_only_together_is_an_interval() {
        let whole = interval(&[0], &[8]);
        let mut measure = |interval: &Interval| -> Result<Option<Size>, ()> {
            let places: Vec<u64> = positions(interval).map(|(_, offset)| offset).collect();
            Ok((places.contains(&1) && places.contains(&2)).then_some(Size::NoValue))
        };
        let budget = Budget { events: 10, until: Instant::now() + HOUR };
        let found = search(&whole, Size::NoValue, budget, &mut measure).unwrap();
        assert_eq!((found.events.len(), found.together), (0, vec![interval(&[0], &[4])]));
    }
}
