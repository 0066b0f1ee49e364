//! Which rows are wanted, as far as single fields tell: so that parts of a log whose statistics exclude all
//! of them need not be decoded.
//!
//! A reader may leave out rows that are not wanted, and never has to: those who ask drop them anyway. What is
//! left out counts as read, and whatever rejects a record is looked at in any case.

use std::cmp::Ordering;
use std::fmt;

/// Rows that meet all conditions of at least one list. By default that is all rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WantedRows {
    any_of: Vec<Vec<FieldCondition>>,
}

/// That the value of a field is within one of some ranges. Rows without a value do not meet it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldCondition {
    /// Index of the field in the source.
    pub field: usize,
    /// The ranges, at least one.
    pub ranges: Vec<ValueRange>,
}

/// The values from one bound to another, both included; without a bound, all on that side.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ValueRange {
    /// The least value.
    pub least: Option<Bound>,
    /// The greatest value.
    pub greatest: Option<Bound>,
}

/// A value that bounds others of its kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bound {
    /// An int; a timestamp in microseconds; a date in days.
    Int(i64),
    /// The bytes of a string, or of the name of an enum.
    Text(Vec<u8>),
}

impl Default for WantedRows {
    fn default() -> Self {
        WantedRows { any_of: vec![Vec::new()] }
    }
}

impl WantedRows {
    /// Rows that meet all conditions of at least one of these lists; an empty list is met by all rows.
    pub fn any_of(lists: Vec<Vec<FieldCondition>>) -> Self {
        if lists.iter().any(Vec::is_empty) {
            return WantedRows::default();
        }
        let mut any_of: Vec<Vec<FieldCondition>> = Vec::new();
        for list in lists {
            if !any_of.contains(&list) {
                any_of.push(list);
            }
        }
        WantedRows { any_of }
    }

    /// The lists of conditions.
    pub fn lists(&self) -> &[Vec<FieldCondition>] {
        &self.any_of
    }

    /// Whether they are all rows.
    pub fn is_all(&self) -> bool {
        self.any_of.iter().any(Vec::is_empty)
    }

    /// Whether none of some rows is among them, by what is known of the fields: the range that the values of
    /// a field are in, [`Known::None`] if there are no values.
    pub(crate) fn excludes(&self, known: impl Fn(usize) -> Known) -> bool {
        let fails = |condition: &FieldCondition| match known(condition.field) {
            Known::Nothing => false,
            Known::None => true,
            Known::Within(values) => condition.ranges.iter().all(|range| range.is_disjoint(&values)),
        };
        self.any_of.iter().all(|conditions| conditions.iter().any(fails))
    }
}

/// What is known of the values of a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Known {
    /// Nothing.
    Nothing,
    /// All of them are none.
    None,
    /// Those that are not none are in a range.
    Within(ValueRange),
}

impl ValueRange {
    /// One value.
    pub fn of(value: Bound) -> Self {
        ValueRange { least: Some(value.clone()), greatest: Some(value) }
    }

    fn is_disjoint(&self, other: &ValueRange) -> bool {
        let is_above = |least: &Option<Bound>, greatest: &Option<Bound>| match (least, greatest) {
            (Some(least), Some(greatest)) => least.compare(greatest) == Some(Ordering::Greater),
            _ => false,
        };
        is_above(&self.least, &other.greatest) || is_above(&other.least, &self.greatest)
    }
}

/// As `3..9`, both included, or as the only value.
impl fmt::Display for ValueRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.least, &self.greatest) {
            (Some(least), Some(greatest)) if least == greatest => least.fmt(f),
            (least, greatest) => {
                least.iter().try_for_each(|bound| bound.fmt(f))?;
                f.write_str("..")?;
                greatest.iter().try_for_each(|bound| bound.fmt(f))
            }
        }
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Bound::Int(value) => value.fmt(f),
            Bound::Text(bytes) => write!(f, "{:?}", String::from_utf8_lossy(bytes)),
        }
    }
}

impl Bound {
    fn compare(&self, other: &Bound) -> Option<Ordering> {
        match (self, other) {
            (Bound::Int(left), Bound::Int(right)) => Some(left.cmp(right)),
            (Bound::Text(left), Bound::Text(right)) => Some(left.cmp(right)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(least: Option<i64>, greatest: Option<i64>) -> ValueRange {
        ValueRange { least: least.map(Bound::Int), greatest: greatest.map(Bound::Int) }
    }

    fn condition(field: usize, ranges: Vec<ValueRange>) -> FieldCondition {
        FieldCondition { field, ranges }
    }

    #[test]
    fn rows_are_excluded_if_every_list_has_a_condition_that_fails() {
        let low = condition(0, vec![range(None, Some(9))]);
        let some = condition(1, vec![range(Some(3), Some(3)), range(Some(5), None)]);
        let wanted = WantedRows::any_of(vec![vec![low.clone()], vec![some]]);
        let known = |zero: Known, one: Known| move |field: usize| [zero.clone(), one.clone()][field].clone();
        let within = |least, greatest| Known::Within(range(Some(least), Some(greatest)));
        assert!(wanted.excludes(known(within(10, 20), within(4, 4))));
        assert!(wanted.excludes(known(Known::None, within(4, 4))));
        assert!(wanted.excludes(known(within(10, 20), within(0, 2))));
        assert!(!wanted.excludes(known(within(9, 20), within(4, 4))));
        assert!(!wanted.excludes(known(within(10, 20), within(4, 5))));
        assert!(!wanted.excludes(known(within(10, 20), within(3, 4))));
        assert!(!wanted.excludes(known(Known::Nothing, within(4, 4))));
        assert!(WantedRows::any_of(vec![vec![low], Vec::new()]).is_all());
        assert!(!WantedRows::default().excludes(known(Known::None, Known::None)));
    }

    #[test]
    fn bounds_of_different_kinds_exclude_nothing() {
        let text = ValueRange::of(Bound::Text(b"a".to_vec()));
        let wanted = WantedRows::any_of(vec![vec![condition(0, vec![text])]]);
        assert!(!wanted.excludes(|_| Known::Within(range(Some(1), Some(2)))));
    }
}
