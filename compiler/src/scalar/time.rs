//! Functions of instants and dates. The calendar itself is in `metricc_ir::calendar`; here it is
//! applied to columns, with a cache of the previous row's result, since event times come nearly sorted.

use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::datatypes::{ArrowPrimitiveType, DataType, Date32Type, Int64Type, TimestampMicrosecondType};
use metricc_ir::calendar::{Bucket, BucketRule, Floor, LocalTime, MICROS_PER_DAY, OffsetSpan, ZoneRules};
use metricc_ir::{Calendar, CalendarUnit, Func, Kind, Part};

use super::data_type;
use super::operand::{Body, Operand, Result, finish, one};
use crate::CompileError;

/// The kernel for a function of a timestamp or a date. `None` if it is not defined on this kind.
pub(super) fn body(
    func: &Func,
    kind: &Kind,
    result: &Kind,
) -> std::result::Result<Option<Body>, CompileError> {
    Ok(match (func, kind, result) {
        (Func::Part(part, zone), Kind::Timestamp, Kind::Int) => {
            Some(part_of_instant(*part, zone_rules(zone)?))
        }
        (Func::Part(part, _), Kind::Date, Kind::Int) => Some(part_of_date(*part)),
        (Func::DateIn(zone), Kind::Timestamp, Kind::Date) => Some(date_in(zone_rules(zone)?)),
        (Func::TruncateTo(width_us), Kind::Timestamp, Kind::Timestamp) => {
            Some(truncate_to(check_width(*width_us)?))
        }
        (Func::TruncateIn(unit, calendar), Kind::Timestamp, Kind::Timestamp) => {
            Some(truncate_in(bucket_rule(*unit, calendar)?))
        }
        (Func::PeriodTo(width_us), Kind::Timestamp, Kind::Int) => {
            Some(number_of_width::<TimestampMicrosecondType>(check_width(*width_us)?, 1))
        }
        (Func::PeriodTo(width_us), Kind::Date, Kind::Int) => {
            Some(number_of_width::<Date32Type>(check_width(*width_us)?, MICROS_PER_DAY))
        }
        (Func::PeriodIn(unit, calendar), Kind::Timestamp, Kind::Int) => {
            Some(number_at(bucket_rule(*unit, calendar)?))
        }
        (Func::PeriodIn(unit, calendar), Kind::Date, Kind::Int) => {
            Some(number_of_date(bucket_rule(*unit, calendar)?))
        }
        _ => None,
    })
}

fn zone_rules(zone: &str) -> std::result::Result<ZoneRules, CompileError> {
    ZoneRules::named(zone)
        .ok_or_else(|| CompileError::form("time zone", format!("there is no zone `{zone}`")))
}

/// The rule for a calendar whose zone the checker has found.
pub(super) fn bucket_rule(
    unit: CalendarUnit,
    calendar: &Calendar,
) -> std::result::Result<BucketRule, CompileError> {
    BucketRule::new(unit, calendar).ok_or_else(|| {
        let problem = format!("there is no zone `{}`, or no weekday {}", calendar.zone, calendar.week_start);
        CompileError::form("calendar", problem)
    })
}

/// A bucket's width in µs, which is not zero nor negative.
pub(super) fn check_width(width_us: i64) -> std::result::Result<i64, CompileError> {
    if width_us > 0 {
        return Ok(width_us);
    }
    Err(CompileError::form("width of a bucket", format!("{width_us} µs is not positive")))
}

fn part_of_instant(part: Part, rules: ZoneRules) -> Body {
    Arc::new(move |args, n_rows| {
        let mut clock = Clock::new(&rules);
        match part {
            Part::Hour | Part::Minute | Part::Second | Part::Weekday => {
                each::<TimestampMicrosecondType, Int64Type>(
                    one(args)?,
                    n_rows,
                    &DataType::Int64,
                    |instant_us| clock.local_time(instant_us).part(part),
                )
            }
            Part::Year | Part::Quarter | Part::Month | Part::Week | Part::IsoYear | Part::Day => {
                let mut dates = Dates::new(part);
                each::<TimestampMicrosecondType, Int64Type>(
                    one(args)?,
                    n_rows,
                    &DataType::Int64,
                    |instant_us| dates.part(clock.local_time(instant_us).days),
                )
            }
        }
    })
}

fn part_of_date(part: Part) -> Body {
    Arc::new(move |args, n_rows| {
        let mut dates = Dates::new(part);
        each::<Date32Type, Int64Type>(one(args)?, n_rows, &DataType::Int64, |days| dates.part(days.into()))
    })
}

fn date_in(rules: ZoneRules) -> Body {
    Arc::new(move |args, n_rows| {
        let mut clock = Clock::new(&rules);
        each::<TimestampMicrosecondType, Date32Type>(one(args)?, n_rows, &DataType::Date32, |instant_us| {
            // An i64 of µs is at most 106,751,992 days away.
            clock.local_time(instant_us).days as i32
        })
    })
}

fn truncate_to(width_us: i64) -> Body {
    Arc::new(move |args, n_rows| floor_column(one(args)?, n_rows, width_us))
}

fn truncate_in(rule: BucketRule) -> Body {
    Arc::new(move |args, n_rows| bucket_starts(one(args)?, n_rows, &rule))
}

