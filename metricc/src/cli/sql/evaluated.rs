//! The tables that a statement reads: its metrics are evaluated, and the logs of its sources are opened.

use std::sync::Arc;

use metricc_compiler::Segment;
use metricc_ir::user_defined::Imports;
use metricc_ir::{AnyMetric, Source, base_metrics};
use metricc_log::{Frontier, Log};

use crate::cli::arguments::SqlArguments;
use crate::cli::kafka::Topics;
use crate::cli::rejections::{self, RejectedFile};
use crate::cli::run::engine_options;
use crate::cli::terminal::{self, Failure};
use crate::cli::{progress, stored};
use crate::sql::{EvaluatedLog, SourceTable, Tables, message, tables_of};
use crate::{Bound, Engine, Evaluation, Package, evaluate, serve_evaluated};

/// The tables of a package; those that the statement reads have rows. `None` if the package has errors, or too
/// many records were rejected, which is reported.
pub(super) fn tables(arguments: &SqlArguments, imports: &Imports) -> Result<Option<Tables>, Failure> {
    let package = stored::read_package(&arguments.file)?.with_imports(imports);
    if !terminal::report(&package)? {
        return Ok(None);
    }
    let read = tables_of(&arguments.statement).map_err(|error| Failure::Message(message(&error)))?;
    let is_read = |name: &str| read.iter().any(|table| table == name);
    let metrics: Vec<AnyMetric> =
        package.checked.package.all_metrics().filter(|metric| is_read(metric.name())).collect();
    let topics = Topics::new(&arguments.logs.kafka, &arguments.logs.sources)?;
    let open =
        |source: &Arc<Source>, binding: &_, progress: &dyn Fn(_)| topics.open_log(source, binding, progress);
    let bound = progress::open(&package, &base_metrics(&metrics), &arguments.logs.sources, &open)?;
    let Some(segments) = evaluated(arguments, &bound)? else { return Ok(None) };
    let evaluated: Vec<(&Bound, Vec<Segment>)> = bound.iter().zip(segments).collect();
    let serving = serve_evaluated(&package, &evaluated)?;
    let sources = source_tables(arguments, &package, &bound, &topics, &is_read)?;
    let (tables, left_out) = Tables::of(&serving.snapshot(), sources);
    for (metric, error) in left_out {
        match is_read(&metric) {
            true => return Err(Failure::Message(format!("metric `{metric}` is no table: {error}"))),
            false => terminal::warning(&format!("metric `{metric}` is no table: {error}")),
        }
    }
    Ok(Some(tables))
}

/// The segments of each source; `None` if too many of its records were rejected.
fn evaluated(arguments: &SqlArguments, bound: &[Bound]) -> Result<Option<Vec<Vec<Segment>>>, Failure> {
    let (mut all, mut is_sound) = (Vec::with_capacity(bound.len()), true);
    let mut listed = RejectedFile::create(&arguments.logs.rejections)?;
    for bound in bound {
        let name = &bound.plan.source.name;
        let bar = progress::bar(bound.log.n_positions(), "events", name);
        let options = engine_options(&arguments.logs);
        let done = evaluate(bound, Some(Engine::Batch), &Frontier::default(), &options, &|n| bar.inc(n));
        bar.finish_and_clear();
        let Evaluation { segments, read_stats } = done?;
        let limit = arguments.logs.rejections.max_rejected;
        is_sound &= rejections::report(name, &bound.log, &read_stats, limit, arguments.logs.allow_empty);
        if let Some(listed) = &mut listed {
            listed.write_log(name, &bound.log)?;
        }
        all.push(segments);
    }
    listed.map(RejectedFile::finish).transpose()?;
    Ok(is_sound.then_some(all))
}

/// The tables of all sources. The log of one that the statement reads is opened, unless a metric has opened it.
fn source_tables(
    arguments: &SqlArguments,
    package: &Package,
    bound: &[Bound],
    topics: &Topics,
    is_read: &dyn Fn(&str) -> bool,
) -> Result<Vec<SourceTable>, Failure> {
    let mut tables = Vec::new();
    for source in &package.checked.package.sources {
        let open =
            bound.iter().find(|bound| bound.plan.source.name == source.name).map(|bound| bound.log.clone());
        let log = match (open, is_read(&source.name)) {
            (Some(log), _) => log,
            (None, true) => opened(arguments, source, topics)?,
            (None, false) => Log::of_partitions(&metricc_log::RecordDecoder::new(source)?, Vec::new()),
        };
        tables.push(SourceTable::new(source, EvaluatedLog::whole(&log)?)?);
    }
    Ok(tables)
}

fn opened(arguments: &SqlArguments, source: &Arc<Source>, topics: &Topics) -> Result<Log, Failure> {
    let name = &source.name;
    let binding = arguments.logs.sources.iter().find(|(bound, _)| bound == name);
    let (_, binding) = binding.ok_or_else(|| {
        let help = format!("add `--source {name}=PATH`: a file, folder or glob");
        Failure::Message(format!("source `{name}` has no events\n  help: {help}"))
    })?;
    let bar = progress::bar(0, "bytes", &format!("opening {name}"));
    let log = topics.open_log(source, binding, &|done| {
        bar.set_length(done.bytes_total);
        bar.set_position(done.bytes_done);
    });
    bar.finish_and_clear();
    Ok(log?)
}
