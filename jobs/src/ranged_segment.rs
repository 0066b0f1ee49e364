//! A segment in the store, which its reader need not hold as a whole.

use std::error::Error;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use metricc_compiler::{CompileError, GroupRange, MetricPlan, Segment, SegmentRanges};
use metricc_ir::Interval;

use crate::{JobError, JobStore, SegmentFile};

/// A segment of a metric as files of ranges of its groups, which ascend and are disjoint.
#[derive(Debug, Clone)]
pub struct RangedSegment {
    pub(crate) store: JobStore,
    pub(crate) plan: Arc<MetricPlan>,
    pub(crate) interval: Interval,
    /// For each range the files that are merged when it is read.
    pub(crate) ranges: Vec<Vec<SegmentFile>>,
}

impl RangedSegment {
    /// The plan of its metric.
    pub fn plan(&self) -> &Arc<MetricPlan> {
        &self.plan
    }

    /// Its files, below the root of the store: Parquet, with a column for each key and for each state.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.ranges.iter().flatten().map(|file| file.path.as_str())
    }

    /// Reads all of it.
    ///
    /// # Errors
    /// [`JobError`] if a file is missing or damaged.
    pub fn whole(&self) -> Result<Segment, JobError> {
        let ranges = self.ranges.iter().map(|files| self.read(files));
        let ranges = ranges.collect::<Result<Vec<_>, _>>()?;
        let joined = concat_batches(&self.plan.form.schema, &ranges);
        self.segment(joined.map_err(|error| CompileError::engine(&self.plan.metric.name, error))?)
    }

    fn read(&self, files: &[SegmentFile]) -> Result<RecordBatch, JobError> {
        self.store.merged(files, &GroupRange::default(), &self.plan, &|| false)
    }

    fn segment(&self, states: RecordBatch) -> Result<Segment, JobError> {
        let segment = Segment { hash: self.plan.state_hash, interval: self.interval.clone(), states };
        let checked = segment.check(&self.plan);
        checked.map_err(|source| JobError::Segment {
            metric: self.plan.metric.name.clone(),
            source: Box::new(source),
        })?;
        Ok(segment)
    }
}

impl SegmentRanges for RangedSegment {
    fn n_ranges(&self) -> usize {
        self.ranges.len()
    }

    fn range(&self, index: usize) -> Result<Segment, Box<dyn Error + Send + Sync>> {
        let files = self.ranges.get(index);
        let files = files.ok_or_else(|| JobError::Form(format!("there is no range {index}")))?;
        Ok(self.segment(self.read(files)?)?)
    }
}
