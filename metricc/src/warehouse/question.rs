//! Which rows of a metric and of another system differ, and which of them a trial explains.

use std::collections::BTreeSet;

use metricc_ir::Window;
use metricc_ir::calendar::{MICROS_PER_DAY, ZoneRules};
use metricc_log::{Interval, Log, Position};
use metricc_runtime_serve::Presented;

use super::absent_keys::{AbsentKey, absent_keys};
use super::read::TheirRows;
use super::span::Outside;
use metricc_comparison::causes::{Budget, EventFields, RowsError, Side, event_fields, search};
use metricc_comparison::compare::{Clock, Comparison, RowSet, Size, Tolerance, compare};

/// A group of rows, as bytes.
pub(crate) type Group = Box<[u8]>;

/// Our rows and theirs.
#[derive(Debug)]
pub(crate) struct Question<'a> {
    /// The metric as it is.
    pub(crate) side: &'a Side,
    /// All events.
    pub(crate) whole: &'a Interval,
    /// Their rows.
    pub(crate) theirs: &'a TheirRows,
    /// How both compare.
    pub(crate) comparison: &'a Comparison,
    /// When numbers are equal.
    pub(crate) tolerance: Tolerance,
}

/// A cause that was tried.
#[derive(Debug)]
pub(crate) struct Trial {
    /// What the other system would have done.
    pub(crate) cause: String,
    /// What came of it.
    pub(crate) verdict: Verdict,
}

/// What came of a trial.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// It gives their numbers.
    Explains(Explained),
    /// It gives few of them, and another cause gives more.
    Little {
        /// Rows that differ, and would be equal with it.
        n_rows: usize,
        /// Rows that are equal, and would differ with it.
        n_broken: usize,
    },
    /// It does not.
    Nothing,
    /// It cannot be tried, with the reason.
    NotTried(String),
}

/// The rows that a cause explains.
#[derive(Debug, Default)]
pub(crate) struct Explained {
    /// Rows that differ, and would be equal with it.
    pub(crate) n_rows: usize,
    /// Rows that are equal, and would differ with it.
    pub(crate) n_broken: usize,
    /// Events that matter for these rows.
    pub(crate) examples: Vec<Example>,
}

/// An event.
#[derive(Debug)]
pub(crate) struct Example {
    /// Its file or partition.
    pub(crate) file: String,
    /// Where it stands.
    pub(crate) position: Position,
    /// Its fields.
    pub(crate) fields: EventFields,
}

/// The groups that a trial explains, and how many it breaks.
#[derive(Debug, Default, Clone)]
pub(super) struct Judged {
    pub(super) explained: BTreeSet<Group>,
    pub(super) n_broken: usize,
    /// How far the rows are from theirs.
    pub(super) distance: f64,
}

impl Judged {
    /// Whether it explains more than it breaks.
    pub(super) fn is_cause(&self) -> bool {
        self.explained.len() > self.n_broken
    }

    /// Whether both explain the same groups, and break as many.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.explained == other.explained && self.n_broken == other.n_broken
    }

    /// Whether it explains more than another one, less what it breaks; or as much, and is at most as far from
    /// their rows.
    pub(super) fn is_at_least(&self, other: &Self) -> bool {
        let gain = |judged: &Self| {
            let n = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
            n(judged.explained.len()) - n(judged.n_broken)
        };
        gain(self).cmp(&gain(other)).then(other.distance.total_cmp(&self.distance)).is_ge()
    }
}

/// Our rows beside theirs.
#[derive(Debug)]
pub(crate) struct Compared {
    /// Our rows, with windows as another table has them.
    pub(crate) ours: RowSet,
    /// How many more there are, of windows that the table does not reach.
    pub(crate) outside: Outside,
    /// How both compare.
    pub(crate) comparison: Comparison,
    /// Keys that are none in one of both and a text in the other.
    pub(crate) absent_keys: Vec<AbsentKey>,
}

/// Compares our rows with those of another table.
///
/// # Errors
/// If keys cannot be compared.
pub(crate) fn compared(
    presented: &Presented,
    theirs: &TheirRows,
    tolerance: Tolerance,
) -> Result<Compared, RowsError> {
    let (ours, outside) = like(presented, theirs, None)?;
    let comparison = compare(&ours, &theirs.rows, tolerance)?;
    let absent_keys = absent_keys((&ours, &theirs.rows), &comparison, tolerance)?;
    Ok(Compared { ours, outside, comparison, absent_keys })
}

