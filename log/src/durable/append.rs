//! Appending: many requests in one write.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::entry::{Entry, Payload, RequestEntry};
use super::error::DurableError;
use super::log::{DurableLog, OpenSource};
use super::recent::{Mark, RecentIdentities};
use super::request::{Receipt, Request};
use super::stage::StagedSource;

/// What a request is answered with. Many may fail for one reason.
type Answer = Result<Receipt, Arc<DurableError>>;

/// What becomes of a request before anything is written.
enum Sorted {
    /// It is answered already, whatever becomes of the others.
    Answered(Answer),
    /// It comes again in one group: as the one at this place.
    SameAs(usize),
    Fresh,
}

impl DurableLog {
    /// Takes requests, all in one write: one that is answered with a receipt is durable. The answers are in the order of the
    /// requests. Those that fail left nothing behind.
    pub fn append(&mut self, requests: &[Request]) -> Vec<Result<Receipt, Arc<DurableError>>> {
        let sorted = self.sort(requests);
        let fresh: Vec<&Request> = requests
            .iter()
            .zip(&sorted)
            .filter_map(|(request, sorted)| matches!(sorted, Sorted::Fresh).then_some(request))
            .collect();
        let taken: Result<Vec<Receipt>, Arc<DurableError>> =
            if fresh.is_empty() { Ok(Vec::new()) } else { self.take(&fresh).map_err(Arc::new) };
        let mut taken = taken.map(Vec::into_iter);
        let mut answers: Vec<Answer> = Vec::with_capacity(requests.len());
        for sorted in sorted {
            let answer = match (sorted, &mut taken) {
                (Sorted::Answered(answer), _) => answer,
                (_, Err(error)) => Err(error.clone()),
                (Sorted::SameAs(place), Ok(_)) => answers[place].clone().map(repeated),
                (Sorted::Fresh, Ok(receipts)) => receipts.next().ok_or_else(|| {
                    Arc::new(DurableError::Request("the request got lost on its way".to_owned()))
                }),
            };
            answers.push(answer);
        }
        answers
    }

    fn sort(&self, requests: &[Request]) -> Vec<Sorted> {
        let mut here: HashMap<(&str, &str), usize> = HashMap::new();
        let mut sorted = Vec::with_capacity(requests.len());
        for (place, request) in requests.iter().enumerate() {
            sorted.push(self.sort_one(place, request, requests, &mut here));
        }
        sorted
    }

    fn sort_one<'a>(
        &self,
        place: usize,
        request: &'a Request,
        all: &[Request],
        here: &mut HashMap<(&'a str, &'a str), usize>,
    ) -> Sorted {
        let source = &request.events.source;
        let known = self.sources.get(&source.name);
        if known.is_none_or(|known| known.rules.source.fields != source.fields) {
            return refused(format!("the log has no such source `{}`", source.name));
        }
        let Some(key) = &request.key else { return Sorted::Fresh };
        let other = || refused(format!("another request for source `{}` had the key `{key}`", source.name));
        if let Some(known) = self.fold.request(&source.name, key) {
            if known.digest != request.digest {
                return other();
            }
            let accepted = known.accepted.clone();
            return Sorted::Answered(Ok(Receipt { accepted, is_repeated: true, exceptions: Vec::new() }));
        }
        match here.get(&(source.name.as_str(), key.as_str())) {
            Some(&earlier) if all[earlier].digest != request.digest => other(),
            Some(&earlier) => Sorted::SameAs(earlier),
            None => {
                here.insert((&source.name, key), place);
                Sorted::Fresh
            }
        }
    }

    /// Takes requests of known sources with new keys.
    fn take(&mut self, requests: &[&Request]) -> Result<Vec<Receipt>, DurableError> {
        if let Some(problem) = self.journal.stopped() {
            return Err(DurableError::Stopped { problem: problem.to_owned() });
        }
        // A file that cannot be started is no reason to refuse events: the last one has room.
        let rolled = self.roll_if_long();
        if let (Err(error), Some(_)) = (rolled, self.journal.stopped()) {
            return Err(error);
        }
        let marks: Vec<(String, Vec<Mark>)> = self
            .sources
            .iter()
            .map(|(name, source)| (name.clone(), source.recent.iter().map(RecentIdentities::mark).collect()))
            .collect();
        let taken = self.stage(requests).and_then(|(receipts, payload)| {
            self.write(&payload)?;
            Ok(receipts)
        });
        for (name, marks) in marks {
            let Some(source) = self.sources.get_mut(&name) else { continue };
            for (recent, mark) in source.recent.iter_mut().zip(&marks) {
                if taken.is_ok() { recent.forget() } else { recent.undo(mark) }
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
            let OpenSource { rules, recent, n_requests } = source;
            staged.insert(name, (StagedSource::new(rules, recent, ends), n_requests));
        }
        let (mut receipts, mut entries) = (Vec::with_capacity(requests.len()), Vec::new());
        for request in requests {
            let name = &request.events.source.name;
            let Some((source, turn)) = staged.get_mut(name.as_str()) else {
                return Err(DurableError::Request(format!("the log has no source `{name}`")));
            };
            let (accepted, exceptions) = source.add(&request.events, **turn)?;
            **turn += 1;
            if let Some(key) = &request.key {
                let (source, key, accepted) = (name.clone(), key.clone(), accepted.clone());
                entries.push(Entry::Request(RequestEntry { source, key, digest: request.digest, accepted }));
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

fn refused(problem: String) -> Sorted {
    Sorted::Answered(Err(Arc::new(DurableError::Request(problem))))
}

fn repeated(receipt: Receipt) -> Receipt {
    Receipt { is_repeated: true, exceptions: Vec::new(), ..receipt }
}
