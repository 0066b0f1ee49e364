//! Golden tests: hashes of metrics, and bytes of segments, journal and views do not change.
//!
//! Logs and views outlive versions of the code, so a change must not happen by accident. Each test compares
//! lines with a text file. `METRICC_BLESS=1` rewrites the files; a changed line is a changed format or
//! meaning, and must be reviewed as such.

mod hashes;
mod journal;
mod segments;
mod views;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

// All names of the product that the golden tests use.
use metricc::user_defined::Imports;
use metricc::{Bound, Engine, EngineOptions, Package, bind, evaluate_interval};
use metricc_compiler::{DerivedPlan, MetricPlan, Segment, SourcePlan};
use metricc_dsl::{SourceText, render};
use metricc_durable_log::{
    DedupWindow, Disk, DurableLog, DurableOptions, LocalDisk, LogId, Request, SourceOptions,
};
use metricc_ir::Source;
use metricc_log::{Binding, EventDecoder, Interval, Slice};
use metricc_runtime_serve::{present, record_batch};
use metricc_views::{LogStamp, TableStamp, View, ViewStore};

use twox_hash::XxHash3_64;

/// The package whose states are tested.
fn package() -> Package {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("it/fixtures/golden.metric");
    let package = Package::read(&path).expect("the fixture is there");
    let said = render::short(&package.checked.diagnostics, &package.text);
    assert!(!package.checked.has_errors(), "{said}");
    package
}

/// XXH3-64, in hex.
fn digest(bytes: &[u8]) -> String {
    format!("{:016x}", XxHash3_64::oneshot(bytes))
}

/// Compares lines with the golden file of this name.
fn assert_golden(name: &str, found: &[String]) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("it/golden").join(name);
    let text: String = found.iter().map(|line| format!("{line}\n")).collect();
    if std::env::var_os("METRICC_BLESS").is_some_and(|bless| bless == "1") {
        std::fs::write(&path, text).expect("the golden file is written");
        return;
    }
    let golden = std::fs::read_to_string(&path).unwrap_or_default();
    if golden != text {
        panic!("{name} differs (`METRICC_BLESS=1` rewrites it):\n{}", difference(&golden, &text));
    }
}

/// The lines that only one text has: `-` golden, `+` found.
fn difference(golden: &str, found: &str) -> String {
    let lines = |text| -> BTreeSet<&str> { str::lines(text).collect() };
    let (before, after) = (lines(golden), lines(found));
    let only = |text: &str, other: &BTreeSet<&str>, sign: char| -> String {
        let lines = text.lines().filter(|line| !other.contains(line));
        lines.map(|line| format!("{sign} {line}\n")).collect()
    };
    let lines = only(golden, &after, '-') + &only(found, &before, '+');
    if lines.is_empty() { "the same lines in another order or number".to_owned() } else { lines }
}

/// All files below a folder, sorted by path: relative path and content.
fn files_below(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let (mut folders, mut files) = (vec![folder.to_owned()], Vec::new());
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(&next).expect("a folder") {
            let path: PathBuf = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder).expect("it is below").to_string_lossy().into_owned();
                files.push((name, std::fs::read(&path).expect("a file")));
            }
        }
    }
    files.sort();
    files
}
