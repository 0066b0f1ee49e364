//! The arguments of aggregates: one interpreter of the rows of the [catalogue](functions).
//!
//! Rows of events where an argument is none are skipped, so an argument need not be there.

use super::checker::{Checker, Typed};
use super::function::Callee;
use super::literal::Literal;
use crate::ast::{Argument, Expr, ExprKind, Name};
use crate::code::Code;
use crate::diagnostic::{Diagnostic, Span};
use metricc_ir::functions::{self, AggregateSpec, Param, Parameters, Sort};
use metricc_ir::{AggregateOp, Kind};

/// Operation and arguments.
pub(super) type Parts = (AggregateOp, Vec<Typed>);

/// The arguments of a call, each with its parameter.
type Paired<'e> = Vec<(&'static Param, &'e Expr)>;

impl Checker<'_> {
    pub(super) fn aggregate_parts(
        &mut self,
        function: &Name,
        arguments: &[Argument],
        span: Span,
    ) -> Option<Parts> {
        let spec = functions::aggregate(&function.text);
        let named_param = spec.and_then(AggregateSpec::named);
        let (plain, named) = self.split_named(function, arguments, named_param.and_then(Param::name))?;
        if let Some(import) = self.import(&function.text) {
            return self.own_parts(&import?, function, &plain);
        }
        let spec = spec?;
        let callee = Callee { name: function, usage: spec.usage };
        let paired = paired(spec, &plain, named);
        let is_value = |param: &Param| !param.is_literal() && *param != Param::Ranking;
        // All are checked before any is missed.
        let checked = paired.iter().filter(|(param, _)| is_value(param)).map(|(_, expr)| self.expr(expr));
        let checked: Vec<Option<Typed>> = checked.collect();
        self.enough(spec, callee, &plain, named, span)?;
        let mut checked = checked.into_iter();
        let mut given = Parameters::default();
        let mut values: Vec<Option<Typed>> = Vec::with_capacity(paired.len());
        let mut literals = Some(());
        for (param, expr) in paired {
            match param {
                Param::Ranking => values.extend(self.ranking(expr).map_or(Some(None), |by| by.map(Some))),
                param if param.is_literal() => {
                    let of =
                        values.first().and_then(|first| first.as_ref()).map(|first| first.kind().clone());
                    literals = literals.and(self.literal(param, expr, of.as_ref(), &mut given));
                }
                param => {
                    let typed = checked.next().flatten();
                    let sort = sort_of(param, named_param.filter(|_| named.is_some()));
                    values.push(typed.and_then(|typed| match sort {
                        Some(sort) => self.argument(callee, sort, typed),
                        None => self.need_bool(typed, &format!("a step of {}", callee.quoted())),
                    }));
                }
            }
        }
        let values = values.into_iter().collect::<Option<Vec<_>>>()?;
        literals?;
        let is_pair = spec.params.iter().any(|param| matches!(param, Param::Alike(_)));
        let values = if is_pair { self.alike(callee, values)? } else { values };
        Some(((spec.op)(&given), values))
    }

    /// The plain arguments, and the one that is given by name.
    fn split_named<'e>(
        &mut self,
        function: &Name,
        arguments: &'e [Argument],
        parameter: Option<&str>,
    ) -> Option<(Vec<&'e Expr>, Option<&'e Expr>)> {
        let is_named = |argument: &&Argument| argument.name.is_some();
        let (named, plain): (Vec<&Argument>, Vec<&Argument>) = arguments.iter().partition(is_named);
        let foreign =
            named.iter().find(|argument| argument.name.as_ref().map(|name| name.text.as_str()) != parameter);
        if let Some(argument) = foreign {
            for argument in &plain {
                self.expr(&argument.value);
            }
            let name = argument.name.as_ref().map(|name| name.text.as_str()).unwrap_or_default();
            let message = format!("`{}` has no argument `{name}`", function.text);
            let diagnostic = Diagnostic::new(Code::Arguments, message, argument.value.span, "");
            self.report(match parameter {
                Some(parameter) => diagnostic.help(format!("it has `{parameter}:`; remove `{name}:`")),
                None => diagnostic.help(format!("remove `{name}:`")),
            });
            return None;
        }
        if let [first, again, ..] = named.as_slice() {
            let message = format!("`{}` is given twice", parameter.unwrap_or_default());
            self.report(
                Diagnostic::new(Code::Arguments, message, again.value.span, "again here")
                    .also(first.value.span, "first here")
                    .help("remove one of them"),
            );
            return None;
        }
        let plain = plain.iter().map(|argument| &argument.value).collect();
        Some((plain, named.first().map(|first| &first.value)))
    }

    /// Reports a wrong number of arguments, and a named one that is missing.
    fn enough(
        &mut self,
        spec: &AggregateSpec,
        callee: Callee<'_>,
        plain: &[&Expr],
        named: Option<&Expr>,
        span: Span,
    ) -> Option<()> {
        let is_plain = |param: &&Param| matches!(param, Param::By(_)) || param.name().is_none();
        let n_wanted = spec.params.iter().filter(is_plain).count();
        let has_by = matches!(spec.named(), Some(Param::By(_))) && named.is_some();
        let n_given = plain.len() + usize::from(has_by);
        match spec
            .params
            .iter()
            .find_map(|param| if let Param::Steps(most) = param { Some(*most) } else { None })
        {
            Some(most_steps) => self.n_steps(callee, n_given, most_steps)?,
            None => self.n_arguments(callee, n_given, n_wanted..=n_wanted)?,
        }
        let needed = match spec.named() {
            Some(Param::Within { needed, .. } | Param::Time { needed }) => *needed,
            _ => &[],
        };
        if named.is_some() || needed.is_empty() {
            return Some(());
        }
        let message = format!("{} without `within:`", callee.quoted());
        let diagnostic = Diagnostic::new(Code::Arguments, message, span, "");
        self.report(needed.iter().fold(diagnostic, |diagnostic, help| diagnostic.help(*help)));
        None
    }

    fn n_steps(&mut self, callee: Callee<'_>, n_given: usize, most: usize) -> Option<()> {
        let n_steps = n_given.saturating_sub(1);
        if (2..=most).contains(&n_steps) {
            return Some(());
        }
        let name = &callee.name.text;
        let message = match n_steps {
            1 => format!("a {name} with one step"),
            n_steps => format!("a {name} with {n_steps} steps"),
        };
        self.report(Diagnostic::new(Code::Arguments, message, callee.name.span, "").help(format!(
            "write the actor and 2 to {most} conditions: `{name}(user, kind == \"view\", kind == \"buy\", within: 1h)`"
        )));
        None
    }

    /// The two numbers of a covariance and its like as numbers of one sort.
    fn alike(&mut self, callee: Callee<'_>, values: Vec<Typed>) -> Option<Vec<Typed>> {
        let is_decimal = |typed: &Typed| matches!(typed.kind(), Kind::Decimal { .. });
        match values.iter().all(is_decimal) {
            // Each keeps its scale.
            true => Some(values),
            false => self.unify(values, &callee.quoted(), false),
        }
    }

    /// An argument of an aggregate; none in it is skipped, so it need not be handled.
    fn argument(&mut self, callee: Callee<'_>, sort: Sort, typed: Typed) -> Option<Typed> {
        if typed.literal == Some(Literal::None) {
            self.wrong_kind(callee, &typed, "values", "");
            return None;
        }
        if sort.fits(typed.kind()) {
            return if sort == Sort::Period { self.running(callee, typed) } else { Some(typed) };
        }
        let help = match (typed.kind(), sort) {
            (Kind::Record(_), _) => "a record has no order and no sum: name a field of it",
            (Kind::List(_), _) => "`each x in list` makes a row of each element",
            (Kind::Bool, Sort::Number) => "count the cases: `count() where …`",
            (Kind::Timestamp, Sort::Period) => "write the day: `date(at) in CALENDAR`",
            (_, Sort::List) => "`set(x)` collects plain values",
            _ => "",
        };
        self.wrong_kind(callee, &typed, sort.text(), help);
        None
    }

    /// `by: count()`, which is none, or `by: sum(x)`.
    fn ranking(&mut self, by: &Expr) -> Option<Option<Typed>> {
        let bare = by.bare();
        match &bare.kind {
            ExprKind::Call { function, arguments } if function.text == "count" && arguments.is_empty() => {
                Some(None)
            }
            ExprKind::Call { function, arguments } if function.text == "sum" => {
                let (_, mut values) = self.aggregate_parts(function, arguments, function.span)?;
                values.pop().map(Some)
            }
            ExprKind::Poisoned => None,
            _ => {
                self.report(
                    Diagnostic::new(Code::Arguments, "items are not ranked by this", by.span, "")
                        .help("write `by: count()` or `by: sum(amount)`"),
                );
                None
            }
        }
    }
}

/// Each argument with its parameter; those that are too many have none. `by` may come after the value without
/// its name.
fn paired<'e>(spec: &'static AggregateSpec, plain: &[&'e Expr], named: Option<&'e Expr>) -> Paired<'e> {
    let mut plain = plain.iter().copied();
    let mut paired = Vec::new();
    for param in spec.params {
        match param {
            Param::Steps(_) => paired.extend(plain.by_ref().map(|step| (param, step))),
            Param::By(_) => paired.extend(plain.next().or(named).map(|by| (param, by))),
            param if param.name().is_some() => paired.extend(named.map(|value| (param, value))),
            param => paired.extend(plain.next().map(|value| (param, value))),
        }
    }
    paired
}

/// What a parameter takes; `None` for a condition that has to be there. An estimate may take other values.
fn sort_of(param: &Param, named: Option<&Param>) -> Option<Sort> {
    match (param, named) {
        (Param::Value(_), Some(Param::Within { of, .. })) => Some(*of),
        (Param::Value(sort) | Param::Alike(sort) | Param::By(sort), _) => Some(*sort),
        _ => None,
    }
}
