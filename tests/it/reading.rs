//! The same requests to a serving layer in this process and to one behind an HTTP server.

use std::net::SocketAddr;
use std::sync::Arc;

use futures::StreamExt;
use metricc::jiff::Timestamp;
use metricc::jiff::civil::date;
use metricc::user_defined::Imports;
use metricc::{
    Bound, Engine, EngineOptions, Event, Events, Format, HttpServing, LocalServing, Metric, ReadRequest,
    Serving, ServingError, day, evaluate_interval, metric,
};
use metricc_compiler::{DerivedPlan, Segment};
use metricc_log::{Frontier, Interval};

use crate::layers::{bound, package};

const TEXT: &str = r#"
source visits { id: string key  at: timestamp time  page: string?  n: int }
calendar india { zone "Asia/Kolkata", week sunday }
/// Visits per page and day.
metric views = { visits: count(), readers: distinct(id, within: 1%) } { from visits  by page  every day in india }
metric total = sum(n) { from visits }
"#;

#[derive(Event)]
#[event(name = "visits")]
#[allow(dead_code)]
struct Visit {
    #[event(key)]
    id: String,
    #[event(time)]
    at: Timestamp,
    page: Option<String>,
    n: i64,
}

#[metric]
fn views(visits: Events<Visit>) -> Metric {
    visits
        .key_by(|v| v.page)
        .every(day("Asia/Kolkata").weeks_from("sunday"))
        .aggregate(|e| Value { visits: e.count(), readers: e.distinct(|v| v.id).within(0.01) })
}

/// A metric of the same name with another meaning.
mod changed {
    use super::*;

    #[metric]
    pub(super) fn total(visits: Events<Visit>) -> Metric {
        visits.filter(|v| v.n > 1).sum(|v| v.n)
    }
}

fn log() -> String {
    let day = |n: u32| ["2026-04-24", "2026-04-25", "2026-04-26"][n as usize % 3];
    let page = |n: u32| if n.is_multiple_of(4) { "null".to_owned() } else { format!("\"p {}/ä&=\"", n % 2) };
    let line = |n: u32| {
        format!("{{\"id\":\"{n}\",\"at\":\"{}T12:00:00Z\",\"page\":{},\"n\":{n}}}\n", day(n), page(n))
    };
    (0..24).map(line).collect()
}

/// The metrics over a log, with a method to publish the states before and after a cut.
struct Node {
    bound: Bound,
    serving: LocalServing,
    _folder: tempfile::TempDir,
}

impl Node {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("visits.ndjson");
        std::fs::write(&path, log()).expect("written");
        let bound = bound(&package(TEXT), &path);
        let serving = LocalServing::new(&bound.plan.metrics);
        Node { bound, serving, _folder: folder }
    }

    /// Publishes batch before the cut, and stream from the cut to `end`.
    fn publish(&self, cut: u64, end: u64) {
        let part = |engine, from: u64, to: u64| {
            let interval = Interval::new(Frontier(vec![from]), Frontier(vec![to])).expect("an interval");
            let options = EngineOptions::default();
            evaluate_interval(&self.bound, engine, &interval, &options, &|_| {}).expect("evaluated").segments
        };
        let (below, above) = (part(Engine::Batch, 0, cut), part(Engine::Stream, cut, end));
        let metrics = self.bound.plan.metrics.iter().zip(below.into_iter().zip(above));
        let segments: Vec<_> =
            metrics.map(|(metric, (below, above))| (metric.as_ref(), vec![below, above])).collect();
        self.serving.publish(&segments).expect("published");
    }

    /// Starts an HTTP server on the loopback address, which stops with the runtime.
    async fn listen(&self) -> HttpServing {
        let listener =
            tokio::net::TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let router = metricc::serving_http::router(Arc::new(self.serving.clone()));
        tokio::spawn(async move { axum::serve(listener, router).await });
        HttpServing::new(&format!("http://{address}")).expect("a URL")
    }
}

