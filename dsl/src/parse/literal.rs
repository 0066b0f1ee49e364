//! Numbers, durations, percentages and strings as written → values. Invalid literals are
//! reported and become [`ExprKind::Poisoned`], so that the rest of the item is still checked.

use metricc_ir::text::duration::LANGUAGE_UNITS;
use pest::iterators::Pair;

use super::{Builder, Parts, Rule};
use crate::ast::{Expr, ExprKind, Number};
use crate::code::Code;
use crate::diagnostic::{Diagnostic, Span};

/// Maximum number of digits: as many as a decimal holds.
const MOST_DIGITS: usize = 38;

impl Builder<'_> {
    /// A number, or a duration if it has a unit.
    pub(super) fn number(&mut self, pair: &Pair<'_, Rule>) -> Expr {
        let span = self.span(pair);
        match number_kind(pair.as_str(), span) {
            Ok(kind) => Expr { kind, span },
            Err(diagnostic) => self.poisoned(*diagnostic, span),
        }
    }

    /// `1%`.
    pub(super) fn percent(&mut self, pair: Pair<'_, Rule>) -> Option<Expr> {
        let span = self.span(&pair);
        let number = Parts::of(pair).next(Rule::number)?;
        let mut expr = self.number(&number);
        expr.span = span;
        expr.kind = match expr.kind {
            ExprKind::Number(number) => ExprKind::Percent(number),
            ExprKind::Poisoned => ExprKind::Poisoned,
            _ => {
                let diagnostic = Diagnostic::new(Code::NumberLiteral, "a percentage of a duration", span, "")
                    .help("write a plain number, such as `1%`");
                return Some(self.poisoned(diagnostic, span));
            }
        };
        Some(expr)
    }

    /// A string with its escapes resolved.
    pub(super) fn string(&mut self, pair: &Pair<'_, Rule>) -> Expr {
        let span = self.span(pair);
        let text = pair.as_str();
        let inner = text.get(1..text.len().saturating_sub(1)).unwrap_or_default();
        match unescaped(inner) {
            Ok(value) => Expr { kind: ExprKind::String(value), span },
            Err((start, end)) => {
                let place = Span { start: span.start + 1 + start, end: span.start + 1 + end };
                let diagnostic = Diagnostic::new(
                    Code::StringLiteral,
                    format!("`{}` is not an escape", &inner[start..end]),
                    place,
                    "",
                )
                .help(
                    "escapes are `\\n`, `\\r`, `\\t`, `\\\"`, `\\\\` and `\\u{1F600}`; a backslash is `\\\\`",
                );
                self.poisoned(diagnostic, span)
            }
        }
    }

    fn poisoned(&mut self, diagnostic: Diagnostic, span: Span) -> Expr {
        self.found.push(diagnostic);
        Expr { kind: ExprKind::Poisoned, span }
    }
}

fn number_kind(text: &str, span: Span) -> Result<ExprKind, Box<Diagnostic>> {
    let n_digits =
        text.find(|character: char| !matches!(character, '0'..='9' | '_' | '.')).unwrap_or(text.len());
    let (digits, suffix) = text.split_at(n_digits);
    let number = decimal(digits).ok_or_else(|| {
        Box::new(
            Diagnostic::new(Code::NumberLiteral, "a number with too many digits", span, "")
                .help(format!("numbers have at most {MOST_DIGITS} digits")),
        )
    })?;
    if suffix.is_empty() {
        return Ok(ExprKind::Number(number));
    }
    let suffix_span = Span { start: span.start + n_digits, end: span.end };
    let problem = |message: String, help: &str| {
        Box::new(Diagnostic::new(Code::NumberLiteral, message, suffix_span, "").help(help))
    };
    let Some((_, micros)) = LANGUAGE_UNITS.iter().find(|(unit, _)| *unit == suffix) else {
        let help = match suffix {
            "w" => "write days: a week is `7d`",
            _ if suffix.starts_with(['e', 'E']) => "write all digits; the language has no exponents",
            _ => "durations are written `250ms`, `30s`, `5m`, `24h` or `7d`",
        };
        return Err(problem(format!("`{suffix}` is not a unit of time"), help));
    };
    if number.point {
        return Err(problem(
            "a fractional duration".to_owned(),
            "use a smaller unit, such as `90m` for 1.5 hours",
        ));
    }
    let value = i64::try_from(number.digits).ok().and_then(|digits| digits.checked_mul(*micros));
    match value {
        Some(micros) => Ok(ExprKind::Duration { micros, text: text.to_owned() }),
        None => Err(problem(
            "a duration that is too long".to_owned(),
            "the longest duration is about 292,000 years",
        )),
    }
}

/// Digits with at most one point; `None` if there are too many.
fn decimal(text: &str) -> Option<Number> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits: String = whole.chars().chain(fraction.chars()).filter(char::is_ascii_digit).collect();
    let scale = fraction.chars().filter(char::is_ascii_digit).count();
    let significant = digits.trim_start_matches('0');
    if significant.len() > MOST_DIGITS || scale > MOST_DIGITS {
        return None;
    }
    let value = if significant.is_empty() { 0 } else { significant.parse().ok()? };
    Some(Number { digits: value, scale: u8::try_from(scale).ok()?, point: text.contains('.') })
}

/// The text with its escapes resolved, or the range of an unknown escape.
fn unescaped(text: &str) -> Result<String, (usize, usize)> {
    let mut value = String::with_capacity(text.len());
    let mut characters = text.char_indices();
    while let Some((start, character)) = characters.next() {
        if character != '\\' {
            value.push(character);
            continue;
        }
        let (place, escape) = characters.next().ok_or((start, text.len()))?;
        match escape {
            'n' => value.push('\n'),
            'r' => value.push('\r'),
            't' => value.push('\t'),
            '"' | '\\' => value.push(escape),
            'u' => {
                let (decoded, length) = unicode_escape(&text[place + 1..]).ok_or((start, place + 1))?;
                value.push(decoded);
                for _ in 0..length {
                    characters.next();
                }
            }
            _ => return Err((start, place + escape.len_utf8())),
        }
    }
    Ok(value)
}

/// `{1F600}` → the character, and the length of the text (ASCII only).
fn unicode_escape(text: &str) -> Option<(char, usize)> {
    let end = text.find('}')?;
    let digits = text.get(..end)?.strip_prefix('{')?;
    if digits.is_empty() || digits.len() > 6 || !digits.chars().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    let character = char::from_u32(u32::from_str_radix(digits, 16).ok()?)?;
    Some((character, end + 1))
}
