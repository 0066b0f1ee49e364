//! What holds between the parts: the law, the conformance cases, the stages.

mod conformance;
mod docs;
mod explain;
mod law;
mod layers;
mod serving;
mod streaming;
mod verify;
