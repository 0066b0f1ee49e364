//! Groups as bytes that compare like their values: rows of `arrow::row`, packed into an integer where they
//! fit.
//!
//! With many keys, both engines spend most of their time sorting groups and looking them up. Rows of one
//! width of up to 16 bytes, without the null markers of columns that have no nulls, are packed into one
//! integer: a window start and an int key fit. All others stay rows.
//!
//! The bytes are Arrow's own. Packing relies on two properties of that format, and nothing else of it is
//! repeated here: a value of fixed width has the same width in every row, and its first byte is the null
//! marker.

use std::cmp::Ordering;
use std::ops::Range;

use arrow::array::{ArrayData, ArrayRef, make_array};
use arrow::buffer::MutableBuffer;
use arrow::datatypes::{DataType, Field};
use arrow::error::ArrowError;
use arrow::row::{RowConverter, Rows, SortField};

/// Bytes that a [`PackedGroup`] holds.
const PACKED_BYTES: usize = 16;

/// Rows that are made at a time for groups that pack: few, so that they take little memory.
const PACKED_AT_A_TIME: usize = 8192;

/// Ends of sorted runs up to which merging the runs is the better way to sort.
const FEW_RUNS: usize = 64;

/// The packed bytes of a row, most significant first, then zeros: integers compare like rows.
pub type PackedGroup = u128;

/// The row format of a metric's group columns.
#[derive(Debug)]
pub struct GroupRows {
    converter: RowConverter,
    packing: Option<Packing>,
}

/// How rows of one width become packed bytes.
#[derive(Debug)]
struct Packing {
    /// The bytes in which rows differ.
    kept: Vec<Range<usize>>,
    /// Any row; the bytes that are not kept are the same in all rows.
    pattern: Vec<u8>,
    /// Bytes that are kept, at most [`PACKED_BYTES`].
    width: usize,
}

impl GroupRows {
    pub(crate) fn new(fields: &[Field]) -> Result<Self, ArrowError> {
        let sort_fields = fields.iter().map(|field| SortField::new(field.data_type().clone())).collect();
        Ok(GroupRows { converter: RowConverter::new(sort_fields)?, packing: Packing::of(fields)? })
    }

    /// Bytes of a packed group; `None` if the groups of this metric do not pack.
    pub fn packed_width(&self) -> Option<usize> {
        self.packing.as_ref().map(|packing| packing.width)
    }

    /// The rows of the group columns.
    pub fn rows(&self, groups: &[ArrayRef]) -> Result<Rows, ArrowError> {
        self.converter.convert_columns(groups)
    }

