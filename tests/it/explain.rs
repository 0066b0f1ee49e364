//! Every stage of every example, as text.

use std::path::Path;

use metricc::Package;
use metricc_compiler::{SourcePlan, explain};
use metricc_dsl::explain_typed;

fn stages(example: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../examples/{example}/{example}.metric"));
    let package = Package::read(&path).expect("the example is there");
    assert!(!package.checked.has_errors(), "{:?}", package.checked.diagnostics);
    let metrics = package.metrics(&[]).expect("it has metrics");
    let mut text = String::new();
    for source in SourcePlan::of_package(&metrics).expect("it plans") {
        for plan in &source.metrics {
            let name = &plan.metric.name;
            let syntax = package.checked.explain_syntax(name).expect("it has a syntax tree");
            for (stage, node) in [
                ("syntax", syntax),
                ("typed", explain_typed(&plan.metric)),
                ("algebra", explain::algebra(plan)),
                ("batch", explain::batch(&source, plan)),
                ("stream", explain::stream(&source, plan)),
                ("serve", explain::serve(plan)),
            ] {
                text.push_str(&format!("# {name} {stage}\n{}\n", node.to_text()));
            }
        }
    }
    text
}

#[test]
fn flights() {
    insta::assert_snapshot!(stages("flights"));
}

#[test]
fn payments() {
    insta::assert_snapshot!(stages("payments"));
}

#[test]
fn requests() {
    insta::assert_snapshot!(stages("requests"));
}

#[test]
fn views() {
    insta::assert_snapshot!(stages("views"));
}

#[test]
fn one_stage_as_json_and_as_dot() {
    let text = "source events { at: timestamp time }\nmetric \"n\" = count() { from events  every 1h }"
        .replace('"', "");
    let package = crate::layers::package(&text);
    let metrics = package.metrics(&[]).expect("a metric");
    let source = SourcePlan::new(&metrics).expect("a plan");
    let node = explain::stream(&source, &source.metrics[0]);
    insta::assert_snapshot!(serde_json::to_string_pretty(&node).expect("a tree is JSON"));
    insta::assert_snapshot!(node.to_dot());
}
