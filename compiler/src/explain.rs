//! The stages behind the typed metric as trees: summary, algebra, batch, stream, serve.
//!
//! They are drawn from the plan that the runtimes render, so what is shown is what runs.

use metricc_algebra::{Exactness, Growth, Size, WordOp, n_words};
use metricc_ir as ir;
use metricc_ir::explain::Node;
use metricc_ir::spelling;

use crate::{Grouping, MetricPlan, SourcePlan, Spread, StateLayout};

pub use crate::summary::summary;

/// The monoids of a metric's state, their laws and their size.
pub fn algebra(plan: &MetricPlan) -> Node {
    let has_sessions = matches!(plan.spread, Some(Spread::Sessions { .. }));
    let states = plan.form.monoids.iter().enumerate().map(|(index, monoid)| {
        let laws = monoid.laws();
        let rows = (index == 0).then(|| "rows".to_owned());
        let presented = plan.aggregates.iter().enumerate().filter(|(_, planned)| match has_sessions {
            true => index == 1,
            false => planned.state == index,
        });
        let aggregates = presented.map(|(aggregate, _)| aggregate_text(&plan.metric, aggregate));
        let of: Vec<String> = rows.into_iter().chain(aggregates).collect();
        Node::new(monoid.name())
            .with("column", state_name(index))
            .with("of", of.join("; "))
            .with("version", monoid.version())
            .with("idempotent", laws.idempotent)
            .with("invertible", laws.invertible)
            .with("value", exactness_text(laws.exactness))
            .with("size", size_text(laws.size))
    });
    Node::new("product")
        .with("metric", &plan.metric.name)
        .with("hash", plan.hash)
        .with("states", plan.state_hash)
        .children(states)
}

/// The batch plan, leaves last: what DataFusion runs.
///
/// # Panics
/// If the metric is not of the source plan.
pub fn batch(source: &SourcePlan, plan: &MetricPlan) -> Node {
    let grouping = grouping_of(source, plan);
    let groups = group_text(&plan.metric);
    let states: Vec<String> = grouping.form.monoids.iter().map(|monoid| monoid.name()).collect();
    let partial = Node::new("aggregate partial")
        .with("groups", &groups)
        .with("states", format!("[{}]", states.join("; ")))
        .child(prepare(source, plan));
    let exchange = Node::new("repartition").with("by", format!("hash({groups})")).child(partial);
    let aggregate =
        Node::new("aggregate final").with("groups", groups).with("emit", "states").child(exchange);
    segment(grouping, plan).child(shared(grouping, aggregate))
}

/// The dataflow, leaves last: what timely and differential run.
///
/// # Panics
/// If the metric is not of the source plan.
pub fn stream(source: &SourcePlan, plan: &MetricPlan) -> Node {
    let grouping = grouping_of(source, plan);
    let groups = group_text(&plan.metric);
    let combine =
        Node::new("combine").with("per", "epoch").with("groups", &groups).child(prepare(source, plan));
    let exchange = Node::new("exchange").with("by", format!("hash({groups})")).child(combine);
    let arrange = Node::new("arrange")
        .with("difference", layout_text(&grouping.layout))
        .with("zero", "rows = 0")
        .child(exchange);
    let read = Node::new("read").with("at", "frontier").child(arrange);
    segment(grouping, plan).child(shared(grouping, read))
}

fn grouping_of<'a>(source: &'a SourcePlan, plan: &MetricPlan) -> &'a Grouping {
    let is_of = |grouping: &Grouping| {
        grouping.members.iter().any(|member| std::ptr::eq(member.metric.as_ref(), plan))
    };
    let found = source.groupings.iter().find(|grouping| is_of(grouping));
    found.expect("every metric of a source plan is a member of a grouping")
}

/// The metric's columns of the grouping's table, if it has others.
fn segment(grouping: &Grouping, plan: &MetricPlan) -> Node {
    let node = Node::new("segment").with("metric", &plan.metric.name).with("sort", "groups");
    let member = grouping.members.iter().find(|member| std::ptr::eq(member.metric.as_ref(), plan));
    match member.filter(|_| grouping.members.len() > 1) {
        None => node,
        Some(member) => {
            let states =
                member.columns.iter().filter_map(|column| column.checked_sub(plan.form.n_group_columns));
            let states: Vec<String> = states.map(state_name).collect();
            node.with("states", format!("[{}]", states.join(", ")))
        }
    }
}

/// Says which metrics the node below works for, if they are several.
fn shared(grouping: &Grouping, node: Node) -> Node {
    if grouping.members.len() == 1 { node } else { node.with("shared by", &grouping.form.place) }
}

