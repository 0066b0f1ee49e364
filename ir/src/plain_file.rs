//! Opening the files that a user names: definitions, tables, configurations, tokens, logs.
//!
//! A name may lead to a FIFO, which blocks until somebody writes, to a device, or to something without an
//! end. Such files are refused before they are opened, and what is read as a whole has a limit. Every crate
//! that opens a user's file knows this one, so that there is one rule.

use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::path::Path;

/// Most bytes of a definition, a configuration or a token.
pub const MOST_TEXT: u64 = 1 << 20;
/// Most bytes of a file beside a definition: one that it uses, or a table.
pub const MOST_TABLE: u64 = 1 << 30;

/// Checks that a file has contents of its own.
///
/// # Errors
/// [`io::ErrorKind::InvalidInput`] for folders, FIFOs, sockets and devices.
pub fn check(metadata: &Metadata) -> io::Result<()> {
    if metadata.is_file() {
        return Ok(());
    }
    let problem = if metadata.is_dir() { "it is a folder" } else { "it is not a plain file" };
    Err(io::Error::new(io::ErrorKind::InvalidInput, problem))
}

/// Opens a plain file; links are followed.
///
/// # Errors
/// As [`check`], and if it cannot be opened.
pub fn open(path: &Path) -> io::Result<File> {
    // Opening a FIFO would wait for a writer.
    check(&std::fs::metadata(path)?)?;
    let file = File::open(path)?;
    check(&file.metadata()?)?;
    Ok(file)
}

/// The bytes of a plain file.
///
/// # Errors
/// As [`open`], and [`io::ErrorKind::FileTooLarge`] if it has more than `most_bytes`.
pub fn read(path: &Path, most_bytes: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open(path)?.take(most_bytes.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most_bytes {
        let problem = format!("it has more than {most_bytes} bytes");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, problem));
    }
    Ok(bytes)
}

/// The text of a plain file.
///
/// # Errors
/// As [`read`], and [`io::ErrorKind::InvalidData`] if it is not UTF-8.
pub fn read_text(path: &Path, most_bytes: u64) -> io::Result<String> {
    let not_text = |_| io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8");
    String::from_utf8(read(path, most_bytes)?).map_err(not_text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_and_devices_are_refused_and_what_is_too_long() {
        let kind = |path: &str, most: u64| read(Path::new(path), most).unwrap_err().kind();
        assert_eq!(kind("/dev/zero", 10), io::ErrorKind::InvalidInput);
        assert_eq!(kind("/dev", 10), io::ErrorKind::InvalidInput);
        let path = std::env::temp_dir().join(format!("metricc-plain-{}", std::process::id()));
        std::fs::write(&path, "abc").unwrap();
        assert_eq!(read(&path, 3).unwrap(), b"abc");
        assert_eq!(kind(&path.to_string_lossy(), 2), io::ErrorKind::FileTooLarge);
        std::fs::remove_file(&path).unwrap();
        assert_eq!(kind(&path.to_string_lossy(), 2), io::ErrorKind::NotFound);
    }
}
