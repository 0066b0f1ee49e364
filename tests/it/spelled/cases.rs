//! Cases from public bug reports: spellings of times and numbers, types of Parquet columns, and slices of
//! public data. The right values are worked out by hand.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{
    ArrayRef, Decimal256Array, Float64Array, Int64Array, RecordBatch, StringArray, TimestampNanosecondArray,
    UInt64Array,
};
use arrow::datatypes::i256;
use metricc::jiff::Timestamp;
use metricc::{Engine, Event};
use metricc_dsl::SourceText;
use parquet::arrow::ArrowWriter;
use parquet::basic::{BrotliLevel, Compression};
use parquet::file::properties::WriterProperties;

use crate::layers::{agreed_at, bound, options, package, whole};

fn case(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("cases").join(name)
}

fn text(case: &Path, file: &str) -> String {
    std::fs::read_to_string(case.join(file)).expect("a file of the case")
}

/// The values of two members of each line, by name.
fn members<'a>(lines: &'a [String], key: &str, value: &str) -> Vec<(String, String)> {
    let member = |line: &'a String| {
        let line: serde_json::Value = serde_json::from_str(line).expect("JSON");
        let text = |value: &serde_json::Value| match value {
            serde_json::Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        (text(&line["key"][key]), text(&line["value"][value]))
    };
    lines.iter().map(member).collect()
}

/// Of each spelling of case 07 the instant that it is, and `-` if it is refused.
const TIMES: [(&str, &str); 25] = [
    ("basic", "2026-01-30T15:34:06Z"),
    ("comma", "2026-01-30T15:34:06.123Z"),
    ("date_only", "-"),
    ("epoch_text", "-"),
    ("iso_z", "2026-01-30T15:34:06Z"),
    ("leap", "-"),
    ("local", "-"),
    ("lower", "2026-01-30T15:34:06Z"),
    ("midnight24", "2026-01-30T00:00:00Z"),
    ("nanos", "2026-01-30T15:34:06.123456Z"),
    ("nanos_zero", "2026-01-30T15:34:06.12Z"),
    ("neg_zero_off", "2026-01-30T15:34:06Z"),
    ("no_seconds", "2026-01-30T15:34:00Z"),
    ("off_seconds", "2026-01-30T15:34:06Z"),
    ("offset_colon", "2026-01-30T15:34:06Z"),
    ("offset_hours", "2026-01-30T15:34:06Z"),
    ("offset_nocolon", "2026-01-30T15:34:06Z"),
    ("rfc2822", "-"),
    ("space", "2026-01-30T15:34:06Z"),
    ("space_micro", "2026-01-30T15:34:06.123456Z"),
    ("space_utc", "2026-01-30T15:34:06Z"),
    ("space_utc_offset", "2026-01-30T15:34:06Z"),
    ("trailing_space", "2026-01-30T15:34:06Z"),
    ("year5", "-"),
    ("zoned", "2026-01-30T15:34:06Z"),
];

#[test]
fn case_07_one_instant_in_many_spellings() {
    let case = case("07-time-spellings");
    let read = TIMES.iter().filter(|(_, instant)| *instant != "-");
    let read: Vec<(String, String)> = read.map(|(form, at)| ((*form).to_owned(), (*at).to_owned())).collect();
    for log in ["ev.ndjson", "ev.csv"] {
        let lines = agreed_at(&text(&case, "case.metric"), &case.join(log));
        assert_eq!(members(&lines, "form", "at"), read, "{log}");
    }
    // In a zone that is known, a local time and a date are instants too.
    let mut zoned = read;
    zoned.push(("date_only".to_owned(), "2026-01-30T00:00:00Z".to_owned()));
    zoned.push(("local".to_owned(), "2026-01-30T15:34:06Z".to_owned()));
    zoned.sort();
    let lines = agreed_at(&text(&case, "zone.metric"), &case.join("ev.ndjson"));
    assert_eq!(members(&lines, "form", "at"), zoned);
}

#[test]
fn case_11_numbers_that_are_exactly_equal_are_equal() {
    let case = case("11-json-number-forms");
    let lines = agreed_at(&text(&case, "case.metric"), &case.join("ev.ndjson"));
    let owned = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
        pairs.iter().map(|(id, value)| ((*id).to_owned(), (*value).to_owned())).collect()
    };
    // 5 and 9 have digits that a decimal(10, 2) would lose.
    let quantities = [("1", "3"), ("2", "3"), ("3", "1000"), ("4", "3"), ("6", "3"), ("7", "3"), ("8", "0")];
    assert_eq!(members(&lines, "id", "q"), owned(&quantities));
    let prices = [
        ("1", "10.10"),
        ("2", "10.10"),
        ("3", "10.10"),
        ("4", "10.00"),
        ("6", "10.10"),
        ("7", "10.10"),
        ("8", "0.00"),
    ];
    assert_eq!(members(&lines, "id", "p"), owned(&prices));
}

