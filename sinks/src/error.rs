//! Why something was not written. What the driver of a sink does next follows from the kind of error.

use std::error::Error;

/// Why a sink did not do what it was asked to do.
#[derive(Debug, thiserror::Error)]
pub enum SinkError {
    /// It cannot be reached, or does not answer: nothing can be written until it does.
    #[error("{0}")]
    Unreachable(String),
    /// It holds something else than the write started from: another one has written to it, or it has lost
    /// what it had. It has to be asked again.
    #[error("{0}")]
    Moved(String),
    /// It does not take this metric; others may be written.
    #[error("{0}")]
    Refused(String),
    /// The changes cannot be told from what it holds: all rows have to be written.
    #[error("{0}")]
    NotComparable(String),
}

/// An error with its causes, in one line.
pub(crate) fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let inner_text = inner.to_string();
        if !text.contains(&inner_text) {
            text = format!("{text}: {inner_text}");
        }
        cause = inner.source();
    }
    text
}
