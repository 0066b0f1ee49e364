//! Tests of the `metricc` binary.

#![allow(clippy::too_many_lines, reason = "a test is one story, told in order")]

mod bad_input;
mod compare;
mod compare_columns;
mod compare_forms;
mod compare_positions;
mod compile;
mod derived;
mod diff;
mod diff_rows;
mod examples;
mod files;
mod fmt;
mod hostile;
mod new;
mod node;
mod ranges;
mod readme;
#[cfg(feature = "sql")]
mod sql;
mod stream_processes;
mod tables;
mod test;
mod uses;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The root folder of the repository.
fn top() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate lies in the repository").to_owned()
}

/// Runs `metricc` in the root folder.
fn metricc(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_metricc"))
        .args(arguments)
        .current_dir(top())
        .env("NO_COLOR", "1")
        .output()
        .expect("the command starts")
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap_or(-1)
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("stdout is text")
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("stderr is text")
}

/// Runs a command that must succeed. Returns its stdout.
fn succeed(arguments: &[&str]) -> String {
    let output = metricc(arguments);
    assert_eq!(code(&output), 0, "{arguments:?}\n{}", stderr(&output));
    stdout(&output)
}
