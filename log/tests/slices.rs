//! Slices: they cover an interval exactly, and reading in any division, batch size and projection
//! yields the same rows and findings.
#![allow(clippy::unwrap_used, reason = "test code")]

mod common;

use std::io::Write;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array, StringArray, TimestampMillisecondArray};
use common::*;
use metricc_ir::{Kind, Source, Type};
use metricc_log::{Checksums, FilePart, Frontier, Interval, Log, Position, Slice};
use proptest::prelude::*;

fn views() -> Arc<Source> {
    source(vec![
        field("at", Type::of(Kind::Timestamp)),
        field("user", Type::of(Kind::String)),
        field("n", optional(int())),
        field("share", Type::of(Kind::Float)),
    ])
}

/// How the text files of a log are written.
#[derive(Debug, Clone, Copy)]
enum Writing {
    Plain,
    /// Compressed, each in another way.
    Packed,
    /// As an array over lines, and with other delimiters.
    Other,
}

/// A log of three files of three formats; about one record in seven does not decode.
fn log(folder: &Folder, sizes: [u64; 3], group_rows: usize) -> Log {
    log_written(folder, sizes, group_rows, Writing::Plain)
}

fn gzip(text: &str) -> Vec<u8> {
    // In two members, as tools that append to a file leave them.
    let (first, second) = text.split_at(text.len() / 2);
    let mut packed = Vec::new();
    for part in [first, second] {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(part.as_bytes()).unwrap();
        packed.extend(encoder.finish().unwrap());
    }
    packed
}

fn bzip2(text: &str) -> Vec<u8> {
    let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

fn write_texts(folder: &Folder, ndjson: &str, csv: &str, writing: Writing) {
    match writing {
        Writing::Plain => {
            folder.write("a.ndjson", ndjson);
            folder.write("b.csv", csv);
        }
        Writing::Packed => {
            folder.write("a.ndjson.gz", gzip(ndjson));
            folder.write("b.csv.bz2", bzip2(csv));
        }
        Writing::Other => {
            // A record of another number of brackets is no element.
            let elements: Vec<&str> =
                ndjson.lines().map(|line| if line.ends_with('}') { line } else { "{\"at\":}" }).collect();
            folder.write("a.json", format!("[\n{}\n]\n", elements.join("\n,\n ")));
            folder.write("b.tsv", zstd::encode_all(csv.replace(',', "\t").as_bytes(), 1).unwrap());
        }
    }
}

fn log_written(folder: &Folder, sizes: [u64; 3], group_rows: usize, writing: Writing) -> Log {
    let time = |n: u64| format!("2024-01-01T00:00:{:02}Z", n % 61);
    let ndjson = (0..sizes[0]).map(|n| match n % 9 {
        8 => "{\"at\":\n".to_owned(),
        _ => format!("{{\"at\":\"{}\",\"user\":\"u{n}\",\"n\":{n},\"share\":0.5}}\n", time(n)),
    });
    let csv = (0..sizes[1]).map(|n| match n % 9 {
        7 => "too,few\n".to_owned(),
        _ => format!("\"u\r\n{n}\",,{},1e{}\r\n", time(n), if n % 11 == 3 { 400 } else { 1 }),
    });
    let csv = "user,n,at,share\r\n".to_owned() + &csv.collect::<String>();
    write_texts(folder, &ndjson.collect::<String>(), &csv, writing);
    let numbers: Vec<i64> = (0..i64::try_from(sizes[2]).unwrap()).collect();
    let bad = |n: &i64| if n % 6 == 5 { f64::INFINITY } else { 2.0 };
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("n", Arc::new(Int64Array::from_iter_values(numbers.iter().copied()))),
        ("share", Arc::new(Float64Array::from_iter_values(numbers.iter().map(bad)))),
        (
            "user",
            Arc::new(StringArray::from_iter(numbers.iter().map(|n| (n % 7 != 2).then(|| format!("p{n}"))))),
        ),
        (
            "at",
            Arc::new(
                TimestampMillisecondArray::from_iter_values(numbers.iter().copied()).with_timezone("UTC"),
            ),
        ),
    ];
    folder.parquet("c.parquet", columns, group_rows);
    folder.open(&views()).unwrap()
}

