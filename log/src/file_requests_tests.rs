//! Files as requests.

use super::*;

fn bodies(name: &str, text: &str, max_records: usize, max_bytes: usize) -> Vec<(u64, u64, String)> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, text).unwrap();
    let mut requests =
        FileRequests::open_with(&path, &FileOptions::default(), max_records, max_bytes).unwrap();
    std::iter::from_fn(|| requests.next_request().unwrap())
        .map(|request| (request.first, request.n_records, String::from_utf8(request.body).unwrap()))
        .collect()
}

#[test]
fn lines_are_cut_by_number_and_by_bytes_and_none_is_lost() {
    let cut = bodies("a.ndjson", "{}\n{\"a\":1}\n{}", 2, 1000);
    assert_eq!(cut, [(0, 2, "{}\n{\"a\":1}\n".to_owned()), (2, 1, "{}\n".to_owned())]);
    let cut = bodies("a.ndjson", "{}\n{\"a\":1}\n{}", 100, 5);
    assert_eq!(cut.iter().map(|(first, n, _)| (*first, *n)).collect::<Vec<_>>(), [(0, 1), (1, 1), (2, 1)]);
}

#[test]
fn blank_lines_count_only_where_something_follows() {
    let cut = bodies("a.ndjson", "{}\n\n\n{}\n\n\n", 1, 1000);
    assert_eq!(cut, [(0, 1, "{}\n".to_owned()), (1, 3, "\n\n{}\n".to_owned())]);
    assert_eq!(bodies("a.ndjson", "\n\n", 10, 1000), []);
}

#[test]
fn each_part_of_a_csv_file_has_the_header_and_quoted_line_ends_stay() {
    let cut = bodies("a.csv", "a,b\n1,\"x\ny\"\n2,z\n", 1, 1000);
    assert_eq!(cut, [(0, 1, "a,b\n1,\"x\ny\"\n".to_owned()), (1, 1, "a,b\n2,z\n".to_owned())]);
    assert_eq!(bodies("a.csv", "", 1, 1000), []);
    // The header is seen, whether or not records follow.
    assert_eq!(bodies("a.csv", "a,b\n", 1, 1000), [(0, 0, "a,b\n".to_owned())]);
}

#[test]
fn a_cell_that_is_too_long_takes_no_other_record_with_it() {
    let text = format!("a,b\n1,\"{}\"\n2,z\n", "x".repeat(2 << 20));
    let cut = bodies("a.csv", &text, 10, 8 << 20);
    assert_eq!(cut.len(), 1);
    assert_eq!((cut[0].0, cut[0].1), (0, 2));
    let lines: Vec<&str> = cut[0].2.lines().collect();
    assert_eq!((lines[0], lines[2], lines[1].contains('"')), ("a,b", "2,z", false));
    assert!(lines[1].len() > crate::record_splitter::MAX_RECORD_BYTES);
}

#[test]
fn keys_are_of_the_name_the_place_and_the_content() {
    let key = |name: &str, text: &str| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        let mut requests = FileRequests::open_with(&path, &FileOptions::default(), 1, 1000).unwrap();
        let all: Vec<String> =
            std::iter::from_fn(|| requests.next_request().unwrap()).map(|request| request.key).collect();
        all
    };
    let first = key("a.ndjson", "{}\n{}\n");
    assert_eq!(first, key("a.ndjson", "{}\n{}\n"));
    assert_ne!(first[0], first[1]);
    assert_ne!(first[0], key("b.ndjson", "{}\n")[0]);
    assert_ne!(first[0], key("a.ndjson", "{ }\n")[0]);
}

#[test]
fn a_name_without_a_form_is_refused_with_the_forms_that_there_are() {
    let error = FileRequests::open(Path::new("events.txt"), &FileOptions::default(), 1).unwrap_err();
    assert!(error.help().unwrap().contains("`.ndjson`"), "{error}");
}

#[test]
fn elements_of_an_array_are_sent_as_arrays() {
    let text = "[\n {\"a\": 1},\n {\"a\":\n 2}, 3\n]";
    let cut = bodies("a.json", text, 2, 1000);
    assert_eq!(cut, [(0, 2, "[{\"a\": 1},{\"a\":\n 2}]".to_owned()), (2, 1, "[3]".to_owned())]);
    let cut = bodies("a.json", "{\n\"a\": 1}\n{\"a\": 2}", 2, 1000);
    assert_eq!(cut, [(0, 2, "[{\n\"a\": 1},{\"a\": 2}]".to_owned())]);
    assert_eq!(bodies("a.json", "{}\n{}\n", 2, 1000), [(0, 2, "{}\n{}\n".to_owned())]);
}

