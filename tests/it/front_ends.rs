//! Both front ends give the same typed metric: a metric of a `.metric` file, rewritten as a Rust function,
//! means the same.

use std::path::Path;

use metricc_codegen::testing::{package_of, package_of_metrics};
use metricc_dsl::{Checked, SourceText, check_with};
use metricc_tests::generate::metrics::{FILES, package};
use metricc_tests::generate::sources::Shape;

type Files<'a> = [(&'a str, &'a str)];

fn checked(text: &str, files: &Files<'_>) -> Checked {
    check_with(&SourceText { name: "front_end.metric".to_owned(), bytes: text.as_bytes().to_vec() }, files)
}

/// Rewrites every metric of a package in Rust, and compares the typed metrics.
fn assert_both_front_ends_agree(text: &str, files: &Files<'_>) {
    let file = checked(text, files);
    assert!(!file.has_errors(), "{:?}\n{text}", file.diagnostics);
    for metric in &file.package.metrics {
        let function = file.rust_spelling(&metric.name, "Event").expect("it has a syntax tree");
        let renamed = function.replacen(&format!("fn {}(", metric.name), "fn from_rust(", 1);
        let package =
            package_of(&metric.source, &file.package, (text, &files), &renamed).unwrap_or_else(|problem| {
                panic!("{} in Rust: {problem}\n{function}", metric.name);
            });
        let from_rust = checked(&package, files);
        let found = from_rust.package.metrics.iter().find(|other| other.name == "from_rust");
        let found = found.unwrap_or_else(|| panic!("{:?}\n{package}", from_rust.diagnostics));
        let typed = |metric: &metricc_ir::Metric| serde_json::to_string(metric).expect("a metric is JSON");
        assert_eq!(typed(metric), typed(found), "{function}\n{package}");
        assert_eq!(metric.doc, found.doc);
    }
    for derived in &file.package.derived {
        let function = file.rust_spelling(&derived.name, "Event").expect("it has a syntax tree");
        let renamed = function.replacen(&format!("fn {}(", derived.name), "fn from_rust(", 1);
        let package = package_of_metrics(&renamed)
            .unwrap_or_else(|problem| panic!("{} in Rust: {problem}\n{function}", derived.name));
        // Each operand is imported from a file of its name.
        let names: Vec<String> =
            file.package.all_metrics().map(|metric| format!("{}.metric", metric.name())).collect();
        let beside: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), text)).collect();
        let from_rust = checked(&package, &[&beside[..], files].concat());
        let found = from_rust.package.derived.iter().find(|other| other.name == "from_rust");
        let found = found.unwrap_or_else(|| panic!("{:?}\n{package}\n{function}", from_rust.diagnostics));
        let typed = |derived: &metricc_ir::Derived| serde_json::to_string(derived).expect("JSON");
        assert_eq!(typed(derived), typed(found), "{function}\n{package}");
        assert_eq!(derived.doc, found.doc);
    }
}

#[test]
fn the_examples_mean_the_same_in_rust() {
    for example in ["flights", "payments", "requests", "views"] {
        let path =
            Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../examples/{example}/{example}.metric"));
        assert_both_front_ends_agree(&std::fs::read_to_string(path).expect("the example is there"), &[]);
    }
}

#[test]
fn the_language_reference_means_the_same_in_rust() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/language");
    let mut n_blocks = 0;
    for entry in std::fs::read_dir(folder).expect("there is a language reference") {
        let page = std::fs::read_to_string(entry.expect("an entry").path()).expect("the page is there");
        let files =
            page.split("```csv file=").skip(1).filter_map(|rest| rest.split("```").next()?.split_once('\n'));
        let files: Vec<(&str, &str)> = files.collect();
        let blocks = page.split("```metric\n").skip(1).filter_map(|rest| rest.split("```").next());
        // Imported items are tested where they are defined.
        for block in blocks.filter(|block| !block.starts_with("use ")) {
            assert_both_front_ends_agree(block, &files);
            n_blocks += 1;
        }
    }
    assert!(n_blocks >= 15, "{n_blocks}");
}

#[test]
fn random_metrics_mean_the_same_in_rust() {
    let shapes = Shape::all();
    for seed in 0..200 {
        let generated = package(seed, shapes[seed as usize % shapes.len()], 8);
        assert_both_front_ends_agree(&generated.text, FILES);
    }
}
