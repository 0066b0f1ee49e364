//! A metric as the `#[metric]` function that says the same in Rust.
//!
//! The other direction, from Rust tokens to text, is in `metricc-codegen`; together they are how tests push
//! whatever has been written in one spelling through the other door.

use std::fmt::Write as _;

use crate::ast::{
    BinaryOperator, Clause, ClauseKind, Every, Expr, ExprKind, KeyItem, MetricItem, MetricValue, Number,
    UnaryOperator,
};
use metricc_ir::expression_text;
use metricc_ir::functions::{self, AggregateSpec, Param};
use metricc_ir::{Calendar, Package};

/// The function, with `event` as the type of its events. `package` is what the names in it stand for.
pub(crate) fn metric(metric: &MetricItem, package: &Package, event: &str) -> String {
    if package.derived.iter().any(|derived| derived.name == metric.name.text) {
        return of_metrics(metric, package);
    }
    let own = package.imports.iter().filter(|import| import.is_aggregate);
    let mut printer = Printer {
        calendars: &package.calendars,
        own: own.map(|import| import.name.as_str()).collect(),
        names: Vec::new(),
        row: "p".to_owned(),
    };
    let mut text = String::new();
    for line in metric.doc.lines() {
        let _ = writeln!(text, "/// {line}");
    }
    let _ = writeln!(text, "#[metric]\nfn {}(events: Events<{event}>) -> Metric {{", raw(&metric.name.text));
    let _ = write!(text, "    events");
    let clauses = metric.body.as_deref().unwrap_or_default();
    clauses.iter().for_each(|clause| printer.step(clause, &mut text));
    let _ = write!(text, "\n        .aggregate(|e| ");
    match &metric.value {
        MetricValue::Plain(value) => text.push_str(&printer.output(value)),
        MetricValue::Record { fields, .. } => {
            let fields =
                fields.iter().map(|(name, value)| format!("{}: {}", raw(&name.text), printer.output(value)));
            let _ = write!(text, "Value {{ {} }}", fields.collect::<Vec<_>>().join(", "));
        }
    }
    for clause in clauses {
        if let ClauseKind::Unit(unit) = &clause.kind {
            let _ = write!(text, ")\n        .unit({unit:?}");
        }
    }
    text.push_str(")\n}\n");
    text
}

/// The function of a metric that is made of metrics.
fn of_metrics(metric: &MetricItem, package: &Package) -> String {
    let printer =
        Printer { calendars: &package.calendars, own: Vec::new(), names: Vec::new(), row: String::new() };
    let values: Vec<(Option<&str>, &Expr)> = match &metric.value {
        MetricValue::Plain(value) => vec![(None, value)],
        MetricValue::Record { fields, .. } => {
            fields.iter().map(|(name, value)| (Some(name.text.as_str()), value)).collect()
        }
    };
    let known: Vec<String> = package.all_metrics().map(|metric| metric.name().to_owned()).collect();
    let printer = Printer { names: known, ..printer };
    let texts = values.iter().map(|(name, value)| match name {
        Some(name) => format!("{}: {}", raw(name), printer.of_metrics(value)),
        None => printer.of_metrics(value),
    });
    let value = texts.collect::<Vec<_>>().join(", ");
    let value = match &metric.value {
        MetricValue::Plain(_) => format!("({value})"),
        MetricValue::Record { .. } => format!("Value {{ {value} }}"),
    };
    let words = value.split(|letter: char| !(letter.is_alphanumeric() || letter == '_' || letter == '#'));
    let words: std::collections::BTreeSet<&str> = words.collect();
    let parameters = printer.names.iter().filter(|name| words.contains(raw(name).as_str()));
    let parameters: Vec<String> = parameters.map(|name| format!("{}: Metric", raw(name))).collect();
    let mut text = String::new();
    for line in metric.doc.lines() {
        let _ = writeln!(text, "/// {line}");
    }
    let name = raw(&metric.name.text);
    let _ = write!(text, "#[metric]\nfn {name}({}) -> Metric {{\n    {value}", parameters.join(", "));
    for clause in metric.body.iter().flatten() {
        let step = match &clause.kind {
            ClauseKind::By(keys) => {
                let keys: Vec<String> = keys.iter().map(|key| format!("k.{}", raw(&key_name(key)))).collect();
                format!("key_by(|k| ({}))", keys.join(", "))
            }
            ClauseKind::Every { .. } => printer.every(&clause.kind),
            ClauseKind::Unit(unit) => format!("unit({unit:?})"),
            _ => continue,
        };
        let _ = write!(text, "\n        .{step}");
    }
    text.push_str("\n}\n");
    text
}

