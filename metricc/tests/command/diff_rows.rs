//! `metricc diff --source`: rows of two versions over the same events, and the events that make them differ.

use std::fmt::Write as _;

use serde_json::Value as Json;

use super::{code, metricc, stderr, stdout, succeed};

const SOURCE: &str = "source payments {
  id:      int key
  at:      timestamp time
  status:  enum(\"captured\", \"failed\", \"refunded\")
  amount:  decimal(12, 2)
  country: string?
}
";

/// Two versions and a log in a folder of their own.
struct Case {
    folder: tempfile::TempDir,
}

impl Case {
    fn new(old: &str, new: &str, log: &str) -> Self {
        let case = Case { folder: tempfile::tempdir().expect("a temporary folder") };
        for (name, text) in [("old.metric", old), ("new.metric", new), ("payments.ndjson", log)] {
            std::fs::write(case.folder.path().join(name), text).expect("it is written");
        }
        case
    }

    /// Two versions of a metric over the same source.
    fn of_metrics(old: &str, new: &str, log: &str) -> Self {
        Case::new(&format!("{SOURCE}metric m = {old}\n"), &format!("{SOURCE}metric m = {new}\n"), log)
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_string_lossy().into_owned()
    }

    /// Exit code, stdout and stderr of a comparison with the log.
    fn diff(&self, arguments: &[&str]) -> (i32, String, String) {
        let source = format!("payments={}", self.path("payments.ndjson"));
        let (old, new) = (self.path("old.metric"), self.path("new.metric"));
        let output = metricc(&[&["diff", &old, &new, "--source", &source], arguments].concat());
        (code(&output), stdout(&output), stderr(&output))
    }

    /// The metric `m` of a comparison as JSON.
    fn json(&self, arguments: &[&str]) -> Json {
        let (code, said, problems) = self.diff(&[&["--output", "json"], arguments].concat());
        assert_eq!(code, 1, "{problems}");
        serde_json::from_str(said.lines().next().expect("a line")).expect("JSON")
    }
}

/// An event of each row: minute, status, amount, country.
fn log(rows: &[(u32, &str, &str, &str)]) -> String {
    rows.iter().enumerate().fold(String::new(), |mut log, (id, (minute, status, amount, country))| {
        let at = format!("2026-04-25T{:02}:{:02}:00Z", minute / 60, minute % 60);
        let _ = writeln!(
            log,
            "{{\"id\":{id},\"at\":\"{at}\",\"status\":\"{status}\",\"amount\":\"{amount}\",\"country\":{country}}}"
        );
        log
    })
}

fn usual_log() -> String {
    log(&[
        (0, "captured", "10.00", "\"IN\""),
        (1, "failed", "7.00", "\"IN\""),
        (2, "refunded", "2.50", "\"DE\""),
        (3, "captured", "1.00", "\"DE\""),
        (70, "captured", "4.00", "\"in\""),
        (71, "refunded", "5.00", "\"FR\""),
    ])
}

#[test]
fn rows_that_differ_are_shown_with_the_events_that_make_them() {
    let case = Case::of_metrics(
        "sum(amount) { from payments  where status == \"captured\"  by country  every 1h }",
        "sum(amount) { from payments  where status != \"failed\"  by country  every 1h }",
        &usual_log(),
    );
    let (code, said, problems) = case.diff(&[]);
    assert_eq!(code, 1, "{problems}");
    for line in [
        "m: 2 rows equal, 1 changed, 0 only in OLD, 1 only in NEW\n",
        "2026-04-25T01:00:00Z ┆ FR      ┆ no row ┆ 5.00 ┆          - ",
        "2026-04-25T00:00:00Z ┆ DE      ┆   1.00 ┆ 3.50 ┆      +2.50 ",
        "  2 events found that alone give other rows; there are no others\n",
        "  `where`: left out by OLD, counted by NEW (2 events)\n",
        "position [0, 2]: { id: 2, at: \"2026-04-25T00:02:00Z\", status: \"refunded\", amount: 2.50, country: \"DE\" }\n",
        "      OLD  left out\n      NEW  window_start=2026-04-25T00:00:00Z, country=DE: 2.50\n",
    ] {
        assert!(said.contains(line), "{line}\n{said}");
    }
    let first = said.find("FR ").expect("the row");
    assert!(first < said.find("+2.50").expect("the row"), "rows of one side come first\n{said}");
    assert!(problems.ends_with("rows of 1 metric compared, 1 differ\n"), "{problems}");
}

