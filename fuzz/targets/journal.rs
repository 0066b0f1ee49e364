//! A journal file of any bytes: opening it is refused, or gives a log that opens again with nothing left to
//! truncate.
//!
//! Checksums would stop the search at the first byte that changes, so they are made to fit first, unless the
//! input is odd in length: that of the preamble, and those of the frames that follow one another.

#![no_main]

use std::sync::{Arc, LazyLock};

use libfuzzer_sys::fuzz_target;
use metricc_dsl::{SourceText, check};
use metricc_durable_log::faulty_disk::SimDisk;
use metricc_durable_log::{
    DedupWindow, Disk, DurableError, DurableLog, DurableOptions, LogId, SourceOptions, TruncatedTail,
};
use twox_hash::XxHash3_64;

/// The first file of a journal.
const FILE: &str = "journal/00000000000000000000.journal";

/// Lengths that `frame.rs` and `preamble.rs` of the durable log document.
const PREAMBLE: usize = 40;
const FRAME_HEAD: usize = 24;

static SOURCES: LazyLock<Vec<SourceOptions>> = LazyLock::new(|| {
    let text = "source events { id: string key  at: timestamp time  n: int }\n";
    let checked = check(&SourceText { name: "events.metric".to_owned(), bytes: text.into() });
    let source = checked.package.sources[0].clone();
    vec![SourceOptions { source, others: Vec::new(), n_partitions: 1, window: DedupWindow::Positions(6) }]
});

fn open(disk: &SimDisk) -> Result<(DurableLog, Option<TruncatedTail>), DurableError> {
    let disk: Arc<dyn Disk> = Arc::new(disk.clone());
    DurableLog::open(disk, DurableOptions::default(), &SOURCES, LogId { id: 0xfeed, seed: 0x5eed }, 7)
}

/// Makes the checksums of a journal file fit its bytes, and numbers its frames.
fn with_checksums(bytes: &mut [u8]) -> Option<()> {
    let (preamble, mut rest) = bytes.split_at_mut_checked(PREAMBLE)?;
    let sum = XxHash3_64::oneshot(&preamble[..PREAMBLE - 8]);
    preamble[PREAMBLE - 8..].copy_from_slice(&sum.to_le_bytes());
    let seed = u64::from_le_bytes(*preamble[24..].first_chunk()?);
    for sequence in 0_u64.. {
        let (head, after) = rest.split_at_mut_checked(FRAME_HEAD)?;
        let n_bytes = u32::from_le_bytes(*head[4..].first_chunk()?);
        let (payload, after) = after.split_at_mut_checked(n_bytes as usize)?;
        head[8..16].copy_from_slice(&sequence.to_le_bytes());
        let seed = XxHash3_64::oneshot_with_seed(seed, &head[4..16]);
        let sum = XxHash3_64::oneshot_with_seed(seed, payload);
        head[16..].copy_from_slice(&sum.to_le_bytes());
        rest = after;
    }
    None
}

fuzz_target!(|bytes: &[u8]| {
    let mut bytes = bytes.to_vec();
    if bytes.len().is_multiple_of(2) {
        with_checksums(&mut bytes);
    }
    let disk = SimDisk::default();
    disk.put(FILE, &bytes);
    if open(&disk).is_ok() {
        let (_, truncated) = open(&disk).expect("a log that was opened opens again");
        assert_eq!(truncated, None, "a torn tail is truncated once");
    }
});
