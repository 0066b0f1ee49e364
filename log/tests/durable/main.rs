//! The durable log: what it promises, on a disk on which every operation can go wrong.
#![allow(unreachable_pub, clippy::unwrap_used, reason = "test code; modules share what they need")]

#[path = "../common/mod.rs"]
mod common;
mod crashes;
mod damage;
mod horizon;
mod ledger;
mod sealing;
mod sim_disk;
mod taking;
