//! One item → its tree. The grammar is `grammar.pest`; this module turns pest's pairs into the
//! tree of `ast`, with positions in the whole file.

use pest::Parser;
use pest::iterators::{Pair, Pairs};

use crate::ast::{
    CalendarClause, CalendarItem, Clause, ClauseKind, Every, Expr, ImportItem, Item, KeyItem, MetricItem,
    MetricValue, Name, SourceItem, TableItem, UseItem,
};
use crate::diagnostic::{Diagnostic, Span};
use crate::foreign_phrases::{self, Book};
use crate::items::{ItemKind, RawItem};
use crate::scan::Scanned;

mod expression;
mod field;
mod literal;
mod syntax_error;
mod test;

#[derive(pest_derive::Parser)]
#[grammar = "grammar.pest"]
struct Grammar;

/// Parses one item; `None` if it does not parse, which is reported.
pub(crate) fn item(scanned: &Scanned<'_>, raw: &RawItem, found: &mut Vec<Diagnostic>) -> Option<Item> {
    let book = match raw.kind {
        ItemKind::Metric => Some(Book::Metric),
        ItemKind::Source | ItemKind::Table => Some(Book::Fields),
        _ => None,
    };
    if !raw.readable {
        // What cannot be read has been reported; its phrases are reported beside it.
        found.extend(
            book.iter().flat_map(|book| foreign_phrases::meet(*book, scanned, raw.span, None).diagnostics),
        );
        return None;
    }
    let text = scanned.text;
    let rule = match raw.kind {
        ItemKind::Use => Rule::use_item,
        ItemKind::Source => Rule::source_item,
        ItemKind::Calendar => Rule::calendar_item,
        ItemKind::Import => Rule::import_item,
        ItemKind::Table => Rule::table_item,
        ItemKind::Metric => Rule::metric_item,
        ItemKind::Test => Rule::test_item,
        ItemKind::Condition | ItemKind::Other => return None,
    };
    let item_text = &text[raw.span.start..raw.span.end];
    match Grammar::parse(rule, item_text) {
        Ok(mut pairs) => {
            let n_before = found.len();
            let mut builder = Builder { base: raw.span.start, n_before, found };
            let mut parts = Parts::of(pairs.next()?);
            match raw.kind {
                ItemKind::Use => builder.uses(&mut parts).map(Item::Use),
                ItemKind::Source => builder.source(&mut parts).map(Item::Source),
                ItemKind::Calendar => builder.calendar(&mut parts).map(Item::Calendar),
                ItemKind::Import => builder.import(&mut parts).map(Item::Import),
                ItemKind::Table => builder.table(&mut parts).map(Item::Table),
                ItemKind::Test => builder.test(&mut parts).map(Item::Test),
                _ => builder.metric(&mut parts).map(Item::Metric),
            }
        }
        Err(error) => {
            report(scanned, raw, book, &error, found);
            None
        }
    }
}

/// Parses a text that is one expression; `None` if it does not parse, which is reported.
pub(crate) fn condition(scanned: &Scanned<'_>, found: &mut Vec<Diagnostic>) -> Option<Expr> {
    if !scanned.unreadable.is_empty() {
        return None;
    }
    let span = Span { start: 0, end: scanned.text.trim_end().len() };
    let raw = RawItem { kind: ItemKind::Condition, name: None, span, readable: true };
    match Grammar::parse(Rule::condition_item, &scanned.text[..span.end]) {
        Ok(mut pairs) => {
            let n_before = found.len();
            let mut builder = Builder { base: 0, n_before, found };
            builder.expr(&mut Parts::of(pairs.next()?))
        }
        Err(error) => {
            report(scanned, &raw, Some(Book::Metric), &error, found);
            None
        }
    }
}

/// Says why an item does not parse.
fn report(
    scanned: &Scanned<'_>,
    raw: &RawItem,
    book: Option<Book>,
    error: &pest::error::Error<Rule>,
    found: &mut Vec<Diagnostic>,
) {
    let stopped = syntax_error::stopped(scanned.text, raw, error);
    let met = book.map(|book| foreign_phrases::meet(book, scanned, raw.span, Some(stopped)));
    if !met.as_ref().is_some_and(|met| met.explain_stop) {
        found.push(syntax_error::diagnose(scanned.text, raw, error));
    }
    found.extend(met.into_iter().flat_map(|met| met.diagnostics));
}

/// A cursor over the pairs inside a pair.
struct Parts<'i> {
    pairs: Pairs<'i, Rule>,
}

