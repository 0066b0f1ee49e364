//! `metricc verify`.

use std::collections::BTreeSet;
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use super::arguments::VerifyArguments;
use super::progress;
use super::rejections::{self, RejectedFile};
use super::run::{Opened, engine_options, open};
use super::terminal::{self, Failure, counted};
use crate::Bound;
use crate::verify::{CounterExample, RealLayers, Verdict, VerifyOptions, verify};
use metricc_ir::AnyMetric;
use metricc_ir::user_defined::Imports;

/// Times that a trial reads the log: batch before and after the cut, each about half; the stream over all of
/// it and after the cut.
const READS_PER_TRIAL: u64 = 3;

pub(crate) fn run(arguments: &VerifyArguments, imports: &Imports) -> Result<ExitCode, Failure> {
    let Some(Opened { wanted, bound, .. }) = open(&arguments.input, imports, |_, _| Ok(()))? else {
        return Ok(ExitCode::from(1));
    };
    let options = VerifyOptions {
        n_cuts: arguments.cuts as usize,
        seed: arguments.seed.unwrap_or_else(clock_seed),
        max_workers: engine_options(&arguments.input.logs).workers.max(2),
    };
    let (mut is_equal, mut equal) = (true, BTreeSet::new());
    let mut listed = RejectedFile::create(&arguments.input.logs.rejections)?;
    for bound in &bound {
        let (name, input) = (&bound.plan.source.name, &arguments.input);
        let stats = rejections::stats_of(&bound.log)?;
        if let Some(listed) = &mut listed {
            listed.write_log(name, &bound.log)?;
        }
        let limit = input.logs.rejections.max_rejected;
        if !rejections::report(name, &bound.log, &stats, limit, input.logs.allow_empty) {
            is_equal = false;
            continue;
        }
        if verify_source(bound, &options)? {
            equal.extend(bound.plan.metrics.iter().map(|plan| plan.metric.name.as_str()));
        } else {
            is_equal = false;
        }
    }
    report_derived(&wanted, &equal)?;
    listed.map(RejectedFile::finish).transpose()?;
    Ok(if is_equal { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// Reports derived metrics over operands that are equal. They have no states of their own: their rows are
/// computed from those of their operands.
fn report_derived(wanted: &[AnyMetric], equal: &BTreeSet<&str>) -> Result<(), Failure> {
    for metric in wanted.iter().filter(|metric| matches!(metric, AnyMetric::Derived(_))) {
        let operands: Vec<&str> = metric.base().iter().map(|base| base.name.as_str()).collect();
        if operands.iter().all(|operand| equal.contains(operand)) {
            let (name, operands) = (metric.name(), operands.join(", "));
            terminal::data(&format!("equal  {name}: computed from the rows of {operands}\n"))?;
        }
    }
    Ok(())
}

/// Verifies the metrics of one source. Reports a difference, and returns whether there is none.
pub(crate) fn verify_source(bound: &Bound, options: &VerifyOptions) -> Result<bool, Failure> {
    let source = &bound.plan.source.name;
    let n_positions = bound.log.n_positions();
    let bar = progress::bar(
        n_positions * (1 + READS_PER_TRIAL * options.n_cuts as u64),
        "events",
        &format!("verify {source}"),
    );
    let layers = RealLayers { bound, progress: &|n| bar.inc(n) };
    let verdict = verify(&bound.plan.metrics, &bound.log, &layers, options, &|_| ())?;
    bar.finish_and_clear();
    match verdict {
        Verdict::Equal { n_comparisons, n_of_rows, n_groups, overflows } => {
            for (plan, n_groups) in bound.plan.metrics.iter().zip(n_groups) {
                let groups = counted(n_groups, "group", "groups");
                terminal::data(&format!("equal  {}: {groups}\n", plan.metric.name))?;
            }
            terminal::note(format!(
                "source `{source}`: {}, {}, {n_comparisons} comparisons of states and {n_of_rows} of rows as Arrow, 0 \
                 differences (seed {})",
                counted(n_positions as usize, "position", "positions"),
                counted(options.n_cuts, "cut", "cuts"),
                options.seed
            ));
            overflows.iter().for_each(|overflow| terminal::warning(&overflow.to_string()));
            Ok(true)
        }
        Verdict::Different(example) => {
            terminal::data(&report(options.seed, &example))?;
            terminal::error(&format!(
                "the engines differ on `{}`; this is a bug in metricc: please report the lines above with the \
                 metric and, if possible, the prefix of the log",
                example.difference.metric
            ));
            Ok(false)
        }
    }
}

fn report(seed: u64, example: &CounterExample) -> String {
    let CounterExample { trial, difference, prefix } = example;
    let missing = || "the group is missing".to_owned();
    format!(
        "DIFFERENT  {}\n  cut       {}\n  group     {}\n  {}: {}\n  {}: {}\n  smallest prefix  {prefix}\n  \
         batch     workers={} rows={}\n  stream    workers={} rows={}\n  seed      {seed}\n",
        difference.metric,
        trial.cut,
        difference.group,
        difference.expected_by,
        difference.expected.clone().unwrap_or_else(missing),
        difference.found_by,
        difference.found.clone().unwrap_or_else(missing),
        trial.batch.workers,
        trial.batch.batch_rows.unwrap_or_default(),
        trial.stream.workers,
        trial.stream.batch_rows.unwrap_or_default(),
    )
}

fn clock_seed() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64)
}
