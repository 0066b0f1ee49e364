//! What outlives the node: the disk, the store of views and the client; and how the node is started again.

use std::fmt;
use std::path::Path;
use std::sync::{Arc, PoisonError};

use metricc_durable_log::faulty_disk::{Dice, SimDisk};
use metricc_durable_log::{DedupWindow, Disk, DurableLog, DurableOptions, LogId};
use metricc_ir::user_defined::Imports;
use metricc_log::{EventDecoder, Frontier};
use metricc_runtime_serve::LocalServing;
use metricc_views::ViewStore;

use super::client_model::Ledger;
use super::disk_fault_choice::{Operation, Recorder, Seen};
use super::faulty_view_store::SimStore;
use super::{DECLARED, FLUSH_EVENTS, Faults, N_PARTITIONS, PLANS, RUNTIME, SMALL_ROWS, SOURCE, sources};
use crate::batch::Batch;
use crate::changed::Changed;
use crate::config::Config;
use crate::source::NodeSource;
use crate::source_plans::SourcePlans;
use crate::status::Counters;
use crate::views_at_start::{accepted_losses, open_source};

/// How a life of the node ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// The process is killed, and the machine goes on: what was written is seen, whether it is durable or
    /// not.
    Killed,
    /// The power fails: what was durable is there, and of the rest what chance has written.
    PowerLost,
    /// It has to be started again; chance decides which of the two comes first.
    Any,
}

/// What has come in runs.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Tally {
    pub(super) n_runs: u64,
    pub(super) n_lives: u64,
    pub(super) n_faults: u64,
    /// Steps that failed, after which the node went on.
    pub(super) n_errors: u64,
    pub(super) n_answers: u64,
    pub(super) n_views: u64,
    pub(super) n_flushes: u64,
    /// Reads in the middle of a request.
    pub(super) n_refused: u64,
}

impl Tally {
    pub(super) fn add(&mut self, other: &Tally) {
        self.n_runs += other.n_runs;
        self.n_lives += other.n_lives;
        self.n_faults += other.n_faults;
        self.n_errors += other.n_errors;
        self.n_answers += other.n_answers;
        self.n_views += other.n_views;
        self.n_flushes += other.n_flushes;
        self.n_refused += other.n_refused;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Tally { n_runs, n_lives, n_faults, n_errors, n_answers, n_views, n_flushes, n_refused } = self;
        write!(
            f,
            "{n_runs} runs, {n_lives} lives, {n_faults} faults came, {n_errors} steps failed, {n_views} views, \
             {n_flushes} flushes, {n_answers} answers, {n_refused} refused, 0 violations"
        )
    }
}

/// All that is there without the node.
pub(super) struct World {
    /// Chance after a fault.
    pub(super) dice: Dice,
    /// Chance in what is sent and read, which does not depend on faults.
    pub(super) content: Dice,
    pub(super) disk: SimDisk,
    pub(super) store: SimStore,
    pub(super) ledger: Ledger,
    /// The states that the node starts with.
    pub(super) plans: Arc<SourcePlans>,
    /// The greatest frontier that a client has seen, or has to see next.
    pub(super) least: Frontier,
    pub(super) tally: Tally,
    faults: Faults,
    /// Operations and faults of the disk before the power failed last.
    n_operations_before: u64,
    n_happened_before: u64,
    /// Starts of the node.
    n_starts: u64,
    /// Whether views are damaged while the node is down.
    is_rough: bool,
    seen: Option<Seen>,
}

impl World {
    /// An empty one. Where faults are to come, views are damaged, too.
    pub(super) fn new(seed: u64, window: DedupWindow, faults: Faults) -> Self {
        let disk = SimDisk::default().with_faults(&faults.disk);
        let store = SimStore::default().with_faults(&faults.store);
        let is_rough = !(faults.disk.is_empty() && faults.store.is_empty());
        let ledger = Ledger::new(window);
        World {
            dice: Dice::new(seed.wrapping_mul(3)),
            content: Dice::new(seed),
            disk,
            store,
            least: ledger.end().clone(),
            ledger,
            plans: PLANS.clone(),
            tally: Tally::default(),
            faults,
            n_operations_before: 0,
            n_happened_before: 0,
            n_starts: 0,
            is_rough,
            seen: None,
        }
    }

