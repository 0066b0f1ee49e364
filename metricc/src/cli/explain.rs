//! `metricc explain`.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use metricc_compiler::{MetricPlan, SourcePlan, explain};
use metricc_dsl::Code;
use metricc_ir as ir;
use metricc_ir::AnyMetric;
use metricc_ir::explain::Node;
use metricc_ir::explain_typed::{explain_derived, explain_typed};
use metricc_ir::user_defined::Imports;

use super::arguments::{ExplainArguments, ExplainFormat, Stage};
use super::terminal::{self, Failure};
use crate::{Package, PackageError};

const STAGES: [Stage; 7] =
    [Stage::Summary, Stage::Syntax, Stage::Typed, Stage::Algebra, Stage::Batch, Stage::Stream, Stage::Serve];

/// A page about an error code, or the stages of metrics.
pub(crate) fn run(arguments: &ExplainArguments, imports: &Imports) -> Result<ExitCode, Failure> {
    if let Some(code) = Code::parse(&arguments.subject) {
        terminal::data(&format!("{}: {}\n\n{}\n", code.id(), code.title(), code.explanation().trim_end()))?;
        return Ok(ExitCode::SUCCESS);
    }
    let is_code = |text: &str| {
        let digits = text.strip_prefix(['M', 'm']).unwrap_or_default();
        digits.len() == 4 && digits.bytes().all(|byte| byte.is_ascii_digit())
    };
    if is_code(&arguments.subject) && !Path::new(&arguments.subject).exists() {
        let last = Code::all().last().map_or("", |code| code.id());
        return Err(Failure::Message(format!(
            "there is no code {}\n  help: they go from M0001 to {last}",
            arguments.subject
        )));
    }
    let package = Package::read(Path::new(&arguments.subject))?.bringing(imports);
    let wanted: Vec<String> = arguments.metric.iter().cloned().collect();
    if package.checked.has_errors() {
        terminal::report(&package)?;
        // Metrics without errors can be explained all the same.
        if wanted.is_empty() || package.metrics(&wanted).is_err() {
            return Ok(ExitCode::from(1));
        }
    }
    let metrics = package.select(&wanted)?.wanted;
    let stages = arguments.stage.map_or(STAGES.to_vec(), |stage| vec![stage]);
    // What was written and typed needs no plan, and so nothing that a program would have to bring.
    let is_planned = stages.iter().any(|stage| !matches!(stage, Stage::Syntax | Stage::Typed));
    let of_events: Vec<_> = metrics
        .iter()
        .filter_map(|metric| match metric {
            AnyMetric::OfEvents(metric) => Some(metric.clone()),
            AnyMetric::OfMetrics(_) => None,
        })
        .collect();
    let plans = if is_planned { SourcePlan::of_package(&of_events, imports)? } else { Vec::new() };
    for metric in &metrics {
        for &stage in &stages {
            // What another file defines was parsed there.
            let is_elsewhere = package.checked.explain_syntax(metric.name()).is_none();
            if stage == Stage::Syntax && is_elsewhere && arguments.stage.is_none() {
                continue;
            }
            let node = match (stage, metric) {
                (Stage::Syntax, _) => {
                    package.checked.explain_syntax(metric.name()).ok_or_else(|| PackageError::Name {
                        problem: format!("`{}` is written in another file", metric.name()),
                        help: Some("explain that file to see its syntax".to_owned()),
                    })?
                }
                (Stage::Typed, AnyMetric::OfEvents(metric)) => explain_typed(metric),
                (Stage::Typed, AnyMetric::OfMetrics(derived)) => explain_derived(derived),
                (stage, AnyMetric::OfEvents(metric)) => {
                    let (source, plan) = plan_of(&plans, metric)?;
                    planned(source, plan, stage)
                }
                // It keeps nothing: the stages are those of the metrics that it is made of.
                (_, AnyMetric::OfMetrics(_)) if arguments.stage.is_none() => continue,
                (_, AnyMetric::OfMetrics(derived)) => {
                    let of: BTreeSet<&str> =
                        derived.operands.iter().map(|operand| operand.metric.name.as_str()).collect();
                    let of: Vec<String> = of.into_iter().map(|name| format!("`{name}`")).collect();
                    return Err(Failure::Message(format!(
                        "`{}` is made of metrics, and keeps nothing itself\n  help: explain {}",
                        derived.name,
                        of.join(", ")
                    )));
                }
            };
            let title = format!("# {} {}\n", metric.name(), format!("{stage:?}").to_lowercase());
            let is_single = metrics.len() * stages.len() == 1;
            terminal::data(&match arguments.format {
                ExplainFormat::Text if is_single => node.to_text(),
                ExplainFormat::Text => format!("{title}{}\n", node.to_text()),
                ExplainFormat::Json => format!("{}\n", serde_json::to_string(&node)?),
                ExplainFormat::Dot => node.to_dot(),
            })?;
        }
    }
    Ok(ExitCode::SUCCESS)
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

fn planned(source: &SourcePlan, plan: &MetricPlan, stage: Stage) -> Node {
    match stage {
        Stage::Summary => explain::summary(plan),
        Stage::Batch => explain::batch(source, plan),
        Stage::Stream => explain::stream(source, plan),
        Stage::Serve => explain::serve(plan),
        Stage::Algebra | Stage::Syntax | Stage::Typed => explain::algebra(plan),
    }
}
