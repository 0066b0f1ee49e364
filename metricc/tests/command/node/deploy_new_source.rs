//! Versions that bring a source along: the node takes its events as soon as they are deployed.
#![expect(clippy::unwrap_used, reason = "test code")]

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use super::deploy::{CONFIG, events, home, versions, view_has, write};
use super::{Answer, Home, Node};

const VISITS: &str = "
source visits { at: timestamp time  id: string key  shop: string }
metric seen = count() { from events  by shop }
metric visited = count() { from visits  by shop }
metric per_visit = seen / visited
";

fn visits(from: u64, to: u64) -> String {
    let line =
        |n: u64| format!("{{\"at\":\"2026-04-25T10:00:00Z\",\"id\":\"v{n}\",\"shop\":\"s{}\"}}\n", n % 7);
    (from..to).map(line).collect()
}

fn post(node: &Node, key: &str, body: &str) -> Option<Answer> {
    node.send("POST", "/v1/sources/visits/events", &[("Idempotency-Key", key)], body.as_bytes()).ok()
}

fn deploy(node: &Node, file: &str, more: &[&str]) -> String {
    let (code, out, said) = node.run(&[&["deploy", file], more].concat());
    assert_eq!(code, Some(0), "{out}{said}");
    out + &said
}

fn visits_source(node: &Node) -> Option<Value> {
    let sources = node.get("/v1/sources").json();
    sources["sources"].as_array().unwrap().iter().find(|source| source["name"] == "visits").cloned()
}

/// Waits until all that was acknowledged of visits is answered.
fn catch_up(node: &Node) {
    node.until(|node| visits_source(node).is_some_and(|source| source["served"] == source["end"]));
}

/// The visits that answers have.
fn n_visited(node: &Node) -> i64 {
    catch_up(node);
    node.rows("visited").0.iter().map(|row| row["value"].as_i64().unwrap()).sum()
}

fn no_difference(node: &Node) {
    let (code, out, said) = node.run(&["audit", "--full"]);
    assert_eq!(code, Some(0), "{out}{said}");
}

#[test]
fn a_version_brings_a_source_along() {
    let home = home();
    let node = home.ready();
    node.post("a", &events(0, 700)).unwrap();
    view_has(&node, 700);
    assert_eq!(post(&node, "v", &visits(0, 10)).unwrap().status, 404);
    let file = write(&home, "visits.metric", VISITS);
    let planned = deploy(&node, &file, &["--plan"]);
    assert!(planned.contains("source `visits` is new: the node takes its events as soon as"), "{planned}");
    assert_eq!(visits_source(&node), None, "a plan changes nothing");
    deploy(&node, &file, &[]);
    assert_eq!(versions(&node), vec![(2, "live".to_owned()), (1, "kept".to_owned())]);
    assert_eq!(node.get("/readyz").status, 200);
    assert_eq!(post(&node, "v", &visits(0, 700)).unwrap().json()["accepted"], 700);
    assert_eq!(post(&node, "w", &visits(690, 720)).unwrap().json()["duplicates"], 10);
    assert_eq!(post(&node, "x", "{}\n").unwrap().json()["quarantined"], 1);
    assert_eq!(n_visited(&node), 720);
    assert_eq!(node.get("/v1/metrics/per_visit").status, 200);
    // It has all that a source has: a view, flushed files, a quarantine, gauges.
    node.until(|node| visits_source(node).unwrap()["view"] == json!([731]));
    assert!(node.get("/v1/sources/visits/quarantine").body.contains("\"offset\":730"));
    assert!(node.get("/metrics").body.contains("metricc_log_positions{source=\"visits\"} 731"));
    node.until(|_| home.path().join("metricc-data/log/events/visits").exists());
    no_difference(&node);

    // The version before knows nothing of it; it goes on, and is there when one comes back to it.
    assert_eq!(node.run(&["rollback"]).0, Some(0));
    assert_eq!(node.get("/v1/metrics/visited").status, 404);
    assert_eq!(post(&node, "y", &visits(720, 730)).unwrap().status, 200);
    node.kill();
    let node = home.ready();
    assert_eq!(versions(&node), vec![(2, "kept".to_owned()), (1, "live".to_owned())]);
    assert_eq!(post(&node, "z", &visits(730, 740)).unwrap().status, 200);
    assert_eq!(node.run(&["rollback", "2"]).0, Some(0));
    assert_eq!(n_visited(&node), 740);
    no_difference(&node);
    node.kill();
    let node = home.ready();
    assert_eq!(post(&node, "z", &visits(730, 740)).unwrap().json()["repeated"], true);
    assert_eq!(n_visited(&node), 740);
    no_difference(&node);
    assert_eq!(node.stop(), Some(0));
}

