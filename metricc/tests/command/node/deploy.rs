//! Versions of the package of a node that runs: deployed, previewed, promoted, rolled back, retired, and found
//! again after a restart.
#![expect(clippy::unwrap_used, reason = "test code")]

use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};

use super::{Home, Node};

pub(super) const SOURCE: &str = "source events { at: timestamp time  shop: string  n: int }\n";
const FIRST: &str = "
metric seen = count() { from events  by shop }
metric total = sum(n) { from events  by shop }
metric gone = max(n) { from events }
metric share = total / seen
";
const SECOND: &str = "
metric seen = count() { from events  by shop }
metric total = sum(n) * 2 { from events  by shop }
metric hourly = sum(n) { from events  where n > 3  every 1h }
metric kinds = distinct(shop) { from events  every 1h }
metric share = total / seen
";
pub(super) const CONFIG: &str =
    "[batch]\nevery = \"100ms\"\nworkers = 2\n[speed]\nrefresh = \"5ms\"\n[ingest]\nseal_events = 500\n";

pub(super) fn events(from: u64, to: u64) -> String {
    let line = |n: u64| {
        let (hour, shop) = (n % 24, n % 7);
        format!("{{\"at\":\"2026-04-25T{hour:02}:00:00Z\",\"shop\":\"s{shop}\",\"n\":{n}}}\n")
    };
    (from..to).map(line).collect()
}

pub(super) fn home() -> Home {
    Home::new(&format!("{SOURCE}{FIRST}"), CONFIG)
}

/// Writes a file beside the one of the node.
pub(super) fn write(home: &Home, name: &str, metrics: &str) -> String {
    write_package(home, name, &format!("{SOURCE}{metrics}"))
}

/// Writes a file with its own sources beside the one of the node.
pub(super) fn write_package(home: &Home, name: &str, text: &str) -> String {
    let path = home.path().join(name);
    std::fs::write(&path, text).unwrap();
    path.to_string_lossy().into_owned()
}

/// Deploys a file, with which nothing is wrong; returns what the command says.
pub(super) fn deployed(node: &Node, file: &str) -> String {
    let (code, _, said) = node.run(&["deploy", file]);
    assert_eq!(code, Some(0), "{said}");
    said
}

/// The rows of a metric of a file over events, without a node.
pub(super) fn run(home: &Home, file: &str, events: &str, metric: &str) -> Vec<Value> {
    let log: PathBuf = home.path().join("log.ndjson");
    std::fs::write(&log, events).unwrap();
    let source = format!("events={}", log.display());
    let output = Command::new(env!("CARGO_BIN_EXE_metricc"))
        .args(["run", file, "--source", &source, "--output", "json", "--metric", metric])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The rows of a metric, the name of the metric left out.
pub(super) fn bare(rows: Vec<Value>) -> Vec<Value> {
    let bare = |mut row: Value| {
        row.as_object_mut().unwrap().remove("metric");
        row
    };
    rows.into_iter().map(bare).collect()
}

/// Waits until the view has all events.
pub(super) fn view_has(node: &Node, n_events: u64) {
    node.until(|node| node.source()["view"] == json!([n_events]));
}

fn hash(node: &Node, metric: &str) -> String {
    let metrics = node.get("/v1/metrics").json();
    let metrics = metrics["metrics"].as_array().unwrap().clone();
    let found = metrics.iter().find(|known| known["name"] == metric).unwrap();
    found["hash"].as_str().unwrap().to_owned()
}

pub(super) fn versions(node: &Node) -> Vec<(u64, String)> {
    let versions = node.get("/v1/package").json();
    let of = |version: &Value| {
        (version["version"].as_u64().unwrap(), version["state"].as_str().unwrap().to_owned())
    };
    versions["versions"].as_array().unwrap().iter().map(of).collect()
}

fn effects(text: &str) -> Vec<(String, String)> {
    let mut lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let end = lines.pop().unwrap();
    assert!(end["notes"].is_array() && end["metric"].is_null(), "the last line is of the version: {end}");
    let change = |change: &Value| {
        (change["metric"].as_str().unwrap().to_owned(), change["effect"].as_str().unwrap().to_owned())
    };
    lines.iter().map(change).collect()
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, effect)| ((*name).to_owned(), (*effect).to_owned())).collect()
}

