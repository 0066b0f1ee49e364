//! The layout of a metric: on one line if it fits and was, else a line for each field of a record and each
//! clause.

use std::ops::Range;

use super::{Layout, WIDTH};
use crate::ast::{Clause, ClauseKind, Expr, MetricItem, MetricValue, Name};

impl Layout<'_> {
    pub(super) fn metric(&mut self, metric: &MetricItem, tokens: Range<usize>) {
        let MetricItem { value, body, .. } = metric;
        let value = match value {
            MetricValue::Plain(value) => self.tokens(value.span),
            MetricValue::Record { span, .. } => self.tokens(*span),
        };
        let head_end = if body.is_some() {
            self.find(value.end..tokens.end, "{").map_or(value.end, |at| at + 1)
        } else {
            value.end
        };
        let clauses = self.in_order(body.as_deref().unwrap_or_default());
        let is_broken_record =
            matches!(metric.value, MetricValue::Record { .. }) && self.gaps[value.start + 1].has_line_end;
        let head = self.one_line(tokens.start..head_end, false).filter(|_| !is_broken_record);
        if let Some(head) = head.filter(|head| head.chars().count() <= WIDTH) {
            if body.is_none() {
                return self.line(0, &head);
            }
            let open = head_end - 1;
            return match self.all_on_one_line(&head, &tokens, open, &clauses, "  ") {
                Some(line) => self.line(0, &line),
                None => self.body(&head, clauses, tokens.end - 1),
            };
        }
        if let MetricValue::Record { fields, .. } = &metric.value {
            let lines = self.record(fields, tokens.start..value.end);
            if body.is_none() {
                self.align_comments(lines);
            } else {
                let closed = self.lines.pop().unwrap_or_default();
                self.comments_before(head_end - 1, 2);
                self.align_comments(lines);
                self.body(&format!("{closed} {{"), clauses, tokens.end - 1);
            }
            return;
        }
        let head = self.part(tokens.start..head_end, false);
        if body.is_none() { self.line(0, &head) } else { self.body(&head, clauses, tokens.end - 1) }
    }

    /// `metric NAME = {`, a line for each field, and `}`. Returns the lines whose comments are aligned.
    fn record(&mut self, fields: &[(Name, Expr)], tokens: Range<usize>) -> Range<usize> {
        let open = self.find(tokens.clone(), "{").unwrap_or(tokens.start);
        let start = self.part(tokens.start..open + 1, false);
        self.line(0, &start);
        let (first, mut is_plain) = (self.lines.len(), true);
        let width = fields.iter().map(|(name, _)| name.text.len()).max().unwrap_or(0) + 1;
        for (name, value) in fields {
            let (field, value) = (self.tokens(name.span.to(value.span)), self.tokens(value.span));
            self.comments_before(field.start, 2);
            let text = match self.has_comments_inside(&(field.start..value.start + 1)) {
                true => self.part(field.clone(), false),
                false => format!("{:width$} {}", format!("{}:", name.text), self.part(value, false)),
            };
            is_plain &= !text.contains('\n');
            self.line(2, &format!("{text},"));
            self.comments_before(field.end, 2);
        }
        self.close(tokens.end - 1, 0);
        if is_plain { first..self.lines.len() - 1 } else { first..first }
    }

    fn body(&mut self, head: &str, clauses: Vec<Range<usize>>, close: usize) {
        self.line(0, head);
        // They go with their clauses, which change places.
        let behind: Vec<_> = clauses.iter().map(|clause| self.take_behind(clause.end)).collect();
        for (clause, behind) in clauses.into_iter().zip(behind) {
            self.comments_before(clause.start, 2);
            self.clause(clause);
            self.put_behind(&behind);
        }
        self.close(close, 0);
    }

    /// From; each, let and lookup; where; by; window; unit. Later clauses use what each, let and lookup
    /// define, so those keep their order.
    fn in_order(&self, clauses: &[Clause]) -> Vec<Range<usize>> {
        let class = |clause: &Clause| match clause.kind {
            ClauseKind::From(_) => 0,
            ClauseKind::Each { .. } | ClauseKind::Let { .. } | ClauseKind::Lookup { .. } => 1,
            ClauseKind::Where(_) => 2,
            ClauseKind::By(_) => 3,
            ClauseKind::Every { .. } | ClauseKind::Over { .. } | ClauseKind::Session { .. } => 4,
            ClauseKind::Unit(_) => 5,
        };
        let mut ordered: Vec<&Clause> = clauses.iter().collect();
        ordered.sort_by_key(|clause| class(clause));
        ordered.into_iter().map(|clause| self.tokens(clause.span)).collect()
    }
}
