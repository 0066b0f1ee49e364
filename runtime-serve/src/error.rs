//! Errors of merging and presenting.

use metricc_algebra::StateError;
use metricc_compiler::{CompileError, SegmentError};
use metricc_log::Frontier;

/// Why segments could not be merged or presented.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Nothing to merge.
    #[error("there is no segment of `{metric}` to read from")]
    NoSegment {
        /// The metric.
        metric: String,
    },
    /// Metrics that are published together reach different frontiers.
    #[error(
        "the segments of `{metric}` end at {end}, those of another metric at {other}: one answer has one frontier"
    )]
    Frontiers {
        /// The metric.
        metric: String,
        /// The frontier at which its segments end.
        end: Frontier,
        /// The frontier at which the others end.
        other: Frontier,
    },
    /// The metric does not have these windows or keys.
    #[error("metric `{metric}` {problem}")]
    Options {
        /// The metric.
        metric: String,
        /// What is wrong with the options.
        problem: String,
    },
    /// Two columns of rows would have one name, where rows are columns alone.
    #[error("`{metric}` would have two columns `{column}`: give the key or the value another name")]
    Columns {
        /// The metric.
        metric: String,
        /// The name.
        column: String,
    },
    /// A range of a segment that lies elsewhere is not readable.
    #[error("the states of `{metric}` are not readable: {source}")]
    Ranges {
        /// The metric.
        metric: String,
        /// The reason.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Segments that do not follow one another, or are of different metrics.
    #[error(transparent)]
    Segment(#[from] SegmentError),
    /// A state that its monoid does not accept.
    #[error(transparent)]
    State(#[from] StateError),
    /// An output that could not be evaluated.
    #[error(transparent)]
    Compile(#[from] CompileError),
}

impl ServeError {
    pub(crate) fn options(metric: &str, problem: impl Into<String>) -> Self {
        ServeError::Options { metric: metric.to_owned(), problem: problem.into() }
    }
}
