//! A store that speaks S3's protocol, in a process of its own: `moto_server`, if `METRICC_MOTO` names it.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A store with the bucket `shop`.
pub(crate) struct Moto {
    process: Child,
    pub(crate) port: u16,
}

impl Drop for Moto {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Moto {
    #[expect(clippy::print_stderr, reason = "whoever runs the tests should know what was not tested")]
    pub(crate) fn start() -> Option<Self> {
        let Some(program) = std::env::var_os("METRICC_MOTO") else {
            eprintln!(
                "skipped: no store that speaks S3; install `moto[s3,server]` with pip, and name its `moto_server` in \
                 METRICC_MOTO"
            );
            return None;
        };
        let port = TcpListener::bind("127.0.0.1:0").and_then(|at| at.local_addr()).expect("a port").port();
        let process = Command::new(program)
            .args(["-H", "127.0.0.1", "-p", &port.to_string()])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("METRICC_MOTO is a program");
        let moto = Moto { process, port };
        let until = Instant::now() + Duration::from_secs(60);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < until, "moto does not listen at {port}");
            std::thread::sleep(Duration::from_millis(50));
        }
        moto.put("/shop", b"");
        Some(moto)
    }

    /// Sends a request, and gives the answer.
    fn request(&self, method: &str, path: &str, body: &[u8]) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).expect("a connection");
        let n_bytes = body.len();
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nContent-Length: {n_bytes}\r\nConnection: close\r\n\r\n",
            self.port
        )
        .and_then(|()| stream.write_all(body))
        .expect("a request");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).expect("an answer");
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// Writes an object: `/BUCKET/PATH`.
    pub(crate) fn put(&self, path: &str, body: &[u8]) {
        let answer = self.request("PUT", path, body);
        assert!(answer.starts_with("HTTP/1.1 200"), "{path}: {answer}");
    }

    /// What a process needs to reach the store at a port.
    pub(crate) fn environment(port: u16) -> Vec<(&'static str, String)> {
        vec![
            ("AWS_ENDPOINT_URL", format!("http://127.0.0.1:{port}")),
            ("AWS_ALLOW_HTTP", "true".to_owned()),
            ("AWS_ACCESS_KEY_ID", "key".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "secret".to_owned()),
            ("AWS_REGION", "us-east-1".to_owned()),
        ]
    }
}

/// A port behind which the store does not see the condition of a conditional write: like stores that do not
/// know it.
pub(crate) fn without_conditions(port: u16) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let at = listener.local_addr().expect("an address").port();
    std::thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            let Ok(server) = TcpStream::connect(("127.0.0.1", port)) else { return };
            let (Ok(from_server), Ok(to_client)) = (server.try_clone(), client.try_clone()) else { return };
            std::thread::spawn(move || forward(client, server, true));
            std::thread::spawn(move || forward(from_server, to_client, false));
        }
    });
    at
}

fn forward(mut from: TcpStream, mut to: TcpStream, hides_condition: bool) {
    let mut bytes = [0; 65_536];
    while let Ok(n @ 1..) = from.read(&mut bytes) {
        if hides_condition {
            let name = b"if-none-match";
            let found = bytes[..n].windows(name.len()).position(|part| part.eq_ignore_ascii_case(name));
            if let Some(at) = found {
                bytes[at] = b'x';
            }
        }
        if to.write_all(&bytes[..n]).is_err() {
            break;
        }
    }
    // The other direction may have closed it.
    let _ = to.shutdown(std::net::Shutdown::Write);
}

/// A port behind which the store fails now and then: it answers that it is too busy, or breaks off in the
/// middle of an answer. No connection lasts for long.
pub(crate) fn failing(port: u16) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let at = listener.local_addr().expect("an address").port();
    std::thread::spawn(move || {
        for (n, client) in listener.incoming().map_while(Result::ok).enumerate() {
            std::thread::spawn(move || {
                // Others may end the connection first.
                let _ = fail(client, port, [None, Some(100_000), Some(1_500_000)][n % 3]);
            });
        }
    });
    at
}

/// Passes on so many bytes of answers, or says that the store is too busy.
fn fail(mut client: TcpStream, port: u16, most: Option<u64>) -> std::io::Result<()> {
    let Some(most) = most else {
        let mut head = [0; 4096];
        let _ = client.read(&mut head)?;
        return client.write_all(b"HTTP/1.1 503 Slow Down\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    };
    let server = TcpStream::connect(("127.0.0.1", port))?;
    let (from_client, to_server) = (client.try_clone()?, server.try_clone()?);
    std::thread::spawn(move || forward(from_client, to_server, false));
    std::io::copy(&mut server.try_clone()?.take(most), &mut client)?;
    client.shutdown(std::net::Shutdown::Both)?;
    server.shutdown(std::net::Shutdown::Both)
}