#[test]
fn a_version_is_planned_deployed_rolled_back_and_retired() {
    let (home, all) = (home(), events(0, 3000));
    let node = home.ready();
    node.post("a", &all).unwrap();
    view_has(&node, 3000);
    let (old_total, old_rows) = (hash(&node, "total"), node.rows("total").0);
    let file = write(&home, "second.metric", SECOND);
    let planned = pairs(&[
        ("seen", "kept"),
        ("total", "presentation"),
        ("hourly", "added"),
        ("kinds", "added"),
        ("share", "presentation"),
        ("gone", "removed"),
    ]);
    let (code, out, said) = node.run(&["deploy", &file, "--plan", "--json"]);
    assert_eq!((code, effects(&out)), (Some(0), planned.clone()), "{said}");
    assert_eq!(versions(&node), vec![(1, "live".to_owned())], "a plan changes nothing");

    let (code, out, said) = node.run(&["deploy", &file, "--json", "--by", "anna"]);
    assert_eq!((code, effects(&out)), (Some(0), planned), "{said}");
    assert!(said.contains("version 2 is live"), "{said}");
    for metric in ["seen", "total", "hourly", "kinds", "share"] {
        assert_eq!(bare(node.rows(metric).0), bare(run(&home, &file, &all, metric)), "{metric}");
    }
    assert_eq!(node.get("/v1/metrics/gone").status, 404);
    // Who asks for the old definition gets it, and the receipts of both are of one log.
    let pinned = node.get(&format!("/v1/metrics/total?hash={old_total}"));
    assert_eq!((pinned.status, pinned.json()["rows"].as_array().unwrap()), (200, &old_rows));

    // What comes in now is in the states of both versions.
    node.post("b", &events(3000, 3500)).unwrap();
    node.catch_up();
    let (code, _, said) = node.run(&["rollback"]);
    assert_eq!((code, said.contains("version 1 is live")), (Some(0), true), "{said}");
    let (first, all) = (home.path().join("events.metric"), all + &events(3000, 3500));
    for metric in ["seen", "total", "gone", "share"] {
        let wanted = bare(run(&home, &first.to_string_lossy(), &all, metric));
        assert_eq!(bare(node.rows(metric).0), wanted, "{metric}");
    }
    assert_eq!(versions(&node), vec![(2, "kept".to_owned()), (1, "live".to_owned())]);
    let (code, _, said) = node.run(&["retire", "1"]);
    assert!(code == Some(2) && said.contains("version 1 is live: deploy another one"), "{said}");
    assert_eq!(node.run(&["retire", "2"]).0, Some(0));
    node.until(|node| node.source()["backfill"].is_null() && node.get("/v1/metrics/hourly").status == 404);
    let (code, _, said) = node.run(&["rollback"]);
    assert!(code == Some(2) && said.contains("no version before the live one is kept"), "{said}");
    let history = node.get("/v1/package").json();
    let steps: Vec<&str> =
        history["steps"].as_array().unwrap().iter().map(|step| step["step"].as_str().unwrap()).collect();
    assert_eq!(steps, ["promoted", "deployed", "promoted", "rolled_back", "retired"], "{history}");
    assert_eq!(history["steps"][1]["by"], "anna");
}

#[test]
fn what_needs_no_events_is_live_at_once() {
    let home = home();
    let node = home.ready();
    node.post("a", &events(0, 2000)).unwrap();
    view_has(&node, 2000);
    let generations = |node: &Node| {
        let counters = node.get("/metrics").body;
        counters.lines().find(|line| line.starts_with("metricc_generations")).map(str::to_owned)
    };
    let before = generations(&node);
    let file = write(
        &home,
        "next.metric",
        "metric seen = count() { from events  by shop }\nmetric sum_of_all = sum(n) { from events  by shop }\n\
         metric share = sum_of_all / seen\n",
    );
    let text = std::fs::read_to_string(&file).unwrap();
    let body = json!({ "name": "next.metric", "text": text, "files": {} }).to_string();
    let answer = node.send("POST", "/v1/package", &[], body.as_bytes()).unwrap();
    assert_eq!((answer.status, &answer.json()["state"]), (200, &json!("live")), "{}", answer.body);
    assert_eq!(
        answer.json()["changes"][1],
        json!({"metric": "sum_of_all", "was": "total", "effect": "renamed"})
    );
    assert_eq!(bare(node.rows("sum_of_all").0), bare(run(&home, &file, &events(0, 2000), "sum_of_all")));
    assert_eq!(generations(&node), before, "no dataflow was started again");
}

