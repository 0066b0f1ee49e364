//! Questions that no metric declares: other keys, conditions, order and limits, asked of a node, of `metricc
//! query` and of `metricc run` with the same words.

use serde_json::{Value, json};

use super::{Home, Node};
use crate::{code, metricc, stderr, succeed};

/// Each of the last metrics is defined as a question about one of the first is asked.
const PACKAGE: &str = r#"
source events { id: int key  at: timestamp time  country: string  plan: string?  user: int  ms: float }
metric visits = { n: count(), users: distinct(user), p90: p90(ms), mean: mean(ms) } {
  from events  by country, plan  every 24h
}
metric slow = count() { from events where ms > 50  by plan, country  every 24h }
metric share = { slow: slow / visits.n, users: visits.users }
metric sessions = count() { from events  by user, country  session gap 1h }
metric by_plan = { n: count(), users: distinct(user), p90: p90(ms), mean: mean(ms) } {
  from events where country == "IN" or country == "DE"  by plan  every 24h
}
metric of_all = { n: count(), users: distinct(user), p90: p90(ms), mean: mean(ms) } { from events  every 24h }
metric slow_by_plan = count() { from events where ms > 50 and country != "US"  by plan  every 24h }
metric n_by_plan = { n: count(), users: distinct(user) } {
  from events where country != "US"  by plan  every 24h
}
metric share_by_plan = { slow: slow_by_plan / n_by_plan.n, users: n_by_plan.users }
"#;

fn events() -> String {
    let line = |n: u32| {
        let country = ["IN", "DE", "US", "IT"][(n * 7 % 11 % 4) as usize];
        let plan = [json!("pro"), json!("free"), Value::Null][(n % 3) as usize].clone();
        let (day, hour) = (1 + n % 5, n % 24);
        let event = json!({
            "id": n, "at": format!("2026-04-{day:02}T{hour:02}:00:00Z"),
            "country": country, "plan": plan, "user": n * n % 17, "ms": f64::from(n * 37 % 101) / 1.5,
        });
        format!("{event}\n")
    };
    (0..400).map(line).collect()
}

fn node() -> (Home, Node) {
    let home = Home::new(PACKAGE, "[batch]\nevery = \"60s\"\nevents = 150\n");
    let node = home.ready();
    let all = events();
    let lines: Vec<&str> = all.lines().collect();
    for (request, lines) in lines.chunks(100).enumerate() {
        node.post(&format!("r{request}"), &format!("{}\n", lines.join("\n"))).expect("an answer");
    }
    node.catch_up();
    (home, node)
}

/// The rows of a metric without its name, as `metricc query` prints them.
fn queried(node: &Node, arguments: &[&str]) -> Vec<Value> {
    let (code, out, said) = node.run(&[&["query"], arguments, &["--output", "json"]].concat());
    assert_eq!(code, Some(0), "{arguments:?}: {said}");
    unnamed(&out)
}

fn unnamed(lines: &str) -> Vec<Value> {
    let row = |line: &str| {
        let mut row: Value = serde_json::from_str(line).expect("a row");
        row.as_object_mut().expect("an object").remove("metric");
        row
    };
    lines.lines().map(row).collect()
}