#[test]
fn derived_metrics_are_served_from_their_operands() {
    const SHARE: &str = "metric seen = count() { from visits  by page  every day in india }
/// Of all visits.
metric share = views.visits / seen
metric more = views.visits - views.visits offset 1 day";
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("visits.ndjson");
    std::fs::write(&path, log()).expect("written");
    let package = package(&format!("{TEXT}{SHARE}"));
    let bound = bound(&package, &path);
    let plans = &bound.plan.metrics;
    let derived = package.checked.package.derived.iter().map(|derived| {
        Arc::new(
            DerivedPlan::new(derived, &plans.iter().collect::<Vec<_>>(), &Imports::new()).expect("a plan"),
        )
    });
    let derived: Vec<_> = derived.collect();
    let node = Node { serving: LocalServing::with_derived(plans, &derived), bound, _folder: folder };
    block_on(async {
        let http = node.listen().await;
        let ask = |metric: &str| ReadRequest { metric: metric.to_owned(), ..ReadRequest::default() };
        // Nothing has been published.
        assert!(http.read(ask("share")).await.expect("an answer").rows.is_empty());
        node.publish(10, 24);
        for serving in [&node.serving as &dyn Serving, &http] {
            let listed = serving.metrics().await.expect("a list");
            let named: Vec<&str> = listed.iter().map(|metric| metric.name.as_str()).collect();
            assert_eq!(named, ["seen", "total", "views", "more", "share"]);
            assert_eq!(listed[4].doc, "Of all visits.");
            let share = serving.read(ask("share")).await.expect("an answer");
            assert_eq!((share.rows.len(), share.hash.as_str()), (9, listed[4].hash.as_str()));
            assert!(share.rows.iter().all(|row| row.get().ends_with("\"value\":1.0}")), "{:?}", share.rows);
            let more = serving.read(ReadRequest { latest: true, ..ask("more") }).await.expect("an answer");
            assert_eq!(more.rows.len(), 3);
            assert!(
                more.rows.iter().all(|row| row.get().contains("2026-04-26T00:00:00+05:30")),
                "{:?}",
                more.rows
            );
            let coarse = ReadRequest { grain: Some("month".to_owned()), ..ask("share") };
            assert_eq!(serving.read(coarse.clone()).await.expect("an answer").rows.len(), 3);
            let refused = serving.read(ReadRequest { metric: "more".to_owned(), ..coarse }).await;
            assert!(matches!(refused, Err(ServingError::Request(_))), "{refused:?}");
            let other = ReadRequest { hash: Some("another".to_owned()), ..ask("share") };
            assert!(matches!(serving.read(other).await, Err(ServingError::OtherDefinition { .. })));
        }
    });
}

fn block_on(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(test);
}

#[test]
fn a_process_and_a_node_give_the_same_typed_rows() {
    block_on(async {
        let node = Node::new();
        node.publish(10, 24);
        let http = node.listen().await;
        for serving in [&node.serving as &dyn Serving, &http] {
            let names: Vec<String> =
                serving.metrics().await.expect("a list").into_iter().map(|metric| metric.name).collect();
            assert_eq!(names, ["total", "views"]);

            let key = views::Key { page: Some("p 1/ä&=".to_owned()) };
            let rows = views().get(serving, &key).await.expect("rows");
            assert_eq!(rows.frontier, [24]);
            assert_eq!(rows.rows.iter().map(|row| row.value.visits).sum::<i64>(), 12);
            assert!(rows.rows.iter().all(|row| row.key == key));
            let none = views().get(serving, &views::Key { page: None }).await.expect("rows");
            assert_eq!(none.rows.iter().map(|row| row.value.visits).sum::<i64>(), 6);
            assert_eq!(none.rows[0].value.readers.error, 0.01);

            let at = |text: &str| text.parse::<Timestamp>().expect("a timestamp");
            // Midnight in India is 18:30Z of the day before.
            let rows = views().range(serving, at("2026-04-24T18:30:00Z"), at("2026-04-25T18:30:00Z")).await;
            let rows = rows.expect("rows").rows;
            assert!(rows.iter().all(|row| row.window.start == at("2026-04-24T18:30:00Z")));
            assert_eq!(rows.iter().map(|row| row.value.visits).sum::<i64>(), 8);
            let latest = views().latest(serving).await.expect("rows").rows;
            assert!(
                latest.iter().all(|row| row.window.start == at("2026-04-25T18:30:00Z")) && latest.len() == 3
            );

            let coarse = |grain: &str| ReadRequest {
                metric: "views".to_owned(),
                grain: Some(grain.to_owned()),
                ..ReadRequest::default()
            };
            let months = serving.read(coarse("month")).await.expect("rows");
            assert_eq!(months.rows.len(), 3, "one of each key: {:?}", months.rows);
            let start = r#""window":{"start":"2026-04-01T00:00:00+05:30""#;
            assert!(months.rows.iter().all(|row| row.get().contains(start)), "{:?}", months.rows);
            for (grain, problem) in [("fortnight", "is no window"), ("24h", "lies in two of")] {
                let refused = serving.read(coarse(grain)).await.expect_err(grain);
                assert!(matches!(refused, ServingError::Request(_)), "{refused:?}");
                assert!(refused.to_string().contains(problem), "{refused}");
            }
        }
    });
}

