//! The client: the requests that it has sent, their receipts, and what every answer has to be.
//!
//! Written from the promises alone, with nothing but lists and maps: no engine, no monoid and no log is
//! asked. Of the log one thing is taken over, since it is a hash: to which partition an identity belongs.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock};

use metricc_durable_log::faulty_disk::{Dice, SimDisk};
use metricc_durable_log::{
    Accepted, DedupWindow, Disk, DurableError, DurableLog, DurableOptions, LogId, Receipt, Request,
};
use metricc_ir::Source;
use metricc_log::{EventDecoder, Frontier, Position, Slice};
use serde_json::{Value, json};

use super::{DECLARED, N_PARTITIONS, SHOPS, WINDOWS, sources};

/// Names that events may have; then the first come again.
const N_IDS: u64 = 256;

/// The partition of each name.
static HOMES: LazyLock<Vec<u32>> = LazyLock::new(|| {
    let disk: Arc<dyn Disk> = Arc::new(SimDisk::default());
    let fresh = LogId { id: 1, seed: 2 };
    let (mut log, _) =
        DurableLog::open(disk, DurableOptions::default(), &sources(WINDOWS[0]), fresh, 3).expect("a log");
    let decoder = EventDecoder::new(&DECLARED[0]).expect("a source that can be read");
    let sent = |id: u64| Sent::new(format!("h{id}"), vec![Record::event(id)]).request(&decoder);
    let requests: Vec<Request> = (0..N_IDS).map(sent).collect();
    let home = |answer: Result<Receipt, Arc<DurableError>>| {
        answer.expect("it is taken").accepted.positions[0].partition
    };
    log.append(&requests).into_iter().map(home).collect()
});

/// A record: the name of an event and what it says, or something that does not decode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Record {
    Event { id: u64, n: i64 },
    Broken,
}

impl Record {
    /// What is usually said under a name.
    fn event(id: u64) -> Self {
        Record::Event { id, n: id as i64 * 3 % 11 - 4 }
    }

    fn text(&self) -> String {
        match self {
            Record::Event { id, n } => {
                let (minute, shop) = (minute_of(*id), shop_of(*id));
                let bonus = stated_bonus(*id).map(|bonus| format!(",\"bonus\":{bonus}")).unwrap_or_default();
                format!(
                    "{{\"at\":\"2026-04-25T10:0{minute}:30Z\",\"id\":\"e{id}\",\"shop\":\"{shop}\",\"n\":{n}{bonus}}}\n"
                )
            }
            Record::Broken => "{\"id\": 5}\n".to_owned(),
        }
    }
}

fn shop_of(id: u64) -> &'static str {
    SHOPS[(id % 4) as usize]
}

fn minute_of(id: u64) -> u64 {
    id / 4 % 9
}

/// What events without a bonus have, and those that came in while it was not declared.
const NO_BONUS: i64 = 5;

fn stated_bonus(id: u64) -> Option<i64> {
    id.is_multiple_of(3).then_some(id as i64 % 7)
}

/// Whether the second declaration decodes what comes in.
pub(super) fn has_bonus(source: &Source) -> bool {
    *source == *DECLARED[1]
}

/// A request, as the client keeps it until it has an answer, and after.
#[derive(Debug, Clone)]
pub(super) struct Sent {
    key: String,
    records: Vec<Record>,
    /// Whether its events were decoded with their bonus when it was sent last.
    pub(super) with_bonus: bool,
}

impl Sent {
    fn new(key: String, records: Vec<Record>) -> Self {
        Sent { key, records, with_bonus: false }
    }

    pub(super) fn request(&self, decoder: &EventDecoder) -> Request {
        let body: String = self.records.iter().map(Record::text).collect();
        let events = decoder.ndjson(body.as_bytes());
        let digest = crate::digest(body.as_bytes());
        Request { events, key: Some(self.key.clone()), digest, read: None }
    }
}

/// An event that counts.
#[derive(Debug, Clone)]
struct Counted {
    /// The index of its request among those that were acknowledged.
    request: usize,
    position: Position,
    /// Its offset or event time, as the window is measured.
    dedup_position: i64,
    id: u64,
    n: i64,
    bonus: i64,
}

/// What the client knows.
#[derive(Debug, Clone)]
pub(super) struct Ledger {
    pub(super) window: DedupWindow,
    /// What was acknowledged, in the order of the log.
    told: Vec<(Sent, Accepted)>,
    /// What was sent, all in one write, and not answered.
    pub(super) waiting: Vec<Sent>,
    /// The start of the log, and the frontier after each request that was acknowledged.
    ends: Vec<Frontier>,
    counted: Vec<Counted>,
    quarantined: Vec<Position>,
    n_requests: u64,
    n_ids: u64,
}

