//! Quantiles with a guaranteed relative error: counts of values in buckets of near-constant relative width.
//!
//! After Ch. Masson, J. Rim, H. Lee, "DDSketch: a fast and fully-mergeable quantile sketch with
//! relative-error guarantees" (2019), with two changes that make the state a monoid to the bit:
//! - the number of buckets is not limited: collapsing them would depend on the order of merges;
//! - a bucket is found by integer arithmetic on the float's bits, never by a logarithm of the platform.
//!
//! Within the octave [2^k, 2^(k+1)) the value (1 + s)·2^k lies in sub-bucket ⌊B·q(s)⌋ with
//! q(s) = (4s − s²)/3, a quadratic interpolation of the logarithm. Since q′(s)·(1 + s) ≥ 4/3, a bucket spans
//! at most 3/(4B) of natural logarithm. Its ends a < b are presented as 2ab/(a + b), which is off by at most
//! (b − a)/(b + a) = tanh(ln(b/a)/2) ≤ 3/(8B) relatively. Hence B > 3/(8e) guarantees the error e, before
//! the presented value is rounded to a float.

use super::bytes::put_varint;
use super::{HeapValue, NOT_CANONICAL, Reader, TOO_MANY_ROWS};
use crate::Checked;
use crate::rounding::round_scaled;

/// Octaves from the least to the largest float.
const N_OCTAVES: u32 = 2098;

/// Counts by bucket, ascending. Bucket 0 is zero, negative values have negative buckets: buckets are in
/// the order of their values.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LogBuckets {
    /// Sub-buckets of an octave.
    resolution: u32,
    /// Bucket and its number of values, which is above zero.
    counts: Vec<(i32, i64)>,
}

/// Sub-buckets of an octave that guarantee this relative error, in millionths (above zero).
pub(crate) fn resolution_for(error_ppm: u32) -> u32 {
    // 3/8 of a million, rounded down, and one.
    375_000 / error_ppm + 1
}

/// Number of buckets that there can be.
pub(crate) fn max_buckets(resolution: u32) -> usize {
    2 * N_OCTAVES as usize * resolution as usize + 1
}

/// The bucket of a finite float.
#[inline]
pub(crate) fn bucket_of(value: f64, resolution: u32) -> i32 {
    const FRACTION: u64 = (1 << 52) - 1;
    let bits = value.to_bits() & !(1 << 63);
    if bits == 0 {
        return 0;
    }
    let biased = bits >> 52;
    // Octave 0 begins with the least subnormal.
    let (octave, fraction) = if biased == 0 {
        let n_above = bits.leading_zeros() - 11;
        (52 - u64::from(n_above), bits << n_above & FRACTION)
    } else {
        (biased + 51, bits & FRACTION)
    };
    // B·(4s − s²)/3 with s = fraction / 2^52, all in integers.
    let quadratic = u128::from(fraction) * u128::from((1 << 54) - fraction);
    let sub_bucket = ((quadratic * u128::from(resolution)) >> 104) as u64 / 3;
    let bucket = (octave * u64::from(resolution) + sub_bucket + 1) as i32;
    if value < 0.0 { -bucket } else { bucket }
}

/// The value that stands for a bucket.
fn value_of(bucket: i32, resolution: u32) -> Option<f64> {
    if bucket == 0 {
        return Some(0.0);
    }
    let place = bucket.unsigned_abs() - 1;
    let (octave, sub_bucket) = (place / resolution, place % resolution);
    // The end of sub-buckets solves q(s) = j/B: s = 2 − √(4 − 3j/B), written without cancellation.
    let end = |j: u32| {
        let x = 3.0 * f64::from(j) / f64::from(resolution);
        1.0 + x / (2.0 + (4.0 - x).sqrt())
    };
    let (a, b) = (end(sub_bucket), end(sub_bucket + 1));
    let middle = 2.0 * a * b / (a + b);
    let mantissa = middle.to_bits() & ((1 << 52) - 1) | 1 << 52;
    let magnitude = round_scaled(mantissa, i64::from(octave) - 1074 - 52)?;
    Some(if bucket < 0 { -magnitude + 0.0 } else { magnitude })
}

impl LogBuckets {
    pub(crate) fn new(resolution: u32) -> Self {
        LogBuckets { resolution, counts: Vec::new() }
    }

