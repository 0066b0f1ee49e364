//! Derived metrics: values over the presented values of other metrics.

use std::sync::Arc;

use serde::Serialize;

use super::{Metric, Output, RecordField, RowType, Source, Window};

/// A metric over the presented values of others, row by row, joined by window and keys. Its operands are base
/// metrics: a derived metric among them is replaced by its own operands.
///
/// It has one row for each window and key in which some operand has a row. An operand without a row there has
/// the value of an empty group. Offsets look back from windows that an operand without an offset has reached,
/// so rows end where the events end.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Derived {
    /// Name in the language; not part of the meaning.
    #[serde(skip)]
    pub name: String,
    /// `///` text; not part of the meaning.
    #[serde(skip)]
    pub doc: String,
    /// Base metrics that it reads; at least one.
    pub operands: Vec<Operand>,
    /// The scope of the outputs: one column each.
    pub columns: Vec<OperandColumn>,
    /// Its keys.
    pub keys: Vec<RecordField>,
    /// Its window: that of every operand, or a roll-up of theirs.
    pub window: Window,
    /// What is presented, over `columns`.
    pub outputs: Vec<Output>,
    /// `unit percent`.
    pub unit: Option<String>,
}

/// A base metric, as a derived metric reads it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Operand {
    /// The metric.
    pub metric: Arc<Metric>,
    /// For each key of the derived metric, the index of that key in this one. Other keys are merged.
    pub keys: Vec<usize>,
    /// How many windows before the window of the row.
    pub offset: i64,
}

/// An output of an operand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct OperandColumn {
    /// Index of the operand.
    pub operand: usize,
    /// Index of the output in its metric.
    pub output: usize,
}

/// A base or a derived metric.
#[derive(Debug, Clone, PartialEq)]
pub enum AnyMetric {
    /// A base metric, over events.
    Base(Arc<Metric>),
    /// A derived metric, over other metrics.
    Derived(Arc<Derived>),
}

impl AnyMetric {
    /// Its name.
    pub fn name(&self) -> &str {
        match self {
            AnyMetric::Base(metric) => &metric.name,
            AnyMetric::Derived(derived) => &derived.name,
        }
    }

    /// As [`Metric::definition_hash`].
    pub fn definition_hash(&self) -> String {
        match self {
            AnyMetric::Base(metric) => metric.definition_hash(),
            AnyMetric::Derived(derived) => derived.definition_hash(),
        }
    }

    /// The source of all its events; `None` if there are several.
    pub fn only_source(&self) -> Option<&Arc<Source>> {
        let base = self.base();
        let source = &base.first()?.source;
        base.iter().all(|metric| metric.source == *source).then_some(source)
    }

    /// The type of its rows.
    pub fn row_type(&self) -> RowType {
        match self {
            AnyMetric::Base(metric) => metric.row_type(),
            AnyMetric::Derived(derived) => derived.row_type(),
        }
    }

    /// The base metrics that it reads: itself, or its operands. A metric read at several offsets occurs
    /// several times.
    pub fn base(&self) -> Vec<&Arc<Metric>> {
        match self {
            AnyMetric::Base(metric) => vec![metric],
            AnyMetric::Derived(derived) => derived.operands.iter().map(|operand| &operand.metric).collect(),
        }
    }
}

/// The base metrics of all these metrics, each once, in their order.
pub fn base_metrics<'a>(metrics: impl IntoIterator<Item = &'a AnyMetric>) -> Vec<Arc<Metric>> {
    let mut base: Vec<Arc<Metric>> = Vec::new();
    for metric in metrics.into_iter().flat_map(AnyMetric::base) {
        if !base.iter().any(|known| Arc::ptr_eq(known, metric)) {
            base.push(metric.clone());
        }
    }
    base
}
