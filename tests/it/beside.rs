//! Totals, shares and values of earlier windows beside the rows of a metric: against the interpreter, and
//! against metrics that are defined so, by batch, by stream and merged.

use std::collections::BTreeMap;

use metricc::user_defined::Imports;
use metricc::{Evaluated, LocalServing, ReadRequest, Serving};
use metricc_ir::{AnyMetric, Calendar, CalendarUnit, Metric, Window};
use metricc_runtime_serve::{Reading, json_lines};
use metricc_tests::generate::files::{Layout, write_ndjson};
use metricc_tests::generate::logs::{LogOptions, log};
use metricc_tests::generate::metrics::package as random_package;
use metricc_tests::generate::random;
use metricc_tests::generate::sources::Shape;
use metricc_tests::oracle::{self, Event};
use rand::Rng;
use rand::seq::SliceRandom;
use serde_json::{Value, json};

use crate::derived::{SOURCE, evaluated};
use crate::layers::{bound, package};
use crate::pages::{block_on, paged, parts, serve};

/// A line of a total as that of a metric without the keys that are rolled up, and how many those are.
fn of_fewer_keys(line: &str, rolled_up: &[String]) -> Option<String> {
    let (head, rest) = line.split_once(",\"rolled_up\":")?;
    let (named, rest) = rest.split_once("],")?;
    let wanted = json!(rolled_up).to_string();
    if format!("{named}]") != wanted {
        return None;
    }
    let mut head = head.to_owned();
    for key in rolled_up {
        let null = format!("{}:null", json!(key));
        assert!(head.contains(&null), "{line}");
        head = head.replacen(&format!(",{null}"), "", 1);
        head = head.replacen(&format!("{null},"), "", 1).replacen(&null, "", 1);
    }
    Some(format!("{head},{rest}"))
}

/// Totals over some keys are the rows that the interpreter computes for metrics without these keys.
fn check_totals(serving: &LocalServing, metric: &Metric, events: &[Event], rolled_up: &[usize]) {
    let names: Vec<String> = metric.row_type().keys.iter().map(|key| key.name.clone()).collect();
    let totals: Vec<String> = rolled_up.iter().map(|key| names[*key].clone()).collect();
    let request =
        ReadRequest { metric: metric.name.clone(), totals: totals.clone(), ..ReadRequest::default() };
    let found = block_on(serving.read(request.clone())).expect("rows and totals").rows;
    let found: Vec<String> = found.iter().map(|row| row.get().to_owned()).collect();
    let mut n_found = 0;
    for n_rolled_up in 0..=totals.len() {
        let (_, gone) = totals.split_at(totals.len() - n_rolled_up);
        let lines: Vec<String> = match n_rolled_up {
            0 => found.iter().filter(|line| !line.contains(",\"rolled_up\":[")).cloned().collect(),
            _ => found.iter().filter_map(|line| of_fewer_keys(line, gone)).collect(),
        };
        n_found += lines.len();
        let keys = metric.keys.iter().filter(|key| !gone.contains(&key.name)).cloned().collect();
        let expected = oracle::evaluate(&Metric { keys, ..metric.clone() }, events);
        if let Err(mismatch) = oracle::compare(&expected, &lines) {
            panic!("{} without {gone:?}: {mismatch}", metric.name);
        }
    }
    assert_eq!(n_found, found.len(), "{}", metric.name);
    let pages = ReadRequest { limit: Some(7), ..request };
    assert_eq!(block_on(paged(serving, &pages)).expect("pages"), found, "{}", metric.name);
}

#[test]
fn random_totals_are_rows_of_metrics_without_these_keys() {
    let mut n_checked = 0;
    for seed in 100..130 {
        let shape = Shape::all()[seed as usize % 8];
        let text = random_package(seed, shape, 8).text;
        let folder = tempfile::tempdir().expect("a temporary folder");
        let events = log(&shape.source(), &LogOptions::new(seed, 70));
        let layout = Layout { seed, n_files: 2, is_hostile: false };
        write_ndjson(folder.path(), &shape.source(), &events, &layout).expect("the log is written");
        let bound = bound(&package(&text), folder.path());
        let serving = serve(&bound, &parts(&bound, &[0.4, 0.8]));
        let mut random = random(seed);
        for plan in &bound.plan.metrics {
            let n_keys = plan.metric.keys.len();
            if n_keys == 0 || matches!(plan.metric.window, Window::Session { .. }) {
                continue;
            }
            let mut keys: Vec<usize> = (0..n_keys).collect();
            keys.shuffle(&mut random);
            keys.truncate(random.random_range(1..=n_keys));
            check_totals(&serving, &plan.metric, &events, &keys);
            n_checked += 1;
        }
    }
    assert!(n_checked > 60, "{n_checked}");
}

