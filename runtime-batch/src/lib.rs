//! The batch layer: evaluates the metrics of a source over an interval of its log with DataFusion.
//!
//! [`evaluate`] renders a [`SourcePlan`](metricc_compiler::SourcePlan) to DataFusion's physical operators.
//! Each split of the log is scanned and decoded once, and feeds every grouping of metrics: *prepare → group*,
//! and for groups that outgrow the memory *repartition by group → merge*. Results are canonical states, not
//! presented values, since only states merge. [`explain()`] shows the operators.
//!
//! Invariants: the operators are built here and never rewritten; there is no optimizer whose rules could
//! change an answer. The arithmetic is in [`metricc_algebra::Monoid`], the row part in
//! [`metricc_compiler::Prepare`]. A pool bounds memory; states that do not fit are spilled, and states that
//! cannot be spilled are an error.

mod accumulate;
mod evaluate;
mod explain;
mod group;
mod measured;
mod operators;
mod scan;

pub use evaluate::{evaluate, evaluate_unless};
pub use explain::explain;
