//! The rows of two sets that differ, the largest differences first.
//!
//! Rows are found by their window and keys as bytes of Arrow's row format. Values are compared as what they
//! are: numbers of different types by their value, names of enums by their text.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use arrow::error::ArrowError;
use metricc_ir::{Kind, Value};

use super::cell::{Number, plain_text};
use super::row_set::{Column, RowSet};
use super::tolerance::Tolerance;

/// How much two rows of one group differ; ordered by that.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Size {
    /// Values that are no numbers.
    Other,
    /// The largest absolute difference of two numbers.
    Number(f64),
    /// A value on one side is none, or could not be computed.
    NoValue,
    /// The row is on one side alone; its largest number.
    OneSide(f64),
}

impl Size {
    fn rank(self) -> (u8, f64) {
        match self {
            Size::Other => (0, 0.0),
            Size::Number(size) => (1, size),
            Size::NoValue => (2, 0.0),
            Size::OneSide(size) => (3, size),
        }
    }

    /// The order of sizes.
    pub fn order(self, other: Self) -> Ordering {
        let ((class, size), (other_class, other_size)) = (self.rank(), other.rank());
        class.cmp(&other_class).then(size.total_cmp(&other_size))
    }
}

/// A group whose rows differ: their indices, at least one.
#[derive(Debug, Clone)]
pub struct DifferentRow {
    /// The row on the left side.
    pub left: Option<usize>,
    /// The row on the right side.
    pub right: Option<usize>,
    /// How much they differ.
    pub size: Size,
    /// The group as bytes.
    pub group: Box<[u8]>,
}

/// How two sets of rows compare.
#[derive(Debug, Clone, Default)]
pub struct Comparison {
    /// Groups whose values are equal.
    pub n_equal: usize,
    /// Groups whose values are equal within the tolerance, and not exactly.
    pub n_within: usize,
    /// Groups that both have, with other values.
    pub n_changed: usize,
    /// Groups of the left side alone.
    pub n_only_left: usize,
    /// Groups of the right side alone.
    pub n_only_right: usize,
    /// All that are not equal, the largest differences first.
    pub different: Vec<DifferentRow>,
    /// The largest difference of two numbers that are not equal, as a share of the larger one.
    pub largest_share: f64,
    /// The sum of such shares over all rows; a row or a value that one side lacks counts as 1.
    pub distance: f64,
}

impl Comparison {
    /// The first so many of the rows that differ; 0 is all.
    pub fn first(&self, n: usize) -> &[DifferentRow] {
        let n = if n == 0 { self.different.len() } else { n.min(self.different.len()) };
        &self.different[..n]
    }

    /// How much the row differs that does most; `None` if none does.
    pub fn size(&self) -> Option<Size> {
        self.different.first().map(|row| row.size)
    }
}

/// Compares the rows of two sets that have the same keys. Values are compared by their names; those that one
/// side lacks are not.
///
/// # Errors
/// If keys cannot be compared.
pub fn compare(left: &RowSet, right: &RowSet, tolerance: Tolerance) -> Result<Comparison, ArrowError> {
    let order: Vec<usize> = (0..left.keys.len()).collect();
    let of_right: Option<Vec<usize>> =
        left.keys.iter().map(|key| right.keys.iter().position(|other| key.is_alike(other))).collect();
    let of_right = of_right.filter(|keys| keys.len() == right.keys.len()).ok_or_else(|| {
        ArrowError::InvalidArgumentError("rows of different keys are not compared".to_owned())
    })?;
    let (left_groups, right_groups) = (left.groups(&order)?, right.groups(&of_right)?);
    let mut rest: BTreeMap<&[u8], usize> =
        right_groups.iter().enumerate().map(|(row, group)| (group.data(), row)).collect();
    let pairs = paired(left, right);
    let mut found = Comparison::default();
    for (row, group) in left_groups.iter().enumerate() {
        let group = group.data();
        let Some(other) = rest.remove(group) else {
            found.n_only_left += 1;
            found.take(Some(row), None, one_side(left, row), group);
            continue;
        };
        match found.values(&pairs, (row, other), tolerance) {
            Verdict::Equal => found.n_equal += 1,
            Verdict::Within => found.n_within += 1,
            Verdict::Different(size) => {
                found.n_changed += 1;
                found.take(Some(row), Some(other), size, group);
            }
        }
    }
    let mut rest: Vec<(usize, &[u8])> = rest.into_iter().map(|(group, row)| (row, group)).collect();
    rest.sort_unstable();
    for (row, group) in rest {
        found.n_only_right += 1;
        found.take(None, Some(row), one_side(right, row), group);
    }
    found.different.sort_by(|a, b| b.size.order(a.size));
    Ok(found)
}

