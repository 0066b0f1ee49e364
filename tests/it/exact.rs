//! Arithmetic that leaves its type inside an aggregate: exact as far as 38 digits hold it; beyond that none,
//! and said.

use std::path::{Path, PathBuf};

use crate::layers::{agreed, agreed_at};

fn case(name: &str) -> (String, PathBuf) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases").join(name);
    let text = std::fs::read_to_string(folder.join("case.metric")).expect("the case");
    (text, folder.join("ev.ndjson"))
}

/// The value of a line, and what follows it.
fn value(line: &str) -> &str {
    let start = line.find("\"value\":").expect("a value") + "\"value\":".len();
    &line[start..line.len() - 1]
}

fn values(text: &str, records: &[&str]) -> Vec<String> {
    agreed(text, records).iter().map(|line| value(line).to_owned()).collect()
}

#[test]
fn case_35_products_beyond_64_bits_are_exact() {
    let (text, log) = case("35-products-beyond-the-type");
    let lines = agreed_at(&text, &log);
    let values: Vec<&str> = lines.iter().map(|line| value(line)).collect();
    assert_eq!(
        values,
        [
            r#"{"n":2,"s":"15000000000000000006","m":7.5e18,"most":"15000000000000000000","lots":1}"#,
            r#"{"s":"250000000000000000000000000000002.4750"}"#,
            r#"{"s":"18446744078709551616"}"#,
        ]
    );
}

#[test]
fn case_39_two_ids_stay_two_for_a_reader_that_has_only_floats() {
    let (text, log) = case("39-ints-in-json-output");
    let lines = agreed_at(&text, &log);
    assert_eq!(
        lines,
        [
            r#"{"metric":"by_id","key":{"id":"738529527931269424"},"window":null,"value":1}"#,
            r#"{"metric":"by_id","key":{"id":"738529527931269425"},"window":null,"value":1}"#,
            r#"{"metric":"total","key":{},"window":null,"value":{"s":"18446744073709551614","most":"9223372036854775807"}}"#,
        ]
    );
}

const SOURCE: &str = "source s { id: int key  at: timestamp time  a: int  b: int?  x: float  y: float }\n";

