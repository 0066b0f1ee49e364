//! Random trials of the law.

use std::sync::Arc;

use metricc_compiler::{CompileError, MetricPlan, Segment};
use metricc_log::{Frontier, Interval, Log};
use metricc_runtime_serve::{OverflowSummary, present};
use metricc_runtime_stream::Stream;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::compare::{Difference, arrow_form, compare, compare_arrow};
use super::shrink::smallest_prefix;
use crate::{Bound, Engine, EngineOptions, EvaluateError, evaluate_interval};

/// How many trials, and their limits.
#[derive(Debug, Clone)]
pub struct VerifyOptions {
    /// Number of random cuts.
    pub n_cuts: usize,
    /// Seed of all random choices; equal seeds give equal trials on equal data.
    pub seed: u64,
    /// Most workers of either engine.
    pub max_workers: usize,
}

/// One trial: the cut of the log, and the options of the engines.
#[derive(Debug, Clone)]
pub struct Trial {
    /// The cut: batch before it and stream after it, and the other way round.
    pub cut: Frontier,
    /// Workers and batch size of batch runs.
    pub batch: EngineOptions,
    /// Workers and batch size of stream runs.
    pub stream: EngineOptions,
}

/// The result of all trials.
#[derive(Debug)]
pub enum Verdict {
    /// All comparisons were equal to the byte.
    Equal {
        /// Comparisons of two segments.
        n_comparisons: usize,
        /// Comparisons of their rows as Arrow streams.
        n_of_rows: usize,
        /// Groups of each metric over the whole log, in the order of the plan.
        n_groups: Vec<usize>,
        /// What could not be computed, which all layers agree on.
        overflows: Vec<OverflowSummary>,
    },
    /// Two sides differ.
    Different(Box<CounterExample>),
}

/// A difference, and the trial that reproduces it.
#[derive(Debug)]
pub struct CounterExample {
    /// The trial that showed it.
    pub trial: Trial,
    /// The difference over the smallest prefix of the log that still has one.
    pub difference: Difference,
    /// End of that prefix.
    pub prefix: Frontier,
}

/// The layers under test: the real ones or, to test the test, defective ones.
pub trait Layers {
    /// Segments of all metrics over an interval.
    fn evaluate(
        &self,
        engine: Engine,
        interval: &Interval,
        options: &EngineOptions,
    ) -> Result<Vec<Segment>, EvaluateError>;
    /// One stream over `[start, end)`, read twice: at the cut, while it runs, and at the end.
    fn stream_with_cut(
        &self,
        cut: &Frontier,
        end: &Frontier,
        options: &EngineOptions,
    ) -> Result<[Vec<Segment>; 2], EvaluateError>;
}

/// The engines themselves.
pub struct RealLayers<'a> {
    /// Plan and log.
    pub bound: &'a Bound,
    /// Called with the positions read since the previous call.
    pub progress: &'a (dyn Fn(u64) + Sync),
}

impl Layers for RealLayers<'_> {
    fn evaluate(
        &self,
        engine: Engine,
        interval: &Interval,
        options: &EngineOptions,
    ) -> Result<Vec<Segment>, EvaluateError> {
        Ok(evaluate_interval(self.bound, engine, interval, options, self.progress)?.segments)
    }

    fn stream_with_cut(
        &self,
        cut: &Frontier,
        end: &Frontier,
        options: &EngineOptions,
    ) -> Result<[Vec<Segment>; 2], EvaluateError> {
        let Bound { plan, log } = self.bound;
        let mut stream = Stream::start(plan, log.start(), options)?;
        let feed = |stream: &mut Stream, from: &Frontier, to: &Frontier| -> Result<(), EvaluateError> {
            let interval = Interval::new(from.clone(), to.clone())?;
            stream.feed_from(log, &interval, stream.batch_rows(), self.progress)?;
            Ok(())
        };
        feed(&mut stream, &log.start(), cut)?;
        // The rows fed from here on are in flight while the read at the cut is answered.
        let at_cut = stream.begin_read()?;
        feed(&mut stream, cut, end)?;
        Ok([at_cut.wait()?, stream.read()?])
    }
}

/// Tries `n_cuts` random cuts of the log; stops at the first difference and shrinks it. Calls `tried` after
/// each trial with the number of trials so far.
pub fn verify(
    plans: &[Arc<MetricPlan>],
    log: &Log,
    layers: &dyn Layers,
    options: &VerifyOptions,
    tried: &dyn Fn(usize),
) -> Result<Verdict, EvaluateError> {
    let mut random = ChaCha8Rng::seed_from_u64(options.seed);
    let end = log.end();
    let whole = Interval::new(log.start(), end.clone())?;
    let expected = layers.evaluate(Engine::Batch, &whole, &EngineOptions::default())?;
    let (mut n_comparisons, mut n_of_rows) = (0, 0);
    for index in 0..options.n_cuts {
        // Rows are made of states alone, so once is enough to see that no layer makes others of equal states.
        let with_rows = index + 1 == options.n_cuts;
        let trial = draw(&mut random, index, log, options.max_workers);
        match run(plans, log, layers, &trial, &end, Some(&expected), with_rows)? {
            Ok(n) => {
                n_comparisons += n.of_states;
                n_of_rows += n.of_rows;
            }
            Err(seen) => {
                let (prefix, difference) = smallest_prefix(log, seen, |prefix| {
                    Ok(run(plans, log, layers, &within(&trial, prefix), prefix, None, with_rows)?.err())
                })?;
                return Ok(Verdict::Different(Box::new(CounterExample { trial, difference, prefix })));
            }
        }
        tried(index + 1);
    }
    let n_groups = expected.iter().map(|segment| segment.states.num_rows()).collect();
    let mut overflows = Vec::new();
    for (plan, segment) in plans.iter().zip(&expected) {
        let presented =
            present(plan, segment).map_err(|error| CompileError::engine(&plan.metric.name, error))?;
        overflows.extend(presented.overflows());
    }
    Ok(Verdict::Equal { n_comparisons, n_of_rows, n_groups, overflows })
}

