//! Rejected records grouped by what is wrong with them, in bounded memory.
//!
//! Groups are kept by a hash of their field and reason: the [`MAX_GROUPS`] with the smallest ones. A group
//! among the smallest of a whole log is among the smallest of each of its parts, so the counts of the groups
//! that are kept are exact, and merging gives the same groups whatever the parts and their order.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use twox_hash::XxHash3_64;

use crate::Position;

/// The most groups that are kept.
pub const MAX_GROUPS: usize = 256;

/// A record that did not decode.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quarantined {
    /// Its position in the log.
    pub position: Position,
    /// Its file, or the partition of its topic.
    pub path: Arc<str>,
    /// The line it starts in, counted from 1; `None` for Parquet.
    pub line: Option<u64>,
    /// Whether its offset is what others know it by, as they know records of a topic. Those of files are
    /// counted from 1 in messages.
    pub has_known_offset: bool,
    /// The field that did not decode; `None` if it is the record as a whole.
    pub field: Option<String>,
    /// What is wrong.
    pub problem: String,
    /// The value (or the record, without a field) as it was read, at most 80 characters.
    pub excerpt: String,
}

impl fmt::Display for Quarantined {
    /// `log/a.ndjson:12 (position [0, 11]): field `v`: not an int: "1.7"`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.path)?;
        match self.line {
            Some(line) => write!(f, ":{line}")?,
            None if self.has_known_offset => write!(f, ", offset {}", self.position.offset)?,
            None => {}
        }
        write!(f, " (position [{}, {}]): ", self.position.partition, self.position.offset)?;
        if let Some(field) = &self.field {
            write!(f, "field `{field}`: ")?;
        }
        f.write_str(&self.problem)?;
        if self.excerpt.is_empty() { Ok(()) } else { write!(f, ": {}", self.excerpt) }
    }
}

/// The rejected records of some positions of a log, by field and reason.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(from = "GroupList", into = "GroupList")]
pub struct Rejections {
    groups: BTreeMap<GroupKey, RejectionGroup>,
    /// Whether groups were left out.
    is_cut: bool,
}

/// The groups as they are written: their keys follow from them.
#[derive(Serialize, Deserialize)]
struct GroupList {
    groups: Vec<RejectionGroup>,
    is_cut: bool,
}

impl From<Rejections> for GroupList {
    fn from(rejections: Rejections) -> Self {
        GroupList { groups: rejections.groups.into_values().collect(), is_cut: rejections.is_cut }
    }
}

impl From<GroupList> for Rejections {
    fn from(list: GroupList) -> Self {
        let mut rejections = Rejections { is_cut: list.is_cut, ..Rejections::default() };
        list.groups.into_iter().for_each(|group| rejections.join(key_of(&group.first), group));
        rejections
    }
}

/// The hash of a field and a reason, then both: equal hashes do not join groups.
type GroupKey = (u64, Option<String>, String);

/// The records that were rejected for one reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RejectionGroup {
    /// Their number.
    pub n_records: u64,
    /// The one with the first position.
    pub first: Quarantined,
}

/// The same reason for each record that has it: numbers in it, such as the byte of a mistake, do not count.
fn kind_of(problem: &str) -> String {
    let mut kind = String::with_capacity(problem.len());
    for character in problem.chars() {
        match character {
            '0'..='9' if kind.ends_with('#') => {}
            '0'..='9' => kind.push('#'),
            other => kind.push(other),
        }
    }
    kind
}

fn key_of(record: &Quarantined) -> GroupKey {
    let kind = kind_of(&record.problem);
    let field = record.field.as_deref().unwrap_or_default();
    let hash = XxHash3_64::oneshot_with_seed(XxHash3_64::oneshot(field.as_bytes()), kind.as_bytes());
    (hash, record.field.clone(), kind)
}

impl Rejections {
    /// Counts a record.
    pub fn add(&mut self, record: Quarantined) {
        self.join(key_of(&record), RejectionGroup { n_records: 1, first: record });
    }

