//! `metricc run`.

use std::process::ExitCode;

use metricc_client::grouped;
use metricc_ir::AnyMetric;
use metricc_ir::user_defined::Imports;
use metricc_jobs::Done;
use metricc_log::{Format, Frontier, Log, ReadStats};
use metricc_runtime_serve::{Reading, RowPieces, ServeError};

use super::arguments::{
    EngineChoice, InputArguments, LogArguments, RangeArguments, RowArguments, RunArguments,
};
use super::kafka::Topics;
use super::rejections::{self, RejectedFile};
use super::stream_processes::Processes;
use super::terminal::{self, Failure};
use super::{cluster, output, progress, stored};
use crate::{
    Bound, Engine, EngineOptions, EvaluateError, Evaluated, Evaluation, Package, Selection, evaluate,
};

pub(crate) fn run(arguments: &RunArguments, imports: &Imports) -> Result<ExitCode, Failure> {
    cluster::check(arguments)?;
    let processes = Processes::of(arguments)?;
    let check = |package: &Package, wanted: &[AnyMetric]| check_output(arguments, package, wanted);
    let Some(Opened { package, wanted, bound }) = open(&arguments.input, imports, check)? else {
        return Ok(ExitCode::from(1));
    };
    let names: Vec<&str> = wanted.iter().map(AnyMetric::name).collect();
    output::keep_logs(arguments.output, arguments.out.as_deref(), &names, &arguments.input.logs.sources)?;
    let engine = match arguments.engine() {
        EngineChoice::Batch => Some(Engine::Batch),
        EngineChoice::Stream => Some(Engine::Stream),
        EngineChoice::Merged => None,
    };
    let mut options = engine_options(&arguments.input.logs);
    if let Some(mib) = arguments.memory {
        options.memory_bytes = mib as usize * (1 << 20);
    }
    let (mut evaluated, mut is_sound) = (Evaluated::default(), true);
    let mut listed = RejectedFile::create(&arguments.input.logs.rejections)?;
    for bound in &bound {
        let found = evaluated_source(
            (arguments, &package),
            bound,
            processes.as_ref(),
            engine,
            &options,
            &mut evaluated,
        )?;
        // Another process may have the rows.
        let Some(stats) = &found else { continue };
        let name = &bound.plan.source.name;
        let input = &arguments.input;
        let limit = input.logs.rejections.max_rejected;
        is_sound &= rejections::report(name, &bound.log, stats, limit, input.logs.allow_empty);
        if let Some(listed) = &mut listed {
            listed.write_log(name, &bound.log)?;
        }
    }
    if processes.is_some_and(|processes| !processes.has_rows()) {
        return Ok(ExitCode::SUCCESS);
    }
    listed.map(RejectedFile::finish).transpose()?;
    if !is_sound {
        return Ok(ExitCode::from(1));
    }
    let asked = (&arguments.rows, &arguments.range);
    let chosen: Vec<_> = wanted.iter().map(|metric| reading_of(metric, &package, asked)).collect();
    let read = |(metric, reading)| read(metric, reading, &evaluated, &package, arguments.max_rows);
    let results = wanted.iter().zip(&chosen).map(read).collect();
    let results = if arguments.input.metrics.is_empty() { readable(results)? } else { all(results)? };
    let overflows = output::write(results, arguments.output, arguments.out.as_deref(), arguments.limit)?;
    overflows.iter().for_each(|overflow| terminal::warning(&overflow.to_string()));
    Ok(ExitCode::SUCCESS)
}

/// Checks that the metrics can be written as it is asked for, before anything is evaluated.
fn check_output(arguments: &RunArguments, package: &Package, wanted: &[AnyMetric]) -> Result<(), Failure> {
    output::check(arguments.output, arguments.out.as_deref(), wanted.len())?;
    check_rows(arguments, package, wanted)?;
    if let Some(folder) = &arguments.out {
        output::check_folder(folder, wanted.iter().map(AnyMetric::name), arguments.output)?;
    }
    if arguments.output.has_columns_alone() {
        // Metrics without such rows are reported when they are read.
        let asked = (&arguments.rows, &arguments.range);
        let readings = wanted.iter().map(|metric| Ok((metric, reading_of(metric, package, asked)?)));
        for (metric, reading) in readings.filter_map(Result::<_, String>::ok) {
            check_columns(metric, &reading)?;
        }
    }
    Ok(())
}

