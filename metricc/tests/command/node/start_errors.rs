//! Folders and settings with which a node does not start (F28).

use std::path::Path;
use std::process::{Command, Output};

use super::Home;

const PACKAGE: &str = "
source events { at: timestamp time  n: int }
metric total = sum(n) { from events }
";

fn refused(output: &Output, part: &str) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains(part) && said.contains("metricc-data"), "{said}");
}

#[test]
fn f28_a_folder_that_is_a_file_or_whose_lock_is_a_link_is_refused() {
    let home = Home::new(PACKAGE, "");
    let data = home.path().join("metricc-data");
    std::fs::write(&data, "mine").expect("a file");
    refused(&home.command().output().expect("it ends"), "cannot be used");
    assert_eq!(std::fs::read_to_string(&data).expect("the file"), "mine");
    std::fs::remove_file(&data).expect("removed");
    std::fs::create_dir(&data).expect("a folder");
    let other = home.path().join("other");
    std::fs::write(&other, "mine").expect("a file");
    std::os::unix::fs::symlink(&other, data.join("lock")).expect("a link");
    refused(&home.command().output().expect("it ends"), "`lock` in it is a link");
    assert_eq!(std::fs::read_to_string(&other).expect("the file"), "mine");
}

#[test]
fn f28_a_folder_on_a_disk_that_is_read_only_is_refused() {
    let home = Home::new(PACKAGE, "");
    std::fs::create_dir(home.path().join("metricc-data")).expect("a folder");
    let script = "mount -t tmpfs -o mode=700 none metricc-data && mount -o remount,ro metricc-data && exec \"$0\" serve";
    let mut command = Command::new("unshare");
    command.current_dir(home.path()).env("NO_COLOR", "1").env_remove("METRICC_TOKEN");
    let namespaces = Command::new("unshare").args(["-rm", "true"]).status();
    if !namespaces.is_ok_and(|status| status.success()) {
        eprintln!("skipped: this system does not allow mount namespaces");
        return;
    }
    let output = command.args(["-rm", "sh", "-c", script, env!("CARGO_BIN_EXE_metricc")]).output();
    refused(&output.expect("it ends"), "Read-only file system");
    assert!(Path::new(&home.path().join("metricc-data")).is_dir());
}

#[test]
fn f28_a_watched_folder_is_there_and_is_not_the_nodes_own() {
    let package =
        format!("{PACKAGE}\nsource others {{ at: timestamp time }}\nmetric n = count() {{ from others }}\n");
    let watch = |folder: &str| format!("[sources.events]\nwatch = \"{folder}\"\n");
    let twice = format!("{}[sources.others]\nwatch = \"in/../in\"\n", watch("in"));
    for (config, part) in [
        (watch("inbox"), "`inbox` does not exist: create it"),
        (watch("events.metric"), "`events.metric` is no folder"),
        (watch("metricc-data"), "is inside of the data folder `metricc-data`"),
        (watch("metricc-data/log/events"), "is inside of the data folder"),
        (watch("in/../link/views"), "is inside of the data folder"),
        (twice, "is watched for source `events` as well"),
    ] {
        let home = Home::new(&package, &config);
        for folder in ["metricc-data/log/events", "metricc-data/views", "in"] {
            std::fs::create_dir_all(home.path().join(folder)).expect("a folder");
        }
        std::os::unix::fs::symlink("metricc-data", home.path().join("link")).expect("a link");
        let output = home.command().output().expect("it ends");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{config}: {said}");
        assert!(said.contains(part) && said.contains(".watch`"), "{config}: {said}");
        assert!(!home.path().join("inbox").exists(), "nothing is created");
        assert!(!home.path().join("metricc-data/lock").exists(), "nothing is opened");
    }
}

#[test]
fn settings_that_cannot_be_meant_are_refused_with_what_to_write() {
    for (config, part) in [
        ("hosts = [\"https://metrics.example:8443/\"]\n", "write the name alone, `metrics.example`"),
        ("[batch]\nworkers = 100000\n", "`batch.workers` is 100000: it must be at most 1024"),
        ("[http]\nmax_connections_per_address = 0\n", "`http.max_connections_per_address` is 0"),
    ] {
        let home = Home::new(PACKAGE, config);
        let output = home.command().output().expect("it ends");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(part) && said.contains("metricc.toml"), "{said}");
    }
}
