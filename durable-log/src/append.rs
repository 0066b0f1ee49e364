//! Appending: group commit of many requests in one write.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::dedup_index::{DedupIndex, Savepoint};
use crate::error::DurableError;
use crate::frame_payload::{Entry, InputEntry, Payload, RequestEntry};
use crate::log::{DurableLog, OpenSource};
use crate::request::{InputRead, Receipt, Request};
use crate::snapshot::no_source;
use crate::staging::StagedSource;

/// What a request is answered with. Many may fail for one reason.
type Answer = Result<Receipt, Arc<DurableError>>;

/// What is known of a request before anything is written.
enum Sorted {
    /// Its answer does not depend on the write.
    Answered(Answer),
    /// It repeats a request of the same group, by its index.
    SameAs(usize),
    Fresh,
}

/// What is known of the requests of a group that are before another one.
#[derive(Default)]
struct Earlier<'a> {
    /// The index of the request with a key of a source.
    keys: HashMap<(&'a str, &'a str), usize>,
    /// How far inputs of sources have been read.
    inputs: HashMap<(&'a str, &'a str), u64>,
}

impl DurableLog {
    /// Appends requests, all in one write: those answered with a receipt are durable. The answers are in the
    /// order of the requests. Those that failed left nothing behind.
    pub fn append(&mut self, requests: &[Request]) -> Vec<Result<Receipt, Arc<DurableError>>> {
        let sorted = self.sort(requests);
        let fresh: Vec<&Request> = requests
            .iter()
            .zip(&sorted)
            .filter_map(|(request, sorted)| matches!(sorted, Sorted::Fresh).then_some(request))
            .collect();
        let taken: Result<Vec<Receipt>, Arc<DurableError>> = if fresh.is_empty() {
            Ok(Vec::new())
        } else {
            let taken = self.take(&fresh).map_err(Arc::new);
            self.publish();
            taken
        };
        let mut taken = taken.map(Vec::into_iter);
        let mut answers: Vec<Answer> = Vec::with_capacity(requests.len());
        for sorted in sorted {
            let answer = match (sorted, &mut taken) {
                (Sorted::Answered(answer), _) => answer,
                (_, Err(error)) => Err(error.clone()),
                (Sorted::SameAs(index), Ok(_)) => answers[index].clone().map(repeated),
                (Sorted::Fresh, Ok(receipts)) => receipts
                    .next()
                    .ok_or_else(|| Arc::new(DurableError::Request("the request has no receipt".to_owned()))),
            };
            answers.push(answer);
        }
        answers
    }

    fn sort(&self, requests: &[Request]) -> Vec<Sorted> {
        let mut earlier = Earlier::default();
        let mut sorted = Vec::with_capacity(requests.len());
        for (index, request) in requests.iter().enumerate() {
            sorted.push(self.sort_one(index, request, requests, &mut earlier));
        }
        sorted
    }

