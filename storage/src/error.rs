//! What can be wrong with a store, in the words of whoever has to mend it.

use object_store::Error;

use crate::StorageUrl;

/// Why a place in an object store cannot be used.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum StorageError {
    /// The text is no URL of a store.
    #[error("`{url}` is no place to read from: {problem}")]
    Url {
        /// The text.
        url: String,
        /// What is wrong with it.
        problem: String,
    },
    /// This program was built without the store.
    #[error(
        "`{url}` is in an object store, and this `metricc` was built without the feature `cloud`\n  help: build it \
         with `cargo build --release --features cloud`"
    )]
    NotBuilt {
        /// The URL.
        url: String,
    },
    /// The store did not do what it was asked for.
    #[error("`{url}`: {problem}")]
    Store {
        /// The URL.
        url: String,
        /// What went wrong, and what to change if that is known.
        problem: String,
    },
    /// The store replaces what it is asked to create.
    #[error(
        "`{url}`: the store overwrites an object that it is asked to create only if it is absent, so two nodes \
         could replace each other's versions unseen; use a store with conditional writes (`If-None-Match`)"
    )]
    Overwrites {
        /// The URL.
        url: String,
    },
}

/// A part of what stores and their clients say, and what it means for whoever started this.
const MEANINGS: [(&str, &str); 15] = [
    ("NoSuchBucket", "there is no such bucket"),
    ("ContainerNotFound", "there is no such container"),
    ("InvalidAccessKeyId", "the access key is not known: see `AWS_ACCESS_KEY_ID`"),
    ("SignatureDoesNotMatch", "the secret key is not the right one: see `AWS_SECRET_ACCESS_KEY`"),
    ("ExpiredToken", "the credentials have expired"),
    ("PermanentRedirect", "the bucket is in another region: set `AWS_REGION`"),
    ("AuthorizationHeaderMalformed", "the bucket is in another region: set `AWS_REGION`"),
    ("bare redirect", "the bucket is in another region: set `AWS_REGION`"),
    (
        "169.254.169.254",
        "there are no credentials: set `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`, or run where the cloud \
         gives them",
    ),
    (
        "metadata.google.internal",
        "there are no credentials: set `GOOGLE_SERVICE_ACCOUNT` or `GOOGLE_APPLICATION_CREDENTIALS`",
    ),
    (
        "URL scheme is not allowed",
        "the endpoint is not encrypted: set `AWS_ALLOW_HTTP=true` if that is meant",
    ),
    ("Account must be specified", "set `AZURE_STORAGE_ACCOUNT_NAME`"),
    ("AccessDenied", "access is denied: the credentials lack the permission"),
    ("error sending request", "the store does not answer: see the endpoint and the network"),
    ("dns error", "the host of the store is not known"),
];

impl StorageError {
    pub(crate) fn of_store(url: &StorageUrl, error: &Error) -> Self {
        StorageError::Store { url: url.to_string(), problem: problem(error) }
    }
}

/// What an error means, before what the store has said.
pub(crate) fn problem(error: &Error) -> String {
    let mut said = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        let text = inner.to_string();
        if !said.contains(&text) {
            said = format!("{said}: {text}");
        }
        cause = inner.source();
    }
    let meaning = MEANINGS.iter().find(|(part, _)| said.contains(part)).map(|(_, meaning)| *meaning);
    let meaning = meaning.or(match error {
        Error::NotFound { .. } => Some("it is not there"),
        Error::PermissionDenied { .. } => Some("access is denied: the credentials lack the permission"),
        Error::Unauthenticated { .. } => Some("the credentials are missing or not accepted"),
        Error::Precondition { .. } | Error::NotModified { .. } => Some("it was changed while it was read"),
        _ => None,
    });
    let said = said.replace('\n', " ");
    meaning.map_or(said.clone(), |meaning| format!("{meaning} ({said})"))
}
