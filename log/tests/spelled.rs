//! What a field declares of the spelling of its values, in every format, and what is counted as none.
#![allow(clippy::unwrap_used, reason = "test code")]

mod common;

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, Decimal256Array, DictionaryArray,
    Float64Array, Int64Array, StringArray, StringViewArray, TimestampMicrosecondArray, UInt64Array,
};
use arrow::datatypes::{Int32Type, i256};
use common::*;
use metricc_ir::{Field, Kind, Spelling, Type, Value};
use metricc_log::{BodyFormat, BodyLimits, EventDecoder, NoneReason};

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

fn spelled(ty: Type, spelling: Spelling) -> Field {
    Field { spelling, ..field("v", ty) }
}

/// The verdict on a text, the same as a cell of CSV, as a string of JSON and in a column of texts.
fn text(v: &Field, text: &str) -> Result<String, String> {
    let quoted = serde_json::Value::from(text).to_string();
    let verdict = json(v.clone(), &quoted);
    assert_eq!(csv(v.clone(), format!("\"{}\"", text.replace('"', "\"\""))), verdict, "{text}");
    let columns: [ArrayRef; 3] = [
        Arc::new(StringArray::from(vec![text])),
        Arc::new(StringViewArray::from(vec![text])),
        Arc::new(DictionaryArray::<Int32Type>::from_iter([Some(text)])),
    ];
    for column in columns {
        assert_eq!(parquet(v.clone(), column), verdict, "{text}");
    }
    verdict
}

fn ok(text: &str) -> Result<String, String> {
    Ok(text.to_owned())
}

fn err(text: &str) -> Result<String, String> {
    Err(text.to_owned())
}

#[test]
fn a_declared_text_is_none_in_every_format() {
    let nulls = || Spelling { nulls: texts(&["", "-", "NA", "\\N"]), ..Spelling::default() };
    for kind in [Kind::Int, Kind::Float, Kind::String, Kind::Date, Kind::Timestamp, Kind::Duration] {
        let optional = spelled(Type::optional(kind.clone()), nulls());
        let required = spelled(Type::of(kind.clone()), nulls());
        for null in ["NA", "-", "\\N", ""] {
            assert_eq!(text(&optional, null), ok("∅"), "{kind}: {null}");
            assert_eq!(text(&required, null), err(&format!("absent or null, and `{kind}` is not optional")));
        }
    }
    // It takes the default's place as any other null does; other texts are what they were.
    let defaulted =
        Field { spelling: nulls(), ..defaulted("v", Type::of(Kind::String), Value::String("web".into())) };
    assert_eq!((text(&defaulted, "NA"), text(&defaulted, "na")), (ok("web"), ok("na")));
    let bytes = Arc::new(BinaryArray::from(vec![b"NA".as_slice()]));
    assert_eq!(parquet(spelled(Type::optional(Kind::String), nulls()), bytes), ok("∅"));
    let elements = spelled(list(Type::optional(Kind::Int)), nulls());
    assert_eq!(json(elements, "[1,\"NA\",null,\"2\"]"), ok("[1, , , 2]"));
}

#[test]
fn a_declared_format_says_all_texts_of_a_time() {
    let formats = |formats: &[&str]| Spelling { formats: texts(formats), ..Spelling::default() };
    let local = Field {
        zone: Some("Europe/Berlin".into()),
        ..spelled(Type::of(Kind::Timestamp), formats(&["%d.%m.%Y %H:%M", "%b %d %Y %I:%M %p"]))
    };
    assert_eq!(text(&local, "30.01.2026 15:34"), ok("2026-01-30T14:34:00"));
    assert_eq!(text(&local, " Jan 30 2026 3:34 PM"), ok("2026-01-30T14:34:00"));
    assert_eq!(text(&local, "31.02.2026 15:34"), err("a time that does not exist"));
    let problem = err("not of one of the formats `%d.%m.%Y %H:%M`, `%b %d %Y %I:%M %p`");
    assert_eq!(text(&local, "2026-01-30T15:34:00Z"), problem);
    let dates = spelled(Type::optional(Kind::Date), formats(&["%Y/%m/%d %H:%M"]));
    assert_eq!(text(&dates, "2012/01/01 00:00"), ok("2012-01-01"));
    assert_eq!(text(&dates, "2012/01/01 00:30"), err("a time of day would be lost"));
    let problem = err("not of the format `%Y/%m/%d %H:%M`, such as `2026/04/25 16:05`");
    assert_eq!(text(&dates, "2012-01-01"), problem);
    // Typed columns are what they are.
    assert_eq!(parquet(dates, Arc::new(Date32Array::from(vec![1]))), ok("1970-01-02"));
}

