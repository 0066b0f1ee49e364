//! Frames: what the journal writes at once. After a crash a frame is there as a whole, or not at all.
//!
//! | bytes | what |
//! |---|---|
//! | 4 | `MTF1` |
//! | 4 | n, the length of the payload, at least 1 |
//! | 8 | the sequence number: that of the frame before, plus 1 |
//! | 8 | XXH3-64 of the 12 bytes before and the payload, with the seed of the log |
//! | n | the payload |
//!
//! Numbers are little-endian. A frame is written only after the one before it is durable. So whatever follows
//! the last valid frame was never acknowledged, unless a valid frame follows: then durable bytes are corrupt.
//! The seed is random and never leaves the log, so that no record can be taken for a frame.

use std::io;

use memchr::memmem;
use metricc_log::ReadAt;
use twox_hash::XxHash3_64;

const MAGIC: &[u8; 4] = b"MTF1";

/// Bytes of a frame before its payload.
pub(crate) const HEAD_BYTES: usize = 24;

/// The longest payload.
pub(crate) const MAX_PAYLOAD_BYTES: usize = 256 << 20;

/// The frame of a payload, which the caller keeps from 1 to [`MAX_PAYLOAD_BYTES`] bytes long.
pub(crate) fn frame(seed: u64, sequence: u64, payload: &[u8]) -> Vec<u8> {
    let n_bytes = u32::try_from(payload.len()).unwrap_or(0);
    let mut bytes = Vec::with_capacity(HEAD_BYTES + payload.len());
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&n_bytes.to_le_bytes());
    bytes.extend_from_slice(&sequence.to_le_bytes());
    bytes.extend_from_slice(&checksum(seed, n_bytes, sequence, payload).to_le_bytes());
    bytes.extend_from_slice(payload);
    bytes
}

fn checksum(seed: u64, n_bytes: u32, sequence: u64, payload: &[u8]) -> u64 {
    // A checksum of the head is the seed of that of the payload: one pass, no copy.
    let mut head = [0; 12];
    head[..4].copy_from_slice(&n_bytes.to_le_bytes());
    head[4..].copy_from_slice(&sequence.to_le_bytes());
    XxHash3_64::oneshot_with_seed(XxHash3_64::oneshot_with_seed(seed, &head), payload)
}

/// What a position of a file holds.
#[derive(Debug)]
pub(crate) enum Found {
    /// A valid frame with this payload, which starts [`HEAD_BYTES`] after the position.
    Frame(Vec<u8>),
    /// The file ends exactly here.
    End,
    /// Something that is not a valid frame.
    Corrupt,
}

/// Reads the frame at a position; `sequence` is the number that it has to have.
pub(crate) fn read(file: &dyn ReadAt, at: u64, seed: u64, sequence: u64) -> io::Result<Found> {
    let mut head = [0; HEAD_BYTES];
    match file.read_up_to(at, &mut head)? {
        0 => return Ok(Found::End),
        HEAD_BYTES => {}
        _ => return Ok(Found::Corrupt),
    }
    let Some(head) = Head::parse(&head) else { return Ok(Found::Corrupt) };
    let n_left = file.n_bytes()?.saturating_sub(at + HEAD_BYTES as u64);
    if head.sequence != sequence || head.n_bytes as u64 > n_left {
        return Ok(Found::Corrupt);
    }
    let mut payload = vec![0; head.n_bytes];
    file.read_exact_at(at + HEAD_BYTES as u64, &mut payload)?;
    Ok(if head.fits(seed, &payload) { Found::Frame(payload) } else { Found::Corrupt })
}

struct Head {
    n_bytes: usize,
    sequence: u64,
    checksum: u64,
}

impl Head {
    fn parse(bytes: &[u8]) -> Option<Head> {
        let rest = bytes.strip_prefix(MAGIC)?;
        let (n_bytes, rest) = rest.split_first_chunk::<4>()?;
        let (sequence, rest) = rest.split_first_chunk::<8>()?;
        let (checksum, _) = rest.split_first_chunk::<8>()?;
        let n_bytes = u32::from_le_bytes(*n_bytes) as usize;
        let head = Head {
            n_bytes,
            sequence: u64::from_le_bytes(*sequence),
            checksum: u64::from_le_bytes(*checksum),
        };
        (1..=MAX_PAYLOAD_BYTES).contains(&n_bytes).then_some(head)
    }

    fn fits(&self, seed: u64, payload: &[u8]) -> bool {
        checksum(seed, self.n_bytes as u32, self.sequence, payload) == self.checksum
    }
}

/// The position of the first valid frame after a position, whatever its number: proof that the bytes at the
/// position were durable once.
pub(crate) fn next_valid(file: &dyn ReadAt, at: u64, seed: u64) -> io::Result<Option<u64>> {
    let n_bytes = file.n_bytes()?;
    let from = at.saturating_add(1).min(n_bytes);
    let mut rest = vec![0; usize::try_from(n_bytes - from).unwrap_or(usize::MAX)];
    file.read_exact_at(from, &mut rest)?;
    let is_valid = |at: &usize| {
        Head::parse(&rest[*at..]).is_some_and(|head| {
            let payload = rest[*at..].get(HEAD_BYTES..HEAD_BYTES + head.n_bytes);
            payload.is_some_and(|payload| head.fits(seed, payload))
        })
    };
    Ok(memmem::find_iter(&rest, MAGIC).find(is_valid).map(|found| from + found as u64))
}
