//! `metricc diff --live`: the rows of two versions of a node, at one frontier.
#![expect(clippy::unwrap_used, reason = "test code")]

use std::io::Write;
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::deploy::{CONFIG, SOURCE, events, view_has, write};
use super::{Home, Node};

const OLD: &str = "
metric seen = count() { from events  by shop }
metric total = sum(n) { from events  where n < 2000  by shop }
metric same = max(n) { from events }
metric share = total / seen
";
const NEW: &str = "
metric seen = count() { from events  by shop }
metric total = sum(n) { from events  where n < 1990  by shop }
metric alike = max(n) { from events }
metric share = total / seen
metric fresh = min(n) { from events }
";

fn json_lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn of<'a>(lines: &'a [Value], metric: &str) -> &'a Value {
    lines.iter().find(|line| line["metric"] == metric).unwrap()
}

fn home_with(n_events: u64) -> (Home, Node, String) {
    let home = Home::new(&format!("{SOURCE}{OLD}"), CONFIG);
    let node = home.ready();
    node.post("a", &events(0, n_events)).unwrap();
    view_has(&node, n_events);
    let file = write(&home, "new.metric", NEW);
    (home, node, file)
}

#[test]
fn a_preview_is_compared_with_the_live_version_as_files_are() {
    let (home, node, file) = home_with(2000);
    let (code, _, said) = node.run(&["diff", "--live"]);
    assert!(
        code == Some(2) && said.contains("no version is on its way: `metricc deploy FILE --preview`"),
        "{said}"
    );
    assert_eq!(node.run(&["deploy", &file, "--preview"]).0, Some(0));

    let (code, live, said) = node.run(&["diff", "--live", "--output", "json", "--causes", "4"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("rows of 2 metrics compared, 0 equal; 3 metrics differ, 1 added"), "{said}");
    // What the node says is what the same files over the same events say.
    let log = home.path().join("log.ndjson");
    std::fs::write(&log, events(0, 2000)).unwrap();
    let (first, source) = (home.path().join("events.metric"), format!("events={}", log.display()));
    let (_, files, said) = node.run(&[
        "diff",
        &first.to_string_lossy(),
        &file,
        "--source",
        &source,
        "--output",
        "json",
        "--causes",
        "4",
    ]);
    let (mut live, mut files) = (json_lines(&live), json_lines(&files));
    for lines in [&mut live, &mut files] {
        // Files of a log have other names than its partitions.
        for line in lines.iter_mut() {
            for (member, value) in [
                ("old_version", json!(1)),
                ("new_version", json!(2)),
                ("frontier", json!({ "events": [2000] })),
            ] {
                if let Some(given) = line.as_object_mut().unwrap().remove(member) {
                    assert_eq!(given, value);
                }
            }
            let classes = line["causes"]["classes"].as_array_mut();
            for event in
                classes.into_iter().flatten().flat_map(|class| class["events"].as_array_mut().unwrap())
            {
                event["file"] = Value::Null;
            }
        }
    }
    assert_eq!(live, files, "{said}");
    let (code, renamed, _) = node.run(&["diff", "--live", "--metric", "same", "--output", "json"]);
    assert_eq!((code, of(&json_lines(&renamed), "alike")["change"].clone()), (Some(1), json!("renamed")));
    let total = of(&live, "total");
    assert_eq!(total["rows"]["changed"], 7, "{total}");
    let causes = &total["causes"];
    assert_eq!(causes["classes"][0]["parts"], json!(["where"]), "{causes}");
    assert_eq!(causes["classes"][0]["how"], "counted by OLD, left out by NEW");
    assert_eq!(causes["classes"][0]["events"].as_array().unwrap().len(), 4);
    assert_eq!(of(&live, "fresh")["change"], "added");
    assert_eq!(of(&live, "share")["rows"]["changed"], 7);
}

#[test]
fn text_is_for_people_and_a_version_is_the_same_as_itself() {
    let (_home, node, file) = home_with(2000);
    assert_eq!(node.run(&["deploy", &file]).0, Some(0));
    let (code, text, said) =
        node.run(&["diff", "--live", "--of-version", "1", "--rows", "1", "--causes", "0"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(text.starts_with("OLD is version 2, NEW is version 1, at `events` [2000]\n"), "{text}");
    for part in [
        "where\n    - n < 1990\n    + n < 2000",
        "total: 0 rows equal, 7 changed",
        "… 6 more rows",
        "removed       fresh",
    ] {
        assert!(text.contains(part), "{part}:\n{text}");
    }
    let (code, _, said) = node.run(&["diff", "--live", "--of-version", "2"]);
    assert!(code == Some(2) && said.contains("version 2 would be compared with itself"), "{said}");
    let (code, _, said) = node.run(&["diff", "--of-version", "2"]);
    assert!(code == Some(2) && said.contains("give `--live` with it"), "{said}");
    let (code, _, said) = node.run(&["diff", "--live", "--of-version", "7"]);
    assert!(code == Some(2) && said.contains("there is no version 7; there are 1, 2"), "{said}");
    let (code, _, said) = node.run(&["diff", "--live", "--of-version", "1", "--metric", "gone"]);
    assert!(code == Some(2) && said.contains("no metric `gone`"), "{said}");
    let (code, _, said) = node.run(&["diff", "--live", "a.metric"]);
    assert!(code == Some(2) && said.contains("--live"), "{said}");
    let (code, _, said) = node.run(&["diff", "--live", "--of-version", "1", "--max-rejected", "3"]);
    assert!(code == Some(2) && said.contains("`--max-rejected` has no effect here"), "{said}");
    assert_eq!(node.get("/v1/package/diff?version=1&causes=100000").status, 400);
    let answer = node.get("/v1/package/diff?version=1&text=true");
    assert!(answer.status == 200 && answer.body.starts_with("OLD is version 2"), "{}", answer.body);
}

/// Ends the other thread, also if this one panics.
struct OverAtEnd<'a>(&'a AtomicBool);

impl Drop for OverAtEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Both versions are read at one frontier, however many events come in meanwhile.
#[test]
fn while_events_come_in_versions_of_one_meaning_have_equal_rows() {
    let (_home, node, file) = home_with(1000);
    // Other states with the same rows: `seen` is counted over another filter that every event passes.
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace("count() { from events", "count() { from events  where n >= 0"))
        .unwrap();
    assert_eq!(node.run(&["deploy", &file, "--preview"]).0, Some(0));
    let is_over = AtomicBool::new(false);
    let frontiers = std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut number = 0;
            while !is_over.load(Ordering::Relaxed) {
                node.post(&format!("m{number}"), &events(number * 20, number * 20 + 20));
                number += 1;
            }
        });
        let _over = OverAtEnd(&is_over);
        let mut frontiers = Vec::new();
        for _ in 0..15 {
            let answer = node.get("/v1/package/diff?metric=seen").json();
            let rows = &answer["metrics"][0]["rows"];
            let all = ["equal", "changed", "only_old", "only_new"].map(|name| rows[name].clone());
            assert_eq!(all, [json!(7), json!(0), json!(0), json!(0)], "{answer}");
            frontiers.push(answer["frontier"]["events"][0].as_u64().unwrap());
        }
        frontiers
    });
    assert!(frontiers.windows(2).all(|pair| pair[0] <= pair[1]), "{frontiers:?}");
    assert!(frontiers.last() > frontiers.first(), "nothing came in: {frontiers:?}");
}

