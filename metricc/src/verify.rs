//! Checks the law on a user's data.
//!
//! Each trial cuts the log at a random frontier (which need not be a prefix: it has an offset per partition), picks random
//! numbers of workers and batch sizes, and compares *states* to the byte:
//!
//! - the running stream, read at the cut, with batch before the cut;
//! - the stream, read at the end, with batch over the whole log;
//! - batch before ⊕ stream after the cut, and stream before ⊕ batch after, with batch over the whole log.
//!
//! A difference is shrunk to the shortest prefix of the log that still shows one.

mod compare;
mod shrink;
mod trial;

pub use compare::Difference;
pub(crate) use trial::run as run_trial;
pub use trial::{CounterExample, Layers, RealLayers, Trial, Verdict, VerifyOptions, verify};
