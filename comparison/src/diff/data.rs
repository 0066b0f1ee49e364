//! The rows of both versions of a metric over one log, and the events that make them differ.

use std::collections::BTreeMap;
use std::time::Instant;

use metricc_compiler::EngineOptions;
use metricc_ir::AnyMetric;
use metricc_ir::user_defined::Imports;
use metricc_log::{Frontier, Interval, Log};
use metricc_runtime_serve::{Evaluated, ServeError};

use super::decided::{Cause, Class, Versions};
use crate::causes::{Budget, Found, RowsError, Side, search};
use crate::compare::{Common, Comparison, RowSet, Size, Tolerance, compare};

/// One version of a package, evaluated.
#[derive(Debug)]
pub struct EvaluatedVersion<'a> {
    /// Its functions and aggregates.
    pub imports: &'a Imports,
    /// Its segments.
    pub evaluated: &'a Evaluated,
    /// The logs of its sources, and the interval of each that was evaluated.
    pub logs: &'a [(Log, Interval)],
}

/// How the rows of a metric compare.
#[derive(Debug)]
pub struct RowsReport {
    /// Why rows are not compared one by one, if they are not, and by what they are compared.
    pub note: Option<String>,
    /// The rows of the old version.
    pub old: RowSet,
    /// The rows of the new version.
    pub new: RowSet,
    /// How they compare.
    pub comparison: Comparison,
    /// Outputs of one version alone, which are not compared: name and version.
    pub unpaired: Vec<(String, &'static str)>,
}

/// The events that make the rows of a metric differ.
#[derive(Debug)]
pub struct Causes {
    /// The events, by what decides for them; the classes with most events first.
    pub classes: Vec<(Class, Vec<Cause>)>,
    /// How the search went.
    pub found: Found,
    /// Parts that differ and could not be tested.
    pub untested: Vec<String>,
}

/// Compares the rows of a metric that both versions have.
///
/// # Errors
/// Outer: rows could not be computed. Inner: why there is nothing to compare.
pub fn compare_rows(
    (old, old_metric): (&EvaluatedVersion<'_>, &AnyMetric),
    (new, new_metric): (&EvaluatedVersion<'_>, &AnyMetric),
) -> Result<Result<(RowsReport, Common), String>, RowsError> {
    let common = match Common::of(&old_metric.row_type(), &new_metric.row_type()) {
        Ok(common) => common,
        Err(problem) => return Ok(Err(problem)),
    };
    let read = |version: &EvaluatedVersion<'_>, metric: &AnyMetric, options| match version.evaluated.read(
        metric,
        version.imports,
        options,
    ) {
        Ok(presented) => Ok(Ok(RowSet::of(&presented))),
        Err(error @ ServeError::Options { .. }) => Ok(Err(error.to_string())),
        Err(error) => Err(RowsError::from(error)),
    };
    let (old, new) = (read(old, old_metric, &common.old)?, read(new, new_metric, &common.new)?);
    let (old, new) = match (old, new) {
        (Ok(old), Ok(new)) => (old, new),
        (Err(problem), _) | (_, Err(problem)) => return Ok(Err(problem)),
    };
    let unpaired = unpaired(&old, &new);
    if unpaired.len() == old.outputs.len() + new.outputs.len() {
        return Ok(Err("no value of OLD has the name of one of NEW".to_owned()));
    }
    let comparison = compare(&old, &new, Tolerance::default())?;
    Ok(Ok((RowsReport { note: common.note.clone(), old, new, comparison, unpaired }, common)))
}

/// Outputs that only one side has.
fn unpaired(old: &RowSet, new: &RowSet) -> Vec<(String, &'static str)> {
    let alone = |own: &RowSet, other: &RowSet, version| {
        let is_alone = |name: &String| !other.outputs.iter().any(|output| output.name == *name);
        let names = own.outputs.iter().map(|output| output.name.clone());
        names.filter(is_alone).map(|name| (name, version)).collect::<Vec<_>>()
    };
    [alone(old, new, "OLD"), alone(new, old, "NEW")].concat()
}

/// Searches the events that make the rows of a metric differ. `progress` is told how many intervals were
/// looked at, and ends the search by an error.
///
/// # Errors
/// Outer: rows could not be computed. Inner: why there is nothing to search.
pub fn find_causes(
    (old, old_metric): (&EvaluatedVersion<'_>, &AnyMetric),
    (new, new_metric): (&EvaluatedVersion<'_>, &AnyMetric),
    (common, size): (&Common, Size),
    engine: &EngineOptions,
    budget: Budget,
    progress: &dyn Fn(usize) -> Result<(), RowsError>,
) -> Result<Result<Causes, String>, RowsError> {
    let (Some((old_log, whole)), Some((new_log, of_new))) =
        (log_of(old, old_metric), log_of(new, new_metric))
    else {
        return Ok(Err(
            "its events are of several sources: causes are searched in the metrics that it reads".to_owned(),
        ));
    };
    if old_log.source().name != new_log.source().name {
        return Ok(Err("its events are of another source in each version".to_owned()));
    }
    if whole != of_new {
        return Ok(Err("its events are of another interval in each version".to_owned()));
    }
    let versions = Versions::new(
        Side::new(old_metric, old_log, &common.old, old.imports, engine)?,
        Side::new(new_metric, new_log, &common.new, new.imports, engine)?,
    )?;
    if let Ok(nothing) = Interval::new(whole.from().clone(), whole.from().clone())
        && !versions.compared(&nothing)?.different.is_empty()
    {
        let problem = "the versions differ over no events at all: no event makes the difference";
        return Ok(Err(problem.to_owned()));
    }
    let mut n_done = 0;
    let mut measure = |interval: &Interval| {
        n_done += 1;
        progress(n_done)?;
        Ok::<_, RowsError>(versions.compared(interval)?.size())
    };
    let found = search(whole, size, budget, &mut measure)?;
    let mut classes: BTreeMap<Class, Vec<Cause>> = BTreeMap::new();
    for position in &found.events {
        if let Some((class, cause)) = versions.cause(*position)? {
            classes.entry(class).or_default().push(cause);
        }
    }
    let mut classes: Vec<_> = classes.into_iter().collect();
    classes.sort_by_key(|(_, causes)| std::cmp::Reverse(causes.len()));
    let untested = versions.untested().into_iter().map(str::to_owned).collect();
    Ok(Ok(Causes { classes, found, untested }))
}

/// The log with all events of a metric; `None` if there are several.
fn log_of<'a>(version: &EvaluatedVersion<'a>, metric: &AnyMetric) -> Option<&'a (Log, Interval)> {
    let source = metric.only_source()?;
    version.logs.iter().find(|(log, _)| log.source().name == source.name)
}

/// The positions that both logs have: the same files, perhaps read as other fields, and opened one after the
/// other.
///
/// # Errors
/// Why the logs are not of the same partitions.
pub fn shared_interval(old: &Log, new: &Log) -> Result<Interval, String> {
    let (name, names) = (&old.source().name, old.partition_names());
    if names != new.partition_names() {
        return Err(format!(
            "the files of source `{name}` changed while they were opened: run the command again"
        ));
    }
    let most = |a: Frontier, b: Frontier| Frontier(a.0.iter().zip(&b.0).map(|(a, b)| *a.max(b)).collect());
    let least = |a: Frontier, b: Frontier| Frontier(a.0.iter().zip(&b.0).map(|(a, b)| *a.min(b)).collect());
    let (from, to) = (most(old.start(), new.start()), least(old.end(), new.end()));
    Interval::new(from, to).map_err(|error| format!("source `{name}`: {error}"))
}

/// A moment so far from now.
pub fn deadline(micros: i64) -> Instant {
    let far = std::time::Duration::from_micros(u64::try_from(micros).unwrap_or(0));
    // Far beyond the life of a process if it has no place.
    let now = Instant::now();
    now.checked_add(far).unwrap_or(now)
}

#[cfg(test)]
#[path = "data_tests.rs"]
mod tests;
