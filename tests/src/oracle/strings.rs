//! Functions of strings.

use metricc_ir::Func;
use num_bigint::BigInt;
use num_traits::{Signed, ToPrimitive};

use super::datum::Datum;
use super::pattern;

/// Applies a function whose first argument is a string.
pub(super) fn call(func: &Func, values: &[Datum]) -> Datum {
    match (func, values) {
        (Func::Lower, [Datum::Text(text)]) => Datum::Text(text.to_lowercase()),
        (Func::Upper, [Datum::Text(text)]) => Datum::Text(text.to_uppercase()),
        (Func::Trim, [Datum::Text(text)]) => Datum::Text(trim(text)),
        (Func::StartsWith, [Datum::Text(text), Datum::Text(start)]) => {
            Datum::Bool(text.as_bytes().starts_with(start.as_bytes()))
        }
        (Func::EndsWith, [Datum::Text(text), Datum::Text(end)]) => {
            Datum::Bool(text.as_bytes().ends_with(end.as_bytes()))
        }
        (Func::Contains, [Datum::Text(text), Datum::Text(part)]) => {
            Datum::Bool((0..=text.len()).any(|at| text.as_bytes()[at..].starts_with(part.as_bytes())))
        }
        (Func::Matches(pattern), [Datum::Text(text)]) => Datum::Bool(pattern::is_found(pattern, text)),
        (Func::Substr, [Datum::Text(text), Datum::Int(start), Datum::Int(length)]) => {
            Datum::Text(substring(text, start, length))
        }
        (Func::Split, [Datum::Text(text), Datum::Text(separator)]) => split(text, separator),
        (Func::Concat, parts) => Datum::Text(parts.iter().map(text_of).collect()),
        (Func::Length, [Datum::Text(text)]) => Datum::Int(BigInt::from(text.chars().count())),
        (func, values) => panic!("{func:?} is not defined on {values:?}"),
    }
}

fn text_of(value: &Datum) -> &str {
    match value {
        Datum::Text(text) => text,
        other => panic!("{other:?} is no string"),
    }
}

fn trim(text: &str) -> String {
    let letters: Vec<char> = text.chars().collect();
    let is_solid = |letter: &char| !letter.is_whitespace();
    match (letters.iter().position(is_solid), letters.iter().rposition(is_solid)) {
        (Some(first), Some(last)) => letters[first..=last].iter().collect(),
        _ => String::new(),
    }
}

/// The start is clamped to the text; then so many characters, as far as there are any.
fn substring(text: &str, start: &BigInt, length: &BigInt) -> String {
    let letters: Vec<char> = text.chars().collect();
    let clamp = |count: &BigInt| if count.is_negative() { 0 } else { count.to_usize().unwrap_or(usize::MAX) };
    letters.iter().skip(clamp(start)).take(clamp(length)).collect()
}

fn split(text: &str, separator: &str) -> Datum {
    let mut parts = vec![String::new()];
    let mut rest = text;
    while let Some(letter) = rest.chars().next() {
        if let Some(behind) = rest.strip_prefix(separator) {
            parts.push(String::new());
            rest = behind;
        } else {
            if let Some(part) = parts.last_mut() {
                part.push(letter);
            }
            rest = &rest[letter.len_utf8()..];
        }
    }
    Datum::List(parts.into_iter().map(Datum::Text).collect())
}
