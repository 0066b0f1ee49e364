//! The decoding part of the conformance corpus (C1 to C21), through every format that can say it.
#![allow(clippy::unwrap_used, reason = "test code")]

mod common;

use std::sync::Arc;

use arrow::array::{
    BinaryArray, Date32Array, Decimal128Array, Float32Array, Float64Array, Int32Array, Int64Array,
    StringArray, TimestampMicrosecondArray, TimestampMillisecondArray, TimestampNanosecondArray,
    TimestampSecondArray,
};
use common::*;
use metricc_ir::{Field, Kind, TimeUnit, Type, Value};
use metricc_log::LogError;

fn v(ty: Type) -> Field {
    field("v", ty)
}

fn of(kind: Kind) -> Field {
    v(Type::of(kind))
}

fn ok(text: &str) -> Result<String, String> {
    Ok(text.to_owned())
}

fn err(text: &str) -> Result<String, String> {
    Err(text.to_owned())
}

#[test]
fn c1_a_number_with_a_fraction_is_no_int() {
    let problem = err("not an int: it has a fraction");
    for value in ["1.7", "17e-1", "-1E-1"] {
        assert_eq!(json(v(int()), value), problem, "{value}");
        assert_eq!(csv(v(int()), value), problem, "{value}");
    }
    for value in ["1000", "1000.0", "1e3", "0.1E+4"] {
        assert_eq!(json(v(int()), value), ok("1000"), "{value}");
        assert_eq!(csv(v(int()), value), ok("1000"), "{value}");
        assert_eq!(json(v(int()), &format!("{value:?}")), ok("1000"), "{value}");
    }
    assert_eq!(json(v(int()), "-9223372036854775808"), ok("-9223372036854775808"));
    assert_eq!(csv(v(int()), "9223372036854775808"), err("beyond the 64 bits of an int"));
    let float = |value: f64| parquet(v(int()), Arc::new(Float64Array::from(vec![value])));
    assert_eq!(
        (float(1000.0), float(-0.0), float(-2f64.powi(63))),
        (ok("1000"), ok("0"), ok(&i64::MIN.to_string()))
    );
    assert_eq!((float(1.7), float(2f64.powi(63))), (problem, err("beyond the 64 bits of an int")));
}

#[test]
fn c2_a_string_is_the_number_that_it_says_exactly() {
    for text in ["\"12.50\"", "\" +12.5\"", "\"1250e-2\""] {
        assert_eq!(json(v(decimal(4, 2)), text), ok("12.50"), "{text}");
        assert_eq!(json(of(Kind::Float), text), ok("12.5"), "{text}");
        assert_eq!(json(v(int()), text), err("not an int: it has a fraction"), "{text}");
    }
    assert_eq!(json(v(int()), "\"1\""), ok("1"));
    assert_eq!(json(v(int()), "\"1,0\""), err("not a number"));
    assert_eq!(json(v(int()), "\"\""), err("not a number"));
    assert_eq!(json(of(Kind::Bool), "\"true\""), err("a string where a bool is expected"));
    assert_eq!(json(of(Kind::Bool), "1"), err("a number where a bool is expected"));
    assert_eq!(json(of(Kind::String), "1"), err("a number where a string is expected"));
    assert_eq!(json(v(int()), "[1]"), err("an array where an int is expected"));
    assert_eq!(json(v(int()), "{\"v\":1}"), err("an object where an int is expected"));
    // The cells of CSV do not say their type.
    assert_eq!(csv(v(int()), "\"1\""), ok("1"));
    assert_eq!(csv(of(Kind::Bool), "TRUE"), err("neither true nor false"));
}

#[test]
fn c3_a_decimal_whose_scale_would_be_lost_is_rejected() {
    let problem = err("more than 2 digits after the point");
    assert_eq!(json(v(decimal(20, 2)), "0.135"), problem);
    assert_eq!(csv(v(decimal(20, 2)), "0.135"), problem);
    assert_eq!(json(v(decimal(20, 2)), "0.130"), ok("0.13"));
    let wide =
        |value: i128| Arc::new(Decimal128Array::from(vec![value]).with_precision_and_scale(20, 3).unwrap());
    assert_eq!(parquet(v(decimal(20, 2)), wide(135)), problem);
    assert_eq!(parquet(v(decimal(20, 2)), wide(130)), ok("0.13"));
    assert_eq!(parquet(v(decimal(20, 5)), wide(-135)), ok("-0.13500"));
    assert_eq!(parquet(v(decimal(4, 3)), wide(10_000)), err("more than 1 digits before the point"));
}

