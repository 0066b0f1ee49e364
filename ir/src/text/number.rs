//! Numbers, from their digits. One grammar holds for every text: that of JSON, a `+` before it, digits on one
//! side of the point alone, and blanks around it. Texts of one number are equal: `3.0` and `1e3` are ints,
//! `1010e-2` is a decimal. What is not exactly the number is refused, and no integer or decimal ever goes
//! through a float.

use std::fmt;

use super::leading::{self, skip_digits};
use super::timestamp::trimmed;

/// Why a text is not a number of the kind that is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum NumberProblem {
    /// The text is not a number.
    NotANumber,
    /// An int with a fraction.
    NotWhole,
    /// Beyond 64 bits.
    BeyondInt,
    /// More digits after the decimal point than these.
    ScaleLost(u8),
    /// More digits before the point than these.
    TooManyDigits(u8),
    /// Beyond the largest float.
    NotFinite,
}

impl fmt::Display for NumberProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NumberProblem::NotANumber => f.write_str("not a number"),
            NumberProblem::NotWhole => f.write_str("not an int: it has a fraction"),
            NumberProblem::BeyondInt => f.write_str("beyond the 64 bits of an int"),
            NumberProblem::ScaleLost(0) => f.write_str("digits after the point would be lost"),
            NumberProblem::ScaleLost(scale) => write!(f, "more than {scale} digits after the point"),
            NumberProblem::TooManyDigits(digits) => write!(f, "more than {digits} digits before the point"),
            NumberProblem::NotFinite => f.write_str("beyond the largest 64-bit float"),
        }
    }
}

impl std::error::Error for NumberProblem {}

/// The number of bytes at the start of the text that are a JSON number; `None` if there is no number.
///
/// Grammar: RFC 8259, section 6.
pub fn scan(text: &[u8]) -> Option<usize> {
    let mut at = usize::from(text.first() == Some(&b'-'));
    match text.get(at)? {
        b'0' => at += 1,
        b'1'..=b'9' => at = skip_digits(text, at),
        _ => return None,
    }
    if text.get(at) == Some(&b'.') {
        at = some_digits(text, at + 1)?;
    }
    if let Some(b'e' | b'E') = text.get(at) {
        at += 1 + usize::from(matches!(text.get(at + 1), Some(b'+' | b'-')));
        at = some_digits(text, at)?;
    }
    Some(at)
}

/// The place behind the digits that a text has from a place on, if there are some.
fn some_digits(text: &[u8], at: usize) -> Option<usize> {
    Some(skip_digits(text, at)).filter(|&end| end > at)
}

/// A number in its parts.
struct Parts<'t> {
    negative: bool,
    /// Digits before the point and after it, one of them at least.
    whole: &'t str,
    fraction: &'t str,
    exponent: i64,
}

impl<'t> Parts<'t> {
    fn of(text: &'t str) -> Result<Self, NumberProblem> {
        let text = trimmed(text);
        let (negative, rest) = match text.as_bytes().first() {
            Some(b'-') => (true, &text[1..]),
            Some(b'+') => (false, &text[1..]),
            _ => (false, text),
        };
        let (whole, behind) = rest.split_at(skip_digits(rest.as_bytes(), 0));
        let (fraction, behind) = match behind.strip_prefix('.') {
            Some(behind) => behind.split_at(skip_digits(behind.as_bytes(), 0)),
            None => ("", behind),
        };
        let exponent = match behind.strip_prefix(['e', 'E']) {
            Some(text) => exponent_of(text)?,
            None if behind.is_empty() => 0,
            None => return Err(NumberProblem::NotANumber),
        };
        let is_padded = whole.len() > 1 && whole.starts_with('0');
        match is_padded || whole.len() + fraction.len() == 0 {
            true => Err(NumberProblem::NotANumber),
            false => Ok(Parts { negative, whole, fraction, exponent }),
        }
    }

    /// The exact number times 10^`scale`.
    fn unscaled(&self, precision: u8, scale: u8) -> Result<i128, NumberProblem> {
        let magnitude = unscaled(self.whole, self.fraction, self.exponent, precision, scale)?;
        Ok(if self.negative { -magnitude } else { magnitude })
    }
}

/// Whether a text is a number, whatever its size.
pub fn is_number(text: &str) -> bool {
    Parts::of(text).is_ok()
}

