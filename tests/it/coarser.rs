//! Tables of coarser windows, which are made of finer ones: the segments are those of the metric alone, to
//! the byte.

use std::path::Path;

use metricc::{Bound, Engine, evaluate_interval};
use metricc_compiler::{Segment, SourcePlan};
use metricc_ir::user_defined::Imports;
use metricc_ir::{Calendar, CalendarUnit, Window};
use metricc_log::Interval;

use crate::layers::{bound, options, package, whole};

const WINDOWS: [&str; 13] = [
    "every 5m",
    "every 15m",
    "every 1h",
    "over last 2h step 1h",
    "every 7h",
    "every day in utc",
    "every week in utc",
    "every month in utc",
    "every quarter in utc",
    "every year in utc",
    "every day in lord_howe",
    "every week in lord_howe",
    "",
];

const AGGREGATES: &str = "{ n: count(), s: sum(x), f: sum(y), m: mean(y), least: min(x), u: distinct(user),
    q: quantile(y, 0.9), a: first(user), z: last(user), top: top(3, user), wide: sum(x * x * x), v: stddev(y) }";

fn text(time: &str, windows: &[&str], keys: &str) -> String {
    let mut text = format!(
        "calendar utc {{ zone \"UTC\" }}
         calendar lord_howe {{ zone \"Australia/Lord_Howe\"  week wednesday }}
         source events {{ id: int key  at: {time} time  user: string  x: int  y: float }}\n"
    );
    for (index, window) in windows.iter().enumerate() {
        text.push_str(&format!("metric m{index} = {AGGREGATES} {{ from events {keys} {window} }}\n"));
    }
    text
}

/// Events around the borders of windows, from the first year to the last, some of them out of order.
fn write_log(path: &Path, dates_only: bool) {
    let days = [
        "0001-01-01",
        "0001-01-08",
        "1899-12-31",
        "1969-12-31",
        "1970-01-01",
        "2024-02-29",
        "2026-03-29",
        "2026-04-05",
        "2026-10-03",
        "2026-10-04",
        "2026-12-31",
        "2027-01-01",
        "9999-12-25",
        "9999-12-31",
    ];
    let times = ["00:00:00", "00:04:59.999999", "00:05:00", "10:59:59.999999", "13:30:00", "23:59:59.999999"];
    let mut lines = String::new();
    for number in 0..420_usize {
        let (day, time) = (days[number * 5 % days.len()], times[number / 3 % times.len()]);
        let at = if dates_only { day.to_owned() } else { format!("{day}T{time}Z") };
        let (user, x) = (number % 11, number as i64 * 7_919 % 1_000 - 500);
        let y = (number as f64).sin() * 1e3;
        lines.push_str(&format!(
            "{{\"id\": {number}, \"at\": \"{at}\", \"user\": \"u{user}\", \"x\": {}, \"y\": {y:?}}}\n",
            x * 4_000_037
        ));
    }
    std::fs::write(path, lines).expect("the log is written");
}

fn segments(bound: &Bound, engine: Engine) -> Vec<Segment> {
    let interval = Interval::new(bound.log.start(), bound.log.end()).expect("the whole log");
    evaluate_interval(bound, engine, &interval, &options(2, 17), &|_| ()).expect("it runs").segments
}

#[test]
fn metrics_of_coarser_windows_are_those_of_a_metric_alone() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (time, dates_only) in [("timestamp", false), ("date", true)] {
        let path = folder.path().join(format!("{time}.ndjson"));
        write_log(&path, dates_only);
        for keys in ["", "by user", "where x > 0 by user, x % 3 as rest"] {
            let all = bound(&package(&text(time, &WINDOWS, keys)), &path);
            for engine in [Engine::Batch, Engine::Stream] {
                let together = segments(&all, engine);
                for (window, segment) in WINDOWS.iter().zip(&together) {
                    let alone = bound(&package(&text(time, &[window], keys)), &path);
                    let alone = segments(&alone, engine).remove(0);
                    assert_eq!(segment.hash, alone.hash);
                    let place = format!("{time}, `{keys}`, `{window}`, {engine:?}");
                    assert_eq!(segment.first_difference(&alone), None, "{place}");
                }
            }
            assert_eq!(
                whole(&all, Engine::Batch, &options(1, 7)).0,
                whole(&all, Engine::Stream, &options(3, 5)).0
            );
        }
    }
}

/// The groupings by their own windows and, in brackets, those of their coarser tables.
fn planned(text: &str) -> Vec<String> {
    let package = package(text);
    let plan = SourcePlan::new(&package.metrics(&[]).expect("metrics"), &Imports::new()).expect("a plan");
    let grouping = |grouping: &std::sync::Arc<metricc_compiler::Grouping>| {
        let coarser = grouping.coarser.iter().map(|table| {
            let names = table.members.iter().map(|member| member.metric.metric.name.as_str());
            names.collect::<Vec<_>>().join(", ")
        });
        format!("{} [{}]", grouping.form.place, coarser.collect::<Vec<_>>().join("; "))
    };
    plan.groupings.iter().map(grouping).collect()
}

#[test]
fn rows_are_grouped_once_for_windows_that_consist_of_each_other() {
    assert_eq!(
        planned(&text("timestamp", &WINDOWS, "by user")),
        [
            // Five minutes make quarters of an hour, those hours, those days, weeks and months, and so on.
            "m0 [m1; m2, m3; m4; m5; m6; m7; m8; m9; m12]",
            "m10 [m11]",
        ]
    );
}

#[test]
fn a_coarser_window_with_a_state_of_its_own_keeps_its_own_table() {
    let source = "source events { at: timestamp time  user: string }\n";
    let hourly = "metric hourly = count() { from events every 1h }\n";
    let text = |daily: &str| format!("{source}{hourly}metric daily = {daily} {{ from events every 24h }}");
    assert_eq!(planned(&text("count()")), ["hourly [daily]"]);
    assert_eq!(planned(&text("distinct(user)")), ["hourly []", "daily []"]);
    assert_eq!(planned(&text("count() where user == \"a\"")), ["hourly []", "daily []"]);
}

#[test]
fn windows_consist_of_others_only_if_every_border_is_one_of_theirs() {
    let calendar =
        |unit, zone: &str| Window::Calendar(unit, Calendar { zone: zone.to_owned(), week_start: 1 });
    use CalendarUnit::{Day, Month, Quarter, Week, Year};
    let day = |zone| calendar(Day, zone);
    const MINUTE: i64 = 60_000_000;
    let all = [
        (Window::Tumbling(10 * MINUTE), Window::Tumbling(5 * MINUTE), true),
        (Window::Tumbling(10 * MINUTE), Window::Tumbling(4 * MINUTE), false),
        (Window::Tumbling(5 * MINUTE), Window::Tumbling(5 * MINUTE), false),
        (Window::Tumbling(5 * MINUTE), Window::Tumbling(10 * MINUTE), false),
        (Window::Sliding { length: 60 * MINUTE, step: 10 * MINUTE }, Window::Tumbling(5 * MINUTE), true),
        (day("UTC"), Window::Tumbling(60 * MINUTE), true),
        (day("UTC"), Window::Tumbling(7 * 60 * MINUTE), false),
        (day("Asia/Kolkata"), Window::Tumbling(30 * MINUTE), false),
        (calendar(Week, "UTC"), day("UTC"), true),
        (calendar(Week, "Asia/Kolkata"), day("UTC"), false),
        (calendar(Month, "UTC"), calendar(Week, "UTC"), false),
        (calendar(Year, "UTC"), calendar(Quarter, "UTC"), true),
        (calendar(Quarter, "UTC"), calendar(Month, "UTC"), true),
        (calendar(Month, "UTC"), calendar(Quarter, "UTC"), false),
        (Window::AllTime, day("UTC"), true),
        (Window::AllTime, Window::Session { gap: MINUTE }, false),
        (Window::AllTime, Window::AllTime, false),
        (Window::Session { gap: MINUTE }, Window::Tumbling(MINUTE), false),
    ];
    for (coarse, fine, expected) in all {
        assert_eq!(coarse.consists_of(&fine), expected, "{coarse:?} of {fine:?}");
    }
}
