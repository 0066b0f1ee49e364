//! Values at the start of a text, in the plain forms that nearly all have: digits are read eight at a time.
//!
//! Each function gives a value and the number of bytes that spell it, or nothing where the form is another
//! one; then the general rules of [`number`](super::number) and [`timestamp`](super::timestamp) decide. Those
//! give the same value for what is read here, which a test checks. So a reader of JSON or CSV needs not look
//! for the end of a value first.

use super::timestamp::{day_of, in_range, micros_of_day};

/// The most digits that are read: any number of them fits 64 bits.
const MOST_DIGITS: usize = 18;
const SECOND: i64 = 1_000_000;
const DAY: i64 = 86_400 * SECOND;
/// Powers of ten.
const POWERS: [u64; MOST_DIGITS + 1] = {
    let mut powers = [1; MOST_DIGITS + 1];
    let mut power = 1;
    while power <= MOST_DIGITS {
        powers[power] = powers[power - 1] * 10;
        power += 1;
    }
    powers
};
/// The highest bit of each byte.
const HIGH: u64 = 0x8080_8080_8080_8080;

/// The bytes from a place on as a word, the first one lowest. There are zeros behind the text.
#[inline]
fn word(text: &[u8], at: usize) -> u64 {
    let rest = text.get(at..).unwrap_or_default();
    match rest.first_chunk() {
        Some(bytes) => u64::from_le_bytes(*bytes),
        None => rest.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte)),
    }
}

/// The bytes that are not up to 9, by their highest bits. Bits above the lowest one may be wrong.
#[inline]
fn not_digits(digits: u64) -> u64 {
    (digits.wrapping_add(0x7676_7676_7676_7676) | digits) & HIGH
}

/// The number of digits that a text starts with.
#[inline]
pub fn n_digits(text: &[u8]) -> usize {
    let mut n_digits = 0;
    loop {
        let found = not_digits(word(text, n_digits) ^ 0x3030_3030_3030_3030).trailing_zeros() as usize / 8;
        n_digits += found;
        if found < 8 {
            return n_digits;
        }
    }
}

/// The value of the digits that a text starts with, and their number.
#[inline]
fn digits(text: &[u8]) -> Option<(u64, usize)> {
    let (mut value, mut n_digits) = (0u64, 0);
    loop {
        let digits = word(text, n_digits) ^ 0x3030_3030_3030_3030;
        let found = not_digits(digits).trailing_zeros() as usize / 8;
        n_digits += found;
        if n_digits > MOST_DIGITS {
            return None;
        }
        if found > 0 {
            let of_word = value_of(digits << (64 - 8 * found));
            value = value.wrapping_mul(POWERS[found]).wrapping_add(of_word);
        }
        if found < 8 {
            return Some((value, n_digits));
        }
    }
}

/// The value of eight digits, of which the first one is lowest: pairs, then fours, then all.
#[inline]
fn value_of(digits: u64) -> u64 {
    let pairs = digits.wrapping_mul(10).wrapping_add(digits >> 8);
    let mask = 0x0000_00ff_0000_00ff;
    let first = (pairs & mask).wrapping_mul(100 + (1_000_000 << 32));
    let second = (pairs >> 16 & mask).wrapping_mul(1 + (10_000 << 32));
    first.wrapping_add(second) >> 32
}

/// A number without an exponent.
struct Plain {
    is_negative: bool,
    /// All digits as one number.
    units: u64,
    /// The number of those behind the point.
    n_behind: usize,
    n_bytes: usize,
}

#[inline]
fn plain(text: &[u8]) -> Option<Plain> {
    let start = usize::from(text.first() == Some(&b'-'));
    let (whole, n_whole) = digits(text.get(start..)?)?;
    if n_whole == 0 || (text[start] == b'0' && n_whole > 1) {
        return None;
    }
    let point = start + n_whole;
    let (units, n_behind, n_bytes) = match text.get(point) {
        Some(b'.') => {
            let (behind, n_behind) = digits(&text[point + 1..])?;
            if n_behind == 0 || n_whole + n_behind > MOST_DIGITS {
                return None;
            }
            (whole.wrapping_mul(POWERS[n_behind]).wrapping_add(behind), n_behind, point + 1 + n_behind)
        }
        _ => (whole, 0, point),
    };
    match text.get(n_bytes) {
        Some(b'e' | b'E' | b'.') => None,
        _ => Some(Plain { is_negative: start > 0, units, n_behind, n_bytes }),
    }
}

impl Plain {
    #[inline]
    fn signed(&self, units: u64) -> Option<i64> {
        let units = i64::try_from(units).ok()?;
        Some(if self.is_negative { -units } else { units })
    }
}