    /// Sub-buckets of an octave.
    pub(crate) fn resolution(&self) -> u32 {
        self.resolution
    }

    fn n_values(&self) -> i64 {
        self.counts.iter().map(|(_, count)| count).sum()
    }

    /// The lower quantile: the value of rank ⌊q·(n − 1)⌋, ranks from 0, within the guaranteed error; none
    /// without values. `q_ppb` is q in billionths, at most 10⁹.
    pub fn quantile(&self, q_ppb: u32) -> Option<f64> {
        let n_values = self.n_values();
        let rank = i128::from(q_ppb) * i128::from(n_values - 1) / 1_000_000_000;
        let mut n_below = 0_i128;
        for (bucket, count) in &self.counts {
            n_below += i128::from(*count);
            if n_below > rank {
                return value_of(*bucket, self.resolution);
            }
        }
        None
    }

    /// Merges ascending buckets and their counts.
    fn merge_counts(&mut self, others: &[(i32, i64)]) -> Checked<()> {
        let n_others = others.iter().try_fold(0_i64, |sum, (_, count)| sum.checked_add(*count));
        if n_others.and_then(|n_others| n_others.checked_add(self.n_values())).is_none() {
            return Err(TOO_MANY_ROWS);
        }
        if self.counts.is_empty() {
            self.counts = others.to_vec();
            return Ok(());
        }
        let mut merged = Vec::with_capacity(self.counts.len() + others.len());
        let (mut from_own, mut from_others) = (self.counts.iter().peekable(), others.iter().peekable());
        while let (Some(&&own), Some(&&other)) = (from_own.peek(), from_others.peek()) {
            if own.0 <= other.0 {
                from_own.next();
            }
            if other.0 <= own.0 {
                from_others.next();
            }
            merged.push(match own.0.cmp(&other.0) {
                std::cmp::Ordering::Less => own,
                std::cmp::Ordering::Equal => (own.0, own.1 + other.1),
                std::cmp::Ordering::Greater => other,
            });
        }
        merged.extend(from_own.chain(from_others));
        self.counts = merged;
        Ok(())
    }

    /// Reads canonical bytes: the first bucket (zigzag) and then the distances to the next, each followed by
    /// the count, all LEB128.
    pub(crate) fn decode(resolution: u32, bytes: &[u8]) -> Checked<Self> {
        let last = i64::from(N_OCTAVES) * i64::from(resolution);
        let mut reader = Reader::new(bytes);
        let mut counts: Vec<(i32, i64)> = Vec::new();
        let mut n_values = 0_i64;
        while !reader.is_empty() {
            let number = reader.varint()?;
            let bucket = match counts.last() {
                None => Some((number >> 1) as i64 ^ -((number & 1) as i64)),
                Some(_) if number == 0 => None,
                Some((before, _)) => {
                    i64::try_from(number).ok().and_then(|n| n.checked_add(i64::from(*before)))
                }
            };
            let bucket = bucket.filter(|bucket| (-last..=last).contains(bucket)).ok_or(NOT_CANONICAL)?;
            let count =
                i64::try_from(reader.varint()?).ok().filter(|count| *count > 0).ok_or(NOT_CANONICAL)?;
            n_values = n_values.checked_add(count).ok_or(NOT_CANONICAL)?;
            counts.push((bucket as i32, count));
        }
        Ok(LogBuckets { resolution, counts })
    }
}

impl HeapValue for LogBuckets {
    fn merge(&mut self, other: &Self) -> Checked<()> {
        if self.resolution != other.resolution {
            return Err("sketches of different resolution do not merge");
        }
        self.merge_counts(&other.counts)
    }

    fn encode(&self, out: &mut Vec<u8>) {
        let mut before = None;
        for (bucket, count) in &self.counts {
            let bucket = i64::from(*bucket);
            match before {
                None => put_varint((bucket << 1 ^ bucket >> 63) as u64, out),
                Some(before) => put_varint((bucket - before) as u64, out),
            }
            put_varint(*count as u64, out);
            before = Some(bucket);
        }
    }

    #[inline]
    fn heap_size(&self) -> usize {
        self.counts.capacity() * size_of::<(i32, i64)>()
    }
}

