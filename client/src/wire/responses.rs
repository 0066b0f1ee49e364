//! The answers that are no success, and what they say.

use super::code;

/// What a request is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// To read metrics.
    Read,
    /// To add events.
    Ingest,
    /// To see and check the state of the node.
    Administer,
    /// To ask a question that no metric declares.
    Ask,
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

const READ: &[Operation] = &[Operation::Read, Operation::Ask];
const INGEST: &[Operation] = &[Operation::Ingest];
/// An audit may write the view again.
const WRITES: &[Operation] = &[Operation::Ingest, Operation::Administer, Operation::Deploy];
const BODIES: &[Operation] = &[Operation::Ingest, Operation::Deploy, Operation::Ask];
const CONFLICTS: &[Operation] = &[Operation::Read, Operation::Ask, Operation::Compare, Operation::Deploy];
const NAMED: &[Operation] = &[
    Operation::Read,
    Operation::Ask,
    Operation::Ingest,
    Operation::Administer,
    Operation::Compare,
    Operation::Deploy,
];
const ALL: &[Operation] = &[
    Operation::Read,
    Operation::Ask,
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
        codes: &[
            "unknown_metric",
            "unknown_source",
            code::UNKNOWN_VERSION,
            code::UNKNOWN_QUESTION,
            code::UNKNOWN_PATH,
        ],
        doc: "the node has no such metric, source, version, question or path",
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
        codes: &["other_definition", "other_epoch", code::VERSION, code::CANCELLED],
        doc: "the node serves another definition of the metric, or its log has lost events since the epoch that is \
              named, the versions of the package do not allow this step, or a question was cancelled",
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
        codes: &["columns", "request", "too_many_rows", code::PACKAGE, code::QUESTION, code::TOO_MUCH],
        doc: "columns that are not those of the source, another content under a known `Idempotency-Key`, more rows \
              than an answer may have, a package or a question with errors, or a question that would take more than it may",
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
    ("versions", ErrorField::Texts, "`unknown_metric`: other versions that have it, as `VERSION@HASH`"),
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
    use crate::{ErrorFields, ServingError};

    #[test]
    fn every_error_of_reads_is_in_the_table() {
        let errors = [
            ServingError::UnknownMetric { name: String::new(), known: Vec::new(), versions: Vec::new() },
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
            ServingError::Question(String::new()),
            ServingError::TooMuch(String::new()),
            ServingError::Cancelled(String::new()),
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
            versions: vec![String::new()],
            wanted: text(),
        };
        let json = serde_json::to_value(fields).unwrap();
        let names: BTreeSet<&str> = json.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(names, ERROR_FIELDS.iter().map(|(name, ..)| *name).collect());
    }
}
