//! Totals, shares and earlier windows beside the rows, and several metrics side by side: asked of a node, of
//! `metricc query` and of `metricc run` with the same words.

use arrow::array::{Array, AsArray};
use arrow::ipc::reader::StreamReader;
use serde_json::{Value, json};

use super::{Home, Node};
use crate::{code, metricc, stderr, succeed};

const PACKAGE: &str = r#"
source events { id: int key  at: timestamp time  country: string  city: string?  user: int }
calendar berlin { zone "Europe/Berlin" }
metric visits = { n: count(), users: distinct(user) } { from events  by country, city  every day in berlin }
metric n = count() { from events  by country  every day in berlin }
metric hourly = count() { from events  by country  every 1h }
metric ratio = { per_user: visits.n / visits.users }
metric ever = count() { from events  by country }
metric sessions = count() { from events  by country  session gap 1h }
metric named = { n: count(), n_share: distinct(user) } { from events  every day in berlin }
metric keyed = count() { from events  let rolled_up = country  by rolled_up }
"#;

/// Days of a change of clocks: the second one has 23 hours.
const EVENTS: [(u32, &str, &str, Option<&str>, u32); 7] = [
    (1, "2026-03-28T10", "IN", Some("Pune"), 1),
    (2, "2026-03-28T11", "IN", None, 1),
    (3, "2026-03-28T12", "DE", Some("Bonn"), 2),
    (4, "2026-03-29T10", "IN", Some("Pune"), 1),
    (5, "2026-03-29T11", "IN", Some("Pune"), 3),
    (6, "2026-03-29T21", "DE", Some("Bonn"), 2),
    (7, "2026-03-29T22", "IN", Some("Pune"), 4),
];

fn events() -> String {
    let line = |(id, at, country, city, user): (u32, &str, &str, Option<&str>, u32)| {
        let at = format!("{at}:30:00Z");
        format!("{}\n", json!({ "id": id, "at": at, "country": country, "city": city, "user": user }))
    };
    EVENTS.map(line).concat()
}

fn node() -> (Home, Node) {
    let home = Home::new(PACKAGE, "[batch]\nevery = \"60s\"\nevents = 3\n");
    let node = home.ready();
    let all = events();
    let lines: Vec<&str> = all.lines().collect();
    for (request, lines) in lines.chunks(3).enumerate() {
        node.post(&format!("r{request}"), &format!("{}\n", lines.join("\n"))).expect("an answer");
    }
    node.catch_up();
    (home, node)
}

fn queried(node: &Node, arguments: &[&str]) -> String {
    let (code, out, said) = node.run(&[&["query"], arguments].concat());
    assert_eq!(code, Some(0), "{arguments:?}: {said}");
    out
}

/// `metricc run` by each engine gives the text that `metricc query` gives.
fn check_runs(home: &Home, node: &Node, question: &[&str]) {
    let log = home.path().join("events.ndjson");
    std::fs::write(&log, events()).expect("a log");
    let (source, package) = (format!("events={}", log.display()), home.path().join("events.metric"));
    let package = package.display().to_string();
    let expected = queried(node, question);
    assert!(expected.lines().count() > 2, "{expected}");
    for engine in ["batch", "stream", "merged"] {
        let start = ["run", &package, "--source", &source, "--engine", engine, "--metric"];
        assert_eq!(succeed(&[&start[..], question].concat()), expected, "{question:?} by {engine}");
    }
}

