//! `test` blocks, run through batch, stream and their merge.
//!
//! The records of a test go through the decoder that all records go through. Every cut of its log has to give the same
//! states in all layers, in the order that was written and in shuffled ones, and what the states present has to be what
//! the test expects. In a shuffled order that is asked of the metrics that order says nothing to: of a `first` among
//! events of one instant, and of duplicates that contradict one another, the position in the log decides.

use std::path::Path;
use std::sync::Arc;

use metricc_compiler::SourcePlan;
use metricc_ir as ir;
use metricc_log::{Binding, Format, Frontier, Interval, Log, Quarantined, position_column};
use metricc_runtime_serve::Reading;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::verify::{Difference, RealLayers, Trial, run_trial};
use crate::{
    Bound, Engine, EngineOptions, EvaluateError, Evaluated, Evaluation, Package, PackageError,
    evaluate_interval,
};
pub use rows::RowDifference;
use rows::differences;

mod rows;

/// Shuffled orders of a log, beside the one that was written.
const N_SHUFFLED: usize = 3;

/// What became of a test.
#[derive(Debug)]
pub struct TestReport {
    /// What stands in its quotes.
    pub name: String,
    /// Line on which it begins.
    pub line: usize,
    /// Cuts that were tried, over all orders.
    pub n_cuts: usize,
    /// Orders of its logs that were tried, the one that was written among them.
    pub n_orders: usize,
    /// What is wrong; nothing if it passed.
    pub failures: Vec<TestFailure>,
}

/// Why a test failed.
#[derive(Debug)]
pub enum TestFailure {
    /// A given record does not decode.
    Quarantined {
        /// The source.
        source: String,
        /// Line of the row.
        line: usize,
        /// What the decoder says.
        problem: String,
    },
    /// Other rows came out than are expected.
    Rows {
        /// The metric.
        metric: String,
        /// Line on which its rows are expected.
        line: usize,
        /// Whether the order of the log was shuffled.
        is_shuffled: bool,
        /// The differences, by the place of the rows.
        rows: Vec<RowDifference>,
    },
    /// Two layers differ: a defect of this program.
    Layers {
        /// Where the log was cut.
        cut: Frontier,
        /// Whether the order of the log was shuffled.
        is_shuffled: bool,
        /// What differs.
        difference: Box<Difference>,
    },
}

/// Why a test could not be run.
#[derive(Debug, thiserror::Error)]
pub enum TestError {
    /// The package cannot be run.
    #[error(transparent)]
    Package(#[from] PackageError),
    /// An engine failed.
    #[error(transparent)]
    Evaluate(#[from] EvaluateError),
    /// The records could not be written to a temporary folder.
    #[error("temporary folder: {0}")]
    Folder(#[from] std::io::Error),
}

/// Runs one test of a package.
///
/// # Errors
/// Where it cannot be run; that it fails is no error.
pub fn run_test(package: &Package, test: &ir::Test) -> Result<TestReport, TestError> {
    let of_events: Vec<_> = test.expected.iter().flat_map(|expected| expected.metric.of_events()).collect();
    let mut metrics: Vec<Arc<ir::Metric>> = Vec::new();
    for metric in of_events {
        if !metrics.iter().any(|known| Arc::ptr_eq(known, metric)) {
            metrics.push(metric.clone());
        }
    }
    let plans = SourcePlan::of_package(&metrics, &package.imports).map_err(PackageError::from)?;
    let mut sources = Vec::with_capacity(plans.len());
    for plan in plans {
        if let Some(given) = test.given.iter().find(|given| given.source.name == plan.source.name) {
            sources.push(SourceTest { given, plan: Arc::new(plan) });
        }
    }
    let is_ordered = |expected: &ir::Expected| {
        let mut of_events = expected.metric.of_events().into_iter();
        of_events.try_fold(false, |any, metric| Ok(any || looks_at_position(package, metric)?))
    };
    let is_ordered = test.expected.iter().map(is_ordered).collect::<Result<Vec<bool>, PackageError>>()?;
    let folder = tempfile::tempdir()?;
    let run = TestRun { package, test, sources, is_ordered, folder: folder.path() };
    run.run()
}

/// Whether the position of an event in the log can decide what a metric presents.
fn looks_at_position(package: &Package, metric: &Arc<ir::Metric>) -> Result<bool, PackageError> {
    let plans = SourcePlan::of_package(std::slice::from_ref(metric), &package.imports)?;
    Ok(plans.iter().any(|plan| plan.columns.contains(&position_column(&plan.source))))
}

/// A log that is given, and what reads it.
struct SourceTest<'a> {
    given: &'a ir::Given,
    plan: Arc<SourcePlan>,
}

/// A test that is run.
struct TestRun<'a> {
    package: &'a Package,
    test: &'a ir::Test,
    sources: Vec<SourceTest<'a>>,
    /// For each metric that is expected, whether the order of the log may decide it.
    is_ordered: Vec<bool>,
    folder: &'a Path,
}

impl TestRun<'_> {
    fn run(&self) -> Result<TestReport, TestError> {
        let (name, line) = (self.test.name.clone(), self.test.line);
        let mut report = TestReport { name, line, n_cuts: 0, n_orders: 1, failures: Vec::new() };
        let n_rows = |source: &SourceTest<'_>| source.given.rows.len();
        let written: Vec<Vec<usize>> =
            self.sources.iter().map(|source| (0..n_rows(source)).collect()).collect();
        self.order(&written, None, &mut report)?;
        if !self.sources.iter().any(|source| n_rows(source) > 1) {
            return Ok(report);
        }
        // What shuffling would find depends on the test alone, so that it can be seen again.
        let mut random = ChaCha8Rng::seed_from_u64(self.sources.iter().map(n_rows).sum::<usize>() as u64);
        for _ in 0..N_SHUFFLED {
            if !report.failures.is_empty() {
                return Ok(report);
            }
            let mut shuffled = written.clone();
            shuffled.iter_mut().for_each(|order| order.shuffle(&mut random));
            report.n_orders += 1;
            self.order(&shuffled, Some(&mut random), &mut report)?;
        }
        Ok(report)
    }

