//! F28: folders in which a node cannot run.

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
