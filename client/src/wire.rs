//! What a client has to know of the HTTP API, as data: parameters, errors and their fields. The node's
//! answers, the messages about wrong parameters, and the OpenAPI document of `metricc compile` are made of
//! it.

use crate::Format;

pub mod code;
mod responses;
mod routes;

pub use responses::{ERROR_FIELDS, ErrorField, ErrorResponse, Operation, RESPONSES};
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
    /// A question that no metric declares.
    Question,
    /// The read of several metrics.
    Several,
    /// Another route, which names its parameters.
    Route,
}

/// A query parameter of reads. Conditions are parameters too, `key.NAME` and `having.NAME`, and depend on
/// the metric.
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
        "fill",
        ParameterValue::Bool,
        ParameterOf::Windows,
        "also rows for windows without events: of the range, for each of the keys that the answer has",
    ),
    parameter(
        "by",
        ParameterValue::Text,
        ParameterOf::Any,
        "the keys of the rows, with commas between them; the states of the others are merged, of all if no name is given",
    ),
    parameter(
        "order",
        ParameterValue::Text,
        ParameterOf::Rows,
        "values, keys or `window_start` by which rows are ordered, with commas between them; `-NAME` descends",
    ),
    parameter(
        "per_window",
        ParameterValue::Count,
        ParameterOf::Rows,
        "at most so many rows of each window, the first ones in the order",
    ),
    parameter(
        "totals",
        ParameterValue::Text,
        ParameterOf::Any,
        "keys with commas between them that are rolled up beside the rows: the last one, the last two, up to all of them",
    ),
    parameter(
        "share",
        ParameterValue::Text,
        ParameterOf::Rows,
        "values of which rows have the share in the total of their window, with commas between them; `VALUE:KEY` is \
         the share in the total of a key",
    ),
    parameter(
        "compare",
        ParameterValue::Count,
        ParameterOf::Windows,
        "rows have their values so many windows before as well, the difference and the ratio",
    ),
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
        "the rows after those of the answer that had this cursor, at its frontier; with the same other \
         parameters",
    ),
    parameter(
        "name",
        ParameterValue::Text,
        ParameterOf::Question,
        "the name of the metric in the answer; `question` unless it is given",
    ),
    parameter("estimate", ParameterValue::Bool, ParameterOf::Question, "only say what the answer would take"),
    parameter(
        "whole",
        ParameterValue::Bool,
        ParameterOf::Question,
        "compute the states of all windows, whatever the range: those are the backfill of the metric that it may become",
    ),
    parameter(
        "progress",
        ParameterValue::Bool,
        ParameterOf::Question,
        "server-sent events instead of rows: `estimate`, `progress` some times a second, then `computed` with the frontier at \
         which the rows can be read without reading the log again; or `error`",
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Asked, ReadRequest};

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
                ParameterOf::Question => Asked::of_parameters("m".to_owned(), parameters).map(drop),
                _ => ReadRequest::of_parameters("m".to_owned(), parameters).map(drop),
            };
            assert!(read.is_ok(), "{}: {read:?}", spec.name);
        }
        let all = ReadRequest {
            from: Some("2026-04-25T00:00:00Z".parse().unwrap()),
            to: Some("2026-04-25T00:00:00Z".parse().unwrap()),
            grain: Some("day".to_owned()),
            latest: true,
            fill: true,
            at: Some(vec![1]),
            min_frontier: Some(vec![1]),
            epoch: Some("e".to_owned()),
            receipt: true,
            hash: Some("1f".to_owned()),
            limit: Some(1),
            cursor: Some("1".to_owned()),
            by: Some(vec!["a".to_owned()]),
            order: vec!["-a".to_owned()],
            per_window: Some(1),
            ..ReadRequest::default()
        };
        for (name, _) in all.parameters() {
            assert!(PARAMETERS.iter().any(|spec| spec.name == name), "{name}");
        }
    }
}
