//! `metricc new`: the new package checks, passes its tests and runs.

use std::path::Path;

use super::{code, metricc, stderr, stdout, succeed};

#[test]
fn a_new_package_checks_tests_runs_and_verifies() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let package = folder.path().join("orders");
    let output = metricc(&["new", &package.to_string_lossy()]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert!(stderr(&output).ends_with(
        "  metricc test metrics.metric\n  metricc run metrics.metric --source orders=data/orders.ndjson\n"
    ));
    let path = |name: &str| package.join(name).to_string_lossy().into_owned();
    let (events, metrics) = (path("events.metric"), path("metrics.metric"));
    let output = metricc(&["check", &events, &metrics]);
    assert_eq!(code(&output), 0);
    assert!(stderr(&output).contains("2 files checked: 0 errors, 0 warnings"), "{}", stderr(&output));
    succeed(&["fmt", "--check", &events, &metrics]);
    assert_eq!(succeed(&["test", &metrics]).lines().filter(|line| line.starts_with("ok ")).count(), 2);
    let source = format!("orders={}", path("data/orders.ndjson"));
    let rows = succeed(&["run", &metrics, "--source", &source, "--output", "json"]);
    assert!(
        rows.contains(
            r#"{"metric":"revenue","key":{"country":"unknown"},"window":{"start":"2026-04-25T00:00:00+02:00","end":"2026-04-26T00:00:00+02:00"},"value":"8.50"}"#
        ),
        "{rows}"
    );
    succeed(&["verify", &metrics, "--source", &source, "--cuts", "4"]);
}

#[test]
fn files_are_not_overwritten() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("metrics.metric");
    std::fs::write(&file, "mine").expect("it is written");
    let output = metricc(&["new", &folder.path().to_string_lossy()]);
    assert_eq!((code(&output), stdout(&output).as_str()), (2, ""));
    assert!(stderr(&output).contains("is not empty"), "{}", stderr(&output));
    assert_eq!(std::fs::read_to_string(&file).expect("it is there"), "mine");
    assert_eq!(std::fs::read_dir(Path::new(folder.path())).expect("a folder").count(), 1);
}
