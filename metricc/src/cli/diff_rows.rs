//! `metricc diff --source`: the rows of both versions over the same events, and the events that make them
//! differ.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use metricc_comparison::causes::{Budget, evaluated};
use metricc_comparison::diff::data::{
    EvaluatedVersion, compare_rows, deadline, find_causes, shared_interval,
};
use metricc_comparison::diff::{Change, MetricChange};
use metricc_comparison::report::MetricRows;
use metricc_ir::{AnyMetric, Source};
use metricc_log::{Binding, Interval, Log};

use super::arguments::DiffArguments;
use super::kafka::Topics;
use super::rejections::{self, RejectedFile};
use super::run::engine_options;
use super::terminal::{self, Failure};
use super::{diff_tests, progress};
use crate::{Bound, Evaluated, Package};

/// Compares the rows of all metrics that both versions have and that differ, by their names.
pub(crate) fn compare(
    arguments: &DiffArguments,
    (old, new): (&Package, &Package),
    changes: &[MetricChange],
) -> Result<BTreeMap<String, MetricRows>, Failure> {
    let names = names(arguments, changes)?;
    if names.is_empty() {
        terminal::note("no metric that both versions have differs: nothing is computed");
        return Ok(BTreeMap::new());
    }
    if let Some(path) = &arguments.write_tests {
        diff_tests::check(path, &new.text.name)?;
    }
    let bound = open(arguments, (old, new), &names)?;
    let intervals = intervals(&bound)?;
    let mut listed = RejectedFile::create(&arguments.logs.rejections)?;
    let of_old = evaluate(arguments, (&bound[0], "OLD"), &bound[1], &intervals, &mut listed)?;
    let of_new = evaluate(arguments, (&bound[1], "NEW"), &bound[0], &intervals, &mut listed)?;
    listed.map(RejectedFile::finish).transpose()?;
    let logs = [&bound[0], &bound[1]].map(|bound| {
        let log = |one: &Bound| {
            let interval = intervals.get(&one.plan.source.name)?;
            Some((one.log.clone(), interval.clone()))
        };
        bound.iter().filter_map(log).collect::<Vec<_>>()
    });
    let of_old = EvaluatedVersion { imports: &old.imports, evaluated: &of_old, logs: &logs[0] };
    let of_new = EvaluatedVersion { imports: &new.imports, evaluated: &of_new, logs: &logs[1] };
    let mut all = BTreeMap::new();
    for name in names {
        let (old, new) = (metric_of(old, &name), metric_of(new, &name));
        if let (Some(old), Some(new)) = (old, new) {
            all.insert(name, metric_rows(arguments, (&of_old, &old), (&of_new, &new))?);
        }
    }
    Ok(all)
}

/// The metrics whose rows are compared. Those of one meaning have the same rows.
fn names(arguments: &DiffArguments, changes: &[MetricChange]) -> Result<Vec<String>, Failure> {
    for wanted in &arguments.metrics {
        if !changes.iter().any(|change| change.metric == *wanted) {
            let known: Vec<_> = changes.iter().map(|change| format!("`{}`", change.metric)).collect();
            let known = known.join(", ");
            return Err(Failure::Message(format!(
                "neither version has a metric `{wanted}`\n  help: the metrics are {known}"
            )));
        }
    }
    let is_wanted = |name: &String| arguments.metrics.is_empty() || arguments.metrics.contains(name);
    let is_in_both = |change: &&MetricChange| matches!(change.change, Change::Presentation | Change::States);
    let names = changes.iter().filter(is_in_both).map(|change| change.metric.clone());
    Ok(names.filter(is_wanted).collect())
}

fn metric_of(package: &Package, name: &str) -> Option<AnyMetric> {
    package.checked.package.all_metrics().find(|metric| metric.name() == name)
}

