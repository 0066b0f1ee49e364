//! Versions that declare a source otherwise: events keep the decision that was made when they came in, and
//! nothing stands still.
#![expect(clippy::unwrap_used, reason = "test code")]

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use serde_json::{Value, json};

use super::deploy::{CONFIG, bare, deployed, events, run, versions, view_has, write_package as write};
use super::{Home, Node};

const PLAIN: &str = "
source events { at: timestamp time  shop: string  n: int }
metric total = sum(n) { from events  by shop }
";
const WITH_CURRENCY: &str = "
source events { at: timestamp time  shop: string  n: int  currency: string = \"EUR\" }
metric total = sum(n) { from events  by shop }
metric by_currency = sum(n) { from events  by currency }
";

/// Events of one shop, each with a currency, whether or not it is declared.
fn paid(from: u64, to: u64, currency: &str) -> String {
    let line = |n: u64| {
        format!("{{\"at\":\"2026-04-25T10:00:00Z\",\"shop\":\"s\",\"n\":{n},\"currency\":\"{currency}\"}}\n")
    };
    (from..to).map(line).collect()
}

fn by_currency(node: &Node) -> Vec<(String, i64)> {
    let of =
        |row: &Value| (row["key"]["currency"].as_str().unwrap().to_owned(), row["value"].as_i64().unwrap());
    node.rows("by_currency").0.iter().map(of).collect()
}

fn sum_of(numbers: std::ops::Range<u64>) -> i64 {
    numbers.map(|n| n as i64).sum()
}

fn no_difference(node: &Node) {
    let (code, out, said) = node.run(&["audit", "--full"]);
    assert_eq!(code, Some(0), "{out}{said}");
}

#[test]
fn a_new_field_is_decoded_from_the_version_on_that_declares_it() {
    let home = Home::new(PLAIN, CONFIG);
    let node = home.ready();
    node.post("a", &paid(0, 1200, "USD")).unwrap();
    view_has(&node, 1200);
    let next = write(&home, "next.metric", WITH_CURRENCY);
    let said = deployed(&node, &next);
    assert!(said.contains("version 2 is live"), "{said}");
    // What came in before is without it, whatever it said.
    assert_eq!(by_currency(&node), [("EUR".to_owned(), sum_of(0..1200))]);
    node.until(|node| node.source()["fields"].as_array().unwrap().len() == 4);
    node.post("b", &paid(1200, 1300, "USD")).unwrap();
    node.catch_up();
    let both = [("EUR".to_owned(), sum_of(0..1200)), ("USD".to_owned(), sum_of(1200..1300))];
    assert_eq!(by_currency(&node), both);

    // The version before reads what came in since, and its declaration holds for what comes in now.
    let (code, _, said) = node.run(&["rollback"]);
    assert_eq!((code, said.contains("version 1 is live")), (Some(0), true), "{said}");
    // The command waits until events are decoded as the version says.
    assert_eq!(node.source()["fields"].as_array().unwrap().len(), 3);
    assert_eq!(node.rows("total").0[0]["value"], json!(sum_of(0..1300)));
    node.post("c", &paid(1300, 1400, "USD")).unwrap();
    node.catch_up();
    no_difference(&node);
    node.kill();
    let node = home.ready();
    assert_eq!(versions(&node), vec![(2, "kept".to_owned()), (1, "live".to_owned())]);
    assert_eq!(node.rows("total").0[0]["value"], json!(sum_of(0..1400)));
    assert_eq!(node.run(&["rollback", "2"]).0, Some(0));
    let all =
        [("EUR".to_owned(), sum_of(0..1200) + sum_of(1300..1400)), ("USD".to_owned(), sum_of(1200..1300))];
    assert_eq!(by_currency(&node), all);
    no_difference(&node);
    node.kill();
    let node = home.ready();
    assert_eq!(by_currency(&node), all);
    no_difference(&node);
}

#[test]
fn a_version_that_could_not_read_what_comes_in_is_not_kept() {
    let home = Home::new(PLAIN, CONFIG);
    let node = home.ready();
    node.post("a", &events(0, 900)).unwrap();
    view_has(&node, 900);
    let without = "
        source events { at: timestamp time  shop: string }
        metric seen = count() { from events  by shop }";
    let next = write(&home, "next.metric", without);
    let (code, out, said) = node.run(&["deploy", &next, "--plan"]);
    assert_eq!(code, Some(0), "{said}");
    assert!((out + &said).contains("version 1 cannot be kept"), "{said}");
    let said = deployed(&node, &next);
    assert!(said.contains("version 2 is live"), "{said}");
    assert_eq!(versions(&node), vec![(2, "live".to_owned())]);
    node.until(|node| node.source()["fields"].as_array().unwrap().len() == 2);
    node.post("b", &events(900, 1000)).unwrap();
    node.catch_up();
    assert_eq!(bare(node.rows("seen").0), bare(run(&home, &next, &events(0, 1000), "seen")));
    // Events are without `n` now, so it has to be optional when it comes back.
    let own = home.path().join("events.metric").to_string_lossy().into_owned();
    let (code, _, said) = node.run(&["deploy", &own]);
    assert!(code == Some(2) && said.contains("some events are without field `n`"), "{said}");
    let back = "
        source events { at: timestamp time  shop: string  n: int? }
        metric total = sum(n) { from events }";
    deployed(&node, &write(&home, "back.metric", back));
    // Those of before still have it.
    assert_eq!(node.rows("total").0[0]["value"], json!(sum_of(0..900)));
    no_difference(&node);
}

/// A field that is renamed is another one, which a plan says, and the way out of it.
#[test]
fn a_renamed_field_is_named_in_the_plan() {
    let home = Home::new(PLAIN, CONFIG);
    let node = home.ready();
    node.post("a", &events(0, 500)).unwrap();
    view_has(&node, 500);
    let renamed = "
source events { at: timestamp time  shop: string  amount: int? }
metric total = sum(amount) { from events  by shop }
";
    let (code, out, said) = node.run(&["deploy", &write(&home, "next.metric", renamed), "--plan"]);
    assert_eq!(code, Some(0), "{said}");
    let note = "source `events`: field `amount` is new: events before position 500 have none; field `n` is no longer declared; \
                if `amount` is only another name in the data, declare `n: int from amount`, and the field keeps its values of \
                before";
    assert!(said.contains(note), "{said}");
    assert!(out.contains("  fields of the source: amount, n\n"), "{out}");
    // A name that the declaration alone has changed.
    let other_name = renamed.replace("int?", "int? from n");
    let (code, _, said) = node.run(&["deploy", &write(&home, "next.metric", &other_name), "--plan"]);
    assert_eq!(code, Some(0), "{said}");
    let note = "`amount` reads what `n` has read: declare `n: int` as before, and the field keeps its values of before";
    assert!(said.contains(note), "{said}");
    // The way out.
    let way_out = PLAIN.replace("n: int", "n: int from amount");
    deployed(&node, &write(&home, "next.metric", &way_out));
    let more = events(500, 600).replace("\"n\"", "\"amount\"");
    assert_eq!(node.post("b", &more).unwrap().status, 200);
    node.catch_up();
    assert_eq!(
        bare(node.rows("total").0),
        bare(run(&home, &home.path().join("events.metric").to_string_lossy(), &events(0, 600), "total"))
    );
}

#[test]
fn a_number_gets_more_digits() {
    let text = |ty: &str| {
        format!(
            "source events {{ at: timestamp time  shop: string  n: {ty} }}\n\
             metric total = sum(n) {{ from events  where n >= 690  by shop }}\n"
        )
    };
    let home = Home::new(&text("int"), CONFIG);
    let node = home.ready();
    // Some files have no such number at all.
    node.post("a", &events(0, 600)).unwrap();
    view_has(&node, 600);
    node.post("b", &events(600, 700)).unwrap();
    view_has(&node, 700);
    let next = write(&home, "next.metric", &text("decimal(21, 2)"));
    deployed(&node, &next);
    assert_eq!(versions(&node), vec![(2, "live".to_owned())]);
    node.until(|node| {
        node.run(&["deploy", &next, "--plan"]).2.lines().all(|line| !line.contains("declared otherwise"))
    });
    node.post("c", &events(700, 710).replace("\"n\":705", "\"n\":\"705.25\"")).unwrap();
    node.catch_up();
    let all = events(0, 710).replace("\"n\":705", "\"n\":\"705.25\"");
    assert_eq!(bare(node.rows("total").0), bare(run(&home, &next, &all, "total")));
    no_difference(&node);
    node.kill();
    assert_eq!(bare(home.ready().rows("total").0), bare(run(&home, &next, &all, "total")));
}

#[test]
fn another_event_time_is_refused() {
    let source = "source events { at: timestamp time  sent: timestamp  n: int }\n";
    let home = Home::new(&format!("{source}metric total = sum(n) {{ from events }}"), CONFIG);
    let node = home.ready();
    let event = "{\"at\":\"2026-04-25T10:00:00Z\",\"sent\":\"2026-04-25T10:00:01Z\",\"n\":1}\n";
    node.post("a", event).unwrap();
    let source = source.replace("time  sent: timestamp ", " sent: timestamp time ");
    let other = format!("{source}metric total = sum(n) {{ from events }}");
    let (code, _, said) = node.run(&["deploy", &write(&home, "next.metric", &other)]);
    assert!(code == Some(2) && said.contains("its event time was `at` and is `sent`"), "{said}");
}

#[test]
fn a_preview_that_declares_otherwise_is_compared_at_one_frontier() {
    let home = Home::new(PLAIN, CONFIG);
    let node = home.ready();
    node.post("a", &events(0, 700)).unwrap();
    view_has(&node, 700);
    let text = WITH_CURRENCY
        .replace("sum(n) { from events  by shop }", "sum(n) { from events  where n != 7  by shop }");
    assert_eq!(node.run(&["deploy", &write(&home, "next.metric", &text), "--preview"]).0, Some(0));
    node.post("b", &events(700, 800)).unwrap();
    node.catch_up();
    assert_eq!(node.source()["fields"].as_array().unwrap().len(), 3, "a preview changes nothing");
    let (code, out, said) = node.run(&["diff", "--live", "--causes", "3"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(out.contains("total: 6 rows equal, 1 changed") && out.contains("n: 7"), "{out}");
    assert_eq!(node.run(&["promote", "2"]).0, Some(0));
    assert_eq!(node.source()["fields"].as_array().unwrap().len(), 4, "the command waits for it");
    assert_eq!(by_currency(&node), [("EUR".to_owned(), sum_of(0..800))]);
}

#[test]
fn events_and_answers_go_on_while_a_source_is_declared_otherwise_again_and_again() {
    let home = Home::new(PLAIN, CONFIG);
    let n_sent = AtomicU64::new(0);
    for round in 0..3 {
        let node = home.ready();
        let is_over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    let n = n_sent.fetch_add(1, Ordering::Relaxed);
                    let answer = node.post(&format!("p{n}"), &paid(1, 2, "USD"));
                    assert_eq!(answer.unwrap().status, 200);
                }
            });
            scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    assert_eq!(node.get("/v1/metrics/total").status, 200);
                }
            });
            for number in 0..4 {
                let fields = ["", "a: int = 1", "b: string?", "a: int = 2  b: string?"][(number + round) % 4];
                let text = format!(
                    "source events {{ at: timestamp time  shop: string  n: int  {fields} }}\n\
                     metric total = sum(n) {{ from events  where n != {} }}\n",
                    100 + round * 4 + number
                );
                deployed(&node, &write(&home, "next.metric", &text));
            }
            is_over.store(true, Ordering::Relaxed);
        });
        node.kill();
        let node = home.ready();
        assert_eq!(node.rows("total").0[0]["value"], json!(n_sent.load(Ordering::Relaxed)));
        no_difference(&node);
        for version in versions(&node).iter().filter(|(_, state)| state == "kept") {
            assert_eq!(node.run(&["rollback", &version.0.to_string()]).0, Some(0));
            assert_eq!(node.rows("total").0[0]["value"], json!(n_sent.load(Ordering::Relaxed)));
            no_difference(&node);
        }
        node.kill();
    }
}

