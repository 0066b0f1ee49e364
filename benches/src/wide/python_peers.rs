//! Engines that are Python packages. Each runs in a process of its own, which is asked line by line.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use crate::data::FileKind;
use crate::questions::Question;
use crate::{Failure, Peer};

/// The program of those processes.
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/peers.py");

/// A process of one engine.
pub(crate) struct PythonPeer {
    /// Its name and version, or that it is not installed.
    name: String,
    process: Option<Process>,
}

struct Process {
    child: Child,
    asked: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl PythonPeer {
    /// Starts an engine; one that does not start is not installed.
    pub(crate) fn start(engine: &str) -> Self {
        match Process::start(engine) {
            Some((name, process)) => PythonPeer { name, process: Some(process) },
            None => PythonPeer { name: format!("{engine} (not installed)"), process: None },
        }
    }
}

impl Process {
    fn start(engine: &str) -> Option<(String, Self)> {
        let python = std::env::var("PEERS_PYTHON").unwrap_or_else(|_| "python3".to_owned());
        let mut command = Command::new(python);
        command.args([SCRIPT, engine]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().ok()?;
        let (asked, answers) = (child.stdin.take()?, BufReader::new(child.stdout.take()?));
        let mut process = Process { child, asked, answers };
        let name = process.line().ok()?;
        (!name.is_empty()).then_some((name, process))
    }

    fn line(&mut self) -> Result<String, Failure> {
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        Ok(line.trim().to_owned())
    }
}

impl Peer for PythonPeer {
    fn name(&self) -> &str {
        &self.name
    }

    fn run(&mut self, question: &Question, kind: FileKind, files: &Path) -> Result<Option<f64>, Failure> {
        let Some(process) = &mut self.process else { return Ok(None) };
        writeln!(process.asked, "{}\t{}\t{}", question.name, kind.name(), files.display())?;
        let answer = process.line()?;
        match answer.strip_prefix("cannot ") {
            Some(_) => Ok(None),
            None => Ok(Some(answer.parse().map_err(|_| format!("{}: {answer}", self.name))?)),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It ends by itself with its input; what is left of it is of no interest.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
