//! `metricc compare`: a metric against the rows of another system, and the causes that are tried.

use std::fmt::Write as _;
use std::fs::File;
use std::sync::Arc;

use arrow::array::{ArrayRef, Date32Array, Float64Array, RecordBatch, StringArray};
use parquet::arrow::ArrowWriter;
use serde_json::{Value as Json, json};

use super::{code, metricc, stderr, stdout};

const PACKAGE: &str = "source orders {
  id:     int key
  at:     timestamp time
  shop:   string
  amount: decimal(12, 2)
  rating: int?
}
calendar india { zone \"Asia/Kolkata\" }

metric revenue = sum(amount) { from orders  by shop  every day in india }
metric rating = mean(rating) { from orders  by shop }
metric both = { n: count(), sum: sum(amount) } { from orders  by shop }
metric price = mean(amount) { from orders }
metric hourly = count() { from orders  every 1h }
";

/// Id, time, shop, amount and rating of each order. The first is sent twice.
const ORDERS: [(u32, &str, &str, &str, &str); 8] = [
    (1, "2026-04-25T10:00:00Z", "a", "10.00", "5"),
    (1, "2026-04-25T10:00:00Z", "a", "10.00", "5"),
    (2, "2026-04-25T20:00:00Z", "a", "2.50", "null"),
    (3, "2026-04-25T21:00:00Z", "b", "7.00", "4"),
    (4, "2026-04-26T09:00:00Z", "b", "1.00", "null"),
    (5, "2026-04-26T19:30:00Z", "c", "3.00", "1"),
    (6, "2026-04-26T10:00:00Z", "a", "0.10", "2"),
    (7, "2026-04-25T08:00:00Z", "b", "0.20", "3"),
];

pub(super) struct Case {
    pub(super) folder: tempfile::TempDir,
}

impl Case {
    pub(super) fn new() -> Self {
        let case = Case { folder: tempfile::tempdir().expect("a temporary folder") };
        case.write("orders.metric", PACKAGE);
        let log = ORDERS.iter().fold(String::new(), |mut log, (id, at, shop, amount, rating)| {
            let _ = writeln!(
                log,
                "{{\"id\":{id},\"at\":\"{at}\",\"shop\":\"{shop}\",\"amount\":\"{amount}\",\"rating\":{rating}}}"
            );
            log
        });
        case.write("orders.ndjson", &log);
        case
    }

    pub(super) fn write(&self, name: &str, text: &str) {
        std::fs::write(self.folder.path().join(name), text).expect("it is written");
    }

    pub(super) fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_string_lossy().into_owned()
    }

    pub(super) fn compare_with(&self, metric: &str, file: &str, arguments: &[&str]) -> (i32, String, String) {
        let (package, source) =
            (self.path("orders.metric"), format!("orders={}", self.path("orders.ndjson")));
        let file = self.path(file);
        let start = ["compare", &package, "--metric", metric, "--source", &source, "--with", &file];
        let output = metricc(&[&start[..], arguments].concat());
        (code(&output), stdout(&output), stderr(&output))
    }

    pub(super) fn compare(&self, metric: &str, rows: &str, arguments: &[&str]) -> (i32, String, String) {
        self.write("rows.csv", rows);
        self.compare_with(metric, "rows.csv", arguments)
    }

    pub(super) fn json(&self, metric: &str, rows: &str, arguments: &[&str]) -> Json {
        let (code, said, problems) = self.compare(metric, rows, &[&["--output", "json"], arguments].concat());
        assert_eq!(code, 1, "{said}{problems}");
        serde_json::from_str(&said).expect("JSON")
    }
}

/// The causes with the rows that each explains and breaks.
pub(super) fn causes(found: &Json) -> Vec<(String, u64, u64)> {
    let causes = found["causes"].as_array().expect("causes").iter();
    causes
        .map(|cause| {
            let n = |name: &str| cause[name].as_u64().unwrap_or(u64::MAX);
            (cause["cause"].as_str().unwrap_or_default().to_owned(), n("explains"), n("breaks"))
        })
        .collect()
}

pub(super) fn offsets(cause: &Json) -> Vec<u64> {
    let examples = cause["examples"].as_array().expect("examples").iter();
    let mut offsets: Vec<u64> = examples.filter_map(|example| example["offset"].as_u64()).collect();
    offsets.sort_unstable();
    offsets
}