/// Three rows of Parquet: a number, an instant, and a value.
fn parquet(folder: &Path, at: ArrayRef, v: ArrayRef, compression: Compression) -> PathBuf {
    let id: ArrayRef = Arc::new(Int64Array::from(vec![1, 2, 3]));
    let batch = RecordBatch::try_from_iter([("id", id), ("at", at), ("v", v)]).expect("a batch");
    let path = folder.join("a.parquet");
    let properties = WriterProperties::builder().set_compression(compression).build();
    let file = std::fs::File::create(&path).expect("a file");
    let mut writer = ArrowWriter::try_new(file, batch.schema(), Some(properties)).expect("a writer");
    writer.write(&batch).expect("rows");
    writer.close().expect("a file");
    path
}

/// The value of the only row over such a file, and how many records were refused.
fn of_parquet(
    v_type: &str,
    aggregate: &str,
    at: ArrayRef,
    v: ArrayRef,
    compression: Compression,
) -> (String, u64) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = parquet(folder.path(), at, v, compression);
    let text = format!(
        "source ev {{ id: int key  at: timestamp time  v: {v_type} }}\nmetric m = {aggregate} {{ from ev }}"
    );
    let lines = agreed_at(&text, &path);
    let line: serde_json::Value = serde_json::from_str(&lines[0]).expect("JSON");
    let package = package(&text);
    let (_, stats) = whole(&bound(&package, &path), Engine::Batch, &options(1, 100));
    let value = &line["value"];
    (value.as_str().map_or_else(|| value.to_string(), str::to_owned), stats.n_quarantined)
}

fn utc() -> ArrayRef {
    let nanos = [1_769_787_246_000_000_001, 1_769_787_247_999_999_999, 1_769_787_248_000_000_000];
    Arc::new(TimestampNanosecondArray::from(nanos.to_vec()).with_timezone("UTC"))
}

#[test]
fn case_17_columns_of_parquet() {
    let plain = Compression::UNCOMPRESSED;
    let sum = |v_type: &str, v: ArrayRef| of_parquet(v_type, "sum(v)", utc(), v, plain);
    let uint = |values: [u64; 3]| -> ArrayRef { Arc::new(UInt64Array::from(values.to_vec())) };
    let float = |values: [f64; 3]| -> ArrayRef { Arc::new(Float64Array::from(values.to_vec())) };
    assert_eq!(sum("int", uint([1, 2, 3])), ("6".to_owned(), 0));
    assert_eq!(sum("int", uint([1, 2, u64::MAX])), ("3".to_owned(), 1));
    assert_eq!(sum("decimal(20, 0)", uint([1, 2, u64::MAX])), ("18446744073709551618".to_owned(), 0));
    assert_eq!(sum("int", float([1.0, 2.0, 3.0])), ("6".to_owned(), 0));
    assert_eq!(sum("int", float([1.0, 2.5, 3.0])), ("4".to_owned(), 1));
    assert_eq!(sum("float", float([f64::NAN, f64::INFINITY, 3.0])), ("3.0".to_owned(), 0));
    assert_eq!(sum("float?", float([f64::NAN, f64::INFINITY, 3.0])), ("3.0".to_owned(), 0));
    let wide = Decimal256Array::from([110, 220, 330].map(i256::from_i128).to_vec());
    let wide = wide.with_precision_and_scale(76, 2).expect("a decimal");
    assert_eq!(sum("decimal(10, 2)", Arc::new(wide)), ("6.60".to_owned(), 0));

    // Nanoseconds are floored, and texts of times are read as elsewhere.
    let ones: ArrayRef = Arc::new(Int64Array::from(vec![1, 1, 1]));
    let earliest = |at: ArrayRef, aggregate| of_parquet("int", aggregate, at, ones.clone(), plain);
    assert_eq!(earliest(utc(), "min(at)"), ("2026-01-30T15:34:06Z".to_owned(), 0));
    assert_eq!(earliest(utc(), "max(at) where id == 2"), ("2026-01-30T15:34:07.999999Z".to_owned(), 0));
    let texts = ["2026-01-30T15:34:06Z", "2026-01-30 21:04:07+0530", "yesterday"];
    let texts: ArrayRef = Arc::new(StringArray::from(texts.to_vec()));
    assert_eq!(earliest(texts, "max(at)"), ("2026-01-30T15:34:07Z".to_owned(), 1));

    let level = BrotliLevel::try_new(3).expect("a level");
    for compression in [Compression::BROTLI(level), Compression::SNAPPY, Compression::LZ4_RAW] {
        let found = of_parquet("int", "sum(v)", utc(), ones.clone(), compression);
        assert_eq!(found, ("3".to_owned(), 0), "{compression:?}");
    }
}

