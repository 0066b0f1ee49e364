//! Counts by bucket: histograms, and the cells of a Count-Min sketch.

use super::{HeapValue, NOT_CANONICAL, Reader, TOO_MANY_ROWS, put_varint};
use crate::Checked;

/// One count per bucket; no counts at all as long as there are no rows.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Histogram {
    n_buckets: u32,
    counts: Vec<u64>,
}

impl Histogram {
    pub(crate) fn new(n_buckets: u32) -> Self {
        Histogram { n_buckets, counts: Vec::new() }
    }

    pub(crate) fn n_buckets(&self) -> u32 {
        self.n_buckets
    }

    #[inline]
    pub(crate) fn add(&mut self, bucket: usize) {
        if self.counts.is_empty() {
            self.counts = vec![0; self.n_buckets as usize];
        }
        if let Some(count) = self.counts.get_mut(bucket) {
            *count += 1;
        }
    }

    /// The counts, one per bucket.
    pub(crate) fn counts(&self) -> impl Iterator<Item = i64> {
        (0..self.n_buckets as usize).map(|bucket| self.counts.get(bucket).map_or(0, |count| *count as i64))
    }

    pub(crate) fn check(&self) -> Checked<()> {
        let total = self.counts.iter().try_fold(0_u64, |total, count| total.checked_add(*count));
        total.filter(|total| i64::try_from(*total).is_ok()).map(|_| ()).ok_or(TOO_MANY_ROWS)
    }

    /// Reads canonical bytes: nothing for no rows, else the counts (8 bytes each, little-endian).
    pub(crate) fn decode(n_buckets: u32, bytes: &[u8]) -> Checked<Self> {
        let mut histogram = Histogram::new(n_buckets);
        if !bytes.is_empty() {
            let (counts, odd) = bytes.as_chunks::<8>();
            histogram.counts = counts.iter().map(|count| u64::from_le_bytes(*count)).collect();
            let has_rows = histogram.counts.iter().any(|count| *count > 0);
            if !odd.is_empty() || counts.len() != n_buckets as usize || !has_rows {
                return Err(NOT_CANONICAL);
            }
            histogram.check()?;
        }
        Ok(histogram)
    }
}

impl HeapValue for Histogram {
    fn merge(&mut self, other: &Self) -> Checked<()> {
        if self.n_buckets != other.n_buckets {
            return Err("histograms with different edges do not merge");
        }
        if self.counts.is_empty() {
            self.counts.clone_from(&other.counts);
        } else {
            for (own, other) in self.counts.iter_mut().zip(&other.counts) {
                *own = own.saturating_add(*other);
            }
        }
        self.check()
    }

    fn encode(&self, out: &mut Vec<u8>) {
        out.extend(self.counts.iter().flat_map(|count| count.to_le_bytes()));
    }

    #[inline]
    fn heap_size(&self) -> usize {
        self.counts.capacity() * 8
    }
}

/// Rows of a [`CountMin`] sketch: the estimate is too high by more than its bound with a chance below e⁻⁵.
pub(crate) const DEPTH: u32 = 5;

/// How often each value came, within a bound above the truth: the least of five counters that a value shares
/// with others (Cormode, Muthukrishnan, "An improved data stream summary: the count-min sketch", 2005). Only
/// the counters that are not zero are held.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CountMin {
    /// Counters of a row.
    width: u32,
    /// Places and counts, ascending.
    cells: Vec<(u32, u64)>,
    /// Cells that came after the sorted ones; zero in a state.
    n_unsorted: usize,
}

/// The least width with e / width ≤ the error, in millionths.
pub(crate) fn width_for(error_ppm: u32) -> u32 {
    (std::f64::consts::E * 1e6 / f64::from(error_ppm.max(1))).ceil() as u32
}

impl CountMin {
    pub(crate) fn new(width: u32) -> Self {
        CountMin { width, cells: Vec::new(), n_unsorted: 0 }
    }

    pub(crate) fn width(&self) -> u32 {
        self.width
    }

    /// The places of a hash, one in each row (Kirsch, Mitzenmacher, "Less hashing, same performance", 2006).
    fn places(width: u32, hash: u64) -> impl Iterator<Item = u32> {
        let (first, step) = (hash & 0xffff_ffff, hash >> 32 | 1);
        (0..DEPTH).map(move |row| {
            let place = (first + u64::from(row) * step) % u64::from(width.max(1));
            row * width + place as u32
        })
    }

    #[inline]
    pub(crate) fn add(&mut self, hash: u64) {
        self.cells.extend(Self::places(self.width, hash).map(|place| (place, 1)));
        self.n_unsorted += DEPTH as usize;
        if self.n_unsorted > 256.max(self.cells.len() / 2) {
            self.sort();
        }
    }

    fn sort(&mut self) {
        self.n_unsorted = 0;
        self.cells.sort_unstable_by_key(|(place, _)| *place);
        self.cells.dedup_by(|later, first| {
            let is_same = later.0 == first.0;
            if is_same {
                first.1 = first.1.saturating_add(later.1);
            }
            is_same
        });
    }

    /// Brings it into its canonical form after values were added.
    pub(crate) fn finish(&mut self) -> Checked<()> {
        self.sort();
        self.check()
    }

    /// Every row of counters has counted all rows.
    fn check(&self) -> Checked<()> {
        let mut totals = [0_u64; DEPTH as usize];
        for (place, count) in &self.cells {
            let total = totals.get_mut((place / self.width.max(1)) as usize).ok_or(NOT_CANONICAL)?;
            *total = total.saturating_add(*count);
        }
        if i64::try_from(totals[0]).is_err() {
            return Err(TOO_MANY_ROWS);
        }
        if totals.iter().all(|total| *total == totals[0]) { Ok(()) } else { Err(NOT_CANONICAL) }
    }

    /// How often the value with this hash came, or more.
    pub(crate) fn estimate(&self, hash: u64) -> i64 {
        let count = |place: u32| {
            let found = self.cells.binary_search_by_key(&place, |(place, _)| *place);
            found.map_or(0, |cell| self.cells[cell].1)
        };
        Self::places(self.width, hash).map(count).min().map_or(0, |count| count as i64)
    }

    /// Reads canonical bytes: the cells that are not zero in order, each as the distance from the last place
    /// and the count (LEB128).
    pub(crate) fn decode(width: u32, bytes: &[u8]) -> Checked<Self> {
        let mut reader = Reader::new(bytes);
        let mut sketch = CountMin::new(width);
        let mut next = 0_u64;
        while !reader.is_empty() {
            let place = next.checked_add(reader.varint()?).ok_or(NOT_CANONICAL)?;
            let count = reader.varint()?;
            let is_place = place < u64::from(width) * u64::from(DEPTH);
            let place = u32::try_from(place).ok().filter(|_| is_place && count > 0).ok_or(NOT_CANONICAL)?;
            sketch.cells.push((place, count));
            next = u64::from(place) + 1;
        }
        sketch.check().map(|()| sketch)
    }
}

impl HeapValue for CountMin {
    fn merge(&mut self, other: &Self) -> Checked<()> {
        if self.width != other.width {
            return Err("sketches of different widths do not merge");
        }
        self.cells.extend(&other.cells);
        self.finish()
    }

    fn encode(&self, out: &mut Vec<u8>) {
        let mut next = 0;
        for (place, count) in &self.cells {
            put_varint(u64::from(place - next), out);
            put_varint(*count, out);
            next = place + 1;
        }
    }

    #[inline]
    fn heap_size(&self) -> usize {
        self.cells.capacity() * size_of::<(u32, u64)>()
    }
}
