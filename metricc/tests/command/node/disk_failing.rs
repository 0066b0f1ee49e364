//! A disk that fails: each error of the system has its status and its code, and no answer shows a path.
//!
//! The node runs with a preloaded library in which calls fail with the error whose number stands in a file.

use std::path::{Path, PathBuf};

use super::slow_fsync::library;
use super::{Answer, Home, Node};

const PACKAGE: &str = "
source events { at: timestamp time  n: int }
metric total = sum(n) { from events }
";
const LINE: &str = "{\"at\":\"2026-04-25T10:00:00Z\",\"n\":1}\n";

const LIBRARY: &str = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/types.h>
#include <unistd.h>

static int fault(const char *call) {
    char path[4096], text[8] = {0};
    const char *folder = getenv("FAULTS");
    if (!folder) return 0;
    snprintf(path, sizeof path, "%s/%s", folder, call);
    int file = open(path, O_RDONLY);
    if (file < 0) return 0;
    ssize_t n = read(file, text, sizeof text - 1);
    close(file);
    return n > 0 ? atoi(text) : 0;
}

#define FAIL(call) { int number = fault(call); if (number) { errno = number; return -1; } }

ssize_t pwrite64(int file, const void *bytes, size_t n, off64_t at) {
    ssize_t (*next)(int, const void *, size_t, off64_t) =
        (ssize_t (*)(int, const void *, size_t, off64_t))dlsym(RTLD_NEXT, "pwrite64");
    FAIL("write");
    return next(file, bytes, n, at);
}

ssize_t pread64(int file, void *bytes, size_t n, off64_t at) {
    ssize_t (*next)(int, void *, size_t, off64_t) =
        (ssize_t (*)(int, void *, size_t, off64_t))dlsym(RTLD_NEXT, "pread64");
    FAIL("read");
    return next(file, bytes, n, at);
}

int fdatasync(int file) {
    int (*next)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
    FAIL("sync");
    return next(file);
}
"#;

const EIO: u32 = 5;
const ENOSPC: u32 = 28;
const EROFS: u32 = 30;

struct Failing {
    home: Home,
    library: PathBuf,
}

impl Failing {
    /// `None` where there is no C compiler.
    fn new() -> Option<Self> {
        let home = Home::new(PACKAGE, "");
        let library = library(home.path(), LIBRARY)?;
        Some(Failing { home, library })
    }

    fn start(&self) -> Node {
        let mut command = self.home.command();
        command.env("LD_PRELOAD", &self.library).env("FAULTS", self.home.path());
        let node = self.home.start_with(command);
        node.until(|node| node.get("/readyz").status == 200);
        node
    }

    fn fail(&self, call: &str, error: Option<u32>) {
        let path = self.home.path().join(call);
        match error {
            Some(error) => std::fs::write(path, error.to_string()).expect("written"),
            None => std::fs::remove_file(path).expect("removed"),
        }
    }

    /// An answer has this status and code, and shows nothing of the folder.
    fn is(&self, answer: &Answer, status: u16, code: &str) {
        let found = answer.json()["error"]["code"].as_str().map(str::to_owned);
        assert_eq!((answer.status, found.as_deref()), (status, Some(code)), "{}", answer.body);
        let folder = self.home.path().file_name().and_then(|name| name.to_str()).expect("a name");
        for part in [folder, "metricc-data", "journal", ".parquet", "os error"] {
            assert!(!answer.body.contains(part), "{part}: {}", answer.body);
        }
        let retries = answer.head.contains("retry-after: ");
        assert_eq!(retries, code != "stopped", "{}", answer.head);
    }
}

fn post(node: &Node) -> Answer {
    node.send("POST", "/v1/sources/events/events", &[], LINE.as_bytes()).expect("an answer")
}

#[test]
fn a_failed_write_has_a_status_and_the_node_goes_on() {
    let Some(failing) = Failing::new() else { return };
    let node = failing.start();
    assert_eq!(post(&node).status, 200);
    for (error, status, code) in [(EROFS, 503, "disk"), (EIO, 503, "disk"), (ENOSPC, 507, "full")] {
        failing.fail("write", Some(error));
        failing.is(&post(&node), status, code);
        failing.fail("write", None);
        assert_eq!(post(&node).status, 200, "after error {error}");
    }
    node.catch_up();
    assert_eq!(node.rows("total").1, 4);
}

#[test]
fn f5_after_a_failed_sync_the_node_says_that_it_has_stopped() {
    let Some(failing) = Failing::new() else { return };
    let node = failing.start();
    assert_eq!(post(&node).status, 200);
    node.catch_up();
    failing.fail("sync", Some(EIO));
    failing.is(&post(&node), 503, "stopped");
    failing.fail("sync", None);
    failing.is(&post(&node), 503, "stopped");
    failing.is(&node.get("/healthz"), 503, "stopped");
    assert_eq!(node.rows("total").1, 1, "answers go on");
}

#[test]
fn a_failed_read_has_a_status() {
    let Some(failing) = Failing::new() else { return };
    let node = failing.start();
    let body = format!("{LINE}not json\n{LINE}");
    let answer = node.send("POST", "/v1/sources/events/events", &[], body.as_bytes());
    assert_eq!(answer.expect("an answer").status, 200);
    assert_eq!(post(&node).status, 200);
    assert_eq!(node.stop(), Some(0));
    // The rows are not in memory any more.
    let node = failing.start();
    failing.fail("read", Some(EIO));
    for path in ["/v1/metrics/total?at=3", "/v1/sources/events/quarantine"] {
        failing.is(&node.get(path), 503, "disk");
    }
    let audit = node.send("POST", "/v1/audit", &[], b"").expect("an answer");
    failing.is(&audit, 503, "disk");
    failing.fail("read", None);
    assert_eq!(node.get("/v1/metrics/total?at=3").json()["rows"][0]["value"], 2);
    assert!(Path::new(&failing.library).exists());
}