#[test]
fn records_know_their_lines() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.csv");
    std::fs::write(&path, "a,b\n1,\"x\ny\"\n\n2,z\n").unwrap();
    let request = FileRequests::open(&path, &FileOptions::default(), 10).unwrap().next_request().unwrap();
    let request = request.unwrap();
    assert_eq!((request.lines.as_slice(), request.n_records), (&[2, 4, 5][..], 3));
    assert_eq!((request.line_of(0), request.line_of(3)), (Some(2), None));
}

/// The requests of a file of these lines, when the log has those of the text before.
fn after(before: &str, name: &str, text: &str, max_records: usize) -> Vec<(u64, u64, bool)> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, before).unwrap();
    let mut requests = FileRequests::open_with(&path, &FileOptions::default(), max_records, 1000).unwrap();
    let sent: Vec<FileRequest> = std::iter::from_fn(|| requests.next_request().unwrap()).collect();
    std::fs::write(&path, text).unwrap();
    let mut requests = FileRequests::open_with(&path, &FileOptions::default(), max_records, 1000).unwrap();
    sent.iter().for_each(|sent| requests.know(&sent.key, sent.n_records));
    let all = std::iter::from_fn(|| requests.next_request().unwrap());
    all.map(|request| (request.first, request.n_records, request.is_known)).collect()
}

#[test]
fn a_file_that_has_grown_goes_on_where_it_was() {
    let three = "{}\n{\"a\":1}\n{\"a\":2}\n";
    assert_eq!(after(three, "a.ndjson", three, 2), [(0, 2, true), (2, 1, true)]);
    let five = format!("{three}{{\"a\":3}}\n{{\"a\":4}}\n");
    assert_eq!(after(three, "a.ndjson", &five, 2), [(0, 2, true), (2, 1, true), (3, 2, false)]);
    // Blank lines between are records of the new part.
    assert_eq!(after("{}\n", "a.ndjson", "{}\n\n\n{ }\n", 5), [(0, 1, true), (1, 3, false)]);
    let csv = "a,b\n1,x\n2,y\n";
    assert_eq!(after(csv, "a.csv", &format!("{csv}3,z\n"), 5), [(0, 2, true), (2, 1, false)]);
}

#[test]
fn a_line_that_was_unfinished_is_a_request_of_its_own() {
    let before = "{}\n{\"a\":1}\n{\"a\":";
    assert_eq!(after(before, "a.ndjson", before, 5), [(0, 2, true), (2, 1, true)]);
    let finished = "{}\n{\"a\":1}\n{\"a\":2}\n{}\n";
    assert_eq!(after(before, "a.ndjson", finished, 5), [(0, 2, true), (2, 2, false)]);
    // A last line that only lacks its end was whole.
    assert_eq!(after("{}\n{ }", "a.ndjson", "{}\n{ }\n{}\n", 5), [(0, 1, true), (1, 1, true), (2, 1, false)]);
}

#[test]
fn a_file_that_was_replaced_is_sent_whole_from_where_it_differs() {
    let before = "{}\n{\"a\":1}\n{\"a\":2}\n{\"a\":3}\n";
    let other = "{}\n{\"a\":1}\n{\"a\":7}\n{\"a\":3}\n";
    assert_eq!(after(before, "a.ndjson", other, 2), [(0, 2, true), (2, 2, false)]);
    assert_eq!(after(before, "a.ndjson", "{}\n", 2), [(0, 1, false)]);
    assert_eq!(after("a,b\n1,x\n", "a.csv", "b,a\n1,x\n", 2), [(0, 1, false)]);
}

#[test]
fn requests_of_another_size_are_known_too() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.ndjson");
    std::fs::write(&path, "{}\n".repeat(7)).unwrap();
    for (before, now) in [(3, 5), (5, 3), (7, 1), (1, 7)] {
        let mut requests = FileRequests::open_with(&path, &FileOptions::default(), before, 1000).unwrap();
        let sent: Vec<FileRequest> = std::iter::from_fn(|| requests.next_request().unwrap()).collect();
        let mut requests = FileRequests::open_with(&path, &FileOptions::default(), now, 1000).unwrap();
        sent.iter().for_each(|sent| requests.know(&sent.key, sent.n_records));
        let again: Vec<FileRequest> = std::iter::from_fn(|| requests.next_request().unwrap()).collect();
        let keys =
            |requests: &[FileRequest]| requests.iter().map(|request| request.key.clone()).collect::<Vec<_>>();
        assert!(again.iter().all(|request| request.is_known), "{before} {now}");
        assert_eq!(keys(&again), keys(&sent));
    }
}
