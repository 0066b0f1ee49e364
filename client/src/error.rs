//! Errors of a serving layer, and how they travel over HTTP: one table of statuses, codes and fields for both
//! sides.

use std::error::Error;

use serde::{Deserialize, Serialize};

use crate::decode::DecodeError;
use crate::wire::code;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ServingError {
    /// No metric of that name is served.
    #[error("no metric `{name}` is served; there {}{}", listed(.known), elsewhere(.versions))]
    UnknownMetric {
        /// The name.
        name: String,
        /// The metrics that are served.
        known: Vec<String>,
        /// Other versions of the package that have it, as `VERSION@HASH`.
        versions: Vec<String>,
    },
    /// The caller was generated for another definition.
    #[error(
        "metric `{metric}` is served as {served}, and no version that is kept has it as {wanted}: `metricc versions --json` lists \
         the hashes, of which 8 digits are enough; if this client was generated for that one, generate it again"
    )]
    OtherDefinition {
        /// The metric.
        metric: String,
        /// Hash of the metric that is served.
        served: String,
        /// Hash that the caller was generated for.
        wanted: String,
    },
    /// The positions that the caller names are of a log that has lost events since.
    #[error(
        "the frontier is of epoch `{wanted}` of the log, which is in epoch `{epoch}` now: it has lost events, and gives \
         their offsets out again; read the newest answer, and send what it does not have"
    )]
    OtherEpoch {
        /// The epoch of the log.
        epoch: String,
        /// The epoch that is asked for.
        wanted: String,
    },
    /// The request is not valid.
    #[error("{0}")]
    Request(String),
    /// The node has just started, and is still reading what it acknowledged before.
    #[error("source `{origin}` is not served yet: the node is still reading its log; try again")]
    NotReady {
        /// The source.
        origin: String,
    },
    /// The metric is new, and its past is still being computed.
    #[error(
        "metric `{metric}` is still being computed from the log: `metricc status` shows how far it is; try again"
    )]
    Backfilling {
        /// The metric.
        metric: String,
    },
    /// What the caller wants to see is not readable yet.
    #[error(
        "answers are at frontier {}, and {} is asked for: the events up to it are not readable yet; try again",
        offsets(.frontier), offsets(.wanted)
    )]
    Behind {
        /// The frontier that the answer has to cover.
        wanted: Vec<u64>,
        /// The frontier of the answers.
        frontier: Vec<u64>,
    },
    /// The answer would have more rows than the node gives at once.
    #[error("`{metric}` has about {} rows here, and an answer has at most {}: {help}", grouped(*.rows), grouped(*.most))]
    TooManyRows {
        /// The metric.
        metric: String,
        /// About how many rows there would be.
        rows: u64,
        /// Most rows of an answer.
        most: u64,
        /// How to ask for fewer.
        help: String,
    },
    /// The rows that a cursor is of are no longer there.
    #[error(
        "the cursor is of frontier {0}, which is no longer kept: read again without a cursor, or with `at={0}`, which \
         computes the same rows again from the log", offsets(.frontier)
    )]
    CursorGone {
        /// The frontier of the cursor.
        frontier: Vec<u64>,
    },
    /// The node cannot answer now: it answers as many requests as it may, shuts down, or cannot use its disk.
    #[error("{0}")]
    Busy(String),
    /// The serving layer has ended a subscription that had no news for a long time.
    #[error("{0}")]
    Dropped(String),
    /// The serving layer has ended a subscription, since what it is of is not served any more.
    #[error("{0}")]
    Ended(String),
    /// A question has errors, which are shown as `metricc check` shows them.
    #[error("{0}")]
    Question(String),
    /// A question would take more than the node allows.
    #[error("{0}")]
    TooMuch(String),
    /// A question was cancelled.
    #[error("{0}")]
    Cancelled(String),
    /// The node could not be reached, or something else answers at its address.
    #[error("{url}: {}", with_causes(.source.as_ref()))]
    Unreachable {
        /// The URL of the node.
        url: String,
        /// What happened.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The serving layer itself failed.
    #[error(transparent)]
    Failed(Box<dyn Error + Send + Sync>),
    /// The answer does not have the types of its metric.
    #[error(transparent)]
    Decode(#[from] DecodeError),
}

/// How to read a metric that other versions have.
fn elsewhere(versions: &[String]) -> String {
    let Some((version, hash)) = versions.first().and_then(|first| first.split_once('@')) else {
        return String::new();
    };
    let numbers = versions.iter().map(|version| version.split('@').next().unwrap_or_default());
    let (word, verb) = if versions.len() == 1 { ("version", "has") } else { ("versions", "have") };
    format!(
        "; {word} {} {verb} it: `metricc query --of-version {version}` reads it there, or `hash={hash:.12}` over HTTP",
        numbers.collect::<Vec<_>>().join(", ")
    )
}

fn listed(known: &[String]) -> String {
    match known {
        [] => "are none".to_owned(),
        [one] => format!("is `{one}`"),
        many => format!("are `{}`", many.join("`, `")),
    }
}

/// A number with commas between its thousands.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.char_indices() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A frontier as parameters have it.
pub(crate) fn offsets(frontier: &[u64]) -> String {
    frontier.iter().map(u64::to_string).collect::<Vec<_>>().join(",")
}

/// An error with all its causes: `error: cause: cause`. A cause whose text is there already is not repeated.
pub fn with_causes(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let problem = error.to_string();
        if !text.contains(&problem) {
            text = format!("{text}: {problem}");
        }
        cause = error.source();
    }
    text
}

