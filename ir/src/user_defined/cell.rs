//! A value between a Rust type and a column, and the conversions of times and durations.

use jiff::{SignedDuration, Timestamp, civil};

/// A value of one field between a Rust type and a column, without going through text.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell<'a> {
    /// No value.
    None,
    /// A bool.
    Bool(bool),
    /// An int.
    Int(i64),
    /// A decimal: units and scale.
    Decimal(i128, u8),
    /// A float; the decoder treats one that is not finite as in any other record.
    Float(f64),
    /// A string.
    Text(&'a str),
    /// The index of an enum's value, in declared order.
    Enum(i32),
    /// Days since 1970-01-01.
    Date(i32),
    /// Microseconds since 1970-01-01T00:00Z.
    Timestamp(i64),
    /// A local time, in microseconds since 1970-01-01T00:00 in the field's zone.
    LocalTime(i64),
    /// Microseconds.
    Duration(i64),
    /// A list.
    List(Vec<Cell<'a>>),
    /// A record: the values of its fields, in their order.
    Record(Vec<Cell<'a>>),
    /// A value that the language cannot represent, and why.
    Improper(&'static str),
}

/// An instant, floored to the microsecond as in any other record.
pub fn timestamp(at: Timestamp) -> Cell<'static> {
    Cell::Timestamp(floor_micros(at))
}

/// A date, as days since 1970-01-01.
pub fn date(date: civil::Date) -> Cell<'static> {
    let epoch = civil::date(1970, 1, 1);
    Cell::Date(epoch.until(date).map_or(i32::MAX, |span| span.get_days()))
}

/// A duration, if no digit beyond the microsecond is lost.
pub fn duration(length: SignedDuration) -> Cell<'static> {
    match i64::try_from(length.as_nanos() / 1000) {
        Ok(micros) if length.as_nanos() % 1000 == 0 => Cell::Duration(micros),
        Ok(_) => Cell::Improper("digits beyond the microsecond would be lost"),
        Err(_) => Cell::Improper("beyond the 64 bits of a duration in microseconds"),
    }
}

/// A local time.
pub fn local_time(at: civil::DateTime) -> Cell<'static> {
    match at.to_zoned(jiff::tz::TimeZone::UTC) {
        Ok(zoned) => Cell::LocalTime(floor_micros(zoned.timestamp())),
        Err(_) => Cell::Improper("beyond the years of a timestamp"),
    }
}

fn floor_micros(at: Timestamp) -> i64 {
    // jiff's timestamps are within the years -9999 to 9999.
    i64::try_from(at.as_nanosecond().div_euclid(1000)).unwrap_or(i64::MAX)
}
