//! Instants and dates from text and from integers: pure functions, independent of the clock, the locale and
//! the zone of the process.
//!
//! A timestamp is `YYYY-MM-DD`, `T` or a space, `HH:MM`, then perhaps `:SS`, perhaps a fraction, and an
//! offset `Z`, `±HH:MM`, `±HHMM` or `±HH`. Without an offset it is a local time, and needs a zone.
//! A local time that the zone skips is the first instant after the gap; one that the zone has twice
//! is the earlier of the two. Digits beyond the microsecond have to be zero. `24:00`, leap seconds and
//! years outside 0001 to 9999 are rejected.
//!
//! ```
//! use metricc_ir::text::timestamp::parse;
//!
//! assert_eq!(parse("1970-01-01 01:00+01", None).ok(), Some(0));
//! assert!(parse("1970-01-01 01:00", None).is_err());
//! ```

use std::fmt;

use crate::TimeUnit;
use crate::calendar::{CivilDate, ZoneRules};

/// 0001-01-01T00:00:00Z, in µs since 1970-01-01T00:00Z.
pub const MIN: i64 = -62_135_596_800_000_000;
/// 9999-12-31T23:59:59.999999Z, in µs since 1970-01-01T00:00Z.
pub const MAX: i64 = 253_402_300_799_999_999;
/// 0001-01-01, in days since 1970-01-01.
pub const MIN_DAY: i32 = -719_162;
/// 9999-12-31, in days since 1970-01-01.
pub const MAX_DAY: i32 = 2_932_896;

const SECOND: i64 = 1_000_000;
const DAY: i64 = 86_400 * SECOND;

/// Why a value is not a timestamp or a date.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum TimeProblem {
    /// The text does not have the form of a timestamp.
    NotATimestamp,
    /// The text does not have the form of a date.
    NotADate,
    /// A month, day, hour, minute, second or offset that does not exist.
    NoSuchTime,
    /// Neither the text has an offset nor the field a zone.
    NoOffset,
    /// Digits beyond the microsecond that are not zero.
    BeyondMicroseconds,
    /// Outside of the years 0001 to 9999.
    OutOfRange,
}

impl fmt::Display for TimeProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TimeProblem::NotATimestamp => "not a timestamp such as `2026-04-25T10:00:00Z`",
            TimeProblem::NotADate => "not a date such as `2026-04-25`",
            TimeProblem::NoSuchTime => "a time that does not exist",
            TimeProblem::NoOffset => "a timestamp without an offset, and the field has no `zone`",
            TimeProblem::BeyondMicroseconds => "digits beyond the microsecond would be lost",
            TimeProblem::OutOfRange => "outside of the years 0001 to 9999",
        })
    }
}

impl std::error::Error for TimeProblem {}

/// The instant of a text, in µs since 1970-01-01T00:00Z.
///
/// # Errors
/// [`TimeProblem`] if the text is not a timestamp, or has no offset and `zone` is `None`.
pub fn parse(text: &str, zone: Option<&ZoneRules>) -> Result<i64, TimeProblem> {
    let bytes = text.as_bytes();
    let (date, rest) = bytes.split_at_checked(10).ok_or(TimeProblem::NotATimestamp)?;
    let day = civil_day(date).map_err(|problem| match problem {
        TimeProblem::NotADate => TimeProblem::NotATimestamp,
        other => other,
    })?;
    let rest = match rest.split_first() {
        Some((b'T' | b' ', rest)) => rest,
        _ => return Err(TimeProblem::NotATimestamp),
    };
    let (of_day, rest) = time_of_day(rest)?;
    let local = i64::from(day) * DAY + of_day;
    match (offset(rest)?, zone) {
        (Some(offset), _) => in_range(local - offset * SECOND),
        (None, Some(zone)) => from_local(local, zone),
        (None, None) => Err(TimeProblem::NoOffset),
    }
}

/// The day of a text of the form `YYYY-MM-DD`, in days since 1970-01-01.
///
/// # Errors
/// [`TimeProblem`] if the text is not a date from 0001-01-01 to 9999-12-31.
pub fn parse_date(text: &str) -> Result<i32, TimeProblem> {
    civil_day(text.as_bytes())
}

/// The instant of an integer of a unit, in µs since 1970-01-01T00:00Z. Nanoseconds are floored.
///
/// # Errors
/// [`TimeProblem::OutOfRange`] if it is outside of the years 0001 to 9999.
pub fn from_unit(value: i64, unit: TimeUnit) -> Result<i64, TimeProblem> {
    let microseconds = match unit {
        TimeUnit::Second => value.checked_mul(SECOND),
        TimeUnit::Millisecond => value.checked_mul(1000),
        TimeUnit::Microsecond => Some(value),
        TimeUnit::Nanosecond => Some(value.div_euclid(1000)),
    };
    in_range(microseconds.ok_or(TimeProblem::OutOfRange)?)
}

