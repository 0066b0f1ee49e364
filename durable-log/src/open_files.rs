//! Files of a log that are only read: they are open for as long as they are read often, and few at a time.
//!
//! A log has more and more files, and a process may open a few hundred. So a file that is read is opened by its
//! path, and the one that was not read for the longest is closed. Whoever reads it checks what it reads, so it
//! does not matter that another file may have its path by then.
//!
//! Invariant: besides those that are [held](LogFile::hold), no more than [`MOST`] files are open, and those that
//! are being read at the moment.

use std::collections::VecDeque;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use metricc_log::ReadAt;

use crate::disk::{Disk, DiskFile};

/// Most files of a log that stay open after they were read.
pub(crate) const MOST: usize = 64;

/// The files that are open, those that were read last at the end.
#[derive(Debug, Default)]
pub(crate) struct OpenFiles {
    open: Mutex<VecDeque<(u64, Arc<dyn ReadAt>)>>,
    /// How many files there were. A path is no identity: a file may be written again.
    n_files: AtomicU64,
}

impl OpenFiles {
    fn lock(&self) -> MutexGuard<'_, VecDeque<(u64, Arc<dyn ReadAt>)>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The file of a number, if it is open; it was read last then.
    fn known(open: &mut VecDeque<(u64, Arc<dyn ReadAt>)>, number: u64) -> Option<Arc<dyn ReadAt>> {
        let index = open.iter().rposition(|(known, _)| *known == number)?;
        let (_, file) = open.remove(index)?;
        open.push_back((number, file.clone()));
        Some(file)
    }

    fn get(
        &self,
        number: u64,
        open: impl FnOnce() -> io::Result<Arc<dyn ReadAt>>,
    ) -> io::Result<Arc<dyn ReadAt>> {
        if let Some(known) = Self::known(&mut self.lock(), number) {
            return Ok(known);
        }
        let file = open()?;
        let mut all = self.lock();
        if let Some(known) = Self::known(&mut all, number) {
            // Another reader has opened it meanwhile.
            return Ok(known);
        }
        all.push_back((number, file.clone()));
        let closed = if all.len() > MOST { all.pop_front() } else { None };
        drop(all);
        drop(closed);
        Ok(file)
    }

    fn close(&self, number: u64) {
        let mut all = self.lock();
        let closed = all.iter().rposition(|(known, _)| *known == number).and_then(|index| all.remove(index));
        drop(all);
        drop(closed);
    }
}

/// A file that is opened when it is read.
#[derive(Debug)]
pub(crate) struct LogFile {
    among: Arc<OpenFiles>,
    number: u64,
    disk: Arc<dyn Disk>,
    path: String,
    held: Mutex<Option<Arc<dyn DiskFile>>>,
}

impl LogFile {
    pub(crate) fn new(among: &Arc<OpenFiles>, disk: &Arc<dyn Disk>, path: &str) -> Self {
        let number = among.n_files.fetch_add(1, Ordering::Relaxed);
        let (among, disk, path) = (among.clone(), disk.clone(), path.to_owned());
        LogFile { among, number, disk, path, held: Mutex::default() }
    }

    fn lock_held(&self) -> MutexGuard<'_, Option<Arc<dyn DiskFile>>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads from an open file from now on, whatever becomes of its path.
    pub(crate) fn hold(&self, file: Arc<dyn DiskFile>) {
        *self.lock_held() = Some(file);
    }

    /// Holds the file that its path leads to now, unless it holds one.
    pub(crate) fn hold_this(&self) -> io::Result<()> {
        if self.lock_held().is_none() {
            self.hold(self.disk.open(&self.path)?);
        }
        Ok(())
    }

    /// Reads from its path again.
    pub(crate) fn let_go(&self) {
        let held = self.lock_held().take();
        drop(held);
    }

    /// The file, open.
    pub(crate) fn open(&self) -> io::Result<Arc<dyn ReadAt>> {
        let held = self.lock_held().clone();
        match held {
            Some(held) => Ok(held),
            None => self.among.get(self.number, || self.disk.open_to_read(&self.path)),
        }
    }
}

