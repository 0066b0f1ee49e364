//! Where files lie that are on no disk of this machine: URLs of object stores, and their objects as files of
//! a log.
//!
//! `s3://`, `gs://` and `az://` need the feature `cloud`; `file://` is always there. Credentials, region and
//! endpoint come from the environment, by the names that the tools of each cloud have; no URL holds a secret.
//!
//! Engines read files with blocking calls, and object stores answer to asynchronous ones. The two meet in
//! [`Storage`]: all requests run on threads of this crate, and callers wait for them on theirs.

mod address;
mod background;
#[cfg(feature = "cloud")]
mod cloud;
mod create_only;
mod error;
mod object_file;
mod pieces;
mod small_objects;
mod storage;

pub use address::{StorageUrl, is_url};
pub use create_only::{create_if_absent, creates_only};
pub use error::StorageError;
pub use storage::Storage;
