//! Values from a place of a text on, in the plain forms that nearly all have: digits are read eight at a
//! time.
//!
//! Each function reads a value from a place of a text on, and gives it and the place behind it, or nothing
//! where the form is another one; then the general rules of [`number`](super::number) and
//! [`timestamp`](super::timestamp) decide. Those give the same value for what is read here, which a test
//! checks. So a reader of JSON or CSV needs not look for the end of a value first.

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
pub fn word(text: &[u8], at: usize) -> u64 {
    match text.get(at..).and_then(<[u8]>::first_chunk) {
        Some(bytes) => u64::from_le_bytes(*bytes),
        None => last_word(text, at),
    }
}

/// As [`word`], where the text ends in it.
#[inline]
fn last_word(text: &[u8], at: usize) -> u64 {
    let n_left = text.len().saturating_sub(at);
    match text.last_chunk() {
        Some(bytes) => u64::from_le_bytes(*bytes).checked_shr(64 - 8 * n_left as u32).unwrap_or(0),
        None => {
            text.get(at..).unwrap_or_default().iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte))
        }
    }
}

/// The bytes that are not up to 9, by their highest bits. Bits above the lowest one may be wrong.
#[inline]
fn not_digits(digits: u64) -> u64 {
    (digits.wrapping_add(0x7676_7676_7676_7676) | digits) & HIGH
}

/// The digits that a text starts with, as bytes of a word, and eight times their number.
#[inline]
fn digits_of_word(text: &[u8], at: usize) -> (u64, u32) {
    let digits = word(text, at) ^ 0x3030_3030_3030_3030;
    (digits, not_digits(digits).trailing_zeros() & !7)
}

/// The place behind the digits that a text has from a place on.
#[inline]
pub fn skip_digits(text: &[u8], mut at: usize) -> usize {
    loop {
        let (_, n_bits) = digits_of_word(text, at);
        at = at.wrapping_add(n_bits as usize / 8);
        if n_bits < 64 {
            return at;
        }
    }
}

/// The value of the digits that a text has from a place on, and their number.
#[inline]
fn digits(text: &[u8], at: usize) -> Option<(u64, usize)> {
    let (digits, n_bits) = digits_of_word(text, at);
    if n_bits == 64 {
        return more_digits(text, at.wrapping_add(8), value_of(digits));
    }
    // The digits are moved to the end of the word; there are none before them, which are zeros.
    let value = value_of(digits.checked_shl(64 - n_bits).unwrap_or(0));
    Some((value, n_bits as usize / 8))
}

