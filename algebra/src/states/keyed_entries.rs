//! What [`Keyed`](super::Keyed) states hold for a key.

use super::keyed::Entry;
use super::{ExactSum, HeapValue, NOT_CANONICAL, Reader, TOO_MANY_ROWS, put_varint};
use crate::{Checked, WordOp, merge_words};

/// Number of rows, at least one; at most 2⁶³ − 1.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ValueCount(u64);

impl ValueCount {
    #[inline]
    pub(crate) fn add_row(&mut self) {
        self.0 = self.0.saturating_add(1);
    }

    /// The number of rows.
    pub fn n_rows(self) -> u64 {
        self.0
    }
}

impl Entry for ValueCount {
    fn merge(&mut self, other: &Self) -> Checked<()> {
        self.0 = self.0.saturating_add(other.0);
        self.finish()
    }
    fn put(&self, out: &mut Vec<u8>) {
        put_varint(self.0, out);
    }
    fn get(reader: &mut Reader<'_>) -> Checked<Self> {
        match ValueCount(reader.varint()?) {
            ValueCount(0) => Err(NOT_CANONICAL),
            mut tally => tally.finish().map(|()| tally),
        }
    }
    fn finish(&mut self) -> Checked<()> {
        if i64::try_from(self.0).is_ok() { Ok(()) } else { Err(TOO_MANY_ROWS) }
    }
}

/// Number of rows, and sum of integers of up to 128 bits: room for 2⁶³ of the largest. Without the number, an
/// item whose rows sum to zero would be the same as one without rows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WideSum {
    rows: ValueCount,
    sum: [u64; 3],
}

impl WideSum {
    #[inline]
    pub(crate) fn add(&mut self, value: i128) {
        let addend = [value as u64, (value >> 64) as u64, (value >> 127) as u64];
        merge_words(&[WordOp::Add(3)], &mut self.sum, &addend);
        self.rows.add_row();
    }

    /// The sum as a signed and an unsigned part: they compare like sums.
    pub(crate) fn high_and_low(&self) -> (i64, u128) {
        let [low, middle, high] = self.sum;
        (high as i64, u128::from(middle) << 64 | u128::from(low))
    }

    /// The sum, if 128 bits hold it.
    pub(crate) fn narrow(&self) -> Option<i128> {
        let (high, low) = self.high_and_low();
        (i128::from(high) == (low as i128) >> 127).then_some(low as i128)
    }
}

impl Entry for WideSum {
    fn merge(&mut self, other: &Self) -> Checked<()> {
        merge_words(&[WordOp::Add(3)], &mut self.sum, &other.sum);
        self.rows.merge(&other.rows)
    }
    fn put(&self, out: &mut Vec<u8>) {
        self.rows.put(out);
        out.extend(self.sum.iter().flat_map(|word| word.to_le_bytes()));
    }
    fn get(reader: &mut Reader<'_>) -> Checked<Self> {
        let rows = ValueCount::get(reader)?;
        let sum = [reader.array()?, reader.array()?, reader.array()?].map(u64::from_le_bytes);
        Ok(WideSum { rows, sum })
    }
    fn finish(&mut self) -> Checked<()> {
        self.rows.finish()
    }
}

/// Number of rows and exact sum of floats, as [`WideSum`].
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ItemSum {
    rows: ValueCount,
    sum: ExactSum,
}

impl ItemSum {
    #[inline]
    pub(crate) fn add(&mut self, value: f64) {
        self.sum.add(value);
        self.rows.add_row();
    }

    /// The sum.
    pub fn sum(&self) -> &ExactSum {
        &self.sum
    }
}

impl Entry for ItemSum {
    fn merge(&mut self, other: &Self) -> Checked<()> {
        HeapValue::merge(&mut self.sum, &other.sum)?;
        self.rows.merge(&other.rows)
    }
    fn put(&self, out: &mut Vec<u8>) {
        self.rows.put(out);
        put_varint(self.sum.n_bytes() as u64, out);
        self.sum.encode(out);
    }
    fn get(reader: &mut Reader<'_>) -> Checked<Self> {
        let rows = ValueCount::get(reader)?;
        let n_bytes = usize::try_from(reader.varint()?).map_err(|_| NOT_CANONICAL)?;
        Ok(ItemSum { rows, sum: ExactSum::decode(reader.slice(n_bytes)?)? })
    }
    fn finish(&mut self) -> Checked<()> {
        self.sum.normalize();
        self.rows.finish()
    }
    fn heap_size(&self) -> usize {
        HeapValue::heap_size(&self.sum)
    }
}

/// When an actor did which steps: times (µs) in order, each with the steps of that time, one bit a step.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Steps {
    times: Vec<(i64, u32)>,
    /// Times that came after the sorted ones; zero in a state.
    n_unsorted: usize,
}

/// Unsorted times that are worth a sort.
const MAX_UNSORTED: usize = 64;

impl Steps {
    /// Adds the steps of a time; no step is no entry.
    pub(crate) fn add(&mut self, time: i64, steps: u32) {
        match self.times.last_mut() {
            Some((last, known)) if *last == time => *known |= steps,
            Some((last, _)) if *last > time => {
                self.times.push((time, steps));
                self.n_unsorted += 1;
            }
            _ if self.n_unsorted > 0 => {
                self.times.push((time, steps));
                self.n_unsorted += 1;
            }
            _ => self.times.push((time, steps)),
        }
        if self.n_unsorted > MAX_UNSORTED.max(self.times.len() / 2) {
            self.sort();
        }
    }