fn check_cover(interval: &Interval, shares: &[Vec<Slice>], n: usize) {
    assert!(shares.len() <= n.max(1));
    assert!(shares.iter().all(|share| !share.is_empty()));
    let mut joined: Vec<Slice> = Vec::new();
    for slice in shares.iter().flatten() {
        assert!(slice.from < slice.to);
        match joined.last_mut() {
            Some(last) if last.partition == slice.partition => {
                assert_eq!(last.to, slice.from);
                last.to = slice.to;
            }
            _ => joined.push(*slice),
        }
    }
    assert_eq!(joined, interval.slices().collect::<Vec<_>>());
}

/// The log of an interval as another process opens it, from what it is sent.
fn sent(log: &Log, interval: &Interval) -> Log {
    let parts = log.file_parts(interval, &Checksums::default()).unwrap();
    let parts: Vec<FilePart> = serde_json::from_str(&serde_json::to_string(&parts).unwrap()).unwrap();
    Log::open_parts(log.source(), log.end().0.len(), &parts, &Checksums::default()).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_division_yields_the_same_rows(
        sizes in [0u64..40, 0u64..40, 1u64..40],
        group_rows in 1usize..20,
        n in 0usize..7,
        batch_rows in 1usize..20,
        columns in prop::sample::subsequence(vec![0usize, 1, 2, 3], 0..=4),
        bounds in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 3),
        writing in prop::sample::select(vec![Writing::Plain, Writing::Packed, Writing::Other]),
    ) {
        let folder = Folder::new();
        let log = log_written(&folder, sizes, group_rows, writing);
        let (mut from, mut to) = (Vec::new(), Vec::new());
        for ((a, b), end) in bounds.iter().zip(log.end().0) {
            let size = usize::try_from(end).unwrap() + 1;
            from.push(a.index(size).min(b.index(size)) as u64);
            to.push(a.index(size).max(b.index(size)) as u64);
        }
        let interval = Interval::new(Frontier(from), Frontier(to)).unwrap();
        let shares = log.slices(&interval, n);
        check_cover(&interval, &shares, n);

        let (all, findings) = read(&log, &interval, &[0, 1, 2, 3]);
        let wanted: Rows = all.iter().map(|row| columns.iter().map(|&column| row[column].clone()).collect()).collect();
        let slices: Vec<Slice> = shares.into_iter().flatten().collect();
        let (rows, mut found) = read_slices(&log, &slices, &columns, batch_rows).unwrap();
        // What is none is counted for the fields that are read.
        let names: Vec<&str> = columns.iter().map(|&column| log.source().fields[column].name.as_str()).collect();
        let of_wanted = findings.none_values.iter().filter(|(field, ..)| names.contains(field));
        prop_assert!(found.none_values.iter().eq(of_wanted));
        found.none_values = findings.none_values.clone();
        prop_assert_eq!((&rows, found), (&wanted, findings));

        let elsewhere = sent(&log, &interval);
        let (rows, elsewhere) = read_slices(&elsewhere, &slices, &columns, batch_rows).unwrap();
        prop_assert_eq!(rows, wanted);
        prop_assert_eq!(elsewhere, read_slices(&log, &slices, &columns, batch_rows).unwrap().1);
    }
}

/// However the same records are written, they are the same rows.
#[test]
fn rows_do_not_depend_on_how_their_files_are_written() {
    let rows_of = |writing| {
        let folder = Folder::new();
        let log = log_written(&folder, [3000, 3000, 1], 10, writing);
        let (rows, stats) = read_all(&log);
        (rows, stats.n_records, stats.n_quarantined, log.end())
    };
    let plain = rows_of(Writing::Plain);
    assert_eq!(rows_of(Writing::Packed), plain);
    assert_eq!(rows_of(Writing::Other), plain);
}

