//! Functions of instants and dates.

use metricc_ir::{Calendar, CalendarUnit, Func, Kind, Part, Value};

use super::harness::{NONE, apply, at, check, date, int};

const MOMENT: [Kind; 1] = [Kind::Timestamp];
const HOUR_US: i64 = 3_600_000_000;

fn in_zone(unit: CalendarUnit, zone: &str) -> Func {
    Func::TruncateIn(unit, Calendar { zone: zone.to_owned(), week_start: 1 })
}

fn part(part: Part, zone: &str) -> Func {
    Func::Part(part, zone.to_owned())
}

#[test]
fn c51_an_hour_bucket_over_a_fold_never_begins_after_the_event() {
    check(
        &Func::TruncateTo(HOUR_US),
        &MOMENT,
        &Kind::Timestamp,
        &[
            (&[at("2024-11-03T05:30:00Z")], at("2024-11-03T05:00:00Z")),
            (&[at("2024-11-03T06:30:00Z")], at("2024-11-03T06:00:00Z")),
        ],
    );
    check(
        &part(Part::Hour, "America/New_York"),
        &MOMENT,
        &Kind::Int,
        &[
            (&[at("2024-11-03T05:30:00Z")], int(1)),
            (&[at("2024-11-03T06:30:00Z")], int(1)),
            (&[at("2024-11-03T07:30:00Z")], int(2)),
            (&[NONE], NONE),
        ],
    );
}

#[test]
fn c52_days_begin_with_the_first_instant_of_their_date() {
    check(
        &in_zone(CalendarUnit::Day, "America/Sao_Paulo"),
        &MOMENT,
        &Kind::Timestamp,
        &[
            (&[at("2018-11-04T12:00:00Z")], at("2018-11-04T03:00:00Z")),
            (&[at("2018-11-04T02:59:59Z")], at("2018-11-03T03:00:00Z")),
        ],
    );
    check(
        &in_zone(CalendarUnit::Day, "Pacific/Apia"),
        &MOMENT,
        &Kind::Timestamp,
        &[
            (&[at("2011-12-30T09:59:59Z")], at("2011-12-29T10:00:00Z")),
            (&[at("2011-12-30T10:00:00Z")], at("2011-12-30T10:00:00Z")),
        ],
    );
    check(
        &in_zone(CalendarUnit::Day, "Australia/Lord_Howe"),
        &MOMENT,
        &Kind::Timestamp,
        &[
            (&[at("2024-04-07T13:29:59Z")], at("2024-04-06T13:00:00Z")),
            (&[at("2024-04-07T13:30:00Z")], at("2024-04-07T13:30:00Z")),
        ],
    );
    check(
        &Func::DateIn("Pacific/Apia".to_owned()),
        &MOMENT,
        &Kind::Date,
        &[
            (&[at("2011-12-30T09:59:59Z")], date("2011-12-29")),
            (&[at("2011-12-30T10:00:00Z")], date("2011-12-31")),
            (&[NONE], NONE),
        ],
    );
}

#[test]
fn c54_weeks_are_numbered_by_iso_8601() {
    check(
        &part(Part::Week, "UTC"),
        &[Kind::Date],
        &Kind::Int,
        &[
            (&[date("2021-01-03")], int(53)),
            (&[date("2021-01-04")], int(1)),
            (&[date("2018-12-31")], int(1)),
            (&[NONE], NONE),
        ],
    );
}

#[test]
fn c55_weeks_come_from_a_calendar() {
    for (week_start, expected) in [(1, "2024-01-01T00:00:00Z"), (7, "2024-01-07T00:00:00Z")] {
        let func = Func::TruncateIn(CalendarUnit::Week, Calendar { zone: "UTC".to_owned(), week_start });
        check(&func, &MOMENT, &Kind::Timestamp, &[(&[at("2024-01-07T12:00:00Z")], at(expected))]);
    }
}

#[test]
fn c56_truncation_floors_before_1970() {
    check(
        &Func::TruncateTo(HOUR_US),
        &MOMENT,
        &Kind::Timestamp,
        &[
            (&[Value::Timestamp(-1)], Value::Timestamp(-HOUR_US)),
            (&[Value::Timestamp(-HOUR_US)], Value::Timestamp(-HOUR_US)),
            (&[Value::Timestamp(-HOUR_US - 1)], Value::Timestamp(-2 * HOUR_US)),
            (&[Value::Timestamp(0)], Value::Timestamp(0)),
            (&[NONE], NONE),
        ],
    );
    for (of, expected) in
        [(Part::Second, 59), (Part::Minute, 59), (Part::Hour, 23), (Part::Day, 31), (Part::Year, 1969)]
    {
        check(&part(of, "UTC"), &MOMENT, &Kind::Int, &[(&[Value::Timestamp(-1)], int(expected))]);
    }
}

