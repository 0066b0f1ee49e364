//! Values that are none although the record has something there: they are counted, as nothing leaves a result
//! in silence.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// Why a value is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum NoneReason {
    /// NaN or an infinity.
    NotFinite,
    /// It does not decode, and the field is declared `invalid as none`.
    Invalid,
}

/// The numbers of such values in the accepted records, by field and reason.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<(String, NoneReason, u64)>", into = "Vec<(String, NoneReason, u64)>")]
pub struct NoneValues {
    counts: BTreeMap<(String, NoneReason), u64>,
}

impl From<NoneValues> for Vec<(String, NoneReason, u64)> {
    fn from(values: NoneValues) -> Self {
        values.counts.into_iter().map(|((field, reason), n)| (field, reason, n)).collect()
    }
}

impl From<Vec<(String, NoneReason, u64)>> for NoneValues {
    fn from(counts: Vec<(String, NoneReason, u64)>) -> Self {
        let mut values = NoneValues::default();
        counts.into_iter().for_each(|(field, reason, n)| values.add_n(&field, reason, n));
        values
    }
}

impl NoneValues {
    /// Whether there are none of them.
    pub fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }

    /// Field, reason and number, in a fixed order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, NoneReason, u64)> {
        self.counts.iter().map(|((field, reason), count)| (field.as_str(), *reason, *count))
    }

    /// Counts more values of a field.
    pub fn add_n(&mut self, field: &str, reason: NoneReason, n: u64) {
        let count = self.counts.entry((field.to_owned(), reason)).or_default();
        *count = count.saturating_add(n);
    }

    /// Adds the numbers of other records. The order in which they are merged does not matter.
    pub fn merge(&mut self, other: NoneValues) {
        for (key, n) in other.counts {
            let count = self.counts.entry(key).or_default();
            *count = count.saturating_add(n);
        }
    }
}

impl fmt::Display for NoneReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            NoneReason::NotFinite => "NaN or infinite",
            NoneReason::Invalid => "invalid",
        })
    }
}

impl fmt::Display for NoneValues {
    /// `3 NaN or infinite values of `v`, 1 invalid value of `w` are none`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, (field, reason, count)) in self.iter().enumerate() {
            let comma = if place == 0 { "" } else { ", " };
            let values = if count == 1 { "value" } else { "values" };
            write!(f, "{comma}{count} {reason} {values} of `{field}`")?;
        }
        let total: u64 = self.counts.values().fold(0, |total, count| total.saturating_add(*count));
        f.write_str(if total == 1 { " is none" } else { " are none" })
    }
}
