//! `metricc test`.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use metricc_ir::text::{visible, visible_lines};
use metricc_ir::user_defined::Imports;
use metricc_ir::{Test, suggest};

use super::arguments::TestArguments;
use super::terminal::{self, Failure, counted};
use super::{progress, stored};
use crate::Package;
use crate::testing::{RowDifference, TestFailure, TestReport, run_test};

/// Time between two looks at watched files.
const WATCH_EVERY: Duration = Duration::from_millis(300);

/// Results of all tests of all files.
#[derive(Default)]
struct Tally {
    n_passed: usize,
    n_failed: usize,
    /// Files with errors.
    n_invalid: usize,
}

pub(crate) fn run(arguments: &TestArguments, imports: &Imports) -> Result<ExitCode, Failure> {
    if !arguments.watch {
        let tally = all_files(arguments, imports)?;
        let Tally { n_passed, n_failed, n_invalid } = tally;
        // Success of tests that were not run would be none.
        let is_filter_wrong = arguments.filter.is_some() && n_passed + n_failed == 0;
        return Ok(ExitCode::from(u8::from(n_failed + n_invalid > 0 || is_filter_wrong)));
    }
    loop {
        let files = with_used(&arguments.files);
        let before = stamps(&files);
        // The user may mend the error while the command watches.
        if let Err(Failure::Message(message)) = all_files(arguments, imports) {
            terminal::error(&message);
        }
        terminal::note(format!(
            "watching {}; stop with Ctrl-C",
            counted(arguments.files.len(), "file", "files")
        ));
        while stamps(&files) == before {
            std::thread::sleep(WATCH_EVERY);
        }
        terminal::note("");
    }
}

/// The files, and those beside them that they use.
fn with_used(files: &[PathBuf]) -> Vec<PathBuf> {
    let mut all = files.to_vec();
    for file in files {
        let Ok(package) = stored::read_package(file) else { continue };
        let beside = package.checked.used.iter().map(|used| file.with_file_name(&used.name));
        all.extend(beside);
    }
    all
}

/// Time of the last change and length of each file.
fn stamps(files: &[PathBuf]) -> Vec<Option<(SystemTime, u64)>> {
    let stamp = |file: &PathBuf| {
        let metadata = std::fs::metadata(file).ok()?;
        Some((metadata.modified().ok()?, metadata.len()))
    };
    files.iter().map(stamp).collect()
}

fn all_files(arguments: &TestArguments, imports: &Imports) -> Result<Tally, Failure> {
    let mut tally = Tally::default();
    for file in &arguments.files {
        let package = stored::read_package(file)?.with_imports(imports);
        if terminal::report(&package)? {
            one_file(&package, arguments.filter.as_deref(), &mut tally)?;
        } else {
            tally.n_invalid += 1;
        }
    }
    let Tally { n_passed, n_failed, n_invalid } = tally;
    let invalid = if n_invalid == 0 {
        String::new()
    } else {
        format!(", {} with errors", counted(n_invalid, "file", "files"))
    };
    terminal::note(format!("{} passed, {n_failed} failed{invalid}", counted(n_passed, "test", "tests")));
    Ok(tally)
}

/// Why no test of a file is run.
fn no_test(filter: Option<&str>, names: &[&str]) -> String {
    let Some(filter) = filter.filter(|_| !names.is_empty()) else { return "no tests".to_owned() };
    let filter_shown = visible(filter);
    let words = names.iter().flat_map(|name| name.split_whitespace()).filter(|word| word.len() > 2);
    match suggest::nearest(filter, names.iter().copied().chain(words)) {
        Some(meant) => {
            format!("no test has `{filter_shown}` in its name; did you mean `{}`?", visible(meant))
        }
        None => format!("no test has `{filter_shown}` in its name"),
    }
}

fn one_file(package: &Package, filter: Option<&str>, tally: &mut Tally) -> Result<(), Failure> {
    let tests = &package.checked.package.tests;
    let wanted = |name: &str| filter.is_none_or(|filter| name.contains(filter));
    if !tests.iter().any(|test| wanted(&test.name)) {
        let names: Vec<&str> = tests.iter().map(|test| test.name.as_str()).collect();
        terminal::note(format!("{}: {}", package.text.name, no_test(filter, &names)));
    }
    for test in tests.iter().filter(|test| wanted(&test.name)) {
        let (is_passed, text) = outcome(package, test);
        match is_passed {
            true => tally.n_passed += 1,
            false => tally.n_failed += 1,
        }
        terminal::data(&text)?;
    }
    Ok(())
}

