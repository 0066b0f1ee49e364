//! Errors of stores, with what to change.

use object_store::Error;

use crate::StorageUrl;
use crate::address::Kind;

/// Why a place in an object store cannot be used.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum StorageError {
    /// The text is not the URL of a store.
    #[error("`{url}` cannot be used: {problem}")]
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

/// A part of a message of a store or of its client, and what it means for the user.
type Meaning = (&'static str, &'static str);

const OF_ALL: [Meaning; 5] = [
    ("error sending request", "the store does not answer: see the endpoint and the network"),
    ("dns error", "the host of the store is not known"),
    ("ExpiredToken", "the credentials have expired"),
    ("AccessDenied", "access is denied: the credentials lack the permission"),
    ("invalid list response", "what answers does not speak the protocol of this store: see the endpoint"),
];
const OF_S3: [Meaning; 12] = [
    ("NoSuchBucket", "there is no such bucket"),
    ("InvalidAccessKeyId", "the access key is not known: see `AWS_ACCESS_KEY_ID`"),
    ("SignatureDoesNotMatch", "the secret key is not the right one: see `AWS_SECRET_ACCESS_KEY`"),
    ("Missing AccessKeyId", "set `AWS_ACCESS_KEY_ID` beside `AWS_SECRET_ACCESS_KEY`"),
    ("Missing SecretAccessKey", "set `AWS_SECRET_ACCESS_KEY` beside `AWS_ACCESS_KEY_ID`"),
    ("PermanentRedirect", "the bucket is in another region: set `AWS_REGION`"),
    ("AuthorizationHeaderMalformed", "the bucket is in another region: set `AWS_REGION`"),
    ("without LOCATION", "the bucket is in another region: set `AWS_REGION`"),
    ("configured region", "the bucket is in another region: set `AWS_REGION`"),
    ("invalid list response", "what answers does not speak S3's protocol: see `AWS_ENDPOINT_URL`"),
    (
        "169.254.169.254",
        "there are no credentials: set `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`, or run where the cloud \
         gives them",
    ),
    (
        "URL scheme is not allowed",
        "the endpoint is not encrypted: set `AWS_ALLOW_HTTP=true` if that is meant",
    ),
];
const NO_GOOGLE: &str =
    "there are no credentials: set `GOOGLE_SERVICE_ACCOUNT` or `GOOGLE_APPLICATION_CREDENTIALS`";
const OF_GCS: [Meaning; 4] = [
    (
        "URL scheme is not allowed",
        "the endpoint is not encrypted: set `GOOGLE_ALLOW_HTTP=true` if that is meant",
    ),
    ("169.254.169.254", NO_GOOGLE),
    ("metadata.google.internal", NO_GOOGLE),
    ("NoSuchBucket", "there is no such bucket"),
];
const NO_AZURE: &str = "there are no credentials: set `AZURE_STORAGE_ACCOUNT_KEY`";
const OF_AZURE: [Meaning; 4] = [
    (
        "URL scheme is not allowed",
        "the endpoint is not encrypted: set `AZURE_ALLOW_HTTP=true` if that is meant",
    ),
    ("169.254.169.254", NO_AZURE),
    ("Account must be specified", "set `AZURE_STORAGE_ACCOUNT_NAME`"),
    ("ContainerNotFound", "there is no such container"),
];

impl StorageError {
    pub(crate) fn of_store(url: &StorageUrl, error: &Error) -> Self {
        StorageError::Store { url: url.to_string(), problem: problem(url.kind, error) }
    }

    /// The URL, and what is wrong there.
    pub fn into_parts(self) -> (String, String) {
        match self {
            StorageError::Url { url, problem } | StorageError::Store { url, problem } => (url, problem),
            StorageError::NotBuilt { url } => (
                url,
                "this `metricc` was built without the feature `cloud`; build it with `cargo build --release \
                 --features cloud`"
                    .to_owned(),
            ),
            StorageError::Overwrites { url } => {
                (url, "the store overwrites what it should only create".to_owned())
            }
        }
    }
}

/// What an error means, before what the store has said.
pub(crate) fn problem(kind: Kind, error: &Error) -> String {
    let mut said = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        let text = inner.to_string();
        if !said.contains(&text) {
            said = format!("{said}: {text}");
        }
        cause = inner.source();
    }
    let of_kind: &[Meaning] = match kind {
        Kind::S3 => &OF_S3,
        Kind::Gcs => &OF_GCS,
        Kind::Azure => &OF_AZURE,
        Kind::File => &[],
    };
    let meanings = of_kind.iter().chain(&OF_ALL);
    let meaning = meanings.into_iter().find(|(part, _)| said.contains(part)).map(|(_, meaning)| *meaning);
    let meaning = meaning.or(match error {
        // The client lists all objects of a folder or none, so those beside it cannot be read either.
        Error::InvalidPath { .. } => Some(
            "an object has a name that cannot be read: a part of it between slashes is empty, `.` or `..`, or it has a \
             control character; rename or remove the object, or read a folder without it",
        ),
        Error::NotFound { .. } => Some("it is not there"),
        Error::PermissionDenied { .. } => Some("access is denied: the credentials lack the permission"),
        Error::Unauthenticated { .. } => Some("the credentials are missing or not accepted"),
        Error::Precondition { .. } | Error::NotModified { .. } => Some("it was changed while it was read"),
        _ => None,
    });
    // Answers of S3 end in a document with the numbers of the request.
    let said =
        said.split("<?xml").next().unwrap_or_default().trim_end_matches([':', ' ', '\n']).replace('\n', " ");
    match meaning {
        Some(meaning) if said.is_empty() => meaning.to_owned(),
        Some(meaning) => format!("{meaning} ({said})"),
        None => said,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stores_say_is_told_with_the_variable_to_set() {
        let said =
            |kind: Kind, text: &str| problem(kind, &Error::Generic { store: "S3", source: text.into() });
        for (kind, text, meaning) in [
            (Kind::S3, "<Code>PermanentRedirect</Code>", "the bucket is in another region: set `AWS_REGION`"),
            (Kind::S3, "Received redirect without LOCATION", "the bucket is in another region"),
            (
                Kind::S3,
                "<Code>InvalidAccessKeyId</Code>",
                "the access key is not known: see `AWS_ACCESS_KEY_ID`",
            ),
            (Kind::S3, "SignatureDoesNotMatch", "see `AWS_SECRET_ACCESS_KEY`"),
            (Kind::S3, "http://169.254.169.254/latest", "there are no credentials: set `AWS_ACCESS_KEY_ID`"),
            (Kind::S3, "<Code>ExpiredToken</Code>", "the credentials have expired"),
            (Kind::Gcs, "metadata.google.internal", "set `GOOGLE_SERVICE_ACCOUNT`"),
            (Kind::Gcs, "URL scheme is not allowed", "set `GOOGLE_ALLOW_HTTP=true`"),
            (Kind::Azure, "URL scheme is not allowed", "set `AZURE_ALLOW_HTTP=true`"),
            (Kind::Azure, "ContainerNotFound", "there is no such container"),
            (Kind::Azure, "dns error", "the host of the store is not known"),
        ] {
            let found = said(kind, text);
            assert!(found.contains(meaning) && found.contains(text), "{text}: {found}");
        }
        let said =
            said(Kind::S3, "client error: NoSuchBucket: <?xml version=\"1.0\"?><RequestId>7</RequestId>");
        assert!(said.starts_with("there is no such bucket (") && !said.contains("RequestId"), "{said}");
    }
}
