//! The data folder of a node, which is no log of files: a part of its events is in its journal.

use std::path::Path;

use metricc_ir::Source;

use crate::LogError;

/// The file beside the log of a node, and the folder of the log.
const MARK: &str = "log-mark.json";
const LOG: &str = "log";

/// What to say of files whose format is not known: if they are those of a node, which of them are events.
pub(crate) fn explained(error: LogError, path: &str, source: &Source) -> LogError {
    let LogError::UnknownFormat { .. } = error else { return error };
    let given = Path::new(path);
    let is_of_node = |folder: &&Path| {
        let is_in_log = *folder == given || given.starts_with(folder.join(LOG));
        is_in_log && folder.join(MARK).is_file() && folder.join(LOG).is_dir()
    };
    match given.ancestors().find(is_of_node) {
        Some(data) => {
            let flushed = data.join(LOG).join("events").join(&source.name).join("*[0-9].parquet");
            LogError::OfNode { path: path.to_owned(), flushed: flushed.to_string_lossy().into_owned() }
        }
        None => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_of_a_node_are_told_from_others() {
        let folder = tempfile::tempdir().unwrap();
        let (data, other) = (folder.path().join("data"), folder.path().join("other"));
        std::fs::create_dir_all(data.join("log/events/s")).unwrap();
        std::fs::create_dir_all(&other).unwrap();
        std::fs::write(data.join(MARK), "{}").unwrap();
        let source =
            Source { name: "s".to_owned(), doc: String::new(), fields: vec![], time: 0, identity: vec![] };
        let said = |path: &Path| {
            let error = LogError::UnknownFormat { path: "x".to_owned(), n_more: 0 };
            explained(error, &path.to_string_lossy(), &source)
        };
        for path in [data.clone(), data.join("log"), data.join("log/events/s")] {
            let expected = data.join("log/events/s/*[0-9].parquet");
            let error = said(&path);
            assert!(
                matches!(&error, LogError::OfNode { flushed, .. } if Path::new(flushed) == expected),
                "{error}"
            );
        }
        for path in [other, data.join("views")] {
            assert!(matches!(said(&path), LogError::UnknownFormat { .. }), "{path:?}");
        }
    }
}