impl<'i> Parts<'i> {
    fn of(pair: Pair<'i, Rule>) -> Parts<'i> {
        Parts { pairs: pair.into_inner() }
    }

    /// The next pair of this rule; pairs before it (keywords, brackets) are skipped.
    fn next(&mut self, rule: Rule) -> Option<Pair<'i, Rule>> {
        self.pairs.find(|pair| pair.as_rule() == rule)
    }

    /// Whether the next pair is of this rule.
    fn peek(&self, rule: Rule) -> bool {
        self.pairs.peek().is_some_and(|pair| pair.as_rule() == rule)
    }

    /// All remaining pairs of this rule.
    fn all(&mut self, rule: Rule) -> impl Iterator<Item = Pair<'i, Rule>> {
        self.pairs.by_ref().filter(move |pair| pair.as_rule() == rule)
    }

    /// The documentation before the item.
    fn doc(&mut self) -> String {
        let mut lines = Vec::new();
        while self.peek(Rule::doc) {
            if let Some(pair) = self.pairs.next() {
                let line = pair.as_str().trim_start_matches('/').trim_end();
                lines.push(line.strip_prefix(' ').unwrap_or(line).to_owned());
            }
        }
        lines.join("\n")
    }
}

/// Turns pairs into trees. Its methods return `None` only if the code does not match the grammar.
struct Builder<'f> {
    /// Where the item starts in the file.
    base: usize,
    /// Number of diagnostics before the item.
    n_before: usize,
    found: &'f mut Vec<Diagnostic>,
}

