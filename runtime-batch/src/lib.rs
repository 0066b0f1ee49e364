//! The batch layer: evaluates the metrics of a source over an interval of its log with DataFusion.
//!
//! [`evaluate`] renders a [`SourcePlan`](metricc_compiler::SourcePlan) to DataFusion's physical
//! operators: one scan and one decode per share of the log feed, for every metric, *prepare → partial
//! aggregate → repartition by group → final aggregate*. Results are the canonical states, not
//! presented values, since only states merge.
//!
//! Invariants: the operators are put together here and nowhere rewritten: there is no optimizer, so
//! none of its rules can change an answer. The arithmetic is that of
//! [`metricc_algebra::Monoid`]; the row part that of [`metricc_compiler::Prepare`]. Memory is bounded
//! by a pool; what does not fit is spilled, and what cannot be spilled is an error.

mod accumulate;
mod evaluate;
mod operators;
mod scan;

pub use evaluate::{BatchError, BatchOptions, BatchResult, evaluate};
