//! What the tests of the durable log share: a client that notes what was acknowledged, and an oracle of what
//! is then in the log.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::AsArray;
use arrow::datatypes::{Decimal128Type, Int64Type};
use metricc_durable_log::{
    DedupWindow, Disk, DurableError, DurableLog, DurableOptions, LogId, Receipt, Request, SourceOptions,
    TruncatedTail,
};
use metricc_ir::{Field, Kind, Source, Type};
use metricc_log::{EventDecoder, Interval, Log, Slice, WantedRows, position_column};

use metricc_durable_log::faulty_disk::SimDisk;

pub const WINDOW: u64 = 6;

pub fn field(name: &str, ty: Type) -> Field {
    Field::new(name, ty)
}

pub fn optional(kind: Kind) -> Type {
    Type { optional: true, ..Type::of(kind) }
}

pub fn enumeration(names: &[&str]) -> Kind {
    Kind::Enum(names.iter().map(|name| (*name).to_owned()).collect())
}

/// A source whose events have their second field as their identity.
pub fn keyed(fields: Vec<Field>) -> Arc<Source> {
    Arc::new(Source { name: "events".into(), doc: String::new(), fields, time: 0, identity: vec![1] })
}

/// `id` tells events apart, `n` is what they say.
pub fn source() -> Arc<Source> {
    let at = field("at", Type::of(Kind::Timestamp));
    let kind = optional(enumeration(&["small", "large"]));
    let (id, n) = (field("id", Type::of(Kind::String)), field("n", Type::of(Kind::Int)));
    keyed(vec![at, id, n, field("kind", kind)])
}

pub fn options() -> DurableOptions {
    DurableOptions {
        max_requests: 1000,
        file_bytes: 3000,
        recent_bytes: 0,
        request_group: 2,
        ..DurableOptions::default()
    }
}

pub fn sources(n_partitions: u32) -> Vec<SourceOptions> {
    vec![SourceOptions {
        source: source(),
        others: Vec::new(),
        n_partitions,
        window: DedupWindow::Positions(WINDOW),
    }]
}

pub fn open_with(
    disk: &SimDisk,
    n_partitions: u32,
) -> Result<(DurableLog, Option<TruncatedTail>), DurableError> {
    let fresh = LogId { id: 0xfeed, seed: 0x5eed };
    let disk: Arc<dyn Disk> = Arc::new(disk.clone());
    DurableLog::open(disk, options(), &sources(n_partitions), fresh, 7)
}

/// With all of the journal in one file.
pub fn open_long(disk: &SimDisk) -> Result<(DurableLog, Option<TruncatedTail>), DurableError> {
    let (fresh, options) = (LogId { id: 0xfeed, seed: 0x5eed }, DurableOptions::default());
    let disk: Arc<dyn Disk> = Arc::new(disk.clone());
    DurableLog::open(disk, options, &sources(1), fresh, 7)
}

pub fn open(disk: &SimDisk) -> Result<(DurableLog, Option<TruncatedTail>), DurableError> {
    open_with(disk, 1)
}

/// A record: an identity and what it says, or something that does not decode.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Record {
    Event(String, i64),
    Broken,
}

pub fn event(id: &str, n: i64) -> Record {
    Record::Event(id.to_owned(), n)
}

pub fn text(records: &[Record]) -> String {
    let line = |record: &Record| match record {
        Record::Event(id, n) => {
            format!("{{\"at\":\"2026-04-25T10:00:00Z\",\"id\":\"{id}\",\"n\":{n},\"kind\":\"large\"}}\n")
        }
        Record::Broken => "{\"id\": 5}\n".to_owned(),
    };
    records.iter().map(line).collect()
}

pub fn request(key: &str, records: &[Record]) -> Request {
    let body = text(records);
    let events = EventDecoder::new(&source()).unwrap().ndjson(body.as_bytes());
    let digest =
        body.bytes().fold(7u64, |digest, byte| digest.wrapping_mul(31).wrapping_add(u64::from(byte)));
    Request { events, key: Some(key.to_owned()), digest, read: None }
}

/// Rows of a log: partition, offset, identity, number.
pub type Rows = Vec<(u32, u64, String, i64)>;

pub fn rows_of(log: &Log, slice: &Slice, batch_rows: usize) -> Rows {
    wanted_rows_of(log, slice, &Arc::default(), batch_rows)
}

/// As [`rows_of`], for a reader who drops rows that are not wanted.
pub fn wanted_rows_of(log: &Log, slice: &Slice, wanted: &Arc<WantedRows>, batch_rows: usize) -> Rows {
    let columns = [1, 2, position_column(&source())];
    let mut rows = Vec::new();
    let mut next = slice.from;
    for batch in log.read_wanted(slice, &columns, wanted, batch_rows).unwrap() {
        let batch = batch.unwrap();
        assert_eq!(batch.slice.from, next, "batches follow one another");
        next = batch.slice.to;
        let (ids, ns) =
            (batch.rows.column(0).as_string_view(), batch.rows.column(1).as_primitive::<Int64Type>());
        let places = batch.rows.column(2).as_primitive::<Decimal128Type>();
        for row in 0..batch.rows.num_rows() {
            let place = places.value(row);
            let (partition, offset) = ((place >> 96) as u32, (place >> 32) as u64);
            rows.push((partition, offset, ids.value(row).to_owned(), ns.value(row)));
        }
    }
    assert_eq!(next, slice.to, "batches cover the slice");
    rows
}