impl LogFile {
    /// Reads what its path leads to then when it is read next, unless it is held.
    pub(crate) fn close(&self) {
        self.among.close(self.number);
    }

    /// See [`ReadAt`].
    pub(crate) fn read_up_to(&self, at: u64, into: &mut [u8]) -> io::Result<usize> {
        let file: &dyn ReadAt = self;
        file.read_up_to(at, into)
    }

    /// See [`ReadAt`].
    pub(crate) fn read_exact_at(&self, at: u64, into: &mut [u8]) -> io::Result<()> {
        let file: &dyn ReadAt = self;
        file.read_exact_at(at, into)
    }
}

impl ReadAt for LogFile {
    fn n_bytes(&self) -> io::Result<u64> {
        self.open()?.n_bytes()
    }

    fn read_at(&self, at: u64, into: &mut [u8]) -> io::Result<usize> {
        self.open()?.read_at(at, into)
    }
}

impl Drop for LogFile {
    fn drop(&mut self) {
        self.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::faulty_disk::SimDisk;

    fn byte_of(file: &LogFile) -> io::Result<u8> {
        let mut byte = [0];
        file.read_exact_at(0, &mut byte)?;
        Ok(byte[0])
    }

    /// So many files, each with its number.
    fn files(disk: &SimDisk, n: u8) -> Vec<LogFile> {
        let (among, shared): (_, Arc<dyn Disk>) = (Arc::default(), Arc::new(disk.clone()));
        let file = |number: u8| {
            let path = format!("events/{number}");
            disk.put(&path, &[number]);
            LogFile::new(&among, &shared, &path)
        };
        (0..n).map(file).collect()
    }

    #[test]
    fn few_files_stay_open_however_many_are_read() {
        let disk = SimDisk::default();
        let files = files(&disk, 200);
        assert_eq!(disk.n_open(), 0);
        for _ in 0..3 {
            for (number, file) in (0..).zip(&files) {
                assert_eq!(byte_of(file).unwrap(), number);
            }
        }
        assert_eq!(disk.n_open(), MOST);
        assert!(disk.most_open() <= MOST + 1, "{}", disk.most_open());
        // One that is read again and again is opened once.
        let n_before = disk.n_operations();
        (0..9).for_each(|_| assert_eq!(byte_of(&files[199]).unwrap(), 199));
        assert_eq!(disk.n_operations(), n_before + 9);
        for (number, file) in files.into_iter().enumerate() {
            if number % 2 == 0 {
                drop(file);
            } else {
                assert_eq!(usize::from(byte_of(&file).unwrap()), number);
            }
        }
        assert_eq!(disk.n_open(), 0);
    }

    #[test]
    fn readers_at_once_are_given_the_same_file() {
        let disk = SimDisk::default();
        let files = files(&disk, 130);
        std::thread::scope(|scope| {
            for seed in 0..4usize {
                let files = &files;
                scope.spawn(move || {
                    for round in 0..2000 {
                        let number = (seed * 31 + round * (seed + 1)) % files.len();
                        assert_eq!(usize::from(byte_of(&files[number]).unwrap()), number);
                    }
                });
            }
        });
        assert!(disk.most_open() <= MOST + 4, "{}", disk.most_open());
        drop(files);
        assert_eq!(disk.n_open(), 0);
    }

    #[test]
    fn a_file_that_is_held_outlives_its_path_and_another_one_gets_what_is_there() {
        let disk = SimDisk::default();
        let mut files = files(&disk, 2);
        assert_eq!(byte_of(&files[0]).unwrap(), 0);
        files[0].hold_this().unwrap();
        disk.remove("events/0").unwrap();
        disk.put("events/0", &[77]);
        assert_eq!(byte_of(&files[0]).unwrap(), 0);
        let again = LogFile::new(&files[0].among, &files[0].disk, "events/0");
        assert_eq!(byte_of(&again).unwrap(), 77, "a path is no identity");
        let first = files.remove(0);
        drop(first);
        assert_eq!(byte_of(&again).unwrap(), 77);
        disk.lose("events/1");
        assert_eq!(byte_of(&files[0]).unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
