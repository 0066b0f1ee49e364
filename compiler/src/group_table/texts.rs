//! Codes for texts, and for rows of bytes: each different one gets a number of 32 bits.
//!
//! Texts of up to twelve bytes are their own views, so they are looked up as two words and never compared
//! byte by byte. A longer text of a batch is looked up by its bytes once per view: the rows of a dictionary
//! page have equal views.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, StringViewArray, StringViewBuilder};
use metricc_algebra::hash64;

use super::words::{TooManyKeys, WordTable};

/// Bytes that a view holds in place.
const INLINE_BYTES: u32 = 12;

/// Places of the views that were looked up last; a power of two.
const N_RECENT: usize = 256;

/// The code of null.
const NULL: u32 = 0;

/// Codes of byte strings.
#[derive(Debug, Default)]
pub(crate) struct ByteCodes {
    /// By hash, then by the number of earlier strings of the same hash.
    by_hash: WordTable<2>,
    /// All strings, one after the other.
    bytes: Vec<u8>,
    /// Where each ends.
    ends: Vec<usize>,
}

impl ByteCodes {
    /// The number of a string, from 0.
    pub(crate) fn number(&mut self, bytes: &[u8]) -> Result<u32, TooManyKeys> {
        let hash = hash64(bytes);
        for n_same in 0.. {
            let number = self.by_hash.number(&[hash, n_same])?;
            if number as usize == self.ends.len() {
                self.bytes.extend_from_slice(bytes);
                self.ends.push(self.bytes.len());
                return Ok(number);
            }
            if self.get(number as usize) == bytes {
                return Ok(number);
            }
        }
        Err(TooManyKeys)
    }

    /// Number of strings.
    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    /// A string by its number; one that has none is empty.
    pub(crate) fn get(&self, number: usize) -> &[u8] {
        let end = self.ends.get(number).copied().unwrap_or(0);
        let start = number.checked_sub(1).and_then(|before| self.ends.get(before)).map_or(0, |end| *end);
        &self.bytes[start.min(end)..end]
    }

    pub(crate) fn n_bytes(&self) -> usize {
        self.by_hash.n_bytes() + self.bytes.capacity() + self.ends.capacity() * size_of::<usize>()
    }
}

/// Codes of texts: zero for null, odd ones for texts within their views, even ones for longer texts.
#[derive(Debug, Default)]
pub(crate) struct TextCodes {
    within: WordTable<2>,
    longer: ByteCodes,
    /// Views of longer texts of this batch with their codes.
    recent: Vec<(u128, u32)>,
}

impl TextCodes {
    /// Calls `put` with the code of each row, in order.
    pub(crate) fn each(
        &mut self,
        texts: &StringViewArray,
        mut put: impl FnMut(u32),
    ) -> Result<(), TooManyKeys> {
        // Views of another batch point into other buffers.
        self.recent.clear();
        if texts.null_count() == 0 {
            for (row, view) in texts.views().iter().enumerate() {
                put(self.code(texts, row, *view)?);
            }
        } else {
            for (row, view) in texts.views().iter().enumerate() {
                put(if texts.is_null(row) { NULL } else { self.code(texts, row, *view)? });
            }
        }
        Ok(())
    }

    #[inline]
    fn code(&mut self, texts: &StringViewArray, row: usize, view: u128) -> Result<u32, TooManyKeys> {
        if view as u32 <= INLINE_BYTES {
            let number = self.within.number(&[view as u64, (view >> 64) as u64])?;
            return code(number, 1);
        }
        self.longer_code(texts, row, view)
    }

    fn longer_code(&mut self, texts: &StringViewArray, row: usize, view: u128) -> Result<u32, TooManyKeys> {
        let place = ((view >> 64) as u64 ^ (view >> 32) as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
        let place = place as usize % N_RECENT;
        if let Some((known, code)) = self.recent.get(place)
            && *known == view
        {
            return Ok(*code);
        }
        let code = code(self.longer.number(texts.value(row).as_bytes())?, 2)?;
        if self.recent.is_empty() {
            // No longer text has the view zero.
            self.recent.resize(N_RECENT, (0, NULL));
        }
        self.recent[place] = (view, code);
        Ok(code)
    }

    /// Takes the texts out: one for each code, null for that of null. Codes that were not given have any
    /// text.
    pub(crate) fn take(&mut self) -> ArrayRef {
        let TextCodes { mut within, longer, .. } = std::mem::take(self);
        let within = within.take();
        let mut texts = StringViewBuilder::new();
        texts.append_null();
        for number in 0..within.len().max(longer.len()) {
            let view = within
                .get(number)
                .map_or([0; 16], |[low, high]| (u128::from(*high) << 64 | u128::from(*low)).to_le_bytes());
            let n_bytes = usize::from(view[0]).min(INLINE_BYTES as usize);
            texts.append_value(String::from_utf8_lossy(&view[4..4 + n_bytes]));
            texts.append_value(String::from_utf8_lossy(longer.get(number)));
        }
        Arc::new(texts.finish())
    }

    pub(crate) fn n_bytes(&self) -> usize {
        self.within.n_bytes() + self.longer.n_bytes() + self.recent.capacity() * size_of::<(u128, u32)>()
    }
}

/// `2 * number + first`, where there is such a code.
#[inline]
fn code(number: u32, first: u32) -> Result<u32, TooManyKeys> {
    number.checked_mul(2).and_then(|code| code.checked_add(first)).ok_or(TooManyKeys)
}
