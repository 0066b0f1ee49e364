//! Cases in which a batch and a stream implementation of one metric typically drift apart, each in batch, in
//! stream and merged at every cut. The ids are those of the conformance corpus. Cases of decoding are tested
//! in `log/`, of kernels in `compiler/`, of states in `algebra/`.

use crate::layers::{agreed, agreed_at, package};

/// A source of plain values, without identity.
const POINTS: &str = "\
source points { at: timestamp time  k: string?  v: int?  d: decimal(38, 2)?  f: float?  b: bool? }
calendar new_york { zone \"America/New_York\", week sunday }
calendar sao_paulo { zone \"America/Sao_Paulo\", week monday }
calendar apia { zone \"Pacific/Apia\", week monday }
calendar lord_howe { zone \"Australia/Lord_Howe\", week monday }
calendar utc { zone \"UTC\", week monday }
";

const PAYMENTS: &str = "source payments { id: string key  at: timestamp time  amount: int }\n";

/// The values of one metric over points, as text.
fn values(metric: &str, records: &[&str]) -> Vec<String> {
    let lines = agreed(&format!("{POINTS}metric m = {metric}"), records);
    lines
        .iter()
        .map(|line| {
            line.split_once("\"value\":").expect("a line has a value").1.trim_end_matches('}').to_owned()
        })
        .collect()
}

/// The window starts of a count over events at these instants, with the count.
fn windows(every: &str, instants: &[&str]) -> Vec<String> {
    let records: Vec<String> = instants.iter().map(|at| format!("{{\"at\":\"{at}\"}}")).collect();
    let records: Vec<&str> = records.iter().map(String::as_str).collect();
    let lines = agreed(&format!("{POINTS}metric m = count() {{ from points  every {every} }}"), &records);
    lines
        .iter()
        .map(|line| {
            let line = line.split_once("\"start\":\"").expect("a window").1;
            let (start, rest) = line.split_once("\",\"end\":\"").expect("an end");
            let (end, rest) = rest.split_once("\"},\"value\":").expect("a value");
            format!("{start} {end} {}", rest.trim_end_matches('}'))
        })
        .collect()
}

fn at(fields: &str) -> String {
    format!("{{\"at\":\"2026-01-01T00:00:00Z\",{fields}}}")
}

fn over(metric: &str, fields: &[&str]) -> Vec<String> {
    let records: Vec<String> = fields.iter().map(|fields| at(fields)).collect();
    values(metric, &records.iter().map(String::as_str).collect::<Vec<_>>())
}

#[test]
fn c22_all_none_sums_to_the_identity_and_means_none() {
    let record = "{ s: sum(v), m: mean(v), lo: min(v), hi: max(v), q: quantile(v, 0.5, within: 1%), n: count() } { from points }";
    let expected = r#"{"s":0,"m":null,"lo":null,"hi":null,"q":null,"n":2"#;
    assert_eq!(over(record, &["\"v\":null", "\"k\":\"a\""]), [expected]);
}

#[test]
fn c23_an_empty_log_has_one_row_ungrouped_and_none_grouped() {
    assert_eq!(values("count() { from points }", &[]), ["0"]);
    assert_eq!(
        values(
            "{ n: count(), s: sum(v), any: any(b ?? false), all: all(b ?? true), m: mean(v) } { from points }",
            &[]
        ),
        [r#"{"n":0,"s":0,"any":false,"all":true,"m":null"#]
    );
    assert!(values("count() { from points  by k }", &[]).is_empty());
    assert!(values("count() { from points  every 1h }", &[]).is_empty());
}

#[test]
fn c24_none_is_one_group() {
    let lines = agreed(
        &format!("{POINTS}metric m = count() {{ from points  by k }}"),
        &[&at("\"k\":null"), &at("\"k\":\"\""), &at("\"v\":1")],
    );
    assert_eq!(
        lines,
        [
            r#"{"metric":"m","key":{"k":null},"window":null,"value":2}"#,
            r#"{"metric":"m","key":{"k":""},"window":null,"value":1}"#,
        ]
    );
}

#[test]
fn c25_c26_logic_is_two_valued_and_a_filter_of_none_excludes() {
    let fields = ["\"v\":1", "\"v\":2", "\"v\":null"];
    assert_eq!(over("count() { from points  where v not in (1, none) }", &fields), ["1"]);
    assert_eq!(over("count() { from points  where v == none }", &fields), ["1"]);
    assert_eq!(over("count() { from points  where (v ?? 0) * 9223372036854775807 > 0 }", &fields), ["2"]);
}

#[test]
fn c27_c29_division_by_zero_is_none_and_not_an_error() {
    let fields = ["\"v\":0", "\"v\":2", "\"v\":-7"];
    assert_eq!(
        over("count() { from points  where (v ?? 0) != 0 and (1 / (v ?? 0)) ?? 9 == 0 }", &fields),
        ["2"]
    );
    assert_eq!(over("sum(1 / (v ?? 0)) { from points }", &fields), ["0"]);
    assert_eq!(over("sum(10 / (v ?? 0)) { from points }", &fields), ["4"]);
}

#[test]
fn c30_all_and_any_skip_none() {
    let fields = ["\"b\":true", "\"b\":null"];
    assert_eq!(over("{ a: all(b), o: any(b) } { from points }", &fields), [r#"{"a":true,"o":true"#]);
}

#[test]
fn c31_c33_integer_sums_do_not_wrap() {
    let fields = ["\"v\":9223372036854775807", "\"v\":1", "\"v\":9223372036854775807"];
    assert_eq!(over("sum(v) { from points }", &fields), ["\"18446744073709551615\""]);
    assert_eq!(
        over("sum(v) { from points }", &["\"v\":-9223372036854775808", "\"v\":-1"]),
        ["\"-9223372036854775809\""]
    );
}

#[test]
fn c32_overflow_in_a_row_is_exact_or_makes_the_aggregate_none() {
    let fields = ["\"v\":9223372036854775807", "\"v\":-9223372036854775808", "\"v\":5"];
    assert_eq!(
        over("{ n: count(), s: sum((v ?? 0) + 1), a: sum(abs(v ?? 0)) } { from points }", &fields),
        [r#"{"n":3,"s":7,"a":"18446744073709551620""#]
    );
    assert_eq!(
        over("{ n: count(), s: sum((v ?? 0) * (v ?? 0) * (v ?? 0)) } { from points }", &fields),
        [r#"{"n":3,"s":null},"overflow":{"s":2"#]
    );
}

#[test]
fn c34_a_decimal_sum_past_38_digits_is_none_and_comes_back() {
    let most = "\"d\":999999999999999999999999999999999999.99";
    let least = "\"d\":-999999999999999999999999999999999999.99";
    assert_eq!(over("sum(d) { from points }", &[most, most]), ["null,\"overflow\":{\"value\":0"]);
    assert_eq!(
        over("sum(d) { from points }", &[most, most, least]),
        ["\"999999999999999999999999999999999999.99\""]
    );
}

#[test]
fn c35_c86_means_come_from_sums_and_counts() {
    assert_eq!(
        over("mean(d) { from points }", &["\"d\":1.00", "\"d\":2.00", "\"d\":2.00"]),
        ["\"1.66666667\""]
    );
    assert_eq!(
        over("mean(v) { from points }", &["\"v\":1", "\"v\":2", "\"v\":2", "\"v\":null"]),
        ["1.6666666666666667"]
    );
}

#[test]
fn c37_integer_division_truncates_toward_zero() {
    assert_eq!(
        over("{ q: sum((v ?? 0) / 2), r: sum((v ?? 0) % 2) } { from points }", &["\"v\":-7"]),
        [r#"{"q":-3,"r":-1"#]
    );
}

#[test]
fn c38_c39_c41_float_sums_are_exact_in_any_order() {
    assert_eq!(over("sum(f) { from points }", &["\"f\":1e16", "\"f\":1", "\"f\":-1e16"]), ["1.0"]);
    assert_eq!(over("sum(f) { from points }", &["\"f\":1", "\"f\":1e16", "\"f\":-1e16"]), ["1.0"]);
    assert_eq!(over("sum(f) { from points }", &["\"f\":-0.0", "\"f\":-0.0"]), ["0.0"]);
    assert_eq!(
        over("sum(f) { from points }", &["\"f\":1e308", "\"f\":1e308"]),
        ["null,\"overflow\":{\"value\":0"]
    );
    assert_eq!(over("sum(f) { from points }", &["\"f\":1e308", "\"f\":1e308", "\"f\":-1e308"]), ["1e308"]);
}

#[test]
fn c42_c43_zero_has_one_sign() {
    assert_eq!(
        over("{ lo: min(f), hi: max(f), n: distinct(f) } { from points }", &["\"f\":-0.0", "\"f\":0.0"]),
        [r#"{"lo":0.0,"hi":0.0,"n":1"#]
    );
}

#[test]
fn c48_decimal_literals_are_exact() {
    assert_eq!(over("count() { from points  where 0.1 + 0.2 == 0.3 }", &["\"v\":1"]), ["1"]);
}

#[test]
fn c51_c60b_a_repeated_local_hour_keeps_two_windows() {
    // 01:30 happens twice in New York on 2024-11-03.
    assert_eq!(
        windows("1h", &["2024-11-03T05:30:00Z", "2024-11-03T06:30:00Z"]),
        ["2024-11-03T05:00:00Z 2024-11-03T06:00:00Z 1", "2024-11-03T06:00:00Z 2024-11-03T07:00:00Z 1",]
    );
    assert_eq!(
        windows(
            "day in new_york",
            &["2024-11-03T05:30:00Z", "2024-11-04T04:59:59.999999Z", "2024-11-04T05:00:00Z"]
        ),
        [
            "2024-11-03T00:00:00-04:00 2024-11-04T00:00:00-05:00 2",
            "2024-11-04T00:00:00-05:00 2024-11-05T00:00:00-05:00 1",
        ]
    );
}

#[test]
fn c52_days_without_midnight_and_days_that_do_not_exist() {
    assert_eq!(
        windows("day in sao_paulo", &["2018-11-04T02:59:59Z", "2018-11-04T03:00:00Z"]),
        [
            "2018-11-03T00:00:00-03:00 2018-11-04T01:00:00-02:00 1",
            "2018-11-04T01:00:00-02:00 2018-11-05T00:00:00-02:00 1",
        ]
    );
    assert_eq!(
        windows("day in apia", &["2011-12-30T09:59:59Z", "2011-12-30T10:00:00Z"]),
        [
            "2011-12-29T00:00:00-10:00 2011-12-31T00:00:00+14:00 1",
            "2011-12-31T00:00:00+14:00 2012-01-01T00:00:00+14:00 1",
        ]
    );
    assert_eq!(
        windows("day in lord_howe", &["2024-04-06T15:00:00Z"]),
        ["2024-04-07T00:00:00+11:00 2024-04-08T00:00:00+10:30 1"]
    );
}

#[test]
fn c54_c55_weeks_come_from_the_calendar() {
    assert_eq!(
        windows("week in utc", &["2021-01-03T12:00:00Z"]),
        ["2020-12-28T00:00:00Z 2021-01-04T00:00:00Z 1"]
    );
    assert_eq!(
        windows("week in new_york", &["2021-01-03T12:00:00Z"]),
        ["2021-01-03T00:00:00-05:00 2021-01-10T00:00:00-05:00 1"]
    );
    assert_eq!(over("sum(week(at)) { from points }", &["\"v\":1"]), ["1"]);
}

#[test]
fn c56_c57_buckets_floor_and_an_end_belongs_to_the_next() {
    assert_eq!(
        windows("1h", &["1969-12-31T23:59:59Z", "1970-01-01T00:00:00Z", "1970-01-01T01:00:00Z"]),
        [
            "1969-12-31T23:00:00Z 1970-01-01T00:00:00Z 1",
            "1970-01-01T00:00:00Z 1970-01-01T01:00:00Z 1",
            "1970-01-01T01:00:00Z 1970-01-01T02:00:00Z 1",
        ]
    );
}

#[test]
fn c14_c61_c64_c65_text_is_compared_by_bytes_and_cut_by_characters() {
    let fields = ["\"k\":\"é\"", "\"k\":\"e\\u0301\"", "\"k\":\"\\u00a0ß\\u00a0\"", "\"k\":\"10\""];
    assert_eq!(
        over(
            "{ n: distinct(k), chars: sum(length(k ?? \"\")), upper: max(upper(trim(k ?? \"\"))), less: count() where (k ?? \"\") < \"9\" } { from points }",
            &fields
        ),
        [r#"{"n":4,"chars":8,"upper":"É","less":1"#]
    );
}

#[test]
fn c69_c89_a_group_whose_values_cancel_stays() {
    let lines = agreed(
        &format!("{POINTS}metric m = sum(v) {{ from points  by k }}"),
        &[&at("\"k\":\"a\",\"v\":5"), &at("\"k\":\"a\",\"v\":-5")],
    );
    assert_eq!(lines, [r#"{"metric":"m","key":{"k":"a"},"window":null,"value":0}"#]);
}

#[test]
fn c74_one_value_has_no_variance() {
    assert_eq!(
        over("{ v: variance(v), s: stddev(v) } { from points }", &["\"v\":3"]),
        [r#"{"v":null,"s":null"#]
    );
    assert_eq!(
        over("{ v: variance(v), s: stddev(v) } { from points }", &["\"v\":3", "\"v\":3"]),
        [r#"{"v":0.0,"s":0.0"#]
    );
}

#[test]
fn c77_c78_an_identity_counts_once_and_its_first_payload_wins() {
    let event =
        |id: &str, amount: i64| format!(r#"{{"id":"{id}","at":"2026-01-01T00:00:00Z","amount":{amount}}}"#);
    let records = [event("a", 1), event("b", 10), event("a", 1), event("b", 99), event("c", 100)];
    let records: Vec<&str> = records.iter().map(String::as_str).collect();
    let lines = agreed(
        &format!("{PAYMENTS}metric m = {{ n: count(), s: sum(amount) }} {{ from payments }}"),
        &records,
    );
    assert_eq!(lines, [r#"{"metric":"m","key":{},"window":null,"value":{"n":3,"s":111}}"#]);
}

#[test]
fn c79_a_late_event_lands_in_its_own_window() {
    assert_eq!(
        windows("1h", &["2026-04-25T08:30:00Z", "2026-04-25T09:10:00Z", "2026-04-25T07:55:00Z"]),
        [
            "2026-04-25T07:00:00Z 2026-04-25T08:00:00Z 1",
            "2026-04-25T08:00:00Z 2026-04-25T09:00:00Z 1",
            "2026-04-25T09:00:00Z 2026-04-25T10:00:00Z 1",
        ]
    );
}

#[test]
fn c80_c82_a_cut_is_a_vector_and_every_event_is_on_one_side() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (name, count) in [("a.ndjson", 3), ("b.ndjson", 2), ("c.ndjson", 0)] {
        std::fs::write(folder.path().join(name), format!("{}\n", at("\"v\":1")).repeat(count))
            .expect("a file");
    }
    let text = format!("{POINTS}metric m = count() {{ from points }}");
    assert_eq!(agreed_at(&text, folder.path()), [r#"{"metric":"m","key":{},"window":null,"value":5}"#]);
    let package = package(&text);
    let bound = crate::layers::bound(&package, folder.path());
    for first in 0..=3 {
        for second in 0..=2 {
            let cut = metricc_log::Frontier(vec![first, second, 0]);
            let lines = crate::layers::merged(&bound, &cut, &crate::layers::options(2, 1));
            assert_eq!(lines[0], [r#"{"metric":"m","key":{},"window":null,"value":5}"#], "cut at {cut}");
        }
    }
}

#[test]
fn c7_c9_records_that_cannot_be_decoded_are_in_neither_engine() {
    let lines = agreed(
        &format!("{POINTS}metric m = {{ n: count(), s: sum(v) }} {{ from points }}"),
        &[
            &at("\"v\":1"),
            "{\"At\":\"2026-01-01T00:00:00Z\"}",
            &at("\"v\":1.5"),
            &at("\"v\":2,"),
            &at("\"v\":2"),
        ],
    );
    assert_eq!(lines, [r#"{"metric":"m","key":{},"window":null,"value":{"n":2,"s":3}}"#]);
}
