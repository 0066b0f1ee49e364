//! A Redis server of a test, and a client of its protocol.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::{free_port, until};

pub(crate) struct Redis {
    program: PathBuf,
    folder: tempfile::TempDir,
    pub(crate) port: u16,
    process: Option<Child>,
    /// More arguments of the server.
    arguments: Vec<String>,
}

#[expect(clippy::print_stderr, reason = "the output of the tests names what was not tested")]
fn program() -> Option<PathBuf> {
    if let Some(program) = std::env::var_os("METRICC_REDIS") {
        let program = PathBuf::from(program);
        assert!(program.exists(), "METRICC_REDIS is `redis-server`");
        return Some(program);
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut programs = std::env::split_paths(&path).map(|folder| folder.join("redis-server"));
    let found = programs.find(|program| program.exists());
    if found.is_none() {
        eprintln!("skipped: no Redis server; install `redis-server`, or name it in METRICC_REDIS");
    }
    found
}

/// An answer of the server.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Answer {
    Null,
    Text(String),
    Number(i64),
    List(Vec<Answer>),
}

impl Answer {
    pub(crate) fn text(self) -> Option<String> {
        match self {
            Answer::Text(text) => Some(text),
            _ => None,
        }
    }
}

fn answer(from: &mut impl BufRead) -> std::io::Result<Answer> {
    let mut line = String::new();
    from.read_line(&mut line)?;
    let (kind, rest) = line.trim_end().split_at_checked(1).ok_or(std::io::ErrorKind::UnexpectedEof)?;
    let number = rest.parse::<i64>();
    match (kind, number) {
        ("$" | "*", Ok(-1)) => Ok(Answer::Null),
        ("$", Ok(n)) => {
            let mut bytes = vec![0; usize::try_from(n).expect("a length") + 2];
            from.read_exact(&mut bytes)?;
            bytes.truncate(bytes.len() - 2);
            Ok(Answer::Text(String::from_utf8(bytes).expect("text")))
        }
        ("*", Ok(n)) => Ok(Answer::List((0..n).map(|_| answer(from)).collect::<std::io::Result<_>>()?)),
        (":", Ok(n)) => Ok(Answer::Number(n)),
        _ => Ok(Answer::Text(format!("{kind}{rest}"))),
    }
}

impl Redis {
    /// A server, if there is one on this machine, that keeps each change on its disk at once.
    pub(crate) fn start() -> Option<Self> {
        let folder = tempfile::tempdir().expect("a folder");
        let (port, arguments) = (free_port(), Vec::new());
        let mut server = Redis { program: program()?, folder, port, process: None, arguments };
        server.launch();
        Some(server)
    }

    pub(crate) fn launch(&mut self) {
        let process = Command::new(&self.program)
            .args(["--port", &self.port.to_string(), "--bind", "127.0.0.1", "--save", ""])
            .args(["--appendonly", "yes", "--appendfsync", "always", "--requirepass", "right", "--dir"])
            .arg(self.folder.path())
            .args(&self.arguments)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        self.process = Some(process.expect("the server starts"));
        until("Redis answers", || {
            self.ask(&[&["PING"]]).is_some_and(|answers| answers[0].clone().text() == Some("+PONG".into()))
        });
    }

    /// Removes its data.
    pub(crate) fn forget(&self) {
        for entry in std::fs::read_dir(self.folder.path()).expect("its folder").flatten() {
            std::fs::remove_dir_all(entry.path())
                .or_else(|_| std::fs::remove_file(entry.path()))
                .expect("removed");
        }
    }

    /// From its next start on, it also listens with TLS, at the port that is returned.
    pub(crate) fn secure(&mut self, certificate: &Path, key: &Path) -> u16 {
        let (port, file) = (free_port(), |path: &Path| path.to_str().expect("text").to_owned());
        let others = ["--tls-auth-clients", "no", "--tls-port", &port.to_string()].map(str::to_owned);
        let files = ["--tls-cert-file".to_owned(), file(certificate), "--tls-key-file".to_owned(), file(key)];
        self.arguments = [files, others].concat();
        port
    }

    pub(crate) fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            // It may have ended.
            let _ = process.kill();
            let _ = process.wait();
        }
    }

    /// The answers to some commands on one connection; `None` if the server is away.
    pub(crate) fn ask(&self, commands: &[&[&str]]) -> Option<Vec<Answer>> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).ok()?;
        let mut text = String::new();
        for command in [&["AUTH", "right"][..]].iter().chain(commands) {
            text += &format!("*{}\r\n", command.len());
            command.iter().for_each(|word| text += &format!("${}\r\n{word}\r\n", word.len()));
        }
        stream.write_all(text.as_bytes()).ok()?;
        let mut reader = BufReader::new(stream);
        let answers = (0..=commands.len()).map(|_| answer(&mut reader));
        Some(answers.collect::<std::io::Result<Vec<_>>>().ok()?.split_off(1))
    }

    pub(crate) fn settings(&self) -> String {
        format!("url = \"redis://127.0.0.1:{}\"\npassword = \"env:SINK_SECRET\"\n", self.port)
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.kill();
    }
}