#[test]
fn the_ends_of_time_saturate() {
    check(
        &Func::TruncateTo(7),
        &MOMENT,
        &Kind::Timestamp,
        &[
            (&[Value::Timestamp(i64::MAX)], Value::Timestamp(i64::MAX)),
            (&[Value::Timestamp(i64::MIN)], Value::Timestamp(i64::MIN)),
            (&[Value::Timestamp(0)], Value::Timestamp(0)),
            (&[Value::Timestamp(i64::MIN + 7)], Value::Timestamp(i64::MIN + 1)),
        ],
    );
    let ends = [i64::MIN, i64::MAX, 0].map(|us| vec![Value::Timestamp(us)]);
    for unit in [CalendarUnit::Day, CalendarUnit::Week, CalendarUnit::Year] {
        let starts = apply(&in_zone(unit, "America/New_York"), &MOMENT, &Kind::Timestamp, &ends);
        for (start, at) in starts.iter().zip([i64::MIN, i64::MAX, 0]) {
            assert!(matches!(start, Value::Timestamp(start) if *start <= at), "{unit:?} {start:?} {at}");
        }
    }
    apply(&Func::DateIn("Asia/Kolkata".to_owned()), &MOMENT, &Kind::Date, &ends);
    apply(&part(Part::Week, "Asia/Kolkata"), &MOMENT, &Kind::Int, &ends);
}

#[test]
fn c58_months_quarters_and_years_have_their_own_lengths() {
    let expected = [
        (CalendarUnit::Month, "2024-01-31T18:30:00Z"),
        (CalendarUnit::Quarter, "2023-12-31T18:30:00Z"),
        (CalendarUnit::Year, "2023-12-31T18:30:00Z"),
        (CalendarUnit::Week, "2024-02-25T18:30:00Z"),
        (CalendarUnit::Day, "2024-02-28T18:30:00Z"),
    ];
    for (unit, start) in expected {
        check(
            &in_zone(unit, "Asia/Kolkata"),
            &MOMENT,
            &Kind::Timestamp,
            &[(&[at("2024-02-29T00:00:00Z")], at(start))],
        );
    }
}

#[test]
fn c60b_the_two_occurrences_of_an_hour_stay_two() {
    check(
        &Func::TruncateTo(HOUR_US),
        &MOMENT,
        &Kind::Timestamp,
        &[
            (&[at("2024-11-03T05:00:00Z")], at("2024-11-03T05:00:00Z")),
            (&[at("2024-11-03T06:00:00Z")], at("2024-11-03T06:00:00Z")),
        ],
    );
}

#[test]
fn parts_of_an_instant_are_local_and_those_of_a_date_ignore_the_zone() {
    let expected = [
        (Part::Year, 2024, 2024),
        (Part::Quarter, 2, 1),
        (Part::Month, 4, 3),
        (Part::Week, 14, 13),
        (Part::IsoYear, 2024, 2024),
        (Part::Day, 1, 31),
        (Part::Hour, 4, 0),
        (Part::Minute, 29, 0),
        (Part::Second, 7, 0),
        (Part::Weekday, 1, 7),
    ];
    for (of, of_instant, of_date) in expected {
        let func = part(of, "Asia/Kolkata");
        check(&func, &MOMENT, &Kind::Int, &[(&[at("2024-03-31T22:59:07.999999Z")], int(of_instant))]);
        check(&func, &[Kind::Date], &Kind::Int, &[(&[date("2024-03-31")], int(of_date))]);
    }
}

#[test]
fn periods_are_numbered_from_that_of_the_epoch_on() {
    let weeks = |week_start| {
        Func::PeriodIn(CalendarUnit::Week, Calendar { zone: "Asia/Kolkata".to_owned(), week_start })
    };
    // Sunday in India.
    let sunday = || at("2025-12-27T18:30:00Z");
    check(&weeks(1), &MOMENT, &Kind::Int, &[(&[sunday()], int(2921)), (&[NONE], NONE)]);
    check(
        &weeks(7),
        &MOMENT,
        &Kind::Int,
        &[(&[sunday()], int(2922)), (&[at("1970-01-01T00:00:00Z")], int(0))],
    );
    check(&weeks(7), &[Kind::Date], &Kind::Int, &[(&[date("2025-12-28")], int(2922)), (&[NONE], NONE)]);
    check(
        &Func::PeriodTo(HOUR_US),
        &MOMENT,
        &Kind::Int,
        &[(&[at("1970-01-01T01:59:59Z")], int(1)), (&[Value::Timestamp(-1)], int(-1)), (&[NONE], NONE)],
    );
    check(
        &Func::PeriodTo(36 * HOUR_US),
        &[Kind::Date],
        &Kind::Int,
        &[(&[date("1970-01-04")], int(2)), (&[date("1969-12-31")], int(-1))],
    );
}
