//! Errors of compiling or evaluating a plan.

use std::fmt::Display;

/// A plan could not be made, or one of its steps could not be evaluated. Neither happens for a metric that
/// the checker accepted and rows that the decoder produced: it is a bug, reported as an error instead of a
/// panic.
#[derive(Debug, thiserror::Error)]
pub enum CompileError {
    /// A step of a metric or function contradicts the typed metric.
    #[error("{subject}: {problem}")]
    Form {
        /// Metric, clause or function.
        subject: String,
        /// The contradiction.
        problem: String,
    },
    /// An operation of an engine failed.
    #[error("{subject}: {source}")]
    Engine {
        /// Metric, clause or function.
        subject: String,
        /// Its error.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl CompileError {
    /// A contradiction to the typed metric.
    pub fn form(subject: impl Display, problem: impl Display) -> Self {
        CompileError::Form { subject: subject.to_string(), problem: problem.to_string() }
    }

    /// Wraps an engine's error with the metric, clause or function.
    pub fn engine(
        subject: impl Display,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        CompileError::Engine { subject: subject.to_string(), source: source.into() }
    }
}