#[test]
fn equal_rows_are_equal_however_they_are_written() {
    let case = Case::new();
    let dates = "window_start,shop,value,note\n2026-04-25,a,10,x\n2026-04-25,b,0.2,\n2026-04-26,a,2.6,\n\
                 2026-04-26,b,8.0,\n2026-04-27,c,3.00,\n";
    let (code, said, problems) = case.compare("revenue", dates, &[]);
    let equal = "revenue: 5 rows equal, 0 changed, 0 only in OURS, 0 only in THEIRS\n";
    assert_eq!((code, said.as_str()), (0, equal), "{problems}");
    let instants = dates.replace("window_start", "day").replace("value", "eur");
    let instants = instants.replace("2026-04-25,", "2026-04-25T00:00:00+05:30,");
    let instants = instants
        .replace("2026-04-26,", "2026-04-25T18:30:00Z,")
        .replace("2026-04-27,", "2026-04-26 18:30:00Z,");
    let (code, said, problems) = case.compare("revenue", &instants, &["--window", "day", "--value", "eur"]);
    assert_eq!((code, said.as_str()), (0, equal), "{problems}");
    let (code, said, problems) = case.compare("both", "shop,n,sum\nb,3,8.2\na,3,12.60\nc,1,3\n", &[]);
    assert_eq!(code, 0, "{said}{problems}");
}

/// An export of a part of the time says nothing of the rest.
#[test]
fn windows_that_a_file_does_not_reach_are_not_compared() {
    let case = Case::new();
    let rows = "window_start,shop,value\n2026-04-26,a,2.6\n2026-04-26,b,8\n";
    let (code, said, problems) = case.compare("revenue", rows, &[]);
    let equal = "revenue: 2 rows equal, 0 changed, 0 only in OURS, 0 only in THEIRS
  not compared: OURS has 2 rows before 2026-04-26, the first window of the file, and 1 row after 2026-04-26, the last \
                 window of the file; `--all-windows` compares them\n";
    assert_eq!((code, said.as_str()), (0, equal), "{problems}");
    let instants = rows.replace("2026-04-26", "2026-04-25T18:30:00Z");
    let (code, said, problems) = case.compare("revenue", &instants, &[]);
    let before = "not compared: OURS has 2 rows before 2026-04-26T00:00:00+05:30, the first window";
    assert!(code == 0 && said.contains(before), "{said}{problems}");
    let found = case.json("revenue", rows, &["--all-windows"]);
    assert_eq!((&found["rows"]["only_ours"], &found["windows"]), (&json!(3), &Json::Null), "{found}");
    // Within the windows, nothing may be missing.
    let found = case.json("revenue", &rows.replace("2026-04-26,b,8\n", ""), &[]);
    assert_eq!(found["rows"]["only_ours"], 1, "{found}");
    let windows = json!({ "first": "2026-04-26", "last": "2026-04-26", "ours_before": 2, "ours_after": 1 });
    assert_eq!(found["windows"], windows, "{found}");
    for option in [&["--all-windows"][..], &["--window", "day"]] {
        let (code, _, problems) = case.compare("price", "value\n3.4\n", option);
        assert!(code == 2 && problems.contains("has no effect here: `price` has no windows"), "{problems}");
    }
}

#[test]
fn rows_of_parquet_are_read_with_their_types() {
    let case = Case::new();
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("window_start", Arc::new(Date32Array::from(vec![20_568, 20_568, 20_569, 20_569, 20_570]))),
        ("shop", Arc::new(StringArray::from(vec!["a", "b", "a", "b", "c"]))),
        ("value", Arc::new(Float64Array::from(vec![10.0, 0.2, 2.6, 8.0, 3.000_000_1]))),
    ];
    let batch = RecordBatch::try_from_iter(columns).expect("a batch");
    let file = File::create(case.path("rows.parquet")).expect("a file");
    let mut writer = ArrowWriter::try_new(file, batch.schema(), None).expect("a writer");
    writer.write(&batch).expect("it is written");
    writer.close().expect("it is closed");
    let (code, said, problems) = case.compare_with("revenue", "rows.parquet", &[]);
    assert_eq!(code, 1, "{problems}");
    assert!(said.contains("revenue: 4 rows equal, 1 changed"), "{said}");
    let (code, said, problems) = case.compare_with("revenue", "rows.parquet", &["--tolerance", "1e-6"]);
    assert_eq!(code, 0, "{problems}");
    assert!(said.contains("revenue: 4 rows equal, 1 equal within the tolerance, 0 changed"), "{said}");
}

