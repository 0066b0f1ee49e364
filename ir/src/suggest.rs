//! Did you mean …: at most one candidate, and only a plausible one.

use std::collections::BTreeSet;

/// More than the time zones that there are.
const MOST_CANDIDATES: usize = 700;

/// The candidate that was probably meant: one that differs in case only, else the nearest within a
/// third of the word's length, else the only one there is. Ties go to the first in alphabetical order.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let candidates: BTreeSet<&str> = candidates.into_iter().filter(|candidate| *candidate != word).collect();
    if candidates.len() == 1 {
        return candidates.into_iter().next();
    }
    if let Some(same) = candidates.iter().find(|candidate| candidate.eq_ignore_ascii_case(word)) {
        return Some(same);
    }
    // A mistake in a long list of candidates is not worth the time of comparing with all of them.
    if candidates.len() > MOST_CANDIDATES {
        return None;
    }
    let length = word.chars().count();
    let most = (length / 3).max(1);
    candidates
        .into_iter()
        .filter(|candidate| candidate.chars().count().abs_diff(length) <= most)
        .map(|candidate| (strsim::osa_distance(word, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= most && *distance < candidate.chars().count())
        .min()
        .map(|(_, candidate)| candidate)
}

/// `word` as a name of the language: lower case, words joined by `_`.
pub fn as_name(word: &str) -> String {
    let mut name = String::new();
    let mut after_lower = false;
    for character in word.chars() {
        if character.is_ascii_uppercase() {
            if after_lower {
                name.push('_');
            }
            name.push(character.to_ascii_lowercase());
        } else if character.is_ascii_alphanumeric() || character == '_' {
            name.push(character);
        }
        after_lower = character.is_ascii_lowercase() || character.is_ascii_digit();
    }
    if name.starts_with(|first: char| first.is_ascii_digit()) || name.is_empty() {
        name.insert(0, '_');
    }
    name.truncate(64);
    name
}

/// `` `a`, `b` or `c` ``.
pub fn one_of<T: AsRef<str>>(choices: &[T]) -> String {
    joined(choices, "or")
}

/// `` `a`, `b` and `c` ``.
pub fn all_of<T: AsRef<str>>(choices: &[T]) -> String {
    joined(choices, "and")
}

fn joined<T: AsRef<str>>(choices: &[T], word: &str) -> String {
    let quoted: Vec<String> = choices.iter().map(|choice| format!("`{}`", choice.as_ref())).collect();
    match quoted.split_last() {
        None => String::new(),
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} {word} {last}", rest.join(", ")),
    }
}
