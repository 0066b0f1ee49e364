//! Dividing an interval among readers that work at the same time.

use crate::partition::Partition;
use crate::{Interval, Slice};

/// Shares smaller than this are cut to the record; larger ones where reading starts without loss.
const MIN_SNAPPED: u64 = 4096;

/// At most `n` shares of about equal size, in order, without empty ones.
pub(crate) fn divide(partitions: &[Partition], interval: &Interval, n: usize) -> Vec<Vec<Slice>> {
    let n_shares = u64::try_from(n.max(1)).unwrap_or(u64::MAX);
    let total = interval.n_positions();
    let share = total.div_ceil(n_shares).max(1);
    let mut shares = vec![Vec::new()];
    // Positions before the present slice, and the number of them at which the present share ends.
    let (mut before, mut end) = (0u64, share);
    for mut slice in interval.slices() {
        while before.saturating_add(slice.n_positions()) > end {
            let nearest =
                |offset| partitions.get(slice.partition as usize).map_or(offset, |p| p.nearest_start(offset));
            let cut = cut(slice, slice.from.saturating_add(end.saturating_sub(before)), share, nearest);
            push(&mut shares, Slice { to: cut, ..slice });
            before = before.saturating_add(cut - slice.from);
            slice.from = cut;
            end = end.saturating_add(share);
            shares.push(Vec::new());
        }
        before = before.saturating_add(slice.n_positions());
        push(&mut shares, slice);
    }
    shares.retain(|share| !share.is_empty());
    shares
}

fn push(shares: &mut [Vec<Slice>], slice: Slice) {
    if let (true, Some(share)) = (slice.from < slice.to, shares.last_mut()) {
        share.push(slice);
    }
}

/// The wanted cut, or a better place near it: not further away than a quarter of a share.
fn cut(slice: Slice, wanted: u64, share: u64, nearest_start: impl Fn(u64) -> u64) -> u64 {
    if share < MIN_SNAPPED {
        return wanted;
    }
    let nearest = nearest_start(wanted).clamp(slice.from, slice.to);
    if nearest.abs_diff(wanted) <= share / 4 { nearest } else { wanted }
}
