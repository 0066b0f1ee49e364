use std::fs::{read, read_to_string};

use metricc_ir::Value;

use super::*;
use crate::generate::logs::{LogOptions, log};
use crate::generate::sources::Shape;
use crate::generate::value_texts::decimal_text;

const SHAPE: Shape = Shape { has_identity: true, time_is_date: false, has_lists: true };

fn layout(n_files: usize, is_hostile: bool) -> Layout {
    Layout { seed: 1, n_files, is_hostile }
}

#[test]
fn every_event_is_one_line_and_hostile_records_come_on_top() {
    let source = SHAPE.source();
    let events = log(&source, &LogOptions::new(1, 100));
    let folder = tempfile::tempdir().expect("a folder");
    let written = write_ndjson(folder.path(), &source, &events, &layout(3, true)).expect("files");
    let n_lines: usize = written
        .paths
        .iter()
        .map(|path| read(path).expect("a file").split(|byte| *byte == b'\n').count() - 1)
        .sum();
    assert!(written.n_hostile > 5);
    assert_eq!(n_lines, 100 + written.n_hostile);
    assert_eq!(written.paths.len(), 3);
    assert!(written.paths.is_sorted());
}

/// JSON without the words that some writers of it write for floats that it has no spelling for.
fn without_special_floats(text: &str) -> String {
    let words = ["-Infinity", "Infinity", "NaN"];
    words.iter().fold(text.to_owned(), |text, word| text.replace(&format!(":{word}"), ":null"))
}

#[test]
fn lines_without_hostile_records_are_json() {
    let source = SHAPE.source();
    let events = log(&source, &LogOptions::new(2, 100));
    let folder = tempfile::tempdir().expect("a folder");
    let written = write_ndjson(folder.path(), &source, &events, &layout(1, false)).expect("files");
    let text = read_to_string(&written.paths[0]).expect("a file");
    for (line, event) in text.lines().zip(&events) {
        let record: serde_json::Value =
            serde_json::from_str(&without_special_floats(line)).expect("an object");
        let Value::String(id) = &event["id"] else { panic!("an id") };
        assert_eq!(record["id"], serde_json::Value::from(id.as_str()));
    }
    assert_eq!(written.n_hostile, 0);
}

#[test]
fn arrays_have_an_element_for_each_event() {
    let source = SHAPE.source();
    let events = log(&source, &LogOptions::new(2, 100));
    let folder = tempfile::tempdir().expect("a folder");
    let written = write_json(folder.path(), &source, &events, &layout(3, false)).expect("files");
    let n_elements = written.paths.iter().map(|path| {
        let text = without_special_floats(&read_to_string(path).expect("a file"));
        let array: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        array.as_array().expect("an array").len()
    });
    assert_eq!(n_elements.sum::<usize>(), 100);
}

#[test]
fn c11_an_empty_text_is_quoted_and_none_is_not() {
    let source = Shape { has_lists: false, ..SHAPE }.source();
    let events = log(&source, &LogOptions::new(3, 100));
    let folder = tempfile::tempdir().expect("a folder");
    let written = write_csv(folder.path(), &source, &events, &layout(2, false)).expect("files");
    let text = read_to_string(&written.paths[0]).expect("a file");
    assert!(text.starts_with("\"id\",\"part\",\"at\","));
    assert!(text.contains(",\"\",") && text.contains(",,"));
    assert!(write_csv(folder.path(), &SHAPE.source(), &events, &layout(1, false)).is_err());
}

#[test]
fn more_files_than_events_are_empty_at_the_end() {
    let source = SHAPE.source();
    let events = log(&source, &LogOptions::new(4, 2));
    let lengths: Vec<usize> = runs(&events, 4).map(<[Event]>::len).collect();
    assert_eq!(lengths, [1, 1, 0, 0]);
    assert_eq!(runs(&[], 2).map(<[Event]>::len).collect::<Vec<_>>(), [0, 0]);
}

#[test]
fn decimals_are_written_digit_by_digit() {
    assert_eq!(decimal_text(-5, 2), "-0.05");
    assert_eq!(decimal_text(12_345, 2), "123.45");
    assert_eq!(decimal_text(7, 0), "7");
}
