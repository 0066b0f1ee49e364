//! The result as text: the JSON lines of `run --output json`, and the comparison with an engine's.

use std::collections::BTreeMap;
use std::fmt;

use metricc_ir::{AggregateOp, Expr, ExprKind, Kind, Metric, Window};
use num_bigint::BigInt;
use serde_json::value::RawValue;

use super::civil;
use super::datum::Datum;

/// One row of a result.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Name of the metric.
    pub metric: String,
    /// Keys by name, in the metric's order; each value as JSON text.
    pub key: Vec<(String, String)>,
    /// Start and end of the window as RFC 3339, without quotes. None: all time.
    pub window: Option<(String, String)>,
    /// The same in µs.
    pub span: Option<(i64, i64)>,
    /// Whether a range leaves out a part of the window.
    pub is_partial: bool,
    /// The presented value.
    pub value: Presented,
    /// Outputs that could not be computed, and how many events each lost.
    pub overflow: Vec<(String, usize)>,
}

/// The presented value of a row.
#[derive(Debug, Clone, PartialEq)]
pub enum Presented {
    /// A plain value.
    Plain(Check),
    /// A record, its fields in the metric's order.
    Record(Vec<(String, Check)>),
}

/// The admissible values of an engine.
#[derive(Debug, Clone, PartialEq)]
pub enum Check {
    /// This JSON text, to the byte.
    Exact(String),
    /// A number from `least` to `greatest`, both included: the estimate of a sketch.
    Within {
        /// Least admissible number.
        least: f64,
        /// Greatest admissible number.
        greatest: f64,
        /// Whether it must be written as a whole number.
        whole: bool,
    },
    /// Anything: an expression over a sketch's estimate, whose error this interpreter does not follow.
    Unchecked,
}

/// A difference between an engine and the interpreter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mismatch {
    /// Number of the line, from 0.
    pub line: usize,
    /// The interpreter's line; empty if it has no further row.
    pub expected: String,
    /// The engine's line; empty if it has no further row.
    pub actual: String,
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}:\n  expected {}\n  actual   {}", self.line, self.expected, self.actual)
    }
}

impl std::error::Error for Mismatch {}

impl Row {
    /// The row as one JSON line, without line feed. A value that is not known exactly is written as
    /// its range, so that line is no JSON; an engine's lines are judged by [`compare`].
    pub fn line(&self) -> String {
        self.line_with(&mut |_, check| match check {
            Check::Exact(text) => text.clone(),
            Check::Within { least, greatest, .. } => format!("{least:?}..={greatest:?}"),
            Check::Unchecked => "_".to_owned(),
        })
    }

    /// Whether every value of the row is known exactly.
    pub fn is_exact(&self) -> bool {
        match &self.value {
            Presented::Plain(check) => matches!(check, Check::Exact(_)),
            Presented::Record(fields) => fields.iter().all(|(_, check)| matches!(check, Check::Exact(_))),
        }
    }

    fn line_with(&self, text_of: &mut dyn FnMut(Option<&str>, &Check) -> String) -> String {
        let keys = self.key.iter().map(|(name, text)| (name.as_str(), text.clone()));
        let window = match &self.window {
            None => "null".to_owned(),
            Some((start, end)) => {
                let partial = self.is_partial.then(|| ("partial", "true".to_owned()));
                object([("start", string(start)), ("end", string(end))].into_iter().chain(partial))
            }
        };
        let value = match &self.value {
            Presented::Plain(check) => text_of(None, check),
            Presented::Record(fields) => {
                object(fields.iter().map(|(name, check)| (name.as_str(), text_of(Some(name), check))))
            }
        };
        let overflow = self.overflow.iter().map(|(name, n_lost)| (name.as_str(), n_lost.to_string()));
        let overflow = (!self.overflow.is_empty()).then(|| ("overflow", object(overflow)));
        let parts =
            [("metric", string(&self.metric)), ("key", object(keys)), ("window", window), ("value", value)];
        object(parts.into_iter().chain(overflow))
    }

    /// Whether an engine's line is this row: the estimates of sketches are taken over from the line
    /// where they are admissible, all else must agree to the byte.
    fn is_line(&self, line: &str) -> bool {
        let line = &respelled(line);
        let parts: BTreeMap<String, &RawValue> = serde_json::from_str(line).unwrap_or_default();
        let Some(value) = parts.get("value") else { return false };
        let fields: BTreeMap<String, &RawValue> = serde_json::from_str(value.get()).unwrap_or_default();
        let mut is_admissible = true;
        let rebuilt = self.line_with(&mut |name, check| {
            let estimate = match name {
                None => Some(value.get()),
                Some(name) => fields.get(name).map(|field| field.get()),
            };
            let estimate = estimate.unwrap_or_default();
            is_admissible &= check.admits(estimate);
            if let Check::Exact(text) = check { text.clone() } else { estimate.to_owned() }
        });
        is_admissible && rebuilt == *line
    }
}

