//! The reference for the integration tests: a naive interpreter of typed metrics, and generators of metrics
//! and logs.
//!
//! [`generate`] and [`oracle`] use no engine, monoid, kernel or calendar of the product. They are written
//! from the definitions, slow and simple, so that agreement with the engines is evidence, and a difference is
//! a bug in one of them. [`events`] plays the role of another crate that publishes event types.

pub mod events;
pub mod generate;
pub mod oracle;
