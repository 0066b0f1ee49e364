//! Faults from outside: records that do not decode, a clock that jumps, more events than the disk takes.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use super::slow_fsync::{LIBRARY, library};
use super::{Home, Node};

const PACKAGE: &str = "
source events { at: timestamp time  id: int key  n: int }
metric by_hour = { seen: count(), total: sum(n), last: last(n) } { from events  every 1h }
";

const CONFIG: &str = "[batch]\nevery = \"50ms\"\n[speed]\nrefresh = \"10ms\"\n";

fn line(n: u64) -> String {
    format!("{{\"at\":\"2026-04-25T{:02}:10:00Z\",\"id\":{n},\"n\":{n}}}\n", n % 5)
}

fn with_all_in_view(node: &Node) {
    node.until(|node| node.source()["view"] == node.source()["end"]);
    node.catch_up();
}

#[test]
fn f22_a_record_that_does_not_decode_is_quarantined_and_both_layers_skip_it() {
    let home = Home::new(PACKAGE, "[batch]\nevery = \"1h\"\nevents = 1000\n");
    let node = home.ready();
    let poison = [
        "{\"at\":\"2026-04-25T10:00:00Z\",\"id\":\"x\",\"n\":1}\n",
        "{\"at\":\"2026-13-45\",\"id\":900,\"n\":1}\n",
        "{\"at\":\"2026-04-25T10:00:00Z\",\"id\":901}\n",
        "\u{1}\u{2}\n",
        "{{{{\n",
    ];
    let mut text = String::new();
    for (n, poison) in (0..).zip(poison) {
        text.push_str(&line(2 * n));
        text.push_str(poison);
    }
    let receipt = node.post("r0", &text).expect("an answer").json();
    assert_eq!((&receipt["accepted"], &receipt["quarantined"]), (&json!(5), &json!(5)));
    let skipped = node.get("/v1/sources/events/quarantine").body;
    let skipped: Vec<Value> =
        skipped.lines().map(|line| serde_json::from_str(line).expect("a record")).collect();
    let offsets: Vec<&Value> = skipped.iter().map(|record| &record["offset"]).collect();
    assert_eq!(offsets, [1, 3, 5, 7, 9]);
    assert!(skipped.iter().all(|record| record["problem"].as_str().is_some_and(|text| !text.is_empty())));
    assert_eq!(skipped[0]["field"], "id");
    // From the tail, from the view, and without a node.
    node.catch_up();
    assert_eq!(node.source()["view"], json!([0]), "all of it is in the tail");
    let in_tail = node.rows("by_hour").0;
    assert_eq!(node.stop(), Some(0));
    let file = home.path().join("all.ndjson");
    std::fs::write(&file, &text).expect("a file");
    assert_eq!(home.run(&[file]), in_tail.iter().map(named).collect::<Vec<_>>());
    let config = std::fs::read_to_string(home.path().join("metricc.toml")).expect("the configuration");
    std::fs::write(home.path().join("metricc.toml"), config.replace("1h", "50ms")).expect("another one");
    let node = home.ready();
    with_all_in_view(&node);
    assert_eq!(node.rows("by_hour").0, in_tail);
    assert_eq!(node.run(&["audit"]).0, Some(0));
}

/// A row as `metricc run` prints it.
fn named(row: &Value) -> Value {
    let mut row = row.clone();
    row["metric"] = json!("by_hour");
    row
}

/// Moves what a process takes for the time of day, by the seconds in a file.
const CLOCK: &str = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static long long offset(void) {
    const char *path = getenv("CLOCK_OFFSET_FILE");
    char text[32] = { 0 };
    int file = path ? open(path, O_RDONLY) : -1;
    if (file < 0) return 0;
    ssize_t n = read(file, text, sizeof text - 1);
    close(file);
    return n > 0 ? atoll(text) : 0;
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    int (*next)(clockid_t, struct timespec *) = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    int done = next(clock, now);
    if (done == 0 && clock == CLOCK_REALTIME) now->tv_sec += offset();
    return done;
}
"#;

