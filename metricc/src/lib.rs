//! metricc: a metric is written once and computed by two engines that cannot disagree.
//!
//! This crate is the outermost one: it is what user crates depend on and what the `metricc` command
//! is made of. It puts the parts together ([`Package`] → plans → logs → segments → presented rows) and
//! checks the law on real data ([`verify`]); it computes nothing itself.

pub mod cli;
mod evaluate;
mod package;
pub mod verify;

pub use evaluate::{Engine, EngineOptions, EvaluateError, Evaluation, evaluate, evaluate_interval};
pub use package::{Bound, Package, PackageError, bind, parse_binding};
