//! The dataflow of one grouping: *combine → exchange → arrange*, and reading its trace at a time.
//!
//! The time of the dataflow is an epoch: the rows fed between two moments at which a read is possible. Within
//! an epoch, rows only meet in the combiner's table, so the work of sorting and merging in the collection
//! depends on the number of groups and reads, not on the number of rows.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use differential_dataflow::Hashable;
use differential_dataflow::operators::arrange::agent::TraceAgent;
use differential_dataflow::operators::arrange::arrangement::arrange_core;
use differential_dataflow::trace::chunk::vec::{ChunkBatcher, ChunkSpine};
use differential_dataflow::trace::cursor::cursor_list;
use differential_dataflow::trace::{Cursor, TraceReader};
use metricc_algebra::n_words;
use metricc_compiler::{CompileError, Grouping, Measure, PackedGroup, StateLayout, explain};
use metricc_log::yield_if_due;
use timely::dataflow::channels::pact::{Exchange, Pipeline};
use timely::dataflow::operators::{Capability, Operator, Probe};
use timely::dataflow::{ProbeHandle, Stream};
use timely::progress::frontier::AntichainRef;

use crate::combine::Combiner;
use crate::difference::{Difference, HeapProduct, Words};
use crate::failure::Failures;
use crate::key::{BytesKey, GroupKey, ShortKey};

/// Index of an epoch of the dataflow.
pub(crate) type Time = u64;

/// A group, an epoch, and the product of the group's states in it.
type Update<K, D> = ((K, ()), Time, D);

/// Groups in a batch of states that a read returns.
const READ_ROWS: usize = 8192;

/// Groups that are read between two checks of the time slice.
const GROUPS_AT_A_TIME: usize = 1024;

/// The trace of one grouping on one worker.
pub(crate) trait GroupingTrace {
    /// The states of this worker's groups over all epochs before `time`, in the grouping's form.
    fn read(&mut self, time: Time) -> Result<Vec<RecordBatch>, CompileError>;
    /// Allows times before `time` to be merged: no later read is before it.
    fn compact(&mut self, time: Time);
    /// The types of keys and differences, for `explain`.
    fn types(&self) -> Vec<(&'static str, String)>;
}

/// Adds a grouping to the dataflow of this worker. The plan decides the types of key and difference.
pub(crate) fn attach<'scope>(
    plan: &Arc<Grouping>,
    rows: &Stream<'scope, Time, Vec<RecordBatch>>,
    batch_rows: usize,
    probe: &ProbeHandle<Time>,
    failures: &Failures,
    measure: &Measure,
) -> Result<Box<dyn GroupingTrace>, CompileError> {
    match plan.form.groups.packed_width() {
        Some(0..=8) => attach_keyed::<ShortKey>(plan, rows, batch_rows, probe, failures, measure),
        Some(_) => attach_keyed::<PackedGroup>(plan, rows, batch_rows, probe, failures, measure),
        None => attach_keyed::<BytesKey>(plan, rows, batch_rows, probe, failures, measure),
    }
}

fn attach_keyed<'scope, K: GroupKey>(
    plan: &Arc<Grouping>,
    rows: &Stream<'scope, Time, Vec<RecordBatch>>,
    batch_rows: usize,
    probe: &ProbeHandle<Time>,
    failures: &Failures,
    measure: &Measure,
) -> Result<Box<dyn GroupingTrace>, CompileError> {
    match &plan.layout {
        StateLayout::Words(program) => match n_words(program) {
            0..=3 => arrange::<K, Words<3>>(plan, rows, batch_rows, probe, failures, measure),
            4..=8 => arrange::<K, Words<8>>(plan, rows, batch_rows, probe, failures, measure),
            _ => arrange::<K, Words<16>>(plan, rows, batch_rows, probe, failures, measure),
        },
        StateLayout::Heap => arrange::<K, HeapProduct>(plan, rows, batch_rows, probe, failures, measure),
    }
}

fn arrange<'scope, K: GroupKey, D: Difference>(
    plan: &Arc<Grouping>,
    rows: &Stream<'scope, Time, Vec<RecordBatch>>,
    batch_rows: usize,
    probe: &ProbeHandle<Time>,
    failures: &Failures,
    measure: &Measure,
) -> Result<Box<dyn GroupingTrace>, CompileError> {
    let combined = combine::<K, D>(plan, rows, batch_rows, failures, measure)?;
    let by_group = Exchange::new(|((key, ()), _, _): &Update<K, D>| key.hashed());
    let arranged = arrange_core::<_, _, ChunkBatcher<K, (), Time, D>, ChunkSpine<K, (), Time, D>>(
        combined,
        by_group,
        &format!("exchange and arrange {}", plan.form.place),
        ChunkBatcher::new,
    );
    arranged.stream.probe_with(probe);
    Ok(Box::new(Trace { plan: plan.clone(), measure: measure.clone(), agent: arranged.trace }))
}

