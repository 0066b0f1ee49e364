//! All trials of a metric, one after the other, and example events for those that are causes.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

use metricc_ir::calendar::ZoneRules;
use metricc_ir::{AnyMetric, Source};
use metricc_log::{Log, LogError, ReadStats};

use super::floats::with_floats;
use super::frontier::{Earlier, earlier, later_events};
use super::question::{Explained, Group, Judged, Question, Trial, Verdict};
use super::rounding::rounded;
use super::variants::{none_as_zero, over, reads_decimals, without_key};
use super::zones::zones;
use crate::Package;
use metricc_comparison::causes::{Budget, RowsError, Side};
use metricc_comparison::compare::Tolerance;

/// Adding floats one after the other loses about so much.
const OF_FLOATS: f64 = 1e-12;

/// Why a trial is left out that the time does not suffice for.
pub(super) const NO_TIME: &str = "the time was over (`--within`)";

/// Opens the log of a source that is declared in another way.
pub(crate) type Reopen<'a> = dyn Fn(&Arc<Source>) -> Result<Log, LogError> + 'a;

/// What trials need beside the rows.
pub(crate) struct Sources<'a> {
    /// The package of the metric.
    pub(crate) package: &'a Package,
    /// What was read of the log.
    pub(crate) stats: &'a ReadStats,
    /// Opens the log again under another declaration of its source; `None` if it can be read only once.
    pub(crate) reopen: Option<&'a Reopen<'a>>,
    /// Zones to try.
    pub(crate) zones: &'a [String],
    /// How many example events to find for each cause, and until when to try.
    pub(crate) budget: Budget,
    /// Called after each evaluation.
    pub(crate) progress: &'a dyn Fn(),
}

impl Sources<'_> {
    pub(super) fn is_late(&self) -> bool {
        Instant::now() >= self.budget.until
    }
}

/// A trial before its example events are searched.
pub(super) struct Attempt {
    pub(super) cause: String,
    pub(super) outcome: Outcome,
}

/// What came of it.
pub(super) enum Outcome {
    /// The rows that it explains, and what was computed.
    Cause(Judged, Computed),
    /// It explains few rows, and another cause explains more.
    Little(Judged),
    Nothing,
    NotTried(String),
}

/// What was computed in a trial.
pub(super) enum Computed {
    /// Another metric or another log, and the zone in which its windows are shown.
    Side(Box<Side>, Option<ZoneRules>),
    /// The metric up to an earlier frontier.
    Earlier(Earlier),
    /// The rows of the metric, written otherwise: no events make them.
    Rows,
}

impl Attempt {
    pub(super) fn not_tried(cause: impl Into<String>, why: impl Into<String>) -> Self {
        Attempt { cause: cause.into(), outcome: Outcome::NotTried(why.into()) }
    }

    /// Of the rows that better causes leave, one that explains few is none.
    fn leave_if_little(&mut self, left: &mut BTreeSet<Group>) {
        if let Outcome::Cause(judged, _) = &mut self.outcome {
            let n_of_left = judged.explained.intersection(left).count();
            if n_of_left == 0 || n_of_left * 100 < left.len() * LEAST_SHARE {
                self.outcome = Outcome::Little(std::mem::take(judged));
            } else {
                left.retain(|group| !judged.explained.contains(group));
            }
        }
    }

    /// A cause is in all of their rows: one with which most of those that are equal would differ is none.
    fn leave_if_it_breaks_most(&mut self, n_equal: usize) {
        if let Outcome::Cause(judged, _) = &self.outcome
            && judged.n_broken * 2 > n_equal
        {
            self.outcome = Outcome::Nothing;
        }
    }

    /// The attempt to explain rows by what was computed.
    pub(super) fn of(cause: impl Into<String>, judged: Judged, computed: Computed) -> Self {
        let outcome = if judged.is_cause() { Outcome::Cause(judged, computed) } else { Outcome::Nothing };
        Attempt { cause: cause.into(), outcome }
    }
}

