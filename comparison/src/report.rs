//! What was found, as a table for people and as JSON: one form for all who compare.

mod metric;
mod sides;
mod table;

pub use metric::{MetricRows, changes_text, json, text};
pub use sides::Sides;
pub use table::{Rows, shown, table};
