//! `metricc diff --write-tests`: one event for each way in which two versions differ, as a file of tests.
//!
//! The file imports the new version, which lies beside it. Each test is run before it is written.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use metricc_comparison::diff::decided::{Cause, Class};
use metricc_comparison::report::MetricRows;
use metricc_dsl::SourceText;
use metricc_ir::user_defined::Imports;

use super::diff_test_text::{TestText, file_of, test_of};
use super::terminal::{self, Failure, counted};
use crate::Package;
use crate::package::Folder;
use crate::testing::run_test;

/// Checks that tests of a package can be written to a file, before anything is computed.
pub(crate) fn check(path: &Path, package: &str) -> Result<(), Failure> {
    let refused = |problem: String, help: &str| {
        Err(Failure::Message(format!("`--write-tests {}`: {problem}\n  help: {help}", path.display())))
    };
    if path.exists() {
        return refused("there is such a file already".to_owned(), "remove that one, or name another");
    }
    let package = Path::new(package);
    let folder = |path: &Path| {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        folder.canonicalize().ok()
    };
    let is_beside = folder(path).is_some() && folder(path) == folder(package);
    if !is_beside {
        return refused(
            format!("it is not in the folder of {}", package.display()),
            "tests import the new version, so write them beside it",
        );
    }
    let stem = stem(package);
    if !is_name(&stem) || package.extension().is_none_or(|suffix| suffix != "metric") {
        return refused(
            format!("`{stem}` is not a name of the language, so no file can import it"),
            "rename the new version: letters, digits and `_`, with `.metric` after them",
        );
    }
    Ok(())
}

fn stem(package: &Path) -> String {
    package.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default()
}

fn is_name(text: &str) -> bool {
    let is_letter = |c: char| c.is_ascii_alphabetic() || c == '_';
    text.starts_with(is_letter) && text.chars().all(|c| is_letter(c) || c.is_ascii_digit())
}

/// Writes the tests of all classes. Says which have none, and why.
pub(crate) fn write(
    path: &Path,
    (new, imports): (&Package, &Imports),
    rows: &BTreeMap<String, MetricRows>,
) -> Result<(), Failure> {
    let mut tests = Vec::new();
    for (name, found) in rows {
        let Some(Ok(causes)) = &found.causes else { continue };
        for (class, events) in &causes.classes {
            match first_test(path, (new, imports), found, class, events) {
                Ok(test) => tests.push(test),
                Err(problem) => {
                    let what = format!("{}: {}", class.parts.join(", "), class.how);
                    terminal::warning(&format!("`{name}`: no test is written for `{what}`: {problem}"));
                }
            }
        }
    }
    if tests.is_empty() {
        terminal::note("no event was found that a test could give: no tests are written");
        return Ok(());
    }
    let text = file_of(&stem(Path::new(&new.text.name)), &tests);
    let formatted = metricc_dsl::format(&SourceText { name: String::new(), bytes: text.clone().into() });
    let failed = |error: std::io::Error| Failure::Message(format!("{}: {error}", path.display()));
    let mut file = File::create_new(path).map_err(failed)?;
    file.write_all(formatted.unwrap_or(text).as_bytes()).map_err(failed)?;
    terminal::note(format!("wrote {} to {}", counted(tests.len(), "test", "tests"), path.display()));
    Ok(())
}

/// The test of the first event of a class that passes; otherwise why the first one does not.
fn first_test(
    path: &Path,
    version: (&Package, &Imports),
    found: &MetricRows,
    class: &Class,
    events: &[Cause],
) -> Result<TestText, String> {
    let mut first_problem = None;
    for event in events {
        let test = test_of(&found.metric, class, event).and_then(|test| {
            passes(path, version, &test)?;
            Ok(test)
        });
        match test {
            Ok(test) => return Ok(test),
            Err(problem) => first_problem = first_problem.or(Some(problem)),
        }
    }
    Err(first_problem.unwrap_or_else(|| "there is no event".to_owned()))
}

/// Runs a test as the only one of its file.
fn passes(path: &Path, (new, imports): (&Package, &Imports), test: &TestText) -> Result<(), String> {
    let text = file_of(&stem(Path::new(&new.text.name)), std::slice::from_ref(test));
    let folder: PathBuf = path.parent().unwrap_or(Path::new("")).to_owned();
    let source = SourceText { name: path.display().to_string(), bytes: text.into() };
    let package = Package::from_text_with(source, &Folder(&folder)).with_imports(imports);
    let is_error = |found: &&metricc_dsl::Diagnostic| found.severity == metricc_dsl::Severity::Error;
    if let Some(error) = package.checked.diagnostics.iter().find(is_error) {
        return Err(error.message.clone());
    }
    for test in &package.checked.package.tests {
        let report = run_test(&package, test).map_err(|error| error.to_string())?;
        if !report.failures.is_empty() {
            return Err("the event as a test gives it is not read as the record is".to_owned());
        }
    }
    Ok(())
}
