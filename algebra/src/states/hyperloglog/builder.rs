//! Sketches under construction: the layout depends on the order of the values, the finished state does not.

use super::{HyperLogLog, OTHER_PRECISION, Registers, index_of, raise, raise_all};
use crate::Checked;

/// A sketch that takes values in one by one: few registers in a table, many of them dense, canonical or not.
#[derive(Debug)]
pub(crate) struct HyperLogLogBuilder {
    precision: u8,
    registers: BuildingRegisters,
}

#[derive(Debug)]
enum BuildingRegisters {
    Few(SparseTable),
    Dense(Box<[u8]>),
}

/// Entries of registers that are not zero, at the place that the index asks for or the next free one; zero is
/// free.
#[derive(Debug, Default)]
struct SparseTable {
    /// Their number is zero or a power of two.
    places: Vec<u32>,
    n_entries: usize,
}

impl SparseTable {
    const MIN_PLACES: usize = 16;

    /// Raises the entry's register to at least its rank.
    #[inline]
    fn raise(&mut self, entry: u32) {
        if 2 * self.n_entries >= self.places.len() {
            self.grow();
        }
        let mask = self.places.len() - 1;
        let mut at = index_of(entry) as usize & mask;
        loop {
            let place = &mut self.places[at];
            if *place == 0 {
                *place = entry;
                self.n_entries += 1;
                return;
            }
            if index_of(*place) == index_of(entry) {
                *place = entry.max(*place);
                return;
            }
            at = (at + 1) & mask;
        }
    }

    #[cold]
    fn grow(&mut self) {
        let n_places = (2 * self.places.len()).max(Self::MIN_PLACES);
        let places = std::mem::replace(&mut self.places, vec![0; n_places]);
        self.n_entries = 0;
        places.into_iter().filter(|entry| *entry != 0).for_each(|entry| self.raise(entry));
    }
}

impl HyperLogLogBuilder {
    pub(crate) fn new(precision: u8) -> Self {
        HyperLogLogBuilder { precision, registers: BuildingRegisters::Few(SparseTable::default()) }
    }

    /// Takes the value with this hash in; by how many bytes it has grown on the heap.
    #[inline(always)]
    pub(crate) fn add(&mut self, hash: u64) -> usize {
        let entry = HyperLogLog::entry(self.precision, hash);
        match &mut self.registers {
            BuildingRegisters::Dense(ranks) => {
                raise(ranks, &[entry]);
                0
            }
            BuildingRegisters::Few(_) => self.add_to_few(entry),
        }
    }

    #[inline(never)]
    fn add_to_few(&mut self, entry: u32) -> usize {
        let before = self.heap_size();
        let max_few = self.max_few();
        if let BuildingRegisters::Few(table) = &mut self.registers {
            table.raise(entry);
            if table.n_entries > max_few {
                self.make_dense();
            }
        }
        self.heap_size().wrapping_sub(before)
    }

    /// Entries that are kept in a table: beyond, it takes half of the memory of all registers and several
    /// times their work.
    #[inline]
    fn max_few(&self) -> usize {
        (1 << self.precision) / 32
    }

    fn make_dense(&mut self) -> &mut [u8] {
        if let BuildingRegisters::Few(table) = &self.registers {
            let mut ranks = vec![0; 1 << self.precision].into_boxed_slice();
            table.places.iter().filter(|entry| **entry != 0).for_each(|entry| raise(&mut ranks, &[*entry]));
            self.registers = BuildingRegisters::Dense(ranks);
        }
        match &mut self.registers {
            BuildingRegisters::Dense(ranks) => ranks,
            BuildingRegisters::Few(_) => &mut [],
        }
    }

    pub(crate) fn merge(&mut self, other: &HyperLogLog) -> Checked<()> {
        if self.precision != other.precision {
            return Err(OTHER_PRECISION);
        }
        let max_few = self.max_few();
        match (&other.registers, &mut self.registers) {
            (Registers::Sparse(entries), BuildingRegisters::Few(table))
                if table.n_entries + entries.len() <= max_few =>
            {
                entries.iter().for_each(|entry| table.raise(*entry));
            }
            (Registers::Sparse(entries), _) => raise(self.make_dense(), entries),
            (Registers::Dense(others), _) => raise_all(self.make_dense(), others),
        }
        Ok(())
    }

    pub(crate) fn finish(self) -> HyperLogLog {
        let registers = match self.registers {
            BuildingRegisters::Dense(ranks) => Registers::Dense(ranks),
            BuildingRegisters::Few(table) => {
                let mut entries = table.places;
                entries.retain(|entry| *entry != 0);
                entries.sort_unstable();
                Registers::Sparse(entries)
            }
        };
        let mut sketch = HyperLogLog { precision: self.precision, registers };
        sketch.normalize();
        sketch
    }

    #[inline(always)]
    pub(crate) fn heap_size(&self) -> usize {
        match &self.registers {
            BuildingRegisters::Few(table) => table.places.capacity() * size_of::<u32>(),
            BuildingRegisters::Dense(ranks) => ranks.len(),
        }
    }
}
