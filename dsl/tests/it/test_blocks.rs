//! `test` blocks: rows are checked against the types of sources and metrics.

use metricc_dsl::Code;
use metricc_ir::Value;

use super::{checked, codes};

const PACKAGE: &str = r#"
calendar india { zone "Asia/Kolkata" }
source events {
  id: int key
  at: timestamp time zone "Europe/London"
  kind: enum("a", "b")
  price: decimal(6, 2)?
  took: duration = 5m
  tags: list<string>
  born: date?
  ms: timestamp? unit ms
  weight: float?
}
metric daily = { n: count(), best: top(1, kind), price: sum(price) } { from events  by kind  every day in india }
metric hourly = count() { from events  every 1h }
metric all_time = mean(price) { from events }
"#;

/// The codes of a package with a test whose body this is.
fn of(body: &str) -> Vec<Code> {
    codes(&format!("{PACKAGE}test \"t\" {{ {body} }}"))
}

#[test]
fn rows_become_records_and_values() {
    let text = format!(
        "{PACKAGE}test \"two \\\"rows\\\"\" {{
          given events [
            {{ id: 1, at: \"2026-04-25T10:00:00\", kind: \"a\", price: 1.5, tags: [\"x\", \"\\n\"], weight: -2 }},
            {{ id: 2, at: \"2026-04-25T10:00:00Z\", kind: \"b\", tags: [], took: none, born: \"2026-01-02\", ms: 12 }},
          ]
          expect daily [{{ kind: \"a\", day: \"2026-04-25\", n: 1, best: [{{ item: \"a\", value: 1 }}], price: 1.5 }}]
        }}"
    );
    let checked = checked(&text);
    assert_eq!(checked.diagnostics, []);
    let test = &checked.package.tests[0];
    assert_eq!((test.name.as_str(), test.line), ("two \"rows\"", 17));
    let records: Vec<&str> = test.given[0].rows.iter().map(|row| row.json.as_str()).collect();
    assert_eq!(
        records,
        [
            r#"{"id":1,"at":"2026-04-25T10:00:00","kind":"a","price":1.50,"tags":["x","\n"],"weight":-2.0}"#,
            r#"{"id":2,"at":"2026-04-25T10:00:00Z","kind":"b","tags":[],"took":null,"born":"2026-01-02","ms":12}"#,
        ]
    );
    let row = &test.expected[0].rows[0];
    assert_eq!(row.start, Some(1_777_055_400_000_000));
    assert_eq!(row.keys, [Value::Enum(0)]);
    let best = Value::List(vec![Value::Record(vec![Value::Enum(0), Value::Int(1)])]);
    assert_eq!(row.outputs, [Some(Value::Int(1)), Some(best), Some(Value::Decimal(150))]);
}

#[test]
fn given_texts_are_read_as_those_of_records() {
    let of = |value: &str| {
        let given = format!("id: 1, at: \"2026-04-25T10:00:00\", kind: \"a\", tags: [], {value}");
        let text = format!("{PACKAGE}test \"t\" {{ given events [{{ {given} }}] expect hourly [] }}");
        let checked = checked(&text);
        let problem = checked.diagnostics.first().map(|found| found.message.clone());
        problem.unwrap_or_else(|| checked.package.tests[0].given[0].rows[0].json.clone())
    };
    for (value, expected) in [
        (r#"price: "1.50""#, r#""price":"1.50""#),
        (r#"price: " 1e1 ""#, r#""price":" 1e1 ""#),
        (r#"price: "1.505""#, r#"`"1.505"` is no `decimal(6, 2)`: more than 2 digits after the point"#),
        (r#"price: "cheap""#, r#"`"cheap"` is no `decimal(6, 2)`: not a number"#),
        (r#"weight: "NaN""#, r#""weight":"NaN""#),
        (r#"took: "1h30m""#, r#""took":"1h30m""#),
        (r#"born: "20260102""#, r#""born":"20260102""#),
        (r#"born: "tomorrow""#, r#"`"tomorrow"` is not a date"#),
        (r#"ms: "2026-04-25 10:00:00 UTC""#, r#""ms":"2026-04-25 10:00:00 UTC""#),
        (r#"ms: "12""#, r#""ms":"12""#),
        (r#"ms: "2026-04-25T10:00:00""#, r#"`"2026-04-25T10:00:00"` is not an instant"#),
    ] {
        let found = of(value);
        assert!(found.contains(expected), "{value}: {found}");
    }
}

#[test]
fn what_does_not_fit_is_found_where_it_stands() {
    const GIVEN: &str = "given events [{ id: 1, at: \"2026-04-25T10:00:00\", kind: \"a\", tags: [] }]";
    for (body, expected) in [
        ("given events []  expect all_time [{ value: none }]".to_owned(), vec![]),
        ("given events []".to_owned(), vec![Code::TestClause]),
        ("expect all_time [{ value: none }]".to_owned(), vec![Code::TestClause]),
        (format!("{GIVEN} {GIVEN} expect hourly []"), vec![Code::TestClause]),
        (format!("{GIVEN} expect hourly [] expect hourly []"), vec![Code::TestClause]),
        ("given event [] expect hourly []".to_owned(), vec![Code::UnknownSource]),
        (format!("{GIVEN} expect hourl []"), vec![Code::UnknownMetric]),
        ("given events [{ id: 1 }] expect hourly []".to_owned(), vec![Code::TestRow]),
        (GIVEN.replace("id: 1", "id: 1, idd: 2") + " expect hourly []", vec![Code::UnknownName]),
        (GIVEN.replace("id: 1", "id: 1, id: 2") + " expect hourly []", vec![Code::DuplicateName]),
        (GIVEN.replace("id: 1", "id: \"one\"") + " expect hourly []", vec![Code::TypeMismatch]),
        (GIVEN.replace("id: 1", "id: none") + " expect hourly []", vec![Code::TypeMismatch]),
        (GIVEN.replace("id: 1", "id: 1 + 1") + " expect hourly []", vec![Code::TypeMismatch]),
        (GIVEN.replace("\"a\"", "\"c\"") + " expect hourly []", vec![Code::TextLiteral]),
        (GIVEN.replace("[]", "[1]") + " expect hourly []", vec![Code::TypeMismatch]),
        (GIVEN.replace("[]", "{ a: 1 }") + " expect hourly []", vec![Code::TypeMismatch]),
        (format!("{GIVEN} expect hourly [{{ value: 1 }}]"), vec![Code::TestRow]),
        (format!("{GIVEN} expect hourly [{{ start: \"2026-04-25T10:00:00Z\" }}]"), vec![Code::TestRow]),
        (
            format!("{GIVEN} expect hourly [{{ start: \"2026-04-25T10:30:00Z\", value: 1 }}]"),
            vec![Code::TestRow],
        ),
        (
            format!("{GIVEN} expect hourly [{{ end: \"2026-04-25T10:30:00Z\", value: 1 }}]"),
            vec![Code::TestRow],
        ),
        (
            format!(
                "{GIVEN} expect hourly [{{ start: \"2026-04-25T10:00:00Z\", end: \"2026-04-25T12:00:00Z\", value: 1 }}]"
            ),
            vec![Code::TestRow],
        ),
        (
            format!(
                "{GIVEN} expect hourly [{{ start: \"2026-04-25T10:00:00Z\", value: 1 }}, {{ end: \"2026-04-25T11:00:00Z\", value: 1 }}]"
            ),
            vec![Code::TestRow],
        ),
        (format!("{GIVEN} expect all_time [{{ value: none }}, {{ value: none }}]"), vec![Code::TestRow]),
        (format!("{GIVEN} expect hourly [{{ day: \"2026-04-25\", value: 1 }}]"), vec![Code::UnknownName]),
        (
            format!("{GIVEN} expect hourly [{{ end: \"2026-04-25T10:00:00Z\", value: 1.5 }}]"),
            vec![Code::NumberLiteral],
        ),
        (format!("{GIVEN} expect daily [{{ day: \"2026-04-25\", n: 1 }}]"), vec![Code::TestRow]),
        (
            format!(
                "{GIVEN} expect daily [{{ day: \"2026-04-25\", start: \"2026-04-25T18:30:00Z\", kind: \"a\", n: 1 }}]"
            ),
            vec![Code::TestRow],
        ),
        (GIVEN.replace("id: 1", "id: 1, ms: -5") + " expect hourly []", vec![]),
        (
            format!("{GIVEN} expect daily [{{ day: \"2026-04-31\", kind: \"a\", n: 1 }}]"),
            vec![Code::TextLiteral],
        ),
        (
            format!(
                "{GIVEN} expect daily [{{ day: \"2026-04-25\", kind: \"a\", best: [{{ item: \"a\" }}] }}]"
            ),
            vec![Code::TestRow],
        ),
    ] {
        assert_eq!(of(&body), expected, "{body}");
    }
}

#[test]
fn tests_of_one_name_and_of_broken_metrics() {
    let test = "test \"t\" { given events [] expect hourly [] }";
    assert_eq!(codes(&format!("{PACKAGE}{test}\n{test}")), [Code::DuplicateName]);
    // The cause is reported, what follows from it is not.
    let broken = "metric broken = sum(pric) { from events }\ntest \"b\" { given events [] expect broken [] }";
    assert_eq!(codes(&format!("{PACKAGE}{broken}")), [Code::UnknownName]);
}
