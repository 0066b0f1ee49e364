//! Values as the JSON that log's decoder reads, written straight into a buffer. Nothing is rounded: integers
//! and decimals are their digits, and times have all digits that they came with.

use std::io::Write as _;

use base64::display::Base64Display;
use base64::engine::general_purpose::STANDARD;
use metricc_ir::calendar;
use num_bigint::{BigInt, Sign};

/// Days from 1970-01-01 to the first and the last day that a text of four digits for the year has.
const FIRST_DAY: i64 = -719_162;
const LAST_DAY: i64 = 2_932_896;
/// The most bytes of an unscaled decimal: far more than the 38 digits of the language.
const MAX_DECIMAL_BYTES: usize = 128;
/// A scale up to which a decimal is written with a point; beyond it, with an exponent.
const MAX_PLAIN_SCALE: i64 = 320;

/// A text in quotes.
pub(crate) fn string(out: &mut Vec<u8>, text: &str) {
    // Writing into a `Vec` does not fail.
    let _ = serde_json::to_writer(out, text);
}

/// A value by its `Display`, such as an integer.
pub(crate) fn plain(out: &mut Vec<u8>, value: impl std::fmt::Display) {
    let _ = write!(out, "{value}");
}

/// A float. One that is not finite is written as Python writes it; the decoder takes it for none.
pub(crate) fn float(out: &mut Vec<u8>, value: f64) {
    if value.is_finite() {
        let _ = serde_json::to_writer(out, &value);
    } else {
        let text = if value.is_nan() {
            "NaN"
        } else if value > 0.0 {
            "Infinity"
        } else {
            "-Infinity"
        };
        out.extend_from_slice(text.as_bytes());
    }
}

/// Bytes as a text in base64 (RFC 4648, with padding).
pub(crate) fn base64(out: &mut Vec<u8>, bytes: &[u8]) {
    plain(out, format_args!("\"{}\"", Base64Display::new(bytes, &STANDARD)));
}

/// A decimal: a big-endian two's complement, and the number of its digits after the point.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn decimal(out: &mut Vec<u8>, unscaled: &[u8], scale: i64) -> Result<(), &'static str> {
    if unscaled.len() > MAX_DECIMAL_BYTES {
        return Err("a decimal of more than 128 bytes");
    }
    let value = BigInt::from_signed_bytes_be(unscaled);
    let digits = value.magnitude().to_string();
    if value.sign() == Sign::Minus {
        out.push(b'-');
    }
    match usize::try_from(scale) {
        Ok(0) => out.extend_from_slice(digits.as_bytes()),
        Ok(n_places) if scale <= MAX_PLAIN_SCALE => {
            let digits = format!("{digits:0>width$}", width = n_places + 1);
            let (whole, fraction) = digits.split_at(digits.len() - n_places);
            plain(out, format_args!("{whole}.{fraction}"));
        }
        _ => plain(out, format_args!("{digits}e{}", scale.saturating_neg())),
    }
    Ok(())
}

/// Units of times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    Milli,
    Micro,
    Nano,
}

impl Unit {
    /// Digits after the second.
    fn n_digits(self) -> usize {
        match self {
            Unit::Milli => 3,
            Unit::Micro => 6,
            Unit::Nano => 9,
        }
    }

    fn per_second(self) -> i64 {
        match self {
            Unit::Milli => 1_000,
            Unit::Micro => 1_000_000,
            Unit::Nano => 1_000_000_000,
        }
    }
}

/// An instant, or without `is_instant` a local time, that is so long after 1970. One outside of the years
/// 0001 to 9999 is written as the number.
pub(crate) fn timestamp(out: &mut Vec<u8>, since_1970: i64, unit: Unit, is_instant: bool) {
    let (seconds, part) =
        (since_1970.div_euclid(unit.per_second()), since_1970.rem_euclid(unit.per_second()));
    let days = seconds.div_euclid(86_400);
    let Some(date) = date_text(days) else { return plain(out, since_1970) };
    let time = time_text(seconds.rem_euclid(86_400), part, unit);
    plain(out, format_args!("\"{date}T{time}{}\"", if is_instant { "Z" } else { "" }));
}

/// The text of the instant that is so many seconds and nanoseconds after 1970; `None` outside of the years
/// 0001 to 9999.
pub(crate) fn instant_of_parts(seconds: i64, nanoseconds: i64) -> Option<String> {
    let date = date_text(seconds.div_euclid(86_400))?;
    Some(format!("{date}T{}Z", time_text(seconds.rem_euclid(86_400), nanoseconds, Unit::Nano)))
}

/// A date that is so many days after 1970-01-01; outside of the years 0001 to 9999, the number.
pub(crate) fn date(out: &mut Vec<u8>, days: i32) {
    match date_text(days.into()) {
        Some(date) => plain(out, format_args!("\"{date}\"")),
        None => plain(out, days),
    }
}

/// A time of day, such as `10:00:00.5`; the number if it is not within a day.
pub(crate) fn time_of_day(out: &mut Vec<u8>, since_midnight: i64, unit: Unit) {
    let (seconds, part) =
        (since_midnight.div_euclid(unit.per_second()), since_midnight.rem_euclid(unit.per_second()));
    match seconds {
        0..86_400 => plain(out, format_args!("\"{}\"", time_text(seconds, part, unit))),
        _ => plain(out, since_midnight),
    }
}

