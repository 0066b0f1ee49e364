//! `metricc explain`.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use clap::ValueEnum;
use metricc_compiler::{CompileError, EngineOptions, MetricPlan, SourcePlan, explain};
use metricc_dsl::Code;
use metricc_ir as ir;
use metricc_ir::AnyMetric;
use metricc_ir::explain::Node;
use metricc_ir::explain_typed::{explain_derived, explain_typed};
use metricc_ir::user_defined::Imports;

use super::arguments::{ExplainArguments, ExplainFormat, Stage};
use super::stored;
use super::terminal::{self, Failure};
use crate::{Package, PackageError};

/// Prints the explanation of an error code, or the stages of metrics.
pub(crate) fn run(arguments: &ExplainArguments, imports: &Imports) -> Result<ExitCode, Failure> {
    if let Some(page) = arguments.subject.to_str().map(code_page).transpose()?.flatten() {
        terminal::data(&page)?;
        return Ok(ExitCode::SUCCESS);
    }
    let package = stored::read_package(&arguments.subject)?.with_imports(imports);
    let wanted: Vec<String> = arguments.metric.iter().cloned().collect();
    if package.checked.has_errors() {
        terminal::report(&package)?;
        // A valid metric can be explained although others have errors.
        if wanted.is_empty() || package.metrics(&wanted).is_err() {
            return Ok(ExitCode::from(1));
        }
    }
    let selection = package.select(&wanted)?;
    let stages = arguments.stage.as_ref().map_or(Stage::value_variants(), std::slice::from_ref);
    // The first stages need no plan, and so no user-defined functions of the program.
    let is_planned = stages.iter().any(|stage| !matches!(stage, Stage::Syntax | Stage::Typed));
    let base = selection.base;
    let plans = if is_planned { SourcePlan::of_package(&base, imports)? } else { Vec::new() };
    let metrics = match arguments.stage {
        Some(_) if is_planned => with_states(&selection.wanted, base),
        _ => selection.wanted,
    };
    let is_single = metrics.len() * stages.len() == 1;
    for metric in &metrics {
        for &stage in stages {
            let node = match explained(&package, &plans, metric, stage)? {
                Explained::Stage(node) => node,
                Explained::Missing(_) if arguments.stage.is_none() => continue,
                Explained::Missing(error) => return Err(error.into()),
            };
            let name = stage.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default();
            terminal::data(&match arguments.format {
                ExplainFormat::Text if is_single => node.to_text(),
                ExplainFormat::Text => format!("# {} {name}\n{}\n", metric.name(), node.to_text()),
                ExplainFormat::Json => format!("{}\n", serde_json::to_string(&node)?),
                ExplainFormat::Dot => node.to_dot(),
            })?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The metrics that have states, each once: for a derived metric those that it reads.
fn with_states(wanted: &[AnyMetric], base: Vec<Arc<ir::Metric>>) -> Vec<AnyMetric> {
    for metric in wanted {
        if let AnyMetric::Derived(derived) = metric {
            let operands: BTreeSet<String> =
                derived.operands.iter().map(|operand| format!("`{}`", operand.metric.name)).collect();
            let operands = operands.into_iter().collect::<Vec<_>>().join(", ");
            terminal::note(format!(
                "`{}` is derived and has no states of its own, but those of {operands}",
                derived.name
            ));
        }
    }
    base.into_iter().map(AnyMetric::Base).collect()
}

/// The explanation of an error code; `None` if the subject is not a code.
fn code_page(subject: &str) -> Result<Option<String>, Failure> {
    if let Some(code) = Code::parse(subject) {
        let text = code.explanation().trim_end();
        return Ok(Some(format!("{}: {}\n\n{text}\n", code.id(), code.title())));
    }
    let digits = subject.strip_prefix(['M', 'm']).unwrap_or_default();
    let is_code = digits.len() == 4 && digits.bytes().all(|byte| byte.is_ascii_digit());
    if is_code && !Path::new(subject).exists() {
        let last = Code::all().last().map_or("", |code| code.id());
        let problem = format!("there is no error code {subject}\n  help: codes are M0001 to {last}");
        return Err(Failure::Message(problem));
    }
    Ok(None)
}

/// One stage of one metric.
enum Explained {
    Stage(Node),
    /// The metric does not have this stage.
    Missing(PackageError),
}

fn explained(
    package: &Package,
    plans: &[SourcePlan],
    metric: &AnyMetric,
    stage: Stage,
) -> Result<Explained, Failure> {
    let missing =
        |problem: String, help: String| Explained::Missing(PackageError::Name { problem, help: Some(help) });
    Ok(match (stage, metric) {
        (Stage::Syntax, _) => match package.checked.explain_syntax(metric.name()) {
            Some(node) => Explained::Stage(node),
            None => missing(
                format!("`{}` is defined in another file", metric.name()),
                "explain that file to see its syntax".to_owned(),
            ),
        },
        (Stage::Typed, AnyMetric::Base(metric)) => Explained::Stage(explain_typed(metric)),
        (Stage::Typed, AnyMetric::Derived(derived)) => Explained::Stage(explain_derived(derived)),
        (stage, AnyMetric::Base(metric)) => {
            let (source, plan) = plan_of(plans, metric)?;
            Explained::Stage(planned(source, plan, stage)?)
        }
        (_, AnyMetric::Derived(derived)) => missing(
            format!("`{}` is a derived metric, which has no states of its own", derived.name),
            "explain the metrics that it reads".to_owned(),
        ),
    })
}

fn plan_of<'a>(
    plans: &'a [SourcePlan],
    metric: &Arc<ir::Metric>,
) -> Result<(&'a SourcePlan, &'a MetricPlan), Failure> {
    plans
        .iter()
        .flat_map(|source| source.metrics.iter().map(move |plan| (source, plan.as_ref())))
        .find(|(_, plan)| Arc::ptr_eq(&plan.metric, metric))
        .ok_or_else(|| Failure::Message(format!("`{}` has no plan", metric.name)))
}

/// The batch stage is that of a log with a split for each processor of this machine.
fn planned(source: &SourcePlan, plan: &MetricPlan, stage: Stage) -> Result<Node, CompileError> {
    Ok(match stage {
        Stage::Summary => metricc_compiler::summary(plan),
        Stage::Batch => metricc_runtime_batch::explain(source, plan, EngineOptions::default().workers)?,
        Stage::Stream => metricc_runtime_stream::explain(source, plan)?,
        Stage::Serve => explain::serve(plan),
        Stage::Algebra | Stage::Syntax | Stage::Typed => explain::algebra(plan),
    })
}
