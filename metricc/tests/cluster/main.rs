//! Runs on a cluster of real processes on this machine: whatever dies, the bytes are those of one process.

#![allow(clippy::too_many_lines, reason = "a test is one story, told in order")]

mod deaths;
mod local;
mod namespaces;
mod network;
mod node;
mod processes;
mod refusals;

use std::fmt::Write;
use std::path::{Path, PathBuf};

use processes::Cluster;

const PACKAGE: &str = r#"
calendar india { zone "Asia/Kolkata" }
table countries { code: string key  region: string }
source payments {
  id: int key
  at: timestamp time
  country: string
  merchant: int
  amount: decimal(10, 2)
}
metric revenue = sum(amount) { from payments by country every 1h }
metric merchants = distinct(merchant) { from payments  lookup c = countries[country]  by c.region every day in india }
metric median = quantile(amount, 0.5, within: 1%) { from payments by country }
metric last_amount = last(amount) { from payments by merchant }
"#;

const COUNTRIES: &str = "code,region\nDE,Europe\nFR,Europe\nIN,Asia\nUS,America\n";

/// A log of three files in three formats, of which some records do not decode and some come twice.
struct Events {
    folder: tempfile::TempDir,
}

impl Events {
    fn new(n_events: usize) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        std::fs::write(folder.path().join("payments.metric"), PACKAGE).expect("the package is written");
        std::fs::write(folder.path().join("countries.csv"), COUNTRIES).expect("the table is written");
        let log = folder.path().join("log");
        std::fs::create_dir(&log).expect("the folder of the log");
        for (file, name) in ["a.ndjson", "b.csv", "c.ndjson"].into_iter().enumerate() {
            let mut text = if name.ends_with("csv") {
                "id,at,country,merchant,amount\n".to_owned()
            } else {
                String::new()
            };
            for n in (file * n_events / 3)..((file + 1) * n_events / 3) {
                line(&mut text, n, name.ends_with("csv"));
            }
            std::fs::write(log.join(name), text).expect("a file of the log");
        }
        Events { folder }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn log(&self) -> PathBuf {
        self.path().join("log")
    }

    /// The arguments of a run whose rows go to a folder.
    fn run(&self, out: &str) -> Vec<String> {
        let path = |name: &str| self.path().join(name).to_string_lossy().into_owned();
        let source = format!("payments={}", path("log"));
        let arguments = [
            "run",
            &path("payments.metric"),
            "--source",
            &source,
            "--output",
            "parquet",
            "--out",
            &path(out),
        ];
        let limit = ["--max-rejected", "50%"];
        arguments.iter().chain(&limit).map(|argument| (*argument).to_owned()).collect()
    }

    /// The files that a run has written, by name.
    fn rows(&self, out: &str) -> Vec<(String, Vec<u8>)> {
        let files = std::fs::read_dir(self.path().join(out)).expect("the run has written rows");
        let mut rows: Vec<_> = files
            .map(|file| {
                let path = file.expect("a file").path();
                let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                (name, std::fs::read(path).expect("the file is read"))
            })
            .collect();
        rows.sort();
        assert_eq!(rows.len(), 4, "a file for each metric");
        rows
    }

    /// The rows of one process.
    fn expected(&self) -> Vec<(String, Vec<u8>)> {
        let mut arguments = self.run("alone");
        arguments.extend(["--engine", "batch"].map(str::to_owned));
        let alone = processes::command(&arguments).output().expect("the command starts");
        assert!(alone.status.success(), "{}", String::from_utf8_lossy(&alone.stderr));
        self.rows("alone")
    }
}

fn line(text: &mut String, n: usize, is_csv: bool) {
    let country = ["DE", "IN", "US", "FR", "BR"][n * 7 % 5];
    // Each hundredth comes twice, and each thousandth does not decode.
    let id = if n % 100 == 99 { n - 50 } else { n };
    let at = format!("2026-04-{:02}T{:02}:{:02}:00Z", 1 + n / 1440 % 28, n / 60 % 24, n % 60);
    let amount = if n % 1000 == 500 { "much".to_owned() } else { format!("{}.{:02}", n * 31 % 900, n % 100) };
    let merchant = n * n % 5000;
    let written = if is_csv {
        writeln!(text, "{id},{at},{country},{merchant},{amount}")
    } else {
        writeln!(
            text,
            "{{\"id\":{id},\"at\":\"{at}\",\"country\":\"{country}\",\"merchant\":{merchant},\"amount\":\"{amount}\"}}"
        )
    };
    written.expect("text grows");
}

