//! Values on which implementations often differ: extremes, boundaries, look-alikes.

use jiff::Timestamp;
use metricc_ir::{Kind, Type, Value};
use rand::Rng;
use rand::seq::IndexedRandom;

use super::Random;

/// µs of an hour and of a day.
const HOUR: i64 = 3_600_000_000;
const DAY: i64 = 24 * HOUR;

/// Instants on which batch and stream implementations often differ: changes of the offset (folds, gaps, a
/// day that is skipped, a midnight that comes twice), local mean time, boundaries of every window.
const INSTANTS: [&str; 24] = [
    "2024-11-03T05:30:00Z", // America/New_York: 01:30, the first time.
    "2024-11-03T06:00:00Z", // America/New_York: clocks go back.
    "2024-11-03T06:30:00Z", // America/New_York: 01:30, the second time.
    "2024-03-10T07:00:00Z", // America/New_York: clocks go forward.
    "2018-11-04T03:00:00Z", // America/Sao_Paulo: there is no midnight.
    "2018-02-18T02:00:00Z", // America/Sao_Paulo: the day before midnight comes twice.
    "2011-12-30T10:00:00Z", // Pacific/Apia: 30 December is skipped.
    "2024-04-06T15:00:00Z", // Australia/Lord_Howe: back by half an hour.
    "2024-10-05T15:30:00Z", // Australia/Lord_Howe: forward by half an hour.
    "2006-10-29T02:31:00Z", // America/St_Johns: back across midnight.
    "1883-11-18T17:00:00Z", // America/New_York: end of local mean time.
    "1850-06-01T12:00:00Z", // Local mean time nearly everywhere.
    "1970-01-01T00:00:00Z",
    "1969-12-31T23:59:59Z",
    "1901-12-13T20:45:52Z", // -2³¹ s.
    "2038-01-19T03:14:08Z", // 2³¹ s.
    "2021-01-03T12:00:00Z", // ISO week 53 of 2020.
    "2024-02-29T00:00:00Z",
    "2024-03-31T18:30:00Z",        // Asia/Kolkata: a quarter starts.
    "2023-12-31T18:30:00Z",        // Asia/Kolkata: a year starts.
    "2024-01-01T05:00:00Z",        // America/New_York: a year starts.
    "2262-04-11T23:47:16.854775Z", // The last µs that fits i64 nanoseconds.
    "2300-01-01T00:00:00Z",
    "9998-12-31T23:59:59.999999Z",
];

/// First and last instants of the years 0001 to 9999, whose buckets may reach beyond.
const EXTREME_INSTANTS: [&str; 4] =
    ["0001-01-01T00:00:00Z", "0001-01-03T12:00:00Z", "9999-12-30T20:00:00Z", "9999-12-31T23:59:59.999999Z"];

const TEXTS: [&str; 40] = [
    "",
    "a",
    "b",
    "c",
    "A",
    "ab",
    "abc",
    "xabx",
    "a,b,,c",
    ",",
    "é",
    "e\u{301}",
    "ß",
    "SS",
    "İ",
    "i\u{307}",
    "Σας",
    "ΣΑΣ",
    "a\0b",
    "\0",
    " padded ",
    "\u{a0}x\u{2003}",
    "\t\n",
    "10",
    "9",
    "1e21",
    "none",
    "null",
    "NaN",
    "100%",
    "_",
    "\\",
    "a\\b",
    "\"quoted\"",
    "'",
    "line\nfeed",
    "line\r\nfeed",
    "🦀",
    "👩\u{200d}👩\u{200d}👧",
    "web",
];

/// A random value of a type; for `T?` it may be none.
pub(super) fn of_type(random: &mut Random, ty: &Type, years: Years) -> Value {
    if ty.optional && random.random_bool(0.25) {
        return Value::None;
    }
    match &ty.kind {
        Kind::Bool => Value::Bool(random.random()),
        Kind::Int => Value::Int(int(random)),
        Kind::Int128 => Value::Decimal(int(random).into()),
        Kind::Decimal { precision, .. } => Value::Decimal(digits(random, *precision)),
        Kind::Float => Value::Float(float(random)),
        Kind::String => Value::String(text(random)),
        Kind::Enum(names) => Value::Enum(random.random_range(0..u32::try_from(names.len()).unwrap_or(1))),
        Kind::Date => Value::Date(date(random, years)),
        Kind::Timestamp => Value::Timestamp(instant(random, years)),
        Kind::Duration => Value::Duration(duration(random)),
        Kind::List(element) => {
            let n_elements = *[0, 0, 1, 1, 2, 3, 5].choose(random).unwrap_or(&0);
            Value::List((0..n_elements).map(|_| of_part(random, element, years)).collect())
        }
        Kind::Record(fields) => {
            Value::Record(fields.iter().map(|field| of_part(random, &field.ty, years)).collect())
        }
    }
}

/// A random value within a list or a record, where only an optional float may be none.
fn of_part(random: &mut Random, ty: &Type, years: Years) -> Value {
    match of_type(random, ty, years) {
        Value::Float(value) if !value.is_finite() && !ty.optional => Value::Float(0.25),
        value => value,
    }
}