#[test]
fn a_live_version_waits_for_its_source_until_events_are_decoded_as_it_says() {
    let home = Home::new(PLAIN, CONFIG);
    let node = home.ready();
    node.post("a", &paid(0, 100, "USD")).unwrap();
    node.catch_up();
    // Nothing can be flushed.
    let in_the_way = home.path().join("metricc-data/log/events");
    std::fs::write(&in_the_way, "").unwrap();
    let body = json!({ "name": "next.metric", "text": WITH_CURRENCY }).to_string();
    assert_eq!(node.send("POST", "/v1/package", &[], body.as_bytes()).unwrap().status, 200);
    node.until(|node| versions(node)[0] == (2, "live".to_owned()));
    let waits_for = |node: &Node| node.get("/v1/package").json()["versions"][0]["waits_for"].clone();
    assert_eq!(waits_for(&node), json!("events"));
    node.post("b", &paid(100, 200, "USD")).unwrap();
    node.catch_up();
    assert_eq!(
        (waits_for(&node), by_currency(&node)),
        (json!("events"), vec![("EUR".to_owned(), sum_of(0..200))])
    );
    std::fs::remove_file(&in_the_way).unwrap();
    node.until(|node| waits_for(node).is_null());
    node.post("c", &paid(200, 300, "USD")).unwrap();
    node.catch_up();
    let both = [("EUR".to_owned(), sum_of(0..200)), ("USD".to_owned(), sum_of(200..300))];
    assert_eq!(by_currency(&node), both);
    no_difference(&node);
}
