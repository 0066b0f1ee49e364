//! Calendar buckets: local days, weeks, months, quarters and years as half-open spans of instants.

use super::civil_dates::{CivilDate, weekday};
use super::zone_offsets::ZoneRules;
use crate::{Calendar, CalendarUnit};

/// A half-open span of instants, `[start_us, end_us)`, in µs since the epoch.
///
/// The last bucket that `i64` can name ends at `i64::MAX` and holds that instant too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Bucket {
    /// First instant.
    pub start_us: i64,
    /// First instant of the next bucket.
    pub end_us: i64,
}

impl Bucket {
    /// Whether the instant lies in it. An instant at its end lies in the next one.
    pub fn contains(&self, instant_us: i64) -> bool {
        self.start_us <= instant_us && (instant_us < self.end_us || self.end_us == i64::MAX)
    }
}

/// How a calendar cuts time into buckets of one unit. Cloning is cheap.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct BucketRule {
    unit: CalendarUnit,
    week_start: u8,
    zone: ZoneRules,
}

impl BucketRule {
    /// The rule for a unit of a calendar. None if the database has no such zone, or a week cannot
    /// start on that day.
    pub fn new(unit: CalendarUnit, calendar: &Calendar) -> Option<Self> {
        if !(1..=7).contains(&calendar.week_start) {
            return None;
        }
        Some(BucketRule { unit, week_start: calendar.week_start, zone: ZoneRules::named(&calendar.zone)? })
    }

    /// The unit of its buckets.
    pub fn unit(&self) -> CalendarUnit {
        self.unit
    }

    /// The zone whose dates it cuts by.
    pub fn zone(&self) -> &ZoneRules {
        &self.zone
    }

    /// The bucket that holds an instant.
    pub fn bucket_at(&self, instant_us: i64) -> Bucket {
        self.bucket_and_number_at(instant_us).0
    }

    /// The bucket that holds an instant, and its number: see [`BucketRule::number_of_date`].
    pub fn bucket_and_number_at(&self, instant_us: i64) -> (Bucket, i64) {
        let (mut first_day, mut next_day) = self.days_around(self.zone.local_time(instant_us).days);
        loop {
            let end_us = self.zone.first_instant_of_date(next_day);
            // Where the clock is set back over midnight, an instant can show the date of a bucket
            // that has ended already: it belongs to the one that has begun.
            if instant_us < end_us || end_us == i64::MAX {
                let bucket = Bucket { start_us: self.zone.first_instant_of_date(first_day), end_us };
                return (bucket, self.number_of_date(first_day));
            }
            (first_day, next_day) = self.days_around(next_day);
        }
    }

    /// How many buckets lie between that of 1970-01-01 and that of a local date (days since then), by the
    /// calendar alone: a date that the zone skips has its number, too.
    pub fn number_of_date(&self, days: i64) -> i64 {
        let CivilDate { year, month, .. } = CivilDate::from_days(days);
        let n_years = year - 1970;
        match self.unit {
            CalendarUnit::Day => days,
            CalendarUnit::Week => {
                let (first, _) = self.days_around(days);
                let (first_of_epoch, _) = self.days_around(0);
                (first - first_of_epoch).div_euclid(7)
            }
            CalendarUnit::Month => n_years * 12 + i64::from(month) - 1,
            CalendarUnit::Quarter => n_years * 4 + (i64::from(month) - 1) / 3,
            CalendarUnit::Year => n_years,
        }
    }

    /// The bucket in which a local date (days since 1970-01-01) begins.
    pub fn bucket_of_date(&self, days: i64) -> Bucket {
        self.bucket_at(self.zone.first_instant_of_date(days))
    }

    /// The bucket that lies `n` buckets after the one that starts at an instant, or before it if `n` is
    /// negative; none where its dates do not exist in the zone, or are out of range.
    pub fn later(&self, start_us: i64, n: i64) -> Option<Bucket> {
        let (first, _) = self.days_around(self.zone.local_time(start_us).days);
        let wanted = self.first_day_later(first, n)?;
        let bucket = self.bucket_of_date(wanted);
        let (found, _) = self.days_around(self.zone.local_time(bucket.start_us).days);
        (found == wanted).then_some(bucket)
    }

