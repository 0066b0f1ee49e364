//! The client crate of `metricc compile`, compiled and used with a serving layer in this process and over
//! HTTP.

use std::net::SocketAddr;
use std::sync::Arc;

use futures::StreamExt;
use metricc::{Engine, EngineOptions, LocalServing, Package, evaluate_interval};
use metricc_compiler::{DerivedPlan, Segment};
use metricc_log::Interval;

use crate::layers::bound;

#[rustfmt::skip]
#[path = "../../docs/generated/payments/rust/src/lib.rs"]
#[allow(unused_imports, unreachable_pub, dead_code)]
mod payments;

use payments::metrics::{approx_merchants, distinct_merchants, failure_rate, failure_rise, revenue};
use payments::{Decimal, HttpServing, Serving, ServingError};

const EVENTS: &str = r#"{"payment_id":"a","created_at":"2026-04-25T10:00:00Z","merchant_id":1,"status":"failed","amount":10.00}
{"payment_id":"b","created_at":"2026-04-25T19:00:00Z","merchant_id":1,"status":"captured","amount":5.00,"country":"IN"}
{"payment_id":"b","created_at":"2026-04-25T19:00:00Z","merchant_id":1,"status":"captured","amount":5.00,"country":"IN"}
{"payment_id":"c","created_at":"2026-04-25T19:30:00Z","merchant_id":2,"status":"captured","amount":250.55,"country":"IN"}
"#;

/// Serves all metrics of a package over the events, from batch.
fn serve(package: &Package) -> LocalServing {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("payments.ndjson");
    std::fs::write(&path, EVENTS).expect("written");
    let bound = bound(package, &path);
    let interval = Interval::new(bound.log.start(), bound.log.end()).expect("the whole log");
    let options = EngineOptions::default();
    let evaluation =
        evaluate_interval(&bound, Engine::Batch, &interval, &options, &|_| {}).expect("evaluated");
    let of_metrics = package.checked.package.derived.iter();
    let all: Vec<_> = bound.plan.metrics.iter().collect();
    let plan = |derived| Arc::new(DerivedPlan::new(derived, &all, &package.imports).expect("planned"));
    let serving = LocalServing::with_derived(&bound.plan.metrics, &of_metrics.map(plan).collect::<Vec<_>>());
    let plans = bound.plan.metrics.iter().map(AsRef::as_ref);
    let segments: Vec<(_, Vec<Segment>)> =
        plans.zip(evaluation.segments.into_iter().map(|segment| vec![segment])).collect();
    serving.publish(&segments).expect("published");
    serving
}

async fn listen(serving: &LocalServing) -> HttpServing {
    let listener =
        tokio::net::TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let router = metricc::serving_http::router(Arc::new(serving.clone()));
    tokio::spawn(async move { axum::serve(listener, router).await });
    HttpServing::new(&format!("http://{address}")).expect("a URL")
}

fn block_on(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(test);
}

fn example() -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/payments/payments.metric");
    std::fs::read_to_string(path).expect("the example is there")
}

#[test]
fn a_client_crate_reads_the_served_rows() {
    let decimal = |text: &str| text.parse::<Decimal>().expect("a decimal");
    block_on(async {
        let local = serve(&crate::layers::package(&example()));
        let http = listen(&local).await;
        for serving in [&local as &dyn Serving, &http] {
            let key = revenue::Key { country: "IN".to_owned() };
            let rows = revenue::get(serving, &key).await.expect("rows");
            assert_eq!((rows.frontier.as_slice(), rows.rows.len()), (&[4][..], 1));
            assert_eq!(rows.rows[0].value, Some(decimal("255.55")));
            let (from, to) = (rows.rows[0].window.start, rows.rows[0].window.end);
            assert_eq!(revenue::range(serving, from, to).await.expect("rows").rows, rows.rows);
            assert!(revenue::range(serving, to, to).await.expect("rows").rows.is_empty());
            let pages: Vec<_> = distinct_merchants::pages(serving, 1).collect().await;
            let pages: Vec<_> = pages.into_iter().flat_map(|page| page.expect("a page").rows).collect();
            let whole = distinct_merchants::latest(serving).await.expect("rows").rows;
            assert!(!whole.is_empty() && whole.iter().all(|row| pages.contains(row)), "{pages:?}");
            assert_eq!(distinct_merchants::latest(serving).await.expect("rows").rows[0].value, 2);
            let estimate = approx_merchants::latest(serving).await.expect("rows").rows[0].value;
            assert_eq!((estimate.value, estimate.error), (2, 0.01));
            let rates = failure_rate::subscribe(serving).next().await.expect("an answer").expect("rows");
            assert_eq!(rates.rows.iter().map(|row| row.value).collect::<Vec<_>>(), [Some(1.0), Some(0.0)]);
            // A derived metric with an offset: the first day has no day before it.
            let rise = failure_rise::latest(serving).await.expect("rows");
            assert_eq!(rise.rows[0].value, Some(-1.0));
            let all = failure_rise::get(serving, &failure_rise::Key {}).await.expect("rows");
            assert_eq!(all.rows.iter().map(|row| row.value).collect::<Vec<_>>(), [None, Some(-1.0)]);
        }
    });
}

#[test]
fn a_client_crate_of_another_definition_is_rejected() {
    let changed =
        example().replace("status == \"captured\"\n  by country", "status != \"failed\"\n  by country");
    assert_ne!(changed, example());
    block_on(async {
        let local = serve(&crate::layers::package(&changed));
        let http = listen(&local).await;
        for serving in [&local as &dyn Serving, &http] {
            // Unchanged metrics are answered.
            assert!(distinct_merchants::latest(serving).await.is_ok());
            let refused = revenue::latest(serving).await.expect_err("another definition");
            assert!(matches!(refused, ServingError::OtherDefinition { .. }), "{refused}");
            let shown = refused.to_string();
            assert!(shown.contains("generate it again"), "{shown}");
        }
    });
}