#[test]
fn c4_the_digits_of_a_decimal_are_exact() {
    let digits = "123456789012345678.995";
    assert_eq!(json(v(decimal(21, 3)), digits), ok(digits));
    assert_eq!(csv(v(decimal(21, 3)), digits), ok(digits));
    assert_eq!(
        parquet(v(decimal(38, 2)), Arc::new(Int64Array::from(vec![i64::MAX]))),
        ok("9223372036854775807.00")
    );
    assert_eq!(
        parquet(v(decimal(4, 2)), Arc::new(Int32Array::from(vec![100]))),
        err("more than 2 digits before the point")
    );
}

#[test]
fn c5_duplicate_json_keys_are_rejected() {
    for line in [
        r#"{"v":1,"v":1}"#,
        r#"{"v":1,"\u0076":1}"#,
        r#"{"v":1,"w":1,"w":2}"#,
        r#"{"v":1,"w":{"x":1,"x":1}}"#,
    ] {
        let problem = ndjson_record(v(int()), line).unwrap_err();
        assert!(problem.contains("a key occurs twice"), "{line}: {problem}");
    }
    // Among records of the usual form, in any order of keys.
    let folder = Folder::new();
    let line = |keys: &[&str]| {
        format!("{{{}}}\n", keys.iter().map(|key| format!("\"{key}\":1")).collect::<Vec<_>>().join(","))
    };
    let good =
        [["x", "v", "y"].as_slice(), &["v"], &["y", "v", "x"], &["v", "z", "y"], &["x", "v", "y", "z"]];
    let bad = [
        ["x", "v", "x"].as_slice(),
        &["v", "x", "v"],
        &["y", "x", "v", "y"],
        &["z", "v", "x", "z"],
        &["n", "v", "n"],
    ];
    let lines: String = good.iter().chain(&bad).chain(&good).map(|keys| line(keys)).collect();
    folder.write("a.ndjson", lines);
    let (rows, findings) = read_all(&folder.open(&source(vec![v(int())])).unwrap());
    assert_eq!((rows.len(), findings.n_quarantined), (2 * good.len(), bad.len() as u64));
    assert!(findings.quarantined.iter().map(|record| record.position.offset).eq(5..10));
}

#[test]
fn c6_two_objects_on_one_line_are_rejected() {
    for line in [r#"{"v":1}{"v":2}"#, r#"{"v":1} {"v":2}"#, r#"{"v":1},"#, r#"{"v":1} x"#] {
        let problem = ndjson_record(v(int()), line).unwrap_err();
        assert!(
            problem.ends_with("more after the end of the object: one object a line"),
            "{line}: {problem}"
        );
    }
}

#[test]
fn c7_trailing_commas_and_leading_zeros_are_rejected() {
    for line in [
        r#"{"v":1,}"#,
        r#"{"v":01}"#,
        r#"{"v":+1}"#,
        r#"{"v":.5}"#,
        r#"{"v":1,"w":[1,]}"#,
        "{'v':1}",
        "{v:1}",
    ] {
        assert!(ndjson_record(v(int()), line).is_err(), "{line}");
    }
    for cell in ["01", "1_000", "0x1", "1,000", "--1"] {
        assert_eq!(csv(v(int()), format!("\"{cell}\"")), err("not a number"), "{cell}");
    }
    for cell in ["+1", " 1", "1 ", "1.", "10e-1"] {
        assert_eq!(csv(v(int()), cell), ok("1"), "{cell}");
    }
}

#[test]
fn c8_floats_are_finite_and_zero_has_no_sign() {
    let float = || of(Kind::Float);
    let beyond = err("beyond the largest 64-bit float");
    assert_eq!((json(float(), "1e400"), csv(float(), "-1e400")), (beyond.clone(), beyond));
    assert_eq!((json(float(), "-0"), csv(float(), "-0.0")), (ok("0.0"), ok("0.0")));
    let value = |value: f64| Arc::new(Float64Array::from(vec![value]));
    assert_eq!(parquet(float(), value(-0.0)), ok("0.0"));
    let fields =
        [float(), v(Type::optional(Kind::Float)), defaulted("v", Type::of(Kind::Float), Value::Float(1.0))];
    for field in fields {
        for text in ["NaN", "Infinity", "-Infinity"] {
            assert_eq!(json(field.clone(), text), ok("∅"), "{text}");
            assert_eq!(json(field.clone(), &format!("{text:?}")), ok("∅"), "{text}");
            assert_eq!(csv(field.clone(), text), ok("∅"), "{text}");
        }
        for special in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert_eq!(parquet(field.clone(), value(special)), ok("∅"));
        }
    }
    // They are values of floats alone.
    assert_eq!(json(of(Kind::Bool), "NaN"), err("NaN where a bool is expected"));
    assert_eq!(json(v(int()), "NaN"), err("not a finite number"));
    assert_eq!(json(v(list(Type::of(Kind::Float))), "[NaN]"), err("not a finite number"));
    assert_eq!(json(v(list(Type::optional(Kind::Float))), "[NaN,1]"), ok("[, 1.0]"));
    assert!(json(float(), "nan").unwrap_err().starts_with("no JSON at byte 5"));
    assert_eq!(csv(float(), "NA"), err("not a number"));
    // A column of ints with missing values becomes one of floats where they are written so.
    assert_eq!(parquet(v(optional(int())), value(f64::NAN)), ok("∅"));
    assert_eq!(parquet(v(int()), value(f64::NAN)), err("not a finite number"));
    assert_eq!(parquet(float(), Arc::new(Float32Array::from(vec![0.5]))), ok("0.5"));
}

