//! Rows that a request selects, merges by fewer keys, orders and limits, against the interpreter, and against
//! metrics that are defined so.

use std::collections::BTreeMap;

use metricc::{LocalServing, ReadRequest, Served, Serving, ServingError};
use metricc_ir::{Metric, Window};
use metricc_tests::generate::files::{Layout, write_ndjson};
use metricc_tests::generate::logs::{LogOptions, log};
use metricc_tests::generate::metrics::package as random_package;
use metricc_tests::generate::sources::Shape;
use metricc_tests::generate::{Random, random};
use metricc_tests::oracle::{self, Event};
use rand::Rng;
use rand::seq::SliceRandom;
use serde_json::{Value, json};

use crate::layers::{bound, package};
use crate::pages::{block_on, paged, parts, serve};

fn lines(serving: &LocalServing, request: &ReadRequest) -> Result<Vec<String>, ServingError> {
    let Served { rows, .. } = block_on(serving.read(request.clone()))?;
    Ok(rows.iter().map(|row| row.get().to_owned()).collect())
}

fn of_metric(metric: &str) -> ReadRequest {
    ReadRequest { metric: metric.to_owned(), ..ReadRequest::default() }
}

/// Some of the keys of a metric, in any order.
fn some_keys(random: &mut Random, n_keys: usize) -> Vec<usize> {
    let mut keys: Vec<usize> = (0..n_keys).collect();
    keys.shuffle(random);
    keys.truncate(random.random_range(0..=n_keys));
    keys
}

/// A read by fewer keys has the rows that the interpreter computes for a metric with these keys.
fn check_by(random: &mut Random, serving: &LocalServing, metric: &Metric, events: &[Event]) -> bool {
    let kept = some_keys(random, metric.keys.len());
    let names = metric.row_type().keys.iter().map(|key| key.name.clone()).collect::<Vec<_>>();
    let by = kept.iter().map(|key| names[*key].clone()).collect();
    let request = ReadRequest { by: Some(by), ..of_metric(&metric.name) };
    let found = lines(serving, &request);
    let is_as_defined = kept.iter().copied().eq(0..metric.keys.len());
    if matches!(metric.window, Window::Session { .. }) && !is_as_defined {
        assert!(found.is_err_and(|error| error.to_string().contains("cannot be merged")), "{}", metric.name);
        return false;
    }
    let keys = kept.iter().map(|key| metric.keys[*key].clone()).collect();
    let expected = oracle::evaluate(&Metric { keys, ..metric.clone() }, events);
    let found = found.expect("rows by fewer keys");
    if let Err(mismatch) = oracle::compare(&expected, &found) {
        panic!("{} by {kept:?} of {names:?}: {mismatch}", metric.name);
    }
    let pages = ReadRequest { limit: Some(random.random_range(1..9)), ..request };
    assert_eq!(block_on(paged(serving, &pages)).expect("pages"), found, "{}", metric.name);
    true
}

/// Conditions on keys and on values keep the lines that have them.
fn check_conditions(random: &mut Random, serving: &LocalServing, all: &[String], metric: &Metric) -> bool {
    let parsed: Vec<Value> = all.iter().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let row_type = metric.row_type();
    let (Some(key), false) = (row_type.keys.first(), parsed.is_empty()) else { return false };
    let mut some: Vec<Value> =
        (0..3).map(|_| parsed[random.random_range(0..parsed.len())]["key"][&key.name].clone()).collect();
    some.dedup();
    let is_among = |row: &Value| some.contains(&row["key"][&key.name]);
    for is_not in [false, true] {
        let condition = if is_not { json!({ "not": some }) } else { json!(some) };
        let keys = BTreeMap::from([(key.name.clone(), condition)]);
        let request = ReadRequest { keys, ..of_metric(&metric.name) };
        let expected = all.iter().zip(&parsed).filter(|(_, row)| is_among(row) != is_not);
        let expected: Vec<&String> = expected.map(|(line, _)| line).collect();
        let found = lines(serving, &request).expect("selected rows");
        assert_eq!(found.iter().collect::<Vec<_>>(), expected, "{} where {:?}", metric.name, request.keys);
    }
    true
}

