//! `test` blocks: given logs, and the complete results expected of them.

use std::sync::Arc;

use super::{AnyMetric, Source, Value};

/// A `test` block.
#[derive(Debug, Clone)]
pub struct Test {
    /// Its name, without the quotes.
    pub name: String,
    /// Line of the text on which it begins, from 1.
    pub line: usize,
    /// The logs; one for the source of every expected metric.
    pub given: Vec<Given>,
    /// The results; at least one.
    pub expected: Vec<Expected>,
}

/// A log, in the order of its rows.
#[derive(Debug, Clone)]
pub struct Given {
    /// The source.
    pub source: Arc<Source>,
    /// Its records.
    pub rows: Vec<GivenRow>,
}

/// One record.
#[derive(Debug, Clone)]
pub struct GivenRow {
    /// Line of the text, from 1.
    pub line: usize,
    /// The record as NDJSON, without a line end, by the names of the language ([`Source::of_rows`]). The
    /// decoder accepts or rejects it, as it does for users.
    pub json: String,
}

/// All rows of a metric.
#[derive(Debug, Clone)]
pub struct Expected {
    /// The metric.
    pub metric: AnyMetric,
    /// Line of the text, from 1.
    pub line: usize,
    /// Its rows, in any order.
    pub rows: Vec<ExpectedRow>,
}

/// One expected row: its window, keys and values.
#[derive(Debug, Clone)]
pub struct ExpectedRow {
    /// Line of the text, from 1.
    pub line: usize,
    /// Start of its window, µs.
    pub start: Option<i64>,
    /// End of its window, µs.
    pub end: Option<i64>,
    /// One value per key of the metric.
    pub keys: Vec<Value>,
    /// One value per output of the metric; `None` for an output that the test does not mention.
    pub outputs: Vec<Option<Value>>,
}
