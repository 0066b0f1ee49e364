use jiff::Timestamp;
use proptest::prelude::*;

use super::*;

fn zone(name: &str) -> ZoneRules {
    ZoneRules::named(name).unwrap()
}

fn utc(text: &str) -> i64 {
    text.parse::<Timestamp>().unwrap().as_microsecond()
}

#[test]
fn c16_an_offset_is_honoured_and_its_absence_needs_a_zone() {
    for text in [
        "2024-01-01 00:00:00+01",
        "2024-01-01T00:00:00+0100",
        "2024-01-01T00:00:00.000+01:00",
        "2023-12-31T23:00:00Z",
        "2023-12-31T18:30-04:30",
    ] {
        assert_eq!(parse(text, None), Ok(utc("2023-12-31T23:00:00Z")), "{text}");
        assert_eq!(parse(text, Some(&zone("Asia/Kolkata"))), Ok(utc("2023-12-31T23:00:00Z")), "{text}");
    }
    assert_eq!(parse("2024-01-01 00:00:00", None), Err(TimeProblem::NoOffset));
    assert_eq!(parse("2024-01-01 00:00:00", Some(&zone("Asia/Kolkata"))), Ok(utc("2023-12-31T18:30:00Z")));
}

#[test]
fn c17_a_leap_second_is_refused() {
    assert_eq!(parse("2016-12-31T23:59:60Z", None), Err(TimeProblem::NoSuchTime));
}

#[test]
fn c18_seconds_may_be_missing_and_hour_24_is_the_end_of_the_day() {
    assert_eq!(parse("2024-01-01T00:00Z", None), Ok(utc("2024-01-01T00:00:00Z")));
    for text in ["2024-01-01T24:00:00Z", "2024-01-01T24:00Z", "20240101T240000.000Z"] {
        assert_eq!(parse(text, None), Ok(utc("2024-01-02T00:00:00Z")), "{text}");
    }
    for text in
        ["2024-01-01T24:00:01Z", "2024-01-01T24:01Z", "2024-01-01T24:00:00.000001Z", "2024-01-01T25:00Z"]
    {
        assert_eq!(parse(text, None), Err(TimeProblem::NoSuchTime), "{text}");
    }
    assert_eq!(parse("9999-12-31T24:00Z", None), Err(TimeProblem::OutOfRange));
    assert_eq!(parse("2024-01-01T00:00.5Z", None), Err(TimeProblem::NotATimestamp));
}

#[test]
fn c19_the_years_are_0001_to_9999() {
    assert_eq!(parse("9999-12-31T23:59:59.999999Z", None), Ok(MAX));
    assert_eq!(parse("0001-01-01T00:00:00Z", None), Ok(MIN));
    assert_eq!(parse("9999-12-31T23:59:59-01:00", None), Err(TimeProblem::OutOfRange));
    assert_eq!(parse("0001-01-01T00:00:00+01:00", None), Err(TimeProblem::OutOfRange));
    assert_eq!(parse("0000-12-31T00:00:00Z", None), Err(TimeProblem::OutOfRange));
    assert_eq!((parse_date("0001-01-01"), parse_date("9999-12-31")), (Ok(MIN_DAY), Ok(MAX_DAY)));
    assert_eq!(from_unit(253_402_300_800, TimeUnit::Second), Err(TimeProblem::OutOfRange));
    assert_eq!(from_unit(i64::MAX, TimeUnit::Millisecond), Err(TimeProblem::OutOfRange));
}

#[test]
fn c20_digits_beyond_the_microsecond_are_floored_and_refused_in_a_literal() {
    assert_eq!(parse("1970-01-01T00:00:00.1234560000Z", None), Ok(123_456));
    assert_eq!(parse("1970-01-01T00:00:00.1234567Z", None), Ok(123_456));
    assert_eq!(parse("1969-12-31T23:59:59.999999999Z", None), Ok(-1));
    assert_eq!(parse_exact("1970-01-01T00:00:00.1234560Z"), Ok(123_456));
    assert_eq!(parse_exact("1970-01-01T00:00:00.1234567Z"), Err(TimeProblem::BeyondMicroseconds));
    assert_eq!(parse("1970-01-01T00:00:00.1Z", None), Ok(100_000));
    assert_eq!(parse("1970-01-01T00:00:00.Z", None), Err(TimeProblem::NotATimestamp));
}

#[test]
fn c21_nanoseconds_are_floored() {
    assert_eq!(from_unit(-1, TimeUnit::Nanosecond), Ok(-1));
    assert_eq!(from_unit(-1000, TimeUnit::Nanosecond), Ok(-1));
    assert_eq!(from_unit(999, TimeUnit::Nanosecond), Ok(0));
}

#[test]
fn one_instant_has_many_texts() {
    for text in [
        "2026-01-30T15:34:06.123Z",
        "2026-01-30t15:34:06.123z",
        "2026-01-30 15:34:06.123 UTC",
        "2026-01-30 15:34:06.123GMT",
        "2026-01-30 15:34:06.123 +0000",
        "2026-01-30 15:34:06.123 Z",
        "2026-01-30T15:34:06,123Z",
        "20260130T153406.123Z",
        "20260130T210406,123+0530",
        "2026-01-30T15:34:06.123Z[UTC]",
        "2026-01-30T21:04:06.123+05:30[Asia/Kolkata]",
        "2026-01-30T15:34:06.123-00:00",
        "2026-01-30T15:34:06.123+00:00:00",
        "2026-01-30T15:24:46.123-00:09:20",
        "\t2026-01-30T15:34:06.123Z ",
    ] {
        assert_eq!(parse(text, None), Ok(utc("2026-01-30T15:34:06.123Z")), "{text}");
    }
}

