//! Derived metrics in every command.

use super::{code, metricc, stderr, stdout, succeed};

const PACKAGE: &str = r#"source orders { id: int key  at: timestamp time  shop: string  country: string?  amount: decimal(8, 2)  paid: bool }
source views { id: int key  at: timestamp time  shop: string }
calendar berlin { zone "Europe/Berlin" }
calendar apia { zone "Pacific/Apia" }
metric placed = count() { from orders  by shop  every day in berlin }
metric revenue = sum(amount) { from orders  where paid  by shop  every day in berlin }
metric seen = count() { from views  by shop  every day in berlin }
metric shares = { top: max(amount), n: count() } { from orders  by country, shop  every 1h }
metric total = sum(amount) { from orders }
metric viewed = count() { from views }
metric daily = count() { from orders  every day in apia }
metric last_day = count() { from orders  over last 24h step 12h }

/// Money per order.
metric ticket = revenue / placed { unit "EUR" }
metric growth = revenue - revenue offset 1 day
metric conversion = placed / seen { unit percent }
metric monthly = { ticket: revenue / placed, orders: placed } { every month in berlin }
metric by_country = shares.n { by country  every 2h }
metric per_view = total / viewed
metric yesterday = daily offset 1 day
metric change = last_day - last_day offset 24h

test "a row of any makes a row, and the others count as empty" {
  given orders [
    { id: 1, at: "2026-04-25T10:00:00Z", shop: "a", amount: 10.00, paid: true },
    { id: 2, at: "2026-04-25T11:00:00Z", shop: "a", amount: 5.00, paid: false },
    { id: 3, at: "2026-04-25T22:00:00Z", shop: "b", amount: 4.00, paid: true, country: "DE" },
    { id: 4, at: "2026-04-27T12:00:00Z", shop: "b", amount: 1.00, paid: false },
  ]
  given views [
    { id: 1, at: "2026-04-25T09:00:00Z", shop: "a" },
    { id: 2, at: "2026-04-25T09:30:00Z", shop: "a" },
    { id: 3, at: "2026-04-25T09:30:00Z", shop: "c" },
    { id: 4, at: "2026-04-25T09:30:00Z", shop: "a" },
    { id: 5, at: "2026-04-25T09:30:00Z", shop: "a" },
  ]
  expect ticket [
    { day: "2026-04-25", shop: "a", value: 5 },
    { day: "2026-04-26", shop: "b", value: 4 },
    { day: "2026-04-27", shop: "b", value: 0 },
  ]
  expect growth [
    { day: "2026-04-25", shop: "a", value: 10.00 },
    { day: "2026-04-26", shop: "a", value: -10.00 },
    { day: "2026-04-26", shop: "b", value: 4.00 },
  ]
  expect conversion [
    { day: "2026-04-25", shop: "a", value: 0.5 },
    { day: "2026-04-25", shop: "c", value: 0 },
    { day: "2026-04-26", shop: "b", value: none },
    { day: "2026-04-27", shop: "b", value: none },
  ]
  expect monthly [
    { month: "2026-04-01", shop: "a", ticket: 5, orders: 2 },
    { month: "2026-04-01", shop: "b", ticket: 2, orders: 2 },
  ]
  expect by_country [
    { start: "2026-04-25T10:00:00Z", country: none, value: 2 },
    { start: "2026-04-25T22:00:00Z", country: "DE", value: 1 },
    { start: "2026-04-27T12:00:00Z", country: none, value: 1 },
  ]
  expect per_view [{ value: 4 }]
  expect change [
    { end: "2026-04-25T12:00:00Z", value: 2 },
    { end: "2026-04-26T00:00:00Z", value: 3 },
    { end: "2026-04-26T12:00:00Z", value: -1 },
    { end: "2026-04-27T00:00:00Z", value: -3 },
    { end: "2026-04-27T12:00:00Z", value: -1 },
    { end: "2026-04-28T00:00:00Z", value: 1 },
    { end: "2026-04-28T12:00:00Z", value: 1 },
  ]
}

test "of nothing there is one row for all, and none for windows" {
  given orders []
  given views []
  expect per_view [{ value: none }]
  expect ticket []
  expect growth []
}

test "a day that Samoa skipped is no day before" {
  given orders [
    { id: 1, at: "2011-12-29T20:00:00Z", shop: "a", amount: 1, paid: true },
    { id: 2, at: "2011-12-30T20:00:00Z", shop: "a", amount: 1, paid: true },
    { id: 3, at: "2011-12-31T20:00:00Z", shop: "a", amount: 1, paid: true },
  ]
  expect daily [
    { day: "2011-12-29", value: 1 },
    { day: "2011-12-31", value: 1 },
    { day: "2012-01-01", value: 1 },
  ]
  expect yesterday [{ day: "2012-01-01", value: 1 }, { day: "2012-01-02", value: 1 }]
}
"#;

