//! Expressions, and the precedence of operators. From loose to tight:
//!
//! `or` · `and` · `not` · `== != < <= > >= in` · `+ -` · `* / %` · unary `-` · `??` · `… in CALENDAR`
//!
//! `??` binds tightest of the binary ones, so that `a ?? 0 + b ?? 0` adds two values that are present.

use pest::iterators::Pair;
use pest::pratt_parser::{Assoc, ConstPrattParser, Op};

use super::{Builder, Parts, Rule};
use crate::ast::{Argument, BinaryOperator, Expr, ExprKind, UnaryOperator};

static PRECEDENCE: ConstPrattParser<Rule, 19> = ConstPrattParser::new_const([
    (Op::infix(Rule::or, Assoc::Left), true),
    (Op::infix(Rule::and, Assoc::Left), true),
    (Op::prefix(Rule::not_operator), true),
    (Op::infix(Rule::equal, Assoc::Left), true),
    (Op::infix(Rule::not_equal, Assoc::Left), false),
    (Op::infix(Rule::less, Assoc::Left), false),
    (Op::infix(Rule::less_or_equal, Assoc::Left), false),
    (Op::infix(Rule::greater, Assoc::Left), false),
    (Op::infix(Rule::greater_or_equal, Assoc::Left), false),
    (Op::postfix(Rule::in_list), false),
    (Op::infix(Rule::add, Assoc::Left), true),
    (Op::infix(Rule::subtract, Assoc::Left), false),
    (Op::infix(Rule::multiply, Assoc::Left), true),
    (Op::infix(Rule::divide, Assoc::Left), false),
    (Op::infix(Rule::remainder, Assoc::Left), false),
    (Op::prefix(Rule::negate), true),
    (Op::infix(Rule::coalesce, Assoc::Left), true),
    (Op::postfix(Rule::offset), true),
    (Op::postfix(Rule::in_calendar), true),
]);

