//! One client does not stop the others: large answers, pages, and rows that are refused before they are made.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{Home, Node};

const PACKAGE: &str = "
source events { at: timestamp time  user: string }
/// One row for each user.
metric by_user = count() { from events by user }
metric total = count() { from events }
metric sliding = count() { from events over last 49999s step 1s }
";

const N_USERS: u64 = 200_000;
const PER_REQUEST: u64 = 10_000;

/// Events of as many users, whose names are long.
fn body(from: u64, n: u64) -> String {
    let line = |user: u64| {
        format!(
            "{{\"at\":\"2026-04-25T10:00:00Z\",\"user\":\"a user with a name of some length, number {user:09}\"}}\n"
        )
    };
    (from..from + n).map(line).collect()
}

fn fill(node: &Node) {
    for request in 0..N_USERS / PER_REQUEST {
        let body = body(request * PER_REQUEST, PER_REQUEST);
        let answer = node.post(&format!("fill {request}"), &body).expect("an answer");
        assert_eq!(answer.status, 200, "{}", answer.body);
    }
    node.catch_up();
}

/// The resident memory of the node, in MB.
pub(super) fn memory(node: &Node) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", node.process.id())).expect("its status");
    let line = status.lines().find(|line| line.starts_with("VmRSS")).expect("its memory");
    line.split_whitespace().nth(1).and_then(|kb| kb.parse::<u64>().ok()).expect("a number") / 1024
}

fn timed(node: &Node, path: &str) -> Duration {
    let start = Instant::now();
    let answer = node.get(path);
    assert_eq!(answer.status, 200, "{}", answer.body);
    start.elapsed()
}

fn rows_of(text: &str) -> &str {
    let start = text.find("\"rows\":[").expect("rows") + "\"rows\":[".len();
    &text[start..text.rfind(']').expect("an end")]
}

#[test]
fn small_answers_and_probes_do_not_wait_for_large_ones_and_memory_is_flat() {
    let home = Home::new(PACKAGE, "[batch]\nevery = \"1h\"\n");
    let node = home.ready();
    fill(&node);
    let first = node.get("/v1/metrics/by_user");
    assert!(first.head.contains("transfer-encoding: chunked"), "{}", first.head);
    assert_eq!(first.json()["rows"].as_array().expect("rows").len() as u64, N_USERS);
    let before = memory(&node);
    let (mut most, mut slowest, mut n_small) = (0, Duration::ZERO, 0);
    let large = std::thread::scope(|scope| {
        let reader = |_| {
            scope.spawn(|| {
                let start = Instant::now();
                assert!(node.get("/v1/metrics/by_user").body == first.body, "the same bytes");
                start.elapsed()
            })
        };
        let readers: Vec<_> = (0..4).map(reader).collect();
        while readers.iter().any(|reader| !reader.is_finished()) {
            for path in ["/healthz", "/v1/metrics/total"] {
                slowest = slowest.max(timed(&node, path));
                n_small += 1;
            }
            most = most.max(memory(&node));
            std::thread::sleep(Duration::from_millis(5));
        }
        readers.into_iter().map(|reader| reader.join().expect("an answer")).max().expect("readers")
    });
    assert!(n_small > 10, "{n_small} small answers in {large:?}");
    assert!(slowest < large / 3, "a small answer took {slowest:?}, and large ones {large:?}");
    assert!(
        most < before + 100,
        "{before} MB before, {most} MB meanwhile: four answers of {} MB",
        first.body.len() >> 20
    );
}

