//! What a client has to know of the HTTP API, as data: parameters, errors and their fields. The node's
//! answers, the messages about wrong parameters, and the OpenAPI document of `metricc compile` are made of
//! it.

use crate::Format;

pub mod code;
mod routes;

pub use routes::{Endpoint, ROUTES, Route, RouteParameters, Scope};

/// The address that `metricc serve` listens at unless it is configured.
pub const DEFAULT_NODE: &str = "http://127.0.0.1:7171";

/// The values of a parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParameterValue {
    /// A date, such as `2026-04-25`, or RFC 3339, such as `2026-04-25T00:00:00Z`.
    Bound,
    /// `true` or `false`.
    Bool,
    /// Offsets, separated by commas.
    Frontier,
    /// The name of a [`Format`].
    Format,
    /// A number of rows.
    Count,
    /// A number, from 0 on.
    Number,
    /// Any text.
    Text,
}

/// Which reads a parameter is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParameterOf {
    /// All reads.
    Any,
    /// Reads of metrics with windows.
    Windows,
    /// The read of one metric.
    One,
    /// The rows of one metric, which have formats.
    Rows,
    /// The read of several metrics.
    Several,
    /// Another route, which names its parameters.
    Route,
}

/// A query parameter of reads. Keys are parameters too, `key.NAME`, and depend on the metric.
#[derive(Debug, Clone, Copy)]
pub struct ParameterSpec {
    /// Its name.
    pub name: &'static str,
    /// Its values.
    pub value: ParameterValue,
    /// Which reads have it.
    pub of: ParameterOf,
    /// What it says, in one phrase.
    pub doc: &'static str,
}

const fn parameter(
    name: &'static str,
    value: ParameterValue,
    of: ParameterOf,
    doc: &'static str,
) -> ParameterSpec {
    ParameterSpec { name, value, of, doc }
}

/// All parameters but keys.
pub static PARAMETERS: &[ParameterSpec] = &[
    parameter(
        "from",
        ParameterValue::Bound,
        ParameterOf::Windows,
        "only windows of the metric that start at or after this date or instant; dates are those of the grain's \
         calendar, or else of the metric's, or UTC",
    ),
    parameter(
        "to",
        ParameterValue::Bound,
        ParameterOf::Windows,
        "only windows of the metric that start before this date or instant",
    ),
    parameter(
        "grain",
        ParameterValue::Text,
        ParameterOf::Windows,
        "coarser windows, such as `6h`, `week in CALENDAR`, `day in Europe/London`, or `all` for one row of the range",
    ),
    parameter("latest", ParameterValue::Bool, ParameterOf::Windows, "only the latest window"),
    parameter(
        "at",
        ParameterValue::Frontier,
        ParameterOf::Any,
        "the rows at this frontier: one offset for each partition of the metric's sources",
    ),
    parameter(
        "min_frontier",
        ParameterValue::Frontier,
        ParameterOf::Any,
        "wait until the answer covers this frontier, such as the end of the positions of a receipt",
    ),
    parameter(
        "epoch",
        ParameterValue::Text,
        ParameterOf::Any,
        "the epoch of the log that `at` and `min_frontier` are of, from the answer that named them",
    ),
    parameter(
        "receipt",
        ParameterValue::Bool,
        ParameterOf::Any,
        "also which parts of the log were merged, and where the log ended",
    ),
    parameter(
        "hash",
        ParameterValue::Text,
        ParameterOf::One,
        "hash of the metric, or of its definition, that the caller was made for",
    ),
    parameter(
        "format",
        ParameterValue::Format,
        ParameterOf::Rows,
        "encoding of the rows; the header `Accept` names it too",
    ),
    parameter(
        "limit",
        ParameterValue::Count,
        ParameterOf::Rows,
        "at most so many rows; the answer has the cursor of the next ones as `next`, or in the header `metricc-next`",
    ),
    parameter(
        "cursor",
        ParameterValue::Text,
        ParameterOf::Rows,
        "the rows after those of the answer that had this cursor, at its frontier; with the same metric, keys, range and \
         grain",
    ),
    parameter(
        "metric",
        ParameterValue::Text,
        ParameterOf::Several,
        "a metric, `NAME` or `NAME@HASH`; repeated for each",
    ),
];

impl ParameterValue {
    /// Names of the values, where there are few.
    pub fn names(self) -> Vec<&'static str> {
        match self {
            ParameterValue::Format => Format::ALL.iter().map(|format| format.name()).collect(),
            _ => Vec::new(),
        }
    }
}

/// What a request is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// To read metrics.
    Read,
    /// To add events.
    Ingest,
    /// To see and check the state of the node.
    Administer,
    /// To compare versions of the package.
    Compare,
    /// To change the versions of the package.
    Deploy,
    /// To ask whether it runs.
    Probe,
}

/// An HTTP status that is no success.
#[derive(Debug, Clone, Copy)]
pub struct ErrorResponse {
    /// The status.
    pub status: u16,
    /// The values of `error.code`.
    pub codes: &'static [&'static str],
    /// When it is given, in one phrase.
    pub doc: &'static str,
    /// The requests that may get it.
    pub of: &'static [Operation],
}

