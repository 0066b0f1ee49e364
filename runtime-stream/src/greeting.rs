//! What two processes of a run tell each other before they exchange groups.

use std::io::{self, Read, Write};
use std::net::TcpStream;

use crate::RunId;

/// What both sides of a connection send first. The last byte is the version of the greeting.
const MAGIC: [u8; 8] = *b"metricc2";

/// Bytes of a text at most.
const MAX_BYTES: u32 = 1 << 20;

/// What all processes of a run must have in common: names and values, in one order.
pub type Facts = Vec<(String, String)>;

/// Who sends it, and in which run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Greeting {
    pub(crate) run: RunId,
    pub(crate) process: u64,
    pub(crate) facts: Facts,
    pub(crate) card: String,
}

/// What came instead of a greeting.
#[derive(Debug)]
pub(crate) enum Unread {
    /// The greeting of another version.
    Version,
    /// Something else, or nothing.
    Io(io::Error),
}

impl From<io::Error> for Unread {
    fn from(error: io::Error) -> Self {
        Unread::Io(error)
    }
}

impl Greeting {
    pub(crate) fn send(&self, mut stream: &TcpStream) -> io::Result<()> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend(self.run);
        bytes.extend(self.process.to_le_bytes());
        let texts = self.facts.iter().flat_map(|(name, value)| [name, value]);
        let texts: Vec<&String> = std::iter::once(&self.card).chain(texts).collect();
        bytes.extend((texts.len() as u32).to_le_bytes());
        for text in texts {
            bytes.extend((text.len() as u32).to_le_bytes());
            bytes.extend(text.as_bytes());
        }
        stream.write_all(&bytes)
    }

    pub(crate) fn receive(mut stream: &TcpStream) -> Result<Self, Unread> {
        let (mut magic, mut run, mut process) = ([0; 8], [0; 32], [0; 8]);
        stream.read_exact(&mut magic)?;
        if magic != MAGIC {
            let is_version = magic[..7] == MAGIC[..7];
            return Err(if is_version { Unread::Version } else { Unread::Io(strange()) });
        }
        stream.read_exact(&mut run)?;
        stream.read_exact(&mut process)?;
        let n_texts = bounded(stream)?;
        let mut texts = (0..n_texts).map(|_| text(stream)).collect::<io::Result<Vec<_>>>()?.into_iter();
        let card = texts.next().ok_or_else(strange)?;
        let mut facts = Vec::new();
        while let (Some(name), Some(value)) = (texts.next(), texts.next()) {
            facts.push((name, value));
        }
        Ok(Greeting { run, process: u64::from_le_bytes(process), facts, card })
    }

    /// In what the sender differs from another process, whose facts are given: there, and here.
    pub(crate) fn difference(&self, own: &Facts) -> String {
        let differ = |((name, here), (_, there)): (&(String, String), &(String, String))| {
            (here != there).then(|| format!("{name} ({there} there, {here} here)"))
        };
        let found: Vec<String> = own.iter().zip(&self.facts).filter_map(differ).collect();
        match &found[..] {
            [] => "its line in `--hosts`".to_owned(),
            found => format!("its {}", found.join(", its ")),
        }
    }
}

fn strange() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "what came is no greeting")
}

/// A number that a stranger may have sent.
fn bounded(mut stream: &TcpStream) -> io::Result<u32> {
    let mut n = [0; 4];
    stream.read_exact(&mut n)?;
    Some(u32::from_le_bytes(n)).filter(|n| *n <= MAX_BYTES).ok_or_else(strange)
}

fn text(stream: &TcpStream) -> io::Result<String> {
    let n_bytes = bounded(stream)?;
    let mut text = Vec::new();
    // Grows with what comes, not with what is announced.
    Read::take(stream, n_bytes.into()).read_to_end(&mut text)?;
    if text.len() as u64 != u64::from(n_bytes) {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    String::from_utf8(text).map_err(|_| strange())
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    fn facts(log: &str) -> Facts {
        [("package", "a1"), ("log", log)].map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec()
    }

    #[test]
    fn greetings_arrive_and_say_what_differs() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (received, _) = listener.accept().unwrap();
        let sent = Greeting { run: [7; 32], process: 3, facts: facts("3 files"), card: "t".to_owned() };
        sent.send(&stream).unwrap();
        let greeting = Greeting::receive(&received).unwrap();
        assert_eq!(greeting, sent);
        assert_eq!(greeting.difference(&facts("2 files")), "its log (3 files there, 2 files here)");
        for (bytes, is_version) in [(*b"metricc1", true), (*b"GET / HT", false)] {
            (&stream).write_all(&bytes).unwrap();
            let unread = Greeting::receive(&received).unwrap_err();
            assert_eq!(matches!(unread, Unread::Version), is_version, "{unread:?}");
        }
    }
}