/// Checks that the rows of a metric have columns of different names.
pub(crate) fn check_columns(metric: &AnyMetric, reading: &Reading) -> Result<(), Failure> {
    let clash = |error| Failure::Message(format!("{error}, or use `--output json`"));
    reading.check_columns(&metric.row_type()).map_err(clash)
}

/// Checks that metrics have the rows that are asked for: all of those that are named, else at least one.
fn check_rows(arguments: &RunArguments, package: &Package, wanted: &[AnyMetric]) -> Result<(), Failure> {
    let asked = (&arguments.rows, &arguments.range);
    let problems: Vec<String> =
        wanted.iter().filter_map(|metric| reading_of(metric, package, asked).err()).collect();
    let is_named = !arguments.input.metrics.is_empty();
    let is_wrong = if is_named { !problems.is_empty() } else { problems.len() == wanted.len() };
    match problems.into_iter().next() {
        Some(problem) if is_wrong => Err(Failure::Message(problem)),
        _ => Ok(()),
    }
}

/// Evaluates a source, here or on a cluster; the counts of its records. `None` if another process has its
/// rows.
fn evaluated_source(
    (arguments, package): (&RunArguments, &Package),
    bound: &Bound,
    processes: Option<&Processes>,
    engine: Option<Engine>,
    options: &EngineOptions,
    evaluated: &mut Evaluated,
) -> Result<Option<ReadStats>, Failure> {
    let bar = progress::bar(bound.log.n_positions(), "events", &bound.plan.source.name);
    if arguments.cluster.cluster.is_some() {
        let done = cluster::evaluate(&arguments.cluster, package, bound, options, &bar);
        bar.finish_and_clear();
        let Done { segments, read_stats, .. } = done?;
        for segment in segments {
            evaluated.add_ranges(&segment.plan().clone(), Box::new(segment));
        }
        return Ok(Some(read_stats));
    }
    let done = match processes {
        Some(processes) => processes.evaluate(arguments, package, bound, &bar),
        None => {
            let cut = cut_at(&bound.log, arguments.cut);
            evaluate(bound, engine, &cut, options, &|n| bar.inc(n)).map_err(with_help).map(Some)
        }
    };
    bar.finish_and_clear();
    let Some(Evaluation { segments, read_stats }) = done? else { return Ok(None) };
    evaluated.add(&bound.plan, segments);
    Ok(Some(read_stats))
}

/// The rows of a metric, or why it does not have such rows. Outer error: the rows could not be computed.
pub(crate) type Read<'a> = Result<Result<RowPieces<'a>, String>, Failure>;

/// The rows of a metric by the windows that are asked for, if it has such.
pub(crate) fn read<'a>(
    metric: &AnyMetric,
    reading: &'a Result<Reading, String>,
    evaluated: &'a Evaluated,
    package: &Package,
    most: u64,
) -> Read<'a> {
    let reading = match reading {
        Ok(reading) => reading,
        Err(problem) => return Ok(Err(problem.clone())),
    };
    let options = reading.options();
    let (name, window) = (metric.name(), metric.row_type().window);
    match evaluated.overlapping_rows(metric, &package.imports, options) {
        Ok(Some(n_rows)) if n_rows > most => {
            return Err(Failure::Message(format!(
                "`{name}` has about {} rows here, and `--max-rows` allows {}: its windows overlap, and each group is in \
                 many of them\n  help: define it with a longer `step`, choose a shorter range with `--from` and `--to`, \
                 or allow more with `--max-rows`",
                grouped(n_rows),
                grouped(most)
            )));
        }
        Ok(_) => {}
        Err(error) => return Err(error.into()),
    }
    match evaluated.asked_rows(metric, &package.imports, reading) {
        Ok(Some(n_rows)) if n_rows > most => {
            return Err(Failure::Message(format!(
                "`{name}` has about {} rows here with {}, and `--max-rows` allows {}\n  help: choose a shorter range \
                 with `--from` and `--to`, fewer keys, or allow more with `--max-rows`",
                grouped(n_rows),
                reading.why_more_rows(),
                grouped(most)
            )));
        }
        Ok(_) => {}
        Err(error @ ServeError::Options { .. }) => return Ok(Err(error.to_string())),
        Err(error) => return Err(error.into()),
    }
    match evaluated.rows(metric, &package.imports, reading) {
        Ok(rows) => {
            options.notes(name, &window).iter().for_each(|note| terminal::warning(note));
            Ok(Ok(rows))
        }
        Err(error @ ServeError::Options { .. }) => Ok(Err(error.to_string())),
        Err(error) => Err(error.into()),
    }
}