#[test]
fn a_preview_takes_the_events_of_its_source() {
    let home = home();
    let node = home.ready();
    let file = write(&home, "visits.metric", VISITS);
    deploy(&node, &file, &["--preview"]);
    assert_eq!(versions(&node), vec![(2, "preview".to_owned()), (1, "live".to_owned())]);
    assert_eq!(post(&node, "v", &visits(0, 70)).unwrap().status, 200);
    catch_up(&node);
    assert_eq!(node.get("/v1/metrics/visited").status, 404);
    let (code, out, said) = node.run(&["query", "visited", "--of-version", "2", "--key", "shop=s1"]);
    assert!(code == Some(0) && out.contains("10"), "{out}{said}");
    node.kill();
    let node = home.ready();
    assert_eq!(post(&node, "w", &visits(70, 77)).unwrap().status, 200);
    assert_eq!(node.run(&["promote", "2"]).0, Some(0));
    assert_eq!(n_visited(&node), 77);
    no_difference(&node);
}

#[test]
fn a_source_that_no_version_reads_any_more_keeps_its_log_and_comes_back() {
    let home = home();
    let node = home.ready();
    let file = write(&home, "visits.metric", VISITS);
    deploy(&node, &file, &["--preview"]);
    assert_eq!(post(&node, "v", &visits(0, 700)).unwrap().status, 200);
    node.until(|node| visits_source(node).unwrap()["view"] == json!([700]));
    assert_eq!(node.run(&["retire", "2"]).0, Some(0));
    assert_eq!(post(&node, "w", &visits(700, 710)).unwrap().status, 200, "until the next start");
    node.kill();
    let node = home.ready();
    assert_eq!(post(&node, "x", &visits(710, 720)).unwrap().status, 404);
    // Events of others come in between.
    node.post("a", &events(0, 700)).unwrap();
    let declared =
        VISITS.replace("shop: string }", "shop: int }").replace("metric per_visit = seen / visited", "");
    let other = write(&home, "other.metric", &declared);
    let (code, _, said) = node.run(&["deploy", &other]);
    assert!(code == Some(2) && said.contains("field `shop` was `string` and is `int`"), "{said}");
    assert_eq!(post(&node, "x", &visits(710, 720)).unwrap().status, 404, "nothing is left behind");
    let planned = deploy(&node, &file, &["--plan"]);
    assert!(planned.contains("source `visits` comes back, and the log has 710 events of it"), "{planned}");
    deploy(&node, &file, &[]);
    assert_eq!(n_visited(&node), 710);
    assert_eq!(post(&node, "x", &visits(700, 720)).unwrap().json()["duplicates"], 10);
    assert_eq!(n_visited(&node), 720);
    no_difference(&node);
    node.kill();
    let node = home.ready();
    assert_eq!(n_visited(&node), 720);
    no_difference(&node);
}

