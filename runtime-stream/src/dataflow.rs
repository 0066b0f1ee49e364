//! One metric's dataflow: *combine → exchange → arrange*, and reading its trace at a time.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::DataType;
use arrow::row::RowConverter;
use differential_dataflow::Hashable;
use differential_dataflow::operators::arrange::agent::TraceAgent;
use differential_dataflow::operators::arrange::arrangement::arrange_core;
use differential_dataflow::trace::chunk::vec::{ChunkBatcher, ChunkSpine};
use differential_dataflow::trace::cursor::cursor_list;
use differential_dataflow::trace::{Cursor, TraceReader};
use metricc_algebra::n_words;
use metricc_compiler::{CompileError, MetricPlan, StateLayout};
use timely::dataflow::channels::pact::{Exchange, Pipeline};
use timely::dataflow::operators::{Operator, Probe};
use timely::dataflow::{ProbeHandle, Stream};
use timely::progress::frontier::AntichainRef;

use crate::combine::{Combiner, group_rows};
use crate::difference::{Difference, HeapProduct, Words};
use crate::key::{GroupKey, RowKey, SHORT_BYTES, ShortKey};
use crate::worker::Failures;

/// Index of a micro-batch.
pub(crate) type Time = u64;

/// A group, a micro-batch, and the product of the group's states in it.
type Update<K, D> = ((K, ()), Time, D);

/// Groups in a batch of states that is read out.
const READ_ROWS: usize = 8192;

/// The trace of one metric on one worker.
pub(crate) trait MetricTrace {
    /// The states of this worker's groups over all micro-batches before `time`, in the plan's segment schema.
    fn read(&mut self, time: Time) -> Result<Vec<RecordBatch>, CompileError>;
    /// Gives up the distinction of times before `time`: no read will ask for less.
    fn compact(&mut self, time: Time);
}

/// Adds a metric to the dataflow of this worker. The forms of key and difference follow from the plan.
pub(crate) fn attach<'scope>(
    plan: &Arc<MetricPlan>,
    rows: &Stream<'scope, Time, Vec<RecordBatch>>,
    probe: &ProbeHandle<Time>,
    failures: &Failures,
) -> Result<Box<dyn MetricTrace>, CompileError> {
    match row_width(plan) {
        Some(width) if width <= SHORT_BYTES => attach_keyed::<ShortKey>(plan, width, rows, probe, failures),
        _ => attach_keyed::<RowKey>(plan, 0, rows, probe, failures),
    }
}

fn attach_keyed<'scope, K: GroupKey>(
    plan: &Arc<MetricPlan>,
    width: usize,
    rows: &Stream<'scope, Time, Vec<RecordBatch>>,
    probe: &ProbeHandle<Time>,
    failures: &Failures,
) -> Result<Box<dyn MetricTrace>, CompileError> {
    match &plan.layout {
        StateLayout::Words(program) => match n_words(program) {
            0..=2 => arrange::<K, Words<2>>(plan, width, rows, probe, failures),
            3..=4 => arrange::<K, Words<4>>(plan, width, rows, probe, failures),
            5..=8 => arrange::<K, Words<8>>(plan, width, rows, probe, failures),
            _ => arrange::<K, Words<16>>(plan, width, rows, probe, failures),
        },
        StateLayout::Heap => arrange::<K, HeapProduct>(plan, width, rows, probe, failures),
    }
}

