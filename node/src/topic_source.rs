//! A topic of Kafka whose records become events of a source.
//!
//! What is read of a partition is appended with the offset up to which that is, in one frame of the journal.
//! So the log alone knows where to go on: a node that is killed has both or none, and whatever the broker
//! forgets or repeats, no record is lost or counted twice. What is committed to the broker for a group is for
//! those who watch its lag, and is never read.
//!
//! Partitions of the topic and of the log are different things: the log's follow the keys of events, so that
//! duplicates are found, and the offsets of all partitions of the topic are noted beside them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use metricc_durable_log::{DurableError, InputRead, Request};
use metricc_kafka::{
    ClientCertificate, FollowedPart, GroupCommits, KafkaError, Mechanism, Record, RecordOptions,
    RecordSettings, RecordTexts, RegistryAddress, Sasl, Security, TextReader, Tls, Topic, TopicAddress,
};
use metricc_log::{EventDecoder, Events, LogError, RawRecord, RecordDecoder};
use tokio::runtime::Handle;

use crate::config::KafkaConfig;
use crate::intake_report::Intake;
use crate::source::NodeSource;
use crate::topic_status::TopicPartitionStatus;
use crate::writer::{Ingest, IngestError};

/// How long to wait before something that has failed is tried again.
const PAUSE: Duration = Duration::from_millis(500);
/// Time between two looks at the topic: its ends, its partitions, and whether it is the same.
const LOOK: Duration = Duration::from_secs(2);
/// How long to wait for records before looking whether the node is shutting down.
const TURN: Duration = Duration::from_millis(100);
/// The most records of a request.
const MAX_RECORDS: usize = 16_384;

/// A topic that is read for a source.
pub(crate) struct TopicSource {
    pub(crate) address: TopicAddress,
    pub(crate) security: Security,
    pub(crate) options: RecordOptions,
    pub(crate) skip_lost: bool,
    pub(crate) commit_group: Option<String>,
    /// Whether the last attempt to commit has failed.
    pub(crate) commits_fail: AtomicBool,
    pub(crate) source: Arc<NodeSource>,
    pub(crate) ingest: Ingest,
    pub(crate) runtime: Handle,
}

/// How records become events, as the source is declared.
struct Decoding {
    texts: RecordTexts,
    decoder: EventDecoder,
}

/// Why reading has ended.
enum Stop {
    /// The source is declared otherwise by now: what is not in the log has to be read again.
    Redeclared,
    /// The node is shutting down.
    Closing,
    /// It may go on later, or otherwise.
    Pause(String),
    /// It must not go on by itself.
    Halt(String),
}

impl From<KafkaError> for Stop {
    fn from(error: KafkaError) -> Self {
        let message = match error.help() {
            Some(help) => format!("{error}; {help}"),
            None => error.to_string(),
        };
        match error {
            KafkaError::Replaced { .. } | KafkaError::Setting { .. } => Stop::Halt(message),
            _ => Stop::Pause(message),
        }
    }
}

/// The connection that a configuration describes.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn connection(config: &KafkaConfig) -> Result<(TopicAddress, Security), String> {
    let address = format!("kafka://{}/{}", config.brokers.join(","), config.topic).parse()?;
    let sasl = match (&config.user, &config.password) {
        (Some(user), Some(password)) => Some(Sasl {
            mechanism: config.mechanism.parse::<Mechanism>()?,
            user: user.clone(),
            password: password.read_secret().map_err(|problem| format!("`password` {problem}"))?,
        }),
        _ => None,
    };
    let files = config.client_cert.clone().zip(config.client_key.clone());
    let client = files.map(|(certificate, key)| ClientCertificate { certificate, key });
    let tls = config.tls.then(|| Tls { ca: config.ca.clone(), client });
    Ok((address, Security { tls, sasl }))
}