#[test]
fn rows_by_other_keys_are_those_of_metrics_that_are_defined_so() {
    let (home, node) = node();
    let log = home.path().join("events.ndjson");
    std::fs::write(&log, events()).expect("a log");
    let source = format!("events={}", log.display());
    let package = home.path().join("events.metric").display().to_string();
    for (question, defined) in [
        (&["visits", "--by", "plan", "--key", "country=IN", "--key", "country=DE"][..], "by_plan"),
        (&["visits", "--by", ""], "of_all"),
        (&["share", "--by", "plan", "--key", "country.not=US"], "share_by_plan"),
        (&["slow", "--by", "plan", "--key", "country.not=US"], "slow_by_plan"),
        (&["visits", "--by", "country,plan"], "visits"),
    ] {
        let expected = queried(&node, &[defined]);
        assert!(expected.len() > 4, "{defined}");
        assert_eq!(queried(&node, question), expected, "{question:?}");
        let range = ["--from", "2026-04-02", "--to", "2026-04-04"];
        let of_range = queried(&node, &[question, &range].concat());
        assert_eq!(of_range, queried(&node, &[&[defined][..], &range].concat()), "{question:?}");
        let latest = queried(&node, &[question, &["--latest"]].concat());
        assert_eq!(latest, queried(&node, &[defined, "--latest"]), "{question:?}");
        let month = queried(&node, &[question, &["--grain", "all"]].concat());
        assert_eq!(month, queried(&node, &[defined, "--grain", "all"]), "{question:?}");
        let run = |metric: &str, more: &[&str]| {
            let start = ["run", &package, "--source", &source, "--output", "json", "--metric", metric];
            unnamed(&succeed(&[&start[..], more].concat()))
        };
        assert_eq!(run(question[0], &question[1..]), expected, "{question:?}");
        for engine in ["batch", "stream"] {
            let more = [&question[1..], &["--engine", engine, "--latest"]].concat();
            assert_eq!(run(question[0], &more), latest, "{question:?} by {engine}");
        }
    }
    let swapped = queried(&node, &["visits", "--by", "plan,country"]);
    let keys = |row: &Value| row["key"].as_object().expect("keys").keys().cloned().collect::<Vec<_>>();
    assert_eq!(swapped.len(), queried(&node, &["visits"]).len());
    assert!(swapped.iter().all(|row| keys(row) == ["plan", "country"] || keys(row) == ["country", "plan"]));
}

#[test]
fn rows_are_chosen_ordered_and_limited_by_their_values() {
    let (_home, node) = node();
    let all = queried(&node, &["visits"]);
    let n = |row: &Value| row["value"]["n"].as_u64().expect("a count");
    let largest = queried(&node, &["visits", "--order", "-n,country", "--per-window", "2"]);
    assert_eq!(largest.len(), 10, "two of each of five days");
    for (two, day) in largest.chunks(2).zip(1..) {
        let start = format!("2026-04-{day:02}T00:00:00Z");
        assert!(two.iter().all(|row| row["window"]["start"] == json!(start)), "{two:?}");
        let of_day = all.iter().filter(|row| row["window"]["start"] == json!(start));
        assert_eq!(Some(n(&two[0])), of_day.map(n).max());
        assert!(n(&two[0]) >= n(&two[1]));
    }
    let few = queried(&node, &["visits", "--having", "n.from=8", "--having", "users.to=8"]);
    let expected = all.iter().filter(|row| n(row) >= 8 && row["value"]["users"].as_u64() < Some(8));
    assert_eq!(few, expected.cloned().collect::<Vec<_>>());
    assert!(!few.is_empty() && few.len() < all.len());
    let without = queried(&node, &["visits", "--key", "plan=null", "--key", "country.prefix=I"]);
    let is_so = |row: &&Value| {
        row["key"]["plan"].is_null() && ["IN", "IT"].iter().any(|c| row["key"]["country"] == *c)
    };
    assert_eq!(without, all.iter().filter(is_so).cloned().collect::<Vec<_>>());
    // Pages of an order are of one frontier, and together all rows.
    let ordered = node.get("/v1/metrics/visits?order=-p90,window_start").json()["rows"].clone();
    let mut paged: Vec<Value> = Vec::new();
    let mut path = "/v1/metrics/visits?order=-p90,window_start&limit=7".to_owned();
    loop {
        let page = node.get(&path).json();
        paged.extend(page["rows"].as_array().expect("rows").iter().cloned());
        let Some(next) = page["next"].as_str() else { break };
        path = format!("/v1/metrics/visits?order=-p90,window_start&limit=7&cursor={next}");
    }
    assert_eq!(json!(paged), ordered);
    assert_eq!(queried(&node, &["visits", "--order", ""]), all, "no order");
    let csv = node.get("/v1/metrics/visits?by=plan&order=-n&per_window=1&format=csv").body;
    assert!(csv.starts_with("window_start,window_end,plan,n,users,p90,mean\n"), "{csv}");
    assert_eq!(csv.lines().count(), 6);
}

