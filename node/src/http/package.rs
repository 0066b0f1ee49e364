//! The versions of the package: what there is, and the steps from one to another.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use metricc_client::wire::code;
use metricc_client::{Given, ServingError};
use metricc_http_api::{ApiError, Pairs};
use metricc_ir::calendar::instant_text;
use metricc_jobs::PackageText;
use serde_json::{Value, json};

use super::body::{self, Packing};
use super::shared::Shared;
use super::sources::invalid;
use crate::deployment::{Changes, DeployError, Deployed, Step, Stepped, VersionState, VersionStatus};

/// Longest name of who does a step, in bytes.
const LONGEST_NAME: usize = 200;

/// Who does a step whose request does not say it.
const SOMEBODY: &str = "unknown";

fn error(error: &DeployError) -> ApiError {
    if let DeployError::UnknownMetric { metric, known } = error {
        return ServingError::UnknownMetric {
            name: metric.clone(),
            known: known.clone(),
            versions: Vec::new(),
        }
        .into();
    }
    if let DeployError::Question(problem) = error {
        return ServingError::Question(problem.clone()).into();
    }
    if let DeployError::NotFollowed { metric, .. } = error {
        return ServingError::Backfilling { metric: metric.clone() }.into();
    }
    let (status, code) = match error {
        DeployError::Package(_) | DeployError::Compile(_) => {
            (StatusCode::UNPROCESSABLE_ENTITY, code::PACKAGE)
        }
        DeployError::Unknown { .. } => (StatusCode::NOT_FOUND, code::UNKNOWN_VERSION),
        DeployError::Disk(cause) if cause.kind() == std::io::ErrorKind::StorageFull => {
            return ApiError::disk_full();
        }
        DeployError::Disk(_) | DeployError::Opening { .. } | DeployError::Thread(_) => {
            (StatusCode::SERVICE_UNAVAILABLE, code::DISK)
        }
        _ => (StatusCode::CONFLICT, code::VERSION),
    };
    ApiError::new(status, code, error.to_string())
}

/// Who does a step, as the request says it.
pub(super) fn by(given: &Given<'_>) -> Result<String, ApiError> {
    let by = given.text("by").unwrap_or(SOMEBODY);
    if by.len() > LONGEST_NAME {
        return Err(invalid(format!("`by` is longer than {LONGEST_NAME} bytes")));
    }
    Ok(by.to_owned())
}

/// Does a step on a thread that may wait.
pub(super) async fn done<T: Send + 'static>(
    step: impl FnOnce() -> Result<T, DeployError> + Send + 'static,
) -> Result<T, ApiError> {
    let done = tokio::task::spawn_blocking(step).await;
    done.map_err(|error| ApiError::failed(&error))?.map_err(|cause| error(&cause))
}

/// The body of a request, unpacked.
pub(super) async fn unpacked(shared: &Shared, headers: &HeaderMap, body: Body) -> Result<Vec<u8>, ApiError> {
    let packing = Packing::of(headers)?;
    let bytes = body::read(body, &shared.limits).await?;
    let limits = shared.limits.clone();
    let bytes = tokio::task::spawn_blocking(move || body::unpack(packing, bytes, &limits)).await;
    bytes.map_err(|error| ApiError::failed(&error))?
}

pub(crate) async fn versions(State(shared): State<Arc<Shared>>) -> Result<Json<Value>, ApiError> {
    let node = shared.node.clone();
    let status = tokio::task::spawn_blocking(move || node.package_status()).await;
    let status = status.map_err(|error| ApiError::failed(&error))?;
    let live = status.versions.iter().find(|version| version.record.state == VersionState::Live);
    Ok(Json(json!({
        "live": live.map(|version| version.record.number),
        "rollback": status.rollback,
        "deployable": status.is_deployable,
        "versions": status.versions.iter().map(version_json).collect::<Vec<_>>(),
        "steps": status.steps.iter().map(step_json).collect::<Vec<_>>(),
    })))
}

pub(crate) async fn deploy(
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
    Pairs(parameters): Pairs,
    body: Body,
) -> Result<Json<Value>, ApiError> {
    let given = Given(&parameters);
    let (only_plan, is_preview, by) = (given.flag("plan")?, given.flag("preview")?, by(&given)?);
    let bytes = unpacked(&shared, &headers, body).await?;
    let text: PackageText = serde_json::from_slice(&bytes).map_err(|problem| {
        invalid(format!(
            "the body is no package: {problem}; it is a JSON object with `name`, `text` and `files`, as `metricc deploy` sends \
             it"
        ))
    })?;
    let node = shared.node.clone();
    if only_plan {
        let changes = done(move || node.deployments().plan(&text)).await?;
        let mut answer = changes_json(&changes);
        if let Some(version) = changes.live_as {
            answer["version"] = json!(version);
        }
        return Ok(Json(answer));
    }
    let deployed = done(move || node.deployments().deploy(text, &by, is_preview)).await?;
    Ok(Json(deployed_json(&deployed)))
}

pub(super) fn deployed_json(deployed: &Deployed) -> Value {
    let mut answer = changes_json(&deployed.changes);
    answer["version"] = json!(deployed.version);
    answer["state"] = json!(deployed.state);
    answer
}

fn changes_json(changes: &Changes) -> Value {
    json!({
        "changes": changes.effects,
        "notes": changes.notes,
        "unchanged": changes.live_as.is_some(),
    })
}

pub(crate) async fn promote(
    State(shared): State<Arc<Shared>>,
    Pairs(parameters): Pairs,
) -> Result<Json<Value>, ApiError> {
    let given = Given(&parameters);
    let (version, by, node) = (number(&given)?, by(&given)?, shared.node.clone());
    Ok(Json(stepped_json(&done(move || node.deployments().promote(version, &by)).await?)))
}

pub(crate) async fn roll_back(
    State(shared): State<Arc<Shared>>,
    Pairs(parameters): Pairs,
) -> Result<Json<Value>, ApiError> {
    let given = Given(&parameters);
    let (version, by, node) = (given.number("version")?, by(&given)?, shared.node.clone());
    Ok(Json(stepped_json(&done(move || node.deployments().roll_back(version, &by)).await?)))
}

fn stepped_json(stepped: &Stepped) -> Value {
    json!({ "version": stepped.version, "state": stepped.state, "notes": stepped.notes })
}

pub(crate) async fn retire(
    State(shared): State<Arc<Shared>>,
    Pairs(parameters): Pairs,
) -> Result<Json<Value>, ApiError> {
    let given = Given(&parameters);
    let (version, by, node) = (number(&given)?, by(&given)?, shared.node.clone());
    done(move || node.deployments().retire(version, &by)).await?;
    Ok(Json(json!({ "version": version, "state": "retired" })))
}

fn number(given: &Given<'_>) -> Result<u64, ApiError> {
    given.number("version")?.ok_or_else(|| invalid("`version` is missing: name the version by its number"))
}

fn version_json(version: &VersionStatus) -> Value {
    let record = &version.record;
    let metrics = version.metrics.iter().map(|(name, hash)| json!({ "name": name, "hash": hash }));
    json!({
        "version": record.number,
        "state": record.state,
        "hash": record.hash,
        "file": record.name,
        "by": record.by,
        "at": instant_text(record.at, None),
        "replaced_at": record.replaced_at.map(|at| instant_text(at, None)),
        "waits_for": version.waits_for,
        "metrics": metrics.collect::<Vec<_>>(),
    })
}

fn step_json(step: &Step) -> Value {
    json!({ "version": step.version, "step": step.kind, "by": step.by, "at": instant_text(step.at, None) })
}
