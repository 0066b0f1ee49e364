//! Every command of the README is run here, as it stands there.

use std::process::Command;

use super::{code, metricc, stderr, stdout, top};

/// The lines of all shell blocks.
fn commands() -> Vec<String> {
    let readme = std::fs::read_to_string(top().join("README.md")).expect("there is a README");
    let mut commands = Vec::new();
    let mut is_shell = false;
    for line in readme.lines() {
        match line {
            "```sh" => is_shell = true,
            "```" => is_shell = false,
            _ if is_shell && !line.trim().is_empty() => commands.push(line.to_owned()),
            _ => {}
        }
    }
    commands
}

#[test]
fn every_command_of_the_readme_works() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let log = folder.path().join("payments.ndjson").display().to_string();
    let mut n_run = 0;
    for command in commands() {
        if command == "cargo test --workspace" {
            // This is the command that is running now.
            continue;
        }
        if let Some(rest) = command.strip_prefix("cargo run -p metricc-examples -- payments ") {
            let n_records: usize =
                rest.split(' ').next().and_then(|n| n.parse().ok()).expect("a number of records");
            assert!(rest.ends_with("> payments.ndjson"), "{command}");
            let generated = metricc_examples::generate(metricc_examples::Case::Payments, n_records, 1);
            std::fs::write(&log, generated.ndjson).expect("the log is written");
        } else {
            let rest = command
                .strip_prefix("cargo run -- ")
                .unwrap_or_else(|| panic!("not known how to run: {command}"));
            let rest = rest.replace("payments=payments.ndjson", &format!("payments={log}"));
            let own = folder.path().join("my-metrics").display().to_string();
            let rest = rest.replace("my-metrics", &own);
            let output = metricc(&rest.split(' ').collect::<Vec<_>>());
            assert_eq!(code(&output), 0, "{command}\n{}", stderr(&output));
            if command.contains("--output json") {
                let readme = std::fs::read_to_string(top().join("README.md")).expect("there is a README");
                let shown =
                    readme.lines().find(|line| line.starts_with("{\"metric\"")).expect("a line of output");
                assert!(
                    stdout(&output).lines().any(|line| line == shown),
                    "the README's output is not in\n{}",
                    stdout(&output)
                );
            }
        }
        n_run += 1;
    }
    assert!(n_run >= 9, "{n_run} commands");
}

#[test]
fn the_demo_shows_both_layers_and_the_law() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let output = metricc(&["demo", "--keep", &folder.path().display().to_string()]);
    let (out, said) = (stdout(&output), stderr(&output));
    assert_eq!(code(&output), 0, "{said}");
    for part in
        ["Batch (DataFusion)", "Stream (timely/differential)", "Merged at the frontier", "0 differences"]
    {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert!(out.contains("2001-04-01T00:00:00-05:00") && out.contains("equal  punctuality"), "{out}");
    // What it keeps can be run as it says.
    let kept = Command::new(env!("CARGO_BIN_EXE_metricc"))
        .args([
            "run",
            "flights.metric",
            "--source",
            "flights=log",
            "--metric",
            "flights_total",
            "--output",
            "csv",
        ])
        .current_dir(folder.path())
        .output()
        .expect("the command starts");
    assert_eq!(String::from_utf8_lossy(&kept.stdout), "value\n116431\n");
}
