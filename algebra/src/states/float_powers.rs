//! Exact sums of powers and products of floats.

use num_bigint::BigInt;
use num_traits::Zero;

use super::exact_sum::{Exact, parts_of};
use super::float_moments::{check_count, decode_count};
use super::{ExactSum, ExactSumOfSquares, HeapValue, NOT_CANONICAL, Reader, put_varint};
use crate::Checked;
use crate::moments::{PairSums, PowerSums, Unit};

/// Sum of the cubes of up to 2⁶³ floats: 6,400 bits from 2^-3264 on, the window from 2^-320 to 2^191.
pub type ExactSumOfCubes = Exact<8, 100, 46, -3264>;
/// Sum of the fourth powers of up to 2⁶³ floats: 8,512 bits from 2^-4352 on, the window from 2^-384 to 2^255.
pub type ExactSumOfFourths = Exact<10, 133, 62, -4352>;

/// Count and sums of the first four powers of floats.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FloatPowers {
    n_rows: u64,
    sum: ExactSum,
    squares: ExactSumOfSquares,
    cubes: ExactSumOfCubes,
    fourths: ExactSumOfFourths,
}

/// Count and sums of two floats, of their squares and of their product.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FloatPairs {
    n_rows: u64,
    first: ExactSum,
    second: ExactSum,
    first_squares: ExactSumOfSquares,
    second_squares: ExactSumOfSquares,
    products: ExactSumOfSquares,
}

impl FloatPowers {
    /// Adds a finite float.
    pub(crate) fn add(&mut self, value: f64) {
        self.n_rows += 1;
        self.sum.add(value);
        self.squares.add_square(value);
        let (mantissa, exponent) = parts_of(value);
        let square = u128::from(mantissa) * u128::from(mantissa);
        let (low, high) = (square & u128::from(u64::MAX), square >> 64);
        let is_negative = value.is_sign_negative();
        // Powers of more than 128 bits come in parts, each 64 bits above the last.
        self.cubes.add_scaled(low * u128::from(mantissa), 117, 3 * exponent, is_negative);
        self.cubes.add_scaled(high * u128::from(mantissa), 95, 3 * exponent + 64, is_negative);
        self.fourths.add_scaled(low * low, 128, 4 * exponent, false);
        self.fourths.add_scaled(2 * low * high, 107, 4 * exponent + 64, false);
        self.fourths.add_scaled(high * high, 84, 4 * exponent + 128, false);
    }

    /// Brings a state into its canonical form after values were added.
    pub(crate) fn normalize(&mut self) -> Checked<()> {
        self.sum.normalize();
        self.squares.normalize();
        self.cubes.normalize();
        self.fourths.normalize();
        check_count(self.n_rows)
    }

    /// The sums as integers in powers of one unit.
    pub(crate) fn sums(&self) -> PowerSums {
        let sums = [self.sum.to_big(), self.squares.to_big(), self.cubes.to_big(), self.fourths.to_big()];
        // The largest unit of x in whose powers all sums are whole.
        let exponents = sums.iter().zip(1_i64..).filter(|((sum, _), _)| !sum.is_zero());
        let unit = exponents.map(|((_, exponent), power)| exponent.div_euclid(power)).min().unwrap_or(0);
        let mut powers = 1_i64..;
        let sums = sums.map(|(sum, exponent)| in_unit(sum, exponent, unit * powers.next().unwrap_or(4)));
        PowerSums { n_rows: self.n_rows, sums }
    }

    /// Reads canonical bytes: nothing for no rows, else the count (8 bytes) and the sums of the first to the
    /// fourth power, each after its length in bytes (LEB128).
    pub(crate) fn decode(bytes: &[u8]) -> Checked<Self> {
        if bytes.is_empty() {
            return Ok(Self::default());
        }
        let mut reader = Reader::new(bytes);
        let powers = FloatPowers {
            n_rows: decode_count(&mut reader)?,
            sum: get(&mut reader)?,
            squares: get(&mut reader)?,
            cubes: get(&mut reader)?,
            fourths: get(&mut reader)?,
        };
        if reader.is_empty() { Ok(powers) } else { Err(NOT_CANONICAL) }
    }
}

impl FloatPairs {
    /// Adds two finite floats.
    #[inline]
    pub(crate) fn add(&mut self, first: f64, second: f64) {
        self.n_rows += 1;
        self.first.add(first);
        self.second.add(second);
        self.first_squares.add_square(first);
        self.second_squares.add_square(second);
        self.products.add_product(first, second);
    }

    /// Brings a state into its canonical form after values were added.
    pub(crate) fn normalize(&mut self) -> Checked<()> {
        self.first.normalize();
        self.second.normalize();
        self.first_squares.normalize();
        self.second_squares.normalize();
        self.products.normalize();
        check_count(self.n_rows)
    }

