//! The typing rules, one by one: valid expressions give the right typed expression, others the right code.

use metricc_dsl::Code;
use metricc_ir::explain_typed::explain_typed;
use metricc_ir::expression_text;
use metricc_ir::{Calendar, CalendarUnit, Kind, Metric, Type, Value, Window};

use super::{EVENTS, checked, codes, event_codes, file, metric, over_events, rendered};

/// Text and type of the argument of the one aggregate.
fn argument(value: &str, clauses: &str) -> String {
    let metric = metric(&format!("max({value})"), clauses);
    let expr = metric.aggregates[0].args.first().expect("an argument");
    format!("{}: {}", text(&metric, expr), expr.ty)
}

/// Text of the filter.
fn filter(condition: &str) -> String {
    let metric = metric("count()", &format!("where {condition}"));
    let expr = metric.filter.as_ref().expect("a filter");
    assert_eq!(expr.ty, Type::of(Kind::Bool), "{condition}");
    text(&metric, expr)
}

fn filter_codes(condition: &str) -> Vec<Code> {
    event_codes("count()", &format!("where {condition}"))
}

fn text(metric: &Metric, expr: &metricc_ir::Expr) -> String {
    expression_text::expression(expr, &|index| match metric.source.fields.get(index) {
        Some(field) => field.name.clone(),
        None => metric.each[index - metric.source.fields.len()].name.clone(),
    })
}

/// Text and type of the one output.
fn output(value: &str) -> String {
    let metric = metric(value, "");
    let expr = &metric.outputs[0].expr;
    format!("{}: {}", expression_text::expression(expr, &|index| format!("a{index}")), expr.ty)
}

#[test]
fn operators_bind_as_the_reference_says() {
    assert_eq!(filter("flag or flag and not n + m * 2 == 3"), "flag or flag and not int128(n) + m * 2 == 3");
    assert_eq!(filter("(flag or flag) and flag"), "(flag or flag) and flag");
    assert_eq!(argument("n - (m - 1) - 2", ""), "int128(n) - (m - 1) - 2: int128?");
    assert_eq!(argument("maybe ?? 0 + maybe ?? 1", ""), "maybe ?? 0 + maybe ?? 1: int128?");
    assert_eq!(argument("-maybe ?? 1", ""), "-maybe ?? 1: int128?");
    assert_eq!(argument("if flag then n else m + 1", ""), "if flag then int128(n) else m + 1: int128?");
    assert_eq!(filter("not flag == flag"), "not flag == flag");
    assert_eq!(filter("n + 1 in (1, -2) and flag"), "n + 1 in (1, -2) and flag");
    assert_eq!(filter("n not in (1, 2)"), "not n in (1, 2)");
}

#[test]
fn labels_can_be_read_and_zones_are_places() {
    for unit in ["\"\"", "\" \"", "\"a\\nb\"", "\"\\u{1b}[31m\"", "\"\\u{202e}\""] {
        assert_eq!(event_codes("count()", &format!("unit {unit}")), [Code::NameSpelling], "{unit}");
    }
    metric("count()", "unit \"1/s\"");
    metric("count()", "unit \"€ je Stück\"");
    let test = |name: &str| {
        format!(
            "source s {{ at: timestamp time }}\nmetric m = any(at == at) {{ from s }}\ntest {name} {{ given s []  expect m [{{ value: false }}] }}\n"
        )
    };
    assert_eq!(codes(&test("\"\"")), [Code::NameSpelling]);
    assert_eq!(codes(&test("\"a\\r\"")), [Code::NameSpelling]);
    assert_eq!(codes(&test("\"a\"")), []);
    assert_eq!(codes("calendar c { zone \"Factory\" }\n"), [Code::UnknownZone]);
}

