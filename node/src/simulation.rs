//! The whole node, simulated: log, batch, tail and answers, on a disk and a store of views on which any
//! operation can fail, in an order of steps that one seed decides.
//!
//! The node is the real one, opened and driven through its own code; only its threads are not started:
//! instead of them one loop does their steps one after the other. So what happens between threads is an order
//! of steps here, and every order can be tried, and repeated. There is no clock in it.
//!
//! - [`SimDisk`](metricc_durable_log::faulty_disk::SimDisk) loses what was not durable when the power fails;
//!   [`faulty_view_store`] keeps the views. In both, an operation fails, or everything from it on does, by
//!   its number.
//! - [`client_model`] is the client: what it has sent, which answers it got, and what then has to be in an
//!   answer.
//! - [`disk_fault_choice`] tells which faults of an operation are worth a try.
//! - [`machine`] outlives the node, and starts it again after a crash.
//! - [`bit_flips`] flips bits of all files of a node that was stopped.
//! - [`steps`] is the node from one start to the next end, in steps of one letter each; [`answer_checks`] are
//!   what is checked.
//!
//! `METRICC_SIMULATION_RUNS` is the number of random runs of a test; if it is set, faults that others stand
//! for are tried, too. A failing test prints all that is needed to repeat its run.

mod answer_checks;
mod bit_flips;
mod client_model;
mod disk_fault_choice;
mod faulty_view_store;
mod machine;
mod steps;

use std::sync::{Arc, LazyLock};
use std::time::Instant;

use metricc_compiler::SourcePlan;
use metricc_dsl::SourceText;
use metricc_durable_log::faulty_disk::{Dice, FAULTS, Fault};
use metricc_durable_log::{DedupWindow, SourceOptions};
use metricc_ir::Source;
use metricc_ir::user_defined::Imports;
use metricc_views::{ViewError, ViewStore};
use tokio::runtime::Runtime;

use self::disk_fault_choice::Operation;
use self::faulty_view_store::{STORE_FAULTS, SimStore, StoreFault};
use self::machine::{Ending, Tally, World};
use self::steps::run;
use crate::source_plans::SourcePlans;

/// One metric without keys, one in which the order of events counts, one with windows and more rows than
/// batch rewrites.
const PACKAGE: &str = "
source events { at: timestamp time  id: string key  shop: string  n: int }
metric seen = count() { from events }
metric by_shop = { total: sum(n), newest: last(n) } { from events  by shop }
metric per_minute = { many: count(), ids: distinct(id) } { from events  by shop  every 1m }
";
/// The same source, declared with another field.
const OTHER_PACKAGE: &str = "
source events { at: timestamp time  id: string key  shop: string  n: int  bonus: int = 5 }
metric bonuses = sum(bonus) { from events  by shop }
";
const SOURCE: &str = "events";
const METRICS: [&str; 4] = ["seen", "by_shop", "per_minute", "bonuses"];
const SHOPS: [&str; 4] = ["north", "east", "south", "west"];
const N_PARTITIONS: u32 = 2;
/// For how long names are remembered: shorter than a run is.
const WINDOWS: [DedupWindow; 2] =
    [DedupWindow::Positions(24), DedupWindow::EventTime { micros: 180_000_000 }];
/// Positions in the journal from which on they are flushed.
const FLUSH_EVENTS: u64 = 6;
/// Positions of a step of the tail, and rows of a view that is always one segment: in a run of few events
/// there are then several steps, and views of several segments.
const STEP_POSITIONS: u64 = 3;
const SMALL_ROWS: u64 = 4;

/// Lives of the node, one after the other, for trying every fault everywhere. See [`life`] for the letters.
const CHAPTERS: [&str; 8] =
    ["ssffrsffr", "sbsfffarp", "sefsbffrs", "fsbsffrap", "sebffsffr", "sbdwff", "wffr", "sDsfr"];
/// Steps of random runs, each as often as it is to come.
const LETTERS: &[u8] = b"ssssssssfffffffffffbbbdwwwDeerrrrpiakK";
/// Steps of a random run.
const N_STEPS: usize = 60;