#[test]
fn days_of_another_zone_are_a_cause() {
    let case = Case::new();
    let rows = "window_start,shop,value\n2026-04-25,a,12.5\n2026-04-25,b,7.2\n2026-04-26,a,0.1\n2026-04-26,b,1\n2026-04-26,c,3\n";
    let found = case.json("revenue", rows, &["--examples", "10"]);
    let causes = causes(&found);
    let (cause, n_explained, n_broken) = &causes[0];
    assert!(cause.starts_with("days are not those of Asia/Kolkata, but of UTC or "), "{found}");
    assert_eq!((*n_explained, *n_broken), (5, 0), "{found}");
    assert_eq!(offsets(&found["causes"][0]), [2, 3, 5], "{found}");
    let found = case.json("revenue", rows, &["--zones", "Asia/Tokyo"]);
    assert!(!found["causes"].to_string().contains("UTC"), "{found}");
    assert!(
        found["tried"].to_string().contains("days are not those of Asia/Kolkata, but of Asia/Tokyo"),
        "{found}"
    );
    let (code, _, problems) = case.compare("revenue", rows, &["--zones", "Asia/Kolkatta"]);
    assert_eq!(code, 2);
    assert!(problems.contains("did you mean `Asia/Kolkata`?"), "{problems}");
    let rows = "window_start,value\n2026-04-25T10:00:00,1\n2026-04-25T12:00:00,1\n2026-04-25T22:00:00,1\n\
                2026-04-25T23:00:00,1\n2026-04-26T11:00:00,1\n2026-04-26T12:00:00,1\n2026-04-26T21:00:00,1\n";
    let found = case.json("hourly", rows, &[]);
    assert_eq!(
        self::causes(&found)[0].0,
        "times of windows are those of a clock in Europe/Berlin",
        "{found}"
    );
}

#[test]
fn counted_duplicates_are_a_cause() {
    let case = Case::new();
    let found = case.json("both", "shop,n,sum\na,4,22.60\nb,3,8.20\nc,1,3.00\n", &[]);
    assert_eq!(causes(&found)[0], ("duplicates are counted".to_owned(), 1, 0), "{found}");
    assert_eq!(offsets(&found["causes"][0]), [1], "{found}");
    assert_eq!(found["causes"][0]["examples"][0]["fields"]["id"], 1);
    assert_eq!(found["rows"]["different"][0]["difference"]["sum"], "+10.00", "{found}");
}

#[test]
fn events_that_came_late_are_a_cause() {
    let case = Case::new();
    let found = case.json("both", "shop,n,sum\na,2,12.50\nb,2,8.00\nc,1,3.00\n", &["--examples", "5"]);
    let expected = ("events from position [6] of the log on are missing".to_owned(), 2, 0);
    assert_eq!(causes(&found), [expected], "{found}");
    assert_eq!(offsets(&found["causes"][0]), [6, 7], "{found}");
}

#[test]
fn what_would_break_most_equal_rows_is_no_cause() {
    let case = Case::new();
    // Only one of three shops was exported.
    let found = case.json("both", "shop,n,sum\na,3,12.60\n", &[]);
    assert_eq!(found["rows"]["equal"], 1, "{found}");
    assert!(causes(&found).is_empty(), "{found}");
}

/// Thirty shops, each with an event that is sent twice, and at the end one more of the last shop; and for
/// each shop its row of another system.
fn of_shops(row: impl Fn(usize) -> usize, arguments: &[&str]) -> (i32, String, String) {
    let case = Case::new();
    let event = |id: usize, shop: usize| {
        format!(
            "{{\"id\":{id},\"at\":\"2026-04-25T10:00:00Z\",\"shop\":\"s{shop}\",\"amount\":\"1\",\"rating\":1}}\n"
        )
    };
    let log: String = (0..30).map(|shop| event(shop, shop).repeat(2)).collect();
    case.write("orders.ndjson", &(log + &event(30, 29)));
    let rows = (0..30).map(|shop| format!("s{shop},{}\n", row(shop))).collect::<String>();
    case.compare("both", &format!("shop,n\n{rows}"), arguments)
}

#[test]
fn a_cause_that_explains_few_rows_is_named_if_there_is_no_better_one() {
    // The last shop lacks its last event, half of the others have counted duplicates, and the rest is
    // anything.
    let row = |shop: usize| match shop {
        0..15 => 2,
        29 => 1,
        _ => 70,
    };
    let (code, said, problems) = of_shops(row, &[]);
    assert_eq!(code, 1, "{problems}");
    assert!(
        said.contains("  cause: duplicates are counted: explains 15 of 30 rows that differ (50 %)\n"),
        "{said}"
    );
    let more = "  1 more cause explains fewer than 10 % of the other rows, probably by chance; --verbose lists them\n";
    assert!(said.contains(more) && !said.contains("missing"), "{said}");
    let (_, said, _) = of_shops(row, &["--verbose"]);
    let little = "  tried: events from position [60] of the log on are missing: explains 1 of 30 rows that differ (3 %)\n";
    assert!(said.contains(little), "{said}");
    let (_, said, _) = of_shops(row, &["--output", "json"]);
    let found: Json = serde_json::from_str(&said).expect("JSON");
    assert_eq!(causes(&found), [("duplicates are counted".to_owned(), 15, 0)], "{found}");
    assert_eq!(found["causes"][0]["share"], 0.5, "{found}");
    assert_eq!((&found["little"][0]["explains"], &found["little"][1]), (&json!(1), &Json::Null), "{found}");
    // What is left by the one is what the other explains.
    let (_, said, _) = of_shops(|shop| if shop == 29 { 1 } else { 2 }, &["--output", "json"]);
    let found: Json = serde_json::from_str(&said).expect("JSON");
    let late = "events from position [60] of the log on are missing".to_owned();
    assert_eq!(causes(&found), [("duplicates are counted".to_owned(), 29, 0), (late, 1, 0)], "{found}");
    // Nothing explains what the others have.
    let (_, said, _) = of_shops(|shop| if shop == 29 { 1 } else { 70 }, &[]);
    let cause = "  cause: events from position [60] of the log on are missing: explains 1 of 30 rows that differ (3 %)\n";
    assert!(said.contains(cause), "{said}");
}

