//! Answers in pieces and in pages have the rows and bytes of the whole answer.

use std::sync::Arc;

use futures::StreamExt;
use metricc::{
    Bound, Engine, EngineOptions, Format, LocalServing, ReadRequest, Serving, ServingError,
    evaluate_interval, pages,
};
use metricc_compiler::{MetricPlan, Segment};
use metricc_log::{Frontier, Interval};
use metricc_runtime_serve::{
    AnswerWriter, ReadOptions, ServingTables, arrow_stream, csv, estimated_rows, json_lines, merge, read,
    to_json,
};
use metricc_tests::generate::files::{Layout, write_ndjson};
use metricc_tests::generate::logs::{LogOptions, log};
use metricc_tests::generate::metrics::package as random_package;
use metricc_tests::generate::sources::Shape;

use crate::layers::{bound, package};

/// The segments of each metric, in as many parts as there are cuts, and one more.
pub(crate) fn parts(bound: &Bound, cuts: &[f64]) -> Vec<Vec<Segment>> {
    let (start, end) = (bound.log.start(), bound.log.end());
    let at = |share: f64| bound.log.frontier_at((bound.log.n_positions() as f64 * share) as u64);
    let mut borders: Vec<Frontier> = vec![start];
    borders.extend(cuts.iter().map(|share| at(*share)));
    borders.push(end);
    let mut of_metric = vec![Vec::new(); bound.plan.metrics.len()];
    for (index, ends) in borders.windows(2).enumerate() {
        let engine = [Engine::Batch, Engine::Stream][index % 2];
        let interval = Interval::new(ends[0].clone(), ends[1].clone()).expect("an interval");
        let part = evaluate_interval(bound, engine, &interval, &EngineOptions::default(), &|_| ());
        for (segments, segment) in of_metric.iter_mut().zip(part.expect("it evaluates").segments) {
            segments.push(segment);
        }
    }
    of_metric
}

pub(crate) fn serve(bound: &Bound, parts: &[Vec<Segment>]) -> LocalServing {
    let serving = LocalServing::new(&bound.plan.metrics);
    let segments: Vec<(&MetricPlan, Vec<Segment>)> =
        bound.plan.metrics.iter().map(|plan| &**plan).zip(parts.iter().cloned()).collect();
    serving.publish(&segments).expect("published");
    serving
}

fn with_random_package(seed: u64, n_events: usize, check: impl Fn(&Bound)) {
    let shape = Shape::all()[seed as usize % 8];
    let text = random_package(seed, shape, 8).text;
    let folder = tempfile::tempdir().expect("a temporary folder");
    let events = log(&shape.source(), &LogOptions::new(seed, n_events));
    let layout = Layout { seed, n_files: 2, is_hostile: false };
    write_ndjson(folder.path(), &shape.source(), &events, &layout).expect("the log is written");
    check(&bound(&package(&text), folder.path()));
}

pub(crate) fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime").block_on(work)
}

pub(crate) async fn paged(
    serving: &LocalServing,
    request: &ReadRequest,
) -> Result<Vec<String>, ServingError> {
    let mut lines = Vec::new();
    let limit = request.limit.expect("a page");
    let mut pages = Box::pin(pages(serving, request.clone()));
    while let Some(page) = pages.next().await {
        let page = page?;
        assert!(page.rows.len() as u64 <= limit, "{} of {limit}", page.rows.len());
        lines.extend(page.rows.iter().map(|row| row.get().to_owned()));
    }
    Ok(lines)
}

