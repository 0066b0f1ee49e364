//! The plan of all metrics over one source: what is read once, and the groupings that the engines run.

use std::sync::Arc;

use metricc_ir as ir;
use metricc_ir::user_defined::Imports;
use metricc_log::{WantedRows, position_column};

use crate::plan::{MetricStates, args_of};
use crate::row_part::{Scope, columns_of};
use crate::state::Arg;
use crate::wanted_rows::wanted_rows;
use crate::{CompileError, Grouping, MetricPlan};

/// All metrics over one source: they share one scan and one decode.
#[derive(Debug)]
pub struct SourcePlan {
    /// The source.
    pub source: Arc<ir::Source>,
    /// Source fields that at least one metric reads, ascending, then the [position
    /// column](metricc_log::position_column) if an aggregate needs it. Batches have exactly these columns.
    pub columns: Vec<usize>,
    /// The rows that at least one metric wants, as far as single fields tell.
    pub wanted: Arc<WantedRows>,
    /// The metrics, in the order given.
    pub metrics: Vec<Arc<MetricPlan>>,
    /// What the engines run; every metric is a member of one.
    pub groupings: Vec<Arc<Grouping>>,
    /// Number of different filters over the rows of the source, for [`SharedRows`](crate::SharedRows).
    pub n_filters: usize,
}

impl SourcePlan {
    /// Plans the metrics, at least one, which must all be over one source. `imports` are the user-defined
    /// functions and aggregates of the program.
    pub fn new(metrics: &[Arc<ir::Metric>], imports: &Imports) -> Result<Self, CompileError> {
        let Some(first) = metrics.first() else {
            return Err(CompileError::form("plan", "there is no metric to plan"));
        };
        let source = first.source.clone();
        if let Some(other) = metrics.iter().find(|metric| metric.source != source) {
            return Err(CompileError::form(
                &other.name,
                format!("is over `{}`, not over `{}`", other.source.name, source.name),
            ));
        }
        let columns = read_columns(&source, metrics);
        let states =
            metrics.iter().map(|metric| MetricStates::of(metric, imports)).collect::<Result<Vec<_>, _>>()?;
        let plans = metrics
            .iter()
            .zip(&states)
            .map(|(metric, states)| Ok(Arc::new(MetricPlan::new(metric, states, imports)?)))
            .collect::<Result<Vec<_>, CompileError>>()?;
        let filters = filters(metrics);
        let scope = Scope::new(&source, &columns, imports, &filters);
        let groupings = Grouping::of_metrics(&plans, &states, &scope)?;
        let n_filters = filters.len();
        let wanted = wanted_rows(&source, metrics);
        Ok(SourcePlan { source, columns, wanted, metrics: plans, groupings, n_filters })
    }

    /// Plans a whole package: one plan per source that has metrics, in source order.
    pub fn of_package(metrics: &[Arc<ir::Metric>], imports: &Imports) -> Result<Vec<Self>, CompileError> {
        let mut by_source: Vec<Vec<Arc<ir::Metric>>> = Vec::new();
        for metric in metrics {
            match by_source.iter_mut().find(|group| group[0].source == metric.source) {
                Some(group) => group.push(metric.clone()),
                None => by_source.push(vec![metric.clone()]),
            }
        }
        by_source.iter().map(|group| SourcePlan::new(group, imports)).collect()
    }

    /// The grouping that a metric is a member of.
    ///
    /// # Panics
    /// If the metric is not of this plan.
    pub fn grouping_of(&self, metric: &MetricPlan) -> &Arc<Grouping> {
        let found = self
            .groupings
            .iter()
            .find(|grouping| grouping.member(metric).is_some() || grouping.coarser_of(metric).is_some());
        found.expect("every metric of a source plan is a member of a grouping")
    }

    /// The results of all groupings, each with the index of its metric, in the order of the metrics.
    pub fn in_order<T>(&self, mut by_metric: Vec<(usize, T)>) -> Vec<T> {
        by_metric.sort_by_key(|(metric, _)| *metric);
        by_metric.into_iter().map(|(_, result)| result).collect()
    }
}

/// The filters of metrics over the rows of their source, each once; none for all rows.
fn filters(metrics: &[Arc<ir::Metric>]) -> Vec<Option<&ir::Expr>> {
    let mut filters: Vec<Option<&ir::Expr>> = Vec::new();
    for metric in metrics.iter().filter(|metric| metric.each.is_empty()) {
        let filter = metric.filter.as_ref();
        if !filters.contains(&filter) {
            filters.push(filter);
        }
    }
    filters
}

/// Source fields that the metrics read, ascending, then the position if an aggregate needs it.
fn read_columns(source: &ir::Source, metrics: &[Arc<ir::Metric>]) -> Vec<usize> {
    let (mut columns, mut reads_position) = (Vec::new(), false);
    for metric in metrics {
        let aggregates = metric.aggregates.iter().flat_map(|a| a.args.iter().chain(&a.filter).chain(&a.lost));
        let exprs = metric.each.iter().map(|each| &each.list);
        let exprs = exprs.chain(&metric.filter).chain(metric.keys.iter().map(|key| &key.expr));
        exprs.chain(aggregates).for_each(|expr| columns_of(expr, &mut columns));
        let reads = |arg| metric.aggregates.iter().any(|aggregate| args_of(aggregate).contains(&arg));
        if metric.window != ir::Window::AllTime || reads(Arg::Time) {
            columns.push(source.time);
        }
        reads_position |= reads(Arg::Position);
    }
    // Columns after the fields are elements of `each` steps.
    columns.retain(|&column| column < source.fields.len());
    columns.extend(reads_position.then(|| position_column(source)));
    columns.sort_unstable();
    columns.dedup();
    columns
}
