//! Executors that cannot do a job, and those who ask in vain.

use std::fs;
use std::process::Command;
use std::time::Duration;

use super::Events;
use super::processes::{Cluster, Process, command, free_ports};

/// Runs a shell line in user and mount namespaces of its own, where `"$@"` is an executor.
fn executor_in_namespace(cluster: &Cluster, line: &str) -> Process {
    let port = free_ports();
    let mut shell = Command::new("unshare");
    shell.args(["-rm", "sh", "-ec", line, "sh", env!("CARGO_BIN_EXE_metricc")]);
    shell.args(cluster.executor_arguments(port)).env("NO_COLOR", "1");
    Process::spawn(shell, port).ready()
}

/// An executor that cannot do a job says why, and another one does it.
fn others_do_it(line: &dyn Fn(&Events) -> String, reason: &str) {
    let events = Events::new(9000);
    let expected = events.expected();
    let mut cluster = Cluster::start(1);
    let broken = executor_in_namespace(&cluster, &line(&events));
    let run = cluster.run(&events, "cluster", 500);
    assert!(run.status.success(), "{}", run.stderr);
    assert_eq!(events.rows("cluster"), expected);
    assert!(run.stderr.contains(&format!("executor 127.0.0.1:{}: ", broken.port)), "{}", run.stderr);
    assert!(run.stderr.contains(reason), "{}", run.stderr);
    // Alone, it fails the run, in bounded time.
    cluster.executors.clear();
    fs::remove_dir_all(cluster.store().join("runs")).expect("results are forgotten");
    let run = cluster.run(&events, "alone-and-broken", 3000);
    assert_eq!(run.status.code(), Some(2), "{}", run.stderr);
    assert!(run.stderr.contains(reason) && run.stderr.contains("have no result"), "{}", run.stderr);
    assert!(run.duration < Duration::from_secs(120), "{:?}", run.duration);
}

#[test]
fn f41_an_executor_without_the_files_names_them() {
    let line = |events: &Events| format!("mount -t tmpfs none '{}'; exec \"$@\"", events.log().display());
    others_do_it(&line, "a.ndjson");
}

#[test]
fn f41_an_executor_with_a_damaged_file_names_it() {
    let line = |events: &Events| {
        let file = events.log().join("b.csv");
        let mut bytes = fs::read(&file).expect("the file is read");
        let last = bytes.len() - 3;
        bytes[last] ^= 1;
        let damaged = events.path().join("damaged");
        fs::write(&damaged, bytes).expect("the copy is written");
        format!("mount --bind '{}' '{}'; exec \"$@\"", damaged.display(), file.display())
    };
    others_do_it(&line, "b.csv` does not have the length and the checksum that are expected of it");
}

#[test]
fn f41_an_executor_with_a_full_disk_says_so() {
    let line = |_: &Events| "ulimit -f 0; trap '' XFSZ; exec \"$@\"".to_owned();
    // It cannot write the reason into the store either.
    others_do_it(&line, "File too large");
}

#[test]
fn a_scheduler_that_is_not_there_is_named() {
    let events = Events::new(300);
    let mut arguments = events.run("cluster");
    arguments.extend(["--cluster", "df://nowhere"].map(str::to_owned));
    let run = command(&arguments).output().expect("the run starts");
    let stderr = String::from_utf8_lossy(&run.stderr);
    assert_eq!(run.status.code(), Some(2));
    assert!(
        stderr.contains("`df://nowhere` is no address of a scheduler: write `df://HOST:PORT`"),
        "{stderr}"
    );
}

#[test]
fn f41_a_run_without_executors_says_so_and_waits() {
    let events = Events::new(900);
    let expected = events.expected();
    let mut cluster = Cluster::start(0);
    let mut run = cluster.spawn(&events, "cluster", 500);
    // Before the first result, a run has nothing to say but this.
    let said = run.first_line();
    assert!(said.contains("has begun a job so far: the run waits for one"), "{said}");
    cluster.add_executor();
    let run = run.wait();
    assert!(run.status.success(), "{}", run.stderr);
    assert_eq!(events.rows("cluster"), expected);
}

#[test]
fn an_executor_does_not_wait_for_a_scheduler_for_ever() {
    let nobody = free_ports();
    let scheduler = format!("127.0.0.1:{nobody}");
    let store = tempfile::tempdir().expect("a temporary folder");
    let store = store.path().to_string_lossy().into_owned();
    let arguments = ["cluster", "executor", "--scheduler", &scheduler, "--store", &store, "--wait", "1"];
    let executor = command(&arguments.map(str::to_owned)).output().expect("the executor starts");
    let stderr = String::from_utf8_lossy(&executor.stderr);
    assert_eq!(executor.status.code(), Some(2), "{stderr}");
    assert!(
        stderr.contains(&format!("scheduler df://{scheduler} does not answer: Connection refused")),
        "{stderr}"
    );
}
