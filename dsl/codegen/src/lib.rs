//! Rust tokens ↔ the metric language: what stands behind `#[derive(Event)]`, `#[metric]` and `metrics!`, and
//! the Rust items that are generated of a typed metric.
//!
//! The second door checks nothing itself. Tokens become text of the language ([`language_text`]), the same
//! `metricc-dsl` checks it, and its findings go back to the tokens; so both doors give the same typed metric.
//!
//! Invariants: pure but for reading the file that `metrics!` names; never panics, whatever the tokens are; a
//! finding is on the smallest token; generated paths are absolute.
//!
//! A library of its own, and no `proc-macro` crate, so that expansions can be tested.

mod attributes;
mod chain;
mod debug;
mod definition;
mod event;
mod file;
mod handle;
mod language_text;
mod metric;
mod names;
mod output;
mod problem;
mod rust_type;
mod scope;
mod type_check;
mod value;

pub use event::{derive_event, event_stage};
pub use file::metrics;
pub use metric::{metric, metric_stage};