const READ: &[Operation] = &[Operation::Read];
const INGEST: &[Operation] = &[Operation::Ingest];
/// An audit may write the view again.
const WRITES: &[Operation] = &[Operation::Ingest, Operation::Administer, Operation::Deploy];
const BODIES: &[Operation] = &[Operation::Ingest, Operation::Deploy];
const CONFLICTS: &[Operation] = &[Operation::Read, Operation::Compare, Operation::Deploy];
const NAMED: &[Operation] =
    &[Operation::Read, Operation::Ingest, Operation::Administer, Operation::Compare, Operation::Deploy];
const ALL: &[Operation] = &[
    Operation::Read,
    Operation::Ingest,
    Operation::Administer,
    Operation::Compare,
    Operation::Deploy,
    Operation::Probe,
];

/// All of them, by status.
pub static RESPONSES: &[ErrorResponse] = &[
    ErrorResponse {
        status: 400,
        codes: &[code::REQUEST, "body", "encoding", "key"],
        doc: "invalid request",
        of: ALL,
    },
    ErrorResponse {
        status: 401,
        codes: &[code::UNAUTHORIZED],
        doc: "a token is required, and none or an unknown one was sent",
        of: NAMED,
    },
    ErrorResponse {
        status: 403,
        codes: &[code::FORBIDDEN, code::OTHER_SITE],
        doc: "the token does not have the scope, or a page of another site sent the request",
        of: ALL,
    },
    ErrorResponse {
        status: 404,
        codes: &["unknown_metric", "unknown_source", code::UNKNOWN_VERSION, code::UNKNOWN_PATH],
        doc: "the node has no such metric, source, version or path",
        of: NAMED,
    },
    ErrorResponse {
        status: 405,
        codes: &[code::METHOD],
        doc: "the path has other methods, which the header `Allow` names",
        of: &[],
    },
    ErrorResponse { status: 408, codes: &["late"], doc: "the body did not arrive in time", of: BODIES },
    ErrorResponse {
        status: 409,
        codes: &["other_definition", "other_epoch", code::VERSION],
        doc: "the node serves another definition of the metric, or its log has lost events since the epoch that is \
              named, or the versions of the package do not allow this step",
        of: CONFLICTS,
    },
    ErrorResponse {
        status: 410,
        codes: &["cursor_gone", "ended"],
        doc: "the frontier of `cursor` is no longer kept, or a subscription has ended since its metric is not served any \
              more (as an event)",
        of: READ,
    },
    ErrorResponse {
        status: 413,
        codes: &[code::TOO_LARGE],
        doc: "more bytes or events than a request may have",
        of: BODIES,
    },
    ErrorResponse {
        status: 414,
        codes: &[code::URI],
        doc: "the path and the query are longer than 8 KiB",
        of: ALL,
    },
    ErrorResponse {
        status: 415,
        codes: &["content_type", "encoding"],
        doc: "a media type or encoding that the node does not read",
        of: INGEST,
    },
    ErrorResponse {
        status: 417,
        codes: &[code::EXPECTATION],
        doc: "an `Expect` header other than `100-continue`",
        of: ALL,
    },
    ErrorResponse {
        status: 421,
        codes: &[code::HOST],
        doc: "the node does not answer under this host name",
        of: ALL,
    },
    ErrorResponse {
        status: 422,
        codes: &["columns", "request", "too_many_rows", code::PACKAGE],
        doc: "columns that are not those of the source, another content under a known `Idempotency-Key`, more rows \
              than an answer may have, or a package with errors",
        of: ALL,
    },
    ErrorResponse {
        status: 429,
        codes: &["busy"],
        doc: "too many bytes wait to be written, too many requests of this client are being answered, or its address has \
              too many connections; send again \
              after `Retry-After`",
        of: ALL,
    },
    ErrorResponse {
        status: 431,
        codes: &[code::HEADERS],
        doc: "more than 100 headers, or more than 64 KiB of them",
        of: ALL,
    },
    ErrorResponse {
        status: 500,
        codes: &[code::FAILED],
        doc: "the node failed; its log has the reason",
        of: ALL,
    },
    ErrorResponse {
        status: 501,
        codes: &[code::TRANSFER_ENCODING],
        doc: "a `Transfer-Encoding` other than `chunked`",
        of: INGEST,
    },
    ErrorResponse {
        status: 503,
        codes: &[
            "starting",
            "backfilling",
            "behind",
            "busy",
            "closing",
            "dropped",
            code::DISK,
            code::STOPPED,
        ],
        doc: "the node is reading its log, still computes a new metric, is behind `min_frontier`, answers as many requests as it may, shuts down, \
              cannot read or write its disk (an I/O error, or a file system that is read-only), has stopped writing \
              until it is started again, or has ended a subscription without news (as an event); send again after \
              `Retry-After`",
        of: ALL,
    },
    ErrorResponse {
        status: 507,
        codes: &[code::FULL, "groups"],
        doc: "no space on disk, or as many groups as are allowed",
        of: WRITES,
    },
];

