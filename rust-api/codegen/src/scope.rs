//! The names that a closure sees, and what they stand for.

use proc_macro2::Ident;
use syn::ext::IdentExt as _;
use syn::{Expr, Member, Pat};

use crate::definition::EventDefinition;
use crate::field_names::FieldName;
use crate::problem::Problems;

/// What a name of Rust stands for in the language.
#[derive(Debug, Clone)]
pub(crate) enum Binding {
    /// The event: its fields are names.
    Row,
    /// The rows of a group, of which aggregates are taken; closures inside are given this.
    Group(Box<Binding>),
    /// A field, an element or a `let`.
    Name(String),
    /// A field or an element that is a record, or a list of records: its name, and that of its type in Rust.
    Record { text: String, record: Ident },
    /// A metric that a derived metric reads, by its name.
    Metric(String),
    /// A row of a table: its name in the language, and those of its columns in Rust and in the language.
    /// Without columns the table is unknown, which is reported elsewhere.
    Found { name: String, fields: Vec<(Ident, String)> },
    /// Several, by index.
    Tuple(Vec<Binding>),
}

impl Binding {
    fn of_field(text: String, field: &FieldName) -> Self {
        match &field.record {
            Some(record) => Binding::Record { text, record: record.clone() },
            None => Binding::Name(text),
        }
    }
}

/// The names that a closure sees.
#[derive(Debug, Clone, Default)]
pub(crate) struct Scope(Vec<(String, Binding)>);

impl Scope {
    pub(crate) fn insert(&mut self, name: &Ident, binding: Binding) {
        self.0.push((name.to_string(), binding));
    }

    /// The latest binding of a name.
    pub(crate) fn get(&self, name: &Ident) -> Option<&Binding> {
        self.0.iter().rev().find(|(known, _)| name == known).map(|(_, binding)| binding)
    }

    pub(crate) fn extend(&mut self, other: Scope) {
        self.0.extend(other.0);
    }

    /// Binds the parameter of a closure.
    pub(crate) fn bind(&mut self, pattern: &Pat, given: &Binding, problems: &mut Problems) {
        match (pattern, given) {
            (Pat::Ident(name), given) if name.subpat.is_none() => self.insert(&name.ident, given.clone()),
            (Pat::Wild(_), _) => {}
            (Pat::Reference(inner), given) => self.bind(&inner.pat, given, problems),
            (Pat::Paren(inner), given) => self.bind(&inner.pat, given, problems),
            (Pat::Type(inner), given) => self.bind(&inner.pat, given, problems),
            (Pat::Tuple(tuple), Binding::Tuple(parts)) if tuple.elems.len() == parts.len() => {
                tuple.elems.iter().zip(parts).for_each(|(pattern, part)| self.bind(pattern, part, problems));
            }
            (other, Binding::Tuple(parts)) => {
                let help = format!(
                    "the row is a tuple of {} here\n\nhelp: write `|({})|`",
                    parts.len(),
                    names(parts.len())
                );
                problems.push_on(other, &help);
            }
            (other, _) => problems.push_on(other, "the event is one name here\n\nhelp: write `|p| …`"),
        }
    }

    /// What an expression stands for, if it is a plain name or field.
    pub(crate) fn binding_of(&self, expr: &Expr, definition: &EventDefinition) -> Option<Binding> {
        match expr {
            Expr::Path(path) => self.get(path.path.get_ident()?).cloned(),
            Expr::Paren(inner) => self.binding_of(&inner.expr, definition),
            Expr::Reference(inner) => self.binding_of(&inner.expr, definition),
            Expr::Field(field) => match (self.binding_of(&field.base, definition)?, &field.member) {
                (Binding::Row, Member::Named(name)) => {
                    let field = definition.field(name)?;
                    Some(Binding::of_field(field.name.clone(), field))
                }
                (Binding::Record { text, record }, Member::Named(name)) => {
                    let known = definition.field_of(&record, name);
                    Some(known.map_or_else(
                        || Binding::Name(format!("{text}.{}", name.unraw())),
                        |field| Binding::of_field(format!("{text}.{}", field.name), field),
                    ))
                }
                (Binding::Name(record), Member::Named(name)) => {
                    Some(Binding::Name(format!("{record}.{}", name.unraw())))
                }
                (Binding::Found { name, fields }, Member::Named(member)) => {
                    let known =
                        fields.iter().find(|(known, _)| known == member).map(|(_, column)| column.clone());
                    let column = known.or_else(|| fields.is_empty().then(|| member.to_string()))?;
                    Some(Binding::Name(format!("{name}.{column}")))
                }
                (Binding::Tuple(parts), Member::Unnamed(index)) => parts.get(index.index as usize).cloned(),
                _ => None,
            },
            _ => None,
        }
    }

    /// The name in the language of an expression that is a plain name or field.
    pub(crate) fn text_of(&self, expr: &Expr, definition: &EventDefinition) -> Option<String> {
        match self.binding_of(expr, definition)? {
            Binding::Name(name) | Binding::Record { text: name, .. } => Some(name),
            _ => None,
        }
    }
}

fn names(n: usize) -> String {
    ["p", "a", "b", "c", "d", "e"].iter().cycle().take(n).copied().collect::<Vec<_>>().join(", ")
}
