//! The disk as the durable log sees it: few operations, each of which can fail.
//!
//! Nothing is durable before it is synced: the bytes of a file by [`DiskFile::sync`], its name by
//! [`Disk::sync_folder`]. The log does all its input and output through this trait, so that tests can crash
//! it at every single operation.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use metricc_log::ReadAt;

/// Files in folders below a root. Paths are relative to it, with `/` between their parts.
pub trait Disk: fmt::Debug + Send + Sync {
    /// The names of the files in a folder, in the order of their bytes; none if there is no such folder.
    fn names(&self, folder: &str) -> io::Result<Vec<String>>;
    /// Makes a folder, and those above it, where they are missing; their names are durable.
    fn create_folder(&self, folder: &str) -> io::Result<()>;
    /// Makes a new, empty file. Fails where there is one.
    fn create(&self, path: &str) -> io::Result<Arc<dyn DiskFile>>;
    /// Opens a file for reading and writing.
    fn open(&self, path: &str) -> io::Result<Arc<dyn DiskFile>>;
    /// Opens a file for reading.
    fn open_to_read(&self, path: &str) -> io::Result<Arc<dyn ReadAt>> {
        Ok(self.open(path)?)
    }
    /// Gives a file another name, replacing a file that has it.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;
    /// Removes a file. What has it open can go on reading.
    fn remove(&self, path: &str) -> io::Result<()>;
    /// Makes the names in a folder durable.
    fn sync_folder(&self, folder: &str) -> io::Result<()>;
    /// The path in messages.
    fn shown(&self, path: &str) -> String {
        path.to_owned()
    }
    /// The path that other processes of this machine have for a file, if they have one.
    fn local_path(&self, _path: &str) -> Option<PathBuf> {
        None
    }
    /// Which file a path leads to, as [`DiskFile::identity`] says it; `None` where files have no identity.
    fn identity(&self, _path: &str) -> io::Result<Option<FileIdentity>> {
        Ok(None)
    }
}

/// What tells a file from all others, whatever it is called: its device and inode.
pub type FileIdentity = (u64, u64);

/// An open file for reading and writing.
pub trait DiskFile: ReadAt {
    /// Writes some of the bytes to a position, and returns how many.
    fn write_at(&self, at: u64, bytes: &[u8]) -> io::Result<usize>;
    /// Cuts the file to a length.
    fn set_n_bytes(&self, n_bytes: u64) -> io::Result<()>;
    /// Makes its bytes and its length durable.
    fn sync(&self) -> io::Result<()>;
    /// Which file it is; `None` where files have no identity.
    fn identity(&self) -> io::Result<Option<FileIdentity>> {
        Ok(None)
    }
}

impl dyn Disk {
    /// Writes a file under another name first, so that one with this name is always whole, and durable if its
    /// name is.
    ///
    /// # Errors
    /// What is wrong with the disk. There is no file under either name then.
    pub fn write_whole(&self, path: &str, bytes: &[u8]) -> io::Result<()> {
        let unfinished = format!("{path}.unfinished");
        // A crash may have left one.
        let _ = self.remove(&unfinished);
        let written = self.create(&unfinished).and_then(|file| {
            file.write_all_at(0, bytes)?;
            file.sync()?;
            self.rename(&unfinished, path)
        });
        if written.is_err() {
            let _ = self.remove(&unfinished);
        }
        written
    }

    /// The bytes of a file; `None` if there is no such file.
    ///
    /// # Errors
    /// What is wrong with the disk.
    pub fn read_whole(&self, path: &str) -> io::Result<Option<Vec<u8>>> {
        let file = match self.open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut bytes = vec![0; usize::try_from(file.n_bytes()?).map_err(io::Error::other)?];
        file.read_exact_at(0, &mut bytes)?;
        Ok(Some(bytes))
    }
}

impl dyn DiskFile {
    /// Writes all bytes to a position; goes on after short and interrupted writes.
    pub(crate) fn write_all_at(&self, mut at: u64, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            match self.write_at(at, bytes) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(n_written) => {
                    bytes = &bytes[n_written..];
                    at += n_written as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Reads until the bytes are full.
    pub(crate) fn read_exact_at(&self, at: u64, into: &mut [u8]) -> io::Result<()> {
        let file: &dyn ReadAt = self;
        file.read_exact_at(at, into)
    }

    /// See [`ReadAt`].
    pub(crate) fn read_up_to(&self, at: u64, into: &mut [u8]) -> io::Result<usize> {
        let file: &dyn ReadAt = self;
        file.read_up_to(at, into)
    }
}

/// A folder of this machine. Files and folders are readable by their owner alone.
#[derive(Debug, Clone)]
pub struct LocalDisk {
    root: PathBuf,
}

impl LocalDisk {
    /// The folder, which is made when something is first written to it.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        LocalDisk { root: root.into() }
    }

    fn path(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }
}

impl Disk for LocalDisk {
    fn names(&self, folder: &str) -> io::Result<Vec<String>> {
        let entries = match fs::read_dir(self.path(folder)) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry?;
            if entry.file_type()?.is_file()
                && let Ok(name) = entry.file_name().into_string()
            {
                names.push(name);
            }
        }
        names.sort_unstable();
        Ok(names)
    }

    fn create_folder(&self, folder: &str) -> io::Result<()> {
        let path = self.path(folder);
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&path)?;
        // The name of each folder is in the one above it, up to the one in which the root is.
        let above = path.ancestors().skip(1).filter(|above| above.starts_with(&self.root));
        for above in above.chain(self.root.parent()) {
            let above = if above.as_os_str().is_empty() { Path::new(".") } else { above };
            File::open(above)?.sync_all()?;
        }
        Ok(())
    }

    fn create(&self, path: &str) -> io::Result<Arc<dyn DiskFile>> {
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).create_new(true).mode(0o600).open(self.path(path))?;
        Ok(Arc::new(LocalFile(file)))
    }

    fn open(&self, path: &str) -> io::Result<Arc<dyn DiskFile>> {
        Ok(Arc::new(LocalFile(OpenOptions::new().read(true).write(true).open(self.path(path))?)))
    }

    fn open_to_read(&self, path: &str) -> io::Result<Arc<dyn ReadAt>> {
        Ok(Arc::new(File::open(self.path(path))?))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.path(from), self.path(to))
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        fs::remove_file(self.path(path))
    }

    fn sync_folder(&self, folder: &str) -> io::Result<()> {
        File::open(self.path(folder))?.sync_all()
    }

    fn shown(&self, path: &str) -> String {
        Path::new(&self.root).join(path).display().to_string()
    }

    fn local_path(&self, path: &str) -> Option<PathBuf> {
        Some(self.path(path))
    }

    fn identity(&self, path: &str) -> io::Result<Option<FileIdentity>> {
        let found = fs::metadata(self.path(path))?;
        Ok(Some((found.dev(), found.ino())))
    }
}

#[derive(Debug)]
struct LocalFile(File);

impl ReadAt for LocalFile {
    fn n_bytes(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn read_at(&self, at: u64, into: &mut [u8]) -> io::Result<usize> {
        FileExt::read_at(&self.0, into, at)
    }
}

impl DiskFile for LocalFile {
    fn write_at(&self, at: u64, bytes: &[u8]) -> io::Result<usize> {
        FileExt::write_at(&self.0, bytes, at)
    }

    fn set_n_bytes(&self, n_bytes: u64) -> io::Result<()> {
        self.0.set_len(n_bytes)
    }

    fn sync(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn identity(&self) -> io::Result<Option<FileIdentity>> {
        let found = self.0.metadata()?;
        Ok(Some((found.dev(), found.ino())))
    }
}
