//! Files that are no plain files, and values that act on a terminal: refused, or shown as escapes.

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use super::{code, stderr, stdout};

/// Time within which a command has to be done.
const LIMIT: Duration = Duration::from_secs(20);

/// Runs a command that must not take longer than the limit.
fn in_time(folder: &Path, arguments: &[&str]) -> Output {
    let mut process = Command::new(env!("CARGO_BIN_EXE_metricc"))
        .args(arguments)
        .current_dir(folder)
        .env("NO_COLOR", "1")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the command starts");
    let start = Instant::now();
    while process.try_wait().expect("it can be waited for").is_none() {
        if start.elapsed() > LIMIT {
            process.kill().expect("it is stopped");
            panic!("{arguments:?} hangs");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    process.wait_with_output().expect("its output")
}

/// A FIFO, and a link to a device that never ends.
fn hostile(folder: &Path, name: &str, is_fifo: bool) {
    let path = folder.join(name);
    match is_fifo {
        true => {
            let made = Command::new("mkfifo").arg(&path).status().expect("mkfifo runs");
            assert!(made.success());
        }
        false => std::os::unix::fs::symlink("/dev/zero", &path).expect("the link is made"),
    }
}

const SOURCE: &str = "source s { id: int key  at: timestamp time  k: string }\n";

#[test]
fn fifos_and_devices_are_refused_by_every_command() {
    for is_fifo in [true, false] {
        let home = tempfile::tempdir().expect("a folder");
        let folder = home.path();
        let write = |name: &str, text: &str| std::fs::write(folder.join(name), text).expect("written");
        let table = "table shops { k: string key  city: string }\n\
                     metric m = count() { from s  lookup shop = shops[k]  by shop.city as city }\n";
        write("package.metric", &format!("{SOURCE}{table}"));
        hostile(folder, "shops.csv", is_fifo);
        hostile(folder, "other.metric", is_fifo);
        hostile(folder, "node.toml", is_fifo);
        write("uses.metric", "use other.{s}\nmetric m = count() { from s }\n");
        write("s.ndjson", "{\"id\":1,\"at\":\"2026-01-01T00:00:00Z\",\"k\":\"a\"}\n");
        for arguments in [
            &["check", "package.metric"][..],
            &["check", "uses.metric"],
            &["check", "other.metric"],
            &["fmt", "other.metric"],
            &["test", "package.metric"],
            &["test", "other.metric"],
            &["run", "package.metric", "--source", "s=s.ndjson"],
            &["run", "other.metric", "--source", "s=s.ndjson"],
            &["diff", "other.metric", "package.metric"],
            &["serve", "package.metric", "--data", "data"],
            &["serve", "node.toml"],
            &["query", "m", "--token-file", "other.metric"],
        ] {
            let output = in_time(folder, arguments);
            let said = format!("{}{}", stdout(&output), stderr(&output));
            assert_ne!(code(&output), 0, "{arguments:?}: {said}");
            assert!(said.contains("plain file"), "{arguments:?}: {said}");
        }
    }
}

#[test]
fn values_that_act_on_a_terminal_are_shown_as_escapes() {
    let home = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| std::fs::write(home.path().join(name), text).expect("written");
    write("m.metric", &format!("{SOURCE}metric m = {{ n: count(), last: last(k) }} {{ from s  by k }}\n"));
    let record =
        |id: u32, k: &str| format!("{{\"id\":{id},\"at\":\"2026-01-01T00:00:00Z\",\"k\":\"{k}\"}}\n");
    let records = [
        record(1, "\\u001b[2J\\u0007"),
        record(2, "two\\nlines\\r"),
        record(3, "\\u202eleft\\u009b"),
        record(4, "none"),
        record(5, ""),
    ];
    write("s.ndjson", &format!("{}{{\"id\":\"\u{1b}[31m\"}}\n", records.concat()));
    let run = |output: &str| {
        in_time(home.path(), &["run", "m.metric", "--source", "s=s.ndjson", "--output", output])
    };
    let output = run("table");
    let (table, said) = (stdout(&output), stderr(&output));
    for text in [&table, &said] {
        let acts = text.chars().find(|letter| *letter != '\n' && letter.is_control());
        assert_eq!(acts, None, "{text:?}");
        assert!(!text.contains('\u{202e}'), "{text:?}");
    }
    for shown in ["\\u001b[2J\\u0007", "two\\nlines\\r", "\\u202eleft\\u009b", "\"none\"", "\"\""] {
        assert!(table.contains(shown), "{shown} in {table}");
    }
    let n_rows = table.lines().filter(|line| line.starts_with('│')).count();
    assert_eq!(n_rows, 1 + records.len(), "{table}");
    // For programs the data is what it is.
    assert!(stdout(&run("csv")).contains("\u{1b}[2J"));
}

#[test]
fn a_file_with_controls_is_quoted_as_escapes() {
    let home = tempfile::tempdir().expect("a folder");
    let name = "\u{1b}[31mred.metric";
    std::fs::write(home.path().join(name), format!("{SOURCE}metric m = cnt() {{ from s }} # \u{202e}x\n"))
        .expect("written");
    for format in ["full", "short"] {
        let output = in_time(home.path(), &["check", name, "--message-format", format]);
        let said = stderr(&output);
        assert_eq!(code(&output), 1, "{said}");
        assert!(said.chars().all(|letter| letter == '\n' || !letter.is_control()), "{said:?}");
        assert!(!said.contains('\u{202e}'), "{said:?}");
    }
}

#[test]
fn what_could_not_be_computed_is_said_by_every_command_and_format() {
    let home = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| std::fs::write(home.path().join(name), text).expect("written");
    let source = "source s { id: int key  at: timestamp time  a: int }\n";
    let record = r#"{ id: 1, at: "2026-01-01T00:00:00Z", a: 9223372036854775807 }"#;
    write(
        "m.metric",
        &format!(
            "{source}metric m = {{ n: count(), s: sum(a * a * a) }} {{ from s }}\n\
             test \"lost\" {{\n  given s [{record}]\n  expect m [{{ n: 1, s: none }}]\n}}\n"
        ),
    );
    write("s.ndjson", "{\"id\":1,\"at\":\"2026-01-01T00:00:00Z\",\"a\":9223372036854775807}\n");
    let warning = "`m.s`: 1 row could not be computed: an expression over 1 event has no place in its type";
    for format in ["table", "json", "csv", "arrow"] {
        let output = in_time(home.path(), &["run", "m.metric", "--source", "s=s.ndjson", "--output", format]);
        assert_eq!(code(&output), 0);
        assert!(stderr(&output).contains(warning), "{format}: {}", stderr(&output));
        if format == "json" {
            let line = r#"{"metric":"m","key":{},"window":null,"value":{"n":1,"s":null},"overflow":{"s":1}}"#;
            assert_eq!(stdout(&output), format!("{line}\n"));
        }
        if format == "arrow" {
            assert!(output.stdout.windows(16).any(|bytes| bytes == b"metricc.overflow"));
        }
    }
    let output = in_time(home.path(), &["verify", "m.metric", "--source", "s=s.ndjson", "--seed", "1"]);
    assert_eq!(code(&output), 0);
    assert!(stderr(&output).contains(warning), "{}", stderr(&output));
    let output = in_time(home.path(), &["test", "m.metric"]);
    assert_eq!(code(&output), 0, "{}", stdout(&output));
    assert!(stdout(&output).contains(&format!("note: {warning}")), "{}", stdout(&output));
}
