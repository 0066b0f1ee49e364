use metricc_ir::{Calendar, CalendarUnit, ExprKind, Part, Type};

use super::*;
use crate::oracle::expression::evaluate;
use crate::oracle::present::json;

const INT: Kind = Kind::Int;
const FLOAT: Kind = Kind::Float;
const TEXT: Kind = Kind::String;
const BOOL: Kind = Kind::Bool;

fn decimal(precision: u8, scale: u8) -> Kind {
    Kind::Decimal { precision, scale }
}

fn literal((value, kind): &(Value, Kind)) -> Expr {
    Expr { kind: ExprKind::Literal(value.clone()), ty: Type::optional(kind.clone()) }
}

/// The result of a call on constants, as JSON text.
fn result_of(func: Func, args: &[(Value, Kind)], kind: &Kind) -> String {
    let args = args.iter().map(literal).collect();
    let expr = Expr { kind: ExprKind::Call(func, args), ty: Type::optional(kind.clone()) };
    json(&evaluate(&expr, &[]), kind)
}

fn ints(func: Func, left: i64, right: i64) -> String {
    result_of(func, &[int(left), int(right)], &INT)
}

fn int(value: i64) -> (Value, Kind) {
    (Value::Int(value), INT)
}

fn float(value: f64) -> (Value, Kind) {
    (Value::Float(value), FLOAT)
}

fn text(value: &str) -> (Value, Kind) {
    (Value::String(value.to_owned()), TEXT)
}

fn digits(value: i128, precision: u8, scale: u8) -> (Value, Kind) {
    (Value::Decimal(value), decimal(precision, scale))
}

fn instant(text: &str) -> (Value, Kind) {
    let micros = text.parse::<jiff::Timestamp>().expect("an instant").as_microsecond();
    (Value::Timestamp(micros), Kind::Timestamp)
}

fn none(kind: Kind) -> (Value, Kind) {
    (Value::None, kind)
}

#[test]
fn c25_none_equals_none_and_nothing_else() {
    assert_eq!(result_of(Func::Eq, &[none(INT), none(INT)], &BOOL), "true");
    assert_eq!(result_of(Func::Eq, &[int(1), none(INT)], &BOOL), "false");
    assert_eq!(result_of(Func::Ne, &[int(1), none(INT)], &BOOL), "true");
    assert_eq!(result_of(Func::In, &[int(2), int(1), none(INT)], &BOOL), "false");
    assert_eq!(result_of(Func::In, &[none(INT), int(1), none(INT)], &BOOL), "true");
}

#[test]
fn c27_c29_division_by_zero_gives_none() {
    assert_eq!(ints(Func::Div, 1, 0), "null");
    assert_eq!(ints(Func::Rem, 1, 0), "null");
    assert_eq!(result_of(Func::Div, &[float(1.0), float(0.0)], &FLOAT), "null");
    assert_eq!(result_of(Func::Ratio, &[int(1), int(0)], &FLOAT), "null");
    assert_eq!(result_of(Func::Div, &[digits(100, 5, 2), digits(0, 5, 2)], &decimal(38, 6)), "null");
}

#[test]
fn c32_c49_overflow_gives_none() {
    assert_eq!(ints(Func::Add, i64::MAX, 1), "null");
    assert_eq!(ints(Func::Sub, i64::MIN, 1), "null");
    assert_eq!(ints(Func::Mul, i64::MAX, 2), "null");
    assert_eq!(ints(Func::Div, i64::MIN, -1), "null");
    assert_eq!(ints(Func::Rem, i64::MIN, -1), "0");
    assert_eq!(result_of(Func::Neg, &[int(i64::MIN)], &INT), "null");
    assert_eq!(result_of(Func::Abs, &[int(i64::MIN)], &INT), "null");
    assert_eq!(ints(Func::Add, i64::MAX, -1), "\"9223372036854775806\"");
}

#[test]
fn c37_integer_division_truncates_and_the_remainder_has_the_dividends_sign() {
    assert_eq!(ints(Func::Div, -7, 2), "-3");
    assert_eq!(ints(Func::Rem, -7, 2), "-1");
    assert_eq!(ints(Func::Rem, 7, -2), "1");
    assert_eq!(result_of(Func::Rem, &[digits(-750, 5, 2), digits(200, 5, 2)], &decimal(38, 2)), "\"-1.50\"");
}

#[test]
fn c48_decimals_are_exact() {
    let sum = result_of(Func::Add, &[digits(1, 2, 1), digits(2, 2, 1)], &decimal(38, 1));
    assert_eq!(sum, "\"0.3\"");
    let product = result_of(Func::Mul, &[digits(-105, 5, 2), digits(3, 2, 1)], &decimal(38, 3));
    assert_eq!(product, "\"-0.315\"");
}

