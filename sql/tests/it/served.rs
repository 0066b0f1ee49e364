//! Helpers: a package over a log, served in this process.

use std::path::Path;
use std::sync::Arc;

use metricc::{Bound, Engine, EngineOptions, LocalServing, Package, bind, evaluate_interval};
use metricc_compiler::{DerivedPlan, MetricPlan, Segment};
use metricc_dsl::{SourceText, render};
use metricc_ir::{AnyMetric, Metric};
use metricc_log::{Binding, Frontier, Interval, Log};
use metricc_sql::{SourceLog, SourceTable, Tables};
use metricc_tests::generate::metrics::FILES;

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

/// Base metrics of one source, over a log.
pub(crate) fn bound(package: &Package, metrics: &[Arc<Metric>], log: &Path) -> Bound {
    let binding = (metrics[0].source.name.clone(), Binding::new(log.to_string_lossy()));
    let mut bound = bind(package, metrics, &[binding], &|_, _| ()).expect("the log opens");
    assert_eq!(bound.len(), 1, "one source");
    bound.remove(0)
}

/// All metrics of a package over its one source.
pub(crate) fn all_bound(package: &Package, log: &Path) -> Bound {
    bound(package, &package.metrics(&[]).expect("the package has metrics"), log)
}

fn evaluated(bound: &Bound, from: Frontier, to: Frontier, engine: Engine) -> Vec<Segment> {
    let interval = Interval::new(from, to).expect("an interval");
    evaluate_interval(bound, engine, &interval, &EngineOptions::default(), &|_| ())
        .expect("it evaluates")
        .segments
}

/// Batch up to the middle of the log, and the stream after it.
pub(crate) fn serve(bound: &Bound, derived: &[Arc<DerivedPlan>]) -> LocalServing {
    let serving = LocalServing::with_derived(&bound.plan.metrics, derived);
    let middle = bound.log.frontier_at(bound.log.n_positions() / 2);
    let below = evaluated(bound, bound.log.start(), middle.clone(), Engine::Batch);
    let above = evaluated(bound, middle, bound.log.end(), Engine::Stream);
    let parts = below.into_iter().zip(above).map(|(below, above)| vec![below, above]);
    let metrics = bound.plan.metrics.iter().map(|plan| &**plan);
    let segments: Vec<(&MetricPlan, Vec<Segment>)> = metrics.zip(parts).collect();
    serving.publish(&segments).expect("published");
    serving
}

/// The plans of the derived metrics of a package.
pub(crate) fn derived(package: &Package, bound: &Bound) -> Vec<Arc<DerivedPlan>> {
    let plans: Vec<&Arc<MetricPlan>> = bound.plan.metrics.iter().collect();
    let all = package.select(&[]).expect("the package has metrics");
    let plan = |metric: &AnyMetric| match metric {
        AnyMetric::Derived(derived) => {
            Some(Arc::new(DerivedPlan::new(derived, &plans, &package.imports).expect("a plan")))
        }
        AnyMetric::Base(_) => None,
    };
    all.wanted.iter().filter_map(plan).collect()
}

/// A log that is open.
#[derive(Debug)]
pub(crate) struct Opened(pub(crate) Log);

impl SourceLog for Opened {
    fn open(&self) -> Result<(Log, Interval), metricc::ServingError> {
        Ok((self.0.clone(), Interval::new(self.0.start(), self.0.end()).expect("the whole log")))
    }
}

pub(crate) fn tables(serving: &LocalServing, bound: &Bound) -> Tables {
    let log = Arc::new(Opened(bound.log.clone()));
    let source = SourceTable::new(bound.log.source(), log).expect("a table");
    let (tables, left_out) = Tables::of(&serving.snapshot(), vec![source]);
    assert!(left_out.is_empty(), "{left_out:?}");
    tables
}
