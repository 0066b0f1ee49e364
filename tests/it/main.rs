//! Integration tests: the law, the conformance cases, the compiler stages, the front ends and the node.

mod aggregates;
mod conformance;
mod conformance_index;
mod derived;
mod derived_from_rust;
mod docs;
mod explain;
mod formatter;
mod front_ends;
mod fuzz;
mod golden;
mod law;
mod layers;
mod node;
mod presentation;
mod reading;
mod roll_up;
mod serving;
mod shared_scan;
mod streaming;
mod stub;
mod tables;
mod typed;
mod user_defined;
mod verify;
mod windows;
