//! The durable log: what it promises, on a disk on which every operation can fail.
#![allow(unreachable_pub, clippy::unwrap_used, reason = "test code; modules share what they need")]

mod append;
mod archive;
mod crashes;
mod damage;
mod declared;
mod dedup_window;
mod flush;
mod inputs;
mod kept_requests;
mod ledger;
mod many_files;
mod mark;
mod new_source;
mod older_copies;
mod older_version;
mod recent_rows;
mod records;
mod sealing;
mod snapshots;