#[test]
fn literals_take_the_type_of_their_place() {
    assert_eq!(filter("price > 1"), "price > 1.00");
    assert_eq!(filter("price > 0.005"), "decimal(13, 3)(price) > 0.005");
    assert_eq!(filter("ratio > 1"), "ratio > 1.0");
    assert_eq!(filter("ratio == -0.0"), "ratio == 0.0");
    assert_eq!(filter("n == 1.5"), "decimal(20, 1)(n) == 1.5");
    assert_eq!(filter("n == -9223372036854775808"), "n == -9223372036854775808");
    assert_eq!(filter("status == \"failed\""), "status == \"failed\"");
    assert_eq!(filter("status in (\"failed\", \"captured\")"), "status in (\"failed\", \"captured\")");
    assert_eq!(filter("at >= \"2026-04-25T10:00:00+05:30\""), "at >= \"2026-04-25T04:30:00Z\"");
    assert_eq!(filter("at >= \"2026-04-25T10:00:00.5Z\""), "at >= \"2026-04-25T10:00:00.5Z\"");
    assert_eq!(filter("day_of == \"2024-02-29\""), "day_of == \"2024-02-29\"");
    assert_eq!(argument("10.00", ""), "10.00: decimal(4, 2)");
    assert_eq!(argument("0.5", ""), "0.5: decimal(1, 1)");
    assert_eq!(argument("if flag then price else 0", ""), "if flag then price else 0.00: decimal(12, 2)");
}

#[test]
fn texts_that_are_no_values_are_found_while_compiling() {
    for wrong in [
        "status == \"capturd\"",
        "\"x\" == status",
        "status in (\"failed\", \"lost\")",
        "at > \"2026-04-25\"",
        "at > \"2026-04-25T10:00:00\"",
        "at > \"2026-04-25T24:00:00Z\"",
        "at > \"2026-04-25T23:59:60Z\"",
        "at > \"2026-04-25T10:00:00.1234567Z\"",
        "at > \"2026-13-25T10:00:00Z\"",
        "day_of == \"2026-02-29\"",
        "day_of == \"26-02-01\"",
    ] {
        assert_eq!(filter_codes(wrong), [Code::TextLiteral], "{wrong}");
    }
}

#[test]
fn exact_numbers_meet_at_the_larger_scale() {
    assert_eq!(argument("price + fee", ""), "decimal(14, 4)(price) + decimal(14, 4)(fee): decimal(15, 4)?");
    assert_eq!(argument("price + n", ""), "decimal(21, 2)(price) + decimal(21, 2)(n): decimal(22, 2)?");
    assert_eq!(argument("price * fee", ""), "price * fee: decimal(38, 6)?");
    assert_eq!(argument("price * 2", ""), "price * 2: decimal(38, 2)?");
    assert_eq!(argument("price / 3", ""), "price / 3: decimal(38, 8)?");
    assert_eq!(argument("n / 2", ""), "n / 2: int?");
    assert_eq!(argument("n / 2.0", ""), "decimal(19, 0)(n) / 2.0: decimal(38, 7)?");
    assert_eq!(argument("(n / m) ?? 0", ""), "(n / m) ?? 0: int128");
    assert_eq!(argument("n % 7", ""), "n % 7: int?");
    assert_eq!(filter("price == fee"), "decimal(14, 4)(price) == decimal(14, 4)(fee)");
}

#[test]
fn exact_numbers_and_floats_need_a_cast_in_rows_and_none_over_aggregates() {
    for wrong in ["n > ratio", "price == ratio", "n + ratio > 1", "price * ratio > 1", "n in (ratio, 1)"] {
        assert_eq!(filter_codes(wrong), [Code::MixedNumbers], "{wrong}");
    }
    assert_eq!(filter("float(n) > ratio"), "float(n) > ratio");
    assert_eq!(output("sum(n) + mean(ratio)"), "float(a0) + a1: float?");
    assert_eq!(output("sum(n) + count()"), "a0 + int128(a1): int128?");
    assert_eq!(output("sum(price) * 2"), "a0 * 2: decimal(38, 2)?");
    assert_eq!(output("sum(price) / count()"), "a0 / a1: float?");
    assert_eq!(output("sum(price) / 100"), "a0 / 100: float?");
    assert_eq!(output("count() / 2.5"), "a0 / 2.5: float?");
    assert_eq!(output("mean(n) > 1"), "a0 > 1.0: bool");
    assert_eq!(output("mean(n) ?? 0"), "a0 ?? 0.0: float");
}

