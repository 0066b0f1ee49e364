//! Whatever offsets a log of a topic is cut at, it has the same rows, and none of a transaction that was
//! aborted.

use krafka::{Compression, Record};
use metricc_ir::{Frontier, Slice};
use metricc_log::{Binding, Interval, Log, ReadStats};

use crate::server::{Server, batches, event, numbers, record, rows, source, whole};

const TOPIC: &str = "events";

/// Two partitions with records in all codecs, two transactions, a tombstone and a record that does not
/// decode. Returns the numbers of the events in the log, in its order.
fn fill(server: &Server) -> Vec<i64> {
    server.create(TOPIC, 3);
    let codecs =
        [Compression::None, Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd];
    let (mut first, mut second) = (Vec::new(), Vec::new());
    for (n, codec) in (0i64..).step_by(10).zip(codecs) {
        server.produce(codec, (n..n + 4).map(|n| record(TOPIC, 0, &event(n))).collect());
        first.extend(n..n + 4);
    }
    server.transaction(vec![record(TOPIC, 0, &event(1000)), record(TOPIC, 1, &event(1001))], false);
    server.transaction(vec![record(TOPIC, 0, &event(100)), record(TOPIC, 1, &event(101))], true);
    let tombstone = Record::tombstone(TOPIC, "key").partition(1);
    server.produce(Compression::None, vec![tombstone, record(TOPIC, 1, "{\"at\":7}")]);
    server.produce(Compression::Zstd, vec![record(TOPIC, 1, &event(102)), record(TOPIC, 1, &event(3))]);
    // The last offsets have no record that is read.
    server.transaction(vec![record(TOPIC, 1, &event(1002))], false);
    first.push(100);
    second.extend([101, 102, 3]);
    [first, second].concat()
}

fn stats(batches: &[metricc_log::Batch]) -> ReadStats {
    batches.iter().fold(ReadStats::default(), |mut all, batch| {
        all.merge(batch.read_stats.clone());
        all
    })
}

#[test]
fn the_rows_are_the_same_whatever_offsets_the_log_is_cut_at() {
    for server in Server::all() {
        let wanted = fill(&server);
        let log = server.open(&source(false), TOPIC);
        let end = log.end();
        assert_eq!((end.0.len(), end.0[2]), (3, 0), "the third partition is empty");
        assert!(
            end.n_positions() > wanted.len() as u64 + 4,
            "{end}: markers and aborted records have offsets"
        );
        let all = batches(&log, whole(&log).slices(), 1000);
        assert_eq!(numbers(&all), wanted);
        let counted = stats(&all);
        let counts = (counted.n_records, counted.n_quarantined, counted.n_tombstones, counted.n_duplicates);
        assert_eq!(counts, (wanted.len() as u64 + 1, 1, 1, 0));
        let rejected = counted.quarantined[0].to_string();
        assert!(rejected.starts_with("topic events, partition 1, offset "), "{rejected}");
        let rejected = counted.rejections.groups()[0].to_string();
        assert!(rejected.contains("(topic events, partition 1, offset "), "{rejected}");

        let wanted = rows(&all);
        for (partition, &end) in (0u32..).zip(&end.0) {
            for cut in 0..=end {
                let slice = |from, to| Slice { partition, from, to };
                let interval = whole(&log);
                let others = interval.slices().filter(|slice| slice.partition != partition);
                let mut slices: Vec<Slice> = others.chain([slice(0, cut), slice(cut, end)]).collect();
                slices.sort_by_key(|slice| (slice.partition, slice.from));
                let parts = batches(&log, slices, 1 + cut as usize % 3);
                assert_eq!(rows(&parts), wanted, "{}: cut of partition {partition} at {cut}", server.brokers);
                let mut counted = stats(&parts);
                counted.fields.clone_from(&stats(&all).fields);
                assert_eq!(counted, stats(&all), "{}: cut of partition {partition} at {cut}", server.brokers);
            }
        }
    }
}