/// What serving does with segments: merge, present, output.
pub fn serve(plan: &MetricPlan) -> Node {
    let metric = &plan.metric;
    let merge = Node::new("merge").with("states", plan.state_hash).with("intervals", "adjacent");
    let merge = match &plan.spread {
        None => merge,
        Some(Spread::Panes { step, n_panes }) => Node::new("put together")
            .with("panes", n_panes)
            .with("of", spelling::duration(*step))
            .child(merge),
        Some(Spread::Sessions { gap, .. }) => {
            let ends = format!("{} behind the last event", spelling::duration(*gap));
            Node::new("row per session").with("ends", ends).child(merge)
        }
    };
    let present =
        Node::new("present").children(metric.aggregates.iter().enumerate().map(|(index, aggregate)| {
            Node::new(format!("aggregate{index}"))
                .with("of", aggregate_text(metric, index))
                .with("from", state_name(plan.aggregates[index].state))
                .with("type", &aggregate.ty)
        }));
    let aggregate_name = |column: usize| format!("aggregate{column}");
    let outputs = metric.outputs.iter().map(|output| {
        Node::new(output.name.as_deref().unwrap_or("value"))
            .with("is", spelling::expression(&output.expr, &aggregate_name))
            .with("type", &output.expr.ty)
    });
    let mut output = Node::new("output").with("metric", &metric.name);
    if let Some(unit) = &metric.unit {
        output = output.with("unit", unit);
    }
    output
        .with("order", names_text(metric, metric.window != ir::Window::AllTime))
        .children(outputs)
        .child(present.child(merge))
}

/// Name of a state column in segments.
pub(crate) fn state_name(index: usize) -> String {
    index.checked_sub(1).map_or_else(|| "rows".to_owned(), |index| format!("state{index}"))
}

fn prepare(source: &SourcePlan, plan: &MetricPlan) -> Node {
    let metric = &plan.metric;
    let name = |column: usize| scope_name(metric, column);
    let mut node = Node::new("prepare");
    for each in &metric.each {
        node = node.with("each", format!("{} in {}", each.name, spelling::expression(&each.list, &name)));
    }
    if let Some(filter) = &metric.filter {
        node = node.with("where", spelling::expression(filter, &name));
    }
    for key in &metric.keys {
        node = node.with("key", format!("{} as {}", spelling::expression(&key.expr, &name), key.name));
    }
    if metric.window != ir::Window::AllTime {
        let time = &metric.source.fields[metric.source.time].name;
        node = node.with("window", format!("{} of {time}", spelling::window(&metric.window)));
    }
    let name =
        |&column: &usize| source.source.fields.get(column).map_or("position", |field| field.name.as_str());
    let columns: Vec<&str> = source.columns.iter().map(name).collect();
    let mut scan = Node::new("scan")
        .with("source", &source.source.name)
        .with("columns", format!("[{}]", columns.join(", ")));
    if !source.source.identity.is_empty() {
        let identity: Vec<&str> =
            source.source.identity.iter().map(|&field| source.source.fields[field].name.as_str()).collect();
        scan = scan.with("first by", format!("[{}]", identity.join(", ")));
    }
    if source.metrics.len() > 1 {
        scan = scan.with("shared by", format!("{} metrics", source.metrics.len()));
    }
    node.child(scan)
}

fn scope_name(metric: &ir::Metric, column: usize) -> String {
    let fields = &metric.source.fields;
    match column.checked_sub(fields.len()) {
        None => fields[column].name.clone(),
        Some(element) => {
            metric.each.get(element).map_or_else(|| format!("each{element}"), |each| each.name.clone())
        }
    }
}

pub(crate) fn aggregate_text(metric: &ir::Metric, index: usize) -> String {
    spelling::aggregate(&metric.aggregates[index], &|column| scope_name(metric, column))
}

fn group_text(metric: &ir::Metric) -> String {
    names_text(metric, metric.window.has_start())
}

/// The window, if there is one, and the keys.
fn names_text(metric: &ir::Metric, has_window: bool) -> String {
    let window = has_window.then(|| "window".to_owned());
    let names: Vec<String> =
        window.into_iter().chain(metric.keys.iter().map(|key| key.name.clone())).collect();
    if names.is_empty() { "all".to_owned() } else { names.join(", ") }
}

fn layout_text(layout: &StateLayout) -> String {
    match layout {
        StateLayout::Heap => "heap".to_owned(),
        StateLayout::Words(program) => {
            let steps: Vec<String> = program
                .iter()
                .map(|step| match step {
                    WordOp::Add(words) => format!("add{words}"),
                    WordOp::Max(words) => format!("max{words}"),
                    WordOp::Or(words) => format!("or{words}"),
                    WordOp::Xor(words) => format!("xor{words}"),
                })
                .collect();
            let n_words = n_words(program);
            format!("{n_words} word{} ({})", if n_words == 1 { "" } else { "s" }, steps.join(" "))
        }
    }
}

pub(crate) fn exactness_text(exactness: Exactness) -> String {
    match exactness {
        Exactness::Exact => "exact".to_owned(),
        Exactness::StandardError(ppm) => format!("standard error {} %", percent(ppm)),
        Exactness::RelativeError(ppm) => format!("relative error {} %", percent(ppm)),
        Exactness::ShareOfRows(ppm) => format!("too high by ≤ {} % of all rows", percent(ppm)),
    }
}

fn percent(ppm: u32) -> String {
    let text = format!("{}.{:04}", ppm / 10_000, ppm % 10_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn size_text(size: Size) -> String {
    match size {
        Size::Fixed(bytes) => format!("{bytes} B"),
        Size::Bounded(bytes) => format!("≤ {bytes} B"),
        Size::Growing(Growth { bytes: Some(bytes), texts, per }) => {
            format!("growing, {}{bytes} B per {per}", if texts { "a text and " } else { "" })
        }
        Size::Growing(Growth { bytes: None, per, .. }) => format!("growing with {per}"),
    }
}
