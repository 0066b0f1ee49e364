//! What a derived metric is made of, as far as it has been checked.

use std::collections::BTreeMap;

use crate::diagnostic::Span;
use metricc_ir::{AnyMetric, Derived, Operand, OperandColumn, Output, RecordField, Window};

/// What a metric is made of, as far as it has been checked.
pub(super) struct Operands {
    /// What names stand for; `None` where that has errors.
    pub(super) made: BTreeMap<String, Option<AnyMetric>>,
    /// `every`: the window that all are read by.
    pub(super) window: Option<Window>,
    /// `by`: the keys that are kept.
    pub(super) kept: Option<Vec<(Option<String>, Span)>>,
    /// Window and keys of all rows, and where they come from.
    pub(super) shape: Option<(Window, Vec<RecordField>, Span)>,
    pub(super) operands: Vec<Operand>,
    columns: Vec<OperandColumn>,
}

impl Operands {
    pub(super) fn new(
        made: BTreeMap<String, Option<AnyMetric>>,
        window: Option<Window>,
        kept: Option<Vec<(Option<String>, Span)>>,
    ) -> Self {
        Operands { made, window, kept, shape: None, operands: Vec::new(), columns: Vec::new() }
    }

    pub(super) fn derived(
        self,
        name: String,
        doc: String,
        outputs: Vec<Output>,
        unit: Option<String>,
    ) -> Option<Derived> {
        let (window, keys, _) = self.shape?;
        Some(Derived {
            name,
            doc,
            operands: self.operands,
            columns: self.columns,
            keys,
            window,
            outputs,
            unit,
        })
    }

    /// The column of an output of a metric over events, read so many windows back.
    pub(super) fn column(&mut self, operand: Operand, output: usize) -> usize {
        let place = self.operands.iter().position(|known| *known == operand).unwrap_or_else(|| {
            self.operands.push(operand);
            self.operands.len() - 1
        });
        let column = OperandColumn { operand: place, output };
        self.columns.iter().position(|known| *known == column).unwrap_or_else(|| {
            self.columns.push(column);
            self.columns.len() - 1
        })
    }
}
