use jiff::Timestamp;
use jiff::fmt::strtime;
use proptest::prelude::*;

use super::*;

fn utc(text: &str) -> i64 {
    text.parse::<Timestamp>().unwrap().as_microsecond()
}

fn instants(format: &str) -> TimeFormat {
    TimeFormat::compile(format, FormatPurpose::Instants).unwrap()
}

fn local(format: &str, text: &str) -> Result<i64, TimeProblem> {
    let format = TimeFormat::compile(format, FormatPurpose::LocalTimes).unwrap();
    format.instant(text, ZoneRules::named("UTC").as_ref())
}

fn problem(format: &str, reads: FormatPurpose) -> String {
    TimeFormat::compile(format, reads).unwrap_err().problem
}

#[test]
fn formats_of_files_that_people_have() {
    for (format, text, wanted) in [
        ("%b %d %Y", "Jan 1 2000", "2000-01-01T00:00:00Z"),
        ("%Y/%m/%d %H:%M", "2010/01/01 00:00", "2010-01-01T00:00:00Z"),
        ("%d.%m.%Y %H:%M", "30.01.2026 15:34", "2026-01-30T15:34:00Z"),
        ("%m/%d/%Y %I:%M:%S %p", "1/30/2026 03:34:06 pm", "2026-01-30T15:34:06Z"),
        ("%d %B %Y, %l:%M%P", "30 January 2026,  3:34AM", "2026-01-30T03:34:00Z"),
        ("%d-%b-%y %H.%M.%S.%f", "30-JAN-26 15.34.06.123456789", "2026-01-30T15:34:06.123456Z"),
        ("%Y%j%H%M%S%.f", "2026030153406.5", "2026-01-30T15:34:06.5Z"),
        ("%Y%j%H%M%S%.f", "2026030153406", "2026-01-30T15:34:06Z"),
        ("%y%m%d", "690101", "1969-01-01T00:00:00Z"),
        ("%y%m%d", "681231", "2068-12-31T00:00:00Z"),
        ("%a %b %e %T %Z %Y", "Fri Jan 30 15:34:06 UTC 2026", "2026-01-30T15:34:06Z"),
        ("%a, %d %b %Y %T %Z", "Fri, 30 Jan 2026 15:34:06 GMT", "2026-01-30T15:34:06Z"),
        ("%d/%b/%Y:%T %z", "30/Jan/2026:21:04:06 +0530", "2026-01-30T15:34:06Z"),
        ("am %F um %R Uhr 100%%", "am 2026-01-30 um 24:00 Uhr 100%", "2026-01-31T00:00:00Z"),
        ("%Y年%m月%d日", "2026年1月30日", "2026-01-30T00:00:00Z"),
        ("%I %p %D", "12 AM 01/30/26", "2026-01-30T00:00:00Z"),
    ] {
        assert_eq!(local(format, text), Ok(utc(wanted)), "{format}: {text}");
    }
}

#[test]
fn what_is_not_of_the_format_is_refused() {
    for (format, text) in [
        ("%Y-%m-%d", "2026-01-30T"),
        ("%Y-%m-%d", "2026-01"),
        ("%Y-%m-%d", "26-01-30"),
        ("%Y%m%d", "2026130"),
        ("%d.%m.%Y", "030.01.2026"),
        ("%d.%m.%Y", " 3.01.2026"),
        ("%b %d %Y", "Jun3 2026"),
        ("%b %d %Y", "Foo 3 2026"),
        ("%F %I %p", "2026-01-30 3 xm"),
        ("%F %T%.f", "2026-01-30 15:34:06."),
        ("%F %R %Z", "2026-01-30 15:34 CEST"),
        ("%F", "２026-01-30"),
    ] {
        assert_eq!(local(format, text), Err(TimeProblem::NotOfFormat), "{format}: {text}");
    }
    for (format, text) in [
        ("%d.%m.%Y", "29.02.2025"),
        ("%d.%m.%Y", "1.13.2025"),
        ("%Y%j", "2025366"),
        ("%Y%j", "2025000"),
        ("%F %I %p", "2026-01-30 13 PM"),
        ("%F %I %p", "2026-01-30 0 AM"),
        ("%F %R", "2026-01-30 24:01"),
        ("%F %T", "2016-12-31 23:59:60"),
        ("%a %F", "Mon 2026-01-30"),
    ] {
        assert_eq!(local(format, text), Err(TimeProblem::NoSuchTime), "{format}: {text}");
    }
}