#[test]
fn windows_without_events_have_the_value_of_none() {
    let home = Home::new(
        "source events { id: int key  at: timestamp time  k: string  x: int }\n\
         calendar india { zone \"Asia/Kolkata\" }\n\
         metric daily = { n: count(), top: max(x) } { from events  by k  every day in india }\n\
         metric hourly = count() { from events  every 1h }\n\
         metric last_hours = sum(x) { from events  over last 3h step 1h }\n\
         metric ratio = { r: daily.top / daily.n, n: daily.n }\n\
         metric ever = count() { from events }\n",
        "",
    );
    let node = home.ready();
    let line = |(id, at, k, x): (u32, &str, &str, u32)| {
        format!("{{\"id\":{id},\"at\":\"2026-04-{at}:30:00Z\",\"k\":\"{k}\",\"x\":{x}}}\n")
    };
    let events = [(1, "02T03", "b", 4), (2, "02T06", "a", 2), (3, "05T01", "a", 9)];
    node.post("r", &events.map(line).concat()).expect("an answer");
    node.catch_up();
    let daily = queried(&node, &["daily", "--fill"]);
    let day = |n: u32| json!({ "start": format!("2026-04-{n:02}T00:00:00+05:30"), "end": format!("2026-04-{:02}T00:00:00+05:30", n + 1) });
    let row = |n: u32, k: &str, count: u32, top: Value| json!({ "key": { "k": k }, "window": day(n), "value": { "n": count, "top": top } });
    let expected = [
        row(2, "a", 1, json!(2)),
        row(2, "b", 1, json!(4)),
        row(3, "a", 0, json!(null)),
        row(3, "b", 0, json!(null)),
        row(4, "a", 0, json!(null)),
        row(4, "b", 0, json!(null)),
        row(5, "a", 1, json!(9)),
        row(5, "b", 0, json!(null)),
    ];
    assert_eq!(daily, expected);
    // A range gives the first and the last window, and a condition the keys.
    let april = ["--from", "2026-04-01", "--to", "2026-04-05", "--fill", "--key", "k=b"];
    let of_b = queried(&node, &[&["daily"], &april[..]].concat());
    let days: Vec<&Value> = of_b.iter().map(|row| &row["window"]).collect();
    assert_eq!(days, [&day(1), &day(2), &day(3), &day(4)]);
    assert_eq!(of_b[1], row(2, "b", 1, json!(4)));
    let none = queried(&node, &["daily", "--fill", "--having", "n=0", "--by", ""]);
    assert_eq!(none.iter().map(|row| &row["window"]).collect::<Vec<_>>(), [&day(3), &day(4)]);
    let ratio = queried(&node, &["ratio", "--fill", "--key", "k=b"]);
    let values: Vec<&Value> = ratio.iter().map(|row| &row["value"]).collect();
    assert_eq!(values, [&json!({ "r": 4.0, "n": 1 })], "from the first to the last window of these keys");
    let ratio = queried(&node, &["ratio", "--fill", "--from", "2026-04-04", "--to", "2026-04-06"]);
    let values: Vec<String> = ratio.iter().map(|row| row["value"].to_string()).collect();
    assert_eq!(
        values,
        [r#"{"r":null,"n":0}"#, r#"{"r":9.0,"n":1}"#]
            .map(|v| serde_json::from_str::<Value>(v).expect("JSON").to_string())
    );
    assert_eq!(queried(&node, &["hourly", "--fill"]).len(), 71);
    let weeks = queried(
        &node,
        &["hourly", "--fill", "--grain", "24h", "--from", "2026-04-01T12:00:00Z", "--to", "2026-04-04"],
    );
    let values: Vec<String> =
        weeks.iter().map(|row| format!("{} {}", row["value"], row["window"]["partial"])).collect();
    assert_eq!(values, ["0 true", "2 null", "0 null"]);
    // Windows of three hours that hold an event are there; between them lie those that hold none.
    let sliding = queried(&node, &["last_hours", "--fill"]);
    let held = queried(&node, &["last_hours"]);
    assert!(held.len() < sliding.len() && held.iter().all(|row| sliding.contains(row)));
    assert!(sliding.iter().filter(|row| !held.contains(row)).all(|row| row["value"] == 0), "{sliding:?}");
    for (query, problem) in [
        ("ever?fill=true", "metric `ever` has no windows between which others could lie"),
        ("daily?fill=true&latest=true", "`fill` is of all windows, and `latest` of one"),
    ] {
        let answer = node.get(&format!("/v1/metrics/{query}"));
        assert!(answer.status == 400 && answer.body.contains(problem), "{query}: {}", answer.body);
    }
    // Rows are counted before any is made.
    let many = node.get("/v1/metrics/hourly?fill=true&from=0001-01-01&to=9999-01-01&limit=1");
    let error = &many.json()["error"];
    assert_eq!(
        (many.status, &error["code"], &error["rows"]),
        (422, &json!("too_many_rows"), &json!(87_640_656))
    );
    let said = error["message"].as_str().expect("a message");
    assert!(said.contains("it asks to `fill`") && !said.contains("`latest`"), "{said}");
    let log = home.path().join("events.ndjson");
    std::fs::write(&log, events.map(line).concat()).expect("a log");
    let (package, source) = (home.path().join("events.metric"), format!("events={}", log.display()));
    let package = package.display().to_string();
    let start = ["run", &package, "--source", &source, "--metric", "hourly", "--fill", "--output", "csv"];
    let said = stderr(&metricc(&[&start[..], &["--max-rows", "70"]].concat()));
    assert!(
        said.contains("`hourly` has about 71 rows here with `--fill`") && said.contains("allows 70"),
        "{said}"
    );
    assert_eq!(succeed(&[&start[..], &["--max-rows", "71"]].concat()).lines().count(), 72);
}

#[test]
fn a_run_refuses_a_question_before_it_reads_the_log() {
    let home = Home::new(PACKAGE, "");
    let package = home.path().join("events.metric").display().to_string();
    let start = ["run", &package, "--source", "events=no-such-log.ndjson"];
    for (more, problem) in [
        (&["--metric", "visits", "--by", "city"][..], "metric `visits` has no key `city`"),
        (&["--metric", "visits", "--order", "visits"], "are not ordered by `visits`"),
        (&["--metric", "visits", "--grain", "weak"], "metric `visits`: --grain:"),
        (&["--by", "city"], "has no key `city`"),
        (&["--by", "country"], "no-such-log.ndjson"),
        (&["--order", ""], "no-such-log.ndjson"),
    ] {
        let output = metricc(&[&start[..], more].concat());
        let said = stderr(&output);
        assert_eq!(code(&output), 2, "{more:?}: {said}");
        assert!(said.contains(problem), "{more:?}: {said}");
        assert_eq!(said.contains("no-such-log"), problem.contains("no-such-log"), "{more:?}: {said}");
    }
}

#[test]
fn questions_that_rows_cannot_answer_say_what_there_is() {
    let (_home, node) = node();
    for (query, problem) in [
        ("visits?by=city", "metric `visits` has no key `city`; it has `country`, `plan`"),
        ("visits?by=plan,plan", "`by` names the key `plan` twice"),
        ("visits?order=-visits", "the rows of `visits` are not ordered by `visits`: they have `n`, `users`"),
        ("visits?by=plan&order=country", "are not ordered by `country`"),
        ("visits?having.count=3", "metric `visits` has no value `count`; it has `n`, `users`"),
        ("visits?having.n.prefix=3", "the value `n`, which is `int`, has no prefix: only strings have"),
        ("visits?key.plan=pro&key.plan.from=a", "`plan` is given with values and with a range"),
        ("visits?per_window=0", "`per_window=0` is not a number of rows"),
        ("visits?by=plan&by=country", "the parameter `by` is given twice"),
        ("sessions?by=country", "has sessions of each key, which cannot be merged"),
    ] {
        let answer = node.get(&format!("/v1/metrics/{query}"));
        assert!(answer.status == 400 && answer.body.contains(problem), "{query}: {}", answer.body);
    }
    let several = node.get("/v1/read?metric=visits&metric=of_all&order=n");
    assert!(
        several.status == 400 && several.body.contains("there is no parameter `order`"),
        "{}",
        several.body
    );
    let explained = node.get("/v1/metrics/share/explain-value?by=plan&key.country=IN").json();
    for part in explained["of"].as_array().expect("base metrics").iter().flat_map(|of| of["parts"].as_array())
    {
        let rows = part.iter().flat_map(|part| part["rows"].as_array().expect("rows"));
        rows.for_each(|row| assert!(row["key"].get("plan").is_some() && row["key"].get("country").is_none()));
    }
}