fn arrange<'scope, K: GroupKey, D: Difference>(
    plan: &Arc<MetricPlan>,
    width: usize,
    rows: &Stream<'scope, Time, Vec<RecordBatch>>,
    probe: &ProbeHandle<Time>,
    failures: &Failures,
) -> Result<Box<dyn MetricTrace>, CompileError> {
    let mut combiner = Combiner::<K, D>::new(plan.clone())?;
    let failures = failures.clone();
    let combined: Stream<'scope, Time, Vec<Update<K, D>>> =
        rows.clone().unary(Pipeline, &format!("combine {}", plan.metric.name), move |_, _| {
            move |input, output| {
                input.for_each(|capability, batches| {
                    let time = *capability.least().expect("a message has a time");
                    let mut session = output.session(&capability);
                    for rows in batches.drain(..) {
                        match combiner.combine(&rows) {
                            Ok(groups) => {
                                let updates = groups.into_iter().map(|(key, state)| ((key, ()), time, state));
                                session.give_container(&mut updates.collect());
                            }
                            Err(error) => failures.report(error),
                        }
                    }
                });
            }
        });
    let by_group = Exchange::new(|((key, ()), _, _): &Update<K, D>| key.hashed());
    let arranged = arrange_core::<_, _, ChunkBatcher<K, (), Time, D>, ChunkSpine<K, (), Time, D>>(
        combined,
        by_group,
        &format!("arrange {}", plan.metric.name),
        ChunkBatcher::new,
    );
    arranged.stream.probe_with(probe);
    let rows = group_rows(plan)?;
    Ok(Box::new(Trace { plan: plan.clone(), width, rows, agent: arranged.trace }))
}

struct Trace<K: GroupKey, D: Difference> {
    plan: Arc<MetricPlan>,
    /// Bytes of a group's row where all have the same; 0 otherwise.
    width: usize,
    rows: RowConverter,
    agent: TraceAgent<ChunkSpine<K, (), Time, D>>,
}

impl<K: GroupKey, D: Difference> MetricTrace for Trace<K, D> {
    fn read(&mut self, time: Time) -> Result<Vec<RecordBatch>, CompileError> {
        let batches = self.agent.batches_through(AntichainRef::new(&[])).unwrap_or_default();
        let (mut cursor, storage) = cursor_list(batches);
        let mut read = Vec::new();
        let mut groups: Vec<(K, D)> = Vec::new();
        while let Some(key) = cursor.get_key(&storage) {
            let key = key.clone();
            let mut sum: Option<D> = None;
            cursor.map_times(&storage, |at, difference: &D| {
                if *at < time {
                    match &mut sum {
                        Some(sum) => sum.plus_equals(difference),
                        None => sum = Some(difference.clone()),
                    }
                }
            });
            groups.extend(sum.filter(|sum| !sum.is_zero()).map(|sum| (key, sum)));
            if groups.len() == READ_ROWS {
                read.push(self.batch(std::mem::take(&mut groups))?);
            }
            cursor.step_key(&storage);
        }
        read.push(self.batch(groups)?);
        Ok(read)
    }

    fn compact(&mut self, time: Time) {
        self.agent.set_logical_compaction(AntichainRef::new(&[time]));
        self.agent.set_physical_compaction(AntichainRef::new(&[time]));
    }
}

impl<K: GroupKey, D: Difference> Trace<K, D> {
    fn batch(&self, groups: Vec<(K, D)>) -> Result<RecordBatch, CompileError> {
        let failed = |error| CompileError::engine(&self.plan.metric.name, error);
        let (keys, differences): (Vec<K>, Vec<D>) = groups.into_iter().unzip();
        let mut bytes = Vec::new();
        let mut ends = Vec::with_capacity(keys.len());
        for key in &keys {
            key.append_to(self.width, &mut bytes);
            ends.push(bytes.len());
        }
        let starts = std::iter::once(0).chain(ends.iter().copied());
        let parser = self.rows.parser();
        let rows = starts.zip(&ends).map(|(start, &end)| parser.parse(&bytes[start..end]));
        let mut columns: Vec<ArrayRef> = self.rows.convert_rows(rows).map_err(failed)?;
        let states = D::to_columns(&self.plan, &differences)
            .map_err(|error| CompileError::engine(&self.plan.metric.name, error))?;
        columns.extend(states);
        RecordBatch::try_new(self.plan.segment_schema.clone(), columns).map_err(failed)
    }
}

/// Bytes of a group's row in Arrow's row format, if all groups have the same: a marker and the value.
fn row_width(plan: &MetricPlan) -> Option<usize> {
    let fields = plan.segment_schema.fields()[..plan.n_group_columns].iter();
    fields
        .map(|field| match field.data_type() {
            DataType::Boolean => Some(2),
            data_type => data_type.primitive_width().map(|width| width + 1),
        })
        .sum()
}
