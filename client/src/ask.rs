//! Questions to a node: metrics that no package declares, computed from its log when they are asked.

use serde::{Deserialize, Serialize};

use crate::parameter_values::{Parameters, boolean};
use crate::route_parameters::check;
use crate::wire::{Endpoint, PARAMETERS, ParameterOf};
use crate::{Format, ReadRequest, ServingError};

/// What the parameters of a question say.
#[derive(Debug, Clone, PartialEq)]
pub struct Asked {
    /// Which rows are wanted. The metric is that of the question.
    pub request: ReadRequest,
    /// The format of the rows; `None` if the parameters do not name one.
    pub format: Option<Format>,
    /// The name of the metric, if it is given.
    pub name: Option<String>,
    /// Whether only an estimate is wanted.
    pub estimate: bool,
    /// Whether states of all windows are to be computed, whatever the range.
    pub whole: bool,
    /// Whether the states are to be computed, with events that say how far they are.
    pub progress: bool,
}

impl Asked {
    /// The question of these parameters, whose metric has this name unless they give another one.
    ///
    /// # Errors
    /// [`ServingError::Request`] for an unknown parameter or an invalid value.
    pub fn of_parameters(metric: String, parameters: Parameters) -> Result<Self, ServingError> {
        check(&parameters, Endpoint::Ask)?;
        let is_own =
            |name: &str| PARAMETERS.iter().any(|spec| spec.of == ParameterOf::Question && spec.name == name);
        let (own, of_rows): (Parameters, Parameters) =
            parameters.into_iter().partition(|(name, _)| is_own(name));
        let (request, format) = ReadRequest::of_parameters(metric, of_rows)?;
        let mut asked = Asked { request, format, name: None, estimate: false, whole: false, progress: false };
        for (name, text) in own {
            match name.as_str() {
                "estimate" => asked.estimate = boolean(&name, &text)?,
                "whole" => asked.whole = boolean(&name, &text)?,
                "progress" => asked.progress = boolean(&name, &text)?,
                _ => asked.name = Some(text),
            }
        }
        if let Some(name) = &asked.name {
            asked.request.metric.clone_from(name);
        }
        Ok(asked)
    }
}

/// What answering a question takes, before it is computed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AskEstimate {
    /// The number of the question, by which it is cancelled; `None` of one that was only to be estimated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<u64>,
    /// The name of its metric.
    pub metric: String,
    /// The hash of its metric: that of a declared metric of this meaning.
    pub hash: String,
    /// The frontier of the answer: one offset per partition of the sources of the metric.
    pub frontier: Vec<u64>,
    /// Records of the log that are read.
    pub events: u64,
    /// Bytes of the log that are read, of files and of the journal.
    pub bytes: u64,
    /// About how many seconds that takes, by what batch took last; `None` if it has not evaluated much yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<f64>,
    /// What is read of each source.
    pub sources: Vec<AskedSource>,
}

/// What a question reads of a source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AskedSource {
    /// Its name.
    pub source: String,
    /// Records that are read: none if its states are there already.
    pub events: u64,
    /// The frontier of the answer in the log of this source.
    pub to: Vec<u64>,
}

/// How far a question is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AskProgress {
    /// Its number.
    pub id: u64,
    /// Its text.
    pub question: String,
    /// Records that were read.
    pub done: u64,
    /// Records that are to be read.
    pub events: u64,
    /// Since it was asked, in milliseconds.
    pub elapsed_ms: u64,
    /// Whether it waits for others.
    pub waits: bool,
}

/// A question whose states were computed. A read of it at this frontier reads no log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AskComputed {
    /// Its number.
    pub id: u64,
    /// The name of its metric.
    pub metric: String,
    /// The hash of its metric.
    pub hash: String,
    /// The frontier of the answer.
    pub frontier: Vec<u64>,
    /// The epoch of the log that the frontier is of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epoch: Option<String>,
}

/// What a node says of a question while it computes it.
#[derive(Debug, Clone, PartialEq)]
pub enum AskEvent {
    /// What it takes: first of all.
    Estimate(AskEstimate),
    /// How far it is: some times a second.
    Progress(AskProgress),
    /// Its states are there: the last one.
    Computed(AskComputed),
}

impl AskEvent {
    /// The name of the server-sent event.
    pub fn name(&self) -> &'static str {
        match self {
            AskEvent::Estimate(_) => "estimate",
            AskEvent::Progress(_) => "progress",
            AskEvent::Computed(_) => "computed",
        }
    }

    /// Its data, as JSON.
    ///
    /// # Errors
    /// None that is known: all of it is JSON.
    pub fn data(&self) -> serde_json::Result<String> {
        match self {
            AskEvent::Estimate(estimate) => serde_json::to_string(estimate),
            AskEvent::Progress(progress) => serde_json::to_string(progress),
            AskEvent::Computed(computed) => serde_json::to_string(computed),
        }
    }

    /// The event of a name; `None` if it is not one of a question.
    ///
    /// # Errors
    /// If the data are not those of such an event.
    pub fn parse(name: &str, data: &str) -> Option<serde_json::Result<Self>> {
        Some(match name {
            "estimate" => serde_json::from_str(data).map(AskEvent::Estimate),
            "progress" => serde_json::from_str(data).map(AskEvent::Progress),
            "computed" => serde_json::from_str(data).map(AskEvent::Computed),
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_the_same_on_both_sides_of_http() {
        let sources = vec![AskedSource { source: "s".to_owned(), events: 3, to: vec![3] }];
        let (metric, hash, frontier) = ("question".to_owned(), "1f".to_owned(), vec![3]);
        let estimate = AskEstimate {
            id: Some(1),
            metric: metric.clone(),
            hash: hash.clone(),
            frontier: frontier.clone(),
            events: 3,
            bytes: 40,
            seconds: Some(0.5),
            sources,
        };
        let question = "count() { from s }".to_owned();
        let progress = AskProgress { id: 1, question, done: 1, events: 3, elapsed_ms: 7, waits: false };
        let computed = AskComputed { id: 1, metric, hash, frontier, epoch: Some("e".to_owned()) };
        for event in
            [AskEvent::Estimate(estimate), AskEvent::Progress(progress), AskEvent::Computed(computed)]
        {
            let read = AskEvent::parse(event.name(), &event.data().unwrap()).unwrap().unwrap();
            assert_eq!(read, event);
        }
        assert!(AskEvent::parse("rows", "{}").is_none());
        assert!(AskEvent::parse("progress", "{}").unwrap().is_err());
    }
}
