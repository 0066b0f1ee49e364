//! Writing to stdout and stderr. No other module does.
//!
//! Names, values and messages may come from strangers. What would act on a terminal is written as an escape:
//! always on stderr and in tables, and in all data if stdout is a terminal.

use std::fmt::Display;
use std::io::{IsTerminal, Write};

use clap::ValueEnum;
use metricc_client::{ServingError, node_of, problem};
use metricc_dsl::{Diagnostic, Severity, SourceText, render};
pub(crate) use metricc_ir::text::{counted, plural};
use metricc_ir::text::{visible, visible_lines};
use metricc_jobs::JobError;
use metricc_log::LogError;
use metricc_node::NodeError;
use metricc_runtime_serve::WriteError;
use metricc_runtime_stream::PeerError;

use crate::{Package, PackageError};

/// How diagnostics are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum MessageFormat {
    /// With source lines
    Full,
    /// One line per diagnostic
    Short,
    /// One JSON object per diagnostic, on stdout
    Json,
}

/// The exit code if the same command may succeed later: a node cannot answer yet, or a process has lost
/// another one.
pub(crate) const NOT_NOW: u8 = 3;

/// Why a command stopped.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Error message; exit code 2.
    Message(String),
    /// Error message; exit code [`NOT_NOW`].
    NotNow(String),
    /// The reader of stdout closed the pipe, which is not an error.
    ClosedPipe,
}

