//! `metricc restore`.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::ExitCode;

use metricc_node::{Config, RestoredSource};

use super::arguments::RestoreArguments;
use super::progress::bar;
use super::stored;
use super::terminal::{self, Failure, counted};

pub(crate) fn run(arguments: &RestoreArguments) -> Result<ExitCode, Failure> {
    let mut config = Config::read(&arguments.config)?;
    if let Some(data) = &arguments.data {
        config.data.clone_from(data);
    }
    let bar = bar(0, "bytes", "restoring");
    let restored = metricc_node::restore(&config, &|done, total| {
        bar.set_length(total);
        bar.set_position(done);
    });
    bar.finish_and_clear();
    let restored = restored?;
    for source in &restored {
        terminal::note(said(source));
        for (partition, from, to) in source.missing() {
            terminal::warning(&format!(
                "source `{}`: offsets {from} to {to} of partition {partition} are not there: they were in the journal \
                 alone",
                source.name
            ));
        }
    }
    compare_with_package(&config, &restored);
    terminal::note(format!(
        "the log is in {}; what came after the last copy to the object store is not known here",
        config.data.join("log").display()
    ));
    Ok(ExitCode::SUCCESS)
}

/// Says which sources the store has and the package does not read, and the other way round: the package may
/// be another one than that of the lost node.
fn compare_with_package(config: &Config, restored: &[RestoredSource]) {
    let shown = config.package.display();
    let read = match sources_of(&config.package) {
        Ok(read) => read,
        Err(problem) => {
            terminal::warning(&format!("the log is restored, and `{shown}` cannot be used: {problem}"));
            return;
        }
    };
    let names: BTreeSet<&String> = restored.iter().map(|source| &source.name).collect();
    for name in names.iter().filter(|name| !read.contains(**name)) {
        terminal::warning(&format!(
            "no metric of `{shown}` reads source `{name}`: its events are in the log, and nothing is answered from \
             them\n  help: see whether `package` names the package that the lost node had"
        ));
    }
    for name in read.iter().filter(|name| !names.contains(name)) {
        terminal::note(format!("source `{name}`: nothing of it is in the store"));
    }
}

/// The sources that the metrics of a package read.
fn sources_of(package: &Path) -> Result<BTreeSet<String>, String> {
    let package = stored::read_package(package).map_err(|error| error.to_string())?;
    if package.checked.has_errors() {
        return Err("it has errors, which `metricc check` shows".to_owned());
    }
    let metrics = package.metrics(&[]).map_err(|error| error.to_string())?;
    Ok(metrics.iter().map(|metric| metric.source.name.clone()).collect())
}

fn said(source: &RestoredSource) -> String {
    let RestoredSource { name, frontier, .. } = source;
    match usize::try_from(frontier.n_positions()).unwrap_or(usize::MAX) {
        0 => format!("source `{name}`: nothing of it was flushed"),
        n_positions => {
            format!("source `{name}`: {} up to {frontier}", counted(n_positions, "position", "positions"))
        }
    }
}
