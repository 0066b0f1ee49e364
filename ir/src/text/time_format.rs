//! Times and dates in a declared format: the directives of `strftime`, compiled once per field.
//!
//! A format says the whole text. It gives each part of a time once, and all that an instant or a date needs,
//! so a text has one meaning or none; whatever else is in a format is refused when it is compiled. Names of
//! months and days are English, in any case. Numbers of one digit need no zero before them, except next to
//! digits.

use std::fmt;

use super::timestamp::{self, TimeProblem, day_of, is_leap, micros_of_day, two_digits};
use crate::calendar::ZoneRules;

mod compile;
mod fixed;

use fixed::Fixed;

const DAY: i64 = 86_400_000_000;

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const WEEKDAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

/// What a format is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FormatPurpose {
    /// Dates.
    Dates,
    /// Instants, by their offsets.
    Instants,
    /// Instants, or local times of a zone that is known.
    LocalTimes,
}

/// Why a format says no time, as a phrase, and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FormatProblem {
    /// What is wrong.
    pub problem: String,
    /// The way out.
    pub help: String,
}

impl fmt::Display for FormatProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.problem)
    }
}

impl std::error::Error for FormatProblem {}

/// A compiled format.
#[derive(Debug, Clone)]
pub struct TimeFormat {
    text: String,
    steps: Vec<Step>,
    /// Where all stands in a text of the full length, if nothing but digits varies in it.
    fixed: Option<Fixed>,
    /// Its days are given as those of a year.
    has_day_of_year: bool,
}

/// A number of a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Year,
    YearOfCentury,
    Month,
    Day,
    DayOfYear,
    Hour,
    Hour12,
    Minute,
    Second,
}

/// What comes next in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    /// Exactly this.
    Byte(u8),
    /// Two digits.
    Two(Part),
    /// One or two digits, perhaps after a space instead of the first.
    OneOrTwo { part: Part, may_be_padded: bool },
    /// The four digits of a year.
    Four,
    /// Up to three digits of a day of the year; all three next to digits.
    UpToThree { is_full: bool },
    /// The name of a month, whole or its first three letters.
    MonthName,
    /// The name of a day of the week, whole or its first three letters.
    WeekdayName,
    /// AM or PM.
    HalfOfDay,
    /// The digits of a fraction of a second.
    Fraction,
    /// A point and the digits of a fraction of a second, or nothing.
    PointAndFraction,
    /// The offset from UTC, as digits or `Z`.
    Offset,
    /// `UTC`, `GMT` or `Z`.
    ZoneName,
}

/// The numbers of a text.
#[derive(Debug, Clone, Copy)]
struct Numbers {
    year: i32,
    month: i32,
    day: i32,
    hour: i32,
    minute: i32,
    second: i32,
    micros: i64,
    is_afternoon: Option<bool>,
    /// 1 for Monday.
    weekday: Option<i32>,
    offset: Option<i64>,
}

impl TimeFormat {
    /// Its text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The instant of a text, in µs since 1970-01-01T00:00Z; without an offset it is a local time of the
    /// zone.
    ///
    /// # Errors
    /// [`TimeProblem`] if the text is not of the format, or there is no such time.
    pub fn instant(&self, text: &str, zone: Option<&ZoneRules>) -> Result<i64, TimeProblem> {
        let (day, of_day, offset) = self.read(text)?;
        timestamp::instant(i64::from(day) * DAY + of_day, offset, zone)
    }

    /// The date of a text, in days since 1970-01-01. If it has a time of day, that is midnight.
    ///
    /// # Errors
    /// [`TimeProblem`] if the text is not of the format, there is no such date, or a time of day would be
    /// lost.
    pub fn date(&self, text: &str) -> Result<i32, TimeProblem> {
        let (day, of_day, _) = self.read(text)?;
        if of_day == 0 { Ok(day) } else { Err(TimeProblem::TimeOfDay) }
    }

