//! Questions that no metric declares: answered while events come in, as the metric would be that is declared so.
#![expect(clippy::unwrap_used, reason = "test code")]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use super::deploy::{bare, run, write_package};
use super::{Answer, Home, Node, TIMEOUT};

const PACKAGE: &str = r#"
source events { at: timestamp time  shop: string  plan: string?  user: int  n: int  ms: float }
source unread { at: timestamp time }
calendar india { zone "Asia/Kolkata" }
metric seen = count() { from events  by shop  every 1h }
metric total = sum(n) { from events  by shop  every 1h }
metric share = total / seen
"#;
const CONFIG: &str =
    "[batch]\nevery = \"60s\"\nevents = 700\n[speed]\nrefresh = \"5ms\"\n[ingest]\nseal_events = 500\n";

fn event(n: u64) -> Value {
    let plan = [json!("pro"), json!("free"), Value::Null][(n % 3) as usize].clone();
    let (day, hour) = (1 + n * 7 % 5, n * 5 % 24);
    json!({
        "at": format!("2026-04-{day:02}T{hour:02}:10:00Z"), "shop": format!("s{}", n % 7), "plan": plan,
        "user": n * n % 17, "n": n, "ms": (n * 37 % 101) as f64 / 1.5,
    })
}

fn events(from: u64, to: u64) -> String {
    (from..to).map(|n| format!("{}\n", event(n))).collect()
}

fn home(more: &str) -> Home {
    Home::new(PACKAGE, &format!("{CONFIG}{more}"))
}

/// A node with so many events, all of which are answered.
fn node_with(home: &Home, n_events: u64) -> Node {
    let node = home.ready();
    post(&node, 0, n_events);
    node.catch_up();
    node
}

fn post(node: &Node, from: u64, to: u64) {
    for start in (from..to).step_by(5000) {
        let body = events(start, to.min(start + 5000));
        assert_eq!(node.post(&format!("r{start}"), &body).unwrap().status, 200);
    }
}

fn ask(node: &Node, parameters: &str, question: &str) -> Answer {
    node.send("POST", &format!("/v1/ask?{parameters}"), &[], question.as_bytes()).unwrap()
}

/// The rows of a question without its name, and their frontier.
fn asked(node: &Node, parameters: &str, question: &str) -> (Vec<Value>, u64) {
    let answer = ask(node, parameters, question);
    assert_eq!(answer.status, 200, "{question}: {}", answer.body);
    let answer = answer.json();
    (bare(answer["rows"].as_array().unwrap().clone()), answer["frontier"][0].as_u64().unwrap())
}

fn counter(node: &Node, name: &str) -> u64 {
    let text = node.get("/metrics").body;
    let line = text.lines().find(|line| line.starts_with(&format!("metricc_{name}{{source=\"events\"}}")));
    line.unwrap().rsplit(' ').next().unwrap().parse().unwrap()
}

/// The error of an answer: its status, its code and its message.
fn refused(answer: &Answer) -> (u16, String, String) {
    let error = answer.json()["error"].clone();
    let text = |name: &str| error[name].as_str().unwrap().to_owned();
    (answer.status, text("code"), text("message"))
}

/// Numbers that look random, the same in each run.
struct Random(u64);

impl Random {
    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        from[(self.0 >> 33) as usize % from.len()]
    }

    fn question(&mut self) -> String {
        let value = self.pick(&[
            "count()",
            "sum(n)",
            "distinct(user)",
            "mean(ms)",
            "p90(ms)",
            "{ least: min(n), most: max(n), users: distinct(user) }",
            "count() where n > 40",
            "sum(n) / count()",
        ]);
        let condition =
            self.pick(&["", "where plan == \"pro\"", "where n > 100 and ms < 50", "where plan == none"]);
        let by = self.pick(&["", "by shop", "by plan", "by plan, shop", "by user % 3 as kind"]);
        let windows =
            self.pick(&["", "every 1h", "every day in india", "over last 6h step 2h", "session gap 30m"]);
        format!("{value} {{ from events {condition} {by} {windows} }}")
    }
}

