//! The node from one start to the next end, in steps of one letter each.
//!
//! | letter | step |
//! |---|---|
//! | `s` | sends what was not answered, then something new |
//! | `a` | sends something again that was acknowledged |
//! | `f` | a step of the tail |
//! | `b` | a step of batch, if there is something new |
//! | `d` | a deployment: other states are wanted, those of some of the metrics |
//! | `w` | the view is brought to the states that are wanted |
//! | `D` | a deployment: the source is declared otherwise, and the log brought to that |
//! | `e` | flushes to Parquet, if there is enough |
//! | `r` | reads all metrics, and one key |
//! | `p` | reads a metric as it was |
//! | `i` | reads at any frontier, perhaps in the middle of a request |
//! | `l` | sends what was not answered, follows the log to its end, and reads |
//! | `z` | the same, then makes a view, flushes, and compares with all of it rebuilt |
//! | `c` | closes the log, as the last step of a node that is told to stop |
//! | `k` | the process is killed |
//! | `K` | the power fails |
//!
//! A step may fail only after a fault of disk or store; unless that was a crash, the node then goes on.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::Duration;

use metricc_compiler::EngineOptions;
use metricc_durable_log::{DurableError, DurableLog, Receipt, Request};
use metricc_log::EventDecoder;

use super::client_model::has_bonus;
use super::machine::{Ending, World};
use super::{DECLARED, FLUSH_EVENTS, METRICS, PLANS, SOURCE, STEP_POSITIONS};
use crate::answer_limits::Answering;
use crate::backfill::Backfill;
use crate::batch::Batch;
use crate::config::PastConfig;
use crate::reading::NodeServing;
use crate::source::NodeSource;
use crate::sources::Sources;
use crate::tail::{Follower, SpeedError, TailOptions};
use crate::writer::IngestError;

/// A life goes on, or ends.
pub(super) type Step = Result<(), Ending>;

/// A node that is running.
pub(super) struct Life<'a> {
    pub(super) world: &'a mut World,
    pub(super) source: &'a NodeSource,
    pub(super) options: &'a TailOptions,
    pub(super) serving: NodeServing,
    /// The writer. While batch flushes, it has to be borrowed beside it.
    log: RefCell<DurableLog>,
    batch: Batch,
    backfill: Option<Backfill>,
    follower: Option<Follower<'a>>,
}

/// Does steps, in as many lives as it takes.
pub(super) fn run(world: &mut World, steps: &str) {
    let mut rest = steps;
    let mut n_in_vain = 0;
    loop {
        let (n_done, ending) = live(world, rest);
        rest = &rest[n_done..];
        if rest.is_empty() {
            return;
        }
        n_in_vain = if n_done == 0 { n_in_vain + 1 } else { 0 };
        assert!(n_in_vain < 10, "the node does not come back");
        world.restart(ending);
    }
}

/// Starts the node and does steps until it ends: how many were done, and how it ended. What has to come to
/// its end is done only then.
fn live(world: &mut World, steps: &str) -> (usize, Ending) {
    let before = world.n_happened();
    let opened = world.open();
    if world.is_down() {
        return (0, Ending::Any);
    }
    let (log, batch) = match opened {
        Ok(opened) => opened,
        Err(problem) => {
            assert!(
                world.n_happened() > before,
                "nothing went wrong, and the node does not start: {problem}"
            );
            world.tally.n_errors += 1;
            return (0, Ending::Any);
        }
    };
    with_life(world, log, batch, |life| {
        for (place, letter) in steps.chars().enumerate() {
            if let Err(ending) = life.step(letter) {
                let is_done = !matches!(letter, 'l' | 'z');
                return (place + usize::from(is_done), ending);
            }
        }
        (steps.len(), Ending::Any)
    })
}

/// Starts the node, lets something happen to its files, and reads all that it answers. Returns the error that
/// it starts or answers with, if it does.
pub(super) fn probe(world: &mut World, meanwhile: impl FnOnce(&World)) -> Result<(), String> {
    let (log, batch) = world.open()?;
    meanwhile(world);
    with_life(world, log, batch, |life| life.read_all())
}