#[test]
fn totals_stand_beside_the_rows_in_every_format() {
    let (home, node) = node();
    let question = ["visits", "--totals", "country,city", "--share", "n,users:country", "--output", "csv"];
    let csv = queried(&node, &question);
    let expected = "\
window_start,window_end,rolled_up,country,city,n,users,n_share,users_share
2026-03-28T00:00:00+01:00,2026-03-29T00:00:00+01:00,,DE,Bonn,1,1,0.3333333333333333,1.0
2026-03-28T00:00:00+01:00,2026-03-29T00:00:00+01:00,city,DE,,1,1,0.3333333333333333,1.0
2026-03-28T00:00:00+01:00,2026-03-29T00:00:00+01:00,,IN,,1,1,0.3333333333333333,1.0
2026-03-28T00:00:00+01:00,2026-03-29T00:00:00+01:00,,IN,Pune,1,1,0.3333333333333333,1.0
2026-03-28T00:00:00+01:00,2026-03-29T00:00:00+01:00,city,IN,,2,1,0.6666666666666666,1.0
2026-03-28T00:00:00+01:00,2026-03-29T00:00:00+01:00,\"country,city\",,,3,2,1.0,1.0
2026-03-29T00:00:00+01:00,2026-03-30T00:00:00+02:00,,DE,Bonn,1,1,0.3333333333333333,1.0
2026-03-29T00:00:00+01:00,2026-03-30T00:00:00+02:00,city,DE,,1,1,0.3333333333333333,1.0
2026-03-29T00:00:00+01:00,2026-03-30T00:00:00+02:00,,IN,Pune,2,2,0.6666666666666666,1.0
2026-03-29T00:00:00+01:00,2026-03-30T00:00:00+02:00,city,IN,,2,2,0.6666666666666666,1.0
2026-03-29T00:00:00+01:00,2026-03-30T00:00:00+02:00,\"country,city\",,,3,3,1.0,1.0
2026-03-30T00:00:00+02:00,2026-03-31T00:00:00+02:00,,IN,Pune,1,1,1.0,1.0
2026-03-30T00:00:00+02:00,2026-03-31T00:00:00+02:00,city,IN,,1,1,1.0,1.0
2026-03-30T00:00:00+02:00,2026-03-31T00:00:00+02:00,\"country,city\",,,1,1,1.0,1.0
";
    assert_eq!(csv, expected);
    for output in ["csv", "json"] {
        let mut question = question;
        question[6] = output;
        check_runs(&home, &node, &question);
    }
    let path = "/v1/metrics/visits?totals=country,city&share=n,users:country";
    let rows = node.get(path).json()["rows"].clone();
    assert_eq!(rows[0].get("rolled_up"), None);
    assert_eq!(rows[4]["rolled_up"], json!(["city"]));
    assert_eq!(rows[4]["key"], json!({ "country": "IN", "city": null }));
    assert_eq!(rows[5]["rolled_up"], json!(["country", "city"]));
    assert_eq!(rows[4]["value"], json!({ "n": 2, "users": 1 }));
    assert_eq!(rows[4]["beside"], json!({ "n_share": 0.666_666_666_666_666_6, "users_share": 1.0 }));
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_metricc"))
        .args(["query", "visits", "--totals", "country,city", "--output", "arrow"])
        .env("METRICC_NODE", format!("http://{}", node.address))
        .output()
        .expect("the command starts");
    let mut batches = StreamReader::try_new(&output.stdout[..], None).expect("a stream");
    let batch = batches.next().expect("a batch").expect("rows");
    let total = batch.column_by_name("rolled_up").expect("the column").as_string::<i32>();
    assert!(total.is_null(0) && total.value(4) == "city" && total.value(5) == "country,city");
    let table = queried(&node, &["visits", "--totals", "city", "--share", "n", "--latest"]);
    let header = table.lines().find(|line| line.contains("window_start")).expect("a header");
    let names: Vec<&str> = header.split(['│', '┆']).map(str::trim).filter(|name| !name.is_empty()).collect();
    assert_eq!(
        names,
        ["window_start", "window_end", "rolled_up", "country", "city", "n", "users", "n_share"]
    );
    // Pages have each row once, and a cursor is of one question.
    let mut paged: Vec<Value> = Vec::new();
    let mut next = Some(format!("{path}&limit=4"));
    let mut cursor = String::new();
    while let Some(at) = next {
        let page = node.get(&at).json();
        paged.extend(page["rows"].as_array().expect("rows").iter().cloned());
        next = page["next"].as_str().map(|text| format!("{path}&limit=4&cursor={text}"));
        cursor = page["next"].as_str().map_or(cursor, str::to_owned);
    }
    assert_eq!(json!(paged), rows);
    for other in
        ["totals=city,country", "totals=country,city", "totals=country,city&share=n,users", "compare=1"]
    {
        let answer = node.get(&format!("/v1/metrics/visits?{other}&limit=4&cursor={cursor}"));
        assert!(answer.status == 400 && answer.body.contains("of another request"), "{}", answer.body);
    }
}

