//! `metricc new`: a package whose metrics check, whose tests pass, with a log to run them on.

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use super::arguments::NewArguments;
use super::terminal::{self, Failure};

/// The files: name, content and purpose.
const FILES: [(&str, &str, &str); 4] = [
    ("events.metric", include_str!("new/events.metric"), "declares the events"),
    ("metrics.metric", include_str!("new/metrics.metric"), "the metrics and their tests"),
    ("data/orders.ndjson", include_str!("new/orders.ndjson"), "ten records to try them on"),
    ("README.md", include_str!("new/README.md"), "the commands to run"),
];

pub(crate) fn run(arguments: &NewArguments) -> Result<ExitCode, Failure> {
    let folder = &arguments.folder;
    let failed =
        |path: &Path, error: std::io::Error| Failure::Message(format!("{}: {error}", path.display()));
    fs::create_dir_all(folder).map_err(|error| failed(folder, error))?;
    let mut entries = fs::read_dir(folder).map_err(|error| failed(folder, error))?;
    if entries.next().is_some() {
        return Err(Failure::Message(format!(
            "{} is not empty\n  help: give the name of a new folder",
            folder.display()
        )));
    }
    let mut created = format!("created {}\n", folder.display());
    for (name, content, about) in FILES {
        let path = folder.join(name);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(|error| failed(folder, error))?;
        }
        fs::write(&path, content).map_err(|error| failed(&path, error))?;
        created.push_str(&format!("  {name:20} {about}\n"));
    }
    let enter = if folder == Path::new(".") { String::new() } else { format!("  cd {}\n", folder.display()) };
    terminal::note(format!(
        "{created}next:\n{enter}  metricc test metrics.metric\n  metricc run metrics.metric --source orders=data/orders.ndjson"
    ));
    Ok(ExitCode::SUCCESS)
}