const ORDERS: &str = "\
{\"id\":1,\"at\":\"2026-04-25T10:00:00Z\",\"shop\":\"a\",\"amount\":10.00,\"paid\":true}
{\"id\":2,\"at\":\"2026-04-25T11:00:00Z\",\"shop\":\"a\",\"amount\":5.00,\"paid\":false}
{\"id\":3,\"at\":\"2026-04-25T22:00:00Z\",\"shop\":\"b\",\"amount\":4.00,\"paid\":true}
";

fn package() -> (tempfile::TempDir, String, String) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    std::fs::write(path("shop.metric"), PACKAGE).expect("it is written");
    std::fs::write(path("orders.ndjson"), ORDERS).expect("it is written");
    let (file, source) = (path("shop.metric"), format!("orders={}", path("orders.ndjson")));
    (folder, file, source)
}

#[test]
fn tests_of_derived_metrics_pass_at_every_cut() {
    let (_folder, file, _) = package();
    let output = metricc(&["test", &file]);
    assert_eq!(code(&output), 0, "{}{}", stdout(&output), stderr(&output));
}

#[test]
fn only_the_operands_of_a_derived_metric_are_computed() {
    let (_folder, file, source) = package();
    let ticket = |engine: &str| {
        succeed(&[
            "run", &file, "--source", &source, "--metric", "ticket", "--engine", engine, "--output", "json",
        ])
    };
    let merged = ticket("merged");
    let line = r#"{"metric":"ticket","key":{"shop":"a"},"window":{"start":"2026-04-25T00:00:00+02:00","end":"2026-04-26T00:00:00+02:00"},"value":5.0}"#;
    assert_eq!(merged.lines().next(), Some(line));
    assert_eq!((ticket("batch"), ticket("stream")), (merged.clone(), merged));
    let table = succeed(&["run", &file, "--source", &source, "--metric", "ticket"]);
    assert!(table.starts_with("ticket [EUR]: Money per order.\n"), "{table}");
    let month = ["--metric", "ticket", "--grain", "month", "--output", "json"];
    let month = succeed(&[&["run", &file, "--source", &source][..], &month].concat());
    assert!(
        month.contains(r#""start":"2026-04-01T00:00:00+02:00""#) && month.contains(r#""value":5.0"#),
        "{month}"
    );
    let range = ["--metric", "growth", "--from", "2026-04-25T22:00:00Z", "--output", "json"];
    let range = succeed(&[&["run", &file, "--source", &source][..], &range].concat());
    assert_eq!(range.lines().count(), 2, "{range}");
    let refused = ["--metric", "growth", "--grain", "month"];
    let refused = metricc(&[&["run", &file, "--source", &source][..], &refused].concat());
    assert_eq!(code(&refused), 2);
    assert!(
        stderr(&refused).contains("`growth` looks back, or is rolled up already"),
        "{}",
        stderr(&refused)
    );
    let verified = succeed(&["verify", &file, "--source", &source, "--metric", "ticket", "--cuts", "3"]);
    assert!(verified.contains("equal  ticket: computed from the rows of "), "{verified}");
}

#[test]
fn explain_shows_the_operands() {
    let (_folder, file, _) = package();
    let typed = succeed(&["explain", &file, "growth", "--stage", "typed"]);
    assert_eq!(
        typed,
        "derived: name=growth, window=every day in Europe/Berlin\n  \
         operand: name=m0, metric=revenue, type=decimal(38, 2)?\n  \
         operand: name=m1, metric=revenue, windows before=1, type=decimal(38, 2)?\n  \
         key: name=shop, type=string\n  \
         output: expr=m0 - m1, type=decimal(38, 2)?\n"
    );
    assert!(succeed(&["explain", &file, "growth"]).contains("# growth syntax"));
    // Its states are those of its operands, each once.
    let stage = metricc(&["explain", &file, "growth", "--stage", "stream"]);
    assert_eq!(stdout(&stage), succeed(&["explain", &file, "revenue", "--stage", "stream"]));
    assert!(stderr(&stage).contains("no states of its own, but those of `revenue`"), "{}", stderr(&stage));
    let all = succeed(&["explain", &file, "--stage", "summary"]);
    assert_eq!(all.matches("# revenue summary").count(), 1, "{all}");
}

#[test]
fn a_client_crate_has_a_module_and_a_schema_for_each_derived_metric() {
    let (folder, file, _) = package();
    let out = folder.path().join("out");
    succeed(&["compile", &file, "--out", &out.to_string_lossy()]);
    let read = |name: &str| std::fs::read_to_string(out.join(name)).expect("it is written");
    for name in ["ticket", "growth", "conversion", "monthly", "by_country", "per_view", "yesterday", "change"]
    {
        assert!(read("rust/src/lib.rs").contains(&format!("pub mod {name};")), "{name}");
        assert!(read("openapi.json").contains(&format!("\"/v1/metrics/{name}\"")), "{name}");
        assert!(read(&format!("schemas/{name}.result.json")).contains("x-metric-hash"), "{name}");
        assert!(read(&format!("plans/{name}.derived.txt")).starts_with("derived: "), "{name}");
        assert!(!out.join(format!("schemas/{name}.state.json")).exists(), "{name} has no states");
    }
    assert!(read("rust/src/metrics/monthly.rs").contains("pub orders: i64"));
}
