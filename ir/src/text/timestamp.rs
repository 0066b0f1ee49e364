//! Instants and dates from text and from integers: pure functions, independent of the clock, the locale and
//! the zone of the process.
//!
//! A timestamp is `YYYY-MM-DD`, `T` (or `t`, or a space), `HH:MM`, then perhaps `:SS`, perhaps a fraction
//! after a point or a comma, and an offset: `Z` (or `z`, `UTC`, `GMT`), `±HH`, `±HHMM`, `±HH:MM` or
//! `±HH:MM:SS`, perhaps after a space, and perhaps with the name of a zone in brackets after it, which says
//! nothing more. The basic form `YYYYMMDDTHHMMSS` is read as well, and so is `24:00`, the midnight at the end
//! of a day. Blanks around all of it have no meaning.
//!
//! Without an offset it is a local time, and needs a zone; there, a date alone is its midnight. A local time
//! that the zone skips is the first instant after the gap; one that the zone has twice is the earlier of the
//! two. What is finer than a microsecond is floored, in every format. Leap seconds and years outside 0001 to
//! 9999 are rejected.
//!
//! ```
//! use metricc_ir::text::timestamp::parse;
//!
//! assert_eq!(parse("1970-01-01 01:00+01", None).ok(), Some(0));
//! assert!(parse("1970-01-01 01:00", None).is_err());
//! ```

use std::fmt;

use super::leading;
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
    /// Digits beyond the microsecond that are not zero, where none may be lost.
    BeyondMicroseconds,
    /// The text is not of a declared format.
    NotOfFormat,
    /// A time of day that a date would lose.
    TimeOfDay,
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
            TimeProblem::NotOfFormat => "not of the declared format",
            TimeProblem::TimeOfDay => "a time of day would be lost",
            TimeProblem::OutOfRange => "outside of the years 0001 to 9999",
        })
    }
}

impl std::error::Error for TimeProblem {}

/// The instant of a text, in µs since 1970-01-01T00:00Z. What is finer is floored.
///
/// # Errors
/// [`TimeProblem`] if the text is not a timestamp, or has no offset and `zone` is `None`.
pub fn parse(text: &str, zone: Option<&ZoneRules>) -> Result<i64, TimeProblem> {
    match leading::instant(text.as_bytes(), 0) {
        Some((instant, end)) if end == text.len() => Ok(instant),
        _ => any_instant(text, zone),
    }
}

/// As [`parse`], of any form.
pub(super) fn any_instant(text: &str, zone: Option<&ZoneRules>) -> Result<i64, TimeProblem> {
    read(trimmed(text))?.instant(zone)
}

/// As [`parse`] of a text with an offset, which the author of a metric writes: nothing is lost, and no
/// `24:00` is the next day.
///
/// # Errors
/// As [`parse`], and [`TimeProblem::BeyondMicroseconds`].
pub fn parse_exact(text: &str) -> Result<i64, TimeProblem> {
    let found = read(text)?;
    match found {
        Found { is_floored: true, .. } => Err(TimeProblem::BeyondMicroseconds),
        Found { is_end_of_day: true, .. } => Err(TimeProblem::NoSuchTime),
        _ => found.instant(None),
    }
}

/// The day of a text of the form `YYYY-MM-DD` or `YYYYMMDD`, in days since 1970-01-01.
///
/// # Errors
/// [`TimeProblem`] if the text is not a date from 0001-01-01 to 9999-12-31.
pub fn parse_date(text: &str) -> Result<i32, TimeProblem> {
    let text = trimmed(text).as_bytes();
    if text.len() == 8 { basic_day(text) } else { civil_day(text) }
}

/// The text without the blanks around it, which have no meaning around a value.
#[inline]
pub(super) fn trimmed(text: &str) -> &str {
    let is_blank = |byte: Option<&u8>| matches!(byte, Some(b' ' | b'\t'));
    let bytes = text.as_bytes();
    if is_blank(bytes.first()) || is_blank(bytes.last()) { text.trim_matches([' ', '\t']) } else { text }
}

/// A text's time before a zone has its say.
struct Found {
    /// As if it were UTC, in µs.
    local: i64,
    /// Seconds east of UTC.
    offset: Option<i64>,
    /// Whether digits beyond the microsecond are lost.
    is_floored: bool,
    /// Whether it is the `24:00` of its date.
    is_end_of_day: bool,
}

