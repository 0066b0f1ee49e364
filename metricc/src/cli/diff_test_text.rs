//! Events that two versions read differently, as `test` blocks of the language.
//!
//! A test gives one event and expects what the new version makes of it. A comment says what the old one did.

use metricc_comparison::diff::decided::{Cause, Class, Fate};
use metricc_ir::AnyMetric;

use crate::testing::presented_row_text;

/// A `test` block, and what it needs of the package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TestText {
    /// Its name.
    pub(crate) name: String,
    /// The metric that it is about.
    pub(crate) metric: String,
    /// The source of its event.
    pub(crate) source: String,
    /// The block.
    pub(crate) text: String,
}

/// The test of one event of a class.
///
/// # Errors
/// Why an event cannot be given in a test.
pub(crate) fn test_of(metric: &AnyMetric, class: &Class, cause: &Cause) -> Result<TestText, String> {
    if let Fate::Rejected(why) = &cause.new.fate {
        return Err(format!("NEW rejects the record, and a test gives events alone: {why}"));
    }
    if cause.old.fate == Fate::Duplicate || cause.new.fate == Fate::Duplicate {
        return Err("a duplicate is one beside an earlier event, and a test of one event has none".to_owned());
    }
    let (Some(fields), Some(source)) = (&cause.fields, metric.only_source()) else {
        return Err("its fields are not known".to_owned());
    };
    let parts = if class.parts.is_empty() { String::new() } else { format!("{}: ", class.parts.join(", ")) };
    let name = format!("{}: {parts}{}", metric.name(), class.how);
    let rows = |presented| -> Vec<String> {
        let presented: &metricc_runtime_serve::Presented = presented;
        (0..presented.n_rows).map(|row| presented_row_text(presented, row)).collect()
    };
    let was = match &rows(&cause.old.presented)[..] {
        [] => "  // OLD gave no row.\n".to_owned(),
        rows => rows.iter().map(|row| format!("  // OLD gave {row}\n")).collect(),
    };
    let expected = match &rows(&cause.new.presented)[..] {
        [] => "[]".to_owned(),
        rows => format!("[\n{}  ]", rows.iter().map(|row| format!("    {row},\n")).collect::<String>()),
    };
    let text = format!(
        "test {name:?} {{\n{was}  given {} [\n    {},\n  ]\n  expect {} {expected}\n}}\n",
        source.name,
        fields.row_text(),
        metric.name()
    );
    Ok(TestText { name, metric: metric.name().to_owned(), source: source.name.clone(), text })
}

/// A file with tests of a package, whose file is named `stem.metric` and lies in the same folder.
pub(crate) fn file_of(stem: &str, tests: &[TestText]) -> String {
    let mut names: Vec<&str> = Vec::new();
    for name in tests.iter().flat_map(|test| [&*test.source, &*test.metric]) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let mut text = format!(
        "// Written by `metricc diff`: one event for each way in which the versions differ.\n\
         use {stem}.{{{}}}\n",
        names.join(", ")
    );
    for test in tests {
        text.push('\n');
        text.push_str(&test.text);
    }
    text
}