    /// The day, the µs since its midnight, and the offset in seconds.
    fn read(&self, text: &str) -> Result<(i32, i64, Option<i64>), TimeProblem> {
        let mut numbers = Numbers::default();
        let mut rest = text.as_bytes();
        if let Some(fixed) = self.fixed.as_ref().filter(|fixed| fixed.length == rest.len()) {
            let values = fixed.read(rest).ok_or(TimeProblem::NotOfFormat)?;
            numbers.year = values[Part::Year as usize];
            numbers.month = values[Part::Month as usize];
            numbers.day = values[Part::Day as usize];
            let [hour, minute, second] =
                [Part::Hour, Part::Minute, Part::Second].map(|part| values[part as usize]);
            return Ok((numbers.date(false)?, micros_of_day(hour, minute, second, 0)?, None));
        }
        for step in &self.steps {
            rest = step.read(rest, &mut numbers).ok_or(TimeProblem::NotOfFormat)?;
        }
        if !rest.is_empty() {
            return Err(TimeProblem::NotOfFormat);
        }
        let day = numbers.date(self.has_day_of_year)?;
        Ok((day, numbers.of_day()?, numbers.offset))
    }
}

impl Default for Numbers {
    fn default() -> Self {
        Numbers {
            year: 0,
            month: 1,
            day: 1,
            hour: 0,
            minute: 0,
            second: 0,
            micros: 0,
            is_afternoon: None,
            weekday: None,
            offset: None,
        }
    }
}

impl Numbers {
    fn date(&self, has_day_of_year: bool) -> Result<i32, TimeProblem> {
        let day = if has_day_of_year {
            if self.day < 1 || self.day > 365 + i32::from(is_leap(self.year)) {
                return Err(TimeProblem::NoSuchTime);
            }
            day_of(self.year, 1, 1)? + self.day - 1
        } else {
            day_of(self.year, self.month, self.day)?
        };
        // 1970-01-01 was a Thursday.
        match self.weekday {
            Some(weekday) if weekday != (day + 3).rem_euclid(7) + 1 => Err(TimeProblem::NoSuchTime),
            _ => Ok(day),
        }
    }

    fn of_day(&self) -> Result<i64, TimeProblem> {
        let hour = match self.is_afternoon {
            Some(_) if !(1..=12).contains(&self.hour) => return Err(TimeProblem::NoSuchTime),
            Some(is_afternoon) => self.hour % 12 + if is_afternoon { 12 } else { 0 },
            None => self.hour,
        };
        micros_of_day(hour, self.minute, self.second, self.micros)
    }

    fn set(&mut self, part: Part, value: i32) {
        match part {
            Part::Year => self.year = value,
            // As POSIX has it.
            Part::YearOfCentury => self.year = value + if value < 69 { 2000 } else { 1900 },
            Part::Month => self.month = value,
            Part::Day | Part::DayOfYear => self.day = value,
            Part::Hour | Part::Hour12 => self.hour = value,
            Part::Minute => self.minute = value,
            Part::Second => self.second = value,
        }
    }
}