#[test]
fn pages_and_pieces_of_random_metrics_are_the_whole_answer() {
    for seed in 0..16 {
        with_random_package(seed, 80, |bound| {
            let parts = parts(bound, &[0.4, 0.8]);
            let serving = serve(bound, &parts);
            for (plan, parts) in bound.plan.metrics.iter().zip(&parts) {
                let whole = merge(plan, parts).expect("they are adjacent");
                let whole = read(plan, &whole, &ReadOptions::default()).expect("it is read");
                let expected: Vec<String> = json_lines(&whole).collect();
                let all = ReadRequest { metric: plan.metric.name.clone(), ..ReadRequest::default() };
                for limit in [1, 7, 1000] {
                    let request = ReadRequest { limit: Some(limit), ..all.clone() };
                    let lines = block_on(paged(&serving, &request)).expect("pages");
                    assert_eq!(lines, expected, "seed {seed}, {}, {limit} rows", plan.metric.name);
                }
                for n_groups in [1, 2, 5, 64] {
                    let answers = block_on(serving.open(vec![all.clone()])).expect("an answer");
                    let mut rows = answers.into_iter().next().expect("an answer").rows;
                    let mut lines = Vec::new();
                    while let Some(piece) = rows.next(n_groups).expect("a piece") {
                        lines.extend(json_lines(&piece));
                    }
                    assert_eq!(lines, expected, "seed {seed}, {}, {n_groups} groups", plan.metric.name);
                }
            }
        });
    }
}

#[test]
fn a_selection_of_keys_and_windows_has_pages_too() {
    with_events(|bound| {
        let serving = serve(bound, &parts(bound, &[0.5]));
        let all = ReadRequest { metric: "n".to_owned(), ..ReadRequest::default() };
        for request in [
            ReadRequest { keys: [("k".to_owned(), 3.into())].into(), ..all.clone() },
            ReadRequest { from: Some("1970-01-01T00:30:00Z".parse().unwrap()), ..all.clone() },
            ReadRequest { latest: true, ..all.clone() },
            ReadRequest { grain: Some("1h".to_owned()), ..all.clone() },
            ReadRequest { metric: "sliding".to_owned(), ..all.clone() },
        ] {
            let whole = block_on(serving.read(request.clone())).expect("an answer");
            let expected: Vec<String> = whole.rows.iter().map(|row| row.get().to_owned()).collect();
            assert!(!expected.is_empty() && whole.next.is_none(), "{request:?}");
            for limit in [1, 10, expected.len() as u64, 100_000] {
                let page = ReadRequest { limit: Some(limit), ..request.clone() };
                assert_eq!(block_on(paged(&serving, &page)).expect("pages"), expected, "{limit} {request:?}");
            }
        }
    });
}

/// 9,000 events in 6,000 groups: 100 keys in 60 windows. A value that leaves its type now and then.
fn with_events(check: impl Fn(&Bound)) {
    const TEXT: &str = "source events { at: timestamp time  k: int  j: string?  v: int }
metric n = { n: count(), s: sum(v * v * v), most: max(j) } { from events  by k, j  every 1m }
metric sliding = count() { from events  by k  over last 10m step 1m }
";
    let folder = tempfile::tempdir().expect("a temporary folder");
    let line = |n: u64| {
        let (minute, block) = (n % 60, n / 60);
        let at = format!("1970-01-01T00:{minute:02}:00Z");
        let j = ["", "a", "a text that is longer than a view has place for", "c"][block as usize % 4];
        let v = match n % 11 {
            0 => "-1".to_owned(),
            3 => (i64::MAX / 2).to_string(),
            v => v.to_string(),
        };
        format!("{at},{},{j},{v}\n", block * 7 % 100)
    };
    let path = folder.path().join("events.csv");
    std::fs::write(&path, format!("at,k,j,v\n{}", (0..9000).map(line).collect::<String>())).expect("written");
    check(&bound(&package(TEXT), &path));
}