#[test]
fn dates_of_a_range_are_those_of_the_calendar_and_cut_windows_are_partial() {
    block_on(async {
        let node = Node::new();
        node.publish(10, 24);
        let http = node.listen().await;
        for serving in [&node.serving as &dyn Serving, &http] {
            let at = |text: &str| text.parse::<Timestamp>().expect("a timestamp");
            let by_date = views().range(serving, date(2026, 4, 25), date(2026, 4, 26)).await.expect("rows");
            let by_instant = views().range(serving, at("2026-04-24T18:30:00Z"), at("2026-04-25T18:30:00Z"));
            assert_eq!(by_date.rows, by_instant.await.expect("rows").rows);
            assert!(by_date.notes.is_empty() && by_date.rows.iter().all(|row| !row.window.partial));
            let cut =
                views().range(serving, at("2026-04-24T18:30:01Z"), date(2026, 4, 27)).await.expect("rows");
            assert!(cut.rows.iter().all(|row| row.window.start == at("2026-04-25T18:30:00Z")));
            assert_eq!(cut.notes.len(), 1, "{:?}", cut.notes);

            // 2026-04-26 is a Sunday, on which the weeks of the calendar start.
            let weeks = |grain: &str| ReadRequest {
                metric: "views".to_owned(),
                from: Some(date(2026, 4, 25).into()),
                grain: Some(grain.to_owned()),
                ..ReadRequest::default()
            };
            let served = serving.read(weeks("week")).await.expect("rows");
            let seen = serving.subscribe(weeks("week in Asia/Kolkata")).next().await.expect("an answer");
            let starts = |served: &metricc::Served| {
                let rows = metricc::TypedRows::<views::Definition>::of(served).expect("rows").rows;
                let mut starts: Vec<_> =
                    rows.iter().map(|row| (row.window.start.to_string(), row.window.partial)).collect();
                starts.dedup();
                starts
            };
            let start = |day: &str, partial: bool| (format!("2026-04-{day}T18:30:00Z"), partial);
            assert_eq!(starts(&served), [start("18", true), start("25", false)]);
            assert_eq!(starts(&seen.expect("rows")), [start("19", true)]);
        }
    });
}

#[test]
fn the_bytes_of_http_are_the_json_of_the_answer() {
    block_on(async {
        let node = Node::new();
        node.publish(10, 24);
        let http = node.listen().await;
        for (metric, receipt) in [("views", false), ("views", true), ("total", true)] {
            let request = ReadRequest { metric: metric.to_owned(), receipt, ..ReadRequest::default() };
            let bytes = http.read_as(&request, Format::Json).await.expect("an answer").bytes;
            let served = node.serving.read(request.clone()).await.expect("an answer");
            assert_eq!(String::from_utf8_lossy(&bytes), serde_json::to_string(&served).expect("JSON"));
            let explained = node.serving.explain(request.clone()).await.expect("an answer");
            let over_http = http.explain(ReadRequest { receipt: true, ..request }).await.expect("an answer");
            let rows = |of: &metricc::Explained| serde_json::to_string(&of.of).expect("JSON");
            assert_eq!(rows(&over_http), rows(&explained));
        }
    });
}

