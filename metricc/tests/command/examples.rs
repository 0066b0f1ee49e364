//! The examples in all engines.

use metricc_examples::{Case, generate};

use super::{code, metricc, stderr, stdout, succeed};

const FLIGHTS: [&str; 3] = ["examples/flights/flights.metric", "--source", "flights=examples/flights/log"];

fn flights(rest: &[&str]) -> Vec<String> {
    let arguments: Vec<&str> = ["run"].iter().chain(&FLIGHTS).chain(rest).copied().collect();
    succeed(&arguments).lines().map(str::to_owned).collect()
}

#[test]
fn flights_are_the_same_in_every_engine_at_every_cut_and_worker_count() {
    let batch = flights(&["--output", "json", "--engine", "batch"]);
    assert!(batch.len() > 10_000, "{} rows", batch.len());
    assert_eq!(batch, flights(&["--output", "json", "--engine", "stream", "--workers", "3"]));
    for cut in ["0", "0.37", "1"] {
        assert_eq!(batch, flights(&["--output", "json", "--cut", cut, "--workers", "2"]), "cut at {cut}");
    }
}

#[test]
fn flights_add_up() {
    // 31,793 + 33,532 + 51,106 records in the three files.
    assert_eq!(
        flights(&["--metric", "flights_total", "--output", "json"]),
        [r#"{"metric":"flights_total","key":{},"window":null,"value":116431}"#]
    );
    assert_eq!(flights(&["--metric", "flights_total", "--output", "csv"]), ["value", "116431"]);
    let days = flights(&["--metric", "punctuality", "--output", "json"]);
    assert_eq!(days.len(), 7);
    // The clocks change on 1 April: the day has 23 hours.
    assert!(
        days[2].contains(r#""start":"2001-04-01T00:00:00-05:00","end":"2001-04-02T00:00:00-04:00""#),
        "{}",
        days[2]
    );
}

#[test]
fn windows_are_read_over_a_range_and_rolled_up() {
    let lost = |rest: &[&str]| flights(&[&["--metric", "minutes_lost", "--output", "json"], rest].concat());
    let total = |lines: &[String]| -> i64 {
        let value =
            |line: &String| serde_json::from_str::<serde_json::Value>(line).expect("JSON")["value"].as_i64();
        lines.iter().filter_map(value).sum()
    };
    let (hours, days) = (lost(&[]), lost(&["--grain", "24h"]));
    assert!(days.len() * 4 < hours.len() && total(&days) == total(&hours));
    let all = lost(&["--grain", "all", "--from", "2001-04-01", "--to", "2001-04-03T00:00:00Z"]);
    assert!(all.iter().all(|line| line.contains(r#""window":null"#)) && total(&all) < total(&hours));
    // The total of the airports over one range does not depend on the grain.
    let fine = lost(&["--from", "2001-04-01", "--to", "2001-04-03"]);
    assert_eq!(total(&all), total(&fine));
    let week = flights(&["--metric", "punctuality", "--grain", "year", "--output", "json"]);
    assert!(week.len() == 1 && week[0].contains(r#""flights":116431"#), "{week:?}");
    for (rest, problem) in [
        (["--grain", "day"], "where a day begins depends on the place"),
        (["--grain", "7h30m"], "is no window"),
        (["--grain", "day in Asia/Kolkata"], "lies in two of"),
        (["--from", "yesterday"], "neither a date nor an instant"),
    ] {
        let output = metricc(&[&["run"][..], &FLIGHTS, &["--metric", "minutes_lost"], &rest].concat());
        assert_eq!(code(&output), 2, "{rest:?}");
        assert!(stderr(&output).contains(problem), "{}", stderr(&output));
    }
}

#[test]
fn engines_agree_on_hostile_events_and_report_skipped_records() {
    for case in Case::ALL {
        let name = case.name();
        let log = generate(case, 600, 11);
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("log.ndjson");
        std::fs::write(&path, &log.ndjson).expect("the log is written");
        let file = format!("examples/{name}/{name}.metric");
        let source = format!("{name}={}", path.display());
        let run = |engine: &str| {
            let more = ["--output", "json", "--max-rejected", "5%"];
            metricc(&[&["run", &file, "--source", &source, "--engine", engine], &more[..]].concat())
        };
        let (batch, stream, merged) = (run("batch"), run("stream"), run("merged"));
        assert_eq!(code(&batch), 0, "{}", stderr(&batch));
        assert_eq!(stdout(&batch), stdout(&stream), "{name}");
        assert_eq!(stdout(&batch), stdout(&merged), "{name}");
        let said = stderr(&batch);
        assert!(said.contains(&format!("{} of 600 records rejected", log.n_hostile)), "{name}: {said}");
        assert!(said.contains(&format!("skipped {} duplicates", log.n_duplicates)), "{name}: {said}");
        let verify = ["verify", &file, "--source", &source, "--cuts", "4", "--seed", "3"];
        let verified = metricc(&[&verify[..], &["--max-rejected", "5%"]].concat());
        assert_eq!(code(&verified), 0, "{}", stderr(&verified));
        assert!(stderr(&verified).contains("0 differences (seed 3)"));
    }
}

#[test]
fn results_go_to_files() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let out = folder.path().join("results");
    for format in ["json", "csv", "parquet", "table"] {
        let arguments = ["run", FLIGHTS[0], FLIGHTS[1], FLIGHTS[2], "--output", format, "--out"];
        let out = out.display().to_string();
        succeed(&arguments.iter().copied().chain([out.as_str()]).collect::<Vec<_>>());
    }
    let mut names: Vec<_> = std::fs::read_dir(&out)
        .expect("the folder is there")
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("a name"))
        .collect();
    names.sort();
    assert_eq!(names.len(), 28, "{names:?}");
    assert!(names.contains(&"spread.parquet".to_owned()));
    let parquet = std::fs::read(out.join("spread.parquet")).expect("it is there");
    assert!(parquet.starts_with(b"PAR1") && parquet.ends_with(b"PAR1"));
}

#[test]
fn stages_are_explained_in_three_formats() {
    let file = "examples/flights/flights.metric";
    let all = succeed(&["explain", file, "punctuality"]);
    for stage in ["syntax", "typed", "algebra", "batch", "stream", "serve"] {
        assert!(all.contains(&format!("# punctuality {stage}\n")), "{stage}");
    }
    let json = succeed(&["explain", file, "punctuality", "--stage", "algebra", "--format", "json"]);
    assert_eq!(serde_json::from_str::<serde_json::Value>(&json).expect("JSON")["name"], "product");
    assert!(
        succeed(&["explain", file, "punctuality", "--stage", "stream", "--format", "dot"])
            .starts_with("digraph")
    );
    assert!(succeed(&["explain", "M0001"]).starts_with("M0001: "));
}