    /// The group columns of rows, given as their bytes.
    pub fn columns<'a>(&self, rows: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<ArrayRef>, ArrowError> {
        let parser = self.converter.parser();
        self.converter.convert_rows(rows.into_iter().map(|row| parser.parse(row)))
    }

    /// The packed form of a row.
    ///
    /// # Panics
    /// If the groups do not pack, or the row is of another metric.
    #[inline]
    pub fn pack(&self, row: &[u8]) -> PackedGroup {
        let packing = self.packing.as_ref().expect("groups are packed only if they have a packed width");
        let mut bytes = [0; PACKED_BYTES];
        let mut at = 0;
        for kept in &packing.kept {
            bytes[at..at + kept.len()].copy_from_slice(&row[kept.clone()]);
            at += kept.len();
        }
        PackedGroup::from_be_bytes(bytes)
    }

    /// Appends the bytes of the row that was packed; the inverse of [`GroupRows::pack`].
    ///
    /// # Panics
    /// If the groups do not pack.
    pub fn unpack(&self, packed: PackedGroup, row: &mut Vec<u8>) {
        let packing = self.packing.as_ref().expect("groups are packed only if they have a packed width");
        let (start, bytes) = (row.len(), packed.to_be_bytes());
        row.extend_from_slice(&packing.pattern);
        let mut at = 0;
        for kept in &packing.kept {
            row[start + kept.start..start + kept.end].copy_from_slice(&bytes[at..at + kept.len()]);
            at += kept.len();
        }
    }

    /// The order of at most 2³² rows, as indices, and for each of them whether a new group begins there.
    /// Equal rows come in any order: the states of a group merge to the same bytes in each.
    pub fn order(&self, rows: &Rows) -> (Vec<u32>, Vec<bool>) {
        match self.packed_width() {
            Some(0..=8) => order_of(self.packed(rows).map(upper_half).zip(0..).collect(), u64::cmp),
            Some(_) => order_of(self.packed(rows).zip(0..).collect(), u128::cmp),
            None => order_of(rows.iter().zip(0..).collect(), Ord::cmp),
        }
    }

    /// As [`GroupRows::order`], of group columns. Of groups that pack, the rows are never all in memory.
    ///
    /// # Errors
    /// If the columns are of another metric.
    pub fn order_of_columns(&self, groups: &[ArrayRef]) -> Result<(Vec<u32>, Vec<bool>), ArrowError> {
        Ok(match self.packed_width() {
            Some(0..=8) => order_of(self.keyed(groups, upper_half)?, u64::cmp),
            Some(_) => order_of(self.keyed(groups, |packed| packed)?, u128::cmp),
            None => self.order(&self.rows(groups)?),
        })
    }

    /// What is made of the packed form of each group, with its index.
    fn keyed<K>(
        &self,
        groups: &[ArrayRef],
        key: impl Fn(PackedGroup) -> K,
    ) -> Result<Vec<(K, u32)>, ArrowError> {
        let n_rows = groups.first().map_or(0, |column| column.len());
        let mut keyed = Vec::with_capacity(n_rows);
        for start in (0..n_rows).step_by(PACKED_AT_A_TIME) {
            let n_taken = PACKED_AT_A_TIME.min(n_rows - start);
            let taken: Vec<ArrayRef> = groups.iter().map(|column| column.slice(start, n_taken)).collect();
            keyed.extend(self.packed(&self.rows(&taken)?).map(&key).zip(start as u32..));
        }
        Ok(keyed)
    }

    fn packed<'a>(&'a self, rows: &'a Rows) -> impl Iterator<Item = PackedGroup> + 'a {
        rows.iter().map(|row| self.pack(row.as_ref()))
    }
}

/// Packed bytes of a width of up to 8.
fn upper_half(packed: PackedGroup) -> u64 {
    (packed >> 64) as u64
}

/// Runs that are sorted already, such as the two sides of a merge, cost one comparison per row.
fn order_of<K>(mut keyed: Vec<(K, u32)>, compare: impl Fn(&K, &K) -> Ordering) -> (Vec<u32>, Vec<bool>) {
    let by_key = |(left, _): &(K, u32), (right, _): &(K, u32)| compare(left, right);
    let ends_run = |pair: &&[(K, u32)]| by_key(&pair[0], &pair[1]).is_gt();
    if keyed.windows(2).filter(ends_run).nth(FEW_RUNS).is_none() {
        // The stable sort finds runs and merges them; the unstable sort is faster on everything else.
        keyed.sort_by(by_key);
    } else {
        keyed.sort_unstable_by(by_key);
    }
    let is_first = |index: usize| index == 0 || by_key(&keyed[index - 1], &keyed[index]).is_ne();
    let firsts = (0..keyed.len()).map(is_first).collect();
    (keyed.into_iter().map(|(_, row)| row).collect(), firsts)
}

impl Packing {
    fn of(fields: &[Field]) -> Result<Option<Self>, ArrowError> {
        let (mut kept, mut pattern, mut width): (Vec<Range<usize>>, _, _) = (Vec::new(), Vec::new(), 0);
        for field in fields {
            let Some(row) = zero_row(field.data_type())? else { return Ok(None) };
            let marker = pattern.len();
            pattern.extend_from_slice(&row);
            let from = if field.is_nullable() { marker } else { marker + 1 };
            kept.push(from..pattern.len());
            width += pattern.len() - from;
        }
        Ok((width <= PACKED_BYTES).then_some(Packing { kept, pattern, width }))
    }
}

