//! `metricc diff`.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, ExitCode};

use metricc_comparison::report;
use metricc_dsl::{Files, SourceText};
use metricc_ir::user_defined::Imports;

use super::arguments::{DiffArguments, DiffFormat};
use super::stored;
use super::terminal::{self, Failure, counted};
use super::{diff_live, diff_rows, diff_tests};
use crate::{Package, PackageError};
use metricc_comparison::diff::{Change, Version, diff};

pub(crate) fn run(arguments: &DiffArguments, imports: &Imports) -> Result<ExitCode, Failure> {
    if arguments.live {
        return diff_live::run(arguments);
    }
    let (old, new) = packages(arguments)?;
    let (old, new) = (old.with_imports(imports), new.with_imports(imports));
    let (is_old_valid, is_new_valid) = (terminal::report(&old)?, terminal::report(&new)?);
    if !is_old_valid || !is_new_valid {
        return Err(Failure::Message("files with errors cannot be compared".to_owned()));
    }
    let changes = diff(&version(&old)?, &version(&new)?);
    let has_logs = !arguments.logs.sources.is_empty();
    let rows = match has_logs {
        true => diff_rows::compare(arguments, (&old, &new), &changes)?,
        false => BTreeMap::new(),
    };
    match arguments.output {
        DiffFormat::Text => {
            terminal::data(&report::changes_text(&changes))?;
            for (name, found) in &rows {
                terminal::data(&format!("\n{}", report::text(name, found, arguments.search.rows)))?;
            }
        }
        DiffFormat::Json => {
            for change in &changes {
                let found = rows.get(&change.metric);
                let line = report::json(change, found, arguments.search.rows)?;
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

/// The old version and the new one.
fn packages(arguments: &DiffArguments) -> Result<(Package, Package), Failure> {
    Ok(match (arguments.files.as_slice(), &arguments.against) {
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
    })
}

/// The definitions of a package.
fn version(package: &Package) -> Result<Version, Failure> {
    let metrics: Vec<_> = package.checked.package.all_metrics().collect();
    Ok(Version::of(&metrics, &package.imports).map_err(PackageError::from)?)
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
