//! Compares two versions of a package, metric by metric, and decides which metrics must be recomputed.
//!
//! Meanings are compared by hash, so formatting and the order of items do not count. If the state hashes are
//! equal, the segments of the old version can be presented as the new one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use metricc_compiler::{CompileError, DerivedPlan, MetricHash, MetricPlan, SourcePlan, StateHash};
use metricc_ir::user_defined::Imports;
use metricc_ir::{AnyMetric, Derived, Metric};
use serde::Serialize;

use parts::{derived_parts, parts};

pub mod data;
pub mod decided;
mod parts;
mod variants;

/// The kind of change of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// The meaning is the same.
    Same,
    /// The meaning is the same under a new name.
    Renamed,
    /// The states are the same and are presented differently: old segments stay valid.
    Presentation,
    /// The states differ: they must be recomputed from the log.
    States,
    /// The metric is new: it must be computed from the log.
    Added,
    /// The metric is only in the old version.
    Removed,
}

impl Change {
    /// Whether the segments must be computed from the log.
    pub fn needs_log(self) -> bool {
        matches!(self, Change::States | Change::Added)
    }
}

/// One metric of either version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MetricChange {
    /// Its name; the new name if it was renamed.
    pub metric: String,
    /// Its old name, if it was renamed.
    pub was: Option<String>,
    /// The kind of change.
    pub change: Change,
    /// Whether the segments must be computed from the log.
    pub recompute: bool,
    /// The parts that differ.
    pub parts: Vec<PartChange>,
}

/// One part of a definition in both versions, as text of the language.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PartChange {
    /// The name of the part, such as `where` or `by country`.
    pub part: String,
    /// The old text; `None` if the part is new.
    pub old: Option<String>,
    /// The new text; `None` if the part was removed.
    pub new: Option<String>,
}

/// One version of a package.
#[derive(Debug)]
pub struct Version {
    metrics: Vec<Planned>,
    /// State hashes of all base metrics, including those that only derived metrics read.
    states: BTreeSet<StateHash>,
}

/// A planned metric.
#[derive(Debug)]
enum Planned {
    Base(Arc<MetricPlan>),
    Derived(DerivedPlan),
}

impl Planned {
    fn name(&self) -> &str {
        match self {
            Planned::Base(plan) => &plan.metric.name,
            Planned::Derived(plan) => &plan.derived.name,
        }
    }

    fn hash(&self) -> MetricHash {
        match self {
            Planned::Base(plan) => plan.hash,
            Planned::Derived(plan) => plan.hash,
        }
    }
}

impl Version {
    /// Plans the metrics that a package lists.
    ///
    /// # Errors
    /// If a metric cannot be planned.
    pub fn of(listed: &[AnyMetric], imports: &Imports) -> Result<Self, CompileError> {
        let mut base = listed.iter().filter_map(base_of).cloned().collect::<Vec<_>>();
        base.extend(
            listed
                .iter()
                .filter_map(derived_of)
                .flat_map(|derived| derived.operands.iter().map(|operand| operand.metric.clone())),
        );
        let plans = SourcePlan::of_package(&base, imports)?;
        let plans: Vec<&Arc<MetricPlan>> = plans.iter().flat_map(|source| &source.metrics).collect();
        // Operands of derived metrics are planned as well; a metric of the package is listed once.
        let mut metrics: Vec<Planned> = Vec::new();
        for plan in
            plans.iter().filter(|plan| listed.iter().filter_map(base_of).any(|base| *base == plan.metric))
        {
            if !metrics.iter().any(|known| known.name() == plan.metric.name) {
                metrics.push(Planned::Base((*plan).clone()));
            }
        }
        for derived in listed.iter().filter_map(derived_of) {
            metrics.push(Planned::Derived(DerivedPlan::new(derived, &plans, imports)?));
        }
        let states = plans.iter().map(|plan| plan.state_hash).collect();
        Ok(Version { metrics, states })
    }
}

fn base_of(metric: &AnyMetric) -> Option<&Arc<Metric>> {
    match metric {
        AnyMetric::Base(metric) => Some(metric),
        AnyMetric::Derived(_) => None,
    }
}

