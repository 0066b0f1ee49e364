//! The formatter on random packages with comments and line breaks between all tokens: it keeps the meaning
//! and every comment, and formatting again changes nothing.

use std::path::Path;

use metricc_dsl::{SourceText, check_with, format};
use metricc_tests::generate::metrics::{FILES, package};
use metricc_tests::generate::sources::Shape;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

fn source(text: &str) -> SourceText {
    SourceText { name: "random.metric".to_owned(), bytes: text.as_bytes().to_vec() }
}

fn formatted(text: &str) -> String {
    format(&source(text)).unwrap_or_else(|found| panic!("{found:?}\n{text}"))
}

/// Replaces white space outside of strings and comments by other white space, sometimes with a comment.
/// Returns the comments.
fn disturbed(text: &str, random: &mut ChaCha8Rng) -> (String, Vec<String>) {
    let (mut disturbed, mut comments) = (String::new(), Vec::new());
    let mut in_string = false;
    for line in text.lines() {
        if line.trim_start().starts_with("//") {
            disturbed.push_str(&format!("\n{line}\n"));
            continue;
        }
        let mut was_escape = false;
        for (index, character) in line.char_indices().chain([(line.len(), '\n')]) {
            if !in_string && line[index..].starts_with("//") {
                disturbed.push_str(&format!("{}\n", &line[index..]));
                break;
            }
            if character == '"' && !was_escape {
                in_string = !in_string;
            }
            was_escape = character == '\\' && !was_escape;
            if in_string || !character.is_whitespace() {
                disturbed.push(character);
                continue;
            }
            let comment = format!("// c{} \"", comments.len());
            match random.random_range(0..24) {
                0 => disturbed.push('\n'),
                1 => disturbed.push_str("\r\n\n\n\t"),
                2 => disturbed.push_str("    "),
                3 => disturbed.push_str(&format!(" {comment}\n")),
                4 => disturbed.push_str(&format!("\n  {comment}\n")),
                _ => disturbed.push(character),
            }
            if disturbed.ends_with(&format!("{comment}\n")) {
                comments.push(comment);
            }
        }
    }
    (disturbed, comments)
}

fn typed(text: &str) -> Vec<String> {
    let checked = check_with(&source(text), FILES);
    assert!(!checked.has_errors(), "{:?}\n{text}", checked.diagnostics);
    checked.package.metrics.iter().map(|metric| serde_json::to_string(metric).expect("JSON")).collect()
}

fn assert_kept(text: &str, random: &mut ChaCha8Rng) {
    let (disturbed, comments) = disturbed(text, random);
    let once = formatted(&disturbed);
    let twice = formatted(&once);
    let differs = twice.lines().zip(once.lines()).position(|(twice, once)| twice != once);
    if let Some(line) = differs {
        let around =
            |text: &str| text.lines().skip(line.saturating_sub(4)).take(9).collect::<Vec<_>>().join("\n");
        panic!("formatting again changes the text:\n{}\n---\n{}", around(&once), around(&twice));
    }
    assert_eq!(twice, once);
    assert_eq!(typed(text), typed(&once), "{disturbed}\n---\n{once}");
    for comment in &comments {
        let n_times = once.lines().filter(|line| line.ends_with(comment.as_str())).count();
        let at = disturbed.find(comment.as_str()).unwrap_or(0);
        let around: String = disturbed.chars().skip(at.saturating_sub(150)).take(300).collect();
        assert_eq!(n_times, 1, "{comment}\n{around}\n---\n{once}");
    }
    assert!(once.lines().all(|line| line.trim_end() == line), "{once}");
}

#[test]
fn random_packages_with_comments_are_formatted_once() {
    let mut random = ChaCha8Rng::seed_from_u64(5);
    let shapes = Shape::all();
    for seed in 0..400 {
        assert_kept(&package(seed, shapes[seed as usize % shapes.len()], 3).text, &mut random);
    }
}

#[test]
fn examples_are_formatted_and_keep_comments() {
    let mut random = ChaCha8Rng::seed_from_u64(6);
    for example in ["flights", "payments", "requests", "views"] {
        let path =
            Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../examples/{example}/{example}.metric"));
        let text = std::fs::read_to_string(path).expect("the example is there");
        assert_eq!(formatted(&text), text, "`metricc fmt` has not been run on {example}");
        for _ in 0..100 {
            assert_kept(&text, &mut random);
        }
    }
}
