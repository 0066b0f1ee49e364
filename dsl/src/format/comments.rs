//! Comments, which no other stage sees. They are between tokens; each belongs to the token after it, or to
//! the token before it on the same line.

use crate::scan::Scanned;

/// A `//` comment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Comment<'a> {
    pub(super) text: &'a str,
    /// Whether it begins its line; if not, it is about the token before.
    pub(super) is_alone: bool,
    /// Whether a blank line is above it.
    pub(super) is_apart: bool,
}

/// What lies between two tokens.
#[derive(Debug, Clone, Default)]
pub(super) struct Gap<'a> {
    pub(super) comments: Vec<Comment<'a>>,
    /// Whether a blank line is above the next token, below the comments.
    pub(super) is_apart: bool,
    /// Whether the next token is on another line.
    pub(super) has_line_end: bool,
}

/// The gaps before each token, and after the last.
pub(super) fn gaps<'a>(scanned: &Scanned<'a>) -> Vec<Gap<'a>> {
    let ends = scanned.tokens.iter().map(|token| token.span.end);
    let starts = scanned.tokens.iter().map(|token| token.span.start);
    let from = std::iter::once(scanned.text.len() - scanned.text.trim_start_matches('\u{FEFF}').len());
    let between = from.chain(ends).zip(starts.chain([scanned.text.len()]));
    between.enumerate().map(|(place, (from, to))| gap(&scanned.text[from..to], place == 0)).collect()
}

fn gap(text: &str, is_first: bool) -> Gap<'_> {
    let mut gap = Gap::default();
    let mut n_blank = 0;
    let mut lines = text.split('\n').map(str::trim).enumerate().peekable();
    while let Some((number, line)) = lines.next() {
        let is_last = lines.peek().is_none();
        if line.starts_with("//") {
            let is_alone = number > 0 || is_first;
            gap.comments.push(Comment { text: line, is_alone, is_apart: n_blank > 0 });
            n_blank = 0;
        } else if number > 0 && !is_last {
            n_blank += 1;
        }
        gap.has_line_end |= number > 0;
    }
    gap.is_apart = n_blank > 0;
    gap
}