#[test]
fn values_choose_rows_and_change_no_total() {
    let (_home, node) = node();
    let rows = |question: &str| -> Vec<String> {
        let csv = node.get(&format!("/v1/metrics/visits?format=csv&{question}")).body;
        csv.lines()
            .skip(1)
            .map(|line| line.split_once("00,").expect("cells").1.to_owned())
            .collect::<Vec<_>>()
    };
    let of = |question: &str| -> Vec<String> {
        rows(question)
            .iter()
            .map(|row| row.split_once("00,").map_or(row.clone(), |(_, rest)| rest.to_owned()))
            .collect()
    };
    let day = "from=2026-03-28&to=2026-03-29&by=country";
    assert_eq!(of(&format!("{day}&totals=country&having.n.from=2")), [",IN,2,1", "country,,3,2"]);
    assert_eq!(of(&format!("{day}&totals=country&key.country=IN")), [",IN,2,1", "country,,2,1"]);
    let best = of(&format!("{day}&totals=country&order=-n&per_window=1&share=n"));
    assert_eq!(best, ["country,,3,2,1.0", ",IN,2,1,0.6666666666666666"]);
    let by_share = of(&format!("{day}&share=n&order=-n_share&having.n_share.to=0.5"));
    assert_eq!(by_share, ["DE,1,1,0.3333333333333333"]);
    // A window without events has a share of nothing, and one of the whole has 0.
    let filled =
        of("by=country&from=2026-03-30&to=2026-04-01&fill=true&share=n&totals=country&key.country=IN");
    assert_eq!(filled, [",IN,1,1,1.0", "country,,1,1,1.0", ",IN,0,0,", "country,,0,0,"]);
}

#[test]
fn earlier_windows_stand_beside_later_ones() {
    let (home, node) = node();
    let question = ["n", "--compare", "1", "--totals", "country", "--output", "csv"];
    let expected = "\
window_start,window_end,rolled_up,country,value,value_previous,value_difference,value_ratio
2026-03-28T00:00:00+01:00,2026-03-29T00:00:00+01:00,,DE,1,0,1,
2026-03-28T00:00:00+01:00,2026-03-29T00:00:00+01:00,,IN,2,0,2,
2026-03-28T00:00:00+01:00,2026-03-29T00:00:00+01:00,country,,3,0,3,
2026-03-29T00:00:00+01:00,2026-03-30T00:00:00+02:00,,DE,1,1,0,1.0
2026-03-29T00:00:00+01:00,2026-03-30T00:00:00+02:00,,IN,2,2,0,1.0
2026-03-29T00:00:00+01:00,2026-03-30T00:00:00+02:00,country,,3,3,0,1.0
2026-03-30T00:00:00+02:00,2026-03-31T00:00:00+02:00,,DE,0,1,-1,0.0
2026-03-30T00:00:00+02:00,2026-03-31T00:00:00+02:00,,IN,1,2,-1,0.5
2026-03-30T00:00:00+02:00,2026-03-31T00:00:00+02:00,country,,1,3,-2,0.3333333333333333
";
    assert_eq!(queried(&node, &question), expected);
    check_runs(&home, &node, &question);
    // The earlier window is read also where it lies before the range, and by coarser windows.
    let latest =
        queried(&node, &["n", "--compare", "1", "--latest", "--key", "country=DE", "--output", "csv"]);
    assert!(latest.ends_with("2026-03-31T00:00:00+02:00,DE,0,1,-1,0.0\n"), "{latest}");
    let of_range = ["--from", "2026-03-29", "--to", "2026-03-30", "--output", "csv"];
    let one = queried(&node, &[&["n", "--compare", "1"], &of_range[..]].concat());
    assert_eq!(one.lines().count(), 3);
    assert!(one.ends_with("IN,2,2,0,1.0\n"), "{one}");
    let grain = ["--grain", "day in Europe/Berlin", "--by", "country"];
    let coarse = queried(&node, &[&["hourly", "--compare", "1"], &grain[..], &of_range].concat());
    assert_eq!(coarse.lines().skip(1).map(|line| &line[line.len() - 12..]).collect::<Vec<_>>().len(), 2);
    assert!(coarse.ends_with("IN,2,2,0,1.0\n"), "{coarse}");
    let derived = queried(&node, &["ratio", "--by", "country", "--compare", "1", "--output", "json"]);
    let last: Value = serde_json::from_str(derived.lines().last().expect("a row")).expect("JSON");
    let beside = json!({ "per_user_previous": 1.0, "per_user_difference": 0.0, "per_user_ratio": 1.0 });
    assert_eq!((&last["value"], &last["beside"]), (&json!({ "per_user": 1.0 }), &beside));
    let several = node.get("/v1/read?metric=n&metric=ever&by=&totals=&compare=1");
    assert!(
        several.status == 400 && several.body.contains("`ever` has one row of all time"),
        "{}",
        several.body
    );
    let several = node.get("/v1/read?metric=n&metric=visits&by=country&totals=country&compare=2").json();
    assert_eq!(several["answers"][1]["rows"][2]["rolled_up"], json!(["country"]));
}

