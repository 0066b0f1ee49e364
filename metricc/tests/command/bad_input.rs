//! Bad input: the message names the input and the position, the exit code is right, and there is neither a
//! panic nor a partial result.

use std::path::Path;

use super::{code, metricc, stderr, stdout};

const EVENTS: &str = "source events { at: timestamp time  v: int }\nmetric n = count() { from events }\n";

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Folder(tempfile::tempdir().expect("a temporary folder"))
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> String {
        let path = self.0.path().join(name);
        std::fs::write(&path, bytes).expect("the file is written");
        path.display().to_string()
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).display().to_string()
    }
}

/// Runs the count over a log that cannot be opened or read, by all engines. Returns stderr.
fn rejected(folder: &Folder, log: &str) -> String {
    let metric = folder.write("events.metric", EVENTS);
    let mut said = String::new();
    for engine in ["batch", "stream", "merged"] {
        let source = format!("events={log}");
        let output = metricc(&["run", &metric, "--source", &source, "--engine", engine, "--output", "json"]);
        assert_eq!(code(&output), 2, "{}", stderr(&output));
        assert_eq!(stdout(&output), "", "no partial result");
        said = stderr(&output);
        assert!(!said.contains("panicked"), "{said}");
    }
    said
}

fn check(text: impl AsRef<[u8]>) -> (i32, String) {
    let folder = Folder::new();
    let file = folder.write("bad.metric", text);
    let output = metricc(&["check", &file, "--message-format", "short"]);
    let said = stderr(&output);
    assert!(!said.contains("panicked"), "{said}");
    (code(&output), said)
}

#[test]
fn wrong_paths_are_named() {
    let folder = Folder::new();
    let said = rejected(&folder, &folder.path("nowhere.ndjson"));
    assert!(said.contains("source `events`") && said.contains("nowhere.ndjson"), "{said}");
    let output = metricc(&["check", &folder.path("nowhere.metric")]);
    assert_eq!(code(&output), 2);
    assert!(stderr(&output).contains("nowhere.metric"), "{}", stderr(&output));
    let said = rejected(&folder, &folder.path("*.csv"));
    assert!(said.contains("*.csv"), "{said}");
}

#[test]
fn missing_and_mistyped_columns_are_named() {
    let folder = Folder::new();
    let log = folder.write("log.csv", "at,w\n2026-01-01T00:00:00Z,1\n");
    let said = rejected(&folder, &log);
    assert!(said.contains("`v`") && said.contains("log.csv"), "{said}");
    let slice = Path::new("examples/flights/log/2001-03-30.parquet");
    let metric = folder.write(
        "flights.metric",
        "source flights { date: timestamp time zone \"UTC\"  origin: list<string> }\nmetric n = count() { from flights }\n",
    );
    let output = metricc(&["run", &metric, "--source", &format!("flights={}", slice.display())]);
    assert_eq!(code(&output), 2);
    assert!(stderr(&output).contains("`origin`"), "{}", stderr(&output));
}

#[test]
fn truncated_and_empty_parquet_files_are_rejected() {
    let folder = Folder::new();
    let whole =
        std::fs::read(super::top().join("examples/flights/log/2001-03-30.parquet")).expect("the slice");
    for (name, bytes) in [
        ("half.parquet", &whole[..whole.len() / 2]),
        ("empty.parquet", &[][..]),
        ("text.parquet", b"PAR1 hello"),
    ] {
        let log = folder.write(name, bytes);
        let said = rejected(&folder, &log);
        assert!(said.contains(name), "{said}");
    }
}

