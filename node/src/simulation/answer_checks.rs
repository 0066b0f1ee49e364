//! Reads, and what has to come back.

use metricc_client::{ReadRequest, Served, Serving, ServingError};
use metricc_compiler::EngineOptions;
use metricc_compiler::{MetricPlan, Segment};
use metricc_log::{Frontier, Interval, Slice};
use metricc_runtime_serve::LocalServing;
use serde_json::{Value, json};

use super::steps::{Life, Step};
use super::{METRICS, N_PARTITIONS, PLANS, RUNTIME, SHOPS, SOURCE};

fn request(metric: &str) -> ReadRequest {
    ReadRequest { metric: metric.to_owned(), ..ReadRequest::default() }
}

/// The rows of an answer, in the order of their text.
fn rows_of(answer: &Served) -> Vec<Value> {
    let rows = answer.rows.iter().map(|row| serde_json::from_str::<Value>(row.get()));
    let mut rows: Vec<Value> = rows.collect::<Result<_, _>>().expect("rows are JSON");
    rows.sort_by_cached_key(ToString::to_string);
    rows
}

impl Life<'_> {
    /// Whole requests are served, and never fewer than before. Returns their number; `None` before anything
    /// is served.
    pub(super) fn look(&mut self) -> Option<usize> {
        let served = self.source.serving.frontier(SOURCE)?;
        let least = &self.world.least;
        let is_behind = served.0.iter().zip(&least.0).any(|(now, least)| now < least);
        assert!(!is_behind, "the frontier went back from {least} to {served}");
        let n_requests = self.world.ledger.ends().iter().position(|end| *end == served);
        assert!(n_requests.is_some(), "the frontier {served} is none between two requests");
        self.world.least = served;
        n_requests
    }

    /// Reads all metrics at once, and the rows of one key.
    pub(super) fn read(&mut self) -> Step {
        let Some(n_requests) = self.look() else { return Ok(()) };
        let published = self.source.serving.published();
        let of_name = |name: &str| PLANS.metrics.iter().find(|plan| plan.metric.name == name);
        let has = |name: &&str| of_name(name).is_some_and(|plan| published.has(plan));
        let (there, missing): (Vec<&str>, Vec<&str>) = METRICS.into_iter().partition(has);
        for metric in missing {
            let answer = RUNTIME.block_on(self.serving.read(request(metric)));
            assert!(matches!(answer, Err(ServingError::Backfilling { .. })), "{metric}: {answer:?}");
        }
        let asked = there.iter().map(|metric| ReadRequest { receipt: true, ..request(metric) });
        let answers = RUNTIME.block_on(self.serving.read_many(asked.collect()));
        let answers = answers.expect("what is served can be read");
        assert_eq!(answers.len(), there.len());
        for answer in &answers {
            assert_eq!(answer.frontier, self.world.least.0, "all answers are of one frontier");
            self.check_parts(answer);
            self.check_rows(answer, n_requests);
        }
        self.world.tally.n_answers += answers.len() as u64;
        if !there.contains(&"by_shop") {
            return Ok(());
        }
        let shop = SHOPS[self.world.content.below(SHOPS.len() as u64) as usize];
        let mut asked = request("by_shop");
        asked.keys.insert("shop".to_owned(), json!(shop));
        let answer = RUNTIME.block_on(self.serving.read(asked)).expect("what is served can be read");
        let mut expected = self.world.ledger.rows("by_shop", n_requests);
        expected.retain(|row| row["key"]["shop"] == shop);
        assert_eq!(rows_of(&answer), expected, "`by_shop` of {shop} after {n_requests} requests");
        self.world.tally.n_answers += 1;
        Ok(())
    }

    /// Reads a metric as it was after one of the requests.
    pub(super) fn read_past(&mut self) -> Step {
        if self.look().is_none() {
            return Ok(());
        }
        let before = self.world.n_happened();
        let n_ends = self.world.ledger.ends().len() as u64;
        let n_requests = self.world.content.below(n_ends) as usize;
        let metric = METRICS[self.world.content.below(METRICS.len() as u64) as usize];
        let at = self.world.ledger.ends()[n_requests].0.clone();
        let asked = ReadRequest { at: Some(at.clone()), ..request(metric) };
        let outcome = match RUNTIME.block_on(self.serving.read(asked)) {
            Ok(answer) => {
                assert_eq!(answer.frontier, at, "it is of the frontier that was asked for");
                self.check_rows(&answer, n_requests);
                self.world.tally.n_answers += 1;
                Ok(())
            }
            Err(error) => Err(error.to_string()),
        };
        self.came_to(before, outcome)
    }

    /// Reads at a frontier that chance chooses. If it is none between two requests, that is refused, and the
    /// nearest ones are named.
    pub(super) fn read_between(&mut self) -> Step {
        if self.look().is_none() {
            return Ok(());
        }
        let (before, end) = (self.world.n_happened(), self.source.end());
        let at = Frontier(end.0.iter().map(|end| self.world.content.below(end + 1)).collect());
        let is_up_to = |a: &Frontier, b: &Frontier| a.0.iter().zip(&b.0).all(|(a, b)| a <= b);
        let ends = self.world.ledger.ends();
        let below = ends.iter().rev().find(|end| is_up_to(end, &at)).expect("the start").clone();
        let above = ends.iter().find(|end| is_up_to(&at, end)).expect("the end").clone();
        let asked = ReadRequest { at: Some(at.0.clone()), ..request(METRICS[0]) };
        let outcome = match RUNTIME.block_on(self.serving.read(asked)) {
            Ok(answer) => {
                assert_eq!((&below, &answer.frontier), (&at, &at.0), "it is one between two requests");
                self.world.tally.n_answers += 1;
                Ok(())
            }
            Err(ServingError::Request(problem)) => {
                let nearest = format!("the nearest frontiers are {below} before it and {above} after it");
                assert!(below != at && problem.contains(&nearest), "{problem}: {nearest}");
                self.world.tally.n_refused += 1;
                Ok(())
            }
            Err(error) => Err(error.to_string()),
        };
        self.came_to(before, outcome)
    }

    pub(super) fn check_rows(&self, answer: &Served, n_requests: usize) {
        let expected = self.world.ledger.rows(&answer.metric, n_requests);
        assert_eq!(rows_of(answer), expected, "`{}` after {n_requests} requests", answer.metric);
    }

    /// The parts of an answer follow one another from the start of the log to its frontier: the view, if
    /// there is one, and the tail that goes on from it.
    fn check_parts(&self, answer: &Served) {
        let receipt = answer.receipt.as_ref().expect("it was asked for");
        let mut end = vec![0; N_PARTITIONS as usize];
        for part in &receipt.parts {
            assert_eq!(part.from, end, "parts follow one another: {:?}", receipt.parts);
            end.clone_from(&part.to);
        }
        assert_eq!(end, answer.frontier, "parts go to the frontier: {:?}", receipt.parts);
        let view = self.source.view().expect("what is served has a view");
        match &receipt.parts[..] {
            [of_view, _] => assert_eq!(of_view.to, view.frontier.0, "the tail goes on from its view"),
            [_] => assert!(view.segments.is_empty(), "the view is part of the answer"),
            parts => panic!("no view and tail: {parts:?}"),
        }
        assert_eq!(receipt.ends.get(SOURCE), Some(&self.source.end().0));
    }

    /// Both layers compute from the whole log, without any view, what is served; and records that did not
    /// decode are kept.
    pub(super) fn check_anew(&self) {
        let source = self.source;
        let (start, end) = (Frontier(vec![0; N_PARTITIONS as usize]), source.end());
        let whole = Interval::new(start.clone(), end.clone()).expect("an interval");
        let options = EngineOptions { workers: 1, ..EngineOptions::default() };
        let (mut by_batch, mut by_stream) = (Vec::new(), Vec::new());
        for declared in PLANS.declared() {
            let (plan, log) =
                (&declared.plan, declared.log(&source.log.snapshot(), &start).expect("the log"));
            let batch = metricc_runtime_batch::evaluate(plan, &log, &whole, &options, &|_| ());
            let stream = metricc_runtime_stream::evaluate(plan, &log, &whole, &self.options.stream, &|_| ());
            by_batch.extend(batch.expect("batch").segments);
            by_stream.extend(stream.expect("a stream").segments);
        }
        for segments in [by_batch, by_stream] {
            let metrics = PLANS.metrics.iter().map(|metric| &**metric);
            let published: Vec<(&MetricPlan, Vec<Segment>)> =
                metrics.zip(segments.into_iter().map(|segment| vec![segment])).collect();
            let anew = LocalServing::new(&PLANS.metrics);
            anew.publish(&published).expect("it is served");
            for metric in METRICS {
                let answer = RUNTIME.block_on(anew.read(request(metric))).expect("an answer");
                self.check_rows(&answer, self.world.ledger.ends().len() - 1);
            }
        }
        let verdicts = source.log.snapshot().derive_verdicts(SOURCE, &end).expect("the log").expect("a key");
        assert_eq!(
            (verdicts.n_records + verdicts.n_unknown, verdicts.n_differences),
            (self.world.ledger.n_decoded(), 0)
        );
        assert_eq!(
            (verdicts.n_unknown, verdicts.stated),
            (0, verdicts.derived),
            "verdicts that are derived again"
        );
        for (partition, to) in (0u32..).zip(end.0) {
            let slice = Slice { partition, from: 0, to };
            let kept = source.log.snapshot().quarantine(SOURCE, &slice).read(10_000);
            let kept = kept.expect("what did not decode");
            let kept: Vec<u64> = kept.iter().map(|record| record.position.offset).collect();
            assert_eq!(kept, self.world.ledger.quarantined(partition), "of partition {partition}");
        }
    }
}
