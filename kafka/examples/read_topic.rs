//! Reads a topic as a log, and says how fast: `read_topic kafka://HOST:PORT/TOPIC [THREADS]`. Its records are
//! `{"at": …, "id": …, …}`; other fields are not read. With `--fill N`, writes so many records of 200 bytes
//! first.

#![allow(clippy::print_stderr, reason = "a program that says something")]

use std::error::Error;
use std::sync::Arc;
use std::time::Instant;

use krafka::admin::{CreateTopicsOptions, NewTopic};
use krafka::{Compression, Kafka, Record};
use metricc_ir::{Field, Kind, Slice, Source, Type};
use metricc_kafka::{Bounds, RecordOptions, Security, TopicAddress};
use metricc_log::{Interval, LogError};

const N_PARTITIONS: i32 = 4;

fn event(n: usize) -> String {
    let start = format!(
        "{{\"at\":\"2026-04-25T10:{:02}:{:02}.{:03}Z\",\"id\":{n},\"country\":\"DE\",\"amount\":\"{}.50\",\"note\":\"",
        n / 60_000 % 60,
        n / 1000 % 60,
        n % 1000,
        n % 1000
    );
    format!("{start}{}\"}}", "x".repeat(198 - start.len()))
}

/// Writes records to a new topic.
fn fill(address: &TopicAddress, n_records: usize) -> Result<(), Box<dyn Error>> {
    tokio::runtime::Runtime::new()?.block_on(async {
        let kafka = Kafka::builder(address.brokers.join(",")).connect().await?;
        let topic = NewTopic::new(&address.topic, N_PARTITIONS, 1)?;
        for created in
            kafka.admin().create_topics([topic], CreateTopicsOptions::default()).await?.into_values()
        {
            created?;
        }
        let producer = kafka.producer().compression(Compression::Lz4).build().await?;
        let mut last = None;
        for n in 0..n_records {
            let partition = i32::try_from(n / 100).unwrap_or(0) % N_PARTITIONS;
            last = Some(producer.enqueue(Record::new(&*address.topic, event(n)).partition(partition)).await?);
        }
        if let Some(last) = last {
            let _ = last.await?;
        }
        producer.close().await?;
        Ok(())
    })
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    let fill_at = arguments.iter().position(|argument| argument == "--fill");
    let n_records =
        fill_at.map(|at| arguments.drain(at..).nth(1).unwrap_or_default().parse::<usize>()).transpose()?;
    let address: TopicAddress = arguments.first().ok_or("name a topic")?.parse()?;
    let n_threads = arguments.get(1).map_or(Ok(2), |threads| threads.parse())?;
    n_records.map(|n_records| fill(&address, n_records)).transpose()?;

    let fields = vec![
        Field::new("at", Type::of(Kind::Timestamp)),
        Field::new("id", Type::of(Kind::Int)),
        Field::new("country", Type::optional(Kind::String)),
        Field::new("amount", Type::of(Kind::Decimal { precision: 10, scale: 2 })),
    ];
    let source = Source { name: "events".into(), doc: String::new(), fields, time: 0, identity: Vec::new() };
    let (security, options, start) = (Security::default(), RecordOptions::default(), Instant::now());
    let log =
        metricc_kafka::open(&Arc::new(source), address, security, &options, Bounds::default(), &|_| {})?;
    let opened = start.elapsed();
    let slices = log.slices(&Interval::new(log.start(), log.end())?, n_threads);
    let read = |share: Vec<Slice>| {
        let mut n_rows = 0;
        for slice in share {
            for batch in log.read(&slice, &[0, 1, 2, 3], 8192)? {
                n_rows += batch?.rows.num_rows();
            }
        }
        Ok::<_, LogError>(n_rows)
    };
    let n_rows = std::thread::scope(|scope| {
        let threads: Vec<_> = slices.into_iter().map(|share| scope.spawn(move || read(share))).collect();
        let read = threads.into_iter().filter_map(|thread| thread.join().ok());
        read.sum::<Result<usize, LogError>>()
    })?;
    let seconds = (start.elapsed() - opened).as_secs_f64();
    eprintln!(
        "{n_rows} events in {seconds:.2} s with {n_threads} threads: {:.0} events/s; opened in {} ms",
        n_rows as f64 / seconds,
        opened.as_millis()
    );
    Ok(())
}
