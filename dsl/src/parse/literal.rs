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
            Err(Escape { problem, help, range: (start, end) }) => {
                let place = Span { start: span.start + 1 + start, end: span.start + 1 + end };
                let message = format!("`{}` {problem}", &inner[start..end]);
                self.poisoned(Diagnostic::new(Code::StringLiteral, message, place, "").help(help), span)
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
        return Err(problem(not_a_unit(suffix), unit_meant(suffix)));
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

fn not_a_unit(suffix: &str) -> String {
    match suffix.as_bytes() {
        [b'e' | b'E'] | [b'e' | b'E', b'0'..=b'9', ..] => "a number with an exponent".to_owned(),
        [b'x' | b'X' | b'b' | b'B' | b'o', b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F', ..] => {
            "a number that is not in base ten".to_owned()
        }
        _ => format!("`{suffix}` is not a unit of time"),
    }
}

/// What to write instead of a suffix that is no unit.
fn unit_meant(suffix: &str) -> &'static str {
    match suffix.to_ascii_lowercase().as_str() {
        "w" | "week" | "weeks" => {
            "windows of weeks are `every week in CALENDAR`; as a duration, a week is `7d`"
        }
        "mo" | "month" | "months" | "q" | "quarter" | "quarters" | "y" | "yr" | "year" | "years" => {
            "months, quarters and years are not equally long: write `every month in CALENDAR`"
        }
        "min" | "mins" | "minute" | "minutes" => "minutes are `m`, as in `5m`",
        "sec" | "secs" | "second" | "seconds" => "seconds are `s`, as in `30s`",
        "hr" | "hrs" | "hour" | "hours" => "hours are `h`, as in `24h`",
        "day" | "days" => "days are `d`, as in `7d`",
        "us" | "ns" | "micros" | "nanos" => "the shortest duration is `1ms`",
        suffix
            if suffix.starts_with(['e', 'x', 'o'])
                || suffix.starts_with("b0")
                || suffix.starts_with("b1") =>
        {
            "write all digits in base ten: `1500000`, `0.00015`"
        }
        _ => "durations are written `250ms`, `30s`, `5m`, `24h` or `7d`; other numbers have no suffix",
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

/// Why a text after a backslash is no escape.
struct Escape {
    problem: &'static str,
    help: String,
    /// Where, in bytes from the start of the text.
    range: (usize, usize),
}

const ESCAPES: &str =
    "escapes are `\\n`, `\\r`, `\\t`, `\\\"`, `\\\\` and `\\u{1F600}`; a backslash is `\\\\`";

/// The text with its escapes resolved.
fn unescaped(text: &str) -> Result<String, Escape> {
    let unknown =
        |start, end| Escape { problem: "is not an escape", help: ESCAPES.to_owned(), range: (start, end) };
    let mut value = String::with_capacity(text.len());
    let mut characters = text.char_indices();
    while let Some((start, character)) = characters.next() {
        if character != '\\' {
            value.push(character);
            continue;
        }
        let (place, escape) = characters.next().ok_or_else(|| unknown(start, text.len()))?;
        match escape {
            'n' => value.push('\n'),
            'r' => value.push('\r'),
            't' => value.push('\t'),
            '"' | '\\' => value.push(escape),
            'u' => {
                let (decoded, length) = unicode_escape(&text[place + 1..])
                    .map_err(|wrong| Escape { range: (start, place + 1 + wrong.range.1), ..wrong })?;
                value.push(decoded);
                for _ in 0..length {
                    characters.next();
                }
            }
            _ => return Err(unknown(start, place + escape.len_utf8())),
        }
    }
    Ok(value)
}

/// `{1F600}` → the character, and the length of the text (ASCII only).
fn unicode_escape(text: &str) -> Result<(char, usize), Escape> {
    let n_digits = |text: &str| text.bytes().take_while(u8::is_ascii_hexdigit).count();
    let Some(inner) = text.strip_prefix('{') else {
        let n_digits = n_digits(text).min(4);
        let help = match n_digits {
            4 => format!("put the digits in braces: `\\u{{{}}}`", &text[..4]),
            _ => ESCAPES.to_owned(),
        };
        return Err(Escape { problem: "is not an escape", help, range: (0, n_digits) });
    };
    let n_digits = n_digits(inner);
    if !(1..=6).contains(&n_digits) || !inner[n_digits..].starts_with('}') {
        let help = "write 1 to 6 hexadecimal digits in braces: `\\u{1F600}`".to_owned();
        return Err(Escape { problem: "is not an escape", help, range: (0, 1 + n_digits) });
    }
    let character = u32::from_str_radix(&inner[..n_digits], 16).ok().and_then(char::from_u32);
    character.map(|character| (character, n_digits + 2)).ok_or_else(|| Escape {
        problem: "is not a character",
        help: "characters are `\\u{0}` to `\\u{10FFFF}`, without the surrogates `\\u{D800}` to `\\u{DFFF}`; write \
               the character itself, or its code point"
            .to_owned(),
        range: (0, n_digits + 2),
    })
}
