//! Row groups without a wanted row are not decoded, and nothing else changes: positions, what is quarantined,
//! and every wanted row.

mod common;

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, StringArray, TimestampMicrosecondArray};
use common::*;
use metricc_ir::{Field, Kind, Spelling, Type, Value};
use metricc_log::{Bound, FieldCondition, Log, ReadStats, Slice, ValueRange, WantedRows};
use proptest::prelude::*;

const FIELDS: [usize; 4] = [0, 1, 2, 3];

fn at_least(field: usize, value: i64) -> FieldCondition {
    FieldCondition { field, ranges: vec![ValueRange { least: Some(Bound::Int(value)), greatest: None }] }
}

fn is_text(field: usize, texts: &[&str]) -> FieldCondition {
    let ranges = texts.iter().map(|text| ValueRange::of(Bound::Text(text.as_bytes().to_vec())));
    FieldCondition { field, ranges: ranges.collect() }
}

/// The rows of a slice, and the counts of its records.
fn read_wanted(log: &Log, slice: &Slice, wanted: WantedRows, batch_rows: usize) -> (Rows, ReadStats) {
    let (mut rows, mut stats, mut next) = (Vec::new(), ReadStats::default(), slice.from);
    for batch in log.read_wanted(slice, &FIELDS, &Arc::new(wanted), batch_rows).expect("a reader") {
        let batch = batch.expect("a batch");
        assert_eq!(batch.slice.from, next);
        assert!(batch.slice.n_positions() <= batch_rows as u64);
        next = batch.slice.to;
        rows.extend(texts(&batch.rows));
        stats.merge(batch.read_stats);
    }
    assert_eq!(next, slice.to);
    (rows, stats)
}

#[test]
fn row_groups_without_a_wanted_row_are_not_decoded() {
    let folder = Folder::new();
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("at", Arc::new(TimestampMicrosecondArray::from_iter_values(0..100).with_timezone("UTC"))),
        ("n", Arc::new(Int64Array::from_iter_values((0..100).map(|n| n / 10)))),
        ("plan", Arc::new(StringArray::from_iter_values((0..100).map(|n| ["free", "pro"][n / 50])))),
        ("country", Arc::new(StringArray::from_iter_values((0..100).map(|n| ["DE", "IN"][n % 2])))),
    ];
    let path = folder.parquet("a.parquet", columns, 10);
    let text = Type::of(Kind::String);
    let fields = vec![
        field("at", Type::of(Kind::Timestamp)),
        field("n", int()),
        field("plan", enumeration(&["pro", "free"])),
        field("country", text.clone()),
        field("absent", optional(text.clone())),
        defaulted("tier", text, Value::String("gold".into())),
    ];
    let log = open(&source(fields), &path).expect("a log");
    let slice = Slice { partition: 0, from: 5, to: 100 };
    let n_rows = |any_of: Vec<Vec<FieldCondition>>| {
        let (rows, stats) = read_wanted(&log, &slice, WantedRows::any_of(any_of), 7);
        assert_eq!(stats.n_records, 95);
        rows.len()
    };
    assert_eq!(n_rows(vec![vec![at_least(1, 7)]]), 30);
    assert_eq!(n_rows(vec![vec![at_least(0, 71)]]), 30);
    assert_eq!(n_rows(vec![vec![is_text(2, &["pro"])]]), 50);
    assert_eq!(n_rows(vec![vec![is_text(2, &["pro"]), at_least(1, 7)]]), 30);
    assert_eq!(n_rows(vec![vec![is_text(2, &["pro"])], vec![at_least(1, 4)]]), 60);
    assert_eq!(n_rows(vec![vec![is_text(3, &["IN", "DE"])]]), 95);
    assert_eq!(n_rows(vec![vec![is_text(3, &["ZA"])]]), 0);
    assert_eq!(n_rows(vec![vec![is_text(4, &["x"])]]), 0);
    assert_eq!(n_rows(vec![vec![is_text(5, &["gold"])]]), 95);
    assert_eq!(n_rows(vec![vec![is_text(5, &["iron"])]]), 0);
    assert_eq!(n_rows(vec![vec![]]), 95);
}

#[test]
fn a_default_is_wanted_where_a_text_is_read_as_null() {
    let folder = Folder::new();
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("at", Arc::new(TimestampMicrosecondArray::from_iter_values(0..4).with_timezone("UTC"))),
        ("n", Arc::new(Int64Array::from_iter_values(0..4))),
        ("tier", Arc::new(StringArray::from_iter_values(["NA", "NA", "iron", "iron"]))),
    ];
    let path = folder.parquet("a.parquet", columns, 2);
    let spelling = Spelling { nulls: vec!["NA".to_owned()], ..Spelling::default() };
    let text = Type::of(Kind::String);
    let tier = Field { spelling, ..defaulted("tier", text.clone(), Value::String("gold".into())) };
    let fields =
        vec![field("at", Type::of(Kind::Timestamp)), field("n", int()), tier, field("x", optional(text))];
    let log = open(&source(fields), &path).expect("a log");
    let wanted = WantedRows::any_of(vec![vec![is_text(2, &["gold"])]]);
    let (rows, _) = read_wanted(&log, &Slice { partition: 0, from: 0, to: 4 }, wanted, 10);
    let tiers: Vec<&str> = rows.iter().map(|row| row[2].as_str()).collect();
    assert_eq!(&tiers[..2], ["gold", "gold"]);
}

