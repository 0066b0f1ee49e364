//! Every code: its examples are checked, and its rendering is a reviewed snapshot.

use std::collections::BTreeSet;

use metricc_dsl::Code;

use super::file;

/// The example of an explanation under a heading.
fn example(code: Code, heading: &str) -> &'static str {
    let explanation = code.explanation();
    let start = explanation.find(&format!("{heading}:\n\n```metric\n")).expect("a heading with an example");
    let text = &explanation[start..];
    let from = text.find("```metric\n").expect("a fence") + "```metric\n".len();
    let to = text[from..].find("```").expect("the end of the fence");
    &text[from..from + to]
}

/// The files beside the examples of a page.
fn beside(code: Code) -> Vec<(&'static str, &'static str)> {
    let parts = code.explanation().split("Beside it, `").skip(1);
    let file = |part: &'static str| {
        let (name, rest) = part.split_once("`:\n\n```").expect("a file with a name");
        let (_, text) = rest.split_once('\n').expect("the language of the fence");
        (name, text.split("```").next().expect("the end of the fence"))
    };
    parts.map(file).collect()
}

/// The codes of an example of a page, and how it is rendered.
fn found(code: Code, heading: &str) -> (Vec<Code>, String) {
    let file = file(example(code, heading));
    let found = metricc_dsl::check_with(&file, &beside(code)[..]).diagnostics;
    let codes = found.iter().map(|diagnostic| diagnostic.code).collect();
    (codes, metricc_dsl::render::full(&found, &file, false, 110))
}

#[test]
fn the_wrong_example_of_every_explanation_gives_its_code() {
    for code in Code::all() {
        let (codes, rendered) = found(*code, "Wrong");
        assert_eq!(codes, [*code], "{}: {rendered}", code.id());
    }
}

#[test]
fn the_right_example_of_every_explanation_gives_nothing() {
    for code in Code::all() {
        assert_eq!(found(*code, "Right").1, "", "{}", code.id());
    }
}

#[test]
fn every_code_is_rendered_as_reviewed() {
    for code in Code::all() {
        let wrong = example(*code, "Wrong");
        let text = format!("{wrong}\n{}", found(*code, "Wrong").1);
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
        let found = metricc_dsl::check_with(&file(example(*code, "Wrong")), &beside(*code)[..]).diagnostics;
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
