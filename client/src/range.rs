//! Ends of a range of windows, as readers write them.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use jiff::civil::{self, Date};

/// An end of a range of windows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RangeBound {
    /// The first instant of a date. Its zone is that of the windows that are read: of the grain's calendar,
    /// or else of the metric's; UTC where they have no calendar.
    Date(Date),
    /// An instant.
    Instant(Timestamp),
    /// The first instant of a date of a year before -9999 or after 9999, in days since 1970-01-01.
    FarDate(i64),
    /// An instant that [`Timestamp`] has no place for, before -9999-01-02T01:59:59Z or after
    /// 9999-12-30T22:00:00Z, in µs since 1970-01-01T00:00Z. Windows at the ends of the calendar begin and end
    /// there.
    FarInstant(i64),
}

/// Years after which the Gregorian calendar repeats, with its weekdays, and their days.
const CYCLE: (i64, i64) = (400, 146_097);
const MICROS_PER_DAY: i64 = 86_400_000_000;

/// A text that is neither a date nor an instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RangeBoundError {
    /// A local time without an offset.
    #[error("a time without an offset: write it as `2026-04-25T10:00:00+02:00`, or a date as `2026-04-25`")]
    NoOffset,
    /// A `+` that came through a URL as a space.
    #[error("an instant whose offset lost its `+`: write that as `%2B` in a URL")]
    Plus,
    /// Anything else.
    #[error("neither a date nor an instant: write it as `2026-04-25` or `2026-04-25T10:00:00Z`")]
    Unknown,
}

impl FromStr for RangeBound {
    type Err = RangeBoundError;

    fn from_str(text: &str) -> Result<Self, RangeBoundError> {
        if let Ok(instant) = text.parse() {
            return Ok(RangeBound::Instant(instant));
        }
        if let Some(bound) = far(text) {
            return Ok(bound);
        }
        match text.parse::<Date>() {
            // A date is read from the start of a longer text, too.
            Ok(date) if date.to_string() == text => Ok(RangeBound::Date(date)),
            _ if text.rsplit_once(' ').is_some_and(|(time, offset)| is_instant(time, offset)) => {
                Err(RangeBoundError::Plus)
            }
            Ok(_) if text.contains(':') => Err(RangeBoundError::NoOffset),
            _ => Err(RangeBoundError::Unknown),
        }
    }
}

/// A bound of a year with a sign and six digits, or at the end of 9999: as a date or instant of the same
/// place in the cycle of the calendar, and whole cycles.
fn far(text: &str) -> Option<RangeBound> {
    let (year, rest) = match text.as_bytes().first()? {
        b'+' | b'-' => text.split_at_checked(7)?,
        _ => text.split_at_checked(4)?,
    };
    let digits = year.strip_prefix(['+', '-']).unwrap_or(year);
    if !rest.starts_with('-') || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let year: i64 = year.parse().ok()?;
    let near = format!("{:04}{rest}", 2_000 + year.rem_euclid(CYCLE.0));
    let days = (year.div_euclid(CYCLE.0) - 2_000 / CYCLE.0).checked_mul(CYCLE.1)?;
    if let Ok(instant) = near.parse::<Timestamp>() {
        let micros = ceil_micros(instant).checked_add(days.checked_mul(MICROS_PER_DAY)?)?;
        return Some(RangeBound::FarInstant(micros));
    }
    let date = near.parse::<Date>().ok().filter(|date| date.to_string() == near)?;
    let days = days + i64::from((date - civil::date(1970, 1, 1)).get_days());
    (!(-9_999..=9_999).contains(&year)).then_some(RangeBound::FarDate(days))
}

/// A date of any year, in days since 1970-01-01, as ISO 8601 has it, and what follows.
fn far_text(days: i64, rest: &str) -> String {
    let first = civil::date(2000, 1, 1);
    let since = days - i64::from((first - civil::date(1970, 1, 1)).get_days());
    let date = first.saturating_add(jiff::Span::new().days(since.rem_euclid(CYCLE.1)));
    let year = i64::from(date.year()) + since.div_euclid(CYCLE.1) * CYCLE.0;
    let year = if (0..=9_999).contains(&year) { format!("{year:04}") } else { format!("{year:+07}") };
    format!("{year}-{:02}-{:02}{rest}", date.month(), date.day())
}