#[test]
fn the_part_that_decides_is_tested_and_not_guessed() {
    let case = Case::of_metrics(
        "sum(amount) { from payments  where status == \"captured\"  by country }",
        "sum(amount) { from payments  where status != \"failed\"  by upper(country ?? \"?\") as country }",
        &usual_log(),
    );
    let found = case.json(&[]);
    let classes = found["causes"]["classes"].as_array().expect("classes");
    let mut classes: Vec<(String, String, Vec<u64>)> = classes
        .iter()
        .map(|class| {
            let mut offsets: Vec<u64> = class["events"]
                .as_array()
                .expect("events")
                .iter()
                .filter_map(|e| e["offset"].as_u64())
                .collect();
            offsets.sort_unstable();
            (class["parts"].to_string(), class["how"].to_string(), offsets)
        })
        .collect();
    classes.sort();
    let expected = [
        ("[\"by country\"]".to_owned(), "\"another value of the key\"".to_owned(), vec![4]),
        ("[\"where\"]".to_owned(), "\"left out by OLD, counted by NEW\"".to_owned(), vec![2, 5]),
    ];
    assert_eq!(classes, expected);
    assert_eq!(found["causes"]["stopped"], "complete");
    let both = Case::of_metrics(
        "sum(amount) { from payments  where status == \"captured\"  by country }",
        "sum(amount) where status != \"failed\" { from payments  where country != \"IN\"  by upper(country ?? \"?\") as country }",
        &log(&[(0, "refunded", "1.00", "\"fr\"")]),
    );
    let found = both.json(&[]);
    let class = &found["causes"]["classes"][0];
    assert_eq!(class["parts"], serde_json::json!(["where", "by country"]), "{found}");
    assert_eq!(class["how"], "only together");
}

#[test]
fn other_windows_and_keys_are_compared_by_what_both_have() {
    let case = Case::of_metrics(
        "sum(amount) { from payments  by country  every 1h }",
        "sum(amount) { from payments  by country, status  every 2h }",
        &usual_log(),
    );
    let (_, said, _) = case.diff(&[]);
    assert!(said.contains("m: 4 rows equal, 0 changed"), "{said}");
    assert!(
        said.contains("compared by `country`; windows differ (`every 1h` in OLD, `every 2h` in NEW)"),
        "{said}"
    );
    let sessions = Case::of_metrics(
        "sum(amount) { from payments  every 1h }",
        "sum(amount) { from payments  session gap 1h }",
        &usual_log(),
    );
    let (code, said, _) = sessions.diff(&[]);
    assert_eq!(code, 1);
    assert!(said.contains("m: not compared: windows differ"), "{said}");
}

#[test]
fn numbers_and_time_limit_what_is_searched_and_shown() {
    let rows: Vec<_> = (0..200).map(|minute| (minute, "refunded", "1.00", "\"IN\"")).collect();
    let case = Case::of_metrics(
        "count() { from payments  where status == \"captured\"  every 5m }",
        "count() { from payments  every 5m }",
        &log(&rows),
    );
    let (_, said, _) = case.diff(&["--causes", "3", "--rows", "2"]);
    assert!(said.contains("… 38 more rows that differ; --rows 0 shows all\n"), "{said}");
    assert!(
        said.contains("  3 events found that alone give other rows; stopped at this number (`--causes`), "),
        "{said}"
    );
    let found = case.json(&["--within", "0s"]);
    assert_eq!(
        (&found["causes"]["stopped"], &found["causes"]["intervals_left"]),
        (&"time".into(), &1.into())
    );
    let found = case.json(&["--causes", "0", "--rows", "0"]);
    assert_eq!((&found["causes"], &found["rows"]["only_new"]), (&Json::Null, &40.into()));
    assert_eq!(found["rows"]["different"].as_array().map(Vec::len), Some(40));
}

#[test]
fn records_that_one_version_rejects_are_causes() {
    let old = format!("{SOURCE}metric m = count() {{ from payments }}\n");
    let new = old.replace("\"failed\", ", "");
    let case = Case::new(&old, &new, &usual_log());
    let (code, said, problems) = case.diff(&["--max-rejected", "1"]);
    assert_eq!(code, 1, "{problems}");
    assert!(said.contains("  `source payments`: rejected by NEW: field `status`: "), "{said}");
    assert!(said.contains("status: \"failed\""), "{said}");
    let (code, _, problems) = case.diff(&[]);
    assert_eq!(code, 1, "1 % of 6 records is one: {problems}");
    let (code, _, problems) = case.diff(&["--max-rejected", "0"]);
    assert_eq!(code, 2);
    assert!(problems.contains("the rows of NEW are not compared"), "{problems}");
    let without_key = old.replace(" key\n", "\n");
    let repeated = usual_log() + usual_log().lines().next().expect("a line") + "\n";
    let case = Case::new(&old, &without_key, &repeated);
    let (_, said, _) = case.diff(&[]);
    assert!(said.contains("  `source payments`: a duplicate for OLD (1 event)\n"), "{said}");
    assert!(said.contains("position [0, 6]"), "{said}");
}