/// The messages of the error and of its causes, and the help of the first of them that has one. A cause whose
/// message its parent already contains is left out: errors of other libraries often include their causes.
impl<E: std::error::Error + 'static> From<E> for Failure {
    fn from(error: E) -> Self {
        if let Some(error) = (&error as &(dyn std::error::Error + 'static)).downcast_ref::<reqwest::Error>() {
            let node = error.url().map(|url| format!("{}: ", node_of(url))).unwrap_or_default();
            return Failure::Message(format!("{node}{}", problem(error)));
        }
        let mut message = error.to_string();
        let mut help = help(&error);
        let mut cause = error.source();
        while let Some(error) = cause {
            let text = error.to_string();
            if !message.contains(&text) {
                message.push_str(&format!(": {text}"));
            }
            help = help.or_else(|| self::help(error));
            cause = error.source();
        }
        if let Some(help) = help {
            message.push_str(&format!("\n  help: {help}"));
        }
        match (&error as &(dyn std::error::Error + 'static)).downcast_ref::<ServingError>() {
            Some(error) => Failure::of_node(error, &message),
            None => Failure::Message(message),
        }
    }
}

impl Failure {
    /// The same failure, with what helps.
    pub(crate) fn with_help(self, help: &str) -> Self {
        let with = |message: String| format!("{message}\n  help: {help}");
        match self {
            Failure::Message(message) => Failure::Message(with(message)),
            Failure::NotNow(message) => Failure::NotNow(with(message)),
            Failure::ClosedPipe => Failure::ClosedPipe,
        }
    }

    /// The failure of a request to a node, with another text than that of the error.
    pub(crate) fn of_node(error: &ServingError, message: &str) -> Self {
        let make = if error.is_temporary() { Failure::NotNow } else { Failure::Message };
        make(message.to_owned())
    }
}

/// How to solve the problem, if the error knows.
fn help(error: &(dyn std::error::Error + 'static)) -> Option<String> {
    let package = error.downcast_ref::<PackageError>().and_then(PackageError::help);
    let node = || error.downcast_ref::<NodeError>().and_then(NodeError::help);
    let log = || error.downcast_ref::<LogError>().and_then(LogError::help);
    let job = || error.downcast_ref::<JobError>().and_then(JobError::help);
    let peer = || error.downcast_ref::<PeerError>().map(PeerError::help);
    let too_many = || match error.downcast_ref::<ServingError>()? {
        // Pages help only where the node can make them without the whole answer.
        ServingError::TooManyRows { help, .. } if help.contains("in pages") => {
            Some("`metricc query --page N` reads pages of N rows".to_owned())
        }
        _ => None,
    };
    package.or_else(node).or_else(log).or_else(job).or_else(peer).or_else(|| cluster(error)).or_else(too_many)
}

#[cfg(feature = "cluster")]
fn cluster(error: &(dyn std::error::Error + 'static)) -> Option<String> {
    error.downcast_ref::<metricc_cluster::ClusterError>()?.help().map(str::to_owned)
}

#[cfg(not(feature = "cluster"))]
fn cluster(_: &(dyn std::error::Error + 'static)) -> Option<String> {
    None
}

/// A hash for people: its first twelve digits, unless they want all.
pub(crate) fn hash(hash: &str, is_full: bool) -> &str {
    if is_full { hash } else { hash.get(..12).unwrap_or(hash) }
}

/// Writes text to stdout: as it is to a file or a pipe.
pub(crate) fn data(text: &str) -> Result<(), Failure> {
    if std::io::stdout().is_terminal() {
        return bytes(visible_lines(text).as_bytes());
    }
    bytes(text.as_bytes())
}

/// Writes binary data to stdout.
pub(crate) fn bytes(bytes: &[u8]) -> Result<(), Failure> {
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(bytes).and_then(|()| stdout.flush()).map_err(of_stdout)
}

/// What an error of stdout means.
pub(crate) fn of_stdout(error: impl Into<WriteError>) -> Failure {
    match error.into() {
        WriteError::Output(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Failure::ClosedPipe,
        WriteError::Output(error) => Failure::Message(format!("stdout: {error}")),
        error => Failure::from(error),
    }
}

/// Stdout as a writer of whole lines, or of binary data. A terminal shows the former as text alone.
pub(crate) struct Stdout;

impl Write for Stdout {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let mut stdout = std::io::stdout().lock();
        match std::str::from_utf8(bytes) {
            Ok(text) if stdout.is_terminal() => stdout.write_all(visible_lines(text).as_bytes())?,
            _ => stdout.write_all(bytes)?,
        }
        stdout.flush()?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        std::io::stdout().flush()
    }
}

/// Writes lines of text to stderr.
pub(crate) fn note(text: impl Display) {
    styled(visible_lines(&text.to_string()));
}

/// Writes lines to stderr that have colors of this program, and nothing else that acts on a terminal.
fn styled(text: impl Display) {
    let mut stderr = anstream::stderr().lock();
    // The command goes on if stderr is closed.
    let _ = writeln!(stderr, "{text}");
}

/// Writes an error to stderr.
pub(crate) fn error(message: &str) {
    styled(format!("\u{1b}[1;31merror\u{1b}[0m: {}", visible_lines(message)));
}

/// Writes a warning to stderr.
pub(crate) fn warning(message: &str) {
    styled(format!("\u{1b}[1;33mwarning\u{1b}[0m: {}", visible_lines(message)));
}

/// Writes the diagnostics of a file: JSON to stdout, text to stderr.
pub(crate) fn diagnostics(
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
            styled(render::full(diagnostics, text, true, width).trim_end());
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

/// Reports the errors of a package, and the number of its warnings. Returns whether the package has no
/// errors.
pub(crate) fn report(package: &Package) -> Result<bool, Failure> {
    let (errors, warnings): (Vec<_>, Vec<_>) = package
        .checked
        .diagnostics
        .iter()
        .cloned()
        .partition(|diagnostic| diagnostic.severity == Severity::Error);
    diagnostics(&errors, &package.text, MessageFormat::Full)?;
    if !warnings.is_empty() {
        let (n, name) = (warnings.len(), &package.text.name);
        note(format!(
            "{n} {} in {name}: `metricc check` shows them",
            if n == 1 { "warning" } else { "warnings" }
        ));
    }
    Ok(errors.is_empty())
}

/// Width of the terminal in columns: `COLUMNS`, or 100.
pub(crate) fn terminal_width() -> usize {
    std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok()).unwrap_or(100).clamp(40, 200)
}

/// A writer for the lines of a log: one event per call, which ends with a line feed.
pub(crate) struct LogLines;

impl Write for LogLines {
    fn write(&mut self, event: &[u8]) -> std::io::Result<usize> {
        let text = String::from_utf8_lossy(event);
        let line = text.strip_suffix('\n').unwrap_or(&text);
        writeln!(std::io::stderr(), "{}", visible(line))?;
        Ok(event.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        std::io::stderr().flush()
    }
}