/// An integer of 64 bits.
///
/// # Errors
/// [`NumberProblem`] if the text is none.
pub fn int(text: &str) -> Result<i64, NumberProblem> {
    match leading::int(text.as_bytes(), 0) {
        Some((value, end)) if end == text.len() => Ok(value),
        _ => any_int(text),
    }
}

/// As [`int`], of any form.
pub(super) fn any_int(text: &str) -> Result<i64, NumberProblem> {
    let value = Parts::of(text)?.unscaled(38, 0).map_err(|problem| match problem {
        NumberProblem::ScaleLost(_) => NumberProblem::NotWhole,
        _ => NumberProblem::BeyondInt,
    })?;
    i64::try_from(value).map_err(|_| NumberProblem::BeyondInt)
}

/// A finite float: the nearest to the digits, half even; -0.0 becomes 0.0. `NaN` and infinities, by any of
/// their names, are `None`.
///
/// # Errors
/// [`NumberProblem`] if the text is no float.
pub fn float(text: &str) -> Result<Option<f64>, NumberProblem> {
    match leading::float(text.as_bytes(), 0) {
        Some((value, end)) if end == text.len() => Ok(Some(value)),
        _ => any_float(text),
    }
}

/// As [`float`], of any form.
pub(super) fn any_float(text: &str) -> Result<Option<f64>, NumberProblem> {
    // A number that starts so has one grammar here and in Rust.
    if let [b'1'..=b'9', ..] | [b'-', b'1'..=b'9', ..] | [b'0', b'.', ..] = text.as_bytes()
        && let Ok(value) = text.parse::<f64>()
        && value.is_finite()
    {
        return Ok(Some(value + 0.0));
    }
    let text = trimmed(text);
    if Parts::of(text).is_err() {
        return if is_special(text) { Ok(None) } else { Err(NumberProblem::NotANumber) };
    }
    let value: f64 = text.parse().map_err(|_| NumberProblem::NotANumber)?;
    if value.is_finite() { Ok(Some(value + 0.0)) } else { Err(NumberProblem::NotFinite) }
}

/// Whether a text is the name of a float that is no finite number.
fn is_special(text: &str) -> bool {
    let name = text.strip_prefix(['-', '+']).unwrap_or(text);
    ["nan", "inf", "infinity"].iter().any(|special| name.eq_ignore_ascii_case(special))
}

/// The unscaled digits of a decimal, exactly. An exponent and trailing zeros are fine if nothing is lost.
///
/// # Errors
/// [`NumberProblem`] if the text is not a number of that precision and scale.
pub fn decimal(text: &str, precision: u8, scale: u8) -> Result<i128, NumberProblem> {
    match leading::decimal(text.as_bytes(), 0, precision, scale) {
        Some((units, end)) if end == text.len() => Ok(units.into()),
        _ => any_decimal(text, precision, scale),
    }
}

/// As [`decimal`], of any form.
pub(super) fn any_decimal(text: &str, precision: u8, scale: u8) -> Result<i128, NumberProblem> {
    Parts::of(text)?.unscaled(precision, scale)
}

/// The number times 10^`scale`, floored: `1769787246.5` is 1769787246500 of the scale 3.
///
/// # Errors
/// [`NumberProblem`] if the text is no number, or it does not fit 64 bits.
pub fn floored(text: &str, scale: u8) -> Result<i64, NumberProblem> {
    let Parts { negative, whole, fraction, exponent } = Parts::of(text)?;
    let length = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
    let digits = || whole.bytes().chain(fraction.bytes());
    // Digits before the point, once it is moved.
    let n_kept = length(whole.len()) + exponent + i64::from(scale);
    let n_all = whole.len() + fraction.len();
    if n_kept >= length(n_all) {
        let value = unscaled(whole, fraction, exponent, 38, scale)?;
        let value = i64::try_from(value).map_err(|_| NumberProblem::BeyondInt)?;
        return Ok(if negative { -value } else { value });
    }
    let n_kept = usize::try_from(n_kept).unwrap_or(0);
    let is_floored = digits().skip(n_kept).any(|byte| byte != b'0');
    let mut value = 0i64;
    for byte in digits().take(n_kept) {
        let next = value.checked_mul(10).and_then(|value| value.checked_add(i64::from(byte - b'0')));
        value = next.ok_or(NumberProblem::BeyondInt)?;
    }
    Ok(if negative { -value - i64::from(is_floored) } else { value })
}

