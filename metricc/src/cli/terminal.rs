//! The only place that writes to the terminal.

use std::fmt::Display;
use std::io::{IsTerminal, Write};

use metricc_dsl::{Diagnostic, Severity, SourceText, render};

use super::arguments::MessageFormat;
use crate::Package;

/// Why a command stopped.
#[derive(Debug)]
pub(crate) enum Failure {
    /// What to tell the user; exit code 2.
    Message(String),
    /// The reader of stdout has gone; nothing is wrong.
    ClosedPipe,
}

impl<E: std::error::Error> From<E> for Failure {
    fn from(error: E) -> Self {
        let mut message = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            let text = error.to_string();
            if !message.contains(&text) {
                message.push_str(&format!(": {text}"));
            }
            cause = error.source();
        }
        Failure::Message(message)
    }
}

/// Writes data to stdout.
pub(crate) fn data(text: &str) -> Result<(), Failure> {
    bytes(text.as_bytes())
}

/// Writes data that is no text to stdout.
pub(crate) fn bytes(bytes: &[u8]) -> Result<(), Failure> {
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(bytes).and_then(|()| stdout.flush()).map_err(|error| match error.kind() {
        std::io::ErrorKind::BrokenPipe => Failure::ClosedPipe,
        _ => Failure::Message(format!("stdout: {error}")),
    })
}

/// Writes a line for people to stderr.
pub(crate) fn note(text: impl Display) {
    let mut stderr = anstream::stderr().lock();
    // A closed stderr is no reason to stop.
    let _ = writeln!(stderr, "{text}");
}

/// Writes an error to stderr.
pub(crate) fn error(message: &str) {
    note(format!("\u{1b}[1;31merror\u{1b}[0m: {message}"));
}

/// Writes a warning to stderr.
pub(crate) fn warning(message: &str) {
    note(format!("\u{1b}[1;33mwarning\u{1b}[0m: {message}"));
}

/// Writes findings about a file: JSON to stdout, the other forms to stderr.
pub(crate) fn findings(
    diagnostics: &[Diagnostic],
    text: &SourceText,
    format: MessageFormat,
) -> Result<(), Failure> {
    if diagnostics.is_empty() {
        return Ok(());
    }
    match format {
        MessageFormat::Full => {
            let width = if std::io::stderr().is_terminal() { terminal_width() } else { 100 };
            note(render::full(diagnostics, text, true, width).trim_end());
        }
        MessageFormat::Short => note(render::short(diagnostics, text).trim_end()),
        MessageFormat::Json => {
            for record in render::to_json(diagnostics, text) {
                data(&format!("{}\n", serde_json::to_string(&record)?))?;
            }
        }
    }
    Ok(())
}

/// Reports the errors of a package; false if there are any. Warnings are counted only: `check` shows them.
pub(crate) fn report(package: &Package) -> Result<bool, Failure> {
    let (errors, warnings): (Vec<_>, Vec<_>) =
        package.checked.diagnostics.iter().cloned().partition(|found| found.severity == Severity::Error);
    findings(&errors, &package.text, MessageFormat::Full)?;
    if !warnings.is_empty() {
        let (n, name) = (warnings.len(), &package.text.name);
        note(format!(
            "{n} {} in {name}: `metricc check` shows them",
            if n == 1 { "warning" } else { "warnings" }
        ));
    }
    Ok(errors.is_empty())
}

/// Columns of the terminal, as far as known.
pub(crate) fn terminal_width() -> usize {
    std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok()).unwrap_or(100).clamp(40, 200)
}