impl Check {
    /// Whether an engine's JSON text is admissible.
    pub fn admits(&self, text: &str) -> bool {
        match self {
            Check::Exact(expected) => expected == text,
            Check::Unchecked => !text.is_empty(),
            Check::Within { least, greatest, whole } => {
                let is_whole = text.bytes().all(|byte| byte.is_ascii_digit());
                let is_inside =
                    text.parse::<f64>().is_ok_and(|number| (*least..=*greatest).contains(&number));
                is_inside && is_whole == *whole
            }
        }
    }
}

/// Compares an engine's JSON lines with the interpreter's rows: same rows, same order, same text.
pub fn compare(expected: &[Row], actual: &[impl AsRef<str>]) -> Result<(), Mismatch> {
    for line in 0..expected.len().max(actual.len()) {
        let (row, text) = (expected.get(line), actual.get(line).map(AsRef::as_ref));
        if !row.zip(text).is_some_and(|(row, text)| row.is_line(text)) {
            let expected = row.map(Row::line).unwrap_or_default();
            return Err(Mismatch { line, expected, actual: text.unwrap_or_default().to_owned() });
        }
    }
    Ok(())
}

/// Presents one group. `overflow` has, for each aggregate that could not be computed, how many events it
/// lost.
pub(super) fn row(
    metric: &Metric,
    window: Option<(i64, i64)>,
    keys: &[Datum],
    outputs: &[Datum],
    overflow: &[Option<usize>],
) -> Row {
    let key =
        metric.keys.iter().zip(keys).map(|(key, value)| (key.name.clone(), json(value, &key.expr.ty.kind)));
    let checks: Vec<Check> = metric
        .outputs
        .iter()
        .zip(outputs)
        .map(|(output, value)| check(metric, &output.expr, value))
        .collect();
    let lost_of = |expr: &Expr| columns_of(expr).into_iter().filter_map(|column| overflow[column]).max();
    let lost = metric.outputs.iter().filter_map(|output| {
        Some((output.name.clone().unwrap_or("value".to_owned()), lost_of(&output.expr)?))
    });
    let names: Option<Vec<String>> = metric.outputs.iter().map(|output| output.name.clone()).collect();
    Row {
        metric: metric.name.clone(),
        key: key.collect(),
        window: window.map(|(start, end)| (instant(start, &metric.window), instant(end, &metric.window))),
        span: window,
        is_partial: false,
        overflow: lost.collect(),
        value: match (names, checks.as_slice()) {
            (Some(names), _) => Presented::Record(names.into_iter().zip(checks).collect()),
            (None, [check]) => Presented::Plain(check.clone()),
            (None, checks) => panic!("{} outputs, some without a name", checks.len()),
        },
    }
}

/// An end of a window: in the zone of its calendar, else in UTC.
fn instant(micros: i64, window: &Window) -> String {
    match window {
        // A calendar of UTC itself is written with `Z`; London in winter is at `+00:00`.
        Window::Calendar(_, calendar) if calendar.zone == "UTC" => civil::utc_text(micros),
        Window::Calendar(_, calendar) => civil::local_text(micros, &civil::zone(&calendar.zone)),
        _ => civil::utc_text(micros),
    }
}

/// The admissible values of an output: exact, unless it is or reads a sketch's estimate.
fn check(metric: &Metric, expr: &Expr, value: &Datum) -> Check {
    let estimate = |index: usize| {
        let op = &metric.aggregates[index].op;
        let is_estimate = matches!(
            op,
            AggregateOp::DistinctWithin { .. } | AggregateOp::Quantile { .. } | AggregateOp::Frequency { .. }
        );
        is_estimate.then_some(op)
    };
    match (&expr.kind, value) {
        (ExprKind::Column(index), value) if !value.is_none() => match estimate(*index) {
            Some(op) => admissible(op, value),
            None => Check::Exact(json(value, &expr.ty.kind)),
        },
        (ExprKind::Call(..), _) if columns_of(expr).into_iter().any(|index| estimate(index).is_some()) => {
            Check::Unchecked
        }
        (_, value) => Check::Exact(json(value, &expr.ty.kind)),
    }
}

/// The estimates a sketch may give for an exact value.
///
/// A quantile is within its relative error (and, among subnormal floats, which have no relative
/// precision, a few units). A distinct count is within six standard errors, which no fixed seed of a
/// good hash is expected to exceed; small counts, where rounding and single collisions rule, have ±2 more.
fn admissible(op: &AggregateOp, value: &Datum) -> Check {
    match (op, value) {
        (AggregateOp::Quantile { error_ppm, .. }, Datum::Float(exact)) => {
            let slack = exact.abs() * (f64::from(*error_ppm) / 1e6 * (1.0 + 1e-9)) + 2e-323;
            Check::Within { least: exact - slack, greatest: exact + slack, whole: false }
        }
        (AggregateOp::DistinctWithin { error_ppm }, Datum::Int(exact)) => {
            let exact: f64 = exact.to_string().parse().unwrap_or(f64::NAN);
            let relative = if exact < 50.0 { 0.05 } else { 6.0 * f64::from(*error_ppm) / 1e6 };
            let slack = 2.0 + exact * relative;
            Check::Within { least: (exact - slack).max(0.0), greatest: exact + slack, whole: true }
        }
        // Never too low; how much too high depends on all other rows.
        (AggregateOp::Frequency { .. }, Datum::Int(exact)) => {
            let exact: f64 = exact.to_string().parse().unwrap_or(f64::NAN);
            Check::Within { least: exact, greatest: f64::MAX, whole: true }
        }
        (op, value) => panic!("{op:?} presents {value:?}"),
    }
}

