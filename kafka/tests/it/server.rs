//! Topics of the brokers of tests as logs.

use std::sync::Arc;

use krafka::Record;
use metricc_ir::{Field, Kind, Source, Type};
use metricc_kafka::{Bounds, RecordOptions, Security, TopicAddress};
use metricc_log::{Batch, Interval, Log, LogError, Slice, position_column};

pub(crate) use crate::broker::Server;

impl Server {
    pub(crate) fn address(&self, topic: &str) -> TopicAddress {
        format!("kafka://{}/{topic}", self.brokers).parse().expect("an address")
    }

    pub(crate) fn open(&self, source: &Arc<Source>, topic: &str) -> Log {
        self.open_with(source, topic, &RecordOptions::default(), Bounds::default()).expect("a log")
    }

    pub(crate) fn open_with(
        &self,
        source: &Arc<Source>,
        topic: &str,
        options: &RecordOptions,
        bounds: Bounds,
    ) -> Result<Log, LogError> {
        metricc_kafka::open(source, self.address(topic), Security::default(), options, bounds, &|_| {})
    }
}

pub(crate) fn record(topic: &str, partition: i32, value: &str) -> Record {
    Record::new(topic, value.to_owned()).partition(partition)
}

/// `at: timestamp time`, `n: int`, `s: string?`.
pub(crate) fn source(has_key: bool) -> Arc<Source> {
    let fields = vec![
        Field::new("at", Type::of(Kind::Timestamp)),
        Field::new("n", Type::of(Kind::Int)),
        Field::new("s", Type::optional(Kind::String)),
    ];
    let identity = if has_key { vec![1] } else { Vec::new() };
    Arc::new(Source { name: "events".into(), doc: String::new(), fields, time: 0, identity })
}

pub(crate) fn event(n: i64) -> String {
    format!(r#"{{"at":"2026-04-25T10:00:00Z","n":{n},"s":"text {n}"}}"#)
}

/// All batches of an interval, with the positions of the rows.
pub(crate) fn batches(log: &Log, slices: impl IntoIterator<Item = Slice>, batch_rows: usize) -> Vec<Batch> {
    let columns: Vec<usize> = (0..3).chain([position_column(log.source())]).collect();
    let read = |slice: Slice| log.read(&slice, &columns, batch_rows).expect("a reader");
    slices.into_iter().flat_map(read).map(|batch| batch.expect("a batch")).collect()
}

pub(crate) fn whole(log: &Log) -> Interval {
    Interval::new(log.start(), log.end()).expect("an interval")
}

/// The rows of batches as text, one a line.
pub(crate) fn rows(batches: &[Batch]) -> Vec<String> {
    let row = |batch: &Batch, row: usize| {
        let cells = batch.rows.columns().iter().map(|column| format!("{:?}", column.slice(row, 1)));
        cells.collect::<Vec<_>>().join(" ")
    };
    batches.iter().flat_map(|batch| (0..batch.rows.num_rows()).map(move |n| row(batch, n))).collect()
}

/// The values of `n`.
pub(crate) fn numbers(batches: &[Batch]) -> Vec<i64> {
    let values = |batch: &Batch| {
        let column = batch.rows.column(1).clone();
        let column = column.as_any().downcast_ref::<arrow::array::Int64Array>().expect("ints").clone();
        column.values().to_vec()
    };
    batches.iter().flat_map(values).collect()
}
