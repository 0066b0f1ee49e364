//! F1: a node is killed again and again while clients write and read; nothing acknowledged is lost, doubled
//! or halved, and every answer is what its frontier says.
//!
//! `METRICC_KILL_SECONDS=120` is how long it goes on, `METRICC_KILL_SEED` repeats what is sent and when the
//! node is killed, as far as the machine does.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use super::{Home, Node};

const PACKAGE: &str = "
source events { at: timestamp time  id: string key  shop: string  n: int }
metric seen = count() { from events }
metric by_shop = sum(n) { from events by shop }
metric per_minute = { total: sum(n), ids: distinct(id) } { from events every 1m }
";

const CONFIG: &str = "[batch]\nevery = \"50ms\"\n[ingest]\nseal_events = 300\n[speed]\nrefresh = \"10ms\"\n\
                      [sources.events]\npartitions = 2\n";

const N_CLIENTS: u64 = 3;

/// SplitMix64.
fn mixed(seed: u64) -> u64 {
    let mut mixed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// The numbers of the events of a request; `None` for a record that does not decode. Some events were in an
/// earlier request of the client. What an event says follows from its number.
fn events_of(client: u64, request: u64) -> Vec<Option<u64>> {
    let number = |request: u64, place: u64| (client * 1_000_000 + request) * 10 + place;
    let chance = mixed(client * 7919 + request);
    (0..1 + chance % 8)
        .map(|place| match mixed(chance ^ place) % 10 {
            0 => None,
            1 | 2 if request > 3 => Some(number(request - 1 - chance % 3, place)),
            _ => Some(number(request, place)),
        })
        .collect()
}

fn n_of(event: u64) -> i64 {
    (event % 97) as i64 - 40
}

fn shop_of(event: u64) -> String {
    format!("shop {}", event % 5)
}

fn body(client: u64, request: u64) -> String {
    let line = |event: &Option<u64>| match event {
        None => "{\"id\": 5}\n".to_owned(),
        Some(event) => {
            let (minute, shop, n) = (event / 10 % 60, shop_of(*event), n_of(*event));
            format!(
                "{{\"at\":\"2026-04-25T10:{minute:02}:00Z\",\"id\":\"e{event}\",\"shop\":\"{shop}\",\"n\":{n}}}\n"
            )
        }
    };
    events_of(client, request).iter().map(line).collect()
}

/// Partition, first offset, end.
type Slice = (usize, u64, u64);

/// What the clients know.
#[derive(Debug, Default)]
struct Known {
    /// The positions of each request that was acknowledged.
    acknowledged: BTreeMap<(u64, u64), Vec<Slice>>,
    /// Requests that were in the log and got no answer before the node was killed.
    n_unanswered: u64,
    /// The frontiers of answers, and the rows of `seen` and `by_shop`.
    answers: BTreeMap<Vec<u64>, [Value; 2]>,
    n_answers: u64,
    n_past: u64,
}

struct Loop {
    home: Home,
    known: Mutex<Known>,
}

fn slices(receipt: &Value) -> Vec<Slice> {
    let slice = |slice: &Value| {
        let number = |name: &str| slice[name].as_u64().expect("a number");
        (number("partition") as usize, number("from"), number("to"))
    };
    receipt["positions"].as_array().expect("positions").iter().map(slice).collect()
}

impl Loop {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().expect("no client has failed")
    }

    /// Sends a request; whether it was acknowledged.
    fn send(&self, node: &Node, client: u64, request: u64) -> bool {
        let Some(answer) = node.post(&format!("c{client}-{request}"), &body(client, request)) else {
            return false;
        };
        if answer.status != 200 {
            assert!([429, 503, 507].contains(&answer.status), "{}", answer.body);
            return false;
        }
        let receipt = answer.json();
        let positions = slices(&receipt);
        let mut known = self.known();
        let is_new = !known.acknowledged.contains_key(&(client, request));
        known.n_unanswered += u64::from(is_new && receipt["repeated"] == true);
        let before = known.acknowledged.entry((client, request)).or_insert_with(|| positions.clone());
        assert_eq!(*before, positions, "request {request} of client {client} keeps its positions");
        true
    }

    /// The first request of a client that is not acknowledged.
    fn next(&self, client: u64) -> u64 {
        let known = self.known();
        known
            .acknowledged
            .range((client, 0)..(client + 1, 0))
            .next_back()
            .map_or(0, |((_, last), _)| last + 1)
    }

    /// Reads two metrics at one frontier, which is not before the last one.
    fn read(&self, node: &Node, least: &mut Vec<u64>) {
        let Ok(answer) = node.send("GET", "/v1/read?metric=seen&metric=by_shop", &[], b"") else { return };
        if answer.status == 503 {
            return;
        }
        assert_eq!(answer.status, 200, "{}", answer.body);
        let answer = answer.json();
        let [seen, by_shop] = [0, 1].map(|index| answer["answers"][index].clone());
        assert_eq!(seen["frontier"], by_shop["frontier"]);
        let frontier: Vec<u64> = serde_json::from_value(seen["frontier"].clone()).expect("offsets");
        let is_back = least.iter().zip(&frontier).any(|(least, now)| now < least);
        assert!(!is_back, "the frontier went back from {least:?} to {frontier:?}");
        least.clone_from(&frontier);
        let rows = [seen["rows"].clone(), by_shop["rows"].clone()];
        let mut known = self.known();
        known.n_answers += 1;
        let before = known.answers.entry(frontier.clone()).or_insert_with(|| rows.clone());
        assert_eq!(*before, rows, "two answers at {frontier:?}");
    }

    /// Reads again what was answered at an earlier frontier.
    fn read_past(&self, node: &Node, chance: u64) {
        let (frontier, rows) = {
            let known = self.known();
            let place = (chance % known.answers.len().max(1) as u64) as usize;
            let Some((frontier, [_, rows])) = known.answers.iter().nth(place) else { return };
            (frontier.iter().map(u64::to_string).collect::<Vec<_>>().join(","), rows.clone())
        };
        let Ok(answer) = node.send("GET", &format!("/v1/metrics/by_shop?at={frontier}"), &[], b"") else {
            return;
        };
        if answer.status == 200 {
            assert_eq!(answer.json()["rows"], rows, "at {frontier}");
            self.known().n_past += 1;
        } else {
            assert_eq!(answer.status, 503, "{}", answer.body);
        }
    }

    /// A life of the node, until it is killed.
    fn live(&self, chance: u64, least: &mut Vec<u64>) {
        let node = self.home.ready();
        let is_over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            for client in 0..N_CLIENTS {
                let (node, is_over) = (&node, &is_over);
                scope.spawn(move || {
                    let mut request = self.next(client);
                    // Some that were acknowledged come again.
                    request = request.saturating_sub(chance % 3);
                    while !is_over.load(Ordering::Relaxed) {
                        request += u64::from(self.send(node, client, request));
                    }
                });
            }
            let until = Instant::now() + Duration::from_millis(20 + chance % 400);
            self.read(&node, least);
            self.read_past(&node, mixed(chance));
            while Instant::now() < until {
                std::thread::sleep(Duration::from_millis(5));
                self.read(&node, least);
            }
            let pid = node.process.id().to_string();
            std::process::Command::new("kill").args(["-KILL", &pid]).status().expect("kill");
            is_over.store(true, Ordering::Relaxed);
        });
    }

    /// Starts the node and kills it while it starts.
    fn kill_at_start(&self, chance: u64) {
        let mut process = self.home.command().stderr(Stdio::null()).spawn().expect("the node starts");
        std::thread::sleep(Duration::from_millis(chance % 150));
        process.kill().expect("kill");
        process.wait().expect("it ends");
    }

    /// Sends what was not acknowledged, and compares everything with what was.
    fn finish(&self) {
        let node = self.home.ready();
        for client in 0..N_CLIENTS {
            let next = self.next(client);
            (0..=next).for_each(|request| assert!(self.send(&node, client, request), "request {request}"));
        }
        node.catch_up();
        self.read(&node, &mut Vec::new());
        let known = self.known();
        for (frontier, [seen, by_shop]) in &known.answers {
            let expected = known.expected(frontier);
            let value = |row: &Value| {
                (row["key"]["shop"].as_str().unwrap_or_default().to_owned(), row["value"].clone())
            };
            assert_eq!(seen[0]["value"], json!(expected.0), "`seen` at {frontier:?}");
            let rows: BTreeMap<String, Value> = by_shop.as_array().expect("rows").iter().map(value).collect();
            assert_eq!(rows, expected.1, "`by_shop` at {frontier:?}");
        }
        let file = self.home.path().join("all.ndjson");
        let all = known.acknowledged.keys().map(|(client, request)| body(*client, *request));
        std::fs::write(&file, all.collect::<String>()).expect("a file");
        let served = ["seen", "by_shop", "per_minute"].iter().flat_map(|metric| node.rows(metric).0);
        assert_eq!(served.collect::<Vec<_>>(), self.home.run(&[file]), "and the same as `metricc run`");
        let (code, said, noted) = node.run(&["audit", "--full"]);
        assert_eq!(code, Some(0), "{said}{noted}");
    }
}

