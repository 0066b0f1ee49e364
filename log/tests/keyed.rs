//! Sources with an identity: the first position wins, whatever interval is read (C77, C78).
#![allow(clippy::unwrap_used, reason = "test code")]

mod common;

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Int64Array, StringArray};
use common::*;
use metricc_ir::{Kind, Source, Type};
use metricc_log::{Checksums, Frontier, Interval, Log, Position};
use proptest::prelude::*;

fn payments() -> Arc<Source> {
    keyed(vec![field("id", Type::optional(Kind::String)), field("amount", int())], &[0])
}

fn line(id: &str, amount: i64) -> String {
    format!("{{\"id\":\"{id}\",\"amount\":{amount}}}\n")
}

#[test]
fn c77_an_identity_below_and_above_the_cut_counts_once() {
    let folder = Folder::new();
    folder.write("a.ndjson", [line("x", 1), line("y", 2), line("x", 1)].concat());
    folder.write("b.csv", "id,amount\ny,2\nz,3\n");
    let log = folder.open(&payments()).unwrap();
    assert_eq!(read_all(&log).0, [["x", "1"], ["y", "2"], ["z", "3"]]);
    for first in 0..=3 {
        for second in 0..=2 {
            let cut = Frontier(vec![first, second]);
            let (mut rows, mut findings) =
                read(&log, &Interval::new(log.start(), cut.clone()).unwrap(), &[1]);
            let (above, more) = read(&log, &Interval::new(cut, log.end()).unwrap(), &[1]);
            rows.extend(above);
            rows.sort();
            findings.merge(more);
            assert_eq!(rows, [["1"], ["2"], ["3"]], "cut at {first}, {second}");
            assert_eq!((findings.n_records, findings.n_duplicates, findings.n_conflicts), (5, 2, 0));
        }
    }
    // A duplicate is one even where the record that won is not read.
    let late = Interval::new(Frontier(vec![2, 0]), log.end()).unwrap();
    assert_eq!(read(&log, &late, &[0]).0, [["z"]]);
}

/// Whoever reads a part of a log leaves out the duplicates of records that it does not see.
#[test]
fn c77_a_part_knows_the_duplicates_of_the_whole_log() {
    let folder = Folder::new();
    folder.write("a.ndjson", [line("x", 1), line("y", 2), line("x", 3)].concat());
    folder.write("b.csv", "id,amount\ny,2\nz,3\n");
    let log = folder.open(&payments()).unwrap();
    let late = Interval::new(Frontier(vec![2, 0]), log.end()).unwrap();
    let parts = log.file_parts(&late, &Checksums::default()).unwrap();
    let elsewhere = Log::open_parts(log.source(), 2, &parts, &Checksums::default()).unwrap();
    let (rows, stats) = read(&elsewhere, &late, &[0]);
    assert_eq!(rows, [["z"]]);
    assert_eq!((stats.n_duplicates, stats.n_conflicts), (2, 1));
}

#[test]
fn c78_the_lowest_position_wins_and_another_payload_is_a_conflict() {
    let folder = Folder::new();
    folder.write("a.ndjson", [line("x", 1), line("x", 2), line("x", 1), line("x", 2)].concat());
    let (rows, findings) = read_all(&folder.open(&payments()).unwrap());
    assert_eq!(rows, [["x", "1"]]);
    assert_eq!((findings.n_duplicates, findings.n_conflicts), (3, 2));
}

#[test]
fn quarantined_records_have_no_identity() {
    let folder = Folder::new();
    folder.write("a.ndjson", "{\"id\":\"x\",\"amount\":\"?\"}\n".to_owned() + &line("x", 2) + &line("x", 2));
    let (rows, findings) = read_all(&folder.open(&payments()).unwrap());
    assert_eq!(rows, [["x", "2"]]);
    assert_eq!((findings.n_quarantined, findings.n_duplicates, findings.n_conflicts), (1, 1, 0));
    assert_eq!(findings.quarantined[0].position, Position { partition: 0, offset: 0 });
}

#[test]
fn records_without_a_value_of_the_key_share_the_identity_none() {
    let folder = Folder::new();
    folder.write("a.csv", "id,amount\n,1\n\"\",1\n,2\n");
    let (rows, findings) = read_all(&folder.open(&payments()).unwrap());
    assert_eq!(rows, [["∅", "1"], ["", "1"]]);
    assert_eq!((findings.n_duplicates, findings.n_conflicts), (1, 1));
}

#[test]
fn an_identity_is_the_same_in_every_format() {
    let folder = Folder::new();
    let columns: Vec<(&str, arrow::array::ArrayRef)> = vec![
        ("id", Arc::new(StringArray::from(vec!["x", "p"]))),
        ("amount", Arc::new(Int64Array::from(vec![1, 9]))),
    ];
    folder.write("a.ndjson", line("x", 1));
    folder.write("b.csv", "amount,id,other\n1,x,7\n9,\"p\",8\n");
    folder.parquet("c.parquet", columns, 1);
    let (rows, findings) = read_all(&folder.open(&payments()).unwrap());
    assert_eq!(rows, [["x", "1"], ["p", "9"]]);
    assert_eq!((findings.n_duplicates, findings.n_conflicts), (3, 0));
}

#[test]
fn keys_of_several_fields_do_not_run_into_each_other() {
    let text = || Type::of(Kind::String);
    let source = keyed(vec![field("a", text()), field("b", text())], &[0, 1]);
    let folder = Folder::new();
    folder.write("a.csv", "a,b\nxy,z\nx,yz\nxyz,\"\"\nx,yz\n");
    let (rows, findings) = read_all(&folder.open(&source).unwrap());
    assert_eq!((rows.len(), findings.n_duplicates), (3, 1));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn duplicates_are_those_of_a_map(
        files in prop::collection::vec(prop::collection::vec((0u8..8, 0i64..2, prop::bool::weighted(0.1)), 0..30), 1..4),
        cut in any::<prop::sample::Index>(),
    ) {
        let folder = Folder::new();
        let (mut first, mut wanted) = (HashMap::new(), Vec::new());
        let (mut n_duplicates, mut n_conflicts) = (0, 0);
        for (number, records) in files.iter().enumerate() {
            let mut text = String::new();
            for (id, amount, broken) in records {
                text += &if *broken { "?\n".to_owned() } else { line(&id.to_string(), *amount) };
                if *broken {
                    continue;
                }
                match first.insert(*id, *amount).map(|before| (first.insert(*id, before), before)) {
                    None => wanted.push(vec![id.to_string(), amount.to_string()]),
                    Some((_, before)) => {
                        n_duplicates += 1;
                        n_conflicts += u64::from(before != *amount);
                    }
                }
            }
            folder.write(&format!("{number}.ndjson"), text);
        }
        let log = folder.open(&payments()).unwrap();
        let cut = log.frontier_at(cut.index(usize::try_from(log.n_positions()).unwrap() + 1) as u64);
        let (mut rows, mut findings) = read(&log, &Interval::new(log.start(), cut.clone()).unwrap(), &[0, 1]);
        let (above, more) = read(&log, &Interval::new(cut, log.end()).unwrap(), &[0, 1]);
        rows.extend(above);
        findings.merge(more);
        prop_assert_eq!(rows, wanted);
        prop_assert_eq!((findings.n_duplicates, findings.n_conflicts), (n_duplicates, n_conflicts));
    }
}