#[test]
fn a_preview_is_computed_beside_the_live_version() {
    let home = home();
    let node = home.ready();
    node.post("a", &events(0, 2000)).unwrap();
    view_has(&node, 2000);
    let file = write(&home, "second.metric", SECOND);
    let (code, _, said) = node.run(&["deploy", &file, "--preview"]);
    assert!(code == Some(0) && said.contains("`metricc promote 2` makes it live"), "{said}");
    assert_eq!(node.get("/v1/metrics/hourly").status, 404);
    assert_eq!(versions(&node), vec![(2, "preview".to_owned()), (1, "live".to_owned())]);
    let (code, out, said) = node.run(&["query", "hourly", "--of-version", "2", "--output", "json"]);
    let wanted = run(&home, &file, &events(0, 2000), "hourly");
    assert_eq!((code, out.lines().count()), (Some(0), wanted.len()), "{said}");
    let (code, _, said) = node.run(&["query", "hourly", "--of-version", "1"]);
    assert!(code == Some(2) && said.contains("version 1 has no metric `hourly`; its metrics are"), "{said}");
    // Only one version is on its way.
    let other = write(&home, "other.metric", "metric a = count() { from events }");
    let (code, _, said) = node.run(&["deploy", &other]);
    assert!(code == Some(2) && said.contains("is a preview: `metricc promote 2` makes it live"), "{said}");
    assert_eq!(node.run(&["deploy", &other, "--plan"]).0, Some(0), "a plan changes nothing");
    let (code, _, said) = node.run(&["rollback", "2"]);
    assert!(code == Some(2) && said.contains("version 2 was never live"), "{said}");
    let (code, _, said) = node.run(&["promote", "2"]);
    assert_eq!((code, said.contains("version 2 is live")), (Some(0), true), "{said}");
    assert_eq!(bare(node.rows("hourly").0), bare(run(&home, &file, &events(0, 2000), "hourly")));
    let (code, _, said) = node.run(&["promote", "9"]);
    assert!(code == Some(2) && said.contains("there is no version 9; there are 1, 2"), "{said}");
}

#[test]
fn what_cannot_be_deployed_is_refused_with_the_reason() {
    let home = home();
    let node = home.ready();
    let wrong = write(&home, "wrong.metric", "metric a = sum(m) { from events }");
    let (code, _, said) = node.run(&["deploy", &wrong]);
    assert!(code == Some(1) && said.contains("M0013"), "{said}");
    let other = home.path().join("other.metric");
    std::fs::write(
        &other,
        "source events { at: timestamp time  shop: string  n: string }\nmetric a = count() { from events }",
    )
    .unwrap();
    let (code, _, said) = node.run(&["deploy", &other.to_string_lossy()]);
    assert!(
        code == Some(2)
            && said.contains(
                "field `n` was `int` and is `string`; it has no events yet, so start the node again"
            ),
        "{said}"
    );
    let answer = node.send("POST", "/v1/package", &[], b"metric a = count()").unwrap();
    assert_eq!(
        (answer.status, answer.body.contains("the body is no package")),
        (400, true),
        "{}",
        answer.body
    );
    let body =
        json!({ "name": "a.metric", "text": "metric a = count() { from b }", "files": {} }).to_string();
    let answer = node.send("POST", "/v1/package", &[], body.as_bytes()).unwrap();
    assert_eq!((answer.status, &answer.json()["error"]["code"]), (422, &json!("package")), "{}", answer.body);
    assert_eq!(versions(&node), vec![(1, "live".to_owned())]);
}

