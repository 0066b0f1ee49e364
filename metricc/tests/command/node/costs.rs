//! What metrics cost: groups and bytes of their states, and processor time.

use serde_json::{Value, json};

use super::{Home, Node};

const PACKAGE: &str = "
source events { at: timestamp time  shop: string  n: int }
metric total = sum(n) { from events  by shop }
metric seen = count() { from events  by shop }
metric every_hour = distinct(shop) { from events  every 1h }
metric mean = total / seen
";

fn body(from: u64, to: u64) -> String {
    let line = |n: u64| {
        let (hour, shop) = (n % 24, n % 7);
        format!("{{\"at\":\"2026-04-25T{hour:02}:00:00Z\",\"shop\":\"s{shop}\",\"n\":{n}}}\n")
    };
    (from..to).map(line).collect()
}

fn cost(node: &Node, metric: &str) -> Value {
    let metrics = node.get("/v1/metrics").json();
    let metrics = metrics["metrics"].as_array().expect("metrics").clone();
    metrics.iter().find(|known| known["name"] == metric).expect("the metric")["cost"].clone()
}

fn groups(node: &Node, metric: &str) -> [Value; 2] {
    let cost = cost(node, metric);
    [cost["view"]["groups"].clone(), cost["tail"]["groups"].clone()]
}

#[test]
fn each_metric_says_its_states_in_view_and_tail_and_its_processor_time() {
    let config = "[batch]\nevery = \"1h\"\nevents = 20000\nworkers = 2\n[speed]\nrefresh = \"10ms\"\n";
    let home = Home::new(PACKAGE, config);
    let node = home.ready();
    // All of it is in the tail.
    for part in 0..3 {
        node.post(&format!("r{part}"), &body(part * 5000, part * 5000 + 5000)).expect("an answer");
    }
    node.catch_up();
    assert_eq!(groups(&node, "total"), [0, 7]);
    assert_eq!(groups(&node, "every_hour"), [0, 24]);
    assert_eq!(cost(&node, "mean"), Value::Null, "it has no states of its own");
    let before = cost(&node, "total");
    assert_eq!((&before["shared_with"], &before["batch_cpu_us"]), (&json!(["seen"]), &json!(0)));
    assert_eq!(cost(&node, "seen")["stream_cpu_us"], before["stream_cpu_us"], "equal parts");
    assert!(before["stream_cpu_us"].as_u64() > Some(0), "{before}");
    assert_eq!(cost(&node, "every_hour")["shared_with"], json!([]));
    // Then in the view.
    node.post("r3", &body(15_000, 20_000)).expect("an answer");
    node.until(|node| node.source()["view"] == json!([20_000]));
    assert_eq!(groups(&node, "total"), [7, 0]);
    assert_eq!(groups(&node, "every_hour"), [24, 0]);
    let after = cost(&node, "every_hour");
    assert!(after["batch_cpu_us"].as_u64() > Some(0), "{after}");
    assert!(after["view"]["bytes"].as_u64() > after["tail"]["bytes"].as_u64(), "{after}");
    // And some of it in both.
    node.post("r4", &body(20_000, 20_001)).expect("an answer");
    node.catch_up();
    assert_eq!(groups(&node, "total"), [7, 1]);

    let counters = node.get("/metrics").body;
    for sample in [
        "metricc_metric_groups{source=\"events\",metric=\"total\",layer=\"view\"} 7\n",
        "metricc_metric_groups{source=\"events\",metric=\"total\",layer=\"tail\"} 1\n",
        "metricc_metric_state_bytes{source=\"events\",metric=\"every_hour\",layer=\"view\"} ",
        "metricc_metric_cpu_seconds_total{source=\"events\",metric=\"seen\",layer=\"batch\"} 0.0",
        "# TYPE metricc_metric_cpu_seconds_total counter\n",
    ] {
        assert!(counters.contains(sample), "{sample}: {counters}");
    }
    let (code, said, noted) = node.run(&["status"]);
    assert_eq!(code, Some(0), "{noted}");
    for part in ["total", "every_hour", "mean", "batch CPU s", "together with"] {
        assert!(said.contains(part), "{said}");
    }
    let (_, said, _) = node.run(&["status", "--json"]);
    assert_eq!(said.lines().count(), 4);
    let first: Value = serde_json::from_str(said.lines().next().expect("a line")).expect("JSON");
    assert!(first["name"].is_string() && first["hash"].is_string(), "{first}");
}
