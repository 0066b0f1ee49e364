//! Sources whose fields have spellings of their own, and texts of values in them.

use std::fmt::Write;

use jiff::Timestamp;
use jiff::fmt::strtime;
use jiff::tz::TimeZone;
use metricc_ir::{Field, Kind, Spelling, TimeUnit, Type, Value};
use rand::Rng;
use rand::seq::IndexedRandom;

use super::Random;

/// Formats that keep all of a local time of whole seconds, in which the writer and `jiff` agree.
const LOCAL: [&str; 6] = [
    "%d.%m.%Y %H:%M:%S",
    "%Y%m%d%H%M%S",
    "%b %d %Y %I:%M:%S %p",
    "%A, %d %B %Y %T",
    "%Y-%j %H.%M.%S",
    "%D %T",
];
const DATES: [&str; 6] = ["%d.%m.%Y", "%Y/%m/%d", "%b %d %Y", "%d-%b-%y", "%Y%j", "%m/%d/%Y"];

const NULLS: [&str; 6] = ["NA", "-", "\\N", "n/a", "?", "null"];

/// A random source: one field of each sort, with random spellings, and an event time.
pub fn fields(random: &mut Random) -> Vec<Field> {
    let mut fields =
        vec![Field { unit: Some(TimeUnit::Second), ..Field::new("at", Type::of(Kind::Timestamp)) }];
    let names = Kind::Enum(["low", "mid", "-"].map(str::to_owned).into());
    let kinds = [
        Kind::Bool,
        Kind::Int,
        Kind::Decimal { precision: 12, scale: 2 },
        Kind::Float,
        Kind::String,
        names,
        Kind::Date,
        Kind::Timestamp,
    ];
    for (index, kind) in kinds.iter().cycle().take(2 * kinds.len()).enumerate() {
        let ty = Type { kind: kind.clone(), optional: random.random_bool(0.5) };
        let mut field = Field::new(format!("f{index}"), ty);
        spell(random, &mut field);
        fields.push(field);
    }
    fields
}

fn spell(random: &mut Random, field: &mut Field) {
    let mut spelling =
        Spelling { invalid_is_none: field.ty.optional && random.random_bool(0.3), ..Spelling::default() };
    if random.random_bool(0.6) {
        let n_nulls = random.random_range(1..4);
        spelling.nulls = NULLS.choose_multiple(random, n_nulls).map(|null| (*null).to_owned()).collect();
        spelling.nulls.sort();
    }
    match &field.ty.kind {
        Kind::Bool => {
            spelling.truths = vec!["1".to_owned(), "yes".to_owned()];
            spelling.falsehoods = vec!["0".to_owned(), "no".to_owned()];
        }
        Kind::Int if random.random_bool(0.5) => {
            spelling.thousands = [',', '.', '\'', '\u{a0}'].choose(random).copied();
        }
        Kind::Decimal { .. } | Kind::Float if random.random_bool(0.5) => {
            spelling.point = Some(',');
            spelling.thousands = random.random_bool(0.5).then_some('.');
        }
        Kind::Date => spelling.formats = some(random, &DATES),
        Kind::Timestamp if random.random_bool(0.3) => {
            field.unit =
                [TimeUnit::Second, TimeUnit::Millisecond, TimeUnit::Microsecond].choose(random).copied();
        }
        Kind::Timestamp => {
            field.zone = random.random_bool(0.7).then(|| "Asia/Kolkata".to_owned());
            spelling.formats = some(random, &LOCAL);
            if field.zone.is_none() {
                spelling.formats.iter_mut().for_each(|format| format.push_str(" %z"));
            }
        }
        _ => {}
    }
    field.spelling = spelling;
}

fn some(random: &mut Random, formats: &[&str]) -> Vec<String> {
    let n_formats = random.random_range(1..3);
    formats.choose_multiple(random, n_formats).map(|format| (*format).to_owned()).collect()
}

/// The source in the language.
pub fn text(fields: &[Field]) -> String {
    let mut text = String::from("source events {\n");
    for (index, field) in fields.iter().enumerate() {
        let time = if index == 0 { " time" } else { "" };
        let unit = match field.unit {
            Some(TimeUnit::Second) => " unit s",
            Some(TimeUnit::Millisecond) => " unit ms",
            Some(TimeUnit::Microsecond) => " unit us",
            Some(TimeUnit::Nanosecond) => " unit ns",
            None => "",
        };
        let zone = field.zone.as_ref().map_or_else(String::new, |zone| format!(" zone {zone:?}"));
        let markers = field.spelling.markers();
        writeln!(text, "  {}: {}{time}{zone}{unit}{markers}", field.name, field.ty)
            .expect("a string takes all text");
    }
    text.push_str("}\n");
    text
}

/// A random value of a field; of a time one that its spellings keep.
pub fn value(random: &mut Random, field: &Field) -> Value {
    if field.ty.optional && random.random_bool(0.2) {
        return Value::None;
    }
    let seconds = random.random_range(0..2_000_000_000_i64);
    match &field.ty.kind {
        Kind::Bool => Value::Bool(random.random()),
        Kind::Int => Value::Int(match random.random_range(0..3) {
            0 => random.random_range(-1_500..1_500),
            1 => random.random(),
            _ => *[i64::MAX, i64::MIN, 0, -1, 1_000, 100_000].choose(random).unwrap_or(&0),
        }),
        Kind::Decimal { .. } => Value::Decimal(random.random_range(-999_999_999_999..=999_999_999_999)),
        Kind::Float => match random.random_range(0..5) {
            0 => Value::Float(f64::NAN),
            1 => Value::Float(random.random_range(-1e9..1e9)),
            _ => Value::Float(f64::from(random.random_range(-9_000_000..9_000_000)) / 8.0),
        },
        Kind::String => Value::String(
            ["a", " b ", "x,\"y\"", "", "NaN", "1,5"].choose(random).map_or("", |t| *t).to_owned(),
        ),
        Kind::Enum(_) => Value::Enum(random.random_range(0..3)),
        Kind::Date => Value::Date(i32::try_from(seconds / 86_400).unwrap_or(0)),
        Kind::Timestamp => Value::Timestamp(seconds * 1_000_000),
        kind => panic!("no values of `{kind}` are generated"),
    }
}

