//! Window starts and ends.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Date32Array, Int64Array, TimestampMicrosecondArray};
use arrow::datatypes::TimestampMicrosecondType;
use metricc_ir::{Calendar, CalendarUnit, Kind, Value, Window};
use proptest::prelude::*;

use super::harness::{array, date, micros};
use crate::scalar::WindowRule;

const MINUTE_US: i64 = 60_000_000;

fn every(unit: CalendarUnit, zone: &str) -> WindowRule {
    WindowRule::new(&Window::Calendar(unit, Calendar { zone: zone.to_owned(), week_start: 1 }))
        .expect("known")
}

fn starts(rule: &WindowRule, event_time: &ArrayRef) -> Vec<Option<i64>> {
    let starts = rule.starts(event_time).expect("event times");
    starts.as_primitive::<TimestampMicrosecondType>().iter().collect()
}

fn starts_of(rule: &WindowRule, instants: &[i64]) -> Vec<i64> {
    let column: ArrayRef = Arc::new(TimestampMicrosecondArray::from(instants.to_vec()));
    starts(rule, &column).into_iter().flatten().collect()
}

#[test]
fn c57_an_event_at_the_end_of_a_window_belongs_to_the_next() {
    for rule in [
        WindowRule::new(&Window::Tumbling(7 * MINUTE_US)).expect("positive"),
        every(CalendarUnit::Day, "America/New_York"),
        every(CalendarUnit::Month, "Asia/Kolkata"),
    ] {
        let event = micros("2024-11-03T06:30:00Z");
        let start = rule.start_of(event);
        let end = rule.end_of(start);
        assert!(start <= event && event < end, "{rule:?}");
        assert_eq!(starts_of(&rule, &[start, event, end - 1, end]), [start, start, start, end], "{rule:?}");
    }
}

#[test]
fn c56_tumbling_windows_floor_before_1970() {
    let rule = WindowRule::new(&Window::Tumbling(5 * MINUTE_US)).expect("positive");
    assert_eq!(starts_of(&rule, &[-1, 0, -5 * MINUTE_US]), [-5 * MINUTE_US, 0, -5 * MINUTE_US]);
}

#[test]
fn c52_a_date_as_event_time_lies_in_the_bucket_that_it_begins() {
    let dates = array(&Kind::Date, &[date("2018-11-04"), date("1969-12-31"), Value::Date(0)]);
    let tumbling = WindowRule::new(&Window::Tumbling(60 * MINUTE_US)).expect("positive");
    let midnights = ["2018-11-04T00:00:00Z", "1969-12-31T00:00:00Z", "1970-01-01T00:00:00Z"].map(micros);
    assert_eq!(starts(&tumbling, &dates), midnights.map(Some));
    let days = every(CalendarUnit::Day, "America/Sao_Paulo");
    let firsts = ["2018-11-04T03:00:00Z", "1969-12-31T03:00:00Z", "1970-01-01T03:00:00Z"].map(micros);
    assert_eq!(starts(&days, &dates), firsts.map(Some));
    let apia = every(CalendarUnit::Day, "Pacific/Apia");
    let missing = array(&Kind::Date, &[date("2011-12-30"), date("2011-12-31")]);
    assert_eq!(starts(&apia, &missing), [Some(micros("2011-12-30T10:00:00Z")); 2]);
}

#[test]
fn dates_at_the_ends_of_time_saturate() {
    let dates: ArrayRef = Arc::new(Date32Array::from(vec![i32::MIN, i32::MAX, 0]));
    for rule in [WindowRule::new(&Window::Tumbling(1)).expect("positive"), every(CalendarUnit::Year, "UTC")] {
        assert_eq!(rule.starts(&dates).expect("dates").null_count(), 0);
    }
}

#[test]
fn what_has_no_windows_is_refused() {
    assert!(WindowRule::new(&Window::AllTime).is_err());
    assert!(WindowRule::new(&Window::Tumbling(0)).is_err());
    let nowhere = Calendar { zone: "Europe/Atlantis".to_owned(), week_start: 1 };
    let error = WindowRule::new(&Window::Calendar(CalendarUnit::Day, nowhere)).expect_err("no such zone");
    assert_eq!(error.to_string(), "calendar: there is no zone `Europe/Atlantis`, or no weekday 1");
    let rule = WindowRule::new(&Window::Tumbling(1)).expect("positive");
    let ints: ArrayRef = Arc::new(Int64Array::from(vec![1]));
    assert!(rule.starts(&ints).is_err());
}

proptest! {
    /// Sorted, random and clustered times, in batches of any size, against one look-up per event.
    #[test]
    fn the_cache_of_buckets_changes_nothing(
        mut instants in prop::collection::vec(
            prop_oneof![0..1_800_000_000_000_000_i64, 1_730_000_000_000_000..1_731_000_000_000_000_i64, any::<i64>()],
            1..300,
        ),
        sorted in any::<bool>(),
        unit in prop_oneof![Just(CalendarUnit::Day), Just(CalendarUnit::Week), Just(CalendarUnit::Month)],
        zone in prop_oneof![Just("America/New_York"), Just("Asia/Kolkata"), Just("Pacific/Apia")],
    ) {
        if sorted {
            instants.sort_unstable();
        }
        let rule = every(unit, zone);
        let expected: Vec<i64> = instants.iter().map(|instant| rule.start_of(*instant)).collect();
        prop_assert_eq!(starts_of(&rule, &instants), expected);
        let tumbling = WindowRule::new(&Window::Tumbling(7 * MINUTE_US)).expect("positive");
        let expected: Vec<i64> = instants.iter().map(|instant| tumbling.start_of(*instant)).collect();
        prop_assert_eq!(starts_of(&tumbling, &instants), expected);
    }
}