#[test]
fn several_metrics_stand_side_by_side() {
    let (_home, node) = node();
    let csv = queried(
        &node,
        &["n", "visits", "ratio", "--by", "country", "--from", "2026-03-30", "--output", "csv"],
    );
    let expected = "\
window_start,window_end,country,n,visits.n,visits.users,ratio.per_user
2026-03-30T00:00:00+02:00,2026-03-31T00:00:00+02:00,IN,1,1,1,1.0
";
    assert_eq!(csv, expected);
    let json = queried(
        &node,
        &["visits", "n", "--by", "country", "--latest", "--totals", "country", "--output", "json"],
    );
    let rows: Vec<Value> = json.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(rows[1]["value"], json!({ "n": 1, "visits": { "n": 1, "users": 1 } }));
    assert_eq!(rows[1]["rolled_up"], json!(["country"]));
    let table = queried(&node, &["n", "visits", "--by", "", "--grain", "all"]);
    assert!(table.contains("n ┆ visits.n ┆ visits.users") && table.contains("7 ┆"), "{table}");
    for (arguments, problem) in [
        (&["n", "visits"][..], "the rows of the first have `country`, those of the second `city`, `country`"),
        (&["n", "hourly", "--by", ""], "their windows differ"),
        (&["n", "visits", "--order", "n"], "`--order` is of one metric, and 2 are given"),
        (&["n", "visits", "--output", "arrow"], "`--output arrow` is of one metric"),
    ] {
        let (code, _, said) = node.run(&[&["query"], arguments].concat());
        assert!(code == Some(2) && said.contains(problem), "{arguments:?}: {said}");
    }
}

#[test]
fn what_has_no_meaning_is_refused_with_a_way_out() {
    let (home, node) = node();
    for (query, problem) in [
        (
            "visits?totals=town",
            "`totals`: the rows of `visits` have no key `town`; they have `country`, `city`",
        ),
        (
            "visits?by=country&totals=city",
            "the rows of `visits` have no key `city`; they have `country`, and `by`",
        ),
        ("visits?totals=city,city", "`totals` names the key `city` twice"),
        ("visits?share=m", "metric `visits` has no value `m`; it has `n`, `users`"),
        ("visits?share=n:town", "`share`: the rows of `visits` have no key `town`"),
        ("visits?share=n,n:country", "the rows of `visits` have `n_share` already"),
        ("named?share=n", "the rows of `named` have `n_share` already"),
        ("sessions?totals=country", "metric `sessions` has sessions"),
        ("sessions?compare=1", "metric `sessions` has sessions"),
        ("ever?compare=1", "metric `ever` has one row of all time for its keys"),
        ("hourly?compare=1&grain=all", "metric `hourly` has one row of all time for its keys"),
        ("hourly?compare=0", "`compare=0` is not a number"),
        (
            "hourly?compare=1&grain=24h&from=2026-03-28T05:00:00Z",
            "use `from=2026-03-28T00:00:00Z` or `from=2026-03-29T00:00:00Z`",
        ),
        (
            "hourly?compare=1&grain=24h&to=2026-03-28T05:00:00Z",
            "`to` leaves out a part of a window of `hourly`",
        ),
        ("keyed?totals=rolled_up&format=csv", "would have two columns `rolled_up`"),
    ] {
        let answer = node.get(&format!("/v1/metrics/{query}"));
        assert!(answer.status == 400 && answer.body.contains(problem), "{query}: {}", answer.body);
    }
    // Rows are counted before any is made: those of totals, of shares and of what is compared.
    let log = home.path().join("events.ndjson");
    std::fs::write(&log, events()).expect("a log");
    let source = format!("events={}", log.display());
    let package = home.path().join("events.metric").display().to_string();
    let start = ["run", &package, "--source", &source, "--output", "csv", "--metric"];
    for (question, n_made) in [
        (&["n", "--totals", "country"][..], 5 + 3),
        (&["n", "--share", "value"], 5 + 3),
        (&["n", "--compare", "1"], 2 * 5),
        (&["n", "--compare", "1", "--totals", "country", "--share", "value"], 2 * (5 + 3) + 3),
        (&["ratio", "--totals", "city"], 6 + 5),
    ] {
        let least = format!("{}", n_made - 1);
        let output = metricc(&[&start[..], question, &["--max-rows", &least]].concat());
        let said = stderr(&output);
        assert_eq!(code(&output), 2, "{question:?}: {said}");
        assert!(
            said.contains(&format!("has about {n_made} rows here with those of totals")),
            "{question:?}: {said}"
        );
        succeed(&[&start[..], question, &["--max-rows", &n_made.to_string()]].concat());
    }
}
