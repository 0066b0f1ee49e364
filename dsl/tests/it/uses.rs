//! `use`: items of another file keep their meaning, and their errors are reported in that file.

use metricc_dsl::{Checked, Code, check_with};

use super::file;

const EVENTS: &str = "
calendar india { zone \"Asia/Kolkata\" }
source payments { id: int key  at: timestamp time  amount: decimal(12, 2) }
source views { id: int key  at: timestamp time }
metric payment_count = count() { from payments  every day in india }
";

fn with(text: &str, files: &[(&str, &str)]) -> Checked {
    check_with(&file(text), files)
}

fn codes(text: &str, files: &[(&str, &str)]) -> Vec<Code> {
    with(text, files).diagnostics.iter().map(|diagnostic| diagnostic.code).collect()
}

fn names(checked: &Checked) -> (Vec<&str>, Vec<&str>) {
    let package = &checked.package;
    (
        package.sources.iter().map(|source| source.name.as_str()).collect(),
        package.metrics.iter().map(|metric| metric.name.as_str()).collect(),
    )
}

#[test]
fn a_metric_over_taken_items_is_the_metric_over_its_own() {
    let body = "metric revenue = sum(amount) { from payments  every day in india }";
    let taken = with(&format!("use events.{{payments, india}}\n{body}"), &[("events.metric", EVENTS)]);
    let own = with(&format!("{EVENTS}{body}"), &[]);
    assert_eq!(taken.diagnostics, []);
    assert_eq!(taken.package.metrics[0], own.package.metrics[1]);
    assert_eq!(names(&taken), (vec!["payments"], vec!["revenue"]));
    assert_eq!(taken.used.iter().map(|used| used.name.as_str()).collect::<Vec<_>>(), ["events.metric"]);
}

#[test]
fn a_taken_metric_brings_its_source_and_what_it_needs_in_silence() {
    let taken = with("use events.{payment_count}\n", &[("events.metric", EVENTS)]);
    assert_eq!(taken.diagnostics, []);
    assert_eq!(names(&taken), (vec!["payments"], vec!["payment_count"]));
    // A calendar of the same name here says nothing there.
    let text = "use events.{payment_count, payments}\ncalendar india { zone \"UTC\" }
        metric daily = count() { from payments  every day in india }";
    let taken = with(text, &[("events.metric", EVENTS)]);
    assert_eq!(taken.diagnostics, []);
    assert_ne!(taken.package.metrics[0].window, taken.package.metrics[1].window);
}

#[test]
fn the_source_of_a_taken_metric_can_be_given_in_a_test() {
    let text = "use events.{payment_count}
        test \"none\" { given payments []  expect payment_count [] }";
    let taken = with(text, &[("events.metric", EVENTS)]);
    assert_eq!(taken.diagnostics, []);
    assert_eq!(taken.package.tests.len(), 1);
}

#[test]
fn what_cannot_be_taken_is_reported_once() {
    let files = [("events.metric", EVENTS)];
    let use_twice = "use events.{payments, payments}\nmetric n = count() { from payments }";
    let own_and_taken = "use events.{payments}\nsource payments { id: int key  at: timestamp time }
        metric n = count() { from payments }";
    let other_source = "use events.{payment_count}\nsource payments { id: int key  at: timestamp time }
        metric n = count() { from payments }";
    for (text, expected) in [
        ("use events.{payment}\nmetric n = count() { from payment }", vec![Code::UnknownName]),
        ("use event.{payments}\nmetric n = count() { from payments }", vec![Code::UsedFile]),
        (use_twice, vec![Code::DuplicateName]),
        (own_and_taken, vec![Code::DuplicateName]),
        (other_source, vec![Code::DuplicateName]),
        ("use events.{payments views}\nmetric n = count() { from payments }", vec![Code::Syntax]),
        ("use events.{}\nmetric n = count() { from payments }", vec![Code::Syntax, Code::UnknownSource]),
        ("use events.*\nmetric n = count() { from payments }", vec![Code::Syntax, Code::UnknownSource]),
        ("use events.{india, payments}\nmetric n = count() { from payments }", vec![Code::Unused]),
        ("use example.{n}\nsource s { id: int key  at: timestamp time }", vec![Code::CircularUse]),
    ] {
        assert_eq!(codes(text, &files), expected, "{text}");
    }
}

#[test]
fn errors_of_a_used_file_are_its_own() {
    let broken = format!("{EVENTS}metric broken = sum(amont) {{ from payments }}\n");
    let files = [("events.metric", broken.as_str())];
    let text = "use events.{payments, broken}\nmetric n = count() { from payments }";
    let checked = with(text, &files);
    let [found] = checked.diagnostics.as_slice() else { panic!("{:?}", checked.diagnostics) };
    assert_eq!(found.code, Code::UsedFile);
    assert!(
        found.notes[0].contains("events.metric:6:") && found.notes[0].contains("M0013"),
        "{:?}",
        found.notes
    );
}

#[test]
fn circles_of_any_length_are_reported_and_end() {
    let a = "use b.{y}\nsource x { id: int key  at: timestamp time }\n";
    let b = "use c.{z}\nsource y { id: int key  at: timestamp time }\n";
    let c = "use a.{x}\nsource z { id: int key  at: timestamp time }\n";
    let files = [("a.metric", a), ("b.metric", b), ("c.metric", c), ("example.metric", "use a.{x}\n")];
    let text = "use a.{x}\nmetric n = count() { from x }";
    // A circle that this file is not in is an error of the files that are.
    assert_eq!(codes(text, &files), [Code::UsedFile]);
    let mut inside = metricc_dsl::SourceText { name: "folder/a.metric".into(), bytes: a.into() };
    let checked = check_with(&inside, &files[..]);
    assert_eq!(checked.diagnostics[0].code, Code::CircularUse);
    assert_eq!(checked.diagnostics[0].labels[0].text, "a → b → c → a");
    inside.name = "c.metric".into();
    inside.bytes = c.into();
    assert_eq!(check_with(&inside, &files[..]).diagnostics[0].labels[0].text, "c → a → b → c");
}

#[test]
fn a_file_that_two_others_use_is_one_file() {
    let left = "use events.{payments}\nmetric total = sum(amount) { from payments }\n";
    let right = "use events.{payments}\nmetric largest = max(amount) { from payments }\n";
    let files = [("events.metric", EVENTS), ("left.metric", left), ("right.metric", right)];
    let checked = with("use left.{total}\nuse right.{largest}\n", &files);
    assert_eq!(checked.diagnostics, []);
    assert_eq!(names(&checked), (vec!["payments"], vec!["total", "largest"]));
    assert_eq!(checked.used.len(), 3);
}