fn columns_of(expr: &Expr) -> Vec<usize> {
    match &expr.kind {
        ExprKind::Column(index) => vec![*index],
        ExprKind::Literal(_) => Vec::new(),
        ExprKind::Call(_, args) => args.iter().flat_map(columns_of).collect(),
    }
}

/// A value as JSON text.
pub(super) fn json(value: &Datum, kind: &Kind) -> String {
    match (value, kind) {
        (Datum::None, _) => "null".to_owned(),
        (Datum::Bool(value), _) => value.to_string(),
        (Datum::Int(value), _) => int(value),
        (Datum::Decimal(digits, scale), _) => string(&decimal(&digits.to_string(), usize::from(*scale))),
        (Datum::Float(value), _) => float(*value),
        (Datum::Text(text), _) => string(text),
        (Datum::Enum(index), Kind::Enum(names)) => string(&names[*index as usize]),
        (Datum::Date(days), _) => string(&civil::date_text(*days)),
        (Datum::Timestamp(micros), _) => string(&civil::utc_text(*micros)),
        (Datum::Duration(micros), _) => int(&BigInt::from(*micros)),
        (Datum::List(elements), Kind::List(element)) => {
            let elements: Vec<String> = elements.iter().map(|value| json(value, &element.kind)).collect();
            format!("[{}]", elements.join(","))
        }
        (Datum::Record(values), Kind::Record(fields)) => object(
            values
                .iter()
                .zip(fields.iter())
                .map(|((name, value), field)| (name.as_str(), json(value, &field.ty.kind))),
        ),
        (value, kind) => panic!("{value:?} of `{kind}` is not presented"),
    }
}

/// A string where a float would not have it exactly.
fn int(value: &BigInt) -> String {
    if value.magnitude().bits() > 53 { string(&value.to_string()) } else { value.to_string() }
}

/// Digits with a point before the last `scale` of them.
fn decimal(unscaled: &str, scale: usize) -> String {
    let (sign, digits) = match unscaled.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", unscaled),
    };
    let digits = format!("{digits:0>width$}", width = scale + 1);
    let (whole, fraction) = digits.split_at(digits.len() - scale);
    if scale == 0 { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
}

/// The shortest text that reads back as this float.
fn float(value: f64) -> String {
    format!("{value:?}")
}

fn string(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn object<'a>(fields: impl Iterator<Item = (&'a str, String)>) -> String {
    let fields: Vec<String> = fields.map(|(name, text)| format!("{}:{text}", string(name))).collect();
    format!("{{{}}}", fields.join(","))
}

/// The line with its floats in the spelling of [`float`]. The digits must be the shortest already; how
/// an exponent is written (`1e21`, `1e+21`, `1000000000000000000000.0`) is no matter of this interpreter.
fn respelled(line: &str) -> String {
    let mut result = String::new();
    let mut rest = line;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '"' => string_length(rest),
            '-' | '0'..='9' => rest.find(|letter: char| !is_of_number(letter)).unwrap_or(rest.len()),
            letter => letter.len_utf8(),
        };
        let (token, behind) = rest.split_at(length);
        result.push_str(&respelled_float(token).unwrap_or_else(|| token.to_owned()));
        rest = behind;
    }
    result
}

fn is_of_number(letter: char) -> bool {
    matches!(letter, '0'..='9' | '-' | '+' | '.' | 'e' | 'E')
}

/// Bytes of the JSON string at the start of a text.
fn string_length(text: &str) -> usize {
    let mut is_escaped = true; // The opening quote does not close.
    for (index, letter) in text.char_indices() {
        match letter {
            '"' if !is_escaped => return index + 1,
            '\\' => is_escaped = !is_escaped,
            _ => is_escaped = false,
        }
    }
    text.len()
}

/// A number with a point or an exponent, if its digits are the shortest.
fn respelled_float(token: &str) -> Option<String> {
    let is_float = !token.starts_with('"') && token.contains(['.', 'e', 'E']);
    let value: f64 = token.parse().ok().filter(|value: &f64| is_float && value.is_finite())?;
    (significant_digits(token) == significant_digits(&format!("{value:e}"))).then(|| float(value))
}

fn significant_digits(number: &str) -> String {
    let mantissa = number.split(['e', 'E']).next().unwrap_or_default();
    let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    digits.trim_matches('0').to_owned()
}

#[cfg(test)]
#[path = "present_tests.rs"]
mod tests;
