//! Exact sums of floats: integers wide enough for every float, rounded only when presented.
//!
//! A float is an integer times a power of two, so a sum of floats is a sum of integers: no order, no
//! grouping, no cancellation can change it. The full integer has thousands of bits, but nearly all
//! values of nearly all data lie within a window of a few words in the middle of it; a sum stays in the
//! window as long as it fits (the idea of R. Neal, "Fast Exact Summation Using Small and Large
//! Superaccumulators", 2015, and of U. Kulisch's long accumulator, here with plain two's complement
//! words, so that equal sums are equal words).

use super::{HeapValue, NOT_CANONICAL, TOO_MANY_ROWS};
use crate::Checked;
use crate::rounding::round_limbs;

use num_bigint::BigInt;

/// Sum of up to 2⁶³ floats: 2,240 bits from 2^-1120 on, the window from 2^-96 to 2^95.
pub type ExactSum = Exact<3, 35, 16, -1120>;

/// Sum of the squares, or products of two, of up to 2⁶³ floats: 4,352 bits from 2^-2176 on, the window from
/// 2^-192 to 2^127.
pub type ExactSumOfSquares = Exact<5, 68, 31, -2176>;

/// A two's complement integer of `FULL` limbs times 2^`EXPONENT`, held in `WINDOW` limbs starting with limb
/// `FIRST` where those are enough.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Exact<const WINDOW: usize, const FULL: usize, const FIRST: usize, const EXPONENT: i32> {
    /// The number, if it is not in `full`; else zero.
    window: [u64; WINDOW],
    /// There only if the number does not fit the window; while values are added, it may be there before that.
    full: Option<Box<[u64; FULL]>>,
}

impl<const WINDOW: usize, const FULL: usize, const FIRST: usize, const EXPONENT: i32> Default
    for Exact<WINDOW, FULL, FIRST, EXPONENT>
{
    fn default() -> Self {
        Exact { window: [0; WINDOW], full: None }
    }
}