#[test]
fn a_run_on_three_executors_gives_the_bytes_of_one_process() {
    let events = Events::new(60_000);
    let expected = events.expected();
    let cluster = Cluster::start(3);
    let run = cluster.run(&events, "cluster", 1000);
    assert!(run.status.success(), "{}", run.stderr);
    assert_eq!(events.rows("cluster"), expected);
    // Each executor has done some of the jobs, which are told at the end, as are the rejected records.
    assert!(run.stderr.contains("60 jobs by 3 executors"), "{}", run.stderr);
    assert!(run.stderr.contains("60 of 60000 records"), "{}", run.stderr);
    // What was done is not done again.
    // Nor is told what an executor noted after its run had ended.
    let done = cluster.results();
    let run_folder = done[0].parent().expect("the folder of the run");
    std::fs::write(run_folder.join("job.executor.failed"), "it failed before").expect("a note");
    let again = cluster.spawn_with(&events, "again", 1000, &["--engine", "batch"]).wait();
    assert!(again.status.success(), "{}", again.stderr);
    assert_eq!(events.rows("again"), expected);
    assert!(again.duration < run.duration, "{:?} after {:?}", again.duration, run.duration);
    let found = "source `payments`: 60 jobs, whose results were in the store ";
    assert!(again.stderr.contains(found) && !again.stderr.contains("failed before"), "{}", again.stderr);
    // Some of it.
    done.iter().take(20).for_each(|result| std::fs::remove_file(result).expect("a result is forgotten"));
    let some = cluster.run(&events, "some", 1000);
    assert!(some.stderr.contains("60 jobs, of which 40 were in the store "), "{}", some.stderr);
    assert_eq!(events.rows("some"), expected);
}

#[test]
fn f41_large_results_are_merged_by_executors_of_which_one_is_killed() {
    let events = Events::new(300_000);
    let expected = events.expected();
    let mut cluster = Cluster::start(3);
    let options = ["--merge-mib", "1"];
    let run = cluster.spawn_with(&events, "cluster", 2000, &options);
    // All that read the log, and some that merge.
    cluster.wait_for_results(152);
    cluster.executors[0].kill();
    let run = run.wait();
    assert!(run.status.success(), "{}", run.stderr);
    assert_eq!(events.rows("cluster"), expected);
    assert!(run.stderr.contains(": 150 jobs and ") && run.stderr.contains(" merges by "), "{}", run.stderr);
    // What was merged is not merged again.
    let n_results = cluster.results().len();
    let again = cluster.spawn_with(&events, "again", 2000, &options).wait();
    assert!(again.status.success(), "{}", again.stderr);
    assert_eq!(events.rows("again"), expected);
    assert_eq!(cluster.results().len(), n_results);
}

#[test]
fn ten_runs_at_once_do_not_disturb_each_other() {
    let logs: Vec<Events> = (0..5).map(|n| Events::new(3000 + n * 300)).collect();
    let expected: Vec<_> = logs.iter().map(Events::expected).collect();
    let cluster = Cluster::start(2);
    std::thread::scope(|scope| {
        let runs: Vec<_> = (0..10)
            .map(|n| {
                let (cluster, events) = (&cluster, &logs[n % 5]);
                scope.spawn(move || (n, cluster.run(events, &format!("run-{n}"), 500)))
            })
            .collect();
        for run in runs {
            let (n, run) = run.join().expect("the run ends");
            assert!(run.status.success(), "{}", run.stderr);
            assert_eq!(logs[n % 5].rows(&format!("run-{n}")), expected[n % 5], "run {n}");
        }
    });
}