    /// One of its own that goes on from here, where all that is on the disk is durable.
    pub(super) fn fork(&self, seed: u64, faults: Faults) -> Self {
        World {
            dice: Dice::new(seed),
            content: self.content.clone(),
            disk: self.disk.copy().with_faults(&faults.disk),
            store: self.store.fork().with_faults(&faults.store),
            ledger: self.ledger.clone(),
            plans: self.plans.clone(),
            least: self.least.clone(),
            tally: Tally::default(),
            faults,
            n_operations_before: 0,
            n_happened_before: 0,
            n_starts: self.n_starts,
            is_rough: false,
            seen: None,
        }
    }

    /// Notes the operations of the disk and of the store from now on.
    pub(super) fn record(&mut self) {
        self.seen = Some(Seen::default());
        self.store.recorded();
    }

    /// The operations of the disk since then.
    pub(super) fn recorded(&mut self) -> Vec<Operation> {
        let seen = self.seen.take().unwrap_or_default();
        let seen = std::mem::take(&mut *seen.lock().unwrap_or_else(PoisonError::into_inner));
        assert_eq!(seen.len() as u64, self.disk.n_operations(), "each operation is noted");
        seen
    }

    pub(super) fn is_down(&self) -> bool {
        self.disk.is_down() || self.store.is_down()
    }

    /// How many faults have come.
    pub(super) fn n_happened(&self) -> u64 {
        self.n_happened_before + self.disk.n_happened() + self.store.n_happened()
    }

    pub(super) fn tally(&self) -> Tally {
        Tally { n_runs: 1, n_faults: self.n_happened(), ..self.tally }
    }

    /// Rows of a micro-batch, so that many batches are met as well as one.
    pub(super) fn batch_rows(&self) -> usize {
        if self.n_starts.is_multiple_of(2) { 2 } else { 65_536 }
    }

    fn config(&self) -> Config {
        let mut config = Config::of_package(Path::new("simulated.metric"));
        config.batch.workers = 1;
        // Every third start makes a view before anything is served.
        config.batch.events = if self.n_starts.is_multiple_of(3) { 2 } else { 1_000_000 };
        config.ingest.seal_events = FLUSH_EVENTS;
        config
    }

    /// Brings up what is down. Faults that have not come yet are still to come.
    pub(super) fn restart(&mut self, ending: Ending) {
        let is_power_lost = self.disk.is_down()
            || match ending {
                Ending::Killed => false,
                Ending::PowerLost => true,
                Ending::Any => self.dice.below(2) == 0,
            };
        if is_power_lost {
            self.n_operations_before += self.disk.n_operations();
            self.n_happened_before += self.disk.n_happened();
            let n_before = self.n_operations_before;
            let left = self.faults.disk.iter().filter(|(at, _)| *at >= n_before);
            let left: Vec<_> = left.map(|(at, fault)| (at - n_before, *fault)).collect();
            self.disk = self.disk.after_crash(&mut self.dice).with_faults(&left);
        }
        self.store.start();
        if is_power_lost {
            self.store.lose_unsynced(&mut self.dice);
        }
        if self.is_rough && self.dice.below(6) == 0 {
            self.store.damage(&mut self.dice);
        }
    }

