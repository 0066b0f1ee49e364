//! What may be asked of the outputs of a metric, where its rows are grouped by a language that knows nothing of
//! metrics: how rows may be merged, and which aggregates of SQL mean an output.

use metricc_compiler::{DerivedPlan, MetricPlan};
use metricc_ir::{AggregateOp, Expr, ExprKind, Window};

/// Which rows of a metric may be merged to one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mergeable {
    /// Any.
    Rows,
    /// Those of one window: windows overlap, or a row looks at another window.
    RowsOfWindow,
    /// None: each key has sessions of its own.
    Nothing,
}

impl Mergeable {
    fn of_window(window: &Window) -> Self {
        match window {
            Window::AllTime | Window::Tumbling(_) | Window::Calendar(..) => Mergeable::Rows,
            Window::Sliding { .. } => Mergeable::RowsOfWindow,
            Window::Session { .. } => Mergeable::Nothing,
        }
    }

    pub(crate) fn of_base(plan: &MetricPlan) -> Self {
        Mergeable::of_window(&plan.metric.window)
    }

    pub(crate) fn of_derived(plan: &DerivedPlan) -> Self {
        let of_operand = plan.derived.operands.iter().map(|operand| match operand.offset {
            0 => Mergeable::of_window(&operand.metric.window),
            _ => Mergeable::of_window(&operand.metric.window).max(Mergeable::RowsOfWindow),
        });
        of_operand.fold(Mergeable::of_window(&plan.derived.window), Mergeable::max)
    }
}

/// The aggregate of SQL whose argument an output may be, since the output is declared with it: of merged rows it
/// is the output of their events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeclaredAggregate {
    /// `sum(x)`.
    Sum,
    /// `count()`: a count of SQL, and a sum of counts.
    Count,
    /// `min(x)`.
    Min,
    /// `max(x)`.
    Max,
    /// `distinct(x)`, exact or within an error.
    CountDistinct,
}

impl DeclaredAggregate {
    fn of_op(op: &AggregateOp) -> Option<Self> {
        Some(match op {
            AggregateOp::Sum => DeclaredAggregate::Sum,
            AggregateOp::Count => DeclaredAggregate::Count,
            AggregateOp::Min => DeclaredAggregate::Min,
            AggregateOp::Max => DeclaredAggregate::Max,
            AggregateOp::Distinct | AggregateOp::DistinctWithin { .. } => DeclaredAggregate::CountDistinct,
            _ => return None,
        })
    }

    /// Of each output of a base metric.
    pub(crate) fn of_base(plan: &MetricPlan) -> Vec<Option<Self>> {
        let of_column = |column: usize| DeclaredAggregate::of_op(&plan.metric.aggregates.get(column)?.op);
        plan.metric.outputs.iter().map(|output| of_column(only_column(&output.expr)?)).collect()
    }

    /// Of each output of a derived metric: that of the operand's output which it is.
    pub(crate) fn of_derived(plan: &DerivedPlan) -> Vec<Option<Self>> {
        let of_column = |column: usize| {
            let column = plan.derived.columns.get(column)?;
            let is_own_window = plan.derived.operands.get(column.operand)?.offset == 0;
            let of_operand = DeclaredAggregate::of_base(plan.operands.get(column.operand)?);
            of_operand.get(column.output).copied().flatten().filter(|_| is_own_window)
        };
        plan.derived.outputs.iter().map(|output| of_column(only_column(&output.expr)?)).collect()
    }
}

/// The column that an expression is.
fn only_column(expr: &Expr) -> Option<usize> {
    match &expr.kind {
        ExprKind::Column(column) => Some(*column),
        _ => None,
    }
}
