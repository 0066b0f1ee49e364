//! The book: every example is checked, planned, run in both engines and tested; every page is in the summary.

use std::path::{Path, PathBuf};

use metricc::testing::run_test;
use metricc::{Engine, Package};
use metricc_compiler::SourcePlan;
use metricc_dsl::{SourceText, render};
use metricc_tests::generate::files::{Layout, write_ndjson};
use metricc_tests::generate::logs::{self, LogOptions};

use crate::layers::{options, whole};

pub(crate) fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs")
}

/// Paths of the pages, in the order of the summary.
pub(crate) fn pages() -> Vec<String> {
    let summary = std::fs::read_to_string(docs().join("SUMMARY.md")).expect("there is a summary");
    let links = summary.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    links.map(str::to_owned).collect()
}

#[test]
fn every_page_is_in_the_summary_and_every_link_works() {
    let pages = pages();
    for folder in ["", "language"] {
        for entry in std::fs::read_dir(docs().join(folder)).expect("a folder of pages") {
            let name = entry.expect("an entry").file_name().to_string_lossy().into_owned();
            let path = if folder.is_empty() { name.clone() } else { format!("{folder}/{name}") };
            if name.ends_with(".md") && name != "SUMMARY.md" {
                assert!(pages.contains(&path), "{path} is not in the summary");
            }
        }
    }
    for page in pages.iter().map(|page| docs().join(page)) {
        let text = std::fs::read_to_string(&page).expect("a page that the summary names");
        for link in text.split("](").skip(1).filter_map(|rest| rest.split([')', '#']).next()) {
            let is_local = !link.is_empty() && !link.contains(':');
            let target = page.parent().expect("a folder").join(link);
            assert!(!is_local || target.exists(), "{}: {link}", page.display());
        }
    }
}

/// A fenced block of a page: the words after `metric` or `csv`, and its text.
pub(crate) struct Block {
    pub(crate) head: String,
    pub(crate) text: String,
}

pub(crate) fn blocks(page: &str) -> Vec<Block> {
    let files = page.split("```csv").skip(1).filter_map(|rest| rest.split_once('\n'));
    let fences = page.split("```metric").skip(1).filter_map(|rest| rest.split_once('\n'));
    let block = |(head, rest): (&str, &str)| Block {
        head: head.trim().to_owned(),
        text: rest.split("```").next().unwrap_or_default().to_owned(),
    };
    fences.map(block).chain(files.map(block)).collect()
}

#[test]
fn every_block_of_the_book_gives_the_result_on_its_page() {
    let (mut n_good, mut n_bad, mut n_tests) = (0, 0, 0);
    for page in pages() {
        let text = std::fs::read_to_string(docs().join(&page)).expect("a page");
        let blocks = blocks(&text);
        let files: Vec<(&str, &str)> = blocks
            .iter()
            .filter_map(|block| Some((block.head.strip_prefix("file=")?, block.text.as_str())))
            .collect();
        for block in blocks.iter().filter(|block| !block.head.ends_with(".csv")) {
            let source = SourceText { name: page.clone(), bytes: block.text.as_str().into() };
            let package = Package::from_text_with(source, &files[..]);
            let said = render::short(&package.checked.diagnostics, &package.text);
            if block.head.is_empty() || block.head.starts_with("file=") {
                assert!(!package.checked.has_errors(), "{page}: {said}");
                run(&page, &package);
                n_tests += package.checked.package.tests.len();
                n_good += 1;
            } else {
                let is_given = said.contains(&format!("error[{}]", block.head));
                assert!(is_given, "{page}: not {}\n{}\n{said}", block.head, block.text);
                n_bad += 1;
            }
        }
    }
    assert!(
        n_good >= 25 && n_bad >= 8 && n_tests >= 3,
        "{n_good} blocks, {n_bad} with errors, {n_tests} tests"
    );
}

/// Runs the metrics of a block over random logs in both engines, and its tests.
fn run(page: &str, package: &Package) {
    for test in &package.checked.package.tests {
        let report = run_test(package, test).expect("the test runs");
        assert!(report.failures.is_empty(), "{page}, {}: {:?}", report.name, report.failures);
    }
    // User-defined functions are not available here.
    let of_events = package.checked.package.metrics.clone();
    let of_events: Vec<_> =
        of_events.into_iter().filter(|metric| metric.imports().next().is_none()).collect();
    for plan in SourcePlan::of_package(&of_events, &package.imports).expect("what is checked is planned") {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let events = logs::log(&plan.source, &LogOptions::new(7, 40));
        write_ndjson(
            folder.path(),
            &plan.source,
            &events,
            &Layout { seed: 7, n_files: 1, is_hostile: false },
        )
        .expect("the log is written");
        let binding = metricc_log::Binding::new(folder.path().to_string_lossy());
        let log = metricc_log::Log::open(&plan.source, &binding).expect("the log opens");
        let bound = metricc::Bound { plan: plan.into(), log };
        let (batch, _) = whole(&bound, Engine::Batch, &options(2, 7));
        let (stream, _) = whole(&bound, Engine::Stream, &options(1, 16));
        assert_eq!(batch, stream, "{page}");
    }
}

#[test]
fn the_table_of_codes_is_complete() {
    let page = std::fs::read_to_string(docs().join("language/errors.md")).expect("the page is there");
    for code in metricc_dsl::Code::all() {
        let is_warning = code.severity() == metricc_dsl::Severity::Warning;
        let line =
            format!("| {} | {}{} |", code.id(), code.title(), if is_warning { " (warning)" } else { "" });
        assert!(page.lines().any(|found| found == line), "there is no line\n{line}");
    }
}
