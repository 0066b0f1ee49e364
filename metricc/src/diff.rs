//! What changed between two versions of a package, metric by metric, and what has to be computed anew.
//!
//! Meaning is compared by hash, so spelling, layout and order of items do not count. The state hash says whether segments
//! of the old version can be presented as the new one.

use std::collections::BTreeMap;
use std::sync::Arc;

use metricc_compiler::{MetricPlan, SourcePlan};
use metricc_dsl::{ir, ir_text};
use serde::Serialize;

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

/// Compares the metrics of two packages: those of the new one by name, then those that are gone.
pub fn diff(old: &[SourcePlan], new: &[SourcePlan]) -> Vec<MetricChange> {
    let (old, new) = (by_name(old), by_name(new));
    let is_gone = |name: &&&str| !new.contains_key(**name);
    let mut gone: Vec<&str> = old.keys().filter(is_gone).copied().collect();
    let mut changes = Vec::with_capacity(new.len());
    for (name, plan) in &new {
        let renamed = |other: &&str| old[*other].hash == plan.hash;
        changes.push(match old.get(name) {
            Some(before) => changed(before, plan),
            None => match gone.iter().copied().find(renamed) {
                Some(was) => {
                    gone.retain(|other| *other != was);
                    change(name, Some(was), Change::Renamed, Vec::new())
                }
                None => change(name, None, Change::Added, Vec::new()),
            },
        });
    }
    changes.extend(gone.into_iter().map(|name| change(name, None, Change::Removed, Vec::new())));
    changes
}

fn by_name(plans: &[SourcePlan]) -> BTreeMap<&str, &Arc<MetricPlan>> {
    let metrics = plans.iter().flat_map(|source| &source.metrics);
    metrics.map(|plan| (plan.metric.name.as_str(), plan)).collect()
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

fn changed(old: &MetricPlan, new: &MetricPlan) -> MetricChange {
    let name = &new.metric.name;
    if old.hash == new.hash {
        return change(name, None, Change::Same, Vec::new());
    }
    let mut parts = part_changes(&parts(&old.metric), &parts(&new.metric));
    if parts.is_empty() {
        parts.push(PartChange { part: "format of the states".to_owned(), old: None, new: None });
    }
    let kind = if old.state_hash == new.state_hash { Change::Presentation } else { Change::States };
    change(name, None, kind, parts)
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

/// The parts of a definition, each with its name and its text.
fn parts(metric: &ir::Metric) -> Vec<(String, String)> {
    let source = &metric.source;
    let row = |column: usize| {
        let element = column.checked_sub(source.fields.len()).and_then(|place| metric.each.get(place));
        element.map_or_else(
            || source.fields[column.min(source.fields.len() - 1)].name.clone(),
            |each| each.name.clone(),
        )
    };
    let aggregate = |column: usize| ir_text::aggregate(&metric.aggregates[column], &row);
    let mut parts = vec![("from".to_owned(), source.name.clone())];
    parts.extend(
        source.fields.iter().map(|field| (format!("field {}", field.name), field_text(source, field))),
    );
    parts.extend(metric.each.iter().enumerate().map(|(place, each)| {
        let number = if metric.each.len() > 1 { format!(" {}", place + 1) } else { String::new() };
        (format!("each{number}"), ir_text::expression(&each.list, &row))
    }));
    parts.extend(metric.filter.iter().map(|filter| ("where".to_owned(), ir_text::expression(filter, &row))));
    parts.extend(
        metric.keys.iter().map(|key| (format!("by {}", key.name), ir_text::expression(&key.expr, &row))),
    );
    let keys: Vec<&str> = metric.keys.iter().map(|key| key.name.as_str()).collect();
    parts.push(("order of keys".to_owned(), keys.join(", ")));
    parts.push(("window".to_owned(), ir_text::window(&metric.window)));
    parts.extend(metric.outputs.iter().map(|output| {
        let name = output.name.as_deref().unwrap_or("value").to_owned();
        (name, format!("{}: {}", ir_text::expression(&output.expr, &aggregate), output.expr.ty))
    }));
    parts.extend(metric.unit.iter().map(|unit| ("unit".to_owned(), unit.clone())));
    parts
}

fn field_text(source: &ir::Source, field: &ir::Field) -> String {
    let place = source.fields.iter().position(|other| std::ptr::eq(other, field));
    let mut text = field.ty.to_string();
    if place == Some(source.time) {
        text.push_str(" time");
    }
    if place.is_some_and(|place| source.identity.contains(&place)) {
        text.push_str(" key");
    }
    if let Some(zone) = &field.zone {
        text.push_str(&format!(" zone {zone:?}"));
    }
    if let Some(unit) = &field.unit {
        text.push_str(&format!(" unit {unit:?}").to_lowercase());
    }
    if let Some(default) = &field.default {
        text.push_str(&format!(" = {}", ir_text::value(default, &field.ty.kind)));
    }
    text
}

#[cfg(test)]
mod tests {
    use metricc_client::own::Imports;
    use metricc_dsl::SourceText;

    use super::*;
    use crate::Package;

    fn plans(text: &str) -> Vec<SourcePlan> {
        let package = Package::from_text(SourceText { name: "a.metric".to_owned(), bytes: text.into() });
        assert!(!package.checked.has_errors(), "{:?}\n{text}", package.checked.diagnostics);
        SourcePlan::of_package(&package.checked.package.metrics, &Imports::new()).expect("it plans")
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