impl Question<'_> {
    /// Rows of a trial, with windows as theirs have them.
    ///
    /// # Errors
    /// If rows cannot be filtered.
    pub(super) fn like_theirs(
        &self,
        presented: &Presented,
        zone: Option<&ZoneRules>,
    ) -> Result<RowSet, RowsError> {
        Ok(like(presented, self.theirs, zone)?.0)
    }

    /// Which rows the rows of a trial explain.
    pub(super) fn judge(&self, rows: &RowSet, tolerance: Tolerance) -> Result<Judged, RowsError> {
        let groups = |comparison: &Comparison| -> BTreeSet<Group> {
            comparison.different.iter().map(|row| row.group.clone()).collect()
        };
        let found = compare(rows, &self.theirs.rows, tolerance)?;
        let (before, after) = (groups(self.comparison), groups(&found));
        let explained = before.difference(&after).cloned().collect();
        Ok(Judged { explained, n_broken: after.difference(&before).count(), distance: found.distance })
    }

    /// Events that alone give other rows in a trial, among the rows that it explains.
    pub(super) fn examples(
        &self,
        trial: (&Side, Option<&ZoneRules>),
        explained: &BTreeSet<Group>,
        budget: Budget,
    ) -> Result<Vec<Example>, RowsError> {
        let (side, zone) = trial;
        let mut measure = |interval: &Interval| -> Result<Option<Size>, RowsError> {
            let ours = self.like_theirs(&self.side.rows(interval)?.0, None)?;
            let trial = self.like_theirs(&side.rows(interval)?.0, zone)?;
            let found = compare(&ours, &trial, Tolerance::default())?;
            let mut concerned = found.different.iter().filter(|row| explained.contains(&row.group));
            Ok(concerned.next().map(|row| row.size))
        };
        let found = search(self.whole, Size::Other, budget, &mut measure)?;
        let logs = [self.side.log(), side.log()];
        let examples = found.events.iter().map(|position| example(&logs, *position));
        Ok(examples.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
    }
}

/// The event at a position, from the first log in which the record is one.
pub(super) fn example(logs: &[&Log], position: Position) -> Result<Option<Example>, RowsError> {
    for log in logs {
        if let Some(fields) = event_fields(log, position)? {
            let names = log.partition_names();
            let file = names.into_iter().nth(position.partition as usize).unwrap_or_default();
            return Ok(Some(Example { file, position, fields }));
        }
    }
    Ok(None)
}

/// Presented rows with the windows that another table has: their starts as instants, or as the clock of the
/// metric's zone shows them. `zone` is another zone whose clock is meant. Rows of windows that the table does
/// not reach are counted alone.
fn like(
    presented: &Presented,
    theirs: &TheirRows,
    zone: Option<&ZoneRules>,
) -> Result<(RowSet, Outside), RowsError> {
    let mut rows = RowSet::of(presented);
    if let (Some(own), Some(theirs)) = (&mut rows.windows, &theirs.rows.windows) {
        own.ends = None;
        if matches!(theirs.clock, Clock::Local) {
            let of_metric = match &presented.row_type.window {
                Window::Calendar(_, calendar) => ZoneRules::named(&calendar.zone),
                _ => None,
            };
            if let Some(zone) = zone.or(of_metric.as_ref()) {
                own.starts.iter_mut().for_each(|start| *start = shown_at(zone, *start));
            }
            own.clock = Clock::Local;
        }
    }
    Ok(match &theirs.span {
        Some(span) => span.cut(rows)?,
        None => (rows, Outside::default()),
    })
}

/// What a clock shows at an instant, µs since 1970-01-01T00:00 on it.
fn shown_at(zone: &ZoneRules, instant: i64) -> i64 {
    let local = zone.local_time(instant);
    let seconds = i64::from(local.second_of_day) * 1_000_000;
    local.days.saturating_mul(MICROS_PER_DAY).saturating_add(seconds + i64::from(local.microsecond))
}
