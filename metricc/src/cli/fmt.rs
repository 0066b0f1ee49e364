//! `metricc fmt`.

use std::io::Read;
use std::path::Path;
use std::process::ExitCode;

use metricc_dsl::{SourceText, format};
use similar::TextDiff;

use super::arguments::{FmtArguments, MessageFormat};
use super::check::counted;
use super::terminal::{self, Failure};

/// What became of a file.
enum Outcome {
    Same,
    Changed,
    /// It cannot be laid out; the reason has been reported.
    Unreadable,
}

/// Lays out all files; one that cannot be read does not keep the others from it.
pub(crate) fn run(arguments: &FmtArguments) -> Result<ExitCode, Failure> {
    let (mut n_changed, mut n_unreadable, mut n_failed) = (0, 0, 0);
    for file in &arguments.files {
        match file_outcome(file, arguments) {
            Ok(Outcome::Same) => {}
            Ok(Outcome::Changed) => n_changed += 1,
            Ok(Outcome::Unreadable) => n_unreadable += 1,
            Err(Failure::Message(message)) => {
                terminal::error(&message);
                n_failed += 1;
            }
            Err(closed) => return Err(closed),
        }
    }
    let is_kept = arguments.check || arguments.diff;
    if !is_stdin(&arguments.files[0]) {
        let would = if is_kept { "would change" } else { "changed" };
        terminal::note(format!("{}, {n_changed} {would}", counted(arguments.files.len(), "file", "files")));
    }
    Ok(match n_failed {
        0 if n_unreadable > 0 || (is_kept && n_changed > 0) => ExitCode::from(1),
        0 => ExitCode::SUCCESS,
        _ => ExitCode::from(2),
    })
}

fn is_stdin(file: &Path) -> bool {
    file.as_os_str() == "-"
}

fn file_outcome(file: &Path, arguments: &FmtArguments) -> Result<Outcome, Failure> {
    let text = read(file)?;
    let laid_out = match format(&text) {
        Ok(laid_out) => laid_out,
        Err(found) => {
            terminal::findings(&found, &text, MessageFormat::Full)?;
            return Ok(Outcome::Unreadable);
        }
    };
    let is_same = laid_out.as_bytes() == text.bytes;
    if arguments.diff {
        terminal::data(&difference(&text, &laid_out))?;
    }
    if arguments.check && !is_same {
        terminal::note(format!("{} is not laid out: `metricc fmt` changes it", text.name));
    }
    if !(arguments.check || arguments.diff) {
        if is_stdin(file) {
            terminal::data(&laid_out)?;
        } else if !is_same {
            write(file, &laid_out)?;
        }
    }
    Ok(if is_same { Outcome::Same } else { Outcome::Changed })
}

fn read(file: &Path) -> Result<SourceText, Failure> {
    if is_stdin(file) {
        let mut bytes = Vec::new();
        let read = std::io::stdin().lock().read_to_end(&mut bytes);
        read.map_err(|error| Failure::Message(format!("stdin: {error}")))?;
        return Ok(SourceText { name: "stdin".to_owned(), bytes });
    }
    let name = file.display().to_string();
    let bytes = std::fs::read(file).map_err(|error| Failure::Message(format!("{name}: {error}")))?;
    Ok(SourceText { name, bytes })
}

/// Replaces the file as a whole: a crash leaves the old one or the new one. A link stays a link.
fn write(file: &Path, text: &str) -> Result<(), Failure> {
    let failed = |error: std::io::Error| Failure::Message(format!("{}: {error}", file.display()));
    let place = file.canonicalize().map_err(failed)?;
    let folder = place.parent().unwrap_or(Path::new("."));
    let mut beside = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
    std::io::Write::write_all(&mut beside, text.as_bytes()).map_err(failed)?;
    let permissions = std::fs::metadata(&place).map_err(failed)?.permissions();
    beside.as_file().set_permissions(permissions).map_err(failed)?;
    beside.persist(&place).map_err(|error| failed(error.error))?;
    Ok(())
}

fn difference(text: &SourceText, laid_out: &str) -> String {
    let before = String::from_utf8_lossy(&text.bytes);
    let diff = TextDiff::from_lines(before.as_ref(), laid_out);
    diff.unified_diff().header(&text.name, &format!("{} (laid out)", text.name)).to_string()
}
