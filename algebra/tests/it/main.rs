//! The monoids from outside: laws for every aggregate over every type, presented values against naive
//! references in big rationals, sketches against their promised errors, hostile bytes.

#![expect(clippy::unwrap_used, reason = "helpers of tests, too, may stop where a test cannot go on")]

mod exact;
mod golden;
mod inputs;
mod laws;
mod presented;
mod sketches;
mod strictness;