#[test]
fn pages_have_the_rows_of_one_frontier_while_events_come_in() {
    let home = Home::new(PACKAGE, "");
    let node = home.ready();
    for request in 0..3 {
        let answer = node.post(&format!("r{request}"), &body(request * 2000, 2000)).expect("an answer");
        assert_eq!(answer.status, 200);
    }
    node.catch_up();
    let whole = node.get("/v1/metrics/by_user").body;
    let (mut rows, mut cursor, mut n_pages) = (Vec::new(), None::<String>, 0);
    loop {
        let of = cursor.as_ref().map_or_else(String::new, |cursor| format!("&cursor={cursor}"));
        let page = node.get(&format!("/v1/metrics/by_user?limit=1700{of}"));
        assert_eq!(page.status, 200, "{}", page.body);
        assert_eq!(page.json()["frontier"], json!([6000]));
        rows.push(rows_of(page.body.split(",\"next\":").next().expect("a text")).to_owned());
        n_pages += 1;
        // Users that are known and new ones, before and after the page.
        let more = body(n_pages * 1500 + 1000, 2000) + &body(n_pages * 100_000, 10);
        assert_eq!(node.post(&format!("more {n_pages}"), &more).expect("an answer").status, 200);
        node.catch_up();
        match page.json()["next"].as_str() {
            Some(next) => cursor = Some(next.to_owned()),
            None => break,
        }
    }
    assert_eq!(n_pages, 4);
    assert_eq!(rows.join(","), rows_of(&whole));

    // In CSV, the cursor is a header.
    let page = node.get("/v1/metrics/by_user?limit=2&format=csv");
    assert_eq!(page.body.lines().count(), 3, "{}", page.body);
    assert!(page.head.contains("metricc-next: "), "{}", page.head);
    let (code, rows, said) = node.run(&["query", "by_user", "--page", "3", "--output", "json"]);
    assert_eq!((code, rows.lines().count()), (Some(0), 3), "{said}");
    let next = said.split("--cursor ").nth(1).expect("a cursor").split_whitespace().next().expect("a cursor");
    let (_, rows, _) = node.run(&["query", "by_user", "--page", "3", "--output", "json", "--cursor", next]);
    assert!(rows.starts_with("{\"metric\":\"by_user\"") && rows.contains("000000003"), "{rows}");

    // A restarted node has no versions of the past.
    let cursor = cursor.expect("a cursor");
    assert_eq!(node.stop(), Some(0));
    let node = home.ready();
    let gone = node.get(&format!("/v1/metrics/by_user?limit=1700&cursor={cursor}"));
    assert_eq!(
        (gone.status, gone.json()["error"]["code"].as_str()),
        (410, Some("cursor_gone")),
        "{}",
        gone.body
    );
    assert!(gone.body.contains("`at=6000`"), "{}", gone.body);
    let again = node.get(&format!("/v1/metrics/by_user?limit=1700&at=6000&cursor={cursor}"));
    assert_eq!(again.status, 200, "{}", again.body);
    assert!(whole.contains(rows_of(&again.body)) && !rows_of(&again.body).is_empty());
    for (query, problem) in [
        ("limit=0", "`limit=0` is not a number of rows"),
        ("cursor=x", "`cursor` is not a cursor"),
        (&format!("latest=true&cursor={cursor}"), "`cursor` is of another request"),
    ] {
        let refused = node.get(&format!("/v1/metrics/by_user?{query}"));
        assert!(refused.status == 400 && refused.body.contains(problem), "{}", refused.body);
    }
    let refused = node.get("/v1/metrics/by_user/live?limit=3");
    assert!(refused.status == 400 && refused.body.contains("has no pages"), "{}", refused.body);
}

