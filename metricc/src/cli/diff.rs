//! `metricc diff`.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, ExitCode};

use metricc_dsl::{Files, SourceText};
use metricc_ir::user_defined::Imports;

use super::arguments::{DiffArguments, DiffFormat};
use super::diff_rows::MetricRows;
use super::stored;
use super::terminal::{self, Failure, counted};
use super::{diff_report, diff_rows, diff_tests};
use crate::Package;
use crate::diff::{Change, MetricChange, Version, diff};

pub(crate) fn run(arguments: &DiffArguments, imports: &Imports) -> Result<ExitCode, Failure> {
    let (old, new) = match (arguments.files.as_slice(), &arguments.against) {
        ([file], Some(revision)) => (at_revision(file, revision)?, stored::read_package(file)?),
        ([old, new], None) => (stored::read_package(old)?, stored::read_package(new)?),
        (_, Some(_)) => {
            return Err(Failure::Message(
                "`--against` compares one file with its older version\n  help: give one file".to_owned(),
            ));
        }
        (_, None) => {
            return Err(Failure::Message(
                "there is only one version\n  help: give two files, or one file and `--against REVISION`"
                    .to_owned(),
            ));
        }
    };
    let (old, new) = (old.with_imports(imports), new.with_imports(imports));
    let (is_old_valid, is_new_valid) = (terminal::report(&old)?, terminal::report(&new)?);
    if !is_old_valid || !is_new_valid {
        return Err(Failure::Message("files with errors cannot be compared".to_owned()));
    }
    let changes = diff(&Version::of(&old)?, &Version::of(&new)?);
    let has_logs = !arguments.logs.sources.is_empty();
    let rows = match has_logs {
        true => diff_rows::compare(arguments, (&old, &new), &changes)?,
        false => BTreeMap::new(),
    };
    match arguments.output {
        DiffFormat::Text => {
            terminal::data(&text(&changes))?;
            for (name, found) in &rows {
                terminal::data(&format!("\n{}", diff_report::text(name, found, arguments.search.rows)))?;
            }
        }
        DiffFormat::Json => {
            for change in &changes {
                let found = rows.get(&change.metric);
                let line = json(change, found, arguments.search.rows)?;
                terminal::data(&format!("{line}\n"))?;
            }
        }
    }
    let n_changed = changes.iter().filter(|change| change.change != Change::Same).count();
    let n_recomputed = changes.iter().filter(|change| change.recompute).count();
    terminal::note(format!(
        "{}: {n_changed} differ, {n_recomputed} to compute from the log",
        counted(changes.len(), "metric", "metrics")
    ));
    if has_logs && !rows.is_empty() {
        let n_different = rows.values().filter(|found| found.differ()).count();
        terminal::note(format!(
            "rows of {} compared, {n_different} differ",
            counted(rows.len(), "metric", "metrics")
        ));
    }
    if let Some(path) = &arguments.write_tests {
        diff_tests::write(path, (&new, imports), &rows)?;
    }
    Ok(if n_changed == 0 { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// A metric as one line of JSON: the change of its definition, and with logs what was found of its rows.
fn json(change: &MetricChange, found: Option<&MetricRows>, limit: usize) -> Result<String, Failure> {
    let Some(found) = found else { return Ok(serde_json::to_string(change)?) };
    let mut value = serde_json::to_value(change)?;
    if let Some(members) = value.as_object_mut() {
        members.extend(diff_report::json(found, limit));
    }
    Ok(value.to_string())
}

/// The file in a revision of its repository, with the files that it uses.
fn at_revision(file: &Path, revision: &str) -> Result<Package, Failure> {
    let failed = |problem: String| Failure::Message(format!("{} at {revision}: {problem}", file.display()));
    let path = file.canonicalize().map_err(|error| failed(error.to_string()))?;
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(failed("not a file".to_owned()));
    };
    let files = Revision { folder, revision };
    let bytes = files.read(&name.to_string_lossy()).map_err(failed)?;
    // The name in git's syntax. `use` takes the file's name after the last slash.
    let name = format!("{revision}:./{}", name.to_string_lossy());
    Ok(Package::from_text_with(SourceText { name, bytes }, &files))
}

/// A folder in a revision.
struct Revision<'a> {
    folder: &'a Path,
    revision: &'a str,
}

impl Files for Revision<'_> {
    fn read(&self, name: &str) -> Result<Vec<u8>, String> {
        // `--end-of-options`: a revision may start with `-`.
        let object = format!("{}:./{name}", self.revision);
        let output = Command::new("git")
            .arg("-C")
            .arg(self.folder)
            .args(["cat-file", "--end-of-options", "blob", &object])
            .output()
            .map_err(|error| format!("cannot run git: {error}"))?;
        if output.status.success() {
            return Ok(output.stdout);
        }
        let problem = String::from_utf8_lossy(&output.stderr);
        Err(problem.trim().trim_start_matches("fatal: ").to_owned())
    }
}

/// A line for each metric, and below it the parts that differ.
fn text(changes: &[MetricChange]) -> String {
    let mut text = String::new();
    for change in changes {
        let (word, what_to_do) = match change.change {
            Change::Same => ("same", ""),
            Change::Renamed => ("renamed", "nothing to recompute"),
            Change::Presentation => ("presentation", "nothing to recompute"),
            Change::States => ("changed", "recomputed from the log"),
            Change::Added if change.recompute => ("added", "computed from the log"),
            Change::Added => ("added", "nothing to recompute"),
            Change::Removed => ("removed", ""),
        };
        let was = change.was.as_ref().map_or_else(String::new, |was| format!(" (was {was})"));
        let line = format!("{word:13} {}{was}", change.metric);
        text.push_str(format!("{line:40} {what_to_do}").trim_end());
        text.push('\n');
        for part in &change.parts {
            text.push_str(&format!("  {}\n", part.part));
            for (sign, value) in [('-', &part.old), ('+', &part.new)] {
                if let Some(value) = value {
                    text.push_str(&format!("    {sign} {value}\n"));
                }
            }
        }
    }
    text
}
