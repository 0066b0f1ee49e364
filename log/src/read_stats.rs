//! Read statistics: counts of the records read, the records that do not decode, and what was seen of each
//! field. No record is dropped without a count.

use serde::{Deserialize, Serialize};

use crate::NoneValues;
use crate::rejections::{Quarantined, Rejections};

/// The most quarantined records that [`ReadStats`] holds in full; all are counted.
pub const MAX_QUARANTINED_KEPT: usize = 1000;

/// Statistics of the records of some positions of a log.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ReadStats {
    /// All records: accepted, quarantined and duplicate ones.
    pub n_records: u64,
    /// Records that did not decode.
    pub n_quarantined: u64,
    /// The first [`MAX_QUARANTINED_KEPT`] of them, by position.
    pub quarantined: Vec<Quarantined>,
    /// All of them, by field and reason.
    pub rejections: Rejections,
    /// What was seen of each field of the source, in its order; empty where that is not known.
    pub fields: Vec<FieldStats>,
    /// Records whose identity an earlier record has.
    pub n_duplicates: u64,
    /// Those of the duplicates whose payload differs from that of the record that won.
    pub n_conflicts: u64,
    /// Records of a topic that have no value. They say that a key is gone, are no events, and are in no other
    /// count.
    pub n_tombstones: u64,
    /// Values of accepted records that are none although something is there.
    pub none_values: NoneValues,
}

/// What was seen of a field.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct FieldStats {
    /// Whether a record, or the columns of its file, had the field, be it with null.
    pub seen: bool,
    /// The same of the fields of the records that it consists of; empty before the first of them.
    pub parts: Vec<FieldStats>,
}

impl FieldStats {
    /// Adds what was seen at other positions.
    pub fn merge(&mut self, other: &FieldStats) {
        self.seen |= other.seen;
        merge_each(&mut self.parts, &other.parts);
    }
}

/// Adds what was seen of each of some fields.
fn merge_each(own: &mut Vec<FieldStats>, others: &[FieldStats]) {
    if own.len() < others.len() {
        own.resize(others.len(), FieldStats::default());
    }
    own.iter_mut().zip(others).for_each(|(own, other)| own.merge(other));
}

impl ReadStats {
    /// Adds the statistics of other positions. The order in which they are merged does not matter.
    pub fn merge(&mut self, other: ReadStats) {
        self.n_records = self.n_records.saturating_add(other.n_records);
        self.n_quarantined = self.n_quarantined.saturating_add(other.n_quarantined);
        self.n_duplicates = self.n_duplicates.saturating_add(other.n_duplicates);
        self.n_conflicts = self.n_conflicts.saturating_add(other.n_conflicts);
        self.n_tombstones = self.n_tombstones.saturating_add(other.n_tombstones);
        self.none_values.merge(other.none_values);
        self.rejections.merge(other.rejections);
        self.add_fields(&other.fields);
        if !other.quarantined.is_empty() {
            self.quarantined.extend(other.quarantined);
            self.quarantined.sort_by_key(|record| record.position);
            self.quarantined.truncate(MAX_QUARANTINED_KEPT);
        }
    }

    /// Adds what was seen of the fields at other positions.
    pub(crate) fn add_fields(&mut self, fields: &[FieldStats]) {
        merge_each(&mut self.fields, fields);
    }

    /// Counts a quarantined record, and keeps it if there are not too many. Called in the order of positions.
    pub fn quarantine(&mut self, record: Quarantined) {
        self.n_quarantined += 1;
        if self.quarantined.len() < MAX_QUARANTINED_KEPT {
            self.quarantined.push(record.clone());
        }
        self.rejections.add(record);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Position;

    fn quarantined(offset: u64) -> Quarantined {
        Quarantined {
            position: Position { partition: 0, offset },
            path: "a.csv".into(),
            line: Some(offset + 2),
            has_known_offset: false,
            field: None,
            problem: "no".into(),
            excerpt: String::new(),
        }
    }

    #[test]
    fn merged_findings_keep_the_first_records_whatever_the_order() {
        let parts: Vec<ReadStats> = (0..4u64)
            .map(|part| {
                let mut stats = ReadStats { n_records: 400, ..ReadStats::default() };
                (0..400).for_each(|index| stats.quarantine(quarantined(index * 4 + part)));
                stats
            })
            .collect();
        let (mut forward, mut backward) = (ReadStats::default(), ReadStats::default());
        parts.iter().cloned().for_each(|part| forward.merge(part));
        parts.into_iter().rev().for_each(|part| backward.merge(part));
        assert_eq!(forward, backward);
        assert_eq!((forward.n_records, forward.n_quarantined), (1600, 1600));
        assert_eq!(forward.rejections.groups()[0].n_records, 1600);
        assert!(forward.quarantined.iter().map(|record| record.position.offset).eq(0..1000));
    }
}
