//! From the keys of a segment to its rows.
//!
//! Rows whose keys have one hash are in one chain; whoever follows it compares keys. So the index holds a
//! hash and two row numbers a key, and no keys: some 30 bytes, however long those are.

use arrow::array::ArrayRef;
use hashbrown::HashTable;
use metricc_algebra::ValueBytes;
use twox_hash::XxHash3_64;

/// The end of a chain.
const NONE: u32 = u32::MAX;

/// The rows of each combination of keys.
#[derive(Debug)]
pub(crate) struct KeyIndex {
    /// Hashes of keys, each with the first of its rows.
    chains: HashTable<(u64, u32)>,
    /// For each row the next one of its chain. Empty if no chain has two rows.
    next: Vec<u32>,
}

impl KeyIndex {
    /// The index of a table by these columns, which has fewer than 2³² rows.
    pub(crate) fn new(keys: &[ArrayRef], n_rows: usize) -> Self {
        let keys: Vec<ValueBytes> = keys.iter().map(ValueBytes::of).collect();
        let (mut chains, mut next) = (HashTable::with_capacity(n_rows.min(1 << 16)), Vec::new());
        let mut bytes = Vec::new();
        // From the last row on, so that chains ascend.
        for row in (0..n_rows).rev() {
            bytes.clear();
            keys.iter().for_each(|key| key.with(row, |value| push(value, &mut bytes)));
            let hash = XxHash3_64::oneshot(&bytes);
            let is_chain = |(of_chain, _): &(u64, u32)| *of_chain == hash;
            match chains.find_mut(hash, is_chain) {
                None => {
                    chains.insert_unique(hash, (hash, row as u32), |(of_chain, _)| *of_chain);
                }
                Some((_, first)) => {
                    next.resize(n_rows, NONE);
                    next[row] = std::mem::replace(first, row as u32);
                }
            }
        }
        chains.shrink_to_fit(|(of_chain, _)| *of_chain);
        KeyIndex { chains, next }
    }

    /// The rows with these keys, ascending: for each column the bytes of its value, or null. `keys` are the
    /// columns that the index was made of.
    pub(crate) fn rows(&self, keys: &[ArrayRef], wanted: &[Option<Vec<u8>>]) -> Vec<u32> {
        let mut bytes = Vec::new();
        wanted.iter().for_each(|value| push(value.as_deref(), &mut bytes));
        let hash = XxHash3_64::oneshot(&bytes);
        let found = self.chains.find(hash, |(of_chain, _)| *of_chain == hash);
        let keys: Vec<ValueBytes> = keys.iter().map(ValueBytes::of).collect();
        let has_keys = |row: &u32| {
            let mut columns = keys.iter().zip(wanted);
            columns.all(|(key, wanted)| key.with(*row as usize, |value| value == wanted.as_deref()))
        };
        let next = |row: &u32| self.next.get(*row as usize).copied().filter(|row| *row != NONE);
        std::iter::successors(found.map(|(_, first)| *first), next).filter(has_keys).collect()
    }
}

/// A value after its length; null is a length that no value has.
fn push(value: Option<&[u8]>, bytes: &mut Vec<u8>) {
    let length = value.map_or(u32::MAX, |value| value.len() as u32);
    bytes.extend(length.to_le_bytes());
    bytes.extend(value.unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Array, Int64Array, StringViewArray};
    use metricc_algebra::value_bytes;

    use super::*;

    #[test]
    fn every_row_is_found_by_its_keys_in_order_and_nothing_else() {
        let texts = ["", "a", "b", "a text that no view holds"];
        let text = |row: usize| (row % 5 < 4).then(|| texts[row % 5]);
        let number = |row: usize| (!row.is_multiple_of(7)).then_some((row % 7) as i64);
        let n_rows = 500;
        let keys: [ArrayRef; 2] = [
            Arc::new((0..n_rows).map(text).collect::<StringViewArray>()),
            Arc::new((0..n_rows).map(number).collect::<Int64Array>()),
        ];
        let index = KeyIndex::new(&keys, n_rows);
        let of_row = |row: usize| keys.iter().map(|key| value_bytes(key, row)).collect::<Vec<_>>();
        for row in 0..n_rows {
            let expected: Vec<u32> =
                (0..n_rows).filter(|other| of_row(*other) == of_row(row)).map(|row| row as u32).collect();
            assert_eq!(index.rows(&keys, &of_row(row)), expected);
        }
        assert!(index.rows(&keys, &[Some(b"c".to_vec()), None]).is_empty());
        let unique: [ArrayRef; 1] = [Arc::new(Int64Array::from_iter_values(0..100))];
        let index = KeyIndex::new(&unique, unique[0].len());
        assert!(index.next.is_empty());
        assert_eq!(index.rows(&unique, &[value_bytes(&unique[0], 99)]), [99]);
    }

    #[test]
    fn keys_of_one_hash_are_told_apart() {
        let keys: [ArrayRef; 1] = [Arc::new(Int64Array::from(vec![1, 2, 1]))];
        let mut index = KeyIndex::new(&keys, 3);
        // As if all keys had the hash of the first.
        let hash = {
            let mut bytes = Vec::new();
            push(value_bytes(&keys[0], 0).as_deref(), &mut bytes);
            XxHash3_64::oneshot(&bytes)
        };
        index.chains.clear();
        index.chains.insert_unique(hash, (hash, 0), |(of_chain, _)| *of_chain);
        index.next = vec![1, 2, NONE];
        assert_eq!(index.rows(&keys, &[value_bytes(&keys[0], 0)]), [0, 2]);
    }
}
