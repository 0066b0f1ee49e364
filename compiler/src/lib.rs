//! Typed metric → plan.
//!
//! The compiler decides; the runtimes render what it decided without a decision of their own. A
//! [`SourcePlan`] holds, for all metrics of a package over one source, which columns are read and,
//! per metric, the one [`Prepare`] step, the monoids and the presentation. Batch, stream and serving
//! are three renderings of the same [`MetricPlan`]: there is nothing in it that only one of them reads.
//!
//! Invariants: pure (no I/O, no clock, no environment); the same metric gives the same plan and the
//! same [`MetricHash`] on every machine; whatever the checker accepts, plans.

mod error;
pub mod explain;
mod groups;
mod hash;
mod plan;
mod prepare;
pub mod scalar;
mod segment;

pub use error::CompileError;
pub use groups::{GroupRows, PackedGroup};
pub use hash::MetricHash;
pub use plan::{MetricPlan, PlannedAggregate, SourcePlan, StateColumn, StateLayout};
pub use prepare::Prepare;
pub use segment::{Segment, SegmentError};
