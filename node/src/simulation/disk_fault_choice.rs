//! Which operation of the disk is which, so that faults without an effect need not be tried.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use metricc_durable_log::faulty_disk::{FAULTS, Fault, SimDisk};
use metricc_durable_log::{Disk, DiskFile};
use metricc_log::ReadAt;

/// What an operation does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operation {
    /// It asks for names or lengths, or opens a file.
    Look,
    Read,
    Write,
    Create,
    /// It changes names or lengths, or makes something durable.
    Change,
}

impl Operation {
    /// The faults that make a difference to it.
    fn faults(self) -> &'static [Fault] {
        match self {
            Operation::Look => &[Fault::Error, Fault::CrashBefore],
            Operation::Read => &[Fault::Error, Fault::CrashBefore, Fault::Short, Fault::Interrupted],
            Operation::Write => &FAULTS,
            Operation::Create => &[Fault::Error, Fault::CrashBefore, Fault::CrashAfter, Fault::Full],
            Operation::Change => &[Fault::Error, Fault::CrashBefore, Fault::CrashAfter],
        }
    }

    /// The faults that are tried at the operation of a number, and with how many seeds.
    ///
    /// A crash at one that changes nothing leaves what a crash at the next one leaves, and all readings that
    /// are short or interrupted go through one loop: unless it is to be thorough, each of them is tried at
    /// every third such operation. A change that failed is met by a node whose machine went on, and by one
    /// whose power failed: that takes seeds.
    pub(super) fn tried(self, at: u64, is_thorough: bool) -> Vec<(Fault, u64)> {
        let all = self.faults();
        match self {
            Operation::Look | Operation::Read if !is_thorough => {
                let (error, others) = all.split_at(1);
                let other = others.get((at % 3) as usize);
                error.iter().chain(other).map(|fault| (*fault, 1)).collect()
            }
            Operation::Look | Operation::Read => all.iter().map(|fault| (*fault, 1)).collect(),
            Operation::Write | Operation::Create | Operation::Change => {
                let is_chance = |fault: Fault| self == Operation::Change && fault == Fault::Error;
                all.iter().map(|fault| (*fault, if is_chance(*fault) { 3 } else { 1 })).collect()
            }
        }
    }
}

/// What was done, in order.
pub(super) type Seen = Arc<Mutex<Vec<Operation>>>;

/// The disk, with a note of each operation.
#[derive(Debug, Clone)]
pub(super) struct Recorder {
    disk: SimDisk,
    seen: Seen,
}

#[derive(Debug)]
struct RecordedFile {
    file: Arc<dyn DiskFile>,
    recorder: Recorder,
}

impl Recorder {
    pub(super) fn new(disk: SimDisk, seen: Seen) -> Self {
        Recorder { disk, seen }
    }

    fn note(&self, operation: Operation) {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).push(operation);
    }

    fn recorded(&self, file: Arc<dyn DiskFile>) -> Arc<dyn DiskFile> {
        Arc::new(RecordedFile { file, recorder: self.clone() })
    }
}

impl Disk for Recorder {
    fn names(&self, folder: &str) -> io::Result<Vec<String>> {
        self.note(Operation::Look);
        self.disk.names(folder)
    }

    fn create_folder(&self, folder: &str) -> io::Result<()> {
        self.note(Operation::Change);
        self.disk.create_folder(folder)
    }

    fn create(&self, path: &str) -> io::Result<Arc<dyn DiskFile>> {
        self.note(Operation::Create);
        self.disk.create(path).map(|file| self.recorded(file))
    }

    fn open(&self, path: &str) -> io::Result<Arc<dyn DiskFile>> {
        self.note(Operation::Look);
        self.disk.open(path).map(|file| self.recorded(file))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.note(Operation::Change);
        self.disk.rename(from, to)
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        self.note(Operation::Change);
        self.disk.remove(path)
    }

    fn sync_folder(&self, folder: &str) -> io::Result<()> {
        self.note(Operation::Change);
        self.disk.sync_folder(folder)
    }
}

impl ReadAt for RecordedFile {
    fn n_bytes(&self) -> io::Result<u64> {
        self.recorder.note(Operation::Look);
        self.file.n_bytes()
    }

    fn read_at(&self, at: u64, into: &mut [u8]) -> io::Result<usize> {
        self.recorder.note(Operation::Read);
        self.file.read_at(at, into)
    }
}

impl DiskFile for RecordedFile {
    fn write_at(&self, at: u64, bytes: &[u8]) -> io::Result<usize> {
        self.recorder.note(Operation::Write);
        self.file.write_at(at, bytes)
    }

    fn set_n_bytes(&self, n_bytes: u64) -> io::Result<()> {
        self.recorder.note(Operation::Change);
        self.file.set_n_bytes(n_bytes)
    }

    fn sync(&self) -> io::Result<()> {
        self.recorder.note(Operation::Change);
        self.file.sync()
    }
}