#[test]
fn a_declared_none_has_to_be_handled_and_an_overflow_flows_on() {
    for wrong in [
        "maybe > 1",
        "maybe + 1 == 2",
        "lower(nick) == \"x\"",
        "n / m > 1",
        "not unsure",
        "unsure",
        "flag and unsure",
        "(if flag then n else none) > 1",
        "length(hints) > 1",
        "n > none",
        "-maybe == 1",
        "min(n, maybe) > 1",
    ] {
        assert_eq!(filter_codes(wrong), [Code::MayBeNone], "{wrong}");
    }
    assert_eq!(filter("n + m * 2 > -n"), "int128(n) + m * 2 > -n");
    assert_eq!(filter("abs(n + m) / 2 > 1"), "abs(n + m) / 2 > 1");
    assert_eq!(
        filter("maybe == 1 and nick != name and unsure == true"),
        "maybe == 1 and nick != name and unsure == true"
    );
    assert_eq!(filter("maybe in (1, none)"), "maybe in (1, none)");
    // A function over something that overflowed: the condition is false.
    assert_eq!(filter("contains(tags, name)"), "contains(tags, name)");
}

#[test]
fn a_test_for_none_is_understood() {
    assert_eq!(filter("maybe != none and maybe > 1"), "maybe != none and maybe > 1");
    assert_eq!(filter("maybe == none or maybe > 1"), "maybe == none or maybe > 1");
    assert_eq!(filter("not (maybe == none) and maybe > 1"), "not maybe == none and maybe > 1");
    assert_eq!(
        filter("nick != none and starts_with(nick, \"a\")"),
        "nick != none and starts_with(nick, \"a\") ?? false"
    );
    assert_eq!(filter("unsure != none and unsure"), "unsure != none and unsure ?? false");
    assert_eq!(
        argument("if maybe == none then 0 else maybe + 1", ""),
        "if maybe == none then 0 else maybe + 1: int128?"
    );
    assert_eq!(filter("hints != none and length(hints) > 1"), "hints != none and length(hints) > 1");
    assert_eq!(argument("maybe + 1", "where maybe != none"), "maybe + 1: int128?");
    metric("count()", "where nick != none by lower(nick) as nick");
    metric("distinct(lower(nick)) where nick != none", "");
    metric("max(x)", "let x = maybe ?? 1 where x > 1");
    for wrong in ["maybe != none or maybe > 1", "maybe == none and maybe > 1", "maybe > 1 and maybe != none"]
    {
        assert_eq!(filter_codes(wrong), [Code::MayBeNone], "{wrong}");
    }
    assert_eq!(event_codes("max(x)", "let x = maybe + 1 where maybe != none"), [Code::MayBeNone]);
}

#[test]
fn functions_have_the_types_of_the_reference() {
    for (written, expected) in [
        ("concat(name, \"x\", upper(trim(name)))", "concat(name, \"x\", upper(trim(name))): string"),
        ("substr(name, 0, 2)", "substr(name, 0, 2): string"),
        ("length(split(name, \",\"))", "length(split(name, \",\")): int"),
        ("length(tags)", "length(tags): int"),
        ("text(status)", "text(status): string"),
        ("hash64(name, n, nick)", "hash64(name, n, nick): int"),
        ("year(at)", "year(at) in UTC: int"),
        ("weekday(at) in india", "weekday(at) in Asia/Kolkata: int"),
        ("date(at) in india", "date(at) in Asia/Kolkata: date"),
        ("month(day_of)", "month(day_of) in UTC: int"),
        ("truncate(at, 1h)", "truncate(at, 1h): timestamp"),
        ("truncate(at, week) in india", "truncate(at, week) in Asia/Kolkata (week sunday): timestamp"),
        ("at - \"2026-01-01T00:00:00Z\"", "at - \"2026-01-01T00:00:00Z\": duration?"),
        ("1h + at", "at + 1h: timestamp?"),
        ("took - 90s", "took - 90s: duration?"),
        ("round(price, 1)", "round(price, 1): decimal(12, 1)?"),
        // A float of a record may be NaN, which is none.
        ("floor(ratio)", "floor(ratio): float?"),
        ("ceil(price)", "ceil(price): decimal(12, 0)?"),
        ("int(price)", "int(price): int?"),
        ("float(price)", "float(price): float"),
        ("min(n, m, 3)", "min(n, m, 3): int"),
        ("max(price, n)", "max(decimal(21, 2)(price), decimal(21, 2)(n)): decimal(21, 2)"),
    ] {
        assert_eq!(argument(written, ""), expected);
    }
    assert_eq!(filter("matches(name, \"^a+$\")"), "matches(name, \"^a+$\")");
    assert_eq!(
        filter("contains(name, \"a\") and contains(tags, nick)"),
        "contains(name, \"a\") and contains(tags, nick)"
    );
    assert_eq!(filter("weekday(at) in india in (6, 7)"), "weekday(at) in Asia/Kolkata in (6, 7)");
}

