//! A node that is killed, and started with a changed file: what is in the journal was decoded by the version that
//! was live, whatever other versions there are.
#![expect(clippy::unwrap_used, reason = "test code")]

use serde_json::Value;

use super::deploy::{CONFIG, versions};
use super::{Home, Node};

const PLAIN: &str = "
source events { at: timestamp time  shop: string  n: int }
metric total = sum(n) { from events  by shop }
";
const WITH_CURRENCY: &str = "
source events { at: timestamp time  shop: string  n: int  currency: string = \"EUR\" }
metric by_currency = sum(n) { from events  by currency }
";

fn write(home: &Home, name: &str, text: &str) -> String {
    let path = home.path().join(name);
    std::fs::write(&path, text).unwrap();
    path.to_string_lossy().into_owned()
}

/// Events that say a currency, whether or not it is declared.
fn paid(from: u64, to: u64) -> String {
    let line = |n: u64| {
        format!("{{\"at\":\"2026-04-25T10:00:00Z\",\"shop\":\"s\",\"n\":{n},\"currency\":\"USD\"}}\n")
    };
    (from..to).map(line).collect()
}

fn sum_of(numbers: std::ops::Range<u64>) -> i64 {
    numbers.map(|n| n as i64).sum()
}

fn in_journal(node: &Node) -> u64 {
    let text = node.get("/metrics").body;
    let line = text.lines().find(|line| line.starts_with("metricc_unsealed_positions{")).unwrap();
    line.rsplit_once(' ').unwrap().1.parse().unwrap()
}

/// Kills a node whose journal has 100 events with a currency, starts it with a file without one, and sends events
/// until all are flushed: none of the 100 has lost it.
fn survives_the_change(home: &Home, node: Node) {
    // A text that was deployed since the last start would not be a change.
    assert_eq!(node.stop(), Some(0));
    let node = home.ready();
    assert_eq!(node.post("a", &paid(0, 100)).unwrap().status, 200);
    node.catch_up();
    assert_eq!(in_journal(&node), 100);
    node.kill();
    write(home, "events.metric", PLAIN);
    let node = home.ready();
    node.until(|node| node.source()["fields"].as_array().unwrap().len() == 3);
    assert_eq!(node.post("b", &paid(100, 700)).unwrap().status, 200);
    node.until(|node| in_journal(node) < 500);
    let (code, out, said) = node.run(&["rollback", "1"]);
    assert_eq!(code, Some(0), "{out}{said}");
    let of =
        |row: &Value| (row["key"]["currency"].as_str().unwrap().to_owned(), row["value"].as_i64().unwrap());
    let rows: Vec<_> = node.rows("by_currency").0.iter().map(of).collect();
    assert_eq!(rows, [("EUR".to_owned(), sum_of(100..700)), ("USD".to_owned(), sum_of(0..100))]);
    let (code, out, said) = node.run(&["audit", "--full"]);
    assert_eq!(code, Some(0), "{out}{said}");
}

#[test]
fn the_text_of_a_preview_did_not_decode_what_is_in_the_journal() {
    let home = Home::new(WITH_CURRENCY, CONFIG);
    let node = home.ready();
    let next = write(&home, "next.metric", PLAIN);
    assert_eq!(node.run(&["deploy", &next, "--preview"]).0, Some(0));
    assert_eq!(versions(&node), [(2, "preview".to_owned()), (1, "live".to_owned())]);
    survives_the_change(&home, node);
}

#[test]
fn the_text_of_a_version_that_was_rolled_back_from_did_not_decode_what_is_in_the_journal() {
    let home = Home::new(WITH_CURRENCY, CONFIG);
    let node = home.ready();
    let next = write(&home, "next.metric", PLAIN);
    assert_eq!(node.run(&["deploy", &next]).0, Some(0));
    assert_eq!(node.run(&["rollback"]).0, Some(0));
    assert_eq!(versions(&node), [(2, "kept".to_owned()), (1, "live".to_owned())]);
    survives_the_change(&home, node);
}