impl Known {
    /// The number of events, and the sum of each shop, in the requests before a frontier, none of which is
    /// cut by it.
    fn expected(&self, frontier: &[u64]) -> (usize, BTreeMap<String, Value>) {
        let mut events: BTreeSet<u64> = BTreeSet::new();
        for ((client, request), slices) in &self.acknowledged {
            let is_in = |(partition, _, to): &Slice| *to <= frontier[*partition];
            let n_in = slices.iter().filter(|slice| is_in(slice)).count();
            assert!(
                n_in == 0 || n_in == slices.len(),
                "request {request} of {client} is cut by {frontier:?}"
            );
            let is_cut =
                slices.iter().any(|(partition, from, to)| (*from + 1..*to).contains(&frontier[*partition]));
            assert!(!is_cut, "request {request} of {client} is cut by {frontier:?}");
            if n_in > 0 {
                events.extend(events_of(*client, *request).into_iter().flatten());
            }
        }
        let mut sums: BTreeMap<String, i64> = BTreeMap::new();
        events.iter().for_each(|event| *sums.entry(shop_of(*event)).or_default() += n_of(*event));
        (events.len(), sums.into_iter().map(|(shop, sum)| (shop, json!(sum))).collect())
    }
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

#[test]
fn f1_a_kill_loop_loses_doubles_and_halves_nothing() {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    let seed = number("METRICC_KILL_SEED").unwrap_or(now.subsec_nanos().into());
    let seconds = number("METRICC_KILL_SECONDS").unwrap_or(20);
    println!("METRICC_KILL_SEED={seed} METRICC_KILL_SECONDS={seconds}");
    let kill_loop = Loop { home: Home::new(PACKAGE, CONFIG), known: Mutex::default() };
    let (started, mut least, mut n_kills, mut n_at_start) = (Instant::now(), Vec::new(), 0u64, 0u64);
    while started.elapsed() < Duration::from_secs(seconds) {
        let chance = mixed(seed.wrapping_add(n_kills));
        if chance.is_multiple_of(4) {
            kill_loop.kill_at_start(mixed(chance));
            n_at_start += 1;
        } else {
            kill_loop.live(mixed(chance), &mut least);
        }
        n_kills += 1;
    }
    kill_loop.finish();
    let known = kill_loop.known();
    let n_acknowledged = known.acknowledged.len();
    let n_records: usize =
        known.acknowledged.keys().map(|(client, request)| events_of(*client, *request).len()).sum();
    let Known { n_unanswered, n_answers, n_past, .. } = &*known;
    println!(
        "kill loop: {n_kills} kills, {n_at_start} of them at the start; {n_acknowledged} requests with {n_records} \
         records acknowledged, {n_unanswered} of them after they were sent again; {n_answers} answers at {} \
         frontiers recomputed, {n_past} of the past read again; 0 violations",
        known.answers.len()
    );
    assert!(n_kills > 2 && n_acknowledged > 10 && *n_answers > 10);
}
