//! Files as people have them, through the binary: what is read, what is refused and how, and exit codes. The
//! data of the cases is in `tests/cases`.

use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::Value;

use super::{code, metricc, stderr, stdout, top};

/// What a command came to.
struct Outcome {
    code: i32,
    rows: Vec<Value>,
    said: String,
}

/// Runs the metrics of a case over a log by all engines, which must agree, and by `verify`, which must come
/// to the same exit code.
fn outcome(case: &str, package: &str, log: &str, more: &[&str]) -> Outcome {
    let at = |name: &str| format!("tests/cases/{case}/{name}");
    let (file, source) = (at(package), format!("ev={}", at(log)));
    let run = |engine: &[&str]| {
        let start = ["run", &file, "--source", &source, "--output", "json"];
        metricc(&[&start[..], engine, more].concat())
    };
    let batch = run(&["--engine", "batch"]);
    for other in [&["--engine", "stream"][..], &["--cut", "0.3"], &["--cut", "0.7"]] {
        let other = run(other);
        assert_eq!((code(&batch), stdout(&batch)), (code(&other), stdout(&other)), "{}", stderr(&other));
        assert!(!stderr(&other).contains("panicked"), "{}", stderr(&other));
    }
    let verified =
        metricc(&[&["verify", &file, "--source", &source, "--cuts", "3", "--seed", "1"], more].concat());
    assert_eq!(code(&verified), code(&batch), "{}", stderr(&verified));
    let rows = stdout(&batch).lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    Outcome { code: code(&batch), rows, said: stderr(&batch) }
}

fn expected(case: &str, name: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(top().join(format!("tests/cases/{case}/{name}"))).expect("a file");
    serde_json::from_str(&text).expect("JSON")
}

/// Asserts that the rows have the expected keys and values, in any order.
fn assert_rows(found: &Outcome, expected: &[Value]) {
    let shown = |row: &Value| {
        format!("{} {} {}", row["metric"], row["key"].as_object().map_or(0, |key| key.len()), {
            let key = row["key"].as_object().cloned().unwrap_or_default();
            serde_json::json!([key, row["value"]])
        })
    };
    let sorted = |rows: &[Value]| {
        let mut rows: Vec<String> = rows.iter().map(shown).collect();
        rows.sort();
        rows
    };
    assert_eq!(found.code, 0, "{}", found.said);
    assert_eq!(sorted(&found.rows), sorted(expected), "{}", found.said);
}

#[test]
fn case_12_files_of_json_that_are_no_ndjson_are_told() {
    const CASE: &str = "12-json-in-the-wild";
    for (log, found, help) in [
        ("array.json,format=ndjson", "it is a JSON array", "format=json"),
        ("utf16.ndjson", "it is UTF-16LE text", "iconv -f UTF-16LE -t UTF-8"),
    ] {
        let outcome = outcome(CASE, "case.metric", log, &[]);
        assert_eq!((outcome.code, outcome.rows.len()), (2, 0));
        assert!(outcome.said.contains(found) && outcome.said.contains(help), "{}", outcome.said);
    }
    let outcome = outcome(CASE, "case.metric", "array.json", &[]);
    assert_eq!((outcome.code, outcome.rows.len()), (0, 3), "{}", outcome.said);
}

#[test]
fn case_14_csv_of_spreadsheets() {
    const CASE: &str = "14-csv-of-spreadsheets";
    let of = |log: &str, more: &[&str]| outcome(CASE, "case.metric", log, more);
    assert_rows(&of("bom_crlf.csv", &[]), &expected(CASE, "expected.bom_crlf.json"));
    for (log, found, help) in [
        ("semicolon.csv", "text with `;` between its cells", "delimiter=;"),
        ("tab.csv", "text with `tab` between its cells", "delimiter=tab"),
        ("cr.csv", "text whose lines end with CR alone", "tr "),
        ("upper.csv", "no column `id`", "`ID`"),
    ] {
        let outcome = of(log, &[]);
        assert_eq!(outcome.code, 2);
        assert!(outcome.said.contains(found) && outcome.said.contains(help), "{}", outcome.said);
    }
    for log in ["tab.tsv", "tab.csv,delimiter=tab", "tab.csv,format=tsv"] {
        let outcome = of(log, &[]);
        assert_eq!((outcome.code, &outcome.rows[0]["value"]["s"]), (0, &"10.50".into()), "{}", outcome.said);
    }
    // One bad quote takes no other record with it.
    let outcome = of("badquote.csv", &["--max-rejected", "90%"]);
    assert_eq!((outcome.code, &outcome.rows[0]["value"]["n"]), (0, &3.into()), "{}", outcome.said);
    assert_eq!(outcome.rows[0]["value"]["s"], "14.00");
    let outcome = of("latin1.csv", &["--max-rejected", "1"]);
    assert_eq!((outcome.code, &outcome.rows[0]["value"]["n"]), (0, &1.into()), "{}", outcome.said);
    assert!(outcome.said.contains("1 of 2 records: not UTF-8 at byte 31"), "{}", outcome.said);
}

