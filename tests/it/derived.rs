//! Derived metrics give the same rows as one base metric with the whole formula, in every engine.

use std::collections::{BTreeMap, BTreeSet};

use metricc::user_defined::Imports;
use metricc::{Bound, Engine, Evaluated, evaluate, evaluate_interval};
use metricc_ir::{AnyMetric, Value};
use metricc_log::Interval;
use metricc_runtime_serve::{Presented, ReadOptions, json_lines, value_at};
use metricc_tests::generate::files::{Layout, write_ndjson};
use metricc_tests::generate::logs::{self, LogOptions};

use crate::layers::{bound, options, package};

pub(crate) const SOURCE: &str = "source s { id: string key  part: int key  at: timestamp time  x: int  d: decimal(9, 2)?  f: float  b: bool  k: string?  l: int }
calendar utc { zone \"UTC\" }
calendar india { zone \"Asia/Kolkata\", week sunday }
calendar brazil { zone \"America/Sao_Paulo\" }
";

/// Aggregates with their names, in the order of the letters.
const OPERANDS: [(&str, &str, &str); 6] = [
    ("n", "count()", ""),
    ("sx", "sum(x)", ""),
    ("sb", "sum(d)", "where b"),
    ("hi", "max(x)", ""),
    ("lo", "min(x)", "where not b"),
    ("mf", "mean(f)", "where b"),
];
/// Formulas, over operands and over aggregates.
const FORMULAS: [(&str, &str); 6] = [
    ("sx / n", "sum(x) / count()"),
    ("sb / n", "(sum(d) where b) / count()"),
    ("hi - lo", "max(x) - (min(x) where not b)"),
    ("(lo ?? 0) + n * 2", "((min(x) where not b) ?? 0) + count() * 2"),
    ("if mf > 0 then mf else none", "if (mean(f) where b) > 0 then (mean(f) where b) else none"),
    ("n + 0 * sx", "count() + 0 * sum(x)"),
];
const WINDOWS: [&str; 8] = [
    "",
    "every 1h",
    "every day in india",
    "every week in india",
    "every month in brazil",
    "every year in utc",
    "over last 6h step 2h",
    "session gap 1h",
];
const KEYS: [&str; 3] = ["", "by k", "by b, k"];

fn operands(prefix: &str, keys: &str, window: &str) -> String {
    let metric = |(name, aggregate, filter): &(&str, &str, &str)| {
        format!("metric {prefix}{name} = {aggregate} {{ from s  {filter}  {keys}  {window} }}\n")
    };
    OPERANDS.iter().map(metric).collect()
}

fn renamed(formula: &str, prefix: &str) -> String {
    let is_name = |word: &str| OPERANDS.iter().any(|(name, ..)| *name == word);
    let rename = |word: &str| {
        let bare = word.trim_matches(['(', ')']);
        if is_name(bare) { word.replace(bare, &format!("{prefix}{bare}")) } else { word.to_owned() }
    };
    formula.split(' ').map(rename).collect::<Vec<_>>().join(" ")
}

/// A random log, and all metrics over it by batch, by stream and merged.
pub(crate) fn evaluated(text: &str, seed: u64) -> (Vec<AnyMetric>, [Evaluated; 3]) {
    let package = package(text);
    let source = package.checked.package.sources[0].clone();
    let events = logs::log(&source, &LogOptions::new(seed, 60));
    let folder = tempfile::tempdir().expect("a temporary folder");
    write_ndjson(folder.path(), &source, &events, &Layout { seed, n_files: 2, is_hostile: false })
        .expect("the log is written");
    let bound = bound(&package, folder.path());
    let whole = Interval::new(bound.log.start(), bound.log.end()).expect("the whole log");
    let by = |engine: Engine| {
        let found = evaluate_interval(&bound, engine, &whole, &options(2, 7), &|_| ());
        added(&bound, found.expect("it evaluates").segments)
    };
    let cut = bound.log.frontier_at(23);
    let merged = evaluate(&bound, None, &cut, &options(1, 5), &|_| ()).expect("it evaluates").segments;
    (
        package.checked.package.all_metrics().collect(),
        [by(Engine::Batch), by(Engine::Stream), added(&bound, merged)],
    )
}

fn added(bound: &Bound, segments: Vec<metricc_compiler::Segment>) -> Evaluated {
    let mut evaluated = Evaluated::default();
    evaluated.add(&bound.plan, segments);
    evaluated
}

fn read(evaluated: &Evaluated, metrics: &[AnyMetric], name: &str, reading: &ReadOptions) -> Presented {
    let metric = metrics.iter().find(|metric| metric.name() == name).expect("a metric of the package");
    evaluated.read(metric, &Imports::new(), reading).expect("it is read")
}

/// The rows of a metric without its name.
fn lines(evaluated: &Evaluated, metrics: &[AnyMetric], name: &str) -> Vec<String> {
    let presented = read(evaluated, metrics, name, &ReadOptions::default());
    let head = format!("{{\"metric\":\"{name}\",");
    json_lines(&presented).map(|line| line.strip_prefix(&head).expect("its name").to_owned()).collect()
}

#[test]
fn a_derived_metric_equals_one_metric_with_its_formula() {
    let mut n_rows = 0;
    for (seed, window) in WINDOWS.iter().enumerate() {
        for keys in KEYS {
            let mut text = format!("{SOURCE}{}", operands("", keys, window));
            // Sessions over other events differ.
            let is_said = |index: &usize| !window.starts_with("session") || [0, 5].contains(index);
            let said: Vec<usize> = (0..FORMULAS.len()).filter(is_said).collect();
            for &index in &said {
                let (of_metrics, at_once) = FORMULAS[index];
                text.push_str(&format!("metric m{index} = {{ v: {of_metrics}, n: n }}\n"));
                text.push_str(&format!(
                    "metric e{index} = {{ v: {at_once}, n: count() }} {{ from s  {keys}  {window} }}\n"
                ));
            }
            let (metrics, layers) = evaluated(&text, seed as u64);
            for index in said {
                let expected = lines(&layers[0], &metrics, &format!("e{index}"));
                n_rows += expected.len();
                for layer in &layers {
                    let found = lines(layer, &metrics, &format!("m{index}"));
                    assert_eq!(found, expected, "{} {keys} {window}", FORMULAS[index].0);
                }
            }
        }
    }
    assert!(n_rows > 2_000, "{n_rows}");
}

#[test]
fn coarser_windows_and_fewer_keys_are_rolled_up_from_states() {
    let cases = [
        ("every 1h", "by k", "every day in utc", "by k"),
        ("every 1h", "by b, k", "every 6h", "by k"),
        ("every day in india", "by b, k", "every month in india", "by b"),
        ("every month in brazil", "", "every year in brazil", ""),
        ("over last 6h step 2h", "by b, k", "over last 6h step 2h", "by k"),
        ("", "by b, k", "", "by b"),
    ];
    for (seed, (window, keys, coarse, kept)) in cases.iter().enumerate() {
        let body = if coarse == window { (*kept).to_owned() } else { format!("{kept}  {coarse}") };
        let mut text = format!("{SOURCE}{}{}", operands("", keys, window), operands("c_", kept, coarse));
        for (index, (formula, _)) in FORMULAS.iter().enumerate() {
            text.push_str(&format!("metric m{index} = {{ v: {formula}, n: n }} {{ {body} }}\n"));
            text.push_str(&format!("metric e{index} = {{ v: {}, n: c_n }}\n", renamed(formula, "c_")));
        }
        let (metrics, layers) = evaluated(&text, seed as u64);
        for index in 0..FORMULAS.len() {
            let expected = lines(&layers[0], &metrics, &format!("e{index}"));
            assert!(!expected.is_empty());
            for layer in &layers {
                assert_eq!(lines(layer, &metrics, &format!("m{index}")), expected, "{text}");
            }
        }
    }
}

/// The values of a plain int by start and key.
fn values(presented: &Presented) -> BTreeMap<(i64, String), i128> {
    let windows = presented.windows.as_ref().expect("it has windows");
    let kind = &presented.row_type.outputs[0].ty.kind;
    let value = |row: usize| match value_at(kind, &presented.outputs[0], row) {
        Value::Int(value) => i128::from(value),
        Value::Decimal(value) => value,
        other => panic!("{other:?}"),
    };
    let key =
        |row: usize| format!("{:?}", value_at(&presented.row_type.keys[0].ty.kind, &presented.keys[0], row));
    (0..presented.n_rows).map(|row| ((windows[row].0, key(row)), value(row))).collect()
}

#[test]
fn an_offset_looks_back_by_windows_up_to_the_last_one() {
    const HOUR: i64 = 3_600_000_000;
    // Ten instants, at least a window apart, so that windows meet past windows.
    let folder = tempfile::tempdir().expect("a temporary folder");
    let hours = [0, 1, 2, 5, 7, 8, 24, 25, 31, 49];
    let records = hours.iter().enumerate().map(|(id, hour)| {
        let at = format!("2026-04-{:02}T{:02}:30:00Z", 25 + hour / 24, hour % 24);
        format!("{{\"id\":\"{id}\",\"part\":0,\"at\":\"{at}\",\"x\":1,\"f\":0,\"b\":true,\"k\":\"{}\",\"l\":0}}\n", id % 2)
    });
    let path = folder.path().join("s.ndjson");
    std::fs::write(&path, records.collect::<String>()).expect("it is written");
    for (window, offset, shift) in [
        ("every 1h", "1h", HOUR),
        ("every 1h", "24h", 24 * HOUR),
        ("every day in utc", "1 day", 24 * HOUR),
        ("over last 3h step 1h", "2h", 2 * HOUR),
    ] {
        let text = format!(
            "{SOURCE}metric n = count() {{ from s  by k  {window} }}\nmetric c = n - n offset {offset}\nmetric back = n offset {offset}"
        );
        let package = package(&text);
        let bound = bound(&package, &path);
        let whole = Interval::new(bound.log.start(), bound.log.end()).expect("the whole log");
        let found =
            evaluate_interval(&bound, Engine::Stream, &whole, &options(2, 3), &|_| ()).expect("it evaluates");
        let evaluated = added(&bound, found.segments);
        let metrics: Vec<AnyMetric> = package.checked.package.all_metrics().collect();
        let now = values(&read(&evaluated, &metrics, "n", &ReadOptions::default()));
        let last = now.keys().map(|(start, _)| *start).max().expect("a window");
        let before = |(start, key): &(i64, String)| (start + shift, key.clone());
        let groups: BTreeSet<(i64, String)> = now.keys().cloned().chain(now.keys().map(before)).collect();
        let of = |group: &(i64, String)| now.get(group).copied().unwrap_or(0);
        let expected = groups
            .iter()
            .filter(|(start, _)| *start <= last)
            .map(|group| (group.clone(), of(group) - of(&(group.0 - shift, group.1.clone()))));
        let change = values(&read(&evaluated, &metrics, "c", &ReadOptions::default()));
        assert_eq!(change, expected.collect(), "{window} {offset}");
        let back = values(&read(&evaluated, &metrics, "back", &ReadOptions::default()));
        assert_eq!(
            back,
            now.iter().map(|(group, value)| (before(group), *value)).collect(),
            "{window} {offset}"
        );
        // A range selects windows of the derived metric, not of its operands.
        let middle = last - 3 * shift.min(8 * HOUR);
        let range = ReadOptions { from: Some(middle), ..ReadOptions::default() };
        let ranged = values(&read(&evaluated, &metrics, "c", &range));
        assert_eq!(
            ranged,
            change.into_iter().filter(|((start, _), _)| *start >= middle).collect(),
            "{window}"
        );
    }
}

#[test]
fn a_metric_over_two_sources_joins_their_rows() {
    let text = "source a { id: int key  at: timestamp time  k: string }
source b { id: int key  at: timestamp time  k: string }
metric in_a = count() { from a  by k }
metric in_b = count() { from b  by k }
metric share = in_a / in_b
metric both = in_a + in_b";
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut bindings = Vec::new();
    for (name, keys) in [("a", ["x", "x", "y"]), ("b", ["x", "z", "z"])] {
        let path = folder.path().join(format!("{name}.ndjson"));
        let records = keys
            .iter()
            .enumerate()
            .map(|(id, key)| format!("{{\"id\":{id},\"at\":\"2026-04-25T10:00:00Z\",\"k\":\"{key}\"}}\n"));
        std::fs::write(&path, records.collect::<String>()).expect("it is written");
        bindings.push((name.to_owned(), metricc_log::Binding::new(path.to_string_lossy())));
    }
    let package = package(text);
    let selection = package.select(&["share".to_owned(), "both".to_owned()]).expect("they are there");
    assert_eq!(selection.base.len(), 2);
    let bound = metricc::bind(&package, &selection.base, &bindings, &|_, _| ()).expect("they open");
    let mut evaluated = Evaluated::default();
    for bound in &bound {
        let whole = Interval::new(bound.log.start(), bound.log.end()).expect("the whole log");
        let found = evaluate_interval(bound, Engine::Batch, &whole, &options(1, 8), &|_| ());
        evaluated.add(&bound.plan, found.expect("it evaluates").segments);
    }
    let found: Vec<Vec<String>> =
        ["share", "both"].iter().map(|name| lines(&evaluated, &selection.wanted, name)).collect();
    let row =
        |key: &str, value: &str| format!("\"key\":{{\"k\":\"{key}\"}},\"window\":null,\"value\":{value}}}");
    assert_eq!(found[0], [row("x", "2.0"), row("y", "null"), row("z", "0.0")]);
    assert_eq!(found[1], [row("x", "3"), row("y", "1"), row("z", "2")]);
    // An operand that was not evaluated is an error, not empty.
    let other = Evaluated::default();
    assert!(other.read(&selection.wanted[0], &Imports::new(), &ReadOptions::default()).is_err());
}
