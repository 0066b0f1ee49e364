//! F44: a stream in several processes gives the bytes of one, or an error and nothing.

use std::io::Write;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// Keys, duplicates, a rejected record, sliding and coarser windows, states of words and of bytes.
const PACKAGE: &str = "
calendar utc { zone \"UTC\" }
source orders { at: timestamp time  id: int key  shop: string  amount: decimal(12, 2) }
metric revenue = sum(amount) { from orders by shop every 1h }
metric of_day = sum(amount) { from orders by shop every day in utc }
metric shops = distinct(shop) { from orders every day in utc }
metric best = top(3, shop) { from orders }
metric middle = p50(amount, within: 1%) { from orders by shop over last 3h step 1h }
";

fn home(n_events: u64) -> tempfile::TempDir {
    let home = tempfile::tempdir().expect("a folder");
    std::fs::write(home.path().join("orders.metric"), PACKAGE).expect("a file");
    std::fs::create_dir(home.path().join("log")).expect("a folder");
    for file in 0..3 {
        let mut text = String::new();
        for n in 0..n_events {
            // Every seventh order is in all files.
            let id = if n % 7 == 0 { n } else { file * n_events + n };
            let (hour, shop, cents) = (id % 72, id * 31 % 53, id * 17 % 9973);
            text.push_str(&format!(
                "{{\"at\":\"2026-04-{:02}T{:02}:{:02}:00Z\",\"id\":{id},\"shop\":\"s{shop}\",\"amount\":\"{}.{:02}\"}}\n",
                1 + hour / 24,
                hour % 24,
                id % 60,
                cents / 100,
                cents % 100
            ));
        }
        if file == 1 {
            text.push_str("{\"at\":\"2026-04-01T00:00:00Z\",\"id\":\"x\",\"shop\":\"s\",\"amount\":\"1\"}\n");
        }
        std::fs::write(home.path().join(format!("log/{file}.ndjson")), text).expect("a file");
    }
    home
}

fn command(home: &Path, more: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_metricc"));
    command.current_dir(home).env("NO_COLOR", "1").stdin(Stdio::null());
    command.args([
        "run",
        "orders.metric",
        "--source",
        "orders=log",
        "--engine",
        "stream",
        "--output",
        "json",
    ]);
    command.args(["--max-rejected", "1"]).args(more);
    command
}

fn run(home: &Path, more: &[&str]) -> Output {
    command(home, more).output().expect("it runs")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn f44_processes_of_this_machine_give_the_bytes_of_one() {
    for n_events in [1, 3000] {
        let home = home(n_events);
        let one = run(home.path(), &[]);
        assert_eq!(one.status.code(), Some(0), "{}", said(&one));
        assert!(!one.stdout.is_empty());
        for more in
            [&["--processes", "1"][..], &["--processes", "5"], &["--processes", "2", "--workers", "3"]]
        {
            let several = run(home.path(), more);
            assert_eq!(several.status.code(), Some(0), "{more:?}: {}", said(&several));
            assert!(several.stdout == one.stdout, "{more:?} gave other rows");
            assert_eq!(said(&several), said(&one), "{more:?} reports other records");
        }
    }
}

/// The processes that one has started.
fn children(parent: u32) -> Vec<u32> {
    let listed =
        std::fs::read_to_string(format!("/proc/{parent}/task/{parent}/children")).unwrap_or_default();
    listed.split_whitespace().filter_map(|pid| pid.parse().ok()).collect()
}

fn kill(pid: u32, signal: &str) {
    let sent = Command::new("kill").args([signal, &pid.to_string()]).status().expect("`kill` runs");
    assert!(sent.success(), "there is no process {pid}");
}

/// Waits until something is so.
fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(60);
    while !is_so() {
        assert!(Instant::now() < end, "waited for: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A run with three processes, one of which is stopped, so that none can end.
fn held(home: &Path) -> (Child, Vec<u32>) {
    let mut started = command(home, &["--processes", "3"]);
    let child = started.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    until("three processes", || children(child.id()).len() == 3);
    let processes = children(child.id());
    kill(processes[1], "-STOP");
    (child, processes)
}

fn is_running(pid: u32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    !status.is_empty() && !status.contains(") Z ")
}

#[test]
fn f44_the_death_of_a_process_ends_the_run_with_its_name_and_no_rows() {
    let home = home(3000);
    for victim in [0, 1, 2] {
        let (child, processes) = held(home.path());
        kill(processes[victim], "-KILL");
        let output = child.wait_with_output().expect("it ends");
        let said = said(&output);
        assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{said}");
        assert!(said.contains(&format!("process {victim} of 3 was killed by signal 9")), "{said}");
        assert!(processes.iter().all(|pid| !is_running(*pid)), "a process was left");
    }
}

#[test]
fn f44_no_process_outlives_the_run() {
    let home = home(3000);
    let (mut child, processes) = held(home.path());
    child.kill().expect("killed");
    child.wait().expect("it ends");
    kill(processes[1], "-CONT");
    until("their end", || processes.iter().all(|pid| !is_running(*pid)));
}

/// Addresses that were free a moment ago.
fn hosts(home: &Path, n_hosts: usize) {
    let listen = |_| TcpListener::bind("127.0.0.1:0").expect("a free port");
    let listeners: Vec<TcpListener> = (0..n_hosts).map(listen).collect();
    let mut file = std::fs::File::create(home.join("hosts")).expect("a file");
    for listener in &listeners {
        writeln!(file, "{}", listener.local_addr().expect("its address")).expect("written");
    }
}

fn on_host<'a>(process: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&["--hosts", "hosts", "--process", process, "--store", "store"][..], more].concat()
}

#[test]
fn f44_processes_of_several_hosts_give_the_bytes_of_one_and_refuse_another_run() {
    let home = home(500);
    let one = run(home.path(), &[]);
    hosts(home.path(), 2);
    let other = command(home.path(), &on_host("1", &[])).spawn().expect("it starts");
    let first = run(home.path(), &on_host("0", &[]));
    let other = other.wait_with_output().expect("it ends");
    assert_eq!((first.status.code(), other.status.code()), (Some(0), Some(0)), "{}", said(&first));
    assert!(first.stdout == one.stdout, "the rows differ");

    // Another log on one of them.
    std::fs::create_dir_all(home.path().join("elsewhere")).expect("a folder");
    for file in ["orders.metric", "hosts"] {
        std::fs::copy(home.path().join(file), home.path().join("elsewhere").join(file)).expect("a copy");
    }
    std::fs::create_dir_all(home.path().join("elsewhere/log")).expect("a folder");
    std::fs::copy(home.path().join("log/0.ndjson"), home.path().join("elsewhere/log/0.ndjson"))
        .expect("a copy");
    let mut other = command(&home.path().join("elsewhere"), &on_host("1", &[]));
    let other = other.stderr(Stdio::piped()).spawn().expect("it starts");
    let first = run(home.path(), &on_host("0", &[]));
    let other = other.wait_with_output().expect("it ends");
    for (output, peer) in [(&first, "process 1"), (&other, "process 0")] {
        assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{}", said(output));
        let refused =
            said(output).contains(peer) && said(output).contains("is not part of this run: its log (");
        assert!(refused && said(output).contains("1 files with 500 events"), "{}", said(output));
    }

    let alone = run(home.path(), &on_host("0", &["--wait", "1"]));
    assert_eq!(alone.status.code(), Some(2));
    assert!(
        said(&alone).contains("process 1 at 127.0.0.1")
            && said(&alone).contains("did not connect within 1 s: it was not started, has ended")
    );
}

#[test]
fn f44_processes_with_other_stores_are_all_refused() {
    let home = home(300);
    hosts(home.path(), 2);
    let on_host = |process, store| ["--hosts", "hosts", "--process", process, "--store", store];
    let mut other = command(home.path(), &on_host("1", "other"));
    let other = other.stderr(Stdio::piped()).spawn().expect("it starts");
    let first = run(home.path(), &on_host("0", "store"));
    let other = other.wait_with_output().expect("it ends");
    for (output, peer, theirs) in [(&first, "process 1", "other"), (&other, "process 0", "store")] {
        let said = said(output);
        assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{said}");
        let path = home.path().canonicalize().expect("a path").join(theirs);
        let named = format!("{peer} has another store than this process: {} there", path.display());
        assert!(said.contains(&named) && said.contains("give `--store` one folder"), "{said}");
    }
}

#[test]
fn f44_a_process_that_is_killed_before_the_run_begins_is_named() {
    let home = home(300);
    hosts(home.path(), 3);
    let start = |process| {
        let mut started = command(home.path(), &on_host(process, &[]));
        started.stderr(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("it starts")
    };
    let (first, mut second) = (start("0"), start("1"));
    // The third one never comes: wait until the other two are connected.
    until("a connection", || connections(second.id()) == 1);
    second.kill().expect("killed");
    second.wait().expect("it ends");
    let first = first.wait_with_output().expect("it ends");
    let named =
        said(&first).contains("process 1 at 127.0.0.1") && said(&first).contains("has ended, or was killed");
    assert!(named && first.status.code() == Some(2), "{}", said(&first));
}

/// The number of TCP connections of a process, in this network.
fn connections(pid: u32) -> usize {
    let files = std::fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    let links = files.filter_map(|file| std::fs::read_link(file.path()).ok());
    let sockets: Vec<String> = links.map(|link| link.to_string_lossy().into_owned()).collect();
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap_or_default();
    let lines = table.lines().filter_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        // `01` is a connection that is open.
        (words.get(3) == Some(&"01")).then(|| format!("socket:[{}]", words.get(9).unwrap_or(&"")))
    });
    lines.filter(|socket| sockets.contains(socket)).count()
}

#[test]
fn f44_the_folder_of_a_run_that_was_killed_is_removed_by_the_next_one() {
    let home = home(3000);
    let temporary = home.path().join("temporary");
    std::fs::create_dir(&temporary).expect("a folder");
    let start = || {
        let mut started = command(home.path(), &["--processes", "2"]);
        started.env("TMPDIR", &temporary).stdout(Stdio::null()).stderr(Stdio::null());
        started
    };
    let folders = || std::fs::read_dir(&temporary).expect("a folder").count();
    let mut killed = start().spawn().expect("it starts");
    until("two processes", || children(killed.id()).len() == 2);
    killed.kill().expect("killed");
    killed.wait().expect("it ends");
    assert_eq!(folders(), 1, "a killed run cannot remove its folder");
    assert!(start().status().expect("it runs").success());
    assert_eq!(folders(), 0);
}

#[test]
fn f44_arguments_that_do_not_fit_are_refused() {
    let home = home(1);
    hosts(home.path(), 2);
    std::fs::write(home.path().join("odd"), "localhost\n").expect("a file");
    std::fs::write(home.path().join("twice"), "127.0.0.1:4000\n127.0.0.1:4000\n").expect("a file");
    for (arguments, problem) in [
        (&["--processes", "2", "--cluster", "df://h:1"][..], "cannot be used with"),
        (&["--processes", "0"], "0 is not in 1..=256"),
        (&["--hosts", "hosts"], "--process <N>"),
        (&["--hosts", "hosts", "--process", "2"], "`--process 2`: hosts has 2 lines"),
        (&["--hosts", "odd", "--process", "0"], "odd, line 1: `localhost` is not `HOST:PORT`"),
        (
            &["--hosts", "twice", "--process", "0"],
            "twice has `127.0.0.1:4000` twice, for process 0 and process 1",
        ),
        (&["--hosts", "none", "--process", "0"], "none: No such file"),
        (&["--store", "store"], "--store"),
    ] {
        let refused = run(home.path(), arguments);
        let said = said(&refused);
        assert_eq!((refused.status.code(), refused.stdout.len()), (Some(2), 0), "{arguments:?}: {said}");
        assert!(said.contains(problem), "{arguments:?}: {said}");
    }
    let mut batch = Command::new(env!("CARGO_BIN_EXE_metricc"));
    batch.current_dir(home.path()).args([
        "run",
        "orders.metric",
        "--source",
        "orders=log",
        "--processes",
        "2",
    ]);
    let refused = batch.output().expect("it runs");
    assert!(refused.status.code() == Some(2) && said(&refused).contains("add `--engine stream`"));
}
