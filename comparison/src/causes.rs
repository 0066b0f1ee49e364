//! Which events make two definitions, or a definition and a table, differ.
//!
//! States merge, so any interval of a log has rows of its own. A search starts at an interval over which the
//! rows differ and descends into the halves over which they do, until single events are left. What is found
//! is: *alone, this event gives other rows*. For sums and counts that is the whole difference. For others,
//! such as `max` or `distinct`, an event that is found may not matter beside others, and events may differ
//! only together.

mod event;
mod search;
mod side;

pub use event::{EventFields, event_fields};
pub use search::{Budget, Found, Stop, interval_of, search};
pub use side::{RowsError, Side, evaluated};
