//! Groups as keys of a collection: the bytes of Arrow's row format, which compare like the values.
//!
//! Two forms, chosen by the plan's types: rows of a fixed width up to 16 bytes are one integer; all
//! others hold up to 23 bytes in place, longer ones on the heap.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};

use differential_dataflow::ExchangeData;
use serde::de::{Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Row bytes that fit into a [`ShortKey`].
pub(crate) const SHORT_BYTES: usize = 16;
const INLINE_BYTES: usize = 23;

/// A group as a key.
pub(crate) trait GroupKey: ExchangeData + Hash {
    fn from_row(row: &[u8]) -> Self;
    /// Appends the row's bytes; `width` is that of all rows where the width is fixed.
    fn append_to(&self, width: usize, bytes: &mut Vec<u8>);
}

/// Rows of one width of up to 16 bytes, big-endian, so that integers compare like bytes.
pub(crate) type ShortKey = u128;

impl GroupKey for ShortKey {
    #[inline]
    fn from_row(row: &[u8]) -> Self {
        let mut bytes = [0; SHORT_BYTES];
        bytes[..row.len()].copy_from_slice(row);
        u128::from_be_bytes(bytes)
    }

    fn append_to(&self, width: usize, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(&self.to_be_bytes()[..width]);
    }
}

/// Rows of any width.
#[derive(Clone)]
pub(crate) enum RowKey {
    Inline(u8, [u8; INLINE_BYTES]),
    Heap(Box<[u8]>),
}

impl RowKey {
    #[inline]
    fn bytes(&self) -> &[u8] {
        match self {
            RowKey::Inline(len, bytes) => &bytes[..usize::from(*len)],
            RowKey::Heap(bytes) => bytes,
        }
    }
}

impl GroupKey for RowKey {
    #[inline]
    fn from_row(row: &[u8]) -> Self {
        if row.len() <= INLINE_BYTES {
            let mut bytes = [0; INLINE_BYTES];
            bytes[..row.len()].copy_from_slice(row);
            RowKey::Inline(row.len() as u8, bytes)
        } else {
            RowKey::Heap(row.into())
        }
    }

    fn append_to(&self, _: usize, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(self.bytes());
    }
}

impl PartialEq for RowKey {
    fn eq(&self, other: &Self) -> bool {
        self.bytes() == other.bytes()
    }
}

impl Eq for RowKey {}

impl PartialOrd for RowKey {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for RowKey {
    fn cmp(&self, other: &Self) -> Ordering {
        self.bytes().cmp(other.bytes())
    }
}

impl Hash for RowKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write(self.bytes());
    }
}

impl fmt::Debug for RowKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.bytes().fmt(f)
    }
}

impl Serialize for RowKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self.bytes())
    }
}

impl<'de> Deserialize<'de> for RowKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Bytes;
        impl<'de> Visitor<'de> for Bytes {
            type Value = RowKey;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("row bytes")
            }

            fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<RowKey, E> {
                Ok(RowKey::from_row(bytes))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut bytes: A) -> Result<RowKey, A::Error> {
                let mut row = Vec::new();
                while let Some(byte) = bytes.next_element()? {
                    row.push(byte);
                }
                Ok(RowKey::from_row(&row))
            }
        }
        deserializer.deserialize_bytes(Bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_compare_like_their_bytes_and_give_them_back() {
        let rows: [&[u8]; 5] = [b"", b"\x01", b"\x01\x00", &[7; 23], &[7; 24]];
        for left in rows {
            let mut bytes = Vec::new();
            RowKey::from_row(left).append_to(0, &mut bytes);
            assert_eq!(bytes, left);
            for right in rows {
                assert_eq!(RowKey::from_row(left).cmp(&RowKey::from_row(right)), left.cmp(right));
            }
        }
        let (low, high) = (ShortKey::from_row(b"\x00\xff"), ShortKey::from_row(b"\x01\x00"));
        assert!(low < high);
        let mut bytes = Vec::new();
        high.append_to(2, &mut bytes);
        assert_eq!(bytes, b"\x01\x00");
    }
}
