//! What the commands say of versions of the package: which go, why a metric is computed, what a step means for the
//! others, and what became of a connection.
#![expect(clippy::unwrap_used, reason = "test code")]

use std::net::TcpListener;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::deploy::{CONFIG, SOURCE, events, home, versions, view_has, write};
use super::{Home, Node};

/// A version whose one metric is not in any other one.
fn version(home: &Home, number: u64) -> String {
    write(home, "next.metric", &format!("metric seen = count() * {number} {{ from events  by shop }}\n"))
}

/// The last line of JSON: what became of the version.
fn end(out: &str) -> Value {
    serde_json::from_str(out.lines().last().unwrap()).unwrap()
}

#[test]
fn a_version_that_is_kept_no_longer_is_named() {
    let home = Home::new(
        &format!("{SOURCE}metric seen = count() {{ from events }}"),
        &format!("{CONFIG}[deploy]\nversions = 1\n"),
    );
    let (node, said_by_node) = home.start_logging();
    node.until(|node| node.get("/readyz").status == 200);
    node.post("a", &events(0, 100)).unwrap();
    view_has(&node, 100);
    let (_, _, said) = node.run(&["deploy", &version(&home, 2), "--plan"]);
    assert!(!said.contains("kept no longer"), "one is kept: {said}");
    let (code, _, said) = node.run(&["deploy", &version(&home, 2)]);
    assert!(code == Some(0) && said.ends_with("version 2 is live\n"), "{said}");

    let goes = "note: version 1 is kept no longer (`versions = 1` under `[deploy]`, besides the live one), and cannot be rolled \
                back to, when this one is live";
    let (code, _, said) = node.run(&["deploy", &version(&home, 3), "--plan"]);
    assert!(code == Some(0) && said.contains(goes), "{said}");
    assert_eq!(versions(&node), [(2, "live".to_owned()), (1, "kept".to_owned())]);
    let (code, _, said) = node.run(&["deploy", &version(&home, 3)]);
    assert!(code == Some(0) && said.contains(goes), "{said}");
    assert!(said.ends_with("version 3 is live; version 1 is kept no longer\n"), "{said}");
    assert_eq!(versions(&node), [(3, "live".to_owned()), (2, "kept".to_owned())]);
    let logged = "a version of the package is kept no longer (`versions = 1` under `[deploy]`, besides the live one) version=1";
    node.until(|_| said_by_node.lock().unwrap().iter().any(|line| line.contains(logged)));
    // A preview changes nothing before it is promoted.
    let (_, _, said) = node.run(&["deploy", &version(&home, 4), "--preview"]);
    assert!(said.contains("note: version 2 is kept no longer"), "{said}");
    assert_eq!(versions(&node).len(), 3);
    let (code, _, said) = node.run(&["promote", "4"]);
    assert!(code == Some(0) && said.ends_with("version 4 is live; version 2 is kept no longer\n"), "{said}");
    let package = node.get("/v1/package").json();
    let steps = package["steps"].as_array().unwrap();
    let gone: Vec<&Value> =
        steps.iter().filter(|step| step["step"] == "retired").map(|step| &step["version"]).collect();
    assert_eq!(gone, [&json!(1), &json!(2)], "{package}");
}

#[test]
fn json_ends_with_what_became_of_the_version() {
    let home = home();
    let node = home.ready();
    node.post("a", &events(0, 100)).unwrap();
    view_has(&node, 100);
    let (_, out, said) = node.run(&["deploy", &version(&home, 2), "--plan", "--json"]);
    assert_eq!(
        end(&out),
        json!({ "version": null, "state": null, "unchanged": false, "notes": [] }),
        "{said}"
    );
    for (number, option, state) in [(2, "--preview", "preview"), (3, "--by=me", "live")] {
        let (code, out, said) = node.run(&["deploy", &version(&home, number), "--json", option]);
        let wanted = json!({ "version": number, "state": state, "unchanged": false, "notes": [] });
        assert_eq!((code, end(&out)), (Some(0), wanted), "{said}");
        if state == "preview" {
            assert_eq!(node.run(&["retire", &number.to_string()]).0, Some(0));
        }
    }
}

#[test]
fn a_text_that_is_live_is_not_deployed_again() {
    let home = home();
    let node = home.ready();
    let own = home.path().join("events.metric").to_string_lossy().into_owned();
    for more in [&["--plan"][..], &["--preview"], &["--no-wait"], &[]] {
        let (code, _, said) = node.run(&[&["deploy", &own], more].concat());
        let wanted = format!("`{own}` is live already as version 1; nothing to do\n");
        assert!(code == Some(0) && said.ends_with(&wanted), "{more:?}: {said}");
        let (_, out, _) = node.run(&[&["deploy", &own, "--json"], more].concat());
        assert_eq!(end(&out), json!({ "version": 1, "state": "live", "unchanged": true, "notes": [] }));
    }
    assert_eq!(versions(&node), [(1, "live".to_owned())]);
}

