//! What a restricted reader reads is what there would be to read if the log had no other rows.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;
use std::sync::Arc;

use metricc::{Bound, LocalServing, ReadRequest, Serving, ServingError};
use metricc_compiler::{DerivedPlan, MetricPlan, Segment};
use metricc_dsl::{SourceText, check_condition};
use metricc_ir::AnyMetric;
use metricc_runtime_serve::{Access, Readable, RowFilter, ServedVersion};
use metricc_tests::generate::{Random, random};
use rand::Rng;

use crate::layers::{bound, package};
use crate::pages::{block_on, paged, parts};

const PACKAGE: &str = "
source sales {
  id: string key  at: timestamp time  country: string?  shop: int  user: int  amount: decimal(12, 2)  ms: float
}
calendar utc { zone \"UTC\", week sunday }
metric revenue = sum(amount) { from sales  by country, shop  every 1h }
metric orders = count() { from sales  by country  every 1h }
metric users = distinct(user) { from sales  by shop, country  every day in utc }
metric speed = { mean: mean(ms), p90: quantile(ms, 0.9, within: 2%), n: distinct(user, within: 2%) } {
  from sales  by country
}
metric best = top(2, shop, by: sum(amount)) { from sales  by country  every day in utc }
metric last_amount = last(amount) { from sales  by country, shop  every day in utc }
metric moving = sum(amount) { from sales  by country  over last 3h step 1h }
metric visits = { n: count(), first: first(shop) } { from sales  by country, user  session gap 30m }
metric lifetime = sum(amount) { from sales  by country, shop }
metric of_shops = sum(amount) { from sales  by shop, country  every 1h }
metric per_order = revenue / orders { by country }
metric per_shop = of_shops / revenue { by shop }
metric per_day = revenue / orders { by country  every day in utc }
metric growth = orders - orders offset 2h
metric per_user = lifetime / speed.n { by country }
";

const CONDITIONS: [&str; 5] = [
    "country == \"IN\"",
    "country == none or country != \"IN\"",
    "country in (\"IN\", \"FR\") and not (country == \"FR\")",
    "starts_with(country ?? \"\", \"I\")",
    "false or country == \"nowhere\"",
];

/// Whether the conditions, in their order, hold of a country.
fn holds(condition: usize, country: Option<&str>) -> bool {
    match condition {
        0 | 2 => country == Some("IN"),
        1 => country != Some("IN"),
        3 => country.is_some_and(|country| country.starts_with('I')),
        _ => false,
    }
}

fn line(random: &mut Random, index: usize) -> (Option<&'static str>, String) {
    let country = [Some("IN"), Some("IT"), Some("FR"), None][random.random_range(0..4)];
    let minute = random.random_range(0..3 * 24 * 60);
    let (day, hour, minute) = (25 + minute / 1440, minute / 60 % 24, minute % 60);
    let named = country.map_or_else(|| "null".to_owned(), |country| format!("\"{country}\""));
    let (shop, user) = (random.random_range(0..3), random.random_range(0..12));
    let (amount, ms) = (random.random_range(-500..5000), random.random_range(0.0..900.0));
    let text = format!(
        "{{\"id\":\"e{index}\",\"at\":\"2026-04-{day:02}T{hour:02}:{minute:02}:00Z\",\"country\":{named},\"shop\":{shop},\
         \"user\":{user},\"amount\":\"{}.{:02}\",\"ms\":{ms}}}",
        amount / 100,
        i32::abs(amount % 100)
    );
    (country, text)
}

fn derived(bound: &Bound) -> Vec<Arc<DerivedPlan>> {
    let package = package(PACKAGE);
    let known: Vec<&Arc<MetricPlan>> = bound.plan.metrics.iter().collect();
    let metrics: Vec<AnyMetric> = package.checked.package.all_metrics().collect();
    let derived = metrics.iter().filter_map(|metric| match metric {
        AnyMetric::Derived(derived) => Some(derived),
        AnyMetric::Base(_) => None,
    });
    derived
        .map(|derived| Arc::new(DerivedPlan::new(derived, &known, &package.imports).expect("a plan")))
        .collect()
}

fn filter(text: &str, base: &[Arc<MetricPlan>]) -> RowFilter {
    let source = SourceText { name: "where".to_owned(), bytes: text.into() };
    let checked = base.iter().map(|plan| {
        let row_type = plan.metric.row_type();
        (&**plan, check_condition(&source, &row_type.name, &row_type.keys).expect("it fits"))
    });
    RowFilter::new(text, &checked.collect::<Vec<_>>()).expect("a filter")
}

/// A log, served; each condition is a reader of the number that it has.
fn serve(folder: &Path, lines: &str, cuts: &[f64], conditions: &[&str]) -> LocalServing {
    std::fs::create_dir_all(folder).expect("a folder");
    std::fs::write(folder.join("a.ndjson"), lines).expect("a log");
    let bound = bound(&package(PACKAGE), folder);
    let (base, derived) = (bound.plan.metrics.clone(), derived(&bound));
    let readable = |text: &&str| -> Readable {
        let of_base = base.iter().map(|plan| (&plan.metric.name, std::slice::from_ref(plan)));
        let of_derived = derived.iter().map(|plan| (&plan.derived.name, &plan.operands[..]));
        let entry = |(name, base): (&String, _)| (name.clone(), Some(Arc::new(filter(text, base))));
        of_base.chain(of_derived).map(entry).collect()
    };
    let readers = conditions.iter().enumerate().map(|(index, text)| (index.to_string(), readable(text)));
    let version = ServedVersion {
        base: base.clone(),
        derived: derived.clone(),
        readers: Arc::new(readers.collect()),
        ..ServedVersion::default()
    };
    let serving = LocalServing::of_version(version);
    let parts = parts(&bound, cuts);
    let segments: Vec<(&MetricPlan, Vec<Segment>)> = base.iter().map(|plan| &**plan).zip(parts).collect();
    serving.publish(&segments).expect("published");
    serving
}

fn requests(random: &mut Random, metric: &str) -> Vec<ReadRequest> {
    let all = ReadRequest { metric: metric.to_owned(), ..ReadRequest::default() };
    let key = |value: serde_json::Value| BTreeMap::from([("country".to_owned(), value)]);
    let from = format!("2026-04-{:02}", random.random_range(24..28));
    vec![
        all.clone(),
        ReadRequest { latest: true, ..all.clone() },
        ReadRequest { latest: true, keys: key("FR".into()), ..all.clone() },
        ReadRequest { by: Some(Vec::new()), ..all.clone() },
        ReadRequest {
            by: Some(vec!["shop".to_owned()]),
            grain: Some("day in UTC".to_owned()),
            ..all.clone()
        },
        ReadRequest { by: Some(Vec::new()), grain: Some("all".to_owned()), ..all.clone() },
        ReadRequest { keys: key("IN".into()), ..all.clone() },
        ReadRequest { keys: key(serde_json::json!({ "not": null })), fill: true, ..all.clone() },
        ReadRequest { fill: true, by: Some(Vec::new()), ..all.clone() },
        ReadRequest { order: vec!["-window_start".to_owned()], per_window: Some(1), ..all.clone() },
        ReadRequest { from: Some(from.parse().expect("a date")), latest: true, ..all.clone() },
        ReadRequest { from: Some(from.parse().expect("a date")), limit: Some(3), ..all },
    ]
}

/// The rows of an answer as a node sends them, or the error.
fn answer(serving: &LocalServing, request: &ReadRequest) -> Result<(String, bool), String> {
    let told = |error: ServingError| error.to_string();
    let answer = block_on(serving.read(request.clone())).map_err(told)?;
    let rows: Vec<&str> = answer.rows.iter().map(|row| row.get()).collect();
    Ok((rows.join("\n"), answer.next.is_some()))
}

#[test]
fn a_restricted_reader_reads_a_log_without_the_other_rows() {
    let (mut n_equal, mut n_rows) = (0, 0);
    for seed in 0..4 {
        let mut random = random(seed);
        let folder = tempfile::tempdir().expect("a folder");
        let lines: Vec<(Option<&str>, String)> = (0..120).map(|index| line(&mut random, index)).collect();
        let text = |is_kept: &dyn Fn(Option<&str>) -> bool| {
            lines.iter().filter(|(country, _)| is_kept(*country)).fold(
                String::new(),
                |mut text, (_, line)| {
                    writeln!(text, "{line}").expect("a text");
                    text
                },
            )
        };
        let all = serve(&folder.path().join("all"), &text(&|_| true), &[0.4, 0.8], &CONDITIONS);
        for (index, condition) in CONDITIONS.iter().enumerate() {
            let some = folder.path().join(index.to_string());
            let expected = serve(&some, &text(&|country| holds(index, country)), &[0.5], &[]);
            let found = all.with_access(Access::Reader(index.to_string().into()));
            for metric in all.metric_names() {
                for request in requests(&mut random, &metric) {
                    let (expected, found) = (answer(&expected, &request), answer(&found, &request));
                    assert_eq!(found, expected, "seed {seed}, {condition}: {request:?}");
                    n_equal += usize::from(found.is_ok());
                    n_rows += found.map_or(0, |(rows, _)| rows.lines().count());
                }
                let request =
                    ReadRequest { metric: metric.clone(), limit: Some(2), ..ReadRequest::default() };
                let of = |serving| block_on(paged(serving, &request));
                assert_eq!(of(&found).expect("pages"), of(&expected).expect("pages"), "{metric}");
            }
        }
    }
    assert!(n_equal > 1000 && n_rows > 10_000, "{n_equal} answers with {n_rows} rows");
}

#[test]
fn the_parts_of_an_answer_are_restricted_and_its_receipt_names_the_condition() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut random = random(7);
    let lines: Vec<String> = (0..60).map(|index| line(&mut random, index).1).collect();
    let all = serve(folder.path(), &lines.join("\n"), &[0.5], &CONDITIONS);
    let reader = all.with_access(Access::Reader("0".into()));
    for metric in ["orders", "per_order", "moving", "visits"] {
        let request = ReadRequest { metric: metric.to_owned(), receipt: true, ..ReadRequest::default() };
        let explained = block_on(reader.explain(request.clone())).expect("an answer");
        let receipt = explained.answer.receipt.as_ref().expect("a receipt");
        assert_eq!(receipt.filter.as_deref(), Some(CONDITIONS[0]));
        let text = serde_json::to_string(&explained).expect("JSON");
        assert!(text.contains("\"IN\"") && !text.contains("\"FR\"") && !text.contains("\"IT\""), "{text}");
        let of_all = block_on(all.explain(request)).expect("an answer");
        assert!(serde_json::to_string(&of_all).expect("JSON").contains("\"FR\""));
        assert!(of_all.answer.receipt.expect("a receipt").filter.is_none());
    }
}