impl Found {
    fn instant(&self, zone: Option<&ZoneRules>) -> Result<i64, TimeProblem> {
        instant(self.local, self.offset, zone)
    }
}

/// The instant of a local time in µs, by its offset in seconds if it has one.
pub(super) fn instant(local: i64, offset: Option<i64>, zone: Option<&ZoneRules>) -> Result<i64, TimeProblem> {
    match (offset, zone) {
        (Some(offset), _) => in_range(local - offset * SECOND),
        (None, Some(zone)) => from_local(local, zone),
        (None, None) => Err(TimeProblem::NoOffset),
    }
}

fn read(text: &str) -> Result<Found, TimeProblem> {
    let bytes = text.as_bytes();
    let is_basic = matches!(bytes.get(8), Some(b'T' | b't'));
    let (date, rest) =
        bytes.split_at_checked(if is_basic { 8 } else { 10 }).ok_or(TimeProblem::NotATimestamp)?;
    let day = if is_basic { basic_day(date) } else { civil_day(date) };
    let day = day.map_err(|problem| match problem {
        TimeProblem::NotADate => TimeProblem::NotATimestamp,
        other => other,
    })?;
    let midnight = i64::from(day) * DAY;
    let rest = match rest.split_first() {
        Some((b'T' | b't' | b' ', rest)) => rest,
        None if !is_basic => {
            return Ok(Found { local: midnight, offset: None, is_floored: false, is_end_of_day: false });
        }
        _ => return Err(TimeProblem::NotATimestamp),
    };
    let (of_day, is_floored, rest) = time_of_day(rest, is_basic)?;
    let (local, is_end_of_day) = (midnight + of_day, of_day == DAY);
    Ok(Found { local, offset: offset(rest)?, is_floored, is_end_of_day })
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
    day_of_digits([y1, y2, y3, y4, m1, m2, d1, d2])
}

fn basic_day(text: &[u8]) -> Result<i32, TimeProblem> {
    <[u8; 8]>::try_from(text).map_err(|_| TimeProblem::NotADate).and_then(day_of_digits)
}

fn day_of_digits([y1, y2, y3, y4, m1, m2, d1, d2]: [u8; 8]) -> Result<i32, TimeProblem> {
    let pair = |tens, ones| two_digits(tens, ones).ok_or(TimeProblem::NotADate);
    day_of(pair(y1, y2)? * 100 + pair(y3, y4)?, pair(m1, m2)?, pair(d1, d2)?)
}

/// Days since 1970-01-01.
pub(super) fn day_of(year: i32, month: i32, day: i32) -> Result<i32, TimeProblem> {
    if !(1..=9999).contains(&year) {
        return Err(TimeProblem::OutOfRange);
    }
    if !(1..=12).contains(&month) || day < 1 || day > n_days(year, month) {
        return Err(TimeProblem::NoSuchTime);
    }
    Ok(CivilDate { year: year.into(), month: month as u8, day: day as u8 }.to_days() as i32)
}

pub(super) fn n_days(year: i32, month: i32) -> i32 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if is_leap(year) => 29,
        2 => 28,
        _ => 31,
    }
}

pub(super) fn is_leap(year: i32) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

/// Microseconds since midnight, whether digits were lost, and the rest of the text. The basic form has no
/// colons.
fn time_of_day(text: &[u8], is_basic: bool) -> Result<(i64, bool, &[u8]), TimeProblem> {
    let after_colon = |rest: &'_ [u8]| -> Option<usize> {
        match (is_basic, rest.first()) {
            (false, Some(b':')) => Some(1),
            (true, Some(b'0'..=b'9')) => Some(0),
            _ => None,
        }
    };
    let (hour, rest) = number(text)?;
    let (minute, rest) = number(&rest[after_colon(rest).ok_or(TimeProblem::NotATimestamp)?..])?;
    let Some(start) = after_colon(rest) else {
        // A fraction belongs to seconds: `10:00.5` is invalid.
        return Ok((micros_of_day(hour, minute, 0, 0)?, false, rest));
    };
    let (second, rest) = number(&rest[start..])?;
    let (fraction, is_floored, rest) = match rest.split_first() {
        Some((b'.' | b',', digits)) => fraction(digits)?,
        _ => (0, false, rest),
    };
    Ok((micros_of_day(hour, minute, second, fraction)?, is_floored, rest))
}

