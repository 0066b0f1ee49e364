//! The formatter. It has no options: the layout depends on the tokens, the comments, and two choices of the
//! author, blank lines, and whether the first part in braces begins a new line.
//!
//! Formatting only changes white space, commas between fields, and the order of clauses within a metric,
//! never the meaning. Comments stay beside the tokens that they are about. A part with a comment inside is
//! left as written.

use std::ops::Range;

use crate::ast::{CalendarClause, Item, UseItem};
use crate::code::Code;
use crate::diagnostic::{Diagnostic, Span};
use crate::scan::{self, Scanned, TokenKind};
use crate::{Severity, SourceText, items, parse};
use comments::{Gap, gaps};
use spacing::joined;

mod comments;
mod metric;
mod source;
mod spacing;
mod test;

/// Maximum line length; longer parts are broken where possible.
const WIDTH: usize = 110;

/// Formats a text. Formatting is idempotent.
///
/// # Errors
/// Errors of characters, tokens or syntax. Errors of names and types do not matter.
pub fn format(text: &SourceText) -> Result<String, Vec<Diagnostic>> {
    let mut found = Vec::new();
    let Some(scanned) = scan::scan(&text.bytes, &mut found) else { return Err(found) };
    let mut layout =
        Layout { scanned: &scanned, gaps: gaps(&scanned), lines: Vec::new(), commented: Vec::new() };
    if scanned.tokens.is_empty() && found.is_empty() {
        layout.comments_before(0, 0);
        return Ok(layout.text());
    }
    let mut parsed = Vec::new();
    for raw in items::split(&scanned, &mut found) {
        parsed.push(parse::item(&scanned, &raw, &mut found).map(|item| (raw.span, item)));
    }
    if found.iter().any(|diagnostic| diagnostic.severity == Severity::Error) {
        crate::diagnostic::arrange(&mut found);
        return Err(found);
    }
    let mut was_long = None;
    for (span, item) in parsed.into_iter().flatten() {
        let tokens = layout.tokens(span);
        let n_before = layout.lines.len();
        layout.comments_before(tokens.start, 0);
        if layout.lines.len() == n_before && was_long.is_some() && layout.gaps[tokens.start].is_apart {
            layout.blank();
        }
        let first = layout.lines.len();
        layout.item(&item, tokens.clone());
        let is_doc = |place: &usize| scanned.tokens[*place].kind == TokenKind::Doc;
        let n_docs = tokens.take_while(is_doc).count();
        let is_long = layout.lines.len() - first - n_docs > 1;
        // Blank lines around items of several lines, and around documented items.
        if is_long || n_docs > 0 || was_long == Some(true) {
            layout.blank_at(n_before);
        }
        was_long = Some(is_long);
    }
    layout.comments_before(scanned.tokens.len(), 0);
    within_limits(layout.text(), text)
}

/// The formatted text, unless it is too large to be read again.
fn within_limits(formatted: String, text: &SourceText) -> Result<String, Vec<Diagnostic>> {
    let mut found = Vec::new();
    scan::scan(formatted.as_bytes(), &mut found);
    found.retain(|diagnostic| diagnostic.code == Code::LimitExceeded);
    if found.is_empty() {
        return Ok(formatted);
    }
    let end = Span { start: text.bytes.len(), end: text.bytes.len() };
    let exceeded = |limit: Diagnostic| {
        let message = format!("formatted, {}", limit.message);
        let diagnostic = Diagnostic::new(Code::LimitExceeded, message, end, "the file is left as it is");
        limit.help.into_iter().fold(diagnostic, Diagnostic::help)
    };
    Err(found.into_iter().map(exceeded).collect())
}

struct Layout<'a> {
    scanned: &'a Scanned<'a>,
    /// Before each token, and after the last.
    gaps: Vec<Gap<'a>>,
    lines: Vec<String>,
    /// Lines that end in a comment, and their length before it.
    commented: Vec<(usize, usize)>,
}