pub fn whole(log: &DurableLog) -> Log {
    let start = metricc_log::Frontier(vec![0; log.snapshot().end("events").0.len()]);
    log.snapshot().log("events", &start).unwrap()
}

/// All rows, read in several ways that have to agree.
pub fn all_rows(log: &DurableLog) -> Rows {
    let log = whole(log);
    let interval = Interval::new(log.start(), log.end()).unwrap();
    let mut all: Option<Rows> = None;
    for batch_rows in [1, 3, 8192] {
        let rows: Rows = interval.slices().flat_map(|slice| rows_of(&log, &slice, batch_rows)).collect();
        assert_eq!(*all.get_or_insert_with(|| rows.clone()), rows, "batches of {batch_rows}");
    }
    for slice in interval.slices() {
        let middle = slice.from + slice.n_positions() / 2;
        let mut cut = rows_of(&log, &Slice { to: middle, ..slice }, 2);
        cut.extend(rows_of(&log, &Slice { from: middle, ..slice }, 2));
        let rows: Rows = all.iter().flatten().filter(|row| row.0 == slice.partition).cloned().collect();
        assert_eq!(cut, rows, "cut at {middle}");
    }
    all.unwrap_or_default()
}

/// What was sent, and what was acknowledged of it.
#[derive(Debug, Default)]
pub struct Ledger {
    pub sent: HashMap<String, Vec<Record>>,
    pub receipts: HashMap<String, Receipt>,
}

impl Ledger {
    /// Sends a group of requests; notes what is acknowledged. Says whether all of it was.
    pub fn send(&mut self, log: &mut DurableLog, group: &[(&str, Vec<Record>)]) -> bool {
        let requests: Vec<Request> = group.iter().map(|(key, records)| request(key, records)).collect();
        let answers = log.append(&requests);
        assert_eq!(answers.len(), group.len());
        let mut all = true;
        for ((key, records), answer) in group.iter().zip(answers) {
            self.sent.insert((*key).to_owned(), records.clone());
            match answer {
                Ok(receipt) => self.note(key, receipt),
                Err(_) => all = false,
            }
        }
        all
    }

    fn note(&mut self, key: &str, receipt: Receipt) {
        if let Some(earlier) = self.receipts.get(key) {
            assert_eq!(earlier.accepted, receipt.accepted, "{key} is answered as it was");
            return;
        }
        self.receipts.insert(key.to_owned(), receipt);
    }

    /// The log has what was acknowledged, each once and where it was said to be, and nothing else but whole
    /// requests.
    pub fn check(&self, log: &DurableLog) {
        let mut placed: Vec<(&Slice, &Vec<Record>, &Receipt)> = self
            .receipts
            .iter()
            .map(|(key, receipt)| (&receipt.accepted.positions[0], &self.sent[key], receipt))
            .collect();
        placed.sort_by_key(|(slice, ..)| slice.from);
        let mut expected: Rows = Vec::new();
        let mut accepted: Vec<(u64, String, i64)> = Vec::new();
        let mut end = 0;
        for (slice, records, receipt) in placed {
            assert_eq!((slice.partition, slice.from), (0, end), "requests follow one another");
            let (mut n_broken, mut n_duplicates, mut n_conflicts) = (0, 0, 0);
            for record in records {
                match record {
                    Record::Broken => n_broken += 1,
                    Record::Event(id, n) => {
                        let is_known =
                            |known: &&(u64, String, i64)| known.1 == *id && end - known.0 <= WINDOW;
                        match accepted.iter().rev().find(is_known) {
                            Some((_, _, known)) => {
                                n_duplicates += 1;
                                n_conflicts += u64::from(known != n);
                            }
                            None => {
                                accepted.push((end, id.clone(), *n));
                                expected.push((0, end, id.clone(), *n));
                            }
                        }
                    }
                }
                end += 1;
            }
            assert_eq!(slice.to, end);
            let stated = &receipt.accepted;
            assert_eq!(
                (stated.n_quarantined, stated.n_duplicates, stated.n_conflicts),
                (n_broken, n_duplicates, n_conflicts)
            );
            assert_eq!(stated.n_accepted, records.len() as u64 - n_broken - n_duplicates);
        }
        assert_eq!(log.snapshot().end("events").0, [end], "nothing but what was acknowledged");
        assert_eq!(all_rows(log), expected);
    }
}

/// Writes the requests to files that are in none.
pub fn keep_requests(log: &mut DurableLog, disk: &SimDisk) -> Result<(), DurableError> {
    let disk: Arc<dyn Disk> = Arc::new(disk.clone());
    while log.snapshot().has_requests_to_write() {
        let written = log.snapshot().write_requests(&disk)?;
        log.commit_requests(&written)?;
    }
    Ok(())
}

/// Flushes everything that is not.
pub fn flush(log: &mut DurableLog, disk: &SimDisk) -> Result<(), DurableError> {
    let (from, to) = (log.snapshot().flushed_to("events"), log.snapshot().end("events"));
    let disk: Arc<dyn Disk> = Arc::new(disk.clone());
    let interval = Interval::new(from.clone(), to).unwrap();
    for slice in interval.slices() {
        let flush = log.snapshot().write_flush(&disk, "events", &slice)?;
        log.commit_flush(&flush)?;
    }
    Ok(())
}
