//! The properties of a metric's states that matter to its users: number and size, the effect of repeated and
//! deleted events, and exactness. All of them follow from the laws that the monoids declare.

use metricc_algebra::{Exactness, Growth, Size};
use metricc_ir as ir;
use metricc_ir::explain::Node;
use metricc_ir::expression_text;

use crate::explain::{aggregate_text, exactness_text};
use crate::{MetricPlan, Spread};

/// The summary of a metric.
pub fn summary(plan: &MetricPlan) -> Node {
    Node::new("summary")
        .with("metric", &plan.metric.name)
        .child(Node::new("kept").with("per", kept_per(plan)))
        .child(Node::new("state").with("size", size(plan)))
        .child(answer("duplicates", duplicates(plan)))
        .child(answer("deletes", deletes(plan)))
        .child(Node::new("value").with("is", exactness(plan)))
}

fn answer(what: &str, (is_safe, reason): (bool, String)) -> Node {
    Node::new(what).with("safe", is_safe).with("because", reason)
}

/// The groups that have one product of states each.
fn kept_per(plan: &MetricPlan) -> String {
    let metric = &plan.metric;
    let keys: Vec<&str> = metric.keys.iter().map(|key| key.name.as_str()).collect();
    let window = match (&metric.window, &plan.spread) {
        (_, Some(Spread::Panes { step, n_panes })) => {
            Some(format!("pane of {}, {n_panes} of which make a window", expression_text::duration(*step)))
        }
        (ir::Window::AllTime, _) | (_, Some(Spread::Sessions { .. })) => None,
        (window, _) => Some(format!("window ({})", expression_text::window(&window.cut()))),
    };
    let parts: Vec<String> =
        window.into_iter().chain((!keys.is_empty()).then(|| keys.join(" and "))).collect();
    let all = if parts.is_empty() { "log".to_owned() } else { parts.join(", and ") };
    match plan.spread {
        Some(Spread::Sessions { .. }) => format!("{all}: all its sessions"),
        _ => all,
    }
}

/// Bytes of one product, and the quantities that it grows with.
fn size(plan: &MetricPlan) -> String {
    let (mut n_bytes, mut is_exact, mut variable) = (0, true, Vec::new());
    for monoid in &plan.form.monoids {
        match monoid.laws().size {
            Size::Fixed(bytes) => n_bytes += bytes,
            Size::Bounded(bytes) => {
                n_bytes += bytes;
                is_exact = false;
            }
            Size::Growing(Growth { bytes, texts, per }) => {
                variable.push(match bytes {
                    Some(bytes) => {
                        format!("{bytes} B{} per {per}", if texts { " and a text" } else { "" })
                    }
                    None => per.to_owned(),
                });
            }
        }
    }
    let bounded = format!("{}{n_bytes} B", if is_exact { "" } else { "at most " });
    match variable.is_empty() {
        true => format!("{bounded}, bounded"),
        false => format!("{bounded}, and variable: {}", variable.join(", and ")),
    }
}

fn duplicates(plan: &MetricPlan) -> (bool, String) {
    let source = &plan.metric.source;
    if !source.identity.is_empty() {
        let names: Vec<&str> =
            source.identity.iter().map(|field| source.fields[*field].name.as_str()).collect();
        return (
            true,
            format!(
                "{} identifies an event of `{}`, and duplicates are left out",
                names.join(" and "),
                source.name
            ),
        );
    }
    match offender(plan, |laws| laws.idempotent) {
        None => (true, "its states are idempotent".to_owned()),
        Some(text) => {
            (false, format!("`{}` has no key, so {text} counts a repeated event again", source.name))
        }
    }
}

fn deletes(plan: &MetricPlan) -> (bool, String) {
    if let Some(Spread::Sessions { .. }) = plan.spread {
        return (false, "the state of a session does not hold the events that join it".to_owned());
    }
    match offender(plan, |laws| laws.invertible) {
        None => (true, "its states have inverses".to_owned()),
        Some(text) => (false, format!("the state of {text} does not hold the other values")),
    }
}

/// The first aggregate whose state lacks a law.
fn offender(plan: &MetricPlan, law: impl Fn(&metricc_algebra::Laws) -> bool) -> Option<String> {
    let lacks = |index: &usize| !law(&plan.aggregates[*index].monoid.laws());
    (0..plan.aggregates.len()).find(lacks).map(|index| format!("`{}`", aggregate_text(&plan.metric, index)))
}

fn exactness(plan: &MetricPlan) -> String {
    let inexact = |index: usize| match plan.aggregates[index].monoid.laws().exactness {
        Exactness::Exact => None,
        inexact => Some(format!("`{}`: {}", aggregate_text(&plan.metric, index), exactness_text(inexact))),
    };
    let inexact: Vec<String> = (0..plan.aggregates.len()).filter_map(inexact).collect();
    if inexact.is_empty() { "exact".to_owned() } else { inexact.join("; ") }
}