fn time_text(seconds: i64, part: i64, unit: Unit) -> String {
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let n_digits = unit.n_digits();
    let part = if part == 0 { String::new() } else { format!(".{part:0n_digits$}") };
    format!("{hour:02}:{minute:02}:{second:02}{part}")
}

fn date_text(days: i64) -> Option<String> {
    (FIRST_DAY..=LAST_DAY).contains(&days).then(|| calendar::date_text(days))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn dates_are_those_of_another_implementation() {
        for days in (FIRST_DAY..=LAST_DAY).step_by(97).chain([FIRST_DAY, -1, 0, 59, 11_016, LAST_DAY]) {
            let wanted = jiff::civil::date(1970, 1, 1) + jiff::Span::new().days(days);
            assert_eq!(date_text(days), Some(wanted.to_string()), "{days}");
        }
        assert_eq!((date_text(FIRST_DAY - 1), date_text(LAST_DAY + 1)), (None, None));
    }

    #[test]
    fn times_keep_all_their_digits() {
        let instant = |value, unit| text(|out| timestamp(out, value, unit, true));
        assert_eq!(instant(0, Unit::Milli), "\"1970-01-01T00:00:00Z\"");
        assert_eq!(instant(-1, Unit::Milli), "\"1969-12-31T23:59:59.999Z\"");
        assert_eq!(instant(-1, Unit::Micro), "\"1969-12-31T23:59:59.999999Z\"");
        assert_eq!(instant(1_500_000_001, Unit::Nano), "\"1970-01-01T00:00:01.500000001Z\"");
        assert_eq!(instant(253_402_300_799_999, Unit::Milli), "\"9999-12-31T23:59:59.999Z\"");
        assert_eq!(instant(253_402_300_800_000, Unit::Milli), "253402300800000");
        assert_eq!(instant(i64::MIN, Unit::Micro), i64::MIN.to_string());
        assert_eq!(text(|out| timestamp(out, 1500, Unit::Milli, false)), "\"1970-01-01T00:00:01.500\"");
        assert_eq!(text(|out| date(out, -1)), "\"1969-12-31\"");
        assert_eq!(text(|out| date(out, i32::MAX)), i32::MAX.to_string());
        assert_eq!(text(|out| time_of_day(out, 86_399_999, Unit::Milli)), "\"23:59:59.999\"");
        assert_eq!(text(|out| time_of_day(out, 86_400_000, Unit::Milli)), "86400000");
        assert_eq!(text(|out| time_of_day(out, -1, Unit::Micro)), "-1");
    }

    #[test]
    fn decimals_are_their_digits() {
        let of = |bytes: &[u8], scale| text(|out| decimal(out, bytes, scale).expect("a decimal"));
        for (value, scale, wanted) in [
            (0i128, 0, "0"),
            (0, 2, "0.00"),
            (1250, 2, "12.50"),
            (-5, 2, "-0.05"),
            (-5, 1, "-0.5"),
            (7, -3, "7e3"),
            (7, 4000, "7e-4000"),
            (i128::MIN, 38, "-1.70141183460469231731687303715884105728"),
        ] {
            assert_eq!(of(&value.to_be_bytes(), scale), wanted);
        }
        assert_eq!((of(&[], 0), of(&[0xff], 1), of(&[0x7f], 0)), ("0".into(), "-0.1".into(), "127".into()));
        // Longer than 16 bytes: the sign is extended, and larger numbers have all their digits.
        for value in [0i128, 1, -1, 1_000_000_000, -1_000_000_000, i128::MAX, i128::MIN, 255, -256] {
            let fill = if value < 0 { 0xff } else { 0 };
            let long = [&[fill; 9][..], &value.to_be_bytes()].concat();
            assert_eq!(of(&long, 0), value.to_string());
        }
        let two_to_the_128 = [&[1u8][..], &[0; 16]].concat();
        assert_eq!(of(&two_to_the_128, 0), "340282366920938463463374607431768211456");
        let least = [&[0x80u8][..], &[0; 16]].concat();
        assert_eq!(of(&least, 0), "-43556142965880123323311949751266331066368");
        assert!(decimal(&mut Vec::new(), &[1; 129], 0).is_err());
    }

    #[test]
    fn bytes_are_base64() {
        for (bytes, wanted) in
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg==")]
        {
            assert_eq!(text(|out| base64(out, bytes.as_bytes())), format!("\"{wanted}\""));
        }
        assert_eq!(text(|out| base64(out, &[0xfb, 0xff])), "\"+/8=\"");
    }

    #[test]
    fn floats_that_are_not_finite_are_what_the_decoder_takes_for_none() {
        let of = |value| text(|out| float(out, value));
        assert_eq!(
            [of(f64::NAN), of(f64::INFINITY), of(f64::NEG_INFINITY)],
            ["NaN", "Infinity", "-Infinity"]
        );
        assert_eq!([of(0.1), of(f64::from(0.1f32)), of(1e30)], ["0.1", "0.10000000149011612", "1e+30"]);
    }
}
