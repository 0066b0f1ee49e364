//! Fixed-width values: order-preserving words and canonical hashes, one definition for each type.

use twox_hash::XxHash3_64;

/// A value of an argument column.
pub(crate) trait Scalar: Copy {
    /// Whether every value of the type is valid.
    const ALWAYS_PROPER: bool = true;

    /// Whether this value is valid.
    #[inline]
    fn is_proper(self) -> bool {
        true
    }
    /// XXH3 (64 bit, seed 0) of the value's little-endian bytes: fixed for ever, unlike the hashes of
    /// an engine.
    fn hash(self) -> u64;
}

/// A value that one word holds, in the value's order.
pub(crate) trait OneWord: Scalar {
    /// The word; greater values have greater words.
    fn to_word(self) -> u64;
    /// The value of a word; none for a word that no value has.
    fn from_word(word: u64) -> Option<Self>;
}

const SIGN: u64 = 1 << 63;
const WIDE_SIGN: u128 = 1 << 127;

/// XXH3 (64 bit, seed 0) of canonical bytes. Stored inside sketches, so it may never change.
#[inline]
pub fn hash64(bytes: &[u8]) -> u64 {
    XxHash3_64::oneshot(bytes)
}

impl Scalar for i64 {
    #[inline]
    fn hash(self) -> u64 {
        hash64(&self.to_le_bytes())
    }
}

impl OneWord for i64 {
    #[inline]
    fn to_word(self) -> u64 {
        self as u64 ^ SIGN
    }
    #[inline]
    fn from_word(word: u64) -> Option<Self> {
        Some((word ^ SIGN) as i64)
    }
}

impl Scalar for i32 {
    #[inline]
    fn hash(self) -> u64 {
        hash64(&self.to_le_bytes())
    }
}

impl OneWord for i32 {
    #[inline]
    fn to_word(self) -> u64 {
        i64::from(self).to_word()
    }
    #[inline]
    fn from_word(word: u64) -> Option<Self> {
        i64::from_word(word).and_then(|wide| i32::try_from(wide).ok())
    }
}

impl Scalar for bool {
    #[inline]
    fn hash(self) -> u64 {
        hash64(&[u8::from(self)])
    }
}

impl OneWord for bool {
    #[inline]
    fn to_word(self) -> u64 {
        u64::from(self)
    }
    #[inline]
    fn from_word(word: u64) -> Option<Self> {
        match word {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }
}

impl Scalar for f64 {
    const ALWAYS_PROPER: bool = false;

    #[inline]
    fn is_proper(self) -> bool {
        self.is_finite()
    }
    #[inline]
    fn hash(self) -> u64 {
        hash64(&without_negative_zero(self).to_bits().to_le_bytes())
    }
}

impl OneWord for f64 {
    #[inline]
    fn to_word(self) -> u64 {
        let bits = without_negative_zero(self).to_bits();
        if bits & SIGN == 0 { bits | SIGN } else { !bits }
    }
    #[inline]
    fn from_word(word: u64) -> Option<Self> {
        let value = f64::from_bits(if word & SIGN == 0 { !word } else { word ^ SIGN });
        (value.is_finite() && value.to_word() == word).then_some(value)
    }
}

/// -0.0 and 0.0 are one value.
#[inline]
fn without_negative_zero(value: f64) -> f64 {
    value + 0.0
}

impl Scalar for i128 {
    #[inline]
    fn hash(self) -> u64 {
        hash64(&self.to_le_bytes())
    }
}

/// The 128-bit word of a decimal's digits; greater values have greater words.
#[inline]
pub(crate) fn wide_word(value: i128) -> u128 {
    value as u128 ^ WIDE_SIGN
}

/// The inverse of [`wide_word`].
#[inline]
pub(crate) fn from_wide_word(word: u128) -> i128 {
    (word ^ WIDE_SIGN) as i128
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn c41_both_zeros_have_one_word_and_one_hash() {
        assert_eq!((-0.0_f64).to_word(), 0.0_f64.to_word());
        assert_eq!(Scalar::hash(-0.0_f64), Scalar::hash(0.0_f64));
    }

    #[test]
    fn c71_the_hash_is_xxh3_with_seed_0_for_ever() {
        assert_eq!(hash64(b""), 0x2d06_8005_38d3_94c2);
        assert_eq!(Scalar::hash(1_i64), 0x2fbc_5935_64db_792e);
        assert_eq!(hash64(b"m3"), 0xd290_5ffd_71de_ff2a);
    }

    #[test]
    fn words_that_no_value_has_are_refused() {
        assert_eq!(bool::from_word(2), None);
        assert_eq!(i32::from_word((i64::from(i32::MAX) + 1).to_word()), None);
        assert_eq!(f64::from_word(u64::MAX), None);
        assert_eq!(f64::from_word(!(-0.0_f64).to_bits()), None);
    }

    proptest! {
        #[test]
        fn words_keep_the_order_and_come_back(a in any::<i64>(), b in any::<i64>()) {
            prop_assert_eq!(a.cmp(&b), a.to_word().cmp(&b.to_word()));
            prop_assert_eq!(i64::from_word(a.to_word()), Some(a));
            let (c, d) = (a as i32, b as i32);
            prop_assert_eq!(c.cmp(&d), c.to_word().cmp(&d.to_word()));
            prop_assert_eq!(i32::from_word(c.to_word()), Some(c));
        }

        #[test]
        fn float_words_keep_the_order_and_come_back(
            a in proptest::num::f64::NORMAL | proptest::num::f64::SUBNORMAL | proptest::num::f64::ZERO,
            b in proptest::num::f64::NORMAL | proptest::num::f64::SUBNORMAL | proptest::num::f64::ZERO,
        ) {
            prop_assert_eq!(a.partial_cmp(&b), Some(a.to_word().cmp(&b.to_word())));
            prop_assert_eq!(f64::from_word(a.to_word()), Some(a));
        }

        #[test]
        fn wide_words_keep_the_order_and_come_back(a in any::<i128>(), b in any::<i128>()) {
            prop_assert_eq!(a.cmp(&b), wide_word(a).cmp(&wide_word(b)));
            prop_assert_eq!(from_wide_word(wide_word(a)), a);
        }
    }
}
