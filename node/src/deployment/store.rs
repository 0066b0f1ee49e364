//! The versions of the package that a node keeps, in its data folder: `package.json` says which there are and
//! which of them is live, and `packages/HASH.json` is the text of one.
//!
//! Invariant: `package.json` is replaced as a whole, after the texts that it names are durable. So a node that
//! was killed at any moment comes up with all versions as they were before a step, or as they are after it.

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;

use metricc_durable_log::Disk;
use metricc_jobs::PackageText;
use serde::{Deserialize, Serialize};

/// The file of the versions.
const FILE: &str = "package.json";
/// The folder of the texts.
const FOLDER: &str = "packages";
/// Version of the file format; no other is read.
const FORMAT: u32 = 1;
/// Most steps that are remembered.
const MOST_STEPS: usize = 100;

/// Packages that are remembered as deployed since the last start.
const MOST_DEPLOYED: usize = 1000;

/// Packages that are remembered as live before.
const MOST_EARLIER: usize = 3;

/// What a version is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VersionState {
    /// It is served.
    Live,
    /// It was served before. Its states are followed, so it can be served again at once.
    Kept,
    /// It becomes live as soon as its states are there.
    Building,
    /// It is computed beside the live one, and becomes live when told to.
    Preview,
}

/// A version of the package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VersionRecord {
    /// Its number, from 1 on. No other version ever has it.
    pub number: u64,
    /// SHA-256 of its text and of the files that it uses.
    pub hash: String,
    /// The name of its file.
    pub name: String,
    /// Who deployed it.
    pub by: String,
    /// When, µs since 1970.
    pub at: i64,
    /// What it is.
    pub state: VersionState,
    /// Whether all its metrics were answered while it was live.
    #[serde(default)]
    pub served: bool,
    /// When it was replaced by another one, µs since 1970, if it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaced_at: Option<i64>,
}

/// What was done with a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepKind {
    /// It was given to the node.
    Deployed,
    /// It became live.
    Promoted,
    /// It became live again.
    RolledBack,
    /// It was given up.
    Retired,
}

/// A step in the history of the package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// The number of the version.
    pub version: u64,
    /// What was done.
    pub kind: StepKind,
    /// Who did it.
    pub by: String,
    /// When, µs since 1970.
    pub at: i64,
}

/// The content of the file of the versions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Versions {
    format: u32,
    /// The hash of the package that the node was started with last.
    pub(crate) started_with: String,
    /// The hashes of packages that were deployed since then.
    #[serde(default)]
    pub(crate) deployed_since: Vec<String>,
    /// The hashes of packages that were live before, the last one first, also of versions that are gone: events of
    /// the journal were decoded as one of them declares their source.
    #[serde(default)]
    pub(crate) earlier: Vec<String>,
    /// The number of the next version.
    pub(crate) next: u64,
    /// Newest first.
    pub(crate) versions: Vec<VersionRecord>,
    /// The last steps, oldest first.
    pub(crate) steps: Vec<Step>,
}

impl Versions {
    pub(crate) fn new(started_with: String) -> Self {
        Versions {
            format: FORMAT,
            started_with,
            deployed_since: Vec::new(),
            earlier: Vec::new(),
            next: 1,
            versions: Vec::new(),
            steps: Vec::new(),
        }
    }

    /// Makes a version that is on its way a preview: something else was decided since.
    pub(crate) fn hold_back(&mut self) {
        for version in self.versions.iter_mut().filter(|version| version.state == VersionState::Building) {
            version.state = VersionState::Preview;
        }
    }

    /// Remembers that a package was deployed: the last thousand are.
    pub(crate) fn note_deployed(&mut self, hash: &str) {
        self.deployed_since.retain(|known| known != hash);
        self.deployed_since.push(hash.to_owned());
        let n_forgotten = self.deployed_since.len().saturating_sub(MOST_DEPLOYED);
        self.deployed_since.drain(..n_forgotten);
    }

    /// Remembers the package that is live, and is about to be replaced.
    pub(crate) fn note_earlier(&mut self) {
        let Some(hash) = self.live().map(|live| live.hash.clone()) else { return };
        self.earlier.retain(|known| *known != hash);
        self.earlier.insert(0, hash);
        self.earlier.truncate(MOST_EARLIER);
    }