/// The rows of a question, each without the name of its metric.
fn asked(
    evaluated: &Evaluated,
    metrics: &[AnyMetric],
    request: &ReadRequest,
    grain: Option<&Window>,
) -> Vec<Value> {
    let metric = metrics.iter().find(|metric| metric.name() == request.metric).expect("a metric");
    let reading = Reading::new(&metric.row_type(), request, grain.cloned());
    let reading = reading.unwrap_or_else(|error| panic!("{request:?}: {error}"));
    let rows = evaluated.rows(metric, &Imports::new(), &reading).expect("rows").whole().expect("all rows");
    let row = |line: String| {
        let mut row: Value = serde_json::from_str(&line).expect("JSON");
        row.as_object_mut().expect("an object").remove("metric");
        row
    };
    json_lines(&rows).map(row).collect()
}

/// Questions that a metric and one that is defined by its offset are asked alike.
fn questions(metric: &str, keys: &[&str]) -> Vec<ReadRequest> {
    let plain = ReadRequest { metric: metric.to_owned(), ..ReadRequest::default() };
    let bounds =
        |from: &str, to: &str| (Some(from.parse().expect("a date")), Some(to.parse().expect("a date")));
    let (from, to) = bounds("2026-03-10", "2026-06-01");
    let mut questions = vec![
        plain.clone(),
        ReadRequest { latest: true, ..plain.clone() },
        ReadRequest { by: Some(Vec::new()), ..plain.clone() },
        ReadRequest { fill: true, from, to, by: Some(Vec::new()), ..plain.clone() },
        ReadRequest { from, to, ..plain.clone() },
    ];
    for key in keys {
        let conditions = BTreeMap::from([("b".to_owned(), json!("true"))]);
        questions.push(ReadRequest { by: Some(vec![(*key).to_owned()]), ..plain.clone() });
        questions.push(ReadRequest { keys: conditions.clone(), ..plain.clone() });
        questions.push(ReadRequest { keys: conditions.clone(), latest: true, ..plain.clone() });
        questions.push(ReadRequest {
            keys: conditions,
            from,
            to,
            by: Some(vec![(*key).to_owned()]),
            ..plain.clone()
        });
    }
    questions
}

/// For windows and an offset of some of them: what is beside the rows of `m`, and the rows of `c`.
fn check_earlier(
    seed: u64,
    window: &str,
    (offset, n): (&str, u64),
    coarse: Option<(&str, &Window)>,
) -> usize {
    let values = |of: &str, changes: &[&str]| -> String {
        let change = |what: &&str| {
            let (now, then) = (format!("m.{of}"), format!("m.{of} offset {offset}"));
            match *what {
                "previous" => format!("{of}_previous: {then}, "),
                "difference" => format!("{of}_difference: {now} - {then}, "),
                _ => format!("{of}_ratio: {now} / {then}, "),
            }
        };
        changes.iter().map(change).collect()
    };
    let all = ["previous", "difference", "ratio"];
    let of_numbers: String = ["n", "sx", "sd", "mf", "u"].map(|of| values(of, &all)).concat();
    let beside = format!("{of_numbers}{}{}", values("hi", &all[..2]), values("f", &all[..1]));
    let body = coarse.map_or_else(String::new, |(body, _)| format!("{{ by k, b  {body} }}"));
    let text = format!(
        "{SOURCE}metric m = {{ n: count(), sx: sum(x), sd: sum(d), mf: mean(f), u: distinct(l), hi: max(at), f: first(k) }} \
         {{ from s  by k, b  {window} }}\nmetric r = {{ r: m.sx / m.n }}\n\
         metric c = {{ {beside} }} {body}\n\
         metric rc = {{ r_previous: r offset {offset}, r_difference: r - r offset {offset}, \
         r_ratio: r / r offset {offset} }} {body}\n"
    )
    .replace("metric r = { r: m.sx / m.n }", "metric r = m.sx / m.n")
    .replace("r_previous", "value_previous")
    .replace("r_difference", "value_difference")
    .replace("r_ratio", "value_ratio");
    let (metrics, engines) = evaluated(&text, seed);
    let mut n_checked = 0;
    for engine in &engines {
        for (metric, defined) in [("m", "c"), ("r", "rc")] {
            for question in questions(metric, &["k"]) {
                let grain = coarse.map(|(_, grain)| grain);
                let question = ReadRequest { compare: Some(n), ..question };
                if grain.is_some() && (question.from.is_some() || question.latest) {
                    continue;
                }
                let found = asked(engine, &metrics, &question, grain);
                let of_defined =
                    ReadRequest { metric: defined.to_owned(), compare: None, ..question.clone() };
                let expected = asked(engine, &metrics, &of_defined, None);
                let found = found
                    .into_iter()
                    .map(|row| json!({ "key": row["key"], "window": row["window"], "value": row["beside"] }));
                assert_eq!(found.collect::<Vec<_>>(), expected, "{window} {question:?}\n{text}");
                n_checked += expected.len();
            }
        }
    }
    n_checked
}

