//! `test` blocks and the rows in them.

use pest::iterators::Pair;

use super::{Builder, Parts, Rule};
use crate::ast::{Datum, ExprKind, Name, RowItem, TestClause, TestItem};

impl Builder<'_> {
    pub(super) fn test(&mut self, parts: &mut Parts<'_>) -> Option<TestItem> {
        let name = self.string(&parts.next(Rule::string)?);
        let text = match name.kind {
            ExprKind::String(text) => text,
            _ => String::new(),
        };
        let clauses = parts.pairs.by_ref().filter_map(|pair| self.test_clause(pair)).collect();
        let damaged = self.found.len() > self.n_before;
        Some(TestItem { name: Name { text, span: name.span }, clauses, damaged })
    }

    fn test_clause(&mut self, pair: Pair<'_, Rule>) -> Option<TestClause> {
        let span = self.span(&pair);
        let is_expected = match pair.as_rule() {
            Rule::given_clause => false,
            Rule::expect_clause => true,
            _ => return None,
        };
        let mut parts = Parts::of(pair);
        let name = self.name(&mut parts)?;
        let mut rows = Parts::of(parts.next(Rule::rows)?);
        let rows = rows.all(Rule::row).filter_map(|row| self.row(row)).collect();
        Some(TestClause { is_expected, name, rows, span })
    }

    fn row(&mut self, pair: Pair<'_, Rule>) -> Option<RowItem> {
        let span = self.span(&pair);
        let mut parts = Parts::of(pair);
        let cells = parts.all(Rule::cell).filter_map(|cell| {
            let mut parts = Parts::of(cell);
            Some((self.name(&mut parts)?, self.datum(parts.next(Rule::datum)?)?))
        });
        Some(RowItem { cells: cells.collect(), span })
    }

    fn datum(&mut self, pair: Pair<'_, Rule>) -> Option<Datum> {
        let pair = pair.into_inner().next()?;
        let span = self.span(&pair);
        match pair.as_rule() {
            Rule::row => self.row(pair).map(Datum::Record),
            Rule::data_list => {
                let mut parts = Parts::of(pair);
                let elements = parts.all(Rule::datum).filter_map(|element| self.datum(element));
                Some(Datum::List(elements.collect(), span))
            }
            _ => self.expression(pair).map(Datum::Value),
        }
    }
}