/// The range of years of instants and dates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Years {
    /// From 1850 to 9998: every calendar bucket lies in the years 0001 to 9999.
    Inner,
    /// From 0001 to 9999: a bucket may start before or end after them.
    All,
}

fn int(random: &mut Random) -> i64 {
    match random.random_range(0..10) {
        0..6 => random.random_range(-3..10),
        6..8 => {
            let extremes = [
                i64::MAX,
                i64::MIN,
                i64::MAX - 1,
                i64::MIN + 1,
                0,
                1 << 53,
                (1 << 53) + 1,
                -(1 << 53) - 1,
                1 << 32,
                i64::from(i32::MIN),
            ];
            *extremes.choose(random).unwrap_or(&0)
        }
        8 => random.random_range(-100_000..100_000),
        _ => random.random(),
    }
}

/// Unscaled digits of a decimal.
fn digits(random: &mut Random, precision: u8) -> i128 {
    let largest = 10_i128.pow(u32::from(precision.min(38))) - 1;
    match random.random_range(0..10) {
        0..4 => random.random_range(-20..20) * 25,
        4..6 => random.random_range(-99_999..99_999),
        6..8 => *[largest, -largest, largest - 1, 0, 1, -1, 5, 15].choose(random).unwrap_or(&0),
        _ => random.random_range(-largest..=largest),
    }
}

fn float(random: &mut Random) -> f64 {
    match random.random_range(0..10) {
        _ if random.random_bool(0.05) => {
            *[f64::NAN, f64::INFINITY, f64::NEG_INFINITY].choose(random).unwrap_or(&f64::NAN)
        }
        0..4 => f64::from(random.random_range(-20..40)) * 0.25,
        4..6 => *[0.1, 0.2, 0.3, 1e16, -1e16, 1.0, 3.0, 1.0 / 3.0].choose(random).unwrap_or(&0.0),
        6..8 => {
            let extremes = [
                f64::MAX,
                f64::MIN,
                f64::MIN_POSITIVE,
                5e-324,
                -5e-324,
                2.225_073_858_507_201e-308,
                0.0,
                -0.0,
                1e308,
                1e-308,
                f64::EPSILON,
                9_007_199_254_740_993.0,
                1e21,
            ];
            *extremes.choose(random).unwrap_or(&0.0)
        }
        8 => random.random_range(-1e6..1e6),
        _ => loop {
            let value = f64::from_bits(random.random());
            if value.is_finite() {
                return value;
            }
        },
    }
}

fn text(random: &mut Random) -> String {
    match random.random_range(0..20) {
        0..8 => ["a", "b", "c", "ab"].choose(random).copied().unwrap_or_default().to_owned(),
        8..18 => TEXTS.choose(random).copied().unwrap_or_default().to_owned(),
        18 => "ÿ🦀x".repeat(random.random_range(1..40)),
        _ => {
            let n_letters = random.random_range(0..8);
            (0..n_letters).map(|_| random.random_range('a'..='e')).collect()
        }
    }
}

fn instant(random: &mut Random, years: Years) -> i64 {
    let anchor = match random.random_range(0..20) {
        0 if years == Years::All => named(EXTREME_INSTANTS.choose(random)),
        0..10 => named(INSTANTS.choose(random)),
        _ => named(Some(&"2024-11-01T00:00:00Z")) + DAY * random.random_range(0..6),
    };
    let nearby = match random.random_range(0..10) {
        0..3 => 0,
        3..5 => *[-1, 1, -1_000_000, 1_000_000].choose(random).unwrap_or(&0),
        5..7 => HOUR * random.random_range(-30..30),
        7 => random.random_range(-DAY..DAY),
        _ => 1_000_000 * random.random_range(0..7_200),
    };
    let (earliest, latest) = match years {
        Years::Inner => (named(Some(&"1850-01-01T00:00:00Z")), named(Some(&"9998-12-31T23:59:59.999999Z"))),
        Years::All => (-62_135_596_800_000_000, 253_402_300_799_999_999),
    };
    (anchor + nearby).clamp(earliest, latest)
}

/// An instant of the tables above. The last two days of 9999 are beyond what `jiff` reads.
fn named(text: Option<&&str>) -> i64 {
    match text {
        Some(&"9999-12-31T23:59:59.999999Z") => 253_402_300_799_999_999,
        Some(text) => text.parse::<Timestamp>().map_or(0, Timestamp::as_microsecond),
        None => 0,
    }
}

fn date(random: &mut Random, years: Years) -> i32 {
    i32::try_from(instant(random, years).div_euclid(DAY)).unwrap_or(0)
}

fn duration(random: &mut Random) -> i64 {
    match random.random_range(0..10) {
        0..5 => 1_000_000 * random.random_range(-10..100),
        5..8 => random.random_range(-DAY..30 * DAY),
        8 => *[0, 1, -1, i64::MAX, i64::MIN, i64::MAX - 1].choose(random).unwrap_or(&0),
        _ => HOUR * random.random_range(0..48),
    }
}
