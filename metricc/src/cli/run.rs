//! `metricc run`.

use std::process::ExitCode;

use metricc_ir::user_defined::Imports;
use metricc_ir::{AnyMetric, Window};
use metricc_log::{Frontier, Log, ReadStats};
use metricc_runtime_serve::ReadOptions;

use super::arguments::{EngineChoice, InputArguments, RunArguments};
use super::check::counted;
use super::terminal::{self, Failure};
use super::{output, progress};
use crate::{Bound, Engine, EngineOptions, EvaluateError, Evaluated, Package, Selection, evaluate};

/// Maximum number of quarantined records to print.
const SHOWN_QUARANTINED: usize = 5;

pub(crate) fn run(arguments: &RunArguments, imports: &Imports) -> Result<ExitCode, Failure> {
    let Some(Opened { package, wanted, bound }) = open(&arguments.input, imports, |n_metrics| {
        output::check(arguments.output, arguments.out.as_deref(), n_metrics)
    })?
    else {
        return Ok(ExitCode::from(1));
    };
    let engine = match arguments.engine {
        EngineChoice::Batch => Some(Engine::Batch),
        EngineChoice::Stream => Some(Engine::Stream),
        EngineChoice::Merged => None,
    };
    let mut options = engine_options(&arguments.input);
    if let Some(mib) = arguments.memory {
        options.memory_bytes = mib as usize * (1 << 20);
    }
    let mut evaluated = Evaluated::default();
    for bound in &bound {
        let bar = progress::bar(bound.log.n_positions(), "events", &bound.plan.source.name);
        let cut = cut_at(&bound.log, arguments.cut);
        let evaluation = evaluate(bound, engine, &cut, &options, &|n| bar.inc(n)).map_err(with_help)?;
        bar.finish_and_clear();
        report_rejected(&bound.plan.source.name, &bound.log, &evaluation.read_stats);
        evaluated.add(&bound.plan, evaluation.segments);
    }
    let results = wanted.iter().map(|metric| {
        let options = read_options(arguments, &metric.row_type().window)?;
        Ok(evaluated.read(metric, &package.imports, &options)?)
    });
    let results = results.collect::<Result<Vec<_>, Failure>>()?;
    output::write(&results, arguments.output, arguments.out.as_deref(), arguments.limit)?;
    Ok(ExitCode::SUCCESS)
}

/// The windows of a metric to read.
fn read_options(arguments: &RunArguments, window: &Window) -> Result<ReadOptions, Failure> {
    let grain = arguments.range.grain.as_ref().map(|text| metricc_ir::grain(text, window)).transpose();
    let grain = grain.map_err(|problem| Failure::Message(format!("--grain: {problem}")))?;
    Ok(ReadOptions { from: arguments.range.from, to: arguments.range.to, grain, keys: None })
}

fn with_help(error: EvaluateError) -> Failure {
    let is_memory = matches!(error, EvaluateError::Memory { .. });
    match Failure::from(error) {
        Failure::Message(message) if is_memory => Failure::Message(format!(
            "{message}\n  help: allow more with `--memory MIB`, or use fewer `--workers`"
        )),
        failure => failure,
    }
}

/// A package whose logs are open.
pub(crate) struct Opened {
    pub(crate) package: Package,
    /// The requested metrics.
    pub(crate) wanted: Vec<AnyMetric>,
    /// The plan and the log of each source that they read.
    pub(crate) bound: Vec<Bound>,
}

/// Reads the package and opens the logs of the requested metrics. If the package has errors, they are reported and the
/// result is `None`.
pub(crate) fn open(
    arguments: &InputArguments,
    imports: &Imports,
    check: impl Fn(usize) -> Result<(), Failure>,
) -> Result<Option<Opened>, Failure> {
    let package = Package::read(&arguments.file)?.with_imports(imports);
    if !terminal::report(&package)? {
        return Ok(None);
    }
    let Selection { wanted, base } = package.select(&arguments.metrics)?;
    check(wanted.len())?;
    let bound = progress::open(&package, &base, &arguments.sources)?;
    Ok(Some(Opened { package, wanted, bound }))
}

pub(crate) fn engine_options(arguments: &InputArguments) -> EngineOptions {
    let defaults = EngineOptions::default();
    EngineOptions { workers: arguments.workers.map_or(defaults.workers, usize::from), ..defaults }
}

/// The frontier after a fraction of the log.
pub(crate) fn cut_at(log: &Log, fraction: f64) -> Frontier {
    log.frontier_at((log.n_positions() as f64 * fraction).round() as u64)
}

/// Reports quarantined records and duplicates, which count in no result.
pub(crate) fn report_rejected(source: &str, log: &Log, stats: &ReadStats) {
    if stats.n_quarantined > 0 {
        let n = stats.n_quarantined as usize;
        terminal::warning(&format!(
            "source `{source}`: {} of {} quarantined: not in the results",
            counted(n, "record", "records"),
            stats.n_records
        ));
        for record in stats.quarantined.iter().take(SHOWN_QUARANTINED) {
            terminal::note(format!("  {record}"));
        }
        if n > SHOWN_QUARANTINED {
            terminal::note(format!("  … and {} more", n - SHOWN_QUARANTINED));
        }
    }
    if stats.n_duplicates > 0 {
        let duplicates = counted(stats.n_duplicates as usize, "duplicate", "duplicates");
        let conflicts = match stats.n_conflicts {
            0 => String::new(),
            n => format!(", {n} of them with a different payload"),
        };
        terminal::note(format!("source `{source}`: skipped {duplicates}{conflicts}"));
    }
    if log.n_positions() == 0 {
        terminal::warning(&format!("source `{source}`: the log is empty"));
    }
}
