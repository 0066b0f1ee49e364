//! `metricc fmt`.

use std::io::Read;
use std::path::Path;
use std::process::ExitCode;

use metricc_dsl::{SourceText, format};
use metricc_ir::plain_file;
use similar::TextDiff;

use super::arguments::FmtArguments;
use super::terminal::{self, Failure, MessageFormat, counted};

/// The result for one file.
enum Outcome {
    Unchanged,
    Changed,
    /// The file has syntax errors, which have been reported.
    Invalid,
}

/// Formats all files. A file that cannot be read does not stop the others.
pub(crate) fn run(arguments: &FmtArguments) -> Result<ExitCode, Failure> {
    let (mut n_changed, mut n_invalid, mut n_failed) = (0, 0, 0);
    for file in &arguments.files {
        match file_outcome(file, arguments) {
            Ok(Outcome::Unchanged) => {}
            Ok(Outcome::Changed) => n_changed += 1,
            Ok(Outcome::Invalid) => n_invalid += 1,
            Err(Failure::Message(message)) => {
                terminal::error(&message);
                n_failed += 1;
            }
            Err(closed) => return Err(closed),
        }
    }
    let is_dry_run = arguments.check || arguments.diff;
    if !is_stdin(&arguments.files[0]) {
        let would = if is_dry_run { "would change" } else { "changed" };
        terminal::note(format!("{}, {n_changed} {would}", counted(arguments.files.len(), "file", "files")));
    }
    Ok(match n_failed {
        0 if n_invalid > 0 || (is_dry_run && n_changed > 0) => ExitCode::from(1),
        0 => ExitCode::SUCCESS,
        _ => ExitCode::from(2),
    })
}

fn is_stdin(file: &Path) -> bool {
    file.as_os_str() == "-"
}

fn file_outcome(file: &Path, arguments: &FmtArguments) -> Result<Outcome, Failure> {
    let text = read(file)?;
    let formatted = match format(&text) {
        Ok(formatted) => formatted,
        Err(found) => {
            terminal::diagnostics(&found, &text, MessageFormat::Full)?;
            return Ok(Outcome::Invalid);
        }
    };
    let is_same = formatted.as_bytes() == text.bytes;
    if arguments.diff {
        terminal::data(&difference(&text, &formatted))?;
    }
    if arguments.check && !is_same {
        terminal::note(format!("{} is not formatted: run `metricc fmt {0}`", text.name));
    }
    if !(arguments.check || arguments.diff) {
        if is_stdin(file) {
            terminal::data(&formatted)?;
        } else if !is_same {
            write(file, &formatted)?;
        }
    }
    Ok(if is_same { Outcome::Unchanged } else { Outcome::Changed })
}

fn read(file: &Path) -> Result<SourceText, Failure> {
    if is_stdin(file) {
        let mut bytes = Vec::new();
        let read = std::io::stdin().lock().read_to_end(&mut bytes);
        read.map_err(|error| Failure::Message(format!("stdin: {error}")))?;
        return Ok(SourceText { name: "stdin".to_owned(), bytes });
    }
    let name = file.display().to_string();
    let bytes = plain_file::read(file, plain_file::MOST_TEXT)
        .map_err(|error| Failure::Message(format!("{name}: {error}")))?;
    Ok(SourceText { name, bytes })
}

/// Replaces the file atomically: after a crash there is the old or the new content. A link stays a link.
fn write(file: &Path, text: &str) -> Result<(), Failure> {
    let failed = |error: std::io::Error| Failure::Message(format!("{}: {error}", file.display()));
    let target = file.canonicalize().map_err(failed)?;
    let folder = target.parent().unwrap_or(Path::new("."));
    let mut temporary = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
    std::io::Write::write_all(&mut temporary, text.as_bytes()).map_err(failed)?;
    let permissions = std::fs::metadata(&target).map_err(failed)?.permissions();
    temporary.as_file().set_permissions(permissions).map_err(failed)?;
    temporary.persist(&target).map_err(|error| failed(error.error))?;
    Ok(())
}

fn difference(text: &SourceText, formatted: &str) -> String {
    let before = String::from_utf8_lossy(&text.bytes);
    let diff = TextDiff::from_lines(before.as_ref(), formatted);
    diff.unified_diff().header(&text.name, &format!("{} (formatted)", text.name)).to_string()
}