#[test]
fn an_error_of_the_second_metric_names_it() {
    block_on(async {
        let node = Node::new();
        node.publish(10, 24);
        let http = node.listen().await;
        for serving in [&node.serving as &dyn Serving, &http] {
            let request = |metric: &str| ReadRequest { metric: metric.to_owned(), ..ReadRequest::default() };
            let error =
                serving.read_many(vec![request("views"), request("veiws")]).await.expect_err("a typo");
            assert_eq!(error.to_string(), "no metric `veiws` is served; there are `total`, `views`");
        }
    });
}

#[test]
fn a_subscriber_gets_complete_answers_of_each_frontier() {
    block_on(async {
        let node = Node::new();
        node.publish(0, 3);
        let http = node.listen().await;
        let mut streams = [views().subscribe(&node.serving), views().subscribe(&http)];
        for end in [3, 10, 24] {
            if end > 3 {
                node.publish(3, end);
            }
            for stream in &mut streams {
                let rows = stream.next().await.expect("an answer").expect("rows");
                assert_eq!(rows.frontier, [end]);
                assert_eq!(rows.rows.iter().map(|row| row.value.visits).sum::<i64>(), end as i64);
            }
        }
    });
}

#[test]
fn rejected_requests_have_a_reason() {
    block_on(async {
        let node = Node::new();
        node.publish(10, 24);
        let http = node.listen().await;
        for serving in [&node.serving as &dyn Serving, &http] {
            let stale = changed::total().latest(serving).await.expect_err("another definition");
            assert!(
                matches!(&stale, ServingError::OtherDefinition { metric, .. } if metric == "total"),
                "{stale}"
            );
            let ask = |metric: &str, key: Option<&str>| {
                let keys = key.map(|key| (key.to_owned(), "x".into())).into_iter().collect();
                serving.read(ReadRequest { metric: metric.to_owned(), keys, ..ReadRequest::default() })
            };
            let unknown = ask("veiws", None).await.expect_err("no such metric").to_string();
            assert_eq!(unknown, "no metric `veiws` is served; there are `total`, `views`");
            let key = ask("views", Some("pgae")).await.expect_err("no such key").to_string();
            assert_eq!(key, "metric `views` has no key `pgae`; it has `page`");
            let from = Some(Timestamp::UNIX_EPOCH.into());
            let request = ReadRequest { metric: "total".to_owned(), from, ..ReadRequest::default() };
            let windows = serving.read(request).await.expect_err("no windows").to_string();
            assert_eq!(windows, "metric `total` is of all time: it has no windows to choose from");
            let mut stream = changed::total().subscribe(serving);
            assert!(stream.next().await.expect("an answer").is_err() && stream.next().await.is_none());
        }
        let nobody = HttpServing::new("http://127.0.0.1:1").expect("a URL");
        let error = nobody.metrics().await.expect_err("nobody").to_string();
        assert!(
            error.starts_with("http://127.0.0.1:1: no node answers") && error.contains("refused"),
            "{error}"
        );
        assert!(HttpServing::new("ftp://x").is_err());
    });
}

#[test]
fn published_segments_have_one_frontier_and_no_gap() {
    let node = Node::new();
    let part = |from: u64, to: u64| {
        let interval = Interval::new(Frontier(vec![from]), Frontier(vec![to])).expect("an interval");
        let options = EngineOptions::default();
        evaluate_interval(&node.bound, Engine::Batch, &interval, &options, &|_| {})
            .expect("evaluated")
            .segments
    };
    let plans = &node.bound.plan.metrics;
    let publish = |segments: [Vec<Segment>; 2]| {
        let segments: Vec<_> = plans.iter().map(AsRef::as_ref).zip(segments).collect();
        node.serving.publish(&segments)
    };
    let [short, long] = [part(0, 5), part(0, 9)];
    let error =
        publish([vec![short[0].clone()], vec![long[1].clone()]]).expect_err("two frontiers").to_string();
    assert!(error.contains("one answer has one frontier"), "{error}");
    let gap = part(6, 9);
    let error = publish([vec![short[0].clone(), gap[0].clone()], vec![long[1].clone()]]).expect_err("a gap");
    assert!(error.to_string().contains("gap"), "{error}");
}
