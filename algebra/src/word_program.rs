//! Word programs: how states of a fixed number of 64-bit words merge.
//!
//! A word state carries no type; its program is the whole of its meaning. The vectorised groups and
//! the stream's differences both merge through [`merge_words`], so there is one implementation of the
//! arithmetic. Canonical column bytes are the words in order, each little-endian.

use crate::WordOp;

impl WordOp {
    /// Number of words this step covers.
    pub const fn n_words(self) -> usize {
        match self {
            WordOp::Add(n_words) | WordOp::Max(n_words) | WordOp::Or(n_words) | WordOp::Xor(n_words) => {
                n_words as usize
            }
        }
    }
}

/// Number of words in a state with this program.
#[inline]
pub fn n_words(program: &[WordOp]) -> usize {
    program.iter().map(|step| step.n_words()).sum()
}

/// `into ⊕= from`, step by step. All zero is the identity of every program.
///
/// Inlined everywhere, and the short programs spelled out: where the program is a constant, nothing of it is
/// left but a few instructions. That decides the speed of all aggregates on words.
///
/// # Panics
/// When one of the slices is shorter than [`n_words`] of the program: a state of another monoid.
#[inline(always)]
pub fn merge_words(program: &[WordOp], into: &mut [u64], from: &[u64]) {
    match program {
        [only] => merge_step(*only, into, from, 0),
        [first, second] => {
            merge_step(*first, into, from, 0);
            merge_step(*second, into, from, first.n_words());
        }
        _ => {
            let mut at = 0;
            for step in program {
                merge_step(*step, into, from, at);
                at += step.n_words();
            }
        }
    }
}

/// Merges the words of one step, which start at `at`.
#[inline(always)]
fn merge_step(step: WordOp, into: &mut [u64], from: &[u64], at: usize) {
    let (into, from) = (&mut into[at..], &from[at..]);
    match step {
        WordOp::Add(1) => into[0] = into[0].wrapping_add(from[0]),
        WordOp::Add(2) => add_two(into, from),
        WordOp::Add(3) => add::<3>(into, from),
        WordOp::Add(n_words) => {
            let n_words = usize::from(n_words);
            add_slices(&mut into[..n_words], &from[..n_words]);
        }
        WordOp::Max(1) => into[0] = into[0].max(from[0]),
        WordOp::Max(2) => max_of_two(into, from),
        WordOp::Max(n_words) => {
            let n_words = usize::from(n_words);
            if from[..n_words] > into[..n_words] {
                into[..n_words].copy_from_slice(&from[..n_words]);
            }
        }
        WordOp::Or(n_words) => {
            let words = into.iter_mut().zip(from).take(usize::from(n_words));
            words.for_each(|(word, other)| *word |= other);
        }
        WordOp::Xor(n_words) => {
            let words = into.iter_mut().zip(from).take(usize::from(n_words));
            words.for_each(|(word, other)| *word ^= other);
        }
    }
}

#[inline]
fn add<const N: usize>(into: &mut [u64], from: &[u64]) {
    add_slices(&mut into[..N], &from[..N]);
}

/// Two's complement addition of 128 bits. Sign and carry of a small number mostly cancel, so that the high
/// word is seldom written: on sums of 64-bit values that is a sixth faster than always writing both.
#[inline]
fn add_two(into: &mut [u64], from: &[u64]) {
    let (sum, over) = into[0].overflowing_add(from[0]);
    into[0] = sum;
    let high = from[1].wrapping_add(u64::from(over));
    if high != 0 {
        into[1] = into[1].wrapping_add(high);
    }
}

/// Two's complement addition of integers of the same width; the carry out of the last word is dropped,
/// as two's complement wants it.
#[inline]
fn add_slices(into: &mut [u64], from: &[u64]) {
    let mut carry = false;
    for (word, other) in into.iter_mut().zip(from) {
        let (sum, over) = word.overflowing_add(*other);
        let (sum, over_again) = sum.overflowing_add(u64::from(carry));
        *word = sum;
        carry = over | over_again;
    }
}

#[inline]
fn max_of_two(into: &mut [u64], from: &[u64]) {
    let own = u128::from(into[0]) << 64 | u128::from(into[1]);
    let other = u128::from(from[0]) << 64 | u128::from(from[1]);
    // Of many values few are the greatest so far: a branch that is hardly ever taken costs less than a store.
    if other > own {
        into[0] = from[0];
        into[1] = from[1];
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PROGRAM: &[WordOp] = &[
        WordOp::Add(1),
        WordOp::Add(2),
        WordOp::Add(3),
        WordOp::Add(5),
        WordOp::Max(1),
        WordOp::Max(2),
        WordOp::Max(3),
        WordOp::Max(4),
        WordOp::Or(2),
        WordOp::Xor(2),
    ];

    fn state() -> impl Strategy<Value = Vec<u64>> {
        let word = prop_oneof![any::<u64>(), 0..3_u64, (u64::MAX - 2)..=u64::MAX];
        proptest::collection::vec(word, n_words(PROGRAM))
    }

    fn merged(left: &[u64], right: &[u64]) -> Vec<u64> {
        let mut result = left.to_vec();
        merge_words(PROGRAM, &mut result, right);
        result
    }

    #[test]
    fn an_empty_program_has_no_words() {
        assert_eq!(n_words(&[]), 0);
        merge_words(&[], &mut [], &[]);
    }

    #[test]
    fn addition_carries_over_words_and_stays_inside_its_step() {
        let mut state = vec![u64::MAX, u64::MAX, 7, 0];
        merge_words(&[WordOp::Add(2), WordOp::Add(1), WordOp::Add(1)], &mut state, &[1, 0, 1, 0]);
        assert_eq!(state, [0, 0, 8, 0]);
    }

    #[test]
    fn a_wider_addition_agrees_with_128_bit_integers() {
        let (left, right) = (-5_i128, i128::from(i64::MAX) * 9);
        let mut words = [left as u64, (left >> 64) as u64];
        merge_words(&[WordOp::Add(2)], &mut words, &[right as u64, (right >> 64) as u64]);
        assert_eq!((u128::from(words[1]) << 64 | u128::from(words[0])) as i128, left + right);
    }

    #[test]
    fn maxima_compare_the_first_word_first() {
        let mut state = vec![1, 5, 1, 2, 3];
        merge_words(&[WordOp::Max(2), WordOp::Max(3)], &mut state, &[0, u64::MAX, 1, 2, 4]);
        assert_eq!(state, [1, 5, 1, 2, 4]);
    }

    proptest! {
        #[test]
        fn merging_is_associative_and_commutative_with_zero_as_identity(
            a in state(), b in state(), c in state(),
        ) {
            prop_assert_eq!(merged(&a, &b), merged(&b, &a));
            prop_assert_eq!(merged(&merged(&a, &b), &c), merged(&a, &merged(&b, &c)));
            prop_assert_eq!(merged(&a, &vec![0; n_words(PROGRAM)]), a);
        }
    }
}