/// What the records of a topic are.
///
/// # Errors
/// What is wrong with the configuration.
pub(crate) fn record_options(config: &KafkaConfig) -> Result<RecordOptions, String> {
    let auth = config.registry_auth.as_ref().map(|auth| auth.read_secret()).transpose();
    let auth = auth.map_err(|problem| format!("`registry_auth` {problem}"))?;
    let settings = RecordSettings {
        format: config.format.clone(),
        delimiter: config.delimiter.clone(),
        columns: config.columns.clone(),
        schema: config.schema.clone(),
        message: config.message.clone(),
        registry: config.registry.clone().map(|url| RegistryAddress { url, auth }),
    };
    settings.options()
}

/// How the records of a topic become texts.
///
/// # Errors
/// [`LogError`] if the source cannot be read from them.
pub(crate) fn texts(
    decoder: &EventDecoder,
    options: &RecordOptions,
    address: &TopicAddress,
) -> Result<RecordTexts, LogError> {
    RecordTexts::of_node(&*RecordDecoder::new(decoder.source())?, options, &address.to_string())
}

impl TopicSource {
    /// Runs until the node is shutting down.
    pub(crate) fn run(self) {
        let name = self.source.name();
        self.source.topic_changed(|status| status.topic = self.address.to_string());
        while !self.source.is_stopping() {
            match self.read() {
                Ok(()) | Err(Stop::Redeclared) => {}
                Err(Stop::Closing) => return,
                Err(Stop::Pause(problem)) => {
                    if self.source.topic_problem(&problem, false) {
                        tracing::warn!(source = name, problem, "the topic is not read, and is tried again");
                    }
                    self.wait(PAUSE);
                }
                Err(Stop::Halt(problem)) => {
                    self.source.topic_problem(&problem, true);
                    tracing::error!(
                        source = name,
                        problem,
                        "the topic is not read until the node is started again"
                    );
                    return;
                }
            }
        }
    }

    /// Reads until something has to be opened again.
    fn read(&self) -> Result<(), Stop> {
        let decoding = self.decoding()?;
        let topic = Topic::open(self.address.clone(), self.security.clone())?;
        let mut known = self.known(&topic)?;
        let ends = topic.ends()?;
        let mut from = Vec::with_capacity(ends.len());
        for ((partition, known), ends) in (0u32..).zip(&known).zip(&ends) {
            from.push(match known {
                Some(known) if *known < ends.first => self.after_loss(partition, *known, ends.first)?,
                Some(known) => *known,
                None => ends.first,
            });
        }
        self.show(&topic, &from, true)?;
        let mut follow = topic.follow(from.clone());
        let mut commits = self.commit_group.as_deref().map(|group| topic.commits(group));
        let mut looked = Instant::now();
        while !self.source.is_stopping() {
            if let Some(followed) = follow.next_within(TURN)? {
                // After the records were fetched, and before they are kept: they are of this topic then.
                topic.check()?;
                for part in &followed.parts {
                    from[part.partition as usize] = part.next;
                }
                self.take(&topic, &decoding, &followed.parts, &mut known)?;
                self.show(&topic, &from, false)?;
            }
            if looked.elapsed() >= LOOK {
                looked = Instant::now();
                self.show(&topic, &from, true)?;
                commits.iter_mut().for_each(|commits| self.commit(commits, &known));
                if topic.check()? != topic.n_partitions() {
                    let source = self.source.name();
                    tracing::info!(source, "the topic has other partitions than before, and is opened again");
                    return Ok(());
                }
            }
        }
        Err(Stop::Closing)
    }

    fn decoding(&self) -> Result<Decoding, Stop> {
        let decoder = self.source.decoder().ok_or(Stop::Closing)?;
        let texts = texts(&decoder, &self.options, &self.address);
        Ok(Decoding { texts: texts.map_err(|error| Stop::Halt(error.to_string()))?, decoder })
    }

