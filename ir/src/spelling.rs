//! Typed expressions as text that reads like the language, for people: explanations, plans, messages.

use std::fmt::Write as _;

use crate::calendar::{date_text, instant_text};
use crate::text::number::decimal_text;
use crate::{
    Aggregate, AggregateOp, Calendar, CalendarUnit, Expr, ExprKind, Func, Kind, Part, Value, Window,
};

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

/// An aggregate with its argument and filter, with the names that `row` gives to the columns of the row scope.
pub fn aggregate(aggregate: &Aggregate, row: &dyn Fn(usize) -> String) -> String {
    let mut arguments: Vec<String> = aggregate.args.iter().map(|arg| expression(arg, row)).collect();
    let kind = aggregate.args.first().map_or(&Kind::Int, |arg| &arg.ty.kind);
    let percent = |ppm: u32| format!("within: {}%", f64::from(ppm) / 10_000.0);
    let name = match &aggregate.op {
        AggregateOp::Count => "count",
        AggregateOp::Sum => "sum",
        AggregateOp::Mean => "mean",
        AggregateOp::Min => "min",
        AggregateOp::Max => "max",
        AggregateOp::Variance => "variance",
        AggregateOp::Stddev => "stddev",
        AggregateOp::Any => "any",
        AggregateOp::All => "all",
        AggregateOp::Distinct => "distinct",
        AggregateOp::DistinctWithin { error_ppm } => {
            arguments.push(percent(*error_ppm));
            "distinct"
        }
        AggregateOp::Quantile { q_ppb, error_ppm } => {
            arguments.push(format!("{}", f64::from(*q_ppb) / 1_000_000_000.0));
            arguments.push(percent(*error_ppm));
            "quantile"
        }
        AggregateOp::ExactQuantile { q_ppb } => {
            arguments.push(format!("{}", f64::from(*q_ppb) / 1_000_000_000.0));
            "quantile"
        }
        AggregateOp::First => "first",
        AggregateOp::Last => "last",
        AggregateOp::ArgMin => "arg_min",
        AggregateOp::ArgMax => "arg_max",
        AggregateOp::Skewness => "skewness",
        AggregateOp::Kurtosis => "kurtosis",
        AggregateOp::Covariance => "covariance",
        AggregateOp::Correlation => "correlation",
        AggregateOp::Slope => "slope",
        AggregateOp::Intercept => "intercept",
        AggregateOp::BitsOr => "bits_or",
        AggregateOp::BitsAnd => "bits_and",
        AggregateOp::BitsXor => "bits_xor",
        AggregateOp::Histogram { edges } => {
            let edges: Vec<String> = edges.iter().map(|edge| value(edge, kind)).collect();
            arguments.push(format!("[{}]", edges.join(", ")));
            "histogram"
        }
        AggregateOp::Top { k } => {
            arguments.insert(0, k.to_string());
            if let [_, _, by] = arguments.as_mut_slice() {
                *by = format!("by: sum({by})");
            }
            "top"
        }
        AggregateOp::Frequency { error_ppm, item } => {
            arguments.push(value(item, kind));
            arguments.push(percent(*error_ppm));
            "frequency"
        }
        AggregateOp::Set => "set",
        AggregateOp::Union => "union",
        AggregateOp::Funnel { within } => {
            arguments.push(format!("within: {}", duration(*within)));
            "funnel"
        }
        AggregateOp::Retention { n_periods } => {
            arguments.push(n_periods.to_string());
            "retention"
        }
        AggregateOp::UserDefined(import) => &import.name,
    };
    let call = format!("{name}({})", arguments.join(", "));
    match &aggregate.filter {
        Some(filter) => format!("{call} where {}", expression(filter, row)),
        None => call,
    }
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

/// The first day of its weeks, unless that is Monday.
pub fn week_start(calendar: &Calendar) -> Option<&'static str> {
    const LATER: [&str; 6] = ["tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
    usize::from(calendar.week_start).checked_sub(2).and_then(|place| LATER.get(place)).copied()
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
        Func::Part(part, zone) => (part_name(*part).to_owned(), format!(" in {zone}")),
        Func::DateIn(zone) => ("date".to_owned(), format!(" in {zone}")),
        Func::TruncateTo(width) => {
            let _ = write!(text, ", {}", duration(*width));
            ("truncate".to_owned(), String::new())
        }
        Func::TruncateIn(unit, calendar) => {
            let _ = write!(text, ", {}", unit_name(*unit));
            ("truncate".to_owned(), format!(" in {}", self::calendar(calendar)))
        }
        Func::Lookup(lookup) => return format!("{}[{text}].{}", lookup.table().name, lookup.column().name),
        Func::UserDefined(import) => (import.name.clone(), String::new()),
        other => (function_name(other).to_owned(), String::new()),
    };
    format!("{name}({text}){suffix}")
}

fn part_name(part: Part) -> &'static str {
    match part {
        Part::Year => "year",
        Part::Quarter => "quarter",
        Part::Month => "month",
        Part::Week => "week",
        Part::Day => "day",
        Part::Hour => "hour",
        Part::Minute => "minute",
        Part::Second => "second",
        Part::Weekday => "weekday",
    }
}

fn function_name(func: &Func) -> &'static str {
    match func {
        Func::Lower => "lower",
        Func::Upper => "upper",
        Func::Trim => "trim",
        Func::StartsWith => "starts_with",
        Func::EndsWith => "ends_with",
        Func::Contains => "contains",
        Func::Substr => "substr",
        Func::Split => "split",
        Func::Concat => "concat",
        Func::Length => "length",
        Func::Text => "text",
        Func::Abs => "abs",
        Func::Floor => "floor",
        Func::Ceil => "ceil",
        Func::Least => "min",
        Func::Greatest => "max",
        Func::Hash64 => "hash64",
        Func::Coalesce => "coalesce",
        // The others carry parameters or are operators, and have their own text.
        other => operator(other, 2).map_or("call", |(symbol, _)| symbol),
    }
}
