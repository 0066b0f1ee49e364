//! Sessions: disjoint intervals of event time, each with the states of aggregates over its events.
//!
//! Events belong to one session when one follows the other within the gap. A state is the set of a group's
//! sessions; merging it with another unites both sets and joins what touches, which is the closure of a
//! relation: neither order nor grouping matter, and a late event may join two sessions. What a session holds
//! merges as it does everywhere.

mod groups;
mod state;

use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{Array, ArrayRef, StructArray, TimestampMicrosecondArray};
use arrow::datatypes::{DataType, Field, Fields, TimeUnit};

use crate::heap_groups::binary;
use crate::list_values::{element_field, lists_of};
use crate::{
    Checked, Description, Exactness, Groups, Growth, HeapState, Laws, Layout, Monoid, Result, Size,
    StateError,
};
use groups::SessionGroups;
pub use state::SessionState;
use state::SessionTable;

/// One aggregate over the events of a session.
#[derive(Debug, Clone)]
pub struct SessionPart {
    /// Its monoid.
    pub monoid: Arc<dyn Monoid>,
    /// Whether a Boolean column after its arguments filters the events.
    pub has_filter: bool,
}

/// The monoid of sessions. Its arguments: event time (Timestamp, µs), then those of each part in turn, a
/// part's filter after them. It presents when the sessions began and ended; [`Sessions::explode`] gives the
/// states of their parts.
#[derive(Debug, Clone)]
pub struct Sessions(Arc<SessionMonoid>);

#[derive(Debug)]
struct SessionMonoid {
    description: Description,
    /// µs, above zero.
    gap: i64,
    parts: Vec<SessionPart>,
}

/// The sessions of a column of states, in order of the rows, then of time.
#[derive(Debug)]
pub struct Exploded {
    /// The row in which each session is.
    pub rows: Vec<u32>,
    /// Time of the first event, µs.
    pub first: Vec<i64>,
    /// Time of the last event, µs.
    pub last: Vec<i64>,
    /// A column of states for each part.
    pub states: Vec<ArrayRef>,
}

const TIME: DataType = DataType::Timestamp(TimeUnit::Microsecond, None);

impl Sessions {
    /// Sessions of events that follow one another within `gap` µs.
    ///
    /// # Errors
    /// When the gap is not above zero.
    pub fn new(gap: i64, parts: Vec<SessionPart>) -> Result<Self> {
        if gap <= 0 {
            return Err(StateError::new("sessions", "the gap is not above zero"));
        }
        let names: Vec<String> = parts.iter().map(part_name).collect();
        let mut inputs = vec![TIME];
        for part in &parts {
            inputs.extend_from_slice(part.monoid.inputs());
            inputs.extend(part.has_filter.then_some(DataType::Boolean));
        }
        let description = Description {
            name: format!("sessions(gap {gap} µs: {})", names.join(", ")),
            version: 1,
            laws: laws(&parts),
            inputs,
            presented: DataType::List(element_field(&DataType::Struct(span_fields()))),
        };
        let sessions = Sessions(Arc::new(SessionMonoid { description, gap, parts }));
        register(&sessions);
        Ok(sessions)
    }

    /// The aggregates over the events of a session.
    pub fn parts(&self) -> &[SessionPart] {
        &self.0.parts
    }

    /// The sessions of a canonical column, with the states of their parts.
    ///
    /// # Errors
    /// When a row is not a state of this monoid.
    pub fn explode(&self, states: &ArrayRef) -> Result<Exploded> {
        self.table(states).map_err(|problem| self.0.error(problem))
    }

    fn table(&self, states: &ArrayRef) -> Checked<Exploded> {
        let states = binary(states)?;
        let mut table = SessionTable::new(&self.0.parts);
        let mut rows = Vec::new();
        for row in 0..states.len() {
            let n_sessions = table.decode(self.0.gap, states.value(row))?;
            rows.extend(std::iter::repeat_n(row as u32, n_sessions));
        }
        let (first, last) = table.spans.iter().copied().unzip();
        Ok(Exploded { rows, first, last, states: table.columns()? })
    }
}

