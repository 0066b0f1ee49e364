//! HyperLogLog: how many distinct values there are, estimated from the rarest hash seen in each register.
//!
//! Registers after Flajolet, Fusy, Gandouet, Meunier, "HyperLogLog: the analysis of a near-optimal
//! cardinality estimation algorithm" (2007). The estimate is the improved raw estimator of O. Ertl, "New
//! cardinality estimation algorithms for HyperLogLog sketches" (2017), algorithms 4 to 6: it looks at the
//! registers alone, needs no tables and no switch between regimes, and uses only operations that IEEE 754
//! defines to the bit.

mod builder;

pub(crate) use builder::HyperLogLogBuilder;

use super::{HeapValue, NOT_CANONICAL};
use crate::Checked;

/// Smallest number of index bits.
pub(crate) const MIN_PRECISION: u8 = 4;
/// Largest number of index bits.
pub(crate) const MAX_PRECISION: u8 = 18;

const OTHER_PRECISION: &str = "sketches of different precision do not merge";

/// Bits of a sparse entry that hold the rank; the register's index is above them.
const RANK_BITS: u32 = 8;

/// 2^precision registers.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HyperLogLog {
    precision: u8,
    registers: Registers,
}

/// Sparse as long as at most a quarter of the registers are not zero: that alone decides.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Registers {
    /// The registers that are not zero, ascending: index, then rank in the last [`RANK_BITS`].
    Sparse(Vec<u32>),
    /// The rank of every register.
    Dense(Box<[u8]>),
}

impl HyperLogLog {
    pub(crate) fn new(precision: u8) -> Self {
        HyperLogLog { precision, registers: Registers::Sparse(Vec::new()) }
    }

    /// The sparse entry of a hash: its register, and the rank of its first one bit after the index.
    #[inline]
    fn entry(precision: u8, hash: u64) -> u32 {
        let index = (hash >> (64 - precision)) as u32;
        let rest = hash << precision | 1 << (precision - 1);
        index << RANK_BITS | (rest.leading_zeros() + 1)
    }

    fn n_registers(&self) -> usize {
        1 << self.precision
    }

    fn max_sparse(&self) -> usize {
        self.n_registers() / 4
    }

    fn max_rank(&self) -> u8 {
        64 - self.precision + 1
    }

    /// Merges entries that are ascending, with at most one of each register.
    fn merge_entries(&mut self, entries: &[u32]) {
        match &mut self.registers {
            Registers::Dense(ranks) => raise(ranks, entries),
            Registers::Sparse(own) => {
                let merged = merged_entries(own, entries);
                let is_dense = merged.len() > self.max_sparse();
                self.registers = Registers::Sparse(merged);
                if is_dense {
                    self.make_dense();
                }
            }
        }
    }

    /// Makes it dense, even if that is not its canonical form.
    fn make_dense(&mut self) {
        if let Registers::Sparse(entries) = &self.registers {
            let mut ranks = vec![0; self.n_registers()].into_boxed_slice();
            raise(&mut ranks, entries);
            self.registers = Registers::Dense(ranks);
        }
    }

    /// Restores the canonical form of a sketch that may be dense without need.
    fn normalize(&mut self) {
        let Registers::Dense(ranks) = &self.registers else { return };
        let n_set = n_set(ranks);
        if n_set > self.max_sparse() {
            return;
        }
        // Every register is written, and the next one overwrites it if it is zero: no branch to predict.
        let mut entries = vec![0; n_set + 1];
        let mut n_entries = 0;
        for (index, rank) in ranks.iter().enumerate() {
            entries[n_entries.min(n_set)] = (index as u32) << RANK_BITS | u32::from(*rank);
            n_entries += usize::from(*rank != 0);
        }
        entries.truncate(n_set);
        self.registers = Registers::Sparse(entries);
    }

    /// How many registers have each rank.
    fn histogram(&self) -> [u32; 64] {
        let mut n_of_rank = [0; 64];
        match &self.registers {
            Registers::Dense(ranks) => ranks.iter().for_each(|rank| n_of_rank[usize::from(*rank & 63)] += 1),
            Registers::Sparse(entries) => {
                n_of_rank[0] = (self.n_registers() - entries.len()) as u32;
                entries.iter().for_each(|entry| n_of_rank[(rank_of(*entry) & 63) as usize] += 1);
            }
        }
        n_of_rank
    }

    /// The estimated number of distinct values.
    pub fn estimate(&self) -> i64 {
        let n_registers = self.n_registers() as f64;
        let n_of_rank = self.histogram().map(f64::from);
        let max_rank = usize::from(self.max_rank());
        let mut indicator = n_registers * tau(1.0 - n_of_rank[max_rank] / n_registers);
        for n_registers_of_rank in n_of_rank[1..max_rank].iter().rev() {
            indicator = 0.5 * (indicator + n_registers_of_rank);
        }
        indicator += n_registers * sigma(n_of_rank[0] / n_registers);
        // The constant is 1 / (2·ln 2); no value at all makes the indicator infinite and the estimate zero.
        let estimate = n_registers / (2.0 * std::f64::consts::LN_2) * (n_registers / indicator);
        estimate.round() as i64
    }

