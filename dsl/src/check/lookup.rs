//! `lookup m = merchants[merchant_id]`, and `m.category` for a column of the row that has the key.

use super::checker::{Checker, KeyState, LookedUp, NoneKind, Place, Typed};
use super::literal::Literal;
use super::member_access::fact;
use crate::ast::{self, Name};
use crate::code::Code;
use crate::diagnostic::{Diagnostic, Span};
use metricc_ir::suggest;
use metricc_ir::{Func, Kind, Type};

impl Checker<'_> {
    /// `value.field` in a metric over events.
    pub(super) fn looked_up(&mut self, value: &Name, field: &Name, span: Span) -> Option<Typed> {
        let index = self.lookups.iter().position(|lookup| lookup.name.text == value.text)?;
        self.lookups[index].used = true;
        if self.is_output() {
            self.outside_of_aggregates(&fact(value, std::slice::from_ref(field)), span);
            return None;
        }
        let keys = self.lookup_keys(index, span)?;
        let name = self.lookups[index].table;
        let entry = self.names.tables.get(&name.text)?;
        let table = entry.table()?;
        let Some(column) = table.columns.iter().position(|column| column.name == field.text) else {
            let message = format!("table `{}` has no column `{}`", table.name, field.text);
            let known: Vec<&str> = table.columns.iter().map(|column| column.name.as_str()).collect();
            let diagnostic = Diagnostic::new(Code::UnknownName, message, field.span, "");
            self.report(match suggest::nearest(&field.text, known.iter().copied()) {
                Some(meant) => diagnostic.help(format!("did you mean `{meant}`?")),
                None => diagnostic.help(format!("its columns are {}", suggest::all_of(&known))),
            });
            return None;
        };
        let lookup = entry.lookup(table, column);
        let kind = lookup.column().ty.kind.clone();
        let is_tested = self.facts.contains(&fact(value, std::slice::from_ref(field)));
        let none = if is_tested { NoneKind::Silent } else { NoneKind::Declared };
        self.apply(Func::Lookup(lookup), keys, kind, none, span)
    }

    /// The keys that a lookup gives to its table.
    pub(super) fn lookup_keys(&mut self, index: usize, span: Span) -> Option<Vec<Typed>> {
        let LookedUp { name, table, keys, .. } = self.lookups[index];
        let is_later = self.before.is_some_and(|before| name.span.start > before);
        if is_later || matches!(self.lookups[index].state, KeyState::Checking) {
            self.used_before(&name.text, span, name.span);
            return None;
        }
        if let KeyState::Waiting = self.lookups[index].state {
            self.lookups[index].state = KeyState::Checking;
            let outer = (self.place, self.before.replace(name.span.start));
            self.place = Place::Clause("lookup");
            let facts = std::mem::take(&mut self.facts);
            let checked = self.keys_of(table, keys);
            self.facts = facts;
            (self.place, self.before) = outer;
            self.lookups[index].state = KeyState::Done(checked);
        }
        let KeyState::Done(Some(keys)) = &self.lookups[index].state else { return None };
        let keys = keys.clone();
        let (n_nodes, depth) =
            keys.iter().fold((0, 0), |(nodes, depth), key| (nodes + key.n_nodes, depth.max(key.depth)));
        self.spend(n_nodes, depth, span)?;
        Some(keys)
    }

    fn keys_of(&mut self, table: &Name, keys: &[ast::Expr]) -> Option<Vec<Typed>> {
        let given: Vec<Option<Typed>> = keys.iter().map(|key| self.expr(key)).collect();
        let Some(entry) = self.names.tables.get(&table.text) else {
            self.no_table(table);
            return None;
        };
        let known = entry.table()?;
        let wanted: Vec<(&str, &Type)> = known
            .keys
            .iter()
            .map(|key| (known.columns[*key].name.as_str(), &known.columns[*key].ty))
            .collect();
        if wanted.len() != keys.len() {
            let names: Vec<&str> = wanted.iter().map(|(name, _)| *name).collect();
            let n_keys = |n: usize| if n == 1 { "1 key".to_owned() } else { format!("{n} keys") };
            let message = format!("`{}` has {}, and {} given", known.name, n_keys(wanted.len()), keys.len());
            let verb = if keys.len() == 1 { "is" } else { "are" };
            let message = message.replace(" given", &format!(" {verb} given"));
            let help = format!("write `{}[{}]`, with a value for each", known.name, names.join(", "));
            self.report(Diagnostic::new(Code::Lookup, message, table.span, "").help(help));
            return None;
        }
        let adapted: Vec<Option<Typed>> = given
            .into_iter()
            .zip(&wanted)
            .map(|(given, (name, ty))| self.lookup_key(given?, &known.name, name, &ty.kind))
            .collect();
        adapted.into_iter().collect()
    }

    /// A key as the kind of its column. It may be none: no row has that key.
    fn lookup_key(&mut self, given: Typed, table: &str, name: &str, kind: &Kind) -> Option<Typed> {
        let is_text = matches!(given.literal, Some(Literal::Text(_)));
        let is_number = matches!(given.literal, Some(Literal::Number(_)));
        let is_exact = |kind: &Kind| matches!(kind, Kind::Int | Kind::Decimal { .. });
        let scale = |kind: &Kind| if let Kind::Decimal { scale, .. } = kind { *scale } else { 0 };
        let widens = is_exact(given.kind())
            && matches!(kind, Kind::Decimal { .. })
            && scale(given.kind()) <= scale(kind);
        let fits = match given.literal {
            Some(Literal::None) => false,
            Some(_) => {
                is_text == matches!(kind, Kind::String | Kind::Enum(_) | Kind::Date | Kind::Timestamp)
                    && (is_text || is_number)
            }
            None => given.kind() == kind || widens,
        };
        if fits {
            return self.adapt(given, kind);
        }
        let message = format!("the key `{name}` of `{table}` is `{kind}`");
        let label = if given.literal == Some(Literal::None) {
            "this is none".to_owned()
        } else {
            format!("this is `{}`", given.kind())
        };
        let diagnostic = Diagnostic::new(Code::TypeMismatch, message, given.span, label);
        let help = match (given.kind(), kind) {
            (Kind::Enum(_), Kind::String) => "`text(x)` makes a string of an enum".to_owned(),
            _ => format!("give it a value of type `{kind}`, or declare the key as what the events have"),
        };
        self.report(diagnostic.help(help));
        None
    }

    fn no_table(&mut self, table: &Name) {
        let message = format!("there is no table `{}`", table.text);
        let diagnostic = Diagnostic::new(Code::Lookup, message, table.span, "");
        let known = self.names.tables.keys().map(String::as_str);
        self.report(match suggest::nearest(&table.text, known) {
            Some(meant) => diagnostic.help(format!("did you mean `{meant}`?")),
            None => {
                diagnostic.help(format!("define it: `table {} {{ id: int key, name: string }}`", table.text))
            }
        });
    }

    pub(super) fn no_member(&mut self, value: &Name, field: &Name, path: &str) -> Option<Typed> {
        let message = format!("`{}` has no `{}`", value.text, field.text);
        let known = self.lookups.iter().map(|lookup| lookup.name.text.as_str());
        let diagnostic = Diagnostic::new(Code::UnknownName, message, value.span, "");
        let nearest = suggest::nearest(&value.text, known).map(str::to_owned);
        let last = path.rsplit('.').next().unwrap_or_default();
        let is_source = self.source.as_ref().is_some_and(|source| source.name == value.text);
        self.report(match nearest {
            _ if is_source => {
                diagnostic.help(format!("fields of the source stand alone: write `{}`", field.text))
            }
            _ if self.names.tables.contains_key(&value.text) => diagnostic.help(format!(
                "say which row is meant: `lookup row = {}[…]`, then `row.{}`",
                value.text, field.text
            )),
            Some(meant) => diagnostic.help(format!("did you mean `{meant}`?")),
            None if let Some(source) = &self.source => diagnostic.help(format!(
                "if records of the data have it, declare it in source `{}`, as `{last}: … from {path}`, and write \
                 `{last}`",
                source.name
            )),
            None => diagnostic.help(
                "records have fields, rows that are looked up have columns, and metrics that present records \
                     have parts",
            ),
        });
        None
    }
}
