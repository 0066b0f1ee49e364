//! When a log is brought to another declaration of its source.

use std::sync::Arc;

use metricc_compiler::SourcePlan;
use metricc_dsl::SourceText;
use metricc_durable_log::faulty_disk::SimDisk;
use metricc_durable_log::{DedupWindow, Disk, DurableLog, DurableOptions, LogId, Request, SourceOptions};
use metricc_ir::Source;
use metricc_ir::user_defined::Imports;
use metricc_log::EventDecoder;
use metricc_runtime_serve::LocalServing;

use super::NodeSource;
use crate::loaded_view::LoadedView;
use crate::source_plans::SourcePlans;

const WITH_N: &str = "source events { at: timestamp time  n: int }\nmetric m = sum(n) { from events }";
const WITH_BOTH: &str =
    "source events { at: timestamp time  n: int  x: int = 5 }\nmetric m = sum(x) { from events }";
const WITHOUT_N: &str = "source events { at: timestamp time }\nmetric m = count() { from events }";

fn plans(package: &str) -> Arc<SourcePlans> {
    let text = SourceText { name: "p.metric".to_owned(), bytes: package.as_bytes().to_vec() };
    let checked = metricc_dsl::check(&text);
    let plans = SourcePlan::of_package(&checked.package.metrics, &Imports::new()).unwrap();
    SourcePlans::new(&plans[0].metrics, &Imports::new()).unwrap()
}

/// A log with an event that was decoded as a source declares it.
fn log_of(source: &Arc<Source>) -> DurableLog {
    let disk: Arc<dyn Disk> = Arc::new(SimDisk::default());
    let (window, others) = (DedupWindow::Positions(9), Vec::new());
    let options = [SourceOptions { source: source.clone(), others, n_partitions: 1, window }];
    let opened = DurableLog::open(disk, DurableOptions::default(), &options, LogId { id: 1, seed: 2 }, 3);
    let (mut log, _) = opened.unwrap();
    let events = EventDecoder::new(source).unwrap().ndjson(br#"{"at":"2026-04-25T10:00:00Z","n":1}"#);
    log.append(&[Request { events, key: None, digest: 0, read: None }]).remove(0).unwrap();
    log
}

/// A source that serves a view of these plans, and wants no others.
fn source_of(plans: &Arc<SourcePlans>, log: &DurableLog) -> NodeSource {
    let (serving, reader) = (LocalServing::new(&plans.metrics), log.reader().clone());
    let (changed, counters) = (Arc::default(), Arc::default());
    let source =
        NodeSource::new(plans.source(), plans.clone(), Imports::new(), reader, serving, changed, counters);
    source.publish(&source.latest_view(), Vec::new()).unwrap();
    source
}

#[test]
fn a_log_is_declared_otherwise_when_nothing_is_left_that_could_not_read_what_comes_in() {
    let (old, new) = (plans(WITH_N), plans(WITHOUT_N));
    let mut log = log_of(old.source());
    let source = source_of(&old, &log);
    assert_eq!((source.is_declared(), source.due_declaration()), (true, None));
    source.want_declared(new.source());
    assert_eq!((source.is_declared(), source.due_declaration()), (false, None), "its states are wanted");
    source.want(&new.metrics).unwrap();
    assert_eq!(source.due_declaration(), None, "batch goes on from a view that needs `n`");
    let view = Arc::new(LoadedView::empty(source.wanted(), 1));
    source.set_latest_view(view.clone());
    assert_eq!(source.due_declaration(), None, "the view that is served needs `n`");
    source.publish(&view, Vec::new()).unwrap();
    assert_eq!(source.due_declaration().as_ref(), Some(new.source()));
    // A view that needs it is served no longer, but wanted again: after a rollback.
    source.want(&old.metrics).unwrap();
    assert_eq!(source.due_declaration(), None);
    source.want(&new.metrics).unwrap();
    log.declare(new.source()).unwrap();
    assert_eq!((source.is_declared(), source.due_declaration()), (true, None));
}

#[test]
fn a_log_is_declared_otherwise_at_once_when_all_can_read_what_comes_in() {
    let (old, new) = (plans(WITH_N), plans(WITH_BOTH));
    let mut log = log_of(old.source());
    let source = source_of(&old, &log);
    source.want_declared(new.source());
    assert_eq!((source.is_declared(), source.due_declaration().as_ref()), (false, Some(new.source())));
    log.declare(new.source()).unwrap();
    assert_eq!((source.is_declared(), source.due_declaration()), (true, None));
}