#[test]
fn c35_decimals_divide_half_even() {
    let quotient = |dividend, divisor| {
        result_of(Func::Div, &[digits(dividend, 5, 0), digits(divisor, 5, 0)], &decimal(38, 1))
    };
    assert_eq!(quotient(1, 4), "\"0.2\"");
    assert_eq!(quotient(3, 4), "\"0.8\"");
    assert_eq!(quotient(-1, 4), "\"-0.2\"");
    assert_eq!(quotient(2, 3), "\"0.7\"");
}

#[test]
fn c34_a_decimal_past_38_digits_is_none() {
    let largest = 10_i128.pow(38) - 1;
    let sum = |right| result_of(Func::Add, &[digits(largest, 38, 2), digits(right, 38, 2)], &decimal(38, 2));
    assert_eq!(sum(1), "null");
    assert_eq!(sum(0), "\"999999999999999999999999999999999999.99\"");
}

#[test]
fn floats_are_ieee_and_finite() {
    assert_eq!(result_of(Func::Add, &[float(0.1), float(0.2)], &FLOAT), "0.30000000000000004");
    assert_eq!(result_of(Func::Mul, &[float(f64::MAX), float(2.0)], &FLOAT), "null");
    assert_eq!(result_of(Func::Neg, &[float(0.0)], &FLOAT), "0.0");
    assert_eq!(result_of(Func::Mul, &[float(-1e-300), float(1e-300)], &FLOAT), "0.0");
}

#[test]
fn floats_round_to_whole_numbers() {
    assert_eq!(result_of(Func::Round(0), &[float(2.5)], &FLOAT), "2.0");
    assert_eq!(result_of(Func::Round(0), &[float(-3.5)], &FLOAT), "-4.0");
    assert_eq!(result_of(Func::Ceil, &[float(-0.5)], &FLOAT), "0.0");
    assert_eq!(result_of(Func::Floor, &[float(-0.5)], &FLOAT), "-1.0");
    assert_eq!(result_of(Func::Floor, &[float(1e300)], &FLOAT), "1e300");
}

#[test]
fn decimals_round_half_even() {
    let round = |value| result_of(Func::Round(1), &[digits(value, 5, 2)], &decimal(5, 1));
    assert_eq!(round(125), "\"1.2\"");
    assert_eq!(round(135), "\"1.4\"");
    assert_eq!(round(-135), "\"-1.4\"");
    assert_eq!(result_of(Func::Floor, &[digits(-101, 5, 2)], &decimal(5, 0)), "\"-2\"");
    assert_eq!(result_of(Func::Ceil, &[digits(101, 5, 2)], &decimal(5, 0)), "\"2\"");
}

#[test]
fn c36_casts_have_one_rounding() {
    assert_eq!(result_of(Func::Cast, &[float(-1.9)], &INT), "-1");
    assert_eq!(result_of(Func::Cast, &[float(1e19)], &INT), "null");
    assert_eq!(result_of(Func::Cast, &[digits(-199, 5, 2)], &INT), "-1");
    assert_eq!(result_of(Func::Cast, &[digits(145, 5, 2)], &decimal(5, 1)), "\"1.4\"");
    assert_eq!(result_of(Func::Cast, &[int(i64::MAX)], &FLOAT), "9.223372036854776e18");
    assert_eq!(result_of(Func::Cast, &[int(1000)], &decimal(3, 0)), "null");
    assert_eq!(result_of(Func::Cast, &[int(7)], &decimal(5, 2)), "\"7.00\"");
}

#[test]
fn the_exact_quotient_is_rounded_once() {
    assert_eq!(result_of(Func::Ratio, &[int(1), int(3)], &FLOAT), "0.3333333333333333");
    assert_eq!(result_of(Func::Ratio, &[digits(10, 5, 2), int(1)], &FLOAT), "0.1");
}

#[test]
fn none_in_an_argument_gives_none() {
    assert_eq!(result_of(Func::Add, &[int(1), none(INT)], &INT), "null");
    assert_eq!(result_of(Func::Concat, &[text("a"), none(TEXT)], &TEXT), "null");
    assert_eq!(result_of(Func::Least, &[int(1), none(INT)], &INT), "null");
    assert_eq!(result_of(Func::Coalesce, &[none(INT), int(2)], &INT), "2");
    assert_eq!(result_of(Func::If, &[(Value::Bool(false), BOOL), int(1), none(INT)], &INT), "null");
}

#[test]
fn c61_case_is_changed_without_a_locale() {
    assert_eq!(result_of(Func::Upper, &[text("ß")], &TEXT), "\"SS\"");
    assert_eq!(result_of(Func::Lower, &[text("İ")], &TEXT), "\"i\u{307}\"");
    assert_eq!(result_of(Func::Lower, &[text("ΑΣ")], &TEXT), "\"ας\"");
}

