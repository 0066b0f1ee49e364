//! A PostgreSQL server of a test.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::{free_port, until};

pub(crate) struct Postgres {
    bin: PathBuf,
    folder: tempfile::TempDir,
    pub(crate) port: u16,
    process: Option<Child>,
    /// More settings of the server.
    settings: Vec<String>,
}

/// The folder of its programs.
#[expect(clippy::print_stderr, reason = "the output of the tests names what was not tested")]
fn programs() -> Option<PathBuf> {
    if let Some(bin) = std::env::var_os("METRICC_POSTGRES") {
        let bin = PathBuf::from(bin);
        assert!(bin.join("postgres").exists(), "METRICC_POSTGRES is the folder of `postgres`");
        return Some(bin);
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let installed = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut folders = std::env::split_paths(&path).chain(installed.map(|found| found.path().join("bin")));
    let found = folders.find(|bin| bin.join("postgres").exists() && bin.join("initdb").exists());
    if found.is_none() {
        eprintln!(
            "skipped: no PostgreSQL server; install `postgresql`, or name its programs in METRICC_POSTGRES"
        );
    }
    found
}

fn run(command: &mut Command) {
    let output = command.output().expect("the program runs");
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

impl Postgres {
    /// A server, if there is one on this machine.
    pub(crate) fn start() -> Option<Self> {
        let bin = programs()?;
        let folder = tempfile::tempdir().expect("a folder");
        let mut server = Postgres { bin, folder, port: free_port(), process: None, settings: Vec::new() };
        let data = server.data();
        std::fs::create_dir(&data).expect("the data folder");
        if is_root() {
            run(Command::new("chmod").arg("755").arg(server.folder.path()));
            run(Command::new("chown").arg("postgres").arg(&data));
        }
        run(server
            .program("initdb")
            .args(["-A", "trust", "-U", "postgres", "-E", "UTF8", "--no-sync", "-D"])
            .arg(&data));
        server.launch();
        Some(server)
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// PostgreSQL refuses to run as root.
    fn program(&self, name: &str) -> Command {
        let program = self.bin.join(name);
        if !is_root() {
            return Command::new(program);
        }
        let mut command = Command::new("setpriv");
        command
            .args(["--reuid=postgres", "--regid=postgres", "--clear-groups"])
            .arg(program)
            .current_dir("/");
        command
    }

    pub(crate) fn launch(&mut self) {
        let mut command = self.program("postgres");
        command.arg("-D").arg(self.data()).args(["-p", &self.port.to_string()]);
        command.args([
            "-c",
            "listen_addresses=127.0.0.1",
            "-c",
            "unix_socket_directories=",
            "-c",
            "fsync=off",
        ]);
        command.args(self.settings.iter().flat_map(|setting| ["-c", setting.as_str()]));
        let process = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        self.process = Some(process.expect("the server starts"));
        until("PostgreSQL answers", || self.query("SELECT 1").is_some());
    }

    /// From its next start on, it has a certificate, and other users than `postgres` are let in over TLS with
    /// their password alone.
    pub(crate) fn secure(&mut self, certificate: &Path, key: &Path) {
        let own = |from: &Path, name: &str| {
            let to = self.data().join(name);
            std::fs::copy(from, &to).expect("a copy");
            run(Command::new("chmod").arg("600").arg(&to));
            if is_root() {
                run(Command::new("chown").arg("postgres").arg(&to));
            }
        };
        own(certificate, "broker.pem");
        own(key, "broker.key");
        let rules = "host all postgres 127.0.0.1/32 trust\nhostssl all all 127.0.0.1/32 scram-sha-256\n";
        std::fs::write(self.data().join("pg_hba.conf"), rules).expect("the rules");
        let settings = ["ssl=on", "ssl_cert_file=broker.pem", "ssl_key_file=broker.key"];
        self.settings = settings.map(str::to_owned).to_vec();
    }

    /// As a crash: nothing is finished.
    pub(crate) fn stop_at_once(&mut self) {
        if let Some(mut process) = self.process.take() {
            // It may have ended.
            let _ = Command::new("kill").args(["-QUIT", &process.id().to_string()]).status();
            let _ = process.wait();
        }
    }

    /// What a statement prints; `None` if it fails.
    pub(crate) fn query(&self, statement: &str) -> Option<String> {
        let output = Command::new(self.bin.join("psql"))
            .args([
                "-h",
                "127.0.0.1",
                "-p",
                &self.port.to_string(),
                "-U",
                "postgres",
                "-XAtq",
                "-c",
                statement,
            ])
            .current_dir(Path::new("/"))
            .output()
            .expect("psql runs");
        let is_done = output.status.success();
        is_done.then(|| String::from_utf8(output.stdout).expect("text").trim().to_owned())
    }

    /// Begins statements that take long.
    pub(crate) fn spawn(&self, statements: &str) -> Child {
        let mut command = Command::new(self.bin.join("psql"));
        command.args([
            "-h",
            "127.0.0.1",
            "-p",
            &self.port.to_string(),
            "-U",
            "postgres",
            "-XAtq",
            "-c",
            statements,
        ]);
        command
            .current_dir(Path::new("/"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("psql runs")
    }

    pub(crate) fn settings(&self) -> String {
        format!("url = \"postgres://postgres@127.0.0.1:{}/postgres\"\n", self.port)
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.stop_at_once();
    }
}

fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout == b"0\n")
}
