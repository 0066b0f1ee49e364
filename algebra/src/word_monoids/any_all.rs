//! `any` and `all` of booleans.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray};

use crate::word_groups::WordKernel;
use crate::{Checked, WordOp};

/// Some row was true.
#[derive(Debug, Clone)]
pub(crate) struct AnyTrue;

/// No row was false; the word holds whether one was.
#[derive(Debug, Clone)]
pub(crate) struct AllTrue;

impl WordKernel<1> for AnyTrue {
    const PROGRAM: &'static [WordOp] = &[WordOp::Max(1)];
    type Column = BooleanArray;

    #[inline]
    fn state(value: bool) -> [u64; 1] {
        [u64::from(value)]
    }
    fn check(&self, state: &[u64; 1]) -> Checked<()> {
        check_flag(state[0])
    }
    fn present(&self, states: &[[u64; 1]]) -> Checked<ArrayRef> {
        Ok(booleans(states.iter().map(|[seen]| *seen == 1)))
    }
}

impl WordKernel<1> for AllTrue {
    const PROGRAM: &'static [WordOp] = &[WordOp::Max(1)];
    type Column = BooleanArray;

    #[inline]
    fn state(value: bool) -> [u64; 1] {
        [u64::from(!value)]
    }
    fn check(&self, state: &[u64; 1]) -> Checked<()> {
        check_flag(state[0])
    }
    fn present(&self, states: &[[u64; 1]]) -> Checked<ArrayRef> {
        Ok(booleans(states.iter().map(|[seen]| *seen == 0)))
    }
}

fn check_flag(word: u64) -> Checked<()> {
    if word <= 1 { Ok(()) } else { Err("the state is neither zero nor one") }
}

fn booleans(values: impl Iterator<Item = bool>) -> ArrayRef {
    Arc::new(values.map(Some).collect::<BooleanArray>())
}