/// The row of a zero of this type; `None` if its values have no fixed width, or a width that does not fit.
fn zero_row(data_type: &DataType) -> Result<Option<Vec<u8>>, ArrowError> {
    let is_fixed = match data_type {
        DataType::Boolean => true,
        data_type => data_type.primitive_width().is_some_and(|width| width <= PACKED_BYTES),
    };
    if !is_fixed {
        return Ok(None);
    }
    let zeros = MutableBuffer::from_len_zeroed(PACKED_BYTES).into();
    let zero = make_array(ArrayData::builder(data_type.clone()).len(1).add_buffer(zeros).build()?);
    let converter = RowConverter::new(vec![SortField::new(data_type.clone())])?;
    Ok(Some(converter.convert_columns(&[zero])?.row(0).data().to_vec()))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{BooleanArray, Float64Array, Int64Array, StringArray, TimestampMicrosecondArray};
    use arrow::datatypes::TimeUnit;

    use super::*;

    fn assert_packs(fields: &[Field], columns: &[ArrayRef], width: Option<usize>) {
        let groups = GroupRows::new(fields).unwrap();
        assert_eq!(groups.packed_width(), width);
        let rows = groups.rows(columns).unwrap();
        let mut expected: Vec<u32> = (0..rows.num_rows() as u32).collect();
        expected.sort_by_key(|&row| rows.row(row as usize));
        assert_eq!(groups.order(&rows).0, expected);
        assert_eq!(groups.order_of_columns(columns).unwrap(), groups.order(&rows));
        if width.is_some() {
            for row in &rows {
                let mut bytes = b"before".to_vec();
                groups.unpack(groups.pack(row.as_ref()), &mut bytes);
                assert_eq!(&bytes[6..], row.as_ref());
            }
        }
        let back = groups.columns(rows.iter().map(|row| row.data())).unwrap();
        assert_eq!(back, columns);
    }

    #[test]
    fn packed_groups_sort_like_rows_and_come_back() {
        let ints: ArrayRef = Arc::new(Int64Array::from(vec![3, -1, i64::MAX, i64::MIN, 3, 0]));
        let nones: ArrayRef =
            Arc::new(Int64Array::from(vec![Some(3), None, Some(-3), Some(0), None, Some(0)]));
        let times: ArrayRef = Arc::new(TimestampMicrosecondArray::from(vec![5, -5, 5, 0, 5, 0]));
        let flags: ArrayRef = Arc::new(BooleanArray::from(vec![true, false, true, false, true, false]));
        let floats: ArrayRef = Arc::new(Float64Array::from(vec![1.5, -1.5, f64::MAX, f64::MIN, 5e-324, 0.0]));
        let int = Field::new("int", DataType::Int64, false);
        let none = Field::new("none", DataType::Int64, true);
        let time = Field::new("time", DataType::Timestamp(TimeUnit::Microsecond, None), false);
        let flag = Field::new("flag", DataType::Boolean, false);
        let float = Field::new("float", DataType::Float64, false);
        assert_packs(std::slice::from_ref(&int), std::slice::from_ref(&ints), Some(8));
        assert_packs(std::slice::from_ref(&none), std::slice::from_ref(&nones), Some(9));
        assert_packs(&[time.clone(), int.clone()], &[times.clone(), ints.clone()], Some(16));
        assert_packs(&[time.clone(), float], &[times.clone(), floats], Some(16));
        assert_packs(&[flag.clone(), none.clone()], &[flags.clone(), nones.clone()], Some(10));
        assert_packs(&[time, none], &[times, nones], None);
        let texts: ArrayRef = Arc::new(StringArray::from(vec!["b", "", "a", "ab", "b", "\u{0}"]));
        assert_packs(&[flag, Field::new("text", DataType::Utf8, false)], &[flags, texts], None);
    }

    #[test]
    fn a_new_group_begins_where_the_key_changes() {
        let fields = [Field::new("int", DataType::Int64, false)];
        let groups = GroupRows::new(&fields).unwrap();
        let column: ArrayRef = Arc::new(Int64Array::from(vec![2, 1, 2, 1, 0]));
        let rows = groups.rows(&[column]).unwrap();
        assert_eq!(groups.order(&rows), (vec![4, 1, 3, 0, 2], vec![true, true, false, true, false]));
    }

    #[test]
    fn many_runs_are_sorted_like_few() {
        let fields = [Field::new("int", DataType::Int64, false)];
        let groups = GroupRows::new(&fields).unwrap();
        let values: Vec<i64> =
            (0..2 * PACKED_AT_A_TIME as i64 + 5).map(|row| row * 7919 % 501 - 250).collect();
        let column: ArrayRef = Arc::new(Int64Array::from(values.clone()));
        let (order, firsts) = groups.order_of_columns(&[column]).unwrap();
        let sorted: Vec<i64> = order.iter().map(|&row| values[row as usize]).collect();
        assert!(sorted.is_sorted());
        assert_eq!(firsts.iter().filter(|is_first| **is_first).count(), 501);
    }
}
