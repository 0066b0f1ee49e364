//! Typed expressions as text that reads like the language, for people: explanations, plans, messages.

use std::fmt::Write as _;

use crate::calendar::{date_text, instant_text};
use crate::functions::Param;
use crate::text::number::decimal_text;
use crate::{Aggregate, AggregateOp, Calendar, CalendarUnit, Expr, ExprKind, Func, Kind, Value, Window};

/// An expression, with the names that `column` gives to the columns of its scope.
///
/// Casts are shown as `type(x)`; operators are in parentheses wherever they could be misread.
pub fn expression(expr: &Expr, column: &dyn Fn(usize) -> String) -> String {
    match &expr.kind {
        ExprKind::Column(index) => column(*index),
        ExprKind::Literal(value) => self::value(value, &expr.ty.kind),
        ExprKind::Call(func, arguments) => call(func, arguments, expr, column),
    }
}

/// An aggregate with its argument and filter, with the names that `row` gives to the columns of the row
/// scope.
pub fn aggregate(aggregate: &Aggregate, row: &dyn Fn(usize) -> String) -> String {
    let mut values = aggregate.args.iter().map(|arg| expression(arg, row));
    let kind = aggregate.args.first().map_or(&Kind::Int, |arg| &arg.ty.kind);
    let mut arguments: Vec<String> = Vec::new();
    for param in aggregate.op.spec().map_or(&[][..], |spec| spec.params) {
        match param {
            Param::Value(_) | Param::Alike(_) | Param::By(_) => arguments.extend(values.next()),
            Param::Steps(_) => arguments.extend(&mut values),
            Param::Ranking => arguments.extend(values.next().map(|by| format!("by: sum({by})"))),
            literal => arguments.extend(self::literal(literal, &aggregate.op, kind)),
        }
    }
    arguments.extend(values);
    let call = format!("{}({})", aggregate.op.name(), arguments.join(", "));
    match &aggregate.filter {
        Some(filter) => format!("{call} where {}", expression(filter, row)),
        None => call,
    }
}

/// A parameter of an operation over values of a kind; `None` if it is left out.
fn literal(param: &Param, op: &AggregateOp, kind: &Kind) -> Option<String> {
    Some(match (param, op) {
        (Param::Within { .. }, op) => format!("within: {}%", f64::from(op.error_ppm()?) / 10_000.0),
        (Param::Time { .. }, AggregateOp::Funnel { within }) => format!("within: {}", duration(*within)),
        (Param::Quantile, AggregateOp::Quantile { q_ppb, .. } | AggregateOp::ExactQuantile { q_ppb }) => {
            format!("{}", f64::from(*q_ppb) / 1_000_000_000.0)
        }
        (Param::Edges(_), AggregateOp::Histogram { edges }) => {
            let edges: Vec<String> = edges.iter().map(|edge| value(edge, kind)).collect();
            format!("[{}]", edges.join(", "))
        }
        (
            Param::Count { .. },
            AggregateOp::Top { k: count } | AggregateOp::Retention { n_periods: count },
        ) => count.to_string(),
        (Param::Item, AggregateOp::Frequency { item, .. }) => value(item, kind),
        _ => return None,
    })
}

/// A constant of a kind, as the language writes it.
pub fn value(value: &Value, kind: &Kind) -> String {
    match (value, kind) {
        (Value::None, _) => "none".to_owned(),
        (Value::Bool(value), _) => value.to_string(),
        (Value::Int(value), _) => value.to_string(),
        (Value::Decimal(digits), Kind::Decimal { scale, .. }) => decimal_text(*digits, usize::from(*scale)),
        (Value::Decimal(digits), _) => digits.to_string(),
        (Value::Float(value), _) => format!("{value:?}"),
        (Value::String(text), _) => format!("{text:?}"),
        (Value::Enum(place), Kind::Enum(names)) => {
            let name = usize::try_from(*place).ok().and_then(|place| names.get(place));
            name.map_or_else(|| format!("#{place}"), |name| format!("{name:?}"))
        }
        (Value::Enum(place), _) => format!("#{place}"),
        (Value::Date(days), _) => format!("{:?}", date_text(i64::from(*days))),
        (Value::Timestamp(micros), _) => format!("{:?}", instant_text(*micros, None)),
        (Value::Duration(micros), _) => duration(*micros),
        (Value::List(values), Kind::List(element)) => {
            let texts: Vec<String> = values.iter().map(|value| self::value(value, &element.kind)).collect();
            format!("[{}]", texts.join(", "))
        }
        (Value::List(values), _) => format!("[{} values]", values.len()),
        (Value::Record(values), Kind::Record(fields)) => {
            let texts = fields
                .iter()
                .zip(values)
                .map(|(field, value)| format!("{}: {}", field.name, self::value(value, &field.ty.kind)));
            format!("{{ {} }}", texts.collect::<Vec<_>>().join(", "))
        }
        (Value::Record(values), _) => format!("{{{} values}}", values.len()),
    }
}

