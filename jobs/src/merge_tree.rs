//! Many files of states become few: a tree of merges, and ranges of groups where one file would be too large.
//!
//! The states of a metric over neighbouring intervals are merged some at a time, until so few and small files
//! are left that whoever reads them can merge them in passing. Each level of the tree decides anew, by the
//! files that there are, how many ranges the next one has: where intervals have the same groups, files become
//! smaller by merging, and where they have their own, files stay of one size and ranges become more.

use metricc_compiler::{GroupBound, GroupRange};

use crate::{MergeWork, SegmentFile};

/// Intervals whose states a job merges.
const FAN_IN: usize = 16;

/// Files that are merged in passing, at most.
const FEW_FILES: usize = 256;

/// The states of one interval: files of ranges of groups, ascending, without a gap.
type Ranges = Vec<(GroupRange, SegmentFile)>;

/// The states of a metric over neighbouring intervals, in their order.
#[derive(Debug)]
pub(crate) struct MergeTree {
    /// The index of the metric.
    metric: usize,
    /// Bytes of files that one process is to merge at a time.
    most_bytes: u64,
    intervals: Vec<Ranges>,
    /// The merges of this level.
    level: Vec<Step>,
}

/// What becomes of neighbouring intervals.
#[derive(Debug)]
enum Step {
    /// The last of a level has no neighbour.
    Kept(Ranges),
    Merged(Vec<GroupRange>),
}

impl MergeTree {
    /// The tree over one file of each interval.
    pub(crate) fn new(metric: usize, files: Vec<SegmentFile>, most_bytes: u64) -> Self {
        let intervals = files.into_iter().map(|file| vec![(GroupRange::default(), file)]).collect();
        MergeTree { metric, most_bytes: most_bytes.max(1), intervals, level: Vec::new() }
    }

    /// The merges of the next level; none at the end.
    pub(crate) fn next(&mut self) -> Vec<MergeWork> {
        let (n_files, n_bytes) = size(&self.intervals);
        let is_small = n_files <= FEW_FILES && n_bytes <= self.most_bytes;
        if self.intervals.len() <= 1 || is_small {
            return Vec::new();
        }
        let mut works = Vec::new();
        for neighbours in self.intervals.chunks(FAN_IN) {
            if let [only] = neighbours {
                self.level.push(Step::Kept(only.clone()));
                continue;
            }
            let n_ranges = size(neighbours).1.div_ceil(self.most_bytes);
            let ranges = GroupRange::between(&bounds(neighbours, n_ranges));
            for range in &ranges {
                let files = neighbours.iter().flatten().filter(|(has, _)| has.overlaps(range));
                let inputs = files.map(|(_, file)| SegmentFile { samples: Vec::new(), ..file.clone() });
                works.push(MergeWork { metric: self.metric, inputs: inputs.collect(), range: range.clone() });
            }
            self.level.push(Step::Merged(ranges));
        }
        works
    }

    /// Takes the results of the merges of this level, in their order.
    pub(crate) fn take(&mut self, results: &mut impl Iterator<Item = SegmentFile>) {
        if self.level.is_empty() {
            return;
        }
        self.intervals.clear();
        for step in std::mem::take(&mut self.level) {
            self.intervals.push(match step {
                Step::Kept(ranges) => ranges,
                Step::Merged(ranges) => ranges.into_iter().zip(results.by_ref()).collect(),
            });
        }
    }

    /// For each range, the files that are left to merge, in their order.
    pub(crate) fn finish(self) -> Vec<Vec<SegmentFile>> {
        match <[Ranges; 1]>::try_from(self.intervals) {
            Ok([ranges]) => ranges.into_iter().map(|(_, file)| vec![file]).collect(),
            Err(intervals) => vec![intervals.into_iter().flatten().map(|(_, file)| file).collect()],
        }
    }
}

/// The number of files, and of their bytes.
fn size(intervals: &[Ranges]) -> (usize, u64) {
    let files = intervals.iter().flatten();
    files.fold((0, 0), |(n, n_bytes), (_, file)| (n + 1, n_bytes + file.n_bytes))
}

/// Bounds that divide the groups of all files into so many ranges with about as many bytes each; fewer, if
/// there are not so many groups. No range is before all groups.
fn bounds(intervals: &[Ranges], n_ranges: u64) -> Vec<GroupBound> {
    let weighed = intervals.iter().flatten().flat_map(|(_, file)| {
        let weight = file.n_bytes / file.samples.len().max(1) as u64;
        file.samples.iter().map(move |bound| (bound, weight.max(1)))
    });
    let mut weighed: Vec<(&GroupBound, u64)> = weighed.collect();
    weighed.sort_unstable();
    let total: u64 = weighed.iter().map(|(_, weight)| weight).sum();
    let first = weighed.first().map(|(bound, _)| *bound);
    let (mut bounds, mut before): (Vec<GroupBound>, u64) = (Vec::new(), 0);
    for (bound, weight) in weighed {
        let wanted = total.saturating_mul(bounds.len() as u64 + 1) / n_ranges.max(1);
        let is_new = Some(bound) != first && bounds.last() != Some(bound);
        if before >= wanted && is_new && (bounds.len() as u64) + 1 < n_ranges {
            bounds.push(bound.clone());
        }
        before += weight;
    }
    bounds
}