const PLAN: &str = "\
presentation  seen                       nothing to compute
  by place
    + shop
  order of keys
    - shop
    + place
  by shop
    - shop
changed       total                      100 events of the log, then writes the view
  where
    + n > 3
  window
    - all time
    + every 1h
kept          gone
removed       share
";

#[test]
fn a_plan_says_why_a_metric_is_computed() {
    let home = home();
    let node = home.ready();
    node.post("a", &events(0, 100)).unwrap();
    view_has(&node, 100);
    let text = "
metric seen = count() { from events  by shop as place }
metric total = sum(n) { from events  where n > 3  by shop  every 1h }
metric gone = max(n) { from events }
";
    let (code, out, said) = node.run(&["deploy", &write(&home, "next.metric", text), "--plan"]);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(out, PLAN);
    let (_, out, _) = node.run(&["deploy", &write(&home, "next.metric", text), "--plan", "--json"]);
    let total: Value = serde_json::from_str(out.lines().nth(1).unwrap()).unwrap();
    assert_eq!(total["parts"][0], json!({ "part": "where", "old": null, "new": "n > 3" }), "{total}");
}

/// Both speak of what is read for new metrics: the events up to where the view ends.
#[test]
fn a_plan_and_a_backfill_count_the_same_events() {
    let config = "[batch]\nevery = \"1h\"\nevents = 40000\nworkers = 1\n[ingest]\nmax_events = 100000\n";
    let home = Home::new(&format!("{SOURCE}metric seen = count() {{ from events }}"), config);
    let node = home.ready();
    for part in 0..8 {
        node.post(&format!("a{part}"), &events(part * 5000, part * 5000 + 5000)).unwrap();
    }
    view_has(&node, 40_000);
    node.post("b", &events(40_000, 40_100)).unwrap();
    node.catch_up();
    let file = write(&home, "slow.metric", SLOW);
    let (_, out, said) = node.run(&["deploy", &file, "--plan"]);
    assert!(out.contains("40000 events of the log"), "{out}{said}");
    assert!(out.contains("then writes the view"), "{out}");
    assert_eq!(node.run(&["deploy", &file, "--no-wait"]).0, Some(0));
    node.until(|node| match node.source()["backfill"]["positions"].as_u64() {
        Some(positions) => {
            assert_eq!(positions, 40_000);
            true
        }
        None => versions(node)[0].1 == "live",
    });
}

const SLOW: &str = "metric seen = count() { from events  by shop }
metric p = quantile(n, 0.5, within: 1%) { from events  by n % 1000 as part }
metric d = distinct(n) { from events  by n % 1000 as part }
";

fn home_with_many(n_requests: u64) -> (Home, Node) {
    let home = home();
    let node = home.ready();
    for request in 0..n_requests {
        node.post(&format!("e{request}"), &events(request * 5000, request * 5000 + 5000)).unwrap();
    }
    view_has(&node, n_requests * 5000);
    (home, node)
}

#[test]
fn a_deployment_that_is_cut_off_goes_on_after_a_restart() {
    let (home, node) = home_with_many(20);
    let deploy = Command::new(env!("CARGO_BIN_EXE_metricc"))
        .args(["deploy", &write(&home, "slow.metric", SLOW)])
        .env("NO_COLOR", "1")
        .env("METRICC_NODE", format!("http://{}", node.address))
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    node.until(|node| versions(node)[0] == (2, "building".to_owned()));
    node.kill();
    let output = deploy.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    // The node may die before the command has read its first answer.
    let is_told = said.contains("the connection to the node has ended while version 2 was on its way");
    assert!(is_told || said.contains("the connection was closed before the answer was complete"), "{said}");
    assert!(said.contains("`metricc versions` shows") && said.contains("how far it is"), "{said}");
    // As it says.
    let node = home.ready();
    node.until(|node| versions(node)[0] == (2, "live".to_owned()));
}

#[test]
fn what_is_not_computed_yet_keeps_no_other_metric_from_being_compared() {
    let (home, node) = home_with_many(20);
    let old = write(
        &home,
        "old.metric",
        "metric seen = count() { from events  by shop }\nmetric total = sum(n) { from events  by shop }\n\
         metric p = quantile(n, 0.25, within: 1%) { from events  by n % 1000 as part }\n",
    );
    assert_eq!(node.run(&["deploy", &old]).0, Some(0));
    let text = format!("{SLOW}metric total = sum(n) * 2 {{ from events  by shop }}\n").replace(
        "quantile(n, 0.5, within: 1%) { from events ",
        "quantile(n, 0.25, within: 1%) { from events  where n > 7 ",
    );
    assert_eq!(
        node.run(&["deploy", &write(&home, "new.metric", &text), "--preview", "--no-wait"]).0,
        Some(0)
    );
    let (code, out, said) = node.run(&["diff", "--live", "--causes", "0", "--rows", "1"]);
    assert_eq!(code, Some(3), "it was computed at once: give it more events: {out}{said}");
    assert!(out.contains("p: not compared: version 3 is still computing it from the log"), "{out}");
    assert!(out.contains("total: 0 rows equal, 7 changed"), "{out}");
    assert!(said.contains("rows of 1 metric compared, 0 equal; 2 metrics differ, 1 added"), "{said}");
    assert!(said.contains("1 metric is still being computed"), "{said}");
    let (code, _, said) = node.run(&["diff", "--live", "--metric", "p"]);
    assert!(code == Some(3) && said.contains("still being computed"), "{said}");
    node.until(|node| node.get("/v1/package").json()["versions"][0]["waits_for"].is_null());
    assert_eq!(node.run(&["diff", "--live", "--causes", "0"]).0, Some(1));
}

