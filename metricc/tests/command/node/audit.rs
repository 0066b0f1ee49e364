//! `metricc audit`: a node compares its states with its log.

use serde_json::{Value, json};
use twox_hash::XxHash3_64;

use super::Home;

const PACKAGE: &str = "
source events { at: timestamp time  country: string  n: int  m: int }
metric by_n = sum(n) { from events by country }
metric by_m = sum(m) { from events by country }
metric ratio = by_n / by_m
";

fn line(number: u64) -> String {
    let country = ["IN", "DE", "US"][(number % 3) as usize];
    format!(
        "{{\"at\":\"2026-04-25T10:00:00Z\",\"country\":\"{country}\",\"n\":{number},\"m\":{}}}\n",
        number * 2
    )
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).expect("a line")).collect()
}

#[test]
fn a_correct_node_has_no_differences_and_a_full_audit_rebuilds_the_same_view() {
    let home = Home::new(PACKAGE, "[batch]\nevery = \"60s\"\nevents = 30\n[ingest]\nseal_events = 40\n");
    let node = home.ready();
    for request in 0..7u64 {
        let body: String = (request * 10..request * 10 + 10).map(line).collect();
        node.post(&format!("r{request}"), &body).expect("an answer");
    }
    node.catch_up();
    node.until(|node| node.source()["view"] != json!([0]));
    let before = node.rows("by_n");
    let (code, said, noted) = node.run(&["audit", "--full", "--json"]);
    assert_eq!(code, Some(0), "{said}{noted}");
    assert!(noted.contains("4 comparisons, 0 differences"), "{noted}");
    let said = lines(&said);
    let named: Vec<_> =
        said.iter().map(|line| (&line["audited"], &line["metric"], &line["frontier"])).collect();
    let view = node.source()["view"].clone();
    assert_eq!((named[0].0, named[0].1, named[0].2), (&json!("served"), &json!("by_n"), &json!([70])));
    assert_eq!((named[3].0, named[3].1), (&json!("view"), &json!("by_m")));
    assert_ne!(view, json!([0]));
    for line in &said {
        assert_eq!((&line["found"], &line["rows"]), (&line["recomputed"], &json!(3)), "{line}");
    }
    assert_ne!(said[0]["found"], said[1]["found"], "states of different metrics have different digests");
    // The rebuilt view ends at the end of the log, and no row has changed.
    node.until(|node| node.source()["view"] == json!([70]));
    assert_eq!(node.rows("by_n"), before);
    let counters = node.get("/metrics").body;
    assert!(counters.contains("metricc_audits_total{source=\"events\"} 2"), "{counters}");
    assert!(counters.contains("metricc_audit_differences_total{source=\"events\"} 0"), "{counters}");
}

/// Swaps the states of two metrics in the newest version of the view, with a valid checksum.
fn swap_states(home: &Home) {
    let folder = home.path().join("metricc-data/views/events/versions");
    let last = std::fs::read_dir(folder).expect("versions").map(|entry| entry.expect("a file").path()).max();
    let path = last.expect("a version");
    let mut version: Value = serde_json::from_slice(&std::fs::read(&path).expect("bytes")).expect("JSON");
    let segments = version["view"]["segments"].as_object_mut().expect("segments");
    let mut kinds: Vec<&mut Value> = segments.values_mut().collect();
    let [first, second] = &mut kinds[..] else { panic!("two kinds of states") };
    std::mem::swap(*first, *second);
    let text = version["view"].to_string();
    let checksum = XxHash3_64::oneshot(text.as_bytes());
    let manifest = format!("{{\"format\":{},\"checksum\":{checksum},\"view\":{text}}}", version["format"]);
    std::fs::write(&path, manifest).expect("written");
}

#[test]
fn a_view_that_contradicts_the_log_is_found_and_rebuilt() {
    let home = Home::new(PACKAGE, "[batch]\nevery = \"50ms\"\n");
    let node = home.ready();
    let body: String = (1..31).map(line).collect();
    node.post("r", &body).expect("an answer");
    node.until(|node| node.source()["view"] == json!([30]));
    let right = node.rows("by_n");
    assert_eq!(node.stop(), Some(0));
    swap_states(&home);

    let node = home.ready();
    assert_ne!(node.rows("by_n"), right, "the states are swapped");
    let (code, said, noted) = node.run(&["audit"]);
    assert_eq!(code, Some(1), "{said}{noted}");
    assert_eq!(said.matches("DIFFERENT  served").count(), 2, "{said}");
    assert!(
        noted.contains("2 comparisons, 6 differences") && noted.contains("`metricc audit --full`"),
        "{noted}"
    );
    assert!(node.get("/metrics").body.contains("metricc_audit_differences_total{source=\"events\"} 6"));
    let (code, said, noted) = node.run(&["audit", "--full"]);
    assert_eq!(code, Some(1), "{said}{noted}");
    assert_eq!(said.matches("DIFFERENT  view").count(), 2, "{said}");
    node.until(|node| node.rows("by_n") == right);
    let (code, said, noted) = node.run(&["audit"]);
    assert_eq!(code, Some(0), "{said}{noted}");
    assert_eq!(node.stop(), Some(0));
    let node = home.ready();
    assert_eq!(node.rows("by_n"), right, "also after a restart");
}
