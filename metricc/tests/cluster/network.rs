//! F42: hosts that cannot reach each other, or are slow to.

use std::time::{Duration, Instant};

use super::Events;
use super::namespaces::{Network, address};
use super::processes::{Process, Running, results, wait_for_results};

const SCHEDULER: u8 = 1;
const DRIVER: u8 = 2;
const FIRST_EXECUTOR: u8 = 3;
const PORT: u16 = 50050;

/// Long enough for a cable to be pulled in the middle of a run.
const EVENTS: usize = 300_000;

/// A cluster of which each process is on a host of its own.
struct Hosts {
    /// They end before their network.
    processes: Vec<Process>,
    network: Network,
    store: tempfile::TempDir,
}

fn arguments(parts: &[&str]) -> Vec<String> {
    parts.iter().map(|part| (*part).to_owned()).collect()
}

impl Hosts {
    fn start(n_executors: u8) -> Self {
        let (network, store) = (Network::new(2 + n_executors), tempfile::tempdir().expect("a folder"));
        let mut hosts = Hosts { processes: Vec::new(), network, store };
        let listen = format!("{}:{PORT}", address(SCHEDULER));
        hosts.spawn(SCHEDULER, &["cluster", "scheduler", "--listen", &listen]);
        for host in FIRST_EXECUTOR..FIRST_EXECUTOR + n_executors {
            let (listen, store) = (format!("{}:{PORT}", address(host)), hosts.store_path());
            let scheduler = hosts.scheduler();
            let executor = ["cluster", "executor", "--scheduler", &scheduler, "--listen", &listen];
            hosts.spawn(host, &[&executor[..], &["--store", &store, "--slots", "1"]].concat());
        }
        hosts
    }

    fn scheduler(&self) -> String {
        format!("df://{}:{PORT}", address(SCHEDULER))
    }

    fn store_path(&self) -> String {
        self.store.path().to_string_lossy().into_owned()
    }

    fn spawn(&mut self, host: u8, parts: &[&str]) {
        let process = Process::spawn(self.network.command(host, &arguments(parts)), PORT);
        let start = Instant::now();
        while !self.network.reaches(DRIVER, host, PORT) {
            assert!(start.elapsed() < Duration::from_secs(60), "host {host}: {}", process.said());
            std::thread::sleep(Duration::from_millis(50));
        }
        self.processes.push(process);
    }

    fn run(&self, events: &Events) -> Running {
        let mut parts = events.run("cluster");
        let (scheduler, store) = (self.scheduler(), self.store_path());
        parts.extend(arguments(&["--cluster", &scheduler, "--store", &store, "--job-events", "2000"]));
        Running::spawn(self.network.command(DRIVER, &parts))
    }
}

/// Runs while something happens to the network.
fn run_while(n_executors: u8, happens: impl FnOnce(&Network)) -> Duration {
    let events = Events::new(EVENTS);
    let expected = events.expected();
    let hosts = Hosts::start(n_executors);
    let run = hosts.run(&events);
    wait_for_results(hosts.store.path(), 5);
    // Executors go on meanwhile, and may be done when the network is back.
    assert!(results(hosts.store.path()).len() < 150, "all jobs were done before");
    happens(&hosts.network);
    let run = run.wait();
    assert!(run.status.success(), "{}", run.stderr);
    assert_eq!(events.rows("cluster"), expected);
    run.duration
}

#[test]
fn f42_an_executor_that_is_cut_off_costs_time_alone() {
    let took = run_while(3, |network| {
        network.cut(FIRST_EXECUTOR);
        assert!(!network.reaches(DRIVER, FIRST_EXECUTOR, PORT));
    });
    assert!(took < Duration::from_secs(120), "{took:?}");
}

#[test]
fn f42_a_run_that_is_cut_off_for_a_while_goes_on() {
    let took = run_while(2, |network| {
        network.cut(DRIVER);
        std::thread::sleep(Duration::from_secs(3));
        network.connect(DRIVER);
    });
    assert!(took < Duration::from_secs(120), "{took:?}");
}

#[test]
fn f42_slow_links_cost_time_alone() {
    let took = run_while(2, |network| {
        network.slow(SCHEDULER, "2mbit");
        network.slow(FIRST_EXECUTOR, "256kbit");
    });
    assert!(took < Duration::from_secs(180), "{took:?}");
}
