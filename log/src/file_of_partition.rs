//! What a partition says of the file that it reads.

use serde::{Deserialize, Serialize};

use crate::files::LogFile;

/// Records between two whose position in the file is noted. It is part of [`TextPlaces`], which are sent.
pub(crate) const SAMPLE_EVERY: u64 = 1024;

/// What a partition says of a file that it reads a range from. [`Log::file_parts`](crate::Log::file_parts)
/// makes parts of it.
#[derive(Debug)]
pub struct FileOfPartition {
    pub(crate) file: LogFile,
    pub(crate) places: Option<TextPlaces>,
}

/// Where some of the records of a text start.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TextPlaces {
    /// The number of all records.
    pub n_records: u64,
    /// The first record whose place is noted, counted in units of 1,024.
    pub first: u64,
    /// Byte and line of that record, and of every 1,024th one after it.
    pub samples: Vec<(u64, u64)>,
}

impl TextPlaces {
    /// Where reading from an offset starts: byte and line.
    pub(crate) fn start(&self, offset: u64) -> (u64, u64) {
        let sample =
            usize::try_from((offset / SAMPLE_EVERY).saturating_sub(self.first)).unwrap_or(usize::MAX);
        self.samples.get(sample).or(self.samples.last()).copied().unwrap_or((0, 1))
    }

    /// The places of the records from one offset to another.
    pub(crate) fn within(&self, from: u64, to: u64) -> Self {
        let first = (from / SAMPLE_EVERY).max(self.first);
        let index =
            |sample: u64| usize::try_from(sample - self.first).unwrap_or(usize::MAX).min(self.samples.len());
        let samples = &self.samples[index(first)..index(to.div_ceil(SAMPLE_EVERY).max(first))];
        TextPlaces { n_records: self.n_records, first, samples: samples.to_vec() }
    }
}
