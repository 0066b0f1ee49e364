//! The interpreter's own reader of texts with declared spellings: character by character, from the book's
//! tables.

use metricc_ir::{Field, Kind, TimeUnit, Value};
use num_bigint::BigInt;

use super::civil::{self, DAY};

const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];
const WEEKDAYS: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];

/// The value of a text of a field without a default: none for what is declared to be none. `None` if it is
/// refused.
pub fn read_text(field: &Field, text: &str) -> Option<Value> {
    let spelling = &field.spelling;
    let none = || field.ty.optional.then_some(Value::None);
    if spelling.nulls.iter().any(|null| null == text) {
        return none();
    }
    let value = scalar(field, text);
    match value {
        None if spelling.invalid_is_none => none(),
        value => value,
    }
}

fn scalar(field: &Field, text: &str) -> Option<Value> {
    let spelling = &field.spelling;
    let trimmed = text.trim_matches([' ', '\t']);
    Some(match &field.ty.kind {
        Kind::String => Value::String(text.to_owned()),
        Kind::Enum(names) => Value::Enum(u32::try_from(names.iter().position(|name| name == text)?).ok()?),
        Kind::Bool if spelling.truths.is_empty() => Value::Bool(trimmed.parse().ok()?),
        Kind::Bool => {
            match (spelling.truths.iter().any(|t| t == text), spelling.falsehoods.iter().any(|t| t == text)) {
                (false, false) => return None,
                (is_true, _) => Value::Bool(is_true),
            }
        }
        Kind::Int => {
            let (digits, scale) = number(field, trimmed)?;
            Value::Int(i64::try_from(at_scale(&digits, scale, 0)?).ok()?)
        }
        Kind::Decimal { precision, scale } => {
            let (digits, found) = number(field, trimmed)?;
            let units = at_scale(&digits, found, i64::from(*scale))?;
            let limit = BigInt::from(10).pow(u32::from(*precision));
            if units >= limit || units <= -limit {
                return None;
            }
            Value::Decimal(i128::try_from(units).ok()?)
        }
        Kind::Float => {
            let name = trimmed.trim_start_matches(['-', '+']).to_ascii_lowercase();
            if trimmed.len() - name.len() <= 1 && ["nan", "inf", "infinity"].contains(&name.as_str()) {
                return Some(Value::None);
            }
            let (digits, scale) = number(field, trimmed)?;
            let value: f64 = format!("{digits}e{}", -scale).parse().ok()?;
            Value::Float(Some(value + 0.0).filter(|value| value.is_finite())?)
        }
        Kind::Date if !spelling.formats.is_empty() => {
            let (day, micros, _) = by_formats(&spelling.formats, trimmed)?;
            (micros == 0).then(|| i32::try_from(day).ok().map(Value::Date))??
        }
        Kind::Date => date(trimmed)?,
        Kind::Timestamp if !spelling.formats.is_empty() => {
            let (day, micros, offset) = by_formats(&spelling.formats, trimmed)?;
            Value::Timestamp(instant(field, day * DAY + micros, offset)?)
        }
        Kind::Timestamp => {
            let (digits, scale) = number(field, trimmed)?;
            let power = match field.unit? {
                TimeUnit::Second => 6,
                TimeUnit::Millisecond => 3,
                TimeUnit::Microsecond => 0,
                TimeUnit::Nanosecond => -3,
            };
            in_range(floored(&digits, scale - power)?).map(Value::Timestamp)?
        }
        kind => panic!("no texts of `{kind}` are generated"),
    })
}

/// `2026-04-25` or `20260425`.
fn date(text: &str) -> Option<Value> {
    let characters: Vec<char> = text.chars().collect();
    let extended = text.replace('-', "");
    let is_extended = characters.len() == 10 && characters[4] == '-' && characters[7] == '-';
    if !(is_extended || characters.len() == 8) || extended.len() != 8 {
        return None;
    }
    let digits = number_of(&extended.chars().collect::<Vec<_>>(), 8)?;
    let day = day_of(digits / 10_000, digits / 100 % 100, digits % 100)?;
    Some(Value::Date(i32::try_from(day).ok()?))
}

