//! Which windows and keys of a segment are read.

use metricc_ir::calendar::instant_text;
use metricc_ir::{Window, expression_text};

use crate::ServeError;

/// Which windows are read, how coarsely, and by which keys.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ReadOptions {
    /// Only windows of the metric that start at this instant (µs) or later.
    pub from: Option<i64>,
    /// Only windows of the metric that start before this instant (µs).
    pub to: Option<i64>,
    /// Windows to which those of the metric are rolled up; all time gives one row for the range.
    pub grain: Option<Window>,
    /// Indices of the keys that are kept, in the order of the rows; the others are merged. `None` keeps all.
    pub keys: Option<Vec<usize>>,
}

impl ReadOptions {
    /// Checks that a metric with a window has such rows.
    pub(crate) fn check(&self, metric: &str, window: &Window) -> Result<(), ServeError> {
        let has_windows = self.grain.as_ref().is_some_and(|grain| *grain != Window::AllTime);
        let chooses = self.from.is_some() || self.to.is_some() || has_windows;
        if *window == Window::AllTime && chooses {
            return Err(ServeError::options(metric, "is of all time: it has no windows to choose from"));
        }
        if let (Some(from), Some(to)) = (self.from, self.to)
            && from > to
        {
            let (from, to) = (instant_text(from, None), instant_text(to, None));
            let problem = format!("cannot be read from {from} to {to}: the range ends before it begins");
            return Err(ServeError::options(metric, problem));
        }
        let is_disjoint = matches!(window, Window::Tumbling(_) | Window::Calendar(..));
        match &self.grain {
            Some(Window::Sliding { .. } | Window::Session { .. }) => {
                Err(ServeError::options(metric, "cannot be rolled up to windows that overlap"))
            }
            Some(grain) if !is_disjoint && grain != window => {
                let window = expression_text::window(&window.cut());
                Err(ServeError::options(metric, format!("is `{window}`: such windows cannot be rolled up")))
            }
            _ => Ok(()),
        }
    }
}
