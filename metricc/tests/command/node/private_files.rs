//! What a node keeps is its owner's alone, and what is wrong with it is said: modes, tokens, damaged views.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::Command;

use serde_json::json;

use super::Home;

const PACKAGE: &str = "
source events { at: timestamp time  id: string key  n: int }
metric total = sum(n) { from events }
";

fn event(n: usize) -> String {
    format!("{{\"at\":\"2026-04-25T10:00:00Z\",\"id\":\"e{n}\",\"n\":1}}\nnot json\n")
}

fn check_modes(folder: &Path, n_files: &mut usize) {
    let mode = |path: &Path| std::fs::metadata(path).expect("metadata").mode() & 0o7777;
    assert_eq!(mode(folder), 0o700, "{}", folder.display());
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            check_modes(&path, n_files);
        } else {
            assert_eq!(mode(&path), 0o600, "{}", path.display());
            *n_files += 1;
        }
    }
}

#[test]
fn all_files_are_their_owners_alone_whatever_the_folder_was() {
    let home = Home::new(PACKAGE, "[batch]\nevery = \"100ms\"\n[ingest]\nseal_events = 4\n");
    let data = home.path().join("metricc-data");
    std::fs::create_dir(&data).expect("a folder");
    std::fs::set_permissions(&data, std::fs::Permissions::from_mode(0o775)).expect("a mode");
    let mut command = Command::new("sh");
    command.current_dir(home.path()).env("NO_COLOR", "1").env_remove("METRICC_TOKEN");
    command.args(["-c", "umask 000; exec \"$0\" serve", env!("CARGO_BIN_EXE_metricc")]);
    let (node, said) = home.start_saying(command);
    assert!(said.iter().any(|line| line.contains("was open to others (mode 775)")), "{said:#?}");
    for n in 0..5 {
        assert_eq!(node.post(&format!("r{n}"), &event(n)).expect("an answer").status, 200);
    }
    node.until(|node| node.source()["view"] == json!([10]));
    let tables = data.join("views/events/tables/total");
    node.until(|_| tables.is_dir() && data.join("log/events/events").is_dir());
    assert_eq!(node.stop(), Some(0));
    let mut n_files = 0;
    check_modes(&data, &mut n_files);
    assert!(n_files > 6, "{n_files}");
    // Nothing is said of a folder that is right.
    let (_, said) = home.start_saying(home.command());
    assert!(said.iter().all(|line| !line.contains("open to others")), "{said:#?}");
}

#[test]
fn a_folder_in_which_everybody_keeps_files_is_refused() {
    let home = Home::new(PACKAGE, "");
    let shared = home.path().join("shared");
    std::fs::create_dir(&shared).expect("a folder");
    std::fs::set_permissions(&shared, std::fs::Permissions::from_mode(0o1777)).expect("a mode");
    let output = home.command().arg("--data").arg(&shared).output().expect("it ends");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(
        said.contains("is shared by all users (mode 1777)") && said.contains("shared/metricc-data"),
        "{said}"
    );
    assert_eq!(std::fs::metadata(&shared).expect("metadata").mode() & 0o7777, 0o1777);
    assert!(std::fs::read_dir(&shared).expect("a folder").next().is_none());
}

#[test]
fn a_token_in_the_place_of_its_reference_is_shown_nowhere() {
    let token = "S3cret".repeat(8);
    for tokens in [
        format!("query = [\"{token}\"]"),
        format!("query = [\"env:{token}\"]"),
        format!("query = [\"file:{token}\"]"),
        format!("query = \"{token}\""),
        format!("query = [\"env:A\", {token}]"),
    ] {
        let home = Home::new(PACKAGE, &format!("[tokens]\n{tokens}\n"));
        let output = home.command().output().expect("it ends");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(
            !said.contains("S3cret") && (said.contains("tokens.query") || said.contains("line 4")),
            "{said}"
        );
    }
    let output = Command::new(env!("CARGO_BIN_EXE_metricc"))
        .args(["audit", "--token-file", &token])
        .output()
        .expect("the command starts");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("the file of `--token-file`") && !said.contains("S3cret"), "{said}");
}

#[test]
fn a_node_listens_at_a_name() {
    let home = Home::new(PACKAGE, "");
    let mut command = home.command();
    command.args(["--listen", "localhost:0"]);
    let node = home.start_with(command);
    assert!(node.address.starts_with("127.0.0.1:"), "{}", node.address);
    assert_eq!(node.send("GET", "/healthz", &[("Host", "localhost")], b"").expect("an answer").status, 200);
    let output = home.command().args(["--listen", "nowhere.invalid:0"]).output().expect("it ends");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(2) && said.contains("`nowhere.invalid` is not known"), "{said}");
}

#[test]
fn f11_a_damaged_last_version_of_a_view_is_said() {
    let home = Home::new(PACKAGE, "[batch]\nevery = \"100ms\"\ntables = false\n");
    let node = home.ready();
    for n in 0..2 {
        assert_eq!(node.post(&format!("r{n}"), &event(n)).expect("an answer").status, 200);
        node.until(|node| node.source()["view"] == json!([2 * n + 2]));
    }
    assert_eq!(node.source()["view_problem"], json!(null));
    assert_eq!(node.stop(), Some(0));
    let versions = home.path().join("metricc-data/views/events/versions");
    let names = std::fs::read_dir(&versions).expect("versions").map(|entry| entry.expect("an entry").path());
    let last = names.max().expect("a version");
    let mut bytes = std::fs::read(&last).expect("the version");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&last, bytes).expect("damaged");
    let (node, said) = home.start_saying(home.command());
    let name = last.file_name().and_then(|name| name.to_str()).expect("a name");
    let is_said = |line: &String| line.contains(name) && line.contains("is damaged: version 0 is used");
    assert!(said.iter().any(is_said), "{said:#?}");
    node.until(|node| node.get("/readyz").status == 200);
    let problem = node.source()["view_problem"].as_str().expect("a problem").to_owned();
    assert!(
        problem.contains("the last version of the view is damaged") && !problem.contains('/'),
        "{problem}"
    );
    node.catch_up();
    assert_eq!(node.rows("total").0[0]["value"], 2);
}
