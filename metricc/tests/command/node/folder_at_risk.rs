//! A data folder that somebody has touched: a deleted lock, an older journal, a log that is missing or cut.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::json;

use super::Home;

const PACKAGE: &str = "
source events { at: timestamp time  id: string key  n: int }
metric total = sum(n) { from events }
";

const CONFIG: &str = "[batch]\nevery = \"50ms\"\n[ingest]\nseal_events = 3\n[speed]\nrefresh = \"10ms\"\n";

fn body(from: u64, to: u64) -> String {
    let line = |n: u64| format!("{{\"at\":\"2026-04-25T10:00:00Z\",\"id\":\"e{n}\",\"n\":{n}}}\n");
    (from..to).map(line).collect()
}

/// Runs `metricc serve` until it ends.
fn serve(home: &Home) -> (Output, String) {
    let output = home.command().output().expect("the command starts");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    (output, said)
}

fn copy(from: &Path, to: &Path) {
    assert!(Command::new("cp").arg("-r").args([from, to]).status().expect("cp").success());
}

/// A home whose view covers nine events, without a running node.
fn with_view() -> Home {
    let home = Home::new(PACKAGE, CONFIG);
    let node = home.ready();
    for part in 0..3u64 {
        let (from, to) = (part * 3, part * 3 + 3);
        assert_eq!(node.post(&format!("r{part}"), &body(from, to)).expect("an answer").status, 200);
    }
    node.until(|node| node.source()["view"] == serde_json::json!([9]));
    assert_eq!(node.stop(), Some(0));
    home
}

#[test]
fn f33_a_second_node_does_not_start_when_the_lock_file_was_deleted() {
    let home = Home::new(PACKAGE, CONFIG);
    let node = home.ready();
    node.post("r0", &body(0, 3)).expect("an answer");
    std::fs::remove_file(home.path().join("metricc-data/lock")).expect("the lock");
    let (output, said) = serve(&home);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("is in use by another node"), "{said}");
    assert_eq!(node.post("r1", &body(3, 6)).expect("an answer").status, 200);
}

#[test]
fn f34_a_missing_log_beside_its_views_is_refused_and_the_loss_is_named() {
    let home = with_view();
    let (log, elsewhere) = (home.path().join("metricc-data/log"), home.path().join("elsewhere"));
    std::fs::rename(&log, &elsewhere).expect("moved");
    let (output, said) = serve(&home);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("all 9 positions up to [9]; an empty log is in its place"), "{said}");
    assert!(said.contains("--accept-loss"), "{said}");
    // The disk is mounted again.
    std::fs::remove_dir_all(&log).expect("what the start left");
    std::fs::rename(&elsewhere, &log).expect("moved back");
    let node = home.ready();
    assert_eq!(node.rows("total").0[0]["value"], 36);
}

#[test]
fn f34_a_log_that_is_shorter_than_its_view_starts_only_when_the_loss_is_accepted() {
    let home = with_view();
    let journal = home.path().join("metricc-data/log/journal");
    std::fs::remove_dir_all(&journal).expect("the journal");
    std::fs::remove_dir_all(home.path().join("metricc-data/log/events")).expect("the events");
    let (output, said) = serve(&home);
    assert_eq!(output.status.code(), Some(2), "{said}");
    let mut command = home.command();
    command.arg("--accept-loss");
    let node = home.start_with(command);
    node.until(|node| node.get("/readyz").status == 200);
    assert_eq!(node.rows("total").1, 0, "nothing is left, and this is said");
    assert_eq!(node.post("r9", &body(20, 22)).expect("an answer").status, 200);
    node.until(|node| node.rows("total").0.first().is_some_and(|row| row["value"] == 41));
    node.until(|node| node.source()["view"] == serde_json::json!([2]));
    assert_eq!(node.stop(), Some(0));
    // The log and its new view agree from then on.
    home.ready();
}