/// The body of every HTTP response that is an error: `{"error": {"code": …, "message": …}}`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorBody {
    /// The error.
    pub error: ErrorFields,
}

/// An error, as JSON.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ErrorFields {
    /// A stable name of the kind of error.
    pub code: String,
    /// `other_epoch`: the epoch of the log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub epoch: Option<String>,
    /// `behind`: the frontier of the answers; `cursor_gone`: that of the cursor.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frontier: Option<Vec<u64>>,
    /// `too_many_rows`: how to ask for fewer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// `unknown_metric`: the metrics that are served.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub known: Option<Vec<String>>,
    /// What is wrong, for people.
    pub message: String,
    /// The metric that the error is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metric: Option<String>,
    /// `behind`: the frontier that is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_frontier: Option<Vec<u64>>,
    /// `too_many_rows`: most rows of an answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub most: Option<u64>,
    /// `starting`: the source that is not served yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
    /// `too_many_rows`: about how many rows it would be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rows: Option<u64>,
    /// `other_definition`: hash of the metric that is served.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub served: Option<String>,
    /// `unknown_metric`: other versions that have it, as `VERSION@HASH`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub versions: Vec<String>,
    /// `other_definition`: hash that the caller was generated for; `other_epoch`: the epoch that is asked
    /// for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wanted: Option<String>,
}

const UNKNOWN_METRIC: &str = "unknown_metric";
const OTHER_DEFINITION: &str = "other_definition";
const OTHER_EPOCH: &str = "other_epoch";
const REQUEST: &str = "request";
const NOT_READY: &str = "starting";
const BACKFILLING: &str = "backfilling";
const BEHIND: &str = "behind";
const TOO_MANY_ROWS: &str = "too_many_rows";
const CURSOR_GONE: &str = "cursor_gone";
const BUSY: &str = "busy";
const DROPPED: &str = "dropped";
const ENDED: &str = "ended";
const UNREACHABLE: &str = "unreachable";
const FAILED: &str = "failed";

/// Statuses of requests that may be sent again as they are.
const TEMPORARY: [u16; 3] = [429, 503, 507];

impl ServingError {
    /// The error of a response that is no success; `None` if its body is not one of a node.
    pub fn of_response(status: u16, body: &str) -> Option<Self> {
        let body: ErrorBody = serde_json::from_str(body).ok()?;
        let message = body.error.message.clone();
        Some(match ServingError::from(body) {
            ServingError::Failed(_) if TEMPORARY.contains(&status) => ServingError::Busy(message),
            error => error,
        })
    }

    /// Whether the same request may be answered later, without anybody changing it.
    pub fn is_temporary(&self) -> bool {
        TEMPORARY.contains(&self.status_and_code().0)
    }

