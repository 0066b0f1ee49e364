//! Every code: its explanation holds, and its rendering is reviewed.

use std::collections::BTreeSet;

use metricc_dsl::Code;

use super::{codes, file, rendered};

/// The example of an explanation under a heading.
fn example(code: Code, heading: &str) -> &'static str {
    let explanation = code.explanation();
    let start = explanation.find(&format!("{heading}:\n\n```metric\n")).expect("a heading with an example");
    let text = &explanation[start..];
    let from = text.find("```metric\n").expect("a fence") + "```metric\n".len();
    let to = text[from..].find("```").expect("the end of the fence");
    &text[from..from + to]
}

#[test]
fn the_wrong_example_of_every_explanation_gives_its_code() {
    for code in Code::all() {
        let wrong = example(*code, "Wrong");
        assert_eq!(codes(wrong), [*code], "{}: {}", code.id(), rendered(wrong));
    }
}

#[test]
fn the_right_example_of_every_explanation_gives_nothing() {
    for code in Code::all() {
        let right = example(*code, "Right");
        assert_eq!(rendered(right), "", "{}", code.id());
    }
}

#[test]
fn every_code_is_rendered_as_reviewed() {
    for code in Code::all() {
        let wrong = example(*code, "Wrong");
        let text = format!("{wrong}\n{}", rendered(wrong));
        insta::with_settings!({prepend_module_to_snapshot => false, omit_expression => true}, {
            insta::assert_snapshot!(code.id(), text);
        });
    }
}

#[test]
fn ids_are_unique_dense_and_parsed_back() {
    let ids: BTreeSet<&str> = Code::all().iter().map(|code| code.id()).collect();
    assert_eq!(ids.len(), Code::all().len());
    for (index, code) in Code::all().iter().enumerate() {
        assert_eq!(code.id(), format!("M{:04}", index + 1));
        assert_eq!(Code::parse(code.id()), Some(*code));
        assert_eq!(Code::parse(&code.id().to_lowercase()), Some(*code));
        assert!(!code.title().is_empty());
    }
    assert_eq!(Code::parse("M9999"), None);
}

#[test]
fn messages_follow_the_house_style() {
    for code in Code::all() {
        let found = metricc_dsl::check(&file(example(*code, "Wrong"))).diagnostics;
        for diagnostic in found {
            let texts = diagnostic.help.iter().chain(&diagnostic.notes).chain([&diagnostic.message]);
            for text in texts.chain(diagnostic.labels.iter().map(|label| &label.text)) {
                assert!(!text.ends_with('.'), "{}: {text}", code.id());
                assert!(
                    !text.starts_with(char::is_uppercase) || text.starts_with("U+"),
                    "{}: {text}",
                    code.id()
                );
            }
            assert!(
                diagnostic.severity == code.severity()
                    && (!diagnostic.help.is_empty() || diagnostic.code == Code::Syntax),
                "{}",
                code.id()
            );
        }
    }
}
