//! What is asked of a durable log, and what it answers.

use serde::{Deserialize, Serialize};

use super::events::Events;
use crate::{Position, Slice};

/// Events that are taken whole or not at all.
#[derive(Debug, Clone)]
pub struct Request {
    /// The events, decoded.
    pub events: Events,
    /// What the client calls this request: sent again under the same key, it is answered with the same positions and
    /// nothing is added.
    pub key: Option<String>,
    /// A digest of what the client sent, which tells a request that comes again from another one under its key.
    pub digest: u64,
}

/// What became of a request. It is durable when this is given out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// Where its records are, and what they are.
    pub accepted: Accepted,
    /// Whether it had come before: then nothing was added, and there are no exceptions.
    pub is_repeated: bool,
    /// The records that are not part of any answer, in their order.
    pub exceptions: Vec<Exception>,
}

/// The positions of a request, and how many of its records are what.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Accepted {
    /// Its positions, at most one slice of each partition.
    pub positions: Vec<Slice>,
    /// Records that decoded and are new.
    pub n_accepted: u64,
    /// Records whose identity an earlier event has.
    pub n_duplicates: u64,
    /// Those of the duplicates that say something else than that event.
    pub n_conflicts: u64,
    /// Records that did not decode.
    pub n_quarantined: u64,
}

/// A record that is in the log, but not an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exception {
    /// Its place in the request, counted from 0.
    pub record: u64,
    /// Where it is.
    pub position: Position,
    /// Why it is none.
    pub verdict: Verdict,
}

/// Why a record is not an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// An earlier event has its identity, and says the same.
    Duplicate,
    /// An earlier event has its identity, and says something else.
    Conflict,
    /// It did not decode.
    Quarantined {
        /// The field that did not decode; none if the record as a whole does not.
        field: Option<String>,
        /// What is wrong.
        problem: String,
    },
}
