//! F36: damage at rest. Whatever bit of whatever file is another one, at a start or while the node runs, what
//! the node answers is an error or what it was.

use metricc_client::{ReadRequest, Serving, ServingError};
use metricc_durable_log::QuarantinedRecord;
use metricc_durable_log::faulty_disk::Dice;
use metricc_log::Slice;

use super::machine::World;
use super::steps::{Life, probe};
use super::{Faults, METRICS, RUNTIME, SOURCE, Shown, WINDOWS, run};

/// A kind of file in the folder of a node.
struct Kind {
    /// What its path contains.
    part: &'static str,
    /// What its path ends with.
    suffix: &'static str,
    /// What happens to one that is damaged.
    fate: Fate,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// The node refuses to start, or to answer what it needs the file for.
    Refused,
    /// The node does without it, and computes what it holds from the log.
    Recomputed,
    /// The node reads it only to see whether it has to be written again.
    Rewritten,
}

/// All kinds of files that a node reads. `lock` is read for the message that names its holder.
const KINDS: [Kind; 9] = [
    Kind { part: "log/", suffix: "log-mark.json", fate: Fate::Recomputed },
    Kind { part: "log/journal/", suffix: ".journal", fate: Fate::Refused },
    Kind { part: "log/requests/", suffix: ".json", fate: Fate::Refused },
    Kind { part: "log/events/events/", suffix: ".exceptions.parquet", fate: Fate::Refused },
    Kind { part: "log/events/events/", suffix: ".requests", fate: Fate::Refused },
    Kind { part: "log/events/events/", suffix: ".parquet", fate: Fate::Refused },
    Kind { part: "views/events/versions/", suffix: ".json", fate: Fate::Recomputed },
    Kind { part: "views/events/segments/", suffix: ".parquet", fate: Fate::Recomputed },
    Kind { part: "views/events/tables/", suffix: "", fate: Fate::Rewritten },
];

/// The kind of a file. Every file has one.
fn kind_of(path: &str) -> usize {
    let is_it = |kind: &Kind| path.contains(kind.part) && path.ends_with(kind.suffix);
    KINDS.iter().position(is_it).unwrap_or_else(|| panic!("`{path}` is of no kind that is listed"))
}

/// Files of a kind, and places of a file, that are damaged in a run that is not to be thorough.
const N_FILES: usize = 4;
const N_PLACES: usize = 30;

/// A node that was stopped, with files of all kinds: flushed files, a journal with rows that are not flushed,
/// and a view that ends before them.
fn stopped() -> World {
    let mut world = World::new(5, WINDOWS[0], Faults::default());
    run(&mut world, &format!("{}bsssesfrc", "sssfsesssbfr".repeat(4)));
    world.fork(0, Faults::default())
}

impl World {
    /// The files of log and views, as they lie in the folder of a node.
    fn files(&self) -> Vec<(String, Vec<u8>)> {
        let of_log =
            self.disk.paths().into_iter().map(|path| (format!("log/{path}"), self.disk.bytes(&path)));
        let of_views = self.store.objects().into_iter().map(|(path, bytes)| (format!("views/{path}"), bytes));
        of_log.chain(of_views).collect()
    }

    fn put(&self, path: &str, bytes: &[u8]) {
        match path.split_once('/') {
            Some(("log", path)) => self.disk.put(path, bytes),
            Some((_, path)) => self.store.replace(path, bytes),
            None => panic!("`{path}` is not in a folder"),
        }
    }
}

/// The files that are damaged, with their kinds: the last of each kind, and some before it.
fn chosen(files: Vec<(String, Vec<u8>)>) -> Vec<(usize, String, Vec<u8>)> {
    let mut kinds: Vec<Vec<(String, Vec<u8>)>> = KINDS.iter().map(|_| Vec::new()).collect();
    files.into_iter().for_each(|(path, bytes)| kinds[kind_of(&path)].push((path, bytes)));
    let is_thorough = super::wanted_runs().is_some();
    let chosen = |(kind, files): (usize, Vec<(String, Vec<u8>)>)| {
        let step = if is_thorough { 1 } else { files.len().div_ceil(N_FILES).max(1) };
        files.into_iter().rev().step_by(step).map(move |(path, bytes)| (kind, path, bytes))
    };
    kinds.into_iter().enumerate().flat_map(chosen).collect()
}

