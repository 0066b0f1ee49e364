//! The plan as trees: the stages *summary*, *algebra* and *serve*, and the parts that *batch* and *stream*
//! share.
//!
//! Each engine shows its own operators, from the code that builds them, and puts them between [`segment`] and
//! [`scan`].

use metricc_algebra::{Exactness, Growth, Size, WordOp, n_words};
use metricc_ir as ir;
use metricc_ir::explain::Node;
use metricc_ir::expression_text;
use metricc_log::{FieldCondition, ValueRange};

use crate::segment::columns;
use crate::{Member, MetricPlan, SourcePlan, Spread, StateLayout};

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
            .with("column", columns::state(index))
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

/// The metric's segment, and the table of its grouping that it is a part of. Both engines end with these;
/// `operators` are the engine's own, and feed the table.
///
/// # Panics
/// If the metric is not of the source plan.
pub fn segment(source: &SourcePlan, plan: &MetricPlan, operators: Node) -> Node {
    let grouping = source.grouping_of(plan);
    let states = grouping.states.iter().enumerate();
    let states: Vec<String> =
        states.map(|(index, state)| format!("{}: {}", columns::state(index), state.monoid.name())).collect();
    let grouped = rows_of(source, plan);
    let table = Node::new("merge and sort")
        .with("by", group_text(&grouped.metric))
        .with("states", format!("[{}]", states.join("; ")));
    let names = format!("[{}]", grouping.form.place);
    let node = Node::new("segment").with("metric", &plan.metric.name);
    let own = |member: &Member| {
        let own = member.columns.iter().filter_map(|column| column.checked_sub(plan.form.n_group_columns));
        format!("[{}]", own.map(columns::state).collect::<Vec<_>>().join(", "))
    };
    match (grouping.member(plan), grouping.coarser_of(plan)) {
        (Some(_), _) if grouping.members.len() == 1 => node.child(table.child(operators)),
        (Some(member), _) => {
            node.with("states", own(member)).child(table.with("metrics", names).child(operators))
        }
        (None, _) => {
            let rolled_up = Node::new("roll up").with("by", group_text(&plan.metric));
            node.child(rolled_up.child(table.with("metrics", names).child(operators)))
        }
    }
}

/// The metric whose rows and windows the operators of a metric's grouping have: itself, unless its windows
/// are made of finer ones.
///
/// # Panics
/// If the metric is not of the source plan.
pub fn rows_of<'a>(source: &'a SourcePlan, plan: &'a MetricPlan) -> &'a MetricPlan {
    let grouping = source.grouping_of(plan);
    match grouping.member(plan) {
        Some(_) => plan,
        None => &grouping.members[0].metric,
    }
}

/// The steps of serving: merge segments, present states, compute outputs.
pub fn serve(plan: &MetricPlan) -> Node {
    let metric = &plan.metric;
    let merge = Node::new("merge").with("states", plan.state_hash).with("intervals", "adjacent");
    let merge = match &plan.spread {
        None => merge,
        Some(Spread::Panes { step, n_panes }) => Node::new("assemble windows")
            .with("panes", n_panes)
            .with("of", expression_text::duration(*step))
            .child(merge),
        Some(Spread::Sessions { gap, .. }) => {
            let ends = format!("{} after the last event", expression_text::duration(*gap));
            Node::new("row per session").with("ends", ends).child(merge)
        }
    };
    let present =
        Node::new("present").children(metric.aggregates.iter().enumerate().map(|(index, aggregate)| {
            Node::new(format!("aggregate{index}"))
                .with("of", aggregate_text(metric, index))
                .with("from", columns::state(plan.aggregates[index].state))
                .with("type", &aggregate.ty)
        }));
    let aggregate_name = |column: usize| format!("aggregate{column}");
    let outputs = metric.outputs.iter().map(|output| {
        Node::new(output.name.as_deref().unwrap_or("value"))
            .with("is", expression_text::expression(&output.expr, &aggregate_name))
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

/// The row part of the metric's grouping, under the name of the operator that runs it.
pub fn prepare(operator: &str, metric: &ir::Metric) -> Node {
    let name = |column: usize| scope_name(metric, column);
    let mut node = Node::new(operator);
    for each in &metric.each {
        node =
            node.with("each", format!("{} in {}", each.name, expression_text::expression(&each.list, &name)));
    }
    if let Some(filter) = &metric.filter {
        node = node.with("where", expression_text::expression(filter, &name));
    }
    for key in &metric.keys {
        node = node.with("key", format!("{} as {}", expression_text::expression(&key.expr, &name), key.name));
    }
    if metric.window != ir::Window::AllTime {
        let time = &metric.source.fields[metric.source.time].name;
        node = node.with("window", format!("{} of {time}", expression_text::window(&metric.window.cut())));
    }
    node
}

/// Reading the log of a source, once for all its metrics.
pub fn scan(plan: &SourcePlan) -> Node {
    let source = &plan.source;
    let name = |column: usize| source.fields.get(column).map_or("position", |field| field.name.as_str());
    let names = |columns: &[usize]| {
        let names: Vec<&str> = columns.iter().map(|column| name(*column)).collect();
        format!("[{}]", names.join(", "))
    };
    let mut scan = Node::new("scan").with("source", &source.name).with("columns", names(&plan.columns));
    if !source.identity.is_empty() {
        scan = scan.with("first by", names(&source.identity));
    }
    if !plan.wanted.is_all() {
        let condition = |condition: &FieldCondition| {
            let ranges: Vec<String> = condition.ranges.iter().map(ValueRange::to_string).collect();
            format!("{} in {}", name(condition.field), ranges.join(" or "))
        };
        let list = |all: &Vec<FieldCondition>| all.iter().map(condition).collect::<Vec<_>>().join(" and ");
        let lists: Vec<String> = plan.wanted.lists().iter().map(list).collect();
        scan = scan.with("wanted", format!("[{}]", lists.join("; ")));
    }
    if plan.metrics.len() > 1 {
        scan = scan.with("shared by", format!("{} metrics", plan.metrics.len()));
    }
    scan
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
    expression_text::aggregate(&metric.aggregates[index], &|column| scope_name(metric, column))
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

/// How the stream holds the product of a group's states.
pub fn layout(layout: &StateLayout) -> String {
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
            format!("variable, {}{bytes} B per {per}", if texts { "a text and " } else { "" })
        }
        Size::Growing(Growth { bytes: None, per, .. }) => format!("variable, by {per}"),
    }
}
