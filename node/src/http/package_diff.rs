//! How the rows of two versions of the package differ.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use metricc_client::{Given, ServingError};
use metricc_comparison::diff::MetricChange;
use metricc_comparison::report::{self, MetricRows};
use metricc_http_api::{ApiError, Pairs};
use serde_json::{Value, json};

use super::package;
use super::shared::Shared;
use super::sources::invalid;
use crate::deployment::{Counts, Pair, Wanted};
use crate::thread_priority::{Priority, lower_priority};

/// Rows that differ of each metric, unless the request says how many.
const ROWS: u64 = 20;
/// Seconds to search for causes, unless the request says how many; and at most.
const WITHIN: u64 = 10;
const MOST_WITHIN: u64 = 300;
/// Most events to find for each metric.
const MOST_CAUSES: u64 = 1000;

/// How long a comparison waits for another one.
const TURN_WITHIN: Duration = Duration::from_secs(20);

/// One of the counts of a comparison.
type Count = fn(&Counts) -> usize;

/// How many metrics differ, are added, were compared, have equal rows, and are not computed yet.
const COUNTS: [(HeaderName, Count); 5] = [
    (HeaderName::from_static("metricc-differ"), |counts| counts.differ),
    (HeaderName::from_static("metricc-added"), |counts| counts.added),
    (HeaderName::from_static("metricc-compared"), |counts| counts.compared),
    (HeaderName::from_static("metricc-equal"), |counts| counts.equal),
    (HeaderName::from_static("metricc-backfilling"), |counts| counts.missing),
];

/// How the answer is written.
#[derive(Debug, Clone, Copy)]
struct Form {
    rows: usize,
    is_text: bool,
}

pub(crate) async fn diff(
    State(shared): State<Arc<Shared>>,
    Pairs(parameters): Pairs,
) -> Result<Response, ApiError> {
    let given = Given(&parameters);
    let (wanted, form) = (wanted(&given)?, form(&given)?);
    let node = shared.node.clone();
    // The rows of two versions are in memory, beside those of answers; so there is one at a time.
    let Ok(turn) = tokio::time::timeout(TURN_WITHIN, node.comparisons().lock_owned()).await else {
        let problem = "the rows of two versions are being compared: try again when that is done";
        return Err(ServingError::Busy(problem.to_owned()).into());
    };
    let pair = package::done(move || node.deployments().pair(wanted)).await?;
    let max_rows = shared.node.serving().answering().max_rows();
    let (answer, answered) = tokio::sync::oneshot::channel();
    // A client that goes drops this.
    let waiting = Waiting(Arc::default());
    let is_gone = waiting.0.clone();
    let thread = std::thread::Builder::new().name("metricc-compare".to_owned());
    let thread = thread.spawn(move || {
        lower_priority(Priority::Batch);
        let written = written(&pair, max_rows, &is_gone, form);
        // Whoever has the answer may ask for the next one.
        drop((pair, turn));
        // Nobody may be waiting any more.
        let _ = answer.send(written);
    });
    thread.map_err(|error| ApiError::failed(&error))?;
    let answer = answered.await.map_err(|error| ApiError::failed(&error))?;
    drop(waiting);
    answer
}

/// Somebody waits for the answer, until this is dropped.
struct Waiting(Arc<AtomicBool>);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn wanted(given: &Given<'_>) -> Result<Wanted, ApiError> {
    let most = |name: &str, default: u64, most: u64| {
        let number = given.number(name)?.unwrap_or(default);
        if number > most {
            return Err(invalid(format!("`{name}` is at most {most}")));
        }
        Ok(number)
    };
    Ok(Wanted {
        new: given.number("version")?,
        old: given.number("against")?,
        metric: given.text("metric").map(str::to_owned),
        causes: usize::try_from(most("causes", 0, MOST_CAUSES)?).unwrap_or(0),
        within: Duration::from_secs(most("within", WITHIN, MOST_WITHIN)?),
    })
}

fn form(given: &Given<'_>) -> Result<Form, ApiError> {
    let rows = given.number("rows")?.unwrap_or(ROWS);
    Ok(Form { rows: usize::try_from(rows).unwrap_or(usize::MAX), is_text: given.flag("text")? })
}

/// The answer, once all is compared.
fn written(pair: &Pair, max_rows: u64, is_gone: &AtomicBool, form: Form) -> Result<Response, ApiError> {
    let (mut definitions, mut texts, mut metrics) = (Vec::new(), String::new(), Vec::new());
    let mut show = |change: &MetricChange, rows: Option<&MetricRows>| {
        match form.is_text {
            true => {
                definitions.push(change.clone());
                let rows = rows.map(|rows| format!("\n{}", report::text(&change.metric, rows, form.rows)));
                texts.extend(rows);
            }
            false => metrics.push(report::json(change, rows, form.rows)?),
        }
        Ok(())
    };
    let counts = pair.compare(max_rows, is_gone, &mut show).map_err(|error| ApiError::failed(&error))?;
    let (old, new) = pair.numbers();
    let mut response = match form.is_text {
        true => {
            let head = format!("OLD is version {old}, NEW is version {new}, at {}\n", frontiers_text(pair));
            let text = format!("{head}\n{}{texts}", report::changes_text(&definitions));
            ([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response()
        }
        false => {
            let frontier = pair.frontiers().into_iter().map(|(name, to)| (name.to_owned(), json!(to.0)));
            let frontier: Value = frontier.collect();
            Json(json!({ "old": old, "new": new, "frontier": frontier, "metrics": metrics })).into_response()
        }
    };
    for (name, count) in COUNTS {
        response.headers_mut().insert(name, HeaderValue::from(count(&counts)));
    }
    Ok(response)
}

fn frontiers_text(pair: &Pair) -> String {
    let text = |(name, frontier)| format!("`{name}` {frontier}");
    pair.frontiers().into_iter().map(text).collect::<Vec<_>>().join(", ")
}
