//! The law at the door of SQL: MEASURE under random GROUP BYs is what a metric with those keys and windows gives.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use metricc::{Engine, EngineOptions, Package, evaluate_interval};
use metricc_ir::{Metric, Window};
use metricc_log::Interval;
use metricc_runtime_serve::{present, record_batch};
use metricc_sql::Tables;
use metricc_tests::generate::files::{Layout, write_ndjson};
use metricc_tests::generate::logs::{LogOptions, log};
use metricc_tests::generate::metrics::package as random_package;
use metricc_tests::generate::sources::Shape;
use metricc_tests::generate::{Random, random};
use rand::Rng;
use rand::seq::SliceRandom;

use crate::rows::{query, sorted_rows};
use crate::served::{all_bound, bound, package, serve, tables};

/// How a statement groups a metric's windows.
#[derive(Debug, Clone, PartialEq)]
enum Windows {
    /// Each by itself.
    Own,
    /// So many of them together.
    Longer(i64),
    /// All together.
    All,
}

impl Windows {
    fn random(random: &mut Random, window: &Window) -> Self {
        let is_fixed = matches!(window, Window::Tumbling(_));
        match random.random_range(0..3) {
            _ if *window == Window::AllTime => Windows::Own,
            0 if is_fixed => Windows::Longer(random.random_range(2..5)),
            1 if is_fixed || matches!(window, Window::Calendar(..)) => Windows::All,
            _ => Windows::Own,
        }
    }

    /// The windows of the metric that is declared so.
    fn declared(&self, window: &Window) -> Window {
        match (self, window) {
            (Windows::Longer(times), Window::Tumbling(width)) => Window::Tumbling(width * times),
            (Windows::All, _) => Window::AllTime,
            (_, window) => window.clone(),
        }
    }

    /// The expression that groups by them.
    fn expression(&self, window: &Window) -> Option<String> {
        match (self, window) {
            (_, Window::AllTime) | (Windows::All, _) => None,
            // `date_bin` computes in nanoseconds, which end in 2262.
            (Windows::Longer(times), Window::Tumbling(width)) => {
                let (start, width) = ("arrow_cast(window_start, 'Int64')", width * times);
                Some(format!("{start} - (({start} % {width}) + {width}) % {width}"))
            }
            _ => Some("window_start".to_owned()),
        }
    }
}

/// The rows of the metric as it would be declared: the start of the window, keys, outputs.
fn declared(text: &Package, metric: Metric, folder: &std::path::Path) -> RecordBatch {
    let bound = bound(text, &[Arc::new(metric)], folder);
    let all = Interval::new(bound.log.start(), bound.log.end()).expect("the whole log");
    let evaluation = evaluate_interval(&bound, Engine::Batch, &all, &EngineOptions::default(), &|_| ());
    let segment = &evaluation.expect("it evaluates").segments[0];
    let rows = record_batch(&present(&bound.plan.metrics[0], segment).expect("rows")).expect("columns");
    let kept: Vec<usize> = (0..rows.num_columns())
        .filter(|column| rows.schema().field(*column).name() != "window_end")
        .collect();
    rows.project(&kept).expect("columns")
}

/// The same rows, with the start of the window as microseconds.
fn with_int_start(rows: &RecordBatch) -> RecordBatch {
    let mut columns = rows.columns().to_vec();
    columns[0] = cast(&columns[0], &DataType::Int64).expect("microseconds");
    let fields: Vec<(String, ArrayRef)> =
        rows.schema().fields().iter().map(|field| field.name().clone()).zip(columns).collect();
    RecordBatch::try_from_iter_with_nullable(fields.into_iter().map(|(name, column)| (name, column, true)))
        .expect("rows")
}

/// Checks one random statement over a metric; whether it has one.
fn check(
    random: &mut Random,
    tables: &Tables,
    text: &Package,
    metric: &Metric,
    folder: &std::path::Path,
) -> bool {
    let row_type = metric.row_type();
    let mut kept: Vec<usize> = (0..metric.keys.len()).collect();
    kept.shuffle(random);
    kept.truncate(random.random_range(0..=metric.keys.len()));
    let windows = Windows::random(random, &metric.window);
    let groups = windows.expression(&metric.window).into_iter();
    let groups: Vec<String> =
        groups.chain(kept.iter().map(|key| format!("\"{}\"", row_type.keys[*key].name))).collect();
    let function = ["MEASURE", "AGG", "AGGREGATE"][random.random_range(0..3)];
    let outputs = row_type.output_names().map(|name| format!("{function}(\"{name}\")"));
    let columns: Vec<String> = groups.iter().cloned().chain(outputs).collect();
    let by = if groups.is_empty() { String::new() } else { format!(" GROUP BY {}", groups.join(", ")) };
    let statement = format!("SELECT {} FROM \"{}\"{by}", columns.join(", "), metric.name);
    let found = query(tables, &statement);
    if matches!(metric.window, Window::Session { .. }) && kept.len() < metric.keys.len() {
        assert!(found.is_err_and(|error| error.to_string().contains("do not merge")), "{statement}");
        return false;
    }
    let keys = kept.iter().map(|key| metric.keys[*key].clone()).collect();
    let window = windows.declared(&metric.window);
    let expected = declared(text, Metric { keys, window, ..metric.clone() }, folder);
    let found = found.unwrap_or_else(|error| panic!("{statement}: {error}"));
    let expected = if matches!(windows, Windows::Longer(_)) { with_int_start(&expected) } else { expected };
    let types = |rows: &RecordBatch| {
        rows.columns().iter().map(|column| column.data_type().clone()).collect::<Vec<_>>()
    };
    assert_eq!(types(&found), types(&expected), "{statement}");
    assert_eq!(sorted_rows(&found), sorted_rows(&expected), "{statement}\n{found:?}\n{expected:?}");
    true
}

#[test]
fn measures_of_random_groups_are_the_outputs_of_metrics_that_are_declared_so() {
    let mut n_checked = 0;
    for seed in 0..24 {
        let shape = Shape::all()[seed as usize % 8];
        let text = package(&random_package(seed, shape, 8).text);
        let folder = tempfile::tempdir().expect("a temporary folder");
        let events = log(&shape.source(), &LogOptions::new(seed, 70));
        let layout = Layout { seed, n_files: 2, is_hostile: false };
        write_ndjson(folder.path(), &shape.source(), &events, &layout).expect("the log is written");
        let bound = all_bound(&text, folder.path());
        let tables = tables(&serve(&bound, &[]), &bound);
        let mut random = random(seed);
        for plan in &bound.plan.metrics {
            for _ in 0..2 {
                n_checked += usize::from(check(&mut random, &tables, &text, &plan.metric, folder.path()));
            }
        }
    }
    assert!(n_checked > 200, "{n_checked}");
}