    /// Adds the records of other positions.
    pub fn merge(&mut self, other: Rejections) {
        self.is_cut |= other.is_cut;
        other.groups.into_iter().for_each(|(key, group)| self.join(key, group));
    }

    fn join(&mut self, key: GroupKey, group: RejectionGroup) {
        if let Some(own) = self.groups.get_mut(&key) {
            own.n_records += group.n_records;
            if group.first.position < own.first.position {
                own.first = group.first;
            }
            return;
        }
        let is_full = self.groups.len() >= MAX_GROUPS;
        self.is_cut |= is_full;
        if is_full && self.groups.last_key_value().is_some_and(|(last, _)| key > *last) {
            return;
        }
        self.groups.insert(key, group);
        if is_full {
            self.groups.pop_last();
        }
    }

    /// The groups, the largest first; groups of one size in the order of their first positions.
    pub fn groups(&self) -> Vec<&RejectionGroup> {
        let mut groups: Vec<&RejectionGroup> = self.groups.values().collect();
        groups.sort_by_key(|group| (std::cmp::Reverse(group.n_records), group.first.position));
        groups
    }

    /// Whether there were more reasons than are kept.
    pub fn is_cut(&self) -> bool {
        self.is_cut
    }
}

impl fmt::Display for RejectionGroup {
    /// ``field `date`: not a date: `Jan 1 2000` (stocks.csv:2)``.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Quarantined { position, path, line, has_known_offset, field, problem, excerpt } = &self.first;
        if let Some(field) = field {
            write!(f, "field `{field}`: ")?;
        }
        f.write_str(problem)?;
        if !excerpt.is_empty() {
            write!(f, ": `{excerpt}`")?;
        }
        match line {
            Some(line) => write!(f, " ({path}:{line})"),
            None if *has_known_offset => write!(f, " ({path}, offset {})", position.offset),
            None => write!(f, " ({path}, record {})", position.offset + 1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rejected(offset: u64, problem: &str) -> Quarantined {
        Quarantined {
            position: Position { partition: 0, offset },
            path: "a.csv".into(),
            line: Some(offset + 2),
            has_known_offset: false,
            field: Some("v".into()),
            problem: problem.into(),
            excerpt: "x".into(),
        }
    }

    #[test]
    fn a_reason_is_one_group_whatever_numbers_are_in_it() {
        let mut rejections = Rejections::default();
        for (offset, problem) in
            [(7, "no JSON at byte 12: x"), (3, "no JSON at byte 4: x"), (5, "not an int")]
        {
            rejections.add(rejected(offset, problem));
        }
        let groups: Vec<String> =
            rejections.groups().iter().map(|group| format!("{} {group}", group.n_records)).collect();
        assert_eq!(
            groups,
            ["2 field `v`: no JSON at byte 4: x: `x` (a.csv:5)", "1 field `v`: not an int: `x` (a.csv:7)"]
        );
    }

    #[test]
    fn a_million_reasons_take_bounded_memory_and_do_not_depend_on_how_they_are_divided() {
        // Letters, since numbers do not tell reasons apart.
        let reason = |n: u64| -> String {
            (0..5).map(|digit| char::from(b'a' + u8::try_from(n / 16_u64.pow(digit) % 16).unwrap())).collect()
        };
        let mut whole = Rejections::default();
        let mut parts = vec![Rejections::default(); 3];
        for n in 0..1_000_000u64 {
            whole.add(rejected(n, &reason(n)));
            parts[usize::try_from(n * 7 % 3).unwrap()].add(rejected(n, &reason(n)));
        }
        parts.rotate_left(1);
        let merged = parts.into_iter().fold(Rejections::default(), |mut merged, part| {
            merged.merge(part);
            merged
        });
        assert_eq!(merged, whole);
        assert_eq!((whole.groups.len(), whole.is_cut()), (MAX_GROUPS, true));
    }
}