/// Numbers of widths, of values that are this many µs each.
fn number_of_width<A: ArrowPrimitiveType>(width_us: i64, micros: i64) -> Body
where
    A::Native: Into<i64>,
{
    Arc::new(move |args, n_rows| {
        each::<A, Int64Type>(one(args)?, n_rows, &DataType::Int64, |value| {
            // A date is an i32 of days, which an i64 of µs does not hold at the far ends.
            value.into().saturating_mul(micros).div_euclid(width_us)
        })
    })
}

/// Numbers of the calendar buckets that hold the instants.
fn number_at(rule: BucketRule) -> Body {
    Arc::new(move |args, n_rows| {
        let (mut bucket, mut number) = (NO_BUCKET, 0);
        each::<TimestampMicrosecondType, Int64Type>(one(args)?, n_rows, &DataType::Int64, |instant_us| {
            if !bucket.contains(instant_us) {
                (bucket, number) = rule.bucket_and_number_at(instant_us);
            }
            number
        })
    })
}

/// Numbers of the calendar buckets of dates.
fn number_of_date(rule: BucketRule) -> Body {
    Arc::new(move |args, n_rows| {
        each::<Date32Type, Int64Type>(one(args)?, n_rows, &DataType::Int64, |days| {
            rule.number_of_date(days.into())
        })
    })
}

/// Instants floored to a multiple of the width since the epoch.
pub(super) fn floor_column(operand: &Operand, n_rows: usize, width_us: i64) -> Result<ArrayRef> {
    let floor = Floor::new(width_us);
    each::<TimestampMicrosecondType, TimestampMicrosecondType>(operand, n_rows, &moment(), |instant_us| {
        floor.of(instant_us)
    })
}

/// Starts of the calendar buckets that hold the instants.
pub(super) fn bucket_starts(operand: &Operand, n_rows: usize, rule: &BucketRule) -> Result<ArrayRef> {
    let mut buckets = Buckets::new(rule, n_rows);
    each::<TimestampMicrosecondType, TimestampMicrosecondType>(operand, n_rows, &moment(), |instant_us| {
        buckets.start_of(instant_us)
    })
}

fn moment() -> DataType {
    data_type(&Kind::Timestamp)
}

/// Row by row, keeping nulls. `op` also sees the unspecified values of nulls.
pub(super) fn each<A: ArrowPrimitiveType, O: ArrowPrimitiveType>(
    operand: &Operand,
    n_rows: usize,
    data_type: &DataType,
    mut op: impl FnMut(A::Native) -> O::Native,
) -> Result<ArrayRef> {
    let values = operand.primitive::<A>()?.values().iter().map(|&value| op(value)).collect();
    finish::<O>(values, operand.nulls(n_rows), data_type)
}

/// A zone's clock that remembers the span of the last instant.
struct Clock<'a> {
    rules: &'a ZoneRules,
    span: OffsetSpan,
}

impl<'a> Clock<'a> {
    fn new(rules: &'a ZoneRules) -> Self {
        Clock { rules, span: rules.span_at(0) }
    }

    #[inline]
    fn local_time(&mut self, instant_us: i64) -> LocalTime {
        if !self.span.contains(instant_us) {
            self.span = self.rules.span_at(instant_us);
        }
        LocalTime::at(instant_us, self.span.offset_seconds)
    }
}

/// A part of dates that remembers the last date.
struct Dates {
    part: Part,
    last_days: i64,
    last_value: i64,
}

impl Dates {
    fn new(part: Part) -> Self {
        Dates { part, last_days: 0, last_value: LocalTime::midnight(0).part(part) }
    }

    #[inline]
    fn part(&mut self, days: i64) -> i64 {
        if days != self.last_days {
            self.last_days = days;
            self.last_value = LocalTime::midnight(days).part(self.part);
        }
        self.last_value
    }
}

/// Calendar buckets that remember the last one, and one per day in a direct-mapped cache:
/// sorted times cost two comparisons, random ones a division more.
struct Buckets<'a> {
    rule: &'a BucketRule,
    current: Bucket,
    /// Where days of the cache begin, so that they are those of the zone but for daylight saving.
    phase_us: i64,
    /// A power of two of slots; empty until the second bucket is needed.
    slots: Vec<Bucket>,
    n_slots: usize,
}

/// Holds no instant.
const NO_BUCKET: Bucket = Bucket { start_us: i64::MAX, end_us: i64::MIN };

impl<'a> Buckets<'a> {
    fn new(rule: &'a BucketRule, n_rows: usize) -> Self {
        let n_slots = (n_rows / 8).clamp(16, 1_024).next_power_of_two();
        Buckets { rule, current: NO_BUCKET, phase_us: 0, slots: Vec::new(), n_slots }
    }

    #[inline]
    fn start_of(&mut self, instant_us: i64) -> i64 {
        if !self.current.contains(instant_us) {
            self.current = self.look_up(instant_us);
        }
        self.current.start_us
    }

    fn look_up(&mut self, instant_us: i64) -> Bucket {
        if self.current == NO_BUCKET {
            let first = self.rule.bucket_at(instant_us);
            self.phase_us = first.start_us;
            return first;
        }
        if self.slots.is_empty() {
            self.slots = vec![NO_BUCKET; self.n_slots];
        }
        let day = instant_us.wrapping_sub(self.phase_us).div_euclid(MICROS_PER_DAY);
        let slot = &mut self.slots[day as usize & (self.n_slots - 1)];
        if !slot.contains(instant_us) {
            *slot = self.rule.bucket_at(instant_us);
        }
        *slot
    }
}