fn record(id: u32, a: i64, b: Option<i64>, x: f64, y: f64) -> String {
    let b = b.map_or("null".to_owned(), |b| b.to_string());
    format!(r#"{{"id":{id},"at":"2026-01-0{}T00:00:00Z","a":{a},"b":{b},"x":{x:e},"y":{y:e}}}"#, 1 + id % 9)
}

fn of(metrics: &str, records: &[String]) -> Vec<String> {
    let records: Vec<&str> = records.iter().map(String::as_str).collect();
    values(&format!("{SOURCE}{metrics}"), &records)
}

#[test]
fn every_aggregate_is_none_where_an_argument_left_its_type() {
    let large = i64::MAX;
    let records = [record(1, 2, Some(3), 1.5, 2.0), record(2, large, Some(large), 1e300, 1e300)];
    for aggregate in [
        "sum(a * a * a)",
        "mean(a * a * a)",
        "min(a * a * a)",
        "max(a * a * a)",
        "variance(a * a * a)",
        "stddev(x * y)",
        "skewness(x * y)",
        "covariance(x * y, x)",
        "slope(x, x * y)",
        "first(a * a * a)",
        "last(x * y)",
        "arg_min(a, by: x * y)",
        "arg_max(a * a * a, by: a)",
        "distinct(a * a * a)",
        "distinct(x * y, within: 10%)",
        "quantile(a * a * a, 0.5)",
        "p99(x * y, within: 1%)",
        "histogram(a * a * a, [1, 10])",
        "top(2, a * a * a)",
        "top(2, id, by: sum(x * y))",
        "frequency(a * a * a, 8, within: 10%)",
        "set(a * a * a)",
        "bits_or(a * 4)",
        "any(x * y > 3.0)",
        "all(x * y > 3.0)",
        "(count() where x * y > 3.0)",
        "(sum(a) where x * y > 10.0)",
        "funnel(id, x * y > 1.0, a > 1, within: 1h)",
        "retention(id, a * 4, 2)",
    ] {
        let found = of(&format!("metric m = {aggregate} {{ from s }}"), &records);
        assert_eq!(found, ["null,\"overflow\":{\"value\":1}"], "{aggregate}");
        // Without the row there is a value, and nothing to say.
        let found = of(&format!("metric m = {aggregate} {{ from s  where id == 1 }}"), &records[..1]);
        assert!(!found[0].contains("overflow"), "{aggregate}: {found:?}");
    }
}

#[test]
fn only_the_groups_of_the_lost_rows_are_none() {
    let records = [
        record(1, 2, Some(3), 1.0, 1.0),
        record(2, i64::MIN, Some(1), 1.0, 1.0),
        record(3, i64::MIN, Some(1), 1.0, 1.0),
        record(4, 5, Some(1), 1.0, 1.0),
    ];
    let found = of("metric m = { n: count(), s: sum(a * a * a) } { from s  by a > 0 as up }", &records);
    assert_eq!(found, [r#"{"n":2,"s":null},"overflow":{"s":2}"#, r#"{"n":2,"s":133}"#]);
}

#[test]
fn what_was_never_there_is_skipped_and_a_division_by_zero_is_none() {
    let records = [
        record(1, 7, Some(2), 1.0, 0.0),
        record(2, 7, None, 1e300, 0.0),
        record(3, 8, Some(0), 0.0, 0.0),
        record(4, 9, Some(3), 6.0, 2.0),
    ];
    for (aggregate, expected) in [
        ("sum(if b != none then b * a else none)", "41"),
        ("sum(a / (b ?? 1))", "13"),
        ("count() where b != none and a / b == 3", "2"),
        ("mean(x / y)", "3.0"),
        ("sum((if b != none then b * a else none) ?? 1)", "42"),
    ] {
        assert_eq!(of(&format!("metric m = {aggregate} {{ from s }}"), &records), [expected], "{aggregate}");
    }
}

#[test]
fn an_overflow_is_not_replaced_and_decides_nothing_that_others_decide() {
    let records = [record(1, 2, Some(3), 1e300, 1e300), record(2, 2, Some(3), 2.0, 2.0)];
    for (aggregate, expected) in [
        ("sum(x * y ?? 0.0)", "null,\"overflow\":{\"value\":1}"),
        ("count() where not (x * y > 3.0)", "null,\"overflow\":{\"value\":1}"),
        ("count() where x * y > 3.0 and a > 5", "0"),
        ("count() where x * y > 3.0 or a > 1", "2"),
        ("sum(if a > 5 then x * y else 1.0)", "2.0"),
        ("sum(x * y) where a > 5", "0.0"),
        ("sum(x * y) ?? 0.5", "0.5,\"overflow\":{\"value\":1}"),
    ] {
        assert_eq!(of(&format!("metric m = {aggregate} {{ from s }}"), &records), [expected], "{aggregate}");
    }
}

#[test]
fn rows_that_a_filter_or_a_key_cannot_place_make_their_group_none() {
    let records =
        [record(1, 2, None, 1e300, 1e300), record(2, 2, None, 2.0, 2.0), record(3, 2, None, 0.5, 2.0)];
    let found = of("metric m = count() { from s  where x * y > 3.0 }", &records);
    assert_eq!(found, ["null,\"overflow\":{\"value\":1}"]);
    let found = of("metric m = count() { from s  where x * y > 3.0 and x < 10000000000.0 }", &records);
    assert_eq!(found, ["1"]);
    let found = of("metric m = { n: count(), s: sum(a) } { from s  by x * y as area }", &records);
    let lost = r#"{"n":null,"s":null},"overflow":{"n":1,"s":1}"#;
    assert_eq!(found, [lost, r#"{"n":1,"s":2}"#, r#"{"n":1,"s":2}"#]);
    // Ints are exact there.
    let records = [record(1, i64::MAX, Some(4), 1.0, 1.0), record(2, 2, Some(4), 1.0, 1.0)];
    assert_eq!(of("metric m = count() { from s  where a * 4 > 10 }", &records), ["1"]);
    assert_eq!(of("metric m = sum(b ?? 0) where a * a * a > 10 { from s }", &records), ["4"]);
}

#[test]
fn results_beyond_38_digits_are_none_and_said() {
    let source = "source s { id: int key  at: timestamp time  d: decimal(38, 38)  w: decimal(38, 2) }\n";
    let records = [
        r#"{"id":1,"at":"2026-01-01T00:00:00Z","d":0.75,"w":999999999999999999999999999999999999.99}"#,
        r#"{"id":2,"at":"2026-01-02T00:00:00Z","d":0.75,"w":1.00}"#,
    ];
    let metrics = "metric c = { sd: sum(d), md: mean(d), mw: mean(w), p: sum(w * w), half: sum((w + w) / 4) } { from s }\n\
                   metric day = sum(d) { from s  every 24h }";
    let found = values(&format!("{source}{metrics}"), &records);
    let zero = "0".repeat(36);
    assert_eq!(
        found[0],
        format!(
            "{{\"sd\":null,\"md\":\"0.75{zero}\",\"mw\":null,\"p\":null,\"half\":null}},\
             \"overflow\":{{\"sd\":0,\"mw\":0,\"p\":1,\"half\":1}}"
        )
    );
    // Windows whose sums fit have them.
    assert!(found[1..].iter().all(|value| value == &format!("\"0.75{zero}\"")), "{found:?}");
}

#[test]
fn a_derived_metric_says_what_its_operands_lost() {
    let metrics = "metric area = sum(x * y) { from s  by a }\nmetric n = count() { from s  by a }\n\
                   metric mean_area = area / n\n";
    let records = [record(1, 1, None, 1e300, 1e300), record(2, 2, None, 2.0, 3.0)];
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("events.ndjson");
    std::fs::write(&path, records.map(|record| record + "\n").concat()).expect("the log is written");
    let package = crate::layers::package(&format!("{SOURCE}{metrics}"));
    let bound = crate::layers::bound(&package, &path);
    let evaluation = metricc::evaluate(&bound, None, &bound.log.frontier_at(1), &Default::default(), &|_| ());
    let mut evaluated = metricc::Evaluated::default();
    evaluated.add(&bound.plan, evaluation.expect("it evaluates").segments);
    let selection = package.select(&["mean_area".to_owned()]).expect("the metric");
    let presented =
        evaluated.read(&selection.wanted[0], &Default::default(), &Default::default()).expect("it presents");
    let lines: Vec<String> = metricc_runtime_serve::json_lines(&presented).collect();
    let found: Vec<&str> = lines.iter().map(|line| value(line)).collect();
    assert_eq!(found, ["null,\"overflow\":{\"value\":1}", "6.0"]);
    let said: Vec<String> = presented.overflows().iter().map(ToString::to_string).collect();
    assert_eq!(
        said,
        ["`mean_area`: 1 row could not be computed: an expression over 1 event has no place in its type"]
    );
    let batch = metricc_runtime_serve::record_batch(&presented).expect("a batch");
    let stated = &batch.schema().metadata[metricc_runtime_serve::OVERFLOW_METADATA];
    assert_eq!(stated, "{\"value\":{\"rows\":1,\"events\":1}}");
}

#[test]
fn sessions_and_sliding_windows_lose_no_row_either() {
    let records = [record(1, 2, None, 1e300, 1e300), record(2, 2, None, 2.0, 3.0)];
    for window in ["session gap 72h", "over last 72h step 24h", "every month in utc"] {
        let found = of(
            &format!("calendar utc {{ zone \"UTC\" }}\nmetric m = sum(x * y) {{ from s  {window} }}"),
            &records,
        );
        let n_lost = found.iter().filter(|value| value.as_str() == "null,\"overflow\":{\"value\":1}").count();
        assert!(
            n_lost > 0 && found.iter().all(|value| value.contains("overflow") || value == "6.0"),
            "{found:?}"
        );
    }
}
