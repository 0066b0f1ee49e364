//! Questions: metrics without a name, checked at the end of a package.

use metricc_dsl::{NoFiles, Question, SourceText};

const PACKAGE: &str = "
source events { at: timestamp time  shop: string  n: int }
metric total = sum(n) { from events  by shop }
metric seen = count() { from events  by shop } // the last line";

fn package() -> SourceText {
    SourceText { name: "events.metric".to_owned(), bytes: PACKAGE.into() }
}

fn question(name: &str, text: &str) -> Question {
    Question::check(&package(), &NoFiles, name, text)
}

#[test]
fn a_question_is_a_metric_of_the_package_and_is_formatted_as_one() {
    for (text, formatted) in [
        ("max( n ) {from events by shop}", "metric q = max(n) { from events  by shop }\n"),
        ("total/seen", "metric q = total / seen\n"),
        ("{ a: total, b: seen }", "metric q = { a: total, b: seen }\n"),
        ("\n  count() { // all\n from events }\n", "metric q = count() {"),
    ] {
        let found = question("q", text);
        assert_eq!(found.errors(false, 80), None, "{text}");
        assert_eq!(found.metric.expect("a metric").name(), "q");
        assert!(found.metric_text.starts_with(formatted), "{}", found.metric_text);
        // The text means the same where it stands.
        let whole = SourceText { bytes: format!("{PACKAGE}\n{}", found.metric_text).into(), ..package() };
        assert!(!metricc_dsl::check(&whole).has_errors(), "{}", found.metric_text);
    }
}

#[test]
fn diagnostics_are_of_the_text_of_the_question() {
    for (text, place, message) in [
        ("max(m) { from events }", "question:1:5", "`m`"),
        ("max(n) {\n  from event\n}", "question:2:8", "`event`"),
        ("total / sen", "question:1:9", "`sen`"),
        ("max(n) { from events", "question:1:", ""),
        ("max(n) } from events", "question:1:", ""),
        ("metric a = max(n) { from events }", "question:1:1", "leave out `metric NAME =`"),
        ("source a { at: timestamp time }", "question:1:1", "a question is one metric"),
        ("max(n) { from events }\nmetric a = total", "question:2:1", "a question is one metric"),
        ("", "question:1:1", "the question is empty"),
        ("// total", "question:1:1", "the question is empty"),
    ] {
        let found = question("q", text);
        let errors = found.errors(false, 80).unwrap_or_else(|| panic!("{text} has errors"));
        assert!(found.metric.is_none() && errors.contains(message), "{text}: {errors}");
        assert!(errors.contains(place) && !errors.contains("events.metric"), "{text}: {errors}");
        for label in found.diagnostics.iter().flat_map(|diagnostic| &diagnostic.labels) {
            assert!(label.span.start <= label.span.end && label.span.end <= text.len(), "{text}");
        }
    }
}

#[test]
fn a_name_is_one_word_that_is_free() {
    for name in ["where", "a b", "", "1a", "q = count() { from events } metric r", "q\n", "ä"] {
        let found = question(name, "total");
        assert!(found.metric.is_none(), "{name}");
        assert!(found.errors(false, 80).is_some_and(|errors| errors.contains("is not a name")), "{name}");
    }
    let taken = question("seen", "max(n) { from events }");
    assert!(taken.metric.is_none() && taken.errors(false, 80).is_some(), "it is defined twice");
    assert_eq!(Question::free_name(&package()), "question");
    let taken = SourceText { bytes: b"metric question = question_2".to_vec(), ..package() };
    assert_eq!(Question::free_name(&taken), "question_3");
}

#[test]
fn any_text_gives_a_metric_or_errors() {
    let pieces = [
        "max(n)",
        "{",
        "}",
        " from events ",
        "by shop",
        "metric",
        " a ",
        "=",
        "\"",
        "//",
        "\n",
        "(",
        "é",
        "\0",
    ];
    let mut state = 1_u64;
    for _ in 0..3000 {
        let mut text = String::new();
        for _ in 0..1 + state % 9 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            text.push_str(pieces[(state >> 33) as usize % pieces.len()]);
        }
        let found = question("q", &text);
        assert_ne!(found.metric.is_some(), found.errors(true, 60).is_some(), "{text:?}");
    }
}