#[test]
fn random_questions_are_answered_as_metrics_that_are_declared_so_while_events_come_in() {
    let home = home("");
    let node = node_with(&home, 1500);
    let is_over = AtomicBool::new(false);
    let mut random = Random(7);
    let found: Vec<(String, Vec<Value>, u64)> = std::thread::scope(|scope| {
        let sender = scope.spawn(|| {
            let mut n = 1500;
            while !is_over.load(Ordering::Relaxed) {
                post(&node, n, n + 40);
                n += 40;
                std::thread::sleep(Duration::from_millis(30));
            }
            n
        });
        let found = (0..16).map(|_| {
            let question = random.question();
            let (rows, frontier) = asked(&node, "", &question);
            (question, rows, frontier)
        });
        let found = found.collect();
        is_over.store(true, Ordering::Relaxed);
        sender.join().unwrap();
        found
    });
    assert!(found.iter().all(|(_, _, frontier)| *frontier >= 1500));
    assert!(found.last().unwrap().2 > 1500, "events came in meanwhile");
    for (question, rows, frontier) in &found {
        let file = write_package(&home, "asked.metric", &format!("{PACKAGE}metric asked = {question}\n"));
        let expected = bare(run(&home, &file, &events(0, *frontier), "asked"));
        assert_eq!(*rows, expected, "{question} at {frontier}");
    }
    node.catch_up();
    // As a metric of the node, each is what it was at its frontier.
    let metrics =
        found.iter().enumerate().map(|(index, (question, ..))| format!("metric m{index} = {question}\n"));
    let file = write_package(&home, "all.metric", &format!("{PACKAGE}{}", metrics.collect::<String>()));
    let (code, _, said) = node.run(&["deploy", &file]);
    assert_eq!(code, Some(0), "{said}");
    for (index, (question, rows, frontier)) in found.iter().enumerate() {
        let answer = node.get(&format!("/v1/metrics/m{index}?at={frontier}"));
        assert_eq!(
            bare(answer.json()["rows"].as_array().unwrap().clone()),
            *rows,
            "{question} at {frontier}"
        );
        // It is served now, so nothing is read.
        let estimate = ask(&node, "estimate=true", question).json();
        assert_eq!(estimate["events"], 0, "{question}");
        assert_eq!(asked(&node, "", question).0, bare(node.rows(&format!("m{index}")).0), "{question}");
    }
}

#[test]
fn questions_about_served_metrics_read_none_of_the_log_and_agree_with_them() {
    let home = home("[ask]\nmax_events = 100\n");
    let node = node_with(&home, 900);
    let (rows, frontier) = asked(&node, "by=shop&grain=all", "share * 2");
    assert_eq!((rows.len(), frontier), (7, 900));
    let share = node.get("/v1/metrics/share?by=shop&grain=all").json();
    for (doubled, share) in rows.iter().zip(share["rows"].as_array().unwrap()) {
        let value = |row: &Value| row["value"].as_f64().unwrap();
        assert!((value(doubled) - 2.0 * value(share)).abs() < 1e-9, "{doubled} {share}");
    }
    // Under another name, and with other states: those are evaluated, and these are over the limit.
    let (rows, _) = asked(&node, "name=other", "sum(n) { from events  by shop  every 1h }");
    assert_eq!(rows, bare(node.rows("total").0));
    let (status, code, message) = refused(&ask(&node, "", "max(n) { from events }"));
    assert_eq!((status, code.as_str()), (422, "too_much"));
    assert!(message.contains("would read 900 events of the log, and one may read 100"), "{message}");
    assert!(message.contains("`max_events` under `[ask]`") && message.contains("--source"), "{message}");
    let estimate = ask(&node, "estimate=true", "max(n) { from events }").json();
    assert_eq!((&estimate["events"], &estimate["frontier"]), (&json!(900), &json!([900])));
    assert!(estimate["bytes"].as_u64().unwrap() > 900 && estimate["id"].is_null(), "{estimate}");
    assert_eq!(counter(&node, "asked_positions_total"), 0);
}

