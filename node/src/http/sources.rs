//! The state of sources, quarantined records, audits, and health.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderName, StatusCode, header};
use metricc_client::Given;
use metricc_client::wire::code;
use metricc_durable_log::{DurableError, QuarantinedRecord};
use metricc_http_api::{ApiError, Name, Pairs};
use metricc_log::{AbsentField, Frontier, Rejections, Slice};
use serde_json::{Value, json};

use super::intake_json::{none_values_json, reasons_json};
use super::shared::Shared;
use crate::{
    AuditError, BackfillStatus, Node, NodeSource, SinkMetricStatus, SinkStatus, TopicPartitionStatus,
    TopicStatus,
};

/// Most quarantined records of one answer.
const MAX_RECORDS: usize = 10_000;

/// Lines of an answer, unless it is asked for others.
const LINES: u64 = 100;

/// Positions that are read at once where records are counted by reason.
const ROWS_AT_A_TIME: usize = 8192;

/// A body with its media type.
type Typed = ([(HeaderName, &'static str); 1], String);

pub(crate) fn invalid(message: impl Into<String>) -> ApiError {
    ApiError::new(StatusCode::BAD_REQUEST, code::REQUEST, message)
}

pub(crate) fn unknown_source(node: &Node, name: &str) -> ApiError {
    let sources = node.sources();
    let known: Vec<&str> = sources.iter().map(|source| source.name()).collect();
    let message = format!("there is no source `{name}`; there are `{}`", known.join("`, `"));
    ApiError::new(StatusCode::NOT_FOUND, "unknown_source", message)
}

pub(crate) async fn sources(State(shared): State<Arc<Shared>>) -> Result<Json<Value>, ApiError> {
    let epoch = shared.node.serving().epoch();
    let status = tokio::task::spawn_blocking(move || (shared.node.status(), shared.node.sinks())).await;
    let (status, sinks) = status.map_err(|error| ApiError::failed(&error))?;
    let sources: Vec<_> = status
        .into_iter()
        .map(|status| {
            json!({
                "name": status.name,
                "fields": status.fields,
                "end": status.end.0,
                "served": status.served.map(|served| served.0),
                "view": status.view.0,
                "view_problem": status.view_problem,
                "cluster": status.cluster.map(|cluster| {
                    json!({ "scheduler": cluster.name, "problem": cluster.problem })
                }),
                "kafka": status.topic.as_ref().map(topic_json),
                "archive": status.archive.map(|archive| {
                    json!({ "url": archive.url, "frontier": archive.frontier.0, "problem": archive.problem })
                }),
                "backfill": status.backfill.as_ref().map(backfill_json),
                "since_start": {
                    "records": status.intake.n_records,
                    "quarantined": status.intake.n_quarantined,
                    "rejections": reasons_json(&status.intake.rejections, "offset"),
                    "none_values": none_values_json(&status.intake.none_values),
                    "absent": status.absent.iter().map(absent_json).collect::<Vec<_>>(),
                },
            })
        })
        .collect();
    let sinks: Vec<Value> = sinks.iter().map(sink_json).collect();
    Ok(Json(json!({ "sources": sources, "sinks": sinks, "epoch": epoch })))
}

pub(crate) async fn quarantine(
    State(shared): State<Arc<Shared>>,
    Name(name): Name,
    Pairs(parameters): Pairs,
) -> Result<Typed, ApiError> {
    let given = Given(&parameters);
    let number = |name| Ok::<_, ApiError>(given.number(name)?);
    let partition = u32::try_from(number("partition")?.unwrap_or(0)).unwrap_or(u32::MAX);
    let limit = usize::try_from(number("limit")?.unwrap_or(LINES)).unwrap_or(usize::MAX);
    let (from, grouped) = (number("from")?.unwrap_or(0), given.flag("grouped")?);
    let read = move || {
        let source = shared.node.source(&name);
        let source = source.ok_or_else(|| unknown_source(&shared.node, &name))?;
        let n_partitions = source.end().0.len();
        if n_partitions <= partition as usize {
            let plural = if n_partitions == 1 { "" } else { "s" };
            let problem = format!("source `{name}` has {n_partitions} partition{plural}, counted from 0");
            return Err(invalid(problem));
        }
        if grouped {
            return grouped_lines(&source, partition, from, limit);
        }
        let slice = Slice { partition, from, to: u64::MAX };
        let quarantine = source.log.snapshot().quarantine(source.name(), &slice);
        let records = quarantine.read(limit.min(MAX_RECORDS)).map_err(|error| match error {
            error @ DurableError::Request(_) => invalid(error.to_string()),
            error => ApiError::failed(&error),
        })?;
        Ok(records.iter().map(line).collect())
    };
    let text = tokio::task::spawn_blocking(read).await.map_err(|error| ApiError::failed(&error))??;
    Ok(([(header::CONTENT_TYPE, "application/x-ndjson")], text))
}

/// The quarantined records of a partition by field and reason, a line each, the most frequent first.
fn grouped_lines(source: &NodeSource, partition: u32, from: u64, limit: usize) -> Result<String, ApiError> {
    let log = source
        .log_from(&Frontier(vec![0; source.end().0.len()]))
        .map_err(|error| ApiError::failed(&error))?;
    let to = log.end().0.get(partition as usize).copied().unwrap_or(0);
    let slice = Slice { partition, from: from.min(to), to };
    let mut rejections = Rejections::default();
    for batch in log.read(&slice, &[], ROWS_AT_A_TIME).map_err(|error| ApiError::failed(&error))? {
        rejections.merge(batch.map_err(|error| ApiError::failed(&error))?.read_stats.rejections);
    }
    let reasons = reasons_json(&rejections, "offset");
    Ok(reasons.iter().take(limit).map(|reason| format!("{reason}\n")).collect())
}

fn topic_json(topic: &TopicStatus) -> Value {
    let partition = |partition: &TopicPartitionStatus| json!({ "read": partition.read, "end": partition.end, "lag": partition.lag() });
    json!({
        "topic": topic.topic,
        "partitions": topic.partitions.iter().map(partition).collect::<Vec<_>>(),
        "problem": topic.problem,
        "stopped": topic.is_stopped,
        "tombstones": topic.n_tombstones,
    })
}

fn sink_json(sink: &SinkStatus) -> Value {
    let metric = |metric: &SinkMetricStatus| {
        json!({
            "metric": metric.metric,
            "frontier": metric.frontier,
            "version": metric.version,
            "lag": metric.lag,
            "problem": metric.problem,
            "versions_written": metric.n_versions,
            "rows_written": metric.n_rows,
        })
    };
    let metrics: Vec<Value> = sink.metrics.iter().map(metric).collect();
    json!({ "name": sink.name, "kind": sink.kind, "metrics": metrics })
}

fn backfill_json(backfill: &BackfillStatus) -> Value {
    json!({
        "metrics": backfill.metrics,
        "done": backfill.done,
        "positions": backfill.positions,
        "seconds": backfill.elapsed.as_secs(),
        "problem": backfill.problem,
    })
}

fn absent_json(absent: &AbsentField) -> Value {
    json!({ "field": absent.field, "lookalike": absent.lookalike, "hint": absent.hint })
}

pub(crate) async fn audit(
    State(shared): State<Arc<Shared>>,
    Pairs(parameters): Pairs,
) -> Result<Json<Value>, ApiError> {
    let full = Given(&parameters).flag("full")?;
    let lines = shared.node.audit(full).await.map_err(|error| match error {
        AuditError::NotReady(origin) => metricc_client::ServingError::NotReady { origin }.into(),
        error @ AuditError::ShuttingDown => {
            ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "closing", error.to_string()).retry_after(5)
        }
        error => ApiError::failed(&error),
    })?;
    Ok(Json(json!({ "lines": lines })))
}

fn line(record: &QuarantinedRecord) -> String {
    let value = json!({
        "partition": record.position.partition,
        "offset": record.position.offset,
        "field": record.field,
        "problem": record.problem,
        "raw": String::from_utf8_lossy(&record.raw),
    });
    format!("{value}\n")
}

pub(crate) async fn unknown_path() -> ApiError {
    let message = "there is nothing at this path; docs/node.md lists all paths";
    ApiError::new(StatusCode::NOT_FOUND, code::UNKNOWN_PATH, message)
}

pub(crate) async fn other_method() -> ApiError {
    let message = "this path has other methods: the header `Allow` names them";
    ApiError::new(StatusCode::METHOD_NOT_ALLOWED, code::METHOD, message)
}

pub(crate) async fn healthz(State(shared): State<Arc<Shared>>) -> Result<&'static str, ApiError> {
    let stopped = tokio::task::spawn_blocking(move || shared.node.stopped()).await;
    match stopped.map_err(|error| ApiError::failed(&error))? {
        None => Ok("ok\n"),
        Some(_) => Err(stopped_writing()),
    }
}

/// Why is in the log of the node, since the moment at which it happened.
pub(crate) fn stopped_writing() -> ApiError {
    let message = "the node takes no events since a write to its disk failed, until it is started again; its log has the \
                   reason";
    ApiError::new(StatusCode::SERVICE_UNAVAILABLE, code::STOPPED, message)
}

pub(crate) async fn readyz(State(shared): State<Arc<Shared>>) -> Result<&'static str, ApiError> {
    if shared.node.is_ready() {
        return Ok("ready\n");
    }
    let message = "the node is still reading its log";
    Err(ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "starting", message).retry_after(1))
}

pub(crate) async fn counters(State(shared): State<Arc<Shared>>) -> Result<Typed, ApiError> {
    let text = tokio::task::spawn_blocking(move || shared.node.counters_text()).await;
    Ok((
        [(header::CONTENT_TYPE, "text/plain; version=0.0.4")],
        text.map_err(|error| ApiError::failed(&error))?,
    ))
}