impl<const WINDOW: usize, const FULL: usize, const FIRST: usize, const EXPONENT: i32>
    Exact<WINDOW, FULL, FIRST, EXPONENT>
{
    /// Weight of the window's last bit.
    const WINDOW_EXPONENT: i32 = EXPONENT + 64 * FIRST as i32;

    /// Adds ±magnitude · 2^exponent; the magnitude has at most `n_bits` bits and is that of a float or
    /// of a product of as many as the sum is made for.
    #[inline]
    pub(super) fn add_scaled(&mut self, magnitude: u128, n_bits: u32, exponent: i32, negative: bool) {
        let offset = (exponent - Self::WINDOW_EXPONENT) as u32;
        let in_window = offset < 64 * WINDOW as u32 - n_bits
            && self.full.is_none()
            && add_to_window(&mut self.window, magnitude, offset, negative);
        if !in_window {
            self.add_outside(magnitude, exponent, negative);
        }
    }

    /// Adds what the window may not hold.
    #[cold]
    fn add_outside(&mut self, magnitude: u128, exponent: i32, negative: bool) {
        if magnitude == 0 {
            return;
        }
        // Without its trailing zeros a value may lie within the window after all.
        let n_zeros = magnitude.trailing_zeros();
        let (magnitude, exponent) = (magnitude >> n_zeros, exponent + n_zeros as i32);
        let n_bits = u128::BITS - magnitude.leading_zeros();
        let offset = exponent - Self::WINDOW_EXPONENT;
        let in_window = offset >= 0
            && (offset as u32) < 64 * WINDOW as u32 - n_bits
            && self.full.is_none()
            && add_to_window(&mut self.window, magnitude, offset as u32, negative);
        if !in_window {
            add_shifted(self.widen(), magnitude, (exponent - EXPONENT) as u32, negative);
        }
    }

    /// The full limbs, made from the window's if need be.
    fn widen(&mut self) -> &mut [u64; FULL] {
        let window = std::mem::replace(&mut self.window, [0; WINDOW]);
        self.full.get_or_insert_with(|| Box::new(widened::<WINDOW, FULL, FIRST>(&window)))
    }

    /// Goes back into the window if the number fits: the canonical form.
    pub(crate) fn normalize(&mut self) {
        if let Some(full) = &self.full {
            let (low, rest) = full.split_at(FIRST);
            if let Some((window, high)) = rest.split_first_chunk::<WINDOW>() {
                let sign = sign_limb(window);
                if low.iter().all(|limb| *limb == 0) && high.iter().all(|limb| *limb == sign) {
                    self.window = *window;
                    self.full = None;
                }
            }
        }
    }

    /// The limbs without zeros below and without repeated signs above, and the index of the first.
    fn trimmed(&self) -> (usize, &[u64]) {
        let (first, limbs): (usize, &[u64]) = match &self.full {
            None => (FIRST, &self.window),
            Some(full) => (0, full.as_slice()),
        };
        let Some(low) = limbs.iter().position(|limb| *limb != 0) else { return (0, &[]) };
        let mut limbs = &limbs[low..];
        while let [.., next, top] = limbs
            && *top == sign_limb(&[*next])
        {
            limbs = &limbs[..limbs.len() - 1];
        }
        (first + low, limbs)
    }

    /// The sum, rounded once to the nearest float, ties to even; none beyond the largest float.
    pub fn value(&self) -> Option<f64> {
        let (index, limbs) = self.trimmed();
        round_limbs(limbs, i64::from(EXPONENT) + 64 * index as i64)
    }

    /// The sum as an integer, and the power of two it is to be multiplied by.
    pub(crate) fn to_big(&self) -> (BigInt, i64) {
        let (index, limbs) = self.trimmed();
        let bytes: Vec<u8> = limbs.iter().flat_map(|limb| limb.to_le_bytes()).collect();
        (BigInt::from_signed_bytes_le(&bytes), i64::from(EXPONENT) + 64 * index as i64)
    }

    /// Whether the sum is below zero.
    pub(crate) fn is_negative(&self) -> bool {
        self.trimmed().1.last().is_some_and(|top| top >> 63 == 1)
    }

    /// Number of canonical bytes.
    pub(crate) fn n_bytes(&self) -> usize {
        match self.trimmed().1.len() {
            0 => 0,
            n_limbs => 1 + 8 * n_limbs,
        }
    }

    /// Reads canonical bytes: nothing for zero, else the index of the first limb and the trimmed limbs.
    pub(crate) fn decode(bytes: &[u8]) -> Checked<Self> {
        let Some((index, rest)) = bytes.split_first() else { return Ok(Self::default()) };
        let (limbs, odd) = rest.as_chunks::<8>();
        let limbs: Vec<u64> = limbs.iter().map(|limb| u64::from_le_bytes(*limb)).collect();
        let (start, end) = (usize::from(*index), usize::from(*index) + limbs.len());
        let is_trimmed = match limbs.as_slice() {
            [] | [0, ..] => false,
            [.., next, top] => *top != sign_limb(&[*next]),
            [_] => true,
        };
        if !odd.is_empty() || !is_trimmed || end > FULL {
            return Err(NOT_CANONICAL);
        }
        let sign = sign_limb(&limbs);
        let place = |target: &mut [u64], start: usize| {
            target[start..start + limbs.len()].copy_from_slice(&limbs);
            target[start + limbs.len()..].fill(sign);
        };
        let mut decoded = Self::default();
        if start >= FIRST && end <= FIRST + WINDOW {
            place(&mut decoded.window, start - FIRST);
        } else {
            place(decoded.widen(), start);
        }
        Ok(decoded)
    }
}

// What a group of `sum(float)` takes while its values lie within the window.
const _: () = assert!(size_of::<ExactSum>() == 32);

impl ExactSum {
    /// The highest place of a mantissa within the lower two limbs.
    const LAST_NEAR: u32 = 2 * 64 - 53;

