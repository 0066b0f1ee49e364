//! Numbers, from their digits. One grammar, that of JSON, holds for every text format, and no integer
//! or decimal ever goes through a float.

use std::fmt;

/// Why a text is not a number of the kind that is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum NumberProblem {
    /// The text is not a number.
    NotANumber,
    /// An int with a fraction or an exponent.
    NotPlain,
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
            NumberProblem::NotPlain => f.write_str("not an int: it has a fraction or an exponent"),
            NumberProblem::BeyondInt => f.write_str("beyond the 64 bits of an int"),
            NumberProblem::ScaleLost(0) => f.write_str("digits behind the point would be lost"),
            NumberProblem::ScaleLost(scale) => write!(f, "more than {scale} digits behind the point"),
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
        b'1'..=b'9' => at += n_digits(&text[at..]),
        _ => return None,
    }
    if text.get(at) == Some(&b'.') {
        at += 1 + some_digits(&text[at + 1..])?;
    }
    if let Some(b'e' | b'E') = text.get(at) {
        at += 1 + usize::from(matches!(text.get(at + 1), Some(b'+' | b'-')));
        at += some_digits(&text[at..])?;
    }
    Some(at)
}

fn n_digits(text: &[u8]) -> usize {
    text.iter().take_while(|byte| byte.is_ascii_digit()).count()
}

fn some_digits(text: &[u8]) -> Option<usize> {
    Some(n_digits(text)).filter(|&digits| digits > 0)
}

fn check(text: &str) -> Result<(), NumberProblem> {
    if scan(text.as_bytes()) == Some(text.len()) { Ok(()) } else { Err(NumberProblem::NotANumber) }
}

/// An integer of 64 bits.
///
/// # Errors
/// [`NumberProblem`] if the text is none.
pub fn int(text: &str) -> Result<i64, NumberProblem> {
    check(text)?;
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text),
    };
    let mut magnitude = 0u64;
    for byte in digits.bytes() {
        if !byte.is_ascii_digit() {
            return Err(NumberProblem::NotPlain);
        }
        let next = magnitude.checked_mul(10).and_then(|value| value.checked_add(u64::from(byte - b'0')));
        // A number with a fraction says so even where its digits are too many.
        magnitude = match next {
            Some(next) => next,
            None if digits.bytes().all(|byte| byte.is_ascii_digit()) => return Err(NumberProblem::BeyondInt),
            None => return Err(NumberProblem::NotPlain),
        };
    }
    let value = if negative { 0i64.checked_sub_unsigned(magnitude) } else { i64::try_from(magnitude).ok() };
    value.ok_or(NumberProblem::BeyondInt)
}

/// A finite float: the nearest to the digits, half even; -0.0 becomes 0.0.
///
/// # Errors
/// [`NumberProblem`] if the text is none.
pub fn float(text: &str) -> Result<f64, NumberProblem> {
    check(text)?;
    let value: f64 = text.parse().map_err(|_| NumberProblem::NotANumber)?;
    if value.is_finite() { Ok(value + 0.0) } else { Err(NumberProblem::NotFinite) }
}