/// Exponents past a billion are cut to it: no text is long enough for that to change an answer.
fn exponent_of(text: &str) -> Result<i64, NumberProblem> {
    let limit = 1_000_000_000;
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || skip_digits(digits.as_bytes(), 0) != digits.len() {
        return Err(NumberProblem::NotANumber);
    }
    let size = digits.bytes().fold(0i64, |size, byte| (size * 10 + i64::from(byte - b'0')).min(limit));
    Ok(if text.starts_with('-') { -size } else { size })
}

fn unscaled(
    whole: &str,
    fraction: &str,
    exponent: i64,
    precision: u8,
    scale: u8,
) -> Result<i128, NumberProblem> {
    let digits = || whole.bytes().chain(fraction.bytes());
    let length = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
    let n_leading = digits().take_while(|&byte| byte == b'0').count();
    let n_all = whole.len() + fraction.len();
    if n_leading == n_all {
        return Ok(0);
    }
    let n_trailing =
        fraction.bytes().rev().chain(whole.bytes().rev()).take_while(|&byte| byte == b'0').count();
    let n_significant = n_all - n_leading - n_trailing;
    // The value is (significant digits) · 10^power at the scale of the column.
    let power = length(n_trailing) - length(fraction.len()) + exponent + i64::from(scale);
    if power < 0 {
        return Err(NumberProblem::ScaleLost(scale));
    }
    if length(n_significant) + power > i64::from(precision.min(38)) {
        return Err(NumberProblem::TooManyDigits(precision.saturating_sub(scale)));
    }
    let significant = digits().skip(n_leading).take(n_significant);
    let value = significant.fold(0i128, |value, byte| value * 10 + i128::from(byte - b'0'));
    Ok(value * power_of_ten(u8::try_from(power).unwrap_or(38)))
}

/// Decimals of one scale as units of another: no digit is lost, and all fit the precision.
#[derive(Debug, Clone, Copy)]
pub struct Rescale {
    precision: u8,
    scale: u8,
    /// Digits after the decimal point that are added; those that are taken away are negative.
    shift: i16,
    factor: i128,
}

impl Rescale {
    /// From decimals of the scale `found`.
    pub fn new(found: i8, precision: u8, scale: u8) -> Self {
        let shift = i16::from(scale) - i16::from(found);
        let factor = power_of_ten(u8::try_from(shift.unsigned_abs()).unwrap_or(38));
        Rescale { precision, scale, shift, factor }
    }

    /// The units of a value.
    ///
    /// # Errors
    /// [`NumberProblem`] if a digit would be lost, or it does not fit.
    #[inline]
    pub fn apply(&self, value: i128) -> Result<i128, NumberProblem> {
        let rescaled = if self.shift >= 0 {
            value.checked_mul(self.factor)
        } else if value % self.factor == 0 {
            Some(value / self.factor)
        } else {
            return Err(NumberProblem::ScaleLost(self.scale));
        };
        // The limit of 38 digits is below that of the 128 bits, so the absolute value exists.
        let limit = power_of_ten(self.precision).unsigned_abs();
        let fits = |value: &i128| value.unsigned_abs() < limit;
        rescaled.filter(fits).ok_or(NumberProblem::TooManyDigits(self.precision.saturating_sub(self.scale)))
    }
}

/// 10^power for a power of at most 38.
pub fn power_of_ten(power: u8) -> i128 {
    10i128.pow(u32::from(power.min(38)))
}

/// A decimal as text: its unscaled value, and its scale. All digits of the scale are written, also zeros:
/// `10.00`.
#[derive(Debug, Clone, Copy)]
pub struct DecimalText(pub i128, pub usize);

impl fmt::Display for DecimalText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let DecimalText(units, scale) = *self;
        let (sign, digits) = (if units < 0 { "-" } else { "" }, units.unsigned_abs());
        let power = u32::try_from(scale).ok().and_then(|scale| 10u64.checked_pow(scale));
        match (u64::try_from(digits), power) {
            _ if scale == 0 => write!(f, "{sign}{digits}"),
            (Ok(digits), Some(power)) => write!(f, "{sign}{}.{:0scale$}", digits / power, digits % power),
            _ => {
                let digits = format!("{digits:0width$}", width = scale + 1);
                let (whole, fraction) = digits.split_at(digits.len() - scale);
                write!(f, "{sign}{whole}.{fraction}")
            }
        }
    }
}

/// `units · 10⁻ˢᶜᵃˡᵉ` as [`DecimalText`] writes it.
pub fn decimal_text(units: i128, scale: usize) -> String {
    DecimalText(units, scale).to_string()
}

#[cfg(test)]
#[path = "number_tests.rs"]
mod tests;
