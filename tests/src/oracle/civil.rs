//! Civil time: dates by counting days, calendar buckets by definition, texts of instants.
//!
//! The zone database is asked for two things only, the offset at an instant and the instants at which
//! it changes. A bucket starts at *the first instant whose local date is not before its first day*; an
//! instant lies in the latest bucket that starts no later than it. So every instant lies in exactly
//! one bucket, in zones that skip a day or repeat the hour around midnight too.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use metricc_ir::{Calendar, CalendarUnit, Part};

/// µs of a second.
const SECOND: i64 = 1_000_000;
/// µs of a day.
pub(super) const DAY: i64 = 86_400 * SECOND;
/// Further from UTC than any local time, in µs.
const WIDEST_OFFSET: i64 = 30 * 3_600 * SECOND;

/// A day of the proleptic Gregorian calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Day {
    /// Astronomical year.
    pub(super) year: i64,
    /// 1 to 12.
    pub(super) month: i64,
    /// 1 to 31.
    pub(super) day: i64,
}

/// The zone of that name in the bundled database.
pub(super) fn zone(name: &str) -> TimeZone {
    TimeZone::get(name).unwrap_or_else(|error| panic!("zone `{name}` was not checked: {error}"))
}

/// Days in the year.
fn days_of_year(year: i64) -> i64 {
    let is_leap = year.rem_euclid(4) == 0 && (year.rem_euclid(100) != 0 || year.rem_euclid(400) == 0);
    if is_leap { 366 } else { 365 }
}