#[test]
fn a_date_is_its_midnight_where_a_zone_is_known() {
    assert_eq!(parse("2024-01-01", None), Err(TimeProblem::NoOffset));
    assert_eq!(parse("2024-01-01", Some(&zone("Asia/Kolkata"))), Ok(utc("2023-12-31T18:30:00Z")));
    assert_eq!(parse("2018-11-04", Some(&zone("America/Sao_Paulo"))), Ok(utc("2018-11-04T03:00:00Z")));
    // Digits alone may be a number of something.
    assert_eq!(parse("20240101", Some(&zone("UTC"))), Err(TimeProblem::NotATimestamp));
    assert_eq!(parse_date("20240101"), parse_date(" 2024-01-01 "));
}

#[test]
fn what_is_no_timestamp_is_refused() {
    for text in [
        "",
        "2024",
        "2024-01-01T",
        "2024-01-01Z",
        "2024-1-1T00:00Z",
        "2024-01-01T0:00Z",
        "24-01-01T00:00Z",
        "2024-01-01T00:00+1",
        "2024-01-01T00:00+01:0",
        "+2024-01-01T00:00Z",
        "2024-01-0é",
        "2024-01-01T0000Z",
        "20240101T00:00Z",
        "20240101 ",
        "2024-01-01T00:00[UTC]",
        "2024-01-01T00:00Z[]",
        "2024-01-01T00:00Z[U TC]",
        "2024-01-01T00:00  Z",
        "2024-01-01T00:00 CEST",
        "2024-01-01T00:00UTC+1",
        "2024-01-01T00:00+0100:00",
        "+12024-01-01T00:00Z",
        "Fri, 30 Jan 2026 15:34:06 GMT",
        "1704067200",
        "２024-01-01T00:00Z",
    ] {
        assert_eq!(parse(text, None), Err(TimeProblem::NotATimestamp), "{text}");
    }
    for text in ["2023-02-29", "1900-02-29", "2024-13-01", "2024-00-01", "2024-04-31", "2024-01-00"] {
        assert_eq!(parse_date(text), Err(TimeProblem::NoSuchTime), "{text}");
        assert_eq!(parse(&format!("{text}T00:00Z"), None), Err(TimeProblem::NoSuchTime), "{text}");
    }
    for text in ["2024-01-01T00:60Z", "2024-01-01T00:00+24:00", "2024-01-01T00:00+00:60"] {
        assert_eq!(parse(text, None), Err(TimeProblem::NoSuchTime), "{text}");
    }
}

#[test]
fn a_local_time_in_a_gap_is_the_first_instant_behind_it() {
    let new_york = zone("America/New_York");
    for text in ["2024-03-10T02:00", "2024-03-10T02:30", "2024-03-10T02:59:59.999999"] {
        assert_eq!(parse(text, Some(&new_york)), Ok(utc("2024-03-10T07:00:00Z")), "{text}");
    }
    assert_eq!(parse("2024-03-10T01:59:59", Some(&new_york)), Ok(utc("2024-03-10T06:59:59Z")));
    assert_eq!(parse("2024-03-10T03:00", Some(&new_york)), Ok(utc("2024-03-10T07:00:00Z")));
    // A gap of a whole day, one at midnight, and one far in the rule-based future.
    assert_eq!(parse("2011-12-30T12:00", Some(&zone("Pacific/Apia"))), Ok(utc("2011-12-30T10:00:00Z")));
    assert_eq!(parse("2018-11-04T00:00", Some(&zone("America/Sao_Paulo"))), Ok(utc("2018-11-04T03:00:00Z")));
    assert_eq!(parse("2500-03-14T02:30", Some(&new_york)), Ok(utc("2500-03-14T07:00:00Z")));
}

#[test]
fn a_local_time_that_comes_twice_is_the_earlier_instant() {
    assert_eq!(parse("2024-11-03T01:30", Some(&zone("America/New_York"))), Ok(utc("2024-11-03T05:30:00Z")));
    assert_eq!(
        parse("2024-04-07T01:45", Some(&zone("Australia/Lord_Howe"))),
        Ok(utc("2024-04-06T14:45:00Z"))
    );
}

proptest! {
    #[test]
    fn every_instant_reads_as_itself(instant in MIN..=MAX) {
        let text = Timestamp::from_microsecond(instant).unwrap().to_string();
        prop_assert_eq!(parse(&text, None), Ok(instant));
        prop_assert_eq!(parse_date(&text[..10]), Ok(i32::try_from(instant.div_euclid(DAY)).unwrap()));
    }

    #[test]
    fn a_local_time_is_the_first_instant_at_or_after_it(
        instant in utc("1900-01-01T00:00:00Z")..utc("2100-01-01T00:00:00Z"),
        name in proptest::sample::select(vec!["America/New_York", "Pacific/Apia", "Africa/Monrovia", "Europe/Dublin"]),
    ) {
        let zone = zone(name);
        let local = |instant: i64| {
            let timestamp = Timestamp::from_microsecond(instant).unwrap();
            instant + i64::from(jiff::tz::TimeZone::get(zone.name()).unwrap().to_offset(timestamp).seconds()) * SECOND
        };
        let wanted = local(instant);
        let found = from_local(wanted, &zone).unwrap();
        prop_assert!(found <= instant);
        prop_assert_eq!(local(found), wanted);
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in "[-+0-9T:.Z ]{0,40}|\\PC{0,30}") {
        let _ = (parse(&text, None), parse(&text, Some(&zone("UTC"))), parse_date(&text));
    }
}