/// µs as a duration of the largest unit that divides it.
pub fn duration(micros: i64) -> String {
    const UNITS: [(i64, &str); 5] =
        [(3_600_000_000, "h"), (60_000_000, "m"), (1_000_000, "s"), (1_000, "ms"), (1, "us")];
    let fitting = UNITS.iter().find(|(size, _)| micros % size == 0);
    let (size, unit) = fitting.copied().unwrap_or((1, "us"));
    format!("{}{unit}", micros / size)
}

/// A window, as the language writes it; a calendar by its zone.
pub fn window(window: &Window) -> String {
    match window {
        Window::AllTime => "all time".to_owned(),
        Window::Tumbling(width) => format!("every {}", duration(*width)),
        Window::Calendar(unit, calendar) => {
            format!("every {} in {}", unit_name(*unit), self::calendar(calendar))
        }
        Window::Sliding { length, step } => {
            format!("over last {} step {}", duration(*length), duration(*step))
        }
        Window::Session { gap } => format!("session gap {}", duration(*gap)),
    }
}

/// A calendar by what it means: its zone, and its first day of the week unless that is Monday.
pub fn calendar(calendar: &Calendar) -> String {
    match week_start(calendar) {
        Some(day) => format!("{} (week {day})", calendar.zone),
        None => calendar.zone.clone(),
    }
}

/// The days of the week, from the first (Monday) on.
pub const WEEKDAYS: [&str; 7] =
    ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];

/// The day of the week that a word names: 1 (Monday) to 7 (Sunday).
pub fn weekday(word: &str) -> Option<u8> {
    let place = WEEKDAYS.iter().position(|day| *day == word)?;
    u8::try_from(place + 1).ok()
}

/// The first day of its weeks, unless that is Monday.
pub fn week_start(calendar: &Calendar) -> Option<&'static str> {
    let place = usize::from(calendar.week_start).checked_sub(1).filter(|place| *place > 0)?;
    WEEKDAYS.get(place).copied()
}

/// `day`, `week` and so on.
pub fn unit_name(unit: CalendarUnit) -> &'static str {
    match unit {
        CalendarUnit::Day => "day",
        CalendarUnit::Week => "week",
        CalendarUnit::Month => "month",
        CalendarUnit::Quarter => "quarter",
        CalendarUnit::Year => "year",
    }
}

/// The words that name a calendar's units.
pub const CALENDAR_UNITS: [&str; 5] = ["day", "week", "month", "quarter", "year"];

/// The unit that a word names.
pub fn calendar_unit(word: &str) -> Option<CalendarUnit> {
    Some(match word {
        "day" => CalendarUnit::Day,
        "week" => CalendarUnit::Week,
        "month" => CalendarUnit::Month,
        "quarter" => CalendarUnit::Quarter,
        "year" => CalendarUnit::Year,
        _ => return None,
    })
}

/// How tight an operator binds; `None` for functions.
fn binding(expr: &Expr) -> Option<u8> {
    let ExprKind::Call(func, arguments) = &expr.kind else { return None };
    operator(func, arguments.len()).map(|(_, binding)| binding)
}

fn operator(func: &Func, n_arguments: usize) -> Option<(&'static str, u8)> {
    Some(match func {
        Func::Or => ("or", 1),
        Func::And => ("and", 2),
        Func::Not => ("not ", 3),
        Func::Eq => ("==", 4),
        Func::Ne => ("!=", 4),
        Func::Lt => ("<", 4),
        Func::Le => ("<=", 4),
        Func::Gt => (">", 4),
        Func::Ge => (">=", 4),
        Func::In => ("in", 4),
        Func::Add => ("+", 5),
        Func::Sub => ("-", 5),
        Func::Mul => ("*", 6),
        Func::Div | Func::Ratio => ("/", 6),
        Func::Rem => ("%", 6),
        Func::Neg => ("-", 7),
        Func::Coalesce if n_arguments == 2 => ("??", 8),
        Func::If => ("if", 0),
        _ => return None,
    })
}