    /// The first day of the bucket that lies `n` after the one with this first day.
    fn first_day_later(&self, first: i64, n: i64) -> Option<i64> {
        let n_months = match self.unit {
            CalendarUnit::Day => return first.checked_add(n),
            CalendarUnit::Week => return first.checked_add(n.checked_mul(7)?),
            CalendarUnit::Month => 1,
            CalendarUnit::Quarter => 3,
            CalendarUnit::Year => 12,
        };
        let CivilDate { year, month, .. } = CivilDate::from_days(first);
        let months =
            year.checked_mul(12)?.checked_add(i64::from(month) - 1)?.checked_add(n.checked_mul(n_months)?)?;
        let month = u8::try_from(months.rem_euclid(12) + 1).ok()?;
        Some(CivilDate { year: months.div_euclid(12), month, day: 1 }.to_days())
    }

    /// First day of the bucket that holds a date by the calendar alone, and first day of the next.
    fn days_around(&self, days: i64) -> (i64, i64) {
        let n_months = match self.unit {
            CalendarUnit::Day => return (days, days.saturating_add(1)),
            CalendarUnit::Week => {
                let n_days_back = (i64::from(weekday(days)) - i64::from(self.week_start)).rem_euclid(7);
                let first = days.saturating_sub(n_days_back);
                return (first, first.saturating_add(7));
            }
            CalendarUnit::Month => 1,
            CalendarUnit::Quarter => 3,
            CalendarUnit::Year => 12,
        };
        let CivilDate { year, month, .. } = CivilDate::from_days(days);
        let first_month = (month - 1) / n_months * n_months + 1;
        let next = match first_month + n_months {
            13.. => CivilDate { year: year + 1, month: 1, day: 1 },
            month => CivilDate { year, month, day: 1 },
        };
        (CivilDate { year, month: first_month, day: 1 }.to_days(), next.to_days())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::timestamp::parse;

    fn rule(unit: CalendarUnit, zone: &str) -> BucketRule {
        BucketRule::new(unit, &Calendar { zone: zone.into(), week_start: 1 }).expect("a known zone")
    }

    fn instant(text: &str) -> i64 {
        parse(text, None).expect("an instant")
    }

    #[test]
    fn numbers_of_buckets_run_on_from_that_of_the_epoch() {
        for (unit, at, expected) in [
            (CalendarUnit::Day, "1970-01-01T23:59:59Z", 0),
            (CalendarUnit::Day, "1969-12-31T23:59:59Z", -1),
            (CalendarUnit::Week, "1970-01-04T23:59:59Z", 0),
            (CalendarUnit::Week, "1970-01-05T00:00:00Z", 1),
            (CalendarUnit::Week, "1969-12-28T23:59:59Z", -1),
            (CalendarUnit::Week, "2025-12-27T00:00:00Z", 2_921),
            (CalendarUnit::Month, "1969-12-31T00:00:00Z", -1),
            (CalendarUnit::Month, "2026-04-25T00:00:00Z", 675),
            (CalendarUnit::Quarter, "1969-09-30T00:00:00Z", -2),
            (CalendarUnit::Quarter, "2026-04-25T00:00:00Z", 225),
            (CalendarUnit::Year, "2026-04-25T00:00:00Z", 56),
        ] {
            assert_eq!(rule(unit, "UTC").bucket_and_number_at(instant(at)).1, expected, "{unit:?} {at}");
        }
        for zone in ["America/New_York", "Australia/Lord_Howe", "Pacific/Apia", "America/Sao_Paulo"] {
            for unit in [CalendarUnit::Day, CalendarUnit::Week, CalendarUnit::Month, CalendarUnit::Quarter] {
                let rule = rule(unit, zone);
                let (first, number) = rule.bucket_and_number_at(instant("2011-10-01T00:00:00Z"));
                for n in (0..3_000).filter_map(|n| Some((n, rule.later(first.start_us, n)?))) {
                    let (n, bucket) = n;
                    assert_eq!(rule.bucket_and_number_at(bucket.start_us), (bucket, number + n), "{zone}");
                }
            }
        }
    }
}