#[test]
fn f34_an_accepted_loss_begins_an_epoch_that_clients_can_tell() {
    let config = "[batch]\nevery = \"50ms\"\n[speed]\nrefresh = \"10ms\"\n";
    let home = Home::new(PACKAGE, config);
    let journal = || {
        let folder = std::fs::read_dir(home.path().join("metricc-data/log/journal")).expect("a folder");
        folder.last().expect("a file").expect("a file").path()
    };
    let node = home.ready();
    let receipt = node.post("r0", &body(0, 6)).expect("an answer").json();
    let n_bytes = std::fs::metadata(journal()).expect("a file").len();
    node.post("r1", &body(6, 9)).expect("an answer");
    node.until(|node| node.source()["view"] == json!([9]));
    let before = node.get("/v1/metrics/total").json();
    let first = before["epoch"].as_str().expect("an epoch").to_owned();
    assert_eq!((&receipt["epoch"], &before["frontier"]), (&json!(first), &json!([9])));
    assert_eq!(node.stop(), Some(0));
    let node = home.ready();
    assert_eq!(
        node.get(&format!("/v1/metrics/total?at=6&epoch={first}")).status,
        200,
        "a restart changes nothing"
    );
    assert_eq!(node.stop(), Some(0));
    std::fs::File::options()
        .write(true)
        .open(journal())
        .expect("a file")
        .set_len(n_bytes)
        .expect("it is cut");

    let (output, said) = serve(&home);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("offsets 6 to 9 of partition 0"), "{said}");
    let mut command = home.command();
    command.arg("--accept-loss");
    let node = home.start_with(command);
    node.until(|node| node.source()["view"] == json!([6]) && node.get("/readyz").status == 200);
    let after = node.get("/v1/metrics/total").json();
    let second = after["epoch"].as_str().expect("an epoch").to_owned();
    assert_ne!(first, second);
    assert_eq!((&after["frontier"], &node.get("/v1/sources").json()["epoch"]), (&json!([6]), &json!(second)));
    assert_eq!(node.stop(), Some(0));

    // It is not asked for again, and stays.
    let node = home.ready();
    for parameter in ["at=6", "min_frontier=9"] {
        for path in ["", "/live", "/explain-value"] {
            let answer = node.get(&format!("/v1/metrics/total{path}?{parameter}&epoch={first}"));
            assert_eq!(answer.status, 409, "{}", answer.body);
            let error = &answer.json()["error"];
            assert_eq!((&error["code"], &error["epoch"]), (&json!("other_epoch"), &json!(second)), "{error}");
        }
    }
    assert_eq!(node.get(&format!("/v1/metrics/total?at=6&epoch={second}")).status, 200);
    let again = node.post("r1", &body(6, 9)).expect("an answer").json();
    assert_eq!(
        (&again["repeated"], &again["epoch"]),
        (&json!(false), &json!(second)),
        "its offsets are given out again"
    );
    let (code, _, said) = node.run(&["query", "total", "--at", "6", "--epoch", &first]);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("it has lost events"), "{said}");
}

#[test]
fn f34_an_older_journal_is_refused_and_the_newer_one_can_come_back() {
    let home = Home::new(PACKAGE, CONFIG);
    let (journal, older, newer) =
        (home.path().join("metricc-data/log/journal"), home.path().join("older"), home.path().join("newer"));
    let node = home.ready();
    node.post("r0", &body(0, 3)).expect("an answer");
    assert_eq!(node.stop(), Some(0));
    copy(&journal, &older);
    let node = home.ready();
    node.post("r1", &body(3, 9)).expect("an answer");
    node.until(|node| node.source()["view"] == serde_json::json!([9]));
    assert_eq!(node.stop(), Some(0));
    std::fs::rename(&journal, &newer).expect("moved");
    copy(&older, &journal);
    let (output, said) = serve(&home);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("it is an older copy") || said.contains("the log is an older copy"), "{said}");
    std::fs::remove_dir_all(&journal).expect("removed");
    std::fs::rename(&newer, &journal).expect("moved back");
    let node = home.ready();
    assert_eq!(node.rows("total").0[0]["value"], 36);
}