    /// The HTTP status and the code of this error.
    pub fn status_and_code(&self) -> (u16, &'static str) {
        match self {
            ServingError::UnknownMetric { .. } => (404, UNKNOWN_METRIC),
            ServingError::OtherDefinition { .. } => (409, OTHER_DEFINITION),
            ServingError::OtherEpoch { .. } => (409, OTHER_EPOCH),
            ServingError::Request(_) => (400, REQUEST),
            ServingError::NotReady { .. } => (503, NOT_READY),
            ServingError::Backfilling { .. } => (503, BACKFILLING),
            ServingError::Behind { .. } => (503, BEHIND),
            ServingError::TooManyRows { .. } => (422, TOO_MANY_ROWS),
            ServingError::CursorGone { .. } => (410, CURSOR_GONE),
            ServingError::Busy(_) => (503, BUSY),
            ServingError::Dropped(_) => (503, DROPPED),
            ServingError::Ended(_) => (410, ENDED),
            ServingError::Question(_) => (422, code::QUESTION),
            ServingError::TooMuch(_) => (422, code::TOO_MUCH),
            ServingError::Cancelled(_) => (409, code::CANCELLED),
            ServingError::Unreachable { .. } => (502, UNREACHABLE),
            ServingError::Failed(_) | ServingError::Decode(_) => (500, FAILED),
        }
    }

    /// The body of an HTTP response with this error.
    pub fn body(&self) -> ErrorBody {
        let code = self.status_and_code().1.to_owned();
        let fields = ErrorFields { code, message: with_causes(self), ..ErrorFields::default() };
        let error = match self {
            ServingError::UnknownMetric { name, known, versions } => ErrorFields {
                metric: Some(name.clone()),
                known: Some(known.clone()),
                versions: versions.clone(),
                ..fields
            },
            ServingError::OtherDefinition { metric, served, wanted } => ErrorFields {
                metric: Some(metric.clone()),
                served: Some(served.clone()),
                wanted: Some(wanted.clone()),
                ..fields
            },
            ServingError::OtherEpoch { epoch, wanted } => {
                ErrorFields { epoch: Some(epoch.clone()), wanted: Some(wanted.clone()), ..fields }
            }
            ServingError::NotReady { origin } => ErrorFields { origin: Some(origin.clone()), ..fields },
            ServingError::Backfilling { metric } => ErrorFields { metric: Some(metric.clone()), ..fields },
            ServingError::Behind { wanted, frontier } => {
                ErrorFields { min_frontier: Some(wanted.clone()), frontier: Some(frontier.clone()), ..fields }
            }
            ServingError::TooManyRows { metric, rows, most, help } => ErrorFields {
                metric: Some(metric.clone()),
                rows: Some(*rows),
                most: Some(*most),
                help: Some(help.clone()),
                ..fields
            },
            ServingError::CursorGone { frontier } => {
                ErrorFields { frontier: Some(frontier.clone()), ..fields }
            }
            _ => fields,
        };
        ErrorBody { error }
    }
}

