//! Readers of some metrics, and of some rows of them.

use serde_json::Value;

use super::{Answer, Home, Node};

const PACKAGE: &str = "
source events { id: string key  at: timestamp time  country: string?  shop: int  amount: decimal(12, 2) }
calendar utc { zone \"UTC\", week monday }
metric revenue = sum(amount) { from events  by country, shop  every 1h }
metric orders = count() { from events  by country, shop  every 1h }
metric shops = distinct(shop) { from events }
metric stock = count() { from events  by shop }
metric per_order = revenue / orders { by shop  every day in utc }
metric secret = count() { from events  by country }
";
const CONFIG: &str = "
[tokens]
ingest = [\"env:I\"]
query = [\"env:Q\"]
admin = [\"env:A\"]

[readers.india]
tokens = [\"env:R\"]
metrics = [\"revenue\", \"order*\", \"per_order\", { name = \"stock\", where = 'shop == 1' }]
where = 'country == \"IN\"'

[readers.board]
tokens = [\"env:B\"]
metrics = [\"shops\"]
";
/// What a country has, and what others must not see.
const INDIAN: [&str; 3] = [
    r#"{"id":"a","at":"2026-04-25T10:00:00Z","country":"IN","shop":1,"amount":"7.50"}"#,
    r#"{"id":"b","at":"2026-04-25T11:00:00Z","country":"IN","shop":2,"amount":"0.50"}"#,
    r#"{"id":"c","at":"2026-04-26T11:00:00Z","country":"IN","shop":1,"amount":"3.00"}"#,
];
const OTHERS: [&str; 3] = [
    r#"{"id":"d","at":"2026-04-25T10:00:00Z","country":"FR","shop":1,"amount":"1000.00"}"#,
    r#"{"id":"e","at":"2026-04-27T10:00:00Z","country":"FR","shop":9,"amount":"2000.00"}"#,
    r#"{"id":"f","at":"2026-04-25T11:30:00Z","country":null,"shop":9,"amount":"4000.00"}"#,
];

fn token(letter: char) -> String {
    letter.to_string().repeat(43)
}

fn started(home: &Home) -> Node {
    let mut command = home.command();
    for letter in ["I", "Q", "A", "R", "B"] {
        command.env(letter, token(letter.chars().next().expect("a letter")));
    }
    let node = home.start_with(command);
    let ready = |node: &Node| node.get("/readyz").status == 200;
    let end = std::time::Instant::now() + super::TIMEOUT;
    while !ready(&node) {
        assert!(std::time::Instant::now() < end, "the node is not ready");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    node
}

fn as_reader(node: &Node, letter: char, method: &str, path: &str, body: &str) -> Answer {
    let header = format!("Bearer {}", token(letter));
    node.send(method, path, &[("Authorization", &header)], body.as_bytes()).expect("an answer")
}

fn get(node: &Node, letter: char, path: &str) -> Answer {
    as_reader(node, letter, "GET", path, "")
}

/// A node with some events, which it serves.
fn with_events(home: &Home, lines: &[&str]) -> Node {
    let node = started(home);
    let sent = as_reader(&node, 'I', "POST", "/v1/sources/events/events", &(lines.join("\n") + "\n"));
    assert_eq!(sent.status, 200, "{}", sent.body);
    let covered = format!("/v1/sources/events/served?min_frontier={}", lines.len());
    assert_eq!(get(&node, 'I', &covered).status, 200);
    node
}

fn rows(answer: &Answer) -> Vec<Value> {
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.json()["rows"].as_array().expect("rows").clone()
}

#[test]
fn a_reader_sees_its_rows_at_every_route_and_no_other() {
    let home = Home::new(PACKAGE, CONFIG);
    let all = [&INDIAN[..], &OTHERS[..]].concat();
    let node = with_events(&home, &all);
    let alone = Home::new(PACKAGE, CONFIG);
    let indian = with_events(&alone, &INDIAN);
    for path in [
        "revenue",
        "orders",
        "per_order",
        "orders?by=&grain=day+in+utc",
        "revenue?by=shop&grain=all",
        "revenue?latest=true",
        "orders?latest=true&by=",
        "revenue?key.country=FR",
        "revenue?key.country=IN&key.shop=1",
        "per_order?fill=true",
        "revenue?order=-value&per_window=1",
        "orders?having.value.from=1",
    ] {
        let path = format!("/v1/metrics/{path}");
        assert_eq!(rows(&get(&node, 'R', &path)), rows(&get(&indian, 'Q', &path)), "{path}");
    }
    for format in ["csv", "arrow"] {
        let path = format!("/v1/metrics/revenue?format={format}");
        let (found, expected) = (get(&node, 'R', &path), get(&indian, 'Q', &path));
        assert_eq!((found.status, found.body), (200, expected.body), "{format}");
    }
    let stock = rows(&get(&node, 'R', "/v1/metrics/stock"));
    assert!(stock.len() == 1 && stock[0]["key"]["shop"] == 1 && stock[0]["value"] == 3, "{stock:?}");
    let several = get(&node, 'R', "/v1/read?metric=revenue&metric=orders&receipt=true");
    let explained = get(&node, 'R', "/v1/metrics/per_order/explain-value");
    let past = get(&node, 'R', "/v1/metrics/revenue?at=6&receipt=true");
    for answer in [&several, &explained, &past] {
        assert_eq!(answer.status, 200, "{}", answer.body);
        let filter = "\"filter\":\"country == \\\"IN\\\"\"";
        assert!(answer.body.contains(filter) && !answer.body.contains("000.00"), "{}", answer.body);
        assert!(!answer.body.contains("\"FR\""), "{}", answer.body);
    }
    let receipt = get(&node, 'Q', "/v1/metrics/revenue?receipt=true");
    assert!(receipt.body.contains("\"FR\"") && !receipt.body.contains("\"filter\""), "{}", receipt.body);
}

#[test]
fn live_rows_are_those_of_the_reader() {
    use std::io::{BufRead, BufReader, Write};

    let home = Home::new(PACKAGE, CONFIG);
    let node = with_events(&home, &[&INDIAN[..], &OTHERS[..]].concat());
    let read = |letter: char| {
        let mut stream = std::net::TcpStream::connect(&node.address).expect("a connection");
        stream.set_read_timeout(Some(super::TIMEOUT)).expect("a time limit");
        let (host, token) = (&node.address, token(letter));
        write!(
            stream,
            "GET /v1/metrics/orders/live HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n\r\n"
        )
        .expect("a request");
        let mut lines = BufReader::new(stream).lines();
        lines.find_map(|line| line.ok().filter(|line| line.starts_with("data:"))).expect("an event")
    };
    // Whoever subscribes first, each gets the rows of its own.
    let (of_all, of_reader) = (read('Q'), read('R'));
    assert!(of_all.contains("\"FR\"") && of_all.contains("\"IN\""), "{of_all}");
    assert!(of_reader.contains("\"IN\"") && !of_reader.contains("\"FR\""), "{of_reader}");
}

#[test]
fn what_a_reader_may_not_read_is_not_there() {
    let home = Home::new(PACKAGE, CONFIG);
    let node = with_events(&home, &[&INDIAN[..], &OTHERS[..]].concat());
    let listed = get(&node, 'R', "/v1/metrics").json();
    let names: Vec<&str> =
        listed["metrics"].as_array().expect("metrics").iter().filter_map(|of| of["name"].as_str()).collect();
    assert_eq!(names, ["orders", "revenue", "stock", "per_order"]);
    assert!(listed["metrics"][0].get("cost").is_none_or(Value::is_null), "{listed}");
    let (hidden, absent) = (get(&node, 'R', "/v1/metrics/secret"), get(&node, 'R', "/v1/metrics/secreT"));
    assert_eq!((hidden.status, absent.status), (404, 404));
    assert_eq!(hidden.body, absent.body.replace("secreT", "secret"), "nothing tells them apart");
    for path in [
        "/v1/metrics/secret/explain-value",
        "/v1/metrics/secret/live",
        "/v1/read?metric=orders&metric=secret",
        "/v1/metrics/shops?hash=00000000",
    ] {
        assert_eq!(get(&node, 'R', path).status, 404, "{path}");
    }
    assert_eq!(rows(&get(&node, 'B', "/v1/metrics/shops"))[0]["value"], 3);
    assert_eq!(get(&node, 'B', "/v1/metrics/orders").status, 404);
    for (method, path) in [
        ("GET", "/v1/sources"),
        ("GET", "/v1/package"),
        ("GET", "/v1/package/diff"),
        ("GET", "/metrics"),
        ("GET", "/v1/sources/events/quarantine"),
        ("GET", "/v1/sources/events/requests"),
        ("GET", "/v1/sources/events/served?min_frontier=1"),
        ("POST", "/v1/sources/events/events"),
        ("POST", "/v1/package"),
        ("POST", "/v1/audit"),
    ] {
        let answer = as_reader(&node, 'R', method, path, "");
        assert_eq!(answer.status, 403, "{method} {path}: {}", answer.body);
    }
    let told = get(&node, 'R', "/v1/sources").body;
    assert!(told.contains("one of a reader of some metrics"), "{told}");
}

#[test]
fn a_cursor_of_one_reader_is_of_no_other() {
    let home = Home::new(PACKAGE, CONFIG);
    let node = with_events(&home, &[&INDIAN[..], &OTHERS[..]].concat());
    let next = |letter: char| {
        get(&node, letter, "/v1/metrics/orders?limit=1").json()["next"].as_str().expect("a cursor").to_owned()
    };
    for (of, by) in [('R', 'Q'), ('Q', 'R')] {
        let path = format!("/v1/metrics/orders?limit=1&cursor={}", next(of));
        assert_eq!(get(&node, of, &path).status, 200);
        let refused = get(&node, by, &path);
        assert_eq!(refused.status, 400, "{}", refused.body);
        assert!(refused.body.contains("`cursor` is of another request"), "{}", refused.body);
    }
}

fn refused(config: &str, package: &str) -> String {
    let home = Home::new(package, config);
    let output = home.command().env("R", token('R')).env("Q", token('R')).output().expect("it ends");
    assert_eq!(output.status.code(), Some(2));
    assert!(!home.path().join("metricc-data/log").exists(), "nothing was opened");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_condition_that_does_not_fit_a_metric_is_refused_at_the_start() {
    let reader = |metrics: &str, filter: &str| {
        let config =
            format!("[readers.india]\ntokens = [\"env:R\"]\nmetrics = [{metrics}]\nwhere = '{filter}'\n");
        refused(&config, PACKAGE)
    };
    for (metrics, filter, expected) in [
        ("\"*\"", "country == \"IN\"", "`stock` has no key `country`"),
        ("\"shops\"", "country == \"IN\"", "it has no keys"),
        ("\"orders\"", "contry == \"IN\"", "did you mean `country`?"),
        ("\"orders\"", "country", "`where` takes `bool`"),
        ("\"orders\"", "country == 7", "readers.india"),
        ("\"orders\"", "country == ", "the condition ends too early"),
        ("\"orders\"", "amount > 3", "its keys are `country`"),
        ("\"per_order\"", "contry == \"IN\"", "which is computed from `revenue`"),
        ("\"orders\"", "country == \"IN\" } metric x = count() { from events", "unexpected `}`"),
    ] {
        let said = reader(metrics, filter);
        assert!(said.contains(expected) && said.contains("`where` of `readers.india`"), "{filter}: {said}");
    }
    let said = refused("[readers.a]\ntokens = []\nmetrics = [\"*\"]\n", PACKAGE);
    assert!(said.contains("`readers.a.tokens` has no token"), "{said}");
    let both = "[tokens]\nquery = [\"env:Q\"]\n[readers.a]\ntokens = [\"env:R\"]\nmetrics = [\"*\"]\n";
    let said = refused(both, PACKAGE);
    assert!(said.contains("is the same as one of `tokens.query 1`"), "{said}");
}

#[test]
fn a_version_that_a_condition_does_not_fit_is_not_deployed() {
    let home = Home::new(PACKAGE, CONFIG);
    let node = with_events(&home, &INDIAN);
    std::fs::write(home.path().join("admin.token"), token('A')).expect("a token");
    let token_file = home.path().join("admin.token").display().to_string();
    let deploy = |text: String| {
        let path = home.path().join("next.metric");
        std::fs::write(&path, text).expect("a package");
        node.run(&["deploy", &path.display().to_string(), "--token-file", &token_file])
    };
    let without =
        PACKAGE.replace("count() { from events  by country, shop ", "count() { from events  by shop ");
    let (code, _, said) = deploy(without);
    assert!(code != Some(0) && said.contains("`orders` has no key `country`"), "{code:?}: {said}");
    assert_eq!(rows(&get(&node, 'R', "/v1/metrics/orders")).len(), 3, "the version before is live");
    let (code, _, said) =
        deploy(format!("{PACKAGE}metric order_sizes = max(amount) {{ from events  by country }}\n"));
    assert_eq!(code, Some(0), "{said}");
    let end = std::time::Instant::now() + super::TIMEOUT;
    while get(&node, 'R', "/v1/metrics/order_sizes").status != 200 {
        assert!(std::time::Instant::now() < end, "the new metric is not served");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    assert_eq!(rows(&get(&node, 'R', "/v1/metrics/order_sizes")).len(), 1);
}