#[test]
fn wrong_arguments_have_codes() {
    for (written, expected) in [
        ("lower(n)", Code::TypeMismatch),
        ("lower(status)", Code::TypeMismatch),
        ("text(name)", Code::TypeMismatch),
        ("hour(day_of)", Code::TypeMismatch),
        ("abs(name)", Code::TypeMismatch),
        ("round(n)", Code::TypeMismatch),
        ("round(price, 3)", Code::LiteralArgument),
        ("round(price, n)", Code::LiteralArgument),
        ("split(name, \"\")", Code::LiteralArgument),
        ("length(split(name, name))", Code::LiteralArgument),
        ("truncate(at, hour)", Code::LiteralArgument),
        ("truncate(at, 1h) in india", Code::Window),
        ("day(at) in mars", Code::UnknownCalendar),
        ("substr(name, 1)", Code::Arguments),
        ("concat(name)", Code::Arguments),
        ("lower(within: name)", Code::Arguments),
        ("now()", Code::UnknownFunction),
        ("name + name", Code::TypeMismatch),
        ("at + at", Code::TypeMismatch),
        ("at + 1", Code::TypeMismatch),
        ("took * 2", Code::TypeMismatch),
        ("ratio % 2", Code::TypeMismatch),
        ("n % 0", Code::DivisionByZero),
        ("[1, 2]", Code::TypeMismatch),
        ("1%", Code::LiteralArgument),
        ("sum(n)", Code::NestedAggregate),
        ("null", Code::ForeignSpelling),
        ("captured", Code::UnknownName),
        ("tags", Code::TypeMismatch),
    ] {
        assert_eq!(event_codes(&format!("max({written})"), ""), [expected], "{written}");
    }
    for (written, expected) in [
        ("n = 1", Code::ForeignSpelling),
        ("flag AND flag", Code::ForeignSpelling),
        ("name == 'x'", Code::ForeignSpelling),
        ("name in [\"x\", \"y\"]", Code::ForeignSpelling),
        ("flag < flag", Code::TypeMismatch),
        ("tags == n", Code::TypeMismatch),
        ("tags in (tags, tags)", Code::TypeMismatch),
        ("tags < tags", Code::TypeMismatch),
        ("at == day_of", Code::TypeMismatch),
        ("status == name", Code::TypeMismatch),
        ("name in tags", Code::TypeMismatch),
        ("n in ()", Code::Arguments),
        ("none == none", Code::TypeMismatch),
        ("n == none", Code::NeverNone),
        ("1 < n < 3", Code::ChainedComparison),
    ] {
        assert_eq!(filter_codes(written), [expected], "{written}");
    }
}