#[test]
fn the_bytes_of_an_answer_in_pieces_are_those_of_the_whole() {
    with_events(|bound| {
        let parts = parts(bound, &[0.3, 0.6]);
        let serving = serve(bound, &parts);
        let plan = bound.plan.metrics.iter().find(|plan| plan.metric.name == "n").expect("a metric");
        let index = bound.plan.metrics.iter().position(|known| Arc::ptr_eq(known, plan)).expect("a metric");
        let whole = read(plan, &merge(plan, &parts[index]).expect("merged"), &ReadOptions::default());
        let whole = whole.expect("rows");
        assert_eq!(whole.n_rows, 6000);
        assert!(whole.overflow_json().is_some(), "some values leave their type");
        let request = ReadRequest { metric: "n".to_owned(), receipt: true, ..ReadRequest::default() };
        let open = |format| {
            let answers = block_on(serving.open(vec![request.clone()])).expect("an answer");
            AnswerWriter::new(answers.into_iter().next().expect("an answer"), format).expect("a writer")
        };
        let mut json = open(Format::Json);
        let mut pieces = Vec::new();
        while let Some(piece) = json.next_bytes().expect("a piece") {
            pieces.push(piece);
        }
        assert!(pieces.len() > 2, "{}", pieces.len());
        let table = block_on(serving.table(request.clone())).expect("an answer");
        assert_eq!(String::from_utf8(pieces.concat()).expect("text"), to_json(&table).expect("JSON"));
        let mut as_csv = open(Format::Csv);
        let expected = csv(&whole).expect("CSV");
        assert_eq!(String::from_utf8(as_csv.whole().expect("CSV")).expect("text"), expected);
        let overflow = as_csv.headers().into_iter().find(|(name, _)| *name == "metricc-overflow");
        assert_eq!(overflow.map(|(_, text)| text), whole.overflow_json());
        assert!(open(Format::Arrow).whole().expect("Arrow") == arrow_stream(&whole).expect("Arrow"), "bytes");
    });
}

#[test]
fn a_cursor_of_another_request_or_frontier_is_refused() {
    with_events(|bound| {
        let parts = parts(bound, &[0.5]);
        let before: Vec<Vec<Segment>> = parts.iter().map(|parts| parts[..1].to_vec()).collect();
        let serving = serve(bound, &before);
        let first = ReadRequest { metric: "n".to_owned(), limit: Some(3), ..ReadRequest::default() };
        let page = block_on(serving.read(first.clone())).expect("a page");
        let cursor = page.next.expect("more rows");
        let other = ReadRequest { cursor: Some(cursor.clone()), latest: true, ..first.clone() };
        let refused = block_on(serving.read(other)).expect_err("another request").to_string();
        assert!(refused.starts_with("`cursor` is of another request"), "{refused}");
        let of_n =
            ReadRequest { cursor: Some(cursor.clone()), metric: "sliding".to_owned(), ..first.clone() };
        assert!(block_on(serving.read(of_n)).is_err(), "another metric");
        let segments: Vec<(&MetricPlan, Vec<Segment>)> =
            bound.plan.metrics.iter().map(|plan| &**plan).zip(parts.iter().cloned()).collect();
        serving.publish(&segments).expect("published");
        let gone = ReadRequest { cursor: Some(cursor), ..first };
        let gone = block_on(serving.read(gone)).expect_err("gone");
        assert!(matches!(&gone, ServingError::CursorGone { frontier } if frontier == &[4500]), "{gone}");
        assert!(gone.to_string().contains("`at=4500`"), "{gone}");
    });
}

#[test]
fn rows_are_estimated_before_they_are_made() {
    for seed in 0..8 {
        with_random_package(seed, 60, |bound| {
            for (plan, parts) in bound.plan.metrics.iter().zip(parts(bound, &[])) {
                let states = &parts[0].states;
                let n_rows = read(plan, &parts[0], &ReadOptions::default()).expect("rows").n_rows as u64;
                let estimate = estimated_rows(plan, states, &ReadOptions::default()).expect("an estimate");
                let is_exact = !matches!(plan.metric.window, metricc_ir::Window::Session { .. });
                let has_groups = !plan.metric.keys.is_empty() || plan.metric.window.has_start();
                if is_exact && has_groups {
                    assert_eq!(estimate, n_rows, "seed {seed}, {}", plan.metric.name);
                }
                assert!(estimate >= n_rows || !has_groups, "seed {seed}, {}", plan.metric.name);
            }
        });
    }
}
