//! Windows that are rolled up from finer ones equal the windows of a metric with the coarser window.

use metricc::{Bound, Engine, EngineOptions, evaluate_interval};
use metricc_compiler::{MetricPlan, Segment};
use metricc_ir::Window;
use metricc_log::Interval;
use metricc_runtime_serve::{ReadOptions, json_lines, read};
use metricc_tests::generate::files::{Layout, write_ndjson};
use metricc_tests::generate::logs::{LogOptions, log};
use metricc_tests::generate::metrics::package as random_package;
use metricc_tests::generate::sources::Shape;

use crate::layers::{bound, package};

fn segments(bound: &Bound) -> Vec<Segment> {
    let interval = Interval::new(bound.log.start(), bound.log.end()).expect("the whole log");
    let evaluation = evaluate_interval(bound, Engine::Batch, &interval, &EngineOptions::default(), &|_| ());
    evaluation.expect("it evaluates").segments
}

fn lines(plan: &MetricPlan, segment: &Segment, reading: &ReadOptions) -> Result<Vec<String>, String> {
    let presented = read(plan, segment, reading).map_err(|error| error.to_string())?;
    Ok(json_lines(&presented).collect())
}

/// The window clause of the generator's line with a coarser window; `None` if there is none.
fn coarser(line: &str) -> Option<String> {
    let window = line.strip_prefix("  every ")?;
    Some(match window {
        "1s" | "250ms" => "  every 5m".to_owned(),
        "5m" => "  every 1h".to_owned(),
        "1h" => "  every 24h".to_owned(),
        "90m" => "  every 180m".to_owned(),
        "24h" | "168h" => String::new(),
        _ => match window.split_once(" in ")? {
            ("day", calendar) => format!("  every month in {calendar}"),
            ("month", calendar) => format!("  every quarter in {calendar}"),
            ("quarter", calendar) => format!("  every year in {calendar}"),
            (_, _) => String::new(),
        },
    })
}

#[test]
fn random_metrics_rolled_up_equal_metrics_with_coarser_windows() {
    let mut n_read = 0;
    for seed in 0..120 {
        let shape = Shape::all()[seed as usize % 8];
        let fine = random_package(seed, shape, 8).text;
        let replaced = |line: &str| coarser(line).unwrap_or_else(|| line.to_owned());
        let coarse: String = fine.lines().map(|line| format!("{}\n", replaced(line))).collect();
        let folder = tempfile::tempdir().expect("a temporary folder");
        let events = log(&shape.source(), &LogOptions::new(seed, 60));
        let layout = Layout { seed, n_files: 2, is_hostile: false };
        write_ndjson(folder.path(), &shape.source(), &events, &layout).expect("the log is written");
        let [fine, coarse] = [&fine, &coarse].map(|text| bound(&package(text), folder.path()));
        let [of_fine, of_coarse] = [&fine, &coarse].map(segments);
        for (index, plan) in coarse.plan.metrics.iter().enumerate() {
            let fine_plan = &fine.plan.metrics[index];
            if fine_plan.metric.window == plan.metric.window {
                continue;
            }
            let reading = ReadOptions { grain: Some(plan.metric.window.clone()), ..ReadOptions::default() };
            let expected = lines(plan, &of_coarse[index], &ReadOptions::default());
            assert_eq!(
                lines(fine_plan, &of_fine[index], &reading),
                expected,
                "seed {seed}, {}",
                fine_plan.metric.name
            );
            n_read += 1;
        }
    }
    assert!(n_read > 200, "{n_read}");
}

const PACKAGE: &str = "source s { id: int key  at: timestamp time  x: int  k: string }
calendar india { zone \"Asia/Kolkata\" }
metric hourly = { n: count(), mean: mean(x), middle: median(x), users: distinct(k) } { from s  by k  every 1h }
metric total = mean(x) { from s  every 1h }
metric sliding = count() { from s  over last 2h step 1h }
metric visits = count() { from s  session gap 30m }
metric ever = count() { from s }
metric weekly = count() { from s  every week in india }";

fn evaluated() -> (Bound, Vec<Segment>) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("events.ndjson");
    let event = |(id, (at, x, k)): (usize, &(&str, i64, &str))| {
        format!("{{\"id\":{id},\"at\":\"2026-04-{at}:00Z\",\"x\":{x},\"k\":\"{k}\"}}\n")
    };
    let events = [
        ("25T10:00", 1, "a"),
        ("25T10:59", 2, "b"),
        ("25T11:00", 6, "a"),
        ("25T23:30", 7, "a"),
        ("26T00:00", 100, "a"),
        ("26T05:00", 1, "b"),
    ];
    std::fs::write(&path, events.iter().enumerate().map(event).collect::<String>())
        .expect("the log is written");
    let bound = bound(&package(PACKAGE), &path);
    let segments = segments(&bound);
    (bound, segments)
}

