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
    similar(word, candidates)
}

/// The nearest candidate within a third of the word's length.
fn similar<'a>(word: &str, candidates: BTreeSet<&'a str>) -> Option<&'a str> {
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

/// The candidate that is written alike but for case, blanks and punctuation (`userId` for `user_id`), else
/// the nearest within a third of the word's length.
pub fn lookalike<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let bare = |text: &str| {
        text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect::<String>()
    };
    let candidates: BTreeSet<&str> = candidates.into_iter().filter(|candidate| *candidate != word).collect();
    let wanted = bare(word);
    let alike = candidates.iter().find(|candidate| !wanted.is_empty() && bare(candidate) == wanted);
    alike.copied().or_else(|| similar(word, candidates))
}

/// Candidates that may have been meant, the most likely first: those that differ in case only, then those
/// within a third of the word's length or, of words of at least four letters, that contain it or are
/// contained in it.
pub fn several<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let lower = word.to_ascii_lowercase();
    let length = lower.chars().count();
    let most = (length / 3).max(1);
    let is_part = |candidate: &str| {
        let shorter = length.min(candidate.len());
        shorter >= 4 && (lower.contains(candidate) || candidate.contains(lower.as_str()))
    };
    let mut near: Vec<(usize, &str)> = candidates
        .into_iter()
        .filter(|candidate| candidate.chars().count().abs_diff(length) <= most || is_part(candidate))
        .map(|candidate| (strsim::osa_distance(&lower, candidate), candidate))
        .filter(|(distance, candidate)| {
            (*distance <= most && *distance < candidate.chars().count()) || is_part(candidate)
        })
        .collect();
    near.sort_unstable();
    near.dedup();
    near.into_iter().map(|(_, candidate)| candidate).collect()
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