#[test]
fn f35_a_key_that_was_added_moved_or_dropped_is_refused_while_the_log_has_events() {
    let home = Home::new(PACKAGE, CONFIG);
    let node = home.ready();
    node.post("r0", &format!("{}{}", body(0, 5), body(3, 4))).expect("an answer");
    node.catch_up();
    let (code, said, noted) = node.run(&["audit"]);
    assert_eq!(code, Some(0), "{noted}");
    assert!(said.contains("same  verdicts  events  frontier [6]  6 records"), "{said}");
    assert_eq!(node.stop(), Some(0));
    for (package, change) in [
        (PACKAGE.replace("string key", "string").replace("n: int", "n: int key"), "was `id` and is `n`"),
        (PACKAGE.replace("string key", "string"), "was `id` and is none"),
        (PACKAGE.replace("n: int", "n: int key"), "was `id` and is `id`, `n`"),
    ] {
        std::fs::write(home.path().join("events.metric"), package).expect("the package");
        let (output, said) = serve(&home);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(
            said.contains(&format!("its `key` {change}")) && said.contains("declare another source"),
            "{said}"
        );
    }
    std::fs::write(home.path().join("events.metric"), PACKAGE).expect("the package");
    assert_eq!(home.ready().rows("total").0[0]["value"], 10);
    // Without events there is nothing that a key has decided.
    let home = Home::new(PACKAGE, CONFIG);
    assert_eq!(home.ready().stop(), Some(0));
    std::fs::write(home.path().join("events.metric"), PACKAGE.replace("n: int", "n: int key"))
        .expect("the package");
    home.ready().post("r0", &body(0, 1)).expect("an answer");
}

#[test]
fn f33_a_journal_that_was_replaced_or_removed_takes_no_more_events() {
    for replaced in [true, false] {
        let home = Home::new(PACKAGE, "");
        let node = home.ready();
        node.post("r0", &body(0, 1)).expect("an answer");
        let folder = home.path().join("metricc-data/log/journal");
        let journal =
            std::fs::read_dir(&folder).expect("a folder").next().expect("a file").expect("a file").path();
        let (copy, moved) = (home.path().join("copy"), home.path().join("moved"));
        std::fs::copy(&journal, &copy).expect("copied");
        std::fs::rename(&journal, &moved).expect("moved");
        if replaced {
            std::fs::rename(&copy, &journal).expect("replaced");
        }
        let answer = node.post("r1", &body(1, 2)).expect("an answer");
        assert_eq!(answer.status, 503, "{}", answer.body);
        assert_eq!(answer.json()["error"]["code"], json!("stopped"));
    }
}

/// A home with three acknowledged events and no view, without a running node.
fn without_view() -> Home {
    let home = Home::new(PACKAGE, "");
    let node = home.ready();
    assert_eq!(node.post("r0", &body(0, 3)).expect("an answer").status, 200);
    node.kill();
    home
}

#[test]
fn f34_a_missing_emptied_or_other_log_is_refused_before_there_is_a_view() {
    for damage in ["missing", "emptied", "other"] {
        let home = without_view();
        let log = home.path().join("metricc-data/log");
        std::fs::rename(&log, home.path().join("elsewhere")).expect("moved");
        match damage {
            "emptied" => std::fs::create_dir_all(log.join("journal")).expect("a folder"),
            "other" => copy(&without_view().path().join("metricc-data/log"), &log),
            _ => {}
        }
        for _ in 0..2 {
            let (output, said) = serve(&home);
            assert_eq!(output.status.code(), Some(2), "{damage}: {said}");
            let found = if damage == "other" { "another log" } else { "an empty log" };
            assert!(said.contains("log-mark.json") && said.contains(found), "{damage}: {said}");
            assert!(said.contains("--accept-loss"), "{damage}: {said}");
        }
        let mut command = home.command();
        command.arg("--accept-loss");
        home.start_with(command).kill();
        // It is not asked for again, whether or not something was written since.
        let node = home.ready();
        let n_before = if damage == "other" { 3 } else { 0 };
        assert_eq!(node.rows("total").1, n_before, "{damage}");
        node.post("r9", &body(20, 22)).expect("an answer");
        node.kill();
        home.ready();
    }
}