/// The type of a field of an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorField {
    /// A text.
    Text,
    /// A list of texts.
    Texts,
    /// One offset for each partition.
    Frontier,
    /// A number.
    Count,
}

/// The fields of an error, by name. The first two are always there.
pub static ERROR_FIELDS: &[(&str, ErrorField, &str)] = &[
    ("code", ErrorField::Text, "a stable name of the kind of error"),
    ("message", ErrorField::Text, "what is wrong, for people"),
    ("epoch", ErrorField::Text, "`other_epoch`: the epoch of the log"),
    (
        "frontier",
        ErrorField::Frontier,
        "`behind`: the frontier of the answers; `cursor_gone`: that of the cursor",
    ),
    ("help", ErrorField::Text, "`too_many_rows`: how to ask for fewer"),
    ("known", ErrorField::Texts, "`unknown_metric`: the metrics that are served"),
    ("metric", ErrorField::Text, "the metric that the error is about"),
    ("min_frontier", ErrorField::Frontier, "`behind`: the frontier that was asked for"),
    ("most", ErrorField::Count, "`too_many_rows`: most rows of an answer"),
    ("origin", ErrorField::Text, "`starting`: the source that is not served yet"),
    ("rows", ErrorField::Count, "`too_many_rows`: about how many rows it would be"),
    ("served", ErrorField::Text, "`other_definition`: hash of the metric that is served"),
    (
        "wanted",
        ErrorField::Text,
        "`other_definition`: hash that the caller was made for; `other_epoch`: the epoch that is asked for",
    ),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::{ErrorFields, ReadRequest, ServingError};

    #[test]
    fn every_parameter_of_the_table_is_read_and_no_other() {
        for spec in PARAMETERS {
            let text = match spec.value {
                ParameterValue::Bound => "2026-04-25T00:00:00Z",
                ParameterValue::Bool => "true",
                ParameterValue::Frontier => "3,4",
                ParameterValue::Format => "csv",
                ParameterValue::Count | ParameterValue::Number => "100",
                ParameterValue::Text => "a",
            };
            let parameters = vec![(spec.name.to_owned(), text.to_owned())];
            let read = match spec.of {
                ParameterOf::Several => ReadRequest::several_of_parameters(parameters).map(drop),
                _ => ReadRequest::of_parameters("m".to_owned(), parameters).map(drop),
            };
            assert!(read.is_ok(), "{}: {read:?}", spec.name);
        }
        let all = ReadRequest {
            from: Some("2026-04-25T00:00:00Z".parse().unwrap()),
            to: Some("2026-04-25T00:00:00Z".parse().unwrap()),
            grain: Some("day".to_owned()),
            latest: true,
            at: Some(vec![1]),
            min_frontier: Some(vec![1]),
            epoch: Some("e".to_owned()),
            receipt: true,
            hash: Some("1f".to_owned()),
            limit: Some(1),
            cursor: Some("1".to_owned()),
            ..ReadRequest::default()
        };
        for (name, _) in all.parameters() {
            assert!(PARAMETERS.iter().any(|spec| spec.name == name), "{name}");
        }
    }

    #[test]
    fn every_error_of_reads_is_in_the_table() {
        let errors = [
            ServingError::UnknownMetric { name: String::new(), known: Vec::new() },
            ServingError::OtherDefinition {
                metric: String::new(),
                served: String::new(),
                wanted: String::new(),
            },
            ServingError::OtherEpoch { epoch: String::new(), wanted: String::new() },
            ServingError::Request(String::new()),
            ServingError::NotReady { origin: String::new() },
            ServingError::Backfilling { metric: String::new() },
            ServingError::Behind { wanted: Vec::new(), frontier: Vec::new() },
            ServingError::TooManyRows { metric: String::new(), rows: 2, most: 1, help: String::new() },
            ServingError::CursorGone { frontier: Vec::new() },
            ServingError::Busy(String::new()),
            ServingError::Dropped(String::new()),
            ServingError::Ended(String::new()),
            ServingError::Failed("".into()),
        ];
        for (status, code) in errors.iter().map(ServingError::status_and_code) {
            let row = RESPONSES.iter().find(|row| row.status == status && row.codes.contains(&code));
            assert!(row.is_some_and(|row| row.of.contains(&Operation::Read)), "{status} {code}");
        }
    }

    #[test]
    fn the_fields_of_an_error_are_those_of_the_table() {
        let text = || Some(String::new());
        let fields = ErrorFields {
            code: String::new(),
            message: String::new(),
            epoch: Some(String::new()),
            frontier: Some(Vec::new()),
            help: text(),
            known: Some(Vec::new()),
            metric: text(),
            min_frontier: Some(Vec::new()),
            most: Some(1),
            origin: text(),
            rows: Some(1),
            served: text(),
            wanted: text(),
        };
        let json = serde_json::to_value(fields).unwrap();
        let names: BTreeSet<&str> = json.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(names, ERROR_FIELDS.iter().map(|(name, ..)| *name).collect());
    }
}