/// An order permutes the lines, and a limit of each window keeps its first ones.
fn check_order(random: &mut Random, serving: &LocalServing, all: &[String], metric: &Metric) -> bool {
    let row_type = metric.row_type();
    let output = &row_type.outputs[random.random_range(0..row_type.outputs.len())];
    let name = output.name.clone().unwrap_or_else(|| "value".to_owned());
    let is_descending = random.random_bool(0.5);
    let order = vec![format!("{}{name}", if is_descending { "-" } else { "" })];
    let request = ReadRequest { order, ..of_metric(&metric.name) };
    let Ok(found) = lines(serving, &request) else { return false };
    let [mut sorted, mut expected] = [found.clone(), all.to_vec()];
    sorted.sort();
    expected.sort();
    assert_eq!(sorted, expected, "{}", metric.name);
    let value = |line: &String| {
        let row: Value = serde_json::from_str(line).expect("JSON");
        let value = if output.name.is_some() { &row["value"][&name] } else { &row["value"] };
        value.as_f64().or_else(|| value.as_str()?.parse().ok())
    };
    let values: Vec<Option<f64>> = found.iter().map(value).collect();
    let is_number = row_type.outputs.iter().any(|of| of == output && is_number(&of.ty.kind));
    for pair in values.windows(2).filter(|_| is_number) {
        match (pair[0], pair[1]) {
            (Some(left), Some(right)) if is_descending => assert!(left >= right, "{}", metric.name),
            (Some(left), Some(right)) => assert!(left <= right, "{}", metric.name),
            (left, right) => {
                assert!(left.is_some() || right.is_none(), "{}: a null is not last", metric.name);
            }
        }
    }
    let pages = ReadRequest { limit: Some(random.random_range(1..9)), ..request.clone() };
    assert_eq!(block_on(paged(serving, &pages)).expect("pages"), found, "{}", metric.name);
    if metric.window != Window::AllTime {
        check_per_window(random, serving, &request, &found);
    }
    is_number
}

fn check_per_window(random: &mut Random, serving: &LocalServing, request: &ReadRequest, ordered: &[String]) {
    let most = random.random_range(1..4);
    let window = |line: &String| serde_json::from_str::<Value>(line).expect("JSON")["window"].to_string();
    let mut windows: Vec<String> = ordered.iter().map(window).collect();
    // Instants with equal offsets sort as texts; with others, the answer's own order of windows is taken.
    let plain = ReadRequest { order: Vec::new(), ..request.clone() };
    let in_order: Vec<String> = lines(serving, &plain).expect("all rows").iter().map(window).collect();
    windows.sort_by_key(|window| in_order.iter().position(|known| known == window));
    windows.dedup();
    let first =
        |of: &String| ordered.iter().filter(|line| window(line) == *of).take(most).collect::<Vec<_>>();
    let expected: Vec<&String> = windows.iter().flat_map(first).collect();
    let found = lines(serving, &ReadRequest { per_window: Some(most as u64), ..request.clone() });
    assert_eq!(found.expect("rows").iter().collect::<Vec<_>>(), expected, "{}", request.metric);
}

fn is_number(kind: &metricc_ir::Kind) -> bool {
    use metricc_ir::Kind;
    matches!(kind, Kind::Int | Kind::Int128 | Kind::Float | Kind::Decimal { .. })
}

#[test]
fn random_questions_have_the_rows_of_metrics_that_are_defined_so() {
    let mut n_checked = [0; 3];
    for seed in 0..40 {
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
            let metric = &plan.metric;
            let all = lines(&serving, &of_metric(&metric.name)).expect("all rows");
            let checked = [
                check_by(&mut random, &serving, metric, &events),
                check_conditions(&mut random, &serving, &all, metric),
                check_order(&mut random, &serving, &all, metric),
            ];
            n_checked.iter_mut().zip(checked).for_each(|(n, is_checked)| *n += usize::from(is_checked));
        }
    }
    assert!(n_checked.iter().all(|n| *n > 100), "{n_checked:?}");
}
