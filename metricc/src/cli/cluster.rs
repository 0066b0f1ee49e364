//! `metricc cluster`, and `metricc run --cluster`.
//!
//! Without the feature `cluster`, Ballista is not compiled, and both say so.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use indicatif::ProgressBar;
use metricc_ir::user_defined::Imports;
use metricc_jobs::Done;
use metricc_node::{BatchCluster, Config};

use super::arguments::{ClusterArguments, EngineChoice, RunArguments, RunOnCluster};
use super::terminal::Failure;
use crate::{Bound, EngineOptions, Package};

#[cfg(feature = "cluster")]
mod local;
#[cfg(feature = "cluster")]
mod processes;
#[cfg(feature = "cluster")]
mod submit;

/// The shared folder, unless one is named: in the cache of this user.
pub(crate) fn store_folder(named: Option<&Path>) -> Result<PathBuf, Failure> {
    if let Some(folder) = named {
        return Ok(folder.to_owned());
    }
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = cache.or_else(|| std::env::home_dir().map(|home| home.join(".cache")));
    let folder = cache.filter(|cache| cache.is_absolute()).map(|cache| cache.join("metricc").join("jobs"));
    folder.ok_or_else(|| {
        Failure::Message(
            "there is no folder for this user's cache\n  help: name a folder with `--store DIR`".to_owned(),
        )
    })
}

/// Checks what a run on a cluster needs, before anything else is done for it.
pub(crate) fn check(arguments: &RunArguments) -> Result<(), Failure> {
    let Some(address) = &arguments.cluster.cluster else { return Ok(()) };
    let engine = match arguments.engine() {
        EngineChoice::Batch => return check_cluster(address, &arguments.cluster),
        EngineChoice::Stream => "stream",
        EngineChoice::Merged => "merged",
    };
    Err(Failure::Message(format!(
        "`--engine {engine}` cannot run on a cluster: executors do jobs that end, as batch has them, and a stream keeps \
         its state in processes that stay\n  help: leave `--engine` out, or write `--engine batch`; a stream in several \
         processes is `--engine stream --processes N`, or `--hosts FILE`"
    )))
}

#[cfg(feature = "cluster")]
fn check_cluster(address: &str, on: &RunOnCluster) -> Result<(), Failure> {
    address.parse::<metricc_cluster::Address>()?;
    metricc_jobs::JobStore::in_folder(&store_folder(on.store.as_deref())?)?;
    Ok(())
}

#[cfg(not(feature = "cluster"))]
fn check_cluster(_: &str, _: &RunOnCluster) -> Result<(), Failure> {
    Err(not_compiled("`--cluster`: "))
}

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
) -> Result<Done, Failure> {
    submit::evaluate(on, package, bound, options, bar)
}

/// The cluster that a node's configuration names.
#[cfg(feature = "cluster")]
pub(crate) fn of_node(config: &Config, package: &Package) -> Result<Option<BatchCluster>, Failure> {
    submit::of_node(config, package)
}

#[cfg(not(feature = "cluster"))]
pub(crate) fn of_node(config: &Config, _: &Package) -> Result<Option<BatchCluster>, Failure> {
    match config.batch.cluster {
        Some(_) => Err(not_compiled("`batch.cluster`: ")),
        None => Ok(None),
    }
}

#[cfg(not(feature = "cluster"))]
pub(crate) fn run(_: &ClusterArguments, _: &Imports) -> Result<ExitCode, Failure> {
    Err(not_compiled("`metricc cluster`: "))
}

#[cfg(not(feature = "cluster"))]
pub(crate) fn evaluate(
    _: &RunOnCluster,
    _: &Package,
    _: &Bound,
    _: &EngineOptions,
    _: &ProgressBar,
) -> Result<Done, Failure> {
    Err(not_compiled("`--cluster`: "))
}

#[cfg(not(feature = "cluster"))]
fn not_compiled(before: &str) -> Failure {
    Failure::Message(format!("{before}{NOT_COMPILED}"))
}

/// What a build without clusters says of them.
#[cfg(not(feature = "cluster"))]
pub(crate) const NOT_COMPILED: &str = "\
this `metricc` was built without the feature `cluster`, and has no clusters
  help: build it with `cargo build --release --features cluster`; a stream in several processes
  (`metricc run --engine stream --processes N`) needs no feature";