/// How many comparisons were equal.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Compared {
    pub(crate) of_states: usize,
    pub(crate) of_rows: usize,
}

/// One trial over the prefix up to `end`; the comparisons that were equal, or the first difference.
/// `expected` is the result of batch over the whole prefix, if it is known; `with_rows` compares the rows
/// over it as well.
pub(crate) fn run(
    plans: &[Arc<MetricPlan>],
    log: &Log,
    layers: &dyn Layers,
    trial: &Trial,
    end: &Frontier,
    expected: Option<&Vec<Segment>>,
    with_rows: bool,
) -> Result<Result<Compared, Difference>, EvaluateError> {
    let start = log.start();
    let below = Interval::new(start.clone(), trial.cut.clone())?;
    let above = Interval::new(trial.cut.clone(), end.clone())?;
    let all = match expected {
        Some(expected) => expected.clone(),
        None => layers.evaluate(Engine::Batch, &Interval::new(start, end.clone())?, &trial.batch)?,
    };
    let batch_below = layers.evaluate(Engine::Batch, &below, &trial.batch)?;
    let batch_above = layers.evaluate(Engine::Batch, &above, &trial.batch)?;
    let stream_above = layers.evaluate(Engine::Stream, &above, &trial.stream)?;
    let [stream_below, stream_all] = layers.stream_with_cut(&trial.cut, end, &trial.stream)?;
    let mut compared = Compared::default();
    for (index, plan) in plans.iter().enumerate() {
        let merged = batch_below[index].merge(&stream_above[index], plan)?;
        let turned = stream_below[index].merge(&batch_above[index], plan)?;
        let pairs = [
            (("batch below the cut", &batch_below[index]), ("stream read at the cut", &stream_below[index])),
            (("batch above the cut", &batch_above[index]), ("stream above the cut", &stream_above[index])),
            (("batch over all", &all[index]), ("stream over all", &stream_all[index])),
            (("batch over all", &all[index]), ("batch below the cut + stream above", &merged)),
            (("batch over all", &all[index]), ("stream below the cut + batch above", &turned)),
        ];
        for (expected, found) in pairs {
            if let Some(difference) = compare(plan, expected, found) {
                return Ok(Err(difference));
            }
            compared.of_states += 1;
        }
        if with_rows {
            let [_, _, whole @ ..] = pairs;
            let (by, all) = whole[0].0;
            let all = arrow_form(plan, all)?;
            for (_, (found_by, found)) in whole {
                let found = arrow_form(plan, found)?;
                if let Some(difference) = compare_arrow(plan, (by, &all), (found_by, &found)) {
                    return Ok(Err(difference));
                }
                compared.of_rows += 1;
            }
        }
    }
    Ok(Ok(compared))
}

/// The first two cuts are the start and the end of the log. Of the others, every second one is not a prefix
/// of the log's order, but has a random offset in each partition.
fn draw(random: &mut ChaCha8Rng, index: usize, log: &Log, max_workers: usize) -> Trial {
    let (start, end) = (log.start(), log.end());
    let cut = match index {
        0 => start,
        1 => end,
        _ if index.is_multiple_of(2) || end.0.len() < 2 => {
            log.frontier_at(random.random_range(0..=log.n_positions()))
        }
        _ => {
            let ranges = start.0.iter().zip(&end.0);
            Frontier(ranges.map(|(&start, &end)| random.random_range(start..=end)).collect())
        }
    };
    Trial {
        cut,
        batch: draw_options(random, log, max_workers),
        stream: draw_options(random, log, max_workers),
    }
}

/// Batches small enough to cross every boundary, but few enough for a short run.
fn draw_options(random: &mut ChaCha8Rng, log: &Log, max_workers: usize) -> EngineOptions {
    let least = (log.n_positions() / 500).max(1) as usize;
    let most = (least * 50).max(64);
    EngineOptions {
        workers: random.random_range(1..=max_workers.max(1)),
        batch_rows: Some(random.random_range(least..=most)),
        ..EngineOptions::default()
    }
}

fn within(trial: &Trial, prefix: &Frontier) -> Trial {
    let cut = trial.cut.0.iter().zip(&prefix.0).map(|(&cut, &prefix)| cut.min(prefix)).collect();
    Trial { cut: Frontier(cut), ..trial.clone() }
}