#[test]
fn no_value_as_zero_is_a_cause() {
    let case = Case::new();
    let mean = "shop,value\na,2.3333333333333335\nb,2.3333333333333335\nc,1.0\n";
    let found = case.json("rating", mean, &[]);
    assert_eq!(causes(&found)[0], ("no value counts as zero".to_owned(), 2, 0), "{found}");
    assert_eq!(offsets(&found["causes"][0]), [2, 4], "{found}");
}

#[test]
fn floats_instead_of_decimals_are_a_cause() {
    let case = Case::new();
    let found = case.json("price", "value\n3.4000000000000004\n", &[]);
    assert!(causes(&found).iter().any(|(cause, ..)| cause == "numbers are floats, not decimals"), "{found}");
}

#[test]
fn what_nothing_explains_is_said_with_what_was_tried() {
    let case = Case::new();
    let (code, said, problems) =
        case.compare("both", "shop,n,sum\na,3,12.60\nb,3,9.99\nd,1,1\n", &["--rows", "1"]);
    assert_eq!(code, 1, "{problems}");
    for line in [
        "both: 1 row equal, 1 changed, 1 only in OURS, 1 only in THEIRS\n",
        "… 2 more rows that differ; --rows 0 shows all\n",
        "  none of the causes that were tried gives their numbers\n",
        "  tried: duplicates are counted\n",
        "  tried: events after an earlier position of the log are missing\n",
        "  not tried: days of another time zone: nothing in the metric is about days",
        "  not tried: no value counts as zero: no aggregate of the metric leaves out",
    ] {
        assert!(said.contains(line), "{line}\n{said}");
    }
}

#[test]
fn wrong_files_are_refused_with_the_place_and_the_way_out() {
    let case = Case::new();
    for (metric, rows, arguments, problem) in [
        (
            "revenue",
            "day,shop,value\n2026-04-25,a,1\n",
            &[][..],
            "has no column `window_start`\n  help: its columns are `day`, `shop`, `value`",
        ),
        ("revenue", "window_start,store,value\n2026-04-25,a,1\n", &[], "has no column `shop`"),
        ("revenue", "window_start,shop,eur\n2026-04-25,a,1\n", &[], "has no column `value`"),
        ("revenue", "window_start,shop,value\n2026-04-25,a,much\n", &[], "column `value`"),
        ("revenue", "window_start,shop,value\n,a,1\n", &[], "row 1 has no `window_start`"),
        (
            "revenue",
            "window_start,shop,value\n2026-04-25,a,1\n2026-04-26T00:00Z,a,1\n",
            &[],
            "has an offset in 1 of 2 rows",
        ),
        (
            "revenue",
            "window_start,shop,value\n2026-04-25,a,1\n2026-04-25,a,1\n",
            &[],
            "rows 1 and 2 are of one group: window_start=2026-04-25, shop=a",
        ),
        ("both", "shop,n\na,3\n", &["--value", "n"], "`--value` names the column of a metric with one value"),
        ("revenues", "shop,n\na,3\n", &[], "has no metric `revenues`"),
    ] {
        let (code, _, problems) = case.compare(metric, rows, arguments);
        assert_eq!(code, 2, "{rows}{problems}");
        assert!(problems.contains(problem), "{problem}\n{problems}");
    }
    let (code, _, problems) = case.compare_with("revenue", "nothing.csv", &[]);
    assert_eq!(code, 2);
    assert!(problems.contains("nothing.csv"), "{problems}");
    let (code, said, problems) = case.compare("both", "shop,n\na,3\nb,3\nc,1\n", &[]);
    assert_eq!(code, 0, "{problems}");
    assert!(said.contains("  not compared: `sum`: the file has no such column\n"), "{said}");
    let output = metricc(&[
        "compare",
        &case.path("orders.metric"),
        "--metric",
        "both",
        "--with",
        &case.path("rows.csv"),
    ]);
    assert_eq!(super::code(&output), 2);
    assert!(stderr(&output).contains("source `orders` has no data"), "{}", stderr(&output));
}
