//! The law: over random well-typed metrics and random logs, batch = stream = merged = the naive interpreter.

use std::collections::BTreeSet;

use metricc::{Bound, Engine};
use metricc_ir as ir;
use metricc_log::Frontier;
use metricc_tests::generate::files::{Layout, write_csv, write_json, write_ndjson};
use metricc_tests::generate::logs::{self, LogOptions};
use metricc_tests::generate::metrics::{self as generated_metrics, Coverage, Generated};
use metricc_tests::generate::parquet_files::write_parquet;
use metricc_tests::generate::sources::Shape;
use metricc_tests::generate::{self, Random};
use metricc_tests::oracle;
use rand::Rng;

use crate::layers::{bound, every_cut, merged, metrics, options, package, shared, whole};

/// Logs of at most this length are cut at every position, longer ones at a few random frontiers.
const SHORT_LOG: u64 = 8;
/// Number of random cuts of a longer log.
const N_CUTS: usize = 2;

/// A stream in several processes is tried for one of so many packages.
const N_BETWEEN_SHARED: u64 = 3;

/// Number of random packages before gaps in the coverage table are filled.
const N_PACKAGES: u64 = 120;
const N_METRICS: usize = 16;
/// Maximum number of random metrics to generate for the gaps. Only metrics that fill a gap are tested.
const N_CANDIDATES: u64 = 60_000;
/// Number of windows (of nine) in which each operator must occur with each aggregate.
const N_WINDOWS: usize = 4;

/// Tests one random package over one random log in one format.
fn check(seed: u64, generated: &Generated, coverage: &mut Coverage) {
    let shape = generated.shape;
    let mut random = generate::random(seed);
    let n_events = match random.random_range(0..4) {
        0 => random.random_range(0..6),
        _ => random.random_range(6..90),
    };
    let events = logs::log(&shape.source(), &LogOptions::new(seed, n_events));
    let folder = tempfile::tempdir().expect("a temporary folder");
    let format = random.random_range(0..4);
    let layout = Layout { seed, n_files: random.random_range(1..4), is_hostile: format == 0 };
    let source = shape.source();
    let written = match format {
        0 => write_ndjson(folder.path(), &source, &events, &layout),
        1 if !shape.has_lists => write_csv(folder.path(), &source, &events, &layout),
        2 => write_json(folder.path(), &source, &events, &layout),
        _ => write_parquet(folder.path(), &source, &events, &layout, random.random_range(1..40)),
    }
    .expect("the log is written");
    let package = package(&generated.text);
    let bound = bound(&package, folder.path());
    let expected: Vec<Vec<oracle::Row>> =
        metrics(&bound).iter().map(|metric| oracle::evaluate(metric, &events)).collect();
    let (batch, findings) =
        whole(&bound, Engine::Batch, &options(random.random_range(1..4), batch_rows(&mut random)));
    assert_eq!(findings.n_quarantined as usize, written.n_hostile, "seed {seed}: {:?}", findings.quarantined);
    for ((metric, expected), lines) in metrics(&bound).iter().zip(&expected).zip(&batch) {
        if let Err(mismatch) = oracle::compare(expected, lines) {
            let text = text_of(&generated.text, &metric.name);
            let kept = folder.keep();
            panic!(
                "seed {seed}, log kept at {}, batch against the interpreter: {mismatch}\n{text}",
                kept.display()
            );
        }
    }
    let (stream, found_by_stream) =
        whole(&bound, Engine::Stream, &options(random.random_range(1..4), batch_rows(&mut random)));
    same(seed, "stream", &metrics(&bound), &batch, &stream, &generated.text);
    assert_eq!(findings, found_by_stream, "seed {seed}: findings of batch and stream");
    if seed.is_multiple_of(N_BETWEEN_SHARED) {
        let n_processes = random.random_range(2..4);
        let options = options(random.random_range(1..3), batch_rows(&mut random));
        let (shared, found) = shared(&bound, n_processes, &options);
        let who = format!("a stream in {n_processes} processes");
        same(seed, &who, &metrics(&bound), &batch, &shared, &generated.text);
        assert_eq!(findings, found, "seed {seed}: findings of batch and {who}");
    }
    for cut in cuts(&bound, &mut random) {
        let options = options(random.random_range(1..3), batch_rows(&mut random));
        let merged = merged(&bound, &cut, &options);
        same(seed, &format!("merged at {cut}"), &metrics(&bound), &batch, &merged, &generated.text);
    }
    generated.metrics.iter().for_each(|(_, uses)| coverage.add(uses));
}

fn same(
    seed: u64,
    who: &str,
    metrics: &[std::sync::Arc<ir::Metric>],
    batch: &[Vec<String>],
    other: &[Vec<String>],
    text: &str,
) {
    for ((metric, batch), other) in metrics.iter().zip(batch).zip(other) {
        assert_eq!(batch, other, "seed {seed}: batch and {who}\n{}", text_of(text, &metric.name));
    }
}

/// The text of one metric of a package.
fn text_of<'a>(package: &'a str, metric: &str) -> &'a str {
    let start = package.find(&format!("metric {metric} =")).unwrap_or(0);
    let rest = &package[start..];
    &rest[..rest[1..].find("\nmetric ").map_or(rest.len(), |end| end + 1)]
}

fn batch_rows(random: &mut Random) -> usize {
    [1, 2, 7, 64, 8192][random.random_range(0..5)]
}

/// Every prefix of a short log; for a longer one a few random frontiers, most of which are not prefixes.
fn cuts(bound: &Bound, random: &mut Random) -> Vec<Frontier> {
    if bound.log.n_positions() <= SHORT_LOG {
        return every_cut(bound).collect();
    }
    let end = bound.log.end();
    (0..N_CUTS)
        .map(|_| Frontier(end.0.iter().map(|&offset| random.random_range(0..=offset)).collect()))
        .collect()
}

fn shape_of(seed: u64) -> Shape {
    let shapes = Shape::all();
    shapes[seed as usize % shapes.len()]
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().and_then(|number| number.parse().ok())
}

/// `METRICC_LAW_SEED=7 METRICC_LAW_PACKAGES=1` repeats one package. Other numbers search more.
#[test]
fn batch_stream_merged_and_the_interpreter_agree_on_random_metrics_and_logs() {
    let mut coverage = Coverage::default();
    let first = number("METRICC_LAW_SEED").unwrap_or(0);
    for seed in first..first + number("METRICC_LAW_PACKAGES").unwrap_or(N_PACKAGES) {
        check(seed, &generated_metrics::package(seed, shape_of(seed), N_METRICS), &mut coverage);
    }
    if number("METRICC_LAW_PACKAGES").is_some() {
        return;
    }
    // For rare combinations of operator and aggregate: generate more metrics, and test those that fill a gap.
    let mut missing: BTreeSet<_> = coverage.rare(N_WINDOWS).into_iter().collect();
    for seed in N_PACKAGES..N_PACKAGES + N_CANDIDATES {
        if missing.is_empty() {
            break;
        }
        let generated = generated_metrics::metric_package(seed, shape_of(seed));
        let combinations = generated.metrics[0].1.combinations();
        if !missing.is_disjoint(&combinations) {
            check(seed, &generated, &mut coverage);
            missing = coverage.rare(N_WINDOWS).into_iter().collect();
        }
    }
    assert!(
        missing.is_empty(),
        "{} cells of the coverage table are empty: {missing:?}\n{coverage}",
        missing.len()
    );
}