impl From<ErrorBody> for ServingError {
    /// The error of a response; one with a code that is not of reads is [`ServingError::Failed`].
    fn from(body: ErrorBody) -> Self {
        let ErrorFields { code, message, metric, .. } = body.error;
        let ErrorFields {
            epoch,
            frontier,
            help,
            known,
            min_frontier,
            most,
            origin,
            rows,
            served,
            versions,
            wanted,
            ..
        } = body.error;
        let metric = metric.unwrap_or_default();
        match code.as_str() {
            UNKNOWN_METRIC => {
                ServingError::UnknownMetric { name: metric, known: known.unwrap_or_default(), versions }
            }
            OTHER_DEFINITION => ServingError::OtherDefinition {
                metric,
                served: served.unwrap_or_default(),
                wanted: wanted.unwrap_or_default(),
            },
            OTHER_EPOCH => ServingError::OtherEpoch {
                epoch: epoch.unwrap_or_default(),
                wanted: wanted.unwrap_or_default(),
            },
            REQUEST => ServingError::Request(message),
            BEHIND => ServingError::Behind {
                wanted: min_frontier.unwrap_or_default(),
                frontier: frontier.unwrap_or_default(),
            },
            NOT_READY => ServingError::NotReady { origin: origin.unwrap_or_default() },
            BACKFILLING => ServingError::Backfilling { metric },
            TOO_MANY_ROWS => ServingError::TooManyRows {
                metric,
                rows: rows.unwrap_or_default(),
                most: most.unwrap_or_default(),
                help: help.unwrap_or_default(),
            },
            CURSOR_GONE => ServingError::CursorGone { frontier: frontier.unwrap_or_default() },
            BUSY => ServingError::Busy(message),
            DROPPED => ServingError::Dropped(message),
            ENDED => ServingError::Ended(message),
            code::QUESTION => ServingError::Question(message),
            code::TOO_MUCH => ServingError::TooMuch(message),
            code::CANCELLED => ServingError::Cancelled(message),
            _ => ServingError::Failed(message.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_the_same_on_both_sides_of_http() {
        for error in [
            ServingError::UnknownMetric {
                name: "a".to_owned(),
                known: vec!["b".to_owned(), "c".to_owned()],
                versions: vec!["2@1f".to_owned()],
            },
            ServingError::UnknownMetric { name: "a".to_owned(), known: Vec::new(), versions: Vec::new() },
            ServingError::OtherDefinition {
                metric: "a".to_owned(),
                served: "1f".to_owned(),
                wanted: "2e".to_owned(),
            },
            ServingError::OtherEpoch { epoch: "a".to_owned(), wanted: "b".to_owned() },
            ServingError::Request("`from=x` is not an instant".to_owned()),
            ServingError::NotReady { origin: "payments".to_owned() },
            ServingError::Backfilling { metric: "a".to_owned() },
            ServingError::Behind { wanted: vec![3, 4], frontier: vec![3, 2] },
            ServingError::TooManyRows {
                metric: "a".to_owned(),
                rows: 10_000_000,
                most: 999,
                help: "ask for fewer".to_owned(),
            },
            ServingError::CursorGone { frontier: vec![3, 4] },
            ServingError::Busy("64 answers are being written".to_owned()),
            ServingError::Dropped("no new rows for 900 s".to_owned()),
            ServingError::Ended("no metric `a` is served any more".to_owned()),
            ServingError::Question("error[M0013]: unknown name `a`".to_owned()),
            ServingError::TooMuch("it would read 5 events".to_owned()),
            ServingError::Cancelled("question 3 was cancelled".to_owned()),
            ServingError::Failed("the disk is full".into()),
        ] {
            let json = serde_json::to_string(&error.body()).unwrap();
            let read = ServingError::from(serde_json::from_str::<ErrorBody>(&json).unwrap());
            assert_eq!(format!("{read:?}"), format!("{error:?}"), "{json}");
        }
    }

    #[test]
    fn an_error_whose_status_says_later_is_temporary_whatever_its_code() {
        let body = |code: &str| format!(r#"{{"error":{{"code":"{code}","message":"why"}}}}"#);
        for (status, code, is_temporary) in [
            (503, "disk", true),
            (503, "backfilling", true),
            (507, "groups", true),
            (429, "busy", true),
            (500, "failed", false),
            (409, "version", false),
            (410, "ended", false),
        ] {
            let error = ServingError::of_response(status, &body(code)).unwrap();
            assert_eq!(error.is_temporary(), is_temporary, "{status} {code}");
            assert!(code == "backfilling" || error.to_string() == "why", "{error}");
        }
        assert!(ServingError::of_response(503, "<html>").is_none());
    }

    #[test]
    fn large_numbers_are_readable() {
        for (number, text) in [(0, "0"), (999, "999"), (1000, "1,000"), (10_000_000, "10,000,000")] {
            assert_eq!(grouped(number), text);
        }
    }

    #[test]
    fn fields_that_an_error_does_not_have_are_left_out() {
        let json = serde_json::to_string(&ServingError::Request("no".to_owned()).body()).unwrap();
        assert_eq!(json, r#"{"error":{"code":"request","message":"no"}}"#);
    }
}
