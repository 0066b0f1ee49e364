//! `metricc check`.

use std::process::ExitCode;

use metricc_dsl::Severity;

use super::arguments::CheckArguments;
use super::stored;
use super::terminal::{self, Failure, MessageFormat, counted, plural};

/// Reports the diagnostics of all files. A file that cannot be read does not stop the check of the others.
pub(crate) fn run(arguments: &CheckArguments) -> Result<ExitCode, Failure> {
    let (mut n_errors, mut n_warnings, mut n_metrics, mut n_unread) = (0, 0, 0, 0);
    for file in &arguments.files {
        let package = match stored::read_package(file) {
            Ok(package) => package,
            Err(error) => {
                if let Failure::Message(message) = Failure::from(error) {
                    terminal::error(&message);
                }
                n_unread += 1;
                continue;
            }
        };
        let diagnostics = &package.checked.diagnostics;
        terminal::diagnostics(diagnostics, &package.text, arguments.message_format)?;
        let errors = diagnostics.iter().filter(|diagnostic| diagnostic.severity == Severity::Error).count();
        n_errors += errors;
        n_warnings += diagnostics.len() - errors;
        n_metrics += package.checked.package.all_metrics().count();
    }
    if arguments.message_format != MessageFormat::Json {
        terminal::note(format!(
            "{}: {n_errors} {}, {n_warnings} {}, {n_metrics} usable {}",
            counted(arguments.files.len() - n_unread, "file checked", "files checked"),
            plural(n_errors, "error", "errors"),
            plural(n_warnings, "warning", "warnings"),
            plural(n_metrics, "metric", "metrics"),
        ));
    }
    Ok(match (n_unread, n_errors) {
        (0, 0) => ExitCode::SUCCESS,
        (0, _) => ExitCode::from(1),
        _ => ExitCode::from(2),
    })
}