#[test]
fn f21_a_clock_that_jumps_changes_no_answer() {
    let home = Home::new(PACKAGE, CONFIG);
    let Some(clock) = library(home.path(), CLOCK) else { return };
    let offset = home.path().join("offset");
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs() as i64;
    let in_2262 = 9_223_372_036 - now;
    let start = || {
        let mut command = home.command();
        command.env("LD_PRELOAD", &clock).env("CLOCK_OFFSET_FILE", &offset);
        home.start_with(command)
    };
    let mut node = start();
    let (mut files, mut n) = (Vec::new(), 0);
    for (number, jump) in [0, 3600, -3600, -now, in_2262, 0].into_iter().enumerate() {
        std::fs::write(&offset, jump.to_string()).expect("the clock jumps");
        if number % 2 == 1 {
            // Also between two starts.
            node.kill();
            node = start();
        }
        node.until(|node| node.get("/readyz").status == 200);
        let text: String = (n..n + 20).map(line).collect();
        assert_eq!(node.post(&format!("r{number}"), &text).expect("an answer").status, 200, "{jump}");
        let repeated = node.post(&format!("r{number}"), &text).expect("an answer").json();
        assert_eq!(repeated["repeated"], json!(true), "{jump}");
        with_all_in_view(&node);
        let file = home.path().join(format!("{number}.ndjson"));
        std::fs::write(&file, text).expect("a file");
        files.push(file);
        n += 20;
        let expected = home.run(&files);
        assert_eq!(node.rows("by_hour").0.iter().map(named).collect::<Vec<_>>(), expected, "{jump}");
    }
    assert_eq!(node.run(&["audit", "--full"]).0, Some(0));
}

#[test]
fn f25_more_events_than_the_disk_takes_are_refused_with_a_time_and_nothing_is_lost() {
    let home = Home::new(PACKAGE, &format!("{CONFIG}[ingest]\nmax_waiting_bytes = 4000\n"));
    let Some(slow) = library(home.path(), LIBRARY) else { return };
    let marker = home.path().join("slow");
    let mut command = home.command();
    command.env("LD_PRELOAD", slow).env("SLOW_FSYNC_MARKER", &marker);
    let node = home.start_with(command);
    node.until(|node| node.get("/readyz").status == 200);
    std::fs::write(&marker, "").expect("the disk is slow");
    let body = |number: u64| (number * 50..number * 50 + 50).map(line).collect::<String>();
    let answers: Vec<_> = std::thread::scope(|scope| {
        let (node, body) = (&node, &body);
        let send = |number: u64| {
            scope.spawn(move || node.post(&format!("r{number}"), &body(number)).expect("an answer"))
        };
        let sent: Vec<_> = (0..24).map(send).collect();
        sent.into_iter().map(|sent| sent.join().expect("a client")).collect()
    });
    for answer in &answers {
        assert!([200, 429].contains(&answer.status), "{}", answer.body);
        let is_told = answer.head.contains("retry-after: ") && answer.body.contains("\"busy\"");
        assert_eq!(is_told, answer.status == 429, "{}", answer.body);
    }
    let n_taken = answers.iter().filter(|answer| answer.status == 200).count();
    assert!((1..24).contains(&n_taken), "{n_taken} of 24 are taken");
    std::fs::remove_file(&marker).expect("the disk is fast again");
    // Whoever was refused sends again, and so do the others: each event counts once.
    for number in 0..24 {
        let is_taken = || node.post(&format!("r{number}"), &body(number)).expect("an answer").status == 200;
        while !is_taken() {
            std::thread::sleep(Duration::from_millis(20));
        }
    }
    node.catch_up();
    let (rows, frontier) = node.rows("by_hour");
    let n_seen: u64 = rows.iter().filter_map(|row| row["value"]["seen"].as_u64()).sum();
    assert_eq!((frontier, n_seen), (24 * 50, 24 * 50));
}
