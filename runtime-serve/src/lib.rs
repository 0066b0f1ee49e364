//! Serving: ⊕ of the segments that cover an interval, then `present`.
//!
//! Batch and stream both hand over states; this is the one place where states of several segments
//! become one, and where a state becomes a number. It merges with
//! [`Segment::merge`](metricc_compiler::Segment::merge) and presents with the monoids and the compiled
//! output expressions; it has no arithmetic of its own.
//!
//! Invariants: an answer covers its interval without gap or overlap, or there is no answer. Rows are
//! sorted by window, then keys. The JSON lines of [`json_lines`] are a contract with readers.

mod asked;
mod derive;
mod indexed;
mod json;
mod local;
mod merge;
mod present;
mod published;
mod reading;
mod select;
mod spread;
mod table;
mod text;
mod value;

pub use derive::derive;
pub use indexed::IndexedSegment;
pub use json::json_lines;
pub use local::LocalServing;
pub use merge::merge;
pub use present::{Presented, ServeError, present, read};
pub use reading::Reading;
pub use table::{ServedTable, ServingTables, csv, record_batch};
pub use text::{TextTable, text_table};
pub use value::value_at;