/// Which rows of a metric are asked for; an error if it does not have such.
pub(crate) fn reading_of(
    metric: &AnyMetric,
    package: &Package,
    (rows, range): (&RowArguments, &RangeArguments),
) -> Result<Reading, String> {
    let (name, row_type) = (metric.name(), metric.row_type());
    let calendars = &package.checked.package.calendars;
    let grain =
        range.grain.as_ref().map(|text| metricc_ir::grain(text, &row_type.window, calendars)).transpose();
    let grain = grain.map_err(|problem| format!("metric `{name}`: --grain: {problem}"))?;
    let request = rows.request(name, range).map_err(|error| error.to_string())?;
    Reading::new(&row_type, &request, grain).map_err(|error| error.to_string())
}

/// The rows of metrics that were asked for by name: each of them has such rows.
pub(crate) fn all(results: Vec<Read<'_>>) -> Result<Vec<RowPieces<'_>>, Failure> {
    results.into_iter().map(|result| result?.map_err(Failure::Message)).collect()
}

/// The rows of those metrics of a package that have such rows. The others are named, unless none is left.
fn readable(results: Vec<Read<'_>>) -> Result<Vec<RowPieces<'_>>, Failure> {
    let results = results.into_iter().collect::<Result<Vec<_>, Failure>>()?;
    let has_rows = results.iter().any(Result::is_ok);
    let mut readable = Vec::with_capacity(results.len());
    for result in results {
        match result {
            Ok(rows) => readable.push(rows),
            Err(problem) if has_rows => terminal::warning(&format!("{problem}: left out")),
            Err(problem) => return Err(Failure::Message(problem)),
        }
    }
    Ok(readable)
}

pub(crate) fn with_help(error: EvaluateError) -> Failure {
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

/// Reads the package and opens the logs of the requested metrics. If the package has errors, they are
/// reported and the result is `None`.
pub(crate) fn open(
    arguments: &InputArguments,
    imports: &Imports,
    check: impl Fn(&Package, &[AnyMetric]) -> Result<(), Failure>,
) -> Result<Option<Opened>, Failure> {
    if Format::from_path(&arguments.file).is_some() {
        let file = arguments.file.display();
        return Err(Failure::Message(format!(
            "`{file}` has events, and a `.metric` file is expected\n  help: write `PACKAGE.metric --source SOURCE={file}`"
        )));
    }
    let package = stored::read_package(&arguments.file)?.with_imports(imports);
    if !terminal::report(&package)? {
        return Ok(None);
    }
    open_package(package, &arguments.metrics, &arguments.logs, check).map(Some)
}

/// Opens the logs of the requested metrics of a package without errors.
pub(crate) fn open_package(
    package: Package,
    metrics: &[String],
    logs: &LogArguments,
    check: impl Fn(&Package, &[AnyMetric]) -> Result<(), Failure>,
) -> Result<Opened, Failure> {
    let Selection { wanted, base } = package.select(metrics)?;
    check(&package, &wanted)?;
    let topics = Topics::new(&logs.kafka, &logs.sources)?;
    let bound = progress::open(&package, &base, &logs.sources, &|source, binding, progress| {
        topics.open_log(source, binding, progress)
    })?;
    Ok(Opened { package, wanted, bound })
}

pub(crate) fn engine_options(arguments: &LogArguments) -> EngineOptions {
    let defaults = EngineOptions::default();
    EngineOptions { workers: arguments.workers.map_or(defaults.workers, usize::from), ..defaults }
}

/// The frontier after a fraction of the log.
pub(crate) fn cut_at(log: &Log, fraction: f64) -> Frontier {
    log.frontier_at((log.n_positions() as f64 * fraction).round() as u64)
}