/// A cause that explains a smaller share of the rows that differ, in percent, is probably chance.
pub(crate) const LEAST_SHARE: usize = 10;

/// Tries all causes: those that explain most rows come first. One that explains few is none beside another
/// one that explains more.
///
/// # Errors
/// If rows cannot be computed.
pub(crate) fn all_trials(question: &Question<'_>, sources: &Sources<'_>) -> Result<Vec<Trial>, RowsError> {
    let mut attempts = zones(question, sources)?;
    for attempt in [rounded, duplicates, zeros, floats, up_to] {
        attempts.push(attempt(question, sources)?);
    }
    let n_equal = question.comparison.n_equal + question.comparison.n_within;
    attempts.iter_mut().for_each(|attempt| attempt.leave_if_it_breaks_most(n_equal));
    // Beside one that explains all and breaks nothing, others are chance.
    let n_different = question.comparison.different.len();
    let is_whole = |judged: &Judged| judged.explained.len() == n_different && judged.n_broken == 0;
    let has_whole = attempts
        .iter()
        .any(|attempt| matches!(&attempt.outcome, Outcome::Cause(judged, _) if is_whole(judged)));
    for attempt in &mut attempts {
        if matches!(&attempt.outcome, Outcome::Cause(judged, _) if has_whole && !is_whole(judged)) {
            attempt.outcome = Outcome::Nothing;
        }
    }
    attempts.sort_by_key(|attempt| match &attempt.outcome {
        Outcome::Cause(judged, _) | Outcome::Little(judged) => {
            (0, Reverse(judged.explained.len()), judged.n_broken)
        }
        Outcome::Nothing => (1, Reverse(0), 0),
        Outcome::NotTried(_) => (2, Reverse(0), 0),
    });
    let mut left: BTreeSet<Group> = BTreeSet::new();
    for (index, attempt) in attempts.iter_mut().enumerate() {
        match &attempt.outcome {
            Outcome::Cause(best, _) if index == 0 => {
                let different = question.comparison.different.iter().map(|row| row.group.clone());
                left = different.filter(|group| !best.explained.contains(group)).collect();
            }
            _ => attempt.leave_if_little(&mut left),
        }
    }
    // Examples take the time that trials have left.
    attempts.into_iter().map(|attempt| with_examples(question, sources, attempt)).collect()
}

fn with_examples(
    question: &Question<'_>,
    sources: &Sources<'_>,
    attempt: Attempt,
) -> Result<Trial, RowsError> {
    let Attempt { cause, outcome } = attempt;
    let (judged, computed) = match outcome {
        Outcome::Cause(judged, computed) => (judged, computed),
        Outcome::Little(Judged { explained, n_broken, .. }) => {
            return Ok(Trial { cause, verdict: Verdict::Little { n_rows: explained.len(), n_broken } });
        }
        Outcome::Nothing => return Ok(Trial { cause, verdict: Verdict::Nothing }),
        Outcome::NotTried(why) => return Ok(Trial { cause, verdict: Verdict::NotTried(why) }),
    };
    let mut examples = match &computed {
        Computed::Side(side, zone) => {
            question.examples((side, zone.as_ref()), &judged.explained, sources.budget)?
        }
        Computed::Earlier(earlier) => later_events(question, earlier, &judged.explained, sources.budget)?,
        Computed::Rows => Vec::new(),
    };
    examples.sort_by_key(|example| example.position);
    let found = Explained { n_rows: judged.explained.len(), n_broken: judged.n_broken, examples };
    Ok(Trial { cause, verdict: Verdict::Explains(found) })
}

/// A trial with another metric or log.
pub(super) fn tried(
    question: &Question<'_>,
    sources: &Sources<'_>,
    cause: &str,
    side: Side,
    tolerance: Tolerance,
) -> Result<Attempt, RowsError> {
    if sources.is_late() {
        return Ok(Attempt::not_tried(cause, NO_TIME));
    }
    let rows = question.like_theirs(&side.rows(question.whole)?.0, None)?;
    (sources.progress)();
    let judged = question.judge(&rows, tolerance)?;
    Ok(Attempt::of(cause, judged, Computed::Side(Box::new(side), None)))
}

