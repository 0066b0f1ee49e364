//! A disk in memory that loses what was not synced, and on which every single operation can fail.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use metricc_log::ReadAt;

use crate::disk::{Disk, DiskFile};

/// How an operation fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The machine stops before it.
    CrashBefore,
    /// The machine stops after it, before it returns.
    CrashAfter,
    /// It fails, and has not happened.
    Error,
    /// There is no space for a new file, or for more than half of a write.
    Full,
    /// Only a part of it happens, which is no error.
    Short,
    /// It is interrupted, and has to be done again.
    Interrupted,
}

/// All faults.
pub const FAULTS: [Fault; 6] =
    [Fault::CrashBefore, Fault::CrashAfter, Fault::Error, Fault::Full, Fault::Short, Fault::Interrupted];

/// Numbers that look random and are the same each time.
#[derive(Debug, Clone)]
pub struct Dice(u64);

impl Dice {
    /// The numbers of a seed.
    pub fn new(seed: u64) -> Self {
        Dice(seed)
    }

    /// SplitMix64.
    pub fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number from 0 to `n`, `n` not included; 0 for `n` = 0.
    pub fn below(&mut self, n: u64) -> u64 {
        self.roll() % n.max(1)
    }
}

#[derive(Debug, Default, Clone)]
struct Inode {
    bytes: Vec<u8>,
    durable: Vec<u8>,
    /// Since the last sync, in order.
    changes: Vec<Change>,
}

#[derive(Debug, Clone)]
enum Change {
    Write(usize, Vec<u8>),
    Length(usize),
}

impl Change {
    fn apply(&self, bytes: &mut Vec<u8>) {
        match self {
            Change::Write(at, written) => {
                let end = at + written.len();
                if bytes.len() < end {
                    bytes.resize(end, 0);
                }
                bytes[*at..end].copy_from_slice(written);
            }
            Change::Length(n_bytes) => bytes.resize(*n_bytes, 0),
        }
    }
}

/// A name that is given to a file, or taken away.
#[derive(Debug, Clone)]
struct Naming(String, Option<usize>);

#[derive(Debug, Default)]
struct World {
    files: Vec<Inode>,
    names: BTreeMap<String, usize>,
    durable_names: BTreeMap<String, usize>,
    namings: Vec<Naming>,
    n_operations: u64,
    faults: Vec<(u64, Fault)>,
    is_down: bool,
    /// Operations are not counted and do not fail.
    is_paused: bool,
    n_happened: u64,
    /// Files that are open, now and at most.
    n_open: usize,
    most_open: usize,
    /// How long each sync takes.
    sync_delay: Duration,
    /// Whether a sync panics: a bug in the code of the writer.
    syncs_panic: bool,
}

/// Clones are the same disk.
#[derive(Clone, Default)]
pub struct SimDisk(Arc<Mutex<World>>);

impl std::fmt::Debug for SimDisk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SimDisk")
    }
}

impl SimDisk {
    fn world(&self) -> MutexGuard<'_, World> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets operations fail, by their numbers.
    pub fn with_faults(self, faults: &[(u64, Fault)]) -> Self {
        self.world().faults = faults.to_vec();
        self
    }

    /// How many operations there were.
    pub fn n_operations(&self) -> u64 {
        self.world().n_operations
    }

    /// How many of the faults have come.
    pub fn n_happened(&self) -> u64 {
        self.world().n_happened
    }

    /// How many files are open.
    pub fn n_open(&self) -> usize {
        self.world().n_open
    }

    /// How many files were open at a time, at most, since the last call.
    pub fn most_open(&self) -> usize {
        let world = &mut *self.world();
        std::mem::replace(&mut world.most_open, world.n_open)
    }

    /// Lets each sync of a file take so long from now on.
    pub fn delay_syncs(&self, delay: Duration) {
        self.world().sync_delay = delay;
    }

    /// Lets each sync of a file panic from now on.
    pub fn let_syncs_panic(&self) {
        self.world().syncs_panic = true;
    }

    /// Runs something that only reads the disk, without counting its operations and without faults.
    pub fn paused<T>(&self, look: impl FnOnce() -> T) -> T {
        self.world().is_paused = true;
        let seen = look();
        self.world().is_paused = false;
        seen
    }

    /// Whether the machine has stopped.
    pub fn is_down(&self) -> bool {
        self.world().is_down
    }