/// A sketch that takes values in one by one. Values lie close together, so that their counts are an array
/// over a span of buckets, which may be some times as long as there are values. Buckets beyond it wait until
/// a sort of many is worth it.
#[derive(Debug)]
pub(crate) struct LogBucketsBuilder {
    sketch: LogBuckets,
    /// The bucket of the first of the counts.
    first: i32,
    counts: Vec<u32>,
    /// Values that the span did not hold when they came, and those in the counts when it was made: a lower
    /// bound of the number of values.
    n_values: usize,
    waiting: Vec<i32>,
}

impl LogBucketsBuilder {
    /// Buckets that a span has at least, and at most for each value.
    const MIN_SPAN: usize = 16;
    const SPAN_PER_VALUE: usize = 8;
    /// Values that wait at least; enough that sorting is cheap for each, few enough for many groups.
    const MIN_WAITING: usize = 32;

    pub(crate) fn new(resolution: u32) -> Self {
        let sketch = LogBuckets::new(resolution);
        LogBucketsBuilder { sketch, first: 0, counts: Vec::new(), n_values: 0, waiting: Vec::new() }
    }

    /// Takes a finite float in.
    #[inline]
    pub(crate) fn add(&mut self, value: f64) {
        let bucket = bucket_of(value, self.sketch.resolution);
        // Buckets are far from the ends of an i32.
        let place = bucket.wrapping_sub(self.first) as u32 as usize;
        match self.counts.get_mut(place) {
            Some(count) if *count < u32::MAX => *count += 1,
            _ => self.add_beyond(bucket),
        }
    }

    /// Adds a value that the counts have no room for.
    #[cold]
    fn add_beyond(&mut self, bucket: i32) {
        self.n_values += 1;
        let end = self.first + self.counts.len() as i32;
        let (from, to) = if self.counts.is_empty() {
            (bucket, bucket + 1)
        } else {
            (self.first.min(bucket), end.max(bucket + 1))
        };
        let n_wanted = (to - from) as usize;
        let n_before = self.counts.len();
        if n_wanted > n_before && n_wanted <= Self::SPAN_PER_VALUE * self.n_values + Self::MIN_SPAN {
            // Room on the side where it was wanting, so that the span is made anew a few times only.
            let room = (n_wanted / 2).max(Self::MIN_SPAN / 2) as i32;
            let from = if from < self.first || n_before == 0 { from - room } else { from };
            let to = if to > end || n_before == 0 { to + room } else { to };
            let mut counts = vec![0; (to - from) as usize];
            let at = (self.first - from).max(0) as usize;
            if let Some(kept) = counts.get_mut(at..at + n_before) {
                kept.copy_from_slice(&self.counts);
            }
            let n_counted: u64 = self.counts.iter().map(|count| u64::from(*count)).sum();
            self.n_values = self.n_values.max(usize::try_from(n_counted).unwrap_or(usize::MAX));
            (self.first, self.counts) = (from, counts);
            if let Some(count) = self.counts.get_mut((bucket - from) as usize) {
                *count += 1;
                return;
            }
        }
        self.waiting.push(bucket);
        if self.waiting.len() >= self.sketch.counts.len().max(Self::MIN_WAITING) {
            // Where the count would overflow everything keeps waiting, and `finish` says so.
            let _ = self.settle();
        }
    }

    /// Sorts what waits into the sketch.
    fn settle(&mut self) -> Checked<()> {
        self.waiting.sort_unstable();
        let runs = self.waiting.chunk_by(|left, right| left == right);
        let counts: Vec<(i32, i64)> = runs.map(|run| (run[0], run.len() as i64)).collect();
        self.sketch.merge_counts(&counts)?;
        self.waiting.clear();
        Ok(())
    }

    pub(crate) fn merge(&mut self, other: &LogBuckets) -> Checked<()> {
        self.sketch.merge(other)
    }

    pub(crate) fn finish(mut self) -> Checked<LogBuckets> {
        let counts = (self.first..).zip(&self.counts).filter(|(_, count)| **count > 0);
        let counts: Vec<(i32, i64)> = counts.map(|(bucket, count)| (bucket, i64::from(*count))).collect();
        self.settle()?;
        self.sketch.merge_counts(&counts)?;
        Ok(self.sketch)
    }

    #[inline]
    pub(crate) fn heap_size(&self) -> usize {
        self.sketch.heap_size()
            + self.counts.capacity() * size_of::<u32>()
            + self.waiting.capacity() * size_of::<i32>()
    }
}
