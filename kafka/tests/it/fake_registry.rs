//! A schema registry of tests: plain HTTP on the loopback address, with schemas and faults that the test
//! sets.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::{Value, json};

/// What the registry answers, and what it was asked.
#[derive(Debug, Default)]
pub(crate) struct State {
    /// The answers by path.
    answers: BTreeMap<String, Value>,
    /// The status of the next answers, whatever is asked.
    pub(crate) faults: Vec<u16>,
    /// Whether it answers all paths with 404 and a page.
    pub(crate) is_other: bool,
    /// What requests have to say in `Authorization`.
    pub(crate) wants: Option<String>,
    /// The paths of all requests.
    pub(crate) asked: Vec<String>,
}

/// It ends when it is dropped.
#[derive(Debug)]
pub(crate) struct FakeRegistry {
    pub(crate) url: String,
    state: Arc<Mutex<State>>,
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for FakeRegistry {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        self.thread.take().into_iter().for_each(|thread| drop(thread.join()));
    }
}

/// A port that is free now.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|at| at.local_addr()).expect("a port").port()
}

impl FakeRegistry {
    pub(crate) fn start(port: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).expect("the port is free");
        listener.set_nonblocking(true).expect("a listener that can be stopped");
        let (state, is_over) = (Arc::<Mutex<State>>::default(), Arc::<AtomicBool>::default());
        let (shared, over) = (state.clone(), is_over.clone());
        let thread = std::thread::spawn(move || {
            while !over.load(Ordering::Relaxed) {
                match listener.accept() {
                    Ok((stream, _)) => answer(&stream, &shared),
                    Err(_) => std::thread::sleep(Duration::from_millis(2)),
                }
            }
        });
        FakeRegistry { url: format!("http://127.0.0.1:{port}"), state, is_over, thread: Some(thread) }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has a schema under an id, or as version 1 of a subject. References are names and subjects.
    pub(crate) fn add(&self, place: &str, ty: &str, schema: &str, references: &[(&str, &str)]) {
        let path = match place.parse::<u32>() {
            Ok(id) => format!("/schemas/ids/{id}"),
            Err(_) => format!("/subjects/{place}/versions/1?deleted=true"),
        };
        self.state().answers.insert(path, body(ty, schema, references));
    }
}

fn body(ty: &str, schema: &str, references: &[(&str, &str)]) -> Value {
    let reference = |(name, subject): &(&str, &str)| json!({"name": name, "subject": subject, "version": 1});
    let references: Vec<Value> = references.iter().map(reference).collect();
    let mut body = json!({"schema": schema, "references": references});
    // Avro is what a schema is without a type.
    if ty != "AVRO" {
        body["schemaType"] = ty.into();
    }
    body
}

fn answer(stream: &TcpStream, state: &Mutex<State>) {
    stream.set_nonblocking(false).expect("a stream that waits");
    let mut lines = BufReader::new(stream.take(1 << 16)).lines().map_while(Result::ok);
    let path = lines.next().and_then(|line| line.split(' ').nth(1).map(str::to_owned)).unwrap_or_default();
    let head: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
    let said = head
        .iter()
        .find_map(|line| line.to_ascii_lowercase().starts_with("authorization:").then(|| line[14..].trim()));
    let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
    state.asked.push(path.clone());
    let fault = (!state.faults.is_empty()).then(|| state.faults.remove(0));
    let (status, body) = match (fault, state.answers.get(&path)) {
        (Some(status), _) => (status, json!({"error_code": 50001, "message": "a fault"}).to_string()),
        _ if state.is_other => (404, "<h1>not found</h1>".to_owned()),
        _ if state.wants.is_some() && state.wants.as_deref() != said => {
            (401, json!({"error_code": 401, "message": "Unauthorized"}).to_string())
        }
        (_, Some(body)) => (200, body.to_string()),
        (_, None) => (404, json!({"error_code": 40403, "message": "Schema not found"}).to_string()),
    };
    drop(state);
    let head = format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    // Whoever asked may be gone.
    let _ = (&mut &*stream).write_all((head + &body).as_bytes());
}
