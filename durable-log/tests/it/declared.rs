//! A source that is declared otherwise while its log is open: rows mean what they meant when they came in,
//! whoever reads them, from wherever.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::util::pretty::pretty_format_batches;
use metricc_durable_log::faulty_disk::{Dice, FAULTS, SimDisk};
use metricc_durable_log::{
    DedupWindow, Disk, DurableError, DurableLog, DurableOptions, LogId, LogSnapshot, Request, SourceOptions,
};
use metricc_ir::{Field, Kind, RecordField, Source, Type, Value};
use metricc_log::{EventDecoder, Frontier, Interval, RecordDecoder};

use crate::ledger::{field, flush, keyed, optional};

fn of(more: Vec<Field>) -> Arc<Source> {
    let first = [field("at", Type::of(Kind::Timestamp)), field("id", Type::of(Kind::String))];
    keyed(first.into_iter().chain(more).collect())
}

fn x(default: i64) -> Field {
    Field { default: Some(Value::Int(default)), ..field("x", Type::of(Kind::Int)) }
}

/// The declarations of these tests: one that has all of the first one's fields, one that differs from it in a
/// default, and one that has another field instead.
fn declarations() -> [Arc<Source>; 4] {
    let y = || field("y", optional(Kind::String));
    [of(vec![y()]), of(vec![y(), x(5)]), of(vec![y(), x(6)]), of(vec![field("z", optional(Kind::Int))])]
}

fn open(disk: &SimDisk, source: usize) -> DurableLog {
    let mut others = declarations().to_vec();
    let source = others.remove(source);
    open_as(disk, &source, others).unwrap()
}

fn open_as(
    disk: &SimDisk,
    source: &Arc<Source>,
    others: Vec<Arc<Source>>,
) -> Result<DurableLog, DurableError> {
    let window = DedupWindow::Positions(100);
    let sources = [SourceOptions { source: source.clone(), others, n_partitions: 2, window }];
    let disk: Arc<dyn Disk> = Arc::new(disk.clone());
    DurableLog::open(disk, DurableOptions::default(), &sources, LogId { id: 1, seed: 2 }, 7)
        .map(|(log, _)| log)
}

