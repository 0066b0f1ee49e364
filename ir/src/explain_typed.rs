//! The typed metric as a tree for people: `metricc explain METRIC --stage typed`.

use crate::explain::Node;
use crate::expression_text;
use crate::{Derived, Expr, Field, Metric};

/// The normal form of a metric: source, steps, filter, keys, window, aggregates, outputs.
pub fn explain_typed(metric: &Metric) -> Node {
    let row = |index: usize| row_column(metric, index);
    let mut node = Node::new("metric")
        .with("name", &metric.name)
        .with("window", expression_text::window(&metric.window));
    if let Some(unit) = &metric.unit {
        node = node.with("unit", unit);
    }
    let identity: Vec<&str> = metric
        .source
        .identity
        .iter()
        .filter_map(|index| metric.source.fields.get(*index))
        .map(|field| field.name.as_str())
        .collect();
    let time = metric.source.fields.get(metric.source.time).map_or("", |field| field.name.as_str());
    let mut source = Node::new("source").with("name", &metric.source.name).with("time", time);
    if !identity.is_empty() {
        source = source.with("identity", identity.join(" "));
    }
    for field in metric.source.fields.iter().filter(|field| !field.spelling.is_default()) {
        let markers = field.spelling.markers();
        source = source.child(Node::new("field").with("name", &field.name).with("spelled", markers.trim()));
    }
    node = node.child(source.children(paths(metric)));
    for lookup in metric.lookups() {
        let (table, column) = (lookup.table(), lookup.column());
        let child = Node::new("table").with("name", &table.name).with("column", &column.name);
        node = node.child(child.with("rows", table.rows.len()).with("content", &lookup.content()[..12]));
    }
    for each in &metric.each {
        node = node.child(typed(Node::new("each").with("name", &each.name), &each.list, &row));
    }
    if let Some(filter) = &metric.filter {
        node = node.child(Node::new("where").with("expr", expression_text::expression(filter, &row)));
    }
    for key in &metric.keys {
        node = node.child(typed(Node::new("key").with("name", &key.name), &key.expr, &row));
    }
    for (index, aggregate) in metric.aggregates.iter().enumerate() {
        let name = format!("a{index}");
        let described = expression_text::aggregate(aggregate, &row);
        let mut child =
            Node::new("aggregate").with("name", name).with("expr", described).with("type", &aggregate.ty);
        if let Some(lost) = &aggregate.lost {
            child = child.with("none where", expression_text::expression(lost, &row));
        }
        node = node.child(child);
    }
    let aggregate = |index: usize| format!("a{index}");
    for output in &metric.outputs {
        let mut child = Node::new("output");
        if let Some(name) = &output.name {
            child = child.with("name", name);
        }
        node = node.child(typed(child, &output.expr, &aggregate));
    }
    node
}

/// The fields that it reads from elsewhere than under their own names.
fn paths(metric: &Metric) -> impl Iterator<Item = Node> {
    let read = metric.columns();
    let fields = metric.source.fields.iter().enumerate();
    let elsewhere = fields.filter(move |(index, field)| {
        let has_path = |field: &Field| !field.path.is_own();
        read.contains(index) && (has_path(field) || field.fields.iter().any(has_path))
    });
    elsewhere.map(|(_, field)| Node::new("field").with("name", &field.name).with("is", field.type_and_path()))
}

/// A derived metric: its operands, then its keys and outputs.
pub fn explain_derived(derived: &Derived) -> Node {
    let mut node = Node::new("derived")
        .with("name", &derived.name)
        .with("window", expression_text::window(&derived.window));
    if let Some(unit) = &derived.unit {
        node = node.with("unit", unit);
    }
    for (place, column) in derived.columns.iter().enumerate() {
        let operand = &derived.operands[column.operand];
        let output = &operand.metric.outputs[column.output];
        let name = match &output.name {
            Some(field) => format!("{}.{field}", operand.metric.name),
            None => operand.metric.name.clone(),
        };
        let mut child = Node::new("operand").with("name", format!("m{place}")).with("metric", name);
        if operand.offset > 0 {
            child = child.with("windows before", operand.offset);
        }
        if !operand.metric.window.is_cut_as(&derived.window) {
            child = child.with("rolled up from", expression_text::window(&operand.metric.window));
        }
        let merged = operand.metric.keys.len() - operand.keys.len();
        if merged > 0 {
            child = child.with("merged keys", merged);
        }
        node = node.child(child.with("type", &output.expr.ty));
    }
    for key in &derived.keys {
        node = node.child(Node::new("key").with("name", &key.name).with("type", &key.ty));
    }
    for output in &derived.outputs {
        let mut child = Node::new("output");
        if let Some(name) = &output.name {
            child = child.with("name", name);
        }
        node = node.child(typed(child, &output.expr, &|column| format!("m{column}")));
    }
    node
}

fn typed(node: Node, expr: &Expr, column: &dyn Fn(usize) -> String) -> Node {
    node.with("expr", expression_text::expression(expr, column)).with("type", &expr.ty)
}

/// Name of a column of the row scope: fields, then one per `each`.
fn row_column(metric: &Metric, index: usize) -> String {
    let n_fields = metric.source.fields.len();
    match metric.source.fields.get(index) {
        Some(field) => field.name.clone(),
        None => {
            metric.each.get(index - n_fields).map_or_else(|| format!("#{index}"), |each| each.name.clone())
        }
    }
}
