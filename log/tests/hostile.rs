//! Files that are cut off, broken, changed or something else: a clear error or a quarantined record,
//! never a panic and never a silent loss.
#![allow(clippy::unwrap_used, reason = "test code")]

mod common;

use std::fs;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, ListArray, StringArray};
use arrow::datatypes::Int64Type;
use common::*;
use metricc_ir::{Kind, Source, Type};
use metricc_log::{Format, Log, LogError, MAX_QUARANTINED_KEPT, ReadStats};
use proptest::prelude::*;

fn two_fields() -> Arc<Source> {
    source(vec![field("v", int()), field("s", Type::optional(Kind::String))])
}

fn findings(name: &str, content: impl AsRef<[u8]>) -> (Rows, ReadStats) {
    let folder = Folder::new();
    folder.write(name, content);
    read_all(&folder.open(&two_fields()).unwrap())
}

fn open_error(name: &str, content: impl AsRef<[u8]>) -> String {
    let folder = Folder::new();
    let path = folder.write(name, content);
    let error = open(&two_fields(), &path).unwrap_err().to_string();
    assert!(error.starts_with(&format!("`{}` ", path.display())), "{error}");
    error[path.display().to_string().len() + 3..].to_owned()
}

#[test]
fn a_file_that_ends_in_the_middle_of_a_record_says_so() {
    for (content, line) in [
        ("{\"v\":1}\n{\"v\":2,\"s\":\"ab", 2),
        ("{\"v\":1}\n{\"v\"", 2),
        ("{\"v\":1}\n{\"v\":2", 2),
        ("{", 1),
    ] {
        let (rows, findings) = findings("a.ndjson", content);
        let bad = &findings.quarantined[0];
        assert_eq!(
            (rows.len(), findings.n_quarantined, bad.line),
            (line - 1, 1, Some(line as u64)),
            "{content}"
        );
        assert_eq!(bad.problem, "the file ends in the middle of the record");
        assert_eq!(bad.excerpt, content.lines().last().unwrap());
    }
    let (_, cut_character) = findings("a.ndjson", b"{\"v\":1,\"s\":\"\xc3");
    assert_eq!(cut_character.quarantined[0].problem, "the file ends in the middle of the record");
    let (_, whole_line) = findings("a.ndjson", "{\"v\":1\n");
    assert!(whole_line.quarantined[0].problem.starts_with("the line ends in the middle of the object"));

    let (rows, short) = findings("a.csv", "v,s\n1,a\n2");
    assert_eq!(rows, [["1", "a"]]);
    let problem = "the file ends in the middle of the record: 1 cell where the header has 2";
    assert_eq!(short.quarantined[0].problem, problem);
    let (rows, open_quote) = findings("a.csv", "v,s\n1,a\n2,\"b\n3,c\n");
    // The quote may as well be wrong: the record ends at its line.
    assert_eq!((rows.len(), open_quote.quarantined[0].line), (2, Some(3)));
    assert_eq!(open_quote.quarantined[0].problem, "a quote is opened and not closed");
    let (_, open_quote) = findings("a.csv", "v,s\n1,a\n2,\"b");
    let problem = "the file ends in the middle of the record: a quote is opened and not closed";
    assert_eq!(open_quote.quarantined[0].problem, problem);
}

#[test]
fn a_last_line_without_a_line_end_is_a_record() {
    assert_eq!(findings("a.ndjson", "{\"v\":1}").0, [["1", "∅"]]);
    assert_eq!(findings("a.csv", "v,s\n1,\"a\"").0, [["1", "a"]]);
}

#[test]
fn blank_lines_are_records_except_at_the_very_end() {
    let (rows, bad) = findings("a.ndjson", "\n{\"v\":1}\n \t\r\n{\"v\":2}\r\n\n  \n\n");
    assert_eq!((rows.len(), bad.n_records, bad.n_quarantined), (2, 4, 2));
    assert!(bad.quarantined.iter().all(|record| record.problem == "a blank line"));
    let (rows, bad) = findings("a.csv", "v,s\n1,a\r\n\n2,b\n\r\n\n");
    assert_eq!((rows.len(), bad.n_records, bad.n_quarantined), (2, 3, 1));
}

