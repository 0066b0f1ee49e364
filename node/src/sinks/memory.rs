//! What a node remembers of a metric in a sink: a file for each, below the data folder.
//!
//! Of a sink that says what it holds, the file tells whether it was this node that wrote it: a copy of the data
//! folder, or one that was put back, has the same log up to some position, and other rows after it. Then all rows
//! are written, as the changes between the two are not known. Of a sink that cannot be asked, the file is what it
//! holds.
//!
//! A file is replaced as a whole. It is synced only where nothing else says what the sink holds. Whoever
//! removes such a file wants all rows to be sent: it is not written again before the sink was asked anew.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use metricc_sinks::{Held, SinkError, Stored};
use serde::{Deserialize, Serialize};

/// What a sink holds, as far as this node knows.
#[derive(Debug, Clone, Default)]
pub(super) struct Base {
    /// The version that it holds.
    pub(super) stored: Option<Stored>,
    /// A version that may have arrived, and has to be sent again as it was: only where a sink cannot be asked.
    pub(super) pending: Option<Pending>,
    /// The epoch of the log whose metrics it holds, where all that it holds must be of one log.
    pub(super) epoch: Option<String>,
    /// Whether this node has written what it holds, so that changes can be told from there.
    pub(super) is_own: bool,
    /// Whether rows of it may be lost.
    pub(super) is_lost: bool,
    /// What has to be removed to have all rows written.
    pub(super) removable: String,
}

impl Base {
    /// Whether it holds a version that this node has written. No other node has the name of it.
    pub(super) fn is_proved(&self) -> bool {
        self.is_own && self.stored.is_some()
    }
}

/// A version that was sent, and not acknowledged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Pending {
    #[serde(flatten)]
    pub(super) version: Stored,
    /// Whether all rows were sent.
    pub(super) complete: bool,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Remembered {
    acknowledged: Option<Stored>,
    pending: Option<Pending>,
    /// Who has acknowledged it, if the sink cannot be asked.
    receiver: Option<String>,
}

/// The file of a metric in a sink.
pub(super) struct Memory {
    path: PathBuf,
    receiver: Option<String>,
    /// Whether the file was there when it was read or written last.
    is_there: bool,
}

impl Memory {
    pub(super) fn new(folder: &Path, metric: &str) -> Self {
        Memory { path: folder.join(format!("{metric}.json")), receiver: None, is_there: false }
    }

    /// What a sink holds, from what it says.
    ///
    /// # Errors
    /// [`SinkError::Refused`] if it cannot be asked, and the file cannot be read.
    pub(super) fn base(&mut self, held: Held) -> Result<Base, SinkError> {
        let remembered = self.read();
        match held {
            Held::Known { stored, is_lost, epoch, removable } => {
                self.receiver = None;
                // Without the file, all rows are written.
                let Remembered { acknowledged, pending, .. } = remembered.unwrap_or_default();
                let own = acknowledged.iter().chain(pending.iter().map(|pending| &pending.version));
                let is_own =
                    stored.as_ref().is_none_or(|stored| own.into_iter().any(|own| own.id == stored.id));
                Ok(Base { stored, pending: None, epoch, is_own, is_lost, removable })
            }
            Held::Unknown { receiver } => {
                let Remembered { acknowledged, pending, receiver: known } = remembered.map_err(|error| {
                    let path = self.path.display();
                    SinkError::Refused(format!(
                        "`{path}` cannot be read: {error}; remove it, and all rows are sent again"
                    ))
                })?;
                let is_same = known.as_ref() == Some(&receiver);
                self.receiver = Some(receiver);
                let (stored, pending) = if is_same { (acknowledged, pending) } else { (None, None) };
                let removable = format!("the file `{}`", self.path.display());
                Ok(Base { stored, pending, epoch: None, is_own: true, is_lost: false, removable })
            }
        }
    }

    /// Notes that a version is sent.
    ///
    /// # Errors
    /// [`SinkError::Refused`] if the file cannot be written, and [`SinkError::Moved`] if it was removed, and
    /// nothing else says what the sink holds.
    pub(super) fn sends(&mut self, base: &Base, version: &Stored, complete: bool) -> Result<(), SinkError> {
        let pending = Some(Pending { version: version.clone(), complete });
        self.write(base.stored.clone().filter(|_| base.is_own), pending)
    }

    /// Notes that the sink holds a version.
    ///
    /// # Errors
    /// As [`Memory::sends`].
    pub(super) fn holds(&mut self, version: &Stored) -> Result<(), SinkError> {
        self.write(Some(version.clone()), None)
    }