/// Name of the first operator.
pub(crate) fn combine_name(plan: &Grouping) -> String {
    format!("prepare and combine {}", plan.form.place)
}

/// The first operator: fills the table of an epoch, and sends its groups when the epoch ends or the table is
/// full.
fn combine<'scope, K: GroupKey, D: Difference>(
    plan: &Arc<Grouping>,
    rows: &Stream<'scope, Time, Vec<RecordBatch>>,
    batch_rows: usize,
    failures: &Failures,
    measure: &Measure,
) -> Result<Stream<'scope, Time, Vec<Update<K, D>>>, CompileError> {
    let mut combiner = Combiner::<K, D>::new(plan.clone(), batch_rows)?;
    let (failures, measure) = (failures.clone(), measure.clone());
    Ok(rows.clone().unary_frontier(Pipeline, &combine_name(plan), move |_, _| {
        // The epoch whose rows are in the table.
        let mut held: Option<Capability<Time>> = None;
        move |(input, frontier), output| {
            measure.run(|| {
                let mut send = |combiner: &mut Combiner<K, D>, epoch: &Capability<Time>| match combiner.take()
                {
                    Ok(groups) => {
                        let time = *epoch.time();
                        let updates = groups.into_iter().map(|(key, state)| ((key, ()), time, state));
                        output.session(epoch).give_container(&mut updates.collect());
                    }
                    Err(error) => failures.report(error),
                };
                input.for_each(|capability, batches| {
                    let epoch = capability.retain_least(0).expect("a message has a time");
                    // Epochs come in order.
                    if let Some(before) =
                        held.replace(epoch.clone()).filter(|held| held.time() != epoch.time())
                    {
                        send(&mut combiner, &before);
                    }
                    for rows in batches.drain(..) {
                        combiner.add(&rows).unwrap_or_else(|error| failures.report(error));
                        yield_if_due();
                        if combiner.is_full() {
                            send(&mut combiner, &epoch);
                        }
                    }
                });
                if let Some(epoch) = held.take_if(|epoch| !frontier.less_equal(epoch.time())) {
                    send(&mut combiner, &epoch);
                }
            });
        }
    }))
}

struct Trace<K: GroupKey, D: Difference> {
    plan: Arc<Grouping>,
    measure: Measure,
    agent: TraceAgent<ChunkSpine<K, (), Time, D>>,
}

impl<K: GroupKey, D: Difference> GroupingTrace for Trace<K, D> {
    fn read(&mut self, time: Time) -> Result<Vec<RecordBatch>, CompileError> {
        self.measure.clone().run(|| self.read_here(time))
    }

    fn compact(&mut self, time: Time) {
        self.agent.set_logical_compaction(AntichainRef::new(&[time]));
        self.agent.set_physical_compaction(AntichainRef::new(&[time]));
    }

    fn types(&self) -> Vec<(&'static str, String)> {
        let held = format!("{}, {}", explain::layout(&self.plan.layout), D::held());
        vec![("key", K::TYPE.to_owned()), ("difference", held), ("absent if", "rows = 0".to_owned())]
    }
}

impl<K: GroupKey, D: Difference> Trace<K, D> {
    fn read_here(&mut self, time: Time) -> Result<Vec<RecordBatch>, CompileError> {
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
            if groups.len().is_multiple_of(GROUPS_AT_A_TIME) {
                yield_if_due();
            }
            if groups.len() == READ_ROWS {
                read.push(self.batch(std::mem::take(&mut groups))?);
            }
            cursor.step_key(&storage);
        }
        read.push(self.batch(groups)?);
        Ok(read)
    }

    fn batch(&self, groups: Vec<(K, D)>) -> Result<RecordBatch, CompileError> {
        let failed = |error| CompileError::engine(&self.plan.form.place, error);
        let (keys, differences): (Vec<K>, Vec<D>) = groups.into_iter().unzip();
        let mut bytes = Vec::new();
        let mut ends = Vec::with_capacity(keys.len());
        for key in &keys {
            key.append_to(&self.plan.form.groups, &mut bytes);
            ends.push(bytes.len());
        }
        let starts = std::iter::once(0).chain(ends.iter().copied());
        let rows = starts.zip(&ends).map(|(start, &end)| &bytes[start..end]);
        let mut columns: Vec<ArrayRef> = self.plan.form.groups.columns(rows).map_err(failed)?;
        let states = D::to_columns(&self.plan, &differences)
            .map_err(|error| CompileError::engine(&self.plan.form.place, error))?;
        columns.extend(states);
        RecordBatch::try_new(self.plan.form.schema.clone(), columns).map_err(failed)
    }
}