#[test]
fn a_date_keeps_no_time_of_day() {
    let format = TimeFormat::compile("%Y/%m/%d %H:%M", FormatPurpose::Dates).unwrap();
    assert_eq!(format.date("1970/01/02 00:00"), Ok(1));
    assert_eq!(format.date("1970/01/02 00:01"), Err(TimeProblem::TimeOfDay));
}

#[test]
fn a_format_says_each_part_once_and_all_that_is_needed() {
    for (format, wanted) in [
        ("%d.%m.%Y %d", "a day is given twice: `%d` and `%d`"),
        ("%F %b", "a month is given twice: `%m` and `%b`"),
        ("%F %T %H", "an hour is given twice: `%H` and `%H`"),
        ("%Y %j %m", "a month and a day of the year"),
        ("%m-%d", "the year is missing"),
        ("%Y-%d", "the month is missing"),
        ("%Y-%m", "the day is missing"),
        ("%F %I:%M", "the half of the day is missing"),
        ("%F %H %p", "`%p` without an hour from 1 to 12"),
        ("%F %M", "the hour is missing"),
        ("%F %H %S", "the minute is missing"),
        ("%F %H:%M.%f", "the second is missing"),
        ("%F %T.%f%z%Z", "an offset is given twice: `%z` and `%Z`"),
        ("%F %q", "`%q` is not a directive"),
        ("%F %", "`%` is not a directive"),
        ("%-d.%m.%Y", "`%-d` is not a directive"),
        ("%s", "`%s` is not a directive"),
        ("%F %H:%M:%S.%f%j", "a day is given twice: `%d` and `%j`"),
        ("%T.%f%Y%m%d", "digits follow `%f`, which has no fixed width"),
        ("", "the year is missing"),
    ] {
        assert_eq!(problem(format, FormatPurpose::LocalTimes), wanted, "{format}");
    }
    assert_eq!(problem(&"%".repeat(201), FormatPurpose::Dates), "more than 200 bytes");
    assert_eq!(
        problem("%F %T", FormatPurpose::Instants),
        "its times have no offset, and the field has no `zone`"
    );
    assert_eq!(problem("%F%z", FormatPurpose::Dates), "an offset in a date");
    assert_eq!(instants("%F %T %z").example(), "2026-04-25 16:05:09 +0000");
}

proptest! {
    #[test]
    fn instants_are_read_as_jiff_writes_them(
        seconds in utc("0001-01-02T00:00:00Z") / 1_000_000..utc("9999-12-30T00:00:00Z") / 1_000_000,
        format in proptest::sample::select(vec![
            "%Y-%m-%d %H:%M:%S %z", "%d.%m.%Y %H.%M.%S %z", "%b %e %Y %I:%M:%S %p %z", "%A, %d %B %Y %T %z",
            "%Y%m%d%H%M%S%z", "%Y-%j %k:%M:%S %:z", "%m/%d/%Y %l:%M:%S%P %z",
        ]),
    ) {
        let zoned = Timestamp::from_second(seconds).unwrap().to_zoned(jiff::tz::TimeZone::UTC);
        let text = strtime::format(format, &zoned).unwrap();
        prop_assert_eq!(instants(format).instant(&text, None), Ok(seconds * 1_000_000), "{}", text);
    }

    #[test]
    fn neither_formats_nor_texts_make_it_panic(format in "(%[a-zA-Z:.]|[-/ :.0]|\\PC){0,12}", text in "\\PC{0,30}") {
        for reads in [FormatPurpose::Dates, FormatPurpose::Instants, FormatPurpose::LocalTimes] {
            if let Ok(format) = TimeFormat::compile(&format, reads) {
                let _ = (format.date(&text), format.instant(&text, None), format.example());
            }
        }
    }
}
