//! Runs `test` blocks in batch, in stream and merged.
//!
//! The given records are decoded like those of any log. At every cut of the log, all engines must give the
//! same states, and the presented rows must be the expected ones. The same holds for shuffled logs, with one
//! exception: the rows of a metric that depends on positions are then not compared. Positions decide `first`
//! among events of one instant, and which of two contradicting duplicates counts.

use std::path::Path;
use std::sync::Arc;

use metricc_compiler::SourcePlan;
use metricc_ir as ir;
use metricc_log::{Binding, Format, Frontier, Interval, Log, Quarantined, position_column};
use metricc_runtime_serve::{OverflowSummary, ReadOptions, ServeError};
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
#[cfg(feature = "cli")]
pub(crate) use rows::presented_row_text;

mod rows;

/// Number of shuffled orders of a log that are tested.
const N_SHUFFLED: usize = 3;

/// The result of a test.
#[derive(Debug)]
pub struct TestReport {
    /// Its name.
    pub name: String,
    /// Its first line in the file.
    pub line: usize,
    /// Number of cuts that were tested, over all orders.
    pub n_cuts: usize,
    /// Number of orders of its logs that were tested, including the written order.
    pub n_orders: usize,
    /// Empty if the test passed.
    pub failures: Vec<TestFailure>,
    /// What could not be computed.
    pub overflows: Vec<OverflowSummary>,
}

/// Why a test failed.
#[derive(Debug)]
pub enum TestFailure {
    /// A given record cannot be decoded.
    Quarantined {
        /// The source.
        source: String,
        /// Line of the row.
        line: usize,
        /// The error of the decoder.
        problem: String,
    },
    /// The rows differ from the expected ones.
    Rows {
        /// The metric.
        metric: String,
        /// Line of the `expect`.
        line: usize,
        /// Whether the log was shuffled.
        is_shuffled: bool,
        /// The rows that differ.
        rows: Vec<RowDifference>,
    },
    /// Two engines differ, which is a bug in metricc.
    Layers {
        /// The cut of the log.
        cut: Frontier,
        /// Whether the log was shuffled.
        is_shuffled: bool,
        /// The states that differ.
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
    /// The states could not be presented.
    #[error(transparent)]
    Serve(#[from] ServeError),
    /// The records could not be written to a temporary folder.
    #[error("cannot write the records to a temporary folder")]
    Folder(#[from] std::io::Error),
}

/// Runs one test of a package.
///
/// # Errors
/// If the test cannot run. A failing test is not an error.
pub fn run_test(package: &Package, test: &ir::Test) -> Result<TestReport, TestError> {
    let base = ir::base_metrics(test.expected.iter().map(|expected| &expected.metric));
    let plans = SourcePlan::of_package(&base, &package.imports).map_err(PackageError::from)?;
    let mut sources = Vec::with_capacity(plans.len());
    for plan in plans {
        if let Some(given) = test.given.iter().find(|given| given.source.name == plan.source.name) {
            sources.push(SourceTest { given, plan: Arc::new(plan) });
        }
    }
    let is_ordered = |expected: &ir::Expected| {
        let mut base = expected.metric.base().into_iter();
        base.try_fold(false, |any, metric| Ok(any || reads_position(package, metric)?))
    };
    let is_ordered = test.expected.iter().map(is_ordered).collect::<Result<Vec<bool>, PackageError>>()?;
    let folder = tempfile::tempdir()?;
    let run = TestRun { package, test, sources, is_ordered, folder: folder.path() };
    run.run()
}

/// Whether the rows of a metric can depend on the positions of events in the log.
fn reads_position(package: &Package, metric: &Arc<ir::Metric>) -> Result<bool, PackageError> {
    let plans = SourcePlan::of_package(std::slice::from_ref(metric), &package.imports)?;
    Ok(plans.iter().any(|plan| plan.columns.contains(&position_column(&plan.source))))
}

/// The given log of a source, and the plan that reads it.
struct SourceTest<'a> {
    given: &'a ir::Given,
    plan: Arc<SourcePlan>,
}

/// A test while it runs.
struct TestRun<'a> {
    package: &'a Package,
    test: &'a ir::Test,
    sources: Vec<SourceTest<'a>>,
    /// For each expected metric, whether its rows can depend on the order of the log.
    is_ordered: Vec<bool>,
    folder: &'a Path,
}

impl TestRun<'_> {
    fn run(&self) -> Result<TestReport, TestError> {
        let (name, line) = (self.test.name.clone(), self.test.line);
        let mut report =
            TestReport { name, line, n_cuts: 0, n_orders: 1, failures: Vec::new(), overflows: Vec::new() };
        let n_rows = |source: &SourceTest<'_>| source.given.rows.len();
        let written: Vec<Vec<usize>> =
            self.sources.iter().map(|source| (0..n_rows(source)).collect()).collect();
        self.order(&written, None, &mut report)?;
        if !self.sources.iter().any(|source| n_rows(source) > 1) {
            return Ok(report);
        }
        // A fixed seed, so that a failure repeats.
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

    /// Tests one order of each log: at every cut, or at a random cut if `random` is given.
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
            has_conflicts |= all.1.read_stats.n_conflicts > 0;
            evaluated.add(&all.0.plan, all.1.segments);
        }
        for (expected, is_ordered) in self.test.expected.iter().zip(&self.is_ordered) {
            if is_shuffled && (*is_ordered || has_conflicts) {
                continue;
            }
            let presented =
                evaluated.read(&expected.metric, &self.package.imports, &ReadOptions::default())?;
            if !is_shuffled {
                report.overflows.extend(presented.overflows());
            }
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
    /// Compares the engines over the log in this order, cut at each of `cuts`. Returns the batch result of
    /// the whole log.
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
        report
            .failures
            .extend(all.read_stats.quarantined.iter().map(|record| self.quarantined(order, record)));
        if all.read_stats.n_quarantined > 0 {
            return Ok((bound, all));
        }
        let layers = RealLayers { bound: &bound, progress: &|_| () };
        for n_below in cuts {
            // Batches of one or two rows (more for long logs), so that states are merged from many small
            // parts.
            let least = (order.len() / 32).max(1);
            let rows = EngineOptions { batch_rows: Some(least + n_below as usize % 2), ..options.clone() };
            let trial = Trial { cut: bound.log.frontier_at(n_below), batch: rows.clone(), stream: rows };
            report.n_cuts += 1;
            let seen =
                run_trial(&bound.plan.metrics, &bound.log, &layers, &trial, &end, Some(&all.segments), true)?;
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

    /// The given rows in this order, written to a file and opened as a log.
    fn log(&self, order: &[usize], folder: &Path) -> Result<Log, TestError> {
        let path = folder.join(format!("{}.ndjson", self.plan.source.name));
        let mut records = String::new();
        for row in order {
            records.push_str(&self.given.rows[*row].json);
            records.push('\n');
        }
        std::fs::write(&path, records)?;
        let binding = Binding::new(path.to_string_lossy()).with_format(Format::Ndjson);
        let (name, source) = (self.plan.source.name.clone(), Arc::new(self.plan.source.of_rows()));
        Ok(Log::open(&source, &binding)
            .map_err(|error| PackageError::Log { name, source: Box::new(error) })?)
    }
}
