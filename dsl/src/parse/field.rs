//! The type of a field, and the markers after it.

use pest::iterators::Pair;

use super::{Builder, Parts, Rule};
use crate::ast::{Expr, ExprKind, FieldItem, Marker, MarkerKind, Name, PathItem, PathStep, TypeRef};

impl Builder<'_> {
    pub(super) fn field(&mut self, parts: &mut Parts<'_>) -> Option<FieldItem> {
        let doc = parts.doc();
        let name = self.name(parts)?;
        let ty = parts.next(Rule::type_ref).and_then(|pair| self.type_ref(pair))?;
        let markers = parts.all(Rule::marker).filter_map(|pair| self.marker(pair)).collect();
        Some(FieldItem { doc, name, ty, markers })
    }

    pub(super) fn type_ref(&mut self, pair: Pair<'_, Rule>) -> Option<TypeRef> {
        let span = self.span(&pair);
        let name = Name { text: String::new(), span };
        let mut ty = TypeRef { name, arguments: None, element: None, fields: None, optional: false, span };
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::name => ty.name = self.name_of(&part),
                Rule::record_type => {
                    ty.name = Name { text: "{ … }".to_owned(), span: self.span(&part) };
                    let fields = Parts::of(part).all(Rule::part).collect::<Vec<_>>();
                    let fields = fields.into_iter().filter_map(|field| self.field(&mut Parts::of(field)));
                    ty.fields = Some(fields.collect());
                }
                Rule::type_arguments => {
                    let mut inner = Parts::of(part);
                    ty.arguments =
                        Some(inner.all(Rule::expr).filter_map(|expr| self.expression(expr)).collect());
                }
                Rule::type_element => {
                    let element = Parts::of(part).next(Rule::type_ref)?;
                    ty.element = Some(Box::new(self.type_ref(element)?));
                }
                Rule::question => ty.optional = true,
                _ => {}
            }
        }
        Some(ty)
    }

    fn marker(&mut self, pair: Pair<'_, Rule>) -> Option<Marker> {
        let span = self.span(&pair);
        let inner = pair.into_inner().next()?;
        let rule = inner.as_rule();
        let mut parts = Parts::of(inner);
        let kind = match rule {
            Rule::marker_key => MarkerKind::Key,
            Rule::marker_time => MarkerKind::Time,
            Rule::marker_from => MarkerKind::From(self.path(parts.next(Rule::path)?)),
            Rule::marker_zone => MarkerKind::Zone(parts.next(Rule::string).map(|text| self.string(&text))?),
            Rule::marker_unit => MarkerKind::Unit(self.name(&mut parts)?),
            Rule::marker_null => MarkerKind::Null(self.texts(&mut parts)),
            Rule::marker_format => MarkerKind::Format(self.texts(&mut parts)),
            Rule::marker_true => MarkerKind::True(self.texts(&mut parts)),
            Rule::marker_false => MarkerKind::False(self.texts(&mut parts)),
            Rule::marker_thousands => MarkerKind::Thousands(self.string(&parts.next(Rule::string)?)),
            Rule::marker_point => MarkerKind::Point(self.string(&parts.next(Rule::string)?)),
            Rule::marker_invalid => MarkerKind::InvalidAsNone,
            _ => MarkerKind::Default(self.expr(&mut parts)?),
        };
        Some(Marker { kind, span })
    }

    fn path(&mut self, pair: Pair<'_, Rule>) -> PathItem {
        let mut steps = Vec::new();
        for part in pair.into_inner() {
            let span = self.span(&part);
            match part.as_rule() {
                Rule::path_name => {
                    let text = part.as_str().to_owned();
                    let name = match part.into_inner().find(|inner| inner.as_rule() == Rule::string) {
                        Some(quoted) => self.string(&quoted),
                        None => Expr { kind: ExprKind::String(text), span },
                    };
                    steps.push((PathStep::Name(name), span));
                }
                Rule::number => steps.push((PathStep::Index(self.number(&part)), span)),
                _ => {}
            }
        }
        PathItem { steps }
    }
}
