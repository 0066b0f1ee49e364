//! Requests to append events, and their receipts.

use metricc_log::{Events, Position, Slice};
use serde::{Deserialize, Serialize};

/// Events that are taken whole or not at all.
#[derive(Debug, Clone)]
pub struct Request {
    /// The events, decoded.
    pub events: Events,
    /// The idempotency key: a request that is sent again under its key is answered with the same positions,
    /// and nothing is added.
    pub key: Option<String>,
    /// A digest of the bytes that the client sent, which tells a repeated request from another one under its
    /// key.
    pub digest: u64,
    /// How far it has read what its events come from, if the log is to note that.
    pub read: Option<InputRead>,
}

/// How far a request has read an input that has positions of its own, such as a partition of a topic. The log
/// notes it in the frame that has the events, so it has both or none; and takes a request only if it follows
/// what it has noted before, so no event comes twice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InputRead {
    /// The name of the input.
    pub input: String,
    /// The position that the log has noted, see
    /// [`LogSnapshot::inputs`](crate::LogSnapshot::inputs); `None` if it has none.
    pub after: Option<u64>,
    /// The position up to which the input has been read then.
    pub to: u64,
}

/// The answer to a request. The request is durable when there is one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// Its positions, and counts of its records.
    pub accepted: Accepted,
    /// Whether it repeats an earlier request: then nothing was added, and there are no exceptions.
    pub is_repeated: bool,
    /// The records that are not events, in their order.
    pub exceptions: Vec<Exception>,
}

/// A request that is in the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KnownRequest {
    /// Its idempotency key.
    pub key: String,
    /// Its positions, at most one slice of each partition.
    pub positions: Vec<Slice>,
}

impl KnownRequest {
    /// Its records.
    pub fn n_records(&self) -> u64 {
        self.positions.iter().map(|slice| slice.to.saturating_sub(slice.from)).sum()
    }
}

/// The positions of a request, and counts of its records.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Accepted {
    /// Its positions, at most one slice of each partition.
    pub positions: Vec<Slice>,
    /// Records that decoded and are new.
    pub n_accepted: u64,
    /// Records whose identity an earlier event has.
    pub n_duplicates: u64,
    /// Those of the duplicates whose payload differs from that of the event.
    pub n_conflicts: u64,
    /// Records that did not decode.
    pub n_quarantined: u64,
}

/// A record that is in the log, but not an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exception {
    /// Its index in the request, from 0.
    pub record: u64,
    /// Its position in the log.
    pub position: Position,
    /// Why it is not an event.
    pub verdict: Verdict,
}

/// Why a record is not an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// An earlier event has its identity and the same payload.
    Duplicate,
    /// An earlier event has its identity and another payload.
    Conflict,
    /// It did not decode.
    Quarantined {
        /// The field that did not decode; `None` if it is the record as a whole.
        field: Option<String>,
        /// What is wrong.
        problem: String,
    },
}
