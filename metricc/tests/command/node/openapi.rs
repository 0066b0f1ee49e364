//! The OpenAPI document and the node that it describes: each has all routes, scopes and statuses of the
//! other.

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::Value;

use super::{Answer, Home, Node};

const PACKAGE: &str = "
source events { at: timestamp time  id: string key  n: int }
metric total = sum(n) { from events }
metric by_hour = count() { from events  by id  every 1h }
metric share = total / by_hour_all
metric by_hour_all = count() { from events }
";
const SCOPES: [&str; 3] = ["ingest", "query", "admin"];

/// The paths of the router, in the words of docs/node.md.
const PATHS: &str = include_str!("../../../../docs/node.md");

fn document(home: &Home) -> Value {
    let output = Command::new(env!("CARGO_BIN_EXE_metricc"))
        .current_dir(home.path())
        .args(["compile", "events.metric", "--out", "out"])
        .output()
        .expect("the command starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = std::fs::read_to_string(home.path().join("out/openapi.json")).expect("the document");
    serde_json::from_str(&text).expect("JSON")
}

/// Path, method and operation.
fn operations(document: &Value) -> Vec<(String, String, Value)> {
    let paths = document["paths"].as_object().expect("paths");
    let of_path = |(path, methods): (&String, &Value)| {
        let methods = methods.as_object().expect("methods").clone();
        let path = path.clone();
        methods.into_iter().map(move |(method, operation)| (path.clone(), method, operation))
    };
    paths.iter().flat_map(of_path).collect()
}

fn token(scope: &str) -> String {
    scope.repeat(43)
}

fn secured(home: &Home) -> Node {
    let mut command = home.command();
    for scope in SCOPES {
        command.env(scope.to_uppercase(), token(scope));
    }
    let node = home.start_with(command);
    node.until(|node| node.get("/readyz").status == 200);
    node
}

fn send(node: &Node, method: &str, path: &str, scope: Option<&str>) -> Answer {
    let value = scope.map(|scope| format!("Bearer {}", token(scope)));
    let headers: Vec<(&str, &str)> = value.iter().map(|value| ("Authorization", value.as_str())).collect();
    // A subscription ends when its time is over; its head comes at once.
    let path = if path.ends_with("/live") { format!("{path}?at=1") } else { path.to_owned() };
    node.send(&method.to_uppercase(), &path, &headers, b"").expect("an answer")
}

fn statuses(operation: &Value) -> BTreeSet<u16> {
    let responses = operation["responses"].as_object().expect("responses");
    responses.keys().map(|status| status.parse().expect("a status")).collect()
}

#[test]
fn the_document_has_what_the_node_has_and_the_node_what_the_document_has() {
    let tokens = "[tokens]\ningest = [\"env:INGEST\"]\nquery = [\"env:QUERY\"]\nadmin = [\"env:ADMIN\"]\n";
    let home = Home::new(PACKAGE, tokens);
    let document = document(&home);
    let node = secured(&home);
    let schemes = &document["components"]["securitySchemes"]["token"];
    assert_eq!((schemes["type"].as_str(), schemes["scheme"].as_str()), (Some("http"), Some("bearer")));
    assert_eq!(document["servers"][0]["url"], "http://127.0.0.1:7171");
    for (path, method, operation) in operations(&document) {
        let shown = format!("{method} {path}");
        // The node has the route, and answers it as the document says.
        let answer = send(&node, &method, &path, Some("admin"));
        assert!(statuses(&operation).contains(&answer.status), "{shown}: {} {}", answer.status, answer.body);
        assert_ne!(answer.status, 404, "{shown}: {}", answer.body);
        let answer = send(&node, "delete", &path, Some("admin"));
        assert_eq!(answer.status, 405, "{shown}: {}", answer.body);
        let allowed = answer.head.lines().find(|line| line.starts_with("allow: ")).unwrap_or_default();
        assert!(allowed.contains(&method), "{shown}: {}", answer.head);
        // It takes the tokens of the scopes that the document names, and no others.
        let security = operation["security"].as_array().expect("security");
        let scope = security.iter().find_map(|one| one["token"][0].as_str());
        assert_eq!(send(&node, &method, &path, None).status == 401, scope.is_some(), "{shown}");
        for given in SCOPES {
            let is_forbidden = send(&node, &method, &path, Some(given)).status == 403;
            let is_enough = scope.is_none_or(|scope| scope == given || given == "admin");
            assert_eq!(is_forbidden, !is_enough, "{shown} with {given}");
        }
    }
}

/// What docs/node.md lists are the paths of the document, and the reverse.
#[test]
fn the_chapter_lists_the_routes_of_the_document() {
    let home = Home::new(PACKAGE, "");
    let general = |path: &str| {
        let parts = path.split('/').collect::<Vec<_>>();
        let parts: Vec<&str> = parts
            .iter()
            .enumerate()
            .map(|(index, part)| match (index, parts.get(2).copied()) {
                (3, Some("metrics")) => "{metric}",
                (3, Some("sources")) => "{source}",
                _ => part,
            })
            .collect();
        parts.join("/")
    };
    let of_document: BTreeSet<String> = operations(&document(&home))
        .iter()
        .map(|(path, method, _)| format!("{} {}", method.to_uppercase(), general(path)))
        .collect();
    let table = PATHS.split("## HTTP").nth(1).expect("the section").split("\n\n").nth(1).expect("the table");
    let cells = table.lines().filter_map(|line| line.strip_prefix("| ")?.split(" | ").next());
    let listed = cells.flat_map(|cell| cell.split('`')).filter_map(|code| {
        let (method, path) = code.split_once(' ')?;
        path.starts_with('/').then(|| format!("{method} {}", path.split('?').next().unwrap_or_default()))
    });
    assert_eq!(listed.collect::<BTreeSet<String>>(), of_document);
}

/// Errors that can be provoked are among the statuses of their operation.
#[test]
fn every_status_is_in_the_document() {
    let home = Home::new(PACKAGE, "[ingest]\nmax_bytes = 1000\n[batch]\nevery = \"100ms\"\n");
    let document = document(&home);
    let node = home.ready();
    let documented = |path: &str, method: &str| {
        let path = path.split('?').next().unwrap_or_default();
        statuses(&document["paths"][path][method])
    };
    let long = format!("/healthz?{}", "a".repeat(9000));
    let event = "{\"at\":\"2026-04-25T10:00:00Z\",\"id\":\"a\",\"n\":1}";
    let (events, total) = ("/v1/sources/events/events", "/v1/metrics/total");
    let large = "x".repeat(2000);
    for (method, path, header, body, status) in [
        ("post", events, ("A", "b"), event, 200),
        ("post", events, ("Idempotency-Key", ""), event, 400),
        ("post", events, ("Content-Type", "text/html"), event, 415),
        ("post", events, ("Content-Type", "text/csv"), "a\nb\n", 422),
        ("post", events, ("Host", "evil.example"), event, 421),
        ("post", events, ("Origin", "http://evil.example"), event, 403),
        ("post", events, ("Expect", "cake"), event, 417),
        ("post", events, ("A", "b"), large.as_str(), 413),
        ("get", total, ("A", "b"), "", 200),
        ("get", "/v1/metrics/total?hash=1f", ("A", "b"), "", 409),
        ("get", "/v1/metrics/total?at=x", ("A", "b"), "", 400),
        ("get", "/healthz", ("Host", "evil.example"), "", 421),
        ("get", "/healthz", ("Origin", "http://evil.example"), "", 403),
        ("get", "/readyz", ("Expect", "cake"), "", 417),
        ("get", long.as_str(), ("A", "b"), "", 414),
        ("get", "/metrics", ("B", large.as_str()), "", 200),
        ("get", "/v1/sources/events/quarantine?partition=7", ("A", "b"), "", 400),
        ("get", "/v1/sources/events/quarantine?limit=3", ("A", "b"), "", 200),
        ("post", "/v1/audit?full=maybe", ("A", "b"), "", 400),
        ("post", "/v1/audit", ("A", "b"), "", 200),
    ] {
        let answer = node.send(&method.to_uppercase(), path, &[header], body.as_bytes()).expect("an answer");
        assert_eq!(answer.status, status, "{method} {path} {header:?}: {}", answer.body);
        assert!(documented(path, method).contains(&status), "{method} {path}: {status}");
    }
    node.until(|node| node.source()["view"] == node.source()["end"]);
    // What an audit answers has the fields and values of its schema.
    let lines =
        node.send("POST", "/v1/audit?full=true", &[], b"").expect("an answer").json()["lines"].clone();
    let schema = &document["paths"]["/v1/audit"]["post"]["responses"]["200"]["content"]["application/json"]["schema"]
        ["properties"]["lines"]["items"];
    let names =
        |value: &Value| value.as_object().expect("an object").keys().cloned().collect::<BTreeSet<_>>();
    let audited = schema["properties"]["audited"]["enum"].as_array().expect("values");
    let mut seen: Vec<&Value> = Vec::new();
    for line in lines.as_array().expect("lines") {
        assert_eq!(names(line), names(&schema["properties"]));
        assert!(audited.contains(&line["audited"]), "{line}");
        seen.push(&line["audited"]);
    }
    assert!(audited.iter().all(|value| seen.contains(&value)), "{seen:?} of {audited:?}");
    for status in [404, 405, 431] {
        let error = &document["components"]["responses"][format!("error_{status}")];
        assert!(error["description"].is_string(), "{status}");
    }
}