    /// The offset up to which the log has each partition.
    fn known(&self, topic: &Topic) -> Result<Vec<Option<u64>>, Stop> {
        let inputs = self.source.log.snapshot().inputs(self.source.name());
        let (prefix, own) = (format!("kafka/{}/", topic.address().topic), input(topic, None));
        if let Some(other) = inputs.keys().find(|name| name.starts_with(&prefix) && !name.starts_with(&own)) {
            let id = other.strip_prefix(&prefix).and_then(|rest| rest.split('/').next()).unwrap_or_default();
            return Err(Stop::Halt(format!(
                "topic `{}` was deleted and made again: the log has records of the one with the id {id}; start a node \
                 with another data folder for the new one, or give the new one another name",
                topic.address().topic
            )));
        }
        Ok((0..topic.n_partitions()).map(|number| inputs.get(&input(topic, Some(number))).copied()).collect())
    }

    /// Where to go on after records that retention has removed.
    fn after_loss(&self, partition: u32, known: u64, first: u64) -> Result<u64, Stop> {
        let topic = self.address.topic.clone();
        if !self.skip_lost {
            let error = KafkaError::Passed { topic, partition, offset: known, first };
            return Err(Stop::Halt(format!(
                "{error}: {} offsets are lost to this node; to go on without them, set `skip_lost = true` in \
                 `[sources.{}.kafka]`",
                first - known,
                self.source.name()
            )));
        }
        let (source, lost) = (self.source.name(), first - known);
        tracing::error!(
            source,
            topic,
            partition,
            known,
            first,
            lost,
            "offsets are lost, and reading goes on after them"
        );
        Ok(first)
    }

    /// Appends what was read; returns when it is in the log. All partitions go into one group of requests.
    fn take(
        &self,
        topic: &Topic,
        decoding: &Decoding,
        parts: &[FollowedPart],
        known: &mut [Option<u64>],
    ) -> Result<(), Stop> {
        let n_rounds = parts.iter().map(|part| part.records.len().div_ceil(MAX_RECORDS).max(1)).max();
        for round in 0..n_rounds.unwrap_or(0) {
            let mut requests = Vec::with_capacity(parts.len());
            for part in parts {
                let Some((records, to)) = chunk(part, round) else { continue };
                let number = part.partition as usize;
                let (events, n_tombstones) = self.events(decoding, part.partition, records)?;
                self.source.topic_changed(|status| status.n_tombstones += n_tombstones);
                let read = InputRead { input: input(topic, Some(part.partition)), after: known[number], to };
                known[number] = Some(to);
                requests.push(Request { events, key: None, digest: 0, read: Some(read) });
            }
            self.append(requests)?;
        }
        Ok(())
    }

    /// The events of some records, and how many of these have no value.
    fn events(
        &self,
        decoding: &Decoding,
        partition: u32,
        records: &[Record],
    ) -> Result<(Events, u64), KafkaError> {
        let mut reader = TextReader::default();
        let texts = records.iter().map(|record| decoding.texts.text(partition, record, &mut reader));
        let texts = texts.collect::<Result<Vec<RawRecord<'_>>, _>>()?;
        let offsets: Vec<u64> = records
            .iter()
            .zip(&texts)
            .filter_map(|(record, text)| (*text != RawRecord::Tombstone).then_some(record.offset))
            .collect();
        let place_of = |record: u64| {
            let offset = offsets.get(usize::try_from(record).unwrap_or(usize::MAX)).copied().unwrap_or(0);
            format!("topic {}, partition {partition}, offset {offset}", self.address.topic)
        };
        let n_tombstones = (records.len() - offsets.len()) as u64;
        Ok((decoding.decoder.records(decoding.texts.form(), &texts, place_of), n_tombstones))
    }

    /// Tells the broker how far the log is. That it cannot be told is said once, and changes nothing.
    fn commit(&self, commits: &mut GroupCommits, known: &[Option<u64>]) {
        let Some(ended) = commits.offer(known) else { return };
        let (source, has_failed) = (self.source.name(), ended.is_err());
        let had_failed = self.commits_fail.swap(has_failed, Ordering::Relaxed);
        match ended {
            Err(error) if !had_failed => {
                let help = error.help().unwrap_or_default();
                let problem = error.to_string();
                tracing::warn!(
                    source,
                    problem,
                    help,
                    "no offsets are committed; the topic is read as before"
                );
            }
            Ok(()) if had_failed => tracing::info!(source, "offsets are committed again"),
            _ => {}
        }
    }