fn derived_of(metric: &AnyMetric) -> Option<&Arc<Derived>> {
    match metric {
        AnyMetric::Base(_) => None,
        AnyMetric::Derived(derived) => Some(derived),
    }
}

/// Compares two versions: first the metrics of the new one, sorted by name, then the removed ones.
pub fn diff(old: &Version, new: &Version) -> Vec<MetricChange> {
    let (old_states, listed) = (&old.states, &new.metrics);
    let (old, new) = (by_name(old), by_name(new));
    // An operand that is not listed may have to be computed for the derived metric that reads it.
    let is_listed = |operand: &MetricPlan| {
        listed.iter().any(|known| matches!(known, Planned::Base(plan) if plan.metric == operand.metric))
    };
    let needs_log = |plan: &Planned| match plan {
        Planned::Base(_) => false,
        Planned::Derived(plan) => plan
            .operands
            .iter()
            .any(|operand| !is_listed(operand) && !old_states.contains(&operand.state_hash)),
    };
    let is_removed = |name: &&&str| !new.contains_key(**name);
    let mut removed: Vec<&str> = old.keys().filter(is_removed).copied().collect();
    let mut changes = Vec::with_capacity(new.len());
    for (name, plan) in &new {
        let renamed = |other: &&str| old[*other].hash() == plan.hash();
        changes.push(match old.get(name) {
            Some(before) if needs_log(plan) => {
                MetricChange { change: Change::States, recompute: true, ..changed(before, plan) }
            }
            Some(before) => changed(before, plan),
            None => match removed.iter().copied().find(renamed) {
                Some(was) => {
                    removed.retain(|other| *other != was);
                    change(name, Some(was), Change::Renamed, Vec::new())
                }
                // A new derived metric has no states of its own.
                None => MetricChange {
                    recompute: matches!(plan, Planned::Base(_)) || needs_log(plan),
                    ..change(name, None, Change::Added, Vec::new())
                },
            },
        });
    }
    changes.extend(removed.into_iter().map(|name| change(name, None, Change::Removed, Vec::new())));
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
        (Planned::Base(old), Planned::Base(new)) if old.state_hash == new.state_hash => Change::Presentation,
        // Derived metrics have no states.
        (_, Planned::Derived(_)) => Change::Presentation,
        _ => Change::States,
    };
    if parts.is_empty() {
        let part = match new {
            Planned::Base(_) => "format of the states",
            Planned::Derived(_) => "operands",
        };
        parts.push(PartChange { part: part.to_owned(), old: None, new: None });
    }
    change(name, None, kind, parts)
}

fn parts_of(plan: &Planned) -> Vec<(String, String)> {
    match plan {
        Planned::Base(plan) => parts(&plan.metric),
        Planned::Derived(plan) => derived_parts(&plan.derived),
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
    use super::*;

    fn plans(text: &str) -> Version {
        Version::of(&crate::checked(text), &Imports::default()).expect("it plans")
    }

    const SOURCE: &str = "calendar utc { zone \"UTC\" }\ncalendar paris { zone \"Europe/Paris\" }\n\
         calendar sundays { zone \"UTC\", week sunday }\n\
         source s { id: int key  at: timestamp time  x: int  y: float?  k: string  tags: list<string> }\n";

    /// The change of one metric, and the parts that differ.
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
            ("count() { from s  every day in utc }", "count() { from s  every day in sundays }", "window"),
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
    fn a_change_of_the_states_needs_the_log() {
        for (old, new, part) in [
            ("count() { from s  where x > 3 }", "count() { from s  where x > 4 }", "where"),
            ("count() { from s }", "count() { from s  where x > 4 }", "where"),
            ("count() { from s  by k }", "count() { from s  by lower(k) as k }", "by k"),
            ("count() { from s  every 1h }", "count() { from s  every 5m }", "window"),
            ("count() { from s  every day in utc }", "count() { from s  every day in paris }", "window"),
            ("count() { from s  every week in utc }", "count() { from s  every week in sundays }", "window"),
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
    fn derived_metrics_have_nothing_to_compute() {
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
    fn metrics_are_added_removed_and_renamed() {
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