#[test]
fn aggregates_present_the_types_of_the_contract() {
    for (written, expected) in [
        ("count()", "int"),
        ("sum(n)", "int128"),
        ("sum(price)", "decimal(38, 2)?"),
        ("sum(ratio)", "float?"),
        ("mean(n)", "float?"),
        ("mean(price)", "decimal(38, 8)?"),
        ("min(name)", "string?"),
        ("max(at)", "timestamp?"),
        ("variance(price)", "float?"),
        ("stddev(maybe)", "float?"),
        ("any(unsure)", "bool"),
        ("all(n > 1)", "bool"),
        ("distinct(nick)", "int"),
        ("distinct(nick, within: 0.5%)", "int"),
        ("quantile(price, 0.999, within: 1%)", "float?"),
        ("median(n, within: 1%)", "float?"),
        ("p99(ratio, within: 2%)", "float?"),
    ] {
        assert_eq!(metric(written, "").aggregates[0].ty.to_string(), expected, "{written}");
    }
    for (written, expected) in [
        ("count(n)", Code::Arguments),
        ("sum(name)", Code::TypeMismatch),
        ("sum(flag)", Code::TypeMismatch),
        ("min(flag)", Code::TypeMismatch),
        ("any(n)", Code::TypeMismatch),
        ("distinct(tags)", Code::TypeMismatch),
        ("distinct(n, within: 90%)", Code::LiteralArgument),
        ("quantile(n, 1.5, within: 1%)", Code::LiteralArgument),
        ("quantile(n, within: 1%)", Code::Arguments),
        ("sum(n, within: 1%)", Code::Arguments),
        ("distinct(n, within: 1%, within: 2%)", Code::Arguments),
        ("sum(n where flag)", Code::FilterPlace),
        ("count() where sum(n) > 1", Code::NestedAggregate),
        ("sum(n) + m", Code::FieldOutside),
        ("{}", Code::NoAggregate),
    ] {
        assert_eq!(event_codes(written, ""), [expected], "{written}");
    }
}

#[test]
fn aggregates_that_occur_twice_are_held_once() {
    let twice =
        metric("{ a: count(), b: sum(n) / count(), c: sum(n) where flag, d: (sum(n) where flag) + 1 }", "");
    assert_eq!(twice.aggregates.len(), 3);
}

#[test]
fn renaming_a_let_or_moving_clauses_changes_nothing() {
    let first = metric("sum(net)", "let net = price - 1  where net > 2  by name  every 1h");
    for other in [
        metric("sum(gain)", "let gain = price - 1  where gain > 2  by name  every 1h"),
        metric("sum(price - 1)", "every 1h  by (name)  where (price - 1) > 2.00"),
    ] {
        assert_eq!(first, other);
        assert_eq!(explain_typed(&first).to_text(), explain_typed(&other).to_text());
    }
}

#[test]
fn several_wheres_must_all_hold() {
    let several = metric("count()", "where flag  where n > 1  where m > 2");
    assert_eq!(several, metric("count()", "where flag and n > 1 and m > 2"));
}

#[test]
fn each_adds_a_row_per_element() {
    let metric = metric(
        "count()",
        "let parts = split(name, \"/\")  each part in parts  each tag in tags  by part, tag",
    );
    assert_eq!(metric.each.len(), 2);
    assert_eq!(text(&metric, &metric.keys[0].expr), "part");
    assert_eq!(event_codes("count()", "each x in name by x"), [Code::TypeMismatch]);
    assert_eq!(event_codes("count()", "each n in tags"), [Code::DuplicateName]);
}

#[test]
fn windows_are_what_they_say() {
    assert_eq!(metric("count()", "every 24h").window, Window::Tumbling(86_400_000_000));
    let Window::Calendar(_, calendar) = metric("count()", "every week in india").window.clone() else {
        panic!("not a calendar window");
    };
    assert_eq!((calendar.zone.as_str(), calendar.week_start), ("Asia/Kolkata", 7));
    // Readers put days together to weeks of the calendar.
    let of_days = metric("count()", "every day in india").window.clone();
    assert_eq!(of_days, Window::Calendar(CalendarUnit::Day, calendar.clone()));
    let from_monday = Window::Calendar(CalendarUnit::Day, Calendar { week_start: 1, ..calendar.clone() });
    assert!(of_days != from_monday && of_days.is_cut_as(&from_monday));
    for wrong in ["every 1d", "every 0s", "every 5", "every day", "every hour", "every 1h in india"] {
        assert_eq!(event_codes("count()", wrong), [Code::Window], "{wrong}");
    }
    assert_eq!(event_codes("count()", "every day in mars"), [Code::UnknownCalendar]);
}