/// Whether a test passes, and its report.
fn outcome(package: &Package, test: &Test) -> (bool, String) {
    match run_test(package, test) {
        Ok(report) => (report.failures.is_empty(), text(&package.text.name, &report)),
        // The other tests still run.
        Err(error) => {
            let (location, name) = (format!("{}:{}", package.text.name, test.line), visible(&test.name));
            let problem = match Failure::from(error) {
                Failure::Message(problem) | Failure::NotNow(problem) => problem,
                Failure::ClosedPipe => String::new(),
            };
            (false, format!("FAILED  {location}  {name}\n  the test cannot run: {problem}\n"))
        }
    }
}

/// Runs all tests of a package that is about to be used, and reports on stderr those that fail. Returns
/// whether all have passed.
pub(super) fn all_pass(package: &Package) -> bool {
    let tests = &package.checked.package.tests;
    let bar = progress::bar(tests.len() as u64, "tests", &package.text.name);
    let mut failed = Vec::new();
    for test in tests {
        let (is_passed, text) = outcome(package, test);
        bar.inc(1);
        failed.extend((!is_passed).then_some(text));
    }
    bar.finish_and_clear();
    failed.iter().for_each(|text| terminal::note(text.trim_end()));
    let passed = counted(tests.len() - failed.len(), "test", "tests");
    match failed.len() {
        _ if tests.is_empty() => {}
        0 => terminal::note(format!("{passed} passed")),
        n_failed => terminal::note(format!("{passed} passed, {n_failed} failed")),
    }
    failed.is_empty()
}

fn text(file: &str, report: &TestReport) -> String {
    let (location, name) = (format!("{file}:{}", report.line), visible(&report.name));
    if report.failures.is_empty() {
        let cuts = counted(report.n_cuts, "cut", "cuts");
        let orders = counted(report.n_orders, "order", "orders");
        return format!("ok      {location}  {name}  ({cuts}, {orders})\n{}", overflow_lines(report));
    }
    let mut text = format!("FAILED  {location}  {name}\n{}", overflow_lines(report));
    for failure in &report.failures {
        for line in failure_lines(file, failure) {
            text.push_str(&format!("  {}\n", visible_lines(&line)));
        }
    }
    text
}

/// What could not be computed, which a test may expect.
fn overflow_lines(report: &TestReport) -> String {
    report.overflows.iter().map(|overflow| format!("  note: {overflow}\n")).collect()
}

fn failure_lines(file: &str, failure: &TestFailure) -> Vec<String> {
    let shuffled = |is_shuffled: bool| if is_shuffled { ", with the log in a random order" } else { "" };
    match failure {
        TestFailure::Quarantined { source, line, problem } => {
            vec![format!("{file}:{line}  a record of `{source}` cannot be decoded: {problem}")]
        }
        TestFailure::Rows { metric, line, is_shuffled, rows } => {
            let mut lines = vec![format!("{file}:{line}  {metric}{}", shuffled(*is_shuffled))];
            lines.push("  - expected, + found".to_owned());
            lines.extend(rows.iter().flat_map(row_lines));
            lines
        }
        TestFailure::Layers { cut, is_shuffled, difference } => {
            let missing = || "the group is missing".to_owned();
            vec![
                format!("the engines differ at the cut {cut}{}", shuffled(*is_shuffled)),
                format!("  {}, {}", difference.metric, difference.group),
                format!(
                    "  {}: {}",
                    difference.expected_by,
                    difference.expected.clone().unwrap_or_else(missing)
                ),
                format!("  {}: {}", difference.found_by, difference.found.clone().unwrap_or_else(missing)),
                "  this is a bug in metricc: please report it, with the file".to_owned(),
            ]
        }
    }
}

fn row_lines(row: &RowDifference) -> Vec<String> {
    let line = row.line.map(|line| format!("   (line {line})")).unwrap_or_default();
    let expected = row.expected.iter().map(|row| format!("  - {row}{line}"));
    let found = row.found.iter().map(|row| format!("  + {row}"));
    expected.chain(found).collect()
}
