//! Names of the columns of segments in files.
//!
//! They are part of the file format, beside `file.rs`: a name may not change while files with it exist.
//! Golden tests hold the bytes of segments.

use crate::state::ROW_COUNT;

/// Start of the window.
pub(crate) const WINDOW: &str = "window";

/// End of a session. Only presented sessions have it; in files they are one state.
pub(crate) const WINDOW_END: &str = "window_end";

/// The constant group column of a metric that has neither window nor keys.
pub(crate) const ALL: &str = "all";

/// A key, by its index in the metric.
pub(crate) fn key(index: usize) -> String {
    format!("key{index}")
}

/// A state, by its index in the product; the row count has its own name.
pub(crate) fn state(index: usize) -> String {
    if index == ROW_COUNT { "rows".to_owned() } else { format!("state{}", index - 1) }
}
