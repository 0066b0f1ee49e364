//! Files of other kinds than their names say, of other shapes, in folders that say something, and hostile ones.
#![allow(clippy::unwrap_used, reason = "test code")]

mod common;

use std::io::Write;
use std::sync::Arc;

use arrow::array::Int64Array;
use common::*;
use metricc_ir::{Kind, Source, Type};
use metricc_log::{Binding, FileOptions, Log, LogError, RejectionGroup};

fn events() -> Arc<Source> {
    source(vec![field("id", int()), field("c", optional(Type::of(Kind::String)))])
}

fn opened(folder: &Folder, name: &str, options: &[(&str, &str)]) -> Result<Log, LogError> {
    let mut file_options = FileOptions::default();
    options.iter().for_each(|(option, value)| file_options.set(option, value).unwrap());
    let path = folder.path().join(name).to_string_lossy().into_owned();
    Log::open(&events(), &Binding { path, options: file_options })
}

/// The ids of a file's records, and the texts of what was rejected.
fn read_file(name: &str, content: impl AsRef<[u8]>, options: &[(&str, &str)]) -> (Vec<String>, Vec<String>) {
    let folder = Folder::new();
    folder.write(name, content);
    let (rows, stats) = read_all(&opened(&folder, name, options).unwrap());
    let groups =
        stats.rejections.groups().into_iter().map(|group: &RejectionGroup| group.first.problem.clone());
    (rows.into_iter().map(|row| row[0].clone()).collect(), groups.collect())
}

fn refused(name: &str, content: impl AsRef<[u8]>, options: &[(&str, &str)]) -> (String, String) {
    let folder = Folder::new();
    folder.write(name, content);
    let error = opened(&folder, name, options).unwrap_err();
    (error.to_string(), error.help().unwrap_or_default())
}

fn utf_16(text: &str) -> Vec<u8> {
    [0xff, 0xfe].into_iter().chain(text.encode_utf16().flat_map(u16::to_le_bytes)).collect()
}

#[test]
fn files_of_another_kind_are_refused_with_what_they_are_and_the_way_out() {
    for (name, content, found, help) in [
        ("a.ndjson", b"[\n{\"id\":1},\n{\"id\":2}\n]\n".to_vec(), "a JSON array", "format=json"),
        ("a.ndjson", b"{\n  \"id\": 1\n}\n".to_vec(), "over several lines", "format=json"),
        ("a.ndjson", utf_16("{\"id\":1}\n"), "UTF-16LE text", "iconv -f UTF-16LE"),
        ("a.csv", utf_16("id,c\n1,x\n"), "UTF-16LE text", "iconv -f UTF-16LE"),
        ("a.csv", b"\xef\xbb\xbfid;c\r\n1;x\r\n".to_vec(), "`;` between its cells", "delimiter=;"),
        ("a.csv", b"id\tc\n1\tx\n".to_vec(), "`tab` between its cells", "delimiter=tab"),
        ("a.csv", b"\"x\";\"y\"\n\"1\";\"2\"\n".to_vec(), "`;` between its cells", "delimiter=;"),
        ("a.csv", b"id,c\r1,x\r2,y\r".to_vec(), "CR alone", "tr "),
        ("a.csv", b"PAR1\x15".to_vec(), "a Parquet file", "format=parquet"),
        ("a.csv", b"PK\x03\x04".to_vec(), "ZIP", "export"),
        ("a.csv", b"{\"id\":1}\n".to_vec(), "JSON", "format=ndjson"),
    ] {
        let (error, way_out) = refused(name, &content, &[]);
        assert!(error.contains(name) && error.contains(found), "{error}");
        assert!(way_out.contains(help), "{error}: {way_out}");
    }
}

#[test]
fn what_is_said_of_a_file_is_done() {
    let ids = |name, content: &[u8], options: &[(&str, &str)]| read_file(name, content, options).0;
    assert_eq!(ids("a.csv", b"id;c\n1;\"x;y\"\n2;z\n", &[("delimiter", ";")]), ["1", "2"]);
    assert_eq!(ids("a.tsv", b"id\tc\n1\tx,y\n", &[]), ["1"]);
    assert_eq!(ids("a.txt", b"id\tc\n1\tx\n", &[("format", "tsv")]), ["1"]);
    assert_eq!(ids("a.log", b"[{\"id\":1},{\"id\":2}]", &[("format", "json")]), ["1", "2"]);
    assert_eq!(ids("a.json", b"{\n\"id\": 1\n}\n{\"id\":\n2}\n", &[]), ["1", "2"]);
    assert_eq!(ids("a.json", b"{\"id\":1}\n{\"id\":2}\n", &[]), ["1", "2"]);
    assert_eq!(ids("a.json", b"\xef\xbb\xbf [ {\"id\": 1} ]", &[]), ["1"]);
}

#[test]
fn one_bad_record_takes_no_other_with_it() {
    let (ids, problems) = read_file("a.csv", "id,c\n1,\"x\n2,\"y\"\n3,z\n", &[]);
    assert_eq!(ids, ["2", "3"]);
    assert!(problems[0].contains("a quote is opened and not closed"), "{problems:?}");
    let (ids, problems) = read_file("a.json", "[{\"id\":1},{\"id\":x},[],{\"id\":4}]", &[]);
    assert_eq!((ids, problems.len()), (vec!["1".to_owned(), "4".to_owned()], 2));
    // Where brackets do not match, there is no telling which records there are.
    let (error, _) = refused("a.json", "[{\"id\":1},\n{\"id\":2,\n{\"id\":3}]", &[]);
    assert!(error.contains("a.json") && error.contains("line 2: it ends in the middle"), "{error}");
}

