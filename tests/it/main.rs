//! Integration tests: the law, the conformance cases, the compiler stages, the front ends and the node.

#![allow(clippy::too_many_lines, reason = "a test is one story, told in order")]

mod aggregates;
mod beside;
mod cases;
mod coarser;
mod conformance;
mod conformance_index;
mod derived;
mod derived_from_rust;
mod docs;
mod exact;
mod explain;
mod formatter;
mod front_ends;
mod fuzz;
mod golden;
mod law;
mod layers;
mod names_and_paths;
mod node;
mod node_cluster;
mod pages;
mod presentation;
mod questions;
mod ranges;
mod readers;
mod reading;
mod records_in_rust;
mod roll_up;
mod segment_ranges;
mod serving;
mod shared_scan;
mod spelled;
mod spilling;
mod streaming;
mod stub;
mod tables;
mod typed;
mod user_defined;
mod verify;
mod windows;