#[test]
fn a_metric_that_is_only_added_is_no_difference() {
    let home = home();
    let node = home.ready();
    node.post("a", &events(0, 100)).unwrap();
    view_has(&node, 100);
    let own = std::fs::read_to_string(home.path().join("events.metric")).unwrap();
    let file = home.path().join("more.metric");
    std::fs::write(&file, format!("{own}metric fresh = min(n) {{ from events }}\n")).unwrap();
    assert_eq!(node.run(&["deploy", &file.to_string_lossy(), "--preview"]).0, Some(0));
    let (code, out, said) = node.run(&["diff", "--live"]);
    assert!(code == Some(0) && out.contains("added         fresh"), "{out}{said}");
    assert!(said.contains("rows of 0 metrics compared, 0 equal; 0 metrics differ, 1 added"), "{said}");
}

#[test]
fn a_metric_of_another_version_is_named_with_it() {
    let home = home();
    let node = home.ready();
    node.post("a", &events(0, 100)).unwrap();
    view_has(&node, 100);
    assert_eq!(node.run(&["deploy", &version(&home, 2)]).0, Some(0));
    let (code, _, said) = node.run(&["query", "gone"]);
    assert!(
        code == Some(2) && said.contains("version 1 has it: `metricc query --of-version 1` reads it"),
        "{said}"
    );
    assert_eq!(node.run(&["query", "gone", "--of-version", "1"]).0, Some(0));
    // The start of a hash is enough, as the message gives it.
    let said = node.get("/v1/metrics/gone").body;
    let hash = said.split("`hash=").nth(1).unwrap().split('`').next().unwrap();
    assert_eq!(node.get(&format!("/v1/metrics/gone?hash={hash}")).status, 200, "{said}");
    assert_eq!(node.get(&format!("/v1/metrics/gone?hash={}", &hash[..8])).status, 200, "{said}");
    assert_eq!(node.get(&format!("/v1/metrics/gone?hash={}", &hash[..7])).status, 404);
    let metrics = node.get("/v1/metrics").json();
    let full = metrics["metrics"][0]["hash"].as_str().unwrap();
    let other = node.get("/v1/metrics/seen?hash=00000000");
    assert!(other.status == 409 && other.body.contains(full), "{}", other.body);
}

#[test]
fn whoever_has_no_user_name_in_the_environment_has_one_in_the_history() {
    let home = home();
    let node = home.ready();
    let output = Command::new(env!("CARGO_BIN_EXE_metricc"))
        .args(["deploy", &version(&home, 2)])
        .env("METRICC_NODE", format!("http://{}", node.address))
        .env_remove("USER")
        .env_remove("LOGNAME")
        .output()
        .unwrap();
    assert!(output.status.success());
    let by = node.get("/v1/package").json()["versions"][0]["by"].clone();
    let by = by.as_str().unwrap();
    assert!(!by.is_empty() && by != "unknown", "{by}");
}

#[test]
fn a_node_that_hangs_is_said_to_after_how_many_seconds() {
    // Connections are taken by the system, and nobody answers.
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    for arguments in
        [&["versions"][..], &["status"], &["query", "m"], &["audit"], &["diff", "--live"], &["promote", "2"]]
    {
        let (code, said) = run_at(&address, &[arguments, &["--timeout", "500ms"]].concat());
        assert!(code == Some(2) && said.contains("no answer within 0.5 s"), "{arguments:?}: {said}");
        assert!(said.contains("`--timeout`"), "{said}");
    }
    // Nor a handshake of TLS.
    let (code, said) = run_at(&address.replace("http:", "https:"), &["versions", "--timeout", "500ms"]);
    assert!(code == Some(2) && said.contains("no answer within 0.5 s"), "{said}");
}

fn run_at(address: &str, arguments: &[&str]) -> (Option<i32>, String) {
    let command =
        Command::new(env!("CARGO_BIN_EXE_metricc")).args(arguments).env("METRICC_NODE", address).output();
    let output = command.unwrap();
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}