#[test]
fn c64_trim_takes_unicode_space_and_substr_counts_characters() {
    assert_eq!(result_of(Func::Trim, &[text("\u{a0} a b \u{2003}")], &TEXT), "\"a b\"");
    assert_eq!(result_of(Func::Trim, &[text("\u{a0}")], &TEXT), "\"\"");
    let substr = |start, length| result_of(Func::Substr, &[text("aéi🦀"), int(start), int(length)], &TEXT);
    assert_eq!(substr(1, 2), "\"éi\"");
    assert_eq!(substr(-5, 2), "\"aé\"");
    assert_eq!(substr(3, i64::MAX), "\"🦀\"");
    assert_eq!(substr(9, 1), "\"\"");
    assert_eq!(substr(0, -1), "\"\"");
}

#[test]
fn c62_starts_with_knows_no_wildcards() {
    assert_eq!(result_of(Func::StartsWith, &[text("abc"), text("_")], &BOOL), "false");
    assert_eq!(result_of(Func::StartsWith, &[text("abc"), text("")], &BOOL), "true");
    assert_eq!(result_of(Func::EndsWith, &[text("100%"), text("%")], &BOOL), "true");
    assert_eq!(result_of(Func::Contains, &[text("a%b"), text("%")], &BOOL), "true");
}

#[test]
fn split_keeps_empty_parts() {
    let list = Kind::List(Box::new(Type::of(TEXT)));
    let args = [text(",a,,b"), text(",")].iter().map(literal).collect();
    let expr = Expr { kind: ExprKind::Call(Func::Split, args), ty: Type::of(list) };
    let parts = ["", "a", "", "b"].map(|part| Datum::Text(part.to_owned()));
    assert_eq!(evaluate(&expr, &[]), Datum::List(parts.into()));
}

#[test]
fn lists_have_a_length_and_contain_none() {
    let list = Kind::List(Box::new(Type::optional(INT)));
    let values = (Value::List(vec![Value::Int(1), Value::None]), list);
    assert_eq!(result_of(Func::Length, std::slice::from_ref(&values), &INT), "2");
    assert_eq!(result_of(Func::Contains, &[values.clone(), none(INT)], &BOOL), "true");
    assert_eq!(result_of(Func::Contains, &[values, int(2)], &BOOL), "false");
}

#[test]
fn c21_c56_instants_before_1970_are_floored() {
    let truncated =
        result_of(Func::TruncateTo(3_600_000_000), &[instant("1969-12-31T23:59:59Z")], &Kind::Timestamp);
    assert_eq!(truncated, "\"1969-12-31T23:00:00Z\"");
}

#[test]
fn parts_are_local() {
    let part = |part| {
        result_of(Func::Part(part, "Asia/Kolkata".to_owned()), &[instant("2024-03-31T18:30:05Z")], &INT)
    };
    assert_eq!(part(Part::Day), "1");
    assert_eq!(part(Part::Month), "4");
    assert_eq!(part(Part::Quarter), "2");
    assert_eq!(part(Part::Hour), "0");
    assert_eq!(part(Part::Weekday), "1");
    assert_eq!(part(Part::Second), "5");
    let date =
        result_of(Func::DateIn("Asia/Kolkata".to_owned()), &[instant("2024-03-31T18:30:05Z")], &Kind::Date);
    assert_eq!(date, "\"2024-04-01\"");
    let day = (Value::Date(0), Kind::Date);
    assert_eq!(result_of(Func::Part(Part::Weekday, "Asia/Kolkata".to_owned()), &[day], &INT), "4");
}

#[test]
fn timestamps_and_durations_add_up() {
    let hour = (Value::Duration(3_600_000_000), Kind::Duration);
    let later = result_of(Func::Add, &[instant("2024-01-01T00:00:00Z"), hour], &Kind::Timestamp);
    assert_eq!(later, "\"2024-01-01T01:00:00Z\"");
    let between = [instant("2024-01-01T00:00:01Z"), instant("2024-01-01T00:00:00.5Z")];
    assert_eq!(result_of(Func::Sub, &between, &Kind::Duration), "500000");
    let calendar = Calendar { zone: "UTC".to_owned(), week_start: 1 };
    let month = Func::TruncateIn(CalendarUnit::Month, calendar);
    assert_eq!(result_of(month, &between[..1], &Kind::Timestamp), "\"2024-01-01T00:00:00Z\"");
}

#[test]
fn enums_are_ordered_as_declared_and_read_as_text() {
    let kind = Kind::Enum(["b".to_owned(), "a".to_owned()].into());
    let (b, a) = ((Value::Enum(0), kind.clone()), (Value::Enum(1), kind));
    assert_eq!(result_of(Func::Lt, &[b.clone(), a.clone()], &BOOL), "true");
    assert_eq!(result_of(Func::Text, &[b], &TEXT), "\"b\"");
    assert_eq!(result_of(Func::Text, &[a], &TEXT), "\"a\"");
}

#[test]
fn hashes_are_equal_for_equal_arguments_only() {
    let hash = |value| result_of(Func::Hash64, &[value], &INT);
    assert_eq!(hash(text("a")), hash(text("a")));
    assert_ne!(hash(text("a")), hash(text("b")));
    assert_ne!(hash(none(TEXT)), hash(text("")));
}