fn call(func: &Func, arguments: &[Expr], whole: &Expr, column: &dyn Fn(usize) -> String) -> String {
    let text = |argument: &Expr| expression(argument, column);
    // An operand stands in parentheses unless it binds tighter.
    let operand = |argument: &Expr, own: u8, left: bool| {
        let inner = binding(argument);
        let is_safe = inner.is_none_or(|inner| inner > own || (left && inner == own && own != 4));
        if is_safe { text(argument) } else { format!("({})", text(argument)) }
    };
    match (operator(func, arguments.len()), arguments) {
        (Some((symbol, own)), [only]) => format!("{symbol}{}", operand(only, own, true)),
        (Some((_, _)), [condition, then, otherwise]) if *func == Func::If => {
            format!("if {} then {} else {}", text(condition), text(then), operand(otherwise, 0, true))
        }
        (Some((symbol, own)), [value, choices @ ..]) if *func == Func::In => {
            format!("{} {symbol} ({})", operand(value, own, true), list(choices, column))
        }
        (Some((symbol, own)), [left, right]) => {
            format!("{} {symbol} {}", operand(left, own, true), operand(right, own, false))
        }
        _ => function(func, arguments, whole, column),
    }
}

fn list(arguments: &[Expr], column: &dyn Fn(usize) -> String) -> String {
    let texts: Vec<String> = arguments.iter().map(|argument| expression(argument, column)).collect();
    texts.join(", ")
}

fn function(func: &Func, arguments: &[Expr], whole: &Expr, column: &dyn Fn(usize) -> String) -> String {
    let mut text = list(arguments, column);
    let (name, suffix) = match func {
        Func::Cast => (whole.ty.kind.to_string(), String::new()),
        Func::Matches(pattern) => {
            let _ = write!(text, ", {pattern:?}");
            ("matches".to_owned(), String::new())
        }
        Func::Round(digits) => {
            let _ = write!(text, ", {digits}");
            ("round".to_owned(), String::new())
        }
        Func::Part(_, zone) | Func::DateIn(zone) => (function_name(func).to_owned(), format!(" in {zone}")),
        Func::TruncateTo(width) => {
            let _ = write!(text, ", {}", duration(*width));
            ("truncate".to_owned(), String::new())
        }
        Func::TruncateIn(unit, calendar) => {
            let _ = write!(text, ", {}", unit_name(*unit));
            ("truncate".to_owned(), format!(" in {}", self::calendar(calendar)))
        }
        Func::Field(index) => return format!("{text}.{}", field_name(arguments, *index)),
        Func::PeriodTo(width) => {
            let _ = write!(text, ", {}", duration(*width));
            ("period".to_owned(), String::new())
        }
        Func::PeriodIn(unit, calendar) => {
            let _ = write!(text, ", {}", unit_name(*unit));
            ("period".to_owned(), format!(" in {}", self::calendar(calendar)))
        }
        Func::Lookup(lookup) => return format!("{}[{text}].{}", lookup.table().name, lookup.column().name),
        Func::UserDefined(import) => (import.name.clone(), String::new()),
        other => (function_name(other).to_owned(), String::new()),
    };
    format!("{name}({text}){suffix}")
}

/// The name of a field of the record that the first argument is.
fn field_name(arguments: &[Expr], index: usize) -> &str {
    let record = arguments.first().and_then(|record| match &record.ty.kind {
        Kind::Record(fields) => fields.get(index),
        _ => None,
    });
    record.map_or("?", |field| &field.name)
}

fn function_name(func: &Func) -> &'static str {
    match func {
        Func::Coalesce => "coalesce",
        Func::Lost => "lost",
        // Operators have their own text, unless they have more operands than they are written with.
        other => match other.spec() {
            Some(spec) => spec.name,
            None => operator(other, 2).map_or("call", |(symbol, _)| symbol),
        },
    }
}
