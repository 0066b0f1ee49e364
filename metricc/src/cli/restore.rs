//! `metricc restore`.

use std::process::ExitCode;

use metricc_node::{Config, RestoredSource};

use super::arguments::RestoreArguments;
use super::progress::bar;
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
    for source in restored? {
        terminal::note(said(&source));
        for (partition, from, to) in source.missing() {
            terminal::warning(&format!(
                "source `{}`: offsets {from} to {to} of partition {partition} are not there: they were in the journal \
                 alone",
                source.name
            ));
        }
    }
    terminal::note(format!(
        "the log is in {}; what came after the last copy to the object store is not known here",
        config.data.join("log").display()
    ));
    Ok(ExitCode::SUCCESS)
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