    fn sort_one<'a>(
        &self,
        index: usize,
        request: &'a Request,
        all: &[Request],
        earlier: &mut Earlier<'a>,
    ) -> Sorted {
        let source = request.events.source();
        let Some(known) = self.sources.get(&source.name) else { return failed(no_source(&source.name)) };
        if known.decoder.source().fields != source.fields {
            return failed(DurableError::Redeclared { origin: source.name.clone() });
        }
        if let Some(problem) = self.note_read(request, earlier) {
            return rejected(problem);
        }
        let Some(key) = &request.key else { return Sorted::Fresh };
        let other = || rejected(format!("another request for source `{}` had the key `{key}`", source.name));
        if let Some(known) = self.replay.request(&source.name, key) {
            if known.digest != request.digest {
                return other();
            }
            let accepted = known.accepted.clone();
            return Sorted::Answered(Ok(Receipt { accepted, is_repeated: true, exceptions: Vec::new() }));
        }
        match earlier.keys.get(&(source.name.as_str(), key.as_str())) {
            Some(&earlier) if all[earlier].digest != request.digest => other(),
            Some(&earlier) => Sorted::SameAs(earlier),
            None => {
                earlier.keys.insert((&source.name, key), index);
                Sorted::Fresh
            }
        }
    }

    /// Notes how far a request has read an input. Why it does not follow what the log has of it, if that is so.
    fn note_read<'a>(&self, request: &'a Request, earlier: &mut Earlier<'a>) -> Option<String> {
        let InputRead { input, after, to } = request.read.as_ref()?;
        let source = request.events.source().name.as_str();
        let known = self.replay.state.sources.get(source).and_then(|known| known.inputs.get(input));
        let known = earlier.inputs.get(&(source, input.as_str())).or(known).copied();
        if known != *after || known.is_some_and(|known| *to < known) {
            let shown =
                |position: Option<u64>| position.map_or("nothing".to_owned(), |to| format!("up to {to}"));
            return Some(format!(
                "the log has {} of input `{input}` of source `{source}`, and a request goes on after {}",
                shown(known),
                shown(*after)
            ));
        }
        earlier.inputs.insert((source, input), *to);
        None
    }

    /// Appends requests of known sources with new keys.
    fn take(&mut self, requests: &[&Request]) -> Result<Vec<Receipt>, DurableError> {
        if let Some(problem) = self.journal.stopped() {
            return Err(DurableError::Stopped { problem: problem.to_owned() });
        }
        // The current file still takes events if the next one cannot be started.
        let rolled = self.roll_if_long();
        if let (Err(error), Some(_)) = (rolled, self.journal.stopped()) {
            return Err(error);
        }
        self.begin_marked()?;
        let savepoints: Vec<Vec<Savepoint>> = self
            .sources
            .values()
            .map(|source| source.dedup.iter().map(DedupIndex::savepoint).collect())
            .collect();
        let taken = self.stage(requests).and_then(|(receipts, payload)| {
            self.write(payload)?;
            Ok(receipts)
        });
        for (source, savepoints) in self.sources.values_mut().zip(&savepoints) {
            for (index, savepoint) in source.dedup.iter_mut().zip(savepoints) {
                if taken.is_ok() { index.evict() } else { index.roll_back(savepoint) }
            }
        }
        taken
    }

    fn stage(&mut self, requests: &[&Request]) -> Result<(Vec<Receipt>, Payload), DurableError> {
        let mut payload = self.new_payload();
        let ends: BTreeMap<String, Vec<u64>> =
            self.sources.keys().map(|name| (name.clone(), self.end(name).0)).collect();
        let mut staged: BTreeMap<&str, (StagedSource<'_>, &mut u64)> = BTreeMap::new();
        for ((name, source), (_, ends)) in self.sources.iter_mut().zip(ends) {
            let OpenSource { decoder, dedup, n_requests, .. } = source;
            staged.insert(name, (StagedSource::new(decoder, dedup, ends), n_requests));
        }
        let (mut receipts, mut entries) = (Vec::with_capacity(requests.len()), Vec::new());
        for request in requests {
            let name = &request.events.source().name;
            let (source, n_requests) = staged.get_mut(name.as_str()).ok_or_else(|| no_source(name))?;
            let (accepted, exceptions) = source.add(&request.events, **n_requests)?;
            **n_requests += 1;
            if let Some(key) = &request.key {
                let (source, key, accepted) = (name.clone(), key.clone(), accepted.clone());
                entries.push(Entry::Request(RequestEntry { source, key, digest: request.digest, accepted }));
            }
            if let Some(InputRead { input, to, .. }) = &request.read {
                let (source, input, to) = (name.clone(), input.clone(), *to);
                entries.push(Entry::Input(InputEntry { source, input, to }));
            }
            receipts.push(Receipt { accepted, is_repeated: false, exceptions });
        }
        for (_, (source, _)) in staged {
            source.write(&mut payload)?;
        }
        entries.into_iter().for_each(|entry| payload.push(entry));
        Ok((receipts, payload))
    }
}

fn rejected(problem: String) -> Sorted {
    failed(DurableError::Request(problem))
}

fn failed(error: DurableError) -> Sorted {
    Sorted::Answered(Err(Arc::new(error)))
}

fn repeated(receipt: Receipt) -> Receipt {
    Receipt { is_repeated: true, exceptions: Vec::new(), ..receipt }
}
