//! Packages of several files in every command that reads them.

use super::{code, metricc, stderr, stdout, succeed};

const EVENTS: &str = "source orders { id: int key  at: timestamp time  amount: decimal(8, 2) }
metric order_count = count() { from orders }
";
const METRICS: &str = "use events.{orders, order_count}
metric revenue = sum(amount) { from orders }
";

fn package() -> (tempfile::TempDir, impl Fn(&str) -> String) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (name, text) in [
        ("events.metric", EVENTS),
        ("metrics.metric", METRICS),
        ("orders.ndjson", "{\"id\":1,\"at\":\"2026-04-25T10:00:00Z\",\"amount\":2.50}\n"),
    ] {
        std::fs::write(folder.path().join(name), text).expect("it is written");
    }
    let path = folder.path().to_owned();
    (folder, move |name: &str| path.join(name).to_string_lossy().into_owned())
}

#[test]
fn metrics_over_imported_sources_run_and_are_explained() {
    let (_folder, path) = package();
    let (metrics, source) = (path("metrics.metric"), format!("orders={}", path("orders.ndjson")));
    let rows = succeed(&["run", &metrics, "--source", &source, "--output", "json"]);
    assert_eq!(
        rows,
        "{\"metric\":\"order_count\",\"key\":{},\"window\":null,\"value\":1}\n\
         {\"metric\":\"revenue\",\"key\":{},\"window\":null,\"value\":\"2.50\"}\n"
    );
    assert!(succeed(&["explain", &metrics]).contains("# order_count typed"));
    let syntax = metricc(&["explain", &metrics, "order_count", "--stage", "syntax"]);
    assert_eq!(code(&syntax), 2);
    assert!(stderr(&syntax).contains("`order_count` is defined in another file"), "{}", stderr(&syntax));
}

#[test]
fn a_client_crate_contains_the_used_files() {
    let (_folder, path) = package();
    succeed(&["compile", &path("metrics.metric"), "--out", &path("out")]);
    let read = |name: &str| std::fs::read_to_string(path(name)).expect("it is there");
    assert_eq!(read("out/rust/src/used/events.metric"), EVENTS);
    let module = read("out/rust/src/metrics/order_count.rs");
    assert!(module.contains("include_str!(\"../used/events.metric\")"), "{module}");
    assert!(module.contains("metric order_count = count()"), "{module}");
}

#[test]
fn a_change_in_a_used_file_changes_the_metrics() {
    let (_folder, path) = package();
    let (metrics, old) = (path("metrics.metric"), path("old.metric"));
    std::fs::write(path("old_events.metric"), EVENTS.replace("(8, 2)", "(9, 2)")).expect("it is written");
    std::fs::write(&old, METRICS.replace("use events", "use old_events")).expect("it is written");
    let output = metricc(&["diff", &old, &metrics]);
    assert_eq!(code(&output), 1);
    assert!(stdout(&output).contains("changed       revenue"), "{}", stdout(&output));
}

#[test]
fn an_operand_of_an_imported_metric_may_need_recomputation() {
    let (_folder, path) = package();
    let made = format!("{EVENTS}metric twice = order_count * 2\n");
    std::fs::write(path("old_events.metric"), &made).expect("it is written");
    let counted = made.replace("from orders }", "from orders  where amount > 3 }");
    std::fs::write(path("new_events.metric"), counted).expect("it is written");
    for name in ["old", "new"] {
        let text = format!("use {name}_events.{{twice}}\n");
        std::fs::write(path(&format!("{name}.metric")), text).expect("it is written");
    }
    let output = metricc(&["diff", &path("old.metric"), &path("new.metric"), "--output", "json"]);
    let change: serde_json::Value = serde_json::from_str(&stdout(&output)).expect("one metric");
    assert_eq!((change["change"].as_str(), change["recompute"].as_bool()), (Some("states"), Some(true)));
}
