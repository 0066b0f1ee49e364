//! The syntax tree of a metric as text, for `metricc explain METRIC --stage syntax`: the text as written,
//! before names and types are resolved.

use crate::ast::{Clause, ClauseKind, Every, Expr, ExprKind, MetricItem, MetricValue, Number, UnaryOperator};
use metricc_ir::explain::Node;

/// The tree of a parsed metric.
pub(crate) fn metric(item: &MetricItem) -> Node {
    let mut node = Node::new("metric").with("name", &item.name.text);
    node = match &item.value {
        MetricValue::Plain(value) => node.child(expr(value)),
        MetricValue::Record { fields, .. } => node.child(Node::new("record").children(
            fields.iter().map(|(name, value)| Node::new("field").with("name", &name.text).child(expr(value))),
        )),
    };
    node.children(item.body.iter().flatten().map(clause))
}

fn clause(clause: &Clause) -> Node {
    match &clause.kind {
        ClauseKind::From(name) => Node::new("from").with("source", &name.text),
        ClauseKind::Each { name, list } => Node::new("each").with("name", &name.text).child(expr(list)),
        ClauseKind::Let { name, value } => Node::new("let").with("name", &name.text).child(expr(value)),
        ClauseKind::Lookup { name, table, keys } => Node::new("lookup")
            .with("name", &name.text)
            .with("table", &table.text)
            .children(keys.iter().map(expr)),
        ClauseKind::Where(condition) => Node::new("where").child(expr(condition)),
        ClauseKind::By(keys) => Node::new("by").children(keys.iter().map(|key| {
            let node = Node::new("key");
            let node = match &key.name {
                Some(name) => node.with("as", &name.text),
                None => node,
            };
            node.child(expr(&key.value))
        })),
        ClauseKind::Every { every, calendar } => {
            let node = match every {
                Every::Duration(width) => Node::new("every").child(expr(width)),
                Every::Word(word) => Node::new("every").with("unit", &word.text),
            };
            match calendar {
                Some(calendar) => node.with("in", &calendar.text),
                None => node,
            }
        }
        ClauseKind::Unit(unit) => Node::new("unit").with("label", unit),
        ClauseKind::Over { length, step } => {
            let step = step.iter().map(|step| Node::new("step").child(expr(step)));
            Node::new("over").child(expr(length)).children(step)
        }
        ClauseKind::Session { gap } => Node::new("session").child(expr(gap)),
    }
}

fn number(number: Number) -> String {
    let digits = format!("{:0>1$}", number.digits, usize::from(number.scale) + 1);
    let (whole, fraction) = digits.split_at(digits.len() - usize::from(number.scale));
    if number.point { format!("{whole}.{fraction}") } else { whole.to_owned() }
}

fn expr(tree: &Expr) -> Node {
    match &tree.kind {
        ExprKind::Name(name) => Node::new("name").with("is", name),
        ExprKind::Number(value) => Node::new("number").with("is", number(*value)),
        ExprKind::Duration { text, .. } => Node::new("duration").with("is", text),
        ExprKind::Percent(value) => Node::new("percent").with("is", number(*value)),
        ExprKind::String(text) => Node::new("string").with("is", format!("{text:?}")),
        ExprKind::Bool(value) => Node::new("bool").with("is", value),
        ExprKind::None => Node::new("none"),
        ExprKind::List(elements) => Node::new("list").children(elements.iter().map(expr)),
        ExprKind::Call { function, arguments } => Node::new("call")
            .with("function", &function.text)
            .children(arguments.iter().map(|argument| match &argument.name {
                Some(name) => Node::new("argument").with("name", &name.text).child(expr(&argument.value)),
                None => expr(&argument.value),
            })),
        ExprKind::Unary { operator, operand } => {
            let name = match operator {
                UnaryOperator::Not => "not",
                UnaryOperator::Negate => "-",
            };
            Node::new(name).child(expr(operand))
        }
        ExprKind::Binary { operator, left, right, .. } => {
            Node::new(operator.text()).child(expr(left)).child(expr(right))
        }
        ExprKind::In { value, negated, choices } => Node::new(if *negated { "not in" } else { "in" })
            .child(expr(value))
            .children(choices.iter().map(expr)),
        ExprKind::InCalendar { value, calendar } => {
            Node::new("in calendar").with("calendar", &calendar.text).child(expr(value))
        }
        ExprKind::If { condition, then, otherwise } => {
            Node::new("if").child(expr(condition)).child(expr(then)).child(expr(otherwise))
        }
        ExprKind::Where { value, condition, .. } => {
            Node::new("where").child(expr(value)).child(expr(condition))
        }
        ExprKind::Offset { value, length, unit, .. } => {
            let unit = unit.iter().map(|unit| Node::new(&unit.text));
            Node::new("offset").children([expr(value), expr(length)].into_iter().chain(unit))
        }
        ExprKind::Member { value, fields } => {
            let fields = fields.iter().map(|field| format!(".{}", field.text));
            Node::new(format!("{}{}", value.text, fields.collect::<String>()))
        }
        ExprKind::Paren(inner) => Node::new("paren").child(expr(inner)),
        ExprKind::Poisoned => Node::new("unreadable"),
    }
}