/// A part of a long file is read from a noted place on, whatever other parts there are.
#[test]
fn parts_of_long_files_are_read_from_where_they_begin() {
    for writing in [Writing::Plain, Writing::Packed, Writing::Other] {
        let folder = Folder::new();
        let log = log_written(&folder, [5000, 4000, 1], 10, writing);
        for (from, to) in [
            ([0, 0, 0], [1, 0, 0]),
            ([1023, 1024, 0], [1025, 1025, 1]),
            ([1500, 2100, 0], [4500, 3900, 1]),
            ([4999, 17, 0], [5000, 4000, 1]),
        ] {
            let bound = |offsets: [u64; 3]| Frontier(offsets.to_vec());
            let interval = Interval::new(bound(from), bound(to)).unwrap();
            let here = read(&log, &interval, &[0, 1, 2, 3]);
            assert_eq!(
                read(&sent(&log, &interval), &interval, &[0, 1, 2, 3]),
                here,
                "{writing:?} {interval:?}"
            );
        }
    }
}

#[test]
fn parts_are_read_from_the_file_that_is_meant_alone() {
    let folder = Folder::new();
    let log = log(&folder, [20, 20, 20], 10);
    let parts = log.file_parts(&whole(&log), &Checksums::default()).unwrap();
    let csv = std::fs::read(folder.path().join("b.csv")).unwrap();
    let checksums = Checksums::default();
    let open = || Log::open_parts(log.source(), 3, &parts, &checksums);
    assert!(open().is_ok());
    // One byte of a value, and the file as it was.
    let mut other = csv.clone();
    let at = csv.windows(3).position(|bytes| bytes == b"u\r\n").unwrap();
    other[at] = b'v';
    folder.write("b.csv", &other);
    let error = open().unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with("b.csv` does not have the length and the checksum that are expected of it"),
        "{error}"
    );
    folder.write("b.csv", &csv);
    assert!(open().is_ok());
    std::fs::remove_file(folder.path().join("c.parquet")).unwrap();
    assert!(open().unwrap_err().to_string().contains("c.parquet"));
    // What is not there is not read.
    let interval = Interval::new(log.start(), Frontier(vec![5, 0, 0])).unwrap();
    let elsewhere = sent(&log, &interval);
    let outside = Slice { partition: 1, from: 0, to: 1 };
    assert!(elsewhere.read(&outside, &[0], 10).is_err());
}

#[test]
fn shares_of_large_files_are_about_equal_and_start_where_reading_is_cheap() {
    let folder = Folder::new();
    folder.write("a.ndjson", "{}\n".repeat(30_000));
    folder.write("b.ndjson", "{}\n".repeat(20_500));
    let log = folder.open(&source(vec![field("v", optional(int()))])).unwrap();
    let interval = whole(&log);
    for n in 1..8 {
        let shares = log.slices(&interval, n);
        check_cover(&interval, &shares, n);
        assert_eq!(shares.len(), n);
        for share in shares {
            let size: u64 = share.iter().map(Slice::n_positions).sum();
            assert!(size.abs_diff(50_500 / n as u64) <= 50_500 / n as u64 / 3, "{n}: {size}");
            assert!(share.iter().all(|slice| slice.from % 1024 == 0));
        }
    }
}

#[test]
fn shares_of_parquet_prefer_the_edges_of_row_groups() {
    let folder = Folder::new();
    let numbers = Int64Array::from_iter_values(0..50_000);
    folder.parquet("a.parquet", vec![("v", Arc::new(numbers))], 9_000);
    let log = folder.open(&source(vec![field("v", int())])).unwrap();
    let shares = log.slices(&whole(&log), 2);
    assert_eq!(shares[1], [Slice { partition: 0, from: 27_000, to: 50_000 }]);
    let (rows, _) = read_slices(&log, &shares[1], &[0], 10_000).unwrap();
    assert_eq!((rows.len(), rows[0][0].as_str(), rows[22_999][0].as_str()), (23_000, "27000", "49999"));
}