#[test]
fn f36_a_flipped_bit_in_any_file_is_an_error_or_changes_nothing() {
    let (world, mut counts) = (stopped(), [(0, 0); KINDS.len()]);
    assert_eq!(probe(&mut world.fork(1, Faults::default()), |_| ()), Ok(()), "without damage");
    for (kind, path, bytes) in chosen(world.files()) {
        let step = if super::wanted_runs().is_some() { 1 } else { (bytes.len() / N_PLACES).max(1) };
        for (number, at) in (0..bytes.len()).step_by(step).enumerate() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1 << (number % 8);
            for is_running in [false, true] {
                let _shown = Shown(format!("byte {at} of `{path}`, damaged while it runs: {is_running}"));
                let mut copy = world.fork(number as u64, Faults::default());
                let outcome = if is_running {
                    probe(&mut copy, |world| world.put(&path, &damaged))
                } else {
                    copy.put(&path, &damaged);
                    probe(&mut copy, |_| ())
                };
                counts[kind].0 += 1;
                counts[kind].1 += u64::from(outcome.is_err());
                if KINDS[kind].fate != Fate::Refused {
                    assert_eq!(outcome, Ok(()), "it is computed from the log");
                }
            }
        }
    }
    for (kind, (n_trials, n_errors)) in KINDS.iter().zip(counts) {
        println!("{}*{}: {n_trials} trials, {n_errors} errors, 0 other answers", kind.part, kind.suffix);
        assert!(n_trials > 0, "there is no file of this kind");
        assert_eq!(n_errors > 0, kind.fate == Fate::Refused);
    }
}

impl Life<'_> {
    /// Reads everything that the node answers: it is what it has to be, or an error, which is returned.
    pub(super) fn read_all(&mut self) -> Result<(), String> {
        let mut dice = Dice::new(3);
        let (end, n_requests) = (self.source.end(), self.world.ledger.ends().len() - 1);
        // States that are damaged in the view are computed from the log.
        self.try_bring_states()?;
        for _ in 0..60 {
            self.follow_on().map_err(|error| error.to_string())?;
            if self.source.serving.frontier(SOURCE).as_ref() == Some(&end) {
                break;
            }
        }
        let read = |request: ReadRequest| RUNTIME.block_on(self.serving.read(request));
        let asked = |metric: &str| ReadRequest { metric: metric.to_owned(), ..ReadRequest::default() };
        for metric in METRICS {
            let answer = read(asked(metric)).map_err(|error| error.to_string())?;
            self.check_rows(&answer, n_requests);
            let n_past = dice.below(n_requests as u64) as usize;
            let at = Some(self.world.ledger.ends()[n_past].0.clone());
            let past = read(ReadRequest { at, ..asked(metric) }).map_err(|error| error.to_string())?;
            self.check_rows(&past, n_past);
        }
        let between = ReadRequest { at: Some(vec![1, 0]), ..asked("seen") };
        match read(between) {
            Err(ServingError::Request(_)) => {}
            Err(error) => return Err(error.to_string()),
            Ok(answer) => assert!(self.world.ledger.ends().iter().any(|end| end.0 == answer.frontier)),
        }
        let log = self.source.log.snapshot();
        for (partition, &to) in (0u32..).zip(&end.0) {
            let kept = log.quarantine(SOURCE, &Slice { partition, from: 0, to }).read(10_000);
            let kept = kept.map_err(|error| error.to_string())?;
            let offsets: Vec<u64> = kept.iter().map(|record| record.position.offset).collect();
            assert_eq!(offsets, self.world.ledger.quarantined(partition), "of partition {partition}");
            let is_right = |record: &QuarantinedRecord| {
                record.raw == b"{\"id\": 5}"
                    && (&record.field, &record.problem) == (&kept[0].field, &kept[0].problem)
            };
            assert!(kept.iter().all(is_right), "{kept:?}");
        }
        let verdicts = log.derive_verdicts(SOURCE, &end).map_err(|error| error.to_string())?;
        assert_eq!(verdicts.map(|verdicts| verdicts.n_differences), Some(0));
        Ok(())
    }
}