#[test]
fn classes_are_written_as_tests_that_pass() {
    let case = Case::of_metrics(
        "sum(amount) { from payments  where status == \"captured\"  by country  every 1h }",
        "sum(amount) { from payments  where status != \"failed\"  by upper(country ?? \"?\") as country  every 1h }",
        &usual_log(),
    );
    let tests = case.path("changes.metric");
    let (code, _, problems) = case.diff(&["--write-tests", &tests]);
    assert_eq!(code, 1, "{problems}");
    assert!(problems.contains(&format!("wrote 2 tests to {tests}\n")), "{problems}");
    let text = std::fs::read_to_string(&tests).expect("it is there");
    assert!(text.contains("use new.{payments, m}\n"), "{text}");
    assert!(
        text.contains("test \"m: where: left out by OLD, counted by NEW\" {\n  // OLD gave no row.\n"),
        "{text}"
    );
    succeed(&["fmt", "--check", &tests]);
    let said = succeed(&["test", &tests]);
    assert_eq!(said.matches("ok ").count(), 2, "{said}");
    let broken = std::fs::read_to_string(case.path("new.metric"))
        .expect("it is there")
        .replace("!= \"failed\"", "== \"captured\"");
    std::fs::write(case.path("new.metric"), broken).expect("it is written");
    assert_eq!(super::code(&metricc(&["test", &tests])), 1, "tests of the new version fail on the old one");
    let (code, _, problems) = case.diff(&["--write-tests", &tests]);
    assert_eq!(code, 2);
    assert!(problems.contains("there is such a file already"), "{problems}");
    let elsewhere = tempfile::tempdir().expect("a temporary folder");
    let (code, _, problems) =
        case.diff(&["--write-tests", &elsewhere.path().join("a.metric").to_string_lossy()]);
    assert_eq!(code, 2);
    assert!(problems.contains("it is not in the folder of "), "{problems}");
}

#[test]
fn a_difference_of_several_events_together_is_named_as_one() {
    let case = Case::of_metrics(
        "distinct(country) { from payments }",
        "mean(amount) { from payments }",
        &log(&[(0, "captured", "10.00", "\"IN\""), (1, "captured", "10.00", "\"IN\"")]),
    );
    let found = case.json(&[]);
    assert!(
        found["causes"]["not_searched"].as_str().is_some_and(|why| why.contains("no events at all")),
        "{found}"
    );
    let case = Case::of_metrics(
        "distinct(country) { from payments  by status }",
        "count() { from payments  by status }",
        &log(&[(0, "captured", "10.00", "\"IN\""), (1, "captured", "10.00", "\"IN\"")]),
    );
    let found = case.json(&[]);
    assert_eq!(found["causes"]["classes"], serde_json::json!([]));
    assert_eq!(found["causes"]["together"], serde_json::json!([{ "from": [0], "to": [2] }]));
}

#[test]
fn equal_versions_and_wrong_arguments_are_told() {
    let metric = "sum(amount) { from payments }";
    let case = Case::of_metrics(metric, metric, &usual_log());
    let (code, said, problems) = case.diff(&[]);
    assert_eq!((code, said.as_str()), (0, "same          m\n"), "{problems}");
    assert!(problems.contains("nothing is computed"), "{problems}");
    let (code, _, problems) = case.diff(&["--metric", "n"]);
    assert_eq!(code, 2);
    assert!(problems.contains("neither version has a metric `n`") && problems.contains("`m`"), "{problems}");
    let case = Case::of_metrics(metric, "count() { from payments }", &usual_log());
    let (old, new) = (case.path("old.metric"), case.path("new.metric"));
    let output = metricc(&["diff", &old, &new, "--source", "orders=x.csv"]);
    assert_eq!(super::code(&output), 2);
    assert!(stderr(&output).contains("neither version has a source `orders`"), "{}", stderr(&output));
    assert_eq!(super::code(&metricc(&["diff", &old, &new, "--metric", "m"])), 2, "`--metric` is about rows");
}

#[test]
fn derived_metrics_are_compared_and_searched_as_well() {
    let text = |filter: &str| {
        format!(
            "{SOURCE}metric all = count() {{ from payments  every 1h }}\n\
             metric good = count() {{ from payments  where {filter}  every 1h }}\n\
             metric m = good / all\n"
        )
    };
    let case = Case::new(&text("status == \"captured\""), &text("status != \"failed\""), &usual_log());
    let (code, said, problems) = case.diff(&["--metric", "m"]);
    assert_eq!(code, 1, "{problems}");
    assert!(said.contains("m: 0 rows equal, 2 changed, 0 only in OLD, 0 only in NEW\n"), "{said}");
    assert!(said.contains("  decided by the metrics that it reads (2 events)\n"), "{said}");
}
