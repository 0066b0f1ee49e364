//! Files without the compression around them. Slices are read from any position, so what is compressed, or
//! comes through a pipe, is first written to a temporary file without a name, which ends with its last
//! reader.

use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::sync::Arc;

use crate::open_file::{OpenFile, ReadAt};

/// How many times longer a file may become, and what is allowed to any: a file of some kilobytes can say that
/// it holds petabytes.
const MAX_RATIO: u64 = 1000;
const ALWAYS_ALLOWED: u64 = 1 << 30;

/// How much is written at once.
const CHUNK_BYTES: usize = 256 << 10;

/// How a file is compressed. Its first bytes tell, whatever its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Compression {
    Gzip,
    Zstd,
    Bzip2,
}

impl Compression {
    pub(crate) fn of(head: &[u8]) -> Option<Self> {
        match head {
            [0x1f, 0x8b, ..] => Some(Compression::Gzip),
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Some(Compression::Zstd),
            [b'B', b'Z', b'h', b'1'..=b'9', 0x31, 0x41, 0x59, 0x26, 0x53, 0x59, ..] => {
                Some(Compression::Bzip2)
            }
            _ => None,
        }
    }

    /// Its name in messages.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Compression::Gzip => "gzip",
            Compression::Zstd => "zstd",
            Compression::Bzip2 => "bzip2",
        }
    }

    /// The suffixes of the names of compressed files.
    pub(crate) const SUFFIXES: [&'static str; 4] = ["gz", "zst", "zstd", "bz2"];
}

/// Why a file could not be unpacked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UnpackError {
    /// It could not be read.
    #[error(transparent)]
    Read(io::Error),
    /// It is not sound.
    #[error("it is not sound: {0}")]
    Corrupt(io::Error),
    /// It becomes too long.
    #[error("it becomes more than {MAX_RATIO} times as long, and more than {ALWAYS_ALLOWED} bytes")]
    TooLong,
    /// The temporary file could not be written.
    #[error("the temporary file in `{folder}` is not writable: {0}", folder = std::env::temp_dir().display())]
    Write(io::Error),
}

/// The contents of a compressed file. Calls `progress` with the bytes of it that were read.
pub(crate) fn unpack(
    file: &OpenFile,
    compression: Compression,
    progress: &mut dyn FnMut(u64),
) -> Result<OpenFile, UnpackError> {
    let n_bytes = file.file().n_bytes().map_err(UnpackError::Read)?;
    let most = n_bytes.saturating_mul(MAX_RATIO).max(ALWAYS_ALLOWED);
    let counted = Counted { text: file.reader(0), report: progress };
    let packed = BufReader::with_capacity(CHUNK_BYTES, counted);
    let corrupt = UnpackError::Corrupt;
    match compression {
        Compression::Gzip => write(flate2::bufread::MultiGzDecoder::new(packed), most, corrupt),
        Compression::Zstd => {
            write(zstd::stream::read::Decoder::with_buffer(packed).map_err(corrupt)?, most, corrupt)
        }
        Compression::Bzip2 => write(bzip2::bufread::MultiBzDecoder::new(packed), most, corrupt),
    }
}

/// All that comes through a pipe.
pub(crate) fn of_pipe(pipe: impl Read) -> Result<OpenFile, UnpackError> {
    write(pipe, u64::MAX, UnpackError::Read)
}

fn write(
    mut text: impl Read,
    most: u64,
    unreadable: fn(io::Error) -> UnpackError,
) -> Result<OpenFile, UnpackError> {
    let mut file = tempfile::tempfile().map_err(UnpackError::Write)?;
    let (mut buffer, mut n_written) = (vec![0; CHUNK_BYTES], 0u64);
    loop {
        match text.read(&mut buffer) {
            Ok(0) => break,
            Ok(n_read) => {
                n_written += n_read as u64;
                if n_written > most {
                    return Err(UnpackError::TooLong);
                }
                file.write_all(&buffer[..n_read]).map_err(UnpackError::Write)?;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(unreadable(error)),
        }
    }
    let file: Arc<dyn ReadAt> = Arc::<File>::new(file);
    Ok(OpenFile::new(file))
}

/// A text that reports how much of it was read.
struct Counted<'a, R> {
    text: R,
    report: &'a mut dyn FnMut(u64),
}

impl<R: Read> Read for Counted<'_, R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let n_read = self.text.read(into)?;
        (self.report)(n_read as u64);
        Ok(n_read)
    }
}
