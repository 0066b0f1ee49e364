//! A segment that is served. It has an index from keys to rows, so that a read of one key touches only its
//! rows.

use std::sync::{Arc, OnceLock};

use arrow::array::{ArrayRef, UInt32Array};
use arrow::compute::take_record_batch;
use metricc_client::Layer;
use metricc_compiler::{CompileError, MetricPlan, Segment};

use crate::key_index::KeyIndex;

/// A segment, its index, and the layer that computed it; clones share segment and index.
#[derive(Debug, Clone)]
pub struct IndexedSegment {
    inner: Arc<Inner>,
    layer: Option<Layer>,
}

#[derive(Debug)]
struct Inner {
    segment: Segment,
    /// Built by the first read that needs it.
    index: OnceLock<KeyIndex>,
}

impl From<Segment> for IndexedSegment {
    fn from(segment: Segment) -> Self {
        IndexedSegment { inner: Arc::new(Inner { segment, index: OnceLock::new() }), layer: None }
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

    /// Whether the index is built.
    pub(crate) fn is_indexed(&self) -> bool {
        self.inner.index.get().is_some()
    }

    /// Builds the index, so that no read has to wait for it.
    pub(crate) fn prepare(&self, plan: &MetricPlan) {
        self.index(plan);
    }

    fn index(&self, plan: &MetricPlan) -> &KeyIndex {
        let segment = &self.inner.segment;
        self.inner.index.get_or_init(|| KeyIndex::new(keys_of(segment, plan), segment.states.num_rows()))
    }

    /// The number of rows of one combination of all keys.
    pub(crate) fn n_rows_of_keys(&self, plan: &MetricPlan, wanted: &[Option<Vec<u8>>]) -> usize {
        self.index(plan).rows(keys_of(&self.inner.segment, plan), wanted).len()
    }

    /// The rows of one combination of all keys of the metric, given as the bytes of their values; `None` is
    /// null.
    pub(crate) fn of_keys(
        &self,
        plan: &MetricPlan,
        wanted: &[Option<Vec<u8>>],
    ) -> Result<Segment, CompileError> {
        let segment = &self.inner.segment;
        let rows = self.index(plan).rows(keys_of(segment, plan), wanted);
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
