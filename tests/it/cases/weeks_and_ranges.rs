//! Weeks and their years, and ranges of dates in a zone.

use metricc_ir::{Window, grain};
use metricc_runtime_serve::ReadOptions;

use super::{Case, file};
use crate::layers::{agreed, package};

const WEEKS: &str = "03-weeks-at-year-end";
const DST: &str = "04-quarter-week-dst";
const RANGE: &str = "34-range-of-dates-in-a-zone";
const COHORTS: &str = "38-weekly-cohorts";

/// How a metric of a case is read; an empty text is nothing.
fn reading(case: &Case, metric: &str, from: &str, to: &str, by: &str) -> ReadOptions {
    let window = window(case, metric);
    let calendars = &case.package.checked.package.calendars;
    let by = (!by.is_empty()).then(|| grain(by, &window, calendars).expect("a window"));
    let bound = |text: &str| (!text.is_empty()).then(|| text.parse().expect("a bound"));
    ReadOptions::of_range(&window, bound(from), bound(to), by)
}

fn window(case: &Case, metric: &str) -> Window {
    case.package.select(&[metric.to_owned()]).expect("the metric").wanted[0].row_type().window
}

#[test]
fn case_03_weeks_start_on_the_day_of_their_calendar() {
    let case = Case::new(WEEKS, "case.metric", "hits.ndjson");
    for metric in ["mon", "sun"] {
        case.assert_rows(metric, &ReadOptions::default(), "expected.weeks.json");
    }
    for by in ["week", "week in us", "week sunday", "week sunday in UTC"] {
        case.assert_rows("daily", &reading(&case, "daily", "", "", by), "expected.grain.json");
    }
    let monday = case.lines("daily", &reading(&case, "daily", "", "", "week in utc")).expect("rows");
    let weeks = case.lines("mon", &ReadOptions::default()).expect("rows");
    let weeks: Vec<String> = weeks.iter().map(|line| line.replace("\"mon\"", "\"daily\"")).collect();
    assert_eq!(monday, weeks);
}

#[test]
fn case_03_the_year_of_a_week_is_a_function_and_another_year_is_warned_of() {
    let case = Case::new(WEEKS, "isoyear.metric", "hits.ndjson");
    case.assert_rows("iso_weeks", &ReadOptions::default(), "expected.iso.json");
    assert!(case.package.checked.diagnostics.is_empty(), "{:?}", case.package.checked.diagnostics);
    let text = file(WEEKS, "isoweek.metric");
    let warnings = package(&text).checked.diagnostics;
    let codes: Vec<&str> = warnings.iter().map(|warning| warning.code.id()).collect();
    assert_eq!(codes, [metricc_dsl::Code::YearOfWeek.id()], "{warnings:?}");
}

#[test]
fn case_04_days_are_put_together_to_weeks_and_quarters_over_a_change_of_clocks() {
    let case = Case::new(DST, "case.metric", "hits.ndjson");
    for metric in ["weekly", "quarterly"] {
        case.assert_rows(metric, &ReadOptions::default(), "expected.direct.json");
    }
    case.assert_rows("daily", &reading(&case, "daily", "", "", "week"), "expected.dayw.json");
    case.assert_rows("daily", &reading(&case, "daily", "", "", "quarter"), "expected.dayq.json");
    for by in ["quarter in ny", "quarter in America/New_York"] {
        case.assert_rows("hourly", &reading(&case, "hourly", "", "", by), "expected.hourq.json");
    }
    // A week of the calendar starts on Sunday, one of a bare zone on Monday.
    let sundays = case.lines("hourly", &reading(&case, "hourly", "", "", "week in ny")).expect("rows");
    let of_days = case.lines("daily", &reading(&case, "daily", "", "", "week")).expect("rows");
    assert_eq!(sundays, of_days.iter().map(|row| row.replace("daily", "hourly")).collect::<Vec<_>>());
    let mondays = reading(&case, "hourly", "", "", "week in America/New_York");
    assert_ne!(sundays, case.lines("hourly", &mondays).expect("rows"));
    let refused = case.lines("weekly", &reading(&case, "weekly", "", "", "month"));
    let refused = refused.expect_err("weeks make no months").to_string();
    assert!(
        refused.contains("lies in two of") && refused.contains("`every day in America/New_York"),
        "{refused}"
    );
}

