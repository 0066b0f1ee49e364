//! Days since 1970-01-01 as civil dates (proleptic Gregorian), and instants as local times.
//!
//! The conversions are Howard Hinnant's `days_from_civil` and `civil_from_days`
//! (<https://howardhinnant.github.io/date_algorithms.html>), over `i64`.

use super::{MICROS_PER_SECOND, SECONDS_PER_DAY};
use crate::Part;

/// Days in 400 Gregorian years.
const DAYS_PER_ERA: i64 = 146_097;
/// Days from 0000-03-01, where eras begin, to 1970-01-01.
const ERA_START_TO_EPOCH: i64 = 719_468;

/// A date of the proleptic Gregorian calendar, with astronomical years.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CivilDate {
    /// Year; 0 is the year before year 1.
    pub year: i64,
    /// 1 to 12.
    pub month: u8,
    /// 1 to 31.
    pub day: u8,
}

impl CivilDate {
    /// The date `days` days after 1970-01-01. Total for all days that an instant or an `i32` can name.
    pub fn from_days(days: i64) -> Self {
        let shifted = days.saturating_add(ERA_START_TO_EPOCH);
        let era = shifted.div_euclid(DAYS_PER_ERA);
        let day_of_era = shifted.rem_euclid(DAYS_PER_ERA);
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
        let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
        let year = year_of_era + era * 400 + i64::from(month <= 2);
        CivilDate { year, month: month as u8, day: day as u8 }
    }

    /// Days since 1970-01-01. The month and the day must be within their ranges.
    pub fn to_days(self) -> i64 {
        let (month, day) = (i64::from(self.month), i64::from(self.day));
        let year = self.year.saturating_sub(i64::from(month <= 2));
        let era = year.div_euclid(400);
        let year_of_era = year.rem_euclid(400);
        let month_from_march = if month > 2 { month - 3 } else { month + 9 };
        let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
        let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
        era.saturating_mul(DAYS_PER_ERA).saturating_add(day_of_era - ERA_START_TO_EPOCH)
    }

    /// 1 to 4.
    pub fn quarter(self) -> u8 {
        (self.month - 1) / 3 + 1
    }
}

/// Weekday of a day: 1 (Monday) to 7 (Sunday). 1970-01-01 was a Thursday.
pub(super) fn weekday(days: i64) -> u8 {
    (days.rem_euclid(7) + 3).rem_euclid(7) as u8 + 1
}

/// ISO 8601 week-numbering year and week (1 to 53): the week belongs to the year of its Thursday.
fn iso_week(days: i64) -> (i64, u8) {
    let thursday = days.saturating_add(4 - i64::from(weekday(days)));
    let year = CivilDate::from_days(thursday).year;
    let new_year = CivilDate { year, month: 1, day: 1 }.to_days();
    (year, ((thursday - new_year) / 7 + 1) as u8)
}

/// A local date and time of day, without its zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LocalTime {
    /// Local date, in days since 1970-01-01.
    pub days: i64,
    /// Seconds since local midnight, 0 to 86,399: what the clock shows, not what has passed.
    pub second_of_day: u32,
    /// 0 to 999,999.
    pub microsecond: u32,
}

impl LocalTime {
    /// What a clock that is `offset_seconds` ahead of UTC shows at an instant.
    pub fn at(instant_us: i64, offset_seconds: i32) -> Self {
        let seconds = instant_us.div_euclid(MICROS_PER_SECOND) + i64::from(offset_seconds);
        LocalTime {
            days: seconds.div_euclid(SECONDS_PER_DAY),
            second_of_day: seconds.rem_euclid(SECONDS_PER_DAY) as u32,
            microsecond: instant_us.rem_euclid(MICROS_PER_SECOND) as u32,
        }
    }

    /// Midnight of a local date.
    pub fn midnight(days: i64) -> Self {
        LocalTime { days, second_of_day: 0, microsecond: 0 }
    }

    /// The civil date.
    pub fn date(self) -> CivilDate {
        CivilDate::from_days(self.days)
    }

    /// 0 to 23.
    pub fn hour(self) -> u8 {
        (self.second_of_day / 3_600) as u8
    }

    /// 0 to 59.
    pub fn minute(self) -> u8 {
        (self.second_of_day / 60 % 60) as u8
    }

    /// 0 to 59.
    pub fn second(self) -> u8 {
        (self.second_of_day % 60) as u8
    }

    /// 1 (Monday) to 7 (Sunday).
    pub fn weekday(self) -> u8 {
        weekday(self.days)
    }

    /// ISO 8601 week-numbering year and week (1 to 53).
    pub fn iso_week(self) -> (i64, u8) {
        iso_week(self.days)
    }

    /// One part, as the language presents it.
    pub fn part(self, part: Part) -> i64 {
        match part {
            Part::Year => self.date().year,
            Part::Quarter => self.date().quarter().into(),
            Part::Month => self.date().month.into(),
            Part::Week => self.iso_week().1.into(),
            Part::IsoYear => self.iso_week().0,
            Part::Day => self.date().day.into(),
            Part::Hour => self.hour().into(),
            Part::Minute => self.minute().into(),
            Part::Second => self.second().into(),
            Part::Weekday => self.weekday().into(),
        }
    }
}
