//! An open file that is read from any position, or from one on.

use std::fmt;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use parquet::errors::ParquetError;
use parquet::file::reader::{ChunkReader, Length};

use crate::page_buffers::PageBuffers;

/// How many bytes of a file are looked at.
pub(crate) const HEAD_BYTES: usize = 64 << 10;

/// What is read for the header of a page: more than most headers have. The page is read by itself.
const HEADER_BYTES: usize = 1 << 10;

/// A file that is read from any position; it may lose its name while it is open.
pub trait ReadAt: fmt::Debug + Send + Sync {
    /// Its length in bytes.
    fn n_bytes(&self) -> io::Result<u64>;

    /// Reads some bytes from a position on: as many as there are, or fewer. 0 at the end.
    fn read_at(&self, at: u64, into: &mut [u8]) -> io::Result<usize>;

    /// Says which bytes are read next, in this order. What lies behind a network is requested then.
    fn will_read(&self, _ranges: &[Range<u64>]) {}

    /// When it was written last, if that tells whether it was changed.
    fn modified(&self) -> io::Result<Option<SystemTime>> {
        Ok(None)
    }
}

impl ReadAt for File {
    fn n_bytes(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn read_at(&self, at: u64, into: &mut [u8]) -> io::Result<usize> {
        FileExt::read_at(self, into, at)
    }

    fn modified(&self) -> io::Result<Option<SystemTime>> {
        Ok(self.metadata()?.modified().ok())
    }
}

impl dyn ReadAt + '_ {
    /// Reads until the bytes are full or the file ends; goes on after short and interrupted reads.
    ///
    /// # Errors
    /// The error of the file, except for [`io::ErrorKind::Interrupted`].
    pub fn read_up_to(&self, at: u64, into: &mut [u8]) -> io::Result<usize> {
        let mut n_read = 0;
        while n_read < into.len() {
            match self.read_at(at + n_read as u64, &mut into[n_read..]) {
                Ok(0) => break,
                Ok(n_more) => n_read += n_more,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(n_read)
    }

    /// Reads until the bytes are full.
    ///
    /// # Errors
    /// As `read_up_to`, and [`io::ErrorKind::UnexpectedEof`] if the file ends before.
    pub fn read_exact_at(&self, at: u64, into: &mut [u8]) -> io::Result<()> {
        let n_read = self.read_up_to(at, into)?;
        if n_read == into.len() { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }
}

/// An open file for the Parquet library; clones share it.
#[derive(Debug, Clone)]
pub struct OpenFile {
    file: Arc<dyn ReadAt>,
    /// What pages were read into.
    buffers: Arc<PageBuffers>,
}

impl OpenFile {
    /// A file to be read by the Parquet library.
    pub fn new(file: Arc<dyn ReadAt>) -> Self {
        OpenFile { file, buffers: Arc::default() }
    }

    /// The file itself.
    pub(crate) fn file(&self) -> &dyn ReadAt {
        self.file.as_ref()
    }

    /// The file, to be kept elsewhere.
    pub(crate) fn shared(&self) -> Arc<dyn ReadAt> {
        self.file.clone()
    }

    /// Reads the file from a byte on.
    pub(crate) fn reader(&self, at: u64) -> SequentialReader {
        SequentialReader { file: self.file.clone(), at }
    }

    /// All of it, as a text.
    pub(crate) fn text(&self) -> io::Result<String> {
        let mut text = String::new();
        self.reader(0).read_to_string(&mut text)?;
        Ok(text)
    }

    /// Its first bytes; fewer if it is shorter.
    pub(crate) fn head(&self, n_bytes: usize) -> io::Result<Vec<u8>> {
        let mut head = vec![0; n_bytes.min(HEAD_BYTES)];
        let n_read = self.file.read_up_to(0, &mut head)?;
        head.truncate(n_read);
        Ok(head)
    }
}

impl Length for OpenFile {
    fn len(&self) -> u64 {
        self.file.n_bytes().unwrap_or(0)
    }
}

impl ChunkReader for OpenFile {
    type T = BufReader<SequentialReader>;

    fn get_read(&self, start: u64) -> Result<Self::T, ParquetError> {
        Ok(BufReader::with_capacity(HEADER_BYTES, self.reader(start)))
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        let mut page = self.buffers.take(length);
        if self.file.read_up_to(start, page.bytes_mut())? < length {
            return Err(ParquetError::EOF(format!("the file ends before byte {}", start + length as u64)));
        }
        Ok(Bytes::from_owner(page))
    }
}

/// Reads a file from a position on.
#[derive(Debug)]
pub struct SequentialReader {
    file: Arc<dyn ReadAt>,
    at: u64,
}

impl Read for SequentialReader {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let n_read = self.file.read_at(self.at, into)?;
        self.at += n_read as u64;
        Ok(n_read)
    }
}