#[test]
fn what_compaction_has_removed_is_a_gap() {
    let server = Server::fake();
    server.create(TOPIC, 1);
    for n in (0..20).step_by(4) {
        server.produce(Compression::Lz4, (n..n + 4).map(|n| record(TOPIC, 0, &event(n))).collect());
    }
    let broker = server.fake.as_ref().expect("the broker of this process");
    let mut n_batches = 0;
    broker.with_state(|state| {
        let partition = state.partition_mut(TOPIC, 0).expect("the partition");
        partition.log.retain(|_| {
            n_batches += 1;
            n_batches % 2 == 1
        });
    });
    // Each event has its offset as number.
    let left = broker.all_records(TOPIC).expect("records");
    let wanted: Vec<i64> = left.iter().map(|record| record.offset).collect();
    assert!(!wanted.is_empty() && wanted.len() < 20);
    let log = server.open(&source(false), TOPIC);
    assert_eq!((log.start(), log.end()), (Frontier(vec![0]), Frontier(vec![20])));
    for cut in 0..=20 {
        let slices = [(0, cut), (cut, 20)].map(|(from, to)| Slice { partition: 0, from, to });
        let found = batches(&log, slices, 3);
        assert_eq!(numbers(&found), wanted, "cut at {cut}");
        let counted = stats(&found);
        assert_eq!((counted.n_records, counted.n_quarantined), (wanted.len() as u64, 0), "cut at {cut}");
    }
}

#[test]
fn a_log_with_a_key_has_the_rows_of_a_file_with_its_records() {
    for server in Server::all() {
        let numbers_in_log = fill(&server);
        let log = server.open(&source(true), TOPIC);
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.ndjson");
        let lines: String = numbers_in_log.iter().map(|n| event(*n) + "\n").collect();
        std::fs::write(&path, lines).expect("a file");
        let file = Log::open(&source(true), &Binding::new(path.to_string_lossy())).expect("a log");
        let (found, wanted) =
            (batches(&log, whole(&log).slices(), 5), batches(&file, whole(&file).slices(), 5));
        assert_eq!(numbers(&found), numbers(&wanted));
        // 3 comes twice.
        assert_eq!((stats(&found).n_duplicates, stats(&wanted).n_duplicates), (1, 1));
        let half = log.frontier_at(log.n_positions() / 2);
        let [before, after] = [(log.start(), half.clone()), (half, log.end())]
            .map(|(from, to)| batches(&log, Interval::new(from, to).expect("an interval").slices(), 5));
        let mut parts = [numbers(&before), numbers(&after)].concat();
        let mut wanted = numbers(&found);
        parts.sort_unstable();
        wanted.sort_unstable();
        assert_eq!(parts, wanted);
    }
}

#[test]
fn what_a_transaction_has_not_committed_is_not_part_of_the_log() {
    for server in Server::all() {
        server.create(TOPIC, 1);
        server.produce(Compression::None, vec![record(TOPIC, 0, &event(1))]);
        let kafka = server.kafka();
        server.runtime.block_on(async {
            let producer = kafka.producer().build_transactional("open").await.expect("a producer");
            producer.begin().expect("a transaction");
            let _ = producer.send(record(TOPIC, 0, &event(2))).await.expect("it is written");
            let (topic, runtime_free) = (server.address(TOPIC), source(false));
            let opened = tokio::task::spawn_blocking(move || {
                let (security, options) = (Default::default(), Default::default());
                metricc_kafka::open(&runtime_free, topic, security, &options, Default::default(), &|_| {})
            });
            let log = opened.await.expect("a thread").expect("a log");
            assert_eq!(log.end(), Frontier(vec![1]));
            producer.commit().await.expect("it is committed");
            producer.close().await.expect("it is closed");
        });
        assert_eq!(server.open(&source(false), TOPIC).end(), Frontier(vec![3]));
    }
}
