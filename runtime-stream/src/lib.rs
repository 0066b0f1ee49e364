//! The speed layer: keeps the last, still open segment in a timely/differential dataflow.
//!
//! [`Stream::start`] renders a [`SourcePlan`](metricc_compiler::SourcePlan) to one dataflow per worker: for
//! every grouping of metrics *prepare → combine → exchange by group → arrange*, with the product of states as
//! the difference of the collection. Rows are fed in micro-batches with the positions that they cover.
//! [`Stream::read`] ends the epoch and returns the segments at the current frontier; rows fed later flow on.
//! [`explain()`] shows the operators. [`evaluate_share`] runs a dataflow that several processes share.
//!
//! Invariants: the row part is [`metricc_compiler::Prepare`], the arithmetic [`metricc_algebra`]; nothing
//! here computes. The stream owns no state that the log does not have: dropping it loses nothing. A
//! difference is absent only when its row count is zero, so values that cancel keep their key. Memory grows
//! with groups, not with events.

mod combine;
mod dataflow;
mod difference;
mod evaluate;
mod explain;
mod failure;
mod feed;
mod greeting;
mod key;
mod peers;
mod read;
mod stream;
mod worker;

pub use evaluate::{evaluate, evaluate_share};
pub use explain::explain;
pub use greeting::Facts;
pub use peers::{LOST_PEER, Meeting, PeerError, Peers, RunId};
pub use read::PendingRead;
pub use stream::Stream;
