//! What power sums present: skewness, kurtosis, covariance, correlation, regression.
//!
//! The sums are exact integers, so every figure is one ratio (or the root of one), rounded once. Sums of
//! cubes and products look wide, but nothing is lost on the way, and the formulas of the textbook may be used
//! as they are.

use num_bigint::BigInt;
use num_traits::{Signed, Zero};

use crate::Checked;
use crate::rounding::{scaled_ratio_to_f64, scaled_root_to_f64};

const NO_SUCH_ROWS: &str = "the state holds power sums that no rows have";

/// Number of rows, and the sums of x, x², x³ and x⁴. The unit of x does not matter: what is presented has
/// none.
#[derive(Debug)]
pub(crate) struct PowerSums {
    pub(crate) n_rows: u64,
    pub(crate) sums: [BigInt; 4],
}

/// Which figure of one argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Figure {
    /// G₁ = √(n(n−1)) / (n−2) · m₃ / m₂^(3/2).
    Skewness,
    /// G₂ = (n−1) / ((n−2)(n−3)) · ((n+1)(m₄/m₂² − 3) + 6): zero for a normal distribution.
    Kurtosis,
}

impl PowerSums {
    /// Adjusted for the size of the sample (Joanes, Gill, "Comparing measures of sample skewness and
    /// kurtosis", 1998); none for fewer than three, or four, rows, and for rows that are all the same.
    pub(crate) fn present(&self, figure: Figure) -> Checked<Option<f64>> {
        let n = BigInt::from(self.n_rows);
        let [sum, squares, cubes, fourths] = &self.sums;
        // m₂·n², never negative for the sums of any rows.
        let second = squares * &n - sum * sum;
        if second.is_negative() || fourths.is_negative() {
            return Err(NO_SUCH_ROWS);
        }
        let n_least = if figure == Figure::Skewness { 3 } else { 4 };
        if self.n_rows < n_least || second.is_zero() {
            return Ok(None);
        }
        match figure {
            Figure::Skewness => {
                // m₃·n³.
                let third: BigInt = cubes * &n * &n - sum * squares * &n * 3 + sum * sum * sum * 2;
                let numerator = &third * &third * &n * (&n - 1);
                let denominator = (&n - 2_i32).pow(2) * second.pow(3);
                let root = scaled_root_to_f64(&numerator, &denominator, 0);
                Ok(root.map(|root| if third.is_negative() { 0.0 - root } else { root }))
            }
            Figure::Kurtosis => {
                // m₄·n⁴.
                let fourth: BigInt = fourths * n.pow(3) - sum * cubes * n.pow(2) * 4
                    + sum * sum * squares * &n * 6
                    - sum.pow(4) * 3;
                let square = second.pow(2);
                let excess: BigInt = (fourth - &square * 3) * (&n + 1) + &square * 6;
                let numerator = excess * (&n - 1);
                let denominator = square * (&n - 2) * (&n - 3);
                Ok(scaled_ratio_to_f64(&numerator, &denominator, 0))
            }
        }
    }
}

/// Number of rows, and the sums of a, b, a², b² and a·b, in units of a and of b.
#[derive(Debug)]
pub(crate) struct PairSums {
    pub(crate) n_rows: u64,
    pub(crate) first: BigInt,
    pub(crate) second: BigInt,
    pub(crate) first_squares: BigInt,
    pub(crate) second_squares: BigInt,
    pub(crate) products: BigInt,
}

/// The unit of a number: 2^binary / 10^decimal.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Unit {
    pub(crate) binary: i64,
    pub(crate) decimal: u32,
}

/// Which figure of two arguments, a and b.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Relation {
    /// Of the sample (n − 1).
    Covariance,
    /// Pearson's.
    Correlation,
    /// Of the line a = slope · b + intercept with the least squares.
    Slope,
    /// Of the same line.
    Intercept,
}

impl PairSums {
    /// None for fewer than two rows; correlation, slope and intercept also where an argument does not vary.
    pub(crate) fn present(&self, relation: Relation, units: [Unit; 2]) -> Checked<Option<f64>> {
        let n = BigInt::from(self.n_rows);
        let spread = |squares: &BigInt, sum: &BigInt| squares * &n - sum * sum;
        let (first, second) =
            (spread(&self.first_squares, &self.first), spread(&self.second_squares, &self.second));
        let both = &self.products * &n - &self.first * &self.second;
        // Cauchy and Schwarz.
        if first.is_negative() || second.is_negative() || &both * &both > &first * &second {
            return Err(NO_SUCH_ROWS);
        }
        if self.n_rows < 2 {
            return Ok(None);
        }
        let [a, b] = units;
        Ok(match relation {
            Relation::Covariance => {
                let unit = Unit { binary: a.binary + b.binary, decimal: a.decimal + b.decimal };
                rounded(&both, &(&n * (&n - 1)), unit, Unit::default())
            }
            Relation::Correlation if first.is_zero() || second.is_zero() => None,
            Relation::Correlation => {
                let root = scaled_root_to_f64(&(&both * &both), &(first * second), 0);
                root.map(|root| if both.is_negative() { 0.0 - root } else { root })
            }
            Relation::Slope | Relation::Intercept if second.is_zero() => None,
            Relation::Slope => rounded(&both, &second, a, b),
            Relation::Intercept => {
                let numerator = &self.first * &second - both * &self.second;
                rounded(&numerator, &(second * n), a, Unit::default())
            }
        })
    }
}

/// numerator / denominator · unit / per, rounded once.
fn rounded(numerator: &BigInt, denominator: &BigInt, unit: Unit, per: Unit) -> Option<f64> {
    let power = |exponent: u32| BigInt::from(10).pow(exponent);
    let (numerator, denominator) = (numerator * power(per.decimal), denominator * power(unit.decimal));
    scaled_ratio_to_f64(&numerator, &denominator, unit.binary - per.binary)
}