/// A text of a value; of none one of its spellings, if it has one.
pub fn text_of(random: &mut Random, field: &Field, value: &Value) -> Option<String> {
    let spelling = &field.spelling;
    let blanks = |random: &mut Random, text: String| match random.random_range(0..6) {
        0 => format!(" {text}"),
        1 => format!("{text} \t"),
        _ => text,
    };
    Some(match value {
        Value::None => spelling.nulls.choose(random)?.clone(),
        Value::Bool(value) => {
            let texts = if *value { &spelling.truths } else { &spelling.falsehoods };
            texts.choose(random)?.clone()
        }
        Value::Int(value) => {
            let text = number(random, field, &value.to_string());
            blanks(random, text)
        }
        Value::Decimal(units) => {
            let sign = if *units < 0 { "-" } else { "" };
            let digits = format!("{:0>3}", units.unsigned_abs());
            let (whole, fraction) = digits.split_at(digits.len() - 2);
            let text = number(random, field, &format!("{sign}{whole}.{fraction}"));
            blanks(random, text)
        }
        Value::Float(value) if value.is_finite() => {
            let text = number(random, field, &value.to_string());
            blanks(random, text)
        }
        Value::Float(_) => (*["NaN", "inf", "-Infinity", "+nan"].choose(random)?).to_owned(),
        Value::String(text) => text.clone(),
        Value::Enum(index) => match &field.ty.kind {
            Kind::Enum(names) => names[*index as usize].clone(),
            kind => panic!("an enum of `{kind}`"),
        },
        Value::Date(days) => formatted(random, field, i64::from(*days) * 86_400),
        Value::Timestamp(micros) => match field.unit {
            Some(TimeUnit::Second) => fraction(random, *micros / 1_000_000),
            Some(TimeUnit::Millisecond) => fraction(random, *micros / 1_000),
            Some(_) => fraction(random, *micros),
            None => formatted(random, field, *micros / 1_000_000),
        },
        other => panic!("no texts of {other:?} are generated"),
    })
}

/// A count, perhaps with digits that are floored away.
fn fraction(random: &mut Random, count: i64) -> String {
    (*[format!("{count}"), format!("{count}.0"), format!("{count}.0000000009"), format!("{count}0e-1")]
        .choose(random)
        .unwrap_or(&String::new()))
    .clone()
}

fn formatted(random: &mut Random, field: &Field, seconds: i64) -> String {
    let zone = field.zone.as_ref().map_or(TimeZone::UTC, |zone| TimeZone::get(zone).expect("a zone"));
    let zoned = Timestamp::from_second(seconds).expect("an instant").to_zoned(zone);
    let format = field.spelling.formats.choose(random).expect("a format");
    let text = strtime::format(format, &zoned).expect("a text");
    match random.random_range(0..3) {
        0 => text.to_uppercase(),
        1 => text.to_lowercase(),
        _ => text,
    }
}

/// A number from its plain digits, with the field's marks, or as another text of the same number.
fn number(random: &mut Random, field: &Field, plain: &str) -> String {
    let (sign, digits) = plain.strip_prefix('-').map_or(("", plain), |digits| ("-", digits));
    let sign = if sign.is_empty() && random.random_bool(0.1) { "+" } else { sign };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let whole = match field.spelling.thousands {
        Some(mark) if random.random_bool(0.7) => grouped(random, whole, mark),
        _ => whole.to_owned(),
    };
    let point = field.spelling.point.unwrap_or(if field.spelling.thousands == Some('.') { ',' } else { '.' });
    let zeros = ["", "", "0", "000"].choose(random).map_or("", |zeros| *zeros);
    let fraction = format!("{fraction}{zeros}");
    let exponent = ["", "", "", "e0", "E+0"].choose(random).map_or("", |exponent| *exponent);
    match fraction.is_empty() {
        true => format!("{sign}{whole}{exponent}"),
        false => format!("{sign}{whole}{point}{fraction}{exponent}"),
    }
}

/// Digits in groups of three, or as in India.
fn grouped(random: &mut Random, digits: &str, mark: char) -> String {
    let width = if random.random_bool(0.5) { 3 } else { 2 };
    let (mut groups, mut rest) = (Vec::new(), digits);
    let mut next = 3;
    while rest.len() > next {
        let (before, group) = rest.split_at(rest.len() - next);
        groups.push(group);
        (rest, next) = (before, width);
    }
    groups.push(rest);
    groups.reverse();
    groups.join(&mark.to_string())
}

/// A text that is nearly one of the field, or nothing like it.
pub fn mutated(random: &mut Random, text: &str) -> String {
    let mut characters: Vec<char> = text.chars().collect();
    let place = random.random_range(0..=characters.len());
    let other = *['0', '9', '.', ',', '-', '+', ' ', 'e', ':', '/', 'A', 'x', '\'', '%']
        .choose(random)
        .unwrap_or(&'0');
    match random.random_range(0..4) {
        0 if place < characters.len() => {
            characters.remove(place);
        }
        1 if place < characters.len() => characters[place] = other,
        2 => characters.truncate(place),
        _ => characters.insert(place, other),
    }
    characters.into_iter().collect()
}
