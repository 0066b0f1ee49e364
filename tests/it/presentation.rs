//! The segments of a definition can be presented by every definition with the same state hash, and by no
//! other.

use metricc::{Engine, EngineOptions, evaluate_interval};
use metricc_compiler::{MetricPlan, Segment};
use metricc_log::Interval;
use metricc_runtime_serve::{arrow_stream, csv, json_lines, merge, present, record_batch};

use crate::layers::{bound, package};

const SOURCE: &str = "source s { id: int key  at: timestamp time  x: int  k: string }\n";

/// The plan and the segment of a metric called `m`.
fn evaluated(metric: &str) -> (std::sync::Arc<MetricPlan>, Segment) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("events.ndjson");
    let event = |id: i64| {
        format!(
            "{{\"id\":{id},\"at\":\"2026-04-25T10:{:02}:00Z\",\"x\":{},\"k\":\"{}\"}}\n",
            id % 60,
            id * id % 97,
            id % 3
        )
    };
    std::fs::write(&path, (0..200).map(event).collect::<String>()).expect("the log is written");
    let bound = bound(&package(&format!("{SOURCE}metric m = {metric}")), &path);
    let interval = Interval::new(bound.log.start(), bound.log.end()).expect("the whole log");
    let evaluation = evaluate_interval(&bound, Engine::Batch, &interval, &EngineOptions::default(), &|_| ());
    let segment = evaluation.expect("it evaluates").segments.remove(0);
    (bound.plan.metrics[0].clone(), segment)
}

#[test]
fn a_changed_presentation_reads_the_old_segments() {
    for (old, new) in [
        ("p50(x, within: 1%) { from s  by k }", "p99(x, within: 1%) { from s  by k }"),
        ("sum(x) { from s  by k }", "{ total: sum(x), mean: sum(x) / count() } { from s  by k as key }"),
        ("top(1, k) { from s  every 10m }", "top(3, k) { from s  every 10m  unit views }"),
        ("count() { from s  over last 10m step 5m }", "count() { from s  over last 30m step 5m }"),
    ] {
        let ((old_plan, old_segment), (plan, segment)) = (evaluated(old), evaluated(new));
        assert_ne!(old_plan.hash, plan.hash, "{old} | {new}");
        assert_eq!(old_plan.state_hash, plan.state_hash, "{old} | {new}");
        let lines = |segment: &Segment| -> Vec<String> {
            json_lines(&present(&plan, segment).expect("it presents")).collect()
        };
        assert_eq!(lines(&old_segment), lines(&segment), "{old} | {new}");
        assert!(merge(&plan, &[old_segment]).is_ok());
    }
}

#[test]
fn other_states_are_rejected() {
    for (old, new) in [
        ("p50(x, within: 1%) { from s }", "p50(x, within: 2%) { from s }"),
        ("count() { from s  by k }", "count() { from s  by upper(k) as k }"),
        ("count() { from s  session gap 10m }", "count() { from s  session gap 11m }"),
        ("count() { from s  over last 30m step 5m }", "count() { from s  over last 30m step 10m }"),
        ("sum(x) { from s }", "sum(x) where x > 1 { from s }"),
    ] {
        let ((_, old_segment), (plan, _)) = (evaluated(old), evaluated(new));
        let refused = present(&plan, &old_segment).expect_err(new).to_string();
        assert!(refused.starts_with("segments of different states do not merge"), "{refused}");
    }
}

#[test]
fn columns_of_one_name_are_rejected_where_they_would_be_confused() {
    for (key, is_refused) in [("value", true), ("window_start", true), ("key", false)] {
        let (plan, segment) = evaluated(&format!("count() {{ from s  by k as {key}  every 1h }}"));
        let presented = present(&plan, &segment).expect("it presents");
        assert_eq!(json_lines(&presented).count(), 3, "{key}: JSON separates keys from outputs");
        let (csv, columns) = (csv(&presented), record_batch(&presented));
        assert_eq!((csv.is_err(), columns.is_err()), (is_refused, is_refused), "{key}");
        for error in [csv.err(), columns.err()].into_iter().flatten() {
            assert!(error.to_string().contains(&format!("two columns `{key}`")), "{error}");
        }
    }
}

/// Keys and values that are missing: what a column holds in their places depends on the engine that made it.
#[test]
fn arrow_has_the_same_bytes_by_every_engine_where_values_are_missing() {
    let types = [
        ("b", "bool?", ["true", "false"]),
        ("i", "int?", ["3", "-7"]),
        ("d", "decimal(9, 2)?", ["\"1.50\"", "\"-3\""]),
        ("f", "float?", ["1.5", "-2e300"]),
        ("s", "string?", ["\"a\"", "\"a text that is longer than a view\""]),
        ("e", "enum(\"low\", \"high\")?", ["\"high\"", "\"low\""]),
        ("day", "date?", ["\"2026-04-01\"", "\"1969-12-31\""]),
        ("ts", "timestamp?", ["\"2026-04-01T10:00:00Z\"", "\"1960-01-01T00:00:00Z\""]),
        ("dur", "duration?", ["\"1h\"", "\"250ms\""]),
    ];
    let fields: String = types.iter().map(|(name, ty, _)| format!("  {name}: {ty}\n")).collect();
    let metric = |(name, ..): &(&str, &str, [&str; 2])| {
        format!("metric by_{name} = {{ n: count(), last: last({name}) }} {{ from s  by {name} }}\n")
    };
    let metrics: String = types.iter().map(metric).collect();
    let more = "metric by_two = { top: top(2, s), hi: max(i) } { from s  by i, ts  every 1h }\n\
                metric sliding = { f: last(f) } { from s  by day  over last 3h step 1h }\n\
                metric visits = { i: last(i) } { from s  by dur  session gap 30m }\n";
    let text = format!("source s {{\n  id: int key\n  at: timestamp time\n{fields}}}\n{metrics}{more}");
    let event = |n: usize| {
        let value = |(index, (name, _, values)): (usize, &(&str, &str, [&str; 2]))| match (n + index) % 4 {
            0 | 1 => format!(",\"{name}\":{}", values[(n + index) % 2]),
            2 => format!(",\"{name}\":null"),
            _ => String::new(),
        };
        let values: String = types.iter().enumerate().map(value).collect();
        format!("{{\"id\":{n},\"at\":\"2026-04-25T{:02}:00:00Z\"{values}}}\n", n * 5 % 24)
    };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("events.ndjson");
    std::fs::write(&path, (0..90).map(event).collect::<String>()).expect("the log is written");
    let bound = bound(&package(&text), &path);
    let whole = Interval::new(bound.log.start(), bound.log.end()).expect("the whole log");
    let by = |engine: Engine| {
        let found = evaluate_interval(&bound, engine, &whole, &EngineOptions::default(), &|_| ());
        found.expect("it evaluates").segments
    };
    let (batch, stream) = (by(Engine::Batch), by(Engine::Stream));
    let parts = crate::pages::parts(&bound, &[0.3, 0.7]);
    for (index, plan) in bound.plan.metrics.iter().enumerate() {
        let merged = merge(plan, &parts[index]).expect("they are adjacent");
        let bytes = |segment: &Segment| {
            arrow_stream(&present(plan, segment).expect("it presents")).expect("it is written")
        };
        let expected = bytes(&batch[index]);
        assert!(expected == bytes(&stream[index]), "{}: stream", plan.metric.name);
        assert!(expected == bytes(&merged), "{}: merged", plan.metric.name);
    }
}
