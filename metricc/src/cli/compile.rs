//! `metricc compile`.

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use metricc_ir::plain_file;
use metricc_ir::user_defined::Imports;

use super::arguments::CompileArguments;
use super::stored;
use super::terminal::{self, Failure};
use crate::compile::{StubDependency, compile};

/// Writes all generated files of a package.
pub(crate) fn run(arguments: &CompileArguments, imports: &Imports) -> Result<ExitCode, Failure> {
    let package = stored::read_package(&arguments.file)?.with_imports(imports);
    if package.checked.has_errors() {
        terminal::report(&package)?;
        return Ok(ExitCode::from(1));
    }
    let stem = arguments.file.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let name = arguments.name.clone().unwrap_or_else(|| crate_name(&stem));
    let origin =
        arguments.file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let dependency = match &arguments.metricc {
        Some(path) => StubDependency::Path(path.clone()),
        None => StubDependency::Version(env!("CARGO_PKG_VERSION").to_owned()),
    };
    let files = compile(&package, &origin, &name, &dependency)?;
    for file in &files {
        write(&arguments.out.join(&file.path), &file.content)?;
    }
    terminal::note(format!("generated {} files in {}", files.len(), arguments.out.display()));
    Ok(ExitCode::SUCCESS)
}

/// Writes a file if its content differs: an unchanged file keeps its time, so that builds do not rerun.
fn write(path: &Path, content: &str) -> Result<(), Failure> {
    let failed = |error: std::io::Error| Failure::Message(format!("{}: {error}", path.display()));
    if plain_file::read(path, plain_file::MOST_TABLE).is_ok_and(|found| found == content.as_bytes()) {
        return Ok(());
    }
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(failed)?;
    }
    fs::write(path, content).map_err(failed)
}

/// A valid name of a crate.
fn crate_name(stem: &str) -> String {
    let letters = stem
        .chars()
        .map(|letter| if letter.is_ascii_alphanumeric() { letter.to_ascii_lowercase() } else { '-' });
    format!("{}-metrics", letters.collect::<String>().trim_matches('-'))
}
