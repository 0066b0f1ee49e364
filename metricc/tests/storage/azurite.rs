//! A store that speaks Azure's protocol, in a process of its own: `azurite-blob`, if `METRICC_AZURITE` names
//! it.

use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A store with the container `shop`.
pub(crate) struct Azurite {
    process: Child,
    port: u16,
}

impl Drop for Azurite {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Azurite {
    #[expect(clippy::print_stderr, reason = "the output of the tests names what was not tested")]
    pub(crate) fn start() -> Option<Self> {
        let Some(program) = std::env::var_os("METRICC_AZURITE") else {
            eprintln!(
                "skipped: no store that speaks Azure's protocol; install `azurite` with npm, and name its \
                 `azurite-blob` in METRICC_AZURITE"
            );
            return None;
        };
        let port = TcpListener::bind("127.0.0.1:0").and_then(|at| at.local_addr()).expect("a port").port();
        let process = Command::new(program)
            .args(["--blobHost", "127.0.0.1", "--blobPort", &port.to_string()])
            .args(["--inMemoryPersistence", "--skipApiVersionCheck", "--silent"])
            .env("AZURITE_ACCOUNTS", "shop:a2V5")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("METRICC_AZURITE is a program");
        let azurite = Azurite { process, port };
        let until = Instant::now() + Duration::from_secs(60);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < until, "azurite does not listen at {port}");
            std::thread::sleep(Duration::from_millis(50));
        }
        azurite.put("shop", b"");
        Some(azurite)
    }

    /// Creates a container, or a blob: `CONTAINER/PATH`.
    pub(crate) fn put(&self, path: &str, body: &[u8]) {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/storage/azure_put.js");
        let mut command = Command::new("node");
        let command = command.arg(script).args([&self.port.to_string(), path]).stdin(Stdio::piped());
        let mut process = command.spawn().expect("node runs, as azurite does");
        process.stdin.take().expect("a pipe").write_all(body).expect("the script reads");
        assert!(process.wait().expect("it ends").success(), "{path} is written");
    }

    /// What a process needs to reach the store.
    pub(crate) fn environment(&self) -> Vec<(&'static str, String)> {
        vec![
            ("AZURE_STORAGE_ENDPOINT", format!("http://127.0.0.1:{}/shop", self.port)),
            ("AZURE_ALLOW_HTTP", "true".to_owned()),
            ("AZURE_STORAGE_ACCOUNT_NAME", "shop".to_owned()),
            ("AZURE_STORAGE_ACCOUNT_KEY", "a2V5".to_owned()),
        ]
    }
}
