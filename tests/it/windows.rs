//! Sliding windows and sessions, in both engines and at every cut.

use crate::layers::agreed;

const SOURCE: &str =
    "source views { id: int key  at: timestamp time  user: string?  page: string  ms: float }\n";

fn view(id: usize, at: &str, user: &str, page: &str) -> String {
    let user = if user.is_empty() { "null".to_owned() } else { format!("{user:?}") };
    format!(r#"{{"id":{id},"at":"2026-04-25T{at}Z","user":{user},"page":{page:?},"ms":0.1}}"#)
}

fn lines(metric: &str, views: &[(&str, &str, &str)]) -> Vec<String> {
    let views: Vec<String> =
        views.iter().enumerate().map(|(id, (at, user, page))| view(id, at, user, page)).collect();
    let views: Vec<&str> = views.iter().map(String::as_str).collect();
    agreed(&format!("{SOURCE}metric m = {metric}"), &views)
}

/// Windows and values of rows without keys.
fn values(lines: &[String]) -> Vec<(String, String, String)> {
    let value = |line: &String| {
        let line: serde_json::Value = serde_json::from_str(line).expect("JSON");
        let time = |end: &str| line["window"][end].as_str().expect("an instant")[11..19].to_owned();
        (time("start"), time("end"), line["value"].to_string())
    };
    lines.iter().map(value).collect()
}

fn expected(rows: &[(&str, &str, &str)]) -> Vec<(String, String, String)> {
    rows.iter().map(|(start, end, value)| ((*start).into(), (*end).into(), (*value).into())).collect()
}

#[test]
fn an_event_is_in_every_window_that_contains_its_time() {
    let found = lines(
        "count() { from views  over last 15m step 5m }",
        &[("10:00:00", "a", "x"), ("10:04:59", "a", "x"), ("10:05:00", "b", "y"), ("11:00:00", "b", "y")],
    );
    let rows = [
        ("09:50:00", "10:05:00", "2"),
        ("09:55:00", "10:10:00", "3"),
        ("10:00:00", "10:15:00", "3"),
        ("10:05:00", "10:20:00", "1"),
        ("10:50:00", "11:05:00", "1"),
        ("10:55:00", "11:10:00", "1"),
        ("11:00:00", "11:15:00", "1"),
    ];
    assert_eq!(values(&found), expected(&rows));
}

#[test]
fn windows_of_many_panes_have_correct_sums_and_sets() {
    // 24 hours by 5 minutes: 288 panes, which is 256 and 32.
    let found = lines(
        "{ n: count(), users: distinct(user), pages: set(page), ms: sum(ms) } { from views  over last 24h step 5m }",
        &[("00:00:00", "a", "x"), ("23:54:59", "", "y"), ("12:00:00", "a", "x")],
    );
    let all = found.iter().filter(|line| line.contains(r#""n":3,"#)).collect::<Vec<_>>();
    // All three events are in the windows that start at 23:55 of the day before and at 00:00.
    assert_eq!(all.len(), 2, "{all:?}");
    for line in all {
        assert!(
            line.ends_with(r#""value":{"n":3,"users":1,"pages":["x","y"],"ms":0.30000000000000004}}"#),
            "{line}"
        );
    }
    assert_eq!(found.len(), 288 + 286);
}

#[test]
fn a_late_event_joins_two_sessions_and_the_gap_itself_is_in_it() {
    let session = "count() { from views  session gap 30m }";
    let apart = [("10:00:00", "a", "x"), ("10:50:00", "a", "y"), ("11:20:00", "b", "z")];
    let rows = [("10:00:00", "10:30:00", "1"), ("10:50:00", "11:50:00", "2")];
    assert_eq!(values(&lines(session, &apart)), expected(&rows));
    let late = [&apart[..], &[("10:25:00", "b", "y")]].concat();
    assert_eq!(values(&lines(session, &late)), expected(&[("10:00:00", "11:50:00", "4")]));
    let touching = [("10:00:00", "a", "x"), ("10:30:00", "a", "x")];
    assert_eq!(values(&lines(session, &touching)), expected(&[("10:00:00", "11:00:00", "2")]));
    let past = [("10:00:00", "a", "x"), ("10:30:00.000001", "a", "x")];
    assert_eq!(lines(session, &past).len(), 2);
}

#[test]
fn sessions_have_keys_filters_and_ordered_aggregates() {
    let found = lines(
        "{ pages: count(), first: first(page), last: last(page), slow: count() where ms > 1.0, ms: sum(ms), \
         ratio: (count() where page == \"x\") / count() } { from views  by user ?? \"nobody\" as user  session gap 10m }",
        &[
            ("10:00:00", "b", "x"),
            ("10:05:00", "", "y"),
            ("10:00:00", "a", "z"),
            ("10:09:00", "b", "x"),
            ("10:08:00", "b", "y"),
            ("10:30:00", "a", "w"),
        ],
    );
    assert_eq!(
        found,
        [
            r#"{"metric":"m","key":{"user":"a"},"window":{"start":"2026-04-25T10:00:00Z","end":"2026-04-25T10:10:00Z"},"value":{"pages":1,"first":"z","last":"z","slow":0,"ms":0.1,"ratio":0.0}}"#,
            r#"{"metric":"m","key":{"user":"b"},"window":{"start":"2026-04-25T10:00:00Z","end":"2026-04-25T10:19:00Z"},"value":{"pages":3,"first":"x","last":"x","slow":0,"ms":0.30000000000000004,"ratio":0.6666666666666666}}"#,
            r#"{"metric":"m","key":{"user":"nobody"},"window":{"start":"2026-04-25T10:05:00Z","end":"2026-04-25T10:15:00Z"},"value":{"pages":1,"first":"y","last":"y","slow":0,"ms":0.1,"ratio":0.0}}"#,
            r#"{"metric":"m","key":{"user":"a"},"window":{"start":"2026-04-25T10:30:00Z","end":"2026-04-25T10:40:00Z"},"value":{"pages":1,"first":"w","last":"w","slow":0,"ms":0.1,"ratio":0.0}}"#,
        ]
    );
}

#[test]
fn no_events_give_no_sessions_and_no_windows() {
    assert_eq!(lines("count() { from views  session gap 1s }", &[]), [""; 0]);
    assert_eq!(lines("count() { from views  over last 1h step 1m }", &[]), [""; 0]);
}