/// The instant of a local time, given as if it were UTC in µs since 1970-01-01T00:00.
///
/// A time in a gap of the zone becomes the end of the gap; an ambiguous time the earlier instant.
///
/// # Errors
/// [`TimeProblem::OutOfRange`] if the time or the instant is outside of the years 0001 to 9999.
pub fn from_local(local: i64, zone: &ZoneRules) -> Result<i64, TimeProblem> {
    in_range(zone.first_instant_at(in_range(local)?))
}

/// The instant itself.
///
/// # Errors
/// [`TimeProblem::OutOfRange`] if it is outside of the years 0001 to 9999.
pub fn in_range(microseconds: i64) -> Result<i64, TimeProblem> {
    if (MIN..=MAX).contains(&microseconds) { Ok(microseconds) } else { Err(TimeProblem::OutOfRange) }
}

fn civil_day(text: &[u8]) -> Result<i32, TimeProblem> {
    let &[y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = text else {
        return Err(TimeProblem::NotADate);
    };
    let pair = |tens, ones| two_digits(tens, ones).ok_or(TimeProblem::NotADate);
    let year = pair(y1, y2)? * 100 + pair(y3, y4)?;
    let (month, day) = (pair(m1, m2)?, pair(d1, d2)?);
    if year == 0 {
        return Err(TimeProblem::OutOfRange);
    }
    if !(1..=12).contains(&month) || day < 1 || day > n_days(year, month) {
        return Err(TimeProblem::NoSuchTime);
    }
    Ok(CivilDate { year: year.into(), month: month as u8, day: day as u8 }.to_days() as i32)
}

fn n_days(year: i32, month: i32) -> i32 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 31,
    }
}

/// Microseconds since midnight, and the rest of the text.
fn time_of_day(text: &[u8]) -> Result<(i64, &[u8]), TimeProblem> {
    let (hour, rest) = number(text)?;
    let (minute, rest) = number(rest.strip_prefix(b":").ok_or(TimeProblem::NotATimestamp)?)?;
    let (second, rest) = match rest.strip_prefix(b":") {
        Some(rest) => number(rest)?,
        None => (0, rest),
    };
    if hour > 23 || minute > 59 || second > 59 {
        return Err(TimeProblem::NoSuchTime);
    }
    // A fraction belongs to seconds: `10:00.5` is invalid.
    let has_seconds = text.get(5) == Some(&b':');
    let (fraction, rest) = match rest.strip_prefix(b".") {
        Some(digits) if has_seconds => fraction(digits)?,
        _ => (0, rest),
    };
    let seconds = i64::from(hour) * 3600 + i64::from(minute) * 60 + i64::from(second);
    Ok((seconds * SECOND + fraction, rest))
}

fn fraction(text: &[u8]) -> Result<(i64, &[u8]), TimeProblem> {
    let n_digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if n_digits == 0 {
        return Err(TimeProblem::NotATimestamp);
    }
    let (digits, rest) = text.split_at(n_digits);
    let (kept, lost) = digits.split_at(n_digits.min(6));
    if lost.iter().any(|&byte| byte != b'0') {
        return Err(TimeProblem::BeyondMicroseconds);
    }
    let padded = kept.iter().copied().chain(std::iter::repeat(b'0')).take(6);
    Ok((padded.fold(0, |value, byte| value * 10 + i64::from(byte - b'0')), rest))
}

/// Seconds east of UTC; none if there is no offset.
fn offset(text: &[u8]) -> Result<Option<i64>, TimeProblem> {
    let (sign, rest) = match text.split_first() {
        None => return Ok(None),
        Some((b'Z', [])) => return Ok(Some(0)),
        Some((b'+', rest)) => (1, rest),
        Some((b'-', rest)) => (-1, rest),
        Some(_) => return Err(TimeProblem::NotATimestamp),
    };
    let (hours, rest) = number(rest)?;
    let (minutes, rest) = match rest {
        [] => (0, rest),
        _ => number(rest.strip_prefix(b":").unwrap_or(rest))?,
    };
    if !rest.is_empty() {
        return Err(TimeProblem::NotATimestamp);
    }
    if hours > 23 || minutes > 59 {
        return Err(TimeProblem::NoSuchTime);
    }
    Ok(Some(sign * (i64::from(hours) * 3600 + i64::from(minutes) * 60)))
}

fn number(text: &[u8]) -> Result<(i32, &[u8]), TimeProblem> {
    match text {
        [tens, ones, rest @ ..] => Ok((two_digits(*tens, *ones).ok_or(TimeProblem::NotATimestamp)?, rest)),
        _ => Err(TimeProblem::NotATimestamp),
    }
}

fn two_digits(tens: u8, ones: u8) -> Option<i32> {
    (tens.is_ascii_digit() && ones.is_ascii_digit())
        .then(|| i32::from(tens - b'0') * 10 + i32::from(ones - b'0'))
}

#[cfg(test)]
#[path = "timestamp_tests.rs"]
mod tests;
