//! A disk on which each fsync takes a second: only those who write wait for it.
//!
//! The node runs with a preloaded library that delays `fsync` and `fdatasync` as long as a marker file
//! exists.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::{Home, Node};

const PACKAGE: &str = "
source events { at: timestamp time  id: string key  shop: string }
metric seen = count() { from events }
metric by_shop = count() { from events  by shop }
";

pub(super) const LIBRARY: &str = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static void wait_if_slow(void) {
    const char *marker = getenv("SLOW_FSYNC_MARKER");
    if (marker && access(marker, F_OK) == 0) {
        struct timespec second = { 1, 0 };
        nanosleep(&second, NULL);
    }
}

int fsync(int file) {
    int (*next)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
    wait_if_slow();
    return next(file);
}

int fdatasync(int file) {
    int (*next)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
    wait_if_slow();
    return next(file);
}
"#;

/// Reads whose slowest hundredth counts.
const N_READS: usize = 300;

/// Times below this one are noise of a machine that does other things as well.
const NOISE: Duration = Duration::from_millis(25);

/// The library; `None` where there is no C compiler.
pub(super) fn library(folder: &Path, text: &str) -> Option<PathBuf> {
    let (source, library) = (folder.join("preloaded.c"), folder.join("preloaded.so"));
    std::fs::write(&source, text).expect("the source");
    let mut command = Command::new("cc");
    command.args(["-shared", "-fPIC", "-o"]).arg(&library).arg(&source).arg("-ldl");
    match command.status() {
        Ok(status) => {
            assert!(status.success(), "the library compiles");
            Some(library)
        }
        Err(error) => {
            assert_eq!(error.kind(), std::io::ErrorKind::NotFound, "{error}");
            None
        }
    }
}

fn event(number: usize) -> String {
    format!("{{\"at\":\"2026-04-25T10:00:00Z\",\"id\":\"e{number}\",\"shop\":\"s{}\"}}\n", number % 5)
}

fn read(node: &Node, path: &str) -> Duration {
    let started = Instant::now();
    let answer = node.get(path);
    assert_eq!(answer.status, 200, "{}", answer.body);
    started.elapsed()
}

/// The 99th percentile of reads without a receipt, and of reads with one, until there are enough and it is
/// time.
fn percentiles(node: &Node, is_time: impl Fn() -> bool) -> [Duration; 2] {
    let mut times = [Vec::new(), Vec::new()];
    while times[0].len() < N_READS || !is_time() {
        times[0].push(read(node, "/v1/metrics/by_shop"));
        times[1].push(read(node, "/v1/metrics/by_shop?receipt=true"));
    }
    times.map(|mut times| {
        times.sort_unstable();
        times[times.len() * 99 / 100]
    })
}

#[test]
fn f37_reads_and_the_tail_do_not_wait_for_an_fsync_that_takes_a_second() {
    let home = Home::new(PACKAGE, "[batch]\nevery = \"1h\"\n");
    let Some(library) = library(home.path(), LIBRARY) else {
        println!("skipped: there is no C compiler `cc` to build the library with");
        return;
    };
    let marker = home.path().join("slow");
    let mut command = home.command();
    command.env("LD_PRELOAD", library).env("SLOW_FSYNC_MARKER", &marker);
    let node = home.start_with(command);
    node.until(|node| node.get("/readyz").status == 200);
    let first: String = (0..500).map(event).collect();
    assert_eq!(node.post("first", &first).expect("an answer").status, 200);
    node.catch_up();
    let idle = percentiles(&node, || true);

    std::fs::write(&marker, "").expect("the marker");
    let is_done = AtomicBool::new(false);
    let slow = std::thread::scope(|scope| {
        scope.spawn(|| {
            for number in 500..504 {
                let started = Instant::now();
                let answer = node.post(&format!("k{number}"), &event(number)).expect("an answer");
                assert_eq!(answer.status, 200, "{}", answer.body);
                assert!(started.elapsed() >= Duration::from_secs(1), "the fsync is slow");
                // The tail serves what was acknowledged while the next write is under way.
                let shown = Instant::now();
                node.catch_up();
                assert!(shown.elapsed() < Duration::from_secs(5), "{:?}", shown.elapsed());
            }
            is_done.store(true, Ordering::Release);
        });
        percentiles(&node, || is_done.load(Ordering::Acquire))
    });
    println!("99th percentile of reads without and with a receipt: idle {idle:?}, while writing {slow:?}");
    for (idle, slow) in idle.into_iter().zip(slow) {
        assert!(slow <= 2 * idle.max(NOISE), "{slow:?} while writing, {idle:?} before");
    }
    let (rows, frontier) = node.rows("seen");
    assert_eq!((rows[0]["value"].as_u64(), frontier), (Some(504), 504));
    std::fs::remove_file(&marker).expect("the marker goes");
    assert_eq!(node.stop(), Some(0));
}