    fn append(&self, requests: Vec<Request>) -> Result<(), Stop> {
        let mut left = requests;
        while !left.is_empty() {
            let appended = left.iter().map(|request| self.ingest.append(request.clone()));
            let answers = self.runtime.block_on(futures::future::join_all(appended));
            let mut again = Vec::new();
            for (request, answer) in left.into_iter().zip(answers) {
                match answer {
                    Ok(_) => self.took(&request.events),
                    Err(IngestError::Closing) => return Err(Stop::Closing),
                    Err(IngestError::Log(error)) if matches!(*error, DurableError::Redeclared { .. }) => {
                        return Err(Stop::Redeclared);
                    }
                    // The log has another offset: it is asked again.
                    Err(IngestError::Log(error)) if matches!(*error, DurableError::Request(_)) => {
                        return Err(Stop::Pause(error.to_string()));
                    }
                    Err(_) => again.push(request),
                }
            }
            left = again;
            if !left.is_empty() {
                if self.source.is_stopping() {
                    return Err(Stop::Closing);
                }
                self.wait(PAUSE);
            }
        }
        Ok(())
    }

    /// Counts what has come in.
    fn took(&self, events: &Events) {
        let shown: Arc<str> = self.address.topic.as_str().into();
        self.source.take_in(&Intake::of(events, &shown, |_| None));
    }

    /// Shows how far the log is, and with `is_asked` where the topic ends.
    fn show(&self, topic: &Topic, read: &[u64], is_asked: bool) -> Result<(), Stop> {
        let ends = is_asked.then(|| topic.ends()).transpose()?;
        self.source.topic_changed(|status| {
            (status.problem, status.is_stopped) = (None, false);
            status.partitions.resize(read.len(), TopicPartitionStatus::default());
            for (number, (shown, read)) in status.partitions.iter_mut().zip(read).enumerate() {
                shown.read = *read;
                let end = ends.as_ref().and_then(|ends| ends.get(number)).map_or(shown.end, |ends| ends.end);
                shown.end = end.max(*read);
            }
        });
        Ok(())
    }

    fn wait(&self, time: Duration) {
        let until = Instant::now() + time;
        while !self.source.is_stopping() && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

/// The records of a part that one request has, and the offset up to which it reads; `None` after the last
/// one.
fn chunk(part: &FollowedPart, round: usize) -> Option<(&[Record], u64)> {
    let from = round * MAX_RECORDS;
    if from >= part.records.len() {
        // What has no record has one request, which notes the offset.
        return (round == 0).then_some((&[], part.next));
    }
    let to = (from + MAX_RECORDS).min(part.records.len());
    let next = part.records.get(to).map_or(part.next, |record| record.offset);
    Some((&part.records[from..to], next))
}

/// The name of a partition in the log, or what the names of all partitions of the topic begin with.
fn input(topic: &Topic, partition: Option<u32>) -> String {
    let id = u128::from_be_bytes(topic.id());
    let partition = partition.map(|number| number.to_string()).unwrap_or_default();
    format!("kafka/{}/{id:032x}/{partition}", topic.address().topic)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_cover_the_offsets_of_a_part_once() {
        let record = |offset| Record { offset, timestamp: 0, key: None, value: None, headers: Vec::new() };
        for n_records in [0, 1, MAX_RECORDS, MAX_RECORDS + 1, 2 * MAX_RECORDS] {
            let records: Vec<Record> = (0..n_records as u64).map(|n| record(10 + 2 * n)).collect();
            let part = FollowedPart { partition: 0, records, next: 1 << 40 };
            let chunks: Vec<_> = (0..4).map_while(|round| chunk(&part, round)).collect();
            let n_found: usize = chunks.iter().map(|(records, _)| records.len()).sum();
            assert_eq!(n_found, n_records);
            assert_eq!(chunks.last().map(|(_, to)| *to), Some(1 << 40));
            for pair in chunks.windows(2) {
                assert_eq!(pair[0].1, pair[1].0[0].offset);
            }
        }
    }
}
