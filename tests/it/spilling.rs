//! Little memory: batch spills what does not fit, to the same states, and never waits for ever.

use std::fmt::Write;
use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

use metricc::user_defined::Imports;
use metricc_compiler::{EngineOptions, EvaluateError, Segment, SourcePlan};
use metricc_dsl::{SourceText, check};
use metricc_ir::Interval;
use metricc_log::{Binding, Log};
use metricc_runtime_batch::evaluate;

const N_EVENTS: usize = 120_000;
const N_KEYS: usize = 100_003;
/// Far more than a run takes, on a busy machine too.
const LONGEST: Duration = Duration::from_secs(120);

fn evaluated(
    plan: &Arc<SourcePlan>,
    log: &Log,
    options: EngineOptions,
) -> Result<Vec<Segment>, EvaluateError> {
    let whole = Interval::new(log.start(), log.end()).expect("an interval");
    let (plan, log) = (plan.clone(), log.clone());
    let (sender, ended) = mpsc::channel();
    // Where the run hangs, the test ends and leaves the thread behind.
    std::thread::spawn(move || {
        // Nobody waits for it any more, if this is too late.
        let _ = sender.send(evaluate(&plan, &log, &whole, &options, &|_| ()));
    });
    let evaluation = ended.recv_timeout(LONGEST).expect("the run ends");
    Ok(evaluation?.segments)
}

/// Splits that hand on tables at the same time once made the exchange between them wait for ever, in about
/// one run of thirty. The plan has one stream into the exchange, which `explain` shows; this has runs.
#[test]
fn splits_that_spill_at_the_same_time_end() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("log.csv");
    let mut rows = "at,k\n".to_owned();
    for n in 0..N_EVENTS {
        writeln!(rows, "2026-01-01T00:00:00Z,{}", n * 7919 % N_KEYS).expect("a line");
    }
    std::fs::write(&path, rows).expect("the log is written");
    let text = "source s { at: timestamp time  k: int }\n\
                metric m = { n: count(), d: distinct(k) } { from s  by k }\n\
                metric few = count() { from s  by k % 7 as rest }\n";
    let checked = check(&SourceText { name: "s.metric".to_owned(), bytes: text.into() });
    let plan = Arc::new(SourcePlan::new(&checked.package.metrics, &Imports::default()).expect("a plan"));
    let log = Log::open(&plan.source, &Binding::new(path.to_string_lossy())).expect("a log");
    let of = |memory_bytes: usize| EngineOptions { workers: 3, memory_bytes, ..EngineOptions::default() };
    let plenty = evaluated(&plan, &log, of(1 << 30)).expect("enough memory");
    let mut n_spilled = 0;
    for run in 0..30 {
        match evaluated(&plan, &log, of((run % 3 + 6) << 20)) {
            Ok(segments) => {
                n_spilled += 1;
                for (segment, expected) in segments.iter().zip(&plenty) {
                    assert_eq!(segment.first_difference(expected), None, "with {} MiB", run % 3 + 6);
                }
            }
            Err(EvaluateError::Memory { .. }) => {}
            Err(error) => panic!("{error}"),
        }
    }
    assert!(n_spilled > 20, "only {n_spilled} runs of 30 had enough memory to spill");
}
