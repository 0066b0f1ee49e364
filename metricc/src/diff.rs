//! What changed between two versions of a package, metric by metric, and what has to be computed anew.
//!
//! Meaning is compared by hash, so spelling, layout and order of items do not count. The state hash says whether segments
//! of the old version can be presented as the new one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use metricc_compiler::{DerivedPlan, MetricHash, MetricPlan, SourcePlan, StateHash};
use serde::Serialize;

use crate::{Package, PackageError};
use parts::{derived_parts, parts};

mod parts;

/// What became of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// It means the same.
    Same,
    /// It means the same under another name.
    Renamed,
    /// Its states are the same and are presented otherwise: segments stay good.
    Presentation,
    /// Its states are others: they have to be computed from the log.
    States,
    /// It is new: it has to be computed from the log.
    Added,
    /// It is gone.
    Removed,
}

impl Change {
    /// Whether its segments have to be computed from the log.
    pub fn needs_log(self) -> bool {
        matches!(self, Change::States | Change::Added)
    }
}

/// One metric of either version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MetricChange {
    /// Its name, in the new version if it is in both.
    pub metric: String,
    /// Its old name, if that is another.
    pub was: Option<String>,
    /// What became of it.
    pub change: Change,
    /// Whether its segments have to be computed from the log.
    pub recompute: bool,
    /// The parts that differ.
    pub parts: Vec<PartChange>,
}

/// One part of a definition in both versions, as text of the language.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PartChange {
    /// Which part, such as `where` or `by country`.
    pub part: String,
    /// What it was; none where it is new.
    pub old: Option<String>,
    /// What it is; none where it is gone.
    pub new: Option<String>,
}

/// One version of a package.
#[derive(Debug)]
pub struct Version {
    metrics: Vec<Planned>,
    /// Of all metrics over events, also of those that the package itself does not list.
    states: BTreeSet<StateHash>,
}

/// A planned metric.
#[derive(Debug)]
enum Planned {
    OfEvents(Arc<MetricPlan>),
    OfMetrics(DerivedPlan),
}

impl Planned {
    fn name(&self) -> &str {
        match self {
            Planned::OfEvents(plan) => &plan.metric.name,
            Planned::OfMetrics(plan) => &plan.derived.name,
        }
    }

    fn hash(&self) -> MetricHash {
        match self {
            Planned::OfEvents(plan) => plan.hash,
            Planned::OfMetrics(plan) => plan.hash,
        }
    }
}

impl Version {
    /// The version that a package is.
    ///
    /// # Errors
    /// When its metrics cannot be planned.
    pub fn of(package: &Package) -> Result<Self, PackageError> {
        let imports = &package.imports;
        let definitions = &package.checked.package;
        let mut of_events = definitions.metrics.clone();
        of_events.extend(
            definitions
                .derived
                .iter()
                .flat_map(|derived| derived.operands.iter().map(|operand| operand.metric.clone())),
        );
        let plans = SourcePlan::of_package(&of_events, imports)?;
        let plans: Vec<&Arc<MetricPlan>> = plans.iter().flat_map(|source| &source.metrics).collect();
        let is_own = |plan: &&&Arc<MetricPlan>| definitions.metrics.contains(&plan.metric);
        // What a metric is made of is planned again for it.
        let mut metrics: Vec<Planned> = Vec::new();
        for plan in plans.iter().filter(is_own) {
            if !metrics.iter().any(|known| known.name() == plan.metric.name) {
                metrics.push(Planned::OfEvents((*plan).clone()));
            }
        }
        for derived in &definitions.derived {
            metrics.push(Planned::OfMetrics(DerivedPlan::new(derived, &plans, imports)?));
        }
        let states = plans.iter().map(|plan| plan.state_hash).collect();
        Ok(Version { metrics, states })
    }
}

/// Compares the metrics of two packages: those of the new one by name, then those that are gone.
pub fn diff(old: &Version, new: &Version) -> Vec<MetricChange> {
    let (old_states, listed) = (&old.states, &new.metrics);
    let (old, new) = (by_name(old), by_name(new));
    // What a metric is made of, and no entry of its own speaks of, may have to be computed for it.
    let is_listed = |operand: &MetricPlan| {
        listed.iter().any(|known| matches!(known, Planned::OfEvents(plan) if plan.metric == operand.metric))
    };
    let needs_log = |plan: &Planned| match plan {
        Planned::OfEvents(_) => false,
        Planned::OfMetrics(plan) => plan
            .operands
            .iter()
            .any(|operand| !is_listed(operand) && !old_states.contains(&operand.state_hash)),
    };
    let is_gone = |name: &&&str| !new.contains_key(**name);
    let mut gone: Vec<&str> = old.keys().filter(is_gone).copied().collect();
    let mut changes = Vec::with_capacity(new.len());
    for (name, plan) in &new {
        let renamed = |other: &&str| old[*other].hash() == plan.hash();
        changes.push(match old.get(name) {
            Some(before) if needs_log(plan) => {
                MetricChange { change: Change::States, recompute: true, ..changed(before, plan) }
            }
            Some(before) => changed(before, plan),
            None => match gone.iter().copied().find(renamed) {
                Some(was) => {
                    gone.retain(|other| *other != was);
                    change(name, Some(was), Change::Renamed, Vec::new())
                }
                // Made of what is there, it has nothing of its own to compute.
                None => MetricChange {
                    recompute: matches!(plan, Planned::OfEvents(_)) || needs_log(plan),
                    ..change(name, None, Change::Added, Vec::new())
                },
            },
        });
    }
    changes.extend(gone.into_iter().map(|name| change(name, None, Change::Removed, Vec::new())));
    changes
}