    /// The disk as the machine finds it when it comes up again: what was synced, and a random part of the
    /// rest.
    pub fn after_crash(&self, dice: &mut Dice) -> SimDisk {
        let world = self.world();
        let mut names = world.durable_names.clone();
        // Names reach the disk in their order, up to some point.
        let n_named = dice.below(world.namings.len() as u64 + 1) as usize;
        for Naming(name, file) in &world.namings[..n_named] {
            match file {
                Some(file) => names.insert(name.clone(), *file),
                None => names.remove(name),
            };
        }
        let files: Vec<Inode> = world
            .files
            .iter()
            .map(|file| {
                let mut bytes = file.durable.clone();
                for change in &file.changes {
                    // Each change reaches the disk whole, in part, or not at all, whatever becomes of the
                    // others.
                    match (dice.below(3), change) {
                        (0, _) => {}
                        (1, Change::Write(at, written)) => {
                            let n_bytes = dice.below(written.len() as u64 + 1) as usize;
                            let part = if dice.below(2) == 0 {
                                Change::Write(*at, written[..n_bytes].to_vec())
                            } else {
                                Change::Write(
                                    at + written.len() - n_bytes,
                                    written[written.len() - n_bytes..].to_vec(),
                                )
                            };
                            part.apply(&mut bytes);
                        }
                        (_, change) => change.apply(&mut bytes),
                    }
                }
                Inode { durable: bytes.clone(), bytes, changes: Vec::new() }
            })
            .collect();
        let durable_names = names.clone();
        SimDisk(Arc::new(Mutex::new(World { files, names, durable_names, ..World::default() })))
    }

    /// The bytes of a file.
    pub fn bytes(&self, path: &str) -> Vec<u8> {
        let world = self.world();
        world.files[world.names[path]].bytes.clone()
    }

    /// Replaces the bytes of a file, durably: something outside of the program does that.
    pub fn put(&self, path: &str, bytes: &[u8]) {
        let mut world = self.world();
        let file = match world.names.get(path) {
            Some(file) => *file,
            None => {
                world.files.push(Inode::default());
                world.files.len() - 1
            }
        };
        world.files[file] = Inode { bytes: bytes.to_vec(), durable: bytes.to_vec(), changes: Vec::new() };
        world.names.insert(path.to_owned(), file);
        world.durable_names.insert(path.to_owned(), file);
    }

    /// Removes a file, durably.
    pub fn lose(&self, path: &str) {
        let mut world = self.world();
        world.names.remove(path);
        world.durable_names.remove(path);
    }

    /// A disk of its own with the same files, all durable.
    pub fn copy(&self) -> SimDisk {
        let world = self.world();
        let copy = SimDisk::default();
        for (name, file) in &world.names {
            copy.put(name, &world.files[*file].bytes);
        }
        copy
    }

    /// The paths of all files.
    pub fn paths(&self) -> Vec<String> {
        self.world().names.keys().cloned().collect()
    }
}

impl World {
    /// Counts an operation, and lets it fail if it is its turn. Returns a fault that the operation itself has
    /// to act out.
    fn begin(&mut self) -> io::Result<Option<Fault>> {
        if self.is_paused {
            return Ok(None);
        }
        if self.is_down {
            return Err(io::Error::other("the machine is down"));
        }
        let number = self.n_operations;
        self.n_operations += 1;
        let fault = self.faults.iter().find(|(at, _)| *at == number).map(|(_, fault)| *fault);
        self.n_happened += u64::from(fault.is_some());
        match fault {
            Some(Fault::CrashBefore) => {
                self.is_down = true;
                Err(io::Error::other("the machine is down"))
            }
            Some(Fault::Error) => Err(io::Error::other("input/output error")),
            fault => Ok(fault),
        }
    }

    fn end(&mut self, fault: Option<Fault>) -> io::Result<()> {
        match fault {
            Some(Fault::CrashAfter) => {
                self.is_down = true;
                Err(io::Error::other("the machine is down"))
            }
            _ => Ok(()),
        }
    }

    fn change(&mut self, file: usize, change: Change) {
        change.apply(&mut self.files[file].bytes);
        self.files[file].changes.push(change);
    }

    fn name(&mut self, name: &str, file: Option<usize>) {
        match file {
            Some(file) => self.names.insert(name.to_owned(), file),
            None => self.names.remove(name),
        };
        self.namings.push(Naming(name.to_owned(), file));
    }
}

impl Disk for SimDisk {
    fn names(&self, folder: &str) -> io::Result<Vec<String>> {
        let mut world = self.world();
        let fault = world.begin()?;
        world.end(fault)?;
        let prefix = format!("{folder}/");
        let inside = world.names.keys().filter_map(|name| name.strip_prefix(&prefix));
        Ok(inside.filter(|name| !name.contains('/')).map(str::to_owned).collect())
    }

