//! Bitwise or, and, and exclusive or of integers.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array};

use crate::word_groups::WordKernel;
use crate::{Checked, WordOp};

/// Bits that some row has; zero without rows.
#[derive(Debug, Clone)]
pub(crate) struct BitsOr;

/// Bits that an odd number of rows has; zero without rows.
#[derive(Debug, Clone)]
pub(crate) struct BitsXor;

/// Bits that every row has; null without rows. The state is whether there are rows, and the bits that some
/// row lacks.
#[derive(Debug, Clone)]
pub(crate) struct BitsAnd;

impl WordKernel<1> for BitsOr {
    const PROGRAM: &'static [WordOp] = &[WordOp::Or(1)];
    type Column = Int64Array;

    #[inline]
    fn state(value: i64) -> [u64; 1] {
        [value as u64]
    }
    fn check(&self, _state: &[u64; 1]) -> Checked<()> {
        Ok(())
    }
    fn present(&self, states: &[[u64; 1]]) -> Checked<ArrayRef> {
        Ok(Arc::new(Int64Array::from_iter_values(states.iter().map(|[bits]| *bits as i64))))
    }
}

impl WordKernel<1> for BitsXor {
    const PROGRAM: &'static [WordOp] = &[WordOp::Xor(1)];
    type Column = Int64Array;

    #[inline]
    fn state(value: i64) -> [u64; 1] {
        [value as u64]
    }
    fn check(&self, _state: &[u64; 1]) -> Checked<()> {
        Ok(())
    }
    fn present(&self, states: &[[u64; 1]]) -> Checked<ArrayRef> {
        Ok(Arc::new(Int64Array::from_iter_values(states.iter().map(|[bits]| *bits as i64))))
    }
}

impl WordKernel<2> for BitsAnd {
    const PROGRAM: &'static [WordOp] = &[WordOp::Max(1), WordOp::Or(1)];
    type Column = Int64Array;

    #[inline]
    fn state(value: i64) -> [u64; 2] {
        [1, !value as u64]
    }
    fn check(&self, [is_there, lacking]: &[u64; 2]) -> Checked<()> {
        match (is_there, lacking) {
            (0, 0) | (1, _) => Ok(()),
            _ => Err("the state has bits of no rows"),
        }
    }
    fn present(&self, states: &[[u64; 2]]) -> Checked<ArrayRef> {
        let bits = |[is_there, lacking]: &[u64; 2]| (*is_there == 1).then_some(!lacking as i64);
        Ok(Arc::new(states.iter().map(bits).collect::<Int64Array>()))
    }
}
