//! Functions of instants and dates.

use metricc_ir::Func;
use num_bigint::BigInt;

use super::civil;
use super::datum::Datum;

/// Applies a function of a timestamp or a date.
pub(super) fn call(func: &Func, value: &Datum) -> Datum {
    match (func, value) {
        (Func::Part(part, zone), Datum::Timestamp(micros)) => {
            Datum::Int(BigInt::from(civil::part_of_instant(*part, *micros, &civil::zone(zone))))
        }
        (Func::Part(part, _), Datum::Date(days)) => Datum::Int(BigInt::from(civil::part_of(*part, *days, 0))),
        (Func::DateIn(zone), Datum::Timestamp(micros)) => {
            Datum::Date(civil::local_days(*micros, &civil::zone(zone)))
        }
        (Func::TruncateTo(width), Datum::Timestamp(micros)) => Datum::Timestamp(floor_to(*micros, *width)),
        (Func::TruncateIn(unit, calendar), Datum::Timestamp(micros)) => {
            Datum::Timestamp(civil::bucket(*micros, *unit, calendar).0)
        }
        (Func::PeriodTo(width), Datum::Timestamp(micros)) => {
            Datum::Int(BigInt::from(floor_to(*micros, *width) / width))
        }
        (Func::PeriodTo(width), Datum::Date(days)) => {
            let micros = i128::from(*days) * 86_400_000_000;
            let micros = micros.clamp(i128::from(i64::MIN), i128::from(i64::MAX));
            Datum::Int(BigInt::from(micros.div_euclid(i128::from(*width))))
        }
        (Func::PeriodIn(unit, calendar), Datum::Timestamp(micros)) => {
            Datum::Int(BigInt::from(civil::number_of_bucket(*micros, *unit, calendar)))
        }
        (Func::PeriodIn(unit, calendar), Datum::Date(days)) => {
            Datum::Int(BigInt::from(civil::number_of_day(*days, *unit, calendar.week_start)))
        }
        (func, value) => panic!("{func:?} is not defined on {value:?}"),
    }
}

/// The greatest multiple of `width` that is not after `micros`.
pub(super) fn floor_to(micros: i64, width: i64) -> i64 {
    micros - micros.rem_euclid(width)
}
