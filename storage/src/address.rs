//! URLs of places in object stores.

use std::fmt;
use std::str::FromStr;

use object_store::path::Path;
use url::Url;

use crate::StorageError;

/// The kinds of stores, by the scheme of their URLs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    File,
    S3,
    Gcs,
    Azure,
}

const SCHEMES: [(&str, Kind); 8] = [
    ("file", Kind::File),
    ("s3", Kind::S3),
    ("s3a", Kind::S3),
    ("gs", Kind::Gcs),
    ("az", Kind::Azure),
    ("abfs", Kind::Azure),
    ("abfss", Kind::Azure),
    ("azure", Kind::Azure),
];

/// The scheme of a URL, as far as the text has the form of one.
fn scheme(text: &str) -> Option<(String, &str)> {
    let (scheme, rest) = text.split_once("://")?;
    let is_scheme = scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme.chars().all(|part| part.is_ascii_alphanumeric() || matches!(part, '+' | '-' | '.'));
    is_scheme.then(|| (scheme.to_ascii_lowercase(), rest))
}

/// Whether a text has the form of a URL, perhaps of a place that is not read here.
pub fn is_url(text: &str) -> bool {
    scheme(text).is_some()
}

/// A place in an object store: a bucket or container, and a path in it, which may be a glob.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StorageUrl {
    pub(crate) kind: Kind,
    /// The URL without the path: what names the bucket.
    pub(crate) root: String,
    /// The bucket or container; empty for `file://`.
    pub(crate) bucket: String,
    /// The path in it, without a slash around it. Of `file://`, the absolute path with its slash.
    pub(crate) path: String,
}

impl StorageUrl {
    /// The absolute path of a `file://` URL, which is on a disk of this machine.
    pub fn local_path(&self) -> Option<&str> {
        (self.kind == Kind::File).then_some(self.path.as_str())
    }

    /// The path in the bucket; a glob is one.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// What lies below.
    #[must_use]
    pub fn join(&self, below: &str) -> Self {
        let path = if self.path.is_empty() || self.path == "/" {
            format!("{}{below}", self.path)
        } else {
            format!("{}/{below}", self.path)
        };
        StorageUrl { path, ..self.clone() }
    }

    /// The path as the store has it: its characters are not encoded.
    pub(crate) fn key(&self) -> Result<Path, StorageError> {
        key(&self.path).map_err(|error| StorageError::of_store(self, &error))
    }
}

impl fmt::Display for StorageUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let slash = if self.kind == Kind::File || self.path.is_empty() { "" } else { "/" };
        write!(f, "{}{slash}{}", self.root, self.path)
    }
}

impl FromStr for StorageUrl {
    type Err = StorageError;

    fn from_str(text: &str) -> Result<Self, StorageError> {
        let refuse = |problem: &str| StorageError::Url { url: shown(text), problem: problem.to_owned() };
        let known = "it begins with `s3://`, `gs://`, `az://` or `file://`, and a topic with `kafka://`";
        let (scheme, rest) = scheme(text).ok_or_else(|| refuse(known))?;
        let kind = SCHEMES.iter().find(|(name, _)| *name == scheme).map(|(_, kind)| *kind);
        let kind = kind.ok_or_else(|| refuse(known))?;
        if kind == Kind::File {
            if !rest.starts_with('/') {
                return Err(refuse("its path is absolute, as in `file:///data/events`"));
            }
            let path = if rest.len() > 1 { rest.trim_end_matches('/') } else { rest };
            let (root, bucket) = ("file://".to_owned(), String::new());
            return Ok(StorageUrl { kind, root, bucket, path: path.to_owned() });
        }
        let (bucket, path) = rest.split_once('/').unwrap_or((rest, ""));
        if bucket.is_empty() {
            return Err(refuse("it names no bucket, as in `s3://bucket/path`"));
        }
        // `abfss://container@account.dfs.core.windows.net` has the account there; a password is none.
        let may_name_account = kind == Kind::Azure && !bucket.contains(':');
        if bucket.contains('@') && !may_name_account {
            return Err(refuse("secrets come from the environment, not from the URL"));
        }
        let root = format!("{scheme}://{bucket}");
        Url::parse(&root).map_err(|error| refuse(&error.to_string()))?;
        let path = path.trim_matches('/');
        if path.split('/').any(|part| matches!(part, "." | "..")) || path.contains("//") {
            return Err(refuse("a part of its path is empty, `.` or `..`"));
        }
        Ok(StorageUrl { kind, root, bucket: bucket.to_owned(), path: path.to_owned() })
    }
}

/// A path as the store has it. `Path::from` would encode characters that are part of the key.
pub(crate) fn key(path: &str) -> object_store::Result<Path> {
    Ok(Path::parse(path)?)
}

/// A text for messages, without what may be a secret in it.
fn shown(text: &str) -> String {
    match (text.split_once("://"), text.rsplit_once('@')) {
        (Some((scheme, _)), Some((before, after))) if before.contains(':') => format!("{scheme}://…@{after}"),
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_name_a_store_a_bucket_and_a_path() {
        let url: StorageUrl = "s3://shop/events/year=2026/*.parquet".parse().unwrap();
        assert_eq!((url.bucket.as_str(), url.path()), ("shop", "events/year=2026/*.parquet"));
        assert_eq!(url.to_string(), "s3://shop/events/year=2026/*.parquet");
        let url: StorageUrl = "gs://shop/".parse().unwrap();
        assert_eq!((url.to_string(), url.join("a").to_string()), ("gs://shop".into(), "gs://shop/a".into()));
        let url: StorageUrl = "file:///data/events/".parse().unwrap();
        assert_eq!(url.local_path(), Some("/data/events"));
        assert_eq!(url.join("views").to_string(), "file:///data/events/views");
        assert_eq!("file:///".parse::<StorageUrl>().unwrap().join("a").local_path(), Some("/a"));
        assert_eq!("S3://shop/a".parse::<StorageUrl>().unwrap().to_string(), "s3://shop/a");
        assert!("abfss://c@shop.dfs.core.windows.net/a".parse::<StorageUrl>().is_ok());
        assert!(is_url("az://c/p") && is_url("https://h/t") && !is_url("a/b.csv") && !is_url("C:\\a"));
    }

    #[test]
    fn what_is_no_url_is_refused_without_its_secrets() {
        for (text, part) in [
            ("s3:///a", "names no bucket"),
            ("file://a", "its path is absolute"),
            ("ftp://a/b", "begins with `s3://`"),
            ("s3://key:secret@b/a", "come from the environment"),
            ("s3://b/a/../c", "empty, `.` or `..`"),
            ("s3://b/a//c", "empty, `.` or `..`"),
        ] {
            let problem = text.parse::<StorageUrl>().unwrap_err().to_string();
            assert!(problem.contains(part) && !problem.contains("secret@"), "{text}: {problem}");
        }
    }
}