/// The search for events ends with the client that wants to know of them.
#[test]
fn a_comparison_whose_client_has_gone_is_given_up() {
    let (_home, node, file) = home_with(8000);
    assert_eq!(node.run(&["deploy", &file, "--preview"]).0, Some(0));
    for _ in 0..3 {
        let mut stream = TcpStream::connect(&node.address).unwrap();
        let path = "/v1/package/diff?causes=1000&within=300";
        stream
            .write_all(format!("GET {path} HTTP/1.1\r\nHost: {}\r\n\r\n", node.address).as_bytes())
            .unwrap();
        std::thread::sleep(Duration::from_millis(500));
    }
    let since = Instant::now();
    let answer = node.get("/v1/package/diff?version=2");
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert!(since.elapsed() < Duration::from_secs(15), "{:?}", since.elapsed());
}

#[test]
fn a_float_is_shown_as_it_is_answered() {
    let text = |value: &str| {
        format!("source events {{ at: timestamp time  x: float }}\nmetric m = {value} {{ from events }}\n")
    };
    let home = Home::new(&text("max(x)"), CONFIG);
    let node = home.ready();
    node.post("a", "{\"at\":\"2026-04-25T10:00:00Z\",\"x\":1483.5739785214587}\n").unwrap();
    node.catch_up();
    let (_, table, _) = node.run(&["query", "m"]);
    assert!(table.contains("1483.5739785214587"), "{table}");
    let file = home.path().join("next.metric");
    std::fs::write(&file, text("max(x) + 1.0")).unwrap();
    assert_eq!(node.run(&["deploy", &file.to_string_lossy(), "--preview"]).0, Some(0));
    let (_, line, _) = node.run(&["diff", "--live", "--output", "json"]);
    assert!(line.contains("1484.5739785214587") && line.contains("1483.5739785214587"), "{line}");
}
