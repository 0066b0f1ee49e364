//! `metricc cluster`, and `metricc run --cluster`.
//!
//! Without the feature `cluster`, Ballista is not compiled, and both say so.

use std::process::ExitCode;

use indicatif::ProgressBar;
use metricc_ir::user_defined::Imports;

use super::arguments::{ClusterArguments, RunOnCluster};
use super::terminal::Failure;
use crate::{Bound, EngineOptions, Evaluation, Package};

#[cfg(feature = "cluster")]
mod processes;
#[cfg(feature = "cluster")]
mod submit;

#[cfg(feature = "cluster")]
pub(crate) fn run(arguments: &ClusterArguments, imports: &Imports) -> Result<ExitCode, Failure> {
    processes::run(arguments, imports)
}

/// Evaluates the whole log of a source by jobs.
#[cfg(feature = "cluster")]
pub(crate) fn evaluate(
    on: &RunOnCluster,
    package: &Package,
    bound: &Bound,
    options: &EngineOptions,
    bar: &ProgressBar,
) -> Result<Evaluation, Failure> {
    submit::evaluate(on, package, bound, options, bar)
}

#[cfg(not(feature = "cluster"))]
pub(crate) fn run(_: &ClusterArguments, _: &Imports) -> Result<ExitCode, Failure> {
    Err(not_compiled())
}

#[cfg(not(feature = "cluster"))]
pub(crate) fn evaluate(
    _: &RunOnCluster,
    _: &Package,
    _: &Bound,
    _: &EngineOptions,
    _: &ProgressBar,
) -> Result<Evaluation, Failure> {
    Err(not_compiled())
}

#[cfg(not(feature = "cluster"))]
fn not_compiled() -> Failure {
    Failure::Message(
        "this `metricc` was built without the cluster\n  help: build it with `cargo build --release --features cluster`".to_owned(),
    )
}
