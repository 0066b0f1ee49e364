//! `metricc diff` between files, and against a revision of git.

use std::path::Path;
use std::process::Command;

use super::{code, metricc, stderr, stdout};

const OLD: &str = "source s { id: int key  at: timestamp time  x: int }
metric kept = count() { from s }
metric shown = quantile(x, 0.5, within: 1%) { from s }
metric filtered = sum(x) { from s  where x > 3 }
metric gone = min(x) { from s }
";
const NEW: &str = "source s { id: int key  at: timestamp time  x: int }
metric shown = quantile(x, 0.99, within: 1%) { from s }
metric filtered = sum(x) { from s  where x > 4  every 1h }
metric fresh = max(x) { from s }
/// The same as ever.
metric kept = count() {
  from s
}
";
const REPORT: &str = "changed       filtered                   recomputed from the log
  where
    - x > 3
    + x > 4
  window
    - all time
    + every 1h
added         fresh                      computed from the log
same          kept
presentation  shown                      nothing to recompute
  value
    - quantile(x, 0.5, within: 1%): float?
    + quantile(x, 0.99, within: 1%): float?
removed       gone
";

fn git(folder: &Path, arguments: &[&str]) {
    let identity = ["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"];
    let output = Command::new("git").arg("-C").arg(folder).args(identity).args(arguments).output();
    let output = output.expect("git starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn changes_are_listed_with_the_states_to_recompute() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let [old, new] = [("old.metric", OLD), ("new.metric", NEW)].map(|(name, text)| {
        let file = folder.path().join(name);
        std::fs::write(&file, text).expect("it is written");
        file.to_string_lossy().into_owned()
    });
    let output = metricc(&["diff", &old, &new]);
    assert_eq!((code(&output), stdout(&output).as_str()), (1, REPORT));
    assert!(
        stderr(&output).ends_with("5 metrics: 4 differ, 2 to compute from the log\n"),
        "{}",
        stderr(&output)
    );
    let same = metricc(&["diff", &old, &old]);
    assert_eq!(code(&same), 0);
    let json = stdout(&metricc(&["diff", "--output", "json", &old, &new]));
    let first: serde_json::Value = serde_json::from_str(json.lines().next().expect("a line")).expect("JSON");
    assert_eq!((&first["change"], &first["recompute"]), (&"states".into(), &true.into()));
    assert_eq!(first["parts"][0]["old"], "x > 3");
    let single = metricc(&["diff", &old]);
    assert_eq!(code(&single), 2);
    assert!(stderr(&single).contains("--against REVISION"));
    std::fs::write(&old, "metric m = count( { from s }").expect("it is written");
    assert_eq!(code(&metricc(&["diff", &old, &new])), 2);
}

#[test]
fn a_file_is_compared_with_a_git_revision() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("m.metric");
    std::fs::write(&file, OLD).expect("it is written");
    git(folder.path(), &["init", "--quiet"]);
    git(folder.path(), &["add", "."]);
    git(folder.path(), &["commit", "--quiet", "--message", "first"]);
    std::fs::write(&file, NEW).expect("it is written");
    let path = file.to_string_lossy();
    let output = metricc(&["diff", &path, "--against", "HEAD"]);
    assert_eq!((code(&output), stdout(&output).as_str()), (1, REPORT), "{}", stderr(&output));
    for revision in ["nowhere", "--help", "HEAD~7"] {
        let output = metricc(&["diff", &path, &format!("--against={revision}")]);
        assert_eq!(code(&output), 2, "{revision}");
        assert!(stderr(&output).contains(&format!("at {revision}: ")), "{}", stderr(&output));
    }
}
