//! Strict reading of canonical bytes: too short, too long or another spelling of the same number is an error.

use super::NOT_CANONICAL;
use crate::Checked;

/// The rest of some bytes.
pub struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Reader(bytes)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Checked<[u8; N]> {
        let (first, rest) = self.0.split_first_chunk().ok_or(NOT_CANONICAL)?;
        self.0 = rest;
        Ok(*first)
    }

    pub(crate) fn byte(&mut self) -> Checked<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub(crate) fn slice(&mut self, n_bytes: usize) -> Checked<&'a [u8]> {
        let (first, rest) = self.0.split_at_checked(n_bytes).ok_or(NOT_CANONICAL)?;
        self.0 = rest;
        Ok(first)
    }

    pub(crate) fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.0)
    }

    /// An unsigned LEB128 number in its shortest form.
    pub(crate) fn varint(&mut self) -> Checked<u64> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let part = u64::from(byte & 0x7f);
            let is_last = byte & 0x80 == 0;
            let fits = part << shift >> shift == part;
            if !fits || (is_last && part == 0 && shift > 0) {
                return Err(NOT_CANONICAL);
            }
            value |= part << shift;
            if is_last {
                return Ok(value);
            }
        }
        Err(NOT_CANONICAL)
    }
}

/// Appends an unsigned LEB128 number.
pub(crate) fn put_varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn varints_come_back_and_have_one_spelling(value in any::<u64>(), by in 0_u32..64) {
            let value = value >> by;
            let mut bytes = Vec::new();
            put_varint(value, &mut bytes);
            prop_assert_eq!(Reader::new(&bytes).varint(), Ok(value));
            if let Some(last) = bytes.last_mut() {
                *last |= 0x80;
            }
            bytes.push(0);
            prop_assert!(Reader::new(&bytes).varint().is_err());
        }
    }
}
