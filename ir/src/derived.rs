//! Metrics made of metrics.

use std::sync::Arc;

use serde::Serialize;

use super::{Metric, Output, RecordField, RowType, Source, Window};

/// A metric over the presented values of others, row by row: of one window and one key. It is made of metrics over events
/// alone; metrics that were made of metrics are put in.
///
/// Its rows are those of its operands, none twice. Where an operand has no row, its value is that of no events. Offsets
/// look back from windows that some operand without one has reached: nothing is said of windows that lie behind all events.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Derived {
    /// Name in the language; not part of the meaning.
    #[serde(skip)]
    pub name: String,
    /// `///` text; not part of the meaning.
    #[serde(skip)]
    pub doc: String,
    /// What it is made of; at least one.
    pub operands: Vec<Operand>,
    /// The scope of the outputs: one column each.
    pub columns: Vec<OperandColumn>,
    /// Its keys.
    pub keys: Vec<RecordField>,
    /// Its window: of every operand, or put together from theirs.
    pub window: Window,
    /// What is presented, over `columns`.
    pub outputs: Vec<Output>,
    /// `unit percent`.
    pub unit: Option<String>,
}

/// A metric over events, as a derived one reads it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Operand {
    /// The metric.
    pub metric: Arc<Metric>,
    /// For each key of the derived metric the place of that key in this one; others are merged.
    pub keys: Vec<usize>,
    /// How many windows before that of the row.
    pub offset: i64,
}

/// An output of an operand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct OperandColumn {
    /// Place of the operand.
    pub operand: usize,
    /// Place of the output in its metric.
    pub output: usize,
}

/// A metric, whatever it is made of.
#[derive(Debug, Clone, PartialEq)]
pub enum AnyMetric {
    /// Of events.
    OfEvents(Arc<Metric>),
    /// Of metrics.
    OfMetrics(Arc<Derived>),
}

impl AnyMetric {
    /// Its name.
    pub fn name(&self) -> &str {
        match self {
            AnyMetric::OfEvents(metric) => &metric.name,
            AnyMetric::OfMetrics(derived) => &derived.name,
        }
    }

    /// As [`Metric::definition_hash`].
    pub fn definition_hash(&self) -> String {
        match self {
            AnyMetric::OfEvents(metric) => metric.definition_hash(),
            AnyMetric::OfMetrics(derived) => derived.definition_hash(),
        }
    }

    /// The source of all events that it is computed from; none if there are several.
    pub fn only_source(&self) -> Option<&Arc<Source>> {
        let of_events = self.of_events();
        let source = &of_events.first()?.source;
        of_events.iter().all(|metric| metric.source == *source).then_some(source)
    }

    /// The type of its rows.
    pub fn row_type(&self) -> RowType {
        match self {
            AnyMetric::OfEvents(metric) => metric.row_type(),
            AnyMetric::OfMetrics(derived) => derived.row_type(),
        }
    }

    /// The metrics over events that it is, or is made of; one that is read at several offsets is there several times.
    pub fn of_events(&self) -> Vec<&Arc<Metric>> {
        match self {
            AnyMetric::OfEvents(metric) => vec![metric],
            AnyMetric::OfMetrics(derived) => derived.operands.iter().map(|operand| &operand.metric).collect(),
        }
    }
}

/// The base metrics of all these metrics, each once, in their order.
pub fn base_metrics<'a>(metrics: impl IntoIterator<Item = &'a AnyMetric>) -> Vec<Arc<Metric>> {
    let mut base: Vec<Arc<Metric>> = Vec::new();
    for metric in metrics.into_iter().flat_map(AnyMetric::of_events) {
        if !base.iter().any(|known| Arc::ptr_eq(known, metric)) {
            base.push(metric.clone());
        }
    }
    base
}