fn by_name(version: &Version) -> BTreeMap<&str, &Planned> {
    version.metrics.iter().map(|metric| (metric.name(), metric)).collect()
}

fn change(name: &str, was: Option<&str>, change: Change, parts: Vec<PartChange>) -> MetricChange {
    MetricChange {
        metric: name.to_owned(),
        was: was.map(str::to_owned),
        change,
        recompute: change.needs_log(),
        parts,
    }
}

fn changed(old: &Planned, new: &Planned) -> MetricChange {
    let name = new.name();
    if old.hash() == new.hash() {
        return change(name, None, Change::Same, Vec::new());
    }
    let mut parts = part_changes(&parts_of(old), &parts_of(new));
    let kind = match (old, new) {
        (Planned::OfEvents(old), Planned::OfEvents(new)) if old.state_hash == new.state_hash => {
            Change::Presentation
        }
        // It keeps nothing.
        (_, Planned::OfMetrics(_)) => Change::Presentation,
        _ => Change::States,
    };
    if parts.is_empty() {
        let part = match new {
            Planned::OfEvents(_) => "format of the states",
            Planned::OfMetrics(_) => "what it is made of",
        };
        parts.push(PartChange { part: part.to_owned(), old: None, new: None });
    }
    change(name, None, kind, parts)
}

fn parts_of(plan: &Planned) -> Vec<(String, String)> {
    match plan {
        Planned::OfEvents(plan) => parts(&plan.metric),
        Planned::OfMetrics(plan) => derived_parts(&plan.derived),
    }
}

fn part_changes(old: &[(String, String)], new: &[(String, String)]) -> Vec<PartChange> {
    let find = |parts: &[(String, String)], name: &str| {
        parts.iter().find(|(other, _)| other == name).map(|(_, text)| text.clone())
    };
    let gone = old.iter().filter(|(name, _)| find(new, name).is_none());
    let names = new.iter().chain(gone).map(|(name, _)| name);
    let change = |name: &String| {
        let (old, new) = (find(old, name), find(new, name));
        (old != new).then(|| PartChange { part: name.clone(), old, new })
    };
    names.filter_map(change).collect()
}

#[cfg(test)]
mod tests {
    use metricc_dsl::SourceText;

    use super::*;

    fn plans(text: &str) -> Version {
        let package = Package::from_text(SourceText { name: "a.metric".to_owned(), bytes: text.into() });
        assert!(!package.checked.has_errors(), "{:?}\n{text}", package.checked.diagnostics);
        Version::of(&package).expect("it plans")
    }

    const SOURCE: &str = "calendar utc { zone \"UTC\" }\ncalendar paris { zone \"Europe/Paris\" }\n\
         source s { id: int key  at: timestamp time  x: int  y: float?  k: string  tags: list<string> }\n";

    /// What became of one metric, and which parts differ.
    fn one(old: &str, new: &str) -> (Change, Vec<String>) {
        let unused = "metric u = count() { from s  every day in utc }\nmetric v = count() { from s  every day in paris }\n";
        let plans = |metric: &str| plans(&format!("{SOURCE}{unused}metric m = {metric}"));
        let changes = diff(&plans(old), &plans(new));
        let change = changes.into_iter().find(|change| change.metric == "m").expect("it is in both");
        (change.change, change.parts.into_iter().map(|part| part.part).collect())
    }

    #[test]
    fn spelling_is_no_change() {
        for (old, new) in [
            ("sum(x) { from s  by k }", "sum(x) {\n  by k\n  from s }"),
            ("count() { from s  where x > 3 }", "count() { from s  let big = x > 3  where (big) }"),
            ("sum(x) { from s  every 60m }", "sum(x) { from s  every 1h }"),
        ] {
            assert_eq!(one(old, new), (Change::Same, vec![]), "{old} | {new}");
        }
    }

