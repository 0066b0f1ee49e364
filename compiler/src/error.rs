//! What can go wrong while compiling or evaluating a plan.

use std::fmt::Display;

/// A plan could not be made, or one of its steps could not be evaluated. Neither happens for a metric
/// that the checker accepted and rows that the decoder produced: it is a defect of this program, said
/// plainly instead of a panic.
#[derive(Debug, thiserror::Error)]
pub enum CompileError {
    /// A step of the named metric or function is not of the form that the typed metric promises.
    #[error("{place}: {problem}")]
    Form {
        /// Metric, clause or function.
        place: String,
        /// What does not fit.
        problem: String,
    },
    /// An engine's part failed.
    #[error("{place}: {source}")]
    Engine {
        /// Metric, clause or function.
        place: String,
        /// Its error.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl CompileError {
    /// A form error.
    pub fn form(place: impl Display, problem: impl Display) -> Self {
        CompileError::Form { place: place.to_string(), problem: problem.to_string() }
    }

    /// Wraps an engine's error with the place where it came up.
    pub fn engine(place: impl Display, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        CompileError::Engine { place: place.to_string(), source: source.into() }
    }
}