/// Digits and the number of them after the point.
fn number(field: &Field, text: &str) -> Option<(BigInt, i64)> {
    let other = if field.spelling.thousands == Some('.') { ',' } else { '.' };
    let point = field.spelling.point.unwrap_or(other);
    let (sign, text) = match text.chars().next()? {
        '-' => (-1, &text[1..]),
        '+' => (1, &text[1..]),
        _ => (1, text),
    };
    let (mantissa, exponent) = match text.find(['e', 'E']) {
        Some(place) => {
            let exponent = &text[place + 1..];
            let digits = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
            if digits.is_empty() || !digits.chars().all(|c| c.is_ascii_digit()) {
                return None;
            }
            (&text[..place], exponent.parse::<i64>().ok()?)
        }
        None => (text, 0),
    };
    let (whole, fraction) = mantissa.split_once(point).unwrap_or((mantissa, ""));
    let whole = match field.spelling.thousands {
        Some(mark) if whole.contains(mark) => {
            let groups: Vec<&str> = whole.split(mark).collect();
            let lengths: Vec<usize> = groups.iter().map(|group| group.chars().count()).collect();
            let (last, middle) = (lengths[lengths.len() - 1], &lengths[1..lengths.len() - 1]);
            let western = (1..=3).contains(&lengths[0]) && middle.iter().all(|n| *n == 3);
            let indian = (1..=2).contains(&lengths[0]) && middle.iter().all(|n| *n == 2);
            (last == 3 && (western || indian)).then(|| groups.concat())?
        }
        _ => whole.to_owned(),
    };
    let digits = format!("{whole}{fraction}");
    let is_padded = whole.len() > 1 && whole.starts_with('0');
    if digits.is_empty() || is_padded || !digits.chars().all(|c| c.is_ascii_digit()) {
        return None;
    }
    let digits: BigInt = digits.parse().ok()?;
    Some((digits * sign, i64::try_from(fraction.len()).ok()? - exponent))
}

/// The number as units of a scale, if it is exactly that.
fn at_scale(digits: &BigInt, found: i64, wanted: i64) -> Option<BigInt> {
    let power = u32::try_from((wanted - found).unsigned_abs()).ok()?;
    let factor = BigInt::from(10).pow(power);
    if wanted >= found {
        return Some(digits * factor);
    }
    (digits % &factor == BigInt::ZERO).then(|| digits / factor)
}

fn floored(digits: &BigInt, scale: i64) -> Option<i64> {
    let factor = BigInt::from(10).pow(u32::try_from(scale.unsigned_abs()).ok()?);
    let value = if scale <= 0 {
        digits * factor
    } else {
        let cut = digits / &factor;
        if *digits < BigInt::ZERO && digits % &factor != BigInt::ZERO { cut - 1 } else { cut }
    };
    i64::try_from(value).ok()
}

fn in_range(micros: i64) -> Option<i64> {
    (-62_135_596_800_000_000..=253_402_300_799_999_999).contains(&micros).then_some(micros)
}

fn instant(field: &Field, local: i64, offset: Option<i64>) -> Option<i64> {
    match (offset, &field.zone) {
        (Some(offset), _) => in_range(local - offset * 1_000_000),
        // Generated zones have no gaps in the generated years.
        (None, Some(zone)) => {
            let zone = jiff::tz::TimeZone::get(zone).ok()?;
            let local =
                jiff::Timestamp::from_microsecond(local).ok()?.to_zoned(jiff::tz::TimeZone::UTC).datetime();
            Some(zone.to_ambiguous_timestamp(local).earlier().ok()?.as_microsecond())
        }
        (None, None) => None,
    }
}

/// Days since 1970-01-01 of a date that exists.
fn day_of(year: i64, month: i64, day: i64) -> Option<i64> {
    let exists =
        jiff::civil::Date::new(i16::try_from(year).ok()?, i8::try_from(month).ok()?, i8::try_from(day).ok()?);
    exists.ok().filter(|_| year >= 1)?;
    Some(civil::days_to(civil::Day { year, month, day }))
}

fn by_formats(formats: &[String], text: &str) -> Option<(i64, i64, Option<i64>)> {
    formats.iter().find_map(|format| by_format(format, text))
}

/// What a text says by a format: the day, the µs of the day, the offset in seconds.
fn by_format(format: &str, text: &str) -> Option<(i64, i64, Option<i64>)> {
    let longer = [("%F", "%Y-%m-%d"), ("%T", "%H:%M:%S"), ("%R", "%H:%M"), ("%D", "%m/%d/%y")];
    let format =
        longer.iter().fold(format.to_owned(), |format, (name, meaning)| format.replace(name, meaning));
    let mut format: Vec<char> = format.chars().collect();
    let mut text: Vec<char> = text.chars().collect();
    let mut said = Said { month: 1, day: 1, ..Said::default() };
    let mut is_after_digits = false;
    while !format.is_empty() {
        let first = format.remove(0);
        if first != '%' {
            (text.first() == Some(&first)).then(|| text.remove(0))?;
            is_after_digits = first.is_ascii_digit();
            continue;
        }
        let name = format.remove(0);
        let before_digits = match format.as_slice() {
            ['%', next, ..] => !"bBaApzZ.".contains(*next),
            [next, ..] => next.is_ascii_digit(),
            [] => false,
        };
        let is_fixed = before_digits || is_after_digits;
        is_after_digits = !"bBaApzZ".contains(name);
        said.take(name, is_fixed, &mut text)?;
    }
    if text.is_empty() { said.instant() } else { None }
}

/// What the fields of a format say.
#[derive(Default)]
struct Said {
    year: i64,
    month: i64,
    day: i64,
    hour: i64,
    minute: i64,
    second: i64,
    micros: i64,
    afternoon: Option<bool>,
    weekday: Option<i64>,
    offset: Option<i64>,
    of_year: Option<i64>,
}

