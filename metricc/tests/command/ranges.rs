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

#[test]
fn columns_of_one_name_are_refused_before_a_log_is_opened() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.metric");
    let out = folder.path().join("out");
    let run = |metric: &str, arguments: &[&str]| {
        let source = "source ev { at: timestamp time  k: string  n: int }";
        std::fs::write(&path, format!("{source}\nmetric m = {metric}\n")).expect("written");
        let (path, out) = (path.to_string_lossy(), out.to_string_lossy());
        let start = ["run", &*path, "--source", "ev=no-such-file.csv", "--out", &*out];
        let output = metricc(&[&start[..], arguments].concat());
        assert!(!folder.path().join("out").exists());
        (code(&output), stderr(&output))
    };
    for (metric, column, more) in [
        ("count() { from ev by k as value every 1h }", "value", &[][..]),
        ("{ k: count() } { from ev by k every 1h }", "k", &[]),
        ("count() { from ev by k as window_start every 1h }", "window_start", &[]),
        (
            "count() { from ev by k as partial every 1h }",
            "partial",
            &["--from", "2026-01-01", "--grain", "24h"],
        ),
    ] {
        for output in ["csv", "arrow", "parquet"] {
            let (code, said) = run(metric, &[&["--output", output], more].concat());
            assert_eq!(code, 2, "{said}");
            assert!(
                said.contains(&format!("`m` would have two columns `{column}`: give the key or the value another name, or use `--output json`")),
                "{said}"
            );
        }
        // Nothing is wrong with these rows in JSON, nor with the names where there is no such column.
        let (_, said) = run(metric, &[&["--output", "json"], more].concat());
        assert!(said.contains("no file matches"), "{said}");
    }
    for metric in ["count() { from ev by k as partial every 1h }", "count() { from ev by k as window_start }"]
    {
        let (_, said) = run(metric, &["--output", "csv"]);
        assert!(said.contains("no file matches"), "{said}");
    }
}

/// Runs a metric over events at both ends of the calendar, by all engines.
fn at_the_ends(metric: &str, arguments: &[&str]) -> (i32, String, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let times = [
        "0001-01-01T00:00:00Z",
        "0001-01-01T00:00:00.000001Z",
        "1969-12-31T23:59:59.999999Z",
        "9999-12-31T23:59:59.999999999Z",
        "9999-12-30T23:00:00Z",
        "9999-12-31T23:59:60Z",
        "+010000-01-01T00:00:00Z",
        "0000-12-31T23:59:59Z",
    ];
    let events: String = times.iter().map(|at| format!("{{\"at\":\"{at}\"}}\n")).collect();
    std::fs::write(folder.path().join("ev.ndjson"), events).expect("written");
    let path = folder.path().join("a.metric");
    let calendars = "calendar line { zone \"Pacific/Kiritimati\" }\ncalendar ny { zone \"America/New_York\", week sunday }\n\
                     calendar utc { zone \"UTC\" }\n";
    std::fs::write(&path, format!("source ev {{ at: timestamp time }}\n{calendars}metric m = {metric}\n"))
        .expect("written");
    let log = format!("ev={}", folder.path().join("ev.ndjson").display());
    let path = path.to_string_lossy().into_owned();
    let start = ["run", path.as_str(), "--source", log.as_str(), "--max-rejected", "50%"];
    let run = |engine: &[&str]| {
        let output = metricc(&[&start[..], engine, arguments].concat());
        // Arrow is no text.
        let rows = String::from_utf8_lossy(&output.stdout).into_owned();
        (code(&output), rows, stderr(&output))
    };
    let batch = run(&["--engine", "batch"]);
    for engine in [&["--engine", "stream"][..], &["--cut", "0.4"]] {
        let (code, rows, _) = run(engine);
        assert_eq!((code, &rows), (batch.0, &batch.1), "{engine:?}");
    }
    batch
}

#[test]
fn windows_at_the_ends_of_the_calendar_are_written_and_read_alike() {
    let rows = |metric: &str, more: &[&str]| {
        let (code, rows, said) = at_the_ends(metric, &[&["--output", "csv"], more].concat());
        assert_eq!(code, 0, "{said}");
        assert!(said.contains("3 of 8 records rejected") && !said.contains("panicked"), "{said}");
        rows.lines().skip(1).map(str::to_owned).collect::<Vec<_>>()
    };
    let years = [
        "0001-01-01T00:00:00Z,0002-01-01T00:00:00Z,2",
        "1969-01-01T00:00:00Z,1970-01-01T00:00:00Z,1",
        "9999-01-01T00:00:00Z,+010000-01-01T00:00:00Z,2",
    ];
    assert_eq!(rows("count() { from ev every year in utc }", &[]), years);
    assert_eq!(rows("count() { from ev every 1h }", &["--grain", "year in UTC"]), years);
    let days = [
        "0001-01-01T00:00:00Z,0001-01-02T00:00:00Z,2",
        "1969-12-31T00:00:00Z,1970-01-01T00:00:00Z,1",
        "9999-12-30T00:00:00Z,9999-12-31T00:00:00Z,1",
        "9999-12-31T00:00:00Z,+010000-01-01T00:00:00Z,1",
    ];
    assert_eq!(rows("count() { from ev every day in utc }", &[]), days);
    // East of UTC it is the year 10000 already, and west of it the year 0 still.
    let line = "+010000-01-01T00:00:00+14:00,+010000-01-02T00:00:00+14:00,1";
    assert_eq!(rows("count() { from ev every day in line }", &[]).last().expect("a row"), line);
    let new_york = rows("count() { from ev every week in ny }", &[]);
    assert_eq!(new_york.first().expect("a row"), "0000-12-31T04:56:02Z,0001-01-07T04:56:02Z,2");
    let sliding = rows("count() { from ev over last 24h step 12h }", &[]);
    assert_eq!(sliding.first().expect("a row"), "0000-12-31T12:00:00Z,0001-01-01T12:00:00Z,2");
    assert_eq!(sliding.last().expect("a row"), "9999-12-31T12:00:00Z,+010000-01-01T12:00:00Z,1");
    assert_eq!(
        rows("count() { from ev session gap 1h }", &[]).last().expect("a row"),
        "9999-12-31T23:59:59.999999Z,+010000-01-01T00:59:59.999999Z,1"
    );
    // What an answer shows is what a range takes.
    for (from, to, n) in [
        ("9999-12-31T00:00:00Z", "+010000-01-01T00:00:00Z", 1),
        ("9999-12-30T22:00:00.999999999Z", "9999-12-31T00:00:00.000001Z", 1),
        ("9999-12-31", "+010000-01-01", 1),
        ("+010000-01-01", "+010001-01-01", 0),
        ("0000-12-31T00:00:00Z", "0001-01-02T00:00:00Z", 1),
        ("-000001-01-01", "0001-01-01", 0),
        ("-200000-01-01", "+200000-01-01", 4),
    ] {
        let found =
            rows("count() { from ev every day in utc }", &[&format!("--from={from}"), &format!("--to={to}")]);
        assert_eq!(found.len(), n, "{from} {to} {found:?}");
    }
    let (code, table, _) = at_the_ends("count() { from ev every year in utc }", &[]);
    assert!(code == 0 && table.contains("+010000-01-01T00:00:00Z"), "{table}");
    for output in ["arrow", "json"] {
        assert_eq!(at_the_ends("count() { from ev every year in utc }", &["--output", output]).0, 0);
    }
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