const HOUR: i64 = 3_600_000_000;
/// 2026-04-25T00:00Z
const DAY: i64 = 1_777_075_200_000_000;

#[test]
fn ranges_and_grains_can_be_combined() {
    let (bound, segments) = evaluated();
    let of = |name: &str, reading: &ReadOptions| {
        let index = bound.plan.metrics.iter().position(|plan| plan.metric.name == name).expect("a metric");
        lines(&bound.plan.metrics[index], &segments[index], reading)
    };
    let days = ReadOptions { grain: Some(Window::Tumbling(24 * HOUR)), ..ReadOptions::default() };
    let first = r#"{"metric":"hourly","key":{"k":"a"},"window":{"start":"2026-04-25T00:00:00Z","end":"2026-04-26T00:00:00Z"},"value":{"n":3,"mean":4.666666666666667,"middle":6,"users":1}}"#;
    let found = of("hourly", &days).expect("hours are read as days");
    assert_eq!((found.len(), found[0].as_str()), (4, first));
    let range =
        ReadOptions { from: Some(DAY + 11 * HOUR), to: Some(DAY + 24 * HOUR), ..ReadOptions::default() };
    assert_eq!(of("hourly", &range).expect("a range").len(), 2);
    let whole = ReadOptions { grain: Some(Window::AllTime), ..range.clone() };
    let line = r#"{"metric":"total","key":{},"window":null,"value":6.5}"#;
    assert_eq!(of("total", &whole), Ok(vec![line.to_owned()]));
    let nothing =
        ReadOptions { from: Some(0), to: Some(1), grain: Some(Window::AllTime), ..ReadOptions::default() };
    assert_eq!(
        of("total", &nothing),
        Ok(vec![line.replace("6.5", "null")]),
        "a range without events has a row too"
    );
    assert_eq!(of("hourly", &nothing), Ok(vec![]));
    let sliding = of("sliding", &ReadOptions { to: Some(DAY + 11 * HOUR), ..range.clone() });
    assert_eq!(sliding.expect("sliding windows have ranges"), [""; 0]);
    let sliding = of(
        "sliding",
        &ReadOptions { from: Some(DAY + 10 * HOUR), to: Some(DAY + 11 * HOUR), ..ReadOptions::default() },
    );
    let line = r#"{"metric":"sliding","key":{},"window":{"start":"2026-04-25T10:00:00Z","end":"2026-04-25T12:00:00Z"},"value":3}"#;
    assert_eq!(sliding, Ok(vec![line.to_owned()]), "panes after the range are part of its windows");
    assert_eq!(of("visits", &range).expect("sessions have ranges").len(), 1);
}

#[test]
fn impossible_roll_ups_are_errors() {
    let (bound, segments) = evaluated();
    let problem = |name: &str, grain: &str| {
        let index = bound.plan.metrics.iter().position(|plan| plan.metric.name == name).expect("a metric");
        let plan = &bound.plan.metrics[index];
        let grain = metricc_ir::grain(grain, &plan.metric.window, &[]).expect("a window");
        let reading = ReadOptions { grain: Some(grain), ..ReadOptions::default() };
        lines(plan, &segments[index], &reading).expect_err(name)
    };
    let messages = [
        problem("hourly", "day in Asia/Kolkata"),
        problem("hourly", "90m"),
        problem("weekly", "month"),
        problem("sliding", "24h"),
        problem("visits", "all"),
        problem("ever", "24h"),
    ];
    insta::assert_snapshot!(messages.join("\n"));
    let backwards = ReadOptions { from: Some(DAY), to: Some(DAY - 1), ..ReadOptions::default() };
    let found = lines(&bound.plan.metrics[0], &segments[0], &backwards).expect_err("a range");
    assert!(found.ends_with("the range ends before it begins"), "{found}");
}
