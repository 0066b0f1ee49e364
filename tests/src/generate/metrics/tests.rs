use super::*;
use crate::generate::logs::{LogOptions, log};
use crate::oracle::evaluate;

const SHAPE: Shape = Shape { has_identity: true, time_is_date: false, has_lists: true };

#[test]
fn a_seed_decides_the_package() {
    assert_eq!(package(1, SHAPE, 3).text, package(1, SHAPE, 3).text);
    assert_ne!(package(1, SHAPE, 3).text, package(2, SHAPE, 3).text);
}

#[test]
fn brackets_are_balanced_and_calendars_defined() {
    for seed in 0..300 {
        let generated = metric_package(seed, SHAPE);
        let count = |letter| generated.text.matches(letter).count();
        assert_eq!((count('('), count('{')), (count(')'), count('}')), "{}", generated.text);
        for name in &generated.metrics[0].1.calendars {
            assert!(generated.text.contains(&format!("calendar {name} {{")), "{}", generated.text);
        }
    }
}

#[test]
fn thousands_of_metrics_use_every_aggregate_in_every_window() {
    let mut coverage = Coverage::default();
    for seed in 0..6_000 {
        for (_, uses) in metric_package(seed, SHAPE).metrics {
            coverage.add(&uses);
        }
    }
    assert_eq!(coverage.names(1).len(), 33);
    assert_eq!(coverage.names(2).len(), 9);
    assert!(coverage.names(0).len() >= 50, "{:?}", coverage.names(0));
    let missing = coverage.missing();
    for aggregate in coverage.names(1) {
        for window in coverage.names(2) {
            let n_missing = missing.iter().filter(|(_, a, w)| (*a, *w) == (aggregate, window)).count();
            assert!(n_missing < coverage.names(0).len() / 2, "{aggregate} {window}: {n_missing} missing");
        }
    }
}

fn checked(generated: &Generated) -> metricc_dsl::Checked {
    let bytes = generated.text.clone().into_bytes();
    metricc_dsl::check_with(&metricc_dsl::SourceText { name: "random.metric".to_owned(), bytes }, FILES)
}

#[test]
fn generated_metrics_are_well_typed() {
    for shape in Shape::all() {
        for seed in 0..100 {
            let generated = package(seed, shape, 4);
            let checked = checked(&generated);
            let errors: Vec<_> = checked
                .diagnostics
                .iter()
                .filter(|found| found.severity == metricc_dsl::Severity::Error)
                .collect();
            assert!(errors.is_empty(), "seed {seed}, {shape:?}\n{}\n{errors:?}", generated.text);
            let names: Vec<&str> =
                checked.package.metrics.iter().map(|metric| metric.name.as_str()).collect();
            assert_eq!(names, ["m0", "m1", "m2", "m3"]);
        }
    }
}

#[test]
fn the_source_that_is_checked_is_the_source_that_is_meant() {
    for shape in Shape::all() {
        assert_eq!(checked(&package(1, shape, 1)).package.sources[0], shape.source());
    }
}

#[test]
fn the_interpreter_has_an_answer_for_every_generated_metric() {
    let mut n_rows = 0;
    for seed in 0..100 {
        let shape = Shape::all()[seed % 8];
        let generated = package(seed as u64, shape, 2);
        let events = log(&shape.source(), &LogOptions::new(seed as u64, 40));
        for metric in &checked(&generated).package.metrics {
            let rows = evaluate(metric, &events);
            n_rows += rows.len();
            for row in rows.iter().filter(|row| row.is_exact()) {
                let line: serde_json::Value = serde_json::from_str(&row.line()).expect("JSON");
                assert_eq!(line["metric"], metric.name.as_str());
            }
        }
    }
    assert!(n_rows > 1_000);
}
