//! Every block of the language reference is checked.

use metricc_dsl::{SourceText, check, render};

#[test]
fn every_block_of_the_language_reference_gives_what_the_page_says() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/language.md");
    let page = std::fs::read_to_string(path).expect("there is a language reference");
    let mut n_blocks = 0;
    for block in page.split("```metric").skip(1) {
        let (head, rest) = block.split_once('\n').expect("a block has lines");
        let text = rest.split("```").next().expect("a block ends");
        let text = SourceText { name: "language.md".to_owned(), bytes: text.into() };
        let checked = check(&text);
        let said = render::short(&checked.diagnostics, &text);
        match head.trim() {
            "" => assert!(!checked.has_errors(), "{said}"),
            code => {
                assert!(checked.has_errors() && said.contains(&format!("error[{code}]")), "{code}: {said}");
            }
        }
        n_blocks += 1;
    }
    assert!(n_blocks >= 5, "{n_blocks} blocks");
}
