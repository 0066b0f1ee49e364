//! Helpers: a package over a log in batch, in stream and merged at cuts, as JSON lines.

use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use metricc::{Bound, Engine, EngineOptions, Package, bind, evaluate, evaluate_interval};
use metricc_compiler::{Evaluation, Segment};
use metricc_dsl::{SourceText, render};
use metricc_ir as ir;
use metricc_log::{Binding, Frontier, Interval, ReadStats};
use metricc_runtime_serve::{json_lines, present};
use metricc_runtime_stream::{Meeting, evaluate_share};
use metricc_tests::generate::metrics::FILES;

/// Checks a package, which may use the tables of generated packages. Panics with the diagnostics if there are
/// errors.
pub(crate) fn package(text: &str) -> Package {
    let source = SourceText { name: "test.metric".to_owned(), bytes: text.into() };
    let package = Package::from_text_with(source, FILES);
    assert!(
        !package.checked.has_errors(),
        "{}\n{text}",
        render::short(&package.checked.diagnostics, &package.text)
    );
    package
}

/// Binds all metrics of a package over its one source to a path.
pub(crate) fn bound(package: &Package, path: &Path) -> Bound {
    let metrics = package.metrics(&[]).expect("the package has metrics");
    let source = metrics[0].source.name.clone();
    let binding = (source, Binding::new(path.to_string_lossy()));
    let mut bound = bind(package, &metrics, &[binding], &|_, _| ()).expect("the log opens");
    assert_eq!(bound.len(), 1, "one source");
    bound.remove(0)
}

/// The options of the engines in a comparison.
pub(crate) fn options(workers: usize, batch_rows: usize) -> EngineOptions {
    EngineOptions { workers, batch_rows: Some(batch_rows), ..EngineOptions::default() }
}

/// The JSON lines of each metric, over the whole log, from one engine.
pub(crate) fn whole(bound: &Bound, engine: Engine, options: &EngineOptions) -> (Vec<Vec<String>>, ReadStats) {
    let interval = Interval::new(bound.log.start(), bound.log.end()).expect("the whole log");
    let evaluation =
        evaluate_interval(bound, engine, &interval, options, &|_| ()).expect("the engine evaluates");
    (lines(bound, &evaluation.segments), evaluation.read_stats)
}

/// The JSON lines of each metric, over the whole log, from a stream in several processes. Here they are
/// threads with connections between them.
pub(crate) fn shared(
    bound: &Bound,
    n_processes: usize,
    options: &EngineOptions,
) -> (Vec<Vec<String>>, ReadStats) {
    let whole = Interval::new(bound.log.start(), bound.log.end()).expect("the whole log");
    let mut splits = bound.log.slices(&whole, n_processes);
    splits.resize(n_processes, Vec::new());
    let mut at = whole.from().clone();
    let shares = splits.iter().map(|slices| {
        let from = at.clone();
        slices.iter().for_each(|slice| at.0[slice.partition as usize] = slice.to);
        Interval::new(from, at.clone()).expect("a share")
    });
    let shares: Vec<Interval> = shares.collect();
    let listen = |_| TcpListener::bind("127.0.0.1:0").expect("a free port");
    let listeners: Vec<TcpListener> = (0..n_processes).map(listen).collect();
    let address = |listener: &TcpListener| listener.local_addr().expect("its address").to_string();
    let addresses: Vec<String> = listeners.iter().map(address).collect();
    let part = |process: usize| {
        let within = Duration::from_secs(60);
        let facts = Vec::new();
        let meeting =
            Meeting { run: &[7; 32], facts: &facts, card: "", addresses: &addresses, process, within };
        let peers = meeting.connect(&listeners[process]).expect("the others are there");
        let of = (&shares[process], &whole);
        evaluate_share(&bound.plan, &bound.log, of, peers, options, &|_| ()).expect("it evaluates")
    };
    let evaluations: Vec<Evaluation> = std::thread::scope(|scope| {
        let running: Vec<_> = (0..n_processes)
            .map(|process| {
                let part = &part;
                scope.spawn(move || part(process))
            })
            .collect();
        running.into_iter().map(|running| running.join().expect("its part")).collect()
    });
    let mut read_stats = ReadStats::default();
    evaluations.iter().for_each(|evaluation| read_stats.merge(evaluation.read_stats.clone()));
    let merged = bound.plan.metrics.iter().enumerate().map(|(index, plan)| {
        let states: Vec<_> = evaluations.iter().map(|part| part.segments[index].states.clone()).collect();
        let states = plan.form.collect(&states).expect("states merge");
        Segment { hash: plan.state_hash, interval: whole.clone(), states }
    });
    (lines(bound, &merged.collect::<Vec<_>>()), read_stats)
}

/// The JSON lines of each metric: batch before the cut, stream after it, merged.
pub(crate) fn merged(bound: &Bound, cut: &Frontier, options: &EngineOptions) -> Vec<Vec<String>> {
    let evaluation = evaluate(bound, None, cut, options, &|_| ()).expect("the engines evaluate");
    lines(bound, &evaluation.segments)
}

fn lines(bound: &Bound, segments: &[Segment]) -> Vec<Vec<String>> {
    let plans = bound.plan.metrics.iter().zip(segments);
    plans
        .map(|(plan, segment)| json_lines(&present(plan, segment).expect("states present")).collect())
        .collect()
}

/// A cut after every prefix of the log.
pub(crate) fn every_cut(bound: &Bound) -> impl Iterator<Item = Frontier> + '_ {
    (0..=bound.log.n_positions()).map(|n| bound.log.frontier_at(n))
}

/// All metrics of a package, in order.
pub(crate) fn metrics(bound: &Bound) -> Vec<Arc<ir::Metric>> {
    bound.plan.metrics.iter().map(|plan| plan.metric.clone()).collect()
}

/// Evaluates `text` over NDJSON lines in batch, in stream and merged at every cut. Asserts that all agree,
/// and returns the lines of all metrics.
pub(crate) fn agreed(text: &str, records: &[&str]) -> Vec<String> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("events.ndjson");
    std::fs::write(&path, records.iter().map(|record| format!("{record}\n")).collect::<String>())
        .expect("the log is written");
    agreed_at(text, &path)
}

/// As [`agreed`], over the log at a path.
pub(crate) fn agreed_at(text: &str, path: &Path) -> Vec<String> {
    let package = package(text);
    let bound = bound(&package, path);
    let (batch, found) = whole(&bound, Engine::Batch, &options(2, 3));
    for workers in [1, 2] {
        let (stream, found_by_stream) = whole(&bound, Engine::Stream, &options(workers, 2));
        assert_eq!(batch, stream, "batch and stream with {workers} workers");
        assert_eq!(found, found_by_stream, "findings of batch and stream");
    }
    for cut in every_cut(&bound) {
        assert_eq!(batch, merged(&bound, &cut, &options(1, 2)), "merged at {cut}");
    }
    batch.into_iter().flatten().collect()
}