    /// Remembers a step.
    pub(crate) fn step(&mut self, version: u64, kind: StepKind, by: &str, at: i64) {
        self.steps.push(Step { version, kind, by: by.to_owned(), at });
        let n_forgotten = self.steps.len().saturating_sub(MOST_STEPS);
        self.steps.drain(..n_forgotten);
    }

    pub(crate) fn of(&self, number: u64) -> Option<&VersionRecord> {
        self.versions.iter().find(|version| version.number == number)
    }

    pub(crate) fn live(&self) -> Option<&VersionRecord> {
        self.versions.iter().find(|version| version.state == VersionState::Live)
    }
}

/// The versions on the disk of a node.
#[derive(Debug, Clone)]
pub(crate) struct VersionStore(Arc<dyn Disk>);

impl VersionStore {
    /// The store in the data folder of a node.
    pub(crate) fn new(data: Arc<dyn Disk>) -> Self {
        VersionStore(data)
    }

    /// The versions; `None` if there are none yet.
    ///
    /// # Errors
    /// If the file cannot be read, or is not one of this format.
    pub(crate) fn read(&self) -> io::Result<Option<Versions>> {
        let bytes = match self.0.read_whole(FILE) {
            // Whoever takes the folder says that it is none.
            Err(error) if error.kind() == io::ErrorKind::NotADirectory => None,
            read => read?,
        };
        let Some(bytes) = bytes else { return Ok(None) };
        let versions: Versions =
            serde_json::from_slice(&bytes).map_err(|error| self.damaged(FILE, &error))?;
        if versions.format != FORMAT {
            let problem = format!("it has format {}, and this version reads {FORMAT}", versions.format);
            return Err(self.damaged(FILE, problem));
        }
        Ok(Some(versions))
    }

    /// The text of a version.
    ///
    /// # Errors
    /// If it is not there, or is another text.
    pub(crate) fn text(&self, hash: &str) -> io::Result<PackageText> {
        let path = text_path(hash);
        let bytes = self.0.read_whole(&path)?.ok_or_else(|| self.damaged(&path, "it is not there"))?;
        let text: PackageText =
            serde_json::from_slice(&bytes).map_err(|error| self.damaged(&path, &error))?;
        match text.hash() == hash {
            true => Ok(text),
            false => Err(self.damaged(&path, "it is the text of another version")),
        }
    }

    /// Writes a text, unless it is there.
    ///
    /// # Errors
    /// What is wrong with the disk.
    pub(crate) fn write_text(&self, text: &PackageText) -> io::Result<()> {
        let hash = text.hash();
        if self.text(&hash).is_ok() {
            return Ok(());
        }
        self.0.create_folder(FOLDER)?;
        self.0.write_whole(&text_path(&hash), &serde_json::to_vec(text)?)?;
        self.0.sync_folder(FOLDER)
    }

    /// Replaces the versions, and removes the texts of those that are gone.
    ///
    /// # Errors
    /// What is wrong with the disk. The versions are those before, or, if that could not be made durable,
    /// these.
    pub(crate) fn write(&self, versions: &Versions) -> io::Result<()> {
        self.0.write_whole(FILE, &serde_json::to_vec_pretty(versions)?)?;
        self.0.sync_folder("")?;
        let hashes = versions.versions.iter().map(|version| &version.hash).chain(&versions.earlier);
        let kept: BTreeSet<String> = hashes.map(|hash| format!("{hash}.json")).collect();
        // What cannot be removed now is removed after the next step.
        for name in self.0.names(FOLDER).unwrap_or_default() {
            if !kept.contains(&name) {
                let _ = self.0.remove(&format!("{FOLDER}/{name}"));
            }
        }
        Ok(())
    }

    fn damaged(&self, path: &str, problem: impl std::fmt::Display) -> io::Error {
        io::Error::new(io::ErrorKind::InvalidData, format!("`{}`: {problem}", self.0.shown(path)))
    }
}

fn text_path(hash: &str) -> String {
    format!("{FOLDER}/{hash}.json")
}