#[derive(Debug, Clone)]
struct Record {
    at: i64,
    n: Option<i64>,
    text: Option<&'static str>,
    other: i64,
}

fn record() -> impl Strategy<Value = Record> {
    let text =
        prop::option::weighted(0.8, prop::sample::select(vec!["", "a", "b", "longer than a view holds"]));
    (-3i64..3, prop::option::weighted(0.8, 0i64..9), text, 0i64..4).prop_map(|(at, n, text, other)| Record {
        at,
        n,
        text,
        other,
    })
}

fn condition() -> impl Strategy<Value = FieldCondition> {
    let int = |field: usize| {
        let bound = || prop::option::of((0i64..9).prop_map(Bound::Int));
        let range = (bound(), bound()).prop_map(|(least, greatest)| ValueRange { least, greatest });
        prop::collection::vec(range, 1..3).prop_map(move |ranges| FieldCondition { field, ranges })
    };
    let text = prop::sample::select(vec!["", "a", "b", "c"]).prop_map(|text| is_text(2, &[text]));
    prop_oneof![int(1), int(3), text]
}

/// Whether a row, as texts, meets a condition.
fn meets(row: &[String], condition: &FieldCondition) -> bool {
    let value = &row[condition.field];
    let is_within = |range: &ValueRange| match (&range.least, &range.greatest) {
        (Some(Bound::Text(least)), _) => least == value.as_bytes(),
        (least, greatest) => value.parse::<i64>().is_ok_and(|value| {
            let bound = |bound: &Option<Bound>| match bound {
                Some(Bound::Int(bound)) => Some(*bound),
                _ => None,
            };
            bound(least).is_none_or(|least| least <= value)
                && bound(greatest).is_none_or(|greatest| value <= greatest)
        }),
    };
    value != "∅" && condition.ranges.iter().any(is_within)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn no_wanted_row_and_no_rejected_record_is_left_out(
        records in prop::collection::vec(record(), 1..40),
        any_of in prop::collection::vec(prop::collection::vec(condition(), 0..3), 1..3),
        (group_rows, batch_rows, from) in (1usize..6, 1usize..9, 0u64..40),
        (n_default, text_default) in (any::<bool>(), any::<bool>()),
    ) {
        // Some instants are after the range, and their records rejected.
        let instant = |at: i64| 253_402_300_799_999_998 + at;
        let columns: Vec<(&str, ArrayRef)> = vec![
            ("at", Arc::new(TimestampMicrosecondArray::from_iter_values(records.iter().map(|r| instant(r.at))).with_timezone("UTC"))),
            ("n", Arc::new(Int64Array::from_iter(records.iter().map(|record| record.n)))),
            ("text", Arc::new(StringArray::from_iter(records.iter().map(|record| record.text)))),
            ("other", Arc::new(Int64Array::from_iter_values(records.iter().map(|record| record.other)))),
        ];
        let folder = Folder::new();
        let path = folder.parquet("a.parquet", columns, group_rows);
        let text = Type::of(Kind::String);
        let fields = vec![
            field("at", Type::of(Kind::Timestamp)),
            if n_default { defaulted("n", int(), Value::Int(4)) } else { field("n", optional(int())) },
            if text_default { defaulted("text", text, Value::String("b".into())) } else { field("text", optional(text)) },
            field("other", int()),
        ];
        let log = open(&source(fields), &path).expect("a log");
        let to = records.len() as u64;
        let slice = Slice { partition: 0, from: from.min(to), to };
        let (all, of_all) = read_wanted(&log, &slice, WantedRows::default(), batch_rows);
        let (some, of_some) = read_wanted(&log, &slice, WantedRows::any_of(any_of.clone()), batch_rows);
        let is_wanted = |row: &&Vec<String>| any_of.iter().any(|all| all.iter().all(|condition| meets(row, condition)));
        let wanted: Vec<_> = all.iter().filter(is_wanted).collect();
        prop_assert_eq!(some.iter().filter(is_wanted).collect::<Vec<_>>(), wanted);
        prop_assert_eq!(of_some.n_records, of_all.n_records);
        prop_assert_eq!(of_some.quarantined, of_all.quarantined);
    }
}