impl Ledger {
    pub(super) fn new(window: DedupWindow) -> Self {
        Ledger {
            window,
            told: Vec::new(),
            waiting: Vec::new(),
            ends: vec![Frontier(vec![0; N_PARTITIONS as usize])],
            counted: Vec::new(),
            quarantined: Vec::new(),
            n_requests: 0,
            n_ids: 0,
        }
    }

    /// The frontier after all that was acknowledged.
    pub(super) fn end(&self) -> &Frontier {
        &self.ends[self.ends.len() - 1]
    }

    /// The start of the log, and the frontier after each request.
    pub(super) fn ends(&self) -> &[Frontier] {
        &self.ends
    }

    /// All that was acknowledged, to be sent again, and what it was answered with.
    pub(super) fn told(&self, decoder: &EventDecoder) -> (Vec<Request>, Vec<&Accepted>) {
        self.told.iter().map(|(sent, accepted)| (sent.request(decoder), accepted)).unzip()
    }

    /// A request that was acknowledged, and its answer.
    pub(super) fn pick(&self, dice: &mut Dice, decoder: &EventDecoder) -> Option<(Request, Accepted)> {
        let place = dice.below(self.told.len() as u64) as usize;
        self.told.get(place).map(|(sent, accepted)| (sent.request(decoder), accepted.clone()))
    }

    /// Records that decoded, duplicates included.
    pub(super) fn n_decoded(&self) -> u64 {
        self.end().n_positions() - self.quarantined.len() as u64
    }

    /// The offsets of a partition that hold no record that decoded.
    pub(super) fn quarantined(&self, partition: u32) -> Vec<u64> {
        let here = self.quarantined.iter().filter(|position| position.partition == partition);
        here.map(|position| position.offset).collect()
    }

    /// Makes up what is sent next: mostly one request, sometimes several.
    pub(super) fn draw(&mut self, dice: &mut Dice) {
        let n_requests = if dice.below(4) == 0 { 2 + dice.below(2) } else { 1 };
        for _ in 0..n_requests {
            let n_records = 1 + dice.below(5);
            let mut records = Vec::new();
            for _ in 0..n_records {
                records.push(self.record(dice));
            }
            let key = format!("r{}", self.n_requests);
            self.n_requests += 1;
            self.waiting.push(Sent::new(key, records));
        }
    }

    /// Mostly an event with a new name; or one with a name that was there, which says the same or something
    /// else.
    fn record(&mut self, dice: &mut Dice) -> Record {
        let n_back = if dice.below(2) == 0 { 8 } else { self.n_ids };
        let known = self.n_ids.saturating_sub(1 + dice.below(n_back)) % N_IDS;
        match (dice.below(10), Record::event(known)) {
            (0, _) => Record::Broken,
            (1 | 2, same) => same,
            (3, Record::Event { id, n }) => Record::Event { id, n: n + 100 },
            _ => {
                self.n_ids += 1;
                Record::event((self.n_ids - 1) % N_IDS)
            }
        }
    }

    /// Notes an answer, after making sure that it is the one that is due: the request follows the one before
    /// it, and each of its records is what it is.
    pub(super) fn note(&mut self, sent: Sent, receipt: &Receipt) {
        let start = self.end().clone();
        let mut turns = (0..N_PARTITIONS).map(|turn| places(&sent.records, turn, &start));
        let stated = &receipt.accepted.positions;
        let Some((positions, end)) = turns.find(|(_, end)| slices(&start, end) == *stated) else {
            panic!(
                "request {} with {:?}, after {start}, is said to be at {stated:?}",
                sent.key, sent.records
            );
        };
        let mut expected = Accepted { positions: stated.clone(), ..Accepted::default() };
        let mut exceptions = Vec::new();
        for (place, (record, position)) in (0u64..).zip(sent.records.iter().zip(positions)) {
            if !self.count((*record, sent.with_bonus), position, &mut expected) {
                exceptions.push((place, position));
            }
        }
        assert_eq!(receipt.accepted, expected, "request {} with {:?}", sent.key, sent.records);
        if !receipt.is_repeated {
            let stated = receipt.exceptions.iter().map(|exception| (exception.record, exception.position));
            assert_eq!(
                stated.collect::<Vec<_>>(),
                exceptions,
                "request {} with {:?}",
                sent.key,
                sent.records
            );
        }
        self.ends.push(end);
        self.told.push((sent, expected));
    }