#[test]
fn empty_files_have_no_records() {
    for (name, content) in
        [("a.ndjson", ""), ("a.ndjson", "\n\n"), ("a.csv", ""), ("a.csv", "v,s\n"), ("a.csv", "v,s")]
    {
        let (rows, findings) = findings(name, content);
        assert_eq!((rows.len(), findings), (0, ReadStats::default()), "{content:?}");
    }
    let folder = Folder::new();
    let columns: Vec<(&str, ArrayRef)> = vec![("v", Arc::new(Int64Array::from(Vec::<i64>::new())))];
    let path = folder.parquet("a.parquet", columns, 10);
    assert_eq!(open(&two_fields(), &path).unwrap().n_positions(), 0);
}

#[test]
fn files_that_are_not_sound_are_named() {
    assert_eq!(open_error("a.parquet", ""), "is not a valid Parquet file: it is empty");
    assert!(open_error("a.parquet", "v,s\n1,2\n3,4\n5,6\n").contains("it is another kind of file"));
    assert_eq!(
        open_error("a.csv", "v,\"s\n1,2\n"),
        "is not a valid CSV file: in its header: a quote is opened and not closed"
    );
    assert_eq!(open_error("a.csv", "v,s,v\n"), "has more than one column `v`");
    assert_eq!(open_error("a.csv", "x,s\n1,2\n"), "has no column `v`, which source `events` needs");
    let folder = Folder::new();
    let whole = fs::read(folder.parquet("a.parquet", columns(), 10)).unwrap();
    assert!(open_error("a.parquet", &whole[..whole.len() - 5]).contains("the file is cut off"));
    assert!(folder.open(&two_fields()).is_ok());
    let lists = source(vec![field("v", list(int()))]);
    let error = open(&lists, &folder.write("a.csv", "v\n1\n")).unwrap_err();
    assert_eq!(error.help().as_deref(), Some("CSV has no lists: use NDJSON or Parquet"));
    assert!(matches!(open(&two_fields(), &folder.path().join("none.csv")), Err(LogError::NoFiles { .. })));
    let nowhere = source(vec![metricc_ir::Field { zone: Some("Mars/Phobos".into()), ..field("v", int()) }]);
    let error = open(&nowhere, folder.path()).unwrap_err();
    assert_eq!(error.to_string(), "field `v` of source `events`: there is no time zone `Mars/Phobos`");
}

#[test]
fn a_file_that_was_changed_is_not_read() {
    let folder = Folder::new();
    let path = folder.write("a.ndjson", "{\"v\":1}\n{\"v\":2}\n");
    let log = open(&two_fields(), &path).unwrap();
    let slice = whole(&log).slices().next().unwrap();
    let mut reader = log.read(&slice, &[0], 1).unwrap();
    assert!(reader.next().unwrap().is_ok());
    fs::write(&path, "{\"v\":1}\n{\"v\":3}\n{\"v\":4}\n").unwrap();
    assert!(matches!(reader.next(), Some(Err(LogError::Changed { .. }))));
    assert!(reader.next().is_none());
    assert!(matches!(log.read(&slice, &[0], 1), Err(LogError::Changed { .. })));
    fs::remove_file(&path).unwrap();
    assert!(matches!(log.read(&slice, &[0], 1), Err(LogError::Unreadable { .. })));
}

#[test]
fn a_record_that_is_too_long_or_too_deep_is_quarantined() {
    let long = format!("{{\"v\":1,\"s\":\"{}\"}}\n", "x".repeat(3 << 20));
    let deep = format!("{{\"v\":1,\"w\":{}{}}}\n", "[".repeat(64), "]".repeat(64));
    let good = format!("{{\"v\":1,\"w\":{}{}}}\n", "[".repeat(63), "]".repeat(63));
    let (rows, bad) = findings("a.ndjson", [good.as_str(), &long, &deep, &good].concat());
    assert_eq!((rows.len(), bad.n_quarantined), (2, 2));
    assert_eq!(bad.quarantined[0].problem, "a record of more than 1048576 bytes");
    assert!(bad.quarantined[1].problem.ends_with("nested more than 64 deep"));
    assert!(bad.quarantined.iter().all(|record| record.excerpt.chars().count() == 80));
}

