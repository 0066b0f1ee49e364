//! Questions over files of events, without a node: as `metricc run` computes a metric of that definition.

use std::path::Path;
use std::process::ExitCode;

use metricc_client::grouped;
use metricc_dsl::{Diagnostic, Question, Severity, SourceText};
use metricc_ir::AnyMetric;
use metricc_ir::user_defined::Imports;
use metricc_jobs::PackageText;

use super::super::arguments::{AskArguments, OutputFormat, QueryFormat};
use super::super::rejections::RejectedFile;
use super::super::run::{self, Opened};
use super::super::terminal::{self, Failure, MessageFormat};
use super::super::{output, progress, rejections, stored};
use crate::{Engine, Evaluated, Package, evaluate};

/// Most rows of an answer whose windows overlap, or that is filled.
const MOST_ROWS: u64 = 5_000_000;

pub(super) fn run(arguments: &AskArguments, file: &Path, imports: &Imports) -> Result<ExitCode, Failure> {
    let Some((name, package)) = package(arguments, file, imports)? else { return Ok(ExitCode::from(1)) };
    let format = match arguments.format() {
        QueryFormat::Table => OutputFormat::Table,
        QueryFormat::Json => OutputFormat::Json,
        QueryFormat::Csv => OutputFormat::Csv,
        QueryFormat::Arrow => OutputFormat::Arrow,
    };
    let asked = (&arguments.rows, &arguments.range);
    let check = |package: &Package, wanted: &[AnyMetric]| {
        wanted.iter().try_for_each(|metric| {
            let reading = run::reading_of(metric, package, asked).map_err(Failure::Message)?;
            match format.has_columns_alone() {
                true => run::check_columns(metric, &reading),
                false => Ok(()),
            }
        })
    };
    let logs = &arguments.logs;
    let Opened { package, wanted, bound } = run::open_package(package, &[name], logs, check)?;
    let n_events: u64 = bound.iter().map(|bound| bound.log.n_positions()).sum();
    terminal::note(format!("the question reads {} events", grouped(n_events)));
    let (mut evaluated, mut is_sound) = (Evaluated::default(), true);
    let mut listed = RejectedFile::create(&logs.rejections)?;
    for bound in &bound {
        let source = &bound.plan.source.name;
        let bar = progress::bar(bound.log.n_positions(), "events", source);
        let options = run::engine_options(logs);
        let done = evaluate(bound, Some(Engine::Batch), &bound.log.end(), &options, &|n| bar.inc(n));
        bar.finish_and_clear();
        let done = done.map_err(run::with_help)?;
        evaluated.add(&bound.plan, done.segments);
        let (limit, allow_empty) = (logs.rejections.max_rejected, logs.allow_empty);
        is_sound &= rejections::report(source, &bound.log, &done.read_stats, limit, allow_empty);
        if let Some(listed) = &mut listed {
            listed.write_log(source, &bound.log)?;
        }
    }
    listed.map(RejectedFile::finish).transpose()?;
    if !is_sound {
        return Ok(ExitCode::from(1));
    }
    let readings: Vec<_> = wanted.iter().map(|metric| run::reading_of(metric, &package, asked)).collect();
    let read = |(metric, reading)| run::read(metric, reading, &evaluated, &package, MOST_ROWS);
    let results = wanted.iter().zip(&readings).map(read).collect();
    let overflows = output::write(run::all(results)?, format, None, arguments.limit)?;
    overflows.iter().for_each(|overflow| terminal::warning(&overflow.to_string()));
    Ok(ExitCode::SUCCESS)
}

/// The name of the question, and the package of the file with it at its end. Errors are reported; then there
/// is none.
fn package(
    arguments: &AskArguments,
    file: &Path,
    imports: &Imports,
) -> Result<Option<(String, Package)>, Failure> {
    let package = stored::read_package(file)?.with_imports(imports);
    if !terminal::report(&package)? {
        return Ok(None);
    }
    let files = PackageText::of_checked(&package.text, &package.checked)?;
    let name = Question::free_name(&package.text);
    let question = Question::check(&package.text, &files, &name, &arguments.question);
    let is_error = |diagnostic: &&Diagnostic| diagnostic.severity == Severity::Error;
    let errors: Vec<Diagnostic> = question.diagnostics.iter().filter(is_error).cloned().collect();
    terminal::diagnostics(&errors, &question.text, MessageFormat::Full)?;
    if !errors.is_empty() {
        return Ok(None);
    }
    let text = format!("{}\n\n{}", files.text.trim_end(), question.metric_text);
    let text = SourceText { name: package.text.name, bytes: text.into_bytes() };
    let package = Package::from_text_with(text, &files).with_imports(imports);
    Ok(Some((name, package)))
}
