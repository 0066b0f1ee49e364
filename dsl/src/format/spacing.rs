//! Spaces between the tokens of one line.

use crate::scan::{Scanned, Token, TokenKind};

/// Words of the language that are not functions: a bracket after them begins an expression.
const KEYWORDS: [&str; 14] =
    ["and", "or", "not", "in", "if", "then", "else", "from", "each", "let", "where", "by", "every", "as"];

/// The tokens on one line. In a type, `<` and `>` are brackets.
pub(super) fn joined(scanned: &Scanned<'_>, tokens: &[Token], is_type: bool) -> String {
    let mut line = String::new();
    for (place, token) in tokens.iter().enumerate() {
        let text = scanned.token_text(*token);
        let next = tokens.get(place + 1).map(|next| scanned.token_text(*next));
        if text == "," && matches!(next, Some(")" | "]" | "}")) {
            continue;
        }
        if place > 0 && is_apart(scanned, tokens, place, is_type) {
            line.push(' ');
        }
        line.push_str(text);
    }
    line
}

/// Whether there is a space before the token at an index, which is not the first.
fn is_apart(scanned: &Scanned<'_>, tokens: &[Token], place: usize, is_type: bool) -> bool {
    let text = |place: usize| tokens.get(place).map_or("", |token| scanned.token_text(*token));
    let (before, next) = (text(place - 1), text(place));
    let is_name = tokens[place - 1].kind == TokenKind::Word && !KEYWORDS.contains(&before);
    match (before, next) {
        ("(" | "[" | ".", _) | (_, ")" | "]" | "," | ":" | "?" | ".") => false,
        // In a type, `[` is the index of a path, unless it begins a list of a default.
        (_, "[") if is_type => matches!(before, "=" | ","),
        (_, "(" | "[") => !is_name,
        ("<", _) | (_, "<" | ">") if is_type => false,
        // Two of them without a space could begin a comment of SQL.
        ("-", "-") => true,
        ("-", _) => !is_sign(scanned, tokens, place - 1),
        // `1%` is a percentage where nothing follows that it could be the remainder of.
        (_, "%") => {
            tokens[place - 1].kind != TokenKind::Number || !matches!(text(place + 1), "" | ")" | "," | "}")
        }
        _ => true,
    }
}

/// Whether the `-` at an index is a prefix.
fn is_sign(scanned: &Scanned<'_>, tokens: &[Token], place: usize) -> bool {
    let Some(before) = place.checked_sub(1).map(|before| tokens[before]) else { return true };
    match before.kind {
        TokenKind::Word => KEYWORDS.contains(&scanned.token_text(before)),
        TokenKind::Punctuation => !matches!(scanned.token_text(before), ")" | "]" | "}"),
        TokenKind::Number | TokenKind::String | TokenKind::Doc => false,
    }
}