/// An integer of at most 18 digits.
#[inline]
pub fn int(text: &[u8]) -> Option<(i64, usize)> {
    let plain = plain(text).filter(|plain| plain.n_behind == 0)?;
    Some((plain.signed(plain.units)?, plain.n_bytes))
}

/// The units of a decimal of at most 18 digits, of which none is lost.
#[inline]
pub fn decimal(text: &[u8], precision: u8, scale: u8) -> Option<(i64, usize)> {
    let plain = plain(text)?;
    let missing = usize::from(scale).checked_sub(plain.n_behind)?;
    let units = plain.units.checked_mul(*POWERS.get(missing)?)?;
    let fits = POWERS.get(usize::from(precision)).is_none_or(|limit| units < *limit);
    Some((plain.signed(units).filter(|_| fits)?, plain.n_bytes))
}

/// The float nearest to a number whose digits, as an integer, are one exactly.
///
/// The power of ten below it is exact too, and a division is rounded once: so the quotient is the nearest
/// float to the number (Clinger's fast path).
#[inline]
pub fn float(text: &[u8]) -> Option<(f64, usize)> {
    let plain = plain(text)?;
    if plain.units > 1 << 53 {
        return None;
    }
    let size = plain.units as f64 / POWERS[plain.n_behind] as f64;
    Some((if plain.is_negative { -size + 0.0 } else { size }, plain.n_bytes))
}

/// Whether a word is of the form: zeros where it has digits, and else its bytes. Then its digits remain.
#[inline]
fn of_form(word: u64, form: &[u8; 8]) -> Option<u64> {
    let digits = word ^ u64::from_le_bytes(*form);
    let limits = u64::from_le_bytes(form.map(|byte| if byte == b'0' { 0x76 } else { 0x7f }));
    ((digits.wrapping_add(limits) | digits) & HIGH == 0).then_some(digits)
}

/// The two digits from a byte of a word on.
#[inline]
fn pair(digits: u64, at: u32) -> i32 {
    let pairs = digits.wrapping_mul(10).wrapping_add(digits >> 8);
    i32::from((pairs >> (8 * at)) as u8)
}

/// Year and month.
#[inline]
fn month(text: &[u8]) -> Option<(i32, i32)> {
    let digits = of_form(word(text, 0), b"0000-00-")?;
    Some((pair(digits, 0) * 100 + pair(digits, 2), pair(digits, 5)))
}

/// A day of the form `YYYY-MM-DD`, since 1970-01-01.
#[inline]
pub fn day(text: &[u8]) -> Option<(i32, usize)> {
    let (year, month) = month(text)?;
    let [tens @ b'0'..=b'9', ones @ b'0'..=b'9'] = text.get(8..10)? else { return None };
    let day = i32::from(tens - b'0') * 10 + i32::from(ones - b'0');
    Some((day_of(year, month, day).ok()?, 10))
}

/// An instant in µs since 1970-01-01T00:00Z: `YYYY-MM-DD`, `T` or a space, `HH:MM:SS`, perhaps a fraction down
/// to the microsecond, and `Z` or `±HH:MM`.
#[inline]
pub fn instant(text: &[u8]) -> Option<(i64, usize)> {
    let (year, month) = month(text)?;
    let middle = word(text, 8);
    let form = if text.get(10) == Some(&b' ') { b"00 00:00" } else { b"00T00:00" };
    let middle = of_form(middle, form)?;
    let day = day_of(year, month, pair(middle, 0)).ok()?;
    let [b':', tens @ b'0'..=b'9', ones @ b'0'..=b'9'] = text.get(16..19)? else { return None };
    let second = i32::from(tens - b'0') * 10 + i32::from(ones - b'0');
    let (fraction, at) = match text.get(19)? {
        b'.' => {
            let (value, n_digits) = digits(&text[20..]).filter(|(_, n_digits)| (1..=6).contains(n_digits))?;
            (value.wrapping_mul(POWERS[6 - n_digits]) as i64, 20 + n_digits)
        }
        _ => (0, 19),
    };
    let of_day = micros_of_day(pair(middle, 3), pair(middle, 6), second, fraction).ok()?;
    let (offset, n_bytes) = match text.get(at)? {
        b'Z' => (0, at + 1),
        sign @ (b'+' | b'-') => {
            let digits = of_form(word(text.get(at + 1..at + 6)?, 0), b"00:00\0\0\0")?;
            let (hours, minutes) = (pair(digits, 0), pair(digits, 3));
            if hours > 23 || minutes > 59 {
                return None;
            }
            let size = i64::from(hours * 3600 + minutes * 60) * SECOND;
            (if *sign == b'-' { -size } else { size }, at + 6)
        }
        _ => return None,
    };
    Some((in_range(i64::from(day) * DAY + of_day - offset).ok()?, n_bytes))
}

#[cfg(test)]
#[path = "leading_tests.rs"]
mod tests;
