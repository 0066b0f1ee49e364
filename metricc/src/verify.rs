//! The law, checked on the user's own data.
//!
//! Each trial cuts the log at a random frontier (also one that is no prefix, with an offset per
//! partition), picks engines' workers and batch sizes at random, and compares *states* to the byte:
//!
//! - the stream read at the cut, while it runs, against batch below the cut;
//! - the stream read at the end against batch over the whole log;
//! - batch below ⊕ stream above, and stream below ⊕ batch above, against batch over the whole log.
//!
//! A difference is shrunk to the smallest prefix of the log that still shows it.

mod compare;
mod shrink;
mod trial;

pub use compare::Difference;
pub(crate) use trial::run as run_trial;
pub use trial::{CounterExample, Layers, RealLayers, Trial, Verdict, VerifyOptions, verify};