#[test]
fn what_was_changed_last_wins_at_a_restart() {
    let (home, all) = (home(), events(0, 2000));
    let node = home.ready();
    node.post("a", &all).unwrap();
    view_has(&node, 2000);
    let file = write(&home, "second.metric", SECOND);
    assert_eq!(node.run(&["deploy", &file]).0, Some(0));
    assert_eq!(node.stop(), Some(0));
    // The file of the node was not changed since: the version that was deployed is live.
    let (node, said) = home.start_saying(home.command());
    assert!(said.iter().any(|line| line.contains("the version that is live stays")), "{said:#?}");
    node.until(|node| node.get("/readyz").status == 200);
    assert_eq!(bare(node.rows("hourly").0), bare(run(&home, &file, &all, "hourly")));
    assert_eq!(versions(&node), vec![(2, "live".to_owned()), (1, "kept".to_owned())]);
    assert_eq!(node.run(&["rollback"]).0, Some(0), "what was kept is followed after a restart too");
    assert_eq!(node.rows("gone").0[0]["value"], json!(1999));
    assert_eq!(node.run(&["rollback", "2"]).0, Some(0));
    node.kill();
    // Now it is changed.
    std::fs::copy(&file, home.path().join("events.metric")).unwrap();
    let text = std::fs::read_to_string(&file).unwrap() + "metric added = min(n) { from events }\n";
    std::fs::write(home.path().join("events.metric"), text).unwrap();
    let (node, said) = home.start_saying(home.command());
    assert!(said.iter().any(|line| line.contains("is a new version of the package")), "{said:#?}");
    node.until(|node| node.get("/v1/metrics/hourly").status == 200);
    node.until(|node| match node.get("/v1/metrics/added") {
        answer if answer.status == 200 => answer.json()["rows"][0]["value"] == json!(0),
        answer => {
            assert!(answer.body.contains("backfilling"), "{}", answer.body);
            false
        }
    });
    assert_eq!(versions(&node)[0], (3, "live".to_owned()));
}

#[test]
fn a_rollback_outlives_restarts_and_a_comment_is_no_version() {
    let home = home();
    let node = home.ready();
    node.post("a", &events(0, 1000)).unwrap();
    view_has(&node, 1000);
    // The file is edited, deployed, and found to be wrong.
    let own = home.path().join("events.metric");
    let first = std::fs::read_to_string(&own).unwrap();
    std::fs::write(&own, format!("{SOURCE}{SECOND}")).unwrap();
    assert_eq!(node.run(&["deploy", &own.to_string_lossy()]).0, Some(0));
    assert_eq!(node.run(&["rollback"]).0, Some(0));
    let (code, _, said) = node.run(&["rollback"]);
    assert!(code == Some(2) && said.contains("`metricc rollback 2` goes to version 2"), "{said}");
    let (code, _, said) = node.run(&["promote", "2"]);
    assert!(code == Some(2) && said.contains("version 2 was live before: `metricc rollback 2`"), "{said}");
    node.kill();
    for _ in 0..2 {
        let node = home.ready();
        assert_eq!(versions(&node), vec![(2, "kept".to_owned()), (1, "live".to_owned())]);
        node.kill();
    }
    // Another text of the same metrics takes no place of a version that is kept.
    std::fs::write(&own, format!("// As it was.\n{first}")).unwrap();
    let node = home.ready();
    assert_eq!(versions(&node), vec![(3, "live".to_owned()), (2, "kept".to_owned())]);
    let kept = home.path().join("metricc-data/package.json");
    node.until(|_| std::fs::read_to_string(&kept).unwrap().contains("\"next\": 4"));
    node.kill();
    // Nor does one that was never answered: its one metric is still computed when the node is killed.
    let slow = "metric slow = count() { from events  where n % 3 == 1  by shop }\n";
    std::fs::write(&own, format!("{SOURCE}{slow}")).unwrap();
    let node = home.start();
    let before = versions(&node);
    assert_eq!(before[0], (4, "live".to_owned()));
    node.until(|node| node.get("/v1/metrics/slow").status == 200);
    assert_eq!(bare(node.rows("slow").0), bare(run(&home, &own.to_string_lossy(), &events(0, 1000), "slow")));
}