#[test]
fn a_file_of_events_without_a_source_is_answered_with_how_to_bind_it() {
    for (arguments, help) in [
        (&["run", "p.metric", "e.ndjson"][..], "events are bound to a source: `--source SOURCE=e.ndjson`"),
        (&["verify", "p.metric", "e.csv.gz"], "events are bound to a source: `--source SOURCE=e.csv.gz`"),
        (&["run", "e.ndjson"], "write `PACKAGE.metric --source SOURCE=e.ndjson`"),
        (&["run", "p.metric", "--source", "e.ndjson"], "write `SOURCE=e.ndjson`, with the source's name"),
    ] {
        let output = metricc(arguments);
        assert!(code(&output) == 2 && stderr(&output).contains(help), "{}", stderr(&output));
    }
}

#[test]
fn a_field_that_no_record_has_is_offered_only_what_its_type_can_be_read_from() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name).to_str().expect("a path").to_owned();
    let package = "source ev {\n  at: timestamp time\n  amount: decimal(8, 2)?\n  user_id: int? \
                   from payload.usr.id\n}\nmetric n = { s: sum(amount), u: distinct(user_id) } { from ev }\n";
    std::fs::write(at("m.metric"), package).expect("a file");
    let record = r#"{"at":"2026-04-25T10:00:00Z","Amount":{"value":1},"payload":{"user":{"id":5}}}"#;
    std::fs::write(at("ev.ndjson"), record).expect("a file");
    let output = metricc(&["run", &at("m.metric"), "--source", &format!("ev={}", at("ev.ndjson"))]);
    let said = stderr(&output);
    for part in [
        "no record has field `amount`: it is none in all of them\n  \
         help: `Amount` is an object; write `from Amount.FIELD`\n",
        "no record has field `user_id`: it is none in all of them\n  \
         help: it is read from `payload.usr.id`, and there is no `usr` in `payload`\n  \
         help: did you mean `payload.user.id`?",
    ] {
        assert!(said.contains(part), "{said}");
    }
}

#[test]
fn case_15_fields_that_no_record_has_are_named_with_what_looks_like_them() {
    for log in ["opt.ndjson", "opt.csv"] {
        let outcome = outcome("15-names-of-columns", "opt.metric", log, &[]);
        assert_eq!(outcome.code, 0);
        for part in [
            "no record has field `user_id`: it is none in all of them",
            "did you mean `userId`?",
            "no record has field `v`: it has its default in all of them",
            "did you mean `V`?",
        ] {
            assert!(outcome.said.contains(part), "{}", outcome.said);
        }
    }
}

#[test]
fn case_18_folders_say_the_value_of_their_key() {
    const CASE: &str = "18-hive-and-evolution";
    for (package, log) in
        [("case.metric", "hive"), ("opt.metric", "hive"), ("opt.metric", "hive/*/*/*.parquet")]
    {
        assert_rows(&outcome(CASE, package, log, &[]), &expected(CASE, "expected.hive.json"));
    }
    let one = outcome(CASE, "opt.metric", "hive/country=DE/day=2026-01-01/part-0.parquet", &[]);
    assert_rows(&one, &expected(CASE, "expected.hive.json")[..1]);
    assert_rows(&outcome(CASE, "opt.metric", "evo", &[]), &expected(CASE, "expected.evo.json"));
}

#[test]
fn case_37_compressed_files_and_json() {
    for log in ["a.ndjson.gz", "a.ndjson.gz,format=ndjson", "gz.ndjson", "a.json", "a.json,format=ndjson"] {
        let outcome = outcome("37-compressed-and-suffixes", "case.metric", log, &[]);
        assert_eq!(outcome.code, 0, "{}", outcome.said);
        assert_eq!(outcome.rows[0]["value"], serde_json::json!({ "n": 2, "s": 3 }), "{log}");
    }
}

