//! What holds between the parts: the law, the conformance cases, the stages.

mod aggregates;
mod coarse;
mod conformance;
mod derived;
mod docs;
mod doors;
mod explain;
mod fuzz;
mod golden;
mod law;
mod layers;
mod layout;
mod made;
mod node;
mod presentation;
mod reading;
mod scan;
mod serving;
mod streaming;
mod stub;
mod tables;
mod typed;
mod user_defined;
mod verify;
mod windows;