    /// The sums as integers, and the units of both arguments.
    pub(crate) fn sums(&self) -> (PairSums, [Unit; 2]) {
        let unit = |sum: &(BigInt, i64), squares: &(BigInt, i64)| {
            let exponents = [(sum, 1), (squares, 2)].into_iter().filter(|((sum, _), _)| !sum.is_zero());
            exponents.map(|((_, exponent), power)| exponent.div_euclid(power)).min().unwrap_or(0)
        };
        let (first, second) = (self.first.to_big(), self.second.to_big());
        let (first_squares, second_squares) = (self.first_squares.to_big(), self.second_squares.to_big());
        let products = self.products.to_big();
        let (mut a, b) = (unit(&first, &first_squares), unit(&second, &second_squares));
        if !products.0.is_zero() {
            a = a.min(products.1 - b);
        }
        let sums = PairSums {
            n_rows: self.n_rows,
            first: in_unit(first.0, first.1, a),
            second: in_unit(second.0, second.1, b),
            first_squares: in_unit(first_squares.0, first_squares.1, 2 * a),
            second_squares: in_unit(second_squares.0, second_squares.1, 2 * b),
            products: in_unit(products.0, products.1, a + b),
        };
        (sums, [a, b].map(|binary| Unit { binary, decimal: 0 }))
    }

    /// Reads canonical bytes: nothing for no rows, else the count (8 bytes) and the sums of both arguments,
    /// of their squares and of their product, each after its length in bytes (LEB128).
    pub(crate) fn decode(bytes: &[u8]) -> Checked<Self> {
        if bytes.is_empty() {
            return Ok(Self::default());
        }
        let mut reader = Reader::new(bytes);
        let pairs = FloatPairs {
            n_rows: decode_count(&mut reader)?,
            first: get(&mut reader)?,
            second: get(&mut reader)?,
            first_squares: get(&mut reader)?,
            second_squares: get(&mut reader)?,
            products: get(&mut reader)?,
        };
        if reader.is_empty() { Ok(pairs) } else { Err(NOT_CANONICAL) }
    }
}

/// An integer times 2^exponent as an integer times 2^unit; zero has any exponent.
fn in_unit(sum: BigInt, exponent: i64, unit: i64) -> BigInt {
    if sum.is_zero() { sum } else { sum << (exponent - unit).unsigned_abs() }
}

fn get<const WINDOW: usize, const FULL: usize, const FIRST: usize, const EXPONENT: i32>(
    reader: &mut Reader<'_>,
) -> Checked<Exact<WINDOW, FULL, FIRST, EXPONENT>> {
    let n_bytes = usize::try_from(reader.varint()?).map_err(|_| NOT_CANONICAL)?;
    Exact::decode(reader.slice(n_bytes)?)
}

fn put<const WINDOW: usize, const FULL: usize, const FIRST: usize, const EXPONENT: i32>(
    sum: &Exact<WINDOW, FULL, FIRST, EXPONENT>,
    out: &mut Vec<u8>,
) {
    put_varint(sum.n_bytes() as u64, out);
    sum.encode(out);
}

impl HeapValue for FloatPowers {
    fn merge(&mut self, other: &Self) -> Checked<()> {
        self.n_rows = self.n_rows.saturating_add(other.n_rows);
        check_count(self.n_rows)?;
        self.sum.merge(&other.sum)?;
        self.squares.merge(&other.squares)?;
        self.cubes.merge(&other.cubes)?;
        self.fourths.merge(&other.fourths)
    }

    fn encode(&self, out: &mut Vec<u8>) {
        if self.n_rows > 0 {
            out.extend(self.n_rows.to_le_bytes());
            put(&self.sum, out);
            put(&self.squares, out);
            put(&self.cubes, out);
            put(&self.fourths, out);
        }
    }

    #[inline]
    fn heap_size(&self) -> usize {
        self.sum.heap_size() + self.squares.heap_size() + self.cubes.heap_size() + self.fourths.heap_size()
    }
}

impl HeapValue for FloatPairs {
    fn merge(&mut self, other: &Self) -> Checked<()> {
        self.n_rows = self.n_rows.saturating_add(other.n_rows);
        check_count(self.n_rows)?;
        self.first.merge(&other.first)?;
        self.second.merge(&other.second)?;
        self.first_squares.merge(&other.first_squares)?;
        self.second_squares.merge(&other.second_squares)?;
        self.products.merge(&other.products)
    }

    fn encode(&self, out: &mut Vec<u8>) {
        if self.n_rows > 0 {
            out.extend(self.n_rows.to_le_bytes());
            put(&self.first, out);
            put(&self.second, out);
            put(&self.first_squares, out);
            put(&self.second_squares, out);
            put(&self.products, out);
        }
    }

    #[inline]
    fn heap_size(&self) -> usize {
        [&self.first_squares, &self.second_squares, &self.products]
            .map(HeapValue::heap_size)
            .iter()
            .sum::<usize>()
            + self.first.heap_size()
            + self.second.heap_size()
    }
}