    #[test]
    fn a_changed_presentation_needs_no_log() {
        for (old, new, part) in [
            ("sum(x) { from s }", "sum(x) / count() { from s }", "value"),
            ("quantile(y, 0.5, within: 1%) { from s }", "quantile(y, 0.99, within: 1%) { from s }", "value"),
            ("top(3, k) { from s }", "top(10, k) { from s }", "value"),
            ("sum(x) { from s  unit cent }", "sum(x) { from s  unit euro }", "unit"),
            (
                "count() { from s  over last 1h step 5m }",
                "count() { from s  over last 24h step 5m }",
                "window",
            ),
        ] {
            assert_eq!(one(old, new), (Change::Presentation, vec![part.to_owned()]), "{old} | {new}");
        }
        let renamed = one("sum(x) { from s  by k }", "sum(x) { from s  by k as key }");
        assert_eq!(
            renamed,
            (Change::Presentation, ["by key", "order of keys", "by k"].map(String::from).to_vec())
        );
    }

    #[test]
    fn what_decides_the_states_needs_the_log() {
        for (old, new, part) in [
            ("count() { from s  where x > 3 }", "count() { from s  where x > 4 }", "where"),
            ("count() { from s }", "count() { from s  where x > 4 }", "where"),
            ("count() { from s  by k }", "count() { from s  by lower(k) as k }", "by k"),
            ("count() { from s  every 1h }", "count() { from s  every 5m }", "window"),
            ("count() { from s  every day in utc }", "count() { from s  every day in paris }", "window"),
            (
                "count() { from s  over last 1h step 5m }",
                "count() { from s  over last 1h step 10m }",
                "window",
            ),
            ("count() { from s  session gap 1h }", "count() { from s  session gap 2h }", "window"),
            ("sum(x) { from s }", "sum(x) where x > 0 { from s }", "value"),
            ("p99(y, within: 1%) { from s }", "p99(y, within: 2%) { from s }", "value"),
            ("count() { from s  each t in tags }", "count() { from s  each t in split(k, \",\") }", "each"),
        ] {
            assert_eq!(one(old, new), (Change::States, vec![part.to_owned()]), "{old} | {new}");
        }
    }

    #[test]
    fn a_source_is_part_of_its_metrics() {
        let old = plans("source s { at: timestamp time  x: int }\nmetric m = max(x) { from s }");
        let new = plans("source s { at: timestamp time  x: int = 7  z: bool }\nmetric m = max(x) { from s }");
        let changes = diff(&old, &new);
        let parts: Vec<_> =
            changes[0].parts.iter().map(|part| (part.part.as_str(), part.new.as_deref())).collect();
        assert_eq!(parts, [("field x", Some("int = 7")), ("field z", Some("bool"))]);
        assert!(changes[0].recompute);
    }

    #[test]
    fn metrics_of_metrics_have_nothing_to_compute() {
        let text = |metrics: &str| {
            format!(
                "{SOURCE}metric a = max(x) {{ from s  every 1h }}\nmetric b = min(x) {{ from s  every 1h }}\n{metrics}"
            )
        };
        let change = |old: &str, new: &str| -> Vec<_> {
            let changes = diff(&plans(&text(old)), &plans(&text(new))).into_iter();
            let changes = changes.filter(|change| change.change != Change::Same);
            changes.map(|c| (c.metric, c.change, c.recompute, c.parts.len())).collect()
        };
        let d = |change, n_parts| vec![("d".to_owned(), change, false, n_parts)];
        assert_eq!(change("", "metric d = a - b"), d(Change::Added, 0));
        assert_eq!(change("metric d = a - b", "metric d = (a) - b"), []);
        assert_eq!(change("metric d = a - b", "metric d = b - a"), d(Change::Presentation, 1));
        assert_eq!(change("metric d = a - b", "metric d = a - b { unit EUR }"), d(Change::Presentation, 1));
        assert_eq!(
            change("metric d = a - a offset 1h", "metric d = a - a offset 2h"),
            d(Change::Presentation, 1)
        );
        let other = diff(
            &plans(&text("metric c = count() { from s  every 1h }\nmetric d = c / a")),
            &plans(&text("metric c = count() { from s  where x > 3  every 1h }\nmetric d = c / a")),
        );
        let found: Vec<_> = other
            .iter()
            .filter(|c| c.change != Change::Same)
            .map(|c| (c.metric.as_str(), c.change))
            .collect();
        assert_eq!(found, [("c", Change::States), ("d", Change::Presentation)]);
    }

    #[test]
    fn metrics_come_go_and_change_their_names() {
        let text = |metrics: &str| format!("source s {{ at: timestamp time  x: int }}\n{metrics}");
        let old = plans(&text("metric a = max(x) { from s }\nmetric gone = min(x) { from s }"));
        let new = plans(&text("metric b = max(x) { from s }\nmetric fresh = any(x > 3) { from s }"));
        let found: Vec<_> =
            diff(&old, &new).into_iter().map(|c| (c.metric, c.was, c.change, c.recompute)).collect();
        let expected = [
            ("b", Some("a"), Change::Renamed, false),
            ("fresh", None, Change::Added, true),
            ("gone", None, Change::Removed, false),
        ];
        let expected = expected.map(|(name, was, change, recompute)| {
            (name.to_owned(), was.map(str::to_owned), change, recompute)
        });
        assert_eq!(found, expected);
    }
}