#[test]
fn case_40_a_delta_table_is_what_its_log_lists() {
    const CASE: &str = "40-folder-of-a-lake-table";
    assert_rows(&outcome(CASE, "case.metric", "lake", &[]), &expected(CASE, "expected.d.json"));
    let outcome = outcome(CASE, "case.metric", "lake/*.parquet", &[]);
    assert_eq!(outcome.code, 2);
    assert!(outcome.said.contains("part of the Delta Lake table"), "{}", outcome.said);
}

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        let folder = Folder(tempfile::tempdir().expect("a temporary folder"));
        folder
            .write("m.metric", "source ev { at: timestamp time  v: int }\nmetric n = count() { from ev }\n");
        folder
    }

    fn write(&self, name: &str, content: &str) -> String {
        let path = self.0.path().join(name);
        std::fs::write(&path, content).expect("the file is written");
        path.display().to_string()
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).display().to_string()
    }

    /// Runs or verifies the metric over a log. Returns the exit code, stdout and stderr.
    fn command(&self, name: &str, log: &str, more: &[&str]) -> (i32, String, String) {
        let start = [name, &self.path("m.metric"), "--source", &format!("ev={log}")];
        let output = metricc(&[&start[..], more].concat());
        (code(&output), stdout(&output), stderr(&output))
    }
}

#[test]
fn a_delta_table_without_rows_is_a_log_without_events() {
    let folder = Folder::new();
    std::fs::create_dir_all(folder.path("lake/_delta_log")).expect("a folder");
    let start = r#"{"protocol":{"minReaderVersion":1,"minWriterVersion":2}}
{"metaData":{"id":"a","format":{"provider":"parquet","options":{}},"schemaString":"{\"type\":\"struct\",\"fields\":[]}","partitionColumns":[],"configuration":{}}}
"#;
    folder.write("lake/_delta_log/00000000000000000000.json", start);
    for options in [
        &["--allow-empty", "--output", "json"][..],
        &["--allow-empty", "--output", "json", "--engine", "stream"],
    ] {
        let (code, rows, said) = folder.command("run", &folder.path("lake"), options);
        assert_eq!(code, 0, "{said}");
        assert_eq!(rows, "{\"metric\":\"n\",\"key\":{},\"window\":null,\"value\":0}\n");
    }
    let (code, _, said) = folder.command("run", &folder.path("lake"), &[]);
    assert!(code == 1 && said.contains("--allow-empty"), "{said}");
    let (code, _, said) = folder.command("run", &folder.path("lake/nothing"), &[]);
    assert!(code == 2 && said.contains("no file matches"), "{said}");
}

/// Lines of which every `n`th does not decode.
fn lines(n_lines: usize, n: usize) -> String {
    let line = |index: usize| match index % n {
        0 => format!("{{\"at\":\"2026-01-01T00:00:00Z\",\"v\":\"x{index}\"}}\n"),
        _ => format!("{{\"at\":\"2026-01-01T00:00:00Z\",\"v\":{index}}}\n"),
    };
    (0..n_lines).map(line).collect()
}

#[test]
fn too_many_rejected_records_are_no_success() {
    let folder = Folder::new();
    let few = folder.write("few.ndjson", &lines(1000, 100));
    let many = folder.write("many.ndjson", &lines(1000, 50));
    let all = folder.write("all.ndjson", &lines(560, 1));
    for (log, more, expected) in [
        (&few, &[][..], 0),
        (&many, &[], 1),
        (&many, &["--max-rejected", "20"], 0),
        (&many, &["--max-rejected", "19"], 1),
        (&many, &["--max-rejected", "2%"], 0),
        (&few, &["--max-rejected", "0"], 1),
        (&all, &["--max-rejected", "100%"], 1),
    ] {
        for name in ["run", "verify"] {
            let (code, out, said) = folder.command(name, log, more);
            assert_eq!(code, expected, "{name} {log} {more:?}: {said}");
            assert_eq!(out.is_empty(), expected == 1, "{name} {log}: a result is written only with success");
        }
    }
    // A share that is shown beside a limit can be told from it.
    let (_, _, said) = folder.command("run", &many, &["--max-rejected", "19"]);
    assert!(said.contains("and `--max-rejected 19` allows 19\n"), "{said}");
    let (_, _, said) = folder.command("run", &all, &[]);
    for part in [
        "560 of 560 records rejected (100 %)",
        "  560 of 560 records: field `v`: ",
        "all.ndjson:1)",
        "every record was rejected",
    ] {
        assert!(said.contains(part), "{said}");
    }
    assert_eq!(said.matches("field `v`").count(), 1, "{said}");
}

