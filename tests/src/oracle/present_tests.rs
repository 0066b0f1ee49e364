use super::*;

fn row(value: Presented) -> Row {
    let key = vec![("k".to_owned(), "\"a\"".to_owned())];
    let (window, span) = (None, None);
    Row { metric: "m".to_owned(), key, window, span, is_partial: false, value, overflow: Vec::new() }
}

fn near_ten() -> Check {
    Check::Within { least: 9.0, greatest: 11.0, whole: false }
}

#[test]
fn decimals_show_their_scale() {
    assert_eq!(decimal("5", 2), "0.05");
    assert_eq!(decimal("-5", 2), "-0.05");
    assert_eq!(decimal("1000", 2), "10.00");
    assert_eq!(decimal("-12", 0), "-12");
    assert_eq!(decimal("0", 38), format!("0.{:0>38}", ""));
}

#[test]
fn c66_floats_are_the_shortest_that_read_back() {
    assert_eq!([1.0, 0.1, 1e21, 5e-324].map(float), ["1.0", "0.1", "1e21", "5e-324"]);
}

#[test]
fn texts_are_escaped() {
    assert_eq!(string("a\"\\\u{0}\n"), r#""a\"\\\u0000\n""#);
}

#[test]
fn a_line_has_metric_key_window_and_value() {
    let mut row = row(Presented::Plain(Check::Exact("\"10.00\"".to_owned())));
    row.window = Some(("s".to_owned(), "e".to_owned()));
    let line = r#"{"metric":"m","key":{"k":"a"},"window":{"start":"s","end":"e"},"value":"10.00"}"#;
    assert_eq!(row.line(), line);
    assert_eq!(compare(&[row.clone()], &[line]), Ok(()));
    assert!(compare(&[row], &[line.replace("10.00", "10.0")]).is_err());
}

#[test]
fn estimates_are_judged_by_their_range() {
    let record = vec![("n".to_owned(), Check::Exact("1".to_owned())), ("q".to_owned(), near_ten())];
    let row = row(Presented::Record(record));
    let line = |value: &str| format!(r#"{{"metric":"m","key":{{"k":"a"}},"window":null,"value":{value}}}"#);
    let judged = |value: &str| compare(std::slice::from_ref(&row), &[line(value)]).is_ok();
    assert!(judged(r#"{"n":1,"q":10.5}"#));
    assert!(!judged(r#"{"n":1,"q":11.5}"#));
    assert!(!judged(r#"{"n":1,"q":10}"#));
    assert!(!judged(r#"{"n":1,"q":null}"#));
    assert!(!judged(r#"{"n":2,"q":10.5}"#));
    assert!(!judged(r#"{"q":10.5,"n":1}"#));
    assert!(!judged(r#"{"n":1,"q":10.5,"r":0}"#));
    assert!(!judged(r#"{"n":1}"#));
}

#[test]
fn missing_and_further_lines_are_differences() {
    let row = row(Presented::Plain(near_ten()));
    let line = r#"{"metric":"m","key":{"k":"a"},"window":null,"value":9.0}"#;
    assert_eq!(compare(std::slice::from_ref(&row), &[line]), Ok(()));
    assert_eq!(compare(&[], &[line]).map_err(|mismatch| mismatch.line), Err(0));
    assert_eq!(compare(&[row.clone(), row], &[line]).map_err(|mismatch| mismatch.line), Err(1));
}

#[test]
fn small_distinct_counts_have_room_for_two() {
    let op = AggregateOp::DistinctWithin { error_ppm: 10_000 };
    let check = admissible(&op, &Datum::Int(10.into()));
    assert!(check.admits("12") && check.admits("8"));
    assert!(!check.admits("13") && !check.admits("7") && !check.admits("10.0"));
}

#[test]
fn c66_the_spelling_of_an_exponent_is_free_and_its_digits_are_not() {
    assert_eq!(respelled(r#"[1e+21,1e21,1E21,1000000000000000000000.0]"#), "[1e21,1e21,1e21,1e21]");
    assert_eq!(
        respelled(r#"{"1e+5":-2.50,"\"1e+5":100000.0,"n":12}"#),
        r#"{"1e+5":-2.5,"\"1e+5":100000.0,"n":12}"#
    );
    assert_eq!(respelled("0.1000000000000000055"), "0.1000000000000000055");
    assert_eq!(respelled("0.00001 -1e-05"), "1e-5 -1e-5");
}
