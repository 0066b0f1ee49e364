//! `metricc compare`: a metric against rows of another system, and what explains those that differ.

use std::process::ExitCode;
use std::sync::Arc;

use metricc_ir::calendar::{ZoneRules, zone_names};
use metricc_ir::user_defined::Imports;
use metricc_ir::{AnyMetric, Source, Window, suggest};
use metricc_log::{Binding, Interval, Log, LogError, ReadStats};
use metricc_runtime_serve::ReadOptions;

use super::arguments::{CompareArguments, DiffFormat};
use super::compare_report::{self, Answer};
use super::kafka::Topics;
use super::rejections::{self, RejectedFile};
use super::run::engine_options;
use super::terminal::{self, Failure};
use super::{progress, stored};
use crate::warehouse::{Columns, Question, Sources, TheirRows, Trial, ZONES, all_trials, compared, read};
use crate::{Bound, Evaluated, Package};
use metricc_comparison::causes::{Budget, Side, evaluated};
use metricc_comparison::compare::Comparison;
use metricc_comparison::diff::data::deadline;

pub(crate) fn run(arguments: &CompareArguments, imports: &Imports) -> Result<ExitCode, Failure> {
    let zones = zones(arguments)?;
    let package = stored::read_package(&arguments.file)?.with_imports(imports);
    if !terminal::report(&package)? {
        let file = arguments.file.display();
        return Err(Failure::Message(format!("{file} has errors, and nothing is compared")));
    }
    let selection = package.select(std::slice::from_ref(&arguments.metric))?;
    let Some(metric) = selection.wanted.first() else {
        return Err(Failure::Message(format!("there is no metric `{}`", arguments.metric)));
    };
    let theirs = their_rows(arguments, metric)?;
    let topics = Topics::new(&arguments.logs.kafka, &arguments.logs.sources)?;
    let bound =
        progress::open(&package, &selection.base, &arguments.logs.sources, &|source, binding, show| {
            topics.open_log(source, binding, show)
        })?;
    let (evaluated, stats) = evaluate(arguments, &bound)?;
    let presented = evaluated.read(metric, imports, &ReadOptions::default())?;
    presented.overflows().iter().for_each(|overflow| terminal::warning(&overflow.to_string()));
    let found = compared(&presented, &theirs, arguments.tolerance())?;
    let comparison = &found.comparison;
    let trials = match comparison.different.is_empty() {
        true => Ok(Vec::new()),
        false => {
            let reopen = |source: &Arc<Source>| {
                let binding = arguments.logs.sources.iter().find(|(name, _)| *name == source.name);
                let (_, binding) = binding.ok_or_else(|| LogError::Request {
                    problem: format!("source `{}` has no data", source.name),
                })?;
                topics.open_log(source, binding, &|_| ())
            };
            let tried = Tried { arguments, package: &package, metric, zones: &zones, stats: &stats };
            tried.trials(&bound, &theirs, comparison, &reopen)?
        }
    };
    let answer = Answer { arguments, theirs: &theirs, found: &found, trials: &trials };
    match arguments.output {
        DiffFormat::Text => terminal::data(&compare_report::text(&answer))?,
        DiffFormat::Json => terminal::data(&format!("{}\n", compare_report::json(&answer)))?,
    }
    Ok(if comparison.different.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// The zones to try, which must exist.
fn zones(arguments: &CompareArguments) -> Result<Vec<String>, Failure> {
    for zone in &arguments.zones {
        if ZoneRules::named(zone).is_none() {
            let help = match suggest::nearest(zone, zone_names()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "a zone is named as in `Europe/Berlin`".to_owned(),
            };
            return Err(Failure::Message(format!(
                "`--zones`: there is no time zone `{zone}`\n  help: {help}"
            )));
        }
    }
    Ok(match arguments.zones.is_empty() {
        true => ZONES.map(str::to_owned).to_vec(),
        false => arguments.zones.clone(),
    })
}

fn their_rows(arguments: &CompareArguments, metric: &AnyMetric) -> Result<TheirRows, Failure> {
    if arguments.with.path == "-" {
        let problem =
            "`--with -`: the file is read column by column\n  help: write the rows to a file, and name it";
        return Err(Failure::Message(problem.to_owned()));
    }
    let row_type = metric.row_type();
    let given = [(arguments.window.is_some(), "--window"), (arguments.all_windows, "--all-windows")];
    if let (Window::AllTime, Some((_, option))) = (&row_type.window, given.iter().find(|(given, _)| *given)) {
        let name = metric.name();
        return Err(Failure::Message(format!("`{option}` has no effect here: `{name}` has no windows")));
    }
    let (window, value) = (arguments.window.as_deref(), arguments.value.as_deref());
    let columns = Columns::new(&row_type, &arguments.columns, window, value).map_err(Failure::Message)?;
    let open = |source: &Arc<Source>, binding: &Binding| stored::open_log(source, binding, &|_| ());
    let theirs = read(&arguments.with, &row_type, &columns, &open).map_err(Failure::Message)?;
    let span = theirs.span.filter(|_| !arguments.all_windows);
    Ok(TheirRows { span, ..theirs })
}

/// The segments of all sources; an error if too many records are rejected.
fn evaluate(arguments: &CompareArguments, bound: &[Bound]) -> Result<(Evaluated, ReadStats), Failure> {
    let (mut all, mut all_stats, mut is_sound) = (Evaluated::default(), ReadStats::default(), true);
    let mut listed = RejectedFile::create(&arguments.logs.rejections)?;
    for one in bound {
        let name = &one.plan.source.name;
        let whole = Interval::new(one.log.start(), one.log.end())?;
        let bar = progress::bar(whole.n_positions(), "events", name);
        let done =
            evaluated((&one.plan, &one.log), &whole, &engine_options(&arguments.logs), &|n| bar.inc(n));
        bar.finish_and_clear();
        let (evaluation, stats) = done?;
        let limit = arguments.logs.rejections.max_rejected;
        is_sound &= rejections::report(name, &one.log, &stats, limit, arguments.logs.allow_empty);
        if let Some(listed) = &mut listed {
            listed.write_log(name, &one.log)?;
        }
        all.merge(evaluation);
        all_stats.merge(stats);
    }
    listed.map(RejectedFile::finish).transpose()?;
    match is_sound {
        true => Ok((all, all_stats)),
        false => Err(Failure::Message("the rows are not compared".to_owned())),
    }
}

/// What trials are made of.
struct Tried<'a> {
    arguments: &'a CompareArguments,
    package: &'a Package,
    metric: &'a AnyMetric,
    zones: &'a [String],
    stats: &'a ReadStats,
}

impl Tried<'_> {
    /// All trials. Inner error: why there are none.
    fn trials(
        &self,
        bound: &[Bound],
        theirs: &TheirRows,
        comparison: &Comparison,
        reopen: &dyn Fn(&Arc<Source>) -> Result<Log, LogError>,
    ) -> Result<Result<Vec<Trial>, String>, Failure> {
        let ([bound], Some(_)) = (bound, self.metric.only_source()) else {
            return Ok(
                Err("causes are tried for metrics of one source, and this one has several".to_owned()),
            );
        };
        let (options, engine) = (ReadOptions::default(), engine_options(&self.arguments.logs));
        let side = Side::new(self.metric, &bound.log, &options, &self.package.imports, &engine)?;
        let whole = Interval::new(bound.log.start(), bound.log.end())?;
        let tolerance = self.arguments.tolerance();
        let question = Question { side: &side, whole: &whole, theirs, comparison, tolerance };
        let is_read_once = self.arguments.logs.sources.iter().any(|(_, binding)| binding.path == "-");
        let bar = progress::spinner(&format!("causes for {}", self.metric.name()));
        let sources = Sources {
            package: self.package,
            stats: self.stats,
            reopen: (!is_read_once).then_some(reopen),
            zones: self.zones,
            budget: Budget { events: self.arguments.examples, until: deadline(self.arguments.search.within) },
            progress: &|| bar.inc(1),
        };
        let trials = all_trials(&question, &sources);
        bar.finish_and_clear();
        Ok(Ok(trials?))
    }
}
