//! `metricc test`: passing and failing tests, in both engines.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use super::{code, metricc, stderr, stdout};

const PACKAGE: &str = r#"source orders { id: int key  at: timestamp time  shop: string  amount: decimal(8, 2) }
metric revenue = sum(amount) { from orders  by shop  every 1h }
metric newest = last(amount) { from orders }
metric visits = { n: count(), best: top(1, shop) } { from orders  session gap 30m }

test "revenue goes by the hour" {
  given orders [
    { id: 1, at: "2026-04-25T10:00:00Z", shop: "a", amount: 1.00 },
    { id: 2, at: "2026-04-25T10:59:59Z", shop: "a", amount: 2.50 },
    { id: 1, at: "2026-04-25T10:00:00Z", shop: "a", amount: 1.00 },
    { id: 3, at: "2026-04-25T11:00:00Z", shop: "b", amount: 4.00 },
  ]
  expect revenue [
    { start: "2026-04-25T10:00:00Z", shop: "a", value: 3.50 },
    { end: "2026-04-25T12:00:00Z", shop: "b", value: 4 },
  ]
  expect visits [
    { start: "2026-04-25T10:00:00Z", n: 1 },
    { end: "2026-04-25T11:30:00Z", n: 2, best: [{ item: "a", value: 1 }] },
  ]
}

test "of two events of one instant the later one in the log is the last" {
  given orders [
    { id: 2, at: "2026-04-25T10:00:00Z", shop: "a", amount: 1.00 },
    { id: 1, at: "2026-04-25T10:00:00Z", shop: "a", amount: 2.00 },
  ]
  expect newest [{ value: 2.00 }]
}

test "no orders" {
  given orders []
  expect revenue []
  expect newest [{ value: none }]
}
"#;

fn written(text: &str) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("orders.metric");
    std::fs::write(&file, text).expect("it is written");
    let name = file.to_string_lossy().into_owned();
    (folder, name)
}

#[test]
fn every_test_runs_at_every_cut_and_in_shuffled_orders() {
    let (_folder, file) = written(PACKAGE);
    let output = metricc(&["test", &file]);
    assert_eq!(code(&output), 0, "{}{}", stdout(&output), stderr(&output));
    let expected = format!(
        "ok      {file}:6  revenue goes by the hour  (8 cuts, 4 orders)\n\
         ok      {file}:23  of two events of one instant the later one in the log is the last  (6 cuts, 4 orders)\n\
         ok      {file}:31  no orders  (1 cut, 1 order)\n"
    );
    assert_eq!((stdout(&output), stderr(&output).as_str()), (expected, "3 tests passed, 0 failed\n"));
    let one = metricc(&["test", &file, "--filter", "no orders"]);
    assert_eq!(stderr(&one), "1 test passed, 0 failed\n");
}

#[test]
fn a_failure_shows_rows_in_the_syntax_of_tests() {
    let text = PACKAGE
        .replace("value: 3.50", "value: 3.51")
        .replace(
            "{ end: \"2026-04-25T12:00:00Z\", shop: \"b\", value: 4 },",
            "{ end: \"2026-04-25T12:00:00Z\", shop: \"c\", value: 4 },",
        )
        .replace("best: [{ item: \"a\", value: 1 }]", "best: []");
    let (_folder, file) = written(&text);
    let output = metricc(&["test", &file, "--filter", "hour"]);
    assert_eq!(code(&output), 1);
    let expected = format!(
        r#"FAILED  {file}:6  revenue goes by the hour
  {file}:13  revenue
    - expected, + found
    - {{ start: "2026-04-25T10:00:00Z", shop: "a", value: 3.51 }}   (line 14)
    + {{ start: "2026-04-25T10:00:00Z", shop: "a", value: 3.50 }}
    - {{ end: "2026-04-25T12:00:00Z", shop: "c", value: 4.00 }}   (line 15)
    + {{ start: "2026-04-25T11:00:00Z", shop: "b", value: 4.00 }}
  {file}:17  visits
    - expected, + found
    - {{ end: "2026-04-25T11:30:00Z", n: 2, best: [] }}   (line 19)
    + {{ end: "2026-04-25T11:30:00Z", n: 2, best: [{{ item: "a", value: 1 }}] }}
"#
    );
    assert_eq!(stdout(&output), expected);
    assert_eq!(stderr(&output), "0 tests passed, 1 failed\n");
}