#[test]
fn a_cursor_is_of_what_its_reader_may_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut random = random(8);
    let lines: Vec<String> = (0..60).map(|index| line(&mut random, index).1).collect();
    let all = serve(folder.path(), &lines.join("\n"), &[0.5], &CONDITIONS);
    let [one, other] = ["0", "1"].map(|reader| all.with_access(Access::Reader(reader.into())));
    let page = ReadRequest { metric: "orders".to_owned(), limit: Some(1), ..ReadRequest::default() };
    let cursor = block_on(one.read(page.clone())).expect("a page").next;
    let next = ReadRequest { cursor, ..page };
    assert!(block_on(one.read(next.clone())).is_ok());
    for serving in [&other, &all] {
        let problem = block_on(serving.read(next.clone())).expect_err("another reader").to_string();
        assert!(problem.starts_with("`cursor` is of another request"), "{problem}");
    }
}

#[test]
fn a_reader_that_no_version_knows_reads_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let all = serve(folder.path(), "", &[], &[]);
    let nobody = all.with_access(Access::Reader("nobody".into()));
    assert!(nobody.metric_names().is_empty() && nobody.snapshot().metric_names().next().is_none());
    let request = ReadRequest { metric: "orders".to_owned(), ..ReadRequest::default() };
    let problem = block_on(nobody.read(request.clone())).expect_err("it is not there");
    assert!(matches!(problem, ServingError::UnknownMetric { known, .. } if known.is_empty()));
}
