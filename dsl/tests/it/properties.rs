//! Any bytes give the same result each time, and never a panic.

use proptest::collection::vec;
use proptest::prelude::*;

use metricc_dsl::{check, render};
use metricc_ir::explain_typed::explain_typed;

use super::{EVENTS, checked, file, over_events};

/// Checks and renders; the text of everything that came out.
fn everything(bytes: Vec<u8>) -> String {
    let file = file(bytes);
    let checked = check(&file);
    let mut out = render::full(&checked.diagnostics, &file, false, 100);
    out.push_str(&render::short(&checked.diagnostics, &file));
    out.push_str(&format!("{:?}", render::to_json(&checked.diagnostics, &file)));
    for metric in &checked.package.metrics {
        out.push_str(&explain_typed(metric).to_text());
        out.push_str(&checked.explain_syntax(&metric.name).expect("a checked metric has a tree").to_text());
    }
    out
}

fn example() -> String {
    let first = over_events(
        "{ a: (count() where n > 1) / count(), b: quantile(price, 0.99, within: 1%), c: sum(price) * 2 }",
        "each tag in tags  let net = price - fee  where net > 0 and (nick ?? \"\") != \"x\"  by lower(tag) as t  every day in india",
    );
    format!(
        "{first}metric other = max(if maybe == none then 0 else 1) {{ from events every 1h unit \"x\" }}\n"
    )
}

/// Pieces that the grammar knows, to be put together in any order.
fn fragment() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "metric",
        "source",
        "calendar",
        "x",
        "events",
        "=",
        "{",
        "}",
        "(",
        ")",
        "[",
        "]",
        ",",
        ":",
        "from",
        "where",
        "by",
        "every",
        "let",
        "each",
        "in",
        "not",
        "and",
        "or",
        "if",
        "then",
        "else",
        "none",
        "true",
        "count()",
        "sum(",
        "n",
        "price",
        "1",
        "1.5",
        "1h",
        "1%",
        "\"a\"",
        "\"",
        "==",
        "<",
        "+",
        "-",
        "*",
        "/",
        "%",
        "??",
        "?",
        "day",
        "india",
        "as",
        "unit",
        "///d\n",
        "//c\n",
        "//!\n",
        "key",
        "time",
        "timestamp",
        "list<",
        ">",
        "int",
        "within:",
        "\n",
        "offset",
        "over last",
        "session gap",
        "use",
        "test",
        "é",
        "&&",
        "'a'",
        ";",
    ])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 160, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_bytes_are_answered(bytes in vec(any::<u8>(), 0..300)) {
        prop_assert_eq!(everything(bytes.clone()), everything(bytes));
    }

    #[test]
    fn shuffled_tokens_are_answered(tokens in vec(fragment(), 0..60)) {
        let text = format!("{EVENTS}metric m = {}", tokens.join(" "));
        prop_assert_eq!(everything(text.clone().into()), everything(text.into()));
    }

    #[test]
    fn mutated_examples_are_answered(
        edits in vec((any::<prop::sample::Index>(), any::<u8>(), 0..3_u8), 1..12),
    ) {
        let mut bytes = example().into_bytes();
        for (place, byte, edit) in edits {
            let at = place.index(bytes.len());
            match edit {
                0 => bytes[at] = byte,
                1 => { bytes.remove(at); }
                _ => bytes.insert(at, byte & 0x7f),
            }
        }
        prop_assert_eq!(everything(bytes.clone()), everything(bytes));
    }

    #[test]
    fn spacing_and_comments_change_nothing(gaps in vec(prop::sample::select(vec![" ", "\n", "\t ", " // c\n", "\r\n  "]), 40)) {
        let words = "metric m = { a : ( count( ) where n > 1 ) / count( ) , b : sum( price - 1.5 ) } \
                     { from events where nick != none by upper( nick ) as k every 1h unit x }";
        let spaced: String =
            words.split_whitespace().zip(gaps.iter().cycle()).flat_map(|(word, gap)| [word, *gap]).collect();
        let plain = checked(&format!("{EVENTS}{words}\n"));
        let other = checked(&format!("{EVENTS}{spaced}\n"));
        prop_assert_eq!(plain.package.metrics.len(), 1);
        prop_assert_eq!(&plain.package.metrics, &other.package.metrics);
    }
}

#[test]
fn the_mutated_example_itself_is_sound() {
    assert_eq!(super::rendered(&example()), "");
}