#[test]
fn the_first_positions_are_those_of_the_first_partitions() {
    let folder = Folder::new();
    let log = log(&folder, [5, 3, 4], 10);
    assert_eq!(log.partition_names(), ["a.ndjson", "b.csv", "c.parquet"]);
    assert_eq!(log.n_positions(), 12);
    assert_eq!(log.frontier_at(0), log.start());
    assert_eq!(log.frontier_at(6), Frontier(vec![5, 1, 0]));
    assert_eq!(log.frontier_at(99), log.end());
}

#[test]
fn what_is_not_in_the_log_is_not_read() {
    let folder = Folder::new();
    let log = log(&folder, [5, 3, 4], 10);
    for (partition, from, to) in [(3, 0, 0), (0, 0, 6), (0, 3, 2)] {
        assert!(log.read(&Slice { partition, from, to }, &[], 10).is_err());
    }
    let slice = Slice { partition: 0, from: 0, to: 1 };
    for columns in [[0, 5].as_slice(), &[1, 0], &[1, 1]] {
        assert!(log.read(&slice, columns, 10).is_err());
    }
    assert_eq!(log.read(&Slice { to: 0, ..slice }, &[0], 10).unwrap().count(), 0);
}

#[test]
fn logs_and_readers_go_to_other_threads() {
    fn shared<T: Send + Sync + Clone>() {}
    fn sent<T: Send>() {}
    shared::<Log>();
    sent::<metricc_log::Reader>();
    sent::<metricc_log::LogError>();
}

/// Rows know their places, whatever was left out between them, however they are read, in every format.
#[test]
fn positions_are_those_of_the_records_that_are_left() {
    let fields = vec![field("id", int()), field("at", Type::of(Kind::Timestamp)), field("v", int())];
    let identified = keyed(fields, &[0]);
    // The second record does not decode, and the fourth is a duplicate of the first.
    let records = [(1, "1"), (2, "\"x\""), (3, "3"), (1, "1"), (4, "4")];
    let line = |(id, v): &(i32, &str)| format!("{{\"id\":{id},\"at\":\"2026-04-25T10:00:00Z\",\"v\":{v}}}\n");
    let folder = Folder::new();
    folder.write("a.ndjson", records.iter().map(line).collect::<String>());
    let cells: String = records
        .iter()
        .map(|(id, v)| format!("{},2026-04-25T10:00:00Z,{}\n", id + 10, v.trim_matches('"')))
        .collect();
    folder.write("b.csv", format!("id,at,v\n{cells}"));
    let log = folder.open(&identified).unwrap();
    let position = metricc_log::position_column(&identified);
    let expected: Vec<String> = [0, 1]
        .iter()
        .flat_map(|partition| {
            [0, 2, 4].map(|offset| Position { partition: *partition, offset }.to_order().to_string())
        })
        .collect();
    for batch_rows in [1, 2, 1000] {
        let slices: Vec<Slice> = whole(&log).slices().collect();
        for columns in [vec![position], vec![2, position]] {
            let (rows, _) = read_slices(&log, &slices, &columns, batch_rows).unwrap();
            let found: Vec<String> = rows.into_iter().map(|row| row.last().unwrap().clone()).collect();
            assert_eq!(found, expected, "{batch_rows} rows at a time");
        }
    }
    assert!(Position { partition: 0, offset: u64::MAX >> 1 } < Position { partition: 1, offset: 0 });
    assert!(
        Position { partition: 0, offset: u64::MAX >> 1 }.to_order()
            < Position { partition: 1, offset: 0 }.to_order()
    );
}