    /// One order of each log: at a random cut of each, or at every one.
    fn order(
        &self,
        orders: &[Vec<usize>],
        mut random: Option<&mut ChaCha8Rng>,
        report: &mut TestReport,
    ) -> Result<(), TestError> {
        let is_shuffled = random.is_some();
        let (mut evaluated, mut has_conflicts) = (Evaluated::default(), false);
        for (source, order) in self.sources.iter().zip(orders) {
            let n_rows = order.len() as u64;
            let cuts = match &mut random {
                Some(random) => {
                    let cut = random.random_range(0..=n_rows);
                    cut..=cut
                }
                None => 0..=n_rows,
            };
            let n_before = report.failures.len();
            let all = source.layers(order, cuts, is_shuffled, self.folder, report)?;
            if report.failures.len() > n_before {
                return Ok(());
            }
            has_conflicts |= all.1.findings.n_conflicts > 0;
            evaluated.add(&all.0.plan, all.1.segments);
        }
        for (expected, is_ordered) in self.test.expected.iter().zip(&self.is_ordered) {
            if is_shuffled && (*is_ordered || has_conflicts) {
                continue;
            }
            let presented = evaluated
                .read(&expected.metric, &self.package.imports, &Reading::default())
                .map_err(EvaluateError::from)?;
            let rows = differences(expected, &presented);
            if !rows.is_empty() {
                let (metric, line) = (expected.metric.name().to_owned(), expected.line);
                report.failures.push(TestFailure::Rows { metric, line, is_shuffled, rows });
            }
        }
        Ok(())
    }
}

impl SourceTest<'_> {
    /// All layers over the log in an order, cut at each of `cuts`; what batch gives of all of it.
    fn layers(
        &self,
        order: &[usize],
        cuts: std::ops::RangeInclusive<u64>,
        is_shuffled: bool,
        folder: &Path,
        report: &mut TestReport,
    ) -> Result<(Bound, Evaluation), TestError> {
        let bound = Bound { plan: self.plan.clone(), log: self.log(order, folder)? };
        let (start, end) = (bound.log.start(), bound.log.end());
        let whole = Interval::new(start, end.clone()).map_err(EvaluateError::from)?;
        let options = EngineOptions { workers: 2, ..EngineOptions::default() };
        let all = evaluate_interval(&bound, Engine::Batch, &whole, &options, &|_| ())?;
        report.failures.extend(all.findings.quarantined.iter().map(|record| self.quarantined(order, record)));
        if all.findings.n_quarantined > 0 {
            return Ok((bound, all));
        }
        let layers = RealLayers { bound: &bound, progress: &|_| () };
        for n_below in cuts {
            // Batches of a row or two, more where there are many rows: what is put together is put together from small parts.
            let least = (order.len() / 32).max(1);
            let rows = EngineOptions { batch_rows: Some(least + n_below as usize % 2), ..options.clone() };
            let trial = Trial { cut: bound.log.frontier_at(n_below), batch: rows.clone(), stream: rows };
            report.n_cuts += 1;
            let seen =
                run_trial(&bound.plan.metrics, &bound.log, &layers, &trial, &end, Some(&all.segments))?;
            if let Err(difference) = seen {
                let difference = Box::new(difference);
                report.failures.push(TestFailure::Layers { cut: trial.cut, is_shuffled, difference });
                break;
            }
        }
        Ok((bound, all))
    }

    fn quarantined(&self, order: &[usize], record: &Quarantined) -> TestFailure {
        let row = order.get(record.position.offset as usize).map(|row| &self.given.rows[*row]);
        let field = record.field.as_ref().map(|field| format!("`{field}` ")).unwrap_or_default();
        TestFailure::Quarantined {
            source: self.plan.source.name.clone(),
            line: row.map_or(0, |row| row.line),
            problem: format!("{field}{}: {}", record.problem, record.excerpt),
        }
    }

    /// The given rows in an order, as a file of records that was decoded.
    fn log(&self, order: &[usize], folder: &Path) -> Result<Log, TestError> {
        let path = folder.join(format!("{}.ndjson", self.plan.source.name));
        let mut records = String::new();
        for row in order {
            records.push_str(&self.given.rows[*row].json);
            records.push('\n');
        }
        std::fs::write(&path, records)?;
        let binding = Binding { path: path.to_string_lossy().into_owned(), format: Some(Format::Ndjson) };
        let (name, source) = (self.plan.source.name.clone(), &self.plan.source);
        Ok(Log::open(source, &binding).map_err(|error| PackageError::Log { name, error: Box::new(error) })?)
    }
}
