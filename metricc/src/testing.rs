//! `test` blocks, run through batch, stream and their merge.
//!
//! The records of a test go through the decoder that all records go through. Every cut of its log has to give the same
//! states in all layers, in the order that was written and in shuffled ones, and what the states present has to be what
//! the test expects. In a shuffled order that is asked of the metrics that order says nothing to: of a `first` among
//! events of one instant, and of duplicates that contradict one another, the position in the log decides.

use std::sync::Arc;

use metricc_compiler::SourcePlan;
use metricc_dsl::ir;
use metricc_log::{Binding, Format, Frontier, Interval, Log, position_column};
use metricc_runtime_serve::present;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::verify::{Difference, RealLayers, Trial, run_trial};
use crate::{Bound, Engine, EngineOptions, EvaluateError, Package, PackageError, evaluate_interval};
use rows::differences;
pub use rows::RowDifference;

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
    let mut report =
        TestReport { name: test.name.clone(), line: test.line, n_cuts: 0, n_orders: 1, failures: Vec::new() };
    let metrics: Vec<_> = test.expected.iter().map(|expected| expected.metric.clone()).collect();
    let folder = tempfile::tempdir()?;
    let plans = SourcePlan::of_package(&metrics, &package.imports).map_err(PackageError::from)?;
    for plan in plans {
        let Some(given) = test.given.iter().find(|given| given.source.name == plan.source.name) else {
            continue;
        };
        let expected: Vec<(&ir::Expected, bool)> = test
            .expected
            .iter()
            .filter(|expected| expected.metric.source.name == plan.source.name)
            .map(|expected| Ok((expected, looks_at_position(package, &expected.metric)?)))
            .collect::<Result<_, PackageError>>()?;
        let source = SourceTest { given, expected, plan: Arc::new(plan), folder: folder.path() };
        source.run(&mut report)?;
    }
    Ok(report)
}

/// Whether the position of an event in the log can decide what a metric presents.
fn looks_at_position(package: &Package, metric: &Arc<ir::Metric>) -> Result<bool, PackageError> {
    let plans = SourcePlan::of_package(std::slice::from_ref(metric), &package.imports)?;
    Ok(plans.iter().any(|plan| plan.columns.contains(&position_column(&plan.source))))
}

/// The part of a test that is about one source.
struct SourceTest<'a> {
    given: &'a ir::Given,
    /// What is expected, and whether the order of the log may decide it.
    expected: Vec<(&'a ir::Expected, bool)>,
    plan: Arc<SourcePlan>,
    folder: &'a std::path::Path,
}

impl SourceTest<'_> {
    fn run(&self, report: &mut TestReport) -> Result<(), TestError> {
        let n_rows = self.given.rows.len();
        let written: Vec<usize> = (0..n_rows).collect();
        self.order(&written, None, report)?;
        // What shuffling would find depends on the test alone, so that it can be seen again.
        let mut random = ChaCha8Rng::seed_from_u64(n_rows as u64);
        let n_shuffled = if n_rows > 1 { N_SHUFFLED } else { 0 };
        report.n_orders = report.n_orders.max(1 + n_shuffled);
        for _ in 0..n_shuffled {
            if !report.failures.is_empty() {
                return Ok(());
            }
            let mut shuffled = written.clone();
            shuffled.shuffle(&mut random);
            let cut = random.random_range(0..=n_rows as u64);
            self.order(&shuffled, Some(cut), report)?;
        }
        Ok(())
    }

    /// One order of the log: at one cut, or at every one.
    fn order(&self, order: &[usize], cut: Option<u64>, report: &mut TestReport) -> Result<(), TestError> {
        let is_shuffled = cut.is_some();
        let bound = Bound { plan: self.plan.clone(), log: self.log(order)? };
        let (start, end) = (bound.log.start(), bound.log.end());
        let whole = Interval::new(start, end.clone()).map_err(EvaluateError::from)?;
        let options = EngineOptions { workers: 2, ..EngineOptions::default() };
        let all = evaluate_interval(&bound, Engine::Batch, &whole, &options, &|_| ())?;
        if all.findings.n_quarantined > 0 {
            report.failures.extend(all.findings.quarantined.iter().map(|record| {
                let row = order.get(record.position.offset as usize).map(|row| &self.given.rows[*row]);
                let field = record.field.as_ref().map(|field| format!("`{field}` ")).unwrap_or_default();
                TestFailure::Quarantined {
                    source: self.plan.source.name.clone(),
                    line: row.map_or(0, |row| row.line),
                    problem: format!("{field}{}: {}", record.problem, record.excerpt),
                }
            }));
            return Ok(());
        }
        let layers = RealLayers { bound: &bound, progress: &|_| () };
        let cuts = cut.map_or(0..=order.len() as u64, |cut| cut..=cut);
        for n_below in cuts {
            // Batches of one row or two: what is put together is put together from the smallest parts.
            let rows = EngineOptions { batch_rows: Some(1 + n_below as usize % 2), ..options.clone() };
            let trial = Trial { cut: bound.log.frontier_at(n_below), batch: rows.clone(), stream: rows };
            report.n_cuts += 1;
            let seen = run_trial(&bound.plan.metrics, &bound.log, &layers, &trial, &end, Some(&all.segments))?;
            if let Err(difference) = seen {
                let difference = Box::new(difference);
                report.failures.push(TestFailure::Layers { cut: trial.cut, is_shuffled, difference });
                return Ok(());
            }
        }
        for (expected, is_ordered) in &self.expected {
            if is_shuffled && (*is_ordered || all.findings.n_conflicts > 0) {
                continue;
            }
            let place = bound.plan.metrics.iter().position(|plan| plan.metric.name == expected.metric.name);
            let Some(place) = place else { continue };
            let presented = present(&bound.plan.metrics[place], &all.segments[place])
                .map_err(EvaluateError::from)?;
            let rows = differences(expected, &presented);
            if !rows.is_empty() {
                let (metric, line) = (expected.metric.name.clone(), expected.line);
                report.failures.push(TestFailure::Rows { metric, line, is_shuffled, rows });
            }
        }
        Ok(())
    }

    /// The given rows in an order, as a file of records that was decoded.
    fn log(&self, order: &[usize]) -> Result<Log, TestError> {
        let path = self.folder.join(format!("{}.ndjson", self.plan.source.name));
        let mut records = String::new();
        for row in order {
            records.push_str(&self.given.rows[*row].json);
            records.push('\n');
        }
        std::fs::write(&path, records)?;
        let binding = Binding { path: path.to_string_lossy().into_owned(), format: Some(Format::Ndjson) };
        let (name, source) = (self.plan.source.name.clone(), &self.plan.source);
        Ok(Log::open(source, &binding)
            .map_err(|error| PackageError::Log { name, error: Box::new(error) })?)
    }
}