#[test]
fn all_quarantined_records_are_counted_and_the_first_are_kept() {
    let (rows, findings) = findings("a.csv", "v,s\n".to_owned() + &"x,y\n".repeat(5000));
    assert_eq!((rows.len(), findings.n_quarantined), (0, 5000));
    assert!(
        findings.quarantined.iter().map(|record| record.position.offset).eq(0..MAX_QUARANTINED_KEPT as u64)
    );
    let first = &findings.quarantined[0];
    assert_eq!((first.line, first.field.as_deref(), first.excerpt.as_str()), (Some(2), Some("v"), "x"));
}

#[test]
fn large_records_close_a_batch_early() {
    let folder = Folder::new();
    let line = format!("{{\"v\":1,\"s\":\"{}\"}}\n", "x".repeat(1_000_000));
    let log = open(&two_fields(), &folder.write("a.ndjson", line.repeat(40))).unwrap();
    let slice = whole(&log).slices().next().unwrap();
    let sizes: Vec<usize> =
        log.read(&slice, &[0, 1], 1000).unwrap().map(|batch| batch.unwrap().rows.num_rows()).collect();
    assert_eq!(sizes, [17, 17, 6]);
}

fn columns() -> Vec<(&'static str, ArrayRef)> {
    let lists = (0..40).map(|n| Some((0..n % 4).map(Some).collect::<Vec<_>>()));
    vec![
        ("v", Arc::new(Int64Array::from_iter_values(0..40))),
        ("s", Arc::new(StringArray::from_iter((0..40).map(|n| (n % 3 > 0).then(|| format!("s{}", n % 5)))))),
        ("l", Arc::new(ListArray::from_iter_primitive::<Int64Type, _, _>(lists))),
    ]
}

/// Opens a file and reads all of it, whatever comes of it.
fn try_all(source: &Arc<Source>, path: &Path, format: Format) -> Option<(Log, Rows)> {
    let log = open_as(source, path, format).ok()?;
    // What is not sound may claim any number of rows.
    let slices: Vec<_> = whole(&log).slices().filter(|slice| slice.n_positions() < 10_000).collect();
    let columns: Vec<usize> = (0..source.fields.len()).collect();
    let (rows, _) = read_slices(&log, &slices, &columns, 16).ok()?;
    Some((log, rows))
}

/// Runs without the messages of the panics that are caught.
fn in_silence<T>(work: impl FnOnce() -> T) -> T {
    static SILENCE: std::sync::Once = std::sync::Once::new();
    SILENCE.call_once(|| {
        let default = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let from_the_library = info.location().is_some_and(|place| !place.file().contains("tests/"));
            if !from_the_library {
                default(info);
            }
        }));
    });
    work()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn no_bytes_make_reading_text_panic(
        content in prop::collection::vec(prop_oneof![any::<u8>(), prop::sample::select(b"{}\"\\:,\n\rvs1[]".to_vec())], 0..200)
    ) {
        let folder = Folder::new();
        for (format, content) in [(Format::Ndjson, content.clone()), (Format::Csv, [b"v,s\n", content.as_slice()].concat())] {
            let path = folder.write("a", content);
            let source = keyed(two_fields().fields.clone(), &[0]);
            let is_other = || matches!(open_as(&source, &path, format), Err(LogError::OtherKind { .. }));
            prop_assert!(try_all(&source, &path, format).is_some() || is_other());
        }
        let path = folder.write("a", &content);
        let is_refused = |error: &LogError| matches!(error, LogError::OtherKind { .. } | LogError::Malformed { .. });
        match open_as(&two_fields(), &path, Format::Json) {
            Ok(_) => prop_assert!(try_all(&two_fields(), &path, Format::Json).is_some()),
            Err(error) => prop_assert!(is_refused(&error), "{error}"),
        }
    }

    #[test]
    fn no_bytes_make_reading_parquet_panic(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in prop::option::weighted(0.2, any::<prop::sample::Index>()),
    ) {
        let folder = Folder::new();
        let mut content = fs::read(folder.parquet("whole.parquet", columns(), 16)).unwrap();
        if let Some(cut) = cut {
            let length = cut.index(content.len());
            content.drain(length..);
            content.extend(b"\x40\x00\x00\x00PAR1");
        }
        let length = content.len();
        changes.iter().for_each(|(index, byte)| content[index.index(length)] = *byte);
        let path = folder.write("a.parquet", content);
        let fields = [two_fields().fields.clone(), vec![field("l", list(optional(int())))]].concat();
        in_silence(|| try_all(&source(fields), &path, Format::Parquet));
    }
}