#[test]
fn declared_texts_of_true_and_false() {
    let spelling =
        Spelling { truths: texts(&["1", "yes"]), falsehoods: texts(&["0", "no"]), ..Spelling::default() };
    let v = spelled(Type::of(Kind::Bool), spelling);
    assert_eq!((text(&v, "yes"), text(&v, "0")), (ok("true"), ok("false")));
    assert_eq!(text(&v, "true"), err("not one of the declared texts of true and false"));
    assert_eq!((json(v.clone(), "1"), json(v.clone(), "true")), (ok("true"), ok("true")));
    assert_eq!(parquet(v.clone(), Arc::new(Int64Array::from(vec![0]))), ok("false"));
    let problem = err("not one of the declared texts of true and false");
    assert_eq!(parquet(v.clone(), Arc::new(Int64Array::from(vec![2]))), problem);
    assert_eq!(parquet(v, Arc::new(BooleanArray::from(vec![true]))), ok("true"));
}

#[test]
fn thousands_and_the_decimal_point_where_they_are_declared() {
    let marks = |thousands, point| Spelling { thousands, point, ..Spelling::default() };
    let german = spelled(decimal(12, 2), marks(Some('.'), Some(',')));
    assert_eq!((text(&german, "1.234.567,5"), text(&german, "-0,25")), (ok("1234567.50"), ok("-0.25")));
    assert_eq!((text(&german, "1.5"), text(&german, "12.34,5")), (err("not a number"), err("not a number")));
    let counts = spelled(Type::of(Kind::Int), marks(Some(','), None));
    assert_eq!((text(&counts, "1,234"), text(&counts, "12,34,567")), (ok("1234"), ok("1234567")));
    assert_eq!(
        (text(&counts, "1,5"), text(&counts, "1,234.5")),
        (err("not a number"), err("not an int: it has a fraction"))
    );
    // Numbers of JSON have the grammar of JSON.
    assert_eq!(json(german, "1234.5"), ok("1234.50"));
}

#[test]
fn what_is_invalid_is_none_where_that_is_declared_and_counted() {
    let lenient = Spelling { invalid_is_none: true, ..Spelling::default() };
    let v = spelled(Type::optional(Kind::Int), lenient.clone());
    for value in ["\"n/a\"", "1.5", "true", "[1]", "{\"a\":1}", "99999999999999999999", "NaN"] {
        assert_eq!(json(v.clone(), value), ok("∅"), "{value}");
    }
    assert_eq!(text(&v, "n/a"), ok("∅"));
    assert_eq!(parquet(v.clone(), Arc::new(Float64Array::from(vec![1.5]))), ok("∅"));
    assert_eq!(json(spelled(optional(list(int())), lenient), "[1,\"x\"]"), ok("∅"));
    // A record that is no record stays one.
    assert!(ndjson_record(v, "{\"v\":1").is_err());
}

