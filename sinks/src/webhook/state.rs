//! What a webhook has acknowledged, in a file for each metric.
//!
//! A file is replaced as a whole and synced, so after a kill or a power failure it is one that was written.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::{Held, SinkError, Stored};

#[derive(Serialize, Deserialize)]
struct State {
    acknowledged: Option<Stored>,
    pending: Option<Stored>,
}

/// # Errors
/// [`SinkError::Refused`] if the file cannot be read.
pub(super) fn read(folder: &Path, metric: &str) -> Result<Held, SinkError> {
    let path = folder.join(format!("{metric}.json"));
    let refused =
        |problem: String| SinkError::Refused(format!("`{}` cannot be read: {problem}", path.display()));
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Held::default()),
        Err(error) => return Err(refused(error.to_string())),
    };
    let State { acknowledged, pending } = serde_json::from_str(&text)
        .map_err(|error| refused(format!("{error}; remove it, and all rows are sent again")))?;
    Ok(Held { stored: acknowledged, pending })
}

/// # Errors
/// [`SinkError::Refused`] if the file cannot be written.
pub(super) fn write(folder: &Path, metric: &str, held: &Held) -> Result<(), SinkError> {
    let path = folder.join(format!("{metric}.json"));
    let written = || {
        let state = State { acknowledged: held.stored.clone(), pending: held.pending.clone() };
        let text = serde_json::to_string(&state)?;
        fs::create_dir_all(folder)?;
        let new = folder.join(format!("{metric}.json.new"));
        let mut file = File::create(&new)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&new, &path)?;
        File::open(folder)?.sync_all()
    };
    written().map_err(|error: std::io::Error| {
        SinkError::Refused(format!("`{}` cannot be written: {error}", path.display()))
    })
}
