//! HyperLogLog: how many distinct values there are, estimated from the rarest hash seen in each register.
//!
//! Registers after Flajolet, Fusy, Gandouet, Meunier, "HyperLogLog: the analysis of a near-optimal
//! cardinality estimation algorithm" (2007). The estimate is the improved raw estimator of O. Ertl, "New
//! cardinality estimation algorithms for HyperLogLog sketches" (2017), algorithms 4 to 6: it looks at the
//! registers alone, needs no tables and no switch between regimes, and uses only operations that IEEE 754
//! defines to the bit.

use super::recent::Recent;
use super::{HeapValue, NOT_CANONICAL, Reader};
use crate::Checked;

/// Smallest number of index bits.
pub(crate) const MIN_PRECISION: u8 = 4;
/// Largest number of index bits.
pub(crate) const MAX_PRECISION: u8 = 18;

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

    /// The sparse entry of a hash: its register, and the rank of its first one bit behind the index.
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

    /// Dense, whatever the canonical form is.
    fn make_dense(&mut self) {
        if let Registers::Sparse(entries) = &self.registers {
            let mut ranks = vec![0; self.n_registers()].into_boxed_slice();
            raise(&mut ranks, entries);
            self.registers = Registers::Dense(ranks);
        }
    }

    /// The canonical form after [`HyperLogLog::make_dense`].
    fn normalize(&mut self) {
        if let Registers::Dense(ranks) = &self.registers
            && ranks.iter().filter(|rank| **rank != 0).count() <= self.max_sparse()
        {
            let set = ranks.iter().enumerate().filter(|(_, rank)| **rank != 0);
            let entries = set.map(|(index, rank)| (index as u32) << RANK_BITS | u32::from(*rank)).collect();
            self.registers = Registers::Sparse(entries);
        }
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
            let n_set = bytes.iter().filter(|rank| **rank != 0).count();
            if n_set <= sketch.max_sparse() || bytes.iter().any(|rank| *rank > max_rank) {
                return Err(NOT_CANONICAL);
            }
            sketch.registers = Registers::Dense(bytes.into());
            return Ok(sketch);
        }
        if bytes.len() / 3 > sketch.max_sparse() {
            return Err(NOT_CANONICAL);
        }
        let mut reader = Reader::new(bytes);
        let mut entries: Vec<u32> = Vec::with_capacity(bytes.len() / 3);
        while !reader.is_empty() {
            let [low, middle, high] = reader.array()?;
            let packed = u32::from_le_bytes([low, middle, high, 0]);
            let (index, rank) = (packed >> 6, packed & 63);
            let is_next = entries.last().is_none_or(|last| index_of(*last) < index);
            if !is_next || index as usize >= sketch.n_registers() || rank == 0 || rank > u32::from(max_rank) {
                return Err(NOT_CANONICAL);
            }
            entries.push(index << RANK_BITS | rank);
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
            return Err("sketches of different precision do not merge");
        }
        match (&mut self.registers, &other.registers) {
            (Registers::Dense(own), Registers::Dense(others)) => {
                for (rank, other) in own.iter_mut().zip(others.iter()) {
                    *rank = (*rank).max(*other);
                }
            }
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

/// A sketch that takes values in one by one: entries wait until a sort of many is worth it, and where many
/// registers are set they are kept dense, canonical or not.
#[derive(Debug)]
pub(crate) struct HyperLogLogBuilder {
    sketch: HyperLogLog,
    waiting: Vec<u32>,
    recent: Recent<u32>,
}

impl HyperLogLogBuilder {
    /// Entries that wait at least; enough that sorting is cheap for each, few enough for many groups.
    const MIN_WAITING: usize = 32;

    pub(crate) fn new(precision: u8) -> Self {
        HyperLogLogBuilder {
            sketch: HyperLogLog::new(precision),
            waiting: Vec::new(),
            recent: Recent::default(),
        }
    }

    /// Takes the value with this hash in.
    #[inline]
    pub(crate) fn add(&mut self, hash: u64) {
        let entry = HyperLogLog::entry(self.sketch.precision, hash);
        match &mut self.sketch.registers {
            Registers::Dense(ranks) => raise(ranks, &[entry]),
            Registers::Sparse(entries) => {
                if self.recent.is_repeated(entry, u64::from(index_of(entry))) {
                    return;
                }
                self.waiting.push(entry);
                if self.waiting.len() >= entries.len().max(Self::MIN_WAITING) {
                    self.settle();
                }
            }
        }
    }

    fn settle(&mut self) {
        let Some(known) = self.waiting.first().copied() else { return };
        self.waiting.sort_unstable();
        // Of one register's entries the last has the highest rank.
        self.waiting.dedup_by(|later, kept| {
            let is_same = index_of(*later) == index_of(*kept);
            if is_same {
                *kept = *later;
            }
            is_same
        });
        self.sketch.merge_entries(&self.waiting);
        self.waiting.clear();
        let n_sparse = match &self.sketch.registers {
            Registers::Sparse(entries) => entries.len(),
            Registers::Dense(_) => usize::MAX,
        };
        if n_sparse > self.sketch.n_registers() / 16 {
            self.sketch.make_dense();
            self.waiting = Vec::new();
            self.recent = Recent::default();
        } else {
            self.recent.make_room(n_sparse, known);
        }
    }

    pub(crate) fn merge(&mut self, other: &HyperLogLog) -> Checked<()> {
        self.sketch.merge(other)
    }

    pub(crate) fn finish(mut self) -> HyperLogLog {
        self.settle();
        self.sketch.normalize();
        self.sketch
    }

    #[inline]
    pub(crate) fn heap_size(&self) -> usize {
        self.sketch.heap_size() + self.waiting.capacity() * size_of::<u32>() + self.recent.heap_size()
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

/// Raises the registers of these entries to at least their ranks.
#[inline]
fn raise(ranks: &mut [u8], entries: &[u32]) {
    for entry in entries {
        let rank = &mut ranks[index_of(*entry) as usize];
        *rank = (*rank).max(rank_of(*entry) as u8);
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
