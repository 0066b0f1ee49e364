//! Expressions: names, literals, conditions; the rest is handed on.

use super::checker::{Checker, Column, LetState, NoneKind, Place, Typed};
use super::literal::Literal;
use super::member_access::{fact, is_plain};
use super::offset::Back;
use super::unify::open_literal;
use crate::ast::{BinaryOperator, Expr, ExprKind, Name, UnaryOperator};
use crate::code::Code;
use crate::diagnostic::{Diagnostic, Span};
use crate::foreign_words::{self, VALUES};
use metricc_ir as ir;
use metricc_ir::functions;
use metricc_ir::suggest;
use metricc_ir::{Func, Kind, Value};

impl Checker<'_> {
    /// Types an expression; all errors in it are reported.
    pub(super) fn expr(&mut self, expr: &Expr) -> Option<Typed> {
        let span = expr.span;
        match &expr.kind {
            ExprKind::Name(name) => self.name(name, span),
            ExprKind::Number(number) => self.leaf(open_literal(Literal::Number(*number), span)),
            ExprKind::String(text) => self.leaf(open_literal(Literal::Text(text.clone()), span)),
            ExprKind::None => self.leaf(open_literal(Literal::None, span)),
            ExprKind::Bool(value) => self.leaf(Typed::constant(Value::Bool(*value), Kind::Bool, span)),
            ExprKind::Duration { micros, .. } => {
                self.leaf(Typed::constant(Value::Duration(*micros), Kind::Duration, span))
            }
            ExprKind::Percent(_) => self.misplaced_percent(span),
            ExprKind::List(elements) => self.misplaced_list(elements, span),
            ExprKind::Call { function, arguments } => self.call(function, arguments, None, span),
            ExprKind::Unary { operator: UnaryOperator::Not, operand } => {
                let operand = self.expr(operand)?;
                let operand = self.need_bool(operand, "`not`")?;
                self.propagate(Func::Not, vec![operand], Kind::Bool, NoneKind::Never, span)
            }
            ExprKind::Unary { operator: UnaryOperator::Negate, operand } => self.negate(operand, span),
            ExprKind::Binary { operator, operator_span, left, right } => {
                self.binary(*operator, *operator_span, left, right, span)
            }
            ExprKind::In { value, negated, choices } => self.in_list(value, *negated, choices, span),
            ExprKind::InCalendar { value, calendar } => self.in_calendar(value, calendar, span),
            ExprKind::If { condition, then, otherwise } => self.conditional(condition, then, otherwise, span),
            ExprKind::Where { value, condition, span } => self.filtered(value, condition, *span),
            ExprKind::Offset { value, length, unit, span: offset } => {
                self.offset(value, Back { length, unit: unit.as_ref(), span: *offset }, span)
            }
            ExprKind::Member { value, fields } => self.dotted(value, fields, span),
            ExprKind::Paren(inner) => self.expr(inner),
            ExprKind::Poisoned => None,
        }
    }

    /// A metric as it was some windows before.
    fn offset(&mut self, value: &Expr, back: Back<'_>, span: Span) -> Option<Typed> {
        match (&value.bare().kind, self.operands.is_some()) {
            (ExprKind::Name(name), true) => self.operand(name, None, Some(back), span),
            (ExprKind::Member { value, fields }, true) if fields.len() == 1 => {
                self.operand(&value.text, fields.first(), Some(back), span)
            }
            _ => {
                self.report(
                    Diagnostic::new(Code::Offset, "`offset` after something that is no metric", back.span, "")
                        .also(value.span, "this is not looked back for")
                        .help("it stands after the name of a metric, in one that is made of metrics: `a - a offset 7 day`"),
                );
                None
            }
        }
    }

    fn leaf(&mut self, typed: Typed) -> Option<Typed> {
        self.spend(1, 1, typed.span)?;
        Some(typed)
    }

    fn misplaced_percent(&mut self, span: Span) -> Option<Typed> {
        self.report(
            Diagnostic::new(Code::LiteralArgument, "a percentage outside of `within:`", span, "")
                .help("write a number: 1 % is `0.01`"),
        );
        None
    }

    fn misplaced_list(&mut self, elements: &[Expr], span: Span) -> Option<Typed> {
        for element in elements {
            self.expr(element);
        }
        self.report(Diagnostic::new(Code::TypeMismatch, "a list in an expression", span, "").help(
            "lists of literals stand as defaults of fields; `x in (1, 2)` compares with several values",
        ));
        None
    }

    /// A column, a `let`, or the reason why the name means nothing here.
    pub(super) fn name(&mut self, name: &str, span: Span) -> Option<Typed> {
        if self.is_output() {
            return self.name_in_output(name, span);
        }
        if let Some(index) = self.lets.iter().position(|definition| definition.name.text == name) {
            return self.let_value(index, span);
        }
        let Some(index) = self.columns.iter().position(|column| column.name == name) else {
            return self.unknown_name(name, span);
        };
        let Column { ty, span: declared, .. } = &self.columns[index];
        if let (Some(declared), Some(before)) = (declared, self.before)
            && declared.start > before
        {
            let declared = *declared;
            self.used_before(name, span, declared);
            return None;
        }
        let ty = ty.clone()?;
        let is_field = self.source.as_ref().is_some_and(|source| index < source.fields.len());
        let none = match ty.optional {
            // One that is not a number is none, as the result of an overflow is.
            false if is_field && ty.kind == Kind::Float => NoneKind::Silent,
            false => NoneKind::Never,
            true if self.facts.iter().any(|fact| fact == name) => NoneKind::Silent,
            true => NoneKind::Declared,
        };
        self.leaf(Typed::leaf(ir::ExprKind::Column(index), ty.kind, none, span))
    }

    pub(super) fn used_before(&mut self, name: &str, span: Span, declared: Span) {
        self.report(
            Diagnostic::new(
                Code::UsedBeforeDeclared,
                format!("`{name}` is used before it is defined"),
                span,
                "",
            )
            .also(declared, "defined here")
            .help("move the definition up"),
        );
    }

    /// The value of a `let`, which is checked when it is first needed.
    pub(super) fn let_value(&mut self, index: usize, span: Span) -> Option<Typed> {
        let definition = &mut self.lets[index];
        definition.used = true;
        let (name, expr) = (definition.name, definition.value);
        if self.before.is_some_and(|before| name.span.start > before)
            || matches!(definition.state, LetState::Checking)
        {
            self.used_before(&name.text, span, name.span);
            return None;
        }
        if let LetState::Waiting = definition.state {
            definition.state = LetState::Checking;
            let outer = (self.place, self.before.replace(name.span.start));
            self.place = Place::Clause("let");
            let facts = std::mem::take(&mut self.facts);
            let typed = self.expr(expr);
            self.facts = facts;
            (self.place, self.before) = outer;
            self.lets[index].state = LetState::Done(typed.map(Box::new));
        }
        let LetState::Done(Some(typed)) = &self.lets[index].state else {
            return None;
        };
        let (n_nodes, depth) = (typed.n_nodes, typed.depth);
        self.spend(n_nodes, depth, span)?;
        let LetState::Done(Some(typed)) = &self.lets[index].state else {
            return None;
        };
        let mut typed = Typed::clone(typed);
        typed.span = span;
        if typed.none == NoneKind::Declared && self.facts.contains(&name.text) {
            typed.none = NoneKind::Silent;
        }
        Some(typed)
    }

    fn unknown_name(&mut self, name: &str, span: Span) -> Option<Typed> {
        if let Some(foreign) = foreign_words::row(VALUES, name) {
            let message = format!("`{name}` {}", foreign.problem);
            self.report(Diagnostic::new(Code::ForeignSpelling, message, span, "").help(foreign.help));
            return None;
        }
        if let Some(lookup) = self.lookups.iter_mut().find(|lookup| lookup.name.text == name) {
            lookup.used = true;
            let message = format!("`{name}` is a whole row of `{}`", lookup.table.text);
            let diagnostic = Diagnostic::new(Code::UnknownName, message, span, "");
            self.report(diagnostic.help(format!("name a column of it: `{name}.…`")));
            return None;
        }
        let source = self.source.clone()?;
        let value_of_enum = source.fields.iter().find(|field| match &field.ty.kind {
            Kind::Enum(names) => names.iter().any(|value| value == name),
            _ => false,
        });
        let part = if self.is_over_keys { "key" } else { "field" };
        let message = format!("`{}` has no {part} `{name}`", source.name);
        let diagnostic = Diagnostic::new(Code::UnknownName, message, span, "");
        let known = self.columns.iter().map(|column| column.name.as_str());
        let known = known.chain(self.lets.iter().map(|definition| definition.name.text.as_str()));
        let nearest = suggest::nearest(name, known);
        self.report(match (value_of_enum, nearest) {
            (Some(field), _) => diagnostic.help(format!(
                "it is a value of the enum `{}`: write it in quotes, `\"{name}\"`",
                field.name
            )),
            (None, Some(meant)) => diagnostic.help(format!("did you mean `{meant}`?")),
            (None, None) if self.is_over_keys => {
                let keys: Vec<String> = self.columns.iter().map(|key| format!("`{}`", key.name)).collect();
                match keys.is_empty() {
                    true => diagnostic.help("it has no keys"),
                    false => diagnostic.help(format!("its keys are {}", keys.join(", "))),
                }
            }
            (None, None) => {
                diagnostic.help(format!("declare it in source `{}`, or give it with `let`", source.name))
            }
        });
        None
    }

    fn name_in_output(&mut self, name: &str, span: Span) -> Option<Typed> {
        if self.operands.is_some() {
            return self.operand(name, None, None, span);
        }
        if let Some(definition) = self.lets.iter_mut().find(|definition| definition.name.text == name) {
            definition.used = true;
        } else if !self.columns.iter().any(|column| column.name == name) {
            if self.names.metrics.contains(name) {
                self.report(mixed(span));
                return None;
            }
            return self.unknown_name(name, span);
        }
        self.outside_of_aggregates(name, span);
        None
    }

    /// A value of events where one of groups is wanted.
    pub(super) fn outside_of_aggregates(&mut self, name: &str, span: Span) {
        let diagnostic = Diagnostic::new(
            Code::FieldOutside,
            format!("`{name}` outside of an aggregate"),
            span,
            "it has one value per event, the metric one per group",
        );
        self.report(diagnostic.help(format!(
            "aggregate it, such as `max({name})`, or add it to `by`: keys are shown beside the value"
        )));
    }

    fn conditional(&mut self, condition: &Expr, then: &Expr, otherwise: &Expr, span: Span) -> Option<Typed> {
        let checked = self.expr(condition);
        let checked = checked.and_then(|typed| self.need_bool(typed, "`if`"));
        let then = self.with_facts(condition, true, |checker| checker.expr(then));
        let otherwise = self.with_facts(condition, false, |checker| checker.expr(otherwise));
        let (condition, then, otherwise) = (checked?, then?, otherwise?);
        let (then, otherwise) = self.unify_pair(then, otherwise, "`if`", false)?;
        let none = then.none.max(otherwise.none);
        let kind = then.kind().clone();
        self.apply(Func::If, vec![condition, then, otherwise], kind, none, span)
    }

    /// Runs `inside` where `condition` is known to be `outcome`.
    pub(super) fn with_facts<T>(
        &mut self,
        condition: &Expr,
        outcome: bool,
        inside: impl FnOnce(&mut Self) -> T,
    ) -> T {
        let n_before = self.facts.len();
        learn(condition, outcome, &mut self.facts);
        let result = inside(self);
        self.facts.truncate(n_before);
        result
    }

    fn in_list(&mut self, value: &Expr, negated: bool, choices: &[Expr], span: Span) -> Option<Typed> {
        let values: Vec<Option<Typed>> =
            std::iter::once(value).chain(choices).map(|choice| self.expr(choice)).collect();
        if choices.is_empty() {
            self.report(
                Diagnostic::new(Code::Arguments, "`in` without choices", span, "")
                    .help("list what it may be: `in (1, 2)`"),
            );
            return None;
        }
        let values = self.unify(values.into_iter().collect::<Option<Vec<_>>>()?, "`in`", false)?;
        if let Some(several) = values.iter().find(|value| !is_plain(value.kind())) {
            return self.no_lists("`in`", several);
        }
        let found = self.apply(Func::In, values, Kind::Bool, NoneKind::Never, span)?;
        match negated {
            true => self.apply(Func::Not, vec![found], Kind::Bool, NoneKind::Never, span),
            false => Some(found),
        }
    }

    fn in_calendar(&mut self, value: &Expr, calendar: &Name, span: Span) -> Option<Typed> {
        match &value.bare().kind {
            ExprKind::Call { function, arguments } if functions::takes_calendar(&function.text) => {
                self.call(function, arguments, Some(calendar), span)
            }
            _ => {
                self.expr(value);
                let is_name = self.columns.iter().any(|column| column.name == calendar.text);
                let diagnostic = Diagnostic::new(
                    Code::TypeMismatch,
                    format!("`in {}` after something that is no time function", calendar.text),
                    span,
                    "",
                );
                self.report(match is_name {
                    true => diagnostic.help(format!(
                        "choices stand in parentheses: `in ({0})`; a list is searched with `contains({0}, …)`",
                        calendar.text
                    )),
                    false => diagnostic.help("calendars belong to functions such as `day(at) in CALENDAR`"),
                });
                None
            }
        }
    }

    /// The calendar of a name; `None` if there is no sound one.
    pub(super) fn calendar(&mut self, name: &Name) -> Option<ir::Calendar> {
        if let Some(entry) = self.names.calendars.get(&name.text) {
            entry.used.set(true);
            return entry.calendar.clone();
        }
        let diagnostic = Diagnostic::new(
            Code::UnknownCalendar,
            format!("there is no calendar `{}`", name.text),
            name.span,
            "",
        );
        let known = self.names.calendars.keys().map(String::as_str);
        let diagnostic = match suggest::nearest(&name.text, known) {
            Some(meant) => diagnostic.help(format!("did you mean `{meant}`?")),
            None => diagnostic.help(format!("define it: `calendar {} {{ zone \"UTC\" }}`", name.text)),
        };
        self.report(diagnostic);
        None
    }
}