/// Opens the logs of both versions. A source that is the same in both is opened once.
fn open(
    arguments: &DiffArguments,
    (old, new): (&Package, &Package),
    names: &[String],
) -> Result<[Vec<Bound>; 2], Failure> {
    let sources = &arguments.logs.sources;
    let has = |package: &Package, name: &str| {
        package.checked.package.sources.iter().any(|source| source.name == name)
    };
    if let Some((name, _)) = sources.iter().find(|(name, _)| !has(old, name) && !has(new, name)) {
        return Err(Failure::Message(format!(
            "neither version has a source `{name}`\n  help: `--source NAME=PATH` names a source of the versions"
        )));
    }
    let topics = Topics::new(&arguments.logs.kafka, sources)?;
    let opened: RefCell<Vec<(Arc<Source>, Log)>> = RefCell::default();
    let open_log = |source: &Arc<Source>, binding: &Binding, show: &dyn Fn(metricc_log::Progress)| {
        if let Some((_, log)) = opened.borrow().iter().find(|(known, _)| known == source) {
            return Ok(log.clone());
        }
        let log = topics.open_log(source, binding, show)?;
        opened.borrow_mut().push((source.clone(), log.clone()));
        Ok(log)
    };
    let open_version = |package: &Package| {
        let own: Vec<_> = sources.iter().filter(|(name, _)| has(package, name)).cloned().collect();
        let base = package.select(names)?.base;
        if let Some((name, _)) = own.iter().find(|(name, binding)| {
            let is_other = |(source, _): &(Arc<Source>, Log)| {
                source.name == *name && !base.iter().any(|metric| metric.source == *source)
            };
            binding.path == "-" && opened.borrow().iter().any(is_other)
        }) {
            return Err(Failure::Message(format!(
                "source `{name}` differs between the versions, and standard input is read once\n  help: write the \
                 events to a file, and name it"
            )));
        }
        progress::open(package, &base, &own, &open_log)
    };
    Ok([open_version(old)?, open_version(new)?])
}

/// For each source, the positions that the logs of both versions have.
fn intervals(bound: &[Vec<Bound>; 2]) -> Result<BTreeMap<String, Interval>, Failure> {
    let mut intervals = BTreeMap::new();
    for one in bound.iter().flatten() {
        let name = &one.plan.source.name;
        let same = bound.iter().flatten().filter(|other| other.plan.source.name == *name);
        let mut shared: Option<Interval> = None;
        for other in same {
            let next = shared_interval(&one.log, &other.log).map_err(Failure::Message)?;
            let is_less = |known: &Interval| next.n_positions() < known.n_positions();
            if shared.as_ref().is_none_or(is_less) {
                shared = Some(next);
            }
        }
        intervals.extend(shared.map(|shared| (name.clone(), shared)));
    }
    Ok(intervals)
}

/// The segments of one version; an error if too many of its records are rejected. Records of a source that is
/// the same in the other version are reported once.
fn evaluate(
    arguments: &DiffArguments,
    (bound, version): (&[Bound], &str),
    other: &[Bound],
    intervals: &BTreeMap<String, Interval>,
    listed: &mut Option<RejectedFile>,
) -> Result<Evaluated, Failure> {
    let (mut all, mut is_sound) = (Evaluated::default(), true);
    for one in bound {
        let name = &one.plan.source.name;
        let Some(interval) = intervals.get(name) else { continue };
        let bar = progress::bar(interval.n_positions(), "events", &format!("{version} {name}"));
        let done =
            evaluated((&one.plan, &one.log), interval, &engine_options(&arguments.logs), &|n| bar.inc(n));
        bar.finish_and_clear();
        let (evaluation, stats) = done?;
        all.merge(evaluation);
        let is_shared = other.iter().any(|known| known.log.source() == one.log.source());
        let shown = match (is_shared, version) {
            (true, "NEW") => continue,
            (true, _) => name.clone(),
            (false, _) => format!("{name} of {version}"),
        };
        let limit = arguments.logs.rejections.max_rejected;
        is_sound &= rejections::report(&shown, &one.log, &stats, limit, arguments.logs.allow_empty);
        if let Some(listed) = listed {
            listed.write_log(&shown, &one.log)?;
        }
    }
    if !is_sound {
        return Err(Failure::Message(format!("the rows of {version} are not compared")));
    }
    Ok(all)
}

fn metric_rows(
    arguments: &DiffArguments,
    old: (&EvaluatedVersion<'_>, &AnyMetric),
    new: (&EvaluatedVersion<'_>, &AnyMetric),
) -> Result<MetricRows, Failure> {
    let metric = new.1.clone();
    let (report, common) = match compare_rows(old, new)? {
        Ok(found) => found,
        Err(problem) => return Ok(MetricRows { metric, rows: Err(problem), causes: None }),
    };
    let mut causes = None;
    if let (Some(size), true) = (report.comparison.size(), arguments.causes > 0) {
        let bar = progress::spinner(&format!("causes of {}", metric.name()));
        let budget = Budget { events: arguments.causes, until: deadline(arguments.search.within) };
        let show = |n: usize| {
            bar.set_position(n as u64);
            Ok(())
        };
        let found = find_causes(old, new, (&common, size), &engine_options(&arguments.logs), budget, &show);
        bar.finish_and_clear();
        causes = Some(found?);
    }
    Ok(MetricRows { metric, rows: Ok(report), causes })
}
