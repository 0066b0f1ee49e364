//! Groups as keys of a collection: the bytes of [`GroupRows`], which compare like the values.
//!
//! The plan's types choose one of three representations: groups that pack are one integer of 8 or 16 bytes;
//! all others hold rows of up to 23 bytes in place, longer ones on the heap.
//!
//! Within one process keys move between workers as values. Serialisation is for streams that span several
//! processes, where timely exchanges bytes; no test or command runs such a stream yet.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};

use differential_dataflow::ExchangeData;
use metricc_compiler::{GroupRows, PackedGroup};
use serde::de::{Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

const INLINE_BYTES: usize = 23;

/// A group as a key.
pub(crate) trait GroupKey: ExchangeData + Hash {
    /// What holds it, for `explain`.
    const TYPE: &'static str;
    fn from_row(groups: &GroupRows, row: &[u8]) -> Self;
    /// Appends the row's bytes.
    fn append_to(&self, groups: &GroupRows, row: &mut Vec<u8>);
}

/// Groups that pack into 8 bytes, such as one int.
pub(crate) type ShortKey = u64;

impl GroupKey for ShortKey {
    const TYPE: &'static str = "8 bytes";

    #[inline]
    fn from_row(groups: &GroupRows, row: &[u8]) -> Self {
        (groups.pack(row) >> 64) as u64
    }

    fn append_to(&self, groups: &GroupRows, row: &mut Vec<u8>) {
        groups.unpack(PackedGroup::from(*self) << 64, row);
    }
}

/// Groups that pack into 16 bytes, such as a window and an int.
impl GroupKey for PackedGroup {
    const TYPE: &'static str = "16 bytes";

    #[inline]
    fn from_row(groups: &GroupRows, row: &[u8]) -> Self {
        groups.pack(row)
    }

    fn append_to(&self, groups: &GroupRows, row: &mut Vec<u8>) {
        groups.unpack(*self, row);
    }
}

/// Rows of any width.
#[derive(Clone)]
pub(crate) enum BytesKey {
    Inline(u8, [u8; INLINE_BYTES]),
    Heap(Box<[u8]>),
}

impl BytesKey {
    #[inline]
    fn of(row: &[u8]) -> Self {
        if row.len() <= INLINE_BYTES {
            let mut bytes = [0; INLINE_BYTES];
            bytes[..row.len()].copy_from_slice(row);
            BytesKey::Inline(row.len() as u8, bytes)
        } else {
            BytesKey::Heap(row.into())
        }
    }

    #[inline]
    fn bytes(&self) -> &[u8] {
        match self {
            BytesKey::Inline(len, bytes) => &bytes[..usize::from(*len)],
            BytesKey::Heap(bytes) => bytes,
        }
    }
}

impl GroupKey for BytesKey {
    const TYPE: &'static str = "row";

    #[inline]
    fn from_row(_: &GroupRows, row: &[u8]) -> Self {
        BytesKey::of(row)
    }

    fn append_to(&self, _: &GroupRows, row: &mut Vec<u8>) {
        row.extend_from_slice(self.bytes());
    }
}

impl PartialEq for BytesKey {
    fn eq(&self, other: &Self) -> bool {
        self.bytes() == other.bytes()
    }
}

impl Eq for BytesKey {}

impl PartialOrd for BytesKey {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for BytesKey {
    fn cmp(&self, other: &Self) -> Ordering {
        self.bytes().cmp(other.bytes())
    }
}

impl Hash for BytesKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write(self.bytes());
    }
}

impl fmt::Debug for BytesKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.bytes().fmt(f)
    }
}

impl Serialize for BytesKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self.bytes())
    }
}

impl<'de> Deserialize<'de> for BytesKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Bytes;
        impl<'de> Visitor<'de> for Bytes {
            type Value = BytesKey;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("row bytes")
            }

            fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<BytesKey, E> {
                Ok(BytesKey::of(bytes))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut bytes: A) -> Result<BytesKey, A::Error> {
                let mut row = Vec::new();
                while let Some(byte) = bytes.next_element()? {
                    row.push(byte);
                }
                Ok(BytesKey::of(&row))
            }
        }
        deserializer.deserialize_bytes(Bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn row_keys_compare_like_their_bytes() {
        let rows: [&[u8]; 5] = [b"", b"\x01", b"\x01\x00", &[7; 23], &[7; 24]];
        for left in rows {
            assert_eq!(BytesKey::of(left).bytes(), left);
            for right in rows {
                assert_eq!(BytesKey::of(left).cmp(&BytesKey::of(right)), left.cmp(right));
            }
        }
    }
}
