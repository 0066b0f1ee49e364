//! Typed metric → plan.
//!
//! The compiler makes all decisions; the runtimes only render its plans. A [`SourcePlan`] has, for all
//! metrics of a package over one source, the columns to read; the [`Grouping`]s, each with one [`Prepare`]
//! step and all states of the metrics that share it; and a [`MetricPlan`] per metric, with its segments and
//! their presentation. Batch and stream render the same groupings, and take nothing else from the plan.
//! [`EngineOptions`], [`Evaluation`] and [`EvaluateError`] are the options, results and errors of both.
//!
//! Invariants: pure (no I/O, no clock, no environment); the same metric gives the same plan and the same
//! [`MetricHash`] on every machine; every metric that the checker accepts has a plan.

mod cpu_times;
mod derived;
mod error;
mod evaluation;
pub mod explain;
mod group_keys;
mod group_table;
mod grouped_states;
mod grouping;
mod hash;
mod key_condition;
mod plan;
mod row_part;
pub mod scalar;
mod segment;
mod shared_rows;
mod side_by_side;
mod source_plan;
mod state;
mod state_schema;
mod summary;
mod two_values;
mod user_defined;
mod wanted_rows;

pub use cpu_times::{CpuTimes, Measure};
pub use derived::DerivedPlan;
pub use error::CompileError;
pub use evaluation::{Engine, EngineOptions, EvaluateError, Evaluation};
pub use group_keys::{GroupRows, PackedGroup};
pub use group_table::GroupTable;
pub use grouped_states::GroupedStates;
pub use grouping::{CoarserTable, Grouping, Member, StateColumn, StateLayout};
pub use hash::{MetricHash, StateHash};
pub use key_condition::KeyCondition;
pub use plan::{MetricPlan, PlannedAggregate, Spread};
pub use row_part::Prepare;
pub use segment::{
    GroupBound, GroupRange, Segment, SegmentError, SegmentFileError, SegmentRanges, to_parquet,
};
pub use shared_rows::SharedRows;
pub use source_plan::SourcePlan;
pub use state::ROW_COUNT;
pub use state_schema::StateForm;
pub use summary::summary;
pub use two_values::OfTwoValues;
