//! Vectorised groups of sessions: for the parts, each session is one group.

use arrow::array::{Array, ArrayRef, AsArray, BinaryArray, BooleanArray, UInt32Array};
use arrow::buffer::{BooleanBuffer, Buffer, OffsetBuffer, ScalarBuffer};
use arrow::compute::take;
use arrow::datatypes::TimestampMicrosecondType;
use std::sync::Arc;

use super::state::{SessionTable, encode};
use super::{SessionMonoid, Sessions};
use crate::argument_column::{not_below, selection};
use crate::heap_groups::binary;
use crate::{Checked, Groups, Result};

/// A session while it grows.
#[derive(Debug)]
struct SessionSpan {
    /// First and last event, µs.
    first: i64,
    last: i64,
    /// Its group among those of the parts.
    id: usize,
    /// Groups of sessions that it was joined with.
    joined: Vec<usize>,
}

pub(super) struct SessionGroups {
    kind: Arc<SessionMonoid>,
    parts: Vec<Box<dyn Groups>>,
    /// Groups of the parts so far.
    n_ids: usize,
    /// The sessions of each group, in order of time, further apart than the gap.
    groups: Vec<Vec<SessionSpan>>,
    n_spans: usize,
}

impl SessionGroups {
    pub(super) fn new(sessions: &Sessions) -> Self {
        let kind = sessions.0.clone();
        let parts = part_groups(&kind);
        SessionGroups { kind, parts, n_ids: 0, groups: Vec::new(), n_spans: 0 }
    }

    fn grow(&mut self, n_groups: usize) {
        if n_groups > self.groups.len() {
            self.groups.resize_with(n_groups, Vec::new);
        }
    }

    /// The group of the parts for events of a group from one time to another; sessions that touch become one.
    fn place(&mut self, group: usize, first: i64, last: i64) -> usize {
        let (gap, spans) = (self.kind.gap, &mut self.groups[group]);
        let from = match spans.last() {
            // Most events come in order of time.
            Some(latest) if latest.first <= first => {
                spans.len() - usize::from(latest.last.saturating_add(gap) >= first)
            }
            _ => spans.partition_point(|span| span.last.saturating_add(gap) < first),
        };
        let touches = |span: &SessionSpan| span.first <= last.saturating_add(gap);
        let to = from + spans[from..].partition_point(touches);
        if from == to {
            spans.insert(from, SessionSpan { first, last, id: self.n_ids, joined: Vec::new() });
            self.n_ids += 1;
            self.n_spans += 1;
            return self.n_ids - 1;
        }
        let others: Vec<SessionSpan> = spans.drain(from + 1..to).collect();
        self.n_spans -= others.len();
        let span = &mut spans[from];
        for other in others {
            span.last = span.last.max(other.last);
            span.joined.push(other.id);
            span.joined.extend(other.joined);
        }
        span.first = span.first.min(first);
        span.last = span.last.max(last);
        span.id
    }

    /// The states of the parts of these sessions, one row each.
    fn states_of(&self, emitted: &[ArrayRef], spans: &[SessionSpan]) -> Result<Vec<ArrayRef>> {
        let (mut ids, mut session_of) = (Vec::new(), Vec::new());
        for (session, span) in spans.iter().enumerate() {
            for id in std::iter::once(&span.id).chain(&span.joined) {
                ids.push(*id as u32);
                session_of.push(session);
            }
        }
        let (ids, is_disjoint) = (UInt32Array::from(ids), session_of.len() == spans.len());
        let failed = |_| self.kind.error("the states of the sessions do not fit into one column");
        let merged = |(part, states): (&super::SessionPart, &ArrayRef)| {
            let states = take(states, &ids, None).map_err(failed)?;
            if is_disjoint {
                return Ok(states);
            }
            let mut groups = part.monoid.groups();
            groups.merge(&states, &session_of, spans.len())?;
            groups.emit(spans.len())
        };
        self.kind.parts.iter().zip(emitted).map(merged).collect()
    }

    /// Keeps these sessions alone, with the states of their parts.
    fn keep(&mut self, groups: Vec<Vec<SessionSpan>>, states: &[ArrayRef]) -> Result<()> {
        self.parts = part_groups(&self.kind);
        self.groups = groups;
        self.n_ids = 0;
        for span in self.groups.iter_mut().flatten() {
            span.id = self.n_ids;
            span.joined = Vec::new();
            self.n_ids += 1;
        }
        self.n_spans = self.n_ids;
        let ids: Vec<usize> = (0..self.n_ids).collect();
        self.parts.iter_mut().zip(states).try_for_each(|(part, states)| part.merge(states, &ids, ids.len()))
    }
}

fn part_groups(kind: &SessionMonoid) -> Vec<Box<dyn Groups>> {
    kind.parts.iter().map(|part| part.monoid.groups()).collect()
}

