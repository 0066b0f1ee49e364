//! F41: a cluster that one command starts on this machine.

use std::time::{Duration, Instant};

use super::Events;
use super::processes::{Process, Running, command, free_ports, wait_for_results};

/// The numbers of the processes that it names.
fn processes(said: &str) -> Vec<String> {
    let numbers = said.lines().filter_map(|line| line.split_once(" is process "));
    numbers.map(|(_, number)| number.to_owned()).collect()
}

/// Whether it runs: one that nobody has waited for is there, and has ended.
fn is_there(process: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, state)| !state.starts_with('Z'))
}

fn until(what: &str, is_so: impl Fn() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < Duration::from_secs(60), "{what} takes too long");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn f41_a_cluster_of_one_command_outlives_an_executor_and_ends_with_the_command() {
    let events = Events::new(60_000);
    let expected = events.expected();
    let store = events.path().join("store").to_string_lossy().into_owned();
    let scheduler = format!("127.0.0.1:{}", free_ports());
    let local = ["cluster", "local", "--listen", &scheduler, "--store", &store, "--executors", "2"];
    let temporary = events.path().join("temporary");
    std::fs::create_dir(&temporary).expect("a folder");
    let mut started = command(&local.map(str::to_owned));
    started.env("TMPDIR", &temporary);
    let local = Process::spawn(started, 0);
    until("the start", || processes(&local.said()).len() == 3);
    let all = processes(&local.said());
    assert!(
        local.said().contains(&format!("--cluster df://{scheduler} --store {store}")),
        "{}",
        local.said()
    );
    let mut arguments = events.run("cluster");
    let address = format!("df://{scheduler}");
    let more = ["--cluster", &address, "--store", &store, "--job-events", "1000"];
    arguments.extend(more.map(str::to_owned));
    let run = Running::spawn(command(&arguments));
    wait_for_results(events.path().join("store").as_path(), 5);
    let kill = |signal: &str, process: &str| {
        assert!(
            std::process::Command::new("kill")
                .args([signal, process])
                .status()
                .is_ok_and(|sent| sent.success())
        );
    };
    kill("-KILL", &all[1]);
    let run = run.wait();
    assert!(run.status.success(), "{}", run.stderr);
    assert_eq!(events.rows("cluster"), expected);
    until("the news of it", || {
        local
            .said()
            .contains("was killed by signal 9; its jobs go to others, and another one takes its place")
    });
    // Even if all of them die: runs wait for an executor.
    until("its successor", || processes(&local.said()).len() == 4);
    let all = processes(&local.said());
    all[2..].iter().for_each(|process| kill("-KILL", process));
    until("their successors", || processes(&local.said()).len() == 6);
    arguments[7] = events.path().join("again").to_string_lossy().into_owned();
    std::fs::remove_dir_all(events.path().join("store/runs")).expect("results are forgotten");
    let run = Running::spawn(command(&arguments)).wait();
    assert!(run.status.success(), "{}", run.stderr);
    assert_eq!(events.rows("again"), expected);
    // However the command ends, its processes do, and leave no folders.
    let all = processes(&local.said());
    drop(local);
    until("the end of the processes", || all.iter().all(|process| !is_there(process)));
    until("an empty folder", || std::fs::read_dir(&temporary).expect("a folder").count() == 0);
}

#[test]
fn a_store_in_which_nothing_can_be_written_is_told_once() {
    let events = Events::new(30);
    let store = events.path().join("payments.metric/store").to_string_lossy().into_owned();
    let scheduler = format!("127.0.0.1:{}", free_ports());
    let local = ["cluster", "local", "--listen", &scheduler, "--store", &store].map(str::to_owned);
    let run =
        ["run", "payments.metric", "--source", "payments=none", "--cluster", &scheduler, "--store", &store];
    for arguments in [local.to_vec(), run.map(str::to_owned).to_vec()] {
        let output = command(&arguments).output().expect("it starts");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert_eq!(said.matches("error: ").count(), 1, "{said}");
        assert!(said.contains(&format!("store {store}: ")) && said.contains("help: "), "{said}");
    }
}

#[test]
fn f41_a_cluster_of_one_command_does_not_start_beside_another_one() {
    let events = Events::new(30);
    let store = events.path().join("store").to_string_lossy().into_owned();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let scheduler = taken.local_addr().expect("its address").to_string();
    let local = ["cluster", "local", "--listen", &scheduler, "--store", &store].map(str::to_owned);
    let output = command(&local).output().expect("it starts");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains(&format!("the scheduler cannot listen at {scheduler}")), "{said}");
    assert!(said.contains("choose another port with `--listen`"), "{said}");
}