/// The outputs that both sides have.
pub fn paired<'a>(left: &'a RowSet, right: &'a RowSet) -> Vec<(&'a Column, &'a Column)> {
    let pair = |output: &'a Column| {
        right.outputs.iter().find(|other| other.name == output.name).map(|other| (output, other))
    };
    left.outputs.iter().filter_map(pair).collect()
}

/// How the values of two rows, or two values, compare.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Verdict {
    Equal,
    Within,
    Different(Size),
}

impl Verdict {
    /// The verdict on both.
    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Verdict::Different(size), Verdict::Different(other)) => {
                Verdict::Different(if size.order(other) == Ordering::Less { other } else { size })
            }
            (Verdict::Different(size), _) | (_, Verdict::Different(size)) => Verdict::Different(size),
            (Verdict::Within, _) | (_, Verdict::Within) => Verdict::Within,
            (Verdict::Equal, Verdict::Equal) => Verdict::Equal,
        }
    }
}

impl Comparison {
    fn take(&mut self, left: Option<usize>, right: Option<usize>, size: Size, group: &[u8]) {
        if !matches!(size, Size::Number(_)) {
            self.distance += 1.0;
        }
        self.different.push(DifferentRow { left, right, size, group: group.into() });
    }

    fn values(
        &mut self,
        pairs: &[(&Column, &Column)],
        (row, other): (usize, usize),
        tolerance: Tolerance,
    ) -> Verdict {
        let cells = pairs.iter().map(|(left, right)| {
            if left.is_lost(row) != right.is_lost(other) {
                return Verdict::Different(Size::NoValue);
            }
            let (value, other) = (left.value(row), right.value(other));
            self.cell((&value, &left.kind), (&other, &right.kind), tolerance)
        });
        cells.collect::<Vec<_>>().into_iter().fold(Verdict::Equal, Verdict::and)
    }

    fn cell(
        &mut self,
        (value, kind): (&Value, &Kind),
        (other, other_kind): (&Value, &Kind),
        tolerance: Tolerance,
    ) -> Verdict {
        if let (Some(number), Some(other)) = (Number::of(value, kind), Number::of(other, other_kind)) {
            if number.is(other) {
                return Verdict::Equal;
            }
            let size = number.to(other).nearest().abs();
            let share = size / number.nearest().abs().max(other.nearest().abs());
            self.largest_share = self.largest_share.max(share);
            self.distance += share;
            return match tolerance.allows(size, share) {
                true => Verdict::Within,
                false => Verdict::Different(Size::Number(size)),
            };
        }
        let is_same = match kind == other_kind {
            true => value == other,
            false => plain_text(value, kind) == plain_text(other, other_kind),
        };
        match (value, other) {
            _ if is_same => Verdict::Equal,
            (Value::None, _) | (_, Value::None) => Verdict::Different(Size::NoValue),
            _ => Verdict::Different(Size::Other),
        }
    }
}