/// All metrics, over the source as the one package and as the other declares it.
static PLANS: LazyLock<Arc<SourcePlans>> = LazyLock::new(|| {
    let plans = [PACKAGE, OTHER_PACKAGE].map(|package| {
        let text = SourceText { name: "simulated.metric".to_owned(), bytes: package.as_bytes().to_vec() };
        let checked = metricc_dsl::check(&text);
        assert!(!checked.has_errors(), "{:?}", checked.diagnostics);
        let plans = SourcePlan::of_package(&checked.package.metrics, &Imports::new()).expect("it is planned");
        plans.into_iter().next().expect("one source").metrics
    });
    SourcePlans::new(&plans.concat(), &Imports::new()).expect("they are planned")
});

/// The two declarations of the source.
static DECLARED: LazyLock<[Arc<Source>; 2]> =
    LazyLock::new(|| [0, 1].map(|plan| PLANS.declared()[plan].plan.source.clone()));

/// Runs the requests to the store of views, as in the node.
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().expect("a runtime")
});

fn sources(window: DedupWindow) -> Vec<SourceOptions> {
    vec![SourceOptions {
        source: DECLARED[0].clone(),
        others: vec![DECLARED[1].clone()],
        n_partitions: N_PARTITIONS,
        window,
    }]
}

/// The faults, by the numbers of the operations.
#[derive(Debug, Clone, Default)]
struct Faults {
    disk: Vec<(u64, Fault)>,
    store: Vec<(u64, StoreFault)>,
}

/// Prints how to repeat a run when it fails, wherever that is.
struct Shown(String);

impl Drop for Shown {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the simulation failed: {}", self.0);
        }
    }
}

fn wanted_runs() -> Option<u64> {
    std::env::var("METRICC_SIMULATION_RUNS").ok()?.parse().ok()
}

/// A run of steps that the seed chooses. At its end everything is sent, and found once more after the power
/// has failed.
fn random_run(seed: u64, faults: Faults) -> Tally {
    let mut dice = Dice::new(seed);
    let letter = |_| char::from(LETTERS[dice.below(LETTERS.len() as u64) as usize]);
    let steps: String = (0..N_STEPS).map(letter).chain("zKl".chars()).collect();
    let _shown = Shown(format!("seed {seed}, {faults:?}, steps {steps}"));
    let mut world = World::new(seed, WINDOWS[(seed / 2 % 2) as usize], faults);
    run(&mut world, &steps);
    world.tally()
}

/// A chapter as it begins, and its operations without a fault.
struct Chapter {
    start: World,
    steps: String,
    disk: Vec<Operation>,
    /// For each operation of the store, whether it changes something.
    store: Vec<bool>,
}

/// Goes through all chapters without a fault.
fn chapters() -> Vec<Chapter> {
    let mut world = World::new(0, WINDOWS[0], Faults::default());
    let mut chapters = Vec::new();
    for (number, steps) in CHAPTERS.iter().enumerate() {
        let steps = format!("{steps}l");
        let _shown = Shown(format!("chapter {number}, steps {steps}, without a fault"));
        // Two declarations take the time of two nodes.
        world.plans = match steps.contains('D') {
            true => PLANS.clone(),
            false => SourcePlans::of_one(PLANS.declared()[0].plan.clone()),
        };
        let start = world.fork(0, Faults::default());
        world.record();
        run(&mut world, &steps);
        let (disk, store) = (world.recorded(), world.store.recorded());
        chapters.push(Chapter { start, steps, disk, store });
        world.restart(Ending::PowerLost);
    }
    chapters
}

impl Chapter {
    /// The chapter with a fault, and what is left of it after the power has failed.
    fn with(&self, number: usize, faults: Faults, seed: u64) -> Tally {
        let steps = format!("{}Kl", self.steps);
        let _shown = Shown(format!("chapter {number}, {faults:?}, seed {seed}, steps {steps}"));
        let mut world = self.start.fork(seed, faults);
        run(&mut world, &steps);
        let tally = world.tally();
        assert_eq!(tally.n_faults, 1, "the same operations come again, and with them the fault");
        tally
    }
}

