//! `verify` finds defective engines, and shrinks the difference.

use metricc::verify::{Layers, RealLayers, Verdict, VerifyOptions, verify};
use metricc::{Bound, Engine, EngineOptions, EvaluateError};
use metricc_compiler::Segment;
use metricc_log::{Frontier, Interval};

use crate::layers::{bound, package};

const TEXT: &str = "\
source events { at: timestamp time  k: string  v: int }
metric n = count() { from events }
metric total = sum(v) { from events  by k  every 1h }
";
const N_EVENTS: u64 = 60;

/// A defect of an engine.
#[derive(Clone, Copy, PartialEq)]
enum Defect {
    None,
    /// The stream starts one position too early: the event at the cut counts twice.
    CutIsInBoth,
    /// The stream drops the event at position 41, as many engines drop late events.
    LosesAnEvent,
    /// A read of the running stream includes events after its frontier.
    ReadsAhead,
}

struct Broken<'a> {
    real: RealLayers<'a>,
    defect: Defect,
}

impl Broken<'_> {
    fn stream(
        &self,
        from: &Frontier,
        to: &Frontier,
        options: &EngineOptions,
    ) -> Result<Vec<Segment>, EvaluateError> {
        let asked = Interval::new(from.clone(), to.clone())?;
        let read = |from: u64, to: u64| {
            let interval = Interval::new(Frontier(vec![from]), Frontier(vec![to.max(from)]))?;
            self.real.evaluate(Engine::Stream, &interval, options)
        };
        let (first, last) = (from.0[0], to.0[0]);
        let segments = match self.defect {
            Defect::CutIsInBoth if last > first => read(first.saturating_sub(1), last)?,
            Defect::LosesAnEvent if (first..last).contains(&41) => {
                let (below, above) = (read(first, 41)?, read(42, last)?);
                let plans = self.real.bound.plan.metrics.iter().zip(below.into_iter().zip(above));
                plans
                    .map(|(plan, (below, above))| {
                        let interval =
                            Interval::new(below.interval.to().clone(), above.interval.to().clone())?;
                        below.merge(&Segment { interval, ..above }, plan).map_err(EvaluateError::from)
                    })
                    .collect::<Result<_, _>>()?
            }
            _ => read(first, last)?,
        };
        Ok(segments.into_iter().map(|segment| Segment { interval: asked.clone(), ..segment }).collect())
    }
}

impl Layers for Broken<'_> {
    fn evaluate(
        &self,
        engine: Engine,
        interval: &Interval,
        options: &EngineOptions,
    ) -> Result<Vec<Segment>, EvaluateError> {
        match engine {
            Engine::Batch => self.real.evaluate(engine, interval, options),
            Engine::Stream => self.stream(interval.from(), interval.to(), options),
        }
    }

    fn stream_with_cut(
        &self,
        cut: &Frontier,
        end: &Frontier,
        options: &EngineOptions,
    ) -> Result<[Vec<Segment>; 2], EvaluateError> {
        if self.defect == Defect::ReadsAhead {
            let [_, all] = self.real.stream_with_cut(cut, end, options)?;
            let interval = Interval::new(self.real.bound.log.start(), cut.clone())?;
            let early =
                all.iter().map(|segment| Segment { interval: interval.clone(), ..segment.clone() }).collect();
            return Ok([early, all]);
        }
        let start = self.real.bound.log.start();
        Ok([self.stream(&start, cut, options)?, self.stream(&start, end, options)?])
    }
}

fn verdict(defect: Defect) -> Verdict {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("events.csv");
    let rows: String = (0..N_EVENTS)
        .map(|n| format!("2026-01-01T{:02}:00:00Z,{},{}\n", n % 5, ["a", "b"][n as usize % 2], n + 1))
        .collect();
    std::fs::write(&path, format!("at,k,v\n{rows}")).expect("the log is written");
    let bound: Bound = bound(&package(TEXT), &path);
    let layers = Broken { real: RealLayers { bound: &bound, progress: &|_| () }, defect };
    let options = VerifyOptions { n_cuts: 8, seed: 5, max_workers: 2 };
    verify(&bound.plan.metrics, &bound.log, &layers, &options, &|_| ()).expect("the layers evaluate")
}

#[test]
fn correct_engines_have_no_differences() {
    let Verdict::Equal { n_comparisons, n_of_rows, n_groups, .. } = verdict(Defect::None) else {
        panic!("they differ")
    };
    // Eight cuts, two metrics, five comparisons each; of those over the whole log three, once.
    assert_eq!((n_comparisons, n_of_rows, n_groups), (80, 6, vec![1, 10]));
}

#[test]
fn c80_an_event_in_both_engines_is_found_and_shrunk() {
    let Verdict::Different(example) = verdict(Defect::CutIsInBoth) else { panic!("not found") };
    assert_eq!(example.difference.metric, "n");
    assert_eq!(example.difference.group, "all");
    assert!(example.difference.expected.as_ref().is_some_and(|state| state.contains("states ")));
    let (cut, prefix) = (example.trial.cut.0[0], example.prefix.0[0]);
    assert_eq!(prefix, cut + 1, "the smallest log that shows it ends with the first event above the cut");
}

#[test]
fn a_lost_event_is_found_with_the_prefix_that_ends_with_it() {
    let Verdict::Different(example) = verdict(Defect::LosesAnEvent) else { panic!("not found") };
    assert_eq!(example.prefix, Frontier(vec![42]));
    assert!(example.difference.expected.as_ref().is_some_and(|value| value.starts_with("value=")));
}

#[test]
fn a_read_with_later_events_is_found() {
    let Verdict::Different(example) = verdict(Defect::ReadsAhead) else { panic!("not found") };
    assert_eq!(example.difference.found_by, "stream read at the cut");
}