#[test]
fn c9_names_are_told_apart_by_case() {
    assert_eq!(ndjson_record(v(int()), r#"{"V":1}"#), err("absent or null, and `int` is not optional"));
    let folder = Folder::new();
    for path in [
        folder.write("a.csv", "V,w\n1,2\n"),
        folder.parquet("a.parquet", vec![("V", Arc::new(Int64Array::from(vec![1])))], 10),
    ] {
        let error = open(&source(vec![v(int())]), &path).unwrap_err();
        assert!(matches!(error, LogError::MissingColumn { .. }), "{error}");
        assert_eq!(error.help().as_deref(), Some("did you mean `V`? write `v: int from V`"));
    }
}

#[test]
fn c10_an_integer_is_a_timestamp_only_with_a_unit() {
    let timestamp = || of(Kind::Timestamp);
    let seconds = || Field { unit: Some(TimeUnit::Second), ..timestamp() };
    let problem = err("a number where a timestamp is expected, and the field has no `unit`");
    assert_eq!((json(timestamp(), "1704067200"), csv(timestamp(), "1704067200")), (problem.clone(), problem));
    let new_year = ok("2024-01-01T00:00:00");
    assert_eq!(json(seconds(), "1704067200"), new_year);
    assert_eq!(csv(seconds(), "1704067200"), new_year);
    assert_eq!(csv(seconds(), "2024-01-01T00:00:00Z"), new_year);
    assert_eq!(json(seconds(), "\"1704067200\""), new_year);
    for text in ["1704067200.5", "\"1704067200.5000009\"", "1.7040672005e9"] {
        assert_eq!(json(seconds(), text), ok("2024-01-01T00:00:00.500"), "{text}");
    }
    let float = |value: f64| Arc::new(Float64Array::from(vec![value]));
    assert_eq!(parquet(seconds(), float(1_704_067_200.123_456)), ok("2024-01-01T00:00:00.123456"));
    assert_eq!(parquet(seconds(), float(f64::NAN)), err("not a finite number"));
    assert_eq!(json(seconds(), "1e30"), err("outside of the years 0001 to 9999"));
    let ints = || Arc::new(Int64Array::from(vec![1_704_067_200]));
    assert_eq!(parquet(seconds(), ints()), new_year);
    let folder = Folder::new();
    let path = folder.parquet("a.parquet", vec![("v", ints())], 10);
    let error = open(&source(vec![timestamp()]), &path).unwrap_err();
    assert_eq!(error.help().as_deref(), Some("say what its numbers count, as in `v: timestamp unit ms`"));
}

#[test]
fn c11_an_empty_csv_cell_is_none_and_an_empty_quoted_one_is_a_text() {
    let maybe = || v(Type::optional(Kind::String));
    assert_eq!((csv(maybe(), ""), csv(maybe(), "\"\"")), (ok("∅"), ok("")));
    assert_eq!((json(maybe(), "null"), json(maybe(), "\"\"")), (ok("∅"), ok("")));
    assert_eq!(csv(of(Kind::String), ""), err("absent or null, and `string` is not optional"));
    assert_eq!(csv(v(optional(int())), "\"\""), err("not a number"));
    let default = || defaulted("v", Type::of(Kind::String), Value::String("web".into()));
    assert_eq!((csv(default(), ""), csv(default(), "\"\"")), (ok("web"), ok("")));
    assert_eq!((json(default(), "null"), ndjson_record(default(), "{}")), (ok("web"), ok("web")));
    assert_eq!(parquet(default(), Arc::new(StringArray::from(vec![None::<&str>]))), ok("web"));
}

#[test]
fn c12_a_byte_order_mark_is_accepted_at_the_start_of_the_file_only() {
    let folder = Folder::new();
    folder.write("a.csv", "\u{feff}v,w\n1,2\n");
    folder.write("b.ndjson", "\u{feff}{\"v\":2}\n\u{feff}{\"v\":3}\n");
    let (rows, findings) = read_all(&folder.open(&source(vec![v(int())])).unwrap());
    assert_eq!(rows, [["1"], ["2"]]);
    assert_eq!((findings.n_quarantined, findings.quarantined[0].line), (1, Some(2)));
}

#[test]
fn c13_invalid_text_is_rejected_and_nul_is_kept() {
    let string = || of(Kind::String);
    assert!(json(string(), r#""\ud800""#).unwrap_err().contains("half of a surrogate pair"));
    assert!(ndjson_record(string(), r#"{"v":"a","ignored":"\udc00"}"#).is_err());
    assert_eq!(json(string(), r#""a\u0000\ud83d\ude00""#), ok("a\0😀"));
    assert_eq!(csv(string(), "a\0b"), ok("a\0b"));
    assert_eq!(ndjson_record(string(), b"{\"v\":\"\xff\"}"), err("not UTF-8 at byte 6"));
    assert_eq!(csv(string(), b"\xc3("), err("not UTF-8 at byte 0"));
    assert_eq!(
        parquet(string(), Arc::new(BinaryArray::from(vec![b"\xff".as_slice()]))),
        err("no UTF-8 text")
    );
    assert_eq!(parquet(string(), Arc::new(BinaryArray::from(vec![b"a\0".as_slice()]))), ok("a\0"));
}

#[test]
fn c14_text_is_its_bytes() {
    let (composed, decomposed) = ("\u{e9}", "e\u{301}");
    for text in [composed, decomposed] {
        assert_eq!(json(of(Kind::String), &format!("\"{text}\"")), ok(text));
        assert_eq!(csv(of(Kind::String), text), ok(text));
        assert_eq!(parquet(of(Kind::String), Arc::new(StringArray::from(vec![text]))), ok(text));
    }
    let names = || v(enumeration(&[composed]));
    assert_eq!(csv(names(), composed), ok("0"));
    assert_eq!(csv(names(), decomposed), err("not one of the names of the enum"));
}

/// The verdict on a text as a timestamp, the same in NDJSON and CSV.
fn instant(v: &Field, text: &str) -> Result<String, String> {
    let verdict = json(v.clone(), &format!("\"{text}\""));
    assert_eq!(verdict, csv(v.clone(), text), "{text}");
    verdict
}

#[test]
fn c16_offsets_are_honoured_and_without_one_a_zone_is_needed() {
    let timestamp = of(Kind::Timestamp);
    let zoned = Field { zone: Some("America/New_York".into()), ..timestamp.clone() };
    assert_eq!(instant(&timestamp, "2024-01-01 00:00:00+01"), ok("2023-12-31T23:00:00"));
    let problem = err("a timestamp without an offset, and the field has no `zone`");
    assert_eq!(instant(&timestamp, "2024-01-01 00:00:00"), problem);
    assert_eq!(instant(&zoned, "2024-01-01 00:00:00"), ok("2024-01-01T05:00:00"));
    assert_eq!(instant(&zoned, "2024-03-10 02:30:00"), ok("2024-03-10T07:00:00"));
    assert_eq!(instant(&zoned, "2024-11-03 01:30:00"), ok("2024-11-03T05:30:00"));

    let local = || Arc::new(TimestampMillisecondArray::from(vec![1_704_067_200_000]));
    assert_eq!(parquet(zoned.clone(), local()), ok("2024-01-01T05:00:00"));
    let utc = || TimestampMillisecondArray::from(vec![1_704_067_200_000]).with_timezone("+00:00");
    assert_eq!(parquet(timestamp.clone(), Arc::new(utc())), ok("2024-01-01T00:00:00"));
    assert_eq!(parquet(zoned, Arc::new(utc())), ok("2024-01-01T00:00:00"));
    let folder = Folder::new();
    let path = folder.parquet("a.parquet", vec![("v", local())], 10);
    let help = open(&source(vec![timestamp]), &path).unwrap_err().help().unwrap();
    assert_eq!(help, "its timestamps are local times: say whose, as in `v: timestamp zone \"UTC\"`");
}

#[test]
fn c17_c18_leap_seconds_are_rejected_hour_24_is_the_end_of_the_day_and_seconds_may_be_missing() {
    let timestamp = of(Kind::Timestamp);
    let problem = err("a time that does not exist");
    assert_eq!(instant(&timestamp, "2016-12-31T23:59:60Z"), problem);
    assert_eq!(instant(&timestamp, "2016-12-31T24:00:00.1Z"), problem);
    assert_eq!(instant(&timestamp, "2016-12-31T24:00:00Z"), ok("2017-01-01T00:00:00"));
    assert_eq!(instant(&timestamp, "2016-12-31T00:00Z"), ok("2016-12-31T00:00:00"));
}

#[test]
fn c19_years_0001_to_9999_fit() {
    let timestamp = of(Kind::Timestamp);
    let problem = err("outside of the years 0001 to 9999");
    assert_eq!(instant(&timestamp, "9999-12-31T23:59:59.999999Z"), ok("9999-12-31T23:59:59.999999"));
    assert_eq!(instant(&timestamp, "9999-12-31T23:59:59-01"), problem);
    let seconds = |value: i64| Arc::new(TimestampSecondArray::from(vec![value]).with_timezone("UTC"));
    assert_eq!(parquet(timestamp.clone(), seconds(253_402_300_799)), ok("9999-12-31T23:59:59"));
    assert_eq!(parquet(timestamp.clone(), seconds(253_402_300_800)), problem);
    assert_eq!(parquet(timestamp.clone(), seconds(i64::MAX)), problem);
    let micros = |value: i64| Arc::new(TimestampMicrosecondArray::from(vec![value]).with_timezone("UTC"));
    assert_eq!(parquet(timestamp, micros(253_402_300_800_000_000)), problem);
    assert_eq!(parquet(of(Kind::Date), Arc::new(Date32Array::from(vec![2_932_897]))), problem);
    assert_eq!(parquet(of(Kind::Date), Arc::new(Date32Array::from(vec![2_932_896]))), ok("9999-12-31"));
}

#[test]
fn c20_digits_beyond_the_microsecond_are_floored() {
    let timestamp = of(Kind::Timestamp);
    assert_eq!(instant(&timestamp, "2024-01-01T00:00:00.1234569Z"), ok("2024-01-01T00:00:00.123456"));
    assert_eq!(instant(&timestamp, "2024-01-01T00:00:00.1234560Z"), ok("2024-01-01T00:00:00.123456"));
    let nanos = |value: i64| Arc::new(TimestampNanosecondArray::from(vec![value]).with_timezone("UTC"));
    assert_eq!(parquet(timestamp.clone(), nanos(1)), ok("1970-01-01T00:00:00"));
    assert_eq!(parquet(timestamp.clone(), nanos(-1)), ok("1969-12-31T23:59:59.999999"));
    assert_eq!(parquet(timestamp, nanos(-1000)), ok("1969-12-31T23:59:59.999999"));
}

#[test]
fn c21_declared_nanoseconds_are_floored() {
    let nanos = || Field { unit: Some(TimeUnit::Nanosecond), ..of(Kind::Timestamp) };
    let before = ok("1969-12-31T23:59:59.999999");
    assert_eq!((json(nanos(), "-1"), csv(nanos(), "-1")), (before.clone(), before.clone()));
    assert_eq!(parquet(nanos(), Arc::new(Int64Array::from(vec![-1]))), before);
}

#[test]
fn dates_durations_and_lists_read_alike() {
    assert_eq!(json(of(Kind::Date), "\"2024-02-29\""), ok("2024-02-29"));
    assert_eq!(csv(of(Kind::Date), "2023-02-29"), err("a time that does not exist"));
    assert_eq!(json(of(Kind::Date), "20240229"), err("a number where a date is expected"));
    assert_eq!(json(of(Kind::Duration), "\"1m30s\""), csv(of(Kind::Duration), "90000000"));
    assert_eq!(json(of(Kind::Duration), "90000000"), csv(of(Kind::Duration), "1m30s"));
    assert_eq!(json(of(Kind::Duration), "\"90000000\""), json(of(Kind::Duration), "9e7"));
    assert_eq!(json(of(Kind::Duration), "0.5"), err("not an int: it has a fraction"));
    assert_eq!(csv(of(Kind::Date), "20240229"), ok("2024-02-29"));
    assert_eq!(json(v(list(int())), "[1, 2,3]"), ok("[1, 2, 3]"));
    assert_eq!(json(v(list(int())), "[]"), ok("[]"));
    assert_eq!(json(v(list(list(optional(int())))), "[[1,null],[]]"), ok("[[1, ], []]"));
    assert_eq!(json(v(list(int())), "[1,null]"), err("null in a list whose elements are not optional"));
    assert_eq!(json(v(list(int())), "[1,\"2\",{}]"), err("an object where an int is expected"));
    assert_eq!(json(v(list(int())), "1"), err("a number where a list is expected"));
}
