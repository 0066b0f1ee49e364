//! The monoids from outside: laws for every aggregate over every type, presented values against naive
//! references in big rationals, sketches against their promised errors, hostile bytes.

mod exact;
mod inputs;
mod laws;
mod presented;
mod sketches;
mod strictness;