impl<'a> Layout<'a> {
    fn text(&self) -> String {
        let mut text = String::new();
        for line in &self.lines {
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }

    /// The tokens of a span.
    fn tokens(&self, span: Span) -> Range<usize> {
        let tokens = &self.scanned.tokens;
        tokens.partition_point(|token| token.span.start < span.start)
            ..tokens.partition_point(|token| token.span.end <= span.end)
    }

    fn token(&self, place: usize) -> &str {
        self.scanned.tokens.get(place).map_or("", |token| self.scanned.token_text(*token))
    }

    /// The first of these tokens with a text.
    fn find(&self, tokens: Range<usize>, text: &str) -> Option<usize> {
        tokens.into_iter().find(|place| self.token(*place) == text)
    }

    fn blank(&mut self) {
        if self.lines.last().is_some_and(|line| !line.is_empty()) {
            self.lines.push(String::new());
        }
    }

    /// A blank line before the line of this number, if there is none.
    fn blank_at(&mut self, number: usize) {
        let is_free = |line: Option<&String>| line.is_some_and(|line| !line.is_empty());
        let before = number.checked_sub(1).and_then(|before| self.lines.get(before));
        if is_free(before) && is_free(self.lines.get(number)) {
            self.lines.insert(number, String::new());
        }
    }

    /// Adds a line; for a part left as written, the first is indented and the others are unchanged.
    fn line(&mut self, indent: usize, text: &str) {
        let indents = std::iter::once(indent).chain(std::iter::repeat(0));
        self.lines.extend(
            text.split('\n').zip(indents).map(|(line, indent)| format!("{}{line}", " ".repeat(indent))),
        );
    }

    /// A comment about the token before goes after it; any other gets its own line.
    fn comments_before(&mut self, token: usize, indent: usize) {
        let behind = self.take_behind(token);
        self.put_behind(&behind);
        let comments = std::mem::take(&mut self.gaps[token].comments);
        for comment in &comments {
            if comment.is_apart {
                self.blank();
            }
            self.line(indent, comment.text);
        }
        if !comments.is_empty() && self.gaps[token].is_apart {
            self.blank();
        }
    }

    /// The comments on the line of the token before.
    fn take_behind(&mut self, token: usize) -> Vec<&'a str> {
        let comments = std::mem::take(&mut self.gaps[token].comments);
        let (alone, behind): (Vec<_>, Vec<_>) = comments.into_iter().partition(|comment| comment.is_alone);
        self.gaps[token].comments = alone;
        behind.into_iter().map(|comment| comment.text).collect()
    }

    /// Puts comments after the last line, or below it if it has one already.
    fn put_behind(&mut self, comments: &[&str]) {
        for comment in comments {
            let number = self.lines.len().saturating_sub(1);
            let is_commented = self.commented.last().is_some_and(|(line, _)| *line == number);
            match self.lines.last_mut() {
                Some(line) if !is_commented && !line.trim_start().starts_with("//") => {
                    self.commented.push((number, line.len()));
                    line.push_str("  ");
                    line.push_str(comment);
                }
                _ => self.line(2, comment),
            }
        }
    }

    /// Aligns the comments after these lines.
    fn align_comments(&mut self, lines: Range<usize>) {
        let commented = std::mem::take(&mut self.commented);
        let commented: Vec<_> = commented.into_iter().filter(|(line, _)| lines.contains(line)).collect();
        let length = |line: &str, n_bytes: usize| line[..n_bytes].chars().count();
        let column = commented.iter().map(|(line, n_bytes)| length(&self.lines[*line], *n_bytes)).max();
        for (line, n_bytes) in commented {
            let line = &mut self.lines[line];
            let missing = column.unwrap_or(0) - length(line, n_bytes);
            line.insert_str(n_bytes, &" ".repeat(missing));
        }
    }

    fn has_comments_inside(&self, tokens: &Range<usize>) -> bool {
        tokens.clone().skip(1).any(|token| !self.gaps[token].comments.is_empty())
    }

    /// Tokens on one line; `None` if a comment or documentation is between them.
    fn one_line(&self, tokens: Range<usize>, is_type: bool) -> Option<String> {
        let has_doc = self.scanned.tokens[tokens.clone()].iter().any(|token| token.kind == TokenKind::Doc);
        if has_doc || self.has_comments_inside(&tokens) {
            return None;
        }
        Some(joined(self.scanned, &self.scanned.tokens[tokens], is_type))
    }

    /// Tokens on one line, or as they were written.
    fn part(&self, tokens: Range<usize>, is_type: bool) -> String {
        self.one_line(tokens.clone(), is_type).unwrap_or_else(|| {
            let all = &self.scanned.tokens[tokens];
            let (Some(first), Some(last)) = (all.first(), all.last()) else { return String::new() };
            let written = &self.scanned.text[first.span.start..last.span.end];
            written.lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
        })
    }

    /// Documentation, one line each; the tokens after it.
    fn docs(&mut self, tokens: Range<usize>, indent: usize) -> Range<usize> {
        let mut start = tokens.start;
        while start < tokens.end && self.scanned.tokens[start].kind == TokenKind::Doc {
            let doc = self.token(start).trim_end().to_owned();
            self.line(indent, &doc);
            start += 1;
            self.comments_before(start, indent);
        }
        start..tokens.end
    }

