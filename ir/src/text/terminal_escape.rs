//! Text from outside, for eyes: what would act on a terminal, or hide, is written as an escape.
//!
//! Values of a log may hold escape sequences that clear a screen, marks that reverse the order of letters,
//! and line breaks that make one row look like two. Escapes are those of JSON (`\u001b`, `\n`), so that JSON
//! stays JSON.

use std::borrow::Cow;
use std::fmt::Write as _;

/// Whether a character acts on a terminal, breaks a line or cannot be seen: controls (C0, DEL, C1), marks of
/// direction, separators of lines, and spaces without width. Joiners are not among them: scripts and emoji
/// need them.
fn is_hidden(letter: char) -> bool {
    letter.is_control()
        || matches!(
            letter,
            '\u{061c}'
                | '\u{200b}'
                | '\u{200e}'
                | '\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'
                | '\u{2066}'..='\u{2069}'
                | '\u{feff}'
        )
}

/// The text on one line, with escapes for what is hidden.
pub fn visible(text: &str) -> Cow<'_, str> {
    escaped(text, is_hidden)
}

/// The same for a text of several lines: `\n` stays.
pub fn visible_lines(text: &str) -> Cow<'_, str> {
    escaped(text, |letter| letter != '\n' && is_hidden(letter))
}

fn escaped(text: &str, is_hidden: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.contains(&is_hidden) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for letter in text.chars() {
        match letter {
            letter if !is_hidden(letter) => out.push(letter),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            // All of them have four digits.
            letter => {
                let _ = write!(out, "\\u{:04x}", u32::from(letter));
            }
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_acts_or_hides_is_an_escape_and_the_rest_stays() {
        for (text, shown) in [
            ("a\u{1b}[2Jb", "a\\u001b[2Jb"),
            ("\u{7}\0\u{7f}\u{9b}31m", "\\u0007\\u0000\\u007f\\u009b31m"),
            ("a\r\nb\tc", "a\\r\\nb\\tc"),
            ("\u{202e}evil\u{2066}\u{2028}\u{200b}\u{feff}", "\\u202eevil\\u2066\\u2028\\u200b\\ufeff"),
            ("größer 日本 👩\u{200d}🚀 \\n", "größer 日本 👩\u{200d}🚀 \\n"),
        ] {
            assert_eq!(visible(text), shown);
        }
        assert_eq!(visible_lines("a\n\u{1b}b\r\n"), "a\n\\u001bb\\r\n");
        assert!(matches!(visible("plain"), Cow::Borrowed(_)));
    }
}
