//! Exact power sums of floats, for means, variances and standard deviations.

use num_bigint::BigInt;
use num_traits::Signed;

use super::{ExactSum, ExactSumOfSquares, HeapValue, NOT_CANONICAL, Reader, TOO_MANY_ROWS};
use crate::Checked;
use crate::rounding::{scaled_ratio_to_f64, scaled_root_to_f64};

const NO_SUCH_ROWS: &str = "the state holds power sums that no rows have";

/// Count and sum of floats.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FloatMean {
    /// Up to 2⁶³ − 1, while values are added up to twice that.
    n_rows: u64,
    sum: ExactSum,
}

/// Count, sum and sum of squares of floats.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FloatMoments {
    /// Up to 2⁶³ − 1, while values are added up to twice that.
    n_rows: u64,
    sum: ExactSum,
    squares: ExactSumOfSquares,
}

impl FloatMean {
    /// Adds a finite float.
    #[inline]
    pub(crate) fn add(&mut self, value: f64) {
        self.n_rows += 1;
        self.sum.add(value);
    }

    /// Brings a state into its canonical form after values were added.
    pub(crate) fn normalize(&mut self) -> Checked<()> {
        self.sum.normalize();
        check_count(self.n_rows)
    }

    /// The mean, rounded once; none without rows.
    pub fn value(&self) -> Option<f64> {
        let (sum, exponent) = self.sum.to_big();
        scaled_ratio_to_f64(&sum, &BigInt::from(self.n_rows), exponent)
    }

    /// Reads canonical bytes: nothing for no rows, else the count (8 bytes) and the sum.
    pub(crate) fn decode(bytes: &[u8]) -> Checked<Self> {
        if bytes.is_empty() {
            return Ok(Self::default());
        }
        let mut reader = Reader::new(bytes);
        let n_rows = decode_count(&mut reader)?;
        Ok(FloatMean { n_rows, sum: ExactSum::decode(reader.rest())? })
    }
}

impl HeapValue for FloatMean {
    fn merge(&mut self, other: &Self) -> Checked<()> {
        self.n_rows = self.n_rows.saturating_add(other.n_rows);
        check_count(self.n_rows)?;
        self.sum.merge(&other.sum)
    }

    fn encode(&self, out: &mut Vec<u8>) {
        if self.n_rows > 0 {
            out.extend(self.n_rows.to_le_bytes());
            self.sum.encode(out);
        }
    }

    #[inline]
    fn heap_size(&self) -> usize {
        self.sum.heap_size()
    }
}

impl FloatMoments {
    /// Adds a finite float.
    #[inline]
    pub(crate) fn add(&mut self, value: f64) {
        self.n_rows += 1;
        self.sum.add(value);
        self.squares.add_square(value);
    }

    /// Brings a state into its canonical form after values were added.
    pub(crate) fn normalize(&mut self) -> Checked<()> {
        self.sum.normalize();
        self.squares.normalize();
        check_count(self.n_rows)
    }

    /// The variance of the sample (n − 1), rounded once; none for fewer than two rows, and beyond the
    /// largest float. An error for power sums that no rows have.
    pub(crate) fn variance(&self) -> Checked<Option<f64>> {
        let (spread, n_pairs, exponent) = self.spread()?;
        Ok(scaled_ratio_to_f64(&spread, &n_pairs, exponent))
    }

    /// The square root of the exact variance, rounded once.
    pub(crate) fn deviation(&self) -> Checked<Option<f64>> {
        let (spread, n_pairs, exponent) = self.spread()?;
        Ok(scaled_root_to_f64(&spread, &n_pairs, exponent))
    }

    /// n·Σx² − (Σx)² as an integer times a power of two, and n·(n − 1) between them.
    fn spread(&self) -> Checked<(BigInt, BigInt, i64)> {
        let (spread, exponent) = self.scaled_spread();
        // Never so for the sums of any rows, by Cauchy and Schwarz.
        if spread.is_negative() {
            return Err(NO_SUCH_ROWS);
        }
        let n_pairs = BigInt::from(self.n_rows) * self.n_rows.saturating_sub(1);
        Ok((spread, n_pairs, exponent))
    }

    fn scaled_spread(&self) -> (BigInt, i64) {
        let (sum, sum_exponent) = self.sum.to_big();
        let (squares, squares_exponent) = self.squares.to_big();
        let exponent = squares_exponent.min(2 * sum_exponent);
        let n_squares = (squares * self.n_rows) << (squares_exponent - exponent).unsigned_abs();
        let square_of_sum = (&sum * &sum) << (2 * sum_exponent - exponent).unsigned_abs();
        (n_squares - square_of_sum, exponent)
    }

    /// Reads canonical bytes: nothing for no rows, else the count (8 bytes), the length of the sum in bytes
    /// (2 bytes), the sum, and the sum of squares.
    pub(crate) fn decode(bytes: &[u8]) -> Checked<Self> {
        if bytes.is_empty() {
            return Ok(Self::default());
        }
        let mut reader = Reader::new(bytes);
        let n_rows = decode_count(&mut reader)?;
        let n_sum_bytes = u16::from_le_bytes(reader.array()?);
        let sum = ExactSum::decode(reader.slice(usize::from(n_sum_bytes))?)?;
        let squares = ExactSumOfSquares::decode(reader.rest())?;
        if squares.is_negative() {
            return Err(NO_SUCH_ROWS);
        }
        Ok(FloatMoments { n_rows, sum, squares })
    }
}

impl HeapValue for FloatMoments {
    fn merge(&mut self, other: &Self) -> Checked<()> {
        self.n_rows = self.n_rows.saturating_add(other.n_rows);
        check_count(self.n_rows)?;
        self.sum.merge(&other.sum)?;
        self.squares.merge(&other.squares)
    }

    fn encode(&self, out: &mut Vec<u8>) {
        if self.n_rows > 0 {
            out.extend(self.n_rows.to_le_bytes());
            out.extend((self.sum.n_bytes() as u16).to_le_bytes());
            self.sum.encode(out);
            self.squares.encode(out);
        }
    }

    #[inline]
    fn heap_size(&self) -> usize {
        self.sum.heap_size() + self.squares.heap_size()
    }
}

/// A count of at least one row.
pub(super) fn decode_count(reader: &mut Reader<'_>) -> Checked<u64> {
    let n_rows = u64::from_le_bytes(reader.array()?);
    check_count(n_rows).map_err(|_| NOT_CANONICAL)?;
    if n_rows > 0 { Ok(n_rows) } else { Err(NOT_CANONICAL) }
}

pub(super) fn check_count(n_rows: u64) -> Checked<()> {
    if n_rows <= i64::MAX as u64 { Ok(()) } else { Err(TOO_MANY_ROWS) }
}