    fn read(&mut self) -> io::Result<Remembered> {
        let read = fs::read(&self.path);
        self.is_there = read.is_ok();
        match read {
            Ok(bytes) => Ok(serde_json::from_slice(&bytes)?),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Remembered::default()),
            Err(error) => Err(error),
        }
    }

    fn write(&mut self, acknowledged: Option<Stored>, pending: Option<Pending>) -> Result<(), SinkError> {
        if self.receiver.is_some() && self.is_there && self.path.try_exists().is_ok_and(|exists| !exists) {
            let path = self.path.display();
            return Err(SinkError::Moved(format!("`{path}` was removed: all rows are sent again")));
        }
        let written = || {
            let remembered = Remembered { acknowledged, pending, receiver: self.receiver.clone() };
            let text = serde_json::to_vec(&remembered)?;
            let folder = self.path.parent().unwrap_or(Path::new("."));
            fs::create_dir_all(folder)?;
            let new = self.path.with_extension("json.new");
            let mut file = File::create(&new)?;
            file.write_all(&text)?;
            if self.receiver.is_some() {
                file.sync_all()?;
            }
            fs::rename(&new, &self.path)?;
            if self.receiver.is_some() { File::open(folder)?.sync_all() } else { Ok(()) }
        };
        written().map_err(|error: io::Error| {
            SinkError::Refused(format!("`{}` cannot be written: {error}", self.path.display()))
        })?;
        self.is_there = true;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(id: &str) -> Stored {
        let (hash, epoch) = ("h".to_owned(), "e".to_owned());
        Stored { hash, epoch, frontier: vec![1], version: 1, id: id.to_owned() }
    }

    fn held(stored: Option<Stored>) -> Held {
        Held::Known { stored, is_lost: false, epoch: None, removable: "it".to_owned() }
    }

    fn known(id: &str) -> Held {
        held(Some(version(id)))
    }

    #[test]
    fn only_what_this_node_wrote_is_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let mut memory = Memory::new(folder.path(), "m");
        let nothing = memory.base(held(None)).unwrap();
        assert!(nothing.is_own && !nothing.is_proved());
        assert!(!memory.base(known("a")).unwrap().is_own, "there is no file");
        memory.holds(&version("a")).unwrap();
        let base = memory.base(known("a")).unwrap();
        assert!(base.is_own && base.is_proved());
        memory.sends(&base, &version("b"), false).unwrap();
        // Whether it arrived is not known: both are versions of this node.
        assert!(memory.base(known("a")).unwrap().is_own && memory.base(known("b")).unwrap().is_own);
        assert!(!memory.base(known("c")).unwrap().is_own);
        fs::write(folder.path().join("m.json"), "{").unwrap();
        assert!(!memory.base(known("b")).unwrap().is_own, "a damaged file is none");
    }

    #[test]
    fn what_cannot_be_asked_holds_what_it_has_acknowledged() {
        let folder = tempfile::tempdir().unwrap();
        let mut memory = Memory::new(folder.path(), "m");
        let unknown = |receiver: &str| Held::Unknown { receiver: receiver.to_owned() };
        let base = memory.base(unknown("first")).unwrap();
        assert!(base.stored.is_none() && base.pending.is_none());
        memory.sends(&base, &version("a"), true).unwrap();
        let base = memory.base(unknown("first")).unwrap();
        assert_eq!(base.pending, Some(Pending { version: version("a"), complete: true }));
        memory.holds(&version("a")).unwrap();
        assert_eq!(memory.base(unknown("first")).unwrap().stored, Some(version("a")));
        assert_eq!(memory.base(unknown("second")).unwrap().stored, None, "another receiver has nothing");
        fs::write(folder.path().join("m.json"), "{").unwrap();
        assert!(memory.base(unknown("first")).is_err());
    }

    #[test]
    fn a_file_that_is_removed_is_not_written_again_before_all_rows_are_sent() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("m.json");
        let mut memory = Memory::new(folder.path(), "m");
        let receiver = || Held::Unknown { receiver: "r".to_owned() };
        let base = memory.base(receiver()).unwrap();
        assert!(base.removable.contains("m.json") && !base.is_proved());
        memory.sends(&base, &version("a"), true).unwrap();
        memory.holds(&version("a")).unwrap();
        let base = memory.base(receiver()).unwrap();
        fs::remove_file(&path).unwrap();
        assert!(matches!(memory.sends(&base, &version("b"), false), Err(SinkError::Moved(_))));
        assert!(!path.exists());
        let base = memory.base(receiver()).unwrap();
        assert!(base.stored.is_none() && base.pending.is_none());
        memory.sends(&base, &version("c"), true).unwrap();
        // While it is sent.
        fs::remove_file(&path).unwrap();
        assert!(memory.holds(&version("c")).is_err() && !path.exists());
    }
}
