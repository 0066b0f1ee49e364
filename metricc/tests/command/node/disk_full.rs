//! F6: a full disk. The data folder is a small tmpfs in a mount namespace of the node.

use std::io::Write;
use std::process::Command;

use serde_json::json;

use super::{Home, Node};

const PACKAGE: &str = "
source events { at: timestamp time  n: int  text: string }
metric seen = count() { from events }
metric total = sum(n) { from events }
";

/// A request of about 100 kB of incompressible data.
fn body(request: u64) -> String {
    let mut random = request.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut line = |n: u64| {
        let mut text = String::new();
        for _ in 0..60 {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            text.push_str(&format!("{random:016x}"));
        }
        format!("{{\"at\":\"2026-04-25T10:00:00Z\",\"n\":{n},\"text\":\"{text}\"}}\n")
    };
    (0..100).map(|n| line(request * 100 + n)).collect()
}

fn has_namespaces() -> bool {
    Command::new("unshare").args(["-rm", "true"]).status().is_ok_and(|status| status.success())
}

/// A node on a disk of 8 MB, of which 5 MB are free at first.
fn on_small_disk(home: &Home) -> Node {
    let script = "mkdir metricc-data && mount -t tmpfs -o size=8m,mode=755 none metricc-data && \
                  head -c 3000000 /dev/zero > metricc-data/ballast && exec \"$0\" serve";
    let mut command = Command::new("unshare");
    command.current_dir(home.path()).env("NO_COLOR", "1").env_remove("METRICC_TOKEN");
    command.args(["-rm", "sh", "-c", script, env!("CARGO_BIN_EXE_metricc")]);
    home.start_with(command)
}

#[test]
fn f6_a_full_disk_rejects_events_loses_none_and_recovers() {
    if !has_namespaces() {
        eprintln!("skipped: this system does not allow mount namespaces");
        return;
    }
    let home = Home::new(PACKAGE, "[batch]\nevery = \"100ms\"\n");
    let node = on_small_disk(&home);
    node.until(|node| node.get("/readyz").status == 200);
    let (mut n_accepted, mut n_full) = (0u64, 0);
    for request in 0..120 {
        let answer = node.post(&format!("r{request}"), &body(request)).expect("an answer");
        match answer.status {
            200 => n_accepted += 1,
            507 => {
                assert!(
                    answer.body.contains("no space left") && answer.head.contains("retry-after"),
                    "{}",
                    answer.body
                );
                n_full += 1;
            }
            status => panic!("{status}: {}", answer.body),
        }
        if n_full == 3 {
            break;
        }
    }
    assert!(n_accepted > 10 && n_full == 3, "{n_accepted} accepted, {n_full} rejected");
    // The node still answers, with all acknowledged events.
    node.catch_up();
    assert_eq!(node.rows("seen").0[0]["value"], json!(n_accepted * 100));
    assert_eq!(node.get("/healthz").status, 200, "a full disk does not stop the node");
    // What an audit has to write does not fit either, once the last kilobytes are taken.
    let data = format!("/proc/{}/root{}/metricc-data", node.process.id(), home.path().display());
    let mut rest = std::fs::File::create(format!("{data}/rest")).expect("a file");
    while rest.write_all(&[0; 4096]).is_ok() {}
    let full = node.send("POST", "/v1/audit?full=true", &[], b"").expect("an answer");
    assert_eq!(full.status, 507, "{}", full.body);
    assert!(full.body.contains("\"code\":\"full\"") && full.head.contains("retry-after"), "{}", full.body);
    std::fs::remove_file(format!("{data}/rest")).expect("the rest");
    // Free some space.
    std::fs::remove_file(format!("{data}/ballast")).expect("the ballast");
    let before = node.source()["end"][0].as_u64().expect("an offset");
    for request in n_accepted..n_accepted + 5 {
        let answer = node.post(&format!("r{request}"), &body(request)).expect("an answer");
        assert_eq!(answer.status, 200, "{}", answer.body);
    }
    node.catch_up();
    assert_eq!(node.rows("seen").0[0]["value"], json!(node.source()["end"][0]));
    assert_eq!(node.source()["end"][0], json!(before + 500));
    assert_eq!(node.run(&["audit"]).0, Some(0));
}
