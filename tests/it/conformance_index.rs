//! The index of conformance cases and faults (`docs/conformance.md`) has the ids that tests are named after,
//! and no other.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Rust files of the repository, without build output.
fn rust_files(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry")) {
        let path = entry.path();
        let name = entry.file_name();
        if path.is_dir() {
            if name != "target" && !name.to_string_lossy().starts_with('.') {
                rust_files(&path, files);
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

/// The ids at the start of a test's name: `c17_c18_leap_…` gives C17 and C18.
fn ids(name: &str) -> impl Iterator<Item = String> {
    name.split('_').map_while(|part| {
        let digits = part.strip_prefix(['c', 'f'])?;
        let is_id = digits.starts_with(|first: char| first.is_ascii_digit())
            && digits.trim_start_matches(|c: char| c.is_ascii_digit()).len() <= 1;
        is_id.then(|| format!("{}{}", part[..1].to_uppercase(), digits))
    })
}

#[test]
fn the_index_has_the_ids_that_tests_are_named_after() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut files = Vec::new();
    rust_files(&root, &mut files);
    let mut named = BTreeSet::new();
    for file in files {
        let text = fs::read_to_string(file).expect("a Rust file");
        let mut is_test = false;
        for line in text.lines().map(str::trim_start) {
            is_test |= line.starts_with("#[") && line.contains("test") && !line.contains("cfg");
            if let Some((_, rest)) = line.split_once("fn ").filter(|_| is_test) {
                named.extend(ids(rest.split('(').next().unwrap_or_default()));
                is_test = false;
            }
        }
    }
    let page = fs::read_to_string(root.join("docs/conformance.md")).expect("the index");
    let listed: BTreeSet<String> = page
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.split(' ').next())
        .filter(|id| *id != "id")
        .map(str::to_owned)
        .collect();
    let missing: Vec<_> = named.difference(&listed).collect();
    let untested: Vec<_> = listed.difference(&named).collect();
    assert!(missing.is_empty(), "docs/conformance.md lacks the ids of tests: {missing:?}");
    assert!(untested.is_empty(), "docs/conformance.md lists ids that no test names: {untested:?}");
}
