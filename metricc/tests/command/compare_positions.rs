//! `metricc compare`: another system that stopped reading at an earlier position of the log.

use std::fmt::Write as _;

use serde_json::Value as Json;

use super::compare::{Case, causes, offsets};
use super::{code, metricc, stderr, stdout};

/// A log of one event a minute in each of some files, and a comparison with the rows of the hours.
fn of_minutes(n_files: usize, n_minutes: usize, rows: &str, arguments: &[&str]) -> Json {
    let case = Case { folder: tempfile::tempdir().expect("a temporary folder") };
    case.write(
        "m.metric",
        "source s { at: timestamp time  x: int }\nmetric m = sum(x) { from s  every 1h }\n",
    );
    std::fs::create_dir(case.folder.path().join("log")).expect("a folder");
    for file in 0..n_files {
        let log = (0..n_minutes).fold(String::new(), |mut log, minute| {
            let (day, hour) = (1 + minute / 1440, minute / 60 % 24);
            let at = format!("2026-04-{day:02}T{hour:02}:{:02}:00Z", minute % 60);
            let _ = writeln!(log, "{{\"at\":\"{at}\",\"x\":{}}}", value(minute));
            log
        });
        case.write(&format!("log/{file}.ndjson"), &log);
    }
    case.write("rows.csv", &format!("window_start,value\n{rows}"));
    let (package, rows, source) = (case.path("m.metric"), case.path("rows.csv"), case.path("log"));
    let source = format!("s={source}");
    let start =
        ["compare", &package, "--metric", "m", "--source", &source, "--with", &rows, "--output", "json"];
    let output = metricc(&[&start[..], arguments].concat());
    assert_eq!(code(&output), 1, "{}{}", stdout(&output), stderr(&output));
    serde_json::from_str(&stdout(&output)).expect("JSON")
}

fn value(minute: usize) -> usize {
    minute * 7919 % 13 + 1
}

/// The rows of the hours after so many minutes of each of some files.
fn hours(n_files: usize, n_minutes: usize) -> String {
    let minutes: Vec<usize> = (0..n_minutes).collect();
    minutes.chunks(60).enumerate().fold(String::new(), |mut rows, (hour, minutes)| {
        let sum: usize = minutes.iter().map(|minute| value(*minute) * n_files).sum();
        let _ = writeln!(rows, "2026-04-{:02}T{:02}:00:00Z,{sum}", 1 + hour / 24, hour % 24);
        rows
    })
}

#[test]
fn the_position_at_which_another_system_stopped_is_found_exactly() {
    for (arguments, n_rows) in [(&["--all-windows"][..], 30), (&[], 1)] {
        let found = of_minutes(1, 3000, &hours(1, 1234), arguments);
        let expected = ("events from position [1234] of the log on are missing".to_owned(), n_rows, 0);
        assert_eq!(causes(&found)[0], expected, "{found}");
        assert_eq!(offsets(&found["causes"][0])[0], 1234, "{found}");
    }
}

#[test]
fn files_that_grow_together_are_read_side_by_side() {
    let found = of_minutes(2, 500, &hours(2, 300), &["--all-windows"]);
    let expected = ("events from position [300, 300] of the log on are missing".to_owned(), 4, 0);
    assert_eq!(causes(&found)[0], expected, "{found}");
}