/// The same metric over a log that is opened under another declaration of the source.
fn reopened(
    question: &Question<'_>,
    sources: &Sources<'_>,
    metric: &AnyMetric,
    source: &Arc<Source>,
) -> Result<Result<Side, String>, RowsError> {
    let Some(reopen) = sources.reopen else {
        return Ok(Err("standard input is read only once".to_owned()));
    };
    let log = match reopen(source) {
        Ok(log) => log,
        Err(error) => return Ok(Err(error.to_string())),
    };
    if log.partition_names() != question.side.log().partition_names() {
        return Ok(Err("the files of the log have changed".to_owned()));
    }
    Ok(Ok(question.side.with(metric, &log)?))
}

fn duplicates(question: &Question<'_>, sources: &Sources<'_>) -> Result<Attempt, RowsError> {
    const CAUSE: &str = "duplicates are counted";
    let metric = &question.side.metric;
    let Some(source) = without_key(question.side.log().source()) else {
        return Ok(Attempt::not_tried(CAUSE, "the source has no `key`, so each record is an event"));
    };
    if sources.stats.n_duplicates == 0 {
        return Ok(Attempt::not_tried(CAUSE, "the log has no duplicates"));
    }
    let Some(metric) = over(metric, &source) else {
        return Ok(Attempt::not_tried(CAUSE, "the metric has other sources"));
    };
    match reopened(question, sources, &metric, &source)? {
        Ok(side) => tried(question, sources, CAUSE, side, question.tolerance),
        Err(why) => Ok(Attempt::not_tried(CAUSE, why)),
    }
}

fn up_to(question: &Question<'_>, sources: &Sources<'_>) -> Result<Attempt, RowsError> {
    const CAUSE: &str = "events after an earlier position of the log are missing";
    let found = earlier(question, sources.budget.until, sources.progress)?;
    Ok(match found {
        Some((earlier, judged)) => {
            let cause = format!("events from position {} of the log on are missing", earlier.frontier);
            Attempt::of(cause, judged, Computed::Earlier(earlier))
        }
        None if sources.is_late() => Attempt::not_tried(CAUSE, NO_TIME),
        None => Attempt { cause: CAUSE.to_owned(), outcome: Outcome::Nothing },
    })
}

fn zeros(question: &Question<'_>, sources: &Sources<'_>) -> Result<Attempt, RowsError> {
    const CAUSE: &str = "no value counts as zero";
    match none_as_zero(&question.side.metric) {
        Some(metric) => {
            let side = question.side.with(&metric, question.side.log())?;
            tried(question, sources, CAUSE, side, question.tolerance)
        }
        None => Ok(Attempt::not_tried(
            CAUSE,
            "no aggregate of the metric leaves out values that are none, other than a sum",
        )),
    }
}

fn floats(question: &Question<'_>, sources: &Sources<'_>) -> Result<Attempt, RowsError> {
    const CAUSE: &str = "numbers are floats, not decimals";
    let metric = &question.side.metric;
    if !reads_decimals(metric) {
        return Ok(Attempt::not_tried(CAUSE, "the metric reads no decimals"));
    }
    let changed = with_floats(sources.package, metric.name());
    let source = changed.as_ref().and_then(|metric| metric.only_source().cloned());
    let (Some(changed), Some(source)) = (changed, source) else {
        return Ok(Attempt::not_tried(CAUSE, "the definition is none with floats instead of decimals"));
    };
    let tolerance = Tolerance { share: question.tolerance.share.max(OF_FLOATS), ..question.tolerance };
    match reopened(question, sources, &changed, &source)? {
        Ok(side) => tried(question, sources, CAUSE, side, tolerance),
        Err(why) => Ok(Attempt::not_tried(CAUSE, why)),
    }
}