impl Builder<'_> {
    fn span(&self, pair: &Pair<'_, Rule>) -> Span {
        let span = pair.as_span();
        // pest ends a non-atomic rule after the white space it skipped.
        let text = span.as_str();
        let end = span.start() + text.trim_end().len();
        Span { start: self.base + span.start(), end: self.base + end.max(span.start()) }
    }

    fn name_of(&self, pair: &Pair<'_, Rule>) -> Name {
        Name { text: pair.as_str().to_owned(), span: self.span(pair) }
    }

    fn name(&self, parts: &mut Parts<'_>) -> Option<Name> {
        parts.next(Rule::name).map(|pair| self.name_of(&pair))
    }

    fn expr(&mut self, parts: &mut Parts<'_>) -> Option<Expr> {
        parts.next(Rule::expr).and_then(|pair| self.expression(pair))
    }

    fn uses(&mut self, parts: &mut Parts<'_>) -> Option<UseItem> {
        let file = self.name(parts)?;
        let names = parts.all(Rule::name).map(|pair| self.name_of(&pair)).collect();
        Some(UseItem { file, names })
    }

    fn source(&mut self, parts: &mut Parts<'_>) -> Option<SourceItem> {
        let doc = parts.doc();
        let name = self.name(parts)?;
        let (mut nulls, mut fields) = (Vec::new(), Vec::new());
        for pair in parts.pairs.by_ref() {
            match pair.as_rule() {
                Rule::null_clause => nulls.extend(self.texts(&mut Parts::of(pair))),
                Rule::field => fields.extend(self.field(&mut Parts::of(pair))),
                _ => {}
            }
        }
        let damaged = self.found.len() > self.n_before;
        Some(SourceItem { doc, name, nulls, fields, damaged })
    }

    fn table(&mut self, parts: &mut Parts<'_>) -> Option<TableItem> {
        let SourceItem { doc, name, nulls, fields: columns, damaged } = self.source(parts)?;
        Some(TableItem { doc, name, nulls, columns, damaged })
    }

    /// The strings of a list; none of `none`.
    fn texts(&mut self, parts: &mut Parts<'_>) -> Vec<Expr> {
        let Some(texts) = parts.next(Rule::texts) else { return Vec::new() };
        Parts::of(texts).all(Rule::string).map(|text| self.string(&text)).collect()
    }

    fn calendar(&mut self, parts: &mut Parts<'_>) -> Option<CalendarItem> {
        parts.doc();
        let name = self.name(parts)?;
        let mut clauses = Vec::new();
        for pair in parts.pairs.by_ref() {
            let span = self.span(&pair);
            match pair.as_rule() {
                Rule::calendar_zone => {
                    let zone = Parts::of(pair).next(Rule::string).map(|text| self.string(&text))?;
                    clauses.push(CalendarClause::Zone { zone, span });
                }
                Rule::calendar_week => {
                    let day = self.name(&mut Parts::of(pair))?;
                    clauses.push(CalendarClause::Week { day, span });
                }
                _ => {}
            }
        }
        Some(CalendarItem { name, clauses })
    }

    fn import(&mut self, parts: &mut Parts<'_>) -> Option<ImportItem> {
        parts.doc();
        let (mut name, mut arguments, mut result) = (None, Vec::new(), None);
        let (mut is_aggregate, mut version, mut idempotent) = (false, None, None);
        for pair in parts.pairs.by_ref() {
            match pair.as_rule() {
                Rule::kw_aggregate => is_aggregate = true,
                Rule::name => name = Some(self.name_of(&pair)),
                Rule::import_arguments => {
                    let types = pair.into_inner().filter(|part| part.as_rule() == Rule::type_ref);
                    arguments = types.filter_map(|ty| self.type_ref(ty)).collect();
                }
                Rule::type_ref => result = self.type_ref(pair),
                Rule::number => version = Some(self.number(&pair)),
                Rule::kw_idempotent => idempotent = Some(self.span(&pair)),
                _ => {}
            }
        }
        Some(ImportItem { name: name?, is_aggregate, arguments, result: result?, version, idempotent })
    }

    fn metric(&mut self, parts: &mut Parts<'_>) -> Option<MetricItem> {
        let doc = parts.doc();
        let name = self.name(parts)?;
        let mut value = None;
        let mut body = None;
        for pair in parts.pairs.by_ref() {
            let span = self.span(&pair);
            match pair.as_rule() {
                Rule::record => {
                    let mut inner = Parts::of(pair);
                    let fields = inner
                        .all(Rule::record_field)
                        .filter_map(|field| {
                            let mut parts = Parts::of(field);
                            Some((self.name(&mut parts)?, self.filtered(parts.next(Rule::filtered)?)?))
                        })
                        .collect();
                    value = Some(MetricValue::Record { fields, span });
                }
                Rule::filtered => value = Some(MetricValue::Plain(self.filtered(pair)?)),
                Rule::body => {
                    body = Some(pair.into_inner().filter_map(|clause| self.clause(clause)).collect());
                }
                _ => {}
            }
        }
        let damaged = self.found.len() > self.n_before;
        Some(MetricItem { doc, name, value: value?, body, damaged })
    }

    fn clause(&mut self, pair: Pair<'_, Rule>) -> Option<Clause> {
        let span = self.span(&pair);
        let rule = pair.as_rule();
        let mut parts = Parts::of(pair);
        let kind = match rule {
            Rule::from_clause => ClauseKind::From(self.name(&mut parts)?),
            Rule::each_clause => {
                ClauseKind::Each { name: self.name(&mut parts)?, list: self.expr(&mut parts)? }
            }
            Rule::let_clause => {
                ClauseKind::Let { name: self.name(&mut parts)?, value: self.expr(&mut parts)? }
            }
            Rule::lookup_clause => {
                let (name, table) = (self.name(&mut parts)?, self.name(&mut parts)?);
                let keys = parts.all(Rule::expr).filter_map(|key| self.expression(key)).collect();
                ClauseKind::Lookup { name, table, keys }
            }
            Rule::where_clause => ClauseKind::Where(self.expr(&mut parts)?),
            Rule::by_clause => {
                let keys = parts.all(Rule::key).filter_map(|key| {
                    let mut parts = Parts::of(key);
                    Some(KeyItem { value: self.expr(&mut parts)?, name: self.name(&mut parts) })
                });
                ClauseKind::By(keys.collect())
            }
            Rule::every_clause => self.every(&mut parts)?,
            Rule::unit_clause => self.unit(parts)?,
            Rule::over_clause => {
                let mut durations = parts.all(Rule::number);
                let (length, step) = (durations.next()?, durations.next());
                ClauseKind::Over { length: self.number(&length), step: step.map(|step| self.number(&step)) }
            }
            Rule::session_clause => ClauseKind::Session { gap: self.number(&parts.next(Rule::number)?) },
            _ => return None,
        };
        Some(Clause { kind, span })
    }

    fn every(&mut self, parts: &mut Parts<'_>) -> Option<ClauseKind> {
        let pair = parts.pairs.find(|pair| matches!(pair.as_rule(), Rule::number | Rule::name))?;
        let every = match pair.as_rule() {
            Rule::number => Every::Duration(self.number(&pair)),
            _ => Every::Word(self.name_of(&pair)),
        };
        Some(ClauseKind::Every { every, calendar: self.name(parts) })
    }

    fn unit(&mut self, mut parts: Parts<'_>) -> Option<ClauseKind> {
        let pair = parts.pairs.find(|pair| matches!(pair.as_rule(), Rule::string | Rule::name))?;
        Some(ClauseKind::Unit(match pair.as_rule() {
            Rule::string => match self.string(&pair).kind {
                crate::ast::ExprKind::String(text) => text,
                _ => String::new(),
            },
            _ => pair.as_str().to_owned(),
        }))
    }
}