    /// Adds a finite float. Afterwards [`Exact::normalize`] is due before the sum is used as a state.
    #[inline]
    pub(crate) fn add(&mut self, value: f64) {
        let (mantissa, exponent) = parts_of(value);
        let offset = (exponent - Self::WINDOW_EXPONENT) as u32;
        let is_added = offset <= Self::LAST_NEAR
            && self.full.is_none()
            && self.add_near(u128::from(mantissa) << offset, value.is_sign_negative());
        if !is_added {
            self.add_scaled(u128::from(mantissa), 53, exponent, value.is_sign_negative());
        }
    }

    /// Adds ±magnitude to the window, in units of its last bit: what values of nearly all data come to, so it
    /// is one addition of 128 bits. False, and nothing added, if the sum is beyond the window.
    #[inline]
    fn add_near(&mut self, magnitude: u128, negative: bool) -> bool {
        let [low, middle, high] = &mut self.window;
        let lower = u128::from(*middle) << 64 | u128::from(*low);
        let (sum, over) =
            if negative { lower.overflowing_sub(magnitude) } else { lower.overflowing_add(magnitude) };
        if over {
            let carry = if negative { -1 } else { 1 };
            let Some(carried) = high.cast_signed().checked_add(carry) else { return false };
            *high = carried.cast_unsigned();
        }
        (*low, *middle) = (sum as u64, (sum >> 64) as u64);
        true
    }
}

impl ExactSumOfSquares {
    /// Adds the square of a finite float, with the same duty as [`ExactSum::add`].
    #[inline]
    pub(crate) fn add_square(&mut self, value: f64) {
        let (mantissa, exponent) = parts_of(value);
        self.add_scaled(u128::from(mantissa) * u128::from(mantissa), 106, 2 * exponent, false);
    }

    /// Adds the product of two finite floats, with the same duty as [`ExactSum::add`].
    #[inline]
    pub(crate) fn add_product(&mut self, first: f64, second: f64) {
        let ((left, left_exponent), (right, right_exponent)) = (parts_of(first), parts_of(second));
        let is_negative = first.is_sign_negative() != second.is_sign_negative();
        let exponent = left_exponent + right_exponent;
        self.add_scaled(u128::from(left) * u128::from(right), 106, exponent, is_negative);
    }
}

impl<const WINDOW: usize, const FULL: usize, const FIRST: usize, const EXPONENT: i32> HeapValue
    for Exact<WINDOW, FULL, FIRST, EXPONENT>
{
    fn merge(&mut self, other: &Self) -> Checked<()> {
        if self.full.is_none() && other.full.is_none() && add_limbs(&mut self.window, &other.window) {
            return Ok(());
        }
        let own = self.widen();
        let fits = match &other.full {
            Some(full) => add_limbs(own, full),
            None => add_limbs(own, &widened::<WINDOW, FULL, FIRST>(&other.window)),
        };
        self.normalize();
        if fits { Ok(()) } else { Err(TOO_MANY_ROWS) }
    }

    fn encode(&self, out: &mut Vec<u8>) {
        let (index, limbs) = self.trimmed();
        if !limbs.is_empty() {
            out.push(index as u8);
            out.extend(limbs.iter().flat_map(|limb| limb.to_le_bytes()));
        }
    }

    #[inline]
    fn heap_size(&self) -> usize {
        if self.full.is_some() { 8 * FULL } else { 0 }
    }
}

/// A finite float's mantissa and its power of two, without the sign.
#[inline]
pub(super) fn parts_of(value: f64) -> (u64, i32) {
    let bits = value.to_bits();
    let biased = (bits >> 52 & 0x7ff) as i32;
    let fraction = bits & ((1 << 52) - 1);
    if biased == 0 { (fraction, -1074) } else { (fraction | 1 << 52, biased - 1075) }
}

/// The limb that continues a two's complement number upwards.
#[inline]
fn sign_limb(limbs: &[u64]) -> u64 {
    limbs.last().map_or(0, |top| ((*top as i64) >> 63) as u64)
}

