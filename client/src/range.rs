//! Ends of a range of windows, as readers write them.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use jiff::civil::Date;

/// An end of a range of windows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RangeBound {
    /// The first instant of a date. Its zone is that of the windows that are read: of the grain's calendar, or else of
    /// the metric's; UTC where they have no calendar.
    Date(Date),
    /// An instant.
    Instant(Timestamp),
}

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

fn is_instant(time: &str, offset: &str) -> bool {
    format!("{time}+{offset}").parse::<Timestamp>().is_ok()
}

impl fmt::Display for RangeBound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RangeBound::Date(date) => date.fmt(f),
            RangeBound::Instant(instant) => instant.fmt(f),
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
            ("2026-02-30", Err(RangeBoundError::Unknown)),
            ("20260425", Err(RangeBoundError::Unknown)),
            ("2026-4-5", Err(RangeBoundError::Unknown)),
            ("yesterday", Err(RangeBoundError::Unknown)),
            ("", Err(RangeBoundError::Unknown)),
        ] {
            assert_eq!(text.parse(), expected, "{text}");
        }
    }
}
