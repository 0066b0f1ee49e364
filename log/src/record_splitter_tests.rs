//! Splitting texts into records.

use std::io::Cursor;

use proptest::prelude::*;

use super::*;

/// Hands out a text in pieces of the given lengths, over and over.
struct Pieces<'a> {
    text: &'a [u8],
    lengths: Vec<usize>,
    next: usize,
}

impl Read for Pieces<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let length = self.lengths[self.next % self.lengths.len()].min(into.len()).min(self.text.len());
        self.next += 1;
        into[..length].copy_from_slice(&self.text[..length]);
        self.text = &self.text[length..];
        Ok(length)
    }
}

type Split = (String, u64, u64, bool, bool);

fn records(text: impl Read, separation: Separation) -> Result<Vec<Split>, String> {
    let mut records = Records::new(text, separation.splitter(), 0, 1).map_err(|error| error.to_string())?;
    let mut all = Vec::new();
    while let Some(record) = records.next().map_err(|error| error.to_string())? {
        let text = String::from_utf8_lossy(records.bytes(&record)).into_owned();
        all.push((text, record.byte, record.line, record.unfinished, record.too_long));
    }
    Ok(all)
}

fn split(text: &[u8], separation: Separation) -> Vec<Split> {
    records(Cursor::new(text), separation).unwrap()
}

fn texts(text: &str, separation: Separation) -> Vec<(String, u64)> {
    split(text.as_bytes(), separation).into_iter().map(|(text, _, line, ..)| (text, line)).collect()
}

fn row(text: &str, byte: u64, line: u64, unfinished: bool) -> Split {
    (text.into(), byte, line, unfinished, false)
}

const CSV: Separation = Separation::Csv(b',');

#[test]
fn c12_a_byte_order_mark_is_stripped_at_the_start_of_the_file_only() {
    let rows = split(b"\xef\xbb\xbfa\r\n\xef\xbb\xbfb", Separation::Lines);
    assert_eq!(rows, [row("a", 3, 1, false), row("\u{feff}b", 6, 2, true)]);
    assert_eq!(split(b"\xef\xbb\xbf", Separation::Lines), []);
    assert_eq!(split(b"", CSV), []);
    assert_eq!(split(b"\xef\xbb\xbf[1]", Separation::JsonArray), [row("1", 4, 1, false)]);
}

#[test]
fn a_line_break_in_a_quoted_cell_is_part_of_the_record() {
    let rows = split(b"a,\"b\nc\"\"\n,\"\r\nd\"e,f\n\"open\n", CSV);
    let wanted =
        [row("a,\"b\nc\"\"\n,\"", 0, 1, false), row("d\"e,f", 13, 4, false), row("\"open", 19, 5, false)];
    assert_eq!(rows, wanted);
}

#[test]
fn one_bad_quote_takes_no_other_record_with_it() {
    let lines = |text: &str| texts(text, CSV).into_iter().map(|(text, _)| text).collect::<Vec<_>>();
    // Not closed at all.
    assert_eq!(lines("1,\"a\n2,b\n3,c\n"), ["1,\"a", "2,b", "3,c"]);
    // Closed by the quote of another record.
    assert_eq!(lines("1,\"a\n2,\"b\"\n3,c\n"), ["1,\"a", "2,\"b\"", "3,c"]);
    assert_eq!(lines("1,\"a\n2,b\"c\n3,c\n"), ["1,\"a", "2,b\"c", "3,c"]);
    // A cell before it goes over lines, as it may.
    assert_eq!(texts("\"x\ny\",\"a\n2,b\n", CSV), [("\"x\ny\",\"a".to_owned(), 1), ("2,b".to_owned(), 3)]);
    // Within the longest record that there may be.
    let text = format!("1,\"a\n{}3,\"c\"\n", "2,b\n".repeat(MAX_RECORD_BYTES / 2));
    assert_eq!(lines(&text).len(), 2 + MAX_RECORD_BYTES / 2);
}

#[test]
fn other_delimiters_end_cells_as_well() {
    let rows = split(b"a;\"b\n;c\"\n\"d\";e\n", Separation::Csv(b';'));
    assert_eq!(rows, [row("a;\"b\n;c\"", 0, 1, false), row("\"d\";e", 9, 3, false)]);
}

