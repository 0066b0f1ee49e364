//! The law, checked on the user's data.
//!
//! Each trial cuts the log at a random frontier (which may have any offset in each partition, so it need not
//! be a prefix of the log's order), draws workers and batch sizes of the engines, and compares *states* to
//! the byte:
//!
//! - the stream read at the cut, while it runs, against batch below the cut;
//! - the stream read at the end against batch over the whole log;
//! - batch below ⊕ stream above, and stream below ⊕ batch above, against batch over the whole log;
//! - once, the rows of those over the whole log as Arrow streams.
//!
//! A difference is shrunk to the smallest prefix of the log that still has one.

mod compare;
mod shrink;
mod trial;

pub use compare::Difference;
pub(crate) use trial::run as run_trial;
pub use trial::{CounterExample, Layers, RealLayers, Trial, Verdict, VerifyOptions, verify};