#[test]
fn compressed_files_are_told_by_their_contents() {
    let text = b"{\"id\":1}\n{\"id\":2}\n";
    let packed = zstd::encode_all(&text[..], 1).unwrap();
    for (name, content) in
        [("a.ndjson.zst", &packed[..]), ("a.ndjson", &packed), ("a.json.gz", &packed), ("a.jsonl.gz", text)]
    {
        assert_eq!(read_file(name, content, &[]).0, ["1", "2"], "{name}");
    }
    let (error, _) = refused("a.ndjson.zst", &packed[..packed.len() - 3], &[]);
    assert!(error.contains("not a valid zstd file"), "{error}");
    let mut corrupt = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    corrupt.write_all(text).unwrap();
    let mut corrupt = corrupt.finish().unwrap();
    let sum = corrupt.len() - 8;
    corrupt[sum] ^= 1;
    let (error, _) = refused("a.ndjson.gz", &corrupt, &[]);
    assert!(error.contains("not a valid gzip file"), "{error}");
    let folder = Folder::new();
    folder.parquet("a.parquet", vec![("id", Arc::new(Int64Array::from(vec![7])))], 10);
    let parquet = std::fs::read(folder.path().join("a.parquet")).unwrap();
    assert_eq!(read_file("b.parquet.zst", zstd::encode_all(&parquet[..], 1).unwrap(), &[]).0, ["7"]);
}

/// A gigabyte of blanks in about a megabyte, in a file that is itself a few kilobytes.
#[test]
fn what_becomes_too_long_is_refused() {
    let folder = Folder::new();
    let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 1).unwrap();
    let blanks = vec![b' '; 16 << 20];
    for _ in 0..70 {
        encoder.write_all(&blanks).unwrap();
    }
    let bomb = encoder.finish().unwrap();
    assert!(bomb.len() < 1 << 20, "{}", bomb.len());
    folder.write("a.ndjson.zst", bomb);
    let error = opened(&folder, "a.ndjson.zst", &[]).unwrap_err();
    assert!(error.to_string().contains("more than 1000 times as long"), "{error}");
}

#[test]
fn folders_say_what_their_files_do_not() {
    let folder = Folder::new();
    for below in ["c=D%20E", "c=__HIVE_DEFAULT_PARTITION__", "c=FR"] {
        std::fs::create_dir_all(folder.path().join(format!("t/{below}/day=2026-01-01"))).unwrap();
    }
    folder.parquet(
        "t/c=D%20E/day=2026-01-01/a.parquet",
        vec![("id", Arc::new(Int64Array::from(vec![1])))],
        10,
    );
    folder.write("t/c=D%20E/day=2026-01-01/b.csv", "id\n2\n");
    folder.write("t/c=D%20E/day=2026-01-01/c.ndjson", "{\"id\":3}\n{\"id\":4,\"c\":\"own\"}\n");
    folder.write("t/c=__HIVE_DEFAULT_PARTITION__/day=2026-01-01/d.csv", "id\n5\n");
    folder.write("t/c=FR/day=2026-01-01/e.csv", "id,c\n6,\n7,own\n");
    let wanted =
        [["1", "D E"], ["2", "D E"], ["3", "D E"], ["4", "own"], ["6", "FR"], ["7", "own"], ["5", "∅"]];
    for name in ["t", "t/*/*/*"] {
        let log = opened(&folder, name, &[]).unwrap();
        let (rows, stats) = read_all(&log);
        assert_eq!(rows, wanted, "{name}");
        assert!(stats.fields.iter().all(|field| field.seen), "{name}");
        assert_eq!(log.undeclared_names().into_iter().collect::<Vec<_>>(), ["day"]);
    }
    let numbers = source(vec![field("id", int()), field("c", int())]);
    let error = Log::open(&numbers, &Binding::new(folder.path().join("t").to_string_lossy())).unwrap_err();
    assert!(error.to_string().contains("the folder `c=D E`"), "{error}");
    let needed = source(vec![field("id", int()), field("c", Type::of(Kind::String))]);
    let below = folder.path().join("t/c=__HIVE_DEFAULT_PARTITION__");
    let error = Log::open(&needed, &Binding::new(below.to_string_lossy())).unwrap_err();
    assert!(error.to_string().contains("it says none, and `string` is not optional"), "{error}");
}

#[test]
fn fields_that_no_record_has_are_not_seen_and_names_beside_them_are() {
    let folder = Folder::new();
    folder.write("a.ndjson", "{\"id\":1,\"C\":\"x\"}\n{\"id\":2,\"c\":null,\"d\":1}\n".repeat(3));
    folder.write("b.csv", "id,Cc\n1,x\n");
    let (_, stats) = read_all(&opened(&folder, "b.csv", &[]).unwrap());
    assert_eq!(stats.fields.iter().map(|field| field.seen).collect::<Vec<_>>(), [true, false]);
    let log = opened(&folder, "", &[]).unwrap();
    let (_, stats) = read_all(&log);
    assert_eq!(stats.fields.iter().map(|field| field.seen).collect::<Vec<_>>(), [true, true]);
    assert_eq!(log.undeclared_names().into_iter().collect::<Vec<_>>(), ["C", "Cc", "d"]);
}