#[test]
fn f34_an_older_log_is_refused_before_there_is_a_view() {
    let home = without_view();
    let (log, older) = (home.path().join("metricc-data/log"), home.path().join("older"));
    copy(&log, &older);
    let node = home.ready();
    node.post("r1", &body(3, 6)).expect("an answer");
    node.kill();
    std::fs::rename(&log, home.path().join("newer")).expect("moved");
    copy(&older, &log);
    let (output, said) = serve(&home);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("log-mark.json") && said.contains("the log is an older copy"), "{said}");
    std::fs::remove_dir_all(&log).expect("removed");
    std::fs::rename(home.path().join("newer"), &log).expect("moved back");
    let node = home.ready();
    assert_eq!(node.rows("total").0[0]["value"], 15);
}

#[test]
fn f34_views_of_a_renamed_source_and_unreadable_ones_are_proof_of_a_log() {
    for is_readable in [true, false] {
        let home = with_view();
        let data = home.path().join("metricc-data");
        // A version before the mark has not written one.
        std::fs::remove_file(data.join("log-mark.json")).expect("the mark");
        std::fs::remove_dir_all(data.join("log")).expect("the log");
        let package = PACKAGE.replace("source events", "source visits").replace("from events", "from visits");
        if is_readable {
            std::fs::write(home.path().join("events.metric"), package).expect("the package");
        } else {
            for file in std::fs::read_dir(data.join("views/events/versions")).expect("versions") {
                std::fs::write(file.expect("a file").path(), "nothing").expect("written");
            }
        }
        let (output, said) = serve(&home);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains("views/events") && said.contains("an empty log is in its place"), "{said}");
        let mut command = home.command();
        command.arg("--accept-loss");
        home.start_with(command).kill();
        home.ready();
    }
}

#[test]
fn f34_an_older_journal_is_accepted_when_it_is_told_and_what_is_lost_is_named() {
    let home = Home::new(PACKAGE, "[batch]\nevery = \"50ms\"\n[ingest]\nseal_events = 3\n");
    let data = home.path().join("metricc-data");
    let (journal, older, newer) =
        (data.join("log/journal"), home.path().join("older"), home.path().join("newer"));
    let node = home.ready();
    node.post("r0", &body(0, 3)).expect("an answer");
    assert_eq!(node.stop(), Some(0));
    copy(&journal, &older);
    let node = home.ready();
    node.post("r1", &body(3, 9)).expect("an answer");
    node.until(|node| node.source()["view"] == json!([9]));
    node.until(|_| {
        flushed(&data.join("log/events/events")).iter().any(|(name, _)| name.contains("9.parquet"))
    });
    assert_eq!(node.stop(), Some(0));
    let files = flushed(&data.join("log/events/events"));
    std::fs::rename(&journal, &newer).expect("moved");
    copy(&older, &journal);
    let (output, said) = serve(&home);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("offsets 3 to 9 of partition 0") && said.contains("--accept-loss"), "{said}");
    assert_eq!(flushed(&data.join("log/events/events")), files, "nothing is touched");

    let mut command = home.command();
    command.arg("--accept-loss");
    let (node, said) = home.start_saying(command);
    let said = said.join("\n");
    assert!(said.contains("offsets 3 to 9 of partition 0 of source `events`"), "{said}");
    node.until(|node| node.get("/readyz").status == 200);
    assert_eq!(node.rows("total").0[0]["value"], 3, "what the older journal has");
    let aside = flushed(&data.join("log/orphans/events"));
    let kept = [aside.clone(), flushed(&data.join("log/events/events"))].concat();
    assert!(files.iter().all(|file| kept.contains(file)), "nothing is deleted");
    assert!(!aside.is_empty());
    node.post("r2", &body(20, 26)).expect("an answer");
    node.until(|node| node.source()["view"] == json!([9]));
    node.kill();
    let node = home.ready();
    assert_eq!(node.rows("total").0[0]["value"], 3 + 20 + 21 + 22 + 23 + 24 + 25);
    assert!(aside.iter().all(|file| flushed(&data.join("log/orphans/events")).contains(file)));
}

/// The flushed files of a folder, with their bytes.
fn flushed(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let Ok(found) = std::fs::read_dir(folder) else { return Vec::new() };
    let paths = found.map(|file| file.expect("a file").path());
    let mut files: Vec<(String, Vec<u8>)> = paths
        .map(|path| {
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            (name, std::fs::read(path).unwrap_or_default())
        })
        .filter(|(name, _)| name.ends_with(".parquet"))
        .collect();
    files.sort();
    files
}