/// Days in the month.
fn days_of_month(year: i64, month: i64) -> i64 {
    match month {
        2 => days_of_year(year) - 337,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970-01-01 to the first of January of the year: whole cycles of 400 years at once, the
/// rest year by year.
fn days_to_year(year: i64) -> i64 {
    const CYCLE: i64 = 146_097;
    let cycles = (year - 1970).div_euclid(400);
    let first = 1970 + 400 * cycles;
    cycles * CYCLE + (first..year).map(days_of_year).sum::<i64>()
}

/// Days from 1970-01-01 to a date.
pub(super) fn days_to(date: Day) -> i64 {
    days_to_year(date.year)
        + (1..date.month).map(|month| days_of_month(date.year, month)).sum::<i64>()
        + date.day
        - 1
}

/// The date so many days after 1970-01-01.
pub(super) fn date_of(days: i64) -> Day {
    let mut year = 1970 + days.div_euclid(366);
    while days_to_year(year + 1) <= days {
        year += 1;
    }
    while days_to_year(year) > days {
        year -= 1;
    }
    let mut left = days - days_to_year(year);
    let mut month = 1;
    while left >= days_of_month(year, month) {
        left -= days_of_month(year, month);
        month += 1;
    }
    Day { year, month, day: left + 1 }
}

/// 1 (Monday) to 7 (Sunday): 1970-01-01 was a Thursday.
pub(super) fn weekday(days: i64) -> i64 {
    (days + 3).rem_euclid(7) + 1
}

/// ISO 8601 week: the week of its Thursday, counted in the Thursday's year.
fn iso_week(days: i64) -> i64 {
    let thursday = days - weekday(days) + 4;
    (thursday - days_to_year(date_of(thursday).year)) / 7 + 1
}

/// The instant as the zone database takes it, clamped to its range.
fn instant(micros: i64) -> Timestamp {
    Timestamp::from_microsecond(micros).unwrap_or(if micros < 0 { Timestamp::MIN } else { Timestamp::MAX })
}

/// How far local time is ahead of UTC at an instant, in µs.
fn offset(micros: i64, zone: &TimeZone) -> i64 {
    i64::from(zone.to_offset(instant(micros)).seconds()) * SECOND
}

/// Local µs since 1970-01-01T00:00 local.
fn local(micros: i64, zone: &TimeZone) -> i64 {
    micros + offset(micros, zone)
}

/// The local date at an instant, in days.
pub(super) fn local_days(micros: i64, zone: &TimeZone) -> i64 {
    local(micros, zone).div_euclid(DAY)
}

/// A part of the local date and time.
pub(super) fn part_of_instant(part: Part, micros: i64, zone: &TimeZone) -> i64 {
    let seconds_of_day = local(micros, zone).rem_euclid(DAY) / SECOND;
    part_of(part, local_days(micros, zone), seconds_of_day)
}

/// A part of a date and a time of day.
pub(super) fn part_of(part: Part, days: i64, seconds_of_day: i64) -> i64 {
    let date = date_of(days);
    match part {
        Part::Year => date.year,
        Part::Quarter => (date.month - 1) / 3 + 1,
        Part::Month => date.month,
        Part::Week => iso_week(days),
        // The week belongs to the year that has most of its days: that of its Thursday.
        Part::IsoYear => date_of(days - weekday(days) + 4).year,
        Part::Day => date.day,
        Part::Hour => seconds_of_day / 3_600,
        Part::Minute => seconds_of_day / 60 % 60,
        Part::Second => seconds_of_day % 60,
        Part::Weekday => weekday(days),
    }
}

/// The first instant at which the local date is `days` or later.
///
/// Between two changes of the offset local time runs with UTC, so the first instant is looked for in
/// one such piece after the other, from one that lies surely before it.
pub(super) fn first_instant(days: i64, zone: &TimeZone) -> i64 {
    let midnight = days * DAY;
    let mut piece_start = midnight - WIDEST_OFFSET;
    loop {
        let piece_end =
            zone.following(instant(piece_start)).next().map(|change| change.timestamp().as_microsecond());
        let candidate = piece_start.max(midnight - offset(piece_start, zone));
        match piece_end {
            Some(end) if candidate >= end => piece_start = end,
            _ => return candidate,
        }
    }
}

/// First day of the calendar unit that a day lies in.
fn first_day(days: i64, unit: CalendarUnit, week_start: u8) -> i64 {
    let date = date_of(days);
    match unit {
        CalendarUnit::Day => days,
        CalendarUnit::Week => days - (weekday(days) - i64::from(week_start)).rem_euclid(7),
        CalendarUnit::Month => days_to(Day { day: 1, ..date }),
        CalendarUnit::Quarter => days_to(Day { day: 1, month: (date.month - 1) / 3 * 3 + 1, ..date }),
        CalendarUnit::Year => days_to_year(date.year),
    }
}

/// First day of the next unit, from the first day of one: some day of the next unit, taken back.
fn next_first_day(first: i64, unit: CalendarUnit, week_start: u8) -> i64 {
    let within_next = match unit {
        CalendarUnit::Day => 1,
        CalendarUnit::Week => 7,
        CalendarUnit::Month => 31,
        CalendarUnit::Quarter => 93,
        CalendarUnit::Year => 366,
    };
    first_day(first + within_next, unit, week_start)
}

/// Start and end of the calendar bucket an instant lies in.
pub(super) fn bucket(micros: i64, unit: CalendarUnit, calendar: &Calendar) -> (i64, i64) {
    let (_, start, end) = bucket_of(micros, unit, calendar);
    (start, end)
}

/// First day, start and end of the calendar bucket an instant lies in.
fn bucket_of(micros: i64, unit: CalendarUnit, calendar: &Calendar) -> (i64, i64, i64) {
    let zone = zone(&calendar.zone);
    let mut first = first_day(local_days(micros, &zone) - 3, unit, calendar.week_start);
    loop {
        let next = next_first_day(first, unit, calendar.week_start);
        let end = first_instant(next, &zone);
        if micros < end {
            return (first, first_instant(first, &zone), end);
        }
        first = next;
    }
}

/// The number of the bucket that an instant lies in; that of 1970-01-01 is 0.
pub(super) fn number_of_bucket(micros: i64, unit: CalendarUnit, calendar: &Calendar) -> i64 {
    number_of_day(bucket_of(micros, unit, calendar).0, unit, calendar.week_start)
}

/// The number of the unit that a day lies in: the distance of two first days is so many mean lengths of the
/// unit, rounded.
pub(super) fn number_of_day(days: i64, unit: CalendarUnit, week_start: u8) -> i64 {
    let distance = first_day(days, unit, week_start) - first_day(0, unit, week_start);
    // Days in 400 years, and units in them.
    let n_units = match unit {
        CalendarUnit::Day => 146_097,
        CalendarUnit::Week => 146_097 / 7,
        CalendarUnit::Month => 4_800,
        CalendarUnit::Quarter => 1_600,
        CalendarUnit::Year => 400,
    };
    (2 * distance * n_units + 146_097).div_euclid(2 * 146_097)
}

/// `2024-01-31`; after the year 9999 with a sign and six digits, as ISO 8601 has it.
pub fn date_text(days: i64) -> String {
    let date = date_of(days);
    if date.year > 9999 {
        return format!("{:+07}-{:02}-{:02}", date.year, date.month, date.day);
    }
    format!("{:04}-{:02}-{:02}", date.year, date.month, date.day)
}

/// `2024-01-31T10:00:00.5`: no more fractional digits than are needed.
fn date_time_text(micros: i64) -> String {
    let seconds = micros.rem_euclid(DAY) / SECOND;
    let time = format!("{:02}:{:02}:{:02}", seconds / 3_600, seconds / 60 % 60, seconds % 60);
    let fraction = match micros.rem_euclid(SECOND) {
        0 => String::new(),
        fraction => format!(".{fraction:06}").trim_end_matches('0').to_owned(),
    };
    format!("{}T{time}{fraction}", date_text(micros.div_euclid(DAY)))
}

/// An instant in UTC, RFC 3339.
pub fn utc_text(micros: i64) -> String {
    format!("{}Z", date_time_text(micros))
}

/// An instant in a zone, RFC 3339; in UTC where the offset is not one of whole minutes.
pub(super) fn local_text(micros: i64, zone: &TimeZone) -> String {
    let offset_seconds = offset(micros, zone) / SECOND;
    if offset_seconds % 60 != 0 {
        return utc_text(micros);
    }
    let sign = if offset_seconds < 0 { '-' } else { '+' };
    let minutes = offset_seconds.abs() / 60;
    format!("{}{sign}{:02}:{:02}", date_time_text(local(micros, zone)), minutes / 60, minutes % 60)
}

#[cfg(test)]
#[path = "civil_tests.rs"]
mod tests;