#[test]
fn f15_f16_f17_answers_are_the_log_up_to_their_frontier_in_every_order_of_steps() {
    let (started, mut all) = (Instant::now(), Tally::default());
    for seed in 0..wanted_runs().unwrap_or(150) {
        all.add(&random_run(seed, Faults::default()));
    }
    println!("no faults: {all}, {:?}", started.elapsed());
    assert!(all.n_answers > all.n_runs && all.n_views > all.n_runs && all.n_flushes > all.n_runs, "{all}");
    assert!(all.n_refused > all.n_runs / 2, "{all}");
    assert_eq!((all.n_faults, all.n_errors), (0, 0), "{all}");
}

/// Two partitions had records at the same offsets of one frame, and none of them was a row: what was
/// quarantined in one of them was flushed as if it were of both.
#[test]
fn a_run_that_once_went_wrong() {
    random_run(1314, Faults::default());
}

#[test]
fn f1_f5_f6_f7_every_fault_at_every_operation_of_the_disk() {
    let (started, mut all) = (Instant::now(), Tally::default());
    let is_thorough = wanted_runs().is_some();
    for (number, chapter) in chapters().iter().enumerate() {
        // States that come late are read from all of the log: that is many operations of one kind.
        let step = match is_thorough {
            false if chapter.steps.contains('w') => 7,
            false if chapter.steps.contains('D') => 3,
            _ => 1,
        };
        for (at, operation) in (0u64..).zip(&chapter.disk).step_by(step) {
            for (fault, n_seeds) in operation.tried(at, is_thorough) {
                for seed in 0..n_seeds {
                    let faults = Faults { disk: vec![(at, fault)], store: Vec::new() };
                    all.add(&chapter.with(number, faults, at * 7 + seed));
                }
            }
        }
    }
    println!("disk: {all}, {:?}", started.elapsed());
}

#[test]
fn f39_a_store_that_replaces_what_it_is_told_to_create_is_found() {
    let probe = |store: SimStore| RUNTIME.block_on(ViewStore::new(Arc::new(store), SOURCE).probe());
    let store = SimStore::default();
    assert!(probe(store.clone()).is_ok() && probe(store).is_ok());
    assert!(matches!(probe(SimStore::default().replacing()), Err(ViewError::Overwrites)));
}

#[test]
fn f11_f12_every_fault_at_every_operation_of_the_store() {
    let (started, mut all) = (Instant::now(), Tally::default());
    for (number, chapter) in chapters().iter().enumerate() {
        for (at, is_change) in (0u64..).zip(&chapter.store) {
            for fault in STORE_FAULTS.into_iter().filter(|fault| *is_change || !fault.is_after()) {
                let faults = Faults { disk: Vec::new(), store: vec![(at, fault)] };
                all.add(&chapter.with(number, faults, at));
            }
        }
    }
    println!("store: {all}, {:?}", started.elapsed());
}

#[test]
fn f1_f11_f12_pairs_of_faults_and_damaged_views() {
    let (started, mut all) = (Instant::now(), Tally::default());
    for seed in 0..wanted_runs().unwrap_or(250) {
        let mut dice = Dice::new(!seed);
        let on_disk = |dice: &mut Dice| FAULTS[dice.below(FAULTS.len() as u64) as usize];
        let first = dice.below(800);
        let mut faults = Faults { disk: vec![(first, on_disk(&mut dice))], store: Vec::new() };
        if seed.is_multiple_of(2) {
            faults.disk.push((first + 1 + dice.below(150), on_disk(&mut dice)));
        } else {
            let fault = STORE_FAULTS[dice.below(STORE_FAULTS.len() as u64) as usize];
            faults.store.push((dice.below(120), fault));
        }
        all.add(&random_run(seed, faults));
    }
    println!("pairs: {all}, {:?}", started.elapsed());
    assert!(all.n_faults > 0, "{all}");
}