/// Microseconds since midnight. `24:00` is the midnight at the end of the day.
pub(super) fn micros_of_day(hour: i32, minute: i32, second: i32, fraction: i64) -> Result<i64, TimeProblem> {
    let is_end_of_day = hour == 24 && minute == 0 && second == 0 && fraction == 0;
    if (hour > 23 && !is_end_of_day) || minute > 59 || second > 59 {
        return Err(TimeProblem::NoSuchTime);
    }
    Ok((i64::from(hour) * 3600 + i64::from(minute) * 60 + i64::from(second)) * SECOND + fraction)
}

/// The microseconds of the digits after a point, whether digits were lost, and the rest of the text.
pub(super) fn fraction(text: &[u8]) -> Result<(i64, bool, &[u8]), TimeProblem> {
    let n_digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if n_digits == 0 {
        return Err(TimeProblem::NotATimestamp);
    }
    let (digits, rest) = text.split_at(n_digits);
    let (kept, lost) = digits.split_at(n_digits.min(6));
    let is_floored = lost.iter().any(|&byte| byte != b'0');
    let padded = kept.iter().copied().chain(std::iter::repeat(b'0')).take(6);
    Ok((padded.fold(0, |value, byte| value * 10 + i64::from(byte - b'0')), is_floored, rest))
}

/// Seconds east of UTC; none if there is no offset. Nothing may follow.
fn offset(text: &[u8]) -> Result<Option<i64>, TimeProblem> {
    if text == b"Z" {
        return Ok(Some(0));
    }
    if text.is_empty() {
        return Ok(None);
    }
    let (seconds, rest) = offset_at_start(text.strip_prefix(b" ").unwrap_or(text))?;
    let is_name =
        |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'_' | b'-' | b'+' | b':' | b'.');
    let zone = rest.strip_prefix(b"[").and_then(|rest| rest.strip_suffix(b"]"));
    match rest.is_empty() || zone.is_some_and(|zone| !zone.is_empty() && zone.iter().all(is_name)) {
        true => Ok(Some(seconds)),
        false => Err(TimeProblem::NotATimestamp),
    }
}

/// The seconds east of UTC that a text starts with, and the rest of it.
pub(super) fn offset_at_start(text: &[u8]) -> Result<(i64, &[u8]), TimeProblem> {
    if let Some(name) = text.get(..3)
        && (name.eq_ignore_ascii_case(b"UTC") || name.eq_ignore_ascii_case(b"GMT"))
    {
        return Ok((0, &text[3..]));
    }
    let (sign, rest) = match text.split_first() {
        Some((b'Z' | b'z', rest)) => return Ok((0, rest)),
        Some((b'+', rest)) => (1, rest),
        Some((b'-', rest)) => (-1, rest),
        _ => return Err(TimeProblem::NotATimestamp),
    };
    let (hours, rest) = number(rest)?;
    let has_colon = rest.first() == Some(&b':');
    let (minutes, rest) = offset_part(rest, has_colon)?;
    let (seconds, rest) = if has_colon { offset_part(rest, true)? } else { (0, rest) };
    if hours > 23 || minutes > 59 || seconds > 59 {
        return Err(TimeProblem::NoSuchTime);
    }
    Ok((sign * (i64::from(hours) * 3600 + i64::from(minutes) * 60 + i64::from(seconds)), rest))
}

/// The minutes or seconds of an offset, 0 if it has none.
fn offset_part(text: &[u8], has_colon: bool) -> Result<(i32, &[u8]), TimeProblem> {
    match text {
        [b':', rest @ ..] if has_colon => number(rest),
        [b'0'..=b'9', ..] if !has_colon => number(text),
        _ => Ok((0, text)),
    }
}

fn number(text: &[u8]) -> Result<(i32, &[u8]), TimeProblem> {
    match text {
        [tens, ones, rest @ ..] => Ok((two_digits(*tens, *ones).ok_or(TimeProblem::NotATimestamp)?, rest)),
        _ => Err(TimeProblem::NotATimestamp),
    }
}

pub(super) fn two_digits(tens: u8, ones: u8) -> Option<i32> {
    (tens.is_ascii_digit() && ones.is_ascii_digit())
        .then(|| i32::from(tens - b'0') * 10 + i32::from(ones - b'0'))
}

#[cfg(test)]
#[path = "timestamp_tests.rs"]
mod tests;
