//! A segment that is served. A read of one key touches only its rows: they are found by the order of the segment,
//! or with many windows by an index.

use std::ops::Range;
use std::sync::{Arc, OnceLock};

use arrow::array::{ArrayRef, UInt32Array};
use arrow::compute::take_record_batch;
use metricc_client::Layer;
use metricc_compiler::{CompileError, MetricPlan, Segment};

use crate::key_index::KeyIndex;
use crate::sorted_keys::{few_windows, rows_of};

/// A segment, its index, and the layer that computed it; clones share segment and index.
#[derive(Debug, Clone)]
pub struct IndexedSegment {
    inner: Arc<Inner>,
    layer: Option<Layer>,
}

#[derive(Debug)]
struct Inner {
    segment: Segment,
    /// Made by the first read that needs it.
    lookup: OnceLock<KeyLookup>,
}

/// How the rows of keys are found.
#[derive(Debug)]
enum KeyLookup {
    /// By a search in each of the few windows.
    Search(Vec<Range<usize>>),
    Index(KeyIndex),
}

impl From<Segment> for IndexedSegment {
    fn from(segment: Segment) -> Self {
        IndexedSegment { inner: Arc::new(Inner { segment, lookup: OnceLock::new() }), layer: None }
    }
}

impl IndexedSegment {
    /// The segment.
    pub fn segment(&self) -> &Segment {
        &self.inner.segment
    }

    /// The same segment, computed by a layer. Receipts name it.
    #[must_use]
    pub fn with_layer(self, layer: Layer) -> Self {
        IndexedSegment { layer: Some(layer), ..self }
    }

    /// The layer that computed it, if that is known.
    pub fn layer(&self) -> Option<Layer> {
        self.layer
    }

    /// Whether a read by keys need not make an index first.
    pub(crate) fn is_indexed(&self) -> bool {
        self.inner.lookup.get().is_some()
    }

    /// Makes the index, if it takes one, so that no read has to wait for it.
    pub(crate) fn prepare(&self, plan: &MetricPlan) {
        self.lookup(plan);
    }

    fn lookup(&self, plan: &MetricPlan) -> &KeyLookup {
        self.inner.lookup.get_or_init(|| {
            let (segment, n_rows) = (&self.inner.segment, self.inner.segment.states.num_rows());
            let before_keys = &segment.states.columns()[..plan.form.n_group_columns - plan.metric.keys.len()];
            match few_windows(before_keys, n_rows) {
                Some(windows) => KeyLookup::Search(windows),
                None => KeyLookup::Index(KeyIndex::new(keys_of(segment, plan), n_rows)),
            }
        })
    }

    fn rows_of_keys(&self, plan: &MetricPlan, wanted: &[Option<Vec<u8>>]) -> Vec<u32> {
        let keys = keys_of(&self.inner.segment, plan);
        match self.lookup(plan) {
            KeyLookup::Search(windows) => rows_of(windows, keys, wanted),
            KeyLookup::Index(index) => index.rows(keys, wanted),
        }
    }

    /// The number of rows of one combination of all keys.
    pub(crate) fn n_rows_of_keys(&self, plan: &MetricPlan, wanted: &[Option<Vec<u8>>]) -> usize {
        self.rows_of_keys(plan, wanted).len()
    }

    /// The rows of one combination of all keys of the metric, given as the bytes of their values; `None` is
    /// null.
    pub(crate) fn of_keys(
        &self,
        plan: &MetricPlan,
        wanted: &[Option<Vec<u8>>],
    ) -> Result<Segment, CompileError> {
        let segment = &self.inner.segment;
        let rows = self.rows_of_keys(plan, wanted);
        let states = match (rows.first(), rows.last()) {
            // No row, or rows that follow one another.
            (first, last)
                if first.zip(last).is_none_or(|(first, last)| (last - first) as usize + 1 == rows.len()) =>
            {
                segment.states.slice(first.map_or(0, |first| *first as usize), rows.len())
            }
            _ => take_record_batch(&segment.states, &UInt32Array::from(rows))
                .map_err(|error| CompileError::engine(&plan.metric.name, error))?,
        };
        Ok(Segment { hash: segment.hash, interval: segment.interval.clone(), states })
    }
}

/// The columns of the keys of a plan's metric.
fn keys_of<'a>(segment: &'a Segment, plan: &MetricPlan) -> &'a [ArrayRef] {
    let end = plan.form.n_group_columns;
    &segment.states.columns()[end - plan.metric.keys.len()..end]
}