#[test]
fn values_that_are_none_are_counted_for_accepted_records_and_fields_that_are_read() {
    let lenient = Spelling { invalid_is_none: true, ..Spelling::default() };
    let fields = || {
        let n = Field { spelling: lenient.clone(), ..field("n", Type::optional(Kind::Int)) };
        source(vec![field("v", Type::of(Kind::Float)), n, field("k", int())])
    };
    let rows =
        [("NaN", "x", "1"), ("-inf", "2", "1"), ("1.5", "3.5", "1"), ("NaN", "x", "x"), ("2", "4", "1")];
    let csv: String = rows.iter().map(|(v, n, k)| format!("{v},{n},{k}\n")).collect();
    let column = |pick: fn(&(&'static str, &'static str, &'static str)) -> &'static str| -> ArrayRef {
        Arc::new(StringArray::from(rows.iter().map(pick).collect::<Vec<_>>()))
    };
    let wanted = "2 invalid values of `n`, 2 NaN or infinite values of `v` are none";
    for is_parquet in [false, true] {
        let folder = Folder::new();
        if is_parquet {
            let columns =
                vec![("v", column(|row| row.0)), ("n", column(|row| row.1)), ("k", column(|row| row.2))];
            folder.parquet("a.parquet", columns, 2);
        } else {
            folder.write("a.csv", format!("v,n,k\n{csv}"));
        }
        let log = folder.open(&fields()).unwrap();
        let (rows, stats) = read_all(&log);
        assert_eq!(rows.len(), 4);
        assert_eq!(stats.none_values.to_string(), wanted);
        let (_, stats) = read(&log, &whole(&log), &[1]);
        let of_n: Vec<_> = stats.none_values.iter().collect();
        assert_eq!(of_n, [("n", NoneReason::Invalid, 2)]);
    }
    let limits = BodyLimits { records: 100, bytes: 1 << 20 };
    let decoder = EventDecoder::new(&fields()).unwrap();
    let events = decoder
        .decode(BodyFormat::Csv { delimiter: b',' }, format!("v,n,k\n{csv}").as_bytes(), &limits)
        .unwrap();
    assert_eq!((events.rejected().len(), events.none_values().to_string().as_str()), (1, wanted));
}

#[test]
fn integers_and_decimals_of_any_width_are_read_where_they_are_exactly_the_value() {
    let uint = |value: u64| -> ArrayRef { Arc::new(UInt64Array::from(vec![value])) };
    assert_eq!(parquet(field("v", int()), uint(7)), ok("7"));
    assert_eq!(parquet(field("v", int()), uint(u64::MAX)), err("beyond the 64 bits of an int"));
    assert_eq!(parquet(field("v", decimal(20, 0)), uint(u64::MAX)), ok("18446744073709551615"));
    assert_eq!(
        parquet(field("v", decimal(20, 1)), uint(u64::MAX)),
        err("more than 19 digits before the point")
    );
    let wide = |value: i256, scale: i8| -> ArrayRef {
        Arc::new(Decimal256Array::from(vec![value]).with_precision_and_scale(76, scale).unwrap())
    };
    let huge = i256::from_i128(10).checked_pow(60).unwrap();
    assert_eq!(parquet(field("v", decimal(10, 2)), wide(i256::from_i128(220), 2)), ok("2.20"));
    assert_eq!(parquet(field("v", decimal(10, 2)), wide(huge, 60)), ok("1.00"));
    assert_eq!(parquet(field("v", int()), wide(huge, 58)), ok("100"));
    assert_eq!(
        parquet(field("v", decimal(10, 2)), wide(huge, 2)),
        err("more than 8 digits before the point")
    );
    assert_eq!(
        parquet(field("v", decimal(10, 2)), wide(huge.wrapping_add(i256::ONE), 60)),
        err("more than 2 digits after the point")
    );
    let whole = Decimal128Array::from(vec![300]).with_precision_and_scale(38, 2).unwrap();
    assert_eq!(parquet(field("v", int()), Arc::new(whole)), ok("3"));
    let part = Decimal128Array::from(vec![310]).with_precision_and_scale(38, 2).unwrap();
    assert_eq!(parquet(field("v", int()), Arc::new(part)), err("digits after the point would be lost"));
}

#[test]
fn dates_are_midnights_where_a_zone_is_known() {
    let zoned = Field { zone: Some("Asia/Kolkata".into()), ..field("v", Type::of(Kind::Timestamp)) };
    assert_eq!(text(&zoned, "2026-01-30"), ok("2026-01-29T18:30:00"));
    assert_eq!(parquet(zoned, Arc::new(Date32Array::from(vec![0]))), ok("1969-12-31T18:30:00"));
    let plain = field("v", Type::of(Kind::Timestamp));
    assert_eq!(text(&plain, "2026-01-30"), err("a timestamp without an offset, and the field has no `zone`"));
    let folder = Folder::new();
    let path = folder.parquet("a.parquet", vec![("v", Arc::new(Date32Array::from(vec![0])))], 10);
    let help = open(&source(vec![plain]), &path).unwrap_err().help().unwrap();
    assert!(help.starts_with("its values are dates: say whose midnights they are"), "{help}");
}

#[test]
fn times_of_columns_of_seconds_are_checked_whatever_is_read() {
    let column = TimestampMicrosecondArray::from(vec![i64::MAX]).with_timezone("UTC");
    let verdict = parquet(field("v", Type::of(Kind::Timestamp)), Arc::new(column));
    assert_eq!(verdict, err("outside of the years 0001 to 9999"));
}

#[test]
fn hostile_numbers_and_texts_are_refused_at_once() {
    let digits = "9".repeat(1_000_000);
    for number in ["1e999999999", "-1e999999999", digits.as_str()] {
        assert_eq!(json(field("v", int()), number), err("beyond the 64 bits of an int"));
        assert_eq!(json(field("v", decimal(38, 2)), number), err("more than 36 digits before the point"));
    }
    assert_eq!(json(field("v", int()), "1e-999999999"), err("not an int: it has a fraction"));
    assert_eq!(json(field("v", Type::of(Kind::Float)), &digits), err("beyond the largest 64-bit float"));
    let formats = Spelling { formats: texts(&["%d.%m.%Y"]), ..Spelling::default() };
    let v = spelled(Type::of(Kind::Date), formats);
    assert!(text(&v, &digits).is_err());
}

#[test]
fn a_format_that_says_no_time_is_no_declaration() {
    let formats = Spelling { formats: texts(&["%d.%d.%Y"]), ..Spelling::default() };
    let error = Folder::new().open(&source(vec![spelled(Type::of(Kind::Date), formats)])).unwrap_err();
    assert_eq!(
        error.to_string(),
        "field `v` of source `events`: in its format `%d.%d.%Y`: a day is given twice: `%d` and `%d`"
    );
}