    /// Reads canonical bytes: a byte for each register, or three for each that is not zero (index above
    /// rank, little-endian: the index shifted by six bits), whichever the number of those demands.
    pub(crate) fn decode(precision: u8, bytes: &[u8]) -> Checked<Self> {
        let mut sketch = HyperLogLog::new(precision);
        let max_rank = sketch.max_rank();
        if bytes.len() == sketch.n_registers() {
            let highest = bytes.iter().fold(0, |highest, rank| highest.max(*rank));
            if n_set(bytes) <= sketch.max_sparse() || highest > max_rank {
                return Err(NOT_CANONICAL);
            }
            sketch.registers = Registers::Dense(bytes.into());
            return Ok(sketch);
        }
        if bytes.len() / 3 > sketch.max_sparse() {
            return Err(NOT_CANONICAL);
        }
        let (packed, rest) = bytes.as_chunks::<3>();
        let mut entries: Vec<u32> = Vec::with_capacity(packed.len());
        let (mut next_index, mut are_canonical) = (0, rest.is_empty());
        for [low, middle, high] in packed {
            let packed = u32::from_le_bytes([*low, *middle, *high, 0]);
            let (index, rank) = (packed >> 6, packed & 63);
            are_canonical &= index >= next_index && rank != 0 && rank <= u32::from(max_rank);
            next_index = index + 1;
            entries.push(index << RANK_BITS | rank);
        }
        // The indices ascend, so that the last of them speaks for all.
        if !are_canonical || next_index as usize > sketch.n_registers() {
            return Err(NOT_CANONICAL);
        }
        sketch.registers = Registers::Sparse(entries);
        Ok(sketch)
    }

    /// Number of index bits.
    pub(crate) fn precision(&self) -> u8 {
        self.precision
    }
}

impl HeapValue for HyperLogLog {
    fn merge(&mut self, other: &Self) -> Checked<()> {
        if self.precision != other.precision {
            return Err(OTHER_PRECISION);
        }
        match (&mut self.registers, &other.registers) {
            (Registers::Dense(own), Registers::Dense(others)) => raise_all(own, others),
            (Registers::Sparse(own), Registers::Dense(others)) => {
                let mut ranks = others.clone();
                raise(&mut ranks, own);
                self.registers = Registers::Dense(ranks);
            }
            (_, Registers::Sparse(others)) => self.merge_entries(others),
        }
        Ok(())
    }

    fn encode(&self, out: &mut Vec<u8>) {
        match &self.registers {
            Registers::Dense(ranks) => out.extend(ranks),
            Registers::Sparse(entries) => {
                for entry in entries {
                    let packed = index_of(*entry) << 6 | rank_of(*entry);
                    out.extend(&packed.to_le_bytes()[..3]);
                }
            }
        }
    }

    #[inline]
    fn heap_size(&self) -> usize {
        match &self.registers {
            Registers::Dense(ranks) => ranks.len(),
            Registers::Sparse(entries) => entries.capacity() * size_of::<u32>(),
        }
    }
}

#[inline]
fn index_of(entry: u32) -> u32 {
    entry >> RANK_BITS
}

#[inline]
fn rank_of(entry: u32) -> u32 {
    entry & ((1 << RANK_BITS) - 1)
}

/// How many registers are not zero. Counted in bytes, of which the processor adds many at once; what it adds
/// one by one, watching for an overflow that cannot be, takes far longer.
fn n_set(ranks: &[u8]) -> usize {
    let n_set = |ranks: &[u8]| ranks.iter().fold(0_u8, |n, rank| n.wrapping_add(u8::from(*rank != 0)));
    ranks.chunks(usize::from(u8::MAX)).map(|ranks| usize::from(n_set(ranks))).sum()
}

/// Raises the registers of these entries to at least their ranks.
#[inline]
fn raise(ranks: &mut [u8], entries: &[u32]) {
    for entry in entries {
        let rank = &mut ranks[index_of(*entry) as usize];
        *rank = (*rank).max(rank_of(*entry) as u8);
    }
}

/// Raises all registers to at least those of another sketch.
fn raise_all(ranks: &mut [u8], others: &[u8]) {
    for (rank, other) in ranks.iter_mut().zip(others) {
        *rank = (*rank).max(*other);
    }
}

/// The union of ascending entries; of one register the higher rank.
fn merged_entries(left: &[u32], right: &[u32]) -> Vec<u32> {
    let mut merged = Vec::with_capacity(left.len() + right.len());
    let (mut from_left, mut from_right) = (left.iter().peekable(), right.iter().peekable());
    while let (Some(&&own), Some(&&other)) = (from_left.peek(), from_right.peek()) {
        if index_of(own) <= index_of(other) {
            from_left.next();
        }
        if index_of(other) <= index_of(own) {
            from_right.next();
        }
        merged.push(if index_of(own) == index_of(other) { own.max(other) } else { own.min(other) });
    }
    merged.extend(from_left.chain(from_right));
    merged
}

/// Ertl's σ: x + Σ x^(2^k)·2^(k−1).
fn sigma(x: f64) -> f64 {
    if x >= 1.0 {
        return f64::INFINITY;
    }
    let (mut x, mut power, mut sum) = (x, 1.0, x);
    loop {
        x *= x;
        let next = sum + x * power;
        power += power;
        if next == sum {
            return sum;
        }
        sum = next;
    }
}

/// Ertl's τ: (1 − x − Σ (1 − x^(2^−k))²·2^−k) / 3.
fn tau(x: f64) -> f64 {
    if x <= 0.0 || x >= 1.0 {
        return 0.0;
    }
    let (mut x, mut power, mut sum) = (x, 1.0, 1.0 - x);
    loop {
        x = x.sqrt();
        power *= 0.5;
        let next = sum - (1.0 - x) * (1.0 - x) * power;
        if next == sum {
            return sum / 3.0;
        }
        sum = next;
    }
}