impl SessionMonoid {
    fn error(&self, problem: &str) -> StateError {
        StateError::new(&self.description.name, problem)
    }
}

/// The version is in the name: other bytes of a part are other bytes of the session.
fn part_name(part: &SessionPart) -> String {
    let filtered = if part.has_filter { " where" } else { "" };
    match part.monoid.version() {
        1 => format!("{}{filtered}", part.monoid.name()),
        version => format!("{} v{version}{filtered}", part.monoid.name()),
    }
}

fn laws(parts: &[SessionPart]) -> Laws {
    let laws = parts.iter().map(|part| part.monoid.laws());
    let inexact = laws.clone().map(|laws| laws.exactness).find(|exactness| *exactness != Exactness::Exact);
    let bytes = laws.clone().try_fold(16, |sum, laws| match laws.size {
        Size::Fixed(bytes) => Some(sum + bytes),
        Size::Bounded(bytes) => Some(sum + bytes + 2),
        Size::Growing(_) => None,
    });
    Laws {
        idempotent: laws.clone().all(|laws| laws.idempotent),
        invertible: false,
        exactness: inexact.unwrap_or(Exactness::Exact),
        size: Size::Growing(Growth {
            bytes,
            texts: false,
            per: if bytes.is_some() { "session" } else { "what its sessions hold" },
        }),
    }
}

fn span_fields() -> Fields {
    Fields::from(vec![Field::new("first", TIME, false), Field::new("last", TIME, false)])
}

impl Monoid for Sessions {
    fn name(&self) -> String {
        self.0.description.name.clone()
    }
    fn version(&self) -> u32 {
        self.0.description.version
    }
    fn laws(&self) -> Laws {
        self.0.description.laws
    }
    fn layout(&self) -> Layout {
        Layout::Heap
    }
    fn inputs(&self) -> &[DataType] {
        &self.0.description.inputs
    }
    fn presented(&self) -> DataType {
        self.0.description.presented.clone()
    }
    fn identity(&self) -> Vec<u8> {
        Vec::new()
    }
    /// An event belongs to its session even if no part of the session counts it.
    fn n_required(&self) -> usize {
        1
    }
    fn groups(&self) -> Box<dyn Groups> {
        Box::new(SessionGroups::new(self))
    }
    fn present(&self, states: &ArrayRef) -> Result<ArrayRef> {
        let exploded = self.explode(states)?;
        // Presenting the parts refuses what is no state of theirs.
        for (part, states) in self.0.parts.iter().zip(&exploded.states) {
            part.monoid.present(states)?;
        }
        let mut lengths = vec![0; states.len()];
        exploded.rows.iter().for_each(|row| lengths[*row as usize] += 1);
        let times = |times: Vec<i64>| Arc::new(TimestampMicrosecondArray::from(times)) as ArrayRef;
        let spans =
            StructArray::try_new(span_fields(), vec![times(exploded.first), times(exploded.last)], None);
        let spans = spans.map_err(|_| self.0.error("the sessions do not fit into one column"))?;
        lists_of(&lengths, Arc::new(spans)).map_err(|problem| self.0.error(problem))
    }
    fn heap_state(&self, bytes: &[u8]) -> Result<HeapState> {
        SessionState::decode(self, bytes).map(HeapState::Sessions).map_err(|problem| self.0.error(problem))
    }
}

/// The session monoids of this process, to decode states that come from another process.
static KNOWN: Mutex<Vec<Sessions>> = Mutex::new(Vec::new());

fn register(sessions: &Sessions) {
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if !known.iter().any(|other| other.name() == sessions.name()) {
        known.push(sessions.clone());
    }
}

fn known(name: &[u8]) -> Option<Sessions> {
    let known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    known.iter().find(|sessions| sessions.0.description.name.as_bytes() == name).cloned()
}
