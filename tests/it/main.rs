//! What holds between the parts: the law, the conformance cases, the stages.

mod conformance;
mod docs;
mod doors;
mod explain;
mod law;
mod layers;
mod serving;
mod streaming;
mod typed;
mod verify;