/// As [`digits`], of a number whose first eight digits stand before that place.
fn more_digits(text: &[u8], start: usize, first: u64) -> Option<(u64, usize)> {
    let (mut value, mut n_digits) = (first, 8);
    loop {
        let (digits, n_bits) = digits_of_word(text, start + n_digits - 8);
        let found = n_bits as usize / 8;
        n_digits += found;
        if n_digits > MOST_DIGITS {
            return None;
        }
        let of_word = value_of(digits.checked_shl(64 - n_bits).unwrap_or(0));
        value = value.wrapping_mul(POWERS[found]).wrapping_add(of_word);
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
    end: usize,
}

#[inline]
fn plain(text: &[u8], at: usize) -> Option<Plain> {
    let is_negative = text.get(at) == Some(&b'-');
    let start = at.wrapping_add(usize::from(is_negative));
    let (whole, n_whole) = digits(text, start)?;
    if n_whole == 0 || (n_whole > 1 && text.get(start) == Some(&b'0')) {
        return None;
    }
    let (mut units, mut n_behind, mut end) = (whole, 0, start.wrapping_add(n_whole));
    let mut next = text.get(end);
    if next == Some(&b'.') {
        end = end.wrapping_add(1);
        (units, n_behind) = digits(text, end)?;
        if n_behind == 0 || n_whole.wrapping_add(n_behind) > MOST_DIGITS {
            return None;
        }
        units = whole.wrapping_mul(POWERS[n_behind]).wrapping_add(units);
        end = end.wrapping_add(n_behind);
        next = text.get(end);
    }
    match next {
        Some(b'e' | b'E' | b'.') => None,
        _ => Some(Plain { is_negative, units, n_behind, end }),
    }
}

#[inline]
fn signed(units: u64, is_negative: bool) -> i64 {
    // At most 18 digits.
    let units = units as i64;
    if is_negative { units.wrapping_neg() } else { units }
}

/// An integer of at most 18 digits.
#[inline]
pub fn int(text: &[u8], at: usize) -> Option<(i64, usize)> {
    let is_negative = text.get(at) == Some(&b'-');
    let start = at.wrapping_add(usize::from(is_negative));
    let (units, n_digits) = digits(text, start)?;
    let end = start.wrapping_add(n_digits);
    let is_padded = n_digits > 1 && text.get(start) == Some(&b'0');
    match text.get(end) {
        Some(b'e' | b'E' | b'.') => None,
        _ if n_digits == 0 || is_padded => None,
        _ => Some((signed(units, is_negative), end)),
    }
}

/// The units of a decimal of at most 18 digits, of which none is lost.
#[inline]
pub fn decimal(text: &[u8], at: usize, precision: u8, scale: u8) -> Option<(i64, usize)> {
    let plain = plain(text, at)?;
    let missing = usize::from(scale).checked_sub(plain.n_behind)?;
    let units = plain.units.checked_mul(*POWERS.get(missing)?)?;
    let limit = POWERS.get(usize::from(precision)).copied().unwrap_or(1 << 63);
    (units < limit).then_some((signed(units, plain.is_negative), plain.end))
}

/// The float nearest to a number whose digits, as an integer, are one exactly.
///
/// The power of ten below it is exact too, and a division is rounded once: so the quotient is the nearest
/// float to the number (Clinger's fast path).
#[inline]
pub fn float(text: &[u8], at: usize) -> Option<(f64, usize)> {
    let plain = plain(text, at)?;
    if plain.units > 1 << 53 {
        return None;
    }
    let size = plain.units as i64 as f64 / POWERS[plain.n_behind] as i64 as f64;
    Some((if plain.is_negative { -size + 0.0 } else { size }, plain.end))
}

/// Eight bytes with digits in some places.
struct Form {
    /// Zeros in place of the digits.
    bytes: u64,
    /// What may be added to the digits and to the zeros in place of other bytes without reaching the highest
    /// bit.
    limits: u64,
}

impl Form {
    const DATE: Form = Form::new(*b"0000-00-");
    const TIME: Form = Form::new(*b"00T00:00");
    const TIME_AFTER_BLANK: Form = Form::new(*b"00 00:00");
    const OFFSET: Form = Form::new(*b"00:00\0\0\0");

    const fn new(bytes: [u8; 8]) -> Self {
        let (mut limits, mut place) = ([0x7f; 8], 0);
        while place < 8 {
            if bytes[place] == b'0' {
                limits[place] = 0x76;
            }
            place += 1;
        }
        Form { bytes: u64::from_le_bytes(bytes), limits: u64::from_le_bytes(limits) }
    }

    /// The digits of a word, if it is of this form.
    #[inline]
    fn digits(&self, word: u64) -> Option<u64> {
        let digits = word ^ self.bytes;
        ((digits.wrapping_add(self.limits) | digits) & HIGH == 0).then_some(digits)
    }
}

/// The two digits from a byte of a word on.
#[inline]
fn pair(digits: u64, at: u32) -> i32 {
    let pairs = digits.wrapping_mul(10).wrapping_add(digits >> 8);
    i32::from((pairs >> (8 * at)) as u8)
}

/// Year and month.
#[inline]
fn month(text: &[u8], at: usize) -> Option<(i32, i32)> {
    let digits = Form::DATE.digits(word(text, at))?;
    Some((pair(digits, 0) * 100 + pair(digits, 2), pair(digits, 5)))
}

/// A day of the form `YYYY-MM-DD`, since 1970-01-01.
#[inline]
pub fn day(text: &[u8], at: usize) -> Option<(i32, usize)> {
    let (year, month) = month(text, at)?;
    let [tens @ b'0'..=b'9', ones @ b'0'..=b'9'] = text.get(at + 8..at + 10)? else { return None };
    let day = i32::from(tens - b'0') * 10 + i32::from(ones - b'0');
    Some((day_of(year, month, day).ok()?, at + 10))
}

/// An instant in µs since 1970-01-01T00:00Z: `YYYY-MM-DD`, `T` or a space, `HH:MM:SS`, perhaps a fraction
/// down to the microsecond, and `Z` or `±HH:MM`.
#[inline]
pub fn instant(text: &[u8], at: usize) -> Option<(i64, usize)> {
    let (year, month) = month(text, at)?;
    let form = if text.get(at + 10) == Some(&b' ') { Form::TIME_AFTER_BLANK } else { Form::TIME };
    let middle = form.digits(word(text, at + 8))?;
    let day = day_of(year, month, pair(middle, 0)).ok()?;
    let [b':', tens @ b'0'..=b'9', ones @ b'0'..=b'9', next] = text.get(at + 16..at + 20)? else {
        return None;
    };
    let second = i32::from(tens - b'0') * 10 + i32::from(ones - b'0');
    let (fraction, at) = match next {
        b'.' => {
            let (value, n_digits) =
                digits(text, at + 20).filter(|(_, n_digits)| (1..=6).contains(n_digits))?;
            (value.wrapping_mul(POWERS[6 - n_digits]) as i64, at + 20 + n_digits)
        }
        _ => (0, at + 19),
    };
    let of_day = micros_of_day(pair(middle, 3), pair(middle, 6), second, fraction).ok()?;
    let local = i64::from(day) * DAY + of_day;
    match text.get(at)? {
        b'Z' => Some((in_range(local).ok()?, at + 1)),
        b'+' | b'-' => of_offset(text, at, local),
        _ => None,
    }
}

/// The instant of a local time that is followed by its offset.
fn of_offset(text: &[u8], at: usize, local: i64) -> Option<(i64, usize)> {
    let digits = Form::OFFSET.digits(word(text.get(..at + 6)?, at + 1))?;
    let (hours, minutes) = (pair(digits, 0), pair(digits, 3));
    if hours > 23 || minutes > 59 {
        return None;
    }
    let size = i64::from(hours * 3600 + minutes * 60) * SECOND;
    let offset = if text.get(at) == Some(&b'-') { -size } else { size };
    Some((in_range(local - offset).ok()?, at + 6))
}

#[cfg(test)]
#[path = "leading_tests.rs"]
mod tests;
