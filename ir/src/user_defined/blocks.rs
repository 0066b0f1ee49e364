//! States to compose other states from.

use super::{Laws, State};

/// A sum of integers, modulo 2¹²⁸; also a count.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sum(pub i128);

impl Sum {
    /// Adds a number.
    pub fn add(&mut self, value: i128) {
        self.0 = self.0.wrapping_add(value);
    }
}

impl State for Sum {
    const LAWS: Laws = Laws { idempotent: false, invertible: true, max_bytes: Some(16), error_ppm: None };

    fn combine(&mut self, other: &Self) {
        self.add(other.0);
    }
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend(self.0.to_le_bytes());
    }
    fn decode(bytes: &mut &[u8]) -> Option<Self> {
        take(bytes).map(|bytes| Sum(i128::from_le_bytes(bytes)))
    }
}

/// The least of the ints added; `None` without any.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Least(pub Option<i64>);

/// The greatest of the ints added; `None` without any.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Greatest(pub Option<i64>);

const EXTREME: Laws = Laws { idempotent: true, invertible: false, max_bytes: Some(9), error_ppm: None };

fn put(value: Option<i64>, out: &mut Vec<u8>) {
    out.push(u8::from(value.is_some()));
    out.extend(value.into_iter().flat_map(i64::to_le_bytes));
}

fn get(bytes: &mut &[u8]) -> Option<Option<i64>> {
    match take::<1>(bytes)? {
        [0] => Some(None),
        [1] => take(bytes).map(|bytes| Some(i64::from_le_bytes(bytes))),
        _ => None,
    }
}

impl Least {
    /// Adds a number.
    pub fn add(&mut self, value: i64) {
        self.0 = Some(self.0.map_or(value, |own| own.min(value)));
    }
}

impl State for Least {
    const LAWS: Laws = EXTREME;

    fn combine(&mut self, other: &Self) {
        other.0.into_iter().for_each(|value| self.add(value));
    }
    fn encode(&self, out: &mut Vec<u8>) {
        put(self.0, out);
    }
    fn decode(bytes: &mut &[u8]) -> Option<Self> {
        get(bytes).map(Least)
    }
}

impl Greatest {
    /// Adds a number.
    pub fn add(&mut self, value: i64) {
        self.0 = self.0.max(Some(value));
    }
}

impl State for Greatest {
    const LAWS: Laws = EXTREME;

    fn combine(&mut self, other: &Self) {
        self.0 = self.0.max(other.0);
    }
    fn encode(&self, out: &mut Vec<u8>) {
        put(self.0, out);
    }
    fn decode(bytes: &mut &[u8]) -> Option<Self> {
        get(bytes).map(Greatest)
    }
}

/// 64·N bits, each set or not: a set of small numbers, or the bits of a Bloom filter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bits<const N: usize>(Box<[u64; N]>);

impl<const N: usize> Default for Bits<N> {
    fn default() -> Self {
        Bits(Box::new([0; N]))
    }
}

impl<const N: usize> Bits<N> {
    /// Number of bits.
    pub const LEN: usize = 64 * N;

    /// Sets a bit; an index out of range is ignored.
    pub fn set(&mut self, bit: usize) {
        if let Some(word) = self.0.get_mut(bit / 64) {
            *word |= 1 << (bit % 64);
        }
    }

    /// Whether a bit is set.
    pub fn is_set(&self, bit: usize) -> bool {
        self.0.get(bit / 64).is_some_and(|word| word >> (bit % 64) & 1 == 1)
    }

    /// Number of bits that are set.
    pub fn n_set(&self) -> u32 {
        self.0.iter().map(|word| word.count_ones()).sum()
    }
}

impl<const N: usize> State for Bits<N> {
    const LAWS: Laws = Laws { idempotent: true, invertible: false, max_bytes: Some(8 * N), error_ppm: None };

    fn combine(&mut self, other: &Self) {
        self.0.iter_mut().zip(other.0.iter()).for_each(|(own, other)| *own |= other);
    }
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend(self.0.iter().flat_map(|word| word.to_le_bytes()));
    }
    fn decode(bytes: &mut &[u8]) -> Option<Self> {
        let mut bits = Bits::default();
        for word in bits.0.iter_mut() {
            *word = u64::from_le_bytes(take(bytes)?);
        }
        Some(bits)
    }
    fn size(&self) -> usize {
        size_of::<Self>() + 8 * N
    }
}

/// Reads `N` bytes from the front.
fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (first, rest) = bytes.split_first_chunk::<N>()?;
    *bytes = rest;
    Some(*first)
}