    /// Starts the node, without its threads; or returns why it does not start.
    pub(super) fn open(&mut self) -> Result<(DurableLog, Batch), String> {
        self.n_starts += 1;
        self.tally.n_lives += 1;
        let disk: Arc<dyn Disk> = match &self.seen {
            Some(seen) => Arc::new(Recorder::new(self.disk.clone(), seen.clone())),
            None => Arc::new(self.disk.clone()),
        };
        let number = u128::from(self.n_starts);
        let fresh = LogId { id: number, seed: 0x5eed };
        // All rows are read from the disk, or some, or none: the client must not see a difference.
        let recent_bytes = [0, 4000, usize::MAX][(self.n_starts % 3) as usize];
        let options = DurableOptions {
            max_requests: 1000,
            file_bytes: 8000,
            recent_bytes,
            request_group: 3,
            ..DurableOptions::default()
        };
        let sources = sources(self.ledger.window);
        let opened = DurableLog::open(disk.clone(), options, &sources, fresh, number);
        let (mut log, _) = opened.map_err(|error| error.to_string())?;
        self.check_opened(&mut log);
        let (changed, counters) = (Arc::new(Changed::default()), Arc::new(Counters::default()));
        let serving = LocalServing::new(&PLANS.metrics);
        let declared = log.snapshot().decoder(SOURCE).map(|decoder| decoder.source().clone());
        let source = Arc::new(NodeSource::new(
            declared.as_ref().unwrap_or(&DECLARED[0]),
            self.plans.clone(),
            Imports::new(),
            log.reader().clone(),
            serving,
            changed,
            counters,
        ));
        let (config, views) = (self.config(), Arc::new(self.store.clone()));
        let losses = accepted_losses(&config, &disk, views.clone(), &log, RUNTIME.handle());
        log.keep_mark(disk.clone(), losses.map_err(|error| error.to_string())?.accepted);
        let store = ViewStore::new(views, SOURCE);
        let opened = open_source(&config, source, store, &disk, RUNTIME.handle());
        let mut batch = opened.map_err(|error| error.to_string())?;
        assert!(!batch.is_loss_accepted, "nothing is lost");
        (batch.schedule.small_rows, batch.schedule.backfill_workers) = (SMALL_ROWS, 1);
        Ok((log, batch))
    }

    /// A log that was opened again has what was acknowledged, once and where it was; what was not answered is
    /// in it as a whole or not at all, and the client learns which by sending it again.
    fn check_opened(&mut self, log: &mut DurableLog) {
        let (end, n_operations) = (log.snapshot().end(SOURCE), self.disk.n_operations());
        assert_eq!(end.0.len(), N_PARTITIONS as usize);
        if end != *self.ledger.end() {
            let waiting = std::mem::take(&mut self.ledger.waiting);
            let decoder = EventDecoder::of_records(log.snapshot().decoder(SOURCE).expect("the source"));
            let requests: Vec<_> = waiting.iter().map(|sent| sent.request(&decoder)).collect();
            for (sent, answer) in waiting.into_iter().zip(log.append(&requests)) {
                let receipt = answer.expect("what is in the log is answered");
                assert!(receipt.is_repeated, "the log ends at {end}, and does not know {receipt:?}");
                self.ledger.note(sent, &receipt);
            }
        }
        assert_eq!(end, *self.ledger.end(), "the log has what was acknowledged, and nothing else");
        let decoder = EventDecoder::of_records(log.snapshot().decoder(SOURCE).expect("the source"));
        let (requests, known) = self.ledger.told(&decoder);
        for (answer, accepted) in log.append(&requests).into_iter().zip(known) {
            let receipt = answer.expect("what was acknowledged is answered");
            assert!(receipt.is_repeated, "{accepted:?} was acknowledged, and is not known");
            assert_eq!(receipt.accepted, *accepted, "it is where it was");
        }
        assert_eq!(self.disk.n_operations(), n_operations, "nothing is written for what is known");
        let is_behind = |(least, end): (&u64, &u64)| least > end;
        assert!(
            !self.least.0.iter().zip(&end.0).any(is_behind),
            "{} was served, and it ends at {end}",
            self.least
        );
        self.least = end;
    }
}
