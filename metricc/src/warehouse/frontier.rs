//! The position of the log up to which another system has read.
//!
//! Segments merge, so the rows at many frontiers come from one pass over the log: those at a frontier are the
//! rows at the one before, merged with what lies between. A pass over the whole log finds the frontier with
//! most equal rows, and among those the one whose other rows are nearest; the next passes look closer,
//! between its neighbours.

use std::collections::BTreeSet;
use std::time::Instant;

use metricc_compiler::Segment;
use metricc_log::{Frontier, Interval, Log};

use super::question::{Example, Group, Judged, Question, example};
use metricc_comparison::causes::{Budget, RowsError, search};
use metricc_comparison::compare::Size;

/// Frontiers of a pass.
const CUTS: u64 = 32;

/// In which order positions of several partitions are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// One partition after the other.
    OfLog,
    /// The same share of each.
    SideBySide,
}

/// The frontier with most equal rows.
#[derive(Debug)]
pub(super) struct Earlier {
    pub(super) frontier: Frontier,
}

/// The frontier, before the end of the log, that explains most of the rows; `None` if none explains more than
/// it breaks.
pub(super) fn earlier(
    question: &Question<'_>,
    until: Instant,
    progress: &dyn Fn(),
) -> Result<Option<(Earlier, Judged)>, RowsError> {
    let orders: &[Order] = match question.whole.slices().count() {
        0 | 1 => &[Order::OfLog],
        _ => &[Order::OfLog, Order::SideBySide],
    };
    let mut best: Option<(Earlier, Judged)> = None;
    for order in orders {
        let found = Search { question, order: *order, until, progress }.run()?;
        if let Some((frontier, judged)) = found
            && best.as_ref().is_none_or(|(_, known)| !known.is_at_least(&judged))
        {
            best = Some((Earlier { frontier }, judged));
        }
    }
    Ok(best)
}

struct Search<'a> {
    question: &'a Question<'a>,
    order: Order,
    until: Instant,
    progress: &'a dyn Fn(),
}

/// A frontier of a pass: so many positions, and the segments below the frontier before it.
struct Cut {
    at: u64,
    below: (u64, Option<Vec<Segment>>),
    judged: Judged,
}

impl Search<'_> {
    fn run(&self) -> Result<Option<(Frontier, Judged)>, RowsError> {
        let (mut from, mut to) = ((0, None), self.question.whole.n_positions());
        let mut best: Option<(u64, Judged)> = None;
        // Each pass is over a part of the one before.
        loop {
            let n_before = to - from.0;
            let Some(cut) = self.pass(from, to)? else { break };
            let next = (cut.at + (cut.at - cut.below.0)).min(to);
            let is_closer = next - cut.below.0 < n_before;
            if best.as_ref().is_none_or(|(_, known)| cut.judged.is_at_least(known)) {
                best = Some((cut.at, cut.judged));
            }
            if !is_closer || next - cut.below.0 <= 2 || Instant::now() >= self.until {
                break;
            }
            (from, to) = (cut.below, next);
        }
        let found = best.filter(|(_, judged)| judged.is_cause());
        Ok(found.map(|(at, judged)| (self.frontier(at), judged)))
    }

    /// The best of the frontiers that divide a part of the log, its end not included.
    fn pass(&self, from: (u64, Option<Vec<Segment>>), to: u64) -> Result<Option<Cut>, RowsError> {
        let side = self.question.side;
        let step = (to - from.0).div_ceil(CUTS).max(1);
        let (mut below, mut at, mut best): (_, _, Option<Cut>) = (from.1, from.0, None);
        while at + step < to {
            if Instant::now() >= self.until {
                break;
            }
            let before = (at, below.clone());
            let Ok(part) = Interval::new(self.frontier(at), self.frontier(at + step)) else { break };
            let segments = side.segments(&part)?;
            let all = match &below {
                Some(below) => side.merged(below, &segments)?,
                None => segments,
            };
            at += step;
            let rows = self.question.like_theirs(&side.read(all.clone())?, None)?;
            let judged = self.question.judge(&rows, self.question.tolerance)?;
            (self.progress)();
            if best.as_ref().is_none_or(|best| judged.is_at_least(&best.judged)) {
                best = Some(Cut { at, below: before, judged });
            }
            below = Some(all);
        }
        Ok(best)
    }

    /// The frontier after so many positions of the whole interval.
    fn frontier(&self, n_positions: u64) -> Frontier {
        let whole = self.question.whole;
        let (mut left, total) = (n_positions, whole.n_positions().max(1));
        let bounds = whole.from().0.iter().zip(&whole.to().0);
        let offsets = bounds.map(|(&from, &to)| {
            let length = to - from;
            let taken = match self.order {
                Order::OfLog => length.min(left),
                Order::SideBySide => share(length, n_positions, total),
            };
            left = left.saturating_sub(taken);
            from + taken
        });
        Frontier(offsets.collect())
    }
}

/// So many of a partition's positions as a part of all positions is.
fn share(length: u64, part: u64, total: u64) -> u64 {
    let share = u128::from(length) * u128::from(part) / u128::from(total);
    u64::try_from(share).unwrap_or(length)
}

/// Events from a frontier on that are in the rows that it explains.
pub(super) fn later_events(
    question: &Question<'_>,
    earlier: &Earlier,
    explained: &BTreeSet<Group>,
    budget: Budget,
) -> Result<Vec<Example>, RowsError> {
    let log: &Log = question.side.log();
    let Ok(after) = Interval::new(earlier.frontier.clone(), question.whole.to().clone()) else {
        return Ok(Vec::new());
    };
    let mut measure = |interval: &Interval| -> Result<Option<Size>, RowsError> {
        let rows = question.like_theirs(&question.side.rows(interval)?.0, None)?;
        Ok(rows.has_one_of(explained)?.then_some(Size::Other))
    };
    let found = search(&after, Size::Other, budget, &mut measure)?;
    let examples = found.events.iter().map(|position| example(&[log], *position));
    Ok(examples.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
}
