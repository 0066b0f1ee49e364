use jiff::civil;

use super::*;

fn at(text: &str) -> i64 {
    text.parse::<Timestamp>().expect("an instant").as_microsecond()
}

fn calendar(zone: &str) -> Calendar {
    Calendar { zone: zone.to_owned(), week_start: 1 }
}

fn bucket_text(text: &str, unit: CalendarUnit, zone_name: &str) -> (String, String) {
    let (start, end) = bucket(at(text), unit, &calendar(zone_name));
    (local_text(start, &zone(zone_name)), local_text(end, &zone(zone_name)))
}

#[test]
fn dates_agree_with_a_library_over_a_thousand_years() {
    let epoch = civil::date(1970, 1, 1);
    for days in (-400_000..400_000).step_by(97) {
        let expected = epoch + jiff::Span::new().days(days);
        let date = date_of(days);
        let found = (date.year, date.month, date.day);
        assert_eq!(found, (expected.year().into(), expected.month().into(), expected.day().into()));
        assert_eq!(days_to(date), days);
        assert_eq!(weekday(days), i64::from(expected.weekday().to_monday_one_offset()));
        assert_eq!(iso_week(days), i64::from(expected.iso_week_date().week()));
    }
}

#[test]
fn a_day_starts_where_a_library_says_it_starts() {
    let zones =
        ["America/New_York", "America/Sao_Paulo", "Pacific/Apia", "Australia/Lord_Howe", "America/St_Johns"];
    for name in zones {
        for days in (5_000..19_000).step_by(7) {
            let date = date_of(days);
            let day = civil::date(date.year as i16, date.month as i8, date.day as i8);
            let start = day.to_zoned(zone(name)).expect("a day").timestamp().as_microsecond();
            assert_eq!(first_instant(days, &zone(name)), start, "{name} {day}");
        }
    }
}

#[test]
fn c52_a_skipped_day_has_no_bucket() {
    let (start, end) = bucket_text("2011-12-30T09:59:59Z", CalendarUnit::Day, "Pacific/Apia");
    assert_eq!((start.as_str(), end.as_str()), ("2011-12-29T00:00:00-10:00", "2011-12-31T00:00:00+14:00"));
    let (start, end) = bucket_text("2011-12-30T10:00:00Z", CalendarUnit::Day, "Pacific/Apia");
    assert_eq!((start.as_str(), end.as_str()), ("2011-12-31T00:00:00+14:00", "2012-01-01T00:00:00+14:00"));
}

#[test]
fn c52_a_day_without_midnight_starts_at_one() {
    let (start, _) = bucket_text("2018-11-04T12:00:00Z", CalendarUnit::Day, "America/Sao_Paulo");
    assert_eq!(start, "2018-11-04T01:00:00-02:00");
}

#[test]
fn c51_the_day_of_a_fold_is_25_hours_long() {
    let (start, end) = bucket(at("2024-11-03T05:30:00Z"), CalendarUnit::Day, &calendar("America/New_York"));
    assert_eq!(end - start, 25 * 3_600 * SECOND);
}

#[test]
fn c60c_buckets_neither_overlap_nor_leave_gaps_where_midnight_repeats() {
    let zone_name = "America/St_Johns"; // At 00:01 on 2006-10-29 clocks went back to 23:01 of the 28th.
    let zone = zone(zone_name);
    let start = first_instant(days_to(Day { year: 2006, month: 10, day: 29 }), &zone);
    let repeated = start + 1_800 * SECOND;
    assert_eq!(date_text(local_days(repeated, &zone)), "2006-10-28");
    let (from, to) = bucket(repeated, CalendarUnit::Day, &calendar(zone_name));
    assert_eq!(from, start);
    assert_eq!(bucket(start - 1, CalendarUnit::Day, &calendar(zone_name)).1, start);
    assert_eq!(bucket(to, CalendarUnit::Day, &calendar(zone_name)).0, to);
}

#[test]
fn c54_the_week_of_new_year_belongs_to_the_old_year() {
    assert_eq!(part_of_instant(Part::Week, at("2021-01-03T12:00:00Z"), &zone("UTC")), 53);
}

#[test]
fn c55_weeks_start_on_the_day_the_calendar_names() {
    let sunday = Calendar { zone: "UTC".to_owned(), week_start: 7 };
    let (start, _) = bucket(at("2024-01-06T23:00:00Z"), CalendarUnit::Week, &sunday);
    assert_eq!(utc_text(start), "2023-12-31T00:00:00Z");
    let (start, _) = bucket(at("2024-01-06T23:00:00Z"), CalendarUnit::Week, &calendar("UTC"));
    assert_eq!(utc_text(start), "2024-01-01T00:00:00Z");
}

#[test]
fn c58_months_quarters_and_years_follow_the_calendar() {
    let (start, end) = bucket_text("2024-02-29T23:59:59Z", CalendarUnit::Month, "UTC");
    assert_eq!((start.as_str(), end.as_str()), ("2024-02-01T00:00:00+00:00", "2024-03-01T00:00:00+00:00"));
    let (start, end) = bucket_text("2024-05-15T00:00:00Z", CalendarUnit::Quarter, "Asia/Kolkata");
    assert_eq!((start.as_str(), end.as_str()), ("2024-04-01T00:00:00+05:30", "2024-07-01T00:00:00+05:30"));
    let (start, end) = bucket_text("2023-12-31T20:00:00Z", CalendarUnit::Year, "Asia/Kolkata");
    assert_eq!((start.as_str(), end.as_str()), ("2024-01-01T00:00:00+05:30", "2025-01-01T00:00:00+05:30"));
}

#[test]
fn offsets_with_seconds_are_written_in_utc() {
    let (start, _) = bucket_text("1850-06-01T12:00:00Z", CalendarUnit::Day, "America/New_York");
    assert_eq!(start, "1850-06-01T04:56:02Z");
}

#[test]
fn fractions_are_as_long_as_they_need_to_be() {
    assert_eq!(utc_text(-1), "1969-12-31T23:59:59.999999Z");
    assert_eq!(utc_text(500_000), "1970-01-01T00:00:00.5Z");
    assert_eq!(utc_text(0), "1970-01-01T00:00:00Z");
}

#[test]
fn c60b_the_repeated_hour_has_two_instants_and_one_local_hour() {
    let zone = zone("America/New_York");
    let (first, second) = (at("2024-11-03T05:30:00Z"), at("2024-11-03T06:30:00Z"));
    assert_eq!(part_of_instant(Part::Hour, first, &zone), 1);
    assert_eq!(part_of_instant(Part::Hour, second, &zone), 1);
    assert_eq!(local_text(first, &zone), "2024-11-03T01:30:00-04:00");
    assert_eq!(local_text(second, &zone), "2024-11-03T01:30:00-05:00");
}
