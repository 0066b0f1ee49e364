//! Segments over a fixed log, by every aggregate and every kind of window: their columns, and the bytes of
//! their states.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::DataType;
use arrow::util::display::array_value_to_string;

use super::{
    Binding, Bound, Engine, EngineOptions, Interval, MetricPlan, Segment, assert_golden, bind, digest,
    evaluate_interval, package,
};
use crate::layers;
use crate::user_defined::{TRIPS, brought};

#[test]
fn segments_keep_their_columns_and_bytes() {
    let mut lines = Vec::new();
    for (plan, segment) in all_segments().into_iter().chain([own_segment()]) {
        let name = &plan.metric.name;
        lines.push(format!("{name} {} rows", segment.states.num_rows()));
        for (field, column) in segment.states.schema().fields().iter().zip(segment.states.columns()) {
            let null = if field.is_nullable() { "?" } else { "" };
            let digest = digest(&canonical(column));
            lines.push(format!("{name} {} {}{null} {digest}", field.name(), field.data_type()));
        }
    }
    assert_golden("segments.txt", &lines);
}

/// The states of every metric of the fixture over the whole log, by batch.
pub(super) fn all_segments() -> Vec<(Arc<MetricPlan>, Segment)> {
    let mut segments = Vec::new();
    for bound in bound() {
        segments.extend(bound.plan.metrics.iter().cloned().zip(whole(&bound)));
    }
    segments
}

/// The states of an aggregate that a program brings.
fn own_segment() -> (Arc<MetricPlan>, Segment) {
    let text = "source trips { id: string key  at: timestamp time  driver: string }
import aggregate seen(string, string): int idempotent
metric own = seen(driver, id) { from trips  by driver }";
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("trips.ndjson");
    std::fs::write(&path, TRIPS.join("\n")).expect("the log is written");
    let bound = layers::bound(&layers::package(text).with_imports(&brought()), &path);
    (bound.plan.metrics[0].clone(), whole(&bound).remove(0))
}

/// The segments of a whole log, by batch.
fn whole(bound: &Bound) -> Vec<Segment> {
    let options = EngineOptions { workers: 2, batch_rows: Some(7), ..EngineOptions::default() };
    let interval = Interval::new(bound.log.start(), bound.log.end()).expect("the whole log");
    let evaluation = evaluate_interval(bound, Engine::Batch, &interval, &options, &|_| ());
    let evaluation = evaluation.expect("it evaluates");
    let n_quarantined = evaluation.read_stats.n_quarantined;
    assert!(n_quarantined <= 1, "{}: {:?}", bound.plan.source.name, evaluation.read_stats);
    evaluation.segments
}

/// The logs hold what may be none, late, equal, extreme or twice; the last record of each is not an event.
fn bound() -> Vec<Bound> {
    let package = package();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("it/golden/log");
    let bindings = ["events", "pings", "ticks"].map(|source| {
        let path = folder.join(format!("{source}.ndjson"));
        (source.to_owned(), Binding::new(path.to_string_lossy()))
    });
    let metrics = package.metrics(&[]).expect("it has metrics");
    bind(&package, &metrics, &bindings, &|_, _| ()).expect("the logs open")
}

/// The bytes of a column, each value after its length: states as they are, windows and keys as text.
fn canonical(column: &ArrayRef) -> Vec<u8> {
    let mut bytes = Vec::new();
    for row in 0..column.len() {
        let text;
        let value = match column.data_type() {
            _ if column.is_null(row) => {
                bytes.extend(u64::MAX.to_le_bytes());
                continue;
            }
            DataType::FixedSizeBinary(_) => column.as_fixed_size_binary().value(row),
            DataType::Binary => column.as_binary::<i32>().value(row),
            _ => {
                text = array_value_to_string(column, row).expect("a value has a text");
                text.as_bytes()
            }
        };
        bytes.extend((value.len() as u64).to_le_bytes());
        bytes.extend(value);
    }
    bytes
}
