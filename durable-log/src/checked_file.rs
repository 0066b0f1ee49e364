//! A file whose bytes are believed only after they were compared with the checksum of what was written.
//!
//! The first read compares the whole file, and notes a checksum of each of its blocks; every read compares
//! the blocks that it takes bytes from. So a file that is damaged while the log is open is found as well, and
//! a reader needs no check of its own.

use std::hash::Hasher;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use metricc_log::{LogError, ReadAt};
use twox_hash::XxHash3_64;

use crate::frame_payload::FlushedFile;
use crate::open_files::LogFile;

/// Bytes of a block. A reader of Parquet takes a page of some 50 KB at a time, and its header before it: with
/// larger blocks, most of what is compared is not what was wanted.
const BLOCK: usize = 16 << 10;

/// What is said of a file that is not what was written.
const MISMATCH: &str = "checksum mismatch: its bytes are not those that were written";

/// A file that the journal names.
#[derive(Debug)]
pub(crate) struct CheckedFile {
    file: LogFile,
    pub(crate) shown: Arc<str>,
    /// The file as it was written.
    stated: FlushedFile,
    /// XXH3-64 of each block, once the file was compared. Readers wait for each other here, since each needs
    /// it.
    blocks: Mutex<Option<Arc<[u64]>>>,
}

impl CheckedFile {
    pub(crate) fn new(file: LogFile, shown: Arc<str>, stated: FlushedFile) -> Self {
        CheckedFile { file, shown, stated, blocks: Mutex::default() }
    }

    /// The file as it was written.
    pub(crate) fn stated(&self) -> &FlushedFile {
        &self.stated
    }

    /// All of its bytes.
    pub(crate) fn bytes(&self) -> Result<Vec<u8>, LogError> {
        let mut bytes = vec![0; usize::try_from(self.stated.n_bytes).unwrap_or(usize::MAX)];
        let read = self.file.read_exact_at(0, &mut bytes);
        let compared = read.and_then(|()| match XxHash3_64::oneshot(&bytes) == self.stated.checksum {
            true => Ok(()),
            false => Err(self.mismatch()),
        });
        compared.map_err(|cause| self.unreadable(cause))?;
        Ok(bytes)
    }

    /// Compares the file with its checksum.
    pub(crate) fn check(&self) -> Result<(), LogError> {
        self.blocks().map(drop).map_err(|cause| self.unreadable(cause))
    }

    fn unreadable(&self, cause: io::Error) -> LogError {
        let path = self.shown.to_string();
        match cause.kind() {
            io::ErrorKind::InvalidData => {
                LogError::Malformed { path, format: "log", problem: cause.to_string() }
            }
            _ => LogError::Unreadable { path, cause },
        }
    }

    /// What is said of other bytes than those that were written. The next read opens the file again, as after
    /// any error: somebody may have put it back by then.
    fn mismatch(&self) -> io::Error {
        self.file.close();
        io::Error::new(io::ErrorKind::InvalidData, MISMATCH)
    }

    /// The checksums of the blocks; the first call reads the file.
    fn blocks(&self) -> io::Result<Arc<[u64]>> {
        let mut known: MutexGuard<'_, Option<Arc<[u64]>>> =
            self.blocks.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(blocks) = &*known {
            return Ok(blocks.clone());
        }
        let (mut whole, mut buffer, mut blocks, mut at) = (XxHash3_64::new(), vec![0; BLOCK], Vec::new(), 0);
        loop {
            let n_read = self.file.read_up_to(at, &mut buffer)?;
            if n_read == 0 {
                break;
            }
            whole.write(&buffer[..n_read]);
            blocks.push(XxHash3_64::oneshot(&buffer[..n_read]));
            at += n_read as u64;
        }
        if at != self.stated.n_bytes || whole.finish() != self.stated.checksum {
            return Err(self.mismatch());
        }
        Ok(known.insert(blocks.into()).clone())
    }
}

impl ReadAt for CheckedFile {
    fn n_bytes(&self) -> io::Result<u64> {
        self.file.n_bytes()
    }

    /// Reads to the end of the blocks that hold the bytes, and compares each of them.
    fn read_at(&self, at: u64, into: &mut [u8]) -> io::Result<usize> {
        let blocks = self.blocks()?;
        let n_wanted = (into.len() as u64).min(self.stated.n_bytes.saturating_sub(at));
        if n_wanted == 0 {
            return Ok(0);
        }
        let block = BLOCK as u64;
        let (first, end) = (at / block, (at + n_wanted).div_ceil(block));
        let start = first * block;
        let n_bytes = (end * block).min(self.stated.n_bytes) - start;
        let mut bytes = vec![0; usize::try_from(n_bytes).map_err(io::Error::other)?];
        self.file.read_exact_at(start, &mut bytes).inspect_err(|_| self.file.close())?;
        let stated = blocks.get(first as usize..end as usize).unwrap_or_default();
        let is_it = bytes.chunks(BLOCK).map(XxHash3_64::oneshot).eq(stated.iter().copied());
        if !is_it {
            return Err(self.mismatch());
        }
        let (skipped, n_wanted) = ((at - start) as usize, n_wanted as usize);
        into[..n_wanted].copy_from_slice(&bytes[skipped..skipped + n_wanted]);
        Ok(n_wanted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::Disk;
    use crate::faulty_disk::SimDisk;

    #[test]
    fn f36_reads_are_those_of_the_file_and_damage_is_found_before_and_while_it_is_open() {
        let bytes: Vec<u8> =
            (0..BLOCK as u32 * 2 + 77).map(|n| (n.wrapping_mul(2_654_435_761) >> 9) as u8).collect();
        let disk = SimDisk::default();
        disk.put("file", &bytes);
        let open = |disk: &SimDisk| {
            let (path, checksum) = ("file".to_owned(), XxHash3_64::oneshot(&bytes));
            let stated = FlushedFile { path, n_bytes: bytes.len() as u64, checksum };
            let disk: Arc<dyn Disk> = Arc::new(disk.clone());
            CheckedFile::new(LogFile::new(&Arc::default(), &disk, "file"), "file".into(), stated)
        };
        let file = open(&disk);
        let file: &dyn ReadAt = &file;
        for (at, n_bytes) in [(0, 1), (5, BLOCK), (BLOCK - 1, 2), (BLOCK * 2, 77), (0, bytes.len()), (9, 0)] {
            let mut into = vec![0; n_bytes];
            assert_eq!(file.read_up_to(at as u64, &mut into).unwrap(), n_bytes);
            assert_eq!(into, bytes[at..at + n_bytes], "{n_bytes} bytes at {at}");
        }
        assert_eq!(file.read_up_to(bytes.len() as u64, &mut [0; 9]).unwrap(), 0);
        for at in (0..bytes.len()).step_by(997) {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1 << (at % 8);
            let copy = disk.copy();
            let open_before = open(&copy);
            open_before.check().unwrap();
            copy.open("file").unwrap().write_all_at(0, &damaged).unwrap();
            for file in [&open(&copy), &open_before] {
                assert!((file as &dyn ReadAt).read_up_to(at as u64, &mut [0]).is_err(), "byte {at}");
                assert!(file.bytes().is_err(), "byte {at}");
            }
        }
    }
}
