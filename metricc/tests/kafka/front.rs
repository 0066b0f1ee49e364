//! Listeners of a broker that have TLS and logins by SASL, which brokers of tests do not have: `front.py`, if
//! there are Python and OpenSSL, which `METRICC_PYTHON` and `METRICC_OPENSSL` may name.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

/// The programs that listeners and certificates need.
pub(crate) struct Programs {
    python: PathBuf,
    openssl: PathBuf,
}

impl Programs {
    /// Those of this machine; `None` if one is missing.
    #[expect(clippy::print_stderr, reason = "whoever runs the tests should know what was not tested")]
    pub(crate) fn find() -> Option<Self> {
        let find = |variable: &str, name: &str| match std::env::var_os(variable) {
            Some(program) => Some(PathBuf::from(program)),
            None => {
                let path = std::env::var_os("PATH").unwrap_or_default();
                std::env::split_paths(&path).map(|folder| folder.join(name)).find(|program| program.exists())
            }
        };
        let (python, openssl) = (find("METRICC_PYTHON", "python3"), find("METRICC_OPENSSL", "openssl"));
        let programs = python.zip(openssl).map(|(python, openssl)| Programs { python, openssl });
        if programs.is_none() {
            eprintln!("skipped: TLS and logins of brokers; install `python3` and `openssl`");
        }
        programs
    }

    /// Makes `NAME-ca.pem`, and `NAME.pem` with its key, which it has issued to a host.
    pub(crate) fn certify(&self, folder: &Path, name: &str, host: &str) {
        let openssl = |arguments: &[&str]| {
            let output = Command::new(&self.openssl).current_dir(folder).args(arguments).output();
            let output = output.expect("METRICC_OPENSSL is a program");
            assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        };
        let file = |suffix: &str| format!("{name}{suffix}");
        let (ca, ca_key, key) = (file("-ca.pem"), file("-ca.key"), file(".key"));
        let (request, extensions, certificate) = (file(".csr"), file(".ext"), file(".pem"));
        let new_key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout"];
        let (issuer, subject) = (format!("/CN=issuer of {name}"), format!("/CN={name}"));
        let issue =
            [&["req", "-x509", "-days", "2", "-subj", &issuer], &new_key[..], &[&ca_key, "-out", &ca]];
        openssl(&issue.concat());
        let ask = [&["req", "-subj", &subject], &new_key[..], &[&key, "-out", &request]];
        openssl(&ask.concat());
        let text = format!("subjectAltName={host}\nbasicConstraints=CA:FALSE\n");
        std::fs::write(folder.join(&extensions), text).expect("a file");
        let sign = ["x509", "-req", "-days", "2", "-set_serial", "1", "-in", &request, "-CA", &ca];
        openssl(&[&sign[..], &["-CAkey", &ca_key, "-extfile", &extensions, "-out", &certificate]].concat());
    }
}

/// Who is let in, and how.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Login {
    /// By its name in the protocol.
    pub(crate) mechanism: &'static str,
    pub(crate) user: &'static str,
    pub(crate) password: &'static str,
}

fn add_certificate(settings: &mut Value, folder: &Path, name: &str) {
    let file = |suffix: &str| Value::from(folder.join(format!("{name}{suffix}")).to_str());
    (settings["certificate"], settings["key"]) = (file(".pem"), file(".key"));
}

fn port_of(address: &str) -> u16 {
    address.rsplit(':').next().and_then(|port| port.parse().ok()).expect("a port")
}

/// A listener of a broker.
pub(crate) struct Front {
    process: Child,
    pub(crate) brokers: String,
}

impl Drop for Front {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Front {
    /// With the certificate of a name, which [`Programs::certify`] has made, and a login.
    pub(crate) fn start(
        programs: &Programs,
        brokers: &str,
        certificate: Option<(&Path, &str)>,
        login: Option<Login>,
    ) -> Self {
        let mut settings = json!({ "port": port_of(brokers) });
        if let Some((folder, name)) = certificate {
            add_certificate(&mut settings, folder, name);
        }
        if let Some(Login { mechanism, user, password }) = login {
            settings["mechanism"] = mechanism.into();
            settings["user"] = user.into();
            settings["password"] = password.into();
        }
        Front::run(programs, &settings)
    }

    /// With the certificate of `name`, for clients alone that show one which `clients` has issued.
    pub(crate) fn of_certified(
        programs: &Programs,
        brokers: &str,
        (folder, name): (&Path, &str),
        clients: &str,
    ) -> Self {
        let mut settings = json!({ "port": port_of(brokers) });
        add_certificate(&mut settings, folder, name);
        settings["client_ca"] = folder.join(format!("{clients}-ca.pem")).to_str().into();
        Front::run(programs, &settings)
    }

    /// Before a web server, with the certificate of a name.
    pub(crate) fn of_web(programs: &Programs, address: &str, (folder, name): (&Path, &str)) -> Self {
        let mut settings = json!({ "port": port_of(address), "http": true });
        add_certificate(&mut settings, folder, name);
        Front::run(programs, &settings)
    }

    fn run(programs: &Programs, settings: &Value) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/kafka/front.py");
        let mut process = Command::new(&programs.python)
            .arg(script)
            .arg(settings.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("METRICC_PYTHON is a program");
        let mut port = String::new();
        let mut said = BufReader::new(process.stdout.take().expect("a pipe"));
        said.read_line(&mut port).expect("it says its port");
        let brokers = format!("127.0.0.1:{}", port.trim());
        assert!(brokers.parse::<std::net::SocketAddr>().is_ok(), "front.py listens: {port}");
        Front { process, brokers }
    }
}