#[test]
fn periods_of_retention_run_on() {
    for right in [
        "n",
        "date(at) in india",
        "year(at)",
        "year(at) * 12 + month(at)",
        "period(at, week) in india",
        "period(at, 1h)",
        "period(at, day) * 2 + (if hour(at) < 12 then 0 else 1)",
        "(n - n % 7) / 7",
        "period(at, month) * 2 + (if day(at) > 15 then 1 else 0)",
    ] {
        let codes = event_codes(&format!("retention(id, {right}, 4)"), "");
        assert!(codes.is_empty(), "{right}: {codes:?}");
    }
    for wrong in [
        "week(at)",
        "month(at) in india",
        "hour(at) + 1",
        "month(at) * 31 + weekday(at)",
        "if quarter(at) > 2 then 1 else 0",
        "year(at) * 53 + week(at)",
        "iso_year(at) * 53 + week(at)",
        "period(at, month) * 31 + day(at)",
        "-second(at)",
        "minute(at)",
    ] {
        let codes = event_codes(&format!("retention(id, {wrong}, 4)"), "");
        let is_found = |code: &Code| *code != Code::YearOfWeek;
        assert_eq!(codes.into_iter().filter(is_found).collect::<Vec<_>>(), [Code::WrappingPeriod], "{wrong}");
    }
}

#[test]
fn a_week_beside_another_year_is_warned_of() {
    let year_of_week = [Code::YearOfWeek];
    for (body, expected) in [
        ("by year(at) as y, week(at) as w", &year_of_week[..]),
        ("let w = week(at) by year(at) * 100 + w as week", &year_of_week),
        ("where year(at) == 2025 where week(at) == 1", &year_of_week),
        ("by iso_year(at) as y, week(at) as w", &[]),
        ("by year(at) as y, iso_year(at) as iso, week(at) as w", &[]),
        ("by year(at) as y, month(at) as m", &[]),
        ("where year(at) == 2025 by week(at) as w", &year_of_week),
        ("where iso_year(at) == 2025 by week(at) as w", &[]),
    ] {
        assert_eq!(event_codes("count()", body), expected, "{body}");
    }
    assert_eq!(event_codes("count() where year(at) == 2025 and week(at) == 1", ""), year_of_week);
}

#[test]
fn keys_need_names_and_values() {
    assert_eq!(metric("count()", "by name, nick as n2").keys.len(), 2);
    for (wrong, expected) in [
        ("by n + 1", Code::KeyName),
        ("by 1 as one", Code::KeyName),
        ("by tags", Code::TypeMismatch),
        ("by n, name as n", Code::DuplicateName),
        ("by n by m", Code::DuplicateClause),
        ("by n as N", Code::NameSpelling),
    ] {
        assert_eq!(event_codes("count()", wrong), [expected], "{wrong}");
    }
}

#[test]
fn fields_have_types_markers_and_defaults() {
    let text = r#"source s {
  a: string key
  b: int key
  at: timestamp time zone "America/New_York"
  seen: timestamp unit ns
  c: decimal(12, 2) = -1.5
  d: enum("x", "y") = "y"
  e: list<int?> = [1, none, -2],
  f: duration = 90s
  g: date = "1969-12-31"
  key: bool = true
  time: float = 1
  unit: list<string>? zone: int?
}"#;
    assert_eq!(rendered(text), "");
    let source = checked(text).package.sources[0].clone();
    assert_eq!((source.identity.as_slice(), source.time), (&[0, 1][..], 2));
    assert_eq!(source.fields[2].zone.as_deref(), Some("America/New_York"));
    let defaults: Vec<&Value> = source.fields.iter().filter_map(|field| field.default.as_ref()).collect();
    assert_eq!(
        defaults,
        [
            &Value::Decimal(-150),
            &Value::Enum(1),
            &Value::List(vec![Value::Int(1), Value::None, Value::Int(-2)]),
            &Value::Duration(90_000_000),
            &Value::Date(-1),
            &Value::Bool(true),
            &Value::Float(1.0),
        ]
    );
}

