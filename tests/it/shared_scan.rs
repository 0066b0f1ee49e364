//! One scan for several groupings: each grouping reads the whole log, or there is no result.

use std::fs::{File, OpenOptions};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use metricc::{Engine, evaluate_interval};
use metricc_log::Interval;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;

use crate::layers::{bound, options, package, whole};

/// Three groupings, so that a reader sends batches to others.
const PACKAGE: &str = "
    source events { at: timestamp time  user: int  country: string }
    metric by_user = count() { from events  by user }
    metric by_country = { n: count(), users: distinct(user) } { from events  by country }
    metric total = count() { from events }";

/// Two files of 1,000 events each.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for file in 0..2 {
        let line = |row: usize| {
            format!(
                "{{\"at\": \"2026-04-25T10:00:00Z\", \"user\": {}, \"country\": \"C{}\"}}\n",
                row % 50,
                (row + file) % 7
            )
        };
        let text: String = (0..1000).map(line).collect();
        std::fs::write(folder.path().join(format!("{file}.ndjson")), text).expect("the log is written");
    }
    folder
}

#[test]
fn every_position_is_reported_and_counted_once_in_each_grouping() {
    let folder = folder();
    let bound = bound(&package(PACKAGE), folder.path());
    let interval = Interval::new(bound.log.start(), bound.log.end()).expect("the whole log");
    for engine in [Engine::Batch, Engine::Stream] {
        for workers in 1..=3 {
            let reported = AtomicU64::new(0);
            let progress = |n| {
                reported.fetch_add(n, Ordering::Relaxed);
            };
            evaluate_interval(&bound, engine, &interval, &options(workers, 7), &progress).expect("it runs");
            assert_eq!(reported.into_inner(), 2000, "{engine:?} with {workers} workers");
        }
    }
    let (lines, _) = whole(&bound, Engine::Batch, &options(2, 7));
    assert_eq!(lines, whole(&bound, Engine::Stream, &options(1, 7)).0);
    assert!(lines[2][0].ends_with(r#""value":2000}"#), "{:?}", lines[2]);
}

#[test]
fn a_log_that_cannot_be_read_to_its_end_gives_no_result() {
    for engine in [Engine::Batch, Engine::Stream] {
        for workers in 1..=3 {
            let folder = folder();
            let bound = bound(&package(PACKAGE), folder.path());
            let interval = Interval::new(bound.log.start(), bound.log.end()).expect("the whole log");
            let file = OpenOptions::new().write(true).open(folder.path().join("1.ndjson"));
            file.and_then(|file| file.set_len(9000)).expect("the file is cut");
            let result = evaluate_interval(&bound, engine, &interval, &options(workers, 7), &|_| ());
            let error = result.expect_err("most of a file is missing").to_string();
            assert!(error.contains("1.ndjson` was changed"), "{engine:?} with {workers} workers: {error}");
        }
    }
}

/// 2,000 events in pages of 100. The pages of the second half do not decompress.
fn damaged(path: &Path) {
    let at = TimestampMicrosecondArray::from_iter_values(0..2000).with_timezone_utc();
    let user = Int64Array::from_iter_values((0..2000).map(|row| row * row * 7919 % 100_003));
    let country = StringArray::from_iter_values((0..2000).map(|row| format!("C{}", row * row % 97)));
    let columns: [(&str, ArrayRef, bool); 3] =
        [("at", Arc::new(at), false), ("user", Arc::new(user), false), ("country", Arc::new(country), false)];
    let batch = RecordBatch::try_from_iter_with_nullable(columns).expect("columns");
    let properties = WriterProperties::builder()
        .set_dictionary_enabled(false)
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_data_page_row_count_limit(100)
        .set_write_batch_size(100)
        .set_max_row_group_row_count(Some(1000))
        .build();
    let file = File::create(path).expect("a file");
    let mut writer = ArrowWriter::try_new(file, batch.schema(), Some(properties)).expect("a writer");
    writer.write(&batch).expect("it is written");
    let second = writer.close().expect("it is whole").row_groups()[1].column(1).data_page_offset() as usize;
    let mut bytes = std::fs::read(path).expect("it is there");
    bytes[second + 400..second + 900].fill(0xff);
    std::fs::write(path, bytes).expect("it is damaged");
}

#[test]
fn a_log_that_is_corrupt_in_the_middle_of_a_file_gives_no_result() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("events.parquet");
    damaged(&path);
    let bound = bound(&package(PACKAGE), &path);
    for engine in [Engine::Batch, Engine::Stream] {
        for workers in 1..=3 {
            let run = |to| {
                let interval = Interval::new(bound.log.start(), bound.log.frontier_at(to)).expect("a prefix");
                evaluate_interval(&bound, engine, &interval, &options(workers, 7), &|_| ())
            };
            run(1000).expect("the first half is sound");
            let error = run(2000).expect_err("the second half is not").to_string();
            assert!(error.contains("events.parquet"), "{engine:?} with {workers} workers: {error}");
        }
    }
}
