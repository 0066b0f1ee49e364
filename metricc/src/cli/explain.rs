//! `metricc explain`.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use metricc_client::own::Imports;
use metricc_compiler::{MetricPlan, SourcePlan, explain};
use metricc_dsl::explain::Node;
use metricc_dsl::{Code, explain_typed, ir};

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
    let package = Package::read(Path::new(&arguments.subject))?.bringing(imports);
    let wanted: Vec<String> = arguments.metric.iter().cloned().collect();
    if package.checked.has_errors() {
        terminal::report(&package)?;
        // Metrics without errors can be explained all the same.
        if wanted.is_empty() || package.metrics(&wanted).is_err() {
            return Ok(ExitCode::from(1));
        }
    }
    let metrics = package.metrics(&wanted)?;
    let stages = arguments.stage.map_or(STAGES.to_vec(), |stage| vec![stage]);
    // What was written and typed needs no plan, and so nothing that a program would have to bring.
    let is_planned = stages.iter().any(|stage| !matches!(stage, Stage::Syntax | Stage::Typed));
    let plans = if is_planned { SourcePlan::of_package(&metrics, imports)? } else { Vec::new() };
    for metric in &metrics {
        for &stage in &stages {
            let node = match stage {
                Stage::Syntax => {
                    package.checked.explain_syntax(&metric.name).ok_or_else(|| PackageError::Name {
                        problem: format!("`{}` has no syntax tree", metric.name),
                        help: None,
                    })?
                }
                Stage::Typed => explain_typed(metric),
                stage => {
                    let (source, plan) = plan_of(&plans, metric)?;
                    planned(source, plan, stage)
                }
            };
            let title = format!("# {} {}\n", metric.name, format!("{stage:?}").to_lowercase());
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