fn request(source: &Arc<Source>, key: &str, records: &[&str]) -> Request {
    let record = |fields: &&str| format!(r#"{{"at":"2026-04-25T10:00:00Z",{fields}}}"#);
    let body: Vec<String> = records.iter().map(record).collect();
    let events = EventDecoder::new(source).unwrap().ndjson(body.join("\n").as_bytes());
    Request { events, key: Some(key.to_owned()), digest: 7, read: None }
}

fn send(log: &mut DurableLog, source: &Arc<Source>, key: &str, records: &[&str]) -> Result<(), DurableError> {
    log.append(&[request(source, key, records)])
        .remove(0)
        .map(|_| ())
        .map_err(|error| Arc::into_inner(error).unwrap())
}

/// All rows as a declaration reads them, in order.
fn rows(log: &LogSnapshot, source: &Arc<Source>) -> String {
    let log = log.log_as(&RecordDecoder::new(source).unwrap(), &Frontier(vec![0, 0])).unwrap();
    let columns: Vec<usize> = (1..source.fields.len()).collect();
    let mut batches = Vec::new();
    for slice in Interval::new(log.start(), log.end()).unwrap().slices() {
        batches.extend(log.read(&slice, &columns, 2).unwrap().map(|batch| batch.unwrap().rows));
    }
    let shown = pretty_format_batches(&batches).unwrap().to_string();
    let mut lines: Vec<String> = shown.lines().map(str::to_owned).collect();
    lines.sort();
    lines.join("\n")
}

/// What each declaration reads.
fn all_rows(log: &DurableLog) -> BTreeMap<usize, String> {
    let readable = |source: &Arc<Source>| {
        let declared = log.snapshot().decoder("events").unwrap().source().clone();
        log.snapshot().check_declared(&declared, source).is_ok()
    };
    let sources = declarations();
    let shown = sources.iter().enumerate().filter(|(_, source)| readable(source));
    shown.map(|(index, source)| (index, rows(&log.snapshot(), source))).collect()
}

#[test]
fn rows_mean_the_same_to_every_declaration_before_and_after_each_change() {
    let [first, with_x, other_x, with_z] = declarations();
    let disk = SimDisk::default();
    let mut log = open(&disk, 0);
    send(&mut log, &first, "1", &[r#""id":"a","y":"old""#, r#""id":"b","x":1"#]).unwrap();
    let before = all_rows(&log);
    assert_eq!(before.len(), 4);
    assert!(before[&1].contains("| a  | old | 5 |") && before[&2].contains("| b  |     | 6 |"), "{before:?}");

    log.declare(&with_x).unwrap();
    assert_eq!(all_rows(&log), before, "flushed");
    let error = send(&mut log, &first, "2", &[r#""id":"c""#]).unwrap_err();
    assert!(matches!(error, DurableError::Redeclared { ref origin } if origin == "events"), "{error}");
    // Whatever a later default is: the default of its time is the value of a row.
    send(&mut log, &with_x, "2", &[r#""id":"c","x":2"#, r#""id":"d""#, r#""id":"a","y":"old""#]).unwrap();
    let between = all_rows(&log);
    assert!(
        between[&2].contains("| c  |     | 2 |") && between[&2].contains("| d  |     | 5 |"),
        "{between:?}"
    );
    assert_eq!(between[&1].matches("| a ").count(), 1, "it is a duplicate");

    log.declare(&with_z).unwrap();
    send(&mut log, &with_z, "3", &[r#""id":"e","x":3,"z":9"#]).unwrap();
    log.declare(&other_x).unwrap();
    send(&mut log, &other_x, "4", &[r#""id":"f""#]).unwrap();
    let after = all_rows(&log);
    assert!(after[&2].contains("| e  |     | 6 |") && after[&2].contains("| f  |     | 6 |"), "{after:?}");
    for line in between[&1].lines() {
        assert!(after[&1].contains(line), "{line} in {}", after[&1]);
    }
    flush(&mut log, &disk).unwrap();
    assert_eq!(all_rows(&log), after);
    drop(log);
    assert_eq!(all_rows(&open(&disk, 2)), after);
}

#[test]
fn a_log_goes_on_as_its_last_rows_were_decoded() {
    let [first, with_x, ..] = declarations();
    let disk = SimDisk::default();
    let mut log = open(&disk, 0);
    send(&mut log, &first, "1", &[r#""id":"a","y":"old""#]).unwrap();
    log.declare(&with_x).unwrap();
    send(&mut log, &with_x, "2", &[r#""id":"b","x":2"#]).unwrap();
    let before = all_rows(&log);
    drop(log);
    // The first declaration has no `x`: flushed as it says, the rows would lose it.
    let mut log = open(&disk, 0);
    assert_eq!(log.snapshot().decoder("events").unwrap().source(), &with_x);
    log.declare(&first).unwrap();
    assert_eq!(all_rows(&log), before);
    drop(log);
    assert_eq!(open(&disk, 1).snapshot().decoder("events").unwrap().source(), &first);
}

#[test]
fn of_declarations_that_may_have_decoded_the_rows_the_first_one_goes_on() {
    let [_, with_x, other_x, with_z] = declarations();
    let disk = SimDisk::default();
    let mut log = open(&disk, 1);
    send(&mut log, &with_x, "1", &[r#""id":"a","x":2"#]).unwrap();
    drop(log);
    // They differ in a default alone, which the journal does not note.
    for (first, second, default) in [(&with_x, &other_x, 5), (&other_x, &with_x, 6)] {
        let disk = disk.copy();
        let mut log = open_as(&disk, &with_z, vec![first.clone(), second.clone()]).unwrap();
        assert_eq!(log.snapshot().decoder("events").unwrap().source(), first);
        send(&mut log, first, "2", &[r#""id":"b""#]).unwrap();
        for reader in [&with_x, &other_x] {
            let shown = rows(&log.snapshot(), reader);
            assert!(shown.contains(&format!("| b  |   | {default} |")), "{shown}");
        }
        // What is wanted comes before all others.
        drop(log);
        let log = open_as(&disk, second, vec![first.clone()]).unwrap();
        assert_eq!(log.snapshot().decoder("events").unwrap().source(), second);
    }
}

/// Sends records again; the numbers of duplicates, and of conflicts among them.
fn again(log: &mut DurableLog, source: &Arc<Source>, key: &str, records: &[&str]) -> (u64, u64) {
    let accepted = log.append(&[request(source, key, records)]).remove(0).unwrap().accepted;
    (accepted.n_duplicates, accepted.n_conflicts)
}

#[test]
fn what_is_a_conflict_after_a_change_is_one_after_a_restart_as_well() {
    let [first, with_x, _, with_z] = declarations();
    for is_opened_again in [false, true] {
        let disk = SimDisk::default();
        let mut log = open(&disk, 0);
        let reopened = |log: DurableLog, source: usize| match is_opened_again {
            true => {
                drop(log);
                open(&disk, source)
            }
            false => log,
        };
        send(&mut log, &first, "1", &[r#""id":"a","y":"old""#, r#""id":"b","y":"old""#]).unwrap();
        log.declare(&with_x).unwrap();
        let mut log = reopened(log, 1);
        // As it is declared now, the first one has the default.
        let records = [r#""id":"a","y":"old""#, r#""id":"b","y":"old","x":7"#];
        assert_eq!(again(&mut log, &with_x, "2", &records), (2, 1), "{is_opened_again}");
        log.declare(&with_z).unwrap();
        let mut log = reopened(log, 3);
        // A field that is not declared makes no difference.
        let records = [r#""id":"a","y":"new""#, r#""id":"b","z":9"#];
        assert_eq!(again(&mut log, &with_z, "3", &records), (2, 1), "{is_opened_again}");
    }
}

#[test]
fn what_the_rows_are_not_is_refused_and_changes_nothing() {
    let [first, with_x, ..] = declarations();
    let disk = SimDisk::default();
    let mut log = open(&disk, 0);
    send(&mut log, &first, "1", &[r#""id":"a""#]).unwrap();
    let required = of(vec![field("y", optional(Kind::String)), field("x", Type::of(Kind::Int))]);
    let error = log.declare(&required).unwrap_err().to_string();
    assert!(error.contains("field `x` is new"), "{error}");
    let other_type = of(vec![field("y", optional(Kind::Int))]);
    assert!(log.declare(&other_type).unwrap_err().to_string().contains("field `y` was `string`"));
    send(&mut log, &first, "2", &[r#""id":"b""#]).unwrap();
    // Not even later: rows from before are without it, and had its default for a while.
    log.declare(&with_x).unwrap();
    send(&mut log, &with_x, "3", &[r#""id":"c""#]).unwrap();
    assert!(log.declare(&required).unwrap_err().to_string().contains("without field `x`"));
    drop(log);
    for others in [Vec::new(), declarations().to_vec()] {
        assert!(open_as(&disk, &required, others).unwrap_err().to_string().contains("without field `x`"));
    }
    let unknown = Arc::new(Source { name: "t".to_owned(), ..Source::clone(&first) });
    assert!(open(&disk, 1).declare(&unknown).unwrap_err().to_string().contains("no source `t`"));
}

#[test]
fn numbers_may_get_more_digits() {
    let with = |number: Kind| {
        let price = Field { name: "price".to_owned(), ..field("price", Type::of(number.clone())) };
        let part = RecordField { name: price.name.clone(), ty: price.ty.clone() };
        let items = Type::of(Kind::List(Box::new(Type::of(Kind::Record([part].into())))));
        let items = Field { fields: vec![price], ..field("items", items) };
        of(vec![field("n", Type::of(number)), items])
    };
    let decimal = |precision, scale| Kind::Decimal { precision, scale };
    let disk = SimDisk::default();
    let int = with(Kind::Int);
    let mut log = open_as(&disk, &int, Vec::new()).unwrap();
    send(&mut log, &int, "1", &[r#""id":"a","n":-9223372036854775808,"items":[{"price":7}]"#]).unwrap();
    for narrow in [decimal(20, 2), decimal(18, 0)] {
        let error = log.declare(&with(narrow)).unwrap_err().to_string();
        assert!(error.contains("field `n` was `int` and is `decimal("), "{error}");
    }
    let expected = "| a  | -9223372036854775808.00 | [{price: 7.00}] |";
    let wide = with(decimal(21, 2));
    assert!(rows(&log.snapshot(), &wide).contains(expected), "{}", rows(&log.snapshot(), &wide));
    log.declare(&wide).unwrap();
    assert!(rows(&log.snapshot(), &wide).contains(expected), "{}", rows(&log.snapshot(), &wide));
    send(&mut log, &wide, "2", &[r#""id":"b","n":"1.25","items":[{"price":"0.5"}]"#]).unwrap();
    assert!(
        log.snapshot().check_declared(&wide, &int).unwrap_err().contains("field `n` was `decimal(21, 2)`")
    );
    let wider = with(decimal(23, 4));
    let both = rows(&log.snapshot(), &wider);
    assert!(both.contains("-9223372036854775808.0000") && both.contains("| b  | 1.2500 "), "{both}");
    log.declare(&wider).unwrap();
    assert_eq!(rows(&log.snapshot(), &wider), both);
    drop(log);
    assert_eq!(rows(&open_as(&disk, &wider, Vec::new()).unwrap().snapshot(), &wider), both);
    // By the values of a key it was decided what is a duplicate.
    let keyed_by =
        |number: Kind| keyed(vec![field("at", Type::of(Kind::Timestamp)), field("id", Type::of(number))]);
    let (disk, int) = (SimDisk::default(), keyed_by(Kind::Int));
    let mut log = open_as(&disk, &int, Vec::new()).unwrap();
    send(&mut log, &int, "1", &[r#""id":1"#]).unwrap();
    let error = log.declare(&keyed_by(decimal(21, 2))).unwrap_err().to_string();
    assert!(error.contains("field `id` of its `key` was `int` and is `decimal(21, 2)`"), "{error}");
}

#[test]
fn without_records_a_source_may_be_declared_in_any_way() {
    let [first, ..] = declarations();
    let disk = SimDisk::default();
    let mut log = open(&disk, 0);
    let required = of(vec![field("y", Type::of(Kind::Int)), field("x", Type::of(Kind::Int))]);
    log.declare(&required).unwrap();
    drop(log);
    // It does not go on as it was declared: what came in so could perhaps not be read.
    let mut log = open_as(&disk, &first, vec![required.clone()]).unwrap();
    assert_eq!(log.snapshot().decoder("events").unwrap().source(), &first);
    log.declare(&required).unwrap();
    send(&mut log, &required, "1", &[r#""id":"a","x":1,"y":2"#]).unwrap();
    assert!(rows(&log.snapshot(), &required).contains("| a  | 2 | 1 |"));
    assert!(log.declare(&first).is_err());
    drop(log);
    assert!(open_as(&disk, &required, Vec::new()).is_ok());
}

type Step<'a> = dyn Fn(&mut DurableLog) -> Result<(), DurableError> + 'a;

/// Sends, declares and sends again. What has failed is done again, as the node does; `false` if the log has to
/// be opened again.
fn run(disk: &SimDisk) -> bool {
    let [first, with_x, ..] = declarations();
    let Ok(mut log) = open_as(disk, &with_x, vec![first.clone()]) else { return false };
    let goes_on = |log: &DurableLog| !disk.is_down() && log.snapshot().stopped().is_none();
    let steps: [&Step<'_>; 4] = [
        &|log| match log.snapshot().end("events").n_positions() {
            0 => log.declare(&first),
            _ => Ok(()),
        },
        &|log| match log.snapshot().end("events").n_positions() {
            0 => send(log, &first, "1", &[r#""id":"a","y":"old""#, r#""id":"b","x":1"#]),
            _ => Ok(()),
        },
        &|log| log.declare(&with_x),
        &|log| send(log, &with_x, "2", &[r#""id":"c","x":2"#, r#""id":"d""#]),
    ];
    for step in steps {
        let mut n_tries = 0;
        while step(&mut log).is_err() {
            n_tries += 1;
            if !goes_on(&log) {
                return false;
            }
            assert!(n_tries < 4, "a single fault goes by");
        }
    }
    true
}

/// Lets a run go on until it is over, with one fault at each of its operations, and compares what is then there.
fn survive(begin: &SimDisk, run: fn(&SimDisk) -> bool, expected: &BTreeMap<usize, String>) {
    let disk = begin.copy();
    assert!(run(&disk));
    assert_eq!(all_rows(&open(&disk, 1)), *expected);
    for at in 0..disk.n_operations() + 5 {
        for fault in FAULTS {
            for seed in 0..2 {
                let mut dice = Dice::new(seed);
                let mut disk = begin.copy().with_faults(&[(at, fault)]);
                let mut n_runs = 0;
                while !run(&disk) {
                    n_runs += 1;
                    assert!(n_runs < 6, "the log comes back after {fault:?} at {at} (seed {seed})");
                    disk = disk.after_crash(&mut dice);
                }
                assert_eq!(all_rows(&open(&disk.after_crash(&mut dice), 1)), *expected, "{fault:?} at {at}");
            }
        }
    }
}

#[test]
fn f1_with_every_fault_at_every_operation_rows_mean_what_they_meant() {
    let disk = SimDisk::default();
    assert!(run(&disk));
    let n_operations = disk.n_operations();
    assert!(n_operations > 40, "{n_operations}");
    let expected = all_rows(&open(&disk, 1));
    assert!(
        expected[&1].contains("| a  | old | 5 |") && expected[&1].contains("| c  |     | 2 |"),
        "{expected:?}"
    );
    survive(&SimDisk::default(), run, &expected);
}

/// A node that is started again after a version without the fields of the rows became live: it opens the log,
/// declares it so, and events come in and are flushed.
fn run_removing(disk: &SimDisk) -> bool {
    let [_, with_x, _, with_z] = declarations();
    let Ok(mut log) = open_as(disk, &with_z, vec![with_x]) else { return false };
    let declare: &Step<'_> = &|log| log.declare(&with_z);
    let take: &Step<'_> = &|log| send(log, &with_z, "2", &[r#""id":"c","z":9"#]);
    let seal: &Step<'_> = &|log| flush(log, disk);
    for step in [declare, take, seal] {
        let mut n_tries = 0;
        while step(&mut log).is_err() {
            n_tries += 1;
            if disk.is_down() || log.snapshot().stopped().is_some() {
                return false;
            }
            assert!(n_tries < 4, "a single fault goes by");
        }
    }
    true
}

#[test]
fn f1_a_value_of_a_field_that_is_removed_stays_wherever_the_change_ends() {
    let [_, with_x, ..] = declarations();
    let begin = SimDisk::default();
    let mut log = open(&begin, 1);
    send(&mut log, &with_x, "1", &[r#""id":"a","y":"old","x":2"#, r#""id":"b""#]).unwrap();
    let before = all_rows(&log);
    drop(log);
    let disk = begin.copy();
    assert!(run_removing(&disk));
    let after = all_rows(&open(&disk, 1));
    // What came in as the removed fields were declared has their values and the default of that time; what came
    // in later has those of whoever reads it.
    for (reader, c) in [(1, "| c  |     | 5 |"), (2, "| c  |     | 6 |")] {
        assert!(before[&reader].contains("| a  | old | 2 |") && before[&reader].contains("| b  |     | 5 |"));
        assert!(before[&reader].lines().all(|line| after[&reader].contains(line)), "{after:?}");
        assert!(after[&reader].contains(c), "{after:?}");
    }
    assert!(after[&3].contains("| c  | 9 |"), "{after:?}");
    survive(&begin, run_removing, &after);
}