/// The size of a row that the other side does not have.
fn one_side(rows: &RowSet, row: usize) -> Size {
    let numbers = rows.outputs.iter().filter_map(|output| Number::of(&output.value(row), &output.kind));
    Size::OneSide(numbers.map(|number| number.nearest().abs()).fold(0.0, f64::max))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Float64Array, Int32Array, Int64Array, StringViewArray};

    use super::*;

    fn column(name: &str, kind: Kind, values: ArrayRef) -> Column {
        Column { name: name.to_owned(), kind, values, lost: None }
    }

    fn rows(keys: &[&str], values: &[Option<i64>]) -> RowSet {
        let keys: ArrayRef = Arc::new(StringViewArray::from(keys.to_vec()));
        let outputs: ArrayRef = Arc::new(Int64Array::from(values.to_vec()));
        RowSet {
            n_rows: values.len(),
            windows: None,
            keys: vec![column("k", Kind::String, keys)],
            outputs: vec![column("value", Kind::Int, outputs)],
        }
    }

    #[test]
    fn rows_of_one_side_and_nones_come_before_numbers_by_size() {
        let left = rows(&["a", "b", "c", "d", "e"], &[Some(1), Some(2), Some(3), Some(4), None]);
        let right = rows(&["b", "a", "d", "x", "e"], &[Some(7), Some(2), Some(4), Some(-9), Some(5)]);
        let found = compare(&left, &right, Tolerance::default()).unwrap();
        assert_eq!((found.n_equal, found.n_changed), (1, 3));
        assert_eq!((found.n_only_left, found.n_only_right), (1, 1));
        let places: Vec<_> = found.different.iter().map(|row| (row.left, row.right)).collect();
        let expected =
            [(None, Some(3)), (Some(2), None), (Some(4), Some(4)), (Some(1), Some(0)), (Some(0), Some(1))];
        assert_eq!(places, expected);
        assert_eq!(found.first(2).len(), 2);
        assert_eq!(found.first(0).len(), 5);
    }

    #[test]
    fn a_tolerance_is_a_share_of_the_larger_number() {
        let left = rows(&["a", "b", "c"], &[Some(100), Some(100), Some(5)]);
        let mut right = rows(&["a", "b", "c"], &[Some(0); 3]);
        let values: ArrayRef = Arc::new(Float64Array::from(vec![101.0, 102.0, 5.0]));
        right.outputs = vec![column("value", Kind::Float, values)];
        let found = compare(&left, &right, Tolerance { share: 0.01, amount: 0.0 }).unwrap();
        assert_eq!((found.n_equal, found.n_within, found.n_changed), (1, 1, 1));
        assert_eq!(found.different[0].left, Some(1));
        assert!((found.largest_share - 2.0 / 102.0).abs() < 1e-12);
    }

    #[test]
    fn an_amount_is_allowed_whatever_the_size_of_the_numbers() {
        let left = rows(&["a", "b", "c"], &[Some(1), Some(100), Some(5)]);
        let right = rows(&["a", "b", "c"], &[Some(3), Some(103), Some(5)]);
        let found = compare(&left, &right, Tolerance { share: 0.0, amount: 2.0 }).unwrap();
        assert_eq!((found.n_equal, found.n_within, found.n_changed), (1, 1, 1));
        assert_eq!(found.different[0].left, Some(1));
    }

    #[test]
    fn enums_are_compared_by_the_names_of_each_side() {
        let side = |names: &[&str], indices: Vec<i32>| {
            let kind = Kind::Enum(names.iter().map(|name| (*name).to_owned()).collect());
            let mut rows = rows(&["a", "b"], &[Some(1), Some(2)]);
            rows.keys = vec![column("k", kind, Arc::new(Int32Array::from(indices)))];
            rows
        };
        let (left, right) = (side(&["x", "y"], vec![0, 1]), side(&["y", "x"], vec![1, 0]));
        let found = compare(&left, &right, Tolerance::default()).unwrap();
        assert_eq!((found.n_equal, found.different.len()), (2, 0));
        assert!(compare(&left, &rows(&["x"], &[Some(1)]), Tolerance::default()).is_ok());
        let mut other = rows(&["x"], &[Some(1)]);
        other.keys[0].name = "other".to_owned();
        assert!(compare(&left, &other, Tolerance::default()).is_err());
    }
}
