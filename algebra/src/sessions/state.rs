//! Sessions as bytes, as columns, and as one heap state.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{ArrayRef, BinaryArray, FixedSizeBinaryArray};
use arrow::buffer::{Buffer, OffsetBuffer};
use arrow::datatypes::DataType;

use super::{SessionPart, Sessions, known};
use crate::states::{HeapValue, NOT_CANONICAL, Reader, put_varint};
use crate::{Checked, Monoid};

/// Sessions one after the other: their spans, and the states of each part as bytes.
#[derive(Debug)]
pub(super) struct SessionTable {
    /// First and last event, µs.
    pub(super) spans: Vec<(i64, i64)>,
    parts: Vec<PartBytes>,
}

#[derive(Debug)]
struct PartBytes {
    /// Of a state with a fixed number of bytes.
    n_fixed: Option<usize>,
    bytes: Vec<u8>,
    lengths: Vec<usize>,
}

impl SessionTable {
    pub(super) fn new(parts: &[SessionPart]) -> Self {
        let part = |part: &SessionPart| {
            let n_fixed = match part.monoid.state_type() {
                DataType::FixedSizeBinary(n_bytes) => usize::try_from(n_bytes).ok(),
                _ => None,
            };
            PartBytes { n_fixed, bytes: Vec::new(), lengths: Vec::new() }
        };
        SessionTable { spans: Vec::new(), parts: parts.iter().map(part).collect() }
    }

    /// Appends the sessions of canonical bytes, and says how many they are. For each in order of time: first
    /// and last event (8 bytes each, little-endian), then the state of each part, after its length where that
    /// is not fixed.
    pub(super) fn decode(&mut self, gap: i64, bytes: &[u8]) -> Checked<usize> {
        let n_before = self.spans.len();
        let mut reader = Reader::new(bytes);
        while !reader.is_empty() {
            let first = i64::from_le_bytes(reader.array()?);
            let last = i64::from_le_bytes(reader.array()?);
            let is_apart =
                self.spans[n_before..].last().is_none_or(|(_, before)| before.saturating_add(gap) < first);
            if first > last || !is_apart {
                return Err(NOT_CANONICAL);
            }
            self.spans.push((first, last));
            for part in &mut self.parts {
                let n_bytes = match part.n_fixed {
                    Some(n_bytes) => n_bytes,
                    None => usize::try_from(reader.varint()?).map_err(|_| NOT_CANONICAL)?,
                };
                part.bytes.extend(reader.slice(n_bytes)?);
                part.lengths.push(n_bytes);
            }
        }
        Ok(self.spans.len() - n_before)
    }

    /// A column of states for each part.
    pub(super) fn columns(self) -> Checked<Vec<ArrayRef>> {
        const TOO_LARGE: &str = "the states of the sessions exceed 2 GiB";
        let n_sessions = self.spans.len();
        let column = |part: PartBytes| -> Checked<ArrayRef> {
            if i32::try_from(part.bytes.len()).is_err() {
                return Err(TOO_LARGE);
            }
            let bytes = Buffer::from_vec(part.bytes);
            Ok(match part.n_fixed {
                Some(n_bytes) => Arc::new(
                    FixedSizeBinaryArray::try_new_with_len(n_bytes as i32, bytes, None, n_sessions)
                        .map_err(|_| TOO_LARGE)?,
                ),
                None => {
                    let offsets = OffsetBuffer::from_lengths(part.lengths);
                    Arc::new(BinaryArray::try_new(offsets, bytes, None).map_err(|_| TOO_LARGE)?)
                }
            })
        };
        self.parts.into_iter().map(column).collect()
    }
}

/// Appends the bytes of a session; `states` are those of its parts.
pub(super) fn encode<'a>(
    (first, last): (i64, i64),
    parts: &[SessionPart],
    states: impl Iterator<Item = &'a [u8]>,
    out: &mut Vec<u8>,
) {
    out.extend(first.to_le_bytes());
    out.extend(last.to_le_bytes());
    for (part, state) in parts.iter().zip(states) {
        if !matches!(part.monoid.state_type(), DataType::FixedSizeBinary(_)) {
            put_varint(state.len() as u64, out);
        }
        out.extend(state);
    }
}

/// The sessions of a group as one value: their canonical bytes.
#[derive(Debug, Clone)]
pub struct SessionState {
    sessions: Sessions,
    bytes: Vec<u8>,
}

impl SessionState {
    pub(super) fn decode(sessions: &Sessions, bytes: &[u8]) -> Checked<Self> {
        let again = merged(sessions, &[bytes])?;
        if again != bytes {
            return Err(NOT_CANONICAL);
        }
        Ok(SessionState { sessions: sessions.clone(), bytes: again })
    }

    fn name(&self) -> &str {
        &self.sessions.0.description.name
    }

    /// Appends the name: with the bytes the form between processes.
    pub(crate) fn put_tagged(&self, out: &mut Vec<u8>) {
        put_varint(self.name().len() as u64, out);
        out.extend(self.name().as_bytes());
    }

    pub(crate) fn of_tagged(reader: &mut Reader<'_>) -> Checked<Self> {
        let n_bytes = usize::try_from(reader.varint()?).map_err(|_| NOT_CANONICAL)?;
        let sessions =
            known(reader.slice(n_bytes)?).ok_or("this process does not have the state's sessions")?;
        SessionState::decode(&sessions, reader.rest())
    }
}

/// The canonical bytes of several states merged.
fn merged(sessions: &Sessions, states: &[&[u8]]) -> Checked<Vec<u8>> {
    const NO_STATE: &str = "the bytes are no state of these sessions";
    let column: ArrayRef = Arc::new(BinaryArray::from_iter_values(states));
    let mut groups = sessions.groups();
    groups.merge(&column, &vec![0; states.len()], 1).map_err(|_| NO_STATE)?;
    let emitted = groups.emit(1).map_err(|_| NO_STATE)?;
    Ok(crate::heap_groups::binary(&emitted)?.value(0).to_vec())
}

impl HeapValue for SessionState {
    fn merge(&mut self, other: &Self) -> Checked<()> {
        if self.name() != other.name() {
            return Err("sessions of different aggregates, or gaps, do not merge");
        }
        self.bytes = merged(&self.sessions, &[&self.bytes, &other.bytes])?;
        Ok(())
    }
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend(&self.bytes);
    }
    fn heap_size(&self) -> usize {
        self.bytes.capacity()
    }
}

impl PartialEq for SessionState {
    fn eq(&self, other: &Self) -> bool {
        (self.name(), &self.bytes) == (other.name(), &other.bytes)
    }
}

impl Eq for SessionState {}

impl PartialOrd for SessionState {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for SessionState {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.name(), &self.bytes).cmp(&(other.name(), &other.bytes))
    }
}

impl Hash for SessionState {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.name(), &self.bytes).hash(state);
    }
}