/// What a start is refused for is not in the history: the file is put back, and all is as before.
#[test]
fn a_start_that_fails_changes_no_version() {
    let home = home();
    let node = home.ready();
    node.post("a", &events(0, 500)).unwrap();
    view_has(&node, 500);
    let file = write(&home, "second.metric", SECOND);
    assert_eq!(node.run(&["deploy", &file]).0, Some(0));
    node.kill();
    let own = home.path().join("events.metric");
    let first = std::fs::read_to_string(&own).unwrap();
    let other =
        "source events { at: timestamp time  shop: string  n: float }\nmetric a = count() { from events }";
    std::fs::write(&own, other).unwrap();
    let output = home.command().output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(2) && !said.contains("is a new version"), "{said}");
    std::fs::write(&own, first).unwrap();
    let node = home.ready();
    assert_eq!(versions(&node), vec![(2, "live".to_owned()), (1, "kept".to_owned())]);
    node.kill();
    // A text that is gone is not replaced by the file without a word.
    let packages = home.path().join("metricc-data/packages");
    std::fs::rename(&packages, home.path().join("away")).unwrap();
    let output = home.command().output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        output.status.code() == Some(2) && said.contains("version 2 of the package, which is live"),
        "{said}"
    );
    std::fs::rename(home.path().join("away"), &packages).unwrap();
    assert_eq!(versions(&home.ready())[0], (2, "live".to_owned()));
}

const TWO_SOURCES: &str = "
source events { at: timestamp time  shop: string  n: int }
source views { at: timestamp time  page: string }
metric seen = count() { from events  by shop }
metric pages = count() { from views  by page }
";

#[test]
fn a_source_that_the_live_version_does_not_read_goes_on_for_those_that_do() {
    let home = Home::new(TWO_SOURCES, &format!("{CONFIG}[sources.views]\npartitions = 1\n"));
    let node = home.ready();
    node.post("a", &events(0, 500)).unwrap();
    let view = b"{\"at\":\"2026-04-25T10:00:00Z\",\"page\":\"home\"}\n";
    let send = |node: &Node| node.send("POST", "/v1/sources/views/events", &[], view).unwrap().status;
    assert_eq!(send(&node), 200);
    let file = write(&home, "less.metric", "metric seen = count() { from events  by shop }\n");
    assert_eq!(node.run(&["deploy", &file]).0, Some(0));
    assert_eq!(node.get("/v1/metrics/pages").status, 404);
    let (code, out, said) = node.run(&["audit"]);
    assert!(code == Some(0) && out.contains("events/seen"), "{out}{said}");
    node.kill();
    let node = home.ready();
    assert_eq!(send(&node), 200, "a version that is kept reads it");
    assert_eq!(node.run(&["rollback"]).0, Some(0));
    node.until(|node| node.rows("pages").0[0]["value"] == json!(2));
    node.run(&["rollback", "2"]);
    assert_eq!(node.run(&["retire", "1"]).0, Some(0));
    node.kill();
    // Then nothing reads it, and the settings of a source of the file are still no error.
    let node = home.ready();
    assert_eq!(node.rows("seen").0.len(), 7);
}

#[test]
fn a_cursor_is_of_one_calendar() {
    let package = |zone: &str| {
        format!(
            "{SOURCE}calendar local {{ zone \"{zone}\" }}\n\
             metric often = count() {{ from events  every 30m }}\n"
        )
    };
    let home = Home::new(&package("UTC"), CONFIG);
    let node = home.ready();
    node.post("a", &events(0, 500)).unwrap();
    node.catch_up();
    let path = "/v1/metrics/often?grain=day%20in%20local&limit=1";
    let page = node.get(path);
    assert_eq!(page.status, 200, "{}", page.body);
    let moved = home.path().join("moved.metric");
    std::fs::write(&moved, package("Asia/Kolkata")).unwrap();
    let (code, _, said) = node.run(&["deploy", &moved.to_string_lossy()]);
    assert_eq!(code, Some(0), "{said}");
    let days = node.get("/v1/metrics/often?grain=day%20in%20local&limit=1");
    let next = days.json()["next"].as_str().map(str::to_owned);
    let next = next.unwrap_or_else(|| panic!("two local days: {}", days.body));
    assert_eq!(node.get(&format!("{path}&cursor={next}")).status, 200);
    let file = home.path().join("events.metric");
    assert_eq!(node.run(&["deploy", &file.to_string_lossy()]).0, Some(0));
    assert_eq!(node.get(&format!("{path}&cursor={next}")).status, 400, "its days are others");
}