#[test]
fn a_record_that_cannot_be_decoded_fails_its_test() {
    let text = "source s { id: int key  at: timestamp time zone \"Europe/London\" }
metric n = count() { from s }
test \"a time\" { given s [{ id: 1, at: \"noon\" }]  expect n [{ value: 1 }] }\n";
    let (_folder, file) = written(text);
    let output = metricc(&["test", &file]);
    assert_eq!(code(&output), 1);
    assert!(
        stdout(&output).contains("orders.metric:3  a record of `s` cannot be decoded: `at` "),
        "{}",
        stdout(&output)
    );
}

#[test]
fn a_name_with_control_characters_is_refused() {
    let text = "source s { id: int key  at: timestamp time }
metric n = count() { from s }
test \"a\\nb \\u{202E}c\" { given s []  expect n [{ value: 0 }] }\n";
    let (_folder, file) = written(text);
    let output = metricc(&["test", &file]);
    assert_eq!((code(&output), stdout(&output)), (1, String::new()));
    assert!(stderr(&output).contains("the name of a test has control characters"), "{}", stderr(&output));
}

#[test]
fn files_without_tests_and_files_with_errors_are_reported() {
    let (_folder, none) =
        written("source s { id: int key  at: timestamp time }\nmetric n = count() { from s }\n");
    let output = metricc(&["test", &none]);
    assert_eq!(code(&output), 0);
    assert!(stderr(&output).contains(": no tests\n0 tests passed, 0 failed\n"), "{}", stderr(&output));
    let (_folder, broken) = written("metric n = count() { from s }\n");
    let output = metricc(&["test", &broken, &none]);
    assert_eq!(code(&output), 1);
    assert!(
        stderr(&output).ends_with("0 tests passed, 0 failed, 1 file with errors\n"),
        "{}",
        stderr(&output)
    );
    assert_eq!(code(&metricc(&["test", "nowhere.metric"])), 2);
}

#[test]
fn a_filter_that_no_test_has_is_no_success() {
    let text = "source s { id: int key  at: timestamp time }
metric n = count() { from s }
test \"a refund\" { given s []  expect n [{ value: 0 }] }\n";
    let (_folder, file) = written(text);
    assert_eq!(code(&metricc(&["test", &file, "--filter", "refund"])), 0);
    let output = metricc(&["test", &file, "--filter", "refnud"]);
    assert_eq!(code(&output), 1);
    let said = stderr(&output);
    assert!(said.contains("no test has `refnud` in its name; did you mean `refund`?"), "{said}");
    // One file of several may have none.
    let (_other, none) =
        written("source s { id: int key  at: timestamp time }\nmetric n = count() { from s }\n");
    assert_eq!(code(&metricc(&["test", &file, &none, "--filter", "refund"])), 0);
}

#[test]
fn a_watched_file_is_tested_again_when_it_changes() {
    let (_folder, file) = written(PACKAGE);
    let mut child = Command::new(env!("CARGO_BIN_EXE_metricc"))
        .args(["test", "--watch", "--filter", "no orders", &file])
        .env("NO_COLOR", "1")
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the command starts");
    let mut lines = BufReader::new(child.stderr.take().expect("it is piped")).lines();
    let mut until = |wanted: &str| {
        let found = lines.by_ref().map(|line| line.expect("text")).find(|line| line.starts_with(wanted));
        assert!(found.is_some(), "no line starts with {wanted}");
    };
    until("1 test passed, 0 failed");
    until("watching 1 file");
    std::fs::write(&file, PACKAGE.replace("value: none", "value: 1.00")).expect("it is written");
    until("0 tests passed, 1 failed");
    until("watching 1 file");
    child.kill().expect("it runs");
    child.wait().expect("it has ended");
}
