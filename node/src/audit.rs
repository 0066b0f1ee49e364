//! Audits: compares the states that are served or stored with states recomputed from the start of the log,
//! and the verdicts about duplicates in the log with those that its records give.
//!
//! Both are segments of one interval in canonical form, so they are equal if and only if their bytes are.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use arrow::array::ArrayRef;
use arrow::error::ArrowError;
use arrow::row::{RowConverter, Rows, SortField};
use metricc_compiler::{CompileError, EngineOptions, MetricPlan, Segment};
use metricc_durable_log::DurableError;
use metricc_log::Frontier;
use metricc_runtime_serve::{ServeError, merge};
use twox_hash::XxHash3_64;

use crate::audit_line::{AuditLine, Audited};
use crate::source::NodeSource;
use crate::states_of_log::{StatesError, start_of, states_of_log};

/// Why an audit failed.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// The node does not serve the source yet.
    #[error("source `{0}` is not served yet: the node is reading its log; try again later")]
    NotReady(String),
    /// The verdicts in the log could not be read.
    #[error(transparent)]
    Log(#[from] DurableError),
    /// The metrics could not be planned together.
    #[error(transparent)]
    Plan(#[from] CompileError),
    /// The states could not be computed again.
    #[error(transparent)]
    States(#[from] StatesError),
    /// The served segments could not be merged.
    #[error(transparent)]
    Serve(#[from] ServeError),
    /// The states could not be compared.
    #[error("cannot compare states: {0}")]
    Compare(#[from] ArrowError),
    /// The batch layer could not rebuild the view.
    #[error("rebuilding the view: {0}")]
    Rebuild(#[source] Arc<dyn std::error::Error + Send + Sync>),
    /// The thread of the audit panicked.
    #[error("the audit failed")]
    Panic(#[from] tokio::task::JoinError),
    /// The node stops before the audit ends.
    #[error("the node is shutting down")]
    ShuttingDown,
}

/// Compares all served states of a source with its log.
///
/// # Errors
/// [`AuditError`] if the log could not be evaluated. Differences are not an error.
pub(crate) fn served(source: &NodeSource, options: &EngineOptions) -> Result<Vec<AuditLine>, AuditError> {
    let started = Instant::now();
    let served = source.serving.published_of(source.name());
    let (frontier, parts) = served.ok_or_else(|| AuditError::NotReady(source.name().to_owned()))?;
    let metrics = source.serving.base_metrics_of(source.name());
    let metrics: Vec<_> =
        metrics.into_iter().filter(|metric| parts.contains_key(&metric.state_hash)).collect();
    let recomputed = match metrics.is_empty() {
        // The live version reads nothing of it, or all that it reads is still computed.
        true => Vec::new(),
        false => {
            let plan = source.plan_of(&metrics)?;
            states_of_log(source, &plan, (&start_of(&frontier), &frontier), options)?
        }
    };
    let mut lines = Vec::with_capacity(recomputed.len());
    for metric in &metrics {
        let parts = parts.get(&metric.state_hash).map(Vec::as_slice).unwrap_or_default();
        let parts: Vec<Segment> = parts.iter().map(|part| part.segment().clone()).collect();
        let served = merge(metric, &parts)?;
        for recomputed in recomputed.iter().filter(|segment| segment.hash == metric.state_hash) {
            lines.push(compare(Audited::Served, metric, &served, recomputed)?);
        }
    }
    lines.extend(verdicts(source, &frontier)?);
    record(source, &lines, started);
    Ok(lines)
}

/// Derives the verdicts about duplicates again, and compares them with those in the log. `None` for a source
/// without an identity and without duplicates.
fn verdicts(source: &NodeSource, frontier: &Frontier) -> Result<Option<AuditLine>, AuditError> {
    let Some(verdicts) = source.log.snapshot().derive_verdicts(source.name(), frontier)? else {
        return Ok(None);
    };
    let (n_unknown, first) = (verdicts.n_unknown, verdicts.first_difference);
    if n_unknown > 0 || first.is_some() {
        tracing::warn!(
            source = source.name(),
            n_unknown,
            ?first,
            "verdicts about duplicates that are not derived, or differ"
        );
    }
    Ok(Some(AuditLine {
        audited: Audited::Verdicts,
        source: source.name().to_owned(),
        metric: String::new(),
        hash: String::new(),
        frontier: frontier.0.clone(),
        rows: verdicts.n_records,
        found: format!("{:016x}", verdicts.stated),
        recomputed: format!("{:016x}", verdicts.derived),
        differences: verdicts.n_differences,
    }))
}

/// Compares two segments of one interval.
pub(crate) fn compare(
    audited: Audited,
    plan: &Arc<MetricPlan>,
    found: &Segment,
    recomputed: &Segment,
) -> Result<AuditLine, AuditError> {
    let (left, right) = (encoded(found.states.columns())?, encoded(recomputed.states.columns())?);
    let (found_digest, recomputed_digest) = (digest(&left), digest(&right));
    let is_same = found.first_difference(recomputed).is_none();
    Ok(AuditLine {
        audited,
        source: plan.metric.source.name.clone(),
        metric: plan.metric.name.clone(),
        hash: plan.hash.to_string(),
        frontier: recomputed.interval.to().0.clone(),
        rows: recomputed.states.num_rows() as u64,
        found: found_digest,
        recomputed: recomputed_digest,
        differences: if is_same { 0 } else { n_differences(plan, found, recomputed)?.max(1) },
    })
}

/// Adds the results to the counters, and logs them.
pub(crate) fn record(source: &NodeSource, lines: &[AuditLine], started: Instant) {
    let differences = lines.iter().map(|line| line.differences).sum();
    source.counters.audited(source.name(), differences);
    let seconds = started.elapsed().as_secs_f64();
    for line in lines {
        let AuditLine { metric, frontier, rows, found, recomputed, differences, .. } = line;
        if *differences > 0 {
            tracing::error!(
                source = source.name(),
                metric,
                ?frontier,
                rows,
                found,
                recomputed,
                differences,
                "audit"
            );
        } else {
            tracing::info!(source = source.name(), metric, ?frontier, rows, recomputed, differences, "audit");
        }
    }
    tracing::info!(source = source.name(), differences, seconds, "audit done");
}

/// Encodes rows as bytes that are equal if and only if the rows are.
fn encoded(columns: &[ArrayRef]) -> Result<Rows, ArrowError> {
    let fields = columns.iter().map(|column| SortField::new(column.data_type().clone())).collect();
    RowConverter::new(fields)?.convert_columns(columns)
}

fn digest(rows: &Rows) -> String {
    let mut hasher = XxHash3_64::new();
    for row in rows {
        std::hash::Hasher::write(&mut hasher, row.as_ref());
    }
    format!("{:016x}", std::hash::Hasher::finish(&hasher))
}

fn n_differences(plan: &MetricPlan, left: &Segment, right: &Segment) -> Result<u64, ArrowError> {
    let split = |segment: &Segment| {
        let (groups, states) = segment.states.columns().split_at(plan.form.n_group_columns);
        Ok::<_, ArrowError>((encoded(groups)?, encoded(states)?))
    };
    let ((left_groups, left_states), (right_groups, right_states)) = (split(left)?, split(right)?);
    let mut found: HashMap<&[u8], usize> = HashMap::with_capacity(left_groups.num_rows());
    let left_rows: Vec<_> = left_groups.iter().collect();
    for (row, group) in left_rows.iter().enumerate() {
        found.insert(group.as_ref(), row);
    }
    let mut n_differences = 0;
    for (row, group) in right_groups.iter().enumerate() {
        match found.remove(group.as_ref()) {
            Some(other) if left_states.row(other) == right_states.row(row) => {}
            _ => n_differences += 1,
        }
    }
    Ok(n_differences + found.len() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_equal_rows_have_equal_digests() {
        use arrow::array::{BinaryArray, Int64Array};
        let rows = |keys: Vec<Option<i64>>, states: Vec<&[u8]>| {
            let columns: [ArrayRef; 2] =
                [Arc::new(Int64Array::from(keys)), Arc::new(BinaryArray::from_vec(states))];
            digest(&encoded(&columns).unwrap())
        };
        let first = rows(vec![None, Some(1)], vec![b"a", b"bc"]);
        assert_eq!(first, rows(vec![None, Some(1)], vec![b"a", b"bc"]));
        assert_ne!(first, rows(vec![None, Some(1)], vec![b"ab", b"c"]));
        assert_ne!(first, rows(vec![Some(0), Some(1)], vec![b"a", b"bc"]));
        assert_ne!(first, rows(vec![None], vec![b"a"]));
    }
}