fn widened<const WINDOW: usize, const FULL: usize, const FIRST: usize>(
    window: &[u64; WINDOW],
) -> [u64; FULL] {
    let mut full = [0; FULL];
    full[FIRST..FIRST + WINDOW].copy_from_slice(window);
    full[FIRST + WINDOW..].fill(sign_limb(window));
    full
}

/// magnitude · 2^shift in three limbs; shift < 64.
#[inline]
fn shifted(magnitude: u128, shift: u32) -> [u64; 3] {
    let low = magnitude << shift;
    [low as u64, (low >> 64) as u64, (magnitude >> 64 >> (64 - shift)) as u64]
}

/// Adds ±magnitude · 2^offset, which is within the limbs' range. False, and nothing added, if the sum is not.
#[inline]
fn add_to_window<const N: usize>(limbs: &mut [u64; N], magnitude: u128, offset: u32, negative: bool) -> bool {
    let was_negative = sign_limb(limbs) != 0;
    add_shifted(limbs, magnitude, offset, negative);
    // The sum of two numbers of one sign has that sign, unless it is out of range.
    let fits = was_negative != negative || (sign_limb(limbs) != 0) == was_negative;
    if !fits {
        add_shifted(limbs, magnitude, offset, !negative);
    }
    fits
}

/// Adds two's complement numbers. False, and nothing added, if the sum leaves their range.
#[inline]
fn add_limbs<const N: usize>(limbs: &mut [u64; N], addend: &[u64; N]) -> bool {
    let mut carry = false;
    let mut sum = *limbs;
    for (limb, other) in sum.iter_mut().zip(addend) {
        let (partial, over) = limb.overflowing_add(*other);
        let (total, over_again) = partial.overflowing_add(u64::from(carry));
        *limb = total;
        carry = over | over_again;
    }
    let (own, other) = (sign_limb(limbs), sign_limb(addend));
    let fits = own != other || own == sign_limb(&sum);
    if fits {
        *limbs = sum;
    }
    fits
}

/// Adds ±magnitude · 2^offset to limbs, and drops what leaves them; touches few of them.
#[inline]
fn add_shifted(limbs: &mut [u64], magnitude: u128, offset: u32, negative: bool) {
    let limbs = limbs.get_mut((offset >> 6) as usize..).unwrap_or_default();
    let parts = shifted(magnitude, offset & 63);
    if negative { add_parts(limbs, parts, sub_with_borrow) } else { add_parts(limbs, parts, add_with_carry) }
}

/// Adds three parts to the first limbs, and carries on.
#[inline(always)]
fn add_parts(limbs: &mut [u64], [low, middle, high]: [u64; 3], step: impl Fn(&mut u64, u64, bool) -> bool) {
    let (mut carry, above) = match limbs {
        [first, second, third, above @ ..] => {
            let carry = step(first, low, false);
            let carry = step(second, middle, carry);
            (step(third, high, carry), above)
        }
        // The parts above are zero, or leave the limbs.
        [first, second] => {
            let carry = step(first, low, false);
            (step(second, middle, carry), &mut [][..])
        }
        [first] => (step(first, low, false), &mut [][..]),
        [] => (false, &mut [][..]),
    };
    for limb in above {
        if !carry {
            return;
        }
        carry = step(limb, 0, true);
    }
}

/// `limb += other + carry`; the carry out of it.
#[inline(always)]
fn add_with_carry(limb: &mut u64, other: u64, carry: bool) -> bool {
    let (partial, over) = limb.overflowing_add(other);
    let (total, over_again) = partial.overflowing_add(u64::from(carry));
    *limb = total;
    over | over_again
}

/// `limb -= other + borrow`; the borrow out of it.
#[inline(always)]
fn sub_with_borrow(limb: &mut u64, other: u64, borrow: bool) -> bool {
    let (partial, over) = limb.overflowing_sub(other);
    let (total, over_again) = partial.overflowing_sub(u64::from(borrow));
    *limb = total;
    over | over_again
}
