//! Object stores: sources in them, and nodes that keep views and flushed events there.
#![expect(clippy::unwrap_used, reason = "test code")]

mod azurite;
#[path = "../../../kafka/tests/it/broker.rs"]
#[expect(dead_code, reason = "the tests of topics use all of it")]
mod broker;
mod kinds;
mod node;
mod one_log;
mod other_stores;
mod packages;
mod reader;
mod server;
mod sources;

use std::path::Path;
use std::process::{Command, Output};

/// Runs the command in a folder. The environment has no credentials but the given ones.
fn metricc(folder: &Path, environment: &[(&'static str, String)], arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_metricc"));
    for (name, _) in std::env::vars_os() {
        if ["AWS_", "AZURE_", "GOOGLE_"].iter().any(|cloud| name.to_string_lossy().starts_with(cloud)) {
            command.env_remove(name);
        }
    }
    let environment = environment.iter().map(|(name, value)| (name, value));
    command.current_dir(folder).envs(environment).args(arguments).output().expect("metricc runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
