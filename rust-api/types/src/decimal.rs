//! Exact decimals of up to 38 digits.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use metricc_ir::text::number::decimal_text;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Digits that a decimal may have.
const MOST_DIGITS: u32 = 38;

/// An exact decimal: `units · 10⁻ˢᶜᵃˡᵉ`, of at most 38 digits. Equal values are equal whatever their scale.
#[derive(Clone, Copy)]
pub struct Decimal {
    units: i128,
    scale: u8,
}

/// Text that is no decimal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a decimal of at most 38 digits")]
pub struct DecimalError(String);

impl Decimal {
    /// The decimal `units · 10⁻ˢᶜᵃˡᵉ`; none beyond 38 digits.
    pub fn new(units: i128, scale: u8) -> Option<Self> {
        let fits = u32::from(scale) <= MOST_DIGITS && units.unsigned_abs() < 10_u128.pow(MOST_DIGITS);
        fits.then_some(Decimal { units, scale })
    }

    /// All digits as one integer.
    pub fn units(self) -> i128 {
        self.units
    }

    /// Digits after the decimal point.
    pub fn scale(self) -> u8 {
        self.scale
    }

    /// The whole part, toward negative infinity, and the rest in units of 10⁻³⁸.
    fn parts(self) -> (i128, i128) {
        let one = 10_i128.pow(u32::from(self.scale));
        let rest = self.units.rem_euclid(one) * 10_i128.pow(MOST_DIGITS - u32::from(self.scale));
        (self.units.div_euclid(one), rest)
    }
}

impl PartialEq for Decimal {
    fn eq(&self, other: &Self) -> bool {
        self.parts() == other.parts()
    }
}

impl Eq for Decimal {}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> Ordering {
        self.parts().cmp(&other.parts())
    }
}

impl std::hash::Hash for Decimal {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.parts().hash(state);
    }
}

/// Zero.
impl Default for Decimal {
    fn default() -> Self {
        Decimal { units: 0, scale: 0 }
    }
}

impl From<i64> for Decimal {
    fn from(value: i64) -> Self {
        Decimal { units: i128::from(value), scale: 0 }
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = decimal_text(self.units, usize::from(self.scale));
        f.pad_integral(self.units >= 0, "", text.trim_start_matches('-'))
    }
}

impl fmt::Debug for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Decimal({self})")
    }
}

impl FromStr for Decimal {
    type Err = DecimalError;

    fn from_str(text: &str) -> Result<Self, DecimalError> {
        let error = || DecimalError(text.to_owned());
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let digits = whole.strip_prefix('-').unwrap_or(whole);
        let are_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if digits.is_empty() || !are_digits(digits) || !are_digits(fraction) {
            return Err(error());
        }
        let units = format!("{whole}{fraction}").parse().map_err(|_| error())?;
        let scale = u8::try_from(fraction.len()).map_err(|_| error())?;
        Decimal::new(units, scale).ok_or_else(error)
    }
}

impl Serialize for Decimal {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Decimal {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(D::Error::custom)
    }
}

#[cfg(feature = "rust_decimal")]
impl From<rust_decimal::Decimal> for Decimal {
    fn from(value: rust_decimal::Decimal) -> Self {
        // 96 bits and at most 28 digits after the point.
        Decimal { units: value.mantissa(), scale: value.scale() as u8 }
    }
}

#[cfg(feature = "rust_decimal")]
impl TryFrom<Decimal> for rust_decimal::Decimal {
    type Error = rust_decimal::Error;

    fn try_from(value: Decimal) -> Result<Self, rust_decimal::Error> {
        rust_decimal::Decimal::try_from_i128_with_scale(value.units, u32::from(value.scale))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_back() {
        for text in [
            "0",
            "-0.05",
            "10.00",
            "7",
            "-99999999999999999999999999999999999999",
            "0.00000000000000000000000000000000000001",
        ] {
            assert_eq!(text.parse::<Decimal>().map(|decimal| decimal.to_string()).as_deref(), Ok(text));
        }
        for text in ["", "-", ".5", "1e3", "+1", "--1", "1.-5", "100000000000000000000000000000000000000"] {
            assert!(text.parse::<Decimal>().is_err(), "{text}");
        }
    }

    #[test]
    fn values_compare_whatever_their_scale() {
        let of = |text: &str| text.parse::<Decimal>().expect("a decimal");
        assert_eq!(of("10.00"), of("10"));
        assert!(of("-0.05") < of("-0.049"));
        assert!(
            of("99999999999999999999999999999999999999") > of("0.99999999999999999999999999999999999999")
        );
        assert_eq!(format!("[{:>8}]", of("-1.5")), "[    -1.5]");
    }
}
