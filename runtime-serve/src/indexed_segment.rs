//! A segment that is served. It has an index from keys to rows, so that a read of one key touches only its
//! rows.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use arrow::array::UInt32Array;
use arrow::compute::take_record_batch;
use metricc_algebra::value_bytes;
use metricc_client::Layer;
use metricc_compiler::{CompileError, MetricPlan, Segment};

/// A segment, its index, and the layer that computed it; clones share segment and index.
#[derive(Debug, Clone)]
pub struct IndexedSegment {
    inner: Arc<Inner>,
    layer: Option<Layer>,
}

#[derive(Debug)]
struct Inner {
    segment: Segment,
    /// The rows of each combination of keys, ascending; built by the first read that needs it.
    rows: OnceLock<HashMap<Vec<u8>, Vec<u32>>>,
}

impl From<Segment> for IndexedSegment {
    fn from(segment: Segment) -> Self {
        IndexedSegment { inner: Arc::new(Inner { segment, rows: OnceLock::new() }), layer: None }
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
        self.inner.rows.get().is_some()
    }

    /// Builds the index, so that no read has to wait for it.
    pub(crate) fn prepare(&self, plan: &MetricPlan) {
        self.inner.rows.get_or_init(|| index(&self.inner.segment, plan));
    }

    /// The rows of one combination of all keys of the metric, given as the bytes of their values; `None` is
    /// null.
    pub(crate) fn of_keys(
        &self,
        plan: &MetricPlan,
        wanted: &[Option<Vec<u8>>],
    ) -> Result<Segment, CompileError> {
        let segment = &self.inner.segment;
        let index = self.inner.rows.get_or_init(|| index(segment, plan));
        let rows = index.get(&joined(wanted.iter().map(Option::as_deref))).cloned().unwrap_or_default();
        let states = take_record_batch(&segment.states, &UInt32Array::from(rows))
            .map_err(|error| CompileError::engine(&plan.metric.name, error))?;
        Ok(Segment { hash: segment.hash, interval: segment.interval.clone(), states })
    }
}

fn index(segment: &Segment, plan: &MetricPlan) -> HashMap<Vec<u8>, Vec<u32>> {
    let n_keys = plan.metric.keys.len();
    let end = plan.form.n_group_columns;
    let keys = &segment.states.columns()[end - n_keys..end];
    let mut index: HashMap<Vec<u8>, Vec<u32>> = HashMap::new();
    for row in 0..segment.states.num_rows() {
        let values: Vec<Option<Vec<u8>>> = keys.iter().map(|column| value_bytes(column, row)).collect();
        index.entry(joined(values.iter().map(Option::as_deref))).or_default().push(row as u32);
    }
    index
}

/// The values one after the other, each after its length; null is a length that no value has.
fn joined<'a>(values: impl Iterator<Item = Option<&'a [u8]>>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for value in values {
        match value {
            None => bytes.extend(u32::MAX.to_le_bytes()),
            Some(value) => {
                bytes.extend((value.len() as u32).to_le_bytes());
                bytes.extend(value);
            }
        }
    }
    bytes
}
