//! The hashes of every metric that the repository has: fixtures, examples, the template of `metricc new`, and
//! the book.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{DerivedPlan, Imports, MetricPlan, Package, SourcePlan, SourceText, assert_golden, render};
use crate::docs::{blocks, docs, pages};
use crate::user_defined::brought;

#[test]
fn every_metric_keeps_its_hashes() {
    let mut lines = BTreeSet::new();
    let n_files = add_files(&mut lines);
    let n_blocks = add_book(&mut lines);
    assert!(n_files >= 12 && n_blocks >= 25, "{n_files} files, {n_blocks} blocks of the book");
    let head = "# file metric metric-hash state-hash definition-hash";
    let lines: Vec<String> = std::iter::once(head.to_owned()).chain(lines).collect();
    assert_golden("hashes.txt", &lines);
}

/// All `.metric` files, but those that are wrong on purpose, and those of `tests/cases`, which have results.
/// A file is named by its folder and its name, so that it can move with the crate that it is part of.
fn add_files(lines: &mut BTreeSet<String>) -> usize {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut n_files = 0;
    let cases = root.join("tests/cases");
    for path in metric_files(&root).into_iter().filter(|path| !path.starts_with(&cases)) {
        let package = Package::read(&path).expect("the file is there");
        let parts: Vec<_> = path.iter().rev().take(2).map(|part| part.to_string_lossy()).collect();
        let name = format!("{}/{}", parts[1], parts[0]);
        if name == "cases/broken.metric" {
            continue;
        }
        let imports = if name == "fixtures/own.metric" { brought() } else { Imports::new() };
        let n_lines = lines.len();
        let found = hashes(&name, &package.with_imports(&imports));
        let n_found = found.len();
        lines.extend(found);
        assert_eq!(lines.len(), n_lines + n_found, "there are two files {name}");
        n_files += 1;
    }
    n_files
}

/// The `.metric` files of the folders that the repository has, without what a build or a tool leaves there.
fn metric_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let entry = entry.expect("an entry");
        let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
        if path.is_dir() && !name.starts_with('.') && name != "target" {
            files.extend(metric_files(&path));
        } else if name.ends_with(".metric") {
            files.push(path);
        }
    }
    files
}

/// The blocks of all pages that are right; a block is named by its page.
fn add_book(lines: &mut BTreeSet<String>) -> usize {
    let mut n_blocks = 0;
    for page in pages() {
        let text = std::fs::read_to_string(docs().join(&page)).expect("a page");
        let blocks = blocks(&text);
        let files: Vec<(&str, &str)> = blocks
            .iter()
            .filter_map(|block| Some((block.head.strip_prefix("file=")?, block.text.as_str())))
            .collect();
        let is_right = |head: &str| head.is_empty() || head.starts_with("file=") && !head.ends_with(".csv");
        for block in blocks.iter().filter(|block| is_right(&block.head)) {
            let source = SourceText { name: page.clone(), bytes: block.text.as_str().into() };
            lines.extend(hashes(&page, &Package::from_text_with(source, &files[..])));
            n_blocks += 1;
        }
    }
    n_blocks
}

/// A line for each metric. One that uses what no program brings has no plan, and so only the hash of its
/// definition.
fn hashes(file: &str, package: &Package) -> Vec<String> {
    let said = render::short(&package.checked.diagnostics, &package.text);
    assert!(!package.checked.has_errors(), "{file}: {said}");
    let imports = &package.imports;
    let checked = &package.checked.package;
    let plans: Vec<Arc<MetricPlan>> = checked
        .metrics
        .iter()
        .filter_map(|metric| SourcePlan::new(std::slice::from_ref(metric), imports).ok())
        .flat_map(|plan| plan.metrics)
        .collect();
    let line = |name: &str, metric: Option<String>, states: Option<String>, definition: String| {
        let or_none = |hash: Option<String>| hash.unwrap_or_else(|| "-".to_owned());
        format!("{file} {name} {} {} {definition}", or_none(metric), or_none(states))
    };
    let of_events = checked.metrics.iter().map(|metric| {
        let plan = plans.iter().find(|plan| plan.metric == *metric);
        assert!(plan.is_some() || metric.imports().next().is_some(), "{file}: {} has no plan", metric.name);
        let (hash, states) = (plan.map(|plan| plan.hash), plan.map(|plan| plan.state_hash));
        let (hash, states) = (hash.map(|hash| hash.to_string()), states.map(|hash| hash.to_string()));
        line(&metric.name, hash, states, metric.definition_hash())
    });
    let known: Vec<&Arc<MetricPlan>> = plans.iter().collect();
    let made = checked.derived.iter().map(|derived| {
        let plan = DerivedPlan::new(derived, &known, imports).expect("it is planned");
        line(&derived.name, Some(plan.hash.to_string()), None, derived.definition_hash())
    });
    of_events.chain(made).collect()
}
