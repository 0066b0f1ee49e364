//! Typed metric → plan.
//!
//! The compiler decides; the runtimes render what it decided without a decision of their own. A
//! [`SourcePlan`] holds, for all metrics of a package over one source, which columns are read, what
//! is grouped how (a [`Grouping`]: the one [`Prepare`] step and all states of the metrics that share
//! it), and per metric what its segments are and how they are presented (a [`MetricPlan`]). Batch and
//! stream are two renderings of the same groupings; neither has anything that the other does not read.
//!
//! Invariants: pure (no I/O, no clock, no environment); the same metric gives the same plan and the
//! same [`MetricHash`] on every machine; whatever the checker accepts, plans.

mod derived;
mod error;
pub mod explain;
mod form;
mod grouping;
mod groups;
mod hash;
mod own;
mod plan;
mod prepare;
pub mod scalar;
mod segment;
mod summary;

pub use derived::DerivedPlan;
pub use error::CompileError;
pub use form::StateForm;
pub use grouping::{Grouping, Member, StateColumn, StateLayout};
pub use groups::{GroupRows, PackedGroup};
pub use hash::{MetricHash, StateHash};
pub use plan::{MetricPlan, PlannedAggregate, SourcePlan, Spread};
pub use prepare::Prepare;
pub use segment::{Segment, SegmentError, to_parquet};