/// Names that cannot be none where `condition` has the outcome.
pub(super) fn learn(condition: &Expr, outcome: bool, facts: &mut Vec<String>) {
    match &condition.bare().kind {
        ExprKind::Binary { operator: BinaryOperator::And, left, right, .. } if outcome => {
            learn(left, true, facts);
            learn(right, true, facts);
        }
        ExprKind::Binary { operator: BinaryOperator::Or, left, right, .. } if !outcome => {
            learn(left, false, facts);
            learn(right, false, facts);
        }
        ExprKind::Unary { operator: UnaryOperator::Not, operand } => learn(operand, !outcome, facts),
        ExprKind::Binary { operator, left, right, .. } => {
            let wanted = if outcome { BinaryOperator::NotEqual } else { BinaryOperator::Equal };
            let tested = match (&left.bare().kind, &right.bare().kind) {
                (ExprKind::Name(name), ExprKind::None) | (ExprKind::None, ExprKind::Name(name)) => {
                    Some(name.clone())
                }
                (ExprKind::Member { value, fields }, ExprKind::None)
                | (ExprKind::None, ExprKind::Member { value, fields }) => Some(fact(value, fields)),
                _ => None,
            };
            if *operator == wanted {
                facts.extend(tested);
            }
        }
        _ => {}
    }
}

/// Aggregates and metrics in one value.
pub(super) fn mixed(span: Span) -> Diagnostic {
    let message = "aggregates and metrics in one metric are not supported in this version";
    Diagnostic::new(Code::NotSupported, message, span, "").help(
        "make each aggregate a metric of its own, and this one of metrics alone, without `from`: `a / b`",
    )
}
