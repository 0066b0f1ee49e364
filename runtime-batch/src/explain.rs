//! The stage *batch*: the physical plan of a metric's grouping, as DataFusion shows it.

use std::sync::Arc;

use datafusion_physical_plan::{ExecutionPlan, displayable};
use metricc_compiler::{CompileError, Measure, MetricPlan, SourcePlan, explain};
use metricc_ir::explain::Node;

use crate::operators::physical_plan;
use crate::scan::Splits;

/// The operators that run for a metric over a log of this many splits.
///
/// # Errors
/// If the plan cannot be rendered.
///
/// # Panics
/// If the metric is not of the source plan.
pub fn explain(source: &SourcePlan, metric: &MetricPlan, n_splits: usize) -> Result<Node, CompileError> {
    let grouping = source.grouping_of(metric);
    let splits = Arc::new(Splits::unread(n_splits));
    let operators = physical_plan(grouping, splits, &Arc::default(), &Measure::default())
        .map_err(|error| CompileError::engine(&grouping.form.place, error))?;
    Ok(explain::segment(source, metric, node(&operators, source, metric)))
}

fn node(operator: &Arc<dyn ExecutionPlan>, source: &SourcePlan, metric: &MetricPlan) -> Node {
    let inputs = operator.children();
    if inputs.is_empty() {
        let rows = explain::rows_of(source, metric);
        return explain::prepare(operator.name(), &rows.metric).child(explain::scan(source));
    }
    let text = displayable(operator.as_ref()).one_line().to_string();
    let properties = text.trim_end().split_once(": ").map_or("", |(_, properties)| properties);
    let named = properties_of(properties).into_iter();
    let named = named.fold(Node::new(operator.name()), |node, (name, value)| node.with(name, value));
    named.children(inputs.into_iter().map(|input| node(input, source, metric)))
}

/// `a=b, c=[d, e]` as pairs: a comma within brackets separates nothing.
fn properties_of(text: &str) -> Vec<(&str, &str)> {
    let mut depth = 0;
    let separates = |character: char| {
        match character {
            '(' | '[' => depth += 1,
            ')' | ']' => depth -= 1,
            _ => {}
        }
        character == ',' && depth == 0
    };
    text.split(separates).filter_map(|property| property.trim().split_once('=')).collect()
}