/// The unscaled digits of a decimal, exactly. An exponent and trailing zeros are fine if nothing is lost.
///
/// # Errors
/// [`NumberProblem`] if the text is not a number of that precision and scale.
pub fn decimal(text: &str, precision: u8, scale: u8) -> Result<i128, NumberProblem> {
    check(text)?;
    let (negative, rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (mantissa, exponent) = match rest.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent_of(exponent)),
        None => (rest, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let magnitude = unscaled(whole, fraction, exponent, precision, scale)?;
    Ok(if negative { -magnitude } else { magnitude })
}

/// Exponents past a billion are cut to it: no text is long enough for that to change an answer.
fn exponent_of(text: &str) -> i64 {
    let limit = 1_000_000_000;
    let digits = text.trim_start_matches(['+', '-']);
    let size = digits.bytes().fold(0i64, |size, byte| (size * 10 + i64::from(byte - b'0')).min(limit));
    if text.starts_with('-') { -size } else { size }
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

/// `units · 10⁻ˢᶜᵃˡᵉ` with all digits of the scale, also zeros: `10.00`.
pub fn decimal_text(units: i128, scale: usize) -> String {
    let digits = format!("{:0width$}", units.unsigned_abs(), width = scale + 1);
    let (whole, fraction) = digits.split_at(digits.len() - scale);
    let sign = if units < 0 { "-" } else { "" };
    if scale == 0 { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_int_is_its_plain_digits() {
        assert_eq!(int("0"), Ok(0));
        assert_eq!(int("-0"), Ok(0));
        assert_eq!(int("9223372036854775807"), Ok(i64::MAX));
        assert_eq!(int("-9223372036854775808"), Ok(i64::MIN));
        assert_eq!(int("9223372036854775808"), Err(NumberProblem::BeyondInt));
        assert_eq!(int("-9223372036854775809"), Err(NumberProblem::BeyondInt));
        assert_eq!(int("99999999999999999999999"), Err(NumberProblem::BeyondInt));
        for text in ["1.0", "1e3", "1E0", "99999999999999999999999.5"] {
            assert_eq!(int(text), Err(NumberProblem::NotPlain), "{text}");
        }
        for text in ["", "-", "01", "+1", " 1", "1 ", "1.", ".5", "0x10", "1_000", "١", "1e", "1e+", "--1"] {
            assert_eq!(int(text), Err(NumberProblem::NotANumber), "{text}");
        }
    }

    #[test]
    fn a_decimal_keeps_every_digit_or_is_refused() {
        assert_eq!(decimal("123456789012345678.995", 38, 3), Ok(123_456_789_012_345_678_995));
        assert_eq!(decimal("0.135", 20, 2), Err(NumberProblem::ScaleLost(2)));
        assert_eq!(decimal("0.130", 20, 2), Ok(13));
        assert_eq!(decimal("-0.00", 20, 2), Ok(0));
        assert_eq!(decimal("1.5e1", 4, 2), Ok(1500));
        assert_eq!(decimal("1500e-3", 4, 2), Ok(150));
        assert_eq!(decimal("1505e-3", 4, 2), Err(NumberProblem::ScaleLost(2)));
        assert_eq!(decimal("99.99", 4, 2), Ok(9999));
        assert_eq!(decimal("100", 4, 2), Err(NumberProblem::TooManyDigits(2)));
        assert_eq!(decimal("0e999999999999999999999", 4, 2), Ok(0));
        assert_eq!(decimal("1e999999999999999999999", 4, 2), Err(NumberProblem::TooManyDigits(2)));
        assert_eq!(decimal("1e-999999999999999999999", 4, 2), Err(NumberProblem::ScaleLost(2)));
        assert_eq!(decimal(&"9".repeat(38), 38, 0), Ok(10i128.pow(38) - 1));
        assert_eq!(decimal(&"9".repeat(39), 38, 0), Err(NumberProblem::TooManyDigits(38)));
        assert_eq!(decimal(&format!("1{}", "0".repeat(100)), 38, 0), Err(NumberProblem::TooManyDigits(38)));
        assert_eq!(decimal(&format!("1.5{}", "0".repeat(100)), 2, 1), Ok(15));
    }

    #[test]
    fn a_float_is_finite_and_never_minus_zero() {
        assert_eq!(float("1e400"), Err(NumberProblem::NotFinite));
        assert_eq!(float("-0.0").map(f64::to_bits), Ok(0));
        assert_eq!(float("-1e-400").map(f64::to_bits), Ok(0));
        assert_eq!(float("9007199254740993"), Ok(9_007_199_254_740_992.0));
        for text in ["NaN", "inf", "Infinity", "1f", ".5", "+1", ""] {
            assert_eq!(float(text), Err(NumberProblem::NotANumber), "{text}");
        }
    }

    proptest! {
        #[test]
        fn integers_read_as_themselves(value: i64, wide in -10i128.pow(38) + 1..10i128.pow(38)) {
            prop_assert_eq!(int(&value.to_string()), Ok(value));
            prop_assert_eq!(decimal(&wide.to_string(), 38, 0), Ok(wide));
        }

        #[test]
        fn a_shifted_point_and_an_exponent_mean_the_same(digits in 1u64.., shift in 0u32..15) {
            let power = 10u64.pow(shift);
            let text = format!("{}.{:0width$}", digits / power, digits % power, width = shift as usize);
            let text = if shift == 0 { digits.to_string() } else { text };
            let with_exponent = format!("{digits}e-{shift}");
            prop_assert_eq!(decimal(&text, 38, 15), decimal(&with_exponent, 38, 15));
            prop_assert_eq!(decimal(&text, 38, 15), Ok(i128::from(digits) * 10i128.pow(15 - shift)));
        }

        #[test]
        fn no_text_makes_the_parsers_panic(text in "[-+0-9.eE]{0,60}|\\PC{0,20}", precision in 1u8..=38) {
            let _ = (int(&text), float(&text), decimal(&text, precision, precision / 2));
        }
    }
}
