//! Ranges of dates and coarser windows over HTTP and with `metricc query`.

use serde_json::json;

use super::{Home, Node};

const PACKAGE: &str = r#"
source events { id: int key  at: timestamp time  n: int }
calendar us { zone "America/New_York", week sunday }
calendar india { zone "Asia/Kolkata" }
metric daily = sum(n) { from events  every day in india }
metric hourly = count() { from events  every 1h }
metric share = daily / daily
"#;

/// An event in each hour of April and May 2026, at half past.
fn node() -> (Home, Node) {
    let home = Home::new(PACKAGE, "[batch]\nevery = \"60s\"\nevents = 1000\n");
    let node = home.ready();
    let line = |n: u32| {
        let (month, day) = if n < 720 { (4, n / 24 + 1) } else { (5, n / 24 - 29) };
        format!("{{\"id\":{n},\"at\":\"2026-{month:02}-{day:02}T{:02}:30:00Z\",\"n\":1}}\n", n % 24)
    };
    node.post("r0", &(0..1464).map(line).collect::<String>()).expect("an answer");
    node.catch_up();
    (home, node)
}

#[test]
fn dates_over_http_are_those_of_the_calendar_and_cut_windows_are_marked() {
    let (_home, node) = node();
    let get = |path: &str| {
        let answer = node.get(path);
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        answer
    };
    let april = get("/v1/metrics/daily?from=2026-04-02&to=2026-05-02&grain=month").json();
    let window = |start: &str, end: &str| json!({ "start": start, "end": end, "partial": true });
    let first = window("2026-04-01T00:00:00+05:30", "2026-05-01T00:00:00+05:30");
    let second = window("2026-05-01T00:00:00+05:30", "2026-06-01T00:00:00+05:30");
    assert_eq!(
        april["rows"],
        json!([
            { "metric": "daily", "key": {}, "window": first, "value": 29 * 24 },
            { "metric": "daily", "key": {}, "window": second, "value": 24 },
        ])
    );
    assert_eq!(april.get("notes"), None);
    let whole = get("/v1/metrics/daily?from=2026-05-01&to=2026-06-01&grain=month").json();
    assert_eq!(whole["rows"][0]["window"].get("partial"), None);
    // The dates of a grain in another zone are its own.
    let us = get("/v1/metrics/hourly?from=2026-04-05&to=2026-04-12&grain=week+in+us").json();
    let week = json!({ "start": "2026-04-05T00:00:00-04:00", "end": "2026-04-12T00:00:00-04:00" });
    assert_eq!(us["rows"], json!([{ "metric": "hourly", "key": {}, "window": week, "value": 168 }]));
    let derived = get("/v1/metrics/share?from=2026-04-02&grain=month").json();
    assert_eq!(derived["rows"][0]["window"], first);
    let several = get("/v1/read?metric=daily&metric=share&from=2026-04-02&grain=month").json();
    assert_eq!(several["answers"][0]["rows"][0]["window"], first);
    let explained = get("/v1/metrics/daily/explain-value?from=2026-04-02&to=2026-05-02&grain=month").json();
    assert_eq!(explained["of"][0]["parts"][0]["rows"][0]["window"], first);
    let csv = get("/v1/metrics/daily?from=2026-04-02&to=2026-05-01&grain=month&format=csv");
    let expected = "window_start,window_end,partial,value\n2026-04-01T00:00:00+05:30,2026-05-01T00:00:00+05:30,true,696\n";
    assert_eq!(csv.body, expected);
    for (path, problem) in [
        ("daily?from=April", "`from=April` is neither a date nor an instant"),
        ("daily?from=2026-04-01T00:00:00", "is a time without an offset"),
        ("daily?from=2026-04-01T00:00:00+05:30", "write that as `%2B` in a URL"),
        ("daily?from=2026-05-01&to=2026-04-01", "the range ends before it begins"),
        ("hourly?grain=week+in+eu", "no calendar and no time zone `eu`"),
    ] {
        let answer = node.get(&format!("/v1/metrics/{path}"));
        assert!(answer.status == 400 && answer.body.contains(problem), "{path}: {}", answer.body);
    }
}

#[test]
fn a_bound_inside_of_a_window_is_said_at_every_door() {
    let (_home, node) = node();
    let path = "/v1/metrics/daily?from=2026-04-02T00:00:00Z&to=2026-04-04";
    let note = "`from`: no window of `daily`, which is `every day in Asia/Kolkata`, starts at 2026-04-02T05:30:00+05:30; the first one read starts at 2026-04-03T00:00:00+05:30";
    let answer = node.get(path).json();
    assert_eq!(answer["notes"], json!([note]));
    assert_eq!(answer["rows"].as_array().expect("rows").len(), 1);
    for format in ["csv", "arrow"] {
        let head = node.get(&format!("{path}&format={format}")).head;
        assert!(head.contains(&format!("metricc-note: {}", note.to_ascii_lowercase())), "{head}");
    }
    let range = ["query", "daily", "--from", "2026-04-02T00:00:00Z", "--to", "2026-04-04", "--output"];
    for output in ["table", "json", "csv", "arrow"] {
        let (code, _, said) = node.run(&[&range[..], &[output]].concat());
        assert_eq!(code, Some(0), "{said}");
        assert!(said.starts_with(&format!("warning: {note}\n")), "{output}: {said}");
    }
}

#[test]
fn query_reads_dates_and_shows_which_windows_are_cut() {
    let (_home, node) = node();
    let range = ["query", "daily", "--from", "2026-04-02", "--to", "2026-06-01", "--grain", "month"];
    let of = |more: &[&str]| {
        let (code, out, said) = node.run(&[&range[..], more].concat());
        assert_eq!(code, Some(0), "{said}");
        out
    };
    let rows = of(&["--output", "json"]);
    let partial: Vec<bool> = rows.lines().map(|row| row.contains("\"partial\":true")).collect();
    assert_eq!(partial, [true, false]);
    let table = of(&[]);
    assert!(
        table.contains("┆ partial ┆") && table.contains("┆ true ") && table.contains("┆ false "),
        "{table}"
    );
    assert!(of(&["--explain"]).matches("┆ partial ┆").count() >= 2);
    assert!(of(&["--plot"]).contains("partial, since the range cuts them: the windows from 2026-04-01T"));
    assert!(of(&["--output", "csv"]).starts_with("window_start,window_end,partial,value\n"));
    let (_, whole, _) = node.run(&["query", "daily", "--grain", "month"]);
    assert!(!whole.contains("partial"), "{whole}");
}