impl Builder<'_> {
    /// `expr where expr`, or only the first.
    pub(super) fn filtered(&mut self, pair: Pair<'_, Rule>) -> Option<Expr> {
        let span = self.span(&pair);
        let mut parts = Parts::of(pair);
        let value = self.expr(&mut parts)?;
        let Some(keyword) = parts.next(Rule::kw_where) else {
            return Some(value);
        };
        let keyword = self.span(&keyword);
        let condition = self.expr(&mut parts)?;
        let kind = ExprKind::Where { value: Box::new(value), condition: Box::new(condition), span: keyword };
        Some(Expr { kind, span })
    }

    /// Operators by precedence over operands.
    pub(super) fn expression(&mut self, pair: Pair<'_, Rule>) -> Option<Expr> {
        let pairs = pair.into_inner();
        if pairs.is_empty() {
            return None;
        }
        // The three closures all need the builder; pest wants them separate.
        let builder = std::cell::RefCell::new(self);
        PRECEDENCE
            .map_primary(|pair| builder.borrow_mut().primary(pair))
            .map_prefix(|operator, operand| builder.borrow().prefix(&operator, operand?))
            .map_postfix(|operand, operator| builder.borrow_mut().postfix(operand?, operator))
            .map_infix(|left, operator, right| builder.borrow().infix(left?, &operator, right?))
            .parse(pairs)
    }

    fn prefix(&self, operator: &Pair<'_, Rule>, operand: Expr) -> Option<Expr> {
        let span = self.span(operator).to(operand.span);
        let operator = match operator.as_rule() {
            Rule::not_operator => UnaryOperator::Not,
            _ => UnaryOperator::Negate,
        };
        Some(Expr { kind: ExprKind::Unary { operator, operand: Box::new(operand) }, span })
    }

    fn infix(&self, left: Expr, operator: &Pair<'_, Rule>, right: Expr) -> Option<Expr> {
        let span = left.span.to(right.span);
        let operator_span = self.span(operator);
        let operator = binary_operator(operator.as_rule())?;
        let (left, right) = (Box::new(left), Box::new(right));
        Some(Expr { kind: ExprKind::Binary { operator, operator_span, left, right }, span })
    }

    fn postfix(&mut self, operand: Expr, operator: Pair<'_, Rule>) -> Option<Expr> {
        let operator_span = self.span(&operator);
        let span = operand.span.to(operator_span);
        let value = Box::new(operand);
        let rule = operator.as_rule();
        let mut parts = Parts::of(operator);
        let kind = match rule {
            Rule::in_list => {
                let negated = parts.peek(Rule::not_operator);
                let choices = parts.all(Rule::expr).filter_map(|choice| self.expression(choice)).collect();
                ExprKind::In { value, negated, choices }
            }
            Rule::in_calendar => ExprKind::InCalendar { value, calendar: self.name(&mut parts)? },
            _ => {
                let length = Box::new(self.number(&parts.next(Rule::number)?));
                ExprKind::Offset { value, length, unit: self.name(&mut parts), span: operator_span }
            }
        };
        Some(Expr { kind, span })
    }

    fn primary(&mut self, pair: Pair<'_, Rule>) -> Option<Expr> {
        let span = self.span(&pair);
        let kind = match pair.as_rule() {
            Rule::number => return Some(self.number(&pair)),
            Rule::percent => return self.percent(pair),
            Rule::string => return Some(self.string(&pair)),
            Rule::kw_true => ExprKind::Bool(true),
            Rule::kw_false => ExprKind::Bool(false),
            Rule::kw_none => ExprKind::None,
            Rule::name => ExprKind::Name(pair.as_str().to_owned()),
            Rule::member => {
                let mut parts = Parts::of(pair);
                let value = self.name(&mut parts)?;
                let fields = parts.all(Rule::name).map(|pair| self.name_of(&pair)).collect();
                ExprKind::Member { value, fields }
            }
            Rule::paren => {
                let inner = Parts::of(pair).next(Rule::filtered)?;
                ExprKind::Paren(Box::new(self.filtered(inner)?))
            }
            Rule::list => {
                let mut parts = Parts::of(pair);
                ExprKind::List(parts.all(Rule::filtered).filter_map(|part| self.filtered(part)).collect())
            }
            Rule::if_expr => {
                let mut parts = Parts::of(pair);
                ExprKind::If {
                    condition: Box::new(self.expr(&mut parts)?),
                    then: Box::new(self.expr(&mut parts)?),
                    otherwise: Box::new(self.expr(&mut parts)?),
                }
            }
            Rule::call => {
                let mut parts = Parts::of(pair);
                let function = self.name(&mut parts)?;
                let arguments = parts.all(Rule::argument).filter_map(|part| self.argument(part)).collect();
                ExprKind::Call { function, arguments }
            }
            _ => return None,
        };
        Some(Expr { kind, span })
    }

    fn argument(&mut self, pair: Pair<'_, Rule>) -> Option<Argument> {
        let inner = pair.into_inner().next()?;
        if inner.as_rule() == Rule::filtered {
            return Some(Argument { name: None, value: self.filtered(inner)? });
        }
        let mut parts = Parts::of(inner);
        let name = parts.next(Rule::word).map(|pair| self.name_of(&pair));
        Some(Argument { name, value: self.filtered(parts.next(Rule::filtered)?)? })
    }
}

fn binary_operator(rule: Rule) -> Option<BinaryOperator> {
    Some(match rule {
        Rule::or => BinaryOperator::Or,
        Rule::and => BinaryOperator::And,
        Rule::equal => BinaryOperator::Equal,
        Rule::not_equal => BinaryOperator::NotEqual,
        Rule::less => BinaryOperator::Less,
        Rule::less_or_equal => BinaryOperator::LessOrEqual,
        Rule::greater => BinaryOperator::Greater,
        Rule::greater_or_equal => BinaryOperator::GreaterOrEqual,
        Rule::coalesce => BinaryOperator::Coalesce,
        Rule::add => BinaryOperator::Add,
        Rule::subtract => BinaryOperator::Subtract,
        Rule::multiply => BinaryOperator::Multiply,
        Rule::divide => BinaryOperator::Divide,
        Rule::remainder => BinaryOperator::Remainder,
        _ => return None,
    })
}
