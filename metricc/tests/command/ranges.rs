//! `--from`, `--to` and `--grain` of `metricc run`.

use std::path::PathBuf;

use parquet::file::reader::{FileReader, SerializedFileReader};

use super::{code, metricc, stderr, stdout};

const CASE: &str = "tests/cases/34-range-of-dates-in-a-zone";

fn run(package: &str, arguments: &[&str]) -> std::process::Output {
    let (package, log) = (format!("{CASE}/{package}"), format!("ev={CASE}/ev.ndjson"));
    metricc(&[&["run", package.as_str(), "--source", log.as_str()], arguments].concat())
}

/// A package in a folder of its own, over the events of the case.
fn run_text(text: &str, arguments: &[&str]) -> (i32, String, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.metric");
    std::fs::write(&path, text).expect("written");
    let log = format!("ev={CASE}/ev.ndjson");
    let path = path.to_string_lossy().into_owned();
    let output = metricc(&[&["run", path.as_str(), "--source", log.as_str()], arguments].concat());
    (code(&output), stdout(&output), stderr(&output))
}

const SIX_DAYS: [&str; 8] =
    ["--metric", "india_daily", "--from", "2026-04-15", "--to", "2026-04-21", "--grain", "month"];

#[test]
fn a_window_that_the_range_cuts_is_marked_in_every_format() {
    let of = |more: &[&str]| {
        let output = run("case.metric", &[&SIX_DAYS, more].concat());
        assert_eq!((code(&output), stderr(&output)), (0, String::new()), "{more:?}");
        stdout(&output)
    };
    let json = of(&["--output", "json"]);
    assert_eq!(
        json,
        "{\"metric\":\"india_daily\",\"key\":{},\"window\":{\"start\":\"2026-04-01T00:00:00+05:30\",\"end\":\"2026-05-01T00:00:00+05:30\",\"partial\":true},\"value\":144}\n"
    );
    for engine in ["batch", "stream"] {
        assert_eq!(of(&["--output", "json", "--engine", engine]), json);
    }
    assert_eq!(
        of(&["--output", "csv"]),
        "window_start,window_end,partial,value\n2026-04-01T00:00:00+05:30,2026-05-01T00:00:00+05:30,true,144\n"
    );
    let table = of(&[]);
    assert!(table.contains("┆ partial ┆") && table.contains("┆ true    ┆"), "{table}");
    let out: PathBuf = tempfile::tempdir().expect("a folder").keep();
    let path = out.to_string_lossy().into_owned();
    let output = run("case.metric", &[&SIX_DAYS[..], &["--output", "parquet", "--out", &path]].concat());
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let file = std::fs::File::open(out.join("india_daily.parquet")).expect("a file");
    let row = SerializedFileReader::new(file).expect("Parquet").get_row_iter(None).expect("rows").next();
    assert!(row.expect("a row").expect("a row").to_string().contains("partial: true"));
    std::fs::remove_dir_all(out).expect("removed");
    // Without a coarser grain no window can be cut, and there is no column.
    let daily = run("case.metric", &[&SIX_DAYS[..6], &["--output", "csv"]].concat());
    assert!(stdout(&daily).starts_with("window_start,window_end,value\n2026-04-15T00:00:00+05:30,"));
    assert_eq!(stdout(&daily).lines().count(), 7);
}

#[test]
fn a_bound_inside_of_a_window_is_said() {
    let cut = ["--metric", "india_daily", "--from", "2026-04-15T00:00:00Z", "--to", "2026-04-17"];
    let output = run("case.metric", &[&cut[..], &["--output", "csv"]].concat());
    let expected = "warning: `from`: no window of `india_daily`, which is `every day in Asia/Kolkata`, starts at 2026-04-15T05:30:00+05:30; the first one read starts at 2026-04-16T00:00:00+05:30\n";
    assert_eq!((code(&output), stderr(&output).as_str()), (0, expected));
    assert_eq!(stdout(&output).lines().count(), 2);
    for (bound, expected) in [
        (
            "2026-04-15T00:00:00",
            "a time without an offset: write it as `2026-04-25T10:00:00+02:00`, or a date",
        ),
        ("April", "neither a date nor an instant: write it as `2026-04-25` or"),
    ] {
        let output = run("case.metric", &["--from", bound]);
        assert!(code(&output) == 2 && stderr(&output).contains(expected), "{}", stderr(&output));
    }
}

const MIXED: &str = "source ev { id: int key  at: timestamp time  user: int }
calendar us { zone \"America/New_York\", week sunday }
metric hourly = count() { from ev  every 1h }
metric total = count() { from ev }
metric recent = count() { from ev  over last 2h step 1h }
";

#[test]
fn metrics_without_such_windows_are_left_out_unless_they_are_named() {
    let (status, rows, said) =
        run_text(MIXED, &["--from", "2026-04-01", "--grain", "week in us", "--output", "json"]);
    assert_eq!(status, 0, "{said}");
    assert!(rows.lines().all(|row| row.starts_with("{\"metric\":\"hourly\"")) && !rows.is_empty(), "{rows}");
    assert!(rows.starts_with(
        "{\"metric\":\"hourly\",\"key\":{},\"window\":{\"start\":\"2026-03-29T00:00:00-04:00\",\"end\":\"2026-04-05T00:00:00-04:00\",\"partial\":true}"
    ));
    for left_out in [
        "warning: metric `total` is of all time: it has no windows to choose from: left out",
        "warning: metric `recent` is `over last 2h step 1h`: such windows cannot be rolled up: left out",
    ] {
        assert!(said.contains(left_out), "{said}");
    }
    let (status, _, said) = run_text(MIXED, &["--metric", "total", "--from", "2026-04-01"]);
    assert_eq!(status, 2);
    assert!(said.contains("metric `total` is of all time: it has no windows"), "{said}");
    let (status, rows, said) = run_text(MIXED, &["--grain", "all", "--output", "json"]);
    assert_eq!(status, 0, "{said}");
    assert_eq!(rows.lines().filter(|row| row.contains("\"window\":null")).count(), 2, "{rows}");
    let (status, rows, said) = run_text(MIXED, &["--grain", "fortnight"]);
    assert_eq!((status, rows.as_str()), (2, ""));
    assert_eq!(said.matches("is no window").count(), 1, "{said}");
    let (_, _, said) = run_text(MIXED, &["--metric", "hourly", "--grain", "day in Asia/Kolkata"]);
    assert!(said.contains("; a metric that is `every 30m` can be read so"), "{said}");
}