/// The name of a key that is one of a metric.
fn key_name(key: &KeyItem) -> String {
    match &key.value.bare().kind {
        ExprKind::Name(name) => name.clone(),
        _ => String::new(),
    }
}

struct Printer<'a> {
    calendars: &'a [(String, Calendar)],
    /// Imported aggregates.
    own: Vec<&'a str>,
    /// Elements and `let`s; all other names are fields.
    names: Vec<String>,
    /// The parameter of a closure: the event, or a tuple of it and what was added to it.
    row: String,
}

impl Printer<'_> {
    fn step(&mut self, clause: &Clause, text: &mut String) {
        let row = self.row.clone();
        let step = match &clause.kind {
            ClauseKind::From(_) | ClauseKind::Unit(_) => return,
            ClauseKind::Over { length, step } => {
                let step = step.as_ref().map_or_else(String::new, |step| format!(", {}", self.expr(step)));
                format!("over_last({}{step})", self.expr(length))
            }
            ClauseKind::Session { gap } => format!("session({})", self.expr(gap)),
            ClauseKind::Each { name, list } => {
                let step = format!("flat_map(|{row}| {})", self.expr(list));
                self.names.push(name.text.clone());
                self.row = format!("({row}, {})", raw(&name.text));
                step
            }
            ClauseKind::Let { name, value } => {
                let step = format!("map(|{row}| ({row}, {}))", self.expr(value));
                self.names.push(name.text.clone());
                self.row = format!("({row}, {})", raw(&name.text));
                step
            }
            ClauseKind::Lookup { name, table, keys } => {
                let values: Vec<String> = keys.iter().map(|key| self.expr(key)).collect();
                let values = if let [only] = values.as_slice() {
                    only.clone()
                } else {
                    format!("({})", values.join(", "))
                };
                let step = format!("lookup::<{}>(|{row}| {values})", type_name(&table.text));
                self.names.push(name.text.clone());
                self.row = format!("({row}, {})", raw(&name.text));
                step
            }
            ClauseKind::Where(condition) => format!("filter(|{row}| {})", self.expr(condition)),
            ClauseKind::By(keys) => {
                let keys: Vec<String> = keys.iter().map(|key| self.key(key)).collect();
                format!("key_by(|{row}| Key {{ {} }})", keys.join(", "))
            }
            ClauseKind::Every { .. } => self.every(&clause.kind),
        };
        let _ = write!(text, "\n        .{step}");
    }

    fn every(&self, clause: &ClauseKind) -> String {
        let ClauseKind::Every { every, calendar } = clause else { return String::new() };
        let calendar = calendar.as_ref().map(|name| name.text.as_str());
        match every {
            Every::Duration(width) => format!("every({})", self.expr(width)),
            Every::Word(unit) => format!("every({})", self.unit(&unit.text, calendar)),
        }
    }

    /// An expression over metrics.
    fn of_metrics(&self, expr: &Expr) -> String {
        let ExprKind::Offset { value, length, unit, .. } = &expr.kind else {
            return self.spelled(expr, &|inner| self.of_metrics(inner));
        };
        let length = self.expr(length);
        let length = match unit {
            Some(unit) => format!("{}s({length})", unit.text.trim_end_matches('s')),
            None => length,
        };
        format!("{}.offset({length})", self.of_metrics(value))
    }

    fn key(&self, key: &KeyItem) -> String {
        let name = match (&key.name, &key.value.bare().kind) {
            (Some(name), _) => name.text.as_str(),
            (None, ExprKind::Name(name)) => name,
            (None, ExprKind::Member { fields, .. }) => fields.last().map_or("key", |field| &field.text),
            _ => "key",
        };
        format!("{}: {}", raw(name), self.expr(&key.value))
    }

    /// `day("Asia/Kolkata")`
    fn unit(&self, unit: &str, calendar: Option<&str>) -> String {
        let (zone, week) = self.calendar(calendar);
        match week {
            Some(start) if unit == "week" => format!("week_from({zone:?}, {start:?})"),
            Some(start) => format!("{unit}({zone:?}).weeks_from({start:?})"),
            _ => format!("{unit}({zone:?})"),
        }
    }

    /// Zone, and first day of the week unless that is Monday.
    fn calendar(&self, name: Option<&str>) -> (String, Option<&str>) {
        let calendar = self.calendars.iter().find(|(known, _)| Some(known.as_str()) == name);
        calendar.map_or_else(Default::default, |(_, calendar)| {
            (calendar.zone.clone(), expression_text::week_start(calendar))
        })
    }

    /// An expression over aggregates.
    fn output(&self, expr: &Expr) -> String {
        match &expr.kind {
            ExprKind::Where { value, condition, .. } => self.aggregate(value, Some(condition)),
            ExprKind::Call { function, arguments }
                if functions::is_aggregate(&function.text, arguments.len())
                    || self.own.contains(&function.text.as_str()) =>
            {
                self.aggregate(expr, None)
            }
            ExprKind::Paren(inner) => format!("({})", self.output(inner)),
            _ => self.spelled(expr, &|inner| self.output(inner)),
        }
    }

    fn aggregate(&self, value: &Expr, condition: Option<&Expr>) -> String {
        let ExprKind::Call { function, arguments } = &value.bare().kind else { return self.output(value) };
        let row = &self.row;
        let filter = condition
            .map_or_else(String::new, |condition| format!(".filter(|{row}| {})", self.expr(condition)));
        if self.own.contains(&function.text.as_str()) {
            let values: Vec<String> = arguments.iter().map(|argument| self.expr(&argument.value)).collect();
            return format!(
                "e{filter}.user_defined({}, |{row}| ({},))",
                type_name(&function.text),
                values.join(", ")
            );
        }
        let spec = functions::aggregate(&function.text);
        let of_row = |value: &Expr| format!("|{row}| {}", self.expr(value));
        let mut behind = String::new();
        let mut all = Vec::new();
        for (place, argument) in arguments.iter().enumerate() {
            let value = &argument.value;
            match (&argument.name, &value.bare().kind) {
                (Some(_), ExprKind::Percent(share)) => {
                    behind = format!(".within({})", number_text(hundredth(*share)));
                }
                (Some(_), ExprKind::Duration { text, .. }) => behind = format!(".within({text})"),
                (Some(_), ExprKind::Call { function: weight, arguments })
                    if spec.and_then(AggregateSpec::named) == Some(&Param::Ranking) =>
                {
                    if let ("sum", [of]) = (weight.text.as_str(), arguments.as_slice()) {
                        behind = format!(".by_sum({})", of_row(&of.value));
                    }
                }
                _ if spec.and_then(|spec| spec.params.get(place)).is_some_and(Param::is_literal) => {
                    all.push(self.expr(value));
                }
                (_, ExprKind::Number(number)) => all.push(number_text(*number)),
                _ => all.push(of_row(value)),
            }
        }
        let has_steps =
            spec.is_some_and(|spec| spec.params.iter().any(|param| matches!(param, Param::Steps(_))));
        if has_steps && !all.is_empty() {
            // The steps are one closure's array.
            let head = format!("|{row}| ");
            let steps: Vec<&str> =
                all[1..].iter().map(|step| step.trim_start_matches(head.as_str())).collect();
            let steps = format!("{head}[{}]", steps.join(", "));
            all = vec![all[0].clone(), steps];
        }
        format!("e{filter}.{}({}){behind}", raw(&function.text), all.join(", "))
    }

    /// An expression over a row.
    fn expr(&self, expr: &Expr) -> String {
        self.spelled(expr, &|inner| self.expr(inner))
    }

    fn spelled(&self, expr: &Expr, inner: &dyn Fn(&Expr) -> String) -> String {
        match &expr.kind {
            ExprKind::Name(name) if self.names.contains(name) => raw(name),
            ExprKind::Name(name) => format!("p.{}", raw(name)),
            ExprKind::Number(number) => number_text(*number),
            ExprKind::Duration { text, .. } => text.clone(),
            ExprKind::String(text) => format!("{text:?}"),
            ExprKind::Bool(value) => value.to_string(),
            ExprKind::None => "None".to_owned(),
            ExprKind::Paren(nested) => format!("({})", inner(nested)),
            // Without a calendar, a unit is one of UTC.
            ExprKind::Call { function, arguments }
                if functions::is_width(&function.text, 1) && arguments.len() == 2 =>
            {
                let name = &function.text;
                match &arguments[1].value.bare().kind {
                    ExprKind::Name(unit) => {
                        format!("{name}({}, {unit}(\"UTC\"))", inner(&arguments[0].value))
                    }
                    _ => format!("{name}({}, {})", inner(&arguments[0].value), inner(&arguments[1].value)),
                }
            }
            ExprKind::Call { function, arguments } => {
                let arguments: Vec<String> =
                    arguments.iter().map(|argument| inner(&argument.value)).collect();
                format!("{}({})", raw(&function.text), arguments.join(", "))
            }
            ExprKind::Unary { operator: UnaryOperator::Not, operand } => format!("!({})", inner(operand)),
            ExprKind::Unary { operator: UnaryOperator::Negate, operand } => format!("-({})", inner(operand)),
            ExprKind::Binary { operator, left, right, .. } => binary(*operator, left, right, inner),
            ExprKind::In { value, negated, choices } => {
                let choices: Vec<String> = choices.iter().map(inner).collect();
                let found = format!("[{}].contains(&({}))", choices.join(", "), inner(value));
                if *negated { format!("!({found})") } else { found }
            }
            ExprKind::InCalendar { value, calendar } => self.in_calendar(value, &calendar.text, inner),
            ExprKind::If { condition, then, otherwise } => {
                format!("if {} {{ {} }} else {{ {} }}", inner(condition), inner(then), inner(otherwise))
            }
            ExprKind::List(elements) => {
                let elements: Vec<String> = elements.iter().map(inner).collect();
                format!("[{}]", elements.join(", "))
            }
            ExprKind::Where { value, .. } | ExprKind::Offset { value, .. } => inner(value),
            ExprKind::Member { value, fields } => {
                let of_row = if self.names.contains(&value.text) { "" } else { "p." };
                let fields = fields.iter().map(|field| format!(".{}", raw(&field.text)));
                format!("{of_row}{}{}", raw(&value.text), fields.collect::<String>())
            }
            ExprKind::Percent(share) => number_text(hundredth(*share)),
            ExprKind::Poisoned => String::new(),
        }
    }

    /// `hour(at) in india` as `hour_in(p.at, "Asia/Kolkata")`.
    fn in_calendar(&self, value: &Expr, calendar: &str, inner: &dyn Fn(&Expr) -> String) -> String {
        let ExprKind::Call { function, arguments } = &value.bare().kind else { return inner(value) };
        let first = arguments.first().map(|argument| inner(&argument.value)).unwrap_or_default();
        match arguments.get(1).map(|argument| &argument.value.kind) {
            Some(ExprKind::Name(unit)) => {
                format!("{}({first}, {})", function.text, self.unit(unit, Some(calendar)))
            }
            _ => format!("{}_in({first}, {:?})", function.text, self.calendar(Some(calendar)).0),
        }
    }
}

