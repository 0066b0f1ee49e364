//! Patterns of tokens: `A not between B and C`.
//!
//! A word or sign matches itself, in any case, and `a|b` one of several. `S` is a string, `N` a word. Another
//! capital letter is an operand (a name, number, string, call, or something in brackets), which may stand
//! before the first word too. `A..` is everything up to what follows it in the pattern, at the same depth of
//! brackets.

use std::ops::Range;

use crate::scan::{Token, TokenKind};

/// The most tokens of an operand or a run: looking for the end of one takes no longer in a file of brackets.
const MOST_TOKENS: usize = 128;

/// Words that are no operand.
const RESERVED: [&str; 14] =
    ["and", "or", "not", "in", "if", "then", "else", "from", "each", "let", "where", "by", "every", "as"];

/// A part of a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Element {
    /// One of several words or signs, joined by `|`.
    Literal(&'static str),
    /// An operand.
    Operand(char),
    /// Any tokens.
    Run(char),
}

impl Element {
    pub(super) fn all(pattern: &'static str) -> Vec<Element> {
        pattern
            .split(' ')
            .map(|part| match (part.chars().next(), part.get(1..)) {
                (Some(letter @ 'A'..='Z'), Some("")) => Element::Operand(letter),
                (Some(letter @ 'A'..='Z'), Some("..")) => Element::Run(letter),
                _ => Element::Literal(part),
            })
            .collect()
    }
}

/// A match: what it covers, the places of its own words, and what its letters stand for.
#[derive(Debug, Default)]
pub(super) struct Matched {
    pub(super) range: Range<usize>,
    pub(super) words: Vec<usize>,
    pub(super) captured: Vec<(char, Range<usize>)>,
}

/// Matches a pattern whose first word is the token at `start`.
pub(super) fn matched<'t>(
    elements: &[Element],
    tokens: &[Token],
    text: &impl Fn(usize) -> &'t str,
    start: usize,
) -> Option<Matched> {
    let mut found = Matched { range: start..start, ..Matched::default() };
    let mut rest = elements;
    if let [Element::Operand(letter), behind @ ..] = elements {
        rest = behind;
        // What stands before is looked at last: most tokens are not the first word.
        let [Element::Literal(first), ..] = behind else { return None };
        if !is_one_of(first, text(start)) {
            return None;
        }
        let operand = operand_before(tokens, text, start)?;
        found.range.start = operand.start;
        found.captured.push((*letter, operand));
    }
    let mut at = start;
    while let [element, behind @ ..] = rest {
        match element {
            Element::Literal(word) => {
                if at >= tokens.len() || !is_one_of(word, text(at)) {
                    return None;
                }
                found.words.push(at);
                at += 1;
            }
            Element::Operand(letter) => {
                let operand = operand_from(tokens, text, at, *letter)?;
                at = operand.end;
                found.captured.push((*letter, operand));
            }
            Element::Run(letter) => {
                let end = run_to(tokens, text, at, behind.first())?;
                found.captured.push((*letter, at..end));
                at = end;
            }
        }
        rest = behind;
    }
    found.range.end = at;
    Some(found)
}

fn is_one_of(words: &str, text: &str) -> bool {
    words.split('|').any(|word| word.eq_ignore_ascii_case(text))
}

fn is_operand(token: Token, text: &str) -> bool {
    match token.kind {
        TokenKind::Number | TokenKind::String => true,
        TokenKind::Word => !RESERVED.iter().any(|word| word.eq_ignore_ascii_case(text)),
        TokenKind::Doc | TokenKind::Punctuation => false,
    }
}

/// The operand that begins at a token.
fn operand_from<'t>(
    tokens: &[Token],
    text: &impl Fn(usize) -> &'t str,
    at: usize,
    letter: char,
) -> Option<Range<usize>> {
    let token = *tokens.get(at)?;
    match letter {
        'S' => return (token.kind == TokenKind::String).then_some(at..at + 1),
        'N' => return (token.kind == TokenKind::Word).then_some(at..at + 1),
        _ => {}
    }
    if text(at) == "-" && tokens.get(at + 1).is_some_and(|next| next.kind == TokenKind::Number) {
        return Some(at..at + 2);
    }
    let mut end = match text(at) {
        "(" | "[" => closed(tokens, text, at)?,
        text if is_operand(token, text) => at + 1,
        _ => return None,
    };
    while end + 1 < tokens.len().min(at + MOST_TOKENS) && token.kind == TokenKind::Word {
        match text(end) {
            "." if tokens[end + 1].kind == TokenKind::Word => end += 2,
            "(" => end = closed(tokens, text, end)?,
            _ => break,
        }
    }
    Some(at..end)
}

/// The operand that ends before a token.
fn operand_before<'t>(
    tokens: &[Token],
    text: &impl Fn(usize) -> &'t str,
    end: usize,
) -> Option<Range<usize>> {
    let last = end.checked_sub(1)?;
    let mut start = match text(last) {
        ")" | "]" => opened(text, last)?,
        text if is_operand(tokens[last], text) => last,
        _ => return None,
    };
    while let Some(before) = start.checked_sub(1).filter(|before| end - before < MOST_TOKENS) {
        let is_call = text(start) == "(" && tokens[before].kind == TokenKind::Word;
        let is_member = text(before) == "." && before > 0 && tokens[start].kind == TokenKind::Word;
        match (is_call, is_member) {
            (true, _) if is_operand(tokens[before], text(before)) => start = before,
            (_, true) => start = before - 1,
            _ => break,
        }
    }
    Some(start..end)
}

/// The place after the bracket that closes the one at `at`.
fn closed<'t>(tokens: &[Token], text: &impl Fn(usize) -> &'t str, at: usize) -> Option<usize> {
    let mut n_open = 0_usize;
    for place in at..tokens.len().min(at + MOST_TOKENS) {
        match text(place) {
            "(" | "[" | "{" => n_open += 1,
            ")" | "]" | "}" => n_open = n_open.checked_sub(1)?,
            _ => {}
        }
        if n_open == 0 {
            return Some(place + 1);
        }
    }
    None
}

/// The place of the bracket that is closed at `at`.
fn opened<'t>(text: &impl Fn(usize) -> &'t str, at: usize) -> Option<usize> {
    let mut n_open = 0_usize;
    for place in (at.saturating_sub(MOST_TOKENS)..=at).rev() {
        match text(place) {
            ")" | "]" | "}" => n_open += 1,
            "(" | "[" | "{" => n_open = n_open.checked_sub(1)?,
            _ => {}
        }
        if n_open == 0 {
            return Some(place);
        }
    }
    None
}

/// The end of a run: where what follows it in the pattern stands, or the bracket around it is closed.
fn run_to<'t>(
    tokens: &[Token],
    text: &impl Fn(usize) -> &'t str,
    at: usize,
    next: Option<&Element>,
) -> Option<usize> {
    let Some(Element::Literal(next)) = next else { return None };
    let mut place = at;
    while place < tokens.len().min(at + MOST_TOKENS) {
        if is_one_of(next, text(place)) {
            return (place > at).then_some(place);
        }
        place = match text(place) {
            "(" | "[" | "{" => closed(tokens, text, place)?,
            ")" | "]" | "}" => return None,
            _ => place + 1,
        };
    }
    None
}
