//! `metricc fmt` on files and on stdin.

use std::io::Write as _;
use std::process::{Command, Stdio};

use super::{code, metricc, stderr, stdout, succeed};

const MESSY: &str = "source s{at:timestamp time,x:int}\nmetric n=count(){by x from s} // twice\n";
const FORMATTED: &str =
    "source s { at: timestamp time  x: int }\nmetric n = count() { from s  by x }  // twice\n";

#[test]
fn a_file_is_formatted_once_and_then_not_written() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("a.metric");
    let path = file.to_string_lossy();
    std::fs::write(&file, MESSY).expect("it is written");
    let check = metricc(&["fmt", "--check", &path]);
    assert_eq!(code(&check), 1);
    assert!(stderr(&check).contains("is not formatted") && stderr(&check).contains("1 would change"));
    let diff = metricc(&["fmt", "--diff", &path]);
    assert_eq!(code(&diff), 1);
    let shown = stdout(&diff);
    assert!(
        shown.contains("-source s{at:timestamp time,x:int}") && shown.contains("+metric n = count()"),
        "{shown}"
    );
    assert_eq!(
        std::fs::read_to_string(&file).expect("it is there"),
        MESSY,
        "neither --check nor --diff changes it"
    );
    succeed(&["fmt", &path]);
    assert_eq!(std::fs::read_to_string(&file).expect("it is there"), FORMATTED);
    let written = std::fs::metadata(&file).and_then(|data| data.modified()).expect("a time");
    for arguments in [&["fmt", &path][..], &["fmt", "--check", &path], &["fmt", "--diff", &path]] {
        assert_eq!(succeed(arguments), "");
    }
    let again = std::fs::metadata(&file).and_then(|data| data.modified()).expect("a time");
    assert_eq!(written, again, "a formatted file is not written");
}

#[test]
fn a_file_with_errors_is_not_changed_and_does_not_stop_the_next() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let [broken, messy, missing] = ["broken", "messy", "missing"].map(|name| folder.path().join(name));
    std::fs::write(&broken, "metric m = count( { from s }").expect("it is written");
    std::fs::write(&messy, MESSY).expect("it is written");
    let [broken_path, messy_path, missing_path] =
        [&broken, &messy, &missing].map(|path| path.to_string_lossy());
    let output = metricc(&["fmt", &broken_path, &messy_path]);
    assert_eq!(code(&output), 1);
    assert!(stderr(&output).contains("error[M"), "{}", stderr(&output));
    assert_eq!(std::fs::read_to_string(&broken).expect("it is there"), "metric m = count( { from s }");
    assert_eq!(std::fs::read_to_string(&messy).expect("it is there"), FORMATTED);
    assert_eq!(code(&metricc(&["fmt", &missing_path, &messy_path])), 2);
}

#[cfg(unix)]
#[test]
fn links_and_permissions_are_kept() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (file, link) = (folder.path().join("a.metric"), folder.path().join("link.metric"));
    std::fs::write(&file, MESSY).expect("it is written");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o640)).expect("a mode");
    symlink("a.metric", &link).expect("a link");
    succeed(&["fmt", &link.to_string_lossy()]);
    assert!(link.symlink_metadata().expect("it is there").is_symlink());
    assert_eq!(std::fs::read_to_string(&file).expect("it is there"), FORMATTED);
    assert_eq!(std::fs::metadata(&file).expect("it is there").permissions().mode() & 0o777, 0o640);
}

#[test]
fn stdin_goes_to_stdout() {
    let mut process = Command::new(env!("CARGO_BIN_EXE_metricc"))
        .args(["fmt", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the command starts");
    process.stdin.take().expect("a pipe").write_all(MESSY.as_bytes()).expect("it is read");
    let output = process.wait_with_output().expect("it ends");
    assert_eq!((code(&output), stdout(&output).as_str()), (0, FORMATTED));
}