/// An instant in µs, rounded up: a window starts at or after it if it does so at that µs.
fn ceil_micros(instant: Timestamp) -> i64 {
    let micros = instant.as_nanosecond().div_euclid(1_000);
    let rest = instant.as_nanosecond().rem_euclid(1_000);
    i64::try_from(micros + i128::from(rest > 0)).unwrap_or(i64::MAX)
}

impl RangeBound {
    /// The first instant of the bound, in µs since 1970-01-01T00:00Z; `first_of_date` gives that of a date,
    /// in days since 1970-01-01.
    pub fn first_instant(self, first_of_date: impl Fn(i64) -> i64) -> i64 {
        match self {
            RangeBound::Instant(instant) => ceil_micros(instant),
            RangeBound::FarInstant(micros) => micros,
            RangeBound::Date(date) => first_of_date(i64::from((date - civil::date(1970, 1, 1)).get_days())),
            RangeBound::FarDate(days) => first_of_date(days),
        }
    }
}

fn is_instant(time: &str, offset: &str) -> bool {
    format!("{time}+{offset}").parse::<Timestamp>().is_ok()
}

impl fmt::Display for RangeBound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RangeBound::Date(date) => date.fmt(f),
            RangeBound::Instant(instant) => instant.fmt(f),
            RangeBound::FarDate(days) => f.write_str(&far_text(*days, "")),
            RangeBound::FarInstant(micros) => {
                let of_day = micros.rem_euclid(MICROS_PER_DAY);
                let time = Timestamp::from_microsecond(of_day).map_err(|_| fmt::Error)?.to_string();
                let time = time.split_once('T').map_or("", |(_, time)| time);
                f.write_str(&far_text(micros.div_euclid(MICROS_PER_DAY), &format!("T{time}")))
            }
        }
    }
}

impl From<Date> for RangeBound {
    fn from(date: Date) -> Self {
        RangeBound::Date(date)
    }
}

impl From<Timestamp> for RangeBound {
    fn from(instant: Timestamp) -> Self {
        RangeBound::Instant(instant)
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn a_bound_is_a_date_or_an_instant_and_nothing_is_rounded() {
        let instant = |text: &str| RangeBound::Instant(text.parse().expect("an instant"));
        for (text, expected) in [
            ("2026-04-25", Ok(RangeBound::Date(date(2026, 4, 25)))),
            ("2026-04-25T10:00:00Z", Ok(instant("2026-04-25T10:00:00Z"))),
            ("2026-04-25T10:00:00+05:30", Ok(instant("2026-04-25T04:30:00Z"))),
            ("2026-04-25T10:00:00", Err(RangeBoundError::NoOffset)),
            ("2026-04-25 10:00", Err(RangeBoundError::NoOffset)),
            ("2026-04-25T10:00:00 05:30", Err(RangeBoundError::Plus)),
            ("9999-12-31", Ok(RangeBound::Date(date(9999, 12, 31)))),
            ("9999-12-31T23:59:59.999999Z", Ok(RangeBound::FarInstant(253_402_300_799_999_999))),
            ("9999-12-31T23:59:59.999999001Z", Ok(RangeBound::FarInstant(253_402_300_800_000_000))),
            ("+010000-01-01T00:00:00Z", Ok(RangeBound::FarInstant(253_402_300_800_000_000))),
            ("+010000-01-01T13:00:00+14:00", Ok(RangeBound::FarInstant(253_402_297_200_000_000))),
            ("+010000-01-01", Ok(RangeBound::FarDate(2_932_897))),
            ("+010000-02-29", Ok(RangeBound::FarDate(2_932_956))),
            ("+010001-02-29", Err(RangeBoundError::Unknown)),
            ("0000-12-31T00:00:00Z", Ok(instant("0000-12-31T00:00:00Z"))),
            ("-010000-01-01", Ok(RangeBound::FarDate(-4_371_953))),
            ("+999999-01-01", Ok(RangeBound::FarDate(364_522_607))),
            ("+999999-01-01T00:00:00Z", Err(RangeBoundError::Unknown)),
            ("2026-02-30", Err(RangeBoundError::Unknown)),
            ("20260425", Err(RangeBoundError::Unknown)),
            ("2026-4-5", Err(RangeBoundError::Unknown)),
            ("yesterday", Err(RangeBoundError::Unknown)),
            ("", Err(RangeBoundError::Unknown)),
        ] {
            assert_eq!(text.parse(), expected, "{text}");
            // What is written is read as the same.
            let written = expected.map(|bound| bound.to_string());
            assert!(written.is_err() || written.and_then(|text| text.parse()) == expected, "{text}");
        }
    }
}
