//! Where plain text ends: the bytes that have a meaning in JSON strings and in CSV, looked for eight at a
//! time.

use metricc_ir::text::leading::word;

/// The lowest and the highest bit of each byte.
const LOW: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = LOW << 7;
const BLOCK_BYTES: usize = 32;

/// Marks the bytes of a word that are zero by their highest bits. Marks above the lowest one may be wrong.
#[inline]
fn zeros(word: u64) -> u64 {
    word.wrapping_sub(LOW) & !word & HIGH
}

/// A word of one byte.
#[inline]
const fn all(byte: u8) -> u64 {
    LOW.wrapping_mul(byte as u64)
}

/// The first place from one on whose byte is not ordinary in a JSON string: a quote, a backslash or a control
/// character.
#[inline]
pub(crate) fn skip_ordinary(text: &[u8], start: usize) -> usize {
    let mut at = start;
    loop {
        let word = word(text, at);
        let control = word.wrapping_sub(all(0x20)) & !word & HIGH;
        // The zeros behind the text are control characters, so the loop ends there.
        let special = zeros(word ^ all(b'"')) | zeros(word ^ all(b'\\')) | control;
        if special != 0 {
            return at.wrapping_add(special.trailing_zeros() as usize / 8);
        }
        at = at.wrapping_add(8);
        if at == start.wrapping_add(16) {
            let is_special = |byte: &u8| *byte < 0x20 || matches!(byte, b'"' | b'\\');
            at += BLOCK_BYTES * n_blocks_without(text.get(at..).unwrap_or_default(), is_special);
        }
    }
}

/// The first place from one on with a delimiter or quote; the end of the text, if there is none.
#[inline]
pub(crate) fn skip_unquoted(text: &[u8], start: usize, delimiter: u8) -> usize {
    let delimiters = all(delimiter);
    let mut at = start;
    while at < text.len() {
        let word = word(text, at);
        let special = zeros(word ^ all(b'"')) | zeros(word ^ delimiters);
        if special != 0 {
            return at.wrapping_add(special.trailing_zeros() as usize / 8);
        }
        at = at.wrapping_add(8);
        if at == start.wrapping_add(16) {
            let is_special = |byte: &u8| *byte == b'"' || *byte == delimiter;
            at += BLOCK_BYTES * n_blocks_without(text.get(at..).unwrap_or_default(), is_special);
        }
    }
    text.len()
}

/// The number of blocks before the first one with such a byte. The compiler makes vectors of it.
#[inline]
fn n_blocks_without(text: &[u8], is_special: impl Fn(&u8) -> bool) -> usize {
    let has_none = |block: &&[u8]| !block.iter().fold(false, |found, byte| found | is_special(byte));
    text.chunks_exact(BLOCK_BYTES).take_while(has_none).count()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(text: &[u8]) {
        let is_special = |byte: &u8| *byte < 0x20 || matches!(byte, b'"' | b'\\');
        assert_eq!(
            skip_ordinary(text, 0),
            text.iter().position(is_special).unwrap_or(text.len()),
            "{text:?}"
        );
        for delimiter in [b',', b'\t'] {
            let found = text.iter().position(|byte| *byte == b'"' || *byte == delimiter);
            assert_eq!(skip_unquoted(text, 0, delimiter), found.unwrap_or(text.len()), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn the_first_byte_with_a_meaning_is_found(
            plain in prop::collection::vec(
                prop::sample::select(b"aZ09 \x7f\x80\xff\x21\x23\x5b\x5d\x2b\x2d".to_vec()),
                0..130,
            ),
            special in prop::sample::select(b"\"\\\x00\x1f\t,\x20".to_vec()),
            at in 0usize..140,
            behind in prop::collection::vec(any::<u8>(), 0..20),
        ) {
            check(&plain);
            let (before, after) = plain.split_at(at.min(plain.len()));
            check(&[before, &[special], after, &behind].concat());
        }
    }
}