fn with_life<T>(
    world: &mut World,
    log: DurableLog,
    batch: Batch,
    live: impl FnOnce(&mut Life<'_>) -> T,
) -> T {
    let source = batch.source.clone();
    let stream =
        EngineOptions { workers: 1, batch_rows: Some(world.batch_rows()), ..EngineOptions::default() };
    let options = TailOptions { stream, refresh: Duration::ZERO, step_positions: STEP_POSITIONS };
    let serving = NodeServing::new(
        source.serving.clone(),
        Sources::new([source.clone()]),
        Answering::in_place(),
        &PastConfig::default(),
    );
    let log = RefCell::new(log);
    let (backfill, follower) = (None, None);
    let mut life =
        Life { world, source: &source, options: &options, serving, log, batch, backfill, follower };
    live(&mut life)
}

impl Life<'_> {
    fn step(&mut self, letter: char) -> Step {
        match letter {
            's' => self.send(),
            'a' => self.send_again(),
            'f' => self.follow(),
            'b' => self.make_view(),
            'd' => self.deploy(),
            'w' => self.bring_states(),
            'D' => self.declare(),
            'e' => self.flush(),
            'r' => self.read(),
            'p' => self.read_past(),
            'i' => self.read_between(),
            'l' => self.level(),
            'z' => self.finish(),
            'c' => self.close(),
            'k' => Err(Ending::Killed),
            'K' => Err(Ending::PowerLost),
            _ => panic!("`{letter}` is no step"),
        }
    }

    fn is_stopped(&self) -> bool {
        self.source.log.snapshot().stopped().is_some()
    }

    /// What a step came to. `before` is how many faults had come before it.
    pub(super) fn came_to(&mut self, before: u64, outcome: Result<(), String>) -> Step {
        if self.world.is_down() {
            return Err(Ending::Any);
        }
        if let Err(problem) = outcome {
            let has_reason = self.is_stopped() || self.world.n_happened() > before;
            assert!(has_reason, "nothing went wrong, and a step failed: {problem}");
            self.world.tally.n_errors += 1;
        }
        Ok(())
    }

    fn send(&mut self) -> Step {
        if !self.world.ledger.waiting.is_empty() {
            self.offer()?;
        }
        if self.world.ledger.waiting.is_empty() {
            let world = &mut *self.world;
            world.ledger.draw(&mut world.content);
            self.offer()?;
        }
        Ok(())
    }

    /// Sends what was not answered, all in one write: all of it is taken, or nothing.
    fn offer(&mut self) -> Step {
        let before = self.world.n_happened();
        let mut waiting = std::mem::take(&mut self.world.ledger.waiting);
        let decoder = self.decoder();
        waiting.iter_mut().for_each(|sent| sent.with_bonus = has_bonus(decoder.source()));
        let requests: Vec<Request> = waiting.iter().map(|sent| sent.request(&decoder)).collect();
        let answers = self.log.get_mut().append(&requests);
        let n_taken = answers.iter().filter(|answer| answer.is_ok()).count();
        assert!(n_taken == 0 || n_taken == requests.len(), "a write is taken in part: {answers:?}");
        let taken: Result<Vec<Receipt>, Arc<DurableError>> = answers.into_iter().collect();
        let outcome = match taken {
            Ok(receipts) => {
                for (sent, receipt) in waiting.into_iter().zip(&receipts) {
                    assert!(!receipt.is_repeated, "what was refused is known: {receipt:?}");
                    self.world.ledger.note(sent, receipt);
                }
                Ok(())
            }
            Err(error) => {
                self.world.ledger.waiting = waiting;
                Err(error.to_string())
            }
        };
        self.came_to(before, outcome)?;
        assert_eq!(self.source.end(), *self.world.ledger.end(), "what is refused leaves nothing behind");
        // An operator restarts the node, at once or later: answers go on.
        if self.is_stopped() && self.world.dice.below(2) == 0 { Err(Ending::Any) } else { Ok(()) }
    }

    /// Sends something again that was acknowledged, and something else under its key.
    fn send_again(&mut self) -> Step {
        let (world, decoder) = (&mut *self.world, self.source.decoder().expect("the source"));
        let Some((request, accepted)) = world.ledger.pick(&mut world.content, &decoder) else {
            return Ok(());
        };
        let n_operations = world.disk.n_operations();
        let other = Request { digest: !request.digest, ..request.clone() };
        let mut answers = self.log.get_mut().append(&[request, other]);
        let refused = answers.pop().and_then(Result::err).expect("a key is of one request");
        assert!(matches!(*refused, DurableError::Request(_)), "{refused}");
        let receipt = answers.remove(0).expect("what was acknowledged is answered");
        assert!(receipt.is_repeated);
        assert_eq!(receipt.accepted, accepted, "it is answered as it was");
        assert_eq!(self.world.disk.n_operations(), n_operations, "nothing is written for what is known");
        Ok(())
    }

    /// A step of the tail. One that failed is started again, from the latest view.
    fn follow(&mut self) -> Step {
        let before = self.world.n_happened();
        let outcome = self.follow_on().map_err(|error| error.to_string());
        if outcome.is_err() {
            self.follower = None;
        }
        self.came_to(before, outcome)?;
        self.look();
        Ok(())
    }

    pub(super) fn follow_on(&mut self) -> Result<(), SpeedError> {
        if self.follower.is_none() {
            self.follower = Some(Follower::start(self.source, self.options)?);
        }
        match &mut self.follower {
            Some(follower) => follower.step().map(|_| ()),
            None => Ok(()),
        }
    }

    fn make_view(&mut self) -> Step {
        if self.source.latest_view().frontier == self.source.end() {
            return Ok(());
        }
        let before = self.world.n_happened();
        let outcome = self.batch.step().map_err(|error| error.to_string());
        self.world.tally.n_views += u64::from(outcome.is_ok());
        self.came_to(before, outcome)
    }

    /// Other states are wanted, at least those of one metric.
    fn deploy(&mut self) -> Step {
        let mut chosen = self.world.content.below(1 << METRICS.len());
        let all = PLANS.metrics.iter().filter(|_| {
            let is_chosen = chosen % 2 == 1;
            chosen /= 2;
            is_chosen
        });
        let mut metrics: Vec<_> = all.cloned().collect();
        if metrics.is_empty() {
            metrics.clone_from(&PLANS.metrics);
        }
        self.source.want(&metrics).expect("they are planned");
        Ok(())
    }

    fn decoder(&self) -> EventDecoder {
        self.source.decoder().expect("the source")
    }

    /// The source is declared in the other way of the two. What was decoded before is not taken any more.
    fn declare(&mut self) -> Step {
        let (before, decoder) = (self.world.n_happened(), self.decoder());
        let next = &DECLARED[usize::from(!has_bonus(decoder.source()))];
        self.source.want_declared(next);
        let failed = |error| IngestError::Log(Arc::new(error));
        let declared = self
            .batch
            .declare(&|flush| self.log.borrow_mut().commit_flush(&flush).map_err(failed), &|source| {
                self.log.borrow_mut().declare(&source).map_err(failed)
            });
        let now = self.decoder();
        match declared.is_ok() {
            true => assert_eq!(now.source(), next, "it is declared as it is wanted"),
            false => self.source.want_declared(now.source()),
        }
        self.came_to(before, declared.map_err(|error| error.to_string()))
    }

    /// Brings the view to the states that are wanted.
    fn bring_states(&mut self) -> Step {
        let before = self.world.n_happened();
        let outcome = self.try_bring_states();
        if outcome.is_err() {
            self.backfill = None;
        }
        self.came_to(before, outcome)
    }

    pub(super) fn try_bring_states(&mut self) -> Result<(), String> {
        // It begins, and it is adopted.
        for _ in 0..2 {
            self.batch.step_to_wanted(&mut self.backfill).map_err(|error| error.to_string())?;
            self.backfill.iter().for_each(Backfill::join);
        }
        Ok(())
    }

    fn flush(&mut self) -> Step {
        let (before, n_unflushed) = (self.world.n_happened(), self.source.n_unflushed());
        let failed = |error| IngestError::Log(Arc::new(error));
        let kept = self
            .batch
            .keep_requests(&|written| self.log.borrow_mut().commit_requests(&written).map_err(failed));
        let outcome = kept.and_then(|()| {
            self.batch.flush(&|flush| self.log.borrow_mut().commit_flush(&flush).map_err(failed))
        });
        let outcome = outcome.map_err(|error| error.to_string());
        self.world.tally.n_flushes += u64::from(self.source.n_unflushed() < n_unflushed);
        self.came_to(before, outcome)
    }

    /// Whatever has become of the tables, a start of the node brings them to the state of the view.
    fn check_tables(&mut self) -> Step {
        let before = self.world.n_happened();
        let is_written = self.batch.start_tables();
        self.came_to(before, if is_written { Ok(()) } else { Err("a table was not written".to_owned()) })
    }

    fn close(&mut self) -> Step {
        let before = self.world.n_happened();
        let outcome = self.log.get_mut().close().map_err(|error| error.to_string());
        self.came_to(before, outcome)
    }

    fn level(&mut self) -> Step {
        for _ in 0..60 {
            if self.is_stopped() {
                return Err(Ending::Any);
            }
            if !self.world.ledger.waiting.is_empty() {
                self.offer()?;
            }
            self.follow()?;
            let is_level = self.source.serving.frontier(SOURCE) == Some(self.source.end());
            if is_level && self.world.ledger.waiting.is_empty() {
                return self.read();
            }
        }
        panic!("the tail does not come to the end of the log");
    }

    fn finish(&mut self) -> Step {
        self.level()?;
        self.source.want(&PLANS.metrics).expect("they are planned");
        for _ in 0..6 {
            self.bring_states()?;
        }
        assert!(self.source.latest_view().missing(&PLANS).is_empty(), "all states come");
        self.level()?;
        self.follow()?;
        self.follow()?;
        self.level()?;
        for _ in 0..6 {
            self.make_view()?;
        }
        let viewed = self.source.latest_view().frontier.clone();
        assert_eq!(viewed, self.source.end(), "batch comes to the end of the log");
        self.level()?;
        for _ in 0..6 {
            self.flush()?;
        }
        self.level()?;
        assert!(self.source.n_unflushed() < FLUSH_EVENTS, "flushing comes to its end");
        self.check_tables()?;
        self.check_tables()?;
        // These reads are checks, and not to fail.
        let disk = self.world.disk.clone();
        disk.paused(|| self.check_anew());
        Ok(())
    }
}