#[test]
fn elements_of_an_array_are_records_wherever_lines_end() {
    let wanted = [r#"{"a":"],}\\","b":[1,{}]}"#, "2 ", "[3]"].map(str::to_owned);
    let text = format!("\n [\n{},\n{},{}\n] \n", wanted[0], wanted[1], wanted[2]);
    let found = texts(&text, Separation::JsonArray);
    assert_eq!(found.iter().map(|(text, _)| text.trim_end_matches('\n')).collect::<Vec<_>>(), wanted);
    assert_eq!(found.iter().map(|(_, line)| *line).collect::<Vec<_>>(), [3, 4, 4]);
    assert_eq!(split(b"[]", Separation::JsonArray), []);
}

#[test]
fn objects_one_after_the_other_are_records() {
    let found = texts("{\n \"a\": 1\n}\n{\"a\": \"}\"} {}x y\n{}", Separation::JsonObjects);
    let found: Vec<(&str, u64)> = found.iter().map(|(text, line)| (text.as_str(), *line)).collect();
    assert_eq!(found, [("{\n \"a\": 1\n}", 1), ("{\"a\": \"}\"}", 4), ("{}", 4), ("x y", 4), ("{}", 5)]);
}

#[test]
fn a_text_whose_brackets_do_not_match_is_refused_with_the_line() {
    for (text, separation, problem) in [
        ("[{}", Separation::JsonArray, "line 1: it ends in the middle of an element of the array"),
        ("[{},\n", Separation::JsonArray, "line 2: the array is not closed"),
        ("[{} ", Separation::JsonArray, "line 1: it ends in the middle of an element of the array"),
        ("[{},]", Separation::JsonArray, "line 1: a comma has nothing after it"),
        ("[,{}]", Separation::JsonArray, "line 1: a comma has nothing before it"),
        ("[{}]\n[{}]", Separation::JsonArray, "line 2: there is more after the end of the array"),
        ("[\n{}}]", Separation::JsonArray, "line 2: a bracket closes nothing"),
        ("{\n{}", Separation::JsonObjects, "line 1: it ends in the middle of a record"),
        ("{}\n]", Separation::JsonObjects, "line 2: a bracket closes nothing"),
    ] {
        assert_eq!(records(Cursor::new(text), separation).unwrap_err(), problem, "{text}");
    }
}

#[test]
fn a_record_that_is_too_long_is_stepped_over() {
    for (length, too_long) in
        [(MAX_RECORD_BYTES, false), (MAX_RECORD_BYTES + 1, true), (5 * MAX_RECORD_BYTES, true)]
    {
        for (separation, quote) in [(Separation::Lines, ""), (CSV, "\"")] {
            let long = format!("{quote}{}{quote}", "x".repeat(length - 2 * quote.len()));
            let rows = split(format!("a\n{long}\nb\n").as_bytes(), separation);
            assert_eq!((rows.len(), rows[1].4), (3, too_long), "{length}");
            assert_eq!(rows[2], row("b", length as u64 + 3, 3, false));
            assert!(long.starts_with(&rows[1].0) && !rows[1].0.is_empty());
        }
        let long = format!("\"{}\"", "x".repeat(length - 2));
        let rows = split(format!("[1,\n{long},2]").as_bytes(), Separation::JsonArray);
        assert_eq!((rows.len(), rows[1].4), (3, too_long), "{length}");
        assert_eq!((rows[2].0.as_str(), rows[2].2), ("2", 2));
    }
}

proptest! {
    #[test]
    fn splitting_does_not_depend_on_where_reads_end(
        csv in "[ab,\"\r\n]{0,60}",
        json in "[\\[\\]{}\",\\\\ \n1]{0,40}",
        lengths in prop::collection::vec(1usize..9, 1..20),
    ) {
        let array = format!("[{json}");
        for (text, separation) in [
            (&csv, CSV),
            (&csv, Separation::Lines),
            (&json, Separation::JsonObjects),
            (&array, Separation::JsonArray),
        ] {
            let pieces = Pieces { text: text.as_bytes(), lengths: lengths.clone(), next: 0 };
            prop_assert_eq!(records(pieces, separation), records(Cursor::new(text), separation));
        }
    }

    /// A text of CSV records that are sound is split into them, whatever bad line stands before them.
    #[test]
    fn records_after_a_bad_line_are_found(bad in "[ab,\"]{0,20}", cells in prop::collection::vec("[ab]{1,4}", 1..20)) {
        let text = format!("{bad}\n{}\n", cells.join("\n"));
        let found: Vec<String> = texts(&text, CSV).into_iter().map(|(text, _)| text).collect();
        let wanted: Vec<String> = std::iter::once(bad).chain(cells).collect();
        prop_assert_eq!(found, wanted);
    }

    #[test]
    fn lines_are_counted_as_they_are_read(
        text in "([ab]{0,9}[, ]{0,3}\r?\n|\"a\n?\"?b?\n){0,60}[a ]{0,3}",
        most in 1u64..9,
        lengths in prop::collection::vec(1usize..90, 1..20),
    ) {
        for separation in [CSV, Separation::Lines] {
            let pieces = Pieces { text: text.as_bytes(), lengths: lengths.clone(), next: 0 };
            let read = counted(Cursor::new(&text), separation, None);
            prop_assert_eq!(counted(pieces, separation, Some(most)), read);
        }
    }
}

/// The number of records, the number up to the last one that says something, and the line and byte behind.
fn counted(text: impl Read, separation: Separation, most: Option<u64>) -> (u64, u64, u64, u64) {
    let mut records = Records::new(text, separation.splitter(), 0, 1).unwrap();
    let (mut n_records, mut n_all_said) = (0, 0);
    loop {
        let (n_lines, n_said) = most.map_or((0, 0), |most| records.step_over_lines(most, separation));
        assert!(n_lines <= most.unwrap_or(0) && n_said <= n_lines);
        n_all_said = if n_said > 0 { n_records + n_said } else { n_all_said };
        n_records += n_lines;
        let Some(record) = records.next().unwrap() else { break };
        n_records += 1;
        if !separation.is_blank(records.bytes(&record)) {
            n_all_said = n_records;
        }
    }
    (n_records, n_all_said, records.line, records.byte)
}

#[test]
fn lines_of_large_texts_are_counted_in_blocks() {
    let text = format!("{}\n", "x".repeat(70)).repeat(9000) + "\n \n" + &"y".repeat(300_000) + "\n\r\n";
    for separation in [CSV, Separation::Lines] {
        let slow = counted(Cursor::new(&text), separation, None);
        for most in [1, 57, 58, 1024, u64::MAX] {
            assert_eq!(counted(Cursor::new(&text), separation, Some(most)), slow);
        }
    }
}