#[test]
fn settings_of_a_source_are_there_before_it() {
    let settings = "[sources.visits]\npartitions = 3\nwatch = \"inbox\"\n";
    let package = "source events { at: timestamp time  shop: string  n: int }\n\
                   metric seen = count() { from events  by shop }\n";
    let home = Home::new(package, &format!("{CONFIG}{settings}"));
    let inbox = home.path().join("inbox");
    std::fs::create_dir(&inbox).unwrap();
    let output = home.command().output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains("say so with `deployed_later = true`"), "{said}");
    let config = home.path().join("metricc.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, text + "deployed_later = true\n").unwrap();
    let node = home.ready();
    std::fs::write(inbox.join("first.ndjson"), visits(0, 50)).unwrap();
    deploy(&node, &write(&home, "visits.metric", VISITS), &[]);
    node.until(|node| {
        visits_source(node).unwrap()["end"]
            .as_array()
            .unwrap()
            .iter()
            .map(|end| end.as_u64().unwrap())
            .sum::<u64>()
            == 50
    });
    assert_eq!(visits_source(&node).unwrap()["end"].as_array().unwrap().len(), 3);
    assert_eq!(n_visited(&node), 50);
    // Another text of the file at the same path is another version, and the folder is watched once.
    std::fs::write(inbox.join("second.ndjson"), visits(50, 60)).unwrap();
    node.until(|node| n_visited(node) == 60);
    no_difference(&node);
}

#[test]
fn a_source_is_there_as_a_whole_after_a_kill_at_any_moment() {
    let home = home();
    let node = home.ready();
    node.post("a", &events(0, 700)).unwrap();
    node.kill();
    let mut n_with = 0;
    for round in 0..12 {
        let name = format!("v{round}");
        let text = format!(
            "source {name} {{ at: timestamp time  id: string key  shop: string }}\n\
             metric seen = count() {{ from events  by shop }}\n\
             metric visited = count() {{ from {name} }}\n"
        );
        let (node, n_taken) = (home.ready(), AtomicU64::new(0));
        let before = versions(&node)[0].0;
        let file = write(&home, "next.metric", &text);
        let path = format!("/v1/sources/{name}/events");
        std::thread::scope(|scope| {
            let deploying = scope.spawn(|| {
                // The node may be killed meanwhile.
                node.run(&["deploy", &file, "--no-wait"]);
            });
            let sending = scope.spawn(|| {
                // From 20 ms to 1.7 s: some come before the version is accepted, some after, on machines of any speed.
                let after = Duration::from_millis(20).mul_f64(1.5_f64.powi(round));
                let end = std::time::Instant::now() + after;
                while std::time::Instant::now() < end {
                    let n = n_taken.load(Ordering::Relaxed);
                    let key = format!("k{n}");
                    let sent =
                        node.send("POST", &path, &[("Idempotency-Key", &*key)], visits(n, n + 1).as_bytes());
                    if sent.is_ok_and(|answer| answer.status == 200) {
                        n_taken.fetch_add(1, Ordering::Relaxed);
                    }
                }
                std::process::Command::new("kill")
                    .args(["-9", &node.process.id().to_string()])
                    .status()
                    .unwrap();
            });
            sending.join().unwrap();
            deploying.join().unwrap();
        });
        node.kill();
        let (node, n_taken) = (home.ready(), n_taken.into_inner());
        let is_there = versions(&node)[0].0 > before;
        let has = node.get("/v1/sources").body.contains(&format!("\"{name}\""));
        assert_eq!(has, is_there, "round {round}, {n_taken} were taken");
        assert!(is_there || n_taken == 0, "round {round}, {n_taken} were taken");
        if is_there {
            n_with += 1;
            node.until(|node| versions(node)[0].1 == "live");
            let key = format!("k{n_taken}");
            let sent = node.send(
                "POST",
                &path,
                &[("Idempotency-Key", &*key)],
                visits(n_taken, n_taken + 1).as_bytes(),
            );
            assert_eq!(sent.unwrap().status, 200);
            node.until(|node| {
                node.rows("visited").0.first().is_some_and(|row| row["value"] == json!(n_taken + 1))
            });
            no_difference(&node);
        }
        node.kill();
    }
    assert!(n_with > 1, "some are killed later");
}