fn binary(operator: BinaryOperator, left: &Expr, right: &Expr, inner: &dyn Fn(&Expr) -> String) -> String {
    let is_none = |expr: &Expr| matches!(expr.bare().kind, ExprKind::None);
    let test = match operator {
        BinaryOperator::Equal => Some("is_none"),
        BinaryOperator::NotEqual => Some("is_some"),
        _ => None,
    };
    match (operator, test) {
        (BinaryOperator::Coalesce, _) => format!("({}).unwrap_or({})", inner(left), inner(right)),
        (_, Some(test)) if is_none(right) && !is_none(left) => format!("({}).{test}()", inner(left)),
        (_, Some(test)) if is_none(left) && !is_none(right) => format!("({}).{test}()", inner(right)),
        (BinaryOperator::And, _) => format!("({}) && ({})", inner(left), inner(right)),
        (BinaryOperator::Or, _) => format!("({}) || ({})", inner(left), inner(right)),
        _ => format!("({}) {} ({})", inner(left), operator.text(), inner(right)),
    }
}

/// `geometric_mean` as `GeometricMean`.
fn type_name(name: &str) -> String {
    let words = name.split('_').filter(|word| !word.is_empty());
    words.map(|word| format!("{}{}", word[..1].to_ascii_uppercase(), &word[1..])).collect()
}

fn hundredth(percent: Number) -> Number {
    Number { scale: percent.scale + 2, point: true, ..percent }
}

fn number_text(number: Number) -> String {
    let scale = usize::from(number.scale);
    let digits = format!("{:0width$}", number.digits, width = scale + 1);
    let (whole, fraction) = digits.split_at(digits.len() - scale);
    if number.point { format!("{whole}.{fraction}") } else { whole.to_owned() }
}

/// Keywords of Rust that are names in the language.
const KEYWORDS: [&str; 44] = [
    "abstract", "async", "await", "become", "box", "break", "const", "continue", "do", "dyn", "enum",
    "extern", "final", "fn", "for", "gen", "impl", "let", "loop", "macro", "match", "mod", "move", "mut",
    "override", "priv", "pub", "ref", "return", "static", "struct", "trait", "try", "type", "typeof",
    "unsafe", "unsized", "use", "virtual", "while", "where", "yield", "in", "as",
];

fn raw(name: &str) -> String {
    if KEYWORDS.contains(&name) { format!("r#{name}") } else { name.to_owned() }
}