impl Step {
    /// Reads what a text starts with, and gives the rest of it; `None` if it is something else.
    #[inline]
    fn read<'t>(&self, text: &'t [u8], numbers: &mut Numbers) -> Option<&'t [u8]> {
        match self {
            Step::Byte(byte) => match text {
                [first, rest @ ..] if first == byte => Some(rest),
                _ => None,
            },
            Step::Two(part) => match text {
                [tens, ones, rest @ ..] => {
                    numbers.set(*part, two_digits(*tens, *ones)?);
                    Some(rest)
                }
                _ => None,
            },
            Step::OneOrTwo { part, may_be_padded } => {
                let (value, rest) = one_or_two(text, *may_be_padded)?;
                numbers.set(*part, value);
                Some(rest)
            }
            Step::Four => match text {
                [y1, y2, y3, y4, rest @ ..] => {
                    numbers.set(Part::Year, two_digits(*y1, *y2)? * 100 + two_digits(*y3, *y4)?);
                    Some(rest)
                }
                _ => None,
            },
            _ => self.read_rare(text, numbers),
        }
    }

    fn read_rare<'t>(&self, text: &'t [u8], numbers: &mut Numbers) -> Option<&'t [u8]> {
        match self {
            Step::UpToThree { is_full } => {
                let n_digits = text.iter().take(3).take_while(|byte| byte.is_ascii_digit()).count();
                let (digits, rest) = text.split_at(n_digits);
                let value = digits.iter().fold(0, |value, byte| value * 10 + i32::from(byte - b'0'));
                numbers.set(Part::DayOfYear, value);
                (n_digits == 3 || (n_digits > 0 && !is_full)).then_some(rest)
            }
            Step::MonthName => {
                let (place, rest) = name(text, &MONTHS)?;
                numbers.month = place;
                Some(rest)
            }
            Step::WeekdayName => {
                let (place, rest) = name(text, &WEEKDAYS)?;
                numbers.weekday = Some(place);
                Some(rest)
            }
            Step::HalfOfDay => {
                let (half, rest) = text.split_at_checked(2)?;
                let is_afternoon = half.eq_ignore_ascii_case(b"PM");
                numbers.is_afternoon = Some(is_afternoon);
                (is_afternoon || half.eq_ignore_ascii_case(b"AM")).then_some(rest)
            }
            Step::Fraction => {
                let (micros, _, rest) = timestamp::fraction(text).ok()?;
                numbers.micros = micros;
                Some(rest)
            }
            Step::PointAndFraction => match text {
                [b'.', digits @ ..] => Step::Fraction.read_rare(digits, numbers),
                _ => Some(text),
            },
            Step::Offset => {
                let (offset, rest) = timestamp::offset_at_start(text).ok()?;
                numbers.offset = Some(offset);
                Some(rest)
            }
            Step::ZoneName => match text {
                [b'Z', rest @ ..] | [b'U', b'T', b'C', rest @ ..] | [b'G', b'M', b'T', rest @ ..] => {
                    numbers.offset = Some(0);
                    Some(rest)
                }
                _ => None,
            },
            Step::Byte(_) | Step::Two(_) | Step::OneOrTwo { .. } | Step::Four => self.read(text, numbers),
        }
    }
}

fn one_or_two(text: &[u8], may_be_padded: bool) -> Option<(i32, &[u8])> {
    let digit = |byte: u8| byte.is_ascii_digit().then(|| i32::from(byte - b'0'));
    match text {
        [b' ', ones, rest @ ..] if may_be_padded => Some((digit(*ones)?, rest)),
        [tens, ones, rest @ ..] if ones.is_ascii_digit() => Some((digit(*tens)? * 10 + digit(*ones)?, rest)),
        [ones, rest @ ..] => Some((digit(*ones)?, rest)),
        [] => None,
    }
}

/// The place, from 1 on, of the name that a text starts with, and the rest of it.
fn name<'t>(text: &'t [u8], names: &[&str]) -> Option<(i32, &'t [u8])> {
    let starts_with = |start: &str| {
        text.get(..start.len()).is_some_and(|found| found.eq_ignore_ascii_case(start.as_bytes()))
    };
    let place = names.iter().position(|name| starts_with(&name[..3]))?;
    let length = if starts_with(names[place]) { names[place].len() } else { 3 };
    Some((i32::try_from(place + 1).ok()?, &text[length..]))
}

impl TimeFormat {
    /// A text of the format, for messages: of 2026-04-25T16:05:09.25Z, a Saturday.
    pub fn example(&self) -> String {
        let mut text = Vec::new();
        for step in &self.steps {
            let of_step: &[u8] = match step {
                Step::Byte(byte) => std::slice::from_ref(byte),
                Step::Two(part) | Step::OneOrTwo { part, .. } => match part {
                    Part::Month | Part::Hour12 => b"04",
                    Part::Day => b"25",
                    Part::Hour => b"16",
                    Part::Minute => b"05",
                    Part::Second => b"09",
                    Part::Year | Part::YearOfCentury => b"26",
                    Part::DayOfYear => b"115",
                },
                Step::Four => b"2026",
                Step::UpToThree { .. } => b"115",
                Step::MonthName => b"Apr",
                Step::WeekdayName => b"Sat",
                Step::HalfOfDay => b"PM",
                Step::Fraction => b"25",
                Step::PointAndFraction => b".25",
                Step::Offset => b"+0000",
                Step::ZoneName => b"UTC",
            };
            text.extend_from_slice(of_step);
        }
        String::from_utf8_lossy(&text).into_owned()
    }
}

#[cfg(test)]
#[path = "time_format_tests.rs"]
mod tests;