    fn create_folder(&self, _folder: &str) -> io::Result<()> {
        let mut world = self.world();
        let fault = world.begin()?;
        world.end(fault)
    }

    fn create(&self, path: &str) -> io::Result<Arc<dyn DiskFile>> {
        let mut world = self.world();
        let fault = world.begin()?;
        if fault == Some(Fault::Full) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        if world.names.contains_key(path) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        world.files.push(Inode::default());
        let file = world.files.len() - 1;
        world.name(path, Some(file));
        world.end(fault)?;
        Ok(self.file(&mut world, file))
    }

    fn open(&self, path: &str) -> io::Result<Arc<dyn DiskFile>> {
        let mut world = self.world();
        let fault = world.begin()?;
        world.end(fault)?;
        let file = *world.names.get(path).ok_or(io::ErrorKind::NotFound)?;
        Ok(self.file(&mut world, file))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut world = self.world();
        let fault = world.begin()?;
        let file = *world.names.get(from).ok_or(io::ErrorKind::NotFound)?;
        world.name(to, Some(file));
        world.name(from, None);
        world.end(fault)
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        let mut world = self.world();
        let fault = world.begin()?;
        if !world.names.contains_key(path) {
            return Err(io::ErrorKind::NotFound.into());
        }
        world.name(path, None);
        world.end(fault)
    }

    fn sync_folder(&self, _folder: &str) -> io::Result<()> {
        let mut world = self.world();
        let fault = world.begin()?;
        world.durable_names = world.names.clone();
        world.namings.clear();
        world.end(fault)
    }
}

#[derive(Debug)]
struct SimFile {
    disk: SimDisk,
    file: usize,
}

impl SimDisk {
    fn file(&self, world: &mut World, file: usize) -> Arc<dyn DiskFile> {
        world.n_open += 1;
        world.most_open = world.most_open.max(world.n_open);
        Arc::new(SimFile { disk: self.clone(), file })
    }
}

impl Drop for SimFile {
    fn drop(&mut self) {
        self.disk.world().n_open -= 1;
    }
}

impl ReadAt for SimFile {
    fn n_bytes(&self) -> io::Result<u64> {
        let mut world = self.disk.world();
        let fault = world.begin()?;
        world.end(fault)?;
        Ok(world.files[self.file].bytes.len() as u64)
    }

    fn read_at(&self, at: u64, into: &mut [u8]) -> io::Result<usize> {
        let mut world = self.disk.world();
        let fault = world.begin()?;
        if fault == Some(Fault::Interrupted) {
            return Err(io::ErrorKind::Interrupted.into());
        }
        world.end(fault)?;
        let rest = world.files[self.file].bytes.get(at as usize..).unwrap_or_default();
        let n_asked = if fault == Some(Fault::Short) { into.len().div_ceil(2) } else { into.len() };
        let n_read = rest.len().min(n_asked);
        into[..n_read].copy_from_slice(&rest[..n_read]);
        Ok(n_read)
    }
}

impl DiskFile for SimFile {
    fn write_at(&self, at: u64, bytes: &[u8]) -> io::Result<usize> {
        let mut world = self.disk.world();
        let fault = world.begin()?;
        if fault == Some(Fault::Interrupted) {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let is_part = matches!(fault, Some(Fault::Short | Fault::Full));
        let written = if is_part { &bytes[..bytes.len().div_ceil(2)] } else { bytes };
        world.change(self.file, Change::Write(at as usize, written.to_vec()));
        world.end(fault)?;
        if fault == Some(Fault::Full) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(written.len())
    }

    fn set_n_bytes(&self, n_bytes: u64) -> io::Result<()> {
        let mut world = self.disk.world();
        let fault = world.begin()?;
        world.change(self.file, Change::Length(n_bytes as usize));
        world.end(fault)
    }

    fn sync(&self) -> io::Result<()> {
        let (delay, panics) = {
            let world = self.disk.world();
            (world.sync_delay, world.syncs_panic)
        };
        assert!(!panics, "the simulated disk was told to panic");
        // As on a real disk, other operations go on meanwhile.
        std::thread::sleep(delay);
        let mut world = self.disk.world();
        let fault = world.begin()?;
        let file = &mut world.files[self.file];
        file.durable = file.bytes.clone();
        file.changes.clear();
        world.end(fault)
    }
}