#[test]
fn rejected_records_can_be_listed() {
    let folder = Folder::new();
    let log = folder.write("log.ndjson", &lines(5000, 2));
    let listed = folder.path("rejected.ndjson");
    for name in ["run", "verify"] {
        let (code, _, said) = folder.command(name, &log, &["--rejected", &listed, "--max-rejected", "50%"]);
        assert_eq!(code, 0, "{said}");
        let text = std::fs::read_to_string(&listed).expect("the list");
        assert_eq!(text.lines().count(), 2500);
        let third: Value = serde_json::from_str(text.lines().nth(2).expect("a line")).expect("JSON");
        assert_eq!(
            (&third["source"], &third["line"], &third["offset"]),
            (&"ev".into(), &5.into(), &4.into())
        );
        assert_eq!((&third["field"], &third["value"]), (&"v".into(), &"\"x4\"".into()));
        assert!(third["file"].as_str().is_some_and(|file| file.ends_with("log.ndjson")), "{third}");
        // A file that exists is not written: it may be the log.
        let before = std::fs::read_to_string(&log).expect("the log");
        let (code, _, said) = folder.command(name, &log, &["--rejected", &log, "--max-rejected", "50%"]);
        assert_eq!(code, 2, "{said}");
        assert!(said.contains("there is such a file already"), "{said}");
        assert_eq!(std::fs::read_to_string(&log).expect("the log"), before);
        std::fs::remove_file(&listed).expect("removed");
    }
}

#[test]
fn a_log_without_records_is_no_success_unless_that_is_allowed() {
    let folder = Folder::new();
    for (name, content) in [("empty.ndjson", ""), ("header.csv", "at,v\n"), ("array.json", "[]\n")] {
        let log = folder.write(name, content);
        for command in ["run", "verify"] {
            let (code, out, said) = folder.command(command, &log, &[]);
            assert_eq!((code, out.as_str()), (1, ""), "{command} {name}: {said}");
            assert!(said.contains("the log is empty") && said.contains("--allow-empty"), "{said}");
            assert_eq!(folder.command(command, &log, &["--allow-empty"]).0, 0, "{command} {name}");
        }
    }
}

/// Runs the metric over standard input, which is a pipe.
fn piped(folder: &Folder, source: &str, input: &[u8]) -> (i32, String, String) {
    let mut process = Command::new(env!("CARGO_BIN_EXE_metricc"))
        .args(["run", &folder.path("m.metric"), "--source", source, "--output", "json"])
        .env("NO_COLOR", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the command starts");
    process.stdin.take().expect("stdin").write_all(input).expect("the input is read");
    let output = process.wait_with_output().expect("it ends");
    (code(&output), stdout(&output), stderr(&output))
}

#[test]
fn standard_input_is_a_log() {
    let folder = Folder::new();
    let time = "2026-01-01T00:00:00Z";
    let ndjson = format!("{{\"at\":\"{time}\",\"v\":1}}\n{{\"at\":\"{time}\",\"v\":2}}\n");
    let csv = format!("at;v\n{time};1\n{time};2\n");
    let array = format!("[\n{{\"at\":\"{time}\",\n\"v\":1}},\n{{\"at\":\"{time}\",\"v\":2}}]");
    let gzipped =
        std::fs::read(top().join("tests/cases/37-compressed-and-suffixes/a.ndjson.gz")).expect("a file");
    for (source, input) in [
        ("ev=-", ndjson.as_bytes()),
        ("ev=/dev/stdin", ndjson.as_bytes()),
        ("ev=-,format=csv,delimiter=;", csv.as_bytes()),
        ("ev=-,delimiter=;", csv.as_bytes()),
        ("ev=-", array.as_bytes()),
        ("ev=-", &gzipped),
    ] {
        let (code, out, said) = piped(&folder, source, input);
        assert_eq!((code, out.contains("\"value\":2}")), (0, true), "{source}: {out}{said}");
    }
    assert_eq!(piped(&folder, "ev=-", b"").0, 1);
}

#[test]
fn what_is_bound_to_no_file_is_said() {
    let folder = Folder::new();
    let (code, _, said) = folder.command("run", &folder.path("x.ndjson,format=xml"), &[]);
    assert!(code == 2 && said.contains("unknown format `xml`"), "{said}");
    folder.write("data.lz4", "");
    let (code, _, said) = folder.command("run", &folder.path("data.lz4"), &[]);
    assert!(code == 2 && said.contains("`.gz`, `.zst` or `.bz2` may follow"), "{said}");
}
