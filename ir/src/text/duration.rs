//! Durations from text, spelled as in the language: suffixed integers, from the largest unit to the
//! smallest, each at most once (`5m`, `1h30m`, `-250ms`). The units are `h`, `m`, `s`, `ms` and `us`.
//! There is no day: a day is not always 24 hours.

use std::fmt;

/// Why a text is not a duration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum DurationProblem {
    /// The text does not have the form of a duration.
    NotADuration,
    /// More than 64 bits of microseconds.
    OutOfRange,
}

impl fmt::Display for DurationProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            DurationProblem::NotADuration => {
                "not a duration such as `1h30m`, with the units h, m, s, ms and us"
            }
            DurationProblem::OutOfRange => "beyond the 64 bits of a duration in microseconds",
        })
    }
}

impl std::error::Error for DurationProblem {}

/// The units, from the largest to the smallest, in µs.
const UNITS: [(&str, i128); 5] =
    [("h", 3_600_000_000), ("m", 60_000_000), ("s", 1_000_000), ("ms", 1000), ("us", 1)];

/// The duration that a text says, in µs.
///
/// # Errors
/// [`DurationProblem`] if the text is not a duration, or is too long.
pub fn parse(text: &str) -> Result<i64, DurationProblem> {
    let (negative, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    if rest.is_empty() {
        return Err(DurationProblem::NotADuration);
    }
    let mut total = 0i128;
    let mut units = UNITS.as_slice();
    while !rest.is_empty() {
        let n_digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (digits, behind) = rest.split_at(n_digits);
        let n_letters = behind.bytes().take_while(u8::is_ascii_lowercase).count();
        let (unit, behind) = behind.split_at(n_letters);
        let place = units.iter().position(|(name, _)| *name == unit).ok_or(DurationProblem::NotADuration)?;
        if n_digits == 0 {
            return Err(DurationProblem::NotADuration);
        }
        let count: u64 = digits.parse().map_err(|_| DurationProblem::OutOfRange)?;
        total += i128::from(count) * units[place].1;
        units = &units[place + 1..];
        rest = behind;
    }
    i64::try_from(if negative { -total } else { total }).map_err(|_| DurationProblem::OutOfRange)
}

/// The units of a duration in the language, in µs. Data has no `d`: see the module's documentation.
pub const LANGUAGE_UNITS: [(&str, i64); 6] = [
    ("us", 1),
    ("ms", 1_000),
    ("s", 1_000_000),
    ("m", 60_000_000),
    ("h", 3_600_000_000),
    ("d", 86_400_000_000),
];

/// The µs of a duration as the language writes it: digits (with `_` between them) and one unit, such as `5m`.
pub fn language_micros(text: &str) -> Option<i64> {
    let n_digits = text.find(|character: char| !matches!(character, '0'..='9' | '_'))?;
    let (digits, suffix) = text.split_at(n_digits);
    let (_, micros) = LANGUAGE_UNITS.iter().find(|(unit, _)| *unit == suffix)?;
    if !digits.starts_with(|first: char| first.is_ascii_digit()) {
        return None;
    }
    digits.replace('_', "").parse::<i64>().ok()?.checked_mul(*micros)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn durations_are_suffixed_integers_from_the_largest_unit_to_the_smallest() {
        assert_eq!(parse("5m"), Ok(300_000_000));
        assert_eq!(parse("1h30m"), Ok(5_400_000_000));
        assert_eq!(parse("-1s250ms7us"), Ok(-1_250_007));
        assert_eq!(parse("0s"), Ok(0));
        for text in ["", "-", "5", "m", "30m1h", "1h1h", "1d", "1.5h", "1h ", "+1h", "1H", "5m3"] {
            assert_eq!(parse(text), Err(DurationProblem::NotADuration), "{text}");
        }
        assert_eq!(parse("9223372036854775807us"), Ok(i64::MAX));
        assert_eq!(parse("9223372036854775808us"), Err(DurationProblem::OutOfRange));
        assert_eq!(parse("99999999999999999999h"), Err(DurationProblem::OutOfRange));
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(text in "[-0-9hmsu]{0,40}|\\PC{0,20}") {
            let _ = parse(&text);
        }
    }
}
