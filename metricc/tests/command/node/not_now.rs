//! Exit code 3: a node that cannot answer yet is told apart from a request that is wrong.
#![expect(clippy::unwrap_used, reason = "test code")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::process::Command;

/// The address of a server that answers each request with this status and code.
fn answering(status: u16, code: &'static str) -> String {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let (mut length, mut reader) = (0, BufReader::new(stream.try_clone().unwrap()));
            for line in reader.by_ref().lines().map_while(Result::ok) {
                let line = line.to_ascii_lowercase();
                if let Some(value) = line.strip_prefix("content-length: ") {
                    length = value.parse().unwrap();
                }
                if line.is_empty() {
                    break;
                }
            }
            reader.take(length).read_to_end(&mut Vec::new()).unwrap();
            let body =
                format!("{{\"error\":{{\"code\":\"{code}\",\"message\":\"why not\",\"metric\":\"m\"}}}}");
            let head =
                format!("HTTP/1.1 {status} -\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", body.len());
            let _ = stream.write_all(format!("{head}{body}").as_bytes());
        }
    });
    address
}

fn run(address: &str, arguments: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_metricc"))
        .args(arguments)
        .env("NO_COLOR", "1")
        .env("METRICC_NODE", address)
        .output()
        .unwrap();
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn a_node_that_cannot_answer_yet_has_an_exit_code_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.metric");
    std::fs::write(&file, "source s { at: timestamp time }\nmetric m = count() { from s }\n").unwrap();
    let events = folder.path().join("a.ndjson");
    std::fs::write(&events, "{\"at\":\"2026-04-25T10:00:00Z\"}\n").unwrap();
    let (file, events) = (file.to_string_lossy().into_owned(), events.to_string_lossy().into_owned());
    let commands: [&[&str]; 12] = [
        &["deploy", &file],
        &["promote", "2"],
        &["rollback"],
        &["retire", "2"],
        &["versions"],
        &["diff", "--live"],
        &["status"],
        &["audit"],
        &["query"],
        &["query", "m"],
        &["query", "m", "--live"],
        &["ingest", "--source", "s", &events, "--retry-for", "0s"],
    ];
    // `query` waits for metrics that are computed, and `ingest` for nodes that have answered.
    let is_short = |command: &[&str], code: &str| match command[0] {
        "query" => code != "backfilling",
        "ingest" => code == "version",
        _ => true,
    };
    for (status, code, wanted) in [
        (503, "backfilling", 3),
        (503, "busy", 3),
        (503, "disk", 3),
        (507, "groups", 3),
        (429, "busy", 3),
        (409, "version", 2),
        (500, "failed", 2),
    ] {
        let address = answering(status, code);
        for command in commands.iter().filter(|command| is_short(command, code)) {
            let (found, said) = run(&address, command);
            assert_eq!(found, Some(wanted), "{status} {code}: {command:?}: {said}");
            assert!(said.contains("why not") || said.contains("`m` is still being computed"), "{said}");
        }
    }
    // Nobody answers: that may be another address.
    let free = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap();
    for command in commands {
        let (found, said) = run(&format!("http://{free}"), command);
        assert_eq!(found, Some(2), "{command:?}: {said}");
    }
}
