//! One mistake does not hide the next, and none is reported twice.

use metricc_dsl::Code;

use super::{EVENTS, checked, codes, event_codes};

fn with_events(text: &str) -> String {
    // India is used, so that it is no finding.
    format!("{EVENTS}metric used = count() {{ from events every day in india }}\n{text}")
}

#[test]
fn two_bad_metrics_are_both_reported() {
    let text = with_events("metric a = sum(nam) { from events }\nmetric b = sum(name) { from events }\n");
    assert_eq!(codes(&text), [Code::UnknownName, Code::TypeMismatch]);
}

#[test]
fn an_item_with_a_syntax_error_does_not_hide_the_next_one() {
    for broken in [
        "metric a = sum(n { from events }",
        "metric a = { x: count( { from",
        "metric a = count() { from events where (n",
    ] {
        let text = with_events(&format!(
            "{broken}\nmetric b = sum(name) {{ from events }}\nmetric c = max(n) {{ from events }}\n"
        ));
        assert_eq!(codes(&text), [Code::Syntax, Code::TypeMismatch], "{broken}");
        let names: Vec<String> =
            checked(&text).package.metrics.iter().map(|metric| metric.name.clone()).collect();
        assert_eq!(names, ["used", "c"], "{broken}");
    }
}

#[test]
fn a_broken_source_is_reported_once_and_its_metrics_stay_silent() {
    let text = "source s { at: timestamp time  n: intt  }\nmetric a = sum(n) + sum(missing) { from s }\n";
    assert_eq!(codes(text), [Code::UnknownType]);
    assert!(checked(text).package.metrics.is_empty());
    let text = "source s { at timestamp time }\nmetric a = sum(n) { from s }\n";
    assert_eq!(codes(text), [Code::Syntax]);
    let text = "calendar c { zone }\nsource s { at: timestamp time }\nmetric a = max(at) { from s every day in c }\n";
    assert_eq!(codes(text), [Code::Syntax]);
}

#[test]
fn all_errors_of_one_metric_are_reported() {
    let found = event_codes(
        "{ a: sum(name), b: nope(n), c: max(missing), d: n }",
        "where n and lower(n) == 1 by tags, lower(name) every 1d unit a",
    );
    assert_eq!(
        found,
        [
            Code::TypeMismatch,
            Code::UnknownFunction,
            Code::UnknownName,
            Code::FieldOutside,
            Code::TypeMismatch,
            Code::TypeMismatch,
            Code::TypeMismatch,
            Code::KeyName,
            Code::Window,
        ]
    );
}

#[test]
fn a_wrong_value_does_not_cascade() {
    assert_eq!(event_codes("sum(missing + 1) / count()", ""), [Code::UnknownName]);
    assert_eq!(event_codes("max(x * 2)", "let x = lower(n) where x == 3 by x"), [Code::TypeMismatch]);
    assert_eq!(event_codes("count()", "where name == \"\\q\""), [Code::StringLiteral]);
}

#[test]
fn the_first_of_two_metrics_of_one_name_is_kept() {
    let text = with_events("metric used = sum(n) { from events }\n");
    assert_eq!(codes(&text), [Code::DuplicateName]);
    assert_eq!(checked(&text).package.metrics.len(), 1);
}

#[test]
fn findings_are_in_the_order_of_the_text() {
    let text = with_events("metric b = sum(name) { from events where x by y }\nmetrc a = 1\nmetric c = p\n");
    let starts: Vec<usize> = checked(&text).diagnostics.iter().map(|found| found.span().start).collect();
    assert!(starts.len() >= 4 && starts.is_sorted(), "{starts:?}");
}

#[test]
fn a_word_that_starts_nothing_is_said_to_be_near_one_that_does() {
    for (text, message, help) in [
        ("metric a = count() { form events }", "unknown clause `form`", "did you mean `from`?"),
        ("metric a = count() { from events  evry 1h }", "unknown clause `evry`", "did you mean `every`?"),
        (
            "metric a = count() { from events  sesion gap 1h }",
            "unknown clause `sesion`",
            "did you mean `session`?",
        ),
        ("calendar x { zne \"UTC\" }", "unexpected `zne`", ""),
        ("test \"t\" { gven events [] }", "unexpected `gven`", ""),
    ] {
        let checked = checked(&with_events(text));
        let found = &checked.diagnostics[0];
        assert_eq!(found.message, message);
        assert_eq!(found.help.first().map_or("", String::as_str), help, "{text}");
        let label = &found.labels[0].text;
        assert!(!help.is_empty() || label.contains("`zone`") || label.contains("`given`"), "{label}");
    }
}
