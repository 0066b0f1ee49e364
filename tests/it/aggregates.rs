//! Aggregates at the limits of their values, in batch, in stream and merged at every cut.

use crate::layers::agreed;

const SOURCE: &str = "\
source events {
  at: timestamp time  id: string key  n: int?  x: float?  d: decimal(38, 2)?  s: string?  ok: bool?
  kind: enum(\"low\", \"high\")?  tags: list<string>
}
";

/// Every aggregate in one record, with the same arguments where possible.
const ALL: &str = "{
  count: count(), sum_n: sum(n), sum_x: sum(x), sum_d: sum(d), mean_n: mean(n), mean_x: mean(x), mean_d: mean(d),
  min_n: min(n), max_s: max(s), min_kind: min(kind), var: variance(x), dev: stddev(n), skew: skewness(x), kurt: kurtosis(n),
  cov: covariance(n, n), corr: correlation(x, x), slope: slope(d, d), cut: intercept(n, n),
  any: any(ok ?? false), all: all(ok ?? true), first: first(s), last: last(n), least: arg_min(s, by: n),
  most: arg_max(n, by: x), distinct: distinct(s), about: distinct(s, within: 1%), set: set(kind), tags: union(tags),
  median: median(d), p99: p99(x), q: quantile(x, 0.5, within: 1%), hist: histogram(n, [0, 10]), top: top(2, s),
  dear: top(2, s, by: sum(d)), freq: frequency(s, \"a\", within: 1%), ors: bits_or(n), ands: bits_and(n), xors: bits_xor(n),
  funnel: funnel(s, n == 1, n == 2, within: 1h), back: retention(s, n, 2),
}";

fn all_over(records: &[&str]) -> String {
    let lines = agreed(&format!("{SOURCE}metric m = {ALL} {{ from events }}\n"), records);
    assert_eq!(lines.len(), 1, "{lines:?}");
    let value = lines[0].split_once("\"value\":").expect("a value").1;
    let value = value.split_once(",\"overflow\":").map_or(value, |(value, _)| value);
    value.trim_end_matches('}').to_owned() + "}"
}

/// The value of a field in the text of a record.
fn field(record: &str, name: &str) -> String {
    let value: serde_json::Value = serde_json::from_str(record).expect("JSON");
    value[name].to_string()
}

#[test]
fn c22_c23_no_events_and_only_none_present_the_identities() {
    let none = r#"{"id":"1","at":"2026-04-25T10:00:00Z","tags":[]}"#;
    let (empty, nothing) = (all_over(&[]), all_over(&[none]));
    assert_eq!(empty.replace("\"count\":0", "\"count\":1"), nothing);
    for name in ["sum_n", "distinct", "about", "freq", "ors", "xors"] {
        assert_eq!(field(&empty, name), "0", "{name}");
    }
    for name in
        ["mean_n", "min_n", "max_s", "var", "skew", "kurt", "cov", "corr", "slope", "cut", "first", "last"]
    {
        assert_eq!(field(&empty, name), "null", "{name}");
    }
    for name in ["least", "most", "median", "p99", "q", "ands"] {
        assert_eq!(field(&empty, name), "null", "{name}");
    }
    for name in ["set", "tags", "top", "dear", "back"] {
        assert_eq!(field(&empty, name), "[]", "{name}");
    }
    assert_eq!((field(&empty, "hist"), field(&empty, "funnel")), ("[0,0,0]".to_owned(), "[0,0]".to_owned()));
    assert_eq!((field(&empty, "any"), field(&empty, "all")), ("false".to_owned(), "true".to_owned()));
}

