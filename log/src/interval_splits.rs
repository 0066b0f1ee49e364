//! Splits: an interval divided among readers that work at the same time.

use std::sync::Arc;

use crate::partition::Partition;
use crate::{Interval, Slice};

/// Splits smaller than this are cut at any record; larger ones where reading starts without loss.
const MIN_SNAPPED: u64 = 4096;

/// At most `n` splits of about equal size, in order, without empty ones.
pub(crate) fn divide(partitions: &[Arc<dyn Partition>], interval: &Interval, n: usize) -> Vec<Vec<Slice>> {
    let n_splits = u64::try_from(n.max(1)).unwrap_or(u64::MAX);
    let total = interval.n_positions();
    let size = total.div_ceil(n_splits).max(1);
    let mut splits = vec![Vec::new()];
    // Positions before the present slice, and the number of them at which the present split ends.
    let (mut before, mut end) = (0u64, size);
    for mut slice in interval.slices() {
        while before.saturating_add(slice.n_positions()) > end {
            let nearest =
                |offset| partitions.get(slice.partition as usize).map_or(offset, |p| p.nearest_start(offset));
            let cut = cut(slice, slice.from.saturating_add(end.saturating_sub(before)), size, nearest);
            push(&mut splits, Slice { to: cut, ..slice });
            before = before.saturating_add(cut - slice.from);
            slice.from = cut;
            end = end.saturating_add(size);
            splits.push(Vec::new());
        }
        before = before.saturating_add(slice.n_positions());
        push(&mut splits, slice);
    }
    splits.retain(|split| !split.is_empty());
    splits
}

fn push(splits: &mut [Vec<Slice>], slice: Slice) {
    if let (true, Some(split)) = (slice.from < slice.to, splits.last_mut()) {
        split.push(slice);
    }
}

/// The wanted cut, or a better one near it, at most a quarter of a split away.
fn cut(slice: Slice, wanted: u64, size: u64, nearest_start: impl Fn(u64) -> u64) -> u64 {
    if size < MIN_SNAPPED {
        return wanted;
    }
    let nearest = nearest_start(wanted).clamp(slice.from, slice.to);
    if nearest.abs_diff(wanted) <= size / 4 { nearest } else { wanted }
}