#[test]
fn earlier_windows_are_those_of_metrics_with_an_offset() {
    let mut n_rows = 0;
    for (seed, (window, offset, n)) in [
        ("every 1h", "2h", 2),
        ("every day in india", "1 day", 1),
        ("every day in brazil", "7 day", 7),
        ("every week in india", "1 week", 1),
        ("every month in brazil", "1 month", 1),
        ("over last 6h step 2h", "4h", 2),
    ]
    .into_iter()
    .enumerate()
    {
        n_rows += check_earlier(seed as u64 + 40, window, (offset, n), None);
    }
    // Hours make up days of every year of the log only where no offset of the zone ever had minutes.
    let grain = |unit| Window::Calendar(unit, Calendar::default());
    for (seed, (body, unit, offset, n)) in [
        ("every day in utc", CalendarUnit::Day, "3 day", 3),
        ("every month in utc", CalendarUnit::Month, "1 month", 1),
    ]
    .into_iter()
    .enumerate()
    {
        n_rows += check_earlier(seed as u64 + 50, "every 1h", (offset, n), Some((body, &grain(unit))));
    }
    assert!(n_rows > 2000, "{n_rows}");
}

#[test]
fn shares_are_those_of_metrics_that_divide_a_part_by_the_whole() {
    let values = "n: count(), sx: sum(x), sd: sum(d), mf: mean(f), u: distinct(l)";
    let names = ["n", "sx", "sd", "mf", "u"];
    let mut n_checked = 0;
    for (seed, window) in
        ["", "every 1h", "every month in brazil", "over last 6h step 2h"].into_iter().enumerate()
    {
        let divided = |part: &str, whole: &str| -> String {
            names.map(|name| format!("{name}_share: {part}.{name} / {whole}.{name}, ")).concat()
        };
        let text = format!(
            "{SOURCE}metric m = {{ {values} }} {{ from s  by k, b  {window} }}\n\
             metric d = {{ n: m.n, sx: m.sx, sd: m.sd, mf: m.mf, u: m.u }}\n\
             metric part = {{ {values} }} {{ from s where b  {window} }}\n\
             metric whole = {{ {values} }} {{ from s  {window} }}\n\
             metric part_of = {{ {values} }} {{ from s where b  by k  {window} }}\n\
             metric whole_of = {{ {values} }} {{ from s  by k  {window} }}\n\
             metric s = {{ {} }}\nmetric s_of = {{ {} }}\n",
            divided("part", "whole"),
            divided("part_of", "whole_of")
        );
        let (metrics, engines) = evaluated(&text, seed as u64 + 60);
        for engine in &engines {
            for metric in ["m", "d"] {
                for (by, within, defined) in [(&["b"][..], "", "s"), (&["b", "k"], ":k", "s_of")] {
                    let plain = ReadRequest { metric: metric.to_owned(), ..ReadRequest::default() };
                    let share = names.map(|name| format!("{name}{within}")).to_vec();
                    let by = Some(by.iter().map(|key| (*key).to_owned()).collect());
                    let rows = asked(engine, &metrics, &ReadRequest { share, by, ..plain }, None);
                    let of = ReadRequest { metric: defined.to_owned(), ..ReadRequest::default() };
                    let expected = asked(engine, &metrics, &of, None);
                    for mut row in rows.into_iter().filter(|row| row["key"]["b"] == true) {
                        row["key"].as_object_mut().expect("keys").remove("b");
                        let is_alike = |of: &&Value| of["key"] == row["key"] && of["window"] == row["window"];
                        let of = expected.iter().find(is_alike).expect("a row of the defined metric");
                        assert_eq!(row["beside"], of["value"], "{row}\n{text}");
                        n_checked += 1;
                    }
                }
            }
        }
    }
    assert!(n_checked > 300, "{n_checked}");
}