    fn sort(&mut self) {
        self.n_unsorted = 0;
        self.times.sort_unstable();
        self.times.dedup_by(|later, first| {
            let is_same = later.0 == first.0;
            if is_same {
                first.1 |= later.1;
            }
            is_same
        });
    }

    /// How many of the steps, in their order, were done within this many µs of the first of them. A step may
    /// be at the same time as the one before.
    pub fn n_reached(&self, n_steps: usize, within: i64) -> usize {
        // For every step, when the latest chain that reaches it began.
        let mut begins: Vec<Option<i64>> = vec![None; n_steps];
        for (time, steps) in &self.times {
            for step in (0..n_steps).filter(|step| steps >> step & 1 == 1) {
                let begin = if step == 0 { Some(*time) } else { begins[step - 1] };
                let in_time = begin.filter(|begin| time.saturating_sub(*begin) <= within);
                begins[step] = in_time.max(begins[step]);
            }
        }
        begins.iter().position(Option::is_none).unwrap_or(n_steps)
    }
}

impl Entry for Steps {
    fn merge(&mut self, other: &Self) -> Checked<()> {
        if self.times.is_empty() {
            self.clone_from(other);
        } else {
            self.times.extend(&other.times);
            self.sort();
        }
        Ok(())
    }
    fn put(&self, out: &mut Vec<u8>) {
        put_varint(self.times.len() as u64, out);
        for (time, steps) in &self.times {
            out.extend(time.to_le_bytes());
            put_varint(u64::from(*steps), out);
        }
    }
    fn get(reader: &mut Reader<'_>) -> Checked<Self> {
        let n_times = reader.varint()?;
        let mut times: Vec<(i64, u32)> = Vec::new();
        for _ in 0..n_times {
            let time = i64::from_le_bytes(reader.array()?);
            let steps = u32::try_from(reader.varint()?).map_err(|_| NOT_CANONICAL)?;
            if steps == 0 || times.last().is_some_and(|(last, _)| *last >= time) {
                return Err(NOT_CANONICAL);
            }
            times.push((time, steps));
        }
        if times.is_empty() { Err(NOT_CANONICAL) } else { Ok(Steps { times, n_unsorted: 0 }) }
    }
    fn finish(&mut self) -> Checked<()> {
        self.sort();
        Ok(())
    }
    fn heap_size(&self) -> usize {
        self.times.capacity() * size_of::<(i64, u32)>()
    }
}

/// The periods in which an actor was active, ascending, each once.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Periods {
    periods: Vec<i64>,
}

impl Periods {
    pub(crate) fn add(&mut self, period: i64) {
        if self.periods.last() != Some(&period)
            && let Err(place) = self.periods.binary_search(&period)
        {
            self.periods.insert(place, period);
        }
    }

    /// The periods.
    pub fn periods(&self) -> &[i64] {
        &self.periods
    }
}

impl Entry for Periods {
    fn merge(&mut self, other: &Self) -> Checked<()> {
        self.periods.extend(&other.periods);
        self.periods.sort_unstable();
        self.periods.dedup();
        Ok(())
    }
    fn put(&self, out: &mut Vec<u8>) {
        put_varint(self.periods.len() as u64, out);
        out.extend(self.periods.iter().flat_map(|period| period.to_le_bytes()));
    }
    fn get(reader: &mut Reader<'_>) -> Checked<Self> {
        let n_periods = reader.varint()?;
        let mut periods: Vec<i64> = Vec::new();
        for _ in 0..n_periods {
            let period = i64::from_le_bytes(reader.array()?);
            if periods.last().is_some_and(|last| *last >= period) {
                return Err(NOT_CANONICAL);
            }
            periods.push(period);
        }
        if periods.is_empty() { Err(NOT_CANONICAL) } else { Ok(Periods { periods }) }
    }
    fn heap_size(&self) -> usize {
        self.periods.capacity() * size_of::<i64>()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// All ways to pick a time for each step.
    fn n_reached_naively(times: &[(i64, u32)], n_steps: usize, within: i64) -> usize {
        fn extends(
            times: &[(i64, u32)],
            step: usize,
            n_steps: usize,
            begin: i64,
            from: i64,
            within: i64,
        ) -> usize {
            if step == n_steps {
                return step;
            }
            let next = times
                .iter()
                .filter(|(time, steps)| *time >= from && time - begin <= within && steps >> step & 1 == 1);
            next.map(|(time, _)| extends(times, step + 1, n_steps, begin, *time, within))
                .max()
                .unwrap_or(step)
        }
        let begins = times.iter().filter(|(_, steps)| steps & 1 == 1);
        begins.map(|(time, _)| extends(times, 1, n_steps, *time, *time, within)).max().unwrap_or(0)
    }

    proptest! {
        #[test]
        fn funnels_find_the_longest_chain(
            times in proptest::collection::vec((0..30_i64, 1..8_u32), 0..14), within in 0..20_i64,
        ) {
            let mut steps = Steps::default();
            times.iter().for_each(|(time, mask)| steps.add(*time, *mask));
            Entry::finish(&mut steps).unwrap();
            prop_assert_eq!(steps.n_reached(3, within), n_reached_naively(&times, 3, within));
        }
    }
}