impl Said {
    fn take(&mut self, name: char, is_fixed: bool, text: &mut Vec<char>) -> Option<()> {
        match name {
            'Y' => self.year = taken(text, 4, 4)?,
            'y' => {
                let short = taken(text, 2, 2)?;
                self.year = if short < 69 { 2000 + short } else { 1900 + short };
            }
            'm' => self.month = taken(text, if is_fixed { 2 } else { 1 }, 2)?,
            'd' => self.day = taken(text, if is_fixed { 2 } else { 1 }, 2)?,
            'j' => self.of_year = Some(taken(text, if is_fixed { 3 } else { 1 }, 3)?),
            'H' | 'I' => self.hour = taken(text, if is_fixed { 2 } else { 1 }, 2)?,
            'M' => self.minute = taken(text, if is_fixed { 2 } else { 1 }, 2)?,
            'S' => self.second = taken(text, if is_fixed { 2 } else { 1 }, 2)?,
            'f' => {
                let digits: String = text.iter().take_while(|c| c.is_ascii_digit()).collect();
                text.drain(..digits.len());
                self.micros = format!("{digits:0<6}")[..6].parse().ok().filter(|_| !digits.is_empty())?;
            }
            'b' | 'B' => self.month = named(text, &MONTHS)?,
            'a' | 'A' => self.weekday = Some(named(text, &WEEKDAYS)?),
            'p' => {
                let half: String = text.get(..2)?.iter().collect::<String>().to_ascii_lowercase();
                text.drain(..2);
                self.afternoon = Some(match half.as_str() {
                    "am" => false,
                    "pm" => true,
                    _ => return None,
                });
            }
            'z' => self.offset = Some(offset_taken(text)?),
            other => panic!("%{other} is not generated"),
        }
        Some(())
    }

    /// The day, the µs of the day, the offset in seconds; `None` if they do not exist.
    fn instant(self) -> Option<(i64, i64, Option<i64>)> {
        let Said { year, month, day, mut hour, minute, second, micros, .. } = self;
        let Said { afternoon, weekday, offset, of_year, .. } = self;
        let day = match of_year {
            Some(day) => {
                let first = day_of(year, 1, 1)?;
                let next = civil::days_to(civil::Day { year: year + 1, month: 1, day: 1 });
                (day >= 1 && first + day - 1 < next).then_some(first + day - 1)?
            }
            None => day_of(year, month, day)?,
        };
        if let Some(afternoon) = afternoon {
            (1..=12).contains(&hour).then_some(())?;
            hour = hour % 12 + if afternoon { 12 } else { 0 };
        }
        let is_end = (hour, minute, second, micros) == (24, 0, 0, 0);
        let exists = (hour < 24 || is_end) && minute < 60 && second < 60;
        let is_day = weekday.is_none_or(|weekday| weekday == (day + 3).rem_euclid(7) + 1);
        (exists && is_day).then_some((day, ((hour * 60 + minute) * 60 + second) * 1_000_000 + micros, offset))
    }
}

/// A number of some digits, which are removed.
/// An offset at the start of a text, in seconds: `Z`, `UTC`, `+05`, `+0530`, `+05:30` or `+05:30:15`.
fn offset_taken(text: &mut Vec<char>) -> Option<i64> {
    for (name, length) in [("Z", 1), ("UTC", 3), ("GMT", 3)] {
        let start: String = text.iter().take(length).collect();
        if start.eq_ignore_ascii_case(name) {
            text.drain(..length);
            return Some(0);
        }
    }
    let sign = if *text.first()? == '+' { 1 } else { -1 };
    matches!(text.remove(0), '+' | '-').then_some(())?;
    let hours = taken(text, 2, 2)?;
    let (mut minutes, mut seconds) = (0, 0);
    if text.first() == Some(&':') {
        text.remove(0);
        minutes = taken(text, 2, 2)?;
        if text.first() == Some(&':') {
            text.remove(0);
            seconds = taken(text, 2, 2)?;
        }
    } else if text.first().is_some_and(char::is_ascii_digit) {
        minutes = taken(text, 2, 2)?;
    }
    (hours < 24 && minutes < 60 && seconds < 60).then_some(sign * (hours * 3600 + minutes * 60 + seconds))
}

fn taken(text: &mut Vec<char>, fewest: usize, most: usize) -> Option<i64> {
    let n_digits = text.iter().take(most).take_while(|c| c.is_ascii_digit()).count();
    let value = number_of(text, n_digits).filter(|_| n_digits >= fewest)?;
    text.drain(..n_digits);
    Some(value)
}

fn number_of(text: &[char], n_digits: usize) -> Option<i64> {
    text.get(..n_digits)?.iter().collect::<String>().parse().ok()
}

/// The place from 1 on of a name, or of its first three letters, which is removed.
fn named(text: &mut Vec<char>, names: &[&str]) -> Option<i64> {
    let lower: String = text.iter().collect::<String>().to_ascii_lowercase();
    let place = names.iter().position(|name| lower.starts_with(&name[..3]))?;
    let length = if lower.starts_with(names[place]) { names[place].len() } else { 3 };
    text.drain(..length);
    i64::try_from(place + 1).ok()
}