#[test]
fn more_rows_than_an_answer_may_have_are_refused_with_their_number() {
    let home = Home::new(PACKAGE, "[reading]\nmax_rows = 1000\n");
    let node = home.ready();
    // Far apart, so that each is in 49,999 windows of its own.
    let line =
        |n: u64| format!("{{\"at\":\"2026-04-{:02}T{:02}:00:00Z\",\"user\":\"u{n}\"}}\n", n / 24 + 1, n % 24);
    let sparse: String = (0..200).step_by(20).map(line).collect();
    std::fs::write(home.path().join("sparse.ndjson"), &sparse).expect("a file");
    assert_eq!(node.post("sparse", &sparse).expect("an answer").status, 200);
    node.post("users", &body(0, 2000)).expect("an answer");
    node.catch_up();
    let refused = node.get("/v1/metrics/sliding");
    let error: Value = refused.json()["error"].clone();
    assert_eq!(
        (refused.status, &error["code"], &error["most"]),
        (422, &json!("too_many_rows"), &json!(1000))
    );
    // Ten and one more.
    assert_eq!(error["rows"], json!(549_989), "{error}");
    let message = error["message"].as_str().expect("a message");
    assert!(
        message.starts_with("`sliding` has about 549,989 rows here, and an answer has at most 1,000"),
        "{message}"
    );
    assert!(message.contains("read it in pages") && message.contains("`max_rows`"), "{message}");
    let few = node.get("/v1/metrics/sliding?from=2026-04-01T00:00:00Z&to=2026-04-01T00:10:00Z");
    assert_eq!(few.status, 200, "{}", few.body);
    assert_eq!(node.get("/v1/metrics/sliding?limit=1000").status, 200);
    assert_eq!(node.get("/v1/metrics/sliding?latest=true").json()["rows"].as_array().expect("rows").len(), 1);
    let (code, _, said) = node.run(&["query", "sliding"]);
    assert!(code == Some(2) && said.contains("549,989 rows"), "{said}");

    let refused = node.get("/v1/metrics/by_user").json()["error"].clone();
    assert_eq!((&refused["rows"], &refused["most"]), (&json!(2010), &json!(1000)));
    assert!(refused["help"].as_str().is_some_and(|help| help.contains("`limit`")), "{refused}");
    assert_eq!(node.get("/v1/metrics/by_user?limit=1000").status, 200);
    assert_eq!(node.get("/v1/metrics/by_user?limit=1001").status, 422);

    // The same without a node.
    let run = |more: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_metricc"));
        command.current_dir(home.path()).args(["run", "events.metric", "--source", "events=sparse.ndjson"]);
        let output =
            command.args(["--metric", "sliding", "--output", "csv"]).args(more).output().expect("it runs");
        (output.status.code(), output.stdout.len(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (code, n_bytes, said) = run(&["--max-rows", "1000"]);
    assert!(code == Some(2) && n_bytes == 0, "{said}");
    assert!(said.contains("499,990 rows") && said.contains("--max-rows"), "{said}");
    assert_eq!(run(&["--max-rows", "499990", "--from", "2026-04-01", "--to", "2026-04-02"]).0, Some(0));
}

#[test]
fn windows_that_overlap_are_written_with_flat_memory_and_have_pages() {
    let home = Home::new(PACKAGE, "");
    let node = home.ready();
    let line =
        |n: u64| format!("{{\"at\":\"2026-04-{:02}T{:02}:00:00Z\",\"user\":\"u{n}\"}}\n", n / 24 + 1, n % 24);
    let sparse: String = (0..200).step_by(10).map(line).collect();
    assert_eq!(node.post("sparse", &sparse).expect("an answer").status, 200);
    node.catch_up();
    let _ = node.get("/v1/metrics/sliding?from=2026-04-03T05:00:00Z&to=2026-04-03T05:10:00Z");
    let before = memory(&node);
    let done = std::sync::atomic::AtomicBool::new(false);
    let (whole, most) = std::thread::scope(|scope| {
        let watching = scope.spawn(|| {
            let mut most = 0;
            while !done.load(std::sync::atomic::Ordering::Relaxed) {
                most = most.max(memory(&node));
                std::thread::sleep(Duration::from_millis(5));
            }
            most
        });
        let whole = node.get("/v1/metrics/sliding");
        done.store(true, std::sync::atomic::Ordering::Relaxed);
        (whole, watching.join().expect("the most memory"))
    });
    assert_eq!(whole.status, 200, "{}", whole.body);
    let n_rows = rows_of(&whole.body).matches("\"start\"").count();
    assert!(n_rows > 700_000, "{n_rows} rows");
    // As a whole, they take 190 bytes each.
    assert!(most < before + 60, "{before} MB before, {most} MB meanwhile");

    let range = "from=2026-04-01T06:00:00Z&to=2026-04-02T06:00:00Z";
    let whole = node.get(&format!("/v1/metrics/sliding?{range}"));
    let (mut rows, mut cursor, mut n_pages) = (Vec::new(), None::<String>, 0);
    loop {
        let of = cursor.as_ref().map_or_else(String::new, |cursor| format!("&cursor={cursor}"));
        let page = node.get(&format!("/v1/metrics/sliding?{range}&limit=20011{of}"));
        assert_eq!(page.status, 200, "{}", page.body);
        rows.push(rows_of(&page.body).to_owned());
        n_pages += 1;
        match page.json()["next"].as_str() {
            Some(next) => cursor = Some(next.to_owned()),
            None => break,
        }
    }
    assert_eq!(n_pages, 5);
    assert!(rows.join(",") == rows_of(&whole.body), "pages have other rows than the whole");
}

/// A request whose answer nobody reads.
fn unread(node: &Node, path: &str) -> TcpStream {
    let mut stream = TcpStream::connect(&node.address).expect("a connection");
    stream.set_read_timeout(Some(Duration::from_secs(30))).expect("a limit");
    let head = format!("GET {path} HTTP/1.1\r\nHost: {}\r\n\r\n", node.address);
    stream.write_all(head.as_bytes()).expect("sent");
    stream
}

#[test]
fn live_clients_take_no_place_of_others_and_idle_ones_are_told() {
    let config = "[reading]\nmax_live = 3\nmax_live_per_client = 3\nlive_idle = \"2s\"\n";
    let home = Home::new(PACKAGE, config);
    let node = home.ready();
    assert_eq!(node.post("one", &body(0, 1)).expect("an answer").status, 200);
    node.catch_up();
    let mut live: Vec<TcpStream> = (0..3).map(|_| unread(&node, "/v1/metrics/total/live")).collect();
    for stream in &mut live {
        stream.read_exact(&mut [0; 12]).expect("an answer");
    }
    let refused = node.get("/v1/metrics/total/live");
    assert_eq!(refused.status, 503, "{}", refused.body);
    assert!(refused.head.contains("retry-after: 1"), "{}", refused.head);
    assert!(refused.body.contains("3 live clients are being answered"), "{}", refused.body);
    assert_eq!(node.get("/healthz").status, 200);
    assert_eq!(node.get("/v1/metrics/total").status, 200);
    assert_eq!(node.post("two", &body(1, 1)).expect("an answer").status, 200);
    let mut text = String::new();
    live[0].read_to_string(&mut text).expect("it ends");
    assert!(text.contains("event: rows\ndata: {\"metric\":\"total\""), "{text}");
    let last = text.rsplit("event: ").next().expect("an event");
    assert!(last.starts_with("error\ndata: ") && last.contains("no new rows for 2 s"), "{text}");
    assert!(last.contains("\"code\":\"dropped\""), "{text}");
    node.until(|node| unread(node, "/v1/metrics/total/live").read(&mut [0; 12]).is_ok());
}

#[test]
fn unread_live_clients_delay_no_acknowledgement_and_take_no_memory() {
    let home = Home::new(PACKAGE, "[batch]\nevery = \"1h\"\n[speed]\nrefresh = \"50ms\"\n");
    let node = home.ready();
    for request in 0..3 {
        let body = body(request * PER_REQUEST, PER_REQUEST);
        assert_eq!(node.post(&format!("r{request}"), &body).expect("an answer").status, 200);
    }
    node.catch_up();
    let _ = node.get("/v1/metrics/by_user");
    let before = memory(&node);
    let mut live = Vec::new();
    let (mut slowest, mut most) = (Duration::ZERO, 0);
    for request in 0..40 {
        live.push(unread(&node, "/v1/metrics/by_user/live"));
        let start = Instant::now();
        assert_eq!(node.post(&format!("new {request}"), &body(request, 1)).expect("an answer").status, 200);
        slowest = slowest.max(start.elapsed());
        std::thread::sleep(Duration::from_millis(60));
        most = most.max(memory(&node));
    }
    node.catch_up();
    assert_eq!(node.get("/healthz").status, 200);
    assert!(slowest < Duration::from_secs(3), "an acknowledgement took {slowest:?}");
    // 40 events of 4 MB would be 160 MB.
    assert!(most < before + 120, "{before} MB before, {most} MB meanwhile");
    // One that reads now gets a whole event in the end, of a version that is newer than what it has missed.
    let mut reader = live.remove(0);
    let mut text = Vec::new();
    let mut buffer = vec![0; 1 << 16];
    let is_whole = |text: &[u8]| {
        let text = String::from_utf8_lossy(text);
        text.rsplit_once("event: rows\r\n").is_some() || text.matches("\n\n").count() >= 2
    };
    let end = Instant::now() + Duration::from_secs(30);
    while !is_whole(&text) && Instant::now() < end {
        let n = reader.read(&mut buffer).expect("bytes");
        assert!(n > 0, "the node has closed the connection");
        text.extend(&buffer[..n]);
    }
}
