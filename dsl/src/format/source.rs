//! The layout of a source: types and comments are aligned.

use std::ops::Range;

use super::{Layout, WIDTH};
use crate::scan::TokenKind;

impl Layout<'_> {
    /// Types are aligned.
    pub(super) fn source(&mut self, tokens: Range<usize>) {
        let open = self.find(tokens.clone(), "{").unwrap_or(tokens.start);
        let close = tokens.end - 1;
        let nulls = self.null_clauses(open + 1..close);
        let first = nulls.last().map_or(open + 1, |(_, clause)| clause.end);
        let fields = self.fields(first + usize::from(self.token(first) == ",")..close);
        let head = self.part(tokens.start..open + 1, false);
        let has_line_end = self.gaps[open + 1].has_line_end || self.has_comments_inside(&tokens);
        let on_line: Option<Vec<_>> =
            nulls.iter().chain(&fields).map(|(_, part)| self.one_line(part.clone(), true)).collect();
        let has_docs = fields.iter().any(|(docs, _)| !docs.is_empty());
        if let (Some(on_line), false, false) = (on_line, has_line_end, has_docs) {
            let line = format!("{head} {} }}", on_line.join("  "));
            if line.chars().count() <= WIDTH && !on_line.is_empty() {
                return self.line(0, &line);
            }
        }
        self.line(0, &head);
        for (comments, clause) in &nulls {
            self.comments_before(comments.start, 2);
            let text = self.part(clause.clone(), true);
            self.line(2, &text);
        }
        let (first, mut is_plain) = (self.lines.len(), true);
        let width = fields.iter().map(|(_, field)| self.token(field.start).len()).max().unwrap_or(0) + 1;
        for (place, (docs, field)) in fields.iter().enumerate() {
            let n_before = self.lines.len();
            self.comments_before(docs.start, 2);
            if place > 0 && self.lines.len() == n_before && self.gaps[docs.start].is_apart {
                self.blank();
            }
            self.docs(docs.clone(), 2);
            let text = match self.has_comments_inside(&(field.start..field.start + 3)) {
                true => self.part(field.clone(), true),
                false => {
                    let name = format!("{}:", self.token(field.start));
                    format!("{name:width$} {}", self.part(field.start + 2..field.end, true))
                }
            };
            is_plain &= !text.contains('\n');
            self.line(2, &text);
            self.comments_before(field.end, 2);
        }
        self.close(close, 0);
        if is_plain {
            self.align_comments(first..self.lines.len() - 1);
        }
    }

    /// Where each `null` clause before the fields starts, and its tokens without the comma after it.
    fn null_clauses(&self, tokens: Range<usize>) -> Vec<(Range<usize>, Range<usize>)> {
        let mut clauses = Vec::new();
        let mut from = tokens.start;
        while from + 1 < tokens.end && self.token(from) == "null" && self.token(from + 1) != ":" {
            let is_text = |place: usize| place < tokens.end && self.token(place).starts_with('"');
            let mut end = from + 2;
            while end < tokens.end && self.token(end) == "," && is_text(end + 1) {
                end += 2;
            }
            clauses.push((from..from, from..end));
            from = if end < tokens.end && self.token(end) == "," { end + 1 } else { end };
        }
        clauses
    }

    /// Documentation and tokens of each field, without the comma between two.
    fn fields(&self, tokens: Range<usize>) -> Vec<(Range<usize>, Range<usize>)> {
        let is_start = |place: usize| {
            let is_named = self.scanned.tokens[place].kind == TokenKind::Word && self.token(place + 1) == ":";
            is_named && (place == tokens.start || self.depth(tokens.start..place) == 0)
        };
        let starts: Vec<usize> = tokens.clone().filter(|place| is_start(*place)).collect();
        let mut fields = Vec::with_capacity(starts.len());
        let mut from = tokens.start;
        for (number, start) in starts.iter().enumerate() {
            let next = starts.get(number + 1).copied().unwrap_or(tokens.end);
            let is_doc = |place: usize| self.scanned.tokens[place].kind == TokenKind::Doc;
            let end = (*start..next).rev().find(|place| !is_doc(*place)).map_or(next, |last| last + 1);
            let without_comma = if self.token(end - 1) == "," { end - 1 } else { end };
            fields.push((from..*start, *start..without_comma));
            from = end;
        }
        fields
    }

    /// Brackets that are open after these tokens.
    fn depth(&self, tokens: Range<usize>) -> usize {
        tokens.fold(0, |depth, place| match self.token(place) {
            "(" | "[" | "{" => depth + 1,
            ")" | "]" | "}" => depth.saturating_sub(1),
            _ => depth,
        })
    }
}
