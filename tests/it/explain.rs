//! Every compiler stage of every example as text, and of one metric as JSON and as dot.

use std::path::Path;

use metricc::Package;
use metricc::user_defined::Imports;
use metricc_compiler::{MetricPlan, SourcePlan, explain};
use metricc_ir::explain::Node;
use metricc_ir::explain_typed::explain_typed;

fn stages<'a>(package: &Package, source: &SourcePlan, plan: &MetricPlan) -> [(&'a str, Node); 7] {
    let syntax = package.checked.explain_syntax(&plan.metric.name).expect("it has a syntax tree");
    [
        ("summary", metricc_compiler::summary(plan)),
        ("syntax", syntax),
        ("typed", explain_typed(&plan.metric)),
        ("algebra", explain::algebra(plan)),
        ("batch", batch(source, plan)),
        ("stream", stream(source, plan)),
        ("serve", explain::serve(plan)),
    ]
}

fn batch(source: &SourcePlan, plan: &MetricPlan) -> Node {
    metricc_runtime_batch::explain(source, plan, 2).expect("a plan")
}

fn stream(source: &SourcePlan, plan: &MetricPlan) -> Node {
    metricc_runtime_stream::explain(source, plan).expect("a dataflow")
}

fn stages_of(example: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../examples/{example}/{example}.metric"));
    let package = Package::read(&path).expect("the example is there");
    assert!(!package.checked.has_errors(), "{:?}", package.checked.diagnostics);
    let metrics = package.metrics(&[]).expect("it has metrics");
    let mut text = String::new();
    for source in SourcePlan::of_package(&metrics, &Imports::new()).expect("it plans") {
        for plan in &source.metrics {
            for (stage, node) in stages(&package, &source, plan) {
                text.push_str(&format!("# {} {stage}\n{}\n", plan.metric.name, node.to_text()));
            }
        }
    }
    text
}

#[test]
fn flights() {
    insta::assert_snapshot!(stages_of("flights"));
}

#[test]
fn payments() {
    insta::assert_snapshot!(stages_of("payments"));
}

#[test]
fn requests() {
    insta::assert_snapshot!(stages_of("requests"));
}

#[test]
fn views() {
    insta::assert_snapshot!(stages_of("views"));
}

const ONE: &str = "source events { at: timestamp time  kind: string  x: int? }
metric n = (count() where (x ?? 0) > 0) / count() { from events  where kind in (\"a\", \"b\")  by kind  every 1h }";

#[test]
fn every_stage_as_json_and_as_dot() {
    let package = crate::layers::package(ONE);
    let source = SourcePlan::new(&package.metrics(&[]).expect("a metric"), &Imports::new()).expect("a plan");
    let (mut json, mut dot) = (String::new(), String::new());
    for (stage, node) in stages(&package, &source, &source.metrics[0]) {
        let tree = serde_json::to_string_pretty(&node).expect("a tree is JSON");
        json.push_str(&format!("# {stage}\n{tree}\n"));
        dot.push_str(&format!("# {stage}\n{}\n", node.to_dot()));
    }
    insta::assert_snapshot!("every_stage_as_json", json);
    insta::assert_snapshot!("every_stage_as_dot", dot);
}

#[test]
fn equal_states_are_held_once() {
    let text = "source events { at: timestamp time  x: int  y: int }
metric m = {
  n: count(), p50: quantile(x, 0.5, within: 1%), p95: quantile(x, 0.95, within: 1%),
  other: quantile(y, 0.5, within: 1%), few: count() where x > 0
} { from events }";
    let package = crate::layers::package(text);
    let source = SourcePlan::new(&package.metrics(&[]).expect("a metric"), &Imports::new()).expect("a plan");
    let plan = &source.metrics[0];
    let states: Vec<usize> = plan.aggregates.iter().map(|aggregate| aggregate.state).collect();
    assert_eq!(states, [0, 1, 1, 2, 3]);
    assert_eq!(plan.form.monoids.len(), 4);
}

#[test]
fn metrics_over_the_same_rows_and_groups_are_grouped_together() {
    let text = "source events { at: timestamp time  kind: string  x: int  tags: list<string> }
metric a = sum(x) { from events  where x > 0  by kind  every 1h }
metric b = { n: count(), s: sum(x), m: max(x) } { from events  let y = x  where y > 0  by kind as sort  every 1h }
metric other_filter = sum(x) { from events  where x > 1  by kind  every 1h }
metric other_window = sum(x) { from events  where x > 0  by kind  every 2h }
metric other_rows = sum(x) { from events  each tag in tags  where x > 0  by kind  every 1h }
metric c = count() where x > 5 { from events  where x > 0  by kind  every 1h }";
    let package = crate::layers::package(text);
    let source = SourcePlan::new(&package.metrics(&[]).expect("metrics"), &Imports::new()).expect("a plan");
    let together: Vec<&str> = source.groupings.iter().map(|grouping| grouping.form.place.as_str()).collect();
    assert_eq!(together, ["a, b, c", "other_filter", "other_rows"]);
    let coarser: Vec<&str> = source.groupings[0].coarser[0]
        .members
        .iter()
        .map(|member| member.metric.metric.name.as_str())
        .collect();
    assert_eq!(coarser, ["other_window"]);
    let columns: Vec<&[usize]> =
        source.groupings[0].members.iter().map(|member| member.columns.as_slice()).collect();
    // Window, key, rows; then the sum that two metrics share, the maximum, and the count with a filter.
    assert_eq!(columns, [&[0, 1, 2, 3][..], &[0, 1, 2, 3, 4], &[0, 1, 2, 5]]);
    insta::assert_snapshot!(format!(
        "{}\n{}\n{}",
        batch(&source, &source.metrics[1]).to_text(),
        stream(&source, &source.metrics[1]).to_text(),
        batch(&source, &source.metrics[3]).to_text()
    ));
}

#[test]
fn the_groups_of_one_split_are_not_repartitioned() {
    let package = crate::layers::package(ONE);
    let source = SourcePlan::new(&package.metrics(&[]).expect("a metric"), &Imports::new()).expect("a plan");
    let names = |n_splits: usize| {
        let mut node = metricc_runtime_batch::explain(&source, &source.metrics[0], n_splits).expect("a plan");
        let mut names = Vec::new();
        while let Some(child) = node.children.pop() {
            names.push(node.name);
            node = child;
        }
        names
    };
    assert_eq!(names(1), ["segment", "merge and sort", "AggregateExec", "GroupExec", "PrepareExec"]);
    let several = [
        "segment",
        "merge and sort",
        "AggregateExec",
        "RepartitionExec",
        "CoalescePartitionsExec",
        "GroupExec",
        "PrepareExec",
    ];
    assert_eq!(names(3), several);
}