    /// What becomes of a record; whether it is an event that counts.
    fn count(
        &mut self,
        (record, with_bonus): (Record, bool),
        position: Position,
        accepted: &mut Accepted,
    ) -> bool {
        let Record::Event { id, n } = record else {
            self.quarantined.push(position);
            accepted.n_quarantined += 1;
            return false;
        };
        let (dedup_position, length) = match self.window {
            DedupWindow::Positions(length) => (position.offset as i64, length),
            DedupWindow::EventTime { micros } => (minute_of(id) as i64 * 60_000_000, micros),
        };
        let here = self.counted.iter().filter(|known| known.position.partition == position.partition);
        let newest = here.fold(dedup_position, |newest, known| newest.max(known.dedup_position));
        let counts = |known: &&Counted| known.id == id && known.dedup_position >= newest - length as i64;
        let bonus = stated_bonus(id).filter(|_| with_bonus).unwrap_or(NO_BONUS);
        match self.counted.iter().filter(counts).max_by_key(|known| known.dedup_position) {
            Some(known) => {
                let is_other = known.n != n || with_bonus && known.bonus != bonus;
                accepted.n_duplicates += 1;
                accepted.n_conflicts += u64::from(is_other);
                false
            }
            None => {
                let request = self.told.len();
                self.counted.push(Counted { request, position, dedup_position, id, n, bonus });
                accepted.n_accepted += 1;
                true
            }
        }
    }

    /// The rows of a metric over the first requests.
    pub(super) fn rows(&self, metric: &str, n_requests: usize) -> Vec<Value> {
        let counted: Vec<&Counted> = self.counted.iter().filter(|event| event.request < n_requests).collect();
        let mut rows = match metric {
            "seen" => vec![row(metric, &json!({}), &Value::Null, &json!(counted.len()))],
            "by_shop" => by_shop(&counted),
            "bonuses" => bonuses(&counted),
            _ => per_minute(&counted),
        };
        rows.sort_by_cached_key(ToString::to_string);
        rows
    }
}

/// The positions of the records of a request, if those that do not decode go to partition `turn`; and the
/// frontier after them.
fn places(records: &[Record], turn: u32, start: &Frontier) -> (Vec<Position>, Frontier) {
    let mut end = start.clone();
    let mut positions = Vec::with_capacity(records.len());
    for record in records {
        let partition = match record {
            Record::Event { id, .. } => HOMES[*id as usize],
            Record::Broken => turn,
        };
        let next = &mut end.0[partition as usize];
        positions.push(Position { partition, offset: *next });
        *next += 1;
    }
    (positions, end)
}

fn slices(start: &Frontier, end: &Frontier) -> Vec<Slice> {
    let bounds = (0u32..).zip(start.0.iter().copied().zip(end.0.iter().copied()));
    let slices = bounds.map(|(partition, (from, to))| Slice { partition, from, to });
    slices.filter(|slice| slice.from < slice.to).collect()
}

fn row(metric: &str, key: &Value, window: &Value, value: &Value) -> Value {
    json!({ "metric": metric, "key": key, "window": window, "value": value })
}

/// Of each shop the sum, and what the latest event says; of those at one instant, the one that stands last in
/// the log.
fn by_shop(counted: &[&Counted]) -> Vec<Value> {
    let mut shops: BTreeMap<&str, (i64, (u64, Position), i64)> = BTreeMap::new();
    for event in counted {
        let at = (minute_of(event.id), event.position);
        let (total, latest, newest) = shops.entry(shop_of(event.id)).or_insert((0, at, event.n));
        *total += event.n;
        if at > *latest {
            (*latest, *newest) = (at, event.n);
        }
    }
    let presented = |(shop, (total, _, newest)): (&str, (i64, (u64, Position), i64))| {
        row("by_shop", &json!({ "shop": shop }), &Value::Null, &json!({ "total": total, "newest": newest }))
    };
    shops.into_iter().map(presented).collect()
}

/// Of each shop the sum of its bonuses.
fn bonuses(counted: &[&Counted]) -> Vec<Value> {
    let mut shops: BTreeMap<&str, i64> = BTreeMap::new();
    counted.iter().for_each(|event| *shops.entry(shop_of(event.id)).or_default() += event.bonus);
    let row = |(shop, total)| row("bonuses", &json!({ "shop": shop }), &Value::Null, &json!(total));
    shops.into_iter().map(row).collect()
}

/// Of each shop and minute the number of events, and of names.
fn per_minute(counted: &[&Counted]) -> Vec<Value> {
    let mut minutes: BTreeMap<(&str, u64), (u64, BTreeSet<u64>)> = BTreeMap::new();
    for event in counted {
        let (many, ids) = minutes.entry((shop_of(event.id), minute_of(event.id))).or_default();
        *many += 1;
        ids.insert(event.id);
    }
    let instant = |minute: u64| format!("2026-04-25T10:{minute:02}:00Z");
    let presented = |((shop, minute), (many, ids)): ((&str, u64), (u64, BTreeSet<u64>))| {
        let window = json!({ "start": instant(minute), "end": instant(minute + 1) });
        let value = json!({ "many": many, "ids": ids.len() });
        row("per_minute", &json!({ "shop": shop }), &window, &value)
    };
    minutes.into_iter().map(presented).collect()
}