#[test]
fn c31_c34_the_largest_and_smallest_values_are_exact() {
    let nines = "999999999999999999999999999999999999";
    let at = "\"at\":\"2026-04-25T10:00:00Z\"";
    let (least, most) = (i64::MIN, i64::MAX);
    let records = [
        format!(
            "{{\"id\":\"1\",{at},\"n\":{least},\"x\":1e308,\"d\":{nines}.99,\"s\":\"a\",\"tags\":[\"b\",\"a\"]}}"
        ),
        format!(
            "{{\"id\":\"2\",{at},\"n\":{least},\"x\":1e308,\"d\":{nines}.99,\"s\":\"a\",\"tags\":[\"a\"]}}"
        ),
        format!(
            "{{\"id\":\"3\",{at},\"n\":{most},\"x\":-1e308,\"d\":-{nines}.99,\"s\":\"b\",\"kind\":\"high\",\"tags\":[]}}"
        ),
        format!(
            "{{\"id\":\"4\",{at},\"n\":1,\"x\":5e-324,\"d\":0.01,\"s\":\"\",\"kind\":\"low\",\"tags\":[]}}"
        ),
    ];
    let records: Vec<&str> = records.iter().map(String::as_str).collect();
    let all = all_over(&records);
    assert_eq!(field(&all, "sum_n"), "\"-9223372036854775808\"");
    assert_eq!(field(&all, "sum_x"), "1e+308");
    // 10^36 with two decimal places has one digit too many.
    assert_eq!(field(&all, "sum_d"), "null");
    assert_eq!(field(&all, "corr"), "1.0");
    assert_eq!(field(&all, "slope"), "1.0");
    assert_eq!(field(&all, "cut"), "0.0");
    assert_eq!(field(&all, "min_kind"), "\"low\"");
    assert_eq!(field(&all, "set"), "[\"low\",\"high\"]");
    assert_eq!(field(&all, "tags"), "[\"a\",\"b\"]");
    assert_eq!(field(&all, "hist"), "[2,1,1]");
    assert_eq!(field(&all, "ors"), "-1");
    // The sum of the two largest values has more than 38 digits, so it is none; it still ranks first.
    assert!(field(&all, "dear").starts_with("[{\"item\":\"a\",\"value\":null}"), "{}", field(&all, "dear"));
    assert_eq!(field(&all, "last"), "1");
}

#[test]
fn c70_events_are_ordered_by_time_and_then_by_position() {
    let record = |id: u32, minute: u32, s: &str, tags: &str| {
        format!(
            r#"{{"id":"{id}","at":"2026-04-25T10:{minute:02}:00Z","s":"{s}","n":{minute},"tags":[{tags}]}}"#
        )
    };
    let records = [
        record(1, 5, "late", ""),
        record(2, 1, "b", r#""y","x""#),
        record(3, 1, "a", r#""x""#),
        record(4, 5, "last", ""),
    ];
    let records: Vec<&str> = records.iter().map(String::as_str).collect();
    let text = format!(
        "{SOURCE}metric m = {{ first: first(s), last: last(s), low: arg_min(s, by: n), high: arg_max(s, by: n) }} {{ from events }}
         metric t = {{ first: first(tag), last: last(tag) }} {{ from events  each tag in tags }}\n"
    );
    assert_eq!(
        agreed(&text, &records),
        [
            r#"{"metric":"m","key":{},"window":null,"value":{"first":"b","last":"last","low":"b","high":"last"}}"#,
            r#"{"metric":"t","key":{},"window":null,"value":{"first":"y","last":"x"}}"#,
        ]
    );
}

#[test]
fn funnels_and_retention_follow_their_actors() {
    let record = |id: u32, minute: u32, actor: &str, step: u32| {
        format!(r#"{{"id":"{id}","at":"2026-04-25T10:{minute:02}:00Z","s":"{actor}","n":{step},"tags":[]}}"#)
    };
    let records = [
        record(1, 0, "in time", 1),
        record(2, 9, "in time", 2),
        record(3, 10, "in time", 3),
        record(4, 0, "too late", 1),
        record(5, 11, "too late", 2),
        record(6, 5, "backwards", 2),
        record(7, 6, "backwards", 1),
        record(8, 0, "again", 1),
        record(9, 30, "again", 1),
        record(10, 31, "again", 2),
        record(11, 32, "again", 3),
    ];
    let records: Vec<&str> = records.iter().map(String::as_str).collect();
    let text = format!(
        "{SOURCE}metric f = funnel(s, n == 1, n == 2, n == 3, within: 10m) {{ from events }}
         metric r = retention(s, n, 3) {{ from events }}\n"
    );
    assert_eq!(
        agreed(&text, &records),
        [
            r#"{"metric":"f","key":{},"window":null,"value":[4,2,2]}"#,
            r#"{"metric":"r","key":{},"window":null,"value":[{"cohort":1,"actors":[4,4,2]}]}"#,
        ]
    );
}