impl Groups for SessionGroups {
    fn lift(
        &mut self,
        args: &[ArrayRef],
        groups: &[usize],
        filter: Option<&BooleanArray>,
        n_groups: usize,
    ) -> Result<()> {
        let kind = self.kind.clone();
        let problem = kind.error("the arguments are of other types, or differ in length");
        let types = args.iter().map(|arg| arg.data_type());
        let is_known = types.eq(&kind.description.inputs) && args.iter().all(|arg| arg.len() == groups.len());
        let times = args.first().and_then(|times| times.as_primitive_opt::<TimestampMicrosecondType>());
        let (true, Some(times)) = (is_known, times) else { return Err(problem) };
        if filter.is_some_and(|filter| filter.len() != groups.len()) {
            return Err(problem);
        }
        self.grow(n_groups);
        let selected = selection(times.nulls(), filter);
        let rows = selected.clone().unwrap_or_else(|| BooleanBuffer::new_set(groups.len()));
        let mut ids = vec![0; groups.len()];
        for row in rows.set_indices() {
            if groups[row] >= n_groups {
                return Err(not_below(&kind.description.name, n_groups));
            }
            ids[row] = self.place(groups[row], times.value(row), times.value(row));
        }
        if self.n_ids == 0 {
            return Ok(());
        }
        let mut rest = &args[1..];
        for (part, own) in self.kind.parts.iter().zip(&mut self.parts) {
            let (arguments, behind) = rest.split_at(part.monoid.inputs().len());
            let (filters, behind) = behind.split_at(usize::from(part.has_filter));
            rest = behind;
            let of_part = filters.first().and_then(|filter| selection(None, filter.as_boolean_opt()));
            let both = match (&selected, of_part) {
                (Some(selected), Some(of_part)) => Some(selected & &of_part),
                (selected, of_part) => of_part.or_else(|| selected.clone()),
            };
            let both = both.map(|both| BooleanArray::new(both, None));
            own.lift(arguments, &ids, both.as_ref(), self.n_ids)?;
        }
        Ok(())
    }

    fn merge(&mut self, states: &ArrayRef, groups: &[usize], n_groups: usize) -> Result<()> {
        let kind = self.kind.clone();
        let error = |problem| kind.error(problem);
        if states.len() != groups.len() {
            return Err(error("the states and the group numbers differ in length"));
        }
        self.grow(n_groups);
        let states = binary(states).map_err(error)?;
        let mut table = SessionTable::new(&kind.parts);
        let mut ids = Vec::new();
        for (row, group) in groups.iter().enumerate() {
            if *group >= n_groups {
                return Err(not_below(&kind.description.name, n_groups));
            }
            let n_sessions = table.decode(kind.gap, states.value(row)).map_err(error)?;
            let n_before = table.spans.len() - n_sessions;
            for (first, last) in &table.spans[n_before..] {
                ids.push(self.place(*group, *first, *last));
            }
        }
        let columns = table.columns().map_err(error)?;
        self.parts
            .iter_mut()
            .zip(&columns)
            .try_for_each(|(part, states)| part.merge(states, &ids, self.n_ids))
    }

    fn emit(&mut self, n: usize) -> Result<ArrayRef> {
        self.grow(n);
        let rest = self.groups.split_off(n);
        let first = std::mem::take(&mut self.groups);
        let n_ids = self.n_ids;
        let emitted = self.parts.iter_mut().map(|part| part.emit(n_ids)).collect::<Result<Vec<_>>>()?;
        let lengths: Vec<usize> = first.iter().map(Vec::len).collect();
        let spans: Vec<SessionSpan> = first.into_iter().flatten().collect();
        let states = self.states_of(&emitted, &spans)?;
        let rest_lengths: Vec<usize> = rest.iter().map(Vec::len).collect();
        let rest: Vec<SessionSpan> = rest.into_iter().flatten().collect();
        let rest_states = self.states_of(&emitted, &rest)?;
        let mut rest = rest.into_iter();
        let kept = rest_lengths.into_iter().map(|n_spans| rest.by_ref().take(n_spans).collect()).collect();
        self.keep(kept, &rest_states)?;
        column(&self.kind, &lengths, &spans, &states).map_err(|problem| self.kind.error(problem))
    }

    fn size(&self) -> usize {
        let parts: usize = self.parts.iter().map(|part| part.size()).sum();
        size_of::<Self>()
            + parts
            + self.groups.capacity() * size_of::<Vec<SessionSpan>>()
            + self.n_spans * size_of::<SessionSpan>()
    }
}

/// The canonical column of groups with these numbers of sessions.
fn column(
    kind: &SessionMonoid,
    lengths: &[usize],
    spans: &[SessionSpan],
    states: &[ArrayRef],
) -> Checked<ArrayRef> {
    let (mut bytes, mut offsets) = (Vec::new(), vec![0_i32]);
    let mut session = 0;
    for length in lengths {
        for span in &spans[session..session + length] {
            let states = states.iter().map(|column| bytes_at(column, session));
            encode((span.first, span.last), &kind.parts, states, &mut bytes);
            session += 1;
        }
        let end = i32::try_from(bytes.len());
        offsets.push(end.map_err(|_| "the states to emit at once exceed 2 GiB")?);
    }
    let offsets = OffsetBuffer::new(ScalarBuffer::from(offsets));
    BinaryArray::try_new(offsets, Buffer::from_vec(bytes), None)
        .map(|column| Arc::new(column) as ArrayRef)
        .map_err(|_| "the states do not fit into one column")
}

fn bytes_at(column: &ArrayRef, row: usize) -> &[u8] {
    match (column.as_fixed_size_binary_opt(), column.as_binary_opt::<i32>()) {
        (Some(column), _) => column.value(row),
        (None, Some(column)) => column.value(row),
        (None, None) => &[],
    }
}