    fn item(&mut self, item: &Item, tokens: Range<usize>) {
        let tokens = self.docs(tokens, 0);
        match item {
            Item::Source(_) | Item::Table(_) => self.source(tokens),
            Item::Calendar(calendar) => {
                let spans = calendar.clauses.iter().map(|clause| match clause {
                    CalendarClause::Zone { span, .. } | CalendarClause::Week { span, .. } => *span,
                });
                let clauses: Vec<Range<usize>> = spans.map(|span| self.tokens(span)).collect();
                self.braced(tokens, clauses, ", ");
            }
            Item::Import(_) => {
                let text = self.part(tokens, true);
                self.line(0, &text);
            }
            Item::Use(item) => self.uses(item, tokens),
            Item::Metric(metric) => self.metric(metric, tokens),
            Item::Test(test) => self.test(test, tokens),
        }
    }

    /// `use file.{name, name}`, on one line if it fits, else a line for each name.
    fn uses(&mut self, item: &UseItem, tokens: Range<usize>) {
        let text = self.part(tokens.clone(), false).replace(".{ ", ".{").replace(" }", "}");
        if text.contains('\n') || text.chars().count() <= WIDTH {
            return self.line(0, &text);
        }
        self.line(0, &format!("use {}.{{", item.file.text));
        for name in &item.names {
            self.line(2, &format!("{},", name.text));
        }
        self.line(0, "}");
    }

    /// `HEAD { part, part }`, on one line if it was and fits, else a line for each part.
    fn braced(&mut self, tokens: Range<usize>, parts: Vec<Range<usize>>, between: &str) {
        let open = self.find(tokens.clone(), "{").unwrap_or(tokens.start);
        let head = self.part(tokens.start..open + 1, false);
        if let Some(line) = self.all_on_one_line(&head, &tokens, open, &parts, between) {
            return self.line(0, &line);
        }
        self.line(0, &head);
        for part in parts {
            self.comments_before(part.start, 2);
            self.clause(part.clone());
            self.comments_before(part.end, 2);
        }
        self.close(tokens.end - 1, 0);
    }

    fn all_on_one_line(
        &self,
        head: &str,
        tokens: &Range<usize>,
        open: usize,
        parts: &[Range<usize>],
        between: &str,
    ) -> Option<String> {
        if self.gaps[open + 1].has_line_end || self.has_comments_inside(tokens) || head.contains('\n') {
            return None;
        }
        let parts =
            parts.iter().map(|part| self.one_line(part.clone(), false)).collect::<Option<Vec<_>>>()?;
        let line = if parts.is_empty() {
            format!("{head} }}")
        } else {
            format!("{head} {} }}", parts.join(between))
        };
        (line.chars().count() <= WIDTH).then_some(line)
    }

    fn close(&mut self, brace: usize, indent: usize) {
        self.close_with(brace, indent, "}");
    }

    fn close_with(&mut self, bracket: usize, indent: usize, text: &str) {
        self.comments_before(bracket, indent + 2);
        if self.lines.last().is_some_and(String::is_empty) {
            self.lines.pop();
        }
        self.line(indent, text);
    }

    /// A clause on a line of its own; too long a condition is broken before its operators.
    fn clause(&mut self, tokens: Range<usize>) {
        let text = self.part(tokens.clone(), false);
        if text.contains('\n') || text.chars().count() + 2 <= WIDTH {
            return self.line(2, &text);
        }
        let breaks = self.operators(tokens.clone());
        let starts = std::iter::once(tokens.start).chain(breaks.iter().copied());
        let ends = breaks.iter().copied().chain([tokens.end]);
        for (place, (start, end)) in starts.zip(ends).enumerate() {
            let text = self.part(start..end, false);
            self.line(if place == 0 { 2 } else { 4 }, &text);
        }
    }

    /// Positions of the loosest logical operators outside brackets.
    fn operators(&self, tokens: Range<usize>) -> Vec<usize> {
        let mut depth = 0_usize;
        let (mut ors, mut ands) = (Vec::new(), Vec::new());
        for place in tokens {
            match self.token(place) {
                "(" | "[" | "{" | "if" => depth += 1,
                ")" | "]" | "}" => depth = depth.saturating_sub(1),
                "or" if depth == 0 => ors.push(place),
                "and" if depth == 0 => ands.push(place),
                _ => {}
            }
        }
        if ors.is_empty() { ands } else { ors }
    }
}