/// The lines of a metric over a log of one file.
fn over(metric: &str, name: &str, log: &str) -> Vec<String> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join(name);
    std::fs::write(&path, log).expect("a file");
    agreed_at(metric, &path)
}

#[test]
fn flights_of_r_have_na_and_every_flight_counts() {
    let metric = r#"
source flights {
  null "NA"
  time_hour: timestamp time
  carrier:   string
  dep_delay: float?
  arr_delay: float?
}
metric delay = mean(dep_delay) { from flights  by carrier }"#;
    let log = "\"carrier\",\"dep_delay\",\"arr_delay\",\"time_hour\"\n\
               \"UA\",2,11,2013-01-01T10:00:00Z\n\
               \"9E\",NA,NA,2013-01-01T11:00:00Z\n\
               \"9E\",16,NA,2013-01-01T11:00:00Z\n";
    let lines = over(metric, "flights.csv", log);
    assert!(lines[0].contains(r#""carrier":"9E"},"window":null,"value":16.0"#), "{lines:?}");
    assert!(lines[1].contains(r#""carrier":"UA"},"window":null,"value":2.0"#), "{lines:?}");
}

#[test]
fn stocks_and_temperatures_have_dates_of_their_own() {
    let stocks = r#"
source stocks { symbol: string  date: date time format "%b %d %Y"  price: float }
calendar utc { zone "UTC" }
metric mean_price = mean(price) { from stocks  by symbol  every quarter in utc }"#;
    let log = "symbol,date,price\nMSFT,Jan 1 2000,39.81\nMSFT,Feb 1 2000,36.35\nMSFT,Apr 1 2000,28.37\n";
    let lines = over(stocks, "stocks.csv", log);
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines[0].contains("\"start\":\"2000-01-01") && lines[0].contains("38.08"), "{lines:?}");

    let weather = r#"
source seattle { date: timestamp time zone "America/Los_Angeles" format "%Y/%m/%d %H:%M"  temp: float }
calendar pacific { zone "America/Los_Angeles" }
metric warmest = max(temp) { from seattle  every day in pacific }"#;
    let log = "date,temp\n2012/01/01 00:00,39.4\n2012/01/01 23:00,41.0\n2012/01/02 00:00,NaN\n";
    let lines = over(weather, "seattle.csv", log);
    assert!(
        lines[0].contains("\"start\":\"2012-01-01T00:00:00-08:00") && lines[0].contains("41.0"),
        "{lines:?}"
    );
    assert!(lines[1].contains("\"value\":null"), "{lines:?}");
}

#[derive(Event)]
#[event(name = "flights", null("NA", "-"))]
struct Flight {
    #[event(time, format("%d.%m.%Y %H:%M %z", "%F %T %z"))]
    at: Timestamp,
    #[event(true_as("yes", "1"), false_as("no"))]
    cancelled: bool,
    #[event(thousands = ".", point = ",", null())]
    price: f64,
    #[event(invalid_as_none)]
    delay: Option<i64>,
}

#[test]
fn attributes_of_rust_are_the_markers_of_the_language() {
    let file = SourceText { name: "flights".into(), bytes: <Flight as Event>::SOURCE.as_bytes().to_vec() };
    let checked = metricc_dsl::check(&file);
    assert_eq!(checked.diagnostics, []);
    let fields = &checked.package.sources[0].fields;
    let markers: Vec<String> = fields.iter().map(|field| field.spelling.markers()).collect();
    assert_eq!(
        markers,
        [
            r#" null "-", "NA" format "%d.%m.%Y %H:%M %z", "%F %T %z""#,
            r#" null "-", "NA" true "1", "yes" false "no""#,
            r#" thousands "." point ",""#,
            r#" null "-", "NA" invalid as none"#,
        ]
    );
}