#[test]
fn an_empty_log_gives_a_result_and_a_warning_where_it_is_allowed() {
    let folder = Folder::new();
    let metric = folder.write("events.metric", EVENTS);
    let log = folder.write("log.ndjson", "");
    let source = format!("events={log}");
    let output = metricc(&["run", &metric, "--source", &source, "--output", "json", "--allow-empty"]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert_eq!(stdout(&output), "{\"metric\":\"n\",\"key\":{},\"window\":null,\"value\":0}\n");
    assert!(stderr(&output).contains("the log is empty"), "{}", stderr(&output));
    let verified = metricc(&["verify", &metric, "--source", &source, "--allow-empty"]);
    assert_eq!(code(&verified), 0, "{}", stderr(&verified));
}

#[test]
fn a_truncated_last_record_is_quarantined_with_a_warning() {
    let folder = Folder::new();
    let metric = folder.write("events.metric", EVENTS);
    let log =
        folder.write("log.ndjson", "{\"at\":\"2026-01-01T00:00:00Z\",\"v\":1}\n{\"at\":\"2026-01-01T00:0");
    let output = metricc(&["run", &metric, "--source", &format!("events={log}"), "--output", "json"]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert!(stdout(&output).contains("\"value\":1}"));
    let said = stderr(&output);
    assert!(said.contains("1 of 2 records rejected (50 %)") && said.contains("log.ndjson:2"), "{said}");
}

#[test]
fn metric_files_of_any_bytes_get_diagnostics() {
    let chain = format!("{EVENTS}metric m = sum(v{}) {{ from events }}", " + 1".repeat(10_000));
    let nested =
        format!("{EVENTS}metric m = sum({}v{}) {{ from events }}", "(".repeat(10_000), ")".repeat(10_000));
    let bytes: Vec<u8> = (0..4096u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    for (name, text) in [
        ("empty", Vec::new()),
        ("random", bytes),
        ("nested", nested.into_bytes()),
        ("chain", chain.into_bytes()),
    ] {
        let (code, said) = check(&text);
        assert_eq!(code, 1, "{name}: {said}");
        assert!(said.contains("bad.metric:"), "{name}: {said}");
    }
}

#[test]
fn type_errors_name_the_item() {
    for (text, thing) in [
        ("source s { v: int }\nmetric m = count() { from s }", "time"),
        ("source s { at: timestamp time zone \"Europe/Berln\" }", "Europe/Berlin"),
        (
            "source s { at: timestamp time }\nmetric m = count() { from s }\nmetric m = count() { from s }",
            "`m`",
        ),
        (
            "source s { at: timestamp time  st: enum(\"captured\", \"failed\") }\nmetric m = count() { from s  where st == \"capturd\" }",
            "captured",
        ),
    ] {
        let (code, said) = check(text);
        assert_eq!(code, 1, "{said}");
        assert!(said.contains(thing), "{thing}: {said}");
    }
}

#[test]
fn an_error_in_one_metric_does_not_hide_errors_in_the_next() {
    let (code, said) =
        check(format!("{EVENTS}metric a = sum(w) {{ from events }}\nmetric b = count() {{ from event }}\n"));
    assert_eq!(code, 1);
    assert!(said.contains("`w`") && said.contains("`event`"), "{said}");
    assert!(said.contains("2 errors"), "{said}");
}

#[test]
fn usage_errors_exit_with_2_and_help() {
    let folder = Folder::new();
    let metric = folder.write("events.metric", EVENTS);
    let log = folder.write("log.ndjson", "");
    let source = format!("events={log}");
    for (arguments, help) in [
        (vec!["run", &metric], "--source events=PATH"),
        (vec!["run", &metric, "--source", "event=x"], "`events`"),
        (vec!["run", &metric, "--source", "events"], "NAME=PATH"),
        (vec!["run", &metric, "--source", &source, "--metric", "m"], "`n`"),
        (vec!["run", &metric, "--source", &source, "--cut", "1.5"], "0 to 1"),
        (vec!["run", &metric, "--source", &source, "--workers", "0"], "1..=256"),
        (vec!["run", &metric, "--source", &source, "--output", "parquet"], "--out DIR"),
        (vec!["explain", &metric, "x"], "`n`"),
    ] {
        let output = metricc(&arguments);
        assert_eq!(code(&output), 2, "{arguments:?}");
        assert!(stderr(&output).contains(help), "{arguments:?}: {}", stderr(&output));
    }
}

#[test]
fn too_little_memory_spills_or_is_an_error_and_never_changes_the_result() {
    let folder = Folder::new();
    let rows: String =
        (0..120_000).map(|n| format!("2026-01-01T00:00:00Z,{}\n", n * 7919 % 100_003)).collect();
    let source = format!("s={}", folder.write("log.csv", format!("at,k\n{rows}")));
    let (many, few) =
        ("m = { n: count(), d: distinct(k) } { from s  by k }", "few = count() { from s  by k % 7 as rest }");
    // In both orders, since the first metric reads the log for the second.
    for (first, second) in [(many, few), (few, many)] {
        let text = format!("source s {{ at: timestamp time  k: int }}\nmetric {first}\nmetric {second}\n");
        let metric = folder.write("keys.metric", text);
        let run = |memory: &str, workers: &str| {
            let fixed = ["run", &metric, "--source", &source, "--engine", "batch", "--output", "json"];
            metricc(&fixed.into_iter().chain(["--workers", workers, "--memory", memory]).collect::<Vec<_>>())
        };
        let plenty = run("4096", "2");
        assert_eq!(code(&plenty), 0, "{}", stderr(&plenty));
        assert_eq!(stdout(&plenty).lines().count(), 100_003 + 7);
        for (memory, workers) in [("8", "2"), ("4", "2"), ("2", "2"), ("1", "2"), ("2", "1"), ("1", "1")] {
            let little = run(memory, workers);
            match code(&little) {
                0 => assert!(stdout(&little) == stdout(&plenty), "another result with {memory} MiB"),
                2 => {
                    assert_eq!(stdout(&little), "");
                    assert!(stderr(&little).contains("--memory"), "{}", stderr(&little));
                }
                code => panic!("exit code {code}: {}", stderr(&little)),
            }
            assert!(memory != "8" || code(&little) == 0, "8 MiB are enough to spill: {}", stderr(&little));
        }
    }
}

#[test]
fn results_do_not_replace_the_log_that_they_are_of() {
    let folder = Folder::new();
    let record = "{\"at\":\"2026-01-01T00:00:00Z\"}\n";
    let metric = folder
        .write("m.metric", "source events { at: timestamp time }\nmetric n = count() { from events }\n");
    let log = folder.write("n.ndjson", record);
    let out = folder.path(".");
    for source in [&log, &out, &folder.path("*.ndjson")] {
        let source = format!("events={source},format=ndjson");
        let arguments = ["run", &metric, "--source", &source, "--output", "json", "--out", &out];
        let output = metricc(&arguments);
        assert_eq!(code(&output), 2, "{source}");
        assert_eq!(std::fs::read_to_string(&log).expect("the log"), record);
    }
    // Beside the log, in a file of its own, and again over that.
    let source = format!("events={log}");
    for _ in 0..2 {
        let arguments = ["run", &metric, "--source", &source, "--output", "csv", "--out", &out];
        let output = metricc(&arguments);
        assert_eq!(code(&output), 0, "{}", stderr(&output));
    }
}

#[test]
fn a_folder_that_cannot_take_results_is_refused_before_anything_is_read() {
    let folder = Folder::new();
    let metric = folder
        .write("m.metric", "source events { at: timestamp time }\nmetric n = count() { from events }\n");
    let file = folder.write("file", "");
    std::fs::create_dir_all(folder.path("taken/n.csv")).expect("a folder");
    for (out, problem) in [
        (file.clone(), "is not a folder"),
        (format!("{file}/below"), "is not a folder"),
        (folder.path("taken"), "n.csv` is a folder, and would be a file of rows"),
        ("/proc/out".to_owned(), "no file can be made in `/proc`"),
    ] {
        let source = "events=not-read.ndjson";
        let refused = metricc(&["run", &metric, "--source", source, "--output", "csv", "--out", &out]);
        let said = stderr(&refused);
        assert_eq!(code(&refused), 2, "{said}");
        assert!(said.contains(problem) && said.contains(&format!("`--out {out}`")), "{said}");
    }
}

#[test]
fn results_have_the_mode_of_the_umask() {
    use std::os::unix::fs::PermissionsExt;
    let folder = Folder::new();
    let metric = folder
        .write("m.metric", "source events { at: timestamp time }\nmetric n = count() { from events }\n");
    let log = folder.write("e.ndjson", "{\"at\":\"2026-01-01T00:00:00Z\"}\n");
    for (umask, mode) in [("022", 0o644), ("027", 0o640)] {
        let line = format!("umask {umask}; exec \"$@\"");
        let (source, out) = (format!("events={log}"), folder.path(umask));
        let mut shell = std::process::Command::new("sh");
        shell.args(["-c", &line, "sh", env!("CARGO_BIN_EXE_metricc"), "run", &metric, "--source", &source]);
        let ran = shell.args(["--output", "csv", "--out", &out]).output().expect("it runs");
        assert_eq!(code(&ran), 0, "{}", stderr(&ran));
        let written = std::fs::metadata(format!("{out}/n.csv")).expect("the rows");
        assert_eq!(written.permissions().mode() & 0o777, mode, "umask {umask}");
    }
}
