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

#[test]
fn executors_with_another_store_end_the_run_with_their_name_and_both_stores() {
    let events = Events::new(3000);
    let expected = events.expected();
    let mut cluster = Cluster::start(0);
    let (other, port) = (tempfile::tempdir().expect("a temporary folder"), free_ports());
    let store = cluster.store().to_string_lossy().into_owned();
    let own =
        |argument: String| if argument == store { other.path().display().to_string() } else { argument };
    let arguments: Vec<String> = cluster.executor_arguments(port).into_iter().map(own).collect();
    let _executor = Process::spawn(command(&arguments), port).ready();
    let run = cluster.run(&events, "cluster", 300);
    assert_eq!(run.status.code(), Some(2), "{}", run.stderr);
    let other = other.path().canonicalize().expect("a path").display().to_string();
    let named =
        format!("executor 127.0.0.1:{port} has another store than this process: {other} there, {store} here");
    assert!(
        run.stderr.contains(&named) && run.stderr.contains("give `--store` one folder"),
        "{}",
        run.stderr
    );
    assert!(run.duration < Duration::from_secs(20), "{:?}", run.duration);
    // Beside one that has the store, it is in the way, and named.
    cluster.add_executor();
    let run = cluster.run(&events, "cluster", 300);
    assert!(run.status.success() && run.stderr.contains(&named), "{}", run.stderr);
    assert_eq!(events.rows("cluster"), expected);
}

#[test]
fn an_executor_whose_port_is_taken_says_so_once_and_ends() {
    let cluster = Cluster::start(0);
    let port = free_ports();
    for taken in [port, port + 1] {
        let _other = std::net::TcpListener::bind(("127.0.0.1", taken)).expect("it is free");
        let output = command(&cluster.executor_arguments(port)).output().expect("it starts");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!((output.status.code(), said.lines().count()), (Some(2), 2), "{said}");
        let named = format!("error: the executor cannot listen at 127.0.0.1:{taken}: Address already in use");
        assert!(said.contains(&named) && said.contains("choose another port with `--listen`"), "{said}");
    }
}

#[test]
fn arguments_of_a_cluster_that_make_no_sense_are_refused() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let listen = taken.local_addr().expect("its address").to_string();
    for (arguments, problem) in [
        (&["scheduler", "--host", ""][..], "not the name of a machine, such as"),
        (&["scheduler", "--listen", "localhost"], "such as `127.0.0.1:50050` or `localhost:50050`"),
        (&["executor", "--scheduler", "h:1", "--listen", "0"], "choose one, such as `127.0.0.1:50050`"),
        (&["executor", "--scheduler", "h:1", "--listen", "65535"], "there is none"),
        (&["scheduler", "--listen", &listen], "the scheduler cannot listen at 127.0.0.1:"),
    ] {
        let arguments = [&["cluster"], arguments].concat();
        let arguments: Vec<String> = arguments.into_iter().map(str::to_owned).collect();
        let output = command(&arguments).output().expect("it starts");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
        assert!(said.contains(problem) && !said.contains("scheduler at "), "{arguments:?}: {said}");
    }
    for (engine, problem) in [("stream", "`--engine stream` cannot"), ("merged", "`--engine merged` cannot")]
    {
        let events = Events::new(30);
        let mut arguments = events.run("cluster");
        arguments.extend(["--cluster", "df://127.0.0.1:1", "--engine", engine].map(str::to_owned));
        let output = command(&arguments).output().expect("it starts");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(2) && said.contains(problem), "{said}");
        assert!(said.contains("leave `--engine` out"), "{said}");
    }
}