#[test]
fn wrong_fields_have_codes() {
    for (wrong, expected) in [
        ("x: decimal(39, 2)", Code::TypeArguments),
        ("x: decimal(2, 3)", Code::TypeArguments),
        ("x: int(4)", Code::TypeArguments),
        ("x: enum()", Code::TypeArguments),
        ("x: enum(\"a\", \"a\")", Code::TypeArguments),
        ("x: list", Code::TypeArguments),
        ("x: list<list<int>>", Code::TypeArguments),
        ("x: int128", Code::UnknownType),
        ("x: float key", Code::KeyField),
        ("x: list<int> key", Code::KeyField),
        ("x: timestamp time", Code::TimeField),
        ("x: int zone \"UTC\"", Code::FieldMarker),
        ("x: timestamp unit m", Code::FieldMarker),
        ("x: timestamp unit s zone \"UTC\"", Code::FieldMarker),
        ("x: string key key", Code::FieldMarker),
        ("x: timestamp zone \"utc\"", Code::UnknownZone),
        ("x: string? = \"a\"", Code::DefaultValue),
        ("x: decimal(4, 2) = 1.005", Code::DefaultValue),
        ("x: decimal(4, 2) = 100", Code::DefaultValue),
        ("x: int = n", Code::DefaultValue),
        ("x: int = none", Code::DefaultValue),
        ("x: enum(\"a\", \"b\") = \"c\"", Code::DefaultValue),
        ("from: string", Code::NameSpelling),
        ("at: int", Code::DuplicateName),
    ] {
        assert_eq!(codes(&format!("source s {{ at: timestamp time  {wrong} }}")), [expected], "{wrong}");
    }
    assert_eq!(codes("source s { at: timestamp? time }"), [Code::TimeField]);
    assert_eq!(codes("source s { at: int time }"), [Code::TimeField]);
    assert_eq!(codes("source s { at: date time }"), []);
}

#[test]
fn a_metric_counts_duplicates_only_where_it_can() {
    let source = "source s { at: timestamp time  n: int }\n";
    let warned = |value: &str| codes(&format!("{source}metric m = {value} {{ from s }}\n"));
    assert_eq!(warned("{ a: sum(n), b: count() }"), [Code::CountsDuplicates]);
    assert_eq!(warned("{ a: max(n), b: distinct(n), c: any(n > 1) }"), []);
    let text = format!("{source}metric m = count() {{ from s }}\n");
    assert!(!checked(&text).has_errors());
    assert_eq!(checked(&text).package.metrics.len(), 1);
}

#[test]
fn calendars_are_checked_and_missed() {
    assert_eq!(codes(&format!("{EVENTS}metric m = count() {{ from events }}\n")), [Code::Unused]);
    // What a file without metrics defines, others use.
    assert_eq!(codes(EVENTS), []);
    assert_eq!(codes("calendar c { zone \"Berlin\" }"), [Code::UnknownZone]);
    assert_eq!(codes("calendar c { zone \"UTC\" zone \"UTC\" }"), [Code::CalendarClause]);
    assert_eq!(codes("calendar c { zone \"UTC\", week mon }"), [Code::CalendarClause]);
}

#[test]
fn findings_have_a_short_form_and_a_form_for_tools() {
    let text = over_events("sum(naem)", "");
    let file = file(text.as_str());
    let found = metricc_dsl::check(&file).diagnostics;
    let short = metricc_dsl::render::short(&found, &file);
    assert_eq!(
        short,
        "example.metric:23:16: error[M0013]: `events` has no field `naem` (did you mean `name`?)\n"
    );
    let records = metricc_dsl::render::to_json(&found, &file);
    assert_eq!((records[0].line, records[0].column, records[0].code), (23, 16, "M0013"));
}

#[test]
fn windows_of_days_lead_to_the_calendar_of_their_length() {
    for (width, help) in [
        ("1d", "write `every day in utc`"),
        ("7d", "write `every week in utc`"),
        ("14d", "such as `every week in CALENDAR`"),
    ] {
        let text = format!(
            "source s {{ id: int key  at: timestamp time }}\ncalendar utc {{ zone \"UTC\" }}\nmetric m = count() {{ from s  every {width} }}"
        );
        let found = rendered(&text);
        assert!(found.contains("M0028") && found.contains(help), "{found}");
    }
}
