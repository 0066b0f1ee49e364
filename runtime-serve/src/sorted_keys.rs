//! From the keys of a segment to its rows, by its order alone.
//!
//! The rows of a segment are sorted by the starts of their windows and then by keys, so within a window a binary
//! search finds the row of a combination of keys. It takes nothing to build and no memory. With many windows a
//! read would search each of them, and an index is better.

use std::cmp::Ordering;
use std::ops::Range;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::TimestampMicrosecondType;
use metricc_algebra::ValueBytes;

/// Most windows of a segment that is searched.
const FEW_WINDOWS: usize = 32;

/// The rows of each window, if there are few: the columns before the keys are none, or the starts of windows,
/// ascending. `None` with many windows, and with other columns.
pub(crate) fn few_windows(before_keys: &[ArrayRef], n_rows: usize) -> Option<Vec<Range<usize>>> {
    let [column] = before_keys else {
        return before_keys.is_empty().then(|| std::iter::once(0..n_rows).collect());
    };
    let starts =
        column.as_primitive_opt::<TimestampMicrosecondType>().filter(|column| column.null_count() == 0)?;
    let (starts, mut windows, mut from) = (starts.values(), Vec::new(), 0);
    while let Some(start) = starts.get(from) {
        if windows.len() == FEW_WINDOWS {
            return None;
        }
        let to = from + starts[from..].partition_point(|other| other <= start);
        windows.push(from..to);
        from = to;
    }
    Some(windows)
}

/// The rows with these keys, ascending: for each column the bytes of its value, or null. Within each window, the
/// rows are sorted by `keys`, nulls first, and no two have the same.
pub(crate) fn rows_of(windows: &[Range<usize>], keys: &[ArrayRef], wanted: &[Option<Vec<u8>>]) -> Vec<u32> {
    let keys: Vec<ValueBytes> = keys.iter().map(ValueBytes::of).collect();
    // Bytes compare as their values do.
    let order = |row: usize| -> Ordering {
        let columns = keys.iter().zip(wanted);
        let orders = columns.map(|(key, wanted)| key.with(row, |value| value.cmp(&wanted.as_deref())));
        orders.fold(Ordering::Equal, Ordering::then)
    };
    let of_window = |window: &Range<usize>| {
        let (mut from, mut to) = (window.start, window.end);
        while from < to {
            let middle = from + (to - from) / 2;
            match order(middle) {
                Ordering::Less => from = middle + 1,
                Ordering::Equal => return Some(middle as u32),
                Ordering::Greater => to = middle,
            }
        }
        None
    };
    windows.iter().filter_map(of_window).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Int64Array, StringViewArray, TimestampMicrosecondArray};
    use metricc_algebra::value_bytes;

    use super::*;

    /// Windows of rows that are sorted by a text and a number, each with nulls.
    fn table(n_windows: usize) -> (ArrayRef, [ArrayRef; 2]) {
        let texts = [None, Some(""), Some("a"), Some("a text that no view holds")];
        let numbers = [None, Some(-3_i64), Some(0), Some(7)];
        let rows = || {
            (0..n_windows).flat_map(|_| texts.iter().flat_map(|text| numbers.map(|number| (*text, number))))
        };
        let starts = (0..n_windows as i64).flat_map(|window| vec![window * 60; texts.len() * numbers.len()]);
        (
            Arc::new(TimestampMicrosecondArray::from_iter_values(starts)),
            [
                Arc::new(rows().map(|(text, _)| text).collect::<StringViewArray>()),
                Arc::new(rows().map(|(_, number)| number).collect::<Int64Array>()),
            ],
        )
    }

    #[test]
    fn every_row_is_found_by_its_keys_in_order_and_nothing_else() {
        let (starts, keys) = table(FEW_WINDOWS);
        let n_rows = starts.len();
        let windows = few_windows(&[starts], n_rows).unwrap();
        assert_eq!(windows.len(), FEW_WINDOWS);
        let of_row = |row: usize| keys.iter().map(|key| value_bytes(key, row)).collect::<Vec<_>>();
        for row in 0..n_rows {
            let expected: Vec<u32> =
                (0..n_rows).filter(|other| of_row(*other) == of_row(row)).map(|row| row as u32).collect();
            assert_eq!(rows_of(&windows, &keys, &of_row(row)), expected);
        }
        for other in [&[Some(b"b".to_vec()), None][..], &[Some(b"a".to_vec()), Some(vec![0; 8])]] {
            assert!(rows_of(&windows, &keys, other).is_empty());
        }
    }

    #[test]
    fn without_windows_all_rows_are_one_range() {
        let (_, keys) = table(1);
        let windows = few_windows(&[], keys[0].len()).unwrap();
        assert_eq!((windows.len(), windows[0].clone()), (1, 0..16));
        assert_eq!(rows_of(&windows, &keys, &[None, None]), [0]);
        assert_eq!(rows_of(&few_windows(&[], 0).unwrap(), &keys, &[None, None]), Vec::<u32>::new());
    }

    #[test]
    fn many_windows_are_not_searched() {
        let (starts, keys) = table(FEW_WINDOWS + 1);
        assert_eq!(few_windows(&[starts], keys[0].len()), None);
    }
}
