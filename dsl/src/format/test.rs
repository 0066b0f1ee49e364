//! The layout of a test: a line for each row, unless a short list was on one line.

use std::ops::Range;

use super::{Layout, WIDTH};
use crate::ast::{RowItem, TestClause, TestItem};

/// Maximum length of a row on one line: rows are read as a table.
const ROW_WIDTH: usize = 160;

impl Layout<'_> {
    pub(super) fn test(&mut self, test: &TestItem, tokens: Range<usize>) {
        let name = self.tokens(test.name.span);
        let open = self.find(name.end..tokens.end, "{").unwrap_or(name.end);
        let head = self.part(tokens.start..open + 1, false);
        self.line(0, &head);
        for clause in &test.clauses {
            let tokens = self.tokens(clause.span);
            self.comments_before(tokens.start, 2);
            self.test_clause(clause, tokens.clone());
            self.comments_before(tokens.end, 2);
        }
        self.close(tokens.end - 1, 0);
    }

    fn test_clause(&mut self, clause: &TestClause, tokens: Range<usize>) {
        let open = self.find(self.tokens(clause.name.span).end..tokens.end, "[").unwrap_or(tokens.start);
        let rows: Vec<Range<usize>> = clause.rows.iter().map(|row| self.tokens(row.span)).collect();
        let head = self.part(tokens.start..open, false);
        if !self.gaps[open + 1].has_line_end
            && let Some(list) = self.one_line(open..tokens.end, false)
        {
            let line = format!("{head} {list}");
            if line.chars().count() + 2 <= WIDTH && !head.contains('\n') {
                return self.line(2, &line);
            }
        }
        self.line(2, &head);
        // A comment between the name and the bracket ends its line.
        if self.has_comments_inside(&(open - 1..open + 1)) {
            self.comments_before(open, 4);
            self.line(2, "[");
        } else if let Some(line) = self.lines.last_mut() {
            line.push_str(" [");
        }
        for (row, tokens) in clause.rows.iter().zip(rows) {
            self.comments_before(tokens.start, 4);
            self.row(row, tokens.clone());
            self.comments_before(tokens.end, 4);
        }
        self.close_with(tokens.end - 1, 2, "]");
    }

    /// A row on one line, or a line for each of its values.
    fn row(&mut self, row: &RowItem, tokens: Range<usize>) {
        let text = self.part(tokens.clone(), false);
        if text.contains('\n') || text.chars().count() + 5 <= ROW_WIDTH || row.cells.is_empty() {
            return self.line(4, &format!("{text},"));
        }
        self.line(4, "{");
        for (name, datum) in &row.cells {
            let cell = self.part(self.tokens(name.span.to(datum.span())), false);
            self.line(6, &format!("{cell},"));
        }
        self.line(4, "},");
    }
}