#[test]
fn what_was_asked_is_the_backfill_of_the_metric_that_it_becomes() {
    let home = home("");
    let node = node_with(&home, 3000);
    let question = "distinct(user) { from events where plan == \"pro\"  by shop  every day in india }";
    let (_, frontier) = asked(&node, "", question);
    assert_eq!((frontier, counter(&node, "asked_positions_total")), (3000, 3000));
    post(&node, 3000, 3120);
    node.catch_up();
    // Asked again, only what came in is read; asked at a frontier of before, nothing is.
    let (_, frontier) = asked(&node, "", question);
    assert_eq!((frontier, counter(&node, "asked_positions_total")), (3120, 3120));
    assert_eq!(asked(&node, "at=3000", question).1, 3000);
    assert_eq!(counter(&node, "asked_positions_total"), 3120);
    post(&node, 3120, 3150);
    node.catch_up();
    let (code, out, said) = node.run(&["ask", question, "--keep", "pro_users", "--json", "--at", "3120"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(
        said.contains("the question reads none of the log") && said.contains("version 2 is live"),
        "{said}"
    );
    assert!(
        said.contains("\n\nmetric pro_users = distinct(user) { from events  where plan == \"pro\"  by shop"),
        "{said}"
    );
    assert!(out.lines().count() > 10, "{out}");
    let backfilled = counter(&node, "backfill_positions_total");
    assert!(backfilled <= 30, "only what came in after the question is evaluated, not {backfilled}");
    let file = write_package(&home, "kept.metric", &format!("{PACKAGE}metric pro_users = {question}\n"));
    assert_eq!(node.rows("pro_users"), (run(&home, &file, &events(0, 3150), "pro_users"), 3150));
    let (code, _, said) = node.run(&["audit"]);
    assert_eq!(code, Some(0), "{said}");
    // It goes on as a metric, and is there after a restart.
    post(&node, 3150, 3200);
    node.catch_up();
    let expected = run(&home, &file, &events(0, 3200), "pro_users");
    assert_eq!(node.rows("pro_users"), (expected.clone(), 3200));
    node.kill();
    let node = home.ready();
    assert_eq!(node.rows("pro_users"), (expected, 3200));
    let (status, code, message) = refused(&ask(&node, "name=pro_users", "count() { from events }"));
    assert_eq!((status, code.as_str()), (422, "question"));
    assert!(message.contains("has a metric `pro_users` already"), "{message}");
}

#[test]
fn a_node_that_was_killed_after_a_question_computes_the_metric_again() {
    let home = home("");
    let node = node_with(&home, 2000);
    let question = "max(n) { from events  by shop }";
    let before = asked(&node, "", question);
    node.kill();
    let node = home.ready();
    let keep = "/v1/ask/keep?name=most&by=anna";
    let kept = node.send("POST", keep, &[], question.as_bytes()).unwrap();
    assert_eq!(kept.status, 200, "{}", kept.body);
    assert_eq!(kept.json()["text"], "metric most = max(n) { from events  by shop }\n");
    node.until(|node| node.get("/v1/metrics/most").status == 200);
    let (rows, frontier) = node.rows("most");
    assert_eq!((bare(rows), frontier), before);
    assert!(counter(&node, "backfill_positions_total") > 0, "nothing was left of the question");
    let steps = node.get("/v1/package").json()["steps"].clone();
    assert!(steps.as_array().unwrap().iter().any(|step| step["by"] == "anna"), "{steps}");
    let again = node.send("POST", keep, &[], question.as_bytes()).unwrap();
    assert!(refused(&again).2.contains("has a metric `most` already"), "{}", again.body);
}

#[test]
fn rows_of_questions_have_all_formats_ranges_and_pages() {
    let home = home("");
    let node = node_with(&home, 800);
    let (question, declared) = ("max(n) { from events  by shop  every 1h }", "most");
    let file = write_package(&home, "most.metric", &format!("{PACKAGE}metric most = {question}\n"));
    let all = asked(&node, "", question).0;
    let name = "name=most&";
    let texts = |path: &str| {
        let answer = node.send("POST", &format!("/v1/ask?{name}{path}"), &[], question.as_bytes()).unwrap();
        assert_eq!(answer.status, 200, "{}", answer.body);
        (answer.head, answer.body)
    };
    let of_ask: Vec<String> = [
        "format=csv&by=shop&grain=all&order=-value",
        "from=2026-04-02&to=2026-04-04",
        "key.shop=s3",
        "latest=true",
        "receipt=true&limit=3",
    ]
    .iter()
    .map(|path| texts(path).1)
    .collect();
    let (head, csv) = texts("format=csv");
    assert!(head.contains("text/csv") && csv.lines().count() == all.len() + 1, "{head}");
    assert!(texts("format=arrow").0.contains("arrow.stream"));
    // Pages of one frontier, whatever comes in meanwhile.
    let first = ask(&node, "limit=50", question).json();
    post(&node, 800, 900);
    node.catch_up();
    let (mut paged, mut next) = (first["rows"].as_array().unwrap().clone(), first["next"].clone());
    while let Some(cursor) = next.as_str().map(str::to_owned) {
        let page = ask(&node, &format!("limit=50&cursor={cursor}"), question).json();
        assert_eq!(page["frontier"], json!([800]));
        paged.extend(page["rows"].as_array().unwrap().clone());
        next = page["next"].clone();
    }
    assert_eq!(bare(paged), all);
    // The metric that is declared so has the same texts.
    node.run(&["deploy", &file]);
    for (path, of_ask) in [
        "format=csv&by=shop&grain=all&order=-value",
        "from=2026-04-02&to=2026-04-04",
        "key.shop=s3",
        "latest=true",
    ]
    .iter()
    .zip(&of_ask)
    {
        let of_metric = node.get(&format!("/v1/metrics/{declared}?{path}&at=800")).body;
        assert_eq!(*of_ask, of_metric, "{path}");
    }
    let receipt: Value = serde_json::from_str(&of_ask[4]).unwrap();
    assert_eq!(
        receipt["receipt"]["parts"],
        json!([{ "source": "events", "from": [0], "to": [800], "layer": "log" }])
    );
    for (parameters, wanted) in [
        ("format=xml", "not a format"),
        ("colour=red", "there is no parameter `colour`"),
        ("grain=1m", "which meet at"),
        ("at=950", "the log of source `events` ends at [900]"),
        ("at=850", "in the middle of a request"),
        ("at=1,2", "`at` has 2 offsets"),
        ("epoch=nothing", "epoch"),
        ("key.nope=1", "nope"),
        ("progress=maybe", "neither `true` nor `false`"),
    ] {
        let answer = ask(&node, parameters, question);
        assert!(answer.status >= 400 && refused(&answer).2.contains(wanted), "{parameters}: {}", answer.body);
    }
}

#[test]
fn what_is_wrong_with_a_question_is_shown_in_its_text() {
    let home = home("");
    let node = node_with(&home, 10);
    for (question, wanted) in [
        ("count( { from events }", "question:1:"),
        ("distinct(usr) { from events }", "question:1:10"),
        ("distinct(usr) { from events }", "did you mean `user`?"),
        ("count() { from payments }", "`payments`"),
        ("", "the question is empty"),
        ("  // nothing\n", "the question is empty"),
        ("metric x = count() { from events }", "leave out `metric NAME =`"),
        (
            "count() { from events }\nmetric y = count() { from events }",
            "a question is one metric, and this is more",
        ),
        ("count() { from events }\nsource x { at: timestamp time }", "a question is one metric"),
        ("nothing / seen", "`nothing`"),
    ] {
        let (status, code, message) = refused(&ask(&node, "", question));
        assert_eq!((status, code.as_str()), (422, "question"), "{question}: {message}");
        assert!(message.contains(wanted) && !message.contains("events.metric"), "{question}: {message}");
    }
    let name = |name: &str| refused(&ask(&node, &format!("name={name}"), "count() { from events }"));
    for (taken, wanted) in [
        ("seen", "has a metric `seen` already"),
        ("where", "`where` is not a name for a metric"),
        ("a%20b", "`a b` is not a name"),
        ("x%20%3D%20count()%20%7B%20from%20events%20%7D%20metric%20y", "is not a name"),
    ] {
        let (status, code, message) = name(taken);
        assert_eq!((status, code.as_str()), (422, "question"), "{message}");
        assert!(message.contains(wanted), "{message}");
    }
    let unread = refused(&ask(&node, "", "count() { from unread }"));
    assert!(unread.0 == 400 && unread.2.contains("no metric of the live version reads it"), "{unread:?}");
    let long = "(".repeat(70_000);
    assert_eq!(refused(&ask(&node, "", &long)).0, 400);
    let bytes = node.send("POST", "/v1/ask", &[], b"\xff\xfe").unwrap();
    assert!(refused(&bytes).2.contains("no UTF-8"));
    let keep = node.send("POST", "/v1/ask/keep", &[], b"count() { from events }").unwrap();
    assert!(refused(&keep).2.contains("`name` is missing"));
    let (code, _, said) = node.run(&["ask", "distinct(usr) { from events }"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.starts_with("error[") && said.contains("did you mean `user`?"), "{said}");
}

#[test]
fn the_command_asks_a_node_and_files_alike() {
    let home = home("");
    let node = node_with(&home, 600);
    let question = "{ n: sum(n), users: distinct(user) } { from events  by plan  every day in india }";
    let (code, of_node, said) = node.run(&["ask", question, "--json"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(
        said.contains("the question reads 600 events of the log (") && said.contains("at frontier [600]"),
        "{said}"
    );
    let log = home.path().join("log.ndjson");
    std::fs::write(&log, events(0, 600)).unwrap();
    let source = format!("events={}", log.display());
    let file = home.path().join("events.metric").display().to_string();
    let (code, of_files, said) = node.run(&["ask", question, &file, "--source", &source, "--json"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("the question reads 600 events"), "{said}");
    assert_eq!(of_node, of_files);
    let range = ["--from", "2026-04-02", "--by", "plan", "--order", "-n", "--output", "csv"];
    let (code, of_node, said) = node.run(&[&["ask", question][..], &range].concat());
    assert_eq!(code, Some(0), "{said}");
    let (_, of_files, _) = node.run(&[&["ask", question, &file, "--source", &source][..], &range].concat());
    assert_eq!(of_node, of_files);
    let (code, table, _) = node.run(&["ask", "share / 2"]);
    assert!(code == Some(0) && table.contains("question"), "{table}");
    let (code, estimate, _) = node.run(&["ask", "max(ms) { from events }", "--estimate", "--json"]);
    let estimate: Value = serde_json::from_str(&estimate).unwrap();
    assert_eq!((code, &estimate["events"]), (Some(0), &json!(600)));
    let (code, _, said) = node.run(&["ask", "count( {", &file, "--source", &source]);
    assert!(code == Some(1) && said.contains("question:1:"), "{said}");
    let (code, _, said) = node.run(&["ask", "count() { from events }", "--keep", "seen"]);
    assert!(code == Some(1) && said.contains("has a metric `seen` already"), "{said}");
    drop(node);
    let nobody = ["ask", "count() { from events }", "--node", "http://127.0.0.1:9"];
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_metricc")).args(nobody).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn a_range_reads_no_files_whose_events_are_all_before_it() {
    let home = Home::new(
        PACKAGE,
        "[batch]\nevery = \"50ms\"\n[speed]\nrefresh = \"5ms\"\n[ingest]\nseal_events = 200\n",
    );
    let node = home.ready();
    // A day of events at a time, each of which is flushed before the next one comes, and two late ones.
    let line = |day: u64, n: u64| {
        let mut event = event(n);
        event["at"] = json!(format!("2026-05-{day:02}T{:02}:10:00Z", n % 24));
        format!("{event}\n")
    };
    let mut log = String::new();
    for day in 1..=5 {
        let mut lines: String = (0..300).map(|n| line(day, day * 300 + n)).collect();
        if day == 3 {
            lines.push_str(&line(1, 7));
            lines.push_str(&line(4, 9));
        }
        let n_events = log.lines().count() + lines.lines().count();
        assert_eq!(node.post(&format!("d{day}"), &lines).unwrap().status, 200);
        log.push_str(&lines);
        node.until(|node| {
            let unsealed = counter(node, "unsealed_positions");
            node.source()["served"] == json!([n_events]) && unsealed < 200
        });
    }
    let all = log.lines().count() as u64;
    for (question, from, less) in [
        ("{ n: sum(n), users: distinct(user) } { from events  by shop  every 1h }", "2026-05-04", true),
        ("distinct(user) { from events  every day in india }", "2026-05-05", true),
        ("sum(n) { from events  over last 6h step 2h }", "2026-05-05T02:00:00Z", true),
        ("sum(n) { from events  by user  session gap 30m }", "2026-05-05", false),
        ("sum(n) { from events  every 1h }", "2026-04-01", false),
    ] {
        let path = format!("from={from}");
        let events =
            ask(&node, &format!("estimate=true&{path}"), question).json()["events"].as_u64().unwrap();
        assert!(events > 0 && (events < all) == less, "{question}: {events} of {all}");
        if less && question.contains("every") {
            // The window before the first one of the range is needed.
            let compared = ask(&node, &format!("estimate=true&{path}&compare=1"), question).json();
            assert_eq!(compared["events"], all, "{question}");
        }
        let file = write_package(&home, "asked.metric", &format!("{PACKAGE}metric asked = {question}\n"));
        let rows = |more: &str| {
            let before = counter(&node, "asked_positions_total");
            let answer = asked(&node, &format!("{path}{more}"), question).0;
            (answer, counter(&node, "asked_positions_total") - before)
        };
        let bare_run = bare(run_from(&home, &file, &log, from));
        assert!(!bare_run.is_empty(), "{question}");
        assert_eq!(rows(""), (bare_run.clone(), events), "{question}");
        // Its rows are read from what was computed; another request is not answered from it.
        let mut stream = begun_with(&node, &format!("progress=true&{path}"), question);
        until(&mut stream, "event: computed");
        assert_eq!(rows(&format!("&at={all}")).0, bare_run, "{question}");
        let whole = asked(&node, &format!("at={all}"), question).0;
        assert_eq!(
            whole,
            bare(run(&home, &file, &log, "asked")),
            "{question}: the states of a range are of it alone"
        );
        assert_eq!(rows("&whole=true"), (bare_run, 0), "{question}");
    }
}

/// The rows of `asked` from a bound on, without a node.
fn run_from(home: &Home, file: &str, events: &str, from: &str) -> Vec<Value> {
    let log = home.path().join("log.ndjson");
    std::fs::write(&log, events).unwrap();
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_metricc"))
        .args(["run", file, "--source", &format!("events={}", log.display()), "--output", "json"])
        .args(["--metric", "asked", "--from", from])
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// A question of which the events are read as they come.
fn begun(node: &Node, question: &str) -> TcpStream {
    begun_with(node, "progress=true", question)
}

fn begun_with(node: &Node, parameters: &str, question: &str) -> TcpStream {
    let mut stream = TcpStream::connect(&node.address).unwrap();
    stream.set_read_timeout(Some(TIMEOUT)).unwrap();
    let head = format!(
        "POST /v1/ask?{parameters} HTTP/1.1\r\nHost: {}\r\nContent-Length: {}\r\n\r\n{question}",
        node.address,
        question.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream
}

/// What comes until a text is in it, or the connection ends.
fn until(stream: &mut TcpStream, wanted: &str) -> String {
    let mut all = String::new();
    let mut bytes = [0; 4096];
    while !all.contains(wanted) {
        let n = stream.read(&mut bytes).unwrap();
        if n == 0 {
            break;
        }
        all.push_str(&String::from_utf8_lossy(&bytes[..n]));
    }
    all
}

fn running(node: &Node) -> Vec<Value> {
    node.get("/v1/ask").json()["questions"].as_array().unwrap().clone()
}

#[test]
fn questions_are_cancelled_by_number_and_when_their_client_is_gone_and_wait_for_each_other() {
    const EVENTS: u64 = 150_000;
    let home = home("[ask]\nwaiting = 1\n");
    let node = node_with(&home, EVENTS);
    let values: Vec<String> = (1..=48).map(|i| format!("v{i}: distinct(user + n * {i})")).collect();
    let slow = &format!("{{ {} }} {{ from events  by n % 1000 as k }}", values.join(", "));
    let mut first = begun(&node, slow);
    let said = until(&mut first, "event: progress");
    assert!(said.contains("text/event-stream") && said.contains("event: estimate"), "{said}");
    let id = running(&node)[0]["id"].as_u64().unwrap();
    assert!(
        said.contains(&format!("\"id\":{id}")) && said.contains(&format!("\"events\":{EVENTS}")),
        "{said}"
    );
    // Another one waits, a third one is refused.
    let mut second = begun(&node, "max(n) { from events }");
    until(&mut second, "event: progress");
    let found = running(&node);
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(
        found[1]["waits"] == true
            && found[0]["question"].as_str().is_some_and(|shown| slow.starts_with(shown)),
        "{found:?}"
    );
    let (status, code, message) = refused(&ask(&node, "", "min(n) { from events }"));
    assert_eq!((status, code.as_str()), (503, "busy"), "{message}");
    let cancelled = node.send("POST", &format!("/v1/ask/cancel?id={id}"), &[], b"").unwrap();
    assert_eq!(cancelled.json(), json!({ "id": id }));
    let rest = until(&mut first, "event: error");
    assert!(
        rest.contains("\"code\":\"cancelled\"") && rest.contains(&format!("question {id} was cancelled")),
        "{rest}"
    );
    // The one that waited is computed.
    let rest = until(&mut second, "event: computed");
    assert!(rest.contains(&format!("\"frontier\":[{EVENTS}]")), "{rest}");
    let before = counter(&node, "asked_positions_total");
    assert_eq!(
        asked(&node, &format!("at={EVENTS}"), "max(n) { from events }").0[0]["value"],
        json!(EVENTS - 1)
    );
    assert_eq!(counter(&node, "asked_positions_total"), before, "its rows are read from what was computed");
    // A client that goes ends its question.
    let mut third = begun(&node, slow);
    until(&mut third, "event: progress");
    drop(third);
    node.until(|node| running(node).is_empty());
    let read = counter(&node, "asked_positions_total") - before;
    assert!(read < EVENTS, "it was ended before all was read");
    let gone = node.send("POST", &format!("/v1/ask/cancel?id={id}"), &[], b"").unwrap();
    assert_eq!((gone.status, refused(&gone).1.as_str()), (404, "unknown_question"));
    // Declared metrics are answered all the time.
    assert_eq!(node.get("/v1/metrics/seen?latest=true").status, 200);
}

#[test]
fn a_question_that_takes_too_long_or_too_much_memory_says_so() {
    let home = home("[ask]\nmax_time = \"1us\"\n");
    let node = node_with(&home, 2000);
    let (status, code, message) = refused(&ask(&node, "", "distinct(n) { from events  by n }"));
    assert_eq!((status, code.as_str()), (422, "too_much"));
    assert!(message.contains("`max_time` under `[ask]`"), "{message}");
    drop(node);
    let small = Home::new(PACKAGE, "[ask]\nmax_bytes = 1000\n");
    let node = node_with(&small, 2000);
    let (status, code, message) = refused(&ask(&node, "", "count() { from events  by n }"));
    assert_eq!((status, code.as_str()), (422, "too_much"), "{message}");
    assert!(message.contains("`max_bytes` under `[ask]`"), "{message}");
    // What is small is answered.
    assert_eq!(asked(&node, "", "max(n) { from events }").0[0]["value"], json!(1999));
}