#[test]
fn case_34_dates_are_those_of_the_windows_that_are_read() {
    let case = Case::new(RANGE, "case.metric", "ev.ndjson");
    let april = |metric, by| reading(&case, metric, "2026-04-01", "2026-05-01", by);
    let one_day = reading(&case, "india_daily", "2026-04-10", "2026-04-11", "");
    case.assert_rows("india_daily", &one_day, "expected.oneday.json");
    case.assert_rows("india_daily", &april("india_daily", "month"), "expected.india.json");
    case.assert_rows("ny_daily", &april("ny_daily", "month"), "expected.ny.json");
    case.assert_rows("hourly", &april("hourly", "day in Europe/London"), "expected.londond.json");
    case.assert_rows("hourly", &april("hourly", "month in Europe/London"), "expected.london.json");
    for metric in ["india_daily", "ny_daily"] {
        assert_eq!(april(metric, "month").notes(metric, &window(&case, metric)), [""; 0]);
    }
}

#[test]
fn case_34_six_days_are_not_called_a_month_without_a_word() {
    let case = Case::new(RANGE, "case.metric", "ev.ndjson");
    let six_days = reading(&case, "india_daily", "2026-04-14T18:30:00Z", "2026-04-20T18:30:00Z", "month");
    let expected = r#"{"metric":"india_daily","key":{},"window":{"start":"2026-04-01T00:00:00+05:30","end":"2026-05-01T00:00:00+05:30","partial":true},"value":144}"#;
    assert_eq!(case.lines("india_daily", &six_days).expect("rows"), [expected]);
    assert_eq!(six_days.notes("india_daily", &window(&case, "india_daily")), [""; 0]);
    let cut = reading(&case, "india_daily", "2026-04-14T12:00:00Z", "2026-04-20T12:00:00Z", "");
    let expected = [
        "`from`: no window of `india_daily`, which is `every day in Asia/Kolkata`, starts at 2026-04-14T17:30:00+05:30; the first one read starts at 2026-04-15T00:00:00+05:30",
        "`to`: no window of `india_daily`, which is `every day in Asia/Kolkata`, starts at 2026-04-20T17:30:00+05:30; the last one read starts at 2026-04-20T00:00:00+05:30, and is read to its end at 2026-04-21T00:00:00+05:30",
    ];
    assert_eq!(cut.notes("india_daily", &window(&case, "india_daily")), expected);
}

#[test]
fn case_38_weekly_cohorts_run_on_over_new_year() {
    let text = file(COHORTS, "case.metric");
    let log = file(COHORTS, "ev.ndjson");
    let records: Vec<&str> = log.lines().collect();
    let head: String = text.lines().take(2).map(|line| format!("{line}\n")).collect();
    let weeks = format!("{head}metric weeks = retention(user, period(at, week) in utc, 4) {{ from ev }}");
    // The week of 2025-12-22 is 2921 weeks after that of 1969-12-29.
    let expected =
        r#"{"metric":"weeks","key":{},"window":null,"value":[{"cohort":2921,"actors":[1,1,1,0]}]}"#;
    assert_eq!(agreed(&weeks, &records), [expected]);
    let checked =
        metricc_dsl::check(&metricc_dsl::SourceText { name: "case.metric".to_owned(), bytes: text.into() });
    let found: Vec<(&str, usize)> =
        checked.diagnostics.iter().map(|diagnostic| (diagnostic.code.id(), diagnostic.help.len())).collect();
    // `weeks` and `weeks3` are refused with the way out, `weeks2` counts days.
    let refused = (metricc_dsl::Code::WrappingPeriod.id(), 1);
    assert_eq!(found, [refused, refused], "{:?}", checked.diagnostics);
}
